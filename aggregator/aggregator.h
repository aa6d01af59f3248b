/* The aggregator's core: which sweeps and nodes are held, what to answer, what to tell the broker.
 * Pure state. An event goes in with the time (monotonic milliseconds), effects come out, in the order in
 * which they are to be done. Payloads, disk and sockets are the shell's.
 *
 * A turn of the shell is: some EVENT_BROKER and EVENT_PEER, one EVENT_FLUSH, and EVENT_COMMITTED when a
 * commit was asked for. Answers to workers and clients wait for the commit, so that nobody is told of a
 * node that is not on disk. When a commit fails, the core is to be thrown away and made again from disk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>

#include "catalog.h"
#include "fold.h"
#include "message.h"

#define AGGREGATOR_SWEEPS_MAX  4096u
#define AGGREGATOR_ANSWERS_MAX 64u /* answers that wait for a commit: the bound of a turn */
#define AGGREGATOR_EFFECTS_MAX 1024u
#define AGGREGATOR_HELD_MS     200u  /* between reports of a sweep that changes ... */
#define AGGREGATOR_REPEAT_MS   2000u /* ... and of a wanted one that does not */
#define AGGREGATOR_PEER_BYTES  32

struct aggregator;

struct aggregator_peer { /* opaque to the core */
    uint8_t size;
    uint8_t bytes[AGGREGATOR_PEER_BYTES];
};

struct aggregator_config {
    char name[MESSAGE_NAME_BYTES];
    uint64_t instance;                     /* drawn at random at each start */
    char endpoint[MESSAGE_ENDPOINT_BYTES]; /* where workers and clients find us */
    struct digest built_in;                /* the population that needs no fetching */
};

enum aggregator_event_kind {
    EVENT_BROKER,    /* a message from the broker */
    EVENT_PEER,      /* a message from a worker or client */
    EVENT_FLUSH,     /* the turn ends */
    EVENT_COMMITTED, /* the commit asked for is on disk */
    EVENT_RENDERED,  /* the table that EFFECT_RENDER asked for is made, or cannot be made */
    EVENT_COPIED,    /* the node that EFFECT_COPY named is here, or cannot be had */
    EVENT_CHECKED,   /* the checkpoint that EFFECT_CHECK named has been looked at, or cannot be */
    EVENT_DAMAGED,   /* a stored node can not be read back: sweep, place */
    EVENT_TICK       /* time passed */
};

struct aggregator_event {
    enum aggregator_event_kind kind;
    uint64_t now_ms;
    struct aggregator_peer peer;   /* PEER */
    const struct message *message; /* BROKER, PEER; borrowed */
    const char *fault;             /* PEER with a PARTIAL whose payload is unsound: one line, or NULL.
                                      RENDERED, CHECKED, COPIED: why there is no table, no verdict, no node, or
                                      NULL. Borrowed. */
    struct digest sweep;           /* RENDERED, CHECKED, COPIED, DAMAGED */
    struct digest result;          /* RENDERED: of the table */
    bool met;                      /* CHECKED: the stop rule */
    struct fold_place place;       /* DAMAGED, COPIED */
};

enum aggregator_effect_kind {
    /* to the broker, by aggregator_message */
    EFFECT_HELLO,
    EFFECT_HEARTBEAT,
    EFFECT_FETCH,
    EFFECT_HELD,
    EFFECT_RECONNECT, /* nothing heard for long: make the socket anew */
    /* to a peer, by aggregator_message */
    EFFECT_FOLDED,
    EFFECT_ERROR,
    EFFECT_OUTCOME, /* the shell adds the root of the sweep's held nodes */
    /* payloads in memory */
    EFFECT_KEEP,  /* the payload just received or copied becomes the sweep's node at `place` */
    EFFECT_MERGE, /* nodes `place` and its sibling become their parent */
    /* the store, within one transaction */
    EFFECT_STORE_SWEEP,
    EFFECT_STORE_POPULATION,
    EFFECT_STORE_NODE,
    EFFECT_DELETE_NODE,
    EFFECT_DELETE_OTHERS, /* every node of the sweep but that at `place`, in memory too */
    EFFECT_STORE_RESULT,
    EFFECT_SET_ASIDE, /* a damaged node: kept as evidence, no longer part of the sweep */
    EFFECT_COMMIT,    /* answered by EVENT_COMMITTED */
    /* work; at most one of these in a step */
    EFFECT_COPY,  /* the node of sweep `source` at `place` is one of `sweep` too: bring it; answered by EVENT_COPIED,
                     whose payload EFFECT_KEEP then takes, or by _DAMAGED of the source, before any other event */
    EFFECT_CHECK, /* the sweep's first blocks are on disk as the node at `place`: look at the stop rule; answered by
                     EVENT_CHECKED or _DAMAGED, before any other event */
    EFFECT_RENDER /* every block is on disk: make the table; answered by EVENT_RENDERED or _DAMAGED */
};

