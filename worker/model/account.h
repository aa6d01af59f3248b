/* Two published accounts beside the model: EPI's cost-benefit analysis (e9) and Frontier's what-if on
 * teaching quality (e10). National sums that areas share. */
#pragma once

#include <stdint.h>

#include <goldthread/model.h>

#include "money.h"
#include "policy.h"

struct epi_account {
    model_lanes cost_gbp, benefit_gbp; /* of the whole population; 0 where the account is off */
    model_lanes retention;             /* share of no-policy leavers kept; 0 where the account is off */
};

struct frontier_account {
    model_lanes pv_gbp[MODEL_YEARS_MAX]; /* PV(t) of the whole population */
    model_lanes tax_share;
};

void epi_read(struct epi_account *account, const struct settings *settings);

void frontier_read(struct frontier_account *account, const struct settings *settings,
                   const struct discounting *discounting, uint32_t years);
