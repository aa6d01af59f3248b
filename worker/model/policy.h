/* What one scenario sets for a batch of draws, as rows of lanes ready for use: reach (e2), dose and
 * filter of effects (e3), RISE and teaching quality as series. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <goldthread/model.h>

#include "columns.h"

#define EFFECT_YEARS  5 /* G_t sums rho^k Q_{t-k} over k = 0..4 */
#define LAG_YEARS_MAX 10
#define FILTER_MAX    (LAG_YEARS_MAX + EFFECT_YEARS)

/* The values of one scenario, by column. */
struct settings {
    const model_lanes *values; /* borrowed */
    const uint16_t *places;    /* borrowed, [COLUMN_COUNT] */
};

static inline const double *setting(const struct settings *settings, int column)
{
    return settings->values[settings->places[column]];
}

struct policy {
    model_lanes funded_years, churn, initial_reach;
    model_lanes practice_kept;               /* 1 - delta */
    model_lanes start_share[QUINTILE_COUNT]; /* s_q */
    model_lanes cover_gbp[QUINTILE_COUNT];
    bool covered[QUINTILE_COUNT]; /* some lane pays cover */
    uint32_t years_funded;        /* the most of any lane, at most the years of the run */
    bool any_churn;

    model_lanes retention;             /* r g, before x_t */
    model_lanes filter[FILTER_MAX];    /* phi g rho^(j - lag): K_{t-j} to G_t, for e0 = 1 */
    unsigned filter_first, filter_end; /* outside, every lane's coefficient is 0 */

    bool any_rise, any_quality;
    model_lanes rise_gain[MODEL_YEARS_MAX];    /* RISE term of G_t in a flagged school, times rise.schools_scale */
    model_lanes rise_grant_gbp;                /* per flagged school, once; 0 when RISE is off */
    model_lanes quality_gain[MODEL_YEARS_MAX]; /* teaching-quality term of G_t in every school */
};

void policy_read(struct policy *policy, const struct settings *settings, uint32_t years);
