#include "support_network.h"

#include <stdlib.h>
#include <string.h>

#include "support_world.h"

#define REDIAL_MS     10u /* as proto/net/socket.c: from this ... */
#define REDIAL_MAX_MS 1000u

void network_id(uint32_t wire, uint8_t id[NETWORK_ID_BYTES])
{
    id[0] = 0;
    memcpy(id + 1, &wire, sizeof wire);
}

uint32_t network_number(const uint8_t *id)
{
    uint32_t wire;
    memcpy(&wire, id + 1, sizeof wire);
    return wire;
}

/* Queues */

static void push(struct letters *letters, struct letter letter)
{
    if (letters->first + letters->count == letters->capacity) {
        if (letters->count > 0)
            memmove(letters->items, letters->items + letters->first, letters->count * sizeof letter);
        letters->first = 0;
        if (letters->count * 2 >= letters->capacity) {
            letters->capacity = letters->capacity == 0 ? 8 : letters->capacity * 2;
            letters->items = realloc(letters->items, letters->capacity * sizeof letter);
            if (letters->items == NULL) abort();
        }
    }
    letters->items[letters->first + letters->count++] = letter;
}

static bool pop(struct letters *letters, struct letter *letter)
{
    if (letters->count == 0) return false;
    *letter = letters->items[letters->first++];
    if (--letters->count == 0) letters->first = 0;
    return true;
}

static void cut_down(struct letters *letters, size_t count)
{
    while (letters->count > count) buffer_free(&letters->items[letters->first + --letters->count].bytes);
}

void letters_free(struct letters *letters)
{
    cut_down(letters, 0);
    free(letters->items);
    *letters = (struct letters){0};
}

/* Connections */

static struct wire *wire_of(const struct world *world, const struct dialing *dialing)
{
    return dialing->wire == 0 ? NULL : world->wires[dialing->wire - 1];
}

static struct wire *add_wire(struct world *world)
{
    if (world->wire_count == world->wire_capacity) {
        world->wire_capacity = world->wire_capacity == 0 ? 64 : world->wire_capacity * 2;
        world->wires = realloc(world->wires, world->wire_capacity * sizeof *world->wires);
        if (world->wires == NULL) abort();
    }
    struct wire *wire = calloc(1, sizeof *wire);
    if (wire == NULL) abort();
    world->wires[world->wire_count++] = wire;
    wire->number = world->wire_count;
    return wire;
}

static bool is_cut(const struct world *world, uint32_t a, uint32_t b)
{
    return world->now_ms < world->cut_ms[a][b] || world->now_ms < world->cut_ms[b][a];
}

static void redial(struct world *world, uint32_t host, uint32_t slot)
{
    struct dialing *dialing = &world->hosts[host].dialing[slot];
    dialing->wait_ms = dialing->wait_ms == 0 ? REDIAL_MS : dialing->wait_ms * 2;
    if (dialing->wait_ms > REDIAL_MAX_MS) dialing->wait_ms = REDIAL_MAX_MS;
    world_at(world, world->now_ms + 1 + world_draw(world, dialing->wait_ms), WORLD_DIAL, host, slot, dialing->serial);
}

void network_try_dial(struct world *world, uint32_t host, uint32_t slot, uint32_t serial)
{
    struct dialing *dialing = &world->hosts[host].dialing[slot];
    const struct host *server = &world->hosts[dialing->server];
    if (!dialing->open || dialing->serial != serial || dialing->wire != 0) return;
    if (!server->alive || (dialing->life != 0 && dialing->life != server->life) ||
        is_cut(world, host, dialing->server)) {
        redial(world, host, slot);
        return;
    }
    struct wire *wire = add_wire(world);
    wire->dialer = host;
    wire->server = dialing->server;
    wire->slot = slot;
    wire->up = wire->known = true;
    dialing->wire = wire->number;
    dialing->wait_ms = 0;
    world_wake(world, host, world->now_ms);
}

void network_close(struct world *world, uint32_t host, uint32_t slot)
{
    struct dialing *dialing = &world->hosts[host].dialing[slot];
    struct wire *wire = wire_of(world, dialing);
    if (wire != NULL) {
        wire->up = wire->known = false;
        cut_down(&wire->lanes[LANE_DOWN], 0);
        if (world_draw(world, 2) == 0) cut_down(&wire->lanes[LANE_UP], 0); /* else they linger, and arrive */
    }
    *dialing = (struct dialing){.serial = dialing->serial + 1};
    letters_free(&world->hosts[host].inbox[slot]);
}

void network_dial(struct world *world, uint32_t host, uint32_t slot, uint32_t server, uint32_t life)
{
    struct dialing *dialing = &world->hosts[host].dialing[slot];
    network_close(world, host, slot);
    dialing->open = true;
    dialing->server = server;
    dialing->life = life;
    world_at(world, world->now_ms + world_draw(world, 5), WORLD_DIAL, host, slot, dialing->serial);
}

void network_disconnect(struct world *world, struct wire *wire)
{
    struct dialing *dialing = &world->hosts[wire->dialer].dialing[wire->slot];
    wire->known = false;
    for (enum lane lane = LANE_UP; lane <= LANE_DOWN; lane++)
        if (wire->lanes[lane].count > 0)
            cut_down(&wire->lanes[lane], (size_t)world_draw(world, wire->lanes[lane].count + 1));
    if (!wire->up) return;
    wire->up = false;
    dialing->wire = 0;
    redial(world, wire->dialer, wire->slot);
}

