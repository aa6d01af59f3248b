#include "measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"

/* What a measure is made from: the parts of one scenario in one area. */
struct view {
    const struct model_run *run;
    const struct weights *weights; /* of the area */
    const model_lanes *parts;
};

/* How years make `all`: flows and counts add up, levels and means take the last year. */
enum over_years { ADD_UP, TAKE_LAST, ALL_ONLY };

enum presence { ALWAYS, IF_DYNAMIC, IF_EPI, IF_FRONTIER };

struct rule {
    struct model_measure measure;
    enum over_years over_years;
    enum presence presence;
    /* Rows of the years for one scenario; a difference is the difference of two. NULL with ALL_ONLY. */
    void (*by_year)(const struct view *view, model_lanes *rows);
    /* The one figure of ALL_ONLY. minus: NULL, or the baseline. */
    void (*total)(const struct view *view, const struct view *minus, double *out);
};

static const model_lanes *rows_of(const struct view *view, enum part_by_year part)
{
    return view->parts + row_by_year(&view->run->layout, part);
}

static const double *single_of(const struct view *view, enum part_single part)
{
    return view->parts[row_single(&view->run->layout, part)];
}

static void copy_rows(const struct view *view, const model_lanes *from, model_lanes *rows)
{
    memcpy(rows, from, view->run->years * sizeof *rows);
}

static void scale_rows(const struct view *view, enum part_by_year part, enum part_single factor, model_lanes *rows)
{
    lanes_scale(rows, rows_of(view, part), single_of(view, factor), view->run->years);
}

/* ---- measures by year ---- */

static void starts(const struct view *view, model_lanes *rows)
{
    copy_rows(view, rows_of(view, PART_STARTS), rows);
}

KERNEL static void reach_pct(const struct view *view, model_lanes *restrict rows)
{
    const model_lanes *restrict reached = rows_of(view, PART_REACHED);
    const double *restrict heads = single_of(view, PART_HEADCOUNT);
    for (uint32_t at = 0; at < view->run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) rows[at][i] = 100 * reached[at][i] / heads[i];
}

static void funded_hours(const struct view *view, model_lanes *rows)
{
    scale_rows(view, PART_STARTS, PART_HOURS, rows);
}

static void cost_fee_gbp(const struct view *view, model_lanes *rows)
{
    scale_rows(view, PART_STARTS, PART_FEE, rows);
}

static void cost_cover_gbp(const struct view *view, model_lanes *rows)
{
    copy_rows(view, rows_of(view, PART_COVER), rows);
}

static void cost_rise_gbp(const struct view *view, model_lanes *rows)
{
    memset(rows, 0, view->run->years * sizeof *rows);
    memcpy(rows[0], single_of(view, PART_RISE_COST), sizeof *rows);
}

KERNEL static void cost_gbp(const struct view *view, model_lanes *restrict rows)
{
    const model_lanes *restrict started = rows_of(view, PART_STARTS), *restrict cover = rows_of(view, PART_COVER);
    const double *restrict fee = single_of(view, PART_FEE), *restrict rise = single_of(view, PART_RISE_COST);
    for (uint32_t at = 0; at < view->run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) rows[at][i] = started[at][i] * fee[i] + cover[at][i];
    for (int i = 0; i < MODEL_LANES; i++) rows[0][i] += rise[i];
}

static void teacher_time_gbp(const struct view *view, model_lanes *rows)
{
    scale_rows(view, PART_STARTS, PART_TIME, rows);
}

static void leavers_fte(const struct view *view, model_lanes *rows)
{
    copy_rows(view, rows_of(view, PART_LEAVERS), rows);
}

static void kept_fte(const struct view *view, model_lanes *rows)
{
    copy_rows(view, rows_of(view, PART_KEPT), rows);
}

static void entrants_fte(const struct view *view, model_lanes *rows)
{
    copy_rows(view, view->parts + view->run->layout.entrants, rows);
}

static void stock_fte(const struct view *view, model_lanes *rows)
{
    copy_rows(view, rows_of(view, PART_STOCK), rows);
}

static void vacancies_fte(const struct view *view, model_lanes *rows)
{
    copy_rows(view, rows_of(view, PART_VACANCIES), rows);
}

static void shortage_fte(const struct view *view, model_lanes *rows)
{
    copy_rows(view, rows_of(view, PART_SHORTAGE), rows);
}

