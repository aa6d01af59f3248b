#include "latin.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "method.h"
#include "net.h"
#include "philox.h"

#define ROUNDS 6

struct stratum_keys {
    uint64_t factors[ROUNDS], terms[ROUNDS];
};

struct cube {
    uint64_t strata; /* as many as draws */
    int bits;        /* the least for which 2^bits is at least that */
};

struct latin {
    uint64_t seed;
    size_t dimension_count;
    uint32_t groups;
    struct cube *cubes;         /* [groups] */
    struct stratum_keys keys[]; /* [groups][dimension_count] */
};

/* How many of so many draws are of a group. */
static uint64_t count_draws(uint64_t draws, uint32_t groups, uint32_t group)
{
    uint64_t round = (uint64_t)groups * MODEL_LANES, before = (uint64_t)group * MODEL_LANES, rest = draws % round;
    uint64_t last = rest < before ? 0 : rest - before;
    return draws / round * MODEL_LANES + (last < MODEL_LANES ? last : MODEL_LANES);
}

/* A group that has no draws is asked for one beyond the last, which nobody looks at. */
static struct cube cube_of(uint64_t draws)
{
    struct cube cube = {.strata = draws ? draws : 1};
    while (UINT64_C(1) << cube.bits < cube.strata) cube.bits++;
    return cube;
}

static struct stratum_keys draw_keys(uint64_t seed, uint32_t dimension, uint32_t group)
{
    struct stratum_keys keys;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct philox_bits bits = philox_at(seed, PHILOX_STRATUM_KEYS, dimension, group * ROUNDS + round);
        keys.factors[round] = bits.low | 1;
        keys.terms[round] = bits.high;
    }
    return keys;
}

struct latin *latin_new(uint64_t seed, size_t dimension_count, uint64_t draws, uint32_t groups)
{
    assert(draws > 0 && draws <= SWEEP_DRAWS_MAX && groups > 0 && groups <= SWEEP_GROUPS_MAX);
    struct latin *latin = malloc(sizeof *latin + groups * dimension_count * sizeof latin->keys[0]);
    struct cube *cubes = malloc(groups * sizeof *cubes);
    if (!latin || !cubes) {
        free(latin);
        free(cubes);
        return NULL;
    }
    *latin = (struct latin){.seed = seed, .dimension_count = dimension_count, .groups = groups, .cubes = cubes};
    for (uint32_t group = 0; group < groups; group++) {
        cubes[group] = cube_of(count_draws(draws, groups, group));
        for (size_t at = 0; at < dimension_count; at++)
            latin->keys[group * dimension_count + at] = draw_keys(seed, (uint32_t)at, group);
    }
    return latin;
}

void latin_free(struct latin *latin)
{
    if (!latin) return;
    free(latin->cubes);
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

static const struct cube *cube_at(const struct latin *latin, uint64_t draw)
{
    return &latin->cubes[net_group(latin->groups, draw)];
}

uint64_t latin_strata(const struct latin *latin, uint64_t draw)
{
    return cube_at(latin, draw)->strata;
}

/* Numbers that are no stratum are permuted on until one is, which is a permutation of the strata; more than half of
 * all numbers are one. */
uint64_t latin_stratum(const struct latin *latin, size_t dimension, uint64_t draw)
{
    const struct cube *cube = cube_at(latin, draw);
    uint64_t stratum = net_point(latin->groups, draw) % cube->strata;
    if (cube->bits == 0) return 0;
    do
        stratum = permute(&latin->keys[net_group(latin->groups, draw) * latin->dimension_count + dimension], cube->bits,
                          stratum);
    while (stratum >= cube->strata);
    return stratum;
}

/* Stratum and place in it are exact in the 53 bits of a double with four to spare, so that the quotient cannot be
 * rounded into the stratum beside it. */
double latin_share(const struct latin *latin, size_t dimension, uint64_t draw)
{
    const struct cube *cube = cube_at(latin, draw);
    int bits = 48 - cube->bits;
    uint64_t random = philox_at(latin->seed, PHILOX_STRATUM_JITTER, (uint32_t)dimension, draw).low;
    double place = (double)(2 * (random >> (64 - bits)) + 1) / (double)(UINT64_C(1) << (bits + 1));
    return ((double)latin_stratum(latin, dimension, draw) + place) / (double)cube->strata;
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
