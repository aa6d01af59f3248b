/* Leases: blocks lent to workers, and when each is due back. Pure state: time is passed in (monotonic
 * milliseconds). All leases run for the same time, so the one renewed longest ago is due first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"
#include "message.h"

#define LEASES_MAX 32768u /* two for each worker of a full roster */

struct lease {
    uint64_t token; /* unique per grant, so that a late answer cannot pass for a new one; 0: a free slot */
    uint64_t due_ms;
    uint64_t granted_ms;
    uint64_t moved_ms; /* when blocks of it were last reported done, or it was granted */
    uint64_t twin;     /* the other lease of these blocks, or of some of them; 0: none */
    uint32_t copies;   /* how often they were lent beside the first lease of them, at most LENDING_COPIES_MAX */
    bool recalled;     /* its worker was asked for what is not begun */
    uint32_t worker;   /* slot in the roster */
    uint32_t sweep;    /* place in the broker's list */
    uint64_t each_us;  /* what a block was expected to take */
    struct block_range blocks;
};

struct lease_table {
    struct lease *slots; /* owned, [LEASES_MAX] */
    struct link *links;  /* owned */
    struct line due, unused;
    uint64_t serial; /* of the next grant */
    size_t count;
};

/* Tokens begin at a number drawn from `seed`, so that those of an earlier process are not met again.
 * False: out of memory. */
bool lease_open(struct lease_table *table, uint64_t seed);
void lease_close(struct lease_table *table);

/* Lends blocks. NULL: every slot is in use. The lease is valid until it ends. */
struct lease *lease_grant(struct lease_table *table, uint32_t worker, uint32_t sweep, struct block_range blocks,
                          uint64_t due_ms);

/* The lease with this token, or NULL: it ended. */
struct lease *lease_find(const struct lease_table *table, uint64_t token);

void lease_renew(struct lease_table *table, struct lease *lease, uint64_t due_ms);
void lease_end(struct lease_table *table, struct lease *lease);

/* The lease that is due first, or NULL. */
struct lease *lease_first(const struct lease_table *table);

/* The lease due behind this one, or NULL. */
struct lease *lease_next(const struct lease_table *table, const struct lease *lease);
