#include "lending.h"

#include <assert.h>
#include <string.h>

#include "digest.h"

#define PASS_MOST (UINT64_C(1) << 62) /* ten thousand workers reach it within a week: then all count from less */
#define CREDIT    (UINT64_C(10000000) * LEDGER_PASS_SCALE) /* 10 s: what a sweep that lent nothing may catch up */

/* Leases */

static struct ledger *ledger_of(const struct broker *broker, const struct lease *lease)
{
    return &broker->sweeps[lease->sweep];
}

static struct worker *worker_of(const struct broker *broker, const struct lease *lease)
{
    return &broker->roster.slots[lease->worker];
}

static struct lease *twin_of(const struct broker *broker, const struct lease *lease)
{
    return lease_find(&broker->leases, lease->twin);
}

/* Blocks of a lease are ready again if they are not done, but for those that its twin has. */
static void give_back(struct broker *broker, const struct lease *lease, struct block_range blocks)
{
    struct ledger *ledger = ledger_of(broker, lease);
    const struct lease *twin = twin_of(broker, lease);
    const uint64_t undone = blocks.count - range_overlap(&ledger->done, blocks);
    ledger_charge(ledger, -(int64_t)(undone * lease->each_us));
    struct block_range kept = {range_end(blocks), 0};
    if (twin != NULL && range_common(blocks, twin->blocks).count > 0) kept = range_common(blocks, twin->blocks);
    ledger_return(ledger, (struct block_range){blocks.first, kept.first - blocks.first});
    ledger_return(ledger, (struct block_range){range_end(kept), range_end(blocks) - range_end(kept)});
}

void lending_end(struct broker *broker, struct lease *lease)
{
    struct lease *twin = twin_of(broker, lease);
    roster_drop_lease(&broker->roster, worker_of(broker, lease), lease->token);
    ledger_of(broker, lease)->leases--;
    give_back(broker, lease, lease->blocks);
    if (twin != NULL) twin->twin = 0;
    lease_end(&broker->leases, lease);
}

void lending_end_all(struct broker *broker, struct worker *worker)
{
    while (worker->lease_count > 0) lending_end(broker, lease_find(&broker->leases, worker->leases[0]));
}

struct lease *lending_find(const struct broker *broker, const struct worker *worker, uint64_t token)
{
    struct lease *lease = lease_find(&broker->leases, token);
    return lease != NULL && lease->worker == roster_slot(&broker->roster, worker) ? lease : NULL;
}

/* Takes a lease from a worker that may be at it. Its answer counts when it comes after all; until the worker
 * no longer names the lease, it is lent nothing. */
static void take_away(struct broker *broker, struct lease *lease)
{
    struct worker *worker = worker_of(broker, lease);
    worker->astray = lease->token;
    worker->astray_sweep = ledger_of(broker, lease)->sweep;
    lending_end(broker, lease);
    roster_limit(&broker->roster, worker, 0);
}

void lending_end_twin(const struct step *step, const struct lease *lease)
{
    struct lease *twin = twin_of(step->broker, lease);
    if (twin != NULL) take_away(step->broker, twin);
}

/* Failures. A worker that ends or falls silent may have been ended by a block of what it held. */

bool lending_worker_reads(const struct worker *worker, const struct ledger *ledger)
{
    return worker->encoding >= ledger->encoding;
}

bool lending_aggregator_reads(const struct broker *broker, const struct ledger *ledger)
{
    return peer_is_nobody(&broker->aggregator.peer) || broker->aggregator.encoding >= ledger->encoding;
}

/* Whether the worker reads this sweep and has not said that it cannot compute it. */
static bool is_fit(const struct step *step, const struct worker *worker, const struct ledger *ledger)
{
    return lending_worker_reads(worker, ledger) && !worker_is_unfit(worker, &ledger->sweep, step->now_ms);
}

