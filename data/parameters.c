#include "parameters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <goldthread/model.h>

#include "embed.h"
#include "embedded.h"

enum column { NAME, SYMBOL, UNIT, CENTRAL, LOW, HIGH, LOWER, UPPER, WHOLE, CHOICES, SPREAD, STATUS, SOURCE, MEANING };

static const char *const columns[] = {"name",  "symbol", "unit",    "central",      "low",    "high",   "lower",
                                      "upper", "whole",  "choices", "distribution", "status", "source", "meaning"};

/* How a distribution is written: its name, then these numbers. */
struct form {
    const char *name;
    enum distribution_kind kind;
    size_t count;
    size_t offsets[4]; /* of the numbers in struct distribution */
};

#define AT(field) offsetof(struct distribution, field)

static const struct form forms[] = {
    {"uniform", DISTRIBUTION_UNIFORM, 2, {AT(low), AT(high)}},
    {"triangular", DISTRIBUTION_TRIANGULAR, 3, {AT(low), AT(mode), AT(high)}},
    {"normal", DISTRIBUTION_NORMAL, 2, {AT(mean), AT(sd)}},
    {"truncated_normal", DISTRIBUTION_TRUNCATED_NORMAL, 4, {AT(mean), AT(sd), AT(low), AT(high)}},
    {"lognormal", DISTRIBUTION_LOGNORMAL, 2, {AT(median), AT(sigma)}},
    {"beta", DISTRIBUTION_BETA, 3, {AT(low), AT(mode), AT(high)}},
};

/* The next word of a text, and the text behind it. */
static struct span take_word(struct span *text)
{
    const uint8_t *space = memchr(text->data, ' ', text->size);
    size_t size = space ? (size_t)(space - text->data) : text->size;
    struct span word = {text->data, size};
    size_t taken = size + (space != NULL);
    *text = (struct span){text->data + taken, text->size - taken};
    return word;
}

static double take_number(const struct embedded *table, struct span *text)
{
    double value;
    if (!csv_number(take_word(text), &value)) embedded_stop(table, "a distribution lacks a number");
    return value;
}

static struct distribution read_form(const struct embedded *table, const struct form *form, struct span *text)
{
    struct distribution distribution = {.kind = form->kind};
    for (size_t at = 0; at < form->count; at++) {
        double value = take_number(table, text);
        memcpy((char *)&distribution + form->offsets[at], &value, sizeof value);
    }
    return distribution;
}

/* "0:0.25 1:0.5": values with their weights. */
static struct distribution read_points(const struct embedded *table, struct span *text)
{
    struct distribution distribution = {.kind = DISTRIBUTION_DISCRETE};
    while (text->size > 0) {
        struct span value = take_word(text);
        const uint8_t *colon = memchr(value.data, ':', value.size);
        uint32_t at = distribution.point_count++;
        if (!colon || at == DISTRIBUTION_POINTS_MAX)
            embedded_stop(table, "points are written VALUE:WEIGHT, at most 16");
        struct span weight = {colon + 1, value.size - (size_t)(colon + 1 - value.data)};
        value.size = (size_t)(colon - value.data);
        if (!csv_number(value, &distribution.values[at]) || !csv_number(weight, &distribution.weights[at]))
            embedded_stop(table, "a point is not VALUE:WEIGHT");
    }
    return distribution;
}

static struct distribution read_distribution(const struct embedded *table)
{
    struct distribution distribution = {.kind = DISTRIBUTION_FIXED};
    struct span text = table->row.fields[SPREAD];
    if (text.size == 0) return distribution;
    struct span kind = take_word(&text);
    if (csv_equals(kind, "discrete")) return read_points(table, &text);
    for (size_t at = 0; at < sizeof forms / sizeof *forms; at++) {
        if (!csv_equals(kind, forms[at].name)) continue;
        distribution = read_form(table, &forms[at], &text);
        if (text.size > 0) embedded_stop(table, "a distribution with too many numbers");
        return distribution;
    }
    embedded_stop(table, "an unknown distribution");
}

static enum parameter_status read_status(const struct embedded *table)
{
    struct span status = table->row.fields[STATUS];
    if (csv_equals(status, "published")) return PARAMETER_PUBLISHED;
    if (csv_equals(status, "derived")) return PARAMETER_DERIVED;
    if (csv_equals(status, "assumption")) return PARAMETER_ASSUMPTION;
    embedded_stop(table, "status is published, derived or assumption");
}

static bool read_whole(const struct embedded *table)
{
    struct span whole = table->row.fields[WHOLE];
    if (!csv_equals(whole, "yes") && !csv_equals(whole, "no")) embedded_stop(table, "whole is yes or no");
    return csv_equals(whole, "yes");
}

static struct parameter read_row(struct embedded *table)
{
    bool has_choices = table->row.fields[CHOICES].size > 0;
    return (struct parameter){
        .name = embedded_text(table, NAME),
        .symbol = embedded_text(table, SYMBOL),
        .unit = embedded_text(table, UNIT),
        .central = embedded_value(table, CENTRAL, NAN),
        .low = embedded_value(table, LOW, NAN),
        .high = embedded_value(table, HIGH, NAN),
        .lower = embedded_value(table, LOWER, -INFINITY),
        .upper = embedded_value(table, UPPER, INFINITY),
        .whole = read_whole(table),
        .choices = has_choices ? embedded_text(table, CHOICES) : NULL,
        .distribution = read_distribution(table),
        .status = read_status(table),
        .source = embedded_text(table, SOURCE),
        .meaning = embedded_text(table, MEANING),
    };
}

static size_t read_table(struct parameter parameters[MODEL_PARAMETERS_MAX])
{
    static char text[1 << 16];
    struct embedded table;
    size_t count = 0;
    embedded_open(&table, "data/parameters.csv", embed_parameters(), columns, sizeof columns / sizeof *columns, text,
                  sizeof text);
    for (; embedded_next(&table); count++) {
        if (count == MODEL_PARAMETERS_MAX) embedded_stop(&table, "too many rows");
        parameters[count] = read_row(&table);
    }
    return count;
}

const struct parameter *parameters_table(size_t *count)
{
    static struct parameter parameters[MODEL_PARAMETERS_MAX];
    static size_t parameter_count;
    if (parameter_count == 0) parameter_count = read_table(parameters);
    *count = parameter_count;
    return parameters;
}

int parameters_find(const struct parameter *table, size_t count, const char *name)
{
    for (size_t at = 0; at < count; at++)
        if (strcmp(table[at].name, name) == 0) return (int)at;
    return -1;
}
