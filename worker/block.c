#include "block.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "design.h"

/* Parts of all scenarios for one slice of areas take at most this, unless a single area takes more. */
#define SLICE_BYTES_MAX (64u << 20)

/* Areas that are run together: all of them, unless their parts would take too much memory. */
struct slice {
    struct model_setup setup;
    struct model_run *run;
    size_t first_area;
    bool borrowed; /* the run is the plan's own */
};

struct block_runner {
    const struct plan *plan;
    struct design *design;
    struct slice *slices;
    size_t slice_count, part_count;
    size_t scenario_parts;             /* rows of lanes between the parts of one scenario and of the next */
    model_lanes *draws;                /* [parameter_count]: as the design makes them */
    model_lanes *values;               /* [parameter_count]: with a scenario's settings */
    model_lanes *parts;                /* [scenario_count][areas of a slice][part_count] */
    model_lanes *measured;             /* [model_figure_count] */
    double *store;                     /* [batches of a block][figure_count][width] */
    size_t width;                      /* draws of a batch that count */
    bool failed[PLAN_BLOCK_DRAWS_MAX]; /* by draw of the block */
};

/* --- memory --- */

static void *aligned(size_t count, size_t bytes)
{
    enum { CACHE_LINE = 64 };
    size_t size = (count * bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return aligned_alloc(CACHE_LINE, size ? size : CACHE_LINE);
}

static size_t areas_per_slice(const struct plan *plan, size_t part_count)
{
    size_t area_bytes = (part_count ? part_count : 1) * sizeof(model_lanes) * plan->sweep->scenario_count;
    size_t areas = SLICE_BYTES_MAX / area_bytes;
    if (areas == 0) areas = 1;
    return areas < plan->area_count ? areas : plan->area_count;
}

static bool open_slice(struct block_runner *runner, struct slice *slice, size_t first, size_t count, char *why,
                       size_t why_bytes)
{
    const struct plan *plan = runner->plan;
    slice->first_area = first;
    slice->setup = plan_setup(plan, first, count);
    slice->borrowed = count == plan->area_count;
    slice->run = slice->borrowed ? plan->run : plan->model->open(&slice->setup, why, why_bytes);
    return slice->run != NULL;
}

static bool open_slices(struct block_runner *runner, char *why, size_t why_bytes)
{
    const struct plan *plan = runner->plan;
    runner->part_count = plan->model->part_count(plan->run);
    size_t areas = areas_per_slice(plan, runner->part_count);
    size_t slices = (plan->area_count + areas - 1) / areas;
    runner->scenario_parts = areas * runner->part_count;
    runner->slices = calloc(slices, sizeof *runner->slices);
    if (!runner->slices) return false;
    for (size_t first = 0; first < plan->area_count; first += areas) {
        size_t count = plan->area_count - first < areas ? plan->area_count - first : areas;
        struct slice *slice = &runner->slices[runner->slice_count++];
        if (!open_slice(runner, slice, first, count, why, why_bytes)) return false;
    }
    return true;
}

static bool take_memory(struct block_runner *runner)
{
    const struct plan *plan = runner->plan;
    const struct sweep *sweep = plan->sweep;
    size_t block_draws = sweep->draws_per_block;
    runner->width = block_draws < MODEL_LANES ? block_draws : MODEL_LANES;
    runner->draws = aligned(sweep->parameter_count, sizeof(model_lanes));
    runner->values = aligned(sweep->parameter_count, sizeof(model_lanes));
    runner->parts = aligned(sweep->scenario_count * runner->scenario_parts, sizeof(model_lanes));
    runner->measured = aligned(plan->model_figure_count, sizeof(model_lanes));
    runner->store = aligned(plan->figure_count * block_draws, sizeof *runner->store);
    return runner->draws && runner->values && runner->parts && runner->measured && runner->store;
}

struct block_runner *block_runner_new(const struct plan *plan, char *why, size_t why_bytes)
{
    snprintf(why, why_bytes, "out of memory");
    struct block_runner *runner = calloc(1, sizeof *runner);
    if (!runner) return NULL;
    runner->plan = plan;
    if (!open_slices(runner, why, why_bytes) || !take_memory(runner)) {
        block_runner_free(runner);
        return NULL;
    }
    runner->design = design_new(plan->sweep, why, why_bytes);
    if (!runner->design) {
        block_runner_free(runner);
        return NULL;
    }
    return runner;
}

void block_runner_free(struct block_runner *runner)
{
    if (!runner) return;
    for (size_t at = 0; at < runner->slice_count; at++) {
        struct slice *slice = &runner->slices[at];
        if (slice->run && !slice->borrowed) runner->plan->model->close(slice->run);
    }
    design_free(runner->design);
    free(runner->slices);
    free(runner->draws);
    free(runner->values);
    free(runner->parts);
    free(runner->measured);
    free(runner->store);
    free(runner);
}

/* --- one batch of draws --- */

static void apply_settings(struct block_runner *runner, const struct sweep_scenario *scenario)
{
    const struct sweep *sweep = runner->plan->sweep;
    memcpy(runner->values, runner->draws, sweep->parameter_count * sizeof *runner->values);
    for (size_t at = 0; at < scenario->setting_count; at++) {
        const struct sweep_setting *setting = &scenario->settings[at];
        for (size_t lane = 0; lane < MODEL_LANES; lane++) runner->values[setting->parameter][lane] = setting->value;
    }
}

/* Runs all scenarios. Returns a mask of lanes that failed in any. */
static uint32_t run_scenarios(struct block_runner *runner, const struct slice *slice)
{
    const struct plan *plan = runner->plan;
    uint32_t failed = 0;
    for (size_t scenario = 0; scenario < plan->sweep->scenario_count; scenario++) {
        apply_settings(runner, &plan->sweep->scenarios[scenario]);
        failed |= plan->model->run(slice->run, (const model_lanes *)runner->values,
                                   runner->parts + scenario * runner->scenario_parts);
    }
    return failed;
}

/* Where the figures of a column and area of one batch are stored. Batch after batch, since memory is
 * fastest when it is written and read in few long streams. */
static double *place_of(const struct block_runner *runner, size_t batch, size_t figure)
{
    return runner->store + (batch * runner->plan->figure_count + figure) * runner->width;
}

static void store_figures(struct block_runner *runner, size_t batch, size_t column, size_t area)
{
    const struct plan *plan = runner->plan;
    double *to = place_of(runner, batch, plan_figure(plan, column, area, 0));
    for (size_t kept = 0; kept < plan->kept_count; kept++, to += runner->width) {
        const double *from = runner->measured[plan->kept[kept]];
        if (runner->width == MODEL_LANES) memcpy(to, from, sizeof(model_lanes)); /* a size that the compiler knows */
        else memcpy(to, from, runner->width * sizeof *to);
    }
}

static void measure_area(struct block_runner *runner, const struct slice *slice, size_t area, size_t batch)
{
    const struct plan *plan = runner->plan;
    size_t scenario_count = plan->sweep->scenario_count, place = slice->first_area + area;
    const model_lanes *baseline = (const model_lanes *)runner->parts + area * runner->part_count;
    for (size_t scenario = 0; scenario < scenario_count; scenario++) {
        const model_lanes *parts = baseline + scenario * runner->scenario_parts;
        plan->model->measure(slice->run, area, parts, NULL, runner->measured);
        store_figures(runner, batch, scenario, place);
        if (scenario == 0) continue;
        plan->model->measure(slice->run, area, parts, baseline, runner->measured);
        store_figures(runner, batch, scenario_count + scenario - 1, place);
    }
}

/* The batch of the block whose first draw of the sweep is `first`. */
static void run_batch(struct block_runner *runner, uint64_t first, size_t batch)
{
    uint32_t failed = 0;
    design_draws(runner->design, first, runner->draws);
    for (size_t at = 0; at < runner->slice_count; at++) {
        const struct slice *slice = &runner->slices[at];
        failed |= run_scenarios(runner, slice);
        for (size_t area = 0; area < slice->setup.area_count; area++) measure_area(runner, slice, area, batch);
    }
    for (size_t lane = 0; lane < runner->width; lane++)
        runner->failed[batch * runner->width + lane] = failed >> lane & 1;
}

/* --- the block --- */

/* Moves the values of draws that did not fail together, in their order. */
static size_t drop_failed(const struct block_runner *runner, double *values, size_t draws)
{
    size_t kept = 0;
    for (size_t draw = 0; draw < draws; draw++)
        if (!runner->failed[draw]) values[kept++] = values[draw];
    return kept;
}

/* The values of a figure in the order of draws. */
static void gather(const struct block_runner *runner, size_t figure, size_t draws, double *values)
{
    for (size_t batch = 0; batch * runner->width < draws; batch++)
        memcpy(values + batch * runner->width, place_of(runner, batch, figure), runner->width * sizeof *values);
}

static bool tally_figures(const struct block_runner *runner, struct node *node)
{
    double values[PLAN_BLOCK_DRAWS_MAX];
    for (size_t figure = 0; figure < node->figure_count; figure++) {
        size_t count = node->draws;
        gather(runner, figure, count, values);
        if (node->failed_draws > 0) count = drop_failed(runner, values, count);
        if (!node_tally(node, figure, values, count)) return false;
    }
    return true;
}

struct node *block_run(struct block_runner *runner, uint64_t block)
{
    const struct sweep *sweep = runner->plan->sweep;
    uint64_t first = block * sweep->draws_per_block, left = sweep->draws - first;
    size_t draws = left < sweep->draws_per_block ? left : sweep->draws_per_block;
    for (size_t batch = 0; batch * runner->width < draws; batch++)
        run_batch(runner, first + batch * runner->width, batch);

    struct node *node = node_new(runner->plan->figure_count);
    if (!node) return NULL;
    node->index = block;
    node->draws = draws;
    for (size_t draw = 0; draw < draws; draw++) node->failed_draws += runner->failed[draw];
    if (!tally_figures(runner, node)) {
        node_free(node);
        return NULL;
    }
    return node;
}
