/* Studies of figures that are hard on arithmetic: far from 0, huge, tiny, constant, in steps, mostly undefined; of few
 * draws and of many parameters. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "support_study.h"

/* Settings of the model `scaled`, in the order of its parameters behind x1 to x3. */
struct figure {
    const char *what;
    double offset, scale, steps, share, fails;
};

static const struct figure plain = {"plain", 0, 1, 0, 1, 0};

struct shape {
    enum design_method method;
    uint32_t extras;
};

static const struct shape shapes[] = {{DESIGN_RANDOM, STUDY_DELTA}, {DESIGN_SOBOL, STUDY_DELTA},
                                      {DESIGN_LATIN_HYPERCUBE, 0},  {DESIGN_SALTELLI, STUDY_DELTA},
                                      {DESIGN_SHAPLEY, 0},          {DESIGN_SALTELLI, STUDY_SECOND_ORDER},
                                      {DESIGN_DERIVATIVE, 0},       {DESIGN_MORRIS, 0}};
#define SHAPES (sizeof shapes / sizeof *shapes)

static struct trial *run_figure(const struct figure *figure, const struct shape *shape, uint64_t draws, uint32_t groups)
{
    const double settings[] = {figure->offset, figure->scale, figure->steps, figure->share, figure->fails};
    struct trial *trial = open_trial("scaled", shape->method, draws, 5);
    bool morris = shape->method == DESIGN_MORRIS;
    trial->sweep.groups = morris ? 0 : groups;
    trial->sweep.design_levels = morris ? 4 : 0;
    trial->sweep.study.extras = shape->extras;
    for (size_t at = 0; at < 5; at++) trial->sweep.parameters[3 + at].central = settings[at];
    run_trial(trial);
    return trial;
}

static bool is_share(const char *index)
{
    static const char *const shares[] = {"s1", "st", "s2", "shapley", "dgsm_bound", "delta", "pawn"};
    for (size_t at = 0; at < sizeof shares / sizeof *shares; at++)
        if (strcmp(index, shares[at]) == 0) return true;
    return false;
}

/* Against the same study of the figure as it is: dgsm_bound comes from small steps, where rounding shows more. */
static void expect_same_shares(const struct figure *figure, const struct shape *shape)
{
    struct trial *one = run_figure(&plain, shape, 1024, 16);
    struct estimate_row row;
    double kept[128][3];
    cr_assert_leq(one->row_count, 128);
    for (size_t at = 0; at < one->row_count; at++) {
        row = one->rows[at];
        memcpy(kept[at], (double[]){row.value, row.low, row.high}, sizeof kept[at]);
    }
    close_trial(one);
    struct trial *other = run_figure(figure, shape, 1024, 16);
    for (size_t at = 0; at < other->row_count; at++) {
        row = other->rows[at];
        bool steps = strcmp(row.index, "dgsm_bound") == 0;
        double bound = steps ? 0.02 : 1e-6;
        if (!is_share(row.index)) continue;
        cr_expect_float_eq(row.value, kept[at][0], bound, "%s, %s of %d: %g, not %g", figure->what, row.index,
                           row.dimension, row.value, kept[at][0]);
        if (steps) continue; /* the rounding is of few steps, and moves the interval more */
        cr_expect(isnan(row.low) ? isnan(kept[at][1]) : fabs(row.low - kept[at][1]) < bound);
        cr_expect(isnan(row.high) ? isnan(kept[at][2]) : fabs(row.high - kept[at][2]) < bound);
    }
    close_trial(other);
}

/* The standard deviation is 0.527. */
Test(extremes, shares_of_the_variance_do_not_hang_on_where_a_figure_lies_or_on_its_unit)
{
    static const struct figure figures[] = {{"10^9 standard deviations from 0", 0.527e9, 1, 0, 1, 0},
                                            {"in small units", -1e12, 1e3, 0, 1, 0},
                                            {"huge", 0, 1e139, 0, 1, 0},
                                            {"tiny", 0, 1e-138, 0, 1, 0}};
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        for (size_t shape = 0; shape < SHAPES; shape++) expect_same_shares(&figures[at], &shapes[shape]);
}

