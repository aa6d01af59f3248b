/* Studies: what `check` and `run` say of the drivers of a figure. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_place.h"

TestSuite(sensitivity, .init = place_open, .fini = place_close, .timeout = 300);

/* A study of both measures of two scenarios: two uncertain parameters, so that a Saltelli draw has 4 rows. */
static void write_study(const char *design)
{
    char text[1024];
    snprintf(text, sizeof text,
             "sweep: drivers\nseed: 7\nscenarios:\n  - name: no-policy\n  - name: golden-thread\n"
             "    set: {entitlement.funded_years: 4}\n"
             "uncertain:\n  effect.attainment_sd: {triangular: [0.0, 0.05, 0.12]}\n"
             "  effect.implementation: {beta: {low: 0.2, mode: 0.5, high: 1.0}}\n"
             "design: {%s}\nsensitivity: {measures: [exchequer_ratio, ks4_gain_sd]}\n"
             "outputs: {areas: [england, region], measures: [exchequer_ratio, ks4_gain_sd]}\n",
             design);
    write_text("study.yaml", text);
}

Test(sensitivity, every_model_run_is_counted)
{
    write_study("method: saltelli, draws: 1024");
    struct ran ran = GOLDTHREAD("check", "study.yaml", "--json");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *plan = parse_json(ran.out);
    cr_expect_eq(json_whole(plan, "rows"), 4);
    cr_expect_eq(json_whole(plan, "model_runs"), 1024 * 4 * 2);
    json_decref(plan);
    ran_free(&ran);
    ran = GOLDTHREAD("run", "study.yaml", "--workers", "2", "--json", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    cr_expect_eq(strncmp(ran.err, "1,024 draws x 4 rows x 2 scenarios = 8,192 model runs in ", 57), 0, "%s", ran.err);
    json_t *result = parse_json(ran.out);
    cr_expect_eq(json_whole(result, "model_runs"), 1024 * 4 * 2);
    json_decref(result);
    ran_free(&ran);
}

Test(sensitivity, the_forecast_size_of_the_result_is_about_right)
{
    write_study("method: sobol, draws: 4096");
    struct ran ran = GOLDTHREAD("check", "study.yaml", "--json");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *plan = parse_json(ran.out);
    long long forecast = json_whole(plan, "result_bytes"), bytes = 0;
    json_decref(plan);
    ran_free(&ran);
    ran = GOLDTHREAD("run", "study.yaml", "--quiet", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char *text = read_text("out/manifest.json");
    json_t *manifest = parse_json(text), *entry;
    size_t at;
    json_array_foreach(json_object_get(manifest, "files"), at, entry) bytes += json_whole(entry, "bytes");
    cr_expect(forecast > bytes / 2 && forecast < bytes * 2, "%lld of %lld bytes", forecast, bytes);
    json_decref(manifest);
    free(text);
    ran_free(&ran);
}
