/* Messages of broker and aggregator, sends that fail, computed parts and time, as the bytes choose, against
 * a worker's session. What it sends can be read; one part at a time is computed; a slot is used again only
 * when it was dropped; and DONE is said only of blocks that the aggregator has said to hold. */
#include <string.h>

#include "digest.h"
#include "fold.h"
#include "session.h"
#include "targets.h"

#define STEPS_MAX 256
#define SWEEPS    4
#define FOLDS_MAX 1024

struct part {
    bool used, computing, sent;
    size_t sweep;
    struct fold_place place;
};

struct bench {
    struct session *session;
    struct choices choices;
    uint64_t now_ms;
    struct buffer sweeps[SWEEPS];
    struct digest ids[SWEEPS], population;
    struct part parts[SESSION_PARTS_MAX];
    struct message folded; /* the message of this step, when it is a FOLDED that says: on disk */
    bool is_folded, left;
};

static const char population_bytes[] = "the population";
static struct message message, answer; /* 200 KB each */
static struct session_effects effects, before;

static struct span population(void)
{
    return (struct span){(const uint8_t *)population_bytes, sizeof population_bytes};
}

static size_t sweep_number(const struct bench *bench, const struct digest *id)
{
    for (size_t at = 0; at < SWEEPS; at++)
        if (digest_equal(&bench->ids[at], id)) return at;
    return SWEEPS;
}

static bool is_computing(const struct bench *bench)
{
    for (size_t slot = 0; slot < SESSION_PARTS_MAX; slot++)
        if (bench->parts[slot].computing) return true;
    return false;
}

/* Effects */

static void check_done(const struct bench *bench)
{
    const struct fold_place place = {bench->folded.folded.level, bench->folded.folded.index};
    fuzz_require(bench->is_folded && digest_equal(&answer.done.sweep, &bench->folded.folded.sweep));
    fuzz_require(answer.done.blocks.first == fold_first(place) && answer.done.blocks.count == fold_size(place));
}

static void carry_out(struct bench *bench, const struct session_effect *effect)
{
    fuzz_require(effect->slot < SESSION_PARTS_MAX && effect->place < SESSION_SWEEPS_MAX);
    struct part *part = &bench->parts[effect->slot];
    switch (effect->kind) {
    case SESSION_SEND:
        session_compose(bench->session, effect, &answer);
        require_readable(&answer);
        if (answer.kind == MESSAGE_DONE) check_done(bench);
        break;
    case SESSION_SEND_PART:
        session_compose(bench->session, effect, &answer);
        require_readable(&answer);
        fuzz_require(part->used && !part->computing && digest_equal(&effect->digest, &bench->ids[part->sweep]));
        fuzz_require(effect->level == part->place.level && effect->index == part->place.index);
        part->sent = true;
        break;
    case SESSION_COMPUTE:
        fuzz_require(!part->used && !is_computing(bench));
        *part = (struct part){.used = true, .computing = true, .sweep = SWEEPS};
        part->place = (struct fold_place){effect->level, effect->index};
        break;
    case SESSION_DROP:
        fuzz_require(part->used && !part->computing);
        part->used = false;
        break;
    case SESSION_ABORT:
        fuzz_require(part->computing);
        break;
    case SESSION_CONNECT:
        fuzz_require(session_aggregator(bench->session)[0] != 0);
        break;
    case SESSION_LOAD_SWEEP:
        fuzz_require(!is_computing(bench) || effect->bytes.size > 0);
        break;
    case SESSION_LOAD_POPULATION:
    case SESSION_RECONNECT:
        break;
    }
}

/* Which sweep a part is of is said when it is sent: at first it is of the place that was leased. */
static void note_sweeps(struct bench *bench)
{
    for (size_t at = 0; at < effects.count; at++) {
        const struct session_effect *effect = &effects.list[at];
        if (effect->kind != SESSION_SEND_PART) continue;
        struct part *part = &bench->parts[effect->slot];
        if (part->sweep == SWEEPS) part->sweep = sweep_number(bench, &effect->digest);
        fuzz_require(part->sweep < SWEEPS);
    }
}

