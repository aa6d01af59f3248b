#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#include "cursor.h"
#include "message.h"
#include "pack.h"
#include "support_wire.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* A message takes some 200 kB, too much for a stack. */
static struct message sent, received;

/* The spans of a message point elsewhere once it has travelled: their contents are compared, and the
 * addresses made equal, so that the rest can be compared as memory. */
static bool settle_span(const struct span *a, struct span *b)
{
    bool same = a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
    b->data = a->data;
    return same;
}

static bool settle_spans(const struct message *a, struct message *b)
{
    switch (a->kind) {
    case MESSAGE_ITEM:
        return settle_span(&a->item.bytes, &b->item.bytes);
    case MESSAGE_PARTIAL:
        return settle_span(&a->partial.node, &b->partial.node);
    case MESSAGE_SUBMIT:
        return settle_span(&a->submit.sweep, &b->submit.sweep) &&
               settle_span(&a->submit.population, &b->submit.population);
    case MESSAGE_OUTCOME:
        return settle_span(&a->outcome.node, &b->outcome.node);
    default:
        return true;
    }
}

static void check_round_trip(void)
{
    const char *name = message_kind_name(sent.kind), *why = NULL;
    struct buffer bytes = {0};
    message_encode(&sent, &bytes);
    cr_assert(!bytes.failed);
    memset(&received, 0, sizeof received);
    bool decoded = message_decode(buffer_span(&bytes), &received, &why);
    cr_assert(decoded, "%s: %s", name, why);
    cr_expect(settle_spans(&sent, &received), "%s: bytes differ", name);
    cr_expect_eq(memcmp(&sent, &received, sizeof sent), 0, "%s: fields differ", name);
    buffer_free(&bytes);
}

Test(message, control_characters_in_its_texts_are_masked_and_nothing_else)
{
    static const char wild[] = "w\n\x1b]0;x\a\x7f\xc2\x9b \xc2\xa0\xc3\xa9\xe2\x82\xac \"",
                      tame[] = "w??]0;x???? \xc2\xa0\xc3\xa9\xe2\x82\xac \"";
    sent = (struct message){.kind = MESSAGE_SWEEPS, .sweeps = {.count = 2}};
    strcpy(sent.sweeps.aggregator, wild);
    for (int at = 0; at < 2; at++) strcpy(sent.sweeps.list[at].text, wild);
    sent.sweeps.list[1].sweep = (struct digest){{'\n', 27}};
    message_mask_controls(&sent);
    cr_expect_str_eq(sent.sweeps.aggregator, tame);
    for (int at = 0; at < 2; at++) cr_expect_str_eq(sent.sweeps.list[at].text, tame);
    cr_expect_eq(sent.sweeps.list[1].sweep.bytes[1], 27);
    uint8_t bytes[] = {27, '\n'};
    sent = (struct message){.kind = MESSAGE_PARTIAL, .partial = {.node = {bytes, sizeof bytes}}};
    message_mask_controls(&sent);
    cr_expect_eq(bytes[0], 27);
}

static bool decode_again(struct span bytes, struct buffer *again)
{
    const char *why = NULL;
    if (!message_decode(bytes, &received, &why)) {
        cr_assert_not_null(why, "refused without a reason");
        return false;
    }
    message_encode(&received, again);
    return true;
}

Test(message, every_kind_comes_back_as_it_was_sent)
{
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++) {
        sample_message((enum message_kind)kind, &sent);
        check_round_trip();
    }
}

Test(message, the_largest_of_every_kind_comes_back)
{
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++) {
        sample_largest_message((enum message_kind)kind, &sent);
        check_round_trip();
    }
}

