#include "moments.h"

#include <stdint.h>
#include <string.h>

#include <goldthread/kernel.h>

typedef double lanes __attribute__((vector_size(MOMENTS_LANES * sizeof(double))));
typedef int64_t lane_bits __attribute__((vector_size(MOMENTS_LANES * sizeof(double))));

/* The lanes from values[at] on; beyond the last value there is `padding`. */
KERNEL_INLINE void load(lanes *to, const double *values, size_t count, size_t at, double padding)
{
    if (at + MOMENTS_LANES <= count) {
        memcpy(to, values + at, sizeof *to);
        return;
    }
    double padded[MOMENTS_LANES];
    for (size_t lane = 0; lane < MOMENTS_LANES; lane++) padded[lane] = at + lane < count ? values[at + lane] : padding;
    memcpy(to, padded, sizeof *to);
}

KERNEL_INLINE double add_lanes(const lanes *sums)
{
    const lanes s = *sums;
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

/* to = chosen ? from : to */
KERNEL_INLINE void choose(lanes *to, const lanes *from, const lane_bits *chosen)
{
    *to = (lanes)(((lane_bits)*from & *chosen) | ((lane_bits)*to & ~*chosen));
}

KERNEL static void find_range(const double *values, size_t count, struct range *range)
{
    lanes low, high, poison = {0};
    load(&low, values, count, 0, values[0]);
    high = low;
    for (size_t at = 0; at < count; at += MOMENTS_LANES) {
        lanes value;
        load(&value, values, count, at, values[0]);
        lane_bits below = value<low, above = value> high;
        choose(&low, &value, &below);
        choose(&high, &value, &above);
        poison += value * 0.0; /* NaN once a value is not finite */
    }
    for (size_t lane = 1; lane < MOMENTS_LANES; lane++) {
        low[0] = low[lane] < low[0] ? low[lane] : low[0];
        high[0] = high[lane] > high[0] ? high[lane] : high[0];
    }
    range->min = low[0] + 0.0; /* a negative zero becomes zero */
    range->max = high[0] + 0.0;
    range->finite = add_lanes(&poison) == 0;
}

KERNEL static double add_scaled(const double *values, size_t count, double scale)
{
    lanes sums = {0};
    for (size_t at = 0; at < count; at += MOMENTS_LANES) {
        lanes value;
        load(&value, values, count, at, 0);
        sums += value * scale;
    }
    return add_lanes(&sums);
}

KERNEL static double add_squares(const double *values, size_t count, double mean)
{
    lanes sums = {0};
    for (size_t at = 0; at < count; at += MOMENTS_LANES) {
        lanes deviation;
        load(&deviation, values, count, at, mean);
        deviation -= mean;
        sums += deviation * deviation;
    }
    return add_lanes(&sums);
}

void moments_range(const double *values, size_t count, struct range *range)
{
    find_range(values, count, range);
}

double moments_sum(const double *values, size_t count, double scale)
{
    return add_scaled(values, count, scale);
}

double moments_squares(const double *values, size_t count, double mean)
{
    return add_squares(values, count, mean);
}
