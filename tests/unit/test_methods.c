#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "distribution.h"
#include "method.h"
#include "morris.h"
#include "net.h"
#include "philox.h"
#include "shuffle.h"
#include "support_design.h"

static const char *const names[DESIGN_METHOD_COUNT] = {"point",      "random",          "sobol",  "one at a time",
                                                       "grid",       "latin hypercube", "morris", "saltelli",
                                                       "derivative", "shapley"};

#define KINDS (DISTRIBUTION_KIND_COUNT - 1) /* of distributions that are no fixed value */

static void correlate(struct sweep *sweep, uint32_t left, uint32_t right, double rank)
{
    sweep->correlations[sweep->correlation_count++] = (struct sweep_correlation){left, right, rank};
}

/* Five dimensions in four groups, two of them correlated where that is allowed. */
static struct sweep *busy_sweep(enum design_method method)
{
    struct sweep *sweep = unit_sweep(method, 7, 5);
    sweep->groups = 4;
    if (method == DESIGN_RANDOM || method == DESIGN_SOBOL || method == DESIGN_LATIN_HYPERCUBE ||
        method == DESIGN_SHAPLEY)
        correlate(sweep, 1, 3, 0.6);
    return sweep;
}

/* One dimension of each kind of distribution. */
static struct sweep *varied_sweep(enum design_method method)
{
    static const struct distribution kinds[] = {
        {.kind = DISTRIBUTION_UNIFORM, .low = -1, .high = 3},
        {.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 0.05, .high = 0.12},
        {.kind = DISTRIBUTION_NORMAL, .mean = 2, .sd = 0.5},
        {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0, .sd = 1, .low = -0.5, .high = 2},
        {.kind = DISTRIBUTION_LOGNORMAL, .median = 3, .sigma = 0.4},
        {.kind = DISTRIBUTION_BETA, .low = 0.2, .mode = 0.5, .high = 1},
        {.kind = DISTRIBUTION_DISCRETE, .point_count = 3, .values = {1, 2, 5}, .weights = {1, 2, 1}},
        {.kind = DISTRIBUTION_LOG_UNIFORM, .low = 0.01, .high = 10},
        {.kind = DISTRIBUTION_PERT, .low = 0, .mode = 0.3, .high = 1, .weights = {2}},
        {.kind = DISTRIBUTION_EMPIRICAL, .point_count = 5},
    };
    static const double sample[] = {-2, 0, 0.5, 0.75, 9};
    _Static_assert(sizeof kinds / sizeof *kinds == KINDS, "each but a fixed value");
    struct sweep *sweep = unit_sweep(method, 2025, KINDS);
    for (size_t at = 0; at < KINDS; at++) sweep->parameters[at].distribution = kinds[at];
    memcpy(sweep->pool, sample, sizeof sample);
    sweep->pool_count = 5;
    sweep->groups = 4;
    sweep->quantile_count = 2;
    sweep->quantiles[0] = 0.05;
    sweep->quantiles[1] = 0.95;
    if (method == DESIGN_GRID) sweep->design_levels = 2;
    if (method == DESIGN_MORRIS) sweep->design_levels = 4;
    sweep->draws = design_draw_count(sweep) ? design_draw_count(sweep) : 4096;
    return sweep;
}

static void digest_lanes(struct digest_state *state, const model_lanes *lanes, size_t count)
{
    digest_add(state, (struct span){(const uint8_t *)lanes, count * sizeof *lanes});
}

/* Every row of the first draws, with what the estimators are told of them. */
static void digest_draws(const struct sweep *sweep, char hex[DIGEST_HEX_BYTES])
{
    struct design *design = sound_design(sweep);
    const size_t dimensions = design_dimensions(design);
    struct digest_state state;
    digest_start(&state);
    for (uint64_t first = 0; first < sweep->draws && first < 1024; first += MODEL_LANES) {
        model_lanes values[KINDS], steps[KINDS];
        uint16_t order[KINDS][MODEL_LANES];
        for (uint32_t row = 0; row < sweep_rows(sweep); row++) {
            design_row(design, row, first, values, NULL);
            digest_lanes(&state, values, sweep->parameter_count);
        }
        if (sweep->method == DESIGN_MORRIS || sweep->method == DESIGN_DERIVATIVE) {
            design_steps(design, first, steps);
            digest_lanes(&state, steps, dimensions);
        }
        if (sweep->method != DESIGN_MORRIS && sweep->method != DESIGN_SHAPLEY) continue;
        design_order(design, first, order);
        digest_add(&state, (struct span){(const uint8_t *)order, dimensions * sizeof *order});
    }
    const struct digest digest = digest_end(&state);
    digest_to_hex(&digest, hex);
    design_free(design);
}

