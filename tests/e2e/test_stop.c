/* Sweeps that end when they are sure, and sweeps that go on where another ended. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_place.h"

TestSuite(stop, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

/* Blocks of 32 draws, 16 replicates: the rule is looked at from 1,024 draws on. `more`: lines of its own. */
static void write_sweep(const char *file, uint64_t draws, const char *more)
{
    char text[2048];
    snprintf(text, sizeof text,
             "sweep: stop\n"
             "seed: 7\n"
             "scenarios:\n"
             "  - name: no-policy\n"
             "  - name: golden-thread\n"
             "    set: {entitlement.funded_years: 4}\n"
             "design: {method: sobol, draws: %lu, block: 32}\n"
             "outputs: {areas: [england], measures: [exchequer_ratio, starts]}\n"
             "sensitivity: [exchequer_ratio]\n"
             "%s",
             (unsigned long)draws, more);
    write_text(file, text);
}

#define RULE "stop: {measure: exchequer_ratio, half_width: 0.03}\n"

static json_t *run_json(const char *file, const char *workers)
{
    static int runs;
    char out[32];
    snprintf(out, sizeof out, "out%d", runs++);
    struct ran ran = GOLDTHREAD("run", file, "--workers", workers, "--out", out, "--json", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out);
    ran_free(&ran);
    return result;
}

static void expect_same(const json_t *a, const json_t *b, const char *what)
{
    cr_expect_str_eq(json_text(a, "digest"), json_text(b, "digest"), "%s", what);
    cr_expect_eq(json_whole(a, "draws"), json_whole(b, "draws"), "%s", what);
}

Test(stop, a_stopped_sweep_has_one_digest_that_of_its_draws)
{
    write_sweep("s.yaml", 16384, RULE);
    json_t *one = run_json("s.yaml", "1"), *two = run_json("s.yaml", "2"), *five = run_json("s.yaml", "5");
    const json_t *stopped = json_object_get(one, "stopped");
    const long long draws = json_whole(one, "draws");
    expect_same(one, two, "1 and 2 workers");
    expect_same(one, five, "1 and 5 workers");
    cr_assert(json_is_object(stopped));
    cr_expect(draws >= 1024 && draws < 16384 && (draws & (draws - 1)) == 0, "%lld draws", draws);
    cr_expect_eq(json_whole(stopped, "planned"), 16384);
    cr_expect_leq(json_real_value(json_object_get(stopped, "half_width")), 0.03);
    cr_expect_eq(1024 << (json_whole(stopped, "checkpoint") - 1), draws);
    cr_expect_eq(json_whole(one, "model_runs"), 2 * draws);
    cr_expect_eq(json_whole(json_object_get(one, "blocks"), "done"), draws / 32);
    write_sweep("plain.yaml", (uint64_t)draws, "");
    json_t *plain = run_json("plain.yaml", "2");
    expect_same(one, plain, "a sweep of just these draws");
    cr_expect(json_is_null(json_object_get(plain, "stopped")));
    json_decref(one);
    json_decref(two);
    json_decref(five);
    json_decref(plain);
}

