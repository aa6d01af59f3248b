#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "net/process.h"
#include "queue.h"

#define PING_BYTES  100
#define DEALERS_MAX 64
#define ID_BYTES    32
#define SILENCE_MS  5000 /* without a message: the other side is gone */

static void *open_socket(void *context, int type)
{
    const int none = 0, patience_ms = SILENCE_MS;
    void *socket = zmq_socket(context, type);
    if (socket == NULL) stop("zmq_socket: %s", zmq_strerror(errno));
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    return socket;
}

/* The other process: sends everything back, until an empty message comes. */
static _Noreturn void echo(const char *endpoint)
{
    void *context = zmq_ctx_new(), *router = open_socket(context, ZMQ_ROUTER);
    char id[ID_BYTES], body[PING_BYTES];
    if (zmq_bind(router, endpoint) != 0) _exit(1);
    for (;;) {
        const int id_size = zmq_recv(router, id, sizeof id, 0);
        const int size = id_size < 0 ? -1 : zmq_recv(router, body, sizeof body, 0);
        if (size <= 0) _exit(0);
        zmq_send(router, id, (size_t)id_size, ZMQ_SNDMORE);
        zmq_send(router, body, (size_t)size, 0);
    }
}

struct dealers {
    void *sockets[DEALERS_MAX];
    zmq_pollitem_t items[DEALERS_MAX];
    size_t count;
};

static uint64_t pass_back(const struct dealers *dealers)
{
    char body[PING_BYTES];
    uint64_t trips = 0;
    for (size_t at = 0; at < dealers->count; at++) {
        if ((dealers->items[at].revents & ZMQ_POLLIN) == 0) continue;
        while (zmq_recv(dealers->sockets[at], body, sizeof body, ZMQ_DONTWAIT) > 0) {
            zmq_send(dealers->sockets[at], body, sizeof body, 0);
            trips++;
        }
    }
    return trips;
}

static double measure(struct dealers *dealers, size_t window, double seconds)
{
    char body[PING_BYTES] = {0};
    for (size_t at = 0; at < dealers->count; at++) { /* one each there and back: all are connected */
        zmq_send(dealers->sockets[at], body, sizeof body, 0);
        if (zmq_recv(dealers->sockets[at], body, sizeof body, 0) < 0) stop("no echo");
    }
    for (size_t at = 0; at < dealers->count; at++)
        for (size_t sent = 0; sent < window; sent++) zmq_send(dealers->sockets[at], body, sizeof body, 0);
    const uint64_t start_us = clock_us(), end_us = start_us + (uint64_t)(seconds * 1e6);
    uint64_t trips = 0, now_us = start_us;
    for (; now_us < end_us; now_us = clock_us()) {
        if (zmq_poll(dealers->items, (int)dealers->count, SILENCE_MS) <= 0) stop("no echo");
        trips += pass_back(dealers);
    }
    return (double)trips * 1e6 / (double)(now_us - start_us);
}

double ping_rate(bool over_tcp, size_t dealer_count, size_t window, double seconds)
{
    struct cluster place; /* for its folder and port */
    char endpoint[MESSAGE_ENDPOINT_BYTES];
    if (dealer_count > DEALERS_MAX) stop("at most %d dealers", DEALERS_MAX);
    cluster_open(&place, over_tcp);
    memcpy(endpoint, place.broker_endpoint, sizeof endpoint);
    fflush(stdout);
    const pid_t other = fork(); /* before this process has a context of its own for it */
    if (other == 0) echo(endpoint);
    place.broker = other;
    void *context = zmq_ctx_new();
    struct dealers dealers = {.count = dealer_count};
    for (size_t at = 0; at < dealer_count; at++) {
        dealers.sockets[at] = open_socket(context, ZMQ_DEALER);
        dealers.items[at] = (zmq_pollitem_t){.socket = dealers.sockets[at], .events = ZMQ_POLLIN};
        if (zmq_connect(dealers.sockets[at], endpoint) != 0) stop("%s: %s", endpoint, zmq_strerror(errno));
    }
    const double rate = measure(&dealers, window, seconds);
    zmq_send(dealers.sockets[0], "", 0, 0);
    for (size_t at = 0; at < dealer_count; at++) zmq_close(dealers.sockets[at]);
    zmq_ctx_term(context);
    cluster_close(&place);
    return rate;
}
