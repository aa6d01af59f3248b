#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "design.h"
#include "distribution.h"

/* Six parameters, four of them uncertain: every block of values below has their order. */
enum { PARAMETERS = 6 };

static struct sweep *sweep_with(enum design_method method, uint64_t seed)
{
    static const struct sweep_parameter parameters[PARAMETERS] = {
        {"effect.attainment_sd", 0.05, {.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 0.05, .high = 0.12}},
        {"effect.hours", 35, {.kind = DISTRIBUTION_FIXED}},
        {"effect.implementation", 0.5, {.kind = DISTRIBUTION_BETA, .low = 0.2, .mode = 0.5, .high = 1}},
        {"frontier.unset", NAN, {.kind = DISTRIBUTION_FIXED}},
        {"value.grade_gbp", 8500, {.kind = DISTRIBUTION_LOGNORMAL, .median = 8500, .sigma = 0.3}},
        {"cost.fee_gbp", 400, {.kind = DISTRIBUTION_UNIFORM, .low = 300, .high = 500}},
    };
    struct sweep *sweep = calloc(1, sizeof *sweep);
    cr_assert_not_null(sweep);
    sweep->method = method;
    sweep->seed = seed;
    sweep->draws = method == DESIGN_POINT ? 1 : 4096;
    sweep->draws_per_block = 64;
    sweep->parameter_count = PARAMETERS;
    memcpy(sweep->parameters, parameters, sizeof parameters);
    return sweep;
}

static struct design *design_of(const struct sweep *sweep)
{
    char why[128] = "";
    struct design *design = design_new(sweep, why, sizeof why);
    cr_assert_not_null(design, "%s", why);
    return design;
}

static void draw(const struct sweep *sweep, uint64_t first, model_lanes *values)
{
    struct design *design = design_of(sweep);
    design_row(design, 0, first, values, NULL);
    design_free(design);
}

static const enum design_method drawn_methods[] = {DESIGN_RANDOM, DESIGN_SOBOL};

Test(design, a_point_is_every_central_value_in_every_lane)
{
    struct sweep *sweep = sweep_with(DESIGN_POINT, 1);
    struct design *design = design_of(sweep);
    model_lanes values[PARAMETERS];
    design_row(design, 0, 0, values, NULL);
    cr_assert_eq(design_dimensions(design), 0);
    for (size_t at = 0; at < PARAMETERS; at++)
        for (size_t lane = 0; lane < MODEL_LANES; lane++) {
            double central = sweep->parameters[at].central, value = values[at][lane];
            cr_assert(value == central || (isnan(value) && isnan(central)), "parameter %zu, lane %zu", at, lane);
        }
    design_free(design);
    free(sweep);
}

Test(design, fixed_parameters_keep_their_central_value_and_uncertain_ones_vary)
{
    for (size_t row = 0; row < 2; row++) {
        struct sweep *sweep = sweep_with(drawn_methods[row], 1);
        struct design *design = design_of(sweep);
        model_lanes values[PARAMETERS];
        cr_assert_eq(design_dimensions(design), 4);
        design_row(design, 0, 64, values, NULL);
        for (size_t at = 0; at < PARAMETERS; at++) {
            const struct distribution *distribution = &sweep->parameters[at].distribution;
            double low, high;
            distribution_range(distribution, NULL, &low, &high);
            for (size_t lane = 0; lane < MODEL_LANES; lane++) {
                double value = values[at][lane], central = sweep->parameters[at].central;
                if (distribution->kind == DISTRIBUTION_FIXED)
                    cr_assert(value == central || (isnan(value) && isnan(central)), "parameter %zu", at);
                else cr_assert(value >= low && value <= high, "parameter %zu: %g", at, value);
                if (lane > 0 && distribution->kind != DISTRIBUTION_FIXED)
                    cr_assert_neq(value, values[at][lane - 1], "parameter %zu, lane %zu", at, lane);
            }
        }
        design_free(design);
        free(sweep);
    }
}

/* The same draw from any batch, in any order, from any design of the same sweep. */
Test(design, a_draw_depends_on_its_index_and_not_on_its_batch)
{
    static const uint64_t firsts[] = {0, 1, 17, 32, 1000, (UINT64_C(1) << 32) - 9, SWEEP_DRAWS_MAX - 1};
    for (size_t row = 0; row < 2; row++) {
        struct sweep *sweep = sweep_with(drawn_methods[row], 99);
        for (size_t at = 0; at < sizeof firsts / sizeof firsts[0]; at++) {
            model_lanes whole[PARAMETERS], shifted[PARAMETERS];
            draw(sweep, firsts[at], whole);
            for (uint64_t shift = 1; shift < MODEL_LANES; shift += 6) {
                if (firsts[at] + shift >= SWEEP_DRAWS_MAX) break;
                draw(sweep, firsts[at] + shift, shifted);
                for (size_t parameter = 0; parameter < PARAMETERS; parameter++)
                    cr_assert_eq(memcmp(&whole[parameter][shift], &shifted[parameter][0],
                                        (MODEL_LANES - shift) * sizeof(double)),
                                 0, "method %zu, first %ju, shift %ju, parameter %zu", row, (uintmax_t)firsts[at],
                                 (uintmax_t)shift, parameter);
            }
        }
        free(sweep);
    }
}

