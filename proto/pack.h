/* Writing msgpack into a buffer, by msgpack-c, every number and length in its shortest form: one value
 * has one encoding. Errors (memory) stay in the buffer's `failed`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>

#include "bytes.h"

void pack_array(struct buffer *buffer, size_t count);
void pack_uint(struct buffer *buffer, uint64_t value);
void pack_int(struct buffer *buffer, int64_t value);
void pack_bool(struct buffer *buffer, bool value);
void pack_double(struct buffer *buffer, double value); /* NaN is written as nil */
void pack_number(struct buffer *buffer, double value); /* finite; -0.0 is written as 0.0 */
void pack_string(struct buffer *buffer, const char *text);
void pack_text(struct buffer *buffer, const char *text); /* up to the first byte that is not UTF-8 */
void pack_bin(struct buffer *buffer, struct span bytes);
void pack_digest(struct buffer *buffer, const struct digest *digest); /* as a byte string */
void pack_nil(struct buffer *buffer);
