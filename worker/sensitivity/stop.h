/* "Stop when sure": whether the draws that are there say enough. Pure.
 *
 * The rule of a sweep (sweep->stop) is looked at when exactly its first 2^level blocks are folded, for each level
 * from a first one up, and nowhere else: a *checkpoint*. What is looked at is then the same for any number of
 * workers and any order of arrival, and so is the end of the sweep. Looking only where the draws have doubled also
 * keeps low how often chance alone meets the rule. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <goldthread/sweep.h>

struct node;
struct plan;

/* Draws below which nothing is looked at: intervals come from the spread between groups, of which each needs some
 * draws of its own. */
#define STOP_DRAWS_LEAST       512u
#define STOP_GROUP_DRAWS_LEAST 64u

#define STOP_NO_RULE UINT32_MAX

/* The level of the first checkpoint: the smallest of at least that many draws. STOP_NO_RULE: the sweep has no rule.
 * A pure function of the sweep, whose draws_per_block is set. */
uint32_t stop_first_level(const struct sweep *sweep);

/* Whether the rule of the plan's sweep, which has one, is met by the draws of a node: the half-width of the mean's
 * interval is at most what is asked for; or the `top` drivers with the largest total (Saltelli) or Shapley effect
 * lie apart from the others, each interval above each of theirs. What is undefined meets no rule. False: out of
 * memory. */
bool stop_is_met(const struct plan *plan, const struct node *node, bool *met);

/* Half the width of the interval of the mean that the rule names, at its confidence, in the measure's unit. NaN: it
 * is undefined, or there is no memory. */
double stop_half_width(const struct plan *plan, const struct node *node);
