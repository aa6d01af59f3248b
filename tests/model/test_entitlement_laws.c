/* What the equations promise for whole families of settings: closed forms, conservation, symmetry. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "parameters.h"
#include "population.h"
#include "population_codec.h"
#include "registry.h"
#include "support_model.h"

enum { BASE, POLICY, OTHER };
enum { YEARS = 10, ENGLAND = 0 };

static double share_of_one_year(void)
{
    return 1 - pow(0.25, 0.25);
}

static void expect_close(double ours, double wanted, double relative, const char *what, uint32_t year)
{
    cr_expect_leq(relative_difference(ours, wanted), relative, "%s of year %u: %.17g, wanted %.17g", what, year, ours,
                  wanted);
}

static void expect_within(double ours, double wanted, double half, const char *what)
{
    cr_expect(fabs(ours - wanted) <= half, "%s: %.9g, wanted %.9g", what, ours, wanted);
}

/* ---- tables ---- */

Test(entitlement_laws, every_column_is_a_parameter_and_every_parameter_a_column)
{
    size_t count;
    uint16_t places[COLUMN_COUNT];
    const struct parameter *table = parameters_table(&count);
    cr_assert_null(columns_find(table, count, places));
    cr_expect_eq(count, (size_t)COLUMN_COUNT);
    for (size_t at = 0; at < count; at++) {
        int used = 0;
        for (int column = 0; column < COLUMN_COUNT; column++) used += places[column] == at;
        cr_expect_eq(used, 1, "%s is read %d times", table[at].name, used);
    }
    cr_expect_str_eq(columns_find(table, 3, places), "entitlement.start_share_quintile_2");
}

Test(entitlement_laws, measures_have_names_that_fit_and_units)
{
    const struct model *model = model_find("entitlement");
    cr_assert_null(model_find("no-such-model"));
    cr_expect_eq(model->abi, MODEL_ABI);
    for (size_t at = 0; at < model->measure_count; at++) {
        const struct model_measure *measure = &model->measures[at];
        cr_expect(strlen(measure->name) < 32 && measure->unit[0] && measure->meaning[0], "%s", measure->name);
        cr_expect_eq(strspn(measure->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(measure->name));
        for (size_t other = 0; other < at; other++) cr_expect_str_neq(measure->name, model->measures[other].name);
    }
}

Test(entitlement_laws, idle_levers_bring_no_figures)
{
    static const char *const optional[] = {"entrants_fte", "stock_fte", "epi_cost_gbp", "frontier_pv_gbp"};
    struct population *school = hand_worked_school();
    struct bench plain = bench_open(school, YEARS, 0), full = bench_open(school, YEARS, 1);
    for (size_t at = 0; at < sizeof optional / sizeof *optional; at++) {
        cr_expect_not(bench_has(&plain, optional[at]), "%s", optional[at]);
        cr_expect(bench_has(&full, optional[at]), "%s", optional[at]);
    }
    for (size_t at = 1; at < full.figure_count; at++) {
        const struct model_figure *before = &full.figures[at - 1], *now = &full.figures[at];
        cr_expect(before->measure < now->measure || now->year == before->year + 1 || now->year == MODEL_YEAR_ALL);
    }
    bench_close(&plain);
    bench_close(&full);
    population_free(school);
}

Test(entitlement_laws, impossible_setups_are_refused_with_a_reason)
{
    struct population *school = hand_worked_school(), *empty = population_new(1, 1, false);
    uint8_t varies[MODEL_PARAMETERS_MAX] = {0};
    empty->count = 0;
    const struct {
        uint32_t years;
        const struct population *population;
    } rows[] = {{0, school}, {MODEL_YEARS_MAX + 1, school}, {10, empty}};
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char why[100] = "";
        struct model_setup setup = {.years = rows[at].years, .population = rows[at].population, .varies = varies};
        cr_expect_null(model_find("entitlement")->open(&setup, why, sizeof why), "row %zu", at);
        cr_expect_gt(strlen(why), 10u, "row %zu", at);
    }
    population_free(school);
    population_free(empty);
}

/* ---- published variants ---- */

/* The start share that reaches 75% in year 4, by bisection. */
static double share_for_75_percent(struct bench *bench)
{
    double low = 0.2, high = 0.5;
    for (int step = 0; step < 60; step++) {
        double share = (low + high) / 2;
        bench_set(bench, "entitlement.start_share", share);
        cr_assert_eq(bench_run(bench, POLICY), 0);
        if (bench_figure(bench, POLICY, -1, ENGLAND, "reach_pct", 4) < 75) low = share;
        else high = share;
    }
    return high;
}

