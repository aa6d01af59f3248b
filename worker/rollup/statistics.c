#include "node.h"

#include <float.h>
#include <math.h>

/* Squares may be too large for a double, or too small. */
double tally_sd(const struct tally *tally)
{
    if (tally->count < 2 || (tally->m2 < DBL_MIN && tally->min < tally->max)) return NAN;
    double sd = sqrt(tally->m2 / (double)(tally->count - 1));
    return isfinite(sd) ? sd : NAN;
}

double tally_mcse(const struct tally *tally)
{
    return tally_sd(tally) / sqrt((double)tally->count);
}

/* The rank, from 1 to count, of the value that a share asks for. */
static uint64_t rank_of(double share, uint64_t count)
{
    double rank = ceil(share * (double)count);
    if (!(rank > 1)) return 1;
    return rank < (double)count ? (uint64_t)rank : count;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

void tally_quantiles(const struct node *node, const struct tally *tally, const double *shares, size_t count,
                     double *quantiles)
{
    const struct bucket *bucket = tally->bucket_count ? node->buckets + tally->bucket_first : NULL;
    uint64_t below = 0; /* draws in the buckets before this one */
    for (size_t at = 0; at < count; at++) {
        uint64_t rank = rank_of(shares[at], tally->count);
        if (tally->count == 0) quantiles[at] = NAN;
        else if (rank == 1) quantiles[at] = tally->min;
        else if (rank == tally->count || !bucket) quantiles[at] = tally->max;
        else {
            for (; below + bucket->count < rank; bucket++) below += bucket->count;
            quantiles[at] = clamp(bucket_value(bucket->key), tally->min, tally->max);
        }
    }
}

double tally_quantile(const struct node *node, const struct tally *tally, double share)
{
    double quantile;
    tally_quantiles(node, tally, &share, 1, &quantile);
    return quantile;
}
