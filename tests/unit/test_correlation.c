#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "support_design.h"

enum { DRAWS = 4096 };

static void correlate(struct sweep *sweep, uint32_t left, uint32_t right, double rank)
{
    sweep->correlations[sweep->correlation_count++] = (struct sweep_correlation){left, right, rank};
}

static int ascending(const void *left, const void *right)
{
    double one = **(const double *const *)left, other = **(const double *const *)right;
    return (one > other) - (one < other);
}

/* Ranks from 0 in place of the values. */
static void rank(double *values)
{
    static const double *places[DRAWS];
    static double ranks[DRAWS];
    for (size_t at = 0; at < DRAWS; at++) places[at] = &values[at];
    qsort(places, DRAWS, sizeof places[0], ascending);
    for (size_t at = 0; at < DRAWS; at++) ranks[places[at] - values] = (double)at;
    memcpy(values, ranks, sizeof ranks);
}

/* Spearman's rank correlation of two parameters over the design's draws, by the definition. */
static double spearman(const struct design *design, uint32_t row, size_t left, size_t right)
{
    static double one[DRAWS], other[DRAWS];
    static model_lanes values[MODEL_PARAMETERS_MAX];
    for (uint64_t first = 0; first < DRAWS; first += MODEL_LANES) {
        design_row(design, row, first, values, NULL);
        memcpy(&one[first], values[left], sizeof values[left]);
        memcpy(&other[first], values[right], sizeof values[right]);
    }
    rank(one);
    rank(other);
    double sum = 0, mean = (DRAWS - 1) / 2.0;
    for (size_t at = 0; at < DRAWS; at++) sum += (one[at] - mean) * (other[at] - mean);
    return sum / (((double)DRAWS * DRAWS - 1) * DRAWS / 12);
}

static const enum design_method joined[] = {DESIGN_RANDOM, DESIGN_SOBOL, DESIGN_LATIN_HYPERCUBE, DESIGN_SHAPLEY};

/* Whatever the distributions are: ranks know nothing of them. */
Test(correlation, draws_have_the_rank_correlations_asked_for)
{
    for (size_t method = 0; method < 4; method++) {
        struct sweep *sweep = unit_sweep(joined[method], 5, 5);
        sweep->parameters[1].distribution =
            (struct distribution){.kind = DISTRIBUTION_LOGNORMAL, .median = 1, .sigma = 2};
        sweep->parameters[3].distribution =
            (struct distribution){.kind = DISTRIBUTION_BETA, .low = 0, .mode = 1, .high = 1};
        correlate(sweep, 0, 1, 0.8);
        correlate(sweep, 1, 3, -0.5);
        correlate(sweep, 3, 4, 0.25);
        struct design *design = sound_design(sweep);
        for (uint32_t row = 0; row < sweep_rows(sweep); row++) {
            static const double expected[5][5] = {
                {1, 0.8, 0, 0, 0}, {0, 1, 0, -0.5, 0}, {0, 0, 1, 0, 0}, {0, 0, 0, 1, 0.25}, {0, 0, 0, 0, 1}};
            for (size_t left = 0; left < 5; left++)
                for (size_t right = left + 1; right < 5; right++) {
                    double found = spearman(design, row, left, right);
                    cr_assert_float_eq(found, expected[left][right], 0.06, "method %zu, row %u: %zu, %zu: %g", method,
                                       (unsigned)row, left, right, found); /* four standard errors of a random one */
                }
        }
        design_free(design);
        free(sweep);
    }
}

Test(correlation, each_parameter_keeps_its_own_distribution)
{
    for (size_t method = 0; method < 4; method++) {
        struct sweep *sweep = unit_sweep(joined[method], 5, 3);
        correlate(sweep, 0, 2, 0.9);
        struct design *design = sound_design(sweep);
        int counts[8] = {0};
        for (uint64_t first = 0; first < DRAWS; first += MODEL_LANES) {
            model_lanes values[3], shares[3];
            design_row(design, 0, first, values, shares);
            for (size_t lane = 0; lane < MODEL_LANES; lane++) {
                cr_assert(shares[2][lane] > 0 && shares[2][lane] < 1);
                counts[(int)(values[2][lane] * 8)]++;
            }
        }
        for (size_t at = 0; at < 8; at++) cr_assert(abs(counts[at] - 512) < 100, "method %zu: %d", method, counts[at]);
        design_free(design);
        free(sweep);
    }
}

