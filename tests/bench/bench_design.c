/* Draws per second of each design, and the cost of one value of each kind of distribution.
 * Prints one line per figure, the best of several rounds, on one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "design.h"
#include "distribution.h"
#include "philox.h"

enum { ROUNDS = 5, BATCHES = 2000, SHARES = 1 << 12 };

static double now_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static const struct {
    const char *name;
    struct distribution distribution;
} kinds[] = {
    {"uniform", {.kind = DISTRIBUTION_UNIFORM, .low = 1, .high = 2}},
    {"triangular", {.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 0.05, .high = 0.12}},
    {"normal", {.kind = DISTRIBUTION_NORMAL, .mean = 0.05, .sd = 0.02}},
    {"truncated normal", {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0.05, .sd = 0.02, .low = 0, .high = 0.12}},
    {"lognormal", {.kind = DISTRIBUTION_LOGNORMAL, .median = 25000, .sigma = 0.3}},
    {"beta", {.kind = DISTRIBUTION_BETA, .low = 0.2, .mode = 0.5, .high = 1}},
    {"log-uniform", {.kind = DISTRIBUTION_LOG_UNIFORM, .low = 0.01, .high = 100}},
    {"PERT", {.kind = DISTRIBUTION_PERT, .low = 0.2, .mode = 0.5, .high = 1, .weights = {2}}},
    {"empirical", {.kind = DISTRIBUTION_EMPIRICAL, .point_count = SWEEP_POOL_MAX}},
    {"discrete", {.kind = DISTRIBUTION_DISCRETE, .point_count = 3, .values = {1, 2, 3}, .weights = {1, 2, 1}}},
};
/* What the empirical one draws from. */
static double pool[SWEEP_POOL_MAX];
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static volatile double sink; /* keeps the work from being optimised away */

/* Nanoseconds per value at random shares, so that branches are as hard to guess as in a sweep. */
static void time_quantile(size_t kind)
{
    static double shares[SHARES];
    for (uint64_t at = 0; at < SHARES; at++) shares[at] = philox_unit(1, 0, at);
    struct quantile *quantile = quantile_new(&kinds[kind].distribution, pool);
    if (!quantile) exit(1);
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_seconds(), sum = 0;
        for (int repeat = 0; repeat < 100; repeat++)
            for (size_t at = 0; at < SHARES; at++) sum += quantile_at(quantile, shares[at]);
        double seconds = now_seconds() - start;
        sink = sum;
        if (seconds < best) best = seconds;
    }
    printf("quantile %-17s %7.1f ns\n", kinds[kind].name, best * 1e9 / (100.0 * SHARES));
    quantile_free(quantile);
}

static struct sweep *sweep_of(enum design_method method, uint32_t dimensions)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (!sweep) exit(1);
    sweep->method = method;
    sweep->seed = 2025;
    sweep->groups = 16;
    sweep->design_levels = method == DESIGN_GRID ? 3 : method == DESIGN_MORRIS ? 4 : 0;
    sweep->draws = 100;
    sweep->parameter_count = dimensions;
    for (uint32_t at = 0; at < dimensions; at++) {
        sweep->parameters[at].central = 1;
        sweep->parameters[at].distribution = kinds[(at + 1) % 6].distribution;
    }
    if (design_draw_count(sweep)) sweep->draws = design_draw_count(sweep);
    return sweep;
}

/* All rows of so many batches; their number. */
static uint64_t draw_rows(const struct design *design, uint32_t rows, model_lanes *values)
{
    uint64_t batches = BATCHES / rows + 1;
    for (uint64_t batch = 0; batch < batches; batch++)
        for (uint32_t row = 0; row < rows; row++) {
            design_row(design, row, batch * MODEL_LANES, values, NULL);
            sink = values[0][0];
        }
    return batches * rows * MODEL_LANES;
}

static void time_design(const char *name, const struct sweep *sweep)
{
    model_lanes *values = calloc(sweep->parameter_count, sizeof *values);
    char why[128];
    double start = now_seconds();
    struct design *design = design_new(sweep, why, sizeof why);
    double ready = now_seconds() - start, best = 1e9, points = 0;
    if (!design || !values) exit(1);
    for (int round = 0; round < ROUNDS; round++) {
        start = now_seconds();
        points = (double)draw_rows(design, sweep_rows(sweep), values);
        double seconds = now_seconds() - start;
        if (seconds < best) best = seconds;
    }
    printf("%-24s %2u parameters %12.0f points/s %7.1f ns a value, ready in %.2f ms\n", name,
           (unsigned)sweep->parameter_count, points / best, best * 1e9 / (points * sweep->parameter_count),
           ready * 1e3);
    design_free(design);
    free(values);
}

static void time_method(const char *name, enum design_method method, uint32_t dimensions)
{
    struct sweep *sweep = sweep_of(method, dimensions);
    time_design(name, sweep);
    free(sweep);
}

/* Every parameter correlated with the next. */
static void time_correlated(const char *name, enum design_method method, uint32_t dimensions)
{
    struct sweep *sweep = sweep_of(method, dimensions);
    for (uint32_t at = 0; at + 1 < dimensions; at++)
        sweep->correlations[sweep->correlation_count++] = (struct sweep_correlation){at, at + 1, 0.4};
    time_design(name, sweep);
    free(sweep);
}

int main(void)
{
    for (size_t kind = 0; kind < KINDS; kind++) time_quantile(kind);
    static const uint32_t dimensions[] = {2, 25};
    for (size_t at = 0; at < 2; at++) {
        time_method("random", DESIGN_RANDOM, dimensions[at]);
        time_method("sobol", DESIGN_SOBOL, dimensions[at]);
        time_correlated("sobol, correlated", DESIGN_SOBOL, dimensions[at]);
        time_method("one at a time", DESIGN_ONE_AT_A_TIME, dimensions[at]);
        time_method("grid", DESIGN_GRID, dimensions[at]);
        time_method("latin hypercube", DESIGN_LATIN_HYPERCUBE, dimensions[at]);
        time_method("morris", DESIGN_MORRIS, dimensions[at]);
        time_method("saltelli", DESIGN_SALTELLI, dimensions[at]);
        time_method("derivative", DESIGN_DERIVATIVE, dimensions[at]);
        time_method("shapley", DESIGN_SHAPLEY, dimensions[at]);
        time_correlated("shapley, correlated", DESIGN_SHAPLEY, dimensions[at]);
    }
    return 0;
}
