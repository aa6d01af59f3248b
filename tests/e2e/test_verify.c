/* goldthread verify, with fewer draws than people use. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support_place.h"

TestSuite(verify, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

Test(verify, everything_passes_and_nothing_is_left)
{
    struct ran ran = GOLDTHREAD("verify", "--draws", "4096", "--workers", "2");
    cr_expect_eq(ran.status, 0, "%s%s", ran.out, ran.err);
    cr_expect_str_empty(ran.err);
    cr_expect_not_null(strstr(ran.out, " pass, 0 fail\n"), "%s", ran.out);
    cr_expect_not_null(strstr(ran.out, "4,096 draws x 8 rows x 1 scenario = 32,768 model runs in 8 blocks, "), "%s",
                       ran.out);
    cr_expect_null(strstr(ran.out, "nan"), "%s", ran.out);
    char state[256];
    snprintf(state, sizeof state, "%s/state/goldthread", place_path());
    cr_expect_eq(count_entries(state), 0);
    cr_expect_eq(count_entries("."), 0, "nothing is written here");
    ran_free(&ran);
}

/* Another function in place of the one whose indices are known. */
Test(verify, a_figure_that_is_off_fails_and_is_named)
{
    static const char *const names[] = {"ishigami",        "sobol_g",         "sobol_g10", "linear_gaussian",
                                        "fails_at_random", "fails_in_corner", "product"};
    cr_assert_eq(mkdir("models", 0700), 0);
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        char command[512];
        snprintf(command, sizeof command, "cp '%s/%s.so' models/%s.so", GOLDTHREAD_MODELS,
                 strcmp(names[at], "product") == 0 ? "fails_in_corner" : names[at], names[at]);
        cr_assert_eq(system(command), 0);
    }
    struct ran ran = GOLDTHREAD("verify", "--draws", "1024", "--models", "models", "--json");
    cr_expect_eq(ran.status, 1, "%s", ran.err);
    json_t *rows = parse_json(ran.out), *row;
    size_t at, fails = 0;
    json_array_foreach(rows, at, row)
    {
        if (json_is_true(json_object_get(row, "pass"))) continue;
        cr_expect_str_eq(json_text(row, "sweep"), "x1 + x2/2 + x1 x2");
        fails++;
    }
    cr_expect_gt(fails, 3);
    json_decref(rows);
    ran_free(&ran);
}

Test(verify, models_that_are_missing_are_a_clear_failure)
{
    struct ran ran = GOLDTHREAD("verify", "--models", "nowhere");
    cr_expect_eq(ran.status, 1);
    cr_expect_str_empty(ran.out);
    cr_expect_not_null(strstr(ran.err, "nowhere/ishigami.so: there is no model"), "%s", ran.err);
    ran_free(&ran);
    ran = GOLDTHREAD("verify", "--draws", "7");
    cr_expect_eq(ran.status, 2);
    ran_free(&ran);
}
