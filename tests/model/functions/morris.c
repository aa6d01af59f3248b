/* Morris (1991), twenty inputs, each uniform from 0 to 1: with w_i = 2 (x_i - 1/2), but for i = 3, 5, 7
 * w_i = 2 (1.1 x_i / (x_i + 0.1) - 1/2),
 *     y = sum b_i w_i + sum b_ij w_i w_j + sum b_ijk w_i w_j w_k + sum b_ijkl w_i w_j w_k w_l over i < j < k < l.
 * b_i = 20 for i up to 10, b_ij = -15 for j up to 6, b_ijk = -10 for k up to 5, b_ijkl = 5 for l up to 4. In the
 * paper the other coefficients of one and of two inputs are random; here they are (-1)^i and (-1)^(i + j), as
 * has become usual. The rest is 0. */
#include "function.h"

#define INPUTS 20

static const struct parameter parameters[INPUTS] = {UNITS_1_TO_9(""), UNIT("x10"), UNITS_1_TO_9("1"), UNIT("x20")};

static double weigh(size_t input, double x)
{
    const bool curved = input == 3 || input == 5 || input == 7;
    return 2 * ((curved ? 1.1 * x / (x + 0.1) : x) - 0.5);
}

static double sign(size_t number)
{
    return number % 2 == 0 ? 1 : -1;
}

/* Terms of three and of four inputs, all among the first few. */
static double add_high_orders(const double *w)
{
    double sum = 0;
    for (size_t i = 1; i <= 5; i++)
        for (size_t j = i + 1; j <= 5; j++)
            for (size_t k = j + 1; k <= 5; k++) sum += -10 * w[i] * w[j] * w[k];
    return sum + 5 * w[1] * w[2] * w[3] * w[4];
}

static bool evaluate(const double *x, double *y)
{
    double w[INPUTS + 1], sum = 0;
    for (size_t i = 1; i <= INPUTS; i++) w[i] = weigh(i, x[i - 1]);
    for (size_t i = 1; i <= INPUTS; i++) sum += (i <= 10 ? 20 : sign(i)) * w[i];
    for (size_t i = 1; i <= INPUTS; i++)
        for (size_t j = i + 1; j <= INPUTS; j++) sum += (j <= 6 ? -15 : sign(i + j)) * w[i] * w[j];
    *y = sum + add_high_orders(w);
    return true;
}

const struct function function = {"morris", "1", "Morris's function of 20 inputs", parameters, INPUTS, evaluate};
