/* Lending: which blocks go to which worker next, how leases end, and whom a failure is laid to. Only for the
 * files of the core. */
#pragma once

#include "step.h"

/* When others stand idle: what is not begun of a lease is called back after so many times as long as its
 * blocks should take, and it is lent once more after so many; both not before so many ms. */
#define LENDING_RECALL_TIMES  2u
#define LENDING_RECALL_MS     1000u
#define LENDING_COPY_TIMES    4u
#define LENDING_COPY_MS       2000u
#define LENDING_UNMEASURED_MS 10000u /* ... while no block of the sweep has been measured */
#define LENDING_COPIES_MAX    3u     /* then a late copy keeps its blocks, and one that is lost counts as a failure */
#define LENDING_LOOK_MS       250u   /* how often late leases are looked for at most */

/* Ends a lease: what is not done of it is ready again. */
void lending_end(struct broker *broker, struct lease *lease);
void lending_end_all(struct broker *broker, struct worker *worker);

/* The lease with that token if this worker has it, or NULL. */
struct lease *lending_find(const struct broker *broker, const struct worker *worker, uint64_t token);

/* Blocks that nobody has any more have failed. */
void lending_blame(const struct step *step, struct ledger *ledger, struct block_range blocks,
                   const struct blame *blame);

/* Whether an older worker, or the older aggregator that is here, can read this sweep at all. */
bool lending_worker_reads(const struct worker *worker, const struct ledger *ledger);
bool lending_aggregator_reads(const struct broker *broker, const struct ledger *ledger);

/* A worker cannot compute this sweep and is lent none of it for a while. False: nobody else can either, and the
 * blocks have failed. */
bool lending_spare(const struct step *step, struct worker *worker, const struct ledger *ledger);

/* Ends a lease whose worker gave no answer. Nobody is blamed while its twin goes on, but for the last copy. */
void lending_lose(const struct step *step, struct lease *lease, enum fault_cause cause);

/* Some blocks of this lease were reported done by its worker: it ends with the last of them, and so does the
 * other lease of these blocks, whose worker is told to drop them. */
void lending_settle(const struct step *step, struct lease *lease);

/* The other lease of these blocks, if any, is of no use any more. */
void lending_end_twin(const struct step *step, const struct lease *lease);

/* The last `count` blocks of a lease came back, not begun. */
void lending_shorten(const struct step *step, struct lease *lease, uint64_t count);

/* Leases of sweeps that no longer run end, and their workers are told to drop them. */
void lending_withdraw(const struct step *step);

/* Lends what can be lent, and calls back or lends again what is late, as far as the effects have room. */
void lending_lend(const struct step *step);
