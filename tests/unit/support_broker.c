#include "support_broker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_sweep.h"
#include "sweep_codec.h"

const struct peer client = {.size = 1, .bytes = "c"}, aggregator = {.size = 1, .bytes = "a"};

struct bench *open_bench(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->now_ms = 1000;
    bench->broker = broker_new(&(struct broker_setup){HEARTBEAT_MS, LEASE_MS, 42});
    cr_assert_not_null(bench->broker);
    return bench;
}

void close_bench(struct bench *bench)
{
    broker_free(bench->broker);
    buffer_free(&bench->sweep);
    free(bench);
}

void step(struct bench *bench, const struct broker_event *event)
{
    broker_step(bench->broker, event, &bench->effects);
    cr_assert(broker_is_sound(bench->broker));
}

void deliver(struct bench *bench, struct peer from)
{
    step(bench, &(struct broker_event){
                    .kind = BROKER_MESSAGE, .now_ms = bench->now_ms, .peer = from, .message = &bench->message});
}

/* As deliver, with the name of the sender's key. */
void deliver_of(struct bench *bench, struct peer from, const char *holder)
{
    step(bench, &(struct broker_event){.kind = BROKER_MESSAGE,
                                       .now_ms = bench->now_ms,
                                       .peer = from,
                                       .message = &bench->message,
                                       .holder = holder});
}

void wait_ms(struct bench *bench, uint64_t ms)
{
    bench->now_ms += ms;
    step(bench, &(struct broker_event){.kind = BROKER_TICK, .now_ms = bench->now_ms});
}

const struct broker_effect *find_send(const struct bench *bench, struct peer to, enum message_kind kind)
{
    for (size_t at = 0; at < bench->effects.count; at++) {
        const struct broker_effect *effect = &bench->effects.list[at];
        if (effect->kind == BROKER_SEND && effect->send.kind == kind && peer_equal(&effect->send.to, &to))
            return effect;
    }
    return NULL;
}

size_t count_effects(const struct bench *bench, enum broker_effect_kind kind)
{
    size_t count = 0;
    for (size_t at = 0; at < bench->effects.count; at++) count += bench->effects.list[at].kind == kind;
    return count;
}

size_t count_leases(const struct bench *bench, struct peer to)
{
    size_t count = 0;
    for (size_t at = 0; at < bench->effects.count; at++) {
        const struct broker_effect *effect = &bench->effects.list[at];
        count += effect->kind == BROKER_SEND && effect->send.kind == MESSAGE_LEASE && peer_equal(&effect->send.to, &to);
    }
    return count;
}

void make_sweep(struct bench *bench, const char *name, uint64_t blocks)
{
    struct sweep *sweep = new_sweep(name);
    sweep->draws = blocks * 4;
    sweep->draws_per_block = 4;
    sweep->keep_draws = bench->keep_draws;
    buffer_clear(&bench->sweep);
    sweep_encode(sweep, &bench->sweep);
    bench->id = sweep_identity(sweep);
    free(sweep);
}

void submit(struct bench *bench, const char *name, uint64_t blocks)
{
    make_sweep(bench, name, blocks);
    bench->message.kind = MESSAGE_SUBMIT;
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.population = (struct span){0};
    bench->message.submit.priority = bench->message.submit.weight = 0;
    bench->message.submit.tenant[0] = 0;
    deliver(bench, client);
}

void hello(struct bench *bench, struct peer from, enum message_role role, const char *name, uint64_t instance)
{
    bench->message.kind = MESSAGE_HELLO;
    memset(&bench->message.hello, 0, sizeof bench->message.hello);
    bench->message.hello.role = role;
    bench->message.hello.encoding = bench->encoding;
    bench->message.hello.instance = instance;
    snprintf(bench->message.hello.name, sizeof bench->message.hello.name, "%s", name);
    if (role == ROLE_AGGREGATOR) strcpy(bench->message.hello.endpoint, "ipc:///a");
    deliver(bench, from);
}

void heartbeat(struct bench *bench, struct peer from, uint64_t room, uint32_t count, const uint64_t *tokens)
{
    bench->message.kind = MESSAGE_HEARTBEAT;
    bench->message.heartbeat.room = room;
    bench->message.heartbeat.token_count = count;
    for (uint32_t at = 0; at < count; at++) bench->message.heartbeat.tokens[at] = tokens[at];
    deliver(bench, from);
}

void done(struct bench *bench, struct peer from, uint64_t token, struct block_range blocks, uint64_t compute_us)
{
    bench->message.kind = MESSAGE_DONE;
    bench->message.done.token = token;
    bench->message.done.sweep = bench->id;
    bench->message.done.blocks = blocks;
    bench->message.done.compute_us = compute_us;
    deliver(bench, from);
}

void failed(struct bench *bench, struct peer from, uint64_t token, struct block_range blocks, enum message_cause cause)
{
    bench->message.kind = MESSAGE_FAILED;
    bench->message.failed.token = token;
    bench->message.failed.sweep = bench->id;
    bench->message.failed.blocks = blocks;
    bench->message.failed.cause = cause;
    strcpy(bench->message.failed.text, "it broke");
    deliver(bench, from);
}

void held(struct bench *bench, bool complete, uint32_t count, const struct block_range *ranges)
{
    bench->message.kind = MESSAGE_HELD;
    bench->message.held.sweep = bench->id;
    bench->message.held.complete = complete;
    memset(bench->message.held.result.bytes, complete ? 7 : 0, DIGEST_BYTES);
    bench->message.held.count = count;
    for (uint32_t at = 0; at < count; at++) bench->message.held.ranges[at] = ranges[at];
    deliver(bench, aggregator);
}
