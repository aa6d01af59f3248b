/* Boxes and draws as they leave the system. */
#include "boxes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draws.h"
#include "rows.h"
#include "support_kept.h"

/* England's pupils of the linear population. */
#define PUPILS 2835.75

static struct boxes boxes;

static void find(const char *measure, enum threshold_side side, double value)
{
    kept_sweep.discover = (struct sweep_threshold){.side = side, .value = value};
    snprintf(kept_sweep.discover.measure, sizeof kept_sweep.discover.measure, "%s", measure);
    kept_open();
    cr_assert(boxes_find(&boxes, kept_plan, kept_root));
    buffer_append(&boxes.text, "", 1);
    buffer_append(&boxes.csv, "", 1);
}

static void close_boxes(void)
{
    boxes_free(&boxes);
    kept_close();
}

TestSuite(boxes, .fini = close_boxes);
TestSuite(draws, .fini = kept_close);

static const char *text(void)
{
    return (const char *)boxes.text.data;
}

Test(boxes, one_sentence_says_when)
{
    kept_prepare(4096);
    find("flow", THRESHOLD_BELOW, 3 * PUPILS * 0.8 + 3);
    cr_assert_eq(strncmp(text(),
                         "\nbase, England: flow is below 6808.8 in 30 % of 4,096 draws\n"
                         "  most of all when linear.level is below 0.",
                         98),
                 0, "%s", text());
    double bound = strtod(strstr(text(), "is below 0.") + 9, NULL);
    cr_expect_float_eq(bound, 0.8, 0.005, "%s", text());
    cr_expect_not_null(strstr(text(), ":\n    holds 9"), "%s", text());
    cr_expect_not_null(strstr(text(), " % of its draws are such\n"), "%s", text());
}

Test(boxes, values_of_discrete_parameters_are_told_as_such)
{
    kept_prepare(1024);
    find("cost_gbp", THRESHOLD_AT_MOST, PUPILS * 3);
    cr_expect_not_null(strstr(text(),
                              "most of all when linear.price is at most 2:\n    holds 100 % of these draws, and "
                              "100 % of its draws are such\n"),
                       "%s", text());
}

Test(boxes, both_sides_are_told)
{
    kept_prepare(1024);
    find("cost_gbp", THRESHOLD_AT_LEAST, PUPILS * 3);
    cr_expect_not_null(strstr(text(), "linear.price is at least 4:"), "%s", text());
}

Test(boxes, all_and_none_are_said_in_words)
{
    kept_prepare(100);
    find("flow", THRESHOLD_ABOVE, 0);
    cr_expect_str_eq(text(), "\nbase, England: flow is above 0 in all of 100 draws\n");
    cr_expect_str_eq((const char *)boxes.csv.data, BOXES_HEADER, "no box was looked for");
    boxes_free(&boxes);
    kept_close();
    find("flow", THRESHOLD_BELOW, 0);
    cr_expect_str_eq(text(), "\nbase, England: flow is below 0 in none of 100 draws\n");
    boxes_free(&boxes);
    kept_close();
    find("flow", THRESHOLD_BELOW, 3 * PUPILS * 0.55 + 3);
    cr_expect_not_null(strstr(text(), "too few draws on one side"), "%s", text());
}

Test(boxes, a_sweep_without_a_question_has_none)
{
    kept_prepare(100);
    kept_open();
    cr_assert(boxes_find(&boxes, kept_plan, kept_root));
    cr_expect(boxes.csv.size == 0 && boxes.text.size == 0 && boxes.list == NULL);
}

Test(boxes, json_has_what_the_sentence_says)
{
    kept_prepare(4096);
    find("flow", THRESHOLD_BELOW, 3 * PUPILS * 0.8 + 3);
    json_t *target = json_array_get(boxes.list, 0), *found = json_object_get(target, "boxes");
    cr_assert_eq(json_array_size(boxes.list), 1);
    cr_expect_str_eq(json_string_value(json_object_get(target, "result")), "found");
    cr_expect_str_eq(json_string_value(json_object_get(target, "answer")), "below 6808.8");
    cr_expect_eq(json_integer_value(json_object_get(target, "draws")), 4096);
    cr_assert_eq(json_array_size(found), 1);
    json_t *box = json_array_get(found, 0), *bound = json_array_get(json_object_get(box, "bounds"), 0);
    cr_expect_gt(json_real_value(json_object_get(box, "coverage")), 0.98);
    cr_expect_gt(json_real_value(json_object_get(box, "density")), 0.98);
    cr_expect_float_eq(json_real_value(json_object_get(bound, "high")), 0.8, 0.005);
    cr_expect(json_is_null(json_object_get(bound, "low")));
}

