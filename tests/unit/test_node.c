/* Nodes: tallies of blocks, the tree they merge in, and their bytes. */
#include "node.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "digest.h"
#include "pack.h"

#define BLOCK  64u
#define BLOCKS 17u

/* --- data to tally --- */

/* A small generator (xorshift64*), so that a failing row can be run again. */
static uint64_t random_state;

static double uniform(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (double)(random_state * UINT64_C(2685821657736338717) >> 11) * 0x1p-53;
}

static double normal(void)
{
    return sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform());
}

enum kind { LOGNORMAL, NEGATIVE, MIXED, CONSTANT, ZERO, HUGE_RANGE, SUBNORMAL, WHOLE, HOLES, NEVER, FAR_OFF, KINDS };

static const char *const kind_names[KINDS] = {"lognormal",  "negative",   "mixed signs",  "constant",
                                              "zero",       "huge range", "subnormal",    "whole numbers",
                                              "with holes", "undefined",  "far from zero"};

static double draw(enum kind kind)
{
    switch (kind) {
    case LOGNORMAL:
        return exp(0.5 * normal());
    case NEGATIVE:
        return -exp(2 * normal());
    case MIXED:
        return 3 * normal();
    case CONSTANT:
        return 0.1;
    case ZERO:
        return uniform() < 0.5 ? 0.0 : -0.0;
    case HUGE_RANGE:
        return (uniform() < 0.5 ? -1 : 1) * pow(10, 300 * uniform() - 150);
    case SUBNORMAL:
        return 0x1p-1074 * floor(exp(30 * uniform()));
    case WHOLE:
        return floor(12 * uniform());
    case HOLES:
        return uniform() < 0.3 ? NAN : uniform() < 0.1 ? INFINITY : 1e6 + uniform();
    case NEVER:
        return NAN;
    default:
        return 1e9 + 1e-3 * normal();
    }
}

/* All values of a sweep: [KINDS][blocks * BLOCK]. */
static void make_values(double *values, size_t blocks, uint64_t seed)
{
    random_state = seed * 2 + 1;
    for (size_t at = 0; at < KINDS * blocks * BLOCK; at++) values[at] = draw((enum kind)(at / (blocks * BLOCK)));
}

static struct node *tally_block(const double *values, size_t blocks, size_t block)
{
    struct node *node = node_new(NODE_PLAIN(KINDS));
    node->index = block;
    node->draws = BLOCK;
    for (size_t kind = 0; kind < KINDS; kind++)
        cr_assert(node_tally(node, kind, values + (kind * blocks + block) * BLOCK, BLOCK));
    return node;
}

static struct buffer bytes_of(const struct node *node)
{
    struct buffer bytes = {0};
    node_encode(node, &bytes);
    cr_assert_not(bytes.failed);
    return bytes;
}

static bool same_bytes(const struct node *left, const struct node *right)
{
    struct buffer left_bytes = bytes_of(left), right_bytes = bytes_of(right);
    bool same = left_bytes.size == right_bytes.size && memcmp(left_bytes.data, right_bytes.data, left_bytes.size) == 0;
    buffer_free(&left_bytes);
    buffer_free(&right_bytes);
    return same;
}

/* --- buckets --- */

Test(bucket, keys_order_as_values_do)
{
    const double ascending[] = {-0x1.fffffffffffffp1023,
                                -1e300,
                                -2,
                                -1.01,
                                -1,
                                -1e-300,
                                -0x1p-1022,
                                -0x1p-1023,
                                -0x1p-1074,
                                0,
                                0x1p-1074,
                                0x1p-1073,
                                0x1.8p-1073,
                                0x1p-1030,
                                0x1.fep-1023,
                                0x1p-1022,
                                1e-300,
                                1,
                                1.01,
                                2,
                                1e300,
                                0x1.fffffffffffffp1023};
    for (size_t at = 1; at < sizeof ascending / sizeof *ascending; at++)
        cr_assert_lt(bucket_key(ascending[at - 1]), bucket_key(ascending[at]), "%a and %a", ascending[at - 1],
                     ascending[at]);
    cr_assert_eq(bucket_key(0.0), BUCKET_ZERO);
    cr_assert_eq(bucket_key(-0.0), BUCKET_ZERO);
    cr_assert_eq(bucket_key(0x1.fffffffffffffp1023), BUCKET_KEY_MAX);
    cr_assert_eq(bucket_key(-0x1.fffffffffffffp1023), BUCKET_KEY_MIN);
}

Test(bucket, no_key_is_skipped_at_a_power_of_two)
{
    static const double powers[] = {2, 0x1p-1022, 0x1p-1023, 0x1p1023};
    for (size_t at = 0; at < sizeof powers / sizeof *powers; at++) {
        double power = powers[at], half_below = power * 0x1p-10, half_above = power * 0x1p-9;
        cr_expect_eq(bucket_key(power), bucket_key(power - half_below), "%a", power);
        cr_expect_eq(bucket_key(power), bucket_key(nextafter(power - half_below, 0)) + 1, "%a", power);
        cr_expect_eq(bucket_key(power), bucket_key(nextafter(power + half_above, 0)), "%a", power);
        cr_expect_eq(bucket_key(power) + 1, bucket_key(power + half_above), "%a", power);
    }
}

Test(bucket, a_short_number_stands_for_itself)
{
    for (int whole = -512; whole <= 512; whole++) {
        cr_expect_eq(bucket_value(bucket_key(whole)), whole, "%d", whole);
        cr_expect_eq(bucket_value(bucket_key(whole * 0x1p-8)), whole * 0x1p-8, "%d / 256", whole);
    }
}

