#include "support_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "lending.h"
#include "population_codec.h"
#include "stop.h"
#include "support_nodes.h"
#include "sweep_codec.h"

#define TOKENS_FIRST 1024u
#define KIN_BLOCKS   300u    /* that one sweep of a family may have more than another */
#define SETTLE_MS    120000u /* after the last fault: what waits longest is sent again, leases lapse, all is redone */

/* Dice and clock */

uint64_t world_draw(struct world *world, uint64_t below)
{
    uint64_t mixed = world->dice += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return (mixed ^ mixed >> 31) % below;
}

bool world_chance(struct world *world, uint32_t per_million)
{
    return per_million > 0 && world_draw(world, 1000000) < per_million;
}

bool world_trouble(struct world *world, enum sim_fault fault, uint32_t per_million)
{
    if (world->healed || !world_chance(world, per_million)) return false;
    if (fault < SIM_FAULT_COUNT) world->report->faults[fault]++;
    return true;
}

uint64_t world_clock(const struct world *world, uint32_t host)
{
    return world->now_ms + world->hosts[host].offset_ms;
}

/* Failing and telling */

void world_fail(struct world *world, const char *format, ...)
{
    char what[SIM_WHY_BYTES - 64];
    va_list values;
    if (world->report->failed) return;
    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    world->report->failed = world->over = true;
    snprintf(world->report->why, sizeof world->report->why, "at %" PRIu64 " ms: %s", world->now_ms, what);
    TRACE(world, "FAILED: %s", what);
}

void world_trace(const struct world *world, const char *format, ...)
{
    va_list values;
    fprintf(stderr, "%8" PRIu64 " ", world->now_ms);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
}

/* Events: a binary heap, by time, then in the order in which they were made */

static bool is_before(const struct world_event *a, const struct world_event *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->serial < b->serial;
}

