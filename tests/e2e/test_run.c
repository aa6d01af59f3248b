#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_place.h"

#define SCENARIOS GOLDTHREAD_SOURCE "/scenarios/"
#define GOLDEN    SCENARIOS "golden-thread.yaml"

TestSuite(run, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

/* Two scenarios and few figures, in `blocks` blocks of 512 draws. */
static void write_sweep(const char *name, int blocks)
{
    char text[1024];
    snprintf(text, sizeof text,
             "sweep: small\nseed: 7\nscenarios:\n  - name: no-policy\n  - name: policy\n"
             "    set: {entitlement.funded_years: 4}\n"
             "design: {method: sobol, draws: %d}\n"
             "outputs: {measures: [cost_gbp, kept_fte, pv_earnings_gbp, bcr]}\n",
             blocks * 512);
    write_text(name, text);
}

/* 64 blocks of 16 draws, of which one waits until the gate is open: such a run is under way for as long as a test
 * likes, however fast the machine is. */
static void write_gated_sweep(void)
{
    char gate[128];
    write_text("s.yaml", "sweep: gated\nmodel: " GOLDTHREAD_MODELS "/faulty.so\n"
                         "scenarios: [{name: base, set: {fault: gate, from: 0.999}}]\n"
                         "design: {method: sobol, draws: 1024, block: 16}\n"
                         "outputs: {areas: [england], quantiles: []}\n");
    snprintf(gate, sizeof gate, "%s/gate", place_path());
    setenv("GOLDTHREAD_GATE", gate, 1);
}

static void open_gate(void)
{
    write_text(getenv("GOLDTHREAD_GATE"), "");
}

static void shut_gate(void)
{
    cr_assert_eq(unlink(getenv("GOLDTHREAD_GATE")), 0);
}

static void expect_nothing_left(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/run", place_path());
    cr_expect_eq(count_entries(path), 0, "sockets are left");
    snprintf(path, sizeof path, "%s/tmp", place_path());
    cr_expect_eq(count_entries(path), 0, "temporary files are left");
}

static size_t count_states(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/state/goldthread", place_path());
    return count_entries(path);
}

/* The JSON of a run that must succeed. */
static json_t *run_json(const char *file, const char *workers, const char *out)
{
    struct ran ran = GOLDTHREAD("run", file, "--workers", workers, "--out", out, "--json", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out);
    ran_free(&ran);
    return result;
}

Test(run, a_point_run_gives_the_reference_figures)
{
    static const struct {
        const char *year;
        double starts, reach, cost_million, kept, gain;
    } rows[] = {
        {"1", 149949, 29.29, 101.55, 318.3, 0},   {"2", 106030, 50.00, 71.80, 225, 0.00385},
        {"3", 74975, 64.64, 50.77, 159, 0.00650}, {"4", 53015, 75.00, 35.90, 112.5, 0.00760},
        {"5", 0, 75.00, 0, 0, 0.00763},           {"6", 0, 75.00, 0, 0, 0.00609},
        {"7", 0, 75.00, 0, 0, 0.00458},           {"8", 0, 75.00, 0, 0, 0.00337},
        {"9", 0, 75.00, 0, 0, 0.00247},           {"10", 0, 75.00, 0, 0, 0.00181},
    };
    static const struct {
        const char *measure;
        double value, tolerance;
    } totals[] = {
        {"cost_gbp", 260.03e6, 0.005e6},       {"pv_cost_gbp", 242.22e6, 0.005e6},
        {"pv_earnings_gbp", 1510.8e6, 0.05e6}, {"bcr", 6.24, 0.005},
        {"pv_tax_gbp", 498.6e6, 0.05e6},       {"pv_saving_gbp", 18.98e6, 0.005e6},
        {"exchequer_ratio", 2.14, 0.005},      {"payback_year", 21, 0},
    };
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    cr_expect_not_null(strstr(ran.out, "260.0"), "the table shows the cost:\n%s", ran.out);
    char *csv = read_text("out/rollup.csv");
    cr_assert_not_null(csv);
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        const char *year = rows[at].year, *policy = "golden-thread", *england = "E92000001";
        cr_expect_float_eq(figure(csv, policy, england, year, "starts", "value"), rows[at].starts, 0.5, "year %s",
                           year);
        cr_expect_float_eq(figure(csv, policy, england, year, "reach_pct", "value"), rows[at].reach, 0.005, "year %s",
                           year);
        cr_expect_float_eq(figure(csv, policy, england, year, "cost_gbp", "value"), rows[at].cost_million * 1e6, 5e3,
                           "year %s", year);
        cr_expect_float_eq(figure(csv, policy, england, year, "kept_fte", "value"), rows[at].kept, 0.5, "year %s",
                           year);
        cr_expect_float_eq(figure(csv, policy, england, year, "ks4_gain_sd", "value"), rows[at].gain, 5e-6, "year %s",
                           year);
        cr_expect_float_eq(figure(csv, "no-policy", england, year, "leavers_fte", "value"), 41307, 0.5, "year %s",
                           year);
    }
    for (size_t at = 0; at < sizeof totals / sizeof *totals; at++)
        cr_expect_float_eq(figure(csv, "golden-thread - no-policy", "E92000001", "all", totals[at].measure, "value"),
                           totals[at].value, totals[at].tolerance, "%s", totals[at].measure);
    cr_expect(isnan(figure(csv, "no-policy", "E92000001", "all", "bcr", "value")), "no cost, no ratio");
    cr_expect_eq(count_states(), 0, "the state is removed after success");
    expect_nothing_left();
    free(csv);
    ran_free(&ran);
}

