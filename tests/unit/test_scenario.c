#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "headline.h"
#include "progress.h"
#include "registry.h"
#include "scenario.h"
#include "setting.h"
#include "uncertainty.h"
#include "words.h"
#include "yaml.h"

#define GOOD "sweep: x\nscenarios:\n  - name: base\n"

static struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static struct scenario_file *read(const char *text, const struct scenario_overrides *overrides, char *why)
{
    why[0] = '\0';
    return scenario_read(span_of(text), "f.yaml", overrides, NULL, why);
}

static struct scenario_file *read_good(const char *text)
{
    char why[SCENARIO_WHY_BYTES];
    struct scenario_file *file = read(text, NULL, why);
    cr_assert_not_null(file, "%s\nrefused: %s", text, why);
    return file;
}

static uint32_t find(const struct sweep *sweep, const char *name)
{
    for (uint32_t at = 0; at < sweep->parameter_count; at++)
        if (strcmp(sweep->parameters[at].name, name) == 0) return at;
    cr_assert_fail("no parameter %s", name);
    return 0;
}

static const struct sweep_parameter *parameter_of(const struct scenario_file *file, const char *name)
{
    return &file->sweep.parameters[find(&file->sweep, name)];
}

struct wrong {
    const char *text, *place, *words; /* words: a piece of the message */
};

static void check_wrong(const struct wrong *rows, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        char why[SCENARIO_WHY_BYTES], place[32];
        struct scenario_file *file = read(rows[at].text, NULL, why);
        cr_expect_null(file, "row %zu is accepted:\n%s", at, rows[at].text);
        snprintf(place, sizeof place, "f.yaml:%s: ", rows[at].place);
        cr_expect(strncmp(why, place, strlen(place)) == 0, "row %zu: at %s, not %s, in\n%s", at, why, place,
                  rows[at].text);
        cr_expect_not_null(strstr(why, rows[at].words), "row %zu: `%s` lacks `%s`", at, why, rows[at].words);
        cr_expect_null(strchr(why, '\n'), "row %zu: more than one line", at);
        scenario_free(file);
    }
}

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

Test(scenario, the_sample_file_is_read_whole)
{
    struct scenario_file *file = read_good("sweep: golden-thread\n"
                                           "years: 12\nfirst_year: 202627\nseed: 2025\n"
                                           "scenarios:\n"
                                           "  - name: no-policy\n"
                                           "  - name: golden-thread\n"
                                           "    set: {entitlement.funded_years: 4, effect.hours: 20}\n"
                                           "uncertain:\n"
                                           "  effect.attainment_sd: {triangular: [0.0, 0.05, 0.12]}\n"
                                           "  effect.implementation: {beta: {low: 0.2, mode: 0.5, high: 1.0}}\n"
                                           "design: {method: sobol, draws: 4096}\n"
                                           "outputs: {areas: [england, local-authority], by: [phase], "
                                           "quantiles: [0.95, 0.05]}\n");
    const struct sweep *sweep = &file->sweep;
    cr_expect_str_eq(sweep->name, "golden-thread");
    cr_expect_str_eq(sweep->model, "entitlement");
    cr_expect_str_eq(file->population, "england-2023");
    cr_expect_eq(sweep->years, 12);
    cr_expect_eq(sweep->first_year, 202627);
    cr_expect_eq(sweep->seed, 2025);
    cr_expect_eq(sweep->method, DESIGN_SOBOL);
    cr_expect_eq(sweep->draws, 4096);
    cr_expect_eq(sweep->levels, 1u << AREA_ENGLAND | 1u << AREA_AUTHORITY);
    cr_expect_eq(sweep->by, SWEEP_BY_PHASE);
    cr_expect_eq(sweep->quantile_count, 2);
    cr_expect_eq(sweep->quantiles[0], 0.05, "quantiles ascend");
    cr_expect_eq(sweep->quantiles[1], 0.95);
    cr_expect_eq(sweep->measure_count, 0, "all measures");
    cr_assert_eq(sweep->scenario_count, 2);
    cr_expect_str_eq(sweep->scenarios[0].name, "no-policy");
    cr_expect_eq(sweep->scenarios[0].setting_count, 0);
    cr_assert_eq(sweep->scenarios[1].setting_count, 2);
    cr_expect_eq(sweep->scenarios[1].settings[0].parameter, find(sweep, "entitlement.funded_years"));
    cr_expect_eq(sweep->scenarios[1].settings[0].value, 4);
    cr_expect_eq(sweep->scenarios[1].settings[1].parameter, find(sweep, "effect.hours"));
    cr_expect_eq(file->note_count, 0);
    const struct distribution *effect = &parameter_of(file, "effect.attainment_sd")->distribution;
    cr_expect(effect->kind == DISTRIBUTION_TRIANGULAR && effect->low == 0 && effect->mode == 0.05 &&
              effect->high == 0.12);
    const struct distribution *share = &parameter_of(file, "effect.implementation")->distribution;
    cr_expect(share->kind == DISTRIBUTION_BETA && share->low == 0.2 && share->mode == 0.5 && share->high == 1);
    cr_expect_eq(parameter_of(file, "effect.hours")->distribution.kind, DISTRIBUTION_FIXED,
                 "only what is listed is drawn");
    scenario_free(file);
}

