#include "ledger.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lease.h"
#include "sweep_codec.h"

#define MEASURE_WEIGHT 8                     /* a new measurement moves the mean by one in so many */
#define BLOCK_US_MAX   UINT64_C(86400000000) /* a day: more than that is a broken clock */

void ledger_open(struct ledger *ledger, const struct digest *id, const struct sweep *sweep, bool population_kept)
{
    *ledger = (struct ledger){.sweep = *id,
                              .population = sweep->population,
                              .population_kept = population_kept,
                              .encoding = sweep_encoding(sweep),
                              .state = SWEEP_RUNNING,
                              .weight = 1,
                              .draws = sweep->draws,
                              .scenarios = sweep->scenario_count,
                              .blocks = sweep_block_count(sweep)};
    snprintf(ledger->name, sizeof ledger->name, "%s", sweep->name);
}

void ledger_close(struct ledger *ledger)
{
    range_free(&ledger->done);
    range_free(&ledger->taken);
    range_free(&ledger->aside);
    range_free(&ledger->single);
    range_free(&ledger->missing);
}

bool ledger_is_open(const struct ledger *ledger)
{
    return ledger->state == SWEEP_RUNNING || ledger->state == SWEEP_PAUSED || ledger->state == SWEEP_STALLED;
}

uint64_t ledger_ready(const struct ledger *ledger)
{
    return ledger->state == SWEEP_RUNNING ? ledger->blocks - ledger->taken.total + ledger->aside.total : 0;
}

uint64_t ledger_leased(const struct ledger *ledger)
{
    return ledger->taken.total - ledger->done.total - ledger->aside.total - ledger->parked_count;
}

