#include "drivers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distribution.h"
#include "estimate.h"
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
    if (strcmp(row->index, "mean") == 0) finding->mean = driver;
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

static const char *measure_of(const struct drivers *drivers, size_t target)
{
    return drivers->plan->model->measures[figure_of(drivers, target)->measure].name;
}

/* --- text --- */

/* Shares of a variance and the like have so many decimals; differences of a figure have its unit. */
static void format(const char *index, double value, char text[32])
{
    bool has_unit = strcmp(index, "mu_star") == 0 || strcmp(index, "swing") == 0;
    snprintf(text, 32, has_unit ? "%.4g" : "%.3f", value);
    if (strcmp(text, "-0.000") == 0) snprintf(text, 32, "0.000");
}

static void write_driver(const char *name, const struct driver *driver, const char *index, struct buffer *out)
{
    char value[32], low[32], high[32];
    format(index, driver->value, value);
    format(index, driver->low, low);
    format(index, driver->high, high);
    word_print(out, "  %-36s %12s", name, value);
    if (!isnan(driver->low)) word_print(out, "  (%s to %s)", low, high);
    word_print(out, "\n");
}

static void write_others(const struct drivers *drivers, size_t chief, struct buffer *out)
{
    bool begun = false;
    for (size_t at = 0; at < drivers->plan->study.target_count; at++) {
        if (!differs(drivers, chief, at)) continue;
        word_print(out, "%s %s (%s)", begun ? "," : "  another leads in", area_of(drivers, at)->name,
                   sensitivity_parameter(drivers->plan, drivers->findings[at].top[0].dimension));
        begun = true;
    }
    if (begun) word_print(out, "\n");
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
    for (uint32_t at = 0; at < drivers->plan->study.dimensions; at++)
        if (has_index(drivers, at)) return "it does not vary";
    return "no parameter has a derivative";
}

/* With a single figure to tell about, every other area has a line of its own. */
static void write_areas(const struct drivers *drivers, struct buffer *out)
{
    if (drivers->plan->study.target_count > 1) word_print(out, "  by area, the first three\n");
    for (size_t at = 1; at < drivers->plan->study.target_count; at++) {
        const struct finding *finding = &drivers->findings[at];
        word_print(out, "    %-26.26s", area_of(drivers, at)->name);
        if (finding->count == 0) word_print(out, " nothing: %s", why_none(drivers, finding));
        for (size_t place = 0; place < finding->count && place < AREA_TOP; place++) {
            char value[32];
            format(drivers->index, finding->top[place].value, value);
            word_print(out, "%s %s %s", place ? "," : "",
                       sensitivity_parameter(drivers->plan, finding->top[place].dimension), value);
        }
        word_print(out, "\n");
    }
}

/* One line on how sure the mean is. */
static void write_verdict(const struct drivers *drivers, const struct finding *finding, struct buffer *out)
{
    double half_width = drivers_half_width(finding), percent = 100 * drivers->confidence;
    if (isnan(finding->mean.value)) return;
    if (isnan(half_width))
        word_print(out, "  mean %.5g, of which no interval can be given%s\n", finding->mean.value,
                   isnan(finding->mean.low) ? ": fewer than two replicates" : " as a share of it");
    else
        word_print(out, "  mean %.5g, known to %.2g %% (%.4g %% interval): %s\n", finding->mean.value, 100 * half_width,
                   percent, half_width <= DRIVERS_SETTLED ? "settled" : "not settled; more draws narrow it");
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

static void write_finding(const struct drivers *drivers, size_t target, struct buffer *out)
{
    const struct finding *finding = &drivers->findings[target];
    char column[PLAN_COLUMN_NAME_BYTES];
    plan_column_name(drivers->plan, drivers->plan->study.targets[target].column, column, sizeof column);
    word_print(out, "\n%s, %s, %s: %s", measure_of(drivers, target), column, area_of(drivers, target)->name,
               drivers->index ? "what drives it" : "how sure it is");
    if (drivers->index) word_print(out, ", by %s", drivers->index);
    if (finding->count > 0 && !isnan(finding->top[0].low))
        word_print(out, " (%.4g %% interval)", 100 * drivers->confidence);
    word_print(out, "\n");
    write_limits(drivers, finding, out);
    for (size_t at = 0; at < finding->count; at++)
        write_driver(sensitivity_parameter(drivers->plan, finding->top[at].dimension), &finding->top[at],
                     drivers->index, out);
    if (finding->floor.dimension >= 0) {
        char name[64];
        snprintf(name, sizeof name, "by chance alone (%s of a dummy)", finding->floor_index);
        write_driver(name, &finding->floor, finding->floor_index, out);
    }
    write_verdict(drivers, finding, out);
    bool alone = count_chief(drivers) == 1 && drivers->plan->study.target_count <= AREAS_MAX;
    if (alone && drivers->index) write_areas(drivers, out);
    else write_others(drivers, target, out);
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
    if (isnan(high)) word_print(out, "above %.4g\n", low);
    else if (isnan(low)) word_print(out, "below %.4g\n", high);
    else word_print(out, "%.4g to %.4g\n", low, high);
}

static void write_failures(const struct drivers *drivers, struct buffer *out)
{
    const struct failure_box *box = &drivers->box;
    word_print(out, "\n%llu runs failed", (unsigned long long)box->runs);
    if (!box->stands_out) {
        word_print(out, ", in no region of the parameters more than elsewhere\n");
        return;
    }
    word_print(out, ", at least %.3g %% of them in %.3g %% of the parameters' distribution:\n", 100 * box->share,
               100 * box->volume);
    for (uint32_t at = 0; at < drivers->plan->study.dimensions; at++) write_bounds(drivers, at, out);
}

void drivers_write(const struct drivers *drivers, struct buffer *out)
{
    for (size_t at = 0; at < count_chief(drivers); at++) write_finding(drivers, at, out);
    if (drivers->failed) write_failures(drivers, out);
}

/* --- JSON --- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *describe_driver(const struct drivers *drivers, const struct driver *driver)
{
    json_t *object = json_object();
    if (driver->dimension >= 0)
        json_object_set_new(object, "parameter", json_string(sensitivity_parameter(drivers->plan, driver->dimension)));
    json_object_set_new(object, "estimate", number(driver->value));
    json_object_set_new(object, "low", number(driver->low));
    json_object_set_new(object, "high", number(driver->high));
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
    json_object_set_new(object, "relative_half_width", number(half_width));
    json_object_set_new(object, "settled", json_boolean(half_width <= DRIVERS_SETTLED));
    return object;
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
    json_object_set_new(object, "measure", json_string(measure_of(drivers, target)));
    json_object_set_new(object, "year", json_integer(figure_of(drivers, target)->year));
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
        json_object_set_new(object, "low", number(low));
        json_object_set_new(object, "high", number(high));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *describe_failures(const struct drivers *drivers)
{
    json_t *object = json_object();
    json_object_set_new(object, "runs", json_integer((json_int_t)drivers->box.runs));
    json_object_set_new(object, "region", json_boolean(drivers->box.stands_out));
    json_object_set_new(object, "share_of_failures", number(drivers->box.share));
    json_object_set_new(object, "share_of_volume", number(drivers->box.volume));
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
