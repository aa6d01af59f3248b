#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "registry.h"
#include "scenario.h"

#define TWO         "sweep: x\nscenarios:\n  - name: base\n  - {name: full, set: {entitlement.funded_years: 4}}\n"
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static struct scenario_file *read(const char *text, const struct scenario_overrides *overrides, char *why)
{
    why[0] = '\0';
    return scenario_read((struct span){(const uint8_t *)text, strlen(text)}, "f.yaml", overrides, NULL, why);
}

static struct scenario_file *read_with(const char *text, const struct scenario_overrides *overrides)
{
    char why[SCENARIO_WHY_BYTES];
    struct scenario_file *file = read(text, overrides, why);
    cr_assert_not_null(file, "%s\nrefused: %s", text, why);
    return file;
}

static struct scenario_file *read_good(const char *text)
{
    return read_with(text, NULL);
}

static uint32_t find(const struct sweep *sweep, const char *name)
{
    uint32_t at = 0;
    while (at < sweep->parameter_count && strcmp(sweep->parameters[at].name, name) != 0) at++;
    cr_assert_lt(at, sweep->parameter_count, "no parameter %s", name);
    return at;
}

Test(analysis, a_file_without_one_asks_for_none)
{
    struct scenario_file *file = read_good(TWO);
    const struct sweep *sweep = &file->sweep;
    cr_expect_eq(sweep->groups, 0);
    cr_expect_eq(sweep->study.measure_count, 0);
    cr_expect_eq(sweep->stop.kind, STOP_NEVER);
    cr_expect_eq(sweep->keep_draws, 0);
    scenario_free(file);
}

Test(analysis, everything_at_once_is_read)
{
    struct scenario_file *file =
        read_good(TWO "design: {method: saltelli, draws: 64, replicates: 4, second_order: true}\n"
                      "sensitivity: {measures: [exchequer_ratio, bcr], areas: [england], delta: true}\n"
                      "stop: {measure: kept_fte, area: E92000001, half_width: 0.05, confidence: 0.9}\n"
                      "outputs: {draws: keep, exceed: [{measure: bcr, above: 1}, {measure: kept_fte, year: 3, "
                      "at_most: 20}]}\n"
                      "compare: {regret: cost_gbp, best: lowest, satisfice: [{measure: bcr, at_least: 2}]}\n"
                      "discover: {measure: exchequer_ratio, below: 1}\n");
    const struct sweep *sweep = &file->sweep;
    cr_expect_eq(sweep->method, DESIGN_SALTELLI);
    cr_expect_eq(sweep->groups, 4);
    cr_expect_eq(sweep->study.extras, STUDY_SECOND_ORDER | STUDY_DELTA);
    cr_assert_eq(sweep->study.measure_count, 3, "the rule's measure is studied too");
    cr_expect_str_eq(sweep->study.measures[0], "kept_fte", "in the order of the model");
    cr_expect_eq(sweep->study.levels, 1u << AREA_ENGLAND);
    cr_expect(sweep->stop.kind == STOP_HALF_WIDTH && sweep->stop.half_width == 0.05 && sweep->stop.confidence == 0.9);
    cr_expect_eq(sweep->stop.scenario, 1);
    cr_expect_str_eq(sweep->stop.area_code, "E92000001");
    cr_assert_eq(sweep->threshold_count, 2);
    cr_expect(sweep->thresholds[0].side == THRESHOLD_ABOVE && sweep->thresholds[0].value == 1);
    cr_expect(sweep->thresholds[1].side == THRESHOLD_AT_MOST && sweep->thresholds[1].year == 3);
    cr_expect(sweep->regret_lowest == 1 && strcmp(sweep->regret_measure, "cost_gbp") == 0);
    cr_expect(sweep->satisfice_count == 1 && sweep->satisfice[0].side == THRESHOLD_AT_LEAST);
    cr_expect(sweep->discover.side == THRESHOLD_BELOW && strcmp(sweep->discover.measure, "exchequer_ratio") == 0);
    cr_expect_eq(sweep->keep_draws, 1);
    scenario_free(file);
}

