#include "block.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "design.h"
#include "row.h"
#include "study_runner.h"

/* The parts of one slice of areas, for all scenarios and draws of a block, take at most this, unless a
 * single area takes more. */
#define SLICE_BYTES_MAX (64u << 20)

/* Between the figures of the store, so that they do not all begin in the same set of the cache. */
#define STORE_PADDING 8u

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
    struct study_runner *study; /* NULL: the sweep has none */
    struct slice *slices;
    size_t slice_count, part_count;
    size_t batch_count;    /* of a full block */
    size_t width;          /* draws of a batch that count */
    size_t scenario_parts; /* rows of lanes between the parts of one scenario and of the next */
    struct row_values values;
    model_lanes *parts;    /* [batch_count][scenario_count][areas of a slice][part_count] */
    model_lanes *measured; /* [model_figure_count] */
    double *store;         /* [plan_width][stride]: the figures of one column and area, draw by draw */
    double *regret;        /* [column_count][stride]: one measure of one area; NULL: the sweep has no regret */
    size_t stride;
    size_t regret_at; /* the place of the regret among the figures of a column and area; plan_width: none */
    bool failed[PLAN_BLOCK_DRAWS_MAX]; /* by draw of the block, in any scenario and area */
    struct stopper stopper;            /* while a tree is run */
};

/* --- memory --- */

static size_t areas_per_slice(const struct block_runner *runner)
{
    const struct plan *plan = runner->plan;
    size_t rows = (runner->part_count ? runner->part_count : 1) * plan->sweep->scenario_count * runner->batch_count;
    size_t areas = SLICE_BYTES_MAX / (rows * sizeof(model_lanes));
    if (areas == 0) areas = 1;
    return areas < plan->area_count ? areas : plan->area_count;
}

static bool open_slice(const struct plan *plan, struct slice *slice, size_t first, size_t count, char *why,
                       size_t why_bytes)
{
    slice->first_area = first;
    slice->setup = plan_setup(plan, first, count);
    slice->borrowed = count == plan->area_count;
    slice->run = slice->borrowed ? plan->run : call_open(plan->model, &slice->setup, why, why_bytes);
    return slice->run != NULL;
}

static bool open_slices(struct block_runner *runner, char *why, size_t why_bytes)
{
    const struct plan *plan = runner->plan;
    runner->part_count = call_part_count(plan->model, plan->run);
    size_t areas = areas_per_slice(runner);
    size_t slices = (plan->area_count + areas - 1) / areas;
    runner->scenario_parts = areas * runner->part_count;
    runner->slices = calloc(slices, sizeof *runner->slices);
    if (!runner->slices) return false;
    for (size_t first = 0; first < plan->area_count; first += areas) {
        size_t count = plan->area_count - first < areas ? plan->area_count - first : areas;
        struct slice *slice = &runner->slices[runner->slice_count++];
        if (!open_slice(plan, slice, first, count, why, why_bytes)) return false;
    }
    return true;
}

static void choose_shape(struct block_runner *runner)
{
    size_t block_draws = runner->plan->sweep->draws_per_block; /* a power of two */
    runner->width = block_draws < MODEL_LANES ? block_draws : MODEL_LANES;
    runner->batch_count = block_draws / runner->width;
    runner->stride = block_draws + STORE_PADDING;
}

static size_t find_regret(const struct plan *plan)
{
    for (size_t at = 0; at < plan->answer_count; at++)
        if (plan->answers[at].kind == ANSWER_REGRET) return plan->kept_count + at;
    return plan_width(plan);
}

static bool take_memory(struct block_runner *runner)
{
    const struct plan *plan = runner->plan;
    const struct sweep *sweep = plan->sweep;
    size_t part_rows = runner->batch_count * sweep->scenario_count * runner->scenario_parts;
    if (!row_values_init(&runner->values, plan)) return false;
    runner->parts = row_memory(part_rows, sizeof(model_lanes));
    runner->measured = row_memory(plan->model_figure_count, sizeof(model_lanes));
    runner->store = row_memory(plan_width(plan) * runner->stride, sizeof *runner->store);
    runner->regret_at = find_regret(plan);
    bool regret = runner->regret_at < plan_width(plan);
    if (regret) runner->regret = row_memory(plan->column_count * runner->stride, sizeof *runner->regret);
    if (regret && !runner->regret) return false;
    return runner->parts && runner->measured && runner->store;
}

