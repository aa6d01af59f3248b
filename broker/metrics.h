/* What the broker tells of itself: a snapshot of its state, and the pages made of it. Pure. The snapshot
 * is a copy, so that a page is made in another thread while the broker goes on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker.h"
#include "exposition.h"

#define BROKER_SWEEP_STATES  8 /* room for every enum sweep_state */
#define BROKER_WORKER_STATES 5 /* room for every enum worker_state */

struct sweep_view {
    struct digest sweep;
    char name[MESSAGE_NAME_BYTES];
    enum sweep_state state;
    uint64_t draws, scenarios, blocks;
    uint64_t ready, leased, done, parked; /* of its blocks; the rest is of a sweep that does not run */
    uint64_t block_us;                    /* measured mean; 0: not yet */
    uint64_t stalled_ms;                  /* while it runs: since a block was done */
    double blocks_per_s;
};

struct worker_view {
    char name[MESSAGE_NAME_BYTES];
    enum worker_state state;
    uint32_t leases;
    uint64_t blocks_done, silent_ms;
    double blocks_per_s;
};

struct broker_snapshot {
    struct broker_counters counters;
    bool aggregator; /* one is here */
    char endpoint[MESSAGE_ENDPOINT_BYTES];
    uint64_t wanted_workers, leases;
    uint32_t sweep_count, worker_count;
    struct sweep_view sweeps[BROKER_SWEEPS_MAX];
    struct worker_view workers[WORKERS_MAX];

    /* The shell's own; broker_observe leaves them alone. */
    uint64_t uptime_ms;
    struct traffic traffic;
    struct histogram commits;
};

/* Copies what the core knows. 0.2 ms when the roster is full. */
void broker_observe(const struct broker *broker, uint64_t now_ms, struct broker_snapshot *snapshot);

/* Pages of a struct broker_snapshot that is age_ms old: Prometheus text, and JSON. */
void broker_metrics(const void *snapshot, uint64_t age_ms, struct buffer *out);
void broker_status(const void *snapshot, uint64_t age_ms, struct buffer *out);
