#include "support_linear.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "population_codec.h"

uint8_t linear_varies[LINEAR_PARAMETERS];

static const struct parameter parameters[LINEAR_PARAMETERS] = {
    [LINEAR_LEVEL] = {.name = "linear.level", .unit = "", .central = 1, .lower = -INFINITY, .upper = INFINITY},
    [LINEAR_GROWTH] = {.name = "linear.growth", .unit = "", .central = 0.5, .lower = -INFINITY, .upper = INFINITY},
    [LINEAR_PRICE] = {.name = "linear.price", .unit = "GBP", .central = 0, .lower = 0, .upper = INFINITY},
    [LINEAR_FAIL_ABOVE] = {.name = "linear.fail_above", .unit = "", .central = 1e9, .lower = 0, .upper = INFINITY},
};

static const struct model_measure measures[LINEAR_MEASURES] = {
    [LINEAR_FLOW] = {.name = "flow", .unit = "hours", .meaning = "what flows"},
    [LINEAR_COST] = {.name = "cost_gbp", .unit = "GBP", .meaning = "what it costs"},
    [LINEAR_RATIO] = {.name = "ratio", .unit = "hours, per GBP", .meaning = "flow over cost"},
};

/* Parts of an area: the flows of years 1 .. years, then the cost. Figures: these flows, then the sum of
 * flows, cost and ratio. */
struct model_run {
    uint32_t years;
    size_t area_count, figure_count;
    double *pupils;
    struct model_figure *figures;
};

static bool belongs(const struct population *population, size_t row, const struct area *area)
{
    if (area->phase != AREA_ALL && area->phase != population->phase[row]) return false;
    if (area->quintile != AREA_ALL && area->quintile != population->quintile[row]) return false;
    if (area->level == AREA_REGION) return population->authorities[population->authority[row]].region == area->key;
    if (area->level == AREA_AUTHORITY) return population->authority[row] == area->key;
    return true;
}

static double count_pupils(const struct population *population, const struct area *area)
{
    bool school = area->level == AREA_SCHOOL;
    size_t row = school ? area->key : 0, end = school ? row + 1 : population->count;
    double pupils = 0;
    for (; row < end; row++)
        if (belongs(population, row, area)) pupils += population->pupils[row];
    return pupils;
}

static void close_linear(struct model_run *run)
{
    free(run->pupils);
    free(run->figures);
    free(run);
}

static struct model_run *open_linear(const struct model_setup *setup, char *why, size_t why_bytes)
{
    if (setup->years == 13) {
        snprintf(why, why_bytes, "the linear model does not run for 13 years");
        return NULL;
    }
    struct model_run *run = calloc(1, sizeof *run);
    if (!run) return NULL;
    *run = (struct model_run){.years = setup->years,
                              .area_count = setup->area_count,
                              .figure_count = setup->years + 3,
                              .pupils = calloc(setup->area_count, sizeof(double)),
                              .figures = calloc(setup->years + 3, sizeof(struct model_figure))};
    for (size_t area = 0; area < setup->area_count; area++)
        run->pupils[area] = count_pupils(setup->population, &setup->areas[area]);
    for (uint32_t year = 1; year <= setup->years; year++)
        run->figures[year - 1] = (struct model_figure){.measure = LINEAR_FLOW, .year = (uint16_t)year};
    for (uint16_t measure = 0; measure < LINEAR_MEASURES; measure++)
        run->figures[setup->years + measure] = (struct model_figure){.measure = measure, .year = MODEL_YEAR_ALL};
    memcpy(linear_varies, setup->varies, sizeof linear_varies);
    return run;
}

static const struct model_figure *list_figures(const struct model_run *run, size_t *figure_count)
{
    *figure_count = run->figure_count;
    return run->figures;
}

static size_t count_parts(const struct model_run *run)
{
    return run->years + 1;
}

static uint32_t run_linear(struct model_run *run, const model_lanes *values, model_lanes *parts)
{
    uint32_t failed = 0;
    for (size_t lane = 0; lane < MODEL_LANES; lane++) {
        for (size_t area = 0; area < run->area_count; area++) {
            model_lanes *of = parts + area * count_parts(run);
            for (uint32_t year = 1; year <= run->years; year++)
                of[year - 1][lane] =
                    run->pupils[area] * values[LINEAR_LEVEL][lane] + values[LINEAR_GROWTH][lane] * year;
            of[run->years][lane] = run->pupils[area] * values[LINEAR_PRICE][lane];
        }
        if (values[LINEAR_LEVEL][lane] > values[LINEAR_FAIL_ABOVE][lane]) failed |= UINT32_C(1) << lane;
    }
    return failed;
}

static void make_figures(const double *parts, uint32_t years, double *figures)
{
    double sum = 0;
    for (uint32_t year = 0; year < years; year++) {
        figures[year] = parts[year];
        sum += parts[year];
    }
    figures[years] = sum;
    figures[years + 1] = parts[years];
    figures[years + 2] = parts[years] == 0 ? NAN : sum / parts[years];
}

