#include "scenario.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis.h"
#include "design.h"
#include "plan.h"
#include "reader.h"
#include "registry.h"
#include "setting.h"
#include "uncertainty.h"
#include "words.h"
#include "yaml.h"

static const char *const area_names[] = {"england", "region", "local_authority", "school"};
static const double default_quantiles[] = {0.05, 0.25, 0.5, 0.75, 0.95};

const char *scenario_area_name(enum area_level level)
{
    return area_names[level];
}

/* A name for people and for tables: printable, and with nothing that a table or a difference needs. */
static const char *name_fault(const char *text)
{
    size_t size = strlen(text);
    if (size == 0) return "is empty";
    if (size >= SWEEP_NAME_BYTES) return "is longer than 63 bytes";
    if (strstr(text, " - ")) return "holds ` - `, which stands for a difference";
    if (text[0] == ' ' || text[size - 1] == ' ') return "begins or ends with a space";
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) return "holds a control character";
    return NULL;
}

static void read_name(struct reader *reader, const struct yaml_node *node, const char *what,
                      char name[SWEEP_NAME_BYTES])
{
    const char *wrong = node->kind != YAML_SCALAR ? "is not text" : name_fault(node->text);
    if (wrong) fault(reader, node, "%s %s; allowed is text of 1 to 63 bytes", what, wrong);
    else snprintf(name, SWEEP_NAME_BYTES, "%s", node->text);
}

/* The sweep's name is also the name of a folder. */
static void read_sweep_name(struct reader *reader, const struct yaml_node *root)
{
    const struct yaml_node *node = value_of(root, "sweep");
    if (!node) {
        fault(reader, root, "`sweep` is missing; give the sweep a name, such as `sweep: golden-thread`");
        return;
    }
    read_name(reader, node, "the name of the sweep", reader->sweep->name);
    for (const char *at = reader->sweep->name; *at; at++) {
        bool fits =
            isalnum((unsigned char)*at) || *at == '_' || ((*at == '-' || *at == '.') && at > reader->sweep->name);
        if (!fits) {
            int size = 1; /* of the whole character */
            while (((unsigned char)at[size] & 0xc0) == 0x80) size++;
            fault(reader, node,
                  "the name of the sweep holds `%.*s`; allowed are letters, digits, - . _, and no - or . first", size,
                  at);
            return;
        }
    }
}

static const struct model *find_built_in(void *context, const char *name, char *why, size_t why_bytes)
{
    const struct model *model = model_find(name);
    (void)context;
    if (!model)
        snprintf(why, why_bytes,
                 "no model is called `%.64s`; allowed are entitlement, no-op, and the path of a model of "
                 "your own that ends in .so",
                 name);
    return model;
}

static void read_model(struct reader *reader, const struct yaml_node *root, const struct scenario_models *models)
{
    static const struct scenario_models built_in = {find_built_in, NULL, NULL};
    char why[512];
    const struct yaml_node *node = value_of(root, "model");
    const char *name = node && node->kind == YAML_SCALAR ? node->text : node ? "" : "entitlement";
    if (!models || !model_is_file(name)) models = &built_in;
    const struct model *model = models->find(models->context, name, why, sizeof why);
    if (!model) {
        fault(reader, node ? node : root, "%s", why);
        return;
    }
    assert(model->parameter_count <= MODEL_PARAMETERS_MAX && model->measure_count <= SWEEP_MEASURES_MAX);
    reader->out->model = model;
    reader->table = (struct parameter_table){model->parameters, model->parameter_count};
    snprintf(reader->sweep->model, SWEEP_NAME_BYTES, "%s", model->name);
    snprintf(reader->sweep->model_version, SWEEP_NAME_BYTES, "%s", model->version);
    reader->sweep->parameter_count = (uint32_t)model->parameter_count;
    for (size_t at = 0; at < model->parameter_count; at++) {
        struct sweep_parameter *parameter = &reader->sweep->parameters[at];
        snprintf(parameter->name, sizeof parameter->name, "%s", model->parameters[at].name);
        parameter->central = model->parameters[at].central;
        parameter->distribution = model->parameters[at].distribution;
    }
}

