#include "study_runner.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "gather.h"

struct study_runner {
    const struct plan *plan;
    const struct study *study;
    const struct design *design;
    struct model_setup setup; /* of the areas from the first target's to the last one's */
    struct row_place place;
    bool borrowed; /* the run is the plan's own */
    size_t first_area;
    size_t width; /* draws of a batch that count */
    struct row_values values;
    model_lanes *measured;           /* [model_figure_count] */
    double *taken;                   /* [target_count][PLAN_BLOCK_DRAWS_MAX]: row 0 of the block */
    model_lanes *figures;            /* [target_count][rows] of a batch */
    uint32_t *valid;                 /* [target_count][rows] */
    uint32_t *failed;                /* [rows] */
    model_lanes *shares;             /* [rows][dimensions] */
    const model_lanes **share_rows;  /* [rows], into shares */
    uint16_t (*order)[MODEL_LANES];  /* [dimensions] */
    model_lanes *steps;              /* [dimensions] */
    double *centres;                 /* [target_count] */
    double (*edges)[STUDY_BINS - 1]; /* [target_count], with STUDY_DELTA */
};

/* --- memory --- */

static bool open_run(struct study_runner *runner, char *why, size_t why_bytes)
{
    const struct plan *plan = runner->plan;
    const struct study *study = runner->study;
    if (study->target_count == 0) return true;
    runner->first_area = study->targets[0].area; /* targets ascend by area */
    size_t count = study->targets[study->target_count - 1].area - runner->first_area + 1;
    runner->setup = plan_setup(plan, runner->first_area, count);
    runner->borrowed = count == plan->area_count;
    runner->place.run = runner->borrowed ? plan->run : call_open(plan->model, &runner->setup, why, why_bytes);
    if (!runner->place.run) return false;
    runner->place.part_count = call_part_count(plan->model, runner->place.run);
    runner->place.scenario_parts = count * runner->place.part_count;
    return true;
}

static bool take_memory(struct study_runner *runner)
{
    const struct plan *plan = runner->plan;
    const struct study *study = runner->study;
    const struct sweep *sweep = plan->sweep;
    size_t targets = study->target_count, rows = study->rows, dimensions = study->dimensions;
    bool delta = sweep->study.extras & STUDY_DELTA;
    if (!row_values_init(&runner->values, plan)) return false;
    runner->place.parts = row_memory(sweep->scenario_count * runner->place.scenario_parts, sizeof(model_lanes));
    runner->measured = row_memory(plan->model_figure_count, sizeof(model_lanes));
    runner->taken = row_memory(targets * PLAN_BLOCK_DRAWS_MAX, sizeof *runner->taken);
    runner->figures = row_memory(targets * rows, sizeof(model_lanes));
    runner->valid = row_memory(targets * rows, sizeof *runner->valid);
    runner->failed = row_memory(rows, sizeof *runner->failed);
    runner->shares = row_memory(rows * dimensions, sizeof(model_lanes));
    runner->share_rows = row_memory(rows, sizeof *runner->share_rows);
    runner->order = row_memory(dimensions, sizeof *runner->order);
    runner->steps = row_memory(dimensions, sizeof(model_lanes));
    runner->centres = row_memory(targets, sizeof *runner->centres);
    runner->edges = delta ? row_memory(targets, sizeof *runner->edges) : NULL;
    if (!runner->share_rows || !runner->shares) return false;
    for (size_t row = 0; row < rows; row++)
        runner->share_rows[row] = (const model_lanes *)runner->shares + row * dimensions;
    return runner->place.parts && runner->measured && runner->taken && runner->figures && runner->valid &&
           runner->failed && runner->order && runner->steps && runner->centres && (runner->edges || !delta);
}

void study_runner_free(struct study_runner *runner)
{
    if (!runner) return;
    if (runner->place.run && !runner->borrowed) call_close(runner->plan->model, runner->place.run);
    row_values_free(&runner->values);
    free(runner->place.parts);
    free(runner->measured);
    free(runner->taken);
    free(runner->figures);
    free(runner->valid);
    free(runner->failed);
    free(runner->shares);
    free(runner->share_rows);
    free(runner->order);
    free(runner->steps);
    free(runner->centres);
    free(runner->edges);
    free(runner);
}

