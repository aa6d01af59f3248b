/* Empirical distributions: files of numbers that scenario files name. Pure but for the reading that the caller lends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/sweep.h>

#include "bytes.h"
#include "yaml.h"

#define EMPIRICAL_FILE_BYTES_MAX (16u << 20)

/* Reads a file of at most `max` bytes; the buffer holds one more when it is larger. False: `why` says what is wrong. */
typedef bool empirical_read_file(const char *path, size_t max, struct buffer *out, char *why, size_t why_bytes);

/* Where files are, and where their values go. */
struct empirical_source {
    const char *beside;             /* the scenario file; relative paths begin in its folder */
    empirical_read_file *read_file; /* NULL: no file can be named */
    struct sweep *sweep;            /* its pool takes the values */
};

/* Reads `file.csv`, one number a line, or {file: f.csv, column: c}, a column of a table with a head: sorted, and added
 * to the pool. False: *fault says where and why. */
bool empirical_read(const struct yaml_node *node, const struct empirical_source *source,
                    struct distribution *distribution, struct yaml_fault *fault);

/* Puts the pool in the order of the parameters, without values that nothing draws any more: the same content is the
 * same sweep. False: out of memory. */
bool empirical_pack(struct sweep *sweep);
