#include "table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "population.h"

/* --- numbers --- */

#define PLAIN_EXPONENT_MIN (-6) /* 0.0000001 is written 1e-7 */
#define PLAIN_EXPONENT_MAX 17   /* and 100000000000000000 is written 1e17 */

/* 123.4 or 0.00123 */
static char *put_plain(char *text, const struct decimal *decimal)
{
    if (decimal->exponent <= 0) {
        *text++ = '0';
        *text++ = '.';
        for (int32_t at = decimal->exponent; at < 0; at++) *text++ = '0';
    }
    for (int32_t at = 0; at < decimal->count; at++) {
        if (at == decimal->exponent && at > 0) *text++ = '.';
        *text++ = decimal->digits[at];
    }
    for (int32_t at = decimal->count; at < decimal->exponent; at++) *text++ = '0';
    return text;
}

/* 1.234e56 */
static char *put_scientific(char *text, const struct decimal *decimal)
{
    *text++ = decimal->digits[0];
    if (decimal->count > 1) *text++ = '.';
    for (int32_t at = 1; at < decimal->count; at++) *text++ = decimal->digits[at];
    return text + sprintf(text, "e%" PRId32, decimal->exponent - 1);
}

void table_number(double value, char *text)
{
    if (isfinite(value)) {
        if (signbit(value)) *text++ = '-';
        struct decimal decimal = {.count = 1, .exponent = 1, .digits = "0"};
        if (value != 0) decimal = decimal_shortest(fabs(value));
        bool plain = decimal.exponent >= PLAIN_EXPONENT_MIN + 1 && decimal.exponent <= PLAIN_EXPONENT_MAX;
        text = plain ? put_plain(text, &decimal) : put_scientific(text, &decimal);
    }
    *text = '\0';
}

/* --- the table's dimensions, each in the order of its names --- */

struct column_entry {
    char name[PLAN_COLUMN_NAME_BYTES];
    size_t column;
};

struct area_entry {
    const char *code, *name, *phase, *quintile;
    size_t area;
};

struct figure_entry {
    char year[12];
    const char *measure, *unit;
    size_t kept;
};

enum statistic { MEAN, SD, MCSE, MIN, MAX, COUNT, FIRST_QUANTILE };
#define STATISTICS_MAX (FIRST_QUANTILE + SWEEP_QUANTILES_MAX)

struct statistic_entry {
    char name[40];
    size_t statistic; /* enum statistic; quantiles count on from the last */
};

struct dimensions {
    struct column_entry *columns;
    struct area_entry *areas;
    struct figure_entry *figures;
    size_t statistic_count;
    struct statistic_entry statistics[STATISTICS_MAX];
};

/* Compares names in turn, given as pairs. */
static int compare_names(const char *const *names, size_t pairs)
{
    for (size_t at = 0; at < pairs; at++) {
        int order = strcmp(names[2 * at], names[2 * at + 1]);
        if (order != 0) return order;
    }
    return 0;
}

static int order_columns(const void *left, const void *right)
{
    return strcmp(((const struct column_entry *)left)->name, ((const struct column_entry *)right)->name);
}

static int order_areas(const void *left, const void *right)
{
    const struct area_entry *a = left, *b = right;
    const char *names[] = {a->code, b->code, a->name, b->name, a->phase, b->phase, a->quintile, b->quintile};
    int order = compare_names(names, 4);
    return order ? order : (a->area > b->area) - (a->area < b->area);
}

static int order_figures(const void *left, const void *right)
{
    const struct figure_entry *a = left, *b = right;
    const char *names[] = {a->year, b->year, a->measure, b->measure, a->unit, b->unit};
    int order = compare_names(names, 3);
    return order ? order : (a->kept > b->kept) - (a->kept < b->kept);
}

static int order_statistics(const void *left, const void *right)
{
    return strcmp(((const struct statistic_entry *)left)->name, ((const struct statistic_entry *)right)->name);
}

static const char *quintile_name(int8_t quintile)
{
    static const char *const names[QUINTILE_COUNT] = {"0", "1", "2", "3", "4", "5"};
    return quintile == AREA_ALL ? "all" : names[quintile];
}

static void list_columns(const struct plan *plan, struct column_entry *columns)
{
    for (size_t at = 0; at < plan->column_count; at++) {
        columns[at].column = at;
        plan_column_name(plan, at, columns[at].name, sizeof columns[at].name);
    }
    qsort(columns, plan->column_count, sizeof *columns, order_columns);
}

static void list_areas(const struct plan *plan, struct area_entry *areas)
{
    for (size_t at = 0; at < plan->area_count; at++) {
        const struct area *area = &plan->areas[at];
        areas[at] = (struct area_entry){.code = area->code,
                                        .name = area->name,
                                        .phase = area->phase == AREA_ALL ? "all" : phase_name((enum phase)area->phase),
                                        .quintile = quintile_name(area->quintile),
                                        .area = at};
    }
    qsort(areas, plan->area_count, sizeof *areas, order_areas);
}

