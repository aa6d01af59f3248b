/* Messages of several peers, undelivered sends, time and restarts, as the bytes choose, against the broker's
 * core. After each step its state is sound, what it sends can be read, and the journal that was kept says of
 * every sweep what the core says; a restart from it gives the same sweeps. */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "digest.h"
#include "targets.h"

#define STEPS_MAX  256
#define PEERS      5
#define SWEEPS     3
#define TOKENS_MAX 16

struct kept { /* what the journal holds of a sweep */
    bool here, population_kept;
    enum sweep_state state;
    struct digest result;
    char text[MESSAGE_TEXT_BYTES];
    struct range_set done;
};

struct bench {
    struct broker *broker;
    struct choices choices;
    uint64_t now_ms;
    struct buffer sweeps[SWEEPS];
    struct digest ids[SWEEPS];
    struct kept kept[SWEEPS];
    uint64_t tokens[TOKENS_MAX]; /* lent last */
    size_t token_count;
};

static const uint64_t block_counts[SWEEPS] = {4, 1000, MESSAGE_BLOCKS_MAX};
static const char population_bytes[] = "the population";
static struct message message, answer; /* 200 KB each */
static struct broker_effects effects;

static struct span population(void)
{
    return (struct span){(const uint8_t *)population_bytes, sizeof population_bytes};
}

static struct broker *new_broker(void)
{
    struct broker *broker = broker_new(&(struct broker_setup){.heartbeat_ms = 500, .lease_ms = 5000, .token_seed = 7});
    fuzz_require(broker != NULL);
    return broker;
}

/* The journal */

static size_t sweep_number(const struct bench *bench, const struct digest *id)
{
    for (size_t at = 0; at < SWEEPS; at++)
        if (digest_equal(&bench->ids[at], id)) return at;
    return SWEEPS; /* one of the input's own making */
}

/* As the journal's shell does it: ranges that begin inside the new one are part of it. */
static void keep_done(struct kept *kept, struct block_range blocks)
{
    struct range_set rest = {0};
    for (size_t at = 0; at < kept->done.count; at++) {
        const struct block_range old = kept->done.items[at];
        if (old.first < blocks.first || old.first >= range_end(blocks)) fuzz_require(range_add(&rest, old));
    }
    fuzz_require(range_overlap(&rest, blocks) == 0 && range_add(&rest, blocks));
    range_free(&kept->done);
    kept->done = rest;
}

static void keep_ranges(struct kept *kept, const struct ledger *ledger)
{
    range_clear(&kept->done);
    for (size_t at = 0; at < ledger->done.count; at++) fuzz_require(range_add(&kept->done, ledger->done.items[at]));
}

static void keep(struct bench *bench, const struct broker_effect *effect)
{
    const struct ledger *ledger = broker_sweep(bench->broker, &effect->sweep);
    const size_t number = sweep_number(bench, &effect->sweep);
    fuzz_require(ledger != NULL);
    if (number == SWEEPS) return;
    struct kept *kept = &bench->kept[number];
    fuzz_require(kept->here || effect->kind == BROKER_KEEP_SWEEP);
    if (effect->kind == BROKER_KEEP_DONE) keep_done(kept, effect->blocks);
    if (effect->kind == BROKER_KEEP_RANGES) keep_ranges(kept, ledger);
    if (effect->kind == BROKER_KEEP_DONE || effect->kind == BROKER_KEEP_RANGES) return;
    kept->here = true;
    kept->population_kept = ledger->population_kept;
    kept->state = ledger->state;
    kept->result = ledger->result;
    memcpy(kept->text, ledger->text, sizeof kept->text);
}

static bool same_ranges(const struct range_set *a, const struct range_set *b)
{
    if (a->count != b->count) return false;
    for (size_t at = 0; at < a->count; at++)
        if (a->items[at].first != b->items[at].first || a->items[at].count != b->items[at].count) return false;
    return true;
}

static void check_kept(const struct bench *bench)
{
    for (size_t at = 0; at < SWEEPS; at++) {
        const struct ledger *ledger = broker_sweep(bench->broker, &bench->ids[at]);
        const struct kept *kept = &bench->kept[at];
        fuzz_require(kept->here == (ledger != NULL));
        if (ledger == NULL) continue;
        fuzz_require(kept->state == ledger->state && kept->population_kept == ledger->population_kept);
        fuzz_require(digest_equal(&kept->result, &ledger->result) && strcmp(kept->text, ledger->text) == 0);
        fuzz_require(same_ranges(&kept->done, &ledger->done));
    }
}

