/* A sweep as servers have it: what it is, its plan, and what is folded of it. */
#pragma once

#include <stdbool.h>

#include "node.h"
#include "options.h"
#include "plan.h"
#include "plugin.h"
#include "shell_talk.h"

struct remote {
    const char *command; /* whose errors they are */
    struct sweep sweep;
    const struct model *model;
    struct plugin *plugin; /* NULL: a built-in model */
    struct population *population;
    struct plan *plan;
    struct node *root;
    bool complete;
};

/* Fetches the sweep alone. STATUS_DONE, or the status to end with after a line on stderr; remote_close() either
 * way. */
enum exit_status remote_open(struct remote *remote, const char *command, struct talk *talk, const struct digest *id);

/* Then its population, makes the plan, and fetches the root. */
enum exit_status remote_fetch(struct remote *remote, struct talk *talk, const struct options *options,
                              const struct digest *id);
void remote_close(struct remote *remote);

/* Prints a line that says so when a sweep that is done was ended by its stop rule, or else nothing. */
void remote_print_ending(const char *command, struct talk *talk, const struct options *options,
                         const struct digest *id);
