/* The model against a plain second implementation: row by row and year by year, straight from the
 * equations, with libm and without groups, lanes or shared sums; at random parameters. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "population.h"
#include "support_model.h"

enum { YEARS = 12, HORIZON = YEARS + 48, AREAS = 10, BANDS = 5 };

/* ---- parameters of one draw, by name ---- */

struct draw {
    const struct bench *bench;
    int lane;
};

static double get(const struct draw *draw, const char *name)
{
    return draw->bench->values[bench_column(draw->bench, name)][draw->lane];
}

static double get_numbered(const struct draw *draw, const char *before, int number, const char *after)
{
    char name[64];
    snprintf(name, sizeof name, "%s%d%s", before, number, after);
    return get(draw, name);
}

static double get_by_class(const struct draw *draw, const char *before, int phase)
{
    const char *class = phase == PHASE_SECONDARY                           ? "secondary"
                        : phase == PHASE_PRIMARY || phase == PHASE_NURSERY ? "primary"
                                                                           : "special";
    char name[64];
    snprintf(name, sizeof name, "%s%s", before, class);
    return get(draw, name);
}

static const char *const region_names[] = {
    "",       "north_east", "north_west", "yorkshire_humber", "east_midlands", "west_midlands", "east_of_england",
    "london", "south_east", "south_west"};

/* What the equations need, looked up once per draw. */
struct inputs {
    double start[6], cover[6], phase_multiplier[PHASE_COUNT], quintile_multiplier[6], region_multiplier[10];
    double supply_weight[6], pupils_growth[PHASE_COUNT], ptr_growth[PHASE_COUNT];
    double share[BANDS], leave[BANDS], leave_now[BANDS], entry[BANDS];
    double funded, churn, initial, effect, phi, hours, dose, decay, rho, beta, quality, ramp, sigma, retention, fee;
    double replacement, hour_gbp, grades, grade_gbp, tau, penalty, rate, rate_long, months, points, break_even_year;
    double rise, rise_effect, grant, rise_scale, dynamic, fte_total, headcount_total, ks4_total, scale, entrants,
        growth, vacancy;
    double temporary, epi, epi_cost, epi_pupils, epi_pv, epi_cohorts, epi_retention, flow, frontier_pupils, frontier_pv;
    double frontier_tax;
    int lag;
};

static void age(const double stayed[BANDS], double aged[BANDS])
{
    aged[0] = 0;
    aged[1] = stayed[0];
    aged[2] = stayed[1] + stayed[2] * 2 / 3;
    aged[3] = stayed[2] / 3 + stayed[3] * 0.8;
    aged[4] = stayed[3] * 0.2 + stayed[4];
}

static void read_bands(const struct draw *draw, struct inputs *in)
{
    double whole = 0, total = 0, stayed[BANDS], aged[BANDS], early = get(draw, "retention.early_career");
    for (int band = 0; band < BANDS; band++) whole += get_numbered(draw, "workforce.band_share_", band + 1, "");
    for (int band = 0; band < BANDS; band++) {
        in->share[band] = get_numbered(draw, "workforce.band_share_", band + 1, "") / whole;
        in->leave[band] = get_numbered(draw, "workforce.leaver_rate_band_", band + 1, "");
        in->leave_now[band] = in->leave[band] * (band < 2 ? 1 - early : 1);
        stayed[band] = in->share[band] * (1 - in->leave[band]);
    }
    age(stayed, aged);
    for (int band = 0; band < BANDS; band++) total += in->entry[band] = in->share[band] - aged[band];
    for (int band = 0; band < BANDS; band++) in->entry[band] /= total;
}

static void read_families(const struct draw *draw, struct inputs *in)
{
    in->start[0] = get(draw, "entitlement.start_share");
    in->cover[0] = 0;
    in->quintile_multiplier[0] = in->supply_weight[0] = 1;
    for (int q = 1; q < 6; q++) {
        double own = get_numbered(draw, "entitlement.start_share_quintile_", q, "");
        in->start[q] = isnan(own) ? in->start[0] : own;
        in->cover[q] = get_numbered(draw, "cost.cover_quintile_", q, "_gbp");
        in->quintile_multiplier[q] = get_numbered(draw, "workforce.leaver_multiplier_quintile_", q, "");
        in->supply_weight[q] = get_numbered(draw, "workforce.supply_weight_quintile_", q, "");
    }
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        in->phase_multiplier[phase] = get_by_class(draw, "workforce.leaver_multiplier_", phase);
        in->pupils_growth[phase] = get_by_class(draw, "workforce.pupils_growth_", phase);
        in->ptr_growth[phase] = get_by_class(draw, "workforce.ptr_growth_", phase);
    }
    for (int region = 1; region <= 9; region++) {
        char name[64];
        snprintf(name, sizeof name, "workforce.leaver_multiplier_%s", region_names[region]);
        in->region_multiplier[region] = get(draw, name);
    }
}

