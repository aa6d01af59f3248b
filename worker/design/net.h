/* Replicated nets: as many independently scrambled copies of one Sobol' sequence as a sweep has groups. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>

struct net;

/* dimension_count: at most SOBOL_DIMENSIONS. groups: a power of two; one copy each. NULL: out of memory. The caller
 * ends it with net_free(). */
struct net *net_new(uint64_t seed, size_t dimension_count, uint32_t groups);
void net_free(struct net *net);

/* A draw's point within the sequence of its group: MODEL_LANES draws in a row are of one group, then comes the next. */
static inline uint64_t net_point(uint32_t groups, uint64_t draw)
{
    return draw / MODEL_LANES / groups * MODEL_LANES + draw % MODEL_LANES;
}

static inline uint32_t net_group(uint32_t groups, uint64_t draw)
{
    return (uint32_t)(draw / MODEL_LANES % groups);
}

/* The coordinates of draws first .. first + MODEL_LANES - 1 in one dimension; each above 0 and below 1. */
void net_shares(const struct net *net, size_t dimension, uint64_t first, double *shares);
