/* A block: the node of its draws equals what a plain computation gives. */
#include "block.h"

#include <criterion/criterion.h>
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "design.h"
#include "population_codec.h"
#include "support_linear.h"

static struct sweep sweep;
static struct population *population;
static char why[200];

static void open_population(void)
{
    population = linear_population();
}

static void close_population(void)
{
    population_free(population);
}

TestSuite(block, .init = open_population, .fini = close_population);

static struct plan *make_plan(void)
{
    struct plan *plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
    return plan;
}

static struct block_runner *make_runner(const struct plan *plan)
{
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    cr_assert_not_null(runner, "%s", why);
    return runner;
}

static struct buffer run_bytes(struct block_runner *runner, uint64_t block)
{
    struct buffer bytes = {0};
    struct node *node = block_run(runner, block);
    cr_assert_not_null(node);
    node_encode(node, &bytes);
    node_free(node);
    return bytes;
}

static bool same_bytes(const struct buffer *left, const struct buffer *right)
{
    return left->size == right->size && memcmp(left->data, right->data, left->size) == 0;
}

/* --- the plain computation: one draw, one lane, one figure at a time --- */

static void draw_values(const struct design *design, uint64_t draw, const struct sweep_scenario *scenario,
                        double *values)
{
    model_lanes lanes[LINEAR_PARAMETERS];
    design_row(design, 0, draw, lanes, NULL);
    for (size_t at = 0; at < LINEAR_PARAMETERS; at++) values[at] = lanes[at][0];
    for (size_t at = 0; at < scenario->setting_count; at++)
        values[scenario->settings[at].parameter] = scenario->settings[at].value;
}

static bool fails(const struct design *design, uint64_t draw)
{
    double values[LINEAR_PARAMETERS];
    for (size_t scenario = 0; scenario < sweep.scenario_count; scenario++) {
        draw_values(design, draw, &sweep.scenarios[scenario], values);
        if (values[LINEAR_LEVEL] > values[LINEAR_FAIL_ABOVE]) return true;
    }
    return false;
}

static double plain_figure(const struct plan *plan, const struct design *design, size_t column, size_t area,
                           size_t figure, uint64_t draw)
{
    double values[LINEAR_PARAMETERS], minus[LINEAR_PARAMETERS], figures[MODEL_YEARS_MAX + 3];
    bool difference = column >= sweep.scenario_count;
    size_t scenario = difference ? column - sweep.scenario_count + 1 : column;
    draw_values(design, draw, &sweep.scenarios[scenario], values);
    draw_values(design, draw, &sweep.scenarios[0], minus);
    linear_figures(linear_pupils(population, &plan->areas[area]), sweep.years, values, difference ? minus : NULL,
                   figures);
    return figures[plan->kept[figure]];
}

/* Where draws fail, by sixteenths of each parameter's share, and how many do. */
static void count_failure(const struct plan *plan, const struct design *design, uint64_t draw, uint64_t *counts)
{
    model_lanes values[LINEAR_PARAMETERS], shares[LINEAR_PARAMETERS];
    design_row(design, 0, draw, values, shares);
    for (size_t dimension = 0; dimension < plan->study.dimensions; dimension++)
        counts[dimension * STUDY_FAILURE_CLASSES + (size_t)(shares[dimension][0] * STUDY_FAILURE_CLASSES)]++;
    counts[plan->study.dimensions * STUDY_FAILURE_CLASSES]++;
}

/* The node of a block by tallying figure after figure. */
static struct node *plain_node(const struct plan *plan, uint64_t block)
{
    struct design *design = design_new(&sweep, why, sizeof why);
    struct node *node = node_new(&plan->shape);
    uint64_t first = block * sweep.draws_per_block, end = first + sweep.draws_per_block;
    if (end > sweep.draws) end = sweep.draws;
    node->index = block;
    node->draws = end - first;
    for (uint64_t draw = first; draw < end; draw++) {
        if (!fails(design, draw)) continue;
        node->failed_draws++;
        count_failure(plan, design, draw, node->counts);
    }
    for (size_t column = 0; column < plan->column_count; column++) {
        for (size_t area = 0; area < plan->area_count; area++) {
            for (size_t kept = 0; kept < plan->kept_count; kept++) {
                double values[PLAN_BLOCK_DRAWS_MAX];
                size_t count = 0;
                for (uint64_t draw = first; draw < end; draw++)
                    if (!fails(design, draw)) values[count++] = plain_figure(plan, design, column, area, kept, draw);
                cr_assert(node_tally(node, plan_figure(plan, column, area, kept), values, count));
            }
        }
    }
    design_free(design);
    return node;
}

