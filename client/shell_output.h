/* The results folder: made whole, or not at all. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "boxes.h"
#include "manifest.h"
#include "node.h"
#include "options.h"
#include "shell_job.h"

struct output {
    char folder[PATH_MAX];
    struct manifest manifest; /* as written; its words point into the job and the options */
};

/* What is to be written. Borrowed. */
struct result {
    const struct node *root;
    const struct boxes *boxes;
    struct span csv; /* rollup.csv */
    struct digest digest;
};

/* Checks before anything starts that --out, when given, can hold the results. False: `why` holds one line
 * and the exit status is STATUS_USAGE. */
bool output_check(const struct options *options, char *why, size_t why_bytes);

/* Writes all files into a folder beside, and moves it into place; or, into an empty folder that is there,
 * file by file, the manifest last. Without --out the folder is results/NAME-DIGEST8, and when that holds
 * this very run already, unaltered, it stays as it is. False: `why` holds one line and nothing is left behind. */
bool output_write(struct output *output, const struct options *options, const struct job *job,
                  const struct result *result, char *why, size_t why_bytes);

/* Reads one file of a results folder, and holds it against the manifest. bytes NULL: it is not kept, and may be of
 * any size. False: `why` names the file; the caller frees the bytes in either case. */
bool output_check_file(const char *folder, const struct manifest_file *file, struct buffer *bytes, char *why,
                       size_t why_bytes);