Test(message, empty_texts_lists_and_bytes_come_back)
{
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++) {
        struct buffer bytes = {0};
        const char *why = NULL;
        memset(&sent, 0, sizeof sent);
        sent.kind = (enum message_kind)kind;
        if (kind == MESSAGE_HELLO) sent.hello.role = ROLE_AGGREGATOR;
        if (kind == MESSAGE_FETCH) sent.fetch.item = ITEM_SWEEP;
        if (kind == MESSAGE_WELCOME) sent.welcome.heartbeat_ms = sent.welcome.lease_ms = 1;
        if (kind == MESSAGE_ITEM) sent.item.item = ITEM_SWEEP;
        if (kind == MESSAGE_ERROR) sent.error.code = ERROR_MALFORMED;
        if (kind == MESSAGE_DONE) sent.done.blocks.count = 1;
        if (kind == MESSAGE_FAILED) sent.failed.blocks.count = 1, sent.failed.cause = CAUSE_ERROR;
        if (kind == MESSAGE_LEASE) sent.lease.blocks.count = 1;
        if (kind == MESSAGE_FOLDED) sent.folded.outcome = FOLD_NEW;
        if (kind == MESSAGE_RETURNED) sent.returned.blocks.count = 1;
        message_encode(&sent, &bytes);
        memset(&received, 0, sizeof received);
        cr_assert(message_decode(buffer_span(&bytes), &received, &why), "%s: %s", message_kind_name(sent.kind), why);
        settle_spans(&sent, &received);
        cr_expect_eq(memcmp(&sent, &received, sizeof sent), 0, "%s", message_kind_name(sent.kind));
        buffer_free(&bytes);
    }
}

Test(message, encodes_to_the_golden_bytes_of_its_version)
{
    cr_assert_eq(MESSAGE_VERSION, 3, "a new version needs a folder of golden bytes, and the old one stays readable");
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++) {
        struct buffer bytes = {0};
        sample_message((enum message_kind)kind, &sent);
        message_encode(&sent, &bytes);
        golden_check_in(kind < MESSAGE_PAUSE ? "v1" : "v2", message_kind_name(sent.kind), buffer_span(&bytes));
        buffer_free(&bytes);
    }
}

Test(message, what_only_a_later_version_can_say_is_said_in_it)
{
    static const struct {
        enum message_kind kind;
        const char *folder;
    } rows[] = {{MESSAGE_SUBMIT, "v2"}, {MESSAGE_SWEEPS, "v2"}, {MESSAGE_FAILED, "v2"}, {MESSAGE_HELLO, "v3"}};
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        struct buffer bytes = {0};
        sample_newer_message(rows[at].kind, &sent);
        check_round_trip();
        message_encode(&sent, &bytes);
        golden_check_in(rows[at].folder, message_kind_name(sent.kind), buffer_span(&bytes));
        hostile_check(message_kind_name(sent.kind), buffer_span(&bytes), decode_again);
        buffer_free(&bytes);
    }
}

Test(message, what_an_older_version_can_say_is_refused_in_a_later_one)
{
    static const char *const rows[] = {"92 02 03", "97 02 0f c4 01 61 c4 00 00 00 a0", "98 03 01 01 a1 77 07 a0 a0 00"};
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct buffer bytes = {0};
        const char *why = "accepted";
        cr_assert(hex_read(rows[row], strlen(rows[row]), &bytes));
        cr_expect(!message_decode(buffer_span(&bytes), &received, &why));
        cr_expect_str_eq(why, "a later version than it needs", "row %zu", row);
        buffer_free(&bytes);
    }
}

Test(message, what_an_older_version_does_not_say_is_what_it_was_before)
{
    struct buffer bytes = {0};
    const char *why = "", *submit = "94 01 0f c4 01 61 c4 00", *hello = "97 01 01 01 a1 77 07 a0 a0";
    cr_assert(hex_read(submit, strlen(submit), &bytes));
    memset(&received, 0xa5, sizeof received);
    cr_assert(message_decode(buffer_span(&bytes), &received, &why), "%s", why);
    cr_expect(received.submit.priority == 0 && received.submit.weight == 0 && received.submit.tenant[0] == 0);
    buffer_clear(&bytes);
    cr_assert(hex_read(hello, strlen(hello), &bytes));
    memset(&received, 0xa5, sizeof received);
    cr_assert(message_decode(buffer_span(&bytes), &received, &why), "%s", why);
    cr_expect_eq(received.hello.encoding, 0);
    buffer_free(&bytes);
}