static void check_block(const struct plan *plan, struct block_runner *runner, uint64_t block, const char *what)
{
    struct buffer bytes = run_bytes(runner, block), plain_bytes = {0};
    struct node *plain = plain_node(plan, block);
    node_encode(plain, &plain_bytes);
    cr_assert(same_bytes(&bytes, &plain_bytes), "block %lu, %s", (unsigned long)block, what);
    buffer_free(&bytes);
    buffer_free(&plain_bytes);
    node_free(plain);
}

static void check_all_blocks(const char *what)
{
    struct plan *plan = make_plan();
    struct block_runner *runner = make_runner(plan);
    for (uint64_t block = 0; block < sweep_block_count(&sweep); block++) check_block(plan, runner, block, what);
    block_runner_free(runner);
    plan_free(plan);
}

Test(block, equals_a_plain_computation)
{
    const struct {
        const char *what;
        enum design_method method;
        uint64_t draws;
        double fail_above;
        const char *measure;
        uint32_t scenarios;
    } rows[] = {
        {"two blocks", DESIGN_RANDOM, 1024, 1e9, NULL, 2},
        {"a last block that ends within a batch", DESIGN_SOBOL, 777, 1e9, NULL, 2},
        {"fewer draws than lanes", DESIGN_RANDOM, 5, 1e9, NULL, 2},
        {"some draws fail", DESIGN_RANDOM, 700, 1.2, NULL, 2},
        {"all draws fail", DESIGN_RANDOM, 100, 0.1, NULL, 2},
        {"a point", DESIGN_POINT, 1, 1e9, NULL, 2},
        {"a point that fails", DESIGN_POINT, 1, 0.5, NULL, 2},
        {"one measure", DESIGN_RANDOM, 600, 1e9, "ratio", 2},
        {"three scenarios", DESIGN_RANDOM, 100, 1e9, NULL, 3},
        {"the baseline alone", DESIGN_RANDOM, 100, 1e9, NULL, 1},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        linear_sweep(&sweep, rows[at].draws);
        sweep.method = rows[at].method;
        sweep.parameters[LINEAR_FAIL_ABOVE].central = rows[at].fail_above;
        sweep.scenario_count = rows[at].scenarios;
        if (rows[at].measure) {
            sweep.measure_count = 1;
            snprintf(sweep.measures[0], sizeof sweep.measures[0], "%s", rows[at].measure);
        }
        if (rows[at].scenarios == 3) {
            sweep.scenarios[2] = sweep.scenarios[1];
            sweep.scenarios[2].settings[0] = (struct sweep_setting){.parameter = LINEAR_LEVEL, .value = 0.75};
            snprintf(sweep.scenarios[2].name, SWEEP_NAME_BYTES, "third");
        }
        check_all_blocks(rows[at].what);
    }
}

Test(block, draws_that_fail_in_one_scenario_are_left_out_of_all)
{
    linear_sweep(&sweep, 200);
    sweep.scenarios[1].setting_count = 2;
    sweep.scenarios[1].settings[1] = (struct sweep_setting){.parameter = LINEAR_FAIL_ABOVE, .value = 1};
    check_all_blocks("the second scenario fails in half of the draws");

    struct plan *plan = make_plan();
    struct block_runner *runner = make_runner(plan);
    struct node *node = block_run(runner, 0);
    cr_assert(node->failed_draws > 70 && node->failed_draws < 130, "%lu of 200 draws failed",
              (unsigned long)node->failed_draws);
    cr_assert_eq(node->tallies[0].count, 200 - node->failed_draws, "also in the baseline");
    cr_assert_leq(node->tallies[0].max, 2360.25 + 575.5 + 1, "England's pupils at level 1 at most, and growth");
    node_free(node);
    block_runner_free(runner);
    plan_free(plan);
}

struct patience {
    uint64_t asked, stops_at;
};

static bool is_out_of_patience(void *context)
{
    struct patience *patience = context;
    return patience->asked++ == patience->stops_at;
}

Test(block, a_tree_of_blocks_is_the_merge_of_its_halves)
{
    linear_sweep(&sweep, 8);
    sweep.draws_per_block = 1;
    struct plan *plan = make_plan();
    struct block_runner *runner = make_runner(plan);
    struct patience patience = {.stops_at = UINT64_MAX};
    uint64_t failed;
    struct node *leaves[4], *halves[2];
    for (uint64_t at = 0; at < 4; at++) leaves[at] = block_run(runner, 4 + at);
    for (size_t at = 0; at < 2; at++) halves[at] = node_merge(leaves[2 * at], leaves[2 * at + 1]);
    struct node *merged = node_merge(halves[0], halves[1]);
    struct node *tree = block_run_tree(runner, 2, 1, is_out_of_patience, &patience, &failed);
    struct buffer merged_bytes = {0}, tree_bytes = {0};
    node_encode(merged, &merged_bytes);
    node_encode(tree, &tree_bytes);
    cr_assert(same_bytes(&merged_bytes, &tree_bytes));
    buffer_free(&merged_bytes);
    buffer_free(&tree_bytes);
    node_free(tree);
    node_free(merged);
    for (size_t at = 0; at < 2; at++) node_free(halves[at]);
    for (size_t at = 0; at < 4; at++) node_free(leaves[at]);
    block_runner_free(runner);
    plan_free(plan);
}

