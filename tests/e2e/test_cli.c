#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_place.h"

#define GOLDEN      GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml"
#define GOOD        "sweep: x\nscenarios:\n  - name: base\n"
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

TestSuite(cli, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

/* One line on stderr, FILE:LINE:COLUMN: and words, and nothing else anywhere. */
static void expect_refused(const struct ran *ran, const char *file, const char *what)
{
    char pattern[256];
    regex_t place;
    snprintf(pattern, sizeof pattern, "^%s:[0-9]+:[0-9]+: [^\n]+\n$", file);
    cr_assert_eq(regcomp(&place, pattern, REG_EXTENDED | REG_NOSUB), 0);
    cr_expect_eq(ran->status, 2, "%s: status %d", what, ran->status);
    cr_expect_str_empty(ran->out, "%s", what);
    cr_expect_eq(regexec(&place, ran->err, 0, NULL, 0), 0, "%s: %s", what, ran->err);
    regfree(&place);
    char state[128];
    snprintf(state, sizeof state, "%s/state", place_path());
    cr_expect_eq(count_entries(state), 0, "%s: a state was written", what);
    cr_expect_not(exists("results"), "%s: results were written", what);
}

Test(cli, a_population_that_is_not_all_of_england_is_noted)
{
    write_text("one.csv", "urn,la,la_name,region,phase,pupils,fsm6_pct,fsm6_quintile,rise_2025,teachers_fte_est,"
                          "ks4_pupils_2024,ks4_disadv_pct_2024\n"
                          "1,201,City of London,London,secondary,900,20,3,0,4633.664,150,25\n");
    struct ran ran = GOLDTHREAD("check", GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml", "--population", "one.csv");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    cr_expect(strstr(ran.err, "this population has 1.0 % of England's teachers"), "%s", ran.err);
    ran_free(&ran);
    ran = GOLDTHREAD("check", GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml");
    cr_expect_null(strstr(ran.err, "this population"), "%s", ran.err);
    ran_free(&ran);
}

Test(cli, wrong_files_are_refused_by_every_command_that_reads_one)
{
    static const char *const texts[] = {"",
                                        "words\n",
                                        "[1, 2\n",
                                        GOOD "    set: {effect.hour: 3}\n",
                                        GOOD "    set: {effect.implementation: 1.5}\n",
                                        GOOD "design: {draws: 0}\n",
                                        GOOD "population: missing.csv\n",
                                        GOOD "outputs: {measures: [nothing]}\n",
                                        GOOD "outputs: {areas: [school]}\n",
                                        "sweep: \"\x01\"\n"};
    static const char *const commands[] = {"run", "check", "submit"};
    for (size_t at = 0; at < COUNT(texts); at++)
        for (size_t command = 0; command < COUNT(commands); command++) {
            write_text("bad.yaml", texts[at]);
            struct ran ran = GOLDTHREAD(commands[command], "bad.yaml");
            expect_refused(&ran, "bad.yaml", texts[at]);
            ran_free(&ran);
        }
}

Test(cli, what_is_no_readable_file_is_refused)
{
    cr_assert_eq(mkdir("folder", 0700), 0);
    cr_assert_eq(mkfifo("pipe", 0600), 0);
    write_text("closed", GOOD);
    cr_assert_eq(chmod("closed", 0), 0);
    static const char *const names[] = {"folder", "pipe", "missing.yaml", "closed", "closed/under"};
    for (size_t at = 0; at < COUNT(names); at++) {
        if (geteuid() == 0 && strcmp(names[at], "closed") == 0) continue; /* root reads everything */
        struct ran ran = GOLDTHREAD("run", names[at]);
        expect_refused(&ran, names[at], names[at]);
        ran_free(&ran);
    }
}

/* As of `goldthread check <(make-scenario)`: the writer is slower than the reader. */
Test(cli, a_scenario_may_come_through_a_pipe)
{
    enum { HALF = 9 };
    static const char good[] = GOOD;
    cr_assert_eq(mkfifo("pipe", 0600), 0);
    int fd = open("pipe", O_RDWR | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    pid_t check = start_program("goldthread", "bg", (const char *[]){"check", "pipe", "--json", NULL});
    cr_assert_eq(write(fd, good, HALF), HALF);
    for (int waited_ms = 0, left = 1; left > 0;) { /* until it has been read, and more is waited for */
        cr_assert_eq(ioctl(fd, FIONREAD, &left), 0);
        cr_assert(keep_waiting(&waited_ms), "the pipe is not read");
    }
    cr_assert_eq(write(fd, good + HALF, sizeof good - 1 - HALF), (ssize_t)sizeof good - 1 - HALF);
    close(fd);
    cr_expect_eq(wait_program(check), 0);
}

Test(cli, a_gigabyte_of_zeros_is_refused_and_not_read_in)
{
    int fd = open("zeros", O_WRONLY | O_CREAT, 0600);
    cr_assert_eq(ftruncate(fd, 1L << 30), 0);
    close(fd);
    struct rusage used;
    struct ran ran = GOLDTHREAD("run", "zeros");
    expect_refused(&ran, "zeros", "zeros");
    cr_assert_eq(getrusage(RUSAGE_CHILDREN, &used), 0);
    cr_expect_lt(used.ru_maxrss, 512 << 10, "%ld KiB in memory", used.ru_maxrss);
    ran_free(&ran);
    ran = GOLDTHREAD("check", "/dev/zero");
    expect_refused(&ran, "/dev/zero", "/dev/zero"); /* which has no end to read to */
    ran_free(&ran);
}

Test(cli, wrong_words_are_refused_with_one_line)
{
    static const char *const rows[][6] = {
        {"rnu", GOLDEN},
        {"run"},
        {"run", GOLDEN, "more"},
        {"run", GOLDEN, "--workers", "0"},
        {"run", GOLDEN, "--draws", "0"},
        {"run", GOLDEN, "--set", "effect.hour=3"},
        {"run", GOLDEN, "--design", "sobel"},
        {"run", GOLDEN, "--population", "nowhere.csv"},
        {"run", GOLDEN, "--out", "/dev/null"},
        {"run", GOLDEN, "--nonsense"},
        {"watch", "abc"},
        {"run", GOLDEN, "--population", "bad\xff.csv"},
        {"run", "two\nlines"},
        {"results", "nowhere"},
        {"results", "nowhere", "--format", "xml"},
        {"status", "xyz"},
        {"submit", GOLDEN, "--broker", "nonsense"},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        struct ran ran = run_program("goldthread", rows[at]);
        cr_expect_eq(ran.status, 2, "row %zu: status %d: %s", at, ran.status, ran.err);
        cr_expect_str_empty(ran.out, "row %zu", at);
        cr_expect_eq(count_lines(ran.err), 1, "row %zu: %s", at, ran.err);
        ran_free(&ran);
    }
    cr_expect_eq(count_entries("."), 0, "something was written");
}

Test(cli, help_and_version_are_there_for_every_command)
{
    static const char *const commands[] = {"run",    "check",  "validate", "verify", "parameters", "results",
                                           "submit", "status", "cancel",   "watch",  "explain",    "keygen"};
    struct ran all = GOLDTHREAD("--help");
    cr_expect_eq(all.status, 0);
    for (size_t at = 0; at < COUNT(commands); at++) {
        cr_expect_not_null(strstr(all.out, commands[at]), "%s", commands[at]);
        struct ran help = GOLDTHREAD(commands[at], "--help"), version = GOLDTHREAD(commands[at], "--version");
        cr_expect(help.status == 0 && strstr(help.out, "usage: goldthread"), "%s", commands[at]);
        cr_expect(version.status == 0 && strncmp(version.out, "goldthread ", 11) == 0, "%s", commands[at]);
        ran_free(&help);
        ran_free(&version);
    }
    ran_free(&all);
    struct ran bare = run_program("goldthread", (const char *[]){NULL}), version = GOLDTHREAD("--version");
    cr_expect_eq(bare.status, 2);
    cr_expect_str_empty(bare.out);
    cr_expect_eq(version.status, 0);
    ran_free(&bare);
    ran_free(&version);
}

Test(cli, check_prints_the_plan_and_runs_nothing)
{
    struct ran ran = GOLDTHREAD("check", GOLDEN, "--json");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *plan = parse_json(ran.out);
    cr_expect_eq(json_whole(plan, "draws"), 4096);
    cr_expect_eq(json_whole(plan, "model_runs"), 8192);
    cr_expect_eq(json_whole(plan, "areas"), 10);
    cr_expect_eq(json_whole(plan, "blocks") * json_whole(plan, "draws_per_block"), 4096);
    cr_expect_eq(json_array_size(json_object_get(plan, "uncertain")), 2);
    cr_expect(json_real_value(json_object_get(plan, "forecast_seconds")) > 0);
    cr_expect(json_real_value(json_object_get(plan, "sample_seconds")) > 0);
    cr_expect_eq(json_whole(plan, "rows"), 1);
    json_decref(plan);
    ran_free(&ran);
    ran = GOLDTHREAD("check", GOLDEN);
    cr_expect_eq(ran.status, 0);
    cr_expect_not_null(strstr(ran.out, "sound\nplan       4,096 draws x 2 scenarios = 8,192 model runs in "), "%s",
                       ran.out);
    cr_expect_not_null(strstr(ran.out, "run here in "), "%s", ran.out);
    cr_expect_not_null(strstr(ran.out, "triangular 0, 0.05, 0.12"), "%s", ran.out);
    ran_free(&ran);
    cr_expect_eq(count_entries("."), 0);
}

Test(cli, notes_go_to_stderr_and_not_with_quiet)
{
    struct ran ran = GOLDTHREAD("check", GOLDEN, "--draws", "3", "--set", "effect.hours=60");
    cr_expect_eq(ran.status, 0);
    cr_expect_eq(count_lines(ran.err), 2, "%s", ran.err);
    cr_expect_not_null(strstr(ran.err, "power of two"));
    cr_expect_not_null(strstr(ran.err, "plausible range"));
    ran_free(&ran);
    ran = GOLDTHREAD("check", GOLDEN, "--draws", "3", "--quiet");
    cr_expect_str_empty(ran.err);
    ran_free(&ran);
}

Test(cli, parameters_are_listed_with_their_sources)
{
    struct ran ran = GOLDTHREAD("parameters", "--json");
    cr_assert_eq(ran.status, 0);
    json_t *list = parse_json(ran.out);
    bool found = false;
    for (size_t at = 0; at < json_array_size(list); at++) {
        const json_t *row = json_array_get(list, at);
        cr_expect_str_not_empty(json_text(row, "source"), "%s", json_text(row, "name"));
        if (strcmp(json_text(row, "name"), "effect.attainment_sd") != 0) continue;
        found = true;
        cr_expect_eq(json_real_value(json_object_get(row, "central")), 0.05);
        cr_expect_str_eq(json_text(row, "distribution"), "triangular 0, 0.05, 0.12");
    }
    cr_expect(found);
    json_decref(list);
    ran_free(&ran);
}

static void make_results(const char *out)
{
    struct ran ran = GOLDTHREAD("run", GOLDEN, "--design", "point", "--out", out, "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
}

Test(cli, output_that_cannot_be_written_fails_with_one_line)
{
    static const char *const rows[][3] = {{"parameters"},    {"parameters", "--json"},    {"validate", "--json"},
                                          {"check", GOLDEN}, {"check", GOLDEN, "--json"}, {"--help"}};
    cr_assert_eq(symlink("/dev/full", "../full.out"), 0);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        const char *const words[] = {rows[row][0], rows[row][1], rows[row][2], NULL};
        cr_expect_eq(wait_program(start_program("goldthread", "full", words)), 1, "row %zu", row);
        char *err = read_text("../full.err");
        cr_assert_not_null(err);
        const char *said = strstr(err, "goldthread: standard output cannot be written\n");
        cr_expect(said && strchr(said, '\n')[1] == 0, "row %zu: %s", row, err);
        free(err);
    }
}

Test(cli, results_prints_the_table_it_has_verified)
{
    make_results("out");
    char *csv = read_text("out/rollup.csv");
    struct ran ran = GOLDTHREAD("results", "out");
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    cr_expect_str_eq(ran.out, csv);
    ran_free(&ran);
    ran = GOLDTHREAD("results", "out", "--format", "json");
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    json_t *rows = parse_json(ran.out);
    cr_expect_eq(json_array_size(rows), count_lines(csv) - 1);
    size_t nulls = 0;
    for (size_t at = 0; at < json_array_size(rows); at++) {
        const json_t *value = json_object_get(json_array_get(rows, at), "value");
        cr_assert(json_is_number(value) || json_is_null(value));
        nulls += json_is_null(value);
    }
    cr_expect_gt(nulls, 0, "a ratio without cost is undefined");
    json_decref(rows);
    ran_free(&ran);
    ran = GOLDTHREAD("results", "out", "--out", "copy");
    cr_expect_eq(ran.status, 0);
    char *copy = read_text("copy/rollup.csv");
    cr_expect_str_eq(copy, csv);
    free(copy);
    free(csv);
    ran_free(&ran);
}

Test(cli, results_reads_no_more_than_the_manifest_says)
{
    make_results("out");
    cr_assert_eq(unlink("out/rollup.csv"), 0);
    cr_assert_eq(symlink("/dev/zero", "out/rollup.csv"), 0);
    struct ran ran = GOLDTHREAD("results", "out");
    cr_expect_eq(ran.status, 1);
    cr_expect_not_null(strstr(ran.err, "rollup.csv was altered"), "%s", ran.err);
    ran_free(&ran);
}

Test(cli, a_digest_that_is_not_the_tables_is_found)
{
    make_results("out");
    char *text = read_text("out/manifest.json"), *digest = strstr(text, "\"digest\": \"");
    cr_assert_not_null(digest);
    digest[strlen("\"digest\": \"")] ^= 1; /* another digit */
    write_text("out/manifest.json", text);
    struct ran ran = GOLDTHREAD("results", "out");
    cr_expect_eq(ran.status, 1);
    cr_expect_not_null(strstr(ran.err, "digest is not that of rollup.csv"), "%s", ran.err);
    ran_free(&ran);
    write_text("out/manifest.json", "");
    ran = GOLDTHREAD("results", "out");
    cr_expect_eq(ran.status, 1);
    cr_expect_not_null(strstr(ran.err, "it is empty"), "%s", ran.err);
    ran_free(&ran);
    free(text);
}

Test(cli, the_manifest_names_every_file_and_alterations_are_found)
{
    make_results("out");
    char *text = read_text("out/manifest.json");
    json_t *manifest = parse_json(text), *files = json_object_get(manifest, "files");
    cr_expect_eq(json_array_size(files) + 1, count_entries("out"));
    for (size_t at = 0; at < json_array_size(files); at++) {
        const json_t *file = json_array_get(files, at);
        char path[128];
        struct stat info;
        snprintf(path, sizeof path, "out/%s", json_text(file, "name"));
        cr_assert_eq(stat(path, &info), 0, "%s", path);
        cr_expect_eq(info.st_size, json_whole(file, "bytes"), "%s", path);
        if (strcmp(json_text(file, "name"), "rollup.csv") == 0)
            cr_expect_str_eq(json_text(file, "sha256"), json_text(manifest, "digest"));
    }
    json_decref(manifest);
    free(text);
    char *csv = read_text("out/rollup.csv");
    csv[strlen(csv) - 2] ^= 1;
    write_text("out/rollup.csv", csv);
    struct ran ran = GOLDTHREAD("results", "out");
    cr_expect_eq(ran.status, 1);
    cr_expect_str_empty(ran.out);
    cr_expect_not_null(strstr(ran.err, "rollup.csv was altered"), "%s", ran.err);
    ran_free(&ran);
    free(csv);
}

Test(cli, the_command_in_the_manifest_makes_the_run_again)
{
    struct ran ran =
        GOLDTHREAD("run", GOLDEN, "--design", "point", "--set", "effect.hours=20", "--out", "one", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
    char *text = read_text("one/manifest.json");
    json_t *first = parse_json(text), *command = json_object_get(first, "command");
    const char *words[32] = {NULL};
    size_t count = 0;
    for (size_t at = 1; at < json_array_size(command); at++)
        words[count++] = json_string_value(json_array_get(command, at));
    words[count++] = "--out";
    words[count++] = "../two";
    cr_assert_eq(chdir("one"), 0);
    ran = run_program("goldthread", words);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    cr_assert_eq(chdir(".."), 0);
    char *again = read_text("two/manifest.json");
    json_t *second = parse_json(again);
    cr_expect_str_eq(json_text(second, "run"), json_text(first, "run"));
    json_decref(first);
    json_decref(second);
    free(text);
    free(again);
    ran_free(&ran);
}

Test(cli, the_model_meets_the_published_figures)
{
    struct ran ran = GOLDTHREAD("validate", "--json");
    cr_assert_eq(ran.status, 0, "%s%s", ran.out, ran.err);
    json_t *rows = parse_json(ran.out);
    bool seen[17] = {false};
    for (size_t at = 0; at < json_array_size(rows); at++) {
        const json_t *row = json_array_get(rows, at);
        int number = atoi(json_text(row, "id") + 1);
        cr_assert(number >= 1 && number <= 16, "%s", json_text(row, "id"));
        cr_expect_str_eq(json_text(row, "verdict"), "pass", "%s %s", json_text(row, "id"), json_text(row, "what"));
        seen[number] = true;
    }
    for (int number = 1; number <= 16; number++) cr_expect(seen[number], "no row for V%d", number);
    json_decref(rows);
    ran_free(&ran);
}

Test(cli, no_server_gives_status_3)
{
    char endpoint[64];
    int port;
    const int fd = hold_port(&port);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    static const char id[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    static const char *const commands[] = {"status", "explain", "watch"};
    for (size_t at = 0; at < COUNT(commands); at++) {
        struct ran ran = GOLDTHREAD_ONCE(commands[at], id, "--broker", endpoint);
        cr_expect_eq(ran.status, 3, "%s", commands[at]);
        cr_expect_eq(count_lines(ran.err), 1, "%s: %s", commands[at], ran.err);
        cr_expect_not_null(strstr(ran.err, endpoint), "%s: %s", commands[at], ran.err);
        ran_free(&ran);
    }
    close(fd);
}

/* Servers on the loopback, as people start them by hand. */
struct servers {
    pid_t broker, aggregator, worker;
    char broker_endpoint[64];
};

static struct servers start_servers(void)
{
    struct servers servers;
    char parent[16];
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    servers.broker = start_program(
        "goldthread-broker", "broker",
        (const char *[]){"--bind", "tcp://127.0.0.1:*", "--state", "broker-state", "--follow-parent", parent, NULL});
    find_endpoint("broker", servers.broker_endpoint, sizeof servers.broker_endpoint);
    servers.aggregator =
        start_program("goldthread-aggregator", "aggregator",
                      (const char *[]){"--bind", "tcp://127.0.0.1:*", "--broker", servers.broker_endpoint, "--state",
                                       "aggregator-state", "--follow-parent", parent, NULL});
    wait_until_said("broker", "aggregator-joined");
    servers.worker =
        start_program("goldthread-worker", "worker",
                      (const char *[]){"--broker", servers.broker_endpoint, "--follow-parent", parent, NULL});
    wait_until_said("worker", "started"); /* from now on it ends in good order when told to */
    return servers;
}

static void stop_servers(const struct servers *servers)
{
    const pid_t pids[] = {servers->worker, servers->aggregator, servers->broker};
    for (int at = 0; at < 3; at++) {
        kill(pids[at], SIGTERM);
        cr_expect_eq(wait_program(pids[at]), 0, "program %d", at);
    }
}

static json_t *ask_status(const char *sweep)
{
    struct ran ran = GOLDTHREAD("status", sweep, "--json");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *status = parse_json(ran.out);
    ran_free(&ran);
    return status;
}

Test(cli, a_sweep_is_submitted_followed_and_fetched)
{
    struct servers servers = start_servers();
    setenv("GOLDTHREAD_BROKER", servers.broker_endpoint, 1);
    struct ran one = GOLDTHREAD("submit", GOLDEN, "--draws", "1024"),
               two = GOLDTHREAD("submit", GOLDEN, "--draws", "1024");
    cr_assert_eq(one.status, 0, "%s", one.err);
    cr_expect_eq(strlen(one.out), 65, "an id and a line end: %s", one.out);
    cr_expect_str_eq(one.out, two.out, "the same file is the same sweep");
    one.out[64] = '\0';
    struct ran watch = GOLDTHREAD("watch", one.out), why = GOLDTHREAD("explain", one.out);
    cr_expect_eq(watch.status, 0, "%s%s", watch.out, watch.err);
    cr_expect_not_null(strstr(watch.out, "done "), "%s", watch.out);
    cr_expect(why.status == 0 && count_lines(why.out) == 1, "%s%s", why.out, why.err);
    cr_expect_eq(strncmp(why.out, "done: ", 6), 0, "%s", why.out);
    char digest[80] = "";
    for (int waited = 0; !*digest;) {
        json_t *status = ask_status(one.out), *sweep = json_array_get(json_object_get(status, "sweeps"), 0);
        if (strcmp(json_text(sweep, "state"), "done") == 0)
            snprintf(digest, sizeof digest, "%s", json_text(sweep, "digest"));
        json_decref(status);
        cr_assert(*digest || keep_waiting(&waited), "the sweep is not done");
    }
    struct ran table = GOLDTHREAD("status"), csv = GOLDTHREAD("results", one.out);
    cr_expect_not_null(strstr(table.out, digest), "%s", table.out);
    cr_expect_eq(csv.status, 0, "%s", csv.err);
    struct ran local = GOLDTHREAD("run", GOLDEN, "--draws", "1024", "--out", "local", "--quiet", "--json");
    cr_assert_eq(local.status, 0, "%s", local.err);
    json_t *result = parse_json(local.out);
    cr_expect_str_eq(json_text(result, "digest"), digest, "servers and `run` agree");
    cr_expect_str_eq(json_text(result, "sweep"), one.out);
    char *rollup = read_text("local/rollup.csv");
    cr_expect_str_eq(csv.out, rollup);
    struct ran unknown = GOLDTHREAD("status", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
    cr_expect_eq(unknown.status, 1, "%s%s", unknown.out, unknown.err);
    json_decref(result);
    free(rollup);
    cr_expect_not_null(strstr(watch.out, digest), "%s", watch.out);
    cr_expect_not_null(strstr(why.out, digest), "%s", why.out);
    struct ran *all[] = {&one, &two, &table, &csv, &local, &unknown, &watch, &why};
    for (size_t at = 0; at < COUNT(all); at++) ran_free(all[at]);
    stop_servers(&servers);
}

Test(cli, what_a_sweep_discovers_is_fetched_as_run_writes_it)
{
    static const char *const files[] = {"rollup.csv", "sensitivity.csv", "boxes.csv", "draws.csv"};
    const char *file = GOLDTHREAD_SOURCE "/scenarios/discover.yaml";
    struct servers servers = start_servers();
    setenv("GOLDTHREAD_BROKER", servers.broker_endpoint, 1);
    struct ran sweep = GOLDTHREAD("submit", file, "--draws", "2048");
    cr_assert_eq(strlen(sweep.out), 65, "%s%s", sweep.out, sweep.err);
    sweep.out[64] = '\0';
    struct ran watch = GOLDTHREAD("watch", sweep.out), fetched = GOLDTHREAD("results", sweep.out, "--out", "fetched");
    struct ran local = GOLDTHREAD("run", file, "--draws", "2048", "--out", "local", "--quiet");
    cr_assert(watch.status == 0 && fetched.status == 0 && local.status == 0, "%s%s%s", watch.err, fetched.err,
              local.err);
    for (size_t at = 0; at < COUNT(files); at++) {
        char one[64], two[64];
        snprintf(one, sizeof one, "fetched/%s", files[at]);
        snprintf(two, sizeof two, "local/%s", files[at]);
        char *here = read_text(one), *there = read_text(two);
        cr_assert(here && there, "%s", files[at]);
        cr_expect_str_eq(here, there, "%s", files[at]);
        free(here);
        free(there);
    }
    struct ran boxes = GOLDTHREAD("results", "local", "--table", "boxes", "--format", "json");
    json_t *list = parse_json(boxes.out);
    cr_expect_gt(json_real_value(json_object_get(json_array_get(list, 1), "density")), 0);
    json_decref(list);
    struct ran *all[] = {&sweep, &watch, &fetched, &local, &boxes};
    for (size_t at = 0; at < COUNT(all); at++) ran_free(all[at]);
    stop_servers(&servers);
}

Test(cli, a_study_is_fetched_with_its_table)
{
    struct servers servers = start_servers();
    setenv("GOLDTHREAD_BROKER", servers.broker_endpoint, 1);
    write_text("study.yaml", "sweep: study\nscenarios: [{name: base}]\ndesign: {method: saltelli, draws: 256}\n"
                             "uncertain: {effect.attainment_sd: {triangular: [0, 0.05, 0.12]}}\n"
                             "sensitivity: [leavers_fte]\noutputs: {areas: [england], measures: [leavers_fte]}\n");
    struct ran id = GOLDTHREAD("submit", "study.yaml");
    cr_assert_eq(id.status, 0, "%s", id.err);
    id.out[64] = '\0';
    struct ran watch = GOLDTHREAD("watch", id.out);
    cr_expect_eq(watch.status, 0, "%s%s", watch.out, watch.err);
    struct ran run = GOLDTHREAD("run", "study.yaml", "--quiet", "--out", "local");
    cr_assert_eq(run.status, 0, "%s", run.err);
    char *expected = read_text("local/sensitivity.csv");
    struct ran table = GOLDTHREAD("results", id.out, "--table", "sensitivity");
    cr_expect_str_eq(table.out, expected, "%s", table.err);
    free(expected);
    struct ran *all[] = {&id, &watch, &run, &table};
    for (size_t at = 0; at < COUNT(all); at++) ran_free(all[at]);
    stop_servers(&servers);
}

Test(cli, a_sweep_is_cancelled)
{
    struct servers servers = start_servers();
    setenv("GOLDTHREAD_BROKER", servers.broker_endpoint, 1);
    struct ran id = GOLDTHREAD("submit", GOLDEN, "--draws", "1073741824");
    cr_assert_eq(id.status, 0, "%s", id.err);
    id.out[64] = '\0';
    struct ran cancel = GOLDTHREAD("cancel", id.out);
    cr_expect_eq(cancel.status, 0, "%s", cancel.err);
    json_t *status = ask_status(id.out);
    cr_expect_str_eq(json_text(json_array_get(json_object_get(status, "sweeps"), 0), "state"), "cancelled");
    json_decref(status);
    struct ran watch = GOLDTHREAD("watch", id.out), why = GOLDTHREAD("explain", id.out);
    cr_expect_eq(watch.status, 1, "%s%s", watch.out, watch.err);
    cr_expect_not_null(strstr(watch.err, "cancelled"), "%s", watch.err);
    cr_expect_eq(count_lines(watch.out), 1, "%s", watch.out);
    cr_expect_eq(strncmp(why.out, "cancelled with ", 15), 0, "%s%s", why.out, why.err);
    ran_free(&watch);
    ran_free(&why);
    char zeros[65] = "";
    memset(zeros, '0', 64);
    static const char *const commands[] = {"status", "cancel", "results", "watch", "explain"};
    for (size_t at = 0; at < COUNT(commands); at++) { /* a broker takes zeros for `all` */
        struct ran ran = GOLDTHREAD(commands[at], zeros);
        cr_expect_eq(ran.status, 2, "%s: %s", commands[at], ran.out);
        ran_free(&ran);
    }
    ran_free(&id);
    ran_free(&cancel);
    id = GOLDTHREAD("submit", GOLDEN, "--design", "point");
    id.out[64] = '\0';
    for (int waited = 0;;) {
        status = ask_status(id.out);
        bool done = strcmp(json_text(json_array_get(json_object_get(status, "sweeps"), 0), "state"), "done") == 0;
        json_decref(status);
        if (done) break;
        cr_assert(keep_waiting(&waited), "the sweep does not end");
    }
    cancel = GOLDTHREAD("cancel", id.out);
    cr_expect_eq(cancel.status, 1);
    cr_expect_not_null(strstr(cancel.err, "the sweep is done"), "%s", cancel.err);
    ran_free(&id);
    ran_free(&cancel);
    stop_servers(&servers);
}

Test(cli, a_school_file_travels_with_the_sweep)
{
    write_text("schools.csv",
               "urn,la,la_name,region,phase,pupils,fsm6_pct,fsm6_quintile,rise_2025,teachers_fte_est,ks4_pupils_2024,"
               "ks4_disadv_pct_2024\n"
               "100001,201,City of London,London,secondary,1000,50,5,0,50,160,50\n"
               "100002,202,Camden,London,primary,300,20,2,0,15,,\n");
    write_text("s.yaml",
               "sweep: mine\npopulation: schools.csv\nscenarios:\n  - name: base\n  - name: policy\n"
               "    set: {entitlement.funded_years: 4}\ndesign: point\noutputs: {areas: [england, school]}\n");
    struct ran ran = GOLDTHREAD("run", "s.yaml", "--out", "out", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char *csv = read_text("out/rollup.csv");
    double england = figure(csv, "policy", "E92000001", "all", "starts", "value");
    double one = figure(csv, "policy", "100001", "all", "starts", "value");
    double two = figure(csv, "policy", "100002", "all", "starts", "value");
    cr_expect_float_eq((one + two) / england, 1, 1e-12);
    free(csv);
    ran_free(&ran);
    write_text("schools.csv", "urn,la\n1,2\n");
    ran = GOLDTHREAD("check", "s.yaml");
    cr_expect_eq(ran.status, 2);
    cr_expect_eq(strncmp(ran.err, "schools.csv:1:", 14), 0, "%s", ran.err);
    ran_free(&ran);
}

Test(cli, tables_of_several_scenarios_stand_apart)
{
    struct ran ran = GOLDTHREAD("run", GOLDTHREAD_SOURCE "/scenarios/epi-35-hours.yaml", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    const char *first = strstr(ran.out, "no-policy  epi-stock  difference\n"),
               *gap = first ? strstr(first, "\n\n") : NULL;
    const char *second = strstr(ran.out, "no-policy  epi-flow  difference\n");
    cr_expect(gap && second && gap < second, "%s", ran.out);
    ran_free(&ran);
}
