#include <criterion/criterion.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <goldthread/sweep.h>

#include "beta.h"
#include "distribution.h"

/* What an empirical distribution draws from. */
static const double pool[SWEEP_POOL_MAX] = {99, -1, -1, 0.5, 2, 7, NAN, 3, 1};

static const struct distribution every_kind[] = {
    {.kind = DISTRIBUTION_UNIFORM, .low = 1, .high = 2},
    {.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 0.05, .high = 0.12},
    {.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 0, .high = 1},
    {.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 1, .high = 1},
    {.kind = DISTRIBUTION_NORMAL, .mean = 0, .sd = 1},
    {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0.05, .sd = 0.1, .low = 0, .high = 0.12},
    {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0, .sd = 1, .low = 8, .high = 9},
    {.kind = DISTRIBUTION_LOGNORMAL, .median = 25000, .sigma = 0.5},
    {.kind = DISTRIBUTION_BETA, .low = 0.2, .mode = 0.5, .high = 1},
    {.kind = DISTRIBUTION_BETA, .low = 0, .mode = 0, .high = 1},
    {.kind = DISTRIBUTION_BETA, .low = 0, .mode = 1, .high = 1},
    {.kind = DISTRIBUTION_DISCRETE, .point_count = 3, .values = {1, 2, 10}, .weights = {1, 2, 1}},
    {.kind = DISTRIBUTION_LOG_UNIFORM, .low = 0.01, .high = 100},
    {.kind = DISTRIBUTION_LOG_UNIFORM, .low = 1e-300, .high = 1e300},
    {.kind = DISTRIBUTION_PERT, .low = 0.2, .mode = 0.5, .high = 1, .weights = {1.5}},
    {.kind = DISTRIBUTION_PERT, .low = 0, .mode = 1, .high = 1, .weights = {6}},
    {.kind = DISTRIBUTION_EMPIRICAL, .point_count = 5, .pool_first = 1},
};
enum { KIND_ROWS = sizeof every_kind / sizeof every_kind[0] };

static double at(struct distribution distribution, double u)
{
    struct quantile *quantile = quantile_new(&distribution, pool);
    cr_assert_not_null(quantile);
    double value = quantile_at(quantile, u);
    quantile_free(quantile);
    return value;
}

static double relative(double value, double exact)
{
    return fabs(value - exact) / fabs(exact);
}

/* Shares from the far tails to the middle, more of them where they are common. */
static size_t fill_shares(double *shares, size_t capacity)
{
    size_t count = 0;
    for (double digits = -300; digits < -0.35; digits *= 0.97) shares[count++] = pow(10, digits);
    for (int step = 1; step < 2000; step++) shares[count++] = step / 2000.0;
    for (double digits = -0.35; digits > -15.6; digits -= 0.11) shares[count++] = 1 - pow(10, digits);
    cr_assert_leq(count, capacity);
    return count;
}

Test(distribution, normal_quantiles_agree_with_gsl_from_tail_to_tail)
{
    double shares[4096];
    size_t count = fill_shares(shares, 4096);
    for (size_t row = 0; row < count; row++) {
        if (shares[row] == 0.5) continue;
        double exact =
            shares[row] < 0.5 ? gsl_cdf_ugaussian_Pinv(shares[row]) : gsl_cdf_ugaussian_Qinv(1 - shares[row]);
        cr_assert_lt(relative(normal_quantile(shares[row]), exact), 3e-15, "u = %g: %a, not %a", shares[row],
                     normal_quantile(shares[row]), exact);
    }
    cr_assert_eq(normal_quantile(0.5), 0);
}