Test(extremes, shares_of_what_does_not_vary_or_cannot_be_squared_are_empty)
{
    static const struct figure figures[] = {{"constant", 7, 0, 0, 1, 0},
                                            {"never defined", 0, 1, 0, 0, 0},
                                            {"failing always", 0, 1, 0, 0, 1},
                                            {"beyond squares", 0, 1e145, 0, 1, 0},
                                            {"huge", 0, 1e300, 0, 1, 0}};
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        for (size_t shape = 0; shape < SHAPES; shape++) {
            struct trial *trial = run_figure(&figures[at], &shapes[shape], 512, 16);
            for (size_t row = 0; row < trial->row_count; row++)
                cr_expect(!is_share(trial->rows[row].index) || isnan(trial->rows[row].value), "%s, %s: %g",
                          figures[at].what, trial->rows[row].index, trial->rows[row].value);
            close_trial(trial);
        }
}

/* But for delta and pawn, which count and do not square. */
Test(extremes, shares_of_what_is_too_small_to_be_squared_are_empty)
{
    static const struct figure figures[] = {{"below squares", 0, 1e-142, 0, 1, 0}, {"tiny", 0, 1e-300, 0, 1, 0}};
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        for (size_t shape = 0; shape < SHAPES; shape++) {
            struct trial *trial = run_figure(&figures[at], &shapes[shape], 512, 16);
            for (size_t row = 0; row < trial->row_count; row++) {
                const char *index = trial->rows[row].index;
                bool counts = strcmp(index, "delta") == 0 || strcmp(index, "pawn") == 0;
                cr_expect(!is_share(index) || counts || isnan(trial->rows[row].value), "%s, %s: %g", figures[at].what,
                          index, trial->rows[row].value);
            }
            close_trial(trial);
        }
}

/* Value inside its interval, which is there with both ends or with none, and nothing infinite. */
static void expect_sound(const struct trial *trial, const char *what)
{
    for (size_t at = 0; at < trial->row_count; at++) {
        const struct estimate_row *row = &trial->rows[at];
        cr_expect(!isinf(row->value) && !isinf(row->low) && !isinf(row->high), "%s: %s of %d", what, row->index,
                  row->dimension);
        cr_expect_eq(isnan(row->low), isnan(row->high), "%s: %s of %d", what, row->index, row->dimension);
        cr_expect(isnan(row->low) || (row->low <= row->value && row->value <= row->high), "%s: %s of %d", what,
                  row->index, row->dimension);
        cr_expect(row->n > 0 || isnan(row->value), "%s: %s of %d", what, row->index, row->dimension);
    }
}

Test(extremes, every_estimate_is_finite_with_its_interval_or_empty)
{
    static const struct figure figures[] = {
        {"plain", 0, 1, 0, 1, 0},           {"huge", 1e300, 1e300, 0, 1, 0},
        {"at the edge", 0, 4e139, 0, 1, 0}, {"tiny", 0, 1e-300, 0, 1, 0},
        {"yes or no", 0, 1, 1, 1, 0},       {"undefined in 9 of 10", 0, 1, 0, 0.1, 0},
        {"defined once", 0, 1, 0, 0.01, 0}, {"failing in half", 1e9, 1, 0, 0.5, 1}};
    static const struct {
        uint64_t draws;
        uint32_t groups;
    } sizes[] = {{1, 16}, {2, 16}, {33, 2}, {100, 64}, {512, 1}, {512, 64}};
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++)
            for (size_t shape = 0; shape < SHAPES; shape++) {
                struct trial *trial = run_figure(&figures[at], &shapes[shape], sizes[size].draws, sizes[size].groups);
                expect_sound(trial, figures[at].what);
                close_trial(trial);
            }
}

