#include "reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "words.h"

struct scenario_place place_of(const struct yaml_node *node)
{
    return node ? (struct scenario_place){node->line, node->column} : (struct scenario_place){1, 1};
}

/* What people wrote is quoted in messages, and may hold line ends or worse. */
static void keep_on_one_line(char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text)) *text = '?';
}

void fault_at(struct reader *reader, uint32_t line, uint32_t column, const char *format, ...)
{
    if (reader->failed) return;
    reader->failed = true;
    int used = snprintf(reader->why, SCENARIO_WHY_BYTES, "%.1024s:%u:%u: ", reader->file, line, column);
    va_list values;
    va_start(values, format);
    vsnprintf(reader->why + used, SCENARIO_WHY_BYTES - (size_t)used, format, values);
    va_end(values);
    keep_on_one_line(reader->why);
}

void fault_option(struct reader *reader, const char *format, ...)
{
    if (reader->failed) return;
    reader->failed = true;
    va_list values;
    va_start(values, format);
    vsnprintf(reader->why, SCENARIO_WHY_BYTES, format, values);
    va_end(values);
    keep_on_one_line(reader->why);
}

void note(struct reader *reader, const char *format, ...)
{
    struct scenario_file *out = reader->out;
    if (out->note_count == SCENARIO_NOTES_MAX) return;
    va_list values;
    va_start(values, format);
    vsnprintf(out->notes[out->note_count], SCENARIO_NOTE_BYTES, format, values);
    va_end(values);
    keep_on_one_line(out->notes[out->note_count++]);
}

static const char *list_at(const void *context, size_t at)
{
    return ((const char *const *)context)[at];
}

void join(const char *const *words, size_t count, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t at = 0; at < count && used < text_bytes; at++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", at ? ", " : "", words[at]);
}

void hint(const char *text, const char *const *words, size_t count, char *out, size_t out_bytes)
{
    char allowed[1024];
    const char *nearest = word_nearest(text, list_at, words, count);
    join(words, count, allowed, sizeof allowed);
    if (nearest) snprintf(out, out_bytes, "; did you mean `%s`? allowed are %.900s", nearest, allowed);
    else snprintf(out, out_bytes, "; allowed are %.900s", allowed);
}

bool expect_mapping(struct reader *reader, const struct yaml_node *node, const char *what, const char *const *keys,
                    size_t count)
{
    char allowed[1024];
    if (node->kind != YAML_MAPPING) {
        join(keys, count, allowed, sizeof allowed);
        fault(reader, node, "%s must be a mapping with the keys %.900s", what, allowed);
        return false;
    }
    for (const struct yaml_node *key = node->first; key; key = key->next->next) {
        bool known = false;
        for (size_t at = 0; at < count && !known; at++) known = strcmp(key->text, keys[at]) == 0;
        if (known) continue;
        hint(key->text, keys, count, allowed, sizeof allowed);
        fault(reader, key, "%s has no key `%.64s`%.900s", what, key->text, allowed);
        return false;
    }
    return true;
}

const struct yaml_node *value_of(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *found = yaml_key(mapping, key);
    return found ? found->next : NULL;
}

const struct yaml_node *value_in(const struct reader *reader, const char *part, const char *key)
{
    const struct yaml_node *mapping = value_of(reader->root, part);
    return mapping ? value_of(mapping, key) : NULL;
}

const char *kind_name(const struct yaml_node *node)
{
    if (yaml_is_null(node)) return "empty";
    return node->kind == YAML_SCALAR ? node->text : node->kind == YAML_SEQUENCE ? "a list" : "a mapping";
}

uint64_t read_whole(struct reader *reader, const struct yaml_node *node, const char *what, uint64_t min, uint64_t max)
{
    uint64_t value = min;
    bool sound = node->kind == YAML_SCALAR && !node->quoted && word_whole(node->text, max, &value) && value >= min;
    if (sound) return value;
    fault(reader, node, "%s is %.64s; allowed is a whole number from %llu to %llu", what, kind_name(node),
          (unsigned long long)min, (unsigned long long)max);
    return min;
}

uint32_t read_bits(struct reader *reader, const struct yaml_node *node, const char *what, const char *const *words,
                   size_t count)
{
    uint32_t bits = 0;
    char allowed[1024];
    if (node->kind != YAML_SEQUENCE) {
        join(words, count, allowed, sizeof allowed);
        fault(reader, node, "`%s` must be a list; allowed are %s", what, allowed);
        return 0;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        size_t at = 0;
        const char *text = item->kind == YAML_SCALAR ? item->text : "";
        while (at < count && !word_matches(text, words[at])) at++;
        if (at < count) {
            bits |= 1u << at;
            continue;
        }
        hint(text, words, count, allowed, sizeof allowed);
        fault(reader, item, "`%s` has no `%.64s`%s", what, kind_name(item), allowed);
    }
    return bits;
}

int find_parameter(struct reader *reader, const struct yaml_node *key)
{
    char why[256];
    int at = setting_find(reader->table, key->text, why, sizeof why);
    if (at < 0) fault(reader, key, "%s", why);
    return at;
}

static const char *measure_at(const void *context, size_t at)
{
    return ((const struct model *)context)->measures[at].name;
}

/* "allowed are a, b, c", as far as there is room. */
static const char *name_measures(const struct model *model, char text[1024])
{
    const char *names[SWEEP_MEASURES_MAX];
    int begin = snprintf(text, 1024, "allowed are ");
    for (size_t at = 0; at < model->measure_count; at++) names[at] = model->measures[at].name;
    join(names, model->measure_count, text + begin, 1024 - (size_t)begin);
    return text;
}

int find_measure(struct reader *reader, const struct yaml_node *node)
{
    const struct model *model = reader->out->model;
    const char *text = node->kind == YAML_SCALAR ? node->text : "";
    char allowed[1024];
    for (size_t at = 0; at < model->measure_count; at++)
        if (strcmp(model->measures[at].name, text) == 0) return (int)at;
    const char *nearest = word_nearest(text, measure_at, model, model->measure_count);
    if (node->kind != YAML_SCALAR)
        fault(reader, node, "a measure is %s; allowed is a name, such as %s", kind_name(node), model->measures[0].name);
    else if (nearest)
        fault(reader, node, "the model has no measure `%.64s`; did you mean `%s`?", kind_name(node), nearest);
    else fault(reader, node, "the model has no measure `%.64s`; %s", kind_name(node), name_measures(model, allowed));
    return -1;
}
