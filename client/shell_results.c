/* goldthread results: the figures of a run, from its folder or from a server. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "manifest.h"
#include "plugin.h"
#include "population.h"
#include "population_codec.h"
#include "rows.h"
#include "sensitivity_table.h"
#include "shell_commands.h"
#include "shell_files.h"
#include "shell_job.h"
#include "shell_output.h"
#include "shell_talk.h"
#include "sweep_codec.h"
#include "table.h"

#define PIECE_BYTES 512

static enum exit_status fail(const char *what, const char *why)
{
    fprintf(stderr, "goldthread results: %s%s%s\n", what, *what ? ": " : "", why);
    return STATUS_FAILED;
}

/* The tables of a run; one that it does not have is empty. */
enum table { TABLE_ROLLUP, TABLE_SENSITIVITY, TABLE_COUNT };
static const char *const table_names[TABLE_COUNT] = {"rollup", "sensitivity"};

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
    if (options->table && tables->csv[TABLE_SENSITIVITY].size == 0 && is_wanted(options, TABLE_SENSITIVITY))
        return fail(options->operand, "the sweep has no study, so there is no table `sensitivity`");
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

static void keep_table(struct tables *tables, const char *file, struct buffer *bytes)
{
    for (size_t at = 0; at < TABLE_COUNT; at++) {
        char name[MANIFEST_NAME_BYTES];
        name_file((enum table)at, "csv", name);
        if (strcmp(file, name) != 0 || tables->csv[at].size > 0) continue;
        tables->csv[at] = *bytes;
        *bytes = (struct buffer){0};
    }
}

/* Every file of the folder is held against the manifest. */
static bool check_folder(const struct options *options, const struct manifest_read *manifest, struct tables *tables,
                         char *why, size_t why_bytes)
{
    for (size_t at = 0; at < manifest->file_count; at++) {
        struct buffer bytes = {0};
        bool sound = output_check_file(options->operand, &manifest->files[at], &bytes, why, why_bytes);
        if (sound) keep_table(tables, manifest->files[at].name, &bytes);
        buffer_free(&bytes);
        if (!sound) return false;
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

/* What a server says about a sweep, enough to make its table. */
struct remote {
    struct sweep sweep;
    const struct model *model;
    struct plugin *plugin; /* NULL: a built-in model */
    struct population *population;
    struct plan *plan;
    struct node *root;
};

static enum exit_status fetch_sweep(struct talk *talk, const struct options *options, const struct digest *id,
                                    struct remote *remote)
{
    struct message question = {.kind = MESSAGE_FETCH, .fetch = {ITEM_SWEEP, *id}};
    const char *why = "";
    char missing[PLUGIN_WHY_BYTES];
    enum talk_result result = talk_ask(talk, &question, MESSAGE_ITEM);
    if (result != TALK_OK) return talk_fail(talk, result, "results");
    if (!sweep_decode(talk->answer->item.bytes, &remote->sweep, &why)) return fail("the sweep cannot be read", why);
    remote->model = plugin_find(options->models, &remote->sweep, &remote->plugin, missing, sizeof missing);
    return remote->model ? STATUS_DONE : fail("the table cannot be made", missing);
}

static enum exit_status fetch_population(struct talk *talk, struct remote *remote)
{
    const char *why = "out of memory";
    remote->population = population_built_in();
    struct digest built_in = remote->population ? population_identity(remote->population) : (struct digest){0};
    if (digest_equal(&built_in, &remote->sweep.population)) return STATUS_DONE;
    population_free(remote->population);
    remote->population = NULL;
    struct message question = {.kind = MESSAGE_FETCH, .fetch = {ITEM_POPULATION, remote->sweep.population}};
    enum talk_result result = talk_ask(talk, &question, MESSAGE_ITEM);
    if (result != TALK_OK) return talk_fail(talk, result, "results");
    remote->population = population_decode(talk->answer->item.bytes, &why);
    return remote->population ? STATUS_DONE : fail("the population cannot be read", why);
}

static enum exit_status fetch_root(struct talk *talk, const struct digest *id, struct remote *remote)
{
    char why[PIECE_BYTES];
    const char *reason = "";
    remote->plan = plan_new(&remote->sweep, remote->population, remote->model, why, sizeof why);
    if (!remote->plan) return fail("the plan cannot be made", why);
    struct message question = {.kind = MESSAGE_RESULT, .result = {*id}};
    enum talk_result result = talk_ask_aggregator(talk, &question, MESSAGE_OUTCOME);
    if (result != TALK_OK) return talk_fail(talk, result, "results");
    if (talk->answer->outcome.node.size == 0) return fail("", "nothing of this sweep is done yet");
    if (!talk->answer->outcome.complete)
        fprintf(stderr, "note: an estimate, from %llu draws so far\n", (unsigned long long)talk->answer->outcome.draws);
    remote->root = node_decode(talk->answer->outcome.node, &remote->plan->shape, &reason);
    return remote->root ? STATUS_DONE : fail("the result cannot be read", reason);
}

static enum exit_status print_remote(const struct options *options, const struct remote *remote)
{
    struct tables tables = {0};
    bool sound = table_csv(remote->plan, remote->root, &tables.csv[TABLE_ROLLUP]);
    if (sound && remote->plan->study.target_count > 0)
        sound = sensitivity_csv(remote->plan, remote->root, &tables.csv[TABLE_SENSITIVITY]);
    enum exit_status status = sound ? put_tables(options, &tables) : fail("", "out of memory");
    free_tables(&tables);
    return status;
}

static enum exit_status from_server(const struct options *options)
{
    struct remote remote = {0};
    struct talk talk;
    struct digest id;
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    status = talk_find_sweep(&talk, options->operand, "results", &id);
    if (status == STATUS_DONE) status = fetch_sweep(&talk, options, &id, &remote);
    if (status == STATUS_DONE) status = fetch_population(&talk, &remote);
    if (status == STATUS_DONE) status = fetch_root(&talk, &id, &remote);
    if (status == STATUS_DONE) status = print_remote(options, &remote);
    talk_close(&talk);
    node_free(remote.root);
    plan_free(remote.plan);
    plugin_close(remote.plugin);
    population_free(remote.population);
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
