#include "support_sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sweep *new_sweep(const char *name)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL) abort();
    snprintf(sweep->name, sizeof sweep->name, "%s", name);
    strcpy(sweep->model, "entitlement");
    strcpy(sweep->model_version, "1");
    strcpy(sweep->population_name, "england-2023");
    sweep->years = 1;
    sweep->first_year = 202526;
    sweep->method = DESIGN_RANDOM;
    sweep->draws = sweep->draws_per_block = 1;
    sweep->levels = 1u << AREA_ENGLAND;
    sweep->parameter_count = 1;
    strcpy(sweep->parameters[0].name, "p");
    sweep->scenario_count = 1;
    strcpy(sweep->scenarios[0].name, "base");
    return sweep;
}
