/* The plan of a sweep: areas, figures, columns and blocks. */
#include "plan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "population.h"
#include "population_codec.h"
#include "support_linear.h"

static struct sweep sweep;
static struct population *population;
static char why[200];

static void open_population(void)
{
    population = linear_population();
    linear_sweep(&sweep, 1000);
}

static void close_population(void)
{
    population_free(population);
}

TestSuite(plan, .init = open_population, .fini = close_population);

static struct plan *make(void)
{
    return plan_new(&sweep, population, linear_model(), why, sizeof why);
}

static void check_areas(const struct plan *plan, const char *const *expected, size_t count)
{
    cr_assert_eq(plan->area_count, count, "%zu areas", plan->area_count);
    for (size_t at = 0; at < count; at++) {
        const struct area *area = &plan->areas[at];
        char text[160];
        snprintf(text, sizeof text, "%s|%s|%d|%d", area->code, area->name, area->phase, area->quintile);
        cr_assert_str_eq(text, expected[at], "area %zu", at);
    }
}

Test(plan, lists_levels_that_occur_in_order)
{
    static const char *const expected[] = {"E92000001|England|-1|-1",
                                           "E12000001|North East|-1|-1",
                                           "E12000007|London|-1|-1",
                                           "202|Camden|-1|-1",
                                           "301|Barking, and \"Dagenham\"|-1|-1",
                                           "805|Hartlepool|-1|-1",
                                           "100001|Ash|-1|-1",
                                           "100002|Birch|-1|-1",
                                           "100003|School 100003|-1|-1",
                                           "100004|Cedar, Lower|-1|-1",
                                           "100005|Damson|-1|-1",
                                           "100006|Elm|-1|-1"};
    sweep.levels = 1u << AREA_ENGLAND | 1u << AREA_REGION | 1u << AREA_AUTHORITY | 1u << AREA_SCHOOL;
    struct plan *plan = make();
    cr_assert_not_null(plan, "%s", why);
    check_areas(plan, expected, 12);
    plan_free(plan);
}

Test(plan, gives_both_sets_by_phase_and_quintile_without_empty_ones)
{
    static const char *const expected[] = {"E12000001|North East|-1|-1", "E12000001|North East|1|-1",
                                           "E12000001|North East|2|-1",  "E12000001|North East|-1|3",
                                           "E12000007|London|-1|-1",     "E12000007|London|0|-1",
                                           "E12000007|London|1|-1",      "E12000007|London|-1|0",
                                           "E12000007|London|-1|1",      "E12000007|London|-1|5"};
    sweep.levels = 1u << AREA_REGION;
    sweep.by = SWEEP_BY_PHASE | SWEEP_BY_QUINTILE;
    struct plan *plan = make();
    check_areas(plan, expected, 10);
    plan_free(plan);
}

Test(plan, long_school_name_is_cut_between_characters)
{
    char name[140] = "";
    for (size_t at = 0; at < 60; at++) strcat(name, "\xc3\xa9");
    cr_assert(population_set_name(population, 0, name));
    sweep.levels = 1u << AREA_SCHOOL;
    struct plan *plan = make();
    cr_assert_eq(strlen(plan->areas[0].name), 94, "47 characters of two bytes each");
    plan_free(plan);
}

Test(plan, refuses_schools_of_a_population_of_cells)
{
    population->urn[3] = 0;
    sweep.levels = 1u << AREA_SCHOOL;
    cr_assert_null(make());
    cr_assert(strstr(why, "cells"), "%s", why);
    sweep.levels = 1u << AREA_AUTHORITY;
    struct plan *plan = make();
    cr_assert_not_null(plan, "authorities need no URN");
    plan_free(plan);
}

Test(plan, keeps_the_figures_asked_for)
{
    struct plan *plan = make();
    cr_assert_eq(plan->kept_count, 6, "three years and three totals");
    cr_assert_eq(plan->column_count, 3);
    cr_assert_eq(plan->shape.figures, 3 * 3 * 6);
    plan_free(plan);

    sweep.measure_count = 2;
    strcpy(sweep.measures[0], "ratio");
    strcpy(sweep.measures[1], "cost_gbp");
    plan = make();
    cr_assert_eq(plan->kept_count, 2);
    cr_assert_eq(plan->figures[plan->kept[0]].measure, LINEAR_COST, "in the model's order");
    cr_assert_eq(plan->figures[plan->kept[1]].measure, LINEAR_RATIO);
    plan_free(plan);
}

