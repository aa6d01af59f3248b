/* One step of the broker's core, and what its rooms say through it. Only for the files of the core. */
#pragma once

#include <assert.h>
#include <string.h>

#include "state.h"

/* Effects that one message may need besides what `pump` adds; pump leaves so much room. */
#define EFFECTS_OF_MESSAGE 32

/* What one step works with. */
struct step {
    struct broker *broker;
    struct broker_effects *effects;
    uint64_t now_ms;
    struct peer from;
    const char *holder; /* the name of the sender's key; empty: none */
    bool own_only;      /* the sender may change its own sweeps only */
};

static inline uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline struct broker_effect *emit(const struct step *step, enum broker_effect_kind kind)
{
    struct broker_effects *effects = step->effects;
    assert(effects->count < BROKER_EFFECTS_MAX);
    struct broker_effect *effect = &effects->list[effects->count++];
    *effect = (struct broker_effect){.kind = kind};
    return effect;
}

static inline bool has_room(const struct step *step)
{
    return step->effects->count + EFFECTS_OF_MESSAGE <= BROKER_EFFECTS_MAX;
}

static inline struct broker_effect *send_to(const struct step *step, const struct peer *to, enum message_kind kind)
{
    struct broker_effect *effect = emit(step, BROKER_SEND);
    effect->send.to = *to;
    effect->send.kind = kind;
    return effect;
}

static inline void note(const struct step *step, enum broker_note kind, const char *name, const struct digest *sweep,
                        struct block_range blocks)
{
    struct broker_effect *effect = emit(step, BROKER_NOTE);
    effect->note.note = kind;
    effect->note.blocks = blocks;
    memcpy(effect->note.name, name, strnlen(name, sizeof effect->note.name - 1));
    if (sweep != NULL) effect->sweep = *sweep;
}

static inline void note_sweep(const struct step *step, enum broker_note kind, const struct ledger *ledger)
{
    note(step, kind, ledger->name, &ledger->sweep, (struct block_range){0});
}

/* The sweep starts or stops being open to work: the aggregator is told, and leases are called back. */
static inline void change_state(const struct step *step, struct ledger *ledger, enum sweep_state state)
{
    ledger->state = state;
    ledger->progress_ms = step->now_ms;
    step->broker->aggregator.wanted_due = true;
    step->broker->recall_due = true;
    emit(step, BROKER_KEEP_STATE)->sweep = ledger->sweep;
}