Test(scenario, defaults_are_as_documented)
{
    struct scenario_file *file = read_good(GOOD);
    const struct sweep *sweep = &file->sweep;
    const struct model *model = model_find("entitlement");
    cr_expect_eq(sweep->years, 10);
    cr_expect_eq(sweep->first_year, 202526);
    cr_expect_eq(sweep->seed, 1);
    cr_expect_eq(sweep->method, DESIGN_SOBOL);
    cr_expect_eq(sweep->draws, 1024);
    cr_expect_eq(sweep->levels, 1u << AREA_ENGLAND | 1u << AREA_REGION);
    cr_expect_eq(sweep->by, 0);
    cr_expect_eq(sweep->quantile_count, 5);
    cr_expect_eq(sweep->quantiles[2], 0.5);
    cr_assert_eq(sweep->parameter_count, model->parameter_count);
    for (uint32_t at = 0; at < sweep->parameter_count; at++) {
        cr_expect_str_eq(sweep->parameters[at].name, model->parameters[at].name);
        cr_expect_eq(sweep->parameters[at].distribution.kind, model->parameters[at].distribution.kind,
                     "without `uncertain` the table's distributions hold: %s", sweep->parameters[at].name);
    }
    scenario_free(file);
}

Test(scenario, an_empty_uncertain_draws_nothing)
{
    struct scenario_file *file = read_good(GOOD "uncertain: {}\n");
    for (uint32_t at = 0; at < file->sweep.parameter_count; at++)
        cr_expect_eq(file->sweep.parameters[at].distribution.kind, DISTRIBUTION_FIXED, "%s",
                     file->sweep.parameters[at].name);
    scenario_free(file);
}

Test(scenario, a_point_design_has_one_draw)
{
    const char *const texts[] = {GOOD "design: point\n", GOOD "design: {method: point}\n",
                                 GOOD "design: {method: point, draws: 77}\n"};
    for (size_t at = 0; at < COUNT(texts); at++) {
        struct scenario_file *file = read_good(texts[at]);
        cr_expect_eq(file->sweep.method, DESIGN_POINT, "row %zu", at);
        cr_expect_eq(file->sweep.draws, 1, "row %zu", at);
        scenario_free(file);
    }
}

Test(scenario, every_distribution_has_both_forms)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"{uniform: [0.1, 0.9]}", "uniform 0.1, 0.9"},
        {"{uniform: {high: 0.9, low: 0.1}}", "uniform 0.1, 0.9"},
        {"{triangular: [0.1, 0.2, 0.9]}", "triangular 0.1, 0.2, 0.9"},
        {"{triangular: {low: 0.1, mode: 0.2, high: 0.9}}", "triangular 0.1, 0.2, 0.9"},
        {"{beta: [0.2, 0.5, 1]}", "beta 0.2, 0.5, 1"},
        {"{truncated_normal: [0.5, 0.1, 0.2, 0.9]}", "truncated_normal 0.5, 0.1, 0.2, 0.9"},
        {"{truncated-normal: {mean: 0.5, sd: 0.1, low: 0.2, high: 0.9}}", "truncated_normal 0.5, 0.1, 0.2, 0.9"},
        {"{discrete: [0.25, 0.5]}", "discrete 0.25:1, 0.5:1"},
        {"{discrete: {values: [0.25, 0.5], weights: [3, 1]}}", "discrete 0.25:3, 0.5:1"},
        {"{discrete: {values: [0.25, 0.5]}}", "discrete 0.25:1, 0.5:1"},
        {"{fixed: 0.75}", "discrete 0.75:1"},
        {"0.75", "discrete 0.75:1"},
        {"fixed", "fixed"},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        char text[512], shown[256];
        snprintf(text, sizeof text, GOOD "uncertain:\n  effect.implementation: %s\n", rows[at].text);
        struct scenario_file *file = read_good(text);
        const struct sweep_parameter *parameter = parameter_of(file, "effect.implementation");
        uncertainty_text(&parameter->distribution, shown, sizeof shown);
        cr_expect_str_eq(shown, rows[at].shown, "row %zu", at);
        cr_expect_eq(parameter->central, 0.5, "row %zu: `uncertain` never moves a central value", at);
        scenario_free(file);
    }
}