Test(entitlement_laws, churn_needs_the_published_starts_for_75_percent)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 0);
    bench_golden_thread(&bench);
    bench_set(&bench, "entitlement.churn", 1);
    expect_within(share_for_75_percent(&bench), 0.3471, 0.00005, "share");
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "starts", 0), 455206, 0.5, "starts");
    cr_expect_lt(bench_figure(&bench, POLICY, -1, ENGLAND, "reach_pct", 5), 70, "leavers take their reach along");
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, holders_counted_before_need_the_published_starts)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 0);
    bench_golden_thread(&bench);
    bench_set(&bench, "entitlement.initial_reach", 0.199);
    bench_set(&bench, "entitlement.start_share", 1 - pow(0.25 / 0.801, 0.25));
    cr_assert_eq(bench_run(&bench, POLICY), 0);
    expect_within(1 - pow(0.25 / 0.801, 0.25), 0.2526, 0.00005, "share");
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "reach_pct", 4), 75, 1e-9, "reach");
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "starts", 0), 282089, 0.5, "starts");
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "exposure_pct", 1), 100 * 0.801 * 0.2526, 0.01,
                  "earlier holders carry no gain");
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, gaps_close_by_the_published_amounts)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 0);
    static const double tilted[] = {.20, .25, .293, .35, .45};
    bench_golden_thread(&bench);
    bench_set(&bench, "effect.disadvantaged_ratio", 1.3);
    bench_run(&bench, POLICY);
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "gap_closing_sd", 5), 0.0022, 0.00005, "beta_d = 1.3");
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "gap_closing_months", 5), 0.05, 0.005, "months");
    bench_golden_thread(&bench);
    for (int quintile = 1; quintile <= 5; quintile++) {
        char name[64];
        snprintf(name, sizeof name, "entitlement.start_share_quintile_%d", quintile);
        bench_set(&bench, name, tilted[quintile - 1]);
    }
    bench_run(&bench, POLICY);
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "gap_closing_sd", 4), 0.0008, 0.00005, "tilted take-up");
    bench_golden_thread(&bench);
    bench_set(&bench, "rise.enabled", 1);
    bench_run(&bench, POLICY);
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "gap_closing_sd", 4), 0.0010, 0.00005, "RISE");
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "gap_closing_months", 4), 0.02, 0.005, "RISE months");
    bench_close(&bench);
    population_free(cells);
}

/* ---- closed forms ---- */

Test(entitlement_laws, exposure_is_reach_when_nothing_is_lost)
{
    struct population *school = hand_worked_school();
    struct bench bench = bench_open(school, YEARS, 0);
    bench_golden_thread(&bench);
    bench_set(&bench, "effect.teacher_decay", 0);
    for (int band = 1; band <= 5; band++) {
        char name[64];
        snprintf(name, sizeof name, "workforce.leaver_rate_band_%d", band);
        bench_set(&bench, name, 0);
    }
    cr_assert_eq(bench_run(&bench, POLICY), 0);
    for (uint32_t year = 1; year <= YEARS; year++) {
        double reach = 100 * (1 - pow(1 - share_of_one_year(), year < 4 ? year : 4));
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "reach_pct", year), reach, 1e-13, "reach", year);
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "exposure_pct", year), reach, 1e-13, "exposure", year);
    }
    bench_close(&bench);
    population_free(school);
}

Test(entitlement_laws, persistence_0_gives_one_year_and_1_gives_the_sum_of_five)
{
    struct population *school = hand_worked_school();
    struct bench bench = bench_open(school, YEARS, 0);
    double effect = 0.05 * 0.5 * pow(12.0 / 35, 0.6);
    for (int lag = 0; lag <= 2; lag++) {
        bench_golden_thread(&bench);
        bench_set(&bench, "effect.lag_years", lag);
        bench_set(&bench, "effect.pupil_persistence", 0);
        bench_run(&bench, POLICY);
        bench_set(&bench, "effect.pupil_persistence", 1);
        bench_run(&bench, OTHER);
        for (uint32_t year = 1; year <= YEARS; year++) {
            double sum = 0, own = 0;
            for (int k = 0; k <= 4; k++) {
                int then = (int)year - lag - k;
                if (then < 1) continue;
                double exposed = bench_figure(&bench, POLICY, -1, ENGLAND, "exposure_pct", (uint32_t)then) / 100;
                sum += effect * exposed;
                if (k == 0) own = effect * exposed;
            }
            expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "ks4_gain_sd", year), own, 1e-12, "rho = 0", year);
            expect_close(bench_figure(&bench, OTHER, -1, ENGLAND, "ks4_gain_sd", year), sum, 1e-12, "rho = 1", year);
        }
    }
    bench_close(&bench);
    population_free(school);
}

