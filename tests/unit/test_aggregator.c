/* The aggregator's core against a small shell in memory: a disk that loses what was not committed, a
 * cache of real nodes, a broker and peers that are the test itself. */
#include "aggregator.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <goldthread/sweep.h>

#include "cache.h"
#include "digest.h"
#include "node.h"
#include "support_facts.h"
#include "sweep_codec.h"

#define FIGURES  2u
#define DISK_MAX 256u
#define LOG_MAX  512u

struct disk_node {
    struct digest sweep;
    struct fold_place place;
    struct buffer bytes;
};

struct disk {
    size_t count, sweep_count, population_count;
    struct disk_node nodes[DISK_MAX];
    struct digest sweeps[8], sweep_populations[8], populations[8], results[8];
    struct facts facts[8];
};

/* What was said, in order. */
struct said {
    enum aggregator_effect_kind kind;
    enum message_outcome outcome;
    bool after_commit;
    struct message message;
};

struct shell {
    struct aggregator *core;
    struct cache *cache;
    struct disk committed, open; /* `open` becomes `committed` by a commit, or is lost by a restart */
    struct aggregator_effects *effects;
    struct message *message;
    struct buffer sweep_bytes;
    struct digest sweep, built_in;
    struct node *received;
    size_t said_count;
    struct said *said;
    size_t renders, reconnects, commits, checks;
    bool checking, copying, copy_damaged; /* copy_damaged: what is to be copied cannot be read back */
    struct aggregator_effect copy;        /* being copied */
    size_t copies;
    uint64_t met_blocks;   /* the stop rule is met at checkpoints of so many blocks or more */
    const char *check_why; /* why there is no verdict, or NULL */
    uint64_t now_ms;
};

#define RULED_DRAWS 128u /* per block of a sweep with a stop rule: its first checkpoint is node (2, 0) */

/* ---- a sweep and its nodes ---- */

static void make_ruled_sweep(struct shell *shell, uint64_t draws, uint32_t draws_per_block,
                             const struct digest *population, enum stop_kind rule)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    snprintf(sweep->name, sizeof sweep->name, "test");
    snprintf(sweep->model, sizeof sweep->model, "linear");
    snprintf(sweep->model_version, sizeof sweep->model_version, "1");
    snprintf(sweep->population_name, sizeof sweep->population_name, "somewhere");
    sweep->population = *population;
    sweep->years = 1;
    sweep->first_year = 202526;
    sweep->method = DESIGN_RANDOM;
    sweep->draws = draws;
    sweep->draws_per_block = draws_per_block;
    sweep->stop = (struct sweep_stop){.kind = rule, .measure = "m", .area_code = "E92000001"};
    sweep->stop.confidence = 0.5;
    if (rule == STOP_HALF_WIDTH) sweep->stop.half_width = 0.5;
    if (rule == STOP_RANKING) sweep->stop.top = 1;
    sweep->levels = 1u << AREA_ENGLAND;
    sweep->quantile_count = 1;
    sweep->quantiles[0] = 0.5;
    sweep->parameter_count = 1;
    snprintf(sweep->parameters[0].name, sizeof sweep->parameters[0].name, "effect.size");
    sweep->parameters[0].central = 1;
    sweep->scenario_count = 1;
    snprintf(sweep->scenarios[0].name, sizeof sweep->scenarios[0].name, "base");
    buffer_clear(&shell->sweep_bytes);
    sweep_encode(sweep, &shell->sweep_bytes);
    shell->sweep = digest_of(buffer_span(&shell->sweep_bytes));
    cr_assert_not(shell->sweep_bytes.failed);
    free(sweep);
}

static void make_sweep(struct shell *shell, uint64_t draws, const struct digest *population)
{
    make_ruled_sweep(shell, draws, 4, population, STOP_NEVER);
}

static struct node *make_leaf(uint64_t block)
{
    struct node *node = node_new(NODE_PLAIN(FIGURES));
    node->index = block;
    node->draws = 4;
    for (size_t figure = 0; figure < FIGURES; figure++) {
        double values[4];
        for (size_t draw = 0; draw < 4; draw++)
            values[draw] = 1.0 / (double)(3 + 7 * block + 5 * draw + figure) + (double)(block % 3);
        cr_assert(node_tally(node, figure, values, 4));
    }
    return node;
}

/* The node at a place by plain recursion. */
static struct node *make_node(struct fold_place place)
{
    if (place.level == 0) return make_leaf(place.index);
    struct node *left = make_node((struct fold_place){place.level - 1, 2 * place.index});
    struct node *right = make_node((struct fold_place){place.level - 1, 2 * place.index + 1});
    struct node *node = node_merge(left, right);
    node_free(left);
    node_free(right);
    cr_assert_not_null(node);
    return node;
}

/* ---- the shell ---- */

static struct digest word(const char *text)
{
    return digest_of((struct span){(const uint8_t *)text, strlen(text)});
}

static void copy_disk(struct disk *to, const struct disk *from)
{
    for (size_t at = 0; at < to->count; at++) buffer_free(&to->nodes[at].bytes);
    *to = *from;
    for (size_t at = 0; at < to->count; at++) {
        struct span bytes = buffer_span(&from->nodes[at].bytes);
        to->nodes[at].bytes = (struct buffer){0};
        buffer_append(&to->nodes[at].bytes, bytes.data, bytes.size);
    }
}

static size_t disk_find(const struct disk *disk, const struct digest *sweep, struct fold_place place)
{
    for (size_t at = 0; at < disk->count; at++) {
        const struct disk_node *node = &disk->nodes[at];
        if (digest_equal(&node->sweep, sweep) && node->place.level == place.level && node->place.index == place.index)
            return at;
    }
    return SIZE_MAX;
}

static size_t sweep_on_disk(const struct disk *disk, const struct digest *sweep)
{
    size_t at = 0;
    while (at < disk->sweep_count && !digest_equal(&disk->sweeps[at], sweep)) at++;
    return at;
}

static struct node *node_of(struct shell *shell, const struct digest *sweep, struct fold_place place)
{
    struct node *node = cache_find(shell->cache, sweep, place);
    if (node) return node;
    size_t at = disk_find(&shell->open, sweep, place);
    cr_assert_neq(at, SIZE_MAX, "node %u/%lu is nowhere", place.level, (unsigned long)place.index);
    const char *why = NULL;
    node = node_decode(buffer_span(&shell->open.nodes[at].bytes), NODE_PLAIN(FIGURES), &why);
    cr_assert_not_null(node, "%s", why);
    cr_assert(cache_put(shell->cache, sweep, place, node, false));
    return node;
}

static void merge(struct shell *shell, const struct aggregator_effect *effect)
{
    struct fold_place left = {effect->place.level, effect->place.index & ~UINT64_C(1)};
    struct fold_place right = {effect->place.level, effect->place.index | 1};
    struct fold_place up = {left.level + 1, left.index / 2};
    struct node *a = node_of(shell, &effect->sweep, left), *b = node_of(shell, &effect->sweep, right);
    struct node *parent = node_merge(a, b);
    cr_assert_not_null(parent);
    cache_drop(shell->cache, &effect->sweep, left);
    cache_drop(shell->cache, &effect->sweep, right);
    cr_assert(cache_put(shell->cache, &effect->sweep, up, parent, true));
}

static void store_node(struct shell *shell, const struct aggregator_effect *effect)
{
    cr_assert_eq(disk_find(&shell->open, &effect->sweep, effect->place), SIZE_MAX, "stored twice");
    cr_assert_lt(shell->open.count, DISK_MAX);
    struct disk_node *node = &shell->open.nodes[shell->open.count++];
    *node = (struct disk_node){.sweep = effect->sweep, .place = effect->place};
    node_encode(node_of(shell, &effect->sweep, effect->place), &node->bytes);
    cache_unpin(shell->cache, &effect->sweep, effect->place);
}

