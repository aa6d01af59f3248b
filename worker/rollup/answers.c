#include "answers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan.h"
#include "table.h"

static const char *const sides[] = {"above", "at_least", "below", "at_most"};

/* The kept figure of a measure and year; SIZE_MAX: none. */
static size_t find_kept(const struct plan *plan, const char *measure, uint32_t year)
{
    for (size_t kept = 0; kept < plan->kept_count; kept++) {
        const struct model_figure *figure = &plan->figures[plan->kept[kept]];
        if (figure->year == year && strcmp(plan->model->measures[figure->measure].name, measure) == 0) return kept;
    }
    return SIZE_MAX;
}

static bool find_figure(const struct plan *plan, const char *measure, uint32_t year, size_t *kept, char *why,
                        size_t why_bytes)
{
    char when[16] = "all";
    *kept = find_kept(plan, measure, year);
    if (*kept != SIZE_MAX) return true;
    if (year != MODEL_YEAR_ALL) snprintf(when, sizeof when, "%u", year);
    snprintf(why, why_bytes,
             "the sweep has no figure '%s' of year %s: name a measure of its outputs, and a year that it has", measure,
             when);
    return false;
}

static void name_threshold(const struct sweep_threshold *threshold, struct answer *answer)
{
    char number[32];
    table_number(threshold->value, number);
    snprintf(answer->name, sizeof answer->name, "%s_%s_%s", threshold->measure, sides[threshold->side], number);
}

static bool find_thresholds(const struct plan *plan, struct answer *answer, char *why, size_t why_bytes)
{
    for (size_t at = 0; at < answer->threshold_count; at++) {
        const struct sweep_threshold *threshold = &answer->thresholds[at];
        if (!find_figure(plan, threshold->measure, threshold->year, &answer->kept[at], why, why_bytes)) return false;
    }
    return true;
}

/* Two rows of a rollup must differ in something else than their value. */
static bool check_names(const struct plan *plan, const struct answer *answers, size_t count, char *why,
                        size_t why_bytes)
{
    for (size_t at = 0; at < count; at++) {
        for (size_t other = 0; other < at; other++)
            if (answers[other].year == answers[at].year && strcmp(answers[other].name, answers[at].name) == 0) {
                snprintf(why, why_bytes, "'%s' is asked for twice: leave one out", answers[at].name);
                return false;
            }
        for (size_t other = 0; other < plan->model->measure_count; other++)
            if (strcmp(plan->model->measures[other].name, answers[at].name) == 0) {
                snprintf(why, why_bytes,
                         "model %s has a measure '%s' of its own: the question of that name cannot be "
                         "told from it",
                         plan->model->name, answers[at].name);
                return false;
            }
    }
    return true;
}

size_t answers_find(const struct plan *plan, struct answer *answers, char *why, size_t why_bytes)
{
    const struct sweep *sweep = plan->sweep;
    size_t count = 0;
    for (size_t at = 0; at < sweep->threshold_count; at++) {
        struct answer *answer = &answers[count++];
        *answer = (struct answer){.unit = "share",
                                  .year = sweep->thresholds[at].year,
                                  .kind = ANSWER_THRESHOLD,
                                  .thresholds = &sweep->thresholds[at],
                                  .threshold_count = 1};
        name_threshold(answer->thresholds, answer);
        if (!find_thresholds(plan, answer, why, why_bytes)) return SIZE_MAX;
    }
    if (sweep->satisfice_count > 0) {
        struct answer *answer = &answers[count++];
        *answer = (struct answer){.name = "satisfice",
                                  .unit = "share",
                                  .kind = ANSWER_SATISFICE,
                                  .thresholds = sweep->satisfice,
                                  .threshold_count = sweep->satisfice_count};
        if (!find_thresholds(plan, answer, why, why_bytes)) return SIZE_MAX;
    }
    if (sweep->regret_measure[0]) {
        struct answer *answer = &answers[count++];
        *answer = (struct answer){.kind = ANSWER_REGRET};
        snprintf(answer->name, sizeof answer->name, "regret_%s", sweep->regret_measure);
        if (!find_figure(plan, sweep->regret_measure, MODEL_YEAR_ALL, answer->kept, why, why_bytes)) return SIZE_MAX;
        answer->unit = plan->model->measures[plan->figures[plan->kept[answer->kept[0]]].measure].unit;
    }
    return check_names(plan, answers, count, why, why_bytes) ? count : SIZE_MAX;
}

bool threshold_says_yes(const struct sweep_threshold *threshold, double value)
{
    if (!isfinite(value)) return false;
    switch (threshold->side) {
    case THRESHOLD_ABOVE:
        return value > threshold->value;
    case THRESHOLD_AT_LEAST:
        return value >= threshold->value;
    case THRESHOLD_BELOW:
        return value < threshold->value;
    default:
        return value <= threshold->value;
    }
}

void answer_yes_no(const struct answer *answer, const double *store, size_t stride, size_t draws, double *out)
{
    for (size_t draw = 0; draw < draws; draw++) {
        bool yes = true;
        for (size_t at = 0; at < answer->threshold_count && yes; at++)
            yes = threshold_says_yes(&answer->thresholds[at], store[answer->kept[at] * stride + draw]);
        out[draw] = yes;
    }
}

static double best_of(const struct sweep *sweep, const double *values, size_t stride)
{
    double best = NAN;
    for (size_t scenario = 0; scenario < sweep->scenario_count; scenario++) {
        double value = values[scenario * stride];
        bool better = isnan(best) || (sweep->regret_lowest ? value < best : value > best);
        if (isfinite(value) && better) best = value;
    }
    return best;
}

void answer_regret(const struct sweep *sweep, double *values, size_t stride, size_t draws)
{
    size_t scenarios = sweep->scenario_count;
    for (size_t draw = 0; draw < draws; draw++) {
        double best = best_of(sweep, values + draw, stride);
        for (size_t scenario = 0; scenario < scenarios; scenario++) {
            double *value = &values[scenario * stride + draw];
            *value = !isfinite(*value) ? NAN : sweep->regret_lowest ? *value - best : best - *value;
            if (scenario > 0) values[(scenarios + scenario - 1) * stride + draw] = *value - values[draw];
        }
    }
}
