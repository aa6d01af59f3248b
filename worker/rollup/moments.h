/* Range and sums of a few hundred values. A sum is made of MOMENTS_LANES interleaved sums, value number
 * i in sum number i modulo MOMENTS_LANES, which are then added in pairs: a fixed pattern, so that the last
 * bits are the same with vectors of any width. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MOMENTS_LANES 8u

struct range {
    double min, max; /* never a negative zero */
    bool finite;     /* all values are; otherwise min and max mean nothing */
};

/* count: at least 1 in all that follows. */
void moments_range(const double *values, size_t count, struct range *range);

/* The sum of values * scale. */
double moments_sum(const double *values, size_t count, double scale);

/* The sum of (value - mean)^2. */
double moments_squares(const double *values, size_t count, double mean);
