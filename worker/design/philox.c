#include "philox.h"

#include <Random123/philox.h>

#include "unit.h"

struct philox_bits philox_at(uint64_t seed, enum philox_use use, uint32_t dimension, uint64_t index)
{
    philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)(index >> 32), dimension, (uint32_t)use}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t words = philox4x32_R(10, counter, key);
    return (struct philox_bits){
        .low = words.v[0] | (uint64_t)words.v[1] << 32,
        .high = words.v[2] | (uint64_t)words.v[3] << 32,
    };
}

double philox_unit(uint64_t seed, uint32_t dimension, uint64_t index)
{
    return unit_from_bits(philox_at(seed, PHILOX_RANDOM_DESIGN, dimension, index).low);
}

/* The upper half of the product, from two products of 32 bits. */
uint64_t philox_below(uint64_t bits, uint64_t count)
{
    uint64_t low = (bits & UINT32_MAX) * count, high = (bits >> 32) * count;
    return (high + (low >> 32)) >> 32;
}

double philox_dummy(uint64_t seed, uint64_t index)
{
    return unit_from_bits(philox_at(seed, PHILOX_DUMMY, 0, index).low);
}
