#include "plan.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "message.h"
#include "node.h"
#include "population.h"

static_assert(PLAN_BLOCK_DRAWS_MAX <= NODE_VALUES_MAX, "a node tallies a whole block");
static_assert(SWEEP_DRAWS_MAX <= NODE_DRAWS_MAX, "a node counts a whole sweep");

/* Where the one line of a refusal goes. */
struct complaint {
    char *why;
    size_t why_bytes;
};

__attribute__((format(printf, 2, 3))) static bool complain(const struct complaint *complaint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(complaint->why, complaint->why_bytes, format, arguments);
    va_end(arguments);
    return false;
}

/* --- the sweep against the model --- */

static bool check_parameters(const struct plan *plan, const struct complaint *complaint)
{
    const struct sweep *sweep = plan->sweep;
    const struct model *model = plan->model;
    if (strcmp(sweep->model_version, model->version) != 0)
        return complain(complaint, "the sweep is for version '%s' of model %s; here is version '%s'",
                        sweep->model_version, model->name, model->version);
    if (sweep->parameter_count != model->parameter_count || model->parameter_count > MODEL_PARAMETERS_MAX)
        return complain(complaint, "the sweep has %" PRIu32 " parameters; model %s has %zu", sweep->parameter_count,
                        model->name, model->parameter_count);
    for (size_t at = 0; at < model->parameter_count; at++)
        if (strcmp(sweep->parameters[at].name, model->parameters[at].name) != 0)
            return complain(complaint, "parameter %zu of the sweep is '%s'; that of model %s is '%s'", at,
                            sweep->parameters[at].name, model->name, model->parameters[at].name);
    return true;
}

static bool same_value(double left, double right)
{
    return left == right || (isnan(left) && isnan(right));
}

/* Which parameters can differ from the model's own central value in some draw of some scenario. */
static void find_varying(struct plan *plan)
{
    const struct sweep *sweep = plan->sweep;
    const struct parameter *table = plan->model->parameters;
    for (size_t at = 0; at < sweep->parameter_count; at++) {
        const struct sweep_parameter *parameter = &sweep->parameters[at];
        bool drawn = sweep->method != DESIGN_POINT && parameter->distribution.kind != DISTRIBUTION_FIXED;
        plan->varies[at] = drawn || !same_value(parameter->central, table[at].central);
    }
    for (size_t scenario = 0; scenario < sweep->scenario_count; scenario++) {
        const struct sweep_scenario *settings = &sweep->scenarios[scenario];
        for (size_t at = 0; at < settings->setting_count; at++) {
            uint32_t parameter = settings->settings[at].parameter;
            assert(parameter < sweep->parameter_count);
            if (!same_value(settings->settings[at].value, table[parameter].central)) plan->varies[parameter] = 1;
        }
    }
}

/* --- areas --- */

/* What occurs among the rows of one area. */
struct presence {
    uint8_t phases, quintiles; /* bits 1 << phase, 1 << quintile */
};

static size_t key_count(const struct population *population, enum area_level level)
{
    switch (level) {
    case AREA_ENGLAND:
        return 1;
    case AREA_REGION:
        return REGION_COUNT + 1;
    case AREA_AUTHORITY:
        return population->authority_count;
    default:
        return population->count;
    }
}

static size_t key_of(const struct population *population, size_t row, enum area_level level)
{
    switch (level) {
    case AREA_ENGLAND:
        return 0;
    case AREA_REGION:
        return population->authorities[population->authority[row]].region;
    case AREA_AUTHORITY:
        return population->authority[row];
    default:
        return row;
    }
}

static struct presence *find_presence(const struct population *population, enum area_level level)
{
    size_t count = key_count(population, level);
    struct presence *presence = calloc(count ? count : 1, sizeof *presence);
    if (!presence) return NULL;
    for (size_t row = 0; row < population->count; row++) {
        struct presence *area = &presence[key_of(population, row, level)];
        area->phases |= (uint8_t)(1u << population->phase[row]);
        area->quintiles |= (uint8_t)(1u << population->quintile[row]);
    }
    return presence;
}

/* Copies at most what fits, and never half a UTF-8 character. */
static void copy_name(char *to, size_t to_bytes, const char *name)
{
    size_t size = strlen(name);
    if (size >= to_bytes) {
        size = to_bytes - 1;
        while (size > 0 && ((unsigned char)name[size] & 0xc0) == 0x80) size--;
    }
    memcpy(to, name, size);
    to[size] = '\0';
}

