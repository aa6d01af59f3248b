/* The fold of places against a bitmap and a naive recursive merge. */
#include "fold.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BLOCKS_MAX 70u
#define LEVELS     8u

/* ---- a naive record: which blocks are in, and which perfect nodes that makes ---- */

struct naive {
    uint64_t blocks;
    bool in[BLOCKS_MAX];
    /* A node exists when it was taken whole or both of its halves exist. */
    bool exists[LEVELS][BLOCKS_MAX];
};

static void naive_rise(struct naive *naive)
{
    for (uint32_t level = 0; level + 1 < LEVELS; level++)
        for (uint64_t index = 0; (2 * index + 2) << level <= naive->blocks; index++)
            if (naive->exists[level][2 * index] && naive->exists[level][2 * index + 1])
                naive->exists[level + 1][index] = true;
}

static void naive_sink(struct naive *naive, uint32_t level, uint64_t index)
{
    naive->exists[level][index] = true;
    if (level == 0) return;
    naive_sink(naive, level - 1, 2 * index);
    naive_sink(naive, level - 1, 2 * index + 1);
}

static enum message_outcome naive_take(struct naive *naive, struct fold_place place)
{
    uint64_t size = fold_size(place), first = place.index * size, in = 0;
    if (first + size > naive->blocks) return FOLD_REFUSED;
    for (uint64_t block = first; block < first + size; block++) in += naive->in[block];
    if (in == size && naive->exists[place.level][place.index]) return FOLD_DUPLICATE;
    if (in > 0) return FOLD_OVERLAP;
    for (uint64_t block = first; block < first + size; block++) naive->in[block] = true;
    naive_sink(naive, place.level, place.index);
    naive_rise(naive);
    return FOLD_NEW;
}

static uint64_t naive_covered(const struct naive *naive)
{
    uint64_t covered = 0;
    for (uint64_t block = 0; block < naive->blocks; block++) covered += naive->in[block];
    return covered;
}

/* Every held node exists in the naive record, and its parent does not. */
static void expect_same(const struct fold *fold, const struct naive *naive, unsigned seed)
{
    cr_assert(fold_is_sound(fold), "seed %u", seed);
    cr_assert_eq(fold->covered, naive_covered(naive), "seed %u", seed);
    for (size_t at = 0; at < fold->count; at++) {
        struct fold_place place = fold->held[at].place;
        cr_assert(naive->exists[place.level][place.index], "seed %u", seed);
        cr_assert_not(naive->exists[place.level + 1][place.index / 2], "seed %u: %u/%lu should have risen", seed,
                      place.level, (unsigned long)place.index);
    }
    for (uint64_t block = 0; block < naive->blocks; block++)
        cr_assert_eq(fold_at(fold, block) != NULL, naive->in[block], "seed %u block %lu", seed, (unsigned long)block);
}

static void expect_ranges(const struct fold *fold, const struct naive *naive, size_t page, unsigned seed)
{
    bool in[BLOCKS_MAX] = {false};
    size_t from = 0;
    uint64_t end = 0;
    struct block_range ranges[BLOCKS_MAX];
    while (from < fold->count) {
        size_t count = fold_ranges(fold, &from, ranges, page);
        cr_assert(count >= 1 && count <= page, "seed %u", seed);
        for (size_t at = 0; at < count; at++) {
            cr_assert(end == 0 || ranges[at].first > end, "seed %u: ranges touch", seed);
            end = ranges[at].first + ranges[at].count;
            for (uint64_t block = ranges[at].first; block < end; block++) in[block] = true;
        }
    }
    cr_assert_arr_eq(in, naive->in, sizeof in, "seed %u", seed);
}

static uint32_t draw(uint64_t *state, uint32_t bound)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % bound;
}

static struct fold_place draw_place(uint64_t *state, uint64_t blocks)
{
    uint32_t level = draw(state, 3) ? 0 : draw(state, LEVELS - 1);
    uint64_t most = (blocks >> level) + 1; /* one too many, now and then */
    return (struct fold_place){.level = level, .index = draw(state, (uint32_t)most)};
}

