#include "roster.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

#define CHAINS 32768u
#define NOBODY UINT32_MAX

bool peer_equal(const struct peer *a, const struct peer *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* FNV-1a. Ids and names are not secret, and a chain is at most as long as the roster. */
static uint32_t chain_of(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)((hash ^ hash >> 32) % CHAINS);
}

static uint32_t *peer_chain(const struct roster *roster, const struct peer *peer)
{
    return &roster->by_peer[chain_of(peer->bytes, peer->size)];
}

static uint32_t *name_chain(const struct roster *roster, const char *name)
{
    return &roster->by_name[chain_of(name, strlen(name))];
}

static void open_lines(struct roster *roster)
{
    line_init(&roster->heard, roster->links, WORKERS_MAX);
    line_init(&roster->unused, roster->links, WORKERS_MAX + 1);
    for (uint32_t held = 0; held < WORKER_LEASES; held++)
        line_init(&roster->room[held], roster->room_links, WORKERS_MAX + held);
    for (uint32_t slot = 0; slot < WORKERS_MAX; slot++) {
        roster->links[slot] = roster->room_links[slot] = (struct link){slot, slot};
        line_join(&roster->unused, slot);
    }
    for (uint32_t chain = 0; chain < CHAINS; chain++) roster->by_peer[chain] = roster->by_name[chain] = NOBODY;
}

bool roster_open(struct roster *roster)
{
    *roster = (struct roster){
        .slots = calloc(WORKERS_MAX, sizeof *roster->slots),
        .links = calloc(WORKERS_MAX + 2, sizeof *roster->links),
        .room_links = calloc(WORKERS_MAX + WORKER_LEASES, sizeof *roster->room_links),
        .by_peer = calloc(CHAINS, sizeof *roster->by_peer),
        .by_name = calloc(CHAINS, sizeof *roster->by_name),
    };
    if (roster->slots == NULL || roster->links == NULL || roster->room_links == NULL || roster->by_peer == NULL ||
        roster->by_name == NULL) {
        roster_close(roster);
        return false;
    }
    open_lines(roster);
    return true;
}

void roster_close(struct roster *roster)
{
    free(roster->slots);
    free(roster->links);
    free(roster->room_links);
    free(roster->by_peer);
    free(roster->by_name);
    *roster = (struct roster){0};
}

uint32_t roster_slot(const struct roster *roster, const struct worker *worker)
{
    return (uint32_t)(worker - roster->slots);
}

static void link_peer(struct roster *roster, struct worker *worker)
{
    uint32_t *chain = peer_chain(roster, &worker->peer);
    worker->next_of_peer = *chain;
    *chain = roster_slot(roster, worker);
}

static void unlink_peer(struct roster *roster, struct worker *worker)
{
    uint32_t *at = peer_chain(roster, &worker->peer);
    while (*at != roster_slot(roster, worker)) at = &roster->slots[*at].next_of_peer;
    *at = worker->next_of_peer;
}

static void link_name(struct roster *roster, struct worker *worker)
{
    uint32_t *chain = name_chain(roster, worker->name);
    worker->next_of_name = *chain;
    *chain = roster_slot(roster, worker);
}

static void unlink_name(struct roster *roster, struct worker *worker)
{
    uint32_t *at = name_chain(roster, worker->name);
    while (*at != roster_slot(roster, worker)) at = &roster->slots[*at].next_of_name;
    *at = worker->next_of_name;
}

/* Queues the worker for a lease, or takes it out of the queue. */
static void place(struct roster *roster, struct worker *worker)
{
    const uint32_t slot = roster_slot(roster, worker);
    const uint32_t limit = worker->alone && worker->lease_limit > 1 ? 1 : worker->lease_limit;
    if (worker->lease_count < limit && !worker->draining) line_join(&roster->room[worker->lease_count], slot);
    else line_leave(roster->room_links, slot);
}

struct worker *roster_add(struct roster *roster, const struct peer *peer, const char *name, uint64_t instance,
                          uint64_t now_ms)
{
    uint32_t slot;
    if (!line_first(&roster->unused, &slot)) return NULL;
    struct worker *worker = &roster->slots[slot];
    *worker = (struct worker){.peer = *peer, .instance = instance, .lease_limit = WORKER_LEASES};
    strncpy(worker->name, name, sizeof worker->name - 1);
    link_peer(roster, worker);
    link_name(roster, worker);
    roster_touch(roster, worker, now_ms);
    place(roster, worker);
    roster->count++;
    return worker;
}

void roster_remove(struct roster *roster, struct worker *worker)
{
    assert(worker->lease_count == 0);
    const uint32_t slot = roster_slot(roster, worker);
    unlink_peer(roster, worker);
    unlink_name(roster, worker);
    line_leave(roster->room_links, slot);
    line_join(&roster->unused, slot);
    worker->peer.size = 0;
    roster->count--;
}

