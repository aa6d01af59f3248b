/* The invariants of the broker's state. */
#include "digest.h"
#include "state.h"

static bool lease_is_sound(const struct broker *broker, const struct lease *lease)
{
    const struct worker *worker = &broker->roster.slots[lease->worker];
    uint32_t times = 0;
    for (uint32_t at = 0; at < worker->lease_count; at++) times += worker->leases[at] == lease->token;
    return times == 1 && !peer_is_nobody(&worker->peer) && lease_find(&broker->leases, lease->token) == lease &&
           lease->sweep < broker->sweep_count && range_inside(lease->blocks, broker->sweeps[lease->sweep].blocks);
}

/* Lent blocks that are not done; false: two leases share a block, or a block is lent but not taken. */
static bool count_lent(const struct broker *broker, const struct ledger *ledger, uint64_t *lent, uint32_t *leases)
{
    struct range_set seen = {0};
    bool sound = true;
    *lent = *leases = 0;
    for (const struct lease *lease = lease_first(&broker->leases); lease != NULL;
         lease = lease_next(&broker->leases, lease)) {
        if (&broker->sweeps[lease->sweep] != ledger) continue;
        sound = sound && range_overlap(&seen, lease->blocks) == 0 && range_add(&seen, lease->blocks) &&
                range_overlap(&ledger->taken, lease->blocks) == lease->blocks.count;
        *lent += lease->blocks.count - range_overlap(&ledger->done, lease->blocks);
        ++*leases;
    }
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
        if (!lease_is_sound(broker, lease)) return false;
    for (const struct worker *worker = roster_first(&broker->roster); worker != NULL;
         worker = roster_next(&broker->roster, worker), workers++)
        held += worker->lease_count;
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        if (!sweep_is_sound(broker, &broker->sweeps[at])) return false;
    return leases == broker->leases.count && held == leases && workers == broker->roster.count;
}
