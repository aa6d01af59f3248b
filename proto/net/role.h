/* Roles: what the holder of a key may say to a server. Pure. What is not listed is forbidden, so a new
 * kind of message needs a row before anyone with a key can send it. */
#pragma once

#include <stdbool.h>

#include "message.h"

enum key_role {
    KEY_NONE,       /* nobody that is known: may say nothing */
    KEY_SERVER,     /* broker and aggregator, when they are called */
    KEY_AGGREGATOR, /* the aggregator, when it calls the broker */
    KEY_WORKER,
    KEY_CLIENT, /* asks, and orders of its own sweeps, which the broker's core knows: cancel, pause, resume, retry */
    KEY_ADMIN,  /* whatever a client may, of every sweep, and drain */
    KEY_TRUSTED /* of no key: came over an endpoint that is private or runs without keys; may say everything */
};
#define KEY_ROLE_COUNT KEY_TRUSTED /* roles that a key can have are below */

/* "worker" and so on, as in key files; "?" for what is no role. */
const char *role_name(enum key_role role);

/* KEY_NONE: there is no such role, or none that a key can have. */
enum key_role role_from_name(const char *name);

/* Whether the role may send this message to a server. A HELLO must be of the role itself. */
bool role_may_send(enum key_role role, const struct message *message);
