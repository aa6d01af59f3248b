/* The functions with exact answers: their mean and variance by quadrature over each input, or from the moments of
 * their terms, against closed forms; and the models themselves, loaded from their files. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_integration.h>

#include "design.h"
#include "plugin.h"

#define POINTS_MAX 64

struct bench {
    struct plugin *plugin;
    struct model_run *run;
    model_lanes values[MODEL_PARAMETERS_MAX], parts[1], figures[1];
};

static void open_bench(struct bench *bench, const char *name)
{
    static const struct population nobody;
    static const struct area england = {.phase = AREA_ALL, .quintile = AREA_ALL};
    static const uint8_t varies[MODEL_PARAMETERS_MAX];
    const struct model_setup setup = {
        .years = 10, .population = &nobody, .areas = &england, .area_count = 1, .varies = varies};
    char path[512], why[PLUGIN_WHY_BYTES];
    snprintf(path, sizeof path, "%s/%s.so", GOLDTHREAD_MODELS, name);
    bench->plugin = plugin_open(path, why, sizeof why);
    cr_assert_not_null(bench->plugin, "%s: %s", name, why);
    bench->run = bench->plugin->model.open(&setup, why, sizeof why);
    cr_assert_not_null(bench->run);
    cr_assert_eq(bench->plugin->model.part_count(bench->run), 1);
}

static void close_bench(struct bench *bench)
{
    bench->plugin->model.close(bench->run);
    plugin_close(bench->plugin);
}

/* Runs the lanes as they are: the mask of failures, and y in figures[0]. */
static uint32_t run_lanes(struct bench *bench)
{
    const struct model *model = &bench->plugin->model;
    const uint32_t failed = model->run(bench->run, (const model_lanes *)bench->values, bench->parts);
    model->measure(bench->run, 0, (const model_lanes *)bench->parts, NULL, bench->figures);
    return failed;
}

/* ---- quadrature: a rule per input, over all combinations ---- */

struct rule {
    size_t count;
    double x[POINTS_MAX], weight[POINTS_MAX]; /* weights sum to 1 */
};

/* Gauss-Legendre on two halves of a range, because some functions have a kink in the middle. */
static struct rule uniform_rule(double low, double high, size_t points_per_half)
{
    struct rule rule = {.count = 2 * points_per_half};
    gsl_integration_glfixed_table *table = gsl_integration_glfixed_table_alloc(points_per_half);
    const double middle = (low + high) / 2;
    for (size_t at = 0; at < rule.count; at++) {
        const bool upper = at >= points_per_half;
        gsl_integration_glfixed_point(upper ? middle : low, upper ? high : middle, at % points_per_half, &rule.x[at],
                                      &rule.weight[at], table);
        rule.weight[at] /= high - low;
    }
    gsl_integration_glfixed_table_free(table);
    return rule;
}

/* Three points are exact for polynomials up to degree 5. */
static struct rule normal_rule(double mean, double sd)
{
    return (struct rule){
        .count = 3, .x = {mean - sd * sqrt(3), mean, mean + sd * sqrt(3)}, .weight = {1.0 / 6, 2.0 / 3, 1.0 / 6}};
}

static struct rule rule_of(const struct parameter *parameter, size_t points_per_half)
{
    const struct distribution *distribution = &parameter->distribution;
    if (distribution->kind == DISTRIBUTION_NORMAL) return normal_rule(distribution->mean, distribution->sd);
    cr_assert_eq(distribution->kind, DISTRIBUTION_UNIFORM);
    return uniform_rule(distribution->low, distribution->high, points_per_half);
}

struct moments {
    double mean, variance;
};

static struct moments integrate(const char *name, size_t points_per_half)
{
    static struct bench bench;
    static struct rule rules[MODEL_PARAMETERS_MAX];
    open_bench(&bench, name);
    const struct model *model = &bench.plugin->model;
    size_t total = 1;
    for (size_t at = 0; at < model->parameter_count; at++) {
        rules[at] = rule_of(&model->parameters[at], points_per_half);
        total *= rules[at].count;
    }
    double sum = 0, squares = 0, weights[MODEL_LANES];
    for (size_t first = 0; first < total; first += MODEL_LANES) {
        for (size_t lane = 0; lane < MODEL_LANES; lane++) {
            size_t rest = first + lane < total ? first + lane : first;
            weights[lane] = first + lane < total ? 1 : 0;
            for (size_t at = 0; at < model->parameter_count; rest /= rules[at++].count) {
                bench.values[at][lane] = rules[at].x[rest % rules[at].count];
                weights[lane] *= rules[at].weight[rest % rules[at].count];
            }
        }
        cr_assert_eq(run_lanes(&bench), 0);
        for (size_t lane = 0; lane < MODEL_LANES; lane++) {
            const double y = bench.figures[0][lane];
            sum += weights[lane] * y;
            squares += weights[lane] * y * y;
        }
    }
    close_bench(&bench);
    return (struct moments){sum, squares - sum * sum};
}

