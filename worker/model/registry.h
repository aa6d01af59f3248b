/* Models by name. */
#pragma once

#include <goldthread/model.h>

/* The built-in model of that name (entitlement, or no-op for benchmarks), or NULL. */
const struct model *model_find(const char *name);
