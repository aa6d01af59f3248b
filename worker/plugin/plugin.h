/* Models from shared objects. The bytes of a file are read once, hashed, and these very bytes are loaded,
 * so that what a sweep names is what runs. A sweep names such a model by the file's base name, and as its
 * version has the model's own one, '+', and the first PLUGIN_HEX digits of the file's SHA-256: another build is
 * another sweep. What a message names is looked for in one folder of the operator's, and is loaded only when
 * the digest is the one named.
 *
 * A shared object is code: whoever may write to the folder decides what runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/model.h>
#include <goldthread/sweep.h>

#include "bytes.h"

#define PLUGIN_BYTES_MAX (64u << 20)
#define PLUGIN_HEX       40 /* 160 bits */
#define PLUGIN_WHY_BYTES 512

struct plugin {
    struct model model;             /* as the object offers it, but for name and version, which point here */
    char name[SWEEP_NAME_BYTES];    /* the file's base name */
    char version[SWEEP_NAME_BYTES]; /* "VERSION+DIGITS" */
    struct digest digest;           /* of the file, whole */
    struct buffer bytes;            /* the file, for whoever hands it on */
    void *handle;
};

/* Loads the file that a person names. NULL: `why` holds one line, without the path. End it with
 * plugin_close(). */
struct plugin *plugin_open(const char *path, char *why, size_t why_bytes);

/* The model that a sweep names: built in, and then *plugin is NULL; or NAME in the folder, and then the caller
 * closes *plugin after the last use of the model. folder: NULL when --models was not given. NULL: `why` holds
 * one line that names model, digest and flag. */
const struct model *plugin_find(const char *folder, const struct sweep *sweep, struct plugin **plugin, char *why,
                                size_t why_bytes);

void plugin_close(struct plugin *plugin); /* NULL is fine */
