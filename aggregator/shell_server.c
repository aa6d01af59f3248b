#include "shell_server.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "aggregator.h"
#include "cache.h"
#include "digest.h"
#include "metrics.h"
#include "net/count.h"
#include "net/http.h"
#include "net/process.h"
#include "net/socket.h"
#include "shell_payload.h"
#include "shell_plans.h"
#include "shell_store.h"
#include "sweep_codec.h"

#define TURN_MESSAGES  64u
#define TURN_BYTES     (32u << 20)
#define CACHE_BYTES    (256u << 20)
#define REFUSAL_LOG_MS 1000u /* at most one line of each kind in this time: others cause them */

_Static_assert(TURN_MESSAGES <= AGGREGATOR_ANSWERS_MAX, "every message of a turn may need an answer");
_Static_assert(SOCKET_ID_BYTES <= AGGREGATOR_PEER_BYTES, "a routing id fits a peer");

struct server {
    struct net *net;
    struct socket *peers, *broker;
    struct store *store;
    struct plans *plans;
    struct cache *cache;
    struct payloads payloads;
    struct aggregator *core;
    struct node *received; /* payload of the partial being stepped; the core may keep it */
    struct sweep *scratch;
    char broker_endpoint[MESSAGE_ENDPOINT_BYTES];
    struct aggregator_config config;
    struct aggregator_event next; /* what an effect brought about; to be stepped after it */
    bool has_next, failed;
    struct http *http; /* or NULL */
    uint64_t began_ms;
    struct aggregator_counters counters;
    struct traffic traffic;
    uint64_t forbidden; /* messages that their sender's key may not send */
    uint64_t forbidden_logged_ms, malformed_logged_ms, refused_logged_ms, broker_error_logged_ms;
    struct aggregator_effects effects;
    struct message in, out;
    char fault[PAYLOAD_WHY_BYTES];
};

/* ---- opening ---- */

static bool visit_sweep(void *context, const struct digest *sweep, const struct digest *population,
                        bool population_held, const struct digest *result, struct span bytes, const char **why)
{
    struct server *server = context;
    if (!sweep_decode(bytes, server->scratch, why)) return false;
    bool held = population_held || digest_equal(population, &server->config.built_in);
    *why = "there is no room for one more sweep";
    const struct facts facts = facts_of(server->scratch);
    return aggregator_load_sweep(server->core, sweep, &facts, population, held, result);
}

static bool visit_node(void *context, const struct digest *sweep, struct fold_place place, const char **why)
{
    struct server *server = context;
    *why = "it does not fit beside the other nodes of its sweep";
    return aggregator_load_node(server->core, sweep, place);
}

static void visit_damage(void *context, const char *what)
{
    struct server *server = context;
    server->counters.damaged++;
    log_event(LOG_ERROR, "store-damage", "row=\"%s\" action=\"set aside; its blocks are done again\"", what);
}

static bool open_store(struct server *server, const struct server_setup *setup, char *why, size_t why_bytes)
{
    server->store = store_open(setup->state, why, why_bytes);
    if (!server->store) return false;
    server->plans = plans_new(server->store, setup->models);
    server->cache = cache_new(CACHE_BYTES);
    server->scratch = malloc(sizeof *server->scratch);
    snprintf(why, why_bytes, "out of memory");
    if (!server->plans || !server->cache || !server->scratch) return false;
    server->payloads = (struct payloads){.store = server->store, .plans = server->plans, .cache = server->cache};
    server->config.built_in = *plans_built_in(server->plans);
    return true;
}

static bool load_core(struct server *server, char *why, size_t why_bytes)
{
    const struct store_visitor visitor = {
        .context = server, .sweep = visit_sweep, .node = visit_node, .damage = visit_damage};
    snprintf(why, why_bytes, "out of memory");
    server->core = aggregator_new(&server->config);
    if (!server->core) return false;
    if (store_load(server->store, &visitor)) return true;
    snprintf(why, why_bytes, "%s", store_why(server->store));
    return false;
}

