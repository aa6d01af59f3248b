/* What a run says of how its scenarios compare. */
#include "comparison.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "population_codec.h"
#include "support_linear.h"

static struct sweep sweep;
static struct population *population;
static struct plan *plan;
static struct node *root;
static struct buffer text;

/* Regret of the measure, or a threshold, or both, over three scenarios; tallies are set by hand. */
static void prepare(const char *regret, bool satisfice)
{
    char why[256];
    population = linear_population();
    linear_sweep(&sweep, 4);
    sweep.scenario_count = 3;
    sweep.scenarios[2] = sweep.scenarios[1];
    snprintf(sweep.scenarios[2].name, SWEEP_NAME_BYTES, "third");
    snprintf(sweep.regret_measure, sizeof sweep.regret_measure, "%s", regret);
    sweep.satisfice_count = satisfice;
    if (satisfice) sweep.satisfice[0] = (struct sweep_threshold){.measure = "flow", .value = 1};
    plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
    root = node_new(&plan->shape);
    root->draws = 4;
}

static void set(size_t scenario, enum answer_kind kind, const double *values, size_t count)
{
    size_t at = 0;
    while (plan->answers[at].kind != kind) at++;
    cr_assert(node_tally(root, plan_figure(plan, scenario, 0, plan->kept_count + at), values, count));
}

static const char *write(void)
{
    buffer_clear(&text);
    comparison_write(plan, root, &text);
    buffer_append(&text, "", 1);
    return (const char *)text.data;
}

static void close_all(void)
{
    buffer_free(&text);
    node_free(root);
    plan_free(plan);
    population_free(population);
}

TestSuite(comparison, .fini = close_all);

Test(comparison, the_smallest_largest_regret_is_the_choice)
{
    prepare("flow", false);
    set(0, ANSWER_REGRET, (double[]){0, 0, 0, 9}, 4);
    set(1, ANSWER_REGRET, (double[]){5, 5, 5, 5}, 4);
    set(2, ANSWER_REGRET, (double[]){1, 6, 0, 0}, 4);
    cr_expect_not_null(strstr(write(), "\n  the smallest largest regret: priced, high\n"), "%s", write());
    cr_expect_not_null(strstr(write(), "regret in flow, hours, against the highest of each draw\n"), "%s", write());
}

Test(comparison, of_equal_ones_the_first_is_the_choice)
{
    prepare("flow", false);
    for (size_t at = 0; at < 3; at++) set(at, ANSWER_REGRET, (double[]){at == 0 ? 7 : 5, 0, 0, 0}, 4);
    cr_expect_not_null(strstr(write(), "regret: priced, high\n"), "%s", write());
}

/* A scenario whose regret is not known in one draw might have the largest there. */
Test(comparison, a_scenario_with_a_gap_is_nobodys_choice)
{
    prepare("flow", false);
    set(1, ANSWER_REGRET, (double[]){1, 1, NAN, 1}, 4);
    set(2, ANSWER_REGRET, (double[]){8, 0, 0, 0}, 4);
    cr_expect_not_null(strstr(write(), "regret: third\n"), "%s", write());
    cr_expect_not_null(strstr(write(), "  base                       -              -\n"),
                       "a scenario without any says so:%s", write());
    root->failed_draws = 1;
    cr_expect_not_null(strstr(write(), "regret: priced, high\n"), "the draw had failed: %s", write());
}

Test(comparison, money_comes_in_millions_and_means_with_their_error)
{
    prepare("cost_gbp", true);
    sweep.regret_lowest = 1;
    set(0, ANSWER_REGRET, (double[]){1e6, 3e6, 1e6, 3e6}, 4);
    set(0, ANSWER_SATISFICE, (double[]){1, 0, 0, 0}, 4);
    set(1, ANSWER_SATISFICE, (double[]){1, 1, 1, 1}, 4);
    const char *written = write();
    cr_expect_not_null(strstr(written, "regret in cost_gbp, GBP million, against the lowest of each draw\n"), "%s",
                       written);
    cr_expect_not_null(strstr(written, "  2 +- 1.1 "), "1.96 x sqrt(4/3) / 2: %s", written);
    cr_expect_not_null(strstr(written, "25.0 % +- 49\n"), "1.96 x 0.5 / 2: %s", written);
    cr_expect_not_null(strstr(written, "100.0 %\n"), "%s", written);
    cr_expect_not_null(strstr(written, "\n  +-: half of the mean's 95 % interval\n"), "%s", written);
}

Test(comparison, json_has_the_same_in_full)
{
    prepare("cost_gbp", true);
    set(1, ANSWER_REGRET, (double[]){1e6, 3e6, 1e6, 3e6}, 4);
    set(1, ANSWER_SATISFICE, (double[]){1, 0, 0, 0}, 4);
    json_t *object = json_object();
    comparison_describe(plan, root, object);
    json_t *compare = json_object_get(object, "compare"), *list = json_object_get(compare, "scenarios");
    cr_expect_str_eq(json_string_value(json_object_get(compare, "minimax_regret")), "priced, high");
    cr_assert_eq(json_array_size(list), 3);
    json_t *second = json_array_get(list, 1);
    cr_expect_eq(json_real_value(json_object_get(second, "max_regret")), 3e6);
    cr_expect_eq(json_real_value(json_object_get(second, "mean_regret")), 2e6);
    cr_expect_float_eq(json_real_value(json_object_get(second, "mean_regret_mcse")), 1e6 * sqrt(4.0 / 3) / 2, 1e-3);
    cr_expect_eq(json_real_value(json_object_get(second, "satisfice")), 0.25);
    cr_expect(json_is_null(json_object_get(json_array_get(list, 0), "max_regret")));
    json_decref(object);
}

Test(comparison, nobody_asked_and_nothing_is_said)
{
    prepare("", false);
    json_t *object = json_object();
    comparison_describe(plan, root, object);
    cr_expect_str_eq(write(), "");
    cr_expect_eq(json_object_size(object), 0);
    json_decref(object);
}

Test(comparison, no_regret_that_is_defined_leaves_no_choice)
{
    prepare("ratio", true);
    cr_expect_null(strstr(write(), "the smallest"), "%s", write());
    cr_expect_not_null(strstr(write(), "meets every threshold"), "%s", write());
}
