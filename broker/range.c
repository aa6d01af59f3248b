#include "range.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 8

void range_free(struct range_set *set)
{
    free(set->items);
    *set = (struct range_set){0};
}

void range_clear(struct range_set *set)
{
    set->count = 0;
    set->total = 0;
}

bool range_reserve(struct range_set *set, size_t count)
{
    if (count <= set->capacity) return true;
    if (count > RANGES_MAX) return false;
    size_t capacity = set->capacity == 0 ? FIRST_CAPACITY : set->capacity;
    while (capacity < count) capacity *= 2;
    struct block_range *items = realloc(set->items, capacity * sizeof *items);
    if (items == NULL) return false;
    set->items = items;
    set->capacity = capacity;
    return true;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The first item that ends at `block` or later; count when there is none. */
static size_t find_ending_from(const struct range_set *set, uint64_t block)
{
    size_t low = 0, high = set->count;
    if (high > 0 && range_end(set->items[high - 1]) < block) return high; /* blocks mostly come in order */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (range_end(set->items[middle]) < block) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Puts `count` items where `gone` items were. The room is there. */
static void splice(struct range_set *set, size_t at, size_t gone, const struct block_range *items, size_t count)
{
    memmove(set->items + at + count, set->items + at + gone, (set->count - at - gone) * sizeof *items);
    memcpy(set->items + at, items, count * sizeof *items);
    set->count += count - gone;
}

bool range_add(struct range_set *set, struct block_range range)
{
    const size_t at = find_ending_from(set, range.first);
    uint64_t first = range.first, end = range_end(range), had = 0;
    size_t past = at;
    for (; past < set->count && set->items[past].first <= end; past++) {
        first = smaller(first, set->items[past].first);
        end = larger(end, range_end(set->items[past]));
        had += set->items[past].count;
    }
    if (past == at && !range_reserve(set, set->count + 1)) return false;
    const struct block_range merged = {first, end - first};
    splice(set, at, past - at, &merged, 1);
    set->total += merged.count - had;
    return true;
}

bool range_remove(struct range_set *set, struct block_range range)
{
    const uint64_t end = range_end(range);
    const size_t at = find_ending_from(set, range.first + 1);
    struct block_range rest[2];
    size_t rests = 0, past = at;
    uint64_t had = 0, kept = 0;
    for (; past < set->count && set->items[past].first < end; past++) {
        const struct block_range item = set->items[past];
        had += item.count;
        if (item.first < range.first) rest[rests++] = (struct block_range){item.first, range.first - item.first};
        if (range_end(item) > end) rest[rests++] = (struct block_range){end, range_end(item) - end};
    }
    if (past == at) return true;
    if (rests > past - at && !range_reserve(set, set->count + 1)) return false;
    for (size_t i = 0; i < rests; i++) kept += rest[i].count;
    splice(set, at, past - at, rest, rests);
    set->total -= had - kept;
    return true;
}

uint64_t range_overlap(const struct range_set *set, struct block_range range)
{
    uint64_t overlap = 0;
    for (size_t at = find_ending_from(set, range.first + 1); at < set->count; at++) {
        const struct block_range item = set->items[at];
        if (item.first >= range_end(range)) break;
        overlap += smaller(range_end(item), range_end(range)) - larger(item.first, range.first);
    }
    return overlap;
}

bool range_gap(const struct range_set *set, struct block_range within, struct block_range *gap)
{
    const uint64_t end = range_end(within);
    size_t at = find_ending_from(set, within.first + 1);
    uint64_t first = within.first;
    if (at < set->count && set->items[at].first <= first) first = range_end(set->items[at++]);
    if (first >= end) return false;
    const uint64_t next = at < set->count ? set->items[at].first : end;
    *gap = (struct block_range){first, smaller(next, end) - first};
    return true;
}

bool range_around(const struct range_set *set, uint64_t block, struct block_range *around)
{
    const size_t at = find_ending_from(set, block + 1);
    if (at == set->count || set->items[at].first > block) return false;
    *around = set->items[at];
    return true;
}
