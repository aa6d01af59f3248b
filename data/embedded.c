#include "embedded.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void embedded_stop(const struct embedded *table, const char *what)
{
    fprintf(stderr, "%s:%u: %s\n", table->name, table->row.line, what);
    abort();
}

void embedded_open(struct embedded *table, const char *name, struct span csv, const char *const *columns,
                   size_t column_count, char *text, size_t text_room)
{
    *table = (struct embedded){.name = name, .column_count = column_count, .text = text, .text_room = text_room};
    csv_open(&table->csv, csv);
    if (!embedded_next(table)) embedded_stop(table, "no header");
    for (size_t at = 0; at < column_count; at++)
        if (!csv_equals(table->row.fields[at], columns[at])) embedded_stop(table, "the header is not the expected one");
}

bool embedded_next(struct embedded *table)
{
    enum csv_status status = csv_next(&table->csv, &table->row);
    if (status == CSV_FAULT) embedded_stop(table, table->csv.fault);
    if (status == CSV_END) return false;
    if (table->row.count != table->column_count) embedded_stop(table, "wrong number of fields");
    return true;
}

const char *embedded_text(struct embedded *table, size_t column)
{
    assert(column < table->column_count);
    struct span field = table->row.fields[column];
    char *copy = table->text + table->text_used;
    size_t room = table->text_room - table->text_used;
    if (field.size >= room || !csv_text(field, copy, room)) embedded_stop(table, "the text is longer than its room");
    table->text_used += field.size + 1;
    return copy;
}

double embedded_value(struct embedded *table, size_t column, double blank)
{
    assert(column < table->column_count);
    double value = blank;
    if (table->row.fields[column].size > 0 && !csv_number(table->row.fields[column], &value))
        embedded_stop(table, "not a number");
    return value;
}
