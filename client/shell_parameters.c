/* goldthread parameters: the table, for people or as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin.h"
#include "registry.h"
#include "setting.h"
#include "shell_commands.h"
#include "shell_json.h"
#include "uncertainty.h"

static const char *status_name(enum parameter_status status)
{
    static const char *const names[] = {"published", "derived", "assumption"};
    return names[status];
}

/* The distribution as a scenario file would write it; nothing for one that is fixed. */
static void describe(const struct parameter *parameter, char *text, size_t text_bytes)
{
    if (parameter->distribution.kind == DISTRIBUTION_FIXED) snprintf(text, text_bytes, "-");
    else uncertainty_text(&parameter->distribution, text, text_bytes);
}

static void print_row(const struct parameter *parameter)
{
    char central[64], distribution[256], allowed[160];
    setting_text(parameter, parameter->central, central, sizeof central);
    setting_allowed(parameter, allowed, sizeof allowed);
    describe(parameter, distribution, sizeof distribution);
    printf("%s\n    %s\n    central %s (%s); allowed: %s; distribution: %s\n    %s: %s\n", parameter->name,
           parameter->meaning, central, parameter->unit, allowed, distribution, status_name(parameter->status),
           parameter->source);
}

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *list_choices(const struct parameter *parameter)
{
    json_t *list = json_array();
    for (size_t at = 0; at < setting_choice_count(parameter); at++) {
        char name[64];
        setting_choice(parameter, at, name, sizeof name);
        json_array_append_new(list, json_string(name));
    }
    return list;
}

static json_t *describe_row(const struct parameter *parameter)
{
    char distribution[256];
    describe(parameter, distribution, sizeof distribution);
    json_t *row = json_object();
    json_object_set_new(row, "name", json_string(parameter->name));
    json_object_set_new(row, "symbol", json_string(parameter->symbol));
    json_object_set_new(row, "unit", json_string(parameter->unit));
    json_object_set_new(row, "central", number_or_null(parameter->central));
    json_object_set_new(row, "low", number_or_null(parameter->low));
    json_object_set_new(row, "high", number_or_null(parameter->high));
    json_object_set_new(row, "lower", number_or_null(parameter->lower));
    json_object_set_new(row, "upper", number_or_null(parameter->upper));
    json_object_set_new(row, "whole", json_boolean(parameter->whole));
    json_object_set_new(row, "choices", list_choices(parameter));
    json_object_set_new(row, "distribution",
                        parameter->distribution.kind == DISTRIBUTION_FIXED ? json_null() : json_string(distribution));
    json_object_set_new(row, "status", json_string(status_name(parameter->status)));
    json_object_set_new(row, "source", json_string(parameter->source));
    json_object_set_new(row, "meaning", json_string(parameter->meaning));
    return row;
}

static enum exit_status print_json(const struct model *model)
{
    json_t *list = json_array();
    for (size_t at = 0; at < model->parameter_count; at++)
        json_array_append_new(list, describe_row(&model->parameters[at]));
    return json_print(list, JSON_DIGITS);
}

static enum exit_status print_text(const struct model *model)
{
    for (size_t at = 0; at < model->parameter_count; at++) print_row(&model->parameters[at]);
    return STATUS_DONE;
}

enum exit_status command_parameters(const struct options *options)
{
    const char *name = options->model ? options->model : "entitlement";
    char why[PLUGIN_WHY_BYTES] = "no model is called so; allowed are entitlement, no-op, and a path that ends in .so";
    struct plugin *plugin = model_is_file(name) ? plugin_open(name, why, sizeof why) : NULL;
    const struct model *model = plugin ? &plugin->model : model_find(name);
    if (!model) {
        fprintf(stderr, "--model %.1024s: %s\n", name, why);
        return STATUS_USAGE;
    }
    enum exit_status status = options->json ? print_json(model) : print_text(model);
    plugin_close(plugin);
    return status;
}
