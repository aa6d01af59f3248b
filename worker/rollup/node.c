#include "node.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "moments.h"

#define WINDOW     4096u /* keys that are counted in place; 16 octaves */
#define DIGIT_BITS 7u    /* of the radix sort; three digits make a key */
#define DIGITS     3u

struct node *node_new(const struct node_shape *shape)
{
    struct node *node = calloc(1, sizeof *node);
    if (!node) return NULL;
    node->shape = *shape;
    node->tallies = calloc(shape->figures ? shape->figures : 1, sizeof *node->tallies);
    node->sums = calloc(shape->sums ? shape->sums : 1, sizeof *node->sums);
    node->counts = calloc(shape->counts ? shape->counts : 1, sizeof *node->counts);
    if (!node->tallies || !node->sums || !node->counts) {
        node_free(node);
        return NULL;
    }
    return node;
}

void node_free(struct node *node)
{
    if (!node) return;
    free(node->tallies);
    free(node->buckets);
    free(node->sums);
    free(node->counts);
    free(node->kept);
    free(node);
}

bool node_set_draws(struct node *node, uint64_t draws)
{
    node->draws = draws;
    if (draws == 0 || node->shape.width == 0) return true;
    if (draws > SIZE_MAX / sizeof *node->kept / node->shape.width) return false;
    node->kept = malloc(draws * node->shape.width * sizeof *node->kept);
    return node->kept != NULL;
}

/* Room for `extra` more buckets. */
static bool reserve(struct node *node, size_t extra)
{
    if (node->bucket_capacity - node->bucket_count >= extra) return true;
    size_t capacity = node->bucket_capacity * 2;
    if (capacity < node->bucket_count + extra) capacity = node->bucket_count + extra;
    struct bucket *buckets = realloc(node->buckets, capacity * sizeof *buckets);
    if (!buckets) return false;
    node->buckets = buckets;
    node->bucket_capacity = capacity;
    return true;
}

/* --- one block: moments and histogram of a few hundred values --- */

/* Copies the values that are finite, in their order. */
static size_t copy_finite(const double *values, size_t count, double *finite)
{
    size_t kept = 0;
    for (size_t at = 0; at < count; at++)
        if (isfinite(values[at])) finite[kept++] = values[at];
    return kept;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value + 0.0;
}

static double mean_of(const double *values, size_t count, double min, double max)
{
    double mean = moments_sum(values, count, 1) / (double)count;
    if (!isfinite(mean)) mean = moments_sum(values, count, 1 / (double)count); /* the plain sum is out of range */
    return clamp(mean, min, max);
}

/* Buckets of keys within a window: counted in place. */
static size_t count_keys(const uint32_t *keys, size_t count, uint32_t first, uint32_t last, struct bucket *out)
{
    uint16_t window[WINDOW];
    size_t width = last - first + 1, made = 0;
    memset(window, 0, width * sizeof *window);
    for (size_t at = 0; at < count; at++) window[keys[at] - first]++;
    for (size_t at = 0; at < width; at++) {
        out[made] = bucket_of(first + at, window[at]); /* overwritten by the next unless it counts */
        made += window[at] != 0;
    }
    return made;
}

static void sort_by_digit(const uint32_t *from, uint32_t *to, size_t count, unsigned shift)
{
    uint32_t places[1u << DIGIT_BITS] = {0};
    uint32_t mask = (1u << DIGIT_BITS) - 1, place = 0;
    for (size_t at = 0; at < count; at++) places[from[at] >> shift & mask]++;
    for (size_t digit = 0; digit <= mask; digit++) {
        uint32_t next = place + places[digit];
        places[digit] = place;
        place = next;
    }
    for (size_t at = 0; at < count; at++) to[places[from[at] >> shift & mask]++] = from[at];
}

/* Buckets of keys far apart: sorted first. */
static size_t count_sorted_keys(uint32_t *keys, size_t count, struct bucket *out)
{
    uint32_t other[NODE_VALUES_MAX];
    static_assert(DIGITS == 3, "an odd number of passes ends in the other array");
    sort_by_digit(keys, other, count, 0);
    sort_by_digit(other, keys, count, DIGIT_BITS);
    sort_by_digit(keys, other, count, 2 * DIGIT_BITS);
    size_t made = 0;
    for (size_t at = 0; at < count;) {
        size_t next = at + 1;
        while (next < count && other[next] == other[at]) next++;
        out[made++] = bucket_of(other[at], next - at);
        at = next;
    }
    return made;
}

static size_t make_buckets(const double *values, size_t count, const struct tally *tally, struct bucket *out)
{
    uint32_t keys[NODE_VALUES_MAX], first = bucket_key(tally->min), last = bucket_key(tally->max);
    bucket_keys(values, count, tally->min, tally->max, keys);
    return last - first < WINDOW ? count_keys(keys, count, first, last, out) : count_sorted_keys(keys, count, out);
}

