/* A broker's core on a bench: a clock, peers that speak, and what the last step wanted done. The tests of what is in
 * broker/ share it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "broker.h"
#include "bytes.h"

#define HEARTBEAT_MS 500
#define LEASE_MS     5000

struct bench {
    struct broker *broker;
    uint64_t now_ms;
    struct broker_effects effects;
    struct message message; /* scratch, to be filled before it is delivered */
    struct buffer sweep;    /* bytes of the sweep submitted last */
    struct digest id;
    uint32_t encoding; /* of sweeps that those who say hello read; 0: they do not say */
    bool keep_draws;   /* of sweeps that are made: asks for encoding 2 */
};

extern const struct peer client, aggregator;

/* At 1000 ms, with nobody there. */
struct bench *open_bench(void);
void close_bench(struct bench *bench);

/* Each step must leave the core sound. deliver: the message on the bench, of the bench's time; deliver_of: with the
 * name of the sender's key. */
void step(struct bench *bench, const struct broker_event *event);
void deliver(struct bench *bench, struct peer from);
void deliver_of(struct bench *bench, struct peer from, const char *holder);
void wait_ms(struct bench *bench, uint64_t ms);

/* Of the last step's effects. find_send: the first to the peer, or NULL. */
const struct broker_effect *find_send(const struct bench *bench, struct peer to, enum message_kind kind);
size_t count_effects(const struct bench *bench, enum broker_effect_kind kind);
size_t count_leases(const struct bench *bench, struct peer to);

/* Of so many blocks; its bytes and identity stay on the bench. submit: by `client`. */
void make_sweep(struct bench *bench, const char *name, uint64_t blocks);
void submit(struct bench *bench, const char *name, uint64_t blocks);

/* What peers say; of a sweep, the one on the bench. */
void hello(struct bench *bench, struct peer from, enum message_role role, const char *name, uint64_t instance);
void heartbeat(struct bench *bench, struct peer from, uint64_t room, uint32_t count, const uint64_t *tokens);
void done(struct bench *bench, struct peer from, uint64_t token, struct block_range blocks, uint64_t compute_us);
void failed(struct bench *bench, struct peer from, uint64_t token, struct block_range blocks, enum message_cause cause);
void held(struct bench *bench, bool complete, uint32_t count, const struct block_range *ranges);
