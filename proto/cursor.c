#include "cursor.h"

#include <math.h>
#include <string.h>

#include "utf8.h"

/* The first byte of a msgpack value says its type; these are the types that are read here. */
enum {
    FIX_POSITIVE_MAX = 0x7f,
    FIX_ARRAY = 0x90,
    FIX_STRING = 0xa0,
    NIL = 0xc0,
    FALSE_BYTE = 0xc2,
    TRUE_BYTE = 0xc3,
    BIN_8 = 0xc4,
    BIN_32 = 0xc6,
    FLOAT_64 = 0xcb,
    UINT_8 = 0xcc,
    UINT_64 = 0xcf,
    INT_8 = 0xd0,
    INT_64 = 0xd3,
    STRING_8 = 0xd9,
    STRING_32 = 0xdb,
    ARRAY_16 = 0xdc,
    ARRAY_32 = 0xdd,
    FIX_NEGATIVE = 0xe0
};

#define FIX_ARRAY_MAX  15u
#define FIX_STRING_MAX 31u
#define FIX_INT_MIN    (-32)

static const char truncated[] = "truncated";
static const char not_shortest[] = "a number or length that is not in its shortest form";

struct cursor cursor_over(struct span bytes)
{
    /* An empty span may have no address, and nothing may be added to a null pointer. */
    static const uint8_t nothing[1];
    const uint8_t *data = bytes.size ? bytes.data : nothing;
    return (struct cursor){.at = data, .end = data + bytes.size};
}

void cursor_fail(struct cursor *cursor, const char *error)
{
    if (!cursor->error) cursor->error = error;
    cursor->at = cursor->end; /* whoever reads on finds nothing */
}

bool cursor_done(struct cursor *cursor)
{
    if (cursor->at != cursor->end) cursor_fail(cursor, "bytes left over");
    return !cursor->error;
}

