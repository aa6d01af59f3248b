#include "shell_job.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "design.h"
#include "population.h"
#include "population_codec.h"
#include "progress.h"
#include "shell_files.h"
#include "sweep_codec.h"
#include "yaml.h"

#define POPULATION_FILE_BYTES_MAX (64u << 20)

/* What a file names is relative to the file's folder. */
static void resolve(const struct job *job, const char *name, char path[PATH_MAX])
{
    const char *slash = name[0] != '/' ? strrchr(job->path, '/') : NULL;
    snprintf(path, PATH_MAX, "%.*s%s", slash ? (int)(slash - job->path + 1) : 0, job->path, name);
}

static void name_absolute(const char *path, char name[SCENARIO_PATH_BYTES])
{
    char *absolute = realpath(path, NULL);
    snprintf(name, SCENARIO_PATH_BYTES, "%.1023s", absolute ? absolute : path);
    free(absolute);
}

static const struct model *open_model(void *context, const char *name, char *why, size_t why_bytes)
{
    struct job *job = context;
    char path[PATH_MAX], reason[PLUGIN_WHY_BYTES];
    resolve(job, name, path);
    job->plugin = plugin_open(path, reason, sizeof reason);
    if (job->plugin) {
        name_absolute(path, job->model_path);
        return &job->plugin->model;
    }
    snprintf(why, why_bytes, "the model `%.200s` cannot be used: %.280s", path, reason);
    return NULL;
}

static bool read_file(struct job *job, const struct options *options, char *why)
{
    char reason[512];
    snprintf(job->path, sizeof job->path, "%s", options->operand);
    if (file_read(options->operand, YAML_BYTES_MAX, &job->file, reason, sizeof reason)) return true;
    snprintf(why, JOB_WHY_BYTES, "%.1024s:1:1: cannot be read: %s", options->operand, reason);
    return false;
}

static bool read_scenario(struct job *job, const struct options *options, char *why)
{
    const struct scenario_models models = {open_model, job, file_read};
    job->scenario = scenario_read(buffer_span(&job->file), job->path, &options->overrides, &models, why);
    return job->scenario != NULL;
}

struct population *job_read_population(const char *name, const char *where, bool *is_built_in, char *why)
{
    *is_built_in = strcmp(name, POPULATION_BUILT_IN) == 0;
    if (*is_built_in) {
        struct population *population = population_built_in();
        if (!population) snprintf(why, JOB_WHY_BYTES, "out of memory");
        return population;
    }
    struct buffer bytes = {0};
    char reason[512];
    struct population *population = NULL;
    if (!file_read(name, POPULATION_FILE_BYTES_MAX, &bytes, reason, sizeof reason))
        snprintf(why, JOB_WHY_BYTES, "%s%.1024s cannot be read: %s; allowed is %s or the path of a school file", where,
                 name, reason, POPULATION_BUILT_IN);
    else if (bytes.size > POPULATION_FILE_BYTES_MAX)
        snprintf(why, JOB_WHY_BYTES, "%.1024s:1:1: larger than %u bytes", name, POPULATION_FILE_BYTES_MAX);
    else if (!(population = population_read(buffer_span(&bytes), reason, sizeof reason)))
        snprintf(why, JOB_WHY_BYTES, "%.1024s:%s", name, reason);
    buffer_free(&bytes);
    return population;
}

void job_population_name(const char *path, char name[SWEEP_NAME_BYTES])
{
    const char *slash = strrchr(path, '/');
    const char *base = slash && slash[1] ? slash + 1 : path;
    size_t size = strlen(base);
    if (size >= SWEEP_NAME_BYTES) size = SWEEP_NAME_BYTES - 1;
    while (size > 0 && size < strlen(base) && ((unsigned char)base[size] & 0xc0) == 0x80) size--;
    snprintf(name, SWEEP_NAME_BYTES, "%.*s", (int)size, base);
}

/* A path in the file is relative to the file's folder; one on the command line to the current folder. */
static void resolve_population(const struct job *job, const struct options *options, char path[PATH_MAX])
{
    const char *name = options->population ? options->population : job->scenario->population;
    if (options->population || strcmp(name, POPULATION_BUILT_IN) == 0) snprintf(path, PATH_MAX, "%s", name);
    else resolve(job, name, path);
}

static bool read_population(struct job *job, const struct options *options, char *why)
{
    char path[PATH_MAX], where[SCENARIO_PATH_BYTES + 64];
    bool is_built_in;
    resolve_population(job, options, path);
    if (options->population) snprintf(where, sizeof where, "--population: ");
    else
        snprintf(where, sizeof where, "%s:%u:%u: ", job->path, job->scenario->population_place.line,
                 job->scenario->population_place.column);
    job->population = job_read_population(path, where, &is_built_in, why);
    if (!job->population) return false;
    struct sweep *sweep = &job->scenario->sweep;
    job_population_name(path, sweep->population_name);
    struct buffer bytes = {0};
    population_encode(job->population, &bytes);
    sweep->population = digest_of(buffer_span(&bytes));
    if (is_built_in) {
        buffer_free(&bytes);
        return true;
    }
    job->population_bytes = bytes;
    name_absolute(path, job->population_path);
    if (!bytes.failed && bytes.size <= POPULATION_BYTES_MAX) return true;
    snprintf(why, JOB_WHY_BYTES, "%.1024s:1:1: the population takes more than %u bytes", path, POPULATION_BYTES_MAX);
    return false;
}

