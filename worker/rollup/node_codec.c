/* The bytes of a node; docs/node.md describes them. */
#include "node.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "pack.h"

/* Fields before the figures: level, index, draws, failed draws. */
#define HEAD_FIELDS 4u

/* Fields of a figure with several values before its histogram: missing draws, mean, m2, min, max, stride. */
#define SPREAD_FIELDS   6u
#define CONSTANT_FIELDS 2u

/* Behind the figures, unless all is zero: sums, counts, kept values. */
#define STUDY_FIELDS 3u

/* A bucket is one number, (count - 1) * stride + gap, where gap, the empty buckets before it, is below
 * the stride; a longer gap goes before it as a negative number. A stride of 1 is short for full
 * histograms, a larger one for sparse ones. */
static const uint32_t strides[] = {1, 4, 16};
#define STRIDE_COUNT (sizeof strides / sizeof *strides)

/* --- encoding --- */

/* Small numbers on their way into the buffer: most take one byte, too little for a call each. */
struct number_writer {
    struct buffer *out;
    size_t used;
    uint8_t bytes[256];
};

static void flush(struct number_writer *writer)
{
    buffer_append(writer->out, writer->bytes, writer->used);
    writer->used = 0;
}

static void write_number(struct number_writer *writer, int64_t number)
{
    if (number >= -32 && number <= 127) {
        if (writer->used == sizeof writer->bytes) flush(writer);
        writer->bytes[writer->used++] = (uint8_t)number;
        return;
    }
    flush(writer);
    pack_int(writer->out, number);
}

static size_t encoded_bytes(uint64_t number)
{
    return number < 1u << 7 ? 1 : number < 1u << 8 ? 2 : number < 1u << 16 ? 3 : number <= UINT32_MAX ? 5 : 9;
}

/* What a histogram takes with a stride. */
struct cost {
    size_t numbers, bytes;
};

static struct cost cost_of(const struct bucket *buckets, size_t count, uint32_t stride)
{
    struct cost cost = {.numbers = count};
    uint64_t next_key = buckets[0].key;
    for (size_t at = 0; at < count; at++) {
        uint64_t gap = buckets[at].key - next_key;
        if (gap >= stride) {
            cost.numbers++;
            cost.bytes += encoded_bytes(4 * gap); /* a byte holds -32, a quarter of 127 */
            gap = 0;
        }
        cost.bytes += encoded_bytes((buckets[at].count - 1) * stride + gap);
        next_key = (uint64_t)buckets[at].key + 1;
    }
    return cost;
}

static uint32_t choose_stride(const struct bucket *buckets, size_t count, size_t *numbers)
{
    uint32_t chosen = 0;
    struct cost least = {.bytes = SIZE_MAX};
    for (size_t at = 0; at < STRIDE_COUNT; at++) {
        struct cost cost = cost_of(buckets, count, strides[at]);
        if (cost.bytes >= least.bytes) continue;
        least = cost;
        chosen = strides[at];
    }
    *numbers = least.numbers;
    return chosen;
}

static void encode_buckets(const struct bucket *buckets, size_t count, uint32_t stride, struct buffer *out)
{
    struct number_writer writer;
    writer.out = out;
    writer.used = 0;
    uint64_t next_key = buckets[0].key;
    for (size_t at = 0; at < count; at++) {
        uint64_t gap = buckets[at].key - next_key;
        if (gap >= stride) {
            write_number(&writer, -(int64_t)gap);
            gap = 0;
        }
        write_number(&writer, (int64_t)((buckets[at].count - 1) * stride + gap));
        next_key = (uint64_t)buckets[at].key + 1;
    }
    flush(&writer);
}

static void encode_spread(const struct node *node, const struct tally *tally, uint64_t missing, struct buffer *out)
{
    const struct bucket *buckets = node->buckets + tally->bucket_first;
    size_t numbers;
    uint32_t stride = choose_stride(buckets, tally->bucket_count, &numbers);
    pack_array(out, SPREAD_FIELDS + numbers);
    pack_uint(out, missing);
    pack_double(out, tally->mean);
    pack_double(out, tally->m2);
    pack_double(out, tally->min);
    pack_double(out, tally->max);
    pack_uint(out, stride);
    encode_buckets(buckets, tally->bucket_count, stride, out);
}

static void encode_constant(double value, uint64_t missing, struct buffer *out)
{
    if (missing > 0) {
        pack_array(out, CONSTANT_FIELDS);
        pack_uint(out, missing);
    }
    if (value == 0) pack_uint(out, 0);
    else pack_double(out, value);
}

