/* A sweep: scenarios x design x population x outputs. It holds everything that decides a result,
 * and nothing else; the SHA-256 of its canonical encoding (proto/sweep_codec.h) is its identity.
 * A plain value of fixed size: no pointers, nothing to free. */
#pragma once

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

enum design_method { DESIGN_POINT, DESIGN_RANDOM, DESIGN_SOBOL };

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

/* Blocks of a sweep: draws / draws_per_block, rounded up. */
static inline uint64_t sweep_block_count(const struct sweep *sweep)
{
    return (sweep->draws + sweep->draws_per_block - 1) / sweep->draws_per_block;
}
