#include "socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

#include "outbound.h"
#include "process.h"

#define IPC              "ipc://"
#define TCP              "tcp://"
#define ZAP_DOMAIN       "goldthread"
#define HOST_BYTES       64
#define USER_ID          "User-Id" /* ZeroMQ's word for what the ZAP answer called the peer */
#define LINGER_MS        1000
#define RECONNECT_MS     10
#define RECONNECT_MAX_MS 1000
#define HANDSHAKE_MS     5000
#define REFUSED_MS       1000  /* at most until a key that was refused is shown again */
#define PROBE_S          10    /* a connection without traffic is probed so often ... */
#define PROBES           5     /* ... and given up after so many without an answer ... */
#define UNHEARD_MS       60000 /* ... as is one whose other end takes in no byte for so long */
#define QUEUE_MESSAGES   64    /* per peer and direction; twice the credits that any role hands out */
#define COUNTED_BYTES    1024  /* of a queue of smaller messages their number is bound enough */
#define OWN_ID_BYTES     16
#define WAIT_SOCKETS_MAX 8
#define SOCKETS_OPEN_MAX 1000
#define DESCRIPTORS_MAX  32768 /* two for every worker that a broker knows */

struct net {
    void *context;
    const struct keys *keys;   /* NULL: none */
    struct zap *zap;           /* NULL: this program does not bind, or has no keys */
    struct outbound *outbound; /* of its ROUTERs */
    size_t most_bytes;         /* of a message that comes in */
};

struct socket {
    void *handle;
    struct outbound *outbound; /* borrowed; NULL: a DEALER */
    bool routes;               /* a ROUTER */
    bool refused;              /* a DEALER whose last send found no room: wake when there is some */
    zmq_msg_t received;        /* the bytes of the last message */
    struct zap *zap;           /* of a ROUTER with keys; NULL: whoever sends is trusted */
    struct zap_holder sender;
    struct buffer sent;
    void *monitor; /* of a DEALER with keys: says that the key was refused */
    bool key_refused;
    uint64_t show_due_ms; /* when a refused key is shown again; 0: it is not to be */
    char *endpoint;       /* of a DEALER with keys */
    char *file;           /* of a bound ipc endpoint, or NULL: ZeroMQ leaves it behind */
};

/* Every peer has a descriptor, and the usual 1,024 are soon taken. Where no more are allowed it works with fewer,
 * down to a few. */
static bool raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS_MAX) return true;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur >= NET_DESCRIPTORS;
}

struct net *net_open(void)
{
    if (!raise_descriptors()) return NULL;
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL) return NULL;
    net->outbound = outbound_new(OUTBOUND_BYTES_MAX);
    net->context = net->outbound != NULL ? zmq_ctx_new() : NULL;
    if (net->context == NULL) {
        outbound_free(net->outbound);
        free(net);
        return NULL;
    }
    zmq_ctx_set(net->context, ZMQ_MAX_SOCKETS, SOCKETS_OPEN_MAX);
    net->most_bytes = MESSAGE_BYTES_MAX;
    return net;
}

void net_close(struct net *net)
{
    if (net == NULL) return;
    zap_close(net->zap);
    while (zmq_ctx_term(net->context) != 0 && errno == EINTR) continue;
    outbound_free(net->outbound); /* ZeroMQ has let go of everything by now */
    free(net);
}

size_t net_waiting_bytes(const struct net *net)
{
    return outbound_bytes(net->outbound);
}

bool net_use_keys(struct net *net, const struct keys *keys, char *why, size_t why_bytes)
{
    assert(net->keys == NULL);
    if (zmq_has("curve") != 1) {
        snprintf(why, why_bytes, "this ZeroMQ has no CURVE, which keys need");
        return false;
    }
    prctl(PR_SET_DUMPABLE, 0); /* a core would hold the secret keys, and outlive them */
    net->keys = keys;
    if (keys->server.secret_text[0] == 0) return true;
    net->zap = zap_open(net->context, keys->folder, why, why_bytes);
    return net->zap != NULL;
}

void net_take_at_most(struct net *net, size_t bytes)
{
    assert(bytes <= MESSAGE_BYTES_MAX);
    net->most_bytes = bytes;
}

uint64_t net_denied(const struct net *net)
{
    return net->zap != NULL ? zap_denied(net->zap) : 0;
}

