/* The computing thread: one part at a time, asked for and taken back by the thread that owns the
 * sockets. All functions are for that thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "digest.h"
#include "session.h"

#define COMPUTE_WHY_BYTES 512

struct computer;

struct computed {
    uint32_t slot;
    struct buffer node;              /* encoded; the taker frees it */
    char failure[COMPUTE_WHY_BYTES]; /* empty, or why there is no node ... */
    bool unfit;                      /* ... because the model is not here, or */
    bool aborted;                    /* ... because nobody wants it any more */
    uint64_t failed_block, compute_us;
};

/* models: the folder that shared objects are loaded from, borrowed, or NULL. NULL: `why` holds one line.
 * Signals must be blocked already. */
struct computer *computer_open(const char *models, char *why, size_t why_bytes);

/* Ends the thread if it stops within a moment. False: it is inside a long block, and the process has to
 * end with it; nothing was freed. */
bool computer_close(struct computer *computer);

struct digest computer_built_in(const struct computer *computer); /* digest of the built-in population */

/* Keep bytes for a place that is not being computed. False: out of memory. */
bool computer_load_sweep(struct computer *computer, uint32_t place, struct span bytes);
bool computer_load_population(struct computer *computer, uint32_t place, struct span bytes);

/* Starts a part; the one before must have been taken. */
void computer_start(struct computer *computer, uint32_t slot, uint32_t place, uint32_t level, uint64_t index);

/* Ends the running part, if any, within a run of the model; it is then taken as a failure. */
void computer_abort(struct computer *computer);

/* How long the block has taken that is being computed, and which one it is; 0: none is. */
uint64_t computer_block_ms(const struct computer *computer, uint64_t *block);

/* How long ago the block that is being computed was told to end; 0: it was not. */
uint64_t computer_abort_ms(const struct computer *computer);

/* Can be read when a part is through. */
int computer_fd(const struct computer *computer);

/* False: no part is through. */
bool computer_take(struct computer *computer, struct computed *computed);
