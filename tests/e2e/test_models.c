/* Models from shared objects, through the whole pipeline. */
#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_place.h"

TestSuite(models, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

/* A scenario file for a model of GOLDTHREAD_MODELS. */
static void write_scenario(const char *model, const char *set, const char *design)
{
    char text[1024];
    snprintf(text, sizeof text,
             "sweep: models\nmodel: %s/%s.so\nscenarios: [{name: base, set: {%s}}]\ndesign: {%s}\n"
             "outputs: {areas: [england], quantiles: []}\n",
             GOLDTHREAD_MODELS, model, set, design);
    write_text("models.yaml", text);
}

static char *run_for_digest(const char *workers, const char *out)
{
    struct ran ran = GOLDTHREAD("run", "models.yaml", "--workers", workers, "--quiet", "--json", "--out", out);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out);
    char *digest = strdup(json_text(result, "digest"));
    json_decref(result);
    ran_free(&ran);
    return digest;
}

static double y_of(const char *folder, const char *statistic)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/rollup.csv", folder);
    char *csv = read_text(path);
    cr_assert_not_null(csv, "%s", path);
    const double value = figure(csv, "base", "E92000001", "all", "y", statistic);
    free(csv);
    return value;
}

/* ---- what runs ---- */

Test(models, any_number_of_workers_gives_one_digest)
{
    write_scenario("ishigami", "", "method: sobol, draws: 32768, block: 64");
    char *expected = run_for_digest("1", "one"), *two = run_for_digest("2", "two"), *five = run_for_digest("5", "five");
    cr_expect_str_eq(two, expected);
    cr_expect_str_eq(five, expected);
    cr_expect_float_eq(y_of("one", "mean"), 3.5, 0.01);
    cr_expect_float_eq(y_of("one", "sd"), sqrt(13.844587940719254), 0.01);
    free(expected);
    free(two);
    free(five);
}

Test(models, a_killed_worker_changes_no_bit)
{
    write_scenario("morris", "", "method: sobol, draws: 131072, block: 16");
    char *expected = run_for_digest("2", "undisturbed");
    char *text = run_with_kills(
        (const char *[]){"run", "models.yaml", "--workers", "3", "--json", "--quiet", "--out", "struck", NULL},
        "struck");
    json_t *result = parse_json(text);
    cr_expect_str_eq(json_text(result, "digest"), expected);
    cr_expect_float_eq(y_of("struck", "sd"), sqrt(1074.935872197774), 0.2);
    json_decref(result);
    free(text);
    free(expected);
}

Test(models, another_build_is_another_sweep)
{
    char command[512];
    struct ran first, second;
    snprintf(command, sizeof command, "cp '%s/product.so' mine.so", GOLDTHREAD_MODELS);
    cr_assert_eq(system(command), 0);
    write_text("mine.yaml", "sweep: mine\nmodel: mine.so\nscenarios: [{name: base}]\n"); /* beside the file */
    cr_assert_eq(mkdir("elsewhere", 0700), 0);
    first = GOLDTHREAD("check", "mine.yaml", "--json");
    cr_assert_eq(system("echo >>mine.so"), 0); /* the loader does not mind, and it is another file */
    second = GOLDTHREAD("check", "mine.yaml", "--json");
    cr_assert_eq(first.status, 0, "%s", first.err);
    cr_assert_eq(second.status, 0, "%s", second.err);
    json_t *one = parse_json(first.out), *two = parse_json(second.out);
    cr_expect_str_neq(json_text(one, "sweep"), json_text(two, "sweep"));
    json_decref(one);
    json_decref(two);
    ran_free(&first);
    ran_free(&second);
}

