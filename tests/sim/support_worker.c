/* A worker's host: worker/main.c and shell_compute.c on the virtual clock and network, and lies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "support_nodes.h"
#include "support_world.h"
#include "sweep_codec.h"

#define TURN_MESSAGES 64u /* as worker/main.c */
#define UNSENT_DEPTH  3u
#define SLOW_TIMES    100u

static struct worker_host *worker_of(struct world *world, uint32_t host)
{
    return &world->workers[host - HOST_WORKERS];
}

static void step(struct world *world, uint32_t host, struct session_event event, uint32_t depth);

/* Sends */

/* A worker that keeps to the rules says DONE only of what the aggregator has on disk. */
static void check_done(struct world *world)
{
    const struct message *out = &world->out;
    const struct sim_sweep *sweep = world_sweep(world, &out->done.sweep);
    if (!world->untruthful && !world_is_covered(sweep, out->done.blocks))
        world_fail(world, "a worker reports blocks %lu+%lu as done, which are not on disk", out->done.blocks.first,
                   out->done.blocks.count);
}

static void add_node(struct world *world, const struct worker_host *worker, const struct session_effect *effect)
{
    const struct span bytes = worker->parts[effect->slot];
    if (bytes.size == 0) world_fail(world, "a worker sends a part whose bytes it has dropped");
    if (!digest_equal(&worker->part_sweeps[effect->slot], &effect->digest))
        world_fail(world, "a worker sends a part of another sweep");
    world->out.partial.node = bytes;
}

static void send_effect(struct world *world, uint32_t host, const struct session_effect *effect, uint32_t depth)
{
    struct worker_host *worker = worker_of(world, host);
    const bool part = effect->kind == SESSION_SEND_PART;
    const uint32_t slot = part ? SLOT_AGGREGATOR : SLOT_BROKER;
    session_compose(worker->session, effect, &world->out);
    if (part) add_node(world, worker, effect);
    if (effect->message == MESSAGE_DONE) check_done(world);
    if (world->over || network_send_up(world, host, slot, &world->out) == NETWORK_OK) return;
    worker->blocked[slot] = true;
    if (depth + 1 < UNSENT_DEPTH)
        step(world, host, (struct session_event){.kind = SESSION_UNSENT, .unsent = effect}, depth + 1);
}

/* Computing */

static void load(struct world *world, struct worker_host *worker, const struct session_effect *effect)
{
    const struct digest digest = digest_of(effect->bytes);
    if (effect->kind == SESSION_LOAD_SWEEP) {
        const struct sim_sweep *sweep = world_sweep(world, &digest);
        worker->places[effect->place] = sweep == NULL ? 0 : (uint32_t)(sweep - world->sweeps) + 1;
        worker->populated[effect->place] = sweep != NULL && sweep->population_bytes.size == 0;
        if (sweep == NULL) world_fail(world, "a worker loads a sweep that nobody submitted");
    } else {
        const struct sim_sweep *sweep = &world->sweeps[worker->places[effect->place] - 1];
        worker->populated[effect->place] = digest_equal(&digest, &sweep->population);
    }
    if (worker->computing && worker->job.place == effect->place)
        world_fail(world, "a worker loads over the sweep that it computes");
}

/* For as long as the world lasts, and not for some time as SIM_STRAGGLED. */
static void straggle(struct world *world, struct worker_host *worker)
{
    if (worker->pace == SIM_FAULT_COUNT) return;
    world->report->faults[worker->pace]++;
    if (worker->pace == SIM_STUCK) worker->job_due_ms = UINT64_MAX;
    else worker->job_due_ms += (SLOW_TIMES - 1) * (worker->job_due_ms - world->now_ms);
}

