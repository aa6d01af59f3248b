/* How fast one core runs blocks of the golden thread, where the time goes, and how large nodes are.
 * bench_block [SECONDS]: about how long each measurement takes. */
#include "block.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "design.h"
#include "parameters.h"
#include "population.h"
#include "population_codec.h"
#include "registry.h"
#include "table.h"

#define MERGED 8u

static double target_seconds = 2;

static double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static _Noreturn void stop(const char *why)
{
    fprintf(stderr, "bench_block: %s\n", why);
    exit(1);
}

/* --- the sweep of scenarios/golden-thread.yaml --- */

static uint32_t find_parameter(const struct model *model, const char *name)
{
    int at = parameters_find(model->parameters, model->parameter_count, name);
    if (at < 0) stop(name);
    return (uint32_t)at;
}

static void set_uncertain(struct sweep *sweep, const struct model *model, bool all)
{
    for (size_t at = 0; at < model->parameter_count; at++) {
        const char *name = model->parameters[at].name;
        bool uncertain = all || !strcmp(name, "effect.attainment_sd") || !strcmp(name, "effect.implementation");
        if (!uncertain) sweep->parameters[at].distribution = (struct distribution){.kind = DISTRIBUTION_FIXED};
    }
}

static void make_sweep(struct sweep *sweep, const struct model *model, bool all)
{
    *sweep = (struct sweep){.name = "golden-thread",
                            .population_name = POPULATION_BUILT_IN,
                            .years = 10,
                            .first_year = 202526,
                            .seed = 2025,
                            .method = DESIGN_SOBOL,
                            .draws = UINT64_C(1) << 30,
                            .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION,
                            .quantile_count = 3,
                            .quantiles = {0.05, 0.5, 0.95},
                            .parameter_count = (uint32_t)model->parameter_count,
                            .scenario_count = 2};
    snprintf(sweep->model, SWEEP_NAME_BYTES, "%s", model->name);
    snprintf(sweep->model_version, SWEEP_NAME_BYTES, "%s", model->version);
    for (size_t at = 0; at < model->parameter_count; at++) {
        struct sweep_parameter *parameter = &sweep->parameters[at];
        snprintf(parameter->name, sizeof parameter->name, "%s", model->parameters[at].name);
        parameter->central = model->parameters[at].central;
        parameter->distribution = model->parameters[at].distribution;
    }
    set_uncertain(sweep, model, all);
    snprintf(sweep->scenarios[0].name, SWEEP_NAME_BYTES, "no-policy");
    snprintf(sweep->scenarios[1].name, SWEEP_NAME_BYTES, "golden-thread");
    sweep->scenarios[1].setting_count = 1;
    sweep->scenarios[1].settings[0] =
        (struct sweep_setting){.parameter = find_parameter(model, "entitlement.funded_years"), .value = 4};
}

/* --- whole blocks --- */

static struct node *run_block(struct block_runner *runner, uint64_t block)
{
    struct node *node = block_run(runner, block);
    if (!node) stop("out of memory");
    return node;
}

/* Seconds of a block. */
static double time_blocks(struct block_runner *runner)
{
    double start = seconds_now(), elapsed = 0;
    uint64_t blocks = 0;
    node_free(run_block(runner, blocks)); /* touches the memory */
    for (start = seconds_now(); elapsed < target_seconds; elapsed = seconds_now() - start)
        node_free(run_block(runner, ++blocks));
    return elapsed / (double)blocks;
}

/* --- where the time goes: the pieces of a block alone --- */

struct pieces {
    double design, run, measure;
};

static model_lanes *lanes_new(size_t rows)
{
    model_lanes *lanes = aligned_alloc(64, (rows ? rows : 1) * sizeof *lanes);
    if (!lanes) stop("out of memory");
    return lanes;
}

static void measure_areas(const struct plan *plan, const model_lanes *parts, const model_lanes *baseline,
                          model_lanes *out)
{
    size_t part_count = plan->model->part_count(plan->run);
    for (size_t area = 0; area < plan->area_count; area++)
        plan->model->measure(plan->run, area, parts + area * part_count, baseline ? baseline + area * part_count : NULL,
                             out);
}