static void read_numbers(const struct draw *draw, struct inputs *in)
{
    const struct {
        double *to;
        const char *name;
    } reads[] = {
        {&in->funded, "entitlement.funded_years"},
        {&in->churn, "entitlement.churn"},
        {&in->initial, "entitlement.initial_reach"},
        {&in->effect, "effect.attainment_sd"},
        {&in->phi, "effect.implementation"},
        {&in->hours, "effect.hours"},
        {&in->decay, "effect.teacher_decay"},
        {&in->rho, "effect.pupil_persistence"},
        {&in->beta, "effect.disadvantaged_ratio"},
        {&in->quality, "effect.teaching_quality_sd"},
        {&in->ramp, "effect.quality_ramp_years"},
        {&in->sigma, "effect.teacher_quality_sd_effect"},
        {&in->retention, "retention.full_dose"},
        {&in->fee, "cost.fee_gbp"},
        {&in->replacement, "cost.replacement_gbp"},
        {&in->hour_gbp, "cost.teacher_hour_gbp"},
        {&in->grades, "value.grades_per_sd"},
        {&in->grade_gbp, "value.grade_gbp"},
        {&in->tau, "value.exchequer_share"},
        {&in->penalty, "value.fsm6_earnings_penalty"},
        {&in->rate, "value.discount_rate"},
        {&in->rate_long, "value.discount_rate_long"},
        {&in->months, "value.months_per_sd"},
        {&in->points, "value.points_per_sd"},
        {&in->break_even_year, "value.break_even_year"},
        {&in->flow, "value.credit"},
        {&in->rise, "rise.enabled"},
        {&in->rise_effect, "rise.effect_sd"},
        {&in->grant, "rise.grant_gbp"},
        {&in->rise_scale, "rise.schools_scale"},
        {&in->dynamic, "workforce.mode"},
        {&in->fte_total, "workforce.fte_total"},
        {&in->headcount_total, "workforce.headcount_total"},
        {&in->ks4_total, "workforce.ks4_pupils_total"},
        {&in->scale, "workforce.fte_scale"},
        {&in->entrants, "workforce.entrants_fte"},
        {&in->growth, "workforce.entrants_growth"},
        {&in->vacancy, "workforce.vacancy_rate"},
        {&in->temporary, "workforce.temporarily_filled_fte"},
        {&in->epi, "epi.enabled"},
        {&in->epi_cost, "epi.cost_gbp_per_year"},
        {&in->epi_pupils, "epi.cohort_pupils"},
        {&in->epi_pv, "epi.pv_gbp_per_pupil"},
        {&in->epi_cohorts, "epi.cohorts_in_school"},
        {&in->epi_retention, "epi.retention"},
        {&in->frontier_pupils, "frontier.pupils_per_year"},
        {&in->frontier_pv, "frontier.pv_gbp_per_pupil_per_sd"},
        {&in->frontier_tax, "frontier.tax_share"},
    };
    for (size_t at = 0; at < sizeof reads / sizeof *reads; at++) *reads[at].to = get(draw, reads[at].name);
    in->lag = (int)get(draw, "effect.lag_years");
    in->dose = pow(in->hours / get(draw, "effect.reference_hours"), get(draw, "effect.dose_exponent"));
}

/* ---- one scenario, row by row ---- */

/* Sums over the rows of an area. */
struct sums {
    double heads, fte, ks4, ks4_gap, rise_cost, no_policy_leavers;
    double starts[YEARS + 1], reached[YEARS + 1], cover[YEARS + 1], leavers[YEARS + 1], kept[YEARS + 1];
    double entrants[YEARS + 1], stock[YEARS + 1], vacancies[YEARS + 1], shortage[YEARS + 1], exposed[YEARS + 1];
    double gain[YEARS + 1], gain_gap[YEARS + 1], value[YEARS + 1];
    double value_without[YEARS + 1]; /* with e0 = 0 */
};

struct outcome {
    struct inputs in;
    double national_heads, national_ks4;
    struct sums sums[AREAS];
};

