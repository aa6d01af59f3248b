#include "workforce.h"

#include <stdlib.h>
#include <string.h>

#include "lanes.h"

/* Rows that workforce_space_init() deals out. */
static size_t row_count(size_t group_count, uint32_t years)
{
    return 10 * group_count * years + group_count * (3 + BANDS + 1) + (size_t)CLASS_COUNT * years;
}

bool workforce_space_init(struct workforce_space *space, size_t group_count, uint32_t years)
{
    struct workforce *workforce = &space->workforce;
    struct paths *paths = &space->paths;
    model_lanes **by_year[] = {&paths->starts,  &paths->reach, &paths->exposure, &paths->gain,   &paths->kept,
                               &paths->leaving, &paths->stock, &paths->exposed,  &paths->filled, &paths->unfilled};
    model_lanes **once[] = {&workforce->multiplier, &workforce->rate, &workforce->rate_now, &workforce->demand};
    size_t bytes = (row_count(group_count, years) + 1) * sizeof(model_lanes);
    space->memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!space->memory) return false;
    memset(space->memory, 0, bytes);
    model_lanes *next = space->memory;
    for (size_t at = 0; at < sizeof by_year / sizeof *by_year; at++, next += group_count * years) *by_year[at] = next;
    for (size_t at = 0; at < sizeof once / sizeof *once; at++, next += group_count) *once[at] = next;
    workforce->bands = next;
    workforce->posts = next + group_count * BANDS;
    return true;
}

void workforce_space_free(struct workforce_space *space)
{
    free(space->memory);
    space->memory = NULL;
}

/* Survivors of a year, a band on (e1): of years 3-5 a third moves up each year, of 6-10 a fifth. */
static inline void age(const double stayed[BANDS], double aged[BANDS])
{
    aged[0] = 0;
    aged[1] = stayed[0];
    aged[2] = stayed[1] + 2.0 / 3 * stayed[2];
    aged[3] = 1.0 / 3 * stayed[2] + 4.0 / 5 * stayed[3];
    aged[4] = 1.0 / 5 * stayed[3] + stayed[4];
}

/* e1: the entrants that hold the band shares fixed when posts are constant and all multipliers 1. */
static void set_entry(struct workforce *workforce, int lane)
{
    double stayed[BANDS], aged[BANDS], sum = 0;
    for (int band = 0; band < BANDS; band++)
        stayed[band] = workforce->share[band][lane] * (1 - workforce->leave[band][lane]);
    age(stayed, aged);
    for (int band = 0; band < BANDS; band++) sum += workforce->share[band][lane] - aged[band];
    for (int band = 0; band < BANDS; band++) {
        double entry = workforce->share[band][lane] - aged[band];
        workforce->entry[band][lane] = sum > 0 ? entry / sum : band == 0; /* nobody leaves: all begin in band 1 */
    }
}

static void read_bands(struct workforce *workforce, const struct settings *settings)
{
    const double *early = setting(settings, COLUMN_RETENTION_EARLY_CAREER);
    model_lanes sum = {0};
    workforce->any_early = false;
    for (int band = 0; band < BANDS; band++)
        for (int i = 0; i < MODEL_LANES; i++) sum[i] += setting(settings, COLUMN_BAND_SHARE_1 + band)[i];
    for (int band = 0; band < BANDS; band++) {
        const double *share = setting(settings, COLUMN_BAND_SHARE_1 + band);
        const double *leave = setting(settings, COLUMN_LEAVER_RATE_BAND_1 + band);
        for (int i = 0; i < MODEL_LANES; i++) {
            workforce->share[band][i] = share[i] / sum[i];
            workforce->leave[band][i] = leave[i];
            workforce->leave_now[band][i] = band < 2 ? leave[i] * (1 - early[i]) : leave[i];
            workforce->any_early |= early[i] > 0;
        }
    }
    for (int i = 0; i < MODEL_LANES; i++) set_entry(workforce, i);
}

/* m_p u_q, without the region. */
static void set_multiplier(double *multiplier, const struct group *group, const struct settings *settings)
{
    const double *by_phase = setting(settings, COLUMN_LEAVER_MULTIPLIER_PRIMARY + group->phase_class);
    memcpy(multiplier, by_phase, sizeof(model_lanes));
    if (group->quintile == 0) return;
    const double *by_quintile = setting(settings, COLUMN_LEAVER_MULTIPLIER_QUINTILE_1 + group->quintile - 1);
    for (int i = 0; i < MODEL_LANES; i++) multiplier[i] *= by_quintile[i];
}

