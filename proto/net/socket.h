/* ZeroMQ sockets as every program uses them: one frame of message behind at most one routing id,
 * never a blocking send, bounded messages and queues, no silent drop. A socket belongs to the thread
 * that opened it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define SOCKET_ID_BYTES 32

struct socket_id {
    uint8_t size;
    uint8_t bytes[SOCKET_ID_BYTES];
};

struct net;    /* a ZeroMQ context */
struct socket; /* a ROUTER or a DEALER */

struct net *net_open(void);      /* NULL: out of memory or handles */
void net_close(struct net *net); /* after its sockets; waits at most their linger time (1 s) */

/* A ROUTER bound to the endpoint. NULL: `why` holds one line. For tcp://HOST:* the system picks the
 * port. The endpoint as bound is copied to `bound` (may be NULL). */
struct socket *socket_bind(struct net *net, const char *endpoint, char *bound, size_t bound_bytes, char *why,
                           size_t why_bytes);

/* A DEALER that connects, and goes on trying. A message is only accepted while a connection is up. */
struct socket *socket_connect(struct net *net, const char *endpoint, char *why, size_t why_bytes);
void socket_close(struct socket *socket);

/* A file descriptor for poll(); after it fires call socket_receive until it has nothing more, and
 * before waiting again call socket_ready once. */
int socket_fd(const struct socket *socket);
bool socket_ready(struct socket *socket);

/* Whether a send may go out now: a DEALER has a connection, with room. */
bool socket_can_send(struct socket *socket);

enum socket_result { SOCKET_OK, SOCKET_EMPTY, SOCKET_GONE, SOCKET_FULL, SOCKET_ERROR };

/* Sends one message; to: the peer of a ROUTER, NULL for a DEALER. Never blocks. SOCKET_GONE: no such
 * peer, or no connection (a DEALER says so of a full queue too, as it cannot tell them apart; the next
 * socket_wait then also returns once there is room); SOCKET_FULL: the peer's queue is full;
 * SOCKET_ERROR: the message is too large, or memory ran out. */
enum socket_result socket_send(struct socket *socket, const struct socket_id *to, const struct message *message);

/* Receives one message if there is one. *bytes is valid until the next receive on this socket, and
 * the message's spans point into it. from may be NULL for a DEALER. SOCKET_ERROR: bytes came that are
 * no message; *why says so and `from` is set. */
enum socket_result socket_receive(struct socket *socket, struct socket_id *from, struct message *message,
                                  const char **why);

/* Waits until one of the sockets can be read, `extra_fd` (or -1) can be read, or timeout_ms passed
 * (-1: for ever). Returns at once when something is there already. */
void socket_wait(struct socket *const *sockets, size_t count, int extra_fd, int64_t timeout_ms);
