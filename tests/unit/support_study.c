#include "support_study.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "plugin.h"
#include "population_codec.h"
#include "support_linear.h"

static void set_parameters(struct sweep *sweep, const struct model *model)
{
    sweep->parameter_count = (uint32_t)model->parameter_count;
    for (size_t at = 0; at < model->parameter_count; at++) {
        struct sweep_parameter *parameter = &sweep->parameters[at];
        snprintf(parameter->name, sizeof parameter->name, "%s", model->parameters[at].name);
        parameter->central = model->parameters[at].central;
        parameter->distribution = model->parameters[at].distribution;
    }
}

static void set_study(struct sweep *sweep)
{
    sweep->groups = 16;
    sweep->levels = sweep->study.levels = 1u << AREA_ENGLAND;
    sweep->study.measure_count = 1;
    snprintf(sweep->study.measures[0], sizeof sweep->study.measures[0], "y");
    snprintf(sweep->scenarios[0].name, SWEEP_NAME_BYTES, "only");
    sweep->scenario_count = 1;
}

struct trial *open_trial(const char *model, enum design_method method, uint64_t draws, uint64_t seed)
{
    char path[512], why[PLUGIN_WHY_BYTES];
    struct trial *trial = calloc(1, sizeof *trial);
    cr_assert_not_null(trial);
    snprintf(path, sizeof path, "%s/%s.so", GOLDTHREAD_MODELS, model);
    trial->plugin = plugin_open(path, why, sizeof why);
    cr_assert_not_null(trial->plugin, "%s: %s", path, why);
    trial->population = linear_population();
    struct sweep *sweep = &trial->sweep;
    *sweep = (struct sweep){.method = method, .draws = draws, .seed = seed, .years = 1, .first_year = 202526};
    snprintf(sweep->name, SWEEP_NAME_BYTES, "trial");
    snprintf(sweep->model, SWEEP_NAME_BYTES, "%s", trial->plugin->model.name);
    snprintf(sweep->model_version, SWEEP_NAME_BYTES, "%s", trial->plugin->model.version);
    set_parameters(sweep, &trial->plugin->model);
    set_study(sweep);
    return trial;
}

static void drop_results(struct trial *trial)
{
    node_free(trial->root);
    if (trial->plan) plan_free(trial->plan);
    free(trial->rows);
    trial->root = NULL;
    trial->plan = NULL;
    trial->rows = NULL;
    trial->row_count = 0;
}

void close_trial(struct trial *trial)
{
    drop_results(trial);
    plugin_close(trial->plugin);
    population_free(trial->population);
    free(trial);
}

static struct node *run_blocks(const struct plan *plan)
{
    char why[512] = "";
    uint64_t count = sweep_block_count(plan->sweep);
    struct node **nodes = calloc(count, sizeof *nodes);
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    cr_assert_not_null(runner, "%s", why);
    cr_assert_not_null(nodes);
    for (uint64_t block = 0; block < count; block++) {
        nodes[block] = block_run(runner, block);
        cr_assert_not_null(nodes[block]);
    }
    struct node *root = node_fold(nodes, count);
    cr_assert_not_null(root);
    for (uint64_t block = 0; block < count; block++) node_free(nodes[block]);
    free(nodes);
    block_runner_free(runner);
    return root;
}

static bool keep_row(void *context, const struct estimate_row *row)
{
    struct trial *trial = context;
    struct estimate_row *rows = realloc(trial->rows, (trial->row_count + 1) * sizeof *rows);
    cr_assert_not_null(rows);
    trial->rows = rows;
    trial->rows[trial->row_count++] = *row;
    return true;
}

void run_trial(struct trial *trial)
{
    char why[512] = "";
    drop_results(trial);
    trial->plan = plan_new(&trial->sweep, trial->population, &trial->plugin->model, why, sizeof why);
    cr_assert_not_null(trial->plan, "%s", why);
    trial->root = run_blocks(trial->plan);
    cr_assert(estimate_rows(&trial->plan->study, trial->root, 0.95, keep_row, trial));
}

struct estimate_row row_of(const struct trial *trial, const char *index, int dimension, int second)
{
    const struct estimate_row *found = NULL;
    for (size_t at = 0; at < trial->row_count; at++) {
        const struct estimate_row *row = &trial->rows[at];
        if (strcmp(row->index, index) != 0 || row->dimension != dimension || row->second != second) continue;
        cr_assert_null(found, "%s of %d is there twice", index, dimension);
        found = row;
    }
    cr_assert_not_null(found, "there is no %s of %d", index, dimension);
    return *found;
}

void expect_value(const struct trial *trial, const char *index, int dimension, double exact, double bound)
{
    struct estimate_row row = row_of(trial, index, dimension, -1);
    cr_expect_float_eq(row.value, exact, bound, "%s of %d: %.6f, not %.6f; interval %.6f to %.6f, n %llu", index,
                       dimension, row.value, exact, row.low, row.high, (unsigned long long)row.n);
}
