/* Looking at a store that no aggregator uses: each row, each node, and the digest of each finished sweep. */
#pragma once

#include "database.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "witness.h"

struct verify_summary {
    uint64_t store, commits, sweeps, nodes;
    struct witness witness; /* of the broker's journal */
};

/* models: the folder that shared objects are loaded from, or NULL. One line per damage goes to `tell`; what could not
 * be looked at for want of a plan (another version of the model) goes to `note`. Changes nothing. Returns how many
 * damages there were; -1: it cannot be looked at, and `why` holds one line. */
int64_t verify_store(const char *folder, const char *models, database_tell *tell, database_tell *note, void *context,
                     struct verify_summary *summary, char *why, size_t why_bytes);
