#include "analysis.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "design.h"
#include "study.h"
#include "words.h"

static const char *const side_names[] = {"above", "at_least", "below", "at_most"};
static const char *const area_names[] = {"england", "region", "local_authority", "school"};

static double read_number(struct reader *reader, const struct yaml_node *node, const char *what, double low,
                          double high)
{
    double value = 0;
    bool number = node->kind == YAML_SCALAR && word_number(node->text, &value);
    if (number && value > low && value < high) return value;
    if (isinf(low) && isinf(high)) fault(reader, node, "%s is %.32s; allowed is a number", what, kind_name(node));
    else if (isinf(high))
        fault(reader, node, "%s is %.32s; allowed is a number above %.12g", what, kind_name(node), low);
    else
        fault(reader, node, "%s is %.32s; allowed is a number above %.12g and below %.12g", what, kind_name(node), low,
              high);
    return 0;
}

static bool read_switch(struct reader *reader, const struct yaml_node *node, const char *what)
{
    if (node->kind == YAML_SCALAR && word_matches(node->text, "true")) return true;
    if (node->kind != YAML_SCALAR || !word_matches(node->text, "false"))
        fault(reader, node, "`%s` is %.32s; allowed are true and false", what, kind_name(node));
    return false;
}

static const struct yaml_node *need(struct reader *reader, const struct yaml_node *mapping, const char *what,
                                    const char *key)
{
    const struct yaml_node *value = value_of(mapping, key);
    if (!value) fault(reader, mapping, "%s needs `%s`", what, key);
    return value;
}

/* --- design --- */

void analysis_read_design(struct reader *reader, const struct yaml_node *design)
{
    struct sweep *sweep = reader->sweep;
    const struct yaml_node *replicates = value_of(design, "replicates"), *levels = value_of(design, "levels");
    const struct yaml_node *second = value_of(design, "second_order");
    if (replicates) {
        sweep->groups = (uint32_t)read_whole(reader, replicates, "replicates", 1, SWEEP_GROUPS_MAX);
        if ((sweep->groups & (sweep->groups - 1)) != 0)
            fault(reader, replicates, "replicates is %.32s; allowed is a power of two from 1 to %d",
                  kind_name(replicates), SWEEP_GROUPS_MAX);
    }
    if (levels) sweep->design_levels = (uint32_t)read_whole(reader, levels, "levels", 2, SWEEP_LEVELS_MAX);
    if (second && read_switch(reader, second, "second_order")) sweep->study.extras |= STUDY_SECOND_ORDER;
}

/* --- thresholds --- */

static void read_year(struct reader *reader, const struct yaml_node *node, struct sweep_threshold *threshold)
{
    if (node->kind == YAML_SCALAR && word_matches(node->text, "all")) threshold->year = MODEL_YEAR_ALL;
    else threshold->year = (uint32_t)read_whole(reader, node, "the year of a threshold", 1, reader->sweep->years);
}

/* {measure: M, above: X}, or another side; a year where the measure has years. */
static void read_threshold(struct reader *reader, const struct yaml_node *node, const char *what,
                           struct sweep_threshold *threshold)
{
    static const char *const keys[] = {"measure", "year", "above", "at_least", "below", "at_most"};
    if (!expect_mapping(reader, node, what, keys, COUNT_OF(keys))) return;
    const struct yaml_node *measure = need(reader, node, what, "measure"), *year = value_of(node, "year");
    if (!measure) return;
    int found = find_measure(reader, measure);
    if (found >= 0)
        snprintf(threshold->measure, sizeof threshold->measure, "%s", reader->out->model->measures[found].name);
    if (year) read_year(reader, year, threshold);
    size_t sides = 0;
    for (size_t side = 0; side < COUNT_OF(side_names); side++) {
        const struct yaml_node *value = value_of(node, side_names[side]);
        if (!value) continue;
        sides++;
        threshold->side = (enum threshold_side)side;
        threshold->value = read_number(reader, value, side_names[side], -INFINITY, INFINITY);
    }
    if (sides != 1) fault(reader, node, "%s needs one of above, at_least, below, at_most, with a number", what);
}

