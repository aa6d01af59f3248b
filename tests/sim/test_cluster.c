/* A cluster on a virtual clock: the broker's core, three sessions of workers and a small aggregator,
 * joined by a network that loses, repeats and delays messages, while workers and the broker die. All
 * of it follows from a seed, which every failure names. Messages travel as bytes, by the real codec. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "digest.h"
#include "session.h"
#include "sweep_codec.h"

#define WORKERS       3
#define SWEEPS        2
#define BLOCKS_MAX    400
#define POSTS_MAX     8192
#define TROUBLE_MS    20000u  /* faults happen until then */
#define END_MS        120000u /* everything must be done by then */
#define HEARTBEAT_MS  500u
#define LEASE_MS      5000u
#define REPORT_MS     200u
#define AGGREGATOR_ID 0xa0
#define CLIENT_ID     0xc0

/* Somebody on the network: the broker, the aggregator, the client, or a worker. */
enum node { NODE_BROKER, NODE_AGGREGATOR, NODE_CLIENT, NODE_WORKER };

struct post {
    uint64_t due_ms;
    enum node from, to;
    struct peer peer; /* the connection: of whoever is not a server at its end */
    struct buffer bytes;
};

struct sim_worker {
    struct session *session; /* NULL: dead */
    uint32_t starts;         /* makes instances and connections */
    struct peer peer;
    uint64_t back_ms; /* dead until then */
    bool blocked;     /* a message to the broker did not go out */
    bool computing;
    struct session_effect job;
    uint64_t job_due_ms;
};

struct sim_sweep {
    struct digest id;
    struct buffer bytes;
    uint64_t blocks;
    bool held[BLOCKS_MAX]; /* folded, which happens once to each */
    /* the journal of the broker */
    bool kept;
    enum sweep_state state;
    struct digest result;
    bool done[BLOCKS_MAX];
    bool done_lazily[BLOCKS_MAX]; /* done, but not committed yet */
};

struct world {
    uint64_t seed, random, now_ms;
    struct broker *broker; /* NULL: dead */
    uint64_t broker_back_ms;
    struct sim_worker workers[WORKERS];
    struct sim_sweep sweeps[SWEEPS];
    uint64_t report_due_ms, beat_due_ms, submit_due_ms;
    bool aggregator_greeted;
    uint32_t deaths, restarts, lost, repeated;
    size_t post_count;
    struct post posts[POSTS_MAX];
    struct broker_effects broker_effects;
    struct session_effects session_effects[2];
    struct message in, out;
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->random = world->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (world->random >> 33) % below;
}

static bool trouble(struct world *world, uint64_t per_mille)
{
    return world->now_ms < TROUBLE_MS && draw(world, 1000) < per_mille;
}

static struct peer connection(uint8_t id, uint32_t number)
{
    struct peer peer = {.size = 5, .bytes = {id}};
    memcpy(peer.bytes + 1, &number, sizeof number);
    return peer;
}

/* The network */

static void post(struct world *world, enum node from, enum node to, struct peer peer, const struct message *message)
{
    const int copies = trouble(world, 50) ? 2 : 1;
    world->repeated += copies == 2;
    for (int copy = 0; copy < copies; copy++) {
        if (trouble(world, 50)) {
            world->lost++;
            continue;
        }
        cr_assert_lt(world->post_count, POSTS_MAX, "seed %lu", world->seed);
        struct post *letter = &world->posts[world->post_count++];
        *letter = (struct post){.due_ms = world->now_ms + 1 + draw(world, 5), .from = from, .to = to, .peer = peer};
        if (trouble(world, 30)) letter->due_ms += draw(world, 7000);
        message_encode(message, &letter->bytes);
    }
}

static struct sim_worker *worker_at(struct world *world, const struct peer *peer)
{
    for (int at = 0; at < WORKERS; at++)
        if (world->workers[at].session != NULL && peer_equal(&world->workers[at].peer, peer))
            return &world->workers[at];
    return NULL;
}

static struct sim_sweep *sweep_of(struct world *world, const struct digest *id)
{
    for (int at = 0; at < SWEEPS; at++)
        if (digest_equal(&world->sweeps[at].id, id)) return &world->sweeps[at];
    cr_assert_fail("seed %lu: an unknown sweep", world->seed);
    return NULL;
}

/* The broker's shell: its journal and its sends */

static void commit_done(struct sim_sweep *sweep)
{
    for (uint64_t block = 0; block < sweep->blocks; block++) sweep->done[block] |= sweep->done_lazily[block];
    memset(sweep->done_lazily, 0, sizeof sweep->done_lazily);
}