Test(plan, figures_are_numbered_by_column_area_and_figure)
{
    struct plan *plan = make();
    size_t expected = 0;
    for (size_t column = 0; column < plan->column_count; column++)
        for (size_t area = 0; area < plan->area_count; area++)
            for (size_t kept = 0; kept < plan->kept_count; kept++)
                cr_assert_eq(plan_figure(plan, column, area, kept), expected++);
    cr_assert_eq(expected, plan->shape.figures);
    plan_free(plan);
}

Test(plan, columns_are_scenarios_then_differences_to_the_first)
{
    static const char *const expected[] = {"base", "priced, high", "third", "priced, high - base", "third - base"};
    sweep.scenario_count = 3;
    strcpy(sweep.scenarios[2].name, "third");
    struct plan *plan = make();
    cr_assert_eq(plan->column_count, 5);
    for (size_t at = 0; at < 5; at++) {
        char name[PLAN_COLUMN_NAME_BYTES];
        plan_column_name(plan, at, name, sizeof name);
        cr_assert_str_eq(name, expected[at]);
    }
    plan_free(plan);
}

Test(plan, one_scenario_has_no_difference)
{
    sweep.scenario_count = 1;
    struct plan *plan = make();
    cr_assert_eq(plan->column_count, 1);
    plan_free(plan);
}

Test(plan, longest_names_fit_a_column_name)
{
    memset(sweep.scenarios[0].name, 'a', SWEEP_NAME_BYTES - 1);
    memset(sweep.scenarios[1].name, 'b', SWEEP_NAME_BYTES - 1);
    struct plan *plan = make();
    char name[PLAN_COLUMN_NAME_BYTES];
    plan_column_name(plan, 2, name, sizeof name);
    cr_assert_eq(strlen(name), 2 * (SWEEP_NAME_BYTES - 1) + 3);
    plan_free(plan);
}

Test(plan, tells_the_model_what_may_vary)
{
    const struct {
        const char *what;
        enum design_method method;
        double growth_central, growth_setting;
        uint8_t level, growth;
    } rows[] = {
        {"a drawn parameter", DESIGN_RANDOM, 0.5, 0.5, 1, 0},
        {"nothing is drawn by a point", DESIGN_POINT, 0.5, 0.5, 0, 0},
        {"another central value", DESIGN_POINT, 0.25, 0.5, 0, 1},
        {"a scenario's setting", DESIGN_POINT, 0.5, 0.75, 0, 1},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        linear_sweep(&sweep, 1);
        sweep.method = rows[at].method;
        sweep.parameters[LINEAR_GROWTH].central = rows[at].growth_central;
        sweep.scenarios[0].setting_count = 1;
        sweep.scenarios[0].settings[0] =
            (struct sweep_setting){.parameter = LINEAR_GROWTH, .value = rows[at].growth_setting};
        struct plan *plan = make();
        cr_assert_not_null(plan, "%s", why);
        cr_assert_eq(linear_varies[LINEAR_LEVEL], rows[at].level, "%s", rows[at].what);
        cr_assert_eq(linear_varies[LINEAR_GROWTH], rows[at].growth, "%s", rows[at].what);
        cr_assert_eq(linear_varies[LINEAR_PRICE], 1, "%s", rows[at].what);
        cr_assert_eq(linear_varies[LINEAR_FAIL_ABOVE], 0, "%s", rows[at].what);
        plan_free(plan);
    }
}

Test(plan, draws_per_block_do_not_depend_on_draws)
{
    for (uint64_t draws = 1; draws < SWEEP_DRAWS_MAX; draws = 3 * draws + 1) {
        linear_sweep(&sweep, draws);
        struct plan *plan = make();
        cr_assert_eq(sweep.draws_per_block, PLAN_BLOCK_DRAWS_MAX, "%lu draws", (unsigned long)draws);
        plan_free(plan);
    }
    sweep.draws = 1;
    sweep.method = DESIGN_POINT;
    struct plan *plan = make();
    cr_assert_eq(sweep.draws_per_block, 1, "a point is one draw");
    plan_free(plan);
}