void network_let_vanish(struct world *world, struct wire *wire, enum lane lane, uint64_t for_ms)
{
    wire->vanishing[lane] = true;
    world_at(world, world->now_ms + for_ms, WORLD_BREAK, wire->number, 0, 0);
}

static void break_from(struct world *world, struct wire *wire, uint32_t host)
{
    if (wire->dialer == host) {
        wire->up = false;
        cut_down(&wire->lanes[LANE_DOWN], 0);
        /* A machine that is gone says nothing: what is sent to it seems to arrive, for a while. */
        if (!wire->known || world_draw(world, 2) == 0) wire->known = false;
        else network_let_vanish(world, wire, LANE_DOWN, world_draw(world, 3000));
        cut_down(&wire->lanes[LANE_UP], (size_t)world_draw(world, wire->lanes[LANE_UP].count + 1));
    } else if (wire->server == host) {
        network_disconnect(world, wire);
    }
}

void network_host_dies(struct world *world, uint32_t host)
{
    for (uint32_t at = 0; at < world->wire_count; at++)
        if (world->wires[at]->up || world->wires[at]->known) break_from(world, world->wires[at], host);
    for (uint32_t slot = 0; slot < NETWORK_SLOTS; slot++) {
        struct dialing *dialing = &world->hosts[host].dialing[slot];
        *dialing = (struct dialing){.serial = dialing->serial + 1};
        letters_free(&world->hosts[host].inbox[slot]);
    }
}

/* Messages */

bool network_can_send(const struct world *world, uint32_t host, uint32_t slot)
{
    const struct wire *wire = wire_of(world, &world->hosts[host].dialing[slot]);
    return wire != NULL && wire->lanes[LANE_UP].count < world->limits.queue_max;
}

static void post(struct world *world, struct wire *wire, enum lane lane, struct buffer bytes)
{
    uint64_t due_ms = world->now_ms + world_draw(world, world->limits.delay_ms + 1);
    if (world_trouble(world, SIM_FAULT_COUNT, world->limits.spike_ppm))
        due_ms += world_draw(world, world->limits.spike_ms);
    if (due_ms < wire->last_due_ms[lane]) due_ms = wire->last_due_ms[lane]; /* a connection keeps the order */
    wire->last_due_ms[lane] = due_ms;
    push(&wire->lanes[lane], (struct letter){.due_ms = due_ms, .wire = wire->number, .bytes = bytes});
    world_at(world, due_ms, WORLD_ARRIVE, wire->number, lane, 0);
}

static void post_message(struct world *world, struct wire *wire, enum lane lane, const struct message *message)
{
    if (wire->vanishing[lane]) return;
    const int copies = world_trouble(world, SIM_REPEATED, world->limits.repeat_ppm) ? 2 : 1;
    for (int copy = 0; copy < copies; copy++) {
        struct buffer bytes = {0};
        message_encode(message, &bytes);
        if (bytes.failed) abort();
        post(world, wire, lane, bytes);
    }
}

enum network_result network_send_up(struct world *world, uint32_t host, uint32_t slot, const struct message *message)
{
    if (!network_can_send(world, host, slot)) return NETWORK_GONE;
    struct wire *wire = wire_of(world, &world->hosts[host].dialing[slot]);
    TRACE(world, "%u -> %u by %u: %s", host, wire->server, wire->number, message_kind_name(message->kind));
    post_message(world, wire, LANE_UP, message);
    return NETWORK_OK;
}

enum network_result network_send_down(struct world *world, uint32_t host, uint32_t number,
                                      const struct message *message)
{
    if (number == 0 || number > world->wire_count) return NETWORK_GONE;
    struct wire *wire = world->wires[number - 1];
    if (wire->server != host || !wire->known) return NETWORK_GONE;
    if (wire->lanes[LANE_DOWN].count >= world->limits.queue_max) return NETWORK_FULL;
    TRACE(world, "%u -> %u by %u: %s", host, wire->dialer, wire->number, message_kind_name(message->kind));
    post_message(world, wire, LANE_DOWN, message);
    return NETWORK_OK;
}

void network_arrive(struct world *world, uint32_t number, uint32_t lane)
{
    struct wire *wire = world->wires[number - 1];
    const uint32_t from = lane == LANE_UP ? wire->dialer : wire->server;
    const uint32_t to = lane == LANE_UP ? wire->server : wire->dialer;
    if (wire->lanes[lane].count == 0) return; /* went with its connection */
    if (world->now_ms < world->cut_ms[from][to]) {
        world_at(world, world->cut_ms[from][to], WORLD_ARRIVE, number, lane, 0);
        return;
    }
    struct letter letter;
    pop(&wire->lanes[lane], &letter);
    const uint32_t slot = to == HOST_BROKER ? 0 : lane == LANE_UP ? SLOT_AGGREGATOR : wire->slot;
    if (!world->hosts[to].alive) {
        buffer_free(&letter.bytes);
        return;
    }
    push(&world->hosts[to].inbox[slot], letter);
    world_wake(world, to, world->now_ms);
}

bool network_receive(struct world *world, uint32_t host, uint32_t slot, struct letter *letter)
{
    return pop(&world->hosts[host].inbox[slot], letter);
}

bool network_has_mail(const struct world *world, uint32_t host)
{
    return world->hosts[host].inbox[0].count + world->hosts[host].inbox[1].count > 0;
}
