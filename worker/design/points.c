/* Methods that draw points: at random, of one net, or of two. */
#include <assert.h>
#include <string.h>

#include "method.h"
#include "philox.h"

void point_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    (void)design, (void)row, (void)first, (void)shares;
    assert(design->dimension_count == 0);
}

void random_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    assert(row == 0);
    (void)row;
    for (uint32_t at = 0; at < design->dimension_count; at++)
        for (uint64_t lane = 0; lane < MODEL_LANES; lane++)
            shares[at][lane] = philox_unit(design->sweep->seed, at, first + lane);
    if (design->copula) copula_join(design->copula, shares);
}

void sobol_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    assert(row == 0);
    (void)row;
    for (size_t at = 0; at < design->dimension_count; at++) net_shares(design->net, at, first, shares[at]);
    if (design->copula) copula_join(design->copula, shares);
}

/* A and B are the first and second half of the net's dimensions; the rows mix them as design.h says. */
void saltelli_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    size_t count = design->dimension_count, mixed = row < 2 ? count : (row - 2) % count;
    bool other = row == 1 || row >= 2 + count; /* B, with its dimension `mixed` from A */
    for (size_t at = 0; at < count; at++) {
        bool second = (at == mixed) != other;
        net_shares(design->net, second ? count + at : at, first, shares[at]);
    }
}

void derivative_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    for (size_t at = 0; at < design->dimension_count; at++) net_shares(design->net, at, first, shares[at]);
    if (row == 0) return;
    double *moved = shares[row - 1];
    for (size_t lane = 0; lane < MODEL_LANES; lane++) moved[lane] += derivative_step(moved[lane]);
}
