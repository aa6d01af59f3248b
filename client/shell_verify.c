/* goldthread verify: samplers, estimators and sketches against exact values. */
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "progress.h"
#include "shell_cluster.h"
#include "shell_commands.h"
#include "shell_files.h"
#include "shell_json.h"
#include "verification.h"
#include "words.h"

struct tally_of_rows {
    bool is_json;
    json_t *list; /* of the rows, with --json */
    const char *sweep, *design;
    unsigned passes, fails;
};

/* --- rows --- */

static void print_row(const struct verification_row *row)
{
    char what[80], found[32] = "none";
    snprintf(what, sizeof what, "%s%s%s%s%s", row->index, *row->parameter ? " " : "", row->parameter,
             *row->second ? " x " : "", row->second);
    if (!isnan(row->found)) snprintf(found, sizeof found, "%.9g", row->found);
    printf("  %s  %-56s %14.9g %14s  within %.2g\n", row->pass ? "pass" : "FAIL", what, row->exact, found,
           row->tolerance);
}

static json_t *describe(const struct tally_of_rows *tally, const struct verification_row *row)
{
    json_t *object = json_object();
    json_object_set_new(object, "sweep", json_string(tally->sweep));
    json_object_set_new(object, "design", json_string(tally->design));
    json_object_set_new(object, "index", json_string(row->index));
    json_object_set_new(object, "parameter", json_string(row->parameter));
    json_object_set_new(object, "second_parameter", json_string(row->second));
    json_object_set_new(object, "exact", json_real(row->exact));
    json_object_set_new(object, "found", isfinite(row->found) ? json_real(row->found) : json_null());
    json_object_set_new(object, "tolerance", json_real(row->tolerance));
    json_object_set_new(object, "pass", json_boolean(row->pass));
    return object;
}

static void take_row(void *context, const struct verification_row *row)
{
    struct tally_of_rows *tally = context;
    tally->passes += row->pass;
    tally->fails += !row->pass;
    if (tally->is_json) json_array_append_new(tally->list, describe(tally, row));
    else print_row(row);
}

/* --- models --- */

/* Beside the programs: in the tree that was built, or where it was installed. */
static bool find_models(const struct options *options, char folder[PATH_MAX])
{
    static const char *const places[] = {"../models", "../lib/goldthread/models"};
    char program[PATH_MAX], file[PATH_MAX + 64];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size > 0 ? size : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash) *slash = '\0';
    for (size_t at = 0; at < sizeof places / sizeof *places; at++) {
        if (options->models) snprintf(folder, PATH_MAX, "%s", options->models);
        else snprintf(folder, PATH_MAX, "%.2000s/%s", program, places[at]);
        snprintf(file, sizeof file, "%s/%s.so", folder, verification_sweeps(&(size_t){0})->model);
        if (access(file, R_OK) == 0) return realpath(folder, program) && snprintf(folder, PATH_MAX, "%s", program) > 0;
    }
    fprintf(stderr,
            "goldthread verify: %s: there is no model to verify with; they are built with the programs, and "
            "--models names their folder\n",
            file);
    return false;
}

/* --- one sweep --- */

static enum exit_status end_of(const struct cluster *cluster, enum cluster_status status)
{
    if (status == CLUSTER_DONE) return STATUS_DONE;
    if (status == CLUSTER_INTERRUPTED) return STATUS_INTERRUPTED;
    fprintf(stderr, "goldthread verify: %s\n", cluster->why);
    return STATUS_FAILED;
}

/* Runs the job through broker, workers and aggregator; the root is in the cluster, which the caller closes. */
static enum exit_status run_cluster(struct cluster *cluster, const struct job *job, struct state *state,
                                    uint32_t workers, int stop_fd)
{
    enum cluster_status status = CLUSTER_FAILED;
    if (cluster_open(cluster, job, state, workers, NULL, stop_fd))
        while ((status = cluster_step(cluster)) == CLUSTER_RUNNING) {
        }
    cluster_stop(cluster);
    return end_of(cluster, status);
}