Test(message, every_code_of_an_error_has_golden_bytes)
{
    static const struct {
        enum message_error code;
        const char *golden, *text;
    } rows[] = {
        {ERROR_MALFORMED, "ERROR-MALFORMED", "not a string"},
        {ERROR_VERSION, "ERROR-VERSION", "version"},
        {ERROR_UNKNOWN, "ERROR", "no such sweep"},
        {ERROR_REFUSED, "ERROR-REFUSED", "the sweep is done"},
        {ERROR_STORE, "ERROR-STORE", "the item cannot be read back"},
        {ERROR_FORBIDDEN, "ERROR-FORBIDDEN", "SUBMIT: your key is not known here"},
    };
    cr_assert_eq(COUNT_OF(rows), ERROR_FORBIDDEN, "a code has no row");
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct buffer bytes = {0};
        memset(&sent, 0, sizeof sent);
        sent.kind = MESSAGE_ERROR;
        sent.error.code = rows[row].code;
        strcpy(sent.error.text, rows[row].text);
        message_encode(&sent, &bytes);
        golden_check(rows[row].golden, buffer_span(&bytes));
        buffer_free(&bytes);
    }
}

Test(message, msgpack_c_reads_an_array_of_version_kind_and_fields)
{
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++) {
        struct buffer bytes = {0};
        size_t at = 0;
        msgpack_unpacked result;
        sample_message((enum message_kind)kind, &sent);
        message_encode(&sent, &bytes);
        msgpack_unpacked_init(&result);
        msgpack_unpack_return status = msgpack_unpack_next(&result, (const char *)bytes.data, bytes.size, &at);
        cr_assert_eq(status, MSGPACK_UNPACK_SUCCESS, "%s", message_kind_name(sent.kind));
        cr_expect_eq(at, bytes.size);
        cr_assert_eq(result.data.type, MSGPACK_OBJECT_ARRAY);
        cr_assert_geq(result.data.via.array.size, 2);
        cr_expect_eq(result.data.via.array.ptr[0].via.u64, kind < MESSAGE_PAUSE ? 1u : 2u);
        cr_expect_eq(result.data.via.array.ptr[1].via.u64, (uint64_t)kind);
        msgpack_unpacked_destroy(&result);
        buffer_free(&bytes);
    }
}

Test(message, cut_lengthened_or_changed_bytes_are_refused_or_mean_what_they_say)
{
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++) {
        struct buffer bytes = {0};
        sample_message((enum message_kind)kind, &sent);
        message_encode(&sent, &bytes);
        hostile_check(message_kind_name(sent.kind), buffer_span(&bytes), decode_again);
        buffer_free(&bytes);
    }
}

Test(message, nothing_beyond_what_a_list_holds_is_written)
{
    struct buffer bytes = {0};
    const char *why = NULL;
    sample_message(MESSAGE_SWEEPS, &sent);
    message_encode(&sent, &bytes);
    memset(&received, 0xa5, sizeof received);
    cr_assert(message_decode(buffer_span(&bytes), &received, &why), "%s", why);
    cr_assert_eq(received.sweeps.count, 1);
    const uint8_t *rest = (const uint8_t *)&received.sweeps.list[1];
    for (size_t at = 0; at < sizeof received.sweeps.list - sizeof *received.sweeps.list; at++)
        cr_assert_eq(rest[at], 0xa5, "byte %zu", at);
    buffer_free(&bytes);
}

