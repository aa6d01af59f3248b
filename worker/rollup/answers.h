/* Answers: figures that a sweep makes of others, draw by draw. They stand behind the model's own figures of each
 * column and area, are tallied as these are, and appear in the rollup under names of their own:
 *
 *   MEASURE_above_X, _at_least_, _below_, _at_most_   1 in draws that answer yes, otherwise 0: the mean is a share
 *                                                     of a difference, what the differenced figure answers
 *   satisfice                                         1 in draws that answer yes to every threshold of the list
 *   regret_MEASURE                                    what the best scenario of the draw has more (or less, where
 *                                                     the lowest is best); of a difference, the difference of regrets
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/sweep.h>

#define ANSWERS_MAX       (SWEEP_THRESHOLDS_MAX + 2)
#define ANSWER_NAME_BYTES 96

struct plan;

enum answer_kind { ANSWER_THRESHOLD, ANSWER_SATISFICE, ANSWER_REGRET };

struct answer {
    char name[ANSWER_NAME_BYTES];
    const char *unit; /* a constant, or the model's */
    uint32_t year;    /* of the figure asked about, or MODEL_YEAR_ALL */
    enum answer_kind kind;
    const struct sweep_threshold *thresholds; /* into the sweep */
    size_t threshold_count;
    size_t kept[SWEEP_THRESHOLDS_MAX]; /* the figures that the thresholds, or the regret, are about */
};

/* Finds what the sweep asks for among the plan's kept figures: answers[ANSWERS_MAX]; their number. SIZE_MAX: a
 * measure is not there, or a name would be there twice; `why` says which. */
size_t answers_find(const struct plan *plan, struct answer *answers, char *why, size_t why_bytes);

/* Whether a figure answers a threshold with yes; one that is not finite is undefined, and says no. */
bool threshold_says_yes(const struct sweep_threshold *threshold, double value);

/* Thresholds and satisficing of one column and area: store[figure * stride + draw], in which kept figures are
 * there. out: [draws]. */
void answer_yes_no(const struct answer *answer, const double *store, size_t stride, size_t draws, double *out);

/* Regret of each column in place: values[column * stride + draw] holds the measure of the scenarios, and room for
 * the differences behind them. A scenario whose measure is undefined has no regret and is nobody's best. */
void answer_regret(const struct sweep *sweep, double *values, size_t stride, size_t draws);
