#include "row.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"

void *row_memory(size_t count, size_t bytes)
{
    enum { CACHE_LINE = 64 };
    size_t size = (count * bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    if (size == 0) size = CACHE_LINE;
    void *memory = aligned_alloc(CACHE_LINE, size);
    if (memory) memset(memory, 0, size);
    return memory;
}

bool row_values_init(struct row_values *values, const struct plan *plan)
{
    values->draws = row_memory(plan->sweep->parameter_count, sizeof(model_lanes));
    values->values = row_memory(plan->sweep->parameter_count, sizeof(model_lanes));
    return values->draws && values->values;
}

void row_values_free(struct row_values *values)
{
    free(values->draws);
    free(values->values);
}

static void apply_settings(const struct row_values *scratch, const struct sweep *sweep,
                           const struct sweep_scenario *scenario)
{
    memcpy(scratch->values, scratch->draws, sweep->parameter_count * sizeof *scratch->values);
    for (size_t at = 0; at < scenario->setting_count; at++) {
        const struct sweep_setting *setting = &scenario->settings[at];
        for (size_t lane = 0; lane < MODEL_LANES; lane++) scratch->values[setting->parameter][lane] = setting->value;
    }
}

bool row_run(const struct row_values *scratch, const struct plan *plan, const struct design *design, uint32_t row,
             uint64_t first, model_lanes *shares, const struct row_place *place, const struct stopper *stopper,
             uint32_t *failed)
{
    *failed = 0;
    design_row(design, row, first, scratch->draws, shares);
    for (size_t scenario = 0; scenario < plan->sweep->scenario_count; scenario++) {
        if (stopper_says_stop(stopper)) return false;
        apply_settings(scratch, plan->sweep, &plan->sweep->scenarios[scenario]);
        *failed |= call_run(plan->model, place->run, (const model_lanes *)scratch->values,
                            place->parts + scenario * place->scenario_parts);
    }
    return true;
}

void row_measure(const struct plan *plan, const struct row_place *place, size_t column, size_t area,
                 model_lanes *measured)
{
    size_t scenarios = plan->sweep->scenario_count, offset = area * place->part_count;
    bool difference = column >= scenarios;
    size_t scenario = difference ? column - scenarios + 1 : column;
    const model_lanes *parts = (const model_lanes *)place->parts + offset;
    call_measure(plan->model, place->run, area, parts + scenario * place->scenario_parts, difference ? parts : NULL,
                 measured);
}
