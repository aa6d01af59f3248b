/* Random orders. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "philox.h"

/* 0 .. count - 1 in an order that random bits choose: swaps[count], of which the first is not looked at. Every order
 * is as likely as any other (Fisher and Yates). */
static inline void shuffle(uint16_t *order, size_t count, const uint64_t *swaps)
{
    for (size_t at = 0; at < count; at++) {
        size_t with = philox_below(swaps[at], at + 1);
        order[at] = order[with];
        order[with] = (uint16_t)at;
    }
}