/* Whether some worker is here that could be lent to and is fit. */
static bool somebody_is_fit(const struct step *step, const struct ledger *ledger)
{
    const struct worker *worker = roster_first(&step->broker->roster);
    for (; worker != NULL; worker = roster_next(&step->broker->roster, worker))
        if (!worker->draining && is_fit(step, worker, ledger)) return true;
    return false;
}

/* Whether programs are here that read this sweep; if not, nothing waits for it. */
static bool is_read(const struct step *step, const struct ledger *ledger)
{
    const struct worker *worker = roster_first(&step->broker->roster);
    if (!lending_aggregator_reads(step->broker, ledger)) return false;
    for (; worker != NULL; worker = roster_next(&step->broker->roster, worker))
        if (!worker->draining && lending_worker_reads(worker, ledger)) return true;
    return false;
}

/* Whether blocks of this sweep are not for this worker. Where nobody is fit somebody has to try, so that the
 * sweep fails and says why; what cannot be read waits for newer programs. */
static bool is_unfit(const struct step *step, const struct worker *worker, const struct ledger *ledger)
{
    if (!lending_worker_reads(worker, ledger) || !lending_aggregator_reads(step->broker, ledger)) return true;
    return !is_fit(step, worker, ledger) && somebody_is_fit(step, ledger);
}

/* Whether some worker is here that could be lent to and on which these blocks have not failed. The first
 * few fit ones of the roster tell: at most LEDGER_ATTEMPTS have met the fault. */
static bool another_could_try(const struct step *step, const struct ledger *ledger, const struct fault *fault,
                              uint64_t instance)
{
    const struct worker *worker = roster_first(&step->broker->roster);
    for (; worker != NULL; worker = roster_next(&step->broker->roster, worker)) {
        if (worker->instance == instance || worker->draining) continue;
        if (!is_fit(step, worker, ledger)) continue;
        if (fault == NULL || !fault_met(fault, worker->instance)) return true;
    }
    return false;
}

void lending_blame(const struct step *step, struct ledger *ledger, struct block_range blocks, const struct blame *blame)
{
    const bool again = !another_could_try(step, ledger, ledger_find_fault(ledger, blocks), blame->instance);
    if (!ledger_is_open(ledger)) return;
    if (ledger_fault(ledger, blocks, blame, again, step->now_ms)) return;
    change_state(step, ledger, SWEEP_FAILED);
    note_sweep(step, NOTE_SWEEP_FAILED, ledger);
}

bool lending_spare(const struct step *step, struct worker *worker, const struct ledger *ledger)
{
    worker_set_unfit(worker, &ledger->sweep, step->now_ms);
    return somebody_is_fit(step, ledger);
}

void lending_lose(const struct step *step, struct lease *lease, enum fault_cause cause)
{
    struct broker *broker = step->broker;
    const struct worker *worker = worker_of(broker, lease);
    const struct blame blame = {cause, worker->instance, worker->name};
    lease->each_us = 0; /* the time is spent */
    struct ledger *ledger = ledger_of(broker, lease);
    const struct block_range blocks = lease->blocks;
    if (lease->copies == LENDING_COPIES_MAX) lending_end_twin(step, lease); /* too often to be chance */
    const bool shared = lease->twin != 0;                                   /* somebody else has them still */
    lending_end(broker, lease);
    if (!shared && range_overlap(&ledger->done, blocks) < blocks.count) lending_blame(step, ledger, blocks, &blame);
}

static bool has_lease_of(const struct broker *broker, const struct worker *worker, uint32_t sweep)
{
    for (uint32_t at = 0; at < worker->lease_count; at++)
        if (lease_find(&broker->leases, worker->leases[at])->sweep == sweep) return true;
    return false;
}

