/* The roster: workers that have said HELLO, found by the socket they speak from or by name, and in the
 * order in which they were last heard. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"
#include "message.h"
#include "meter.h"

#define WORKERS_MAX     16384u
#define WORKER_LEASES   2u  /* one being computed, one waiting */
#define WORKER_REPLACED 16u /* earlier starts that it is told from */
#define PEER_BYTES      32

struct peer {     /* a socket at the other end; its bytes mean nothing here */
    uint8_t size; /* 0: nobody */
    uint8_t bytes[PEER_BYTES];
};

static inline bool peer_is_nobody(const struct peer *peer)
{
    return peer->size == 0;
}

bool peer_equal(const struct peer *a, const struct peer *b);

#define WORKER_UNFIT_MAX 4u     /* sweeps remembered of a worker that it cannot compute; the oldest is forgotten */
#define WORKER_UNFIT_MS  60000u /* then it may be asked again */

struct worker {
    struct peer peer; /* nobody: a free slot */
    char name[MESSAGE_NAME_BYTES];
    char holder[MESSAGE_NAME_BYTES];    /* the name of its key; empty: it needs none */
    uint64_t instance;                  /* a new one for every start of the program */
    uint64_t replaced[WORKER_REPLACED]; /* instances that had the name before it, the last one first; 0: none */
    uint64_t seen_ms;                   /* last message from it */
    uint64_t told_ms;                   /* last message to it */
    uint32_t encoding;                  /* the latest of sweeps that it reads */
    uint64_t told_endpoint;             /* which aggregator endpoint it knows, by number */
    bool alone;                         /* holds a lease that is under suspicion or late, and gets no other with it */
    bool draining;                      /* gets no lease any more */
    bool moved;                         /* speaks from a new socket; leases sent to the old one may be lost */
    struct {
        struct digest sweep;
        uint64_t until_ms;
    } unfit[WORKER_UNFIT_MAX]; /* oldest first */
    uint32_t unfit_count;
    uint64_t leases[WORKER_LEASES]; /* tokens */
    uint64_t astray;                /* token of a lease that was taken from it and that it may be at; 0: none */
    struct digest astray_sweep;     /* whose blocks those are */
    uint32_t lease_count;
    uint32_t lease_limit;                /* leases it takes in all, at most WORKER_LEASES */
    uint32_t next_of_peer, next_of_name; /* chains of the two indexes */
    uint64_t blocks_done;                /* since it joined */
    struct meter meter;                  /* of them */
};

struct roster {
    struct worker *slots;    /* owned, [WORKERS_MAX] */
    struct link *links;      /* owned: heard, unused */
    struct link *room_links; /* owned: room */
    struct line heard;       /* longest silent first */
    struct line unused;
    struct line room[WORKER_LEASES]; /* workers that would take a lease, by the number they hold */
    uint32_t *by_peer, *by_name;     /* owned: first slot of each chain */
    size_t count;
};

bool roster_open(struct roster *roster); /* false: out of memory */
void roster_close(struct roster *roster);

/* Registers a worker that takes WORKER_LEASES leases. NULL: the roster is full. The name and the peer
 * must not be there yet. */
struct worker *roster_add(struct roster *roster, const struct peer *peer, const char *name, uint64_t instance,
                          uint64_t now_ms);

/* Takes a worker out that holds no lease. */
void roster_remove(struct roster *roster, struct worker *worker);

/* NULL: nobody of that kind. */
struct worker *roster_of_peer(const struct roster *roster, const struct peer *peer);
struct worker *roster_of_name(const struct roster *roster, const char *name);

/* The worker speaks from another socket now; it gets no lease until its limit is set anew. */
void roster_move(struct roster *roster, struct worker *worker, const struct peer *peer);

/* Heard from it. */
void roster_touch(struct roster *roster, struct worker *worker, uint64_t now_ms);

void roster_note_lease(struct roster *roster, struct worker *worker, uint64_t token);
void roster_set_alone(struct roster *roster, struct worker *worker); /* until its lease ends */
void roster_drain(struct roster *roster, struct worker *worker);
void roster_drop_lease(struct roster *roster, struct worker *worker, uint64_t token);

/* The worker said that it cannot compute this sweep, whatever the block: it lacks its model. */
void worker_set_unfit(struct worker *worker, const struct digest *sweep, uint64_t now_ms);
void worker_set_fit(struct worker *worker, const struct digest *sweep); /* that may have been mended */
bool worker_is_unfit(const struct worker *worker, const struct digest *sweep, uint64_t now_ms);

/* What a client is told that it is doing. */
enum worker_state worker_state_of(const struct worker *worker);

/* How many leases it takes in all. */
void roster_limit(struct roster *roster, struct worker *worker, uint64_t limit);

/* The worker longest silent, or NULL; and the one heard after a given one. */
struct worker *roster_first(const struct roster *roster);
struct worker *roster_next(const struct roster *roster, const struct worker *worker);

/* Of those that would take a lease and hold `held` now, the one that has waited longest; or NULL. */
struct worker *roster_waiting(const struct roster *roster, uint32_t held);

/* The one behind it in the same line, or NULL. */
struct worker *roster_waiting_next(const struct roster *roster, const struct worker *worker);

uint32_t roster_slot(const struct roster *roster, const struct worker *worker);
