#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../skip.h"
#include "embed.h"
#include "population.h"

#define WHY_BYTES    512
#define SCHOOLS_FILE GOLDTHREAD_SOURCE "/../shared/evidence/schools.csv"
#define CELLS_FILE   GOLDTHREAD_SOURCE "/../shared/evidence/cells.csv"

static struct population *read_text(const char *text, char why[WHY_BYTES])
{
    why[0] = '\0';
    return population_read((struct span){(const uint8_t *)text, strlen(text)}, why, WHY_BYTES);
}

#define SCHOOL_HEADER                                                                                                  \
    "urn,name,la,la_name,region,phase,pupils,fsm6_pct,fsm6_quintile,pp50_2025,rise_2025,teachers_fte_est,"             \
    "ks4_pupils_2024,ks4_disadv_pct_2024\n"
#define CELL_HEADER                                                                                                    \
    "la,la_name,region,phase,fsm6_quintile,rise_2025,schools,pp50_schools,pupils_jan2023,teachers_fte_nov2022,"        \
    "fsm6_pct,ks4_pupils_2024,ks4_fsm6_pct,ks4_disadv_pct\n"

Test(population, a_school_row_is_read_into_every_column)
{
    char why[WHY_BYTES];
    struct population *population = read_text(
        "rise_2025,ignored,urn,name,la,la_name,region,phase,pupils,fsm6_pct,fsm6_quintile,pp50_2025,"
        "teachers_fte_est,ks4_pupils_2024,ks4_disadv_pct_2024\r\n"
        "1,x,123456,\"St \"\"A\"\", B\",801,\"Bristol, City of\",South West,secondary,1000,40,5,1,60.5,200,30\r\n",
        why);
    cr_assert_not_null(population, "%s", why);
    cr_expect_eq(population->count, 1);
    cr_expect_eq(population->urn[0], 123456);
    cr_expect_str_eq(population->name[0], "St \"A\", B");
    cr_expect_eq(population->phase[0], PHASE_SECONDARY);
    cr_expect_eq(population->quintile[0], 5);
    cr_expect_eq(population->rise[0], 1);
    cr_expect_eq(population->schools[0], 1);
    cr_expect_eq(population->pp50_schools[0], 1);
    cr_expect(population->pupils[0] == 1000 && population->fte[0] == 60.5 && population->ks4[0] == 200);
    cr_expect(population->fsm6[0] == 0.4 && population->ks4_fsm6[0] == 0.4 && population->ks4_disadvantaged[0] == 0.3);
    cr_assert_eq(population->authority_count, 1);
    cr_expect_eq(population->authority[0], 0);
    cr_expect_eq(population->authorities[0].number, 801);
    cr_expect_eq(population->authorities[0].region, 9);
    cr_expect_str_eq(population->authorities[0].name, "Bristol, City of");
    population_free(population);
}

Test(population, blanks_of_a_school_take_the_stated_values)
{
    static const struct {
        const char *what, *row;
        double fsm6, ks4, ks4_fsm6, ks4_disadvantaged;
        int quintile;
    } rows[] = {
        {"nothing known of a nursery", "1,,201,A,London,nursery,100,,,0,0,5,,\n", 0.25, 0, 0.25, 0.25, 0},
        {"a secondary without a cohort", "1,,201,A,London,secondary,1000,20,2,0,0,60,,\n", 0.2, 170, 0.2, 0.2, 2},
        {"a secondary with nothing", "1,,201,A,London,secondary,1000,,,0,0,60,,\n", 0.25, 170, 0.25, 0.25, 0},
        {"a cohort of none is not unknown", "1,,201,A,London,secondary,1000,20,2,0,0,60,0,\n", 0.2, 0, 0.2, 0.2, 2},
        {"a special school without a cohort", "1,,201,A,London,special,100,20,2,0,0,20,,\n", 0.2, 0, 0.2, 0.2, 2},
        {"a special school with one", "1,,201,A,London,special,100,20,2,0,0,20,9,\n", 0.2, 9, 0.2, 0.2, 2},
        {"a share of the cohort", "1,,201,A,London,special,100,20,2,0,0,20,9,60\n", 0.2, 9, 0.2, 0.6, 2},
        {"no pupil is eligible", "1,,201,A,London,primary,100,0,1,0,0,5,,\n", 0, 0, 0, 0, 1},
        {"an empty school", "1,,201,A,London,ap,0,0,1,0,0,0,,\n", 0, 0, 0, 0, 1},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char text[1024], why[WHY_BYTES];
        snprintf(text, sizeof text, "%s%s", SCHOOL_HEADER, rows[at].row);
        struct population *population = read_text(text, why);
        cr_assert_not_null(population, "%s: %s", rows[at].what, why);
        cr_expect(population->fsm6[0] == rows[at].fsm6, "%s: FSM6 %g", rows[at].what, population->fsm6[0]);
        cr_expect_float_eq(population->ks4[0], rows[at].ks4, 1e-12, "%s: KS4 %g", rows[at].what, population->ks4[0]);
        cr_expect(population->ks4_fsm6[0] == rows[at].ks4_fsm6, "%s: %g", rows[at].what, population->ks4_fsm6[0]);
        cr_expect(population->ks4_disadvantaged[0] == rows[at].ks4_disadvantaged, "%s: %g", rows[at].what,
                  population->ks4_disadvantaged[0]);
        cr_expect_eq(population->quintile[0], rows[at].quintile, "%s", rows[at].what);
        cr_expect_str_eq(population->name[0], "", "%s", rows[at].what);
        population_free(population);
    }
}