/* Computed with 60 digits. */
Test(distribution, normal_quantiles_are_the_known_ones)
{
    static const struct {
        double u, z;
    } known[] = {
        {0x1p-1074, -38.467405617144346}, {1e-300, -37.047096299361199},
        {1e-100, -21.273453560965324},    {0x1p-53, -8.2095361516013869},
        {1e-5, -4.2648907939228246},      {0.075, -1.4395314709384559},
        {0.25, -0.67448975019608174},     {0.925, 1.4395314709384562},
        {1 - 1e-9, 5.9978070196016374},   {0x1.fffffffffffffp-1, 8.2095361516013869},
    };
    for (size_t row = 0; row < sizeof known / sizeof known[0]; row++)
        cr_assert_lt(relative(normal_quantile(known[row].u), known[row].z), 1e-15, "u = %g", known[row].u);
}

/* Computed with 60 digits. */
Test(distribution, normal_shares_keep_their_digits_far_out)
{
    static const struct {
        double x, share;
    } known[] = {
        {-37, 5.7255712225245768e-300}, {-30, 4.9067139271481871e-198}, {-20.3, 6.4292444676983463e-92},
        {-8, 6.2209605742717841e-16},   {-1.1, 0.13566606094638266},    {0, 0.5},
        {0.7, 0.75803634777692697},     {3, 0.99865010196836991},       {8, 0.99999999999999938},
    };
    for (size_t row = 0; row < sizeof known / sizeof known[0]; row++)
        cr_assert_lt(relative(normal_cdf(known[row].x), known[row].share), 1e-15, "x = %g", known[row].x);
    for (double x = -37; x < 37; x += 0.0137)
        cr_assert_lt(relative(normal_cdf(x), gsl_cdf_ugaussian_P(x)), 2e-15, "x = %g", x);
}

Test(distribution, uniform_runs_evenly_from_low_to_high)
{
    struct distribution uniform = {.kind = DISTRIBUTION_UNIFORM, .low = -3, .high = 5};
    cr_assert_eq(at(uniform, 0.5), 1);
    cr_assert_eq(at(uniform, 0.125), -2);
    cr_assert_geq(at(uniform, 0x1p-53), -3);
    cr_assert_leq(at(uniform, 1 - 0x1p-53), 5);
}

/* The share below the value, by the textbook formula, is the share asked for. */
Test(distribution, triangular_inverts_its_distribution_function)
{
    static const double modes[] = {0, 0.05, 0.08, 0.12};
    for (size_t row = 0; row < 4; row++)
        for (int step = 1; step < 1000; step++) {
            double low = 0, mode = modes[row], high = 0.12, u = step / 1000.0;
            double x =
                at((struct distribution){.kind = DISTRIBUTION_TRIANGULAR, .low = low, .mode = mode, .high = high}, u);
            double share = x < mode ? (x - low) * (x - low) / ((high - low) * (mode - low))
                                    : 1 - (high - x) * (high - x) / ((high - low) * (high - mode));
            cr_assert_float_eq(share, u, 1e-14, "mode %g, u = %g: %g", mode, u, share);
        }
}

Test(distribution, triangular_keeps_its_digits_near_low)
{
    struct distribution triangular = {.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 1, .high = 4};
    cr_assert_lt(relative(at(triangular, 1e-300), 2e-150), 1e-15);
    cr_assert_lt(relative(at(triangular, 0x1p-52), 0x1p-25), 1e-15);
    triangular.mode = 0;
    cr_assert_eq(at(triangular, 0.75), 2);
}

Test(distribution, normal_and_lognormal_scale_the_standard_normal)
{
    for (int step = 1; step < 400; step++) {
        double u = step / 400.0, z = gsl_cdf_ugaussian_Pinv(u);
        struct distribution normal = {.kind = DISTRIBUTION_NORMAL, .mean = 100, .sd = 7};
        struct distribution lognormal = {.kind = DISTRIBUTION_LOGNORMAL, .median = 25000, .sigma = 0.4};
        cr_assert_lt(relative(at(normal, u), 100 + 7 * z), 1e-14, "u = %g", u);
        cr_assert_lt(relative(at(lognormal, u), 25000 * exp(0.4 * z)), 1e-14, "u = %g", u);
    }
    cr_assert_eq(at((struct distribution){.kind = DISTRIBUTION_LOGNORMAL, .median = 25000, .sigma = 0.4}, 0.5), 25000);
}

