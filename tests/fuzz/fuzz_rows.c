/* Any bytes as rollup.csv: refused with a reason, or rows that are JSON. */
#include <jansson.h>

#include "rows.h"
#include "targets.h"

int FUZZ_TARGET(rows)(const uint8_t *data, size_t size)
{
    const struct span csv = {data, size};
    struct buffer out = {0};
    char why[512] = "";
    if (rows_to_json(csv, &out, why, sizeof why)) {
        json_t *rows = json_loadb((const char *)out.data, out.size, JSON_DECODE_INT_AS_REAL, NULL);
        fuzz_require(!out.failed && json_is_array(rows));
        json_decref(rows);
    } else {
        fuzz_require(why[0] != 0);
    }
    fuzz_require(rows_count(csv) <= size + 1);
    buffer_free(&out);
    return 0;
}
