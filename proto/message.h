/* Messages between programs: one frame, one msgpack array [version, kind, fields...].
 * proto/PROTOCOL.md says who sends what, when, and what the answers are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>

#include "bytes.h"

#define MESSAGE_VERSION             3
#define MESSAGE_BYTES_MAX           (256u << 20) /* ZMQ_MAXMSGSIZE of every socket */
#define MESSAGE_TO_BROKER_BYTES_MAX (34u << 20)  /* a sweep, a population, and what is around them */
#define MESSAGE_NAME_BYTES          64
#define MESSAGE_ENDPOINT_BYTES      256
#define MESSAGE_TEXT_BYTES          512
#define MESSAGE_TOKENS_MAX          64
#define MESSAGE_RANGES_MAX          1024
#define MESSAGE_SWEEPS_MAX          256
#define MESSAGE_WORKERS_MAX         256 /* in one ROSTER */
#define MESSAGE_PRIORITY_MAX        9
#define MESSAGE_WEIGHT_MAX          1000
#define MESSAGE_BLOCKS_MAX          (UINT64_C(1) << 40) /* of a sweep; block numbers are below */
#define MESSAGE_LEVEL_MAX           40                  /* of a node of the fold */
#define MESSAGE_INTERVAL_MS_MAX     (24u * 3600 * 1000)

/* What message_decode() says of a message of a version that is not known here. */
#define MESSAGE_WHY_VERSION "version"

enum message_kind {
    /* any program -> broker */
    MESSAGE_HELLO = 1, /* I am here: role, name, instance, endpoint */
    MESSAGE_FETCH,     /* send me the sweep or population with this digest */
    MESSAGE_GOODBYE,   /* I leave; my leases are free */
    /* broker -> any program */
    MESSAGE_WELCOME,  /* registered: intervals and the aggregator's endpoint */
    MESSAGE_STRANGER, /* I do not know you: say HELLO again */
    MESSAGE_ITEM,     /* answer to FETCH */
    MESSAGE_ERROR,    /* refused: a code and one line */
    /* worker -> broker */
    MESSAGE_HEARTBEAT, /* alive; leases held, room for more */
    MESSAGE_DONE,      /* blocks of a lease are folded */
    MESSAGE_FAILED,    /* blocks of a lease could not be done */
    /* broker -> worker */
    MESSAGE_LEASE,  /* blocks lent under a token */
    MESSAGE_CANCEL, /* drop the leases of this sweep */
    /* worker -> aggregator */
    MESSAGE_PARTIAL, /* a folded subtree of blocks */
    /* aggregator -> worker */
    MESSAGE_FOLDED, /* committed, or why not */
    /* client -> broker */
    MESSAGE_SUBMIT, /* a sweep and its population */
    MESSAGE_STATUS, /* one sweep, or all */
    /* broker -> client */
    MESSAGE_ACCEPTED, /* committed: the sweep's digest */
    MESSAGE_SWEEPS,   /* answer to STATUS */
    /* aggregator -> broker */
    MESSAGE_HELD, /* blocks of a sweep that are on disk here */
    /* broker -> aggregator */
    MESSAGE_WANTED, /* sweeps that are open here */
    /* client -> aggregator */
    MESSAGE_RESULT, /* send what is folded of this sweep */
    /* aggregator -> client */
    MESSAGE_OUTCOME, /* answer to RESULT */
    /* aggregator -> broker, and its answer */
    MESSAGE_STORE, /* which store the sender writes to, and how far it is */
    /* client -> broker; from here on since version 2 */
    MESSAGE_PAUSE,   /* lend nothing of this sweep */
    MESSAGE_RESUME,  /* go on with it */
    MESSAGE_RETRY,   /* its parked blocks are to be tried again */
    MESSAGE_DRAIN,   /* lend nothing to this worker; broker -> worker: finish and leave */
    MESSAGE_WORKERS, /* who is registered? */
    MESSAGE_EXPLAIN, /* why is this sweep not further on? */
    /* broker -> client */
    MESSAGE_ROSTER,      /* answer to WORKERS */
    MESSAGE_EXPLANATION, /* answer to EXPLAIN */
    /* broker -> worker */
    MESSAGE_RECALL, /* give back what is not begun of a lease */
    /* worker -> broker */
    MESSAGE_RETURNED, /* blocks at the end of a lease that were not begun */
    MESSAGE_KIND_END
};

enum message_role { ROLE_WORKER = 1, ROLE_AGGREGATOR, ROLE_CLIENT };
enum message_item { ITEM_SWEEP = 1, ITEM_POPULATION };
enum message_cause { CAUSE_ERROR = 1, CAUSE_OVERLAP, CAUSE_SHUTDOWN, CAUSE_UNFIT };
enum message_outcome { FOLD_NEW = 1, FOLD_DUPLICATE, FOLD_OVERLAP, FOLD_UNKNOWN_SWEEP, FOLD_REFUSED };
enum message_error { ERROR_MALFORMED = 1, ERROR_VERSION, ERROR_UNKNOWN, ERROR_REFUSED, ERROR_STORE, ERROR_FORBIDDEN };
enum sweep_state { SWEEP_RUNNING = 1, SWEEP_PAUSED, SWEEP_DONE, SWEEP_FAILED, SWEEP_CANCELLED, SWEEP_STALLED };
enum worker_state { WORKER_IDLE = 1, WORKER_BUSY, WORKER_DRAINING, WORKER_UNREACHED };

