/* Messages of the broker and of several peers, turns, damage and crashes, as the bytes choose, against the
 * aggregator's core with a store beside it. After each step its state is sound and what it sends can be
 * read. Nothing is stored twice, only what is there is taken out; a node is acknowledged only when it is on
 * disk; after a commit the disk holds exactly what the core holds; and a crash loses only what was not told. */
#include <string.h>

#include "aggregator.h"
#include "digest.h"
#include "sweep_codec.h"
#include "targets.h"

#define STEPS_MAX  256
#define SWEEPS     4
#define RULED      3 /* the sweep with a stop rule ... */
#define END_LEVEL  3 /* ... which is met at the checkpoint of this level */
#define BLOCKS_MAX 40u
#define STORED_MAX 256

struct stored {
    size_t sweep;
    struct fold_place place;
};

struct disk {
    bool sweeps[SWEEPS], population;
    struct digest results[SWEEPS];
    struct stored nodes[STORED_MAX];
    size_t count;
};

struct bench {
    struct aggregator *core;
    struct choices choices;
    uint64_t now_ms;
    struct buffer sweeps[SWEEPS];
    struct digest ids[SWEEPS], population;
    struct facts facts[SWEEPS];
    struct disk open, committed;   /* with and without the transaction under way */
    bool told[SWEEPS][BLOCKS_MAX]; /* somebody was told that this block is on disk */
    bool commit_due, rendering, checking;
    size_t rendered;
};

static const uint64_t block_counts[SWEEPS] = {1, 8, BLOCKS_MAX - 3, BLOCKS_MAX - 1};
static const char population_bytes[] = "the population";
static struct message message, answer; /* 200 KB each */
static struct aggregator_effects effects;

static struct span population(void)
{
    return (struct span){(const uint8_t *)population_bytes, sizeof population_bytes};
}

/* The disk */

static size_t sweep_number(const struct bench *bench, const struct digest *id)
{
    for (size_t at = 0; at < SWEEPS; at++)
        if (digest_equal(&bench->ids[at], id)) return at;
    return SWEEPS;
}

static size_t find_node(const struct disk *disk, size_t sweep, struct fold_place place)
{
    for (size_t at = 0; at < disk->count; at++) {
        const struct stored *node = &disk->nodes[at];
        if (node->sweep == sweep && node->place.level == place.level && node->place.index == place.index) return at;
    }
    return STORED_MAX;
}

/* What is behind the end of a sweep that has stopped is as good as there. */
static bool disk_covers(const struct disk *disk, size_t sweep, uint64_t block)
{
    if (sweep == RULED && find_node(disk, sweep, (struct fold_place){END_LEVEL, 0}) != STORED_MAX) return true;
    for (size_t at = 0; at < disk->count; at++)
        if (disk->nodes[at].sweep == sweep && block >> disk->nodes[at].place.level == disk->nodes[at].place.index)
            return true;
    return false;
}

static void store_node(struct bench *bench, size_t sweep, struct fold_place place)
{
    struct disk *disk = &bench->open;
    fuzz_require(disk->sweeps[sweep] && find_node(disk, sweep, place) == STORED_MAX && disk->count < STORED_MAX);
    disk->nodes[disk->count++] = (struct stored){sweep, place};
}

static void delete_node(struct bench *bench, size_t sweep, struct fold_place place)
{
    struct disk *disk = &bench->open;
    const size_t at = find_node(disk, sweep, place);
    fuzz_require(at != STORED_MAX);
    disk->nodes[at] = disk->nodes[--disk->count];
}

/* A damaged node takes with it what was told of its blocks, and the end of a sweep what was told of any: they are
 * done again. */
static void set_aside(struct bench *bench, size_t sweep, struct fold_place place)
{
    delete_node(bench, sweep, place);
    if (sweep == RULED && place.level == END_LEVEL && place.index == 0)
        memset(bench->told[sweep], 0, sizeof bench->told[sweep]);
    for (uint64_t block = fold_first(place); block < fold_first(place) + fold_size(place); block++)
        bench->told[sweep][block] = false;
}

static void delete_others(struct bench *bench, size_t sweep, struct fold_place place)
{
    struct disk *disk = &bench->open;
    fuzz_require(find_node(disk, sweep, place) != STORED_MAX);
    for (size_t at = disk->count; at-- > 0;) {
        const struct fold_place other = disk->nodes[at].place;
        const bool kept = other.level == place.level && other.index == place.index;
        if (disk->nodes[at].sweep == sweep && !kept) delete_node(bench, sweep, other);
    }
}

