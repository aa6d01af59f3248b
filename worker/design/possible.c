#include "possible.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "design.h"
#include "distribution.h"
#include "sobol.h"

struct why {
    char *text;
    size_t bytes;
};

static bool __attribute__((format(printf, 2, 3))) refuse(const struct why *why, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(why->text, why->bytes, format, values);
    va_end(values);
    return false;
}

static bool check_parameters(const struct sweep *sweep, const struct why *why)
{
    if (sweep->parameter_count > MODEL_PARAMETERS_MAX)
        return refuse(why, "%u parameters; at most %d are allowed", (unsigned)sweep->parameter_count,
                      MODEL_PARAMETERS_MAX);
    for (size_t at = 0; at < sweep->parameter_count; at++) {
        const struct sweep_parameter *parameter = &sweep->parameters[at];
        const char *fault = distribution_fault(&parameter->distribution, sweep->pool);
        if (fault) return refuse(why, "%.*s: %s", (int)sizeof parameter->name, parameter->name, fault);
    }
    return true;
}

static bool check_groups(const struct sweep *sweep, const struct why *why)
{
    uint32_t groups = sweep->groups;
    if (groups <= SWEEP_GROUPS_MAX && (groups & (groups - 1)) == 0) return true;
    return refuse(why, "%u groups; a power of two up to %d is allowed", (unsigned)groups, SWEEP_GROUPS_MAX);
}

/* Two points of a draw take two Sobol' dimensions for each of its own. */
static bool check_pairs(const struct sweep *sweep, const struct why *why)
{
    uint32_t dimensions = sweep_dimensions(sweep);
    if (2 * dimensions <= SOBOL_DIMENSIONS) return true;
    return refuse(why, "%u parameters are drawn; this design allows %d", (unsigned)dimensions, SOBOL_DIMENSIONS / 2);
}

static bool check_draws(const struct sweep *sweep, const struct why *why)
{
    uint64_t draws = design_draw_count(sweep);
    if (draws == UINT64_MAX)
        return refuse(why, "a grid of %u levels and %u parameters has more than 2^40 draws",
                      (unsigned)sweep->design_levels, (unsigned)sweep_dimensions(sweep));
    if (draws == 0 || draws == sweep->draws) return true;
    return refuse(why, "this design has %llu draws; %llu are asked for", (unsigned long long)draws,
                  (unsigned long long)sweep->draws);
}

static bool check_levels(const struct sweep *sweep, const struct why *why)
{
    uint32_t levels = sweep->design_levels;
    bool morris = sweep->method == DESIGN_MORRIS;
    if (levels >= 2 && levels <= SWEEP_LEVELS_MAX && !(morris && levels % 2)) return true;
    if (morris && levels == 0) return true;
    return refuse(why, "%u levels; %s from 2 to %d are allowed", (unsigned)levels, morris ? "even numbers" : "numbers",
                  SWEEP_LEVELS_MAX);
}

static bool check_centrals(const struct sweep *sweep, const struct why *why)
{
    for (uint32_t at = 0; at < sweep->parameter_count; at++) {
        const struct sweep_parameter *parameter = &sweep->parameters[at];
        if (parameter->distribution.kind == DISTRIBUTION_FIXED || !isnan(parameter->central)) continue;
        return refuse(why, "%.47s has no central value; one at a time needs one to keep it at", parameter->name);
    }
    return true;
}

static bool check_method(const struct sweep *sweep, const struct why *why)
{
    switch (sweep->method) {
    case DESIGN_SALTELLI:
    case DESIGN_SHAPLEY:
        return check_pairs(sweep, why);
    case DESIGN_GRID:
        return check_levels(sweep, why) && check_draws(sweep, why);
    case DESIGN_MORRIS:
        return check_levels(sweep, why);
    case DESIGN_ONE_AT_A_TIME:
        return check_centrals(sweep, why) && check_draws(sweep, why);
    default:
        return true;
    }
}

static bool check_correlations(const struct sweep *sweep, const struct why *why)
{
    if (sweep->correlation_count > SWEEP_CORRELATIONS_MAX)
        return refuse(why, "%u correlations; at most %d are allowed", (unsigned)sweep->correlation_count,
                      SWEEP_CORRELATIONS_MAX);
    if (sweep->correlation_count == 0) return true;
    switch (sweep->method) {
    case DESIGN_SALTELLI:
        return refuse(why,
                      "correlations: S1 and ST divide the variance among independent parameters; shapley allows them");
    case DESIGN_DERIVATIVE:
        return refuse(why, "correlations: a derivative moves one parameter alone, and its bound on ST holds for "
                           "independent ones; shapley allows them");
    case DESIGN_MORRIS:
        return refuse(why,
                      "correlations: a trajectory moves one parameter alone over its whole range; shapley allows them");
    case DESIGN_GRID:
    case DESIGN_ONE_AT_A_TIME:
        return refuse(why, "correlations: values are listed, not drawn; random, sobol, latin-hypercube and shapley "
                           "allow them");
    default:
        return true;
    }
}

bool design_possible(const struct sweep *sweep, char *text, size_t bytes)
{
    const struct why why = {text, bytes};
    if (sweep->method >= DESIGN_METHOD_COUNT)
        return refuse(&why, "unknown design method %u; 0 to %u are allowed", (unsigned)sweep->method,
                      (unsigned)DESIGN_METHOD_COUNT - 1);
    return check_parameters(sweep, &why) && check_groups(sweep, &why) && check_method(sweep, &why) &&
           check_correlations(sweep, &why);
}
