/* Nodes of the fold: mergeable tallies of every figure of a plan, over an aligned range of blocks.
 *
 * Node (level, index) covers blocks index * 2^level up to (index + 1) * 2^level. Two nodes of the
 * same level with indexes 2i and 2i + 1 merge into (level + 1, i). Because the shape of the tree is
 * fixed, the arithmetic is the same whatever the order of arrival.
 *
 * A tally holds count, mean, sum of squared deviations, minimum, maximum and a histogram (bucket.h). A
 * quantile read from it is within a relative 2^-9 of the value whose rank is right. Counts are whole
 * numbers, so histograms merge without rounding. docs/node.md says how all this is computed and coded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucket.h"
#include "bytes.h"

#define NODE_LEVEL_MAX  40
#define NODE_VALUES_MAX 512u                /* of one figure, in one block */
#define NODE_DRAWS_MAX  (UINT64_C(1) << 40) /* as SWEEP_DRAWS_MAX */

/* What a draw may add to a sum, and to a count: with NODE_DRAWS_MAX draws both stay in range, so that whatever nodes
 * can be read, their merge can. */
#define NODE_SUM_MAX   0x1p980
#define NODE_COUNT_MAX (UINT64_C(1) << 20)

struct tally {
    uint64_t count;                    /* draws in which the figure is defined; 0: all below is 0 */
    double mean, m2;                   /* min <= mean <= max; m2: sum of squared deviations from the mean, infinite
                                          when it leaves the range of a double */
    double min, max;                   /* finite, and never a negative zero */
    size_t bucket_first, bucket_count; /* in the node's buckets; none when min == max */
};

/* How large a node is, apart from its histograms. */
struct node_shape {
    size_t figures;
    size_t sums, counts; /* of the study (study.h) */
    size_t width;        /* values kept of each draw, failed or not */
};

/* The shape of a node without a study. */
#define NODE_PLAIN(count) (&(struct node_shape){.figures = (count)})

struct node {
    uint32_t level;
    uint64_t index;
    uint64_t draws, failed_draws;
    struct node_shape shape;
    struct tally *tallies;  /* owned, [shape.figures] */
    struct bucket *buckets; /* owned; those of a figure together, ascending by key */
    size_t bucket_count, bucket_capacity;
    double *sums;     /* owned, [shape.sums], at most draws * NODE_SUM_MAX either way: add up over draws */
    uint64_t *counts; /* owned, [shape.counts], at most draws * NODE_COUNT_MAX: add up over draws */
    double *kept; /* owned, [draws * shape.width], draw by draw; NaN: undefined, infinite: the draw failed. NULL while
                     draws is 0 */
};

/* An empty node: level, index and draws 0, no figure defined, sums and counts 0. NULL: out of memory. */
struct node *node_new(const struct node_shape *shape);
void node_free(struct node *node);

/* Tallies `count` values of one figure, at most NODE_VALUES_MAX; each figure once, in any order. NaN and
 * infinities are undefined. Part of the result's identity: the values are summed in a fixed pattern in
 * the order given. The caller sets draws and failed_draws. False: out of memory. */
bool node_tally(struct node *node, size_t figure, const double *values, size_t count);

/* Takes memory for the kept values of `draws` draws, and sets draws. False: out of memory. */
bool node_set_draws(struct node *node, uint64_t draws);

/* Left and right are neighbours. NULL: out of memory, or they do not fit. */
struct node *node_merge(const struct node *left, const struct node *right);

/* The fold of any disjoint nodes of one sweep, ascending by block: the root of the tree in which absent
 * subtrees are left out, so that a node without a sibling rises unchanged. For all blocks of a sweep
 * whose number is no power of two, these are the perfect nodes from left to right. Takes no ownership.
 * NULL: no nodes, out of memory, or they do not fit. */
struct node *node_fold(struct node *const *nodes, size_t count);

/* msgpack; node_decode checks every bound before it allocates and refuses what breaks an invariant
 * (unsorted buckets, counts that do not add up, min above max). Its memory stays below a fixed multiple
 * of the bytes given and the shape. NULL: `*why` is a constant string. */
void node_encode(const struct node *node, struct buffer *out);
struct node *node_decode(struct span bytes, const struct node_shape *shape, const char **why);

/* Statistics of a tally. NaN where undefined: sd of fewer than two draws, or where its square leaves the range of a
 * double; anything of no draw. */
double tally_sd(const struct tally *tally);
double tally_mcse(const struct tally *tally); /* of the mean: sd / sqrt(count) */

/* The smallest value with at least share * count draws at or below it (in double arithmetic), within
 * the bound above; minimum and maximum are exact. share: 0 to 1. */
double tally_quantile(const struct node *node, const struct tally *tally, double share);

/* The same for ascending shares in one go. */
void tally_quantiles(const struct node *node, const struct tally *tally, const double *shares, size_t count,
                     double *quantiles);
