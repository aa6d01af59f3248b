#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"
#include "sweep_codec.h"

/* A folder of three files, and one of any number of lines. */
static bool read_made(const char *path, size_t max, struct buffer *out, char *why, size_t why_bytes)
{
    static const struct {
        const char *path, *text;
    } files[] = {
        {"folder/hours.csv", "30\n-0\n20.5\n\n20.5\n4e1\n"},
        {"/abs/table.csv", "name,fee,phi\na,\"300\",0.5\nb,250,0.25\r\nc,275,1\n"},
        {"folder/words.csv", "1\ntwo\n"},
        {"folder/ragged.csv", "a,b\n1,2\n3\n"},
        {"folder/quote.csv", "\"1\n"},
        {"folder/empty.csv", "\n"},
        {"folder/negative.csv", "1\n-5\n"},
    };
    unsigned lines;
    (void)max;
    if (sscanf(path, "folder/lines-%u", &lines) == 1) {
        for (unsigned at = 0; at < lines; at++) buffer_append(out, "1\n", 2);
        return true;
    }
    for (size_t at = 0; at < sizeof files / sizeof files[0]; at++)
        if (strcmp(path, files[at].path) == 0) {
            buffer_append(out, files[at].text, strlen(files[at].text));
            return true;
        }
    snprintf(why, why_bytes, "No such file or directory");
    return false;
}

static struct scenario_file *read_with(const char *uncertain, const char *set, char *why)
{
    static const struct scenario_models sources = {.read_file = read_made};
    char text[1024];
    struct scenario_overrides overrides = {.sets = {set}, .set_count = set != NULL};
    snprintf(text, sizeof text, "sweep: x\nscenarios:\n  - name: base\nuncertain:\n%s", uncertain);
    return scenario_read((struct span){(const uint8_t *)text, strlen(text)}, "folder/f.yaml", &overrides, &sources,
                         why);
}

static struct scenario_file *read_sound(const char *uncertain, const char *set)
{
    char why[SCENARIO_WHY_BYTES] = "";
    struct scenario_file *file = read_with(uncertain, set, why);
    cr_assert_not_null(file, "%s", why);
    return file;
}

static const struct distribution *distribution_of(const struct scenario_file *file, const char *name)
{
    for (uint32_t at = 0; at < file->sweep.parameter_count; at++)
        if (strcmp(file->sweep.parameters[at].name, name) == 0) return &file->sweep.parameters[at].distribution;
    cr_assert_fail("no parameter %s", name);
    return NULL;
}

static void check_values(const struct scenario_file *file, const char *name, const double *values, uint32_t count)
{
    const struct distribution *found = distribution_of(file, name);
    cr_assert_eq(found->kind, DISTRIBUTION_EMPIRICAL);
    cr_assert_eq(found->point_count, count, "%s: %u", name, (unsigned)found->point_count);
    for (uint32_t at = 0; at < count; at++) {
        double value = file->sweep.pool[found->pool_first + at];
        cr_assert(value == values[at] && !signbit(value), "%s: %g at %u", name, value, (unsigned)at);
    }
}

Test(empirical, values_are_read_sorted_from_a_file_beside_the_scenario)
{
    struct scenario_file *file = read_sound("  effect.hours: {empirical: hours.csv}\n", NULL);
    check_values(file, "effect.hours", (double[]){0, 20.5, 20.5, 30, 40}, 5);
    cr_assert_eq(file->sweep.pool_count, 5);
    scenario_free(file);
}

Test(empirical, a_column_is_found_by_its_name)
{
    struct scenario_file *file =
        read_sound("  cost.fee_gbp: {empirical: {file: /abs/table.csv, column: fee}}\n"
                   "  effect.implementation: {empirical: {column: phi, file: /abs/table.csv}}\n",
                   NULL);
    check_values(file, "cost.fee_gbp", (double[]){250, 275, 300}, 3);
    check_values(file, "effect.implementation", (double[]){0.25, 0.5, 1}, 3);
    scenario_free(file);
}

/* The order of keys, and what --set leaves out, are not in the sweep; and what is sent comes back. */
Test(empirical, the_same_values_are_the_same_sweep)
{
    static const char hours[] = "  effect.hours: {empirical: hours.csv}\n";
    static const char fee[] = "  cost.fee_gbp: {empirical: {file: /abs/table.csv, column: fee}}\n";
    char one[256], other[256];
    snprintf(one, sizeof one, "%s%s", hours, fee);
    snprintf(other, sizeof other, "%s%s", fee, hours);
    struct scenario_file *files[] = {read_sound(one, NULL), read_sound(other, NULL), read_sound(one, "effect.hours=7"),
                                     read_sound(fee, "effect.hours=7")};
    struct digest ids[4];
    for (size_t at = 0; at < 4; at++) {
        struct buffer bytes = {0};
        const char *why = NULL;
        files[at]->sweep.draws_per_block = 64;
        ids[at] = sweep_identity(&files[at]->sweep);
        sweep_encode(&files[at]->sweep, &bytes);
        cr_assert(sweep_decode(buffer_span(&bytes), &files[at]->sweep, &why), "%s", why);
        struct digest again = sweep_identity(&files[at]->sweep);
        cr_assert(digest_equal(&again, &ids[at]));
        buffer_free(&bytes);
        scenario_free(files[at]);
    }
    cr_assert(digest_equal(&ids[0], &ids[1]));
    cr_assert(digest_equal(&ids[2], &ids[3]));
    cr_assert(!digest_equal(&ids[0], &ids[2]));
}

