#include "drivers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amount.h"
#include "distribution.h"
#include "estimate.h"
#include "progress.h"
#include "sensitivity_table.h"
#include "words.h"

#define AREA_TOP  3  /* "first three": drivers of an area that has a single line */
#define AREAS_MAX 16 /* with such lines */

/* --- what is found --- */

static const char *ranking_index(const struct sweep *sweep)
{
    switch (sweep->method) {
    case DESIGN_SALTELLI:
        return "st";
    case DESIGN_SHAPLEY:
        return "shapley";
    case DESIGN_MORRIS:
        return "mu_star";
    case DESIGN_ONE_AT_A_TIME:
        return "swing";
    case DESIGN_DERIVATIVE:
        return "dgsm_bound";
    default:
        return sweep->study.extras & STUDY_DELTA ? "delta" : NULL;
    }
}

/* Among the top ones by size; of two alike the first stays first. One that changes nothing drives nothing. */
static void rank(struct finding *finding, struct driver driver)
{
    size_t at = finding->count;
    while (at > 0 && fabs(finding->top[at - 1].value) < fabs(driver.value)) at--;
    if (isnan(driver.value) || driver.value == 0 || at == DRIVERS_TOP) return;
    if (finding->count < DRIVERS_TOP) finding->count++;
    memmove(finding->top + at + 1, finding->top + at, (finding->count - at - 1) * sizeof driver);
    finding->top[at] = driver;
}

/* The dummy of the index that ranks, or of the design's own one. */
static void take_floor(const struct drivers *drivers, struct finding *finding, const struct estimate_row *row)
{
    bool own = strcmp(row->index, drivers->index) == 0;
    if (isnan(row->value) || (!own && strcmp(row->index, "s1") != 0)) return;
    finding->floor = (struct driver){row->dimension, row->value, row->low, row->high};
    finding->floor_index = row->index;
}

static bool take(void *context, const struct estimate_row *row)
{
    struct drivers *drivers = context;
    struct finding *finding = &drivers->findings[row->target];
    struct driver driver = {row->dimension, row->value, row->low, row->high};
    if (strcmp(row->index, "mean") == 0) finding->mean = driver, finding->summed = row->n;
    if (!drivers->index) return true;
    if (row->dimension == (int)drivers->plan->study.dimensions) take_floor(drivers, finding, row);
    else if (strcmp(row->index, drivers->index) == 0) rank(finding, driver);
    return true;
}

static bool open_findings(struct drivers *drivers, const struct node *root)
{
    const struct study *study = &drivers->plan->study;
    drivers->findings = calloc(study->target_count ? study->target_count : 1, sizeof *drivers->findings);
    if (!drivers->findings) return false;
    for (size_t at = 0; at < study->target_count; at++)
        drivers->findings[at] = (struct finding){.floor = {.dimension = -1},
                                                 .mean = {.value = NAN},
                                                 .defined = root->tallies[study->targets[at].figure].count};
    return true;
}

bool drivers_find(struct drivers *drivers, const struct plan *plan, const struct node *root)
{
    char why[256];
    const struct study *study = &plan->study;
    *drivers = (struct drivers){.plan = plan,
                                .index = ranking_index(plan->sweep),
                                .confidence = sensitivity_confidence(plan->sweep),
                                .draws = root->draws - root->failed_draws};
    if (!open_findings(drivers, root)) return false;
    if (study->target_count > 0 && !estimate_rows(study, root, drivers->confidence, take, drivers)) return false;
    if (study->count_count == 0 || !failures_find(study, root, &drivers->box)) return true;
    drivers->failed = true;
    drivers->design = design_new(plan->sweep, why, sizeof why);
    return drivers->design != NULL;
}

void drivers_free(struct drivers *drivers)
{
    free(drivers->findings);
    design_free(drivers->design);
    *drivers = (struct drivers){0};
}

double drivers_half_width(const struct finding *finding)
{
    double share = (finding->mean.high - finding->mean.low) / 2 / fabs(finding->mean.value);
    return isfinite(share) ? share : NAN;
}

/* --- targets --- */

static const struct area *area_of(const struct drivers *drivers, size_t target)
{
    return &drivers->plan->areas[drivers->plan->study.targets[target].area];
}

/* Targets ascend by area, so those of the first, and largest, come first. */
static size_t count_chief(const struct drivers *drivers)
{
    const struct study *study = &drivers->plan->study;
    size_t count = 0;
    while (count < study->target_count && study->targets[count].area == study->targets[0].area) count++;
    return count;
}