/* False: no plan, or no design, can be made; `reason` (of 512 bytes) says why. */
static bool plan_and_design(const struct job *job, struct sweep *sweep, struct plan **plan, char *reason)
{
    *plan = plan_new(sweep, job->population, job->scenario->model, reason, 512);
    struct design *design = *plan ? design_new(sweep, reason, 512) : NULL;
    design_free(design);
    return design != NULL;
}

/* A fault is shown where the file asks for what the sweep would be possible without. */
static struct scenario_place find_place(const struct job *job)
{
    char reason[512];
    enum scenario_part fault = job->plan ? SCENARIO_DESIGN : SCENARIO_OUTPUTS;
    struct sweep *less = malloc(sizeof *less);
    for (int part = SCENARIO_OUTPUTS + 1; less && part < SCENARIO_PARTS; part++) {
        struct plan *plan = NULL;
        *less = job->scenario->sweep;
        if (!scenario_leave_out(less, (enum scenario_part)part)) continue;
        const bool possible = plan_and_design(job, less, &plan, reason);
        plan_free(plan);
        if (!possible) continue;
        fault = (enum scenario_part)part;
        break;
    }
    free(less);
    return job->scenario->places[fault];
}

static bool make_plan(struct job *job, char *why)
{
    char reason[512];
    if (plan_and_design(job, &job->scenario->sweep, &job->plan, reason)) {
        job->sweep = sweep_identity(&job->scenario->sweep);
        return true;
    }
    const struct scenario_place place = find_place(job);
    snprintf(why, JOB_WHY_BYTES, "%s:%u:%u: %s", job->path, place.line, place.column, reason);
    return false;
}

bool job_open(struct job *job, const struct options *options, char *why)
{
    *job = (struct job){0};
    return read_file(job, options, why) && read_scenario(job, options, why) && read_population(job, options, why) &&
           make_plan(job, why);
}

bool job_open_text(struct job *job, const char *name, const char *text, char *why)
{
    static const struct options none;
    *job = (struct job){0};
    snprintf(job->path, sizeof job->path, "%s", name);
    buffer_append(&job->file, text, strlen(text));
    return read_scenario(job, &none, why) && read_population(job, &none, why) && make_plan(job, why);
}

void job_close(struct job *job)
{
    plan_free(job->plan);
    population_free(job->population);
    scenario_free(job->scenario);
    plugin_close(job->plugin);
    buffer_free(&job->population_bytes);
    buffer_free(&job->file);
    *job = (struct job){0};
}

/* A population far from the size of the built-in one holds a part of England, or more than England. */
static void print_size_note(const struct job *job)
{
    struct population *whole = job->population_path[0] ? population_built_in() : NULL;
    if (!whole) return;
    double fte = 0, whole_fte = 0;
    for (size_t at = 0; at < job->population->count; at++) fte += job->population->fte[at];
    for (size_t at = 0; at < whole->count; at++) whole_fte += whole->fte[at];
    if (fabs(fte - whole_fte) > 0.01 * whole_fte)
        fprintf(
            stderr,
            "note: this population has %.1f %% of England's teachers; `England` in the figures is this population\n",
            100 * fte / whole_fte);
    population_free(whole);
}

void job_print_notes(const struct job *job, const struct options *options)
{
    if (options->quiet) return;
    for (size_t at = 0; at < job->scenario->note_count; at++) fprintf(stderr, "note: %s\n", job->scenario->notes[at]);
    print_size_note(job);
}

uint64_t job_draw_runs(const struct job *job)
{
    return (uint64_t)job->plan->study.rows * job->scenario->sweep.scenario_count;
}

uint64_t job_model_runs(const struct job *job)
{
    return job->scenario->sweep.draws * job_draw_runs(job);
}

void job_describe(const struct job *job, char *text, size_t text_bytes)
{
    const struct sweep *sweep = &job->scenario->sweep;
    char draws[32], rows[48] = "", runs[32], blocks[32];
    progress_count(sweep->draws, draws, sizeof draws);
    progress_count(job_model_runs(job), runs, sizeof runs);
    progress_count(sweep_block_count(sweep), blocks, sizeof blocks);
    if (job->plan->study.rows > 1) snprintf(rows, sizeof rows, "x %u rows ", job->plan->study.rows);
    snprintf(text, text_bytes, "%s draw%s %sx %u scenario%s = %s model run%s in %s block%s", draws,
             sweep->draws == 1 ? "" : "s", rows, sweep->scenario_count, sweep->scenario_count == 1 ? "" : "s", runs,
             job_model_runs(job) == 1 ? "" : "s", blocks, sweep_block_count(sweep) == 1 ? "" : "s");
}

uint32_t job_worker_count(const struct options *options)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->workers) return options->workers;
    return online < 1 ? 1 : online > OPTIONS_WORKERS_MAX ? OPTIONS_WORKERS_MAX : (uint32_t)online;
}