Test(entitlement_laws, lag_moves_the_gain_and_nothing_else)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 0);
    bench_golden_thread(&bench);
    for (int lane = 0; lane < MODEL_LANES; lane++) bench_set_lane(&bench, "effect.lag_years", lane, lane % 4);
    cr_assert_eq(bench_run(&bench, POLICY), 0);
    for (uint32_t year = 1; year <= YEARS; year++)
        for (int lag = 1; lag < 4; lag++) {
            double moved =
                year > (uint32_t)lag ? bench_figure_lane(&bench, POLICY, -1, 0, "ks4_gain_sd", year - lag, 0) : 0;
            cr_expect_eq(bench_figure_lane(&bench, POLICY, -1, 0, "ks4_gain_sd", year, lag), moved, "lag %d", lag);
            cr_expect_eq(bench_figure_lane(&bench, POLICY, -1, 0, "kept_fte", year, lag),
                         bench_figure_lane(&bench, POLICY, -1, 0, "kept_fte", year, 0));
        }
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, early_career_support_keeps_its_share_of_the_first_two_bands)
{
    struct population *school = hand_worked_school();
    struct bench bench = bench_open(school, YEARS, 0);
    bench_reset(&bench);
    bench_set(&bench, "retention.early_career", 0.15);
    bench_run(&bench, POLICY);
    double kept = 50 * (8.7 / 9) * 1.06 * 0.15 * (0.05 * 0.113 + 0.045 * 0.105);
    for (uint32_t year = 1; year <= YEARS; year++) {
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "kept_fte", year), kept, 1e-11, "kept", year);
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "leavers_fte", year),
                     50 * (8.7 / 9) * 1.06 * 0.089105 - kept, 1e-12, "leavers", year);
    }
    bench_close(&bench);
    population_free(school);
}

Test(entitlement_laws, rise_costs_once_and_works_for_three_years)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 0);
    double flagged = 0, all = 0;
    for (size_t at = 0; at < cells->count; at++) {
        all += cells->ks4[at];
        if (cells->rise[at]) flagged += cells->ks4[at];
    }
    bench_reset(&bench);
    bench_set(&bench, "rise.enabled", 1);
    bench_set(&bench, "rise.schools_scale", 200.0 / 366);
    bench_run(&bench, POLICY);
    for (uint32_t year = 1; year <= YEARS; year++) {
        double gain = 0;
        for (uint32_t k = 0; k <= 4 && k < year; k++)
            if (year - k >= 2 && year - k <= 4) gain += pow(0.25, k) * 0.03 * 200 / 366 * flagged / all;
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "cost_rise_gbp", year), year == 1 ? 20e6 : 0, 1e-12,
                     "cost", year);
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "ks4_gain_sd", year), gain, 1e-12, "gain", year);
        cr_expect_eq(bench_figure(&bench, POLICY, -1, ENGLAND, "starts", year), 0);
    }
    expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "pv_cost_gbp", 0), 20e6 / 1.035, 1e-12, "PV cost", 0);
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, teaching_quality_lifts_every_school_and_the_frontier_account)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, 20, 1);
    double pv = 0;
    bench_reset(&bench);
    bench_set(&bench, "effect.teaching_quality_sd", 1);
    bench_run(&bench, POLICY);
    for (uint32_t year = 1; year <= 20; year++) {
        double gain = 0;
        for (uint32_t k = 0; k <= 4 && k < year; k++) gain += pow(0.25, k) * 0.25 * fmin(1, (year - k) / 2.0);
        pv += 750000 * 15319.0 * fmin(1, year / 2.0) * pow(1.035, -(double)year);
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "ks4_gain_sd", year), gain, 1e-12, "gain", year);
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "frontier_pv_gbp", year), pv, 1e-12, "PV", year);
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "frontier_tax_gbp", year), 0.335 * pv, 1e-12, "tax",
                     year);
    }
    cr_expect(isnan(bench_figure(&bench, POLICY, -1, ENGLAND, "bcr", 0)), "no programme cost");
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, a_part_of_england_has_its_share_of_national_accounts)
{
    struct population *cells = cells_population(), *school = hand_worked_school();
    struct bench england = bench_open(cells, YEARS, 1), one = bench_open(school, YEARS, 1);
    struct bench *benches[] = {&england, &one};
    for (size_t at = 0; at < 2; at++) {
        bench_golden_thread(benches[at]);
        bench_set(benches[at], "epi.enabled", 1);
        bench_set(benches[at], "effect.teaching_quality_sd", 1);
        bench_run(benches[at], POLICY);
    }
    static const char *const measures[] = {"epi_cost_gbp", "epi_benefit_gbp", "frontier_pv_gbp"};
    double scale = 468258 / 463366.4, shares[] = {school->fte[0] * scale / 468258, 160 / 633460.68, 160 / 633460.68};
    for (size_t at = 0; at < 3; at++) {
        double whole = bench_figure(&england, POLICY, -1, ENGLAND, measures[at], 0);
        double part = bench_figure(&one, POLICY, -1, ENGLAND, measures[at], 0);
        cr_expect_gt(whole, 1e9);
        expect_close(part, shares[at] * whole, 1e-9, measures[at], 0);
    }
    bench_close(&england);
    bench_close(&one);
    population_free(cells);
    population_free(school);
}

