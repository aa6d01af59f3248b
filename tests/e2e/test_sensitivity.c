/* Studies: what `check` and `run` say of the drivers of a figure. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_place.h"

TestSuite(sensitivity, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

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

static void expect_forecast_size(const char *design, const char *out)
{
    write_study(design);
    struct ran ran = GOLDTHREAD("check", "study.yaml", "--json");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *plan = parse_json(ran.out);
    long long forecast = json_whole(plan, "result_bytes"), bytes = 0;
    json_decref(plan);
    ran_free(&ran);
    ran = GOLDTHREAD("run", "study.yaml", "--quiet", "--out", out);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char path[64];
    snprintf(path, sizeof path, "%s/manifest.json", out);
    char *text = read_text(path);
    json_t *manifest = parse_json(text), *entry;
    size_t at;
    json_array_foreach(json_object_get(manifest, "files"), at, entry) bytes += json_whole(entry, "bytes");
    cr_expect(forecast > bytes / 2 && forecast < bytes * 2, "%lld of %lld bytes", forecast, bytes);
    json_decref(manifest);
    free(text);
    ran_free(&ran);
}

Test(sensitivity, the_forecast_size_of_the_result_is_about_right)
{
    expect_forecast_size("method: sobol, draws: 4096", "plain");
    expect_forecast_size("method: sobol, draws: 16384}\ndiscover: {measure: exchequer_ratio, below: 1", "kept");
    expect_forecast_size("method: sobol, draws: 131072}\ndiscover: {measure: exchequer_ratio, below: 1", "many");
}

/* The rows of a CSV file below its header that hold a text. */
static size_t count_rows(const char *csv, const char *text)
{
    size_t count = 0;
    for (const char *at = csv ? strchr(csv, '\n') : NULL; at && at[1]; at = strchr(at + 1, '\n')) {
        const char *found = strstr(at + 1, text);
        count += found && found < strchr(at + 1, '\n');
    }
    return count;
}