struct aggregator_effect {
    enum aggregator_effect_kind kind;
    struct aggregator_peer peer; /* FOLDED, ERROR, OUTCOME */
    struct digest sweep;         /* FETCH, STORE_POPULATION: the item. None in HELLO, HEARTBEAT, RECONNECT, COMMIT */
    struct digest population;    /* STORE_SWEEP */
    struct digest source;        /* COPY */
    struct digest result;        /* STORE_RESULT */
    struct fold_place place; /* FOLDED, KEEP, MERGE, STORE_NODE, DELETE_NODE, DELETE_OTHERS, SET_ASIDE, COPY, CHECK */
    enum message_item item;  /* FETCH */
    enum message_outcome outcome; /* FOLDED */
    enum message_error error;     /* ERROR */
    const char *text;             /* FOLDED, ERROR: a constant, or the event's fault. Borrowed */
    struct span bytes;            /* STORE_SWEEP, STORE_POPULATION: borrowed from the event's message */
};

struct aggregator_effects {
    size_t count;
    struct aggregator_effect list[AGGREGATOR_EFFECTS_MAX];
};

/* NULL: out of memory. */
struct aggregator *aggregator_new(const struct aggregator_config *config);
void aggregator_free(struct aggregator *core);

/* What was on disk, before the first event: sweeps, then their nodes. `result` is zero when no table was made yet;
 * population_held: it is built in or on disk. A sweep that had stopped is looked at again, with the same verdict.
 * False: it can not be so (too many sweeps, impossible blocks, a node that overlaps another), or no memory. */
bool aggregator_load_sweep(struct aggregator *core, const struct digest *sweep, const struct facts *facts,
                           const struct digest *population, bool population_held, const struct digest *result);
bool aggregator_load_node(struct aggregator *core, const struct digest *sweep, struct fold_place place);

/* One step. Clears `effects` first. */
void aggregator_step(struct aggregator *core, const struct aggregator_event *event, struct aggregator_effects *effects);

/* When EVENT_TICK is due, if nothing arrives before. */
uint64_t aggregator_next_due_ms(const struct aggregator *core);

/* Whether the payload of a PARTIAL matters: only then it needs to be read before the step. */
bool aggregator_wants_payload(const struct aggregator *core, const struct digest *sweep, struct fold_place place);

/* Answers that wait for EVENT_FLUSH; at AGGREGATOR_ANSWERS_MAX the turn has to end. */
size_t aggregator_waiting(const struct aggregator *core);

/* The fold of a sweep, or NULL while it is not known. Borrowed until the next step. */
const struct fold *aggregator_fold(const struct aggregator *core, const struct digest *sweep);

/* Every sweep that is known. Borrowed until the next step. */
const struct catalog *aggregator_catalog(const struct aggregator *core);

/* Whether the broker has answered lately. */
bool aggregator_is_registered(const struct aggregator *core);

/* Fills the message of a HELLO, HEARTBEAT, FETCH, HELD, FOLDED, ERROR or OUTCOME effect; valid for an
 * effect of the last step. HELD: the lowest MESSAGE_RANGES_MAX ranges, so one that names so many says
 * nothing of the blocks behind them. OUTCOME: blocks, draws and node are left to the caller. */
void aggregator_message(const struct aggregator *core, const struct aggregator_effect *effect, struct message *message);

/* Invariants, for tests. */
bool aggregator_is_sound(const struct aggregator *core);
