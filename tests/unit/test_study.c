/* How large the study of a plan is. */
#include "study.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "plan.h"
#include "plugin.h"
#include "population_codec.h"
#include "support_linear.h"
#include "support_study.h"

static struct sweep sweep;
static struct population *population;
static struct plan *plan;
static char why[400];

static void open_sweep(void)
{
    population = linear_population();
    linear_sweep(&sweep, 4096);
    sweep.parameters[LINEAR_GROWTH].distribution =
        (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0, .high = 1};
    sweep.parameters[LINEAR_PRICE].distribution = sweep.parameters[LINEAR_GROWTH].distribution;
    sweep.groups = 16;
    sweep.study = (struct sweep_study){.measure_count = 1, .measures = {"flow"}, .levels = 1u << AREA_ENGLAND};
}

static void lay_out(enum design_method method)
{
    sweep.method = method;
    if (plan) plan_free(plan);
    why[0] = '\0';
    plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
}

static void close_sweep(void)
{
    if (plan) plan_free(plan);
    population_free(population);
}

TestSuite(study, .init = open_sweep, .fini = close_sweep);

#define DIMENSIONS 3

/* By hand: row 0 takes 3 sums, A and B 8, a dimension of Saltelli 6, with second order 4 and a pair 2, an effect 4, and
 * a dimension of Shapley 8. */
Test(study, each_method_has_its_sums_in_each_group)
{
    static const struct {
        enum design_method method;
        uint32_t extras;
        size_t sums;
    } cases[] = {{DESIGN_RANDOM, 0, 3},
                 {DESIGN_SOBOL, 0, 3},
                 {DESIGN_LATIN_HYPERCUBE, 0, 3},
                 {DESIGN_SALTELLI, 0, 3 + 8 + 3 * 6},
                 {DESIGN_SALTELLI, STUDY_SECOND_ORDER, 3 + 8 + 3 * 4 + 3 * 2},
                 {DESIGN_DERIVATIVE, 0, 3 + 3 * 4},
                 {DESIGN_SHAPLEY, 0, 3 + 8 + 3 * 8}};
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        sweep.study.extras = cases[at].extras;
        lay_out(cases[at].method);
        cr_assert_not_null(plan, "%s", why);
        cr_expect_eq(plan->study.dimensions, DIMENSIONS);
        cr_expect_eq(plan->study.group_sums, cases[at].sums, "method %d: %zu", (int)cases[at].method,
                     plan->study.group_sums);
        cr_expect_eq(plan->study.sum_count, 16 * cases[at].sums);
        cr_expect_eq(plan->study.count_count, DIMENSIONS * STUDY_FAILURE_CLASSES + 1);
        cr_expect_eq(plan->shape.sums, plan->study.sum_count);
    }
}

Test(study, one_at_a_time_has_a_place_for_each_draw)
{
    sweep.groups = 0;
    sweep.draws = 1 + 2 * DIMENSIONS;
    lay_out(DESIGN_ONE_AT_A_TIME);
    cr_assert_not_null(plan, "%s", why);
    cr_expect_eq(plan->study.sum_count, 2 * sweep.draws);
}

Test(study, targets_are_differences_of_each_area_and_measure)
{
    sweep.study = (struct sweep_study){.measure_count = 2,
                                       .measures = {"flow", "ratio"},
                                       .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION,
                                       .extras = STUDY_DELTA};
    lay_out(DESIGN_SOBOL);
    cr_assert_not_null(plan, "%s", why);
    const struct study *study = &plan->study;
    cr_assert_eq(study->target_count, 3 * 2); /* England and two regions */
    for (size_t at = 0; at < study->target_count; at++) {
        const struct study_target *target = &study->targets[at];
        cr_expect_eq(target->column, sweep.scenario_count);
        cr_expect_eq(target->area, at / 2);
        cr_expect_eq(target->figure, plan_figure(plan, target->column, target->area, target->kept));
    }
    cr_expect_eq(study->target_counts, (DIMENSIONS + 1) * STUDY_CLASSES * STUDY_BINS);
    cr_expect_eq(study_failures_at(study), study->target_count * study->target_counts);
    cr_expect_eq(study->count_count, study_failures_at(study) + DIMENSIONS * STUDY_FAILURE_CLASSES + 1);
}

