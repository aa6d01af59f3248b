/* Whole studies of functions whose indices are known exactly. */
#include "estimate.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support_study.h"
#include "table.h"

/* Spearman's rank correlation of two normal variables whose correlation is rho. */
static double rank_of(double rho)
{
    return 6 / acos(-1) * asin(rho / 2);
}

/* --- means --- */

/* Statistics of a trial's only figure in its rollup. */
struct rolled {
    double mean, sd, mcse, n;
};

static bool take_statistic(void *context, const struct table_row *row)
{
    struct rolled *rolled = context;
    if (strcmp(row->statistic, "mean") == 0) rolled->mean = row->value;
    if (strcmp(row->statistic, "sd") == 0) rolled->sd = row->value;
    if (strcmp(row->statistic, "mcse") == 0) rolled->mcse = row->value;
    if (strcmp(row->statistic, "n") == 0) rolled->n = row->value;
    return true;
}

static struct rolled roll(const struct trial *trial)
{
    struct rolled rolled = {NAN, NAN, NAN, NAN};
    cr_assert(table_rows(trial->plan, trial->root, take_statistic, &rolled));
    return rolled;
}

/* 1,000 draws: replicates of unlike sizes. 2.131...: Student's t of 15 degrees at 0.975. */
Test(estimate, replicates_give_the_rollup_the_error_that_the_interval_of_the_mean_has)
{
    static const enum design_method methods[] = {DESIGN_SOBOL, DESIGN_LATIN_HYPERCUBE, DESIGN_SALTELLI,
                                                 DESIGN_DERIVATIVE, DESIGN_SHAPLEY};
    for (size_t at = 0; at < sizeof methods / sizeof *methods; at++) {
        struct trial *trial = open_trial("ishigami", methods[at], 1000, 3);
        run_trial(trial);
        struct rolled rolled = roll(trial);
        struct estimate_row mean = row_of(trial, "mean", -1, -1);
        cr_expect_eq(mean.value, rolled.mean);
        cr_expect_float_eq((mean.high - mean.low) / 2, 2.131449545559323 * rolled.mcse, 1e-9, "method %d: %g of %g",
                           (int)methods[at], rolled.mcse, rolled.sd);
        cr_expect_lt(rolled.mcse, rolled.sd / sqrt(rolled.n) / 2);
        close_trial(trial);
    }
}

Test(estimate, without_replicates_or_at_random_the_error_is_that_of_random_draws)
{
    static const struct {
        enum design_method method;
        uint32_t groups;
        uint64_t draws;
    } cases[] = {
        {DESIGN_RANDOM, 16, 1000}, {DESIGN_SOBOL, 0, 1000}, {DESIGN_LATIN_HYPERCUBE, 1, 1000}, {DESIGN_SOBOL, 16, 32}};
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        struct trial *trial = open_trial("ishigami", cases[at].method, cases[at].draws, 3);
        trial->sweep.groups = cases[at].groups;
        run_trial(trial);
        struct rolled rolled = roll(trial);
        cr_expect_eq(rolled.mcse, rolled.sd / sqrt(rolled.n), "case %zu", at);
        close_trial(trial);
    }
}

/* Their spread says nothing about a mean that the others decide. */
Test(estimate, replicates_that_lack_the_largest_values_give_the_rollup_no_error)
{
    struct trial *trial = open_trial("product", DESIGN_SOBOL, 512, 3);
    trial->sweep.parameters[0].distribution = (struct distribution){
        .kind = DISTRIBUTION_DISCRETE, .point_count = 2, .values = {0, 1e145}, .weights = {15, 1}};
    run_trial(trial);
    struct rolled rolled = roll(trial);
    cr_expect_gt(rolled.sd, 1e144);
    cr_expect_eq(rolled.mcse, rolled.sd / sqrt(rolled.n));
    close_trial(trial);
}

/* --- Saltelli --- */

static void expect_pair(const struct trial *trial, int i, int j, double exact, double bound)
{
    struct estimate_row row = row_of(trial, "s2", i, j);
    cr_expect_float_eq(row.value, exact, bound, "s2 of %d and %d: %.6f, not %.6f", i, j, row.value, exact);
}

Test(estimate, ishigami_has_its_sobol_indices)
{
    static const double first[] = {0.31390519114781146, 0.4424111447900409, 0};
    static const double total[] = {0.5575888552099592, 0.4424111447900409, 0.24368366406214773};
    struct trial *trial = open_trial("ishigami", DESIGN_SALTELLI, 1 << 15, 1);
    trial->sweep.study.extras = STUDY_SECOND_ORDER;
    run_trial(trial);
    for (int i = 0; i < 3; i++) {
        expect_value(trial, "s1", i, first[i], 0.005);
        expect_value(trial, "st", i, total[i], 0.005);
    }
    expect_value(trial, "s1", 3, 0, 0.01);
    expect_value(trial, "mean", -1, 3.5, 0.005);
    expect_pair(trial, 0, 1, 0, 0.005);
    expect_pair(trial, 0, 2, 0.24368366406214773, 0.005);
    expect_pair(trial, 1, 2, 0, 0.005);
    close_trial(trial);
}

