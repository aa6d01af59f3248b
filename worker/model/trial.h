/* A single draw of the model over England and its regions: values set by column, figures asked for by
 * name. Slow and convenient, for validation. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <goldthread/model.h>

#include "columns.h"

#define TRIAL_ENGLAND 0u /* area 0; areas 1..9 are the regions */

struct trial {
    const struct population *population; /* borrowed */
    struct model_run *run;               /* owned */
    model_lanes *values;                 /* owned, [parameter_count]: central until set */
    model_lanes *parts, *figures;        /* owned */
    struct area areas[1 + REGION_COUNT];
    bool failed; /* the last run gave a number that is not finite */
};

/* Opens the model with every option; values are central. False: out of memory or `why`; nothing to close. */
bool trial_open(struct trial *trial, const struct population *population, uint32_t years, char *why, size_t why_bytes);
void trial_close(struct trial *trial);

void trial_reset(struct trial *trial); /* central values */
double trial_value(const struct trial *trial, int column);
void trial_set(struct trial *trial, int column, double value);
void trial_run(struct trial *trial);

/* A figure of the last run; NaN: undefined, or no such figure. */
double trial_figure(struct trial *trial, unsigned area, const char *measure, uint32_t year);
