/* The broker's host: broker/main.c and shell_journal.c on the virtual disk and network. */
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "support_world.h"
#include "sweep_codec.h"

#define TURN_MESSAGES  256u /* as broker/main.c */
#define TURNS_UNREAD   64
#define KEEP_LAZILY_MS 100u

struct sweep_row { /* what stands before the sweep's bytes */
    bool population_kept;
    enum sweep_state state;
    struct digest result, population;
    char text[MESSAGE_TEXT_BYTES];
};

struct share_row {
    uint32_t priority, weight;
    char tenant[MESSAGE_NAME_BYTES];
};

static struct disk_key key_of(enum disk_table table, const struct digest *id, uint64_t a)
{
    return (struct disk_key){.table = table, .id = *id, .a = a};
}

/* The journal */

static bool put_sweep(struct world *world, const struct ledger *ledger, struct span bytes)
{
    struct sweep_row row;
    struct buffer value = {0};
    memset(&row, 0, sizeof row);
    row.population_kept = ledger->population_kept;
    row.state = ledger->state;
    row.result = ledger->result;
    row.population = ledger->population;
    memcpy(row.text, ledger->text, sizeof row.text);
    buffer_append(&value, &row, sizeof row);
    buffer_append(&value, bytes.data, bytes.size);
    const struct disk_key key = key_of(TABLE_SWEEP, &ledger->sweep, 0);
    const bool put = disk_put(&world->broker_disk, &key, buffer_span(&value));
    buffer_free(&value);
    return put;
}

static bool keep_state(struct world *world, const struct ledger *ledger)
{
    const struct disk_key key = key_of(TABLE_SWEEP, &ledger->sweep, 0);
    const struct disk_row *row = disk_find(&world->broker_disk, &key);
    if (row == NULL) return true; /* an update of no row is no error to SQLite */
    struct buffer bytes = {0};
    buffer_append(&bytes, row->value.data + sizeof(struct sweep_row), row->value.size - sizeof(struct sweep_row));
    const bool put = put_sweep(world, ledger, buffer_span(&bytes));
    buffer_free(&bytes);
    return put;
}

struct dropping {
    struct disk *disk;
    const struct digest *sweep;
    uint64_t first, end;
    bool done;
};

static void drop_if_inside(void *context, struct disk_row *row)
{
    struct dropping *dropping = context;
    if (row->key.a < dropping->first || row->key.a >= dropping->end || !digest_equal(&row->key.id, dropping->sweep))
        return;
    const struct disk_key key = row->key;
    dropping->done = disk_drop(dropping->disk, &key) && dropping->done;
}

static bool drop_rows(struct world *world, enum disk_table table, const struct digest *sweep, uint64_t first,
                      uint64_t end)
{
    struct dropping dropping = {&world->broker_disk, sweep, first, end, true};
    disk_each(&world->broker_disk, table, drop_if_inside, &dropping);
    return dropping.done;
}

static bool put_done(struct world *world, const struct digest *sweep, struct block_range blocks)
{
    const struct disk_key key = key_of(TABLE_DONE, sweep, blocks.first);
    return disk_put(&world->broker_disk, &key, (struct span){(const uint8_t *)&blocks.count, sizeof blocks.count});
}

static bool keep_ranges(struct world *world, const struct ledger *ledger)
{
    bool kept = drop_rows(world, TABLE_DONE, &ledger->sweep, 0, UINT64_MAX);
    for (size_t at = 0; at < ledger->done.count && kept; at++)
        kept = put_done(world, &ledger->sweep, ledger->done.items[at]);
    return kept;
}

static bool keep_parked(struct world *world, const struct ledger *ledger)
{
    bool kept = drop_rows(world, TABLE_PARKED, &ledger->sweep, 0, UINT64_MAX);
    for (uint32_t at = 0; at < ledger->parked_count && kept; at++) {
        const struct disk_key key = key_of(TABLE_PARKED, &ledger->sweep, ledger->parked[at].block);
        kept = disk_put(&world->broker_disk, &key,
                        (struct span){(const uint8_t *)&ledger->parked[at], sizeof ledger->parked[at]});
    }
    return kept;
}

static struct share_row share_of(const struct ledger *ledger)
{
    struct share_row row;
    memset(&row, 0, sizeof row);
    row.priority = ledger->priority;
    row.weight = ledger->weight;
    memcpy(row.tenant, ledger->tenant, sizeof row.tenant);
    return row;
}

