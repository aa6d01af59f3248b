/* Reading msgpack in place, with bounds. A cursor keeps its first error and reads on harmlessly
 * (zeros, empty strings); check `error` once, before the data is used. Nothing is allocated.
 *
 * Only the shortest form of a number or a length is accepted, as pack.h writes it: bytes that are read
 * without an error are the only encoding of what was read, so their digest names it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>

#include "bytes.h"

struct cursor {
    const uint8_t *at, *end;
    const char *error; /* NULL, or the first error: a constant string */
};

struct cursor cursor_over(struct span bytes);

/* The number of elements, at most `max`. Each element takes at least one byte, so a count above the
 * bytes that remain is refused at once. */
size_t cursor_array(struct cursor *cursor, size_t max);

/* An array of exactly `count` elements. */
void cursor_array_of(struct cursor *cursor, size_t count);

uint64_t cursor_uint(struct cursor *cursor, uint64_t max);
uint64_t cursor_uint_from(struct cursor *cursor, uint64_t min, uint64_t max); /* 0, not min, on an error */
int64_t cursor_int(struct cursor *cursor, int64_t min, int64_t max);
bool cursor_bool(struct cursor *cursor);
double cursor_double(struct cursor *cursor); /* float64 only; NaN stands for nil, the only way to write it */

/* A finite float64 in min..max that is not -0.0; 0.0 on an error. */
double cursor_number(struct cursor *cursor, double min, double max);

/* Borrowed from the bytes read. */
struct span cursor_bin(struct cursor *cursor, size_t max);

/* A byte string of exactly DIGEST_BYTES, copied; on an error the digest is left as it was. */
void cursor_digest(struct cursor *cursor, struct digest *digest);

/* A UTF-8 string without NUL of fewer than `capacity` bytes, copied with a NUL behind it. */
void cursor_string(struct cursor *cursor, char *text, size_t capacity);

/* The next byte's type without reading it: true for nil. */
bool cursor_at_nil(const struct cursor *cursor);
void cursor_nil(struct cursor *cursor);

/* Sets the error unless there is one. */
void cursor_fail(struct cursor *cursor, const char *error);

/* No error and nothing left over. */
bool cursor_done(struct cursor *cursor);