static void name_school(const struct population *population, struct area *area)
{
    uint32_t urn = population->urn[area->key];
    const char *name = population->name ? population->name[area->key] : "";
    snprintf(area->code, sizeof area->code, "%" PRIu32, urn);
    if (name[0]) copy_name(area->name, sizeof area->name, name);
    else snprintf(area->name, sizeof area->name, "School %" PRIu32, urn);
}

static void name_area(const struct population *population, struct area *area)
{
    switch (area->level) {
    case AREA_ENGLAND:
        copy_name(area->code, sizeof area->code, "E92000001");
        copy_name(area->name, sizeof area->name, "England");
        break;
    case AREA_REGION:
        snprintf(area->code, sizeof area->code, "E1200000%u", area->key % 10);
        copy_name(area->name, sizeof area->name, region_name(area->key));
        break;
    case AREA_AUTHORITY:
        snprintf(area->code, sizeof area->code, "%03u", population->authorities[area->key].number);
        copy_name(area->name, sizeof area->name, population->authorities[area->key].name);
        break;
    default:
        name_school(population, area);
    }
}

/* Areas in the making. */
struct area_list {
    struct area *areas;
    size_t count, capacity;
};

static bool add_area(struct area_list *list, const struct area *area)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct area *areas = realloc(list->areas, capacity * sizeof *areas);
        if (!areas) return false;
        list->areas = areas;
        list->capacity = capacity;
    }
    list->areas[list->count++] = *area;
    return true;
}

/* One place: all of it, then its phases, then its quintiles. */
static bool add_place(struct area_list *list, const struct population *population, struct area area,
                      struct presence presence, uint32_t by)
{
    area.phase = area.quintile = AREA_ALL;
    name_area(population, &area);
    if (!add_area(list, &area)) return false;
    for (int phase = 0; by & SWEEP_BY_PHASE && phase < PHASE_COUNT; phase++) {
        area.phase = (int8_t)phase;
        if (presence.phases >> phase & 1 && !add_area(list, &area)) return false;
    }
    area.phase = AREA_ALL;
    for (int quintile = 0; by & SWEEP_BY_QUINTILE && quintile < QUINTILE_COUNT; quintile++) {
        area.quintile = (int8_t)quintile;
        if (presence.quintiles >> quintile & 1 && !add_area(list, &area)) return false;
    }
    return true;
}

static bool add_level(struct area_list *list, const struct population *population, enum area_level level, uint32_t by)
{
    struct presence *presence = find_presence(population, level);
    bool added = presence != NULL;
    for (size_t key = 0; added && key < key_count(population, level); key++) {
        struct area area = {.level = level, .key = (uint32_t)key};
        if (presence[key].phases) added = add_place(list, population, area, presence[key], by);
    }
    free(presence);
    return added;
}

static bool has_urns(const struct population *population)
{
    for (size_t row = 0; row < population->count; row++)
        if (population->urn[row] == 0) return false;
    return true;
}

static bool make_areas(struct plan *plan, const struct complaint *complaint)
{
    const struct sweep *sweep = plan->sweep;
    struct area_list list = {0};
    bool made = true;
    if (sweep->levels & 1u << AREA_SCHOOL && !has_urns(plan->population))
        return complain(complaint,
                        "population %s holds cells, not schools: leave 'school' out of the areas, or give a "
                        "school file",
                        sweep->population_name);
    for (int level = 0; level < AREA_LEVEL_COUNT && made; level++)
        if (sweep->levels >> level & 1) made = add_level(&list, plan->population, (enum area_level)level, sweep->by);
    plan->areas = list.areas;
    plan->area_count = list.count;
    if (!made) return complain(complaint, "out of memory");
    if (list.count == 0) return complain(complaint, "the sweep asks for no area, or the population is empty");
    return true;
}

/* --- figures --- */

static bool check_measures(const struct plan *plan, const struct complaint *complaint)
{
    const struct sweep *sweep = plan->sweep;
    const struct model *model = plan->model;
    for (size_t asked = 0; asked < sweep->measure_count; asked++) {
        size_t at = 0;
        while (at < model->measure_count && strcmp(sweep->measures[asked], model->measures[at].name) != 0) at++;
        if (at == model->measure_count)
            return complain(complaint, "model %s has no measure '%s'", model->name, sweep->measures[asked]);
    }
    return true;
}

