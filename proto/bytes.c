#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256u

static bool grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
        if (capacity > SIZE_MAX / 2) return false;
        capacity *= 2;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data) return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (buffer->failed || size == 0) return;
    bool fits = size <= buffer->capacity - buffer->size;
    if (!fits && (size > SIZE_MAX - buffer->size || !grow(buffer, buffer->size + size))) {
        buffer->failed = true;
        return;
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

struct span buffer_span(const struct buffer *buffer)
{
    return (struct span){.data = buffer->data, .size = buffer->size};
}