Test(scenario, unbounded_distributions_fit_unbounded_parameters)
{
    struct scenario_file *file = read_good(GOOD "uncertain:\n  value.grade_gbp: {lognormal: [9000, 0.2]}\n");
    const struct distribution *distribution = &parameter_of(file, "value.grade_gbp")->distribution;
    cr_expect(distribution->kind == DISTRIBUTION_LOGNORMAL && distribution->median == 9000 &&
              distribution->sigma == 0.2);
    scenario_free(file);
}

Test(scenario, choices_are_taken_by_name_or_number)
{
    static const struct {
        const char *text;
        const char *name;
        double value;
    } rows[] = {
        {"workforce.mode: dynamic", "workforce.mode", 1},
        {"workforce.mode: 0", "workforce.mode", 0},
        {"value.credit: flow", "value.credit", 1},
        {"value.credit: STOCK", "value.credit", 0},
        {"epi.enabled: on", "epi.enabled", 1},
        {"epi.enabled: true", "epi.enabled", 1},
        {"epi.enabled: no", "epi.enabled", 0},
        {"rise.enabled: 1", "rise.enabled", 1},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        char text[256];
        snprintf(text, sizeof text, GOOD "    set: {%s}\n", rows[at].text);
        struct scenario_file *file = read_good(text);
        cr_assert_eq(file->sweep.scenarios[0].setting_count, 1);
        cr_expect_eq(file->sweep.scenarios[0].settings[0].parameter, find(&file->sweep, rows[at].name));
        cr_expect_eq(file->sweep.scenarios[0].settings[0].value, rows[at].value, "%s", rows[at].text);
        scenario_free(file);
    }
}

Test(scenario, wrong_keys_are_shown_with_the_nearest_one)
{
    static const struct wrong rows[] = {
        {"sweep: x\nscenario:\n  - name: a\n", "2:1", "did you mean `scenarios`?"},
        {"sweep: x\nscenarios:\n  - {name: a, sett: {}}\n", "3:15", "did you mean `set`?"},
        {GOOD "desgin: {method: sobol}\n", "4:1", "did you mean `design`?"},
        {GOOD "design: {metod: sobol}\n", "4:10", "did you mean `method`?"},
        {GOOD "outputs: {area: [england]}\n", "4:11", "did you mean `areas`?"},
        {GOOD "zzz: 1\n", "4:1", "allowed are sweep, model"},
        {GOOD "sweep: y\n", "4:1", "given twice"},
        {GOOD "    set:\n      effect.hours: 3\n      effect.hours: 4\n", "6:7", "given twice (first on line 5)"},
        {GOOD "    set: {effect.hour: 3}\n", "4:11", "did you mean `effect.hours`?"},
        {GOOD "    set: {retention.full_dos: 0.1}\n", "4:11", "did you mean `retention.full_dose`?"},
        {GOOD "uncertain: {effect.atainment_sd: {uniform: [0, 1]}}\n", "4:13", "did you mean `effect.attainment_sd`?"},
        {GOOD "uncertain: {effect.hours: {triangle: [0, 1, 2]}}\n", "4:28", "did you mean `triangular`?"},
        {GOOD "uncertain: {effect.hours: {uniform: {lo: 0, high: 1}}}\n", "4:38", "it takes low, high"},
        {GOOD "design: {method: soboll}\n", "4:18", "did you mean `sobol`?"},
        {GOOD "outputs: {measures: [cost]}\n", "4:22", "no measure `cost`; did you mean `cost_gbp`?"},
        {GOOD "outputs: {measures: [price]}\n", "4:22", "no measure `price`; allowed are starts, reach_pct, "},
        {GOOD "sensitivity: bcr\n", "4:14", "allowed is a list of measures"},
        {GOOD "design: latin\n", "4:9", "did you mean `latin-hypercube`?"},
        {GOOD "design: one_at_time\n", "4:9", "did you mean `one-at-a-time`?"},
        {GOOD "design: gird\n", "4:9", "did you mean `grid`?"},
        {GOOD "outputs: {areas: [england, regions]}\n", "4:28", "did you mean `region`?"},
        {GOOD "outputs: {by: [quintiles]}\n", "4:16", "did you mean `quintile`?"},
        {GOOD "outputs: {measures: [bcr, cost_gpb]}\n", "4:27", "did you mean `cost_gbp`?"},
        {GOOD "model: entitlment\n", "4:8", "no model is called"},
        {GOOD "design: {method: random, block: 3}\n", "4:33", "a power of two from 1 to 512"},
        {GOOD "design: {method: random, block: 1024}\n", "4:33", "a whole number from 1 to 512"},
        {GOOD "design: {method: random, block: 0}\n", "4:33", "a whole number from 1 to 512"},
    };
    check_wrong(rows, COUNT(rows));
}