Test(message, a_text_that_was_cut_within_a_character_arrives_without_its_rest)
{
    struct buffer bytes = {0};
    const char *why = NULL;
    sample_message(MESSAGE_FAILED, &sent);
    snprintf(sent.failed.text, sizeof sent.failed.text, "%.*s\xe2\x82", 5, "\xe2\x82\xac ok");
    message_encode(&sent, &bytes);
    cr_assert(message_decode(buffer_span(&bytes), &received, &why), "%s", why);
    cr_assert_str_eq(received.failed.text, "€ o");
    buffer_free(&bytes);
}

/* Numbers outside their bounds: the encoder writes what it is told, the decoder refuses it. */

#define SMALL "a number below its bound"
#define LARGE "a number above its bound"
#define U32(kind, name, value, why)                                                                                    \
    {                                                                                                                  \
        MESSAGE_##kind, #name, offsetof(struct message, name), sizeof(uint32_t), value, why                            \
    }
#define U64(kind, name, value, why)                                                                                    \
    {                                                                                                                  \
        MESSAGE_##kind, #name, offsetof(struct message, name), sizeof(uint64_t), value, why                            \
    }

static const struct bound {
    enum message_kind kind;
    const char *name;
    size_t at, size;
    uint64_t value;
    const char *why;
} bounds[] = {
    U32(HELLO, hello.role, 0, SMALL),
    U32(HELLO, hello.role, ROLE_CLIENT + 1, LARGE),
    U32(FETCH, fetch.item, 0, SMALL),
    U32(FETCH, fetch.item, ITEM_POPULATION + 1, LARGE),
    U64(WELCOME, welcome.heartbeat_ms, 0, SMALL),
    U64(WELCOME, welcome.heartbeat_ms, MESSAGE_INTERVAL_MS_MAX + 1, LARGE),
    U64(WELCOME, welcome.lease_ms, 0, SMALL),
    U64(WELCOME, welcome.lease_ms, UINT64_MAX, LARGE),
    U32(ITEM, item.item, 0, SMALL),
    U32(ITEM, item.item, ITEM_POPULATION + 1, LARGE),
    U32(ERROR, error.code, 0, SMALL),
    U32(ERROR, error.code, ERROR_FORBIDDEN + 1, LARGE),
    U64(DONE, done.blocks.count, 0, SMALL),
    U64(DONE, done.blocks.first, MESSAGE_BLOCKS_MAX, LARGE),
    U64(DONE, done.blocks.count, MESSAGE_BLOCKS_MAX - 3, LARGE), /* the first is 4 */
    U64(DONE, done.blocks.count, UINT64_MAX, LARGE),
    U64(FAILED, failed.blocks.count, 0, SMALL),
    U64(FAILED, failed.blocks.first, UINT64_MAX, LARGE),
    U32(FAILED, failed.cause, 0, SMALL),
    U32(FAILED, failed.cause, CAUSE_UNFIT + 1, LARGE),
    U64(LEASE, lease.blocks.count, 0, SMALL),
    U64(LEASE, lease.blocks.count, MESSAGE_BLOCKS_MAX, LARGE),
    U32(PARTIAL, partial.level, MESSAGE_LEVEL_MAX + 1, LARGE),
    U32(PARTIAL, partial.level, MESSAGE_LEVEL_MAX, LARGE), /* the index is 1: beyond the last block */
    U64(PARTIAL, partial.index, MESSAGE_BLOCKS_MAX / 4, LARGE),
    U64(PARTIAL, partial.index, UINT64_MAX, LARGE),
    U32(FOLDED, folded.level, UINT32_MAX, LARGE),
    U64(FOLDED, folded.index, MESSAGE_BLOCKS_MAX / 4, LARGE),
    U32(FOLDED, folded.outcome, 0, SMALL),
    U32(FOLDED, folded.outcome, FOLD_REFUSED + 1, LARGE),
    U32(SWEEPS, sweeps.list[0].state, 0, SMALL),
    U32(SWEEPS, sweeps.list[0].state, SWEEP_STALLED + 1, LARGE),
    U32(SWEEPS, sweeps.list[0].priority, MESSAGE_PRIORITY_MAX + 1, LARGE),
    U32(SWEEPS, sweeps.list[0].weight, 0, SMALL),
    U32(SWEEPS, sweeps.list[0].weight, MESSAGE_WEIGHT_MAX + 1, LARGE),
    U32(SUBMIT, submit.priority, MESSAGE_PRIORITY_MAX + 1, LARGE),
    U32(SUBMIT, submit.weight, MESSAGE_WEIGHT_MAX + 1, LARGE),
    U32(ROSTER, roster.list[0].state, 0, SMALL),
    U32(ROSTER, roster.list[0].state, WORKER_UNREACHED + 1, LARGE),
    U64(RETURNED, returned.blocks.count, 0, SMALL),
    U64(HELD, held.ranges[1].count, 0, SMALL),
    U64(HELD, held.ranges[1].first, MESSAGE_BLOCKS_MAX, LARGE),
};

