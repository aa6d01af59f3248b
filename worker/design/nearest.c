#include "nearest.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define PROJECTIONS 100
#define ROUNDS_MAX  60 /* of Jacobi's method, which takes about ten */
#define CHANGE_MIN  1e-12

size_t correlation_factor(const double *matrix, size_t count, double less, double *factor)
{
    for (size_t row = 0; row < count; row++) {
        double *at = factor + row * count, pivot = matrix[row * count + row] - less;
        for (size_t column = 0; column < row; column++) {
            const double *other = factor + column * count;
            double sum = matrix[row * count + column];
            for (size_t k = 0; k < column; k++) sum -= at[k] * other[k];
            at[column] = sum / other[column];
            pivot -= at[column] * at[column];
        }
        if (!(pivot > 0)) return row;
        at[row] = sqrt(pivot);
        for (size_t column = row + 1; column < count; column++) at[column] = 0;
    }
    return count;
}

/* A rotation in the plane of two axes that makes their common element zero. */
static void rotate(double *matrix, double *vectors, size_t count, size_t p, size_t q)
{
    double off = matrix[p * count + q];
    if (off == 0) return;
    double slope = (matrix[q * count + q] - matrix[p * count + p]) / (2 * off);
    double tangent = (slope < 0 ? -1 : 1) / (fabs(slope) + sqrt(slope * slope + 1));
    double cosine = 1 / sqrt(tangent * tangent + 1), sine = tangent * cosine;
    for (size_t k = 0; k < count; k++) {
        double left = matrix[k * count + p], right = matrix[k * count + q];
        matrix[k * count + p] = cosine * left - sine * right;
        matrix[k * count + q] = sine * left + cosine * right;
    }
    for (size_t k = 0; k < count; k++) {
        double left = matrix[p * count + k], right = matrix[q * count + k];
        matrix[p * count + k] = cosine * left - sine * right;
        matrix[q * count + k] = sine * left + cosine * right;
    }
    for (size_t k = 0; k < count; k++) {
        double left = vectors[k * count + p], right = vectors[k * count + q];
        vectors[k * count + p] = cosine * left - sine * right;
        vectors[k * count + q] = sine * left + cosine * right;
    }
}

static double off_diagonal(const double *matrix, size_t count)
{
    double sum = 0;
    for (size_t row = 0; row < count; row++)
        for (size_t column = 0; column < row; column++) sum += fabs(matrix[row * count + column]);
    return sum;
}

/* Eigenvalues on the diagonal of the matrix, eigenvectors in columns. */
static void diagonalise(double *matrix, double *vectors, size_t count)
{
    memset(vectors, 0, count * count * sizeof *vectors);
    for (size_t at = 0; at < count; at++) vectors[at * count + at] = 1;
    for (int round = 0; round < ROUNDS_MAX && off_diagonal(matrix, count) > CHANGE_MIN; round++)
        for (size_t p = 0; p < count; p++)
            for (size_t q = p + 1; q < count; q++) rotate(matrix, vectors, count, p, q);
}

/* The nearest matrix without negative eigenvalues. */
static void drop_negative(double *matrix, size_t count)
{
    double values[NEAREST_MAX * NEAREST_MAX], vectors[NEAREST_MAX * NEAREST_MAX];
    memcpy(values, matrix, count * count * sizeof *values);
    diagonalise(values, vectors, count);
    memset(matrix, 0, count * count * sizeof *matrix);
    for (size_t at = 0; at < count; at++) {
        double value = values[at * count + at];
        if (value <= 0) continue;
        for (size_t row = 0; row < count; row++)
            for (size_t column = 0; column < count; column++)
                matrix[row * count + column] += value * vectors[row * count + at] * vectors[column * count + at];
    }
}

void correlation_nearest(double *matrix, size_t count)
{
    double correction[NEAREST_MAX * NEAREST_MAX] = {0}, last[NEAREST_MAX * NEAREST_MAX];
    assert(count <= NEAREST_MAX);
    for (int step = 0; step < PROJECTIONS; step++) {
        double change = 0;
        memcpy(last, matrix, count * count * sizeof *last);
        for (size_t at = 0; at < count * count; at++) matrix[at] -= correction[at];
        for (size_t at = 0; at < count * count; at++) correction[at] = -matrix[at];
        drop_negative(matrix, count);
        for (size_t at = 0; at < count * count; at++) correction[at] += matrix[at];
        for (size_t at = 0; at < count; at++) matrix[at * count + at] = 1;
        for (size_t at = 0; at < count * count; at++) change += fabs(matrix[at] - last[at]);
        if (change < CHANGE_MIN * (double)count) break;
    }
}
