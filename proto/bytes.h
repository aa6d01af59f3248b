/* Byte strings: a borrowed view, and a growing buffer that its owner frees. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span { /* borrowed */
    const uint8_t *data;
    size_t size;
};

struct buffer { /* owned; zero-initialised is empty */
    uint8_t *data;
    size_t size, capacity;
    bool failed; /* memory ran out: contents are not to be used */
};

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_clear(struct buffer *buffer); /* keeps the memory */
void buffer_free(struct buffer *buffer);  /* leaves it empty and usable */
struct span buffer_span(const struct buffer *buffer);