Test(population, the_way_a_figure_is_written_does_not_change_the_digest)
{
    static const char *const rows[] = {
        "1,,201,A,London,primary,100,0,1,0,0,5.5,,\n",
        "1,\"\",201,\"A\",london,primary,1e2,-0,1.0,0,0,+5.50,,\r\n",
    };
    struct digest digests[2];
    for (size_t at = 0; at < 2; at++) {
        char text[512], why[WHY_BYTES];
        snprintf(text, sizeof text, "%s%s", SCHOOL_HEADER, rows[at]);
        struct population *population = read_text(text, why);
        cr_assert_not_null(population, "%s", why);
        digests[at] = population_identity(population);
        population_free(population);
    }
    cr_expect_arr_eq(digests[0].bytes, digests[1].bytes, DIGEST_BYTES);
}

Test(population, names_and_pupil_premium_may_be_left_out)
{
    char why[WHY_BYTES];
    struct population *population = read_text(
        "urn,la,la_name,region,phase,pupils,fsm6_pct,fsm6_quintile,rise_2025,teachers_fte_est,ks4_pupils_2024,"
        "ks4_disadv_pct_2024\n7,201,A,London,primary,100,10,1,0,5,,\n",
        why);
    cr_assert_not_null(population, "%s", why);
    cr_expect_eq(population->pp50_schools[0], 0);
    cr_expect_str_eq(population->name[0], "");
    population_free(population);
}

Test(population, authorities_ascend_by_number_and_rows_point_at_them)
{
    char why[WHY_BYTES];
    struct population *population = read_text(SCHOOL_HEADER "1,,301,C,London,primary,1,1,1,0,0,1,,\n"
                                                            "2,,202,B,South East,primary,1,1,1,0,0,1,,\n"
                                                            "3,,301,C,LONDON,primary,1,1,1,0,0,1,,\n",
                                              why);
    cr_assert_not_null(population, "%s", why);
    cr_assert_eq(population->authority_count, 2);
    cr_expect_eq(population->authorities[0].number, 202);
    cr_expect_eq(population->authorities[1].number, 301);
    cr_expect_eq(population->authority[0], 1);
    cr_expect_eq(population->authority[1], 0);
    cr_expect_eq(population->authority[2], 1);
    cr_expect_eq(population->authorities[0].region, 8);
    population_free(population);
}

Test(population, a_cell_row_is_read_into_every_column)
{
    char why[WHY_BYTES];
    struct population *population = read_text(CELL_HEADER "201,A,London,secondary,3,1,4,2,4000,250.5,25,700,26,27\n"
                                                          "201,A,London,nursery,0,0,1,0,0,5,,0,,\n",
                                              why);
    cr_assert_not_null(population, "%s", why);
    cr_expect_eq(population->count, 2);
    cr_expect_null(population->name, "cells have no names");
    cr_expect_eq(population->urn[0], 0);
    cr_expect_eq(population->schools[0], 4);
    cr_expect_eq(population->pp50_schools[0], 2);
    cr_expect(population->fte[0] == 250.5 && population->ks4[0] == 700);
    cr_expect(population->fsm6[0] == 0.25 && population->ks4_fsm6[0] == 0.26 &&
              population->ks4_disadvantaged[0] == 0.27);
    cr_expect(population->fsm6[1] == 0.25 && population->ks4_fsm6[1] == 0.25 &&
              population->ks4_disadvantaged[1] == 0.25);
    population_free(population);
}