static bool open_sockets(struct server *server, const struct server_setup *setup, char *why, size_t why_bytes)
{
    char bound[MESSAGE_ENDPOINT_BYTES];
    snprintf(why, why_bytes, "%s", NET_WANTS);
    server->net = net_open();
    if (!server->net || (setup->keys && !net_use_keys(server->net, setup->keys, why, why_bytes))) return false;
    snprintf(why, why_bytes, "out of memory or handles");
    server->peers = socket_bind(server->net, setup->bind, bound, sizeof bound, why, why_bytes);
    if (!server->peers) return false;
    server->broker = socket_connect(server->net, setup->broker, why, why_bytes);
    if (!server->broker) return false;
    snprintf(server->broker_endpoint, sizeof server->broker_endpoint, "%s", setup->broker);
    snprintf(server->config.endpoint, sizeof server->config.endpoint, "%s",
             setup->advertise ? setup->advertise : bound);
    return true;
}

static bool open_http(struct server *server, const char *address, char *why, size_t why_bytes)
{
    char bound[HTTP_ADDRESS_BYTES];
    const struct http_setup setup = {.program = "goldthread-aggregator",
                                     .address = address,
                                     .snapshot_bytes = sizeof(struct aggregator_snapshot),
                                     .metrics = aggregator_metrics,
                                     .status = aggregator_status};
    if (!address) return true;
    server->http = http_open(&setup, bound, sizeof bound, why, why_bytes);
    if (!server->http) return false;
    log_event(LOG_INFO, "http-listening", "address=%s", bound);
    return true;
}

static void name_self(struct aggregator_config *config)
{
    char host[MESSAGE_NAME_BYTES - 24] = "";
    gethostname(host, sizeof host - 1);
    snprintf(config->name, sizeof config->name, "%s-%ld", host[0] ? host : "aggregator", (long)getpid());
    if (getrandom(&config->instance, sizeof config->instance, 0) != (ssize_t)sizeof config->instance)
        config->instance = clock_us();
}

struct server *server_open(const struct server_setup *setup, char *why, size_t why_bytes)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(why, why_bytes, "out of memory");
        return NULL;
    }
    name_self(&server->config);
    server->began_ms = clock_ms();
    if (open_store(server, setup, why, why_bytes) && open_sockets(server, setup, why, why_bytes) &&
        load_core(server, why, why_bytes) && open_http(server, setup->http, why, why_bytes)) {
        log_event(LOG_INFO, "ready", "endpoint=%s broker=%s state=%s commits=%" PRIu64, server->config.endpoint,
                  setup->broker, setup->state, store_commits(server->store));
        return server;
    }
    server_close(server, false);
    return NULL;
}

/* Sends and counts the outgoing message. */
static enum socket_result send_broker(struct server *server)
{
    enum socket_result result = socket_send(server->broker, NULL, &server->out);
    count_sent(&server->traffic, &server->out, result);
    return result;
}

void server_close(struct server *server, bool orderly)
{
    if (!server) return;
    http_close(server->http);
    if (orderly) {
        server->out.kind = MESSAGE_GOODBYE;
        send_broker(server);
    }
    socket_close(server->peers);
    socket_close(server->broker);
    net_close(server->net);
    aggregator_free(server->core);
    node_free(server->received);
    buffer_free(&server->payloads.bytes);
    cache_free(server->cache);
    plans_free(server->plans);
    store_close(server->store);
    free(server->scratch);
    free(server);
}

/* ---- doing what the core says ---- */

/* The core believes that it was done: only a restart from disk makes core and disk agree again. */
static void fail(struct server *server, const char *deed, const char *why)
{
    log_event(LOG_ERROR, "failed", "deed=\"%s\" reason=\"%s\"", deed, why);
    server->failed = true;
}

