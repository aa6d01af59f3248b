#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#include "cursor.h"
#include "pack.h"
#include "support_wire.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* What a row is read as. */
enum reading { READ_ARRAY, READ_UINT, READ_INT, READ_BOOL, READ_DOUBLE, READ_NUMBER, READ_BIN, READ_STRING, READ_NIL };

#define ELEMENTS_MAX  100u
#define UINT_MAX_HERE UINT64_C(1000)
#define BIN_MAX       4u
#define STRING_BYTES  8u

static void read_value(struct cursor *cursor, enum reading reading)
{
    char text[STRING_BYTES];
    switch (reading) {
    case READ_ARRAY:
        for (size_t count = cursor_array(cursor, ELEMENTS_MAX); count > 0; count--) cursor_uint(cursor, UINT64_MAX);
        break;
    case READ_UINT:
        cursor_uint(cursor, UINT_MAX_HERE);
        break;
    case READ_INT:
        cursor_int(cursor, -1000, 1000);
        break;
    case READ_BOOL:
        cursor_bool(cursor);
        break;
    case READ_DOUBLE:
        cursor_double(cursor);
        break;
    case READ_NUMBER:
        cursor_number(cursor, 0.0, 1.0);
        break;
    case READ_BIN:
        cursor_bin(cursor, BIN_MAX);
        break;
    case READ_STRING:
        cursor_string(cursor, text, sizeof text);
        break;
    case READ_NIL:
        cursor_nil(cursor);
        break;
    }
}

/* NULL: accepted, and nothing is left over. */
static const char *error_of(const char *hex, enum reading reading)
{
    struct buffer bytes = {0};
    cr_assert(hex_read(hex, strlen(hex), &bytes), "%s", hex);
    uint8_t *copy = exact_copy(buffer_span(&bytes));
    struct cursor cursor = cursor_over((struct span){copy, bytes.size});
    read_value(&cursor, reading);
    cursor_done(&cursor);
    buffer_free(&bytes);
    free(copy);
    return cursor.error;
}

