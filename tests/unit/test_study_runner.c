/* What the rows of a study add to a node, against one draw, one row and one figure at a time. */
#include "study_runner.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "population_codec.h"
#include "support_linear.h"

#define ROWS_MAX    (2 + LINEAR_PARAMETERS)
#define TARGETS_MAX 16
#define GROUPS_MAX  4

static struct sweep sweep;
static struct population *population;
static struct plan *plan;
static struct design *design;
static struct node *root;
static double centres[TARGETS_MAX];

/* One draw: its values in every row, NaN where a run failed or a figure is undefined. */
struct plain_draw {
    double y[TARGETS_MAX][ROWS_MAX];
    bool failed[ROWS_MAX];
    double share[ROWS_MAX][LINEAR_PARAMETERS];
    uint16_t order[LINEAR_PARAMETERS];
    double step[LINEAR_PARAMETERS];
};

static void settle(const double *drawn, const struct sweep_scenario *scenario, double *values)
{
    memcpy(values, drawn, LINEAR_PARAMETERS * sizeof *values);
    for (size_t at = 0; at < scenario->setting_count; at++)
        values[scenario->settings[at].parameter] = scenario->settings[at].value;
}

static double plain_figure(const double *drawn, const struct study_target *target)
{
    double values[LINEAR_PARAMETERS], minus[LINEAR_PARAMETERS], figures[MODEL_YEARS_MAX + 3];
    bool difference = target->column >= sweep.scenario_count;
    settle(drawn, &sweep.scenarios[difference ? target->column - sweep.scenario_count + 1 : target->column], values);
    settle(drawn, &sweep.scenarios[0], minus);
    linear_figures(linear_pupils(population, &plan->areas[target->area]), sweep.years, values,
                   difference ? minus : NULL, figures);
    double figure = figures[plan->kept[target->kept]];
    return isfinite(figure) ? figure : NAN;
}

static bool plain_failed(const double *drawn)
{
    for (size_t at = 0; at < sweep.scenario_count; at++) {
        double values[LINEAR_PARAMETERS];
        settle(drawn, &sweep.scenarios[at], values);
        if (values[LINEAR_LEVEL] > values[LINEAR_FAIL_ABOVE]) return true;
    }
    return false;
}

static void fill_row(struct plain_draw *plain, uint32_t row, uint64_t draw)
{
    uint64_t first = draw / MODEL_LANES * MODEL_LANES;
    size_t lane = draw - first;
    model_lanes values[LINEAR_PARAMETERS], shares[LINEAR_PARAMETERS];
    double drawn[LINEAR_PARAMETERS];
    design_row(design, row, first, values, shares);
    for (size_t at = 0; at < LINEAR_PARAMETERS; at++) drawn[at] = values[at][lane];
    for (size_t at = 0; at < plan->study.dimensions; at++) plain->share[row][at] = shares[at][lane];
    plain->failed[row] = plain_failed(drawn);
    for (size_t target = 0; target < plan->study.target_count; target++)
        plain->y[target][row] = plain->failed[row] ? NAN : plain_figure(drawn, &plan->study.targets[target]);
}

static struct plain_draw make_draw(uint64_t draw)
{
    struct plain_draw plain;
    uint64_t first = draw / MODEL_LANES * MODEL_LANES;
    for (uint32_t row = 0; row < plan->study.rows; row++) fill_row(&plain, row, draw);
    uint16_t order[LINEAR_PARAMETERS][MODEL_LANES];
    model_lanes steps[LINEAR_PARAMETERS];
    design_order(design, first, order);
    bool has_steps = sweep.method == DESIGN_MORRIS || sweep.method == DESIGN_DERIVATIVE;
    if (has_steps) design_steps(design, first, steps);
    for (size_t at = 0; at < plan->study.dimensions; at++) {
        plain.order[at] = order[at][draw - first];
        plain.step[at] = has_steps ? steps[at][draw - first] : 0;
    }
    return plain;
}

/* --- a sweep of four parameters' worth of trouble --- */

/* Level, growth and price are drawn; where the price is 0 the ratio is undefined, and above level 1.3 runs fail. */
static void prepare(enum design_method method, uint64_t draws)
{
    population = linear_population();
    linear_sweep(&sweep, draws);
    sweep.method = method;
    sweep.groups = method == DESIGN_MORRIS ? 0 : GROUPS_MAX;
    if (method == DESIGN_MORRIS) sweep.design_levels = 4;
    sweep.parameters[LINEAR_GROWTH].distribution =
        (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0.2, .high = 0.6};
    sweep.parameters[LINEAR_PRICE].distribution = (struct distribution){
        .kind = DISTRIBUTION_DISCRETE, .point_count = 3, .values = {0, 1, 2}, .weights = {1, 1, 1}};
    sweep.parameters[LINEAR_FAIL_ABOVE].central = 1.3;
    sweep.scenario_count = 1;
    sweep.study = (struct sweep_study){
        .measure_count = 2, .measures = {"flow", "ratio"}, .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION};
}