static void delete_node(struct shell *shell, const struct aggregator_effect *effect)
{
    size_t at = disk_find(&shell->open, &effect->sweep, effect->place);
    cr_assert_neq(at, SIZE_MAX, "deleted what is not there");
    buffer_free(&shell->open.nodes[at].bytes);
    shell->open.nodes[at] = shell->open.nodes[--shell->open.count];
}

static void delete_others(struct shell *shell, const struct aggregator_effect *effect)
{
    cr_assert_neq(disk_find(&shell->open, &effect->sweep, effect->place), SIZE_MAX, "the end itself is not there");
    cache_drop_others(shell->cache, &effect->sweep, effect->place);
    for (size_t at = shell->open.count; at-- > 0;) {
        struct disk_node *node = &shell->open.nodes[at];
        bool kept = node->place.level == effect->place.level && node->place.index == effect->place.index;
        if (kept || !digest_equal(&node->sweep, &effect->sweep)) continue;
        buffer_free(&node->bytes);
        *node = shell->open.nodes[--shell->open.count];
    }
}

static void store_sweep(struct shell *shell, const struct aggregator_effect *effect)
{
    struct disk *disk = &shell->open;
    struct digest actual = digest_of(effect->bytes);
    cr_assert(digest_equal(&actual, &effect->sweep));
    cr_assert_eq(sweep_on_disk(disk, &effect->sweep), disk->sweep_count, "stored twice");
    disk->sweeps[disk->sweep_count] = effect->sweep;
    disk->sweep_populations[disk->sweep_count] = effect->population;
    disk->results[disk->sweep_count] = (struct digest){{0}};
    disk->facts[disk->sweep_count] = catalog_find(aggregator_catalog(shell->core), &effect->sweep)->facts;
    disk->sweep_count++;
}

static void say(struct shell *shell, const struct aggregator_effect *effect, bool after_commit)
{
    cr_assert_lt(shell->said_count, LOG_MAX);
    struct said *said = &shell->said[shell->said_count++];
    said->kind = effect->kind;
    said->outcome = effect->outcome;
    said->after_commit = after_commit;
    if (effect->kind != EFFECT_RECONNECT) aggregator_message(shell->core, effect, &said->message);
}

static void step(struct shell *shell, struct aggregator_event event);

/* Does one effect. True: EVENT_COMMITTED is due. */
static bool perform(struct shell *shell, const struct aggregator_effect *effect, bool after_commit)
{
    switch (effect->kind) {
    case EFFECT_KEEP:
        cr_assert_not_null(shell->received);
        cr_assert(cache_put(shell->cache, &effect->sweep, effect->place, shell->received, true));
        shell->received = NULL;
        break;
    case EFFECT_MERGE:
        merge(shell, effect);
        break;
    case EFFECT_STORE_NODE:
        store_node(shell, effect);
        break;
    case EFFECT_SET_ASIDE:
        cache_drop(shell->cache, &effect->sweep, effect->place); /* fall through */
    case EFFECT_DELETE_NODE:
        delete_node(shell, effect);
        break;
    case EFFECT_DELETE_OTHERS:
        delete_others(shell, effect);
        break;
    case EFFECT_COPY:
        cr_assert_not(shell->copying, "one at a time");
        shell->copying = true;
        shell->copy = *effect;
        shell->copies++;
        break;
    case EFFECT_CHECK:
        cr_assert_not(shell->checking, "one at a time");
        shell->checking = true;
        shell->checks++;
        break;
    case EFFECT_STORE_SWEEP:
        store_sweep(shell, effect);
        break;
    case EFFECT_STORE_POPULATION:
        shell->open.populations[shell->open.population_count++] = effect->sweep;
        break;
    case EFFECT_STORE_RESULT:
        shell->open.results[sweep_on_disk(&shell->open, &effect->sweep)] = effect->result;
        break;
    case EFFECT_COMMIT:
        copy_disk(&shell->committed, &shell->open);
        shell->commits++;
        return true;
    case EFFECT_RENDER:
        shell->renders++;
        break;
    case EFFECT_RECONNECT:
        shell->reconnects++;
        break;
    default:
        say(shell, effect, after_commit);
    }
    return false;
}

static void flush(struct shell *shell)
{
    step(shell, (struct aggregator_event){.kind = EVENT_FLUSH});
}

/* Before anything else, as the verdict of a check. */
static void answer_copy(struct shell *shell)
{
    struct aggregator_event event = {.kind = EVENT_COPIED, .sweep = shell->copy.sweep, .place = shell->copy.place};
    struct node *node = node_of(shell, &shell->copy.source, shell->copy.place);
    shell->copying = false;
    if (shell->copy_damaged) {
        event.kind = EVENT_DAMAGED;
        event.sweep = shell->copy.source;
    } else {
        shell->received = node_fold(&node, 1);
        cr_assert_not_null(shell->received);
    }
    step(shell, event);
    if (!shell->copying) flush(shell);
}

/* The verdict comes before anything else. */
static void answer_check(struct shell *shell)
{
    struct aggregator_event event = {.kind = EVENT_CHECKED, .sweep = shell->sweep, .fault = shell->check_why};
    event.met = fold_size(fold_checkpoint(aggregator_fold(shell->core, &shell->sweep))) >= shell->met_blocks;
    shell->checking = false;
    step(shell, event);
    flush(shell);
}

static void step(struct shell *shell, struct aggregator_event event)
{
    event.now_ms = shell->now_ms;
    aggregator_step(shell->core, &event, shell->effects);
    cr_assert(aggregator_is_sound(shell->core));
    bool committed = false;
    for (size_t at = 0; at < shell->effects->count; at++)
        committed |= perform(shell, &shell->effects->list[at], event.kind == EVENT_COMMITTED);
    node_free(shell->received);
    shell->received = NULL;
    if (committed) step(shell, (struct aggregator_event){.kind = EVENT_COMMITTED});
    if (shell->copying) answer_copy(shell);
    if (shell->checking) answer_check(shell);
}

static void open_core(struct shell *shell)
{
    struct aggregator_config config = {
        .name = "agg", .instance = 7, .endpoint = "tcp://a:1", .built_in = shell->built_in};
    shell->core = aggregator_new(&config);
    shell->cache = cache_new(1 << 14);
    cr_assert(shell->core && shell->cache);
}

static struct shell *new_shell(uint64_t blocks)
{
    struct shell *shell = calloc(1, sizeof *shell);
    shell->effects = calloc(1, sizeof *shell->effects);
    shell->message = calloc(1, sizeof *shell->message);
    shell->said = calloc(LOG_MAX, sizeof *shell->said);
    shell->built_in = word("built in");
    shell->now_ms = 1000;
    make_sweep(shell, 4 * blocks, &shell->built_in);
    open_core(shell);
    return shell;
}

static void close_core(struct shell *shell)
{
    aggregator_free(shell->core);
    cache_free(shell->cache);
}

static void free_shell(struct shell *shell)
{
    static const struct disk empty;
    close_core(shell);
    copy_disk(&shell->open, &empty);
    copy_disk(&shell->committed, &empty);
    buffer_free(&shell->sweep_bytes);
    free(shell->effects);
    free(shell->message);
    free(shell->said);
    free(shell);
}

static bool population_on_disk(const struct shell *shell, const struct digest *population)
{
    for (size_t at = 0; at < shell->open.population_count; at++)
        if (digest_equal(&shell->open.populations[at], population)) return true;
    return digest_equal(population, &shell->built_in);
}

/* The process dies and starts again: only what was committed is left. */
static void restart(struct shell *shell)
{
    close_core(shell);
    open_core(shell);
    copy_disk(&shell->open, &shell->committed);
    const struct disk *disk = &shell->open;
    for (size_t at = 0; at < disk->sweep_count; at++)
        cr_assert(aggregator_load_sweep(shell->core, &disk->sweeps[at], &disk->facts[at], &disk->sweep_populations[at],
                                        population_on_disk(shell, &disk->sweep_populations[at]), &disk->results[at]));
    for (size_t at = 0; at < disk->count; at++)
        cr_assert(aggregator_load_node(shell->core, &disk->nodes[at].sweep, disk->nodes[at].place));
    cr_assert(aggregator_is_sound(shell->core));
}

