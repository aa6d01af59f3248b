#include "gather.h"

#include <assert.h>
#include <goldthread/kernel.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "philox.h"

/* A row of one target: y in the lanes that are valid and 0 in the others, and 1 and 0 for that. */
struct lanes {
    model_lanes y, valid;
};

/* --- sums over lanes, in a fixed pattern --- */

#define STRIPES 8

KERNEL_INLINE double add_stripes(const double *stripes)
{
    return ((stripes[0] + stripes[1]) + (stripes[2] + stripes[3])) +
           ((stripes[4] + stripes[5]) + (stripes[6] + stripes[7]));
}

KERNEL_INLINE double sum_lanes(const double *values)
{
    double stripes[STRIPES] = {0};
    for (size_t at = 0; at < MODEL_LANES; at += STRIPES)
        for (size_t stripe = 0; stripe < STRIPES; stripe++) stripes[stripe] += values[at + stripe];
    return add_stripes(stripes);
}

KERNEL_INLINE double sum_products(const double *left, const double *right)
{
    double stripes[STRIPES] = {0};
    for (size_t at = 0; at < MODEL_LANES; at += STRIPES)
        for (size_t stripe = 0; stripe < STRIPES; stripe++) stripes[stripe] += left[at + stripe] * right[at + stripe];
    return add_stripes(stripes);
}

KERNEL_INLINE void multiply(const double *left, const double *right, double *out)
{
    for (size_t lane = 0; lane < MODEL_LANES; lane++) out[lane] = left[lane] * right[lane];
}

KERNEL_INLINE void subtract(const double *left, const double *right, double *out)
{
    for (size_t lane = 0; lane < MODEL_LANES; lane++) out[lane] = left[lane] - right[lane];
}

/* --- one target --- */

struct work {
    const struct study *study;
    const struct batch *batch;
    size_t target;
    double centre;
    const double *edges; /* [STUDY_BINS - 1], or NULL */
    double *sums;        /* of the target and the batch's group, or of its first slot */
    uint64_t *counts;    /* of the target */
};

static bool usable(const struct work *work, uint32_t row, uint32_t lane, double value)
{
    size_t at = work->target * work->study->rows + row;
    return lane < work->batch->draws && work->batch->valid[at] >> lane & 1 && fabs(value) < GATHER_VALUE_MAX;
}

static void load(const struct work *work, uint32_t row, struct lanes *out)
{
    const double *values = work->batch->values[work->target * work->study->rows + row];
    for (uint32_t lane = 0; lane < MODEL_LANES; lane++) {
        bool valid = usable(work, row, lane, values[lane]);
        out->valid[lane] = valid;
        out->y[lane] = valid ? values[lane] - work->centre : 0;
    }
}

KERNEL static void add_base(const struct lanes *row, double *sums)
{
    sums[SUM_N] += sum_lanes(row->valid);
    sums[SUM_Y] += sum_lanes(row->y);
    sums[SUM_YY] += sum_products(row->y, row->y);
}

/* --- Saltelli --- */

static_assert(OTHER == OTHER_N + SUM_Y && OTHER_SQUARE == OTHER_N + SUM_YY, "the other row is summed as row 0 is");

/* Products and squared gaps are 0 in lanes that are not valid on both sides. */
KERNEL static void add_both(const struct lanes *a, const struct lanes *b, double *sums)
{
    model_lanes both, gap;
    multiply(a->valid, b->valid, both);
    subtract(a->y, b->y, gap);
    multiply(gap, both, gap);
    sums[BOTH_N] += sum_lanes(both);
    sums[BOTH_A] += sum_products(a->y, both);
    sums[BOTH_B] += sum_products(b->y, both);
    sums[BOTH_PRODUCT] += sum_products(a->y, b->y);
    sums[BOTH_GAP] += sum_products(gap, gap);
}

