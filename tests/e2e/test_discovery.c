/* Kept draws and discovery through `goldthread run`. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_place.h"

TestSuite(discovery, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

/* Two uncertain parameters; the policy fails to pay back where its effect is small. */
static void write_sweep(const char *name, unsigned draws)
{
    char text[1024];
    snprintf(text, sizeof text,
             "sweep: fails\nseed: 7\nscenarios:\n  - name: no-policy\n  - name: golden-thread\n"
             "    set: {entitlement.funded_years: 4}\n"
             "uncertain:\n  effect.attainment_sd: {triangular: [0.0, 0.05, 0.12]}\n"
             "  effect.implementation: {beta: {low: 0.2, mode: 0.5, high: 1.0}}\n"
             "design: {method: sobol, draws: %u}\ndiscover: {measure: exchequer_ratio, below: 1}\n"
             "outputs: {areas: [england], measures: [exchequer_ratio]}\n",
             draws);
    write_text(name, text);
}

/* The lines that a ready file says it prints, from `first` to an empty line, are what it prints. */
static void check_comments(const char *name, const char *first)
{
    char path[256];
    snprintf(path, sizeof path, GOLDTHREAD_SOURCE "/scenarios/%s.yaml", name);
    char *file = read_text(path);
    struct ran ran = GOLDTHREAD("run", path, "--quiet", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    char *at = strstr(ran.out, first);
    cr_assert(file && at, "%s", ran.out);
    size_t compared = 0;
    for (char *end; *at != '\n' && (end = strchr(at, '\n')); at = end + 1) {
        char line[512];
        snprintf(line, sizeof line, "# %.*s\n", (int)(end - at), at);
        cr_expect(strstr(file, line), "%s lacks: %s", path, line);
        compared++;
    }
    cr_expect_geq(compared, 3);
    ran_free(&ran);
    free(file);
}

Test(discovery, the_ready_comparison_prints_what_its_comments_say)
{
    check_comments("compare", "England, how the scenarios compare");
}

Test(discovery, the_ready_discovery_prints_what_its_comments_say)
{
    check_comments("discover", "golden-thread - no-policy, England: exchequer_ratio is below 1");
}

Test(discovery, a_comparison_is_the_same_for_one_worker_and_for_five)
{
    struct ran one = GOLDTHREAD("run", GOLDTHREAD_SOURCE "/scenarios/compare.yaml", "--draws", "512", "--json",
                                "--quiet", "--workers", "1", "--out", "one");
    struct ran five = GOLDTHREAD("run", GOLDTHREAD_SOURCE "/scenarios/compare.yaml", "--draws", "512", "--json",
                                 "--quiet", "--workers", "5", "--out", "five");
    cr_assert(one.status == 0 && five.status == 0, "%s%s", one.err, five.err);
    json_t *left = parse_json(one.out), *right = parse_json(five.out);
    json_t *compare = json_object_get(left, "compare");
    cr_expect(compare && json_equal(compare, json_object_get(right, "compare")));
    cr_expect_str_eq(json_text(compare, "regret"), "exchequer_net_gbp");
    cr_expect_eq(json_array_size(json_object_get(compare, "scenarios")), 6);
    char *csv = read_text("one/rollup.csv");
    json_t *first = json_array_get(json_object_get(compare, "scenarios"), 1);
    double most = figure(csv, "golden-thread", "E92000001", "all", "regret_exchequer_net_gbp", "max");
    double share = figure(csv, "golden-thread", "E92000001", "all", "satisfice", "mean");
    cr_expect_float_eq(json_real_value(json_object_get(first, "max_regret")), most, 1e-5 * most); /* of six digits */
    cr_expect_float_eq(json_real_value(json_object_get(first, "satisfice")), share, 1e-5);
    free(csv);
    json_decref(left);
    json_decref(right);
    ran_free(&one);
    ran_free(&five);
}

static char *read_beside(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *text = read_text(path);
    cr_assert_not_null(text, "%s", path);
    return text;
}

static void check_same(const char *name)
{
    char *one = read_beside("one", name), *five = read_beside("five", name);
    cr_expect_str_eq(one, five, "%s", name);
    free(one);
    free(five);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

Test(discovery, one_worker_and_five_find_the_same_box)
{
    write_sweep("fails.yaml", 4096);
    struct ran ran = GOLDTHREAD("run", "fails.yaml", "--workers", "1", "--json", "--out", "one");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out), *target = json_array_get(json_object_get(result, "boxes"), 0);
    cr_assert_eq(json_array_size(json_object_get(result, "boxes")), 1);
    cr_expect_str_eq(json_text(target, "result"), "found");
    cr_expect_str_eq(json_text(target, "scenario"), "golden-thread - no-policy");
    json_t *box = json_array_get(json_object_get(target, "boxes"), 0);
    json_t *bound = json_array_get(json_object_get(box, "bounds"), 0);
    cr_expect_str_eq(json_text(bound, "parameter"), "effect.attainment_sd");
    cr_expect(json_is_null(json_object_get(bound, "low")));
    cr_expect_gt(json_real_value(json_object_get(box, "density")), 0.6);
    json_decref(result);
    ran_free(&ran);

    ran = GOLDTHREAD("run", "fails.yaml", "--workers", "5", "--out", "five");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    cr_expect_not_null(strstr(ran.out, "golden-thread - no-policy, England: exchequer_ratio is below 1 in "), "%s",
                       ran.out);
    cr_expect_not_null(strstr(ran.out, "  most of all when effect.attainment_sd is below 0."), "%s", ran.out);
    ran_free(&ran);
    check_same("rollup.csv");
    check_same("sensitivity.csv");
    check_same("boxes.csv");
    check_same("draws.csv");
    check_same("manifest.json"); /* with the SHA-256 of results.db */

    char *draws = read_text("one/draws.csv");
    cr_expect_eq(count_lines(draws), 4097);
    free(draws);
    ran = GOLDTHREAD("results", "one");
    cr_expect_eq(ran.status, 0, "every file is checked: %s", ran.err);
    ran_free(&ran);
}

Test(discovery, a_file_of_draws_that_was_altered_is_named)
{
    write_sweep("fails.yaml", 256);
    struct ran ran = GOLDTHREAD("run", "fails.yaml", "--quiet", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
    char *draws = read_text("out/draws.csv");
    draws[strlen(draws) - 2] ^= 1;
    write_text("out/draws.csv", draws);
    free(draws);
    ran = GOLDTHREAD("results", "out");
    cr_expect_eq(ran.status, 1);
    cr_expect_not_null(strstr(ran.err, "draws.csv was altered"), "%s", ran.err);
    ran_free(&ran);
}

Test(discovery, many_draws_are_compressed_and_listed_with_their_rows)
{
    write_sweep("many.yaml", 66000);
    struct ran ran = GOLDTHREAD("run", "many.yaml", "--quiet", "--out", "out");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
    cr_expect_not(exists("out/draws.csv"));
    cr_assert_eq(system("gzip -dc out/draws.csv.gz > draws.csv"), 0);
    char *draws = read_text("draws.csv"), *manifest = read_text("out/manifest.json");
    cr_expect_eq(count_lines(draws), 66001);
    json_t *object = parse_json(manifest), *file;
    size_t at;
    bool listed = false;
    json_array_foreach(json_object_get(object, "files"), at, file) listed |=
        strcmp(json_text(file, "name"), "draws.csv.gz") == 0 && json_whole(file, "rows") == 66000;
    cr_expect(listed, "%s", manifest);
    json_decref(object);
    free(draws);
    free(manifest);
}

Test(discovery, more_draws_than_can_be_kept_are_refused_before_anything_starts)
{
    write_sweep("far.yaml", 100000000);
    struct ran ran = GOLDTHREAD("run", "far.yaml", "--out", "out");
    cr_expect_eq(ran.status, 2);
    cr_expect_not_null(strstr(ran.err, "100000000 draws with 1 kept figures each are more than one result can hold"),
                       "%s", ran.err);
    cr_expect_not(exists("out"));
    ran_free(&ran);
}