static bool keep_share(struct world *world, const struct ledger *ledger)
{
    const struct share_row row = share_of(ledger);
    const struct disk_key key = key_of(TABLE_SHARE, &ledger->sweep, 0);
    return disk_put(&world->broker_disk, &key, (struct span){(const uint8_t *)&row, sizeof row});
}

static bool keep_sweep(struct world *world, const struct ledger *ledger, const struct broker_effect *effect)
{
    const struct disk_key key = key_of(TABLE_POPULATION, &ledger->population, 0);
    if (effect->keep.population.size > 0 && !disk_put(&world->broker_disk, &key, effect->keep.population)) return false;
    return put_sweep(world, ledger, effect->keep.sweep) && keep_ranges(world, ledger) && keep_parked(world, ledger) &&
           keep_share(world, ledger);
}

/* Unless somebody lied or a store was lost, what is done here is on the aggregator's disk. */
static void check_done(struct world *world, const struct ledger *ledger)
{
    const struct sim_sweep *sweep = world_sweep(world, &ledger->sweep);
    if (world->untruthful || sweep == NULL) return;
    for (size_t at = 0; at < ledger->done.count; at++)
        if (!world_is_covered(sweep, ledger->done.items[at]))
            world_fail(world, "the broker counts blocks %lu+%lu as done, which the aggregator does not hold",
                       ledger->done.items[at].first, ledger->done.items[at].count);
}

static void check_result(struct world *world, const struct ledger *ledger)
{
    const struct sim_sweep *sweep = world_sweep(world, &ledger->sweep);
    if (sweep != NULL && ledger->state == SWEEP_DONE && !digest_equal(&ledger->result, &sweep->result))
        world_fail(world, "a sweep is done with another result than the undisturbed run");
}

static bool keep(struct world *world, const struct broker_effect *effect)
{
    struct broker_host *host = &world->broker;
    const struct ledger *ledger = broker_sweep(host->broker, &effect->sweep);
    if (!host->lazily) host->commit_due_ms = world_clock(world, HOST_BROKER) + KEEP_LAZILY_MS;
    host->lazily = true;
    if (effect->kind != BROKER_KEEP_DONE) host->urgent = true;
    check_done(world, ledger);
    check_result(world, ledger);
    switch (effect->kind) {
    case BROKER_KEEP_SWEEP:
        return keep_sweep(world, ledger, effect);
    case BROKER_KEEP_STATE:
        return keep_state(world, ledger);
    case BROKER_KEEP_DONE:
        return drop_rows(world, TABLE_DONE, &ledger->sweep, effect->blocks.first, range_end(effect->blocks)) &&
               put_done(world, &ledger->sweep, effect->blocks);
    case BROKER_KEEP_RANGES:
        return keep_ranges(world, ledger);
    case BROKER_KEEP_SHARE:
        return keep_share(world, ledger);
    case BROKER_KEEP_PARKED:
        return keep_parked(world, ledger);
    default:
        world_fail(world, "the broker keeps what no journal knows");
        return false;
    }
}

/* Checks of what is told */

struct counting {
    const struct digest *sweep;
    uint64_t rows;
};

static void count_row(void *context, struct disk_row *row)
{
    struct counting *counting = context;
    counting->rows += digest_equal(&row->key.id, counting->sweep);
}

/* So are its parked blocks and its share. */
static void check_kept_with(struct world *world, const struct ledger *ledger)
{
    struct counting counting = {&ledger->sweep, 0};
    const struct disk_key key = key_of(TABLE_SHARE, &ledger->sweep, 0);
    const struct disk_row *row = disk_find(&world->broker_disk, &key);
    const struct share_row share = share_of(ledger);
    disk_each(&world->broker_disk, TABLE_PARKED, count_row, &counting);
    if (counting.rows != ledger->parked_count)
        world_fail(world, "a sweep is told to have %u parked blocks and has %lu on disk", ledger->parked_count,
                   counting.rows);
    if (row == NULL || memcmp(row->value.data, &share, sizeof share) != 0)
        world_fail(world, "a sweep is told of whose share is not on disk");
}