Test(entitlement_laws, epi_account_is_the_published_one_with_either_credit)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    bench_reset(&bench);
    bench_set(&bench, "epi.enabled", 1);
    bench_run(&bench, BASE);
    bench_set(&bench, "value.credit", 1);
    bench_run(&bench, POLICY);
    expect_within(bench_figure(&bench, BASE, -1, ENGLAND, "epi_cost_gbp", 0), 3.44e9, 0.005e9, "cost");
    expect_within(bench_figure(&bench, BASE, -1, ENGLAND, "epi_benefit_gbp", 0), 64.2e9, 0.05e9, "gross, stock");
    expect_within(bench_figure(&bench, BASE, -1, ENGLAND, "epi_net_gbp", 0), 60.8e9, 0.05e9, "net, stock");
    expect_within(bench_figure(&bench, BASE, -1, ENGLAND, "epi_ratio", 0), 18.6, 0.05, "ratio, stock");
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "epi_benefit_gbp", 0), 29.7e9, 0.05e9, "gross, flow");
    expect_within(bench_figure(&bench, POLICY, -1, ENGLAND, "epi_ratio", 0), 8.6, 0.05, "ratio, flow");
    expect_within(bench_figure(&bench, BASE, -1, ENGLAND, "epi_kept_fte", 0), 11979, 0.5, "kept");
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, effect_at_break_even_leaves_the_exchequer_even)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 0);
    bench_golden_thread(&bench);
    bench_set(&bench, "value.discount_rate_long", 0.035); /* so that a flow's value does not depend on the cohort */
    bench_set(&bench, "value.break_even_year", YEARS + 48);
    bench_run(&bench, POLICY);
    double even = bench_figure(&bench, POLICY, -1, ENGLAND, "break_even_effect_sd", 0);
    cr_expect(even > 0.01 && even < 0.05, "%g", even);
    bench_set(&bench, "effect.attainment_sd", even);
    bench_run(&bench, POLICY);
    double net = bench_figure(&bench, POLICY, -1, ENGLAND, "exchequer_net_gbp", 0);
    cr_expect_lt(fabs(net), 1e-3, "GBP %g left", net);
    expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "exchequer_ratio", 0), 1, 1e-12, "ratio", 0);
    bench_set(&bench, "effect.attainment_sd", even * 1.000001);
    bench_run(&bench, POLICY);
    cr_expect_leq(bench_figure(&bench, POLICY, -1, ENGLAND, "payback_year", 0), YEARS + 48);
    bench_set(&bench, "effect.attainment_sd", even * 0.999999);
    bench_run(&bench, POLICY);
    cr_expect(isnan(bench_figure(&bench, POLICY, -1, ENGLAND, "payback_year", 0)));
    cr_expect_eq(bench_figure(&bench, POLICY, -1, ENGLAND, "payback_never_pct", 0), 100);
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, payback_is_searched_after_the_last_funded_year_of_either_scenario)
{
    struct population *school = hand_worked_school();
    school->rise[0] = 1;
    struct bench bench = bench_open(school, YEARS, 0);
    bench_reset(&bench);
    bench_set(&bench, "rise.enabled", 1);
    bench_set(&bench, "rise.grant_gbp", 1);
    bench_set(&bench, "retention.early_career", 0.15);
    bench_run(&bench, POLICY);
    cr_expect_eq(bench_figure(&bench, POLICY, -1, 0, "payback_year", 0), 2, "RISE is funded in year 1");
    bench_golden_thread(&bench);
    bench_set(&bench, "cost.fee_gbp", 0.01);
    bench_set(&bench, "cost.cover_quintile_5_gbp", 0);
    bench_run(&bench, POLICY);
    cr_expect_eq(bench_figure(&bench, POLICY, -1, 0, "payback_year", 0), 5, "savings exceed the fee at once");
    bench_golden_thread(&bench);
    bench_set(&bench, "entitlement.funded_years", 6);
    bench_set(&bench, "cost.fee_gbp", 0.01);
    bench_set(&bench, "cost.cover_quintile_5_gbp", 0);
    bench_run(&bench, BASE);
    bench_set(&bench, "entitlement.funded_years", 2);
    bench_set(&bench, "cost.fee_gbp", 1);
    bench_set(&bench, "retention.early_career", 0.15);
    bench_run(&bench, POLICY);
    cr_expect_gt(bench_figure(&bench, POLICY, BASE, 0, "pv_cost_gbp", 0), 0);
    cr_expect_eq(bench_figure(&bench, POLICY, BASE, 0, "payback_year", 0), 7, "the baseline spends until year 6");
    bench_close(&bench);
    population_free(school);
}

