#include "aggregator.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <goldthread/sweep.h>

#include "catalog.h"
#include "digest.h"
#include "sweep_codec.h"

#define HEARTBEAT_MS       500u /* until the broker says otherwise ... */
#define HEARTBEAT_LEAST_MS 10u  /* ... within these bounds */
#define HEARTBEAT_MOST_MS  60000u
#define SILENCES           3u  /* heartbeats without a word from the broker: it is gone */
#define HELLO_FIRST_MS     10u /* a HELLO is repeated at first soon, because the connection may not be up yet */
#define HELLO_MOST_MS      500u
#define FETCH_REPEAT_MS    500u
#define ASKED_MS           10000u /* a sweep that only a worker named is asked for so long */
#define REPORTS_PER_STEP   32u    /* below the socket's queue ... */
#define REPORTS_APART_MS   10u    /* ... which has this long to drain */
#define ADOPTED_MAX        64u    /* nodes that a sweep takes over in one commit */
#define WORK_FIRST_MS                                                                                                  \
    1000u /* a table or a check that failed is tried again, at first soon: a disk may have hiccuped ... */
#define WORK_MOST_MS 3600000u /* ... then ever less often: another version of the model stays another */

struct answer {
    enum aggregator_effect_kind kind; /* FOLDED or OUTCOME */
    enum message_outcome outcome;
    struct aggregator_peer peer;
    struct digest sweep;
    struct fold_place place;
};

struct aggregator {
    struct aggregator_config config;
    struct catalog catalog;
    struct sweep decoded; /* scratch: too large for a stack */

    bool registered;
    uint64_t asked_ms; /* when the broker was first told something that it has not answered; 0: it has */
    uint64_t heartbeat_ms, heartbeat_due_ms;
    uint64_t hello_due_ms, hello_wait_ms;
    uint64_t reports_after_ms;

    bool uncommitted; /* something went to the store in this turn */
    size_t answer_count;
    struct answer answers[AGGREGATOR_ANSWERS_MAX];

    bool rendering, finishing; /* a table is being made; its digest waits for the commit */
    struct digest rendered;    /* the sweep */
    bool copying;              /* a node is being copied ... */
    struct digest heir;        /* ... to this sweep, which ... */
    size_t adopted;            /* ... has taken in so many that are not on disk yet */
    bool checking;             /* a checkpoint is being looked at ... */
    struct digest checked;     /* ... of this sweep */
};

