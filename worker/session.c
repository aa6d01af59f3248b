#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "node.h"
#include "stop.h"
#include "sweep_codec.h"

#define NO_PLACE UINT32_MAX

enum link_state {
    LINK_SILENT,  /* HELLO is to be said as soon as it can be */
    LINK_GREETED, /* HELLO was said */
    LINK_REFUSED, /* ... and answered by an ERROR: it is said again later */
    LINK_REGISTERED
};

struct held {       /* a lease */
    uint64_t token; /* 0: a free entry */
    uint32_t place;
    struct block_range blocks;
    uint64_t next; /* the first block that no part has been made of */
};

enum part_state { PART_FREE, PART_COMPUTING, PART_ABANDONED, PART_READY, PART_SENT };

struct part {
    enum part_state state;
    uint64_t token; /* of its lease, which may have ended */
    uint32_t place;
    struct digest sweep;
    uint32_t level;
    uint64_t index, compute_us;
    uint64_t due_ms;      /* SENT: send again, unless answered before */
    uint64_t patience_ms; /* how long the last send was given */
    uint64_t unknown_ms;  /* since when the aggregator has said that it does not know the sweep; 0: it has not */
};

enum sweep_stage { STAGE_FREE, STAGE_WANT_SWEEP, STAGE_WANT_POPULATION, STAGE_LOADED };

struct known { /* a sweep */
    enum sweep_stage stage;
    struct digest sweep, population;
    uint32_t first_level; /* of the stop rule's checkpoints: no part goes beyond the first of them */
    uint64_t full_blocks; /* a last block that is not full is a part by itself */
    uint64_t used;        /* the step that used it last */
    uint32_t level;       /* of the largest part computed so far ... */
    uint64_t bytes;       /* ... and its size; 0: none yet */
};

struct session {
    char name[MESSAGE_NAME_BYTES], program[MESSAGE_NAME_BYTES];
    uint64_t instance;
    struct digest built_in;
    char aggregator[MESSAGE_ENDPOINT_BYTES];
    bool aggregator_is_fixed, connected; /* connected: the shell was told to */
    enum link_state link;
    uint64_t heard_ms; /* last word of the broker, or when it was last greeted */
    uint64_t heartbeat_ms, beat_due_ms;
    struct held leases[SESSION_LEASES_MAX]; /* in the order in which they came; free entries last */
    uint32_t lease_count;
    struct part parts[SESSION_PARTS_MAX];
    struct known sweeps[SESSION_SWEEPS_MAX];
    uint32_t fetching; /* place of the sweep that a FETCH is out for, or NO_PLACE */
    uint64_t fetch_due_ms;
    uint64_t steps;
    bool leaving, left;   /* it takes nothing more; it has said GOODBYE */
    struct sweep decoded; /* scratch */
};

struct step {
    struct session *session;
    struct session_effects *effects;
    uint64_t now_ms;
};

static void copy_text(char *to, size_t capacity, const char *from)
{
    const size_t size = strnlen(from, capacity - 1);
    memcpy(to, from, size);
    to[size] = 0;
}

struct session *session_new(const struct session_setup *setup)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) return NULL;
    copy_text(session->name, sizeof session->name, setup->name);
    copy_text(session->program, sizeof session->program, setup->program);
    session->instance = setup->instance;
    session->built_in = setup->built_in_population;
    session->heartbeat_ms = SESSION_HEARTBEAT_MS;
    session->fetching = NO_PLACE;
    session->aggregator_is_fixed = setup->aggregator != NULL;
    if (setup->aggregator != NULL) copy_text(session->aggregator, sizeof session->aggregator, setup->aggregator);
    return session;
}

void session_free(struct session *session)
{
    free(session);
}

/* Effects */

