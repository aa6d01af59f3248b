#include "lanes.h"

#include <string.h>

/* Two vectors of eight doubles stay in registers whatever the width of the CPU's own. */
typedef double eight __attribute__((vector_size(64), aligned(8), may_alias));

enum { STRIPE = 16 };

_Static_assert(MODEL_LANES % STRIPE == 0, "lanes are summed a stripe at a time");

KERNEL static void weigh(const struct lanes_term *terms, size_t term_count, const model_lanes *rows, double *sum)
{
    for (size_t stripe = 0; stripe < MODEL_LANES; stripe += STRIPE) {
        eight low = {0}, high = {0};
        for (size_t at = 0; at < term_count; at++) {
            const eight *from = (const eight *)(const void *)&rows[terms[at].row][stripe];
            low += from[0] * terms[at].weight;
            high += from[1] * terms[at].weight;
        }
        memcpy(&sum[stripe], &low, sizeof low);
        memcpy(&sum[stripe + STRIPE / 2], &high, sizeof high);
    }
}

KERNEL static void scale(model_lanes *restrict out, const model_lanes *restrict rows, const double *restrict factor,
                         size_t row_count)
{
    for (size_t row = 0; row < row_count; row++)
        for (int i = 0; i < MODEL_LANES; i++) out[row][i] = rows[row][i] * factor[i];
}

KERNEL static void subtract(model_lanes *restrict out, const model_lanes *restrict rows, size_t row_count)
{
    for (size_t row = 0; row < row_count; row++)
        for (int i = 0; i < MODEL_LANES; i++) out[row][i] -= rows[row][i];
}

KERNEL static void add_up(double *restrict sum, const model_lanes *restrict rows, size_t row_count)
{
    model_lanes total = {0};
    for (size_t row = 0; row < row_count; row++)
        for (int i = 0; i < MODEL_LANES; i++) total[i] += rows[row][i];
    memcpy(sum, total, sizeof total);
}

void lanes_fill(double *row, double value)
{
    for (int i = 0; i < MODEL_LANES; i++) row[i] = value;
}

/* x times 0 is 0 for every finite x and NaN for the others, and NaN stays. */
KERNEL static void gather_not_finite(const model_lanes *rows, size_t row_count, double *restrict marks)
{
    for (size_t row = 0; row < row_count; row++)
        for (int i = 0; i < MODEL_LANES; i++) marks[i] += rows[row][i] * 0.0;
}

uint32_t lanes_not_finite(const model_lanes *rows, size_t row_count)
{
    model_lanes marks = {0};
    gather_not_finite(rows, row_count, marks);
    uint32_t mask = 0;
    for (int i = 0; i < MODEL_LANES; i++)
        if (marks[i] != 0) mask |= UINT32_C(1) << i;
    return mask;
}

void lanes_weigh(const struct lanes_term *terms, size_t term_count, const model_lanes *rows, double *sum)
{
    weigh(terms, term_count, rows, sum);
}

void lanes_scale(model_lanes *out, const model_lanes *rows, const double *factor, size_t row_count)
{
    scale(out, rows, factor, row_count);
}

void lanes_subtract(model_lanes *out, const model_lanes *rows, size_t row_count)
{
    subtract(out, rows, row_count);
}

void lanes_add_up(double *sum, const model_lanes *rows, size_t row_count)
{
    add_up(sum, rows, row_count);
}
