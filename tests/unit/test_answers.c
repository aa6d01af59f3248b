/* Answers: what thresholds, satisficing and regret make of figures, draw by draw. */
#include "answers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "block.h"
#include "design.h"
#include "plan.h"
#include "population_codec.h"
#include "support_linear.h"

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static struct sweep sweep;
static struct population *population;
static char why[300];

static void open_population(void)
{
    population = linear_population();
    linear_sweep(&sweep, 600);
}

static void close_population(void)
{
    population_free(population);
}

TestSuite(answers, .init = open_population, .fini = close_population);

static struct plan *make_plan(void)
{
    return plan_new(&sweep, population, linear_model(), why, sizeof why);
}

static struct sweep_threshold threshold(const char *measure, uint32_t year, enum threshold_side side, double value)
{
    struct sweep_threshold made = {.year = year, .side = side, .value = value};
    snprintf(made.measure, sizeof made.measure, "%s", measure);
    return made;
}

Test(answers, each_side_of_a_threshold_has_its_own_bound)
{
    const struct {
        enum threshold_side side;
        bool below, at, above;
    } rows[] = {{THRESHOLD_ABOVE, false, false, true},
                {THRESHOLD_AT_LEAST, false, true, true},
                {THRESHOLD_BELOW, true, false, false},
                {THRESHOLD_AT_MOST, true, true, false}};
    for (size_t at = 0; at < COUNT(rows); at++) {
        struct sweep_threshold asked = threshold("flow", 0, rows[at].side, 2);
        cr_expect_eq(threshold_says_yes(&asked, nextafter(2, 0)), rows[at].below);
        cr_expect_eq(threshold_says_yes(&asked, 2), rows[at].at);
        cr_expect_eq(threshold_says_yes(&asked, nextafter(2, 3)), rows[at].above);
        cr_expect_not(threshold_says_yes(&asked, NAN));
        cr_expect_not(threshold_says_yes(&asked, INFINITY), "undefined, as in a tally");
        cr_expect_not(threshold_says_yes(&asked, -INFINITY));
    }
}

Test(answers, satisficing_wants_every_threshold)
{
    const struct sweep_threshold both[] = {threshold("flow", 0, THRESHOLD_ABOVE, 1),
                                           threshold("cost_gbp", 0, THRESHOLD_BELOW, 5)};
    struct answer answer = {.thresholds = both, .threshold_count = 2, .kept = {1, 0}};
    const double store[] = {4, 4, 5, NAN, /* figure 0, cost */ 2, 1, 2, 2 /* figure 1, flow */};
    double out[4];
    answer_yes_no(&answer, store, 4, 4, out);
    cr_expect(out[0] == 1 && out[1] == 0 && out[2] == 0 && out[3] == 0);
}

/* Three scenarios, four draws: a plain one, a tie, one undefined, all undefined. */
Test(answers, regret_is_what_the_best_of_the_draw_has_more)
{
    sweep.scenario_count = 3;
    double values[5][4] = {{1, 7, NAN, NAN}, {4, 7, -2, INFINITY}, {3, 6, -5, NAN}};
    answer_regret(&sweep, &values[0][0], 4, 4);
    const double expected[5][4] = {
        {3, 0, NAN, NAN}, {0, 0, 0, NAN}, {1, 1, 3, NAN}, {-3, 0, NAN, NAN}, {-2, 1, NAN, NAN}};
    for (size_t column = 0; column < 5; column++)
        for (size_t draw = 0; draw < 4; draw++)
            cr_expect(values[column][draw] == expected[column][draw] ||
                          (isnan(values[column][draw]) && isnan(expected[column][draw])),
                      "column %zu, draw %zu: %g", column, draw, values[column][draw]);
}

Test(answers, where_the_lowest_is_best_regret_is_what_others_have_more)
{
    sweep.scenario_count = 2;
    sweep.regret_lowest = 1;
    double values[3][2] = {{1, 9}, {4, -1}};
    answer_regret(&sweep, &values[0][0], 2, 2);
    cr_expect(values[0][0] == 0 && values[1][0] == 3 && values[2][0] == 3);
    cr_expect(values[0][1] == 10 && values[1][1] == 0 && values[2][1] == -10);
}

/* --- names --- */

Test(answers, names_units_and_years_tell_what_is_asked)
{
    sweep.threshold_count = 2;
    sweep.thresholds[0] = threshold("flow", 2, THRESHOLD_AT_LEAST, 1.5e6);
    sweep.thresholds[1] = threshold("ratio", 0, THRESHOLD_BELOW, 0.1);
    sweep.satisfice_count = 1;
    sweep.satisfice[0] = sweep.thresholds[1];
    snprintf(sweep.regret_measure, sizeof sweep.regret_measure, "cost_gbp");
    struct plan *plan = make_plan();
    cr_assert_not_null(plan, "%s", why);
    cr_assert_eq(plan->answer_count, 4);
    cr_expect_str_eq(plan->answers[0].name, "flow_at_least_1500000");
    cr_expect_str_eq(plan->answers[1].name, "ratio_below_0.1");
    cr_expect_str_eq(plan->answers[2].name, "satisfice");
    cr_expect_str_eq(plan->answers[3].name, "regret_cost_gbp");
    cr_expect_str_eq(plan->answers[0].unit, "share");
    cr_expect_str_eq(plan->answers[3].unit, "GBP");
    cr_expect(plan->answers[0].year == 2 && plan->answers[1].year == MODEL_YEAR_ALL);
    plan_free(plan);
}