Test(run, regions_sum_to_england)
{
    static const char *const measures[] = {"starts",   "cost_gbp",        "leavers_fte",
                                           "kept_fte", "pv_earnings_gbp", "pv_tax_gbp"};
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", "out", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char *csv = read_text("out/rollup.csv");
    for (size_t at = 0; at < sizeof measures / sizeof *measures; at++) {
        double sum = 0, england = figure(csv, "golden-thread", "E92000001", "all", measures[at], "value");
        for (int region = 1; region <= 9; region++) {
            char code[24];
            snprintf(code, sizeof code, "E1200000%d", region);
            sum += figure(csv, "golden-thread", code, "all", measures[at], "value");
        }
        cr_expect_float_eq(sum / england, 1, 1e-9, "%s", measures[at]);
    }
    free(csv);
    ran_free(&ran);
}

Test(run, any_number_of_workers_gives_the_same_bytes)
{
    static const char *const workers[] = {"1", "2", "5"};
    char *first[3] = {NULL};
    static const char *const files[] = {"rollup.csv", "results.db", "manifest.json"};
    write_sweep("s.yaml", 7);
    for (int at = 0; at < 3; at++) {
        json_t *result = run_json("s.yaml", workers[at], workers[at]);
        cr_expect_eq(json_whole(result, "draws"), 7 * 512);
        cr_expect_eq(json_whole(result, "model_runs"), 2 * 7 * 512);
        cr_expect_eq(json_whole(json_object_get(result, "blocks"), "done"), 7);
        cr_expect_eq(json_whole(json_object_get(result, "blocks"), "cached"), 0);
        cr_expect_eq(json_whole(result, "workers"), atoi(workers[at]));
        json_decref(result);
        for (int file = 0; file < 3; file++) {
            char path[64];
            snprintf(path, sizeof path, "%s/%s", workers[at], files[file]);
            char *text = read_text(path);
            cr_assert_not_null(text, "%s", path);
            if (at == 0) first[file] = text;
            else if (file != 1) cr_expect_str_eq(text, first[file], "%s with %s workers", files[file], workers[at]);
            if (at > 0) free(text);
        }
    }
    for (int file = 0; file < 3; file++) free(first[file]);
    expect_nothing_left();
}

/* A run in the background, in the state folder of its sweep. */
static pid_t start_run(const char *workers, const char *out)
{
    return start_program("goldthread", "bg",
                         (const char *[]){"run", "s.yaml", "--workers", workers, "--out", out, "--json", NULL});
}

