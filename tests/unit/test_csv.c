#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "csv.h"

static struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

/* Everything in a text, as "field|field/field|field", or the fault as "LINE:FIELD words". */
static void show(struct span text, char *out, size_t room)
{
    static struct csv_row row;
    struct csv csv;
    enum csv_status status;
    size_t used = 0;
    csv_open(&csv, text);
    while ((status = csv_next(&csv, &row)) == CSV_ROW) {
        if (used > 0) out[used++] = '/';
        for (size_t at = 0; at < row.count; at++) {
            if (at > 0) out[used++] = '|';
            cr_assert(csv_text(row.fields[at], out + used, room - used), "the text fits");
            used += strlen(out + used);
        }
    }
    out[used] = '\0';
    if (status == CSV_FAULT) snprintf(out, room, "%u:%u %s", csv.fault_line, csv.fault_field, csv.fault);
}

Test(csv, fields_and_lines_are_split_as_rfc_4180_says)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", ""},
        {"\n\r\n\n", ""},
        {"a,b\nc,d\n", "a|b/c|d"},
        {"a,b\r\nc,d\r\n", "a|b/c|d"},
        {"a,b\nc,d", "a|b/c|d"},
        {"a,b\r\nc,d\r", "a|b/c|d"},
        {"\xef\xbb\xbf"
         "a,b",
         "a|b"},
        {"a,,b,", "a||b|"},
        {",\n", "|"},
        {"a\n\nb\n", "a/b"},
        {"\"a,b\",c", "a,b|c"},
        {"\"a \"\"b\"\"\",c", "a \"b\"|c"},
        {"\"\",\"\"\"\"", "|\""},
        {"\"two\nlines\",x\ny,z", "two\nlines|x/y|z"},
        {"\"a\"\r\n\"b\"\r\n", "a/b"},
        {"a\rb,c", "a\rb|c"},
        {" a , b ", " a | b "},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char have[256];
        show(span_of(rows[at].text), have, sizeof have);
        cr_expect_str_eq(have, rows[at].want, "row %zu: `%s` gave `%s`", at, rows[at].text, have);
    }
}

Test(csv, faults_name_their_line_and_field)
{
    static const struct {
        const char *text;
        size_t size;
        const char *want;
    } rows[] = {
        {"a,b\nc,d\"e\n", 10, "2:2 a quote inside a field"},
        {"a,\"b\"c\n", 7, "1:2 text after a closing quote"},
        {"a\nb,\"c\nd", 8, "2:2 a quoted field that never ends"},
        {"\"", 1, "1:1 a quoted field that never ends"},
        {"a\nb\nc,\0d", 9, "3:2 a NUL byte"},
        {"a,\"b\0\"", 6, "1:2 a NUL byte"},
        {"\0", 1, "1:1 a NUL byte"},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char have[256];
        show((struct span){(const uint8_t *)rows[at].text, rows[at].size}, have, sizeof have);
        cr_expect(strncmp(have, rows[at].want, strlen(rows[at].want)) == 0, "row %zu gave `%s`", at, have);
    }
}

Test(csv, a_fault_and_an_end_are_answered_again)
{
    static struct csv_row row;
    struct csv csv;
    csv_open(&csv, span_of("a\"\nb"));
    cr_expect_eq(csv_next(&csv, &row), CSV_FAULT);
    cr_expect_eq(csv_next(&csv, &row), CSV_FAULT, "what follows a fault is not read");
    csv_open(&csv, span_of("a"));
    cr_expect_eq(csv_next(&csv, &row), CSV_ROW);
    cr_expect_eq(csv_next(&csv, &row), CSV_END);
    cr_expect_eq(csv_next(&csv, &row), CSV_END);
}

Test(csv, a_row_knows_the_line_it_starts_on)
{
    static struct csv_row row;
    struct csv csv;
    csv_open(&csv, span_of("a\n\n\"b\nc\nd\"\r\ne"));
    static const uint32_t lines[] = {1, 3, 6};
    for (size_t at = 0; at < sizeof lines / sizeof *lines; at++) {
        cr_assert_eq(csv_next(&csv, &row), CSV_ROW);
        cr_expect_eq(row.line, lines[at], "row %zu starts on line %u", at, row.line);
    }
}

