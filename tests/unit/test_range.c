#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "range.h"

#define MODEL_BLOCKS 200

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static uint64_t count_in(const bool *model, struct block_range range)
{
    uint64_t count = 0;
    for (uint64_t block = range.first; block < range_end(range); block++) count += model[block];
    return count;
}

static void check_items(const struct range_set *set, const bool *model, uint64_t seed, int turn)
{
    uint64_t total = 0;
    for (size_t at = 0; at < set->count; at++) {
        const struct block_range item = set->items[at];
        cr_assert_gt(item.count, 0, "seed %lu turn %d: empty range", seed, turn);
        cr_assert(at == 0 || range_end(set->items[at - 1]) < item.first, "seed %lu turn %d: ranges touch", seed, turn);
        cr_assert_eq(count_in(model, item), item.count, "seed %lu turn %d: range %zu", seed, turn, at);
        total += item.count;
    }
    cr_assert_eq(set->total, total, "seed %lu turn %d", seed, turn);
    cr_assert_eq(total, count_in(model, (struct block_range){0, MODEL_BLOCKS}), "seed %lu turn %d", seed, turn);
}

static void check_questions(const struct range_set *set, const bool *model, struct block_range range, uint64_t seed,
                            int turn)
{
    struct block_range gap, around;
    uint64_t first = range.first, end;
    cr_assert_eq(range_overlap(set, range), count_in(model, range), "seed %lu turn %d", seed, turn);
    while (first < range_end(range) && model[first]) first++;
    for (end = first; end < range_end(range) && !model[end];) end++;
    cr_assert_eq(range_gap(set, range, &gap), end > first, "seed %lu turn %d", seed, turn);
    if (end > first) cr_assert(gap.first == first && gap.count == end - first, "seed %lu turn %d", seed, turn);
    cr_assert_eq(range_around(set, range.first, &around), model[range.first], "seed %lu turn %d", seed, turn);
    if (!model[range.first]) return;
    cr_assert(around.first <= range.first && range.first < range_end(around), "seed %lu turn %d", seed, turn);
    cr_assert(around.first == 0 || !model[around.first - 1], "seed %lu turn %d", seed, turn);
    cr_assert(range_end(around) == MODEL_BLOCKS || !model[range_end(around)], "seed %lu turn %d", seed, turn);
}

static void run_against_model(uint64_t seed)
{
    struct range_set set = {0};
    bool model[MODEL_BLOCKS] = {false};
    uint64_t state = seed;
    for (int turn = 0; turn < 400; turn++) {
        const uint64_t first = next_random(&state) % MODEL_BLOCKS;
        const uint64_t most = next_random(&state) % 4 == 0 ? MODEL_BLOCKS - first : 8;
        uint64_t count = 1 + next_random(&state) % most;
        if (count > MODEL_BLOCKS - first) count = MODEL_BLOCKS - first;
        const struct block_range range = {first, count};
        const bool add = next_random(&state) % 2 == 0;
        cr_assert(add ? range_add(&set, range) : range_remove(&set, range));
        memset(model + first, add, count);
        check_items(&set, model, seed, turn);
        check_questions(&set, model, (struct block_range){next_random(&state) % 100, 1 + next_random(&state) % 100},
                        seed, turn);
    }
    range_free(&set);
}

Test(range, a_set_agrees_with_a_bitmap)
{
    for (uint64_t seed = 1; seed <= 200; seed++) run_against_model(seed);
}

Test(range, neighbours_become_one_range)
{
    struct range_set set = {0};
    cr_assert(range_add(&set, (struct block_range){0, 4}));
    cr_assert(range_add(&set, (struct block_range){8, 4}));
    cr_assert_eq(set.count, 2);
    cr_assert(range_add(&set, (struct block_range){4, 4}));
    cr_assert_eq(set.count, 1);
    cr_assert_eq(set.total, 12);
    range_free(&set);
}

Test(range, a_thousand_million_blocks_are_a_handful_of_numbers)
{
    struct range_set set = {0};
    const struct block_range all = {0, UINT64_C(1) << 40};
    cr_assert(range_add(&set, all));
    cr_assert(range_remove(&set, (struct block_range){1000000000, 1}));
    cr_assert_eq(set.count, 2);
    cr_assert_eq(set.total, (UINT64_C(1) << 40) - 1);
    range_free(&set);
}

Test(range, a_full_set_refuses_one_more_and_stays_as_it_is)
{
    struct range_set set = {0};
    for (uint64_t at = 0; at < RANGES_MAX; at++) cr_assert(range_add(&set, (struct block_range){2 * at, 1}));
    cr_assert_not(range_add(&set, (struct block_range){2 * RANGES_MAX + 10, 1}));
    cr_assert_eq(set.total, RANGES_MAX);
    cr_assert(range_add(&set, (struct block_range){1, 1}), "what joins two ranges needs no room");
    cr_assert_eq(set.count, RANGES_MAX - 1);
    cr_assert(range_remove(&set, (struct block_range){1, 1}), "there is room for one split now");
    cr_assert(range_add(&set, (struct block_range){1, 1}));
    range_free(&set);
}

Test(range, a_range_is_inside_only_when_no_number_wraps)
{
    const struct {
        struct block_range range;
        bool inside;
    } rows[] = {
        {{0, 10}, true},  {{9, 1}, true},           {{0, 0}, false},          {{9, 2}, false},
        {{10, 1}, false}, {{1, UINT64_MAX}, false}, {{UINT64_MAX, 2}, false},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++)
        cr_assert_eq(range_inside(rows[at].range, 10), rows[at].inside, "row %zu", at);
}