Test(cursor, refuses_hostile_bytes_with_a_reason)
{
    static const char truncated[] = "truncated", longer[] = "a number or length that is not in its shortest form";
    static const char not_text[] = "a string that is not UTF-8 without NUL", left_over[] = "bytes left over";
    static const char too_large[] = "a number above its bound", outside[] = "a number outside its bounds";
    static const struct {
        enum reading reading;
        const char *hex, *error;
    } rows[] = {
        {READ_ARRAY, "", truncated},
        {READ_ARRAY, "91", truncated},
        {READ_ARRAY, "9f 00 00", truncated},
        {READ_ARRAY, "dc", truncated},
        {READ_ARRAY, "dc 00", truncated},
        {READ_ARRAY, "dc 00 10", truncated},
        {READ_ARRAY, "dc ff ff", "too many elements"},
        {READ_ARRAY, "dd ff ff ff ff", "too many elements"},
        {READ_ARRAY, "dd 00 01", truncated},
        {READ_ARRAY, "dc 00 0f", longer},
        {READ_ARRAY, "dd 00 00 ff ff", longer},
        {READ_ARRAY, "80", "not an array"},
        {READ_ARRAY, "df ff ff ff ff", "not an array"},
        {READ_ARRAY, "c1", "not an array"},
        {READ_ARRAY, "c9 ff ff ff ff 00", "not an array"},
        {READ_ARRAY, "91 91 91 91", "not a whole number of at least 0"},
        {READ_ARRAY, "91 c1", "not a whole number of at least 0"},
        {READ_ARRAY, "90 00", left_over},
        {READ_UINT, "", truncated},
        {READ_UINT, "cc", truncated},
        {READ_UINT, "cd 01", truncated},
        {READ_UINT, "ce 00 01 00", truncated},
        {READ_UINT, "cf 00 00 00 01 00 00 00", truncated},
        {READ_UINT, "cc 7f", longer},
        {READ_UINT, "cd 00 ff", longer},
        {READ_UINT, "ce 00 00 ff ff", longer},
        {READ_UINT, "cf 00 00 00 00 ff ff ff ff", longer},
        {READ_UINT, "cd 03 e9", too_large},
        {READ_UINT, "cf ff ff ff ff ff ff ff ff", too_large},
        {READ_UINT, "ff", "not a whole number of at least 0"},
        {READ_UINT, "d0 01", "not a whole number of at least 0"},
        {READ_UINT, "cb 3f f0 00 00 00 00 00 00", "not a whole number of at least 0"},
        {READ_UINT, "a1 31", "not a whole number of at least 0"},
        {READ_UINT, "01 00", left_over},
        {READ_INT, "d0", truncated},
        {READ_INT, "d1 ff", truncated},
        {READ_INT, "d2 ff ff ff", truncated},
        {READ_INT, "d3 ff ff ff ff ff ff ff", truncated},
        {READ_INT, "d0 01", longer},
        {READ_INT, "d0 e0", longer},
        {READ_INT, "d1 ff 80", longer},
        {READ_INT, "d1 01 00", longer},
        {READ_INT, "d2 ff ff 80 00", longer},
        {READ_INT, "d3 ff ff ff ff 80 00 00 00", longer},
        {READ_INT, "d3 00 00 00 00 00 00 00 01", longer},
        {READ_INT, "d1 fc 17", outside},
        {READ_INT, "d3 80 00 00 00 00 00 00 00", outside},
        {READ_INT, "cd 03 e9", outside},
        {READ_INT, "cf 80 00 00 00 00 00 00 00", too_large},
        {READ_INT, "c0", "not a whole number of at least 0"},
        {READ_BOOL, "", truncated},
        {READ_BOOL, "01", "neither true nor false"},
        {READ_BOOL, "c0", "neither true nor false"},
        {READ_DOUBLE, "", truncated},
        {READ_DOUBLE, "cb 00 00 00 00 00 00 00", truncated},
        {READ_DOUBLE, "ca 3f 80 00 00", "not a float64"},
        {READ_DOUBLE, "01", "not a float64"},
        {READ_DOUBLE, "cb 7f f8 00 00 00 00 00 00", "NaN that is not written as nil"},
        {READ_DOUBLE, "cb ff f0 00 00 00 00 00 01", "NaN that is not written as nil"},
        {READ_NUMBER, "c0", "not a finite number"},
        {READ_NUMBER, "cb 7f f0 00 00 00 00 00 00", "not a finite number"},
        {READ_NUMBER, "cb ff f0 00 00 00 00 00 00", "not a finite number"},
        {READ_NUMBER, "cb 80 00 00 00 00 00 00 00", "negative zero"},
        {READ_NUMBER, "cb 80 00 00 00 00 00 00 01", outside},
        {READ_NUMBER, "cb 3f f0 00 00 00 00 00 01", outside},
        {READ_BIN, "", truncated},
        {READ_BIN, "c4", truncated},
        {READ_BIN, "c4 02 00", truncated},
        {READ_BIN, "c4 05 00 00 00 00 00", "a byte string above its bound"},
        {READ_BIN, "c6 ff ff ff ff", "a byte string above its bound"},
        {READ_BIN, "c5 00 ff", longer},
        {READ_BIN, "c6 00 00 00 01 00", longer},
        {READ_BIN, "a1 61", "not a byte string"},
        {READ_BIN, "c7 01 00 00", "not a byte string"},
        {READ_STRING, "", truncated},
        {READ_STRING, "a2 61", truncated},
        {READ_STRING, "a8 61 61 61 61 61 61 61 61", "a string above its bound"},
        {READ_STRING, "db ff ff ff ff", "a string above its bound"},
        {READ_STRING, "d9 1f", longer},
        {READ_STRING, "da 00 ff", longer},
        {READ_STRING, "db 00 00 00 00", longer},
        {READ_STRING, "c4 01 61", "not a string"},
        {READ_STRING, "c0", "not a string"},
        {READ_STRING, "a1 00", not_text},
        {READ_STRING, "a3 61 00 61", not_text},
        {READ_STRING, "a1 80", not_text},
        {READ_STRING, "a1 ff", not_text},
        {READ_STRING, "a2 c0 80", not_text},
        {READ_STRING, "a2 c1 bf", not_text},
        {READ_STRING, "a1 c3", not_text},
        {READ_STRING, "a2 c3 28", not_text},
        {READ_STRING, "a2 e2 82", not_text},
        {READ_STRING, "a3 e2 82 28", not_text},
        {READ_STRING, "a3 e0 9f bf", not_text},
        {READ_STRING, "a3 ed a0 80", not_text},
        {READ_STRING, "a4 f0 8f bf bf", not_text},
        {READ_STRING, "a4 f0 9f 98 28", not_text},
        {READ_STRING, "a4 f4 90 80 80", not_text},
        {READ_STRING, "a4 f5 80 80 80", not_text},
        {READ_NIL, "", truncated},
        {READ_NIL, "c2", "not nil"},
        {READ_NIL, "c0 c0", left_over},
    };
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        const char *error = error_of(rows[at].hex, rows[at].reading);
        cr_expect(error && strcmp(error, rows[at].error) == 0, "%s: \"%s\", not \"%s\"", rows[at].hex,
                  error ? error : "accepted", rows[at].error);
    }
}