static uint32_t read_thresholds(struct reader *reader, const struct yaml_node *node, const char *what,
                                struct sweep_threshold *thresholds)
{
    uint32_t count = 0;
    if (node->kind != YAML_SEQUENCE || node->count == 0 || node->count > SWEEP_THRESHOLDS_MAX) {
        fault(reader, node, "`%s` must be a list of 1 to %d thresholds, such as [{measure: bcr, above: 1}]", what,
              SWEEP_THRESHOLDS_MAX);
        return 0;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next)
        read_threshold(reader, item, what, &thresholds[count++]);
    return count;
}

void analysis_read_outputs(struct reader *reader, const struct yaml_node *outputs)
{
    struct sweep *sweep = reader->sweep;
    const struct yaml_node *draws = value_of(outputs, "draws"), *exceed = value_of(outputs, "exceed");
    if (exceed) sweep->threshold_count = read_thresholds(reader, exceed, "exceed", sweep->thresholds);
    if (!draws) return;
    if (draws->kind == YAML_SCALAR && word_matches(draws->text, "keep")) sweep->keep_draws = 1;
    else fault(reader, draws, "`draws` of the outputs is %.32s; allowed is keep", kind_name(draws));
}

/* --- correlations --- */

static int order_pairs(const void *left, const void *right)
{
    const struct sweep_correlation *a = left, *b = right;
    if (a->left != b->left) return a->left < b->left ? -1 : 1;
    return (a->right > b->right) - (a->right < b->right);
}

static bool is_drawn(const struct sweep *sweep, uint32_t parameter)
{
    return sweep->parameters[parameter].distribution.kind != DISTRIBUTION_FIXED;
}

static void add_correlation(struct reader *reader, const struct yaml_node *node, int left, int right, double rank)
{
    struct sweep *sweep = reader->sweep;
    struct sweep_correlation pair = {(uint32_t)(left < right ? left : right), (uint32_t)(left < right ? right : left),
                                     rank};
    if (left == right) fault(reader, node, "a correlation of `%s` with itself", sweep->parameters[left].name);
    for (uint32_t at = 0; at < sweep->correlation_count; at++)
        if (order_pairs(&sweep->correlations[at], &pair) == 0)
            fault(reader, node, "the correlation of `%s` and `%s` is given twice", sweep->parameters[pair.left].name,
                  sweep->parameters[pair.right].name);
    for (int at = 0; at < 2; at++) {
        const struct sweep_parameter *parameter = &sweep->parameters[at ? right : left];
        if (parameter->distribution.kind == DISTRIBUTION_FIXED)
            fault(reader, node,
                  "`%s` is not drawn, so it cannot be correlated; give it a distribution under `uncertain`",
                  parameter->name);
    }
    if (rank != 0 && !reader->failed) sweep->correlations[sweep->correlation_count++] = pair;
}

static void read_correlation(struct reader *reader, const struct yaml_node *node)
{
    if (node->kind != YAML_SEQUENCE || node->count != 3) {
        fault(reader, node, "a correlation must be [PARAMETER, PARAMETER, RANK CORRELATION]");
        return;
    }
    const struct yaml_node *first = node->first, *second = first->next, *third = second->next;
    int left = find_parameter(reader, first), right = left < 0 ? -1 : find_parameter(reader, second);
    double rank = read_number(reader, third, "a rank correlation", -1, 1);
    if (left >= 0 && right >= 0) add_correlation(reader, node, left, right, rank);
}

static void read_correlations(struct reader *reader, const struct yaml_node *node)
{
    struct sweep *sweep = reader->sweep;
    if (node->kind != YAML_SEQUENCE || node->count > SWEEP_CORRELATIONS_MAX) {
        fault(reader, node,
              "`correlations` must be a list of at most %d, each [PARAMETER, PARAMETER, RANK CORRELATION]",
              SWEEP_CORRELATIONS_MAX);
        return;
    }
    for (const struct yaml_node *item = node->first; item; item = item->next) read_correlation(reader, item);
    qsort(sweep->correlations, sweep->correlation_count, sizeof *sweep->correlations, order_pairs);
}