Test(stop, the_manifest_and_the_table_say_where_it_ended)
{
    write_sweep("s.yaml", 16384, RULE);
    struct ran ran = GOLDTHREAD("run", "s.yaml", "--out", "out", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    cr_expect(strstr(ran.out, "stopped: sure enough after ") && strstr(ran.out, " of 16,384 draws, at checkpoint ") &&
                  strstr(ran.out, "\n  half-width of the mean of exchequer_ratio: 0.0") &&
                  strstr(ran.out, " at 95 %, asked for 0.03\n"),
              "%s", ran.out);
    char *text = read_text("out/manifest.json"), *csv = read_text("out/rollup.csv");
    json_t *manifest = parse_json(text);
    const json_t *stopped = json_object_get(manifest, "stopped");
    cr_expect_eq(json_whole(manifest, "draws"), json_whole(stopped, "draws"));
    cr_expect_eq(figure(csv, "golden-thread", "E92000001", "all", "starts", "n"), (double)json_whole(stopped, "draws"));
    json_decref(manifest);
    free(text);
    free(csv);
    ran_free(&ran);
}

Test(stop, a_rule_that_is_never_met_ends_at_the_last_draw)
{
    write_sweep("never.yaml", 3000, "stop: {measure: exchequer_ratio, half_width: 1.0e-9}\n");
    write_sweep("plain.yaml", 3000, "");
    json_t *never = run_json("never.yaml", "2"), *plain = run_json("plain.yaml", "2");
    expect_same(never, plain, "without the rule");
    cr_expect_eq(json_whole(never, "draws"), 3000);
    cr_expect(json_is_null(json_object_get(never, "stopped")));
    struct ran ran = GOLDTHREAD("run", "never.yaml", "--out", "text", "--quiet");
    cr_expect_not_null(strstr(ran.out, "not stopped: no checkpoint of 3,000 draws met the rule\n  half-width "), "%s",
                       ran.out);
    cr_expect_not_null(strstr(ran.out, " at 95 %, asked for 0.000000001\n"), "%s", ran.out);
    ran_free(&ran);
    json_decref(never);
    json_decref(plain);
}

Test(stop, a_killed_worker_changes_nothing)
{
    write_sweep("s.yaml", 1 << 20, "stop: {measure: exchequer_ratio, half_width: 0.004}\n");
    json_t *plain = run_json("s.yaml", "2");
    char *text = run_with_kills(
        (const char *[]){"run", "s.yaml", "--workers", "2", "--out", "hurt", "--json", "--quiet", NULL}, "hurt");
    json_t *hurt = parse_json(text);
    expect_same(plain, hurt, "with a worker that was killed");
    cr_expect_lt(json_whole(plain, "draws"), 1 << 20);
    json_decref(plain);
    json_decref(hurt);
    free(text);
}

Test(stop, a_rule_without_intervals_is_refused_before_anything_is_started)
{
    write_sweep("s.yaml", 4096, RULE);
    char *text = read_text("s.yaml"), *at = strstr(text, "block: 32");
    cr_assert_not_null(at);
    char changed[2048];
    snprintf(changed, sizeof changed, "%.*sreplicates: 1%s", (int)(at - text), text, at + strlen("block: 32"));
    write_text("one.yaml", changed);
    struct ran ran = GOLDTHREAD("check", "one.yaml");
    cr_expect_eq(ran.status, 2);
    cr_expect_eq(strncmp(ran.err, "one.yaml:", 9), 0, "%s", ran.err);
    cr_expect(strstr(ran.err, "at least 2 replicates"), "%s", ran.err);
    ran_free(&ran);
    free(text);
}

Test(stop, a_rule_that_the_plan_refuses_is_shown_where_it_is_written)
{
    static const struct {
        const char *rule, *place;
    } rows[] = {
        {"stop: {measure: exchequer_ratio, area: '999', half_width: 0.03}\n", "s.yaml:10:40: "},
        {"stop: {measure: exchequer_ratio, area: E12000003, half_width: 0.03}\n", "s.yaml:10:40: "},
        {"stop: {measure: bcr, half_width: 0.03}\n", "s.yaml:10:17: "},
        {"compare: {regret: bcr}\n", "s.yaml:10:10: "},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        write_sweep("s.yaml", 4096, rows[row].rule);
        struct ran ran = GOLDTHREAD("check", "s.yaml");
        cr_expect_eq(ran.status, 2, "%s", rows[row].rule);
        cr_expect_eq(strncmp(ran.err, rows[row].place, strlen(rows[row].place)), 0, "%s%s", rows[row].rule, ran.err);
        ran_free(&ran);
    }
    write_text("areas.yaml", "sweep: areas\n"
                             "scenarios: [{name: a}, {name: b, set: {entitlement.funded_years: 4}}]\n"
                             "outputs: {areas: [england, local_authority], exceed: [{measure: bcr, above: 1}]}\n"
                             "sensitivity: [bcr]\n"
                             "stop: {measure: bcr, half_width: 1, area: '999'}\n");
    struct ran ran = GOLDTHREAD("check", "areas.yaml");
    cr_expect_eq(ran.status, 2);
    cr_expect_eq(strncmp(ran.err, "areas.yaml:5:7: ", 16), 0, "%s", ran.err);
    ran_free(&ran);
}

/* ---- going on where another ended ---- */

static long cached(const json_t *result)
{
    return (long)json_whole(json_object_get(result, "blocks"), "cached");
}

/* The digest of the file computed all anew. */
static json_t *run_fresh(const char *file)
{
    setenv("GOLDTHREAD_FRESH", "1", 1);
    json_t *result = run_json(file, "2");
    unsetenv("GOLDTHREAD_FRESH");
    return result;
}

Test(stop, a_run_with_more_draws_computes_only_the_new_ones)
{
    const struct {
        uint64_t draws;
        long cached;
        const char *rule;
    } rows[] = {
        {1000, 0, ""},          /* 31 full blocks, and one of 8 draws */
        {2000, 31, ""},         /* the short one is not taken; 62 full ones, and one of 16 draws */
        {4096, 62, ""},         /* neither is this */
        {4096, 128, ""},        /* the same again */
        {1024, 32, ""},         /* a whole node of the second; all of the third are one that is too large */
        {4096 + 1024, 128, ""}, /* the largest first */
        {16384, 32, RULE},      /* the first checkpoint, and no node across the next */
    };
    unsetenv("GOLDTHREAD_FRESH");
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        char what[32];
        snprintf(what, sizeof what, "row %zu", row);
        write_sweep("s.yaml", rows[row].draws, rows[row].rule);
        json_t *extended = run_json("s.yaml", "2"), *fresh = run_fresh("s.yaml");
        expect_same(extended, fresh, what);
        if (*rows[row].rule == '\0')
            cr_expect_eq(cached(extended), rows[row].cached, "%s: %ld", what, cached(extended));
        else cr_expect_geq(cached(extended), rows[row].cached, "%s: %ld", what, cached(extended));
        cr_expect_eq(cached(fresh), 0, "%s", what);
        json_decref(extended);
        json_decref(fresh);
    }
}

