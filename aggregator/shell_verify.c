#include "shell_verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator.h"
#include "cache.h"
#include "digest.h"
#include "shell_payload.h"
#include "shell_plans.h"
#include "shell_store.h"
#include "sweep_codec.h"

#define CACHE_BYTES (64u << 20)
#define LINE_BYTES  1024

struct finished {
    struct digest sweep, result;
};

struct look {
    const char *models;
    database_tell *tell, *note;
    void *context;
    int64_t damages;
    struct verify_summary *summary;
    struct payloads payloads;
    struct aggregator *core;
    struct sweep *scratch;
    struct finished *finished; /* owned */
    size_t finished_count, finished_room;
    struct digest noted; /* the sweep without a plan that was told of last */
};

static void tell(struct look *look, const char *what)
{
    look->damages++;
    look->tell(look->context, what);
}

static void tell_sweep(struct look *look, database_tell *to, const struct digest *sweep, const char *what)
{
    char line[LINE_BYTES], hex[DIGEST_HEX_BYTES];
    digest_to_hex(sweep, hex);
    snprintf(line, sizeof line, "sweep %s: %s", hex, what);
    if (to == look->tell) look->damages++;
    to(look->context, line);
}

static bool note_finished(struct look *look, const struct digest *sweep, const struct digest *result)
{
    if (look->finished_count == look->finished_room) {
        size_t room = look->finished_room * 2 + 16;
        struct finished *grown = realloc(look->finished, room * sizeof *grown);
        if (!grown) return false;
        look->finished = grown;
        look->finished_room = room;
    }
    look->finished[look->finished_count++] = (struct finished){*sweep, *result};
    return true;
}

static bool visit_sweep(void *context, const struct digest *sweep, const struct digest *population,
                        bool population_held, const struct digest *result, struct span bytes, const char **why)
{
    struct look *look = context;
    if (!sweep_decode(bytes, look->scratch, why)) return false;
    *why = "out of memory";
    if (!digest_is_zero(result) && !note_finished(look, sweep, result)) return false;
    look->summary->sweeps++;
    bool held = population_held || digest_equal(population, plans_built_in(look->payloads.plans));
    *why = "there is no room for one more sweep";
    const struct facts facts = facts_of(look->scratch);
    return aggregator_load_sweep(look->core, sweep, &facts, population, held, result);
}

/* Without a plan there is nothing to hold the node against; the sweep is then named once. */
static bool has_plan(struct look *look, const struct digest *sweep)
{
    if (plans_get(look->payloads.plans, sweep, look->payloads.why, sizeof look->payloads.why)) return true;
    if (!digest_equal(&look->noted, sweep)) tell_sweep(look, look->note, sweep, look->payloads.why);
    look->noted = *sweep;
    return false;
}

static bool visit_node(void *context, const struct digest *sweep, struct fold_place place, const char **why)
{
    struct look *look = context;
    struct buffer bytes = {0};
    look->summary->nodes++;
    *why = "it does not fit beside the other nodes of its sweep";
    if (!aggregator_load_node(look->core, sweep, place)) return false;
    if (!has_plan(look, sweep)) return true;
    struct node *node = NULL;
    if (store_get_node(look->payloads.store, sweep, place, &bytes) == STORE_FOUND)
        node = payload_read(&look->payloads, sweep, place, buffer_span(&bytes));
    else snprintf(look->payloads.why, sizeof look->payloads.why, "it is not found by its key");
    buffer_free(&bytes);
    *why = look->payloads.why;
    bool sound = node != NULL;
    node_free(node);
    return sound;
}

static void visit_damage(void *context, const char *what)
{
    tell(context, what);
}

/* Every block is there, or those up to a checkpoint at which the stop rule is met. */
static bool has_ended(struct look *look, const struct digest *sweep, const struct fold *fold)
{
    bool met = false;
    if (fold->covered == fold->blocks) return true;
    if (fold->count != 1 || !fold_is_at_checkpoint(fold)) return false;
    return payload_check(&look->payloads, sweep, fold_checkpoint(fold), &met) == PAYLOAD_OK && met;
}

/* The table is made again from the nodes: nothing that it depends on has changed. */
static void check_result(struct look *look, const struct finished *finished)
{
    struct digest digest;
    const struct fold *fold = aggregator_fold(look->core, &finished->sweep);
    if (!fold || !has_plan(look, &finished->sweep)) return;
    if (!has_ended(look, &finished->sweep, fold)) {
        tell_sweep(look, look->tell, &finished->sweep, "it has a result, and not all of its blocks");
        return;
    }
    if (payload_digest(&look->payloads, &finished->sweep, fold, &digest) != PAYLOAD_OK)
        tell_sweep(look, look->tell, &finished->sweep, look->payloads.why);
    else if (!digest_equal(&digest, &finished->result))
        tell_sweep(look, look->tell, &finished->sweep, "its nodes give another digest than it has");
}

static bool look_at(struct look *look, struct store *store, char *why, size_t why_bytes)
{
    const struct store_visitor visitor = {
        .context = look, .sweep = visit_sweep, .node = visit_node, .damage = visit_damage};
    struct aggregator_config config = {.name = "verify"};
    look->payloads.store = store;
    look->payloads.plans = plans_new(store, look->models);
    look->payloads.cache = cache_new(CACHE_BYTES);
    look->scratch = malloc(sizeof *look->scratch);
    snprintf(why, why_bytes, "out of memory");
    if (!look->payloads.plans || !look->payloads.cache || !look->scratch) return false;
    config.built_in = *plans_built_in(look->payloads.plans);
    look->core = aggregator_new(&config);
    if (!look->core) return false;
    look->damages += (int64_t)store_check(store, look->tell, look->context);
    if (!store_load(store, &visitor)) tell(look, store_why(store));
    for (size_t at = 0; at < look->finished_count; at++) check_result(look, &look->finished[at]);
    look->summary->store = store_identity(store);
    look->summary->commits = store_commits(store);
    look->summary->witness = *store_witness(store);
    return true;
}

int64_t verify_store(const char *folder, const char *models, database_tell *tell_damage, database_tell *note,
                     void *context, struct verify_summary *summary, char *why, size_t why_bytes)
{
    bool damaged;
    struct look look = {.models = models, .tell = tell_damage, .note = note, .context = context, .summary = summary};
    *summary = (struct verify_summary){0};
    struct store *store = store_inspect(folder, &damaged, why, why_bytes);
    bool looked = damaged;
    if (store) looked = look_at(&look, store, why, why_bytes);
    else if (damaged) tell(&look, why);
    aggregator_free(look.core);
    buffer_free(&look.payloads.bytes);
    cache_free(look.payloads.cache);
    plans_free(look.payloads.plans);
    store_close(store);
    free(look.scratch);
    free(look.finished);
    return looked ? look.damages : -1;
}