/* --- sensitivity --- */

static bool is_kept(const struct sweep *sweep, const char *measure)
{
    for (uint32_t at = 0; at < sweep->measure_count; at++)
        if (strcmp(sweep->measures[at], measure) == 0) return true;
    return sweep->measure_count == 0;
}

/* In the order of the model, so that the same study is the same sweep. */
static void add_study_measure(struct reader *reader, const struct yaml_node *node, const char *name)
{
    const struct model *model = reader->out->model;
    struct sweep_study *study = &reader->sweep->study;
    char asked[SWEEP_THRESHOLDS_MAX + 1][32];
    uint32_t count = 0;
    if (!is_kept(reader->sweep, name))
        fault(reader, node, "`%s` is to be studied, but the measures of `outputs` leave it out; name it there too",
              name);
    for (size_t at = 0; at < model->measure_count; at++) {
        bool wanted = strcmp(model->measures[at].name, name) == 0;
        for (uint32_t old = 0; old < study->measure_count; old++)
            wanted = wanted || strcmp(model->measures[at].name, study->measures[old]) == 0;
        if (wanted) snprintf(asked[count++], sizeof asked[0], "%s", model->measures[at].name);
        if (count > SWEEP_THRESHOLDS_MAX) {
            fault(reader, node, "more than %d measures are studied; leave some out", SWEEP_THRESHOLDS_MAX);
            return;
        }
    }
    study->measure_count = count;
    memcpy(study->measures, asked, count * sizeof asked[0]);
    if (study->levels == 0)
        study->levels = reader->sweep->levels & (1u << AREA_ENGLAND | 1u << AREA_REGION)
                            ? reader->sweep->levels & (1u << AREA_ENGLAND | 1u << AREA_REGION)
                            : reader->sweep->levels;
}

static void read_study_measures(struct reader *reader, const struct yaml_node *node)
{
    if (node->kind != YAML_SEQUENCE || node->count == 0) {
        fault(reader, node, "the measures of `sensitivity` must be a list, such as [exchequer_ratio]");
        return;
    }
    for (const struct yaml_node *item = node->first; item && !reader->failed; item = item->next) {
        int at = find_measure(reader, item);
        if (at >= 0) add_study_measure(reader, item, reader->out->model->measures[at].name);
    }
}

static void read_sensitivity(struct reader *reader, const struct yaml_node *node)
{
    static const char *const keys[] = {"measures", "areas", "second_order", "delta"};
    struct sweep *sweep = reader->sweep;
    if (node->kind == YAML_SEQUENCE) {
        read_study_measures(reader, node);
        return;
    }
    if (node->kind == YAML_SCALAR)
        fault(reader, node,
              "`sensitivity` is %.64s; allowed is a list of measures, such as [exchequer_ratio], or a mapping",
              kind_name(node));
    if (!expect_mapping(reader, node, "`sensitivity`", keys, COUNT_OF(keys))) return;
    const struct yaml_node *measures = need(reader, node, "`sensitivity`", "measures");
    const struct yaml_node *areas = value_of(node, "areas"), *second = value_of(node, "second_order");
    const struct yaml_node *delta = value_of(node, "delta");
    if (areas) sweep->study.levels = read_bits(reader, areas, "areas", area_names, COUNT_OF(area_names));
    if (areas && sweep->study.levels & ~sweep->levels)
        fault(reader, areas, "`sensitivity` asks for areas that `outputs` leaves out");
    if (measures) read_study_measures(reader, measures);
    if (second && read_switch(reader, second, "second_order")) sweep->study.extras |= STUDY_SECOND_ORDER;
    if (delta && read_switch(reader, delta, "delta")) sweep->study.extras |= STUDY_DELTA;
}

/* --- stop --- */

