#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entitlement.h"

/* docs/measures.md says of every measure what the model says. */

static char *read_document(void)
{
    static char text[1 << 16];
    FILE *file = fopen(GOLDTHREAD_SOURCE "/docs/measures.md", "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

Test(measures_document, has_a_row_for_each_measure_and_no_other)
{
    const struct model *model = entitlement_model();
    char *document = read_document();
    size_t rows = 0;
    for (size_t at = 0; at < model->measure_count; at++) {
        const struct model_measure *measure = &model->measures[at];
        char row[512];
        snprintf(row, sizeof row, "\n| `%s` | %s | %s |\n", measure->name, measure->unit, measure->meaning);
        cr_expect(strstr(document, row), "the document lacks%s", row);
    }
    for (char *at = document; (at = strstr(at, "\n| `")); at++) rows++;
    cr_expect_eq(rows, model->measure_count);
}