static void journal_ranges(struct world *world, struct sim_sweep *sweep)
{
    const struct ledger *ledger = broker_sweep(world->broker, &sweep->id);
    memset(sweep->done, 0, sizeof sweep->done);
    memset(sweep->done_lazily, 0, sizeof sweep->done_lazily);
    for (size_t at = 0; at < ledger->done.count; at++)
        memset(sweep->done + ledger->done.items[at].first, 1, ledger->done.items[at].count);
}

/* One transaction: what waited goes with it. */
static void commit(struct world *world, struct sim_sweep *sweep, const struct ledger *ledger)
{
    sweep->kept = true;
    sweep->state = ledger->state;
    sweep->result = ledger->result;
    for (int at = 0; at < SWEEPS; at++) commit_done(&world->sweeps[at]);
}

static void keep(struct world *world, const struct broker_effect *effect)
{
    struct sim_sweep *sweep = sweep_of(world, &effect->sweep);
    const struct ledger *ledger = broker_sweep(world->broker, &effect->sweep);
    if (effect->kind == BROKER_KEEP_DONE) memset(sweep->done_lazily + effect->blocks.first, 1, effect->blocks.count);
    else if (effect->kind == BROKER_KEEP_RANGES) journal_ranges(world, sweep);
    else commit(world, sweep, ledger);
}

static void broker_send(struct world *world, const struct broker_effect *effect)
{
    const uint8_t id = effect->send.to.bytes[0];
    if (!broker_compose(world->broker, effect, &world->out)) {
        world->out.item.item = effect->send.item;
        world->out.item.digest = effect->sweep;
        world->out.item.bytes = buffer_span(&sweep_of(world, &effect->sweep)->bytes);
    }
    const enum node to = id == AGGREGATOR_ID ? NODE_AGGREGATOR : id == CLIENT_ID ? NODE_CLIENT : NODE_WORKER;
    post(world, NODE_BROKER, to, effect->send.to, &world->out);
}

/* What the broker believes to be done is on the aggregator's disk, and each lent block is counted once. */
static void check(struct world *world)
{
    cr_assert(broker_is_sound(world->broker), "seed %lu at %lu ms", world->seed, world->now_ms);
    for (int at = 0; at < SWEEPS; at++) {
        const struct sim_sweep *sweep = &world->sweeps[at];
        const struct ledger *ledger = broker_sweep(world->broker, &sweep->id);
        if (ledger == NULL) continue;
        for (size_t item = 0; item < ledger->done.count; item++)
            for (uint64_t block = ledger->done.items[item].first; block < range_end(ledger->done.items[item]); block++)
                cr_assert(sweep->held[block], "seed %lu at %lu ms: block %lu", world->seed, world->now_ms, block);
    }
}

static void step_broker(struct world *world, struct broker_event event)
{
    event.now_ms = world->now_ms;
    broker_step(world->broker, &event, &world->broker_effects);
    check(world);
    for (size_t at = 0; at < world->broker_effects.count; at++) {
        const struct broker_effect *effect = &world->broker_effects.list[at];
        if (effect->kind == BROKER_SEND) broker_send(world, effect);
        else if (effect->kind != BROKER_NOTE) keep(world, effect);
    }
}

static void start_broker(struct world *world)
{
    const char *why = "";
    world->broker = broker_new(&(struct broker_setup){HEARTBEAT_MS, LEASE_MS, draw(world, UINT32_MAX)});
    for (int at = 0; at < SWEEPS; at++) {
        const struct sim_sweep *sweep = &world->sweeps[at];
        if (!sweep->kept) continue;
        cr_assert(
            broker_restore(world->broker, buffer_span(&sweep->bytes), false, sweep->state, &sweep->result, "", &why),
            "seed %lu: %s", world->seed, why);
        for (uint64_t block = 0; block < sweep->blocks; block++)
            if (sweep->done[block])
                cr_assert(broker_restore_done(world->broker, &sweep->id, (struct block_range){block, 1}));
    }
}

static void kill_broker(struct world *world)
{
    broker_free(world->broker);
    world->broker = NULL;
    world->broker_back_ms = world->now_ms + draw(world, 3000);
    world->restarts++;
    for (int at = 0; at < SWEEPS; at++) {
        struct sim_sweep *sweep = &world->sweeps[at];
        if (draw(world, 2) == 0) commit_done(sweep);
        memset(sweep->done_lazily, 0, sizeof sweep->done_lazily);
    }
}

/* The workers' shells */

static void step_session(struct world *world, struct sim_worker *worker, struct session_event event, int depth);

