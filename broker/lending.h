/* Lending: which blocks go to which worker next, how leases end, and whom a failure is laid to. Only for the
 * files of the core. */
#pragma once

#include "step.h"

/* Ends a lease: what is not done of it is ready again. */
void lending_end(struct broker *broker, struct lease *lease);
void lending_end_all(struct broker *broker, struct worker *worker);

/* The lease with that token if this worker has it, or NULL. */
struct lease *lending_find(const struct broker *broker, const struct worker *worker, uint64_t token);

/* Blocks that nobody has any more have failed. */
void lending_blame(const struct step *step, struct ledger *ledger, struct block_range blocks,
                   const struct blame *blame);

/* Ends a lease whose worker gave no answer. */
void lending_lose(const struct step *step, struct lease *lease, enum fault_cause cause);

/* Leases of sweeps that no longer run end, and their workers are told to drop them. */
void lending_withdraw(const struct step *step);

/* Lends what can be lent, as far as the effects have room. */
void lending_lend(const struct step *step);
