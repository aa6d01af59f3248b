/* An embedded table, row by row. A fault in one is our own mistake: it is named and the program ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "csv.h"

struct embedded {
    const char *name; /* of the file, for faults */
    struct csv csv;
    struct csv_row row;
    size_t column_count;
    char *text; /* borrowed: where strings are kept, each with its NUL */
    size_t text_used, text_room;
};

/* The header must be exactly `columns`. Everything given is borrowed. */
void embedded_open(struct embedded *table, const char *name, struct span csv, const char *const *columns,
                   size_t column_count, char *text, size_t text_room);

/* False: the table ended. */
bool embedded_next(struct embedded *table);

/* A field of the row, copied into the table's text. */
const char *embedded_text(struct embedded *table, size_t column);

/* A number, or `blank` for an empty field. */
double embedded_value(struct embedded *table, size_t column, double blank);

/* Says what is wrong with the row on stderr, and aborts. */
_Noreturn void embedded_stop(const struct embedded *table, const char *what);