/* Computed with 60 digits; ranges 8 sd out and beyond, on either side and across. */
Test(distribution, truncated_normal_is_right_however_far_out_its_range_is)
{
    static const struct {
        double mean, sd, low, high, u, value;
    } known[] = {
        {0, 1, -1, 2, 0.25, -0.34964142929246547},
        {0.05, 0.025, 0, 0.12, 0.5, 0.050632834602569356},
        {0.05, 0.025, 0, 0.12, 1e-6, 4.5131491666812689e-7},
        {0, 1, 8, 9, 0.5, 8.0848888990181664},
        {0, 1, 8, 100, 0x1.fffffffffffffp-1, 11.693169781421483},
        {0, 1, -9, -8, 0x1p-53, -8.9999999999999328},
        {0, 1, 29.5, 31, 0.75, 29.546902015247176},
        {0, 1, -40, -29.5, 0.25, -29.546902015247176},
        {0, 1, -20, 20, 0x1.fffffffffffffp-1, 8.2095361516013869},
        {0, 1, -20, 20, 0x1p-53, -8.2095361516013869},
        {0, 1, 12, 12.0001, 0.3, 12.000029987401971},
        {3, 2, -1000, 1, 0.9, 0.86426133165976577},
        {1, 0.5, 0, 50, 0.999, 2.548530254799234},
    };
    for (size_t row = 0; row < sizeof known / sizeof known[0]; row++) {
        double value = at((struct distribution){.kind = DISTRIBUTION_TRUNCATED_NORMAL,
                                                .mean = known[row].mean,
                                                .sd = known[row].sd,
                                                .low = known[row].low,
                                                .high = known[row].high},
                          known[row].u);
        double scale = fmax(fabs(known[row].value), known[row].sd);
        cr_assert_lt(fabs(value - known[row].value) / scale, 1e-14, "row %zu: %.17g, not %.17g", row, value,
                     known[row].value);
    }
}

Test(distribution, truncated_normal_without_any_mass_to_speak_of_stays_in_its_range)
{
    struct distribution far = {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0, .sd = 1, .low = -80, .high = -30};
    cr_assert_null(distribution_fault(&far, pool));
    static const double shares[] = {0x1p-1074, 1e-300, 0x1p-53, 0.5, 1 - 0x1p-53};
    for (size_t row = 0; row < 5; row++) {
        double value = at(far, shares[row]);
        cr_assert(value >= -80 && value <= -30, "u = %g: %g", shares[row], value);
    }
}

/* A PERT beta over 0 to 1 against GSL, and over the whole range of shapes. */
Test(distribution, beta_agrees_with_gsl_for_every_mode)
{
    for (int mode = 0; mode <= 40; mode++) {
        struct distribution beta = {.kind = DISTRIBUTION_BETA, .low = 0, .mode = mode / 40.0, .high = 1};
        struct quantile *quantile = quantile_new(&beta, pool);
        double a = 1 + 4 * beta.mode, b = 1 + 4 * (1 - beta.mode);
        for (int step = 1; step < 500; step++) {
            double u = (step + 0.25) / 500.5, exact = gsl_cdf_beta_Pinv(u, a, b);
            cr_assert_lt(relative(quantile_at(quantile, u), exact), 1e-12, "mode %g, u = %g", beta.mode, u);
        }
        for (double digits = -3; digits > -15; digits -= 0.17) {
            double u = pow(10, digits), exact = gsl_cdf_beta_Pinv(u, a, b);
            cr_assert_lt(relative(quantile_at(quantile, u), exact), 1e-12, "mode %g, u = %g", beta.mode, u);
            double rare = 1 - (1 - u); /* what is left of u after rounding */
            exact = gsl_cdf_beta_Qinv(rare, a, b);
            cr_assert_lt(relative(quantile_at(quantile, 1 - rare), exact), 1e-12, "mode %g, u = 1 - %g", beta.mode, u);
        }
        quantile_free(quantile);
    }
}