static void follow_up(struct server *server, const struct aggregator_event *event)
{
    server->next = *event;
    server->has_next = true;
}

/* Says how far the store is, so that the broker notices when it has lost something. */
static enum socket_result tell_store(struct server *server)
{
    server->out.kind = MESSAGE_STORE;
    server->out.store.store = store_identity(server->store);
    server->out.store.commits = store_commits(server->store);
    return send_broker(server);
}

static void tell_broker(struct server *server, const struct aggregator_effect *effect)
{
    aggregator_message(server->core, effect, &server->out);
    /* What the broker takes for finished is in what it knows of this store, and would be missed with it. */
    const bool finished = effect->kind == EFFECT_HELD && server->out.held.complete;
    enum socket_result result = finished ? tell_store(server) : SOCKET_OK;
    if (finished) aggregator_message(server->core, effect, &server->out);
    if (result == SOCKET_OK) result = send_broker(server);
    if (result == SOCKET_OK && (effect->kind == EFFECT_HELLO || effect->kind == EFFECT_HEARTBEAT))
        result = tell_store(server);
    if (result == SOCKET_OK) return;
    log_event(LOG_DEBUG, "broker-unheard", "message=%s result=%d", message_kind_name(server->out.kind), (int)result);
}

static struct socket_id id_of(const struct aggregator_peer *peer)
{
    struct socket_id id = {.size = peer->size};
    memcpy(id.bytes, peer->bytes, peer->size);
    return id;
}

/* A peer that is gone, or does not read, asks again. */
static void tell_peer(struct server *server, const struct aggregator_peer *peer)
{
    struct socket_id id = id_of(peer);
    enum socket_result result = socket_send(server->peers, &id, &server->out);
    count_sent(&server->traffic, &server->out, result);
    if (result == SOCKET_OK) return;
    log_event(LOG_DEBUG, "peer-unheard", "message=%s result=%d", message_kind_name(server->out.kind), (int)result);
}

static void tell_error(struct server *server, const struct aggregator_peer *peer, enum message_error code,
                       const char *text)
{
    server->out.kind = MESSAGE_ERROR;
    server->out.error.code = code;
    snprintf(server->out.error.text, sizeof server->out.error.text, "%s", text);
    tell_peer(server, peer);
}

static void report_damage(struct server *server, const struct digest *sweep)
{
    server->counters.damaged++;
    log_event(LOG_ERROR, "store-damage", "row=\"%s\" action=\"set aside; its blocks are done again\"",
              server->payloads.why);
    follow_up(server,
              &(struct aggregator_event){.kind = EVENT_DAMAGED, .sweep = *sweep, .place = server->payloads.damaged});
}

static void send_root(struct server *server, const struct aggregator_effect *effect, const struct node *root)
{
    struct buffer *bytes = &server->payloads.bytes;
    buffer_clear(bytes);
    if (root) node_encode(root, bytes);
    if (bytes->failed || bytes->size > MESSAGE_BYTES_MAX - 4096) {
        buffer_free(bytes);
        tell_error(server, &effect->peer, ERROR_REFUSED, "the result is too large for one message");
        return;
    }
    server->out.outcome.node = buffer_span(bytes);
    server->out.outcome.draws = root ? root->draws : 0;
    server->counters.results++;
    tell_peer(server, &effect->peer);
}

static void answer_result(struct server *server, const struct aggregator_effect *effect)
{
    struct node *root;
    uint64_t blocks;
    const struct fold *fold = aggregator_fold(server->core, &effect->sweep);
    enum payload_status status = payload_fold(&server->payloads, &effect->sweep, fold, &root, &blocks);
    if (status == PAYLOAD_OK) {
        aggregator_message(server->core, effect, &server->out);
        server->out.outcome.blocks = blocks;
        send_root(server, effect, root);
        node_free(root);
        return;
    }
    if (status == PAYLOAD_DAMAGED) report_damage(server, &effect->sweep);
    tell_error(server, &effect->peer, ERROR_STORE, server->payloads.why);
}