/* One school or cell through the years. */
struct row {
    double fte, multiplier, bands[BANDS], reach, exposure[YEARS + 1], demand, starts, leavers, kept;
};

static double band_rate(double leave, double multiplier)
{
    return fmin(1, leave * multiplier);
}

static double region_factor(const struct population *population, const struct inputs *in)
{
    double without = 0, with = 0;
    for (size_t at = 0; at < population->count; at++) {
        double weight = population->fte[at] * in->phase_multiplier[population->phase[at]] *
                        in->quintile_multiplier[population->quintile[at]];
        without += weight;
        with += weight * in->region_multiplier[population->authorities[population->authority[at]].region];
    }
    return without / with;
}

/* Q_t of e3 for effect size e0, and G_t. */
static double gain_of(const struct inputs *in, const struct row *row, int year, double effect, int flagged)
{
    double gain = 0;
    for (int k = 0; k <= 4; k++) {
        int then = year - k, trained = then - in->lag;
        double one_year = 0;
        if (then < 1) continue;
        if (trained >= 1) one_year += effect * in->phi * in->dose * row->exposure[trained];
        if (flagged && in->rise != 0 && then >= 2 && then <= 4) one_year += in->rise_scale * in->rise_effect;
        one_year += in->sigma * in->quality * fmin(1, then / in->ramp);
        gain += pow(in->rho, k) * one_year;
    }
    return gain;
}

/* A school that is not flagged and one that is differ by the RISE term only; scaling weighs the term. */
static void add_gains(const struct inputs *in, const struct population *population, size_t at, const struct row *row,
                      int year, struct sums *sums)
{
    double n = population->ks4[at], n_gap = n * population->ks4_disadvantaged[at];
    double gain = gain_of(in, row, year, in->effect, population->rise[at]);
    double without = gain_of(in, row, year, 0, population->rise[at]);
    double earning = in->grades * in->grade_gbp * n * (1 - in->penalty * population->ks4_fsm6[at]);
    sums->gain[year] += n * gain;
    sums->gain_gap[year] += n_gap * gain;
    sums->value[year] += earning * gain;
    sums->value_without[year] += earning * without;
}

/* Leavers go and survivors age (dynamic), or the bands stay (static); reach, exposure and retention follow. */
static void step_row(const struct inputs *in, struct row *row, int quintile, int year, double posts)
{
    double stock = 0, all = 0, now = 0, stayed[BANDS], sum = 0;
    for (int band = 0; band < BANDS; band++) {
        stock += row->bands[band];
        all += band_rate(in->leave[band], row->multiplier) * row->bands[band];
        now += band_rate(in->leave_now[band], row->multiplier) * row->bands[band];
    }
    double rate = now / stock, held = in->churn != 0 ? (1 - rate) * row->reach : row->reach;
    row->starts = year <= in->funded ? in->start[quintile] * (1 - held) : 0;
    row->reach = held + row->starts;
    row->exposure[year] = (1 - in->decay) * (1 - rate) * (year > 1 ? row->exposure[year - 1] : 0) + row->starts;
    double cut = fmin(1, in->retention * in->dose * row->starts);
    row->leavers = now * (1 - cut);
    row->kept = all - row->leavers;
    if (in->dynamic == 0) return;
    for (int band = 0; band < BANDS; band++)
        stayed[band] = row->bands[band] * (1 - band_rate(in->leave_now[band], row->multiplier) * (1 - cut));
    age(stayed, row->bands);
    for (int band = 0; band < BANDS; band++) sum += row->bands[band];
    row->demand = fmax(0, posts - sum);
}

static double posts_of(const struct inputs *in, double fte, int phase, int year)
{
    if (in->dynamic == 0) return fte;
    return fte * pow(1 + in->pupils_growth[phase], year - 1) / pow(1 + in->ptr_growth[phase], year - 1);
}

/* Gives a row its share of the supply, and answers with what it got. */
static double fill_row(const struct inputs *in, struct row *row, int quintile, double supply, double weighted)
{
    double filled = weighted > 0 ? fmin(row->demand, row->demand * in->supply_weight[quintile] / weighted * supply) : 0;
    for (int band = 0; band < BANDS; band++) row->bands[band] += filled * in->entry[band];
    return filled;
}