Test(entitlement_laws, spending_less_than_the_baseline_at_a_loss_is_not_paid_back_at_once)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 0);
    bench_golden_thread(&bench);
    bench_run(&bench, BASE);
    bench_set(&bench, "entitlement.funded_years", 2);
    bench_run(&bench, POLICY);
    cr_assert_lt(bench_figure(&bench, POLICY, BASE, ENGLAND, "pv_cost_gbp", 0), 0);
    cr_assert_lt(bench_figure(&bench, POLICY, BASE, ENGLAND, "exchequer_net_gbp", 0), 0);
    cr_expect(isnan(bench_figure(&bench, POLICY, BASE, ENGLAND, "payback_year", 0)));
    cr_expect(isnan(bench_figure(&bench, POLICY, BASE, ENGLAND, "payback_never_pct", 0)));
    bench_close(&bench);
    population_free(cells);
}

/* ---- the dynamic workforce ---- */

Test(entitlement_laws, dynamic_stock_is_conserved_in_every_area_and_year)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, 20, 1);
    bench_golden_thread(&bench);
    bench_set(&bench, "workforce.mode", 1);
    bench_set(&bench, "workforce.entrants_growth", -0.03);
    bench_set(&bench, "workforce.leaver_multiplier_london", 1.2);
    bench_set(&bench, "retention.early_career", 0.1);
    cr_assert_eq(bench_run(&bench, POLICY), 0);
    for (size_t area = 0; area < bench.area_count; area++)
        for (uint32_t year = 2; year <= 20; year++) {
            double wanted = bench_figure(&bench, POLICY, -1, area, "stock_fte", year - 1) -
                            bench_figure(&bench, POLICY, -1, area, "leavers_fte", year) +
                            bench_figure(&bench, POLICY, -1, area, "entrants_fte", year);
            expect_close(bench_figure(&bench, POLICY, -1, area, "stock_fte", year), wanted, 1e-13, "stock", year);
        }
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, entrants_never_exceed_the_supply_and_posts_short_of_them_stay_vacant)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    bench_reset(&bench);
    bench_set(&bench, "workforce.mode", 1);
    bench_set(&bench, "workforce.entrants_fte", 30000);
    bench_run(&bench, POLICY);
    double scaled = 0;
    for (size_t at = 0; at < cells->count; at++) scaled += cells->fte[at] * (468258 / 463366.4);
    for (uint32_t year = 1; year <= YEARS; year++) {
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "entrants_fte", year), 30000 * scaled / 468258, 1e-12,
                     "entrants", year);
        double unfilled = scaled - bench_figure(&bench, POLICY, -1, ENGLAND, "stock_fte", year);
        double vacancies = 0.006 * scaled + unfilled;
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "vacancies_fte", year), vacancies, 1e-12, "vacancies",
                     year);
        expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "shortage_fte", year),
                     vacancies + 3875 * scaled / 468258, 1e-12, "shortage", year);
    }
    bench_set(&bench, "workforce.entrants_fte", 0);
    bench_run(&bench, POLICY);
    cr_expect_eq(bench_figure(&bench, POLICY, -1, ENGLAND, "entrants_fte", 0), 0);
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, regional_rates_move_leavers_but_not_their_national_number)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    bench_reset(&bench);
    bench_run(&bench, BASE);
    bench_set(&bench, "workforce.leaver_multiplier_london", 1.2);
    bench_run(&bench, POLICY);
    expect_close(bench_figure(&bench, POLICY, -1, ENGLAND, "leavers_fte", 1),
                 bench_figure(&bench, BASE, -1, ENGLAND, "leavers_fte", 1), 1e-13, "England", 1);
    double london =
        bench_figure(&bench, POLICY, -1, 7, "leavers_fte", 1) / bench_figure(&bench, BASE, -1, 7, "leavers_fte", 1);
    double north =
        bench_figure(&bench, POLICY, -1, 1, "leavers_fte", 1) / bench_figure(&bench, BASE, -1, 1, "leavers_fte", 1);
    expect_close(london / north, 1.2, 1e-13, "London to the North East", 1);
    bench_close(&bench);
    population_free(cells);
}

/* ---- sums, shares and differences ---- */

/* Sets everything to something, differently in every lane. */
static void spread(struct bench *bench)
{
    bench_golden_thread(bench);
    for (size_t at = 0; at < bench->model->parameter_count; at++) {
        const struct parameter *parameter = &bench->model->parameters[at];
        for (int lane = 0; lane < MODEL_LANES && !parameter->whole; lane++)
            bench->values[at][lane] *= 1 - 0.001 * ((lane * 7 + (int)at) % 32);
    }
    for (int lane = 0; lane < MODEL_LANES; lane++) {
        bench_set_lane(bench, "effect.lag_years", lane, lane % 3);
        bench_set_lane(bench, "workforce.mode", lane, lane % 2);
        bench_set_lane(bench, "rise.enabled", lane, lane / 2 % 2);
        bench_set_lane(bench, "entitlement.churn", lane, lane / 4 % 2);
        bench_set_lane(bench, "entitlement.funded_years", lane, lane % 6);
        bench_set_lane(bench, "effect.teaching_quality_sd", lane, lane % 5 == 0 ? 0.1 : 0);
        bench_set_lane(bench, "retention.early_career", lane, lane % 7 == 0 ? 0.1 : 0);
        bench_set_lane(bench, "epi.enabled", lane, lane / 8 % 2);
        if (lane % 3 == 0) bench_set_lane(bench, "entitlement.start_share_quintile_4", lane, 0.4);
    }
}