static bool is_tcp(const char *endpoint)
{
    return strncmp(endpoint, TCP, strlen(TCP)) == 0;
}

static bool is_ipc(const char *endpoint)
{
    return strncmp(endpoint, IPC, strlen(IPC)) == 0;
}

/* Names are not asked for: what they mean is not known before the connection, and may change. */
bool endpoint_is_private(const char *endpoint)
{
    char host[HOST_BYTES];
    struct in_addr four;
    struct in6_addr six;
    if (!is_tcp(endpoint)) return is_ipc(endpoint);
    const char *begin = endpoint + strlen(TCP), *colon = strrchr(begin, ':');
    size_t size = colon != NULL ? (size_t)(colon - begin) : strlen(begin);
    if (size >= 2 && begin[0] == '[' && begin[size - 1] == ']') begin++, size -= 2;
    if (size >= sizeof host) return false;
    memcpy(host, begin, size);
    host[size] = 0;
    if (strcmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &four) == 1) return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* ZeroMQ takes port 99999 for 34463, and signs and blanks before a number. */
static bool has_sound_port(const char *endpoint)
{
    const char *host = endpoint + strlen(TCP), *colon = strrchr(host, ':');
    if (colon == NULL || colon == host) return false;
    const size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0) return strcmp(colon, ":*") == 0;
    return digits <= 5 && colon[1 + digits] == 0 && strtol(colon + 1, NULL, 10) <= UINT16_MAX;
}

/* What ZeroMQ could speak besides, TIPC say, would pass by the keys. */
const char *endpoint_refusal(const char *endpoint, bool has_keys)
{
    if (is_tcp(endpoint) && !has_sound_port(endpoint))
        return "allowed is tcp://HOST:PORT with a port from 0 to 65535, or * for a free one";
    if (!is_tcp(endpoint) && (!is_ipc(endpoint) || endpoint[strlen(IPC)] == 0))
        return "it is no endpoint: allowed are tcp://HOST:PORT and ipc://PATH";
    if (is_ipc(endpoint) && endpoint[strlen(IPC)] == '@')
        return "an abstract name has no folder that keeps others out: allowed is ipc://PATH";
    if (has_keys || endpoint_is_private(endpoint)) return NULL;
    return "a TCP address that is not loopback needs keys: --keys DIR, made by goldthread keygen";
}

bool net_find_keys(const char *flag, enum key_role role, const char *const endpoints[2], struct keys *room,
                   const struct keys **keys, char *why, size_t why_bytes)
{
    const char *folder = keys_choose(flag);
    *keys = NULL;
    for (int at = 0; at < 2; at++) {
        const char *refusal = endpoints[at] != NULL ? endpoint_refusal(endpoints[at], folder != NULL) : NULL;
        if (refusal == NULL) continue;
        snprintf(why, why_bytes, "%s: %s", endpoints[at], refusal);
        return false;
    }
    if (folder == NULL) return true;
    if (!keys_open(room, folder, role, why, why_bytes)) return false;
    *keys = room;
    return true;
}

static bool set_int(void *handle, int option, int value)
{
    return zmq_setsockopt(handle, option, &value, sizeof value) == 0;
}

/* Finds connections whose other end is gone without a word. TCP does it: ZeroMQ's own heartbeats abort
 * the program when they meet a full receive queue (libzmq issues 3937 and 4364, open in 4.3.5). */
static bool set_probes(void *handle)
{
    return set_int(handle, ZMQ_TCP_KEEPALIVE, 1) && set_int(handle, ZMQ_TCP_KEEPALIVE_IDLE, PROBE_S) &&
           set_int(handle, ZMQ_TCP_KEEPALIVE_INTVL, PROBE_S) && set_int(handle, ZMQ_TCP_KEEPALIVE_CNT, PROBES) &&
           set_int(handle, ZMQ_TCP_MAXRT, UNHEARD_MS);
}

static bool set_common(void *handle, size_t most_bytes)
{
    const int64_t most = (int64_t)most_bytes;
    return zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0 && set_int(handle, ZMQ_LINGER, LINGER_MS) &&
           set_int(handle, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) && set_int(handle, ZMQ_SNDHWM, QUEUE_MESSAGES) &&
           set_int(handle, ZMQ_RCVHWM, QUEUE_MESSAGES) && set_int(handle, ZMQ_IPV6, 1) && set_probes(handle);
}

