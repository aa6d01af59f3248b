/* Words and numbers as people type them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Edits (a letter put in, left out, changed, or two neighbours swapped) that turn one word into the
 * other, but for case, and '-' or ' ' in place of '_'. Words of 64 bytes or more count as far apart. */
size_t word_distance(const char *a, const char *b);

/* The word most like `text`; when more than one letter differs, the shortest that begins with it if there is one; NULL
 * when none is close. word_at(context, k) gives word k. */
const char *word_nearest(const char *text, const char *(*word_at)(const void *context, size_t at), const void *context,
                         size_t count);

/* Equal but for case, and '-' or ' ' in place of '_'. */
bool word_matches(const char *text, const char *word);

/* UTF-8 without control characters: it stays on one line, and JSON can hold it. */
bool word_is_text(const char *text);

/* A finite decimal number and nothing else: no hexadecimal, no "inf", no spaces. */
bool word_number(const char *text, double *value);

/* A whole number of decimal digits, at most `max`. */
bool word_whole(const char *text, uint64_t max, uint64_t *value);

/* Appends formatted text, at most 511 bytes of it. */
void word_print(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
