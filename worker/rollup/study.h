/* The study of a sweep: what it asks to know beyond the rollup. A study has *targets*, single figures whose
 * dependence on the parameters is wanted, and keeps of each a row of *sums* and a row of *counts* in the
 * node. Both only ever add up, so a node of a billion draws takes as much memory as one of a block, and what
 * they mean is known to worker/sensitivity alone.
 *
 * Sums are doubles of values less a centre of the target (the mean of a pilot, the same on every machine), counts
 * are whole numbers. Sums come group by group, since the spread between groups gives the intervals. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/sweep.h>

#define STUDY_TARGETS_MAX     4096u
#define STUDY_SUMS_MAX        (1u << 22) /* sums and counts of all targets: what a node may grow by, 32 MiB */
#define STUDY_CLASSES         32u        /* of a parameter's share, for the moment-independent measures ... */
#define STUDY_BINS            128u       /* ... against bins of the target between quantiles of the pilot */
#define STUDY_FAILURE_CLASSES 16u        /* of a parameter's share, for where runs fail */
#define STUDY_PILOT_DRAWS     512u

struct study_target {
    size_t column, area, kept; /* the figure, as plan_figure takes it */
};

struct study {
    const struct sweep *sweep; /* borrowed */
    uint32_t dimensions, rows, groups;
    struct study_target *targets; /* owned, [target_count]; by area, then column, then measure */
    size_t target_count;
    size_t group_sums;    /* doubles of one target and group */
    size_t target_sums;   /* of one target: groups * group_sums, or for one-at-a-time one value per draw */
    size_t sum_count;     /* of all targets */
    size_t target_counts; /* class counts of one target; 0 unless STUDY_DELTA */
    size_t count_count;   /* all targets' counts, then failures (study_failures) */
    size_t width;         /* values kept of each draw: target_count with keep_draws, otherwise 0 */
};

struct plan;

/* Lays the study of a plan out; the plan's areas, figures and columns are there. False: out of memory, or `why`
 * says what is too large or unknown. A sweep without study has 0 targets, and with more than one draw still
 * counts failures. */
bool study_lay_out(struct study *study, const struct plan *plan, char *why, size_t why_bytes);
void study_free(struct study *study);
