/* What a run says of its study: who drives a figure, how sure it is, and where runs fail. */
#include "drivers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "population_codec.h"
#include "support_linear.h"

static struct sweep sweep;
static struct population *population;
static struct plan *plan;
static struct node *root;
static struct drivers drivers;

static void prepare(enum design_method method, uint64_t draws)
{
    population = linear_population();
    linear_sweep(&sweep, draws);
    sweep.scenario_count = 1;
    sweep.method = method;
    sweep.groups = 16;
    sweep.parameters[LINEAR_GROWTH].distribution =
        (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0.2, .high = 0.6};
    sweep.study = (struct sweep_study){
        .measure_count = 2, .measures = {"flow", "cost_gbp"}, .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION};
}

static void find(void)
{
    char why[256];
    plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    cr_assert_not_null(runner, "%s", why);
    root = block_run(runner, 0);
    cr_assert_not_null(root);
    block_runner_free(runner);
    cr_assert(drivers_find(&drivers, plan, root));
}

static void close_all(void)
{
    drivers_free(&drivers);
    node_free(root);
    plan_free(plan);
    population_free(population);
}

TestSuite(drivers, .fini = close_all);

/* The text in one string; static. */
static const char *text(void)
{
    static char line[4096];
    struct buffer out = {0};
    drivers_write(&drivers, &out);
    snprintf(line, sizeof line, "%.*s", (int)out.size, (const char *)out.data);
    buffer_free(&out);
    return line;
}

Test(drivers, come_by_size_with_their_interval_and_the_floor)
{
    prepare(DESIGN_SALTELLI, 512);
    find();
    const struct finding *flow = &drivers.findings[0];
    cr_assert_eq(flow->count, 2);
    cr_expect_eq(flow->top[0].dimension, 0, "the level has the wider distribution, of hundreds of pupils");
    cr_expect_gt(flow->top[0].value, flow->top[1].value);
    cr_expect(flow->top[0].low < flow->top[0].value && flow->top[0].value < flow->top[0].high);
    cr_expect_eq(flow->floor.dimension, 2);
    cr_expect_str_eq(flow->floor_index, "s1");
    const char *said = text();
    cr_expect_not_null(
        strstr(said, "flow, base, England\nwhat drives it, by total effect (st), with 95 % intervals\n  linear.level "),
        "%s", said);
    cr_expect_not_null(strstr(said, "by chance alone (s1 of a dummy)"), "%s", said);
    cr_expect_not_null(strstr(said, "\ntotal effect (st): share of "), "%s", said);
    cr_expect_not_null(strstr(said, "\nfirst-order effect (s1): share of "), "%s", said);
    cr_expect_not_null(strstr(said, " hours (95 % interval "), "the mean has a unit: %s", said);
}

Test(drivers, of_a_figure_that_does_not_vary_are_none)
{
    prepare(DESIGN_SALTELLI, 512);
    find();
    cr_expect_eq(drivers.findings[1].count, 0);
    cr_expect_eq(drivers.findings[1].floor.dimension, -1);
    cr_expect_null(strstr(text(), "nan"), "%s", text());
    cr_expect_not_null(strstr(text(), "nothing: it does not vary"), "%s", text());
}

/* The ratio is undefined where the price is 0. */
static void study_ratio(enum design_method method, uint32_t prices)
{
    prepare(method, 512);
    sweep.study.measure_count = 1;
    snprintf(sweep.study.measures[0], sizeof sweep.study.measures[0], "ratio");
    sweep.parameters[LINEAR_PRICE].distribution = (struct distribution){
        .kind = DISTRIBUTION_DISCRETE, .point_count = prices, .values = {0, 2}, .weights = {1, 3}};
    find();
}

