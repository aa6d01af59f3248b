/* Buckets of a histogram over all finite doubles. A bucket holds the doubles that share sign, exponent
 * and the first BUCKET_MANTISSA_BITS bits of the mantissa. Subnormal numbers are given the exponent
 * that they would have if the format had room for it, so that a bucket is narrow relative to its values
 * everywhere. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUCKET_MANTISSA_BITS 8
#define BUCKET_ZERO          (1u << 20) /* the key of zero; smaller keys are negative values, larger positive */
#define BUCKET_MAGNITUDE_MAX (((2046u + 52u) << BUCKET_MANTISSA_BITS) + 255u)
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

/* The middle of a bucket: within a relative 2^-(BUCKET_MANTISSA_BITS + 1) of every value in it. */
double bucket_middle(uint32_t key);

static inline struct bucket bucket_of(uint64_t key, uint64_t count)
{
    return (struct bucket){.key = key & 0x1fffff, .count = count & BUCKET_COUNT_MAX};
}