KERNEL static void add_dimension(const struct lanes *a, const struct lanes *b, const struct lanes *ab, double *sums)
{
    model_lanes both, all, step, gap;
    multiply(a->valid, ab->valid, both);
    multiply(both, b->valid, all);
    subtract(ab->y, a->y, step);
    multiply(step, both, step);
    subtract(b->y, ab->y, gap);
    multiply(gap, all, gap);
    sums[FIRST_N] += sum_lanes(all);
    sums[FIRST_STEP] += sum_products(step, all);
    sums[FIRST_PRODUCT] += sum_products(b->y, step);
    sums[FIRST_GAP] += sum_products(gap, gap);
    sums[TOTAL_N] += sum_lanes(both);
    sums[TOTAL_GAP] += sum_products(step, step);
}

/* Two points and the two that exchange dimension i between them: the corners of a square. */
KERNEL static void add_square(const struct lanes *a, const struct lanes *b, const struct lanes *ab,
                              const struct lanes *ba, double *sums)
{
    model_lanes all, other, near, far, across, gap;
    multiply(a->valid, ab->valid, all);
    multiply(b->valid, ba->valid, other);
    multiply(all, other, all);
    subtract(ab->y, a->y, near);
    subtract(b->y, ba->y, far);
    subtract(a->y, b->y, across);
    subtract(ab->y, ba->y, gap);
    multiply(near, all, near);
    multiply(far, all, far);
    multiply(across, all, across);
    multiply(gap, all, gap);
    sums[SQUARE_N] += sum_lanes(all);
    sums[SQUARE_FIRST] += sum_products(near, far);
    sums[SQUARE_TOTAL] += sum_products(near, near) + sum_products(far, far);
    sums[SQUARE_ALL] += sum_products(across, across) + sum_products(gap, gap);
}

KERNEL static void add_pair(const struct lanes *left, const struct lanes *right, double *sums)
{
    model_lanes both, gap;
    multiply(left->valid, right->valid, both);
    subtract(left->y, right->y, gap);
    multiply(gap, both, gap);
    sums[PAIR_N] += sum_lanes(both);
    sums[PAIR_GAP] += sum_products(gap, gap);
}

/* BA_i against AB_j for all i and j. */
static void add_pairs(const struct work *work, double *sums)
{
    uint32_t dimensions = work->study->dimensions;
    struct lanes ba, ab;
    for (uint32_t i = 0; i < dimensions; i++) {
        load(work, 2 + dimensions + i, &ba);
        for (uint32_t j = 0; j < dimensions; j++) {
            if (i == j) continue;
            load(work, 2 + j, &ab);
            add_pair(&ba, &ab, sums + study_pair(dimensions, i < j ? i : j, i < j ? j : i) * PAIR_SUMS);
        }
    }
}

static void add_second_order(const struct work *work, const struct lanes *a, const struct lanes *b, double *sums)
{
    uint32_t dimensions = work->study->dimensions;
    struct lanes ab, ba;
    for (uint32_t i = 0; i < dimensions; i++, sums += SECOND_SUMS) {
        load(work, 2 + i, &ab);
        load(work, 2 + dimensions + i, &ba);
        add_square(a, b, &ab, &ba, sums);
    }
    add_pairs(work, sums);
}

static void add_saltelli(const struct work *work, const struct lanes *a)
{
    double *sums = work->sums + STUDY_BASE_SUMS;
    struct lanes b, ab;
    load(work, 1, &b);
    add_base(&b, sums + OTHER_N);
    add_both(a, &b, sums);
    sums += STUDY_BOTH_SUMS;
    if (work->study->sweep->study.extras & STUDY_SECOND_ORDER) {
        add_second_order(work, a, &b, sums);
        return;
    }
    for (uint32_t i = 0; i < work->study->dimensions; i++, sums += SALTELLI_SUMS) {
        load(work, 2 + i, &ab);
        add_dimension(a, &b, &ab, sums);
    }
}

/* --- Morris and derivative: what changes from row to row belongs to a dimension of the draw's own --- */

static void add_effect(double *sums, double effect)
{
    sums[EFFECT_N] += 1;
    sums[EFFECT] += effect;
    sums[EFFECT_ABSOLUTE] += fabs(effect);
    sums[EFFECT_SQUARE] += effect * effect;
}