Test(drivers, of_a_figure_that_is_undefined_in_some_draws_say_in_how_many)
{
    study_ratio(DESIGN_SALTELLI, 2);
    cr_expect_eq(drivers.findings[0].defined, 384);
    cr_expect_not_null(strstr(text(), "\n  of the 75 % of draws in which it is defined\n"), "%s", text());
    close_all();
    study_ratio(DESIGN_SALTELLI, 1);
    cr_expect_not_null(strstr(text(), "nothing: it is undefined in every draw"), "%s", text());
    cr_expect_null(strstr(text(), "does not vary"), "%s", text());
}

Test(drivers, by_derivatives_say_which_parameters_have_none)
{
    prepare(DESIGN_DERIVATIVE, 512);
    sweep.parameters[LINEAR_GROWTH].distribution =
        (struct distribution){.kind = DISTRIBUTION_DISCRETE, .point_count = 2, .values = {0, 2}, .weights = {1, 1}};
    find();
    cr_expect_eq(drivers.findings[0].count, 1);
    cr_expect_not_null(strstr(text(), "no derivative by linear.growth: its values come in steps"), "%s", text());
    cr_expect_null(strstr(text(), "no derivative by linear.level"), "%s", text());
}

Test(drivers, of_one_run_at_each_end_have_no_interval)
{
    prepare(DESIGN_ONE_AT_A_TIME, 5);
    sweep.groups = 0;
    find();
    cr_expect_str_eq(drivers.index, "swing");
    cr_assert_eq(drivers.findings[0].count, 2);
    cr_expect(isnan(drivers.findings[0].top[0].low), "two runs have no interval");
    cr_expect(isnan(drivers.findings[0].mean.value));
    cr_expect_eq(drivers.findings[1].count, 0, "a cost that no run changes is driven by nothing");
    cr_expect_null(strstr(text(), "interval"), "%s", text());
}

Test(drivers, of_another_area_are_named_where_another_leads)
{
    prepare(DESIGN_SALTELLI, 512);
    find();
    cr_expect_null(strstr(text(), "another leads"), "%s", text());
    drivers.findings[2].top[0].dimension = 1; /* flow, the first region */
    cr_expect_not_null(strstr(text(), "\n  another leads in\n    "), "%s", text());
    cr_expect_not_null(strstr(text(), " linear.growth\n"), "%s", text());
}

Test(drivers, of_a_single_figure_have_a_line_for_each_other_area)
{
    prepare(DESIGN_SALTELLI, 512);
    sweep.study.measure_count = 1;
    find();
    const char *lines = strstr(text(), "  by area: linear.level, linear.growth\n");
    cr_assert_not_null(lines, "%s", text());
    size_t areas = 0;
    for (const char *at = lines; (at = strstr(at, "\n    ")); at++) areas++;
    cr_expect_eq(areas, 2, "%s", lines);
    drivers.findings[2].top[0].dimension = 1;
    drivers.findings[2].top[1].dimension = 0;
    cr_expect_not_null(strstr(text(), "\n  by area: linear.growth, linear.level\n"), "%s", text());
    close_all();
    prepare(DESIGN_SALTELLI, 512);
    sweep.study.measure_count = 1;
    sweep.study.levels = 1u << AREA_ENGLAND;
    find();
    cr_expect_null(strstr(text(), "by area"), "%s", text());
}

Test(drivers, a_mean_is_settled_when_its_interval_is_narrow)
{
    prepare(DESIGN_SOBOL, 512);
    find();
    cr_expect_null(drivers.index, "a Sobol' design ranks nothing");
    cr_expect_leq(drivers_half_width(&drivers.findings[0]), DRIVERS_SETTLED);
    cr_expect_not_null(strstr(text(), "\n  settled: known to "), "%s", text());
    close_all();
    prepare(DESIGN_RANDOM, 512);
    find();
    cr_expect_gt(drivers_half_width(&drivers.findings[0]), DRIVERS_SETTLED);
    cr_expect_not_null(strstr(text(), "\n  not settled: known to "), "%s", text());
}