Test(models, a_file_that_is_no_model_is_refused_with_its_place)
{
    static const char *const rows[][2] = {{"absent.so", "No such file"},
                                          {"text.so", "file too short"},
                                          {"text", "no model is called `text`"},
                                          {"./text", "ends in .so"}};
    write_text("text.so", "hello\n");
    write_text("text", "hello\n");
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char text[256];
        snprintf(text, sizeof text, "sweep: wrong\nmodel: %s\nscenarios: [{name: base}]\n", rows[at][0]);
        write_text("wrong.yaml", text);
        struct ran ran = GOLDTHREAD("run", "wrong.yaml");
        cr_expect_eq(ran.status, 2, "%s: status %d", rows[at][0], ran.status);
        cr_expect(strncmp(ran.err, "wrong.yaml:2:8: ", 16) == 0 && strstr(ran.err, rows[at][1]), "%s: %s", rows[at][0],
                  ran.err);
        ran_free(&ran);
    }
}

/* ---- what goes wrong in a model ---- */

Test(models, a_figure_that_is_no_number_is_undefined_and_no_failure)
{
    write_scenario("faulty", "fault: undefined, from: 0.5", "method: sobol, draws: 4096");
    struct ran ran = GOLDTHREAD("run", "models.yaml", "--workers", "2", "--quiet", "--json", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out);
    cr_expect_eq(json_whole(result, "failed_draws"), 0);
    cr_expect_eq(y_of("out", "n"), 2048, "half of the draws have a figure");
    cr_expect_float_eq(y_of("out", "mean"), 0.25, 1e-3);
    json_decref(result);
    ran_free(&ran);
}

Test(models, a_draw_that_the_model_says_failed_counts_in_no_figure)
{
    write_scenario("faulty", "fault: failure, from: 0.5", "method: sobol, draws: 4096");
    struct ran ran = GOLDTHREAD("run", "models.yaml", "--workers", "2", "--quiet", "--json", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out);
    cr_expect_eq(json_whole(result, "failed_draws"), 2048);
    cr_expect_eq(y_of("out", "n"), 2048);
    cr_expect_float_eq(y_of("out", "mean"), 0.25, 1e-3);
    json_decref(result);
    ran_free(&ran);
}

/* One block of sixteen holds the one draw in 1024 for which the model crashes. */
static void expect_parked(const char *set)
{
    char path[PATH_MAX];
    write_scenario("faulty", set, "method: sobol, draws: 1024, block: 64");
    struct ran ran = GOLDTHREAD("run", "models.yaml", "--workers", "2", "--quiet", "--out", "out");
    cr_expect_eq(ran.status, 1, "%s: status %d", set, ran.status);
    cr_expect_not_null(strstr(ran.err, "1 block parked after 3 attempts"), "%s: %s", set, ran.err);
    cr_expect_not_null(strstr(ran.err, "its worker ended or fell silent: w"), "%s: %s", set, ran.err);
    cr_expect_not(exists("out"), "%s: there are results", set);
    snprintf(path, sizeof path, "%s/state/goldthread", place_path());
    cr_expect_eq(count_entries(path), 1, "what was done is kept");
    ran_free(&ran);
}

Test(models, a_crash_parks_the_block_that_crashes_and_the_rest_is_done)
{
    expect_parked("fault: crash, from: 0.999");
}

Test(models, an_abort_parks_the_block_that_aborts_and_the_rest_is_done)
{
    expect_parked("fault: abort, from: 0.999");
}

/* ---- on servers that were started by themselves ---- */

#define CREW_MAX 4

struct servers {
    char broker_endpoint[64], aggregator_endpoint[64];
    pid_t broker, aggregator;
    struct worker {
        const char *words[12];
        char name[16];
        pid_t pid;
        unsigned ends; /* how often it ended by itself, and was started again */
    } crew[CREW_MAX];
    size_t crew_count;
};

static char parent[16];

static void open_servers(struct servers *servers, const char *models)
{
    *servers = (struct servers){0};
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(servers->broker_endpoint, sizeof servers->broker_endpoint, "ipc://%s/b", place_path());
    snprintf(servers->aggregator_endpoint, sizeof servers->aggregator_endpoint, "ipc://%s/a", place_path());
    servers->broker = start_program("goldthread-broker", "broker",
                                    (const char *[]){"--bind", servers->broker_endpoint, "--state", "broker-state",
                                                     "--follow-parent", parent, NULL});
    const char *words[] = {"--bind",
                           servers->aggregator_endpoint,
                           "--broker",
                           servers->broker_endpoint,
                           "--state",
                           "aggregator-state",
                           "--follow-parent",
                           parent,
                           models ? "--models" : NULL,
                           models,
                           NULL};
    wait_until_said("broker", "listening");
    servers->aggregator = start_program("goldthread-aggregator", "aggregator", words);
    wait_until_said("aggregator", "ready");
    setenv("GOLDTHREAD_BROKER", servers->broker_endpoint, 1);
    setenv("GOLDTHREAD_AGGREGATOR", servers->aggregator_endpoint, 1);
}

