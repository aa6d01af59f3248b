/* Messages made from the broker's state. */
#include <assert.h>
#include <string.h>

#include "digest.h"
#include "explain.h"
#include "state.h"

#define HEARTBEATS_EACH_US 2500u
#define BEATS_OF_LEASE     3u
#define BEATS_OF_IDLE      2u

static void fill_status(const struct ledger *ledger, struct sweep_status *status)
{
    *status = (struct sweep_status){.sweep = ledger->sweep,
                                    .state = ledger->state,
                                    .draws = ledger->draws,
                                    .scenarios = ledger->scenarios,
                                    .blocks = ledger->blocks,
                                    .done = ledger->done.total,
                                    .leased = ledger_leased(ledger),
                                    .parked = ledger->parked_count,
                                    .priority = ledger->priority,
                                    .weight = ledger->weight};
    if (ledger->state == SWEEP_DONE) status->result = ledger->result;
    memcpy(status->name, ledger->name, sizeof status->name);
    memcpy(status->tenant, ledger->tenant, sizeof status->tenant);
    memcpy(status->text, ledger->text, sizeof status->text);
    if (status->text[0] == 0) ledger_describe_parked(ledger, status->text, sizeof status->text);
}

/* The workers that whole shares of BROKER_WANTED_US of this sweep are worth; what is left is added to *rest_us. */
static uint64_t wanted_by(const struct ledger *ledger, uint64_t *rest_us)
{
    const uint64_t block_us = ledger->block_us > 0 ? ledger->block_us : LEASE_AHEAD_US;
    const uint64_t each = block_us < BROKER_WANTED_US ? BROKER_WANTED_US / block_us : 1;
    const uint64_t open =
        ledger->state == SWEEP_RUNNING ? ledger->blocks - ledger->done.total - ledger->parked_count : 0;
    *rest_us += open % each * block_us;
    return open / each;
}

uint64_t broker_wanted_workers(const struct broker *broker)
{
    uint64_t wanted = 0, rest_us = 0;
    for (uint32_t at = 0; at < broker->sweep_count; at++) wanted += wanted_by(&broker->sweeps[at], &rest_us);
    wanted += (rest_us + BROKER_WANTED_US - 1) / BROKER_WANTED_US;
    return wanted < WORKERS_MAX ? wanted : WORKERS_MAX;
}

static void fill_sweeps(const struct broker *broker, const struct digest *only, struct message *message)
{
    memcpy(message->sweeps.aggregator, broker->endpoint, sizeof broker->endpoint);
    message->sweeps.workers = (uint32_t)broker->roster.count;
    message->sweeps.wanted_workers = broker_wanted_workers(broker);
    message->sweeps.count = 0;
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (digest_is_zero(only) || digest_equal(only, &broker->sweeps[at].sweep))
            fill_status(&broker->sweeps[at], &message->sweeps.list[message->sweeps.count++]);
}

static void fill_wanted(const struct broker *broker, struct message *message)
{
    message->wanted.count = 0;
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (ledger_is_open(&broker->sweeps[at]))
            message->wanted.sweeps[message->wanted.count++] = broker->sweeps[at].sweep;
}

/* Many workers are heard less often: HEARTBEATS_EACH_US apart on the whole, since hearing and answering one
 * takes some 40 us of a core. But a lease has to be renewed BEATS_OF_LEASE times before it lapses, and a
 * worker that has none is heard twice before it is given up. */
static uint64_t heartbeat_ms_for(const struct broker *broker, const struct peer *to)
{
    const struct broker_setup *setup = &broker->setup;
    const uint64_t afforded_ms = (uint64_t)broker->roster.count * HEARTBEATS_EACH_US / 1000;
    const struct worker *worker = roster_of_peer(&broker->roster, to);
    const bool idle = worker != NULL && worker->lease_count == 0;
    const uint64_t most_ms = setup->lease_ms / (idle ? BEATS_OF_IDLE : BEATS_OF_LEASE);
    const uint64_t wanted_ms = afforded_ms < most_ms ? afforded_ms : most_ms;
    if (peer_equal(to, &broker->aggregator.peer)) return setup->heartbeat_ms; /* there is only one */
    return wanted_ms > setup->heartbeat_ms ? wanted_ms : setup->heartbeat_ms;
}