static void check_disk(const struct bench *bench)
{
    for (size_t sweep = 0; sweep < SWEEPS; sweep++) {
        const struct fold *fold = aggregator_fold(bench->core, &bench->ids[sweep]);
        size_t stored = 0;
        fuzz_require(bench->committed.sweeps[sweep] == (fold != NULL));
        for (size_t at = 0; at < bench->committed.count; at++) stored += bench->committed.nodes[at].sweep == sweep;
        fuzz_require(fold == NULL ? stored == 0 : fold->count == stored && fold_is_sound(fold));
        for (size_t at = 0; at < stored; at++)
            fuzz_require(find_node(&bench->committed, sweep, fold->held[at].place) != STORED_MAX);
        for (uint64_t block = 0; block < block_counts[sweep]; block++)
            fuzz_require(!bench->told[sweep][block] || disk_covers(&bench->committed, sweep, block));
    }
}

/* Effects */

static void tell(struct bench *bench, const struct aggregator_effect *effect)
{
    const size_t sweep = sweep_number(bench, &effect->sweep);
    aggregator_message(bench->core, effect, &answer);
    require_readable(&answer);
    if (effect->kind == EFFECT_HELD && sweep < SWEEPS) {
        for (uint32_t at = 0; at < answer.held.count; at++)
            for (uint64_t block = 0; block < answer.held.ranges[at].count; block++)
                fuzz_require(disk_covers(&bench->committed, sweep, answer.held.ranges[at].first + block));
        fuzz_require(!answer.held.complete || digest_equal(&answer.held.result, &bench->committed.results[sweep]));
    }
    if (effect->kind != EFFECT_FOLDED || (effect->outcome != FOLD_NEW && effect->outcome != FOLD_DUPLICATE)) return;
    fuzz_require(sweep < SWEEPS);
    for (uint64_t block = fold_first(effect->place); block < fold_first(effect->place) + fold_size(effect->place);
         block++) {
        fuzz_require(disk_covers(&bench->committed, sweep, block));
        bench->told[sweep][block] = true;
    }
}

static void carry_out(struct bench *bench, const struct aggregator_effect *effect)
{
    const size_t sweep = sweep_number(bench, &effect->sweep);
    switch (effect->kind) {
    case EFFECT_HELLO:
    case EFFECT_HEARTBEAT:
    case EFFECT_FETCH:
    case EFFECT_HELD:
    case EFFECT_FOLDED:
    case EFFECT_ERROR:
    case EFFECT_OUTCOME:
        tell(bench, effect);
        return;
    case EFFECT_STORE_POPULATION:
        bench->open.population = true;
        return;
    case EFFECT_COMMIT:
        bench->committed = bench->open;
        bench->commit_due = true;
        return;
    case EFFECT_RECONNECT:
        return;
    default:
        break;
    }
    fuzz_require(sweep < SWEEPS);
    if (effect->kind == EFFECT_STORE_SWEEP) {
        fuzz_require(!bench->open.sweeps[sweep]);
        bench->open.sweeps[sweep] = true;
    }
    if (effect->kind == EFFECT_STORE_NODE) store_node(bench, sweep, effect->place);
    if (effect->kind == EFFECT_DELETE_NODE) delete_node(bench, sweep, effect->place);
    if (effect->kind == EFFECT_SET_ASIDE) set_aside(bench, sweep, effect->place);
    if (effect->kind == EFFECT_STORE_RESULT) bench->open.results[sweep] = effect->result;
    if (effect->kind == EFFECT_DELETE_OTHERS) delete_others(bench, sweep, effect->place);
    if (effect->kind == EFFECT_CHECK) {
        fuzz_require(sweep == RULED && !bench->checking && effect->place.index == 0);
        fuzz_require(find_node(&bench->committed, sweep, effect->place) != STORED_MAX);
        bench->checking = true;
    }
    if (effect->kind == EFFECT_RENDER) {
        fuzz_require(!bench->rendering && fold_is_complete(aggregator_fold(bench->core, &effect->sweep)));
        bench->rendering = true;
        bench->rendered = sweep;
    }
}

static void step_once(struct bench *bench, struct aggregator_event event)
{
    event.now_ms = bench->now_ms;
    aggregator_step(bench->core, &event, &effects);
    fuzz_require(effects.count <= AGGREGATOR_EFFECTS_MAX);
    for (size_t at = 0; at < effects.count; at++) carry_out(bench, &effects.list[at]);
    fuzz_require(aggregator_is_sound(bench->core));
}

