/* y = x1 + x2, uniform from 0 to 1, which fails where both are above 0.8: 4 % of draws, and not at random. Of the
 * rest the mean is (1 - 0.04 x 1.8) / 0.96. */
#include "function.h"

static const struct parameter parameters[] = {UNIT("x1"), UNIT("x2")};

static bool evaluate(const double *x, double *y)
{
    *y = x[0] + x[1];
    return !(x[0] > 0.8 && x[1] > 0.8);
}

const struct function function = {
    "fails-in-corner",     "1",     "a sum that fails where both inputs are large", parameters,
    DIMENSION(parameters), evaluate};