/* The durable state of a sweep is what the core says it is, whenever anybody hears of it. */
static void check_told(struct world *world, const struct digest *id)
{
    const struct ledger *ledger = broker_sweep(world->broker.broker, id);
    const struct disk_key key = key_of(TABLE_SWEEP, id, 0);
    const struct disk_row *row = disk_find(&world->broker_disk, &key);
    for (size_t at = 0; at < world->broker_disk.log_count; at++)
        if (disk_key_equal(&world->broker_disk.log[at].key, &key))
            world_fail(world, "a sweep is told of before it is on disk");
    if (row == NULL || ledger == NULL) {
        world_fail(world, "a sweep is told of that is not on disk");
        return;
    }
    struct sweep_row kept;
    memcpy(&kept, row->value.data, sizeof kept);
    if (kept.state != ledger->state)
        world_fail(world, "a sweep is told to be in state %d and is in %d on disk", ledger->state, kept.state);
    check_kept_with(world, ledger);
    world_sweep(world, id)->accepted = true;
}

static void check_conservation(struct world *world, const struct message *message)
{
    for (uint32_t at = 0; at < message->sweeps.count; at++) {
        const struct sweep_status *status = &message->sweeps.list[at];
        check_told(world, &status->sweep);
        if (status->done + status->leased + status->parked > status->blocks)
            world_fail(world, "%lu done, %lu leased, %lu parked of %lu blocks", status->done, status->leased,
                       status->parked, status->blocks);
    }
}

static void check_outgoing(struct world *world, const struct message *message)
{
    if (message->kind == MESSAGE_ACCEPTED) check_told(world, &message->accepted.sweep);
    if (message->kind == MESSAGE_SWEEPS) check_conservation(world, message);
}

static void check_step(struct world *world, const struct broker_effects *effects)
{
    if (!broker_is_sound(world->broker.broker)) world_fail(world, "the broker's state is not sound");
    for (size_t at = 0; at < effects->count; at++)
        if (effects->list[at].kind == BROKER_SEND && effects->list[at].send.kind == MESSAGE_LEASE)
            world_check_lease(world, effects->list[at].send.lease.token);
}

/* The journal holds a row for each range that is done, and no more. */
static void check_rows(struct world *world)
{
    size_t ranges = 0;
    for (uint32_t at = 0; at < world->sweep_count; at++) {
        const struct ledger *ledger = broker_sweep(world->broker.broker, &world->sweeps[at].id);
        if (ledger != NULL) ranges += ledger->done.count;
    }
    if (world->broker_disk.rows[TABLE_DONE] > ranges)
        world_fail(world, "the journal has %zu rows for %zu ranges", world->broker_disk.rows[TABLE_DONE], ranges);
}

/* The shell */

static void stop(struct world *world)
{
    struct host *host = &world->hosts[HOST_BROKER];
    TRACE(world, "the broker's disk refuses, and it ends");
    host->dying = host->stopped = true;
}

static bool step(struct world *world, const struct broker_event *event)
{
    struct broker_host *host = &world->broker;
    broker_step(host->broker, event, &host->effects);
    check_step(world, &host->effects);
    for (size_t at = 0; at < host->effects.count; at++) {
        const struct broker_effect *effect = &host->effects.list[at];
        if (effect->kind == BROKER_NOTE) continue;
        if (world_dies_here(world, HOST_BROKER)) return false;
        if (effect->kind == BROKER_SEND) {
            if (host->outbox_count == OUTBOX_MAX) {
                world_fail(world, "the broker's outbox overflows");
                return false;
            }
            host->outbox[host->outbox_count++] = *effect;
        } else if (!keep(world, effect)) {
            stop(world);
            return false;
        }
    }
    return true;
}

static bool has_room(const struct broker_host *host)
{
    return host->outbox_count + BROKER_EFFECTS_MAX <= OUTBOX_MAX;
}

static void compose_item(struct world *world, const struct broker_effect *effect)
{
    const bool of_sweep = effect->send.item == ITEM_SWEEP;
    const struct disk_key key = key_of(of_sweep ? TABLE_SWEEP : TABLE_POPULATION, &effect->sweep, 0);
    const struct disk_row *row = disk_find(&world->broker_disk, &key);
    const size_t before = of_sweep ? sizeof(struct sweep_row) : 0;
    world->out.kind = MESSAGE_ITEM;
    world->out.item.item = effect->send.item;
    world->out.item.digest = effect->sweep;
    if (row == NULL) world_fail(world, "the broker's core knows an item that its disk lacks");
    else world->out.item.bytes = (struct span){row->value.data + before, row->value.size - before};
}

static bool deliver(struct world *world, const struct broker_effect *effect)
{
    const uint32_t wire = network_number(effect->send.to.bytes);
    if (!broker_compose(world->broker.broker, effect, &world->out)) compose_item(world, effect);
    check_outgoing(world, &world->out);
    return !world->over && network_send_down(world, HOST_BROKER, wire, &world->out) == NETWORK_OK;
}