Test(cursor, accepts_what_is_just_within_its_bounds)
{
    static const struct {
        enum reading reading;
        const char *hex;
    } rows[] = {
        {READ_ARRAY, "90"},
        {READ_ARRAY, "dc 00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {READ_UINT, "00"},
        {READ_UINT, "7f"},
        {READ_UINT, "cc 80"},
        {READ_UINT, "cd 01 00"},
        {READ_UINT, "cd 03 e8"},
        {READ_INT, "e0"},
        {READ_INT, "d0 df"},
        {READ_INT, "d1 ff 7f"},
        {READ_INT, "d1 fc 18"},
        {READ_INT, "cd 03 e8"},
        {READ_BOOL, "c2"},
        {READ_BOOL, "c3"},
        {READ_DOUBLE, "c0"},
        {READ_DOUBLE, "cb 80 00 00 00 00 00 00 00"},
        {READ_DOUBLE, "cb 7f f0 00 00 00 00 00 00"},
        {READ_NUMBER, "cb 00 00 00 00 00 00 00 00"},
        {READ_NUMBER, "cb 3f f0 00 00 00 00 00 00"},
        {READ_BIN, "c4 00"},
        {READ_BIN, "c4 04 00 ff 00 ff"},
        {READ_STRING, "a0"},
        {READ_STRING, "a7 61 61 61 61 61 61 61"},
        {READ_STRING, "a1 01"},
        {READ_STRING, "a2 c2 80"},
        {READ_STRING, "a3 e0 a0 80"},
        {READ_STRING, "a3 ed 9f bf"},
        {READ_STRING, "a3 ee 80 80"},
        {READ_STRING, "a4 f0 90 80 80"},
        {READ_STRING, "a4 f4 8f bf bf"},
        {READ_NIL, "c0"},
    };
    for (size_t at = 0; at < COUNT_OF(rows); at++)
        cr_expect_null(error_of(rows[at].hex, rows[at].reading), "%s", rows[at].hex);
}

Test(cursor, a_huge_count_is_refused_by_what_remains_when_no_bound_does)
{
    static const uint8_t array[] = {0xdd, 0xff, 0xff, 0xff, 0xff, 0x00}, bin[] = {0xc6, 0xff, 0xff, 0xff, 0xff, 0x00};
    struct cursor cursor = cursor_over((struct span){array, sizeof array});
    cr_assert_eq(cursor_array(&cursor, SIZE_MAX), 0);
    cr_assert_str_eq(cursor.error, "truncated");

    cursor = cursor_over((struct span){bin, sizeof bin});
    cr_assert_eq(cursor_bin(&cursor, SIZE_MAX).size, 0);
    cr_assert_str_eq(cursor.error, "truncated");
}

Test(cursor, keeps_its_first_error_and_reads_on_harmlessly)
{
    static const uint8_t bytes[] = {0x01, 0xc1, 0x02, 0xa1, 'x'};
    struct cursor cursor = cursor_over((struct span){bytes, sizeof bytes});
    cr_assert_eq(cursor_uint(&cursor, 9), 1);
    cr_assert_eq(cursor_uint(&cursor, 9), 0);
    const char *first = cursor.error;
    cr_assert_not_null(first);

    char text[4] = "old";
    struct digest digest = {{7}};
    cr_assert_eq(cursor_uint(&cursor, 9), 0);
    cr_assert_eq(cursor_uint_from(&cursor, 5, 9), 0);
    cr_assert_eq(cursor_int(&cursor, 3, 9), 0);
    cr_assert_eq(cursor_array(&cursor, 9), 0);
    cr_assert_eq(cursor_double(&cursor), 0.0);
    cr_assert_eq(cursor_number(&cursor, 3.0, 4.0), 0.0);
    cr_assert_eq(cursor_bin(&cursor, 9).size, 0);
    cr_assert(!cursor_bool(&cursor));
    cr_assert(!cursor_at_nil(&cursor));
    cursor_array_of(&cursor, 3);
    cursor_nil(&cursor);
    cursor_string(&cursor, text, sizeof text);
    cr_assert_str_eq(text, "");
    cursor_digest(&cursor, &digest);
    cr_assert_eq(digest.bytes[0], 7, "a digest is not written unless it is read");
    cursor_fail(&cursor, "another");
    cr_assert_eq(cursor.error, first);
    cr_assert(!cursor_done(&cursor));
}

Test(cursor, an_array_of_another_length_is_refused)
{
    static const uint8_t bytes[] = {0x92, 0x00, 0x00};
    static const struct {
        size_t count;
        const char *error;
    } rows[] = {{1, "too many elements"}, {2, NULL}, {3, "too few elements"}};
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        struct cursor cursor = cursor_over((struct span){bytes, sizeof bytes});
        cursor_array_of(&cursor, rows[at].count);
        if (rows[at].error) cr_expect_str_eq(cursor.error, rows[at].error, "%zu", rows[at].count);
        else cr_expect_null(cursor.error, "%zu", rows[at].count);
    }
}