KERNEL static void exposure_pct(const struct view *view, model_lanes *restrict rows)
{
    const model_lanes *restrict exposed = rows_of(view, PART_EXPOSED), *restrict stock = rows_of(view, PART_STOCK);
    for (uint32_t at = 0; at < view->run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) rows[at][i] = 100 * exposed[at][i] / stock[at][i];
}

KERNEL static void ks4_gain_sd(const struct view *view, model_lanes *restrict rows)
{
    const model_lanes *restrict gain = rows_of(view, PART_GAIN);
    double pupils = view->weights->ks4;
    for (uint32_t at = 0; at < view->run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) rows[at][i] = gain[at][i] / pupils;
}

static void ks4_gain_grades(const struct view *view, model_lanes *rows)
{
    model_lanes gain[MODEL_YEARS_MAX];
    ks4_gain_sd(view, gain);
    lanes_scale(rows, gain, single_of(view, PART_GRADES), view->run->years);
}

/* e5: gain_dis - gain_oth. */
KERNEL static void gap_closing_sd(const struct view *view, model_lanes *restrict rows)
{
    const model_lanes *restrict gain = rows_of(view, PART_GAIN_DISADVANTAGED);
    const model_lanes *restrict gain_other = rows_of(view, PART_GAIN_OTHER);
    double pupils = view->weights->ks4_gap, others = view->weights->ks4 - view->weights->ks4_gap;
    for (uint32_t at = 0; at < view->run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) rows[at][i] = gain[at][i] / pupils - gain_other[at][i] / others;
}

static void scale_gap(const struct view *view, enum part_single factor, model_lanes *rows)
{
    model_lanes closing[MODEL_YEARS_MAX];
    gap_closing_sd(view, closing);
    lanes_scale(rows, closing, single_of(view, factor), view->run->years);
}

static void gap_closing_months(const struct view *view, model_lanes *rows)
{
    scale_gap(view, PART_MONTHS, rows);
}

static void gap_closing_points(const struct view *view, model_lanes *rows)
{
    scale_gap(view, PART_POINTS, rows);
}

static void frontier_pv_gbp(const struct view *view, model_lanes *rows)
{
    copy_rows(view, view->parts + view->run->layout.frontier, rows);
}

static void frontier_tax_gbp(const struct view *view, model_lanes *rows)
{
    const struct layout *layout = &view->run->layout;
    lanes_scale(rows, view->parts + layout->frontier, view->parts[layout->frontier_tax], view->run->years);
}

/* ---- measures of the whole run ---- */

/* A single part, or its difference. */
static void take_row(const struct view *view, const struct view *minus, size_t row, double *out)
{
    memcpy(out, view->parts[row], sizeof(model_lanes));
    if (!minus) return;
    for (int i = 0; i < MODEL_LANES; i++) out[i] -= minus->parts[row][i];
}

static void take(const struct view *view, const struct view *minus, enum part_single part, double *out)
{
    take_row(view, minus, row_single(&view->run->layout, part), out);
}

static double ratio_of(double part, double whole)
{
    return whole != 0 ? part / whole : NAN;
}

static void pv_cost_gbp(const struct view *view, const struct view *minus, double *out)
{
    take(view, minus, PART_PV_COST, out);
}

static void pv_earnings_gbp(const struct view *view, const struct view *minus, double *out)
{
    take(view, minus, PART_PV_EARNINGS, out);
}

static void pv_tax_gbp(const struct view *view, const struct view *minus, double *out)
{
    take(view, minus, PART_PV_TAX, out);
}

static void pv_saving_gbp(const struct view *view, const struct view *minus, double *out)
{
    take(view, minus, PART_PV_SAVING, out);
}

/* e4: BCR = pvE / PV(cost). */
static void bcr(const struct view *view, const struct view *minus, double *out)
{
    model_lanes cost;
    take(view, minus, PART_PV_COST, cost);
    take(view, minus, PART_PV_EARNINGS, out);
    for (int i = 0; i < MODEL_LANES; i++) out[i] = ratio_of(out[i], cost[i]);
}

/* pvTax + PV saving */
static void take_returns(const struct view *view, const struct view *minus, double *out)
{
    model_lanes saving;
    take(view, minus, PART_PV_TAX, out);
    take(view, minus, PART_PV_SAVING, saving);
    for (int i = 0; i < MODEL_LANES; i++) out[i] += saving[i];
}

