#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "net/process.h"
#include "net/socket.h"

#define PATIENCE_MS           300000 /* for something that must happen */
#define LONGER_THAN_A_PROBE_S 12
#define QUEUED                60 /* messages that a socket surely queues */

struct pair {
    char directory[32], endpoint[64];
    struct net *net;
    struct socket *router, *dealer;
};

static char why_text[256];

static void open_pair(struct pair *pair)
{
    strcpy(pair->directory, "/tmp/gt-socket-XXXXXX");
    cr_assert_not_null(mkdtemp(pair->directory));
    snprintf(pair->endpoint, sizeof pair->endpoint, "ipc://%s/s", pair->directory);
    pair->net = net_open();
    pair->router = socket_bind(pair->net, pair->endpoint, NULL, 0, why_text, sizeof why_text);
    cr_assert_not_null(pair->router, "%s", why_text);
    pair->dealer = socket_connect(pair->net, pair->endpoint, why_text, sizeof why_text);
    cr_assert_not_null(pair->dealer, "%s", why_text);
}

static void close_pair(struct pair *pair)
{
    socket_close(pair->dealer);
    socket_close(pair->router);
    net_close(pair->net);
    cr_assert_eq(rmdir(pair->directory), 0, "the socket's file is gone");
}

/* Sends when the connection is up. */
static void send_surely(struct socket *dealer, const struct message *message)
{
    const uint64_t end_ms = clock_ms() + PATIENCE_MS;
    enum socket_result result;
    while ((result = socket_send(dealer, NULL, message)) == SOCKET_GONE && clock_ms() < end_ms)
        socket_wait(&dealer, 1, -1, 100);
    cr_assert_eq(result, SOCKET_OK);
}

static enum socket_result receive_soon(struct socket *socket, struct socket_id *from, struct message *message,
                                       const char **why)
{
    const uint64_t end_ms = clock_ms() + PATIENCE_MS;
    enum socket_result result;
    while ((result = socket_receive(socket, from, message, why)) == SOCKET_EMPTY && clock_ms() < end_ms)
        socket_wait(&socket, 1, -1, 100);
    return result;
}

Test(socket, a_message_goes_there_and_its_answer_back)
{
    struct pair pair;
    static struct message message;
    struct socket_id from;
    const char *why;
    open_pair(&pair);
    send_surely(pair.dealer, &(struct message){.kind = MESSAGE_GOODBYE});
    cr_assert_eq(receive_soon(pair.router, &from, &message, &why), SOCKET_OK);
    cr_assert_eq(message.kind, MESSAGE_GOODBYE);
    cr_assert_eq(from.size, 16);

    const struct message answer = {.kind = MESSAGE_STRANGER};
    cr_assert_eq(socket_send(pair.router, &from, &answer), SOCKET_OK);
    cr_assert_eq(receive_soon(pair.dealer, NULL, &message, &why), SOCKET_OK);
    cr_assert_eq(message.kind, MESSAGE_STRANGER);
    cr_assert_eq(socket_receive(pair.dealer, NULL, &message, &why), SOCKET_EMPTY);
    close_pair(&pair);
}

Test(socket, a_peer_that_is_not_there_is_told_at_once)
{
    struct pair pair;
    open_pair(&pair);
    const struct socket_id nobody = {.size = 16, .bytes = {1, 2, 3}};
    cr_assert_eq(socket_send(pair.router, &nobody, &(struct message){.kind = MESSAGE_STRANGER}), SOCKET_GONE);
    close_pair(&pair);
}

Test(socket, nothing_is_queued_for_a_server_that_is_not_up)
{
    struct net *net = net_open();
    struct socket *dealer = socket_connect(net, "ipc:///tmp/gt-nobody-listens-here", why_text, sizeof why_text);
    cr_assert_not_null(dealer, "%s", why_text);
    cr_assert_eq(socket_send(dealer, NULL, &(struct message){.kind = MESSAGE_GOODBYE}), SOCKET_GONE);
    cr_assert_not(socket_can_send(dealer));
    socket_close(dealer);
    net_close(net);
}