Test(plan, draws_per_block_are_what_the_sweep_asks_for_where_that_is_a_power_of_two_within_bounds)
{
    static const struct {
        uint32_t asked, made;
    } rows[] = {{1, 1}, {2, 2}, {64, 64}, {512, 512}, {0, 512}, {3, 512}, {511, 512}, {1024, 512}, {1u << 20, 512}};
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        linear_sweep(&sweep, 1000);
        sweep.draws_per_block = rows[at].asked;
        struct plan *plan = make();
        cr_assert_eq(sweep.draws_per_block, rows[at].made, "asked %u, made %u", rows[at].asked, sweep.draws_per_block);
        plan_free(plan);
    }
    sweep.draws = 1;
    sweep.draws_per_block = 64;
    sweep.method = DESIGN_POINT;
    struct plan *plan = make();
    cr_assert_eq(sweep.draws_per_block, 1, "a point is one draw, whatever is asked for");
    plan_free(plan);
}

/* Many copies of a school, so that figures grow; each row is one area. */
static void use_schools(size_t count)
{
    population_free(population);
    population = population_new(count, 1, false);
    population->authorities[0] = (struct authority){.number = 202, .region = 7, .name = "Camden"};
    for (size_t row = 0; row < count; row++) population->urn[row] = (uint32_t)(100000 + row);
    sweep.levels = 1u << AREA_SCHOOL;
    sweep.scenario_count = 1;
    sweep.measure_count = 1;
    strcpy(sweep.measures[0], "cost_gbp");
}

Test(plan, draws_per_block_are_the_largest_power_of_two_within_bounds)
{
    for (size_t schools = 1000; schools <= 200000; schools = schools * 5 / 4) {
        use_schools(schools);
        struct plan *plan = make();
        cr_assert_not_null(plan, "%s", why);
        uint64_t draws = sweep.draws_per_block;
        cr_assert_eq(draws & (draws - 1), 0);
        cr_assert(draws * plan->shape.figures <= PLAN_BLOCK_VALUES, "%zu figures", plan->shape.figures);
        cr_assert(draws == PLAN_BLOCK_DRAWS_MAX || 2 * draws * plan->shape.figures > PLAN_BLOCK_VALUES, "%zu figures",
                  plan->shape.figures);
        plan_free(plan);
    }
}

Test(plan, too_many_figures_are_refused_with_the_way_out)
{
    use_schools(125001);
    sweep.measure_count = 0;
    sweep.years = 1;
    cr_assert_null(make(), "four figures for each school");
    cr_assert(strstr(why, "500004 figures") && strstr(why, "200000") && strstr(why, "leave out"), "%s", why);
    cr_assert_null(strchr(why, '\n'));

    sweep.draws = 1;
    struct plan *plan = make();
    cr_assert_not_null(plan, "a single draw may have more: %s", why);
    plan_free(plan);
}

Test(plan, more_kept_draws_than_a_message_holds_are_refused_with_the_most_that_it_does)
{
    linear_sweep(&sweep, UINT64_C(1) << 22);
    sweep.study = (struct sweep_study){.measure_count = 2, .levels = 1u << AREA_ENGLAND, .measures = {"flow", "ratio"}};
    sweep.keep_draws = 1;
    struct plan *plan = make();
    cr_assert_not_null(plan, "four million draws: %s", why);
    cr_assert_eq(plan->shape.width, 2);
    plan_free(plan);

    sweep.draws = UINT64_C(1) << 24;
    cr_assert_null(make(), "256 MiB of kept values leave no room for anything else");
    const char *most = strstr(why, "at most ");
    cr_assert(most && strstr(why, "16777216 draws with 2 kept figures"), "%s", why);
    sweep.draws = strtoull(most + strlen("at most "), NULL, 10);
    cr_assert_gt(sweep.draws, UINT64_C(15) << 20);
    plan = make();
    cr_assert_not_null(plan, "%s", why);
    plan_free(plan);
    sweep.draws++;
    cr_assert_null(make());

    sweep.keep_draws = 0;
    plan = make();
    cr_assert_not_null(plan, "nothing is kept: %s", why);
    plan_free(plan);
}

