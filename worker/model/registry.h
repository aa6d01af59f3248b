/* Models by name. */
#pragma once

#include <stdbool.h>

#include <goldthread/model.h>

/* The built-in model of that name (entitlement, or no-op for benchmarks), or NULL. */
const struct model *model_find(const char *name);

/* Whether the name of a model is that of a file: it has a slash, or ends in .so. Others are built in. */
bool model_is_file(const char *name);