static void render(struct server *server, const struct digest *sweep)
{
    struct aggregator_event event = {.kind = EVENT_RENDERED, .sweep = *sweep};
    const struct fold *fold = aggregator_fold(server->core, sweep);
    const uint64_t started_us = clock_us();
    enum payload_status status = payload_digest(&server->payloads, sweep, fold, &event.result);
    histogram_add(&server->counters.renders, clock_us() - started_us);
    server->counters.renders_failed += status != PAYLOAD_OK;
    if (status == PAYLOAD_DAMAGED) {
        report_damage(server, sweep);
        return;
    }
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(sweep, hex);
    if (status == PAYLOAD_FAILED) {
        snprintf(server->fault, sizeof server->fault, "%s", server->payloads.why);
        event.fault = server->fault;
        log_event(LOG_ERROR, "no-table", "sweep=%s reason=\"%s\"", hex, server->fault);
    } else {
        char result[DIGEST_HEX_BYTES];
        digest_to_hex(&event.result, result);
        log_event(LOG_INFO, "complete", "sweep=%s digest=%s", hex, result);
    }
    follow_up(server, &event);
}

static void log_verdict(const struct digest *sweep, struct fold_place place, const struct aggregator_event *event)
{
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(sweep, hex);
    if (event->fault) log_event(LOG_ERROR, "no-verdict", "sweep=%s reason=\"%s\"", hex, event->fault);
    else
        log_event(LOG_INFO, event->met ? "sure-enough" : "not-sure-yet", "sweep=%s blocks=%" PRIu64, hex,
                  fold_size(place));
}

static void check_rule(struct server *server, const struct digest *sweep, struct fold_place place)
{
    struct aggregator_event event = {.kind = EVENT_CHECKED, .sweep = *sweep};
    enum payload_status status = payload_check(&server->payloads, sweep, place, &event.met);
    if (status == PAYLOAD_DAMAGED) {
        report_damage(server, sweep);
        return;
    }
    if (status == PAYLOAD_FAILED) {
        snprintf(server->fault, sizeof server->fault, "%s", server->payloads.why);
        event.fault = server->fault;
    }
    log_verdict(sweep, place, &event);
    follow_up(server, &event);
}

static void reconnect(struct server *server)
{
    char why[256];
    log_event(LOG_WARNING, "broker-silent", "endpoint=%s", server->broker_endpoint);
    struct socket *broker = socket_connect(server->net, server->broker_endpoint, why, sizeof why);
    if (!broker) {
        fail(server, "connect to the broker anew", why);
        return;
    }
    socket_close(server->broker);
    server->broker = broker;
}

static void log_copy(const struct aggregator_effect *effect, const char *fault)
{
    char sweep[DIGEST_HEX_BYTES], source[DIGEST_HEX_BYTES];
    digest_to_hex(&effect->sweep, sweep);
    digest_to_hex(&effect->source, source);
    if (fault) log_event(LOG_WARNING, "not-taken-over", "sweep=%s source=%s reason=\"%s\"", sweep, source, fault);
    else
        log_event(LOG_INFO, "taken-over", "sweep=%s source=%s first=%" PRIu64 " blocks=%" PRIu64, sweep, source,
                  fold_first(effect->place), fold_size(effect->place));
}

static void copy(struct server *server, const struct aggregator_effect *effect)
{
    struct aggregator_event event = {.kind = EVENT_COPIED, .sweep = effect->sweep, .place = effect->place};
    enum payload_status status =
        payload_copy(&server->payloads, &effect->source, &effect->sweep, effect->place, &server->received);
    if (status == PAYLOAD_DAMAGED) {
        report_damage(server, &effect->source);
        return;
    }
    log_copy(effect, status == PAYLOAD_OK ? NULL : server->payloads.why);
    if (status == PAYLOAD_FAILED) {
        snprintf(server->fault, sizeof server->fault, "%s", server->payloads.why);
        event.fault = server->fault;
        server->received = NULL;
    }
    follow_up(server, &event);
}