static void add_year(const struct outcome *out, const struct population *population, size_t at, const struct row *row,
                     int year, double posts, double filled, struct sums *sums)
{
    const struct inputs *in = &out->in;
    double heads = row->fte * in->headcount_total / in->fte_total, stock = 0;
    for (int band = 0; band < BANDS; band++) stock += row->bands[band];
    double vacancies = in->vacancy * posts + (in->dynamic != 0 ? row->demand - filled : 0);
    sums->starts[year] += heads * row->starts;
    sums->reached[year] += heads * row->reach;
    sums->cover[year] += heads * row->starts * in->cover[population->quintile[at]];
    sums->leavers[year] += row->leavers;
    sums->kept[year] += row->kept;
    sums->entrants[year] += in->dynamic != 0 ? filled : row->leavers;
    sums->stock[year] += stock;
    sums->vacancies[year] += vacancies;
    sums->shortage[year] += vacancies + in->temporary * posts / in->fte_total;
    sums->exposed[year] += stock * row->exposure[year];
    add_gains(in, population, at, row, year, sums);
}

static void add_base(const struct inputs *in, const struct population *population, size_t at, const struct row *row,
                     struct sums *sums)
{
    sums->heads += row->fte * in->headcount_total / in->fte_total;
    sums->fte += row->fte;
    sums->ks4 += population->ks4[at];
    sums->ks4_gap += population->ks4[at] * population->ks4_disadvantaged[at];
    if (in->rise != 0 && population->rise[at]) sums->rise_cost += in->grant * in->rise_scale * population->schools[at];
    for (int band = 0; band < BANDS; band++)
        sums->no_policy_leavers += row->fte * in->share[band] * band_rate(in->leave[band], row->multiplier);
}

static void run_year(struct outcome *out, const struct population *population, struct row *rows, int year)
{
    const struct inputs *in = &out->in;
    double weighted = 0, fte = 0;
    for (size_t at = 0; at < population->count; at++) {
        int phase = population->phase[at], quintile = population->quintile[at];
        step_row(in, &rows[at], quintile, year, posts_of(in, rows[at].fte, phase, year));
        weighted += rows[at].demand * in->supply_weight[quintile];
        fte += rows[at].fte;
    }
    double supply = in->entrants * pow(1 + in->growth, year - 1) * fte / in->fte_total;
    for (size_t at = 0; at < population->count; at++) {
        int region = population->authorities[population->authority[at]].region;
        double posts = posts_of(in, rows[at].fte, population->phase[at], year);
        double filled = in->dynamic != 0 ? fill_row(in, &rows[at], population->quintile[at], supply, weighted) : 0;
        add_year(out, population, at, &rows[at], year, posts, filled, &out->sums[0]);
        add_year(out, population, at, &rows[at], year, posts, filled, &out->sums[region]);
    }
}

static void run_plainly(const struct draw *draw, const struct population *population, struct outcome *out)
{
    struct row *rows = calloc(population->count, sizeof *rows);
    memset(out, 0, sizeof *out);
    read_numbers(draw, &out->in);
    read_families(draw, &out->in);
    read_bands(draw, &out->in);
    double factor = region_factor(population, &out->in);
    for (size_t at = 0; at < population->count; at++) {
        int region = population->authorities[population->authority[at]].region;
        rows[at].fte = population->fte[at] * out->in.scale;
        rows[at].reach = out->in.initial;
        rows[at].multiplier = out->in.phase_multiplier[population->phase[at]] *
                              out->in.quintile_multiplier[population->quintile[at]] *
                              out->in.region_multiplier[region] * factor;
        for (int band = 0; band < BANDS; band++) rows[at].bands[band] = rows[at].fte * out->in.share[band];
        add_base(&out->in, population, at, &rows[at], &out->sums[0]);
        add_base(&out->in, population, at, &rows[at], &out->sums[region]);
    }
    for (int year = 1; year <= YEARS; year++) run_year(out, population, rows, year);
    free(rows);
}

/* ---- figures of one scenario ---- */

static double discount(const struct inputs *in, int year)
{
    return pow(1 + in->rate, -fmin(year, 30)) * pow(1 + in->rate_long, -fmax(0, year - 30));
}

static double cost_of(const struct outcome *out, int area, int year)
{
    const struct sums *sums = &out->sums[area];
    return sums->starts[year] * out->in.fee + sums->cover[year] + (year == 1 ? sums->rise_cost : 0);
}