/* The mean of the pilot's defined values. */
static void find_centres(void)
{
    uint64_t count = sweep_can_extend(&sweep) || sweep.draws > STUDY_PILOT_DRAWS ? STUDY_PILOT_DRAWS : sweep.draws;
    for (size_t target = 0; target < plan->study.target_count; target++) {
        double sum = 0, defined = 0;
        for (uint64_t draw = 0; draw < count; draw++) {
            struct plain_draw plain;
            fill_row(&plain, 0, draw);
            if (isnan(plain.y[target][0])) continue;
            sum += plain.y[target][0];
            defined++;
        }
        centres[target] = defined > 0 ? sum / defined : 0;
    }
}

static void run_sweep(void)
{
    struct node *blocks[128];
    char why[256];
    plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
    cr_assert(plan->study.target_count > 0 && plan->study.target_count <= TARGETS_MAX && plan->study.rows <= ROWS_MAX);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    cr_assert_not_null(runner, "%s", why);
    size_t count = sweep_block_count(&sweep);
    cr_assert_leq(count, 128);
    for (size_t at = 0; at < count; at++) cr_assert_not_null(blocks[at] = block_run(runner, at));
    root = node_fold(blocks, count);
    for (size_t at = 0; at < count; at++) node_free(blocks[at]);
    block_runner_free(runner);
    design = design_new(&sweep, why, sizeof why);
    cr_assert(root && design);
    find_centres();
}

static void close_all(void)
{
    design_free(design);
    node_free(root);
    plan_free(plan);
    population_free(population);
    design = NULL;
    root = NULL;
    plan = NULL;
    population = NULL;
}

TestSuite(study_runner, .fini = close_all);

/* --- sums --- */

/* Expected sums of one target and group, the ones that these tests look at. */
struct plain_sums {
    double base[STUDY_BASE_SUMS], other[STUDY_BASE_SUMS];
    double total[LINEAR_PARAMETERS][2];            /* Saltelli: pairs of A and AB_i, their squared gaps */
    double effect[LINEAR_PARAMETERS][EFFECT_SUMS]; /* Morris, derivative */
};

static void add_value(double *sums, double y)
{
    if (isnan(y)) return;
    sums[SUM_N] += 1;
    sums[SUM_Y] += y;
    sums[SUM_YY] += y * y;
}

static void add_saltelli(struct plain_sums *sums, const double *y)
{
    add_value(sums->other, y[1]);
    for (size_t at = 0; at < plan->study.dimensions; at++) {
        double gap = y[0] - y[2 + at];
        if (isnan(gap)) continue;
        sums->total[at][0] += 1;
        sums->total[at][1] += gap * gap;
    }
}

static void add_effects(struct plain_sums *sums, const struct plain_draw *plain, const double *y)
{
    for (size_t at = 0; at < plan->study.dimensions; at++) {
        double before = y[sweep.method == DESIGN_MORRIS ? at : 0], effect = (y[at + 1] - before) / plain->step[at];
        double *of = sums->effect[plain->order[at]];
        if (isnan(effect)) continue;
        of[EFFECT_N] += 1;
        of[EFFECT] += effect;
        of[EFFECT_ABSOLUTE] += fabs(effect);
        of[EFFECT_SQUARE] += effect * effect;
    }
}

static void add_draw(struct plain_sums *sums, const struct plain_draw *plain, size_t target)
{
    double y[ROWS_MAX];
    for (uint32_t row = 0; row < plan->study.rows; row++) y[row] = plain->y[target][row] - centres[target];
    add_value(sums->base, y[0]);
    if (sweep.method == DESIGN_SALTELLI) add_saltelli(sums, y);
    if (sweep.method == DESIGN_MORRIS || sweep.method == DESIGN_DERIVATIVE) add_effects(sums, plain, y);
}

/* scale: of the squares, beside which a sum of deviations may come out near 0. */
static void expect_sums(const double *made, const double *expected, size_t count, double scale, const char *what)
{
    for (size_t at = 0; at < count; at++)
        cr_expect(fabs(made[at] - expected[at]) <= 1e-9 * (fabs(expected[at]) + scale), "%s, sum %zu: %.17g, not %.17g",
                  what, at, made[at], expected[at]);
}

static void check_group(size_t target, size_t group, const struct plain_sums *expected)
{
    const double *made = root->sums + study_sums_at(&plan->study, target, group);
    double scale = expected->base[SUM_YY] + 1;
    expect_sums(made, expected->base, STUDY_BASE_SUMS, scale, "row 0");
    made += STUDY_BASE_SUMS;
    if (sweep.method == DESIGN_SALTELLI) {
        expect_sums(made + OTHER_N, expected->other, STUDY_BASE_SUMS, scale, "row 1");
        made += STUDY_BOTH_SUMS;
        for (size_t at = 0; at < plan->study.dimensions; at++)
            expect_sums(made + at * SALTELLI_SUMS + TOTAL_N, expected->total[at], 2, scale, "rows that differ in one");
    } else if (sweep.method == DESIGN_MORRIS || sweep.method == DESIGN_DERIVATIVE) {
        for (size_t at = 0; at < plan->study.dimensions; at++)
            expect_sums(made + at * EFFECT_SUMS, expected->effect[at], EFFECT_SUMS, expected->effect[at][EFFECT_SQUARE],
                        "effects");
    }
}