Test(socket, waiting_ends_when_a_refused_send_can_go_out)
{
    struct pair pair;
    strcpy(pair.directory, "/tmp/gt-socket-XXXXXX");
    cr_assert_not_null(mkdtemp(pair.directory));
    snprintf(pair.endpoint, sizeof pair.endpoint, "ipc://%s/s", pair.directory);
    pair.net = net_open();
    pair.dealer = socket_connect(pair.net, pair.endpoint, why_text, sizeof why_text);
    cr_assert_eq(socket_send(pair.dealer, NULL, &(struct message){.kind = MESSAGE_GOODBYE}), SOCKET_GONE);
    pair.router = socket_bind(pair.net, pair.endpoint, NULL, 0, why_text, sizeof why_text);
    const uint64_t start_ms = clock_ms();
    socket_wait(&pair.dealer, 1, -1, PATIENCE_MS);
    cr_assert_lt(clock_ms() - start_ms, PATIENCE_MS, "woken by the connection, not by the clock");
    cr_assert_eq(socket_send(pair.dealer, NULL, &(struct message){.kind = MESSAGE_GOODBYE}), SOCKET_OK);
    close_pair(&pair);
}

Test(socket, a_full_queue_is_told_and_not_dropped)
{
    struct pair pair;
    static struct message message;
    struct socket_id from;
    const char *why;
    open_pair(&pair);
    send_surely(pair.dealer, &(struct message){.kind = MESSAGE_GOODBYE});
    cr_assert_eq(receive_soon(pair.router, &from, &message, &why), SOCKET_OK);
    static uint8_t bulk[128 << 10];
    const struct message item = {.kind = MESSAGE_ITEM,
                                 .item = {.item = ITEM_SWEEP, .bytes = {.data = bulk, .size = sizeof bulk}}};
    int sent = 0;
    enum socket_result result;
    while ((result = socket_send(pair.router, &from, &item)) == SOCKET_OK && sent < 10000) sent++;
    cr_assert_eq(result, SOCKET_FULL, "after %d", sent);
    for (int at = 0; at < sent; at++)
        cr_assert_eq(receive_soon(pair.dealer, NULL, &message, &why), SOCKET_OK, "message %d of %d", at, sent);
    close_pair(&pair);
}

/* A program that is connected and takes nothing in: what it lets ZeroMQ read is bounded by one message. */
struct idler {
    void *context, *handle;
    struct socket_id id;
};

static void open_idler(struct pair *pair, struct idler *idler)
{
    static struct message message;
    static const uint8_t goodbye[] = {0x92, 0x01, MESSAGE_GOODBYE};
    const int one = 1;
    const char *why;
    idler->context = zmq_ctx_new();
    idler->handle = zmq_socket(idler->context, ZMQ_DEALER);
    zmq_setsockopt(idler->handle, ZMQ_RCVHWM, &one, sizeof one);
    cr_assert_eq(zmq_connect(idler->handle, pair->endpoint), 0);
    cr_assert_eq(zmq_send(idler->handle, goodbye, sizeof goodbye, 0), (int)sizeof goodbye);
    cr_assert_eq(receive_soon(pair->router, &idler->id, &message, &why), SOCKET_OK);
}

static void close_idler(struct idler *idler)
{
    zmq_close(idler->handle);
    zmq_ctx_term(idler->context);
}

Test(socket, a_peer_that_does_not_read_holds_one_large_answer_and_others_get_theirs)
{
    struct pair pair;
    struct idler idler;
    static struct message message;
    static uint8_t bulk[8 << 20]; /* more than a connection takes in unread */
    struct socket_id reader;
    const char *why;
    const struct message outcome = {.kind = MESSAGE_OUTCOME, .outcome = {.node = {.data = bulk, .size = sizeof bulk}}};
    open_pair(&pair);
    open_idler(&pair, &idler);
    unsigned taken = 0, refused = 0;
    for (unsigned at = 0; at < 500 && refused < 100; at++) { /* as one that asks again and again */
        if (socket_send(pair.router, &idler.id, &outcome) == SOCKET_OK) taken++;
        else refused++;
        if (refused > 0) socket_wait(&pair.router, 1, -1, 1);
    }
    cr_assert_eq(refused, 100, "%u were taken", taken);
    cr_assert_gt(taken, 0);
    cr_assert_lt(net_waiting_bytes(pair.net), 2 * sizeof bulk + 4096, "however many were asked for");
    cr_assert_eq(socket_send(pair.router, &idler.id, &(struct message){.kind = MESSAGE_STRANGER}), SOCKET_OK,
                 "small ones find room");

    send_surely(pair.dealer, &(struct message){.kind = MESSAGE_GOODBYE});
    cr_assert_eq(receive_soon(pair.router, &reader, &message, &why), SOCKET_OK);
    for (int answer = 0; answer < 3; answer++) {
        const uint64_t end_ms = clock_ms() + PATIENCE_MS;
        while (socket_send(pair.router, &reader, &outcome) != SOCKET_OK && clock_ms() < end_ms)
            socket_wait(&pair.router, 1, -1, 1);
        cr_assert_eq(receive_soon(pair.dealer, NULL, &message, &why), SOCKET_OK, "answer %d: %s", answer, why);
        cr_assert_eq(message.outcome.node.size, sizeof bulk);
    }
    close_idler(&idler);
    close_pair(&pair);
}

