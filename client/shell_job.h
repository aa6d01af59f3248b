/* A job: a scenario file with its population and plan, ready to run or to submit. */
#pragma once

#include <stdbool.h>

#include <goldthread/digest.h>

#include "options.h"
#include "plan.h"
#include "plugin.h"
#include "scenario.h"

#define JOB_WHY_BYTES 2048

struct job {
    char path[SCENARIO_PATH_BYTES]; /* of the scenario file, as typed */
    struct buffer file;             /* its bytes */
    struct scenario_file *scenario;
    struct population *population;
    char population_path[SCENARIO_PATH_BYTES]; /* absolute; empty when it is built in */
    struct buffer population_bytes;            /* canonical; empty when it is built in */
    struct plugin *plugin;                     /* the model's file; NULL: a built-in model */
    char model_path[SCENARIO_PATH_BYTES];      /* absolute; empty when it is built in */
    struct plan *plan;
    struct digest sweep;
};

/* Reads and checks everything. False: `why` (of JOB_WHY_BYTES) holds the line to print; the exit status
 * is STATUS_USAGE. End it with job_close() either way. */
bool job_open(struct job *job, const struct options *options, char *why);
void job_close(struct job *job);

/* The same of a scenario file's text in memory; name: what stands for its path in messages. */
bool job_open_text(struct job *job, const char *name, const char *text, char *why);

/* Notes on stderr, unless --quiet. */
void job_print_notes(const struct job *job, const struct options *options);

/* Model runs that a draw is made of: rows x scenarios. */
uint64_t job_draw_runs(const struct job *job);

/* Draws x rows of each x scenarios. */
uint64_t job_model_runs(const struct job *job);

/* "4,096 draws x 12 rows x 2 scenarios = 98,304 model runs in 256 blocks". */
void job_describe(const struct job *job, char *text, size_t text_bytes);

/* --workers, or one for each processor that is online. */
uint32_t job_worker_count(const struct options *options);

/* A population by its name or path. NULL: `why` holds one line, beginning with `where` (such as
 * "FILE:3:13: ") when it cannot be opened, or with the path and position of what is wrong in it. The
 * caller frees it. `*is_built_in` says whether it needs to travel. */
struct population *job_read_population(const char *name, const char *where, bool *is_built_in, char *why);

/* The name under which a population's path goes into a sweep. */
void job_population_name(const char *path, char name[SWEEP_NAME_BYTES]);
