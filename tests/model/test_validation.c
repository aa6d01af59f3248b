/* The validation table: on England's population every row passes; on a part of it national rows stand back. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../skip.h"
#include "population.h"
#include "population_codec.h"
#include "support_model.h"
#include "validation.h"

static int validate(const struct population *population, struct validation_row rows[VALIDATION_ROWS_MAX])
{
    char why[256] = "";
    int count = validation_run(population, rows, VALIDATION_ROWS_MAX, why, sizeof why);
    cr_assert_gt(count, 0, "%s", why);
    return count;
}

static void expect_all_pass(const struct population *population)
{
    struct validation_row rows[VALIDATION_ROWS_MAX];
    int count = validate(population, rows);
    for (int at = 0; at < count; at++)
        cr_expect_eq(rows[at].verdict, VALIDATION_PASS, "%s %s: %.9g, target %.9g", rows[at].id, rows[at].what,
                     rows[at].ours, rows[at].target);
    for (int number = 1; number <= 16; number++) {
        char id[16];
        int found = 0;
        snprintf(id, sizeof id, "V%d", number);
        for (int at = 0; at < count; at++) found += strcmp(rows[at].id, id) == 0;
        cr_expect_gt(found, 0, "%s is missing", id);
    }
}

Test(validation, every_target_is_met_by_the_embedded_population)
{
    struct population *cells = cells_population();
    expect_all_pass(cells);
    population_free(cells);
}

Test(validation, every_target_is_met_by_the_school_file)
{
    struct population *schools = schools_population();
    if (!schools) skip_visibly("the school file is not beside the checkout");
    expect_all_pass(schools);
    population_free(schools);
}

Test(validation, one_school_is_not_held_to_national_figures)
{
    static const char *const national[] = {"V2", "V3", "V4", "V6", "V8", "V9", "V10", "V11", "V16"};
    struct validation_row rows[VALIDATION_ROWS_MAX];
    struct population *school = hand_worked_school();
    int count = validate(school, rows);
    for (int at = 0; at < count; at++) {
        int is_national = 0;
        for (size_t id = 0; id < sizeof national / sizeof *national; id++)
            is_national |= strcmp(rows[at].id, national[id]) == 0;
        cr_expect_eq(rows[at].verdict, is_national ? VALIDATION_NOT_APPLICABLE : VALIDATION_PASS, "%s %s: %.9g",
                     rows[at].id, rows[at].what, rows[at].ours);
        if (is_national)
            cr_expect(isnan(rows[at].ours) && rows[at].note[0] != '\0', "%s %s", rows[at].id, rows[at].what);
    }
    population_free(school);
}

Test(validation, a_changed_population_fails)
{
    struct validation_row rows[VALIDATION_ROWS_MAX];
    struct population *cells = cells_population();
    for (size_t at = 0; at < cells->count; at++)
        if (cells->phase[at] == PHASE_PRIMARY) {
            cells->pupils[at] += 1;
            break;
        }
    int count = validate(cells, rows), failed = 0;
    for (int at = 0; at < count; at++) {
        if (rows[at].verdict != VALIDATION_FAIL) continue;
        failed++;
        cr_expect_str_eq(rows[at].id, "V9");
    }
    cr_expect_eq(failed, 1);
    population_free(cells);
}

Test(validation, arithmetic_on_inputs_does_not_pass_for_a_genuine_check)
{
    static const char *const arithmetic[] = {"RISE: grants to 200 schools at GBP 100,000",
                                             "EPI: extra cost a year of 420,000 teachers at GBP 500",
                                             "NPQ reach after four years of observed starts"};
    struct validation_row rows[VALIDATION_ROWS_MAX];
    struct population *cells = cells_population();
    int count = validate(cells, rows);
    for (size_t row = 0; row < sizeof arithmetic / sizeof *arithmetic; row++) {
        int at = 0;
        while (at < count && strcmp(rows[at].what, arithmetic[row]) != 0) at++;
        cr_assert_lt(at, count, "%s", arithmetic[row]);
        cr_expect_eq(rows[at].kind, VALIDATION_INPUT, "%s", arithmetic[row]);
    }
    population_free(cells);
}

Test(validation, no_more_rows_than_there_is_room_for)
{
    struct validation_row rows[3];
    char why[256];
    struct population *school = hand_worked_school();
    cr_expect_eq(validation_run(school, rows, 3, why, sizeof why), 3);
    cr_expect_eq(validation_run(school, rows, 0, why, sizeof why), 0);
    population_free(school);
}
