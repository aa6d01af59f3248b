/* The correlation matrix nearest to one that is none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define NEAREST_MAX 40 /* rows: beyond, the eigenvectors take too long */

/* The least eigenvalue of a matrix that is taken: then it has a factor with its rows in any order. */
#define CORRELATION_EIGENVALUE_MIN 1e-6

/* The lower factor of a symmetric matrix of which `less` is taken from each element of the diagonal; both
 * [count][count], row by row. Returns count, or the first row at which it turns out to have an eigenvalue of 0 or
 * less. */
size_t correlation_factor(const double *matrix, size_t count, double less, double *factor);

/* Replaces a symmetric matrix [count][count] with ones on its diagonal by the nearest one (in the sum of squares) that
 * has no eigenvalue below zero: N. J. Higham, IMA J. Numer. Anal. 22, 329-343 (2002), alternating projections with
 * Dykstra's correction, at most 100 of them; eigenvalues by Jacobi's method. count: at most NEAREST_MAX. */
void correlation_nearest(double *matrix, size_t count);
