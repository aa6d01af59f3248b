#include "discover.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"

/* How the values of a parameter become cells: by position among its values, or by share. */
struct axis {
    double *values; /* owned, [count], ascending and distinct; NULL: shares */
    size_t count;
};

/* Draws that did not fail, ready for prim_find(). */
struct table {
    struct prim_draws draws;
    uint16_t *cells;   /* owned, what draws.cells points to */
    uint32_t *numbers; /* owned, [draws.count]: of the draws */
    struct axis axes[MODEL_PARAMETERS_MAX];
    struct prim *prim; /* owned */
};

static void free_table(struct table *table)
{
    for (size_t at = 0; at < MODEL_PARAMETERS_MAX; at++) free(table->axes[at].values);
    free(table->draws.flags);
    free(table->cells);
    free(table->numbers);
    prim_free(table->prim);
    free(table);
}

/* --- parameters as cells --- */

static size_t drop_repeats(double *values, size_t count)
{
    size_t kept = 0;
    for (size_t at = 0; at < count; at++)
        if (kept == 0 || values[at] > values[kept - 1]) values[kept++] = values[at];
    return kept;
}

/* Values of a discrete parameter, unless they are more than there are cells. False: out of memory. */
static bool list_values(const struct sweep *sweep, const struct distribution *distribution, struct axis *axis)
{
    bool is_sample = distribution->kind == DISTRIBUTION_EMPIRICAL;
    if (!is_sample && distribution->kind != DISTRIBUTION_DISCRETE) return true;
    const double *from = is_sample ? sweep->pool + distribution->pool_first : distribution->values;
    size_t count = distribution->point_count;
    axis->values = malloc((count ? count : 1) * sizeof *axis->values);
    if (!axis->values) return false;
    memcpy(axis->values, from, count * sizeof *axis->values);
    axis->count = drop_repeats(axis->values, count);
    if (axis->count <= PRIM_CELLS_MAX) return true;
    free(axis->values);
    axis->values = NULL;
    return true;
}

static bool open_axes(struct table *table, const struct sweep *sweep, const struct design *design)
{
    for (uint32_t at = 0; at < table->draws.dimensions; at++) {
        const struct sweep_parameter *parameter = &sweep->parameters[design_parameter(design, at)];
        struct axis *axis = &table->axes[at];
        if (!list_values(sweep, &parameter->distribution, axis)) return false;
        table->draws.cell_count[at] = (uint16_t)(axis->values ? axis->count : PRIM_CELLS_MAX);
    }
    return true;
}

/* The last value that is not above. */
static uint16_t find_value(const struct axis *axis, double value)
{
    size_t low = 0, high = axis->count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (axis->values[middle] <= value) low = middle;
        else high = middle;
    }
    return (uint16_t)low;
}

static uint16_t cell_of(const struct axis *axis, double value, double share)
{
    return axis->values ? find_value(axis, value) : (uint16_t)(share * PRIM_CELLS_MAX);
}

static bool is_failed(const struct node *root, uint64_t draw)
{
    return isinf(root->kept[draw * root->shape.width]);
}

static size_t list_draws(struct table *table, const struct node *root, uint64_t most)
{
    size_t count = 0;
    for (uint64_t draw = 0; draw < most; draw++)
        if (!is_failed(root, draw)) table->numbers[count++] = (uint32_t)draw;
    return count;
}

/* Makes the draws again, batch by batch, and enters the listed ones. */
static void fill_cells(struct table *table, const struct sweep *sweep, const struct design *design)
{
    model_lanes values[MODEL_PARAMETERS_MAX], shares[MODEL_PARAMETERS_MAX];
    uint32_t width = sweep->draws_per_block < MODEL_LANES ? sweep->draws_per_block : MODEL_LANES;
    uint64_t made = UINT64_MAX;
    for (size_t at = 0; at < table->draws.count; at++) {
        uint64_t first = table->numbers[at] / width * width;
        size_t lane = table->numbers[at] - first;
        if (first != made) design_row(design, 0, first, values, shares);
        made = first;
        for (uint32_t dimension = 0; dimension < table->draws.dimensions; dimension++)
            table->cells[dimension * table->draws.count + at] = cell_of(
                &table->axes[dimension], values[design_parameter(design, dimension)][lane], shares[dimension][lane]);
    }
}

