#include "student.h"

#include <criterion/criterion.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stddef.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Up to 256 degrees exact summation, above an expansion: both sides of where it changes. */
static const double degrees[] = {1, 2, 3, 4, 7, 15, 31, 63, 100, 255, 256, 257, 258, 1023, 1e5, 1e12};

static void compare(double share, double bound)
{
    for (size_t at = 0; at < COUNT(degrees); at++) {
        double expected = gsl_cdf_tdist_Pinv(share, degrees[at]), actual = student_quantile(share, degrees[at]);
        cr_expect_float_eq(actual, expected, bound * fabs(expected), "%g of %g degrees: %.15g, not %.15g", share,
                           degrees[at], actual, expected);
    }
}

Test(student, quantiles_are_those_of_gsl)
{
    static const double shares[] = {0.0001, 0.005, 0.025, 0.05, 0.2, 0.4999, 0.7, 0.9, 0.95, 0.975, 0.995, 0.9999};
    for (size_t at = 0; at < COUNT(shares); at++) compare(shares[at], 1e-9);
}

Test(student, quantiles_far_out_are_nearly_so)
{
    compare(1e-9, 1e-7);
    compare(1 - 1e-9, 1e-7);
}

Test(student, the_middle_is_0_and_the_sides_mirror_each_other)
{
    for (size_t at = 0; at < COUNT(degrees); at++) {
        cr_expect_float_eq(student_quantile(0.5, degrees[at]), 0, 1e-300);
        cr_expect_eq(student_quantile(0.125, degrees[at]), -student_quantile(0.875, degrees[at]));
    }
}

/* Known answers, to the bit. */
Test(student, quantiles_have_their_golden_bits)
{
    cr_expect_eq(student_quantile(0.975, 15), 0x1.10d356b5a06cp+1);
    cr_expect_eq(student_quantile(0.975, 1), 0x1.96993aacc4d14p+3);
    cr_expect_eq(student_quantile(0.95, 4095), 0x1.a52d84e43662ep+0);
}
