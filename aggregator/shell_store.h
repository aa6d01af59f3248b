/* The aggregator's store on disk: sweeps, populations and the nodes held of each sweep, in SQLite (WAL,
 * synchronous=FULL). Changes gather in one transaction until store_commit, which returns once they are on
 * disk. Every row has a checksum, verified when it is read. A damaged row is never overwritten or
 * removed: it moves to table `aside` with the reason, and whoever opens the store is told which. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>

#include "bytes.h"
#include "database.h"
#include "fold.h"
#include "witness.h"

struct store;

enum store_read {
    STORE_FOUND,
    STORE_MISSING,
    STORE_DAMAGED, /* store_why names table and key */
    STORE_FAILED   /* store_why says what SQLite or the system said */
};

/* Opens or makes aggregator.db in an existing folder, which no other process may have open. NULL: `why`
 * holds one line. */
struct store *store_open(const char *folder, char *why, size_t why_bytes);

/* Opens a store that nobody uses to look at it: store_load then tells of damage in every row and sets nothing
 * aside, and nothing in the folder changes. NULL: `why` holds one line; *damaged: because of what is in the
 * files, and not because the store is in use or not there. */
struct store *store_inspect(const char *folder, bool *damaged, char *why, size_t why_bytes);

/* SQLite's own check of the file; tells of each fault and returns how many. */
size_t store_check(struct store *store, database_tell *tell, void *context);

void store_close(struct store *store); /* drops what was not committed */

/* One line on the last failure or damage. Borrowed, until the next call. */
const char *store_why(const struct store *store);

/* Changes. False: they failed, and the store is to be closed: what was committed before is safe. A node
 * that is there already, and one that is not there to be deleted, are failures: nothing is counted twice. */
bool store_put_sweep(struct store *store, const struct digest *sweep, const struct digest *population,
                     struct span bytes);
bool store_put_population(struct store *store, const struct digest *population, struct span bytes);
bool store_put_result(struct store *store, const struct digest *sweep, const struct digest *result); /* zero: none */
bool store_put_node(struct store *store, const struct digest *sweep, struct fold_place place, struct span bytes);
bool store_delete_node(struct store *store, const struct digest *sweep, struct fold_place place);
bool store_delete_others(struct store *store, const struct digest *sweep, struct fold_place place); /* all but one */
bool store_set_aside_node(struct store *store, const struct digest *sweep, struct fold_place place, const char *why);

/* True: everything since the last commit is on disk. True at once when there is nothing. */
bool store_commit(struct store *store);
uint64_t store_commits(const struct store *store); /* ever made to this store */

uint64_t store_identity(const struct store *store); /* drawn at random when it was made */

/* What is known of the broker's journal. What the caller changes is written with the next commit;
 * store_keep_witness makes sure that there is one. False: the disk refused. */
struct witness *store_witness(struct store *store);
bool store_keep_witness(struct store *store);

/* Reads; *out is replaced. */
enum store_read store_get_sweep(struct store *store, const struct digest *sweep, struct buffer *out);
enum store_read store_get_population(struct store *store, const struct digest *population, struct buffer *out);
enum store_read store_get_node(struct store *store, const struct digest *sweep, struct fold_place place,
                               struct buffer *out);

/* What a store tells when it is opened. Every call may answer false: the row then is set aside with the
 * text in `why`. */
struct store_visitor {
    void *context;
    /* result is zero when there is none; population_held: its bytes are in the store, undamaged */
    bool (*sweep)(void *context, const struct digest *sweep, const struct digest *population, bool population_held,
                  const struct digest *result, struct span bytes, const char **why);
    bool (*node)(void *context, const struct digest *sweep, struct fold_place place, const char **why);
    void (*damage)(void *context, const char *what); /* a row was set aside: table, key, reason */
};

/* Walks all sweeps, each followed by its nodes. Populations are verified, and the nodes of sweeps that
 * have no result yet; other nodes are verified when they are read. Pages and indexes of a file up to 256 MiB
 * are checked first, since what is lost there has no row that could tell. Commits what it set aside. */
bool store_load(struct store *store, const struct store_visitor *visitor);