Test(analysis, the_same_pairs_in_any_order_are_the_same_sweep)
{
    struct scenario_file *file = read_good(TWO "design: shapley\n"
                                               "correlations:\n"
                                               "  - [retention.full_dose, effect.attainment_sd, 0.5]\n"
                                               "  - [effect.attainment_sd, effect.implementation, -0.25]\n");
    const struct sweep *sweep = &file->sweep;
    cr_assert_eq(sweep->correlation_count, 2);
    for (uint32_t at = 0; at < 2; at++) {
        const struct sweep_correlation *pair = &sweep->correlations[at];
        cr_expect_lt(pair->left, pair->right);
        bool full =
            pair->left == find(sweep, "retention.full_dose") || pair->right == find(sweep, "retention.full_dose");
        cr_expect_eq(pair->rank, full ? 0.5 : -0.25);
    }
    cr_expect(sweep->correlations[0].left < sweep->correlations[1].left ||
              sweep->correlations[0].right < sweep->correlations[1].right);
    scenario_free(file);
}

Test(analysis, designs_have_the_draws_that_are_theirs)
{
    static const struct {
        const char *design;
        uint64_t draws;
    } rows[] = {
        {"one-at-a-time", 5},      {"{method: grid, levels: 7}", 49},
        {"{method: morris}", 64},  {"{method: morris, draws: 10}", 10},
        {"latin-hypercube", 1024}, {"{method: grid, levels: 3, draws: 500}", 9},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        char text[512];
        snprintf(text, sizeof text,
                 TWO "uncertain: {effect.hours: {uniform: [10, 20]}, effect.attainment_sd: {uniform: [0, 0.1]}}\n"
                     "design: %s\n",
                 rows[at].design);
        struct scenario_file *file = read_good(text);
        cr_expect_eq(file->sweep.draws, rows[at].draws, "%s: %llu", rows[at].design,
                     (unsigned long long)file->sweep.draws);
        scenario_free(file);
    }
}

Test(analysis, intervals_bring_replicates_and_nothing_else_does)
{
    struct scenario_file *plain = read_good(TWO "design: saltelli\n");
    struct scenario_file *study = read_good(TWO "design: sobol\nsensitivity: [bcr]\n");
    struct scenario_file *one = read_good(TWO "design: {method: sobol, replicates: 1}\nsensitivity: [bcr]\n");
    struct scenario_file *tornado = read_good(TWO "design: one_at_a_time\nsensitivity: [bcr]\n");
    cr_expect_eq(plain->sweep.groups, 0);
    cr_expect_eq(study->sweep.groups, 16);
    cr_expect_eq(one->sweep.groups, 1);
    cr_expect_eq(tornado->sweep.groups, 0);
    scenario_free(plain);
    scenario_free(study);
    scenario_free(one);
    scenario_free(tornado);
}

Test(analysis, any_file_can_be_run_as_a_point)
{
    struct scenario_overrides point = {.design = "point"};
    struct scenario_file *file = read_with(TWO "design: {method: saltelli, second_order: true}\n"
                                               "sensitivity: {measures: [bcr], delta: true}\n"
                                               "stop: {measure: bcr, top: 3}\n"
                                               "discover: {measure: bcr, below: 1}\n"
                                               "outputs: {draws: keep, exceed: [{measure: bcr, above: 1}]}\n",
                                           &point);
    struct scenario_file *correlated =
        read_with(TWO "design: shapley\ncorrelations: [[effect.attainment_sd, retention.full_dose, 0.5]]\n", &point);
    cr_expect_eq(file->sweep.study.measure_count, 0);
    cr_expect_eq(file->sweep.stop.kind, STOP_NEVER);
    cr_expect_eq(file->sweep.keep_draws, 0);
    cr_expect_eq(file->sweep.threshold_count, 1, "a figure, not a question about draws");
    cr_expect_eq(correlated->sweep.correlation_count, 0);
    cr_assert_geq(file->note_count, 1);
    cr_expect_not_null(strstr(file->notes[file->note_count - 1], "a point has no draws"));
    scenario_free(file);
    scenario_free(correlated);
}

