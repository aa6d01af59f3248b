#include "latin.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "method.h"
#include "philox.h"

#define ROUNDS 6

struct stratum_keys {
    uint64_t factors[ROUNDS], terms[ROUNDS];
};

struct latin {
    uint64_t seed, draws;
    int bits; /* the least for which 2^bits is at least draws */
    struct stratum_keys keys[];
};

struct latin *latin_new(uint64_t seed, size_t dimension_count, uint64_t draws)
{
    assert(draws > 0 && draws <= SWEEP_DRAWS_MAX);
    struct latin *latin = malloc(sizeof *latin + dimension_count * sizeof latin->keys[0]);
    if (!latin) return NULL;
    *latin = (struct latin){.seed = seed, .draws = draws};
    while (UINT64_C(1) << latin->bits < draws) latin->bits++;
    for (size_t at = 0; at < dimension_count; at++)
        for (uint64_t round = 0; round < ROUNDS; round++) {
            struct philox_bits bits = philox_at(seed, PHILOX_STRATUM_KEYS, (uint32_t)at, round);
            latin->keys[at].factors[round] = bits.low | 1;
            latin->keys[at].terms[round] = bits.high;
        }
    return latin;
}

void latin_free(struct latin *latin)
{
    free(latin);
}

/* A permutation of the numbers of so many bits: each step can be undone. Products carry upwards, shifts bring what
 * came of it down again. */
static uint64_t permute(const struct stratum_keys *keys, int bits, uint64_t number)
{
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    int down = (bits + 1) / 2;
    for (int round = 0; round < ROUNDS; round++) {
        number = (number * keys->factors[round] + keys->terms[round]) & mask;
        number ^= number >> down;
    }
    return number;
}

/* Numbers that are no stratum are permuted on until one is, which is a permutation of the strata; more than half of
 * all numbers are one. */
uint64_t latin_stratum(const struct latin *latin, size_t dimension, uint64_t draw)
{
    uint64_t stratum = draw % latin->draws;
    if (latin->bits == 0) return 0;
    do stratum = permute(&latin->keys[dimension], latin->bits, stratum);
    while (stratum >= latin->draws);
    return stratum;
}

/* Stratum and place in it are exact in the 53 bits of a double with four to spare, so that the quotient cannot be
 * rounded into the stratum beside it. */
double latin_share(const struct latin *latin, size_t dimension, uint64_t draw)
{
    int bits = 48 - latin->bits;
    uint64_t random = philox_at(latin->seed, PHILOX_STRATUM_JITTER, (uint32_t)dimension, draw % latin->draws).low;
    double place = (double)(2 * (random >> (64 - bits)) + 1) / (double)(UINT64_C(1) << (bits + 1));
    return ((double)latin_stratum(latin, dimension, draw) + place) / (double)latin->draws;
}

void latin_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    assert(row == 0);
    (void)row;
    for (size_t at = 0; at < design->dimension_count; at++)
        for (uint64_t lane = 0; lane < MODEL_LANES; lane++)
            shares[at][lane] = latin_share(design->latin, at, first + lane);
    if (design->copula) copula_join(design->copula, shares);
}
