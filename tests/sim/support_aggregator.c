/* The aggregator's host: aggregator/shell_server.c on the virtual disk and network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "support_nodes.h"
#include "support_store.h"
#include "sweep_codec.h"

#define TURN_MESSAGES 64u /* as shell_server.c */

/* Doing what the core says */

static void fail(struct aggregator_host *host)
{
    host->failed = true;
}

static void follow_up(struct aggregator_host *host, const struct aggregator_event *event)
{
    host->next = *event;
    host->has_next = true;
}

/* Says how far the store is, so that the broker notices when it has lost something. */
static void tell_store(struct world *world)
{
    world->out.kind = MESSAGE_STORE;
    world->out.store.store = world->aggregator_disk.identity;
    world->out.store.commits = world->aggregator_disk.commits;
    network_send_up(world, HOST_AGGREGATOR, SLOT_BROKER, &world->out);
}

static void tell_broker(struct world *world, const struct aggregator_effect *effect)
{
    aggregator_message(world->aggregator.core, effect, &world->out);
    if (effect->kind == EFFECT_HELD && world->out.held.complete) {
        tell_store(world);
        aggregator_message(world->aggregator.core, effect, &world->out);
    }
    const enum network_result result = network_send_up(world, HOST_AGGREGATOR, SLOT_BROKER, &world->out);
    if (result != NETWORK_OK) return; /* unheard: said again */
    if (effect->kind == EFFECT_HELLO || effect->kind == EFFECT_HEARTBEAT) tell_store(world);
}

/* NEW and DUPLICATE are promises. */
static void check_folded(struct world *world)
{
    const struct message *out = &world->out;
    if (out->kind != MESSAGE_FOLDED || out->folded.outcome > FOLD_DUPLICATE) return;
    const struct block_range blocks = {out->folded.index << out->folded.level, UINT64_C(1) << out->folded.level};
    if (!world_is_covered(world_sweep(world, &out->folded.sweep), blocks))
        world_fail(world, "blocks %lu+%lu are called folded, and are not on disk", blocks.first, blocks.count);
}

static void tell_peer(struct world *world, const struct aggregator_peer *peer)
{
    check_folded(world);
    network_send_down(world, HOST_AGGREGATOR, network_number(peer->bytes), &world->out); /* unheard: asked again */
}

static void tell_error(struct world *world, const struct aggregator_peer *peer, enum message_error code,
                       const char *text)
{
    world->out.kind = MESSAGE_ERROR;
    world->out.error.code = code;
    snprintf(world->out.error.text, sizeof world->out.error.text, "%s", text);
    tell_peer(world, peer);
}

static void report_damage(struct aggregator_host *host, const struct digest *sweep)
{
    follow_up(host,
              &(struct aggregator_event){.kind = EVENT_DAMAGED, .sweep = *sweep, .place = host->payloads.damaged});
}

/* Of so many blocks, which may or may not have a last one that is short among them. */
static bool is_draw_count(const struct sim_sweep *sweep, uint64_t blocks, uint64_t draws)
{
    return draws == blocks * NODES_DRAWS ||
           (sweep->full_blocks < sweep->blocks && draws == (blocks - 1) * NODES_DRAWS + NODES_SHORT);
}

static void answer_result(struct world *world, const struct aggregator_effect *effect)
{
    struct aggregator_host *host = &world->aggregator;
    struct node *root;
    uint64_t blocks;
    const struct fold *fold = aggregator_fold(host->core, &effect->sweep);
    const enum payload_status status = payload_fold(&host->payloads, &effect->sweep, fold, &root, &blocks);
    if (status == PAYLOAD_OK) {
        aggregator_message(host->core, effect, &world->out);
        world->out.outcome.blocks = blocks;
        world->out.outcome.draws = root != NULL ? root->draws : 0;
        if (root != NULL && !is_draw_count(world_sweep(world, &effect->sweep), blocks, root->draws))
            world_fail(world, "the root of %lu blocks holds %lu draws", blocks, root->draws);
        tell_peer(world, &effect->peer);
        node_free(root);
        return;
    }
    if (status == PAYLOAD_DAMAGED) report_damage(host, &effect->sweep);
    tell_error(world, &effect->peer, ERROR_STORE, host->payloads.why);
}