static struct session_effect *emit(const struct step *step, enum session_effect_kind kind)
{
    assert(step->effects->count < SESSION_EFFECTS_MAX);
    struct session_effect *effect = &step->effects->list[step->effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}

static struct session_effect *send(const struct step *step, enum message_kind kind)
{
    struct session_effect *effect = emit(step, SESSION_SEND);
    effect->message = kind;
    return effect;
}

static void report_failure(const struct step *step, uint64_t token, const struct digest *sweep,
                           struct block_range blocks, enum message_cause cause, const char *text)
{
    struct session_effect *effect = send(step, MESSAGE_FAILED);
    effect->token = token;
    effect->digest = *sweep;
    effect->blocks = blocks;
    effect->cause = cause;
    copy_text(effect->text, sizeof effect->text, text);
}

static void beat(const struct step *step)
{
    send(step, MESSAGE_HEARTBEAT);
    step->session->beat_due_ms = step->now_ms + step->session->heartbeat_ms;
}

/* Leases and parts */

static struct held *find_lease(struct session *session, uint64_t token)
{
    for (uint32_t at = 0; at < session->lease_count; at++)
        if (session->leases[at].token == token) return &session->leases[at];
    return NULL;
}

static void forget_lease(struct session *session, struct held *lease)
{
    const size_t behind = (size_t)(&session->leases[session->lease_count] - (lease + 1));
    memmove(lease, lease + 1, behind * sizeof *lease);
    session->lease_count--;
}

static struct block_range blocks_of(const struct part *part)
{
    return (struct block_range){part->index << part->level, UINT64_C(1) << part->level};
}

static bool has_parts(const struct session *session, uint64_t token)
{
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++)
        if (session->parts[slot].state != PART_FREE && session->parts[slot].token == token) return true;
    return false;
}

static void free_part(const struct step *step, struct part *part)
{
    part->state = PART_FREE;
    emit(step, SESSION_DROP)->slot = (uint32_t)(part - step->session->parts);
}

/* A part that is being computed keeps its slot until the shell says that it is through. */
static void abandon_part(const struct step *step, struct part *part)
{
    if (part->state == PART_COMPUTING) {
        part->state = PART_ABANDONED;
        emit(step, SESSION_ABORT)->slot = (uint32_t)(part - step->session->parts);
    } else if (part->state == PART_READY || part->state == PART_SENT) {
        free_part(step, part);
    }
}

/* Ends a lease whose blocks all are reported. */
static void settle(struct session *session, uint64_t token)
{
    struct held *lease = find_lease(session, token);
    if (lease == NULL || has_parts(session, token)) return;
    if (lease->next == lease->blocks.first + lease->blocks.count) forget_lease(session, lease);
}

/* Fails a lease. Its parts that are on their way go on: blocks that are folded count whoever had them. */
static void fail_lease(const struct step *step, uint64_t token, struct block_range blocks, enum message_cause cause,
                       const char *text)
{
    struct held *lease = find_lease(step->session, token);
    if (lease == NULL) return;
    report_failure(step, token, &step->session->sweeps[lease->place].sweep, blocks, cause, text);
    forget_lease(step->session, lease);
}

/* Sweeps */

static uint32_t find_place(const struct session *session, const struct digest *sweep)
{
    for (uint32_t place = 0; place < SESSION_SWEEPS_MAX; place++)
        if (session->sweeps[place].stage != STAGE_FREE && digest_equal(&session->sweeps[place].sweep, sweep))
            return place;
    return NO_PLACE;
}

static bool place_is_used(const struct session *session, uint32_t place)
{
    for (uint32_t at = 0; at < session->lease_count; at++)
        if (session->leases[at].place == place) return true;
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++) {
        const enum part_state state = session->parts[slot].state;
        if ((state == PART_COMPUTING || state == PART_ABANDONED) && session->parts[slot].place == place) return true;
    }
    return false;
}

/* A place for one more sweep: the one unused for longest. At most SESSION_LEASES_MAX + 1 are in use. */
static uint32_t choose_place(const struct session *session)
{
    uint32_t best = NO_PLACE;
    for (uint32_t place = 0; place < SESSION_SWEEPS_MAX; place++) {
        if (place_is_used(session, place)) continue;
        if (best == NO_PLACE || session->sweeps[place].used < session->sweeps[best].used) best = place;
    }
    assert(best != NO_PLACE);
    return best;
}

_Static_assert(SESSION_SWEEPS_MAX > SESSION_LEASES_MAX + 1, "a place can always be found");

static uint32_t place_of(struct session *session, const struct digest *sweep)
{
    uint32_t place = find_place(session, sweep);
    if (place == NO_PLACE) {
        place = choose_place(session);
        if (place == session->fetching) session->fetching = NO_PLACE;
        session->sweeps[place] = (struct known){.stage = STAGE_WANT_SWEEP, .sweep = *sweep};
    }
    session->sweeps[place].used = session->steps;
    return place;
}

