/* sensitivity.csv: every estimate of a study, named, sorted and quoted. */
#include "sensitivity_table.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "estimate.h"
#include "population_codec.h"
#include "support_linear.h"
#include "table.h"

static struct sweep sweep;
static struct population *population;
static struct plan *plan;
static struct node *root;

/* The first block of a study of two measures, for England and its two regions. */
static void open_study(enum design_method method)
{
    char why[256];
    population = linear_population();
    linear_sweep(&sweep, 512);
    sweep.scenario_count = 1;
    snprintf(sweep.scenarios[0].name, SWEEP_NAME_BYTES, "a, \"b\"");
    sweep.method = method;
    sweep.groups = 16;
    sweep.parameters[LINEAR_GROWTH].distribution =
        (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0.2, .high = 0.6};
    sweep.study = (struct sweep_study){
        .measure_count = 2, .measures = {"flow", "cost_gbp"}, .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION};
    plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    cr_assert_not_null(runner, "%s", why);
    root = block_run(runner, 0);
    cr_assert_not_null(root);
    block_runner_free(runner);
}

static void close_study(void)
{
    node_free(root);
    plan_free(plan);
    population_free(population);
}

TestSuite(sensitivity_table, .fini = close_study);

static bool count_row(void *context, const struct estimate_row *row)
{
    (void)row;
    ++*(size_t *)context;
    return true;
}

struct seen {
    size_t count, dummies, undefined;
    char last[1024];
};

static bool look(void *context, const struct sensitivity_row *row)
{
    struct seen *seen = context;
    char key[1024] = "";
    for (size_t at = 0; at < SENSITIVITY_TEXTS; at++) {
        strncat(key, row->texts[at], sizeof key - strlen(key) - 2);
        strncat(key, "\x01", 2);
    }
    cr_expect_gt(strcmp(key, seen->last), 0, "%s behind %s", key, seen->last);
    snprintf(seen->last, sizeof seen->last, "%s", key);
    cr_expect_str_eq(row->method, "saltelli");
    seen->count++;
    seen->dummies += strcmp(row->texts[7], "dummy") == 0;
    seen->undefined += isnan(row->estimate);
    return true;
}

Test(sensitivity_table, holds_every_estimate_once_ascending)
{
    open_study(DESIGN_SALTELLI);
    struct seen seen = {0};
    size_t expected = 0;
    cr_assert(estimate_rows(&plan->study, root, 0.95, count_row, &expected));
    cr_assert(sensitivity_rows(plan, root, look, &seen));
    cr_expect_eq(seen.count, expected);
    cr_expect_eq(seen.count, 3 * 2 * (1 + 3 + 2), "mean, s1 with a dummy, st, of two parameters");
    cr_expect_eq(seen.dummies, 3 * 2);
    cr_expect_eq(seen.undefined, 3 * 5, "nothing varies the cost");
}

/* The line of England's flow or cost that begins so behind the area's name. */
static void find_line(const struct buffer *csv, const char *rest, char line[512])
{
    for (const char *at = (const char *)csv->data; at && *at; at = strchr(at, '\n') + 1) {
        snprintf(line, 512, "%.*s", (int)strcspn(at, "\n"), at);
        if (strstr(line, "E92000001,England,") && strstr(line, rest)) return;
    }
    cr_assert_fail("no row %s", rest);
}

Test(sensitivity_table, is_quoted_and_leaves_empty_what_is_undefined)
{
    open_study(DESIGN_SALTELLI);
    struct buffer csv = {0};
    char line[512];
    cr_assert(sensitivity_csv(plan, root, &csv));
    buffer_append(&csv, "", 1);
    cr_expect_eq(strncmp((const char *)csv.data, SENSITIVITY_HEADER, strlen(SENSITIVITY_HEADER)), 0);
    find_line(&csv, ",flow,", line);
    const char *expected = "\"a, \"\"b\"\"\",E92000001,England,flow,hours,all,";
    cr_expect_eq(strncmp(line, expected, strlen(expected)), 0, "%s", line);
    find_line(&csv, ",cost_gbp,GBP,all,st,linear.growth,", line);
    cr_expect_not_null(strstr(line, ",st,linear.growth,,,,,512,saltelli"), "undefined: %s", line);
    buffer_free(&csv);
}

Test(sensitivity_table, names_parameters_by_dimension)
{
    open_study(DESIGN_SOBOL);
    cr_expect_str_eq(sensitivity_parameter(plan, -1), "");
    cr_expect_str_eq(sensitivity_parameter(plan, 0), "linear.level");
    cr_expect_str_eq(sensitivity_parameter(plan, 1), "linear.growth");
    cr_expect_str_eq(sensitivity_parameter(plan, 2), "dummy");
}

Test(sensitivity_table, intervals_are_those_of_the_stop_rule)
{
    open_study(DESIGN_SOBOL);
    cr_expect_eq(sensitivity_confidence(&sweep), 0.95);
    sweep.stop = (struct sweep_stop){.kind = STOP_HALF_WIDTH, .confidence = 0.9};
    cr_expect_eq(sensitivity_confidence(&sweep), 0.9);
}