/* At least one value, all finite, between min and max. */
static bool tally_finite(struct node *node, struct tally *tally, const double *values, size_t count)
{
    tally->count = count;
    tally->mean = tally->min;
    if (tally->min == tally->max) return true;
    if (!reserve(node, count + 1)) return false;
    tally->mean = mean_of(values, count, tally->min, tally->max);
    tally->m2 = moments_squares(values, count, tally->mean);
    tally->bucket_count = make_buckets(values, count, tally, node->buckets + node->bucket_count);
    node->bucket_count += tally->bucket_count;
    return true;
}

bool node_tally(struct node *node, size_t figure, const double *values, size_t count)
{
    assert(figure < node->shape.figures && count <= NODE_VALUES_MAX && node->tallies[figure].count == 0);
    double finite[NODE_VALUES_MAX];
    struct range range = {.finite = false};
    struct tally *tally = &node->tallies[figure];
    tally->bucket_first = node->bucket_count;
    if (count > 0) moments_range(values, count, &range);
    if (!range.finite) {
        count = copy_finite(values, count, finite);
        values = finite;
        if (count == 0) return true;
        moments_range(values, count, &range);
    }
    tally->min = range.min;
    tally->max = range.max;
    return tally_finite(node, tally, values, count);
}

/* --- merging --- */

/* A tally's buckets; for one that has a single value its only bucket, made in *single. */
static size_t buckets_of(const struct node *node, const struct tally *tally, struct bucket *single,
                         const struct bucket **buckets)
{
    if (tally->bucket_count == 0) {
        *single = bucket_of(bucket_key(tally->min), tally->count);
        *buckets = single;
        return 1;
    }
    *buckets = node->buckets + tally->bucket_first;
    return tally->bucket_count;
}

/* Without branches on the data, which cannot be foretold. Equal keys are taken from both sides. */
static size_t merge_buckets(const struct bucket *left, size_t left_count, const struct bucket *right,
                            size_t right_count, struct bucket *out)
{
    const struct bucket *left_end = left + left_count, *right_end = right + right_count;
    size_t made = 0;
    while (left < left_end && right < right_end) {
        uint64_t left_key = left->key, right_key = right->key;
        uint64_t take_left = left_key <= right_key, take_right = right_key <= left_key;
        uint64_t count = (left->count & -take_left) + (right->count & -take_right);
        out[made++] = bucket_of(take_left ? left_key : right_key, count);
        left += take_left;
        right += take_right;
    }
    for (; left < left_end; left++) out[made++] = *left;
    for (; right < right_end; right++) out[made++] = *right;
    return made;
}

/* Chan, Golub and LeVeque's update of mean and sum of squares; exact for equal means. */
static void merge_moments(const struct tally *left, const struct tally *right, struct tally *out)
{
    double left_count = (double)left->count, right_count = (double)right->count;
    double count = left_count + right_count, delta = right->mean - left->mean;
    double mean = left->mean + delta * (right_count / count);
    if (!isfinite(mean)) mean = left->mean * (left_count / count) + right->mean * (right_count / count);
    out->mean = clamp(mean, out->min, out->max);
    out->m2 = left->m2 + right->m2 + delta * delta * (left_count * right_count / count);
}

/* Both sides have draws; `out` has room for their buckets. */
static void merge_tallies(const struct node *left_node, const struct tally *left, const struct node *right_node,
                          const struct tally *right, struct node *node, struct tally *out)
{
    out->count = left->count + right->count;
    out->min = left->min < right->min ? left->min : right->min;
    out->max = left->max > right->max ? left->max : right->max;
    out->mean = out->min;
    if (out->min == out->max) return;

    merge_moments(left, right, out);
    struct bucket single[2];
    const struct bucket *left_buckets, *right_buckets;
    size_t left_count = buckets_of(left_node, left, &single[0], &left_buckets);
    size_t right_count = buckets_of(right_node, right, &single[1], &right_buckets);
    out->bucket_count =
        merge_buckets(left_buckets, left_count, right_buckets, right_count, node->buckets + node->bucket_count);
    node->bucket_count += out->bucket_count;
}

static void copy_tally(const struct node *from, const struct tally *tally, struct node *node, struct tally *out)
{
    size_t first = node->bucket_count;
    *out = *tally;
    out->bucket_first = first;
    if (tally->bucket_count > 0)
        memcpy(node->buckets + first, from->buckets + tally->bucket_first, tally->bucket_count * sizeof *from->buckets);
    node->bucket_count += tally->bucket_count;
}

/* The most buckets that merging can make: those of both sides, and one for each single value. */
static size_t merged_bucket_bound(const struct node *left, const struct node *right)
{
    return left->bucket_count + right->bucket_count + 2 * left->shape.figures;
}

static void trim(struct node *node)
{
    if (node->bucket_count == 0) return;
    struct bucket *buckets = realloc(node->buckets, node->bucket_count * sizeof *buckets);
    if (!buckets) return;
    node->buckets = buckets;
    node->bucket_capacity = node->bucket_count;
}