/* Each box in the table once with all its bounds, the last one chosen, and readable as a table. */
Test(boxes, the_table_has_the_whole_trajectory)
{
    kept_prepare(4096);
    find("flow", THRESHOLD_BELOW, 3 * PUPILS * 0.8 + 3);
    struct buffer json = {0};
    char why[256];
    boxes.csv.size--; /* the NUL */
    cr_assert(rows_to_json(buffer_span(&boxes.csv), &json, why, sizeof why), "%s", why);
    json_t *rows = json_loadb((const char *)json.data, json.size, 0, NULL), *row, *last = NULL;
    size_t at, steps = 0, chosen = 0;
    double coverage = 1;
    json_array_foreach(rows, at, row)
    {
        bool is_chosen = json_number_value(json_object_get(row, "chosen")) == 1;
        if (!last || !json_equal(json_object_get(row, "step"), json_object_get(last, "step"))) steps++;
        chosen += is_chosen;
        if (at == 0) {
            cr_expect_str_eq(json_string_value(json_object_get(row, "parameter")), "");
            cr_expect_eq(json_number_value(json_object_get(row, "coverage")), 1);
            cr_expect_eq(json_number_value(json_object_get(row, "mass")), 1);
        }
        double covers = json_number_value(json_object_get(row, "coverage"));
        cr_expect(is_chosen || covers <= coverage);
        coverage = is_chosen ? coverage : covers;
        last = row;
    }
    cr_expect_gt(steps, 10);
    cr_expect_eq(chosen, 1, "one bound, of the box that was chosen");
    cr_expect_eq(json_array_size(rows), rows_count(buffer_span(&boxes.csv)));
    json_decref(rows);
    buffer_free(&json);
}

/* --- draws.csv --- */

static bool collect(void *context, struct span piece)
{
    buffer_append(context, piece.data, piece.size);
    return true;
}

/* Plain text, which the caller frees. */
static char *make_draws(void)
{
    struct buffer out = {0};
    kept_open();
    cr_assert(draws_csv(kept_plan, kept_root, collect, &out));
    buffer_append(&out, "", 1);
    cr_assert_not(out.failed);
    return (char *)out.data;
}

/* Reads a field; empty is NaN. */
static double take_field(char **at)
{
    double value = **at == ',' || **at == '\n' ? NAN : strtod(*at, at);
    cr_assert(**at == ',' || **at == '\n', "%s", *at);
    ++*at;
    return value;
}

Test(draws, every_draw_has_its_parameters_and_figures)
{
    kept_prepare(333);
    kept_sweep.parameters[LINEAR_FAIL_ABOVE].central = 1.3;
    char *csv = make_draws(), *line = strchr(csv, '\n') + 1, why[256];
    struct design *design = design_new(&kept_sweep, why, sizeof why);
    cr_assert_eq(strncmp(csv,
                         "draw,failed,linear.level,linear.price,base/E92000001/flow,base/E92000001/cost_gbp,"
                         "base/E12000001/flow,",
                         101),
                 0, "%s", csv);
    size_t failed = 0;
    for (uint64_t draw = 0; draw < 333; draw++) {
        model_lanes values[LINEAR_PARAMETERS];
        design_row(design, 0, draw / MODEL_LANES * MODEL_LANES, values, NULL);
        double level = values[LINEAR_LEVEL][draw % MODEL_LANES], price = values[LINEAR_PRICE][draw % MODEL_LANES];
        bool fails = level > 1.3;
        cr_assert_eq(take_field(&line), (double)draw);
        cr_assert_eq(take_field(&line), fails);
        cr_assert_eq(take_field(&line), level);
        cr_assert_eq(take_field(&line), price);
        for (size_t at = 0; at < kept_plan->study.target_count; at++) {
            double value = take_field(&line);
            cr_assert_eq(isnan(value) != 0, fails);
            if (at == 0) cr_assert(fails || fabs(value - (3 * PUPILS * level + 3)) < 1e-8);
            if (at == 1) cr_assert(fails || fabs(value - PUPILS * price) < 1e-8);
        }
        cr_assert_eq(line[-1], '\n');
        failed += fails;
    }
    cr_expect_eq(*line, '\0');
    cr_expect_eq(failed, kept_root->failed_draws);
    design_free(design);
    free(csv);
}

Test(draws, blocks_smaller_than_a_batch_make_the_same_lines)
{
    kept_prepare(100);
    char *csv = make_draws();
    kept_close();
    kept_sweep.draws_per_block = 4;
    char *small = make_draws();
    cr_expect_str_eq(csv, small);
    free(csv);
    free(small);
}

Test(draws, names_with_commas_are_quoted)
{
    kept_prepare(4);
    snprintf(kept_sweep.scenarios[0].name, SWEEP_NAME_BYTES, "a, \"b\"");
    char *csv = make_draws();
    cr_expect_not_null(strstr(csv, ",\"a, \"\"b\"\"/E92000001/flow\","), "%s", csv);
    free(csv);
}

static bool refuse(void *context, struct span piece)
{
    (void)piece;
    return ++*(int *)context < 3;
}

Test(draws, writing_ends_when_it_fails)
{
    int pieces = 0;
    kept_prepare(1000);
    kept_open();
    cr_expect_not(draws_csv(kept_plan, kept_root, refuse, &pieces));
    cr_expect_eq(pieces, 3);
}