Test(entitlement_laws, regions_sum_to_england_in_every_lane)
{
    static const char *const measures[] = {"starts",          "funded_hours",  "cost_gbp",       "cost_cover_gbp",
                                           "cost_rise_gbp",   "leavers_fte",   "kept_fte",       "entrants_fte",
                                           "stock_fte",       "vacancies_fte", "shortage_fte",   "pv_cost_gbp",
                                           "pv_earnings_gbp", "pv_tax_gbp",    "pv_saving_gbp",  "epi_cost_gbp",
                                           "epi_benefit_gbp", "epi_kept_fte",  "frontier_pv_gbp"};
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    spread(&bench);
    cr_assert_eq(bench_run(&bench, POLICY), 0);
    for (size_t at = 0; at < sizeof measures / sizeof *measures; at++)
        for (int lane = 0; lane < MODEL_LANES; lane++) {
            double sum = 0;
            for (size_t area = 1; area < bench.area_count; area++)
                sum += bench_figure_lane(&bench, POLICY, -1, area, measures[at], 0, lane);
            expect_close(bench_figure_lane(&bench, POLICY, -1, 0, measures[at], 0, lane), sum, 1e-12, measures[at],
                         (uint32_t)lane);
        }
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, phases_quintiles_and_authorities_sum_to_england)
{
    struct population *cells = cells_population();
    size_t room = 1 + PHASE_COUNT + QUINTILE_COUNT + cells->authority_count, count = 0;
    struct area *areas = calloc(room, sizeof *areas);
    areas[count++] = (struct area){.level = AREA_ENGLAND, .phase = AREA_ALL, .quintile = AREA_ALL};
    for (int8_t phase = 0; phase < PHASE_COUNT; phase++)
        areas[count++] = (struct area){.level = AREA_ENGLAND, .phase = phase, .quintile = AREA_ALL};
    for (int8_t quintile = 0; quintile < QUINTILE_COUNT; quintile++)
        areas[count++] = (struct area){.level = AREA_ENGLAND, .phase = AREA_ALL, .quintile = quintile};
    for (uint32_t key = 0; key < cells->authority_count; key++)
        areas[count++] = (struct area){.level = AREA_AUTHORITY, .key = key, .phase = AREA_ALL, .quintile = AREA_ALL};
    const size_t firsts[] = {1, 1 + PHASE_COUNT, 1 + PHASE_COUNT + QUINTILE_COUNT, count};
    struct bench bench = bench_open_areas(cells, YEARS, 0, areas, count);
    bench_golden_thread(&bench);
    bench_run(&bench, POLICY);
    static const char *const measures[] = {"starts", "cost_gbp", "leavers_fte", "pv_earnings_gbp"};
    for (size_t at = 0; at < sizeof measures / sizeof *measures; at++)
        for (size_t set = 0; set < 3; set++) {
            double sum = 0;
            for (size_t area = firsts[set]; area < firsts[set + 1]; area++)
                sum += bench_figure(&bench, POLICY, -1, area, measures[at], 0);
            expect_close(bench_figure(&bench, POLICY, -1, 0, measures[at], 0), sum, 1e-12, measures[at], 0);
        }
    cr_expect(isnan(bench_figure(&bench, POLICY, -1, 1 + PHASE_PRIMARY, "ks4_gain_sd", 5)),
              "no KS4 pupils in primaries");
    bench_close(&bench);
    free(areas);
    population_free(cells);
}

/* The rows of one authority as a population of their own. */
static struct population *only_authority(const struct population *from, uint16_t authority)
{
    struct population *part = population_new(from->count, 1, false);
    size_t count = 0;
    for (size_t at = 0; at < from->count; at++) {
        if (from->authority[at] != authority) continue;
        part->phase[count] = from->phase[at];
        part->quintile[count] = from->quintile[at];
        part->rise[count] = from->rise[at];
        part->schools[count] = from->schools[at];
        part->pupils[count] = from->pupils[at];
        part->fte[count] = from->fte[at];
        part->fsm6[count] = from->fsm6[at];
        part->ks4[count] = from->ks4[at];
        part->ks4_fsm6[count] = from->ks4_fsm6[at];
        part->ks4_disadvantaged[count++] = from->ks4_disadvantaged[at];
    }
    part->authorities[0] = from->authorities[authority];
    part->count = count;
    return part;
}