/* The sweep cannot be had: its leases fail, and it is asked for anew when it is leased again. */
static void fail_sweep(const struct step *step, uint32_t place, const char *text)
{
    struct session *session = step->session;
    for (uint32_t at = session->lease_count; at-- > 0;) {
        const struct held *lease = &session->leases[at];
        if (lease->place == place) fail_lease(step, lease->token, lease->blocks, CAUSE_ERROR, text);
    }
    session->sweeps[place].stage = STAGE_FREE;
}

static bool is_loading(const struct known *known)
{
    return known->stage == STAGE_WANT_SWEEP || known->stage == STAGE_WANT_POPULATION;
}

static void fetch(const struct step *step, uint32_t place)
{
    struct session *session = step->session;
    const struct known *known = &session->sweeps[place];
    struct session_effect *effect = send(step, MESSAGE_FETCH);
    effect->item = known->stage == STAGE_WANT_SWEEP ? ITEM_SWEEP : ITEM_POPULATION;
    effect->digest = known->stage == STAGE_WANT_SWEEP ? known->sweep : known->population;
    session->fetching = place;
    session->fetch_due_ms = step->now_ms + SESSION_FETCH_MS;
}

/* Asks for what the first lease lacks; one thing at a time, so that a refusal can be told. */
static void fetch_missing(const struct step *step)
{
    struct session *session = step->session;
    if (session->link != LINK_REGISTERED) return;
    if (session->fetching != NO_PLACE && session->fetch_due_ms > step->now_ms) return;
    session->fetching = NO_PLACE;
    for (uint32_t at = 0; at < session->lease_count; at++) {
        if (!is_loading(&session->sweeps[session->leases[at].place])) continue;
        fetch(step, session->leases[at].place);
        return;
    }
}

static void take_sweep(const struct step *step, uint32_t place, struct span bytes)
{
    struct session *session = step->session;
    struct known *known = &session->sweeps[place];
    const char *why = NULL;
    if (!sweep_decode(bytes, &session->decoded, &why)) {
        fail_sweep(step, place, why);
        return;
    }
    known->population = session->decoded.population;
    known->first_level = stop_first_level(&session->decoded);
    known->full_blocks = sweep_full_block_count(&session->decoded);
    known->stage = digest_equal(&known->population, &session->built_in) ? STAGE_LOADED : STAGE_WANT_POPULATION;
    struct session_effect *effect = emit(step, SESSION_LOAD_SWEEP);
    effect->place = place;
    effect->bytes = bytes;
}

static void take_population(const struct step *step, uint32_t place, struct span bytes)
{
    step->session->sweeps[place].stage = STAGE_LOADED;
    struct session_effect *effect = emit(step, SESSION_LOAD_POPULATION);
    effect->place = place;
    effect->bytes = bytes;
}

static void take_item(const struct step *step, const struct message *message)
{
    struct session *session = step->session;
    const uint32_t place = session->fetching;
    if (place == NO_PLACE) return;
    const struct known *known = &session->sweeps[place];
    const bool of_sweep = known->stage == STAGE_WANT_SWEEP;
    const struct digest *wanted = of_sweep ? &known->sweep : &known->population;
    const struct digest actual = digest_of(message->item.bytes);
    if (!is_loading(known) || !digest_equal(&actual, wanted)) return; /* an answer to an earlier question */
    session->fetching = NO_PLACE;
    if (of_sweep) take_sweep(step, place, message->item.bytes);
    else take_population(step, place, message->item.bytes);
}

/* Computing */

/* The level up to which parts of this sweep surely stay below SESSION_PART_BYTES: merging two parts at
 * most doubles their size. */
static uint32_t level_limit(const struct known *known)
{
    if (known->bytes == 0) return 0;
    uint32_t level = known->level;
    uint64_t bytes = known->bytes;
    for (; bytes * 2 <= SESSION_PART_BYTES && level < NODE_LEVEL_MAX; level++) bytes *= 2;
    for (; bytes > SESSION_PART_BYTES && level > 0; level--) bytes /= 2;
    return level;
}

/* The largest aligned subtree of full blocks that begins at the lease's next block, or that block. */
static uint32_t choose_level(const struct session *session, const struct held *lease)
{
    const struct known *known = &session->sweeps[lease->place];
    const uint64_t last = lease->blocks.first + lease->blocks.count;
    const uint64_t end = last < known->full_blocks ? last : known->full_blocks;
    const uint64_t rest = end > lease->next ? end - lease->next : 0;
    uint32_t limit = level_limit(known), level = 0;
    if (lease->next == 0 && known->first_level < limit) limit = known->first_level;
    while (level < limit && lease->next % (UINT64_C(2) << level) == 0 && UINT64_C(2) << level <= rest) level++;
    return level;
}