static void print_head(const struct verification_sweep *sweep, const struct job *job, const struct cluster *cluster)
{
    char plan[256];
    job_describe(job, plan, sizeof plan);
    printf("\n%s, %s: %s, %.2f s\n", sweep->name, sweep->method, plan, (double)(clock_ms() - cluster->start_ms) / 1000);
}

static enum exit_status run_job(const struct verification_sweep *sweep, const struct job *job, uint64_t draws,
                                uint32_t workers, int stop_fd, struct tally_of_rows *tally)
{
    struct state state;
    struct cluster cluster;
    char why[PATH_MAX + 256];
    if (!state_open(&state, &job->sweep, &job->sweep, why, sizeof why)) {
        fprintf(stderr, "goldthread verify: %s\n", why);
        return STATUS_FAILED;
    }
    enum exit_status status = run_cluster(&cluster, job, &state, workers, stop_fd);
    if (status == STATUS_DONE && !tally->is_json) print_head(sweep, job, &cluster);
    if (status == STATUS_DONE && !verification_compare(sweep, job->plan, cluster.root, draws, take_row, tally)) {
        fprintf(stderr, "goldthread verify: out of memory\n");
        status = STATUS_FAILED;
    }
    fflush(stdout);
    cluster_close(&cluster);
    state_close(&state, STATE_GOES);
    return status;
}

static enum exit_status run_sweep(const struct verification_sweep *sweep, const char *models, uint64_t draws,
                                  uint32_t workers, int stop_fd, struct tally_of_rows *tally)
{
    char text[VERIFICATION_TEXT_BYTES], why[JOB_WHY_BYTES] = "the path of the models is too long, or no text";
    struct job job = {0};
    enum exit_status status = STATUS_FAILED;
    tally->sweep = sweep->name;
    tally->design = sweep->method;
    if (verification_text(sweep, models, draws, text) && job_open_text(&job, sweep->model, text, why))
        status = run_job(sweep, &job, draws, workers, stop_fd, tally);
    else fprintf(stderr, "goldthread verify: %s\n", why);
    job_close(&job);
    return status;
}

/* --- all of them --- */

static bool read_draws(const struct options *options, uint64_t *draws)
{
    const char *text = options->overrides.draws;
    *draws = VERIFICATION_DRAWS;
    if (!text || (word_whole(text, UINT64_C(1) << 30, draws) && *draws >= VERIFICATION_DRAWS_MIN)) return true;
    fprintf(stderr, "goldthread verify: --draws %.32s: allowed is a whole number from %u to %u\n", text,
            VERIFICATION_DRAWS_MIN, 1u << 30);
    return false;
}

static enum exit_status run_all(const struct options *options, const char *models, uint64_t draws, int stop_fd,
                                struct tally_of_rows *tally)
{
    size_t count;
    const struct verification_sweep *sweeps = verification_sweeps(&count);
    enum exit_status status = STATUS_DONE;
    tally->sweep = tally->design = "";
    if (!tally->is_json) printf("samplers and sketches: exact, found\n");
    if (!verification_local(take_row, tally)) return STATUS_FAILED;
    for (size_t at = 0; at < count && status == STATUS_DONE; at++)
        status = run_sweep(&sweeps[at], models, draws, job_worker_count(options), stop_fd, tally);
    return status;
}

static enum exit_status report(struct tally_of_rows *tally, enum exit_status status)
{
    if (tally->is_json) {
        enum exit_status printed = json_print(tally->list, JSON_DIGITS);
        status = status == STATUS_DONE ? printed : status;
    } else {
        printf("\n%u pass, %u fail\n", tally->passes, tally->fails);
    }
    return status == STATUS_DONE && tally->fails > 0 ? STATUS_FAILED : status;
}

enum exit_status command_verify(const struct options *options)
{
    struct tally_of_rows tally = {.is_json = options->json};
    char models[PATH_MAX];
    uint64_t draws;
    int stop_fd = process_stop_fd();
    if (!read_draws(options, &draws)) return STATUS_USAGE;
    if (stop_fd < 0 || !find_models(options, models)) return STATUS_FAILED;
    if (options->json) tally.list = json_array();
    enum exit_status status = report(&tally, run_all(options, models, draws, stop_fd, &tally));
    close(stop_fd);
    return status;
}
