#include "empirical.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"

/* One file being read. */
struct sample {
    const struct yaml_node *node; /* where faults are shown */
    struct yaml_fault *fault;
    char path[PATH_MAX];
    const char *column; /* NULL: the only one, without a head */
    double *values;     /* owned; all, even those beyond the pool: the count is told */
    size_t count, capacity;
};

static bool __attribute__((format(printf, 2, 3))) refuse(const struct sample *sample, const char *format, ...)
{
    sample->fault->line = sample->node->line;
    sample->fault->column = sample->node->column;
    va_list values;
    va_start(values, format);
    vsnprintf(sample->fault->text, sizeof sample->fault->text, format, values);
    va_end(values);
    return false;
}

static bool add(struct sample *sample, double value)
{
    if (sample->count == sample->capacity) {
        size_t capacity = sample->capacity ? 2 * sample->capacity : 256;
        double *values = realloc(sample->values, capacity * sizeof *values);
        if (!values) return refuse(sample, "out of memory");
        sample->values = values;
        sample->capacity = capacity;
    }
    sample->values[sample->count++] = value + 0.0; /* -0.0 is 0.0, as it travels */
    return true;
}

static bool find_column(const struct sample *sample, const struct csv_row *head, size_t *column)
{
    for (*column = 0; *column < head->count; ++*column)
        if (csv_equals(head->fields[*column], sample->column)) return true;
    return refuse(sample, "%.160s has no column `%.40s` in its first line", sample->path, sample->column);
}

static bool add_field(struct sample *sample, const struct csv_row *row, size_t column)
{
    double value;
    if (!sample->column && row->count != 1)
        return refuse(sample,
                      "%.160s:%u: more than one number in a line; of a table, name the {file: ..., column: ...}",
                      sample->path, (unsigned)row->line);
    if (column >= row->count || !csv_number(row->fields[column], &value))
        return refuse(sample, "%.160s:%u: not a number; each line holds one", sample->path, (unsigned)row->line);
    return add(sample, value);
}

static bool read_table(struct sample *sample, struct span text)
{
    struct csv csv;
    struct csv_row row;
    size_t column = 0;
    enum csv_status status;
    csv_open(&csv, text);
    if (sample->column) {
        if (csv_next(&csv, &row) != CSV_ROW) return refuse(sample, "%.160s has no first line", sample->path);
        if (!find_column(sample, &row, &column)) return false;
    }
    while ((status = csv_next(&csv, &row)) == CSV_ROW)
        if (!add_field(sample, &row, column)) return false;
    if (status == CSV_FAULT) return refuse(sample, "%.160s:%u: %s", sample->path, (unsigned)csv.fault_line, csv.fault);
    return sample->count > 0 || refuse(sample, "%.160s holds no number", sample->path);
}

static bool read_sample(struct sample *sample, const struct empirical_source *source)
{
    struct buffer bytes = {0};
    char why[256];
    bool sound = false;
    if (!source->read_file) refuse(sample, "no files can be read here");
    else if (!source->read_file(sample->path, EMPIRICAL_FILE_BYTES_MAX, &bytes, why, sizeof why))
        refuse(sample, "%.160s cannot be read: %.120s", sample->path, why);
    else if (bytes.size > EMPIRICAL_FILE_BYTES_MAX)
        refuse(sample, "%.160s is larger than %u bytes", sample->path, EMPIRICAL_FILE_BYTES_MAX);
    else sound = read_table(sample, buffer_span(&bytes));
    buffer_free(&bytes);
    return sound;
}

static bool read_names(const struct yaml_node *node, struct sample *sample, const char **file)
{
    const struct yaml_node *path = node->kind == YAML_MAPPING ? yaml_key(node, "file") : NULL;
    const struct yaml_node *column = node->kind == YAML_MAPPING ? yaml_key(node, "column") : NULL;
    bool scalar = node->kind == YAML_SCALAR && node->text[0];
    bool named = path && path->next->kind == YAML_SCALAR && node->count == (column ? 2u : 1u) &&
                 (!column || column->next->kind == YAML_SCALAR);
    if (!scalar && !named) return refuse(sample, "empirical takes a file, or {file: ..., column: ...}");
    *file = scalar ? node->text : path->next->text;
    sample->column = column ? column->next->text : NULL;
    return true;
}

/* Beside the scenario file, unless the path begins at the root. */
static bool resolve(struct sample *sample, const char *beside, const char *file)
{
    const char *slash = strrchr(beside, '/');
    int folder = file[0] != '/' && slash ? (int)(slash - beside + 1) : 0;
    int size = snprintf(sample->path, sizeof sample->path, "%.*s%s", folder, beside, file);
    return (size >= 0 && (size_t)size < sizeof sample->path) || refuse(sample, "the path of the file is too long");
}

static int compare(const void *left, const void *right)
{
    double one = *(const double *)left, other = *(const double *)right;
    return (one > other) - (one < other);
}

static bool pour(struct sample *sample, struct sweep *sweep, struct distribution *distribution)
{
    if (sample->count > SWEEP_POOL_MAX - sweep->pool_count)
        return refuse(sample, "%.160s holds %zu numbers; %u more are allowed, of %d in all files together",
                      sample->path, sample->count, (unsigned)(SWEEP_POOL_MAX - sweep->pool_count), SWEEP_POOL_MAX);
    qsort(sample->values, sample->count, sizeof sample->values[0], compare);
    distribution->kind = DISTRIBUTION_EMPIRICAL;
    distribution->pool_first = sweep->pool_count;
    distribution->point_count = (uint32_t)sample->count;
    memcpy(sweep->pool + sweep->pool_count, sample->values, sample->count * sizeof sample->values[0]);
    sweep->pool_count += (uint32_t)sample->count;
    return true;
}

bool empirical_read(const struct yaml_node *node, const struct empirical_source *source,
                    struct distribution *distribution, struct yaml_fault *fault)
{
    struct sample sample = {.node = node, .fault = fault};
    const char *file = NULL;
    bool sound = read_names(node, &sample, &file) && resolve(&sample, source->beside, file) &&
                 read_sample(&sample, source) && pour(&sample, source->sweep, distribution);
    free(sample.values);
    return sound;
}

bool empirical_pack(struct sweep *sweep)
{
    if (sweep->pool_count == 0) return true;
    double *packed = calloc(SWEEP_POOL_MAX, sizeof *packed);
    uint32_t count = 0;
    if (!packed) return false;
    for (uint32_t at = 0; at < sweep->parameter_count; at++) {
        struct distribution *from = &sweep->parameters[at].distribution;
        if (from->kind != DISTRIBUTION_EMPIRICAL) continue;
        memcpy(packed + count, sweep->pool + from->pool_first, from->point_count * sizeof *packed);
        from->pool_first = count;
        count += from->point_count;
    }
    memcpy(sweep->pool, packed, SWEEP_POOL_MAX * sizeof *packed);
    sweep->pool_count = count;
    free(packed);
    return true;
}