/* Without MANDATORY a ROUTER drops what it cannot route and says nothing. HANDOVER lets a socket that
 * reconnects take its old place. */
static bool set_router(void *handle)
{
    return set_int(handle, ZMQ_ROUTER_MANDATORY, 1) && set_int(handle, ZMQ_ROUTER_HANDOVER, 1);
}

/* A random id cannot be a name that another process holds. ZeroMQ keeps ids that begin with 0. */
static bool set_own_id(void *handle)
{
    uint8_t id[OWN_ID_BYTES];
    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id) return false;
    id[0] |= 1;
    return zmq_setsockopt(handle, ZMQ_ROUTING_ID, id, sizeof id) == 0;
}

uint64_t jitter_ms(uint64_t ms, uint64_t dice)
{
    return ms - dice % (ms / 2 + 1);
}

static int draw_wait_ms(int ms)
{
    uint64_t dice = 0; /* without random bytes all wait alike */
    if (getrandom(&dice, sizeof dice, 0) != (ssize_t)sizeof dice) dice = 0;
    return (int)jitter_ms((uint64_t)ms, dice);
}

/* IMMEDIATE: nothing is queued for a connection that is not up, to arrive stale once it is. ZeroMQ's own jitter is at
 * most the first of the two waits, so that thousands that lost a server together would come back together. */
static bool set_dealer(void *handle)
{
    return set_own_id(handle) && set_int(handle, ZMQ_IMMEDIATE, 1) &&
           set_int(handle, ZMQ_RECONNECT_IVL, draw_wait_ms(RECONNECT_MS)) &&
           set_int(handle, ZMQ_RECONNECT_IVL_MAX, draw_wait_ms(RECONNECT_MAX_MS));
}

static bool set_text(void *handle, int option, const char *text, size_t size)
{
    return zmq_setsockopt(handle, option, text, size) == 0;
}

/* The domain makes ZeroMQ ask for every peer. Should it ever let one in unasked, that one has no user id, and
 * so no role. */
static bool set_curve_server(void *handle, const struct keys *keys)
{
    return set_text(handle, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) && set_int(handle, ZMQ_CURVE_SERVER, 1) &&
           set_text(handle, ZMQ_CURVE_SECRETKEY, keys->server.secret_text, KEY_TEXT_BYTES);
}

static bool set_curve_client(void *handle, const struct keys *keys)
{
    return set_text(handle, ZMQ_CURVE_SERVERKEY, keys->server.public_text, KEY_TEXT_BYTES) &&
           set_text(handle, ZMQ_CURVE_PUBLICKEY, keys->own.public_text, KEY_TEXT_BYTES) &&
           set_text(handle, ZMQ_CURVE_SECRETKEY, keys->own.secret_text, KEY_TEXT_BYTES);
}

static bool set_keys(const struct net *net, struct socket *socket, const char *endpoint)
{
    if (net->keys == NULL || !is_tcp(endpoint)) return true;
    if (!socket->routes) return set_curve_client(socket->handle, net->keys);
    socket->zap = net->zap;
    socket->sender = (struct zap_holder){.role = KEY_NONE};
    return net->zap != NULL && set_curve_server(socket->handle, net->keys);
}

/* Only there ZeroMQ says why there is no connection. */
static bool watch_key(const struct net *net, struct socket *socket, const char *server)
{
    char endpoint[64];
    const int linger_ms = 0;
    if (net->keys == NULL || socket->routes) return true;
    socket->endpoint = strdup(server);
    if (socket->endpoint == NULL) return false;
    snprintf(endpoint, sizeof endpoint, "inproc://key-of-%p", (void *)socket);
    socket->monitor = zmq_socket(net->context, ZMQ_PAIR);
    return socket->monitor != NULL && zmq_setsockopt(socket->monitor, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0 &&
           zmq_socket_monitor(socket->handle, endpoint, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) == 0 &&
           zmq_connect(socket->monitor, endpoint) == 0;
}

static struct socket *open_socket(struct net *net, int type, const char *endpoint)
{
    struct socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL) return NULL;
    socket->routes = type == ZMQ_ROUTER;
    socket->outbound = socket->routes ? net->outbound : NULL;
    socket->sender.role = KEY_TRUSTED;
    zmq_msg_init(&socket->received);
    socket->handle = zmq_socket(net->context, type);
    if (socket->handle != NULL && set_common(socket->handle, net->most_bytes) &&
        (socket->routes ? set_router(socket->handle) : set_dealer(socket->handle)) && set_keys(net, socket, endpoint) &&
        watch_key(net, socket, endpoint))
        return socket;
    const int error = errno;
    socket_close(socket);
    errno = error;
    return NULL;
}