Test(extremes, when_half_of_the_runs_fail_the_indices_are_those_of_the_others)
{
    static const struct figure half = {"failing in half", 1e9, 1, 0, 0.5, 1};
    for (size_t shape = 3; shape < 6; shape++) {
        struct trial *trial = run_figure(&half, &shapes[shape], 8192, 16);
        expect_value(trial, "s1", 0, 0.675, 0.03);
        expect_value(trial, "s1", 1, 0.3, 0.03);
        expect_value(trial, "st", 0, 0.7, 0.03);
        expect_value(trial, "st", 1, 0.325, 0.03);
        cr_expect_float_eq((double)row_of(trial, "mean", -1, -1).n, 4096, 64);
        close_trial(trial);
    }
}

/* Whole numbers 0, 1 and 2; exact values by the midpoint rule over 200,000 points. */
Test(extremes, figures_in_whole_numbers_have_their_indices)
{
    static const struct figure whole = {"whole numbers", 0, 1, 1, 1, 0};
    struct trial *trial = run_figure(&whole, &(struct shape){DESIGN_SALTELLI, STUDY_DELTA}, 1 << 14, 16);
    expect_value(trial, "s1", 0, 0.53076, 0.02);
    expect_value(trial, "s1", 1, 0.21004, 0.02);
    expect_value(trial, "delta", 0, 0.33777, 0.02);
    expect_value(trial, "delta", 1, 0.19130, 0.02);
    expect_value(trial, "delta", 2, 0, 0.005);
    close_trial(trial);
}

Test(extremes, a_parameter_that_does_nothing_gets_exactly_nothing_of_the_variance)
{
    for (size_t shape = 3; shape < 6; shape++) {
        struct trial *trial = run_figure(&plain, &shapes[shape], 512, 16);
        cr_expect_eq(row_of(trial, "s1", 2, -1).value, 0);
        cr_expect_eq(row_of(trial, "st", 2, -1).value, 0);
        close_trial(trial);
    }
}

Test(extremes, delta_of_too_few_runs_is_empty)
{
    struct trial *trial = run_figure(&plain, &shapes[0], 255, 16);
    cr_expect(isnan(row_of(trial, "delta", 0, -1).value));
    cr_expect(isfinite(row_of(trial, "pawn", 0, -1).value));
    close_trial(trial);
}

/* The pilot's 512 draws have none of the defined ones, so that all bins lie elsewhere. */
Test(extremes, delta_of_a_figure_that_the_pilot_did_not_see_is_empty)
{
    static const struct figure rare = {"defined once in 5,000", 1e9, 1, 0, 0.0002, 0};
    struct trial *trial = run_figure(&rare, &shapes[0], 1 << 16, 16);
    struct estimate_row delta = row_of(trial, "delta", 0, -1), pawn = row_of(trial, "pawn", 0, -1);
    cr_expect_gt(delta.n, 0);
    cr_expect(isnan(delta.value) && isnan(pawn.value), "%g, %g", delta.value, pawn.value);
    close_trial(trial);
}

/* By the function's own formula, tests/model/functions/wide.c. */
Test(extremes, many_parameters_have_their_indices_and_all_their_pairs)
{
    enum { INPUTS = 45 };
    double variance = 22.0 / 144;
    for (int at = 1; at <= INPUTS; at++) variance += 1 / (12.0 * at * at);
    struct trial *trial = open_trial("wide", DESIGN_SALTELLI, 2048, 5);
    trial->sweep.study.extras = STUDY_SECOND_ORDER;
    run_trial(trial);
    cr_assert_eq(trial->row_count, 1 + (INPUTS + 1) + INPUTS + INPUTS * (INPUTS - 1) / 2);
    for (int at = 0; at < INPUTS; at++)
        expect_value(trial, "s1", at, 1 / (12.0 * (at + 1) * (at + 1)) / variance, 0.02);
    cr_expect_float_eq(row_of(trial, "s2", 0, 1).value, 1 / 144.0 / variance, 0.01);
    cr_expect_float_eq(row_of(trial, "s2", 0, 2).value, 0, 0.01);
    expect_sound(trial, "wide");
    close_trial(trial);
}
