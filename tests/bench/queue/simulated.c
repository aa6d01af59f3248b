#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "block.h"
#include "digest.h"
#include "net/process.h"
#include "plan.h"
#include "population.h"
#include "population_codec.h"
#include "queue.h"
#include "registry.h"
#include "session.h"
#include "sweep_codec.h"

#define WORKERS_PER_NET 400 /* two sockets each, and ZeroMQ's own bound is a thousand */
#define TURN_MESSAGES   64  /* of one socket, before others have a turn */
#define EVENTS_MAX      512 /* of one wait */
#define ASK_MS          5   /* between questions to `until` */
#define LINE_BYTES      512
#define SLOW_BLOCK_US   1000000 /* CROWD_SINGLY: too long to be leased with others */

/* Every worker has sweeps of its own in its session, but what is computed is one sweep at a time, and the
 * same for all: as in programs on one machine, whose code and tables the processor keeps once. */
struct work {
    struct digest id;
    struct sweep sweep;
    struct population *population;
    struct plan *plan;
    struct block_runner *runner;
};

struct pending { /* a part to be computed once the step that asked for it is through */
    bool is_set;
    uint32_t slot, place, level;
    uint64_t index;
};

struct one { /* worker */
    struct session *session;
    struct net *net; /* borrowed */
    struct socket *broker, *aggregator;
    bool broker_blocked, aggregator_blocked;
    struct digest places[SESSION_SWEEPS_MAX];
    struct buffer parts[SESSION_PARTS_MAX];
    struct pending pending;
    struct crowd *crowd;
};

struct crowd {
    char broker_endpoint[MESSAGE_ENDPOINT_BYTES];
    enum crowd_manner manner;
    int epoll;
    struct net *nets[QUEUE_SIMULATED / WORKERS_PER_NET + 1];
    size_t net_count;
    struct one *list; /* [count] */
    size_t count;
    struct work work;
    struct digest built_in;
    struct session_effects effects;
    struct message in, out;
};

/* --- the work --- */

static void drop_work(struct work *work)
{
    block_runner_free(work->runner);
    plan_free(work->plan);
    population_free(work->population);
    *work = (struct work){0};
}

static void load_sweep(struct crowd *crowd, struct span bytes)
{
    struct work *work = &crowd->work;
    const struct digest id = digest_of(bytes);
    const char *reason = "";
    char why[LINE_BYTES] = "";
    if (work->plan != NULL && digest_equal(&work->id, &id)) return;
    drop_work(work);
    work->id = id;
    work->population = population_built_in();
    if (work->population == NULL || !sweep_decode(bytes, &work->sweep, &reason)) stop("no sweep: %s", reason);
    const struct model *model = model_find(work->sweep.model);
    if (model == NULL) stop("no model %s", work->sweep.model);
    work->plan = plan_new(&work->sweep, work->population, model, why, sizeof why);
    work->runner = work->plan != NULL ? block_runner_new(work->plan, why, sizeof why) : NULL;
    if (work->runner == NULL) stop("no plan: %s", why);
}

static bool never(void *context)
{
    (void)context;
    return false;
}

/* --- one worker: what worker/main.c does, without a thread --- */

static void step(struct one *one, struct session_event *event);

static void watch(struct one *one, struct socket *socket)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(one->crowd->epoll, EPOLL_CTL_ADD, socket_fd(socket), &event) != 0) stop("epoll: %s", strerror(errno));
}

static void connect_to(struct one *one, struct socket **socket, const char *endpoint)
{
    char why[LINE_BYTES];
    socket_close(*socket); /* and with it its descriptor, which epoll forgets */
    *socket = socket_connect(one->net, endpoint, why, sizeof why);
    if (*socket == NULL) stop("%s", why);
    watch(one, *socket);
}

static void send_effect(struct one *one, const struct session_effect *effect)
{
    struct message *out = &one->crowd->out;
    const bool part = effect->kind == SESSION_SEND_PART;
    struct socket *socket = part ? one->aggregator : one->broker;
    session_compose(one->session, effect, out);
    if (part) out->partial.node = buffer_span(&one->parts[effect->slot]);
    if (socket != NULL && socket_send(socket, NULL, out) == SOCKET_OK) return;
    *(part ? &one->aggregator_blocked : &one->broker_blocked) = true;
    const struct session_effect unsent = *effect; /* the next step overwrites the list that it is in */
    step(one, &(struct session_event){.kind = SESSION_UNSENT, .unsent = &unsent});
}