Test(design, draws_do_not_depend_on_how_many_there_are)
{
    for (size_t row = 0; row < 2; row++) {
        struct sweep *sweep = sweep_with(drawn_methods[row], 99);
        model_lanes few[PARAMETERS], many[PARAMETERS];
        sweep->draws = 1;
        draw(sweep, 0, few);
        sweep->draws = SWEEP_DRAWS_MAX;
        draw(sweep, 0, many);
        cr_assert_eq(memcmp(few, many, sizeof few), 0, "method %zu", row);
        free(sweep);
    }
}

/* A parameter's draws stay when one after it in the table becomes certain, or its own distribution changes. */
Test(design, a_dimension_does_not_depend_on_those_after_it)
{
    for (size_t row = 0; row < 2; row++) {
        struct sweep *sweep = sweep_with(drawn_methods[row], 99);
        model_lanes before[PARAMETERS], after[PARAMETERS];
        draw(sweep, 128, before);
        sweep->parameters[4].distribution.kind = DISTRIBUTION_FIXED;
        draw(sweep, 128, after);
        cr_assert_eq(memcmp(before[0], after[0], sizeof before[0]), 0);
        cr_assert_eq(memcmp(before[2], after[2], sizeof before[2]), 0);
        cr_assert_eq(after[4][5], 8500);
        cr_assert_neq(memcmp(before[5], after[5], sizeof before[5]), 0, "the dimension moved up by one");
        free(sweep);
    }
}

Test(design, each_seed_has_its_own_draws)
{
    static const uint64_t seeds[] = {2, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t row = 0; row < 2; row++) {
        struct sweep *sweep = sweep_with(drawn_methods[row], 1);
        model_lanes base[PARAMETERS], other[PARAMETERS];
        draw(sweep, 0, base);
        for (size_t at = 0; at < 3; at++) {
            sweep->seed = seeds[at];
            draw(sweep, 0, other);
            for (size_t lane = 0; lane < MODEL_LANES; lane++)
                cr_assert_neq(base[0][lane], other[0][lane], "method %zu, seed %ju, lane %zu", row,
                              (uintmax_t)seeds[at], lane);
        }
        free(sweep);
    }
}

/* 2^n Sobol' draws take one value from each of 2^n equal shares of every distribution. */
Test(design, sobol_draws_are_stratified_in_every_parameter)
{
    enum { DRAWS = 256 };
    struct sweep *sweep = sweep_with(DESIGN_SOBOL, 2025);
    struct design *design = design_of(sweep);
    static double drawn[PARAMETERS][DRAWS];
    for (uint64_t first = 0; first < DRAWS; first += MODEL_LANES) {
        model_lanes values[PARAMETERS];
        design_row(design, 0, 512 + first, values, NULL);
        for (size_t at = 0; at < PARAMETERS; at++) memcpy(&drawn[at][first], values[at], sizeof values[at]);
    }
    for (size_t at = 0; at < PARAMETERS; at++) {
        if (sweep->parameters[at].distribution.kind == DISTRIBUTION_FIXED) continue;
        struct quantile *quantile = quantile_new(&sweep->parameters[at].distribution, NULL);
        for (int stratum = 0; stratum < DRAWS; stratum++) {
            double low = stratum ? quantile_at(quantile, stratum / (double)DRAWS) : -INFINITY;
            double high = stratum < DRAWS - 1 ? quantile_at(quantile, (stratum + 1) / (double)DRAWS) : INFINITY;
            int count = 0;
            for (int draw_at = 0; draw_at < DRAWS; draw_at++)
                count += drawn[at][draw_at] > low && drawn[at][draw_at] <= high;
            cr_assert_eq(count, 1, "parameter %zu, stratum %d: %d draws", at, stratum, count);
        }
        quantile_free(quantile);
    }
    design_free(design);
    free(sweep);
}