bool ledger_is_stuck(const struct ledger *ledger)
{
    return ledger->parked_count > 0 && ledger->done.total + ledger->parked_count == ledger->blocks;
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
    return range_reserve(&ledger->taken,
                         ledger->done.count + ledger->leases + ledger->aside.count + ledger->parked_count + 8);
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

/* Takes those of the blocks that are ready out of the common run. Those that there is no memory for stay. */
static void set_aside(struct ledger *ledger, struct block_range blocks)
{
    struct block_range gap, rest = blocks;
    while (rest.count > 0 && range_gap(&ledger->taken, rest, &gap)) {
        if (ledger->aside.count >= LEDGER_ASIDE_MAX || !range_add(&ledger->aside, gap)) return;
        if (!reserve_taken(ledger) || !range_add(&ledger->taken, gap)) {
            range_remove(&ledger->aside, gap);
            return;
        }
        rest = (struct block_range){range_end(gap), range_end(blocks) - range_end(gap)};
    }
}

void ledger_return(struct ledger *ledger, struct block_range blocks)
{
    struct block_range gap, rest = blocks;
    while (rest.count > 0 && range_gap(&ledger->done, rest, &gap)) {
        const bool removed = range_remove(&ledger->taken, gap);
        assert(removed && "room was reserved when the blocks were taken");
        (void)removed;
        rest = (struct block_range){range_end(gap), range_end(blocks) - range_end(gap)};
        for (uint32_t at = 0; at < ledger->fault_count; at++)
            set_aside(ledger, range_common(gap, ledger->faults[at].blocks));
    }
}

/* Whether adding the blocks makes no new range: they meet or touch one. */
static bool joins(const struct range_set *set, struct block_range blocks)
{
    const uint64_t before = blocks.first > 0;
    return range_overlap(set, (struct block_range){blocks.first - before, before + blocks.count + 1}) > 0;
}

static void drop_fault(struct ledger *ledger, uint32_t at)
{
    ledger->faults[at] = ledger->faults[--ledger->fault_count];
}

static uint64_t count_parked(const struct ledger *ledger, struct block_range blocks)
{
    uint64_t count = 0;
    for (uint32_t at = 0; at < ledger->parked_count; at++)
        count += range_common(blocks, (struct block_range){ledger->parked[at].block, 1}).count;
    return count;
}

/* Blocks that are done have not failed. The memory is there. */
static void clear_suspicion(struct ledger *ledger, struct block_range blocks)
{
    uint32_t kept = 0;
    range_remove(&ledger->aside, blocks);
    for (uint32_t at = ledger->fault_count; at-- > 0;) {
        const struct block_range suspects = ledger->faults[at].blocks;
        if (range_overlap(&ledger->done, suspects) + count_parked(ledger, suspects) >= suspects.count)
            drop_fault(ledger, at);
    }
    for (uint32_t at = 0; at < ledger->parked_count; at++)
        if (range_overlap(&ledger->done, (struct block_range){ledger->parked[at].block, 1}) == 0)
            ledger->parked[kept++] = ledger->parked[at];
    ledger->parked_changed |= kept != ledger->parked_count;
    ledger->parked_count = kept;
}

bool ledger_done(struct ledger *ledger, struct block_range blocks, struct block_range *merged)
{
    /* Taking the blocks out of the middle of what is set aside must not fail. */
    if (ledger->aside.count > 0 && !range_reserve(&ledger->aside, ledger->aside.count + 1)) return false;
    if (ledger->done.count >= LEDGER_DONE_RANGES_MAX && !joins(&ledger->done, blocks)) return false;
    if (!reserve_taken(ledger)) return false;
    if (!range_add(&ledger->done, blocks)) return false;
    range_add(&ledger->taken, blocks);
    range_remove(&ledger->single, blocks); /* only advice: what stays for want of memory does no harm */
    clear_suspicion(ledger, blocks);
    return range_around(&ledger->done, blocks.first, merged);
}

void ledger_charge(struct ledger *ledger, int64_t lent_us)
{
    const uint64_t size = lent_us < 0 ? 0 - (uint64_t)lent_us : (uint64_t)lent_us;
    const uint64_t change = smaller(size, LEASE_BLOCKS_MAX * BLOCK_US_MAX) * LEDGER_PASS_SCALE / ledger->weight;
    if (lent_us >= 0) ledger->pass += change;
    else ledger->pass -= smaller(change, ledger->pass);
}

uint64_t ledger_expected_us(const struct ledger *ledger)
{
    return ledger->block_us > 0 ? ledger->block_us : LEASE_TARGET_US;
}

void ledger_measure(struct ledger *ledger, uint64_t count, uint64_t compute_us)
{
    const uint64_t block_us = smaller(compute_us, BLOCK_US_MAX) / count + 1;
    if (ledger->block_us == 0) ledger->block_us = block_us;
    else ledger->block_us = (ledger->block_us * (MEASURE_WEIGHT - 1) + block_us) / MEASURE_WEIGHT;
}

bool fault_met(const struct fault *fault, uint64_t instance)
{
    const uint32_t known = fault->attempts < LEDGER_ATTEMPTS ? fault->attempts : LEDGER_ATTEMPTS;
    for (uint32_t at = 0; at < known; at++)
        if (fault->instances[at] == instance) return true;
    return false;
}

/* The fault that these blocks have had; the closest, since a block of a range may have had its own. */
const struct fault *ledger_find_fault(const struct ledger *ledger, struct block_range blocks)
{
    const struct fault *best = NULL;
    for (uint32_t at = 0; at < ledger->fault_count; at++) {
        const struct fault *fault = &ledger->faults[at];
        if (range_common(fault->blocks, blocks).count < blocks.count) continue;
        if (best == NULL || fault->blocks.count < best->blocks.count) best = fault;
    }
    return best;
}

/* NULL: no room is left. */
static struct fault *fault_of(struct ledger *ledger, struct block_range blocks)
{
    const struct fault *known = ledger_find_fault(ledger, blocks);
    if (known != NULL && known->blocks.count == blocks.count) return &ledger->faults[known - ledger->faults];
    if (ledger->fault_count == LEDGER_FAULTS_MAX) return NULL;
    struct fault *fault = &ledger->faults[ledger->fault_count++];
    *fault = known != NULL ? *known : (struct fault){0};
    fault->blocks = blocks;
    return fault;
}

static void copy_why(char why[LEDGER_WHY_BYTES], const char *from)
{
    const size_t size = strnlen(from, LEDGER_WHY_BYTES - 1);
    memcpy(why, from, size);
    why[size] = 0;
}

static bool park(struct ledger *ledger, const struct parked *parked)
{
    const struct block_range block = {parked->block, 1};
    if (ledger->parked_count == LEDGER_PARKED_MAX) return false;
    if (!reserve_taken(ledger) || !range_reserve(&ledger->aside, ledger->aside.count + 1)) return false;
    range_remove(&ledger->aside, block);
    range_add(&ledger->taken, block);
    ledger->parked[ledger->parked_count++] = *parked;
    return true;
}

static const char *cause_name(enum fault_cause cause)
{
    static const char *const names[] = {"", "error", "its worker ended or fell silent", "its worker lost the lease"};
    return names[cause];
}

static bool give_up(struct ledger *ledger, const struct fault *fault)
{
    struct parked parked = {.block = fault->blocks.first, .attempts = fault->attempts, .cause = fault->cause};
    copy_why(parked.why, fault->why);
    ledger->parked_changed = true;
    if (!park(ledger, &parked)) {
        ledger->state = SWEEP_FAILED;
        snprintf(ledger->text, sizeof ledger->text, "more than %u blocks fail; block %llu failed %u times: %s: %s",
                 LEDGER_PARKED_MAX, (unsigned long long)parked.block, parked.attempts, cause_name(parked.cause),
                 parked.why);
        return false;
    }
    drop_fault(ledger, (uint32_t)(fault - ledger->faults));
    return true;
}

bool ledger_fault(struct ledger *ledger, struct block_range blocks, const struct blame *blame, bool again,
                  uint64_t now_ms)
{
    struct fault *fault = fault_of(ledger, blocks);
    if (fault == NULL) return true;
    if (again || !fault_met(fault, blame->instance)) {
        if (fault->attempts < LEDGER_ATTEMPTS) fault->instances[fault->attempts] = blame->instance;
        fault->attempts++;
    }
    fault->cause = blame->cause;
    copy_why(fault->why, blame->why);
    fault->due_ms = now_ms + ((uint64_t)LEDGER_BACKOFF_MS << (fault->attempts - 1));
    if (blocks.count == 1 && fault->attempts >= LEDGER_ATTEMPTS) return give_up(ledger, fault);
    set_aside(ledger, blocks);
    return true;
}

static bool has_own_fault(const struct ledger *ledger, uint64_t block)
{
    const struct fault *fault = ledger_find_fault(ledger, (struct block_range){block, 1});
    return fault != NULL && fault->blocks.count == 1;
}

/* The first block of the set from `from` on and before `end`. */
static bool next_in(const struct range_set *set, uint64_t from, uint64_t end, uint64_t *block)
{
    struct block_range around, gap;
    *block = from;
    if (from >= end) return false;
    if (range_around(set, from, &around)) return true;
    if (range_gap(set, (struct block_range){from, end - from}, &gap)) *block = range_end(gap);
    return *block < end;
}

bool ledger_suspect(const struct ledger *ledger, const struct fault *fault, uint64_t now_ms, uint64_t *block)
{
    const uint64_t end = range_end(fault->blocks);
    if (ledger->state != SWEEP_RUNNING || fault->due_ms > now_ms) return false;
    for (uint64_t from = fault->blocks.first; next_in(&ledger->aside, from, end, block); from = *block + 1)
        if (fault->blocks.count == 1 || !has_own_fault(ledger, *block)) return true;
    return false;
}

bool ledger_take_suspect(struct ledger *ledger, uint64_t block)
{
    if (!range_remove(&ledger->aside, (struct block_range){block, 1})) return false;
    ledger->leases++;
    return true;
}

bool ledger_restore_parked(struct ledger *ledger, const struct parked *parked)
{
    const struct block_range block = {parked->block, 1};
    return range_inside(block, ledger->blocks) && range_overlap(&ledger->taken, block) == 0 && park(ledger, parked);
}

void ledger_retry(struct ledger *ledger)
{
    for (uint32_t at = 0; at < ledger->parked_count; at++)
        range_remove(&ledger->taken, (struct block_range){ledger->parked[at].block, 1});
    ledger->parked_changed |= ledger->parked_count > 0;
    ledger->parked_count = 0;
}

static void append(char *text, size_t text_bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t text_bytes, const char *format, ...)
{
    const size_t used = strlen(text);
    va_list values;
    va_start(values, format);
    vsnprintf(text + used, text_bytes - used, format, values);
    va_end(values);
}

#define DESCRIBED_MAX 12u /* numbers of up to 13 digits, and a reason behind them, fit a text */

void ledger_describe_parked(const struct ledger *ledger, char *text, size_t text_bytes)
{
    const uint32_t count = ledger->parked_count;
    const struct parked *first = &ledger->parked[0];
    text[0] = 0;
    if (count == 0) return;
    append(text, text_bytes, "%u block%s parked after %u attempts each:", count, count == 1 ? "" : "s",
           LEDGER_ATTEMPTS);
    for (uint32_t at = 0; at < count && at < DESCRIBED_MAX; at++)
        append(text, text_bytes, "%s %llu", at > 0 ? "," : "", (unsigned long long)ledger->parked[at].block);
    if (count > DESCRIBED_MAX) append(text, text_bytes, " and %u more", count - DESCRIBED_MAX);
    append(text, text_bytes, "; block %llu: %s: %s", (unsigned long long)first->block, cause_name(first->cause),
           first->why);
}

void ledger_split(struct ledger *ledger, struct block_range blocks)
{
    range_add(&ledger->single, blocks);
}

void ledger_reopen(struct ledger *ledger)
{
    ledger->state = SWEEP_RUNNING;
    ledger->fault_count = 0;
    for (size_t at = 0; at < ledger->aside.count; at++) range_remove(&ledger->taken, ledger->aside.items[at]);
    range_clear(&ledger->aside);
    ledger_retry(ledger);
    ledger->text[0] = 0;
}

/* lacking = done - held, of the blocks before `told`. False: no memory. */
static bool find_lacking(const struct range_set *done, const struct range_set *held, uint64_t told,
                         struct range_set *lacking)
{
    for (size_t at = 0; at < done->count && done->items[at].first < told; at++) {
        struct block_range gap, rest = done->items[at];
        if (range_end(rest) > told) rest.count = told - rest.first;
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

bool ledger_reconcile(struct ledger *ledger, const struct block_range *held, size_t count, uint64_t told,
                      uint64_t now_ms)
{
    struct range_set there = {0}, lacking = {0};
    bool lost = false, known = range_reserve(&there, count);
    for (size_t at = 0; at < count && known; at++) known = range_add(&there, held[at]);
    if (known && find_lacking(&ledger->done, &there, told, &lacking)) lost = reopen_lost(ledger, &lacking, now_ms);
    if (lost) {
        range_clear(&ledger->missing);
        range_clear(&ledger->taken);
        for (size_t at = 0; at < ledger->done.count; at++) ledger_retake(ledger, ledger->done.items[at]);
        for (size_t at = 0; at < ledger->aside.count; at++) ledger_retake(ledger, ledger->aside.items[at]);
        for (uint32_t at = 0; at < ledger->parked_count; at++)
            ledger_retake(ledger, (struct block_range){ledger->parked[at].block, 1});
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