static bool asked_for(const struct plan *plan, const struct model_figure *figure)
{
    const struct sweep *sweep = plan->sweep;
    const char *name = plan->model->measures[figure->measure].name;
    for (size_t at = 0; at < sweep->measure_count; at++)
        if (strcmp(sweep->measures[at], name) == 0) return true;
    return sweep->measure_count == 0;
}

/* A model may come from a shared object: what it says of itself is checked before it is used. */
static bool check_figures(const struct plan *plan, const struct complaint *complaint)
{
    const struct model *model = plan->model;
    bool seen[MODEL_MEASURES_MAX][MODEL_YEARS_MAX + 1] = {{false}};
    const size_t parts = call_part_count(model, plan->run);
    if (parts == 0 || parts > MODEL_PARTS_MAX)
        return complain(complaint, "model %s has %zu parts; allowed are 1 to %u", model->name, parts, MODEL_PARTS_MAX);
    for (size_t at = 0; at < plan->model_figure_count; at++) {
        const struct model_figure *figure = &plan->figures[at];
        if (figure->measure >= model->measure_count || figure->year > plan->sweep->years)
            return complain(complaint, "figure %zu of model %s is of measure %u and year %u: there is none such", at,
                            model->name, figure->measure, figure->year);
        bool *known = &seen[figure->measure][figure->year];
        if (*known)
            return complain(complaint, "model %s gives figure %s of year %u twice", model->name,
                            model->measures[figure->measure].name, figure->year);
        *known = true;
    }
    return true;
}

static bool choose_figures(struct plan *plan, const struct complaint *complaint)
{
    plan->figures = call_figures(plan->model, plan->run, &plan->model_figure_count);
    if (plan->figures == NULL) plan->model_figure_count = 0;
    if (!check_figures(plan, complaint)) return false;
    plan->kept = malloc((plan->model_figure_count + 1) * sizeof *plan->kept);
    if (!plan->kept) return complain(complaint, "out of memory");
    for (size_t at = 0; at < plan->model_figure_count; at++)
        if (asked_for(plan, &plan->figures[at])) plan->kept[plan->kept_count++] = (uint32_t)at;
    if (plan->kept_count == 0)
        return complain(complaint, "model %s gives none of the measures asked for with these settings",
                        plan->model->name);
    return true;
}

static bool choose_answers(struct plan *plan, const struct complaint *complaint)
{
    plan->answers = calloc(ANSWERS_MAX, sizeof *plan->answers);
    if (!plan->answers) return complain(complaint, "out of memory");
    size_t count = answers_find(plan, plan->answers, complaint->why, complaint->why_bytes);
    if (count == SIZE_MAX) return false;
    plan->answer_count = count;
    return true;
}

static bool count_figures(struct plan *plan, const struct complaint *complaint)
{
    const struct sweep *sweep = plan->sweep;
    bool single = sweep->draws == 1;
    size_t most = single ? PLAN_FIGURES_MAX_SINGLE : PLAN_FIGURES_MAX;
    plan->column_count = 2 * sweep->scenario_count - 1;
    plan->shape.figures = plan->column_count * plan->area_count * plan_width(plan);
    if (plan->shape.figures <= most) return true;
    return complain(
        complaint,
        "%zu figures (%zu scenarios and differences x %zu areas x %zu measures and years); at most %zu with "
        "%s: leave out a level of areas, 'by', measures or scenarios%s",
        plan->shape.figures, plan->column_count, plan->area_count, plan_width(plan), most,
        single ? "one draw" : "more than one draw", single ? "" : ", or make one draw");
}

static bool lay_out_study(struct plan *plan, const struct complaint *complaint)
{
    struct study *study = &plan->study;
    if (!study_lay_out(study, plan, complaint->why, complaint->why_bytes)) return false;
    plan->shape.sums = study->sum_count;
    plan->shape.counts = study->count_count;
    plan->shape.width = study->width;
    return true;
}

/* A root travels as one message: what its tallies and sums may take there, the kept values cannot. */
static bool check_kept(const struct plan *plan, const struct complaint *complaint)
{
    enum { FIGURE_BYTES = 1024, SUM_BYTES = 9, AROUND_BYTES = 1 << 20 };
    const struct node_shape *shape = &plan->shape;
    if (shape->width == 0 || plan->sweep->draws == 1) return true;
    const size_t room = MESSAGE_BYTES_MAX - AROUND_BYTES, draw_bytes = shape->width * sizeof(double);
    const size_t taken = shape->figures * FIGURE_BYTES + (shape->sums + shape->counts) * SUM_BYTES;
    const uint64_t most = taken < room ? (room - taken) / draw_bytes : 0;
    if (plan->sweep->draws <= most) return true;
    return complain(complaint,
                    "%" PRIu64 " draws with %zu kept figures each are more than one result can hold, beside %zu other "
                    "figures: at most %" PRIu64 " draws; or study fewer measures, areas or scenarios, or do not keep "
                    "the draws",
                    plan->sweep->draws, shape->width, shape->figures, most);
}

