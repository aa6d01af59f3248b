#include "parts.h"

#include <string.h>

#include "lanes.h"

/* The groups of an area as terms of the four weights. */
struct area_terms {
    struct lanes_term *fte, *ks4, *ks4_fsm6, *ks4_gap;
    size_t fte_count, ks4_count;
};

/* Sums by year that only money needs. */
struct scratch {
    model_lanes programme[MODEL_YEARS_MAX], programme_fsm6[MODEL_YEARS_MAX], programme_gap[MODEL_YEARS_MAX];
    model_lanes other[MODEL_YEARS_MAX], other_fsm6[MODEL_YEARS_MAX], other_gap[MODEL_YEARS_MAX];
    model_lanes cost[MODEL_YEARS_MAX];
};

static struct area_terms list_terms(struct model_run *run, const struct area_weights *area)
{
    size_t room = run->groups.group_count;
    struct area_terms terms = {.fte = run->terms,
                               .ks4 = run->terms + room,
                               .ks4_fsm6 = run->terms + 2 * room,
                               .ks4_gap = run->terms + 3 * room};
    for (size_t at = 0; at < area->count; at++) {
        const struct group_share *share = &run->groups.shares[area->first + at];
        const struct weights *weights = &share->weights;
        if (weights->fte > 0) terms.fte[terms.fte_count++] = (struct lanes_term){share->group, weights->fte};
        if (weights->ks4 <= 0) continue;
        terms.ks4[terms.ks4_count] = (struct lanes_term){share->group, weights->ks4};
        terms.ks4_fsm6[terms.ks4_count] = (struct lanes_term){share->group, weights->ks4_fsm6};
        terms.ks4_gap[terms.ks4_count++] = (struct lanes_term){share->group, weights->ks4_gap};
    }
    return terms;
}

/* out[year] = sum over groups of weight x rows[year][group], for the first `until` years; 0 after. */
static void weigh_years(const struct model_run *run, const struct lanes_term *terms, size_t term_count,
                        const model_lanes *rows, uint32_t until, model_lanes *out)
{
    for (uint32_t at = 0; at < until; at++)
        lanes_weigh(terms, term_count, rows + at * run->groups.group_count, out[at]);
    memset(out + until, 0, (run->years - until) * sizeof *out);
}

static void scale_years(const struct model_run *run, model_lanes *rows, const double *factor)
{
    for (uint32_t at = 0; at < run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) rows[at][i] *= factor[i];
}

/* e2: starts = H x_t, and reach H C_t, which stays when nobody starts and leavers do not take it along. */
static void count_starts(const struct model_run *run, const struct area_terms *terms, const double *head,
                         model_lanes *parts)
{
    const struct policy *policy = &run->policy;
    const struct paths *paths = &run->space.paths;
    model_lanes *starts = parts + row_by_year(&run->layout, PART_STARTS);
    model_lanes *reached = parts + row_by_year(&run->layout, PART_REACHED);
    uint32_t funded = policy->years_funded, until = policy->any_churn ? run->years : funded ? funded : 1;
    weigh_years(run, terms->fte, terms->fte_count, paths->starts, funded, starts);
    weigh_years(run, terms->fte, terms->fte_count, paths->reach, until, reached);
    for (uint32_t at = until; at < run->years; at++) memcpy(reached[at], reached[until - 1], sizeof *reached);
    scale_years(run, starts, head);
    scale_years(run, reached, head);
}