/* e4: (pvTax + PV saving) / PV(cost). */
static void exchequer_ratio(const struct view *view, const struct view *minus, double *out)
{
    model_lanes cost;
    take(view, minus, PART_PV_COST, cost);
    take_returns(view, minus, out);
    for (int i = 0; i < MODEL_LANES; i++) out[i] = ratio_of(out[i], cost[i]);
}

static void exchequer_net_gbp(const struct view *view, const struct view *minus, double *out)
{
    model_lanes cost;
    take(view, minus, PART_PV_COST, cost);
    take_returns(view, minus, out);
    for (int i = 0; i < MODEL_LANES; i++) out[i] -= cost[i];
}

/* e4: the first year after the last funded one in which the running sum of flows is not below 0; 0: never. */
KERNEL static void search_payback(const model_lanes *restrict flows, const model_lanes *restrict minus,
                                  const double *restrict last_funded, uint32_t horizon, double *restrict found)
{
    model_lanes sum = {0};
    for (int i = 0; i < MODEL_LANES; i++) found[i] = 0;
    for (uint32_t year = 1; year <= horizon; year++) {
        for (int i = 0; i < MODEL_LANES; i++) sum[i] += flows[year - 1][i];
        for (int i = 0; i < MODEL_LANES && minus; i++) sum[i] -= minus[year - 1][i];
        for (int i = 0; i < MODEL_LANES; i++) {
            bool paid = (found[i] == 0) & (year > last_funded[i]) & (sum[i] >= 0);
            found[i] = paid ? year : found[i];
        }
    }
}

static void find_payback(const struct view *view, const struct view *minus, double *found)
{
    const struct layout *layout = &view->run->layout;
    model_lanes last;
    memcpy(last, single_of(view, PART_LAST_FUNDED), sizeof last);
    if (minus) {
        const double *other = single_of(minus, PART_LAST_FUNDED);
        for (int i = 0; i < MODEL_LANES; i++)
            if (other[i] > last[i]) last[i] = other[i];
    }
    search_payback(view->parts + layout->flows, minus ? minus->parts + layout->flows : NULL, last,
                   layout->years + EARNING_LAST, found);
}

/* A scenario that costs less than the baseline has nothing to pay back: what it saves comes first and what
 * it gives up comes later, so that the running sum begins above 0 even where the whole is a loss. */
static void payback_year(const struct view *view, const struct view *minus, double *out)
{
    model_lanes cost;
    take(view, minus, PART_PV_COST, cost);
    find_payback(view, minus, out);
    for (int i = 0; i < MODEL_LANES; i++)
        if (!(cost[i] > 0) || out[i] == 0) out[i] = NAN;
}

static void payback_never_pct(const struct view *view, const struct view *minus, double *out)
{
    model_lanes cost;
    take(view, minus, PART_PV_COST, cost);
    find_payback(view, minus, out);
    for (int i = 0; i < MODEL_LANES; i++) {
        double never = out[i] == 0 ? 100 : 0;
        out[i] = cost[i] > 0 ? never : NAN;
    }
}

/* The e0 at which fixed + slope e0 = 0. */
static void break_even_effect_sd(const struct view *view, const struct view *minus, double *out)
{
    model_lanes cost, slope;
    take(view, minus, PART_PV_COST, cost);
    take(view, minus, PART_BREAK_EVEN_FIXED, out);
    take(view, minus, PART_BREAK_EVEN_SLOPE, slope);
    for (int i = 0; i < MODEL_LANES; i++) out[i] = cost[i] == 0 ? NAN : ratio_of(-out[i], slope[i]);
}

static void epi_cost_gbp(const struct view *view, const struct view *minus, double *out)
{
    take_row(view, minus, view->run->layout.epi, out);
}

static void epi_benefit_gbp(const struct view *view, const struct view *minus, double *out)
{
    take_row(view, minus, view->run->layout.epi + 1, out);
}

static void epi_net_gbp(const struct view *view, const struct view *minus, double *out)
{
    model_lanes cost;
    epi_cost_gbp(view, minus, cost);
    epi_benefit_gbp(view, minus, out);
    for (int i = 0; i < MODEL_LANES; i++) out[i] -= cost[i];
}

static void epi_ratio(const struct view *view, const struct view *minus, double *out)
{
    model_lanes cost;
    epi_cost_gbp(view, minus, cost);
    epi_benefit_gbp(view, minus, out);
    for (int i = 0; i < MODEL_LANES; i++) out[i] = ratio_of(out[i], cost[i]);
}