static uint32_t choose_block_draws(const struct plan *plan)
{
    if (plan->sweep->method == DESIGN_POINT) return 1;
    uint32_t draws = PLAN_BLOCK_DRAWS_MAX, asked = plan->sweep->draws_per_block;
    while (draws > 1 && draws * plan->shape.figures > PLAN_BLOCK_VALUES) draws /= 2;
    while (draws > MODEL_LANES && draws * plan->study.rows > PLAN_BLOCK_RUNS) draws /= 2;
    bool power_of_two = asked > 0 && (asked & (asked - 1)) == 0;
    return power_of_two && asked < draws ? asked : draws;
}

/* --- names of columns --- */

void plan_column_name(const struct plan *plan, size_t column, char *name, size_t name_bytes)
{
    const struct sweep *sweep = plan->sweep;
    if (column < sweep->scenario_count) {
        snprintf(name, name_bytes, "%s", sweep->scenarios[column].name);
        return;
    }
    const struct sweep_scenario *scenario = &sweep->scenarios[column - sweep->scenario_count + 1];
    snprintf(name, name_bytes, "%s - %s", scenario->name, sweep->scenarios[0].name);
}

/* No scenario may be called like a difference: their rows could not be told apart. */
static bool check_columns(const struct plan *plan, const struct complaint *complaint)
{
    for (size_t left = 0; left < plan->column_count; left++) {
        for (size_t right = 0; right < left; right++) {
            char left_name[PLAN_COLUMN_NAME_BYTES], right_name[PLAN_COLUMN_NAME_BYTES];
            plan_column_name(plan, left, left_name, sizeof left_name);
            plan_column_name(plan, right, right_name, sizeof right_name);
            if (strcmp(left_name, right_name) == 0)
                return complain(complaint, "two scenarios or differences are called '%s'; rename one", left_name);
        }
    }
    return true;
}

/* --- the plan --- */

struct model_setup plan_setup(const struct plan *plan, size_t first, size_t count)
{
    return (struct model_setup){.years = plan->sweep->years,
                                .population = plan->population,
                                .areas = plan->areas + first,
                                .area_count = count,
                                .varies = plan->varies};
}

static bool open_run(struct plan *plan, const struct complaint *complaint)
{
    plan->setup = plan_setup(plan, 0, plan->area_count);
    plan->run = call_open(plan->model, &plan->setup, complaint->why, complaint->why_bytes);
    if (plan->run != NULL) return true;
    complaint->why[complaint->why_bytes - 1] = '\0'; /* in case the model does not end it */
    if (complaint->why[0] != '\0') return false;
    return complain(complaint, "model %s cannot be set up, and does not say why", plan->model->name);
}

static bool fill(struct plan *plan, const struct complaint *complaint)
{
    if (!check_parameters(plan, complaint) || !check_measures(plan, complaint)) return false;
    find_varying(plan);
    if (!make_areas(plan, complaint)) return false;
    return open_run(plan, complaint) && choose_figures(plan, complaint) && choose_answers(plan, complaint) &&
           count_figures(plan, complaint) && check_columns(plan, complaint) && lay_out_study(plan, complaint) &&
           check_kept(plan, complaint);
}

struct plan *plan_new(struct sweep *sweep, const struct population *population, const struct model *model, char *why,
                      size_t why_bytes)
{
    struct complaint complaint = {.why = why, .why_bytes = why_bytes};
    complain(&complaint, "%s", "");
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        complain(&complaint, "out of memory");
        return NULL;
    }
    plan->sweep = sweep;
    plan->population = population;
    plan->model = model;
    if (!fill(plan, &complaint)) {
        plan_free(plan);
        return NULL;
    }
    sweep->draws_per_block = choose_block_draws(plan);
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan) return;
    if (plan->run) call_close(plan->model, plan->run);
    study_free(&plan->study);
    free(plan->answers);
    free(plan->areas);
    free(plan->kept);
    free(plan);
}