static void expect_moments(const char *name, struct moments actual, double mean, double variance)
{
    cr_expect_float_eq(actual.mean, mean, 1e-9, "%s: mean %.15g, not %.15g", name, actual.mean, mean);
    cr_expect_float_eq(actual.variance, variance, 1e-9 * (1 + variance), "%s: variance %.15g, not %.15g", name,
                       actual.variance, variance);
}

static double variance_of_g(const double *a, size_t count)
{
    double product = 1;
    for (size_t at = 0; at < count; at++) product *= 1 + 1 / (3 * (1 + a[at]) * (1 + a[at]));
    return product - 1;
}

Test(functions, ishigami_has_its_closed_form)
{
    expect_moments("ishigami", integrate("ishigami", 12), 3.5, 13.844587940719254);
}

Test(functions, both_g_functions_have_their_closed_forms)
{
    static const double a[] = {0, 1, 4.5, 9, 99, 99, 99, 99};
    static const double a10[] = {-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4};
    expect_moments("sobol_g", integrate("sobol_g", 2), 1, variance_of_g(a, 8));
    expect_moments("sobol_g10", integrate("sobol_g10", 2), 1, variance_of_g(a10, 10));
    cr_expect_float_eq(variance_of_g(a, 8), 0.4654244319022067, 1e-13);
    cr_expect_float_eq(variance_of_g(a10, 10), 3.565550139952456, 1e-12);
}

Test(functions, sums_and_products_have_their_closed_forms)
{
    expect_moments("product", integrate("product", 2), 1, 40.0 / 144);
    expect_moments("linear_gaussian", integrate("linear_gaussian", 2), 0, 6);
}

/* ---- functions of too many inputs for that: sums of products of independent terms ---- */

#define INPUTS_MAX 45
#define TERMS_MAX  400

/* coefficient x the product of the terms of these inputs (1-based, 0 ends). */
struct product {
    double coefficient;
    uint8_t inputs[5];
};

struct polynomial {
    size_t count;
    struct product products[TERMS_MAX];
    double mean[INPUTS_MAX + 1], square[INPUTS_MAX + 1]; /* E w_i, E w_i^2 */
};

static void add(struct polynomial *polynomial, double coefficient, uint8_t i, uint8_t j, uint8_t k, uint8_t l)
{
    cr_assert_lt(polynomial->count, TERMS_MAX);
    polynomial->products[polynomial->count++] = (struct product){coefficient, {i, j, k, l, 0}};
}

static size_t count_of(const struct product *product, uint8_t input)
{
    size_t count = 0;
    for (size_t at = 0; product->inputs[at]; at++) count += product->inputs[at] == input;
    return count;
}

/* E of the product of two products: inputs that both have enter by their square. */
static double expect_both(const struct polynomial *polynomial, const struct product *a, const struct product *b)
{
    double value = a->coefficient * b->coefficient;
    for (size_t at = 0; a->inputs[at]; at++)
        value *= count_of(b, a->inputs[at]) ? polynomial->square[a->inputs[at]] : polynomial->mean[a->inputs[at]];
    for (size_t at = 0; b->inputs[at]; at++)
        if (!count_of(a, b->inputs[at])) value *= polynomial->mean[b->inputs[at]];
    return value;
}

static struct moments moments_of(const struct polynomial *polynomial)
{
    static const struct product one = {1, {0}};
    double mean = 0, square = 0;
    for (size_t a = 0; a < polynomial->count; a++) {
        mean += expect_both(polynomial, &polynomial->products[a], &one);
        for (size_t b = 0; b < polynomial->count; b++)
            square += expect_both(polynomial, &polynomial->products[a], &polynomial->products[b]);
    }
    return (struct moments){mean, square - mean * mean};
}

static double value_of(const struct polynomial *polynomial, const double *w)
{
    double sum = 0;
    for (size_t at = 0; at < polynomial->count; at++) {
        double value = polynomial->products[at].coefficient;
        for (size_t input = 0; polynomial->products[at].inputs[input]; input++)
            value *= w[polynomial->products[at].inputs[input]];
        sum += value;
    }
    return sum;
}

/* With w = 2 (x - 1/2): E w = 0, E w^2 = 1/3. With w = 2 (1.1 x / (x + 0.1) - 1/2) = 1.2 - 0.22 / (x + 0.1):
 * E 1 / (x + 0.1) = ln 11, and E 1 / (x + 0.1)^2 = 1/0.1 - 1/1.1. */
static void set_terms_of_morris(struct polynomial *polynomial)
{
    const double first = log(11), second = 1 / 0.1 - 1 / 1.1;
    for (size_t i = 1; i <= 20; i++) {
        const bool curved = i == 3 || i == 5 || i == 7;
        polynomial->mean[i] = curved ? 1.2 - 0.22 * first : 0;
        polynomial->square[i] = curved ? 1.44 - 2 * 1.2 * 0.22 * first + 0.0484 * second : 1.0 / 3;
    }
}

