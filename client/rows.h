/* rollup.csv, sensitivity.csv or boxes.csv as JSON: an array of objects, one per row, with the columns as keys. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

/* Appends the array. Columns of figures and counts are numbers, or null where they are undefined; all else is text,
 * `year` too. False: out of memory, or `why` says what is wrong with the table. */
bool rows_to_json(struct span csv, struct buffer *out, char *why, size_t why_bytes);

/* Rows below the header line. */
size_t rows_count(struct span csv);
