/* The model `no-op`: no equations at all, so that what a block costs is what the machinery costs. It is
 * what tests/bench/bench_queue runs. One parameter, noop.value, and one measure, ones: the value in every
 * area, so that after n draws `n` is n and every statistic of the baseline is the parameter. */
#pragma once

#include <goldthread/model.h>

const struct model *noop_model(void);