static struct part *find_free_part(struct session *session)
{
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++)
        if (session->parts[slot].state == PART_FREE) return &session->parts[slot];
    return NULL;
}

static bool is_computing(const struct session *session)
{
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++)
        if (session->parts[slot].state == PART_COMPUTING || session->parts[slot].state == PART_ABANDONED) return true;
    return false;
}

static void compute(const struct step *step, struct held *lease, struct part *part)
{
    struct session *session = step->session;
    struct known *known = &session->sweeps[lease->place];
    const uint32_t level = choose_level(session, lease);
    known->used = session->steps;
    *part = (struct part){.state = PART_COMPUTING,
                          .token = lease->token,
                          .place = lease->place,
                          .sweep = known->sweep,
                          .level = level,
                          .index = lease->next >> level};
    lease->next += UINT64_C(1) << level;
    struct session_effect *effect = emit(step, SESSION_COMPUTE);
    effect->slot = (uint32_t)(part - session->parts);
    effect->place = part->place;
    effect->level = level;
    effect->index = part->index;
}

static void compute_next(const struct step *step)
{
    struct session *session = step->session;
    struct part *part = find_free_part(session);
    if (part == NULL || is_computing(session)) return;
    for (uint32_t at = 0; at < session->lease_count; at++) {
        struct held *lease = &session->leases[at];
        if (lease->next == lease->blocks.first + lease->blocks.count) continue;
        if (session->sweeps[lease->place].stage != STAGE_LOADED) continue;
        compute(step, lease, part);
        return;
    }
}

static void take_computed(const struct step *step, const struct session_event *event)
{
    struct session *session = step->session;
    assert(event->slot < SESSION_PARTS_MAX);
    struct part *part = &session->parts[event->slot];
    struct known *known = &session->sweeps[part->place];
    if (part->state == PART_ABANDONED) {
        free_part(step, part);
        if (session->link == LINK_REGISTERED) beat(step); /* there is room again */
    } else if (event->computed.failure != NULL) {
        const struct block_range failed = {event->computed.failed_block, 1};
        free_part(step, part);
        fail_lease(step, part->token, failed, event->computed.unfit ? CAUSE_UNFIT : CAUSE_ERROR,
                   event->computed.failure);
    } else {
        part->state = PART_READY;
        part->compute_us = event->computed.compute_us;
        if (part->level >= known->level || known->bytes == 0) {
            known->level = part->level;
            known->bytes = event->computed.bytes;
        }
    }
}

/* The aggregator */

static void send_part(const struct step *step, struct part *part)
{
    part->state = PART_SENT;
    part->patience_ms = part->patience_ms == 0 ? SESSION_RESEND_MS : part->patience_ms * 2;
    if (part->patience_ms > SESSION_RESEND_MAX_MS) part->patience_ms = SESSION_RESEND_MAX_MS;
    part->due_ms = step->now_ms + part->patience_ms;
    struct session_effect *effect = emit(step, SESSION_SEND_PART);
    effect->message = MESSAGE_PARTIAL;
    effect->slot = (uint32_t)(part - step->session->parts);
    effect->digest = part->sweep;
    effect->level = part->level;
    effect->index = part->index;
}

static void send_parts(const struct step *step)
{
    struct session *session = step->session;
    if (!session->connected) return;
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++) {
        struct part *part = &session->parts[slot];
        const bool late = part->state == PART_SENT && part->due_ms <= step->now_ms;
        if (part->state == PART_READY || late) send_part(step, part);
    }
}

static void resend_all(struct session *session)
{
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++) {
        struct part *part = &session->parts[slot];
        if (part->state != PART_SENT) continue;
        part->state = PART_READY;
        part->patience_ms = 0;
    }
}

static void use_aggregator(const struct step *step, const char *endpoint)
{
    struct session *session = step->session;
    if (endpoint[0] == 0) return;
    if (session->connected && (session->aggregator_is_fixed || strcmp(endpoint, session->aggregator) == 0)) return;
    if (!session->aggregator_is_fixed) copy_text(session->aggregator, sizeof session->aggregator, endpoint);
    session->connected = true;
    resend_all(session);
    emit(step, SESSION_CONNECT);
}