static void make_morris(struct polynomial *polynomial)
{
    set_terms_of_morris(polynomial);
    for (uint8_t i = 1; i <= 20; i++) {
        add(polynomial, i <= 10 ? 20 : i % 2 ? -1 : 1, i, 0, 0, 0);
        for (uint8_t j = (uint8_t)(i + 1); j <= 20; j++) {
            add(polynomial, i <= 6 && j <= 6 ? -15 : (i + j) % 2 ? -1 : 1, i, j, 0, 0);
            for (uint8_t k = (uint8_t)(j + 1); k <= 5; k++) add(polynomial, -10, i, j, k, 0);
        }
    }
    add(polynomial, 5, 1, 2, 3, 4);
}

static void make_wide(struct polynomial *polynomial)
{
    for (uint8_t i = 1; i <= 45; i++) {
        polynomial->square[i] = 1.0 / 12;
        add(polynomial, 1.0 / i, i, 0, 0, 0);
        if (i % 2 == 1 && i < 45) add(polynomial, 1, i, (uint8_t)(i + 1), 0, 0);
    }
}

static double term_of_morris(size_t input, double x)
{
    return input == 3 || input == 5 || input == 7 ? 2 * (1.1 * x / (x + 0.1) - 0.5) : 2 * (x - 0.5);
}

static double term_of_wide(size_t input, double x)
{
    (void)input;
    return x - 0.5;
}

/* The model computes this polynomial: at points of a Weyl sequence in each input. */
static void expect_polynomial(const char *name, const struct polynomial *polynomial, double (*term)(size_t, double))
{
    static struct bench bench;
    double w[MODEL_LANES][INPUTS_MAX + 1];
    open_bench(&bench, name);
    for (size_t lane = 0; lane < MODEL_LANES; lane++)
        for (size_t input = 1; input <= bench.plugin->model.parameter_count; input++) {
            const double x = fmod(sqrt((double)(2 * input + 1)) * (double)(lane + 1), 1);
            bench.values[input - 1][lane] = x;
            w[lane][input] = term(input, x);
        }
    cr_assert_eq(run_lanes(&bench), 0);
    for (size_t lane = 0; lane < MODEL_LANES; lane++)
        cr_expect_float_eq(bench.figures[0][lane], value_of(polynomial, w[lane]), 1e-10, "%s, lane %zu", name, lane);
    close_bench(&bench);
}

Test(functions, morris_is_the_polynomial_whose_moments_are_known)
{
    static struct polynomial polynomial;
    make_morris(&polynomial);
    cr_expect_eq(polynomial.count, 20 + 190 + 10 + 1);
    expect_polynomial("morris", &polynomial, term_of_morris);
    const double mean = 1.2 - 0.22 * log(11); /* of w_3, w_5, w_7; the pairs of these have -15, 1 and 1 */
    expect_moments("morris", moments_of(&polynomial), 60 * mean - 13 * mean * mean, 1074.935872197774);
}

Test(functions, the_wide_one_is_the_polynomial_whose_moments_are_known)
{
    static struct polynomial polynomial;
    double variance = 22.0 / 144;
    for (int i = 1; i <= 45; i++) variance += 1.0 / (12.0 * i * i);
    make_wide(&polynomial);
    expect_polynomial("wide", &polynomial, term_of_wide);
    expect_moments("wide", moments_of(&polynomial), 0, variance);
}

/* ---- those that fail ---- */

/* Draws on a grid of 512 x 512 cell middles: how many fail, and the mean of the rest. */
static size_t count_failures(const char *name, double *mean)
{
    enum { SIDE = 512 };
    static struct bench bench;
    size_t failures = 0;
    double sum = 0;
    open_bench(&bench, name);
    for (size_t row = 0; row < SIDE; row++)
        for (size_t column = 0; column < SIDE; column += MODEL_LANES) {
            for (size_t lane = 0; lane < MODEL_LANES; lane++) {
                bench.values[0][lane] = ((double)row + 0.5) / SIDE;
                bench.values[1][lane] = ((double)(column + lane) + 0.5) / SIDE;
            }
            const uint32_t failed = run_lanes(&bench);
            cr_assert_eq(failed, run_lanes(&bench), "a draw that fails, fails again");
            for (size_t lane = 0; lane < MODEL_LANES; lane++)
                if (failed >> lane & 1) failures++;
                else sum += bench.figures[0][lane];
        }
    close_bench(&bench);
    *mean = sum / (double)(SIDE * SIDE - failures);
    return failures;
}

Test(functions, one_draw_in_twenty_fails_whatever_the_inputs)
{
    double mean;
    const double all = 512 * 512, failures = (double)count_failures("fails_at_random", &mean);
    cr_expect_float_eq(failures, all / 20, 5 * sqrt(all * 0.05 * 0.95), "%.0f failures", failures);
    cr_expect_float_eq(mean, 1, 5 * sqrt(1.0 / 6 * 0.05 / all), "failing at random moves no mean: %.9g", mean);
}

Test(functions, the_corner_fails_and_takes_its_values_along)
{
    double mean;
    const size_t failures = count_failures("fails_in_corner", &mean);
    cr_expect_eq(failures, 102 * 102, "%zu failures", failures); /* cell middles above 0.8 */
    cr_expect_float_eq(mean, (1 - 0.04 * 1.8) / 0.96, 1e-3, "%.9g", mean);
}
