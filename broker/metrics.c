#include "metrics.h"

#include <inttypes.h>
#include <string.h>

#include "digest.h"
#include "state.h"

#define NAME(name) "goldthread_broker_" name

static const char *const state_names[BROKER_SWEEP_STATES] = {
    [SWEEP_RUNNING] = "running", [SWEEP_PAUSED] = "paused",       [SWEEP_DONE] = "done",
    [SWEEP_FAILED] = "failed",   [SWEEP_CANCELLED] = "cancelled", [SWEEP_STALLED] = "stalled",
};

static const char *const worker_names[BROKER_WORKER_STATES] = {
    [WORKER_IDLE] = "idle", [WORKER_BUSY] = "busy", [WORKER_DRAINING] = "draining", [WORKER_UNREACHED] = "unreached"};

static const char *const cause_names[CAUSE_UNFIT + 1] = {
    [CAUSE_ERROR] = "error", [CAUSE_OVERLAP] = "overlap", [CAUSE_SHUTDOWN] = "shutdown", [CAUSE_UNFIT] = "unfit"};

/* Observing */

static uint64_t since(uint64_t now_ms, uint64_t then_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

static void view_sweep(const struct broker *broker, const struct ledger *ledger, uint64_t now_ms,
                       struct sweep_view *view)
{
    /* A sweep that was read back has waited since the first step; before it nothing could be done. */
    const uint64_t progress_ms = ledger->progress_ms > 0 ? ledger->progress_ms : broker->began_ms;
    const bool waits = ledger->state == SWEEP_RUNNING && progress_ms > 0;
    *view = (struct sweep_view){.sweep = ledger->sweep,
                                .state = ledger->state,
                                .draws = ledger->draws,
                                .scenarios = ledger->scenarios,
                                .blocks = ledger->blocks,
                                .ready = ledger_ready(ledger),
                                .leased = ledger_leased(ledger),
                                .done = ledger->done.total,
                                .parked = ledger->parked_count,
                                .block_us = ledger->block_us,
                                .stalled_ms = waits ? since(now_ms, progress_ms) : 0,
                                .blocks_per_s = meter_rate(ledger->meter, now_ms)};
    memcpy(view->name, ledger->name, sizeof view->name);
}

static void view_worker(const struct worker *worker, uint64_t now_ms, struct worker_view *view)
{
    *view = (struct worker_view){.state = worker_state_of(worker),
                                 .leases = worker->lease_count,
                                 .blocks_done = worker->blocks_done,
                                 .silent_ms = since(now_ms, worker->seen_ms),
                                 .blocks_per_s = meter_rate(worker->meter, now_ms)};
    memcpy(view->name, worker->name, sizeof view->name);
}

void broker_observe(const struct broker *broker, uint64_t now_ms, struct broker_snapshot *snapshot)
{
    const struct roster *roster = &broker->roster;
    snapshot->counters = broker->counters;
    snapshot->aggregator = !peer_is_nobody(&broker->aggregator.peer);
    memcpy(snapshot->endpoint, broker->endpoint, sizeof snapshot->endpoint);
    snapshot->wanted_workers = broker_wanted_workers(broker);
    snapshot->leases = broker->leases.count;
    snapshot->sweep_count = broker->sweep_count;
    for (uint32_t at = 0; at < broker->sweep_count; at++)
        view_sweep(broker, &broker->sweeps[at], now_ms, &snapshot->sweeps[at]);
    snapshot->worker_count = 0;
    for (const struct worker *worker = roster_first(roster); worker != NULL; worker = roster_next(roster, worker))
        view_worker(worker, now_ms, &snapshot->workers[snapshot->worker_count++]);
}

/* Prometheus */

#define COUNTER(name, help, field)                                                                                     \
    {                                                                                                                  \
        NAME(name), help, offsetof(struct broker_snapshot, field)                                                      \
    }

static const struct exposed numbers[] = {
    COUNTER("sweeps_accepted_total", "Sweeps that were new when they were submitted.", counters.sweeps_accepted),
    COUNTER("sweeps_forgotten_total", "Sweeps that had ended and made room for others.", counters.sweeps_forgotten),
    COUNTER("leases_granted_total", "Leases lent to workers.", counters.leases_granted),
    COUNTER("leases_lapsed_total", "Leases that ran out without a heartbeat.", counters.leases_lapsed),
    COUNTER("leases_copied_total", "Late leases lent to another worker as well.", counters.leases_copied),
    COUNTER("leases_recalled_total", "Late leases whose unbegun rest was called back.", counters.leases_recalled),
    COUNTER("leases", "Leases that are out.", leases),
    COUNTER("blocks_done_total", "Blocks that became done.", counters.blocks_done),
    COUNTER("blocks_lost_total", "Blocks that were done and that the aggregator no longer holds.",
            counters.blocks_lost),
    COUNTER("workers_joined_total", "Workers that registered.", counters.workers_joined),
    COUNTER("workers_lost_total", "Workers that left without a word.", counters.workers_lost),
    COUNTER("wanted_workers", "Workers that would be of use now, those that are here included.", wanted_workers),
};

static void expose_failures(const struct broker_snapshot *snapshot, struct buffer *out)
{
    const char *name = NAME("blocks_failed_total");
    expose_family(out, name, "counter", "Blocks that workers gave back undone, by cause.");
    for (size_t cause = CAUSE_ERROR; cause <= CAUSE_UNFIT; cause++)
        expose_labelled(out, name, "cause", cause_names[cause], snapshot->counters.blocks_failed[cause]);
}

static void expose_sweeps(const struct broker_snapshot *snapshot, struct buffer *out)
{
    uint64_t counts[BROKER_SWEEP_STATES] = {0};
    const char *name = NAME("sweeps");
    for (uint32_t at = 0; at < snapshot->sweep_count; at++) counts[snapshot->sweeps[at].state]++;
    expose_family(out, name, "gauge", "Sweeps that are kept, by state.");
    for (size_t state = 0; state < BROKER_SWEEP_STATES; state++)
        if (state_names[state] != NULL) expose_labelled(out, name, "state", state_names[state], counts[state]);
}

/* Every block of every sweep is in exactly one of the states. */
static void expose_blocks(const struct broker_snapshot *snapshot, struct buffer *out)
{
    uint64_t blocks = 0, ready = 0, leased = 0, done = 0, parked = 0;
    const char *name = NAME("blocks");
    for (uint32_t at = 0; at < snapshot->sweep_count; at++) {
        const struct sweep_view *view = &snapshot->sweeps[at];
        blocks += view->blocks;
        ready += view->ready;
        leased += view->leased;
        done += view->done;
        parked += view->parked;
    }
    expose_family(out, name, "gauge", "Blocks of the sweeps that are kept, by state.");
    expose_labelled(out, name, "state", "ready", ready);
    expose_labelled(out, name, "state", "leased", leased);
    expose_labelled(out, name, "state", "done", done);
    expose_labelled(out, name, "state", "parked", parked);
    expose_labelled(out, name, "state", "stopped", blocks - ready - leased - done - parked);
}

static void expose_workers(const struct broker_snapshot *snapshot, struct buffer *out)
{
    uint64_t counts[BROKER_WORKER_STATES] = {0};
    const char *name = NAME("workers");
    for (uint32_t at = 0; at < snapshot->worker_count; at++) counts[snapshot->workers[at].state]++;
    expose_family(out, name, "gauge", "Workers that are registered, by state.");
    for (size_t state = WORKER_IDLE; state < BROKER_WORKER_STATES; state++)
        expose_labelled(out, name, "state", worker_names[state], counts[state]);
}

static void expose_stall(const struct broker_snapshot *snapshot, struct buffer *out)
{
    uint64_t longest_ms = 0;
    for (uint32_t at = 0; at < snapshot->sweep_count; at++)
        if (snapshot->sweeps[at].stalled_ms > longest_ms) longest_ms = snapshot->sweeps[at].stalled_ms;
    expose_number(out, NAME("stalled_seconds"), "Longest time that a running sweep has had no block done.",
                  longest_ms / 1000);
}

void broker_metrics(const void *source, uint64_t age_ms, struct buffer *out)
{
    const struct broker_snapshot *snapshot = source;
    expose_server(out, NAME(""), snapshot->uptime_ms, age_ms);
    expose_table(out, numbers, sizeof numbers / sizeof *numbers, snapshot);
    expose_failures(snapshot, out);
    expose_sweeps(snapshot, out);
    expose_blocks(snapshot, out);
    expose_workers(snapshot, out);
    expose_stall(snapshot, out);
    expose_number(out, NAME("aggregators"), "Aggregators that are registered: 0 or 1.", snapshot->aggregator);
    expose_histogram(out, NAME("journal_commit_seconds"), "Time that commits of the journal took.", &snapshot->commits);
    expose_traffic(out, NAME(""), &snapshot->traffic);
}

/* JSON */

static void put_sweep(const struct sweep_view *view, struct buffer *out)
{
    char hex[DIGEST_HEX_BYTES];
    const char *state = state_names[view->state];
    digest_to_hex(&view->sweep, hex);
    expose(out, "{\"sweep\": \"%s\", \"name\": ", hex);
    expose_json_text(out, view->name);
    expose(out, ", \"state\": \"%s\", \"draws\": %" PRIu64 ", \"scenarios\": %" PRIu64 ", \"blocks\": %" PRIu64,
           state != NULL ? state : "other", view->draws, view->scenarios, view->blocks);
    expose(out, ", \"ready\": %" PRIu64 ", \"leased\": %" PRIu64 ", \"done\": %" PRIu64 ", \"parked\": %" PRIu64,
           view->ready, view->leased, view->done, view->parked);
    expose(out, ", \"progress\": %.6f, \"blocks_per_s\": %.3f, \"block_us\": %" PRIu64 ", \"stalled_ms\": %" PRIu64 "}",
           view->blocks > 0 ? (double)view->done / (double)view->blocks : 0, view->blocks_per_s, view->block_us,
           view->stalled_ms);
}

static void put_worker(const struct worker_view *view, struct buffer *out)
{
    expose(out, "{\"name\": ");
    expose_json_text(out, view->name);
    expose(out, ", \"state\": \"%s\", \"leases\": %" PRIu32 ", \"blocks_done\": %" PRIu64, worker_names[view->state],
           view->leases, view->blocks_done);
    expose(out, ", \"blocks_per_s\": %.3f, \"silent_ms\": %" PRIu64 "}", view->blocks_per_s, view->silent_ms);
}

void broker_status(const void *source, uint64_t age_ms, struct buffer *out)
{
    const struct broker_snapshot *snapshot = source;
    expose(out, "{\"program\": \"goldthread-broker\", \"version\": \"%s\", ", GOLDTHREAD_VERSION);
    expose(out, "\"uptime_ms\": %" PRIu64 ", \"age_ms\": %" PRIu64 ", \"aggregator\": ", snapshot->uptime_ms, age_ms);
    expose_json_text(out, snapshot->aggregator ? snapshot->endpoint : "");
    expose(out, ", \"wanted_workers\": %" PRIu64 ", \"leases\": %" PRIu64 ",\n\"sweeps\": [", snapshot->wanted_workers,
           snapshot->leases);
    for (uint32_t at = 0; at < snapshot->sweep_count; at++) {
        expose(out, at > 0 ? ",\n" : "\n");
        put_sweep(&snapshot->sweeps[at], out);
    }
    expose(out, "],\n\"workers\": [");
    for (uint32_t at = 0; at < snapshot->worker_count; at++) {
        expose(out, at > 0 ? ",\n" : "\n");
        put_worker(&snapshot->workers[at], out);
    }
    expose(out, "]}\n");
}