struct block_runner *block_runner_new(const struct plan *plan, char *why, size_t why_bytes)
{
    snprintf(why, why_bytes, "out of memory");
    struct block_runner *runner = calloc(1, sizeof *runner);
    if (!runner) return NULL;
    runner->plan = plan;
    choose_shape(runner);
    if (!open_slices(runner, why, why_bytes) || !take_memory(runner)) {
        block_runner_free(runner);
        return NULL;
    }
    runner->design = design_new(plan->sweep, why, why_bytes);
    bool studies = runner->design && plan->study.count_count > 0;
    if (studies) runner->study = study_runner_new(plan, runner->design, why, why_bytes);
    if (!runner->design || (studies && !runner->study)) {
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
        if (slice->run && !slice->borrowed) call_close(runner->plan->model, slice->run);
    }
    study_runner_free(runner->study);
    design_free(runner->design);
    free(runner->slices);
    row_values_free(&runner->values);
    free(runner->parts);
    free(runner->measured);
    free(runner->store);
    free(runner->regret);
    free(runner);
}

uint64_t block_steps(const struct block_runner *runner)
{
    const struct plan *plan = runner->plan;
    uint64_t row = (uint64_t)runner->batch_count * plan->sweep->scenario_count;
    uint64_t slices = 2 * (uint64_t)runner->slice_count - 1; /* all but the last are run twice */
    return row * (slices + plan->study.rows - 1) + plan->area_count;
}

/* --- running: draws to parts --- */

static struct row_place place_of(const struct block_runner *runner, const struct slice *slice, size_t batch)
{
    size_t batch_parts = runner->plan->sweep->scenario_count * runner->scenario_parts;
    return (struct row_place){.run = slice->run,
                              .part_count = runner->part_count,
                              .scenario_parts = runner->scenario_parts,
                              .parts = runner->parts + batch * batch_parts};
}

/* The batch whose first draw of the sweep is `first`, for all scenarios. False: stopped. */
static bool run_batch(struct block_runner *runner, const struct slice *slice, uint64_t first, size_t batch)
{
    struct row_place place = place_of(runner, slice, batch);
    uint32_t failed;
    if (!row_run(&runner->values, runner->plan, runner->design, 0, first, NULL, &place, &runner->stopper, &failed))
        return false;
    for (size_t lane = 0; lane < runner->width; lane++)
        if (failed >> lane & 1) runner->failed[batch * runner->width + lane] = true;
    return true;
}

static bool run_slice(struct block_runner *runner, const struct slice *slice, uint64_t first, size_t draws)
{
    for (size_t batch = 0; batch * runner->width < draws; batch++)
        if (!run_batch(runner, slice, first + batch * runner->width, batch)) return false;
    return true;
}

/* --- tallying: parts to figures to tallies --- */

static void store_figures(struct block_runner *runner, size_t batch)
{
    const struct plan *plan = runner->plan;
    double *to = runner->store + batch * runner->width;
    for (size_t kept = 0; kept < plan->kept_count; kept++, to += runner->stride) {
        const double *from = runner->measured[plan->kept[kept]];
        if (runner->width == MODEL_LANES) memcpy(to, from, sizeof(model_lanes)); /* a size that the compiler knows */
        else memcpy(to, from, runner->width * sizeof *to);
    }
}

/* Stores the figures of one column and area of the slice for all draws of the block. */
static void measure(struct block_runner *runner, const struct slice *slice, size_t column, size_t area, size_t draws)
{
    for (size_t batch = 0; batch * runner->width < draws; batch++) {
        struct row_place place = place_of(runner, slice, batch);
        row_measure(runner->plan, &place, column, area, runner->measured);
        store_figures(runner, batch);
    }
}

/* Moves the values of draws that did not fail together, in their order. */
static size_t drop_failed(const struct block_runner *runner, double *values, size_t draws)
{
    size_t kept = 0;
    for (size_t draw = 0; draw < draws; draw++)
        if (!runner->failed[draw]) values[kept++] = values[draw];
    return kept;
}

/* What the sweep makes of the figures that are stored. */
static void answer(struct block_runner *runner, size_t column, size_t draws)
{
    const struct plan *plan = runner->plan;
    for (size_t at = 0; at < plan->answer_count; at++) {
        const struct answer *asked = &plan->answers[at];
        double *out = runner->store + (plan->kept_count + at) * runner->stride;
        if (asked->kind != ANSWER_REGRET) answer_yes_no(asked, runner->store, runner->stride, draws, out);
        else
            memcpy(runner->regret + column * runner->stride, runner->store + asked->kept[0] * runner->stride,
                   draws * sizeof *out);
    }
}