/* Computed with 60 digits. */
Test(distribution, beta_quantiles_are_the_known_ones)
{
    static const struct {
        double mode, u, value;
    } known[] = {
        {0, 1e-300, 2e-301},
        {0, 0x1p-53, 2.2204460492503132e-17},
        {0, 0.5, 0.12944943670387586},
        {0, 1 - 0x1p-30, 0.984375},
        {0.25, 1e-300, 3.1622776601683794e-151},
        {0.25, 1e-7, 0.00010001000175037008},
        {0.25, 0x1p-20, 0.00030891159675539446},
        {0.25, 0.77, 0.46803876086907693},
        {0.5, 0x1p-53, 2.2308509824685316e-6},
        {0.5, 0.03, 0.15669950380609923},
        {0.5, 0.5, 0.5},
        {0.5, 1 - 0x1p-30, 0.99954661705776121},
        {0.9, 0x1p-53, 0.0002866154775461618},
        {0.9, 0.5, 0.79733514963853385},
        {0.9, 0.77, 0.90085974487313166},
        {1, 1e-300, 1e-60},
        {1, 0x1p-20, 0.0625},
        {1, 0.77, 0.94906978020586816},
    };
    for (size_t row = 0; row < sizeof known / sizeof known[0]; row++) {
        struct distribution beta = {.kind = DISTRIBUTION_BETA, .low = 0, .mode = known[row].mode, .high = 1};
        double value = at(beta, known[row].u);
        cr_assert_lt(relative(value, known[row].value), 1e-13, "row %zu: %.17g, not %.17g", row, value,
                     known[row].value);
    }
}

Test(distribution, beta_is_mapped_to_its_range_from_the_nearer_end)
{
    struct distribution beta = {.kind = DISTRIBUTION_BETA, .low = -0.8, .mode = -0.5, .high = 0};
    double a = 1 + 4 * (0.3 / 0.8), b = 1 + 4 * (0.5 / 0.8);
    for (double digits = -0.31; digits > -15; digits -= 0.2) {
        double u = 1 - pow(10, digits), exact = -0.8 * gsl_cdf_beta_Pinv(1 - u, b, a);
        cr_assert_lt(relative(at(beta, u), exact), 1e-12, "u = %.17g", u);
    }
}

Test(distribution, pert_agrees_with_gsl_for_every_weight)
{
    static const double weights[] = {1e-9, 0.3, 1, 2.5, 4, 5.7, 6};
    for (size_t row = 0; row < 7; row++)
        for (int mode = 0; mode <= 10; mode++) {
            struct distribution pert = {
                .kind = DISTRIBUTION_PERT, .low = 0, .mode = mode / 10.0, .high = 1, .weights = {weights[row]}};
            struct quantile *quantile = quantile_new(&pert, pool);
            double a = 1 + weights[row] * pert.mode, b = 1 + weights[row] * (1 - pert.mode);
            for (int step = 1; step < 300; step++) {
                double u = (step + 0.25) / 300.5, exact = gsl_cdf_beta_Pinv(u, a, b);
                cr_assert_lt(relative(quantile_at(quantile, u), exact), 1e-12, "weight %g, mode %g, u = %g",
                             weights[row], pert.mode, u);
            }
            quantile_free(quantile);
        }
}

Test(distribution, pert_of_weight_4_is_beta)
{
    struct distribution beta = every_kind[8], pert = every_kind[8];
    pert.kind = DISTRIBUTION_PERT;
    pert.weights[0] = 4;
    for (int step = 1; step < 100; step++) cr_assert_eq(at(pert, step / 100.0), at(beta, step / 100.0));
}

Test(distribution, log_uniform_is_uniform_on_the_log_scale)
{
    struct distribution narrow = every_kind[12], wide = every_kind[13];
    for (int step = 1; step < 1000; step++) {
        double u = step / 1000.0;
        cr_assert_lt(relative(at(narrow, u), pow(10, 4 * u - 2)), 1e-14, "u = %g", u);
        cr_assert_lt(relative(at(wide, u), pow(10, 600 * u - 300)), 1e-12, "u = %g", u);
    }
    cr_assert_geq(at(narrow, 0x1p-53), 0.01);
    cr_assert_leq(at(narrow, 1 - 0x1p-53), 100);
}