static void read_population(struct reader *reader, const struct yaml_node *root)
{
    struct scenario_file *out = reader->out;
    const struct yaml_node *node = value_of(root, "population");
    out->population_place = place_of(node);
    const char *text = !node ? "england-2023" : node->kind == YAML_SCALAR ? node->text : "";
    if (*text == '\0' || strlen(text) >= sizeof out->population)
        fault_at(reader, out->population_place.line, out->population_place.column,
                 "the population must be england-2023 or the path of a school file");
    snprintf(out->population, sizeof out->population, "%s", text);
}

static void read_first_year(struct reader *reader, const struct yaml_node *node)
{
    uint64_t year = 0;
    bool number = node->kind == YAML_SCALAR && !node->quoted && word_whole(node->text, 999999, &year);
    if (number && year >= 190001 && year / 100 % 100 == (year % 100 + 99) % 100)
        reader->sweep->first_year = (uint32_t)year;
    else
        fault(reader, node, "first_year is %.32s; allowed is a school year as six digits, such as 202526 for 2025/26",
              kind_name(node));
}

static void read_time(struct reader *reader, const struct yaml_node *root)
{
    struct sweep *sweep = reader->sweep;
    const struct yaml_node *years = value_of(root, "years"), *first = value_of(root, "first_year");
    const struct yaml_node *seed = value_of(root, "seed");
    sweep->years = years ? (uint32_t)read_whole(reader, years, "years", 1, MODEL_YEARS_MAX) : 10;
    sweep->first_year = 202526;
    if (first) read_first_year(reader, first);
    sweep->seed = seed ? read_whole(reader, seed, "seed", 0, UINT64_MAX) : 1;
}

static void note_implausible(struct reader *reader, const struct parameter *parameter, double value, const char *where)
{
    if (setting_is_plausible(parameter, value)) return;
    char text[48];
    setting_text(parameter, value, text, sizeof text);
    note(reader, "%s: `%s` is %s, outside its plausible range %.12g to %.12g", where, parameter->name, text,
         parameter->low, parameter->high);
}

static void add_setting(struct sweep_scenario *scenario, uint32_t parameter, double value)
{
    uint32_t at = scenario->setting_count++;
    for (; at > 0 && scenario->settings[at - 1].parameter > parameter; at--)
        scenario->settings[at] = scenario->settings[at - 1];
    scenario->settings[at] = (struct sweep_setting){parameter, value};
}

static void read_setting(struct reader *reader, struct sweep_scenario *scenario, const struct yaml_node *key)
{
    int at = find_parameter(reader, key);
    if (at < 0) return;
    const struct parameter *parameter = &reader->table.rows[at];
    const struct yaml_node *node = key->next;
    char why[256] = "";
    double value = 0;
    if (node->kind != YAML_SCALAR || yaml_is_null(node)) {
        char allowed[160];
        setting_allowed(parameter, allowed, sizeof allowed);
        fault(reader, node, "`%s` must be one value; allowed is %s", parameter->name, allowed);
    } else if (!setting_read(parameter, node->text, &value, why, sizeof why)) {
        fault(reader, node, "%s", why);
    } else if (scenario->setting_count == SWEEP_SETTINGS_MAX) {
        fault(reader, key, "a scenario sets at most %d parameters", SWEEP_SETTINGS_MAX);
    } else {
        add_setting(scenario, (uint32_t)at, value);
        note_implausible(reader, parameter, value, scenario->name);
    }
}

static void read_scenario(struct reader *reader, const struct yaml_node *node)
{
    static const char *const keys[] = {"name", "set"};
    struct sweep *sweep = reader->sweep;
    if (sweep->scenario_count == SWEEP_SCENARIOS_MAX) {
        fault(reader, node, "more than %d scenarios", SWEEP_SCENARIOS_MAX);
        return;
    }
    struct sweep_scenario *scenario = &sweep->scenarios[sweep->scenario_count];
    if (!expect_mapping(reader, node, "a scenario", keys, COUNT_OF(keys))) return;
    const struct yaml_node *name = value_of(node, "name"), *set = value_of(node, "set");
    if (!name) fault(reader, node, "the scenario has no `name`; give it one");
    else read_name(reader, name, "the scenario's name", scenario->name);
    for (uint32_t at = 0; name && at < sweep->scenario_count; at++)
        if (strcmp(sweep->scenarios[at].name, scenario->name) == 0)
            fault(reader, name, "two scenarios are called `%s`; names must differ", scenario->name);
    sweep->scenario_count++;
    if (!set || yaml_is_null(set)) return;
    if (set->kind != YAML_MAPPING) fault(reader, set, "`set` must be a mapping, such as {entitlement.funded_years: 4}");
    for (const struct yaml_node *key = set->kind == YAML_MAPPING ? set->first : NULL; key; key = key->next->next)
        read_setting(reader, scenario, key);
}