/* Morris goes on from the row before, derivative always from row 0. */
static void add_effects(const struct work *work, const struct lanes *start)
{
    const struct study *study = work->study;
    bool chain = study->sweep->method == DESIGN_MORRIS;
    struct lanes before = *start, row;
    for (uint32_t step = 0; step < study->dimensions; step++) {
        load(work, step + 1, &row);
        for (uint32_t lane = 0; lane < work->batch->draws; lane++) {
            if (row.valid[lane] == 0 || before.valid[lane] == 0) continue;
            double effect = (row.y[lane] - before.y[lane]) / work->batch->steps[step][lane];
            add_effect(work->sums + STUDY_BASE_SUMS + work->batch->order[step][lane] * EFFECT_SUMS, effect);
        }
        if (chain) before = row;
    }
}

/* --- Shapley: a chain of rows from row 0 to one that has nothing in common with it --- */

struct chain {
    struct lanes start, before, row, end;
    uint32_t k; /* of `row`; `before` is row k - 1 */
};

/* The variance that is left, E (y(0) - y(k))^2 / 2, grows from row to row up to all of it. When parameters are
 * independent it may as well be seen from the other end, y(d), where it falls; the mean of both views is a product. */
static bool find_increment(const struct chain *chain, bool independent, uint32_t lane, double *increment)
{
    double y0 = chain->start.y[lane], yk = chain->row.y[lane], before = chain->before.y[lane];
    bool valid = chain->start.valid[lane] != 0 && chain->row.valid[lane] != 0 && chain->before.valid[lane] != 0;
    if (!independent) *increment = ((y0 - yk) * (y0 - yk) - (y0 - before) * (y0 - before)) / 2;
    else *increment = (yk - before) * (chain->end.y[lane] - y0) / 2;
    return valid && (!independent || chain->end.valid[lane] != 0);
}

/* The last of the order is the only one kept in row d - 1: y(d), y(0) and y(d - 1) are A, B and AB_i. */
static void add_kept(const struct chain *chain, uint32_t lane, double *sums)
{
    double b = chain->start.y[lane], ab = chain->before.y[lane], step = ab - chain->row.y[lane];
    if (chain->start.valid[lane] == 0 || chain->before.valid[lane] == 0 || chain->row.valid[lane] == 0) return;
    sums[FIRST_N] += 1;
    sums[FIRST_STEP] += step;
    sums[FIRST_PRODUCT] += b * step;
    sums[FIRST_GAP] += (b - ab) * (b - ab);
}

/* The first of the order is the only one drawn anew in row 1. */
static void add_renewed(const struct chain *chain, uint32_t lane, double *sums)
{
    double step = chain->start.y[lane] - chain->row.y[lane];
    if (chain->start.valid[lane] == 0 || chain->row.valid[lane] == 0) return;
    sums[TOTAL_N] += 1;
    sums[TOTAL_GAP] += step * step;
}

static void add_link(const struct work *work, const struct chain *chain)
{
    uint32_t dimensions = work->study->dimensions;
    bool independent = work->study->sweep->correlation_count == 0;
    for (uint32_t lane = 0; lane < work->batch->draws; lane++) {
        double increment, *sums = work->sums + STUDY_BASE_SUMS + STUDY_BOTH_SUMS;
        sums += work->batch->order[chain->k - 1][lane] * SHAPLEY_SUMS;
        if (find_increment(chain, independent, lane, &increment)) {
            sums[SHAPLEY_N] += 1;
            sums[SHAPLEY] += increment;
        }
        if (chain->k == 1) add_renewed(chain, lane, sums);
        if (chain->k == dimensions) add_kept(chain, lane, sums);
    }
}

static void add_shapley(const struct work *work, const struct lanes *start)
{
    struct chain chain = {.start = *start, .before = *start, .k = 1};
    load(work, work->study->dimensions, &chain.end);
    add_base(&chain.end, work->sums + STUDY_BASE_SUMS + OTHER_N);
    add_both(&chain.end, start, work->sums + STUDY_BASE_SUMS);
    for (; chain.k <= work->study->dimensions; chain.k++) {
        load(work, chain.k, &chain.row);
        add_link(work, &chain);
        chain.before = chain.row;
    }
}

