#include "support_kept.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "block.h"
#include "population_codec.h"

#define BLOCKS_MAX 256u

struct sweep kept_sweep;
struct plan *kept_plan;
struct node *kept_root;
static struct population *population;

void kept_prepare(uint64_t draws)
{
    linear_sweep(&kept_sweep, draws);
    kept_sweep.method = DESIGN_SOBOL;
    kept_sweep.parameters[LINEAR_PRICE].distribution = (struct distribution){
        .kind = DISTRIBUTION_DISCRETE, .point_count = 3, .values = {1, 2, 4}, .weights = {1, 1, 1}};
    kept_sweep.scenario_count = 1;
    kept_sweep.keep_draws = 1;
    kept_sweep.study = (struct sweep_study){
        .measure_count = 2, .measures = {"flow", "cost_gbp"}, .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION};
}

void kept_open(void)
{
    struct node *blocks[BLOCKS_MAX];
    char why[256];
    population = linear_population();
    kept_plan = plan_new(&kept_sweep, population, linear_model(), why, sizeof why);
    cr_assert_not_null(kept_plan, "%s", why);
    struct block_runner *runner = block_runner_new(kept_plan, why, sizeof why);
    cr_assert_not_null(runner, "%s", why);
    size_t count = sweep_block_count(&kept_sweep);
    cr_assert_leq(count, BLOCKS_MAX);
    for (size_t at = 0; at < count; at++) cr_assert_not_null(blocks[at] = block_run(runner, at));
    kept_root = node_fold(blocks, count);
    cr_assert_not_null(kept_root);
    for (size_t at = 0; at < count; at++) node_free(blocks[at]);
    block_runner_free(runner);
}

void kept_close(void)
{
    node_free(kept_root);
    plan_free(kept_plan);
    population_free(population);
}