static bool make_room(struct broker_host *host)
{
    if (has_room(host)) return true;
    if (host->outbox_at < BROKER_EFFECTS_MAX) return false;
    host->outbox_count -= host->outbox_at;
    memmove(host->outbox, host->outbox + host->outbox_at, host->outbox_count * sizeof *host->outbox);
    host->outbox_at = 0;
    return true;
}

/* True: committed now, or nothing was to be. False: wait for the disk, or it failed. */
static bool commit(struct world *world, int waiting)
{
    struct broker_host *host = &world->broker;
    if (!host->lazily) return true;
    const uint64_t takes_ms = host->waiting == waiting ? 0 : world_commit_ms(world, HOST_BROKER);
    if (takes_ms > 0) {
        host->waiting = waiting;
        world->hosts[HOST_BROKER].disk_ms = world->now_ms + takes_ms;
        return false;
    }
    host->waiting = BROKER_FREE;
    check_rows(world);
    if (world_dies_here(world, HOST_BROKER)) return false;
    if (!disk_commit(&world->broker_disk)) {
        stop(world);
        return false;
    }
    host->lazily = false;
    return !world_dies_here(world, HOST_BROKER);
}

static bool flush(struct world *world)
{
    struct broker_host *host = &world->broker;
    const bool careless = world->setup.plant == SIM_PLANT_BROKER_SENDS_FIRST;
    while (host->outbox_at < host->outbox_count || host->urgent) {
        if (host->urgent && !(careless && host->outbox_at < host->outbox_count)) {
            if (!commit(world, BROKER_IN_FLUSH)) return false;
            host->urgent = false;
        }
        if (host->outbox_at == host->outbox_count) break;
        const struct broker_effect effect = host->outbox[host->outbox_at++];
        if (world_dies_here(world, HOST_BROKER)) return false;
        if (deliver(world, &effect) || world->over || !make_room(host)) continue;
        const bool lease = effect.send.kind == MESSAGE_LEASE;
        if (!step(world, &(struct broker_event){.kind = BROKER_UNDELIVERED,
                                                .now_ms = world_clock(world, HOST_BROKER),
                                                .peer = effect.send.to,
                                                .token = lease ? effect.send.lease.token : 0}))
            return false;
    }
    host->outbox_count = host->outbox_at = 0;
    return true;
}

/* The aggregator says how far its store is, and is told the same of the journal. */
static bool take_store(struct world *world, uint32_t wire)
{
    struct disk *disk = &world->broker_disk;
    struct peer peer = {.size = NETWORK_ID_BYTES};
    network_id(wire, peer.bytes);
    if (!broker_aggregator_is(world->broker.broker, &peer)) return true;
    const enum witness_verdict verdict = witness_take(&disk->witness, world->in.store.store, world->in.store.commits);
    world->out.kind = MESSAGE_STORE;
    world->out.store.store = disk->identity;
    world->out.store.commits = disk->commits;
    network_send_down(world, HOST_BROKER, wire, &world->out);
    if (verdict == WITNESS_ONWARD) return true;
    if (disk->full) {
        stop(world);
        return false;
    }
    world->broker.urgent = world->broker.lazily = true;
    if (verdict == WITNESS_FIRST) return true;
    TRACE(world, "the broker doubts the aggregator's store");
    const uint64_t now_ms = world_clock(world, HOST_BROKER);
    return step(world, &(struct broker_event){.kind = BROKER_STORE_LOST, .now_ms = now_ms, .peer = peer});
}

static bool has_room_for_two(const struct broker_host *host)
{
    return host->outbox_count + 2 * BROKER_EFFECTS_MAX <= OUTBOX_MAX;
}

static bool receive_all(struct world *world)
{
    struct letter letter;
    world->broker.unread = true;
    for (uint32_t count = 0; count < TURN_MESSAGES && has_room_for_two(&world->broker); count++) {
        const char *why = "";
        world->broker.unread = network_receive(world, HOST_BROKER, 0, &letter);
        if (!world->broker.unread) return true;
        struct broker_event event = {.kind = BROKER_MESSAGE,
                                     .now_ms = world_clock(world, HOST_BROKER),
                                     .peer = {.size = NETWORK_ID_BYTES},
                                     .message = &world->in};
        network_id(letter.wire, event.peer.bytes);
        const bool read = message_decode(buffer_span(&letter.bytes), &world->in, &why);
        if (!read) world_fail(world, "the broker cannot read a message: %s", why);
        bool stepped = read && step(world, &event);
        if (stepped && world->in.kind == MESSAGE_STORE) stepped = take_store(world, letter.wire);
        buffer_free(&letter.bytes);
        if (!stepped) return false;
    }
    return true;
}