/* So that a correlation moves as few draws as it must, and those of a Latin hypercube stay in their strata. */
Test(correlation, a_parameter_without_one_before_it_keeps_its_draws)
{
    for (size_t method = 0; method < 4; method++) {
        struct sweep *sweep = unit_sweep(joined[method], 5, 4);
        struct design *plain = sound_design(sweep);
        model_lanes before[4], after[4];
        design_row(plain, 0, 64, before, NULL);
        correlate(sweep, 1, 2, 0.7);
        struct design *design = sound_design(sweep);
        design_row(design, 0, 64, after, NULL);
        for (size_t at = 0; at < 4; at++) {
            bool same = memcmp(before[at], after[at], sizeof before[at]) == 0;
            cr_assert_eq(same, at != 2, "method %zu, parameter %zu", method, at);
        }
        design_free(plain);
        design_free(design);
        free(sweep);
    }
}

/* Row k of Shapley keeps what is not drawn anew to the bit, and draws the rest given it. */
Test(correlation, shapley_rows_keep_the_others_to_the_bit)
{
    enum { D = 6 };
    struct sweep *sweep = unit_sweep(DESIGN_SHAPLEY, 5, D);
    for (uint32_t at = 0; at + 1 < D - 1; at++) correlate(sweep, at, at + 1, 0.5);
    struct design *design = sound_design(sweep);
    for (uint64_t draw = 0; draw < 200; draw++) {
        double base[D], shares[D];
        uint16_t order[D][MODEL_LANES];
        bool anew[D] = {false};
        design_order(design, draw, order);
        row_shares(design, 0, draw, base);
        for (uint32_t row = 1; row <= D; row++) {
            anew[order[row - 1][0]] = true;
            row_shares(design, row, draw, shares);
            for (size_t at = 0; at < D; at++) cr_assert_eq(shares[at] != base[at], anew[at], "row %u", (unsigned)row);
        }
    }
    design_free(design);
    free(sweep);
}

Test(correlation, forty_correlated_parameters_of_two_hundred_are_drawn)
{
    struct sweep *sweep = unit_sweep(DESIGN_SOBOL, 5, 200);
    for (uint32_t at = 0; at < 39; at++) correlate(sweep, 5 * at, 5 * at + 5, 0.45);
    struct design *design = sound_design(sweep);
    double near = spearman(design, 0, 0, 5), far = spearman(design, 0, 0, 190), other = spearman(design, 0, 1, 6);
    cr_assert_float_eq(near, 0.45, 0.05, "%g", near);
    cr_assert_float_eq(far, 0, 0.08, "%g", far);
    cr_assert_float_eq(other, 0, 0.08, "%g", other);
    design_free(design);
    free(sweep);
}

/* Refusals. */

Test(correlation, methods_that_move_parameters_alone_refuse_with_the_reason)
{
    static const struct {
        enum design_method method;
        const char *words;
    } rows[] = {
        {DESIGN_SALTELLI, "S1 and ST divide the variance among independent parameters; shapley allows them"},
        {DESIGN_DERIVATIVE, "a derivative moves one parameter alone"},
        {DESIGN_MORRIS, "a trajectory moves one parameter alone"},
        {DESIGN_GRID, "values are listed, not drawn"},
        {DESIGN_ONE_AT_A_TIME, "values are listed, not drawn"},
    };
    for (size_t row = 0; row < 5; row++) {
        struct sweep *sweep = unit_sweep(rows[row].method, 1, 3);
        correlate(sweep, 0, 1, 0.5);
        refused_design(sweep, rows[row].words);
        free(sweep);
    }
}

Test(correlation, pairs_that_are_none_are_refused)
{
    static const struct {
        struct sweep_correlation pairs[2];
        const char *words;
    } rows[] = {
        {{{0, 1, 0.5}, {0, 1, 0.5}}, "correlation 2 is out of order"},
        {{{1, 2, 0.5}, {0, 1, 0.5}}, "correlation 2 is out of order"},
        {{{1, 1, 0.5}, {1, 2, 0.5}}, "correlation 1 is out of order"},
        {{{0, 9, 0.5}, {1, 2, 0.5}}, "correlation 1 is out of order"},
        {{{0, 1, 1}, {1, 2, 0.5}}, "p0, p1: a correlation of 1; it must lie between -1 and 1, and not be 0"},
        {{{0, 1, 0}, {1, 2, 0.5}}, "p0, p1: a correlation of 0"},
        {{{0, 1, NAN}, {1, 2, 0.5}}, "p0, p1: a correlation of nan"},
        {{{0, 1, 0.5}, {1, 3, 0.5}}, "p1, p3: correlated, but p3 is not drawn"},
    };
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        struct sweep *sweep = unit_sweep(DESIGN_RANDOM, 1, 4);
        sweep->parameters[3].distribution.kind = DISTRIBUTION_FIXED;
        sweep->correlation_count = 2;
        memcpy(sweep->correlations, rows[row].pairs, sizeof rows[row].pairs);
        refused_design(sweep, rows[row].words);
        free(sweep);
    }
}