/* Whether a target is the same figure as a chief one, of another area, with another parameter on top. */
static bool differs(const struct drivers *drivers, size_t chief, size_t other)
{
    const struct study_target *a = &drivers->plan->study.targets[chief], *b = &drivers->plan->study.targets[other];
    const struct finding *left = &drivers->findings[chief], *right = &drivers->findings[other];
    if (a->area == b->area || a->column != b->column || a->kept != b->kept) return false;
    return left->count > 0 && right->count > 0 && left->top[0].dimension != right->top[0].dimension;
}

static const struct model_figure *figure_of(const struct drivers *drivers, size_t target)
{
    const struct plan *plan = drivers->plan;
    return &plan->figures[plan->kept[plan->study.targets[target].kept]];
}

/* --- text --- */

/* What people call an index, and what it says, in one line. */
struct index_name {
    const char *index, *title, *meaning;
    bool has_unit; /* that of the figure; else it is a share, or the like */
};

static const struct index_name index_names[] = {
    {"st", "total effect (st)", "share of the variance left once all others are known", false},
    {"shapley", "Shapley effect", "its fair share of the variance; those of all add up to 1", false},
    {"mu_star", "mean effect (mu_star)", "mean size of the change over its whole distribution", true},
    {"swing", "swing", "the figure with it at its high end less at its low end", true},
    {"dgsm_bound", "bound (dgsm_bound)", "its total effect is at most this", false},
    {"delta", "delta", "how far it shifts the figure's distribution: 0 not at all, 1 wholly", false},
    {"s1", "first-order effect (s1)", "share of the variance explained by it alone", false},
};

static const struct index_name *find_name(const char *index)
{
    size_t at = 0;
    while (strcmp(index_names[at].index, index) != 0) at++;
    return &index_names[at];
}

static const struct model_measure *measure_at(const struct drivers *drivers, size_t target)
{
    return &drivers->plan->model->measures[figure_of(drivers, target)->measure];
}

static void format(const struct index_name *index, double scale, double value, char text[AMOUNT_BYTES])
{
    amount_fixed(index->has_unit ? scale * value : value, index->has_unit ? amount_decimals(scale * value, 4) : 3,
                 text);
}

static void write_driver(const char *name, const struct driver *driver, const char *index, double scale,
                         struct buffer *out)
{
    char value[AMOUNT_BYTES], low[AMOUNT_BYTES], high[AMOUNT_BYTES];
    const struct index_name *named = find_name(index);
    format(named, scale, driver->value, value);
    format(named, scale, driver->low, low);
    format(named, scale, driver->high, high);
    word_print(out, "  %-36s %12s", name, value);
    if (!isnan(driver->low)) word_print(out, "  (%.100s to %.100s)", low, high);
    word_print(out, "\n");
}

static void write_others(const struct drivers *drivers, size_t chief, struct buffer *out)
{
    bool begun = false;
    for (size_t at = 0; at < drivers->plan->study.target_count; at++) {
        if (!differs(drivers, chief, at)) continue;
        if (!begun) word_print(out, "  another leads in\n");
        word_print(out, "    %-26.26s %s\n", area_of(drivers, at)->name,
                   sensitivity_parameter(drivers->plan, drivers->findings[at].top[0].dimension));
        begun = true;
    }
}

/* A derivative is of no parameter whose values come in steps. */
static bool has_index(const struct drivers *drivers, uint32_t dimension)
{
    const struct sweep *sweep = drivers->plan->sweep;
    enum distribution_kind kind = sweep->parameters[sweep_parameter_of(sweep, dimension)].distribution.kind;
    return sweep->method != DESIGN_DERIVATIVE || distribution_scale(kind) != SCALE_NONE;
}

/* Why a list of drivers is empty. */
static const char *why_none(const struct drivers *drivers, const struct finding *finding)
{
    if (finding->defined == 0) return "it is undefined in every draw";
    const bool is_delta = strcmp(drivers->index, "delta") == 0;
    if (is_delta && finding->defined < STUDY_DELTA_RUNS) return "it is defined in too few draws for delta";
    for (uint32_t at = 0; at < drivers->plan->study.dimensions; at++)
        if (has_index(drivers, at)) return "it does not vary";
    return "no parameter has a derivative";
}

static size_t count_first(const struct finding *finding)
{
    return finding->count < AREA_TOP ? finding->count : AREA_TOP;
}

/* Whether the same parameters come first in both, in the same order. */
static bool is_alike(const struct finding *left, const struct finding *right)
{
    bool alike = count_first(left) == count_first(right);
    for (size_t place = 0; alike && place < count_first(left); place++)
        alike = left->top[place].dimension == right->top[place].dimension;
    return alike;
}

