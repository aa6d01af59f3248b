/* As many inputs as a policy model has: with v_i = x_i - 1/2, each x uniform from 0 to 1,
 *     y = sum over i of v_i / i, plus v_1 v_2 + v_3 v_4 + ... + v_43 v_44.
 * Mean 0; variance the sum of 1 / (12 i^2), plus 22/144. */
#include "function.h"

#define INPUTS 45

static const struct parameter parameters[INPUTS] = {
    UNITS_1_TO_9(""), UNIT("x10"), UNITS_1_TO_9("1"), UNIT("x20"), UNITS_1_TO_9("2"), UNIT("x30"), UNITS_1_TO_9("3"),
    UNIT("x40"),      UNIT("x41"), UNIT("x42"),       UNIT("x43"), UNIT("x44"),       UNIT("x45")};

static bool evaluate(const double *x, double *y)
{
    double sum = 0;
    for (size_t at = 0; at < INPUTS; at++) sum += (x[at] - 0.5) / (double)(at + 1);
    for (size_t at = 0; at + 1 < INPUTS; at += 2) sum += (x[at] - 0.5) * (x[at + 1] - 0.5);
    *y = sum;
    return true;
}

const struct function function = {"wide", "1", "45 inputs of falling weight", parameters, INPUTS, evaluate};