/* e2: cover = H x_t x the grant of the quintile. */
static void count_cover(const struct model_run *run, const struct area_terms *terms, const double *head,
                        model_lanes *parts)
{
    const struct policy *policy = &run->policy;
    model_lanes *cover = parts + row_by_year(&run->layout, PART_COVER);
    struct lanes_term covered[CLASS_COUNT * (REGION_COUNT + 1)];
    memset(cover, 0, run->years * sizeof *cover);
    for (uint8_t quintile = 1; quintile < QUINTILE_COUNT; quintile++) {
        size_t count = 0;
        for (size_t at = 0; at < terms->fte_count && policy->covered[quintile]; at++)
            if (run->groups.groups[terms->fte[at].row].quintile == quintile) covered[count++] = terms->fte[at];
        for (uint32_t at = 0; at < policy->years_funded && count > 0; at++) {
            model_lanes starts;
            lanes_weigh(covered, count, run->space.paths.starts + at * run->groups.group_count, starts);
            for (int i = 0; i < MODEL_LANES; i++) cover[at][i] += starts[i] * policy->cover_gbp[quintile][i];
        }
    }
    scale_years(run, cover, head);
}

/* e1, e3: leavers = no-policy leavers - kept. */
static void count_leavers(const struct model_run *run, const struct area_terms *terms, const double *scale,
                          model_lanes *parts)
{
    const struct workforce *workforce = &run->space.workforce;
    const struct paths *paths = &run->space.paths;
    model_lanes *leavers = parts + row_by_year(&run->layout, PART_LEAVERS);
    model_lanes *kept = parts + row_by_year(&run->layout, PART_KEPT);
    uint32_t until = workforce->any_early ? run->years : run->policy.years_funded;
    weigh_years(run, terms->fte, terms->fte_count, paths->kept, until, kept);
    if (workforce->any_dynamic) {
        weigh_years(run, terms->fte, terms->fte_count, paths->leaving, run->years, leavers);
    } else {
        lanes_weigh(terms->fte, terms->fte_count, workforce->rate, leavers[0]);
        for (uint32_t at = 1; at < run->years; at++) memcpy(leavers[at], leavers[0], sizeof *leavers);
    }
    for (uint32_t at = 0; at < run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) leavers[at][i] -= kept[at][i];
    scale_years(run, leavers, scale);
    scale_years(run, kept, scale);
}

/* Posts and unfilled posts of a year, per unit of workforce.fte_scale. */
static void count_posts(const struct model_run *run, const struct area_terms *terms, uint32_t at, double fte,
                        double *posts, double *unfilled)
{
    lanes_fill(posts, fte);
    lanes_fill(unfilled, 0);
    if (!run->space.workforce.any_dynamic) return;
    lanes_weigh(terms->fte, terms->fte_count, run->space.paths.unfilled + at * run->groups.group_count, unfilled);
    lanes_fill(posts, 0);
    for (size_t term = 0; term < terms->fte_count; term++) {
        const struct group *group = &run->groups.groups[terms->fte[term].row];
        const double *index = run->space.workforce.posts[at * CLASS_COUNT + group->phase_class];
        for (int i = 0; i < MODEL_LANES; i++) posts[i] += index[i] * terms->fte[term].weight;
    }
}

/* e1: vacancies = v0 P_t + unfilled; the shortage adds posts filled temporarily, pro rata to posts. */
static void count_vacancies(const struct model_run *run, const struct settings *settings,
                            const struct area_terms *terms, double fte, model_lanes *parts)
{
    const double *rate = setting(settings, COLUMN_VACANCY_RATE), *total = setting(settings, COLUMN_FTE_TOTAL);
    const double *temporary = setting(settings, COLUMN_TEMPORARILY_FILLED_FTE);
    const double *scale = setting(settings, COLUMN_FTE_SCALE);
    model_lanes *vacancies = parts + row_by_year(&run->layout, PART_VACANCIES);
    model_lanes *shortage = parts + row_by_year(&run->layout, PART_SHORTAGE);
    for (uint32_t at = 0; at < run->years; at++) {
        model_lanes posts, unfilled;
        if (at > 0 && !run->space.workforce.any_dynamic) {
            memcpy(vacancies[at], vacancies[0], sizeof *vacancies);
            memcpy(shortage[at], shortage[0], sizeof *shortage);
            continue;
        }
        count_posts(run, terms, at, fte, posts, unfilled);
        for (int i = 0; i < MODEL_LANES; i++) {
            vacancies[at][i] = scale[i] * (rate[i] * posts[i] + unfilled[i]);
            shortage[at][i] = vacancies[at][i] + temporary[i] * (scale[i] * posts[i] / total[i]);
        }
    }
}