static void carry_out(struct one *one, const struct session_effect *effect)
{
    switch (effect->kind) {
    case SESSION_SEND:
    case SESSION_SEND_PART:
        send_effect(one, effect);
        break;
    case SESSION_RECONNECT:
        connect_to(one, &one->broker, one->crowd->broker_endpoint);
        break;
    case SESSION_CONNECT:
        connect_to(one, &one->aggregator, session_aggregator(one->session));
        break;
    case SESSION_LOAD_SWEEP:
        load_sweep(one->crowd, effect->bytes);
        one->places[effect->place] = one->crowd->work.id;
        break;
    case SESSION_COMPUTE:
        one->pending = (struct pending){true, effect->slot, effect->place, effect->level, effect->index};
        break;
    case SESSION_DROP:
        buffer_free(&one->parts[effect->slot]);
        break;
    case SESSION_LOAD_POPULATION: /* the built-in one is never fetched */
    case SESSION_ABORT:           /* a part is through before anybody can think better of it */
        break;
    }
}

/* Effects are carried out from a copy: sending one may lead to a step of its own. */
static void step(struct one *one, struct session_event *event)
{
    struct session_effects *effects = &one->crowd->effects;
    struct session_effect copied[SESSION_EFFECTS_MAX];
    event->now_ms = clock_ms();
    session_step(one->session, event, effects);
    const size_t count = effects->count;
    memcpy(copied, effects->list, count * sizeof *copied);
    for (size_t at = 0; at < count; at++) carry_out(one, &copied[at]);
}

static void compute(struct one *one)
{
    struct crowd *crowd = one->crowd;
    const struct pending job = one->pending;
    if (!job.is_set || crowd->manner == CROWD_HOLDS) return;
    if (!digest_equal(&one->places[job.place], &crowd->work.id)) stop("one sweep at a time");
    one->pending.is_set = false;
    struct session_event event = {.kind = SESSION_COMPUTED, .slot = job.slot};
    const uint64_t start_us = clock_us();
    struct node *node =
        block_run_tree(crowd->work.runner, job.level, job.index, never, NULL, &event.computed.failed_block);
    if (node == NULL) stop("out of memory for a node");
    buffer_free(&one->parts[job.slot]);
    node_encode(node, &one->parts[job.slot]);
    node_free(node);
    event.computed.bytes = one->parts[job.slot].size;
    event.computed.compute_us = clock_us() - start_us;
    if (crowd->manner == CROWD_SINGLY) event.computed.compute_us = (SLOW_BLOCK_US - 1) << job.level;
    step(one, &event);
}

static bool receive_from(struct one *one, enum session_peer peer)
{
    struct socket **socket = peer == SESSION_BROKER ? &one->broker : &one->aggregator;
    struct message *in = &one->crowd->in;
    for (int count = 0; count < TURN_MESSAGES && *socket != NULL; count++) {
        const char *why = "";
        const enum socket_result result = socket_receive(*socket, NULL, in, &why);
        if (result == SOCKET_EMPTY) return count > 0;
        if (result != SOCKET_OK) stop("malformed: %s", why);
        step(one, &(struct session_event){.kind = SESSION_MESSAGE, .peer = peer, .message = in});
    }
    return *socket != NULL;
}

static void tell_writable(struct one *one, enum session_peer peer)
{
    bool *blocked = peer == SESSION_BROKER ? &one->broker_blocked : &one->aggregator_blocked;
    struct socket *socket = peer == SESSION_BROKER ? one->broker : one->aggregator;
    if (!*blocked || socket == NULL || !socket_can_send(socket)) return;
    *blocked = false;
    step(one, &(struct session_event){.kind = SESSION_WRITABLE, .peer = peer});
}

/* ZeroMQ's descriptors tell of changes only, and any call may take the news in: a worker is done with
 * when both of its sockets have nothing more. */
static void serve(struct one *one)
{
    bool again = true;
    while (again) {
        if (session_next_due_ms(one->session) <= clock_ms()) step(one, &(struct session_event){.kind = SESSION_TICK});
        tell_writable(one, SESSION_BROKER);
        tell_writable(one, SESSION_AGGREGATOR);
        compute(one);
        again = receive_from(one, SESSION_BROKER);
        again = receive_from(one, SESSION_AGGREGATOR) || again;
        again = again || (one->pending.is_set && one->crowd->manner != CROWD_HOLDS);
    }
}

/* --- the crowd --- */

