/* The invariants of the broker's state. */
#include "digest.h"
#include "lending.h"

static bool lease_is_sound(const struct broker *broker, const struct lease *lease)
{
    const struct worker *worker = &broker->roster.slots[lease->worker];
    uint32_t times = 0;
    for (uint32_t at = 0; at < worker->lease_count; at++) times += worker->leases[at] == lease->token;
    return times == 1 && !peer_is_nobody(&worker->peer) && lease_find(&broker->leases, lease->token) == lease &&
           lease->sweep < broker->sweep_count && range_inside(lease->blocks, broker->sweeps[lease->sweep].blocks) &&
           lease->moved_ms >= lease->granted_ms && lease->copies <= LENDING_COPIES_MAX;
}

/* Two leases of the same blocks know each other, and their workers have nothing else to begin. */
static bool twin_is_sound(const struct broker *broker, const struct lease *lease)
{
    if (lease->twin == 0) return true;
    const struct lease *twin = lease_find(&broker->leases, lease->twin);
    return twin != NULL && twin->twin == lease->token && twin->sweep == lease->sweep && twin->worker != lease->worker &&
           twin->copies == lease->copies && lease->copies > 0 && broker->roster.slots[lease->worker].alone;
}

/* How many blocks of the lease its twin has too, if that one was lent before. */
static uint64_t count_shared(const struct broker *broker, const struct lease *lease)
{
    const struct lease *twin = lease_find(&broker->leases, lease->twin);
    return twin != NULL && twin->token < lease->token ? range_common(lease->blocks, twin->blocks).count : 0;
}

/* Adds up one half of the leases: the first ones of their blocks, or the copies of late ones. */
static bool add_lent(const struct broker *broker, const struct ledger *ledger, bool copies, struct range_set *seen,
                     uint32_t *leases)
{
    bool sound = true;
    for (const struct lease *lease = lease_first(&broker->leases); lease != NULL;
         lease = lease_next(&broker->leases, lease)) {
        const bool is_copy = lease->twin != 0 && lease->twin < lease->token;
        if (&broker->sweeps[lease->sweep] != ledger || is_copy != copies) continue;
        sound = sound && range_overlap(seen, lease->blocks) == count_shared(broker, lease) &&
                range_add(seen, lease->blocks) && range_overlap(&ledger->taken, lease->blocks) == lease->blocks.count;
        ++*leases;
    }
    return sound;
}

/* Lent blocks that are not done; false: two leases share a block and are no twins, or a block is lent but not
 * taken. */
static bool count_lent(const struct broker *broker, const struct ledger *ledger, uint64_t *lent, uint32_t *leases)
{
    struct range_set seen = {0};
    *lent = *leases = 0;
    const bool sound = add_lent(broker, ledger, false, &seen, leases) && add_lent(broker, ledger, true, &seen, leases);
    for (size_t at = 0; at < seen.count; at++)
        *lent += seen.items[at].count - range_overlap(&ledger->done, seen.items[at]);
    range_free(&seen);
    return sound;
}

/* What is set aside or parked is taken, and neither done nor each other. */
static bool suspects_are_sound(const struct ledger *ledger)
{
    for (size_t at = 0; at < ledger->aside.count; at++) {
        const struct block_range blocks = ledger->aside.items[at];
        if (range_overlap(&ledger->taken, blocks) != blocks.count || range_overlap(&ledger->done, blocks) > 0)
            return false;
    }
    for (uint32_t at = 0; at < ledger->parked_count; at++) {
        const struct block_range block = {ledger->parked[at].block, 1};
        if (range_overlap(&ledger->taken, block) != 1 || range_overlap(&ledger->done, block) > 0 ||
            range_overlap(&ledger->aside, block) > 0)
            return false;
        for (uint32_t other = 0; other < at; other++)
            if (ledger->parked[other].block == block.first) return false;
    }
    return true;
}

static bool sweep_is_sound(const struct broker *broker, const struct ledger *ledger)
{
    uint64_t lent;
    uint32_t leases;
    if (!count_lent(broker, ledger, &lent, &leases) || leases != ledger->leases) return false;
    for (size_t at = 0; at < ledger->done.count; at++)
        if (range_overlap(&ledger->taken, ledger->done.items[at]) != ledger->done.items[at].count) return false;
    const uint64_t ready = ledger->blocks - ledger->taken.total + ledger->aside.total;
    return suspects_are_sound(ledger) && ledger_leased(ledger) == lent && ledger->taken.total <= ledger->blocks &&
           ready + lent + ledger->parked_count + ledger->done.total == ledger->blocks &&
           (ledger->state != SWEEP_DONE || ledger->done.total == ledger->blocks);
}

bool broker_is_sound(const struct broker *broker)
{
    size_t leases = 0, workers = 0, held = 0;
    for (const struct lease *lease = lease_first(&broker->leases); lease != NULL;
         lease = lease_next(&broker->leases, lease), leases++)
        if (!lease_is_sound(broker, lease) || !twin_is_sound(broker, lease)) return false;
    for (const struct worker *worker = roster_first(&broker->roster); worker != NULL;
         worker = roster_next(&broker->roster, worker), workers++)
        held += worker->lease_count;
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (!sweep_is_sound(broker, &broker->sweeps[at])) return false;
    return leases == broker->leases.count && held == leases && workers == broker->roster.count;
}
