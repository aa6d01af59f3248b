/* Text that comes from outside, or was cut to fit. */
#pragma once

#include <stddef.h>

/* Bytes at the front of the text that are UTF-8 as RFC 3629 has it (no surrogate, nothing overlong)
 * without NUL: `size` when all of it is. */
size_t utf8_prefix(const void *text, size_t size);
