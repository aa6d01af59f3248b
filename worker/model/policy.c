#include "policy.h"

#include <string.h>

#include <sleef.h>

#include "lanes.h"

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static bool any_above_zero(const double *row)
{
    bool any = false;
    for (int i = 0; i < MODEL_LANES; i++) any |= row[i] > 0;
    return any;
}

static uint32_t most_years(const double *row, uint32_t years)
{
    uint32_t most = 0;
    for (uint32_t year = 1; year <= years; year++)
        for (int i = 0; i < MODEL_LANES; i++)
            if (row[i] >= year) most = year;
    return most;
}

/* e2, e11: the quintile's own share where it is set (not NaN); quintile 0 always takes the general one. */
static void read_start_shares(struct policy *policy, const struct settings *settings)
{
    const double *general = setting(settings, COLUMN_START_SHARE);
    memcpy(policy->start_share[0], general, sizeof(model_lanes));
    for (int quintile = 1; quintile < QUINTILE_COUNT; quintile++) {
        const double *own = setting(settings, COLUMN_START_SHARE_QUINTILE_1 + quintile - 1);
        for (int i = 0; i < MODEL_LANES; i++) policy->start_share[quintile][i] = own[i] == own[i] ? own[i] : general[i];
    }
}

static void read_cover(struct policy *policy, const struct settings *settings)
{
    lanes_fill(policy->cover_gbp[0], 0);
    policy->covered[0] = false;
    for (int quintile = 1; quintile < QUINTILE_COUNT; quintile++) {
        const double *cover = setting(settings, COLUMN_COVER_QUINTILE_1_GBP + quintile - 1);
        memcpy(policy->cover_gbp[quintile], cover, sizeof(model_lanes));
        policy->covered[quintile] = any_above_zero(cover);
    }
}

static void read_reach(struct policy *policy, const struct settings *settings, uint32_t years)
{
    const double *decay = setting(settings, COLUMN_TEACHER_DECAY);
    memcpy(policy->funded_years, setting(settings, COLUMN_FUNDED_YEARS), sizeof(model_lanes));
    memcpy(policy->churn, setting(settings, COLUMN_CHURN), sizeof(model_lanes));
    memcpy(policy->initial_reach, setting(settings, COLUMN_INITIAL_REACH), sizeof(model_lanes));
    for (int i = 0; i < MODEL_LANES; i++) policy->practice_kept[i] = 1 - decay[i];
    policy->years_funded = most_years(policy->funded_years, years);
    policy->any_churn = any_above_zero(policy->churn);
    read_start_shares(policy, settings);
    read_cover(policy, settings);
}

/* Sets the coefficients of one lane: factor x rho^k at lag + k. */
static void set_filter(struct policy *policy, int lane, double factor, double persistence, unsigned lag)
{
    for (unsigned k = 0; k < EFFECT_YEARS; k++, factor *= persistence) policy->filter[lag + k][lane] = factor;
    if (lag < policy->filter_first) policy->filter_first = lag;
    if (lag + EFFECT_YEARS > policy->filter_end) policy->filter_end = lag + EFFECT_YEARS;
}

/* e3: dose g = (h / 35)^gamma; R_t = r g x_t; G_t = sum of c_j K_{t-j}, with the effect e0 left out. */
static void read_effects(struct policy *policy, const struct settings *settings)
{
    const double *hours = setting(settings, COLUMN_HOURS), *reference = setting(settings, COLUMN_REFERENCE_HOURS);
    const double *exponent = setting(settings, COLUMN_DOSE_EXPONENT);
    const double *full_dose = setting(settings, COLUMN_RETENTION_FULL_DOSE);
    const double *implementation = setting(settings, COLUMN_IMPLEMENTATION);
    const double *persistence = setting(settings, COLUMN_PUPIL_PERSISTENCE);
    const double *lag_years = setting(settings, COLUMN_LAG_YEARS);
    memset(policy->filter, 0, sizeof policy->filter);
    policy->filter_first = LAG_YEARS_MAX;
    policy->filter_end = 0;
    for (int i = 0; i < MODEL_LANES; i++) {
        double dose = Sleef_cinz_powd1_u10purec(hours[i] / reference[i], exponent[i]);
        unsigned lag = lag_years[i] > 0 ? (unsigned)smaller(lag_years[i], LAG_YEARS_MAX) : 0;
        policy->retention[i] = full_dose[i] * dose;
        set_filter(policy, i, implementation[i] * dose, persistence[i], lag);
    }
}

/* e3: the RISE term of Q_t, filtered like all of Q. */
static double rise_term(uint32_t year, double persistence)
{
    double sum = 0, weight = 1;
    for (uint32_t k = 0; k < EFFECT_YEARS && k < year; k++, weight *= persistence)
        if (year - k >= 2 && year - k <= 4) sum += weight;
    return sum;
}

/* e10: the teaching-quality term of Q_t grows over the ramp; filtered like all of Q. */
static double quality_term(uint32_t year, double persistence, double ramp_years)
{
    double sum = 0, weight = 1;
    for (uint32_t k = 0; k < EFFECT_YEARS && k < year; k++, weight *= persistence)
        sum += weight * smaller(1, (year - k) / ramp_years);
    return sum;
}

static void read_rise(struct policy *policy, const struct settings *settings, uint32_t years)
{
    const double *enabled = setting(settings, COLUMN_RISE_ENABLED), *effect = setting(settings, COLUMN_RISE_EFFECT_SD);
    const double *grant = setting(settings, COLUMN_RISE_GRANT_GBP);
    const double *scale = setting(settings, COLUMN_RISE_SCHOOLS_SCALE);
    const double *persistence = setting(settings, COLUMN_PUPIL_PERSISTENCE);
    policy->any_rise = any_above_zero(enabled);
    for (int i = 0; i < MODEL_LANES; i++) policy->rise_grant_gbp[i] = enabled[i] * scale[i] * grant[i];
    for (uint32_t year = 1; policy->any_rise && year <= years; year++)
        for (int i = 0; i < MODEL_LANES; i++)
            policy->rise_gain[year - 1][i] = enabled[i] * scale[i] * effect[i] * rise_term(year, persistence[i]);
}

static void read_quality(struct policy *policy, const struct settings *settings, uint32_t years)
{
    const double *quality = setting(settings, COLUMN_TEACHING_QUALITY_SD);
    const double *effect = setting(settings, COLUMN_TEACHER_QUALITY_SD_EFFECT);
    const double *ramp = setting(settings, COLUMN_QUALITY_RAMP_YEARS);
    const double *persistence = setting(settings, COLUMN_PUPIL_PERSISTENCE);
    policy->any_quality = false;
    for (int i = 0; i < MODEL_LANES; i++) policy->any_quality |= quality[i] != 0;
    for (uint32_t year = 1; policy->any_quality && year <= years; year++)
        for (int i = 0; i < MODEL_LANES; i++)
            policy->quality_gain[year - 1][i] = quality[i] * effect[i] * quality_term(year, persistence[i], ramp[i]);
}

void policy_read(struct policy *policy, const struct settings *settings, uint32_t years)
{
    read_reach(policy, settings, years);
    read_effects(policy, settings);
    read_rise(policy, settings, years);
    read_quality(policy, settings, years);
}
