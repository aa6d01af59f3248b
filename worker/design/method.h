/* What the methods of a design share, and their shares: each function is one method's rows. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>
#include <goldthread/sweep.h>

#include "correlation.h"
#include "distribution.h"
#include "latin.h"
#include "morris.h"
#include "net.h"

struct dimension {
    size_t parameter; /* index into the sweep's parameters */
    struct quantile *quantile;
};

struct design {
    const struct sweep *sweep;
    uint32_t groups; /* at least 1 */
    struct net *net; /* NULL where the method has none, so all of these */
    struct latin *latin;
    struct morris morris;
    struct copula *copula; /* NULL: all parameters are independent */
    size_t dimension_count;
    struct dimension dimensions[]; /* in the order of the parameters */
};

/* Shares of draws first .. first + MODEL_LANES - 1 in one row: shares[dimension_count]. NaN: the parameter's central
 * value instead. */
typedef void method_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares);

method_shares point_shares, random_shares, sobol_shares, saltelli_shares, derivative_shares, shapley_shares,
    morris_shares, latin_shares, grid_shares, one_at_a_time_shares;

/* Up to so many dimensions have their orders chosen by one more dimension of the net: 8! are 40,320. */
#define SHAPLEY_FEW 8u

/* The dimension in which each row of a draw differs from the one before: order[k - 1] for row k, by lanes. */
void shapley_order(const struct design *design, uint64_t first, uint16_t (*order)[MODEL_LANES]);

/* The step of a derivative: away from the nearer end, by this part of the way to it, so that it is small by the normal
 * score as well, whose ends a step of one size leaps over. */
#define DERIVATIVE_STEP      0x1p-14
#define DERIVATIVE_WAY_LEAST 0x1p-30 /* so that it does not vanish beside a share of almost 1 */
static inline double derivative_step(double share)
{
    double way = share < 0.5 ? share : 1 - share;
    double step = DERIVATIVE_STEP * (way > DERIVATIVE_WAY_LEAST ? way : DERIVATIVE_WAY_LEAST);
    return share + (share < 0.5 ? step : -step) - share; /* as it is made, after rounding */
}

/* The shares that one-at-a-time designs take for low and high: the sweep's outermost quantiles. */
void one_at_a_time_levels(const struct sweep *sweep, double *low, double *high);