Test(bucket, its_number_is_near_every_value_and_in_its_own_bucket)
{
    random_state = 7;
    for (int at = 0; at < 400000; at++) {
        int exponent = (int)(uniform() * 2098) - 1074;
        double value = ldexp(1 + uniform(), exponent);
        if (at % 2) value = -value;
        if (!isfinite(value)) continue;
        uint32_t key = bucket_key(value);
        double stands = bucket_value(key);
        cr_assert_leq(fabs(stands - value), 0x1p-9 * fabs(value), "%a stands as %a", value, stands);
        cr_assert_eq(bucket_key(stands), key, "%a stands as %a", value, stands);
    }
    for (int at = 1; at < 5000; at++) {
        double value = at * 0x1p-1074, stands = bucket_value(bucket_key(value));
        cr_assert_leq(fabs(stands - value), 0x1p-9 * value, "subnormal %d stands as %a", at, stands);
    }
    cr_assert_eq(bucket_value(BUCKET_ZERO), 0);
}

/* --- one block --- */

static int order_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The finite values in ascending order. */
static size_t sort_finite(const double *values, size_t count, double *sorted)
{
    size_t kept = 0;
    for (size_t at = 0; at < count; at++)
        if (isfinite(values[at])) sorted[kept++] = values[at];
    qsort(sorted, kept, sizeof *sorted, order_doubles);
    return kept;
}

/* Moments in long double, from the definitions. */
static void check_moments(const struct tally *tally, const double *sorted, size_t count, const char *name)
{
    long double sum = 0, squares = 0;
    cr_assert_eq(tally->count, count, "%s", name);
    if (count == 0) return;
    for (size_t at = 0; at < count; at++) sum += sorted[at];
    long double mean = sum / count, scale = fmaxl(fabsl((long double)sorted[0]), fabsl((long double)sorted[count - 1]));
    for (size_t at = 0; at < count; at++) squares += (sorted[at] - mean) * (sorted[at] - mean);
    cr_assert_leq(fabsl(tally->mean - mean), 1e-12L * scale, "mean of %s: %.17g for %.20Lg", name, tally->mean, mean);
    long double bound = 1e-12L * squares;
    if (squares < 1e-10L * scale * scale * count) bound = 1e-4L * squares; /* the data themselves are rounded */
    if (isfinite((double)squares))
        cr_assert_leq(fabsl(tally->m2 - squares), bound + 0x1p-1022L, "m2 of %s: %.17g for %.20Lg", name, tally->m2,
                      squares);
    cr_assert_eq(tally->min, sorted[0], "%s", name);
    cr_assert_eq(tally->max, sorted[count - 1], "%s", name);
}

static void check_quantiles(const struct node *node, const struct tally *tally, const double *sorted, const char *name)
{
    for (int percent = 0; percent <= 100; percent++) {
        double share = percent / 100.0, rank = ceil(share * (double)tally->count);
        double exact = sorted[rank > 1 ? (size_t)rank - 1 : 0];
        double quantile = tally_quantile(node, tally, share);
        cr_assert_leq(fabs(quantile - exact), 0x1p-9 * fabs(exact), "%d %% of %s: %.17g for %.17g", percent, name,
                      quantile, exact);
        cr_assert(quantile >= tally->min && quantile <= tally->max, "%d %% of %s is out of range", percent, name);
    }
}

static void check_node(const struct node *node, const double *values, size_t stride, size_t count)
{
    double *sorted = malloc(count * sizeof *sorted);
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t kept = sort_finite(values + kind * stride, count, sorted);
        check_moments(&node->tallies[kind], sorted, kept, kind_names[kind]);
        if (kept > 0) check_quantiles(node, &node->tallies[kind], sorted, kind_names[kind]);
    }
    free(sorted);
}

Test(node, tallies_of_a_block_are_what_the_definitions_say)
{
    double values[KINDS * BLOCK];
    for (uint64_t seed = 1; seed <= 50; seed++) {
        make_values(values, 1, seed);
        struct node *node = tally_block(values, 1, 0);
        check_node(node, values, BLOCK, BLOCK);
        node_free(node);
    }
}

Test(node, constant_has_its_value_as_mean_and_no_histogram)
{
    double values[NODE_VALUES_MAX];
    for (size_t count = 1; count <= NODE_VALUES_MAX; count++) {
        struct node *node = node_new(NODE_PLAIN(1));
        for (size_t at = 0; at < count; at++) values[at] = 0.1;
        cr_assert(node_tally(node, 0, values, count));
        cr_assert_eq(node->tallies[0].mean, 0.1, "%zu values", count);
        cr_assert_eq(node->tallies[0].m2, 0, "%zu values", count);
        cr_assert_eq(node->tallies[0].bucket_count, 0, "%zu values", count);
        cr_assert_eq(tally_quantile(node, &node->tallies[0], 0.5), 0.1, "%zu values", count);
        node_free(node);
    }
}

Test(node, zeros_of_both_signs_are_one_zero)
{
    struct node *node = node_new(NODE_PLAIN(2));
    cr_assert(node_tally(node, 0, (double[]){-0.0, 0.0, -0.0}, 3));
    cr_assert(node_tally(node, 1, (double[]){-0.0, -1.0}, 2));
    cr_assert_eq(node->tallies[0].bucket_count, 0);
    cr_assert_not(signbit(node->tallies[0].min) || signbit(node->tallies[0].mean) || signbit(node->tallies[0].max));
    cr_assert_not(signbit(node->tallies[1].max));
    node_free(node);
}