/* The root's digest stands for that of the table. */
static void render(struct world *world, const struct digest *sweep)
{
    struct aggregator_host *host = &world->aggregator;
    struct aggregator_event event = {.kind = EVENT_RENDERED, .sweep = *sweep};
    struct node *root;
    uint64_t blocks;
    const struct fold *fold = aggregator_fold(host->core, sweep);
    const enum payload_status status = payload_fold(&host->payloads, sweep, fold, &root, &blocks);
    if (status == PAYLOAD_DAMAGED) {
        report_damage(host, sweep);
        return;
    }
    if (status == PAYLOAD_FAILED) {
        snprintf(host->fault, sizeof host->fault, "%s", host->payloads.why);
        event.fault = host->fault;
    } else {
        struct buffer bytes = {0};
        node_encode(root, &bytes);
        event.result = digest_of(buffer_span(&bytes));
        if (!digest_equal(&event.result, &world_sweep(world, sweep)->result))
            world_fail(world, "the result differs from that of the undisturbed run");
        buffer_free(&bytes);
        node_free(root);
    }
    follow_up(host, &event);
}

/* What shell_payload.c does with a real rule, and what a simulated one says. */
static void check_rule(struct world *world, const struct digest *sweep, struct fold_place place)
{
    struct aggregator_host *host = &world->aggregator;
    struct aggregator_event event = {.kind = EVENT_CHECKED, .sweep = *sweep};
    const struct sim_sweep *known = world_sweep(world, sweep);
    const struct node *node;
    const enum payload_status status = payload_lend(&host->payloads, sweep, place, &node);
    if (status == PAYLOAD_DAMAGED) {
        report_damage(host, sweep);
        return;
    }
    if (status == PAYLOAD_FAILED) {
        snprintf(host->fault, sizeof host->fault, "%s", host->payloads.why);
        event.fault = host->fault;
    } else {
        event.met = node->draws >= known->end * NODES_DRAWS;
        if (node->level != place.level || node->index != 0) world_fail(world, "another node is looked at");
    }
    follow_up(host, &event);
}

static void copy(struct world *world, const struct aggregator_effect *effect)
{
    struct aggregator_host *host = &world->aggregator;
    struct aggregator_event event = {.kind = EVENT_COPIED, .sweep = effect->sweep, .place = effect->place};
    const enum payload_status status =
        payload_copy(&host->payloads, &effect->source, &effect->sweep, effect->place, &host->received);
    if (status == PAYLOAD_DAMAGED) {
        report_damage(host, &effect->source);
        return;
    }
    if (status == PAYLOAD_FAILED) {
        snprintf(host->fault, sizeof host->fault, "%s", host->payloads.why);
        event.fault = host->fault;
        host->received = NULL;
    }
    world->report->copied += status == PAYLOAD_OK;
    follow_up(host, &event);
}

static void keep(struct world *world, const struct aggregator_effect *effect)
{
    struct aggregator_host *host = &world->aggregator;
    struct node *node = host->received;
    host->received = NULL;
    if (node == NULL) world_fail(world, "a node is to be kept that did not come");
    else if (!cache_put(host->cache, &effect->sweep, effect->place, node, true)) fail(host);
}

static void check_payload(struct aggregator_host *host, enum payload_status status)
{
    if (status != PAYLOAD_OK) fail(host);
}

static void check_store(struct aggregator_host *host, bool done)
{
    if (!done) fail(host);
}

