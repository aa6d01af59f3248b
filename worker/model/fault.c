#include "fault.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <goldthread/sweep.h>

#include "distribution.h"
#include "utf8.h"

#define SHORT_BYTES 32   /* of units and symbols, with the NUL */
#define TEXT_BYTES  2048 /* of sources and meanings */
#define SHOWN       48   /* of a name in a message */

static_assert(MODEL_MEASURES_MAX == SWEEP_MEASURES_MAX, "a sweep may ask for every measure");

struct finding {
    char *why;
    const char *kind; /* "parameter" or "measure", or NULL for the model itself ... */
    size_t at;        /* ... and which of them */
};

static bool __attribute__((format(printf, 2, 3))) refuse(const struct finding *finding, const char *format, ...)
{
    int used = finding->kind ? snprintf(finding->why, MODEL_WHY_BYTES, "%s %zu: ", finding->kind, finding->at) : 0;
    va_list values;
    va_start(values, format);
    vsnprintf(finding->why + used, MODEL_WHY_BYTES - (size_t)used, format, values);
    va_end(values);
    return false;
}

/* --- texts --- */

static bool is_printable(const char *text, size_t size)
{
    for (size_t at = 0; at < size; at++)
        if ((unsigned char)text[at] < ' ' || text[at] == 0x7f) return false;
    return utf8_prefix(text, size) == size;
}

static bool check_text(const struct finding *finding, const char *what, const char *text, size_t capacity)
{
    if (text == NULL) return refuse(finding, "its %s is NULL", what);
    const size_t size = strnlen(text, capacity);
    if (size == capacity) return refuse(finding, "its %s is too long; allowed are %zu bytes", what, capacity - 1);
    if (is_printable(text, size)) return true;
    return refuse(finding, "its %s is not UTF-8 without control characters", what);
}

/* Lower-case words of letters and digits, joined by one of `joints`; a letter first. */
static bool is_words(const char *text, const char *joints)
{
    bool joint = true; /* before the first word */
    for (const char *at = text; *at != '\0'; at++) {
        const bool letter = *at >= 'a' && *at <= 'z', digit = *at >= '0' && *at <= '9';
        const bool joins = strchr(joints, *at) != NULL;
        if (joint ? !(letter || (digit && at > text)) : !(letter || digit || joins)) return false;
        joint = joins;
    }
    return !joint;
}

static bool check_words(const struct finding *finding, const char *text, size_t capacity, const char *joints)
{
    if (!check_text(finding, "name", text, capacity)) return false;
    if (is_words(text, joints)) return true;
    return refuse(finding, "its name is '%.*s'; allowed are lower-case words joined by one of %s", SHOWN, text, joints);
}

static bool check_label(const struct finding *finding, const char *what, const char *text, size_t capacity)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    if (!check_text(finding, what, text, capacity)) return false;
    if (text[0] != '\0' && text[strspn(text, allowed)] == '\0') return true;
    return refuse(finding, "its %s is '%.*s'; allowed are letters, digits, - . _", what, SHOWN, text);
}

/* --- parameters --- */

/* "static|dynamic": pieces of at least one byte, none of which is there twice; at least two. */
static bool check_choices(const struct finding *finding, const struct parameter *parameter)
{
    if (parameter->choices == NULL) return true;
    if (!check_text(finding, "choices", parameter->choices, TEXT_BYTES)) return false;
    size_t count = 0;
    for (const char *at = parameter->choices;; at++, count++) {
        const size_t size = strcspn(at, "|");
        if (size == 0 || size >= SHORT_BYTES) return refuse(finding, "a choice has 1 to %d bytes", SHORT_BYTES - 1);
        for (const char *before = parameter->choices; before < at; before += strcspn(before, "|") + 1)
            if (strcspn(before, "|") == size && memcmp(before, at, size) == 0)
                return refuse(finding, "the choice '%.*s' is there twice", (int)size, at);
        at += size;
        if (*at == '\0') break;
    }
    return count > 0 || refuse(finding, "a single choice is none");
}

static bool is_whole(const struct parameter *parameter)
{
    return parameter->whole || parameter->choices != NULL;
}

static bool is_allowed(const struct parameter *parameter, double value)
{
    if (is_whole(parameter) && value != floor(value)) return false;
    return isfinite(value) && value >= parameter->lower && value <= parameter->upper;
}

static bool check_bounds(const struct finding *finding, const struct parameter *parameter)
{
    if (!(parameter->lower <= parameter->upper)) return refuse(finding, "lower is not at or below upper");
    if (parameter->low > parameter->high) return refuse(finding, "low is above high");
    if (!isnan(parameter->central) && !is_allowed(parameter, parameter->central))
        return refuse(finding, "its central value %g is not allowed by its own bounds", parameter->central);
    return true;
}

static bool check_values(const struct finding *finding, const struct parameter *parameter)
{
    const struct distribution *distribution = &parameter->distribution;
    for (uint32_t at = 0; at < distribution->point_count; at++)
        if (!is_allowed(parameter, distribution->values[at]))
            return refuse(finding, "its distribution holds %g, which its own bounds do not allow",
                          distribution->values[at]);
    return true;
}

