/* Flags of a server: read from the command line, and from a file of `name = value` lines with the same
 * names. The command line wins. --config, --help and --version are there in every program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define FLAGS_MAX      32
#define FLAG_WHY_BYTES 256

struct flag {
    const char *name;     /* without the dashes */
    const char *argument; /* what its value is called in the help; NULL: a switch, whose value is NULL */
    const char *meaning;  /* one line */
};

struct flag_table {
    const char *program, *purpose;
    const struct flag *flags; /* [count], at most FLAGS_MAX */
    size_t count;

    /* Takes one flag. The value is borrowed and stays valid while the program runs. False: `why` says what is wrong
     * and what is allowed. */
    bool (*apply)(void *context, const char *name, const char *value, char *why);
};

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Reads all flags. -1: run the program; otherwise exit with that status: help or version were printed,
 * or one line on stderr says what is wrong. */
int flags_read(const struct flag_table *table, int argc, char **argv, void *context);

/* Frees what configuration files said: values that were taken from one are gone. */
void flags_forget(void);

/* A whole number of at least 1 for `apply` to use, or 0. */
long flag_number(const char *value);