static size_t remaining(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* The next `size` bytes, or NULL. */
static const uint8_t *take(struct cursor *cursor, size_t size)
{
    if (size > remaining(cursor)) {
        cursor_fail(cursor, truncated);
        return NULL;
    }
    const uint8_t *bytes = cursor->at;
    cursor->at += size;
    return bytes;
}

/* The type byte. False: the end, and the error is set. */
static bool take_type(struct cursor *cursor, uint8_t *type)
{
    const uint8_t *byte = take(cursor, 1);
    if (byte) *type = *byte;
    return byte != NULL;
}

/* A big-endian number of 1, 2, 4 or 8 bytes; 0 on an error. */
static uint64_t take_number(struct cursor *cursor, size_t size)
{
    const uint8_t *bytes = take(cursor, size);
    if (!bytes) return 0;
    uint64_t value = 0;
    for (size_t at = 0; at < size; at++) value = value << 8 | bytes[at];
    return value;
}

/* A number of `size` bytes, refused when half as many would hold it. least_of_1: what a single byte
 * must hold at least, because less goes into the type byte. */
static uint64_t take_sized(struct cursor *cursor, size_t size, uint64_t least_of_1)
{
    uint64_t value = take_number(cursor, size);
    uint64_t least = size == 1 ? least_of_1 : UINT64_C(1) << (4 * size);
    if (!cursor->error && value < least) cursor_fail(cursor, not_shortest);
    return cursor->error ? 0 : value;
}

static uint64_t take_unsigned(struct cursor *cursor, uint8_t type)
{
    return take_sized(cursor, (size_t)1 << (type - UINT_8), FIX_POSITIVE_MAX + 1);
}

/* A negative number behind INT_8 .. INT_64. */
static int64_t take_negative(struct cursor *cursor, uint8_t type)
{
    size_t size = (size_t)1 << (type - INT_8);
    uint64_t raw = take_number(cursor, size);
    uint64_t sign = UINT64_C(1) << (8 * size - 1);
    int64_t value = (int64_t)((raw ^ sign) - sign); /* sign-extended */
    int64_t most = size == 1 ? FIX_INT_MIN - 1 : -((int64_t)1 << (4 * size - 1)) - 1;
    if (!cursor->error && value > most) cursor_fail(cursor, not_shortest);
    return cursor->error ? 0 : value;
}

size_t cursor_array(struct cursor *cursor, size_t max)
{
    uint8_t type;
    if (!take_type(cursor, &type)) return 0;
    size_t count = 0;
    if (type >= FIX_ARRAY && type <= FIX_ARRAY + FIX_ARRAY_MAX) count = type - FIX_ARRAY;
    else if (type == ARRAY_16 || type == ARRAY_32) {
        count = take_number(cursor, type == ARRAY_16 ? 2 : 4);
        if (!cursor->error && count <= (type == ARRAY_16 ? FIX_ARRAY_MAX : UINT16_MAX))
            cursor_fail(cursor, not_shortest);
    } else cursor_fail(cursor, "not an array");
    if (count > max) cursor_fail(cursor, "too many elements");
    if (count > remaining(cursor)) cursor_fail(cursor, truncated);
    return cursor->error ? 0 : count;
}

void cursor_array_of(struct cursor *cursor, size_t count)
{
    if (cursor_array(cursor, count) != count) cursor_fail(cursor, "too few elements");
}

uint64_t cursor_uint(struct cursor *cursor, uint64_t max)
{
    uint8_t type;
    if (!take_type(cursor, &type)) return 0;
    uint64_t value = 0;
    if (type <= FIX_POSITIVE_MAX) value = type;
    else if (type >= UINT_8 && type <= UINT_64) value = take_unsigned(cursor, type);
    else cursor_fail(cursor, "not a whole number of at least 0");
    if (value > max) cursor_fail(cursor, "a number above its bound");
    return cursor->error ? 0 : value;
}

uint64_t cursor_uint_from(struct cursor *cursor, uint64_t min, uint64_t max)
{
    uint64_t value = cursor_uint(cursor, max);
    if (value < min) cursor_fail(cursor, "a number below its bound");
    return cursor->error ? 0 : value;
}

static bool at_negative(const struct cursor *cursor)
{
    return cursor->at != cursor->end && *cursor->at >= INT_8 && (*cursor->at <= INT_64 || *cursor->at >= FIX_NEGATIVE);
}

int64_t cursor_int(struct cursor *cursor, int64_t min, int64_t max)
{
    int64_t value;
    uint8_t type;
    if (!at_negative(cursor)) value = (int64_t)cursor_uint(cursor, INT64_MAX);
    else if (!take_type(cursor, &type)) return 0;
    else value = type >= FIX_NEGATIVE ? (int64_t)type - 256 : take_negative(cursor, type);
    if (value < min || value > max) cursor_fail(cursor, "a number outside its bounds");
    return cursor->error ? 0 : value;
}

bool cursor_bool(struct cursor *cursor)
{
    uint8_t type;
    if (!take_type(cursor, &type)) return false;
    if (type != FALSE_BYTE && type != TRUE_BYTE) cursor_fail(cursor, "neither true nor false");
    return type == TRUE_BYTE;
}

double cursor_double(struct cursor *cursor)
{
    uint8_t type;
    if (!take_type(cursor, &type)) return 0.0;
    if (type == NIL) return NAN;
    if (type != FLOAT_64) {
        cursor_fail(cursor, "not a float64");
        return 0.0;
    }
    uint64_t bits = take_number(cursor, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isnan(value)) cursor_fail(cursor, "NaN that is not written as nil");
    return cursor->error ? 0.0 : value;
}

double cursor_number(struct cursor *cursor, double min, double max)
{
    double value = cursor_double(cursor);
    if (!isfinite(value)) cursor_fail(cursor, "not a finite number");
    else if (value == 0.0 && signbit(value)) cursor_fail(cursor, "negative zero");
    else if (value < min || value > max) cursor_fail(cursor, "a number outside its bounds");
    return cursor->error ? 0.0 : value;
}

struct span cursor_bin(struct cursor *cursor, size_t max)
{
    uint8_t type;
    if (!take_type(cursor, &type)) return (struct span){0};
    size_t size = 0;
    if (type >= BIN_8 && type <= BIN_32) size = take_sized(cursor, (size_t)1 << (type - BIN_8), 0);
    else cursor_fail(cursor, "not a byte string");
    if (size > max) cursor_fail(cursor, "a byte string above its bound");
    const uint8_t *data = take(cursor, size);
    return cursor->error ? (struct span){0} : (struct span){.data = data, .size = size};
}

void cursor_digest(struct cursor *cursor, struct digest *digest)
{
    struct span bytes = cursor_bin(cursor, DIGEST_BYTES);
    if (bytes.size == DIGEST_BYTES) memcpy(digest->bytes, bytes.data, DIGEST_BYTES);
    else cursor_fail(cursor, "a digest that is not 32 bytes");
}

static size_t take_string_size(struct cursor *cursor)
{
    uint8_t type;
    if (!take_type(cursor, &type)) return 0;
    if (type >= FIX_STRING && type <= FIX_STRING + FIX_STRING_MAX) return type - FIX_STRING;
    if (type >= STRING_8 && type <= STRING_32)
        return take_sized(cursor, (size_t)1 << (type - STRING_8), FIX_STRING_MAX + 1);
    cursor_fail(cursor, "not a string");
    return 0;
}

void cursor_string(struct cursor *cursor, char *text, size_t capacity)
{
    text[0] = '\0';
    size_t size = take_string_size(cursor);
    if (size >= capacity) cursor_fail(cursor, "a string above its bound");
    const uint8_t *bytes = take(cursor, size);
    if (cursor->error) return;
    if (utf8_prefix(bytes, size) != size) {
        cursor_fail(cursor, "a string that is not UTF-8 without NUL");
        return;
    }
    memcpy(text, bytes, size);
    text[size] = '\0';
}

bool cursor_at_nil(const struct cursor *cursor)
{
    return cursor->at != cursor->end && *cursor->at == NIL;
}

void cursor_nil(struct cursor *cursor)
{
    uint8_t type;
    if (take_type(cursor, &type) && type != NIL) cursor_fail(cursor, "not nil");
}
