#include "account.h"

#include <string.h>

#include "lanes.h"

enum { EPI_YEARS = 10 };

/* e9: sums of 1.035^-y over y = first .. 9. */
static double annuity_due(double rate, int first)
{
    double sum = 0, factor = 1;
    for (int year = 0; year < EPI_YEARS; year++, factor /= 1 + rate)
        if (year >= first) sum += factor;
    return sum;
}

void epi_read(struct epi_account *account, const struct settings *settings)
{
    const double *enabled = setting(settings, COLUMN_EPI_ENABLED), *rate = setting(settings, COLUMN_DISCOUNT_RATE);
    const double *cost = setting(settings, COLUMN_EPI_COST_GBP_PER_YEAR), *flow = setting(settings, COLUMN_CREDIT);
    const double *pupils = setting(settings, COLUMN_EPI_COHORT_PUPILS);
    const double *value = setting(settings, COLUMN_EPI_PV_GBP_PER_PUPIL);
    const double *in_school = setting(settings, COLUMN_EPI_COHORTS_IN_SCHOOL);
    const double *retention = setting(settings, COLUMN_EPI_RETENTION);
    for (int i = 0; i < MODEL_LANES; i++) {
        double years = annuity_due(rate[i], 0);
        double cohorts = flow[i] != 0 ? years : in_school[i] + annuity_due(rate[i], 1);
        account->cost_gbp[i] = enabled[i] * cost[i] * years;
        account->benefit_gbp[i] = enabled[i] * pupils[i] * value[i] * cohorts;
        account->retention[i] = enabled[i] * retention[i];
    }
}

/* e10: PV(N) = quality x pupils x pv x sum over t = 1..N of min(1, t / ramp) DF(t). */
void frontier_read(struct frontier_account *account, const struct settings *settings,
                   const struct discounting *discounting, uint32_t years)
{
    const double *quality = setting(settings, COLUMN_TEACHING_QUALITY_SD);
    const double *ramp = setting(settings, COLUMN_QUALITY_RAMP_YEARS);
    const double *pupils = setting(settings, COLUMN_FRONTIER_PUPILS_PER_YEAR);
    const double *value = setting(settings, COLUMN_FRONTIER_PV_GBP_PER_PUPIL_PER_SD);
    model_lanes sum = {0};
    for (uint32_t year = 1; year <= years; year++)
        for (int i = 0; i < MODEL_LANES; i++) {
            sum[i] += (year < ramp[i] ? year / ramp[i] : 1) * discounting->factor[year][i];
            account->pv_gbp[year - 1][i] = quality[i] * pupils[i] * value[i] * sum[i];
        }
    memcpy(account->tax_share, setting(settings, COLUMN_FRONTIER_TAX_SHARE), sizeof(model_lanes));
}