static void encode_tally(const struct node *node, const struct tally *tally, struct buffer *out)
{
    uint64_t missing = node->draws - node->failed_draws - tally->count;
    if (tally->count == 0) pack_nil(out);
    else if (tally->bucket_count == 0) encode_constant(tally->min, missing, out);
    else encode_spread(node, tally, missing, out);
}

/* Doubles go out as they are in memory. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "nodes hold little-endian doubles");

static bool all_zero(const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;
    for (size_t at = 0; at < size; at++)
        if (byte[at] != 0) return false;
    return true;
}

static void encode_doubles(const double *values, size_t count, struct buffer *out)
{
    pack_bin(out, (struct span){(const uint8_t *)values, count * sizeof *values});
}

static void encode_counts(const uint64_t *counts, size_t count, struct buffer *out)
{
    if (all_zero(counts, count * sizeof *counts)) {
        pack_nil(out);
        return;
    }
    pack_array(out, count);
    for (size_t at = 0; at < count; at++) pack_uint(out, counts[at]);
}

static bool has_study(const struct node *node)
{
    return (node->shape.width > 0 && node->draws > 0) || !all_zero(node->sums, node->shape.sums * sizeof *node->sums) ||
           !all_zero(node->counts, node->shape.counts * sizeof *node->counts);
}

static void encode_study(const struct node *node, struct buffer *out)
{
    size_t kept = node->draws * node->shape.width;
    pack_array(out, STUDY_FIELDS);
    if (all_zero(node->sums, node->shape.sums * sizeof *node->sums)) pack_nil(out);
    else encode_doubles(node->sums, node->shape.sums, out);
    encode_counts(node->counts, node->shape.counts, out);
    if (kept == 0) pack_nil(out);
    else encode_doubles(node->kept, kept, out);
}

void node_encode(const struct node *node, struct buffer *out)
{
    bool study = has_study(node);
    pack_array(out, HEAD_FIELDS + node->shape.figures + study);
    pack_uint(out, node->level);
    pack_uint(out, node->index);
    pack_uint(out, node->draws);
    pack_uint(out, node->failed_draws);
    for (size_t figure = 0; figure < node->shape.figures; figure++) encode_tally(node, &node->tallies[figure], out);
    if (study) encode_study(node, out);
}

/* --- decoding --- */

/* A node on its way in. The cursor keeps the first error; buckets grow with the bytes read. */
struct reader {
    struct cursor cursor;
    struct node *node;
};

static bool add_bucket(struct reader *reader, struct bucket bucket)
{
    struct node *node = reader->node;
    if (node->bucket_count == node->bucket_capacity) {
        size_t capacity = node->bucket_capacity ? 2 * node->bucket_capacity : 1024;
        struct bucket *buckets = realloc(node->buckets, capacity * sizeof *buckets);
        if (!buckets) return false;
        node->buckets = buckets;
        node->bucket_capacity = capacity;
    }
    node->buckets[node->bucket_count++] = bucket;
    return true;
}

static int64_t read_number(struct cursor *cursor)
{
    if (cursor->at < cursor->end && *cursor->at <= 127) return *cursor->at++;
    return cursor_int(cursor, -(int64_t)BUCKET_KEY_MAX, INT64_MAX);
}

/* A finite number that is not a negative zero. */
static double read_value(struct cursor *cursor)
{
    double value = cursor_double(cursor);
    if (!isfinite(value)) cursor_fail(cursor, "a value that is not finite");
    if (value == 0 && signbit(value)) cursor_fail(cursor, "a negative zero");
    return value;
}

static double read_m2(struct cursor *cursor)
{
    double m2 = cursor_double(cursor);
    if (!(m2 >= 0) || (m2 == 0 && signbit(m2))) cursor_fail(cursor, "a sum of squares below zero");
    return m2;
}

static uint32_t read_stride(struct cursor *cursor)
{
    uint64_t stride = cursor_uint(cursor, strides[STRIDE_COUNT - 1]);
    for (size_t at = 0; at < STRIDE_COUNT; at++)
        if (stride == strides[at]) return strides[at];
    cursor_fail(cursor, "an unknown stride");
    return 1;
}

/* The key of the next bucket, and its count; `key` is the one behind the last bucket. */
static uint64_t read_bucket(struct cursor *cursor, uint32_t stride, size_t *numbers, uint64_t key, uint64_t *count)
{
    int64_t number = read_number(cursor);
    --*numbers;
    if (number < 0) {
        uint64_t gap = (uint64_t)-number;
        if (gap < stride) cursor_fail(cursor, "a short gap in the long form");
        if (*numbers == 0) cursor_fail(cursor, "a gap without a bucket behind it");
        else --*numbers;
        key += gap;
        number = read_number(cursor);
        if (number < 0 || number % stride != 0) cursor_fail(cursor, "a gap behind a gap");
    }
    *count = (uint64_t)number / stride + 1;
    return key + (uint64_t)number % stride;
}

