/* Keys of ZeroMQ's CURVE, in files: who a program is, and whom it believes. docs/security.md describes
 * the folder:
 *
 *   server.key  server.pub    of the broker and the aggregator, as those who are called
 *   ROLE.key                  of whoever calls them in that role: aggregator, worker, client, admin
 *   authorized/NAME.pub       whose keys the servers know: public key, role and name
 *
 * A file is lines of `word value`: role, name, public and, in a .key, secret; keys are Z85. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "role.h"

#define KEY_TEXT_BYTES    41 /* Z85 of 32 bytes, and the NUL */
#define KEY_NAME_BYTES    32
#define KEY_FILE_BYTES    512
#define KEY_WHY_BYTES     512
#define KEYS_FOLDER_BYTES 2048
#define KEYS_VARIABLE     "GOLDTHREAD_KEYS"
#define KEYS_AUTHORIZED   "authorized"

struct key {
    enum key_role role;
    char name[KEY_NAME_BYTES]; /* letters, digits, . _ - and no . in front: it is part of a file's name */
    char public_text[KEY_TEXT_BYTES];
    char secret_text[KEY_TEXT_BYTES]; /* empty: not known here */
};

bool key_name_is_sound(const char *name);

/* A new pair. False: out of random bytes, or a ZeroMQ without CURVE. */
bool key_make(struct key *key, enum key_role role, const char *name);

/* Reads a file, which belongs to whom the process runs as, or to root. With `secret` it must hold the secret key, which
 * belongs to the public one, and nobody but its owner may have access; without it must not hold one, and nobody else
 * may write it. False: `why` is one line with the path, and errno that of a file that could not be opened. */
bool key_read(const char *path, bool secret, struct key *key, char *why, size_t why_bytes);

/* Writes a new file of mode 0600, whole and on disk or not at all; never over another one. With `secret`
 * the secret key goes into it. False: `why` is one line with the path. */
bool key_write(const char *path, bool secret, const struct key *key, char *why, size_t why_bytes);

/* What a program needs of its folder. */
struct keys {
    char folder[KEYS_FOLDER_BYTES];
    struct key server; /* its secret is there only in a program that binds */
    struct key own;    /* as whom the program connects; KEY_NONE: it never does */
};

/* The folder to use: the flag's, else the environment's, else NULL. An empty one is none. */
const char *keys_choose(const char *flag);

/* Reads what a program of the role needs: KEY_SERVER server.key; KEY_AGGREGATOR that and its own key;
 * KEY_WORKER server.pub and its own; KEY_CLIENT server.pub and admin.key or, if there is none, client.key.
 * A folder that others own or may write to is refused. False: `why` is one line. */
bool keys_open(struct keys *keys, const char *folder, enum key_role role, char *why, size_t why_bytes);
void keys_close(struct keys *keys); /* wipes the secrets */

/* Whether others neither own the folder nor can write to it. False: `why` is one line with the path. */
bool keys_check_folder(const char *path, char *why, size_t why_bytes);