/* ---- what others send ---- */

static void tick(struct shell *shell, uint64_t ms)
{
    shell->now_ms += ms;
    step(shell, (struct aggregator_event){.kind = EVENT_TICK});
}

/* Lets time pass as a shell would: a tick whenever one is due. */
static void pass(struct shell *shell, uint64_t ms)
{
    uint64_t end_ms = shell->now_ms + ms;
    for (size_t ticks = 0; aggregator_next_due_ms(shell->core) <= end_ms; ticks++) {
        cr_assert_lt(ticks, 10000, "it never rests");
        uint64_t due_ms = aggregator_next_due_ms(shell->core);
        tick(shell, due_ms > shell->now_ms ? due_ms - shell->now_ms : 0);
    }
    shell->now_ms = end_ms;
}

static void from_broker(struct shell *shell)
{
    step(shell, (struct aggregator_event){.kind = EVENT_BROKER, .message = shell->message});
}

static void welcome(struct shell *shell)
{
    *shell->message = (struct message){.kind = MESSAGE_WELCOME, .welcome = {.heartbeat_ms = 500, .lease_ms = 5000}};
    from_broker(shell);
}

static void wanted(struct shell *shell, const struct digest *sweep)
{
    *shell->message = (struct message){.kind = MESSAGE_WANTED};
    if (sweep) shell->message->wanted.sweeps[shell->message->wanted.count++] = *sweep;
    from_broker(shell);
}

static void item(struct shell *shell, enum message_item kind, const struct digest *digest, struct span bytes)
{
    *shell->message = (struct message){.kind = MESSAGE_ITEM, .item = {.item = kind, .digest = *digest, .bytes = bytes}};
    from_broker(shell);
}

static struct aggregator_peer peer(uint8_t number)
{
    return (struct aggregator_peer){.size = 1, .bytes = {number}};
}

static void send_partial(struct shell *shell, struct fold_place place, const char *fault)
{
    *shell->message = (struct message){.kind = MESSAGE_PARTIAL,
                                       .partial = {.sweep = shell->sweep, .level = place.level, .index = place.index}};
    if (aggregator_wants_payload(shell->core, &shell->sweep, place) && !fault) shell->received = make_node(place);
    step(shell,
         (struct aggregator_event){.kind = EVENT_PEER, .peer = peer(9), .message = shell->message, .fault = fault});
}

static void ask_result(struct shell *shell, const struct digest *sweep)
{
    *shell->message = (struct message){.kind = MESSAGE_RESULT, .result = {.sweep = *sweep}};
    step(shell, (struct aggregator_event){.kind = EVENT_PEER, .peer = peer(3), .message = shell->message});
}

static void rendered(struct shell *shell, const char *fault)
{
    step(shell, (struct aggregator_event){
                    .kind = EVENT_RENDERED, .sweep = shell->sweep, .result = word("table"), .fault = fault});
    flush(shell);
}

/* Registered, with the sweep known and wanted; the record of what was said is empty. */
static void begin(struct shell *shell)
{
    welcome(shell);
    wanted(shell, &shell->sweep);
    item(shell, ITEM_SWEEP, &shell->sweep, buffer_span(&shell->sweep_bytes));
    flush(shell);
    pass(shell, 1);
    shell->said_count = 0;
}

static void fold_all(struct shell *shell, uint64_t blocks)
{
    for (uint64_t block = 0; block < blocks; block++) {
        send_partial(shell, (struct fold_place){0, block}, NULL);
        if (aggregator_waiting(shell->core) == AGGREGATOR_ANSWERS_MAX) flush(shell);
    }
    flush(shell);
}

static size_t count_said(const struct shell *shell, enum aggregator_effect_kind kind)
{
    size_t count = 0;
    for (size_t at = 0; at < shell->said_count; at++) count += shell->said[at].kind == kind;
    return count;
}

static const struct said *last_said(const struct shell *shell, enum aggregator_effect_kind kind)
{
    for (size_t at = shell->said_count; at-- > 0;)
        if (shell->said[at].kind == kind) return &shell->said[at];
    cr_assert_fail("nothing of kind %d was said", (int)kind);
    return NULL;
}

static enum message_outcome last_outcome(const struct shell *shell)
{
    return last_said(shell, EFFECT_FOLDED)->outcome;
}

/* ---- registration ---- */

Test(aggregator, says_hello_soon_and_then_ever_less_often_until_it_is_welcome)
{
    struct shell *shell = new_shell(4);
    pass(shell, 100);
    size_t first = count_said(shell, EFFECT_HELLO);
    cr_assert(first >= 3 && first <= 6, "%zu in the first 100 ms", first);
    const struct message *hello = &last_said(shell, EFFECT_HELLO)->message;
    cr_assert_eq(hello->hello.role, ROLE_AGGREGATOR);
    cr_assert_str_eq(hello->hello.endpoint, "tcp://a:1");
    cr_assert_eq(hello->hello.instance, 7);
    pass(shell, 10000);
    cr_assert_lt(count_said(shell, EFFECT_HELLO), 60);
    welcome(shell);
    size_t before = count_said(shell, EFFECT_HELLO);
    pass(shell, 1000);
    cr_assert_eq(count_said(shell, EFFECT_HELLO), before);
    free_shell(shell);
}

Test(aggregator, beats_while_welcome_and_builds_the_socket_anew_after_three_silent_beats)
{
    struct shell *shell = new_shell(4);
    welcome(shell);
    pass(shell, 1400);
    cr_assert_eq(count_said(shell, EFFECT_HEARTBEAT), 2);
    cr_assert_eq(shell->reconnects, 0);
    welcome(shell);
    pass(shell, 1400);
    cr_assert_eq(shell->reconnects, 0, "each word from the broker counts");
    pass(shell, 700);
    cr_assert_eq(shell->reconnects, 1);
    cr_assert_geq(count_said(shell, EFFECT_HELLO), 1);
    free_shell(shell);
}

Test(aggregator, a_turn_longer_than_three_beats_is_no_silence_of_the_broker)
{
    struct shell *shell = new_shell(4);
    welcome(shell);
    pass(shell, 500);
    cr_assert_eq(count_said(shell, EFFECT_HEARTBEAT), 1);
    welcome(shell);
    tick(shell, 60000);
    cr_assert_eq(shell->reconnects, 0, "it was not asked anything meanwhile");
    cr_assert_eq(count_said(shell, EFFECT_HEARTBEAT), 2, "it is now");
    pass(shell, 1499);
    cr_assert_eq(shell->reconnects, 0);
    pass(shell, 1);
    cr_assert_eq(shell->reconnects, 1, "counted from the first beat that was not answered");
    free_shell(shell);
}

Test(aggregator, a_stranger_introduces_itself_again)
{
    struct shell *shell = new_shell(4);
    begin(shell);
    shell->message->kind = MESSAGE_STRANGER;
    from_broker(shell);
    pass(shell, 0);
    cr_assert_eq(count_said(shell, EFFECT_HELLO), 1);
    shell->said_count = 0;
    welcome(shell);
    pass(shell, 20);
    cr_assert_eq(count_said(shell, EFFECT_HELD), 1, "the broker may have forgotten all");
    free_shell(shell);
}

/* ---- sweeps ---- */

Test(aggregator, a_partial_of_an_unknown_sweep_is_accepted_once_the_sweep_is_fetched)
{
    struct shell *shell = new_shell(4);
    welcome(shell);
    send_partial(shell, (struct fold_place){0, 2}, NULL);
    cr_assert_eq(last_outcome(shell), FOLD_UNKNOWN_SWEEP);
    const struct message *fetch = &last_said(shell, EFFECT_FETCH)->message;
    cr_assert_eq(fetch->fetch.item, ITEM_SWEEP);
    cr_assert(digest_equal(&fetch->fetch.digest, &shell->sweep));
    for (int tries = 0; tries < 9; tries++) {
        send_partial(shell, (struct fold_place){0, 2}, NULL);
        wanted(shell, &shell->sweep);
        pass(shell, 50);
    }
    cr_assert_eq(count_said(shell, EFFECT_FETCH), 1, "it is under way, whoever asks for it again");
    item(shell, ITEM_SWEEP, &shell->sweep, buffer_span(&shell->sweep_bytes));
    send_partial(shell, (struct fold_place){0, 2}, NULL);
    flush(shell);
    cr_assert_eq(last_outcome(shell), FOLD_NEW);
    cr_assert_eq(shell->committed.sweep_count, 1);
    cr_assert_eq(shell->committed.count, 1);
    free_shell(shell);
}

