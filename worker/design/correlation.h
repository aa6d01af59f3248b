/* Correlated parameters: a Gaussian copula. Each correlated parameter has a normal score; scores have a joint normal
 * distribution, and the share of a parameter is the normal share of its score. A rank correlation (Spearman's) of
 * rho is that of scores whose correlation is 2 sin(pi rho / 6) (K. Pearson, 1907), so it holds for any continuous
 * distributions; for those with steps it comes out smaller, as ties do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>
#include <goldthread/sweep.h>

#define COPULA_MEMBERS_MAX 128

struct copula;

/* Takes the sweep's correlations of parameters that are drawn. NULL: `why` says why: out of memory, a pair that
 * cannot be, more than COPULA_MEMBERS_MAX correlated parameters, or pairs that contradict one another; then it also
 * names the changes that lead to the nearest pairs that do not. The caller ends it with copula_free(). */
struct copula *copula_new(const struct sweep *sweep, char *why, size_t why_bytes);
void copula_free(struct copula *copula);

/* Is the dimension correlated with any other? */
bool copula_has(const struct copula *copula, size_t dimension);

/* Independent shares [dimensions] into correlated ones, in place. A dimension's share depends on those before it
 * only, and stays as it is where none of these is correlated with it. */
void copula_join(const struct copula *copula, model_lanes *shares);

/* One lane of joined draws: given the correlated dimensions among the first `kept` of the order (a permutation of all
 * dimensions), those that follow are drawn anew from the independent shares `fresh`. shares: before copula_join() is
 * applied; after, joined. Takes m^3 / 6 multiplications and
 * some 3 m quantiles or shares of the normal for m correlated dimensions, each time: with up to about 40 of them, no
 * more than a small model does. */
void copula_redraw(const struct copula *copula, const uint16_t *order, size_t kept, size_t lane, model_lanes *shares,
                   const model_lanes *fresh);