static struct figure_entry figure_entry(const char *measure, const char *unit, uint32_t year, size_t kept)
{
    struct figure_entry entry = {.year = "all", .measure = measure, .unit = unit, .kept = kept};
    if (year != MODEL_YEAR_ALL) snprintf(entry.year, sizeof entry.year, "%u", year);
    return entry;
}

static void list_figures(const struct plan *plan, struct figure_entry *figures)
{
    for (size_t at = 0; at < plan->kept_count; at++) {
        const struct model_figure *figure = &plan->figures[plan->kept[at]];
        const struct model_measure *measure = &plan->model->measures[figure->measure];
        figures[at] = figure_entry(measure->name, measure->unit, figure->year, at);
    }
    for (size_t at = 0; at < plan->answer_count; at++) {
        const struct answer *answer = &plan->answers[at];
        size_t place = plan->kept_count + at;
        figures[place] = figure_entry(answer->name, answer->unit, answer->year, place);
    }
    qsort(figures, plan_width(plan), sizeof *figures, order_figures);
}

static void add_statistic(struct dimensions *dimensions, const char *name, size_t statistic)
{
    struct statistic_entry *entry = &dimensions->statistics[dimensions->statistic_count++];
    snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->statistic = statistic;
}

/* p and the digits of the share, at least two: p05, p50, p025. A share too small for plain digits keeps
 * its exponent: p1e-9. */
static void add_quantile(struct dimensions *dimensions, double share, size_t statistic)
{
    char number[32], name[40];
    table_number(share, number);
    const char *digits = strncmp(number, "0.", 2) == 0 ? number + 2 : number;
    snprintf(name, sizeof name, "p%s%s", digits, strlen(digits) < 2 ? "0" : "");
    add_statistic(dimensions, name, statistic);
}

static void list_statistics(const struct sweep *sweep, struct dimensions *dimensions)
{
    static const char *const names[] = {
        [MEAN] = "mean", [SD] = "sd", [MCSE] = "mcse", [MIN] = "min", [MAX] = "max", [COUNT] = "n"};
    dimensions->statistic_count = 0;
    if (sweep->draws == 1) {
        add_statistic(dimensions, "value", MEAN);
        return;
    }
    for (size_t at = 0; at < FIRST_QUANTILE; at++) add_statistic(dimensions, names[at], at);
    for (size_t at = 0; at < sweep->quantile_count; at++)
        add_quantile(dimensions, sweep->quantiles[at], FIRST_QUANTILE + at);
    qsort(dimensions->statistics, dimensions->statistic_count, sizeof *dimensions->statistics, order_statistics);
}

size_t table_statistics(const struct sweep *sweep)
{
    return sweep->draws == 1 ? 1 : FIRST_QUANTILE + sweep->quantile_count;
}

static void close_dimensions(struct dimensions *dimensions)
{
    free(dimensions->columns);
    free(dimensions->areas);
    free(dimensions->figures);
}

/* False: out of memory, and nothing to close. */
static bool open_dimensions(const struct plan *plan, struct dimensions *dimensions)
{
    dimensions->columns = malloc(plan->column_count * sizeof *dimensions->columns);
    dimensions->areas = malloc(plan->area_count * sizeof *dimensions->areas);
    dimensions->figures = malloc(plan_width(plan) * sizeof *dimensions->figures);
    if (!dimensions->columns || !dimensions->areas || !dimensions->figures) {
        close_dimensions(dimensions);
        return false;
    }
    list_columns(plan, dimensions->columns);
    list_areas(plan, dimensions->areas);
    list_figures(plan, dimensions->figures);
    list_statistics(plan->sweep, dimensions);
    return true;
}

/* --- rows --- */

/* The studied figure of a column and area that is kept there; SIZE_MAX: it is not studied. */
static size_t find_target(const struct study *study, size_t column, size_t area, size_t kept)
{
    for (size_t at = study_first_target(study, column, area); at < study->target_count; at++) {
        const struct study_target *target = &study->targets[at];
        if (target->area != area || target->column != column) break;
        if (target->kept == kept) return at;
    }
    return SIZE_MAX;
}

/* The standard error of a mean: between replicates, where there are any and the figure is studied. */
static double find_mcse(const struct plan *plan, const struct node *root, size_t figure)
{
    const struct study *study = &plan->study;
    const struct tally *tally = &root->tallies[figure];
    size_t width = plan_width(plan), place = figure / width;
    size_t target = find_target(study, place / plan->area_count, place % plan->area_count, figure % width);
    double random = tally_mcse(tally), error = NAN;
    if (random > 0 && target != SIZE_MAX) error = study_mean_error(study, target, root->sums, tally->count);
    return isnan(error) ? random : error;
}

/* All statistics of a figure, by enum statistic. */
static void compute_statistics(const struct plan *plan, const struct node *root, size_t figure, double *statistics)
{
    const struct sweep *sweep = plan->sweep;
    const struct tally *tally = &root->tallies[figure];
    bool defined = tally->count > 0;
    statistics[MEAN] = defined ? tally->mean : NAN;
    statistics[MIN] = defined ? tally->min : NAN;
    statistics[MAX] = defined ? tally->max : NAN;
    statistics[COUNT] = (double)tally->count;
    if (sweep->draws == 1) return;
    statistics[SD] = tally_sd(tally);
    statistics[MCSE] = find_mcse(plan, root, figure);
    tally_quantiles(root, tally, sweep->quantiles, sweep->quantile_count, statistics + FIRST_QUANTILE);
}