/* Waits until the run in the background shows that blocks are done: what it has shown it keeps when it is
 * interrupted. */
static void wait_for_progress(void)
{
    char path[128];
    int waited = 0;
    long done = 0;
    snprintf(path, sizeof path, "%s/bg.err", place_path());
    while (done == 0) {
        char *said = read_text(path);
        for (const char *at = said; at && (at = strstr(at, "] "));) done = strtol(at += 2, NULL, 10);
        free(said);
        cr_assert(keep_waiting(&waited), "no block is done");
    }
}

static json_t *finish_run(pid_t pid)
{
    char path[128];
    int status = wait_program(pid);
    snprintf(path, sizeof path, "%s/bg.err", place_path());
    char *err = read_text(path);
    cr_assert_eq(status, 0, "status %d: %s", status, err);
    snprintf(path, sizeof path, "%s/bg.out", place_path());
    char *out = read_text(path);
    json_t *result = parse_json(out);
    free(err);
    free(out);
    return result;
}

/* The aggregator's store of the only run here. False: it is not there yet. */
static bool find_store(char path[512])
{
    char pattern[256];
    snprintf(pattern, sizeof pattern, "find %s/state -name aggregator.db 2>/dev/null", place_path());
    FILE *found = popen(pattern, "r");
    char *line = fgets(path, 512, found);
    pclose(found);
    if (line) path[strcspn(path, "\n")] = '\0';
    return line;
}

/* Empties the log of a store into its database. A run on a busy machine may have killed its aggregator before that did
 * so, and then the log would heal what a test damages. */
