/* The ledger of one sweep: which of its blocks are done, lent, parked or ready. The sweep's bytes stay
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
#define LEDGER_FAULTS_MAX      64u    /* failing ranges remembered at once; others are tried again as if new */
#define LEDGER_PARKED_MAX      64u    /* blocks; one more and the sweep fails */
#define LEDGER_ATTEMPTS        3u     /* of a block, by as many starts of workers, until it is parked */
#define LEDGER_BACKOFF_MS      200u   /* before the second attempt, twice as long before the third */
#define LEDGER_PATIENCE_MS     60000u /* then a worker may try again what has failed on it */
#define LEDGER_ASIDE_MAX       4096u  /* ranges set aside; with them `taken` still fits a set */
#define LEDGER_PASS_SCALE      1000   /* at least the largest weight, so that none is lost in rounding */
#define LEDGER_WHY_BYTES       192
#define LEDGER_REOPEN_MS       5000u /* how long the aggregator must lack blocks that are done here */
#define LEASE_TARGET_US        200000u
#define LEASE_BLOCKS_MAX       4096u
#define LEASE_AHEAD_US         1000000u /* longer blocks are not lent ahead of need */

enum fault_cause {
    FAULT_ERROR = 1, /* the worker said so */
    FAULT_CRASH,     /* the worker ended, or fell silent */
    FAULT_LAPSE      /* the worker is there and no longer names the lease */
};

/* Whom a failure is laid to. */
struct blame {
    enum fault_cause cause;
    uint64_t instance; /* of the worker */
    const char *why;   /* one line; borrowed */
};

struct fault { /* blocks under suspicion */
    struct block_range blocks;
    uint64_t instances[LEDGER_ATTEMPTS]; /* starts of workers on which they failed */
    uint32_t attempts;
    enum fault_cause cause; /* of the last */
    uint64_t due_ms;        /* not tried again before */
    char why[LEDGER_WHY_BYTES];
};

struct parked { /* a block that was given up until somebody wants it tried again */
    uint64_t block;
    uint32_t attempts;
    enum fault_cause cause;
    char why[LEDGER_WHY_BYTES];
};

struct ledger {
    struct digest sweep, population;
    bool population_kept; /* its bytes came with it, or with another sweep that names it */
    char name[MESSAGE_NAME_BYTES];
    uint32_t encoding; /* version that its bytes are written in */
    enum sweep_state state;
    uint64_t draws, scenarios, blocks;
    struct digest result; /* once it was done; another one would be a fault */
    char text[MESSAGE_TEXT_BYTES];
    uint32_t priority, weight; /* weight: at least 1 */
    char tenant[MESSAGE_NAME_BYTES];
    char owner[MESSAGE_NAME_BYTES]; /* the name of the key that submitted it; empty: it had none */
    uint32_t tenant_at;             /* the first sweep in the broker's list of that tenant */
    uint64_t pass;                  /* lent time in us / weight * LEDGER_PASS_SCALE: the smallest goes first */
    struct range_set done;          /* folded, as far as is known here */
    struct range_set taken;         /* done, lent, set aside or parked: the rest is ready for anybody */
    struct range_set aside;         /* under suspicion, to be lent again one by one */
    struct range_set single;        /* to be lent one by one, because a larger partial overlapped */
    struct range_set missing;       /* done here, not held by the aggregator, since missing_ms */
    uint64_t missing_ms;
    struct fault faults[LEDGER_FAULTS_MAX];
    uint32_t fault_count;
    struct parked parked[LEDGER_PARKED_MAX]; /* in the order in which they were given up */
    uint32_t parked_count;
    bool parked_changed;  /* since it was kept */
    uint64_t block_us;    /* moving mean of the time of a block; 0: not measured yet */
    uint32_t leases;      /* that exist */
    struct meter meter;   /* blocks that became done */
    uint64_t progress_ms; /* when the last one did, or the sweep began to run; 0: not since the broker began */
};

void ledger_open(struct ledger *ledger, const struct digest *id, const struct sweep *sweep, bool population_kept);
void ledger_close(struct ledger *ledger);

bool ledger_is_open(const struct ledger *ledger);    /* work is wanted, now or later */
uint64_t ledger_ready(const struct ledger *ledger);  /* blocks that could be lent now, or after a wait */
uint64_t ledger_leased(const struct ledger *ledger); /* blocks that are lent and not done */

/* Whether nothing is left to be done but parked blocks, of which there are some. */
bool ledger_is_stuck(const struct ledger *ledger);

/* Picks the blocks of the next lease for one of `workers` workers and takes them. ahead: the worker
 * has another lease to compute first. False: there is nothing to lend, or not ahead. */
bool ledger_take(struct ledger *ledger, size_t workers, bool ahead, struct block_range *blocks);

/* These blocks are lent no more: those not done by now are ready again. */
void ledger_return(struct ledger *ledger, struct block_range blocks);

/* Blocks are folded; *merged is the range of done blocks that they are part of now. False: no memory,
 * or too many ranges; nothing changed, and the blocks will be done again. */
bool ledger_done(struct ledger *ledger, struct block_range blocks, struct block_range *merged);

/* Time that was lent, or is given back when negative. */
void ledger_charge(struct ledger *ledger, int64_t lent_us);

/* What a block is expected to take, for want of better as long as a lease should. */
uint64_t ledger_expected_us(const struct ledger *ledger);

/* A measured time for `count` blocks. */
void ledger_measure(struct ledger *ledger, uint64_t count, uint64_t compute_us);

/* Counts a failure of blocks that are not lent any more, and sets those that are not done aside, to be
 * lent one by one. A block that has failed LEDGER_ATTEMPTS times is parked. again: the start of a worker
 * that it has failed on before counts too, since no other is here. False: more blocks fail than can be
 * parked; the sweep is FAILED, and its text says why. */
bool ledger_fault(struct ledger *ledger, struct block_range blocks, const struct blame *blame, bool again,
                  uint64_t now_ms);

/* The block of this fault that could be lent now. False: none, or not yet. */
bool ledger_suspect(const struct ledger *ledger, const struct fault *fault, uint64_t now_ms, uint64_t *block);
bool ledger_take_suspect(struct ledger *ledger, uint64_t block); /* false: no memory */

/* The failures that these blocks have had, or NULL. */
const struct fault *ledger_find_fault(const struct ledger *ledger, struct block_range blocks);
bool fault_met(const struct fault *fault, uint64_t instance); /* it failed on this start of a worker */

/* Parks a block that was parked when it was kept. False: there is no room, or no such block. */
bool ledger_restore_parked(struct ledger *ledger, const struct parked *parked);

/* Every parked block is ready again, and as good as new. */
void ledger_retry(struct ledger *ledger);

/* One line on the parked blocks, which names as many as fit; empty when there are none. */
void ledger_describe_parked(const struct ledger *ledger, char *text, size_t text_bytes);

/* Blocks are to be lent one by one. */
void ledger_split(struct ledger *ledger, struct block_range blocks);

/* Runs a sweep again that failed, stalled, was cancelled or is done. What is done of it stays done. */
void ledger_reopen(struct ledger *ledger);

/* Of the blocks before `told` the aggregator holds exactly these, in ascending order. Blocks that are done
 * here and that it has lacked for LEDGER_REOPEN_MS are no longer done. True: there were such, and the
 * caller says of each lease, by ledger_retake, that its blocks are still lent. */
bool ledger_reconcile(struct ledger *ledger, const struct block_range *held, size_t count, uint64_t told,
                      uint64_t now_ms);
void ledger_retake(struct ledger *ledger, struct block_range blocks);
