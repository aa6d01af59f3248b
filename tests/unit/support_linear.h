/* A small linear model, a population of six schools and a sweep over them, for tests of what runs,
 * tallies and writes any model. */
#pragma once

#include <goldthread/model.h>
#include <goldthread/population.h>
#include <goldthread/sweep.h>

enum linear_parameter { LINEAR_LEVEL, LINEAR_GROWTH, LINEAR_PRICE, LINEAR_FAIL_ABOVE, LINEAR_PARAMETERS };
enum linear_measure { LINEAR_FLOW, LINEAR_COST, LINEAR_RATIO, LINEAR_MEASURES };

/* flow of year t: pupils x level + growth x t; `all`: their sum. cost, `all` only: pupils x price. ratio,
 * `all` only: flow over cost, undefined without cost. A draw whose level is above fail_above fails.
 * Central values: 1, 0.5, 0, 1e9. */
const struct model *linear_model(void);

/* The values that a setup said may vary, as last opened. */
extern uint8_t linear_varies[LINEAR_PARAMETERS];

/* Six schools of three authorities in two regions (a comma and quotes in names, quintile 0 among the
 * quintiles); the caller frees it. */
struct population *linear_population(void);

/* Two scenarios, "base" and "priced, high" (price 2); level uniform on 0.5 to 1.5; England and regions;
 * random design of `draws` draws. `sweep` is overwritten. */
void linear_sweep(struct sweep *sweep, uint64_t draws);

/* Pupils of England or a region, counted otherwise than the model does. */
double linear_pupils(const struct population *population, const struct area *area);

/* Figures of one area and draw, straight from the definitions: [years + 3]. minus: values of the scenario
 * to take away, or NULL. */
void linear_figures(double pupils, uint32_t years, const double *values, const double *minus, double *figures);
