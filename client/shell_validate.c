/* goldthread validate: the model against published figures. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "population.h"
#include "shell_commands.h"
#include "shell_job.h"
#include "shell_json.h"
#include "validation.h"

/* The verdict's width: of the longest in the table. */
static int verdict_width(const struct validation_row *rows, int count)
{
    int width = 5;
    for (int at = 0; at < count; at++) {
        int bytes = (int)strlen(validation_verdict_name(rows[at].verdict));
        width = bytes > width ? bytes : width;
    }
    return width;
}

static void print_row(const struct validation_row *row, int verdict_width)
{
    char ours[32] = "-", tolerance[40];
    if (!isnan(row->ours)) snprintf(ours, sizeof ours, "%.9g", row->ours);
    snprintf(tolerance, sizeof tolerance, "%.3g%s", row->relative ? row->tolerance * 100 : row->tolerance,
             row->relative ? " %" : "");
    printf("%-4s %-*s %-74s %13.9g %14s %8s %-8s %s%s%s\n", row->id, verdict_width,
           validation_verdict_name(row->verdict), row->what, row->target, ours, tolerance, row->unit,
           validation_kind_name(row->kind), *row->note ? "; " : "", row->note);
}

static void print_table(const struct validation_row *rows, int count)
{
    int fails = 0, passes = 0;
    int width = verdict_width(rows, count);
    printf("%-4s %-*s %-74s %13s %14s %8s %-8s %s\n", "", width, "", "", "published", "ours", "within", "unit", "kind");
    for (int at = 0; at < count; at++) {
        print_row(&rows[at], width);
        fails += rows[at].verdict == VALIDATION_FAIL;
        passes += rows[at].verdict == VALIDATION_PASS;
    }
    printf("\n%d pass, %d fail, %d not applicable\n", passes, fails, count - passes - fails);
}

static json_t *describe(const struct validation_row *row)
{
    json_t *object = json_object();
    json_object_set_new(object, "id", json_string(row->id));
    json_object_set_new(object, "what", json_string(row->what));
    json_object_set_new(object, "unit", json_string(row->unit));
    json_object_set_new(object, "target", json_real(row->target));
    json_object_set_new(object, "ours", isnan(row->ours) ? json_null() : json_real(row->ours));
    json_object_set_new(object, "tolerance", json_real(row->tolerance));
    json_object_set_new(object, "relative", json_boolean(row->relative));
    json_object_set_new(object, "kind", json_string(validation_kind_name(row->kind)));
    json_object_set_new(object, "verdict", json_string(validation_verdict_name(row->verdict)));
    json_object_set_new(object, "note", json_string(row->note));
    return object;
}

static enum exit_status print_json(const struct validation_row *rows, int count)
{
    json_t *list = json_array();
    for (int at = 0; at < count; at++) json_array_append_new(list, describe(&rows[at]));
    return json_print(list, JSON_DIGITS);
}

static enum exit_status report(const struct population *population, const struct options *options)
{
    struct validation_row rows[VALIDATION_ROWS_MAX];
    char why[512] = "out of memory";
    int count = validation_run(population, rows, VALIDATION_ROWS_MAX, why, sizeof why);
    if (count < 0) {
        fprintf(stderr, "goldthread validate: %s\n", why);
        return STATUS_FAILED;
    }
    enum exit_status status = STATUS_DONE;
    if (options->json) status = print_json(rows, count);
    else print_table(rows, count);
    for (int at = 0; at < count; at++)
        if (rows[at].verdict == VALIDATION_FAIL) status = STATUS_FAILED;
    return status;
}

enum exit_status command_validate(const struct options *options)
{
    char why[JOB_WHY_BYTES];
    bool is_built_in;
    const char *name = options->population ? options->population : POPULATION_BUILT_IN;
    struct population *population = job_read_population(name, "--population: ", &is_built_in, why);
    if (!population) {
        fprintf(stderr, "%s\n", why);
        return STATUS_USAGE;
    }
    enum exit_status status = report(population, options);
    population_free(population);
    return status;
}
