#include "message.h"

#include <assert.h>
#include <string.h>

#include <goldthread/sweep.h>

#include "cursor.h"
#include "pack.h"
#include "population_codec.h"
#include "sweep_codec.h"
#include "utf8.h"

static_assert(MESSAGE_BLOCKS_MAX == SWEEP_DRAWS_MAX, "a sweep has at most a block per draw");
static_assert(MESSAGE_BLOCKS_MAX == UINT64_C(1) << MESSAGE_LEVEL_MAX, "the highest node covers every block");
static_assert(MESSAGE_TO_BROKER_BYTES_MAX >= SWEEP_BYTES_MAX + POPULATION_BYTES_MAX + 1024, "a SUBMIT fits");
static_assert(sizeof(enum message_role) == sizeof(uint32_t), "enums are read and written as 32 bits");

/* A message is described by a table of its fields, and one encoder and one decoder walk it. */
enum field_type {
    FIELD_UINT32, /* also every enum */
    FIELD_UINT64,
    FIELD_BOOL,
    FIELD_TEXT, /* max: bytes with the NUL */
    FIELD_DIGEST,
    FIELD_BYTES,  /* max: bytes */
    FIELD_BLOCKS, /* struct block_range, as [first, count] */
    FIELD_PLACE,  /* a node of the fold, as [level, index]: the level here, the index beside */
    FIELD_LIST,   /* items here, their number (uint32_t) beside; max: items */
    FIELD_RECORD  /* an array of fields of its own */
};

struct field {
    enum field_type type;
    size_t at, beside; /* offsets in what holds the field */
    uint64_t min, max;
    size_t item_bytes;         /* of a list */
    const struct field *items; /* of a list: what an item is; of a record: its fields */
    size_t item_count;         /* of a record */
    uint64_t since;            /* version that brought the field; 0: the first. Before, a number was ... */
    uint64_t fallback;         /* ... this, and a text empty */
    uint64_t old_max;          /* of a number in version 1, when it was smaller; 0: it was not */
};

#define COUNT_OF(array)       (sizeof(array) / sizeof *(array))
#define SIZE_IN(holder, name) sizeof(((holder *)0)->name)

/* What a row of a table holds, for a field of `holder` and, below, for a field of struct message. */
#define UINT32_IN(holder, name, least, most)                                                                           \
    .type = FIELD_UINT32, .at = offsetof(holder, name), .min = least, .max = most
#define UINT64_IN(holder, name, least, most)                                                                           \
    .type = FIELD_UINT64, .at = offsetof(holder, name), .min = least, .max = most
#define TEXT_IN(holder, name)   .type = FIELD_TEXT, .at = offsetof(holder, name), .max = SIZE_IN(holder, name)
#define DIGEST_IN(holder, name) .type = FIELD_DIGEST, .at = offsetof(holder, name)

#define ENUM(name, last)  UINT32_IN(struct message, name, 1, last)
#define UINT32(name)      UINT32_IN(struct message, name, 0, UINT32_MAX)
#define UINT64(name)      UINT64_IN(struct message, name, 0, UINT64_MAX)
#define INTERVAL(name)    UINT64_IN(struct message, name, 1, MESSAGE_INTERVAL_MS_MAX)
#define TEXT(name)        TEXT_IN(struct message, name)
#define DIGEST(name)      DIGEST_IN(struct message, name)
#define BOOL(name)        .type = FIELD_BOOL, .at = offsetof(struct message, name)
#define BYTES(name, most) .type = FIELD_BYTES, .at = offsetof(struct message, name), .max = most
#define BLOCKS(name)      .type = FIELD_BLOCKS, .at = offsetof(struct message, name)
#define PLACE(level_name, index_name)                                                                                  \
    .type = FIELD_PLACE, .at = offsetof(struct message, level_name), .beside = offsetof(struct message, index_name)
#define LIST(name, count_name, item)                                                                                   \
    .type = FIELD_LIST, .at = offsetof(struct message, name), .beside = offsetof(struct message, count_name),          \
    .max = COUNT_OF(((struct message *)0)->name), .item_bytes = sizeof *((struct message *)0)->name, .items = &(item)