Test(csv, a_line_holds_at_most_its_bound_of_fields)
{
    static struct csv_row row;
    char text[CSV_FIELDS_MAX + 1];
    struct csv csv;
    memset(text, ',', sizeof text);

    csv_open(&csv, (struct span){(const uint8_t *)text, CSV_FIELDS_MAX - 1});
    cr_expect_eq(csv_next(&csv, &row), CSV_ROW);
    cr_expect_eq(row.count, CSV_FIELDS_MAX);

    csv_open(&csv, (struct span){(const uint8_t *)text, CSV_FIELDS_MAX});
    cr_expect_eq(csv_next(&csv, &row), CSV_FAULT);
    cr_expect_eq(csv.fault_field, CSV_FIELDS_MAX + 1);
}

/* Every beginning of a text is read to an end or a fault, within its bytes: each is a copy of its own,
 * so that a sanitizer sees a step too far. */
Test(csv, every_cut_of_a_text_is_read_within_its_bytes)
{
    static const char text[] = "\xef\xbb\xbfurn,name\r\n1,\"A \"\"b\"\", \xc3\xa9\"\r\n\r\n2,\"x\ny\"\n";
    for (size_t size = 0; size < sizeof text; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, text, size);
        static struct csv_row row;
        struct csv csv;
        size_t steps = 0;
        csv_open(&csv, (struct span){copy, size});
        while (csv_next(&csv, &row) == CSV_ROW) cr_assert_lt(++steps, sizeof text, "cut at %zu goes on for ever", size);
        free(copy);
    }
}

Test(csv, text_that_does_not_fit_is_cut_and_said)
{
    char out[4];
    cr_expect(csv_text(span_of("abc"), out, sizeof out));
    cr_expect_str_eq(out, "abc");
    cr_expect_not(csv_text(span_of("abcd"), out, sizeof out));
    cr_expect_str_eq(out, "abc");
    cr_expect(csv_text(span_of("ab\"\""), out, sizeof out), "a doubled quote takes one byte");
    cr_expect_str_eq(out, "ab\"");
    cr_expect_not(csv_text(span_of("a"), out, 1));
    cr_expect_str_eq(out, "");
}

Test(csv, numbers_are_plain_decimals)
{
    static const struct {
        const char *text;
        double want; /* NaN: refused */
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"12", 12},
        {"+3.5", 3.5},
        {"0.1", 0.1},
        {"4e8", 4e8},
        {"1.5E-3", 1.5e-3},
        {"1e-400", 0},
        {"", NAN},
        {" 1", NAN},
        {"1 ", NAN},
        {"1.", NAN},
        {".5", NAN},
        {"0x10", NAN},
        {"inf", NAN},
        {"nan", NAN},
        {"1e", NAN},
        {"1e+", NAN},
        {"1e999", NAN},
        {"1,5", NAN},
        {"--1", NAN},
        {"1-", NAN},
        {"12%", NAN},
        {"\"\"", NAN},
        {"0.29289321881345243", 0.29289321881345243},
        {"000000000000000000000000000000000000000000000000000000000000000001", NAN},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        double have = NAN;
        bool taken = csv_number(span_of(rows[at].text), &have);
        cr_expect_eq(taken, !isnan(rows[at].want), "`%s` taken: %d", rows[at].text, taken);
        if (taken) cr_expect(have == rows[at].want, "`%s` is %.17g", rows[at].text, have);
    }
}

Test(csv, printable_is_utf_8_without_control_characters)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"", true},
        {"St Mary's, 7", true},
        {"Ynys M\xc3\xb4n", true},
        {"\xe2\x80\x99", true},
        {"\xf0\x9f\x8f\xab", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"a\tb", false},
        {"a\nb", false},
        {"\x7f", false},
        {"\xc2\x85", false},         /* a control character of two bytes */
        {"\xc0\xaf", false},         /* overlong */
        {"\xe0\x80\xaf", false},     /* overlong */
        {"\xf0\x80\x80\xaf", false}, /* overlong */
        {"\xed\xa0\x80", false},     /* a surrogate */
        {"\xf4\x90\x80\x80", false}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", false},
        {"\x80", false},
        {"\xe9t\xe9", false}, /* Latin-1 */
        {"\xe2\x80", false},
        {"\xc3", false},
        {"\xff", false},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++)
        cr_expect_eq(csv_is_printable(span_of(rows[at].text)), rows[at].want, "row %zu", at);
}
