#include "design.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distribution.h"
#include "philox.h"
#include "sobol.h"

static_assert(MODEL_PARAMETERS_MAX <= SOBOL_DIMENSIONS, "every parameter may need a dimension");

struct dimension {
    size_t parameter; /* index into the sweep's parameters */
    struct quantile *quantile;
    struct sobol_axis axis; /* Sobol' only */
};

struct design {
    const struct sweep *sweep;
    size_t dimension_count;
    struct dimension dimensions[]; /* in the order of the parameters */
};

/* False: the sweep has a distribution or a method that no draw can be made from; `why` says which. */
static bool possible(const struct sweep *sweep, char *why, size_t why_bytes)
{
    if (sweep->method > DESIGN_SOBOL) {
        snprintf(why, why_bytes, "unknown design method %u; point, random and sobol are allowed",
                 (unsigned)sweep->method);
        return false;
    }
    if (sweep->parameter_count > MODEL_PARAMETERS_MAX) {
        snprintf(why, why_bytes, "%u parameters; at most %d are allowed", (unsigned)sweep->parameter_count,
                 MODEL_PARAMETERS_MAX);
        return false;
    }
    for (size_t at = 0; at < sweep->parameter_count; at++) {
        const struct sweep_parameter *parameter = &sweep->parameters[at];
        const char *fault = distribution_fault(&parameter->distribution);
        if (!fault) continue;
        snprintf(why, why_bytes, "%.*s: %s", (int)sizeof parameter->name, parameter->name, fault);
        return false;
    }
    return true;
}

static bool add_dimension(struct design *design, size_t parameter)
{
    const struct sweep *sweep = design->sweep;
    struct dimension *dimension = &design->dimensions[design->dimension_count];
    dimension->parameter = parameter;
    dimension->quantile = quantile_new(&sweep->parameters[parameter].distribution);
    if (!dimension->quantile) return false;
    if (sweep->method == DESIGN_SOBOL)
        sobol_axis_init(&dimension->axis, (uint32_t)design->dimension_count, sweep->seed);
    design->dimension_count++;
    return true;
}

struct design *design_new(const struct sweep *sweep, char *why, size_t why_bytes)
{
    if (!possible(sweep, why, why_bytes)) return NULL;
    size_t count = sweep_dimensions(sweep);
    struct design *design = calloc(1, sizeof *design + count * sizeof design->dimensions[0]);
    if (!design) goto fail;
    design->sweep = sweep;
    for (size_t at = 0; design->dimension_count < count; at++) {
        if (sweep->parameters[at].distribution.kind == DISTRIBUTION_FIXED) continue;
        if (!add_dimension(design, at)) goto fail;
    }
    return design;

fail:
    design_free(design);
    snprintf(why, why_bytes, "out of memory");
    return NULL;
}

void design_free(struct design *design)
{
    if (!design) return;
    for (size_t at = 0; at < design->dimension_count; at++) quantile_free(design->dimensions[at].quantile);
    free(design);
}

size_t design_dimensions(const struct design *design)
{
    return design->dimension_count;
}

static void draw_random(uint64_t seed, uint32_t number, uint64_t first, double *units)
{
    for (uint64_t lane = 0; lane < MODEL_LANES; lane++) units[lane] = philox_unit(seed, number, first + lane);
}

static void draw_sobol(const struct sobol_axis *axis, uint64_t first, double *units)
{
    uint64_t digits = sobol_digits(axis, first);
    for (uint64_t lane = 0; lane < MODEL_LANES; lane++) {
        units[lane] = sobol_unit(sobol_scramble(axis, digits));
        digits = sobol_digits_after(axis, digits, first + lane);
    }
}

void design_row(const struct design *design, uint32_t row, uint64_t first, model_lanes *values, model_lanes *shares)
{
    const struct sweep *sweep = design->sweep;
    assert(first < SWEEP_DRAWS_MAX && row < sweep_rows(sweep));
    (void)row;
    for (size_t at = 0; at < sweep->parameter_count; at++)
        for (size_t lane = 0; lane < MODEL_LANES; lane++) values[at][lane] = sweep->parameters[at].central;

    for (size_t number = 0; number < design->dimension_count; number++) {
        const struct dimension *dimension = &design->dimensions[number];
        double *drawn = values[dimension->parameter];
        if (sweep->method == DESIGN_SOBOL) draw_sobol(&dimension->axis, first, drawn);
        else draw_random(sweep->seed, (uint32_t)number, first, drawn);
        if (shares) memcpy(shares[number], drawn, sizeof *shares);
        for (size_t lane = 0; lane < MODEL_LANES; lane++) drawn[lane] = quantile_at(dimension->quantile, drawn[lane]);
    }
}

void design_order(const struct design *design, uint64_t first, uint16_t (*order)[MODEL_LANES])
{
    (void)first;
    for (size_t at = 0; at < design->dimension_count; at++)
        for (size_t lane = 0; lane < MODEL_LANES; lane++) order[at][lane] = (uint16_t)at;
}

double design_value(const struct design *design, size_t dimension, double share)
{
    assert(dimension < design->dimension_count);
    return quantile_at(design->dimensions[dimension].quantile, share);
}

size_t design_parameter(const struct design *design, size_t dimension)
{
    assert(dimension < design->dimension_count);
    return design->dimensions[dimension].parameter;
}
