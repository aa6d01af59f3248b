/* The programs that a run starts, watches, restarts and stops. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"

#define CHILD_WORDS_MAX  12
#define CHILD_WORD_BYTES (PATH_MAX + 16)
#define CHILD_DEATHS_MAX 5     /* of one child ... */
#define CHILD_DEATHS_MS  60000 /* ... within this time, and the run gives up */
#define CHILDREN_MAX     (OPTIONS_WORKERS_MAX + 2)

struct child {
    char name[48]; /* of its log: "broker", "w1" */
    char program[32];
    char *words[CHILD_WORDS_MAX + 1]; /* owned; ends with NULL */
    pid_t pid;                        /* 0: not running */
    int status;                       /* of its last end, as waitpid() gives it */
    uint64_t deaths_ms[CHILD_DEATHS_MAX];
    unsigned deaths;
};

struct children {
    char programs[PATH_MAX]; /* the folder that they are in */
    char logs[PATH_MAX];
    struct child list[CHILDREN_MAX];
    size_t count;
};

/* Finds the folder of this program, where the others are too. False: `why` holds one line. */
bool children_open(struct children *children, const char *logs, char *why, size_t why_bytes);

/* Starts a program with the words given, ended by NULL. False: `why` says why it cannot be started. */
bool children_start(struct children *children, const char *program, const char *name, const char *const *words,
                    char *why, size_t why_bytes);

/* Restarts those that have ended. False: one ends again and again, or cannot be started; `why` holds a
 * few lines, the last of its log among them. */
bool children_tend(struct children *children, char *why, size_t why_bytes);

/* Ends all: SIGTERM, and SIGKILL for those that are still there after two seconds. Frees the words. */
void children_stop(struct children *children);
