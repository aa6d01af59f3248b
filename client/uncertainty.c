#include "uncertainty.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "distribution.h"
#include "empirical.h"
#include "setting.h"
#include "words.h"

#define FORM_FIELDS_MAX 4
#define PERT_WEIGHT     4 /* of beta, and of pert where none is given */

/* How a kind is written: its name, and its numbers in order. */
struct form {
    const char *name;
    enum distribution_kind kind;
    struct field {
        const char *name;
        size_t offset;
    } fields[FORM_FIELDS_MAX];
};

#define FIELD(member)                                                                                                  \
    {                                                                                                                  \
#member, offsetof(struct distribution, member)                                                                 \
    }

static const struct form forms[] = {
    {"uniform", DISTRIBUTION_UNIFORM, {FIELD(low), FIELD(high)}},
    {"triangular", DISTRIBUTION_TRIANGULAR, {FIELD(low), FIELD(mode), FIELD(high)}},
    {"normal", DISTRIBUTION_NORMAL, {FIELD(mean), FIELD(sd)}},
    {"truncated_normal", DISTRIBUTION_TRUNCATED_NORMAL, {FIELD(mean), FIELD(sd), FIELD(low), FIELD(high)}},
    {"lognormal", DISTRIBUTION_LOGNORMAL, {FIELD(median), FIELD(sigma)}},
    {"beta", DISTRIBUTION_BETA, {FIELD(low), FIELD(mode), FIELD(high)}},
    {"log_uniform", DISTRIBUTION_LOG_UNIFORM, {FIELD(low), FIELD(high)}},
    {"pert",
     DISTRIBUTION_PERT,
     {FIELD(low), FIELD(mode), FIELD(high), {"weight", offsetof(struct distribution, weights)}}},
    {"discrete", DISTRIBUTION_DISCRETE, {{0}}},
    {"empirical", DISTRIBUTION_EMPIRICAL, {{0}}},
    {"fixed", DISTRIBUTION_FIXED, {{0}}},
};
#define FORM_COUNT (sizeof forms / sizeof *forms)

static bool __attribute__((format(printf, 3, 4)))
refuse(struct yaml_fault *fault, const struct yaml_node *node, const char *format, ...)
{
    fault->line = node->line;
    fault->column = node->column;
    va_list values;
    va_start(values, format);
    vsnprintf(fault->text, sizeof fault->text, format, values);
    va_end(values);
    return false;
}

static size_t field_count(const struct form *form)
{
    size_t count = 0;
    while (count < FORM_FIELDS_MAX && form->fields[count].name) count++;
    return count;
}

/* So many of the last fields need not be given: the weight. */
static size_t optional_count(const struct form *form)
{
    return form->kind == DISTRIBUTION_PERT;
}

static const char *form_name(const void *context, size_t at)
{
    return ((const struct form *)context)[at].name;
}

static const struct form *find_form(const struct yaml_node *key, struct yaml_fault *fault)
{
    for (size_t at = 0; at < FORM_COUNT; at++)
        if (word_matches(key->text, forms[at].name)) return &forms[at];
    const char *nearest = word_nearest(key->text, form_name, forms, FORM_COUNT);
    refuse(fault, key,
           "no distribution is called `%.32s`; %s%s%sallowed are uniform, triangular, normal, truncated_normal, "
           "lognormal, beta, log_uniform, pert, discrete, empirical, fixed",
           key->text, nearest ? "did you mean `" : "", nearest ? nearest : "", nearest ? "`? " : "");
    return NULL;
}

static bool read_number(const struct yaml_node *node, const char *what, double *value, struct yaml_fault *fault)
{
    if (node->kind == YAML_SCALAR && !node->quoted && word_number(node->text, value)) return true;
    return refuse(fault, node, "%s of a distribution must be a number%s%.32s%s", what,
                  node->kind == YAML_SCALAR ? "; it is `" : "", node->kind == YAML_SCALAR ? node->text : "",
                  node->kind == YAML_SCALAR ? "`" : "");
}