/* g_r, rescaled so that the leavers of the whole population stay what they are without it (e1). */
static void multiply_regions(struct workforce *workforce, const struct groups *groups, const struct settings *settings)
{
    model_lanes without = {0}, with = {0};
    for (size_t at = 0; at < groups->group_count; at++) {
        const struct group *group = &groups->groups[at];
        const double *region = setting(settings, COLUMN_LEAVER_MULTIPLIER_REGION_1 + group->region - 1);
        for (int i = 0; i < MODEL_LANES; i++) {
            without[i] += group->fte * workforce->multiplier[at][i];
            workforce->multiplier[at][i] *= region[i];
            with[i] += group->fte * workforce->multiplier[at][i];
        }
    }
    for (int i = 0; i < MODEL_LANES; i++) without[i] = with[i] > 0 ? without[i] / with[i] : 1;
    for (size_t at = 0; at < groups->group_count; at++)
        for (int i = 0; i < MODEL_LANES; i++) workforce->multiplier[at][i] *= without[i];
}

/* A band's leaver rate in a group; nobody leaves twice. */
static inline double rate_of(double leave, double multiplier)
{
    double rate = leave * multiplier;
    return rate < 1 ? rate : 1;
}

KERNEL static void set_rates(struct workforce *workforce, size_t group)
{
    const double *restrict multiplier = workforce->multiplier[group];
    double *restrict rate = workforce->rate[group], *restrict rate_now = workforce->rate_now[group];
    for (int i = 0; i < MODEL_LANES; i++) rate[i] = rate_now[i] = 0;
    for (int band = 0; band < BANDS; band++)
        for (int i = 0; i < MODEL_LANES; i++) {
            rate[i] += workforce->share[band][i] * rate_of(workforce->leave[band][i], multiplier[i]);
            rate_now[i] += workforce->share[band][i] * rate_of(workforce->leave_now[band][i], multiplier[i]);
        }
}

/* Posts follow pupils and the pupil-teacher ratio; both indexes are 1 in year 1. */
static void read_posts(struct workforce *workforce, const struct settings *settings, uint32_t years)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        const double *pupils = setting(settings, COLUMN_PUPILS_GROWTH_PRIMARY + class);
        const double *ratio = setting(settings, COLUMN_PTR_GROWTH_PRIMARY + class);
        model_lanes index;
        lanes_fill(index, 1);
        for (uint32_t year = 1; year <= years; year++) {
            double *posts = workforce->posts[(year - 1) * CLASS_COUNT + class];
            for (int i = 0; i < MODEL_LANES; i++) {
                posts[i] = workforce->dynamic[i] != 0 ? index[i] : 1;
                index[i] *= (1 + pupils[i]) / (1 + ratio[i]);
            }
        }
    }
}

/* S_t: the national supply, pro rata to FTE for a partial population. */
static void read_supply(struct workforce *workforce, const struct groups *groups, const struct settings *settings,
                        uint32_t years)
{
    const double *entrants = setting(settings, COLUMN_ENTRANTS_FTE), *total = setting(settings, COLUMN_FTE_TOTAL);
    const double *growth = setting(settings, COLUMN_ENTRANTS_GROWTH);
    for (int i = 0; i < MODEL_LANES; i++) workforce->supply[0][i] = entrants[i] * (groups->population.fte / total[i]);
    for (uint32_t year = 2; year <= years; year++)
        for (int i = 0; i < MODEL_LANES; i++)
            workforce->supply[year - 1][i] = workforce->supply[year - 2][i] * (1 + growth[i]);
    lanes_fill(workforce->supply_weight[0], 1);
    for (int quintile = 1; quintile < QUINTILE_COUNT; quintile++)
        memcpy(workforce->supply_weight[quintile], setting(settings, COLUMN_SUPPLY_WEIGHT_QUINTILE_1 + quintile - 1),
               sizeof(model_lanes));
}

void workforce_read(struct workforce *workforce, const struct groups *groups, const struct settings *settings,
                    bool by_region, uint32_t years)
{
    read_bands(workforce, settings);
    for (size_t at = 0; at < groups->group_count; at++)
        set_multiplier(workforce->multiplier[at], &groups->groups[at], settings);
    if (by_region) multiply_regions(workforce, groups, settings);
    for (size_t at = 0; at < groups->group_count; at++) set_rates(workforce, at);
    memcpy(workforce->dynamic, setting(settings, COLUMN_WORKFORCE_MODE), sizeof(model_lanes));
    workforce->any_dynamic = false;
    for (int i = 0; i < MODEL_LANES; i++) workforce->any_dynamic |= workforce->dynamic[i] != 0;
    if (!workforce->any_dynamic) return;
    read_posts(workforce, settings, years);
    read_supply(workforce, groups, settings, years);
}

/* The rows of one group in one year that every mode sets. */
struct step {
    double *starts, *reach, *exposure, *kept;
    const double *reach_before, *exposure_before;
};