static struct part *find_sent(struct session *session, const struct message *message)
{
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++) {
        struct part *part = &session->parts[slot];
        if (part->state == PART_SENT && part->level == message->folded.level && part->index == message->folded.index &&
            digest_equal(&part->sweep, &message->folded.sweep))
            return part;
    }
    return NULL;
}

static void report_done(const struct step *step, const struct part *part)
{
    struct session_effect *effect = send(step, MESSAGE_DONE);
    effect->token = part->token;
    effect->digest = part->sweep;
    effect->blocks = blocks_of(part);
    effect->compute_us = part->compute_us;
}

/* The aggregator asks the broker for the sweep. When both have forgotten it nobody ever will take the
 * part, and it must not keep its slot and its lease for ever. False: it has waited long enough. */
static bool wait_for_sweep(const struct step *step, struct part *part)
{
    if (part->unknown_ms == 0) part->unknown_ms = step->now_ms;
    const uint64_t waited_ms = step->now_ms - part->unknown_ms;
    part->due_ms = step->now_ms + SESSION_UNKNOWN_MS + waited_ms / 4;
    part->patience_ms = 0;
    return waited_ms < SESSION_UNKNOWN_MAX_MS;
}

static void take_folded(const struct step *step, const struct message *message)
{
    struct part *part = find_sent(step->session, message);
    if (part == NULL) return; /* the answer to a part that was sent twice */
    const uint64_t token = part->token;
    switch (message->folded.outcome) {
    case FOLD_NEW:
    case FOLD_DUPLICATE:
        report_done(step, part);
        break;
    case FOLD_OVERLAP:
        fail_lease(step, token, blocks_of(part), CAUSE_OVERLAP, message->folded.text);
        break;
    case FOLD_UNKNOWN_SWEEP:
        if (wait_for_sweep(step, part)) return;
        fail_lease(step, token, blocks_of(part), CAUSE_SHUTDOWN, "the aggregator cannot get the sweep");
        break;
    case FOLD_REFUSED:
        fail_lease(step, token, blocks_of(part), CAUSE_ERROR, message->folded.text);
        break;
    }
    free_part(step, part);
    settle(step->session, token);
}

/* The broker */

static void say_hello(const struct step *step)
{
    step->session->link = LINK_GREETED;
    step->session->heard_ms = step->now_ms;
    send(step, MESSAGE_HELLO);
}

static void take_welcome(const struct step *step, const struct message *message)
{
    struct session *session = step->session;
    const bool registers = session->link != LINK_REGISTERED;
    session->link = LINK_REGISTERED;
    if (message->welcome.heartbeat_ms > 0) session->heartbeat_ms = message->welcome.heartbeat_ms;
    use_aggregator(step, message->welcome.aggregator);
    if (registers) {
        session->fetching = NO_PLACE; /* what was asked on another connection is not answered on this one */
        beat(step);
    }
}

static void take_lease(const struct step *step, const struct message *message)
{
    struct session *session = step->session;
    const struct block_range blocks = message->lease.blocks;
    if (find_lease(session, message->lease.token) != NULL) return;
    if (session->leaving) {
        report_failure(step, message->lease.token, &message->lease.sweep, blocks, CAUSE_SHUTDOWN, "the worker leaves");
        return;
    }
    if (session->lease_count == SESSION_LEASES_MAX || blocks.count == 0) {
        report_failure(step, message->lease.token, &message->lease.sweep, blocks, CAUSE_SHUTDOWN, "too many leases");
        return;
    }
    const uint32_t place = place_of(session, &message->lease.sweep);
    session->leases[session->lease_count++] = (struct held){message->lease.token, place, blocks, blocks.first};
}

static void take_cancel(const struct step *step, const struct message *message)
{
    struct session *session = step->session;
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++)
        if (digest_equal(&session->parts[slot].sweep, &message->cancel.sweep))
            abandon_part(step, &session->parts[slot]);
    for (uint32_t at = session->lease_count; at-- > 0;)
        if (digest_equal(&session->sweeps[session->leases[at].place].sweep, &message->cancel.sweep))
            forget_lease(session, &session->leases[at]);
}

/* Others stand idle. What waits only for its sweep to be fetched is as good as begun: whoever got it would
 * have to fetch that too. */
