/* y = x1 + x2 + x3, normal with standard deviations 1, 1 and 2. Mean 0; variance 6 when they are independent,
 * 6 + 4 rho when x2 and x3 have correlation rho. */
#include "function.h"

static const struct parameter parameters[] = {NORMAL("x1", 0.0, 1.0), NORMAL("x2", 0.0, 1.0), NORMAL("x3", 0.0, 2.0)};

static bool evaluate(const double *x, double *y)
{
    *y = x[0] + x[1] + x[2];
    return true;
}

const struct function function = {"linear-gaussian",     "1",     "the sum of three normal inputs", parameters,
                                  DIMENSION(parameters), evaluate};
