/* The model interface: what a model offers to a sweep. A stable C ABI: a model is a
 * table of functions without hidden state, so that it can live in a shared object.
 *
 * A model turns parameter values into *parts*: additive quantities of an area (sums over its
 * schools). From the parts of an area it makes *figures*: one number per (measure, year).
 * Sums and ratios of areas, and of differences between scenarios, are thus always made from
 * summed parts and never by averaging ratios.
 *
 * Draws travel in batches of MODEL_LANES, one draw per lane, so that a compiler can do the
 * same arithmetic on several draws at once. A lane's result must not depend on its
 * neighbours, on the number of threads or on the CPU: no libm beyond sqrt, no fused
 * multiply-add, no random numbers of its own. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/area.h>
#include <goldthread/parameter.h>
#include <goldthread/population.h>

#define MODEL_ABI 1
#define MODEL_LANES 32
#define MODEL_PARAMETERS_MAX 256
#define MODEL_MEASURES_MAX 64
#define MODEL_PARTS_MAX 65536u
#define MODEL_YEARS_MAX 40
#define MODEL_YEAR_ALL 0
#define MODEL_VERSION_BYTES 23 /* of a shared object's own version, with the NUL */

/* A row of lanes: the values of one quantity for a batch of draws. */
typedef double model_lanes[MODEL_LANES];

struct model_measure {
    const char *name;   /* lower-case words joined by underscores, below 32 bytes */
    const char *unit;   /* "FTE", "%", "GBP", "SD", ... */
    const char *meaning;
};

struct model_figure {
    uint16_t measure;   /* index into the model's measures */
    uint16_t year;      /* 1..years, or MODEL_YEAR_ALL */
};

/* What a model is told when a sweep starts. Everything is borrowed and outlives the run. */
struct model_setup {
    uint32_t years;                       /* 1..MODEL_YEARS_MAX */
    const struct population *population;
    const struct area *areas;             /* [area_count] */
    size_t area_count;
    const uint8_t *varies;                /* [parameter_count]: 1 if some draw of some scenario may differ
                                             from the table's central value, so that what only idle
                                             levers move can be left out */
};

struct model_run; /* a model set up for one sweep; the model's own type */

struct model {
    uint32_t abi;                         /* MODEL_ABI */
    const char *name;                     /* letters, digits, - . _, below 64 bytes */
    const char *version;                  /* changes whenever a figure could; the same characters, in a shared
                                             object below MODEL_VERSION_BYTES */
    const struct parameter *parameters;   /* [parameter_count] */
    size_t parameter_count;               /* 1..MODEL_PARAMETERS_MAX */
    const struct model_measure *measures; /* [measure_count] */
    size_t measure_count;                 /* 1..MODEL_MEASURES_MAX */

    /* Sets the model up. NULL: out of memory or impossible; `why` then holds one line. The caller
     * ends it with close(). */
    struct model_run *(*open)(const struct model_setup *setup, char *why, size_t why_bytes);
    void (*close)(struct model_run *run);

    /* The figures given for every area, each (measure, year) once, in a fixed order; borrowed from the run. */
    const struct model_figure *(*figures)(const struct model_run *run, size_t *figure_count);

    /* Rows of lanes that the parts of one area take: 1..MODEL_PARTS_MAX. */
    size_t (*part_count)(const struct model_run *run);

    /* Runs one scenario for a batch. values: [parameter_count], in the table's order, every lane
     * filled. parts: [area_count * part_count], area by area. Returns a mask of lanes that failed. */
    uint32_t (*run)(struct model_run *run, const model_lanes *values, model_lanes *parts);

    /* Figures of one area from its parts: out[figure_count]. With `minus` (the baseline's parts of
     * the same area) the figures of the difference: flows are differenced, ratios of money are
     * ratios of the differenced parts, weighted means are differences of the means.
     * NaN: undefined (no cost, no payback), which is not a failure. */
    void (*measure)(const struct model_run *run, size_t area, const model_lanes *parts, const model_lanes *minus,
                    model_lanes *out);
};

/* What a shared object exports to be a model (docs/writing-a-model.md). abi: MODEL_ABI of the program that
 * asks. NULL: the object does not speak it. The model is never freed. */
#define MODEL_SYMBOL "goldthread_model"
__attribute__((visibility("default"))) const struct model *goldthread_model(uint32_t abi);
