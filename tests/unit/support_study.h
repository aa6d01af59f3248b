/* Whole studies of the functions with exact answers (tests/model/functions), for tests of what is estimated. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "estimate.h"
#include "node.h"
#include "plan.h"

struct trial {
    struct plugin *plugin;
    struct population *population;
    struct sweep sweep; /* free to change until the trial is run */
    struct plan *plan;
    struct node *root;
    struct estimate_row *rows; /* [row_count]: those of confidence 0.95 */
    size_t row_count;
};

/* A study of `y` in England, one scenario, 16 groups, by the model of this file name. One trial at a time; it is
 * ended with close_trial(). */
struct trial *open_trial(const char *model, enum design_method method, uint64_t draws, uint64_t seed);
void close_trial(struct trial *trial);

/* Runs and folds all blocks, and estimates. Again: from the start, as after a change of the sweep. */
void run_trial(struct trial *trial);

/* The row; asserts that there is one, and only one. Dimensions: as in struct estimate_row. */
struct estimate_row row_of(const struct trial *trial, const char *index, int dimension, int second);

/* Expects the value within `bound` of `exact`. */
void expect_value(const struct trial *trial, const char *index, int dimension, double exact, double bound);
