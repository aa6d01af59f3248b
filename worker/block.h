/* A block: draws of a sweep, run for all its scenarios, tallied into a node of level 0. Pure: the
 * same plan and block number give the same node on any machine. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node.h"
#include "plan.h"

struct block_runner;

/* Borrows the plan. NULL: out of memory or `why`. */
struct block_runner *block_runner_new(const struct plan *plan, char *why, size_t why_bytes);
void block_runner_free(struct block_runner *runner);

/* How often a whole block asks `stop`, below: at each run of the model and each area, so that how far a block that
 * was stopped had come can be told. */
uint64_t block_steps(const struct block_runner *runner);

/* Runs block `block` (below sweep_block_count). NULL: out of memory. The caller frees the node. */
struct node *block_run(struct block_runner *runner, uint64_t block);

/* Runs the blocks of node (level, index), one after another, and folds them on the way: about `level` nodes
 * are in memory at once. stop is asked before each run of the model, of up to MODEL_LANES draws of one scenario,
 * and each area that is tallied; `*failed` is then, and when memory runs out, the block that was not done. NULL:
 * stopped, or out of memory. The caller frees the node. */
struct node *block_run_tree(struct block_runner *runner, uint32_t level, uint64_t index, bool (*stop)(void *context),
                            void *context, uint64_t *failed);
