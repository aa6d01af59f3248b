/* Nodes of the fold: mergeable tallies of every figure of a plan, over an aligned range of blocks.
 *
 * Node (level, index) covers blocks index * 2^level up to (index + 1) * 2^level. Two nodes of the
 * same level with indexes 2i and 2i + 1 merge into (level + 1, i). Because the shape of the tree is
 * fixed, the arithmetic is the same whatever the order of arrival.
 *
 * A tally holds count, mean, sum of squared deviations, minimum, maximum and a histogram. The
 * histogram's buckets are the doubles that share sign, exponent and the first NODE_MANTISSA_BITS bits
 * of the mantissa: a quantile read from it is within a relative 2^-(NODE_MANTISSA_BITS + 1) of a value
 * whose rank is right. Counts are whole numbers, so histograms merge without rounding. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define NODE_MANTISSA_BITS 8
#define NODE_LEVEL_MAX 40

struct bucket {
    int32_t key;           /* orders as the values do; 0 holds zero itself */
    uint64_t count;
};

struct tally {
    uint64_t count;        /* draws in which the figure is defined */
    double mean, m2;       /* m2: sum of squared deviations from the mean */
    double min, max;
    size_t bucket_first, bucket_count; /* in the node's buckets; none when min == max */
};

struct node {
    uint32_t level;
    uint64_t index;
    uint64_t draws, failed_draws;
    size_t figure_count;
    struct tally *tallies;      /* owned */
    struct bucket *buckets;     /* owned */
    size_t bucket_count, bucket_capacity;
};

/* An empty node. NULL: out of memory. */
struct node *node_new(size_t figure_count);
void node_free(struct node *node);

/* Tallies `count` values of one figure (NaN: undefined), figures in ascending order. Part of the
 * result's identity: values are summed in the order given. False: out of memory. */
bool node_tally(struct node *node, size_t figure, const double *values, size_t count);

/* Left and right are neighbours. NULL: out of memory, or they do not fit. */
struct node *node_merge(const struct node *left, const struct node *right);

/* The fold of a sweep whose number of blocks is no power of two: perfect nodes from left to right,
 * merged from the right, so that each rises to its sibling's level unchanged. Takes no ownership. */
struct node *node_fold(struct node *const *nodes, size_t count);

/* msgpack; node_decode checks every bound before it allocates and refuses what breaks an invariant
 * (unsorted buckets, counts that do not add up, min above max). */
void node_encode(const struct node *node, struct buffer *out);
struct node *node_decode(struct span bytes, size_t figure_count, const char **why);

/* Statistics of a tally. NaN where undefined. */
double tally_sd(const struct tally *tally);
double tally_quantile(const struct node *node, const struct tally *tally, double share);