Test(aggregator, what_is_asked_for_is_asked_for_again_and_given_up_when_nobody_needs_it)
{
    struct shell *shell = new_shell(4);
    welcome(shell);
    send_partial(shell, (struct fold_place){0, 2}, NULL);
    for (int beat = 0; beat < 30; beat++) {
        pass(shell, 500);
        welcome(shell);
    }
    size_t fetches = count_said(shell, EFFECT_FETCH);
    cr_assert(fetches >= 18 && fetches <= 21, "%zu times in 10 s, then no more", fetches);
    cr_assert_null(aggregator_fold(shell->core, &shell->sweep));
    free_shell(shell);
}

Test(aggregator, another_population_is_fetched_before_partials_are_taken)
{
    struct shell *shell = new_shell(4);
    struct digest population = word("schools");
    make_sweep(shell, 16, &population);
    welcome(shell);
    wanted(shell, &shell->sweep);
    item(shell, ITEM_SWEEP, &shell->sweep, buffer_span(&shell->sweep_bytes));
    cr_assert_eq(last_said(shell, EFFECT_FETCH)->message.fetch.item, ITEM_POPULATION);
    cr_assert(digest_equal(&last_said(shell, EFFECT_FETCH)->message.fetch.digest, &population));
    flush(shell);
    send_partial(shell, (struct fold_place){1, 0}, NULL);
    cr_assert_eq(last_outcome(shell), FOLD_UNKNOWN_SWEEP);
    restart(shell);
    welcome(shell);
    wanted(shell, &shell->sweep);
    cr_assert_eq(last_said(shell, EFFECT_FETCH)->message.fetch.item, ITEM_POPULATION, "also after a restart");
    item(shell, ITEM_POPULATION, &population, (struct span){(const uint8_t *)"fools", 5});
    send_partial(shell, (struct fold_place){1, 0}, NULL);
    cr_assert_eq(last_outcome(shell), FOLD_UNKNOWN_SWEEP, "these bytes are another population");
    item(shell, ITEM_POPULATION, &population, (struct span){(const uint8_t *)"schools", 7});
    send_partial(shell, (struct fold_place){1, 0}, NULL);
    flush(shell);
    cr_assert_eq(last_outcome(shell), FOLD_NEW);
    cr_assert_eq(shell->committed.population_count, 1);
    free_shell(shell);
}

Test(aggregator, bytes_that_are_not_the_sweep_are_ignored_and_unreadable_ones_refuse_its_partials)
{
    struct shell *shell = new_shell(4);
    welcome(shell);
    wanted(shell, &shell->sweep);
    item(shell, ITEM_SWEEP, &shell->sweep, (struct span){(const uint8_t *)"nonsense", 8});
    send_partial(shell, (struct fold_place){0, 0}, NULL);
    cr_assert_eq(last_outcome(shell), FOLD_UNKNOWN_SWEEP);
    shell->sweep = word("nonsense");
    wanted(shell, &shell->sweep);
    item(shell, ITEM_SWEEP, &shell->sweep, (struct span){(const uint8_t *)"nonsense", 8});
    send_partial(shell, (struct fold_place){0, 0}, NULL);
    cr_assert_eq(last_outcome(shell), FOLD_REFUSED);
    cr_assert_neq(last_said(shell, EFFECT_FOLDED)->message.folded.text[0], '\0', "the reason is given");
    cr_assert_eq(shell->open.sweep_count, 0);
    free_shell(shell);
}

Test(aggregator, knows_as_many_sweeps_as_it_may_and_says_so)
{
    struct shell *shell = new_shell(4);
    struct digest none = {{0}};
    for (uint32_t at = 0; at < AGGREGATOR_SWEEPS_MAX; at++) {
        struct digest id = {{(uint8_t)at, (uint8_t)(at >> 8), 1}};
        cr_assert(aggregator_load_sweep(shell->core, &id, PLAIN_FACTS(1), &shell->built_in, true, &none));
        cr_assert_not(aggregator_load_sweep(shell->core, &id, PLAIN_FACTS(1), &shell->built_in, true, &none), "twice");
    }
    cr_assert_not(aggregator_load_sweep(shell->core, &shell->sweep, PLAIN_FACTS(1), &shell->built_in, true, &none));
    send_partial(shell, (struct fold_place){0, 0}, NULL);
    cr_assert_eq(last_outcome(shell), FOLD_REFUSED);
    free_shell(shell);
}

/* ---- partials ---- */

Test(aggregator, answers_only_after_the_commit)
{
    struct shell *shell = new_shell(8);
    begin(shell);
    send_partial(shell, (struct fold_place){0, 5}, NULL);
    send_partial(shell, (struct fold_place){0, 5}, NULL);
    send_partial(shell, (struct fold_place){0, 4}, NULL);
    cr_assert_eq(count_said(shell, EFFECT_FOLDED), 0);
    cr_assert_eq(aggregator_waiting(shell->core), 3);
    tick(shell, AGGREGATOR_REPEAT_MS / 2);
    welcome(shell);
    tick(shell, AGGREGATOR_REPEAT_MS / 2);
    cr_assert_eq(count_said(shell, EFFECT_HELD), 0, "the broker is told of nothing uncommitted either");
    shell->said_count = 0;
    flush(shell);
    cr_assert_eq(count_said(shell, EFFECT_FOLDED), 3);
    for (size_t at = 0; at < 3; at++) cr_assert(shell->said[at].after_commit, "answer %zu", at);
    cr_assert_eq(shell->said[0].outcome, FOLD_NEW);
    cr_assert_eq(shell->said[1].outcome, FOLD_DUPLICATE);
    cr_assert_eq(shell->said[2].outcome, FOLD_NEW);
    cr_assert_eq(shell->committed.count, 1, "only the merged node is written");
    cr_assert_eq(shell->committed.nodes[0].place.level, 1);
    free_shell(shell);
}

Test(aggregator, a_duplicate_needs_no_commit_of_its_own)
{
    struct shell *shell = new_shell(8);
    begin(shell);
    send_partial(shell, (struct fold_place){1, 0}, NULL);
    flush(shell);
    size_t commits = shell->commits;
    send_partial(shell, (struct fold_place){0, 1}, NULL);
    flush(shell);
    cr_assert_eq(last_outcome(shell), FOLD_DUPLICATE);
    cr_assert_eq(shell->commits, commits);
    free_shell(shell);
}

Test(aggregator, overlaps_strange_places_and_unsound_payloads_change_nothing)
{
    static const struct {
        const char *name;
        struct fold_place place;
        const char *fault;
        enum message_outcome outcome;
    } rows[] = {
        {"holds a smaller held node", {2, 1}, NULL, FOLD_OVERLAP},
        {"beyond the last block", {0, 13}, NULL, FOLD_REFUSED},
        {"partly beyond the last block", {2, 3}, NULL, FOLD_REFUSED},
        {"a level that cannot be", {4000000000u, 0}, NULL, FOLD_REFUSED},
        {"a payload that is no node", {0, 12}, "counts do not add up", FOLD_REFUSED},
        {"a duplicate is one whatever it carries", {0, 5}, "counts do not add up", FOLD_DUPLICATE},
    };
    struct shell *shell = new_shell(13);
    begin(shell);
    send_partial(shell, (struct fold_place){0, 5}, NULL);
    flush(shell);
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        send_partial(shell, rows[at].place, rows[at].fault);
        flush(shell);
        cr_assert_eq(last_outcome(shell), rows[at].outcome, "%s", rows[at].name);
        cr_assert_eq(aggregator_fold(shell->core, &shell->sweep)->covered, 1, "%s", rows[at].name);
        if (rows[at].outcome == FOLD_DUPLICATE) continue;
        cr_assert_neq(last_said(shell, EFFECT_FOLDED)->message.folded.text[0], '\0', "%s: no reason", rows[at].name);
    }
    send_partial(shell, (struct fold_place){0, 12}, NULL);
    flush(shell);
    cr_assert_eq(last_outcome(shell), FOLD_NEW, "a sound payload for the same place is welcome");
    free_shell(shell);
}