/* The store holds the held nodes and no others, and memory only what it may. */
static void check_rows(struct world *world)
{
    const struct aggregator_host *host = &world->aggregator;
    size_t held = 0;
    for (uint32_t at = 0; at < world->sweep_count; at++) {
        const struct fold *fold = aggregator_fold(host->core, &world->sweeps[at].id);
        held += fold != NULL ? fold->count : 0;
    }
    if (world->aggregator_disk.rows[TABLE_NODE] != held)
        world_fail(world, "the store has %zu nodes, and %zu are held", world->aggregator_disk.rows[TABLE_NODE], held);
    /* What the last node brought in may stand above the limit until the next. */
    if (cache_bytes(host->cache) > world->limits.cache_bytes && cache_count(host->cache) > 1)
        world_fail(world, "the cache holds %zu bytes of %lu", cache_bytes(host->cache), world->limits.cache_bytes);
}

static void finish_commit(struct world *world)
{
    struct aggregator_host *host = &world->aggregator;
    check_rows(world);
    check_store(host, store_commit(host->store));
    follow_up(host, &(struct aggregator_event){.kind = EVENT_COMMITTED});
}

static void commit(struct world *world)
{
    const uint64_t takes_ms = world_commit_ms(world, HOST_AGGREGATOR);
    if (takes_ms == 0) {
        finish_commit(world);
        return;
    }
    world->aggregator.committing = true;
    world->hosts[HOST_AGGREGATOR].disk_ms = world->now_ms + takes_ms;
}

static void perform(struct world *world, const struct aggregator_effect *effect)
{
    struct aggregator_host *host = &world->aggregator;
    struct store *store = host->store;
    const struct digest *sweep = &effect->sweep;
    switch (effect->kind) {
    case EFFECT_HELLO:
    case EFFECT_HEARTBEAT:
    case EFFECT_FETCH:
    case EFFECT_HELD:
        tell_broker(world, effect);
        break;
    case EFFECT_RECONNECT:
        network_dial(world, HOST_AGGREGATOR, SLOT_BROKER, HOST_BROKER, 0);
        break;
    case EFFECT_FOLDED:
    case EFFECT_ERROR:
        aggregator_message(host->core, effect, &world->out);
        tell_peer(world, &effect->peer);
        break;
    case EFFECT_OUTCOME:
        answer_result(world, effect);
        break;
    case EFFECT_KEEP:
        keep(world, effect);
        break;
    case EFFECT_MERGE:
        check_payload(host, payload_merge(&host->payloads, sweep, effect->place));
        break;
    case EFFECT_STORE_NODE:
        check_payload(host, payload_store(&host->payloads, sweep, effect->place));
        break;
    case EFFECT_DELETE_NODE:
        check_store(host, store_delete_node(store, sweep, effect->place));
        break;
    case EFFECT_DELETE_OTHERS:
        cache_drop_others(host->cache, sweep, effect->place);
        check_store(host, store_delete_others(store, sweep, effect->place));
        break;
    case EFFECT_STORE_SWEEP:
        check_store(host, store_put_sweep(store, sweep, &effect->population, effect->bytes));
        break;
    case EFFECT_STORE_POPULATION:
        check_store(host, store_put_population(store, sweep, effect->bytes));
        break;
    case EFFECT_STORE_RESULT:
        check_store(host, store_put_result(store, sweep, &effect->result));
        break;
    case EFFECT_SET_ASIDE:
        cache_drop(host->cache, sweep, effect->place);
        check_store(host, store_set_aside_node(store, sweep, effect->place, host->payloads.why));
        break;
    case EFFECT_COMMIT:
        commit(world);
        break;
    case EFFECT_COPY:
        copy(world, effect);
        break;
    case EFFECT_CHECK:
        check_rule(world, sweep, effect->place);
        break;
    case EFFECT_RENDER:
        render(world, sweep);
        break;
    }
}

static bool goes_on(const struct world *world)
{
    return !world->over && !world->aggregator.failed && !world->hosts[HOST_AGGREGATOR].dying;
}

static void check_step(struct world *world)
{
    if (!aggregator_is_sound(world->aggregator.core)) world_fail(world, "the aggregator's state is not sound");
}

