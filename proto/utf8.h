/* Text that comes from outside, or was cut to fit. */
#pragma once

#include <stddef.h>

/* Bytes at the front of the text that are UTF-8 as RFC 3629 has it (no surrogate, nothing overlong)
 * without NUL: `size` when all of it is. */
size_t utf8_prefix(const void *text, size_t size);

/* Puts ? for every byte of a control character (U+0001 to U+001F, U+007F to U+009F): what others wrote must not begin
 * a line of a log, nor drive a terminal. */
void utf8_mask_controls(char *text);