Test(drivers, too_few_draws_for_delta_are_no_figure_that_does_not_vary)
{
    prepare(DESIGN_SOBOL, STUDY_DELTA_RUNS / 2);
    sweep.study.extras = STUDY_DELTA;
    find();
    cr_expect_not_null(strstr(text(), "nothing: it is defined in too few draws for delta"), "%s", text());
    close_all();
    prepare(DESIGN_SOBOL, STUDY_DELTA_RUNS);
    sweep.study.extras = STUDY_DELTA;
    find();
    cr_expect_null(strstr(text(), "too few draws"), "%s", text());
}

Test(drivers, a_mean_of_one_replicate_has_no_interval_and_says_so)
{
    prepare(DESIGN_RANDOM, 512);
    sweep.groups = 0;
    find();
    cr_expect_not_null(strstr(text(), "fewer than two replicates"), "%s", text());
    cr_expect_null(strstr(text(), "nan"), "%s", text());
    close_all();
    prepare(DESIGN_SOBOL, MODEL_LANES); /* which are all of the first of its replicates */
    find();
    cr_expect_not_null(strstr(text(), "fewer than two replicates"), "%s", text());
}

Test(drivers, failed_runs_are_placed_in_values_of_the_parameter)
{
    prepare(DESIGN_SOBOL, 512);
    sweep.parameters[LINEAR_FAIL_ABOVE].central = 1.25; /* the level is 0.5 to 1.5 */
    find();
    cr_assert(drivers.failed);
    cr_expect_eq(drivers.box.runs, 128);
    const char *said = text();
    cr_expect_not_null(strstr(said, "128 runs failed, at least"), "%s", said);
    cr_expect_not_null(strstr(said, "  linear.level                         above 1.25\n"), "%s", said);
    cr_expect_null(strstr(strstr(said, "runs failed"), "linear.growth"), "%s", said);
}

/* The longest names of the model that ships, of areas and of parameters, are as long as these at most. */
Test(drivers, fit_into_eighty_columns)
{
    static const enum design_method methods[] = {DESIGN_SALTELLI, DESIGN_SHAPLEY, DESIGN_MORRIS, DESIGN_DERIVATIVE};
    for (size_t at = 0; at < sizeof methods / sizeof *methods; at++) {
        prepare(methods[at], 512);
        if (methods[at] == DESIGN_MORRIS) sweep.groups = 0, sweep.design_levels = 4;
        find();
        for (const char *line = text(), *end; (end = strchr(line, '\n')); line = end + 1)
            cr_expect_leq(end - line, 80, "%.*s", (int)(end - line), line);
        close_all();
    }
    prepare(DESIGN_SOBOL, 512);
    find();
}

Test(drivers, json_has_no_codes_of_its_own)
{
    prepare(DESIGN_SALTELLI, 512);
    find();
    json_t *object = json_object();
    drivers_describe(&drivers, object);
    json_t *flow = json_array_get(json_object_get(object, "drivers"), 0);
    cr_expect_str_eq(json_string_value(json_object_get(flow, "year")), "all");
    cr_expect_str_eq(json_string_value(json_object_get(flow, "unit")), "hours");
    json_decref(object);
}

Test(drivers, json_has_null_for_what_is_undefined)
{
    prepare(DESIGN_SALTELLI, 512);
    find();
    json_t *object = json_object();
    drivers_describe(&drivers, object);
    json_t *list = json_object_get(object, "drivers"), *flow = json_array_get(list, 0), *cost = json_array_get(list, 1);
    cr_assert_eq(json_array_size(list), 2, "England's figures");
    cr_expect_eq(json_array_size(json_object_get(flow, "top")), 2);
    cr_expect_eq(json_array_size(json_object_get(cost, "top")), 0);
    cr_expect(json_is_null(json_object_get(cost, "floor")));
    cr_expect(json_is_null(json_object_get(json_object_get(cost, "mean"), "relative_half_width")));
    cr_expect_null(json_object_get(object, "failed"));
    json_decref(object);
}
