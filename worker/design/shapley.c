/* Shapley effects by random orders: E. Song, B. Nelson and J. Staum, SIAM/ASA J. Uncertain. Quantif. 4, 1060-1083
 * (2016); and T. Goda, Reliab. Eng. Syst. Saf. 206, 107295 (2021), for one chain of rows per draw. */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "method.h"
#include "normal.h"
#include "philox.h"
#include "shuffle.h"

/* A draw's order of dimensions: those at its end are drawn anew first. Few dimensions have few orders, and one more
 * coordinate of the draw's point chooses among all of them, so that points and orders are spread together. */
static void arrange_few(size_t count, double share, uint16_t *order)
{
    uint64_t number = 1, swaps[SHAPLEY_FEW];
    for (size_t at = 2; at <= count; at++) number *= at;
    number = (uint64_t)(share * (double)number);
    for (size_t at = 0; at < count; at++) {
        swaps[at] = number % (at + 1);
        number /= at + 1;
    }
    for (size_t at = 0; at < count; at++) {
        order[at] = order[swaps[at]];
        order[swaps[at]] = (uint16_t)at;
    }
}

/* With many, d draws of a group in a row take the d rotations of one random order, and the next d those of its
 * reverse: every dimension is first, last and at each place between as often as any other. The order is random anew
 * for each 2 d draws, so it has nothing to do with where the draws lie. */
static void arrange_many(const struct design *design, uint64_t draw, uint16_t *order)
{
    size_t count = design->dimension_count;
    uint64_t point = net_point(design->groups, draw), window = point / count;
    uint32_t group = net_group(design->groups, draw);
    uint64_t swaps[MODEL_PARAMETERS_MAX];
    uint16_t base[MODEL_PARAMETERS_MAX];
    for (size_t at = 0; at < count; at++)
        swaps[at] = philox_at(design->sweep->seed, PHILOX_SHAPLEY, (uint32_t)at | group << 16, window / 2).low;
    shuffle(base, count, swaps);
    for (size_t at = 0; at < count; at++) {
        size_t from = (at + point) % count;
        order[at] = base[window % 2 ? count - 1 - from : from];
    }
}

/* Shares that choose orders, of a whole batch. */
static void choices(const struct design *design, uint64_t first, double *shares)
{
    size_t count = design->dimension_count;
    if (count <= SHAPLEY_FEW) net_shares(design->net, 2 * count, first, shares);
}

static void arrange(const struct design *design, uint64_t first, size_t lane, const double *chosen, uint16_t *order)
{
    if (design->dimension_count <= SHAPLEY_FEW) arrange_few(design->dimension_count, chosen[lane], order);
    else arrange_many(design, first + lane, order);
}

void shapley_order(const struct design *design, uint64_t first, uint16_t (*order)[MODEL_LANES])
{
    uint16_t arranged[MODEL_PARAMETERS_MAX];
    model_lanes chosen;
    size_t count = design->dimension_count;
    choices(design, first, chosen);
    for (size_t lane = 0; lane < MODEL_LANES; lane++) {
        arrange(design, first, lane, chosen, arranged);
        for (size_t at = 0; at < count; at++) order[at][lane] = arranged[count - 1 - at];
    }
}

/* Draws the last `row` of the order anew, given the others: shares of the second point, joined to those kept. */
static void redraw(const struct design *design, uint32_t row, const uint16_t *order, size_t lane, model_lanes *shares,
                   const model_lanes *fresh)
{
    size_t count = design->dimension_count, kept = count - row;
    if (design->copula) copula_redraw(design->copula, order, kept, lane, shares, fresh);
    for (size_t at = kept; at < count; at++)
        if (!design->copula || !copula_has(design->copula, order[at])) shares[order[at]][lane] = fresh[order[at]][lane];
}

void shapley_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    model_lanes fresh[MODEL_PARAMETERS_MAX / 2], chosen;
    uint16_t order[MODEL_PARAMETERS_MAX];
    size_t count = design->dimension_count;
    assert(count <= MODEL_PARAMETERS_MAX / 2);
    for (size_t at = 0; at < count; at++) net_shares(design->net, at, first, shares[at]);
    if (design->copula && row == 0) copula_join(design->copula, shares);
    if (row == 0) return;
    for (size_t at = 0; at < count; at++) net_shares(design->net, count + at, first, fresh[at]);
    choices(design, first, chosen);
    for (size_t lane = 0; lane < MODEL_LANES; lane++) {
        arrange(design, first, lane, chosen, order);
        redraw(design, row, order, lane, shares, fresh);
    }
}
