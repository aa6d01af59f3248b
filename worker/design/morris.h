/* Trajectories of Morris' design (M. D. Morris, Technometrics 33, 161-174 (1991)), optimised by balance: of the
 * trajectories, each level of each parameter begins as many as any other, as the strata of a Latin hypercube have it,
 * so that few of them already see all of a parameter's range, and each is still as likely as any other to be anything.
 * They are not chosen to lie far apart (F. Campolongo, J. Cariboni and A. Saltelli, Environ. Model. Softw. 22,
 * 1509-1518 (2007)): those that do end in corners, where effects are not what they are elsewhere, and mu_star is off.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>

#include "latin.h"

#define MORRIS_LEVELS 4   /* when a sweep does not say */
#define MORRIS_STEP   0.5 /* of every trajectory, in shares */

/* Trajectories of dimension_count steps over `levels` (even, at most 254) levels of share: (k + 1/2) / levels, so that
 * no share is 0 or 1, which have no value in many distributions; a step is half the levels, 1/2 in shares. A parameter
 * that is uniform from -w to 1 + w, w = 1 / (2 (levels - 1)), thus takes Morris' own values 0, 1 / (levels - 1) .. 1.
 */
struct morris {
    uint64_t seed;
    size_t dimension_count; /* at most MODEL_PARAMETERS_MAX */
    uint32_t levels;
    const struct latin *latin; /* borrowed; of as many strata as there are draws */
};

/* Shares of one draw's row, and what it is made of: shares[dimension * MODEL_LANES] and so on, so that lanes of a
 * batch are filled one after another; order as design_order() has it, steps as design_steps(). */
void morris_row(const struct morris *morris, uint32_t row, uint64_t draw, double *shares);
void morris_order(const struct morris *morris, uint64_t draw, uint16_t *order);
void morris_steps(const struct morris *morris, uint64_t draw, double *steps);
