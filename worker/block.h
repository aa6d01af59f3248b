/* A block: draws of a sweep, run for all its scenarios, tallied into a node of level 0. Pure: the
 * same plan and block number give the same node on any machine. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node.h"
#include "plan.h"

struct block_runner;

/* Borrows the plan. NULL: out of memory or `why`. */
struct block_runner *block_runner_new(const struct plan *plan, char *why, size_t why_bytes);
void block_runner_free(struct block_runner *runner);

/* Runs block `block` (below sweep_block_count). NULL: out of memory. The caller frees the node. */
struct node *block_run(struct block_runner *runner, uint64_t block);
