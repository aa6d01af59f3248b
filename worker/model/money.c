#include "money.h"

#include <string.h>

#include "lanes.h"

static bool same(const double *row, const double *other)
{
    return memcmp(row, other, sizeof(model_lanes)) == 0;
}

/* e0: DF(t) = 1.035^-min(t,30) x 1.03^-max(0,t-30). */
static void set_factors(struct discounting *discounting)
{
    lanes_fill(discounting->factor[0], 1);
    for (uint32_t year = 1; year <= discounting->years + EARNING_LAST; year++) {
        const double *rate = year <= LONG_RATE_AFTER ? discounting->rate : discounting->rate_long;
        for (int i = 0; i < MODEL_LANES; i++)
            discounting->factor[year][i] = discounting->factor[year - 1][i] / (1 + rate[i]);
    }
    lanes_add_up(discounting->annuity, discounting->factor + EARNING_FIRST, EARNING_LAST - EARNING_FIRST + 1);
}

static void set_paid_back(struct discounting *discounting)
{
    for (uint32_t cohort = 1; cohort <= discounting->years; cohort++) {
        double *paid = discounting->paid_back[cohort - 1];
        lanes_fill(paid, 0);
        for (uint32_t after = EARNING_FIRST; after <= EARNING_LAST; after++)
            for (int i = 0; i < MODEL_LANES; i++)
                if (cohort + after <= discounting->break_even_year[i])
                    paid[i] += discounting->factor[cohort + after][i];
        for (int i = 0; i < MODEL_LANES; i++) paid[i] /= discounting->annuity[i];
    }
}

void discounting_read(struct discounting *discounting, const struct settings *settings, uint32_t years)
{
    const double *rate = setting(settings, COLUMN_DISCOUNT_RATE);
    const double *rate_long = setting(settings, COLUMN_DISCOUNT_RATE_LONG);
    const double *break_even_year = setting(settings, COLUMN_BREAK_EVEN_YEAR);
    if (discounting->known && same(discounting->rate, rate) && same(discounting->rate_long, rate_long) &&
        same(discounting->break_even_year, break_even_year))
        return;
    discounting->known = true;
    discounting->years = years;
    memcpy(discounting->rate, rate, sizeof(model_lanes));
    memcpy(discounting->rate_long, rate_long, sizeof(model_lanes));
    memcpy(discounting->break_even_year, break_even_year, sizeof(model_lanes));
    set_factors(discounting);
    set_paid_back(discounting);
}

void prices_read(struct prices *prices, const struct settings *settings)
{
    const double *grades = setting(settings, COLUMN_GRADES_PER_SD), *grade = setting(settings, COLUMN_GRADE_GBP);
    for (int i = 0; i < MODEL_LANES; i++) prices->gain_gbp[i] = grades[i] * grade[i];
    memcpy(prices->effect, setting(settings, COLUMN_ATTAINMENT_SD), sizeof(model_lanes));
    memcpy(prices->penalty, setting(settings, COLUMN_FSM6_EARNINGS_PENALTY), sizeof(model_lanes));
    memcpy(prices->tax_share, setting(settings, COLUMN_EXCHEQUER_SHARE), sizeof(model_lanes));
    prices->replacement_gbp = setting(settings, COLUMN_REPLACEMENT_GBP);
}

/* value = n v_t (e4): grades_per_SD x V_grade x (n G - 0.09 n D G). */
KERNEL_INLINE void value_gain(const struct prices *prices, const double *restrict gain,
                              const double *restrict gain_fsm6, double *restrict value)
{
    for (int i = 0; i < MODEL_LANES; i++)
        value[i] = prices->gain_gbp[i] * (gain[i] - prices->penalty[i] * gain_fsm6[i]);
}