static const struct field status_fields[] = {
    {DIGEST_IN(struct sweep_status, sweep)},
    {TEXT_IN(struct sweep_status, name)},
    {UINT32_IN(struct sweep_status, state, 1, SWEEP_STALLED), .old_max = SWEEP_CANCELLED},
    {UINT64_IN(struct sweep_status, draws, 0, UINT64_MAX)},
    {UINT64_IN(struct sweep_status, scenarios, 0, UINT64_MAX)},
    {UINT64_IN(struct sweep_status, blocks, 0, UINT64_MAX)},
    {UINT64_IN(struct sweep_status, done, 0, UINT64_MAX)},
    {UINT64_IN(struct sweep_status, leased, 0, UINT64_MAX)},
    {UINT64_IN(struct sweep_status, parked, 0, UINT64_MAX)},
    {DIGEST_IN(struct sweep_status, result)},
    {TEXT_IN(struct sweep_status, text)},
    {UINT32_IN(struct sweep_status, priority, 0, MESSAGE_PRIORITY_MAX), .since = 2},
    {UINT32_IN(struct sweep_status, weight, 1, MESSAGE_WEIGHT_MAX), .since = 2, .fallback = 1},
    {TEXT_IN(struct sweep_status, tenant), .since = 2},
};
static const struct field worker_fields[] = {
    {TEXT_IN(struct worker_status, name)},
    {UINT32_IN(struct worker_status, state, 1, WORKER_UNREACHED)},
    {UINT32_IN(struct worker_status, leases, 0, UINT32_MAX)},
    {UINT64_IN(struct worker_status, blocks, 0, UINT64_MAX)},
    {UINT64_IN(struct worker_status, blocks_per_1000s, 0, UINT64_MAX)},
    {UINT64_IN(struct worker_status, silent_ms, 0, UINT64_MAX)},
};

static const struct field token_item = {.type = FIELD_UINT64, .max = UINT64_MAX};
static const struct field digest_item = {.type = FIELD_DIGEST};
static const struct field blocks_item = {.type = FIELD_BLOCKS};
static const struct field status_item = {
    .type = FIELD_RECORD, .items = status_fields, .item_count = COUNT_OF(status_fields)};
static const struct field worker_item = {
    .type = FIELD_RECORD, .items = worker_fields, .item_count = COUNT_OF(worker_fields)};