static void keep(struct server *server, const struct aggregator_effect *effect)
{
    struct node *node = server->received;
    server->received = NULL;
    if (!cache_put(server->cache, &effect->sweep, effect->place, node, true)) fail(server, "keep a node", "no memory");
}

static void check_payload(struct server *server, enum payload_status status, const char *deed)
{
    if (status != PAYLOAD_OK) fail(server, deed, server->payloads.why);
}

static void check_store(struct server *server, bool done, const char *deed)
{
    if (!done) fail(server, deed, store_why(server->store));
}

static void set_aside(struct server *server, const struct aggregator_effect *effect)
{
    cache_drop(server->cache, &effect->sweep, effect->place);
    check_store(server, store_set_aside_node(server->store, &effect->sweep, effect->place, server->payloads.why),
                "set a damaged node aside");
}

static void commit(struct server *server)
{
    const uint64_t started_us = clock_us();
    check_store(server, store_commit(server->store), "commit");
    histogram_add(&server->counters.commits, clock_us() - started_us);
    follow_up(server, &(struct aggregator_event){.kind = EVENT_COMMITTED});
}

static void perform(struct server *server, const struct aggregator_effect *effect)
{
    struct store *store = server->store;
    const struct digest *sweep = &effect->sweep;
    switch (effect->kind) {
    case EFFECT_HELLO:
    case EFFECT_HEARTBEAT:
    case EFFECT_FETCH:
    case EFFECT_HELD:
        tell_broker(server, effect);
        break;
    case EFFECT_RECONNECT:
        reconnect(server);
        break;
    case EFFECT_FOLDED:
        server->counters.partials[effect->outcome]++;
        __attribute__((fallthrough));
    case EFFECT_ERROR:
        aggregator_message(server->core, effect, &server->out);
        tell_peer(server, &effect->peer);
        break;
    case EFFECT_OUTCOME:
        answer_result(server, effect);
        break;
    case EFFECT_KEEP:
        keep(server, effect);
        break;
    case EFFECT_MERGE:
        check_payload(server, payload_merge(&server->payloads, sweep, effect->place), "merge");
        break;
    case EFFECT_STORE_NODE:
        check_payload(server, payload_store(&server->payloads, sweep, effect->place), "store a node");
        break;
    case EFFECT_DELETE_NODE:
        check_store(server, store_delete_node(store, sweep, effect->place), "merge");
        break;
    case EFFECT_DELETE_OTHERS:
        cache_drop_others(server->cache, sweep, effect->place);
        check_store(server, store_delete_others(store, sweep, effect->place), "end a sweep early");
        break;
    case EFFECT_STORE_SWEEP:
        check_store(server, store_put_sweep(store, sweep, &effect->population, effect->bytes), "store a sweep");
        break;
    case EFFECT_STORE_POPULATION:
        check_store(server, store_put_population(store, sweep, effect->bytes), "store a population");
        break;
    case EFFECT_STORE_RESULT:
        check_store(server, store_put_result(store, sweep, &effect->result), "finish");
        break;
    case EFFECT_SET_ASIDE:
        set_aside(server, effect);
        break;
    case EFFECT_COMMIT:
        commit(server);
        break;
    case EFFECT_COPY:
        copy(server, effect);
        break;
    case EFFECT_CHECK:
        check_rule(server, sweep, effect->place);
        break;
    case EFFECT_RENDER:
        render(server, sweep);
        break;
    }
}

