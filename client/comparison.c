#include "comparison.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "amount.h"
#include "words.h"

#define NONE SIZE_MAX
#define Z_95 1.959963984540054 /* the 97.5 % quantile of the normal distribution */

/* Where the answers are, and for which scenarios. */
struct comparison {
    const struct plan *plan;
    const struct node *root;
    size_t england;           /* area */
    size_t regret, satisfice; /* place among the figures of a column and area; NONE: not asked for */
    size_t minimax;           /* scenario; NONE: there is none */
};

static size_t find_england(const struct plan *plan)
{
    for (size_t at = 0; at < plan->area_count; at++) {
        const struct area *area = &plan->areas[at];
        if (area->level == AREA_ENGLAND && area->phase == AREA_ALL && area->quintile == AREA_ALL) return at;
    }
    return NONE;
}

static size_t find_answer(const struct plan *plan, enum answer_kind kind)
{
    for (size_t at = 0; at < plan->answer_count; at++)
        if (plan->answers[at].kind == kind) return plan->kept_count + at;
    return NONE;
}

static const struct tally *tally_of(const struct comparison *comparison, size_t scenario, size_t place)
{
    return &comparison->root->tallies[plan_figure(comparison->plan, scenario, comparison->england, place)];
}

/* A regret that is undefined in some draws could be any there: such a scenario is nobody's choice. */
static bool is_whole(const struct comparison *comparison, const struct tally *tally)
{
    const struct node *root = comparison->root;
    return tally->count > 0 && tally->count == root->draws - root->failed_draws;
}

/* Of equal ones the first. */
static size_t find_minimax(const struct comparison *comparison)
{
    size_t best = NONE;
    for (size_t at = 0; at < comparison->plan->sweep->scenario_count; at++) {
        const struct tally *tally = tally_of(comparison, at, comparison->regret);
        if (!is_whole(comparison, tally)) continue;
        if (best == NONE || tally->max < tally_of(comparison, best, comparison->regret)->max) best = at;
    }
    return best;
}

/* False: there is nothing to tell. */
static bool open(struct comparison *comparison, const struct plan *plan, const struct node *root)
{
    *comparison = (struct comparison){.plan = plan,
                                      .root = root,
                                      .england = find_england(plan),
                                      .regret = find_answer(plan, ANSWER_REGRET),
                                      .satisfice = find_answer(plan, ANSWER_SATISFICE),
                                      .minimax = NONE};
    if (comparison->england == NONE || (comparison->regret == NONE && comparison->satisfice == NONE)) return false;
    if (comparison->regret != NONE) comparison->minimax = find_minimax(comparison);
    return true;
}

/* --- text --- */

/* Columns of a scenario: its largest and mean regret, the error of the mean, the same of its satisficing share. */
struct cells {
    char max[AMOUNT_BYTES], mean[2 * AMOUNT_BYTES], share[2 * AMOUNT_BYTES];
};

/* A regret is in the unit of its measure; pounds come in millions. */
static struct amount_unit unit_of(const struct comparison *comparison)
{
    return amount_unit(comparison->plan->answers[comparison->regret - comparison->plan->kept_count].unit);
}

static void put_amount(double value, char text[AMOUNT_BYTES])
{
    if (fabs(value) >= 100) snprintf(text, AMOUNT_BYTES, "%.1f", value);
    else amount_text(value, 4, text);
}

/* The mean with the half-width of its interval, where it has one. */
static void put_mean(const struct tally *tally, double scale, const char *unit, char text[2 * AMOUNT_BYTES])
{
    char mean[AMOUNT_BYTES], half[AMOUNT_BYTES];
    double half_width = scale * Z_95 * tally_mcse(tally);
    if (*unit) snprintf(mean, sizeof mean, "%.1f", scale * tally->mean);
    else put_amount(scale * tally->mean, mean);
    amount_text(half_width, 2, half);
    if (half_width > 0) snprintf(text, 2 * AMOUNT_BYTES, "%.330s%s +- %.330s", mean, unit, half);
    else snprintf(text, 2 * AMOUNT_BYTES, "%.330s%s", mean, unit);
}

static struct cells cells_of(const struct comparison *comparison, size_t scenario)
{
    struct cells cells = {"-", "-", "-"};
    const struct tally *regret = comparison->regret == NONE ? NULL : tally_of(comparison, scenario, comparison->regret);
    const struct tally *share =
        comparison->satisfice == NONE ? NULL : tally_of(comparison, scenario, comparison->satisfice);
    if (regret && regret->count > 0) {
        put_amount(unit_of(comparison).scale * regret->max, cells.max);
        put_mean(regret, unit_of(comparison).scale, "", cells.mean);
    }
    if (share && share->count > 0) put_mean(share, 100, " %", cells.share);
    return cells;
}

