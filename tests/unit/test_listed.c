/* Designs of strata and of listed values. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "latin.h"
#include "support_design.h"

Test(listed, a_latin_hypercube_has_one_draw_in_each_stratum)
{
    static const uint64_t counts[] = {1, 2, 3, 7, 64, 100, 1000, 4097};
    static int found[3][4097];
    for (size_t row = 0; row < sizeof counts / sizeof counts[0]; row++) {
        struct sweep *sweep = unit_sweep(DESIGN_LATIN_HYPERCUBE, 5 + row, 3);
        sweep->draws = counts[row];
        struct design *design = sound_design(sweep);
        memset(found, 0, sizeof found);
        for (uint64_t first = 0; first < counts[row]; first += MODEL_LANES) {
            model_lanes values[3], shares[3];
            design_row(design, 0, first, values, shares);
            for (size_t lane = 0; lane < MODEL_LANES && first + lane < counts[row]; lane++)
                for (size_t at = 0; at < 3; at++) found[at][(size_t)(shares[at][lane] * (double)counts[row])]++;
        }
        for (size_t at = 0; at < 3; at++)
            for (size_t stratum = 0; stratum < counts[row]; stratum++)
                cr_assert_eq(found[at][stratum], 1, "%ju draws, dimension %zu, stratum %zu: %d", (uintmax_t)counts[row],
                             at, stratum, found[at][stratum]);
        design_free(design);
        free(sweep);
    }
}

/* Also where the last round of 32 draws each is not whole, and where groups have no draw at all. */
Test(listed, each_group_of_a_latin_hypercube_is_a_hypercube_of_its_own)
{
    enum { GROUPS = 4 };
    static const uint64_t counts[] = {1, 31, 33, 96, 100, 128, 1000, 4096};
    static int found[GROUPS][4096];
    for (size_t row = 0; row < sizeof counts / sizeof counts[0]; row++) {
        uint64_t strata[GROUPS] = {0}, sum = 0;
        struct latin *latin = latin_new(5, 2, counts[row], GROUPS);
        cr_assert_not_null(latin);
        memset(found, 0, sizeof found);
        for (uint64_t draw = 0; draw < counts[row]; draw++) {
            size_t group = draw / MODEL_LANES % GROUPS;
            strata[group] = latin_strata(latin, draw);
            found[group][(size_t)(latin_share(latin, 1, draw) * (double)strata[group])]++;
        }
        for (size_t group = 0; group < GROUPS; group++) {
            sum += strata[group];
            for (size_t stratum = 0; stratum < strata[group]; stratum++)
                cr_assert_eq(found[group][stratum], 1, "%ju draws, group %zu, stratum %zu: %d", (uintmax_t)counts[row],
                             group, stratum, found[group][stratum]);
        }
        cr_assert_eq(sum, counts[row]);
        latin_free(latin);
    }
}

Test(listed, groups_of_a_latin_hypercube_are_independent)
{
    enum { GROUPS = 2, DRAWS = 20000 };
    struct latin *latin = latin_new(9, 1, DRAWS, GROUPS);
    double sum = 0;
    cr_assert_not_null(latin);
    for (uint64_t draw = 0; draw < DRAWS; draw++) { /* of the two groups at the same point */
        if (draw / MODEL_LANES % GROUPS != 0 || draw + MODEL_LANES >= DRAWS) continue;
        sum += 12 * (latin_share(latin, 0, draw) - 0.5) * (latin_share(latin, 0, draw + MODEL_LANES) - 0.5) /
               (DRAWS / GROUPS);
    }
    cr_assert_lt(fabs(sum), 0.04, "%g", sum); /* four standard errors */
    latin_free(latin);
}

/* The share and its stratum agree where only a few bits are left for the place in it. */
Test(listed, shares_of_the_largest_latin_hypercube_stay_in_their_strata)
{
    static const uint64_t counts[] = {SWEEP_DRAWS_MAX, SWEEP_DRAWS_MAX - 1, SWEEP_DRAWS_MAX / 2 + 1, 1000003};
    for (size_t row = 0; row < 4; row++) {
        struct latin *latin = latin_new(3, 2, counts[row], 1);
        cr_assert_not_null(latin);
        for (uint64_t at = 0; at < 20000; at++) {
            uint64_t draw = at * (counts[row] / 20000), stratum = latin_stratum(latin, 1, draw);
            double share = latin_share(latin, 1, draw);
            cr_assert_lt(stratum, counts[row]);
            cr_assert_eq((uint64_t)floor(share * (double)counts[row]), stratum, "%ju of %ju", (uintmax_t)draw,
                         (uintmax_t)counts[row]);
            cr_assert(share > 0 && share < 1);
        }
        latin_free(latin);
    }
}

