/* Why a sweep is not further on, in one line for people. Pure: only reads the broker's state. */
#pragma once

#include <stddef.h>

#include "state.h"

/* Writes the first that holds: it has ended; it is paused; it is stalled; no aggregator, or one that cannot
 * read it; no workers, or none that reads it or takes blocks; its turn has not come; every block is done and not yet
 * reported complete; what failed waits to be tried again; it waits for what is lent; it progresses. Cut to text_bytes,
 * of which there is at least one; without control characters. The ledger is one of the broker's. Looks at every worker:
 * not for a hot path. */
void explain_sweep(const struct broker *broker, const struct ledger *ledger, char *text, size_t text_bytes);
