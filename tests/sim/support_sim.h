/* A whole cluster on a virtual clock, network and disk, from one seed: the cores that ship (broker, workers'
 * sessions, aggregator with its payloads and cache) under hosts that carry effects out in the order in
 * which the real shells do. The same seed gives the same run, fault by fault. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>

#define SIM_WORKERS_MAX 12u
#define SIM_SWEEPS_MAX  4u
#define SIM_BLOCKS_MAX  5000u
#define SIM_WHY_BYTES   512

enum sim_fault {
    SIM_BROKER_DIED, /* at once, or between any two effects */
    SIM_WORKER_DIED,
    SIM_AGGREGATOR_DIED,
    SIM_BROKER_STORE_LOST,
    SIM_AGGREGATOR_STORE_LOST,
    SIM_STORE_WENT_BACK, /* restored from an older copy of its own */
    SIM_COMMIT_TORN,     /* died while the disk was writing */
    SIM_DISK_FULL,
    SIM_DISK_SLOW,
    SIM_NODE_ROTTED, /* a stored node cannot be read back */
    SIM_SUSPENDED,
    SIM_CLOCK_JUMPED,
    SIM_DISCONNECTED,
    SIM_PARTITIONED,
    SIM_VANISHED, /* messages into a connection that is dead and not yet known to be */
    SIM_REPEATED,
    SIM_BLOCK_FAILED,
    SIM_STRAGGLED,
    SIM_STUCK,  /* a worker that says that it is there began a part, and never ends it */
    SIM_SLOWED, /* ... and takes a hundred times as long */
    SIM_LIED,
    SIM_CANCELLED,
    SIM_FAULT_COUNT
};

const char *sim_fault_name(enum sim_fault fault);

/* Faults of the hosts themselves, for tests that show that the simulator finds such a thing. */
enum sim_plant {
    SIM_PLANT_NONE,
    SIM_PLANT_BROKER_SENDS_FIRST, /* the broker's shell does not wait for its commit */
    SIM_PLANT_STORE_FORGETS       /* the aggregator's store says committed before it is */
};

struct sim_setup {
    uint64_t seed;
    bool calm;           /* one worker and no fault: what the others are compared with */
    bool trace;          /* every event goes to standard error */
    uint32_t stragglers; /* calm: so many workers that are stuck or slow come beside the one */
    enum sim_plant plant;
};

struct sim_report {
    bool failed;
    char why[SIM_WHY_BYTES]; /* what was wrong, and when */
    uint64_t events, ended_ms, blocks;
    uint64_t settled_ms;  /* from the last fault to the end */
    uint64_t patience_ms; /* what that may take at most */
    uint32_t workers, sweep_count;
    uint64_t sweep_blocks[SIM_SWEEPS_MAX]; /* full ones, at which they end: a stop rule may be met */
    bool sweep_has_short[SIM_SWEEPS_MAX];  /* and one behind that is not full */
    uint32_t flavours[SIM_SWEEPS_MAX];     /* equal: of one family */
    uint64_t copied;                       /* nodes that sweeps took over from others of their family */
    uint32_t stopped;                      /* sweeps that end early */
    struct digest results[SIM_SWEEPS_MAX]; /* as the client got them; zero: cancelled for good */
    uint32_t faults[SIM_FAULT_COUNT];
};

/* Runs one world until all its sweeps ended as they should, or something is wrong. */
void sim_run(const struct sim_setup *setup, struct sim_report *report);
