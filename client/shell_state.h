/* Where a run on this machine keeps its journal and store, and its sockets. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include <goldthread/digest.h>

struct state {
    char folder[PATH_MAX];  /* journal, store and logs */
    char sockets[PATH_MAX]; /* private, short, removed at the end */
    bool is_private;        /* a temporary folder: another run has the usual one, or it cannot be written */
    bool is_resumed;        /* something was there already */
    int lock_fd;
};

/* Takes the state folder of that name, the sweep's or its family's, or a private one, and makes the folder for
 * sockets. False: `why` holds one line. */
bool state_open(struct state *state, const struct digest *name, const struct digest *sweep, char *why,
                size_t why_bytes);

enum state_rest {
    STATE_GOES,
    STATE_STAYS,  /* to go on from there */
    STATE_IS_KEPT /* only what a run of the same family can use (shell_kept.h) */
};

/* Gives it back, and leaves so much of the folder, unless it is private. The sockets always go. */
void state_close(struct state *state, enum state_rest rest);

/* "ipc://SOCKETS/NAME". */
void state_endpoint(const struct state *state, const char *name, char *endpoint, size_t endpoint_bytes);