/* --- one row of a batch --- */

static bool run_row(struct study_runner *runner, uint32_t row, uint64_t first, const struct stopper *stopper)
{
    model_lanes *shares = runner->shares + (size_t)row * runner->study->dimensions;
    return row_run(&runner->values, runner->plan, runner->design, row, first, shares, &runner->place, stopper,
                   &runner->failed[row]);
}

static uint32_t defined_lanes(const double *values)
{
    uint32_t mask = 0;
    for (uint32_t lane = 0; lane < MODEL_LANES; lane++) mask |= (uint32_t)(isfinite(values[lane]) != 0) << lane;
    return mask;
}

static void set_figure(struct study_runner *runner, size_t target, uint32_t row, const double *values)
{
    size_t at = target * runner->study->rows + row;
    memcpy(runner->figures[at], values, sizeof runner->figures[at]);
    runner->valid[at] = defined_lanes(values) & ~runner->failed[row];
}

/* The targets of a row that has been run. They ascend by area and column, so each pair is measured once. */
static void measure_row(struct study_runner *runner, uint32_t row)
{
    const struct study_target *targets = runner->study->targets;
    for (size_t at = 0; at < runner->study->target_count; at++) {
        bool same = at > 0 && targets[at].area == targets[at - 1].area && targets[at].column == targets[at - 1].column;
        if (!same)
            row_measure(runner->plan, &runner->place, targets[at].column, targets[at].area - runner->first_area,
                        runner->measured);
        set_figure(runner, at, row, runner->measured[runner->plan->kept[targets[at].kept]]);
    }
}

/* --- the pilot --- */

static int order_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the values that are defined to the front. */
static size_t sort_defined(double *values, size_t count)
{
    size_t kept = 0;
    for (size_t at = 0; at < count; at++)
        if (isfinite(values[at]) && fabs(values[at]) < GATHER_VALUE_MAX) values[kept++] = values[at];
    qsort(values, kept, sizeof *values, order_doubles);
    return kept;
}

/* Centre and edges of a target from the pilot's values, which it sorts. */
static void look_at(struct study_runner *runner, size_t target, double *values, size_t draws)
{
    size_t count = sort_defined(values, draws);
    double sum = 0;
    for (size_t at = 0; at < count; at++) sum += values[at] / (double)count;
    runner->centres[target] = sum;
    for (size_t edge = 0; runner->edges && edge < STUDY_BINS - 1; edge++)
        runner->edges[target][edge] = count ? values[(edge + 1) * count / STUDY_BINS] : 0;
}

/* Designs that can be extended have draws beyond the sweep's own; the pilot of the others ends with them. */
static size_t pilot_draws(const struct sweep *sweep)
{
    return sweep_can_extend(sweep) || sweep->draws > STUDY_PILOT_DRAWS ? STUDY_PILOT_DRAWS : (size_t)sweep->draws;
}

static void run_pilot(struct study_runner *runner)
{
    if (runner->study->target_count == 0) return;
    size_t draws = pilot_draws(runner->plan->sweep);
    for (uint64_t first = 0; first < draws; first += runner->width) {
        size_t count = draws - first < runner->width ? draws - first : runner->width;
        run_row(runner, 0, first, &(struct stopper){0});
        measure_row(runner, 0);
        for (size_t target = 0; target < runner->study->target_count; target++) {
            double *taken = runner->taken + target * PLAN_BLOCK_DRAWS_MAX + first;
            for (size_t lane = 0; lane < count; lane++)
                taken[lane] = runner->failed[0] >> lane & 1 ? NAN : runner->figures[target * runner->study->rows][lane];
        }
    }
    for (size_t target = 0; target < runner->study->target_count; target++)
        look_at(runner, target, runner->taken + target * PLAN_BLOCK_DRAWS_MAX, draws);
}

static_assert(STUDY_PILOT_DRAWS <= PLAN_BLOCK_DRAWS_MAX, "the pilot is held where a block is");

