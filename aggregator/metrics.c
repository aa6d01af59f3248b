#include "metrics.h"

#include <inttypes.h>

#include "digest.h"

#define NAME(name) "goldthread_aggregator_" name

#define STAGES (ENTRY_REFUSED + 1)

static const char *const stage_names[STAGES] = {
    [ENTRY_NAMED] = "named", [ENTRY_READ] = "fetching", [ENTRY_READY] = "ready", [ENTRY_REFUSED] = "refused"};

static const char *const outcome_names[FOLD_REFUSED + 1] = {[FOLD_NEW] = "new",
                                                            [FOLD_DUPLICATE] = "duplicate",
                                                            [FOLD_OVERLAP] = "overlap",
                                                            [FOLD_UNKNOWN_SWEEP] = "unknown_sweep",
                                                            [FOLD_REFUSED] = "refused"};

void aggregator_observe(const struct aggregator *core, struct aggregator_snapshot *snapshot)
{
    const struct catalog *catalog = aggregator_catalog(core);
    snapshot->registered = aggregator_is_registered(core);
    snapshot->nodes = 0;
    snapshot->sweep_count = (uint32_t)catalog->count;
    for (size_t at = 0; at < catalog->count; at++) {
        const struct entry *entry = &catalog->entries[at];
        snapshot->sweeps[at] = (struct held_view){.sweep = entry->sweep,
                                                  .result = entry->result,
                                                  .stage = entry->stage,
                                                  .wanted = entry->wanted,
                                                  .complete = entry->complete,
                                                  .blocks = entry->fold.blocks,
                                                  .covered = entry->fold.covered,
                                                  .nodes = entry->fold.count};
        snapshot->nodes += entry->fold.count;
    }
}

/* Prometheus */

#define NUMBER(name, help, field)                                                                                      \
    {                                                                                                                  \
        NAME(name), help, offsetof(struct aggregator_snapshot, field)                                                  \
    }

static const struct exposed numbers[] = {
    NUMBER("partial_bytes_total", "Bytes of the partials received.", counters.partial_bytes),
    NUMBER("results_total", "Results and estimates sent to clients.", counters.results),
    NUMBER("renders_failed_total", "Tables of finished sweeps that could not be made.", counters.renders_failed),
    NUMBER("damaged_rows_total", "Rows of the store that could not be read back.", counters.damaged),
    NUMBER("nodes", "Nodes held, of all sweeps.", nodes),
    NUMBER("cache_bytes", "Memory of the nodes that need not be read back.", cache_bytes),
    NUMBER("cache_nodes", "Nodes that need not be read back.", cache_nodes),
    NUMBER("store_commits", "Commits ever made to this store.", store_commits),
};

static void expose_partials(const struct aggregator_snapshot *snapshot, struct buffer *out)
{
    const char *name = NAME("partials_total");
    expose_family(out, name, "counter", "Partials answered, by outcome.");
    for (size_t at = FOLD_NEW; at <= FOLD_REFUSED; at++)
        expose_labelled(out, name, "outcome", outcome_names[at], snapshot->counters.partials[at]);
}

static void expose_sweeps(const struct aggregator_snapshot *snapshot, struct buffer *out)
{
    uint64_t counts[STAGES] = {0}, complete = 0, covered = 0;
    const char *name = NAME("sweeps");
    for (uint32_t at = 0; at < snapshot->sweep_count; at++) {
        counts[snapshot->sweeps[at].stage]++;
        complete += snapshot->sweeps[at].complete;
        covered += snapshot->sweeps[at].covered;
    }
    expose_family(out, name, "gauge", "Sweeps that are known, by state.");
    for (size_t stage = 0; stage < STAGES; stage++) {
        const uint64_t others = stage == ENTRY_READY ? complete : 0;
        expose_labelled(out, name, "state", stage_names[stage], counts[stage] - others);
    }
    expose_labelled(out, name, "state", "complete", complete);
    expose_number(out, NAME("blocks"), "Blocks inside the nodes held, of all sweeps.", covered);
}

void aggregator_metrics(const void *source, uint64_t age_ms, struct buffer *out)
{
    const struct aggregator_snapshot *snapshot = source;
    expose_server(out, NAME(""), snapshot->uptime_ms, age_ms);
    expose_number(out, NAME("registered"), "1 while the broker knows this aggregator.", snapshot->registered);
    expose_table(out, numbers, sizeof numbers / sizeof *numbers, snapshot);
    expose_partials(snapshot, out);
    expose_sweeps(snapshot, out);
    expose_histogram(out, NAME("commit_seconds"), "Time that commits of the store took.", &snapshot->counters.commits);
    expose_histogram(out, NAME("render_seconds"), "Time that tables of finished sweeps took.",
                     &snapshot->counters.renders);
    expose_traffic(out, NAME(""), &snapshot->traffic);
}

/* JSON */

static void put_sweep(const struct held_view *view, struct buffer *out)
{
    char hex[DIGEST_HEX_BYTES], result[DIGEST_HEX_BYTES] = "";
    digest_to_hex(&view->sweep, hex);
    if (view->complete) digest_to_hex(&view->result, result);
    expose(out, "{\"sweep\": \"%s\", \"state\": \"%s\", \"wanted\": %s, ", hex,
           view->complete ? "complete" : stage_names[view->stage], view->wanted ? "true" : "false");
    expose(out, "\"blocks\": %" PRIu64 ", \"held\": %" PRIu64 ", \"nodes\": %" PRIu64 ", ", view->blocks, view->covered,
           view->nodes);
    expose(out, "\"progress\": %.6f, \"result\": \"%s\"}",
           view->blocks > 0 ? (double)view->covered / (double)view->blocks : 0, result);
}

void aggregator_status(const void *source, uint64_t age_ms, struct buffer *out)
{
    const struct aggregator_snapshot *snapshot = source;
    expose(out, "{\"program\": \"goldthread-aggregator\", \"version\": \"%s\", ", GOLDTHREAD_VERSION);
    expose(out, "\"uptime_ms\": %" PRIu64 ", \"age_ms\": %" PRIu64 ", \"registered\": %s, ", snapshot->uptime_ms,
           age_ms, snapshot->registered ? "true" : "false");
    expose(out, "\"nodes\": %" PRIu64 ", \"cache_bytes\": %" PRIu64 ", \"store_commits\": %" PRIu64 ",\n\"sweeps\": [",
           snapshot->nodes, snapshot->cache_bytes, snapshot->store_commits);
    for (uint32_t at = 0; at < snapshot->sweep_count; at++) {
        expose(out, at > 0 ? ",\n" : "\n");
        put_sweep(&snapshot->sweeps[at], out);
    }
    expose(out, "]}\n");
}
