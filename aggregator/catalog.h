/* The sweeps an aggregator knows, ascending by identity. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>
#include <goldthread/sweep.h>

#include "fold.h"

enum entry_stage {
    ENTRY_NAMED,  /* somebody named it; its bytes are asked of the broker */
    ENTRY_READ,   /* on disk; its population is asked of the broker */
    ENTRY_READY,  /* nodes can be taken in */
    ENTRY_REFUSED /* the broker's bytes are no sweep that we can read: `why` */
};

/* What the core needs to know of what a sweep says. */
struct facts {
    uint64_t blocks;
    uint64_t full_blocks; /* those of as many draws as a block may have: all, or all but the last */
    uint32_t first_level; /* of the stop rule's checkpoints, or FOLD_NO_RULE */
    struct digest family; /* sweep_family: with whom it shares blocks; zero: nobody */
    struct sweep_stop rule;
};

/* `*sweep` is changed meanwhile. */
struct facts facts_of(struct sweep *sweep);

struct entry {
    struct digest sweep, population;
    struct facts facts;   /* once READ */
    struct digest result; /* of the table, once every block is in; zero before */
    enum entry_stage stage;
    const char *why;                                   /* REFUSED: a constant string */
    bool wanted;                                       /* open at the broker */
    bool adopts;                                       /* once it can: takes over what its family holds */
    bool complete;                                     /* result is on disk */
    uint64_t work_due_ms;                              /* when table or check may be tried; 0: now */
    uint64_t work_wait_ms;                             /* ... after it failed; 0: it has not */
    uint64_t asked_until_ms;                           /* somebody needs it until then */
    uint64_t fetch_due_ms, reported_ms, report_due_ms; /* UINT64_MAX: not due */
    struct fold fold;                                  /* once READ */
};

struct catalog {
    struct entry *entries; /* owned */
    size_t count, capacity, limit;
};

void catalog_init(struct catalog *catalog, size_t limit);
void catalog_free(struct catalog *catalog);

/* NULL: not there. Entries move when one is added or removed. */
struct entry *catalog_find(const struct catalog *catalog, const struct digest *sweep);

/* A new entry, NAMED and with nothing due. NULL: the limit is reached, or out of memory. Asserts that it
 * is not there yet. */
struct entry *catalog_add(struct catalog *catalog, const struct digest *sweep);
void catalog_remove(struct catalog *catalog, struct entry *entry);

bool catalog_is_sound(const struct catalog *catalog);
