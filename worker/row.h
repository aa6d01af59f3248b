/* One row of a batch of draws: run for every scenario, and measured. What blocks and studies do alike. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "design.h"
#include "plan.h"

/* Who may end the work early; stop NULL: nobody. Borrowed. */
struct stopper {
    bool (*stop)(void *context);
    void *context;
};

static inline bool stopper_says_stop(const struct stopper *stopper)
{
    return stopper->stop != NULL && stopper->stop(stopper->context);
}

/* Areas that are run together, and where their parts go. All is borrowed. */
struct row_place {
    struct model_run *run;
    size_t part_count;     /* rows of lanes of one area */
    size_t scenario_parts; /* rows of lanes between the parts of one scenario and of the next */
    model_lanes *parts;    /* [scenario_count][scenario_parts] */
};

/* Scratch for the values of a row. */
struct row_values {
    model_lanes *draws;  /* [parameter_count]: as the design makes them; owned */
    model_lanes *values; /* [parameter_count]: with a scenario's settings; owned */
};

/* Zeroed memory that begins with a cache line; free() ends it. NULL: out of memory. */
void *row_memory(size_t count, size_t bytes);

/* False: out of memory. row_values_free() either way. */
bool row_values_init(struct row_values *values, const struct plan *plan);
void row_values_free(struct row_values *values);

/* Runs row `row` of draws first .. first + MODEL_LANES - 1 for every scenario. shares: as design_row() has it.
 * `*failed`: the lanes that failed in any scenario. False: stopped; the stopper is asked before each run. */
bool row_run(const struct row_values *scratch, const struct plan *plan, const struct design *design, uint32_t row,
             uint64_t first, model_lanes *shares, const struct row_place *place, const struct stopper *stopper,
             uint32_t *failed);

/* Figures of one column and area of a row that has been run; area counts from the first of the place.
 * measured: [model_figure_count]. */
void row_measure(const struct plan *plan, const struct row_place *place, size_t column, size_t area,
                 model_lanes *measured);