/* Another worker was first. CANCEL names a whole sweep, so it is for those who hold nothing else of it. */
static void end_needless(const struct step *step, struct lease *lease)
{
    struct broker *broker = step->broker;
    struct worker *worker = worker_of(broker, lease);
    const uint32_t sweep = lease->sweep;
    take_away(broker, lease);
    if (has_lease_of(broker, worker, sweep)) return;
    send_to(step, &worker->peer, MESSAGE_CANCEL)->sweep = broker->sweeps[sweep].sweep;
}

static bool is_done(const struct broker *broker, const struct lease *lease)
{
    return range_overlap(&ledger_of(broker, lease)->done, lease->blocks) == lease->blocks.count;
}

void lending_settle(const struct step *step, struct lease *lease)
{
    struct broker *broker = step->broker;
    struct lease *twin = twin_of(broker, lease);
    lease->moved_ms = step->now_ms;
    if (is_done(broker, lease)) lending_end(broker, lease);
    if (twin != NULL && is_done(broker, twin)) end_needless(step, twin);
}

void lending_shorten(const struct step *step, struct lease *lease, uint64_t count)
{
    const uint64_t left = lease->blocks.count - count;
    if (left == 0) {
        lending_end(step->broker, lease);
        return;
    }
    lease->blocks.count = left;
    give_back(step->broker, lease, (struct block_range){range_end(lease->blocks), count});
    if (is_done(step->broker, lease)) lending_end(step->broker, lease);
}

/* Workers that are at what was taken from them hear of it too. True: all were told. */
static bool cancel_astray(const struct step *step)
{
    struct broker *broker = step->broker;
    struct worker *worker = roster_first(&broker->roster);
    for (; worker != NULL && has_room(step); worker = roster_next(&broker->roster, worker)) {
        if (worker->astray == 0 || digest_is_zero(&worker->astray_sweep)) continue;
        const struct ledger *ledger = broker_sweep(broker, &worker->astray_sweep);
        if (ledger != NULL && ledger_is_open(ledger)) continue;
        send_to(step, &worker->peer, MESSAGE_CANCEL)->sweep = worker->astray_sweep;
        worker->astray_sweep = (struct digest){0};
    }
    return worker == NULL;
}

void lending_withdraw(const struct step *step)
{
    struct broker *broker = step->broker;
    if (!broker->recall_due) return;
    struct lease *lease = lease_first(&broker->leases);
    while (lease != NULL && has_room(step)) {
        struct lease *next = lease_next(&broker->leases, lease);
        const struct ledger *ledger = ledger_of(broker, lease);
        if (!ledger_is_open(ledger)) {
            send_to(step, &worker_of(broker, lease)->peer, MESSAGE_CANCEL)->sweep = ledger->sweep;
            lending_end(broker, lease);
        }
        lease = next;
    }
    broker->recall_due = lease != NULL || !cancel_astray(step);
}

static struct lease *lend(const struct step *step, struct worker *worker, uint32_t sweep, struct block_range blocks)
{
    struct broker *broker = step->broker;
    struct lease *lease = lease_grant(&broker->leases, roster_slot(&broker->roster, worker), sweep, blocks,
                                      step->now_ms + broker->setup.lease_ms);
    assert(lease != NULL && "there are as many slots as workers may hold leases");
    lease->granted_ms = lease->moved_ms = step->now_ms;
    lease->each_us = ledger_expected_us(&broker->sweeps[sweep]);
    ledger_charge(&broker->sweeps[sweep], (int64_t)(blocks.count * lease->each_us));
    broker->counters.leases_granted++;
    roster_note_lease(&broker->roster, worker, lease->token);
    worker->told_ms = step->now_ms;
    struct broker_effect *effect = send_to(step, &worker->peer, MESSAGE_LEASE);
    effect->sweep = broker->sweeps[sweep].sweep;
    effect->send.lease.token = lease->token;
    effect->send.lease.blocks = blocks;
    return lease;
}

/* A worker that has nothing and can compute the sweep, and on which these blocks have not failed unless nobody
 * else could try. fault: NULL when they have not. */