/* The fields of each kind, in the order of the wire. */
static const struct field hello_fields[] = {
    {ENUM(hello.role, ROLE_CLIENT)}, {TEXT(hello.name)},     {UINT64(hello.instance)},
    {TEXT(hello.program)},           {TEXT(hello.endpoint)}, {UINT32(hello.encoding), .since = 3},
};
static const struct field fetch_fields[] = {
    {ENUM(fetch.item, ITEM_POPULATION)},
    {DIGEST(fetch.digest)},
};
static const struct field welcome_fields[] = {
    {INTERVAL(welcome.heartbeat_ms)},
    {INTERVAL(welcome.lease_ms)},
    {TEXT(welcome.aggregator)},
};
static const struct field item_fields[] = {
    {ENUM(item.item, ITEM_POPULATION)},
    {DIGEST(item.digest)},
    {BYTES(item.bytes, POPULATION_BYTES_MAX)},
};
static const struct field error_fields[] = {
    {ENUM(error.code, ERROR_FORBIDDEN)},
    {TEXT(error.text)},
};
static const struct field heartbeat_fields[] = {
    {UINT64(heartbeat.room)},
    {LIST(heartbeat.tokens, heartbeat.token_count, token_item)},
};
static const struct field done_fields[] = {
    {UINT64(done.token)},
    {DIGEST(done.sweep)},
    {BLOCKS(done.blocks)},
    {UINT64(done.compute_us)},
};
static const struct field failed_fields[] = {
    {UINT64(failed.token)},  {DIGEST(failed.sweep)},
    {BLOCKS(failed.blocks)}, {ENUM(failed.cause, CAUSE_UNFIT), .old_max = CAUSE_SHUTDOWN},
    {TEXT(failed.text)},
};
static const struct field lease_fields[] = {
    {UINT64(lease.token)},
    {DIGEST(lease.sweep)},
    {BLOCKS(lease.blocks)},
};
static const struct field cancel_fields[] = {
    {DIGEST(cancel.sweep)},
};
static const struct field status_request_fields[] = {
    {DIGEST(status.sweep)},
};
static const struct field result_fields[] = {
    {DIGEST(result.sweep)},
};
static const struct field partial_fields[] = {
    {DIGEST(partial.sweep)},
    {PLACE(partial.level, partial.index)},
    {BYTES(partial.node, MESSAGE_BYTES_MAX)},
};
static const struct field folded_fields[] = {
    {DIGEST(folded.sweep)},
    {PLACE(folded.level, folded.index)},
    {ENUM(folded.outcome, FOLD_REFUSED)},
    {TEXT(folded.text)},
};
static const struct field submit_fields[] = {
    {BYTES(submit.sweep, SWEEP_BYTES_MAX)},
    {BYTES(submit.population, POPULATION_BYTES_MAX)},
    {UINT32_IN(struct message, submit.priority, 0, MESSAGE_PRIORITY_MAX), .since = 2},
    {UINT32_IN(struct message, submit.weight, 0, MESSAGE_WEIGHT_MAX), .since = 2},
    {TEXT(submit.tenant), .since = 2},
};
static const struct field accepted_fields[] = {
    {DIGEST(accepted.sweep)},
    {BOOL(accepted.known)},
};
static const struct field sweeps_fields[] = {
    {TEXT(sweeps.aggregator)},
    {UINT32(sweeps.workers)},
    {UINT64(sweeps.wanted_workers)},
    {LIST(sweeps.list, sweeps.count, status_item)},
};
static const struct field held_fields[] = {
    {DIGEST(held.sweep)},
    {BOOL(held.complete)},
    {DIGEST(held.result)},
    {LIST(held.ranges, held.count, blocks_item)},
};
static const struct field wanted_fields[] = {
    {LIST(wanted.sweeps, wanted.count, digest_item)},
};
static const struct field outcome_fields[] = {
    {DIGEST(outcome.sweep)},  {UINT64(outcome.blocks)}, {UINT64(outcome.draws)},
    {BOOL(outcome.complete)}, {DIGEST(outcome.digest)}, {BYTES(outcome.node, MESSAGE_BYTES_MAX)},
};
static const struct field store_fields[] = {
    {UINT64(store.store)},
    {UINT64(store.commits)},
};
static const struct field pause_fields[] = {
    {DIGEST(pause.sweep)},
};
static const struct field resume_fields[] = {
    {DIGEST(resume.sweep)},
};
static const struct field retry_fields[] = {
    {DIGEST(retry.sweep)},
};
static const struct field drain_fields[] = {
    {TEXT(drain.name)},
};
static const struct field workers_fields[] = {
    {UINT64(workers.from)},
};
static const struct field explain_fields[] = {
    {DIGEST(explain.sweep)},
};
static const struct field roster_fields[] = {
    {UINT64(roster.next)},
    {LIST(roster.list, roster.count, worker_item)},
};
static const struct field explanation_fields[] = {
    {DIGEST(explanation.sweep)},
    {TEXT(explanation.text)},
};
static const struct field recall_fields[] = {
    {UINT64(recall.token)},
};
static const struct field returned_fields[] = {
    {UINT64(returned.token)},
    {DIGEST(returned.sweep)},
    {BLOCKS(returned.blocks)},
};

struct shape {
    const char *name;
    const struct field *fields;
    size_t count;
};

#define SHAPE(kind, kind_fields) [MESSAGE_##kind] = {#kind, kind_fields, COUNT_OF(kind_fields)}