/* The rows on their way out. */
struct writer {
    const struct plan *plan;
    const struct node *root;
    const struct dimensions *dimensions;
    bool (*emit)(void *context, const struct table_row *row);
    void *context;
    struct table_row row;
};

static bool emit_statistics(struct writer *writer, size_t figure)
{
    double statistics[STATISTICS_MAX];
    const struct dimensions *dimensions = writer->dimensions;
    compute_statistics(writer->plan, writer->root, figure, statistics);
    for (size_t at = 0; at < dimensions->statistic_count; at++) {
        writer->row.statistic = dimensions->statistics[at].name;
        writer->row.value = statistics[dimensions->statistics[at].statistic];
        if (!writer->emit(writer->context, &writer->row)) return false;
    }
    return true;
}

static bool emit_area(struct writer *writer, size_t column, const struct area_entry *area)
{
    const struct plan *plan = writer->plan;
    writer->row.area_code = area->code;
    writer->row.area = area->name;
    writer->row.phase = area->phase;
    writer->row.quintile = area->quintile;
    for (size_t at = 0; at < plan_width(plan); at++) {
        const struct figure_entry *figure = &writer->dimensions->figures[at];
        writer->row.year = figure->year;
        writer->row.measure = figure->measure;
        writer->row.unit = figure->unit;
        if (!emit_statistics(writer, plan_figure(plan, column, area->area, figure->kept))) return false;
    }
    return true;
}

bool table_rows(const struct plan *plan, const struct node *root, bool (*emit)(void *context, const struct table_row *),
                void *context)
{
    struct dimensions dimensions;
    if (root->shape.figures != plan->shape.figures || !open_dimensions(plan, &dimensions)) return false;
    struct writer writer = {.plan = plan, .root = root, .dimensions = &dimensions, .emit = emit, .context = context};
    bool going = true;
    for (size_t column = 0; column < plan->column_count && going; column++) {
        writer.row.scenario = dimensions.columns[column].name;
        for (size_t area = 0; area < plan->area_count && going; area++)
            going = emit_area(&writer, dimensions.columns[column].column, &dimensions.areas[area]);
    }
    close_dimensions(&dimensions);
    return going;
}

/* --- CSV --- */

/* Fields are shorter than names of columns, which may double when quoted. */
#define LINE_BYTES (10 * 2 * PLAN_COLUMN_NAME_BYTES)

/* A line in the making. The rows of one figure differ only in their last two fields, so that what comes
 * before is made once. */
struct csv_line {
    struct buffer *out;
    struct table_row of; /* whose fields stand at the beginning of the line */
    size_t prefix_bytes;
    char text[LINE_BYTES];
};

char *table_field(char *to, const char *field)
{
    if (!strpbrk(field, ",\"\r\n")) {
        size_t size = strlen(field);
        memcpy(to, field, size);
        to[size] = ',';
        return to + size + 1;
    }
    *to++ = '"';
    for (; *field; field++) {
        if (*field == '"') *to++ = '"';
        *to++ = *field;
    }
    *to++ = '"';
    *to++ = ',';
    return to;
}

static bool same_figure(const struct table_row *left, const struct table_row *right)
{
    return left->scenario == right->scenario && left->area_code == right->area_code && left->area == right->area &&
           left->phase == right->phase && left->quintile == right->quintile && left->year == right->year &&
           left->measure == right->measure && left->unit == right->unit;
}

static void put_prefix(struct csv_line *line, const struct table_row *row)
{
    const char *fields[] = {row->scenario, row->area_code, row->area,    row->phase,
                            row->quintile, row->year,      row->measure, row->unit};
    char *to = line->text;
    for (size_t at = 0; at < sizeof fields / sizeof *fields; at++) to = table_field(to, fields[at]);
    line->prefix_bytes = (size_t)(to - line->text);
    line->of = *row;
}

static bool append_line(void *context, const struct table_row *row)
{
    struct csv_line *line = context;
    if (!same_figure(&line->of, row)) put_prefix(line, row);
    char *to = table_field(line->text + line->prefix_bytes, row->statistic);
    table_number(row->value, to);
    size_t bytes = (size_t)(to - line->text) + strlen(to);
    line->text[bytes++] = '\n';
    buffer_append(line->out, line->text, bytes);
    return !line->out->failed;
}

bool table_csv(const struct plan *plan, const struct node *root, struct buffer *out)
{
    struct csv_line line;
    line.out = out;
    line.of = (struct table_row){0};
    line.prefix_bytes = 0;
    buffer_append(out, TABLE_HEADER, strlen(TABLE_HEADER));
    return table_rows(plan, root, append_line, &line) && !out->failed;
}
