/* Latin hypercubes (McKay, Beckman and Conover, Technometrics 21, 239-245 (1979)): of N draws, exactly one lies in each
 * N-th of every dimension. Which one is a keyed permutation of the draws, so that none needs the others. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct latin;

/* draws: 1 to 2^40; every share depends on it. NULL: out of memory. The caller ends it with latin_free(). */
struct latin *latin_new(uint64_t seed, size_t dimension_count, uint64_t draws);
void latin_free(struct latin *latin);

/* The stratum of a draw in a dimension, 0 .. draws - 1; draws beyond the last begin again. */
uint64_t latin_stratum(const struct latin *latin, size_t dimension, uint64_t draw);

/* A share inside the stratum, at random; 0 < share < 1. */
double latin_share(const struct latin *latin, size_t dimension, uint64_t draw);
