/* Stop rules, against the estimates that they rest on. */
#include "stop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plugin.h"
#include "support_study.h"

static struct trial *open_ruled(const char *model, enum design_method method, uint64_t draws, struct sweep_stop stop)
{
    struct trial *trial = open_trial(model, method, draws, 11);
    trial->sweep.stop = stop;
    snprintf(trial->sweep.stop.measure, sizeof trial->sweep.stop.measure, "y");
    snprintf(trial->sweep.stop.area_code, sizeof trial->sweep.stop.area_code, "E92000001");
    return trial;
}

static bool is_met(const struct trial *trial)
{
    bool met;
    cr_assert(stop_is_met(trial->plan, trial->root, &met));
    return met;
}

Test(stop, the_first_look_comes_once_every_group_has_draws_enough)
{
    const struct {
        uint32_t groups, draws_per_block, level;
    } rows[] = {{0, 512, 0},  {1, 512, 0}, {16, 512, 1}, {16, 32, 5},
                {64, 512, 3}, {2, 1, 9},   {64, 1, 12},  {16, 600, 1}};
    static struct sweep sweep;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        sweep = (struct sweep){.groups = rows[row].groups, .draws_per_block = rows[row].draws_per_block, .draws = 1};
        cr_expect_eq(stop_first_level(&sweep), STOP_NO_RULE, "row %zu", row);
        sweep.stop.kind = STOP_HALF_WIDTH;
        cr_expect_eq(stop_first_level(&sweep), rows[row].level, "row %zu", row);
        sweep.draws = SWEEP_DRAWS_MAX;
        cr_expect_eq(stop_first_level(&sweep), rows[row].level, "row %zu: more draws change nothing", row);
    }
}

Test(stop, a_half_width_is_that_of_the_mean_at_the_confidence_of_the_rule)
{
    const struct sweep_stop rule = {.kind = STOP_HALF_WIDTH, .half_width = 1, .confidence = 0.95};
    struct trial *trial = open_ruled("ishigami", DESIGN_RANDOM, 4096, rule);
    run_trial(trial);
    const struct estimate_row mean = row_of(trial, "mean", -1, -1);
    const double half = (mean.high - mean.low) / 2;
    cr_assert_gt(half, 0.05, "sd 3.7 over 64, of random draws");
    cr_assert_lt(half, 0.3);
    cr_expect_eq(stop_half_width(trial->plan, trial->root), half);
    trial->sweep.stop.half_width = half;
    cr_expect(is_met(trial), "no wider than asked for");
    trial->sweep.stop.half_width = nextafter(half, 0);
    cr_expect_not(is_met(trial));
    trial->sweep.stop.confidence = 0.5;
    cr_expect(is_met(trial), "less sure is narrower");
    close_trial(trial);
}

/* Totals of Ishigami's function: 0.56, 0.44, 0.24. */
Test(stop, drivers_stand_apart_when_no_interval_reaches_over)
{
    for (int method = 0; method < 2; method++) {
        const enum design_method design = method == 0 ? DESIGN_SALTELLI : DESIGN_SHAPLEY;
        const struct sweep_stop rule = {.kind = STOP_RANKING, .top = 2, .confidence = 0.95};
        struct trial *trial = open_ruled("ishigami", design, 1 << 13, rule);
        run_trial(trial);
        const char *index = method == 0 ? "st" : "shapley";
        const struct estimate_row one = row_of(trial, index, 0, -1), two = row_of(trial, index, 1, -1);
        const struct estimate_row three = row_of(trial, index, 2, -1);
        cr_assert(one.low > three.high && two.low > three.high, "%s", index);
        cr_expect(is_met(trial), "%s: two above the third", index);
        trial->sweep.stop.top = 1;
        const struct estimate_row *first = one.value > two.value ? &one : &two, *second = first == &one ? &two : &one;
        cr_expect_eq(is_met(trial), first->low > second->high, "%s: the first above the second", index);
        close_trial(trial);
    }
}

Test(stop, drivers_without_effect_never_stand_apart)
{
    const struct sweep_stop rule = {.kind = STOP_RANKING, .top = 4, .confidence = 0.95};
    struct trial *trial = open_ruled("sobol_g", DESIGN_SALTELLI, 4096, rule);
    run_trial(trial);
    cr_expect(is_met(trial), "4.5 and 9 against 99");
    trial->sweep.stop.top = 5;
    cr_expect_not(is_met(trial), "99 against 99");
    close_trial(trial);
}

Test(stop, a_figure_that_does_not_vary_is_sure_and_has_no_drivers)
{
    const struct sweep_stop width = {.kind = STOP_HALF_WIDTH, .half_width = 1e-300, .confidence = 0.95};
    struct trial *trial = open_ruled("sobol_g", DESIGN_SALTELLI, 1024, width);
    for (uint32_t at = 0; at < trial->sweep.parameter_count; at++)
        trial->sweep.parameters[at].distribution =
            (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0.25, .high = 0.25 + 1e-13};
    run_trial(trial);
    trial->sweep.stop = (struct sweep_stop){.kind = STOP_RANKING, .top = 1, .confidence = 0.95};
    cr_expect_not(is_met(trial), "shares of no variance are undefined");
    close_trial(trial);
}

/* ---- what the plan refuses ---- */

static void expect_refused(struct trial *trial, const char *reason)
{
    char why[512] = "";
    struct plan *plan = plan_new(&trial->sweep, trial->population, &trial->plugin->model, why, sizeof why);
    cr_expect_null(plan, "%s", reason);
    cr_expect(strstr(why, reason), "'%s' does not say '%s'", why, reason);
    plan_free(plan);
}

Test(stop, a_rule_that_can_never_be_looked_at_is_refused_with_the_reason)
{
    const struct sweep_stop rule = {.kind = STOP_HALF_WIDTH, .half_width = 1, .confidence = 0.95};
    struct trial *trial = open_ruled("ishigami", DESIGN_SALTELLI, 4096, rule);
    struct sweep *sweep = &trial->sweep;
    snprintf(sweep->stop.area_code, sizeof sweep->stop.area_code, "E12000001");
    expect_refused(trial, "not among those that are studied");
    snprintf(sweep->stop.area_code, sizeof sweep->stop.area_code, "E92000001");
    snprintf(sweep->stop.measure, sizeof sweep->stop.measure, "z");
    expect_refused(trial, "not among those that are studied");
    snprintf(sweep->stop.measure, sizeof sweep->stop.measure, "y");
    sweep->stop.scenario = 1;
    expect_refused(trial, "not among those that are studied");
    sweep->stop.scenario = 0;
    sweep->groups = 1;
    expect_refused(trial, "at least 2 replicates");
    sweep->groups = 16;
    sweep->method = DESIGN_LATIN_HYPERCUBE;
    expect_refused(trial, "no end but its last draw");
    sweep->method = DESIGN_SOBOL;
    sweep->stop = (struct sweep_stop){
        .kind = STOP_RANKING, .measure = "y", .area_code = "E92000001", .top = 1, .confidence = 0.95};
    expect_refused(trial, "needs the design saltelli or shapley");
    sweep->method = DESIGN_SHAPLEY;
    sweep->stop.top = 3;
    expect_refused(trial, "all that there are");
    close_trial(trial);
}