Test(scenario, wrong_values_are_shown_with_what_is_allowed)
{
    static const struct wrong rows[] = {
        {GOOD "    set: {effect.implementation: 1.5}\n", "4:34", "cannot be 1.5; allowed is 0 to 1"},
        {GOOD "    set: {effect.implementation: -0.1}\n", "4:34", "allowed is 0 to 1"},
        {GOOD "    set: {effect.hours: many}\n", "4:25", "cannot be `many`; allowed is 0 or more"},
        {GOOD "    set: {effect.hours: .inf}\n", "4:25", "allowed is 0 or more"},
        {GOOD "    set: {effect.hours: [3]}\n", "4:25", "must be one value"},
        {GOOD "    set: {effect.hours: }\n", "4:11", "must be one value"},
        {GOOD "    set: {effect.hours: 0x10}\n", "4:25", "cannot be `0x10`"},
        {GOOD "    set: {entitlement.funded_years: 3.5}\n", "4:37", "a whole number, 0 to 40"},
        {GOOD "    set: {entitlement.funded_years: 41}\n", "4:37", "a whole number, 0 to 40"},
        {GOOD "    set: {workforce.mode: dynamical}\n", "4:27", "static or dynamic"},
        {GOOD "    set: {workforce.mode: 2}\n", "4:27", "static or dynamic"},
        {GOOD "    set: [effect.hours]\n", "4:10", "`set` must be a mapping"},
        {GOOD "years: 0\n", "4:8", "whole number from 1 to 40"},
        {GOOD "years: 41\n", "4:8", "whole number from 1 to 40"},
        {GOOD "years: ten\n", "4:8", "years is ten"},
        {GOOD "years: 2.5\n", "4:8", "whole number from 1 to 40"},
        {GOOD "first_year: 2025\n", "4:13", "six digits"},
        {GOOD "first_year: 202527\n", "4:13", "such as 202526"},
        {GOOD "seed: -1\n", "4:7", "whole number from 0"},
        {GOOD "seed: 18446744073709551616\n", "4:7", "to 18446744073709551615"},
        {GOOD "design: {draws: 0}\n", "4:17", "whole number from 1 to 1099511627776"},
        {GOOD "design: {draws: 1.5}\n", "4:17", "whole number from 1"},
        {GOOD "design: {draws: 1099511627777}\n", "4:17", "to 1099511627776"},
        {GOOD "design: {draws: '8'}\n", "4:17", "whole number"},
        {GOOD "design: [sobol]\n", "4:9", "must be a mapping"},
        {GOOD "outputs: {quantiles: [0.5, 1]}\n", "4:28", "above 0 and below 1"},
        {GOOD "outputs: {quantiles: [0]}\n", "4:23", "above 0 and below 1"},
        {GOOD "outputs: {quantiles: [0.5, 0.5]}\n", "4:28", "given twice"},
        {GOOD "outputs: {quantiles: 0.5}\n", "4:22", "must be a list"},
        {GOOD "outputs: {areas: []}\n", "4:18", "is empty"},
        {GOOD "outputs: {areas: england}\n", "4:18", "must be a list"},
        {GOOD "outputs: {measures: []}\n", "4:21", "must be a list"},
        {GOOD "population: ''\n", "4:13", "england-2023 or the path"},
        {GOOD "population: [a]\n", "4:13", "england-2023 or the path"},
        {"scenarios:\n  - name: a\n", "1:1", "`sweep` is missing"},
        {"sweep: a/b\nscenarios:\n  - name: a\n", "1:8", "allowed are letters, digits"},
        {"sweep: ''\nscenarios:\n  - name: a\n", "1:8", "is empty"},
        {"sweep: x\n", "1:1", "`scenarios` is missing"},
        {"sweep: x\nscenarios: []\n", "2:12", "an empty list"},
        {"sweep: x\nscenarios:\n", "2:1", "`scenarios` is empty"},
        {"sweep: x\nscenarios: {name: a}\n", "2:12", "allowed is a list"},
        {"sweep: x\nscenarios:\n  - a\n", "3:5", "a scenario must be a mapping"},
        {"sweep: x\nscenarios:\n  - set: {}\n", "3:5", "has no `name`"},
        {"sweep: x\nscenarios:\n  - name: a\n  - name: a\n", "4:11", "two scenarios are called `a`"},
        {"sweep: x\nscenarios:\n  - name: a - b\n", "3:11", "stands for a difference"},
        {"sweep: x\nscenarios:\n  - name: [a]\n", "3:11", "is not text"},
    };
    check_wrong(rows, COUNT(rows));
}