Test(node, huge_values_do_not_overflow_the_mean)
{
    struct node *node = node_new(NODE_PLAIN(1));
    cr_assert(node_tally(node, 0, (double[]){1.5e308, 1.7e308, 1.6e308, -1e308}, 4));
    cr_assert_float_eq(node->tallies[0].mean, 0.95e308, 1e294);
    cr_assert(isinf(node->tallies[0].m2));
    cr_assert(isnan(tally_sd(&node->tallies[0])), "a spread beyond all doubles is undefined");
    node_free(node);
}

Test(node, narrow_and_wide_histograms_count_every_draw)
{
    for (double octaves = 0.01; octaves < 2000; octaves *= 1.7) {
        double values[NODE_VALUES_MAX];
        random_state = 11;
        for (size_t at = 0; at < NODE_VALUES_MAX; at++) values[at] = exp2(octaves * (uniform() - 0.5));
        struct node *node = node_new(NODE_PLAIN(1));
        cr_assert(node_tally(node, 0, values, NODE_VALUES_MAX));
        uint64_t counted = 0;
        for (size_t at = 0; at < node->bucket_count; at++) {
            counted += node->buckets[at].count;
            if (at > 0) cr_assert_lt(node->buckets[at - 1].key, node->buckets[at].key, "%g octaves", octaves);
        }
        cr_assert_eq(counted, NODE_VALUES_MAX, "%g octaves", octaves);
        node_free(node);
    }
}

/* --- the tree --- */

/* Takes nodes in any order and merges whatever siblings are there, as the aggregator does. */
struct forest {
    struct node *nodes[BLOCKS];
    size_t count;
};

static bool merge_one_pair(struct forest *forest)
{
    for (size_t left = 0; left < forest->count; left++) {
        for (size_t right = 0; right < forest->count; right++) {
            struct node *merged = left == right ? NULL : node_merge(forest->nodes[left], forest->nodes[right]);
            if (!merged) continue;
            node_free(forest->nodes[left]);
            node_free(forest->nodes[right]);
            forest->nodes[left] = merged;
            forest->nodes[right] = forest->nodes[--forest->count];
            return true;
        }
    }
    return false;
}

static int order_nodes(const void *left, const void *right)
{
    const struct node *a = *(struct node *const *)left, *b = *(struct node *const *)right;
    uint64_t first = a->index << a->level, second = b->index << b->level;
    return (first > second) - (first < second);
}

/* Blocks arrive in the order given; the forest of perfect nodes that remains, in block order. */
static void grow(struct forest *forest, const double *values, size_t blocks, const size_t *order)
{
    forest->count = 0;
    for (size_t at = 0; at < blocks; at++) {
        forest->nodes[forest->count++] = tally_block(values, blocks, order[at]);
        while (merge_one_pair(forest)) {
        }
    }
    qsort(forest->nodes, forest->count, sizeof *forest->nodes, order_nodes);
}

static struct node *cut_down(struct forest *forest)
{
    struct node *root = node_fold(forest->nodes, forest->count);
    for (size_t at = 0; at < forest->count; at++) node_free(forest->nodes[at]);
    return root;
}

static void shuffle(size_t *order, size_t count)
{
    for (size_t at = 0; at < count; at++) order[at] = at;
    for (size_t at = count - 1; at > 0; at--) {
        size_t other = (size_t)(uniform() * (double)(at + 1)), kept = order[at];
        order[at] = order[other];
        order[other] = kept;
    }
}

Test(node, any_order_of_arrival_gives_the_same_bytes)
{
    static double values[KINDS * BLOCKS * BLOCK];
    for (size_t blocks = 1; blocks <= BLOCKS; blocks++) {
        size_t order[BLOCKS];
        struct forest forest;
        make_values(values, blocks, blocks);
        for (size_t at = 0; at < blocks; at++) order[at] = at;
        grow(&forest, values, blocks, order);
        struct node *first = cut_down(&forest);
        for (int arrival = 0; arrival < 5; arrival++) {
            shuffle(order, blocks);
            grow(&forest, values, blocks, order);
            struct node *root = cut_down(&forest);
            cr_assert(same_bytes(first, root), "%zu blocks, arrival %d", blocks, arrival);
            node_free(root);
        }
        node_free(first);
    }
}

Test(node, root_of_any_number_of_blocks_is_what_the_definitions_say)
{
    static double values[KINDS * BLOCKS * BLOCK];
    for (size_t blocks = 1; blocks <= BLOCKS; blocks++) {
        struct node *nodes[BLOCKS];
        make_values(values, blocks, 100 + blocks);
        for (size_t at = 0; at < blocks; at++) nodes[at] = tally_block(values, blocks, at);
        struct node *root = node_fold(nodes, blocks);
        cr_assert_not_null(root);
        cr_assert_eq(root->draws, blocks * BLOCK);
        check_node(root, values, blocks * BLOCK, blocks * BLOCK);
        for (size_t at = 0; at < blocks; at++) node_free(nodes[at]);
        node_free(root);
    }
}

/* The rule of the header, by hand: 13 blocks are nodes of 8, 4 and 1 blocks; the single one rises to the
 * four, both rise to the eight. */
Test(node, fold_of_thirteen_blocks_lets_the_last_rise_unchanged)
{
    static double values[KINDS * 13 * BLOCK];
    size_t order[13];
    struct forest forest;
    make_values(values, 13, 5);
    shuffle(order, 13);
    grow(&forest, values, 13, order);
    cr_assert_eq(forest.count, 3);
    struct node *last = node_fold(&forest.nodes[2], 1);
    last->level = 2;
    last->index = 3;
    struct node *five = node_merge(forest.nodes[1], last);
    struct node *all = node_merge(forest.nodes[0], five);
    struct node *root = cut_down(&forest);
    cr_assert_eq(root->level, 4);
    cr_assert_eq(root->index, 0);
    cr_assert(same_bytes(all, root));
    node_free(last);
    node_free(five);
    node_free(all);
    node_free(root);
}

