#include <stdio.h>
#include <string.h>

#include "net/process.h"
#include "queue.h"

#define RANGES_OF_SWEEP 24576u /* what a broker keeps of one sweep: LEDGER_DONE_RANGES_MAX */
#define STATUS_EVERY    2000u  /* messages: the answer shows that the broker has taken them in */

static void await_all(struct cluster *cluster, const struct digest *sweep, uint64_t done)
{
    const uint64_t end_ms = clock_ms() + QUEUE_PATIENCE_MS;
    while (clock_ms() < end_ms) {
        if (!cluster_ask_status(cluster, sweep, QUEUE_PATIENCE_MS)) break;
        if (cluster->message->sweeps.list[0].done == done) return;
    }
    stop("the broker does not take in what is done");
}

/* Registers a worker that has no room for leases. */
static struct socket *join(struct cluster *cluster)
{
    char why[256];
    const struct message full = {.kind = MESSAGE_HEARTBEAT};
    struct socket *socket = socket_connect(cluster->net, cluster->broker_endpoint, why, sizeof why);
    struct message hello = {.kind = MESSAGE_HELLO,
                            .hello = {.role = ROLE_WORKER, .name = "flood", .instance = 1, .program = "bench_queue"}};
    if (socket == NULL) stop("%s", why);
    for (uint64_t end_ms = clock_ms() + QUEUE_PATIENCE_MS; socket_send(socket, NULL, &hello) != SOCKET_OK;) {
        if (clock_ms() >= end_ms) stop("the broker cannot be reached");
        socket_wait(&socket, 1, -1, 10);
    }
    if (socket_send(socket, NULL, &full) != SOCKET_OK) stop("the broker takes no message");
    return socket;
}

static void drain(struct cluster *cluster, struct socket *socket)
{
    const char *why;
    while (socket_receive(socket, NULL, cluster->message, &why) == SOCKET_OK)
        if (cluster->message->kind == MESSAGE_ERROR) stop("the broker says: %s", cluster->message->error.text);
}

static void say_done(struct cluster *cluster, struct socket *socket, const struct digest *sweep)
{
    struct message done = {.kind = MESSAGE_DONE, .done = {.sweep = *sweep, .compute_us = 1}};
    for (uint64_t range = 0; range < RANGES_OF_SWEEP; range++) {
        done.done.blocks = (struct block_range){2 * range, 1};
        const uint64_t end_ms = clock_ms() + QUEUE_PATIENCE_MS;
        while (socket_send(socket, NULL, &done) != SOCKET_OK) {
            if (clock_ms() >= end_ms) stop("the broker takes no message");
            socket_wait(&socket, 1, -1, 10);
            drain(cluster, socket);
        }
        if (range % STATUS_EVERY == 0) drain(cluster, socket);
    }
    await_all(cluster, sweep, RANGES_OF_SWEEP);
}

uint64_t flood_known_blocks(struct cluster *cluster)
{
    static struct sweep sweep;
    struct socket *socket = join(cluster);
    for (unsigned at = 0; at < QUEUE_SWEEPS_KNOWN; at++) {
        struct digest id;
        char name[32];
        snprintf(name, sizeof name, "known-%u", at);
        make_empty_sweep(&sweep, name, UINT64_C(1) << 20);
        cluster_submit(cluster, &sweep, &id);
        say_done(cluster, socket, &id);
    }
    socket_close(socket);
    return (uint64_t)QUEUE_SWEEPS_KNOWN * RANGES_OF_SWEEP;
}