Test(message, numbers_outside_their_bounds_are_refused)
{
    for (size_t row = 0; row < COUNT_OF(bounds); row++) {
        const struct bound *bound = &bounds[row];
        struct buffer bytes = {0};
        const char *why = "accepted";
        sample_message(bound->kind, &sent);
        uint32_t narrow = (uint32_t)bound->value;
        const void *value = bound->size == sizeof narrow ? (const void *)&narrow : &bound->value;
        memcpy((char *)&sent + bound->at, value, bound->size);
        message_encode(&sent, &bytes);
        bool decoded = message_decode(buffer_span(&bytes), &received, &why);
        cr_expect(!decoded && strcmp(why, bound->why) == 0, "%s %llu: %s", bound->name,
                  (unsigned long long)bound->value, why);
        buffer_free(&bytes);
    }
}

/* Whole messages in hexadecimal that no encoder writes. */
Test(message, malformed_messages_are_refused_with_a_reason)
{
    static const struct {
        const char *what, *hex, *why;
    } rows[] = {
        {"nothing", "", "truncated"},
        {"no array", "01", "not an array"},
        {"a map", "82 01 01 02 02", "not an array"},
        {"an empty array", "90", "truncated"},
        {"no kind", "91 01", "truncated"},
        {"version 0", "92 00 03", "version"},
        {"version 4", "92 04 03", "version"},
        {"version 4 with fields that are not known here", "93 04 03 81 a1 78 c0", "version"},
        {"version 4 with many fields", "dd 00 01 00 00 04", "truncated"},
        {"version of the largest number", "92 cf ff ff ff ff ff ff ff ff 03", "version"},
        {"a version that is text", "92 a1 31 03", "not a whole number of at least 0"},
        {"kind 0", "92 01 00", "unknown kind"},
        {"a kind that nothing has", "92 01 7f", "unknown kind"},
        {"kind of the largest number", "92 01 cf ff ff ff ff ff ff ff ff", "unknown kind"},
        {"a kind of version 2 in version 1", "93 01 1a 00", "unknown kind"},
        {"GOODBYE with a field", "93 01 03 c0", "wrong number of fields"},
        {"ERROR without its text", "93 01 07 01", "wrong number of fields"},
        {"GOODBYE and a byte", "92 01 03 00", "bytes left over"},
        {"STATUS of 31 bytes",
         "93 01 10 c4 1f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
         "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
         "a digest that is not 32 bytes"},
        {"STATUS of text", "93 01 10 a1 61", "not a byte string"},
        {"ERROR of text that is not UTF-8", "94 01 07 01 a1 ff", "a string that is not UTF-8 without NUL"},
        {"ERROR of bytes", "94 01 07 01 c4 01 61", "not a string"},
        {"tokens of a huge count", "94 01 08 00 dd ff ff ff ff", "too many elements"},
        {"WANTED of a huge count", "93 01 14 dd ff ff ff ff", "too many elements"},
        {"WANTED of nested arrays", "93 01 14 91 91 91 91 91", "not a byte string"},
    };
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        struct buffer bytes = {0};
        const char *why = "accepted";
        cr_assert(hex_read(rows[at].hex, strlen(rows[at].hex), &bytes), "%s", rows[at].what);
        uint8_t *copy = exact_copy(buffer_span(&bytes));
        bool decoded = message_decode((struct span){copy, bytes.size}, &received, &why);
        cr_expect(!decoded && strcmp(why, rows[at].why) == 0, "%s: \"%s\", not \"%s\"", rows[at].what, why,
                  rows[at].why);
        free(copy);
        buffer_free(&bytes);
    }
}