static void read_scenarios(struct reader *reader, const struct yaml_node *root)
{
    const struct yaml_node *node = value_of(root, "scenarios");
    if (!node) fault(reader, root, "`scenarios` is missing; list at least one, the baseline first");
    else if (node->kind != YAML_SEQUENCE || node->count == 0)
        fault(reader, node, "`scenarios` is %s; allowed is a list of 1 to %d, the baseline first",
              node->kind == YAML_SEQUENCE ? "an empty list" : kind_name(node), SWEEP_SCENARIOS_MAX);
    else
        for (const struct yaml_node *item = node->first; item; item = item->next) read_scenario(reader, item);
}

static void read_uncertain(struct reader *reader, const struct yaml_node *root)
{
    const struct yaml_node *node = value_of(root, "uncertain");
    if (!node) return; /* every distribution of the table */
    if (node->kind != YAML_MAPPING) {
        fault(reader, node, "`uncertain` must be a mapping of parameters to distributions; {} for none");
        return;
    }
    for (uint32_t at = 0; at < reader->sweep->parameter_count; at++)
        reader->sweep->parameters[at].distribution = (struct distribution){.kind = DISTRIBUTION_FIXED};
    const struct empirical_source source = {reader->file, reader->read_file, reader->sweep};
    for (const struct yaml_node *key = node->first; key; key = key->next->next) {
        int at = find_parameter(reader, key);
        struct yaml_fault wrong;
        if (at < 0) return;
        struct distribution *distribution = &reader->sweep->parameters[at].distribution;
        if (!uncertainty_read(&reader->table.rows[at], key->next, &source, distribution, &wrong))
            fault_at(reader, wrong.line, wrong.column, "%s", wrong.text);
    }
}

static bool find_design(const char *text, enum design_method *method)
{
    for (size_t at = 0; at < DESIGN_METHOD_COUNT; at++)
        if (word_matches(text, design_method_names[at])) {
            *method = (enum design_method)at;
            return true;
        }
    return false;
}

static void read_method(struct reader *reader, const struct yaml_node *node)
{
    char allowed[1024];
    if (node->kind == YAML_SCALAR && find_design(node->text, &reader->sweep->method)) return;
    hint(node->kind == YAML_SCALAR ? node->text : "", design_method_names, DESIGN_METHOD_COUNT, allowed,
         sizeof allowed);
    fault(reader, node, "no design is called `%.64s`%s", kind_name(node), allowed);
}

/* Draws of a block, where the plan's own choice is not wanted: smaller blocks spread a few long draws
 * over more workers, and blocks of one draw show what a block costs. */
static uint32_t read_block(struct reader *reader, const struct yaml_node *node)
{
    uint64_t draws = read_whole(reader, node, "block", 1, PLAN_BLOCK_DRAWS_MAX);
    if ((draws & (draws - 1)) != 0)
        fault(reader, node, "block is %.64s; allowed is a power of two from 1 to %u", kind_name(node),
              PLAN_BLOCK_DRAWS_MAX);
    return (uint32_t)draws;
}

