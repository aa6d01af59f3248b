/* How the scenarios of a sweep compare in England, where it asks for regret or satisficing. Pure.
 *
 * Regret is what a scenario falls short, draw by draw, of the best scenario of that draw. The one whose largest regret
 * is the smallest is the minimax choice (L. J. Savage, J. Am. Stat. Assoc. 46, 55-67 (1951)): it never does much worse
 * than what would have been best. */
#pragma once

#include <jansson.h>

#include "bytes.h"
#include "node.h"
#include "plan.h"

/* Appends lines of text: none without such a question, or without figures for England. Intervals are 95 % for
 * the Monte Carlo error alone, 1.96 standard errors either way. */
void comparison_write(const struct plan *plan, const struct node *root, struct buffer *out);

/* Adds `compare` to a JSON object, on the same conditions. Undefined is null. */
void comparison_describe(const struct plan *plan, const struct node *root, json_t *object);