static struct worker *choose_for(const struct step *step, const struct ledger *ledger, const struct fault *fault)
{
    struct broker *broker = step->broker;
    struct worker *first = NULL, *worker = roster_waiting(&broker->roster, 0);
    for (uint32_t looks = 0; worker != NULL && looks <= LEDGER_ATTEMPTS; looks += first != NULL) {
        if (!is_unfit(step, worker, ledger)) {
            if (fault == NULL || !fault_met(fault, worker->instance)) return worker;
            if (first == NULL) first = worker;
        }
        worker = roster_waiting_next(&broker->roster, worker);
    }
    if (first == NULL) return NULL;
    const bool waited = fault->due_ms + LEDGER_PATIENCE_MS <= step->now_ms;
    return waited || !another_could_try(step, ledger, fault, first->instance) ? first : NULL;
}

/* A block under suspicion travels alone, so that no other is blamed for what it does. */
static void lend_suspects_of(const struct step *step, uint32_t sweep)
{
    struct broker *broker = step->broker;
    struct ledger *ledger = &broker->sweeps[sweep];
    for (uint32_t at = 0; at < ledger->fault_count; at++) {
        const struct fault *fault = &ledger->faults[at];
        uint64_t block;
        while (has_room(step) && ledger_suspect(ledger, fault, step->now_ms, &block)) {
            struct worker *worker = choose_for(step, ledger, fault);
            if (worker == NULL && !broker->suspect_waits) broker->suspect_waits = is_read(step, ledger);
            if (worker == NULL || !ledger_take_suspect(ledger, block)) break;
            roster_set_alone(&broker->roster, worker);
            lend(step, worker, sweep, (struct block_range){block, 1});
        }
        const uint64_t patience_ms = fault->due_ms + LEDGER_PATIENCE_MS;
        if (fault->due_ms > step->now_ms) broker->retry_due_ms = sooner(broker->retry_due_ms, fault->due_ms);
        else if (patience_ms > step->now_ms) broker->retry_due_ms = sooner(broker->retry_due_ms, patience_ms);
    }
}

static void lend_suspects(const struct step *step)
{
    struct broker *broker = step->broker;
    broker->retry_due_ms = UINT64_MAX;
    broker->suspect_waits = false;
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (broker->sweeps[at].aside.total > 0 && broker->sweeps[at].state == SWEEP_RUNNING) lend_suspects_of(step, at);
}

/* Fairness: of each tenant, the sweeps of the highest priority that have anything to lend take part, and those
 * of all tenants share the time that is lent by weight: who has had least for its weight is next. A sweep that
 * comes, or comes back, begins at the time of the schedule, and catches up no more than CREDIT. */

static bool has_ready(const struct ledger *ledger)
{
    return ledger->state == SWEEP_RUNNING && ledger->taken.total < ledger->blocks;
}

static uint64_t pass_of(const struct broker *broker, const struct ledger *ledger)
{
    const uint64_t least = broker->pass > CREDIT ? broker->pass - CREDIT : 0;
    return ledger->pass > least ? ledger->pass : least;
}

/* Takes as much off every pass, so that none ever overflows. */
static void rebase_passes(struct broker *broker)
{
    if (broker->pass < PASS_MOST) return;
    for (uint32_t at = 0; at < broker->sweep_count; at++) {
        uint64_t *pass = &broker->sweeps[at].pass;
        *pass -= *pass < PASS_MOST ? *pass : PASS_MOST;
    }
    broker->pass -= PASS_MOST;
}

