/* Sweeps that end when they are sure, and sweeps that go on where another ended. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_place.h"

TestSuite(stop, .init = place_open, .fini = place_close, .timeout = 600);

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
    const uint64_t draws = (uint64_t)json_whole(one, "draws");
    expect_same(one, two, "1 and 2 workers");
    expect_same(one, five, "1 and 5 workers");
    cr_assert(json_is_object(stopped));
    cr_expect(draws >= 1024 && draws < 16384 && (draws & (draws - 1)) == 0, "%lu draws", (unsigned long)draws);
    cr_expect_eq(json_whole(stopped, "planned"), 16384);
    cr_expect_leq(json_real_value(json_object_get(stopped, "half_width")), 0.03);
    cr_expect_eq(json_whole(one, "model_runs"), 2 * draws);
    cr_expect_eq(json_whole(json_object_get(one, "blocks"), "done"), draws / 32);
    write_sweep("plain.yaml", draws, "");
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
    cr_expect(strstr(ran.out, "stopped: sure enough after ") && strstr(ran.out, " of 16,384 draws (half-width 0.0"),
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
    json_decref(never);
    json_decref(plain);
}

Test(stop, a_killed_worker_changes_nothing)
{
    write_sweep("s.yaml", 1 << 20, "stop: {measure: exchequer_ratio, half_width: 0.004}\n");
    json_t *plain = run_json("s.yaml", "2");
    const pid_t run =
        start_program("goldthread", "hurt",
                      (const char *[]){"run", "s.yaml", "--workers", "2", "--out", "hurt", "--json", "--quiet", NULL});
    pid_t worker;
    for (int waited = 0; find_children(run, "goldthread-worker", &worker, 1) == 0;)
        cr_assert(keep_waiting(&waited), "no worker");
    kill(worker, SIGKILL);
    cr_assert_eq(wait_program(run), 0);
    char path[256];
    snprintf(path, sizeof path, "%s/hurt.out", place_path());
    char *text = read_text(path);
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
