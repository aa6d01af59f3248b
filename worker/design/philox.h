/* Philox4x32-10: random bits as a pure function of a key and a counter, so that any draw can be made
 * anywhere without the draws before it. */
#pragma once

#include <stdint.h>

/* What a stream of counters is for: no two uses ever share a counter. */
enum philox_use {
    PHILOX_RANDOM_DESIGN,
    PHILOX_SOBOL_KEYS,
    PHILOX_MORRIS,
    PHILOX_SHAPLEY,
    PHILOX_STRATUM_KEYS,
    PHILOX_STRATUM_JITTER,
    PHILOX_DUMMY
};

struct philox_bits {
    uint64_t low, high;
};

/* 128 bits for one counter of a use; each seed has its own. */
struct philox_bits philox_at(uint64_t seed, enum philox_use use, uint32_t dimension, uint64_t index);

/* The share that draw `index` of a random design has in one dimension; 0 < u < 1. */
double philox_unit(uint64_t seed, uint32_t dimension, uint64_t index);

/* A number below `count` from 64 random bits; count: 1 to 2^32. Off from uniform by at most count / 2^64. */
uint64_t philox_below(uint64_t bits, uint64_t count);

/* The share of a parameter that no model sees, in draw `index`: what it seems to explain is chance; 0 < u < 1. */
double philox_dummy(uint64_t seed, uint64_t index);
