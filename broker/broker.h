/* The broker's core: sweeps as ranges of blocks, leased to workers. Pure state: time and messages come
 * in as events, and what is to be done goes out as effects; the shell in main.c carries them out.
 *
 * What was told is on disk: the shell commits what a step asks it to keep before it carries out any
 * send of that step or of a later one. (BROKER_KEEP_DONE may wait: the aggregator can tell it again.) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger.h"
#include "message.h"
#include "roster.h"

#define BROKER_SWEEPS_MAX  MESSAGE_SWEEPS_MAX
#define BROKER_EFFECTS_MAX 256
#define BROKER_WANTED_US   60000000u /* work that makes one more worker worth its start */

struct broker; /* about 7 MiB */

struct broker_setup {
    uint64_t heartbeat_ms, lease_ms;
    uint64_t token_seed; /* random: leases of an earlier process must not be mistaken for new ones */
};

enum broker_event_kind {
    BROKER_MESSAGE,     /* `message` came from `peer` */
    BROKER_UNDELIVERED, /* a send to `peer` failed; token: of the lease that it held, or 0 */
    BROKER_TICK,        /* time passed */
    BROKER_STORE_LOST   /* the aggregator's store is not what it was: it may lack what was reported done */
};

struct broker_event {
    enum broker_event_kind kind;
    uint64_t now_ms; /* monotonic; never smaller than before */
    struct peer peer;
    const struct message *message; /* borrowed for the step */
    const char *holder;            /* of a message: the name of its sender's key, borrowed; NULL: keys are not used */
    bool own_only;                 /* of a message: its sender may change no sweeps but those of its key */
    uint64_t token;
};

enum broker_effect_kind {
    BROKER_KEEP_SWEEP,   /* a new sweep: its bytes, its population's bytes unless empty; running */
    BROKER_KEEP_STATE,   /* the sweep's state, result and text have changed */
    BROKER_KEEP_DONE,    /* `blocks` are done; ranges kept inside them are part of them now */
    BROKER_KEEP_RANGES,  /* all of the sweep's done ranges are to be kept anew */
    BROKER_KEEP_SHARE,   /* the sweep's priority, weight, tenant and owner have changed */
    BROKER_KEEP_PARKED,  /* all of the sweep's parked blocks are to be kept anew */
    BROKER_KEEP_NOTHING, /* the sweep is forgotten, and its population with it unless that is zero */
    BROKER_SEND,         /* the message that broker_compose makes of this effect */
    BROKER_NOTE          /* something people may want to know */
};

enum broker_note {
    NOTE_WORKER_JOINED,
    NOTE_WORKER_LEFT,
    NOTE_WORKER_LOST,
    NOTE_AGGREGATOR_JOINED,
    NOTE_AGGREGATOR_LOST,
    NOTE_SWEEP_ACCEPTED,
    NOTE_SWEEP_DONE,
    NOTE_SWEEP_FAILED,
    NOTE_SWEEP_CANCELLED,
    NOTE_BLOCKS_FAILED,
    NOTE_LEASE_LAPSED,
    NOTE_BLOCKS_LOST,    /* the aggregator no longer holds what it had: it is done again */
    NOTE_RESULT_DIFFERS, /* a finished sweep is reported with another digest */
    NOTE_SWEEP_DOUBTED,  /* a finished sweep runs until the aggregator says what it still holds */
    NOTE_SWEEP_STALLED,  /* only parked blocks are left */
    NOTE_SWEEP_PAUSED,
    NOTE_SWEEP_RESUMED, /* after a pause, or to try parked blocks again */
    NOTE_WORKER_DRAINING,
    NOTE_SWEEP_FORGOTTEN /* it had ended, and another took its place */
};

struct broker_effect {
    enum broker_effect_kind kind;
    struct digest sweep; /* or the population, of an ITEM */
    union {
        struct {
            struct span sweep, population;
        } keep; /* borrowed from the event's message */
        struct block_range blocks;
        struct digest population; /* of KEEP_NOTHING */
        struct {
            struct peer to;
            enum message_kind kind;
            union {
                struct {
                    uint64_t token;
                    struct block_range blocks;
                } lease;
                enum message_item item; /* the shell adds the bytes, or answers ERROR_UNKNOWN */
                bool known;
                uint64_t from;  /* of a ROSTER */
                uint64_t token; /* of a RECALL */
                struct {
                    enum message_error code;
                    const char *text;
                } error;
            };
        } send;
        struct {
            enum broker_note note;
            char name[MESSAGE_NAME_BYTES];
            struct block_range blocks;
        } note;
    };
};

struct broker_effects {
    size_t count;
    struct broker_effect list[BROKER_EFFECTS_MAX];
};

/* What happened since this process started. */
struct broker_counters {
    uint64_t sweeps_accepted, sweeps_forgotten;
    uint64_t leases_granted, leases_lapsed;
    uint64_t leases_copied, leases_recalled; /* because they were late */
    uint64_t blocks_done;                    /* once each time a block becomes done */
    uint64_t blocks_lost;                    /* done here, then found to be no longer held */
    uint64_t blocks_failed[CAUSE_UNFIT + 1]; /* by cause */
    uint64_t workers_joined, workers_lost;
};

/* NULL: out of memory. */
struct broker *broker_new(const struct broker_setup *setup);
void broker_free(struct broker *broker);

/* Puts back a sweep that was kept, and then what was done of it; before the first step. False: the bytes
 * are no sweep, or there is no room; `*why` is a constant string. */
bool broker_restore(struct broker *broker, struct span bytes, bool population_kept, enum sweep_state state,
                    const struct digest *result, const char *text, const char **why);
bool broker_restore_done(struct broker *broker, const struct digest *sweep, struct block_range blocks);
bool broker_restore_share(struct broker *broker, const struct digest *sweep, uint32_t priority, uint32_t weight,
                          const char *tenant);
bool broker_restore_owner(struct broker *broker, const struct digest *sweep, const char *owner);
bool broker_restore_parked(struct broker *broker, const struct digest *sweep, const struct parked *parked);

/* Clears *effects and fills it in the order in which they are to be carried out. */
void broker_step(struct broker *broker, const struct broker_event *event, struct broker_effects *effects);

/* When the shell must call again though nothing arrives; UINT64_MAX: never. */
uint64_t broker_next_due_ms(const struct broker *broker);

/* Makes the message of a BROKER_SEND effect, of the state as it is now. False: it is an ITEM, whose
 * bytes the shell has. */
bool broker_compose(const struct broker *broker, const struct broker_effect *effect, struct message *message);

/* NULL: not known. Borrowed until the next step. */
const struct ledger *broker_sweep(const struct broker *broker, const struct digest *sweep);
size_t broker_worker_count(const struct broker *broker);

/* How many workers would be of use now, those that are here included: each has BROKER_WANTED_US of work
 * before it, by the measured time of blocks, or one block when that takes longer. At most WORKERS_MAX. */
uint64_t broker_wanted_workers(const struct broker *broker);

/* Whether this peer is the aggregator that is here. */
bool broker_aggregator_is(const struct broker *broker, const struct peer *peer);

/* Checks every invariant: ready + leased + parked + done = blocks of each sweep; each lease belongs to
 * one worker of the roster, and no block to two leases but to a late one and its copy. Slow: for tests. */
bool broker_is_sound(const struct broker *broker);