Test(stop, a_stopped_run_is_extended_by_a_longer_one)
{
    unsetenv("GOLDTHREAD_FRESH");
    write_sweep("s.yaml", 16384, RULE);
    json_t *stopped = run_json("s.yaml", "2");
    const long long draws = json_whole(stopped, "draws");
    write_sweep("longer.yaml", 32768, RULE);
    json_t *same = run_json("longer.yaml", "2");
    expect_same(stopped, same, "a longer one with the same rule ends where this did");
    cr_expect_eq(cached(same), draws / 32, "with nothing computed");
    write_sweep("plain.yaml", 16384, "");
    json_t *plain = run_json("plain.yaml", "2"), *fresh = run_fresh("plain.yaml");
    expect_same(plain, fresh, "and one without a rule goes on from there");
    cr_expect_eq(cached(plain), draws / 32);
    json_decref(stopped);
    json_decref(same);
    json_decref(plain);
    json_decref(fresh);
}

Test(stop, what_runs_keep_is_bounded_and_an_interrupted_run_is_not_taken_for_it)
{
    char states[256], path[512];
    snprintf(states, sizeof states, "%s/state/goldthread", place_path());
    unsetenv("GOLDTHREAD_FRESH");
    for (int seed = 1; seed <= 18; seed++) {
        char number[16];
        snprintf(number, sizeof number, "%d", seed);
        write_sweep("s.yaml", 64, "");
        struct ran ran = GOLDTHREAD("run", "s.yaml", "--seed", number, "--workers", "1", "--out", number, "--quiet");
        cr_assert_eq(ran.status, 0, "%s", ran.err);
        ran_free(&ran);
        if (seed == 1) { /* the first is one that was interrupted: it is nobody's to remove */
            snprintf(path, sizeof path, "find %s -name kept -delete", states);
            cr_assert_eq(system(path), 0);
        }
    }
    cr_expect_eq(count_entries(states), 17, "16 that are kept, and the one that was interrupted");
}