Test(entitlement_laws, a_file_of_one_authority_keeps_the_figures_it_has_within_england)
{
    struct population *cells = cells_population(), *part = only_authority(cells, 40);
    struct area inside = {.level = AREA_AUTHORITY, .key = 40, .phase = AREA_ALL, .quintile = AREA_ALL};
    struct bench whole = bench_open_areas(cells, YEARS, 0, &inside, 1), own = bench_open(part, YEARS, 0);
    bench_golden_thread(&whole);
    bench_golden_thread(&own);
    bench_run(&whole, POLICY);
    bench_run(&own, POLICY);
    for (size_t at = 0; at < whole.figure_count; at++) {
        const char *measure = whole.model->measures[whole.figures[at].measure].name;
        uint32_t year = whole.figures[at].year;
        expect_close(bench_figure(&own, POLICY, -1, 0, measure, year),
                     bench_figure(&whole, POLICY, -1, 0, measure, year), 1e-13, measure, year);
    }
    bench_close(&whole);
    bench_close(&own);
    population_free(part);
    population_free(cells);
}

Test(entitlement_laws, twice_the_schools_give_twice_the_flows_and_the_same_means)
{
    struct population *cells = cells_population(), *twice = cells_population();
    for (size_t at = 0; at < twice->count; at++) {
        twice->fte[at] *= 2;
        twice->ks4[at] *= 2;
        twice->schools[at] *= 2;
    }
    struct bench one = bench_open(cells, YEARS, 1), two = bench_open(twice, YEARS, 1);
    static const char *const flows[] = {"starts",       "cost_gbp",      "leavers_fte",
                                        "entrants_fte", "vacancies_fte", "pv_tax_gbp"};
    static const char *const means[] = {"reach_pct", "exposure_pct", "ks4_gain_sd",         "gap_closing_sd",
                                        "bcr",       "payback_year", "break_even_effect_sd"};
    spread(&one);
    spread(&two);
    bench_run(&one, POLICY);
    bench_run(&two, POLICY);
    for (int lane = 0; lane < MODEL_LANES; lane++)
        for (size_t area = 0; area < one.area_count; area++) {
            for (size_t at = 0; at < sizeof flows / sizeof *flows; at++)
                expect_close(bench_figure_lane(&two, POLICY, -1, area, flows[at], 0, lane),
                             2 * bench_figure_lane(&one, POLICY, -1, area, flows[at], 0, lane), 1e-13, flows[at], 0);
            for (size_t at = 0; at < sizeof means / sizeof *means; at++)
                expect_close(bench_figure_lane(&two, POLICY, -1, area, means[at], 0, lane),
                             bench_figure_lane(&one, POLICY, -1, area, means[at], 0, lane), 1e-13, means[at], 0);
        }
    bench_close(&one);
    bench_close(&two);
    population_free(cells);
    population_free(twice);
}

Test(entitlement_laws, a_difference_takes_ratios_of_differenced_money_and_differences_of_means)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 0);
    bench_golden_thread(&bench);
    bench_set(&bench, "entitlement.funded_years", 2);
    bench_run(&bench, BASE);
    bench_golden_thread(&bench);
    bench_set(&bench, "effect.attainment_sd", 0.08);
    bench_run(&bench, POLICY);
    for (size_t area = 0; area < bench.area_count; area += 3) {
        double cost = bench_figure(&bench, POLICY, -1, area, "pv_cost_gbp", 0) -
                      bench_figure(&bench, BASE, -1, area, "pv_cost_gbp", 0);
        double earned = bench_figure(&bench, POLICY, -1, area, "pv_earnings_gbp", 0) -
                        bench_figure(&bench, BASE, -1, area, "pv_earnings_gbp", 0);
        expect_close(bench_figure(&bench, POLICY, BASE, area, "bcr", 0), earned / cost, 1e-12, "bcr", 0);
        static const char *const means[] = {"reach_pct", "exposure_pct", "ks4_gain_sd", "gap_closing_months"};
        for (size_t at = 0; at < sizeof means / sizeof *means; at++)
            cr_expect_eq(bench_figure(&bench, POLICY, BASE, area, means[at], 6),
                         bench_figure(&bench, POLICY, -1, area, means[at], 6) -
                             bench_figure(&bench, BASE, -1, area, means[at], 6),
                         "%s", means[at]);
    }
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, a_scenario_less_itself_is_nothing_at_no_cost)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    static const char *const undefined[] = {
        "bcr", "exchequer_ratio", "payback_year", "payback_never_pct", "break_even_effect_sd", "epi_ratio"};
    spread(&bench);
    bench_run(&bench, POLICY);
    bench_run(&bench, BASE);
    for (size_t at = 0; at < bench.figure_count; at++) {
        const char *measure = bench.model->measures[bench.figures[at].measure].name;
        int is_undefined = 0;
        for (size_t of = 0; of < sizeof undefined / sizeof *undefined; of++)
            is_undefined |= strcmp(measure, undefined[of]) == 0;
        double left = bench_figure_lane(&bench, POLICY, BASE, 3, measure, bench.figures[at].year, 5);
        cr_expect(is_undefined ? isnan(left) : left == 0, "%s: %g", measure, left);
    }
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, without_a_cost_ratios_and_payback_are_undefined_but_nothing_fails)
{
    struct population *school = hand_worked_school();
    struct bench bench = bench_open(school, YEARS, 0);
    bench_reset(&bench);
    cr_expect_eq(bench_run(&bench, BASE), 0);
    static const char *const undefined[] = {"bcr", "exchequer_ratio", "payback_year", "payback_never_pct",
                                            "break_even_effect_sd"};
    for (size_t at = 0; at < sizeof undefined / sizeof *undefined; at++)
        cr_expect(isnan(bench_figure(&bench, BASE, -1, 0, undefined[at], 0)), "%s", undefined[at]);
    cr_expect_eq(bench_figure(&bench, BASE, -1, 0, "exchequer_net_gbp", 0), 0);
    bench_close(&bench);
    population_free(school);
}

