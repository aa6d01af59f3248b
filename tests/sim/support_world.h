/* One world: its clock, its dice, its events, its hosts, and what must be true of it. */
#pragma once

#include <stdarg.h>

#include "aggregator.h"
#include "broker.h"
#include "cache.h"
#include "message.h"
#include "session.h"
#include "shell_payload.h"
#include "support_disk.h"
#include "support_network.h"
#include "support_sim.h"

#define WORLD_EVENTS_MAX 3000000u /* more than that is a livelock */
#define WORLD_SPINS_MAX  3000u    /* turns of one host in one millisecond */
#define OUTBOX_MAX       4096u    /* as in broker/main.c */

enum { HOST_BROKER, HOST_AGGREGATOR, HOST_CLIENT, HOST_WORKERS, HOSTS_MAX = HOST_WORKERS + SIM_WORKERS_MAX };
enum { SLOT_BROKER, SLOT_AGGREGATOR };

enum world_event_kind { WORLD_WAKE, WORLD_ARRIVE, WORLD_DIAL, WORLD_BREAK, WORLD_BACK, WORLD_TROUBLE, WORLD_HEAL };

struct world_event {
    uint64_t due_ms, serial;
    enum world_event_kind kind;
    uint32_t a, b, c;
};

struct dialing { /* a socket */
    bool open;
    uint32_t server, life, serial, wire; /* wire: 0 while there is no connection */
    uint64_t wait_ms;
};

struct host {
    bool alive, dying;                         /* dying: dead once the effect at hand returns */
    bool stopped;                              /* ended by itself, since its disk failed */
    uint32_t life;                             /* starts so far */
    uint64_t offset_ms, suspended_ms, disk_ms; /* of its clock; until when it does not run, or waits for its disk */
    uint64_t wake_ms, spin_ms;
    uint32_t wake_version, spins;
    struct dialing dialing[NETWORK_SLOTS];
    struct letters inbox[NETWORK_SLOTS]; /* a server's own socket is slot 0 */
};

struct sim_sweep {
    struct digest id, population, result; /* result: of the undisturbed run */
    struct buffer bytes, population_bytes;
    struct sweep *content; /* owned */
    uint64_t blocks, end;  /* end: where the stop rule is met, else all blocks */
    uint64_t full_blocks;  /* as many, or one less: the last one is short */
    uint32_t flavour;
    struct plan plan; /* only what payloads look at */
    /* what must be true */
    bool accepted;    /* told, and its store has not been lost since */
    uint8_t *covered; /* owned: per block, inside a durable node */
    uint64_t covered_count;
};

enum { BROKER_FREE, BROKER_IN_TICK, BROKER_IN_FLUSH };

struct broker_host {
    struct broker *broker;
    bool urgent, lazily; /* lazily: a transaction is open */
    bool unread;         /* messages that had arrived were left */
    int unread_turns;
    int waiting; /* for its disk: in */
    uint64_t commit_due_ms;
    size_t outbox_at, outbox_count;
    struct broker_effect outbox[OUTBOX_MAX];
    struct broker_effects effects;
};

struct aggregator_host {
    struct aggregator *core;
    struct store *store;
    struct plans *plans;
    struct cache *cache;
    struct payloads payloads;
    struct node *received;
    struct aggregator_event next;
    bool has_next, failed, committing;
    struct aggregator_effects effects;
    char fault[PAYLOAD_WHY_BYTES];
};

struct worker_host {
    struct session *session;
    bool blocked[NETWORK_SLOTS], lies, computing;
    enum sim_fault pace; /* SIM_STUCK, SIM_SLOWED; or SIM_FAULT_COUNT: as it should be */
    struct session_effect job;
    uint64_t job_started_ms, job_due_ms, job_us;
    bool job_failed;
    uint32_t places[SESSION_SWEEPS_MAX]; /* sweep number + 1 */
    bool populated[SESSION_SWEEPS_MAX];
    struct span parts[SESSION_PARTS_MAX];
    struct digest part_sweeps[SESSION_PARTS_MAX];
    uint64_t last_tokens[8]; /* to lie with */
    uint32_t last_token;
    struct session_effects effects[3];
};

struct client_task {
    uint64_t next_ms, cancel_ms; /* cancel_ms 0: not to be cancelled */
    bool again;                  /* submitted anew after the cancel */
    bool cancelled, finished, submitted;
    bool want_result, cancelling; /* cancelling: a CANCEL was sent */
    bool doubtful;                /* a SUBMIT may still be on its way */
};