Test(cursor, a_number_below_its_least_is_refused)
{
    static const uint8_t bytes[] = {0x04, 0x05};
    struct cursor cursor = cursor_over((struct span){bytes, 1});
    cr_assert_eq(cursor_uint_from(&cursor, 5, 9), 0);
    cr_assert_str_eq(cursor.error, "a number below its bound");
    cursor = cursor_over((struct span){bytes + 1, 1});
    cr_assert_eq(cursor_uint_from(&cursor, 5, 9), 5);
    cr_assert(cursor_done(&cursor));
}

Test(cursor, a_digest_is_exactly_32_bytes)
{
    uint8_t bytes[2 + DIGEST_BYTES + 1] = {0xc4};
    for (uint8_t size = 0; size <= DIGEST_BYTES + 1; size++) {
        struct digest digest = {{0}};
        bytes[1] = size;
        bytes[2] = 0x55;
        struct cursor cursor = cursor_over((struct span){bytes, 2u + size});
        cursor_digest(&cursor, &digest);
        cr_expect_eq(cursor_done(&cursor), size == DIGEST_BYTES, "%u bytes", size);
        cr_expect_eq(digest.bytes[0], size == DIGEST_BYTES ? 0x55 : 0, "%u bytes", size);
    }
}

Test(cursor, any_bytes_at_all_end_within_their_memory)
{
    uint64_t state = 20251122; /* xorshift: the same bytes on every run */
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[24];
        for (size_t at = 0; at < sizeof bytes; at++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes[at] = (uint8_t)(state >> 32);
        }
        size_t size = round % (sizeof bytes + 1);
        uint8_t *copy = exact_copy((struct span){bytes, size});
        struct cursor cursor = cursor_over((struct span){copy, size});
        const uint8_t *start = cursor.at;
        for (unsigned step = 0; step < 8; step++) {
            const uint8_t *before = cursor.at;
            read_value(&cursor, (enum reading)((round + step) % (READ_NIL + 1)));
            cr_assert(cursor.error || cursor.at > before, "round %u: neither an error nor a step", round);
            cr_assert(cursor.at >= start && cursor.at <= start + size, "round %u", round);
        }
        free(copy);
    }
}