void world_at(struct world *world, uint64_t due_ms, enum world_event_kind kind, uint32_t a, uint32_t b, uint32_t c)
{
    if (world->heap_count == world->heap_capacity) {
        world->heap_capacity = world->heap_capacity == 0 ? 256 : world->heap_capacity * 2;
        world->heap = realloc(world->heap, world->heap_capacity * sizeof *world->heap);
        if (world->heap == NULL) abort();
    }
    const struct world_event event = {due_ms, world->serial++, kind, a, b, c};
    size_t at = world->heap_count++;
    for (; at > 0 && is_before(&event, &world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = event;
}

static bool next_event(struct world *world, struct world_event *event)
{
    if (world->heap_count == 0) return false;
    *event = world->heap[0];
    const struct world_event last = world->heap[--world->heap_count];
    size_t at = 0;
    for (size_t child; (child = at * 2 + 1) < world->heap_count; at = child) {
        if (child + 1 < world->heap_count && is_before(&world->heap[child + 1], &world->heap[child])) child++;
        if (!is_before(&world->heap[child], &last)) break;
        world->heap[at] = world->heap[child];
    }
    world->heap[at] = last;
    return true;
}

void world_wake(struct world *world, uint32_t number, uint64_t at_ms)
{
    struct host *host = &world->hosts[number];
    if (at_ms < world->now_ms) at_ms = world->now_ms;
    if (host->wake_ms <= at_ms) return; /* it wakes before */
    host->wake_ms = at_ms;
    world_at(world, at_ms, WORLD_WAKE, number, ++host->wake_version, 0);
}

void world_wake_local(struct world *world, uint32_t host, uint64_t local_ms)
{
    const uint64_t offset_ms = world->hosts[host].offset_ms;
    if (local_ms != UINT64_MAX) world_wake(world, host, local_ms > offset_ms ? local_ms - offset_ms : 0);
}

/* What must be true */

struct sim_sweep *world_sweep(struct world *world, const struct digest *id)
{
    for (uint32_t at = 0; at < world->sweep_count; at++)
        if (digest_equal(&world->sweeps[at].id, id)) return &world->sweeps[at];
    return NULL;
}

bool world_is_covered(const struct sim_sweep *sweep, struct block_range blocks)
{
    if (sweep == NULL || !range_inside(blocks, sweep->blocks)) return false;
    const bool ended = sweep->end < sweep->blocks && memchr(sweep->covered, 0, sweep->end) == NULL;
    return ended || memchr(sweep->covered + blocks.first, 0, blocks.count) == NULL;
}

static bool same_bytes(struct span a, struct span b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static void cover(struct world *world, const struct disk_key *key, bool covered)
{
    struct sim_sweep *sweep = world_sweep(world, &key->id);
    const uint64_t first = key->b << key->a, count = UINT64_C(1) << key->a;
    if (sweep == NULL || !range_inside((struct block_range){first, count}, sweep->blocks)) {
        world_fail(world, "a stored node is not of a sweep");
        return;
    }
    if (memchr(sweep->covered + first, covered, count) != NULL) {
        world_fail(world, "blocks of %" PRIu64 "+%" PRIu64 " are %s", first, count,
                   covered ? "folded twice" : "deleted twice");
        return;
    }
    memset(sweep->covered + first, covered, count);
    sweep->covered_count = covered ? sweep->covered_count + count : sweep->covered_count - count;
}

struct span world_node(const struct sim_sweep *sweep, uint32_t level, uint64_t index)
{
    const bool is_short = level == 0 && index == sweep->full_blocks;
    return is_short ? nodes_short_bytes(sweep->flavour, index) : nodes_bytes(sweep->flavour, level, index);
}

static void check_node(struct world *world, const struct disk_row *row)
{
    const struct sim_sweep *sweep = world_sweep(world, &row->key.id);
    if (world->over || row->damaged) return;
    if (!same_bytes(buffer_span(&row->value), world_node(sweep, (uint32_t)row->key.a, row->key.b)))
        world_fail(world, "the stored node %" PRIu64 "/%" PRIu64 " differs from the undisturbed one", row->key.a,
                   row->key.b);
}

/* Of a key that changed several times, what it was at first counts, and what it is now. */
static bool is_first_change(const struct disk *disk, size_t at)
{
    for (size_t before = 0; before < at; before++)
        if (disk_key_equal(&disk->log[before].key, &disk->log[at].key)) return false;
    return true;
}

void world_check_committed(struct world *world)
{
    const struct disk *disk = &world->aggregator_disk;
    for (size_t at = 0; at < disk->log_count && !world->over; at++)
        if (disk->log[at].key.table == TABLE_NODE && is_first_change(disk, at) && !disk->log[at].absent)
            cover(world, &disk->log[at].key, false);
    for (size_t at = 0; at < disk->log_count && !world->over; at++) {
        if (disk->log[at].key.table != TABLE_NODE || !is_first_change(disk, at)) continue;
        const struct disk_row *row = disk_find(disk, &disk->log[at].key);
        if (row == NULL) continue;
        cover(world, &row->key, true);
        check_node(world, row);
    }
}

static void recount(void *context, struct disk_row *row)
{
    struct world *world = context;
    cover(world, &row->key, true);
    if (!world->over) check_node(world, row);
}

void world_recount_covered(struct world *world)
{
    for (uint32_t at = 0; at < world->sweep_count; at++) {
        memset(world->sweeps[at].covered, 0, world->sweeps[at].blocks);
        world->sweeps[at].covered_count = 0;
    }
    disk_each(&world->aggregator_disk, TABLE_NODE, recount, world);
}

/* Tokens: a set by hash, 0 is a free place */

static bool add_token(uint64_t *tokens, size_t capacity, uint64_t token)
{
    size_t at = (size_t)(token * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (capacity - 1);
    for (; tokens[at] != 0; at = (at + 1) & (capacity - 1))
        if (tokens[at] == token) return false;
    tokens[at] = token;
    return true;
}

static void grow_tokens(struct world *world)
{
    const size_t capacity = world->token_capacity == 0 ? TOKENS_FIRST : world->token_capacity * 2;
    uint64_t *tokens = calloc(capacity, sizeof *tokens);
    if (tokens == NULL) abort();
    for (size_t at = 0; at < world->token_capacity; at++)
        if (world->tokens[at] != 0) add_token(tokens, capacity, world->tokens[at]);
    free(world->tokens);
    world->tokens = tokens;
    world->token_capacity = capacity;
}

void world_check_lease(struct world *world, uint64_t token)
{
    if (world->token_count * 2 >= world->token_capacity) grow_tokens(world);
    if (token == 0 || !add_token(world->tokens, world->token_capacity, token))
        world_fail(world, "token %" PRIu64 " is lent twice", token);
    world->token_count++;
}

/* Living and dying */

static enum sim_fault death_of(uint32_t host)
{
    return host == HOST_BROKER ? SIM_BROKER_DIED : host == HOST_AGGREGATOR ? SIM_AGGREGATOR_DIED : SIM_WORKER_DIED;
}

bool world_dies_here(struct world *world, uint32_t host)
{
    struct host *self = &world->hosts[host];
    const uint32_t kind = host == HOST_BROKER ? 0 : host == HOST_AGGREGATOR ? 1 : 2;
    if (world->over) return true;
    if (!self->dying && world_trouble(world, SIM_FAULT_COUNT, world->limits.crash_ppm[kind])) self->dying = true;
    return self->dying;
}

static void start_host(struct world *world, uint32_t number)
{
    struct host *host = &world->hosts[number];
    if (host->alive) return;
    host->alive = true;
    host->dying = host->stopped = false;
    host->life++;
    host->offset_ms = 1 + world_draw(world, 1000000000); /* clocks agree on nothing but speed */
    host->disk_ms = host->suspended_ms = 0;
    host->wake_ms = UINT64_MAX;
    TRACE(world, "host %u starts, life %u", number, host->life);
    if (number == HOST_BROKER) broker_host_start(world);
    else if (number == HOST_AGGREGATOR) aggregator_host_start(world);
    else if (number == HOST_CLIENT) client_host_start(world);
    else worker_host_start(world, number);
    world_wake(world, number, world->now_ms);
}

/* What the disk was writing when its host died is there whole, or not at all. */
static void crash_disk(struct world *world, struct disk *disk, bool writing)
{
    if (writing && disk->log_count > 0) {
        world->report->faults[SIM_COMMIT_TORN]++;
        if (world_draw(world, 2) == 0 && !disk->full) {
            if (disk == &world->aggregator_disk) world_check_committed(world);
            disk_commit(disk);
            return;
        }
    }
    disk_undo(disk);
}

/* What the broker accepted and its journal no longer has is forgotten, as is a cancel. */
static void forget_accepted(struct world *world)
{
    for (uint32_t at = 0; at < world->sweep_count; at++) {
        const struct disk_key key = {.table = TABLE_SWEEP, .id = world->sweeps[at].id};
        if (disk_find(&world->broker_disk, &key) == NULL) world->sweeps[at].accepted = false;
        world->client.tasks[at].doubtful = true;
    }
}

static void restore_copy(struct world *world, uint32_t host)
{
    TRACE(world, "host %u is restored from a copy", host);
    world->report->faults[SIM_STORE_WENT_BACK]++;
    disk_copy(host == HOST_BROKER ? &world->broker_disk : &world->aggregator_disk, &world->copies[host]);
    if (host == HOST_BROKER) {
        forget_accepted(world);
    } else {
        world->untruthful = true;
        world_recount_covered(world);
    }
}

/* Only what is durable is copied: between two commits. */
static void make_copy(struct world *world)
{
    const uint32_t host = world_draw(world, 2) == 0 ? HOST_BROKER : HOST_AGGREGATOR;
    const struct disk *disk = host == HOST_BROKER ? &world->broker_disk : &world->aggregator_disk;
    if (disk->log_count == 0 && disk->identity != 0) disk_copy(&world->copies[host], disk);
}

static void lose_store(struct world *world, uint32_t host)
{
    disk_free(host == HOST_BROKER ? &world->broker_disk : &world->aggregator_disk);
    TRACE(world, "host %u loses its store", host);
    if (host == HOST_BROKER) {
        world->report->faults[SIM_BROKER_STORE_LOST]++;
        forget_accepted(world);
    } else {
        world->report->faults[SIM_AGGREGATOR_STORE_LOST]++;
        world->untruthful = true;
        world_recount_covered(world);
    }
}

static bool happens(const struct world *world, enum sim_fault fault)
{
    return (world->limits.swarm >> fault & 1) != 0;
}

static void bury(struct world *world, uint32_t number)
{
    struct host *host = &world->hosts[number];
    const bool writing = host->disk_ms > world->now_ms;
    if (!host->alive) return;
    host->alive = host->dying = false;
    host->wake_version++;
    TRACE(world, "host %u %s", number, host->stopped ? "stops" : "dies");
    world->report->faults[death_of(number)]++;
    network_host_dies(world, number);
    if (number == HOST_BROKER) {
        broker_host_die(world);
        crash_disk(world, &world->broker_disk, writing);
    } else if (number == HOST_AGGREGATOR) {
        aggregator_host_die(world);
        crash_disk(world, &world->aggregator_disk, writing);
    } else {
        worker_host_die(world, number);
    }
    const enum sim_fault loss = number == HOST_BROKER ? SIM_BROKER_STORE_LOST : SIM_AGGREGATOR_STORE_LOST;
    if (number < HOST_CLIENT && !world->healed && happens(world, loss) && world_draw(world, 4) == 0)
        lose_store(world, number);
    else if (number < HOST_CLIENT && !world->healed && happens(world, SIM_STORE_WENT_BACK) &&
             world->copies[number].identity != 0 && world_draw(world, 4) == 0)
        restore_copy(world, number);
    world_at(world, world->now_ms + 1 + world_draw(world, world_draw(world, 5) == 0 ? 15000 : 1500), WORLD_BACK, number,
             0, 0);
}

uint64_t world_commit_ms(struct world *world, uint32_t host)
{
    const uint64_t slow_ms = host == HOST_BROKER ? world->broker_slow_ms : world->aggregator_slow_ms;
    if (world->now_ms < slow_ms) return 1 + world_draw(world, 3000);
    return world->limits.commit_ms == 0 ? 0 : world_draw(world, world->limits.commit_ms + 1);
}

static void note_spin(struct world *world, uint32_t number)
{
    struct host *host = &world->hosts[number];
    if (host->spin_ms != world->now_ms) host->spins = 0;
    host->spin_ms = world->now_ms;
    if (++host->spins > WORLD_SPINS_MAX) world_fail(world, "host %u spins", number);
}

static void turn(struct world *world, uint32_t number, uint32_t version)
{
    struct host *host = &world->hosts[number];
    if (!host->alive || host->wake_version != version) return;
    host->wake_ms = UINT64_MAX;
    const uint64_t until_ms = host->suspended_ms > host->disk_ms ? host->suspended_ms : host->disk_ms;
    if (until_ms > world->now_ms) {
        world_wake(world, number, until_ms);
        return;
    }
    note_spin(world, number);
    if (number == HOST_BROKER) broker_host_turn(world);
    else if (number == HOST_AGGREGATOR) aggregator_host_turn(world);
    else if (number == HOST_CLIENT) client_host_turn(world);
    else worker_host_turn(world, number);
    if (world->over) return;
    if (host->dying) bury(world, number);
    else if (host->disk_ms > world->now_ms) world_wake(world, number, host->disk_ms);
}

/* Faults */

static uint32_t some_host(struct world *world)
{
    const uint64_t pick = world_draw(world, 4);
    if (pick < 2) return pick == 0 ? HOST_BROKER : HOST_AGGREGATOR;
    return HOST_WORKERS + (uint32_t)world_draw(world, world->worker_count);
}

static void make_partition(struct world *world)
{
    const uint32_t a = some_host(world), b = some_host(world);
    const uint64_t until_ms = world->now_ms + world_draw(world, world_draw(world, 2) == 0 ? 500 : 12000);
    const bool one_way = world_draw(world, 3) == 0;
    if (a == b) return;
    world->report->faults[SIM_PARTITIONED]++;
    TRACE(world, "%u %s %u cut until %" PRIu64, a, one_way ? "to" : "and", b, until_ms);
    world->cut_ms[a][b] = until_ms;
    if (!one_way) world->cut_ms[b][a] = until_ms;
}

static struct wire *some_wire(struct world *world)
{
    for (uint32_t tries = 0; tries < 16 && world->wire_count > 0; tries++) {
        struct wire *wire = world->wires[world_draw(world, world->wire_count)];
        if (wire->up) return wire;
    }
    return NULL;
}

static void break_something(struct world *world, enum sim_fault fault)
{
    struct wire *wire = some_wire(world);
    if (wire == NULL) return;
    world->report->faults[fault]++;
    TRACE(world, "wire %u of %u %s", wire->number, wire->dialer, fault == SIM_VANISHED ? "swallows" : "breaks");
    if (fault == SIM_DISCONNECTED) {
        network_disconnect(world, wire);
        world_wake(world, wire->dialer, world->now_ms);
    } else {
        network_let_vanish(world, wire, world_draw(world, 2) == 0 ? LANE_UP : LANE_DOWN, 1 + world_draw(world, 4000));
    }
}

static void hold_up(struct world *world, enum sim_fault fault)
{
    const uint32_t number = some_host(world);
    struct host *host = &world->hosts[number];
    const uint64_t span_ms = world_draw(world, world_draw(world, 2) == 0 ? 1000 : 20000);
    if (!host->alive) return;
    world->report->faults[fault]++;
    TRACE(world, "host %u %s %" PRIu64 " ms", number, fault == SIM_SUSPENDED ? "sleeps" : "jumps", span_ms);
    if (fault == SIM_SUSPENDED) {
        host->suspended_ms = world->now_ms + span_ms;
    } else {
        host->offset_ms += span_ms;
        world_wake(world, number, world->now_ms);
    }
}

static void hurt_disk(struct world *world, enum sim_fault fault)
{
    const bool broker = world_draw(world, 2) == 0;
    const uint64_t until_ms = world->now_ms + world_draw(world, 4000);
    world->report->faults[fault]++;
    TRACE(world, "the disk of %u is %s", broker ? HOST_BROKER : HOST_AGGREGATOR,
          fault == SIM_DISK_FULL ? "full" : "slow");
    if (fault == SIM_DISK_SLOW) {
        *(broker ? &world->broker_slow_ms : &world->aggregator_slow_ms) = until_ms;
        return;
    }
    (broker ? &world->broker_disk : &world->aggregator_disk)->full = true;
    world_at(world, until_ms, WORLD_HEAL, broker ? HOST_BROKER : HOST_AGGREGATOR, 0, 0);
}

struct rotting {
    struct world *world;
    uint64_t seen;
    struct disk_row *chosen;
};

static void choose_row(void *context, struct disk_row *row)
{
    struct rotting *rotting = context;
    if (world_draw(rotting->world, ++rotting->seen) == 0) rotting->chosen = row;
}

/* Only what is durable rots, so that a crash does not make it whole again. */
static void rot(struct world *world)
{
    struct rotting rotting = {.world = world};
    if (world->aggregator_disk.log_count > 0) return;
    disk_each(&world->aggregator_disk, TABLE_NODE, choose_row, &rotting);
    if (rotting.chosen == NULL) return;
    rotting.chosen->damaged = true;
    world->untruthful = true;
    world->report->faults[SIM_NODE_ROTTED]++;
}

static void kill(struct world *world, uint32_t host)
{
    if (host >= HOST_WORKERS && world->hosts[host].alive && world_draw(world, 3) == 0) worker_host_stop(world, host);
    if (!world->over) bury(world, host);
}

static void commit_fault(struct world *world, enum sim_fault fault)
{
    switch (fault) {
    case SIM_BROKER_DIED:
    case SIM_BROKER_STORE_LOST:
        kill(world, HOST_BROKER);
        break;
    case SIM_AGGREGATOR_DIED:
    case SIM_AGGREGATOR_STORE_LOST:
        kill(world, HOST_AGGREGATOR);
        break;
    case SIM_WORKER_DIED:
        kill(world, HOST_WORKERS + (uint32_t)world_draw(world, world->worker_count));
        break;
    case SIM_DISK_FULL:
    case SIM_DISK_SLOW:
        hurt_disk(world, fault);
        break;
    case SIM_STORE_WENT_BACK:
        make_copy(world);
        break;
    case SIM_NODE_ROTTED:
        rot(world);
        break;
    case SIM_SUSPENDED:
    case SIM_CLOCK_JUMPED:
        hold_up(world, fault);
        break;
    case SIM_DISCONNECTED:
    case SIM_VANISHED:
        break_something(world, fault);
        break;
    case SIM_PARTITIONED:
        make_partition(world);
        break;
    default:
        break; /* these happen by themselves */
    }
}

static void make_trouble(struct world *world)
{
    if (world->now_ms >= world->limits.trouble_ms) return;
    const enum sim_fault fault = (enum sim_fault)world_draw(world, SIM_FAULT_COUNT);
    if (happens(world, fault)) commit_fault(world, fault);
    world_at(world, world->now_ms + 1 + world_draw(world, world->limits.fault_every_ms), WORLD_TROUBLE, 0, 0, 0);
}

/* From here on nothing breaks: whoever is dead comes back, and everything must come to its end. */
static void heal(struct world *world)
{
    TRACE(world, "all is well from here on");
    world->healed = true;
    memset(world->cut_ms, 0, sizeof world->cut_ms);
    world->broker_disk.full = world->aggregator_disk.full = false;
    world->broker_slow_ms = world->aggregator_slow_ms = 0;
    for (uint32_t host = 0; host < world->host_count; host++) {
        world->hosts[host].suspended_ms = 0;
        if (!world->hosts[host].alive) world_at(world, world->now_ms + world_draw(world, 1000), WORLD_BACK, host, 0, 0);
        else world_wake(world, host, world->now_ms);
    }
    uint64_t work_ms = 0;
    for (uint32_t at = 0; at < world->sweep_count; at++)
        work_ms += world->sweeps[at].blocks * (world->limits.block_us + world->limits.block_us / 2) / 1000;
    world->report->patience_ms = SETTLE_MS + 3 * work_ms + 8 * world->limits.lease_ms;
    world->deadline_ms = world->now_ms + world->report->patience_ms;
}

/* Making a world */

static bool is_common_blocks(struct world *world)
{
    return world_draw(world, 10) > 0;
}

static uint64_t some_block_count(struct world *world)
{
    if (is_common_blocks(world)) return 1 + world_draw(world, world_draw(world, 2) == 0 ? 40 : 400);
    return 1 + world_draw(world, SIM_BLOCKS_MAX);
}

/* The sweep before, when this one is to be of its family: the same draws, and more of them. */
static const struct sim_sweep *choose_kin(struct world *world, uint32_t number)
{
    if (number == 0 || world_draw(world, 3) > 0) return NULL;
    const struct sim_sweep *kin = &world->sweeps[number - 1];
    return kin->blocks + KIN_BLOCKS <= SIM_BLOCKS_MAX ? kin : NULL;
}

static void make_population(struct sim_sweep *sweep, uint32_t number)
{
    const uint8_t bytes[] = {'d', 'a', 't', 'a', (uint8_t)number};
    buffer_append(&sweep->population_bytes, bytes, sizeof bytes);
    sweep->population = digest_of(buffer_span(&sweep->population_bytes));
}

/* A stop rule that some checkpoint meets, or none. Which one follows from the rule. */
static void make_rule(struct world *world, struct sim_sweep *made, struct sweep *sweep)
{
    sweep->stop = (struct sweep_stop){
        .kind = STOP_HALF_WIDTH, .measure = "m", .area_code = "E92000001", .half_width = 1, .confidence = 0.5};
    const uint64_t end = UINT64_C(1) << (stop_first_level(sweep) + world_draw(world, 4));
    sweep->stop.half_width = (double)end;
    if (end < made->blocks) made->end = end;
}

static void make_sweep(struct world *world, uint32_t number)
{
    struct sim_sweep *made = &world->sweeps[number];
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL) abort();
    const struct sim_sweep *kin = choose_kin(world, number);
    made->blocks = kin ? kin->blocks + 1 + world_draw(world, KIN_BLOCKS) : some_block_count(world);
    made->flavour = kin ? kin->flavour : number;
    made->population = (struct digest){{1}}; /* that which is built in */
    if (kin ? kin->population_bytes.size > 0 : world_draw(world, 3) == 0) make_population(made, made->flavour / 2);
    snprintf(sweep->name, sizeof sweep->name, "s%u", made->flavour);
    strcpy(sweep->model, "entitlement");
    strcpy(sweep->model_version, "1");
    strcpy(sweep->population_name, "simulated");
    sweep->population = made->population;
    sweep->years = 1;
    sweep->first_year = 202526;
    sweep->method = DESIGN_RANDOM;
    made->full_blocks = made->blocks - world_draw(world, 2);
    sweep->draws = made->full_blocks * NODES_DRAWS + (made->blocks - made->full_blocks) * NODES_SHORT;
    sweep->draws_per_block = NODES_DRAWS;
    sweep->levels = 1u << AREA_ENGLAND;
    sweep->parameter_count = 1;
    strcpy(sweep->parameters[0].name, "p");
    sweep->scenario_count = 1;
    strcpy(sweep->scenarios[0].name, "base");
    made->end = made->blocks;
    if (world_draw(world, 3) == 0) make_rule(world, made, sweep);
    sweep_encode(sweep, &made->bytes);
    made->id = sweep_identity(sweep);
    made->content = sweep;
    made->plan = (struct plan){.sweep = sweep, .shape.figures = NODES_FIGURES};
    made->covered = calloc(made->blocks, 1);
    if (made->covered == NULL || made->bytes.failed) abort();
    const bool has_short = made->full_blocks < made->end;
    made->result = nodes_result(made->flavour, made->end - has_short, has_short);
    world->report->sweep_blocks[number] = made->end - has_short;
    world->report->sweep_has_short[number] = has_short;
    world->report->flavours[number] = made->flavour;
    world->report->stopped += made->end < made->blocks;
    world->report->blocks += made->blocks;
}

static uint64_t pick(struct world *world, const uint64_t *from, size_t count)
{
    return from[world_draw(world, count)];
}

/* The ordinary, at random the extraordinary. */
static void set_limits(struct world *world)
{
    struct world_limits *limits = &world->limits;
    static const uint64_t beats[] = {100, 200, 500, 500, 1000}, leases[] = {3, 5, 10, 10, 20};
    static const uint64_t commits[] = {0, 0, 2, 10, 60}, caches[] = {0, 4096, 65536, 1 << 20};
    static const uint64_t delays[] = {0, 2, 5, 20, 100}, spikes[] = {0, 1000, 10000, 50000};
    static const uint64_t crashes[] = {0, 0, 100, 1000, 5000}, blocks_us[] = {100, 1000, 5000, 30000, 200000};
    static const uint64_t queues[] = {8, 100, NETWORK_QUEUE_MAX, NETWORK_QUEUE_MAX};
    limits->heartbeat_ms = pick(world, beats, 5);
    limits->lease_ms = limits->heartbeat_ms * pick(world, leases, 5);
    limits->commit_ms = pick(world, commits, 5);
    limits->cache_bytes = pick(world, caches, 4);
    limits->delay_ms = pick(world, delays, 5);
    limits->spike_ppm = (uint32_t)pick(world, spikes, 4);
    limits->spike_ms = 1 + world_draw(world, 8000);
    limits->repeat_ppm = (uint32_t)pick(world, spikes, 4);
    limits->queue_max = (uint32_t)pick(world, queues, 4);
    limits->block_us = pick(world, blocks_us, 5);
    while (world->report->blocks * limits->block_us > 20000000 * (uint64_t)world->worker_count) limits->block_us /= 2;
    limits->trouble_ms = 1000 + world_draw(world, 19000);
    limits->fault_every_ms = 50 + world_draw(world, 3000);
    limits->endpoint_moves = world_draw(world, 3) == 0;
    limits->swarm = (uint32_t)world_draw(world, UINT32_MAX) | (uint32_t)world_draw(world, UINT32_MAX);
    if (world_draw(world, 4) > 0) {
        const uint32_t losses = 1u << SIM_BROKER_STORE_LOST | 1u << SIM_AGGREGATOR_STORE_LOST;
        limits->swarm &= ~(losses | 1u << SIM_STORE_WENT_BACK);
    }
    if (world_draw(world, 4) > 0) limits->swarm &= ~(1u << SIM_NODE_ROTTED);
    for (uint32_t kind = 0; kind < 3; kind++) limits->crash_ppm[kind] = (uint32_t)pick(world, crashes, 5);
    limits->slow_ppm = (uint32_t)pick(world, spikes, 3);
    limits->lie_ppm = world_draw(world, 4) == 0 ? 30000 : 0;
    limits->fail_ppm = (uint32_t)pick(world, spikes, 3);
}

/* Without faults, with one worker and everything as it ships. */
static void set_calm_limits(struct world *world)
{
    world->limits = (struct world_limits){.heartbeat_ms = 500,
                                          .lease_ms = 5000,
                                          .delay_ms = 1,
                                          .cache_bytes = 256u << 20,
                                          .queue_max = NETWORK_QUEUE_MAX,
                                          .block_us = 500};
}

/* No more than a lease has copies, so that one of those that get it is quick. */
static void choose_stragglers(struct world *world)
{
    const uint32_t others = world->worker_count - 1, most = others < LENDING_COPIES_MAX ? others : LENDING_COPIES_MAX;
    uint32_t count = world->setup.stragglers;
    if (!world->setup.calm && world_draw(world, 4) == 0) count = (uint32_t)world_draw(world, most + 1);
    for (uint32_t at = 0; at < world->worker_count; at++) world->workers[at].pace = SIM_FAULT_COUNT;
    for (uint32_t at = 0; at < count; at++)
        world->workers[at].pace = world_draw(world, 2) == 0 ? SIM_STUCK : SIM_SLOWED;
}

static void open_world(struct world *world)
{
    world->dice = world->setup.seed * UINT64_C(0xd1342543de82ef95);
    world->sweep_count = 1 + (uint32_t)world_draw(world, SIM_SWEEPS_MAX);
    world->worker_count = 1 + (uint32_t)world_draw(world, SIM_WORKERS_MAX);
    for (uint32_t at = 0; at < world->sweep_count; at++) make_sweep(world, at);
    if (world->setup.calm) world->worker_count = 1 + world->setup.stragglers;
    world->report->workers = world->worker_count;
    world->report->sweep_count = world->sweep_count;
    world->host_count = HOST_WORKERS + world->worker_count;
    world->deadline_ms = UINT64_MAX;
    set_limits(world);
    if (world->setup.calm) set_calm_limits(world);
    for (uint32_t at = 0; at < world->worker_count; at++)
        world->workers[at].lies = world->limits.lie_ppm > 0 && world_draw(world, 3) == 0;
    choose_stragglers(world);
    for (uint32_t host = 0; host < world->host_count; host++) start_host(world, host);
    world_at(world, world->limits.trouble_ms, WORLD_HEAL, HOSTS_MAX, 0, 0);
    if (!world->setup.calm) world_at(world, world_draw(world, 2000), WORLD_TROUBLE, 0, 0, 0);
}

static void close_world(struct world *world)
{
    for (uint32_t host = 0; host < world->host_count; host++) {
        for (uint32_t slot = 0; slot < NETWORK_SLOTS; slot++) letters_free(&world->hosts[host].inbox[slot]);
        if (!world->hosts[host].alive) continue;
        if (host == HOST_BROKER) broker_host_die(world);
        else if (host == HOST_AGGREGATOR) aggregator_host_die(world);
        else if (host >= HOST_WORKERS) worker_host_die(world, host);
    }
    for (uint32_t at = 0; at < world->wire_count; at++) {
        letters_free(&world->wires[at]->lanes[LANE_UP]);
        letters_free(&world->wires[at]->lanes[LANE_DOWN]);
        free(world->wires[at]);
    }
    for (uint32_t at = 0; at < world->sweep_count; at++) {
        buffer_free(&world->sweeps[at].bytes);
        buffer_free(&world->sweeps[at].population_bytes);
        free(world->sweeps[at].content);
        free(world->sweeps[at].covered);
    }
    disk_free(&world->broker_disk);
    disk_free(&world->aggregator_disk);
    disk_free(&world->copies[0]);
    disk_free(&world->copies[1]);
    free(world->wires);
    free(world->heap);
    free(world->tokens);
    free(world);
}

/* Running it */

static void dispatch(struct world *world, const struct world_event *event)
{
    switch (event->kind) {
    case WORLD_WAKE:
        turn(world, event->a, event->b);
        break;
    case WORLD_ARRIVE:
        network_arrive(world, event->a, event->b);
        break;
    case WORLD_DIAL:
        network_try_dial(world, event->a, event->b, event->c);
        break;
    case WORLD_BREAK:
        if (world->wires[event->a - 1]->up || world->wires[event->a - 1]->known)
            network_disconnect(world, world->wires[event->a - 1]);
        break;
    case WORLD_BACK:
        start_host(world, event->a);
        if (world->hosts[event->a].dying) bury(world, event->a);
        break;
    case WORLD_TROUBLE:
        make_trouble(world);
        break;
    case WORLD_HEAL:
        if (event->a == HOSTS_MAX) heal(world);
        else (event->a == HOST_BROKER ? &world->broker_disk : &world->aggregator_disk)->full = false;
        break;
    }
}

static void describe_stall(struct world *world)
{
    char state[300] = "";
    size_t size = 0;
    for (uint32_t at = 0; at < world->sweep_count && size < sizeof state; at++) {
        const struct sim_sweep *sweep = &world->sweeps[at];
        const struct ledger *ledger = world->broker.broker ? broker_sweep(world->broker.broker, &sweep->id) : NULL;
        const int written = snprintf(state + size, sizeof state - size,
                                     " [sweep %u: state %d, %" PRIu64 " done, %" PRIu64 " held of %" PRIu64 "]", at,
                                     ledger != NULL ? (int)ledger->state : 0, ledger != NULL ? ledger->done.total : 0,
                                     sweep->covered_count, sweep->blocks);
        size += written > 0 ? (size_t)written : 0;
    }
    world_fail(world, "no end in sight:%s", state);
}

void sim_run(const struct sim_setup *setup, struct sim_report *report)
{
    struct world *world = calloc(1, sizeof *world);
    struct world_event event;
    if (world == NULL) abort();
    *report = (struct sim_report){0};
    world->setup = *setup;
    world->report = report;
    open_world(world);
    while (!world->over && next_event(world, &event)) {
        world->now_ms = event.due_ms;
        if (world->now_ms > world->deadline_ms) describe_stall(world);
        else if (++report->events > WORLD_EVENTS_MAX) world_fail(world, "a livelock");
        else dispatch(world, &event);
    }
    if (!world->over) world_fail(world, "nothing is left to happen");
    report->ended_ms = world->now_ms;
    if (world->healed) report->settled_ms = world->now_ms - world->limits.trouble_ms;
    close_world(world);
}

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[SIM_FAULT_COUNT] = {
        [SIM_BROKER_DIED] = "broker died",
        [SIM_WORKER_DIED] = "worker died",
        [SIM_AGGREGATOR_DIED] = "aggregator died",
        [SIM_BROKER_STORE_LOST] = "broker's store lost",
        [SIM_AGGREGATOR_STORE_LOST] = "aggregator's store lost",
        [SIM_STORE_WENT_BACK] = "store went back",
        [SIM_COMMIT_TORN] = "commit torn",
        [SIM_DISK_FULL] = "disk full",
        [SIM_DISK_SLOW] = "disk slow",
        [SIM_NODE_ROTTED] = "node rotted",
        [SIM_SUSPENDED] = "suspended",
        [SIM_CLOCK_JUMPED] = "clock jumped",
        [SIM_DISCONNECTED] = "disconnected",
        [SIM_PARTITIONED] = "partitioned",
        [SIM_VANISHED] = "messages vanished",
        [SIM_REPEATED] = "message repeated",
        [SIM_BLOCK_FAILED] = "block failed",
        [SIM_STUCK] = "worker stuck",
        [SIM_SLOWED] = "worker slow",
        [SIM_STRAGGLED] = "straggled",
        [SIM_LIED] = "lied",
        [SIM_CANCELLED] = "cancelled",
    };
    return names[fault];
}
