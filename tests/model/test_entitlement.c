/* The reference run and other published figures of the built-in model. */
#include <criterion/criterion.h>
#include <math.h>

#include "../skip.h"
#include "population.h"
#include "support_model.h"

enum { NO_POLICY, GOLDEN };

/* To the digits printed: half a unit of the last. */
static void expect(struct bench *bench, int slot, const char *measure, uint32_t year, double wanted, double half)
{
    double ours = bench_figure(bench, slot, -1, 0, measure, year);
    cr_expect(fabs(ours - wanted) <= half, "%s of year %u: %.9g, wanted %.9g", measure, year, ours, wanted);
}

static void run_both(struct bench *bench)
{
    bench_reset(bench);
    cr_assert_eq(bench_run(bench, NO_POLICY), 0);
    bench_golden_thread(bench);
    cr_assert_eq(bench_run(bench, GOLDEN), 0);
}

/* The first year's kept teachers are 318.249; the published table's 318.3 is 318.25 rounded once more. */
static void expect_reference_run(const struct population *population)
{
    static const struct {
        double starts, reach, cost_million, kept, kept_half, exposure, gain;
    } rows[] = {
        {149949, 29.29, 101.55, 318.25, 0.005, .2929, .00000},
        {106030, 50.00, 71.80, 225, 0.5, .4208, .00385},
        {74975, 64.64, 50.77, 159, 0.5, .4534, .00650},
        {53015, 75.00, 35.90, 112.5, 0.05, .4343, .00760},
        {0, 75.00, 0, 0, 0, .3168, .00763},
        {0, 75.00, 0, 0, 0, .2311, .00609},
        {0, 75.00, 0, 0, 0, .1686, .00458},
        {0, 75.00, 0, 0, 0, .1230, .00337},
        {0, 75.00, 0, 0, 0, .0897, .00247},
        {0, 75.00, 0, 0, 0, .0655, .00181},
    };
    struct bench bench = bench_open(population, 10, 0);
    run_both(&bench);
    for (uint32_t year = 1; year <= 10; year++) {
        expect(&bench, GOLDEN, "starts", year, rows[year - 1].starts, 0.5);
        expect(&bench, GOLDEN, "reach_pct", year, rows[year - 1].reach, 0.005);
        expect(&bench, GOLDEN, "cost_gbp", year, rows[year - 1].cost_million * 1e6, 0.005e6);
        expect(&bench, NO_POLICY, "leavers_fte", year, 41307, 0.5);
        expect(&bench, GOLDEN, "kept_fte", year, rows[year - 1].kept, rows[year - 1].kept_half);
        expect(&bench, GOLDEN, "exposure_pct", year, 100 * rows[year - 1].exposure, 0.005);
        expect(&bench, GOLDEN, "ks4_gain_sd", year, rows[year - 1].gain, 0.000005);
    }
    expect(&bench, GOLDEN, "cost_gbp", 0, 260.03e6, 0.005e6);
    expect(&bench, GOLDEN, "pv_cost_gbp", 0, 242.22e6, 0.005e6);
    expect(&bench, GOLDEN, "pv_earnings_gbp", 0, 1510.8e6, 0.05e6);
    expect(&bench, GOLDEN, "bcr", 0, 6.24, 0.005);
    expect(&bench, GOLDEN, "pv_tax_gbp", 0, 498.6e6, 0.05e6);
    expect(&bench, GOLDEN, "pv_saving_gbp", 0, 18.98e6, 0.005e6);
    expect(&bench, GOLDEN, "exchequer_ratio", 0, 2.14, 0.005);
    expect(&bench, GOLDEN, "payback_year", 0, 21, 0);
    expect(&bench, GOLDEN, "payback_never_pct", 0, 0, 0);
    expect(&bench, GOLDEN, "gap_closing_sd", 5, -0.00003, 0.000005);
    bench_close(&bench);
}

Test(entitlement, reference_run_from_the_embedded_cells_has_the_published_digits)
{
    struct population *cells = cells_population();
    expect_reference_run(cells);
    population_free(cells);
}

Test(entitlement, reference_run_from_the_school_file_has_the_published_digits)
{
    struct population *schools = schools_population();
    if (!schools) skip_visibly("the school file is not beside the checkout");
    expect_reference_run(schools);
    population_free(schools);
}

Test(entitlement, hand_worked_school_has_the_printed_digits)
{
    static const struct {
        uint32_t year;
        double reach, exposure, gain, gain_half, starts, cost, kept, value;
    } rows[] = {
        {1, .2929, .2929, 0, 0, 16.011, 13809.8, .0352, 0},
        {2, .5000, .4200, .003852, 5e-7, 11.322, 9765.0, .0249, 39203},
        {3, .6464, .4518, .006487, 5e-7, 8.006, 6904.9, .0176, 66020},
        {4, .7500, .4320, .007564, 5e-7, 5.661, 4882.5, .0124, 76975},
        {5, .7500, .3140, .007573, 5e-7, 0, 0, 0, 77063},
        {10, .7500, .0638, .001750, 5e-7, 0, 0, 0, 17806},
    };
    struct population *school = hand_worked_school();
    struct bench bench = bench_open(school, 10, 0);
    run_both(&bench);
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        uint32_t year = rows[at].year;
        expect(&bench, GOLDEN, "reach_pct", year, 100 * rows[at].reach, 0.005);
        expect(&bench, GOLDEN, "exposure_pct", year, 100 * rows[at].exposure, 0.005);
        expect(&bench, GOLDEN, "ks4_gain_sd", year, rows[at].gain, rows[at].gain_half);
        expect(&bench, GOLDEN, "starts", year, rows[at].starts, 0.0005);
        expect(&bench, GOLDEN, "cost_gbp", year, rows[at].cost, 0.05);
        expect(&bench, NO_POLICY, "leavers_fte", year, 4.565, 0.0005);
        expect(&bench, GOLDEN, "kept_fte", year, rows[at].kept, 0.00005);
        double value = bench_figure(&bench, GOLDEN, -1, 0, "ks4_gain_sd", year) * 160 * 7.4 * 9000 * (1 - 0.09 * 0.5);
        cr_expect(fabs(value - rows[at].value) <= 0.5, "n v of year %u: %.3f", year, value);
    }
    expect(&bench, GOLDEN, "pv_cost_gbp", 0, 32941, 0.5);
    expect(&bench, GOLDEN, "pv_earnings_gbp", 0, 370128, 0.5);
    expect(&bench, GOLDEN, "bcr", 0, 11.24, 0.005);
    bench_close(&bench);
    population_free(school);
}
