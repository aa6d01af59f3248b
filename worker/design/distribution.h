/* Quantile functions, the same to the bit on every machine. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/parameter.h>

/* NULL when sound; otherwise a constant string: what is wrong and what is allowed. */
const char *distribution_fault(const struct distribution *distribution);

/* The smallest and largest value that can be drawn (infinite where there is no bound). */
void distribution_range(const struct distribution *distribution, double *low, double *high);

/* A prepared quantile function (tables for the costly ones). */
struct quantile;
struct quantile *quantile_new(const struct distribution *distribution); /* NULL: out of memory */
void quantile_free(struct quantile *quantile);

/* The value below which a share u of draws lies; 0 < u < 1. Within 1e-12 relative of the exact value. */
double quantile_at(const struct quantile *quantile, double u);

/* The standard normal quantile. */
double normal_quantile(double u);
