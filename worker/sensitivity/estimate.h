/* Estimates: what the sums and counts of a finished study say. Pure, and the same bits on any machine.
 * docs/sensitivity.md has the formula and the source of each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node.h"
#include "study.h"

/* One estimate. value: NaN where it is undefined, such as a share of a variance that is 0. low, high: its
 * interval, NaN where there is none.
 *
 *   index       for each        methods
 *   mean        target          all but Morris and one at a time
 *   s1          dimension       Saltelli, Shapley, and the dummy: first order, Var(E[Y | X_i]) / V
 *   st          dimension       Saltelli, Shapley: total, E[Var(Y | all but X_i)] / V
 *   s2          pair            Saltelli with second order: V_ij / V
 *   shapley     dimension       Shapley
 *   mu, mu_star, sigma          dimension; Morris: of elementary effects per unit of share
 *   dgsm        dimension       derivative: mean square of dY / d share of a uniform parameter, of dY / d normal score
 *                             of others; undefined where values come in steps
 *   dgsm_bound  dimension       derivative: which st does not exceed
 *   central     target          one at a time: the value with all parameters central
 *   low, high, swing            dimension; one at a time: the values at its ends, and their difference
 *   delta, pawn                 dimension and the dummy; with STUDY_DELTA */
struct estimate_row {
    size_t target;
    const char *index;     /* constant */
    int dimension, second; /* -1: none; study->dimensions: the dummy, a parameter that the model never sees */
    double value, low, high;
    uint64_t n; /* draws, pairs of runs or effects that the value rests on: those that did not fail */
};

/* Calls emit for each estimate of the study, by target, then index, then dimension. confidence: inside (0, 1).
 * False: emit answered false, or out of memory. */
bool estimate_rows(const struct study *study, const struct node *root, double confidence,
                   bool (*emit)(void *context, const struct estimate_row *row), void *context);
