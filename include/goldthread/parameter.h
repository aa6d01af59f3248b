/* Parameters: uncertain numbers with a unit, bounds, a distribution and a source. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DISTRIBUTION_POINTS_MAX 16

enum distribution_kind {
    DISTRIBUTION_FIXED,            /* always the parameter's central value */
    DISTRIBUTION_UNIFORM,          /* low, high */
    DISTRIBUTION_TRIANGULAR,       /* low, mode, high */
    DISTRIBUTION_NORMAL,           /* mean, sd */
    DISTRIBUTION_TRUNCATED_NORMAL, /* mean, sd (of the untruncated), low, high */
    DISTRIBUTION_LOGNORMAL,        /* median, sigma: exp(ln median + sigma Z) */
    DISTRIBUTION_BETA,             /* PERT: low, mode, high; shape weight 4 */
    DISTRIBUTION_DISCRETE,         /* values with weights */
    DISTRIBUTION_LOG_UNIFORM,      /* low, high, both above 0: uniform on the log scale */
    DISTRIBUTION_PERT,             /* low, mode, high, and in weights[0] the shape weight of the mode */
    DISTRIBUTION_EMPIRICAL,        /* the values of a sample, each as likely as the others */
    DISTRIBUTION_KIND_COUNT
};

struct distribution {
    enum distribution_kind kind;
    double low, mode, high;   /* bounds in the parameter's own unit; mode of triangular, beta and PERT */
    double mean, sd;          /* normal and truncated normal */
    double median, sigma;     /* lognormal: median in the unit, sigma on the log scale */
    uint32_t point_count;     /* discrete: 1 to DISTRIBUTION_POINTS_MAX; empirical: at least 1 */
    uint32_t pool_first;      /* empirical: its values are point_count of the sweep's pool from here on, ascending */
    double values[DISTRIBUTION_POINTS_MAX];  /* ascending */
    double weights[DISTRIBUTION_POINTS_MAX]; /* above 0; need not sum to 1. PERT: [0], at most 6 */
};

enum parameter_status { PARAMETER_PUBLISHED, PARAMETER_DERIVED, PARAMETER_ASSUMPTION };

/* One row of a model's parameter table. Strings are borrowed from the table. */
struct parameter {
    const char *name;        /* lower-case words joined by dots and underscores, below 48 bytes */
    const char *symbol;      /* as in the equations; may be empty */
    const char *unit;
    double central;          /* NaN: unset unless a scenario sets it */
    double low, high;        /* plausible range; a value outside is only noted. NaN: none given */
    double lower, upper;     /* hard, mathematical bounds; a value outside is refused */
    bool whole;              /* only whole numbers are allowed */
    const char *choices;     /* NULL, or names for 0, 1, ...: "static|dynamic" */
    struct distribution distribution; /* FIXED: not uncertain unless a scenario file says so */
    enum parameter_status status;
    const char *source;      /* where the figure comes from */
    const char *meaning;     /* one line for people */
};
