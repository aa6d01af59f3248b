/* Rows of lanes, and the sums over them that take most of the model's time. */
#pragma once

#include <stddef.h>

#include <goldthread/kernel.h>
#include <goldthread/model.h>

/* One term of a sum over groups: which row of a block of rows, and its weight. */
struct lanes_term {
    size_t row;
    double weight;
};

/* sum = weighted rows, added up in the order of the terms, starting from 0. */
void lanes_weigh(const struct lanes_term *terms, size_t term_count, const model_lanes *rows, double *sum);

/* out[row] = rows[row] x factor, lane by lane. */
void lanes_scale(model_lanes *out, const model_lanes *rows, const double *factor, size_t row_count);

/* out[row] -= rows[row]. */
void lanes_subtract(model_lanes *out, const model_lanes *rows, size_t row_count);

/* sum = out[0] + ... + out[row_count - 1], in that order. */
void lanes_add_up(double *sum, const model_lanes *rows, size_t row_count);

void lanes_fill(double *row, double value);

/* Lanes in which some row is not finite, as a mask. */
uint32_t lanes_not_finite(const model_lanes *rows, size_t row_count);
