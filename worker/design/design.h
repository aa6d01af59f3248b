/* Designs: which draws a sweep makes. A draw is a pure function of (seed, design, index), so any
 * block can be made anywhere, in any order. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>
#include <goldthread/sweep.h>

struct design;

/* Prepares quantile functions and tables. Borrows the sweep. NULL: `why` says why, out of memory or a
 * design that is impossible. The caller ends it with design_free(). */
struct design *design_new(const struct sweep *sweep, char *why, size_t why_bytes);
void design_free(struct design *design);

/* Parameters that are drawn: the uncertain ones, or none for a point. */
size_t design_dimensions(const struct design *design);

/* Values of draws first .. first + MODEL_LANES - 1 for every parameter of the sweep, before any
 * scenario's settings: values[parameter_count]. Fixed parameters have their central value. first: below
 * SWEEP_DRAWS_MAX; draws beyond sweep->draws are given too. */
void design_draws(const struct design *design, uint64_t first, model_lanes *values);