static bool tick(struct world *world)
{
    struct broker_host *host = &world->broker;
    const uint64_t now_ms = world_clock(world, HOST_BROKER);
    host->unread_turns = host->unread && host->unread_turns < TURNS_UNREAD ? host->unread_turns + 1 : 0;
    if (host->unread_turns == 0 && broker_next_due_ms(host->broker) <= now_ms && has_room(host) &&
        !step(world, &(struct broker_event){.kind = BROKER_TICK, .now_ms = now_ms}))
        return false;
    return !host->lazily || host->commit_due_ms > now_ms || commit(world, BROKER_IN_TICK);
}

static void wait(struct world *world)
{
    const struct broker_host *host = &world->broker;
    uint64_t due_ms = broker_next_due_ms(host->broker);
    if (host->lazily && host->commit_due_ms < due_ms) due_ms = host->commit_due_ms;
    world_wake_local(world, HOST_BROKER, due_ms);
    if (network_has_mail(world, HOST_BROKER)) world_wake(world, HOST_BROKER, world->now_ms);
}

void broker_host_turn(struct world *world)
{
    struct broker_host *host = &world->broker;
    if (host->waiting == BROKER_FREE && (!receive_all(world) || !tick(world))) return;
    if (host->waiting == BROKER_IN_TICK && !commit(world, BROKER_IN_TICK)) return;
    if (flush(world)) wait(world);
}

/* Starting and dying */

static void restore_sweep(void *context, struct disk_row *row)
{
    struct world *world = context;
    struct sweep_row kept;
    const char *why = "";
    const struct span bytes = {row->value.data + sizeof kept, row->value.size - sizeof kept};
    memcpy(&kept, row->value.data, sizeof kept);
    if (!broker_restore(world->broker.broker, bytes, kept.population_kept, kept.state, &kept.result, kept.text, &why))
        world_fail(world, "a kept sweep cannot be restored: %s", why);
}

static void restore_done(void *context, struct disk_row *row)
{
    struct world *world = context;
    struct block_range blocks = {.first = row->key.a};
    memcpy(&blocks.count, row->value.data, sizeof blocks.count);
    if (!broker_restore_done(world->broker.broker, &row->key.id, blocks))
        world_fail(world, "kept blocks %lu+%lu cannot be restored", blocks.first, blocks.count);
}

static void restore_parked(void *context, struct disk_row *row)
{
    struct world *world = context;
    struct parked parked;
    memcpy(&parked, row->value.data, sizeof parked);
    if (!broker_restore_parked(world->broker.broker, &row->key.id, &parked))
        world_fail(world, "parked block %lu cannot be restored", parked.block);
}

static void restore_share(void *context, struct disk_row *row)
{
    struct world *world = context;
    struct share_row share;
    memcpy(&share, row->value.data, sizeof share);
    if (!broker_restore_share(world->broker.broker, &row->key.id, share.priority, share.weight, share.tenant))
        world_fail(world, "a share cannot be restored");
}

void broker_host_start(struct world *world)
{
    struct broker_host *host = &world->broker;
    const struct broker_setup setup = {world->limits.heartbeat_ms, world->limits.lease_ms,
                                       world_draw(world, UINT64_MAX)};
    host->broker = broker_new(&setup);
    if (host->broker == NULL) abort();
    host->urgent = host->lazily = host->unread = false;
    host->unread_turns = 0;
    if (world->broker_disk.identity == 0) world->broker_disk.identity = 1 + world_draw(world, UINT64_MAX - 1);
    host->waiting = BROKER_FREE;
    host->outbox_at = host->outbox_count = 0;
    disk_each(&world->broker_disk, TABLE_SWEEP, restore_sweep, world);
    disk_each(&world->broker_disk, TABLE_DONE, restore_done, world);
    disk_each(&world->broker_disk, TABLE_PARKED, restore_parked, world);
    disk_each(&world->broker_disk, TABLE_SHARE, restore_share, world);
    for (uint32_t at = 0; at < world->sweep_count; at++)
        if (world->sweeps[at].accepted && broker_sweep(host->broker, &world->sweeps[at].id) == NULL)
            world_fail(world, "a restarted broker has forgotten an accepted sweep");
}

void broker_host_die(struct world *world)
{
    broker_free(world->broker.broker);
    world->broker.broker = NULL;
}