Test(scenario, wrong_distributions_are_refused)
{
#define DRAW(parameter, text) GOOD "uncertain:\n  " parameter ": " text "\n"
    static const struct wrong rows[] = {
        {DRAW("effect.hours", "{uniform: [20, 10]}"), "5:18", "low is above high"},
        {DRAW("effect.hours", "{triangular: [1, 9, 5]}"), "5:18", "mode is outside"},
        {DRAW("effect.hours", "{uniform: [5]}"), "5:27", "takes 2 numbers, [low, high]; 1 are given"},
        {DRAW("effect.hours", "{uniform: [5, six]}"), "5:31", "must be a number"},
        {DRAW("effect.hours", "{uniform: {low: 5}}"), "5:27", "takes all of low, high"},
        {DRAW("effect.hours", "{uniform: 5}"), "5:27", "takes [low, high]"},
        {DRAW("effect.hours", "[1, 2]"), "5:17", "{triangular: [low, mode, high]}"},
        {DRAW("effect.hours", "some"), "5:17", "must be a number"},
        {DRAW("effect.hours", "{uniform: [1, 2], beta: [1, 2, 3]}"), "5:17", "{triangular: [low, mode, high]}"},
        {DRAW("effect.hours", "{uniform: [-1, 10]}"), "5:18", "between -1 and 10; allowed is 0 or more"},
        {DRAW("effect.hours", "{normal: [12, 3]}"), "5:18", "truncated_normal and beta have bounds"},
        {DRAW("effect.hours", "{normal: [12, 0]}"), "5:18", "sd is not above 0"},
        {DRAW("effect.implementation", "{uniform: [0.5, 1.1]}"), "5:27", "allowed is 0 to 1"},
        {DRAW("effect.implementation", "{lognormal: [0.5, 0.1]}"), "5:27", "allowed is 0 to 1"},
        {DRAW("effect.implementation", "1.5"), "5:26", "allowed is 0 to 1"},
        {DRAW("effect.lag_years", "{uniform: [0, 2]}"), "5:22", "draw it with discrete"},
        {DRAW("effect.lag_years", "{discrete: [0, 1.5]}"), "5:22", "a whole number"},
        {DRAW("effect.lag_years", "{discrete: [1, 0]}"), "5:22", "values do not ascend"},
        {DRAW("effect.lag_years", "{discrete: []}"), "5:32", "list of 1 to 16"},
        {DRAW("effect.lag_years", "{discrete: {values: [0, 1], weights: [1]}}"), "5:49", "2 values and 1 weights"},
        {DRAW("effect.lag_years", "{discrete: {values: [0, 1], weights: [1, 0]}}"), "5:22", "weight is not above 0"},
        {DRAW("workforce.mode", "{uniform: [0, 1]}"), "5:20", "draw it with discrete"},
        {GOOD "uncertain: [effect.hours]\n", "4:12", "must be a mapping"},
        {GOOD "uncertain: all\n", "4:12", "must be a mapping"},
    };
    check_wrong(rows, COUNT(rows));
}

Test(scenario, what_is_no_plain_yaml_is_refused)
{
    static const struct wrong rows[] = {
        {"", "1:1", "the file is empty"},
        {"# nothing\n", "1:1", "the file is empty"},
        {"just words\n", "1:1", "must be a mapping"},
        {"- a\n- b\n", "1:1", "must be a mapping"},
        {"sweep: [x\n", "2:1", "not YAML"},
        {"sweep: x\n\tyears: 3\n", "1:8", "not YAML"},
        {"sweep: &a x\nscenarios: *a\n", "1:11", "not allowed"},
        {"sweep: x\nscenarios: *a\n", "2:12", "not allowed"},
        {"sweep: !!str x\n", "1:14", "not allowed"},
        {"a: {? [b] : c}\n", "1:7", "cannot be a key"},
        {GOOD "---\nsweep: y\n", "4:1", "one document"},
        {"sweep: \x01\n", "1:8", "control character 0x01"},
        {"\"a\\nb\": x\n", "1:1", "a line break in text"},
        {"sweep: \"\\x1b[31m\"\n", "1:8", "a control character"},
        {"sweep: \"\\x85\"\n", "1:8", "a control character"},
        {"sweep: \"\\u2028\"\n", "1:8", "a control character"},
        {GOOD "population: |\n  a\n", "5:1", "a line break in text"},
        {"sweep: a\xff\n", "1:9", "not UTF-8"},
        {"sweep: \xc3\n", "1:8", "not UTF-8"},
        {"sweep: \xc3\xa9t\xed\xa0\x80\n", "1:10", "not UTF-8"},
        {"sweep: caf\xc3\xa9\nscenarios: [{name: a}]\n", "1:8", "holds `\xc3\xa9`"},
        {"[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", "1:17", "nested deeper"},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        char why[SCENARIO_WHY_BYTES];
        cr_expect_null(read(rows[at].text, NULL, why), "row %zu", at);
        char place[32];
        snprintf(place, sizeof place, "f.yaml:%s", rows[at].place);
        cr_expect(strncmp(why, place, strlen(place)) == 0, "row %zu: at %s, not %s", at, why, place);
        cr_expect_not_null(strstr(why, rows[at].words), "row %zu: `%s` lacks `%s`", at, why, rows[at].words);
    }
}

