/* Which designs are possible. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/sweep.h>

/* False: the sweep has a distribution, a method or a setting of it that no draw can be made from; `why` says which,
 * and what is allowed. Correlations that contradict one another are left to copula_new(). */
bool design_possible(const struct sweep *sweep, char *why, size_t why_bytes);