Test(analysis, delta_of_few_draws_is_said_to_be_too_small_or_empty)
{
    static const struct {
        const char *text, *note; /* NULL: none */
    } rows[] = {{TWO "design: {method: sobol, draws: 128}\nsensitivity: {measures: [bcr], delta: true}\n",
                 "delta of 128 draws stays empty; it takes 256"},
                {TWO "design: {method: sobol, draws: 8192}\nsensitivity: {measures: [bcr], delta: true}\n",
                 "delta of 8192 draws is too small"},
                {TWO "design: {method: sobol, draws: 16384}\nsensitivity: {measures: [bcr], delta: true}\n", NULL}};
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct scenario_file *file = read_good(rows[at].text);
        cr_expect_eq(file->note_count, rows[at].note != NULL, "row %zu", at);
        if (rows[at].note && file->note_count > 0)
            cr_expect_not_null(strstr(file->notes[0], rows[at].note), "%s", file->notes[0]);
        scenario_free(file);
    }
}

Test(analysis, a_parameter_that_is_set_leaves_its_correlations)
{
    struct scenario_overrides overrides = {.sets = {"effect.attainment_sd=0.05"}, .set_count = 1};
    struct scenario_file *file = read_with(
        TWO "design: shapley\nsensitivity: [bcr]\ncorrelations: [[effect.attainment_sd, retention.full_dose, 0.5]]\n",
        &overrides);
    cr_expect_eq(file->sweep.correlation_count, 0);
    cr_assert_geq(file->note_count, 1);
    cr_expect_not_null(strstr(file->notes[file->note_count - 1], "leaves out the correlation"));
    scenario_free(file);
}

Test(analysis, a_design_for_drivers_that_nobody_asks_for_is_noted)
{
    static const struct {
        const char *text;
        size_t notes;
    } rows[] = {{TWO "design: saltelli\n", 1},
                {TWO "design: morris\n", 1},
                {TWO "design: saltelli\nsensitivity: [bcr]\n", 0},
                {TWO "design: sobol\n", 0}};
    for (size_t at = 0; at < COUNT(rows); at++) {
        struct scenario_file *file = read_good(rows[at].text);
        cr_expect_eq(file->note_count, rows[at].notes, "%zu notes in\n%s", file->note_count, rows[at].text);
        if (rows[at].notes == 1) cr_expect_not_null(strstr(file->notes[0], "no measure is named under `sensitivity`"));
        scenario_free(file);
    }
}

static void expect_place(const struct scenario_file *file, enum scenario_part part, uint32_t line, uint32_t column)
{
    const struct scenario_place place = file->places[part];
    cr_expect(place.line == line && place.column == column, "part %d: %u:%u", (int)part, place.line, place.column);
}

/* The plan is made later, by another part: it finds a place to show its faults at. */
Test(analysis, a_fault_of_the_plan_is_shown_at_the_question_when_there_are_no_outputs)
{
    struct scenario_file *file = read_good(TWO "compare: {satisfice: [{measure: bcr, above: 1}]}\n");
    expect_place(file, SCENARIO_OUTPUTS, 5, 10);
    expect_place(file, SCENARIO_COMPARE, 5, 10);
    scenario_free(file);
    file = read_good(TWO "outputs: {areas: [england], exceed: [{measure: bcr, above: 1}]}\n"
                         "stop: {measure: bcr, half_width: 1}\nsensitivity: [bcr]\n");
    expect_place(file, SCENARIO_OUTPUTS, 5, 10);
    expect_place(file, SCENARIO_EXCEED, 5, 37);
    expect_place(file, SCENARIO_STOP, 6, 7);
    expect_place(file, SCENARIO_STUDY, 7, 14);
    expect_place(file, SCENARIO_DESIGN, 7, 14);
    scenario_free(file);
}

