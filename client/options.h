/* The command line: which command, its operand, its options. Pure but for getopt's own state. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenario.h"

#define OPTIONS_WORKERS_MAX       256
#define OPTIONS_BLOCK_SECONDS_MAX 31536000 /* the worker's bound */

/* Exit statuses: a contract with scripts. */
enum exit_status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,      /* the work failed; what failed has been said */
    STATUS_USAGE = 2,       /* bad usage or bad input; nothing was started or written */
    STATUS_UNREACHABLE = 3, /* no server answered */
    STATUS_INTERRUPTED = 130
};

/* Options that a command may take, one bit each. */
enum {
    OPTION_WORKERS = 1 << 0,
    OPTION_OUT = 1 << 1,
    OPTION_POPULATION = 1 << 2,
    OPTION_SWEEP = 1 << 3, /* --set, --design, --draws, --seed */
    OPTION_JSON = 1 << 4,
    OPTION_QUIET = 1 << 5,
    OPTION_BROKER = 1 << 6,
    OPTION_AGGREGATOR = 1 << 7,
    OPTION_FORMAT = 1 << 8,
    OPTION_ROLE = 1 << 9,   /* --role, --name */
    OPTION_SHARE = 1 << 10, /* --priority, --weight, --tenant */
    OPTION_MODEL = 1 << 11,
    OPTION_MODELS = 1 << 12,
    OPTION_DRAWS = 1 << 13, /* --draws alone */
    OPTION_FRESH = 1 << 14,
    OPTION_BLOCK_SECONDS = 1 << 15
};

enum options_format { FORMAT_CSV, FORMAT_JSON };

/* Strings are borrowed from argv or the environment; NULL: not given. */
struct options {
    const char *operand;
    struct scenario_overrides overrides;
    const char *population, *out, *broker, *aggregator, *keys, *role, *name;
    uint32_t workers;          /* 0: as many as there are processors */
    uint32_t priority, weight; /* weight 0: not given */
    const char *tenant, *model, *models, *table;
    const char *block_seconds; /* a whole number within the worker's bounds */
    bool json, quiet, fresh;
    enum options_format format;
};

struct command {
    const char *name;
    const char *operand; /* "FILE"; "[SWEEP]" when it may be left out; NULL: none */
    const char *summary; /* one line */
    unsigned options;    /* OPTION_ bits */
    enum exit_status (*run)(const struct options *options);
};

enum options_result { OPTIONS_READ, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_WRONG };

/* Reads the words behind the command's name; argv[0] is that name. OPTIONS_WRONG: `why` holds one line. */
enum options_result options_read(const struct command *command, int argc, char **argv, struct options *options,
                                 char *why, size_t why_bytes);

/* One line per option of the command, for --help. */
void options_help(const struct command *command, char *text, size_t text_bytes);