static struct socket *give_up(struct socket *socket, const char *deed, const char *endpoint, char *why,
                              size_t why_bytes)
{
    snprintf(why, why_bytes, "cannot %s %s: %s", deed, endpoint, zmq_strerror(errno));
    socket_close(socket);
    return NULL;
}

/* False: it is no endpoint, or needs keys, and there are none. */
static bool check_endpoint(const struct net *net, const char *endpoint, char *why, size_t why_bytes)
{
    const char *refusal = endpoint_refusal(endpoint, net->keys != NULL);
    if (refusal != NULL) snprintf(why, why_bytes, "%s: %s", endpoint, refusal);
    return refusal == NULL;
}

/* ZeroMQ names an IPv4 address tcp://[::ffff:127.0.0.1]:7070; people write tcp://127.0.0.1:7070. */
static void simplify(char *endpoint)
{
    static const char mapped[] = "tcp://[::ffff:";
    char *end = strchr(endpoint, ']'), *address = endpoint + sizeof mapped - 1;
    if (strncmp(endpoint, mapped, sizeof mapped - 1) != 0 || end == NULL) return;
    memmove(end, end + 1, strlen(end));
    memmove(endpoint + strlen("tcp://"), address, strlen(address) + 1);
}

struct socket *socket_bind(struct net *net, const char *endpoint, char *bound, size_t bound_bytes, char *why,
                           size_t why_bytes)
{
    if (!check_endpoint(net, endpoint, why, why_bytes)) return NULL;
    struct socket *socket = open_socket(net, ZMQ_ROUTER, endpoint);
    if (socket == NULL || zmq_bind(socket->handle, endpoint) != 0)
        return give_up(socket, "bind", endpoint, why, why_bytes);
    if (bound != NULL && zmq_getsockopt(socket->handle, ZMQ_LAST_ENDPOINT, bound, &bound_bytes) != 0)
        return give_up(socket, "name", endpoint, why, why_bytes);
    if (bound != NULL) simplify(bound);
    if (is_ipc(endpoint) && endpoint[strlen(IPC)] == '/') socket->file = strdup(endpoint + strlen(IPC));
    return socket;
}

struct socket *socket_connect(struct net *net, const char *endpoint, char *why, size_t why_bytes)
{
    if (!check_endpoint(net, endpoint, why, why_bytes)) return NULL;
    struct socket *socket = open_socket(net, ZMQ_DEALER, endpoint);
    if (socket == NULL || zmq_connect(socket->handle, endpoint) != 0)
        return give_up(socket, "connect to", endpoint, why, why_bytes);
    return socket;
}

void socket_close(struct socket *socket)
{
    if (socket == NULL) return;
    zmq_msg_close(&socket->received);
    if (socket->monitor != NULL) zmq_socket_monitor(socket->handle, NULL, 0);
    if (socket->monitor != NULL) zmq_close(socket->monitor);
    if (socket->handle != NULL) zmq_close(socket->handle);
    buffer_free(&socket->sent);
    if (socket->file != NULL) unlink(socket->file);
    free(socket->file);
    free(socket->endpoint);
    free(socket);
}

int socket_fd(const struct socket *socket)
{
    int fd = -1;
    size_t size = sizeof fd;
    return zmq_getsockopt(socket->handle, ZMQ_FD, &fd, &size) == 0 ? fd : -1;
}

static bool has_event(struct socket *socket, int event)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket->handle, ZMQ_EVENTS, &events, &size) == 0 && (events & event) != 0;
}

bool socket_ready(struct socket *socket)
{
    return has_event(socket, ZMQ_POLLIN);
}

bool socket_key_refused(struct socket *socket)
{
    uint8_t event[6]; /* its number and value; the address follows */
    char address[MESSAGE_ENDPOINT_BYTES];
    while (socket->monitor != NULL && zmq_recv(socket->monitor, event, sizeof event, ZMQ_DONTWAIT) >= 0) {
        zmq_recv(socket->monitor, address, sizeof address, ZMQ_DONTWAIT);
        socket->key_refused = true; /* nothing else is watched for */
        socket->show_due_ms = clock_ms() + (uint64_t)draw_wait_ms(REFUSED_MS);
    }
    return socket->key_refused;
}