Test(aggregator, an_answer_names_what_it_answers)
{
    struct shell *shell = new_shell(13);
    begin(shell);
    send_partial(shell, (struct fold_place){2, 1}, NULL);
    flush(shell);
    const struct message *folded = &last_said(shell, EFFECT_FOLDED)->message;
    cr_assert(digest_equal(&folded->folded.sweep, &shell->sweep));
    cr_assert_eq(folded->folded.level, 2);
    cr_assert_eq(folded->folded.index, 1);
    free_shell(shell);
}

Test(aggregator, messages_that_are_not_for_it_are_refused)
{
    struct shell *shell = new_shell(4);
    *shell->message = (struct message){.kind = MESSAGE_SUBMIT};
    step(shell, (struct aggregator_event){.kind = EVENT_PEER, .peer = peer(1), .message = shell->message});
    cr_assert_eq(last_said(shell, EFFECT_ERROR)->message.error.code, ERROR_REFUSED);
    free_shell(shell);
}

/* ---- results ---- */

Test(aggregator, nobody_answers_an_error)
{
    struct shell *shell = new_shell(4);
    const size_t said = shell->said_count;
    *shell->message = (struct message){.kind = MESSAGE_ERROR};
    step(shell, (struct aggregator_event){.kind = EVENT_PEER, .peer = peer(1), .message = shell->message});
    cr_assert_eq(shell->said_count, said);
    free_shell(shell);
}

Test(aggregator, a_result_is_served_before_during_and_after_folding)
{
    struct shell *shell = new_shell(4);
    begin(shell);
    struct digest unknown = word("never heard of");
    ask_result(shell, &unknown);
    cr_assert_eq(last_said(shell, EFFECT_ERROR)->message.error.code, ERROR_UNKNOWN);
    ask_result(shell, &shell->sweep);
    flush(shell);
    cr_assert_not(last_said(shell, EFFECT_OUTCOME)->message.outcome.complete);
    send_partial(shell, (struct fold_place){1, 1}, NULL);
    ask_result(shell, &shell->sweep);
    cr_assert_eq(count_said(shell, EFFECT_OUTCOME), 1, "an estimate waits for the commit of what it shows");
    flush(shell);
    cr_assert_eq(count_said(shell, EFFECT_OUTCOME), 2);
    send_partial(shell, (struct fold_place){1, 0}, NULL);
    flush(shell);
    rendered(shell, NULL);
    ask_result(shell, &shell->sweep);
    flush(shell);
    const struct message *outcome = &last_said(shell, EFFECT_OUTCOME)->message;
    struct digest table = word("table");
    cr_assert(outcome->outcome.complete);
    cr_assert(digest_equal(&outcome->outcome.digest, &table));
    free_shell(shell);
}

/* ---- reports ---- */

static size_t count_complete(const struct shell *shell)
{
    size_t count = 0;
    for (size_t at = 0; at < shell->said_count; at++)
        count += shell->said[at].kind == EFFECT_HELD && shell->said[at].message.held.complete;
    return count;
}

Test(aggregator, completion_is_reported_once_at_once_and_again_after_a_restart)
{
    struct shell *shell = new_shell(5);
    begin(shell);
    fold_all(shell, 5);
    cr_assert_eq(shell->renders, 1);
    cr_assert_eq(count_complete(shell), 0, "not before the digest is known");
    rendered(shell, NULL);
    cr_assert_eq(count_complete(shell), 1);
    const struct message *held = &last_said(shell, EFFECT_HELD)->message;
    struct digest table = word("table");
    cr_assert(digest_equal(&held->held.result, &table));
    cr_assert_eq(held->held.count, 1);
    cr_assert_eq(held->held.ranges[0].count, 5);
    wanted(shell, NULL);
    pass(shell, 1000);
    cr_assert_eq(count_complete(shell), 1);

    restart(shell);
    shell->said_count = 0;
    welcome(shell);
    pass(shell, 0);
    wanted(shell, &shell->sweep);
    ask_result(shell, &shell->sweep);
    flush(shell);
    cr_assert(last_said(shell, EFFECT_OUTCOME)->message.outcome.complete, "at once");
    pass(shell, 100);
    cr_assert_eq(count_complete(shell), 1);
    cr_assert_eq(shell->renders, 1, "the digest was on disk");
    cr_assert(digest_equal(&last_said(shell, EFFECT_HELD)->message.held.result, &table));
    free_shell(shell);
}

Test(aggregator, a_sweep_that_was_complete_but_for_its_table_gets_it_after_a_restart)
{
    struct shell *shell = new_shell(4);
    begin(shell);
    fold_all(shell, 4);
    restart(shell);
    cr_assert_eq(shell->renders, 1);
    pass(shell, 0);
    cr_assert_eq(shell->renders, 2);
    welcome(shell);
    rendered(shell, NULL);
    cr_assert_eq(count_complete(shell), 1, "reported though nobody asked yet");
    free_shell(shell);
}

Test(aggregator, a_table_that_can_not_be_made_is_tried_again_ever_less_often)
{
    struct shell *shell = new_shell(4);
    begin(shell);
    fold_all(shell, 4);
    uint64_t wait_ms = 1000;
    for (size_t tries = 1; tries < 20; tries++) {
        rendered(shell, "the disk could not be read");
        cr_assert_eq(shell->renders, tries);
        tick(shell, wait_ms - 1);
        cr_assert_eq(shell->renders, tries, "not before %lu ms", (unsigned long)wait_ms);
        cr_assert_gt(aggregator_next_due_ms(shell->core), 0, "it rests meanwhile");
        tick(shell, 1);
        cr_assert_eq(shell->renders, tries + 1, "after %lu ms", (unsigned long)wait_ms);
        wait_ms = wait_ms < 1800000 ? 2 * wait_ms : 3600000;
    }
    cr_assert_eq(count_complete(shell), 0);
    rendered(shell, NULL);
    welcome(shell);
    tick(shell, 1);
    cr_assert_geq(count_complete(shell), 1);
    free_shell(shell);
}

Test(aggregator, a_change_is_reported_at_most_every_200_ms)
{
    struct shell *shell = new_shell(4096);
    begin(shell);
    uint64_t began_ms = shell->now_ms;
    for (uint64_t block = 0; block < 100; block++) {
        send_partial(shell, (struct fold_place){0, 2 * block}, NULL);
        flush(shell);
        pass(shell, 10);
        if (block % 20 == 0) welcome(shell);
    }
    uint64_t most = (shell->now_ms - began_ms) / AGGREGATOR_HELD_MS + 1;
    size_t reports = count_said(shell, EFFECT_HELD);
    cr_assert(reports <= most && reports + 1 >= most, "%zu reports, %lu allowed", reports, (unsigned long)most);
    welcome(shell);
    pass(shell, AGGREGATOR_HELD_MS);
    cr_assert_eq(last_said(shell, EFFECT_HELD)->message.held.count, 100, "the last change is told of too");
    free_shell(shell);
}

Test(aggregator, a_wanted_sweep_is_reported_every_two_seconds_until_it_is_not_wanted)
{
    struct shell *shell = new_shell(4);
    begin(shell);
    for (int beat = 0; beat < 20; beat++) {
        pass(shell, 500);
        welcome(shell);
    }
    size_t reports = count_said(shell, EFFECT_HELD);
    cr_assert(reports >= 4 && reports <= 5, "%zu in 10 s", reports);
    wanted(shell, NULL);
    for (int beat = 0; beat < 20; beat++) {
        pass(shell, 500);
        welcome(shell);
    }
    cr_assert_leq(count_said(shell, EFFECT_HELD), reports + 1);
    free_shell(shell);
}