/* Counts must add up to the tally's, and the ends must be where the extremes are. */
static void read_buckets(struct reader *reader, struct tally *tally, size_t numbers)
{
    struct cursor *cursor = &reader->cursor;
    uint32_t stride = read_stride(cursor);
    uint64_t first = bucket_key(tally->min), last = bucket_key(tally->max);
    uint64_t left = tally->count, next_key = first;
    while (numbers > 0 && !cursor->error) {
        uint64_t count, key = read_bucket(cursor, stride, &numbers, next_key, &count);
        if (next_key == first && key != first) cursor_fail(cursor, "a histogram that does not begin at the minimum");
        if (key > last) cursor_fail(cursor, "a histogram that goes beyond the maximum");
        if (count > left) cursor_fail(cursor, "a histogram with more draws than the figure");
        if (!cursor->error && !add_bucket(reader, bucket_of(key, count))) cursor_fail(cursor, "out of memory");
        left -= count;
        next_key = key + 1;
    }
    if (left > 0) cursor_fail(cursor, "a histogram with fewer draws than the figure");
    if (next_key != last + 1) cursor_fail(cursor, "a histogram that ends before the maximum");
}

static void read_spread(struct reader *reader, struct tally *tally, size_t fields)
{
    struct cursor *cursor = &reader->cursor;
    tally->mean = read_value(cursor);
    tally->m2 = read_m2(cursor);
    tally->min = read_value(cursor);
    tally->max = read_value(cursor);
    if (tally->count < 2 || !(tally->min < tally->max)) cursor_fail(cursor, "a minimum that is not below the maximum");
    if (!(tally->min <= tally->mean && tally->mean <= tally->max))
        cursor_fail(cursor, "a mean outside minimum and maximum");
    if (cursor->error) return;
    read_buckets(reader, tally, fields - SPREAD_FIELDS);
    tally->bucket_count = reader->node->bucket_count - tally->bucket_first;
}

static void set_constant(struct tally *tally, double value)
{
    tally->mean = tally->min = tally->max = value;
}

static bool at_byte(const struct cursor *cursor, uint8_t byte)
{
    return cursor->at < cursor->end && *cursor->at == byte;
}

/* One value in all draws: zero is the whole number 0, which takes one byte. */
static double read_constant(struct cursor *cursor)
{
    if (at_byte(cursor, 0)) return (double)cursor_uint(cursor, 0);
    double value = read_value(cursor);
    if (value == 0) cursor_fail(cursor, "zero as a float64");
    return value;
}

static void read_tally(struct reader *reader, struct tally *tally)
{
    enum { FLOAT64 = 0xcb };
    struct cursor *cursor = &reader->cursor;
    const struct node *node = reader->node;
    uint64_t draws = node->draws - node->failed_draws;
    tally->bucket_first = node->bucket_count;
    if (cursor_at_nil(cursor)) {
        cursor_nil(cursor);
        return;
    }
    bool constant = at_byte(cursor, 0) || at_byte(cursor, FLOAT64);
    size_t fields = constant ? 1 : cursor_array(cursor, SIZE_MAX);
    uint64_t missing = constant ? 0 : cursor_uint(cursor, draws);
    if (fields == CONSTANT_FIELDS && missing == 0) cursor_fail(cursor, "a constant in the long form");
    tally->count = draws - missing;
    if (tally->count == 0) cursor_fail(cursor, "a figure of no draw that is not nil");
    if (constant || fields == CONSTANT_FIELDS) set_constant(tally, read_constant(cursor));
    else if (fields > SPREAD_FIELDS) read_spread(reader, tally, fields);
    else cursor_fail(cursor, "a figure with a wrong number of fields");
}

static void read_head(struct reader *reader)
{
    struct cursor *cursor = &reader->cursor;
    struct node *node = reader->node;
    node->level = (uint32_t)cursor_uint(cursor, NODE_LEVEL_MAX);
    node->index = cursor_uint(cursor, (NODE_DRAWS_MAX - 1) >> node->level);
    node->draws = cursor_uint(cursor, NODE_DRAWS_MAX);
    node->failed_draws = cursor_uint(cursor, node->draws);
}

static struct node *refuse(struct node *node, const char **why, const char *reason)
{
    node_free(node);
    *why = reason;
    return NULL;
}