Test(estimate, the_product_has_its_sobol_indices)
{
    struct trial *trial = open_trial("product", DESIGN_SALTELLI, 1 << 13, 2);
    trial->sweep.study.extras = STUDY_SECOND_ORDER;
    run_trial(trial);
    expect_value(trial, "s1", 0, 0.675, 0.001);
    expect_value(trial, "s1", 1, 0.3, 0.001);
    expect_value(trial, "st", 0, 0.7, 0.001);
    expect_value(trial, "st", 1, 0.325, 0.001);
    expect_pair(trial, 0, 1, 0.025, 0.002);
    close_trial(trial);
}

static void expect_g(const char *model, const double *a, int count)
{
    double product = 1;
    for (int i = 0; i < count; i++) product *= 1 + 1 / (3 * (1 + a[i]) * (1 + a[i]));
    struct trial *trial = open_trial(model, DESIGN_SALTELLI, 1 << 14, 3);
    run_trial(trial);
    for (int i = 0; i < count; i++) {
        double own = 1 / (3 * (1 + a[i]) * (1 + a[i]));
        expect_value(trial, "s1", i, own / (product - 1), 0.02);
        expect_value(trial, "st", i, own * product / (1 + own) / (product - 1), 0.02);
    }
    close_trial(trial);
}

Test(estimate, both_g_functions_have_their_sobol_indices)
{
    static const double a[] = {0, 1, 4.5, 9, 99, 99, 99, 99};
    static const double a10[] = {-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4};
    expect_g("sobol_g", a, 8);
    expect_g("sobol_g10", a10, 10);
}

/* --- Shapley --- */

Test(estimate, ishigami_has_its_shapley_effects)
{
    static const double effects[] = {0.4357470231788853, 0.4424111447900409, 0.12184183203107386};
    struct trial *trial = open_trial("ishigami", DESIGN_SHAPLEY, 1 << 15, 4);
    run_trial(trial);
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        expect_value(trial, "shapley", i, effects[i], 0.01);
        sum += row_of(trial, "shapley", i, -1).value;
    }
    cr_expect_float_eq(sum, 1, 1e-12, "the effects share the variance: %.15f", sum);
    close_trial(trial);
}

Test(estimate, correlated_parameters_have_their_shapley_first_and_total_effects)
{
    static const double effects[] = {0.10416667, 0.41822917, 0.47760417};
    static const double first[] = {0.10416667, 0.81666667, 0.87604167};
    static const double total[] = {0.10416667, 0.01979167, 0.07916667};
    struct trial *trial = open_trial("linear_gaussian", DESIGN_SHAPLEY, 1 << 16, 5);
    trial->sweep.correlation_count = 1;
    trial->sweep.correlations[0] = (struct sweep_correlation){1, 2, rank_of(0.9)};
    run_trial(trial);
    for (int i = 0; i < 3; i++) {
        expect_value(trial, "shapley", i, effects[i], 0.01);
        expect_value(trial, "s1", i, first[i], 0.02);
        expect_value(trial, "st", i, total[i], 0.005);
    }
    close_trial(trial);
}

/* --- elementary effects and derivatives --- */

/* The sum of three inputs, uniform on 1, 2 and 3 units. */
static struct trial *open_sum(enum design_method method, uint64_t draws)
{
    struct trial *trial = open_trial("linear_gaussian", method, draws, 6);
    for (int i = 0; i < 3; i++)
        trial->sweep.parameters[i].distribution =
            (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0, .high = i + 1};
    return trial;
}

Test(estimate, elementary_effects_of_a_sum_are_exact)
{
    struct trial *trial = open_sum(DESIGN_MORRIS, 64);
    trial->sweep.groups = 0;
    trial->sweep.design_levels = 4;
    run_trial(trial);
    for (int i = 0; i < 3; i++) {
        expect_value(trial, "mu", i, i + 1, 1e-12);
        expect_value(trial, "mu_star", i, i + 1, 1e-12);
        expect_value(trial, "sigma", i, 0, 1e-6);
        cr_expect_eq(row_of(trial, "mu", i, -1).n, 64);
    }
    close_trial(trial);
}

