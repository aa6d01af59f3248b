#include "csv.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 64 /* longer digits are not figures */

static bool at_end(const struct csv *csv)
{
    return csv->at == csv->text.size;
}

/* The byte `ahead` of the next, or a NUL past the end: no field may hold one. */
static uint8_t peek(const struct csv *csv, size_t ahead)
{
    return csv->text.size - csv->at > ahead ? csv->text.data[csv->at + ahead] : 0;
}

static bool at_line_end(const struct csv *csv)
{
    return peek(csv, 0) == '\n' || (peek(csv, 0) == '\r' && (peek(csv, 1) == '\n' || csv->text.size - csv->at == 1));
}

static void skip_line_end(struct csv *csv)
{
    if (at_end(csv)) return;
    csv->at += peek(csv, 0) == '\r' && peek(csv, 1) == '\n' ? 2 : 1;
    csv->line++;
}

static bool refuse(struct csv *csv, const char *fault, uint32_t line, size_t field)
{
    csv->fault = fault;
    csv->fault_line = line;
    csv->fault_field = (uint32_t)field;
    return false;
}

void csv_open(struct csv *csv, struct span text)
{
    *csv = (struct csv){.text = text, .line = 1};
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) csv->at = 3;
}

static bool read_bare(struct csv *csv, struct csv_row *row)
{
    size_t start = csv->at;
    for (; !at_end(csv) && peek(csv, 0) != ',' && !at_line_end(csv); csv->at++) {
        if (peek(csv, 0) == 0) return refuse(csv, "a NUL byte; the file must be UTF-8 text", csv->line, row->count + 1);
        if (peek(csv, 0) != '"') continue;
        return refuse(csv, "a quote inside a field; quote the whole field and double the quotes in it", csv->line,
                      row->count + 1);
    }
    row->fields[row->count++] = (struct span){csv->text.data + start, csv->at - start};
    return true;
}

static bool read_quoted(struct csv *csv, struct csv_row *row)
{
    uint32_t opened = csv->line;
    size_t start = ++csv->at;
    for (; !at_end(csv); csv->at++) {
        if (peek(csv, 0) == 0) return refuse(csv, "a NUL byte; the file must be UTF-8 text", csv->line, row->count + 1);
        if (peek(csv, 0) == '\n') csv->line++;
        if (peek(csv, 0) != '"') continue;
        if (peek(csv, 1) != '"') break;
        csv->at++;
    }
    if (at_end(csv))
        return refuse(csv, "a quoted field that never ends; close it with a quote", opened, row->count + 1);
    row->fields[row->count++] = (struct span){csv->text.data + start, csv->at - start};
    csv->at++;
    if (at_end(csv) || peek(csv, 0) == ',' || at_line_end(csv)) return true;
    return refuse(csv, "text after a closing quote; a comma or the end of the line must follow", csv->line, row->count);
}

enum csv_status csv_next(struct csv *csv, struct csv_row *row)
{
    if (csv->fault) return CSV_FAULT;
    while (!at_end(csv) && at_line_end(csv)) skip_line_end(csv);
    if (at_end(csv)) return CSV_END;

    row->line = csv->line;
    row->count = 0;
    for (;;) {
        if (row->count == CSV_FIELDS_MAX) {
            refuse(csv, "too many fields in a line; at most 512", row->line, row->count + 1);
            return CSV_FAULT;
        }
        if (!(peek(csv, 0) == '"' ? read_quoted(csv, row) : read_bare(csv, row))) return CSV_FAULT;
        if (at_end(csv) || peek(csv, 0) != ',') break;
        csv->at++;
    }
    skip_line_end(csv);
    return CSV_ROW;
}

bool csv_equals(struct span field, const char *text)
{
    return field.size == strlen(text) && memcmp(field.data, text, field.size) == 0;
}

bool csv_text(struct span field, char *out, size_t room)
{
    size_t used = 0, at = 0;
    assert(room > 0);
    while (at < field.size && used < room - 1) {
        out[used++] = (char)field.data[at];
        at += field.data[at] == '"' ? 2 : 1; /* a quote inside a field is always doubled */
    }
    out[used] = '\0';
    return at >= field.size;
}

/* Passes over digits; false: none. */
static bool skip_digits(const char **text)
{
    const char *start = *text;
    while (**text >= '0' && **text <= '9') (*text)++;
    return *text != start;
}

/* Digits, a fraction, an exponent: strtod alone would also take hexadecimal, "inf" and leading spaces. */
static bool is_decimal(const char *text)
{
    if (*text == '-' || *text == '+') text++;
    if (!skip_digits(&text)) return false;
    if (*text == '.') {
        text++;
        if (!skip_digits(&text)) return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+') text++;
        if (!skip_digits(&text)) return false;
    }
    return *text == '\0';
}

bool csv_number(struct span field, double *value)
{
    char text[NUMBER_BYTES];
    if (!csv_text(field, text, sizeof text) || !is_decimal(text)) return false;
    double number = strtod(text, NULL); /* exactly rounded; programs stay in the C locale */
    if (!isfinite(number)) return false;
    *value = number;
    return true;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Bytes of the printable character that starts the text; 0: none. */
static size_t character_bytes(const uint8_t *text, size_t size)
{
    uint8_t lead = text[0], next = size > 1 ? text[1] : 0;
    if (lead >= 0x20 && lead < 0x7f) return 1;
    if (!is_continuation(next)) return 0;
    if (lead == 0xc2) return next >= 0xa0 ? 2 : 0; /* below: control characters */
    if (lead >= 0xc3 && lead <= 0xdf) return 2;
    if (size < 3 || !is_continuation(text[2])) return 0;
    if (lead == 0xe0) return next >= 0xa0 ? 3 : 0; /* below: overlong */
    if (lead == 0xed) return next < 0xa0 ? 3 : 0;  /* above: surrogates */
    if (lead >= 0xe1 && lead <= 0xef) return 3;
    if (size < 4 || !is_continuation(text[3])) return 0;
    if (lead == 0xf0) return next >= 0x90 ? 4 : 0;
    if (lead == 0xf4) return next < 0x90 ? 4 : 0;
    return lead >= 0xf1 && lead <= 0xf3 ? 4 : 0;
}

bool csv_is_printable(struct span field)
{
    for (size_t at = 0; at < field.size;) {
        size_t bytes = character_bytes(field.data + at, field.size - at);
        if (bytes == 0) return false;
        at += bytes;
    }
    return true;
}