/* One step's surroundings. */
struct step {
    struct aggregator *core;
    const struct aggregator_event *event;
    struct aggregator_effects *effects;
    uint64_t now_ms;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static struct aggregator_effect *emit(struct step *step, enum aggregator_effect_kind kind)
{
    assert(step->effects->count < AGGREGATOR_EFFECTS_MAX);
    struct aggregator_effect *effect = &step->effects->list[step->effects->count++];
    *effect = (struct aggregator_effect){.kind = kind, .text = ""};
    return effect;
}

static void emit_node(struct step *step, enum aggregator_effect_kind kind, const struct entry *entry,
                      struct fold_place place)
{
    struct aggregator_effect *effect = emit(step, kind);
    effect->sweep = entry->sweep;
    effect->place = place;
}

/* ---- sweeps and populations from the broker ---- */

static bool needs_fetch(const struct entry *entry)
{
    return entry->stage == ENTRY_NAMED || entry->stage == ENTRY_READ;
}

static bool is_needed(const struct entry *entry, uint64_t now_ms)
{
    return entry->wanted || now_ms < entry->asked_until_ms;
}

static void fetch(struct step *step, struct entry *entry)
{
    struct aggregator_effect *effect = emit(step, EFFECT_FETCH);
    effect->item = entry->stage == ENTRY_NAMED ? ITEM_SWEEP : ITEM_POPULATION;
    effect->sweep = entry->stage == ENTRY_NAMED ? entry->sweep : entry->population;
    entry->fetch_due_ms = step->now_ms + FETCH_REPEAT_MS;
}

/* Fetches at once, or leaves it to the tick after registration. What was asked for already is due by itself:
 * a worker that tries every few milliseconds must not have a population sent as often. */
static void want_item(struct step *step, struct entry *entry)
{
    if (entry->fetch_due_ms != UINT64_MAX) return;
    bool room = step->effects->count + 2 * AGGREGATOR_ANSWERS_MAX < AGGREGATOR_EFFECTS_MAX;
    if (step->core->registered && room) fetch(step, entry);
    else entry->fetch_due_ms = step->now_ms;
}

static bool population_is_held(const struct aggregator *core, const struct digest *population)
{
    if (digest_equal(population, &core->config.built_in)) return true;
    for (size_t at = 0; at < core->catalog.count; at++) {
        const struct entry *entry = &core->catalog.entries[at];
        if (entry->stage == ENTRY_READY && digest_equal(&entry->population, population)) return true;
    }
    return false;
}

static void make_ready(struct step *step, struct entry *entry)
{
    entry->stage = ENTRY_READY;
    entry->fetch_due_ms = UINT64_MAX;
    entry->report_due_ms = step->now_ms;
}

static void take_sweep(struct step *step, const struct digest *digest, struct span bytes)
{
    struct aggregator *core = step->core;
    struct entry *entry = catalog_find(&core->catalog, digest);
    struct digest actual = digest_of(bytes);
    if (!entry || entry->stage != ENTRY_NAMED || !digest_equal(&actual, digest)) return;
    const char *why;
    if (!sweep_decode(bytes, &core->decoded, &why)) {
        entry->stage = ENTRY_REFUSED;
        entry->why = why;
        return;
    }
    entry->population = core->decoded.population;
    entry->facts = facts_of(&core->decoded);
    fold_init(&entry->fold, entry->facts.blocks, entry->facts.full_blocks, entry->facts.first_level);
    struct aggregator_effect *effect = emit(step, EFFECT_STORE_SWEEP);
    effect->sweep = *digest;
    effect->population = entry->population;
    effect->bytes = bytes;
    core->uncommitted = true;
    entry->fetch_due_ms = UINT64_MAX;
    bool held = population_is_held(core, &entry->population);
    entry->stage = ENTRY_READ;
    if (held) make_ready(step, entry);
    else want_item(step, entry);
}

static void take_population(struct step *step, const struct digest *digest, struct span bytes)
{
    struct aggregator *core = step->core;
    struct digest actual = digest_of(bytes);
    if (!digest_equal(&actual, digest)) return;
    bool needed = false;
    for (size_t at = 0; at < core->catalog.count; at++) {
        struct entry *entry = &core->catalog.entries[at];
        if (entry->stage != ENTRY_READ || !digest_equal(&entry->population, digest)) continue;
        make_ready(step, entry);
        needed = true;
    }
    if (!needed) return;
    struct aggregator_effect *effect = emit(step, EFFECT_STORE_POPULATION);
    effect->sweep = *digest;
    effect->bytes = bytes;
    core->uncommitted = true;
}

/* ---- the broker ---- */

static void take_welcome(struct step *step)
{
    struct aggregator *core = step->core;
    core->heartbeat_ms = least(most(step->event->message->welcome.heartbeat_ms, HEARTBEAT_LEAST_MS), HEARTBEAT_MOST_MS);
    if (core->registered) return;
    core->registered = true;
    core->heartbeat_due_ms = step->now_ms + core->heartbeat_ms;
    for (size_t at = 0; at < core->catalog.count; at++) {
        struct entry *entry = &core->catalog.entries[at];
        if (needs_fetch(entry)) entry->fetch_due_ms = step->now_ms;
        if (entry->wanted) entry->report_due_ms = step->now_ms;
    }
}

static void say_hello_soon(struct aggregator *core, uint64_t now_ms)
{
    core->registered = false;
    core->hello_due_ms = now_ms;
    core->hello_wait_ms = HELLO_FIRST_MS;
}

static void want(struct step *step, const struct digest *sweep)
{
    struct catalog *catalog = &step->core->catalog;
    struct entry *entry = catalog_find(catalog, sweep);
    if (!entry) entry = catalog_add(catalog, sweep);
    if (!entry) return; /* its partials are refused, with the reason */
    entry->wanted = true;
    if (needs_fetch(entry)) want_item(step, entry);
}

/* Somebody wants it anew. */
static void wake(struct step *step, struct entry *entry)
{
    entry->report_due_ms = step->now_ms;
    entry->adopts = true;
}

static void take_wanted(struct step *step)
{
    struct catalog *catalog = &step->core->catalog;
    const struct message *message = step->event->message;
    for (size_t at = 0; at < message->wanted.count; at++) {
        struct entry *entry = catalog_find(catalog, &message->wanted.sweeps[at]);
        if (entry && !entry->wanted) wake(step, entry);
    }
    for (size_t at = 0; at < catalog->count; at++) catalog->entries[at].wanted = false;
    for (size_t at = 0; at < message->wanted.count; at++) want(step, &message->wanted.sweeps[at]);
}

static void take_item(struct step *step)
{
    const struct message *message = step->event->message;
    if (message->item.item == ITEM_SWEEP) take_sweep(step, &message->item.digest, message->item.bytes);
    else take_population(step, &message->item.digest, message->item.bytes);
}

static void take_broker_message(struct step *step)
{
    step->core->asked_ms = 0;
    switch (step->event->message->kind) {
    case MESSAGE_WELCOME:
        take_welcome(step);
        break;
    case MESSAGE_STRANGER:
        say_hello_soon(step->core, step->now_ms);
        break;
    case MESSAGE_WANTED:
        take_wanted(step);
        break;
    case MESSAGE_ITEM:
        take_item(step);
        break;
    default:
        break; /* ERROR: what was asked for is asked for again */
    }
}

/* ---- workers and clients ---- */

static void answer_now(struct step *step, enum message_outcome outcome, const char *text)
{
    const struct message *message = step->event->message;
    struct aggregator_effect *effect = emit(step, EFFECT_FOLDED);
    effect->peer = step->event->peer;
    effect->sweep = message->partial.sweep;
    effect->place = (struct fold_place){.level = message->partial.level, .index = message->partial.index};
    effect->outcome = outcome;
    effect->text = text;
}

static void answer_later(struct step *step, const struct answer *answer)
{
    struct aggregator *core = step->core;
    assert(core->answer_count < AGGREGATOR_ANSWERS_MAX);
    core->answers[core->answer_count] = *answer;
    core->answers[core->answer_count++].peer = step->event->peer;
}

/* False: out of memory. */
static bool take_node(struct step *step, struct entry *entry, struct fold_place place)
{
    struct fold_chain chain;
    if (!fold_take(&entry->fold, place, &chain)) return false;
    step->core->uncommitted = true;
    emit_node(step, EFFECT_KEEP, entry, place);
    for (size_t at = 0; at < chain.count; at++) {
        emit_node(step, EFFECT_MERGE, entry, place);
        if (chain.absorbed[at].stored) emit_node(step, EFFECT_DELETE_NODE, entry, chain.absorbed[at].place);
        place = (struct fold_place){.level = place.level + 1, .index = place.index / 2};
    }
    return true;
}

static void judge_node(struct step *step, struct entry *entry)
{
    const struct message *message = step->event->message;
    struct fold_place place = {.level = message->partial.level, .index = message->partial.index};
    const char *why;
    enum message_outcome outcome = fold_judge(&entry->fold, place, &why);
    if (outcome == FOLD_NEW && step->event->fault) {
        outcome = FOLD_REFUSED;
        why = step->event->fault;
    }
    if (outcome == FOLD_NEW) {
        if (!take_node(step, entry, place)) {
            answer_now(step, FOLD_OVERLAP, "out of memory for one more node; come again");
            return;
        }
    } else if (outcome != FOLD_DUPLICATE) {
        answer_now(step, outcome, why);
        return;
    }
    answer_later(step,
                 &(struct answer){.kind = EFFECT_FOLDED, .outcome = outcome, .sweep = entry->sweep, .place = place});
}

static void take_partial(struct step *step)
{
    struct aggregator *core = step->core;
    const struct digest *sweep = &step->event->message->partial.sweep;
    struct entry *entry = catalog_find(&core->catalog, sweep);
    if (!entry) entry = catalog_add(&core->catalog, sweep);
    if (!entry) {
        answer_now(step, FOLD_REFUSED, "this aggregator holds as many sweeps as it may");
    } else if (entry->stage == ENTRY_READY) {
        judge_node(step, entry);
    } else if (entry->stage == ENTRY_REFUSED) {
        answer_now(step, FOLD_REFUSED, entry->why);
    } else {
        entry->asked_until_ms = step->now_ms + ASKED_MS;
        want_item(step, entry);
        answer_now(step, FOLD_UNKNOWN_SWEEP, "");
    }
}

static bool is_at_checkpoint(const struct entry *entry)
{
    return entry->stage == ENTRY_READY && fold_is_at_checkpoint(&entry->fold);
}

/* Whether it is to be seen yet what there is to take over from its family. */
static bool is_adopting(const struct entry *entry)
{
    return entry->stage == ENTRY_READY && entry->wanted && entry->adopts && !fold_is_complete(&entry->fold);
}

/* Which blocks are still wanted is known once all that can be taken over is here, and a checkpoint has been looked
 * at. */
static bool can_report(const struct entry *entry)
{
    return entry->stage == ENTRY_READY && !is_at_checkpoint(entry) && !is_adopting(entry);
}

/* Whether to say that nothing is held of it would be too early. */
static bool is_empty_yet(const struct entry *entry)
{
    return needs_fetch(entry) || (is_adopting(entry) && entry->fold.count == 0);
}

static void take_result(struct step *step)
{
    const struct digest *sweep = &step->event->message->result.sweep;
    const struct entry *entry = catalog_find(&step->core->catalog, sweep);
    if (entry && !is_empty_yet(entry)) {
        answer_later(step, &(struct answer){.kind = EFFECT_OUTCOME, .sweep = *sweep});
        return;
    }
    struct aggregator_effect *effect = emit(step, EFFECT_ERROR);
    effect->peer = step->event->peer;
    effect->sweep = *sweep;
    effect->error = ERROR_UNKNOWN;
    effect->text = "no such sweep here";
}

static void take_peer_message(struct step *step)
{
    switch (step->event->message->kind) {
    case MESSAGE_PARTIAL:
        take_partial(step);
        break;
    case MESSAGE_RESULT:
        take_result(step);
        break;
    case MESSAGE_ERROR:
        break; /* an answer to it would be answered */
    default: {
        struct aggregator_effect *effect = emit(step, EFFECT_ERROR);
        effect->peer = step->event->peer;
        effect->error = ERROR_REFUSED;
        effect->text = "an aggregator takes PARTIAL and RESULT";
    }
    }
}

/* ---- reports, tables, time ---- */

static void report(struct step *step, struct entry *entry)
{
    emit(step, EFFECT_HELD)->sweep = entry->sweep;
    entry->reported_ms = step->now_ms;
    entry->report_due_ms = entry->wanted ? step->now_ms + AGGREGATOR_REPEAT_MS : UINT64_MAX;
}

static bool is_due(const struct entry *entry, uint64_t now_ms)
{
    return can_report(entry) && entry->report_due_ms <= now_ms;
}

static void report_due(struct step *step)
{
    struct aggregator *core = step->core;
    if (!core->registered || step->now_ms < core->reports_after_ms) return;
    size_t first = step->effects->count;
    for (size_t at = 0; at < core->catalog.count; at++) {
        if (step->effects->count - first >= REPORTS_PER_STEP) break;
        if (is_due(&core->catalog.entries[at], step->now_ms)) report(step, &core->catalog.entries[at]);
    }
    if (step->effects->count > first) core->reports_after_ms = step->now_ms + REPORTS_APART_MS;
}

static bool lacks_table(const struct entry *entry)
{
    return entry->stage == ENTRY_READY && !entry->complete && fold_is_complete(&entry->fold);
}

static bool is_at_work(const struct aggregator *core)
{
    return core->rendering || core->finishing || core->checking || core->copying;
}

static bool same_rule(const struct sweep_stop *a, const struct sweep_stop *b)
{
    return a->kind == b->kind && strcmp(a->measure, b->measure) == 0 && strcmp(a->area_code, b->area_code) == 0 &&
           a->scenario == b->scenario && a->half_width == b->half_width && a->top == b->top &&
           a->confidence == b->confidence;
}

/* Of the nodes of `from` that are whole nodes of `entry` too, the largest that is larger than *best. */
static bool find_better(const struct entry *entry, const struct entry *from, struct fold_place *best, bool found)
{
    uint64_t full = least(entry->facts.full_blocks, from->facts.full_blocks);
    bool ruled = same_rule(&entry->facts.rule, &from->facts.rule), better = false;
    for (size_t at = 0; at < from->fold.count; at++) {
        struct fold_place place = from->fold.held[at].place;
        if (fold_first(place) + fold_size(place) > full || (found && place.level <= best->level)) continue;
        if (!fold_fits(&entry->fold, place, ruled)) continue;
        *best = place;
        found = better = true;
    }
    return better;
}

/* The largest node that the entry can take over, and whose it is. NULL: there is none. */
static const struct entry *find_node(const struct catalog *catalog, const struct entry *entry, struct fold_place *place)
{
    const struct entry *found = NULL;
    if (digest_is_zero(&entry->facts.family) || fold_is_complete(&entry->fold)) return NULL;
    for (size_t at = 0; at < catalog->count; at++) {
        const struct entry *from = &catalog->entries[at];
        if (from == entry || from->stage != ENTRY_READY) continue;
        if (!digest_equal(&from->facts.family, &entry->facts.family)) continue;
        if (find_better(entry, from, place, found != NULL)) found = from;
    }
    return found;
}

/* False: there is nothing more to copy. */
static bool copy_next(struct step *step, struct entry *entry)
{
    struct aggregator *core = step->core;
    struct fold_place place = {0};
    const struct entry *from = find_node(&core->catalog, entry, &place);
    if (!from) {
        entry->adopts = false;
        return false;
    }
    emit_node(step, EFFECT_COPY, entry, place);
    step->effects->list[step->effects->count - 1].source = from->sweep;
    core->copying = true;
    core->heir = entry->sweep;
    return true;
}

/* A sweep that has just become wanted first takes over what its family holds. */
static void adopt_next(struct step *step)
{
    struct aggregator *core = step->core;
    if (is_at_work(core)) return;
    for (size_t at = 0; at < core->catalog.count; at++)
        if (is_adopting(&core->catalog.entries[at]) && copy_next(step, &core->catalog.entries[at])) return;
}

/* Sweeps at a checkpoint come first: their workers wait to hear that they may stop. */
static void check_next(struct step *step)
{
    struct aggregator *core = step->core;
    if (is_at_work(core)) return;
    for (size_t at = 0; at < core->catalog.count; at++) {
        const struct entry *entry = &core->catalog.entries[at];
        if (is_adopting(entry) || !is_at_checkpoint(entry) || entry->work_due_ms > step->now_ms) continue;
        emit_node(step, EFFECT_CHECK, entry, fold_checkpoint(&entry->fold));
        core->checking = true;
        core->checked = entry->sweep;
        return;
    }
}

static void render_next(struct step *step)
{
    struct aggregator *core = step->core;
    if (is_at_work(core)) return;
    for (size_t at = 0; at < core->catalog.count; at++) {
        const struct entry *entry = &core->catalog.entries[at];
        if (!lacks_table(entry) || entry->work_due_ms > step->now_ms) continue;
        emit(step, EFFECT_RENDER)->sweep = entry->sweep;
        core->rendering = true;
        core->rendered = entry->sweep;
        return;
    }
}

/* Nothing is told of, and no table made, before it is on disk. */
static void tell(struct step *step)
{
    if (step->core->uncommitted) return;
    adopt_next(step);
    report_due(step);
    check_next(step);
    render_next(step);
}

static void note_change(struct entry *entry, uint64_t now_ms)
{
    uint64_t due_ms = entry->reported_ms ? entry->reported_ms + AGGREGATOR_HELD_MS : now_ms;
    entry->report_due_ms = least(entry->report_due_ms, most(due_ms, now_ms));
}

static void send_answers(struct step *step)
{
    struct aggregator *core = step->core;
    for (size_t at = 0; at < core->answer_count; at++) {
        const struct answer *answer = &core->answers[at];
        struct aggregator_effect *effect = emit(step, answer->kind);
        effect->peer = answer->peer;
        effect->sweep = answer->sweep;
        effect->place = answer->place;
        effect->outcome = answer->outcome;
        if (answer->kind == EFFECT_FOLDED && answer->outcome == FOLD_NEW)
            note_change(catalog_find(&core->catalog, &answer->sweep), step->now_ms);
    }
    core->answer_count = 0;
}

static void store_new_nodes(struct step *step)
{
    struct aggregator *core = step->core;
    for (size_t at = 0; at < core->answer_count; at++) {
        const struct answer *answer = &core->answers[at];
        if (answer->kind != EFFECT_FOLDED || answer->outcome != FOLD_NEW) continue;
        const struct entry *entry = catalog_find(&core->catalog, &answer->sweep);
        struct fold_node *node = fold_at(&entry->fold, fold_first(answer->place));
        assert(node);
        if (node->stored) continue; /* merged with another of this turn */
        emit_node(step, EFFECT_STORE_NODE, entry, node->place);
        node->stored = true;
    }
}

static void store_adopted(struct step *step)
{
    struct aggregator *core = step->core;
    if (core->adopted == 0) return;
    const struct entry *entry = catalog_find(&core->catalog, &core->heir);
    for (size_t at = 0; at < entry->fold.count; at++) {
        struct fold_node *node = &entry->fold.held[at];
        if (node->stored) continue;
        emit_node(step, EFFECT_STORE_NODE, entry, node->place);
        node->stored = true;
    }
    core->adopted = 0;
}

static void flush(struct step *step)
{
    if (!step->core->uncommitted) {
        send_answers(step);
        return;
    }
    store_new_nodes(step);
    store_adopted(step);
    emit(step, EFFECT_COMMIT);
}

static void take_commit(struct step *step)
{
    struct aggregator *core = step->core;
    core->uncommitted = false;
    send_answers(step);
    if (core->finishing) {
        struct entry *entry = catalog_find(&core->catalog, &core->rendered);
        core->finishing = false;
        entry->complete = true;
        entry->report_due_ms = step->now_ms;
        core->reports_after_ms = step->now_ms; /* at once: somebody waits for it */
    }
    tell(step);
}

static void put_off_work(struct step *step, struct entry *entry)
{
    entry->work_wait_ms = least(most(2 * entry->work_wait_ms, WORK_FIRST_MS), WORK_MOST_MS);
    entry->work_due_ms = step->now_ms + entry->work_wait_ms;
}

static void take_table(struct step *step)
{
    struct aggregator *core = step->core;
    struct entry *entry = catalog_find(&core->catalog, &step->event->sweep);
    assert(core->rendering && entry && digest_equal(&core->rendered, &entry->sweep));
    core->rendering = false;
    if (step->event->fault) {
        put_off_work(step, entry);
        return;
    }
    entry->result = step->event->result;
    core->finishing = core->uncommitted = true;
    struct aggregator_effect *effect = emit(step, EFFECT_STORE_RESULT);
    effect->sweep = entry->sweep;
    effect->result = entry->result;
}

/* One node after another, so many to a commit. What cannot be had is computed anew. */
static void take_copy(struct step *step)
{
    struct aggregator *core = step->core;
    struct entry *entry = catalog_find(&core->catalog, &step->event->sweep);
    assert(core->copying && entry && digest_equal(&core->heir, &entry->sweep));
    core->copying = false;
    if (step->event->fault || !take_node(step, entry, step->event->place)) {
        entry->adopts = false;
        return;
    }
    if (++core->adopted < ADOPTED_MAX) copy_next(step, entry);
}

/* The halves of the parent are on disk, as everything is when a checkpoint is looked at. */
static void go_on(struct step *step, struct entry *entry)
{
    struct fold_place left = fold_checkpoint(&entry->fold);
    struct fold_place right = {.level = left.level, .index = 1};
    struct fold_node *parent = fold_go_on(&entry->fold);
    if (!parent) return;
    emit_node(step, EFFECT_MERGE, entry, left);
    emit_node(step, EFFECT_DELETE_NODE, entry, left);
    emit_node(step, EFFECT_DELETE_NODE, entry, right);
    emit_node(step, EFFECT_STORE_NODE, entry, parent->place);
    parent->stored = true;
    step->core->uncommitted = true;
}

/* A result that is on disk already is the right one: the verdict is the same as when it was made. */
static void stop(struct step *step, struct entry *entry)
{
    if (entry->fold.count > 1) {
        emit_node(step, EFFECT_DELETE_OTHERS, entry, fold_checkpoint(&entry->fold));
        step->core->uncommitted = true;
    }
    fold_stop(&entry->fold);
    entry->complete = !digest_is_zero(&entry->result);
}

static void take_verdict(struct step *step)
{
    struct aggregator *core = step->core;
    struct entry *entry = catalog_find(&core->catalog, &step->event->sweep);
    assert(core->checking && entry && digest_equal(&core->checked, &entry->sweep));
    assert(!core->uncommitted && "the verdict comes before anything else");
    core->checking = false;
    if (step->event->fault) {
        put_off_work(step, entry);
        return;
    }
    entry->work_due_ms = entry->work_wait_ms = 0;
    if (entry->wanted) entry->report_due_ms = step->now_ms;
    if (step->event->met) stop(step, entry);
    else go_on(step, entry);
}

/* A node that cannot be read back is no longer held: its blocks are to be done again. */
static void take_damage(struct step *step)
{
    struct aggregator *core = step->core;
    struct entry *entry = catalog_find(&core->catalog, &step->event->sweep);
    if (!entry || !fold_drop(&entry->fold, step->event->place)) return;
    if (core->rendering && digest_equal(&core->rendered, &entry->sweep)) core->rendering = false;
    core->copying = false; /* it was being copied: something else may take its place */
    if (core->checking && digest_equal(&core->checked, &entry->sweep)) core->checking = false;
    emit_node(step, EFFECT_SET_ASIDE, entry, step->event->place);
    entry->complete = false;
    entry->result = (struct digest){{0}};
    struct aggregator_effect *effect = emit(step, EFFECT_STORE_RESULT);
    effect->sweep = entry->sweep;
    entry->report_due_ms = step->now_ms;
    core->uncommitted = true;
}

/* The broker speaks when it is asked: who was too busy to ask has not been met with silence. */
static uint64_t silence_due_ms(const struct aggregator *core)
{
    return core->asked_ms > 0 ? core->asked_ms + SILENCES * core->heartbeat_ms : UINT64_MAX;
}

static void ask_broker(struct step *step, enum aggregator_effect_kind kind)
{
    emit(step, kind);
    if (step->core->asked_ms == 0) step->core->asked_ms = step->now_ms;
}

static void keep_in_touch(struct step *step)
{
    struct aggregator *core = step->core;
    if (step->now_ms >= silence_due_ms(core)) {
        emit(step, EFFECT_RECONNECT);
        core->asked_ms = 0;
        say_hello_soon(core, step->now_ms);
    }
    if (!core->registered && step->now_ms >= core->hello_due_ms) {
        ask_broker(step, EFFECT_HELLO);
        core->hello_due_ms = step->now_ms + core->hello_wait_ms;
        core->hello_wait_ms = least(core->hello_wait_ms * 2, HELLO_MOST_MS);
    }
    if (core->registered && step->now_ms >= core->heartbeat_due_ms) {
        ask_broker(step, EFFECT_HEARTBEAT);
        core->heartbeat_due_ms = step->now_ms + core->heartbeat_ms;
    }
}

/* Asks again for what is still needed, and forgets names that nobody needs any more. */
static void fetch_due(struct step *step)
{
    struct aggregator *core = step->core;
    for (size_t at = core->catalog.count; at-- > 0;) {
        struct entry *entry = &core->catalog.entries[at];
        bool nameless = entry->stage == ENTRY_NAMED || entry->stage == ENTRY_REFUSED;
        bool needed = is_needed(entry, step->now_ms);
        if (!needed) entry->asked_until_ms = 0;
        if (nameless && !needed && !core->uncommitted && core->answer_count == 0) catalog_remove(&core->catalog, entry);
        else if (needs_fetch(entry) && needed && core->registered && entry->fetch_due_ms <= step->now_ms &&
                 step->effects->count < AGGREGATOR_EFFECTS_MAX / 2)
            fetch(step, entry);
    }
}

static void take_tick(struct step *step)
{
    keep_in_touch(step);
    fetch_due(step);
    tell(step);
}

/* ---- the interface ---- */

struct aggregator *aggregator_new(const struct aggregator_config *config)
{
    struct aggregator *core = calloc(1, sizeof *core);
    if (!core) return NULL;
    core->config = *config;
    core->heartbeat_ms = HEARTBEAT_MS;
    core->hello_wait_ms = HELLO_FIRST_MS;
    catalog_init(&core->catalog, AGGREGATOR_SWEEPS_MAX);
    return core;
}

void aggregator_free(struct aggregator *core)
{
    if (!core) return;
    catalog_free(&core->catalog);
    free(core);
}

bool aggregator_load_sweep(struct aggregator *core, const struct digest *sweep, const struct facts *facts,
                           const struct digest *population, bool population_held, const struct digest *result)
{
    if (facts->blocks < 1 || facts->blocks > FOLD_BLOCKS_MAX || catalog_find(&core->catalog, sweep)) return false;
    struct entry *entry = catalog_add(&core->catalog, sweep);
    if (!entry) return false;
    entry->stage = population_held ? ENTRY_READY : ENTRY_READ;
    entry->population = *population;
    entry->result = *result;
    entry->facts = *facts;
    fold_init(&entry->fold, facts->blocks, facts->full_blocks, facts->first_level);
    return true;
}

bool aggregator_load_node(struct aggregator *core, const struct digest *sweep, struct fold_place place)
{
    struct entry *entry = catalog_find(&core->catalog, sweep);
    if (!entry || !fold_restore(&entry->fold, place)) return false;
    entry->complete = !digest_is_zero(&entry->result) && fold_is_complete(&entry->fold);
    return true;
}

void aggregator_step(struct aggregator *core, const struct aggregator_event *event, struct aggregator_effects *effects)
{
    struct step step = {.core = core, .event = event, .effects = effects, .now_ms = event->now_ms};
    effects->count = 0;
    switch (event->kind) {
    case EVENT_BROKER:
        take_broker_message(&step);
        break;
    case EVENT_PEER:
        take_peer_message(&step);
        break;
    case EVENT_FLUSH:
        flush(&step);
        break;
    case EVENT_COMMITTED:
        take_commit(&step);
        break;
    case EVENT_RENDERED:
        take_table(&step);
        break;
    case EVENT_COPIED:
        take_copy(&step);
        break;
    case EVENT_CHECKED:
        take_verdict(&step);
        break;
    case EVENT_DAMAGED:
        take_damage(&step);
        break;
    case EVENT_TICK:
        take_tick(&step);
        break;
    }
}

static uint64_t entry_due_ms(const struct aggregator *core, const struct entry *entry)
{
    uint64_t due_ms = UINT64_MAX;
    if (can_report(entry) && core->registered && entry->report_due_ms != UINT64_MAX)
        due_ms = most(entry->report_due_ms, core->reports_after_ms);
    if (needs_fetch(entry) && core->registered && (entry->wanted || entry->asked_until_ms > 0))
        due_ms = least(due_ms, entry->fetch_due_ms);
    if ((entry->stage == ENTRY_NAMED || entry->stage == ENTRY_REFUSED) && !entry->wanted)
        due_ms = least(due_ms, entry->asked_until_ms);
    if (is_adopting(entry) && !is_at_work(core)) due_ms = 0;
    if ((lacks_table(entry) || is_at_checkpoint(entry)) && !is_at_work(core))
        due_ms = least(due_ms, entry->work_due_ms);
    return due_ms;
}

uint64_t aggregator_next_due_ms(const struct aggregator *core)
{
    uint64_t due_ms = core->registered ? core->heartbeat_due_ms : core->hello_due_ms;
    due_ms = least(due_ms, silence_due_ms(core));
    for (size_t at = 0; at < core->catalog.count; at++)
        due_ms = least(due_ms, entry_due_ms(core, &core->catalog.entries[at]));
    return due_ms;
}

bool aggregator_wants_payload(const struct aggregator *core, const struct digest *sweep, struct fold_place place)
{
    const struct entry *entry = catalog_find(&core->catalog, sweep);
    const char *why;
    return entry && entry->stage == ENTRY_READY && fold_judge(&entry->fold, place, &why) == FOLD_NEW;
}

size_t aggregator_waiting(const struct aggregator *core)
{
    return core->answer_count;
}

const struct fold *aggregator_fold(const struct aggregator *core, const struct digest *sweep)
{
    const struct entry *entry = catalog_find(&core->catalog, sweep);
    bool read = entry && (entry->stage == ENTRY_READ || entry->stage == ENTRY_READY);
    return read ? &entry->fold : NULL;
}

const struct catalog *aggregator_catalog(const struct aggregator *core)
{
    return &core->catalog;
}

bool aggregator_is_registered(const struct aggregator *core)
{
    return core->registered;
}

static void fill_hello(const struct aggregator *core, struct message *message)
{
    message->hello.role = ROLE_AGGREGATOR;
    message->hello.instance = core->config.instance;
    message->hello.encoding = SWEEP_ENCODING_LATEST;
    snprintf(message->hello.name, sizeof message->hello.name, "%s", core->config.name);
    snprintf(message->hello.program, sizeof message->hello.program, "goldthread-aggregator %s", GOLDTHREAD_VERSION);
    snprintf(message->hello.endpoint, sizeof message->hello.endpoint, "%s", core->config.endpoint);
}

static void fill_held(const struct aggregator *core, const struct aggregator_effect *effect, struct message *message)
{
    const struct entry *entry = catalog_find(&core->catalog, &effect->sweep);
    size_t from = 0;
    message->held.sweep = effect->sweep;
    message->held.complete = entry->complete;
    message->held.result = entry->complete ? entry->result : (struct digest){{0}};
    if (entry->fold.stopped) {
        message->held.count = 1; /* until it is complete, all are as good as held: nobody is to do the others */
        message->held.ranges[0] = (struct block_range){0, entry->complete ? entry->fold.covered : entry->fold.blocks};
    } else {
        message->held.count = (uint32_t)fold_ranges(&entry->fold, &from, message->held.ranges, MESSAGE_RANGES_MAX);
    }
}

static void fill_folded(const struct aggregator_effect *effect, struct message *message)
{
    message->folded.sweep = effect->sweep;
    message->folded.level = effect->place.level;
    message->folded.index = effect->place.index;
    message->folded.outcome = effect->outcome;
    snprintf(message->folded.text, sizeof message->folded.text, "%s", effect->text);
}

static void fill_outcome(const struct aggregator *core, const struct aggregator_effect *effect, struct message *message)
{
    const struct entry *entry = catalog_find(&core->catalog, &effect->sweep);
    message->outcome.sweep = effect->sweep;
    message->outcome.complete = entry && entry->complete;
    message->outcome.digest = message->outcome.complete ? entry->result : (struct digest){{0}};
    message->outcome.blocks = message->outcome.draws = 0;
    message->outcome.node = (struct span){NULL, 0};
}

void aggregator_message(const struct aggregator *core, const struct aggregator_effect *effect, struct message *message)
{
    switch (effect->kind) {
    case EFFECT_HELLO:
        message->kind = MESSAGE_HELLO;
        fill_hello(core, message);
        break;
    case EFFECT_HEARTBEAT:
        message->kind = MESSAGE_HEARTBEAT;
        message->heartbeat.room = message->heartbeat.token_count = 0;
        break;
    case EFFECT_FETCH:
        message->kind = MESSAGE_FETCH;
        message->fetch.item = effect->item;
        message->fetch.digest = effect->sweep;
        break;
    case EFFECT_HELD:
        message->kind = MESSAGE_HELD;
        fill_held(core, effect, message);
        break;
    case EFFECT_FOLDED:
        message->kind = MESSAGE_FOLDED;
        fill_folded(effect, message);
        break;
    case EFFECT_ERROR:
        message->kind = MESSAGE_ERROR;
        message->error.code = effect->error;
        snprintf(message->error.text, sizeof message->error.text, "%s", effect->text);
        break;
    case EFFECT_OUTCOME:
        message->kind = MESSAGE_OUTCOME;
        fill_outcome(core, effect, message);
        break;
    default:
        assert(0 && "an effect that is no message");
    }
}

static bool stores_are_sound(const struct aggregator *core)
{
    if (core->uncommitted) return true;
    for (size_t at = 0; at < core->catalog.count; at++) {
        const struct fold *fold = &core->catalog.entries[at].fold;
        for (size_t node = 0; node < fold->count; node++)
            if (!fold->held[node].stored) return false;
    }
    return true;
}

bool aggregator_is_sound(const struct aggregator *core)
{
    return catalog_is_sound(&core->catalog) && core->answer_count <= AGGREGATOR_ANSWERS_MAX && stores_are_sound(core);
}