/* As the shell does it: what is to be committed is committed before anything else arrives. */
static void flush(struct bench *bench)
{
    step_once(bench, (struct aggregator_event){.kind = EVENT_FLUSH});
    if (!bench->commit_due) return;
    bench->commit_due = false;
    check_disk(bench);
    step_once(bench, (struct aggregator_event){.kind = EVENT_COMMITTED});
}

/* The verdict of the rule, or none, or a node that cannot be read. */
static void check(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices) % 8;
    const struct fold_place place = fold_checkpoint(aggregator_fold(bench->core, &bench->ids[RULED]));
    struct aggregator_event event = {.kind = EVENT_CHECKED, .sweep = bench->ids[RULED]};
    event.met = place.level == END_LEVEL;
    if (kind == 6) event.fault = "no verdict";
    if (kind == 7) event = (struct aggregator_event){.kind = EVENT_DAMAGED, .sweep = event.sweep, .place = place};
    bench->checking = false;
    step_once(bench, event);
    flush(bench);
}

/* A table is made, or not, or a node of it cannot be read, before the shell goes on. */
static void render(struct bench *bench)
{
    while (bench->rendering || bench->checking) {
        if (bench->checking) {
            check(bench);
            continue;
        }
        const uint8_t kind = choose_byte(&bench->choices) % 8;
        struct aggregator_event event = {.kind = EVENT_RENDERED, .sweep = bench->ids[bench->rendered]};
        const struct fold *fold = aggregator_fold(bench->core, &event.sweep);
        event.result = bench->population; /* any digest would do */
        if (kind == 6) event.fault = "no table";
        if (kind == 7 && fold->count > 0) {
            event.kind = EVENT_DAMAGED;
            event.place = fold->held[choose_byte(&bench->choices) % fold->count].place;
        }
        bench->rendering = false;
        step_once(bench, event);
        flush(bench);
    }
}

static void step(struct bench *bench, struct aggregator_event event)
{
    step_once(bench, event);
    if (aggregator_waiting(bench->core) == AGGREGATOR_ANSWERS_MAX) flush(bench);
    render(bench);
}

static void open_core(struct bench *bench)
{
    const struct aggregator_config config = {.name = "a", .instance = 1, .endpoint = "here", .built_in = {{9}}};
    bench->core = aggregator_new(&config);
    fuzz_require(bench->core != NULL);
    for (size_t at = 0; at < SWEEPS; at++)
        if (bench->committed.sweeps[at])
            fuzz_require(aggregator_load_sweep(bench->core, &bench->ids[at], &bench->facts[at], &bench->population,
                                               bench->committed.population, &bench->committed.results[at]));
    for (size_t at = 0; at < bench->committed.count; at++) {
        const struct stored *node = &bench->committed.nodes[at];
        fuzz_require(aggregator_load_node(bench->core, &bench->ids[node->sweep], node->place));
    }
    fuzz_require(aggregator_is_sound(bench->core));
}

static void crash(struct bench *bench)
{
    aggregator_free(bench->core);
    bench->open = bench->committed;
    bench->commit_due = bench->rendering = bench->checking = false;
    open_core(bench);
    check_disk(bench);
}

/* Events out of bytes */

static struct digest choose_digest(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    if (kind < 248) return bench->ids[kind % SWEEPS];
    return (struct digest){{kind}};
}

static void choose_item(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    message.item.item = kind % 4 == 3 ? ITEM_POPULATION : ITEM_SWEEP;
    message.item.digest = kind % 4 == 3 ? bench->population : bench->ids[kind % SWEEPS];
    message.item.bytes = kind % 4 == 3 ? population() : buffer_span(&bench->sweeps[kind % SWEEPS]);
    if (kind >= 240) message.item.bytes = choose_span(&bench->choices, 4096);
    if (kind >= 248) message.item.digest = digest_of(message.item.bytes);
}

static void choose_wanted(struct bench *bench)
{
    message.wanted.count = choose_byte(&bench->choices) % 5;
    for (uint32_t at = 0; at < message.wanted.count; at++) message.wanted.sweeps[at] = choose_digest(bench);
}