Test(block, a_tree_that_is_stopped_names_the_block_that_was_not_done)
{
    linear_sweep(&sweep, 8);
    sweep.draws_per_block = 1;
    struct plan *plan = make_plan();
    struct block_runner *runner = make_runner(plan);
    struct patience whole = {.stops_at = UINT64_MAX};
    uint64_t failed = 0;
    node_free(block_run_tree(runner, 2, 1, is_out_of_patience, &whole, &failed));
    cr_assert_eq(whole.asked, 4 * (2 + 3), "two scenarios are run and three areas tallied of each block");
    for (uint64_t stops_at = 0; stops_at < whole.asked; stops_at++) {
        struct patience patience = {.stops_at = stops_at};
        cr_assert_null(block_run_tree(runner, 2, 1, is_out_of_patience, &patience, &failed));
        cr_assert_eq(failed, 4 + stops_at / (2 + 3));
        cr_assert_eq(patience.asked, stops_at + 1, "and nothing is run behind it");
    }
    block_runner_free(runner);
    plan_free(plan);
}

/* A whole block, and how often it asked. */
static void expect_steps(const char *what)
{
    struct plan *plan = make_plan();
    struct block_runner *runner = make_runner(plan);
    struct patience whole = {.stops_at = UINT64_MAX};
    uint64_t failed;
    struct node *node = block_run_tree(runner, 0, 0, is_out_of_patience, &whole, &failed);
    cr_assert_not_null(node);
    cr_expect_eq(whole.asked, block_steps(runner), "%s: asked %llu times", what, (unsigned long long)whole.asked);
    node_free(node);
    block_runner_free(runner);
    plan_free(plan);
}

Test(block, a_whole_block_asks_as_often_as_its_steps_say)
{
    linear_sweep(&sweep, 4096);
    expect_steps("one row");
    sweep.method = DESIGN_SALTELLI;
    expect_steps("rows that nobody looks at");
    sweep.study = (struct sweep_study){.measure_count = 1, .measures = {"flow"}, .levels = 1u << AREA_ENGLAND};
    sweep.groups = 16;
    expect_steps("three rows");
}

Test(block, a_long_block_can_be_stopped_and_leaves_no_trace)
{
    linear_sweep(&sweep, 2 * PLAN_BLOCK_DRAWS_MAX);
    struct plan *plan = make_plan();
    struct block_runner *runner = make_runner(plan);
    struct buffer before = run_bytes(runner, 1);
    struct patience patience = {.stops_at = 5};
    uint64_t failed = 0;
    cr_assert_null(block_run_tree(runner, 0, 0, is_out_of_patience, &patience, &failed));
    cr_assert(failed == 0 && patience.asked == 6);
    struct buffer after = run_bytes(runner, 1);
    cr_assert(same_bytes(&before, &after));
    buffer_free(&before);
    buffer_free(&after);
    block_runner_free(runner);
    plan_free(plan);
}

Test(block, blocks_do_not_depend_on_what_ran_before)
{
    linear_sweep(&sweep, 4 * PLAN_BLOCK_DRAWS_MAX);
    sweep.parameters[LINEAR_FAIL_ABOVE].central = 1.4;
    struct plan *plan = make_plan();
    struct block_runner *runner = make_runner(plan), *other = make_runner(plan);
    struct buffer first[4];
    for (uint64_t block = 0; block < 4; block++) first[block] = run_bytes(runner, block);
    for (uint64_t block = 4; block-- > 0;) {
        struct buffer again = run_bytes(other, block);
        cr_assert(same_bytes(&first[block], &again), "block %lu", (unsigned long)block);
        buffer_free(&again);
        buffer_free(&first[block]);
    }
    block_runner_free(runner);
    block_runner_free(other);
    plan_free(plan);
}

/* More draws keep the blocks that were whole. */
Test(block, sweep_with_more_draws_begins_with_the_same_blocks)
{
    struct buffer bytes[2];
    const uint64_t draws[] = {PLAN_BLOCK_DRAWS_MAX, 10 * PLAN_BLOCK_DRAWS_MAX + 3};
    for (size_t at = 0; at < 2; at++) {
        linear_sweep(&sweep, draws[at]);
        struct plan *plan = make_plan();
        struct block_runner *runner = make_runner(plan);
        bytes[at] = run_bytes(runner, 0);
        block_runner_free(runner);
        plan_free(plan);
    }
    cr_assert(same_bytes(&bytes[0], &bytes[1]));
    buffer_free(&bytes[0]);
    buffer_free(&bytes[1]);
}

