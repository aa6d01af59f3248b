/* The parts of one area: sums over its groups, and its money. */
#pragma once

#include <goldthread/model.h>

#include "run.h"

/* Fills parts[layout.count] for area `area` from the trajectories of the scenario that has just run. */
void parts_of_area(struct model_run *run, const struct settings *settings, size_t area, model_lanes *parts);
