#include "design.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "method.h"
#include "possible.h"
#include "sobol.h"

static_assert(MODEL_PARAMETERS_MAX <= SOBOL_DIMENSIONS, "every parameter may need a dimension");

static const struct method {
    method_shares *shares;
    size_t points; /* of a net, that a draw is made of */
} methods[DESIGN_METHOD_COUNT] = {
    [DESIGN_POINT] = {point_shares, 0},
    [DESIGN_RANDOM] = {random_shares, 0},
    [DESIGN_SOBOL] = {sobol_shares, 1},
    [DESIGN_ONE_AT_A_TIME] = {one_at_a_time_shares, 0},
    [DESIGN_GRID] = {grid_shares, 0},
    [DESIGN_LATIN_HYPERCUBE] = {latin_shares, 0},
    [DESIGN_MORRIS] = {morris_shares, 0},
    [DESIGN_SALTELLI] = {saltelli_shares, 2},
    [DESIGN_DERIVATIVE] = {derivative_shares, 1},
    [DESIGN_SHAPLEY] = {shapley_shares, 2},
};

const char *const design_method_names[DESIGN_METHOD_COUNT] = {
    [DESIGN_POINT] = "point",
    [DESIGN_RANDOM] = "random",
    [DESIGN_SOBOL] = "sobol",
    [DESIGN_ONE_AT_A_TIME] = "one-at-a-time",
    [DESIGN_GRID] = "grid",
    [DESIGN_LATIN_HYPERCUBE] = "latin-hypercube",
    [DESIGN_MORRIS] = "morris",
    [DESIGN_SALTELLI] = "saltelli",
    [DESIGN_DERIVATIVE] = "derivative",
    [DESIGN_SHAPLEY] = "shapley",
};

uint64_t design_draw_count(const struct sweep *sweep)
{
    uint32_t dimensions = sweep_dimensions(sweep);
    uint64_t draws = 1;
    if (sweep->method == DESIGN_POINT) return 1;
    if (sweep->method == DESIGN_ONE_AT_A_TIME) return 1 + 2 * dimensions;
    if (sweep->method != DESIGN_GRID) return 0;
    for (uint32_t at = 0; at < dimensions; at++) {
        draws *= sweep->design_levels;
        if (draws > SWEEP_DRAWS_MAX) return UINT64_MAX;
    }
    return draws;
}

static bool add_dimensions(struct design *design, size_t count)
{
    const struct sweep *sweep = design->sweep;
    for (size_t at = 0; design->dimension_count < count; at++) {
        if (sweep->parameters[at].distribution.kind == DISTRIBUTION_FIXED) continue;
        struct dimension *dimension = &design->dimensions[design->dimension_count];
        dimension->parameter = at;
        dimension->quantile = quantile_new(&sweep->parameters[at].distribution, sweep->pool);
        if (!dimension->quantile) return false;
        design->dimension_count++;
    }
    return true;
}

/* The tables of the method. */
static bool add_tables(struct design *design, size_t count)
{
    const struct sweep *sweep = design->sweep;
    size_t points = methods[sweep->method].points;
    if (points &&
        !(design->net = net_new(sweep->seed, points * count + (sweep->method == DESIGN_SHAPLEY && count <= SHAPLEY_FEW),
                                design->groups)))
        return false;
    if (sweep->method == DESIGN_LATIN_HYPERCUBE || sweep->method == DESIGN_MORRIS) {
        uint32_t cubes = sweep->method == DESIGN_MORRIS ? 1 : design->groups;
        design->latin = latin_new(sweep->seed, count, sweep->draws, cubes);
        if (!design->latin) return false;
    }
    uint32_t levels = sweep->design_levels ? sweep->design_levels : MORRIS_LEVELS;
    design->morris = (struct morris){sweep->seed, count, levels, design->latin};
    return true;
}