/* Steps the core and does what it says, and what follows from that. */
static void drive(struct server *server, const struct aggregator_event *first)
{
    struct aggregator_event event = *first;
    do {
        server->has_next = false;
        event.now_ms = clock_ms();
        aggregator_step(server->core, &event, &server->effects);
        for (size_t at = 0; at < server->effects.count && !server->failed; at++)
            perform(server, &server->effects.list[at]);
        bool needs_flush = event.kind == EVENT_RENDERED || event.kind == EVENT_CHECKED || event.kind == EVENT_DAMAGED ||
                           (event.kind == EVENT_COPIED && !server->has_next);
        event = needs_flush ? (struct aggregator_event){.kind = EVENT_FLUSH} : server->next;
        if (needs_flush) server->has_next = true;
    } while (server->has_next && !server->failed);
}

/* ---- receiving ---- */

/* Whether a line of a kind that others cause may be written. */
static bool may_log(uint64_t *logged_ms)
{
    uint64_t now_ms = clock_ms();
    if (*logged_ms > 0 && now_ms < *logged_ms + REFUSAL_LOG_MS) return false;
    *logged_ms = now_ms;
    return true;
}

static void log_broker_error(struct server *server, const struct message *message)
{
    if (message->kind == MESSAGE_ERROR && may_log(&server->broker_error_logged_ms))
        log_event(LOG_WARNING, "broker-refuses", "code=%d text=\"%s\"", (int)message->error.code, message->error.text);
}

/* A broker that has lost its end may have forgotten sweeps that it accepted. What is held here stays, and
 * counts as soon as a sweep is submitted again. */
static void take_broker_store(struct server *server)
{
    struct witness *witness = store_witness(server->store);
    const struct witness before = *witness;
    enum witness_verdict verdict = witness_take(witness, server->in.store.store, server->in.store.commits);
    if (verdict == WITNESS_ONWARD) return;
    check_store(server, store_keep_witness(server->store) && store_commit(server->store), "commit");
    if (verdict == WITNESS_FIRST) return;
    log_event(LOG_ERROR, verdict == WITNESS_BACK ? "broker-store-went-back" : "broker-store-replaced",
              "store=%016" PRIx64 " commits=%" PRIu64 " known_store=%016" PRIx64 " known_commits=%" PRIu64
              " hint=\"submit again what it no longer lists: what is done of it is kept here\"",
              witness->store, witness->commits, before.store, before.commits);
}

static size_t receive_broker(struct server *server)
{
    size_t count = 0;
    const char *why;
    for (; count < TURN_MESSAGES && !server->failed; count++) {
        enum socket_result result = socket_receive(server->broker, NULL, &server->in, &why);
        if (result == SOCKET_ERROR) {
            log_event(LOG_WARNING, "broker-malformed", "reason=\"%s\"", why);
            continue;
        }
        if (result != SOCKET_OK) break;
        count_received(&server->traffic, &server->in);
        log_broker_error(server, &server->in);
        if (server->in.kind == MESSAGE_STORE) {
            take_broker_store(server);
            continue;
        }
        drive(server, &(struct aggregator_event){.kind = EVENT_BROKER, .message = &server->in});
    }
    return count;
}

static void refuse_malformed(struct server *server, const struct aggregator_peer *peer, const char *why)
{
    if (may_log(&server->malformed_logged_ms)) log_event(LOG_WARNING, "peer-malformed", "reason=\"%s\"", why);
    if (peer->size > 0) tell_error(server, peer, ERROR_MALFORMED, why);
}

/* False: the sender's key may not send this; it is told so. */
static bool is_permitted(struct server *server, const struct aggregator_peer *peer)
{
    if (socket_permits(server->peers, &server->in, &server->out)) return true;
    server->forbidden++;
    if (may_log(&server->forbidden_logged_ms))
        log_event(LOG_WARNING, "peer-forbidden", "reason=\"%s\" count=%" PRIu64, server->out.error.text,
                  server->forbidden);
    if (server->in.kind != MESSAGE_ERROR) tell_peer(server, peer);
    return false;
}

