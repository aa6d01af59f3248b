/* Sobol's G: the product over i of (|4 x_i - 2| + a_i) / (1 + a_i), each x uniform from 0 to 1; here with the
 * eight usual a. Mean 1; variance the product of (1 + V_i), less 1, where V_i = 1 / (3 (1 + a_i)^2). */
#include "function.h"

static const struct parameter parameters[] = {UNIT("x1"), UNIT("x2"), UNIT("x3"), UNIT("x4"),
                                              UNIT("x5"), UNIT("x6"), UNIT("x7"), UNIT("x8")};

static bool evaluate(const double *x, double *y)
{
    static const double a[] = {0, 1, 4.5, 9, 99, 99, 99, 99};
    *y = 1;
    for (size_t at = 0; at < DIMENSION(a); at++) *y *= (fabs(4 * x[at] - 2) + a[at]) / (1 + a[at]);
    return true;
}

const struct function function = {
    "sobol-g", "1", "Sobol's G function, a = 0, 1, 4.5, 9, 99, 99, 99, 99", parameters, DIMENSION(parameters),
    evaluate};
