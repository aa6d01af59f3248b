#include "net.h"

#include <assert.h>
#include <stdlib.h>

#include "sobol.h"

struct net {
    size_t dimension_count;
    uint32_t groups;
    struct sobol_axis axes[]; /* [groups][dimension_count] */
};

struct net *net_new(uint64_t seed, size_t dimension_count, uint32_t groups)
{
    assert(dimension_count <= SOBOL_DIMENSIONS && groups > 0);
    struct net *net = calloc(1, sizeof *net + dimension_count * groups * sizeof net->axes[0]);
    if (!net) return NULL;
    net->dimension_count = dimension_count;
    net->groups = groups;
    for (uint32_t group = 0; group < groups; group++)
        for (size_t at = 0; at < dimension_count; at++)
            sobol_axis_init(&net->axes[group * dimension_count + at], (uint32_t)at, seed, group);
    return net;
}

void net_free(struct net *net)
{
    free(net);
}

/* Draws up to the end of a group's run differ from one another by one column each. */
void net_shares(const struct net *net, size_t dimension, uint64_t first, double *shares)
{
    const struct sobol_axis *axis = NULL;
    uint64_t digits = 0;
    for (uint64_t lane = 0; lane < MODEL_LANES; lane++) {
        uint64_t draw = first + lane, point = net_point(net->groups, draw);
        if (lane == 0 || draw % MODEL_LANES == 0) {
            axis = &net->axes[net_group(net->groups, draw) * net->dimension_count + dimension];
            digits = sobol_digits(axis, point);
        } else digits = sobol_digits_after(axis, digits, point - 1);
        shares[lane] = sobol_unit(sobol_scramble(axis, digits));
    }
}