/* Where runs of any row fail. */
static void check_failures(void)
{
    uint64_t expected[LINEAR_PARAMETERS * STUDY_FAILURE_CLASSES + 1] = {0};
    size_t dimensions = plan->study.dimensions, total = dimensions * STUDY_FAILURE_CLASSES;
    for (uint64_t draw = 0; draw < sweep.draws; draw++) {
        struct plain_draw plain = make_draw(draw);
        for (uint32_t row = 0; row < plan->study.rows; row++) {
            if (!plain.failed[row]) continue;
            for (size_t at = 0; at < dimensions; at++)
                expected[at * STUDY_FAILURE_CLASSES + (size_t)(plain.share[row][at] * STUDY_FAILURE_CLASSES)]++;
            expected[total]++;
        }
    }
    const uint64_t *made = root->counts + study_failures_at(&plan->study);
    cr_expect_gt(expected[total], 0, "or nothing is tried");
    cr_expect_eq(memcmp(made, expected, (total + 1) * sizeof *made), 0, "%lu runs failed, not %lu",
                 (unsigned long)made[total], (unsigned long)expected[total]);
}

static void check_study(void)
{
    run_sweep();
    for (size_t target = 0; target < plan->study.target_count; target++) {
        struct plain_sums sums[GROUPS_MAX] = {0};
        double defined = 0;
        for (uint64_t draw = 0; draw < sweep.draws; draw++) {
            struct plain_draw plain = make_draw(draw);
            add_draw(&sums[sweep_group(&sweep, draw)], &plain, target);
            defined += !isnan(plain.y[target][0]);
        }
        cr_expect(defined > 0 && defined < (double)sweep.draws, "or nothing is left out");
        for (size_t group = 0; group < plan->study.groups; group++) check_group(target, group, &sums[group]);
    }
    check_failures();
}

/* Draws that end within a batch; blocks as large as they may be, and smaller than a batch. */
Test(study_runner, sums_are_what_a_plain_computation_gives)
{
    static const enum design_method methods[] = {DESIGN_SOBOL, DESIGN_SALTELLI, DESIGN_DERIVATIVE, DESIGN_MORRIS};
    static const uint32_t blocks[] = {0, 128, 8};
    for (size_t method = 0; method < sizeof methods / sizeof *methods; method++)
        for (size_t at = 0; at < sizeof blocks / sizeof *blocks; at++) {
            prepare(methods[method], 333);
            sweep.draws_per_block = blocks[at];
            check_study();
            close_all();
        }
}

/* Targets that begin behind the first area, so that the study runs areas of its own; and differences of scenarios. */
Test(study_runner, targets_of_some_areas_only_are_what_a_plain_computation_gives)
{
    prepare(DESIGN_SALTELLI, 101);
    sweep.study.levels = 1u << AREA_REGION;
    check_study();
    cr_expect_gt(plan->study.targets[0].area, 0);
    close_all();

    prepare(DESIGN_SALTELLI, 101);
    sweep.scenario_count = 2;
    sweep.study.levels = 1u << AREA_ENGLAND;
    sweep.study.measures[0][0] = '\0';
    snprintf(sweep.study.measures[0], sizeof sweep.study.measures[0], "cost_gbp");
    sweep.study.measure_count = 1;
    check_study();
    cr_expect_eq(plan->study.targets[0].column, 2, "the difference");
}

Test(study_runner, one_draw_has_a_study_too)
{
    prepare(DESIGN_SALTELLI, 1);
    sweep.parameters[LINEAR_FAIL_ABOVE].central = 1e9;
    sweep.study.measure_count = 1;
    run_sweep();
    struct plain_draw plain = make_draw(0);
    const double *made = root->sums + study_sums_at(&plan->study, 0, 0);
    cr_expect_eq(made[SUM_N], 1);
    cr_expect_float_eq(made[SUM_Y], plain.y[0][0] - centres[0], 1e-6);
    cr_expect_eq(made[plan->study.group_sums + SUM_N], 0, "the other groups have none");
}

/* The pilot's mean is what values are taken less of: it is the same whatever the blocks and the draws of the sweep. */
Test(study_runner, more_draws_do_not_change_what_the_first_block_adds)
{
    double first[2];
    static const uint64_t draws[] = {32, 3000};
    for (size_t at = 0; at < 2; at++) {
        char why[256];
        prepare(DESIGN_SALTELLI, draws[at]);
        sweep.draws_per_block = 32;
        plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
        struct block_runner *runner = block_runner_new(plan, why, sizeof why);
        cr_assert(plan && runner, "%s", why);
        root = block_run(runner, 0);
        first[at] = root->sums[study_sums_at(&plan->study, 0, 0) + SUM_Y];
        block_runner_free(runner);
        close_all();
    }
    cr_expect_eq(first[0], first[1]);
}
