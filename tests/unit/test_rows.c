/* rollup.csv as JSON. */
#include <criterion/criterion.h>
#include <string.h>

#include "rows.h"

static bool to_json(const char *csv, struct buffer *out, char *why, size_t why_bytes)
{
    return rows_to_json((struct span){(const uint8_t *)csv, strlen(csv)}, out, why, why_bytes);
}

Test(rows, become_objects_with_a_number_or_null_as_value)
{
    struct buffer out = {0};
    char why[128] = "";
    static const char expected[] =
        "[\n{\"area\":\"a \\\"b\\\"\",\"value\":-1.5e3},\n{\"area\":\"c\",\"value\":null}\n]\n";
    cr_assert(to_json("area,value\n\"a \"\"b\"\"\",-1.5e3\nc,\n", &out, why, sizeof why), "%s", why);
    cr_assert_eq(out.size, sizeof expected - 1);
    cr_assert_arr_eq(out.data, expected, out.size);
    buffer_free(&out);
}

Test(rows, that_json_cannot_say_are_refused_with_their_line)
{
    static const char *const tables[] = {
        "area,value\na\xff,1\n", /* not UTF-8 */
        "area\xc3,value\n",      /* cut inside a character */
        "value\n+1\n",
        "value\n01\n",
        "value\n.5\n",
        "value\n1.\n",
        "value\n-\n",
        "value\n1.e3\n",
        "value\nx\n",
        "a,value\n1\n",
        "",
    };
    for (size_t at = 0; at < sizeof tables / sizeof *tables; at++) {
        struct buffer out = {0};
        char why[128] = "";
        cr_assert_not(to_json(tables[at], &out, why, sizeof why), "table %zu", at);
        cr_assert(why[0] == '1' || why[0] == '2', "table %zu: %s", at, why);
        buffer_free(&out);
    }
}