static bool tally_values(const struct block_runner *runner, struct node *node, size_t figure, double *values)
{
    size_t count = node->draws;
    if (node->failed_draws > 0) count = drop_failed(runner, values, count);
    return node_tally(node, figure, values, count);
}

/* Tallies what is stored, but for the regret, which is known when all columns are. */
static bool tally_figures(struct block_runner *runner, struct node *node, size_t first_figure)
{
    for (size_t at = 0; at < plan_width(runner->plan); at++) {
        if (at == runner->regret_at) continue;
        if (!tally_values(runner, node, first_figure + at, runner->store + at * runner->stride)) return false;
    }
    return true;
}

static bool tally_regret(struct block_runner *runner, struct node *node, size_t area)
{
    const struct plan *plan = runner->plan;
    if (!runner->regret) return true;
    answer_regret(plan->sweep, runner->regret, runner->stride, node->draws);
    for (size_t column = 0; column < plan->column_count; column++) {
        size_t figure = plan_figure(plan, column, area, runner->regret_at);
        if (!tally_values(runner, node, figure, runner->regret + column * runner->stride)) return false;
    }
    return true;
}

static bool tally_slice(struct block_runner *runner, const struct slice *slice, struct node *node)
{
    const struct plan *plan = runner->plan;
    for (size_t local = 0; local < slice->setup.area_count; local++) {
        size_t area = slice->first_area + local;
        if (stopper_says_stop(&runner->stopper)) return false;
        for (size_t column = 0; column < plan->column_count; column++) {
            measure(runner, slice, column, local, node->draws);
            answer(runner, column, node->draws);
            if (runner->study)
                study_runner_take(runner->study, column, area, runner->store, runner->stride, node->draws);
            if (!tally_figures(runner, node, plan_figure(plan, column, area, 0))) return false;
        }
        if (!tally_regret(runner, node, area)) return false;
    }
    return true;
}

/* --- the block --- */

/* Which draws fail must be known before the first is tallied. The parts of the last slice stay; with
 * several slices, the others are run once more for their parts. */
static bool fill(struct block_runner *runner, struct node *node, uint64_t first)
{
    memset(runner->failed, 0, sizeof runner->failed);
    for (size_t at = 0; at < runner->slice_count; at++)
        if (!run_slice(runner, &runner->slices[at], first, node->draws)) return false;
    for (size_t draw = 0; draw < node->draws; draw++) node->failed_draws += runner->failed[draw];
    for (size_t at = 0; at < runner->slice_count; at++) {
        const struct slice *slice = &runner->slices[runner->slice_count - 1 - at];
        if (at > 0 && !run_slice(runner, slice, first, node->draws)) return false;
        if (!tally_slice(runner, slice, node)) return false;
    }
    return !runner->study || study_runner_add(runner->study, first, runner->failed, node, &runner->stopper);
}

struct node *block_run(struct block_runner *runner, uint64_t block)
{
    const struct sweep *sweep = runner->plan->sweep;
    uint64_t first = block * sweep->draws_per_block, left = sweep->draws - first;
    struct node *node = node_new(&runner->plan->shape);
    if (!node) return NULL;
    node->index = block;
    if (!node_set_draws(node, left < sweep->draws_per_block ? left : sweep->draws_per_block) ||
        !fill(runner, node, first)) {
        node_free(node);
        return NULL;
    }
    return node;
}

static struct node *run_tree(struct block_runner *runner, uint32_t level, uint64_t index, uint64_t *failed)
{
    if (level == 0) {
        *failed = index;
        return block_run(runner, index);
    }
    struct node *left = run_tree(runner, level - 1, index * 2, failed);
    struct node *right = left != NULL ? run_tree(runner, level - 1, index * 2 + 1, failed) : NULL;
    struct node *node = right != NULL ? node_merge(left, right) : NULL;
    node_free(left);
    node_free(right);
    return node;
}

struct node *block_run_tree(struct block_runner *runner, uint32_t level, uint64_t index, bool (*stop)(void *context),
                            void *context, uint64_t *failed)
{
    runner->stopper = (struct stopper){stop, context};
    struct node *node = run_tree(runner, level, index, failed);
    runner->stopper = (struct stopper){0};
    return node;
}
