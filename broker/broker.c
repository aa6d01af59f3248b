#include "broker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lending.h"
#include "population_codec.h"
#include "sweep_codec.h"

#define HELD_RANGES_SINGLY  16
#define BLOCK_US_BELIEVED   UINT64_C(86400000000) /* a day */
#define LATE_MS             50u                   /* a tick that comes so long after it was due was held up */
#define AGGREGATOR_SILENCES 3 /* heartbeats without a word, after which another may take its place */

struct broker *broker_new(const struct broker_setup *setup)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL) return NULL;
    broker->setup = *setup;
    broker->retry_due_ms = broker->help_due_ms = UINT64_MAX;
    broker->sweeps = calloc(BROKER_SWEEPS_MAX, sizeof *broker->sweeps);
    broker->decoded = malloc(sizeof *broker->decoded);
    const bool rostered = roster_open(&broker->roster), leasing = lease_open(&broker->leases, setup->token_seed);
    if (broker->sweeps != NULL && broker->decoded != NULL && rostered && leasing) return broker;
    broker_free(broker);
    return NULL;
}

void broker_free(struct broker *broker)
{
    if (broker == NULL) return;
    for (uint32_t at = 0; at < broker->sweep_count; at++) ledger_close(&broker->sweeps[at]);
    free(broker->sweeps);
    free(broker->decoded);
    roster_close(&broker->roster);
    lease_close(&broker->leases);
    free(broker);
}

/* Effects */

static void answer_error(const struct step *step, enum message_error code, const char *text)
{
    struct broker_effect *effect = send_to(step, &step->from, MESSAGE_ERROR);
    effect->send.error.code = code;
    effect->send.error.text = text;
}

static void note_name(const struct step *step, enum broker_note kind, const char *name)
{
    note(step, kind, name, NULL, (struct block_range){0});
}

/* Sweeps */

static struct ledger *find_sweep(const struct broker *broker, const struct digest *digest)
{
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (digest_equal(&broker->sweeps[at].sweep, digest)) return &broker->sweeps[at];
    return NULL;
}

static bool has_population(const struct broker *broker, const struct digest *digest)
{
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (broker->sweeps[at].population_kept && digest_equal(&broker->sweeps[at].population, digest)) return true;
    return false;
}

/* Tenants are told apart by the first sweep of each in the list. */
static void name_tenants(struct broker *broker)
{
    for (uint32_t at = 0; at < broker->sweep_count; at++) {
        uint32_t first = 0;
        while (strcmp(broker->sweeps[first].tenant, broker->sweeps[at].tenant) != 0) first++;
        broker->sweeps[at].tenant_at = first;
    }
}

static bool count_done(const struct step *step, struct ledger *ledger, struct block_range blocks,
                       struct block_range *merged)
{
    const uint64_t before = ledger->done.total;
    if (!ledger_done(ledger, blocks, merged)) return false;
    step->broker->counters.blocks_done += ledger->done.total - before;
    meter_add(&ledger->meter, ledger->done.total - before, step->now_ms);
    ledger->progress_ms = step->now_ms;
    return true;
}

static bool add_done(const struct step *step, struct ledger *ledger, struct block_range blocks)
{
    if (range_overlap(&ledger->done, blocks) == blocks.count) return true;
    struct block_range merged;
    if (!count_done(step, ledger, blocks, &merged)) return false;
    struct broker_effect *effect = emit(step, BROKER_KEEP_DONE);
    effect->sweep = ledger->sweep;
    effect->blocks = merged;
    return true;
}

static void dismiss(const struct step *step, struct worker *worker, enum broker_note why)
{
    note_name(step, why, worker->name);
    step->broker->counters.workers_lost += why == NOTE_WORKER_LOST;
    while (why == NOTE_WORKER_LOST && worker->lease_count > 0)
        lending_lose(step, lease_find(&step->broker->leases, worker->leases[0]), FAULT_CRASH);
    lending_end_all(step->broker, worker);
    roster_remove(&step->broker->roster, worker);
}

/* Registration */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static void welcome(const struct step *step, const struct peer *to)
{
    send_to(step, to, MESSAGE_WELCOME);
}

static void welcome_worker(const struct step *step, struct worker *worker)
{
    worker->told_ms = step->now_ms;
    worker->told_endpoint = step->broker->endpoint_number;
    welcome(step, &worker->peer);
}

/* Who has another key cannot end what is done under this name. Once it is silent, its name is free. */
static bool name_is_anothers(const struct step *step, const char *name)
{
    const struct worker *worker = roster_of_name(&step->broker->roster, name);
    return worker != NULL && !same_text(worker->holder, step->holder);
}

/* A start of the program that another one of its name took for gone, and which speaks again: several workers share
 * the name. The one that is here keeps it, or they would take each other's leases for ever. */
static bool is_back(const struct step *step, const char *name, uint64_t instance)
{
    const struct worker *worker = roster_of_name(&step->broker->roster, name);
    if (worker == NULL || worker->instance == instance) return false;
    for (uint32_t at = 0; at < WORKER_REPLACED; at++)
        if (worker->replaced[at] == instance) return true;
    return false;
}

/* The worker of that name if it is the same start of the program; an earlier start is dismissed, and the
 * first of those replaced. */
static struct worker *find_same_start(const struct step *step, const char *name, uint64_t instance,
                                      uint64_t replaced[WORKER_REPLACED])
{
    struct worker *worker = roster_of_name(&step->broker->roster, name);
    if (worker == NULL || worker->instance == instance) return worker;
    replaced[0] = worker->instance;
    memcpy(replaced + 1, worker->replaced, (WORKER_REPLACED - 1) * sizeof *replaced);
    dismiss(step, worker, NOTE_WORKER_LOST);
    return NULL;
}

