/* The estimates of a study as a table: rows of sensitivity.csv. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "node.h"
#include "plan.h"

#define SENSITIVITY_HEADER                                                                                             \
    "scenario,area_code,area,measure,unit,year,index,parameter,second_parameter,estimate,low,high,n,method\n"
#define SENSITIVITY_TEXTS      9
#define SENSITIVITY_DUMMY      "dummy" /* a parameter that the model never sees: what chance alone gives */
#define SENSITIVITY_CONFIDENCE 0.95

struct sensitivity_row {
    const char *texts[SENSITIVITY_TEXTS]; /* the columns up to second_parameter; "": none */
    double estimate, low, high;           /* NaN: undefined, written as empty */
    uint64_t n;                           /* runs, pairs of runs or effects that it rests on */
    const char *method;                   /* the design's name */
};

/* Of the intervals: that of the sweep's stop rule, or 0.95. */
double sensitivity_confidence(const struct sweep *sweep);

/* The name of a dimension of the study, which may be the dummy; "" for none (-1). */
const char *sensitivity_parameter(const struct plan *plan, int dimension);

/* Calls `emit` for every estimate, ascending by the texts, compared as byte strings. Stops when emit answers false.
 * False: stopped, or out of memory. */
bool sensitivity_rows(const struct plan *plan, const struct node *root,
                      bool (*emit)(void *context, const struct sensitivity_row *row), void *context);

/* sensitivity.csv, whole, with its header. False: out of memory. */
bool sensitivity_csv(const struct plan *plan, const struct node *root, struct buffer *out);