static enum area_level level_of_code(const char *code)
{
    if (strcmp(code, "E92000001") == 0) return AREA_ENGLAND;
    if (strncmp(code, "E1200000", 8) == 0 && code[8] >= '1' && code[8] <= '9' && code[9] == '\0') return AREA_REGION;
    return strlen(code) == 3 ? AREA_AUTHORITY : AREA_SCHOOL;
}

static void read_stop_area(struct reader *reader, const struct yaml_node *rule, struct sweep_stop *stop)
{
    struct sweep *sweep = reader->sweep;
    const struct yaml_node *node = value_of(rule, "area");
    const char *code = !node ? "E92000001" : node->kind == YAML_SCALAR ? node->text : "";
    uint32_t level = 1u << level_of_code(code);
    snprintf(stop->area_code, sizeof stop->area_code, "%.15s", code);
    bool known = code[0] != '\0' && strlen(code) < sizeof stop->area_code && sweep->levels & level;
    if (known) sweep->study.levels |= level;
    else if (node)
        fault(reader, node,
              "the area of `stop` is %.32s; allowed is the code of an area in `outputs`, such as E92000001",
              kind_name(node));
    else fault(reader, rule, "`stop` looks at England, which `outputs` leaves out; name an `area`, such as E12000007");
}

static void read_stop_scenario(struct reader *reader, const struct yaml_node *node, struct sweep_stop *stop)
{
    const struct sweep *sweep = reader->sweep;
    stop->scenario = sweep->scenario_count > 1;
    if (!node) return;
    for (uint32_t at = 1; at < sweep->scenario_count; at++) {
        stop->scenario = at;
        if (node->kind == YAML_SCALAR && strcmp(sweep->scenarios[at].name, node->text) == 0) return;
    }
    fault(reader, node, "the scenario of `stop` is %.64s; allowed is one that is compared to the baseline",
          kind_name(node));
}

static void read_stop(struct reader *reader, const struct yaml_node *node)
{
    static const char *const keys[] = {"measure", "area", "scenario", "half_width", "top", "confidence"};
    struct sweep_stop *stop = &reader->sweep->stop;
    if (!expect_mapping(reader, node, "`stop`", keys, COUNT_OF(keys))) return;
    const struct yaml_node *measure = need(reader, node, "`stop`", "measure");
    const struct yaml_node *half = value_of(node, "half_width"), *top = value_of(node, "top");
    const struct yaml_node *confidence = value_of(node, "confidence");
    int found = measure ? find_measure(reader, measure) : -1;
    if (found < 0) return;
    snprintf(stop->measure, sizeof stop->measure, "%s", reader->out->model->measures[found].name);
    add_study_measure(reader, measure, stop->measure);
    read_stop_area(reader, node, stop);
    read_stop_scenario(reader, value_of(node, "scenario"), stop);
    stop->confidence = confidence ? read_number(reader, confidence, "confidence", 0, 1) : 0.95;
    if (!half == !top) {
        fault(reader, node,
              "`stop` needs either `half_width`, of the mean, or `top`, the drivers that must stand apart; not both");
        return;
    }
    stop->kind = half ? STOP_HALF_WIDTH : STOP_RANKING;
    if (half) stop->half_width = read_number(reader, half, "half_width", 0, INFINITY);
    else stop->top = (uint32_t)read_whole(reader, top, "top", 1, MODEL_PARAMETERS_MAX);
}

/* --- comparison and discovery --- */

