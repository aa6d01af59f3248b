#include "beta.h"

#include <assert.h>
#include <math.h>
#include <sleef.h>
#include <stdint.h>
#include <string.h>

/* A double's exponent and first three fraction bits number the cells: eight of equal width per octave, so
 * that in each one the quantile, which near 0 goes like share^(1/a), is as good as a polynomial. */
#define CELL_BITS  3
#define CELL_SHIFT (52 - CELL_BITS)
#define FIRST_CELL ((UINT64_C(1022) - BETA_OCTAVES) << CELL_BITS) /* begins at 2^-20 */
static_assert(BETA_CELLS_PER_OCTAVE == 1 << CELL_BITS, "cells are numbered by fraction bits");

/* Chebyshev points of a cell, which is -1 to 1: -cos((2 k + 1) pi / 16) */
static const double nodes[BETA_NODES] = {
    -0x1.f6297cff75cb0p-1, -0x1.a9b66290ea1a3p-1, -0x1.1c73b39ae68c8p-1, -0x1.8f8b83c69a60bp-3,
    0x1.8f8b83c69a60bp-3,  0x1.1c73b39ae68c8p-1,  0x1.a9b66290ea1a3p-1,  0x1.f6297cff75cb0p-1,
};

/* A share and its logarithmic slope: share / (x density). */
struct share {
    double below, slope;
};

/* For x up to about 1/2: x^a (1-x)^b / (a B) times the sum of x^n (a+b)_n / (a+1)_n, whose terms are positive and so
 * lose no digits. */
static struct share sum_share(double a, double b, double scale, double x)
{
    double sum = 1, term = 1;
    for (int n = 0; term > sum * 0x1p-58; n++) {
        term *= x * ((a + b + n) / (a + 1 + n));
        sum += term;
    }
    double front = Sleef_cinz_powd1_u10purec(x, a) * Sleef_cinz_powd1_u10purec(1 - x, b) / scale;
    return (struct share){front * sum, (1 - x) * sum / a};
}

static struct share share_below(const struct beta_tail *tail, double x)
{
    if (x <= 0.5) return sum_share(tail->a, tail->b, tail->scale, x);
    struct share above = sum_share(tail->b, tail->a, tail->scale * tail->b / tail->a, 1 - x);
    double density = above.below / (above.slope * (1 - x));
    return (struct share){1 - above.below, (1 - above.below) / (x * density)};
}

/* Newton's method for ln share against ln x, which is concave: from a start below the root it climbs to
 * the root and cannot jump over it. */
static double climb(const struct beta_tail *tail, double share, double x)
{
    for (int step = 0; step < 64; step++) {
        struct share at = share_below(tail, x);
        double rise = -Sleef_cinz_logd1_u10purec(at.below / share) * at.slope;
        x *= Sleef_cinz_expd1_u10purec(rise);
        if (fabs(rise) < 0x1p-30) break;
    }
    return x;
}

/* x^a / scale is at least the share below x, so that its inverse is at most the quantile. */
static double start(const struct beta_tail *tail, double share)
{
    return Sleef_cinz_powd1_u10purec(share * tail->scale, 1 / tail->a);
}

/* Newton's divided differences, in place: the polynomial through the values at the nodes. */
static void interpolate(double *values)
{
    for (int order = 1; order < BETA_NODES; order++)
        for (int at = BETA_NODES - 1; at >= order; at--)
            values[at] = (values[at] - values[at - 1]) / (nodes[at] - nodes[at - order]);
}

static double edge_of(uint64_t cell)
{
    uint64_t bits = (FIRST_CELL + cell) << CELL_SHIFT;
    double edge;
    memcpy(&edge, &bits, sizeof edge);
    return edge;
}

void beta_tail_init(struct beta_tail *tail, double a, double b)
{
    assert(a >= 1 && b >= 1 && a + b <= 2 + BETA_WEIGHT_MAX + 1e-12);
    tail->a = a;
    tail->b = b;
    tail->scale =
        a * Sleef_cinz_tgammad1_u10purec(a) * Sleef_cinz_tgammad1_u10purec(b) / Sleef_cinz_tgammad1_u10purec(a + b);
    double x = start(tail, edge_of(0));
    for (uint64_t cell = 0; cell < BETA_CELLS; cell++) {
        double low = edge_of(cell), half = (edge_of(cell + 1) - low) / 2;
        for (int at = 0; at < BETA_NODES; at++) {
            x = climb(tail, low + half * (1 + nodes[at]), x);
            tail->cells[cell][at] = x;
        }
        interpolate(tail->cells[cell]);
    }
}

/* Cells hold their upper edge, so that 1/2 is in the last one. */
double beta_tail_at(const struct beta_tail *tail, double share)
{
    uint64_t bits;
    assert(share > 0 && share <= 0.5);
    memcpy(&bits, &share, sizeof bits);
    bits--;
    uint64_t cell = bits >> CELL_SHIFT;
    if (cell < FIRST_CELL) return climb(tail, share, start(tail, share));

    uint64_t into = (bits & ((UINT64_C(1) << CELL_SHIFT) - 1)) + 1;
    double at = (double)(int64_t)into * 0x1p-48 - 1;
    const double *values = tail->cells[cell - FIRST_CELL];
    double value = values[BETA_NODES - 1];
    for (int node = BETA_NODES - 2; node >= 0; node--) value = value * (at - nodes[node]) + values[node];
    return value;
}
