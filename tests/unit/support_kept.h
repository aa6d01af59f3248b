/* A small sweep whose draws are kept, and its root. */
#pragma once

#include "design.h"
#include "plan.h"
#include "support_linear.h"

/* All of it is there from kept_open() to kept_close(). */
extern struct sweep kept_sweep;
extern struct plan *kept_plan;
extern struct node *kept_root; /* of all draws */

/* One scenario of linear_sweep(), Sobol' draws, price one of 1, 2 and 4; flow and cost are kept, of England and its
 * regions. The caller may change the sweep before kept_open(). */
void kept_prepare(uint64_t draws);
void kept_open(void);
void kept_close(void);