Test(distribution, empirical_values_take_equal_shares_in_order)
{
    struct distribution empirical = {.kind = DISTRIBUTION_EMPIRICAL, .point_count = 4, .pool_first = 2};
    static const struct {
        double u, value;
    } known[] = {{0x1p-53, -1}, {0.25 - 0x1p-53, -1}, {0.25, 0.5}, {0.5, 2}, {0.75 - 0x1p-53, 2},
                 {0.75, 7},     {1 - 0x1p-53, 7}};
    for (size_t row = 0; row < sizeof known / sizeof known[0]; row++)
        cr_assert_eq(at(empirical, known[row].u), known[row].value, "u = %g", known[row].u);
    double low, high;
    distribution_range(&empirical, pool, &low, &high);
    cr_assert(low == -1 && high == 7);
}

/* Neighbouring cells and the solver below them meet: no step up or down at an edge. */
Test(distribution, beta_has_no_seam_between_its_cells)
{
    static struct beta_tail tail;
    static const double shapes[] = {1, 1.3, 2.2, 3, 4.7, 5};
    for (size_t row = 0; row < 6; row++) {
        beta_tail_init(&tail, shapes[row], 6 - shapes[row]);
        for (double edge = 0x1p-20; edge < 0.5; edge *= 2)
            for (int cell = 8; cell < 16; cell++) {
                double below = nextafter(edge * cell / 8, 0), step;
                step = beta_tail_at(&tail, edge * cell / 8) / beta_tail_at(&tail, below) - 1;
                cr_assert_lt(fabs(step), 1e-13, "a = %g at %g: %g", shapes[row], below, step);
            }
    }
}

Test(distribution, quantiles_rise_and_stay_in_the_range)
{
    for (size_t row = 0; row < KIND_ROWS; row++) {
        double low, high, before = -INFINITY;
        struct quantile *quantile = quantile_new(&every_kind[row], pool);
        distribution_range(&every_kind[row], pool, &low, &high);
        cr_assert_lt(low, high, "row %zu", row);
        for (double digits = -300; digits < -5; digits += 0.5) {
            double value = quantile_at(quantile, pow(10, digits));
            cr_assert(value >= before && value >= low, "row %zu, u = 1e%g: %g after %g", row, digits, value, before);
            before = value;
        }
        for (int step = 1; step < 1 << 17; step++) {
            double value = quantile_at(quantile, step * 0x1p-17);
            cr_assert(value >= before, "row %zu, u = %g: %a after %a", row, step * 0x1p-17, value, before);
            before = value;
        }
        for (int bits = 18; bits <= 53; bits++) {
            double value = quantile_at(quantile, 1 - ldexp(1, -bits));
            cr_assert(value >= before && value <= high, "row %zu, u = 1 - 2^-%d: %g", row, bits, value);
            before = value;
        }
        quantile_free(quantile);
    }
}

/* The integral of the quantile function is the mean: midpoints of 2^16 equal shares. */
Test(distribution, means_are_the_textbook_ones)
{
    static const struct {
        size_t row;
        double mean;
    } known[] = {{0, 1.5},
                 {1, 0.17 / 3},
                 {4, 0},
                 {7, 28328.71132666},
                 {8, (0.2 + 2 + 1) / 6},
                 {9, 1.0 / 6},
                 {11, 3.75},
                 {14, (0.2 + 1.5 * 0.5 + 1) / 3.5},
                 {15, 0.875},
                 {16, 1.5}};
    for (size_t at_row = 0; at_row < sizeof known / sizeof known[0]; at_row++) {
        struct quantile *quantile = quantile_new(&every_kind[known[at_row].row], pool);
        double sum = 0;
        for (int step = 0; step < 1 << 16; step++) sum += quantile_at(quantile, (step + 0.5) * 0x1p-16);
        quantile_free(quantile);
        double mean = sum * 0x1p-16, allowed = 2e-5 * fmax(fabs(known[at_row].mean), 1e-4);
        cr_assert_float_eq(mean, known[at_row].mean, allowed, "row %zu: %.10g", known[at_row].row, mean);
    }
}