/* e2: exposure weighted by the FTE of the year's end. */
static void count_exposure(const struct model_run *run, const struct area_terms *terms, const double *scale, double fte,
                           model_lanes *parts)
{
    const struct paths *paths = &run->space.paths;
    bool dynamic = run->space.workforce.any_dynamic;
    model_lanes *exposed = parts + row_by_year(&run->layout, PART_EXPOSED);
    model_lanes *stock = parts + row_by_year(&run->layout, PART_STOCK);
    weigh_years(run, terms->fte, terms->fte_count, dynamic ? paths->exposed : paths->exposure,
                run->policy.years_funded > 0 ? run->years : 0, exposed);
    if (dynamic) weigh_years(run, terms->fte, terms->fte_count, paths->stock, run->years, stock);
    else
        for (uint32_t at = 0; at < run->years; at++) lanes_fill(stock[at], fte);
    scale_years(run, exposed, scale);
    scale_years(run, stock, scale);
}

/* n G and n D G of RISE and teaching quality, which do not differ between groups. */
static void sum_other_gains(const struct model_run *run, const struct area_weights *area, struct scratch *scratch)
{
    const struct policy *policy = &run->policy;
    static const model_lanes nothing;
    for (uint32_t at = 0; at < run->years; at++) {
        const double *rise = policy->any_rise ? policy->rise_gain[at] : nothing;
        const double *quality = policy->any_quality ? policy->quality_gain[at] : nothing;
        for (int i = 0; i < MODEL_LANES; i++) {
            scratch->other[at][i] = area->all.ks4 * quality[i] + area->rise.ks4 * rise[i];
            scratch->other_fsm6[at][i] = area->all.ks4_fsm6 * quality[i] + area->rise.ks4_fsm6 * rise[i];
            scratch->other_gap[at][i] = area->all.ks4_gap * quality[i] + area->rise.ks4_gap * rise[i];
        }
    }
}

/* e3, e5: the gain of all pupils, of disadvantaged pupils (times beta_d) and of the others. */
static void sum_gains(const struct model_run *run, const struct settings *settings, const struct area_gains *gains,
                      const struct scratch *scratch, model_lanes *parts)
{
    const double *ratio = setting(settings, COLUMN_DISADVANTAGED_RATIO), *effect = run->prices.effect;
    model_lanes *all = parts + row_by_year(&run->layout, PART_GAIN);
    model_lanes *disadvantaged = parts + row_by_year(&run->layout, PART_GAIN_DISADVANTAGED);
    model_lanes *others = parts + row_by_year(&run->layout, PART_GAIN_OTHER);
    for (uint32_t at = 0; at < run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) {
            double gain = 0, gap = 0;
            if (gains->programme) {
                gain = effect[i] * scratch->programme[at][i];
                gap = effect[i] * scratch->programme_gap[at][i];
            }
            if (gains->other) {
                gain += scratch->other[at][i];
                gap += scratch->other_gap[at][i];
            }
            all[at][i] = gain;
            disadvantaged[at][i] = ratio[i] * gap;
            others[at][i] = gain - gap;
        }
}

