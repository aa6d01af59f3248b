/* The fold of places against a bitmap and a naive recursive merge. */
#include "fold.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BLOCKS_MAX 70u
#define LEVELS     8u

/* ---- a naive record: which blocks are in, and which perfect nodes that makes ---- */

struct naive {
    uint64_t blocks, full_blocks;
    bool in[BLOCKS_MAX];
    /* A node exists when it was taken whole or both of its halves exist and are full. */
    bool exists[LEVELS][BLOCKS_MAX];
};

static void naive_rise(struct naive *naive)
{
    for (uint32_t level = 0; level + 1 < LEVELS; level++)
        for (uint64_t index = 0; (2 * index + 2) << level <= naive->full_blocks; index++)
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
    if (in > 0 || (place.level > 0 && first + size > naive->full_blocks)) return FOLD_OVERLAP;
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
        naive.full_blocks = naive.blocks - seed / BLOCKS_MAX % 2;
        struct fold fold;
        struct fold_chain chain;
        const char *why;
        fold_init(&fold, naive.blocks, naive.full_blocks, FOLD_NO_RULE);
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
    for (uint64_t blocks = 1; blocks <= BLOCKS_MAX; blocks++)
        for (uint64_t full = blocks - 1; full <= blocks; full++) {
            uint64_t state = blocks;
            struct fold fold;
            struct fold_chain chain;
            const char *why;
            fold_init(&fold, blocks, full, FOLD_NO_RULE);
            while (!fold_is_complete(&fold)) {
                struct fold_place place = {.level = 0, .index = draw(&state, (uint32_t)blocks)};
                if (fold_judge(&fold, place, &why) == FOLD_NEW) cr_assert(fold_take(&fold, place, &chain));
            }
            const size_t digits = (size_t)__builtin_popcountl(full);
            cr_assert_eq(fold.count, digits + (full < blocks), "%lu of %lu blocks are full", full, blocks);
            for (size_t at = 1; at < digits; at++)
                cr_assert_lt(fold.held[at].place.level, fold.held[at - 1].place.level, "%lu of %lu", full, blocks);
            cr_assert(full == blocks || fold.held[digits].place.level == 0, "the last one stays apart");
            fold_free(&fold);
        }
}

Test(fold, the_chain_names_the_siblings_from_low_to_high)
{
    struct fold fold;
    struct fold_chain chain;
    fold_init(&fold, 8, 8, FOLD_NO_RULE);
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
    fold_init(&fold, 13, 13, FOLD_NO_RULE);
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
    fold_init(&fold, FOLD_BLOCKS_MAX, FOLD_BLOCKS_MAX, FOLD_NO_RULE);
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
    fold_init(&fold, 4 * FOLD_HELD_MAX, 4 * FOLD_HELD_MAX, FOLD_NO_RULE);
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
    fold_init(&fold, 13, 13, FOLD_NO_RULE);
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
    fold_init(&fold, 8, 8, FOLD_NO_RULE);
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

/* ---- checkpoints ---- */

/* Where a sweep ends whose rule is met at checkpoints of at least `met` blocks. */
static uint64_t expected_end(uint64_t blocks, uint32_t first_level, uint64_t met)
{
    for (uint64_t size = UINT64_C(1) << first_level; size < blocks; size *= 2)
        if (size >= met) return size;
    return blocks;
}

static void look(struct fold *fold, uint64_t met)
{
    if (!fold_is_at_checkpoint(fold)) return;
    if (fold_size(fold_checkpoint(fold)) >= met) fold_stop(fold);
    else fold_go_on(fold);
}

/* A copy from disk: the same nodes in another order, none of them looked at yet. */
static void reload(struct fold *fold)
{
    struct fold copy;
    fold_init(&copy, fold->blocks, fold->full_blocks, fold->first_level);
    for (size_t at = fold->count; at-- > 0;) cr_assert(fold_restore(&copy, fold->held[at].place));
    fold_free(fold);
    *fold = copy;
}

static void fill_with_checks(uint64_t *state, struct fold *fold, uint64_t met)
{
    struct fold_chain chain;
    const char *why;
    for (size_t steps = 0; !fold_is_complete(fold); steps++) {
        cr_assert_lt(steps, 20000, "%lu blocks", (unsigned long)fold->blocks);
        struct fold_place place = draw_place(state, fold->blocks);
        if (fold_judge(fold, place, &why) == FOLD_NEW) cr_assert(fold_take(fold, place, &chain));
        cr_assert(fold_is_sound(fold));
        if (draw(state, 3) == 0) look(fold, met);
        if (draw(state, 50) == 0) reload(fold);
        if (draw(state, 100) == 0 && fold->count > 0)
            fold_drop(fold, fold->held[draw(state, (uint32_t)fold->count)].place);
        cr_assert(fold_is_sound(fold));
    }
}

Test(fold, a_sweep_with_a_rule_ends_at_the_same_block_whatever_comes_first_or_is_lost)
{
    for (unsigned seed = 1; seed <= 600; seed++) {
        uint64_t state = seed, blocks = 1 + seed % BLOCKS_MAX, met = UINT64_C(1) << draw(&state, 9);
        uint32_t first_level = draw(&state, 4);
        uint64_t end = expected_end(blocks, first_level, met), full = blocks - draw(&state, 2);
        uint64_t merging = end < full ? end : full;
        struct fold fold;
        fold_init(&fold, blocks, full, first_level);
        fill_with_checks(&state, &fold, met);
        cr_assert_eq(fold.covered, end, "seed %u", seed);
        cr_assert_eq(fold.stopped, end < blocks, "seed %u", seed);
        cr_assert_eq(fold.count, (size_t)__builtin_popcountl(merging) + (end - merging),
                     "seed %u: all that can have merged has", seed);
        fold_free(&fold);
    }
}

Test(fold, a_node_beyond_the_first_checkpoint_is_to_come_in_smaller_parts)
{
    struct fold fold;
    const char *why;
    fold_init(&fold, 64, 64, 2);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){2, 0}, &why), FOLD_NEW);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){3, 0}, &why), FOLD_OVERLAP);
    cr_assert(strstr(why, "stop rule"), "the reason is given: %s", why);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){5, 1}, &why), FOLD_NEW, "no checkpoint is inside");
    fold_free(&fold);
}

