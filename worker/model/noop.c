#include "noop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Changes whenever a figure could. */
static const char version[] = "1";

struct model_run {
    size_t area_count;
};

static const struct parameter parameters[] = {
    {.name = "noop.value",
     .symbol = "x",
     .unit = "1",
     .central = 1,
     .low = 0,
     .high = 1e6,
     .lower = -1e300,
     .upper = 1e300,
     .distribution = {.kind = DISTRIBUTION_FIXED},
     .status = PARAMETER_ASSUMPTION,
     .source = "benchmark",
     .meaning = "what the measure ones is in every area"},
};

static const struct model_measure measures[] = {{"ones", "1", "noop.value, unchanged"}};
static const struct model_figure figures[] = {{.measure = 0, .year = MODEL_YEAR_ALL}};

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
    (void)run;
    *figure_count = sizeof figures / sizeof *figures;
    return figures;
}

static size_t count_parts(const struct model_run *run)
{
    (void)run;
    return 1;
}

static uint32_t run_scenario(struct model_run *run, const model_lanes *values, model_lanes *parts)
{
    for (size_t area = 0; area < run->area_count; area++) memcpy(parts[area], values[0], sizeof parts[area]);
    return 0;
}

static void measure_area(const struct model_run *run, size_t area, const model_lanes *parts, const model_lanes *minus,
                         model_lanes *out)
{
    (void)run;
    (void)area;
    for (size_t lane = 0; lane < MODEL_LANES; lane++) out[0][lane] = parts[0][lane] - (minus ? minus[0][lane] : 0);
}

const struct model *noop_model(void)
{
    static const struct model model = {.abi = MODEL_ABI,
                                       .name = "no-op",
                                       .version = version,
                                       .parameters = parameters,
                                       .parameter_count = sizeof parameters / sizeof *parameters,
                                       .measures = measures,
                                       .measure_count = sizeof measures / sizeof *measures,
                                       .open = open_run,
                                       .close = close_run,
                                       .figures = list_figures,
                                       .part_count = count_parts,
                                       .run = run_scenario,
                                       .measure = measure_area};
    return &model;
}