static void pack_head(struct buffer *bytes, enum message_kind kind, size_t fields)
{
    pack_array(bytes, 2 + fields);
    pack_uint(bytes, 1);
    pack_uint(bytes, kind);
}

static const char *reason(const struct buffer *bytes)
{
    const char *why = "accepted";
    message_decode(buffer_span(bytes), &received, &why);
    return why;
}

Test(message, lists_and_texts_one_above_their_bound_are_refused)
{
    struct buffer bytes = {0};
    pack_head(&bytes, MESSAGE_HEARTBEAT, 2);
    pack_uint(&bytes, 0);
    pack_array(&bytes, MESSAGE_TOKENS_MAX + 1);
    for (size_t at = 0; at < MESSAGE_TOKENS_MAX + 1; at++) pack_uint(&bytes, at);
    cr_expect_str_eq(reason(&bytes), "too many elements");

    buffer_clear(&bytes);
    pack_head(&bytes, MESSAGE_WANTED, 1);
    pack_array(&bytes, MESSAGE_SWEEPS_MAX + 1);
    for (size_t at = 0; at < MESSAGE_SWEEPS_MAX + 1; at++) pack_digest(&bytes, &(struct digest){{1}});
    cr_expect_str_eq(reason(&bytes), "too many elements");

    char text[MESSAGE_TEXT_BYTES + 1];
    memset(text, 'a', MESSAGE_TEXT_BYTES);
    text[MESSAGE_TEXT_BYTES] = '\0';
    buffer_clear(&bytes);
    pack_head(&bytes, MESSAGE_ERROR, 2);
    pack_uint(&bytes, ERROR_REFUSED);
    pack_string(&bytes, text);
    cr_expect_str_eq(reason(&bytes), "a string above its bound");

    text[MESSAGE_TEXT_BYTES - 1] = '\0';
    buffer_clear(&bytes);
    pack_head(&bytes, MESSAGE_ERROR, 2);
    pack_uint(&bytes, ERROR_REFUSED);
    pack_string(&bytes, text);
    cr_expect_str_eq(reason(&bytes), "accepted");
    buffer_free(&bytes);
}

Test(message, bytes_above_the_bound_of_a_message_are_refused)
{
    size_t size = (size_t)MESSAGE_BYTES_MAX + 1;
    uint8_t *bytes = calloc(1, size);
    const char *why = NULL;
    cr_assert_not_null(bytes);
    cr_assert(!message_decode((struct span){bytes, size}, &received, &why));
    cr_assert_str_eq(why, "a message above its bound");
    free(bytes);
}

Test(message, every_kind_has_a_name_and_nothing_else_has)
{
    cr_assert_str_eq(message_kind_name(MESSAGE_HELLO), "HELLO");
    cr_assert_str_eq(message_kind_name(MESSAGE_OUTCOME), "OUTCOME");
    cr_assert_str_eq(message_kind_name((enum message_kind)0), "?");
    cr_assert_str_eq(message_kind_name(MESSAGE_KIND_END), "?");
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++)
        for (int other = MESSAGE_HELLO; other < kind; other++)
            cr_assert_str_neq(message_kind_name((enum message_kind)kind), message_kind_name((enum message_kind)other));
}
