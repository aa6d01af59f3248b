#include "stop.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "estimate.h"
#include "plan.h"

uint32_t stop_first_level(const struct sweep *sweep)
{
    if (sweep->stop.kind == STOP_NEVER) return STOP_NO_RULE;
    uint64_t groups = sweep->groups ? sweep->groups : 1, least = groups * STOP_GROUP_DRAWS_LEAST;
    if (least < STOP_DRAWS_LEAST) least = STOP_DRAWS_LEAST;
    uint32_t level = 0;
    while ((uint64_t)sweep->draws_per_block << level < least) level++;
    return level;
}

/* What is told of the rule's target. */
struct look {
    const struct study *study;
    const char *index;
    size_t count;
    double value[MODEL_PARAMETERS_MAX], low[MODEL_PARAMETERS_MAX], high[MODEL_PARAMETERS_MAX];
    bool passed; /* targets come in order: nothing more is to be seen */
};

static bool take_row(void *context, const struct estimate_row *row)
{
    struct look *look = context;
    look->passed = row->target > look->study->stop_target;
    bool is_dummy = row->dimension == (int)look->study->dimensions;
    if (row->target != look->study->stop_target || is_dummy || strcmp(row->index, look->index) != 0)
        return !look->passed;
    assert(look->count < MODEL_PARAMETERS_MAX);
    look->value[look->count] = row->value;
    look->low[look->count] = row->low;
    look->high[look->count++] = row->high;
    return true;
}

/* The estimates of one index of the target, by dimension. False: out of memory. */
static bool look_at(const struct plan *plan, const struct node *node, const char *index, struct look *look)
{
    *look = (struct look){.study = &plan->study, .index = index};
    assert(plan->study.stop_target < plan->study.target_count);
    return estimate_rows(&plan->study, node, plan->sweep->stop.confidence, take_row, look) || look->passed;
}

static double half_width_of(const struct look *look)
{
    return look->count == 1 ? (look->high[0] - look->low[0]) / 2 : NAN;
}

/* The largest that is not taken yet; of equal ones the first. */
static size_t find_largest(const struct look *look, const bool *taken)
{
    size_t largest = look->count;
    for (size_t at = 0; at < look->count; at++)
        if (!taken[at] && (largest == look->count || look->value[at] > look->value[largest])) largest = at;
    return largest;
}

static bool stand_apart(const struct look *look, uint32_t top)
{
    bool taken[MODEL_PARAMETERS_MAX] = {false};
    double lowest = INFINITY, highest = -INFINITY;
    if (top >= look->count) return false;
    for (size_t at = 0; at < look->count; at++)
        if (isnan(look->value[at]) || isnan(look->low[at]) || isnan(look->high[at])) return false;
    for (uint32_t rank = 0; rank < top; rank++) {
        size_t at = find_largest(look, taken);
        taken[at] = true;
        lowest = fmin(lowest, look->low[at]);
    }
    for (size_t at = 0; at < look->count; at++)
        if (!taken[at]) highest = fmax(highest, look->high[at]);
    return lowest > highest;
}

bool stop_is_met(const struct plan *plan, const struct node *node, bool *met)
{
    const struct sweep_stop *stop = &plan->sweep->stop;
    struct look look;
    *met = false;
    if (stop->kind == STOP_HALF_WIDTH) {
        if (!look_at(plan, node, "mean", &look)) return false;
        *met = half_width_of(&look) <= stop->half_width;
        return true;
    }
    if (!look_at(plan, node, plan->sweep->method == DESIGN_SALTELLI ? "st" : "shapley", &look)) return false;
    *met = stand_apart(&look, stop->top);
    return true;
}

double stop_half_width(const struct plan *plan, const struct node *node)
{
    struct look look;
    return look_at(plan, node, "mean", &look) ? half_width_of(&look) : NAN;
}
