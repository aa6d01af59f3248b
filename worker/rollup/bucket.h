/* Buckets of a histogram over all finite doubles. A bucket holds the doubles that round to the same number
 * with BUCKET_MANTISSA_BITS bits of mantissa, ties away from zero. So short numbers, such as whole ones to
 * 512, stand for themselves. Subnormal numbers are given the exponent that they would have if the format
 * had room for it, so that a bucket is narrow relative to its values everywhere. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUCKET_MANTISSA_BITS 8
#define BUCKET_ZERO          (1u << 20) /* the key of zero; smaller keys are negative values, larger positive */
#define BUCKET_MAGNITUDE_MAX ((2047u + 52u) << BUCKET_MANTISSA_BITS)
#define BUCKET_KEY_MIN       (BUCKET_ZERO - BUCKET_MAGNITUDE_MAX)
#define BUCKET_KEY_MAX       (BUCKET_ZERO + BUCKET_MAGNITUDE_MAX)
#define BUCKET_COUNT_MAX     ((UINT64_C(1) << 43) - 1)

/* Eight bytes, since a node holds millions. */
struct bucket {
    uint64_t key : 21;   /* orders as the values do */
    uint64_t count : 43; /* above 0 */
};

/* The bucket of a finite value. */
uint32_t bucket_key(double value);

/* The buckets of `count` values between min and max. */
void bucket_keys(const double *values, size_t count, double min, double max, uint32_t *keys);

/* The number that a bucket's values round to: within a relative 2^-(BUCKET_MANTISSA_BITS + 1) of each. In
 * the outermost buckets, where that would be infinite, the largest finite number. */
double bucket_value(uint32_t key);

static inline struct bucket bucket_of(uint64_t key, uint64_t count)
{
    return (struct bucket){.key = key & 0x1fffff, .count = count & BUCKET_COUNT_MAX};
}