/* Earnings of every cohort: tax[t] is tau n v_t / annuity, the level yearly tax of cohort t. */
KERNEL_INLINE void earn(const struct discounting *discounting, const struct prices *prices,
                        const struct area_gains *gains, uint32_t years, const struct area_money *out,
                        model_lanes *restrict tax)
{
    double *restrict pv_earnings = out->pv_earnings, *restrict pv_tax = out->pv_tax;
    double *restrict fixed = out->break_even_fixed, *restrict slope = out->break_even_slope;
    for (uint32_t at = 0; at < years; at++) {
        const double *restrict factor = discounting->factor[at + 1], *restrict paid = discounting->paid_back[at];
        model_lanes programme = {0}, other = {0};
        if (gains->programme) value_gain(prices, gains->programme[at], gains->programme_fsm6[at], programme);
        if (gains->other) value_gain(prices, gains->other[at], gains->other_fsm6[at], other);
        for (int i = 0; i < MODEL_LANES; i++) {
            double value = prices->effect[i] * programme[i] + other[i];
            pv_earnings[i] += factor[i] * value;
            tax[at][i] = prices->tax_share[i] * value / discounting->annuity[i];
            slope[i] += prices->tax_share[i] * programme[i] * paid[i];
            fixed[i] += prices->tax_share[i] * other[i] * paid[i];
        }
    }
    for (int i = 0; i < MODEL_LANES; i++) pv_tax[i] = prices->tax_share[i] * pv_earnings[i];
}

/* Costs and savings of every year, the last flows but the tax. */
KERNEL_INLINE void spend(const struct discounting *discounting, const struct prices *prices,
                         const model_lanes *restrict cost, const model_lanes *restrict kept, uint32_t years,
                         const struct area_money *out)
{
    double *restrict pv_cost = out->pv_cost, *restrict pv_saving = out->pv_saving;
    double *restrict fixed = out->break_even_fixed;
    for (uint32_t at = 0; at < years; at++) {
        const double *restrict factor = discounting->factor[at + 1];
        double *restrict flow = out->flows[at];
        for (int i = 0; i < MODEL_LANES; i++) {
            double spent = factor[i] * cost[at][i], saved = factor[i] * (kept[at][i] * prices->replacement_gbp[i]);
            pv_cost[i] += spent;
            pv_saving[i] += saved;
            flow[i] = saved - spent;
            fixed[i] += at + 1 <= discounting->break_even_year[i] ? flow[i] : 0;
        }
    }
}

/* Adds the tax that cohorts pay in each year: cohort t in t + 4 .. t + 48. As a run is shorter than a
 * working life, cohorts first only join and then only leave, so that nothing is ever subtracted. */
KERNEL_INLINE void add_tax(const struct discounting *discounting, const model_lanes *restrict tax, uint32_t years,
                           model_lanes *restrict flows)
{
    model_lanes paying = {0};
    for (uint32_t year = EARNING_FIRST + 1; year <= EARNING_LAST + 1; year++) {
        for (int i = 0; i < MODEL_LANES && year - EARNING_FIRST <= years; i++)
            paying[i] += tax[year - EARNING_FIRST - 1][i];
        for (int i = 0; i < MODEL_LANES; i++) flows[year - 1][i] += discounting->factor[year][i] * paying[i];
    }
    lanes_fill(paying, 0);
    for (uint32_t year = years + EARNING_LAST; year > EARNING_LAST + 1; year--)
        for (int i = 0; i < MODEL_LANES; i++) {
            paying[i] += tax[year - EARNING_LAST - 1][i];
            flows[year - 1][i] += discounting->factor[year][i] * paying[i];
        }
}

_Static_assert(MODEL_YEARS_MAX + EARNING_FIRST <= EARNING_LAST + 1, "all cohorts earn before the first one stops");

KERNEL static void count_money(const struct discounting *discounting, const struct prices *prices,
                               const struct area_gains *gains, const model_lanes *cost, const model_lanes *kept,
                               uint32_t years, const struct area_money *out)
{
    double *const sums[] = {out->pv_cost,   out->pv_earnings,      out->pv_tax,
                            out->pv_saving, out->break_even_fixed, out->break_even_slope};
    model_lanes tax[MODEL_YEARS_MAX];
    for (size_t at = 0; at < sizeof sums / sizeof *sums; at++) lanes_fill(sums[at], 0);
    for (uint32_t at = years; at < years + EARNING_LAST; at++) lanes_fill(out->flows[at], 0);
    earn(discounting, prices, gains, years, out, tax);
    spend(discounting, prices, cost, kept, years, out);
    if (gains->programme || gains->other) add_tax(discounting, tax, years, out->flows);
}

void money_of_area(const struct discounting *discounting, const struct prices *prices, const struct area_gains *gains,
                   const model_lanes *cost, const model_lanes *kept, uint32_t years, const struct area_money *out)
{
    count_money(discounting, prices, gains, cost, kept, years, out);
}
