/* What --json prints. */
#pragma once

#include <jansson.h>

#include "options.h"

#define JSON_DIGITS 17 /* with so many digits a real number reads back as it was */

/* Prints one value, indented, and a newline; takes the value, which may be NULL for want of memory. `digits`:
 * of real numbers, 1 to JSON_DIGITS. STATUS_FAILED: it could not be made, which is said, or not be written, which
 * main() says. */
enum exit_status json_print(json_t *value, unsigned digits);