static void compute(struct world *world, struct worker_host *worker, const struct session_effect *effect)
{
    const uint64_t blocks = UINT64_C(1) << effect->level;
    if (worker->computing) world_fail(world, "a worker starts a part before the last is through");
    if (worker->places[effect->place] == 0 || !worker->populated[effect->place])
        world_fail(world, "a worker computes a sweep that it has not loaded");
    worker->computing = true;
    worker->job = *effect;
    worker->job_started_ms = world->now_ms;
    worker->job_us += blocks * (world->limits.block_us / 2 + world_draw(world, world->limits.block_us + 1));
    worker->job_due_ms = world->now_ms + worker->job_us / 1000;
    if (world_trouble(world, SIM_STRAGGLED, world->limits.slow_ppm))
        worker->job_due_ms += world_draw(world, 4 * world->limits.lease_ms);
    straggle(world, worker);
    worker->job_us %= 1000;
    worker->job_failed = world_trouble(world, SIM_BLOCK_FAILED, world->limits.fail_ppm);
}

static void carry_out(struct world *world, uint32_t host, const struct session_effect *effect, uint32_t depth)
{
    struct worker_host *worker = worker_of(world, host);
    unsigned life;
    switch (effect->kind) {
    case SESSION_SEND:
    case SESSION_SEND_PART:
        send_effect(world, host, effect, depth);
        break;
    case SESSION_RECONNECT:
        network_dial(world, host, SLOT_BROKER, HOST_BROKER, 0);
        worker->blocked[SLOT_BROKER] = false;
        break;
    case SESSION_CONNECT:
        life = (unsigned)strtoul(session_aggregator(worker->session) + strlen("sim://"), NULL, 10);
        network_dial(world, host, SLOT_AGGREGATOR, HOST_AGGREGATOR, life);
        worker->blocked[SLOT_AGGREGATOR] = false;
        break;
    case SESSION_LOAD_SWEEP:
    case SESSION_LOAD_POPULATION:
        load(world, worker, effect);
        break;
    case SESSION_COMPUTE:
        compute(world, worker, effect);
        break;
    case SESSION_ABORT:
        worker->job_failed = true;
        if (worker->pace != SIM_STUCK && worker->job_due_ms > world->now_ms) worker->job_due_ms = world->now_ms;
        break;
    case SESSION_DROP:
        worker->parts[effect->slot] = (struct span){0};
        break;
    }
}

static void step(struct world *world, uint32_t host, struct session_event event, uint32_t depth)
{
    struct worker_host *worker = worker_of(world, host);
    struct session_effects *effects = &worker->effects[depth];
    event.now_ms = world_clock(world, host);
    session_step(worker->session, &event, effects);
    if (session_lease_count(worker->session) > SESSION_LEASES_MAX) world_fail(world, "a worker holds too many leases");
    for (size_t at = 0; at < effects->count && !world->over; at++) {
        if (world_dies_here(world, host)) return;
        carry_out(world, host, &effects->list[at], depth);
        if (world->hosts[host].dying) return;
    }
}

static void take_computed(struct world *world, uint32_t host)
{
    struct worker_host *worker = worker_of(world, host);
    const struct session_effect *job = &worker->job;
    if (!worker->computing || worker->job_due_ms > world->now_ms) return;
    const struct sim_sweep *sweep = &world->sweeps[worker->places[job->place] - 1];
    struct session_event event = {.kind = SESSION_COMPUTED, .slot = job->slot};
    worker->computing = false;
    worker->parts[job->slot] = (struct span){0};
    event.computed.compute_us = (world->now_ms - worker->job_started_ms) * 1000 + 1;
    event.computed.failed_block = job->index << job->level;
    if (worker->job_failed) {
        event.computed.failure = "out of memory";
    } else if (((job->index + 1) << job->level) > (job->level > 0 ? sweep->full_blocks : sweep->blocks)) {
        world_fail(world, "a worker computes beyond the sweep, or a short block with others");
        return;
    } else {
        worker->parts[job->slot] = world_node(sweep, job->level, job->index);
        worker->part_sweeps[job->slot] = sweep->id;
        event.computed.bytes = worker->parts[job->slot].size;
    }
    step(world, host, event, 0);
}

