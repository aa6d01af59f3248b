/* proto/PROTOCOL.md against the code: the bytes it shows, and the kinds it lists. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "support_wire.h"

#define FENCE "\n```hex "

static struct message message;

/* The bytes of the exchange, in the order of the document. */
static const enum message_kind exchange[] = {
    MESSAGE_SUBMIT, MESSAGE_ACCEPTED, MESSAGE_LEASE,  MESSAGE_PARTIAL, MESSAGE_FOLDED,
    MESSAGE_DONE,   MESSAGE_STATUS,   MESSAGE_SWEEPS, MESSAGE_RESULT,  MESSAGE_OUTCOME,
};

/* Compares the fenced block at `text`, whose first line is the kind, and answers where it ends. */
static const char *check_block(const char *text, enum message_kind kind)
{
    const char *name = message_kind_name(kind), *hex = strchr(text, '\n'), *end = strstr(text, "\n```");
    cr_assert(hex && end && hex < end, "%s: a block without an end", name);
    cr_expect(strncmp(text, name, (size_t)(hex - text)) == 0 && strlen(name) == (size_t)(hex - text),
              "the block of %s is called %.*s", name, (int)(hex - text), text);
    struct buffer shown = {0}, bytes = {0};
    cr_expect(hex_read(hex, (size_t)(end - hex), &shown), "%s: not hexadecimal", name);
    sample_exchange(kind, &message);
    message_encode(&message, &bytes);
    cr_expect(shown.size == bytes.size && memcmp(shown.data, bytes.data, bytes.size) == 0,
              "%s: the document shows other bytes than %s", name, hex_write(buffer_span(&bytes)));
    buffer_free(&shown);
    buffer_free(&bytes);
    return end;
}

Test(protocol, shows_the_bytes_that_the_code_writes)
{
    char *document = file_read("proto/PROTOCOL.md");
    const char *at = document;
    for (size_t step = 0; step < sizeof exchange / sizeof *exchange; step++) {
        at = strstr(at, FENCE);
        cr_assert_not_null(at, "%s is not shown", message_kind_name(exchange[step]));
        at = check_block(at + strlen(FENCE), exchange[step]);
    }
    cr_assert_null(strstr(at, FENCE), "a block that is not compared");
    free(document);
}

Test(protocol, lists_every_kind_with_its_number)
{
    char *document = file_read("proto/PROTOCOL.md");
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++) {
        char heading[64];
        snprintf(heading, sizeof heading, "\n**%s** (%d): ", message_kind_name((enum message_kind)kind), kind);
        cr_expect(strstr(document, heading), "%s (%d) is not described", message_kind_name((enum message_kind)kind),
                  kind);
    }
    free(document);
}

/* Rows of the table of fields below a kind's heading; a row may name several fields, "a, b". */
static size_t count_fields(const char *section)
{
    size_t count = 0;
    const char *end = strstr(section, "\n**"), *heading = strstr(section, "\n#");
    if (!end || (heading && heading < end)) end = heading;
    for (const char *row = section; (row = strstr(row, "\n| ")) && row < end; row++) {
        if (strncmp(row, "\n| field ", 9) == 0 || strncmp(row, "\n| --- ", 7) == 0) continue;
        count++;
        for (const char *at = row + 3; *at != '|'; at++) count += *at == ',';
    }
    return count;
}

/* Elements of the message behind version and kind, read from the head of the array. */
static size_t encoded_fields(enum message_kind kind)
{
    struct buffer bytes = {0};
    sample_newer_message(kind, &message);
    message_encode(&message, &bytes);
    size_t count = bytes.data[0] - 0x90u - 2u;
    buffer_free(&bytes);
    return count;
}

Test(protocol, lists_as_many_fields_as_each_kind_has)
{
    char *document = file_read("proto/PROTOCOL.md");
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++) {
        if (kind == MESSAGE_SWEEPS || kind == MESSAGE_ROSTER) continue; /* with the table of an item too */
        char heading[64];
        const char *name = message_kind_name((enum message_kind)kind);
        snprintf(heading, sizeof heading, "\n**%s** (%d): ", name, kind);
        const char *section = strstr(document, heading);
        cr_assert_not_null(section, "%s", name);
        cr_expect_eq(count_fields(section + 1), encoded_fields((enum message_kind)kind), "%s", name);
    }
    free(document);
}
