/* Any bytes as a table: rows lie inside the text and in order, and the end, or a fault, is final. */
#include <math.h>
#include <string.h>

#include "csv.h"
#include "targets.h"

static void check_field(struct span text, struct span field)
{
    static char copy[256];
    double value = 0;
    fuzz_require(field.size == 0 || (field.data >= text.data && field.data + field.size <= text.data + text.size));
    if (csv_number(field, &value)) fuzz_require(isfinite(value) && csv_is_printable(field));
    memset(copy, 'x', sizeof copy);
    const bool whole = csv_text(field, copy, sizeof copy);
    const size_t length = strnlen(copy, sizeof copy);
    fuzz_require(length < sizeof copy && length <= field.size);
    if (!whole) fuzz_require(field.size >= sizeof copy);
    if (whole && length == field.size) fuzz_require(csv_equals(field, copy) || memchr(copy, '"', length) != NULL);
}

int FUZZ_TARGET(csv)(const uint8_t *data, size_t size)
{
    static struct csv_row row;
    const struct span text = {data, size};
    struct csv csv;
    enum csv_status status;
    uint32_t line = 0;
    size_t at = 0;
    csv_open(&csv, text);
    while ((status = csv_next(&csv, &row)) == CSV_ROW) {
        fuzz_require(row.count >= 1 && row.count <= CSV_FIELDS_MAX && row.line > line && csv.at > at && csv.at <= size);
        for (size_t field = 0; field < row.count; field++) check_field(text, row.fields[field]);
        line = row.line;
        at = csv.at;
    }
    fuzz_require(csv_next(&csv, &row) == status);
    if (status == CSV_FAULT) fuzz_require(csv.fault != NULL && csv.fault_line >= 1);
    return 0;
}
