/* Scenario files: what people write, read into a sweep. Pure: bytes in, sweep out.
 * docs/scenario-files.md describes the format. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>
#include <goldthread/sweep.h>

#include "bytes.h"
#include "empirical.h"

#define SCENARIO_NOTES_MAX  64
#define SCENARIO_NOTE_BYTES 320
#define SCENARIO_PATH_BYTES 1024
#define SCENARIO_SETS_MAX   64
#define SCENARIO_WHY_BYTES  1536
#define SCENARIO_DRAWS      1024 /* of the default design, Sobol' */

/* What the command line changes, as typed. NULL: not given. Borrowed. */
struct scenario_overrides {
    const char *sets[SCENARIO_SETS_MAX]; /* NAME=VALUE */
    size_t set_count;
    const char *design, *draws, *seed;
};

/* Where what a file names is found. NULL in its place: only models that are built in, and no files of values. */
struct scenario_models {
    /* The model of that name or path, which outlives the scenario, or NULL: `why` then holds one line. */
    const struct model *(*find)(void *context, const char *name, char *why, size_t why_bytes);
    void *context;
    empirical_read_file *read_file; /* of values; NULL: none can be named */
};

/* Where in a file, counted from 1; 1:1 when the file does not say it. */
struct scenario_place {
    uint32_t line, column;
};

/* Parts of a file whose faults show when plan and design are made. A sweep can be without those behind the first two.
 */
enum scenario_part {
    SCENARIO_DESIGN,
    SCENARIO_OUTPUTS,
    SCENARIO_EXCEED,
    SCENARIO_CORRELATIONS,
    SCENARIO_STOP,
    SCENARIO_COMPARE,
    SCENARIO_STUDY, /* what asks for draws by figure: sensitivity, stop, discover and kept draws */
    SCENARIO_PARTS
};

/* A file as read. `sweep` is complete but for the population's digest and draws_per_block,
 * which is what the file asks for, or 0. */
struct scenario_file {
    struct sweep sweep;
    const struct model *model;
    char population[SCENARIO_PATH_BYTES]; /* a name or a path, as written */
    struct scenario_place population_place, places[SCENARIO_PARTS];
    char (*notes)[SCENARIO_NOTE_BYTES]; /* [note_count], owned: worth knowing, no faults */
    size_t note_count;
};

/* Reads a file's bytes; `file` is its name in messages. NULL:
 * `why` (of SCENARIO_WHY_BYTES) holds one line, FILE:LINE:COLUMN: what is wrong, what is allowed; or
 * --OPTION: ... for what the command line says. The caller ends it with scenario_free(). */
struct scenario_file *scenario_read(struct span bytes, const char *file, const struct scenario_overrides *overrides,
                                    const struct scenario_models *models, char *why);
void scenario_free(struct scenario_file *scenario);

/* Takes a part out of a sweep. False: it has none of it, or cannot be without it. */
bool scenario_leave_out(struct sweep *sweep, enum scenario_part part);

/* "local_authority" for AREA_AUTHORITY, and so on. */
const char *scenario_area_name(enum area_level level);