static struct step step_of(const struct paths *paths, const struct policy *policy, size_t group_count, size_t group,
                           uint32_t year)
{
    static const model_lanes nothing;
    size_t row = (year - 1) * group_count + group;
    return (struct step){.starts = paths->starts[row],
                         .reach = paths->reach[row],
                         .exposure = paths->exposure[row],
                         .kept = paths->kept[row],
                         .reach_before = year > 1 ? paths->reach[row - group_count] : policy->initial_reach,
                         .exposure_before = year > 1 ? paths->exposure[row - group_count] : nothing};
}

/* e2, e3: starts, reach and exposure of a year. rate: the average leaver rate with no policy, rate_now:
 * after early-career support and before R_t; leaving, leaving_now: FTE that would leave at these rates. */
KERNEL_INLINE void take_step(const struct step *step, const struct policy *policy, unsigned quintile, uint32_t year,
                             const double *restrict rate_now, const double *restrict leaving,
                             const double *restrict leaving_now)
{
    double *restrict starts = step->starts, *restrict reach = step->reach, *restrict exposure = step->exposure;
    double *restrict kept = step->kept;
    const double *restrict reach_before = step->reach_before, *restrict exposure_before = step->exposure_before;
    const double *restrict share = policy->start_share[quintile];
    for (int i = 0; i < MODEL_LANES; i++) {
        double held = reach_before[i] * (1 - policy->churn[i] * rate_now[i]);
        double started = year <= policy->funded_years[i] ? share[i] * (1 - held) : 0;
        double cut = policy->retention[i] * started;
        starts[i] = started;
        reach[i] = held + started;
        exposure[i] = policy->practice_kept[i] * (1 - rate_now[i]) * exposure_before[i] + started;
        kept[i] = (leaving[i] - leaving_now[i]) + leaving_now[i] * (cut < 1 ? cut : 1);
    }
}

KERNEL static void run_static(struct workforce_space *space, const struct groups *groups, const struct policy *policy,
                              uint32_t years)
{
    const struct workforce *workforce = &space->workforce;
    for (uint32_t year = 1; year <= years; year++)
        for (size_t at = 0; at < groups->group_count; at++) {
            struct step step = step_of(&space->paths, policy, groups->group_count, at, year);
            take_step(&step, policy, groups->groups[at].quintile, year, workforce->rate_now[at], workforce->rate[at],
                      workforce->rate_now[at]);
        }
}

static void fill_bands(struct workforce *workforce, size_t group_count)
{
    for (size_t at = 0; at < group_count; at++)
        memcpy(workforce->bands[at * BANDS], workforce->share, sizeof workforce->share);
}

/* What would leave a group this year with no policy and with early-career support, and the rates; in a
 * static lane both come from the base shares. */
KERNEL_INLINE void count_leaving(const struct workforce *workforce, size_t group, const model_lanes *restrict bands,
                                 double *restrict leaving, double *restrict leaving_now, double *restrict rate_now)
{
    const double *restrict multiplier = workforce->multiplier[group];
    model_lanes stock = {0}, all = {0}, now = {0};
    for (int band = 0; band < BANDS; band++)
        for (int i = 0; i < MODEL_LANES; i++) {
            stock[i] += bands[band][i];
            all[i] += rate_of(workforce->leave[band][i], multiplier[i]) * bands[band][i];
            now[i] += rate_of(workforce->leave_now[band][i], multiplier[i]) * bands[band][i];
        }
    for (int i = 0; i < MODEL_LANES; i++) {
        bool dynamic = workforce->dynamic[i] != 0;
        double average = stock[i] > 0 ? now[i] / stock[i] : 0;
        leaving[i] = dynamic ? all[i] : workforce->rate[group][i];
        leaving_now[i] = dynamic ? now[i] : workforce->rate_now[group][i];
        rate_now[i] = dynamic ? average : workforce->rate_now[group][i];
    }
}

/* Leavers go, survivors age; what posts are then short of is the demand. */
KERNEL_INLINE void age_bands(struct workforce *workforce, const struct policy *policy, size_t group,
                             const double *restrict starts, const double *restrict posts)
{
    const double *restrict multiplier = workforce->multiplier[group];
    model_lanes *restrict bands = workforce->bands + group * BANDS;
    double *restrict demand = workforce->demand[group];
    for (int i = 0; i < MODEL_LANES; i++) {
        double stayed[BANDS], aged[BANDS], sum = 0, cut = policy->retention[i] * starts[i];
        for (int band = 0; band < BANDS; band++) {
            double rate = rate_of(workforce->leave_now[band][i], multiplier[i]) * (1 - (cut < 1 ? cut : 1));
            stayed[band] = bands[band][i] - rate * bands[band][i];
        }
        age(stayed, aged);
        for (int band = 0; band < BANDS; band++) {
            bands[band][i] = aged[band];
            sum += aged[band];
        }
        demand[i] = posts[i] > sum ? posts[i] - sum : 0;
    }
}

