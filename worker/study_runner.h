/* The study of a sweep, block by block: runs the rows of a draw beyond the first, and adds what they show to a
 * node's sums and counts. The figures of row 0 come from the block itself, which has run it anyway. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "design.h"
#include "node.h"
#include "plan.h"
#include "row.h"

struct study_runner;

/* Borrows plan and design, and runs the pilot. NULL: out of memory or `why`. A study without targets counts where
 * runs fail, and no more. */
struct study_runner *study_runner_new(const struct plan *plan, const struct design *design, char *why,
                                      size_t why_bytes);
void study_runner_free(struct study_runner *runner);

/* Takes the figures of one column and area in row 0 of a block: store[kept * stride + draw], for `draws` draws. */
void study_runner_take(struct study_runner *runner, size_t column, size_t area, const double *store, size_t stride,
                       size_t draws);

/* Adds the block whose first draw is `first` to the node, once row 0 of all targets has been taken.
 * failed: [node->draws], draws whose row 0 failed. stopper: asked before each run of the model; false: it
 * said so, and the node is not to be used. */
bool study_runner_add(struct study_runner *runner, uint64_t first, const bool *failed, struct node *node,
                      const struct stopper *stopper);