struct wrong {
    const char *text, *place, *words; /* the place the fault names, and words that it holds */
};

static void expect_refused(const struct wrong *rows, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        char why[WHY_BYTES];
        struct population *population = read_text(rows[at].text, why);
        cr_expect_null(population, "row %zu is refused", at);
        cr_expect(strncmp(why, rows[at].place, strlen(rows[at].place)) == 0, "row %zu is at %s: %s", at, rows[at].place,
                  why);
        cr_expect_not_null(strstr(why, rows[at].words), "row %zu says %s: %s", at, rows[at].words, why);
        cr_expect_null(strchr(why, '\n'), "row %zu gives one line: %s", at, why);
        population_free(population);
    }
}

Test(population, a_file_without_its_shape_is_refused)
{
    static const struct wrong rows[] = {
        {"", "1:0: ", "the file is empty; needed are urn, la"},
        {"\n\n", "1:0: ", "the file is empty"},
        {SCHOOL_HEADER, "2:0: ", "no rows"},
        {CELL_HEADER "\n", "3:0: ", "no rows"},
        {"a,b\n1,2\n", "1:0: ", "column `urn` is missing; needed are urn, la, la_name, region, phase"},
        {"urn,la,la_name,region,phase,pupils,fsm6_pct\n", "1:0: ", "column `fsm6_quintile` is missing"},
        {"schools,la\n1,2\n", "1:0: ", "column `la_name` is missing; needed are la, la_name, region"},
        {"urn,la,urn\n", "1:3: ", "column `urn` is there twice"},
        {SCHOOL_HEADER "1,,201,A,London,primary,1,1,1,0,0,1,\n", "2:0: ", "13 fields; the header has 14"},
        {SCHOOL_HEADER "1,,201,A,London,primary,1,1,1,0,0,1,,,\n", "2:0: ", "15 fields; the header has 14"},
        {SCHOOL_HEADER "1,\"A,201\n", "2:2: ", "never ends"},
        {SCHOOL_HEADER "1,A \"B\",201\n", "2:2: ", "quote"},
        {"version: 1\nscenarios: []\n", "1:0: ", "column `urn` is missing"},
    };
    expect_refused(rows, sizeof rows / sizeof *rows);
}

#define SCHOOL(urn, name, la, la_name, region, phase, pupils, fsm6, quintile, pp50, rise, fte, ks4, disadvantaged)     \
    SCHOOL_HEADER "1,,201,A,London,primary,1,1,1,0,0,1,,\n" urn "," name "," la "," la_name "," region "," phase       \
                  "," pupils "," fsm6 "," quintile "," pp50 "," rise "," fte "," ks4 "," disadvantaged "\n"