Test(estimate, ishigami_has_its_derivative_measures)
{
    static const double squares[] = {7.719587940718952, 24.5, 10.987305069431759};
    static const double bounds[] = {2.23035542, 7.07857832, 3.17446936};
    const double width = 2 * acos(-1); /* the range of each input: effects are per unit of share */
    struct trial *trial = open_trial("ishigami", DESIGN_DERIVATIVE, 1 << 14, 7);
    run_trial(trial);
    for (int i = 0; i < 3; i++) {
        expect_value(trial, "dgsm", i, squares[i] * width * width, 0.01 * squares[i] * width * width);
        expect_value(trial, "dgsm_bound", i, bounds[i], 0.02 * bounds[i]);
    }
    close_trial(trial);
}

Test(estimate, one_at_a_time_gives_the_value_at_each_end)
{
    struct trial *trial = open_sum(DESIGN_ONE_AT_A_TIME, 7);
    trial->sweep.groups = 0;
    run_trial(trial);
    for (int i = 0; i < 3; i++) trial->sweep.parameters[i].central = (i + 1) / 2.0;
    run_trial(trial);
    expect_value(trial, "central", -1, 3, 1e-12);
    for (int i = 0; i < 3; i++) {
        expect_value(trial, "low", i, 3 - 0.45 * (i + 1), 1e-12);
        expect_value(trial, "high", i, 3 + 0.45 * (i + 1), 1e-12);
        expect_value(trial, "swing", i, 0.9 * (i + 1), 1e-12);
    }
    close_trial(trial);
}

/* A density that falls to 0 at its ends, where the square of a derivative by the share has no bound. By quadrature the
 * mean square by the normal score is 0.40099. */
Test(estimate, the_derivative_bound_of_a_triangular_parameter_is_close_and_holds)
{
    struct trial *trial = open_sum(DESIGN_DERIVATIVE, 1 << 12);
    trial->sweep.parameters[2].distribution =
        (struct distribution){.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 1, .high = 3};
    run_trial(trial);
    expect_value(trial, "dgsm", 2, 0.40099, 0.004);
    const double variances[] = {1.0 / 12, 4.0 / 12, 7.0 / 18};
    for (int i = 0; i < 3; i++) {
        double exact = variances[i] / (variances[0] + variances[1] + variances[2]);
        struct estimate_row row = row_of(trial, "dgsm_bound", i, -1);
        cr_expect_geq(row.value, exact, "%d: %g", i, row.value);
        cr_expect_leq(row.value, 1.3 * exact, "%d: %g", i, row.value);
        cr_expect_leq(row.high - row.low, 0.1 * exact, "%d: %g to %g", i, row.low, row.high);
    }
    close_trial(trial);
}

/* A small step hardly ever crosses from one value to the next: 0 would be no bound. */
Test(estimate, a_parameter_of_separate_values_has_no_derivative)
{
    struct trial *trial = open_sum(DESIGN_DERIVATIVE, 512);
    trial->sweep.parameters[0].distribution =
        (struct distribution){.kind = DISTRIBUTION_DISCRETE, .point_count = 2, .values = {0, 1}, .weights = {1, 1}};
    trial->sweep.pool_count = 2;
    trial->sweep.pool[1] = 1;
    trial->sweep.parameters[1].distribution =
        (struct distribution){.kind = DISTRIBUTION_EMPIRICAL, .point_count = 2, .pool_first = 0};
    run_trial(trial);
    for (int i = 0; i < 3; i++)
        for (int bound = 0; bound < 2; bound++) {
            struct estimate_row row = row_of(trial, bound ? "dgsm_bound" : "dgsm", i, -1);
            cr_expect_eq(isnan(row.value), i < 2, "%d: %g", i, row.value);
            cr_expect_eq(isnan(row.low), i < 2, "%d: %g", i, row.low);
        }
    close_trial(trial);
}

/* --- figures that explain nothing --- */

Test(estimate, a_constant_figure_has_no_shares)
{
    struct trial *trial = open_sum(DESIGN_SALTELLI, 512);
    for (int i = 0; i < 3; i++)
        trial->sweep.parameters[i].distribution =
            (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0.1 * (i + 1), .high = 0.1 * (i + 1) + 1e-15};
    run_trial(trial);
    expect_value(trial, "mean", -1, 0.6, 1e-12);
    for (int i = 0; i < 3; i++) {
        cr_expect(isnan(row_of(trial, "s1", i, -1).value) && isnan(row_of(trial, "s1", i, -1).low));
        cr_expect(isnan(row_of(trial, "st", i, -1).value) && isnan(row_of(trial, "st", i, -1).high));
    }
    close_trial(trial);
}

/* --- runs that fail --- */

