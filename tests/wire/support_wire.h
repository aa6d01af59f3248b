/* What the tests of the wire share: bytes in hexadecimal, golden files, and samples in which no field
 * is zero, so that a field that is lost on the way is noticed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/sweep.h>

#include "bytes.h"
#include "message.h"
#include "population_codec.h"

/* Reads pairs of hexadecimal digits; white space is skipped. False: something else is there. */
bool hex_read(const char *hex, size_t size, struct buffer *out);

/* Lower-case pairs; valid until the next call. */
const char *hex_write(struct span bytes);

/* A whole file below the project's folder, with a NUL behind it; the test fails if there is none. */
char *file_read(const char *path);

/* Fails the test unless the bytes are those of tests/wire/golden/v1/NAME.hex. */
void golden_check(const char *name, struct span bytes);

/* The same of tests/wire/golden/FOLDER/NAME.hex. */
void golden_check_in(const char *folder, const char *name, struct span bytes);

/* A copy whose end is the end of its memory, so that the address sanitizer sees a byte read beyond. */
uint8_t *exact_copy(struct span bytes);

/* Replaces the first `size` bytes that equal `from`; the test fails if there are none. */
void bytes_replace(struct buffer *bytes, const void *from, const void *to, size_t size);

/* Replaces the first float64 that equals `from`. */
void double_replace(struct buffer *bytes, double from, double to);

/* Calls `decode` on every proper prefix (to be refused), on the bytes with one more (to be refused),
 * and on every change of a single byte (to be refused, or to encode to those very bytes again). decode
 * answers whether it accepted, and if so appends the encoding of what it read. */
void hostile_check(const char *what, struct span bytes, bool (*decode)(struct span bytes, struct buffer *again));

/* One of each kind, as in the golden files. Spans point to static memory. */
void sample_message(enum message_kind kind, struct message *message);

/* The same with what later versions brought, where they brought anything. */
void sample_newer_message(enum message_kind kind, struct message *message);

/* The same as a step of the exchange in PROTOCOL.md: what would make no sense there is zero. */
void sample_exchange(enum message_kind kind, struct message *message);

/* The largest that the bounds allow. */
void sample_largest_message(enum message_kind kind, struct message *message);

void sample_sweep(struct sweep *sweep);

/* The same with everything in it that an analysis can ask for. */
void sample_analysis(struct sweep *sweep);
struct population *sample_population(bool names);
