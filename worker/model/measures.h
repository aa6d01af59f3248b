/* Figures from parts: which measures there are, for which years, and how each is made. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/model.h>

#include "run.h"

/* All measures of the model, in the order of their numbers. */
const struct model_measure *measures_table(size_t *count);

/* Sets run->figures and run->layout for the run's years and options. False: out of memory. */
bool measures_plan(struct model_run *run);

/* model.h's measure(). */
void measures_of_area(const struct model_run *run, size_t area, const model_lanes *parts, const model_lanes *minus,
                      model_lanes *out);