Test(aggregator, hundreds_of_wanted_sweeps_are_reported_in_portions_that_fit_a_queue)
{
    struct shell *shell = new_shell(4);
    struct digest none = {{0}};
    *shell->message = (struct message){.kind = MESSAGE_WANTED, .wanted = {.count = MESSAGE_SWEEPS_MAX}};
    for (uint32_t at = 0; at < MESSAGE_SWEEPS_MAX; at++) {
        struct digest id = {{(uint8_t)at, 1}};
        cr_assert(aggregator_load_sweep(shell->core, &id, PLAIN_FACTS(4), &shell->built_in, true, &none));
        shell->message->wanted.sweeps[at] = id;
    }
    from_broker(shell);
    welcome(shell);
    for (size_t last = 0; count_said(shell, EFFECT_HELD) < MESSAGE_SWEEPS_MAX;) {
        uint64_t due_ms = aggregator_next_due_ms(shell->core);
        tick(shell, due_ms > shell->now_ms ? due_ms - shell->now_ms : 0);
        size_t reports = count_said(shell, EFFECT_HELD);
        cr_assert_leq(reports - last, 32);
        last = reports;
        cr_assert_lt(shell->now_ms, 2000);
    }
    free_shell(shell);
}

Test(aggregator, a_damaged_node_reopens_its_blocks)
{
    struct shell *shell = new_shell(5);
    begin(shell);
    fold_all(shell, 5);
    rendered(shell, NULL);
    shell->said_count = 0;
    step(shell,
         (struct aggregator_event){.kind = EVENT_DAMAGED, .sweep = shell->sweep, .place = (struct fold_place){2, 0}});
    flush(shell);
    pass(shell, 20);
    const struct message *held = &last_said(shell, EFFECT_HELD)->message;
    cr_assert_not(held->held.complete);
    cr_assert_eq(held->held.count, 1);
    cr_assert_eq(held->held.ranges[0].first, 4);
    cr_assert_eq(shell->committed.count, 1);
    cr_assert(digest_is_zero(&shell->committed.results[0]));
    send_partial(shell, (struct fold_place){2, 0}, NULL);
    flush(shell);
    cr_assert_eq(last_outcome(shell), FOLD_NEW);
    rendered(shell, NULL);
    cr_assert_eq(count_complete(shell), 1);
    free_shell(shell);
}

/* ---- any order ---- */

static uint32_t draw(uint64_t *state, uint32_t bound)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % bound;
}

/* Partials of any size in any order, with duplicates, overlaps, ragged turns and restarts. */
static void run_schedule(struct shell *shell, uint64_t blocks, uint64_t *state)
{
    for (size_t sends = 0; sends < 4000; sends++) {
        const struct fold *fold = aggregator_fold(shell->core, &shell->sweep);
        if (fold && fold_is_complete(fold) && aggregator_waiting(shell->core) == 0) return;
        uint32_t level = draw(state, 4) ? 0 : draw(state, 4);
        send_partial(shell, (struct fold_place){level, draw(state, (uint32_t)(blocks >> level) + 1)}, NULL);
        shell->said_count = 0;
        if (draw(state, 5) == 0 || aggregator_waiting(shell->core) == AGGREGATOR_ANSWERS_MAX) flush(shell);
        if (draw(state, 60) != 0) continue;
        restart(shell); /* what was not committed is sent again, as nobody was told that it is there */
        if (shell->open.sweep_count == 0) begin(shell);
        pass(shell, 0);
    }
    cr_assert_fail("the sweep never ended");
}

static void expect_plain_fold(struct shell *shell, uint64_t blocks)
{
    const struct fold *fold = aggregator_fold(shell->core, &shell->sweep);
    cr_assert_eq(fold->count, (size_t)__builtin_popcountl(blocks));
    cr_assert_eq(shell->committed.count, fold->count);
    for (size_t at = 0; at < fold->count; at++) {
        struct fold_place place = fold->held[at].place;
        size_t found = disk_find(&shell->committed, &shell->sweep, place);
        cr_assert_neq(found, SIZE_MAX);
        struct node *plain = make_node(place);
        struct buffer expected = {0};
        node_encode(plain, &expected);
        const struct buffer *actual = &shell->committed.nodes[found].bytes;
        cr_assert_eq(actual->size, expected.size);
        cr_assert_arr_eq(actual->data, expected.data, expected.size);
        buffer_free(&expected);
        node_free(plain);
    }
}

Test(aggregator, any_order_of_arrival_and_any_restart_ends_in_the_same_bytes)
{
    for (uint64_t blocks = 1; blocks <= 70; blocks++) {
        struct shell *shell = new_shell(blocks);
        uint64_t state = blocks * 1000003;
        begin(shell);
        run_schedule(shell, blocks, &state);
        expect_plain_fold(shell, blocks);
        free_shell(shell);
    }
}

/* ---- stop rules ---- */

/* A sweep whose rule is met at checkpoints of at least `met_blocks` blocks; the first one has 4. */
static struct shell *new_ruled_shell(uint64_t blocks, uint64_t met_blocks)
{
    struct shell *shell = new_shell(blocks);
    make_ruled_sweep(shell, RULED_DRAWS * blocks, RULED_DRAWS, &shell->built_in, STOP_HALF_WIDTH);
    shell->met_blocks = met_blocks;
    return shell;
}

Test(aggregator, a_sweep_ends_at_the_checkpoint_that_meets_its_rule)
{
    struct shell *shell = new_ruled_shell(64, 8);
    struct digest table = word("table");
    begin(shell);
    send_partial(shell, (struct fold_place){1, 10}, NULL);
    fold_all(shell, 7);
    pass(shell, 300);
    cr_assert_eq(shell->checks, 1, "at 4 blocks");
    cr_assert_eq(last_said(shell, EFFECT_HELD)->message.held.ranges[0].count, 7);
    send_partial(shell, (struct fold_place){0, 7}, NULL);
    flush(shell);
    cr_assert_eq(shell->checks, 2);
    cr_assert_eq(shell->committed.count, 1, "what is behind the end is gone");
    pass(shell, 300);
    const struct message *held = &last_said(shell, EFFECT_HELD)->message;
    cr_assert_not(held->held.complete, "there is no table yet");
    cr_assert_eq(held->held.count, 1);
    cr_assert_eq(held->held.ranges[0].count, 64, "nobody is to do the others");
    send_partial(shell, (struct fold_place){0, 40}, NULL);
    flush(shell);
    cr_assert_eq(last_outcome(shell), FOLD_DUPLICATE);
    rendered(shell, NULL);
    cr_assert_eq(count_complete(shell), 1);
    cr_assert(digest_equal(&last_said(shell, EFFECT_HELD)->message.held.result, &table));
    cr_assert_eq(last_said(shell, EFFECT_HELD)->message.held.ranges[0].count, 8, "where it ended");
    free_shell(shell);
}

Test(aggregator, nothing_is_reported_of_a_checkpoint_before_it_is_looked_at)
{
    struct shell *shell = new_ruled_shell(64, 4);
    begin(shell);
    shell->check_why = "the model is not here";
    fold_all(shell, 4);
    pass(shell, 5000);
    cr_assert_eq(count_said(shell, EFFECT_HELD), 0);
    cr_assert_eq(shell->checks, 3, "at 0, 1 and 3 s: ever less often");
    shell->check_why = NULL;
    pass(shell, 5000);
    welcome(shell);
    pass(shell, 20);
    cr_assert_eq(last_said(shell, EFFECT_HELD)->message.held.ranges[0].count, 64);
    free_shell(shell);
}