/* A sweep's identity stands for its bits, on whatever worker and in whatever store of whatever age. Who changes a draw
 * here changes what stored blocks mean: that needs another SWEEP_ENCODING_LATEST (sweep_codec.h). */
Test(methods, the_draws_of_an_encoding_are_these_for_ever)
{
    static const char *const digests[DESIGN_METHOD_COUNT] = {
        [DESIGN_RANDOM] = "f32c91254d7ad97544551e70a43a1a1d242d07df3df5f72754fee4c763e3aa68",
        [DESIGN_SOBOL] = "b1f78d0873b9148a31b0fd06083bcef8c896d90b58f570ac9fb7745d681fe75d",
        [DESIGN_ONE_AT_A_TIME] = "f7cf223cdd91cc5cef51ac08f6111187b2ed771ae06427965630dd902d4c686c",
        [DESIGN_GRID] = "9b649c0acdc075444f7bc32eee9b4e3e7427c7a86f63cfee5d8ebd06c36d0a46",
        [DESIGN_LATIN_HYPERCUBE] = "32b41277f4c3698b5952bff569517a5d6f0bb12e421b0a29cfa302724a78697b",
        [DESIGN_MORRIS] = "245037ec2b08fb18f37fab5ee72b525dffc2b57af916a9b1aeeef3eccc536cde",
        [DESIGN_SALTELLI] = "6bcb7c6f40d1b1fe1cdfa252a1d7702e7ec985fb0916583e2e8966dca969e235",
        [DESIGN_DERIVATIVE] = "a346106d1f66c9f29a8ee65b4c1c7ac2d59c17accfcc6cb4adfc2f49a7fa2a86",
        [DESIGN_SHAPLEY] = "49e667b08e2d17e39f0b53822aeb6c76c59185d3a9bf2b3099ee7e9bc101a416",
    };
    for (enum design_method method = DESIGN_RANDOM; method < DESIGN_METHOD_COUNT; method++) {
        struct sweep *sweep = varied_sweep(method);
        char hex[DIGEST_HEX_BYTES];
        digest_draws(sweep, hex);
        cr_expect_str_eq(hex, digests[method], "%s: %s", names[method], hex);
        free(sweep);
    }
}

/* Values, shares, orders and steps of a draw are the same from any batch, so from any block in any order. */
Test(methods, a_draw_depends_on_its_index_and_not_on_its_batch)
{
    static const uint64_t firsts[] = {0, 32, 128, 992, 1024};
    for (enum design_method method = DESIGN_RANDOM; method < DESIGN_METHOD_COUNT; method++) {
        struct sweep *sweep = busy_sweep(method);
        struct design *design = sound_design(sweep), *again = sound_design(sweep);
        for (uint32_t row = 0; row < sweep_rows(sweep); row++)
            for (size_t at = 0; at < 5; at++) {
                model_lanes whole[5], part[5], whole_shares[5], part_shares[5];
                design_row(design, row, firsts[at], whole, whole_shares);
                for (uint64_t shift = 1; shift < MODEL_LANES; shift += 5) {
                    design_row(again, row, firsts[at] + shift, part, part_shares);
                    for (size_t parameter = 0; parameter < 5; parameter++) {
                        size_t bytes = (MODEL_LANES - shift) * sizeof(double);
                        cr_assert_eq(memcmp(&whole[parameter][shift], part[parameter], bytes), 0, "%s, row %u, %ju",
                                     names[method], (unsigned)row, (uintmax_t)firsts[at]);
                        cr_assert_eq(memcmp(&whole_shares[parameter][shift], part_shares[parameter], bytes), 0, "%s",
                                     names[method]);
                    }
                }
            }
        uint16_t order[5][MODEL_LANES], later[5][MODEL_LANES];
        design_order(design, 96, order);
        design_order(again, 100, later);
        for (size_t at = 0; at < 5; at++)
            cr_assert_eq(memcmp(&order[at][4], later[at], 28 * sizeof(uint16_t)), 0, "%s", names[method]);
        design_free(design);
        design_free(again);
        free(sweep);
    }
}