/* Of sweeps, by whoever says HELLO. */
static uint32_t encoding_read(const struct message *message)
{
    return message->hello.encoding > 0 ? message->hello.encoding : 1;
}

static void greet_worker(const struct step *step, const struct message *message)
{
    const char *name = message->hello.name;
    const uint64_t instance = message->hello.instance;
    struct roster *roster = &step->broker->roster;
    if (name_is_anothers(step, name)) {
        answer_error(step, ERROR_REFUSED, "a worker of another key has this name");
        return;
    }
    if (is_back(step, name, instance)) {
        answer_error(step, ERROR_REFUSED, "another worker has this name: give each a --name of its own");
        return;
    }
    uint64_t replaced[WORKER_REPLACED] = {0};
    struct worker *worker = find_same_start(step, name, instance, replaced);
    struct worker *other = roster_of_peer(roster, &step->from);
    if (other != NULL && other != worker) dismiss(step, other, NOTE_WORKER_LEFT); /* the socket changed its name */
    if (worker == NULL) {
        worker = roster_add(roster, &step->from, name, instance, step->now_ms);
        if (worker == NULL) {
            answer_error(step, ERROR_REFUSED, "too many workers");
            return;
        }
        memcpy(worker->replaced, replaced, sizeof replaced);
        memcpy(worker->holder, step->holder, strnlen(step->holder, sizeof worker->holder - 1));
        note_name(step, NOTE_WORKER_JOINED, name);
        step->broker->counters.workers_joined++;
    } else {
        roster_move(roster, worker, &step->from);
        roster_touch(roster, worker, step->now_ms);
    }
    worker->encoding = encoding_read(message);
    welcome_worker(step, worker);
}

/* Two that take turns would each lack what the other holds. One that was restarted comes back to its
 * place at once, and another may follow one that is silent. */
static bool another_aggregator_is_here(const struct step *step, const struct message *message)
{
    const struct broker *broker = step->broker;
    const struct aggregator *aggregator = &broker->aggregator;
    return !peer_is_nobody(&aggregator->peer) && aggregator->instance != message->hello.instance &&
           !same_text(broker->endpoint, message->hello.endpoint) &&
           step->now_ms < aggregator->seen_ms + AGGREGATOR_SILENCES * broker->setup.heartbeat_ms;
}

static void greet_aggregator(const struct step *step, const struct message *message)
{
    struct broker *broker = step->broker;
    struct aggregator *aggregator = &broker->aggregator;
    if (another_aggregator_is_here(step, message)) {
        answer_error(step, ERROR_REFUSED, "another aggregator is here");
        return;
    }
    const bool same = !peer_is_nobody(&aggregator->peer) && aggregator->instance == message->hello.instance;
    aggregator->peer = step->from;
    aggregator->instance = message->hello.instance;
    aggregator->seen_ms = step->now_ms;
    aggregator->encoding = encoding_read(message);
    aggregator->wanted_due = true;
    memcpy(aggregator->name, message->hello.name, sizeof aggregator->name);
    if (!same_text(broker->endpoint, message->hello.endpoint)) {
        memcpy(broker->endpoint, message->hello.endpoint, sizeof broker->endpoint);
        broker->endpoint_number++;
        broker->endpoint_due = true;
    }
    if (!same) note_name(step, NOTE_AGGREGATOR_JOINED, message->hello.endpoint);
    welcome(step, &step->from);
}

static void take_hello(const struct step *step, const struct message *message)
{
    switch (message->hello.role) {
    case ROLE_WORKER:
        if (message->hello.name[0] == 0) answer_error(step, ERROR_REFUSED, "a worker needs a name");
        else greet_worker(step, message);
        break;
    case ROLE_AGGREGATOR:
        greet_aggregator(step, message);
        break;
    case ROLE_CLIENT:
        welcome(step, &step->from);
        break;
    }
}

static bool from_aggregator(const struct step *step)
{
    const struct aggregator *aggregator = &step->broker->aggregator;
    return !peer_is_nobody(&aggregator->peer) && peer_equal(&aggregator->peer, &step->from);
}

static void lose_aggregator(const struct step *step)
{
    note_name(step, NOTE_AGGREGATOR_LOST, step->broker->aggregator.name);
    step->broker->aggregator.peer.size = 0;
}

/* Messages of workers */

/* A worker that moved to another socket lists what reached it. Nothing was lent to it since. */
static void drop_unlisted(struct broker *broker, struct worker *worker, const struct message *message)
{
    worker->moved = false;
    for (uint32_t at = 0; at < worker->lease_count;) {
        uint32_t listed = 0;
        while (listed < message->heartbeat.token_count && message->heartbeat.tokens[listed] != worker->leases[at])
            listed++;
        if (listed < message->heartbeat.token_count) at++;
        else lending_end(broker, lease_find(&broker->leases, worker->leases[at]));
    }
}

static void take_heartbeat(const struct step *step, struct worker *worker, const struct message *message)
{
    struct broker *broker = step->broker;
    uint64_t held = 0;
    bool astray = false;
    if (worker->moved) drop_unlisted(broker, worker, message);
    for (uint32_t at = 0; at < message->heartbeat.token_count; at++) {
        struct lease *lease = lending_find(broker, worker, message->heartbeat.tokens[at]);
        astray = astray || (worker->astray != 0 && message->heartbeat.tokens[at] == worker->astray);
        if (lease == NULL) continue;
        lease_renew(&broker->leases, lease, step->now_ms + broker->setup.lease_ms);
        held++;
    }
    /* Leases on their way to the worker are neither held nor room; both count towards what it takes. */
    const uint64_t room = message->heartbeat.room < WORKER_LEASES ? message->heartbeat.room : WORKER_LEASES;
    if (!astray) worker->astray = 0;
    roster_limit(&broker->roster, worker, held + (astray ? 0 : room));
    if (worker->told_ms + broker->setup.heartbeat_ms / 2 <= step->now_ms) welcome_worker(step, worker);
    if (worker->draining && room > 0) send_to(step, &worker->peer, MESSAGE_DRAIN); /* it has not heard of it */
}