Test(population, a_wrong_field_of_a_school_is_named_with_what_is_allowed)
{
    static const struct wrong rows[] = {
        {SCHOOL("", "", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:1: ", "`urn` is blank; allowed is a whole number"},
        {SCHOOL("x1", "", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:1: ", "`urn` is `x1`"},
        {SCHOOL("2.5", "", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""), "3:1: ", "whole"},
        {SCHOOL("0", "", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""), "3:1: ", "from 1"},
        {SCHOOL("4294967296", "", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:1: ", "999999999"},
        {SCHOOL("1", "", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:1: ", "`urn` 1 is on line 2 already"},
        {SCHOOL("2", "a\tb", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:2: ", "`name` is `a?b`"},
        {SCHOOL("2", "\xe9t\xe9", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:2: ", "UTF-8"},
        {SCHOOL("2", "", "99", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""), "3:3: ", "100 to 999"},
        {SCHOOL("2", "", "1000", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:3: ", "100 to 999"},
        {SCHOOL("2", "", "", "A", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""), "3:3: ", "blank"},
        {SCHOOL("2", "", "202", "", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""), "3:4: ", "blank"},
        {SCHOOL("2", "", "201", "B", "London", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:4: ", "authority 201 is `A` in London on line 2"},
        {SCHOOL("2", "", "201", "A", "South East", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:5: ", "authority 201 is `A` in London on line 2"},
        {SCHOOL("2", "", "202", "B", "Wales", "primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:5: ", "`region` is `Wales`; allowed is North East, North West, Yorkshire and The Humber"},
        {SCHOOL("2", "", "202", "B", "", "primary", "1", "1", "1", "0", "0", "1", "", ""), "3:5: ", "blank"},
        {SCHOOL("2", "", "201", "A", "London", "Primary", "1", "1", "1", "0", "0", "1", "", ""),
         "3:6: ", "`phase` is `Primary`; allowed is primary, secondary, special, ap or nursery"},
        {SCHOOL("2", "", "201", "A", "London", "", "1", "1", "1", "0", "0", "1", "", ""), "3:6: ", "blank"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "", "1", "1", "0", "0", "1", "", ""),
         "3:7: ", "`pupils` is blank"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "-1", "1", "1", "0", "0", "1", "", ""), "3:7: ", "`-1`"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1e9", "1", "1", "0", "0", "1", "", ""),
         "3:7: ", "100000000"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "nan", "1", "1", "0", "0", "1", "", ""), "3:7: ", "`nan`"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "0x10", "1", "1", "0", "0", "1", "", ""), "3:7: ", "`0x10`"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "\"1,000\"", "1", "1", "0", "0", "1", "", ""),
         "3:7: ", "`1,000`"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "100.1", "1", "0", "0", "1", "", ""),
         "3:8: ", "a percentage from 0 to 100"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "-0.1", "1", "0", "0", "1", "", ""), "3:8: ", "`-0.1`"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "1", "6", "0", "0", "1", "", ""), "3:9: ", "1 to 5"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "1", "0", "0", "0", "1", "", ""), "3:9: ", "or blank"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "1", "1.5", "0", "0", "1", "", ""), "3:9: ", "`1.5`"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "1", "1", "2", "0", "1", "", ""), "3:10: ", "0 or 1"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "1", "1", "0", "yes", "1", "", ""), "3:11: ", "0 or 1"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "1", "1", "0", "", "1", "", ""), "3:11: ", "blank"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "", "", ""),
         "3:12: ", "`teachers_fte_est` is blank"},
        {SCHOOL("2", "", "201", "A", "London", "primary", "1", "1", "1", "0", "0", "-5", "", ""), "3:12: ", "`-5`"},
        {SCHOOL("2", "", "201", "A", "London", "secondary", "1", "1", "1", "0", "0", "1", "?", ""), "3:13: ", "`?`"},
        {SCHOOL("2", "", "201", "A", "London", "secondary", "1", "1", "1", "0", "0", "1", "9", "101"), "3:14: ", "100"},
    };
    expect_refused(rows, sizeof rows / sizeof *rows);
}

#define CELL(row) CELL_HEADER "201,A,London,secondary,3,1,4,2,4000,250,25,700,26,27\n" row "\n"

Test(population, a_wrong_field_of_a_cell_is_named_with_what_is_allowed)
{
    static const struct wrong rows[] = {
        {CELL("201,A,London,secondary,3,0,0,0,1,1,1,1,1,1"), "3:7: ", "`schools` is `0`; allowed is a whole number"},
        {CELL("201,A,London,secondary,3,0,2,3,1,1,1,1,1,1"), "3:8: ", "from 0 to `schools`"},
        {CELL("201,A,London,secondary,6,0,2,1,1,1,1,1,1,1"), "3:5: ", "1 to 5, or 0"},
        {CELL("201,A,London,secondary,3,0,2,1,1,1,1,1,101,1"), "3:13: ", "`ks4_fsm6_pct` is `101`"},
        {CELL("201,A,London,secondary,3,1,1,1,1,1,1,1,1,1"),
         "3:0: ", "line 2 has the same authority, phase, quintile and RISE flag"},
    };
    expect_refused(rows, sizeof rows / sizeof *rows);
}

Test(population, a_long_field_is_quoted_by_its_beginning)
{
    char text[2048], why[WHY_BYTES], name[301];
    memset(name, 'n', 300);
    name[300] = '\0';
    snprintf(text, sizeof text, "%s1,%s,201,A,London,primary,1,1,1,0,0,1,,\n", SCHOOL_HEADER, name);
    cr_expect_null(read_text(text, why));
    cr_expect_eq(strncmp(why, "2:2: `name` is `nnnn", 20), 0, "%s", why);
    cr_expect_not_null(strstr(why, "nnn...`; allowed is a name below 256 bytes"), "%s", why);
}

Test(population, a_fault_fits_any_buffer)
{
    char whole[WHY_BYTES];
    cr_expect_null(read_text("urn\n", whole));
    for (size_t room = 1; room < strlen(whole) + 2; room++) {
        char *why = malloc(room);
        cr_expect_null(population_read((struct span){(const uint8_t *)"urn\n", 4}, why, room));
        cr_expect_eq(strncmp(why, whole, room - 1), 0, "a buffer of %zu", room);
        free(why);
    }
}

/* Reads a copy of its own, so that a sanitizer sees a step too far, and checks what a fault looks like. */
static void expect_population_or_fault(const char *text, size_t size)
{
    char why[WHY_BYTES];
    unsigned line, column;
    int used = 0;
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    struct population *population = population_read((struct span){copy, size}, why, sizeof why);
    if (!population) {
        cr_expect_eq(sscanf(why, "%u:%u: %n", &line, &column, &used), 2, "%s", why);
        cr_expect(used > 0 && why[used] != '\0', "%s", why);
        cr_expect_null(strpbrk(why, "\r\n"), "%s", why);
    }
    population_free(population);
    free(copy);
}

Test(population, any_byte_may_change_and_any_end_be_lost)
{
    static const char text[] = SCHOOL_HEADER "1,\"A, \"\"B\"\"\",201,A,London,secondary,100.5,12,1,0,1,1,7,50\r\n"
                                             "2,\xc3\xa9,202,B,South East,nursery,1,,,0,0,1,,\r\n";
    static const char changes[] = "\0\"\n\r,09-.e\x80\xff ";
    char changed[sizeof text];
    for (size_t at = 0; at < sizeof text - 1; at++) {
        expect_population_or_fault(text, at);
        for (size_t change = 0; change < sizeof changes - 1; change++) {
            memcpy(changed, text, sizeof text);
            changed[at] = changes[change];
            expect_population_or_fault(changed, sizeof text - 1);
        }
    }
    expect_population_or_fault(text, sizeof text - 1);
}

Test(population, nul_bytes_are_refused_at_once)
{
    uint8_t zeros[4096] = {0};
    char why[WHY_BYTES];
    cr_expect_null(population_read((struct span){zeros, sizeof zeros}, why, sizeof why));
    cr_expect_eq(strncmp(why, "1:1: a NUL byte", 15), 0, "%s", why);
}

/* A file of `rows` schools, to be freed. */
static char *many_schools(size_t rows)
{
    char *text = malloc(sizeof SCHOOL_HEADER + rows * 64);
    size_t used = (size_t)sprintf(text, "%s", SCHOOL_HEADER);
    for (size_t row = 1; row <= rows; row++)
        used += (size_t)sprintf(text + used, "%zu,,201,A,London,primary,1,1,1,0,0,1,,\n", row);
    return text;
}

Test(population, rows_are_bounded)
{
    char why[WHY_BYTES];
    char *text = many_schools(POPULATION_ROWS_MAX);
    struct population *population = read_text(text, why);
    cr_assert_not_null(population, "%s", why);
    cr_expect_eq(population->count, POPULATION_ROWS_MAX);
    population_free(population);
    free(text);

    text = many_schools(POPULATION_ROWS_MAX + 1);
    cr_expect_null(read_text(text, why));
    cr_expect_eq(strncmp(why, "200002:0: too many rows; at most 200000", 39), 0, "%s", why);
    free(text);
}

struct totals {
    uint32_t schools, rise_schools;
    double pupils, fte, ks4, rise_pupils;
};

static struct totals add_up(const struct population *population)
{
    struct totals totals = {0};
    for (size_t row = 0; row < population->count; row++) {
        totals.schools += population->schools[row];
        totals.pupils += population->pupils[row];
        totals.fte += population->fte[row];
        totals.ks4 += population->ks4[row];
        if (!population->rise[row]) continue;
        totals.rise_schools += population->schools[row];
        totals.rise_pupils += population->pupils[row];
    }
    return totals;
}

static void expect_published_totals(const struct population *population)
{
    struct totals totals = add_up(population);
    cr_expect_eq(totals.schools, 22025);
    cr_expect(totals.pupils == 8481287, "%.17g", totals.pupils);
    cr_expect_float_eq(totals.fte, 463366.4, 1e-6, "%.17g", totals.fte);
    cr_expect_float_eq(totals.ks4, 633460.68, 1e-6, "%.17g", totals.ks4);
    cr_expect_eq(totals.rise_schools, 366);
    cr_expect(totals.rise_pupils == 211868, "%.17g", totals.rise_pupils);
}

Test(population, the_built_in_table_holds_its_stated_totals)
{
    struct population *population = population_built_in();
    cr_assert_not_null(population);
    cr_expect_eq(population->count, 2471);
    cr_expect_eq(population->authority_count, 152);
    expect_published_totals(population);
    population_free(population);
}

Test(population, the_built_in_table_holds_the_published_pupils_of_each_phase)
{
    static const struct {
        enum phase phase;
        uint32_t schools;
        double pupils;
    } rows[] = {{PHASE_PRIMARY, 16783, 4647851}, {PHASE_SECONDARY, 3444, 3630171}, {PHASE_SPECIAL, 1080, 152578}};
    struct population *population = population_built_in();
    cr_assert_not_null(population);
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        uint32_t schools = 0;
        double pupils = 0;
        for (size_t row = 0; row < population->count; row++) {
            if (population->phase[row] != rows[at].phase) continue;
            schools += population->schools[row];
            pupils += population->pupils[row];
        }
        cr_expect_eq(schools, rows[at].schools, "%s: %u schools", phase_name(rows[at].phase), schools);
        cr_expect(pupils == rows[at].pupils, "%s: %.17g pupils", phase_name(rows[at].phase), pupils);
    }
    population_free(population);
}

Test(population, the_built_in_table_survives_its_canonical_encoding)
{
    struct buffer bytes = {0};
    const char *why = NULL;
    struct population *population = population_built_in();
    cr_assert_not_null(population);
    population_encode(population, &bytes);
    struct population *decoded = population_decode(buffer_span(&bytes), &why);
    cr_assert_not_null(decoded, "%s", why);
    struct digest before = population_identity(population), after = population_identity(decoded);
    cr_expect_arr_eq(before.bytes, after.bytes, DIGEST_BYTES);
    expect_published_totals(decoded);
    population_free(decoded);
    population_free(population);
    buffer_free(&bytes);
}

Test(population, regions_and_phases_are_named)
{
    cr_expect_str_eq(region_name(1), "North East");
    cr_expect_str_eq(region_name(7), "London");
    cr_expect_str_eq(region_name(9), "South West");
    cr_expect_str_eq(phase_name(PHASE_PRIMARY), "primary");
    cr_expect_str_eq(phase_name(PHASE_NURSERY), "nursery");
}

/* A file that the built-in table was made from; NULL where it is not at hand. */
static struct population *read_evidence(const char *path)
{
    char why[WHY_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    size_t room = 8u << 20;
    uint8_t *bytes = malloc(room);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    struct population *population = population_read((struct span){bytes, size}, why, sizeof why);
    free(bytes);
    cr_assert_not_null(population, "%s", why);
    return population;
}

/* Sums over the schools of one cell. */
struct cell {
    uint32_t schools, pp50_schools;
    double pupils, fte, ks4, fsm6_pupils, fsm6_ks4, disadvantaged_ks4;
};

static size_t cell_key(const struct population *population, size_t row)
{
    size_t key = population->authorities[population->authority[row]].number;
    key = key * PHASE_COUNT + population->phase[row];
    key = key * QUINTILE_COUNT + population->quintile[row];
    return key * 2 + population->rise[row];
}

#define CELL_KEYS (1000 * PHASE_COUNT * QUINTILE_COUNT * 2)

static struct cell *sum_cells(const struct population *schools)
{
    struct cell *cells = calloc(CELL_KEYS, sizeof *cells);
    for (size_t row = 0; row < schools->count; row++) {
        struct cell *cell = &cells[cell_key(schools, row)];
        cell->schools += schools->schools[row];
        cell->pp50_schools += schools->pp50_schools[row];
        cell->pupils += schools->pupils[row];
        cell->fte += schools->fte[row];
        cell->ks4 += schools->ks4[row];
        cell->fsm6_pupils += schools->fsm6[row] * schools->pupils[row];
        cell->fsm6_ks4 += schools->fsm6[row] * schools->ks4[row];
        cell->disadvantaged_ks4 += schools->ks4_disadvantaged[row] * schools->ks4[row];
    }
    return cells;
}

/* Half a unit of the table's last printed digit: six decimals of a number, or of a percentage. */
static void expect_cell(const struct population *population, size_t row, const struct cell *cell)
{
    const struct {
        const char *what;
        double have, want, weight, precision;
    } columns[] = {
        {"schools", population->schools[row], cell->schools, 1, 0},
        {"PP50", population->pp50_schools[row], cell->pp50_schools, 1, 0},
        {"pupils", population->pupils[row], cell->pupils, 1, 0},
        {"FTE", population->fte[row], cell->fte, 1, 0.5001e-6},
        {"KS4", population->ks4[row], cell->ks4, 1, 0.5001e-6},
        {"FSM6", population->fsm6[row], cell->fsm6_pupils, cell->pupils, 0.5001e-8},
        {"FSM6 of KS4", population->ks4_fsm6[row], cell->fsm6_ks4, cell->ks4, 0.5001e-8},
        {"disadvantaged", population->ks4_disadvantaged[row], cell->disadvantaged_ks4, cell->ks4, 0.5001e-8},
    };
    for (size_t at = 0; at < sizeof columns / sizeof *columns; at++) {
        if (columns[at].weight == 0) continue; /* a mean over nobody */
        double want = columns[at].want / columns[at].weight;
        cr_expect(fabs(columns[at].have - want) <= columns[at].precision, "row %zu: %s is %.17g, not %.17g", row,
                  columns[at].what, columns[at].have, want);
    }
}

Test(population, the_built_in_table_is_the_sum_of_the_school_file)
{
    struct population *schools = read_evidence(SCHOOLS_FILE);
    if (!schools) skip_visibly("there is no " SCHOOLS_FILE);
    struct population *cells = population_built_in();
    cr_assert_not_null(cells);
    struct cell *sums = sum_cells(schools);
    size_t found = 0;
    for (size_t key = 0; key < CELL_KEYS; key++) found += sums[key].schools > 0;
    cr_expect_eq(found, cells->count, "%zu cells", found);
    for (size_t row = 0; row < cells->count; row++) expect_cell(cells, row, &sums[cell_key(cells, row)]);
    free(sums);
    population_free(cells);
    population_free(schools);
}

Test(population, the_school_file_holds_the_same_totals_and_authorities)
{
    struct population *schools = read_evidence(SCHOOLS_FILE);
    if (!schools) skip_visibly("there is no " SCHOOLS_FILE);
    struct population *cells = population_built_in();
    cr_assert_not_null(cells);
    expect_published_totals(schools);
    cr_assert_eq(schools->authority_count, cells->authority_count);
    for (size_t at = 0; at < cells->authority_count; at++) {
        cr_expect_eq(schools->authorities[at].number, cells->authorities[at].number);
        cr_expect_eq(schools->authorities[at].region, cells->authorities[at].region);
        cr_expect_str_eq(schools->authorities[at].name, cells->authorities[at].name);
    }
    population_free(cells);
    population_free(schools);
}

Test(population, the_cell_file_gives_the_digest_of_the_built_in_table)
{
    struct population *given = read_evidence(CELLS_FILE);
    if (!given) skip_visibly("there is no " CELLS_FILE);
    struct population *built_in = population_built_in();
    cr_assert_not_null(built_in);
    struct digest left = population_identity(given), right = population_identity(built_in);
    cr_expect_arr_eq(left.bytes, right.bytes, DIGEST_BYTES);
    population_free(built_in);
    population_free(given);
}