Test(aggregator, a_stopped_sweep_is_complete_again_after_a_restart_once_it_is_looked_at)
{
    struct shell *shell = new_ruled_shell(64, 4);
    begin(shell);
    fold_all(shell, 5);
    rendered(shell, NULL);
    restart(shell);
    shell->said_count = 0;
    welcome(shell);
    wanted(shell, &shell->sweep);
    pass(shell, 100);
    cr_assert_eq(count_complete(shell), 1);
    cr_assert_eq(shell->renders, 1, "the digest was on disk");
    free_shell(shell);
}

Test(aggregator, a_sweep_that_went_on_and_lost_its_last_node_has_not_stopped)
{
    struct shell *shell = new_ruled_shell(5, 100);
    begin(shell);
    fold_all(shell, 5);
    pass(shell, 0);
    rendered(shell, NULL);
    size_t last = disk_find(&shell->committed, &shell->sweep, (struct fold_place){0, 4});
    buffer_free(&shell->committed.nodes[last].bytes);
    shell->committed.nodes[last] = shell->committed.nodes[--shell->committed.count];
    restart(shell);
    shell->said_count = 0;
    welcome(shell);
    wanted(shell, &shell->sweep);
    pass(shell, 100);
    cr_assert_eq(count_complete(shell), 0, "though its result is on disk");
    cr_assert_eq(last_said(shell, EFFECT_HELD)->message.held.ranges[0].count, 4);
    free_shell(shell);
}

Test(aggregator, damage_to_the_end_of_a_stopped_sweep_makes_it_go_on_to_the_same_end)
{
    struct shell *shell = new_ruled_shell(64, 8);
    begin(shell);
    fold_all(shell, 8);
    pass(shell, 0);
    rendered(shell, NULL);
    step(shell,
         (struct aggregator_event){.kind = EVENT_DAMAGED, .sweep = shell->sweep, .place = (struct fold_place){3, 0}});
    flush(shell);
    cr_assert_eq(shell->committed.count, 0);
    send_partial(shell, (struct fold_place){0, 40}, NULL);
    flush(shell);
    cr_assert_eq(last_outcome(shell), FOLD_NEW, "whether it stops is open again");
    fold_all(shell, 8);
    cr_assert_eq(shell->committed.count, 1);
    pass(shell, 0);
    rendered(shell, NULL);
    cr_assert_eq(count_complete(shell), 2);
    free_shell(shell);
}

Test(aggregator, any_order_of_arrival_and_any_restart_stops_at_the_same_bytes)
{
    for (uint64_t blocks = 1; blocks <= 70; blocks++) {
        uint64_t met = UINT64_C(1) << blocks % 7, end = met < 4 ? 4 : met, state = blocks * 1000003;
        struct shell *shell = new_ruled_shell(blocks, met);
        begin(shell);
        run_schedule(shell, blocks, &state);
        expect_plain_fold(shell, end < blocks ? end : blocks);
        free_shell(shell);
    }
}

/* ---- families: sweeps that differ in draws and rule alone ---- */

/* Makes another sweep the one that is wanted and known. */
static void begin_another(struct shell *shell, uint64_t draws, uint32_t draws_per_block, enum stop_kind rule)
{
    make_ruled_sweep(shell, draws, draws_per_block, &shell->built_in, rule);
    begin(shell);
    pass(shell, 20);
}

static size_t nodes_on_disk(const struct shell *shell, const struct digest *sweep)
{
    size_t count = 0;
    for (size_t at = 0; at < shell->committed.count; at++)
        count += digest_equal(&shell->committed.nodes[at].sweep, sweep);
    return count;
}

Test(aggregator, a_longer_sweep_takes_over_the_blocks_of_a_shorter_one)
{
    struct shell *shell = new_shell(5);
    const struct digest shorter = shell->sweep;
    begin(shell);
    fold_all(shell, 5);
    rendered(shell, NULL);
    begin_another(shell, 4 * 12, 4, STOP_NEVER);
    cr_assert_eq(shell->copies, 2);
    cr_assert_eq(nodes_on_disk(shell, &shorter), 2, "it keeps its own");
    const struct fold *fold = aggregator_fold(shell->core, &shell->sweep);
    cr_assert_eq(fold->covered, 5);
    ask_result(shell, &shell->sweep);
    flush(shell);
    restart(shell);
    for (uint64_t block = 5; block < 12; block++) send_partial(shell, (struct fold_place){0, block}, NULL);
    flush(shell);
    const size_t at = disk_find(&shell->committed, &shell->sweep, (struct fold_place){3, 0});
    cr_assert_neq(at, SIZE_MAX);
    struct node *plain = make_node((struct fold_place){3, 0});
    struct buffer expected = {0};
    node_encode(plain, &expected);
    cr_assert_eq(shell->committed.nodes[at].bytes.size, expected.size);
    cr_assert_arr_eq(shell->committed.nodes[at].bytes.data, expected.data, expected.size);
    buffer_free(&expected);
    node_free(plain);
    free_shell(shell);
}

Test(aggregator, the_first_report_of_an_extended_sweep_has_what_was_taken_over)
{
    struct shell *shell = new_shell(5);
    begin(shell);
    fold_all(shell, 5);
    rendered(shell, NULL);
    make_sweep(shell, 4 * 12, &shell->built_in);
    shell->said_count = 0;
    wanted(shell, &shell->sweep);
    item(shell, ITEM_SWEEP, &shell->sweep, buffer_span(&shell->sweep_bytes));
    ask_result(shell, &shell->sweep);
    cr_assert_eq(last_said(shell, EFFECT_ERROR)->message.error.code, ERROR_UNKNOWN, "not yet");
    flush(shell);
    pass(shell, 20);
    for (size_t at = 0; at < shell->said_count; at++) {
        if (shell->said[at].kind != EFFECT_HELD) continue;
        const struct message *held = &shell->said[at].message;
        if (!digest_equal(&held->held.sweep, &shell->sweep)) continue;
        cr_assert_eq(held->held.count, 1, "never that nothing is held");
        cr_assert_eq(held->held.ranges[0].count, 5);
    }
    cr_assert_eq(last_said(shell, EFFECT_HELD)->message.held.ranges[0].count, 5);
    free_shell(shell);
}

Test(aggregator, only_full_blocks_that_fit_are_taken_over)
{
    const struct {
        uint64_t draws, of_draws, covered;
    } rows[] = {
        {4 * 8 + 2, 4 * 12, 8}, /* a shorter one, whose last block is its own */
        {4 * 12, 4 * 4 + 2, 4}, /* a longer one: the last block of the other is too short */
        {4 * 9, 4 * 12, 8},     /* blocks 8 to 11 are one node */
        {4 * 3, 4 * 12, 0},     /* blocks 0 to 7 too */
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct shell *shell = new_shell(1);
        make_sweep(shell, rows[row].of_draws, &shell->built_in);
        begin(shell);
        fold_all(shell, (rows[row].of_draws + 3) / 4);
        rendered(shell, NULL);
        begin_another(shell, rows[row].draws, 4, STOP_NEVER);
        cr_assert_eq(aggregator_fold(shell->core, &shell->sweep)->covered, rows[row].covered, "row %zu", row);
        free_shell(shell);
    }
}

Test(aggregator, other_blocks_or_another_population_are_no_family)
{
    struct shell *shell = new_shell(8);
    begin(shell);
    fold_all(shell, 8);
    rendered(shell, NULL);
    begin_another(shell, 8 * 12, 8, STOP_NEVER);
    cr_assert_eq(shell->copies, 0);
    free_shell(shell);
}

