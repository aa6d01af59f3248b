/* SHA-256 and its hexadecimal form. */
#pragma once

#include <stdbool.h>

#include <goldthread/digest.h>

#include "bytes.h"

#define DIGEST_HEX_BYTES 65 /* with the NUL */

struct digest digest_of(struct span bytes);

/* The same of bytes that come piece by piece. */
struct digest_state {
    uint64_t opaque[16];
};
void digest_start(struct digest_state *state);
void digest_add(struct digest_state *state, struct span bytes);
struct digest digest_end(struct digest_state *state); /* once */
bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *digest);
void digest_to_hex(const struct digest *digest, char hex[DIGEST_HEX_BYTES]);

/* Exactly 64 hexadecimal digits, or false. */
bool digest_from_hex(struct digest *digest, const char *hex);