/* The sweep that is next; out: those that are not asked. False: none. */
static bool choose_sweep(const struct broker *broker, const bool *out, uint32_t *chosen)
{
    uint32_t top[BROKER_SWEEPS_MAX] = {0}; /* by tenant: the highest priority, plus one */
    bool found = false;
    for (uint32_t at = 0; at < broker->sweep_count; at++) {
        const struct ledger *ledger = &broker->sweeps[at];
        if (out[at] || !has_ready(ledger) || ledger->priority < top[ledger->tenant_at]) continue;
        top[ledger->tenant_at] = ledger->priority + 1;
    }
    for (uint32_t tried = 0; tried < broker->sweep_count; tried++) {
        const uint32_t at = (broker->turn + tried) % broker->sweep_count;
        const struct ledger *ledger = &broker->sweeps[at];
        if (out[at] || !has_ready(ledger) || ledger->priority + 1 != top[ledger->tenant_at]) continue;
        if (found && pass_of(broker, ledger) >= pass_of(broker, &broker->sweeps[*chosen])) continue;
        *chosen = at;
        found = true;
    }
    return found;
}

static bool lend_something(const struct step *step, struct worker *worker, bool ahead)
{
    struct broker *broker = step->broker;
    bool out[BROKER_SWEEPS_MAX] = {0};
    uint32_t sweep = 0;
    while (choose_sweep(broker, out, &sweep)) {
        struct ledger *ledger = &broker->sweeps[sweep];
        struct block_range blocks;
        out[sweep] = true;
        if (is_unfit(step, worker, ledger)) continue;
        if (!ledger_take(ledger, broker->roster.count, ahead, &blocks)) continue;
        ledger->pass = pass_of(broker, ledger);
        if (ledger->pass > broker->pass) broker->pass = ledger->pass;
        rebase_passes(broker);
        broker->turn = sweep + 1;
        lend(step, worker, sweep, blocks);
        return true;
    }
    return false;
}

/* The latest encoding of the sweeps that have anything to lend; 0: none has. */
static uint32_t latest_encoding(const struct broker *broker)
{
    uint32_t latest = 0;
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (has_ready(&broker->sweeps[at]) && broker->sweeps[at].encoding > latest)
            latest = broker->sweeps[at].encoding;
    return latest;
}

/* Everybody gets a first lease before anybody gets a second. Nobody gets a second while a block under
 * suspicion waits for somebody who has nothing. */
static void lend_all(const struct step *step)
{
    const uint32_t most = step->broker->suspect_waits ? 1 : WORKER_LEASES;
    for (uint32_t held = 0; held < most; held++) {
        struct worker *worker = roster_waiting(&step->broker->roster, held);
        while (has_room(step) && worker != NULL) {
            struct worker *next = roster_waiting_next(&step->broker->roster, worker);
            /* What one has no use for nobody has, but where it is unfit for something. */
            if (!lend_something(step, worker, held > 0) && worker->unfit_count == 0 &&
                worker->encoding >= latest_encoding(step->broker))
                break;
            worker = next;
        }
    }
}

/* Late leases. A worker that says that it is there may be slow, stuck, or at a block that turned out long;
 * nobody can tell from here. So while others stand idle, what it has not begun is called back, and then what
 * it may have begun is lent once more, to one of them. The first answer counts. When that one is late too, the
 * earlier lease gives way to a third. */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t recall_after_ms(const struct ledger *ledger, const struct lease *lease)
{
    return larger(LENDING_RECALL_TIMES * lease->blocks.count * ledger_expected_us(ledger) / 1000, LENDING_RECALL_MS);
}

/* Each further copy is given twice the time: the blocks may be longer than those that were measured. */
static uint64_t copy_after_ms(const struct ledger *ledger, const struct lease *lease)
{
    const uint64_t least_ms = ledger->block_us > 0 ? LENDING_COPY_MS : LENDING_UNMEASURED_MS;
    return larger(LENDING_COPY_TIMES * lease->blocks.count * ledger->block_us / 1000, least_ms) << lease->copies;
}

static bool is_late(const struct step *step, const struct lease *lease)
{
    const struct ledger *ledger = ledger_of(step->broker, lease);
    return step->now_ms >= lease->moved_ms + copy_after_ms(ledger, lease);
}