Test(node, fold_with_gaps_keeps_the_places_of_what_is_there)
{
    static double values[KINDS * 16 * BLOCK];
    make_values(values, 16, 9);
    struct node *nodes[] = {tally_block(values, 16, 1), tally_block(values, 16, 4), tally_block(values, 16, 6)};
    struct node *root = node_fold(nodes, 3), *right = node_fold(nodes + 1, 2);
    cr_assert_eq(root->level, 3);
    cr_assert_eq(right->level, 2);
    cr_assert_eq(right->index, 1);
    cr_assert_eq(root->draws, 3 * BLOCK);

    struct node *left = node_fold(nodes, 1);
    left->level = 2;
    left->index = 0;
    struct node *merged = node_merge(left, right);
    cr_assert(same_bytes(root, merged));
    for (size_t at = 0; at < 3; at++) node_free(nodes[at]);
    node_free(root);
    node_free(right);
    node_free(left);
    node_free(merged);
}

Test(node, only_siblings_merge)
{
    const struct {
        uint32_t left_level, right_level;
        uint64_t left_index, right_index;
        size_t right_figures;
        bool merge;
    } rows[] = {
        {0, 0, 0, 1, 1, true},
        {0, 0, 1, 0, 1, false},
        {0, 0, 1, 2, 1, false},
        {0, 1, 0, 1, 1, false},
        {0, 0, 2, 3, 1, true},
        {0, 0, 0, 0, 1, false},
        {0, 0, 0, 2, 1, false},
        {3, 3, 6, 7, 1, true},
        {0, 0, 0, 1, 2, false},
        {3, 3, 7, 8, 1, false},
        {NODE_LEVEL_MAX, NODE_LEVEL_MAX, 0, 1, 1, false},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct node *left = node_new(NODE_PLAIN(1)), *right = node_new(NODE_PLAIN(rows[at].right_figures));
        left->level = rows[at].left_level;
        left->index = rows[at].left_index;
        right->level = rows[at].right_level;
        right->index = rows[at].right_index;
        struct node *merged = node_merge(left, right);
        cr_assert_eq(merged != NULL, rows[at].merge, "row %zu", at);
        if (merged) {
            cr_assert_eq(merged->level, left->level + 1, "row %zu", at);
            cr_assert_eq(merged->index, left->index / 2, "row %zu", at);
        }
        node_free(left);
        node_free(right);
        node_free(merged);
    }
}

Test(node, fold_refuses_nothing_and_what_overlaps)
{
    struct node *block = node_new(NODE_PLAIN(1)), *pair = node_new(NODE_PLAIN(1));
    pair->level = 1;
    struct node *overlapping[] = {pair, block}, *descending[] = {pair, block};
    block->index = 1;
    cr_assert_null(node_fold(overlapping, 0));
    cr_assert_null(node_fold(overlapping, 2));
    block->index = 0;
    pair->index = 1;
    cr_assert_null(node_fold(descending, 2));
    node_free(block);
    node_free(pair);
}

Test(node, failed_draws_add_up)
{
    struct node *left = node_new(NODE_PLAIN(1)), *right = node_new(NODE_PLAIN(1));
    left->draws = right->draws = 10;
    left->failed_draws = 3;
    right->failed_draws = 4;
    right->index = 1;
    struct node *merged = node_merge(left, right);
    cr_assert_eq(merged->draws, 20);
    cr_assert_eq(merged->failed_draws, 7);
    node_free(left);
    node_free(right);
    node_free(merged);
}

/* --- bytes --- */

/* Nodes of many shapes: one block, all merged, failures. */
static struct node *sample_node(unsigned number)
{
    static double values[KINDS * BLOCKS * BLOCK];
    struct node *nodes[BLOCKS];
    size_t blocks = number % BLOCKS + 1;
    make_values(values, blocks, 1000 + number);
    for (size_t at = 0; at < blocks; at++) {
        nodes[at] = tally_block(values, blocks, at);
        nodes[at]->draws += number % 3;
        nodes[at]->failed_draws += number % 3;
    }
    struct node *root = node_fold(nodes, blocks);
    for (size_t at = 0; at < blocks; at++) node_free(nodes[at]);
    return root;
}

Test(node, bytes_read_back_to_the_same_node)
{
    for (unsigned number = 0; number < 40; number++) {
        const char *why = NULL;
        struct node *node = sample_node(number);
        struct buffer bytes = bytes_of(node);
        struct node *read = node_decode(buffer_span(&bytes), NODE_PLAIN(KINDS), &why);
        cr_assert_not_null(read, "sample %u: %s", number, why);
        cr_assert(same_bytes(node, read), "sample %u", number);
        cr_assert_eq(read->bucket_count, node->bucket_count, "sample %u", number);
        for (size_t kind = 0; kind < KINDS; kind++) {
            const struct tally *from = &node->tallies[kind], *to = &read->tallies[kind];
            cr_assert_eq(from->bucket_first, to->bucket_first, "sample %u, %s", number, kind_names[kind]);
            cr_assert_eq(memcmp(from, to, sizeof *from), 0, "sample %u, %s", number, kind_names[kind]);
        }
        cr_assert_eq(memcmp(node->buckets, read->buckets, node->bucket_count * sizeof *node->buckets), 0);
        buffer_free(&bytes);
        node_free(node);
        node_free(read);
    }
}

