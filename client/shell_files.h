/* Files and folders as the command needs them. Paths are PATH_MAX at most; errors go to `why`, one line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "digest.h"

/* Reads a file, or a pipe that someone writes to, of at most `max` bytes; the buffer holds one byte more when it is
 * larger (and so does for endless devices). False: `why` says what is wrong, without the path. */
bool file_read(const char *path, size_t max, struct buffer *out, char *why, size_t why_bytes);

/* Size and SHA-256 of a regular file, which is not held in memory. False: `why` says what is wrong, without the path.
 */
bool file_digest(const char *path, uint64_t *bytes, struct digest *digest, char *why, size_t why_bytes);

/* Writes a new file and waits until it is on disk. */
bool file_write(const char *folder, const char *name, struct span bytes, char *why, size_t why_bytes);

/* Waits until the folder's entries are on disk. */
void folder_sync(const char *path);

/* Makes the folder and its parents, with `mode` for those that are new. */
bool folder_make(const char *path, unsigned mode, char *why, size_t why_bytes);

/* Removes a folder and all within; follows no links. */
void folder_remove(const char *path);

enum folder_kind { FOLDER_MISSING, FOLDER_EMPTY, FOLDER_FULL, FOLDER_NONE /* something else, or closed to us */ };
enum folder_kind folder_look(const char *path);

/* Whether a folder could be made at the path, or is there, and may be written to. */
bool folder_can_hold(const char *path);