static void step(struct bench *bench, struct session_event event)
{
    event.now_ms = bench->now_ms;
    session_step(bench->session, &event, &effects);
    fuzz_require(effects.count <= SESSION_EFFECTS_MAX && session_lease_count(bench->session) <= SESSION_LEASES_MAX);
    note_sweeps(bench);
    for (size_t at = 0; at < effects.count; at++) carry_out(bench, &effects.list[at]);
    before = effects;
    bench->is_folded = false;
}

/* Events out of bytes */

static struct digest choose_digest(struct bench *bench)
{
    return bench->ids[choose_byte(&bench->choices) % SWEEPS];
}

static void choose_welcome(struct bench *bench)
{
    message.welcome.heartbeat_ms = 1 + choose_number(&bench->choices) % MESSAGE_INTERVAL_MS_MAX;
    message.welcome.lease_ms = 5000;
    choose_text(&bench->choices, message.welcome.aggregator, sizeof message.welcome.aggregator);
}

static void choose_item(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    message.item.item = kind % 4 == 3 ? ITEM_POPULATION : ITEM_SWEEP;
    message.item.bytes = kind % 4 == 3 ? population() : buffer_span(&bench->sweeps[kind / 4 % SWEEPS]);
    if (kind >= 250) message.item.bytes = choose_span(&bench->choices, 4096);
    message.item.digest = digest_of(message.item.bytes);
}

static void choose_lease(struct bench *bench)
{
    message.lease.token = 1 + choose_byte(&bench->choices) % 32u;
    message.lease.sweep = choose_digest(bench);
    message.lease.blocks = (struct block_range){choose_number(&bench->choices), choose_number(&bench->choices)};
}

/* Mostly the answer to a part that was sent. */
static void choose_folded(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices), outcome = choose_byte(&bench->choices);
    const struct part *part = &bench->parts[kind % SESSION_PARTS_MAX];
    const bool sent = part->used && part->sent;
    message.folded.sweep = sent ? bench->ids[part->sweep] : choose_digest(bench);
    message.folded.level = sent ? part->place.level : choose_byte(&bench->choices) % 3;
    message.folded.index = sent ? part->place.index : choose_byte(&bench->choices);
    message.folded.outcome = (enum message_outcome)(outcome % 5 + 1);
    choose_text(&bench->choices, message.folded.text, sizeof message.folded.text);
}

static enum session_peer choose_message(struct bench *bench, uint8_t kind)
{
    static const enum message_kind kinds[] = {MESSAGE_WELCOME, MESSAGE_LEASE,  MESSAGE_LEASE,    MESSAGE_ITEM,
                                              MESSAGE_ITEM,    MESSAGE_CANCEL, MESSAGE_ERROR,    MESSAGE_STRANGER,
                                              MESSAGE_FOLDED,  MESSAGE_FOLDED, MESSAGE_HEARTBEAT};
    message.kind = kinds[kind % (sizeof kinds / sizeof *kinds)];
    switch (message.kind) {
    case MESSAGE_WELCOME:
        choose_welcome(bench);
        break;
    case MESSAGE_LEASE:
        choose_lease(bench);
        break;
    case MESSAGE_ITEM:
        choose_item(bench);
        break;
    case MESSAGE_CANCEL:
        message.cancel.sweep = choose_digest(bench);
        break;
    case MESSAGE_ERROR:
        message.error.code = (enum message_error)(choose_byte(&bench->choices) % 5 + 1);
        choose_text(&bench->choices, message.error.text, sizeof message.error.text);
        break;
    case MESSAGE_FOLDED:
        choose_folded(bench);
        break;
    case MESSAGE_HEARTBEAT:
        message.heartbeat.room = message.heartbeat.token_count = 0;
        break;
    default:
        break;
    }
    return message.kind == MESSAGE_FOLDED || kind >= 190 ? SESSION_AGGREGATOR : SESSION_BROKER;
}

static bool can_arrive(struct buffer *bytes)
{
    const char *why = NULL;
    message_encode(&message, bytes);
    return !bytes->failed && message_decode(buffer_span(bytes), &message, &why);
}