/* Those that can be extended: not a Latin hypercube, a grid or a Morris design. */
Test(methods, the_first_draws_of_a_longer_design_are_those_of_a_shorter_one)
{
    static const enum design_method methods[] = {DESIGN_RANDOM, DESIGN_SOBOL, DESIGN_SALTELLI, DESIGN_DERIVATIVE,
                                                 DESIGN_SHAPLEY};
    for (size_t at = 0; at < 5; at++) {
        struct sweep *sweep = busy_sweep(methods[at]), *longer = busy_sweep(methods[at]);
        sweep->draws = 64;
        longer->draws = 1 << 21;
        struct design *design = sound_design(sweep), *extended = sound_design(longer);
        for (uint32_t row = 0; row < sweep_rows(sweep); row++)
            for (uint64_t first = 0; first < 256; first += MODEL_LANES) {
                model_lanes few[5], many[5];
                design_row(design, row, first, few, NULL);
                design_row(extended, row, first, many, NULL);
                cr_assert_eq(memcmp(few, many, sizeof few), 0, "%s, row %u", names[methods[at]], (unsigned)row);
            }
        design_free(design);
        design_free(extended);
        free(sweep);
        free(longer);
    }
}

/* FNV-1a over the bits of every row's values, of batches near and far: the same on every machine. */
static uint64_t fingerprint(const struct design *design, const struct sweep *sweep)
{
    static const uint64_t firsts[] = {0, 64, 4064, UINT64_C(1) << 33};
    static model_lanes values[8];
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (uint32_t row = 0; row < sweep_rows(sweep); row++)
        for (size_t at = 0; at < 4; at++) {
            design_row(design, row, firsts[at], values, NULL);
            for (size_t parameter = 0; parameter < sweep->parameter_count; parameter++)
                for (size_t lane = 0; lane < MODEL_LANES; lane++) {
                    uint64_t bits;
                    memcpy(&bits, &values[parameter][lane], sizeof bits);
                    sum = (sum ^ bits) * UINT64_C(0x100000001b3);
                }
        }
    return sum;
}

Test(methods, every_method_has_its_golden_bits)
{
    static const uint64_t golden[DESIGN_METHOD_COUNT] = {
        0x43154ce2cfb01525, 0x02a5cd6a34db7e77, 0x70fb57f378126c45, 0x54017e5c8940128b, 0x39fd1a050a5937a5,
        0x2f2805e5d782eb03, 0xa6678fa0ad8ad0a6, 0x2ccf5907f721bee3, 0x558aa5ace3070b53, 0x112beabfbe8489c5};
    for (enum design_method method = DESIGN_POINT; method < DESIGN_METHOD_COUNT; method++) {
        struct sweep *sweep = busy_sweep(method);
        sweep->parameters[0].distribution =
            (struct distribution){.kind = DISTRIBUTION_BETA, .low = 0.2, .mode = 0.5, .high = 1};
        sweep->parameters[3].distribution =
            (struct distribution){.kind = DISTRIBUTION_LOGNORMAL, .median = 8500, .sigma = 0.3};
        struct design *design = sound_design(sweep);
        uint64_t sum = fingerprint(design, sweep);
        cr_expect_eq(sum, golden[method], "%s: 0x%016jx", names[method], (uintmax_t)sum);
        design_free(design);
        free(sweep);
    }
}

/* Groups. */

Test(methods, without_groups_there_is_one)
{
    static const enum design_method methods[] = {DESIGN_SOBOL, DESIGN_SALTELLI, DESIGN_DERIVATIVE, DESIGN_SHAPLEY};
    for (size_t at = 0; at < 4; at++) {
        struct sweep *sweep = unit_sweep(methods[at], 3, 4), *one = unit_sweep(methods[at], 3, 4);
        one->groups = 1;
        struct design *design = sound_design(sweep), *grouped = sound_design(one);
        cr_assert_eq(fingerprint(design, sweep), fingerprint(grouped, one), "%s", names[methods[at]]);
        design_free(design);
        design_free(grouped);
        free(sweep);
        free(one);
    }
}