Test(scenario, a_file_without_a_byte_is_empty)
{
    char why[SCENARIO_WHY_BYTES];
    cr_expect_null(scenario_read((struct span){0}, "f", NULL, NULL, why));
    cr_expect_str_eq(why, "f:1:1: the file is empty; a YAML mapping is wanted");
}

Test(scenario, a_fault_is_one_line_whatever_it_quotes)
{
    static const char sweep[] = "sweep: x\nscenarios: [{name: a}]\n";
    const struct scenario_overrides options[] = {
        {.sets = {"no\nsuch=1"}, .set_count = 1}, {.design = "so\nbol"}, {.draws = "1\t"}, {.seed = "\r"}};
    char why[SCENARIO_WHY_BYTES];
    for (size_t at = 0; at < sizeof options / sizeof *options; at++) {
        cr_assert_null(read(sweep, &options[at], why), "%zu", at);
        for (const char *letter = why; *letter; letter++)
            cr_assert((unsigned char)*letter >= ' ', "%zu: byte %d in %s", at, *letter, why);
    }
    cr_assert_null(read("\"swe\\nep\": x\n", NULL, why));
    cr_assert_null(strchr(why, '\n'), "%s", why);
}

Test(scenario, zeros_and_endless_files_are_refused_quickly)
{
    size_t size = YAML_BYTES_MAX + 1;
    uint8_t *bytes = calloc(1, size);
    char why[SCENARIO_WHY_BYTES];
    cr_expect_null(scenario_read((struct span){bytes, size}, "f", NULL, NULL, why));
    cr_expect_str_eq(why, "f:1:1: larger than 1048576 bytes; a scenario file is small");
    cr_expect_null(scenario_read((struct span){bytes, size - 1}, "f", NULL, NULL, why));
    cr_expect_not_null(strstr(why, "f:1:1: control character 0x00"), "%s", why);
    memset(bytes, '[', size - 1);
    clock_t start = clock();
    cr_expect_null(scenario_read((struct span){bytes, size - 1}, "f", NULL, NULL, why));
    cr_expect_lt(clock() - start, 2 * CLOCKS_PER_SEC);
    free(bytes);
}

Test(scenario, every_beginning_of_a_file_is_refused_or_read)
{
    const char *text = GOOD "    set: {effect.hours: 20, workforce.mode: dynamic}\n"
                            "uncertain:\n  effect.hours: {beta: {low: 1, mode: 2, high: \"3\"}}\n"
                            "design: {method: sobol, draws: 16}\noutputs: {areas: [england], by: ['phase']}\n";
    for (size_t size = 0; size <= strlen(text); size++) {
        char why[SCENARIO_WHY_BYTES] = "";
        struct scenario_file *file = scenario_read((struct span){(const uint8_t *)text, size}, "f", NULL, NULL, why);
        cr_expect(file || strncmp(why, "f:", 2) == 0, "at %zu: %s", size, why);
        scenario_free(file);
    }
}

Test(scenario, too_many_of_anything_is_refused)
{
    char *text = malloc(1 << 20), why[SCENARIO_WHY_BYTES];
    size_t used = (size_t)sprintf(text, "sweep: x\nscenarios:\n");
    for (int at = 0; at <= SWEEP_SCENARIOS_MAX; at++) used += (size_t)sprintf(text + used, "  - name: s%d\n", at);
    cr_expect_null(read(text, NULL, why));
    cr_expect_str_eq(why, "f.yaml:35:5: more than 32 scenarios");
    used = (size_t)sprintf(text, GOOD "outputs:\n  quantiles: [");
    for (int at = 1; at <= SWEEP_QUANTILES_MAX + 1; at++)
        used += (size_t)sprintf(text + used, "%s0.%02d", at > 1 ? "," : "", at);
    sprintf(text + used, "]\n");
    cr_expect_null(read(text, NULL, why));
    cr_expect_str_eq(why, "f.yaml:5:14: `quantiles` must be a list of at most 16 shares between 0 and 1");
    used = (size_t)sprintf(text, "sweep: x\nscenarios: [");
    for (int at = 0; at < YAML_NODES_MAX; at++) used += (size_t)sprintf(text + used, "a,");
    cr_expect_null(read(text, NULL, why));
    cr_expect_not_null(strstr(why, "more than 16384 entries"), "%s", why);
    free(text);
}