/* Times one batch over and over and scales it to a block. */
static struct pieces time_pieces(const struct plan *plan)
{
    char why[200];
    const struct sweep *sweep = plan->sweep;
    struct design *design = design_new(sweep, why, sizeof why);
    if (!design) stop(why);
    size_t rows = plan->area_count * plan->model->part_count(plan->run);
    uint32_t funded_years = find_parameter(plan->model, "entitlement.funded_years");
    model_lanes *values = lanes_new(sweep->parameter_count), *out = lanes_new(plan->model_figure_count);
    model_lanes *baseline = lanes_new(rows), *parts = lanes_new(rows);
    struct pieces pieces = {0};
    size_t batches = 0;
    double batches_per_block = (double)sweep->draws_per_block / MODEL_LANES;
    for (double start = seconds_now(); seconds_now() - start < target_seconds; batches++) {
        double times[4];
        times[0] = seconds_now();
        design_row(design, 0, batches * MODEL_LANES, values, NULL);
        times[1] = seconds_now();
        plan->model->run(plan->run, (const model_lanes *)values, baseline);
        for (size_t lane = 0; lane < MODEL_LANES; lane++) values[funded_years][lane] = 4;
        plan->model->run(plan->run, (const model_lanes *)values, parts);
        times[2] = seconds_now();
        measure_areas(plan, baseline, NULL, out);
        measure_areas(plan, parts, NULL, out);
        measure_areas(plan, parts, baseline, out);
        times[3] = seconds_now();
        pieces.design += times[1] - times[0];
        pieces.run += times[2] - times[1];
        pieces.measure += times[3] - times[2];
    }
    double scale = batches_per_block / (double)batches;
    free(values);
    free(out);
    free(baseline);
    free(parts);
    design_free(design);
    return (struct pieces){
        .design = pieces.design * scale, .run = pieces.run * scale, .measure = pieces.measure * scale};
}

/* --- nodes --- */

static void print_bytes(const char *what, const struct node *node)
{
    struct buffer bytes = {0};
    const char *why;
    double start = seconds_now();
    node_encode(node, &bytes);
    double encoded = seconds_now();
    struct node *read = node_decode(buffer_span(&bytes), &node->shape, &why);
    double decoded = seconds_now();
    if (!read) stop(why);
    printf("  node of %-10s %9zu bytes (%zu buckets), encoded in %.2f ms, decoded in %.2f ms\n", what, bytes.size,
           node->bucket_count, 1e3 * (encoded - start), 1e3 * (decoded - encoded));
    node_free(read);
    buffer_free(&bytes);
}

static void print_nodes(const struct plan *plan, struct block_runner *runner)
{
    struct node *nodes[MERGED];
    for (size_t at = 0; at < MERGED; at++) nodes[at] = run_block(runner, at);
    print_bytes("1 block", nodes[0]);
    double start = seconds_now();
    for (size_t count = MERGED; count > 1; count /= 2) {
        for (size_t at = 0; at < count / 2; at++) {
            struct node *merged = node_merge(nodes[2 * at], nodes[2 * at + 1]);
            if (!merged) stop("out of memory");
            node_free(nodes[2 * at]);
            node_free(nodes[2 * at + 1]);
            nodes[at] = merged;
        }
    }
    double per_merge = (seconds_now() - start) / (MERGED - 1);
    print_bytes("8 blocks", nodes[0]);
    struct buffer csv = {0};
    start = seconds_now();
    if (!table_csv(plan, nodes[0], &csv)) stop("out of memory");
    printf("  merging two nodes takes %.2f ms; rollup.csv of %zu bytes takes %.1f ms\n", 1e3 * per_merge, csv.size,
           1e3 * (seconds_now() - start));
    buffer_free(&csv);
    node_free(nodes[0]);
}

/* --- report --- */

static void print_share(const char *what, double seconds, double whole)
{
    printf("  %-28s %7.2f ms  %5.1f %%\n", what, 1e3 * seconds, 100 * seconds / whole);
}

static void bench(const char *title, const struct model *model, const struct population *population, bool all)
{
    static struct sweep sweep;
    char why[200];
    make_sweep(&sweep, model, all);
    struct plan *plan = plan_new(&sweep, population, model, why, sizeof why);
    struct block_runner *runner = plan ? block_runner_new(plan, why, sizeof why) : NULL;
    if (!runner) stop(why);

    double block = time_blocks(runner);
    struct pieces pieces = time_pieces(plan);
    double runs = (double)sweep.draws_per_block * sweep.scenario_count;
    printf("%s: %zu figures, %u draws per block\n", title, plan->shape.figures, sweep.draws_per_block);
    printf("  %.0f model runs/s on one core; a block takes %.2f ms\n", runs / block, 1e3 * block);
    print_share("design", pieces.design, block);
    print_share("model: run", pieces.run, block);
    print_share("model: measure", pieces.measure, block);
    print_share("store and tally (the rest)", block - pieces.design - pieces.run - pieces.measure, block);
    print_nodes(plan, runner);
    block_runner_free(runner);
    plan_free(plan);
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1) target_seconds = atof(arguments[1]);
    const struct model *model = model_find("entitlement");
    struct population *population = population_built_in();
    if (!model || !population) stop("no model or population");
    bench("golden thread, 2 uncertain", model, population, false);
    bench("golden thread, all uncertain", model, population, true);
    population_free(population);
    return 0;
}
