/* Sweeps and designs for tests of them. */
#pragma once

#include <stdint.h>

#include "design.h"

/* A sweep of `dimensions` parameters, uniform from 0 to 1 with 0.5 as central value, named p0, p1 ...: every value is
 * its share. 4,096 draws. The caller frees it. */
struct sweep *unit_sweep(enum design_method method, uint64_t seed, uint32_t dimensions);

/* Asserts that the design is possible. The caller ends it with design_free(). */
struct design *sound_design(const struct sweep *sweep);

/* Asserts that it is not, and that the reason holds the words. */
void refused_design(const struct sweep *sweep, const char *words);

/* One row of one draw, in lane 0 of a batch that begins with it: shares[dimensions]. */
void row_shares(const struct design *design, uint32_t row, uint64_t draw, double *shares);
