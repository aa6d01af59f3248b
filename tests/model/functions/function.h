/* A model that is one function of its parameters: figure `y`, for all years together, the same in every
 * area. It knows nothing of the population. function.c makes the model's table of what a file defines here. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include <goldthread/model.h>

#define PI 3.14159265358979323846

struct function {
    const char *name, *version, *meaning;
    const struct parameter *parameters; /* [dimension] */
    size_t dimension;

    /* y at x: [dimension]. False: this draw failed. The same bits everywhere: no libm but sqrt and fabs. */
    bool (*evaluate)(const double *x, double *y);
};

/* Defined by each model. */
extern const struct function function;

#define FUNCTION_PARAMETER(word, spread)                                                                               \
    .name = word, .symbol = word, .unit = "", .low = NAN, .high = NAN, .lower = -INFINITY, .upper = INFINITY,          \
    .distribution = spread, .status = PARAMETER_ASSUMPTION, .source = "by definition of the function",                 \
    .meaning = "an input of the function"

/* A row of the table of parameters; its central value is the mean. */
#define UNIFORM(word, a, b)                                                                                            \
    {                                                                                                                  \
        .central = ((a) + (b)) / 2,                                                                                    \
        FUNCTION_PARAMETER(word, ((struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = (a), .high = (b)}))       \
    }
#define NORMAL(word, mu, sigma)                                                                                        \
    {                                                                                                                  \
        .central = (mu),                                                                                               \
        FUNCTION_PARAMETER(word, ((struct distribution){.kind = DISTRIBUTION_NORMAL, .mean = (mu), .sd = (sigma)}))    \
    }

/* Uniform from 0 to 1. */
#define UNIT(word) UNIFORM(word, 0.0, 1.0)

/* Nine of these: x1 to x9 behind "", x11 to x19 behind "1", and so on. */
#define UNITS_1_TO_9(tens)                                                                                             \
    UNIT("x" tens "1"), UNIT("x" tens "2"), UNIT("x" tens "3"), UNIT("x" tens "4"), UNIT("x" tens "5"),                \
        UNIT("x" tens "6"), UNIT("x" tens "7"), UNIT("x" tens "8"), UNIT("x" tens "9")

#define DIMENSION(list) (sizeof(list) / sizeof *(list))