Test(distribution, discrete_values_take_their_share_of_draws)
{
    struct distribution discrete = {
        .kind = DISTRIBUTION_DISCRETE, .point_count = 3, .values = {-1, 0, 4}, .weights = {1, 2, 5}};
    static const struct {
        double u, value;
    } known[] = {{0x1p-53, -1}, {0.125 - 0x1p-53, -1}, {0.125, 0}, {0.3749, 0}, {0.375, 4}, {1 - 0x1p-53, 4}};
    for (size_t row = 0; row < sizeof known / sizeof known[0]; row++)
        cr_assert_eq(at(discrete, known[row].u), known[row].value, "u = %g", known[row].u);
    discrete = (struct distribution){.kind = DISTRIBUTION_DISCRETE, .point_count = 1, .values = {7}, .weights = {0.3}};
    cr_assert_eq(at(discrete, 0.99), 7);
}

Test(distribution, fixed_has_no_value_and_an_empty_range)
{
    struct distribution fixed = {.kind = DISTRIBUTION_FIXED};
    double low, high;
    cr_assert_null(distribution_fault(&fixed, pool));
    cr_assert(isnan(at(fixed, 0.5)));
    distribution_range(&fixed, pool, &low, &high);
    cr_assert(low == INFINITY && high == -INFINITY);
}

Test(distribution, ranges_are_those_of_the_kind)
{
    static const double expected[KIND_ROWS][2] = {
        {1, 2}, {0, 0.12}, {0, 1},  {0, 1},      {-INFINITY, INFINITY}, {0, 0.12}, {8, 9}, {0, INFINITY}, {0.2, 1},
        {0, 1}, {0, 1},    {1, 10}, {0.01, 100}, {1e-300, 1e300},       {0.2, 1},  {0, 1}, {-1, 7}};
    for (size_t row = 0; row < KIND_ROWS; row++) {
        double low, high;
        distribution_range(&every_kind[row], pool, &low, &high);
        cr_assert(low == expected[row][0] && high == expected[row][1], "row %zu: %g to %g", row, low, high);
        cr_assert_null(distribution_fault(&every_kind[row], pool), "row %zu", row);
    }
}

