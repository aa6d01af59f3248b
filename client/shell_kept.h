/* What runs keep for later ones: the aggregator's store of a family of sweeps, so that the same file with more
 * draws computes only the new ones. Kept are the last KEPT_MAX, of KEPT_BYTES together. */
#pragma once

#include <stdbool.h>

#include <goldthread/digest.h>

#define KEPT_MAX   16
#define KEPT_BYTES (UINT64_C(1) << 30)

/* Makes the folder of a state fit for a sweep: what another version of the programs left goes, and the journal of
 * another sweep, which nobody asks for any more. */
void kept_open(const char *folder, const struct digest *sweep);

/* After success: only the store stays, and is marked as kept. */
void kept_settle(const char *folder);

/* Removes what is kept beyond the bounds beside this folder and in it, the oldest first. What is in use, or was
 * interrupted, stays. */
void kept_prune(const char *folder);
