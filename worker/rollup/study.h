/* The study of a sweep: what it asks to know beyond the rollup. A study has *targets*, single figures whose
 * dependence on the parameters is wanted, and keeps of each a row of *sums* and a row of *counts* in the
 * node. Both only ever add up, so a node of a billion draws takes as much memory as one of a block, and what
 * they mean is known to worker/sensitivity alone.
 *
 * Sums are doubles of values less a centre of the target (the mean of a pilot, the same on every machine), counts
 * are whole numbers. Sums come group by group, since the spread between groups gives the intervals. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/sweep.h>

#define STUDY_TARGETS_MAX     4096u
#define STUDY_SUMS_MAX        (1u << 22) /* sums and counts of all targets: what a node may grow by, 32 MiB */
#define STUDY_CLASSES         64u        /* of a parameter's share, for the moment-independent measures ... */
#define STUDY_BINS            128u       /* ... against bins of the target between quantiles of the pilot */
#define STUDY_DELTA_RUNS      256u       /* fewer tell nothing of delta from chance */
#define STUDY_FAILURE_CLASSES 16u        /* of a parameter's share, for where runs fail */
#define STUDY_PILOT_DRAWS     512u

struct study_target {
    size_t column, area, kept; /* the figure, as plan_figure takes it ... */
    size_t figure;             /* ... and as it gives it */
};

/* Sums of one target and group. All y are values less the target's centre, of lanes in which every run that takes part
 * is valid; i and j count dimensions. First, for every method but one at a time, row 0: */
enum { SUM_N, SUM_Y, SUM_YY, STUDY_BASE_SUMS };

/* Saltelli and Shapley, behind the base: B, which has nothing in common with row 0, or A; then A and B of a draw.
 * Saltelli names rows as design.h does; of Shapley A is the last row, in which all is drawn anew, and B is row 0. */
enum { OTHER_N, OTHER, OTHER_SQUARE, BOTH_N, BOTH_A, BOTH_B, BOTH_PRODUCT, BOTH_GAP, STUDY_BOTH_SUMS };

/* Then of each dimension: A, B and AB_i, which is A with dimension i of B; and two rows with only i between them. */
enum {
    FIRST_N,
    FIRST_STEP,    /* y(AB_i) - y(A) */
    FIRST_PRODUCT, /* y(B) (y(AB_i) - y(A)) */
    FIRST_GAP,     /* (y(B) - y(AB_i))^2 */
    TOTAL_N,
    TOTAL_GAP, /* (y(A) - y(AB_i))^2; Shapley: (y(row 0) - y(row 1))^2 */
    SALTELLI_SUMS,
    SHAPLEY_N = SALTELLI_SUMS,
    SHAPLEY, /* by how much the variance left grows as i is drawn anew, too: gather.c */
    SHAPLEY_SUMS
};

/* Saltelli with second order, of each dimension instead: A, B, AB_i and BA_i; ... */
enum {
    SQUARE_N,
    SQUARE_FIRST, /* (y(AB_i) - y(A)) (y(B) - y(BA_i)) */
    SQUARE_TOTAL, /* (y(A) - y(AB_i))^2 + (y(B) - y(BA_i))^2 */
    SQUARE_ALL,   /* (y(A) - y(B))^2 + (y(AB_i) - y(BA_i))^2 */
    SECOND_SUMS
};

/* ... then of each pair i < j: (y(BA_i) - y(AB_j))^2 and (y(BA_j) - y(AB_i))^2. */
enum { PAIR_N, PAIR_GAP, PAIR_SUMS };

/* Morris and derivative, of each dimension: elementary effects, (y(row k) - y(row before)) / step. */
enum { EFFECT_N, EFFECT, EFFECT_ABSOLUTE, EFFECT_SQUARE, EFFECT_SUMS };

/* One-at-a-time has no groups: a place for each draw, holding the value itself, and 1 when it is valid. */
enum { SLOT_VALID, SLOT_VALUE, SLOT_SUMS };

struct study {
    const struct sweep *sweep; /* borrowed */
    uint32_t dimensions, rows, groups;
    struct study_target *targets; /* owned, [target_count]; by area, then column, then measure */
    size_t target_count;
    size_t stop_target;   /* of the sweep's stop rule; SIZE_MAX: it has none */
    size_t group_sums;    /* doubles of one target and group */
    size_t target_sums;   /* of one target: groups * group_sums, or for one-at-a-time one slot per draw */
    size_t sum_count;     /* of all targets */
    size_t target_counts; /* class counts of one target: [dimensions + 1][STUDY_CLASSES][STUDY_BINS], the last of a
                             dummy; 0 unless STUDY_DELTA */
    size_t count_count;   /* all targets' counts, then failing runs: [dimensions][STUDY_FAILURE_CLASSES] by the row's
                             share, and their number */
    size_t width;         /* values kept of each draw: target_count with keep_draws, otherwise 0 */
};

/* The pair i < j among all pairs. */
static inline size_t study_pair(size_t dimensions, size_t i, size_t j)
{
    return i * (2 * dimensions - i - 1) / 2 + (j - i - 1);
}

/* Where in sums the group of a target begins; where in counts the classes of a target, and the failures. */
static inline size_t study_sums_at(const struct study *study, size_t target, size_t group)
{
    return target * study->target_sums + group * study->group_sums;
}
static inline size_t study_failures_at(const struct study *study)
{
    return study->target_count * study->target_counts;
}

struct plan;

/* The first target of an area and column, or where it would be: targets ascend by both. */
size_t study_first_target(const struct study *study, size_t column, size_t area);

/* The standard error of the mean of a target from the spread between replicates, which of a Sobol' design or a Latin
 * hypercube is far below sd / sqrt(n): the jackknife for groups of unlike sizes (Busing, Meijer and van der Leeden,
 * Stat. Comput. 9, 3-8 (1999)), as sensitivity.csv has it. sums: of a node; count: draws there in which the figure is
 * defined. NaN: random draws, which need none, fewer than two replicates, or sums that lack values that are too large
 * for them. */
double study_mean_error(const struct study *study, size_t target, const double *sums, uint64_t count);

/* Lays the study of a plan out; the plan's areas, figures and columns are there. False: out of memory, or `why`
 * says what is too large or unknown, or why the stop rule can never be met. A sweep without study has 0 targets and,
 * unless it is a point, still counts failures. The caller ends it with study_free(). */
bool study_lay_out(struct study *study, const struct plan *plan, char *why, size_t why_bytes);
void study_free(struct study *study);
