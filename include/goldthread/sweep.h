/* A sweep: scenarios x design x population x outputs. It holds everything that decides a result,
 * and nothing else; the SHA-256 of its canonical encoding (proto/sweep_codec.h) is its identity.
 * A plain value of fixed size: no pointers, nothing to free. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/area.h>
#include <goldthread/digest.h>
#include <goldthread/model.h>
#include <goldthread/parameter.h>

#define SWEEP_NAME_BYTES 64
#define SWEEP_SCENARIOS_MAX 32
#define SWEEP_SETTINGS_MAX 64
#define SWEEP_QUANTILES_MAX 16
#define SWEEP_MEASURES_MAX 64
#define SWEEP_DRAWS_MAX (UINT64_C(1) << 40)

#define SWEEP_POOL_MAX 8192
#define SWEEP_CORRELATIONS_MAX 512
#define SWEEP_THRESHOLDS_MAX 16
#define SWEEP_GROUPS_MAX 64
#define SWEEP_LEVELS_MAX 64

/* How draws are chosen; worker/design/design.h says what a draw is made of. */
enum design_method {
    DESIGN_POINT,
    DESIGN_RANDOM,
    DESIGN_SOBOL,
    DESIGN_ONE_AT_A_TIME,
    DESIGN_GRID,
    DESIGN_LATIN_HYPERCUBE,
    DESIGN_MORRIS,
    DESIGN_SALTELLI,
    DESIGN_DERIVATIVE,
    DESIGN_SHAPLEY,
    DESIGN_METHOD_COUNT
};

/* Extra rows per area: figures by phase, by quintile. */
enum { SWEEP_BY_PHASE = 1, SWEEP_BY_QUINTILE = 2 };

struct sweep_parameter {
    char name[48];
    double central;                    /* after --set; NaN: unset */
    struct distribution distribution;  /* FIXED: not drawn */
};

struct sweep_setting {
    uint32_t parameter;                /* index into parameters */
    double value;
};

/* Rank correlation (Spearman's) of two drawn parameters, joined by a Gaussian copula. */
struct sweep_correlation {
    uint32_t left, right;              /* indexes into parameters, left < right */
    double rank;                       /* inside (-1, 1) and not 0 */
};

enum threshold_side { THRESHOLD_ABOVE, THRESHOLD_AT_LEAST, THRESHOLD_BELOW, THRESHOLD_AT_MOST, THRESHOLD_SIDE_COUNT };

/* A question that a draw answers with yes or no; an undefined figure answers no. */
struct sweep_threshold {
    char measure[32];
    uint32_t year;                     /* 1..years, or MODEL_YEAR_ALL */
    enum threshold_side side;
    double value;
};

/* Extra estimates that cost more than the design's own. */
enum { STUDY_SECOND_ORDER = 1, STUDY_DELTA = 2 };

/* Sensitivity of which measures, and how. A measure stands for its figure of year `all`, or where it has
 * none, of the last year. */
struct sweep_study {
    uint32_t measure_count;            /* 0: no study */
    char measures[SWEEP_THRESHOLDS_MAX][32];
    uint32_t levels;                   /* bits 1 << enum area_level, a part of the sweep's */
    uint32_t extras;                   /* STUDY_... */
};

enum stop_kind { STOP_NEVER, STOP_HALF_WIDTH, STOP_RANKING, STOP_KIND_COUNT };

/* When a sweep is sure enough to end before its last draw (worker/sensitivity/stop.h). */
struct sweep_stop {
    enum stop_kind kind;
    char measure[32];
    char area_code[16];
    uint32_t scenario;                 /* above 0: the difference of this scenario to the first; 0: the first itself */
    double half_width;                 /* of the mean, in the measure's unit; above 0 */
    uint32_t top;                      /* ranking: how many drivers must stand apart */
    double confidence;                 /* inside (0, 1) */
};

struct sweep_scenario {
    char name[SWEEP_NAME_BYTES];
    uint32_t setting_count;            /* ascending by parameter */
    struct sweep_setting settings[SWEEP_SETTINGS_MAX];
};

struct sweep {
    char name[SWEEP_NAME_BYTES];
    char model[SWEEP_NAME_BYTES], model_version[SWEEP_NAME_BYTES];
    char population_name[SWEEP_NAME_BYTES];
    struct digest population;          /* of its canonical encoding */
    uint32_t years;                    /* T, 1..MODEL_YEARS_MAX */
    uint32_t first_year;               /* the school year of t = 1: 202526 */
    uint64_t seed;
    enum design_method method;
    uint64_t draws;                    /* at least 1; 1 for DESIGN_POINT */
    uint32_t draws_per_block;          /* set by plan_new, a pure function of all but draws; before: 0, or the
                                          power of two that is asked for */