static bool covers(struct block_range outer, struct block_range inner)
{
    return range_inside(inner, UINT64_MAX) && inner.first >= outer.first && range_end(inner) <= range_end(outer);
}

/* The time that blocks took stands for what they were expected to take. What does not fit the lease is not
 * believed. */
static void settle_charge(struct ledger *ledger, const struct lease *lease, struct block_range blocks,
                          uint64_t compute_us)
{
    if (!covers(lease->blocks, blocks) || compute_us > blocks.count * BLOCK_US_BELIEVED) return;
    ledger_charge(ledger, (int64_t)compute_us - (int64_t)(blocks.count * lease->each_us));
}

static void take_done(const struct step *step, struct worker *worker, const struct message *message)
{
    struct broker *broker = step->broker;
    const struct block_range blocks = message->done.blocks;
    struct ledger *ledger = find_sweep(broker, &message->done.sweep);
    struct lease *lease = lending_find(broker, worker, message->done.token);
    if (ledger == NULL || !range_inside(blocks, ledger->blocks)) {
        answer_error(step, ERROR_REFUSED, "no such blocks");
        return;
    }
    if (lease != NULL && &broker->sweeps[lease->sweep] != ledger) lease = NULL;
    /* A late answer counts like any other: the aggregator has folded the blocks once. */
    if (ledger_is_open(ledger) && !add_done(step, ledger, blocks)) {
        if (lease != NULL) lending_end(broker, lease); /* no room to remember: done again, nobody is to blame */
        return;
    }
    if (lease == NULL) return;
    ledger_measure(ledger, blocks.count, message->done.compute_us);
    settle_charge(ledger, lease, blocks, message->done.compute_us);
    worker->blocks_done += blocks.count;
    meter_add(&worker->meter, blocks.count, step->now_ms);
    lending_settle(step, lease);
}

/* A failure ends its lease: what is not done of it is ready for anybody. An error is an answer, and so ends
 * the other lease of these blocks too. Who hands back has no room until a heartbeat says otherwise, or it
 * would be lent the same again at once. */
static void take_failed(const struct step *step, struct worker *worker, const struct message *message)
{
    struct lease *lease = lending_find(step->broker, worker, message->failed.token);
    if (lease == NULL) return;
    struct ledger *ledger = &step->broker->sweeps[lease->sweep];
    const enum message_cause cause = message->failed.cause;
    const struct block_range leased = lease->blocks;
    const struct block_range blocks = covers(leased, message->failed.blocks) ? message->failed.blocks : leased;
    const bool spared = cause == CAUSE_UNFIT && lending_spare(step, worker, ledger);
    const bool counts = cause == CAUSE_ERROR || (cause == CAUSE_UNFIT && !spared);
    if (counts) lending_end_twin(step, lease);
    lending_end(step->broker, lease);
    if (cause == CAUSE_SHUTDOWN) roster_limit(&step->broker->roster, worker, 0);
    step->broker->counters.blocks_failed[cause] += blocks.count;
    if (!ledger_is_open(ledger)) return;
    if (cause == CAUSE_OVERLAP) ledger_split(ledger, blocks);
    if (counts || spared) note(step, NOTE_BLOCKS_FAILED, message->failed.text, &ledger->sweep, blocks);
    if (counts)
        lending_blame(step, ledger, blocks, &(struct blame){FAULT_ERROR, worker->instance, message->failed.text});
}

static void take_returned(const struct step *step, struct worker *worker, const struct message *message)
{
    struct lease *lease = lending_find(step->broker, worker, message->returned.token);
    if (lease == NULL) return;
    const struct block_range blocks = message->returned.blocks;
    if (!covers(lease->blocks, blocks) || range_end(blocks) != range_end(lease->blocks)) {
        answer_error(step, ERROR_REFUSED, "not the end of that lease");
        return;
    }
    lending_shorten(step, lease, blocks.count);
    roster_limit(&step->broker->roster, worker, worker->lease_count);
}

/* Messages of the aggregator */

/* A complete sweep of which fewer blocks are held than it has was ended by its stop rule. */
static void note_end(struct ledger *ledger, const struct message *message)
{
    uint64_t held = 0;
    for (uint32_t at = 0; at < message->held.count; at++) held += message->held.ranges[at].count;
    if (held > 0 && held < ledger->blocks)
        snprintf(ledger->text, sizeof ledger->text, "stopped early, at %llu of %llu blocks: its stop rule is met",
                 (unsigned long long)held, (unsigned long long)ledger->blocks);
}

static void finish(const struct step *step, struct ledger *ledger, const struct message *message)
{
    const struct digest *result = &message->held.result;
    const bool differs = !digest_is_zero(&ledger->result) && !digest_equal(&ledger->result, result);
    if (differs) note_sweep(step, NOTE_RESULT_DIFFERS, ledger);
    if (!ledger_is_open(ledger) || !add_done(step, ledger, (struct block_range){0, ledger->blocks})) return;
    ledger->result = *result;
    note_end(ledger, message);
    change_state(step, ledger, SWEEP_DONE);
    note_sweep(step, NOTE_SWEEP_DONE, ledger);
}

