#include "support_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "population.h"
#include "population_codec.h"
#include "registry.h"

static void list_nine_regions(struct area areas[1 + REGION_COUNT])
{
    for (uint32_t region = 0; region <= REGION_COUNT; region++) {
        struct area *area = &areas[region];
        *area = (struct area){.level = region ? AREA_REGION : AREA_ENGLAND, .key = region, .phase = AREA_ALL};
        area->quintile = AREA_ALL;
        snprintf(area->code, sizeof area->code, region ? "E1200000%u" : "E92000001", region);
    }
}

struct bench bench_open(const struct population *population, uint32_t years, int everything)
{
    struct area areas[1 + REGION_COUNT];
    list_nine_regions(areas);
    return bench_open_areas(population, years, everything, areas, 1 + REGION_COUNT);
}

struct bench bench_open_areas(const struct population *population, uint32_t years, int everything,
                              const struct area *areas, size_t area_count)
{
    struct bench bench = {.model = model_find("entitlement"), .population = population, .area_count = area_count};
    char why[256] = "";
    cr_assert_not_null(bench.model);
    memset(bench.varies, everything != 0, sizeof bench.varies);
    bench.areas = malloc(area_count * sizeof *areas);
    memcpy(bench.areas, areas, area_count * sizeof *areas);
    struct model_setup setup = {.years = years,
                                .population = population,
                                .areas = bench.areas,
                                .area_count = area_count,
                                .varies = bench.varies};
    bench.run = bench.model->open(&setup, why, sizeof why);
    cr_assert_not_null(bench.run, "open: %s", why);
    bench.figures = bench.model->figures(bench.run, &bench.figure_count);
    bench.part_count = bench.model->part_count(bench.run);
    bench.values = calloc(bench.model->parameter_count, sizeof *bench.values);
    for (int slot = 0; slot < BENCH_SLOTS; slot++)
        bench.parts[slot] = calloc(area_count * bench.part_count, sizeof *bench.parts[slot]);
    bench.out = calloc(bench.figure_count, sizeof *bench.out);
    bench_reset(&bench);
    return bench;
}

void bench_close(struct bench *bench)
{
    bench->model->close(bench->run);
    for (int slot = 0; slot < BENCH_SLOTS; slot++) free(bench->parts[slot]);
    free(bench->areas);
    free(bench->values);
    free(bench->out);
}

size_t bench_column(const struct bench *bench, const char *name)
{
    for (size_t at = 0; at < bench->model->parameter_count; at++)
        if (strcmp(bench->model->parameters[at].name, name) == 0) return at;
    cr_assert_fail("no parameter %s", name);
    return 0;
}

void bench_set_lane(struct bench *bench, const char *name, int lane, double value)
{
    bench->values[bench_column(bench, name)][lane] = value;
}

void bench_set(struct bench *bench, const char *name, double value)
{
    for (int lane = 0; lane < MODEL_LANES; lane++) bench_set_lane(bench, name, lane, value);
}

void bench_reset(struct bench *bench)
{
    for (size_t at = 0; at < bench->model->parameter_count; at++)
        for (int lane = 0; lane < MODEL_LANES; lane++) bench->values[at][lane] = bench->model->parameters[at].central;
}

void bench_golden_thread(struct bench *bench)
{
    bench_reset(bench);
    bench_set(bench, "entitlement.funded_years", 4);
}

uint32_t bench_run(struct bench *bench, int slot)
{
    return bench->model->run(bench->run, (const model_lanes *)bench->values, bench->parts[slot]);
}

static int measure_index(const struct bench *bench, const char *measure)
{
    for (size_t at = 0; at < bench->model->measure_count; at++)
        if (strcmp(bench->model->measures[at].name, measure) == 0) return (int)at;
    return -1;
}

int bench_has(const struct bench *bench, const char *measure)
{
    int index = measure_index(bench, measure);
    for (size_t at = 0; at < bench->figure_count; at++)
        if (bench->figures[at].measure == index) return 1;
    return 0;
}

double bench_figure_lane(struct bench *bench, int slot, int minus, size_t area, const char *measure, uint32_t year,
                         int lane)
{
    int index = measure_index(bench, measure);
    const model_lanes *parts = (const model_lanes *)bench->parts[slot] + area * bench->part_count;
    const model_lanes *base = minus < 0 ? NULL : (const model_lanes *)bench->parts[minus] + area * bench->part_count;
    bench->model->measure(bench->run, area, parts, base, bench->out);
    for (size_t at = 0; at < bench->figure_count; at++)
        if (bench->figures[at].measure == index && bench->figures[at].year == year) return bench->out[at][lane];
    cr_assert_fail("no figure %s of year %u", measure, year);
    return NAN;
}

double bench_figure(struct bench *bench, int slot, int minus, size_t area, const char *measure, uint32_t year)
{
    return bench_figure_lane(bench, slot, minus, area, measure, year, 0);
}

double relative_difference(double a, double b)
{
    if (a == b || (isnan(a) && isnan(b))) return 0;
    double larger = fmax(fabs(a), fabs(b));
    return isnan(a) || isnan(b) ? INFINITY : fabs(a - b) / larger;
}

struct population *cells_population(void)
{
    struct population *population = population_built_in();
    cr_assert_not_null(population);
    return population;
}

struct population *schools_population(void)
{
    FILE *file = fopen(GOLDTHREAD_SOURCE "/../shared/evidence/schools.csv", "rb");
    if (!file) return NULL;
    size_t room = 8u << 20;
    char *text = malloc(room), why[256] = "";
    size_t bytes = fread(text, 1, room, file);
    fclose(file);
    struct population *population = population_read((struct span){(const uint8_t *)text, bytes}, why, sizeof why);
    cr_assert_not_null(population, "school file: %s", why);
    free(text);
    return population;
}

struct population *hand_worked_school(void)
{
    struct population *school = population_new(1, 1, false);
    cr_assert_not_null(school);
    school->phase[0] = PHASE_SECONDARY;
    school->quintile[0] = 5;
    school->schools[0] = 1;
    school->pupils[0] = 900;
    school->fte[0] = 50 / (468258 / 463366.4);
    school->fsm6[0] = school->ks4_fsm6[0] = school->ks4_disadvantaged[0] = 0.5;
    school->ks4[0] = 160;
    school->authorities[0] = (struct authority){.number = 201, .region = 7, .name = "Anywhere"};
    return school;
}