static void take_recall(const struct step *step, uint64_t token)
{
    struct session *session = step->session;
    struct held *lease = find_lease(session, token);
    if (lease == NULL || is_loading(&session->sweeps[lease->place])) return;
    const uint64_t begun = lease->next - lease->blocks.first;
    const struct block_range rest = {lease->next, lease->blocks.count - begun};
    if (rest.count == 0) return;
    struct session_effect *effect = send(step, MESSAGE_RETURNED);
    effect->token = token;
    effect->digest = session->sweeps[lease->place].sweep;
    effect->blocks = rest;
    lease->blocks.count = begun;
    settle(session, token);
}

/* Only a HELLO or a FETCH that is refused needs anything done. */
static void take_error(const struct step *step, const struct message *message)
{
    struct session *session = step->session;
    const uint32_t place = session->fetching;
    if (session->link == LINK_GREETED) session->link = LINK_REFUSED;
    const bool of_fetch = message->error.code == ERROR_UNKNOWN || message->error.code == ERROR_STORE;
    if (place == NO_PLACE || !of_fetch) return;
    session->fetching = NO_PLACE;
    fail_sweep(step, place, message->error.text);
}

static void take_from_broker(const struct step *step, const struct message *message)
{
    step->session->heard_ms = step->now_ms;
    switch (message->kind) {
    case MESSAGE_WELCOME:
        take_welcome(step, message);
        break;
    case MESSAGE_STRANGER:
        /* Several may be under way; one HELLO answers them all. */
        if (step->session->link == LINK_REGISTERED) say_hello(step);
        break;
    case MESSAGE_LEASE:
        take_lease(step, message);
        break;
    case MESSAGE_CANCEL:
        take_cancel(step, message);
        break;
    case MESSAGE_RECALL:
        take_recall(step, message->recall.token);
        break;
    case MESSAGE_DRAIN:
        step->session->leaving = true;
        break;
    case MESSAGE_ITEM:
        take_item(step, message);
        break;
    case MESSAGE_ERROR:
        take_error(step, message);
        break;
    default:
        break;
    }
}

static uint64_t silence_due_ms(const struct session *session)
{
    return session->heard_ms + SESSION_SILENCE * session->heartbeat_ms;
}

/* A socket that was cut off may reconnect by itself, but to a broker that does not know it. So nothing
 * of the old one is kept, unless the broker did answer; what is leased goes on being computed. */
static void keep_in_touch(const struct step *step)
{
    struct session *session = step->session;
    if (session->link != LINK_SILENT && silence_due_ms(session) <= step->now_ms) {
        if (session->link != LINK_REFUSED) emit(step, SESSION_RECONNECT);
        say_hello(step);
    }
    if (session->link == LINK_REGISTERED && session->beat_due_ms <= step->now_ms) beat(step);
}

static void take_unsent(const struct step *step, const struct session_event *event)
{
    struct session *session = step->session;
    const struct session_effect *unsent = event->unsent;
    if (unsent->kind == SESSION_SEND && unsent->message == MESSAGE_HELLO) session->link = LINK_SILENT;
    if (unsent->kind != SESSION_SEND_PART) return;
    struct part *part = &session->parts[unsent->slot];
    if (part->state == PART_SENT && event->hopeless) {
        free_part(step, part);
        fail_lease(step, part->token, blocks_of(part), CAUSE_ERROR, "the result of one block is too large to send");
    }
}

static void take_writable(const struct step *step, enum session_peer peer)
{
    if (peer == SESSION_BROKER && step->session->link == LINK_SILENT) say_hello(step);
    if (peer == SESSION_AGGREGATOR) resend_all(step->session);
}

static void hand_back(const struct step *step)
{
    struct session *session = step->session;
    if (session->left) return;
    while (session->lease_count > 0) {
        const struct held lease = session->leases[0];
        fail_lease(step, lease.token, lease.blocks, CAUSE_SHUTDOWN, "the worker stops");
    }
    send(step, MESSAGE_GOODBYE);
}

/* A drained worker leaves once nothing of what it took is left to be told. */
static void leave_when_done(const struct step *step)
{
    struct session *session = step->session;
    if (!session->leaving || session->left || session->lease_count > 0) return;
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++)
        if (session->parts[slot].state != PART_FREE) return;
    send(step, MESSAGE_GOODBYE);
    session->left = true;
}

