/* Quantile functions, the same to the bit on every machine. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/parameter.h>

#include "normal.h"

/* NULL when sound; otherwise a constant string: what is wrong and what is allowed. pool: the sweep's, for EMPIRICAL
 * ones, [SWEEP_POOL_MAX]; NULL: there is none. */
const char *distribution_fault(const struct distribution *distribution, const double *pool);

/* The smallest and largest value that can be drawn (infinite where there is no bound). Nothing is drawn
 * from a FIXED one: its range is empty, from infinity to minus infinity. */
void distribution_range(const struct distribution *distribution, const double *pool, double *low, double *high);

/* What a derivative by a parameter is taken by. Where the density falls to 0, as at the ends of a triangular
 * distribution, the value changes ever faster with the share, and the mean square of that has no bound; normal scores,
 * normal_quantile(share), spread the ends out. NONE: the values come in steps, and there is no derivative. */
enum distribution_scale { SCALE_NONE, SCALE_SHARE, SCALE_SCORE };
enum distribution_scale distribution_scale(enum distribution_kind kind);

/* A prepared quantile function of a sound distribution (tables for the costly ones; a copy is kept, but the pool is
 * borrowed). NULL: out of memory. */
struct quantile;
struct quantile *quantile_new(const struct distribution *distribution, const double *pool);
void quantile_free(struct quantile *quantile);

/* The value below which a share u of draws lies; 0 < u < 1. Rising in u but for rounding, and never outside
 * the range. Within 1e-12 of the exact value, relative to it, or to the distribution's width (high - low, sd)
 * where low, mean or high cancels it. NaN for FIXED, which has no value of its own.
 * EMPIRICAL: of n values the k-th, counted from 0, for shares from k / n to (k + 1) / n. */
double quantile_at(const struct quantile *quantile, double u);
