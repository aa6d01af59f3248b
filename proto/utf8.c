#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the character at `at`, of which `left` are there; 0: it is none. */
static size_t character_size(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead == 0) return 0;
    if (lead < 0x80) return 1;
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || size > left) return 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t next = 2; next < size; next++)
        if ((at[next] & 0xc0) != 0x80) return 0;
    return size;
}

size_t utf8_prefix(const void *text, size_t size)
{
    const uint8_t *bytes = text;
    size_t at = 0;
    while (at < size) {
        size_t step = character_size(bytes + at, size - at);
        if (step == 0) break;
        at += step;
    }
    return at;
}

void utf8_mask_controls(char *text)
{
    for (uint8_t *at = (uint8_t *)text; *at != 0; at++) {
        const bool high = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
        if (high) at[1] = '?';
        if (high || *at < 0x20 || *at == 0x7f) *at = '?';
    }
}
