/* Gathering: what the rows of a batch of draws add to the sums and counts of a study. Pure, and in a fixed
 * order of operations: the same batch adds the same bits on any machine. */
#pragma once

#include <stdint.h>

#include <goldthread/model.h>

#include "study.h"

/* A value of this size or more counts as undefined for a study, so that its square is finite. */
#define GATHER_VALUE_MAX 1e140

/* A batch: the draws first .. first + draws - 1, all of one group. */
struct batch {
    uint64_t first;
    uint32_t draws;            /* 1..MODEL_LANES; lanes beyond are not looked at */
    const model_lanes *values; /* [target_count][rows]: the targets' figures, not centred */
    const uint32_t *valid;     /* [target_count][rows]: lanes whose run did not fail and whose figure is defined */
    const uint32_t *failed;    /* [rows]: lanes whose run failed */
    const model_lanes *const *shares;     /* [rows]: each [dimensions], shares of the parameters in that row */
    const uint16_t (*order)[MODEL_LANES]; /* [dimensions], as design_order() gives it */
    const model_lanes *steps;             /* [dimensions], as design_steps() gives it; NULL where there are none */
};

/* What the pilot found, for every target: its mean, and the edges between bins. */
struct pilot {
    const double *centres;                 /* [target_count] */
    const double (*edges)[STUDY_BINS - 1]; /* [target_count], ascending; NULL unless STUDY_DELTA */
};

/* Adds one batch to sums[study->sum_count] and counts[study->count_count]. */
void gather(const struct study *study, const struct pilot *pilot, const struct batch *batch, double *sums,
            uint64_t *counts);