Test(stop, a_run_with_fresh_keeps_nothing)
{
    char states[256];
    snprintf(states, sizeof states, "%s/state/goldthread", place_path());
    unsetenv("GOLDTHREAD_FRESH");
    write_sweep("s.yaml", 64, "");
    struct ran ran = GOLDTHREAD("run", "s.yaml", "--fresh", "--out", "out", "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
    cr_expect_eq(count_entries(states), 0);
}

/* ---- against servers that run on ---- */

struct servers {
    char broker[128], parent[16];
    pid_t pids[3];
};

static pid_t start_aggregator(const struct servers *servers)
{
    char bind[160];
    snprintf(bind, sizeof bind, "ipc://%s/a", place_path());
    const pid_t aggregator = start_program("goldthread-aggregator", "aggregator",
                                           (const char *[]){"--bind", bind, "--broker", servers->broker, "--state",
                                                            "store", "--follow-parent", servers->parent, NULL});
    wait_until_said("aggregator", "ready");
    return aggregator;
}

static pid_t start_worker(const struct servers *servers)
{
    return start_program(
        "goldthread-worker", "worker",
        (const char *[]){"--broker", servers->broker, "--name", "w", "--follow-parent", servers->parent, NULL});
}

static void start_servers(struct servers *servers)
{
    snprintf(servers->broker, sizeof servers->broker, "ipc://%s/b", place_path());
    snprintf(servers->parent, sizeof servers->parent, "%d", (int)getpid());
    setenv("GOLDTHREAD_BROKER", servers->broker, 1);
    servers->pids[0] = start_program(
        "goldthread-broker", "broker",
        (const char *[]){"--bind", servers->broker, "--state", "journal", "--follow-parent", servers->parent, NULL});
    wait_until_said("broker", "listening");
    servers->pids[1] = start_aggregator(servers);
    servers->pids[2] = start_worker(servers);
}

static void submit(const char *file, char id[65])
{
    struct ran ran = GOLDTHREAD("submit", file, "--quiet");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    snprintf(id, 65, "%.64s", ran.out);
    ran_free(&ran);
}

/* Waits for its end; what watch said is the caller's to free. */
static struct ran follow(const char *id)
{
    struct ran ran = GOLDTHREAD("watch", id);
    cr_assert_eq(ran.status, 0, "%s%s", ran.out, ran.err);
    return ran;
}

static void stop_program(pid_t pid, int number)
{
    cr_assert_eq(kill(pid, number), 0);
    wait_program(pid);
}

/* Blocks that are done of a sweep, as the broker says. */
static long done_of(const char *id)
{
    struct ran ran = GOLDTHREAD("status", id, "--json");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *root = parse_json(ran.out);
    const long done = (long)json_whole(json_array_get(json_object_get(root, "sweeps"), 0), "done");
    json_decref(root);
    ran_free(&ran);
    return done;
}

Test(stop, a_submitted_sweep_is_extended_by_servers_that_were_restarted)
{
    struct servers servers;
    char shorter[65], longer[65];
    write_sweep("s.yaml", 16384, RULE);
    write_sweep("longer.yaml", 16384 + 320, "");
    json_t *fresh = run_json("longer.yaml", "2"), *stopped = run_json("s.yaml", "2");
    start_servers(&servers);
    submit("s.yaml", shorter);
    struct ran ran = follow(shorter);
    cr_expect(strstr(ran.out, "stopped: sure enough after ") && strstr(ran.out, json_text(stopped, "digest")), "%s",
              ran.out);
    ran_free(&ran);
    struct ran said = GOLDTHREAD("status", shorter);
    cr_expect(strstr(said.out, "stopped: sure enough after "), "%s%s", said.out, said.err);
    ran_free(&said);
    char end[96];
    snprintf(end, sizeof end, "stopped early, at %ld of 512 blocks: its stop rule is met",
             (long)json_whole(stopped, "draws") / 32);
    said = GOLDTHREAD("status");
    cr_expect(strstr(said.out, end), "%s%s", said.out, said.err);
    ran_free(&said);
    said = GOLDTHREAD("explain", shorter);
    cr_expect(strstr(said.out, end), "%s%s", said.out, said.err);
    ran_free(&said);
    stop_program(servers.pids[2], SIGTERM);
    stop_program(servers.pids[1], SIGKILL);
    servers.pids[1] = start_aggregator(&servers);
    submit("longer.yaml", longer);
    const long held = (long)json_whole(stopped, "draws") / 32;
    for (int waited = 0; done_of(longer) < held;) cr_assert(keep_waiting(&waited), "nothing was taken over");
    cr_expect_eq(done_of(longer), held, "no worker is here");
    servers.pids[2] = start_worker(&servers);
    ran = follow(longer);
    cr_expect(strstr(ran.out, json_text(fresh, "digest")), "%s", ran.out);
    cr_expect_null(strstr(ran.out, "stopped"), "%s", ran.out);
    ran_free(&ran);
    for (int at = 2; at >= 0; at--) stop_program(servers.pids[at], SIGTERM);
    json_decref(fresh);
    json_decref(stopped);
}