static struct span read_double_bytes(struct cursor *cursor, size_t count)
{
    struct span bytes = cursor_bin(cursor, count * sizeof(double));
    if (bytes.size != count * sizeof(double)) cursor_fail(cursor, "a study of another size");
    return bytes;
}

static void read_sums(struct cursor *cursor, struct node *node)
{
    if (cursor_at_nil(cursor)) {
        cursor_nil(cursor);
        return;
    }
    struct span bytes = read_double_bytes(cursor, node->shape.sums);
    if (cursor->error) return;
    memcpy(node->sums, bytes.data, bytes.size);
    const double most = (double)node->draws * NODE_SUM_MAX;
    for (size_t at = 0; at < node->shape.sums; at++)
        if (!(fabs(node->sums[at]) <= most)) cursor_fail(cursor, "a sum out of range");
    if (all_zero(node->sums, bytes.size)) cursor_fail(cursor, "zeros in the long form");
}

static void read_counts(struct cursor *cursor, struct node *node)
{
    if (cursor_at_nil(cursor)) {
        cursor_nil(cursor);
        return;
    }
    cursor_array_of(cursor, node->shape.counts);
    for (size_t at = 0; at < node->shape.counts && !cursor->error; at++)
        node->counts[at] = cursor_uint(cursor, node->draws * NODE_COUNT_MAX);
    if (all_zero(node->counts, node->shape.counts * sizeof *node->counts))
        cursor_fail(cursor, "zeros in the long form");
}

/* One NaN only, so that equal nodes have equal bytes. */
static bool is_kept_value(double value)
{
    static const double undefined = NAN;
    return isfinite(value) || memcmp(&value, &undefined, sizeof value) == 0;
}

/* Draws that failed are infinite throughout, and as many as the head says. */
static void check_kept(struct cursor *cursor, const struct node *node)
{
    const size_t width = node->shape.width;
    uint64_t failed = 0;
    for (const double *draw = node->kept; draw < node->kept + node->draws * width; draw += width) {
        const bool draw_failed = draw[0] == INFINITY;
        failed += draw_failed;
        for (size_t at = 0; at < width; at++)
            if (draw_failed ? draw[at] != INFINITY : !is_kept_value(draw[at]))
                cursor_fail(cursor, "a kept value that is none");
    }
    if (failed != node->failed_draws) cursor_fail(cursor, "other kept draws failed than it says");
}

/* No memory is taken before as many bytes are seen. */
static void read_kept(struct cursor *cursor, struct node *node)
{
    if (node->shape.width == 0 || node->draws == 0) {
        cursor_nil(cursor);
        return;
    }
    size_t left = (size_t)(cursor->end - cursor->at);
    if (node->draws > left / sizeof(double) / node->shape.width) cursor_fail(cursor, "fewer kept draws than it says");
    if (cursor->error) return;
    struct span bytes = read_double_bytes(cursor, node->draws * node->shape.width);
    if (cursor->error) return;
    if (!node_set_draws(node, node->draws)) {
        cursor_fail(cursor, "out of memory");
        return;
    }
    memcpy(node->kept, bytes.data, bytes.size);
    check_kept(cursor, node);
}

static void read_study(struct reader *reader)
{
    cursor_array_of(&reader->cursor, STUDY_FIELDS);
    read_sums(&reader->cursor, reader->node);
    read_counts(&reader->cursor, reader->node);
    read_kept(&reader->cursor, reader->node);
}

struct node *node_decode(struct span bytes, const struct node_shape *shape, const char **why)
{
    struct reader reader = {.cursor = cursor_over(bytes)};
    size_t fields = cursor_array(&reader.cursor, SIZE_MAX); /* so the bytes are at least as many */
    bool study = fields == HEAD_FIELDS + shape->figures + 1;
    if (!study && fields != HEAD_FIELDS + shape->figures) cursor_fail(&reader.cursor, "a wrong number of elements");
    if (reader.cursor.error) return refuse(NULL, why, reader.cursor.error);
    struct node *node = reader.node = node_new(shape);
    if (!node) return refuse(NULL, why, "out of memory");

    read_head(&reader);
    for (size_t figure = 0; figure < shape->figures && !reader.cursor.error; figure++)
        read_tally(&reader, &node->tallies[figure]);
    if (study) read_study(&reader);
    if (!reader.cursor.error && study != has_study(node))
        cursor_fail(&reader.cursor, "a study that is not as it should be");
    if (!cursor_done(&reader.cursor)) return refuse(node, why, reader.cursor.error);
    return node;
}
