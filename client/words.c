#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define WORD_BYTES_MAX   64
#define WORD_BEGIN_BYTES 3 /* that a word is told by */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int fold(char letter)
{
    return letter == '-' || letter == ' ' ? '_' : tolower((unsigned char)letter);
}

static bool same(char a, char b)
{
    return fold(a) == fold(b);
}

size_t word_distance(const char *a, const char *b)
{
    size_t rows = strlen(a), columns = strlen(b);
    if (rows >= WORD_BYTES_MAX || columns >= WORD_BYTES_MAX) return WORD_BYTES_MAX;
    size_t cost[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
    for (size_t i = 0; i <= rows; i++) cost[i][0] = i;
    for (size_t j = 0; j <= columns; j++) cost[0][j] = j;
    for (size_t i = 1; i <= rows; i++)
        for (size_t j = 1; j <= columns; j++) {
            size_t change = cost[i - 1][j - 1] + !same(a[i - 1], b[j - 1]);
            cost[i][j] = least(change, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
            if (swapped) cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    return cost[rows][columns];
}

static bool begins(const char *word, const char *text)
{
    while (*text && same(*text, *word)) text++, word++;
    return *text == '\0';
}

/* The shortest word that begins so, or NULL. */
static const char *find_longer(const char *text, const char *(*word_at)(const void *context, size_t at),
                               const void *context, size_t count)
{
    const char *found = NULL;
    if (strlen(text) < WORD_BEGIN_BYTES) return NULL;
    for (size_t at = 0; at < count; at++) {
        const char *word = word_at(context, at);
        if (begins(word, text) && (!found || strlen(word) < strlen(found))) found = word;
    }
    return found;
}

const char *word_nearest(const char *text, const char *(*word_at)(const void *context, size_t at), const void *context,
                         size_t count)
{
    const char *nearest = NULL;
    size_t best = 1 + (strlen(text) + 1) / 4; /* further away is a guess, not a hint */
    for (size_t at = 0; at < count; at++) {
        const char *word = word_at(context, at);
        size_t distance = word_distance(text, word);
        if (distance > best || (nearest && distance == best) || distance >= strlen(word)) continue;
        best = distance;
        nearest = word;
    }
    if (nearest && best <= 1) return nearest;
    const char *longer = find_longer(text, word_at, context, count);
    return longer ? longer : nearest;
}

bool word_is_text(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f) return false;
    return utf8_prefix(text, strlen(text)) == strlen(text);
}

bool word_matches(const char *text, const char *word)
{
    for (; *text && same(*text, *word); text++) word++;
    return *text == '\0' && *word == '\0';
}

static const char *skip_digits(const char *at)
{
    while (*at >= '0' && *at <= '9') at++;
    return at;
}

bool word_number(const char *text, double *value)
{
    const char *whole = text + (*text == '-' || *text == '+'), *at = skip_digits(whole);
    size_t digits = (size_t)(at - whole);
    if (*at == '.') {
        const char *fraction = at + 1;
        at = skip_digits(fraction);
        digits += (size_t)(at - fraction);
    }
    if (digits == 0) return false;
    if (*at == 'e' || *at == 'E') {
        const char *exponent = at + 1 + (at[1] == '-' || at[1] == '+');
        at = skip_digits(exponent);
        if (at == exponent) return false;
    }
    if (*at) return false;
    *value = strtod(text, NULL);
    return isfinite(*value);
}

bool word_whole(const char *text, uint64_t max, uint64_t *value)
{
    if (*text == '\0' || *skip_digits(text)) return false;
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (errno || number > max) return false;
    *value = number;
    return true;
}

void word_print(struct buffer *out, const char *format, ...)
{
    char text[512];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (size > 0) buffer_append(out, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}