/* Tax in `year` of cohorts that earn then. */
static double tax_in(const struct inputs *in, const double value[YEARS + 1], int year)
{
    double annuity = 0, tax = 0;
    for (int after = 4; after <= 48; after++) annuity += discount(in, after);
    for (int cohort = 1; cohort <= YEARS; cohort++)
        if (year - cohort >= 4 && year - cohort <= 48) tax += in->tau * value[cohort] / annuity;
    return tax;
}

/* Discounted -cost + saving + tax of a year. */
static double flow_of(const struct outcome *out, int area, int year, const double value[YEARS + 1])
{
    double flow = tax_in(&out->in, value, year);
    if (year <= YEARS) flow += out->sums[area].kept[year] * out->in.replacement - cost_of(out, area, year);
    return discount(&out->in, year) * flow;
}

enum present_value { PV_COST, PV_EARNINGS, PV_TAX, PV_SAVING, PV_COUNT };

static void present_values(const struct outcome *out, int area, double pv[PV_COUNT])
{
    const struct sums *sums = &out->sums[area];
    memset(pv, 0, PV_COUNT * sizeof *pv);
    for (int year = 1; year <= YEARS; year++) {
        double factor = discount(&out->in, year);
        pv[PV_COST] += factor * cost_of(out, area, year);
        pv[PV_EARNINGS] += factor * sums->value[year];
        pv[PV_TAX] += factor * out->in.tau * sums->value[year];
        pv[PV_SAVING] += factor * sums->kept[year] * out->in.replacement;
    }
}

static double frontier_of(const struct outcome *out, int area, int year)
{
    const struct inputs *in = &out->in;
    double sum = 0;
    for (int t = 1; t <= year; t++) sum += fmin(1, t / in->ramp) * discount(in, t);
    return in->quality * in->frontier_pupils * in->frontier_pv * sum * out->sums[area].ks4 / in->ks4_total;
}

static double gap_of(const struct sums *sums, double beta, int year)
{
    return beta * sums->gain_gap[year] / sums->ks4_gap -
           (sums->gain[year] - sums->gain_gap[year]) / (sums->ks4 - sums->ks4_gap);
}

/* A measure of a year; NaN if there is none by that name. */
static double yearly(const struct outcome *out, int area, const char *measure, int year)
{
    const struct sums *sums = &out->sums[area];
    const struct inputs *in = &out->in;
    double gap = gap_of(sums, in->beta, year), gain = sums->gain[year] / sums->ks4;
    const struct {
        const char *measure;
        double value;
    } figures[] = {
        {"starts", sums->starts[year]},
        {"reach_pct", 100 * sums->reached[year] / sums->heads},
        {"funded_hours", sums->starts[year] * in->hours},
        {"cost_gbp", cost_of(out, area, year)},
        {"cost_fee_gbp", sums->starts[year] * in->fee},
        {"cost_cover_gbp", sums->cover[year]},
        {"cost_rise_gbp", year == 1 ? sums->rise_cost : 0},
        {"teacher_time_gbp", sums->starts[year] * in->hours * in->hour_gbp},
        {"leavers_fte", sums->leavers[year]},
        {"kept_fte", sums->kept[year]},
        {"entrants_fte", sums->entrants[year]},
        {"stock_fte", sums->stock[year]},
        {"vacancies_fte", sums->vacancies[year]},
        {"shortage_fte", sums->shortage[year]},
        {"exposure_pct", 100 * sums->exposed[year] / sums->stock[year]},
        {"ks4_gain_sd", gain},
        {"ks4_gain_grades", gain * in->grades},
        {"gap_closing_sd", gap},
        {"gap_closing_months", gap * in->months},
        {"gap_closing_points", gap * in->points},
        {"frontier_pv_gbp", frontier_of(out, area, year)},
        {"frontier_tax_gbp", frontier_of(out, area, year) * in->frontier_tax},
    };
    for (size_t at = 0; at < sizeof figures / sizeof *figures; at++)
        if (strcmp(figures[at].measure, measure) == 0) return figures[at].value;
    return NAN;
}

static int takes_last_year(const char *measure)
{
    static const char *const levels[] = {
        "reach_pct",      "stock_fte",          "exposure_pct",       "ks4_gain_sd",     "ks4_gain_grades",
        "gap_closing_sd", "gap_closing_months", "gap_closing_points", "frontier_pv_gbp", "frontier_tax_gbp"};
    for (size_t at = 0; at < sizeof levels / sizeof *levels; at++)
        if (strcmp(levels[at], measure) == 0) return 1;
    return 0;
}