/* Estimates that are not NULL in a results.db; -1: there is no such table. */
static int estimates_in(const char *path)
{
    sqlite3 *database;
    sqlite3_stmt *query = NULL;
    int count = -1;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(database, "SELECT count(estimate) FROM sensitivity", -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        count = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(database);
    return count;
}

Test(sensitivity, a_study_has_its_own_table_beside_the_rollup)
{
    write_study("method: saltelli, draws: 1024");
    struct ran ran = GOLDTHREAD("run", "study.yaml", "--quiet", "--json", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char *csv = read_text("out/sensitivity.csv"), *manifest = read_text("out/manifest.json");
    cr_assert_not_null(csv);
    cr_expect_eq(count_rows(csv, ",saltelli"), 10 * 2 * (1 + 3 + 2), "areas x measures x (mean, s1 with a dummy, st)");
    cr_expect_eq(count_rows(csv, ",England,exchequer_ratio,ratio,all,st,effect.attainment_sd,,0."), 1);
    cr_expect_not_null(strstr(manifest, "\"name\": \"sensitivity.csv\""));
    cr_expect_not_null(strstr(manifest, "\"rows\": 120,"), "%s", manifest);
    cr_expect_not_null(strstr(manifest, "\"mcse\": \"of studied figures from between the replicates"), "%s", manifest);
    json_t *result = parse_json(ran.out), *first = json_array_get(json_object_get(result, "drivers"), 0);
    cr_expect_eq(json_array_size(json_object_get(result, "drivers")), 2);
    cr_expect_str_eq(json_text(first, "index"), "st");
    cr_expect_str_eq(json_text(json_array_get(json_object_get(first, "top"), 0), "parameter"), "effect.attainment_sd");
    cr_expect_eq(estimates_in("out/results.db"), 120);
    json_decref(result);
    free(csv);
    free(manifest);
    ran_free(&ran);
}

Test(sensitivity, results_give_the_table_that_is_asked_for)
{
    write_study("method: saltelli, draws: 512");
    struct ran ran = GOLDTHREAD("run", "study.yaml", "--quiet", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
    char *csv = read_text("out/sensitivity.csv");
    ran = GOLDTHREAD("results", "out", "--table", "sensitivity");
    cr_expect_str_eq(ran.out, csv);
    ran_free(&ran);
    ran = GOLDTHREAD("results", "out", "--table", "sensitivity", "--format", "json");
    json_t *rows = parse_json(ran.out);
    cr_expect_eq(json_array_size(rows), 120);
    cr_expect(json_is_number(json_object_get(json_array_get(rows, 0), "estimate")));
    json_decref(rows);
    ran_free(&ran);
    ran = GOLDTHREAD("results", "out", "--out", "copy");
    cr_expect(exists("copy/rollup.csv") && exists("copy/sensitivity.csv"));
    ran_free(&ran);
    ran = GOLDTHREAD("results", "out", "--table", "other");
    cr_expect_eq(ran.status, 2);
    ran_free(&ran);
    free(csv);
}

Test(sensitivity, a_sweep_without_study_has_no_table_of_it)
{
    struct ran ran = GOLDTHREAD("run", GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml", "--draws", "64", "--quiet",
                                "--json", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out);
    cr_expect_null(json_object_get(result, "drivers"));
    cr_expect_not(exists("out/sensitivity.csv"));
    json_decref(result);
    ran_free(&ran);
    ran = GOLDTHREAD("results", "out", "--table", "sensitivity");
    cr_expect_eq(ran.status, 1);
    cr_expect_not_null(strstr(ran.err, "no study"), "%s", ran.err);
    ran_free(&ran);
}

/* --- the same bits --- */

/* Everything that a design can estimate, of a model that is quick, in blocks that are small. */
static void write_all_on(const char *method, unsigned draws)
{
    bool sampled = strcmp(method, "morris") != 0 && strcmp(method, "one-at-a-time") != 0 && strcmp(method, "grid") != 0;
    bool second = strcmp(method, "saltelli") == 0;
    char text[1024];
    snprintf(text, sizeof text,
             "sweep: all-on\nmodel: %s/ishigami.so\nscenarios: [{name: base}]\ndesign: {method: %s, draws: %u, "
             "block: 64}\nsensitivity: {measures: [\"y\"], second_order: %s, delta: %s}\n"
             "outputs: {areas: [england, region]}\n",
             GOLDTHREAD_MODELS, method, draws, second ? "true" : "false", sampled ? "true" : "false");
    write_text("all.yaml", text);
}

/* sensitivity.csv, behind the digest; the caller frees it. */
static char *digest_and_table(const char *json, const char *folder)
{
    char path[64];
    json_t *result = parse_json(json);
    snprintf(path, sizeof path, "%s/sensitivity.csv", folder);
    char *table = read_text(path), *both = NULL;
    cr_assert_not_null(table, "%s", path);
    cr_assert_gt(asprintf(&both, "%s\n%s", json_text(result, "digest"), table), 0);
    json_decref(result);
    free(table);
    return both;
}

static char *run_all_on(const char *workers)
{
    char folder[32];
    static int runs;
    snprintf(folder, sizeof folder, "out%d", runs++);
    struct ran ran = GOLDTHREAD("run", "all.yaml", "--workers", workers, "--quiet", "--json", "--out", folder);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char *both = digest_and_table(ran.out, folder);
    ran_free(&ran);
    return both;
}

Test(sensitivity, any_number_of_workers_gives_one_digest_and_one_table)
{
    static const char *const methods[] = {"saltelli", "shapley",         "morris",        "derivative", "random",
                                          "sobol",    "latin-hypercube", "one-at-a-time", "grid"};
    static const char *const workers[] = {"2", "5"};
    for (size_t at = 0; at < sizeof methods / sizeof *methods; at++) {
        write_all_on(methods[at], 4096);
        char *expected = run_all_on("1");
        for (size_t count = 0; count < sizeof workers / sizeof *workers; count++) {
            char *both = run_all_on(workers[count]);
            cr_expect_str_eq(both, expected, "%s with %s workers", methods[at], workers[count]);
            free(both);
        }
        free(expected);
    }
}

Test(sensitivity, a_killed_worker_changes_neither)
{
    write_all_on("saltelli", 65536);
    char *expected = run_all_on("2");
    char *json = run_with_kills(
        (const char *[]){"run", "all.yaml", "--workers", "3", "--json", "--quiet", "--out", "struck", NULL}, "struck");
    char *both = digest_and_table(json, "struck");
    cr_expect_str_eq(both, expected);
    free(json);
    free(both);
    free(expected);
}