static void session_send(struct world *world, struct sim_worker *worker, const struct session_effect *effect, int depth)
{
    session_compose(worker->session, effect, &world->out);
    if (effect->kind == SESSION_SEND_PART) {
        world->out.partial.node = (struct span){(const uint8_t *)"node", 4};
        post(world, NODE_WORKER, NODE_AGGREGATOR, worker->peer, &world->out);
    } else if (world->broker != NULL) {
        post(world, NODE_WORKER, NODE_BROKER, worker->peer, &world->out);
    } else {
        worker->blocked = true;
        if (depth == 0)
            step_session(world, worker, (struct session_event){.kind = SESSION_UNSENT, .unsent = effect}, 1);
    }
}

static void carry_out(struct world *world, struct sim_worker *worker, int index, const struct session_effect *effect,
                      int depth)
{
    switch (effect->kind) {
    case SESSION_SEND:
    case SESSION_SEND_PART:
        session_send(world, worker, effect, depth);
        break;
    case SESSION_RECONNECT:
        worker->peer = connection((uint8_t)(1 + index), ++worker->starts);
        break;
    case SESSION_COMPUTE:
        cr_assert_not(worker->computing, "seed %lu: one part at a time", world->seed);
        worker->computing = true;
        worker->job = *effect;
        worker->job_due_ms = world->now_ms + 1 + (draw(world, 60) << effect->level);
        if (trouble(world, 10)) worker->job_due_ms += 6000; /* longer than a lease */
        break;
    case SESSION_ABORT:
        worker->job_due_ms = world->now_ms;
        break;
    default:
        break;
    }
}

static void step_session(struct world *world, struct sim_worker *worker, struct session_event event, int depth)
{
    struct session_effects *effects = &world->session_effects[depth];
    event.now_ms = world->now_ms;
    session_step(worker->session, &event, effects);
    for (size_t at = 0; at < effects->count; at++)
        carry_out(world, worker, (int)(worker - world->workers), &effects->list[at], depth);
}

static void start_worker(struct world *world, struct sim_worker *worker)
{
    char name[8];
    const int index = (int)(worker - world->workers);
    snprintf(name, sizeof name, "w%d", index);
    worker->starts++;
    worker->peer = connection((uint8_t)(1 + index), worker->starts);
    worker->computing = worker->blocked = false;
    worker->session = session_new(&(struct session_setup){.name = name, .program = "sim", .instance = worker->starts});
    step_session(world, worker, (struct session_event){.kind = SESSION_TICK}, 0);
}

static void kill_worker(struct world *world, struct sim_worker *worker)
{
    session_free(worker->session);
    worker->session = NULL;
    worker->back_ms = world->now_ms + draw(world, 8000);
    world->deaths++;
}

static void run_worker(struct world *world, struct sim_worker *worker)
{
    if (worker->session == NULL) {
        if (worker->back_ms <= world->now_ms) start_worker(world, worker);
        return;
    }
    if (worker->blocked && world->broker != NULL) {
        worker->blocked = false;
        step_session(world, worker, (struct session_event){.kind = SESSION_WRITABLE, .peer = SESSION_BROKER}, 0);
    }
    if (worker->computing && worker->job_due_ms <= world->now_ms) {
        worker->computing = false;
        struct session_event event = {.kind = SESSION_COMPUTED, .slot = worker->job.slot};
        event.computed.bytes = UINT64_C(100) << worker->job.level;
        event.computed.compute_us = 1000 + draw(world, 30000);
        if (trouble(world, 5)) event.computed.failure = "out of memory";
        event.computed.failed_block = worker->job.index << worker->job.level;
        step_session(world, worker, event, 0);
    }
    if (session_next_due_ms(worker->session) <= world->now_ms)
        step_session(world, worker, (struct session_event){.kind = SESSION_TICK}, 0);
    if (trouble(world, 1)) kill_worker(world, worker);
}

/* The aggregator */

static uint64_t count_held(const struct sim_sweep *sweep, uint64_t first, uint64_t count)
{
    uint64_t held = 0;
    for (uint64_t block = first; block < first + count; block++) held += sweep->held[block];
    return held;
}