static void write_first(const struct drivers *drivers, const struct finding *finding, struct buffer *out)
{
    word_print(out, "  by area");
    for (size_t place = 0; place < count_first(finding); place++)
        word_print(out, "%s %s", place ? "," : ":",
                   sensitivity_parameter(drivers->plan, finding->top[place].dimension));
    word_print(out, "\n");
}

/* With a single figure to tell about, every other area has a line of its own, under a head that names the first three
 * parameters wherever they are others than in the area before. */
static void write_areas(const struct drivers *drivers, double scale, struct buffer *out)
{
    const struct index_name *index = find_name(drivers->index);
    for (size_t at = 1; at < drivers->plan->study.target_count; at++) {
        const struct finding *finding = &drivers->findings[at];
        if (at == 1 || !is_alike(finding, &drivers->findings[at - 1])) write_first(drivers, finding, out);
        word_print(out, "    %-26.26s", area_of(drivers, at)->name);
        if (finding->count == 0) word_print(out, "  nothing: %s", why_none(drivers, finding));
        for (size_t place = 0; place < count_first(finding); place++) {
            char value[AMOUNT_BYTES];
            format(index, scale, finding->top[place].value, value);
            word_print(out, "  %8.100s", value);
        }
        word_print(out, "\n");
    }
}

/* The mean, and how sure it is. */
static void write_verdict(const struct drivers *drivers, const struct finding *finding, struct amount_unit unit,
                          struct buffer *out)
{
    char mean[AMOUNT_BYTES], low[AMOUNT_BYTES], high[AMOUNT_BYTES], known[AMOUNT_BYTES];
    const struct driver *of = &finding->mean;
    const double half_width = drivers_half_width(finding);
    if (isnan(of->value)) return;
    const double value = unit.scale * of->value, error = unit.scale * (of->high - of->low) / 2;
    const int most = amount_decimals(value, 7), decimals = error > 0 ? amount_decimals(error, 2) : most;
    amount_fixed(value, decimals < most ? decimals : most, mean);
    amount_fixed(unit.scale * of->low, decimals < most ? decimals : most, low);
    amount_fixed(unit.scale * of->high, decimals < most ? decimals : most, high);
    word_print(out, "  mean %.100s%s%s", mean, *unit.name ? " " : "", unit.name);
    if (isnan(of->low))
        word_print(out, ", of which no interval can be given: %s\n",
                   finding->summed < finding->defined ? "values of 1e140 and more" : "fewer than two replicates");
    else if (strcmp(low, high) == 0) word_print(out, "\n");
    else word_print(out, " (%.4g %% interval %.100s to %.100s)\n", 100 * drivers->confidence, low, high);
    if (isnan(half_width)) return;
    amount_percent(half_width, known);
    word_print(out,
               half_width <= DRIVERS_SETTLED ? "  settled: known to %s\n"
                                             : "  not settled: known to %s; more draws narrow it\n",
               known);
}

/* What the list that follows leaves out. */
static void write_limits(const struct drivers *drivers, const struct finding *finding, struct buffer *out)
{
    for (uint32_t at = 0; at < drivers->plan->study.dimensions; at++)
        if (!has_index(drivers, at))
            word_print(out, "  no derivative by %s: its values come in steps\n",
                       sensitivity_parameter(drivers->plan, (int)at));
    if (drivers->index && finding->count == 0) word_print(out, "  nothing: %s\n", why_none(drivers, finding));
    else if (finding->defined < drivers->draws)
        word_print(out, "  of the %.3g %% of draws in which it is defined\n",
                   100 * (double)finding->defined / (double)drivers->draws);
}

/* Which figure, and what is told of it. */
static void write_head(const struct drivers *drivers, size_t target, struct amount_unit unit, struct buffer *out)
{
    const struct finding *finding = &drivers->findings[target];
    char column[PLAN_COLUMN_NAME_BYTES];
    plan_column_name(drivers->plan, drivers->plan->study.targets[target].column, column, sizeof column);
    word_print(out, "\n%s, %s, %s\n", measure_at(drivers, target)->name, column, area_of(drivers, target)->name);
    if (!drivers->index) {
        word_print(out, "how sure it is\n");
        return;
    }
    const struct index_name *index = find_name(drivers->index);
    word_print(out, "what drives it, by %s", index->title);
    if (index->has_unit && *unit.name) word_print(out, " in %s", unit.name);
    if (finding->count > 0 && !isnan(finding->top[0].low))
        word_print(out, ", with %.4g %% intervals", 100 * drivers->confidence);
    word_print(out, "\n");
}

