#include "trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entitlement.h"
#include "lanes.h"
#include "run.h"

static void list_areas(struct area areas[1 + REGION_COUNT])
{
    for (uint32_t region = 0; region <= REGION_COUNT; region++)
        areas[region] = (struct area){
            .level = region ? AREA_REGION : AREA_ENGLAND, .key = region, .phase = AREA_ALL, .quintile = AREA_ALL};
}

static model_lanes *new_rows(size_t count)
{
    return calloc(count + 1, sizeof(model_lanes));
}

bool trial_open(struct trial *trial, const struct population *population, uint32_t years, char *why, size_t why_bytes)
{
    const struct model *model = entitlement_model();
    uint8_t varies[MODEL_PARAMETERS_MAX];
    size_t figure_count;
    *trial = (struct trial){.population = population};
    list_areas(trial->areas);
    memset(varies, 1, sizeof varies);
    trial->run = model->open(&(struct model_setup){.years = years,
                                                   .population = population,
                                                   .areas = trial->areas,
                                                   .area_count = 1 + REGION_COUNT,
                                                   .varies = varies},
                             why, why_bytes);
    if (!trial->run) return false;
    model->figures(trial->run, &figure_count);
    trial->values = new_rows(model->parameter_count);
    trial->parts = new_rows((1 + REGION_COUNT) * model->part_count(trial->run));
    trial->figures = new_rows(figure_count);
    if (trial->values && trial->parts && trial->figures) return trial_reset(trial), true;
    snprintf(why, why_bytes, "out of memory");
    trial_close(trial);
    return false;
}

void trial_close(struct trial *trial)
{
    entitlement_model()->close(trial->run);
    free(trial->values);
    free(trial->parts);
    free(trial->figures);
    *trial = (struct trial){0};
}

void trial_reset(struct trial *trial)
{
    const struct model *model = entitlement_model();
    for (size_t at = 0; at < model->parameter_count; at++) lanes_fill(trial->values[at], model->parameters[at].central);
}

double trial_value(const struct trial *trial, int column)
{
    return trial->values[trial->run->places[column]][0];
}

void trial_set(struct trial *trial, int column, double value)
{
    lanes_fill(trial->values[trial->run->places[column]], value);
}

void trial_run(struct trial *trial)
{
    trial->failed = entitlement_model()->run(trial->run, trial->values, trial->parts) != 0;
}

double trial_figure(struct trial *trial, unsigned area, const char *measure, uint32_t year)
{
    const struct model *model = entitlement_model();
    size_t figure_count;
    const struct model_figure *figures = model->figures(trial->run, &figure_count);
    model->measure(trial->run, area, trial->parts + area * model->part_count(trial->run), NULL, trial->figures);
    for (size_t at = 0; at < figure_count; at++)
        if (figures[at].year == year && strcmp(model->measures[figures[at].measure].name, measure) == 0)
            return trial->figures[at][0];
    return NAN;
}