static void open_one(struct crowd *crowd, struct one *one, size_t number)
{
    char name[32];
    snprintf(name, sizeof name, "simulated-%zu", number);
    struct session_setup setup = {.name = name, .program = "bench_queue", .built_in_population = crowd->built_in};
    if (getrandom(&setup.instance, sizeof setup.instance, 0) < 0) stop("no random numbers");
    one->crowd = crowd;
    one->net = crowd->nets[number / WORKERS_PER_NET];
    one->session = session_new(&setup);
    if (one->session == NULL) stop("out of memory");
    connect_to(one, &one->broker, crowd->broker_endpoint);
}

static struct net *open_net(const struct cluster *cluster)
{
    char why[LINE_BYTES];
    struct net *net = net_open();
    if (net == NULL) stop("out of memory or handles");
    if (cluster->keys_folder[0] != 0 && !net_use_keys(net, &cluster->worker_keys, why, sizeof why)) stop("%s", why);
    return net;
}

struct crowd *crowd_open(const struct cluster *cluster, size_t count)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    struct population *population = population_built_in();
    if (crowd == NULL || population == NULL || count > QUEUE_SIMULATED) stop("too many workers, or out of memory");
    memcpy(crowd->broker_endpoint, cluster->broker_endpoint, sizeof crowd->broker_endpoint);
    crowd->built_in = population_identity(population);
    population_free(population);
    crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
    crowd->count = count;
    crowd->list = calloc(count, sizeof *crowd->list);
    if (crowd->list == NULL || crowd->epoll < 0) stop("out of memory or handles");
    for (size_t at = 0; at < count; at++) {
        if (at % WORKERS_PER_NET == 0) crowd->nets[crowd->net_count++] = open_net(cluster);
        open_one(crowd, &crowd->list[at], at);
    }
    return crowd;
}

void crowd_close(struct crowd *crowd)
{
    for (size_t at = 0; at < crowd->count; at++) {
        struct one *one = &crowd->list[at];
        socket_close(one->broker);
        socket_close(one->aggregator);
        session_free(one->session);
        for (size_t slot = 0; slot < SESSION_PARTS_MAX; slot++) buffer_free(&one->parts[slot]);
    }
    for (size_t at = 0; at < crowd->net_count; at++) net_close(crowd->nets[at]);
    drop_work(&crowd->work);
    close(crowd->epoll);
    free(crowd->list);
    free(crowd);
}

void crowd_behave(struct crowd *crowd, enum crowd_manner manner)
{
    crowd->manner = manner;
}

size_t crowd_registered(const struct crowd *crowd)
{
    size_t registered = 0;
    for (size_t at = 0; at < crowd->count; at++) registered += session_is_registered(crowd->list[at].session);
    return registered;
}

static uint64_t next_due_ms(const struct crowd *crowd)
{
    uint64_t due_ms = UINT64_MAX;
    for (size_t at = 0; at < crowd->count; at++) {
        const uint64_t own_ms = session_next_due_ms(crowd->list[at].session);
        if (own_ms < due_ms) due_ms = own_ms;
    }
    return due_ms;
}

static void serve_due(struct crowd *crowd, uint64_t now_ms)
{
    for (size_t at = 0; at < crowd->count; at++) {
        struct one *one = &crowd->list[at];
        const bool blocked = one->broker_blocked || one->aggregator_blocked, waits = one->pending.is_set;
        if (blocked || waits || session_next_due_ms(one->session) <= now_ms) serve(one);
    }
}

bool crowd_work(struct crowd *crowd, bool (*until)(void *context), void *context)
{
    struct epoll_event events[EVENTS_MAX];
    const uint64_t end_ms = clock_ms() + QUEUE_PATIENCE_MS;
    uint64_t ask_ms = 0, due_ms = 0;
    for (uint64_t now_ms = clock_ms(); now_ms < end_ms; now_ms = clock_ms()) {
        if (now_ms >= ask_ms) {
            if (until(context)) return true;
            ask_ms = clock_ms() + ASK_MS;
        }
        if (now_ms >= due_ms) {
            serve_due(crowd, now_ms);
            due_ms = next_due_ms(crowd);
            if (due_ms > now_ms + ASK_MS) due_ms = now_ms + ASK_MS; /* what is served below may be due sooner */
        }
        const int count = epoll_wait(crowd->epoll, events, EVENTS_MAX, 1);
        for (int at = 0; at < count; at++) serve(events[at].data.ptr);
    }
    return false;
}