Test(methods, draws_of_each_group_are_a_net)
{
    enum { GROUPS = 8, POINTS = 256, DIMENSIONS = 3 };
    static int counts[GROUPS][DIMENSIONS][POINTS];
    struct sweep *sweep = unit_sweep(DESIGN_SOBOL, 11, DIMENSIONS);
    sweep->groups = GROUPS;
    struct design *design = sound_design(sweep);
    for (uint64_t first = 0; first < GROUPS * POINTS; first += MODEL_LANES) {
        model_lanes values[DIMENSIONS];
        design_row(design, 0, first, values, NULL);
        for (size_t at = 0; at < DIMENSIONS; at++)
            for (size_t lane = 0; lane < MODEL_LANES; lane++)
                counts[sweep_group(sweep, first + lane)][at][(size_t)(values[at][lane] * POINTS)]++;
    }
    for (size_t group = 0; group < GROUPS; group++)
        for (size_t at = 0; at < DIMENSIONS; at++)
            for (size_t cell = 0; cell < POINTS; cell++)
                cr_assert_eq(counts[group][at][cell], 1, "group %zu, dimension %zu, cell %zu", group, at, cell);
    design_free(design);
    free(sweep);
}

/* Over the seeds, the same points of two groups have nothing to do with one another; of one group, everything. */
Test(methods, groups_are_scrambled_independently)
{
    enum { SEEDS = 400 };
    double across = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sweep *sweep = unit_sweep(DESIGN_SOBOL, seed, 2);
        sweep->groups = 2;
        struct design *design = sound_design(sweep);
        model_lanes first[2], second[2];
        design_row(design, 0, 0, first, NULL);
        design_row(design, 0, MODEL_LANES, second, NULL);
        for (size_t lane = 0; lane < MODEL_LANES; lane++)
            across += 12 * (first[1][lane] - 0.5) * (second[1][lane] - 0.5) / MODEL_LANES;
        cr_assert_neq(first[0][0], second[0][0]);
        design_free(design);
        free(sweep);
    }
    cr_assert_lt(fabs(across / SEEDS), 0.2, "%g", across / SEEDS); /* four standard errors of about 0.05 */
}

Test(methods, groups_that_are_no_power_of_two_are_refused)
{
    static const uint32_t wrong[] = {3, 6, 65, 128};
    for (size_t at = 0; at < 4; at++) {
        struct sweep *sweep = unit_sweep(DESIGN_SOBOL, 1, 2);
        sweep->groups = wrong[at];
        refused_design(sweep, "groups; a power of two up to 64 is allowed");
        free(sweep);
    }
}

/* Saltelli. */

Test(methods, rows_of_saltelli_are_two_points_and_their_mixtures)
{
    enum { D = 4 };
    struct sweep *sweep = unit_sweep(DESIGN_SALTELLI, 5, D), *plain = unit_sweep(DESIGN_SOBOL, 5, 2 * D);
    sweep->study.extras = STUDY_SECOND_ORDER;
    sweep->groups = plain->groups = 2;
    struct design *design = sound_design(sweep), *points = sound_design(plain);
    cr_assert_eq(sweep_rows(sweep), 2 + 2 * D);
    for (uint64_t draw = 0; draw < 200; draw += 13) {
        double both[2 * D], shares[D];
        row_shares(points, 0, draw, both);
        for (uint32_t row = 0; row < 2 + 2 * D; row++) {
            row_shares(design, row, draw, shares);
            for (uint32_t at = 0; at < D; at++) {
                bool second = row == 1 || row == 2 + at || (row >= 2 + D && row != 2 + D + at);
                cr_assert_eq(shares[at], both[second ? D + at : at], "row %u, dimension %u", (unsigned)row,
                             (unsigned)at);
            }
        }
    }
    design_free(design);
    design_free(points);
    free(sweep);
    free(plain);
}

Test(methods, two_points_of_more_than_128_parameters_are_refused)
{
    static const enum design_method methods[] = {DESIGN_SALTELLI, DESIGN_SHAPLEY};
    for (size_t at = 0; at < 2; at++) {
        struct sweep *most = unit_sweep(methods[at], 1, 128), *more = unit_sweep(methods[at], 1, 129);
        struct design *design = sound_design(most);
        double shares[128], changed[128];
        row_shares(design, 0, 77, shares);
        row_shares(design, 128, 77, changed);
        cr_assert_neq(memcmp(shares, changed, sizeof shares), 0);
        design_free(design);
        refused_design(more, "129 parameters are drawn; this design allows 128");
        free(most);
        free(more);
    }
}

