#include "call.h"

#include <fenv.h>

void call_ended(void)
{
    fesetenv(FE_DFL_ENV);
}

struct model_run *call_open(const struct model *model, const struct model_setup *setup, char *why, size_t why_bytes)
{
    struct model_run *run = model->open(setup, why, why_bytes);
    call_ended();
    return run;
}

void call_close(const struct model *model, struct model_run *run)
{
    model->close(run);
    call_ended();
}

const struct model_figure *call_figures(const struct model *model, const struct model_run *run, size_t *figure_count)
{
    const struct model_figure *figures = model->figures(run, figure_count);
    call_ended();
    return figures;
}

size_t call_part_count(const struct model *model, const struct model_run *run)
{
    const size_t parts = model->part_count(run);
    call_ended();
    return parts;
}

uint32_t call_run(const struct model *model, struct model_run *run, const model_lanes *values, model_lanes *parts)
{
    const uint32_t failed = model->run(run, values, parts);
    call_ended();
    return failed;
}

void call_measure(const struct model *model, const struct model_run *run, size_t area, const model_lanes *parts,
                  const model_lanes *minus, model_lanes *out)
{
    model->measure(run, area, parts, minus, out);
    call_ended();
}