static void measure_linear(const struct model_run *run, size_t area, const model_lanes *parts, const model_lanes *minus,
                           model_lanes *out)
{
    (void)area;
    for (size_t lane = 0; lane < MODEL_LANES; lane++) {
        double of_lane[MODEL_YEARS_MAX + 1], figures[MODEL_YEARS_MAX + 3];
        for (size_t at = 0; at < count_parts(run); at++)
            of_lane[at] = minus ? parts[at][lane] - minus[at][lane] : parts[at][lane];
        make_figures(of_lane, run->years, figures);
        for (size_t at = 0; at < run->figure_count; at++) out[at][lane] = figures[at];
    }
}

static void make_parts(double pupils, uint32_t years, const double *values, double *parts)
{
    for (uint32_t year = 1; year <= years; year++)
        parts[year - 1] = pupils * values[LINEAR_LEVEL] + values[LINEAR_GROWTH] * year;
    parts[years] = pupils * values[LINEAR_PRICE];
}

double linear_pupils(const struct population *population, const struct area *area)
{
    double pupils = 0;
    for (size_t row = 0; row < population->count; row++)
        if (area->level == AREA_ENGLAND || population->authorities[population->authority[row]].region == area->key)
            pupils += population->pupils[row];
    return pupils;
}

void linear_figures(double pupils, uint32_t years, const double *values, const double *minus, double *figures)
{
    double parts[MODEL_YEARS_MAX + 1], less[MODEL_YEARS_MAX + 1];
    make_parts(pupils, years, values, parts);
    if (minus) {
        make_parts(pupils, years, minus, less);
        for (uint32_t at = 0; at <= years; at++) parts[at] -= less[at];
    }
    make_figures(parts, years, figures);
}

const struct model *linear_model(void)
{
    static const struct model model = {.abi = MODEL_ABI,
                                       .name = "linear",
                                       .version = "1",
                                       .parameters = parameters,
                                       .parameter_count = LINEAR_PARAMETERS,
                                       .measures = measures,
                                       .measure_count = LINEAR_MEASURES,
                                       .open = open_linear,
                                       .close = close_linear,
                                       .figures = list_figures,
                                       .part_count = count_parts,
                                       .run = run_linear,
                                       .measure = measure_linear};
    return &model;
}

struct population *linear_population(void)
{
    static const struct authority authorities[] = {{.number = 202, .region = 7, .name = "Camden"},
                                                   {.number = 301, .region = 7, .name = "Barking, and \"Dagenham\""},
                                                   {.number = 805, .region = 1, .name = "Hartlepool"}};
    static const struct {
        uint32_t urn;
        uint16_t authority;
        uint8_t phase, quintile;
        double pupils;
        const char *name;
    } rows[] = {{100001, 0, PHASE_PRIMARY, 1, 200, "Ash"},      {100002, 0, PHASE_SECONDARY, 5, 900.5, "Birch"},
                {100003, 1, PHASE_PRIMARY, 0, 310, ""},         {100004, 1, PHASE_PRIMARY, 5, 150, "Cedar, Lower"},
                {100005, 2, PHASE_SPECIAL, 3, 75.25, "Damson"}, {100006, 2, PHASE_SECONDARY, 3, 1200, "Elm"}};
    struct population *population = population_new(6, 3, true);
    memcpy(population->authorities, authorities, sizeof authorities);
    for (size_t row = 0; row < 6; row++) {
        population->urn[row] = rows[row].urn;
        population->authority[row] = rows[row].authority;
        population->phase[row] = rows[row].phase;
        population->quintile[row] = rows[row].quintile;
        population->pupils[row] = rows[row].pupils;
        population_set_name(population, row, rows[row].name);
    }
    return population;
}

static void set_parameters(struct sweep *sweep)
{
    sweep->parameter_count = LINEAR_PARAMETERS;
    for (size_t at = 0; at < LINEAR_PARAMETERS; at++) {
        struct sweep_parameter *parameter = &sweep->parameters[at];
        snprintf(parameter->name, sizeof parameter->name, "%s", parameters[at].name);
        parameter->central = parameters[at].central;
    }
    sweep->parameters[LINEAR_LEVEL].distribution =
        (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = 0.5, .high = 1.5};
}

void linear_sweep(struct sweep *sweep, uint64_t draws)
{
    *sweep = (struct sweep){.name = "linear",
                            .model = "linear",
                            .model_version = "1",
                            .population_name = "six schools",
                            .years = 3,
                            .first_year = 202526,
                            .seed = 42,
                            .method = DESIGN_RANDOM,
                            .draws = draws,
                            .levels = 1u << AREA_ENGLAND | 1u << AREA_REGION,
                            .quantile_count = 3,
                            .quantiles = {0.025, 0.05, 0.5},
                            .scenario_count = 2};
    set_parameters(sweep);
    snprintf(sweep->scenarios[0].name, SWEEP_NAME_BYTES, "base");
    snprintf(sweep->scenarios[1].name, SWEEP_NAME_BYTES, "priced, high");
    sweep->scenarios[1].setting_count = 1;
    sweep->scenarios[1].settings[0] = (struct sweep_setting){.parameter = LINEAR_PRICE, .value = 2};
}
