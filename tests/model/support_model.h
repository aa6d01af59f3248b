/* The model as a test drives it: values by name, figures by measure, year and area. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>

#define BENCH_SLOTS 3

/* One opened model with room for the parts of a few scenarios. */
struct bench {
    const struct model *model;
    struct model_run *run;
    const struct population *population; /* borrowed */
    struct area *areas;
    size_t area_count, figure_count, part_count;
    const struct model_figure *figures;
    uint8_t varies[MODEL_PARAMETERS_MAX];
    model_lanes *values; /* [parameter_count] */
    model_lanes *parts[BENCH_SLOTS];
    model_lanes *out; /* [figure_count] */
};

/* Opens the model over England and its nine regions, with every option there may be when `everything`;
 * values are central ones. Fails the test when that is impossible. */
struct bench bench_open(const struct population *population, uint32_t years, int everything);
/* The same over areas of one's own, copied. */
struct bench bench_open_areas(const struct population *population, uint32_t years, int everything,
                              const struct area *areas, size_t area_count);
void bench_close(struct bench *bench);

size_t bench_column(const struct bench *bench, const char *name);
void bench_set(struct bench *bench, const char *name, double value); /* in every lane */
void bench_set_lane(struct bench *bench, const char *name, int lane, double value);
void bench_reset(struct bench *bench);         /* central values */
void bench_golden_thread(struct bench *bench); /* central values, four funded years */

/* Runs the values as scenario `slot`; answers with the mask of failed lanes. */
uint32_t bench_run(struct bench *bench, int slot);

/* A figure of lane `lane`; minus: a slot, or -1. */
double bench_figure_lane(struct bench *bench, int slot, int minus, size_t area, const char *measure, uint32_t year,
                         int lane);
double bench_figure(struct bench *bench, int slot, int minus, size_t area, const char *measure, uint32_t year);
int bench_has(const struct bench *bench, const char *measure);

/* |a - b| relative to the larger, 0 when equal or both NaN. */
double relative_difference(double a, double b);

/* The embedded population, or the school file beside the checkout; NULL when that is absent. The caller
 * frees with population_free(). */
struct population *cells_population(void);
struct population *schools_population(void);

/* One secondary of 50 FTE (after scaling), quintile 5, 160 KS4 pupils, D = 0.5. */
struct population *hand_worked_school(void);