/* Reads "pA, pB: R; pA, pC: R ..." behind the words, and puts the numbers in. */
static void take_advice(struct sweep *sweep, const char *why)
{
    const char *at = strstr(why, "the nearest that can:");
    cr_assert_not_null(at, "%s", why);
    at = strchr(at, ':') + 1;
    for (;;) {
        unsigned left, right;
        double found;
        int used = 0;
        cr_assert_eq(sscanf(at, " p%u, p%u: %lf%n", &left, &right, &found, &used), 3, "%s", at);
        uint32_t pair = 0;
        while (pair < sweep->correlation_count &&
               (sweep->correlations[pair].left != left || sweep->correlations[pair].right != right))
            pair++;
        if (pair == sweep->correlation_count) correlate(sweep, left, right, found);
        sweep->correlations[pair].rank = found;
        at += used;
        if (*at++ == '\0') return;
    }
}

static int by_pair(const void *left, const void *right)
{
    const struct sweep_correlation *one = left, *other = right;
    if (one->left != other->left) return one->left < other->left ? -1 : 1;
    return (one->right > other->right) - (one->right < other->right);
}

/* What is offered can be drawn as it is printed, and is near what was wanted. */
Test(correlation, of_pairs_that_contradict_one_another_the_nearest_that_do_not_are_offered)
{
    static const struct {
        struct sweep_correlation pairs[6];
        double most; /* that a pair must change */
    } rows[] = {
        {{{0, 1, 0.9}, {0, 2, 0.9}, {1, 2, -0.9}}, 0.8},
        {{{0, 1, 0.9}, {1, 2, 0.9}}, 0.5},
        {{{0, 1, 0.7}, {0, 2, 0.7}, {0, 3, 0.7}, {1, 2, -0.3}, {1, 3, -0.3}, {2, 3, -0.3}}, 0.5},
        {{{0, 1, 0.999}, {0, 2, 0.5}, {1, 2, 0.55}, {3, 4, 0.4}}, 0.06},
    };
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        char why[512];
        struct sweep *sweep = unit_sweep(DESIGN_SOBOL, 1, 6);
        while (sweep->correlation_count < 6 && rows[row].pairs[sweep->correlation_count].right) {
            struct sweep_correlation pair = rows[row].pairs[sweep->correlation_count];
            correlate(sweep, pair.left, pair.right, pair.rank);
        }
        uint32_t given = sweep->correlation_count;
        cr_assert_null(design_new(sweep, why, sizeof why), "row %zu", row);
        cr_assert_not_null(strstr(why, "correlations that cannot all hold, among p0, p1"), "%s", why);
        take_advice(sweep, why);
        for (uint32_t pair = 0; pair < given; pair++)
            cr_assert_leq(fabs(sweep->correlations[pair].rank - rows[row].pairs[pair].rank), rows[row].most, "%s", why);
        qsort(sweep->correlations, sweep->correlation_count, sizeof sweep->correlations[0], by_pair);
        struct design *design = sound_design(sweep);
        design_free(design);
        free(sweep);
    }
}

/* Higham's own example: N. J. Higham, IMA J. Numer. Anal. 22, 329-343 (2002), section 4. */
Test(correlation, the_nearest_matrix_is_the_published_one)
{
    double matrix[] = {1, 1, 0, 1, 1, 1, 0, 1, 1};
    static const double known[] = {1, 0.7607, 0.1573, 0.7607, 1, 0.7607, 0.1573, 0.7607, 1};
    correlation_nearest(matrix, 3);
    for (size_t at = 0; at < 9; at++) cr_assert_float_eq(matrix[at], known[at], 5e-5, "%zu: %.6f", at, matrix[at]);
}

Test(correlation, a_factor_times_its_mirror_image_is_the_matrix)
{
    static const double matrix[] = {1, 0.5, -0.3, 0.5, 1, 0.2, -0.3, 0.2, 1};
    double factor[9];
    cr_assert_eq(correlation_factor(matrix, 3, 0, factor), 3);
    for (size_t row = 0; row < 3; row++)
        for (size_t column = 0; column < 3; column++) {
            double sum = 0;
            for (size_t k = 0; k < 3; k++) sum += factor[3 * row + k] * factor[3 * column + k];
            cr_assert_float_eq(sum, matrix[3 * row + column], 1e-15);
        }
    static const double impossible[] = {1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1};
    cr_assert_eq(correlation_factor(impossible, 3, 0, factor), 2);
}
