/* Discovery: a block's kept draws to boxes in the parameters' own units. */
#include "discover.h"

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
static struct design *design;
static struct node *root;

/* What the sink was told. */
static struct {
    size_t boxes, targets, bound_count;
    struct discovery last;
    struct prim_box chosen; /* the last one */
    struct discover_bound bounds[LINEAR_PARAMETERS];
} told;

static void prepare(uint64_t draws, const char *measure, enum threshold_side side, double value)
{
    population = linear_population();
    linear_sweep(&sweep, draws);
    sweep.method = DESIGN_SOBOL;
    sweep.parameters[LINEAR_PRICE].distribution = (struct distribution){
        .kind = DISTRIBUTION_DISCRETE, .point_count = 3, .values = {1, 2, 4}, .weights = {1, 1, 1}};
    sweep.scenario_count = 1;
    sweep.keep_draws = 1;
    sweep.study = (struct sweep_study){
        .measure_count = 2, .measures = {"flow", "cost_gbp"}, .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION};
    sweep.discover = (struct sweep_threshold){.side = side, .value = value};
    snprintf(sweep.discover.measure, sizeof sweep.discover.measure, "%s", measure);
}

/* Runs all blocks into the root. */
static void run_sweep(void)
{
    struct node *blocks[64];
    char why[256];
    plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    cr_assert_not_null(runner, "%s", why);
    size_t count = sweep_block_count(&sweep);
    cr_assert_leq(count, 64);
    for (size_t at = 0; at < count; at++) cr_assert_not_null(blocks[at] = block_run(runner, at));
    root = node_fold(blocks, count);
    design = design_new(&sweep, why, sizeof why);
    cr_assert(root && design);
    for (size_t at = 0; at < count; at++) node_free(blocks[at]);
    block_runner_free(runner);
}

static void close_all(void)
{
    design_free(design);
    node_free(root);
    plan_free(plan);
    population_free(population);
}

TestSuite(discover, .fini = close_all);

static bool hear_box(void *context, const struct study_target *target, const struct discover_box *box)
{
    (void)context, (void)target;
    told.boxes++;
    if (!box->box->chosen) return true;
    told.chosen = *box->box;
    told.bound_count = box->bound_count;
    memcpy(told.bounds, box->bounds, box->bound_count * sizeof *box->bounds);
    return true;
}

static bool hear_end(void *context, const struct discovery *discovery)
{
    (void)context;
    told.targets++;
    told.last = *discovery;
    return true;
}

static void look(void)
{
    struct discover_sink sink = {.box = hear_box, .done = hear_end};
    run_sweep();
    memset(&told, 0, sizeof told);
    cr_assert(discover(plan, design, root, &sink));
}

/* England has 2835.75 pupils; three years; flow = 3 pupils level + 3, level uniform on 0.5 to 1.5. */
Test(discover, a_threshold_of_a_linear_model_is_found_where_it_is)
{
    prepare(4096, "flow", THRESHOLD_BELOW, 3 * 2835.75 * 0.8 + 3);
    look();
    cr_assert_eq(told.targets, 1, "flow in England, not in its regions, and not the cost");
    cr_expect_eq(told.last.result, PRIM_FOUND);
    cr_expect_eq(told.last.draws, 4096);
    cr_expect_float_eq((double)told.last.yes / 4096, 0.3, 0.01);
    cr_assert_eq(told.bound_count, 1);
    cr_expect_eq(told.bounds[0].parameter, LINEAR_LEVEL);
    cr_expect(isnan(told.bounds[0].low) && !told.bounds[0].is_discrete);
    cr_expect_float_eq(told.bounds[0].high, 0.8, 0.005);
    cr_expect(told.chosen.coverage > 0.98 && told.chosen.density > 0.98);
}

Test(discover, a_discrete_parameter_is_bounded_by_its_values)
{
    prepare(1024, "cost_gbp", THRESHOLD_AT_LEAST, 2835.75 * 3);
    look();
    cr_assert_eq(told.bound_count, 1);
    cr_expect_eq(told.bounds[0].parameter, LINEAR_PRICE);
    cr_expect(told.bounds[0].is_discrete && told.bounds[0].low == 4 && isnan(told.bounds[0].high));
    cr_expect_eq(told.chosen.coverage, 1);
    cr_expect_eq(told.chosen.density, 1);
}

Test(discover, a_sample_is_bounded_by_its_values)
{
    prepare(1024, "cost_gbp", THRESHOLD_AT_MOST, 2835.75 * 2.5);
    sweep.parameters[LINEAR_PRICE].distribution =
        (struct distribution){.kind = DISTRIBUTION_EMPIRICAL, .point_count = 6, .pool_first = 1};
    memcpy(sweep.pool, (double[]){0, 1, 2, 2, 2, 3, 7}, 7 * sizeof(double));
    sweep.pool_count = 7;
    look();
    cr_assert_eq(told.bound_count, 1);
    cr_expect(told.bounds[0].is_discrete && isnan(told.bounds[0].low) && told.bounds[0].high == 2);
    cr_expect_eq(told.chosen.density, 1);
}

/* Above 1.2 draws fail; what they would have said is not known, so no box speaks of them. */
Test(discover, draws_that_failed_are_left_out)
{
    prepare(2048, "flow", THRESHOLD_ABOVE, 3 * 2835.75 * 0.9 + 3);
    sweep.parameters[LINEAR_FAIL_ABOVE].central = 1.2;
    look();
    cr_expect_eq(told.last.draws, root->draws - root->failed_draws);
    cr_expect_gt(root->failed_draws, 500);
    cr_assert_eq(told.bound_count, 1);
    cr_expect_float_eq(told.bounds[0].low, 0.9, 0.01);
    cr_expect(isnan(told.bounds[0].high), "draws above 1.2 are not there to be kept out");
    cr_expect_float_eq((double)told.last.yes / (double)told.last.draws, 3.0 / 7, 0.01);
}

/* A price of 0 leaves no ratio: undefined, so that the answer is no. */
Test(discover, an_undefined_figure_says_no)
{
    prepare(1024, "ratio", THRESHOLD_ABOVE, 0);
    sweep.study.measure_count = 1;
    snprintf(sweep.study.measures[0], sizeof sweep.study.measures[0], "ratio");
    sweep.parameters[LINEAR_PRICE].distribution.values[0] = 0;
    look();
    cr_expect_eq(told.last.draws, 1024);
    cr_assert_eq(told.bound_count, 1);
    cr_expect_eq(told.bounds[0].low, 2);
}

Test(discover, all_yes_and_no_yes_have_no_box)
{
    prepare(256, "flow", THRESHOLD_ABOVE, 0);
    look();
    cr_expect(told.last.result == PRIM_TOO_FEW && told.last.yes == 256 && told.boxes == 0);
    sweep.discover.side = THRESHOLD_BELOW;
    struct discover_sink sink = {.box = hear_box, .done = hear_end};
    cr_assert(discover(plan, design, root, &sink));
    cr_expect(told.last.result == PRIM_TOO_FEW && told.last.yes == 0 && told.boxes == 0);
}

Test(discover, all_draws_that_failed_have_no_box)
{
    prepare(256, "flow", THRESHOLD_ABOVE, 0);
    sweep.parameters[LINEAR_FAIL_ABOVE].central = 0.1;
    look();
    cr_expect(told.last.result == PRIM_TOO_FEW && told.last.draws == 0 && told.boxes == 0);
}