static void read_design(struct reader *reader, const struct yaml_node *root)
{
    static const char *const keys[] = {"method", "draws", "block", "replicates", "levels", "second_order"};
    struct sweep *sweep = reader->sweep;
    sweep->method = DESIGN_SOBOL;
    sweep->draws = SCENARIO_DRAWS;
    const struct yaml_node *node = value_of(root, "design");
    if (!node) return;
    if (node->kind == YAML_SCALAR && !yaml_is_null(node)) {
        read_method(reader, node);
        return;
    }
    if (!expect_mapping(reader, node, "`design`", keys, COUNT_OF(keys))) return;
    const struct yaml_node *method = value_of(node, "method"), *draws = value_of(node, "draws");
    if (method) read_method(reader, method);
    if (draws) sweep->draws = read_whole(reader, draws, "draws", 1, SWEEP_DRAWS_MAX);
    const struct yaml_node *block = value_of(node, "block");
    if (block) sweep->draws_per_block = read_block(reader, block);
    analysis_read_design(reader, node);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void read_quantiles(struct reader *reader, const struct yaml_node *node)
{
    struct sweep *sweep = reader->sweep;
    sweep->quantile_count = 0;
    if (node->kind != YAML_SEQUENCE || node->count > SWEEP_QUANTILES_MAX) {
        fault(reader, node, "`quantiles` must be a list of at most %d shares between 0 and 1", SWEEP_QUANTILES_MAX);
        return;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        double share = 0;
        bool number = item->kind == YAML_SCALAR && word_number(item->text, &share);
        if (!number || !(share > 0 && share < 1))
            fault(reader, item, "a quantile is %.32s; allowed is a share above 0 and below 1", kind_name(item));
        for (uint32_t at = 0; at < sweep->quantile_count; at++)
            if (sweep->quantiles[at] == share) fault(reader, item, "the quantile %.12g is given twice", share);
        sweep->quantiles[sweep->quantile_count++] = share;
    }
    qsort(sweep->quantiles, sweep->quantile_count, sizeof *sweep->quantiles, compare_doubles);
}

/* Measures in the model's order, whatever the file's: the same outputs are the same sweep. */
static void read_measures(struct reader *reader, const struct yaml_node *node)
{
    const struct model *model = reader->out->model;
    struct sweep *sweep = reader->sweep;
    bool asked[SWEEP_MEASURES_MAX] = {false};
    if (node->kind != YAML_SEQUENCE || node->count == 0) {
        fault(reader, node, "`measures` must be a list of names; leave it out for all of them");
        return;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        int at = find_measure(reader, item);
        if (at >= 0) asked[at] = true;
    }
    for (size_t at = 0; at < model->measure_count; at++)
        if (asked[at])
            snprintf(sweep->measures[sweep->measure_count++], sizeof sweep->measures[0], "%s",
                     model->measures[at].name);
}

static void read_outputs(struct reader *reader, const struct yaml_node *root)
{
    static const char *const keys[] = {"areas", "by", "quantiles", "measures", "draws", "exceed"};
    static const char *const by_names[] = {"phase", "quintile"};
    struct sweep *sweep = reader->sweep;
    sweep->levels = 1u << AREA_ENGLAND | 1u << AREA_REGION;
    sweep->quantile_count = COUNT_OF(default_quantiles);
    memcpy(sweep->quantiles, default_quantiles, sizeof default_quantiles);
    const struct yaml_node *node = value_of(root, "outputs");
    if (!node || !expect_mapping(reader, node, "`outputs`", keys, COUNT_OF(keys))) return;
    const struct yaml_node *areas = value_of(node, "areas"), *by = value_of(node, "by");
    const struct yaml_node *quantiles = value_of(node, "quantiles"), *measures = value_of(node, "measures");
    if (areas) sweep->levels = read_bits(reader, areas, "areas", area_names, COUNT_OF(area_names));
    if (areas && sweep->levels == 0) fault(reader, areas, "`areas` is empty; name at least one, such as england");
    if (by) sweep->by = read_bits(reader, by, "by", by_names, COUNT_OF(by_names));
    if (quantiles) read_quantiles(reader, quantiles);
    if (measures) read_measures(reader, measures);
    analysis_read_outputs(reader, node);
}

/* --set NAME=VALUE: replaces the table's central value, and nothing draws the parameter any more. */
static void override_set(struct reader *reader, const char *text)
{
    char name[64], why[256];
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof name) {
        fault_option(reader, "--set %.64s: allowed is NAME=VALUE, such as --set effect.hours=20", text);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    int at = setting_find(reader->table, name, why, sizeof why);
    double value = 0;
    if (at < 0 || !setting_read(&reader->table.rows[at], equals + 1, &value, why, sizeof why)) {
        fault_option(reader, "--set %.64s: %s", text, why);
        return;
    }
    reader->sweep->parameters[at].central = value;
    reader->sweep->parameters[at].distribution = (struct distribution){.kind = DISTRIBUTION_FIXED};
    note_implausible(reader, &reader->table.rows[at], value, "--set");
}

static void override(struct reader *reader, const struct scenario_overrides *overrides)
{
    struct sweep *sweep = reader->sweep;
    char allowed[1024];
    for (size_t at = 0; at < overrides->set_count; at++) override_set(reader, overrides->sets[at]);
    if (overrides->design && !find_design(overrides->design, &sweep->method)) {
        hint(overrides->design, design_method_names, DESIGN_METHOD_COUNT, allowed, sizeof allowed);
        fault_option(reader, "--design: no design is called `%.64s`%s", overrides->design, allowed);
    }
    if (overrides->draws && (!word_whole(overrides->draws, SWEEP_DRAWS_MAX, &sweep->draws) || sweep->draws == 0))
        fault_option(reader, "--draws %.32s: allowed is a whole number from 1 to %llu", overrides->draws,
                     (unsigned long long)SWEEP_DRAWS_MAX);
    if (overrides->seed && !word_whole(overrides->seed, UINT64_MAX, &sweep->seed))
        fault_option(reader, "--seed %.32s: allowed is a whole number from 0 to %llu", overrides->seed,
                     (unsigned long long)UINT64_MAX);
    if (!empirical_pack(sweep)) fault_option(reader, "out of memory");
    analysis_finish(reader, overrides);
    if (sweep->method == DESIGN_SOBOL && (sweep->draws & (sweep->draws - 1)) != 0)
        note(reader, "%llu draws: a Sobol' design is best balanced with a power of two",
             (unsigned long long)sweep->draws);
}

static void read_root(struct reader *reader, const struct yaml_node *root, const struct scenario_models *models)
{
    static const char *const keys[] = {"sweep",        "model",       "population", "years",   "first_year",
                                       "seed",         "scenarios",   "uncertain",  "design",  "outputs",
                                       "correlations", "sensitivity", "stop",       "compare", "discover"};
    if (!expect_mapping(reader, root, "a scenario file", keys, COUNT_OF(keys))) return;
    reader->root = root;
    read_model(reader, root, models);
    if (reader->failed) return; /* nothing else makes sense without the model's table */
    read_sweep_name(reader, root);
    read_population(reader, root);
    read_time(reader, root);
    read_scenarios(reader, root);
    read_uncertain(reader, root);
    read_design(reader, root);
    read_outputs(reader, root);
    if (!reader->failed) analysis_read(reader, root);
}

struct scenario_file *scenario_read(struct span bytes, const char *file, const struct scenario_overrides *overrides,
                                    const struct scenario_models *models, char *why)
{
    struct scenario_file *out = calloc(1, sizeof *out);
    struct reader reader = {.file = file, .why = why, .out = out, .sweep = out ? &out->sweep : NULL};
    if (models) reader.read_file = models->read_file;
    struct yaml_fault wrong;
    struct yaml *yaml = NULL;
    if (out) out->notes = calloc(SCENARIO_NOTES_MAX, sizeof *out->notes);
    if (!out || !out->notes) fault_option(&reader, "out of memory");
    else if (!(yaml = yaml_read(bytes, &wrong))) fault_at(&reader, wrong.line, wrong.column, "%s", wrong.text);
    else read_root(&reader, yaml_root(yaml), models);
    static const struct scenario_overrides none;
    if (!reader.failed) override(&reader, overrides ? overrides : &none);
    yaml_free(yaml);
    if (!reader.failed) return out;
    scenario_free(out);
    return NULL;
}

bool scenario_leave_out(struct sweep *sweep, enum scenario_part part)
{
    bool has;
    switch (part) {
    case SCENARIO_EXCEED:
        has = sweep->threshold_count > 0;
        sweep->threshold_count = 0;
        return has;
    case SCENARIO_CORRELATIONS:
        has = sweep->correlation_count > 0;
        sweep->correlation_count = 0;
        return has;
    case SCENARIO_STOP:
        has = sweep->stop.kind != STOP_NEVER;
        sweep->stop = (struct sweep_stop){0};
        return has;
    case SCENARIO_COMPARE:
        has = sweep->regret_measure[0] || sweep->satisfice_count > 0;
        sweep->regret_measure[0] = '\0';
        sweep->regret_lowest = sweep->satisfice_count = 0;
        return has;
    case SCENARIO_STUDY:
        has = sweep->study.measure_count > 0;
        sweep->study = (struct sweep_study){0};
        sweep->stop = (struct sweep_stop){0};
        sweep->discover = (struct sweep_threshold){0};
        sweep->keep_draws = 0;
        return has;
    default:
        return false;
    }
}

void scenario_free(struct scenario_file *scenario)
{
    if (!scenario) return;
    free(scenario->notes);
    free(scenario);
}