/* The command line chooses another design than the one that the file describes. */
Test(analysis, details_of_a_design_that_the_command_line_replaces_are_left_out_with_a_note)
{
    static const struct {
        const char *text, *design, *detail;
    } rows[] = {
        {TWO "design: {method: morris, levels: 6}\n", "sobol", "levels"},
        {TWO "design: {method: sobol, replicates: 4}\n", "one-at-a-time", "replicates"},
        {TWO "design: {method: saltelli, second_order: true}\n", "random", "second_order"},
        {TWO "design: saltelli\nsensitivity: {measures: [bcr], second_order: true}\n", "sobol", "second_order"},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        char said[128];
        struct scenario_overrides overrides = {.design = rows[at].design};
        struct scenario_file *file = read_with(rows[at].text, &overrides);
        cr_assert_eq(file->note_count, 1, "%zu notes in\n%s", file->note_count, rows[at].text);
        snprintf(said, sizeof said, "--design %s leaves out `%s`", rows[at].design, rows[at].detail);
        cr_expect_not_null(strstr(file->notes[0], said), "%s", file->notes[0]);
        cr_expect_eq(file->sweep.design_levels, 0);
        cr_expect(file->sweep.groups == 0 || strcmp(rows[at].design, "sobol") == 0);
        cr_expect_eq(file->sweep.study.extras, 0);
        scenario_free(file);
    }
}

Test(analysis, second_order_that_is_not_wanted_is_no_detail)
{
    scenario_free(read_good(TWO "design: {method: sobol, second_order: false}\n"));
    scenario_free(read_good(TWO "design: sobol\nsensitivity: {measures: [bcr], second_order: false}\n"));
}

