/* Sobol's G (see sobol_g.c) in ten dimensions with a_i = (i - 2) / 2: strong interactions. a_1 is below 0,
 * so that some values are too. */
#include "function.h"

static const struct parameter parameters[] = {UNITS_1_TO_9(""), UNIT("x10")};

static bool evaluate(const double *x, double *y)
{
    *y = 1;
    for (size_t at = 0; at < DIMENSION(parameters); at++) {
        const double a = ((double)at - 1) / 2;
        *y *= (fabs(4 * x[at] - 2) + a) / (1 + a);
    }
    return true;
}

const struct function function = {"sobol-g10",           "1",     "Sobol's G function, a_i = (i - 2) / 2", parameters,
                                  DIMENSION(parameters), evaluate};