bool socket_can_send(struct socket *socket)
{
    return has_event(socket, ZMQ_POLLOUT);
}

static int send_frame(struct socket *socket, const void *data, size_t size, int flags)
{
    int sent;
    do sent = zmq_send(socket->handle, data, size, flags | ZMQ_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent;
}

static enum socket_result refusal(struct socket *socket)
{
    if (errno == EHOSTUNREACH) return SOCKET_GONE;
    if (errno != EAGAIN) return SOCKET_ERROR;
    if (socket->routes) return SOCKET_FULL;
    socket->refused = true;
    return SOCKET_GONE;
}

static void let_go(void *data, void *parcel)
{
    outbound_release(parcel); /* first: what was written before it was admitted is seen from here on */
    free(data);
}

/* Gives the encoded bytes to ZeroMQ, which says when it has no more use for them. */
static enum socket_result send_counted(struct socket *socket, const struct socket_id *to)
{
    struct parcel *parcel;
    zmq_msg_t body;
    const enum outbound_result room = outbound_admit(socket->outbound, to, socket->sent.capacity, &parcel);
    if (room != OUTBOUND_OK) return room == OUTBOUND_FULL ? SOCKET_FULL : SOCKET_ERROR;
    if (zmq_msg_init_data(&body, socket->sent.data, socket->sent.size, let_go, parcel) != 0) {
        outbound_release(parcel);
        return SOCKET_ERROR;
    }
    socket->sent = (struct buffer){0};
    int sent = send_frame(socket, to->bytes, to->size, ZMQ_SNDMORE);
    if (sent >= 0) {
        do sent = zmq_msg_send(&body, socket->handle, ZMQ_DONTWAIT);
        while (sent < 0 && errno == EINTR);
    }
    const enum socket_result result = sent < 0 ? refusal(socket) : SOCKET_OK;
    zmq_msg_close(&body); /* lets go of what was not sent; a message that was is empty now */
    return result;
}

enum socket_result socket_send(struct socket *socket, const struct socket_id *to, const struct message *message)
{
    assert((to != NULL) == socket->routes);
    buffer_clear(&socket->sent);
    message_encode(message, &socket->sent);
    if (socket->sent.failed || socket->sent.size > MESSAGE_BYTES_MAX) {
        buffer_free(&socket->sent);
        return SOCKET_ERROR;
    }
    if (to != NULL && socket->sent.size > COUNTED_BYTES) return send_counted(socket, to);
    /* Whether the peer exists and has room is decided on its address; the body follows it anywhere. */
    if (to != NULL && send_frame(socket, to->bytes, to->size, ZMQ_SNDMORE) < 0) return refusal(socket);
    return send_frame(socket, socket->sent.data, socket->sent.size, 0) < 0 ? refusal(socket) : SOCKET_OK;
}

static bool receive_frame(struct socket *socket, zmq_msg_t *frame)
{
    int received;
    do received = zmq_msg_recv(frame, socket->handle, ZMQ_DONTWAIT);
    while (received < 0 && errno == EINTR);
    return received >= 0;
}

/* Reads the rest of a multipart message away. False: there was none. */
static bool drop_rest(struct socket *socket, const zmq_msg_t *last)
{
    bool more = zmq_msg_more(last) != 0;
    const bool some = more;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        more = receive_frame(socket, &frame) && zmq_msg_more(&frame) != 0;
        zmq_msg_close(&frame);
    }
    return some;
}

/* Takes the address that a ROUTER puts before a body. An id that is too long to keep leaves it empty. */
static enum socket_result receive_address(struct socket *socket, struct socket_id *from)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (!receive_frame(socket, &frame)) {
        zmq_msg_close(&frame);
        return SOCKET_EMPTY;
    }
    const size_t size = zmq_msg_size(&frame);
    from->size = size <= SOCKET_ID_BYTES ? (uint8_t)size : 0;
    memcpy(from->bytes, zmq_msg_data(&frame), from->size);
    const bool alone = zmq_msg_more(&frame) == 0;
    zmq_msg_close(&frame);
    return alone ? SOCKET_ERROR : SOCKET_OK;
}

/* Reads who sent the frame. It has to be the body: ZeroMQ 4.3.4 loses what it knows of the sender on the
 * address of a message that zmq_poll has seen. */