static void read_compare(struct reader *reader, const struct yaml_node *node)
{
    static const char *const keys[] = {"regret", "best", "satisfice"};
    struct sweep *sweep = reader->sweep;
    if (!expect_mapping(reader, node, "`compare`", keys, COUNT_OF(keys))) return;
    const struct yaml_node *regret = value_of(node, "regret"), *best = value_of(node, "best");
    const struct yaml_node *satisfice = value_of(node, "satisfice");
    if (sweep->scenario_count < 2) fault(reader, node, "`compare` needs at least two scenarios");
    if (!regret && !satisfice) fault(reader, node, "`compare` needs `regret`, `satisfice` or both");
    int found = regret ? find_measure(reader, regret) : -1;
    if (found >= 0)
        snprintf(sweep->regret_measure, sizeof sweep->regret_measure, "%s", reader->out->model->measures[found].name);
    if (best && !regret) fault(reader, best, "`best` says which regret is meant; name the measure under `regret`");
    if (best && best->kind == YAML_SCALAR && word_matches(best->text, "lowest")) sweep->regret_lowest = 1;
    else if (best && !(best->kind == YAML_SCALAR && word_matches(best->text, "highest")))
        fault(reader, best, "`best` is %.32s; allowed are highest and lowest", kind_name(best));
    if (satisfice) sweep->satisfice_count = read_thresholds(reader, satisfice, "satisfice", sweep->satisfice);
}

/* Discovery looks at draws that are kept. */
static void read_discover(struct reader *reader, const struct yaml_node *node)
{
    struct sweep *sweep = reader->sweep;
    read_threshold(reader, node, "`discover`", &sweep->discover);
    if (reader->failed) return;
    if (sweep->discover.year != MODEL_YEAR_ALL)
        fault(reader, node, "`discover` looks at the figure of all years; leave `year` out");
    if (!(sweep->levels & 1u << AREA_ENGLAND))
        fault(reader, node, "`discover` looks at England, which the areas of `outputs` leave out");
    sweep->keep_draws = 1;
    add_study_measure(reader, node, sweep->discover.measure);
    sweep->study.levels |= 1u << AREA_ENGLAND;
}

/* What the file leaves to the defaults has no place of its own: its faults are shown where the first question is that
 * brings them about. */
static void note_places(struct reader *reader)
{
    static const char *const parts[SCENARIO_PARTS] = {
        [SCENARIO_DESIGN] = "design", [SCENARIO_OUTPUTS] = "outputs", [SCENARIO_CORRELATIONS] = "correlations",
        [SCENARIO_STOP] = "stop",     [SCENARIO_COMPARE] = "compare", [SCENARIO_STUDY] = "sensitivity"};
    static const char *const questions[] = {"sensitivity", "stop", "discover", "compare"};
    const struct yaml_node *first = NULL;
    for (size_t at = 0; at < COUNT_OF(questions) && !first; at++) first = value_of(reader->root, questions[at]);
    for (int part = 0; part < SCENARIO_PARTS; part++) {
        const struct yaml_node *node =
            part == SCENARIO_EXCEED ? value_in(reader, "outputs", "exceed") : value_of(reader->root, parts[part]);
        reader->out->places[part] = place_of(node ? node : first);
    }
}

void analysis_read(struct reader *reader, const struct yaml_node *root)
{
    note_places(reader);
    const struct yaml_node *correlations = value_of(root, "correlations"), *sensitivity = value_of(root, "sensitivity");
    const struct yaml_node *stop = value_of(root, "stop"), *compare = value_of(root, "compare");
    const struct yaml_node *discover = value_of(root, "discover");
    if (correlations) read_correlations(reader, correlations);
    if (sensitivity) read_sensitivity(reader, sensitivity);
    if (stop) read_stop(reader, stop);
    if (compare) read_compare(reader, compare);
    if (discover) read_discover(reader, discover);
}

/* --- what follows from the rest --- */

#define SAMPLING "random, sobol, latin-hypercube, saltelli, derivative or shapley"

static bool has_levels(enum design_method method)
{
    return method == DESIGN_GRID || method == DESIGN_MORRIS;
}

static bool is_sampled(const struct sweep *sweep)
{
    return sweep_can_extend(sweep) || sweep->method == DESIGN_LATIN_HYPERCUBE;
}

/* A fault at a node, or at the design when the file does not have the node. */
static void refuse(struct reader *reader, const struct yaml_node *node, const char *what)
{
    const struct scenario_place place = node ? place_of(node) : reader->out->places[SCENARIO_DESIGN];
    fault_at(reader, place.line, place.column, "%s", what);
}

/* A detail that the design does not have: refused, but left out when the command line has put this design in the place
 * of the one that the detail was written for. */
