/* Shares: 64 random or scrambled bits as a number strictly between 0 and 1. */
#pragma once

#include <stdint.h>

/* The middle of the cell of width 2^-52 that the upper 52 bits name: exact in a double, never 0 or 1,
 * and 1 - u is as exact as u. Strata of 2^-52 or wider keep their counts. */
static inline double unit_from_bits(uint64_t bits)
{
    return (double)(2 * (bits >> 12) + 1) * 0x1p-53;
}
