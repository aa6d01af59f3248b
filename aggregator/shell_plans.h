/* Plans of the sweeps in the store, kept open for those used last. */
#pragma once

#include <stddef.h>

#include "plan.h"
#include "shell_store.h"

#define PLANS_MAX 8

struct plans;

/* Borrows both. models: the folder that shared objects are loaded from, or NULL. NULL: out of memory. */
struct plans *plans_new(struct store *store, const char *models);
void plans_free(struct plans *plans);

/* The identity of the population that needs no fetching. */
const struct digest *plans_built_in(const struct plans *plans);

/* Borrowed until the next call. NULL: `why` holds one line (another version of the model, a damaged row). */
const struct plan *plans_get(struct plans *plans, const struct digest *sweep, char *why, size_t why_bytes);
