/* draws.csv: one line for each draw that a sweep keeps. Pure. */
#pragma once

#include <stdbool.h>

#include "bytes.h"
#include "node.h"
#include "plan.h"

/* Emits the file piece by piece, so that it never is in memory as a whole: a header, then for each draw its number,
 * 1 if it failed, the value of every drawn parameter, and every figure that is kept, empty where it is undefined or
 * the draw failed. A figure's column is named SCENARIO/AREA_CODE/MEASURE. A piece is valid during the call. root: of
 * all draws from 0 on, with kept values. False: emit said so, or out of memory. */
bool draws_csv(const struct plan *plan, const struct node *root, bool (*emit)(void *context, struct span piece),
               void *context);
