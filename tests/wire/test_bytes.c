#include <criterion/criterion.h>

#include <string.h>

#include "bytes.h"
#include "digest.h"

Test(buffer, grows_and_keeps_what_was_appended)
{
    struct buffer buffer = {0};
    for (unsigned at = 0; at < 100000; at++) buffer_append(&buffer, &(uint8_t){(uint8_t)at}, 1);

    struct span span = buffer_span(&buffer);
    cr_assert(!buffer.failed);
    cr_assert_eq(span.size, 100000);
    for (unsigned at = 0; at < 100000; at++) cr_assert_eq(span.data[at], (uint8_t)at, "byte %u", at);

    buffer_clear(&buffer);
    cr_assert_eq(buffer_span(&buffer).size, 0);
    cr_assert_geq(buffer.capacity, 100000, "clearing keeps the memory");
    buffer_free(&buffer);
    cr_assert_null(buffer.data);
}

Test(buffer, nothing_may_be_appended_from_nowhere)
{
    struct buffer buffer = {0};
    buffer_append(&buffer, NULL, 0);
    cr_assert(!buffer.failed);
    cr_assert_eq(buffer.size, 0);
}

Test(buffer, what_cannot_fit_into_memory_fails_and_stays_failed)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 2};
    for (size_t at = 0; at < sizeof sizes / sizeof *sizes; at++) {
        struct buffer buffer = {0};
        buffer_append(&buffer, "x", 1);
        buffer_append(&buffer, "y", sizes[at]);
        cr_assert(buffer.failed, "size %zu", sizes[at]);
        buffer_append(&buffer, "z", 1);
        cr_assert_eq(buffer.size, 1, "nothing is appended behind a hole");
        buffer_free(&buffer);
        cr_assert(!buffer.failed, "usable again");
    }
}

static struct digest digest_of_text(const char *text)
{
    return digest_of((struct span){(const uint8_t *)text, strlen(text)});
}

Test(digest, known_answers_of_sha_256)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct digest digest = digest_of_text(rows[at].text);
        char hex[DIGEST_HEX_BYTES];
        digest_to_hex(&digest, hex);
        cr_expect_str_eq(hex, rows[at].hex, "%s", rows[at].text);
    }
    struct digest empty = digest_of((struct span){0}), also_empty = digest_of_text("");
    cr_assert(digest_equal(&empty, &also_empty));
}

Test(digest, pieces_of_any_size_give_the_digest_of_the_whole)
{
    uint8_t bytes[1000];
    for (size_t at = 0; at < sizeof bytes; at++) bytes[at] = (uint8_t)(at * 37);
    struct digest whole = digest_of((struct span){bytes, sizeof bytes});
    for (size_t piece = 1; piece <= sizeof bytes; piece = piece * 3 + 1) {
        struct digest_state state;
        digest_start(&state);
        for (size_t at = 0; at < sizeof bytes; at += piece)
            digest_add(&state, (struct span){bytes + at, piece < sizeof bytes - at ? piece : sizeof bytes - at});
        digest_add(&state, (struct span){0});
        struct digest digest = digest_end(&state);
        cr_expect(digest_equal(&digest, &whole), "pieces of %zu bytes", piece);
    }
}

Test(digest, hexadecimal_reads_back_in_either_case)
{
    struct digest digest = digest_of_text("abc"), lower, upper;
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(&digest, hex);
    cr_assert(digest_from_hex(&lower, hex));
    for (size_t at = 0; hex[at]; at++)
        if (hex[at] >= 'a') hex[at] = (char)(hex[at] - 'a' + 'A');
    cr_assert(digest_from_hex(&upper, hex));
    cr_assert(digest_equal(&lower, &digest));
    cr_assert(digest_equal(&upper, &digest));
}

Test(digest, what_is_not_64_digits_is_refused_and_changes_nothing)
{
    static const char *const rows[] = {
        "",
        "e",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555",
        "g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85 ",
        " 3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct digest digest = {{0}};
        cr_expect(!digest_from_hex(&digest, rows[at]), "\"%s\"", rows[at]);
        cr_expect(digest_is_zero(&digest), "\"%s\"", rows[at]);
    }
}

Test(digest, neighbours_of_the_digits_are_no_digits)
{
    for (const char *neighbour = "/:@G`g"; *neighbour; neighbour++) {
        char hex[DIGEST_HEX_BYTES];
        memset(hex, '0', sizeof hex - 1);
        hex[sizeof hex - 1] = '\0';
        hex[17] = *neighbour;
        struct digest digest;
        cr_expect(!digest_from_hex(&digest, hex), "'%c'", *neighbour);
    }
}

Test(digest, only_zero_is_zero)
{
    struct digest digest = {{0}};
    cr_assert(digest_is_zero(&digest));
    for (size_t at = 0; at < DIGEST_BYTES; at++) {
        struct digest other = {{0}};
        other.bytes[at] = 1;
        cr_assert(!digest_is_zero(&other), "byte %zu", at);
        cr_assert(!digest_equal(&digest, &other), "byte %zu", at);
    }
}