static void restart(struct bench *bench)
{
    broker_free(bench->broker);
    bench->broker = new_broker();
    for (size_t at = 0; at < SWEEPS; at++) {
        const struct kept *kept = &bench->kept[at];
        const char *why = NULL;
        if (!kept->here) continue;
        fuzz_require(broker_restore(bench->broker, buffer_span(&bench->sweeps[at]), kept->population_kept, kept->state,
                                    &kept->result, kept->text, &why));
        for (size_t range = 0; range < kept->done.count; range++)
            fuzz_require(broker_restore_done(bench->broker, &bench->ids[at], kept->done.items[range]));
    }
    fuzz_require(broker_is_sound(bench->broker));
    check_kept(bench);
}

/* A step */

static struct peer peer_of(uint8_t number)
{
    return (struct peer){.size = 2, .bytes = {'p', number % PEERS}};
}

static void carry_out(struct bench *bench, const struct broker_effect *effect)
{
    if (effect->kind == BROKER_NOTE) return;
    if (effect->kind != BROKER_SEND) {
        keep(bench, effect);
        return;
    }
    fuzz_require(!peer_is_nobody(&effect->send.to));
    if (effect->send.kind == MESSAGE_LEASE) bench->tokens[bench->token_count++ % TOKENS_MAX] = effect->send.lease.token;
    if (broker_compose(bench->broker, effect, &answer)) {
        fuzz_require(answer.kind == effect->send.kind);
        require_readable(&answer);
    } else {
        fuzz_require(effect->send.kind == MESSAGE_ITEM);
    }
}

static void step(struct bench *bench, struct broker_event event)
{
    event.now_ms = bench->now_ms;
    broker_step(bench->broker, &event, &effects);
    fuzz_require(effects.count <= BROKER_EFFECTS_MAX);
    for (size_t at = 0; at < effects.count; at++) carry_out(bench, &effects.list[at]);
    fuzz_require(broker_is_sound(bench->broker));
    check_kept(bench);
}

/* Events out of bytes */

static struct digest choose_digest(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    struct digest digest = {{0}};
    if (kind % 8 < 6) return bench->ids[kind % SWEEPS];
    if (kind % 8 == 6) return digest_of(population());
    digest.bytes[0] = kind / 8;
    return digest;
}

static struct block_range choose_blocks(struct bench *bench)
{
    return (struct block_range){choose_number(&bench->choices), choose_number(&bench->choices)};
}

static uint64_t choose_token(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    return kind < 240 ? bench->tokens[kind % TOKENS_MAX] : choose_number(&bench->choices);
}

static void choose_hello(struct bench *bench)
{
    static const char *const names[] = {"w0", "w1", "w2", ""};
    struct choices *choices = &bench->choices;
    const uint8_t kind = choose_byte(choices);
    message.hello.role = (enum message_role)(kind % 3 + 1);
    strcpy(message.hello.name, names[kind / 3 % 4]);
    strcpy(message.hello.program, "fuzz");
    message.hello.instance = choose_byte(choices) % 4;
    choose_text(choices, message.hello.endpoint, sizeof message.hello.endpoint);
}

static void choose_heartbeat(struct bench *bench)
{
    message.heartbeat.room = choose_number(&bench->choices);
    message.heartbeat.token_count = choose_byte(&bench->choices) % 5;
    for (uint32_t at = 0; at < message.heartbeat.token_count; at++) message.heartbeat.tokens[at] = choose_token(bench);
}

static void choose_failed(struct bench *bench)
{
    message.failed.token = choose_token(bench);
    message.failed.sweep = choose_digest(bench);
    message.failed.blocks = choose_blocks(bench);
    message.failed.cause = (enum message_cause)(choose_byte(&bench->choices) % 3 + 1);
    choose_text(&bench->choices, message.failed.text, sizeof message.failed.text);
}

/* Ascending and apart, as the protocol has it, unless the last count goes astray. */
static void choose_held(struct bench *bench)
{
    struct choices *choices = &bench->choices;
    const uint8_t kind = choose_byte(choices);
    uint64_t at = 0;
    message.held.sweep = choose_digest(bench);
    message.held.complete = kind % 8 == 7;
    message.held.result = message.held.complete ? digest_of(population()) : (struct digest){{0}};
    message.held.count = kind >= 250 ? MESSAGE_RANGES_MAX : kind / 8 % 24;
    for (uint32_t range = 0; range < message.held.count; range++) {
        const uint8_t apart = choose_byte(choices);
        message.held.ranges[range] = (struct block_range){at + apart % 8, apart / 8 % 8 + 1u};
        at = range_end(message.held.ranges[range]) + 1;
    }
    if (kind % 8 == 6 && message.held.count > 0)
        message.held.ranges[message.held.count - 1].count = choose_number(choices);
}