struct client_host {
    struct client_task tasks[SIM_SWEEPS_MAX];
    bool asking;
    enum message_kind asked;
    uint32_t sweep;
    uint64_t patience_ms;
};

struct world_limits {
    uint64_t heartbeat_ms, lease_ms, delay_ms, spike_ms, trouble_ms, fault_every_ms, block_us;
    uint32_t spike_ppm, repeat_ppm, crash_ppm[3], slow_ppm, lie_ppm, fail_ppm, queue_max;
    uint64_t commit_ms, cache_bytes;
    bool endpoint_moves;
    uint32_t swarm; /* bits of the faults that happen in this world */
};

struct world {
    struct sim_setup setup;
    struct sim_report *report;
    uint64_t dice, now_ms, serial, deadline_ms;
    bool over, healed;
    struct world_limits limits;
    struct world_event *heap;
    size_t heap_count, heap_capacity;
    struct wire **wires; /* owned; number - 1 */
    uint32_t wire_count, wire_capacity;
    uint64_t cut_ms[HOSTS_MAX][HOSTS_MAX]; /* from, to: nothing arrives until then */
    uint32_t worker_count, host_count, sweep_count;
    struct host hosts[HOSTS_MAX];
    struct sim_sweep sweeps[SIM_SWEEPS_MAX];
    struct disk broker_disk, aggregator_disk;
    struct disk copies[2]; /* backups of the two */
    uint64_t broker_slow_ms, aggregator_slow_ms;
    bool untruthful;  /* a liar, a lost store, or rot: what workers and broker call done may not be held */
    uint64_t *tokens; /* owned: a hash set of all ever lent */
    size_t token_count, token_capacity;
    struct broker_host broker;
    struct aggregator_host aggregator;
    struct client_host client;
    struct worker_host workers[SIM_WORKERS_MAX];
    struct message in, out;
};

/* Dice: below is at least 1. */
uint64_t world_draw(struct world *world, uint64_t below);
bool world_chance(struct world *world, uint32_t per_million);
bool world_trouble(struct world *world, enum sim_fault fault, uint32_t per_million); /* counts it */

void world_at(struct world *world, uint64_t due_ms, enum world_event_kind kind, uint32_t a, uint32_t b, uint32_t c);
void world_wake(struct world *world, uint32_t host, uint64_t at_ms);
void world_wake_local(struct world *world, uint32_t host, uint64_t local_ms); /* by the host's own clock */
uint64_t world_clock(const struct world *world, uint32_t host);

/* The first failure stands, and the world ends. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_trace(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define TRACE(world, ...)                                                                                              \
    do {                                                                                                               \
        if ((world)->setup.trace) world_trace(world, __VA_ARGS__);                                                     \
    } while (0)

/* Between two effects: true when the host dies here. */
bool world_dies_here(struct world *world, uint32_t host);

/* NULL: no sweep of this world. */
struct sim_sweep *world_sweep(struct world *world, const struct digest *id);

/* The encoded node of a sweep without any disturbance. Borrowed for ever. */
struct span world_node(const struct sim_sweep *sweep, uint32_t level, uint64_t index);

/* How long a commit of this host takes now; and whether it succeeds is the disk's to say. */
uint64_t world_commit_ms(struct world *world, uint32_t host);

/* What the aggregator's disk has just made durable: each block once, with the right bits. */
void world_check_committed(struct world *world);
void world_recount_covered(struct world *world);

/* Whether these blocks are in durable nodes, or all before the sweep's end are: then nobody needs the others. */
bool world_is_covered(const struct sim_sweep *sweep, struct block_range blocks);
void world_check_lease(struct world *world, uint64_t token);

enum disk_table { TABLE_SWEEP = 1, TABLE_POPULATION, TABLE_DONE, TABLE_NODE, TABLE_PARKED, TABLE_SHARE };

/* Hosts. start: makes the core from the disk. turn: one pass of the shell's loop. die: frees what is in
 * memory; the disk has been seen to. */
void broker_host_start(struct world *world);
void broker_host_turn(struct world *world);
void broker_host_die(struct world *world);
void aggregator_host_start(struct world *world);
void aggregator_host_turn(struct world *world);
void aggregator_host_die(struct world *world);
void worker_host_start(struct world *world, uint32_t host);
void worker_host_turn(struct world *world, uint32_t host);
void worker_host_stop(struct world *world, uint32_t host);
void worker_host_die(struct world *world, uint32_t host);
void client_host_start(struct world *world);
void client_host_turn(struct world *world);
void client_host_die(struct world *world);
