/* The journal: what the broker must not forget, in an SQLite database DIR/broker.db. Accepted sweeps and
 * their populations, the state of each, and which blocks are done, as ranges. Every row can be checked;
 * a damaged one is named and left as it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker.h"
#include "bytes.h"
#include "database.h"
#include "witness.h"

struct journal;

/* Makes the directory when it is not there, and locks it for this process. NULL: `why` holds one line. */
struct journal *journal_open(const char *directory, char *why, size_t why_bytes);

/* Closes; what was not committed is dropped, since it may be half of what belongs together. */
void journal_close(struct journal *journal);

/* Puts everything back that was kept; damaged rows are logged and left out. False: the database cannot
 * be read; `why` holds one line. */
bool journal_restore(struct journal *journal, struct broker *broker, char *why, size_t why_bytes);

/* Carries out one BROKER_KEEP_ effect in the open transaction. False: the disk refused; nothing more
 * may be told to anybody. */
bool journal_keep(struct journal *journal, const struct broker *broker, const struct broker_effect *effect);

/* Commits what was kept since the last time. On true it is on disk. */
bool journal_commit(struct journal *journal);

/* This journal's identity, drawn when it was made, and the commits ever made to it. */
uint64_t journal_store(const struct journal *journal);
uint64_t journal_commits(const struct journal *journal);

/* What is known of the aggregator's store. What the caller changes is written with the next commit;
 * journal_keep_witness makes sure that there is one. False: the disk refused. */
struct witness *journal_witness(struct journal *journal);
bool journal_keep_witness(struct journal *journal);

bool journal_has_changes(const struct journal *journal);
const char *journal_error(const struct journal *journal);

/* The bytes of a sweep or population, checked against its digest. False: not here, or damaged. *bytes is
 * borrowed until the next call. */
bool journal_item(struct journal *journal, enum message_item item, const struct digest *digest, struct span *bytes);

/* What a journal says of itself. */
struct journal_summary {
    uint64_t store, commits, sweeps, blocks; /* blocks: that are done */
    struct witness witness;                  /* of the aggregator's store */
};

/* Looks at every row of a journal that no broker uses, and changes nothing. One line per damage goes to
 * `tell`. Returns how many there were; -1: it cannot be looked at, and `why` holds one line. */
int64_t journal_verify(const char *directory, database_tell *tell, void *context, struct journal_summary *summary,
                       char *why, size_t why_bytes);