/* Reads a partial's payload when the core will want it; NULL, or what is wrong with it. */
static const char *read_payload(struct server *server)
{
    const struct message *in = &server->in;
    if (in->kind != MESSAGE_PARTIAL) return NULL;
    struct fold_place place = {.level = in->partial.level, .index = in->partial.index};
    if (!aggregator_wants_payload(server->core, &in->partial.sweep, place)) return NULL;
    server->received = payload_read(&server->payloads, &in->partial.sweep, place, in->partial.node);
    return server->received ? NULL : server->payloads.why;
}

static void take_peer_message(struct server *server, const struct aggregator_peer *peer)
{
    const char *fault = read_payload(server);
    if (fault && may_log(&server->refused_logged_ms)) log_event(LOG_WARNING, "partial-refused", "reason=\"%s\"", fault);
    drive(server,
          &(struct aggregator_event){.kind = EVENT_PEER, .peer = *peer, .message = &server->in, .fault = fault});
    node_free(server->received); /* the core took no notice of it */
    server->received = NULL;
}

static size_t receive_peers(struct server *server)
{
    size_t count = 0, bytes = 0;
    const char *why;
    while (count < TURN_MESSAGES && bytes < TURN_BYTES && !server->failed) {
        struct socket_id from;
        enum socket_result result = socket_receive(server->peers, &from, &server->in, &why);
        if (result != SOCKET_OK && result != SOCKET_ERROR) break;
        struct aggregator_peer peer = {.size = from.size};
        memcpy(peer.bytes, from.bytes, from.size);
        count++;
        if (result == SOCKET_ERROR) {
            refuse_malformed(server, &peer, why);
            continue;
        }
        count_received(&server->traffic, &server->in);
        if (server->in.kind == MESSAGE_PARTIAL) {
            bytes += server->in.partial.node.size;
            server->counters.partial_bytes += server->in.partial.node.size;
        }
        if (is_permitted(server, &peer)) take_peer_message(server, &peer);
    }
    return count;
}

static bool is_readable(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, 0) > 0;
}

static void wait_for_work(struct server *server, int stop_fd)
{
    struct socket *sockets[] = {server->peers, server->broker};
    uint64_t now_ms = clock_ms(), due_ms = aggregator_next_due_ms(server->core);
    socket_wait(sockets, 2, stop_fd, http_patience_ms(server->http, due_ms > now_ms ? (int64_t)(due_ms - now_ms) : 0));
}

/* Tells the page how things are, when it is time to, or now. */
static void publish(struct server *server, bool now)
{
    const uint64_t now_ms = clock_ms();
    struct aggregator_snapshot *snapshot = http_turn(server->http, now_ms, now);
    if (!snapshot) return;
    aggregator_observe(server->core, snapshot);
    snapshot->uptime_ms = now_ms - server->began_ms;
    snapshot->store_commits = store_commits(server->store);
    snapshot->cache_bytes = cache_bytes(server->cache);
    snapshot->cache_nodes = cache_count(server->cache);
    snapshot->counters = server->counters;
    snapshot->traffic = server->traffic;
    http_publish(server->http);
}

/* Commits what was received, and answers it. */
static void flush(struct server *server, size_t received)
{
    if (received > 0 && !server->failed) drive(server, &(struct aggregator_event){.kind = EVENT_FLUSH});
}

bool server_run(struct server *server, int stop_fd)
{
    while (!server->failed && !is_readable(stop_fd)) {
        publish(server, false);
        wait_for_work(server, stop_fd);
        size_t received = receive_broker(server) + receive_peers(server);
        flush(server, received);
        if (server->failed || aggregator_next_due_ms(server->core) > clock_ms()) continue;
        /* After a long sleep, or a long commit, what has arrived is heard before silence is noted. */
        received = receive_broker(server);
        flush(server, received);
        if (!server->failed) drive(server, &(struct aggregator_event){.kind = EVENT_TICK});
    }
    publish(server, true);
    return !server->failed;
}
