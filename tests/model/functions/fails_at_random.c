/* y = x1 + x2, uniform from 0 to 1, and one draw in twenty fails: which ones, a hash of the bits of the inputs
 * says, so that a draw that fails does so everywhere. Mean 1 and variance 1/6 of those that do not. */
#include <string.h>

#include "function.h"

static const struct parameter parameters[] = {UNIT("x1"), UNIT("x2")};

/* The mixing step of SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
    return bits ^ bits >> 31;
}

static bool evaluate(const double *x, double *y)
{
    uint64_t hash = 0;
    for (size_t at = 0; at < DIMENSION(parameters); at++) {
        uint64_t bits;
        memcpy(&bits, &x[at], sizeof bits);
        hash = mix(hash + bits + UINT64_C(0x9e3779b97f4a7c15));
    }
    *y = x[0] + x[1];
    return hash % 20 != 0;
}

const struct function function = {"fails-at-random",     "1",     "a sum that fails for one draw in twenty", parameters,
                                  DIMENSION(parameters), evaluate};