/* Lies: everything that a confused or hostile worker may say without making up figures. */

static struct block_range some_blocks(struct world *world, const struct sim_sweep *sweep)
{
    const uint64_t first = world_draw(world, sweep->blocks + 1), most = sweep->blocks - first;
    const uint64_t count = 1 + world_draw(world, world_draw(world, 4) == 0 ? sweep->blocks : most / 4 + 1);
    return (struct block_range){first, count};
}

static uint64_t some_token(struct world *world, const struct worker_host *worker)
{
    return world_draw(world, 8) == 0 ? world_draw(world, UINT64_MAX) : worker->last_tokens[world_draw(world, 8)];
}

static void forge_partial(struct world *world, uint32_t host, const struct sim_sweep *sweep)
{
    struct message *out = &world->out;
    const uint32_t level = (uint32_t)world_draw(world, 4), other = (uint32_t)world_draw(world, 4);
    const uint64_t whole = sweep->blocks >> level;
    if (whole == 0) return;
    const uint64_t index = world_draw(world, whole);
    out->kind = MESSAGE_PARTIAL;
    out->partial.sweep = sweep->id;
    out->partial.level = other;
    out->partial.index = world_draw(world, 4) == 0 ? world_draw(world, 9000) : index;
    out->partial.node = world_node(sweep, level, index); /* the right figures, maybe of another place */
    if (world_draw(world, 8) == 0) out->partial.node.size /= 2;
    network_send_up(world, host, SLOT_AGGREGATOR, out);
}

static void forge_report(struct world *world, uint32_t host, const struct sim_sweep *sweep)
{
    struct message *out = &world->out;
    const struct worker_host *worker = worker_of(world, host);
    if (world_draw(world, 3) > 0) {
        out->kind = MESSAGE_DONE;
        out->done.token = some_token(world, worker);
        out->done.sweep = sweep->id;
        out->done.blocks = some_blocks(world, sweep);
        out->done.compute_us = world_draw(world, 5) == 0 ? UINT64_MAX : world_draw(world, 100000);
        world->untruthful = true;
    } else {
        out->kind = MESSAGE_FAILED;
        out->failed.token = some_token(world, worker);
        out->failed.sweep = sweep->id;
        out->failed.blocks = some_blocks(world, sweep);
        out->failed.cause = world_draw(world, 20) == 0 ? CAUSE_ERROR : CAUSE_OVERLAP + (int)world_draw(world, 3);
        snprintf(out->failed.text, sizeof out->failed.text, "so it says");
    }
    network_send_up(world, host, SLOT_BROKER, out);
}

static void forge_greeting(struct world *world, uint32_t host)
{
    struct message *out = &world->out;
    if (world_draw(world, 2) == 0) {
        out->kind = MESSAGE_HEARTBEAT;
        out->heartbeat.room = world_draw(world, 100);
        out->heartbeat.token_count = (uint32_t)world_draw(world, 9);
        for (uint32_t at = 0; at < out->heartbeat.token_count; at++)
            out->heartbeat.tokens[at] = some_token(world, worker_of(world, host));
    } else {
        out->kind = MESSAGE_HELLO;
        memset(&out->hello, 0, sizeof out->hello);
        out->hello.role = ROLE_WORKER;
        out->hello.instance = world_draw(world, 3);
        out->hello.encoding = SWEEP_ENCODING_LATEST; /* who says that it reads nothing is lent nothing */
        snprintf(out->hello.name, sizeof out->hello.name, "w%lu",
                 (unsigned long)world_draw(world, world->worker_count) + HOST_WORKERS);
    }
    network_send_up(world, host, SLOT_BROKER, out);
}

static void lie(struct world *world, uint32_t host)
{
    struct worker_host *worker = worker_of(world, host);
    const struct sim_sweep *sweep = &world->sweeps[world_draw(world, world->sweep_count)];
    if (!worker->lies || !world_trouble(world, SIM_LIED, world->limits.lie_ppm)) return;
    switch (world_draw(world, 3)) {
    case 0:
        forge_partial(world, host, sweep);
        break;
    case 1:
        forge_report(world, host, sweep);
        break;
    default:
        forge_greeting(world, host);
        break;
    }
}