static bool check_distribution(const struct finding *finding, const struct parameter *parameter)
{
    const struct distribution *distribution = &parameter->distribution;
    double low, high;
    if ((unsigned)distribution->kind >= DISTRIBUTION_KIND_COUNT)
        return refuse(finding, "its distribution is of kind %u; there is none such", (unsigned)distribution->kind);
    const char *fault = distribution_fault(distribution, NULL);
    if (fault) return refuse(finding, "its distribution: %s", fault);
    if (distribution->kind == DISTRIBUTION_FIXED) return true;
    if (distribution->kind == DISTRIBUTION_DISCRETE) return check_values(finding, parameter);
    if (is_whole(parameter)) return refuse(finding, "whole numbers and choices are drawn by a discrete distribution");
    distribution_range(distribution, NULL, &low, &high);
    if (low >= parameter->lower && high <= parameter->upper) return true;
    return refuse(finding, "its distribution reaches beyond its bounds");
}

static bool check_parameter(const struct finding *finding, const struct parameter *parameter)
{
    if (!check_words(finding, parameter->name, sizeof((struct sweep_parameter *)0)->name, "._")) return false;
    if (!check_text(finding, "symbol", parameter->symbol, SHORT_BYTES)) return false;
    if (!check_text(finding, "unit", parameter->unit, SHORT_BYTES)) return false;
    if (!check_text(finding, "source", parameter->source, TEXT_BYTES)) return false;
    if (!check_text(finding, "meaning", parameter->meaning, TEXT_BYTES)) return false;
    if ((unsigned)parameter->status > PARAMETER_ASSUMPTION) return refuse(finding, "it has no known status");
    return check_choices(finding, parameter) && check_bounds(finding, parameter) &&
           check_distribution(finding, parameter);
}

static bool check_parameters(const struct model *model, char *why)
{
    for (size_t at = 0; at < model->parameter_count; at++) {
        const struct finding finding = {why, "parameter", at};
        const struct parameter *parameter = &model->parameters[at];
        if (!check_parameter(&finding, parameter)) return false;
        for (size_t other = 0; other < at; other++)
            if (strcmp(parameter->name, model->parameters[other].name) == 0)
                return refuse(&finding, "'%s' is there twice", parameter->name);
    }
    return true;
}

/* --- measures --- */

static bool check_measures(const struct model *model, char *why)
{
    for (size_t at = 0; at < model->measure_count; at++) {
        const struct finding finding = {why, "measure", at};
        const struct model_measure *measure = &model->measures[at];
        if (!check_words(&finding, measure->name, sizeof((struct sweep *)0)->measures[0], "_")) return false;
        if (!check_text(&finding, "unit", measure->unit, SHORT_BYTES)) return false;
        if (!check_text(&finding, "meaning", measure->meaning, TEXT_BYTES)) return false;
        for (size_t other = 0; other < at; other++)
            if (strcmp(measure->name, model->measures[other].name) == 0)
                return refuse(&finding, "'%s' is there twice", measure->name);
    }
    return true;
}

/* --- the model --- */

static bool check_functions(const struct model *model, char *why)
{
    const struct finding finding = {.why = why};
    const struct {
        bool there;
        const char *name;
    } functions[] = {{model->open != NULL, "open"},       {model->close != NULL, "close"},
                     {model->figures != NULL, "figures"}, {model->part_count != NULL, "part_count"},
                     {model->run != NULL, "run"},         {model->measure != NULL, "measure"}};
    for (size_t at = 0; at < sizeof functions / sizeof *functions; at++)
        if (!functions[at].there) return refuse(&finding, "the function %s is NULL", functions[at].name);
    return true;
}

static bool check_count(const struct finding *finding, const char *what, const void *list, size_t count, size_t most)
{
    if (list != NULL && count >= 1 && count <= most) return true;
    return refuse(finding, "it has %zu %s; allowed are 1 to %zu", list ? count : 0, what, most);
}

static bool check_model(const struct model *model, char *why)
{
    const struct finding finding = {.why = why};
    if (model->abi != MODEL_ABI) return refuse(&finding, "it is of ABI %u; this program has %u", model->abi, MODEL_ABI);
    return check_label(&finding, "name", model->name, SWEEP_NAME_BYTES) &&
           check_label(&finding, "version", model->version, SWEEP_NAME_BYTES) && check_functions(model, why) &&
           check_count(&finding, "parameters", model->parameters, model->parameter_count, MODEL_PARAMETERS_MAX) &&
           check_count(&finding, "measures", model->measures, model->measure_count, MODEL_MEASURES_MAX) &&
           check_parameters(model, why) && check_measures(model, why);
}

const char *model_fault(const struct model *model, char why[MODEL_WHY_BYTES])
{
    return check_model(model, why) ? NULL : why;
}