static void choose_submit(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    message.submit.sweep = buffer_span(&bench->sweeps[kind % SWEEPS]);
    message.submit.priority = kind / 8 % 4;
    message.submit.weight = kind / 8 % 8;
    strcpy(message.submit.tenant, kind % 2 == 0 ? "" : "t");
    message.submit.population = kind / 4 % 2 == 0 ? population() : (struct span){0};
    if (kind >= 240) message.submit.sweep = choose_span(&bench->choices, 1u << 16);
    if (kind >= 250) message.submit.population = choose_span(&bench->choices, 1u << 16);
}

static void choose_fields(struct bench *bench)
{
    switch (message.kind) {
    case MESSAGE_HELLO:
        choose_hello(bench);
        break;
    case MESSAGE_FETCH:
        message.fetch.item = (enum message_item)(choose_byte(&bench->choices) % 2 + 1);
        message.fetch.digest = choose_digest(bench);
        break;
    case MESSAGE_HEARTBEAT:
        choose_heartbeat(bench);
        break;
    case MESSAGE_DONE:
        message.done.token = choose_token(bench);
        message.done.sweep = choose_digest(bench);
        message.done.blocks = choose_blocks(bench);
        message.done.compute_us = choose_number(&bench->choices);
        break;
    case MESSAGE_FAILED:
        choose_failed(bench);
        break;
    case MESSAGE_CANCEL:
    case MESSAGE_STATUS:
        message.status.sweep = choose_digest(bench);
        break;
    case MESSAGE_SUBMIT:
        choose_submit(bench);
        break;
    case MESSAGE_HELD:
        choose_held(bench);
        break;
    default:
        break; /* GOODBYE has no fields; others a broker refuses by their kind */
    }
}

/* What cannot be encoded and read again cannot arrive. */
static bool can_arrive(struct buffer *bytes)
{
    const char *why = NULL;
    message_encode(&message, bytes);
    return !bytes->failed && message_decode(buffer_span(bytes), &message, &why);
}

static void receive(struct bench *bench, uint8_t kind)
{
    static const enum message_kind kinds[] = {MESSAGE_HELLO,     MESSAGE_FETCH,   MESSAGE_GOODBYE, MESSAGE_HEARTBEAT,
                                              MESSAGE_HEARTBEAT, MESSAGE_DONE,    MESSAGE_DONE,    MESSAGE_FAILED,
                                              MESSAGE_SUBMIT,    MESSAGE_STATUS,  MESSAGE_CANCEL,  MESSAGE_HELD,
                                              MESSAGE_HELD,      MESSAGE_STRANGER};
    struct buffer bytes = {0};
    const struct peer from = peer_of(choose_byte(&bench->choices));
    message.kind = kinds[kind % (sizeof kinds / sizeof *kinds)];
    choose_fields(bench);
    if (can_arrive(&bytes))
        step(bench, (struct broker_event){.kind = BROKER_MESSAGE, .peer = from, .message = &message});
    buffer_free(&bytes);
}

/* A message as it comes from the wire. */
static void receive_bytes(struct bench *bench)
{
    const struct peer from = peer_of(choose_byte(&bench->choices));
    const struct span bytes = choose_span(&bench->choices, 1u << 16);
    const char *why = NULL;
    if (message_decode(bytes, &message, &why))
        step(bench, (struct broker_event){.kind = BROKER_MESSAGE, .peer = from, .message = &message});
}

static void act(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    bench->now_ms += kind % 3;
    if (kind < 200) {
        receive(bench, kind);
    } else if (kind < 210) {
        receive_bytes(bench);
    } else if (kind < 220) {
        const struct peer peer = peer_of(choose_byte(&bench->choices));
        step(bench, (struct broker_event){.kind = BROKER_UNDELIVERED, .peer = peer, .token = choose_token(bench)});
    } else if (kind < 224) {
        restart(bench);
    } else {
        bench->now_ms += UINT64_C(1) << kind % 16;
        step(bench, (struct broker_event){.kind = BROKER_TICK});
    }
}

int FUZZ_TARGET(broker)(const uint8_t *data, size_t size)
{
    struct bench bench = {.broker = new_broker(), .choices = choices_of(data, size), .now_ms = 1};
    const struct digest digest = digest_of(population());
    for (uint8_t at = 0; at < SWEEPS; at++)
        bench.ids[at] = small_sweep(at, block_counts[at], &digest, &bench.sweeps[at]);
    for (unsigned at = 0; at < STEPS_MAX && choices_left(&bench.choices); at++) act(&bench);
    for (size_t at = 0; at < SWEEPS; at++) {
        buffer_free(&bench.sweeps[at]);
        range_free(&bench.kept[at].done);
    }
    broker_free(bench.broker);
    return 0;
}
