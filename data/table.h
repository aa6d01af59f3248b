/* An embedded table, row by row. A fault in one is our own mistake: it is named and the program ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "csv.h"

struct table {
    const char *name; /* of the file, for faults */
    struct csv csv;
    struct csv_row row;
    size_t column_count;
    char *text; /* borrowed: where strings are kept, each with its NUL */
    size_t text_used, text_room;
};

/* The header must be exactly `columns`. Everything given is borrowed. */
void table_open(struct table *table, const char *name, struct span csv, const char *const *columns, size_t column_count,
                char *text, size_t text_room);

/* False: the table ended. */
bool table_next(struct table *table);

/* A field of the row, copied into the table's text. */
const char *table_text(struct table *table, size_t column);

/* A number, or `blank` for an empty field. */
double table_value(struct table *table, size_t column, double blank);

/* Says what is wrong with the row on stderr, and aborts. */
_Noreturn void table_stop(const struct table *table, const char *what);