/* A worker computes one block after another: of one block alone everything is begun. */
static bool recall(const struct step *step, struct lease *lease)
{
    struct broker *broker = step->broker;
    struct worker *worker = worker_of(broker, lease);
    if (lease->recalled || (lease->blocks.count == 1 && worker->lease_count == 1)) return false;
    if (step->now_ms < lease->moved_ms + recall_after_ms(ledger_of(broker, lease), lease)) return false;
    lease->recalled = true;
    broker->counters.leases_recalled++;
    roster_set_alone(&broker->roster, worker);
    send_to(step, &worker->peer, MESSAGE_RECALL)->send.token = lease->token;
    return true;
}

/* Who could be lent what is left of a late lease as well; NULL: nobody. */
static struct worker *choose_copier(const struct step *step, const struct lease *lease, struct block_range *blocks)
{
    const struct ledger *ledger = ledger_of(step->broker, lease);
    if (!range_gap(&ledger->done, lease->blocks, blocks)) return NULL;
    return choose_for(step, ledger, ledger_find_fault(ledger, *blocks));
}

static bool copy(const struct step *step, struct lease *lease)
{
    struct broker *broker = step->broker;
    struct block_range blocks;
    struct worker *worker = choose_copier(step, lease, &blocks);
    if (worker == NULL) return false;
    roster_set_alone(&broker->roster, worker_of(broker, lease));
    roster_set_alone(&broker->roster, worker);
    ledger_of(broker, lease)->leases++;
    broker->counters.leases_copied++;
    struct lease *twin = lend(step, worker, lease->sweep, blocks);
    if (lease->copies < LENDING_COPIES_MAX) lease->copies++;
    twin->copies = lease->copies;
    twin->twin = lease->token;
    lease->twin = twin->token;
    return true;
}

/* True: somebody who stands idle has, or will have, something to do. */
static bool help(const struct step *step, struct lease *lease)
{
    struct broker *broker = step->broker;
    if (ledger_of(broker, lease)->state != SWEEP_RUNNING || is_done(broker, lease)) return false;
    if (recall(step, lease)) return true;
    if (!is_late(step, lease)) return false;
    struct lease *twin = twin_of(broker, lease);
    struct block_range blocks;
    if (twin == NULL) return copy(step, lease);
    if (twin->token < lease->token || twin->copies == LENDING_COPIES_MAX) return false;
    if (!is_late(step, twin) || choose_copier(step, twin, &blocks) == NULL) return false;
    take_away(broker, lease);
    return copy(step, twin);
}

static uint32_t count_idle(const struct roster *roster, uint32_t most)
{
    uint32_t count = 0;
    for (struct worker *worker = roster_waiting(roster, 0); worker != NULL && count < most; count++)
        worker = roster_waiting_next(roster, worker);
    return count;
}

/* When leases are to be looked at again; UINT64_MAX: not before something happens. */
static uint64_t look_due_ms(const struct broker *broker)
{
    const bool idle = roster_waiting(&broker->roster, 0) != NULL;
    if (!idle || broker->leases.count == 0 || peer_is_nobody(&broker->aggregator.peer)) return UINT64_MAX;
    return broker->helped_ms + LENDING_LOOK_MS;
}

/* Every lease is looked at, so not at every step. */
static void help_late(const struct step *step)
{
    struct broker *broker = step->broker;
    broker->help_due_ms = look_due_ms(broker);
    if (step->now_ms < broker->help_due_ms) return;
    broker->helped_ms = step->now_ms;
    uint32_t idle = count_idle(&broker->roster, BROKER_EFFECTS_MAX);
    struct lease *lease = lease_first(&broker->leases);
    while (lease != NULL && idle > 0 && has_room(step)) {
        struct lease *next = lease_next(&broker->leases, lease);
        idle -= help(step, lease);
        lease = next;
    }
    broker->help_due_ms = look_due_ms(broker);
}

void lending_lend(const struct step *step)
{
    lend_suspects(step);
    lend_all(step);
    help_late(step);
}