static void write_finding(const struct drivers *drivers, size_t target, struct buffer *out)
{
    const struct finding *finding = &drivers->findings[target];
    const struct amount_unit unit = amount_unit(measure_at(drivers, target)->unit);
    write_head(drivers, target, unit, out);
    write_limits(drivers, finding, out);
    for (size_t at = 0; at < finding->count; at++)
        write_driver(sensitivity_parameter(drivers->plan, finding->top[at].dimension), &finding->top[at],
                     drivers->index, unit.scale, out);
    if (finding->floor.dimension >= 0) {
        char name[64];
        snprintf(name, sizeof name, "by chance alone (%s of a dummy)", finding->floor_index);
        write_driver(name, &finding->floor, finding->floor_index, unit.scale, out);
    }
    write_verdict(drivers, finding, unit, out);
    bool alone = count_chief(drivers) == 1 && drivers->plan->study.target_count <= AREAS_MAX;
    if (alone && drivers->index) write_areas(drivers, unit.scale, out);
    else write_others(drivers, target, out);
}

/* What the indices of the tables above mean, each once. */
static void write_legend(const struct drivers *drivers, struct buffer *out)
{
    const char *floor = NULL;
    bool ranked = false;
    for (size_t at = 0; at < count_chief(drivers); at++) {
        ranked = ranked || drivers->findings[at].count > 0;
        if (drivers->findings[at].floor.dimension >= 0) floor = drivers->findings[at].floor_index;
    }
    if (!ranked) return;
    const struct index_name *index = find_name(drivers->index);
    word_print(out, "\n%s: %s\n", index->title, index->meaning);
    if (!floor || strcmp(floor, index->index) == 0) return;
    index = find_name(floor);
    word_print(out, "%s: %s\n", index->title, index->meaning);
}

/* The value at a bound of the box; the ends of a distribution are no bounds. */
static double bound_of(const struct drivers *drivers, uint32_t dimension, double share)
{
    return share > 0 && share < 1 ? design_value(drivers->design, dimension, share) : NAN;
}

static void write_bounds(const struct drivers *drivers, uint32_t dimension, struct buffer *out)
{
    double low = bound_of(drivers, dimension, drivers->box.low[dimension]);
    double high = bound_of(drivers, dimension, drivers->box.high[dimension]);
    if (isnan(low) && isnan(high)) return;
    word_print(out, "  %-36s ", sensitivity_parameter(drivers->plan, (int)dimension));
    char above[AMOUNT_BYTES], below[AMOUNT_BYTES];
    amount_text(low, 4, above);
    amount_text(high, 4, below);
    if (isnan(high)) word_print(out, "above %s\n", above);
    else if (isnan(low)) word_print(out, "below %s\n", below);
    else word_print(out, "%.200s to %.200s\n", above, below);
}

static void write_failures(const struct drivers *drivers, struct buffer *out)
{
    const struct failure_box *box = &drivers->box;
    char runs[32], volume[AMOUNT_BYTES];
    progress_count(box->runs, runs, sizeof runs);
    word_print(out, "\n%s run%s failed", runs, box->runs == 1 ? "" : "s");
    if (!box->stands_out) {
        word_print(out, ", in no region of the parameters more than elsewhere\n");
        return;
    }
    word_print(out, ", at least %.3g %% of them in ", 100 * box->share);
    if (isnan(box->volume)) word_print(out, "this region of the parameters:\n");
    else amount_text(100 * box->volume, 3, volume), word_print(out, "%s %% of the parameters' distribution:\n", volume);
    for (uint32_t at = 0; at < drivers->plan->study.dimensions; at++) write_bounds(drivers, at, out);
}

void drivers_write(const struct drivers *drivers, struct buffer *out)
{
    for (size_t at = 0; at < count_chief(drivers); at++) write_finding(drivers, at, out);
    write_legend(drivers, out);
    if (drivers->failed) write_failures(drivers, out);
}

/* --- JSON --- */

static json_t *describe_driver(const struct drivers *drivers, const struct driver *driver)
{
    json_t *object = json_object();
    if (driver->dimension >= 0)
        json_object_set_new(object, "parameter", json_string(sensitivity_parameter(drivers->plan, driver->dimension)));
    json_object_set_new(object, "estimate", amount_json(driver->value));
    json_object_set_new(object, "low", amount_json(driver->low));
    json_object_set_new(object, "high", amount_json(driver->high));
    return object;
}

