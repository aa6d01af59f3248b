#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "lending.h"

#define ID_SHOWN 12 /* digits of a sweep's id that people need to find it by */

struct line_out {
    char *text;
    size_t bytes;
};

static void say(const struct line_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct line_out *out, const char *format, ...)
{
    const size_t used = strlen(out->text);
    va_list values;
    va_start(values, format);
    vsnprintf(out->text + used, out->bytes - used, format, values);
    va_end(values);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void say_blocks(const struct line_out *out, uint64_t count)
{
    say(out, "%llu block%s", (unsigned long long)count, plural(count));
}

/* What the workers do. */
struct crew {
    uint64_t draining, unreached;
    uint64_t readers;   /* can read the sweep */
    uint64_t holders;   /* hold a lease of the sweep */
    uint64_t oldest_ms; /* how long its oldest lease has been lent */
};

static struct crew look_at_workers(const struct broker *broker, const struct ledger *ledger)
{
    struct crew crew = {0};
    for (const struct worker *worker = roster_first(&broker->roster); worker != NULL;
         worker = roster_next(&broker->roster, worker)) {
        bool holds = false;
        for (uint32_t at = 0; at < worker->lease_count; at++) {
            const struct lease *lease = lease_find(&broker->leases, worker->leases[at]);
            if (lease == NULL || &broker->sweeps[lease->sweep] != ledger) continue;
            const uint64_t age_ms = broker->now_ms - lease->granted_ms;
            if (age_ms > crew.oldest_ms) crew.oldest_ms = age_ms;
            holds = true;
        }
        crew.holders += holds;
        crew.readers += lending_worker_reads(worker, ledger);
        crew.draining += worker_state_of(worker) == WORKER_DRAINING;
        crew.unreached += worker_state_of(worker) == WORKER_UNREACHED;
    }
    return crew;
}

static bool goes_before(const struct ledger *rival, const struct ledger *ledger)
{
    return rival->tenant_at == ledger->tenant_at && rival->priority > ledger->priority;
}

/* The sweep that keeps the workers busy: one that goes before this one, else the one with most leases. */
static const struct ledger *find_rival(const struct broker *broker, const struct ledger *ledger)
{
    const struct ledger *best = NULL;
    for (uint32_t at = 0; at < broker->sweep_count; at++) {
        const struct ledger *rival = &broker->sweeps[at];
        if (rival == ledger || rival->leases == 0) continue;
        const bool before = goes_before(rival, ledger), best_before = best != NULL && goes_before(best, ledger);
        if (best != NULL && before < best_before) continue;
        if (best == NULL || before > best_before || rival->leases > best->leases) best = rival;
    }
    return best;
}

static bool explain_ended(const struct line_out *out, const struct ledger *ledger)
{
    char hex[DIGEST_HEX_BYTES];
    switch (ledger->state) {
    case SWEEP_DONE:
        digest_to_hex(&ledger->result, hex);
        say(out, "done: %s; digest %s", *ledger->text ? ledger->text : "every block is folded", hex);
        return true;
    case SWEEP_CANCELLED:
        say(out, "cancelled with %llu of ", (unsigned long long)ledger->done.total);
        say_blocks(out, ledger->blocks);
        say(out, " done");
        return true;
    case SWEEP_FAILED:
        say(out, "failed: %s", ledger->text);
        return true;
    default:
        return false;
    }
}

static bool explain_stopped(const struct line_out *out, const struct ledger *ledger)
{
    char parked[MESSAGE_TEXT_BYTES];
    switch (ledger->state) {
    case SWEEP_PAUSED:
        say(out, "paused: nothing of it is lent until it is resumed");
        if (ledger_leased(ledger) == 0) return true;
        say(out, "; ");
        say_blocks(out, ledger_leased(ledger));
        say(out, " lent before");
        return true;
    case SWEEP_STALLED:
        ledger_describe_parked(ledger, parked, sizeof parked);
        say(out, "stalled: %s", parked);
        return true;
    default:
        return false;
    }
}

/* Blocks that anybody could be lent, and nothing of the sweep is lent. */
static bool is_unserved(const struct ledger *ledger)
{
    return ledger->leases == 0 && ledger->taken.total < ledger->blocks;
}

static bool explain_absence(const struct line_out *out, const struct broker *broker, const struct ledger *ledger,
                            const struct crew *crew)
{
    if (peer_is_nobody(&broker->aggregator.peer)) {
        say(out, "no aggregator is registered");
        return true;
    }
    if (!lending_aggregator_reads(broker, ledger)) {
        say(out, "the aggregator here does not read it: encoding %u of sweeps needs a newer one", ledger->encoding);
        return true;
    }
    if (ledger->done.total == ledger->blocks) return false; /* nobody is wanted */
    const uint64_t count = broker->roster.count;
    if (count == 0) {
        say(out, "no workers are registered");
        return true;
    }
    if (crew->readers == 0) {
        say(out, "no worker here reads it: encoding %u of sweeps needs newer ones", ledger->encoding);
        return true;
    }
    if (!is_unserved(ledger) || crew->draining + crew->unreached < count) return false;
    say(out, "no worker takes blocks: %llu draining, %llu not reached", (unsigned long long)crew->draining,
        (unsigned long long)crew->unreached);
    return true;
}

static bool explain_turn(const struct line_out *out, const struct broker *broker, const struct ledger *ledger)
{
    if (!is_unserved(ledger) || roster_waiting(&broker->roster, 0) != NULL) return false;
    const struct ledger *rival = find_rival(broker, ledger);
    if (rival == NULL) return false;
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(&rival->sweep, hex);
    say(out, "the workers are busy with sweep %.*s (%s), ", ID_SHOWN, hex, rival->name);
    if (goes_before(rival, ledger))
        say(out, "which goes first: priority %u, this one %u", rival->priority, ledger->priority);
    else say(out, "which has its share: weight %u, this one %u", rival->weight, ledger->weight);
    return true;
}

static bool explain_suspects(const struct line_out *out, const struct ledger *ledger)
{
    if (ledger->leases > 0 || ledger->taken.total < ledger->blocks || ledger->aside.total == 0) return false;
    const struct fault *fault = ledger_find_fault(ledger, (struct block_range){ledger->aside.items[0].first, 1});
    say_blocks(out, ledger->aside.total);
    say(out, " failed and wait%s to be tried again", ledger->aside.total == 1 ? "s" : "");
    if (fault != NULL) say(out, "; block %llu: %s", (unsigned long long)ledger->aside.items[0].first, fault->why);
    return true;
}

static bool explain_lent(const struct line_out *out, const struct ledger *ledger, double per_s, const struct crew *crew)
{
    const uint64_t leased = ledger_leased(ledger);
    if (leased == 0 || (ledger_ready(ledger) > 0 && per_s > 0)) return false;
    say_blocks(out, leased);
    say(out, " leased to %llu worker%s, the oldest for %.1f s", (unsigned long long)crew->holders,
        plural(crew->holders), (double)crew->oldest_ms / 1000);
    return true;
}

static void explain_progress(const struct line_out *out, const struct ledger *ledger, double per_s)
{
    const uint64_t left = ledger->blocks - ledger->done.total - ledger->parked_count;
    say(out, "progressing: ");
    if (per_s > 0) say(out, "%.1f blocks/s over the last %u s", per_s, METER_WINDOW_MS / 1000);
    else say(out, "nothing measured yet");
    say(out, "; %llu of ", (unsigned long long)left);
    say_blocks(out, ledger->blocks);
    say(out, " left");
}

static void explain_running(const struct line_out *out, const struct broker *broker, const struct ledger *ledger)
{
    const struct crew crew = look_at_workers(broker, ledger);
    const double per_s = meter_rate(ledger->meter, broker->now_ms);
    if (explain_absence(out, broker, ledger, &crew) || explain_turn(out, broker, ledger)) return;
    if (ledger->done.total == ledger->blocks) {
        say(out, "every block is done: waiting for the aggregator to report completion");
        return;
    }
    if (!explain_suspects(out, ledger) && !explain_lent(out, ledger, per_s, &crew))
        explain_progress(out, ledger, per_s);
    if (ledger->parked_count > 0) say(out, "; %u parked", ledger->parked_count);
}

/* What workers say of failures is text of any kind. */
static void keep_on_one_line(char *text)
{
    for (; *text != 0; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = ' ';
}

void explain_sweep(const struct broker *broker, const struct ledger *ledger, char *text, size_t text_bytes)
{
    const struct line_out out = {text, text_bytes};
    text[0] = 0;
    if (!explain_ended(&out, ledger) && !explain_stopped(&out, ledger)) explain_running(&out, broker, ledger);
    keep_on_one_line(text);
}
