/* What the aggregator tells of itself: a snapshot of its state, and the pages made of it. Pure. The
 * snapshot is a copy, so that a page is made in another thread while the aggregator goes on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "aggregator.h"
#include "catalog.h"
#include "exposition.h"

struct held_view { /* of one sweep */
    struct digest sweep, result;
    enum entry_stage stage;
    bool wanted, complete;
    uint64_t blocks, covered, nodes; /* 0 until its bytes are here */
};

struct aggregator_counters {             /* since the process started */
    uint64_t partials[FOLD_REFUSED + 1]; /* answered, by outcome */
    uint64_t partial_bytes;              /* received */
    uint64_t results;                    /* sent to clients */
    uint64_t damaged;                    /* rows that could not be read back */
    uint64_t renders_failed;
    struct histogram commits, renders;
};

struct aggregator_snapshot {
    bool registered; /* the broker knows us */
    uint64_t nodes;
    uint32_t sweep_count;
    struct held_view sweeps[AGGREGATOR_SWEEPS_MAX];

    /* The shell's own; aggregator_observe leaves them alone. */
    uint64_t uptime_ms;
    uint64_t store_commits, cache_bytes, cache_nodes;
    struct aggregator_counters counters;
    struct traffic traffic;
};

/* Copies what the core knows. */
void aggregator_observe(const struct aggregator *core, struct aggregator_snapshot *snapshot);

/* Pages of a struct aggregator_snapshot that is age_ms old: Prometheus text, and JSON. */
void aggregator_metrics(const void *snapshot, uint64_t age_ms, struct buffer *out);
void aggregator_status(const void *snapshot, uint64_t age_ms, struct buffer *out);
