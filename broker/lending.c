#include "lending.h"

#include <assert.h>
#include <string.h>

#define PASS_MOST (UINT64_C(1) << 62) /* ten thousand workers reach it within a week: then all count from less */
#define CREDIT    (UINT64_C(10000000) * LEDGER_PASS_SCALE) /* 10 s: what a sweep that lent nothing may catch up */

/* Leases */

void lending_end(struct broker *broker, struct lease *lease)
{
    struct ledger *ledger = &broker->sweeps[lease->sweep];
    const uint64_t undone = lease->blocks.count - range_overlap(&ledger->done, lease->blocks);
    ledger_charge(ledger, -(int64_t)(undone * lease->each_us));
    roster_drop_lease(&broker->roster, &broker->roster.slots[lease->worker], lease->token);
    ledger_return(&broker->sweeps[lease->sweep], lease->blocks);
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

/* Failures. A worker that ends or falls silent may have been ended by a block of what it held. */

/* Whether some worker is here that could be lent to and on which these blocks have not failed. The first
 * few of the roster tell: at most LEDGER_ATTEMPTS have met the fault. */
static bool another_could_try(const struct broker *broker, const struct fault *fault, uint64_t instance)
{
    const struct worker *worker = roster_first(&broker->roster);
    for (; worker != NULL; worker = roster_next(&broker->roster, worker))
        if (worker->instance != instance && !worker->draining && (fault == NULL || !fault_met(fault, worker->instance)))
            return true;
    return false;
}

void lending_blame(const struct step *step, struct ledger *ledger, struct block_range blocks, const struct blame *blame)
{
    const bool again = !another_could_try(step->broker, ledger_find_fault(ledger, blocks), blame->instance);
    if (!ledger_is_open(ledger)) return;
    if (ledger_fault(ledger, blocks, blame, again, step->now_ms)) return;
    change_state(step, ledger, SWEEP_FAILED);
    note_sweep(step, NOTE_SWEEP_FAILED, ledger);
}

void lending_lose(const struct step *step, struct lease *lease, enum fault_cause cause)
{
    struct broker *broker = step->broker;
    const struct worker *worker = &broker->roster.slots[lease->worker];
    const struct blame blame = {cause, worker->instance, worker->name};
    lease->each_us = 0; /* the time is spent */
    struct ledger *ledger = &broker->sweeps[lease->sweep];
    const struct block_range blocks = lease->blocks;
    lending_end(broker, lease);
    if (range_overlap(&ledger->done, blocks) < blocks.count) lending_blame(step, ledger, blocks, &blame);
}

void lending_withdraw(const struct step *step)
{
    struct broker *broker = step->broker;
    struct lease *lease = broker->recall_due ? lease_first(&broker->leases) : NULL;
    while (lease != NULL && has_room(step)) {
        struct lease *next = lease_next(&broker->leases, lease);
        const struct ledger *ledger = &broker->sweeps[lease->sweep];
        if (!ledger_is_open(ledger)) {
            send_to(step, &broker->roster.slots[lease->worker].peer, MESSAGE_CANCEL)->sweep = ledger->sweep;
            lending_end(broker, lease);
        }
        lease = next;
    }
    broker->recall_due = lease != NULL;
}

static void lend(const struct step *step, struct worker *worker, uint32_t sweep, struct block_range blocks)
{
    struct broker *broker = step->broker;
    struct lease *lease = lease_grant(&broker->leases, roster_slot(&broker->roster, worker), sweep, blocks,
                                      step->now_ms + broker->setup.lease_ms);
    assert(lease != NULL && "there are as many slots as workers may hold leases");
    lease->granted_ms = step->now_ms;
    lease->each_us = ledger_expected_us(&broker->sweeps[sweep]);
    ledger_charge(&broker->sweeps[sweep], (int64_t)(blocks.count * lease->each_us));
    broker->counters.leases_granted++;
    roster_note_lease(&broker->roster, worker, lease->token);
    worker->told_ms = step->now_ms;
    struct broker_effect *effect = send_to(step, &worker->peer, MESSAGE_LEASE);
    effect->sweep = broker->sweeps[sweep].sweep;
    effect->send.lease.token = lease->token;
    effect->send.lease.blocks = blocks;
}

/* A worker that has nothing, and on which these blocks have not failed unless nobody else could try. */
static struct worker *choose_for(const struct step *step, const struct fault *fault)
{
    struct broker *broker = step->broker;
    struct worker *first = roster_waiting(&broker->roster, 0), *worker = first;
    for (uint32_t looks = 0; worker != NULL && looks <= LEDGER_ATTEMPTS; looks++) {
        if (!fault_met(fault, worker->instance)) return worker;
        worker = roster_waiting_next(&broker->roster, worker);
    }
    const bool waited = fault->due_ms + LEDGER_PATIENCE_MS <= step->now_ms;
    return first != NULL && (waited || !another_could_try(broker, fault, first->instance)) ? first : NULL;
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
            struct worker *worker = choose_for(step, fault);
            broker->suspect_waits |= worker == NULL;
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

/* Everybody gets a first lease before anybody gets a second. Nobody gets a second while a block under
 * suspicion waits for somebody who has nothing. */
static void lend_all(const struct step *step)
{
    const uint32_t most = step->broker->suspect_waits ? 1 : WORKER_LEASES;
    for (uint32_t held = 0; held < most; held++) {
        struct worker *worker;
        while (has_room(step) && (worker = roster_waiting(&step->broker->roster, held)) != NULL)
            if (!lend_something(step, worker, held > 0)) break;
    }
}

void lending_lend(const struct step *step)
{
    lend_suspects(step);
    lend_all(step);
}