Test(scenario, the_command_line_wins_over_the_table_and_not_over_a_scenario)
{
    struct scenario_overrides overrides = {.sets = {"effect.hours=20", "workforce.mode=dynamic"},
                                           .set_count = 2,
                                           .design = "random",
                                           .draws = "7",
                                           .seed = "9"};
    char why[SCENARIO_WHY_BYTES];
    struct scenario_file *file = read(GOOD "    set: {effect.hours: 30}\n", &overrides, why);
    cr_assert_not_null(file, "%s", why);
    const struct sweep_parameter *hours = parameter_of(file, "effect.hours");
    cr_expect_eq(hours->central, 20);
    cr_expect_eq(hours->distribution.kind, DISTRIBUTION_FIXED, "--set fixes a drawn parameter");
    cr_expect_eq(file->sweep.scenarios[0].settings[0].value, 30, "the scenario's own setting stays");
    cr_expect_eq(parameter_of(file, "workforce.mode")->central, 1);
    cr_expect_eq(file->sweep.method, DESIGN_RANDOM);
    cr_expect_eq(file->sweep.draws, 7);
    cr_expect_eq(file->sweep.seed, 9);
    scenario_free(file);
}

Test(scenario, set_wins_over_uncertain)
{
    struct scenario_overrides overrides = {.sets = {"effect.hours=20"}, .set_count = 1};
    char why[SCENARIO_WHY_BYTES];
    struct scenario_file *file = read(GOOD "uncertain: {effect.hours: {uniform: [6, 35]}}\n", &overrides, why);
    cr_assert_not_null(file, "%s", why);
    cr_expect_eq(parameter_of(file, "effect.hours")->distribution.kind, DISTRIBUTION_FIXED);
    scenario_free(file);
}

Test(scenario, a_wrong_command_line_is_named)
{
    static const struct {
        struct scenario_overrides overrides;
        const char *begins, *holds;
    } rows[] = {
        {{.sets = {"effect.hour=3"}, .set_count = 1}, "--set effect.hour=3: ", "did you mean `effect.hours`?"},
        {{.sets = {"effect.hours"}, .set_count = 1}, "--set effect.hours: ", "NAME=VALUE"},
        {{.sets = {"=3"}, .set_count = 1}, "--set =3: ", "NAME=VALUE"},
        {{.sets = {"effect.hours="}, .set_count = 1}, "--set effect.hours=: ", "0 or more"},
        {{.sets = {"effect.implementation=2"}, .set_count = 1}, "--set effect.implementation=2: ", "0 to 1"},
        {{.design = "sobel"}, "--design: ", "did you mean `sobol`?"},
        {{.draws = "0"}, "--draws 0: ", "whole number from 1"},
        {{.draws = "1e3"}, "--draws 1e3: ", "whole number from 1"},
        {{.seed = "-1"}, "--seed -1: ", "whole number from 0"},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        char why[SCENARIO_WHY_BYTES];
        cr_expect_null(read(GOOD, &rows[at].overrides, why), "row %zu", at);
        cr_expect(strncmp(why, rows[at].begins, strlen(rows[at].begins)) == 0, "row %zu: %s", at, why);
        cr_expect_not_null(strstr(why, rows[at].holds), "row %zu: %s", at, why);
    }
}

Test(scenario, implausible_values_and_uneven_designs_are_noted)
{
    struct scenario_overrides overrides = {.sets = {"effect.hours=50"}, .set_count = 1, .draws = "1000"};
    char why[SCENARIO_WHY_BYTES];
    struct scenario_file *file = read(GOOD "    set: {effect.hours: 60}\n", &overrides, why);
    cr_assert_not_null(file, "%s", why);
    cr_assert_eq(file->note_count, 3);
    cr_expect_not_null(strstr(file->notes[0], "base: `effect.hours` is 60, outside its plausible range 6 to 35"), "%s",
                       file->notes[0]);
    cr_expect_not_null(strstr(file->notes[1], "--set: `effect.hours` is 50"), "%s", file->notes[1]);
    cr_expect_not_null(strstr(file->notes[2], "power of two"), "%s", file->notes[2]);
    scenario_free(file);
}