Test(answers, what_is_not_there_or_there_twice_is_refused)
{
    const struct {
        struct sweep_threshold first, second;
        const char *regret, *words;
    } rows[] = {
        {threshold("flew", 0, 0, 1), {{0}, 0, 0, 0}, "", "no figure 'flew' of year all"},
        {threshold("cost_gbp", 2, 0, 1), {{0}, 0, 0, 0}, "", "no figure 'cost_gbp' of year 2"},
        {threshold("flow", 9, 0, 1), {{0}, 0, 0, 0}, "", "no figure 'flow' of year 9"},
        {threshold("flow", 0, 0, 1), threshold("flow", 0, 0, 1), "", "'flow_above_1' is asked for twice"},
        {threshold("flow", 0, 0, 1), {{0}, 0, 0, 0}, "none", "no figure 'none' of year all"},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        linear_sweep(&sweep, 10);
        sweep.thresholds[0] = rows[at].first;
        sweep.thresholds[1] = rows[at].second;
        sweep.threshold_count = 1 + (rows[at].second.measure[0] != '\0');
        snprintf(sweep.regret_measure, sizeof sweep.regret_measure, "%s", rows[at].regret);
        cr_expect_null(make_plan());
        cr_expect_not_null(strstr(why, rows[at].words), "`%s` lacks `%s`", why, rows[at].words);
    }
}

Test(answers, the_same_threshold_of_two_years_is_two_questions)
{
    sweep.threshold_count = 3;
    sweep.thresholds[0] = threshold("flow", 1, THRESHOLD_ABOVE, 1);
    sweep.thresholds[1] = threshold("flow", 2, THRESHOLD_ABOVE, 1);
    sweep.thresholds[2] = threshold("flow", 2, THRESHOLD_AT_LEAST, 1);
    struct plan *plan = make_plan();
    cr_expect_not_null(plan, "%s", why);
    plan_free(plan);
}

static struct model_measure renamed[LINEAR_MEASURES];

Test(answers, a_measure_of_the_model_with_the_name_of_a_question_is_refused)
{
    struct model model = *linear_model();
    memcpy(renamed, model.measures, sizeof renamed);
    renamed[LINEAR_RATIO].name = "satisfice";
    model.measures = renamed;
    sweep.satisfice_count = 1;
    sweep.satisfice[0] = threshold("flow", 0, THRESHOLD_ABOVE, 1);
    cr_expect_null(plan_new(&sweep, population, &model, why, sizeof why));
    cr_expect_not_null(strstr(why, "a measure 'satisfice' of its own"), "%s", why);
}

/* --- in a block, against a plain computation --- */

#define DRAWS 600u

static double figures[5][DRAWS][3]; /* [column][draw]: flow and cost of all years, ratio, in England */
static bool failed[DRAWS];

static void draw_values(const struct design *design, uint64_t draw, const struct sweep_scenario *scenario,
                        double *values)
{
    model_lanes lanes[LINEAR_PARAMETERS];
    design_row(design, 0, draw / MODEL_LANES * MODEL_LANES, lanes, NULL);
    for (size_t at = 0; at < LINEAR_PARAMETERS; at++) values[at] = lanes[at][draw % MODEL_LANES];
    for (size_t at = 0; at < scenario->setting_count; at++)
        values[scenario->settings[at].parameter] = scenario->settings[at].value;
}

static void compute_figures(void)
{
    struct design *design = design_new(&sweep, why, sizeof why);
    cr_assert_not_null(design, "%s", why);
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        double values[3][LINEAR_PARAMETERS], made[MODEL_YEARS_MAX + 3];
        failed[draw] = false;
        for (size_t at = 0; at < 3; at++) {
            draw_values(design, draw, &sweep.scenarios[at], values[at]);
            failed[draw] |= values[at][LINEAR_LEVEL] > values[at][LINEAR_FAIL_ABOVE];
        }
        for (size_t column = 0; column < 5; column++) {
            bool difference = column >= 3;
            linear_figures(2835.75, sweep.years, values[difference ? column - 2 : column],
                           difference ? values[0] : NULL, made);
            memcpy(figures[column][draw], made + sweep.years, sizeof figures[column][draw]);
        }
    }
    design_free(design);
}