/* One more worker, with a flag and its value, or neither. */
static void add_worker(struct servers *servers, const char *flag, const char *value)
{
    struct worker *worker = &servers->crew[servers->crew_count++];
    const char *words[] = {"--broker",
                           servers->broker_endpoint,
                           "--name",
                           worker->name,
                           "--follow-parent",
                           parent,
                           "--models",
                           GOLDTHREAD_MODELS,
                           flag,
                           value,
                           NULL};
    if (strcmp(flag, "--models") == 0) words[6] = "--models", words[7] = value, words[8] = NULL;
    memcpy(worker->words, words, sizeof words);
    snprintf(worker->name, sizeof worker->name, "w%zu", servers->crew_count);
    worker->pid = start_program("goldthread-worker", worker->name, worker->words);
}

/* Starts workers again that have ended, as a supervisor does. */
static void tend(struct servers *servers)
{
    int status;
    for (size_t at = 0; at < servers->crew_count; at++) {
        struct worker *worker = &servers->crew[at];
        if (waitpid(worker->pid, &status, WNOHANG) != worker->pid) continue;
        worker->ends++;
        worker->pid = start_program("goldthread-worker", worker->name, worker->words);
    }
}

static void close_servers(struct servers *servers)
{
    for (size_t at = 0; at < servers->crew_count; at++) {
        kill(servers->crew[at].pid, SIGTERM);
        wait_program(servers->crew[at].pid);
    }
    kill(servers->aggregator, SIGTERM);
    cr_expect_eq(wait_program(servers->aggregator), 0);
    kill(servers->broker, SIGTERM);
    cr_expect_eq(wait_program(servers->broker), 0);
}

/* Waits until the sweep is in this state: what is said of it then. The caller frees it. */
static char *wait_for_state(struct servers *servers, const char *sweep, const char *state)
{
    for (int waited_ms = 0;;) {
        tend(servers);
        struct ran ran = GOLDTHREAD("status", sweep, "--json");
        cr_assert_eq(ran.status, 0, "%s", ran.err);
        json_t *answer = parse_json(ran.out), *row = json_array_get(json_object_get(answer, "sweeps"), 0);
        const bool there = strcmp(json_text(row, "state"), state) == 0;
        cr_assert(there || strcmp(json_text(row, "state"), "running") == 0, "not %s: %s", state, ran.out);
        cr_assert(there || keep_waiting(&waited_ms), "not %s: %s", state, ran.out);
        json_decref(answer);
        ran.out = there ? ran.out : (free(ran.out), NULL);
        char *said = ran.out;
        ran.out = NULL;
        ran_free(&ran);
        if (there) return said;
    }
}

static char *submit(void)
{
    struct ran ran = GOLDTHREAD("submit", "models.yaml");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran.out[64] = '\0';
    free(ran.err);
    return ran.out;
}

/* Waits until this is said of why the sweep is not further on. */
static void expect_explained(struct servers *servers, const char *sweep, const char *expected)
{
    for (int waited_ms = 0;;) {
        tend(servers);
        struct ran ran = GOLDTHREAD("explain", sweep);
        cr_assert_eq(ran.status, 0, "%s", ran.err);
        const bool said = strstr(ran.out, expected) != NULL;
        cr_assert(said || keep_waiting(&waited_ms), "not '%s': %s", expected, ran.out);
        ran_free(&ran);
        if (said) return;
    }
}