static void describe_fields(const struct form *form, char *text, size_t text_bytes)
{
    size_t used = 0;
    for (size_t at = 0; at < field_count(form) && used < text_bytes; at++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", at ? ", " : "", form->fields[at].name);
}

static double *field_of(struct distribution *distribution, const struct form *form, size_t at)
{
    return (double *)((char *)distribution + form->fields[at].offset);
}

static bool read_in_order(const struct form *form, const struct yaml_node *list, struct distribution *distribution,
                          struct yaml_fault *fault)
{
    char names[80];
    describe_fields(form, names, sizeof names);
    if (list->count > field_count(form) || list->count + optional_count(form) < field_count(form))
        return refuse(fault, list, "%s takes %zu numbers, [%s]; %zu are given", form->name, field_count(form), names,
                      list->count);
    const struct yaml_node *item = list->first;
    for (size_t at = 0; item; item = item->next, at++)
        if (!read_number(item, form->fields[at].name, field_of(distribution, form, at), fault)) return false;
    return true;
}

static bool read_by_name(const struct form *form, const struct yaml_node *mapping, struct distribution *distribution,
                         struct yaml_fault *fault)
{
    char names[80];
    describe_fields(form, names, sizeof names);
    for (const struct yaml_node *key = mapping->first; key; key = key->next->next) {
        size_t at = 0;
        while (at < field_count(form) && strcmp(key->text, form->fields[at].name) != 0) at++;
        if (at == field_count(form))
            return refuse(fault, key, "%s has no `%.32s`; it takes %s", form->name, key->text, names);
        if (!read_number(key->next, key->text, field_of(distribution, form, at), fault)) return false;
    }
    size_t required = 0;
    for (size_t at = 0; at + optional_count(form) < field_count(form); at++)
        required += yaml_key(mapping, form->fields[at].name) != NULL;
    if (required + optional_count(form) == field_count(form)) return true;
    return refuse(fault, mapping, "%s takes all of %s; %zu of them are given", form->name, names, mapping->count);
}

static bool read_list(const struct yaml_node *list, const char *what, double *values, uint32_t *count,
                      struct yaml_fault *fault)
{
    if (list->kind != YAML_SEQUENCE || list->count == 0 || list->count > DISTRIBUTION_POINTS_MAX)
        return refuse(fault, list, "%s of discrete is a list of 1 to %d numbers", what, DISTRIBUTION_POINTS_MAX);
    *count = 0;
    for (const struct yaml_node *item = list->first; item; item = item->next)
        if (!read_number(item, what, &values[(*count)++], fault)) return false;
    return true;
}

static bool read_discrete(const struct yaml_node *node, struct distribution *distribution, struct yaml_fault *fault)
{
    for (size_t at = 0; at < DISTRIBUTION_POINTS_MAX; at++) distribution->weights[at] = 1;
    if (node->kind == YAML_SEQUENCE)
        return read_list(node, "values", distribution->values, &distribution->point_count, fault);
    const struct yaml_node *values = yaml_key(node, "values"), *weights = yaml_key(node, "weights");
    if (!values || node->count != (weights ? 2u : 1u))
        return refuse(fault, node, "discrete takes a list of values, or {values: [...], weights: [...]}");
    if (!read_list(values->next, "values", distribution->values, &distribution->point_count, fault)) return false;
    if (!weights) return true;
    uint32_t weight_count = 0;
    for (size_t at = 0; at < DISTRIBUTION_POINTS_MAX; at++) distribution->weights[at] = 0;
    if (!read_list(weights->next, "weights", distribution->weights, &weight_count, fault)) return false;
    return weight_count == distribution->point_count ||
           refuse(fault, weights, "discrete has %u values and %u weights; one weight for each value is wanted",
                  distribution->point_count, weight_count);
}

/* A single point: every draw has this value. The central value of the table stays as it is. */
static bool read_fixed(const struct yaml_node *node, struct distribution *distribution, struct yaml_fault *fault)
{
    distribution->kind = DISTRIBUTION_DISCRETE;
    distribution->point_count = 1;
    distribution->weights[0] = 1;
    return read_number(node, "the value", &distribution->values[0], fault);
}

static bool read_form(const struct form *form, const struct yaml_node *node, const struct empirical_source *source,
                      struct distribution *distribution, struct yaml_fault *fault)
{
    distribution->kind = form->kind;
    if (form->kind == DISTRIBUTION_EMPIRICAL) return empirical_read(node, source, distribution, fault);
    if (form->kind == DISTRIBUTION_PERT) distribution->weights[0] = PERT_WEIGHT;
    if (form->kind == DISTRIBUTION_FIXED) return read_fixed(node, distribution, fault);
    if (form->kind == DISTRIBUTION_DISCRETE) return read_discrete(node, distribution, fault);
    if (node->kind == YAML_SEQUENCE) return read_in_order(form, node, distribution, fault);
    if (node->kind == YAML_MAPPING) return read_by_name(form, node, distribution, fault);
    char names[80];
    describe_fields(form, names, sizeof names);
    return refuse(fault, node, "%s takes [%s]", form->name, names);
}

/* Steps only: a whole number or a choice cannot be drawn from a continuum. */
static bool check_points(const struct parameter *parameter, const struct yaml_node *node,
                         const struct distribution *distribution, const double *pool, struct yaml_fault *fault)
{
    bool stepped = parameter->whole || setting_choice_count(parameter);
    bool pooled = distribution->kind == DISTRIBUTION_EMPIRICAL;
    if (distribution->kind != DISTRIBUTION_DISCRETE && !pooled)
        return !stepped || refuse(fault, node, "`%s` takes whole numbers only; draw it with discrete", parameter->name);
    char why[256];
    const double *values = pooled ? pool + distribution->pool_first : distribution->values;
    for (uint32_t at = 0; at < distribution->point_count; at++)
        if (!setting_check(parameter, values[at], why, sizeof why)) return refuse(fault, node, "%s", why);
    return true;
}

static bool check_support(const struct parameter *parameter, const struct yaml_node *node,
                          const struct distribution *distribution, const double *pool, struct yaml_fault *fault)
{
    double low, high;
    distribution_range(distribution, pool, &low, &high);
    bool below = isfinite(parameter->lower) && low < parameter->lower;
    bool above = isfinite(parameter->upper) && high > parameter->upper;
    if (!below && !above) return true;
    char allowed[160];
    setting_allowed(parameter, allowed, sizeof allowed);
    return refuse(fault, node, "draws of `%s` would lie between %.12g and %.12g; allowed is %s%s", parameter->name, low,
                  high, allowed, isfinite(below ? low : high) ? "" : " (truncated_normal and beta have bounds)");
}

static bool check(const struct parameter *parameter, const struct yaml_node *node,
                  const struct distribution *distribution, const double *pool, struct yaml_fault *fault)
{
    const char *reason = distribution_fault(distribution, pool);
    if (reason) return refuse(fault, node, "the distribution of `%s`: %s", parameter->name, reason);
    return check_points(parameter, node, distribution, pool, fault) &&
           check_support(parameter, node, distribution, pool, fault);
}

bool uncertainty_read(const struct parameter *parameter, const struct yaml_node *node,
                      const struct empirical_source *source, struct distribution *distribution,
                      struct yaml_fault *fault)
{
    const double *pool = source->sweep->pool;
    *distribution = (struct distribution){.kind = DISTRIBUTION_FIXED};
    if (node->kind == YAML_SCALAR && word_matches(node->text, "fixed")) return true;
    if (node->kind == YAML_SCALAR)
        return read_fixed(node, distribution, fault) && check(parameter, node, distribution, pool, fault);
    if (node->kind != YAML_MAPPING || node->count != 1)
        return refuse(fault, node, "a distribution is written {triangular: [low, mode, high]}, for one");
    const struct form *form = find_form(node->first, fault);
    if (!form || !read_form(form, node->first->next, source, distribution, fault) ||
        !check(parameter, node->first, distribution, pool, fault))
        return false;
    if (distribution->kind == DISTRIBUTION_PERT && distribution->weights[0] == PERT_WEIGHT)
        *distribution = (struct distribution){.kind = DISTRIBUTION_BETA, /* the same, so it shall be the same sweep */
                                              .low = distribution->low,
                                              .mode = distribution->mode,
                                              .high = distribution->high};
    return true;
}

const char *uncertainty_name(enum distribution_kind kind)
{
    for (size_t at = 0; at < FORM_COUNT; at++)
        if (forms[at].kind == kind) return forms[at].name;
    return "fixed";
}

void uncertainty_text(const struct distribution *distribution, char *text, size_t text_bytes)
{
    const struct form *form = forms;
    while (form->kind != distribution->kind) form++;
    size_t used = (size_t)snprintf(text, text_bytes, "%s", form->name);
    for (size_t at = 0; at < field_count(form) && used < text_bytes; at++) {
        double value = *(const double *)((const char *)distribution + form->fields[at].offset);
        used += (size_t)snprintf(text + used, text_bytes - used, "%s %.12g", at ? "," : "", value);
    }
    if (distribution->kind == DISTRIBUTION_EMPIRICAL && used < text_bytes)
        snprintf(text + used, text_bytes - used, ", %u values", (unsigned)distribution->point_count);
    if (distribution->kind != DISTRIBUTION_DISCRETE) return;
    for (uint32_t at = 0; at < distribution->point_count && used < text_bytes; at++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s %.12g:%.12g", at ? "," : "",
                                 distribution->values[at], distribution->weights[at]);
}