static void epi_kept_fte(const struct view *view, const struct view *minus, double *out)
{
    take_row(view, minus, view->run->layout.epi + 2, out);
}

/* ---- the table ---- */

#define BY_YEAR(name, unit, over_years, presence, meaning)                                                             \
    {                                                                                                                  \
        {#name, unit, meaning}, over_years, presence, name, NULL                                                       \
    }
#define TOTAL(name, unit, presence, meaning)                                                                           \
    {                                                                                                                  \
        {#name, unit, meaning}, ALL_ONLY, presence, NULL, name                                                         \
    }

static const struct rule rules[] = {
    BY_YEAR(starts, "teachers", ADD_UP, ALWAYS, "teachers who start funded training"),
    BY_YEAR(reach_pct, "%", TAKE_LAST, ALWAYS, "share of teachers reached so far, by headcount"),
    BY_YEAR(funded_hours, "hours", ADD_UP, ALWAYS, "hours of training that starts receive"),
    BY_YEAR(cost_gbp, "GBP", ADD_UP, ALWAYS, "public cost: fees, cover and RISE grants"),
    BY_YEAR(cost_fee_gbp, "GBP", ADD_UP, ALWAYS, "fees"),
    BY_YEAR(cost_cover_gbp, "GBP", ADD_UP, ALWAYS, "cover grants to schools"),
    BY_YEAR(cost_rise_gbp, "GBP", ADD_UP, ALWAYS, "grants to RISE schools"),
    BY_YEAR(teacher_time_gbp, "GBP", ADD_UP, ALWAYS, "value of teachers' time in training; not part of cost_gbp"),
    BY_YEAR(leavers_fte, "FTE", ADD_UP, ALWAYS, "teachers who leave, after the policy's own effect"),
    BY_YEAR(kept_fte, "FTE", ADD_UP, ALWAYS, "teachers who would have left with no policy"),
    BY_YEAR(entrants_fte, "FTE", ADD_UP, IF_DYNAMIC, "teachers who enter; with a static workforce, as many as leave"),
    BY_YEAR(stock_fte, "FTE", TAKE_LAST, IF_DYNAMIC, "teachers in post at the end of the year"),
    BY_YEAR(vacancies_fte, "FTE", ADD_UP, ALWAYS, "posts vacant: the base rate and posts not filled"),
    BY_YEAR(shortage_fte, "FTE", ADD_UP, ALWAYS, "vacancies and posts filled temporarily"),
    BY_YEAR(exposure_pct, "%", TAKE_LAST, ALWAYS, "share of staff who carry the practice gain, by FTE"),
    BY_YEAR(ks4_gain_sd, "SD", TAKE_LAST, ALWAYS, "attainment gain of the cohort that leaves key stage 4"),
    BY_YEAR(ks4_gain_grades, "grades", TAKE_LAST, ALWAYS, "the same in GCSE grades, summed over subjects"),
    BY_YEAR(gap_closing_sd, "SD", TAKE_LAST, ALWAYS, "gain of disadvantaged pupils less the gain of others"),
    BY_YEAR(gap_closing_months, "months", TAKE_LAST, ALWAYS, "the same in months of progress"),
    BY_YEAR(gap_closing_points, "points", TAKE_LAST, ALWAYS, "the same in Attainment 8 points"),
    TOTAL(pv_cost_gbp, "GBP", ALWAYS, "present value of cost_gbp"),
    TOTAL(pv_earnings_gbp, "GBP", ALWAYS, "present value of pupils' lifetime earnings gained"),
    TOTAL(pv_tax_gbp, "GBP", ALWAYS, "the exchequer's share of pv_earnings_gbp"),
    TOTAL(pv_saving_gbp, "GBP", ALWAYS, "present value of replacements that kept teachers save"),
    TOTAL(bcr, "ratio", ALWAYS, "pv_earnings_gbp / pv_cost_gbp"),
    TOTAL(exchequer_ratio, "ratio", ALWAYS, "(pv_tax_gbp + pv_saving_gbp) / pv_cost_gbp"),
    TOTAL(exchequer_net_gbp, "GBP", ALWAYS, "pv_tax_gbp + pv_saving_gbp - pv_cost_gbp"),
    TOTAL(payback_year, "year", ALWAYS,
          "first year in which discounted saving and tax have covered the cost; undefined for a cost of 0 or less"),
    TOTAL(payback_never_pct, "%", ALWAYS, "share of draws with a cost that is never paid back"),
    TOTAL(break_even_effect_sd, "SD", ALWAYS, "effect.attainment_sd that pays back by value.break_even_year"),
    TOTAL(epi_cost_gbp, "GBP", IF_EPI, "EPI account: cost over ten years, discounted"),
    TOTAL(epi_benefit_gbp, "GBP", IF_EPI, "EPI account: lifetime earnings of the cohorts credited"),
    TOTAL(epi_net_gbp, "GBP", IF_EPI, "EPI account: benefit less cost"),
    TOTAL(epi_ratio, "ratio", IF_EPI, "EPI account: benefit / cost"),
    TOTAL(epi_kept_fte, "FTE a year", IF_EPI, "EPI account: leavers kept each year"),
    BY_YEAR(frontier_pv_gbp, "GBP", TAKE_LAST, IF_FRONTIER, "Frontier account: earnings of pupils taught so far, PV"),
    BY_YEAR(frontier_tax_gbp, "GBP", TAKE_LAST, IF_FRONTIER, "Frontier account: the exchequer's share of it"),
};

enum { RULE_COUNT = sizeof rules / sizeof *rules };

const struct model_measure *measures_table(size_t *count)
{
    static struct model_measure table[RULE_COUNT];
    for (size_t at = 0; at < RULE_COUNT; at++) table[at] = rules[at].measure;
    *count = RULE_COUNT;
    return table;
}

static bool is_present(const struct model_run *run, const struct rule *rule)
{
    switch (rule->presence) {
    case IF_DYNAMIC:
        return run->may_be_dynamic;
    case IF_EPI:
        return run->has_epi;
    case IF_FRONTIER:
        return run->has_frontier;
    default:
        return true;
    }
}

static void set_layout(struct model_run *run)
{
    struct layout *layout = &run->layout;
    layout->years = run->years;
    layout->single = (size_t)PART_BY_YEAR_COUNT * run->years;
    layout->flows = layout->single + PART_SINGLE_COUNT;
    layout->count = layout->flows + run->years + EARNING_LAST;
    layout->entrants = layout->count;
    if (run->may_be_dynamic) layout->count += run->years;
    layout->epi = layout->count;
    if (run->has_epi) layout->count += 3;
    layout->frontier = layout->count;
    layout->frontier_tax = layout->frontier + run->years;
    if (run->has_frontier) layout->count += run->years + 1;
}

bool measures_plan(struct model_run *run)
{
    set_layout(run);
    run->figures = malloc(RULE_COUNT * (run->years + 1) * sizeof *run->figures);
    if (!run->figures) return false;
    for (uint16_t at = 0; at < RULE_COUNT; at++) {
        if (!is_present(run, &rules[at])) continue;
        for (uint16_t year = 1; year <= run->years && rules[at].over_years != ALL_ONLY; year++)
            run->figures[run->figure_count++] = (struct model_figure){.measure = at, .year = year};
        run->figures[run->figure_count++] = (struct model_figure){.measure = at, .year = MODEL_YEAR_ALL};
    }
    return true;
}

/* The years of one measure and then `all`: years + 1 rows. */
static void fill_by_year(const struct rule *rule, const struct view *view, const struct view *minus, model_lanes *out)
{
    uint32_t years = view->run->years;
    rule->by_year(view, out);
    if (minus) {
        model_lanes base[MODEL_YEARS_MAX];
        rule->by_year(minus, base);
        lanes_subtract(out, base, years);
    }
    if (rule->over_years == ADD_UP) lanes_add_up(out[years], out, years);
    else memcpy(out[years], out[years - 1], sizeof *out);
}

void measures_of_area(const struct model_run *run, size_t area, const model_lanes *parts, const model_lanes *minus,
                      model_lanes *out)
{
    const struct weights *weights = &run->groups.areas[area].all;
    struct view view = {.run = run, .weights = weights, .parts = parts};
    struct view base = {.run = run, .weights = weights, .parts = minus};
    for (size_t at = 0; at < RULE_COUNT; at++) {
        const struct rule *rule = &rules[at];
        if (!is_present(run, rule)) continue;
        if (rule->over_years == ALL_ONLY) {
            rule->total(&view, minus ? &base : NULL, *out++);
        } else {
            fill_by_year(rule, &view, minus ? &base : NULL, out);
            out += run->years + 1;
        }
    }
}
