/* A worker's session: leases taken from the broker, computed part by part, handed to the aggregator,
 * and reported. Pure state: time and messages come in as events, and what is to be done goes out as
 * effects for the shell, which owns the sockets, the computing thread and the bytes of parts.
 *
 * A part is an aligned subtree of blocks of one lease: what is computed in one go and sent as one
 * PARTIAL. It is reported to the broker only after the aggregator said that it is on disk, and sent
 * again until then, which is harmless because the aggregator drops what it has. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>

#include "message.h"

#define SESSION_LEASES_MAX     4u /* two are taken at a time; late ones may come on top */
#define SESSION_ROOM           2u
#define SESSION_PARTS_MAX      5u /* one being computed, four on their way */
#define SESSION_SWEEPS_MAX     8u /* kept ready to compute */
#define SESSION_EFFECTS_MAX    64u
#define SESSION_PART_BYTES     (8u << 20) /* parts are made smaller when they would be larger than this */
#define SESSION_HEARTBEAT_MS   500u       /* until the broker says otherwise */
#define SESSION_SILENCE        3u         /* heartbeats without a word before the connection is made anew */
#define SESSION_UNKNOWN_MS     50u    /* the aggregator is fetching the sweep: ask again after this, then later ... */
#define SESSION_UNKNOWN_MAX_MS 30000u /* ... and after so long hand the blocks back */
#define SESSION_RESEND_MS      1000u  /* no answer from the aggregator: send again, at first after this ... */
#define SESSION_RESEND_MAX_MS  30000u /* ... and twice as long each time, up to this */
#define SESSION_FETCH_MS       2000u  /* no answer to a FETCH: ask again */

struct session;

struct session_setup {
    const char *name, *program;        /* copied */
    uint64_t instance;                 /* random: a new one for every start */
    struct digest built_in_population; /* need not be fetched */
    const char *aggregator;            /* NULL, or an endpoint that overrides what the broker says */
};

enum session_peer { SESSION_BROKER, SESSION_AGGREGATOR };

enum session_event_kind {
    SESSION_MESSAGE,  /* `message` came from `peer` */
    SESSION_WRITABLE, /* `peer` can be sent to again */
    SESSION_UNSENT,   /* the send of `unsent` did not go out */
    SESSION_COMPUTED, /* the part in `slot` is computed, or failed */
    SESSION_TICK,     /* time passed; also the first event of all */
    SESSION_STOP      /* hand everything back and leave */
};

struct session_event {
    enum session_event_kind kind;
    uint64_t now_ms; /* monotonic */
    enum session_peer peer;
    const struct message *message;       /* borrowed for the step */
    const struct session_effect *unsent; /* borrowed for the step */
    bool hopeless;                       /* UNSENT: it will not go out later either */
    uint32_t slot;
    struct {
        const char *failure; /* NULL, or why it failed: one line */
        bool unfit;          /* it failed for what this worker lacks, and so would every block of the sweep */
        uint64_t failed_block, bytes, compute_us;
    } computed;
};

enum session_effect_kind {
    SESSION_SEND,            /* to the broker: the message that session_compose makes */
    SESSION_SEND_PART,       /* to the aggregator: PARTIAL with the bytes of `slot` */
    SESSION_RECONNECT,       /* close the broker's socket and make a new one */
    SESSION_CONNECT,         /* connect to the aggregator at session_aggregator(); close what was */
    SESSION_LOAD_SWEEP,      /* keep `bytes` as the sweep of `place`, and forget what was there */
    SESSION_LOAD_POPULATION, /* keep `bytes` as the population of `place` */
    SESSION_COMPUTE,         /* compute the part of `slot`: node (level, index) of the sweep of `place` */
    SESSION_ABORT,           /* the part being computed is of no use; COMPUTED is still due */
    SESSION_DROP             /* forget the bytes of `slot` */
};

struct session_effect {
    enum session_effect_kind kind;
    enum message_kind message; /* SEND: which */
    uint64_t token;
    struct digest digest; /* of the sweep, or of the item to fetch */
    struct block_range blocks;
    uint64_t compute_us;
    enum message_cause cause;
    enum message_item item;
    char text[MESSAGE_TEXT_BYTES];
    struct span bytes; /* borrowed from the event's message */
    uint32_t slot, place, level;
    uint64_t index;
};

struct session_effects {
    size_t count;
    struct session_effect list[SESSION_EFFECTS_MAX];
};

struct session *session_new(const struct session_setup *setup); /* NULL: out of memory */
void session_free(struct session *session);

/* Clears *effects and fills it in the order in which they are to be carried out. */
void session_step(struct session *session, const struct session_event *event, struct session_effects *effects);

/* When the shell must call again though nothing happens. */
uint64_t session_next_due_ms(const struct session *session);

/* Makes the message of a SESSION_SEND effect, or a PARTIAL without its bytes, of the state as it is. */
void session_compose(const struct session *session, const struct session_effect *effect, struct message *message);

/* Empty: not known yet. Borrowed until the next step. */
const char *session_aggregator(const struct session *session);
bool session_is_registered(const struct session *session);
bool session_has_left(const struct session *session); /* it was drained: nothing more is to be done */
size_t session_lease_count(const struct session *session);
