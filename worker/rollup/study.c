#include "study.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* The kept figure that a measure stands for: of all years, or of the last one. SIZE_MAX: there is none. */
static size_t find_kept(const struct plan *plan, const char *measure)
{
    size_t found = SIZE_MAX;
    uint32_t best = 0;
    for (size_t kept = 0; kept < plan->kept_count; kept++) {
        const struct model_figure *figure = &plan->figures[plan->kept[kept]];
        if (strcmp(plan->model->measures[figure->measure].name, measure) != 0) continue;
        if (figure->year == MODEL_YEAR_ALL) return kept;
        if (figure->year > best) {
            best = figure->year;
            found = kept;
        }
    }
    return found;
}

/* Only whole areas, of the levels asked for. */
static bool in_study(const struct plan *plan, const struct area *area)
{
    return area->phase == AREA_ALL && area->quintile == AREA_ALL && plan->sweep->study.levels >> area->level & 1;
}

static size_t count_areas(const struct plan *plan)
{
    size_t count = 0;
    for (size_t at = 0; at < plan->area_count; at++) count += in_study(plan, &plan->areas[at]);
    return count;
}

/* What a policy changes is studied: the differences to the baseline, or the only scenario itself. */
static size_t first_column(const struct plan *plan)
{
    return plan->sweep->scenario_count > 1 ? plan->sweep->scenario_count : 0;
}

static void add_targets(struct study *study, const struct plan *plan, const size_t *kept)
{
    for (size_t area = 0; area < plan->area_count; area++) {
        if (!in_study(plan, &plan->areas[area])) continue;
        for (size_t column = first_column(plan); column < plan->column_count; column++)
            for (size_t at = 0; at < plan->sweep->study.measure_count; at++)
                study->targets[study->target_count++] =
                    (struct study_target){column, area, kept[at], plan_figure(plan, column, area, kept[at])};
    }
}

static bool choose_targets(struct study *study, const struct plan *plan, char *why, size_t why_bytes)
{
    const struct sweep_study *asked = &plan->sweep->study;
    size_t kept[SWEEP_THRESHOLDS_MAX];
    for (size_t at = 0; at < asked->measure_count; at++) {
        kept[at] = find_kept(plan, asked->measures[at]);
        if (kept[at] != SIZE_MAX) continue;
        snprintf(why, why_bytes, "the study's measure '%s' is not among the measures of the sweep",
                 asked->measures[at]);
        return false;
    }
    size_t count = asked->measure_count * count_areas(plan) * (plan->column_count - first_column(plan));
    if (asked->measure_count > 0 && (count == 0 || count > STUDY_TARGETS_MAX)) {
        snprintf(why, why_bytes, "the study has %zu figures (measures x areas x scenarios); allowed are 1 to %u", count,
                 STUDY_TARGETS_MAX);
        return false;
    }
    study->targets = calloc(count ? count : 1, sizeof *study->targets);
    if (!study->targets) {
        snprintf(why, why_bytes, "out of memory");
        return false;
    }
    add_targets(study, plan, kept);
    return true;
}

static bool is_stop_target(const struct plan *plan, const struct study_target *target, size_t kept)
{
    const struct sweep_stop *stop = &plan->sweep->stop;
    size_t column = stop->scenario == 0 ? 0 : plan->sweep->scenario_count + stop->scenario - 1;
    return target->column == column && target->kept == kept &&
           strcmp(plan->areas[target->area].code, stop->area_code) == 0;
}

/* Why the rule makes no sense for the design; NULL: it does. */
static const char *stop_fault(const struct study *study)
{
    const struct sweep *sweep = study->sweep;
    bool ranked = sweep->method == DESIGN_SALTELLI || sweep->method == DESIGN_SHAPLEY;
    if (!sweep_can_extend(sweep)) return "the design has no end but its last draw, so no stop rule can be used";
    if (study->groups < 2) return "the stop rule needs intervals, and so at least 2 replicates";
    if (sweep->stop.kind != STOP_RANKING) return NULL;
    if (!ranked) return "the stop rule ranks drivers, which needs the design saltelli or shapley";
    return sweep->stop.top < study->dimensions ? NULL : "the stop rule's drivers are all that there are";
}

static bool choose_stop_target(struct study *study, const struct plan *plan, char *why, size_t why_bytes)
{
    const struct sweep_stop *stop = &plan->sweep->stop;
    study->stop_target = SIZE_MAX;
    if (stop->kind == STOP_NEVER) return true;
    const char *fault = stop_fault(study);
    if (fault) {
        snprintf(why, why_bytes, "%s", fault);
        return false;
    }
    size_t kept = find_kept(plan, stop->measure);
    for (size_t at = 0; at < study->target_count && study->stop_target == SIZE_MAX; at++)
        if (is_stop_target(plan, &study->targets[at], kept)) study->stop_target = at;
    if (study->stop_target != SIZE_MAX) return true;
    snprintf(why, why_bytes, "the stop rule's figure, %s of area %s, is not among those that are studied",
             stop->measure, stop->area_code);
    return false;
}

