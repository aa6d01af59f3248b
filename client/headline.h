/* The table that ends a run: England, the baseline against each scenario, for the measures that people
 * ask about first. Pure. */
#pragma once

#include <stdbool.h>

#include "bytes.h"
#include "node.h"
#include "plan.h"

/* Appends the table as text. Says nothing when the sweep has no figures for England. */
void headline_write(const struct plan *plan, const struct node *root, struct buffer *out);