/* The same value by msgpack-c's own unpacker, which must take all bytes. */
static msgpack_object unpacked(struct span bytes, msgpack_unpacked *result)
{
    size_t at = 0;
    msgpack_unpacked_init(result);
    msgpack_unpack_return status = msgpack_unpack_next(result, (const char *)bytes.data, bytes.size, &at);
    cr_assert_eq(status, MSGPACK_UNPACK_SUCCESS, "%s", hex_write(bytes));
    cr_assert_eq(at, bytes.size, "%s", hex_write(bytes));
    return result->data;
}

static void check_uint(uint64_t value)
{
    struct buffer bytes = {0};
    msgpack_unpacked result;
    pack_uint(&bytes, value);
    msgpack_object object = unpacked(buffer_span(&bytes), &result);
    struct cursor cursor = cursor_over(buffer_span(&bytes));
    cr_expect_eq(object.type, MSGPACK_OBJECT_POSITIVE_INTEGER, "%llu", (unsigned long long)value);
    cr_expect_eq(object.via.u64, value, "%llu", (unsigned long long)value);
    cr_expect_eq(cursor_uint(&cursor, UINT64_MAX), value, "%llu", (unsigned long long)value);
    cr_expect(cursor_done(&cursor), "%llu: %s", (unsigned long long)value, cursor.error);
    msgpack_unpacked_destroy(&result);
    buffer_free(&bytes);
}

static void check_int(int64_t value)
{
    struct buffer bytes = {0};
    msgpack_unpacked result;
    pack_int(&bytes, value);
    msgpack_object object = unpacked(buffer_span(&bytes), &result);
    struct cursor cursor = cursor_over(buffer_span(&bytes));
    cr_expect_eq(object.via.i64, value, "%lld", (long long)value);
    cr_expect_eq(cursor_int(&cursor, INT64_MIN, INT64_MAX), value, "%lld", (long long)value);
    cr_expect(cursor_done(&cursor), "%lld: %s", (long long)value, cursor.error);
    msgpack_unpacked_destroy(&result);
    buffer_free(&bytes);
}

Test(cursor, agrees_with_msgpack_c_on_whole_numbers)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = UINT64_C(1) << bit;
        for (uint64_t near = power - 2; near != power + 3; near++) {
            check_uint(near);
            check_int((int64_t)near);
            check_int((int64_t)(0 - near));
        }
    }
}

Test(cursor, agrees_with_msgpack_c_on_doubles)
{
    static const double rows[] = {0.0,     -0.0,     1.0,      -1.5,      0.1,           5e-324,
                                  DBL_MIN, -DBL_MAX, INFINITY, -INFINITY, 123456789.125, 1e23};
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        struct buffer bytes = {0};
        msgpack_unpacked result;
        pack_double(&bytes, rows[at]);
        msgpack_object object = unpacked(buffer_span(&bytes), &result);
        struct cursor cursor = cursor_over(buffer_span(&bytes));
        double value = cursor_double(&cursor);
        cr_expect(cursor_done(&cursor), "%a", rows[at]);
        cr_expect_eq(memcmp(&value, &rows[at], sizeof value), 0, "%a", rows[at]);
        cr_expect_eq(memcmp(&object.via.f64, &rows[at], sizeof value), 0, "%a", rows[at]);
        msgpack_unpacked_destroy(&result);
        buffer_free(&bytes);
    }
}