struct study_runner *study_runner_new(const struct plan *plan, const struct design *design, char *why, size_t why_bytes)
{
    snprintf(why, why_bytes, "out of memory");
    struct study_runner *runner = calloc(1, sizeof *runner);
    if (!runner) return NULL;
    runner->plan = plan;
    runner->study = &plan->study;
    runner->design = design;
    runner->width = plan->sweep->draws_per_block < MODEL_LANES ? plan->sweep->draws_per_block : MODEL_LANES;
    if (!open_run(runner, why, why_bytes) || !take_memory(runner)) {
        study_runner_free(runner);
        return NULL;
    }
    run_pilot(runner);
    return runner;
}

/* --- a block --- */

void study_runner_take(struct study_runner *runner, size_t column, size_t area, const double *store, size_t stride,
                       size_t draws)
{
    const struct study *study = runner->study;
    for (size_t at = study_first_target(study, column, area); at < study->target_count; at++) {
        const struct study_target *target = &study->targets[at];
        if (target->area != area || target->column != column) return;
        memcpy(runner->taken + at * PLAN_BLOCK_DRAWS_MAX, store + target->kept * stride, draws * sizeof *store);
    }
}

static bool has_steps(const struct sweep *sweep)
{
    return sweep->method == DESIGN_MORRIS || sweep->method == DESIGN_DERIVATIVE;
}

static void take_row_0(struct study_runner *runner, uint64_t first, size_t offset, const bool *failed, size_t count)
{
    runner->failed[0] = 0;
    for (size_t lane = 0; lane < count; lane++) runner->failed[0] |= (uint32_t)failed[offset + lane] << lane;
    design_row(runner->design, 0, first, runner->values.draws, runner->shares);
    for (size_t target = 0; target < runner->study->target_count; target++) {
        model_lanes values = {0};
        memcpy(values, runner->taken + target * PLAN_BLOCK_DRAWS_MAX + offset, count * sizeof *values);
        set_figure(runner, target, 0, values);
    }
}

static bool run_rows(struct study_runner *runner, uint64_t first, const struct stopper *stopper)
{
    for (uint32_t row = 1; row < runner->study->rows; row++) {
        if (!run_row(runner, row, first, stopper)) return false;
        measure_row(runner, row);
    }
    return true;
}

/* All rows of the batch have been run. */
static void add_batch(struct study_runner *runner, uint64_t first, size_t count, struct node *node)
{
    const struct study *study = runner->study;
    design_order(runner->design, first, runner->order);
    if (has_steps(study->sweep)) design_steps(runner->design, first, runner->steps);
    struct batch batch = {.first = first,
                          .draws = (uint32_t)count,
                          .values = (const model_lanes *)runner->figures,
                          .valid = runner->valid,
                          .failed = runner->failed,
                          .shares = runner->share_rows,
                          .order = (const uint16_t(*)[MODEL_LANES])runner->order,
                          .steps = has_steps(study->sweep) ? (const model_lanes *)runner->steps : NULL};
    struct pilot pilot = {.centres = runner->centres, .edges = (const double(*)[STUDY_BINS - 1]) runner->edges};
    gather(study, &pilot, &batch, node->sums, node->counts);
}

static void keep_draws(const struct study_runner *runner, const bool *failed, struct node *node)
{
    size_t width = runner->study->width;
    for (size_t draw = 0; width > 0 && draw < node->draws; draw++)
        for (size_t target = 0; target < width; target++) {
            double value = runner->taken[target * PLAN_BLOCK_DRAWS_MAX + draw];
            node->kept[draw * width + target] = failed[draw] ? INFINITY : isfinite(value) ? value : NAN;
        }
}

bool study_runner_add(struct study_runner *runner, uint64_t first, const bool *failed, struct node *node,
                      const struct stopper *stopper)
{
    if (runner->study->target_count == 0 && node->failed_draws == 0) return true;
    for (size_t offset = 0; offset < node->draws; offset += runner->width) {
        size_t count = node->draws - offset < runner->width ? node->draws - offset : runner->width;
        take_row_0(runner, first + offset, offset, failed, count);
        if (!run_rows(runner, first + offset, stopper)) return false;
        add_batch(runner, first + offset, count, node);
    }
    keep_draws(runner, failed, node);
    return true;
}
