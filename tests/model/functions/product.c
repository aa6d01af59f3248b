/* y = x1 + x2 / 2 + x1 x2, each x uniform from 0 to 1. Mean 1; variance 40/144. */
#include "function.h"

static const struct parameter parameters[] = {UNIT("x1"), UNIT("x2")};

static bool evaluate(const double *x, double *y)
{
    *y = x[0] + 0.5 * x[1] + x[0] * x[1];
    return true;
}

const struct function function = {"product", "1", "two inputs and their product", parameters, DIMENSION(parameters),
                                  evaluate};