/* Derivative. */

Test(methods, a_derivative_steps_towards_the_middle_in_one_dimension)
{
    enum { D = 3 };
    struct sweep *sweep = unit_sweep(DESIGN_DERIVATIVE, 5, D);
    struct design *design = sound_design(sweep);
    for (uint64_t draw = 0; draw < 512; draw++) {
        double base[D], moved[D];
        model_lanes steps[D];
        row_shares(design, 0, draw, base);
        design_steps(design, draw, steps);
        for (uint32_t row = 1; row <= D; row++) {
            row_shares(design, row, draw, moved);
            for (uint32_t at = 0; at < D; at++) {
                double step = at + 1 == row ? (base[at] < 0.5 ? base[at] : base[at] - 1) * 0x1p-14 : 0;
                cr_assert_float_eq(moved[at] - base[at], step, 0x1p-52, "row %u, dimension %u", (unsigned)row,
                                   (unsigned)at);
                if (at + 1 == row) cr_assert_eq(steps[at][0], moved[at] - base[at], "what was made of it");
                cr_assert(moved[at] > 0 && moved[at] < 1);
            }
        }
    }
    design_free(design);
    free(sweep);
}

Test(methods, a_derivative_by_the_normal_score_steps_as_far_as_its_share_does)
{
    struct sweep *sweep = unit_sweep(DESIGN_DERIVATIVE, 5, 2);
    sweep->parameters[1].distribution =
        (struct distribution){.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 0.5, .high = 1};
    struct design *design = sound_design(sweep);
    for (uint64_t draw = 0; draw < 512; draw += MODEL_LANES) {
        model_lanes steps[2], values[2], before[2], after[2];
        design_steps(design, draw, steps);
        design_row(design, 0, draw, values, before);
        design_row(design, 2, draw, values, after);
        for (size_t lane = 0; lane < MODEL_LANES; lane++) {
            cr_assert_leq(fabs(steps[0][lane]), 0x1p-15);
            cr_assert_eq(steps[1][lane], normal_quantile(after[1][lane]) - normal_quantile(before[1][lane]));
        }
    }
    design_free(design);
    free(sweep);
}

Test(methods, a_derivative_steps_inwards_from_any_share)
{
    static const double shares[] = {0x1p-54, 0x1p-40, 0x1p-20, 0.25, 0.5, 0.75, 1 - 0x1p-20, 1 - 0x1p-40, 1 - 0x1p-53};
    for (size_t at = 0; at < sizeof shares / sizeof *shares; at++) {
        double step = derivative_step(shares[at]), moved = shares[at] + step;
        cr_expect(shares[at] < 0.5 ? step > 0 : step < 0, "%a: %a", shares[at], step);
        cr_expect(moved > 0 && moved < 1, "%a: %a", shares[at], moved);
        cr_expect_eq(moved - shares[at], step, "%a: %a", shares[at], step);
    }
}

/* Of a long tail the outermost draws weigh most: with steps of 2^-12 of the distribution 8 % would be lacking. */
Test(methods, a_derivative_by_the_normal_score_is_as_close_near_the_ends)
{
    struct sweep *sweep = unit_sweep(DESIGN_DERIVATIVE, 5, 1);
    sweep->parameters[0].distribution =
        (struct distribution){.kind = DISTRIBUTION_LOGNORMAL, .median = 1, .sigma = 1.2};
    struct design *design = sound_design(sweep);
    double found = 0, exact = 0;
    for (uint64_t draw = 0; draw < 1 << 16; draw += MODEL_LANES) {
        model_lanes steps[1], before[1], after[1];
        design_steps(design, draw, steps);
        design_row(design, 0, draw, before, NULL);
        design_row(design, 1, draw, after, NULL);
        for (size_t lane = 0; lane < MODEL_LANES; lane++) {
            double slope = (after[0][lane] - before[0][lane]) / steps[0][lane], at_point = 1.2 * before[0][lane];
            found += slope * slope;
            exact += at_point * at_point;
        }
    }
    cr_expect_float_eq(found / exact, 1, 2e-4, "%g", found / exact);
    design_free(design);
    free(sweep);
}

