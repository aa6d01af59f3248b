/* The network between the hosts of a world, as ZeroMQ shows it: a host that dials gets a connection under
 * a new routing id each time, messages of one connection arrive in their order, and a connection that
 * breaks takes what was on its way with it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "message.h"

#define NETWORK_QUEUE_MAX 1000u /* messages on their way in one direction of a connection */
#define NETWORK_SLOTS     2u    /* sockets that a host dials from: to the broker, to the aggregator */
#define NETWORK_ID_BYTES  5u

struct world;

struct letter {
    uint64_t due_ms;
    uint32_t wire;
    struct buffer bytes;
};

struct letters { /* a queue */
    struct letter *items;
    size_t first, count, capacity;
};

enum lane { LANE_UP /* from the dialer */, LANE_DOWN };

struct wire {
    uint32_t number, dialer, server, slot;
    bool up;    /* the dialer may send */
    bool known; /* the server may send */
    bool vanishing[2];
    struct letters lanes[2];
    uint64_t last_due_ms[2];
};

enum network_result { NETWORK_OK, NETWORK_GONE, NETWORK_FULL };

void network_id(uint32_t wire, uint8_t id[NETWORK_ID_BYTES]);
uint32_t network_number(const uint8_t *id);

/* A socket of `host` that keeps trying to reach a host of at least this life (0: any). Closes the one
 * that was in the slot. */
void network_dial(struct world *world, uint32_t host, uint32_t slot, uint32_t server, uint32_t life);
void network_close(struct world *world, uint32_t host, uint32_t slot);
bool network_can_send(const struct world *world, uint32_t host, uint32_t slot);

enum network_result network_send_up(struct world *world, uint32_t host, uint32_t slot, const struct message *message);
enum network_result network_send_down(struct world *world, uint32_t host, uint32_t wire, const struct message *message);

/* The oldest message that arrived. False: none. The caller frees its bytes. */
bool network_receive(struct world *world, uint32_t host, uint32_t slot, struct letter *letter);
bool network_has_mail(const struct world *world, uint32_t host);

/* All connections of a host break, and what it had received is forgotten. */
void network_host_dies(struct world *world, uint32_t host);

/* Faults: the connection breaks; messages in one direction vanish until it does. */
void network_disconnect(struct world *world, struct wire *link);
void network_let_vanish(struct world *world, struct wire *link, enum lane lane, uint64_t for_ms);

/* Events that the network asked the world for. */
void network_arrive(struct world *world, uint32_t wire, uint32_t lane);
void network_try_dial(struct world *world, uint32_t host, uint32_t slot, uint32_t serial);

void letters_free(struct letters *letters);
