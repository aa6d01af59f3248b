#include "setting.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "words.h"

#define CHOICE_BYTES 48

static const char *name_at(const void *context, size_t at)
{
    const struct parameter *rows = context;
    return rows[at].name;
}

int setting_find(struct parameter_table table, const char *name, char *why, size_t why_bytes)
{
    for (size_t at = 0; at < table.count; at++)
        if (strcmp(table.rows[at].name, name) == 0) return (int)at;
    const char *nearest = word_nearest(name, name_at, table.rows, table.count);
    if (nearest) snprintf(why, why_bytes, "no parameter is called `%.64s`; did you mean `%s`?", name, nearest);
    else
        snprintf(why, why_bytes, "no parameter is called `%.64s`; `goldthread parameters` lists the %zu there are",
                 name, table.count);
    return -1;
}

size_t setting_choice_count(const struct parameter *parameter)
{
    if (!parameter->choices || !*parameter->choices) return 0;
    size_t count = 1;
    for (const char *at = parameter->choices; *at; at++) count += *at == '|';
    return count;
}

void setting_choice(const struct parameter *parameter, size_t at, char *name, size_t name_bytes)
{
    const char *start = parameter->choices;
    for (; at > 0; at--) start = strchr(start, '|') + 1;
    snprintf(name, name_bytes, "%.*s", (int)strcspn(start, "|"), start);
}

static void list_choices(const struct parameter *parameter, char *text, size_t text_bytes)
{
    size_t used = 0, count = setting_choice_count(parameter);
    for (size_t at = 0; at < count && used < text_bytes; at++) {
        char name[CHOICE_BYTES];
        setting_choice(parameter, at, name, sizeof name);
        const char *join = at == 0 ? "" : at + 1 == count ? " or " : ", ";
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", join, name);
    }
}

void setting_allowed(const struct parameter *parameter, char *text, size_t text_bytes)
{
    if (setting_choice_count(parameter)) {
        list_choices(parameter, text, text_bytes);
        return;
    }
    const char *kind = parameter->whole ? "a whole number, " : "";
    bool has_lower = isfinite(parameter->lower), has_upper = isfinite(parameter->upper);
    if (has_lower && has_upper)
        snprintf(text, text_bytes, "%s%.12g to %.12g", kind, parameter->lower, parameter->upper);
    else if (has_lower) snprintf(text, text_bytes, "%s%.12g or more", kind, parameter->lower);
    else if (has_upper) snprintf(text, text_bytes, "%s%.12g or less", kind, parameter->upper);
    else snprintf(text, text_bytes, "%s", parameter->whole ? "any whole number" : "any number");
}

static bool refuse(const struct parameter *parameter, const char *text, char *why, size_t why_bytes)
{
    char allowed[160];
    setting_allowed(parameter, allowed, sizeof allowed);
    snprintf(why, why_bytes, "`%s` cannot be %.40s; allowed is %s", parameter->name, text, allowed);
    return false;
}

bool setting_check(const struct parameter *parameter, double value, char *why, size_t why_bytes)
{
    char text[40];
    snprintf(text, sizeof text, "%.12g", value);
    size_t choices = setting_choice_count(parameter);
    bool sound = isfinite(value);
    if (isfinite(parameter->lower) && value < parameter->lower) sound = false;
    if (isfinite(parameter->upper) && value > parameter->upper) sound = false;
    if ((parameter->whole || choices) && value != floor(value)) sound = false;
    if (choices && !(value >= 0 && value < (double)choices)) sound = false;
    return sound ? true : refuse(parameter, text, why, why_bytes);
}

/* Yes and no in every spelling that YAML knows, for a choice between off and on. */
static bool read_switch(const struct parameter *parameter, const char *text, double *value)
{
    static const char *const words[2][3] = {{"off", "false", "no"}, {"on", "true", "yes"}};
    if (!parameter->choices || strcmp(parameter->choices, "off|on") != 0) return false;
    for (int state = 0; state < 2; state++)
        for (int at = 0; at < 3; at++)
            if (word_matches(text, words[state][at])) {
                *value = state;
                return true;
            }
    return false;
}

static bool read_choice(const struct parameter *parameter, const char *text, double *value)
{
    for (size_t at = 0; at < setting_choice_count(parameter); at++) {
        char name[CHOICE_BYTES];
        setting_choice(parameter, at, name, sizeof name);
        if (!word_matches(text, name)) continue;
        *value = (double)at;
        return true;
    }
    return read_switch(parameter, text, value);
}

bool setting_read(const struct parameter *parameter, const char *text, double *value, char *why, size_t why_bytes)
{
    if (read_choice(parameter, text, value)) return true;
    if (word_number(text, value)) return setting_check(parameter, *value, why, why_bytes);
    char shown[48];
    snprintf(shown, sizeof shown, "`%.32s`", text);
    return refuse(parameter, shown, why, why_bytes);
}

bool setting_is_plausible(const struct parameter *parameter, double value)
{
    if (isfinite(parameter->low) && value < parameter->low) return false;
    return !(isfinite(parameter->high) && value > parameter->high);
}

void setting_text(const struct parameter *parameter, double value, char *text, size_t text_bytes)
{
    if (isnan(value)) snprintf(text, text_bytes, "unset");
    else if (setting_choice_count(parameter) && value >= 0 && value < (double)setting_choice_count(parameter))
        setting_choice(parameter, (size_t)value, text, text_bytes);
    else snprintf(text, text_bytes, "%.15g", value);
}