Test(plan, refuses_what_does_not_fit_the_model)
{
    enum change { MEASURE, VERSION, PARAMETER, COUNT, YEARS, NO_LEVEL, NAME, CHANGES };
    static const char *const reasons[CHANGES] = {[MEASURE] = "no measure 'flows'",
                                                 [VERSION] = "version '0'",
                                                 [PARAMETER] = "parameter 1",
                                                 [COUNT] = "has 3 parameters",
                                                 [YEARS] = "does not run for 13 years",
                                                 [NO_LEVEL] = "no area",
                                                 [NAME] = "'priced - base'"};
    for (int change = 0; change < CHANGES; change++) {
        linear_sweep(&sweep, 10);
        sweep.measure_count = change == MEASURE;
        strcpy(sweep.measures[0], "flows");
        if (change == VERSION) strcpy(sweep.model_version, "0");
        if (change == PARAMETER) strcpy(sweep.parameters[1].name, "other");
        if (change == COUNT) sweep.parameter_count = 3;
        if (change == YEARS) sweep.years = 13;
        if (change == NO_LEVEL) sweep.levels = 0;
        if (change == NAME) {
            sweep.scenario_count = 3;
            strcpy(sweep.scenarios[1].name, "priced");
            strcpy(sweep.scenarios[2].name, "priced - base");
        }
        why[0] = '\0';
        cr_assert_null(make(), "change %d", change);
        cr_assert(strstr(why, reasons[change]), "change %d: %s", change, why);
    }
}

/* A model of somebody's own, which says wrong things of itself once it is set up. */
static struct model_figure claimed[4];
static size_t claimed_count, claimed_parts;

static const struct model_figure *claim_figures(const struct model_run *run, size_t *count)
{
    (void)run;
    *count = claimed_count;
    return claimed_count ? claimed : NULL;
}

static size_t claim_parts(const struct model_run *run)
{
    (void)run;
    return claimed_parts;
}

static struct model_run *refuse_silently(const struct model_setup *setup, char *silent, size_t silent_bytes)
{
    (void)setup, (void)silent, (void)silent_bytes;
    return NULL;
}

static void expect_claim_refused(const char *expected)
{
    struct model model = *linear_model();
    model.figures = claim_figures;
    model.part_count = claim_parts;
    cr_expect_null(plan_new(&sweep, population, &model, why, sizeof why));
    cr_expect_not_null(strstr(why, expected), "'%s' lacks '%s'", why, expected);
}

Test(plan, refuses_a_model_whose_figures_or_parts_cannot_be)
{
    const struct model_figure sound = {LINEAR_FLOW, MODEL_YEAR_ALL};
    claimed_count = 2;
    claimed_parts = 1;
    claimed[0] = sound;
    claimed[1] = (struct model_figure){LINEAR_MEASURES, 1};
    expect_claim_refused("figure 1 of model linear is of measure 3 and year 1");
    claimed[1] = (struct model_figure){LINEAR_FLOW, (uint16_t)(sweep.years + 1)};
    expect_claim_refused("there is none such");
    claimed[1] = sound;
    expect_claim_refused("gives figure flow of year 0 twice");
    claimed_count = 0;
    expect_claim_refused("gives none of the measures");
    claimed_parts = 0;
    expect_claim_refused("has 0 parts; allowed are 1 to 65536");
    claimed_parts = MODEL_PARTS_MAX + 1;
    expect_claim_refused("has 65537 parts");
}

Test(plan, says_so_when_a_model_refuses_without_a_word)
{
    struct model model = *linear_model();
    model.open = refuse_silently;
    cr_assert_null(plan_new(&sweep, population, &model, why, sizeof why));
    cr_expect_str_eq(why, "model linear cannot be set up, and does not say why");
}