/* Tells the journal of each range, or, when there are many, to write them all anew. */
static void hold_ranges(const struct step *step, struct ledger *ledger, const struct message *message)
{
    uint32_t added = 0;
    for (uint32_t at = 0; at < message->held.count; at++) {
        const struct block_range blocks = message->held.ranges[at];
        struct block_range merged;
        if (range_overlap(&ledger->done, blocks) == blocks.count) continue;
        if (added++ < HELD_RANGES_SINGLY) add_done(step, ledger, blocks);
        else if (!count_done(step, ledger, blocks, &merged)) break;
    }
    if (added > HELD_RANGES_SINGLY) emit(step, BROKER_KEEP_RANGES)->sweep = ledger->sweep;
}

static void retake_leases(struct broker *broker, struct ledger *ledger)
{
    for (struct lease *lease = lease_first(&broker->leases); lease != NULL; lease = lease_next(&broker->leases, lease))
        if (&broker->sweeps[lease->sweep] == ledger) ledger_retake(ledger, lease->blocks);
}

/* A report that is full lists the lowest ranges: it tells nothing of the blocks above them. */
static void reconcile(const struct step *step, struct ledger *ledger, const struct message *message)
{
    const uint32_t count = message->held.count;
    const uint64_t told = count < MESSAGE_RANGES_MAX ? ledger->blocks : range_end(message->held.ranges[count - 1]);
    const uint64_t before = ledger->done.total;
    if (!ledger_reconcile(ledger, message->held.ranges, count, told, step->now_ms)) return;
    step->broker->counters.blocks_lost += before - ledger->done.total;
    retake_leases(step->broker, ledger);
    emit(step, BROKER_KEEP_RANGES)->sweep = ledger->sweep;
    note_sweep(step, NOTE_BLOCKS_LOST, ledger);
}

static void take_held(const struct step *step, const struct message *message)
{
    struct ledger *ledger = find_sweep(step->broker, &message->held.sweep);
    if (ledger == NULL) return; /* from a life of the broker that is forgotten; it is wanted once it is submitted */
    for (uint32_t at = 0; at < message->held.count; at++) {
        if (range_inside(message->held.ranges[at], ledger->blocks)) continue;
        answer_error(step, ERROR_REFUSED, "no such blocks");
        return;
    }
    if (message->held.complete && !digest_is_zero(&message->held.result)) {
        finish(step, ledger, message);
    } else if (ledger_is_open(ledger)) {
        hold_ranges(step, ledger, message);
        reconcile(step, ledger, message);
    }
}

/* Messages of clients */

static void accept(const struct step *step, const struct ledger *ledger, bool known)
{
    struct broker_effect *effect = send_to(step, &step->from, MESSAGE_ACCEPTED);
    effect->sweep = ledger->sweep;
    effect->send.known = known;
}

static void keep_sweep(const struct step *step, const struct ledger *ledger, const struct message *message)
{
    struct broker_effect *effect = emit(step, BROKER_KEEP_SWEEP);
    effect->sweep = ledger->sweep;
    effect->keep.sweep = message->submit.sweep;
    effect->keep.population = message->submit.population;
}

/* False: it had all that before. */
static bool set_share(struct broker *broker, struct ledger *ledger, uint32_t priority, uint32_t weight,
                      const char *tenant)
{
    const uint32_t least = weight > 0 ? weight : 1;
    if (ledger->priority == priority && ledger->weight == least && same_text(ledger->tenant, tenant)) return false;
    ledger->priority = priority;
    ledger->weight = least;
    memset(ledger->tenant, 0, sizeof ledger->tenant);
    memcpy(ledger->tenant, tenant, strnlen(tenant, sizeof ledger->tenant - 1));
    name_tenants(broker);
    return true;
}

/* Whether the sender may change this sweep. */
static bool may_change(const struct step *step, const struct ledger *ledger)
{
    return !step->own_only || same_text(ledger->owner, step->holder);
}

/* False: it was so before. */
static bool set_owner(struct ledger *ledger, const char *owner)
{
    if (same_text(ledger->owner, owner)) return false;
    memset(ledger->owner, 0, sizeof ledger->owner);
    memcpy(ledger->owner, owner, strnlen(owner, sizeof ledger->owner - 1));
    return true;
}

/* A sweep that has ended belongs to whoever submits it again. */
static void take_share(const struct step *step, struct ledger *ledger, const struct message *message, bool is_taken)
{
    const bool owner = is_taken && set_owner(ledger, step->holder);
    if (set_share(step->broker, ledger, message->submit.priority, message->submit.weight, message->submit.tenant) ||
        owner)
        emit(step, BROKER_KEEP_SHARE)->sweep = ledger->sweep;
}

/* A sweep that is here already has no second effect, but one that failed or was cancelled runs again,
 * and so does one that stalled. A population is kept anew: it may have been taken for built in, or be damaged.
 * One that is done is done again when the aggregator says so: what it has lost is found by its next reports, and is
 * computed anew. */
static void submit_again(const struct step *step, struct ledger *ledger, const struct message *message)
{
    if (message->submit.population.size > 0) {
        ledger->population_kept = true;
        keep_sweep(step, ledger, message);
    }
    if (ledger_is_open(ledger) && !may_change(step, ledger)) { /* it runs as its owner wants it to */
        accept(step, ledger, true);
        return;
    }
    take_share(step, ledger, message, !ledger_is_open(ledger));
    if (!ledger_is_open(ledger) || ledger->state == SWEEP_STALLED) {
        ledger_reopen(ledger);
        change_state(step, ledger, SWEEP_RUNNING);
    }
    accept(step, ledger, true);
}

