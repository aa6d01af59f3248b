#include "bucket.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include <goldthread/kernel.h>

#define MANTISSA_BITS 52
#define DROPPED_BITS  (MANTISSA_BITS - BUCKET_MANTISSA_BITS)
#define HIDDEN_BIT    (UINT64_C(1) << MANTISSA_BITS)
#define SIGN_BIT      (UINT64_C(1) << 63)
#define HALF          (UINT64_C(1) << (DROPPED_BITS - 1)) /* of what is dropped: added, it rounds */

/* Exponents by which the scale goes on below the smallest normal number. */
#define EXTRA_EXPONENTS 52u

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint32_t bucket_key(double value)
{
    uint64_t bits = bits_of(value), magnitude_bits = bits & ~SIGN_BIT;
    if (magnitude_bits == 0) return BUCKET_ZERO;

    uint32_t magnitude;
    if (magnitude_bits >= HIDDEN_BIT)
        magnitude = (uint32_t)((magnitude_bits + HALF) >> DROPPED_BITS) + (EXTRA_EXPONENTS << BUCKET_MANTISSA_BITS);
    else magnitude = (uint32_t)((bits_of(fabs(value) * 0x1p52) + HALF) >> DROPPED_BITS); /* exact: becomes normal */
    return bits & SIGN_BIT ? BUCKET_ZERO - magnitude : BUCKET_ZERO + magnitude;
}

/* Keys of normal numbers of one sign, which need no branch. flip: 0, or all bits for negative numbers. */
KERNEL static void keys_of_one_sign(const double *values, size_t count, uint32_t flip, uint32_t *keys)
{
    for (size_t at = 0; at < count; at++) {
        uint32_t high = (uint32_t)(bits_of(values[at]) >> 32) & 0x7fffffff;
        uint32_t magnitude =
            ((high + (uint32_t)(HALF >> 32)) >> (DROPPED_BITS - 32)) + (EXTRA_EXPONENTS << BUCKET_MANTISSA_BITS);
        keys[at] = BUCKET_ZERO + (magnitude ^ flip) - flip;
    }
}

void bucket_keys(const double *values, size_t count, double min, double max, uint32_t *keys)
{
    if (min >= DBL_MIN) keys_of_one_sign(values, count, 0, keys);
    else if (max <= -DBL_MIN) keys_of_one_sign(values, count, ~UINT32_C(0), keys);
    else
        for (size_t at = 0; at < count; at++) keys[at] = bucket_key(values[at]);
}

/* A subnormal number rounds to one that the format has, since it is a multiple of a larger power of two. */
static double subnormal_of(uint64_t exponent, uint64_t mantissa)
{
    return double_of((HIDDEN_BIT | mantissa) >> (EXTRA_EXPONENTS + 1 - exponent));
}

double bucket_value(uint32_t key)
{
    if (key == BUCKET_ZERO) return 0;
    uint64_t magnitude = key > BUCKET_ZERO ? key - BUCKET_ZERO : BUCKET_ZERO - key;
    uint64_t exponent = magnitude >> BUCKET_MANTISSA_BITS, bits = magnitude << DROPPED_BITS;

    double value;
    if (magnitude >= BUCKET_MAGNITUDE_MAX) value = DBL_MAX;
    else if (exponent > EXTRA_EXPONENTS) value = double_of(bits - ((uint64_t)EXTRA_EXPONENTS << MANTISSA_BITS));
    else value = subnormal_of(exponent, bits & (HIDDEN_BIT - 1));
    return key > BUCKET_ZERO ? value : -value;
}