/* Each fault is found and named by its first word or words, and says what is allowed after a semicolon. */
Test(distribution, what_cannot_be_drawn_from_is_refused)
{
    static const struct {
        const char *begins;
        struct distribution distribution;
    } faults[] = {
        {"low is above high", {.kind = DISTRIBUTION_UNIFORM, .low = 2, .high = 1}},
        {"low equals high", {.kind = DISTRIBUTION_UNIFORM, .low = 1, .high = 1}},
        {"low or high is not a finite", {.kind = DISTRIBUTION_UNIFORM, .low = NAN, .high = 1}},
        {"low or high is not a finite", {.kind = DISTRIBUTION_UNIFORM, .low = 0, .high = INFINITY}},
        {"the range is too wide", {.kind = DISTRIBUTION_UNIFORM, .low = -1e308, .high = 1e308}},
        {"low equals high", {.kind = DISTRIBUTION_TRIANGULAR, .low = 1, .mode = 1, .high = 1}},
        {"mode is outside", {.kind = DISTRIBUTION_TRIANGULAR, .low = 0, .mode = 1.1, .high = 1}},
        {"mode is outside", {.kind = DISTRIBUTION_BETA, .low = 0, .mode = -0.1, .high = 1}},
        {"mode is not a finite", {.kind = DISTRIBUTION_BETA, .low = 0, .mode = NAN, .high = 1}},
        {"low is above high", {.kind = DISTRIBUTION_BETA, .low = 3, .mode = 2, .high = 1}},
        {"mean is not a finite", {.kind = DISTRIBUTION_NORMAL, .mean = INFINITY, .sd = 1}},
        {"sd is not above 0", {.kind = DISTRIBUTION_NORMAL, .mean = 0, .sd = 0}},
        {"sd is not above 0", {.kind = DISTRIBUTION_NORMAL, .mean = 0, .sd = NAN}},
        {"mean or sd is too large", {.kind = DISTRIBUTION_NORMAL, .mean = 0, .sd = 1e308}},
        {"sd is not above 0", {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0, .sd = -1, .low = 0, .high = 1}},
        {"low is above high", {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0, .sd = 1, .low = 1, .high = 0}},
        {"low or high is not", {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0, .sd = 1, .low = 0, .high = INFINITY}},
        {"low to high lies more", {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0, .sd = 1, .low = 31, .high = 40}},
        {"low to high lies more", {.kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0, .sd = 1, .low = -40, .high = -31}},
        {"median is not above 0", {.kind = DISTRIBUTION_LOGNORMAL, .median = 0, .sigma = 1}},
        {"median is not above 0", {.kind = DISTRIBUTION_LOGNORMAL, .median = NAN, .sigma = 1}},
        {"median is out of scale", {.kind = DISTRIBUTION_LOGNORMAL, .median = 1e200, .sigma = 1}},
        {"sigma is not above 0", {.kind = DISTRIBUTION_LOGNORMAL, .median = 1, .sigma = 0}},
        {"sigma is above 10", {.kind = DISTRIBUTION_LOGNORMAL, .median = 1, .sigma = 11}},
        {"no values", {.kind = DISTRIBUTION_DISCRETE, .point_count = 0}},
        {"too many values", {.kind = DISTRIBUTION_DISCRETE, .point_count = 17}},
        {"a value is not", {.kind = DISTRIBUTION_DISCRETE, .point_count = 1, .values = {NAN}, .weights = {1}}},
        {"values do not", {.kind = DISTRIBUTION_DISCRETE, .point_count = 2, .values = {1, 1}, .weights = {1, 1}}},
        {"a weight is not", {.kind = DISTRIBUTION_DISCRETE, .point_count = 2, .values = {1, 2}, .weights = {1, 0}}},
        {"the weights are",
         {.kind = DISTRIBUTION_DISCRETE, .point_count = 2, .values = {1, 2}, .weights = {1e308, 1e308}}},
        {"low is not above 0", {.kind = DISTRIBUTION_LOG_UNIFORM, .low = 0, .high = 1}},
        {"low is above high", {.kind = DISTRIBUTION_LOG_UNIFORM, .low = 2, .high = 1}},
        {"weight is out", {.kind = DISTRIBUTION_PERT, .low = 0, .mode = 0.5, .high = 1, .weights = {0}}},
        {"weight is out", {.kind = DISTRIBUTION_PERT, .low = 0, .mode = 0.5, .high = 1, .weights = {6.1}}},
        {"weight is out", {.kind = DISTRIBUTION_PERT, .low = 0, .mode = 0.5, .high = 1, .weights = {NAN}}},
        {"mode is outside", {.kind = DISTRIBUTION_PERT, .low = 0, .mode = 2, .high = 1, .weights = {1}}},
        {"no values", {.kind = DISTRIBUTION_EMPIRICAL, .point_count = 0}},
        {"too many values", {.kind = DISTRIBUTION_EMPIRICAL, .point_count = 2, .pool_first = SWEEP_POOL_MAX - 1}},
        {"too many values", {.kind = DISTRIBUTION_EMPIRICAL, .point_count = UINT32_MAX, .pool_first = UINT32_MAX}},
        {"a value is not", {.kind = DISTRIBUTION_EMPIRICAL, .point_count = 1, .pool_first = 6}},
        {"values are out", {.kind = DISTRIBUTION_EMPIRICAL, .point_count = 2, .pool_first = 7}},
        {"unknown kind", {.kind = DISTRIBUTION_KIND_COUNT}},
        {"unknown kind", {.kind = (enum distribution_kind)99}},
    };
    for (size_t row = 0; row < sizeof faults / sizeof faults[0]; row++) {
        const char *fault = distribution_fault(&faults[row].distribution, pool);
        cr_assert_not_null(fault, "row %zu, %s", row, faults[row].begins);
        cr_assert_eq(strncmp(fault, faults[row].begins, strlen(faults[row].begins)), 0, "row %zu: %s", row, fault);
        cr_assert_not_null(strchr(fault, ';'), "row %zu does not say what is allowed: %s", row, fault);
    }
}