/* Submits a sweep to a worker on which one block does not end, until it is started again, and waits for that. */
static char *submit_to_stall(struct servers *servers)
{
    char *sweep = submit();
    setenv("GOLDTHREAD_STALLS", "stalled", 1);
    add_worker(servers, "--block-seconds", "0");
    unsetenv("GOLDTHREAD_STALLS");
    for (int waited_ms = 0; !exists("stalled");) cr_assert(keep_waiting(&waited_ms), "nothing stalls");
    return sweep;
}

Test(models, a_block_that_does_not_end_is_parked_and_its_worker_ends)
{
    struct servers servers;
    write_scenario("faulty", "fault: loop, from: 0.999", "method: sobol, draws: 1024, block: 64");
    open_servers(&servers, GOLDTHREAD_MODELS);
    add_worker(&servers, "--block-seconds", "1");
    add_worker(&servers, "--block-seconds", "1");
    char *sweep = submit(), *said = wait_for_state(&servers, sweep, "stalled");
    cr_expect_not_null(strstr(said, "1 block parked after 3 attempts"), "%s", said);
    cr_expect_not_null(strstr(said, "it takes longer than 1 s (--block-seconds of the worker)"), "%s", said);
    expect_explained(&servers, sweep, "it takes longer than 1 s (--block-seconds of the worker)");
    for (int waited_ms = 0; servers.crew[0].ends + servers.crew[1].ends < 3; tend(&servers))
        cr_assert(keep_waiting(&waited_ms), "the workers do not end");
    close_servers(&servers);
    free(sweep);
    free(said);
}

Test(models, a_run_gives_up_a_block_that_does_not_end_when_it_is_told_to)
{
    write_scenario("faulty", "fault: loop, from: 0.999", "method: sobol, draws: 1024, block: 64");
    struct ran ran = GOLDTHREAD("run", "models.yaml", "--workers", "2", "--quiet", "--block-seconds", "1");
    cr_expect_eq(ran.status, 1, "%s", ran.err);
    cr_expect_not_null(strstr(ran.err, "it takes longer than 1 s (--block-seconds of the worker)"), "%s", ran.err);
    cr_expect_not(exists("results"), "there is no result");
    ran_free(&ran);
}

/* Its worker says all the while that it is there: one that stands by gets the block too, and is first. */
Test(models, a_block_that_does_not_end_on_one_machine_is_done_on_another)
{
    struct servers servers;
    char line[80];
    write_scenario("faulty", "fault: stall, from: 0.999", "method: sobol, draws: 1024, block: 64");
    char *expected = run_for_digest("2", "local");
    open_servers(&servers, GOLDTHREAD_MODELS);
    char *sweep = submit_to_stall(&servers);
    expect_explained(&servers, sweep, "leased to 1 worker, the oldest for");
    add_worker(&servers, "--block-seconds", "0");
    char *said = wait_for_state(&servers, sweep, "done");
    snprintf(line, sizeof line, "\"%s\"", expected);
    cr_expect_not_null(strstr(said, line), "not %s: %s", expected, said);
    cr_expect_null(strstr(said, "parked after"), "%s", said);
    close_servers(&servers);
    free(said);
    free(sweep);
    free(expected);
}

Test(models, a_cancelled_sweep_frees_a_worker_whose_block_does_not_end)
{
    struct servers servers;
    write_scenario("faulty", "fault: stall, from: 0.999", "method: sobol, draws: 1024, block: 64");
    open_servers(&servers, GOLDTHREAD_MODELS);
    char *sweep = submit_to_stall(&servers);
    struct ran ran = GOLDTHREAD("cancel", sweep);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
    free(wait_for_state(&servers, sweep, "cancelled"));
    for (int waited_ms = 0; servers.crew[0].ends == 0; tend(&servers))
        cr_assert(keep_waiting(&waited_ms), "its worker goes on");
    free(sweep);
    write_scenario("product", "", "method: sobol, draws: 1024, block: 64");
    sweep = submit();
    free(wait_for_state(&servers, sweep, "done")); /* by the same worker, started again */
    close_servers(&servers);
    free(sweep);
}

