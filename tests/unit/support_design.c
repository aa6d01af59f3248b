#include "support_design.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sweep *unit_sweep(enum design_method method, uint64_t seed, uint32_t dimensions)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    cr_assert_not_null(sweep);
    sweep->method = method;
    sweep->seed = seed;
    sweep->draws = 4096;
    sweep->draws_per_block = 64;
    sweep->parameter_count = dimensions;
    for (uint32_t at = 0; at < dimensions; at++) {
        struct sweep_parameter *parameter = &sweep->parameters[at];
        snprintf(parameter->name, sizeof parameter->name, "p%u", (unsigned)at);
        parameter->central = 0.5;
        parameter->distribution = (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0, .high = 1};
    }
    if (method == DESIGN_GRID) sweep->design_levels = 4;
    if (design_draw_count(sweep)) sweep->draws = design_draw_count(sweep);
    return sweep;
}

struct design *sound_design(const struct sweep *sweep)
{
    char why[512] = "";
    struct design *design = design_new(sweep, why, sizeof why);
    cr_assert_not_null(design, "%s", why);
    return design;
}

void refused_design(const struct sweep *sweep, const char *words)
{
    char why[512] = "";
    cr_assert_null(design_new(sweep, why, sizeof why), "not refused: %s", words);
    cr_assert_not_null(strstr(why, words), "%s", why);
}

void row_shares(const struct design *design, uint32_t row, uint64_t draw, double *shares)
{
    static model_lanes values[MODEL_PARAMETERS_MAX], all[MODEL_PARAMETERS_MAX];
    design_row(design, row, draw, values, all);
    for (size_t at = 0; at < design_dimensions(design); at++) shares[at] = all[at][0];
}
