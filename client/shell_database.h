/* results.db: the figures of a run and everything that decided them, in SQLite. The same run gives the
 * same bytes under one version of SQLite. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "manifest.h"
#include "node.h"
#include "plan.h"

/* The table `draws` has a row for each kept figure of each draw; with more rows than this it stays empty. */
#define DATABASE_DRAWS_MAX 1000000u

/* Writes a new database and waits until it is on disk. run: sweep, ids and failed draws are used. False:
 * `why` holds one line. */
bool database_write(const char *path, const struct manifest *run, const struct plan *plan, const struct node *root,
                    char *why, size_t why_bytes);