/* Many areas do not fit in memory together; run slice by slice they give the same figures. */
Test(block, areas_in_slices_give_the_same_as_one_by_one)
{
    enum { SCHOOLS = 9000, YEARS = 20 };
    population_free(population);
    population = population_new(SCHOOLS, 1, false);
    population->authorities[0] = (struct authority){.number = 202, .region = 7, .name = "Camden"};
    for (size_t row = 0; row < SCHOOLS; row++) {
        population->urn[row] = (uint32_t)(100000 + row);
        population->pupils[row] = (double)(row % 97) + 0.5;
    }
    linear_sweep(&sweep, 8);
    sweep.levels = 1u << AREA_SCHOOL;
    sweep.years = YEARS;
    sweep.measure_count = 1;
    snprintf(sweep.measures[0], sizeof sweep.measures[0], "ratio");
    cr_assert_gt((size_t)SCHOOLS * (YEARS + 1) * sizeof(model_lanes) * 2, 64u << 20, "or there is one slice");

    struct plan *plan = make_plan();
    struct block_runner *runner = make_runner(plan);
    struct node *node = block_run(runner, 0);
    struct design *design = design_new(&sweep, why, sizeof why);
    for (size_t area = 0; area < SCHOOLS; area += 37) {
        double values[LINEAR_PARAMETERS], figures[YEARS + 3], sum = 0;
        for (uint64_t draw = 0; draw < 8; draw++) {
            draw_values(design, draw, &sweep.scenarios[1], values);
            linear_figures(population->pupils[area], YEARS, values, NULL, figures);
            sum += figures[YEARS + 2];
        }
        const struct tally *tally = &node->tallies[plan_figure(plan, 1, area, 0)];
        cr_assert_float_eq(tally->mean, sum / 8, 1e-12 * sum, "school %zu", area);
        cr_assert_eq(node->tallies[plan_figure(plan, 0, area, 0)].count, 0, "the baseline has no cost");
    }
    design_free(design);
    node_free(node);
    block_runner_free(runner);
    plan_free(plan);
}

/* --- a model that changes how its thread computes --- */

/* The linear model, which leaves the processor rounding upwards after every call. */
static struct model_run *open_upward(const struct model_setup *setup, char *reason, size_t reason_bytes)
{
    fesetround(FE_UPWARD);
    return linear_model()->open(setup, reason, reason_bytes);
}

static void close_upward(struct model_run *run)
{
    linear_model()->close(run);
    fesetround(FE_UPWARD);
}

static const struct model_figure *list_upward(const struct model_run *run, size_t *figure_count)
{
    fesetround(FE_UPWARD);
    return linear_model()->figures(run, figure_count);
}

static size_t count_upward(const struct model_run *run)
{
    fesetround(FE_UPWARD);
    return linear_model()->part_count(run);
}

static uint32_t run_upward(struct model_run *run, const model_lanes *values, model_lanes *parts)
{
    const uint32_t failed = linear_model()->run(run, values, parts);
    fesetround(FE_UPWARD);
    return failed;
}

static void measure_upward(const struct model_run *run, size_t area, const model_lanes *parts, const model_lanes *minus,
                           model_lanes *out)
{
    linear_model()->measure(run, area, parts, minus, out);
    fesetround(FE_UPWARD);
}

static struct plan *make_upward_plan(void)
{
    static struct model model;
    model = *linear_model();
    model.open = open_upward;
    model.close = close_upward;
    model.figures = list_upward;
    model.part_count = count_upward;
    model.run = run_upward;
    model.measure = measure_upward;
    struct plan *plan = plan_new(&sweep, population, &model, why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
    return plan;
}

Test(block, a_model_that_leaves_another_rounding_behind_changes_no_bit)
{
    linear_sweep(&sweep, 600);
    struct plan *plan = make_plan(), *upward = make_upward_plan();
    cr_expect_eq(fegetround(), FE_TONEAREST, "after the plan");
    struct block_runner *runner = make_runner(plan), *other = make_runner(upward);
    cr_expect_eq(fegetround(), FE_TONEAREST, "after the runner");
    struct buffer expected = run_bytes(runner, 0), bytes = run_bytes(other, 0);
    cr_expect_eq(fegetround(), FE_TONEAREST, "after the block");
    cr_expect(same_bytes(&expected, &bytes));
    buffer_free(&expected);
    buffer_free(&bytes);
    block_runner_free(runner);
    block_runner_free(other);
    plan_free(plan);
    plan_free(upward);
    cr_expect_eq(fegetround(), FE_TONEAREST, "after the end");
}
