/* What the broker's core knows. Only for the files of the core: others see broker.h. */
#pragma once

#include "broker.h"
#include "lease.h"

struct aggregator {
    struct peer peer; /* nobody: none is here */
    char name[MESSAGE_NAME_BYTES];
    uint64_t instance, seen_ms;
    uint32_t encoding; /* the latest of sweeps that it reads */
    bool wanted_due;   /* the list of open sweeps has changed since it was told */
};

struct broker {
    struct broker_setup setup;
    struct broker_counters counters;
    uint64_t now_ms;   /* of the last step */
    uint64_t began_ms; /* of the first step; 0: not yet */
    struct roster roster;
    struct lease_table leases;
    struct aggregator aggregator;
    char endpoint[MESSAGE_ENDPOINT_BYTES]; /* of the last aggregator; empty: none yet */
    uint64_t endpoint_number;              /* counts changes of the endpoint */
    bool endpoint_due;                     /* some worker may not know the endpoint */
    bool recall_due;                       /* some lease may be of a sweep that does not run */
    uint64_t listen_until_ms;              /* nothing lapses before: this process was held up; 0: never was */
    bool doubt_due;                        /* some finished sweep may have been lost by the aggregator */
    uint64_t retry_due_ms;                 /* when a block under suspicion may be lent again; UINT64_MAX: none */
    bool suspect_waits;                    /* ... and nobody is free to whom it may be lent */
    uint64_t helped_ms, help_due_ms;       /* when late leases were looked at last, and are to be next */
    bool busy;                             /* the last step had more to do than fitted its effects */
    struct ledger *sweeps;                 /* [BROKER_SWEEPS_MAX], in the order in which they came */
    uint32_t sweep_count;
    uint32_t restored;     /* the sweep that a range was restored of last */
    uint32_t turn;         /* who is asked first of those whose turn it is to be leased from */
    uint64_t pass;         /* of the sweep that was leased from last: the time of the schedule */
    struct sweep *decoded; /* scratch */
};