Test(node, merging_read_nodes_is_merging_the_nodes)
{
    static double values[KINDS * 2 * BLOCK];
    const char *why;
    make_values(values, 2, 77);
    struct node *left = tally_block(values, 2, 0), *right = tally_block(values, 2, 1);
    struct buffer bytes = bytes_of(left);
    struct node *read = node_decode(buffer_span(&bytes), NODE_PLAIN(KINDS), &why);
    struct node *merged = node_merge(left, right), *merged_read = node_merge(read, right);
    cr_assert(same_bytes(merged, merged_read));
    buffer_free(&bytes);
    node_free(left);
    node_free(right);
    node_free(read);
    node_free(merged);
    node_free(merged_read);
}

Test(node, every_truncation_is_refused)
{
    struct node *node = sample_node(3);
    struct buffer bytes = bytes_of(node);
    for (size_t size = 0; size < bytes.size; size++) {
        const char *why = NULL;
        uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read beyond it */
        memcpy(exact, bytes.data, size);
        cr_assert_null(node_decode((struct span){exact, size}, NODE_PLAIN(KINDS), &why), "%zu of %zu bytes", size,
                       bytes.size);
        cr_assert_not_null(why);
        free(exact);
    }
    buffer_append(&bytes, "\0", 1);
    const char *why = NULL;
    cr_assert_null(node_decode(buffer_span(&bytes), NODE_PLAIN(KINDS), &why), "a byte too many");
    buffer_free(&bytes);
    node_free(node);
}

/* What node.h promises of a tally. */
static bool is_sound(const struct node *node)
{
    uint64_t draws = node->draws - node->failed_draws;
    for (size_t figure = 0; figure < node->shape.figures; figure++) {
        const struct tally *tally = &node->tallies[figure];
        const struct bucket *buckets = node->buckets + tally->bucket_first;
        uint64_t counted = 0;
        for (size_t at = 0; at < tally->bucket_count; at++) {
            counted += buckets[at].count;
            if (buckets[at].count == 0 || (at > 0 && buckets[at].key <= buckets[at - 1].key)) return false;
        }
        if (tally->count > draws || !(tally->min <= tally->mean && tally->mean <= tally->max) || !(tally->m2 >= 0))
            return false;
        if (!isfinite(tally->min) || !isfinite(tally->max)) return false;
        if ((tally->min == tally->max) != (tally->bucket_count == 0)) return false;
        if (tally->bucket_count > 0 && counted != tally->count) return false;
    }
    return true;
}

Test(node, damaged_bytes_are_refused_or_read_as_a_sound_node)
{
    struct node *node = sample_node(5);
    struct buffer bytes = bytes_of(node);
    for (size_t at = 0; at < bytes.size; at++) {
        for (unsigned flip = 1; flip < 256; flip = flip * 3 + 1) {
            const char *why = NULL;
            bytes.data[at] ^= (uint8_t)flip;
            struct node *read = node_decode(buffer_span(&bytes), NODE_PLAIN(KINDS), &why);
            if (read) cr_assert(is_sound(read), "byte %zu changed by %#x", at, flip);
            else cr_assert_not_null(why);
            if (read && read->level <= 3) node_free(node_merge(read, read));
            node_free(read);
            bytes.data[at] ^= (uint8_t)flip;
        }
    }
    buffer_free(&bytes);
    node_free(node);
}

/* A figure of the values 1, 1.01 and 4 over three draws, field by field, so that each can be spoilt. */
struct fields {
    uint64_t level, index, draws, failed, missing;
    double mean, m2, min, max;
    uint64_t stride;
    size_t number_count;
    int64_t numbers[6];
};

static struct fields sound_fields(void)
{
    int64_t near = bucket_key(1.01) - bucket_key(1) - 1, far = bucket_key(4) - bucket_key(1.01) - 1;
    return (struct fields){.draws = 4,
                           .failed = 1,
                           .mean = 2,
                           .m2 = 6,
                           .min = 1,
                           .max = 4,
                           .stride = 4,
                           .number_count = 4,
                           .numbers = {0, near, -far, 0}};
}

static struct node *decode_fields(const struct fields *fields, const char **why)
{
    struct buffer bytes = {0};
    pack_array(&bytes, 5);
    pack_uint(&bytes, fields->level);
    pack_uint(&bytes, fields->index);
    pack_uint(&bytes, fields->draws);
    pack_uint(&bytes, fields->failed);
    pack_array(&bytes, 6 + fields->number_count);
    pack_uint(&bytes, fields->missing);
    pack_double(&bytes, fields->mean);
    pack_double(&bytes, fields->m2);
    pack_double(&bytes, fields->min);
    pack_double(&bytes, fields->max);
    pack_uint(&bytes, fields->stride);
    for (size_t at = 0; at < fields->number_count; at++) pack_int(&bytes, fields->numbers[at]);
    struct node *node = node_decode(buffer_span(&bytes), NODE_PLAIN(1), why);
    buffer_free(&bytes);
    return node;
}

Test(node, fields_put_together_by_hand_are_read)
{
    struct fields fields = sound_fields();
    const char *why = "";
    struct node *node = decode_fields(&fields, &why);
    cr_assert_not_null(node, "%s", why);
    cr_assert_eq(node->bucket_count, 3);
    cr_assert_eq(node->buckets[0].key, bucket_key(1));
    cr_assert_eq(node->buckets[1].key, bucket_key(1.01));
    cr_assert_eq(node->buckets[2].key, bucket_key(4));
    node_free(node);
}