Test(analysis, what_does_not_go_together_is_refused_with_the_reason)
{
    static const struct {
        const char *text, *place, *words;
    } rows[] = {
        {TWO "design: saltelli\ncorrelations: [[effect.attainment_sd, retention.full_dose, 0.5]]\n", "6:15",
         "saltelli needs independent parameters"},
        {TWO "correlations: [[effect.attainment_sd, retention.full_dose, 1]]\n", "5:60", "above -1 and below 1"},
        {TWO "correlations: [[effect.attainment_sd, effect.attainment_sd, 0.5]]\n", "5:16", "with itself"},
        {TWO "correlations: [[effect.attainment_sd, effect.atainment_sd, 0.5]]\n", "5:39", "did you mean"},
        {TWO "correlations: [[effect.attainment_sd, entitlement.funded_years, 0.5]]\n", "5:16", "is not drawn"},
        {TWO "correlations: [[effect.attainment_sd, retention.full_dose, 0.5], [retention.full_dose, "
             "effect.attainment_sd, 0.4]]\n",
         "5:66", "given twice"},
        {TWO "stop: {measure: exchequer_ration, half_width: 0.05}\n", "5:17", "did you mean `exchequer_ratio`?"},
        {TWO "stop: {measure: bcr, area: E12000011, half_width: 0.05}\noutputs: {areas: [england]}\n", "5:28",
         "the code of an area in `outputs`"},
        {TWO "stop: {measure: bcr}\n", "5:7", "either `half_width`"},
        {TWO "stop: {measure: bcr, half_width: 0}\n", "5:34", "a number above 0"},
        {TWO "stop: {measure: bcr, half_width: 1, confidence: 95}\n", "5:49", "above 0 and below 1"},
        {TWO "design: {method: grid, levels: 2}\nuncertain: {effect.hours: {uniform: [1, 2]}}\n"
             "stop: {measure: bcr, half_width: 1}\n",
         "7:7", "a design that may end anywhere"},
        {TWO "stop: {measure: bcr, top: 3}\n", "5:27", "needs the design saltelli or shapley"},
        {TWO "design: {method: sobol, second_order: true}\nsensitivity: [bcr]\n", "5:39",
         "the design sobol has no `second_order`; it is allowed with saltelli"},
        {TWO "design: sobol\nsensitivity: {measures: [bcr], second_order: true}\n", "6:46", "has no `second_order`"},
        {TWO "design: {method: sobol, levels: 4}\n", "5:33",
         "the design sobol has no `levels`; it is allowed with grid or morris"},
        {TWO "design: {method: point, levels: 4}\n", "5:33", "the design point has no `levels`"},
        {TWO "design: {method: grid, replicates: 4}\n", "5:36", "the design grid has no `replicates`; it is allowed"},
        {TWO "design: {method: morris, replicates: 16}\nsensitivity: [bcr]\n", "5:38", "has no `replicates`"},
        {TWO "design: {method: sobol, replicates: 1}\nstop: {measure: bcr, half_width: 1}\n", "6:7",
         "at least 2 replicates"},
        {TWO "outputs: {measures: [kept_fte]}\nsensitivity: [kept_fte, bcr]\n", "6:25",
         "`bcr` is to be studied, but the measures of `outputs` leave it out"},
        {TWO "outputs: {measures: [kept_fte]}\nstop: {measure: bcr, half_width: 1}\n", "6:17", "leave it out"},
        {TWO "stop: {measure: bcr, area: E12000000, half_width: 1}\n", "5:28", "the code of an area"},
        {TWO "design: {method: morris, levels: 5}\n", "5:34", "must be even"},
        {TWO "design: {method: grid, levels: 64}\n", "5:9", "allowed are fewer levels"},
        {TWO "design: {method: sobol, replicates: 3}\n", "5:37", "a power of two"},
        {TWO "design: morris\nsensitivity: {measures: [bcr], delta: true}\n", "6:39",
         "delta needs a design that samples"},
        {TWO "sensitivity: {measures: [bcr], areas: [local_authority]}\n", "5:39", "that `outputs` leaves out"},
        {TWO "sensitivity: [bcrr]\n", "5:15", "did you mean `bcr`?"},
        {TWO "uncertain: {}\nsensitivity: [bcr]\n", "6:14", "sensitivity to nothing"},
        {TWO "uncertain: {}\ndiscover: {measure: bcr, below: 1}\n", "6:11", "no parameter is drawn"},
        {TWO "sensitivity: [[bcr]]\n", "5:15", "a measure is a list; allowed is a name"},
        {TWO "stop: {measure: bcr, half_width: 1}\noutputs: {areas: [region]}\n", "5:7", "which `outputs` leaves out"},
        {TWO "design: saltelli\nstop: {measure: bcr, top: 15}\n", "6:27",
         "fewer than the 15 parameters that are drawn"},
        {TWO "sensitivity: [starts, reach_pct, funded_hours, cost_gbp, cost_fee_gbp, cost_cover_gbp, cost_rise_gbp,\n"
             "  leavers_fte, kept_fte, vacancies_fte, shortage_fte, exposure_pct, ks4_gain_sd, ks4_gain_grades,\n"
             "  pv_cost_gbp, pv_earnings_gbp, pv_tax_gbp]\n",
         "7:33", "more than 16 measures are studied"},
        {TWO "outputs: {exceed: [{measure: bcr}]}\n", "5:20", "one of above, at_least, below, at_most"},
        {TWO "outputs: {exceed: [{measure: bcr, above: 1, below: 2}]}\n", "5:20", "one of above"},
        {TWO "outputs: {draws: all}\n", "5:18", "allowed is keep"},
        {TWO "compare: {best: lowest}\n", "5:10", "`compare` needs `regret`"},
        {"sweep: x\nscenarios: [{name: a}]\ncompare: {regret: bcr}\n", "3:10", "at least two scenarios"},
        {TWO "compare: {regret: bcr, best: middle}\n", "5:30", "highest and lowest"},
        {TWO "discover: {measure: bcr, above: 1}\ndesign: morris\n", "5:11", "a design that samples"},
        {TWO "discover: {measure: bcr, above: 1, year: 3}\n", "5:11", "leave `year` out"},
        {TWO "outputs: {areas: [region]}\ndiscover: {measure: bcr, above: 1}\n", "6:11", "looks at England"},
        {TWO "outputs: {draws: keep}\n", "5:18", "name their measures under `sensitivity`"},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        char why[SCENARIO_WHY_BYTES], place[32];
        struct scenario_file *file = read(rows[at].text, NULL, why);
        cr_expect_null(file, "accepted:\n%s", rows[at].text);
        snprintf(place, sizeof place, "f.yaml:%s: ", rows[at].place);
        cr_expect(strncmp(why, place, strlen(place)) == 0, "at %s, not %s, in\n%s", why, place, rows[at].text);
        cr_expect_not_null(strstr(why, rows[at].words), "`%s` lacks `%s`", why, rows[at].words);
        scenario_free(file);
    }
}