static void wait_for_workers(long long wanted)
{
    long long workers = 0;
    for (int waited_ms = 0; workers < wanted;) {
        struct ran ran = GOLDTHREAD("status", "--json");
        json_t *answer = parse_json(ran.out);
        workers = json_whole(answer, "workers");
        json_decref(answer);
        ran_free(&ran);
        cr_assert(keep_waiting(&waited_ms), "%lld workers, not %lld", workers, wanted);
    }
}

Test(models, a_sweep_is_done_by_the_worker_that_has_its_model)
{
    struct servers servers;
    char digest[80];
    write_scenario("product", "", "method: sobol, draws: 4096, block: 16");
    char *expected = run_for_digest("2", "local");
    open_servers(&servers, GOLDTHREAD_MODELS);
    for (int at = 0; at < 3; at++) add_worker(&servers, "--models", ".");
    add_worker(&servers, "--models", GOLDTHREAD_MODELS);
    wait_for_workers(4); /* where nobody has it, its blocks are parked */
    char *sweep = submit();
    free(wait_for_state(&servers, sweep, "done"));
    struct ran ran = GOLDTHREAD("status", sweep);
    snprintf(digest, sizeof digest, "%s", expected);
    cr_expect_not_null(strstr(ran.out, digest), "%s lacks %s", ran.out, digest);
    ran_free(&ran);
    ran = GOLDTHREAD("results", sweep);
    cr_expect_eq(ran.status, 1);
    cr_expect_not_null(strstr(ran.err, "there is no --models DIR"), "%s", ran.err);
    ran_free(&ran);
    ran = GOLDTHREAD("results", sweep, "--models", GOLDTHREAD_MODELS);
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    char *csv = read_text("local/rollup.csv");
    cr_expect_str_eq(ran.out, csv);
    ran_free(&ran);
    close_servers(&servers);
    free(csv);
    free(sweep);
    free(expected);
}

Test(models, what_lacks_a_model_names_it_its_digest_and_the_flag)
{
    struct servers servers;
    write_scenario("product", "", "method: sobol, draws: 64");
    struct ran ran = GOLDTHREAD("check", "models.yaml", "--json");
    json_t *plan = parse_json(ran.out);
    char expected[128];
    snprintf(expected, sizeof expected, "model product.so with SHA-256 %.40s is not in --models",
             json_text(plan, "model_sha256"));
    json_decref(plan);
    ran_free(&ran);
    open_servers(&servers, GOLDTHREAD_MODELS);
    add_worker(&servers, "--models", "nowhere");
    char *sweep = submit(), *said = wait_for_state(&servers, sweep, "stalled");
    cr_expect_not_null(strstr(said, expected), "%s lacks %s", said, expected);
    cr_assert_eq(symlink(GOLDTHREAD_MODELS, "nowhere"), 0); /* the operator puts it there */
    ran = GOLDTHREAD("retry", sweep);
    cr_expect_eq(ran.status, 0, "%s", ran.err);
    free(wait_for_state(&servers, sweep, "done"));
    ran_free(&ran);
    close_servers(&servers);
    free(sweep);
    free(said);
}

Test(models, an_aggregator_that_lacks_a_model_says_so_too)
{
    struct servers servers;
    write_scenario("product", "", "method: sobol, draws: 64");
    open_servers(&servers, NULL);
    add_worker(&servers, "--models", GOLDTHREAD_MODELS);
    char *sweep = submit(), *said = wait_for_state(&servers, sweep, "stalled");
    cr_expect_not_null(strstr(said, "is wanted, and there is no --models DIR"), "%s", said);
    close_servers(&servers);
    free(sweep);
    free(said);
}