static double over_years(const struct outcome *out, int area, const char *measure)
{
    double sum = 0;
    if (takes_last_year(measure)) return yearly(out, area, measure, YEARS);
    for (int year = 1; year <= YEARS; year++) sum += yearly(out, area, measure, year);
    return sum;
}

/* ---- figures of a scenario, or of its difference to another ---- */

/* Sum of differenced flows of years 1 .. last. */
static double flows_until(const struct outcome *out, const struct outcome *minus, int area, int last,
                          int without_effect)
{
    double sum = 0;
    for (int year = 1; year <= last; year++) {
        const struct sums *sums = &out->sums[area];
        sum += flow_of(out, area, year, without_effect ? sums->value_without : sums->value);
        if (!minus) continue;
        sums = &minus->sums[area];
        sum -= flow_of(minus, area, year, without_effect ? sums->value_without : sums->value);
    }
    return sum;
}

static double last_funded(const struct outcome *out)
{
    return fmax(fmin(out->in.funded, YEARS), out->in.rise != 0 ? 1 : 0);
}

static double payback_of(const struct outcome *out, const struct outcome *minus, int area)
{
    double last = fmax(last_funded(out), minus ? last_funded(minus) : 0);
    for (int year = 1; year <= HORIZON; year++)
        if (year > last && flows_until(out, minus, area, year, 0) >= 0) return year;
    return NAN;
}

/* Flows grow linearly with e0, which both scenarios share here. */
static double break_even_of(const struct outcome *out, const struct outcome *minus, int area)
{
    int last = (int)fmin(out->in.break_even_year, HORIZON);
    double with = flows_until(out, minus, area, last, 0), without = flows_until(out, minus, area, last, 1);
    return -without / (with - without) * out->in.effect;
}

static double epi_annuity(const struct inputs *in, int first)
{
    double sum = 0;
    for (int year = first; year <= 9; year++) sum += pow(1 + in->rate, -year);
    return sum;
}

static double epi_of(const struct outcome *out, int area, const char *measure)
{
    const struct inputs *in = &out->in;
    double cohorts = in->flow != 0 ? epi_annuity(in, 0) : in->epi_cohorts + epi_annuity(in, 1);
    double cost = in->epi * in->epi_cost * epi_annuity(in, 0) * out->sums[area].heads / in->headcount_total;
    double benefit = in->epi * in->epi_pupils * in->epi_pv * cohorts * out->sums[area].ks4 / in->ks4_total;
    if (strcmp(measure, "epi_cost_gbp") == 0) return cost;
    if (strcmp(measure, "epi_benefit_gbp") == 0) return benefit;
    if (strcmp(measure, "epi_net_gbp") == 0) return benefit - cost;
    return in->epi * in->epi_retention * out->sums[area].no_policy_leavers;
}

static double whole_run(const struct outcome *out, const struct outcome *minus, int area, const char *measure)
{
    double pv[PV_COUNT], base[PV_COUNT];
    present_values(out, area, pv);
    if (minus) present_values(minus, area, base);
    for (int at = 0; at < PV_COUNT && minus; at++) pv[at] -= base[at];
    if (strncmp(measure, "epi_", 4) == 0 && strcmp(measure, "epi_ratio") != 0)
        return epi_of(out, area, measure) - (minus ? epi_of(minus, area, measure) : 0);
    if (strcmp(measure, "epi_ratio") == 0)
        return whole_run(out, minus, area, "epi_benefit_gbp") / whole_run(out, minus, area, "epi_cost_gbp");
    if (strcmp(measure, "pv_cost_gbp") == 0) return pv[PV_COST];
    if (strcmp(measure, "pv_earnings_gbp") == 0) return pv[PV_EARNINGS];
    if (strcmp(measure, "pv_tax_gbp") == 0) return pv[PV_TAX];
    if (strcmp(measure, "pv_saving_gbp") == 0) return pv[PV_SAVING];
    if (strcmp(measure, "bcr") == 0) return pv[PV_EARNINGS] / pv[PV_COST];
    if (strcmp(measure, "exchequer_ratio") == 0) return (pv[PV_TAX] + pv[PV_SAVING]) / pv[PV_COST];
    if (strcmp(measure, "exchequer_net_gbp") == 0) return pv[PV_TAX] + pv[PV_SAVING] - pv[PV_COST];
    if (strncmp(measure, "payback_", 8) == 0 && !(pv[PV_COST] > 0)) return NAN;
    if (strcmp(measure, "payback_year") == 0) return payback_of(out, minus, area);
    if (strcmp(measure, "payback_never_pct") == 0) return isnan(payback_of(out, minus, area)) ? 100 : 0;
    if (strcmp(measure, "break_even_effect_sd") == 0) return break_even_of(out, minus, area);
    cr_assert_fail("the second implementation lacks %s", measure);
    return NAN;
}