/* NULL, or why the sweep cannot be taken. Fills broker->decoded. */
static const char *find_refusal(struct broker *broker, const struct message *message, const struct digest *id)
{
    const char *why = NULL;
    const struct span population = message->submit.population;
    if (message->submit.sweep.size > SWEEP_BYTES_MAX) return "the sweep is too large: at most 1 MiB";
    if (population.size > POPULATION_BYTES_MAX) return "the population is too large: at most 32 MiB";
    if (!sweep_decode(message->submit.sweep, broker->decoded, &why)) return why;
    const struct digest canonical = sweep_identity(broker->decoded);
    if (!digest_equal(&canonical, id)) return "the sweep is not in its canonical encoding";
    if (population.size == 0) return NULL;
    const struct digest given = digest_of(population);
    return digest_equal(&given, &broker->decoded->population) ? NULL : "the population is not the one the sweep names";
}

/* Whether any sweep but this one names its population. */
static bool shares_population(const struct broker *broker, const struct ledger *ledger)
{
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (&broker->sweeps[at] != ledger && digest_equal(&broker->sweeps[at].population, &ledger->population))
            return true;
    return false;
}

/* Leases name sweeps by their place in the list. */
static void close_gap(struct broker *broker, uint32_t gap)
{
    struct ledger *ledger = &broker->sweeps[gap];
    broker->sweep_count--;
    memmove(ledger, ledger + 1, (broker->sweep_count - gap) * sizeof *ledger);
    if (broker->turn > gap) broker->turn--;
    for (struct lease *lease = lease_first(&broker->leases); lease != NULL; lease = lease_next(&broker->leases, lease))
        if (lease->sweep > gap) lease->sweep--;
    name_tenants(broker);
}

static void forget_sweep(const struct step *step, struct ledger *ledger)
{
    struct broker *broker = step->broker;
    struct broker_effect *effect = emit(step, BROKER_KEEP_NOTHING);
    effect->sweep = ledger->sweep;
    if (!shares_population(broker, ledger)) effect->population = ledger->population;
    note_sweep(step, NOTE_SWEEP_FORGOTTEN, ledger);
    broker->counters.sweeps_forgotten++;
    ledger_close(ledger);
    close_gap(broker, (uint32_t)(ledger - broker->sweeps));
}

/* Room for one more sweep: of those that have ended, and of which nothing is lent, the one that came first is
 * forgotten. What was folded of it stays with the aggregator. False: there is none. */
static bool make_room(const struct step *step)
{
    struct broker *broker = step->broker;
    if (broker->sweep_count < BROKER_SWEEPS_MAX) return true;
    for (uint32_t at = 0; at < broker->sweep_count; at++) {
        struct ledger *ledger = &broker->sweeps[at];
        if (ledger_is_open(ledger) || ledger->leases > 0) continue;
        forget_sweep(step, ledger);
        return true;
    }
    return false;
}

static void take_submit(const struct step *step, const struct message *message)
{
    struct broker *broker = step->broker;
    const struct digest id = digest_of(message->submit.sweep);
    const char *refusal = find_refusal(broker, message, &id);
    struct ledger *ledger = find_sweep(broker, &id);
    if (refusal == NULL && ledger == NULL && !make_room(step))
        refusal = "256 sweeps are open here, which is the most: wait until one is done, or cancel one";
    if (refusal != NULL) {
        answer_error(step, ERROR_REFUSED, refusal);
    } else if (ledger != NULL) {
        submit_again(step, ledger, message);
    } else {
        const bool kept = message->submit.population.size > 0 || has_population(broker, &broker->decoded->population);
        ledger = &broker->sweeps[broker->sweep_count++];
        ledger_open(ledger, &id, broker->decoded, kept);
        ledger->progress_ms = step->now_ms;
        broker->counters.sweeps_accepted++;
        broker->aggregator.wanted_due = true;
        keep_sweep(step, ledger, message);
        name_tenants(broker);
        ledger->pass = broker->pass;
        take_share(step, ledger, message, true);
        note_sweep(step, NOTE_SWEEP_ACCEPTED, ledger);
        accept(step, ledger, false);
    }
}

static void take_status(const struct step *step, const struct message *message)
{
    if (!digest_is_zero(&message->status.sweep) && find_sweep(step->broker, &message->status.sweep) == NULL)
        answer_error(step, ERROR_UNKNOWN, "no such sweep");
    else send_to(step, &step->from, MESSAGE_SWEEPS)->sweep = message->status.sweep;
}

static void take_explain(const struct step *step, const struct message *message)
{
    if (find_sweep(step->broker, &message->explain.sweep) == NULL) answer_error(step, ERROR_UNKNOWN, "no such sweep");
    else send_to(step, &step->from, MESSAGE_EXPLANATION)->sweep = message->explain.sweep;
}

/* The sweep that a client's order is for; NULL: it is not known, or not the client's, and that was answered. */
static struct ledger *ordered_sweep(const struct step *step, const struct digest *sweep)
{
    struct ledger *ledger = find_sweep(step->broker, sweep);
    if (ledger == NULL) answer_error(step, ERROR_UNKNOWN, "no such sweep");
    if (ledger == NULL || may_change(step, ledger)) return ledger;
    answer_error(step, ERROR_FORBIDDEN, "the sweep is not of your key: its owner or an admin may do that");
    return NULL;
}