/* The loop */

static bool goes_on(const struct world *world, uint32_t host)
{
    return !world->over && !world->hosts[host].dying;
}

static void note_token(struct worker_host *worker, const struct message *message)
{
    if (message->kind == MESSAGE_LEASE) worker->last_tokens[worker->last_token++ % 8] = message->lease.token;
}

static void receive_from(struct world *world, uint32_t host, uint32_t slot)
{
    struct letter letter;
    for (uint32_t count = 0; count < TURN_MESSAGES && goes_on(world, host); count++) {
        const char *why = "";
        if (!network_receive(world, host, slot, &letter)) return;
        const bool read = message_decode(buffer_span(&letter.bytes), &world->in, &why);
        if (!read) world_fail(world, "a worker cannot read a message: %s", why);
        note_token(worker_of(world, host), &world->in);
        const enum session_peer peer = slot == SLOT_BROKER ? SESSION_BROKER : SESSION_AGGREGATOR;
        if (read)
            step(world, host, (struct session_event){.kind = SESSION_MESSAGE, .peer = peer, .message = &world->in}, 0);
        buffer_free(&letter.bytes);
    }
}

static void tell_writable(struct world *world, uint32_t host, uint32_t slot)
{
    struct worker_host *worker = worker_of(world, host);
    if (!goes_on(world, host) || !worker->blocked[slot] || !network_can_send(world, host, slot)) return;
    worker->blocked[slot] = false;
    const enum session_peer peer = slot == SLOT_BROKER ? SESSION_BROKER : SESSION_AGGREGATOR;
    step(world, host, (struct session_event){.kind = SESSION_WRITABLE, .peer = peer}, 0);
}

void worker_host_turn(struct world *world, uint32_t host)
{
    struct worker_host *worker = worker_of(world, host);
    if (session_next_due_ms(worker->session) <= world_clock(world, host))
        step(world, host, (struct session_event){.kind = SESSION_TICK}, 0);
    if (goes_on(world, host)) take_computed(world, host);
    receive_from(world, host, SLOT_BROKER);
    receive_from(world, host, SLOT_AGGREGATOR);
    tell_writable(world, host, SLOT_BROKER);
    tell_writable(world, host, SLOT_AGGREGATOR);
    if (!goes_on(world, host)) return;
    lie(world, host);
    world_wake_local(world, host, session_next_due_ms(worker->session));
    if (worker->computing) world_wake(world, host, worker->job_due_ms);
    if (network_has_mail(world, host)) world_wake(world, host, world->now_ms);
}

void worker_host_start(struct world *world, uint32_t host)
{
    char name[MESSAGE_NAME_BYTES];
    struct worker_host *worker = worker_of(world, host);
    const bool lies = worker->lies;
    const enum sim_fault pace = worker->pace;
    snprintf(name, sizeof name, "w%u", host);
    *worker = (struct worker_host){.lies = lies, .pace = pace};
    const struct session_setup setup = {
        .name = name, .program = "sim", .instance = world_draw(world, UINT64_MAX), .built_in_population = {{1}}};
    worker->session = session_new(&setup);
    if (worker->session == NULL) abort();
    network_dial(world, host, SLOT_BROKER, HOST_BROKER, 0);
}

/* An orderly end: everything is handed back. */
void worker_host_stop(struct world *world, uint32_t host)
{
    if (session_next_due_ms(worker_of(world, host)->session) == 0) return; /* not begun */
    step(world, host, (struct session_event){.kind = SESSION_STOP}, 0);
}

void worker_host_die(struct world *world, uint32_t host)
{
    struct worker_host *worker = worker_of(world, host);
    session_free(worker->session);
    worker->session = NULL;
}