static int name_width(const struct sweep *sweep)
{
    size_t width = 0;
    for (uint32_t at = 0; at < sweep->scenario_count; at++) {
        size_t size = strlen(sweep->scenarios[at].name);
        if (size > width) width = size;
    }
    return (int)width;
}

static void write_title(const struct comparison *comparison, struct buffer *out)
{
    const struct sweep *sweep = comparison->plan->sweep;
    word_print(out, "\nEngland, how the scenarios compare\n");
    if (comparison->regret != NONE) {
        const struct amount_unit unit = unit_of(comparison);
        word_print(out, "regret in %s%s%s, against the %s of each draw\n", sweep->regret_measure,
                   *unit.name ? ", " : "", unit.name, sweep->regret_lowest ? "lowest" : "highest");
    }
    word_print(out, "  %-*s", name_width(sweep), "");
    if (comparison->regret != NONE) word_print(out, "  %14s  %13s", "largest regret", "mean regret");
    if (comparison->satisfice != NONE) word_print(out, "  %21s", "meets every threshold");
    word_print(out, "\n");
}

/* True: a mean in it has an interval. */
static bool write_row(const struct comparison *comparison, size_t scenario, struct buffer *out)
{
    struct cells cells = cells_of(comparison, scenario);
    const struct sweep *sweep = comparison->plan->sweep;
    word_print(out, "  %-*s", name_width(sweep), sweep->scenarios[scenario].name);
    if (comparison->regret != NONE) word_print(out, "  %14.200s  %13.200s", cells.max, cells.mean);
    if (comparison->satisfice != NONE) word_print(out, "  %21.200s", cells.share);
    word_print(out, "\n");
    return strstr(cells.mean, "+-") || strstr(cells.share, "+-");
}

void comparison_write(const struct plan *plan, const struct node *root, struct buffer *out)
{
    struct comparison comparison;
    bool has_interval = false;
    if (!open(&comparison, plan, root)) return;
    write_title(&comparison, out);
    for (size_t at = 0; at < plan->sweep->scenario_count; at++) has_interval |= write_row(&comparison, at, out);
    if (has_interval) word_print(out, "  +-: half of the mean's 95 %% interval\n");
    if (comparison.minimax != NONE)
        word_print(out, "  the smallest largest regret: %s\n", plan->sweep->scenarios[comparison.minimax].name);
}

/* --- JSON --- */

static json_t *describe_scenario(const struct comparison *comparison, size_t scenario)
{
    json_t *object = json_object();
    json_object_set_new(object, "scenario", json_string(comparison->plan->sweep->scenarios[scenario].name));
    if (comparison->regret != NONE) {
        const struct tally *tally = tally_of(comparison, scenario, comparison->regret);
        json_object_set_new(object, "max_regret", amount_json(tally->count ? tally->max : NAN));
        json_object_set_new(object, "mean_regret", amount_json(tally->count ? tally->mean : NAN));
        json_object_set_new(object, "mean_regret_mcse", amount_json(tally_mcse(tally)));
        json_object_set_new(object, "regret_draws", json_integer((json_int_t)tally->count));
    }
    if (comparison->satisfice != NONE) {
        const struct tally *tally = tally_of(comparison, scenario, comparison->satisfice);
        json_object_set_new(object, "satisfice", amount_json(tally->count ? tally->mean : NAN));
        json_object_set_new(object, "satisfice_mcse", amount_json(tally_mcse(tally)));
    }
    return object;
}

void comparison_describe(const struct plan *plan, const struct node *root, json_t *object)
{
    struct comparison comparison;
    if (!open(&comparison, plan, root)) return;
    json_t *compare = json_object(), *list = json_array();
    for (size_t at = 0; at < plan->sweep->scenario_count; at++)
        json_array_append_new(list, describe_scenario(&comparison, at));
    if (comparison.regret != NONE) {
        json_object_set_new(compare, "regret", json_string(plan->sweep->regret_measure));
        json_object_set_new(compare, "best", json_string(plan->sweep->regret_lowest ? "lowest" : "highest"));
        json_object_set_new(compare, "minimax_regret",
                            comparison.minimax == NONE ? json_null()
                                                       : json_string(plan->sweep->scenarios[comparison.minimax].name));
    }
    json_object_set_new(compare, "scenarios", list);
    json_object_set_new(object, "compare", compare);
}