/* --- classes of row 0, and slots --- */

static size_t bin_of(const double *edges, double value)
{
    size_t low = 0, high = STUDY_BINS - 1; /* the number of edges at or below the value */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (edges[middle] <= value) low = middle + 1;
        else high = middle;
    }
    return low;
}

static size_t class_of(double share, size_t classes)
{
    size_t found = (size_t)(share * (double)classes);
    return found < classes ? found : classes - 1;
}

static void add_classes(const struct work *work)
{
    const struct study *study = work->study;
    const double *values = work->batch->values[work->target * study->rows];
    for (uint32_t lane = 0; lane < work->batch->draws; lane++) {
        if (!usable(work, 0, lane, values[lane])) continue;
        size_t bin = bin_of(work->edges, values[lane]);
        for (size_t dimension = 0; dimension <= study->dimensions; dimension++) {
            bool dummy = dimension == study->dimensions;
            double share = dummy ? philox_dummy(study->sweep->seed, work->batch->first + lane)
                                 : work->batch->shares[0][dimension][lane];
            work->counts[(dimension * STUDY_CLASSES + class_of(share, STUDY_CLASSES)) * STUDY_BINS + bin]++;
        }
    }
}

static void fill_slots(const struct work *work)
{
    const double *values = work->batch->values[work->target * work->study->rows];
    for (uint32_t lane = 0; lane < work->batch->draws; lane++) {
        if (!usable(work, 0, lane, values[lane])) continue;
        double *slot = work->sums + (work->batch->first + lane) * SLOT_SUMS;
        slot[SLOT_VALID] = 1;
        slot[SLOT_VALUE] = values[lane];
    }
}

/* --- the batch --- */

static void gather_target(const struct work *work)
{
    struct lanes start;
    if (work->edges) add_classes(work);
    if (work->study->sweep->method == DESIGN_ONE_AT_A_TIME) {
        fill_slots(work);
        return;
    }
    load(work, 0, &start);
    add_base(&start, work->sums);
    switch (work->study->sweep->method) {
    case DESIGN_SALTELLI:
        add_saltelli(work, &start);
        break;
    case DESIGN_MORRIS:
    case DESIGN_DERIVATIVE:
        add_effects(work, &start);
        break;
    case DESIGN_SHAPLEY:
        add_shapley(work, &start);
        break;
    default:
        break;
    }
}

static void count_failures(const struct study *study, const struct batch *batch, uint64_t *counts)
{
    for (uint32_t row = 0; row < study->rows; row++) {
        for (uint32_t lane = 0; lane < batch->draws && batch->failed[row] != 0; lane++) {
            if (!(batch->failed[row] >> lane & 1)) continue;
            for (size_t dimension = 0; dimension < study->dimensions; dimension++)
                counts[dimension * STUDY_FAILURE_CLASSES +
                       class_of(batch->shares[row][dimension][lane], STUDY_FAILURE_CLASSES)]++;
            counts[study->dimensions * STUDY_FAILURE_CLASSES]++;
        }
    }
}

void gather(const struct study *study, const struct pilot *pilot, const struct batch *batch, double *sums,
            uint64_t *counts)
{
    bool slots = study->sweep->method == DESIGN_ONE_AT_A_TIME;
    size_t group = slots ? 0 : sweep_group(study->sweep, batch->first);
    for (size_t target = 0; target < study->target_count; target++) {
        struct work work = {.study = study,
                            .batch = batch,
                            .target = target,
                            .centre = pilot->centres[target],
                            .edges = pilot->edges ? pilot->edges[target] : NULL,
                            .sums = sums + study_sums_at(study, target, group),
                            .counts = counts + target * study->target_counts};
        gather_target(&work);
    }
    if (study->count_count > 0) count_failures(study, batch, counts + study_failures_at(study));
}
