/* ZeroMQ sockets as every program uses them: one frame of message behind at most one routing id,
 * never a blocking send, bounded messages and queues, no silent drop. A socket belongs to the thread
 * that opened it.
 *
 * Without keys TCP stays on the loopback. With keys every TCP connection is encrypted by CURVE, and a bound
 * socket knows who sent what. An ipc endpoint is as private as its folder, and has no keys. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "zap.h"

#define SOCKET_ID_BYTES 32

struct socket_id {
    uint8_t size;
    uint8_t bytes[SOCKET_ID_BYTES];
};

struct net;    /* a ZeroMQ context */
struct socket; /* a ROUTER or a DEALER */

#define NET_DESCRIPTORS 64 /* the fewest that a process may have: ZeroMQ ends it when they run out */
#define NET_WANTS       "ZeroMQ needs memory and a limit of at least 64 open files (ulimit -n)"

struct net *net_open(void);      /* NULL: NET_WANTS */
void net_close(struct net *net); /* after its sockets; waits at most their linger time (1 s) */

/* A wait of at most ms and at least half of it, as the dice have it. */
uint64_t jitter_ms(uint64_t ms, uint64_t dice);

/* The keys of every TCP socket that is opened from now on; borrowed until net_close. The process leaves no core
 * dump from then on, and only root may trace it. A program that binds
 * also gets the thread of zap.h. False: `why` holds one line. */
bool net_use_keys(struct net *net, const struct keys *keys, char *why, size_t why_bytes);

/* Of sockets that are opened from now on: a peer that announces a message above this, at most MESSAGE_BYTES_MAX, is cut
 * off. Room for a message is taken before it is known who sends it. */
void net_take_at_most(struct net *net, size_t bytes);

/* Connections that were refused for their key so far. */
uint64_t net_denied(const struct net *net);

/* Bytes that are on their way to peers of its ROUTERs, without messages of at most 1 KiB: at most what outbound.h says.
 */
size_t net_waiting_bytes(const struct net *net);

/* Whether an endpoint may be bound or connected to without keys: ipc, or TCP to a loopback address written
 * as a number or as localhost. */
bool endpoint_is_private(const char *endpoint);

/* The line that refuses an endpoint for its form, or for want of keys; NULL: it may be used. For a program to end
 * with a usage error before anything is started; the sockets refuse it too. */
const char *endpoint_refusal(const char *endpoint, bool has_keys);

/* For main(): reads the keys that a program of the role needs from the folder that keys_choose gives, and checks
 * that they are there for these endpoints (NULL: none). *keys is set to `room`, or to NULL without keys. False: `why`
 * is one line, and the program ends with a usage error. */
bool net_find_keys(const char *flag, enum key_role role, const char *const endpoints[2], struct keys *room,
                   const struct keys **keys, char *why, size_t why_bytes);

/* A ROUTER bound to the endpoint, with as many descriptors for its peers as the process may have. NULL: `why` holds one
 * line. For tcp://HOST:* the system picks the port. The endpoint as bound is copied to `bound` (may be NULL). */
struct socket *socket_bind(struct net *net, const char *endpoint, char *bound, size_t bound_bytes, char *why,
                           size_t why_bytes);

/* A DEALER that connects, and goes on trying. A message is only accepted while a connection is up. */
struct socket *socket_connect(struct net *net, const char *endpoint, char *why, size_t why_bytes);
void socket_close(struct socket *socket);

/* A file descriptor for poll(); after it fires call socket_receive until it has nothing more, and
 * before waiting again call socket_ready once. */
int socket_fd(const struct socket *socket);
bool socket_ready(struct socket *socket);

/* Whether the server of a DEALER refused its key. socket_wait tries again a second later: the key may become known. */
bool socket_key_refused(struct socket *socket);

/* Whether a send may go out now: a DEALER has a connection, with room. */
bool socket_can_send(struct socket *socket);

enum socket_result { SOCKET_OK, SOCKET_EMPTY, SOCKET_GONE, SOCKET_FULL, SOCKET_ERROR };

/* Sends one message; to: the peer of a ROUTER, NULL for a DEALER. Never blocks. SOCKET_GONE: no such
 * peer, or no connection (a DEALER says so of a full queue too, as it cannot tell them apart;
 * socket_wait then also returns once there is room); SOCKET_FULL: the peer's queue is full,
 * or it does not take in a large message, or all peers together have too much on its way (outbound.h);
 * SOCKET_ERROR: the message is too large, or memory ran out. */
enum socket_result socket_send(struct socket *socket, const struct socket_id *to, const struct message *message);

/* Receives one message if there is one. *bytes is valid until the next receive on this socket, and
 * the message's spans point into it; control characters in its texts are masked. from may be NULL for a DEALER.
 * SOCKET_ERROR: bytes came that are no message; *why says so and `from` is set. */
enum socket_result socket_receive(struct socket *socket, struct socket_id *from, struct message *message,
                                  const char **why);

/* Who sent what a ROUTER received last, by the keys as they are now. KEY_TRUSTED without a name where
 * there are no keys; KEY_NONE for one whose key is no longer known. */
const struct zap_holder *socket_sender(const struct socket *socket);

/* Whether the sender may send the message that was received last; else `*refusal` is the ERROR to answer by,
 * unless the message is an ERROR itself. */
bool socket_permits(const struct socket *socket, const struct message *message, struct message *refusal);

/* Waits until one of the sockets can be read, `extra_fd` (or -1) can be read, or timeout_ms passed
 * (-1: for ever). Returns at once when something is there already. */
void socket_wait(struct socket *const *sockets, size_t count, int extra_fd, int64_t timeout_ms);
