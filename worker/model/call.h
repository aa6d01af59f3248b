/* Calls into a model. A model may be anybody's code, and one that is loaded or run may leave the processor
 * rounding another way, or taking small numbers for 0 (whatever is linked by -ffast-math does so when it is
 * loaded). Every call ends with the arithmetic that a program begins with, so that no other sweep of the
 * same process has other bits for it. Arguments and results are those of <goldthread/model.h>. */
#pragma once

#include <goldthread/model.h>

/* Restores the arithmetic of the calling thread. For whoever runs such code in another way, as by loading it. */
void call_ended(void);

struct model_run *call_open(const struct model *model, const struct model_setup *setup, char *why, size_t why_bytes);
void call_close(const struct model *model, struct model_run *run);
const struct model_figure *call_figures(const struct model *model, const struct model_run *run, size_t *figure_count);
size_t call_part_count(const struct model *model, const struct model_run *run);
uint32_t call_run(const struct model *model, struct model_run *run, const model_lanes *values, model_lanes *parts);
void call_measure(const struct model *model, const struct model_run *run, size_t area, const model_lanes *parts,
                  const model_lanes *minus, model_lanes *out);
