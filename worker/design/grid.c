/* Methods that try listed values: every combination, or one parameter at a time. */
#include <math.h>

#include "method.h"

/* The draw's number in mixed radix, the first dimension slowest; each digit names the middle of an equal share. */
static void combine(const struct design *design, uint64_t draw, size_t lane, model_lanes *shares)
{
    uint32_t levels = design->sweep->design_levels;
    for (size_t at = design->dimension_count; at-- > 0; draw /= levels)
        shares[at][lane] = ((double)(draw % levels) + 0.5) / levels;
}

void grid_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    (void)row;
    for (uint64_t lane = 0; lane < MODEL_LANES; lane++) combine(design, first + lane, lane, shares);
}

void one_at_a_time_levels(const struct sweep *sweep, double *low, double *high)
{
    uint32_t count = sweep->quantile_count;
    *low = count < 2 ? 0.05 : sweep->quantiles[0];
    *high = count < 2 ? 0.95 : sweep->quantiles[count - 1];
}

void one_at_a_time_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    double low, high;
    (void)row;
    one_at_a_time_levels(design->sweep, &low, &high);
    for (size_t at = 0; at < design->dimension_count; at++)
        for (uint64_t lane = 0; lane < MODEL_LANES; lane++) {
            uint64_t draw = first + lane;
            shares[at][lane] = draw == 1 + 2 * at ? low : draw == 2 + 2 * at ? high : NAN;
        }
}