static void drive(struct world *world, const struct aggregator_event *first)
{
    struct aggregator_host *host = &world->aggregator;
    struct aggregator_event event = *first;
    do {
        host->has_next = false;
        event.now_ms = world_clock(world, HOST_AGGREGATOR);
        aggregator_step(host->core, &event, &host->effects);
        check_step(world);
        for (size_t at = 0; at < host->effects.count && goes_on(world); at++) {
            if (world_dies_here(world, HOST_AGGREGATOR)) return;
            perform(world, &host->effects.list[at]);
        }
        if (host->committing) return; /* goes on when the disk is through */
        const bool needs_flush = event.kind == EVENT_RENDERED || event.kind == EVENT_CHECKED ||
                                 event.kind == EVENT_DAMAGED || (event.kind == EVENT_COPIED && !host->has_next);
        event = needs_flush ? (struct aggregator_event){.kind = EVENT_FLUSH} : host->next;
        if (needs_flush) host->has_next = true;
    } while (host->has_next && goes_on(world));
}

/* Receiving */

static bool read_message(struct world *world, const struct letter *letter)
{
    const char *why = "";
    const bool read = message_decode(buffer_span(&letter->bytes), &world->in, &why);
    if (!read) world_fail(world, "the aggregator cannot read a message: %s", why);
    return read;
}

/* What is known of the broker's store; committed at once, between turns of the core. */
static void take_broker_store(struct world *world)
{
    struct witness *witness = &world->aggregator_disk.witness;
    if (witness_take(witness, world->in.store.store, world->in.store.commits) == WITNESS_ONWARD) return;
    check_store(&world->aggregator, store_commit(world->aggregator.store));
}

static size_t receive_broker(struct world *world)
{
    struct letter letter;
    size_t count = 0;
    for (; count < TURN_MESSAGES && goes_on(world); count++) {
        if (!network_receive(world, HOST_AGGREGATOR, SLOT_BROKER, &letter)) break;
        if (!read_message(world, &letter)) world->aggregator.failed = true;
        else if (world->in.kind == MESSAGE_STORE) take_broker_store(world);
        else drive(world, &(struct aggregator_event){.kind = EVENT_BROKER, .message = &world->in});
        buffer_free(&letter.bytes);
    }
    return count;
}

static const char *read_payload(struct world *world)
{
    struct aggregator_host *host = &world->aggregator;
    const struct message *in = &world->in;
    if (in->kind != MESSAGE_PARTIAL) return NULL;
    const struct fold_place place = {.level = in->partial.level, .index = in->partial.index};
    if (!aggregator_wants_payload(host->core, &in->partial.sweep, place)) return NULL;
    host->received = payload_read(&host->payloads, &in->partial.sweep, place, in->partial.node);
    return host->received ? NULL : host->payloads.why;
}

static size_t receive_peers(struct world *world)
{
    struct aggregator_host *host = &world->aggregator;
    struct letter letter;
    size_t count = 0;
    for (; count < TURN_MESSAGES && goes_on(world); count++) {
        if (!network_receive(world, HOST_AGGREGATOR, SLOT_AGGREGATOR, &letter)) break;
        struct aggregator_event event = {.kind = EVENT_PEER, .peer = {.size = NETWORK_ID_BYTES}, .message = &world->in};
        network_id(letter.wire, event.peer.bytes);
        if (read_message(world, &letter)) {
            event.fault = read_payload(world);
            drive(world, &event);
        }
        node_free(host->received);
        host->received = NULL;
        buffer_free(&letter.bytes);
    }
    return count;
}

static void end_turn(struct world *world)
{
    struct aggregator_host *host = &world->aggregator;
    if (goes_on(world) && !host->committing &&
        aggregator_next_due_ms(host->core) <= world_clock(world, HOST_AGGREGATOR))
        drive(world, &(struct aggregator_event){.kind = EVENT_TICK});
    if (host->failed && !world->over) {
        TRACE(world, "the aggregator fails, and ends: %s / %s", host->store->why, host->payloads.why);
        world->hosts[HOST_AGGREGATOR].dying = world->hosts[HOST_AGGREGATOR].stopped = true;
    }
    if (!goes_on(world) || host->committing) return;
    world_wake_local(world, HOST_AGGREGATOR, aggregator_next_due_ms(host->core));
    if (network_has_mail(world, HOST_AGGREGATOR)) world_wake(world, HOST_AGGREGATOR, world->now_ms);
}