struct worker *roster_of_peer(const struct roster *roster, const struct peer *peer)
{
    for (uint32_t slot = *peer_chain(roster, peer); slot != NOBODY; slot = roster->slots[slot].next_of_peer)
        if (peer_equal(&roster->slots[slot].peer, peer)) return &roster->slots[slot];
    return NULL;
}

struct worker *roster_of_name(const struct roster *roster, const char *name)
{
    for (uint32_t slot = *name_chain(roster, name); slot != NOBODY; slot = roster->slots[slot].next_of_name)
        if (strcmp(roster->slots[slot].name, name) == 0) return &roster->slots[slot];
    return NULL;
}

void roster_move(struct roster *roster, struct worker *worker, const struct peer *peer)
{
    unlink_peer(roster, worker);
    worker->peer = *peer;
    link_peer(roster, worker);
    worker->moved = true;
    roster_limit(roster, worker, 0);
}

void roster_touch(struct roster *roster, struct worker *worker, uint64_t now_ms)
{
    worker->seen_ms = now_ms;
    line_join(&roster->heard, roster_slot(roster, worker));
}

void roster_note_lease(struct roster *roster, struct worker *worker, uint64_t token)
{
    assert(worker->lease_count < WORKER_LEASES);
    worker->leases[worker->lease_count++] = token;
    place(roster, worker);
}

void roster_set_alone(struct roster *roster, struct worker *worker)
{
    worker->alone = true;
    place(roster, worker);
}

void roster_drain(struct roster *roster, struct worker *worker)
{
    worker->draining = true;
    place(roster, worker);
}

void roster_drop_lease(struct roster *roster, struct worker *worker, uint64_t token)
{
    for (uint32_t at = 0; at < worker->lease_count; at++) {
        if (worker->leases[at] != token) continue;
        worker->leases[at] = worker->leases[--worker->lease_count];
        if (worker->lease_count == 0) worker->alone = false;
        place(roster, worker);
        return;
    }
    assert(0 && "a lease is noted with its worker");
}

void roster_limit(struct roster *roster, struct worker *worker, uint64_t limit)
{
    const uint32_t within = limit < WORKER_LEASES ? (uint32_t)limit : WORKER_LEASES;
    if (within == worker->lease_limit) return; /* keeps its place in the queue */
    worker->lease_limit = within;
    place(roster, worker);
}

struct worker *roster_first(const struct roster *roster)
{
    uint32_t slot;
    return line_first(&roster->heard, &slot) ? &roster->slots[slot] : NULL;
}

struct worker *roster_next(const struct roster *roster, const struct worker *worker)
{
    uint32_t slot;
    return line_next(&roster->heard, roster_slot(roster, worker), &slot) ? &roster->slots[slot] : NULL;
}

struct worker *roster_waiting(const struct roster *roster, uint32_t held)
{
    uint32_t slot;
    return line_first(&roster->room[held], &slot) ? &roster->slots[slot] : NULL;
}

struct worker *roster_waiting_next(const struct roster *roster, const struct worker *worker)
{
    uint32_t slot;
    return line_next(&roster->room[worker->lease_count], roster_slot(roster, worker), &slot) ? &roster->slots[slot]
                                                                                             : NULL;
}

void worker_set_fit(struct worker *worker, const struct digest *sweep)
{
    uint32_t kept = 0;
    for (uint32_t at = 0; at < worker->unfit_count; at++)
        if (!digest_equal(&worker->unfit[at].sweep, sweep)) worker->unfit[kept++] = worker->unfit[at];
    worker->unfit_count = kept;
}

void worker_set_unfit(struct worker *worker, const struct digest *sweep, uint64_t now_ms)
{
    worker_set_fit(worker, sweep);
    if (worker->unfit_count == WORKER_UNFIT_MAX)
        memmove(&worker->unfit[0], &worker->unfit[1], --worker->unfit_count * sizeof worker->unfit[0]);
    worker->unfit[worker->unfit_count].sweep = *sweep;
    worker->unfit[worker->unfit_count++].until_ms = now_ms + WORKER_UNFIT_MS;
}

bool worker_is_unfit(const struct worker *worker, const struct digest *sweep, uint64_t now_ms)
{
    for (uint32_t at = 0; at < worker->unfit_count; at++)
        if (worker->unfit[at].until_ms > now_ms && digest_equal(&worker->unfit[at].sweep, sweep)) return true;
    return false;
}

enum worker_state worker_state_of(const struct worker *worker)
{
    if (worker->draining) return WORKER_DRAINING;
    if (worker->lease_count > 0) return WORKER_BUSY;
    return worker->lease_limit > 0 ? WORKER_IDLE : WORKER_UNREACHED;
}