Test(cursor, agrees_with_msgpack_c_on_strings_and_byte_strings)
{
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536, 100000};
    static char text[100001], copy[100001];
    for (size_t at = 0; at < COUNT_OF(sizes); at++) {
        size_t size = sizes[at];
        memset(text, 'a', size);
        text[size] = '\0';
        struct buffer bytes = {0};
        msgpack_unpacked result;

        pack_string(&bytes, text);
        msgpack_object object = unpacked(buffer_span(&bytes), &result);
        struct cursor cursor = cursor_over(buffer_span(&bytes));
        cursor_string(&cursor, copy, size + 1);
        cr_expect(cursor_done(&cursor), "%zu: %s", size, cursor.error);
        cr_expect_str_eq(copy, text, "%zu", size);
        cr_expect(object.type == MSGPACK_OBJECT_STR && object.via.str.size == size, "%zu", size);
        msgpack_unpacked_destroy(&result);

        buffer_clear(&bytes);
        pack_bin(&bytes, (struct span){(const uint8_t *)text, size});
        object = unpacked(buffer_span(&bytes), &result);
        cursor = cursor_over(buffer_span(&bytes));
        struct span read = cursor_bin(&cursor, size);
        cr_expect(cursor_done(&cursor), "%zu: %s", size, cursor.error);
        cr_expect(read.size == size && memcmp(read.data, text, size) == 0, "%zu", size);
        cr_expect(object.type == MSGPACK_OBJECT_BIN && object.via.bin.size == size, "%zu", size);
        msgpack_unpacked_destroy(&result);
        buffer_free(&bytes);
    }
}

Test(cursor, agrees_with_msgpack_c_on_arrays)
{
    static const size_t counts[] = {0, 1, 15, 16, 255, 256, 65535, 65536};
    for (size_t at = 0; at < COUNT_OF(counts); at++) {
        struct buffer bytes = {0};
        msgpack_unpacked result;
        pack_array(&bytes, counts[at]);
        for (size_t item = 0; item < counts[at]; item++) pack_bool(&bytes, item % 2);
        msgpack_object object = unpacked(buffer_span(&bytes), &result);
        struct cursor cursor = cursor_over(buffer_span(&bytes));
        cr_expect_eq(cursor_array(&cursor, counts[at]), counts[at]);
        for (size_t item = 0; item < counts[at]; item++) {
            bool value = cursor_bool(&cursor);
            cr_assert_eq(value, item % 2, "%zu of %zu", item, counts[at]);
            cr_assert_eq(object.via.array.ptr[item].via.boolean, value, "%zu of %zu", item, counts[at]);
        }
        cr_expect(cursor_done(&cursor), "%zu: %s", counts[at], cursor.error);
        msgpack_unpacked_destroy(&result);
        buffer_free(&bytes);
    }
}

Test(pack, nan_is_nil_and_a_number_has_no_negative_zero)
{
    struct buffer bytes = {0};
    pack_double(&bytes, NAN);
    pack_double(&bytes, -0.0);
    pack_number(&bytes, -0.0);
    cr_assert_str_eq(hex_write(buffer_span(&bytes)), "c0cb8000000000000000cb0000000000000000");
    buffer_free(&bytes);
}

Test(pack, a_failure_of_memory_stays_in_the_buffer)
{
    struct buffer bytes = {.failed = true};
    pack_array(&bytes, 3);
    pack_string(&bytes, "text");
    cr_assert(bytes.failed);
    cr_assert_eq(bytes.size, 0);
}