void aggregator_host_turn(struct world *world)
{
    struct aggregator_host *host = &world->aggregator;
    if (host->committing) {
        host->committing = false;
        finish_commit(world);
        if (!host->failed && !world_dies_here(world, HOST_AGGREGATOR))
            drive(world, &(struct aggregator_event){.kind = EVENT_COMMITTED});
    } else {
        const size_t received = receive_broker(world) + receive_peers(world);
        if (received > 0 && goes_on(world)) drive(world, &(struct aggregator_event){.kind = EVENT_FLUSH});
    }
    end_turn(world);
}

/* Starting and dying */

static bool visit_sweep(void *context, const struct digest *sweep, const struct digest *population,
                        bool population_held, const struct digest *result, struct span bytes, const char **why)
{
    struct world *world = context;
    struct sweep *content = malloc(sizeof *content);
    const struct digest built_in = {{1}};
    const bool held = population_held || digest_equal(population, &built_in);
    if (content == NULL) abort();
    bool loaded = sweep_decode(bytes, content, why);
    if (loaded) {
        const struct facts facts = facts_of(content);
        loaded = aggregator_load_sweep(world->aggregator.core, sweep, &facts, population, held, result);
    }
    free(content);
    return loaded;
}

static bool visit_node(void *context, const struct digest *sweep, struct fold_place place, const char **why)
{
    *why = "it does not fit beside the other nodes of its sweep";
    return aggregator_load_node(((struct world *)context)->aggregator.core, sweep, place);
}

static void check_loaded(struct world *world)
{
    for (uint32_t at = 0; at < world->sweep_count; at++) {
        const struct fold *fold = aggregator_fold(world->aggregator.core, &world->sweeps[at].id);
        if ((fold != NULL ? fold->covered : 0) != world->sweeps[at].covered_count)
            world_fail(world, "a restarted aggregator holds %lu blocks, and %lu are on disk",
                       fold != NULL ? fold->covered : 0, world->sweeps[at].covered_count);
    }
}

void aggregator_host_start(struct world *world)
{
    struct aggregator_host *host = &world->aggregator;
    const struct host *self = &world->hosts[HOST_AGGREGATOR];
    struct aggregator_config config = {.instance = world_draw(world, UINT64_MAX), .built_in = {{1}}};
    const struct store_visitor visitor = {.context = world, .sweep = visit_sweep, .node = visit_node};
    snprintf(config.name, sizeof config.name, "aggregator-%u", self->life);
    snprintf(config.endpoint, sizeof config.endpoint, "sim://%u", world->limits.endpoint_moves ? self->life : 0);
    host->store = calloc(1, sizeof *host->store);
    host->core = aggregator_new(&config);
    host->cache = cache_new(world->limits.cache_bytes);
    if (host->store == NULL || host->core == NULL || host->cache == NULL) abort();
    host->store->world = world;
    host->plans = plans_new(host->store, NULL);
    host->payloads = (struct payloads){.store = host->store, .plans = host->plans, .cache = host->cache};
    if (world->aggregator_disk.identity == 0) world->aggregator_disk.identity = 1 + world_draw(world, UINT64_MAX - 1);
    host->failed = host->has_next = host->committing = false;
    if (!store_load(host->store, &visitor)) {
        world->hosts[HOST_AGGREGATOR].dying = world->hosts[HOST_AGGREGATOR].stopped = true;
        return;
    }
    world_recount_covered(world);
    check_loaded(world);
    network_dial(world, HOST_AGGREGATOR, SLOT_BROKER, HOST_BROKER, 0);
}

void aggregator_host_die(struct world *world)
{
    struct aggregator_host *host = &world->aggregator;
    aggregator_free(host->core);
    node_free(host->received);
    buffer_free(&host->payloads.bytes);
    cache_free(host->cache);
    plans_free(host->plans);
    free(host->store);
    host->core = NULL;
    host->received = NULL;
    host->cache = NULL;
    host->plans = NULL;
    host->store = NULL;
}