static struct table *make_table(const struct plan *plan, const struct design *design, const struct node *root)
{
    struct table *table = calloc(1, sizeof *table);
    if (!table) return NULL;
    size_t dimensions = design_dimensions(design);
    uint64_t most = DISCOVER_CELLS_MAX / (dimensions ? dimensions : 1);
    if (most > root->draws) most = root->draws;
    table->draws.dimensions = (uint32_t)dimensions;
    table->numbers = calloc(most ? most : 1, sizeof *table->numbers);
    if (!table->numbers || !open_axes(table, plan->sweep, design)) goto fail;
    table->draws.count = list_draws(table, root, most);
    table->cells = calloc(table->draws.count * dimensions + 1, sizeof *table->cells);
    table->draws.flags = calloc(table->draws.count + 1, sizeof *table->draws.flags);
    table->draws.cells = table->cells;
    table->prim = prim_new(table->draws.count, table->draws.dimensions);
    if (!table->cells || !table->draws.flags || !table->prim) goto fail;
    fill_cells(table, plan->sweep, design);
    return table;

fail:
    free_table(table);
    return NULL;
}

/* --- boxes in the parameters' units --- */

/* What prim_find() tells, on its way to the sink. */
struct teller {
    const struct table *table;
    const struct design *design;
    const struct study_target *target;
    const struct discover_sink *sink;
};

static struct discover_bound bound_of(const struct teller *teller, const struct prim_box *box, uint32_t dimension)
{
    const struct axis *axis = &teller->table->axes[dimension];
    uint16_t low = box->low[dimension], high = box->high[dimension], cells = teller->table->draws.cell_count[dimension];
    struct discover_bound bound = {.dimension = dimension,
                                   .parameter = design_parameter(teller->design, dimension),
                                   .low = NAN,
                                   .high = NAN,
                                   .is_discrete = axis->values != NULL,
                                   .quasi_p = box->quasi_p[dimension]};
    if (low > 0)
        bound.low = axis->values ? axis->values[low] : design_value(teller->design, dimension, (double)low / cells);
    if (high + 1 < cells)
        bound.high =
            axis->values ? axis->values[high] : design_value(teller->design, dimension, (double)(high + 1) / cells);
    return bound;
}

static bool tell(void *context, const struct prim_box *box)
{
    const struct teller *teller = context;
    struct discover_bound bounds[MODEL_PARAMETERS_MAX];
    struct discover_box told = {.box = box, .bounds = bounds};
    for (uint32_t dimension = 0; dimension < teller->table->draws.dimensions; dimension++)
        if (prim_bounded(&teller->table->draws, box, dimension))
            bounds[told.bound_count++] = bound_of(teller, box, dimension);
    return teller->sink->box(teller->sink->context, teller->target, &told);
}

/* --- targets --- */

static bool is_asked(const struct plan *plan, const struct study_target *target)
{
    const struct model_figure *figure = &plan->figures[plan->kept[target->kept]];
    return plan->areas[target->area].level == AREA_ENGLAND &&
           strcmp(plan->model->measures[figure->measure].name, plan->sweep->discover.measure) == 0;
}

/* Sets the flags of all draws for one target. Yes. */
static uint64_t ask(struct table *table, const struct plan *plan, const struct node *root, size_t target)
{
    uint64_t yes = 0;
    for (size_t at = 0; at < table->draws.count; at++) {
        double value = root->kept[table->numbers[at] * root->shape.width + target];
        bool says_yes = threshold_says_yes(&plan->sweep->discover, value);
        table->draws.flags[at] =
            (uint8_t)((says_yes ? PRIM_YES : 0) | (prim_judges(table->numbers[at]) ? PRIM_JUDGE : 0));
        yes += says_yes;
    }
    return yes;
}

static bool look_at(struct table *table, const struct plan *plan, const struct design *design, const struct node *root,
                    size_t at, const struct discover_sink *sink)
{
    struct teller teller = {table, design, &plan->study.targets[at], sink};
    struct discovery discovery = {
        .target = teller.target, .draws = table->draws.count, .yes = ask(table, plan, root, at)};
    discovery.result = prim_find(table->prim, &table->draws, tell, &teller);
    return discovery.result != PRIM_STOPPED && sink->done(sink->context, &discovery);
}

bool discover(const struct plan *plan, const struct design *design, const struct node *root,
              const struct discover_sink *sink)
{
    const struct study *study = &plan->study;
    assert(plan->sweep->discover.measure[0] && root->shape.width == study->target_count);
    struct table *table = make_table(plan, design, root);
    bool going = table != NULL;
    for (size_t at = 0; at < study->target_count && going; at++)
        if (is_asked(plan, &study->targets[at])) going = look_at(table, plan, design, root, at, sink);
    if (table) free_table(table);
    return going;
}