Test(study, pairs_are_numbered_one_after_another)
{
    size_t expected = 0;
    for (size_t i = 0; i < 7; i++)
        for (size_t j = i + 1; j < 7; j++) cr_expect_eq(study_pair(7, i, j), expected++);
}

Test(study, a_sweep_without_study_counts_where_runs_fail_and_no_more)
{
    sweep.study = (struct sweep_study){0};
    lay_out(DESIGN_SALTELLI);
    cr_assert_not_null(plan, "%s", why);
    cr_expect_eq(plan->study.target_count, 0);
    cr_expect_eq(plan->study.sum_count, 0);
    cr_expect_eq(plan->study.rows, 1);
    cr_expect_eq(plan->study.count_count, DIMENSIONS * STUDY_FAILURE_CLASSES + 1);
}

/* 30 differences, 3 areas and 2 measures, each with 16 x 3 sums and 4 x 64 x 128 counts: by hand. */
Test(study, what_is_too_large_is_told_what_to_leave_out)
{
    sweep.study = (struct sweep_study){.measure_count = 2,
                                       .measures = {"flow", "ratio"},
                                       .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION,
                                       .extras = STUDY_DELTA};
    sweep.scenario_count = 31;
    for (size_t at = 0; at < sweep.scenario_count; at++)
        snprintf(sweep.scenarios[at].name, SWEEP_NAME_BYTES, "scenario %zu", at);
    lay_out(DESIGN_SOBOL);
    cr_assert_null(plan);
    cr_expect_str_eq(why, "the study has 180 figures (measures x areas x scenarios) that take 32816 sums each, with 3 "
                          "parameters and 16 replicates; at most 4194304 sums in all: study at most 127 figures, or "
                          "leave out delta");
    sweep.study.extras |= STUDY_SECOND_ORDER;
    lay_out(DESIGN_SALTELLI);
    cr_assert_null(plan);
    cr_expect_null(strstr(why, "second_order"), "without it the study is as large: %s", why);
}

/* 31 differences with 64 x (11 + 45 x 4 + 990 x 2) sums each: by hand. */
Test(study, pairs_of_many_parameters_are_what_there_is_to_leave_out)
{
    struct trial *trial = open_trial("wide", DESIGN_SALTELLI, 64, 1);
    trial->sweep.groups = 64;
    trial->sweep.scenario_count = 32;
    for (size_t at = 0; at < 32; at++) snprintf(trial->sweep.scenarios[at].name, SWEEP_NAME_BYTES, "scenario %zu", at);
    trial->sweep.study.extras = STUDY_SECOND_ORDER;
    cr_assert_null(plan_new(&trial->sweep, trial->population, &trial->plugin->model, why, sizeof why));
    cr_expect_str_eq(why, "the study has 31 figures (measures x areas x scenarios) that take 138944 sums each, with 45 "
                          "parameters and 64 replicates; at most 4194304 sums in all: study at most 30 figures, or "
                          "leave out second_order");
    close_trial(trial);
}

Test(study, what_is_unknown_or_too_large_is_refused)
{
    sweep.study.extras = STUDY_DELTA;
    sweep.study.measure_count = 1;
    snprintf(sweep.study.measures[0], sizeof sweep.study.measures[0], "wealth");
    lay_out(DESIGN_SOBOL);
    cr_assert_null(plan);
    cr_expect_not_null(strstr(why, "'wealth'"), "%s", why);

    snprintf(sweep.study.measures[0], sizeof sweep.study.measures[0], "flow");
    sweep.groups = 0;
    sweep.draws = STUDY_SUMS_MAX;
    lay_out(DESIGN_ONE_AT_A_TIME);
    cr_assert_null(plan);
    cr_expect_not_null(strstr(why, "at most 4194304"), "%s", why);
}
