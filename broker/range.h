/* Sets of blocks as sorted, disjoint ranges that do not touch: what is done of a sweep of 10^9 blocks
 * is a handful of numbers. Ranges given are not empty and end below 2^63. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define RANGES_MAX 65536u /* of one set: 1 MiB */

struct range_set { /* owned; zero-initialised is empty */
    struct block_range *items;
    size_t count, capacity;
    uint64_t total; /* blocks in the set */
};

void range_free(struct range_set *set);
void range_clear(struct range_set *set); /* keeps the memory */

/* Makes room for `count` ranges, so that adding and removing up to there cannot fail. False: above
 * RANGES_MAX, or out of memory. */
bool range_reserve(struct range_set *set, size_t count);

/* False: there is no room for one more range; the set is unchanged. */
bool range_add(struct range_set *set, struct block_range range);
bool range_remove(struct range_set *set, struct block_range range);

/* How many blocks of the range are in the set. */
uint64_t range_overlap(const struct range_set *set, struct block_range range);

/* The first unbroken run of blocks of `within` that are not in the set. False: all are. */
bool range_gap(const struct range_set *set, struct block_range within, struct block_range *gap);

/* The whole range of the set that holds the block. False: none does. */
bool range_around(const struct range_set *set, uint64_t block, struct block_range *around);

static inline uint64_t range_end(struct block_range range)
{
    return range.first + range.count;
}

/* What both hold; of count 0 when they share nothing. */
static inline struct block_range range_common(struct block_range a, struct block_range b)
{
    const uint64_t first = a.first > b.first ? a.first : b.first;
    const uint64_t end = range_end(a) < range_end(b) ? range_end(a) : range_end(b);
    return (struct block_range){first, first < end ? end - first : 0};
}

/* Not empty and within blocks 0 .. blocks - 1; any numbers may be asked about. */
static inline bool range_inside(struct block_range range, uint64_t blocks)
{
    return range.count > 0 && range.first < blocks && range.count <= blocks - range.first;
}