static struct area_gains weigh_gains(const struct model_run *run, const struct area_weights *area,
                                     const struct area_terms *terms, struct scratch *scratch)
{
    const model_lanes *gain = run->space.paths.gain;
    struct area_gains gains = {0};
    if (run->policy.years_funded > 0) {
        weigh_years(run, terms->ks4, terms->ks4_count, gain, run->years, scratch->programme);
        weigh_years(run, terms->ks4_fsm6, terms->ks4_count, gain, run->years, scratch->programme_fsm6);
        weigh_years(run, terms->ks4_gap, terms->ks4_count, gain, run->years, scratch->programme_gap);
        gains.programme = scratch->programme;
        gains.programme_fsm6 = scratch->programme_fsm6;
    }
    if (run->policy.any_rise || run->policy.any_quality) {
        sum_other_gains(run, area, scratch);
        gains.other = scratch->other;
        gains.other_fsm6 = scratch->other_fsm6;
    }
    return gains;
}

/* e11: cost = fees + cover + RISE. */
static void sum_costs(const struct model_run *run, const struct settings *settings, double rise_schools,
                      model_lanes *parts, model_lanes *cost)
{
    const double *fee = setting(settings, COLUMN_FEE_GBP);
    const model_lanes *starts = parts + row_by_year(&run->layout, PART_STARTS);
    const model_lanes *cover = parts + row_by_year(&run->layout, PART_COVER);
    double *rise = parts[row_single(&run->layout, PART_RISE_COST)];
    for (uint32_t at = 0; at < run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++) cost[at][i] = starts[at][i] * fee[i] + cover[at][i];
    for (int i = 0; i < MODEL_LANES; i++) {
        rise[i] = rise_schools * run->policy.rise_grant_gbp[i];
        cost[0][i] += rise[i];
    }
}

static void sum_money(const struct model_run *run, const struct area_gains *gains, const model_lanes *cost,
                      model_lanes *parts)
{
    const struct layout *layout = &run->layout;
    struct area_money out = {.pv_cost = parts[row_single(layout, PART_PV_COST)],
                             .pv_earnings = parts[row_single(layout, PART_PV_EARNINGS)],
                             .pv_tax = parts[row_single(layout, PART_PV_TAX)],
                             .pv_saving = parts[row_single(layout, PART_PV_SAVING)],
                             .break_even_fixed = parts[row_single(layout, PART_BREAK_EVEN_FIXED)],
                             .break_even_slope = parts[row_single(layout, PART_BREAK_EVEN_SLOPE)],
                             .flows = parts + layout->flows};
    money_of_area(&run->discounting, &run->prices, gains, cost, parts + row_by_year(layout, PART_KEPT), run->years,
                  &out);
}

static void copy_conversions(const struct model_run *run, const struct settings *settings, model_lanes *parts)
{
    static const struct {
        enum part_single part;
        enum column column;
    } copies[] = {{PART_FEE, COLUMN_FEE_GBP},
                  {PART_HOURS, COLUMN_HOURS},
                  {PART_GRADES, COLUMN_GRADES_PER_SD},
                  {PART_MONTHS, COLUMN_MONTHS_PER_SD},
                  {PART_POINTS, COLUMN_POINTS_PER_SD}};
    const double *hours = setting(settings, COLUMN_HOURS), *hour_gbp = setting(settings, COLUMN_TEACHER_HOUR_GBP);
    const double *rise = setting(settings, COLUMN_RISE_ENABLED), *funded = run->policy.funded_years;
    double *time = parts[row_single(&run->layout, PART_TIME)];
    double *last = parts[row_single(&run->layout, PART_LAST_FUNDED)];
    for (size_t at = 0; at < sizeof copies / sizeof *copies; at++)
        memcpy(parts[row_single(&run->layout, copies[at].part)], setting(settings, copies[at].column), sizeof *parts);
    for (int i = 0; i < MODEL_LANES; i++) {
        double capped = funded[i] < run->years ? funded[i] : run->years;
        time[i] = hours[i] * hour_gbp[i];
        last[i] = rise[i] > 0 && capped < 1 ? 1 : capped;
    }
}

