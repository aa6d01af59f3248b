/* What the fuzz targets share. A target is one function over bytes: under GOLDTHREAD_FUZZ it is what
 * libFuzzer calls; else it has a name of its own, so that one test can replay the corpora of all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>
#include <goldthread/sweep.h>

#include "bytes.h"
#include "message.h"

#ifdef GOLDTHREAD_FUZZ
#define FUZZ_TARGET(name) LLVMFuzzerTestOneInput
#else
#define FUZZ_TARGET(name) fuzz_##name
#endif

/* Ends the program, also in a release build: the input has shown a fault. */
#define fuzz_require(condition)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) fuzz_fail(__FILE__, __LINE__, #condition);                                                   \
    } while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

/* Input as choices: once it is used up, every choice is 0. */
struct choices {
    const uint8_t *at, *end;
};

struct choices choices_of(const uint8_t *data, size_t size);
bool choices_left(const struct choices *choices);
uint8_t choose_byte(struct choices *choices);
uint64_t choose_below(struct choices *choices, uint64_t bound); /* 0 .. bound - 1; bound at least 1 */
struct span choose_span(struct choices *choices, size_t max);   /* a length of two bytes, then so much at most */

/* Numbers that matter more often than others: small, around powers of two, the largest. */
uint64_t choose_number(struct choices *choices);

/* A text for a field of `capacity` bytes, with NUL: short, or as long as it may be. */
void choose_text(struct choices *choices, char *text, size_t capacity);

/* The encoding of a small sweep of so many blocks; the owner of *out frees it. number: 0 to 255, makes them
 * differ. Answers its identity. */
struct digest small_sweep(uint8_t number, uint64_t blocks, const struct digest *population, struct buffer *out);

/* The same with a stop rule, which is looked at after two blocks first. */
struct digest ruled_sweep(uint8_t number, uint64_t blocks, const struct digest *population, struct buffer *out);

/* What a core wants to send must be a message that others can read. */
void require_readable(const struct message *message);

/* A folder of this process, empty; made when it is first asked for, and removed at the end. */
const char *fuzz_folder(void);
void fuzz_empty_folder(void);
void fuzz_write_file(const char *name, struct span bytes); /* in that folder */
void fuzz_read_file(const char *name, struct buffer *out); /* replaces *out */
