/* y = offset + scale p, where p is the product x1 + x2 / 2 + x1 x2 of inputs uniform from 0 to 1: with `steps` above 0
 * rounded down to a multiple of 1 / steps, and undefined, or failed where `fails` is 1, unless x3, which does nothing
 * else, is below `share`. Its indices are those of the product whatever offset and scale are. For tests alone. */
#include "function.h"

#define SETTING(word, value)                                                                                           \
    {                                                                                                                  \
        .central = (value), FUNCTION_PARAMETER(word, {.kind = DISTRIBUTION_FIXED})                                     \
    }

static const struct parameter parameters[] = {UNIT("x1"),           UNIT("x2"),          UNIT("x3"),
                                              SETTING("offset", 0), SETTING("scale", 1), SETTING("steps", 0),
                                              SETTING("share", 1),  SETTING("fails", 0)};

static bool evaluate(const double *x, double *y)
{
    double product = x[0] + 0.5 * x[1] + x[0] * x[1], offset = x[3], scale = x[4], steps = x[5];
    bool defined = x[2] < x[6], fails = x[7] == 1;
    if (steps > 0) product = (double)(int64_t)(product * steps) / steps;
    *y = defined ? offset + scale * product : NAN;
    return defined || !fails;
}

const struct function function = {"scaled", "1", "the product, moved and scaled", parameters, DIMENSION(parameters),
                                  evaluate};
