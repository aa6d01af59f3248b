/* The first byte says how many operations follow; then comes what they read. Whatever is read without an
 * error, written again, gives the bytes that were read; after an error everything reads as nothing. */
#include <math.h>
#include <string.h>

#include "cursor.h"
#include "pack.h"
#include "targets.h"
#include "utf8.h"

#define TEXT_BYTES 48

static void read_text(struct cursor *cursor, size_t capacity, struct buffer *again)
{
    char text[TEXT_BYTES];
    memset(text, 'x', sizeof text);
    cursor_string(cursor, text, capacity);
    const size_t size = strnlen(text, sizeof text);
    fuzz_require(size < capacity && utf8_prefix(text, size) == size);
    fuzz_require(cursor->error == NULL || size == 0);
    pack_string(again, text);
}

static void read_double(struct cursor *cursor, struct buffer *again)
{
    const double value = cursor_double(cursor);
    fuzz_require(cursor->error == NULL || value == 0);
    pack_double(again, value);
}

static void read_number(struct cursor *cursor, double bound, struct buffer *again)
{
    const double value = cursor_number(cursor, -bound, bound);
    fuzz_require(isfinite(value) && value >= -bound && value <= bound && (value != 0 || !signbit(value)));
    fuzz_require(cursor->error == NULL || value == 0);
    pack_number(again, value);
}

static void read_int(struct cursor *cursor, int64_t least, int64_t most, struct buffer *again)
{
    const int64_t value = cursor_int(cursor, least, most);
    fuzz_require(cursor->error != NULL ? value == 0 : value >= least && value <= most);
    pack_int(again, value);
}

static void read_uint(struct cursor *cursor, uint64_t least, uint64_t most, struct buffer *again)
{
    const uint64_t value = cursor_uint_from(cursor, least, most);
    fuzz_require(cursor->error != NULL ? value == 0 : value >= least && value <= most);
    pack_uint(again, value);
}

static void read_bin(struct cursor *cursor, size_t max, struct buffer *again)
{
    const struct span bytes = cursor_bin(cursor, max);
    fuzz_require(bytes.size <= max && (cursor->error == NULL || bytes.size == 0));
    pack_bin(again, bytes);
}

static void read_array(struct cursor *cursor, size_t max, struct buffer *again)
{
    const size_t count = cursor_array(cursor, max);
    fuzz_require(count <= max && count <= (size_t)(cursor->end - cursor->at));
    fuzz_require(cursor->error == NULL || count == 0);
    pack_array(again, count);
}

static void read_digest(struct cursor *cursor, struct buffer *again)
{
    struct digest digest = {{7}};
    const struct digest before = digest;
    cursor_digest(cursor, &digest);
    fuzz_require(cursor->error == NULL || memcmp(&digest, &before, sizeof digest) == 0);
    pack_digest(again, &digest);
}

static void read_one(struct cursor *cursor, uint8_t operation, struct buffer *again)
{
    const unsigned argument = operation >> 4;
    const uint64_t most = argument == 15 ? UINT64_MAX : UINT64_C(1) << 4 * argument;
    switch (operation % 10) {
    case 0:
        read_array(cursor, most, again);
        break;
    case 1:
        read_uint(cursor, 0, most, again);
        break;
    case 2:
        read_uint(cursor, argument, most, again);
        break;
    case 3:
        read_int(cursor, argument == 15 ? INT64_MIN : -(int64_t)most, argument == 15 ? INT64_MAX : (int64_t)most,
                 again);
        break;
    case 4:
        pack_bool(again, cursor_bool(cursor));
        break;
    case 5:
        read_double(cursor, again);
        break;
    case 6:
        read_number(cursor, (double)most, again);
        break;
    case 7:
        read_bin(cursor, most, again);
        break;
    case 8:
        read_text(cursor, 3u * argument + 1, again);
        break;
    default:
        if (cursor_at_nil(cursor)) {
            cursor_nil(cursor);
            pack_nil(again);
        } else {
            read_digest(cursor, again);
        }
    }
}

int FUZZ_TARGET(cursor)(const uint8_t *data, size_t size)
{
    if (size == 0 || size < data[0] + 1u) return 0;
    const size_t operations = data[0];
    struct cursor cursor = cursor_over((struct span){data + 1 + operations, size - 1 - operations});
    const uint8_t *start = cursor.at;
    struct buffer again = {0};
    for (size_t at = 0; at < operations; at++) {
        const char *error = cursor.error;
        read_one(&cursor, data[1 + at], &again);
        fuzz_require(cursor.at >= start && cursor.at <= cursor.end);
        fuzz_require(error == NULL || cursor.error == error);
    }
    const size_t used = (size_t)(cursor.at - start);
    if (cursor.error == NULL)
        fuzz_require(!again.failed && again.size == used && (used == 0 || memcmp(again.data, start, used) == 0));
    fuzz_require(cursor_done(&cursor) == (cursor.error == NULL && cursor.at == cursor.end));
    buffer_free(&again);
    return 0;
}