static double figure_of(const struct outcome *out, const struct outcome *minus, int area, const char *measure, int year)
{
    if (isnan(yearly(out, area, measure, 1))) return whole_run(out, minus, area, measure);
    double value = year == MODEL_YEAR_ALL ? over_years(out, area, measure) : yearly(out, area, measure, year);
    if (!minus) return value;
    return value - (year == MODEL_YEAR_ALL ? over_years(minus, area, measure) : yearly(minus, area, measure, year));
}

/* ---- random parameters ---- */

static uint64_t random_state;

static double random_between(double low, double high)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = random_state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return low + (high - low) * (double)((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53;
}

static int random_whole(int low, int high)
{
    return (int)floor(random_between(low, high + 1));
}

static void set_whole(struct bench *bench, const char *name, int lane, int low, int high)
{
    bench_set_lane(bench, name, lane, random_whole(low, high));
}

/* Numbers stay between 0.8 and 1.2 of the central value; what is 0 or unset has ranges of its own. */
static void shake(struct bench *bench, int lane)
{
    for (size_t at = 0; at < bench->model->parameter_count; at++) {
        const struct parameter *parameter = &bench->model->parameters[at];
        if (!parameter->whole && parameter->central != 0 && !isnan(parameter->central))
            bench->values[at][lane] = parameter->central * random_between(0.8, 1.2);
        if (parameter->lower >= 0 && parameter->upper == 1 && bench->values[at][lane] > 1) bench->values[at][lane] = 1;
    }
}

static void randomise_lane(struct bench *bench, int lane)
{
    static const struct {
        const char *name;
        double low, high;
    } ranges[] = {
        {"effect.hours", 0, 62},
        {"effect.disadvantaged_ratio", 0.8, 1.4},
        {"retention.early_career", 0, 0.2},
        {"workforce.entrants_growth", -0.1, 0.05},
        {"workforce.pupils_growth_primary", -0.03, 0.02},
        {"workforce.pupils_growth_secondary", -0.02, 0.03},
        {"workforce.pupils_growth_special", -0.01, 0.05},
        {"workforce.ptr_growth_primary", -0.02, 0.02},
        {"workforce.ptr_growth_secondary", -0.02, 0.02},
        {"workforce.ptr_growth_special", -0.02, 0.02},
        {"cost.cover_quintile_1_gbp", 0, 100},
        {"cost.cover_quintile_3_gbp", 0, 100},
        {"effect.teaching_quality_sd", 0, 0.02},
    };
    shake(bench, lane);
    for (size_t at = 0; at < sizeof ranges / sizeof *ranges; at++)
        bench_set_lane(bench, ranges[at].name, lane, random_between(ranges[at].low, ranges[at].high));
    set_whole(bench, "entitlement.funded_years", lane, 1, YEARS + 2);
    set_whole(bench, "entitlement.churn", lane, 0, 1);
    set_whole(bench, "effect.lag_years", lane, 0, 3);
    set_whole(bench, "value.break_even_year", lane, 8, 70);
    set_whole(bench, "value.credit", lane, 0, 1);
    set_whole(bench, "rise.enabled", lane, 0, 1);
    if (random_whole(0, 1)) bench_set_lane(bench, "entitlement.initial_reach", lane, random_between(0, 0.4));
    if (random_whole(0, 1)) bench_set_lane(bench, "entitlement.start_share_quintile_5", lane, random_between(0.1, 0.6));
    if (random_whole(0, 1)) bench_set_lane(bench, "entitlement.start_share_quintile_2", lane, random_between(0.1, 0.6));
    bench_set(bench, "epi.enabled", 1);
}

/* ---- comparison ---- */

/* Differences of near-equal numbers lose digits that a relative bound does not allow for: the bound is
 * relative to the larger of the figures that were subtracted. */
static double scale_of(const struct outcome *out, const struct outcome *minus, int area, const char *measure, int year)
{
    double own = fabs(figure_of(out, NULL, area, measure, year));
    double scale = minus ? fmax(own, fabs(figure_of(minus, NULL, area, measure, year))) : own;
    if (strncmp(measure, "gap_closing", 11) == 0) scale = fmax(scale, out->in.beta * out->in.months * 0.01);
    if (strcmp(measure, "kept_fte") == 0) scale = fmax(scale, out->sums[area].leavers[1]);
    if (strcmp(measure, "pv_saving_gbp") == 0 || strncmp(measure, "exchequer", 9) == 0)
        scale = fmax(scale,
                     out->sums[area].leavers[1] * out->in.replacement / (strcmp(measure, "exchequer_ratio") ? 1 : 1e6));
    return isnan(scale) ? 0 : scale;
}

static void compare_lane(struct bench *bench, int lane, int minus, const struct outcome *out,
                         const struct outcome *base)
{
    for (int area = 0; area < AREAS; area++) {
        const model_lanes *parts = (const model_lanes *)bench->parts[0] + (size_t)area * bench->part_count;
        const model_lanes *less = (const model_lanes *)bench->parts[1] + (size_t)area * bench->part_count;
        bench->model->measure(bench->run, (size_t)area, parts, minus ? less : NULL, bench->out);
        for (size_t at = 0; at < bench->figure_count; at++) {
            const char *measure = bench->model->measures[bench->figures[at].measure].name;
            int year = bench->figures[at].year;
            double plain = figure_of(out, minus ? base : NULL, area, measure, year), ours = bench->out[at][lane];
            if (isnan(plain) && isnan(ours)) continue;
            double bound = 1e-9 * fmax(fabs(plain), scale_of(out, minus ? base : NULL, area, measure, year));
            cr_expect(fabs(ours - plain) <= bound, "lane %d%s, area %d, %s of year %d: %.17g, plainly %.17g", lane,
                      minus ? " less the baseline" : "", area, measure, year, ours, plain);
        }
    }
}

/* Scenario and baseline share all but the policy. */
static void compare_at_random(uint64_t seed, int dynamic_lanes, const int *lanes, int lane_count)
{
    struct population *cells = cells_population();
    struct bench bench = bench_open(cells, YEARS, 1);
    struct outcome *out = malloc(2 * sizeof *out);
    random_state = seed;
    for (int lane = 0; lane < MODEL_LANES; lane++) {
        randomise_lane(&bench, lane);
        bench_set_lane(&bench, "workforce.mode", lane, (dynamic_lanes >> (lane % 2)) & 1);
    }
    cr_assert_eq(bench_run(&bench, 0), 0);
    for (int at = 0; at < lane_count; at++)
        run_plainly(&(struct draw){&bench, lanes[at]}, cells, out), compare_lane(&bench, lanes[at], 0, out, NULL);
    model_lanes *scenario = malloc(bench.model->parameter_count * sizeof *scenario);
    memcpy(scenario, bench.values, bench.model->parameter_count * sizeof *scenario);
    bench_set(&bench, "entitlement.funded_years", 0);
    bench_set(&bench, "rise.enabled", 0);
    bench_set(&bench, "retention.early_career", 0);
    bench_set(&bench, "effect.teaching_quality_sd", 0);
    bench_set(&bench, "epi.enabled", 0);
    cr_assert_eq(bench_run(&bench, 1), 0);
    for (int at = 0; at < lane_count; at++) {
        run_plainly(&(struct draw){&bench, lanes[at]}, cells, out + 1);
        model_lanes *baseline = bench.values;
        bench.values = scenario;
        run_plainly(&(struct draw){&bench, lanes[at]}, cells, out);
        bench.values = baseline;
        compare_lane(&bench, lanes[at], 1, out, out + 1);
    }
    free(scenario);
    free(out);
    bench_close(&bench);
    population_free(cells);
}

Test(entitlement_reference, static_runs_equal_a_plain_implementation_at_random_parameters, .timeout = 240)
{
    compare_at_random(1, 0, (const int[]){0, 1, 7, 30, 31}, 5);
    compare_at_random(2, 0, (const int[]){2, 5, 16}, 3);
}

Test(entitlement_reference, dynamic_runs_equal_a_plain_implementation_at_random_parameters, .timeout = 240)
{
    compare_at_random(3, 3, (const int[]){0, 1, 9, 30, 31}, 5);
    compare_at_random(4, 3, (const int[]){3, 4, 17}, 3);
}

Test(entitlement_reference, static_and_dynamic_draws_side_by_side_equal_a_plain_implementation, .timeout = 240)
{
    compare_at_random(5, 2, (const int[]){0, 1, 14, 15}, 4);
}
