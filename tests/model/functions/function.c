#include "function.h"

#include <stdio.h>
#include <stdlib.h>

/* One part per area: y. */
struct model_run {
    size_t area_count;
};

static struct model_run *open_run(const struct model_setup *setup, char *why, size_t why_bytes)
{
    struct model_run *run = malloc(sizeof *run);
    if (run == NULL) {
        snprintf(why, why_bytes, "out of memory");
        return NULL;
    }
    run->area_count = setup->area_count;
    return run;
}

static void close_run(struct model_run *run)
{
    free(run);
}

static const struct model_figure *list_figures(const struct model_run *run, size_t *figure_count)
{
    static const struct model_figure figures[] = {{.measure = 0, .year = MODEL_YEAR_ALL}};
    (void)run;
    *figure_count = DIMENSION(figures);
    return figures;
}

static size_t count_parts(const struct model_run *run)
{
    (void)run;
    return 1;
}

static uint32_t run_draws(struct model_run *run, const model_lanes *values, model_lanes *parts)
{
    uint32_t failed = 0;
    for (size_t lane = 0; lane < MODEL_LANES; lane++) {
        double x[MODEL_PARAMETERS_MAX], y = 0;
        for (size_t at = 0; at < function.dimension; at++) x[at] = values[at][lane];
        if (!function.evaluate(x, &y)) failed |= UINT32_C(1) << lane;
        for (size_t area = 0; area < run->area_count; area++) parts[area][lane] = y;
    }
    return failed;
}

static void measure_area(const struct model_run *run, size_t area, const model_lanes *parts, const model_lanes *minus,
                         model_lanes *out)
{
    (void)run;
    (void)area;
    for (size_t lane = 0; lane < MODEL_LANES; lane++) out[0][lane] = parts[0][lane] - (minus ? minus[0][lane] : 0);
}

static const struct model_measure measures[] = {{"y", "", "the value of the function"}};

const struct model *goldthread_model(uint32_t abi)
{
    static struct model model = {.abi = MODEL_ABI,
                                 .measures = measures,
                                 .measure_count = DIMENSION(measures),
                                 .open = open_run,
                                 .close = close_run,
                                 .figures = list_figures,
                                 .part_count = count_parts,
                                 .run = run_draws,
                                 .measure = measure_area};
    model.name = function.name;
    model.version = function.version;
    model.parameters = function.parameters;
    model.parameter_count = function.dimension;
    return abi == MODEL_ABI ? &model : NULL;
}
