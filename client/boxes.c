#include "boxes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "amount.h"
#include "discover.h"
#include "progress.h"
#include "table.h"
#include "words.h"

#define LINE_BYTES (16 * 2 * PLAN_COLUMN_NAME_BYTES) /* fields are shorter than names of columns */

/* What is made as boxes come in. */
struct maker {
    const struct plan *plan;
    struct boxes *boxes;
    struct buffer found; /* sentences on the chosen boxes of this target */
    json_t *chosen;      /* owned: the same as objects */
};

static const char *const sides[] = {"above", "at least", "below", "at most"};

static void name_answer(const struct sweep_threshold *question, char *text, size_t text_bytes)
{
    char number[32];
    table_number(question->value, number);
    snprintf(text, text_bytes, "%s %s", sides[question->side], number);
}

static const struct model_figure *figure_of(const struct plan *plan, const struct study_target *target)
{
    return &plan->figures[plan->kept[target->kept]];
}

static const char *measure_of(const struct plan *plan, const struct study_target *target)
{
    return plan->model->measures[figure_of(plan, target)->measure].name;
}

/* --- boxes.csv --- */

static char *put_number(char *to, double value)
{
    char text[32];
    table_number(value, text);
    return table_field(to, text);
}

static char *put_whole(char *to, uint64_t value)
{
    return to + sprintf(to, "%" PRIu64 ",", value);
}

static char *put_target(char *to, const struct plan *plan, const struct study_target *target)
{
    char column[PLAN_COLUMN_NAME_BYTES], answer[48], year[16] = "all";
    uint32_t in_year = figure_of(plan, target)->year;
    plan_column_name(plan, target->column, column, sizeof column);
    name_answer(&plan->sweep->discover, answer, sizeof answer);
    if (in_year != MODEL_YEAR_ALL) snprintf(year, sizeof year, "%u", in_year);
    to = table_field(to, column);
    to = table_field(to, plan->areas[target->area].code);
    to = table_field(to, measure_of(plan, target));
    to = table_field(to, year);
    return table_field(to, answer);
}

/* bound NULL: the box has none. */
static void write_line(const struct maker *maker, const struct study_target *target, const struct prim_box *box,
                       const struct discover_bound *bound)
{
    char line[LINE_BYTES], *to = put_target(line, maker->plan, target);
    to = put_whole(to, box->box);
    to = put_whole(to, box->step);
    to = table_field(to, bound ? maker->plan->sweep->parameters[bound->parameter].name : "");
    to = put_number(to, bound ? bound->low : NAN);
    to = put_number(to, bound ? bound->high : NAN);
    to = put_number(to, box->coverage);
    to = put_number(to, box->density);
    to = put_number(to, box->mass);
    to = put_whole(to, box->draws);
    to = put_number(to, bound ? bound->quasi_p : NAN);
    to += sprintf(to, "%d\n", box->chosen);
    buffer_append(&maker->boxes->csv, line, (size_t)(to - line));
}

/* --- sentences --- */

static void say_bound(const struct sweep *sweep, const struct discover_bound *bound, struct buffer *out)
{
    char low[AMOUNT_BYTES], high[AMOUNT_BYTES];
    amount_text(bound->low, 4, low);
    amount_text(bound->high, 4, high);
    word_print(out, "%s ", sweep->parameters[bound->parameter].name);
    if (bound->is_discrete && bound->low == bound->high) word_print(out, "is %s", low);
    else if (isnan(bound->high)) word_print(out, "is at least %s", low);
    else if (isnan(bound->low)) word_print(out, bound->is_discrete ? "is at most %s" : "is below %s", high);
    else word_print(out, "is from %.200s to %.200s", low, high);
}

static void say_box(struct maker *maker, const struct discover_box *found)
{
    struct buffer *out = &maker->found;
    const struct prim_box *box = found->box;
    word_print(out, box->box == 1 ? "  most of all when " : "  then when ");
    for (size_t at = 0; at < found->bound_count; at++) {
        if (at > 0) word_print(out, at + 1 < found->bound_count ? ", " : " and ");
        say_bound(maker->plan->sweep, &found->bounds[at], out);
    }
    word_print(out, ":\n    holds %.3g %% of these draws, and %.3g %% of its draws%s are such\n", 100 * box->coverage,
               100 * box->density, box->box == 1 ? "" : ", where not told yet,");
}