static void take_cancel(const struct step *step, const struct message *message)
{
    struct ledger *ledger = ordered_sweep(step, &message->cancel.sweep);
    if (ledger == NULL) return;
    if (ledger->state == SWEEP_DONE) {
        answer_error(step, ERROR_REFUSED, "the sweep is done");
        return;
    }
    if (ledger_is_open(ledger)) {
        change_state(step, ledger, SWEEP_CANCELLED);
        note_sweep(step, NOTE_SWEEP_CANCELLED, ledger);
    }
    accept(step, ledger, true);
}

/* Nothing more is lent of it; what is lent is finished. */
static void take_pause(const struct step *step, const struct message *message)
{
    struct ledger *ledger = ordered_sweep(step, &message->pause.sweep);
    if (ledger == NULL) return;
    if (ledger->state != SWEEP_RUNNING && ledger->state != SWEEP_PAUSED) {
        answer_error(step, ERROR_REFUSED, "the sweep does not run");
        return;
    }
    if (ledger->state == SWEEP_RUNNING) {
        change_state(step, ledger, SWEEP_PAUSED);
        note_sweep(step, NOTE_SWEEP_PAUSED, ledger);
    }
    accept(step, ledger, true);
}

static void take_resume(const struct step *step, const struct message *message)
{
    struct ledger *ledger = ordered_sweep(step, &message->resume.sweep);
    if (ledger == NULL) return;
    if (ledger->state != SWEEP_RUNNING && ledger->state != SWEEP_PAUSED) {
        answer_error(step, ERROR_REFUSED, "the sweep is not paused");
        return;
    }
    if (ledger->state == SWEEP_PAUSED) {
        change_state(step, ledger, SWEEP_RUNNING);
        note_sweep(step, NOTE_SWEEP_RESUMED, ledger);
    }
    accept(step, ledger, true);
}

/* Whoever wants a sweep tried again may have mended what workers lacked. */
static void forget_unfit(struct broker *broker, const struct ledger *ledger)
{
    struct worker *worker = roster_first(&broker->roster);
    for (; worker != NULL; worker = roster_next(&broker->roster, worker)) worker_set_fit(worker, &ledger->sweep);
}

static void take_retry(const struct step *step, const struct message *message)
{
    struct ledger *ledger = ordered_sweep(step, &message->retry.sweep);
    if (ledger == NULL) return;
    if (ledger->state == SWEEP_DONE || ledger->state == SWEEP_CANCELLED) {
        answer_error(step, ERROR_REFUSED, "the sweep is done or cancelled: nothing of it is parked");
        return;
    }
    if (ledger->state == SWEEP_FAILED || ledger->state == SWEEP_STALLED) {
        ledger_reopen(ledger);
        change_state(step, ledger, SWEEP_RUNNING);
        note_sweep(step, NOTE_SWEEP_RESUMED, ledger);
    }
    ledger_retry(ledger);
    forget_unfit(step->broker, ledger);
    accept(step, ledger, true);
}

static void take_drain(const struct step *step, const struct message *message)
{
    struct roster *roster = &step->broker->roster;
    struct worker *worker = roster_of_name(roster, message->drain.name);
    if (worker == NULL) {
        answer_error(step, ERROR_UNKNOWN, "no such worker");
        return;
    }
    send_to(step, &step->from, MESSAGE_ACCEPTED)->send.known = worker->draining;
    if (!worker->draining) note_name(step, NOTE_WORKER_DRAINING, worker->name);
    roster_drain(roster, worker);
    send_to(step, &worker->peer, MESSAGE_DRAIN);
}

static void take_fetch(const struct step *step, const struct message *message)
{
    const struct digest *digest = &message->fetch.digest;
    const bool known = message->fetch.item == ITEM_SWEEP ? find_sweep(step->broker, digest) != NULL
                                                         : has_population(step->broker, digest);
    if (!known) {
        answer_error(step, ERROR_UNKNOWN, "no such sweep or population");
        return;
    }
    struct broker_effect *effect = send_to(step, &step->from, MESSAGE_ITEM);
    effect->sweep = *digest;
    effect->send.item = message->fetch.item;
}

/* Dispatch */

static void take_from_worker(const struct step *step, struct worker *worker, const struct message *message)
{
    roster_touch(&step->broker->roster, worker, step->now_ms);
    if (message->kind == MESSAGE_HEARTBEAT) take_heartbeat(step, worker, message);
    if (message->kind == MESSAGE_DONE) take_done(step, worker, message);
    if (message->kind == MESSAGE_FAILED) take_failed(step, worker, message);
    if (message->kind == MESSAGE_RETURNED) take_returned(step, worker, message);
}

/* Messages that only those who said HELLO may send. */
static void take_from_member(const struct step *step, const struct message *message)
{
    struct worker *worker = roster_of_peer(&step->broker->roster, &step->from);
    if (from_aggregator(step)) {
        step->broker->aggregator.seen_ms = step->now_ms;
        if (message->kind == MESSAGE_HELD) take_held(step, message);
        if (message->kind == MESSAGE_HEARTBEAT) welcome(step, &step->from);
    } else if (worker != NULL && message->kind != MESSAGE_HELD) {
        take_from_worker(step, worker, message);
    } else {
        send_to(step, &step->from, MESSAGE_STRANGER);
    }
}

static void take_goodbye(const struct step *step)
{
    struct worker *worker = roster_of_peer(&step->broker->roster, &step->from);
    if (worker != NULL) dismiss(step, worker, NOTE_WORKER_LEFT);
    if (from_aggregator(step)) lose_aggregator(step);
}