static void take_partial(struct world *world, struct peer peer)
{
    struct sim_sweep *sweep = sweep_of(world, &world->in.partial.sweep);
    const uint32_t level = world->in.partial.level;
    const uint64_t index = world->in.partial.index, first = index << level, count = UINT64_C(1) << level;
    cr_assert_leq(first + count, sweep->blocks, "seed %lu: a part beyond the sweep", world->seed);
    const uint64_t held = count_held(sweep, first, count);
    enum message_outcome outcome = held == 0 ? FOLD_NEW : held == count ? FOLD_DUPLICATE : FOLD_OVERLAP;
    if (trouble(world, 30)) outcome = FOLD_UNKNOWN_SWEEP;
    if (outcome == FOLD_NEW) memset(sweep->held + first, 1, count);
    world->out.kind = MESSAGE_FOLDED;
    world->out.folded.sweep = sweep->id;
    world->out.folded.level = level;
    world->out.folded.index = index;
    world->out.folded.outcome = outcome;
    world->out.folded.text[0] = 0;
    post(world, NODE_AGGREGATOR, NODE_WORKER, peer, &world->out);
}

static void tell_broker(struct world *world)
{
    post(world, NODE_AGGREGATOR, NODE_BROKER, connection(AGGREGATOR_ID, 1), &world->out);
}

static void report_held(struct world *world, const struct sim_sweep *sweep)
{
    struct message *message = &world->out;
    message->kind = MESSAGE_HELD;
    message->held.sweep = sweep->id;
    message->held.count = 0;
    message->held.complete = count_held(sweep, 0, sweep->blocks) == sweep->blocks;
    memset(message->held.result.bytes, message->held.complete ? 1 : 0, DIGEST_BYTES);
    for (uint64_t block = 0; block < sweep->blocks; block++) {
        if (!sweep->held[block]) continue;
        struct block_range *last = &message->held.ranges[message->held.count];
        if (block > 0 && sweep->held[block - 1]) last[-1].count++;
        else *last = (struct block_range){block, 1}, message->held.count++;
    }
    tell_broker(world);
}

static void run_aggregator(struct world *world)
{
    if (world->broker == NULL) return;
    if (!world->aggregator_greeted) {
        world->aggregator_greeted = true;
        world->out.kind = MESSAGE_HELLO;
        memset(&world->out.hello, 0, sizeof world->out.hello);
        world->out.hello.role = ROLE_AGGREGATOR;
        world->out.hello.instance = 1;
        strcpy(world->out.hello.endpoint, "sim://aggregator");
        tell_broker(world);
    }
    if (world->beat_due_ms <= world->now_ms) {
        world->beat_due_ms = world->now_ms + HEARTBEAT_MS;
        world->out.kind = MESSAGE_HEARTBEAT;
        world->out.heartbeat.room = 0;
        world->out.heartbeat.token_count = 0;
        tell_broker(world);
    }
    if (world->report_due_ms <= world->now_ms) {
        world->report_due_ms = world->now_ms + REPORT_MS;
        for (int at = 0; at < SWEEPS; at++) report_held(world, &world->sweeps[at]);
    }
}

/* The client submits until both sweeps are accepted. */
static void run_client(struct world *world)
{
    if (world->broker == NULL || world->submit_due_ms > world->now_ms) return;
    world->submit_due_ms = world->now_ms + 1000;
    for (int at = 0; at < SWEEPS; at++) {
        if (world->sweeps[at].kept && world->sweeps[at].state != SWEEP_FAILED) continue;
        world->out.kind = MESSAGE_SUBMIT;
        world->out.submit.sweep = buffer_span(&world->sweeps[at].bytes);
        world->out.submit.population = (struct span){0};
        post(world, NODE_CLIENT, NODE_BROKER, connection(CLIENT_ID, 1), &world->out);
    }
}

/* The world */

static void receive(struct world *world, const struct post *letter)
{
    const char *why = NULL;
    struct sim_worker *worker = worker_at(world, &letter->peer);
    cr_assert(message_decode(buffer_span(&letter->bytes), &world->in, &why), "seed %lu: %s", world->seed, why);
    if (letter->to == NODE_BROKER && world->broker != NULL)
        step_broker(world, (struct broker_event){.kind = BROKER_MESSAGE, .peer = letter->peer, .message = &world->in});
    if (letter->to == NODE_AGGREGATOR && letter->from == NODE_WORKER) take_partial(world, letter->peer);
    if (letter->to == NODE_AGGREGATOR && letter->from == NODE_BROKER && world->in.kind == MESSAGE_STRANGER)
        world->aggregator_greeted = false;
    if (letter->to != NODE_WORKER || worker == NULL) return;
    const enum session_peer peer = letter->from == NODE_BROKER ? SESSION_BROKER : SESSION_AGGREGATOR;
    step_session(world, worker, (struct session_event){.kind = SESSION_MESSAGE, .peer = peer, .message = &world->in},
                 0);
}