/* Over the seeds, draw 0 takes each stratum as often, and so does draw 1 given that of draw 0. */
Test(listed, strata_are_dealt_at_random)
{
    enum { DRAWS = 6, SEEDS = 12000 };
    int counts[DRAWS][DRAWS] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct latin *latin = latin_new(seed, 1, DRAWS, 1);
        counts[latin_stratum(latin, 0, 0)][latin_stratum(latin, 0, 1)]++;
        latin_free(latin);
    }
    for (size_t one = 0; one < DRAWS; one++)
        for (size_t other = 0; other < DRAWS; other++) {
            if (one == other) cr_assert_eq(counts[one][other], 0);
            else cr_assert(abs(counts[one][other] - 400) < 120, "%zu, %zu: %d", one, other, counts[one][other]);
        }
}

Test(listed, dimensions_of_a_latin_hypercube_are_independent)
{
    enum { DRAWS = 10000 };
    struct latin *latin = latin_new(9, 2, DRAWS, 1);
    double sum = 0;
    for (uint64_t draw = 0; draw < DRAWS; draw++)
        sum += 12 * (latin_share(latin, 0, draw) - 0.5) * (latin_share(latin, 1, draw) - 0.5) / DRAWS;
    cr_assert_lt(fabs(sum), 0.04, "%g", sum); /* four standard errors */
    latin_free(latin);
}

Test(listed, a_grid_is_every_combination_with_the_first_parameter_slowest)
{
    struct sweep *sweep = unit_sweep(DESIGN_GRID, 1, 3);
    cr_assert_eq(design_draw_count(sweep), 64);
    struct design *design = sound_design(sweep);
    for (uint64_t draw = 0; draw < 64; draw++) {
        double shares[3];
        row_shares(design, 0, draw, shares);
        cr_assert_eq(shares[0], ((double)(draw / 16) + 0.5) / 4);
        cr_assert_eq(shares[1], ((double)(draw / 4 % 4) + 0.5) / 4);
        cr_assert_eq(shares[2], ((double)(draw % 4) + 0.5) / 4);
    }
    design_free(design);
    free(sweep);
}

Test(listed, impossible_grids_are_refused)
{
    struct sweep *sweep = unit_sweep(DESIGN_GRID, 1, 20);
    sweep->design_levels = 4;
    sweep->draws = SWEEP_DRAWS_MAX;
    struct design *design = sound_design(sweep); /* 4^20 = 2^40 */
    design_free(design);
    sweep->design_levels = 5;
    refused_design(sweep, "a grid of 5 levels and 20 parameters has more than 2^40 draws");
    sweep->design_levels = 0;
    refused_design(sweep, "0 levels; numbers from 2 to 64 are allowed");
    sweep->design_levels = 65;
    refused_design(sweep, "65 levels");
    free(sweep);

    sweep = unit_sweep(DESIGN_GRID, 1, 2);
    sweep->draws = 17;
    refused_design(sweep, "this design has 16 draws; 17 are asked for");
    free(sweep);
}

Test(listed, one_at_a_time_moves_one_parameter_and_keeps_the_others)
{
    struct sweep *sweep = unit_sweep(DESIGN_ONE_AT_A_TIME, 1, 20);
    for (uint32_t at = 0; at < 20; at++) sweep->parameters[at].central = at;
    cr_assert_eq(design_draw_count(sweep), 41);
    for (int given = 0; given < 2; given++) {
        double low = given ? 0.1 : 0.05, high = given ? 0.8 : 0.95;
        struct design *design = sound_design(sweep);
        for (uint64_t draw = 0; draw < 64; draw++) {
            model_lanes values[20];
            design_row(design, 0, draw, values, NULL);
            for (uint64_t at = 0; at < 20; at++) {
                double expected = draw == 1 + 2 * at ? low : draw == 2 + 2 * at ? high : (double)at;
                cr_assert_eq(values[at][0], expected, "draw %ju, parameter %ju: %g", (uintmax_t)draw, (uintmax_t)at,
                             values[at][0]);
            }
        }
        design_free(design);
        sweep->quantile_count = 3;
        memcpy(sweep->quantiles, (double[]){0.1, 0.5, 0.8}, 3 * sizeof(double));
    }
    sweep->draws = 40;
    refused_design(sweep, "this design has 41 draws; 40 are asked for");
    sweep->draws = 41;
    sweep->parameters[7].central = NAN;
    refused_design(sweep, "p7 has no central value; one at a time needs one to keep it at");
    free(sweep);
}