static void take_message(const struct step *step, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_HELLO:
        take_hello(step, message);
        break;
    case MESSAGE_GOODBYE:
        take_goodbye(step);
        break;
    case MESSAGE_FETCH:
        take_fetch(step, message);
        break;
    case MESSAGE_SUBMIT:
        take_submit(step, message);
        break;
    case MESSAGE_STATUS:
        take_status(step, message);
        break;
    case MESSAGE_CANCEL:
        take_cancel(step, message);
        break;
    case MESSAGE_PAUSE:
        take_pause(step, message);
        break;
    case MESSAGE_RESUME:
        take_resume(step, message);
        break;
    case MESSAGE_RETRY:
        take_retry(step, message);
        break;
    case MESSAGE_DRAIN:
        take_drain(step, message);
        break;
    case MESSAGE_WORKERS:
        send_to(step, &step->from, MESSAGE_ROSTER)->send.from = message->workers.from;
        break;
    case MESSAGE_EXPLAIN:
        take_explain(step, message);
        break;
    case MESSAGE_HEARTBEAT:
    case MESSAGE_DONE:
    case MESSAGE_FAILED:
    case MESSAGE_RETURNED:
    case MESSAGE_HELD:
        take_from_member(step, message);
        break;
    case MESSAGE_STORE: /* the shell's to compare: it has the journal */
    case MESSAGE_ERROR: /* an answer to it would be answered */
        break;
    default:
        answer_error(step, ERROR_REFUSED, "not a message for a broker");
    }
}

/* A worker that cannot be reached gets no lease until it is heard again; an aggregator is asked to
 * register again by the answer to its next heartbeat. */
static void take_undelivered(const struct step *step, uint64_t token)
{
    struct broker *broker = step->broker;
    struct worker *worker = roster_of_peer(&broker->roster, &step->from);
    if (from_aggregator(step)) lose_aggregator(step);
    if (worker == NULL) return;
    struct lease *lease = lending_find(broker, worker, token);
    if (lease != NULL) lending_end(broker, lease);
    roster_limit(&broker->roster, worker, 0);
}

/* Time */

/* When silence is to be judged next; UINT64_MAX: nobody is here. */
static uint64_t lapse_due_ms(const struct broker *broker)
{
    const struct lease *lease = lease_first(&broker->leases);
    const struct worker *worker = roster_first(&broker->roster);
    const struct aggregator *aggregator = &broker->aggregator;
    uint64_t due_ms = UINT64_MAX;
    if (lease != NULL) due_ms = sooner(due_ms, lease->due_ms);
    if (worker != NULL) due_ms = sooner(due_ms, worker->seen_ms + broker->setup.lease_ms);
    if (!peer_is_nobody(&aggregator->peer)) due_ms = sooner(due_ms, aggregator->seen_ms + broker->setup.lease_ms);
    return due_ms < broker->listen_until_ms ? broker->listen_until_ms : due_ms;
}

/* Whether this tick must not judge. One that comes long after it was due says that this process was stopped: what
 * others said meanwhile may be on its way still, or wait for a connection. They have half a lease's time to be heard,
 * and when that is over they are judged though it is a little late again: some brokers always are. */
static bool must_listen(const struct step *step)
{
    struct broker *broker = step->broker;
    const uint64_t due_ms = lapse_due_ms(broker), patience_ms = broker->setup.lease_ms / 2;
    const uint64_t late_ms = due_ms == broker->listen_until_ms ? patience_ms : LATE_MS;
    if (step->now_ms < due_ms) return true;
    if (step->now_ms - due_ms < late_ms) return false;
    broker->listen_until_ms = step->now_ms + patience_ms;
    return true;
}

static void lapse_leases(const struct step *step)
{
    struct broker *broker = step->broker;
    struct lease *lease;
    while ((lease = lease_first(&broker->leases)) != NULL && lease->due_ms <= step->now_ms && has_room(step)) {
        broker->counters.leases_lapsed++;
        const struct worker *worker = &broker->roster.slots[lease->worker];
        const bool silent = worker->seen_ms + broker->setup.lease_ms <= step->now_ms;
        note(step, NOTE_LEASE_LAPSED, worker->name, &broker->sweeps[lease->sweep].sweep, lease->blocks);
        lending_lose(step, lease, silent ? FAULT_CRASH : FAULT_LAPSE);
    }
}

static void dismiss_silent(const struct step *step)
{
    struct broker *broker = step->broker;
    const uint64_t patience_ms = broker->setup.lease_ms;
    struct worker *worker;
    while ((worker = roster_first(&broker->roster)) != NULL && worker->seen_ms + patience_ms <= step->now_ms &&
           has_room(step))
        dismiss(step, worker, NOTE_WORKER_LOST);
    if (!peer_is_nobody(&broker->aggregator.peer) && broker->aggregator.seen_ms + patience_ms <= step->now_ms)
        lose_aggregator(step);
}

/* What follows from any change */

static void tell_endpoint(const struct step *step)
{
    struct broker *broker = step->broker;
    struct worker *worker = broker->endpoint_due ? roster_first(&broker->roster) : NULL;
    for (; worker != NULL && has_room(step); worker = roster_next(&broker->roster, worker))
        if (worker->told_endpoint != broker->endpoint_number) welcome_worker(step, worker);
    broker->endpoint_due = worker != NULL;
}

static void tell_wanted(const struct step *step)
{
    struct aggregator *aggregator = &step->broker->aggregator;
    if (!aggregator->wanted_due || peer_is_nobody(&aggregator->peer)) return;
    send_to(step, &aggregator->peer, MESSAGE_WANTED);
    aggregator->wanted_due = false;
}