static void drop_detail(struct reader *reader, const struct yaml_node *node, bool replaced, const char *key,
                        const char *designs)
{
    const char *name = design_method_names[reader->sweep->method];
    if (!node) return;
    if (replaced) note(reader, "--design %s leaves out `%s`, which is for %s", name, key, designs);
    else fault(reader, node, "the design %s has no `%s`; it is allowed with %s", name, key, designs);
}

static void check_details(struct reader *reader, bool replaced)
{
    struct sweep *sweep = reader->sweep;
    const struct yaml_node *second = value_in(reader, "design", "second_order");
    if (!second) second = value_in(reader, "sensitivity", "second_order");
    if (!has_levels(sweep->method)) {
        drop_detail(reader, value_in(reader, "design", "levels"), replaced, "levels", "grid or morris");
        sweep->design_levels = 0;
    } else if (sweep->design_levels == 0) {
        sweep->design_levels = ANALYSIS_LEVELS;
    }
    if (!is_sampled(sweep)) {
        drop_detail(reader, value_in(reader, "design", "replicates"), replaced, "replicates", SAMPLING);
        sweep->groups = 0;
    }
    if (sweep->study.extras & STUDY_SECOND_ORDER && sweep->method != DESIGN_SALTELLI) {
        drop_detail(reader, second, replaced, "second_order", "saltelli");
        sweep->study.extras &= ~(uint32_t)STUDY_SECOND_ORDER;
    }
}

static void fix_draws(struct reader *reader, const struct scenario_overrides *overrides)
{
    struct sweep *sweep = reader->sweep;
    bool given = overrides->draws || value_in(reader, "design", "draws");
    uint64_t asked = sweep->draws, own = design_draw_count(sweep);
    const struct scenario_place place = reader->out->places[SCENARIO_DESIGN];
    if (own == UINT64_MAX)
        fault_at(reader, place.line, place.column,
                 "a grid of %u levels in %u parameters has more than %" PRIu64
                 " draws; allowed are fewer levels, or fewer parameters under `uncertain`",
                 sweep->design_levels, sweep_dimensions(sweep), SWEEP_DRAWS_MAX);
    else if (own > 0) sweep->draws = own;
    if (sweep->method == DESIGN_MORRIS && !given) sweep->draws = ANALYSIS_TRAJECTORIES;
    bool any = sweep->method == DESIGN_POINT && overrides->design; /* any file can be run as a point */
    if (own && given && !any && asked != sweep->draws)
        note(reader, "the design %s has %" PRIu64 " draw%s; %" PRIu64 " were asked for",
             design_method_names[sweep->method], sweep->draws, sweep->draws == 1 ? "" : "s", asked);
}

static void drop_fixed_correlations(struct reader *reader)
{
    struct sweep *sweep = reader->sweep;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < sweep->correlation_count; at++) {
        struct sweep_correlation pair = sweep->correlations[at];
        if (is_drawn(sweep, pair.left) && is_drawn(sweep, pair.right)) sweep->correlations[kept++] = pair;
        else
            note(reader, "--set leaves out the correlation of `%s` and `%s`", sweep->parameters[pair.left].name,
                 sweep->parameters[pair.right].name);
    }
    sweep->correlation_count = kept;
}

static void check_stop(struct reader *reader)
{
    const struct sweep *sweep = reader->sweep;
    const struct yaml_node *stop = value_of(reader->root, "stop"), *top = value_in(reader, "stop", "top");
    if (sweep->stop.kind == STOP_NEVER) return;
    if (!sweep_can_extend(sweep))
        refuse(reader, stop,
               "`stop` needs a design that may end anywhere: random, sobol, saltelli, derivative or shapley");
    if (sweep->groups == 1) refuse(reader, stop, "`stop` needs intervals, and so at least 2 replicates");
    if (sweep->stop.kind != STOP_RANKING) return;
    if (sweep->method != DESIGN_SALTELLI && sweep->method != DESIGN_SHAPLEY)
        refuse(reader, top, "`stop` by `top` ranks drivers, which needs the design saltelli or shapley");
    if (sweep->stop.top >= sweep_dimensions(sweep))
        fault(reader, top, "`top` of `stop` is %u; allowed is fewer than the %u parameters that are drawn",
              sweep->stop.top, sweep_dimensions(sweep));
}