/* Morris. */

Test(methods, a_trajectory_moves_each_parameter_once_by_half_the_levels)
{
    enum { D = 6 };
    static const uint32_t levels[] = {0, 2, 4, 8, 64};
    for (size_t row_of_levels = 0; row_of_levels < 5; row_of_levels++) {
        struct sweep *sweep = unit_sweep(DESIGN_MORRIS, 5, D);
        uint32_t count = levels[row_of_levels] ? levels[row_of_levels] : 4;
        sweep->design_levels = levels[row_of_levels];
        sweep->draws = 20;
        struct design *design = sound_design(sweep);
        for (uint64_t draw = 0; draw < 64; draw++) { /* beyond the last, too */
            double before[D], after[D];
            uint16_t order[D][MODEL_LANES];
            model_lanes steps[D];
            bool moved[D] = {false};
            design_order(design, draw, order);
            design_steps(design, draw, steps);
            row_shares(design, 0, draw, before);
            for (uint32_t row = 1; row <= D; row++) {
                row_shares(design, row, draw, after);
                uint16_t in = order[row - 1][0];
                cr_assert(!moved[in], "once");
                moved[in] = true;
                for (size_t at = 0; at < D; at++) {
                    double level = after[at] * count - 0.5;
                    cr_assert(level == floor(level) && level >= 0 && level < count, "%g", level);
                    cr_assert_eq(after[at] - before[at], at == in ? steps[row - 1][0] : 0);
                }
                cr_assert_eq(fabs(steps[row - 1][0]), 0.5);
                memcpy(before, after, sizeof before);
            }
        }
        design_free(design);
        free(sweep);
    }
}

Test(methods, trajectories_begin_at_each_level_as_often)
{
    enum { D = 5, DRAWS = 24 };
    static const uint32_t levels[] = {2, 4, 8};
    for (size_t at = 0; at < 3; at++) {
        struct sweep *sweep = unit_sweep(DESIGN_MORRIS, 7, D);
        sweep->design_levels = levels[at];
        sweep->draws = DRAWS;
        struct design *design = sound_design(sweep);
        uint32_t counts[D][8] = {0};
        for (uint64_t draw = 0; draw < DRAWS; draw++) {
            double shares[D];
            row_shares(design, 0, draw, shares);
            for (size_t dimension = 0; dimension < D; dimension++)
                counts[dimension][(size_t)(shares[dimension] * levels[at])]++;
        }
        for (size_t dimension = 0; dimension < D; dimension++)
            for (size_t level = 0; level < levels[at]; level++)
                cr_assert_eq(counts[dimension][level], DRAWS / levels[at]);
        design_free(design);
        free(sweep);
    }
}

/* Morris' own grid: 0, 1/3, 2/3 and 1, with steps of 2/3. */
Test(methods, a_uniform_that_reaches_beyond_0_to_1_takes_the_levels_of_morris)
{
    struct sweep *sweep = unit_sweep(DESIGN_MORRIS, 5, 4);
    sweep->draws = 50;
    for (uint32_t at = 0; at < 4; at++) {
        sweep->parameters[at].distribution.low = -1.0 / 6;
        sweep->parameters[at].distribution.high = 7.0 / 6;
    }
    struct design *design = sound_design(sweep);
    int counts[4] = {0};
    for (uint32_t row = 0; row <= 4; row++) {
        model_lanes values[4];
        design_row(design, row, 0, values, NULL);
        for (size_t at = 0; at < 4; at++)
            for (size_t lane = 0; lane < MODEL_LANES; lane++) {
                double level = values[at][lane] * 3;
                cr_assert_float_eq(level, round(level), 1e-14);
                counts[(int)round(level)]++;
            }
    }
    for (size_t level = 0; level < 4; level++) cr_assert_gt(counts[level], 100, "%d", counts[level]);
    design_free(design);
    free(sweep);
}

Test(methods, uneven_levels_of_morris_are_refused)
{
    static const uint32_t wrong[] = {1, 3, 65, 66};
    for (size_t at = 0; at < 4; at++) {
        struct sweep *sweep = unit_sweep(DESIGN_MORRIS, 1, 2);
        sweep->design_levels = wrong[at];
        refused_design(sweep, "levels; even numbers from 2 to 64 are allowed");
        free(sweep);
    }
}

