/* The shortest decimal digits of a double. */
#pragma once

#include <stdint.h>

#define DECIMAL_DIGITS_MAX 17

/* value = 0.d1 d2 d3 ... x 10^exponent */
struct decimal {
    char digits[DECIMAL_DIGITS_MAX]; /* '0' to '9'; neither the first nor the last is '0' */
    int32_t count;
    int32_t exponent;
};

/* The fewest digits that read back to the same double, and of these the nearest to it. value: finite and
 * above 0. Exact for every double, without locale. */
struct decimal decimal_shortest(double value);
