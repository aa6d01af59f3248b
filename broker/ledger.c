#include "ledger.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lease.h"

#define MEASURE_WEIGHT 8                     /* a new measurement moves the mean by one in so many */
#define BLOCK_US_MAX   UINT64_C(86400000000) /* a day: more than that is a broken clock */

void ledger_open(struct ledger *ledger, const struct digest *id, const struct sweep *sweep, bool population_kept)
{
    *ledger = (struct ledger){.sweep = *id,
                              .population = sweep->population,
                              .population_kept = population_kept,
                              .state = SWEEP_RUNNING,
                              .draws = sweep->draws,
                              .scenarios = sweep->scenario_count,
                              .blocks = sweep_block_count(sweep)};
    snprintf(ledger->name, sizeof ledger->name, "%s", sweep->name);
}

void ledger_close(struct ledger *ledger)
{
    range_free(&ledger->done);
    range_free(&ledger->taken);
    range_free(&ledger->single);
    range_free(&ledger->missing);
}

bool ledger_is_open(const struct ledger *ledger)
{
    return ledger->state == SWEEP_RUNNING || ledger->state == SWEEP_PAUSED;
}

uint64_t ledger_ready(const struct ledger *ledger)
{
    return ledger->state == SWEEP_RUNNING ? ledger->blocks - ledger->taken.total : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t power_of_two_within(uint64_t count)
{
    uint64_t power = 1;
    while (power * 2 <= count) power *= 2;
    return power;
}

/* Whole milliseconds of work, but never so much that others stand idle at the end of the sweep. */
static uint64_t lease_blocks(const struct ledger *ledger, size_t workers)
{
    if (ledger->block_us == 0) return 1;
    const uint64_t fair = ledger_ready(ledger) / (2 * workers);
    const uint64_t count = smaller(smaller(LEASE_TARGET_US / ledger->block_us, LEASE_BLOCKS_MAX), fair);
    return power_of_two_within(count);
}

/* Ends at a multiple of `size`, so that later leases are whole subtrees of the fold. */
static struct block_range align(struct block_range gap, uint64_t size)
{
    const uint64_t end = (gap.first / size + 1) * size;
    return (struct block_range){gap.first, smaller(end - gap.first, gap.count)};
}

/* Long blocks would wait behind others while a worker that comes later has nothing to do. */
static bool lends_ahead(const struct ledger *ledger, size_t workers)
{
    if (ledger->block_us == 0) return ledger_ready(ledger) >= 4 * workers;
    return ledger->block_us < LEASE_AHEAD_US;
}

/* What `taken` can come to while every lease is out, so that giving blocks back needs no memory. */
static bool reserve_taken(struct ledger *ledger)
{
    return range_reserve(&ledger->taken, ledger->done.count + ledger->leases + 4);
}

bool ledger_take(struct ledger *ledger, size_t workers, bool ahead, struct block_range *blocks)
{
    assert(workers > 0);
    struct block_range gap;
    if (ledger_ready(ledger) == 0 || (ahead && !lends_ahead(ledger, workers))) return false;
    if (!range_gap(&ledger->taken, (struct block_range){0, ledger->blocks}, &gap) || !reserve_taken(ledger))
        return false;
    *blocks = align(gap, lease_blocks(ledger, workers));
    if (range_overlap(&ledger->single, *blocks) > 0) blocks->count = 1;
    ledger->leases++;
    return range_add(&ledger->taken, *blocks);
}

void ledger_return(struct ledger *ledger, struct block_range blocks)
{
    struct block_range gap, rest = blocks;
    ledger->leases--;
    while (rest.count > 0 && range_gap(&ledger->done, rest, &gap)) {
        const bool removed = range_remove(&ledger->taken, gap);
        assert(removed && "room was reserved when the blocks were taken");
        (void)removed;
        rest = (struct block_range){range_end(gap), range_end(blocks) - range_end(gap)};
    }
}

/* Whether adding the blocks makes no new range: they meet or touch one. */
static bool joins(const struct range_set *set, struct block_range blocks)
{
    const uint64_t before = blocks.first > 0;
    return range_overlap(set, (struct block_range){blocks.first - before, before + blocks.count + 1}) > 0;
}

bool ledger_done(struct ledger *ledger, struct block_range blocks, struct block_range *merged)
{
    if (ledger->done.count >= LEDGER_DONE_RANGES_MAX && !joins(&ledger->done, blocks)) return false;
    if (!reserve_taken(ledger)) return false;
    if (!range_add(&ledger->done, blocks)) return false;
    range_add(&ledger->taken, blocks);
    range_remove(&ledger->single, blocks); /* only advice: what stays for want of memory does no harm */
    return range_around(&ledger->done, blocks.first, merged);
}

void ledger_measure(struct ledger *ledger, uint64_t count, uint64_t compute_us)
{
    const uint64_t block_us = smaller(compute_us, BLOCK_US_MAX) / count + 1;
    if (ledger->block_us == 0) ledger->block_us = block_us;
    else ledger->block_us = (ledger->block_us * (MEASURE_WEIGHT - 1) + block_us) / MEASURE_WEIGHT;
}

/* The attempts at a range that meets this one. NULL: none is remembered, and no room is left. */
static struct fault *find_fault(struct ledger *ledger, struct block_range blocks)
{
    for (uint32_t at = 0; at < ledger->fault_count; at++) {
        struct fault *fault = &ledger->faults[at];
        if (fault->blocks.first < range_end(blocks) && blocks.first < range_end(fault->blocks)) return fault;
    }
    if (ledger->fault_count == LEDGER_FAULTS_MAX) return NULL;
    struct fault *fault = &ledger->faults[ledger->fault_count++];
    *fault = (struct fault){.blocks = blocks};
    return fault;
}

bool ledger_fault(struct ledger *ledger, struct block_range blocks, const char *text)
{
    struct fault *fault = find_fault(ledger, blocks);
    if (fault != NULL && ++fault->attempts < LEDGER_ATTEMPTS) return true;
    ledger->state = SWEEP_FAILED;
    ledger->failed = blocks.count - range_overlap(&ledger->taken, blocks);
    snprintf(ledger->text, sizeof ledger->text, "%s", text);
    return false;
}

void ledger_split(struct ledger *ledger, struct block_range blocks)
{
    range_add(&ledger->single, blocks);
}

void ledger_reopen(struct ledger *ledger)
{
    ledger->state = SWEEP_RUNNING;
    ledger->failed = 0;
    ledger->fault_count = 0;
    ledger->text[0] = 0;
}

/* lacking = done - held. False: no memory. */
static bool find_lacking(const struct range_set *done, const struct range_set *held, struct range_set *lacking)
{
    for (size_t at = 0; at < done->count; at++) {
        struct block_range gap, rest = done->items[at];
        while (rest.count > 0 && range_gap(held, rest, &gap)) {
            if (!range_add(lacking, gap)) return false;
            rest = (struct block_range){range_end(gap), range_end(rest) - range_end(gap)};
        }
    }
    return true;
}

/* Takes out of done what is in both sets. */
static bool remove_common(struct range_set *done, const struct range_set *missing, const struct range_set *lacking)
{
    const uint64_t before = done->total;
    for (size_t at = 0; at < lacking->count; at++) {
        struct block_range gap, rest = lacking->items[at];
        while (rest.count > 0) {
            const uint64_t end = range_end(rest);
            if (!range_gap(missing, rest, &gap)) gap = (struct block_range){end, 0};
            if (gap.first > rest.first) range_remove(done, (struct block_range){rest.first, gap.first - rest.first});
            rest = (struct block_range){range_end(gap), end - range_end(gap)};
        }
    }
    return done->total < before;
}

/* A block may be folded after the aggregator wrote its report and before the report is read here, so
 * only blocks that two reports some time apart lack are lost. */
static bool reopen_lost(struct ledger *ledger, struct range_set *lacking, uint64_t now_ms)
{
    const bool waited = ledger->missing.count > 0 && now_ms >= ledger->missing_ms + LEDGER_REOPEN_MS;
    if (lacking->count > 0 && ledger->missing.count > 0 && !waited) return false;
    const bool lost = waited && remove_common(&ledger->done, &ledger->missing, lacking);
    const struct range_set old = ledger->missing;
    ledger->missing = *lacking;
    ledger->missing_ms = now_ms;
    *lacking = old;
    return lost;
}

bool ledger_reconcile(struct ledger *ledger, const struct block_range *held, size_t count, uint64_t now_ms)
{
    struct range_set there = {0}, lacking = {0};
    bool lost = false, known = range_reserve(&there, count);
    for (size_t at = 0; at < count && known; at++) known = range_add(&there, held[at]);
    if (known && find_lacking(&ledger->done, &there, &lacking)) lost = reopen_lost(ledger, &lacking, now_ms);
    if (lost) {
        range_clear(&ledger->missing);
        range_clear(&ledger->taken);
        for (size_t at = 0; at < ledger->done.count; at++) ledger_retake(ledger, ledger->done.items[at]);
    }
    range_free(&there);
    range_free(&lacking);
    return lost;
}

void ledger_retake(struct ledger *ledger, struct block_range blocks)
{
    const bool taken = reserve_taken(ledger) && range_add(&ledger->taken, blocks);
    assert(taken && "room was reserved when the blocks were first taken");
    (void)taken;
}