/* Shapley. */

Test(methods, rows_of_shapley_redraw_one_dimension_more_each)
{
    enum { D = 5 };
    struct sweep *sweep = unit_sweep(DESIGN_SHAPLEY, 5, D), *plain = unit_sweep(DESIGN_SOBOL, 5, 2 * D);
    struct design *design = sound_design(sweep), *points = sound_design(plain);
    for (uint64_t draw = 0; draw < 100; draw++) {
        double both[2 * D], shares[D];
        uint16_t order[D][MODEL_LANES];
        bool anew[D] = {false};
        row_shares(points, 0, draw, both);
        design_order(design, draw, order);
        for (uint32_t row = 0; row <= D; row++) {
            if (row > 0) anew[order[row - 1][0]] = true;
            row_shares(design, row, draw, shares);
            for (size_t at = 0; at < D; at++) cr_assert_eq(shares[at], both[anew[at] ? D + at : at]);
        }
        for (size_t at = 0; at < D; at++) cr_assert(anew[at]);
    }
    design_free(design);
    design_free(points);
    free(sweep);
    free(plain);
}

Test(methods, orders_of_many_dimensions_have_each_at_every_place_as_often)
{
    enum { D = 9, WINDOWS = 12 };
    struct sweep *sweep = unit_sweep(DESIGN_SHAPLEY, 5, D);
    sweep->groups = 2;
    struct design *design = sound_design(sweep);
    int counts[2][D][D] = {0};
    for (uint64_t draw = 0; draw < 2 * D * WINDOWS * MODEL_LANES; draw++) {
        uint16_t order[D][MODEL_LANES];
        uint64_t point = net_point(2, draw);
        if (point >= D * WINDOWS) continue;
        design_order(design, draw, order);
        for (size_t at = 0; at < D; at++) counts[sweep_group(sweep, draw)][at][order[at][0]]++;
    }
    for (size_t group = 0; group < 2; group++)
        for (size_t at = 0; at < D; at++)
            for (size_t dimension = 0; dimension < D; dimension++)
                cr_assert_eq(counts[group][at][dimension], WINDOWS, "group %zu, place %zu, dimension %zu: %d", group,
                             at, dimension, counts[group][at][dimension]);
    design_free(design);
    free(sweep);
}

Test(methods, few_dimensions_have_every_order_as_often)
{
    enum { DRAWS = 1024 };
    struct sweep *sweep = unit_sweep(DESIGN_SHAPLEY, 9, 3);
    struct design *design = sound_design(sweep);
    int counts[27] = {0}, orders = 0;
    for (uint64_t first = 0; first < DRAWS; first += MODEL_LANES) {
        uint16_t order[3][MODEL_LANES];
        design_order(design, first, order);
        for (size_t lane = 0; lane < MODEL_LANES; lane++)
            counts[9 * order[0][lane] + 3 * order[1][lane] + order[2][lane]]++;
    }
    for (size_t at = 0; at < 27; at++) {
        if (counts[at] == 0) continue;
        orders++;
        cr_assert(abs(counts[at] - DRAWS / 6) <= 2, "order %zu: %d", at, counts[at]);
    }
    cr_assert_eq(orders, 6);
    design_free(design);
    free(sweep);
}

/* Half the squared change of the model that came with row k, less that with row k - 1, is on average the part of the
 * variance that Shapley gives the dimension of the step. */
static void shapley_effects(const struct design *design, uint32_t dimensions, uint64_t draws,
                            void (*model)(const model_lanes *values, double *out), double *effects)
{
    double variance = 0;
    for (uint32_t at = 0; at < dimensions; at++) effects[at] = 0;
    for (uint64_t first = 0; first < draws; first += MODEL_LANES) {
        model_lanes values[8], base, now;
        uint16_t order[8][MODEL_LANES];
        double last[MODEL_LANES] = {0};
        design_order(design, first, order);
        design_row(design, 0, first, values, NULL);
        model((const model_lanes *)values, base);
        for (uint32_t row = 1; row <= dimensions; row++) {
            design_row(design, row, first, values, NULL);
            model((const model_lanes *)values, now);
            for (size_t lane = 0; lane < MODEL_LANES; lane++) {
                double half = (base[lane] - now[lane]) * (base[lane] - now[lane]) / 2;
                effects[order[row - 1][lane]] += (half - last[lane]) / (double)draws;
                last[lane] = half;
            }
        }
        for (size_t lane = 0; lane < MODEL_LANES; lane++) variance += last[lane] / (double)draws;
    }
    for (uint32_t at = 0; at < dimensions; at++) effects[at] /= variance;
}