Test(fold, agrees_with_a_bitmap_and_a_naive_merge_in_any_order)
{
    for (unsigned seed = 1; seed <= 700; seed++) {
        uint64_t state = seed;
        struct naive naive = {.blocks = 1 + seed % BLOCKS_MAX};
        struct fold fold;
        struct fold_chain chain;
        const char *why;
        fold_init(&fold, naive.blocks);
        for (size_t arrivals = 0; arrivals < 300 && !fold_is_complete(&fold); arrivals++) {
            struct fold_place place = draw_place(&state, naive.blocks);
            enum message_outcome outcome = fold_judge(&fold, place, &why);
            cr_assert_eq(outcome, naive_take(&naive, place), "seed %u: %u/%lu", seed, place.level,
                         (unsigned long)place.index);
            cr_assert_eq(outcome == FOLD_NEW || outcome == FOLD_DUPLICATE, *why == '\0', "seed %u", seed);
            if (outcome == FOLD_NEW) cr_assert(fold_take(&fold, place, &chain));
            expect_same(&fold, &naive, seed);
        }
        expect_ranges(&fold, &naive, 1 + seed % 5, seed);
        fold_free(&fold);
    }
}

Test(fold, any_order_ends_in_the_binary_digits_of_the_block_count)
{
    for (uint64_t blocks = 1; blocks <= BLOCKS_MAX; blocks++) {
        uint64_t state = blocks;
        struct fold fold;
        struct fold_chain chain;
        const char *why;
        fold_init(&fold, blocks);
        while (!fold_is_complete(&fold)) {
            struct fold_place place = {.level = 0, .index = draw(&state, (uint32_t)blocks)};
            if (fold_judge(&fold, place, &why) == FOLD_NEW) cr_assert(fold_take(&fold, place, &chain));
        }
        cr_assert_eq(fold.count, (size_t)__builtin_popcountl(blocks), "%lu blocks", (unsigned long)blocks);
        for (size_t at = 1; at < fold.count; at++)
            cr_assert_lt(fold.held[at].place.level, fold.held[at - 1].place.level, "%lu blocks", (unsigned long)blocks);
        fold_free(&fold);
    }
}

Test(fold, the_chain_names_the_siblings_from_low_to_high)
{
    struct fold fold;
    struct fold_chain chain;
    fold_init(&fold, 8);
    const struct fold_place order[] = {{2, 1}, {1, 0}, {0, 3}, {0, 2}};
    for (size_t at = 0; at < 4; at++) cr_assert(fold_take(&fold, order[at], &chain));
    const struct fold_place expected[] = {{0, 3}, {1, 0}, {2, 1}};
    cr_assert_eq(chain.count, 3);
    for (size_t at = 0; at < 3; at++) {
        cr_assert_eq(chain.absorbed[at].place.level, expected[at].level, "row %zu", at);
        cr_assert_eq(chain.absorbed[at].place.index, expected[at].index, "row %zu", at);
    }
    cr_assert_eq(chain.top.level, 3);
    cr_assert_eq(chain.top.index, 0);
    cr_assert(fold_is_complete(&fold));
    fold_free(&fold);
}

Test(fold, places_outside_the_sweep_are_refused_whatever_their_size)
{
    struct fold fold;
    const char *why;
    fold_init(&fold, 13);
    const struct fold_place places[] = {{0, 13}, {3, 1},  {4, 0},  {2, 3},          {0, UINT64_MAX}, {40, 0},
                                        {41, 0}, {63, 1}, {64, 0}, {UINT32_MAX, 0}, {1, 6},          {40, UINT64_MAX}};
    for (size_t at = 0; at < sizeof places / sizeof *places; at++)
        cr_assert_eq(fold_judge(&fold, places[at], &why), FOLD_REFUSED, "row %zu", at);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){0, 12}, &why), FOLD_NEW, "the last block comes alone");
    fold_free(&fold);
}

