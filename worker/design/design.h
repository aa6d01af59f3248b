/* Designs: which draws a sweep makes. A draw is a pure function of (seed, design, index), so any
 * block can be made anywhere, in any order. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>
#include <goldthread/sweep.h>

struct design;

/* "one-at-a-time": as files and results name them. */
extern const char *const design_method_names[DESIGN_METHOD_COUNT];

/* Prepares quantile functions and tables. Borrows the sweep. NULL: `why` says why, out of memory or a
 * design that is impossible. The caller ends it with design_free(). */
struct design *design_new(const struct sweep *sweep, char *why, size_t why_bytes);
void design_free(struct design *design);

/* The number of draws that the method has: one for a point, a central one and two for each parameter of one at a
 * time, every combination of a grid (UINT64_MAX: more than SWEEP_DRAWS_MAX). 0: any number. */
uint64_t design_draw_count(const struct sweep *sweep);

/* Parameters that are drawn: the uncertain ones, or none for a point. */
size_t design_dimensions(const struct design *design);

/* A draw is made of one or several *rows*, each a model run of every scenario; sweep_rows() counts them. Row 0
 * is the draw itself: the rollup is made of it alone. With d dimensions:
 *
 *   Saltelli      row 0 is A, row 1 is B, two independent points; row 2 + i is A with dimension i from B, and with
 *                 second order row 2 + d + i is B with dimension i from A
 *   Morris        a trajectory: row k differs from row k - 1 in one dimension, in an order of the draw's own
 *   derivative    row 1 + i is row 0 with a step in the share of dimension i, away from the nearer end, by 2^-14 of the
 *                 way to it
 *   Shapley       row 0 is a point of the joint distribution; in row k, k dimensions are drawn anew given the others.
 *                 Row k differs from row k - 1 in that one dimension more is drawn anew, in an order of the draw's own
 *
 * Random, Sobol', Latin hypercube, one at a time (draw 0 has all central values, draws 1 + 2 i and 2 + 2 i the low and
 * the high one of dimension i: the shares of the sweep's outermost quantiles) and grid have row 0 only. Row 0 of
 * derivative and Shapley is the draw of the same number of a Sobol' design, and so is Saltelli's.
 *
 * Draws do not depend on how many there are, but for Latin hypercube. Designs of Sobol' points make sweep->groups
 * independent scrambles of one net, and a Latin hypercube as many independent hypercubes: each group's draws are a
 * net or a hypercube of their own (net.h, latin.h).
 *
 * Values of draws first .. first + MODEL_LANES - 1 in one row, for every parameter of the sweep, before any
 * scenario's settings: values[parameter_count]. Fixed parameters have their central value. shares: NULL, or
 * [dimensions], the share of the parameter's distribution that lies below the value, 0 < share < 1. first: below
 * SWEEP_DRAWS_MAX, and a multiple of MODEL_LANES or of draws per block if that is less; draws beyond sweep->draws
 * are given too. */
void design_row(const struct design *design, uint32_t row, uint64_t first, model_lanes *values, model_lanes *shares);

/* Morris and Shapley: order[k - 1][lane] is the dimension in which row k of a draw differs from row k - 1. Others:
 * k - 1 in every lane. order: [dimensions]. */
void design_order(const struct design *design, uint64_t first, uint16_t (*order)[MODEL_LANES]);

/* Morris: the step of row k, in shares, from row k - 1: +delta or -delta; derivative: from row 0, and in normal scores
 * where distribution_scale() says so. step: [dimensions], by k - 1. Others: not to be called. */
void design_steps(const struct design *design, uint64_t first, model_lanes *steps);

/* The value of a dimension's parameter below which a share of its distribution lies; 0 < share < 1. */
double design_value(const struct design *design, size_t dimension, double share);

/* The parameter, an index into the sweep's, that a dimension draws. */
size_t design_parameter(const struct design *design, size_t dimension);
