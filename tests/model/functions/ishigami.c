/* Ishigami and Homma (1990): y = sin x1 + 7 sin^2 x2 + 0.1 x3^4 sin x1, each x uniform from -pi to pi.
 * Mean a/2 = 3.5; variance a^2/8 + b pi^4/5 + b^2 pi^8/18 + 1/2. */
#include <sleef.h>

#include "function.h"

static const struct parameter parameters[] = {UNIFORM("x1", -PI, PI), UNIFORM("x2", -PI, PI), UNIFORM("x3", -PI, PI)};

static bool evaluate(const double *x, double *y)
{
    const double sine = Sleef_cinz_sind1_u10purec(x[0]), other = Sleef_cinz_sind1_u10purec(x[1]);
    const double square = x[2] * x[2];
    *y = sine + 7 * (other * other) + 0.1 * (square * square) * sine;
    return true;
}

const struct function function = {
    "ishigami", "1", "Ishigami's function, a = 7, b = 0.1", parameters, DIMENSION(parameters), evaluate};