static void say_target(struct maker *maker, const struct discovery *discovery)
{
    struct buffer *out = &maker->boxes->text;
    const struct study_target *target = discovery->target;
    char column[PLAN_COLUMN_NAME_BYTES], answer[48], draws[32], share[AMOUNT_BYTES];
    plan_column_name(maker->plan, target->column, column, sizeof column);
    name_answer(&maker->plan->sweep->discover, answer, sizeof answer);
    progress_count(discovery->draws, draws, sizeof draws);
    word_print(out, "\n%s, %s: %s is %s in ", column, maker->plan->areas[target->area].name,
               measure_of(maker->plan, target), answer);
    if (discovery->yes == 0) word_print(out, "none of %s draws\n", draws);
    else if (discovery->yes == discovery->draws) word_print(out, "all of %s draws\n", draws);
    else {
        amount_text(100 * (double)discovery->yes / (double)discovery->draws, 3, share);
        word_print(out, "%s %% of %s draws\n", share, draws);
    }
    if (discovery->result == PRIM_NOTHING) word_print(out, "  nowhere in the parameters more than elsewhere\n");
    bool mixed = discovery->yes > 0 && discovery->yes < discovery->draws;
    if (discovery->result == PRIM_TOO_FEW && mixed) word_print(out, "  too few draws on one side to say when\n");
    buffer_append(out, maker->found.data, maker->found.size);
}

/* --- JSON --- */

static json_t *list_bounds(const struct sweep *sweep, const struct discover_box *found)
{
    json_t *list = json_array();
    for (size_t at = 0; at < found->bound_count; at++) {
        const struct discover_bound *bound = &found->bounds[at];
        json_t *object = json_object();
        json_object_set_new(object, "parameter", json_string(sweep->parameters[bound->parameter].name));
        json_object_set_new(object, "low", amount_json(bound->low));
        json_object_set_new(object, "high", amount_json(bound->high));
        json_object_set_new(object, "quasi_p", amount_json(bound->quasi_p));
        json_array_append_new(list, object);
    }
    return list;
}

static void describe_box(struct maker *maker, const struct discover_box *found)
{
    json_t *object = json_object();
    json_object_set_new(object, "coverage", amount_json(found->box->coverage));
    json_object_set_new(object, "density", amount_json(found->box->density));
    json_object_set_new(object, "mass", amount_json(found->box->mass));
    json_object_set_new(object, "bounds", list_bounds(maker->plan->sweep, found));
    json_array_append_new(maker->chosen, object);
}

static void describe_target(struct maker *maker, const struct discovery *discovery)
{
    static const char *const results[] = {
        [PRIM_FOUND] = "found", [PRIM_NOTHING] = "nothing stands out", [PRIM_TOO_FEW] = "too few"};
    const struct study_target *target = discovery->target;
    char column[PLAN_COLUMN_NAME_BYTES], answer[48];
    plan_column_name(maker->plan, target->column, column, sizeof column);
    name_answer(&maker->plan->sweep->discover, answer, sizeof answer);
    json_t *object = json_object();
    json_object_set_new(object, "scenario", json_string(column));
    json_object_set_new(object, "area_code", json_string(maker->plan->areas[target->area].code));
    json_object_set_new(object, "measure", json_string(measure_of(maker->plan, target)));
    json_object_set_new(object, "answer", json_string(answer));
    json_object_set_new(object, "draws", json_integer((json_int_t)discovery->draws));
    json_object_set_new(object, "yes", json_integer((json_int_t)discovery->yes));
    json_object_set_new(object, "result", json_string(results[discovery->result]));
    json_object_set(object, "boxes", maker->chosen);
    json_array_append_new(maker->boxes->list, object);
}

/* --- all of it --- */

static bool take_box(void *context, const struct study_target *target, const struct discover_box *found)
{
    struct maker *maker = context;
    if (found->bound_count == 0) write_line(maker, target, found->box, NULL);
    for (size_t at = 0; at < found->bound_count; at++) write_line(maker, target, found->box, &found->bounds[at]);
    if (found->box->chosen) {
        say_box(maker, found);
        describe_box(maker, found);
    }
    return !maker->boxes->csv.failed;
}

static bool end_target(void *context, const struct discovery *discovery)
{
    struct maker *maker = context;
    say_target(maker, discovery);
    describe_target(maker, discovery);
    buffer_clear(&maker->found);
    json_decref(maker->chosen);
    maker->chosen = json_array();
    return maker->chosen && !maker->found.failed && !maker->boxes->text.failed;
}

bool boxes_find(struct boxes *boxes, const struct plan *plan, const struct node *root)
{
    char why[256];
    *boxes = (struct boxes){0};
    if (plan->sweep->discover.measure[0] == '\0') return true;
    boxes->list = json_array();
    struct maker maker = {.plan = plan, .boxes = boxes, .chosen = json_array()};
    struct discover_sink sink = {take_box, end_target, &maker};
    struct design *design = design_new(plan->sweep, why, sizeof why);
    buffer_append(&boxes->csv, BOXES_HEADER, strlen(BOXES_HEADER));
    bool sound = boxes->list && maker.chosen && design && discover(plan, design, root, &sink);
    design_free(design);
    json_decref(maker.chosen);
    buffer_free(&maker.found);
    return sound;
}

void boxes_free(struct boxes *boxes)
{
    buffer_free(&boxes->csv);
    buffer_free(&boxes->text);
    json_decref(boxes->list);
    boxes->list = NULL;
}
