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

KERNEL static void add_a_and_b(const struct lanes *a, const struct lanes *b, double *sums)
{
    add_base(b, sums + SALTELLI_B_N);
    sums[SALTELLI_AB_N] += sum_products(a->valid, b->valid);
    sums[SALTELLI_AB_A] += sum_products(a->y, b->valid);
    sums[SALTELLI_AB_B] += sum_products(b->y, a->valid);
    sums[SALTELLI_AB] += sum_products(a->y, b->y);
}

static_assert(SALTELLI_B == SALTELLI_B_N + SUM_Y && SALTELLI_BB == SALTELLI_B_N + SUM_YY, "B is summed as A is");

KERNEL static void add_dimension(const struct lanes *a, const struct lanes *b, const struct lanes *ab, double *sums)
{
    model_lanes both, all, e, g;
    multiply(a->valid, ab->valid, both);
    multiply(both, b->valid, all);
    subtract(ab->y, a->y, e);
    multiply(e, both, e);
    sums[TOTAL_N] += sum_lanes(both);
    sums[TOTAL_EE] += sum_products(e, e);
    subtract(b->y, ab->y, g);
    multiply(g, all, g);
    sums[FIRST_N] += sum_lanes(all);
    sums[FIRST_E] += sum_products(e, all);
    sums[FIRST_B] += sum_products(b->y, all);
    sums[FIRST_BE] += sum_products(b->y, e);
    sums[FIRST_GG] += sum_products(g, g);
}

KERNEL static void add_pair(const struct lanes *left, const struct lanes *right, double *sums)
{
    sums[PAIR_N] += sum_products(left->valid, right->valid);
    sums[PAIR_LEFT] += sum_products(left->y, right->valid);
    sums[PAIR_RIGHT] += sum_products(right->y, left->valid);
    sums[PAIR_PRODUCT] += sum_products(left->y, right->y);
}

/* BA_i against AB_j for all i < j. */
static void add_pairs(const struct work *work, double *sums)
{
    size_t dimensions = work->study->dimensions;
    struct lanes left, right;
    for (size_t i = 0; i + 1 < dimensions; i++) {
        load(work, (uint32_t)(2 + dimensions + i), &left);
        for (size_t j = i + 1; j < dimensions; j++) {
            load(work, (uint32_t)(2 + j), &right);
            add_pair(&left, &right, sums + study_pair(dimensions, i, j) * SALTELLI_PAIR_SUMS);
        }
    }
}

static void add_saltelli(const struct work *work, const struct lanes *a)
{
    size_t dimensions = work->study->dimensions;
    double *sums = work->sums + STUDY_BASE_SUMS;
    struct lanes b, ab;
    load(work, 1, &b);
    add_a_and_b(a, &b, sums);
    sums += SALTELLI_SUMS;
    for (size_t i = 0; i < dimensions; i++, sums += SALTELLI_DIMENSION_SUMS) {
        load(work, (uint32_t)(2 + i), &ab);
        add_dimension(a, &b, &ab, sums);
    }
    if (work->study->sweep->study.extras & STUDY_SECOND_ORDER) add_pairs(work, sums);
}

/* --- Morris, derivative, Shapley: what changes from row to row belongs to a dimension of the draw's own --- */

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

static double half_square(const struct lanes *left, const struct lanes *right, uint32_t lane)
{
    double difference = left->y[lane] - right->y[lane];
    return difference * difference / 2;
}

/* Row k of a draw, which differs from the row before in one dimension; an increment needs all three runs. */
static void add_increments(const struct work *work, const struct lanes *start, const struct lanes *before,
                           const struct lanes *row, uint32_t k)
{
    uint32_t dimensions = work->study->dimensions;
    for (uint32_t lane = 0; lane < work->batch->draws; lane++) {
        if (start->valid[lane] == 0 || row->valid[lane] == 0) continue;
        double *sums = work->sums + STUDY_BASE_SUMS + work->batch->order[k - 1][lane] * SHAPLEY_SUMS;
        double now = half_square(start, row, lane);
        if (before->valid[lane] != 0) {
            sums[SHAPLEY_N] += 1;
            sums[SHAPLEY] += now - half_square(start, before, lane);
        }
        if (k == 1) {
            sums[SHAPLEY_NEW_N] += 1;
            sums[SHAPLEY_NEW] += now;
        }
        if (k + 1 == dimensions) { /* only the last of the order is kept */
            double *kept = work->sums + STUDY_BASE_SUMS + work->batch->order[dimensions - 1][lane] * SHAPLEY_SUMS;
            kept[SHAPLEY_KEPT_N] += 1;
            kept[SHAPLEY_KEPT] += now;
        }
    }
}

static void add_shapley(const struct work *work, const struct lanes *start)
{
    struct lanes before = *start, row;
    for (uint32_t k = 1; k <= work->study->dimensions; k++) {
        load(work, k, &row);
        add_increments(work, start, &before, &row, k);
        before = row;
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