#define REFUSED(what, change)                                                                                          \
    do {                                                                                                               \
        struct fields fields = sound_fields();                                                                         \
        const char *why = NULL;                                                                                        \
        change;                                                                                                        \
        struct node *node = decode_fields(&fields, &why);                                                              \
        cr_expect_null(node, "%s", what);                                                                              \
        cr_expect(why != NULL && strstr(why, what), "'%s' was refused as '%s'", what, why ? why : "nothing");          \
        node_free(node);                                                                                               \
    } while (0)

Test(node, every_broken_invariant_is_refused_by_name)
{
    REFUSED("above its bound", fields.level = NODE_LEVEL_MAX + 1);
    REFUSED("above its bound", fields.index = NODE_DRAWS_MAX);
    REFUSED("above its bound", (fields.level = 10, fields.index = NODE_DRAWS_MAX >> 10));
    REFUSED("above its bound", fields.draws = NODE_DRAWS_MAX + 1);
    REFUSED("above its bound", fields.failed = fields.draws + 1);
    REFUSED("above its bound", fields.missing = fields.draws - fields.failed + 1);
    REFUSED("of no draw", fields.missing = fields.draws - fields.failed);
    REFUSED("not below the maximum", fields.missing = fields.draws - fields.failed - 1);
    REFUSED("not finite", fields.mean = NAN);
    REFUSED("not finite", fields.min = -INFINITY);
    REFUSED("not finite", fields.max = INFINITY);
    REFUSED("negative zero", fields.min = -0.0);
    REFUSED("outside minimum and maximum", fields.mean = 0.99);
    REFUSED("outside minimum and maximum", fields.mean = 4.01);
    REFUSED("below zero", fields.m2 = -1);
    REFUSED("below zero", fields.m2 = NAN);
    REFUSED("below zero", fields.m2 = -0.0);
    REFUSED("not below the maximum", (fields.min = 4, fields.mean = 4));
    REFUSED("unknown stride", fields.stride = 0);
    REFUSED("unknown stride", fields.stride = 2);
    REFUSED("above its bound", fields.stride = 17);
    REFUSED("not begin at the minimum", fields.numbers[0] = 1);
    REFUSED("ends before the maximum", fields.min = 0.9);
    REFUSED("beyond the maximum", fields.max = 3.9);
    REFUSED("ends before the maximum", fields.max = 4.1);
    REFUSED("short gap", fields.numbers[2] = -3);
    REFUSED("gap behind a gap", fields.numbers[3] = -5);
    REFUSED("gap behind a gap", fields.numbers[3] = 1);
    REFUSED("without a bucket", fields.number_count = 3);
    REFUSED("more draws", fields.numbers[0] = 4);
    REFUSED("more draws", fields.numbers[3] = INT64_MAX & ~INT64_C(3));
    REFUSED("fewer draws", fields.draws = 5);
    REFUSED("fewer draws", fields.number_count = 2);
    REFUSED("wrong number of fields", fields.number_count = 0);
    REFUSED("outside its bounds", fields.numbers[2] = INT64_MIN);
}

/* Figures that are not spread, as bytes of their own: the head is [0, 0, 2 draws, 0 failed]. */
Test(node, short_forms_are_read_or_refused)
{
    const struct {
        const char *bytes;
        size_t size;
        bool read;
        const char *what;
    } rows[] = {
        {"\xc0", 1, true, "nil: never defined"},
        {"\x00", 1, true, "zero"},
        {"\xcb\x3f\xf0\0\0\0\0\0\0", 9, true, "one in all draws"},
        {"\x92\x01\xcb\x3f\xf0\0\0\0\0\0\0", 11, true, "one in one draw"},
        {"\x92\x01\x00", 3, true, "zero in one draw"},
        {"\xcb\0\0\0\0\0\0\0\0", 9, false, "zero as a float64"},
        {"\xcb\x80\0\0\0\0\0\0\0", 9, false, "negative zero"},
        {"\xcb\x7f\xf0\0\0\0\0\0\0", 9, false, "infinity"},
        {"\xcb\x7f\xf8\0\0\0\0\0\0", 9, false, "NaN"},
        {"\x92\x00\x00", 3, false, "the long form without need"},
        {"\x92\x02\x00", 3, false, "a constant of no draw"},
        {"\x92\x01\xc0", 3, false, "a constant without a value"},
        {"\x91\x01", 2, false, "one field"},
        {"\x90", 1, false, "no field"},
        {"\x01", 1, false, "a whole number"},
        {"\xa1x", 2, false, "a string"},
        {"\xdd\xff\xff\xff\xff", 5, false, "more fields than bytes"},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct buffer bytes = {0};
        const char *why = NULL;
        buffer_append(&bytes, "\x95\x00\x00\x02\x00", 5);
        buffer_append(&bytes, rows[at].bytes, rows[at].size);
        struct node *node = node_decode(buffer_span(&bytes), NODE_PLAIN(1), &why);
        cr_expect_eq(node != NULL, rows[at].read, "%s: %s", rows[at].what, why ? why : "read");
        buffer_free(&bytes);
        node_free(node);
    }
}

/* The example of docs/node.md. */
Test(node, bytes_are_as_documented)
{
    static const uint8_t documented[] = {0x95, 0x00, 0x00, 0x03, 0x00, 0x9a, 0x00, 0xcb, 0x40, 0x00, 0x06, 0xd3, 0xa0,
                                         0x6d, 0x3a, 0x07, 0xcb, 0x40, 0x17, 0xeb, 0x96, 0x98, 0xa4, 0xee, 0xa9, 0xcb,
                                         0x3f, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xcb, 0x40, 0x10, 0x00, 0x00,
                                         0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x02, 0xd1, 0xfe, 0x04, 0x00};
    struct node *node = node_new(NODE_PLAIN(1));
    node->draws = 3;
    cr_assert(node_tally(node, 0, (double[]){1, 1.01, 4}, 3));
    struct buffer bytes = bytes_of(node);
    cr_assert_eq(bytes.size, sizeof documented);
    cr_assert_eq(memcmp(bytes.data, documented, sizeof documented), 0);
    buffer_free(&bytes);
    node_free(node);
}