/* Waits until the sweep is at work, cancels it, and waits until the worker has nothing more to do. */
static void cancel_midway(const char *seed)
{
    struct ran ran =
        GOLDTHREAD("submit", GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml", "--draws", "1048576", "--seed", seed);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran.out[64] = '\0';
    bool at_work = false, idle = false;
    for (int waited_ms = 0; !at_work;) {
        cr_assert(keep_waiting(&waited_ms), "nothing is done");
        struct ran status = GOLDTHREAD("status", ran.out, "--json");
        json_t *answer = parse_json(status.out);
        at_work = json_whole(json_array_get(json_object_get(answer, "sweeps"), 0), "done") > 0;
        json_decref(answer);
        ran_free(&status);
    }
    struct ran cancel = GOLDTHREAD("cancel", ran.out);
    cr_assert_eq(cancel.status, 0, "%s", cancel.err);
    for (int waited_ms = 0; !idle;) {
        cr_assert(keep_waiting(&waited_ms), "the worker is at something");
        struct ran workers = GOLDTHREAD("workers");
        idle = strstr(workers.out, "idle") != NULL;
        ran_free(&workers);
    }
    ran_free(&cancel);
    ran_free(&ran);
}

Test(models, what_is_cancelled_is_no_failure_in_the_log_of_its_worker)
{
    char path[PATH_MAX];
    struct servers servers;
    open_servers(&servers, NULL);
    add_worker(&servers, "--block-seconds", "100");
    cancel_midway("1");
    cancel_midway("2");
    cancel_midway("3");
    close_servers(&servers);
    snprintf(path, sizeof path, "%s/w1.err", place_path());
    char *log = read_text(path);
    cr_assert_not_null(log, "%s", path);
    cr_expect_not_null(strstr(log, " started "), "%s", log);
    cr_expect_null(strstr(log, "block-failed"), "%s", log);
    free(log);
}

/* ---- the document ---- */

/* What stands in the first block of that language; the caller frees it. */
static char *block_of(const char *document, const char *language)
{
    char fence[16];
    snprintf(fence, sizeof fence, "\n```%s\n", language);
    const char *start = strstr(document, fence), *end = start ? strstr(start + strlen(fence), "```\n") : NULL;
    cr_assert_not_null(end, "the document has no block of %s", language);
    start += strlen(fence);
    return strndup(start, (size_t)(end - start));
}

static void expect_rows(const char *rows, const char *csv)
{
    size_t count = 0;
    for (const char *row = rows; *row; row = strchr(row, '\n') + 1, count++) {
        char line[256];
        snprintf(line, sizeof line, "\n%.*s\n", (int)strcspn(row, "\n"), row);
        cr_expect_not_null(strstr(csv, line), "rollup.csv lacks:%s", line);
    }
    cr_expect_geq(count, 3, "%zu rows", count);
}

Test(models, the_model_of_the_document_compiles_against_the_headers_alone_and_gives_its_figures)
{
    char *document = read_text(GOLDTHREAD_SOURCE "/docs/writing-a-model.md");
    cr_assert_not_null(document);
    char *code = block_of(document, "c"), *build = block_of(document, "sh"), *scenario = block_of(document, "yaml");
    char *rows = block_of(document, "csv"), command[512];
    size_t lines = 0;
    for (const char *at = code; *at; at++) lines += *at == '\n';
    cr_expect_leq(lines, 60, "%zu lines", lines);
    write_text("bursary.c", code);
    write_text("bursary.yaml", scenario);
    cr_assert_eq(symlink(GOLDTHREAD_SOURCE "/include", "include"), 0);
    snprintf(command, sizeof command, "%.*s -Wall -Wextra -Werror", (int)strcspn(build, "\n"), build);
    cr_assert_eq(system(command), 0, "%s", command);
    struct ran ran = GOLDTHREAD("run", "bursary.yaml", "--quiet", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    cr_expect_not_null(strstr(ran.out, "cost_gbp, GBP"), "%s", ran.out);
    char *csv = read_text("out/rollup.csv");
    expect_rows(rows, csv);
    ran_free(&ran);
    ran = GOLDTHREAD("parameters", "--model", "bursary.so");
    cr_expect_not_null(strstr(ran.out, "bursary.share"), "%s%s", ran.out, ran.err);
    ran_free(&ran);
    ran = GOLDTHREAD("check", "bursary.yaml");
    cr_expect(strstr(ran.out, "model file /") && strstr(ran.out, "bursary.so, SHA-256 "), "%s%s", ran.out, ran.err);
    ran_free(&ran);
    free(document), free(code), free(build), free(scenario), free(rows), free(csv);
}