size_t study_first_target(const struct study *study, size_t column, size_t area)
{
    size_t low = 0, high = study->target_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct study_target *target = &study->targets[middle];
        bool before = target->area < area || (target->area == area && target->column < column);
        if (before) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Left out in turn, a replicate's pseudo-value of a mean is its own mean. */
double study_mean_error(const struct study *study, size_t target, const double *sums, uint64_t count)
{
    double n = 0, y = 0, sum = 0, used = 0;
    if (!sweep_has_replicates(study->sweep)) return NAN;
    for (size_t group = 0; group < study->groups; group++) {
        const double *own = sums + study_sums_at(study, target, group);
        n += own[SUM_N];
        y += own[SUM_Y];
    }
    if (n != (double)count) return NAN;
    for (size_t group = 0; group < study->groups; group++) {
        const double *own = sums + study_sums_at(study, target, group);
        if (own[SUM_N] == 0 || own[SUM_N] == n) continue;
        double gap = own[SUM_Y] / own[SUM_N] - y / n;
        sum += gap * gap / (n / own[SUM_N] - 1);
        used++;
    }
    return used < 2 ? NAN : sqrt(sum / used);
}

/* Of first order. */
static size_t saltelli_sums(size_t dimensions)
{
    return STUDY_BASE_SUMS + STUDY_BOTH_SUMS + dimensions * SALTELLI_SUMS;
}

static size_t group_sums(const struct study *study)
{
    size_t dimensions = study->dimensions;
    bool second = study->sweep->study.extras & STUDY_SECOND_ORDER;
    switch (study->sweep->method) {
    case DESIGN_SALTELLI:
        if (!second) return saltelli_sums(dimensions);
        return STUDY_BASE_SUMS + STUDY_BOTH_SUMS + dimensions * SECOND_SUMS +
               dimensions * (dimensions - 1) / 2 * PAIR_SUMS;
    case DESIGN_MORRIS:
    case DESIGN_DERIVATIVE:
        return STUDY_BASE_SUMS + dimensions * EFFECT_SUMS;
    case DESIGN_SHAPLEY:
        return STUDY_BASE_SUMS + STUDY_BOTH_SUMS + dimensions * SHAPLEY_SUMS;
    default:
        return STUDY_BASE_SUMS;
    }
}

static bool would_fit(const struct study *study, size_t each)
{
    return each * study->target_count <= STUDY_SUMS_MAX;
}

/* What the study takes and, since it is too much, what there is to leave out that is enough. */
static void explain_size(const struct study *study, char *why, size_t why_bytes)
{
    size_t each = study->target_sums + study->target_counts;
    size_t first = study->groups * saltelli_sums(study->dimensions) + study->target_counts;
    bool delta = study->target_counts > 0 && would_fit(study, study->target_sums);
    bool second = study->sweep->method == DESIGN_SALTELLI && first < each && would_fit(study, first);
    snprintf(
        why, why_bytes,
        "the study has %zu figures (measures x areas x scenarios) that take %zu sums each, with %u parameters and %u "
        "replicates; at most %u sums in all: study at most %zu figures%s%s",
        study->target_count, each, study->dimensions, study->groups, STUDY_SUMS_MAX, STUDY_SUMS_MAX / each,
        delta ? ", or leave out delta" : "", second ? ", or leave out second_order" : "");
}

static bool measure_sums(struct study *study, char *why, size_t why_bytes)
{
    const struct sweep *sweep = study->sweep;
    bool slots = sweep->method == DESIGN_ONE_AT_A_TIME;
    study->group_sums = slots ? SLOT_SUMS : group_sums(study);
    study->target_sums = study->group_sums * (slots ? (size_t)sweep->draws : study->groups);
    study->sum_count = study->target_count * study->target_sums;
    if (sweep->study.extras & STUDY_DELTA) study->target_counts = (study->dimensions + 1) * STUDY_CLASSES * STUDY_BINS;
    study->count_count = study->target_count * study->target_counts;
    if (study->sum_count + study->count_count > STUDY_SUMS_MAX) {
        explain_size(study, why, why_bytes);
        return false;
    }
    if (sweep->method != DESIGN_POINT) study->count_count += study->dimensions * STUDY_FAILURE_CLASSES + 1;
    study->width = sweep->keep_draws ? study->target_count : 0;
    return true;
}

bool study_lay_out(struct study *study, const struct plan *plan, char *why, size_t why_bytes)
{
    const struct sweep *sweep = plan->sweep;
    *study = (struct study){.sweep = sweep,
                            .dimensions = sweep_dimensions(sweep),
                            .rows = sweep_rows(sweep),
                            .groups = sweep->groups ? sweep->groups : 1};
    if (!choose_targets(study, plan, why, why_bytes) || !choose_stop_target(study, plan, why, why_bytes)) return false;
    if (study->target_count == 0) study->rows = 1; /* nobody looks at the others */
    return measure_sums(study, why, why_bytes);
}

void study_free(struct study *study)
{
    free(study->targets);
    study->targets = NULL;
}
