/* Reads comma-separated tables (RFC 4180) from bytes in memory, in place: fields are views of the
 * text. A UTF-8 byte-order mark is skipped, lines end with LF or CRLF or with the text, and empty
 * lines are passed over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define CSV_FIELDS_MAX 512

enum csv_status { CSV_ROW, CSV_END, CSV_FAULT };

struct csv {
    struct span text; /* borrowed */
    size_t at;
    uint32_t line;     /* 1-based, of the next byte */
    const char *fault; /* after CSV_FAULT: what is wrong and what is allowed; a constant */
    uint32_t fault_line, fault_field;
};

struct csv_row {
    uint32_t line; /* where the row starts; a quoted field may hold line ends */
    size_t count;
    struct span fields[CSV_FIELDS_MAX]; /* without the outer quotes; quotes inside are still doubled */
};

void csv_open(struct csv *csv, struct span text);

/* The next row. After a fault, or the end, the same answer again. */
enum csv_status csv_next(struct csv *csv, struct csv_row *row);

bool csv_equals(struct span field, const char *text);

/* Copies a field with its doubled quotes made single and ends it with NUL. False: more than
 * room - 1 bytes; `out` then holds the beginning. room: at least 1. */
bool csv_text(struct span field, char *out, size_t room);

/* A decimal number such as 12, -0.5 or 4e8, without spaces. False: anything else, or too large. */
bool csv_number(struct span field, double *value);

/* Whether a field is UTF-8 (RFC 3629) without control characters. */
bool csv_is_printable(struct span field);