static void check_design(struct reader *reader)
{
    const struct sweep *sweep = reader->sweep;
    enum design_method method = sweep->method;
    const struct scenario_place study = reader->out->places[SCENARIO_STUDY];
    if (sweep_dimensions(sweep) == 0 && method != DESIGN_POINT && sweep->study.measure_count > 0)
        fault_at(reader, study.line, study.column,
                 "sensitivity to nothing: no parameter is drawn; give some a distribution under `uncertain`");
    if (sweep->study.extras & STUDY_DELTA && !is_sampled(sweep))
        refuse(reader, value_in(reader, "sensitivity", "delta"), "delta needs a design that samples: " SAMPLING);
    if (sweep->correlation_count > 0 && method == DESIGN_SALTELLI)
        refuse(reader, value_of(reader->root, "correlations"),
               "saltelli needs independent parameters: its S1 and ST do not add up under correlation. Use the "
               "design shapley, or leave out `correlations`");
    if (sweep->keep_draws && sweep->study.measure_count == 0)
        refuse(reader, value_in(reader, "outputs", "draws"),
               "`draws: keep` keeps the studied figures of each draw: name their measures under `sensitivity`");
    if (sweep->discover.measure[0] && !is_sampled(sweep))
        refuse(reader, value_of(reader->root, "discover"), "`discover` needs a design that samples: " SAMPLING);
    if (sweep->design_levels % 2 != 0 && method == DESIGN_MORRIS)
        refuse(reader, value_in(reader, "design", "levels"), "the levels of a Morris design must be even");
}

/* A design of several runs a draw that nobody looks at is a plain one. */
static void note_idle_design(struct reader *reader)
{
    const struct sweep *sweep = reader->sweep;
    if (sweep_rows(sweep) > 1 && sweep->study.measure_count == 0)
        note(reader, "no measure is named under `sensitivity`: the design %s gives the rollup alone, and no drivers",
             design_method_names[sweep->method]);
}

/* A point is one run at central values: what asks about draws has nothing to look at, and is left out rather than
 * refused, so that any file can be run as a point. */
static void leave_out_draws(struct reader *reader)
{
    bool studies = scenario_leave_out(reader->sweep, SCENARIO_STUDY);
    bool correlates = scenario_leave_out(reader->sweep, SCENARIO_CORRELATIONS);
    if (studies || correlates)
        note(reader, "a point has no draws: sensitivity, correlations, stop and discover are left out");
}

static void note_small_delta(struct reader *reader)
{
    const struct sweep *sweep = reader->sweep;
    if (sweep->study.extras & STUDY_DELTA && sweep->draws < STUDY_DELTA_RUNS)
        note(reader, "delta of %" PRIu64 " draws stays empty; it takes %u", sweep->draws, STUDY_DELTA_RUNS);
    else if (sweep->study.extras & STUDY_DELTA && sweep->draws < ANALYSIS_DELTA_DRAWS)
        note(reader, "delta of %" PRIu64 " draws is too small by up to 0.1; it settles from %u draws on", sweep->draws,
             ANALYSIS_DELTA_DRAWS);
}

void analysis_finish(struct reader *reader, const struct scenario_overrides *overrides)
{
    struct sweep *sweep = reader->sweep;
    check_details(reader, overrides->design != NULL);
    if (sweep->method == DESIGN_POINT) leave_out_draws(reader);
    drop_fixed_correlations(reader);
    fix_draws(reader, overrides);
    check_stop(reader);
    check_design(reader);
    note_idle_design(reader);
    note_small_delta(reader);
    if (sweep->groups == 0 && sweep->study.measure_count > 0 && is_sampled(sweep)) sweep->groups = ANALYSIS_GROUPS;
}