static const struct shape shapes[MESSAGE_KIND_END] = {
    SHAPE(HELLO, hello_fields),
    SHAPE(FETCH, fetch_fields),
    [MESSAGE_GOODBYE] = {"GOODBYE", NULL, 0},
    SHAPE(WELCOME, welcome_fields),
    [MESSAGE_STRANGER] = {"STRANGER", NULL, 0},
    SHAPE(ITEM, item_fields),
    SHAPE(ERROR, error_fields),
    SHAPE(HEARTBEAT, heartbeat_fields),
    SHAPE(DONE, done_fields),
    SHAPE(FAILED, failed_fields),
    SHAPE(LEASE, lease_fields),
    SHAPE(CANCEL, cancel_fields),
    SHAPE(PARTIAL, partial_fields),
    SHAPE(FOLDED, folded_fields),
    SHAPE(SUBMIT, submit_fields),
    SHAPE(STATUS, status_request_fields),
    SHAPE(ACCEPTED, accepted_fields),
    SHAPE(SWEEPS, sweeps_fields),
    SHAPE(HELD, held_fields),
    SHAPE(WANTED, wanted_fields),
    SHAPE(RESULT, result_fields),
    SHAPE(OUTCOME, outcome_fields),
    SHAPE(STORE, store_fields),
    SHAPE(PAUSE, pause_fields),
    SHAPE(RESUME, resume_fields),
    SHAPE(RETRY, retry_fields),
    SHAPE(DRAIN, drain_fields),
    SHAPE(WORKERS, workers_fields),
    SHAPE(EXPLAIN, explain_fields),
    SHAPE(ROSTER, roster_fields),
    SHAPE(EXPLANATION, explanation_fields),
    SHAPE(RECALL, recall_fields),
    SHAPE(RETURNED, returned_fields),
};

#define FIRST_KIND_OF_VERSION_2 MESSAGE_PAUSE

/* How many of the fields a version has: those that were brought later are last. */
static size_t fields_in(const struct field *fields, size_t count, uint64_t version)
{
    while (count > 0 && fields[count - 1].since > version) count--;
    return count;
}

const char *message_kind_name(enum message_kind kind)
{
    bool known = kind >= MESSAGE_HELLO && kind < MESSAGE_KIND_END;
    return known ? shapes[kind].name : "?";
}

/* Encoding. `holder` is the struct that the field's offsets count from. */

static uint32_t load_uint32(const char *holder, size_t at)
{
    uint32_t value;
    memcpy(&value, holder + at, sizeof value);
    return value;
}

static uint64_t load_uint64(const char *holder, size_t at)
{
    uint64_t value;
    memcpy(&value, holder + at, sizeof value);
    return value;
}

static void encode_pair(struct buffer *out, uint64_t first, uint64_t second)
{
    pack_array(out, 2);
    pack_uint(out, first);
    pack_uint(out, second);
}

static void encode_field(const struct field *field, const char *holder, uint64_t version, struct buffer *out);

static void encode_list(const struct field *field, const char *holder, uint64_t version, struct buffer *out)
{
    uint32_t count = load_uint32(holder, field->beside);
    assert(count <= field->max);
    pack_array(out, count);
    for (uint32_t at = 0; at < count; at++)
        encode_field(field->items, holder + field->at + at * field->item_bytes, version, out);
}

static void encode_record(const struct field *field, const char *holder, uint64_t version, struct buffer *out)
{
    const size_t count = fields_in(field->items, field->item_count, version);
    pack_array(out, count);
    for (size_t at = 0; at < count; at++) encode_field(&field->items[at], holder + field->at, version, out);
}