static void deliver_due(struct world *world)
{
    for (size_t at = 0; at < world->post_count;) {
        if (world->posts[at].due_ms > world->now_ms) {
            at++;
            continue;
        }
        struct post letter = world->posts[at];
        world->posts[at] = world->posts[--world->post_count];
        receive(world, &letter);
        buffer_free(&letter.bytes);
    }
}

static void run_broker(struct world *world)
{
    if (world->broker == NULL) {
        if (world->broker_back_ms <= world->now_ms) start_broker(world);
        return;
    }
    if (broker_next_due_ms(world->broker) <= world->now_ms)
        step_broker(world, (struct broker_event){.kind = BROKER_TICK});
    if (trouble(world, 1) && draw(world, 4) == 0) kill_broker(world);
}

static void make_sweep(struct world *world, struct sim_sweep *kept, int number)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    kept->blocks = 1 + draw(world, BLOCKS_MAX - 1);
    snprintf(sweep->name, sizeof sweep->name, "s%d", number);
    strcpy(sweep->model, "entitlement");
    strcpy(sweep->model_version, "1");
    strcpy(sweep->population_name, "england-2023");
    sweep->years = 1;
    sweep->first_year = 202526;
    sweep->method = DESIGN_RANDOM;
    sweep->draws = kept->blocks;
    sweep->draws_per_block = 1;
    sweep->levels = 1u << AREA_ENGLAND;
    sweep->parameter_count = 1;
    strcpy(sweep->parameters[0].name, "p");
    sweep->scenario_count = 1;
    strcpy(sweep->scenarios[0].name, "base");
    sweep_encode(sweep, &kept->bytes);
    kept->id = sweep_identity(sweep);
    free(sweep);
}

static struct world *open_world(uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    cr_assert_not_null(world);
    world->seed = seed;
    world->random = seed * UINT64_C(0x9e3779b97f4a7c15);
    world->now_ms = 1;
    for (int at = 0; at < SWEEPS; at++) make_sweep(world, &world->sweeps[at], at);
    start_broker(world);
    return world;
}

static void close_world(struct world *world)
{
    for (size_t at = 0; at < world->post_count; at++) buffer_free(&world->posts[at].bytes);
    for (int at = 0; at < WORKERS; at++) session_free(world->workers[at].session);
    for (int at = 0; at < SWEEPS; at++) buffer_free(&world->sweeps[at].bytes);
    broker_free(world->broker);
    free(world);
}

static bool is_done(const struct world *world)
{
    for (int at = 0; at < SWEEPS; at++) {
        const struct ledger *ledger = world->broker ? broker_sweep(world->broker, &world->sweeps[at].id) : NULL;
        if (ledger == NULL || ledger->state != SWEEP_DONE) return false;
    }
    return true;
}

static void run_world(struct world *world)
{
    for (; world->now_ms < END_MS && !is_done(world); world->now_ms++) {
        deliver_due(world);
        run_broker(world);
        run_aggregator(world);
        run_client(world);
        for (int at = 0; at < WORKERS; at++) run_worker(world, &world->workers[at]);
    }
    for (int at = 0; at < SWEEPS; at++) {
        const struct ledger *ledger = broker_sweep(world->broker, &world->sweeps[at].id);
        cr_assert(ledger != NULL && ledger->state == SWEEP_DONE, "seed %lu: sweep %d is not done: %lu of %lu blocks",
                  world->seed, at, ledger != NULL ? ledger->done.total : 0, world->sweeps[at].blocks);
        cr_assert_eq(count_held(&world->sweeps[at], 0, world->sweeps[at].blocks), world->sweeps[at].blocks);
    }
}

Test(cluster, every_block_is_folded_once_whatever_is_lost_repeated_or_killed)
{
    const char *given = getenv("SIM_SEED");
    const uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1, last = given != NULL ? first : 60;
    uint32_t deaths = 0, restarts = 0, lost = 0, repeated = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        struct world *world = open_world(seed);
        run_world(world);
        deaths += world->deaths;
        restarts += world->restarts;
        lost += world->lost;
        repeated += world->repeated;
        close_world(world);
    }
    if (given != NULL) return;
    cr_assert(deaths > 0 && restarts > 0 && lost > 0 && repeated > 0, "faults happened: %u %u %u %u", deaths, restarts,
              lost, repeated);
}

Test(cluster, without_faults_nothing_is_computed_twice_and_it_ends_soon)
{
    struct world *world = open_world(7);
    world->now_ms = TROUBLE_MS;
    run_world(world);
    cr_assert_eq(world->deaths + world->restarts + world->lost + world->repeated, 0);
    cr_assert_lt(world->now_ms, TROUBLE_MS + 20000, "%lu ms", world->now_ms);
    close_world(world);
}