    uint32_t groups;                   /* groups of draws, for intervals: a power of two, at most SWEEP_GROUPS_MAX; 0: as 1.
                                          Designs of Sobol' points have as many independent scrambles, a Latin
                                          hypercube is as many independent hypercubes */
    uint32_t design_levels;            /* grid, Morris: values of each parameter, 2..SWEEP_LEVELS_MAX; others: 0 */
    uint32_t correlation_count;        /* ascending by (left, right) */
    struct sweep_correlation correlations[SWEEP_CORRELATIONS_MAX];
    uint32_t pool_count;               /* values of empirical distributions */
    double pool[SWEEP_POOL_MAX];

    struct sweep_study study;
    struct sweep_stop stop;
    uint32_t threshold_count;          /* each adds a figure: the share of draws that answer yes */
    struct sweep_threshold thresholds[SWEEP_THRESHOLDS_MAX];
    uint32_t satisfice_count;          /* together one more: the share of draws that answer yes to all */
    struct sweep_threshold satisfice[SWEEP_THRESHOLDS_MAX];
    char regret_measure[32];           /* not empty: adds the regret of each scenario, against the best of the draw */
    uint32_t regret_lowest;            /* 1: the lowest is the best */
    uint32_t keep_draws;               /* 1: values of the study's targets are kept draw by draw */
    struct sweep_threshold discover;   /* measure not empty: where in the parameters are the draws that answer yes? */

    uint32_t levels;                   /* bits 1 << enum area_level */
    uint32_t by;                       /* SWEEP_BY_... */
    uint32_t quantile_count;
    double quantiles[SWEEP_QUANTILES_MAX]; /* ascending, inside (0, 1) */
    uint32_t measure_count;            /* 0: every measure of the model */
    char measures[SWEEP_MEASURES_MAX][32];

    uint32_t parameter_count;          /* all of the model's, in its order */
    struct sweep_parameter parameters[MODEL_PARAMETERS_MAX];
    uint32_t scenario_count;           /* the first is the baseline */
    struct sweep_scenario scenarios[SWEEP_SCENARIOS_MAX];
};

/* Parameters that are drawn, in the sweep's order: its dimensions. */
static inline uint32_t sweep_dimensions(const struct sweep *sweep)
{
    uint32_t count = 0;
    if (sweep->method == DESIGN_POINT) return 0;
    for (uint32_t at = 0; at < sweep->parameter_count; at++)
        count += sweep->parameters[at].distribution.kind != DISTRIBUTION_FIXED;
    return count;
}

/* The parameter that a dimension draws; dimension: below sweep_dimensions(). */
static inline uint32_t sweep_parameter_of(const struct sweep *sweep, uint32_t dimension)
{
    uint32_t at = 0;
    while (sweep->parameters[at].distribution.kind == DISTRIBUTION_FIXED || dimension-- > 0) at++;
    return at;
}

/* Model runs of each scenario that one draw is made of (worker/design/design.h names them). */
static inline uint32_t sweep_rows(const struct sweep *sweep)
{
    uint32_t dimensions = sweep_dimensions(sweep);
    switch (sweep->method) {
    case DESIGN_SALTELLI:
        return 2 + dimensions * (sweep->study.extras & STUDY_SECOND_ORDER ? 2 : 1);
    case DESIGN_MORRIS:
    case DESIGN_DERIVATIVE:
    case DESIGN_SHAPLEY:
        return 1 + dimensions;
    default:
        return 1;
    }
}

/* Whether a prefix of the draws is a design of its own: such a sweep may end early, and be made longer. */
static inline bool sweep_can_extend(const struct sweep *sweep)
{
    return sweep->method == DESIGN_RANDOM || sweep->method == DESIGN_SOBOL || sweep->method == DESIGN_SALTELLI ||
           sweep->method == DESIGN_DERIVATIVE || sweep->method == DESIGN_SHAPLEY;
}

/* The group of a draw: 32 draws in a row share one, then comes the next group. */
static inline uint32_t sweep_group(const struct sweep *sweep, uint64_t draw)
{
    return sweep->groups ? (uint32_t)(draw / MODEL_LANES % sweep->groups) : 0;
}

/* Whether the design spreads its draws more evenly than chance does, so that their mean is surer than sd / sqrt(n). */
static inline bool sweep_spreads_evenly(const struct sweep *sweep)
{
    return sweep->method == DESIGN_LATIN_HYPERCUBE || (sweep_can_extend(sweep) && sweep->method != DESIGN_RANDOM);
}

/* Whether it does so in several independent replicates, whose spread tells how sure. */
static inline bool sweep_has_replicates(const struct sweep *sweep)
{
    return sweep_spreads_evenly(sweep) && sweep->groups > 1;
}

/* Blocks of as many draws as one may have: all of the sweep's, or all but the last. */
static inline uint64_t sweep_full_block_count(const struct sweep *sweep)
{
    return sweep->draws / sweep->draws_per_block;
}

/* Blocks of a sweep: draws / draws_per_block, rounded up. */
static inline uint64_t sweep_block_count(const struct sweep *sweep)
{
    return (sweep->draws + sweep->draws_per_block - 1) / sweep->draws_per_block;
}