Test(fold, a_checkpoint_waits_beside_its_sibling_until_it_is_looked_at)
{
    struct fold fold;
    struct fold_chain chain;
    fold_init(&fold, 64, 64, 2);
    cr_assert(fold_take(&fold, (struct fold_place){2, 1}, &chain));
    cr_assert_not(fold_is_at_checkpoint(&fold));
    cr_assert(fold_take(&fold, (struct fold_place){2, 0}, &chain));
    cr_assert_eq(fold.count, 2);
    cr_assert(fold_is_at_checkpoint(&fold));
    const struct fold_node *parent = fold_go_on(&fold);
    cr_assert_not_null(parent);
    cr_assert_eq(parent->place.level, 3);
    cr_assert(fold_is_at_checkpoint(&fold), "the parent is the next one");
    cr_assert_null(fold_go_on(&fold));
    cr_assert_not(fold_is_at_checkpoint(&fold));
    fold_free(&fold);
}

Test(fold, behind_the_end_of_a_stopped_sweep_all_is_as_good_as_held)
{
    struct fold fold;
    struct fold_chain chain;
    const char *why;
    fold_init(&fold, 64, 64, 2);
    cr_assert(fold_take(&fold, (struct fold_place){2, 0}, &chain));
    cr_assert(fold_take(&fold, (struct fold_place){0, 9}, &chain));
    fold_stop(&fold);
    cr_assert(fold_is_complete(&fold) && fold_is_sound(&fold));
    cr_assert_eq(fold.covered, 4);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){0, 9}, &why), FOLD_DUPLICATE);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){4, 2}, &why), FOLD_DUPLICATE);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){4, 0}, &why), FOLD_DUPLICATE);
    cr_assert_eq(fold_judge(&fold, (struct fold_place){0, 64}, &why), FOLD_REFUSED);
    cr_assert(fold_drop(&fold, (struct fold_place){2, 0}), "its only node is lost");
    cr_assert_eq(fold_judge(&fold, (struct fold_place){0, 9}, &why), FOLD_NEW, "and the sweep goes on");
    fold_free(&fold);
}

Test(fold, a_checkpoint_that_is_the_whole_sweep_is_none)
{
    struct fold fold;
    struct fold_chain chain;
    fold_init(&fold, 4, 4, 2);
    cr_assert(fold_take(&fold, (struct fold_place){2, 0}, &chain));
    cr_assert_not(fold_is_at_checkpoint(&fold));
    cr_assert(fold_is_complete(&fold));
    cr_assert_not(fold.stopped);
    fold_free(&fold);
}