Test(fold, the_largest_sweep_is_a_few_nodes)
{
    struct fold fold;
    struct fold_chain chain;
    struct block_range range;
    const char *why;
    fold_init(&fold, FOLD_BLOCKS_MAX);
    for (uint64_t index = 0; index < 1024; index++) {
        struct fold_place place = {.level = 30, .index = index ^ 0x155};
        cr_assert_eq(fold_judge(&fold, place, &why), FOLD_NEW);
        cr_assert(fold_take(&fold, place, &chain));
        cr_assert(fold_is_sound(&fold));
    }
    size_t from = 0;
    cr_assert(fold_is_complete(&fold));
    cr_assert_eq(fold.count, 1);
    cr_assert_eq(fold_ranges(&fold, &from, &range, 1), 1);
    cr_assert_eq(range.first, 0);
    cr_assert_eq(range.count, FOLD_BLOCKS_MAX);
    fold_free(&fold);
}

Test(fold, a_full_record_still_takes_the_blocks_that_shrink_it)
{
    struct fold fold;
    struct fold_chain chain;
    const char *why;
    fold_init(&fold, 4 * FOLD_HELD_MAX);
    for (uint64_t at = 0; at < FOLD_HELD_MAX; at++)
        cr_assert(fold_take(&fold, (struct fold_place){.level = 0, .index = 2 * at}, &chain));
    cr_assert_eq(fold_judge(&fold, (struct fold_place){.level = 0, .index = 2 * FOLD_HELD_MAX}, &why), FOLD_OVERLAP);
    cr_assert(strstr(why, "too many"), "the reason is given: %s", why);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){.level = 0, .index = 1}, &why), FOLD_NEW);
    cr_assert(fold_take(&fold, (struct fold_place){.level = 0, .index = 1}, &chain));
    cr_assert(fold_take(&fold, (struct fold_place){.level = 0, .index = 3}, &chain));
    cr_assert_eq(fold_judge(&fold, (struct fold_place){.level = 0, .index = 2 * FOLD_HELD_MAX}, &why), FOLD_NEW);
    cr_assert(fold_is_sound(&fold));
    fold_free(&fold);
}

Test(fold, restoring_gives_what_was_held_and_refuses_what_cannot_have_been)
{
    struct fold fold;
    fold_init(&fold, 13);
    cr_assert(fold_restore(&fold, (struct fold_place){2, 1}));
    cr_assert(fold_restore(&fold, (struct fold_place){0, 12}));
    cr_assert(fold_restore(&fold, (struct fold_place){0, 1}));
    cr_assert_not(fold_restore(&fold, (struct fold_place){0, 5}), "inside a held node");
    cr_assert_not(fold_restore(&fold, (struct fold_place){1, 0}), "around a held node");
    cr_assert_not(fold_restore(&fold, (struct fold_place){0, 0}), "siblings would be one node");
    cr_assert_not(fold_restore(&fold, (struct fold_place){0, 13}), "outside");
    cr_assert_eq(fold.covered, 6);
    cr_assert(fold_at(&fold, 12)->stored);
    cr_assert(fold_is_sound(&fold));
    fold_free(&fold);
}

Test(fold, a_dropped_node_leaves_its_blocks_open)
{
    struct fold fold;
    struct fold_chain chain;
    const char *why;
    fold_init(&fold, 8);
    cr_assert(fold_take(&fold, (struct fold_place){1, 1}, &chain));
    cr_assert(fold_take(&fold, (struct fold_place){0, 0}, &chain));
    cr_assert_not(fold_drop(&fold, (struct fold_place){0, 2}), "held only inside a larger node");
    cr_assert_not(fold_drop(&fold, (struct fold_place){0, 7}), "not held");
    cr_assert_not(fold_drop(&fold, (struct fold_place){0, UINT64_MAX}), "not in the sweep");
    cr_assert(fold_drop(&fold, (struct fold_place){1, 1}));
    cr_assert_eq(fold.covered, 1);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){0, 3}, &why), FOLD_NEW);
    cr_assert(fold_is_sound(&fold));
    fold_free(&fold);
}