Test(socket, nothing_is_on_its_way_once_a_peer_is_gone)
{
    struct pair pair;
    struct idler idler;
    static uint8_t bulk[8 << 20];
    const struct message outcome = {.kind = MESSAGE_OUTCOME, .outcome = {.node = {.data = bulk, .size = sizeof bulk}}};
    open_pair(&pair);
    open_idler(&pair, &idler);
    const uint64_t end_ms = clock_ms() + PATIENCE_MS;
    for (unsigned refused = 0;
         refused < 100 || net_waiting_bytes(pair.net) == 0;) { /* in a row: all that it takes in */
        refused = socket_send(pair.router, &idler.id, &outcome) == SOCKET_OK ? 0 : refused + 1;
        socket_wait(&pair.router, 1, -1, 1);
        cr_assert_lt(clock_ms(), end_ms, "it takes in everything");
    }
    close_idler(&idler);
    while (net_waiting_bytes(pair.net) > 0 && clock_ms() < end_ms) {
        socket_send(pair.router, &idler.id, &(struct message){.kind = MESSAGE_STRANGER});
        socket_wait(&pair.router, 1, -1, 10);
    }
    cr_assert_eq(net_waiting_bytes(pair.net), 0);
    close_pair(&pair);
}

Test(socket, bytes_that_are_no_message_are_refused_with_their_sender)
{
    struct pair pair;
    static struct message message;
    const struct {
        const char *frames[3];
        const char *what;
    } rows[] = {
        {{"\xc1"}, "not msgpack"},
        {{""}, "empty"},
        {{"\x92\x01\x03", "more"}, "two frames"},
        {{"", "", ""}, "three frames"},
    };
    open_pair(&pair);
    void *context = zmq_ctx_new(), *raw = zmq_socket(context, ZMQ_DEALER);
    cr_assert_eq(zmq_connect(raw, pair.endpoint), 0);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        for (size_t at = 0; at < 3 && rows[row].frames[at] != NULL; at++) {
            const bool more = at + 1 < 3 && rows[row].frames[at + 1] != NULL;
            zmq_send(raw, rows[row].frames[at], strlen(rows[row].frames[at]), more ? ZMQ_SNDMORE : 0);
        }
        struct socket_id from = {0};
        const char *why = NULL;
        cr_assert_eq(receive_soon(pair.router, &from, &message, &why), SOCKET_ERROR, "%s", rows[row].what);
        cr_assert_not_null(why, "%s", rows[row].what);
        cr_assert_gt(from.size, 0, "%s", rows[row].what);
    }
    zmq_close(raw);
    zmq_ctx_term(context);
    send_surely(pair.dealer, &(struct message){.kind = MESSAGE_GOODBYE});
    struct socket_id from;
    const char *why;
    cr_assert_eq(receive_soon(pair.router, &from, &message, &why), SOCKET_OK, "the socket goes on");
    close_pair(&pair);
}

Test(socket, a_sender_that_left_more_behind_than_fits_does_not_end_the_receiver)
{
    struct pair pair;
    const char *why;
    struct message message = {.kind = MESSAGE_GOODBYE};
    open_pair(&pair);
    send_surely(pair.dealer, &message);
    for (unsigned refused = 0; refused < 20;) {
        if (socket_send(pair.dealer, NULL, &message) == SOCKET_OK) continue;
        refused++;
        usleep(10000);
    }
    socket_close(pair.dealer);
    pair.dealer = NULL;
    sleep(LONGER_THAN_A_PROBE_S); /* ZeroMQ's own heartbeats would abort the program here */
    unsigned received = 0;
    while (received < QUEUED && receive_soon(pair.router, NULL, &message, &why) == SOCKET_OK) received++;
    cr_assert_eq(received, QUEUED, "its queue was full");
    close_pair(&pair);
}

Test(socket, the_extra_descriptor_ends_the_wait)
{
    struct pair pair;
    open_pair(&pair);
    const int fd = eventfd(1, EFD_CLOEXEC);
    const uint64_t start_ms = clock_ms();
    socket_wait(&pair.router, 1, fd, PATIENCE_MS);
    cr_assert_lt(clock_ms() - start_ms, PATIENCE_MS);
    close(fd);
    close_pair(&pair);
}