static void sum_of_three(const model_lanes *values, double *out)
{
    for (size_t lane = 0; lane < MODEL_LANES; lane++) out[lane] = values[0][lane] + values[1][lane] + values[2][lane];
}

static void ishigami(const model_lanes *values, double *out)
{
    for (size_t lane = 0; lane < MODEL_LANES; lane++) {
        double wave = sin(values[1][lane]);
        out[lane] = sin(values[0][lane]) * (1 + 0.1 * pow(values[2][lane], 4)) + 7 * wave * wave;
    }
}

/* Standard deviations 1, 1 and 2, the last two correlated by 0.9: Iooss and Prieur, Int. J. Uncertain. Quantif. 9,
 * 493-514 (2019). */
Test(methods, shapley_effects_of_correlated_normals_are_the_known_ones)
{
    static const double known[] = {0.10416667, 0.41822917, 0.47760417};
    struct sweep *sweep = unit_sweep(DESIGN_SHAPLEY, 5, 3);
    for (uint32_t at = 0; at < 3; at++)
        sweep->parameters[at].distribution = (struct distribution){.kind = DISTRIBUTION_NORMAL, .sd = at == 2 ? 2 : 1};
    correlate(sweep, 1, 2, 6 / M_PI * asin(0.45));
    struct design *design = sound_design(sweep);
    double effects[3];
    shapley_effects(design, 3, 1 << 15, sum_of_three, effects);
    for (size_t at = 0; at < 3; at++) cr_assert_float_eq(effects[at], known[at], 0.01, "%zu: %g", at, effects[at]);
    design_free(design);
    free(sweep);
}

Test(methods, shapley_effects_of_ishigami_are_the_known_ones)
{
    static const double known[] = {0.4357470231788853, 0.4424111447900409, 0.12184183203107386};
    struct sweep *sweep = unit_sweep(DESIGN_SHAPLEY, 5, 3);
    for (uint32_t at = 0; at < 3; at++)
        sweep->parameters[at].distribution =
            (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = -M_PI, .high = M_PI};
    struct design *design = sound_design(sweep);
    double effects[3];
    shapley_effects(design, 3, 1 << 15, ishigami, effects);
    for (size_t at = 0; at < 3; at++) cr_assert_float_eq(effects[at], known[at], 0.015, "%zu: %g", at, effects[at]);
    design_free(design);
    free(sweep);
}

/* Random orders. */

Test(methods, philox_below_is_the_upper_half_of_the_product)
{
    cr_assert_eq(philox_below(UINT64_MAX, 1), 0);
    cr_assert_eq(philox_below(UINT64_MAX, UINT64_C(1) << 32), UINT32_MAX);
    cr_assert_eq(philox_below(UINT64_C(1) << 63, 7), 3);
    cr_assert_eq(philox_below(0, 1000), 0);
    for (uint64_t at = 0; at < 1000; at++) {
        uint64_t bits = philox_at(1, PHILOX_MORRIS, 0, at).low;
        cr_assert_eq(philox_below(bits, 1000003), (uint64_t)((unsigned __int128)bits * 1000003 >> 64));
    }
}

Test(methods, every_order_is_as_likely)
{
    enum { ROUNDS = 24000 };
    int counts[256] = {0}, found = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t swaps[4];
        uint16_t order[4];
        for (uint32_t at = 0; at < 4; at++) swaps[at] = philox_at(3, PHILOX_MORRIS, at, round).high;
        shuffle(order, 4, swaps);
        counts[order[0] << 6 | order[1] << 4 | order[2] << 2 | order[3]]++;
    }
    for (size_t at = 0; at < 256; at++) {
        if (counts[at] == 0) continue;
        found++;
        cr_assert(abs(counts[at] - 1000) < 160, "%zu: %d", at, counts[at]); /* five standard deviations */
    }
    cr_assert_eq(found, 24);
}
