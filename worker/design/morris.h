/* Trajectories of Morris' design (M. D. Morris, Technometrics 33, 161-174 (1991)), chosen apart from one another as
 * Campolongo, Cariboni and Saltelli do (Environ. Model. Softw. 22, 1509-1518 (2007)), one after another as Ruano,
 * Ribes and Ferrer (Environ. Model. Softw. 37, 103-109 (2012)). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>

#define MORRIS_LEVELS     4          /* when a sweep does not say */
#define MORRIS_STEP       0.5        /* of every trajectory, in shares */
#define MORRIS_CANDIDATES 10         /* trajectories to choose from for each that is wanted ... */
#define MORRIS_PAIRS_MAX  (1u << 26) /* ... while comparing them takes fewer pairs of points than this */

struct morris;

/* Trajectories of dimension_count steps over `levels` (even) levels of share: (k + 1/2) / levels, so that no share is
 * 0 or 1, which have no value in many distributions; a step is half the levels, 1/2 in shares. A parameter that is
 * uniform from -w to 1 + w, w = 1 / (2 (levels - 1)), thus takes Morris' own values 0, 1 / (levels - 1) .. 1.
 *
 * `draws` trajectories are chosen from MORRIS_CANDIDATES times as many random ones: the first is candidate 0, each
 * next has the largest distance to the nearest chosen one; the distance of two is the sum over all pairs of their
 * points. That takes about 10 draws^2 (dimensions + 1)^2 pairs, fewer candidates being used to keep it below
 * MORRIS_PAIRS_MAX (well below a second); where not even twice as many could be compared, and beyond `draws`,
 * trajectories are the random ones as they come. The choice depends on the number of draws.
 *
 * NULL: out of memory. The caller ends it with morris_free(). */
struct morris *morris_new(uint64_t seed, size_t dimension_count, uint32_t levels, uint64_t draws);
void morris_free(struct morris *morris);

/* Shares of one draw's row, and what it is made of: shares[dimension * MODEL_LANES] and so on, so that lanes of a
 * batch are filled one after another; order as design_order() has it, steps as design_steps(). */
void morris_row(const struct morris *morris, uint32_t row, uint64_t draw, double *shares);
void morris_order(const struct morris *morris, uint64_t draw, uint16_t *order);
void morris_steps(const struct morris *morris, uint64_t draw, double *steps);
