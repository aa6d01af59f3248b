#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_place.h"

/* The README shows what its first command prints. */

TestSuite(readme, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

/* Every line of `text` but those with a time or a file, which differ from run to run. */
static void expect_lines(const char *document, char *text)
{
    size_t compared = 0;
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, " model runs in ")) continue;
        cr_expect(strstr(document, line), "the README lacks: %s", line);
        compared++;
    }
    cr_expect_gt(compared, 20);
}

Test(readme, shows_the_table_and_digest_of_the_first_command)
{
    char *readme = read_text(GOLDTHREAD_SOURCE "/README.md");
    cr_assert_not_null(readme);
    struct ran ran = GOLDTHREAD("run", GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    expect_lines(readme, ran.out);
    ran_free(&ran);
    free(readme);
}

Test(readme, shows_what_drives_the_answer)
{
    char *readme = read_text(GOLDTHREAD_SOURCE "/README.md");
    cr_assert_not_null(readme);
    struct ran ran = GOLDTHREAD("run", GOLDTHREAD_SOURCE "/scenarios/sensitivity.yaml", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char *drivers = strstr(ran.out, "exchequer_ratio, ");
    cr_assert_not_null(drivers, "%s", ran.out);
    expect_lines(readme, drivers);
    ran_free(&ran);
    free(readme);
}

Test(readme, names_every_scenario_file)
{
    static const char *const files[] = {"break-even",
                                        "compare",
                                        "discover",
                                        "disadvantage-weighted",
                                        "early-career",
                                        "epi-35-hours",
                                        "everything",
                                        "frontier",
                                        "golden-thread",
                                        "golden-thread-churn",
                                        "golden-thread-existing-holders",
                                        "oecd-62-hours",
                                        "rise-200",
                                        "rise-377",
                                        "sensitivity",
                                        "singapore-100-hours",
                                        "stuck-schools"};
    size_t count = sizeof files / sizeof *files;
    char *readme = read_text(GOLDTHREAD_SOURCE "/README.md");
    cr_assert_eq(count_entries(GOLDTHREAD_SOURCE "/scenarios"), count);
    for (size_t at = 0; at < count; at++) {
        char name[128];
        snprintf(name, sizeof name, "`%s.yaml`", files[at]);
        cr_expect(strstr(readme, name), "the README lacks %s", name);
        snprintf(name, sizeof name, GOLDTHREAD_SOURCE "/scenarios/%s.yaml", files[at]);
        struct ran ran = GOLDTHREAD("check", name);
        cr_expect_eq(ran.status, 0, "%s: %s", name, ran.err);
        ran_free(&ran);
    }
    free(readme);
}