static void find_sender(struct socket *socket, zmq_msg_t *body)
{
    if (socket->zap == NULL) return;
    const char *user = zmq_msg_gets(body, USER_ID);
    zap_find(socket->zap, user != NULL ? user : "", &socket->sender);
}

const struct zap_holder *socket_sender(const struct socket *socket)
{
    return &socket->sender;
}

bool socket_permits(const struct socket *socket, const struct message *message, struct message *refusal)
{
    const struct zap_holder *sender = &socket->sender;
    if (role_may_send(sender->role, message)) return true;
    const char *kind = message_kind_name(message->kind);
    refusal->kind = MESSAGE_ERROR;
    refusal->error.code = ERROR_FORBIDDEN;
    if (sender->role == KEY_NONE)
        snprintf(refusal->error.text, sizeof refusal->error.text, "%s: your key is not known here", kind);
    else
        snprintf(refusal->error.text, sizeof refusal->error.text, "%s: the key of '%s' has the role %s, which may not",
                 kind, sender->name, role_name(sender->role));
    return false;
}

enum socket_result socket_receive(struct socket *socket, struct socket_id *from, struct message *message,
                                  const char **why)
{
    struct socket_id sender = {0};
    *why = "no body";
    if (socket->routes) {
        const enum socket_result result = receive_address(socket, &sender);
        if (from != NULL) *from = sender;
        if (result != SOCKET_OK) return result;
    }
    if (!receive_frame(socket, &socket->received)) return socket->routes ? SOCKET_ERROR : SOCKET_EMPTY;

    find_sender(socket, &socket->received);
    *why = "more than one frame";
    if (drop_rest(socket, &socket->received)) return SOCKET_ERROR;
    *why = "routing id too long";
    if (socket->routes && sender.size == 0) return SOCKET_ERROR;
    const struct span bytes = {zmq_msg_data(&socket->received), zmq_msg_size(&socket->received)};
    if (!message_decode(bytes, message, why)) return SOCKET_ERROR;
    message_mask_controls(message);
    return SOCKET_OK;
}

/* ZeroMQ gives a connection up for good when its key is refused. How long to wait at most: till the key is due to be
 * shown again, when that is before timeout_ms (-1: never). */
static int64_t show_key_again(struct socket *socket, int64_t timeout_ms)
{
    if (!socket_key_refused(socket) || socket->show_due_ms == 0) return timeout_ms;
    const uint64_t now_ms = clock_ms();
    if (now_ms < socket->show_due_ms) {
        const int64_t left_ms = (int64_t)(socket->show_due_ms - now_ms);
        return timeout_ms < 0 || left_ms < timeout_ms ? left_ms : timeout_ms;
    }
    socket->show_due_ms = 0; /* until it is refused again */
    socket->key_refused = false;
    zmq_disconnect(socket->handle, socket->endpoint);
    zmq_connect(socket->handle, socket->endpoint);
    return timeout_ms;
}

void socket_wait(struct socket *const *sockets, size_t count, int extra_fd, int64_t timeout_ms)
{
    assert(count <= WAIT_SOCKETS_MAX);
    zmq_pollitem_t items[2 * WAIT_SOCKETS_MAX + 1];
    size_t item_count = count;
    for (size_t at = 0; at < count; at++) {
        if (sockets[at]->monitor != NULL) {
            timeout_ms = show_key_again(sockets[at], timeout_ms);
            items[item_count++] = (zmq_pollitem_t){.socket = sockets[at]->monitor, .events = ZMQ_POLLIN};
        }
        const short room = sockets[at]->refused ? ZMQ_POLLOUT : 0;
        items[at] = (zmq_pollitem_t){.socket = sockets[at]->handle, .events = (short)(ZMQ_POLLIN | room)};
    }
    if (extra_fd >= 0) items[item_count++] = (zmq_pollitem_t){.fd = extra_fd, .events = ZMQ_POLLIN};
    /* zmq_poll asks each socket for its events before it sleeps, so nothing that came since the last
     * receive is missed, although the sockets' descriptors only tell of changes. */
    zmq_poll(items, (int)item_count, timeout_ms < 0 ? -1 : (long)timeout_ms);
    for (size_t at = 0; at < count; at++) /* one that was woken by something else still waits for room */
        if ((items[at].revents & ZMQ_POLLOUT) != 0) sockets[at]->refused = false;
}
