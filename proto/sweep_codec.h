/* The canonical encoding of a sweep: the same sweep always gives the same bytes, so that its
 * SHA-256 is its identity. */
#pragma once

#include <stdbool.h>

#include <goldthread/sweep.h>

#include "bytes.h"
#include "digest.h"

#define SWEEP_BYTES_MAX (1u << 20)
/* Version of the encoding that is read here, with all before it. It stands for what the bytes mean, too: whoever
 * changes which draws a design makes, or what a block's node holds, raises it, so that blocks of before are never taken
 * for blocks of the new sweep, in a store or from another worker. */
#define SWEEP_ENCODING_LATEST 2

/* Appends the encoding. */
void sweep_encode(const struct sweep *sweep, struct buffer *out);

/* The version that the sweep is encoded in: the oldest that can say it. */
uint32_t sweep_encoding(const struct sweep *sweep);

/* Reads and checks every bound of goldthread/sweep.h. On false `*why` is a constant string and
 * *sweep is not to be used. Allocates nothing. */
bool sweep_decode(struct span bytes, struct sweep *sweep, const char **why);

/* SHA-256 of the encoding; zero: out of memory. */
struct digest sweep_identity(const struct sweep *sweep);

/* What all sweeps share that differ in their draws and stop rule only: full blocks of one are blocks of the others,
 * bit for bit. Zero: the design cannot be extended, or out of memory. `*sweep` is changed meanwhile. */
struct digest sweep_family(struct sweep *sweep);
