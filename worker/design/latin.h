/* Latin hypercubes (McKay, Beckman and Conover, Technometrics 21, 239-245 (1979)): of N draws, exactly one lies in each
 * N-th of every dimension. Which one is a keyed permutation of the draws, so that none needs the others.
 *
 * With several groups each group's draws are a hypercube of their own, independent of the others, since only whole
 * hypercubes show how sure their mean is (M. Stein, Technometrics 29, 143-151 (1987)). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct latin;

/* draws: 1 to 2^40; every share depends on it. groups: at least 1; which draw is of which says net.h. NULL: out of
 * memory. The caller ends it with latin_free(). */
struct latin *latin_new(uint64_t seed, size_t dimension_count, uint64_t draws, uint32_t groups);
void latin_free(struct latin *latin);

/* Draws of the group that a draw is of, and so its strata: at least 1. */
uint64_t latin_strata(const struct latin *latin, uint64_t draw);

/* The stratum of a draw in a dimension, 0 .. latin_strata() - 1; draws beyond the last of a group begin again. */
uint64_t latin_stratum(const struct latin *latin, size_t dimension, uint64_t draw);

/* A share inside the stratum, at random; 0 < share < 1. */
double latin_share(const struct latin *latin, size_t dimension, uint64_t draw);