void session_step(struct session *session, const struct session_event *event, struct session_effects *effects)
{
    const struct step step = {session, effects, event->now_ms};
    effects->count = 0;
    session->steps++;
    switch (event->kind) {
    case SESSION_MESSAGE:
        if (event->peer == SESSION_BROKER) take_from_broker(&step, event->message);
        else if (event->message->kind == MESSAGE_FOLDED) take_folded(&step, event->message);
        break;
    case SESSION_WRITABLE:
        take_writable(&step, event->peer);
        break;
    case SESSION_UNSENT:
        take_unsent(&step, event);
        return; /* nothing new can be done before the peer is back */
    case SESSION_COMPUTED:
        take_computed(&step, event);
        break;
    case SESSION_TICK:
        if (session->steps == 1) {
            use_aggregator(&step, session->aggregator);
            say_hello(&step);
        }
        keep_in_touch(&step);
        break;
    case SESSION_STOP:
        hand_back(&step);
        return;
    }
    fetch_missing(&step);
    compute_next(&step);
    send_parts(&step);
    leave_when_done(&step);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t session_next_due_ms(const struct session *session)
{
    uint64_t due_ms = UINT64_MAX;
    if (session->steps == 0) return 0;
    if (session->link != LINK_SILENT) due_ms = sooner(due_ms, silence_due_ms(session));
    if (session->link == LINK_REGISTERED) due_ms = sooner(due_ms, session->beat_due_ms);
    if (session->link == LINK_REGISTERED && session->fetching != NO_PLACE)
        due_ms = sooner(due_ms, session->fetch_due_ms); /* nothing is asked again before that */
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++)
        if (session->parts[slot].state == PART_SENT) due_ms = sooner(due_ms, session->parts[slot].due_ms);
    return due_ms;
}

/* Messages from the state */

static void compose_hello(const struct session *session, struct message *message)
{
    message->hello.role = ROLE_WORKER;
    message->hello.instance = session->instance;
    message->hello.endpoint[0] = 0;
    message->hello.encoding = SWEEP_ENCODING_LATEST;
    copy_text(message->hello.name, sizeof message->hello.name, session->name);
    copy_text(message->hello.program, sizeof message->hello.program, session->program);
}

/* What was abandoned may be a block that does not end, and nothing else is computed before it does. */
static bool has_room(const struct session *session)
{
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++)
        if (session->parts[slot].state == PART_ABANDONED) return false;
    return !session->leaving && session->lease_count < SESSION_ROOM;
}

static void compose_heartbeat(const struct session *session, struct message *message)
{
    message->heartbeat.token_count = session->lease_count;
    for (uint32_t at = 0; at < session->lease_count; at++) message->heartbeat.tokens[at] = session->leases[at].token;
    message->heartbeat.room = has_room(session) ? SESSION_ROOM - session->lease_count : 0;
}

static void compose_failed(const struct session_effect *effect, struct message *message)
{
    message->failed.token = effect->token;
    message->failed.sweep = effect->digest;
    message->failed.blocks = effect->blocks;
    message->failed.cause = effect->cause;
    copy_text(message->failed.text, sizeof message->failed.text, effect->text);
}

void session_compose(const struct session *session, const struct session_effect *effect, struct message *message)
{
    message->kind = effect->message;
    switch (effect->message) {
    case MESSAGE_HELLO:
        compose_hello(session, message);
        break;
    case MESSAGE_HEARTBEAT:
        compose_heartbeat(session, message);
        break;
    case MESSAGE_FETCH:
        message->fetch.item = effect->item;
        message->fetch.digest = effect->digest;
        break;
    case MESSAGE_DONE:
        message->done.token = effect->token;
        message->done.sweep = effect->digest;
        message->done.blocks = effect->blocks;
        message->done.compute_us = effect->compute_us;
        break;
    case MESSAGE_RETURNED:
        message->returned.token = effect->token;
        message->returned.sweep = effect->digest;
        message->returned.blocks = effect->blocks;
        break;
    case MESSAGE_FAILED:
        compose_failed(effect, message);
        break;
    case MESSAGE_PARTIAL:
        message->partial.sweep = effect->digest;
        message->partial.level = effect->level;
        message->partial.index = effect->index;
        message->partial.node = (struct span){0};
        break;
    default:
        assert(effect->message == MESSAGE_GOODBYE);
    }
}

const char *session_aggregator(const struct session *session)
{
    return session->aggregator;
}

bool session_is_registered(const struct session *session)
{
    return session->link == LINK_REGISTERED;
}

bool session_has_left(const struct session *session)
{
    return session->left;
}

size_t session_lease_count(const struct session *session)
{
    return session->lease_count;
}