/* In a static lane as many enter as leave. */
static void count_entrants(const struct model_run *run, const struct area_terms *terms, const double *scale,
                           model_lanes *parts)
{
    const struct workforce *workforce = &run->space.workforce;
    const model_lanes *leavers = parts + row_by_year(&run->layout, PART_LEAVERS);
    model_lanes *entrants = parts + run->layout.entrants;
    memcpy(entrants, leavers, run->years * sizeof *entrants);
    for (uint32_t at = 0; at < run->years && workforce->any_dynamic; at++) {
        model_lanes filled;
        lanes_weigh(terms->fte, terms->fte_count, run->space.paths.filled + at * run->groups.group_count, filled);
        for (int i = 0; i < MODEL_LANES; i++)
            if (workforce->dynamic[i] != 0) entrants[at][i] = filled[i] * scale[i];
    }
}

/* e9, e10: an area's share of a national account, costs by headcount (that is, by FTE) and benefits by KS4
 * pupils. Of the nation and not of the population, so that a part of England keeps its own size (e0). */
static void share_accounts(const struct model_run *run, const struct settings *settings,
                           const struct area_weights *area, const struct area_terms *terms, model_lanes *parts)
{
    const struct layout *layout = &run->layout;
    const double *scale = setting(settings, COLUMN_FTE_SCALE), *fte = setting(settings, COLUMN_FTE_TOTAL);
    const double *pupils = setting(settings, COLUMN_KS4_PUPILS_TOTAL);
    if (run->has_epi) {
        model_lanes leavers;
        lanes_weigh(terms->fte, terms->fte_count, run->space.workforce.rate, leavers);
        for (int i = 0; i < MODEL_LANES; i++) {
            parts[layout->epi][i] = run->epi.cost_gbp[i] * (area->all.fte * scale[i] / fte[i]);
            parts[layout->epi + 1][i] = run->epi.benefit_gbp[i] * (area->all.ks4 / pupils[i]);
            parts[layout->epi + 2][i] = run->epi.retention[i] * (scale[i] * leavers[i]);
        }
    }
    if (!run->has_frontier) return;
    memcpy(parts[layout->frontier_tax], run->frontier.tax_share, sizeof *parts);
    for (uint32_t at = 0; at < run->years; at++)
        for (int i = 0; i < MODEL_LANES; i++)
            parts[layout->frontier + at][i] = run->frontier.pv_gbp[at][i] * (area->all.ks4 / pupils[i]);
}

void parts_of_area(struct model_run *run, const struct settings *settings, size_t area, model_lanes *parts)
{
    const struct area_weights *weights = &run->groups.areas[area];
    const double *scale = setting(settings, COLUMN_FTE_SCALE), *total = setting(settings, COLUMN_FTE_TOTAL);
    const double *headcount = setting(settings, COLUMN_HEADCOUNT_TOTAL);
    struct area_terms terms = list_terms(run, weights);
    struct scratch scratch;
    model_lanes head;
    double *heads = parts[row_single(&run->layout, PART_HEADCOUNT)];
    for (int i = 0; i < MODEL_LANES; i++) {
        head[i] = scale[i] * (headcount[i] / total[i]); /* e0: H = F x 511,958 / 468,258 */
        heads[i] = weights->all.fte * head[i];
    }
    count_starts(run, &terms, head, parts);
    count_cover(run, &terms, head, parts);
    count_leavers(run, &terms, scale, parts);
    count_vacancies(run, settings, &terms, weights->all.fte, parts);
    count_exposure(run, &terms, scale, weights->all.fte, parts);
    struct area_gains gains = weigh_gains(run, weights, &terms, &scratch);
    sum_gains(run, settings, &gains, &scratch, parts);
    sum_costs(run, settings, weights->rise_schools, parts, scratch.cost);
    sum_money(run, &gains, scratch.cost, parts);
    copy_conversions(run, settings, parts);
    if (run->may_be_dynamic) count_entrants(run, &terms, scale, parts);
    share_accounts(run, settings, weights, &terms, parts);
}
