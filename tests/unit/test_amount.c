/* Figures as people and programs read them. */
#include "amount.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

Test(amount, has_no_exponent_and_no_zeros_that_say_nothing)
{
    static const struct {
        double value;
        int digits;
        const char *text;
    } rows[] = {
        {0, 4, "0"},
        {-0.0, 4, "0"},
        {2.5, 4, "2.5"},
        {-1234.5678, 4, "-1235"},
        {260034567, 4, "260034567"},
        {1e6, 4, "1000000"},
        {0.000012345, 3, "0.0000123"},
        {-0.00001, 3, "-0.00001"},
        {99999.6, 4, "100000"},
        {9.99996, 4, "10"},
        {1e-12, 2, "1e-12"},
        {9e20, 2, "900000000000000000000"},
        {1.5e300, 4, "1.5e+300"},
        {-DBL_MAX, 3, "-1.8e+308"},
        {NAN, 4, "-"},
        {-INFINITY, 4, "-"},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char text[AMOUNT_BYTES];
        amount_text(rows[at].value, rows[at].digits, text);
        cr_expect_str_eq(text, rows[at].text, "row %zu: %s", at, text);
    }
}

Test(amount, has_as_many_decimals_as_digits_are_wanted)
{
    cr_expect_eq(amount_decimals(0.0074, 2), 4);
    cr_expect_eq(amount_decimals(3, 2), 1);
    cr_expect_eq(amount_decimals(-242.2, 2), 0);
    cr_expect_eq(amount_decimals(0, 2), 0);
    cr_expect_eq(amount_decimals(NAN, 2), 0);
    cr_expect_eq(amount_decimals(1e-30, 2), 12);
}

Test(amount, side_by_side_has_the_same_decimals)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{5.2521, "5.252"}, {5.29, "5.290"},  {-0.0001, "0.000"},         {-0.001, "-0.001"},
                {NAN, "-"},        {-INFINITY, "-"}, {-4.785e298, "-4.785e+298"}};
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char text[AMOUNT_BYTES];
        amount_fixed(rows[at].value, 3, text);
        cr_expect_str_eq(text, rows[at].text, "row %zu: %s", at, text);
    }
}

Test(amount, of_certainty_is_a_percentage_that_means_something)
{
    static const struct {
        double share;
        const char *text;
    } rows[] = {{5.3e-7, "better than 0.01 %"},
                {0, "better than 0.01 %"},
                {0.00014, "0.014 %"},
                {0.0014, "0.14 %"},
                {0.12, "12 %"},
                {12.4, "1240 %"}};
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char text[AMOUNT_BYTES];
        amount_percent(rows[at].share, text);
        cr_expect_str_eq(text, rows[at].text);
    }
}

Test(amount, of_money_comes_in_millions_and_a_ratio_without_unit)
{
    cr_expect_str_eq(amount_unit("GBP").name, "GBP million");
    cr_expect_eq(amount_unit("GBP").scale, 1e-6);
    cr_expect_str_eq(amount_unit("ratio").name, "");
    cr_expect_str_eq(amount_unit("FTE").name, "FTE");
    cr_expect_eq(amount_unit("FTE").scale, 1);
}

Test(amount, in_json_is_neither_minus_zero_nor_undefined)
{
    json_t *zero = amount_json(-0.0), *gap = amount_json(NAN), *endless = amount_json(INFINITY);
    cr_expect_not(signbit(json_real_value(zero)));
    cr_expect(json_is_null(gap) && json_is_null(endless));
    json_decref(zero);
}