struct block_range {
    uint64_t first, count; /* count at least 1 */
};

struct sweep_status {
    struct digest sweep;
    char name[MESSAGE_NAME_BYTES];
    enum sweep_state state;
    uint64_t draws, scenarios, blocks, done, leased, parked;
    struct digest result;          /* digest of the rollup once DONE; zero before */
    char text[MESSAGE_TEXT_BYTES]; /* why it failed, or which blocks are parked; empty otherwise */
    uint32_t priority, weight;
    char tenant[MESSAGE_NAME_BYTES];
};

struct worker_status {
    char name[MESSAGE_NAME_BYTES];
    enum worker_state state;
    uint32_t leases;
    uint64_t blocks;           /* done since it registered */
    uint64_t blocks_per_1000s; /* at its own pace; 0: not measured yet */
    uint64_t silent_ms;        /* since it was last heard */
};

/* Spans and pointers are borrowed: from the received bytes when decoded, from the caller's memory
 * when encoded. */
struct message {
    enum message_kind kind;
    union {
        struct {
            enum message_role role;
            char name[MESSAGE_NAME_BYTES];
            uint64_t instance;
            char program[MESSAGE_NAME_BYTES];
            char endpoint[MESSAGE_ENDPOINT_BYTES];
            uint32_t encoding; /* the latest of sweeps that it reads; 0: the first */
        } hello;
        struct {
            enum message_item item;
            struct digest digest;
        } fetch;
        struct {
            uint64_t heartbeat_ms, lease_ms;
            char aggregator[MESSAGE_ENDPOINT_BYTES];
        } welcome;
        struct {
            enum message_item item;
            struct digest digest;
            struct span bytes;
        } item;
        struct {
            enum message_error code;
            char text[MESSAGE_TEXT_BYTES];
        } error;
        struct {
            uint64_t room;
            uint32_t token_count;
            uint64_t tokens[MESSAGE_TOKENS_MAX];
        } heartbeat;
        struct {
            uint64_t token;
            struct digest sweep;
            struct block_range blocks;
            uint64_t compute_us;
        } done;
        struct {
            uint64_t token;
            struct digest sweep;
            struct block_range blocks;
            enum message_cause cause;
            char text[MESSAGE_TEXT_BYTES];
        } failed;
        struct {
            uint64_t token;
            struct digest sweep;
            struct block_range blocks;
        } lease;
        struct {
            struct digest sweep;
        } cancel, status, result, pause, resume, retry, explain; /* status: zero digest for all */
        struct {
            struct digest sweep;
            uint32_t level;
            uint64_t index;
            struct span node;
        } partial;
        struct {
            struct digest sweep;
            uint32_t level;
            uint64_t index;
            enum message_outcome outcome;
            char text[MESSAGE_TEXT_BYTES];
        } folded;
        struct {
            struct span sweep, population; /* population empty: known to be built in */
            uint32_t priority, weight;     /* weight 0: as 1 */
            char tenant[MESSAGE_NAME_BYTES];
        } submit;
        struct {
            struct digest sweep;
            bool known;
        } accepted; /* known: it was there before */
        struct {
            char aggregator[MESSAGE_ENDPOINT_BYTES];
            uint32_t workers;
            uint64_t wanted_workers;
            uint32_t count;
            struct sweep_status list[MESSAGE_SWEEPS_MAX];
        } sweeps;
        struct {
            struct digest sweep;
            bool complete;
            struct digest result;
            uint32_t count;
            struct block_range ranges[MESSAGE_RANGES_MAX];
        } held;
        struct {
            uint32_t count;
            struct digest sweeps[MESSAGE_SWEEPS_MAX];
        } wanted;
        struct {
            struct digest sweep;
            uint64_t blocks, draws;
            bool complete;
            struct digest digest;
            struct span node;
        } outcome; /* node: empty when nothing is folded */
        struct {
            uint64_t store, commits; /* store: its random identity; commits: on disk, ever */
        } store;
        struct {
            char name[MESSAGE_NAME_BYTES];
        } drain;
        struct {
            uint64_t from; /* 0, or what `next` of the last ROSTER said */
        } workers;
        struct {
            uint64_t next; /* where the list goes on; 0: that was all */
            uint32_t count;
            struct worker_status list[MESSAGE_WORKERS_MAX];
        } roster;
        struct {
            struct digest sweep;
            char text[MESSAGE_TEXT_BYTES];
        } explanation;
        struct {
            uint64_t token;
        } recall;
        struct {
            uint64_t token;
            struct digest sweep;
            struct block_range blocks;
        } returned;
    };
};

/* Appends the message, in the oldest version that can say it, so that older programs understand what
 * they can. What lies beyond a list's count is not looked at. A text ends at the first byte
 * that is not UTF-8, so that one that was cut to fit in the middle of a character still arrives. */
void message_encode(const struct message *message, struct buffer *out);

/* Reads one message, every bound checked, nothing allocated. Writes what the message holds and nothing
 * beyond a list's count. On false `*why` is a constant string and *message is not to be used. */
bool message_decode(struct span bytes, struct message *message, const char **why);

/* Puts ? for control characters in all texts of the message; those in its byte strings stay. */
void message_mask_controls(struct message *message);

/* "HELLO" and so on; "?" for what is no kind. */
const char *message_kind_name(enum message_kind kind);
