#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "plan.h"
#include "population.h"
#include "population_codec.h"
#include "registry.h"

static struct sweep sweep;
static struct population *population;
static struct plan *plan;
static char why[512];

static void make(uint64_t draws, size_t scenarios)
{
    const struct model *model = model_find("no-op");
    cr_assert_not_null(model);
    population = population_built_in();
    sweep = (struct sweep){.name = "empty",
                           .population_name = POPULATION_BUILT_IN,
                           .years = 1,
                           .first_year = 202526,
                           .method = DESIGN_RANDOM,
                           .draws = draws,
                           .draws_per_block = 1,
                           .levels = 1u << AREA_ENGLAND,
                           .quantile_count = 1,
                           .quantiles = {0.5},
                           .parameter_count = 1,
                           .scenario_count = (uint32_t)scenarios,
                           .scenarios = {{.name = "base"}, {.name = "other", .setting_count = 1}}};
    sweep.scenarios[1].settings[0] = (struct sweep_setting){.parameter = 0, .value = 3};
    strcpy(sweep.model, model->name);
    strcpy(sweep.model_version, model->version);
    strcpy(sweep.parameters[0].name, model->parameters[0].name);
    sweep.parameters[0].central = model->parameters[0].central;
    plan = plan_new(&sweep, population, model, why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
}

static void drop(void)
{
    plan_free(plan);
    population_free(population);
}

Test(noop, a_block_of_one_draw_is_one_figure_that_is_one)
{
    make(100, 1);
    cr_assert_eq(plan->shape.figures, 1);
    cr_assert_eq(sweep_block_count(&sweep), 100);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    struct node *node = block_run(runner, 99);
    cr_assert_eq(node->draws, 1);
    cr_assert_eq(node->tallies[0].count, 1);
    cr_assert_eq(node->tallies[0].mean, 1.0);
    cr_assert_eq(node->bucket_count, 0);
    node_free(node);
    block_runner_free(runner);
    drop();
}

Test(noop, a_difference_is_the_difference_of_the_parameter)
{
    make(4, 2);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    struct node *node = block_run(runner, 0);
    static const double expected[] = {1, 3, 2}; /* base, other, other - base */
    cr_assert_eq(plan->shape.figures, 3);
    for (size_t figure = 0; figure < 3; figure++)
        cr_assert_eq(node->tallies[figure].mean, expected[figure], "figure %zu", figure);
    node_free(node);
    block_runner_free(runner);
    drop();
}