/* Three scenarios: as it is, priced, and priced less in draws of a high level; one draw in five fails. */
static void prepare(void)
{
    sweep.scenario_count = 3;
    sweep.scenarios[2] = sweep.scenarios[1];
    snprintf(sweep.scenarios[2].name, SWEEP_NAME_BYTES, "third");
    sweep.scenarios[2].setting_count = 2;
    sweep.scenarios[2].settings[0] = (struct sweep_setting){.parameter = LINEAR_LEVEL, .value = 1.1};
    sweep.scenarios[2].settings[1] = (struct sweep_setting){.parameter = LINEAR_PRICE, .value = 3};
    sweep.parameters[LINEAR_FAIL_ABOVE].central = 1.3;
    sweep.levels = 1u << AREA_ENGLAND;
    sweep.threshold_count = 1;
    sweep.thresholds[0] = threshold("ratio", 0, THRESHOLD_ABOVE, 1.2);
    sweep.satisfice_count = 2;
    sweep.satisfice[0] = threshold("flow", 0, THRESHOLD_AT_LEAST, 3 * 2835.75);
    sweep.satisfice[1] = threshold("cost_gbp", 0, THRESHOLD_AT_MOST, 2.5 * 2835.75);
    snprintf(sweep.regret_measure, sizeof sweep.regret_measure, "flow");
}

static double plain_answer(size_t answer, size_t column, uint64_t draw)
{
    const double *of = figures[column][draw];
    if (answer == 0) return of[LINEAR_RATIO] > 1.2;
    if (answer == 1) return of[LINEAR_FLOW] >= 3 * 2835.75 && of[LINEAR_COST] <= 2.5 * 2835.75;
    double best = -INFINITY;
    for (size_t at = 0; at < 3; at++)
        if (figures[at][draw][LINEAR_FLOW] > best) best = figures[at][draw][LINEAR_FLOW];
    if (column < 3) return best - of[LINEAR_FLOW];
    double own = best - figures[column - 2][draw][LINEAR_FLOW];
    return own - (best - figures[0][draw][LINEAR_FLOW]);
}

/* The draws of block after block that did not fail, tallied into a node of their own. */
static struct node *plain_node(const struct plan *plan, uint64_t block)
{
    struct node *node = node_new(NODE_PLAIN(plan->column_count * plan->answer_count));
    uint64_t first = block * sweep.draws_per_block, end = first + sweep.draws_per_block;
    for (size_t column = 0; column < plan->column_count; column++)
        for (size_t answer = 0; answer < plan->answer_count; answer++) {
            double values[PLAN_BLOCK_DRAWS_MAX];
            size_t count = 0;
            for (uint64_t draw = first; draw < end && draw < DRAWS; draw++)
                if (!failed[draw]) values[count++] = plain_answer(answer, column, draw);
            cr_assert(node_tally(node, column * plan->answer_count + answer, values, count));
        }
    return node;
}

Test(answers, a_block_tallies_what_a_plain_computation_gives)
{
    prepare();
    struct plan *plan = make_plan();
    cr_assert_not_null(plan, "%s", why);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    compute_figures();
    for (uint64_t block = 0; block < sweep_block_count(&sweep); block++) {
        struct node *node = block_run(runner, block), *plain = plain_node(plan, block);
        cr_assert_not_null(node);
        for (size_t column = 0; column < plan->column_count; column++)
            for (size_t answer = 0; answer < plan->answer_count; answer++) {
                const struct tally *made = &node->tallies[plan_figure(plan, column, 0, plan->kept_count + answer)];
                const struct tally *expected = &plain->tallies[column * plan->answer_count + answer];
                cr_expect(made->count == expected->count && made->mean == expected->mean && made->m2 == expected->m2 &&
                              made->min == expected->min && made->max == expected->max,
                          "block %u, column %zu, %s: %g, not %g", (unsigned)block, column, plan->answers[answer].name,
                          made->mean, expected->mean);
                cr_expect(column >= 3 || answer != 1 || (made->mean > 0) == (column != 2), "the third costs too much");
            }
        node_free(node);
        node_free(plain);
    }
    block_runner_free(runner);
    plan_free(plan);
}

/* The baseline has no cost, so no ratio: it has no regret, and is nobody's best. */
Test(answers, a_scenario_without_the_measure_has_no_regret)
{
    prepare();
    snprintf(sweep.regret_measure, sizeof sweep.regret_measure, "ratio");
    struct plan *plan = make_plan();
    cr_assert_not_null(plan, "%s", why);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    struct node *node = block_run(runner, 0);
    size_t regret = plan->kept_count + 2;
    cr_expect_eq(node->tallies[plan_figure(plan, 0, 0, regret)].count, 0);
    cr_expect_eq(node->tallies[plan_figure(plan, 1, 0, regret)].count, node->draws - node->failed_draws);
    cr_expect_eq(node->tallies[plan_figure(plan, 3, 0, regret)].count, 0, "nothing to take away");
    double least =
        fmin(node->tallies[plan_figure(plan, 1, 0, regret)].min, node->tallies[plan_figure(plan, 2, 0, regret)].min);
    cr_expect_eq(least, 0, "one of the two others is the best");
    node_free(node);
    block_runner_free(runner);
    plan_free(plan);
}
