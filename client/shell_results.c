/* goldthread results: the figures of a run, from its folder or from a server. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "boxes.h"
#include "ending.h"
#include "manifest.h"
#include "rows.h"
#include "sensitivity_table.h"
#include "shell_commands.h"
#include "shell_draws.h"
#include "shell_files.h"
#include "shell_job.h"
#include "shell_output.h"
#include "shell_remote.h"
#include "table.h"

#define PIECE_BYTES 512

static enum exit_status fail(const char *what, const char *why)
{
    fprintf(stderr, "goldthread results: %s%s%s\n", what, *what ? ": " : "", why);
    return STATUS_FAILED;
}

/* The tables of a run; one that it does not have is empty. */
enum table { TABLE_ROLLUP, TABLE_SENSITIVITY, TABLE_BOXES, TABLE_COUNT };
static const char *const table_names[TABLE_COUNT] = {"rollup", "sensitivity", "boxes"};
static const char *const why_missing[TABLE_COUNT] = {"", "the sweep has no study",
                                                     "the sweep discovers nothing, or is not done"};

struct tables {
    struct buffer csv[TABLE_COUNT];
};

static void free_tables(struct tables *tables)
{
    for (size_t at = 0; at < TABLE_COUNT; at++) buffer_free(&tables->csv[at]);
}

static void name_file(enum table table, const char *ending, char name[MANIFEST_NAME_BYTES])
{
    snprintf(name, MANIFEST_NAME_BYTES, "%s.%s", table_names[table], ending);
}

static enum exit_status put_out(const struct options *options, enum table table, struct span bytes)
{
    char why[PATH_MAX + 256], name[MANIFEST_NAME_BYTES];
    name_file(table, options->format == FORMAT_JSON ? "json" : "csv", name);
    if (!options->out) {
        fwrite(bytes.data, 1, bytes.size, stdout);
        return STATUS_DONE;
    }
    return file_write(options->out, name, bytes, why, sizeof why) ? STATUS_DONE : fail("", why);
}

static enum exit_status put_table(const struct options *options, enum table table, struct span csv)
{
    if (options->format == FORMAT_CSV) return put_out(options, table, csv);
    struct buffer json = {0};
    char why[256] = "out of memory";
    enum exit_status status = rows_to_json(csv, &json, why, sizeof why) ? put_out(options, table, buffer_span(&json))
                                                                        : fail(table_names[table], why);
    buffer_free(&json);
    return status;
}

static enum exit_status make_folder(const struct options *options)
{
    char why[PATH_MAX + 256];
    if (folder_look(options->out) == FOLDER_FULL) {
        fail(options->out, "the folder is not empty; give a new or an empty one");
        return STATUS_USAGE;
    }
    return folder_make(options->out, 0777, why, sizeof why) ? STATUS_DONE : fail("", why);
}

/* Into a folder go all tables, to standard output goes the rollup, unless --table says which. */
static bool is_wanted(const struct options *options, enum table table)
{
    if (options->table) return strcmp(options->table, table_names[table]) == 0;
    return options->out || table == TABLE_ROLLUP;
}

static enum exit_status put_tables(const struct options *options, const struct tables *tables)
{
    for (size_t at = 0; at < TABLE_COUNT; at++)
        if (options->table && is_wanted(options, (enum table)at) && tables->csv[at].size == 0) {
            char why[PIECE_BYTES];
            snprintf(why, sizeof why, "%s, so there is no table `%s`", why_missing[at], table_names[at]);
            return fail(options->operand, why);
        }
    enum exit_status status = options->out ? make_folder(options) : STATUS_DONE;
    for (size_t at = 0; at < TABLE_COUNT && status == STATUS_DONE; at++)
        if (is_wanted(options, (enum table)at) && tables->csv[at].size > 0)
            status = put_table(options, (enum table)at, buffer_span(&tables->csv[at]));
    return status;
}

static bool is_digest_of(const struct manifest_read *manifest, struct span csv)
{
    char hex[DIGEST_HEX_BYTES];
    struct digest digest = digest_of(csv);
    digest_to_hex(&digest, hex);
    return strcmp(hex, manifest->digest) == 0;
}

/* Where a file of the folder is kept; NULL: it is only checked. */
static struct buffer *find_table(struct tables *tables, const char *file)
{
    for (size_t at = 0; at < TABLE_COUNT; at++) {
        char name[MANIFEST_NAME_BYTES];
        name_file((enum table)at, "csv", name);
        if (strcmp(file, name) == 0 && tables->csv[at].size == 0) return &tables->csv[at];
    }
    return NULL;
}