static void fill_worker(const struct worker *worker, uint64_t now_ms, struct worker_status *status)
{
    *status = (struct worker_status){.state = worker_state_of(worker),
                                     .leases = worker->lease_count,
                                     .blocks = worker->blocks_done,
                                     .blocks_per_1000s = (uint64_t)(meter_rate(worker->meter, now_ms) * 1000),
                                     .silent_ms = now_ms - worker->seen_ms};
    memcpy(status->name, worker->name, sizeof status->name);
}

static void fill_roster(const struct broker *broker, uint64_t from, struct message *message)
{
    message->roster.next = 0;
    message->roster.count = 0;
    for (uint64_t slot = from; slot < WORKERS_MAX && message->roster.next == 0; slot++) {
        const struct worker *worker = &broker->roster.slots[slot];
        if (peer_is_nobody(&worker->peer)) continue;
        if (message->roster.count == MESSAGE_WORKERS_MAX) message->roster.next = slot;
        else fill_worker(worker, broker->now_ms, &message->roster.list[message->roster.count++]);
    }
}

static void fill_drain(const struct broker *broker, const struct peer *to, struct message *message)
{
    const struct worker *worker = roster_of_peer(&broker->roster, to);
    memset(message->drain.name, 0, sizeof message->drain.name);
    if (worker != NULL) memcpy(message->drain.name, worker->name, sizeof message->drain.name);
}

static void fill_explanation(const struct broker *broker, const struct digest *sweep, struct message *message)
{
    const struct ledger *ledger = broker_sweep(broker, sweep);
    message->explanation.sweep = *sweep;
    memset(message->explanation.text, 0, sizeof message->explanation.text);
    if (ledger != NULL) explain_sweep(broker, ledger, message->explanation.text, sizeof message->explanation.text);
}

static void fill_error(const struct broker_effect *effect, struct message *message)
{
    message->error.code = effect->send.error.code;
    memset(message->error.text, 0, sizeof message->error.text);
    memcpy(message->error.text, effect->send.error.text,
           strnlen(effect->send.error.text, sizeof message->error.text - 1));
}

bool broker_compose(const struct broker *broker, const struct broker_effect *effect, struct message *message)
{
    assert(effect->kind == BROKER_SEND);
    message->kind = effect->send.kind;
    switch (effect->send.kind) {
    case MESSAGE_WELCOME:
        message->welcome.heartbeat_ms = heartbeat_ms_for(broker, &effect->send.to);
        message->welcome.lease_ms = broker->setup.lease_ms;
        memcpy(message->welcome.aggregator, broker->endpoint, sizeof broker->endpoint);
        return true;
    case MESSAGE_LEASE:
        message->lease.token = effect->send.lease.token;
        message->lease.sweep = effect->sweep;
        message->lease.blocks = effect->send.lease.blocks;
        return true;
    case MESSAGE_RECALL:
        message->recall.token = effect->send.token;
        return true;
    case MESSAGE_CANCEL:
        message->cancel.sweep = effect->sweep;
        return true;
    case MESSAGE_ACCEPTED:
        message->accepted.sweep = effect->sweep;
        message->accepted.known = effect->send.known;
        return true;
    case MESSAGE_SWEEPS:
        fill_sweeps(broker, &effect->sweep, message);
        return true;
    case MESSAGE_WANTED:
        fill_wanted(broker, message);
        return true;
    case MESSAGE_ROSTER:
        fill_roster(broker, effect->send.from, message);
        return true;
    case MESSAGE_EXPLANATION:
        fill_explanation(broker, &effect->sweep, message);
        return true;
    case MESSAGE_DRAIN:
        fill_drain(broker, &effect->send.to, message);
        return true;
    case MESSAGE_ERROR:
        fill_error(effect, message);
        return true;
    default:
        return effect->send.kind != MESSAGE_ITEM;
    }
}
