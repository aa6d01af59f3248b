#include "entitlement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "measures.h"
#include "parameters.h"
#include "parts.h"
#include "run.h"

/* Changes whenever a figure could. */
static const char version[] = "1";

static void say(char *why, size_t why_bytes, const char *what, const char *name)
{
    snprintf(why, why_bytes, "%s%s", what, name);
}

/* Whether one of the columns may have another value than `idle` in some draw. */
static bool may_differ(const struct model_setup *setup, const uint16_t *places, int first, int count, double idle)
{
    size_t parameter_count;
    const struct parameter *table = parameters_table(&parameter_count);
    for (int column = first; column < first + count; column++)
        if (setup->varies[places[column]] || table[places[column]].central != idle) return true;
    return false;
}

static void read_options(struct model_run *run, const struct model_setup *setup)
{
    run->by_region = may_differ(setup, run->places, COLUMN_LEAVER_MULTIPLIER_REGION_1, REGION_COUNT, 1);
    run->may_be_dynamic = may_differ(setup, run->places, COLUMN_WORKFORCE_MODE, 1, 0);
    run->has_epi = may_differ(setup, run->places, COLUMN_EPI_ENABLED, 1, 0);
    run->has_frontier = may_differ(setup, run->places, COLUMN_TEACHING_QUALITY_SD, 1, 0);
}

static void close_run(struct model_run *run)
{
    if (!run) return;
    workforce_space_free(&run->space);
    groups_free(&run->groups);
    free(run->figures);
    free(run->terms);
    free(run);
}

static bool make_space(struct model_run *run, const struct model_setup *setup)
{
    if (!groups_init(&run->groups, setup, run->by_region)) return false;
    run->terms = malloc((4 * run->groups.group_count + 1) * sizeof *run->terms);
    return run->terms && workforce_space_init(&run->space, run->groups.group_count, run->years) && measures_plan(run);
}

static struct model_run *open_run(const struct model_setup *setup, char *why, size_t why_bytes)
{
    size_t parameter_count;
    const struct parameter *table = parameters_table(&parameter_count);
    struct model_run *run = calloc(1, sizeof *run);
    if (!run) return say(why, why_bytes, "out of memory", ""), NULL;
    const char *missing = columns_find(table, parameter_count, run->places);
    run->years = setup->years;
    if (missing) {
        say(why, why_bytes, "the parameter table lacks ", missing);
    } else if (setup->years < 1 || setup->years > MODEL_YEARS_MAX) {
        say(why, why_bytes, "the model runs 1 to 40 years", "");
    } else if (setup->population->count == 0) {
        say(why, why_bytes, "the population has no rows", "");
    } else {
        read_options(run, setup);
        if (make_space(run, setup)) return run;
        say(why, why_bytes, "out of memory", "");
    }
    close_run(run);
    return NULL;
}

static const struct model_figure *list_figures(const struct model_run *run, size_t *figure_count)
{
    *figure_count = run->figure_count;
    return run->figures;
}

static size_t count_parts(const struct model_run *run)
{
    return run->layout.count;
}

static uint32_t run_scenario(struct model_run *run, const model_lanes *values, model_lanes *parts)
{
    struct settings settings = {.values = values, .places = run->places};
    policy_read(&run->policy, &settings, run->years);
    prices_read(&run->prices, &settings);
    discounting_read(&run->discounting, &settings, run->years);
    workforce_read(&run->space.workforce, &run->groups, &settings, run->by_region, run->years);
    workforce_run(&run->space, &run->groups, &run->policy, run->years);
    if (run->has_epi) epi_read(&run->epi, &settings);
    if (run->has_frontier) frontier_read(&run->frontier, &settings, &run->discounting, run->years);
    uint32_t failed = 0;
    for (size_t area = 0; area < run->groups.area_count; area++) {
        model_lanes *own = parts + area * run->layout.count;
        parts_of_area(run, &settings, area, own);
        failed |= lanes_not_finite(own, run->layout.count);
    }
    return failed;
}

const struct model *entitlement_model(void)
{
    static struct model model;
    if (model.parameters) return &model;
    model = (struct model){.abi = MODEL_ABI,
                           .name = "entitlement",
                           .version = version,
                           .open = open_run,
                           .close = close_run,
                           .figures = list_figures,
                           .part_count = count_parts,
                           .run = run_scenario,
                           .measure = measures_of_area};
    model.parameters = parameters_table(&model.parameter_count);
    model.measures = measures_table(&model.measure_count);
    return &model;
}
