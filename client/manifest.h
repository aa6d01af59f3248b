/* The manifest of a results folder: what was run, and the size and SHA-256 of every file. The same run
 * gives the same bytes. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>
#include <goldthread/sweep.h>

#include "bytes.h"
#include "digest.h"
#include "ending.h"

#define MANIFEST_NAME       "manifest.json"
#define MANIFEST_FILES_MAX  32
#define MANIFEST_NAME_BYTES 128
#define MANIFEST_WORDS_MAX  160

struct manifest_file {
    char name[MANIFEST_NAME_BYTES]; /* no slash */
    uint64_t bytes, rows;           /* rows: of data, without a header; 0 when it has none */
    struct digest sha256;
};

struct manifest {
    const struct sweep *sweep; /* borrowed */
    struct digest sweep_id, run, digest;
    struct ending ending;
    uint64_t failed_draws;
    const char *words[MANIFEST_WORDS_MAX]; /* borrowed: the command that recomputes it, word by word */
    size_t word_count;
    struct manifest_file files[MANIFEST_FILES_MAX];
    size_t file_count;
};

/* A run's identity: SHA-256 over its sweep, the model's version, the population and the rollup. */
struct digest manifest_run(const struct sweep *sweep, const struct digest *sweep_id, const struct digest *digest);

/* JSON, ending with a newline. False: out of memory. */
bool manifest_write(const struct manifest *manifest, struct buffer *out);

/* What a reader of a folder needs to check it. */
struct manifest_read {
    char sweep[DIGEST_HEX_BYTES], run[DIGEST_HEX_BYTES], digest[DIGEST_HEX_BYTES];
    struct manifest_file files[MANIFEST_FILES_MAX];
    size_t file_count;
};

/* False: `why` holds one line. */
bool manifest_parse(struct span json, struct manifest_read *manifest, char *why, size_t why_bytes);