static void write_back(const char *path)
{
    sqlite3 *database;
    cr_assert_eq(sqlite3_open(path, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(database, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_close(database), SQLITE_OK);
}

/* Blocks in the aggregator's store of the only run here; -1 when it cannot be told yet. */
static long stored_blocks(void)
{
    char path[512];
    if (!find_store(path)) return -1;
    sqlite3 *database;
    sqlite3_stmt *query = NULL;
    long blocks = -1;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(database, "SELECT total(1 << level) FROM node", -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        blocks = (long)sqlite3_column_double(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(database);
    return blocks;
}

static void wait_for_blocks(long blocks)
{
    for (int waited = 0; stored_blocks() < blocks;) cr_assert(keep_waiting(&waited), "no block was stored");
}

static void signal_child(pid_t run, const char *name, int number)
{
    pid_t child;
    for (int waited = 0; find_children(run, name, &child, 1) == 0;) cr_assert(keep_waiting(&waited), "no %s", name);
    cr_assert_eq(kill(child, number), 0);
}

static void expect_same_after(const char *name, int number)
{
    write_gated_sweep();
    open_gate();
    json_t *plain = run_json("s.yaml", "2", "plain");
    shut_gate();
    pid_t run = start_run("2", "hurt");
    wait_for_blocks(2);
    signal_child(run, name, number);
    open_gate();
    json_t *hurt = finish_run(run);
    cr_expect_str_eq(json_text(hurt, "digest"), json_text(plain, "digest"));
    cr_expect_str_eq(json_text(hurt, "run"), json_text(plain, "run"));
    json_decref(plain);
    json_decref(hurt);
    expect_nothing_left();
}

Test(run, a_killed_worker_changes_nothing)
{
    expect_same_after("goldthread-worker", SIGKILL);
}

Test(run, a_killed_broker_changes_nothing)
{
    expect_same_after("goldthread-broker", SIGKILL);
}

Test(run, a_killed_aggregator_changes_nothing)
{
    expect_same_after("goldthread-aggregator", SIGKILL);
}

Test(run, a_stopped_broker_goes_on)
{
    expect_same_after("goldthread-broker", SIGSTOP);
}

Test(run, a_stopped_aggregator_goes_on)
{
    expect_same_after("goldthread-aggregator", SIGSTOP);
}

Test(run, an_interrupted_run_leaves_nothing_behind_and_a_rerun_resumes)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    static const char *const names[] = {"one", "two", "three"};
    write_gated_sweep();
    open_gate();
    json_t *plain = run_json("s.yaml", "2", "plain");
    for (int at = 0; at < 3; at++) {
        const char *out = names[at];
        shut_gate();
        pid_t run = start_run("2", out);
        wait_for_progress();
        cr_expect_geq(count_followers(run), 3);
        cr_assert_eq(kill(run, signals[at]), 0);
        cr_expect_eq(wait_program(run), 130);
        cr_expect_eq(count_followers(run), 0, "a child is left");
        cr_expect_not(exists(out), "output is left");
        cr_expect_eq(count_states(), 1, "the state is kept");
        expect_nothing_left();
        open_gate();
        json_t *resumed = run_json("s.yaml", "2", out);
        cr_expect_str_eq(json_text(resumed, "digest"), json_text(plain, "digest"));
        cr_expect_geq(json_whole(json_object_get(resumed, "blocks"), "cached"), 1);
        cr_expect_eq(count_states(), 0);
        json_decref(resumed);
    }
    json_decref(plain);
    expect_nothing_left();
}

Test(run, two_runs_of_one_sweep_at_once_do_not_meet)
{
    write_gated_sweep();
    pid_t run = start_run("1", "one");
    wait_for_blocks(1);
    char *gate = strdup(getenv("GOLDTHREAD_GATE"));
    unsetenv("GOLDTHREAD_GATE"); /* the second does not wait, and ends before the first may */
    json_t *two = run_json("s.yaml", "1", "two");
    write_text(gate, "");
    free(gate);
    json_t *one = finish_run(run);
    cr_expect_str_eq(json_text(one, "digest"), json_text(two, "digest"));
    json_decref(one);
    json_decref(two);
    expect_nothing_left();
}

Test(run, a_program_that_ends_again_and_again_is_named)
{
    struct ran plan = GOLDTHREAD("check", GOLDEN, "--json");
    json_t *json = parse_json(plan.out);
    char folder[256], journal[300];
    snprintf(folder, sizeof folder, "%s/state/goldthread", place_path());
    cr_assert_eq(mkdir(folder, 0700), 0);
    snprintf(folder, sizeof folder, "%s/state/goldthread/%s", place_path(), json_text(json, "sweep"));
    cr_assert_eq(mkdir(folder, 0700), 0);
    snprintf(journal, sizeof journal, "%s/broker", folder);
    write_text(journal, "no folder");
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--out", "out", "--quiet");
    cr_expect_eq(ran.status, 1);
    cr_expect_str_empty(ran.out);
    cr_expect_not_null(strstr(ran.err, "goldthread-broker"), "%s", ran.err);
    cr_expect_not_null(strstr(ran.err, "the end of its log"), "%s", ran.err);
    cr_expect_not(exists("out"));
    expect_nothing_left();
    json_decref(json);
    ran_free(&plan);
    ran_free(&ran);
}

Test(run, a_damaged_store_is_named_with_the_way_out)
{
    char store[512], command[256];
    write_gated_sweep();
    pid_t run = start_run("2", "out");
    wait_for_progress();
    cr_assert_eq(kill(run, SIGINT), 0);
    cr_expect_eq(wait_program(run), 130);
    open_gate();
    cr_assert(find_store(store));
    write_back(store);
    cr_assert_eq(truncate(store, 5000), 0);
    struct ran ran = GOLDTHREAD("run", "s.yaml", "--out", "out", "--quiet");
    cr_expect_eq(ran.status, 1);
    const char *log = strstr(ran.err, "the end of its log:\n"), *kept = strstr(ran.err, "is kept in ");
    cr_assert(log && kept, "%s", ran.err);
    const char *first = strchr(log, '\n') + 1;
    cr_expect(strncmp(first, "goldthread-aggregator: ", 23) == 0 || strncmp(first, "20", 2) == 0,
              "a line cut in half: %s", log);
    char folder[256];
    snprintf(folder, sizeof folder, "%s", kept + strlen("is kept in "));
    folder[strcspn(folder, ";")] = '\0';
    snprintf(command, sizeof command, "rm -r %.200s", folder);
    cr_assert_eq(system(command), 0, "%s", command);
    ran_free(&ran);
    ran = GOLDTHREAD("run", "s.yaml", "--out", "out", "--quiet");
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
    expect_nothing_left();
}

Test(run, json_is_one_object_and_names_the_files)
{
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--json");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out), *files = json_object_get(result, "files");
    static const char *const keys[] = {"sweep",  "run",     "digest",  "draws", "model_runs",
                                       "blocks", "seconds", "workers", "files", "failed_draws"};
    for (size_t at = 0; at < sizeof keys / sizeof *keys; at++)
        cr_expect_not_null(json_object_get(result, keys[at]), "%s", keys[at]);
    cr_assert_geq(json_array_size(files), 4);
    for (size_t at = 0; at < json_array_size(files); at++)
        cr_expect(exists(json_string_value(json_array_get(files, at))));
    char folder[128], prefix[9];
    snprintf(prefix, sizeof prefix, "%s", json_text(result, "digest"));
    snprintf(folder, sizeof folder, "results/golden-thread-%s/rollup.csv", prefix);
    cr_expect(exists(folder), "the default folder is results/NAME-DIGEST8: %s", folder);
    json_decref(result);
    ran_free(&ran);
}

Test(run, the_same_run_again_keeps_its_folder)
{
    for (int at = 0; at < 2; at++) {
        struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--quiet");
        cr_expect_eq(ran.status, 0, "%s", ran.err);
        ran_free(&ran);
    }
    cr_expect_eq(count_entries("results"), 1);
}

Test(run, a_sweep_whose_draws_all_fail_has_failed)
{
    write_text("s.yaml", "sweep: s\nscenarios:\n  - name: base\n  - name: huge\n"
                         "    set: {entitlement.funded_years: 4, effect.hours: 1e300, cost.fee_gbp: 1e308}\n"
                         "uncertain: {}\ndesign: {draws: 4}\noutputs: {areas: [england]}\n");
    struct ran ran = GOLDTHREAD("run", "s.yaml", "--json", "--quiet");
    cr_expect_eq(ran.status, 1);
    cr_expect_not_null(strstr(ran.err, "4 of 4 draws failed: the model could not compute"), "%s", ran.err);
    json_t *result = parse_json(ran.out);
    cr_expect_eq(json_whole(result, "failed_draws"), 4);
    cr_expect_eq(count_states(), 0, "there is nothing to go on from");
    json_decref(result);
    ran_free(&ran);
}

Test(run, an_altered_folder_is_left_alone_and_the_run_written_beside_it)
{
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--json", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *first = parse_json(ran.out);
    const char *csv = json_string_value(json_array_get(json_object_get(first, "files"), 0));
    write_text(csv, "altered\n");
    ran_free(&ran);
    ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--json", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *second = parse_json(ran.out);
    const char *other = json_string_value(json_array_get(json_object_get(second, "files"), 0));
    cr_expect_str_neq(other, csv);
    cr_expect_eq(count_entries("results"), 2);
    char *text = read_text(csv);
    cr_expect_str_eq(text, "altered\n");
    free(text);
    json_decref(first);
    json_decref(second);
    ran_free(&ran);
}

Test(run, runs_of_one_sweep_at_once_share_the_default_folder)
{
    enum { RUNS = 6 };
    pid_t runs[RUNS];
    for (int at = 0; at < RUNS; at++) {
        char name[16];
        snprintf(name, sizeof name, "bg%d", at);
        runs[at] = start_program(
            "goldthread", name,
            (const char *[]){"run", GOLDEN, "--design", "point", "--workers", "1", "--json", "--quiet", NULL});
    }
    for (int at = 0; at < RUNS; at++) cr_expect_eq(wait_program(runs[at]), 0, "run %d", at);
    cr_expect_eq(count_entries("results"), 1);
    expect_nothing_left();
}

/* What a run that is killed while it writes leaves: a stage that nobody holds. */
Test(run, the_stage_of_a_killed_run_is_cleared_away)
{
    cr_assert_eq(mkdir("out", 0755), 0);
    cr_assert_eq(mkdir("out/.stage-aaaaaa", 0755), 0);
    write_text("out/.stage-aaaaaa/rollup.csv", "half");
    cr_assert_eq(mkdir("new.stage-aaaaaa", 0755), 0);
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", "out", "--quiet");
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    cr_expect_eq(count_entries("out"), 4);
    ran_free(&ran);
    ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", "new", "--quiet");
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    cr_expect_not(exists("new.stage-aaaaaa"));
    ran_free(&ran);
}

Test(run, a_state_folder_too_deep_for_the_database_is_not_used)
{
    char folder[480];
    size_t size = (size_t)snprintf(folder, sizeof folder, "%s/", place_path());
    for (size_t at = size; at < sizeof folder - 1; at++) folder[at] = at % 100 == 99 ? '/' : 'a';
    folder[sizeof folder - 1] = '\0';
    setenv("XDG_STATE_HOME", folder, 1);
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", "out", "--quiet");
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    expect_nothing_left();
    ran_free(&ran);
}

Test(run, a_path_that_the_database_cannot_have_is_refused_before_the_work)
{
    char folder[600];
    for (size_t at = 0; at < sizeof folder - 1; at++) folder[at] = at % 100 == 99 ? '/' : 'a';
    folder[sizeof folder - 1] = '\0';
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", folder, "--quiet");
    cr_expect_eq(ran.status, 2, "%s", ran.err);
    cr_expect_not_null(strstr(ran.err, "too long"), "%s", ran.err);
    cr_expect_eq(count_entries("."), 0);
    ran_free(&ran);
}

Test(run, an_empty_folder_is_filled_and_a_full_one_refused)
{
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", ".", "--quiet");
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    cr_expect_eq(count_entries("."), 4);
    cr_expect(exists("manifest.json"));
    ran_free(&ran);
    ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", ".", "--quiet");
    cr_expect_eq(ran.status, 2);
    cr_expect_not_null(strstr(ran.err, "not empty"), "%s", ran.err);
    cr_expect_eq(count_entries("."), 4);
    ran_free(&ran);
}

Test(run, a_draw_fixed_by_set_is_the_table_changed)
{
    struct ran ran =
        GOLDTHREAD("run", GOLDEN, "--design", "point", "--set", "effect.attainment_sd=0.1", "--out", "a", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char *csv = read_text("a/rollup.csv");
    cr_expect_float_eq(figure(csv, "golden-thread", "E92000001", "all", "pv_earnings_gbp", "value"), 2 * 1510.8e6,
                       0.1e6);
    free(csv);
    ran_free(&ran);
}

/* With a random run too many draws would be needed to compare means; the statistics must hold together. */
Test(run, statistics_of_many_draws_hold_together)
{
    write_sweep("s.yaml", 4);
    json_decref(run_json("s.yaml", "2", "out"));
    char *csv = read_text("out/rollup.csv");
    static const char *const order[] = {"min", "p05", "p25", "p50", "p75", "p95", "max"};
    double before = -INFINITY;
    for (size_t at = 0; at < sizeof order / sizeof *order; at++) {
        double value = figure(csv, "policy - no-policy", "E92000001", "all", "pv_earnings_gbp", order[at]);
        cr_expect_geq(value, before, "%s", order[at]);
        before = value;
    }
    cr_expect_eq(figure(csv, "policy", "E92000001", "all", "pv_earnings_gbp", "n"), 2048);
    double sd = figure(csv, "policy", "E92000001", "all", "pv_earnings_gbp", "sd");
    cr_expect_float_eq(figure(csv, "policy", "E92000001", "all", "pv_earnings_gbp", "mcse"), sd / sqrt(2048),
                       sd * 1e-12);
    free(csv);
}

Test(run, every_scenario_file_of_the_project_runs)
{
    FILE *list = popen("ls " SCENARIOS "*.yaml", "r");
    char path[512];
    int count = 0;
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = '\0';
        struct ran ran = GOLDTHREAD("run", path, "--design", "point", "--quiet");
        cr_expect_eq(ran.status, 0, "%s: %s", path, ran.err);
        ran_free(&ran);
        count++;
    }
    pclose(list);
    cr_expect_geq(count, 14);
}
