/* The plan of a sweep: its areas, figures, columns and blocks. Every program that touches results
 * makes it from the same sweep and population, and so agrees on what figure number k is. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>
#include <goldthread/sweep.h>

#include "answers.h"
#include "node.h"
#include "study.h"

#define PLAN_FIGURES_MAX        200000u    /* of a sweep with more than one draw: about 1 KiB each in a root */
#define PLAN_FIGURES_MAX_SINGLE 3000000u   /* of a sweep with a single draw */
#define PLAN_BLOCK_VALUES       (1u << 22) /* draws per block x figures stays at or below this ... */
#define PLAN_BLOCK_DRAWS_MAX    512u       /* ... and draws per block at or below this ... */
#define PLAN_BLOCK_RUNS         (1u << 14) /* ... and draws x rows at or below this, unless a batch is more */
#define PLAN_COLUMN_NAME_BYTES  (2 * SWEEP_NAME_BYTES + 4)

struct plan {
    const struct sweep *sweep;           /* borrowed */
    const struct population *population; /* borrowed */
    const struct model *model;           /* borrowed */
    struct model_run *run;               /* owned */
    struct area *areas;                  /* owned, [area_count] */
    size_t area_count;
    uint8_t varies[MODEL_PARAMETERS_MAX]; /* what setup points to */
    struct model_setup setup;             /* of the run */
    const struct model_figure *figures;   /* of one area, borrowed from the run */
    size_t model_figure_count;
    uint32_t *kept; /* owned, [kept_count]: the model figures that outputs ask for */
    size_t kept_count;
    struct answer *answers; /* owned, [answer_count]: figures behind the kept ones */
    size_t answer_count;
    size_t column_count; /* scenarios, then their differences to the first */
    struct study study;
    struct node_shape shape; /* of a node: column_count * area_count * plan_width figures, and the study */
};

/* Makes the plan, and sets sweep->draws_per_block: 1 for a point design, otherwise what the sweep asks for
 * if that is a power of two, but at most the largest power of two within the bounds above, which is also
 * what 0 stands for; a pure function of the sweep without its number of draws, and the population. Areas come by level
 * (England, regions, authorities, schools), within a level by key, each as a whole, then by phase, then by quintile
 * where the sweep asks for it; combinations without a row of the population are left out. NULL: `why` holds one line
 * (too many figures, unknown measure, another version of the model). The caller ends it with plan_free(). */
struct plan *plan_new(struct sweep *sweep, const struct population *population, const struct model *model, char *why,
                      size_t why_bytes);
void plan_free(struct plan *plan);

/* The model's setup for only the areas first .. first + count - 1; borrows from the plan. */
struct model_setup plan_setup(const struct plan *plan, size_t first, size_t count);

/* Column c: scenario c, or the difference of scenario c - scenario_count + 1 to the first. A name takes
 * at most PLAN_COLUMN_NAME_BYTES. */
void plan_column_name(const struct plan *plan, size_t column, char *name, size_t name_bytes);

/* Figures of one column and area: those of the model that are kept, then the answers. */
static inline size_t plan_width(const struct plan *plan)
{
    return plan->kept_count + plan->answer_count;
}

/* The place of a figure in a node; `at` below plan_width. */
static inline size_t plan_figure(const struct plan *plan, size_t column, size_t area, size_t at)
{
    return (column * plan->area_count + area) * plan_width(plan) + at;
}