/* Values by exact operations only, so that nothing but the tallying itself can change the bits. */
static struct node *tally_exact_block(size_t block)
{
    struct node *node = node_new(NODE_PLAIN(3));
    node->index = block;
    node->draws = NODE_VALUES_MAX;
    for (size_t figure = 0; figure < 3; figure++) {
        double values[NODE_VALUES_MAX];
        for (size_t at = 0; at < NODE_VALUES_MAX; at++) {
            double u = uniform();
            values[at] = figure == 0 ? sqrt(u) : figure == 1 ? u - 0.25 : u < 0.125 ? NAN : 1e9 / (u + 0.001);
        }
        cr_assert(node_tally(node, figure, values, NODE_VALUES_MAX - block));
    }
    return node;
}

Test(node, bytes_are_the_same_on_every_machine)
{
    struct node *nodes[11];
    char hex[DIGEST_HEX_BYTES];
    random_state = 2025;
    for (size_t block = 0; block < 11; block++) nodes[block] = tally_exact_block(block);
    struct node *root = node_fold(nodes, 11);
    struct buffer bytes = bytes_of(root);
    struct digest digest = digest_of(buffer_span(&bytes));
    digest_to_hex(&digest, hex);
    cr_assert_str_eq(hex, "385873f28e2370a43b93abea0621718017f059875f1544b023d12b24e9d804a5");
    for (size_t block = 0; block < 11; block++) node_free(nodes[block]);
    node_free(root);
    buffer_free(&bytes);
}

Test(node, another_number_of_figures_is_refused)
{
    struct node *node = sample_node(0);
    struct buffer bytes = bytes_of(node);
    const char *why = NULL;
    cr_assert_null(node_decode(buffer_span(&bytes), NODE_PLAIN(KINDS - 1), &why));
    cr_assert_null(node_decode(buffer_span(&bytes), NODE_PLAIN(KINDS + 1), &why));
    cr_assert_null(node_decode(buffer_span(&bytes), NODE_PLAIN(100000000), &why), "refused before memory is taken");
    buffer_free(&bytes);
    node_free(node);
}

Test(node, undefined_and_zero_figures_take_one_byte)
{
    struct node *node = node_new(NODE_PLAIN(100));
    node->draws = 2;
    for (size_t figure = 0; figure < 100; figure++)
        cr_assert(node_tally(node, figure, figure % 2 ? (double[]){0, 0} : (double[]){NAN, NAN}, 2));
    struct buffer bytes = bytes_of(node);
    cr_assert_eq(bytes.size, 3 + 4 + 100);
    buffer_free(&bytes);
    node_free(node);
}

/* Of one draw, with one sum, one count and one kept value. */
static struct node *study_node(uint64_t index, double sum, uint64_t count)
{
    struct node *node = node_new(&(struct node_shape){.figures = 1, .sums = 1, .counts = 1, .width = 1});
    cr_assert(node && node_set_draws(node, 1));
    node->index = index;
    node->sums[0] = sum;
    node->counts[0] = count;
    node->kept[0] = (double)index;
    return node;
}

static struct node *read_again(const struct node *node, const char **why)
{
    struct buffer bytes = {0};
    node_encode(node, &bytes);
    cr_assert_not(bytes.failed);
    struct node *read = node_decode(buffer_span(&bytes), &node->shape, why);
    buffer_free(&bytes);
    return read;
}

Test(node, a_study_that_can_be_read_can_be_merged_and_read_again)
{
    const char *why = NULL;
    struct node *left = study_node(0, -NODE_SUM_MAX, NODE_COUNT_MAX),
                *right = study_node(1, -NODE_SUM_MAX, NODE_COUNT_MAX);
    struct node *merged = node_merge(left, right), *read = merged ? read_again(merged, &why) : NULL;
    cr_assert_not_null(read, "%s", why);
    cr_expect_eq(read->sums[0], -2 * NODE_SUM_MAX);
    cr_expect_eq(read->counts[0], 2 * NODE_COUNT_MAX);
    cr_expect(read->kept[0] == 0 && read->kept[1] == 1);

    left->sums[0] = nextafter(-NODE_SUM_MAX, -INFINITY);
    cr_expect_null(read_again(left, &why));
    cr_expect_str_eq(why, "a sum out of range");
    left->sums[0] = NAN;
    cr_expect_null(read_again(left, &why));
    right->counts[0]++;
    cr_expect_null(read_again(right, &why), "a count out of range");
    node_free(left);
    node_free(right);
    node_free(merged);
    node_free(read);
}

/* Of `draws` draws that carry their number from `first` on, and twice as much; every seventh fails, and every fifth
 * is undefined in the second figure. */
static struct node *keeping_node(uint64_t index, uint64_t first, uint64_t draws)
{
    struct node *node = node_new(&(struct node_shape){.figures = 1, .sums = 3, .counts = 2, .width = 2});
    cr_assert(node && node_set_draws(node, draws));
    node->index = index;
    for (uint64_t at = 0; at < draws; at++) {
        double *kept = node->kept + 2 * at, number = (double)(first + at);
        bool failed = (first + at) % 7 == 3;
        node->failed_draws += failed;
        kept[0] = failed ? INFINITY : number;
        kept[1] = failed ? INFINITY : (first + at) % 5 == 1 ? NAN : 2 * number;
        node->sums[0] += number;
        node->sums[2] -= 1;
        node->counts[1] += first + at;
    }
    return node;
}