/* One run in twenty fails: an index rests on the draws of which all runs it needs did not. */
Test(estimate, failing_runs_cost_an_index_only_their_own_draws)
{
    struct trial *trial = open_trial("fails_at_random", DESIGN_SALTELLI, 1 << 14, 10);
    run_trial(trial);
    for (int i = 0; i < 2; i++) {
        struct estimate_row first = row_of(trial, "s1", i, -1), all = row_of(trial, "st", i, -1);
        cr_expect_float_eq((double)first.n / (1 << 14), 0.95 * 0.95 * 0.95, 0.01);
        cr_expect_float_eq((double)all.n / (1 << 14), 0.95 * 0.95, 0.01);
        cr_expect(first.low < 0.5 && 0.5 < first.high && first.high - first.low < 0.02);
        cr_expect(all.low < 0.5 && 0.5 < all.high && all.high - all.low < 0.02);
    }
    close_trial(trial);
}

/* --- intervals --- */

/* The spread of the others says nothing about a mean that one draw in sixteen decides. */
Test(estimate, a_mean_of_values_too_large_to_square_has_no_interval)
{
    struct trial *trial = open_sum(DESIGN_RANDOM, 512);
    trial->sweep.parameters[0].distribution = (struct distribution){
        .kind = DISTRIBUTION_DISCRETE, .point_count = 2, .values = {0, 1e200}, .weights = {15, 1}};
    run_trial(trial);
    struct estimate_row row = row_of(trial, "mean", -1, -1);
    cr_expect_gt(row.value, 1e198);
    cr_expect(row.n > 400 && row.n < 512, "%llu", (unsigned long long)row.n);
    cr_expect(isnan(row.low) && isnan(row.high), "%g to %g", row.low, row.high);
    close_trial(trial);
}

Test(estimate, there_is_no_interval_without_two_groups)
{
    struct trial *trial = open_trial("product", DESIGN_SALTELLI, 256, 8);
    trial->sweep.groups = 1;
    run_trial(trial);
    for (size_t at = 0; at < trial->row_count; at++) {
        cr_expect(isfinite(trial->rows[at].value));
        cr_expect(isnan(trial->rows[at].low) && isnan(trial->rows[at].high));
    }
    close_trial(trial);
}

Test(estimate, rows_come_by_index_and_dimension)
{
    static const char *const names[] = {"mean",  "s1",    "s1",    "s1",   "st",   "st",  "s2",
                                        "delta", "delta", "delta", "pawn", "pawn", "pawn"};
    static const int dimensions[] = {-1, 0, 1, 2, 0, 1, 0, 0, 1, 2, 0, 1, 2};
    struct trial *trial = open_trial("product", DESIGN_SALTELLI, 512, 9);
    trial->sweep.study.extras = STUDY_SECOND_ORDER | STUDY_DELTA;
    run_trial(trial);
    cr_assert_eq(trial->row_count, sizeof names / sizeof *names);
    for (size_t at = 0; at < trial->row_count; at++) {
        cr_expect_str_eq(trial->rows[at].index, names[at]);
        cr_expect_eq(trial->rows[at].dimension, dimensions[at]);
        cr_expect_eq(trial->rows[at].second, strcmp(names[at], "s2") ? -1 : 1);
    }
    close_trial(trial);
}

/* FNV-1a over the bits of values and ends of intervals: the same on every machine, by every compiler. */
static uint64_t fingerprint(enum design_method method, uint32_t extras)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    struct trial *trial = open_trial("ishigami", method, 2048, 11);
    trial->sweep.study.extras = extras;
    run_trial(trial);
    for (size_t at = 0; at < trial->row_count; at++) {
        const double numbers[] = {trial->rows[at].value, trial->rows[at].low, trial->rows[at].high};
        for (size_t number = 0; number < 3; number++) {
            uint64_t bits = 0; /* of a NaN: sign and payload are nobody's concern */
            if (!isnan(numbers[number])) memcpy(&bits, &numbers[number], sizeof bits);
            sum = (sum ^ bits) * UINT64_C(0x100000001b3);
        }
    }
    close_trial(trial);
    return sum;
}

Test(estimate, estimates_have_their_golden_bits)
{
    static const struct {
        enum design_method method;
        uint32_t extras;
        uint64_t golden;
    } cases[] = {{DESIGN_SALTELLI, STUDY_DELTA, 0xe81bd8b1020b9d77},
                 {DESIGN_SALTELLI, STUDY_SECOND_ORDER, 0x8679eccec745951a},
                 {DESIGN_SHAPLEY, 0, 0xfd88dada749fad20},
                 {DESIGN_DERIVATIVE, 0, 0xec4a49d606aad2e7},
                 {DESIGN_RANDOM, STUDY_DELTA, 0xfc977ce603ea57d0}};
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        uint64_t actual = fingerprint(cases[at].method, cases[at].extras);
        cr_expect_eq(actual, cases[at].golden, "case %zu: 0x%016llx", at, (unsigned long long)actual);
    }
}
