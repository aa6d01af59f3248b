/* Whom the servers know: a thread that answers ZeroMQ's ZAP requests (ZeroMQ RFC 27) from the keys in a
 * folder's authorized/, and denies every other. It reads the folder anew within ZAP_LOOK_MS of a change. While
 * connections of strangers use up the descriptors, keys that are known stay so, those whose files go do not, and new
 * ones wait.
 *
 * An answer only lets a connection in. What the connection may say is asked of zap_find for every message,
 * so that a key that was taken away says nothing more over a connection that is still open. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "curve.h"

#define ZAP_LOOK_MS  200
#define ZAP_KEYS_MAX 4096

struct zap;

struct zap_holder {
    enum key_role role;
    char name[KEY_NAME_BYTES];
};

/* Reads the folder and starts the thread; before any socket with CURVE is bound in this ZeroMQ context.
 * NULL: `why` is one line. A file that is no sound public key is left out, with a line in the log. */
struct zap *zap_open(void *context, const char *folder, char *why, size_t why_bytes);

/* After the sockets, before the context. */
void zap_close(struct zap *zap);

/* Who holds the key (Z85) now. False: nobody, and *holder is KEY_NONE without a name. Any thread. */
bool zap_find(struct zap *zap, const char *public_text, struct zap_holder *holder);

uint64_t zap_denied(struct zap *zap); /* connections that were refused so far. Any thread. */
