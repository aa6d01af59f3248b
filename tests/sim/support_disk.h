/* A disk with one table of rows. Changes show at once to whoever made them and are undone by a crash,
 * unless disk_commit came between: all changes since the last commit become durable together, or none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "digest.h"
#include "witness.h"

struct disk_key {
    uint32_t table;
    struct digest id;
    uint64_t a, b;
};

struct disk_row {
    struct disk_key key;
    struct buffer value;
    bool damaged; /* reads fail */
    struct disk_row *next;
};

struct disk_change {
    struct disk_key key;
    struct buffer before; /* what stood there, unless `absent` */
    bool absent, damaged;
};

#define DISK_SLOTS  256u
#define DISK_TABLES 8u

struct disk {
    struct disk_row *slots[DISK_SLOTS]; /* owned */
    struct disk_change *log;            /* owned: changes since the last commit, oldest first */
    size_t log_count, log_capacity;
    size_t rows[DISK_TABLES];             /* of each table */
    bool full;                            /* changes and commits fail */
    uint64_t identity, commits;           /* of the store; identity 0: not made yet */
    struct witness witness, witness_kept; /* of the other server's store: now, and at the last commit */
};

/* What is durable on one disk takes the place of all that is on another: a backup, or its return. */
void disk_copy(struct disk *to, const struct disk *from);

void disk_free(struct disk *disk); /* leaves it empty: a lost store */

/* NULL: no such row. Borrowed until the next change. */
struct disk_row *disk_find(const struct disk *disk, const struct disk_key *key);

/* False: the disk is full. */
bool disk_put(struct disk *disk, const struct disk_key *key, struct span value);
bool disk_drop(struct disk *disk, const struct disk_key *key); /* false also: no such row */

/* False: the disk is full, and the changes wait on. */
bool disk_commit(struct disk *disk);
void disk_undo(struct disk *disk); /* back to the last commit */

/* Calls `visit` for every row of the table, in no order; `visit` may drop the row it is given. */
void disk_each(struct disk *disk, uint32_t table, void (*visit)(void *context, struct disk_row *row), void *context);

bool disk_key_equal(const struct disk_key *a, const struct disk_key *b);