static void deliver(struct bench *bench, enum session_peer peer)
{
    const bool held = message.kind == MESSAGE_FOLDED && peer == SESSION_AGGREGATOR &&
                      (message.folded.outcome == FOLD_NEW || message.folded.outcome == FOLD_DUPLICATE);
    bench->is_folded = held;
    if (held) bench->folded = message;
    step(bench, (struct session_event){.kind = SESSION_MESSAGE, .peer = peer, .message = &message});
}

static void receive(struct bench *bench, uint8_t kind)
{
    struct buffer bytes = {0};
    const enum session_peer peer = choose_message(bench, kind);
    if (can_arrive(&bytes)) deliver(bench, peer);
    buffer_free(&bytes);
}

static void receive_bytes(struct bench *bench)
{
    const enum session_peer peer = choose_byte(&bench->choices) % 2 == 0 ? SESSION_BROKER : SESSION_AGGREGATOR;
    const struct span bytes = choose_span(&bench->choices, 1u << 16);
    const char *why = NULL;
    if (message_decode(bytes, &message, &why)) deliver(bench, peer);
}

static void finish_part(struct bench *bench)
{
    struct session_event event = {.kind = SESSION_COMPUTED};
    const uint8_t kind = choose_byte(&bench->choices);
    while (event.slot < SESSION_PARTS_MAX && !bench->parts[event.slot].computing) event.slot++;
    if (event.slot == SESSION_PARTS_MAX) return;
    const struct fold_place place = bench->parts[event.slot].place;
    bench->parts[event.slot].computing = false;
    event.computed.bytes = choose_number(&bench->choices);
    event.computed.compute_us = choose_number(&bench->choices);
    if (kind >= 240) {
        event.computed.failure = "it did not work";
        event.computed.failed_block = fold_first(place) + kind % fold_size(place);
    }
    step(bench, event);
}

static void unsend(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    if (before.count == 0) return;
    const struct session_effect unsent = before.list[kind % before.count];
    if (unsent.kind != SESSION_SEND && unsent.kind != SESSION_SEND_PART) return;
    step(bench, (struct session_event){.kind = SESSION_UNSENT, .unsent = &unsent, .hopeless = kind >= 200});
}

static void act(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    bench->now_ms += kind % 3;
    if (kind < 192) {
        receive(bench, kind);
    } else if (kind < 196) {
        receive_bytes(bench);
    } else if (kind < 224) {
        finish_part(bench);
    } else if (kind < 232) {
        unsend(bench);
    } else if (kind < 236) {
        step(bench, (struct session_event){.kind = SESSION_WRITABLE, .peer = (enum session_peer)(kind % 2)});
    } else if (kind < 237) {
        step(bench, (struct session_event){.kind = SESSION_STOP});
        bench->left = true;
    } else {
        bench->now_ms += UINT64_C(1) << kind % 17;
        step(bench, (struct session_event){.kind = SESSION_TICK});
    }
}

int FUZZ_TARGET(session)(const uint8_t *data, size_t size)
{
    static struct bench bench;
    bench = (struct bench){.choices = choices_of(data, size), .now_ms = 1, .population = digest_of(population())};
    const bool fixed = choose_byte(&bench.choices) % 4 == 0;
    const struct session_setup setup = {.name = "w",
                                        .program = "fuzz",
                                        .instance = 1,
                                        .built_in_population = {{9}},
                                        .aggregator = fixed ? "there" : NULL};
    for (uint8_t at = 0; at < SWEEPS; at++) /* of two the population is built in */
        bench.ids[at] = small_sweep(at, MESSAGE_BLOCKS_MAX, at % 2 ? &setup.built_in_population : &bench.population,
                                    &bench.sweeps[at]);
    bench.session = session_new(&setup);
    fuzz_require(bench.session != NULL);
    before.count = 0;
    step(&bench, (struct session_event){.kind = SESSION_TICK});
    for (unsigned at = 0; at < STEPS_MAX && !bench.left && choices_left(&bench.choices); at++) act(&bench);
    for (size_t at = 0; at < SWEEPS; at++) buffer_free(&bench.sweeps[at]);
    session_free(bench.session);
    return 0;
}
