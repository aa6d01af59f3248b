/* Sobol' points with the direction numbers of Joe and Kuo, in Gray code order, and nested uniform (Owen)
 * scrambling by a seeded hash.
 *
 * Binary digits of a coordinate are held with the first digit after the point in bit 0. Carries of sums
 * and products only run towards higher bits, so in this order each digit that a hash gives depends on the
 * digits before it and on no other: just what a nested scramble is allowed to do. */
#pragma once

#include <stdint.h>

#define SOBOL_DIMENSIONS 256
#define SOBOL_DIGITS     64
#define SOBOL_DEGREE_MAX 11
#define SOBOL_KEYS       6

/* A primitive polynomial over GF(2), coefficient of x^k in bit k, and as many initial numbers as its degree. */
struct sobol_direction {
    uint16_t polynomial;
    uint16_t initial[SOBOL_DEGREE_MAX];
};

/* Dimensions 1, 2, ... counted from 0; dimension 0 (van der Corput) has none. */
extern const struct sobol_direction sobol_directions[SOBOL_DIMENSIONS - 1];

/* One dimension, ready to give coordinates. */
struct sobol_axis {
    uint64_t columns[SOBOL_DIGITS];
    uint64_t keys[SOBOL_KEYS];
};

/* dimension: below SOBOL_DIMENSIONS. Seed and group move the scramble only; each pair has one of its own. */
void sobol_axis_init(struct sobol_axis *axis, uint32_t dimension, uint64_t seed, uint32_t group);

/* Digits of point `index` before scrambling; point 0 is the origin. */
uint64_t sobol_digits(const struct sobol_axis *axis, uint64_t index);

/* Digits of point index + 1 from those of point index, below 2^64 - 1. */
uint64_t sobol_digits_after(const struct sobol_axis *axis, uint64_t digits, uint64_t index);

/* A nested uniform scramble of the axis' own. */
uint64_t sobol_scramble(const struct sobol_axis *axis, uint64_t digits);

/* The coordinate, rounded to the middle of its cell of width 2^-52; 0 < u < 1. */
double sobol_unit(uint64_t digits);