KERNEL static void leave_and_age(struct workforce_space *space, const struct groups *groups,
                                 const struct policy *policy, uint32_t year)
{
    struct workforce *workforce = &space->workforce;
    for (size_t at = 0; at < groups->group_count; at++) {
        const struct group *group = &groups->groups[at];
        struct step step = step_of(&space->paths, policy, groups->group_count, at, year);
        double *leaving = space->paths.leaving[(year - 1) * groups->group_count + at];
        model_lanes leaving_now, rate_now;
        count_leaving(workforce, at, workforce->bands + at * BANDS, leaving, leaving_now, rate_now);
        take_step(&step, policy, group->quintile, year, rate_now, leaving, leaving_now);
        age_bands(workforce, policy, at, step.starts, workforce->posts[(year - 1) * CLASS_COUNT + group->phase_class]);
    }
}

/* Sum of d a over the population: what the supply is shared by. */
static void weigh_demand(const struct workforce *workforce, const struct groups *groups, double *sum)
{
    lanes_fill(sum, 0);
    for (size_t at = 0; at < groups->group_count; at++) {
        const double *weight = workforce->supply_weight[groups->groups[at].quintile];
        for (int i = 0; i < MODEL_LANES; i++) sum[i] += groups->groups[at].fte * (workforce->demand[at][i] * weight[i]);
    }
}

/* Entrants fill posts: d, or the share of the supply when that is less. */
KERNEL_INLINE void fill_group(struct workforce *workforce, const struct paths *paths, size_t group, size_t row,
                              const double *restrict weight, const double *restrict ration)
{
    model_lanes *restrict bands = workforce->bands + group * BANDS;
    const double *restrict demand = workforce->demand[group], *restrict exposure = paths->exposure[row];
    double *restrict filled = paths->filled[row], *restrict unfilled = paths->unfilled[row];
    double *restrict stock = paths->stock[row], *restrict exposed = paths->exposed[row];
    for (int i = 0; i < MODEL_LANES; i++) {
        bool dynamic = workforce->dynamic[i] != 0;
        double share = demand[i] * weight[i] * ration[i], sum = 0;
        double entrants = share < demand[i] ? share : demand[i];
        for (int band = 0; band < BANDS; band++) {
            bands[band][i] += entrants * workforce->entry[band][i];
            sum += bands[band][i];
        }
        filled[i] = dynamic ? entrants : 0;
        unfilled[i] = dynamic ? demand[i] - entrants : 0;
        stock[i] = dynamic ? sum : 1;
        exposed[i] = exposure[i] * stock[i];
    }
}

KERNEL static void fill_posts(struct workforce_space *space, const struct groups *groups, uint32_t year)
{
    struct workforce *workforce = &space->workforce;
    model_lanes ration; /* supply per unit of weighted demand */
    weigh_demand(workforce, groups, ration);
    for (int i = 0; i < MODEL_LANES; i++) ration[i] = ration[i] > 0 ? workforce->supply[year - 1][i] / ration[i] : 0;
    for (size_t at = 0; at < groups->group_count; at++)
        fill_group(workforce, &space->paths, at, (year - 1) * groups->group_count + at,
                   workforce->supply_weight[groups->groups[at].quintile], ration);
}

/* e3: G_t of the programme for e0 = 1, from K_{t-j}; K is 0 before year 1. */
KERNEL static void filter_exposure(const struct paths *paths, const struct groups *groups, const struct policy *policy,
                                   size_t group, uint32_t year)
{
    double *restrict gain = paths->gain[(year - 1) * groups->group_count + group];
    for (int i = 0; i < MODEL_LANES; i++) gain[i] = 0;
    for (unsigned j = policy->filter_first; j < policy->filter_end && j < year; j++) {
        const double *restrict exposure = paths->exposure[(year - 1 - j) * groups->group_count + group];
        const double *restrict coefficient = policy->filter[j];
        for (int i = 0; i < MODEL_LANES; i++) gain[i] += coefficient[i] * exposure[i];
    }
}

void workforce_run(struct workforce_space *space, const struct groups *groups, const struct policy *policy,
                   uint32_t years)
{
    if (space->workforce.any_dynamic) {
        fill_bands(&space->workforce, groups->group_count);
        for (uint32_t year = 1; year <= years; year++) {
            leave_and_age(space, groups, policy, year);
            fill_posts(space, groups, year);
        }
    } else {
        run_static(space, groups, policy, years);
    }
    if (policy->years_funded == 0) return;
    for (size_t at = 0; at < groups->group_count; at++)
        for (uint32_t year = 1; year <= years && groups->groups[at].ks4; year++)
            filter_exposure(&space->paths, groups, policy, at, year);
}