static void encode_field(const struct field *field, const char *holder, uint64_t version, struct buffer *out)
{
    const void *value = holder + field->at;
    switch (field->type) {
    case FIELD_UINT32:
        pack_uint(out, load_uint32(holder, field->at));
        return;
    case FIELD_UINT64:
        pack_uint(out, load_uint64(holder, field->at));
        return;
    case FIELD_BOOL:
        pack_bool(out, *(const bool *)value);
        return;
    case FIELD_TEXT:
        pack_text(out, value);
        return;
    case FIELD_DIGEST:
        pack_digest(out, value);
        return;
    case FIELD_BYTES:
        pack_bin(out, *(const struct span *)value);
        return;
    case FIELD_BLOCKS:
        encode_pair(out, ((const struct block_range *)value)->first, ((const struct block_range *)value)->count);
        return;
    case FIELD_PLACE:
        encode_pair(out, load_uint32(holder, field->at), load_uint64(holder, field->beside));
        return;
    case FIELD_LIST:
        encode_list(field, holder, version, out);
        return;
    case FIELD_RECORD:
        encode_record(field, holder, version, out);
        return;
    }
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The oldest version that can say what the field holds. */
static uint64_t version_for(const struct field *field, const char *holder)
{
    uint64_t version = 1;
    if (field->type == FIELD_LIST) {
        const uint32_t count = load_uint32(holder, field->beside);
        for (uint32_t at = 0; at < count; at++)
            version = larger(version, version_for(field->items, holder + field->at + at * field->item_bytes));
    }
    if (field->type == FIELD_RECORD)
        for (size_t at = 0; at < field->item_count; at++)
            version = larger(version, version_for(&field->items[at], holder + field->at));
    if (field->old_max > 0 && load_uint32(holder, field->at) > field->old_max) return 2;
    if (field->since == 0) return version;
    const bool said =
        field->type == FIELD_TEXT ? holder[field->at] != 0 : load_uint32(holder, field->at) != field->fallback;
    return said ? field->since : version;
}

static bool may_be_news(enum message_kind kind)
{
    return kind == MESSAGE_SUBMIT || kind == MESSAGE_SWEEPS || kind == MESSAGE_FAILED || kind == MESSAGE_HELLO;
}

/* The oldest version that can say it: what an older program knows it also understands. */
static uint64_t version_of(const struct message *message)
{
    const struct shape *shape = &shapes[message->kind];
    uint64_t version = message->kind >= FIRST_KIND_OF_VERSION_2 ? 2 : 1;
    if (!may_be_news(message->kind)) return version; /* as they ever were */
    for (size_t at = 0; at < shape->count; at++)
        version = larger(version, version_for(&shape->fields[at], (const char *)message));
    return version;
}

void message_encode(const struct message *message, struct buffer *out)
{
    assert(message->kind >= MESSAGE_HELLO && message->kind < MESSAGE_KIND_END);
    const struct shape *shape = &shapes[message->kind];
    const uint64_t version = version_of(message);
    const size_t count = fields_in(shape->fields, shape->count, version);
    pack_array(out, 2 + count);
    pack_uint(out, version);
    pack_uint(out, message->kind);
    for (size_t at = 0; at < count; at++) encode_field(&shape->fields[at], (const char *)message, version, out);
}

/* Decoding. */

static void store_uint32(char *holder, size_t at, uint64_t value)
{
    uint32_t narrow = (uint32_t)value;
    memcpy(holder + at, &narrow, sizeof narrow);
}

static void store_uint64(char *holder, size_t at, uint64_t value)
{
    memcpy(holder + at, &value, sizeof value);
}

static void decode_blocks(struct cursor *cursor, struct block_range *blocks)
{
    cursor_array_of(cursor, 2);
    blocks->first = cursor_uint(cursor, MESSAGE_BLOCKS_MAX - 1);
    blocks->count = cursor_uint_from(cursor, 1, MESSAGE_BLOCKS_MAX - blocks->first);
}

/* Refuses a node that reaches beyond the last possible block. */
static void decode_place(const struct field *field, struct cursor *cursor, char *holder)
{
    cursor_array_of(cursor, 2);
    uint64_t level = cursor_uint(cursor, MESSAGE_LEVEL_MAX);
    store_uint32(holder, field->at, level);
    store_uint64(holder, field->beside, cursor_uint(cursor, (MESSAGE_BLOCKS_MAX >> level) - 1));
}

/* What a field holds that the message's version does not have. */
static void fill_fallback(const struct field *field, char *holder)
{
    if (field->type == FIELD_TEXT) memset(holder + field->at, 0, field->max);
    else store_uint32(holder, field->at, field->fallback);
}

static void decode_field(const struct field *field, struct cursor *cursor, uint64_t version, char *holder);

static void decode_fields(const struct field *fields, size_t count, struct cursor *cursor, uint64_t version,
                          char *holder)
{
    const size_t there = fields_in(fields, count, version);
    for (size_t at = 0; at < there; at++) decode_field(&fields[at], cursor, version, holder);
    for (size_t at = there; at < count; at++) fill_fallback(&fields[at], holder);
}

static void decode_list(const struct field *field, struct cursor *cursor, uint64_t version, char *holder)
{
    size_t count = cursor_array(cursor, field->max);
    store_uint32(holder, field->beside, count);
    for (size_t at = 0; at < count && !cursor->error; at++)
        decode_field(field->items, cursor, version, holder + field->at + at * field->item_bytes);
}

static void decode_record(const struct field *field, struct cursor *cursor, uint64_t version, char *holder)
{
    cursor_array_of(cursor, fields_in(field->items, field->item_count, version));
    decode_fields(field->items, field->item_count, cursor, version, holder + field->at);
}

static void decode_field(const struct field *field, struct cursor *cursor, uint64_t version, char *holder)
{
    void *value = holder + field->at;
    switch (field->type) {
    case FIELD_UINT32:
        store_uint32(holder, field->at, cursor_uint_from(cursor, field->min, field->max));
        return;
    case FIELD_UINT64:
        store_uint64(holder, field->at, cursor_uint_from(cursor, field->min, field->max));
        return;
    case FIELD_BOOL:
        *(bool *)value = cursor_bool(cursor);
        return;
    case FIELD_TEXT:
        cursor_string(cursor, value, field->max);
        return;
    case FIELD_DIGEST:
        cursor_digest(cursor, value);
        return;
    case FIELD_BYTES:
        *(struct span *)value = cursor_bin(cursor, field->max);
        return;
    case FIELD_BLOCKS:
        decode_blocks(cursor, value);
        return;
    case FIELD_PLACE:
        decode_place(field, cursor, holder);
        return;
    case FIELD_LIST:
        decode_list(field, cursor, version, holder);
        return;
    case FIELD_RECORD:
        decode_record(field, cursor, version, holder);
        return;
    }
}

/* Reads [version, kind, ... and finds the kind's shape; NULL: the cursor has the error. */
static const struct shape *decode_head(struct cursor *cursor, struct message *message, uint64_t *version)
{
    size_t count = cursor_array(cursor, UINT32_MAX); /* another version may have any number of fields */
    *version = cursor_uint(cursor, UINT64_MAX);
    if (*version < 1 || *version > MESSAGE_VERSION) cursor_fail(cursor, MESSAGE_WHY_VERSION);
    uint64_t kind = cursor_uint(cursor, UINT64_MAX);
    const uint64_t end = *version == 1 ? FIRST_KIND_OF_VERSION_2 : MESSAGE_KIND_END;
    if (kind < MESSAGE_HELLO || kind >= end) cursor_fail(cursor, "unknown kind");
    if (cursor->error) return NULL;
    if (count != 2 + fields_in(shapes[kind].fields, shapes[kind].count, *version)) {
        cursor_fail(cursor, "wrong number of fields");
        return NULL;
    }
    message->kind = (enum message_kind)kind;
    return &shapes[kind];
}

bool message_decode(struct span bytes, struct message *message, const char **why)
{
    struct cursor cursor = cursor_over(bytes);
    uint64_t version;
    if (bytes.size > MESSAGE_BYTES_MAX) cursor_fail(&cursor, "a message above its bound");
    const struct shape *shape = decode_head(&cursor, message, &version);
    if (shape) decode_fields(shape->fields, shape->count, &cursor, version, (char *)message);
    bool sound = cursor_done(&cursor);
    if (sound && version != version_of(message)) { /* a value has one encoding */
        *why = "a later version than it needs";
        return false;
    }
    if (!sound) *why = cursor.error;
    return sound;
}

static void mask_fields(const struct field *fields, size_t count, char *holder);

static void mask_field(const struct field *field, char *holder)
{
    if (field->type == FIELD_TEXT) utf8_mask_controls(holder + field->at);
    if (field->type == FIELD_RECORD) mask_fields(field->items, field->item_count, holder + field->at);
    if (field->type != FIELD_LIST) return;
    const uint32_t count = load_uint32(holder, field->beside);
    for (uint32_t at = 0; at < count; at++) mask_field(field->items, holder + field->at + at * field->item_bytes);
}

static void mask_fields(const struct field *fields, size_t count, char *holder)
{
    for (size_t at = 0; at < count; at++) mask_field(&fields[at], holder);
}

void message_mask_controls(struct message *message)
{
    mask_fields(shapes[message->kind].fields, shapes[message->kind].count, (char *)message);
}