Test(design, as_many_uncertain_parameters_as_a_sweep_can_hold_are_drawn)
{
    struct sweep *sweep = sweep_with(DESIGN_SOBOL, 3);
    sweep->parameter_count = MODEL_PARAMETERS_MAX;
    for (size_t at = 0; at < MODEL_PARAMETERS_MAX; at++)
        sweep->parameters[at].distribution =
            (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = (double)at, .high = (double)at + 1};
    struct design *design = design_of(sweep);
    model_lanes *values = calloc(MODEL_PARAMETERS_MAX, sizeof *values);
    design_row(design, 0, 0, values, NULL);
    cr_assert_eq(design_dimensions(design), MODEL_PARAMETERS_MAX);
    for (size_t at = 0; at < MODEL_PARAMETERS_MAX; at++)
        cr_assert_eq(floor(values[at][7]), (double)at, "parameter %zu: %g", at, values[at][7]);
    free(values);
    design_free(design);
    free(sweep);
}

Test(design, an_impossible_design_is_refused_by_name)
{
    char why[128];
    struct sweep *sweep = sweep_with(DESIGN_SOBOL, 1);
    sweep->parameters[4].distribution.sigma = -1;
    cr_assert_null(design_new(sweep, why, sizeof why));
    cr_assert_eq(strncmp(why, "value.grade_gbp: sigma is not above 0", 37), 0, "%s", why);
    free(sweep);

    sweep = sweep_with(DESIGN_METHOD_COUNT, 1);
    cr_assert_null(design_new(sweep, why, sizeof why));
    cr_assert_not_null(strstr(why, "unknown design method 10"), "%s", why);
    free(sweep);

    sweep = sweep_with(DESIGN_RANDOM, 1);
    sweep->parameter_count = MODEL_PARAMETERS_MAX + 1;
    cr_assert_null(design_new(sweep, why, sizeof why));
    cr_assert_not_null(strstr(why, "257 parameters"), "%s", why);
    free(sweep);
}

/* The same bits on every machine, compiler and CPU: a difference here is a difference in results. */
Test(design, draws_have_the_golden_bits)
{
    static const struct {
        enum design_method method;
        uint64_t draw;
        double values[4]; /* of parameters 0, 2, 4, 5 */
    } golden[] = {
        {DESIGN_RANDOM,
         UINT64_C(0),
         {0x1.aa8eed4c21d3ep-4, 0x1.2e3c0167c8794p-2, 0x1.e87b59e7bb41cp+12, 0x1.80937ce19c992p+8}},
        {DESIGN_RANDOM,
         UINT64_C(1),
         {0x1.b6d3c14898fbap-5, 0x1.22da57c62aa6cp-1, 0x1.fe667f5562e4bp+12, 0x1.90f91a8cd119ap+8}},
        {DESIGN_RANDOM,
         UINT64_C(12345),
         {0x1.032aac0765f22p-4, 0x1.5a7b9af70f59cp-1, 0x1.501814bf997e4p+12, 0x1.d6c39b1ffefb1p+8}},
        {DESIGN_RANDOM,
         UINT64_C(1099511627775),
         {0x1.1d644095926bbp-5, 0x1.c3dfdcdc56a04p-2, 0x1.7987c932f069ap+13, 0x1.d64f83413ffa4p+8}},
        {DESIGN_SOBOL,
         UINT64_C(0),
         {0x1.bbaf24e69568ep-4, 0x1.b7e16927a2e58p-2, 0x1.78262a522ef96p+12, 0x1.5dcee5602adf7p+8}},
        {DESIGN_SOBOL,
         UINT64_C(1),
         {0x1.76ab676e9997cp-5, 0x1.1c60ede1fec5cp-1, 0x1.ab02cb752abaep+13, 0x1.c4902e1e34ceap+8}},
        {DESIGN_SOBOL,
         UINT64_C(12345),
         {0x1.b6d79ae5081ep-5, 0x1.4f14d790f0ffap-1, 0x1.8b6d599f3467fp+12, 0x1.c5bc0a894159dp+8}},
        {DESIGN_SOBOL,
         UINT64_C(1099511627775),
         {0x1.bbaf24e68c08p-4, 0x1.aadad30bad54p-1, 0x1.93effbebe07eep+13, 0x1.b96d5b6478aecp+8}},

    };
    static const size_t uncertain[] = {0, 2, 4, 5};
    for (size_t row = 0; row < sizeof golden / sizeof golden[0]; row++) {
        struct sweep *sweep = sweep_with(golden[row].method, 2025);
        model_lanes values[PARAMETERS];
        draw(sweep, golden[row].draw, values);
        for (size_t at = 0; at < 4; at++)
            cr_assert_eq(values[uncertain[at]][0], golden[row].values[at], "row %zu, parameter %zu: %a", row,
                         uncertain[at], values[uncertain[at]][0]);
        free(sweep);
    }
}