static bool same_shape(const struct node_shape *left, const struct node_shape *right)
{
    return left->figures == right->figures && left->sums == right->sums && left->counts == right->counts &&
           left->width == right->width;
}

/* Where nothing is kept there is no array. */
static void copy_kept(const struct node *from, struct node *to, size_t first_draw)
{
    const size_t width = from->shape.width, count = from->draws * width;
    if (count > 0) memcpy(to->kept + first_draw * width, from->kept, count * sizeof *from->kept);
}

static void merge_study(const struct node *left, const struct node *right, struct node *node)
{
    for (size_t at = 0; at < node->shape.sums; at++) node->sums[at] = left->sums[at] + right->sums[at];
    for (size_t at = 0; at < node->shape.counts; at++) node->counts[at] = left->counts[at] + right->counts[at];
    copy_kept(left, node, 0);
    copy_kept(right, node, left->draws);
}

/* The two sides of one node (level, index). */
static struct node *combine(const struct node *left, const struct node *right, uint32_t level, uint64_t index)
{
    if (!same_shape(&left->shape, &right->shape) || left->draws + right->draws > NODE_DRAWS_MAX) return NULL;
    struct node *node = node_new(&left->shape);
    if (!node || !node_set_draws(node, left->draws + right->draws) ||
        !reserve(node, merged_bucket_bound(left, right))) {
        node_free(node);
        return NULL;
    }
    node->level = level;
    node->index = index;
    merge_study(left, right, node);
    node->failed_draws = left->failed_draws + right->failed_draws;
    for (size_t figure = 0; figure < node->shape.figures; figure++) {
        const struct tally *left_tally = &left->tallies[figure], *right_tally = &right->tallies[figure];
        struct tally *out = &node->tallies[figure];
        out->bucket_first = node->bucket_count;
        if (left_tally->count == 0) copy_tally(right, right_tally, node, out);
        else if (right_tally->count == 0) copy_tally(left, left_tally, node, out);
        else merge_tallies(left, left_tally, right, right_tally, node, out);
    }
    trim(node);
    return node;
}

struct node *node_merge(const struct node *left, const struct node *right)
{
    bool siblings = left->level == right->level && left->index % 2 == 0 && right->index == left->index + 1;
    if (!siblings || left->level >= NODE_LEVEL_MAX) return NULL;
    return combine(left, right, left->level + 1, left->index / 2);
}

static struct node *copy_node(const struct node *from)
{
    struct node *node = node_new(&from->shape);
    if (!node || !node_set_draws(node, from->draws) || !reserve(node, from->bucket_count)) {
        node_free(node);
        return NULL;
    }
    node->level = from->level;
    node->index = from->index;
    memcpy(node->sums, from->sums, from->shape.sums * sizeof *node->sums);
    memcpy(node->counts, from->counts, from->shape.counts * sizeof *node->counts);
    copy_kept(from, node, 0);
    node->failed_draws = from->failed_draws;
    for (size_t figure = 0; figure < node->shape.figures; figure++)
        copy_tally(from, &from->tallies[figure], node, &node->tallies[figure]);
    return node;
}

static uint64_t first_block(const struct node *node)
{
    return node->index << node->level;
}

static uint64_t last_block(const struct node *node)
{
    return first_block(node) + ((UINT64_C(1) << node->level) - 1);
}

/* Folds nodes that all lie below node (level, index). One that is alone is lent, not copied. */
static const struct node *fold_below(struct node *const *nodes, size_t count, uint32_t level, uint64_t index)
{
    if (count == 1) return nodes[0];
    if (level == 0) return NULL;
    uint64_t right_first = (2 * index + 1) << (level - 1);
    size_t left_count = 0;
    while (left_count < count && first_block(nodes[left_count]) < right_first) left_count++;
    if (left_count == count) return fold_below(nodes, count, level - 1, 2 * index);
    if (left_count == 0) return fold_below(nodes, count, level - 1, 2 * index + 1);

    size_t right_count = count - left_count;
    const struct node *left = fold_below(nodes, left_count, level - 1, 2 * index);
    const struct node *right = fold_below(nodes + left_count, right_count, level - 1, 2 * index + 1);
    struct node *node = left && right ? combine(left, right, level, index) : NULL;
    if (left_count > 1) node_free((struct node *)left);
    if (right_count > 1) node_free((struct node *)right);
    return node;
}

static bool can_fold(struct node *const *nodes, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        if (nodes[at]->level > NODE_LEVEL_MAX || nodes[at]->index > (NODE_DRAWS_MAX - 1) >> nodes[at]->level)
            return false;
        if (at > 0 && last_block(nodes[at - 1]) >= first_block(nodes[at])) return false;
    }
    return count > 0;
}

struct node *node_fold(struct node *const *nodes, size_t count)
{
    if (!can_fold(nodes, count)) return NULL;
    if (count == 1) return copy_node(nodes[0]);
    return (struct node *)fold_below(nodes, count, NODE_LEVEL_MAX, 0);
}