static void choose_partial(struct bench *bench)
{
    const uint8_t level = choose_byte(&bench->choices);
    message.partial.sweep = choose_digest(bench);
    message.partial.level = level < 250 ? level % 7 : level % (MESSAGE_LEVEL_MAX + 1);
    message.partial.index = level < 250 ? choose_byte(&bench->choices) % BLOCKS_MAX : choose_number(&bench->choices);
    message.partial.node = population();
}

static bool can_arrive(struct buffer *bytes)
{
    const char *why = NULL;
    message_encode(&message, bytes);
    return !bytes->failed && message_decode(buffer_span(bytes), &message, &why);
}

static void receive(struct bench *bench, uint8_t kind)
{
    struct aggregator_event event = {.kind = EVENT_BROKER, .message = &message};
    struct buffer bytes = {0};
    event.peer = (struct aggregator_peer){.size = 1, .bytes = {choose_byte(&bench->choices) % 3}};
    switch (kind % 8) {
    case 0:
        message = (struct message){.kind = MESSAGE_WELCOME};
        message.welcome.heartbeat_ms = choose_number(&bench->choices);
        message.welcome.lease_ms = 5000;
        break;
    case 1:
        message.kind = MESSAGE_ITEM;
        choose_item(bench);
        break;
    case 2:
        message.kind = MESSAGE_WANTED;
        choose_wanted(bench);
        break;
    case 3:
        event.kind = kind < 64 ? EVENT_BROKER : EVENT_PEER;
        message.kind = kind < 64 ? MESSAGE_STRANGER : MESSAGE_RESULT;
        message.result.sweep = choose_digest(bench);
        break;
    default:
        event.kind = EVENT_PEER;
        message.kind = MESSAGE_PARTIAL;
        choose_partial(bench);
        event.fault = kind >= 180 ? "an unsound node" : NULL;
    }
    if (can_arrive(&bytes)) step(bench, event);
    buffer_free(&bytes);
}

static void receive_bytes(struct bench *bench)
{
    const struct aggregator_event event = {.kind = choose_byte(&bench->choices) % 2 == 0 ? EVENT_BROKER : EVENT_PEER,
                                           .peer = {.size = 1, .bytes = {1}},
                                           .message = &message};
    const struct span bytes = choose_span(&bench->choices, 1u << 16);
    const char *why = NULL;
    if (message_decode(bytes, &message, &why)) step(bench, event);
}

/* Only a node on disk can be found damaged, when a turn has ended: answers and tables need it then. */
static void damage(struct bench *bench)
{
    flush(bench);
    render(bench);
    if (bench->committed.count == 0) return;
    const struct stored node = bench->committed.nodes[choose_byte(&bench->choices) % bench->committed.count];
    if (find_node(&bench->open, node.sweep, node.place) == STORED_MAX) return;
    step(bench, (struct aggregator_event){.kind = EVENT_DAMAGED, .sweep = bench->ids[node.sweep], .place = node.place});
    flush(bench);
    render(bench);
}

static void act(struct bench *bench)
{
    const uint8_t kind = choose_byte(&bench->choices);
    bench->now_ms += kind % 3;
    if (kind < 184) {
        receive(bench, kind);
    } else if (kind < 192) {
        receive_bytes(bench);
    } else if (kind < 216) {
        flush(bench);
        render(bench);
    } else if (kind < 224) {
        crash(bench);
    } else if (kind < 232) {
        damage(bench);
    } else {
        bench->now_ms += UINT64_C(1) << kind % 16;
        flush(bench); /* the shell ends a turn before it looks at the clock */
        render(bench);
        step(bench, (struct aggregator_event){.kind = EVENT_TICK});
    }
}

int FUZZ_TARGET(aggregator)(const uint8_t *data, size_t size)
{
    static struct bench bench;
    bench = (struct bench){.choices = choices_of(data, size), .now_ms = 1, .population = digest_of(population())};
    for (uint8_t at = 0; at < SWEEPS; at++) {
        static struct sweep sweep;
        const char *why;
        bench.ids[at] =
            (at == RULED ? ruled_sweep : small_sweep)(at, block_counts[at], &bench.population, &bench.sweeps[at]);
        fuzz_require(sweep_decode(buffer_span(&bench.sweeps[at]), &sweep, &why));
        bench.facts[at] = facts_of(&sweep);
    }
    open_core(&bench);
    for (unsigned at = 0; at < STEPS_MAX && choices_left(&bench.choices); at++) act(&bench);
    for (size_t at = 0; at < SWEEPS; at++) buffer_free(&bench.sweeps[at]);
    aggregator_free(bench.core);
    return 0;
}