static json_t *describe_floor(const struct drivers *drivers, const struct finding *finding)
{
    if (finding->floor.dimension < 0) return json_null();
    json_t *object = describe_driver(drivers, &finding->floor);
    json_object_set_new(object, "index", json_string(finding->floor_index));
    return object;
}

static json_t *list_top(const struct drivers *drivers, const struct finding *finding)
{
    json_t *list = json_array();
    for (size_t at = 0; at < finding->count; at++)
        json_array_append_new(list, describe_driver(drivers, &finding->top[at]));
    return list;
}

static json_t *list_others(const struct drivers *drivers, size_t chief)
{
    json_t *list = json_array();
    for (size_t at = 0; at < drivers->plan->study.target_count; at++) {
        if (!differs(drivers, chief, at)) continue;
        json_t *object = describe_driver(drivers, &drivers->findings[at].top[0]);
        json_object_set_new(object, "area_code", json_string(area_of(drivers, at)->code));
        json_object_set_new(object, "area", json_string(area_of(drivers, at)->name));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *describe_mean(const struct drivers *drivers, const struct finding *finding)
{
    if (isnan(finding->mean.value)) return json_null();
    double half_width = drivers_half_width(finding);
    json_t *object = describe_driver(drivers, &finding->mean);
    json_object_set_new(object, "relative_half_width", amount_json(half_width));
    json_object_set_new(object, "settled", json_boolean(half_width <= DRIVERS_SETTLED));
    return object;
}

/* As rollup.csv has it. */
static json_t *describe_year(uint32_t year)
{
    return year == MODEL_YEAR_ALL ? json_string("all") : json_sprintf("%u", (unsigned)year);
}

static json_t *describe_finding(const struct drivers *drivers, size_t target)
{
    const struct finding *finding = &drivers->findings[target];
    char column[PLAN_COLUMN_NAME_BYTES];
    plan_column_name(drivers->plan, drivers->plan->study.targets[target].column, column, sizeof column);
    json_t *object = json_object();
    json_object_set_new(object, "scenario", json_string(column));
    json_object_set_new(object, "area_code", json_string(area_of(drivers, target)->code));
    json_object_set_new(object, "area", json_string(area_of(drivers, target)->name));
    json_object_set_new(object, "measure", json_string(measure_at(drivers, target)->name));
    json_object_set_new(object, "unit", json_string(measure_at(drivers, target)->unit));
    json_object_set_new(object, "year", describe_year(figure_of(drivers, target)->year));
    json_object_set_new(object, "index", drivers->index ? json_string(drivers->index) : json_null());
    json_object_set_new(object, "top", list_top(drivers, finding));
    json_object_set_new(object, "floor", describe_floor(drivers, finding));
    json_object_set_new(object, "elsewhere", list_others(drivers, target));
    json_object_set_new(object, "mean", describe_mean(drivers, finding));
    json_object_set_new(object, "defined", json_integer((json_int_t)finding->defined));
    return object;
}

static json_t *list_bounds(const struct drivers *drivers)
{
    json_t *list = json_array();
    for (uint32_t at = 0; at < drivers->plan->study.dimensions && drivers->box.stands_out; at++) {
        double low = bound_of(drivers, at, drivers->box.low[at]), high = bound_of(drivers, at, drivers->box.high[at]);
        if (isnan(low) && isnan(high)) continue;
        json_t *object = json_object();
        json_object_set_new(object, "parameter", json_string(sensitivity_parameter(drivers->plan, (int)at)));
        json_object_set_new(object, "low", amount_json(low));
        json_object_set_new(object, "high", amount_json(high));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *describe_failures(const struct drivers *drivers)
{
    json_t *object = json_object();
    json_object_set_new(object, "runs", json_integer((json_int_t)drivers->box.runs));
    json_object_set_new(object, "region", json_boolean(drivers->box.stands_out));
    json_object_set_new(object, "share_of_failures", amount_json(drivers->box.share));
    json_object_set_new(object, "share_of_volume", amount_json(drivers->box.volume));
    json_object_set_new(object, "bounds", list_bounds(drivers));
    return object;
}

void drivers_describe(const struct drivers *drivers, json_t *object)
{
    json_t *list = json_array();
    for (size_t at = 0; at < count_chief(drivers); at++) json_array_append_new(list, describe_finding(drivers, at));
    json_object_set_new(object, "confidence", json_real(drivers->confidence));
    json_object_set_new(object, "drivers", list);
    if (drivers->failed) json_object_set_new(object, "failed", describe_failures(drivers));
}
