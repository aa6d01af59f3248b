#include "rows.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "csv.h"
#include "utf8.h"
#include "words.h"

#define COLUMNS_MAX 16
#define NAME_BYTES  32
#define FIELD_BYTES 512

static void put(struct buffer *out, const char *text)
{
    buffer_append(out, text, strlen(text));
}

static void put_string(struct buffer *out, const char *text)
{
    put(out, "\"");
    for (; *text; text++) {
        char escape[8];
        if (*text == '"' || *text == '\\') snprintf(escape, sizeof escape, "\\%c", *text);
        else if ((unsigned char)*text < 0x20) snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*text);
        else snprintf(escape, sizeof escape, "%c", *text);
        put(out, escape);
    }
    put(out, "\"");
}

/* JSON wants a digit on both sides of a point, and neither a plus nor a zero in front. */
static bool is_json_number(const char *text)
{
    double value;
    const char *digits = text + (*text == '-'), *point = strchr(digits, '.');
    if (!isdigit((unsigned char)digits[0]) || (digits[0] == '0' && isdigit((unsigned char)digits[1]))) return false;
    return (point == NULL || isdigit((unsigned char)point[1])) && word_number(text, &value);
}

/* A number as the table spells it is a number in JSON, but for -0; an empty field is null. */
static bool put_value(struct buffer *out, const char *text)
{
    if (*text && !is_json_number(text)) return false;
    put(out, !*text ? "null" : strcmp(text, "-0") == 0 ? "0" : text);
    return true;
}

struct columns {
    char names[COLUMNS_MAX][NAME_BYTES];
    size_t count;
};

static bool read_text(struct span field, char *text, size_t room)
{
    return csv_text(field, text, room) && utf8_prefix(text, strlen(text)) == strlen(text);
}

static bool read_columns(const struct csv_row *row, struct columns *columns)
{
    if (row->count > COLUMNS_MAX) return false;
    columns->count = row->count;
    for (size_t at = 0; at < row->count; at++)
        if (!read_text(row->fields[at], columns->names[at], NAME_BYTES)) return false;
    return true;
}

static bool is_number(const char *column)
{
    static const char *const numbers[] = {"value",    "estimate", "low",  "high",  "n",       "box",   "step",
                                          "coverage", "density",  "mass", "draws", "quasi_p", "chosen"};
    for (size_t at = 0; at < sizeof numbers / sizeof *numbers; at++)
        if (strcmp(column, numbers[at]) == 0) return true;
    return false;
}

static bool put_row(const struct columns *columns, const struct csv_row *row, struct buffer *out)
{
    if (row->count != columns->count) return false;
    put(out, "{");
    for (size_t at = 0; at < row->count; at++) {
        char text[FIELD_BYTES];
        if (!read_text(row->fields[at], text, sizeof text)) return false;
        put(out, at ? "," : "");
        put_string(out, columns->names[at]);
        put(out, ":");
        if (!is_number(columns->names[at])) put_string(out, text);
        else if (!put_value(out, text)) return false;
    }
    put(out, "}");
    return true;
}

bool rows_to_json(struct span csv, struct buffer *out, char *why, size_t why_bytes)
{
    struct csv reader;
    struct csv_row row = {.line = 1};
    struct columns columns;
    csv_open(&reader, csv);
    enum csv_status status = csv_next(&reader, &row);
    bool sound = status == CSV_ROW && read_columns(&row, &columns);
    put(out, "[");
    for (const char *join = "\n"; sound && (status = csv_next(&reader, &row)) == CSV_ROW; join = ",\n") {
        put(out, join);
        sound = put_row(&columns, &row, out);
    }
    put(out, "\n]\n");
    if (sound && status == CSV_END) return !out->failed;
    if (status == CSV_FAULT) snprintf(why, why_bytes, "%u:%u: %s", reader.fault_line, reader.fault_field, reader.fault);
    else snprintf(why, why_bytes, "%u:1: not a row of a rollup", row.line);
    return false;
}

size_t rows_count(struct span csv)
{
    size_t lines = 0;
    for (size_t at = 0; at < csv.size; at++) lines += csv.data[at] == '\n';
    return lines ? lines - 1 : 0;
}
