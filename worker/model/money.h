/* Discounting, and the money of one area: costs, earnings, tax and savings (e2, e4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <goldthread/model.h>

#include "policy.h"

#define EARNING_FIRST   4 /* years after the exam in which a cohort earns: 4 .. 48 */
#define EARNING_LAST    48
#define HORIZON_MAX     (MODEL_YEARS_MAX + EARNING_LAST)
#define LONG_RATE_AFTER 30 /* years at value.discount_rate */

/* Rows that depend on the discount rates and the break-even year only; kept from one scenario to the
 * next while those stay the same. */
struct discounting {
    bool known;
    uint32_t years;
    model_lanes rate, rate_long, break_even_year; /* what the rest was made from */
    model_lanes factor[HORIZON_MAX + 1];          /* DF(t), t = 0 .. years + 48 */
    model_lanes annuity;                          /* DF(4) + ... + DF(48): 20.4905 */
    model_lanes paid_back[MODEL_YEARS_MAX];       /* of the earnings of cohort t, the share of its level yearly
                                                     flow, discounted, paid up to the break-even year */
};

void discounting_read(struct discounting *discounting, const struct settings *settings, uint32_t years);

/* What turns gains into money. */
struct prices {
    model_lanes effect;    /* e0 */
    model_lanes gain_gbp;  /* V_grade x grades per SD */
    model_lanes penalty;   /* of FSM6 pupils */
    model_lanes tax_share; /* tau */
    const double *replacement_gbp;
};

void prices_read(struct prices *prices, const struct settings *settings);

/* Sums of an area by year, [years] each: n G, n D G without the effect e0 (programme) and the other terms. */
struct area_gains {
    const model_lanes *programme, *programme_fsm6; /* NULL: no programme in any lane */
    const model_lanes *other, *other_fsm6;         /* NULL: no RISE, no teaching quality */
};

struct area_money {
    double *pv_cost, *pv_earnings, *pv_tax, *pv_saving;
    double *break_even_fixed, *break_even_slope; /* discounted flows up to the break-even year: fixed + slope e0 */
    model_lanes *flows;                          /* [years + 48]: discounted -cost + saving + tax, by year */
};

/* cost, kept: [years]. Fills everything that out points to. */
void money_of_area(const struct discounting *discounting, const struct prices *prices, const struct area_gains *gains,
                   const model_lanes *cost, const model_lanes *kept, uint32_t years, const struct area_money *out);