/* Every file of the folder is held against the manifest. */
static bool check_folder(const struct options *options, const struct manifest_read *manifest, struct tables *tables,
                         char *why, size_t why_bytes)
{
    for (size_t at = 0; at < manifest->file_count; at++) {
        const struct manifest_file *file = &manifest->files[at];
        if (!output_check_file(options->operand, file, find_table(tables, file->name), why, why_bytes)) return false;
    }
    if (tables->csv[TABLE_ROLLUP].size == 0) snprintf(why, why_bytes, "the manifest lists no rollup.csv");
    else if (is_digest_of(manifest, buffer_span(&tables->csv[TABLE_ROLLUP]))) return true;
    else snprintf(why, why_bytes, "the manifest's digest is not that of rollup.csv");
    return false;
}

static enum exit_status read_folder(const struct options *options, const struct manifest_read *manifest)
{
    struct tables tables = {0};
    char why[PIECE_BYTES];
    bool sound = check_folder(options, manifest, &tables, why, sizeof why);
    enum exit_status status = sound ? put_tables(options, &tables) : fail(options->operand, why);
    free_tables(&tables);
    return status;
}

static enum exit_status from_folder(const struct options *options)
{
    struct manifest_read manifest;
    struct buffer bytes = {0};
    char path[PATH_MAX], why[PIECE_BYTES];
    enum exit_status status = STATUS_FAILED;
    snprintf(path, sizeof path, "%s/%s", options->operand, MANIFEST_NAME);
    if (!file_read(path, 1u << 20, &bytes, why, sizeof why)) {
        fail(path, why);
        status = STATUS_USAGE; /* no folder of results */
    } else if (!manifest_parse(buffer_span(&bytes), &manifest, why, sizeof why)) {
        fail(path, why);
    } else {
        status = read_folder(options, &manifest);
    }
    buffer_free(&bytes);
    return status;
}

/* Boxes are found in draws from the first on, so not before all of them are there. */
static bool make_boxes(const struct remote *remote, struct buffer *csv)
{
    struct boxes boxes;
    bool sound = boxes_find(&boxes, remote->plan, remote->root);
    *csv = boxes.csv;
    boxes.csv = (struct buffer){0};
    boxes_free(&boxes);
    return sound;
}

static bool make_tables(const struct remote *remote, struct tables *tables)
{
    const struct plan *plan = remote->plan;
    return table_csv(plan, remote->root, &tables->csv[TABLE_ROLLUP]) &&
           (plan->study.target_count == 0 || sensitivity_csv(plan, remote->root, &tables->csv[TABLE_SENSITIVITY])) &&
           (!remote->complete || make_boxes(remote, &tables->csv[TABLE_BOXES]));
}

static enum exit_status put_draws(const struct options *options, const struct remote *remote)
{
    char why[PATH_MAX + 256];
    const struct node *root = remote->root;
    if (!options->out || options->table || !remote->complete || root->shape.width == 0) return STATUS_DONE;
    bool sound = draws_write(options->out, draws_file_name(root->draws), remote->plan, root, why, sizeof why);
    return sound ? STATUS_DONE : fail("", why);
}

static enum exit_status print_remote(const struct options *options, const struct remote *remote)
{
    struct tables tables = {0};
    enum exit_status status = make_tables(remote, &tables) ? put_tables(options, &tables) : fail("", "out of memory");
    if (status == STATUS_DONE) status = put_draws(options, remote);
    free_tables(&tables);
    return status;
}

static void note_draws(const struct remote *remote)
{
    char line[ENDING_BYTES];
    const struct ending ending = ending_of(remote->plan, remote->root);
    ending_line(&ending, line);
    if (remote->complete && *line) fprintf(stderr, "note: %s\n", line);
    if (remote->complete) return;
    fprintf(stderr, "note: an estimate, from %llu draws so far\n", (unsigned long long)remote->root->draws);
}

static enum exit_status from_server(const struct options *options)
{
    struct remote remote = {0};
    struct talk talk;
    struct digest id;
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    status = talk_find_sweep(&talk, options->operand, "results", &id);
    if (status == STATUS_DONE) status = remote_open(&remote, "results", &talk, &id);
    if (status == STATUS_DONE) status = remote_fetch(&remote, &talk, options, &id);
    if (status == STATUS_DONE) note_draws(&remote);
    if (status == STATUS_DONE) status = print_remote(options, &remote);
    talk_close(&talk);
    remote_close(&remote);
    return status;
}

/* A folder that is there is meant before a sweep's id. */
enum exit_status command_results(const struct options *options)
{
    size_t hex = strspn(options->operand, "0123456789abcdef");
    enum folder_kind kind = folder_look(options->operand);
    bool is_folder = kind == FOLDER_EMPTY || kind == FOLDER_FULL;
    if (!is_folder && hex == strlen(options->operand) && hex > 0) return from_server(options);
    return from_folder(options);
}