Test(empirical, files_that_are_no_sample_are_refused_with_the_place)
{
    static const struct {
        const char *uncertain, *why;
    } rows[] = {
        {"{empirical: gone.csv}", "folder/f.yaml:5:29: folder/gone.csv cannot be read: No such file or directory"},
        {"{empirical: words.csv}", "folder/words.csv:2: not a number; each line holds one"},
        {"{empirical: ragged.csv}", "folder/ragged.csv:1: more than one number in a line"},
        {"{empirical: {file: ragged.csv, column: b}}", "folder/ragged.csv:3: not a number"},
        {"{empirical: {file: ragged.csv, column: c}}", "folder/ragged.csv has no column `c` in its first line"},
        {"{empirical: {file: empty.csv, column: c}}", "folder/empty.csv has no first line"},
        {"{empirical: quote.csv}", "folder/quote.csv:1: "},
        {"{empirical: empty.csv}", "folder/empty.csv holds no number"},
        {"{empirical: negative.csv}", "`effect.hours` cannot be -5; allowed is 0 or more"},
        {"{empirical: lines-8193}", "holds 8193 numbers; 8192 more are allowed, of 8192 in all files together"},
        {"{empirical: [1, 2]}", "empirical takes a file, or {file: ..., column: ...}"},
        {"{empirical: {file: hours.csv, row: 1}}", "empirical takes a file, or {file: ..., column: ...}"},
        {"{log_uniform: [0, 1]}", "low is not above 0; low and high must be above 0"},
        {"{pert: [0, 1, 2, 7]}", "weight is out of scale; it must be above 0 and at most 6"},
        {"{pert: {low: 0, mode: 1, weight: 2}}", "pert takes all of low, mode, high, weight; 3 of them are given"},
        {"{pert: [0, 1]}", "pert takes 4 numbers"},
    };
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        char uncertain[256], why[SCENARIO_WHY_BYTES] = "";
        snprintf(uncertain, sizeof uncertain, "  effect.hours: %s\n", rows[row].uncertain);
        cr_assert_null(read_with(uncertain, NULL, why), "%s", rows[row].uncertain);
        cr_expect_not_null(strstr(why, rows[row].why), "%s: %s", rows[row].uncertain, why);
    }
}

Test(empirical, files_share_the_pool)
{
    char why[SCENARIO_WHY_BYTES];
    struct scenario_file *file = read_sound("  effect.hours: {empirical: lines-8000}\n"
                                            "  cost.fee_gbp: {empirical: lines-192}\n",
                                            NULL);
    cr_assert_eq(file->sweep.pool_count, SWEEP_POOL_MAX);
    scenario_free(file);
    cr_assert_null(
        read_with("  effect.hours: {empirical: lines-8000}\n  cost.fee_gbp: {empirical: lines-193}\n", NULL, why));
    cr_assert_not_null(strstr(why, "holds 193 numbers; 192 more are allowed"), "%s", why);
}

Test(empirical, without_a_reader_no_file_can_be_named)
{
    static const char text[] =
        "sweep: x\nscenarios:\n  - name: base\nuncertain: {effect.hours: {empirical: hours.csv}}\n";
    char why[SCENARIO_WHY_BYTES];
    cr_assert_null(scenario_read((struct span){(const uint8_t *)text, sizeof text - 1}, "f", NULL, NULL, why));
    cr_assert_not_null(strstr(why, "no files can be read here"), "%s", why);
}

Test(empirical, pert_has_a_weight_of_4_unless_it_is_given)
{
    struct scenario_file *file = read_sound("  effect.hours: {pert: [10, 20, 40]}\n"
                                            "  cost.fee_gbp: {pert: {low: 100, mode: 200, high: 300, weight: 2.5}}\n"
                                            "  effect.implementation: {pert: {low: 0, mode: 0.5, high: 1}}\n"
                                            "  value.grade_gbp: {log_uniform: [1000, 10000]}\n",
                                            NULL);
    const struct distribution *hours = distribution_of(file, "effect.hours");
    const struct distribution *fee = distribution_of(file, "cost.fee_gbp");
    cr_assert_eq(hours->kind, DISTRIBUTION_BETA, "the same distribution has one name");
    cr_assert(hours->low == 10 && hours->mode == 20 && hours->high == 40);
    cr_assert(fee->kind == DISTRIBUTION_PERT && fee->weights[0] == 2.5 && fee->high == 300);
    cr_assert_eq(distribution_of(file, "effect.implementation")->kind, DISTRIBUTION_BETA);
    cr_assert_eq(distribution_of(file, "value.grade_gbp")->kind, DISTRIBUTION_LOG_UNIFORM);
    scenario_free(file);
}
