/* Where runs fail: a box in the parameters, from how the failing runs lie in each of them. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <goldthread/model.h>

#include "node.h"
#include "study.h"

/* Runs that fail at random seem to have a region in less than one sweep in a hundred. */
#define FAILURES_FALSE_ALARM 0.01

/* Of the failing runs, this share and more is in the box. */
#define FAILURES_SHARE 0.95

struct failure_box {
    uint64_t runs;    /* that failed */
    bool stands_out;  /* false: no region does, and the box is everything */
    double volume;    /* share of the parameters' distribution in the box; NaN: correlated parameters bound it */
    double share;     /* of the failing runs in the box, at least */
    uint32_t bounded; /* dimensions */
    double low[MODEL_PARAMETERS_MAX], high[MODEL_PARAMETERS_MAX]; /* [dimensions], shares; 0 and 1: not bounded */
};

/* The smallest box, in sixteenths of each parameter's distribution, that is sure to hold FAILURES_SHARE of the
 * failing runs. It bounds the dimensions in which they lie closer together than chance would have it: an interval
 * that holds shares f of F failing runs and w of all runs is that much narrower by chance with a probability below
 *
 *     exp(-F / m (f ln(f / w) + (1 - f) ln((1 - f) / (1 - w))))        (W. Hoeffding, J. Am. Stat. Assoc. 58, 1963)
 *
 * where up to m failing runs have one cause: the rows of a draw, which have parameters in common, or the runs at
 * one point of a design of few levels. The bound is for all intervals of all dimensions together. One at a time has no
 * region: its runs lie at the same few shares anyway. False: nothing failed. */
bool failures_find(const struct study *study, const struct node *root, struct failure_box *box);