struct design *design_new(const struct sweep *sweep, char *why, size_t why_bytes)
{
    if (!design_possible(sweep, why, why_bytes)) return NULL;
    size_t count = sweep_dimensions(sweep);
    struct design *design = calloc(1, sizeof *design + count * sizeof design->dimensions[0]);
    if (!design) goto fail;
    design->sweep = sweep;
    design->groups = sweep->groups ? sweep->groups : 1;
    if (!add_dimensions(design, count) || !add_tables(design, count)) goto fail;
    if (count == 0 || sweep->correlation_count == 0) return design;
    design->copula = copula_new(sweep, why, why_bytes);
    if (design->copula) return design;
    design_free(design);
    return NULL;

fail:
    design_free(design);
    snprintf(why, why_bytes, "out of memory");
    return NULL;
}

void design_free(struct design *design)
{
    if (!design) return;
    for (size_t at = 0; at < design->dimension_count; at++) quantile_free(design->dimensions[at].quantile);
    net_free(design->net);
    latin_free(design->latin);
    copula_free(design->copula);
    free(design);
}

size_t design_dimensions(const struct design *design)
{
    return design->dimension_count;
}

static void fill_central(const struct sweep *sweep, model_lanes *values)
{
    for (size_t at = 0; at < sweep->parameter_count; at++)
        for (size_t lane = 0; lane < MODEL_LANES; lane++) values[at][lane] = sweep->parameters[at].central;
}

/* A share that is not a number leaves the central value, and is told as the middle. */
static void fill_drawn(const struct dimension *dimension, double *shares, double *values)
{
    for (size_t lane = 0; lane < MODEL_LANES; lane++) {
        if (isnan(shares[lane])) shares[lane] = 0.5;
        else values[lane] = quantile_at(dimension->quantile, shares[lane]);
    }
}

void design_row(const struct design *design, uint32_t row, uint64_t first, model_lanes *values, model_lanes *shares)
{
    const struct sweep *sweep = design->sweep;
    model_lanes own[MODEL_PARAMETERS_MAX];
    assert(first < SWEEP_DRAWS_MAX && row < sweep_rows(sweep));
    if (!shares) shares = own;
    fill_central(sweep, values);
    methods[sweep->method].shares(design, row, first, shares);
    for (size_t at = 0; at < design->dimension_count; at++)
        fill_drawn(&design->dimensions[at], shares[at], values[design->dimensions[at].parameter]);
}

void design_order(const struct design *design, uint64_t first, uint16_t (*order)[MODEL_LANES])
{
    enum design_method method = design->sweep->method;
    if (design->dimension_count == 0) return;
    if (method == DESIGN_SHAPLEY) {
        shapley_order(design, first, order);
        return;
    }
    for (uint64_t lane = 0; lane < MODEL_LANES; lane++) {
        if (method == DESIGN_MORRIS) morris_order(&design->morris, first + lane, &order[0][lane]);
        else
            for (size_t at = 0; at < design->dimension_count; at++) order[at][lane] = (uint16_t)at;
    }
}

static double step_of(enum distribution_scale scale, double share)
{
    double step = derivative_step(share);
    return scale == SCALE_SCORE ? normal_quantile(share + step) - normal_quantile(share) : step;
}

/* shares: those of row 0, which its steps replace. */
static void find_steps(const struct design *design, size_t dimension, double *shares)
{
    const struct sweep_parameter *parameter = &design->sweep->parameters[design->dimensions[dimension].parameter];
    enum distribution_scale scale = distribution_scale(parameter->distribution.kind);
    for (size_t lane = 0; lane < MODEL_LANES; lane++) shares[lane] = step_of(scale, shares[lane]);
}

void design_steps(const struct design *design, uint64_t first, model_lanes *steps)
{
    assert(design->sweep->method == DESIGN_MORRIS || design->sweep->method == DESIGN_DERIVATIVE);
    if (design->sweep->method == DESIGN_MORRIS) {
        for (uint64_t lane = 0; lane < MODEL_LANES; lane++)
            morris_steps(&design->morris, first + lane, &steps[0][lane]);
        return;
    }
    derivative_shares(design, 0, first, steps);
    for (size_t at = 0; at < design->dimension_count; at++) find_steps(design, at, steps[at]);
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