/* The same bits on every machine, compiler and CPU: a difference here is a difference in results. */
Test(distribution, quantiles_have_the_golden_bits)
{
    static const double shares[] = {0x1p-53, 0x1.5p-7, 0.375, 1 - 0x1.5p-7};
    static const double golden[KIND_ROWS][4] = {
        {0x1p+0, 0x1.02ap+0, 0x1.6p+0, 0x1.fd6p+0},
        {0x1.c0b1bee5a6d84p-31, 0x1.01059f2e3382ep-7, 0x1.8494a75f057acp-5, 0x1.c581853f53352p-4},
        {0x1p-53, 0x1.50dda3463dd8p-8, 0x1.ace9f149692b4p-3, 0x1.cc27716bb3db4p-1},
        {0x1.6a09e667f3bcdp-27, 0x1.9ec474a261264p-4, 0x1.3988e1409212ep-1, 0x1.fd5e44b973845p-1},
        {-0x1.06b48528cea52p+3, -0x1.289100625594p+1, -0x1.464965bdc7eafp-2, 0x1.289100625594p+1},
        {0x1p-56, 0x1.5614cefa6664p-10, 0x1.6a8cbd4bfc00cp-5, 0x1.e581395dbde31p-4},
        {0x1p+3, 0x1.000a64cef01eap+3, 0x1.01d8542926b1fp+3, 0x1.11674b28f059ep+3},
        {0x1.9c58998b773dcp+8, 0x1.ea9368a082e4ap+12, 0x1.4d185f1a85692p+14, 0x1.3709d11b20077p+16},
        {0x1.9999aac3ed80cp-3, 0x1.01bda9827578bp-2, 0x1.e4c43b92abde8p-2, 0x1.bec922708b8bfp-1},
        {0x1.999999999999ap-56, 0x1.0de8c9fbd8a84p-9, 0x1.6f7c08fde0a08p-4, 0x1.3324f7bd17606p-1},
        {0x1.51cb453b9536dp-11, 0x1.99b61085d13f5p-2, 0x1.a4cceb7e8444p-1, 0x1.fef2173604275p-1},
        {0x1p+0, 0x1p+0, 0x1p+1, 0x1.4p+3},
        {0x1.47ae147ae1482p-7, 0x1.68229bd221e84p-7, 0x1.43d1362484913p-2, 0x1.6bf3c455c0681p+6},
        {0x1.56e1fc2f8f696p-997, 0x1.d065a6f10f9e1p-977, 0x1.cf2b1970e737p-250, 0x1.1a3dc0df7fabcp+976},
        {0x1.9999999a8d857p-3, 0x1.cb61b8b493ff9p-3, 0x1.e8fddabcf3425p-2, 0x1.e48a71f7b4ecap-1},
        {0x1.588cea3f093bep-8, 0x1.0a2404f2634b9p-1, 0x1.bd0f0648eec17p-1, 0x1.ff3f269e68a02p-1},
        {-0x1p+0, -0x1p+0, -0x1p+0, 0x1.cp+2},
    };
    for (size_t row = 0; row < KIND_ROWS; row++)
        for (size_t column = 0; column < 4; column++) {
            double value = at(every_kind[row], shares[column]);
            cr_expect_eq(value, golden[row][column], "row %zu, u = %a: %a", row, shares[column], value);
        }
}