/* ---- lanes and bits ---- */

static size_t row_total(const struct bench *bench)
{
    return bench->area_count * bench->part_count;
}

static int same_bits(const struct bench *bench, int slot, int lane, const model_lanes *kept, int kept_lane)
{
    for (size_t row = 0; row < row_total(bench); row++)
        if (memcmp(&bench->parts[slot][row][lane], &kept[row][kept_lane], sizeof(double)) != 0) return 0;
    return 1;
}

Test(entitlement_laws, a_lane_has_the_same_bits_in_any_company)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    size_t columns = bench.model->parameter_count;
    model_lanes *values = malloc(columns * sizeof *values), *kept = malloc(row_total(&bench) * sizeof *kept);
    spread(&bench);
    cr_assert_eq(bench_run(&bench, POLICY), 0);
    memcpy(values, bench.values, columns * sizeof *values);
    memcpy(kept, bench.parts[POLICY], row_total(&bench) * sizeof *kept);
    for (size_t at = 0; at < columns; at++)
        for (int lane = 0; lane < MODEL_LANES; lane++)
            bench.values[at][lane] = values[at][(lane * 5 + 3) % MODEL_LANES];
    bench_run(&bench, OTHER);
    for (int lane = 0; lane < MODEL_LANES; lane++)
        cr_expect(same_bits(&bench, OTHER, lane, kept, (lane * 5 + 3) % MODEL_LANES), "lane %d among shuffled draws",
                  lane);
    for (int alone = 0; alone < MODEL_LANES; alone++) {
        for (size_t at = 0; at < columns; at++)
            for (int lane = 0; lane < MODEL_LANES; lane++) bench.values[at][lane] = values[at][alone];
        bench_run(&bench, OTHER);
        cr_expect(same_bits(&bench, OTHER, 0, kept, alone), "lane %d among its own likes", alone);
        cr_expect(same_bits(&bench, OTHER, 31, kept, alone), "lane %d among its own likes", alone);
    }
    free(values);
    free(kept);
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_laws, a_failed_draw_is_named_and_leaves_the_others_alone)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    model_lanes *kept = malloc(row_total(&bench) * sizeof *kept);
    spread(&bench);
    cr_assert_eq(bench_run(&bench, POLICY), 0);
    memcpy(kept, bench.parts[POLICY], row_total(&bench) * sizeof *kept);
    for (int band = 1; band <= 5; band++) {
        char name[64];
        snprintf(name, sizeof name, "workforce.band_share_%d", band);
        bench_set_lane(&bench, name, 3, 0); /* no experience at all: shares of nothing */
    }
    bench_set_lane(&bench, "value.grade_gbp", 30, INFINITY);
    cr_expect_eq(bench_run(&bench, POLICY), (UINT32_C(1) << 3) | (UINT32_C(1) << 30));
    for (int lane = 0; lane < MODEL_LANES; lane++)
        if (lane != 3 && lane != 30) cr_expect(same_bits(&bench, POLICY, lane, kept, lane), "lane %d", lane);
    free(kept);
    bench_close(&bench);
    population_free(cells);
}

/* FNV-1a over the bytes of every part. */
static uint64_t fingerprint(const struct bench *bench, int slot)
{
    const unsigned char *bytes = (const unsigned char *)bench->parts[slot];
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t at = 0; at < row_total(bench) * sizeof(model_lanes); at++)
        hash = (hash ^ bytes[at]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Any compiler, optimisation and CPU must give these bits. A figure that changes on purpose changes
 * them, and then the model's version as well. */
Test(entitlement_laws, the_bits_of_version_1_are_the_same_everywhere)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    cr_expect_str_eq(bench.model->version, "1");
    spread(&bench);
    bench_run(&bench, POLICY);
    cr_expect_eq(fingerprint(&bench, POLICY), UINT64_C(0x1aaccd297625ead7), "0x%016llx",
                 (unsigned long long)fingerprint(&bench, POLICY));
    bench_close(&bench);
    population_free(cells);
}
