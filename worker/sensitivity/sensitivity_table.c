#include "sensitivity_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "design.h"
#include "estimate.h"
#include "table.h"

/* Names that rows point to. */
struct names {
    char (*columns)[PLAN_COLUMN_NAME_BYTES]; /* [column_count] */
    char years[MODEL_YEARS_MAX + 1][12];
};

struct list {
    const struct plan *plan;
    struct names names;
    struct sensitivity_row *rows;
    size_t count, capacity;
};

double sensitivity_confidence(const struct sweep *sweep)
{
    return sweep->stop.kind == STOP_NEVER ? SENSITIVITY_CONFIDENCE : sweep->stop.confidence;
}

const char *sensitivity_parameter(const struct plan *plan, int dimension)
{
    if (dimension < 0) return "";
    if ((uint32_t)dimension >= plan->study.dimensions) return SENSITIVITY_DUMMY;
    return plan->sweep->parameters[sweep_parameter_of(plan->sweep, (uint32_t)dimension)].name;
}

static bool open_names(struct list *list)
{
    const struct plan *plan = list->plan;
    list->names.columns = calloc(plan->column_count, sizeof *list->names.columns);
    if (!list->names.columns) return false;
    for (size_t at = 0; at < plan->column_count; at++)
        plan_column_name(plan, at, list->names.columns[at], sizeof list->names.columns[at]);
    for (uint32_t year = 0; year <= MODEL_YEARS_MAX; year++)
        snprintf(list->names.years[year], sizeof list->names.years[year], "%u", year);
    snprintf(list->names.years[MODEL_YEAR_ALL], sizeof list->names.years[0], "all");
    return true;
}

static bool grow(struct list *list)
{
    size_t capacity = list->capacity ? 2 * list->capacity : 256;
    struct sensitivity_row *rows = realloc(list->rows, capacity * sizeof *rows);
    if (!rows) return false;
    list->rows = rows;
    list->capacity = capacity;
    return true;
}

static bool add_row(void *context, const struct estimate_row *row)
{
    struct list *list = context;
    const struct plan *plan = list->plan;
    const struct study_target *target = &plan->study.targets[row->target];
    const struct model_figure *figure = &plan->figures[plan->kept[target->kept]];
    const struct model_measure *measure = &plan->model->measures[figure->measure];
    if (list->count == list->capacity && !grow(list)) return false;
    list->rows[list->count++] = (struct sensitivity_row){
        .texts = {list->names.columns[target->column], plan->areas[target->area].code, plan->areas[target->area].name,
                  measure->name, measure->unit, list->names.years[figure->year], row->index,
                  sensitivity_parameter(plan, row->dimension), sensitivity_parameter(plan, row->second)},
        .estimate = row->value,
        .low = row->low,
        .high = row->high,
        .n = row->n,
        .method = design_method_names[plan->sweep->method]};
    return true;
}

static int order_rows(const void *left, const void *right)
{
    const struct sensitivity_row *a = left, *b = right;
    int order = 0;
    for (size_t at = 0; at < SENSITIVITY_TEXTS && order == 0; at++) order = strcmp(a->texts[at], b->texts[at]);
    return order;
}

static bool emit_sorted(struct list *list, bool (*emit)(void *context, const struct sensitivity_row *row),
                        void *context)
{
    if (list->count > 0) qsort(list->rows, list->count, sizeof *list->rows, order_rows);
    for (size_t at = 0; at < list->count; at++)
        if (!emit(context, &list->rows[at])) return false;
    return true;
}

bool sensitivity_rows(const struct plan *plan, const struct node *root,
                      bool (*emit)(void *context, const struct sensitivity_row *row), void *context)
{
    struct list list = {.plan = plan};
    bool sound = open_names(&list) &&
                 estimate_rows(&plan->study, root, sensitivity_confidence(plan->sweep), add_row, &list) &&
                 emit_sorted(&list, emit, context);
    free(list.names.columns);
    free(list.rows);
    return sound;
}

/* --- CSV --- */

#define LINE_BYTES (12 * 2 * PLAN_COLUMN_NAME_BYTES) /* fields are shorter than names of columns */

static char *put_number(char *to, double value)
{
    char text[32];
    table_number(value, text);
    return table_field(to, text);
}

static bool append_line(void *context, const struct sensitivity_row *row)
{
    struct buffer *out = context;
    char line[LINE_BYTES], *to = line;
    for (size_t at = 0; at < SENSITIVITY_TEXTS; at++) to = table_field(to, row->texts[at]);
    to = put_number(to, row->estimate);
    to = put_number(to, row->low);
    to = put_number(to, row->high);
    to += sprintf(to, "%" PRIu64 ",%s\n", row->n, row->method);
    buffer_append(out, line, (size_t)(to - line));
    return !out->failed;
}

bool sensitivity_csv(const struct plan *plan, const struct node *root, struct buffer *out)
{
    buffer_append(out, SENSITIVITY_HEADER, strlen(SENSITIVITY_HEADER));
    return sensitivity_rows(plan, root, append_line, out) && !out->failed;
}