Test(aggregator, checkpoints_are_crossed_only_where_the_same_rule_was_looked_at)
{
    const uint64_t draws = RULED_DRAWS;
    struct shell *shell = new_ruled_shell(16, 8);
    begin(shell);
    fold_all(shell, 8);
    pass(shell, 20);
    rendered(shell, NULL);
    cr_assert(aggregator_fold(shell->core, &shell->sweep)->stopped);
    const size_t checks = shell->checks;
    begin_another(shell, 64 * draws, RULED_DRAWS, STOP_HALF_WIDTH);
    cr_assert_eq(shell->copies, 1, "the same rule");
    cr_assert_eq(shell->checks, checks + 1, "is looked at where the other stopped, and not before");
    cr_assert(aggregator_fold(shell->core, &shell->sweep)->stopped);
    rendered(shell, NULL);
    begin_another(shell, 64 * draws, RULED_DRAWS, STOP_NEVER);
    cr_assert_eq(shell->copies, 2, "no rule");
    for (uint64_t index = 1; index < 8; index++) send_partial(shell, (struct fold_place){3, index}, NULL);
    flush(shell);
    rendered(shell, NULL);
    shell->met_blocks = 4;
    begin_another(shell, 32 * draws, RULED_DRAWS, STOP_RANKING);
    cr_assert_eq(shell->copies, 2, "another rule: its checkpoints at 4 and 8 blocks are inside");
    free_shell(shell);
}

Test(aggregator, damage_found_while_copying_costs_the_source_its_node_and_nobody_else)
{
    struct shell *shell = new_shell(5);
    begin(shell);
    fold_all(shell, 5);
    rendered(shell, NULL);
    shell->copy_damaged = true;
    begin_another(shell, 4 * 12, 4, STOP_NEVER);
    cr_assert_eq(shell->copies, 2, "each of the two nodes is tried once");
    cr_assert_eq(shell->committed.count, 0);
    cr_assert_eq(aggregator_fold(shell->core, &shell->sweep)->covered, 0);
    send_partial(shell, (struct fold_place){2, 0}, NULL);
    flush(shell);
    cr_assert_eq(last_outcome(shell), FOLD_NEW);
    free_shell(shell);
}

/* ---- the cache of nodes ---- */

/* A core alone, of one sweep of two blocks with the population that is built in. */
struct lone {
    struct aggregator *core;
    struct digest sweep;
    struct aggregator_effects effects;
    struct message message;
};

static struct lone *new_lone(uint8_t result)
{
    struct lone *lone = calloc(1, sizeof *lone);
    const struct aggregator_config config = {.built_in = {{1}}};
    lone->core = aggregator_new(&config);
    lone->sweep.bytes[0] = 2;
    cr_assert(aggregator_load_sweep(lone->core, &lone->sweep, PLAIN_FACTS(2), &config.built_in, true,
                                    &(struct digest){{result}}));
    return lone;
}

static void free_lone(struct lone *lone)
{
    aggregator_free(lone->core);
    free(lone);
}

/* Whether the step led to such an effect. */
static bool leads_to(struct lone *lone, struct aggregator_event event, enum aggregator_effect_kind kind)
{
    event.now_ms = 1000;
    event.message = &lone->message;
    aggregator_step(lone->core, &event, &lone->effects);
    for (size_t at = 0; at < lone->effects.count; at++)
        if (lone->effects.list[at].kind == kind) return true;
    return false;
}

Test(aggregator, a_sweep_that_lost_a_node_with_its_store_is_not_complete)
{
    struct lone *lone = new_lone(9);
    cr_assert(aggregator_load_node(lone->core, &lone->sweep, (struct fold_place){0, 1}));
    lone->message.kind = MESSAGE_RESULT;
    lone->message.result.sweep = lone->sweep;
    leads_to(lone, (struct aggregator_event){.kind = EVENT_PEER}, EFFECT_OUTCOME);
    cr_assert(leads_to(lone, (struct aggregator_event){.kind = EVENT_FLUSH}, EFFECT_OUTCOME));
    aggregator_message(lone->core, &lone->effects.list[0], &lone->message);
    cr_assert_not(lone->message.outcome.complete);
    cr_assert(aggregator_is_sound(lone->core));
    free_lone(lone);
}

Test(aggregator, a_table_is_made_after_damage_that_the_first_attempt_found)
{
    struct lone *lone = new_lone(0);
    const struct fold_place place = {1, 0};
    cr_assert(aggregator_load_node(lone->core, &lone->sweep, place));
    cr_assert(leads_to(lone, (struct aggregator_event){.kind = EVENT_TICK}, EFFECT_RENDER));
    cr_assert(leads_to(lone, (struct aggregator_event){.kind = EVENT_DAMAGED, .sweep = lone->sweep, .place = place},
                       EFFECT_SET_ASIDE));
    cr_assert(leads_to(lone, (struct aggregator_event){.kind = EVENT_FLUSH}, EFFECT_COMMIT));
    leads_to(lone, (struct aggregator_event){.kind = EVENT_COMMITTED}, EFFECT_RENDER);
    lone->message.kind = MESSAGE_PARTIAL;
    lone->message.partial.sweep = lone->sweep;
    lone->message.partial.level = place.level;
    lone->message.partial.index = place.index;
    cr_assert(leads_to(lone, (struct aggregator_event){.kind = EVENT_PEER}, EFFECT_KEEP));
    cr_assert(leads_to(lone, (struct aggregator_event){.kind = EVENT_FLUSH}, EFFECT_COMMIT));
    cr_assert(leads_to(lone, (struct aggregator_event){.kind = EVENT_COMMITTED}, EFFECT_RENDER));
    free_lone(lone);
}

Test(cache, keeps_what_is_pinned_and_lets_the_oldest_go)
{
    struct cache *cache = cache_new(3000);
    struct digest sweep = word("sweep"), other = word("other");
    for (uint64_t block = 0; block < 100; block++)
        cr_assert(cache_put(cache, &sweep, (struct fold_place){0, block}, make_leaf(block), block == 0));
    cr_assert_leq(cache_bytes(cache), 3000);
    cr_assert_lt(cache_count(cache), 100);
    cr_assert_not_null(cache_find(cache, &sweep, (struct fold_place){0, 0}), "pinned");
    cr_assert_null(cache_find(cache, &sweep, (struct fold_place){0, 1}), "the oldest");
    cr_assert_eq(cache_find(cache, &sweep, (struct fold_place){0, 99})->index, 99);
    cr_assert_null(cache_find(cache, &other, (struct fold_place){0, 99}));
    cr_assert_null(cache_find(cache, &sweep, (struct fold_place){1, 99}));
    cache_unpin(cache, &sweep, (struct fold_place){0, 0});
    cache_drop(cache, &sweep, (struct fold_place){0, 99});
    cr_assert_null(cache_find(cache, &sweep, (struct fold_place){0, 99}));
    for (uint64_t block = 100; block < 200; block++)
        cr_assert(cache_put(cache, &sweep, (struct fold_place){0, block}, make_leaf(block), false));
    cr_assert_null(cache_find(cache, &sweep, (struct fold_place){0, 0}), "no longer pinned");
    cache_free(cache);
}

Test(cache, drops_the_other_nodes_of_a_sweep_pinned_or_not)
{
    struct cache *cache = cache_new(1 << 20);
    const struct digest one = word("one"), two = word("two");
    const struct fold_place kept = {3, 0}, other = {3, 1}, pinned = {0, 0};
    cr_assert(cache_put(cache, &one, kept, make_leaf(0), false) && cache_put(cache, &one, other, make_leaf(0), false));
    cr_assert(cache_put(cache, &one, pinned, make_leaf(0), false) && cache_put(cache, &two, other, make_leaf(0), true));
    cache_pin(cache, &one, pinned);
    cache_drop_others(cache, &one, kept);
    cr_assert_eq(cache_count(cache), 2);
    cr_assert(cache_find(cache, &one, kept) && cache_find(cache, &two, other));
    cache_free(cache);
}

Test(cache, a_node_larger_than_the_limit_stays_until_the_next_comes)
{
    struct cache *cache = cache_new(1);
    struct digest sweep = word("sweep");
    cr_assert(cache_put(cache, &sweep, (struct fold_place){0, 0}, make_leaf(0), false));
    cr_assert_not_null(cache_find(cache, &sweep, (struct fold_place){0, 0}));
    cr_assert(cache_put(cache, &sweep, (struct fold_place){0, 1}, make_leaf(1), false));
    cr_assert_eq(cache_count(cache), 1);
    cr_assert_not_null(cache_find(cache, &sweep, (struct fold_place){0, 1}));
    cache_free(cache);
}