/* Containers often have none. */
static bool has_ipv6(void)
{
    const struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;
    if (fd >= 0) close(fd);
    return has;
}

Test(socket, endpoints_are_named_as_people_write_them)
{
    const struct {
        const char *endpoint, *begins;
    } rows[] = {{"tcp://127.0.0.1:*", "tcp://127.0.0.1:"}, {"tcp://[::1]:*", "tcp://[::1]:"}};
    struct net *net = net_open();
    for (size_t row = 0; row < sizeof rows / sizeof *rows - !has_ipv6(); row++) {
        char bound[64];
        struct socket *socket = socket_bind(net, rows[row].endpoint, bound, sizeof bound, why_text, sizeof why_text);
        cr_assert_not_null(socket, "%s: %s", rows[row].endpoint, why_text);
        cr_assert_eq(strncmp(bound, rows[row].begins, strlen(rows[row].begins)), 0, "%s", bound);
        socket_close(socket);
    }
    net_close(net);
}

Test(socket, a_peer_that_announces_more_than_is_taken_is_cut_off)
{
    enum { MOST = 1 << 20 };
    struct pair pair = {.net = NULL};
    static struct message message;
    const char *why;
    open_pair(&pair);
    socket_close(pair.dealer);
    socket_close(pair.router);
    net_take_at_most(pair.net, MOST);
    pair.router = socket_bind(pair.net, pair.endpoint, NULL, 0, why_text, sizeof why_text);
    pair.dealer = socket_connect(pair.net, pair.endpoint, why_text, sizeof why_text);
    cr_assert(pair.router != NULL && pair.dealer != NULL, "%s", why_text);
    static const uint8_t bytes[MOST];
    message = (struct message){.kind = MESSAGE_PARTIAL, .partial = {.node = {bytes, sizeof bytes}}};
    send_surely(pair.dealer, &message); /* it is a little above that */
    const struct message below = {.kind = MESSAGE_PARTIAL, .partial = {.node = {bytes, sizeof bytes - 100}}};
    enum socket_result result = SOCKET_EMPTY;
    for (const uint64_t end_ms = clock_ms() + PATIENCE_MS; result == SOCKET_EMPTY && clock_ms() < end_ms;) {
        socket_send(pair.dealer, NULL, &below); /* again, as one may go down with the connection */
        socket_wait(&pair.router, 1, -1, 100);
        result = socket_receive(pair.router, NULL, &message, &why);
    }
    cr_assert_eq(result, SOCKET_OK);
    cr_expect_eq(message.partial.node.size, sizeof bytes - 100, "the first that comes through is not the one above");
    close_pair(&pair);
}

Test(socket, a_server_takes_all_the_descriptors_that_it_may_have)
{
    struct rlimit limit;
    struct pair pair;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_max = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    limit.rlim_cur = 128;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    open_pair(&pair);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(limit.rlim_cur, limit.rlim_max);
    close_pair(&pair);
}

Test(socket, too_few_descriptors_are_refused_before_zeromq_ends_the_process)
{
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){NET_DESCRIPTORS - 1, NET_DESCRIPTORS - 1}), 0);
    cr_assert_null(net_open());
}

Test(socket, the_fewest_descriptors_allowed_are_enough_for_a_pair)
{
    struct pair pair;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){NET_DESCRIPTORS, NET_DESCRIPTORS}), 0);
    open_pair(&pair);
    close_pair(&pair);
}

Test(socket, waits_are_spread_over_the_upper_half)
{
    bool seen[1001] = {false};
    for (uint64_t dice = 0; dice < 5000; dice++) {
        const uint64_t wait_ms = jitter_ms(1000, dice * 2654435761u);
        cr_assert(wait_ms >= 500 && wait_ms <= 1000, "%lu ms", wait_ms);
        seen[wait_ms] = true;
    }
    size_t different = 0;
    for (size_t at = 0; at <= 1000; at++) different += seen[at];
    cr_assert_gt(different, 400);
    cr_assert_eq(jitter_ms(1, 7), 1);
    cr_assert_eq(jitter_ms(1, 8), 1);
}

Test(socket, an_endpoint_that_cannot_be_is_refused_with_a_reason)
{
    const char *const rows[] = {"nonsense", "tcp://", "tcp://127.0.0.1:99999", "ipc:///no/such/folder/s"};
    struct net *net = net_open();
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        why_text[0] = 0;
        cr_assert_null(socket_bind(net, rows[row], NULL, 0, why_text, sizeof why_text), "%s", rows[row]);
        cr_assert_neq(why_text[0], 0, "%s", rows[row]);
    }
    net_close(net);
}
