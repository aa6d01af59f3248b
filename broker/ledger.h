/* The ledger of one sweep: which of its blocks are done, lent, failed or ready. The sweep's bytes stay
 * in the journal; here are only the few numbers that the broker decides by. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/sweep.h>

#include "message.h"
#include "meter.h"
#include "range.h"

#define LEDGER_DONE_RANGES_MAX 24576u /* with every lease out, `taken` still fits a set */
#define LEDGER_FAULTS_MAX      64u    /* failing ranges remembered at once; one more and the sweep fails */
#define LEDGER_ATTEMPTS        3u     /* of a range that ends in an error */
#define LEDGER_REOPEN_MS       5000u  /* how long the aggregator must lack blocks that are done here */
#define LEASE_TARGET_US        200000u
#define LEASE_BLOCKS_MAX       4096u
#define LEASE_AHEAD_US         1000000u /* longer blocks are not lent ahead of need */

struct fault {
    struct block_range blocks;
    uint32_t attempts;
};

struct ledger {
    struct digest sweep, population;
    bool population_kept; /* its bytes came with the sweep */
    char name[MESSAGE_NAME_BYTES];
    enum sweep_state state;
    uint64_t draws, scenarios, blocks;
    struct digest result; /* once it was done; another one would be a fault */
    char text[MESSAGE_TEXT_BYTES];
    struct range_set done;    /* folded, as far as is known here */
    struct range_set taken;   /* done or lent: the rest is ready */
    uint64_t failed;          /* blocks that ended the sweep, neither done nor lent */
    struct range_set single;  /* to be lent one by one, because a larger partial overlapped */
    struct range_set missing; /* done here, not held by the aggregator, since missing_ms */
    uint64_t missing_ms;
    bool report_goes_on; /* the aggregator's report did not fit one message */
    struct fault faults[LEDGER_FAULTS_MAX];
    uint32_t fault_count;
    uint64_t block_us;    /* moving mean of the time of a block; 0: not measured yet */
    uint32_t leases;      /* that exist */
    struct meter meter;   /* blocks that became done */
    uint64_t progress_ms; /* when the last one did, or the sweep began to run; 0: not since the broker began */
};

void ledger_open(struct ledger *ledger, const struct digest *id, const struct sweep *sweep, bool population_kept);
void ledger_close(struct ledger *ledger);

bool ledger_is_open(const struct ledger *ledger);   /* work is wanted, now or after a pause */
uint64_t ledger_ready(const struct ledger *ledger); /* blocks that could be lent now */

/* Picks the blocks of the next lease for one of `workers` workers and takes them. ahead: the worker
 * has another lease to compute first. False: there is nothing to lend, or not ahead. */
bool ledger_take(struct ledger *ledger, size_t workers, bool ahead, struct block_range *blocks);

/* Ends a lease of these blocks: those not done by now are ready again. */
void ledger_return(struct ledger *ledger, struct block_range blocks);

/* Blocks are folded; *merged is the range of done blocks that they are part of now. False: no memory,
 * or too many ranges; nothing changed, and the blocks will be done again. */
bool ledger_done(struct ledger *ledger, struct block_range blocks, struct block_range *merged);

/* A measured time for `count` blocks. */
void ledger_measure(struct ledger *ledger, uint64_t count, uint64_t compute_us);

/* Counts an error of blocks that are not lent any more. False: that was the last attempt. The sweep is
 * FAILED then, with the text. */
bool ledger_fault(struct ledger *ledger, struct block_range blocks, const char *text);

/* Blocks are to be lent one by one. */
void ledger_split(struct ledger *ledger, struct block_range blocks);

/* Runs a sweep again that failed, was cancelled or is done. What is done of it stays done. */
void ledger_reopen(struct ledger *ledger);

/* The aggregator holds exactly these blocks, in ascending order. Blocks that are done here and that it
 * has lacked for LEDGER_REOPEN_MS are no longer done. True: there were such, and the caller says of
 * each lease, by ledger_retake, that its blocks are still lent. */
bool ledger_reconcile(struct ledger *ledger, const struct block_range *held, size_t count, uint64_t now_ms);
void ledger_retake(struct ledger *ledger, struct block_range blocks);
