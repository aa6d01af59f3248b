#include "role.h"

#include <string.h>

static const char *const names[KEY_ROLE_COUNT] = {[KEY_SERVER] = "server",
                                                  [KEY_AGGREGATOR] = "aggregator",
                                                  [KEY_WORKER] = "worker",
                                                  [KEY_CLIENT] = "client",
                                                  [KEY_ADMIN] = "admin"};

const char *role_name(enum key_role role)
{
    const bool known = role > KEY_NONE && role < KEY_ROLE_COUNT;
    return known ? names[role] : "?";
}

enum key_role role_from_name(const char *name)
{
    for (int role = KEY_SERVER; role < KEY_ROLE_COUNT; role++)
        if (strcmp(names[role], name) == 0) return (enum key_role)role;
    return KEY_NONE;
}

#define OF(role)   (1u << KEY_##role)
#define EVERY_PEER (OF(AGGREGATOR) | OF(WORKER) | OF(CLIENT) | OF(ADMIN))
#define ASKERS     (OF(CLIENT) | OF(ADMIN))

/* Who may send which kind; 0: only servers do, and not to each other's bound sockets. Results belong to a sweep, which
 * whoever asks for them fetches too. */
static const unsigned senders[MESSAGE_KIND_END] = {
    [MESSAGE_HELLO] = EVERY_PEER, /* see below */
    [MESSAGE_GOODBYE] = EVERY_PEER, [MESSAGE_FETCH] = EVERY_PEER,    [MESSAGE_HEARTBEAT] = OF(AGGREGATOR) | OF(WORKER),
    [MESSAGE_DONE] = OF(WORKER),    [MESSAGE_FAILED] = OF(WORKER),   [MESSAGE_RETURNED] = OF(WORKER),
    [MESSAGE_PARTIAL] = OF(WORKER), [MESSAGE_HELD] = OF(AGGREGATOR), [MESSAGE_STORE] = OF(AGGREGATOR),
    [MESSAGE_SUBMIT] = ASKERS,      [MESSAGE_STATUS] = ASKERS,       [MESSAGE_CANCEL] = ASKERS,
    [MESSAGE_RESULT] = ASKERS,      [MESSAGE_WORKERS] = ASKERS,      [MESSAGE_EXPLAIN] = ASKERS,
    [MESSAGE_PAUSE] = ASKERS,       [MESSAGE_RESUME] = ASKERS,       [MESSAGE_RETRY] = ASKERS,
    [MESSAGE_DRAIN] = OF(ADMIN),
};

static bool may_claim(enum key_role role, enum message_role claimed)
{
    if (claimed == ROLE_WORKER) return role == KEY_WORKER;
    if (claimed == ROLE_AGGREGATOR) return role == KEY_AGGREGATOR;
    return role == KEY_CLIENT || role == KEY_ADMIN;
}

bool role_may_send(enum key_role role, const struct message *message)
{
    if (role == KEY_TRUSTED) return true;
    if (role <= KEY_NONE || role >= KEY_ROLE_COUNT || (senders[message->kind] & 1u << role) == 0) return false;
    return message->kind != MESSAGE_HELLO || may_claim(role, message->hello.role);
}
