/* The server: sockets, store and core of one aggregator, and the loop that drives them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

struct keys;
struct server;

struct server_setup {
    const char *bind, *broker, *state; /* state: an existing folder */
    const char *advertise;             /* NULL: as bound */
    const char *http;                  /* where its page is served; NULL: nowhere */
    const char *models;                /* folder that shared objects are loaded from, or NULL; outlives the server */
    const struct keys *keys;           /* NULL: none; borrowed, and outlives the server */
};

/* NULL: `why` holds one line. */
struct server *server_open(const struct server_setup *setup, char *why, size_t why_bytes);

/* Takes leave of the broker when `orderly`. */
void server_close(struct server *server, bool orderly);

/* Runs until stop_fd can be read. False: it failed, and the log says why; what was answered is on disk. */
bool server_run(struct server *server, int stop_fd);