/* What was lost of finished sweeps shows in the aggregator's next HELD, which is sent of open sweeps only. */
static void doubt_finished(const struct step *step)
{
    struct broker *broker = step->broker;
    uint32_t at = broker->doubt_due ? 0 : broker->sweep_count;
    for (; at < broker->sweep_count && has_room(step); at++) {
        struct ledger *ledger = &broker->sweeps[at];
        if (ledger->state != SWEEP_DONE) continue;
        ledger_reopen(ledger);
        change_state(step, ledger, SWEEP_RUNNING);
        note_sweep(step, NOTE_SWEEP_DOUBTED, ledger);
    }
    broker->doubt_due = at < broker->sweep_count;
}

/* Parked blocks are kept, and a sweep stalls when nothing but they is left. */
static void settle_parked(const struct step *step)
{
    struct broker *broker = step->broker;
    for (uint32_t at = 0; at < broker->sweep_count && has_room(step); at++) {
        struct ledger *ledger = &broker->sweeps[at];
        if (ledger->parked_changed) emit(step, BROKER_KEEP_PARKED)->sweep = ledger->sweep;
        ledger->parked_changed = false;
        if (ledger->state == SWEEP_RUNNING && ledger_is_stuck(ledger)) {
            change_state(step, ledger, SWEEP_STALLED);
            note_sweep(step, NOTE_SWEEP_STALLED, ledger);
        } else if (ledger->state == SWEEP_STALLED && !ledger_is_stuck(ledger)) {
            change_state(step, ledger, SWEEP_RUNNING); /* the aggregator lost blocks, or has one that was parked */
        }
    }
}

static void pump(const struct step *step)
{
    doubt_finished(step);
    settle_parked(step);
    lending_withdraw(step);
    tell_endpoint(step);
    if (has_room(step)) tell_wanted(step);
    lending_lend(step);
    step->broker->busy = !has_room(step);
}

void broker_step(struct broker *broker, const struct broker_event *event, struct broker_effects *effects)
{
    const struct step step = {broker,         effects, event->now_ms, event->peer, event->holder ? event->holder : "",
                              event->own_only};
    effects->count = 0;
    broker->now_ms = event->now_ms;
    if (broker->began_ms == 0) broker->began_ms = event->now_ms;
    switch (event->kind) {
    case BROKER_MESSAGE:
        take_message(&step, event->message);
        break;
    case BROKER_UNDELIVERED:
        take_undelivered(&step, event->token);
        break;
    case BROKER_TICK:
        if (must_listen(&step)) break;
        lapse_leases(&step);
        dismiss_silent(&step);
        break;
    case BROKER_STORE_LOST:
        broker->doubt_due = true;
        break;
    }
    pump(&step);
}

uint64_t broker_next_due_ms(const struct broker *broker)
{
    if (broker->busy) return 0;
    return sooner(lapse_due_ms(broker), sooner(broker->retry_due_ms, broker->help_due_ms));
}

/* Restoring */

bool broker_restore(struct broker *broker, struct span bytes, bool population_kept, enum sweep_state state,
                    const struct digest *result, const char *text, const char **why)
{
    const struct digest id = digest_of(bytes);
    *why = "too many sweeps";
    if (broker->sweep_count == BROKER_SWEEPS_MAX) return false;
    if (!sweep_decode(bytes, broker->decoded, why)) return false;
    *why = "the same sweep twice";
    if (find_sweep(broker, &id) != NULL) return false;
    struct ledger *ledger = &broker->sweeps[broker->sweep_count++];
    ledger_open(ledger, &id, broker->decoded, population_kept);
    name_tenants(broker);
    ledger->state = state;
    ledger->result = *result;
    memcpy(ledger->text, text, strnlen(text, sizeof ledger->text - 1));
    struct block_range merged; /* a finished sweep is done, whatever became of the rows that say so */
    *why = "out of memory";
    return state != SWEEP_DONE || ledger_done(ledger, (struct block_range){0, ledger->blocks}, &merged);
}

bool broker_restore_done(struct broker *broker, const struct digest *sweep, struct block_range blocks)
{
    struct ledger *ledger = &broker->sweeps[broker->restored];
    struct block_range merged;
    /* Ranges come sweep by sweep, and there may be a million of them. */
    if (broker->restored == broker->sweep_count || !digest_equal(&ledger->sweep, sweep))
        ledger = find_sweep(broker, sweep);
    if (ledger == NULL) return false;
    broker->restored = (uint32_t)(ledger - broker->sweeps);
    return range_inside(blocks, ledger->blocks) && ledger_done(ledger, blocks, &merged);
}

bool broker_restore_share(struct broker *broker, const struct digest *sweep, uint32_t priority, uint32_t weight,
                          const char *tenant)
{
    struct ledger *ledger = find_sweep(broker, sweep);
    if (ledger == NULL || priority > MESSAGE_PRIORITY_MAX || weight < 1 || weight > MESSAGE_WEIGHT_MAX) return false;
    set_share(broker, ledger, priority, weight, tenant);
    return true;
}

bool broker_restore_owner(struct broker *broker, const struct digest *sweep, const char *owner)
{
    struct ledger *ledger = find_sweep(broker, sweep);
    return ledger != NULL && set_owner(ledger, owner);
}

bool broker_restore_parked(struct broker *broker, const struct digest *sweep, const struct parked *parked)
{
    struct ledger *ledger = find_sweep(broker, sweep);
    return ledger != NULL && ledger_restore_parked(ledger, parked);
}

const struct ledger *broker_sweep(const struct broker *broker, const struct digest *sweep)
{
    return find_sweep(broker, sweep);
}

bool broker_aggregator_is(const struct broker *broker, const struct peer *peer)
{
    const struct peer *aggregator = &broker->aggregator.peer;
    return !peer_is_nobody(aggregator) && peer_equal(aggregator, peer);
}

size_t broker_worker_count(const struct broker *broker)
{
    return broker->roster.count;
}