Test(node, sums_and_counts_add_up_and_kept_draws_stay_in_order)
{
    static const uint64_t draws[] = {8, 8, 8, 8, 8, 3}; /* the last block is not full */
    struct node *nodes[6];
    const char *why = NULL;
    for (size_t at = 0; at < 6; at++) {
        struct node *made = keeping_node(at, 8 * at, draws[at]);
        nodes[at] = read_again(made, &why);
        cr_assert_not_null(nodes[at], "%s", why);
        node_free(made);
    }
    struct node *folded = node_fold(nodes, 6), *root = read_again(folded, &why), *plain = keeping_node(0, 0, 43);
    cr_assert_not_null(root, "%s", why);
    cr_expect_eq(root->draws, 43);
    cr_expect_eq(root->failed_draws, plain->failed_draws);
    cr_expect_eq(memcmp(root->kept, plain->kept, 43 * 2 * sizeof *root->kept), 0);
    cr_expect_eq(memcmp(root->sums, plain->sums, 3 * sizeof *root->sums), 0);
    cr_expect_eq(memcmp(root->counts, plain->counts, 2 * sizeof *root->counts), 0);
    for (size_t at = 0; at < 6; at++) node_free(nodes[at]);
    node_free(folded);
    node_free(root);
    node_free(plain);
}

/* The second example of docs/node.md, and where in it the study begins. */
static const uint8_t documented_study[] = {
    0x96, 0x00, 0x00, 0x02, 0x01, 0xcb, 0x3f, 0xf8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x93, 0xc4, 0x10, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0xe0, 0x3f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x92, 0x00, 0x03,
    0xc4, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x3f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf0, 0x7f};
#define STUDY_AT 14u
static const struct node_shape documented_shape = {.figures = 1, .sums = 2, .counts = 2, .width = 1};

Test(node, bytes_of_a_study_are_as_documented)
{
    struct node *node = node_new(&documented_shape);
    cr_assert(node && node_set_draws(node, 2));
    node->failed_draws = 1;
    cr_assert(node_tally(node, 0, (double[]){1.5}, 1));
    node->sums[0] = 0.5;
    node->counts[1] = 3;
    node->kept[0] = 1.5;
    node->kept[1] = INFINITY;
    struct buffer bytes = bytes_of(node);
    cr_assert_eq(bytes.size, sizeof documented_study);
    cr_assert_eq(memcmp(bytes.data, documented_study, sizeof documented_study), 0);
    buffer_free(&bytes);
    node_free(node);
}

Test(node, every_broken_invariant_of_a_study_is_refused)
{
    enum { KEPT_AT = STUDY_AT + 24 };
    const struct {
        const char *what;
        size_t at, count; /* bytes that are replaced */
        const char *bytes;
    } rows[] = {
        {"four parts", STUDY_AT, 1, "\x94"},
        {"two parts", STUDY_AT, 1, "\x92"},
        {"sums that are too long", STUDY_AT + 2, 1, "\x11"},
        {"sums that are too short", STUDY_AT + 2, 1, "\x0f"},
        {"a sum that is no number", STUDY_AT + 3, 8, "\0\0\0\0\0\0\xf8\x7f"},
        {"an infinite sum", STUDY_AT + 3, 8, "\0\0\0\0\0\0\xf0\x7f"},
        {"sums of zero in the long form", STUDY_AT + 3, 8, "\0\0\0\0\0\0\0\0"},
        {"three counts", STUDY_AT + 19, 1, "\x93"},
        {"a negative count", STUDY_AT + 21, 1, "\xff"},
        {"counts of zero in the long form", STUDY_AT + 21, 1, "\0"},
        {"kept values that are too long", KEPT_AT - 1, 1, "\x18"},
        {"kept values that are too short", KEPT_AT - 1, 1, "\x08"},
        {"another NaN", KEPT_AT, 8, "\1\0\0\0\0\0\xf8\x7f"},
        {"a negative NaN", KEPT_AT, 8, "\0\0\0\0\0\0\xf8\xff"},
        {"a negative infinity", KEPT_AT, 8, "\0\0\0\0\0\0\xf0\xff"},
        {"more draws that failed than the head says", KEPT_AT, 8, "\0\0\0\0\0\0\xf0\x7f"},
        {"fewer draws that failed than the head says", KEPT_AT + 8, 8, "\0\0\0\0\0\0\xf0\x3f"},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        uint8_t bytes[sizeof documented_study];
        const char *why = NULL;
        memcpy(bytes, documented_study, sizeof bytes);
        memcpy(bytes + rows[at].at, rows[at].bytes, rows[at].count);
        struct node *node = node_decode((struct span){bytes, sizeof bytes}, &documented_shape, &why);
        cr_expect(node == NULL && why != NULL, "%s", rows[at].what);
        node_free(node);
    }
    for (size_t size = 0; size < sizeof documented_study; size++) {
        const char *why = NULL;
        cr_expect_null(node_decode((struct span){documented_study, size}, &documented_shape, &why), "%zu bytes", size);
    }
}

Test(node, many_kept_draws_without_their_bytes_take_no_memory)
{
    static const uint8_t bytes[] = {0x96, 0x00, 0x00, 0xcf, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
                                    0x00, 0x00, 0x00, 0xc0, 0x93, 0xc0, 0xc0, 0xc4, 0x00};
    const char *why = NULL;
    cr_assert_null(node_decode((struct span){bytes, sizeof bytes}, &documented_shape, &why));
    cr_assert_str_eq(why, "fewer kept draws than it says");
}