Test(scenario, the_order_of_a_file_does_not_matter)
{
    struct scenario_file *one =
        read_good(GOOD "    set: {effect.hours: 20, cost.fee_gbp: 600}\n"
                       "outputs: {areas: [region, england], measures: [bcr, cost_gbp]}\nyears: 5\n");
    struct scenario_file *two = read_good("years: 5\noutputs: {measures: [cost_gbp, bcr], areas: [england, region]}\n"
                                          "scenarios:\n  - set: {cost.fee_gbp: 600, effect.hours: 20}\n    name: base\n"
                                          "sweep: x\n");
    cr_expect_eq(memcmp(&one->sweep, &two->sweep, sizeof one->sweep), 0);
    scenario_free(one);
    scenario_free(two);
}

Test(words, numbers_are_plain_decimals)
{
    static const char *const good[] = {"0", "-1", "+2.5", ".5", "5.", "1e3", "1.5E-3"};
    static const char *const bad[] = {"",    "-",   ".",  "e3", "1e",  "1e+",   "0x10",
                                      "inf", "nan", "1 ", " 1", "1,5", "1_000", "1e999"};
    double value;
    uint64_t whole;
    for (size_t at = 0; at < COUNT(good); at++) cr_expect(word_number(good[at], &value), "%s", good[at]);
    for (size_t at = 0; at < COUNT(bad); at++) cr_expect_not(word_number(bad[at], &value), "`%s`", bad[at]);
    cr_expect(word_whole("18446744073709551615", UINT64_MAX, &whole) && whole == UINT64_MAX);
    cr_expect_not(word_whole("18446744073709551616", UINT64_MAX, &whole));
    cr_expect_not(word_whole("-1", UINT64_MAX, &whole));
    cr_expect_not(word_whole("", UINT64_MAX, &whole));
}

Test(words, text_is_utf8_on_one_line)
{
    static const char *const good[] = {"", "a b", "caf\xc3\xa9", "\xf0\x9f\x98\x80"};
    static const char *const bad[] = {"a\nb", "\x1b[31m", "\x7f", "\xff", "caf\xc3", "\xed\xa0\x80"};
    for (size_t at = 0; at < COUNT(good); at++) cr_expect(word_is_text(good[at]), "good %zu", at);
    for (size_t at = 0; at < COUNT(bad); at++) cr_expect_not(word_is_text(bad[at]), "bad %zu", at);
}

Test(words, distance_counts_edits)
{
    static const struct {
        const char *a, *b;
        size_t edits;
    } rows[] = {{"", "", 0},       {"a", "", 1},           {"abc", "abc", 0},
                {"abc", "acb", 1}, {"sobol", "soboll", 1}, {"kitten", "sitting", 3}};
    for (size_t at = 0; at < COUNT(rows); at++) {
        cr_expect_eq(word_distance(rows[at].a, rows[at].b), rows[at].edits, "%s %s", rows[at].a, rows[at].b);
        cr_expect_eq(word_distance(rows[at].b, rows[at].a), rows[at].edits, "%s %s", rows[at].b, rows[at].a);
    }
}

Test(progress, a_duration_has_a_unit_that_people_use)
{
    static const struct {
        double seconds;
        const char *text;
    } rows[] = {{0.0521, "0.052 s"}, {3.14, "3.1 s"}, {119, "119 s"},       {150, "2.5 min"},
                {7199, "120 min"},   {42000, "12 h"}, {180000, "2.1 days"}, {2.4e8, "7.6 years"}};
    for (size_t at = 0; at < COUNT(rows); at++) {
        char text[48];
        progress_duration(rows[at].seconds, text, sizeof text);
        cr_expect_str_eq(text, rows[at].text, "%g s", rows[at].seconds);
    }
}

Test(progress, a_line_says_where_it_is)
{
    char line[200];
    struct progress progress = {.blocks = 8, .done = 4, .draws = 4096, .at_start = 2, .elapsed_ms = 1000};
    progress_line(&progress, sizeof line, line, sizeof line);
    cr_expect_str_eq(line, "[############............] 4/8 blocks  1,024 draws/s  2 s left");
    progress.failed = 1;
    progress_line(&progress, 20, line, sizeof line);
    cr_expect_eq(strlen(line), 20, "no longer than the terminal is wide");
    cr_expect_eq(progress_seconds_left(&(struct progress){.blocks = 8, .elapsed_ms = 5}), -1);
    cr_expect_eq(progress_seconds_left(&(struct progress){.blocks = 8, .done = 8}), 0);
}
