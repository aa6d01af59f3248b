/* Scenario discovery: where in the drawn parameters the draws lie that answer a sweep's question with yes. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "design.h"
#include "node.h"
#include "plan.h"
#include "prim.h"

/* Cells of all draws and parameters take two bytes each, so 128 MiB at most: beyond it the first draws that
 * fit are looked at, two million of 32 parameters. */
#define DISCOVER_CELLS_MAX (UINT64_C(1) << 26)

/* One side of a box: a parameter lies from low to high, or for one with a density below high. */
struct discover_bound {
    size_t dimension, parameter; /* the parameter: an index into the sweep's */
    double low, high;            /* in the parameter's unit; NaN: not bounded on this side */
    bool is_discrete;            /* high itself is in the box */
    double quasi_p;
};

/* A box of a trajectory (prim.h says what its figures are). */
struct discover_box {
    const struct prim_box *box;
    const struct discover_bound *bounds;
    size_t bound_count;
};

/* What was found of one target. */
struct discovery {
    const struct study_target *target;
    uint64_t draws, yes; /* that did not fail; an undefined figure says no */
    enum prim_result result;
};

struct discover_sink {
    /* Each box of a target, then what was found of it. False: enough. */
    bool (*box)(void *context, const struct study_target *target, const struct discover_box *box);
    bool (*done)(void *context, const struct discovery *discovery);
    void *context;
};

/* Looks at each target of the sweep's question in England, one after another. root: of the draws from 0 on, with their
 * kept values; draws that failed are left out. False: the sink said enough, or out of memory. */
bool discover(const struct plan *plan, const struct design *design, const struct node *root,
              const struct discover_sink *sink);
