/* The file of kept draws, as it is written. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "node.h"
#include "plan.h"

/* Up to so many draws are plain text; more are compressed. */
#define DRAWS_PLAIN_MAX (1u << 16)

/* draws.csv, or draws.csv.gz. Constant. */
const char *draws_file_name(uint64_t draws);

/* Writes a new file and waits until it is on disk. Takes a few hundred KiB. False: `why` holds one line. */
bool draws_write(const char *folder, const char *name, const struct plan *plan, const struct node *root, char *why,
                 size_t why_bytes);
