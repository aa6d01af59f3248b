#include "shell_plans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "plugin.h"
#include "population.h"
#include "population_codec.h"
#include "sweep_codec.h"

struct open_plan {
    struct sweep sweep; /* the plan borrows it, and the population */
    struct population *population;
    struct plugin *plugin; /* NULL: a built-in model */
    struct plan *plan;
    struct digest id;
    uint64_t used; /* larger: later */
};

struct plans {
    struct store *store; /* borrowed */
    const char *models;  /* borrowed */
    struct population *built_in;
    struct digest built_in_id;
    uint64_t uses;
    struct open_plan *open[PLANS_MAX]; /* owned; NULL where free */
};

struct plans *plans_new(struct store *store, const char *models)
{
    struct plans *plans = calloc(1, sizeof *plans);
    if (!plans) return NULL;
    plans->store = store;
    plans->models = models;
    plans->built_in = population_built_in();
    if (!plans->built_in) {
        free(plans);
        return NULL;
    }
    plans->built_in_id = population_identity(plans->built_in);
    return plans;
}

static void close_plan(struct plans *plans, struct open_plan *open)
{
    if (!open) return;
    plan_free(open->plan);
    plugin_close(open->plugin);
    if (open->population != plans->built_in) population_free(open->population);
    free(open);
}

void plans_free(struct plans *plans)
{
    if (!plans) return;
    for (size_t at = 0; at < PLANS_MAX; at++) close_plan(plans, plans->open[at]);
    population_free(plans->built_in);
    free(plans);
}

const struct digest *plans_built_in(const struct plans *plans)
{
    return &plans->built_in_id;
}

static bool read_sweep(struct plans *plans, struct open_plan *open, char *why, size_t why_bytes)
{
    struct buffer bytes = {0};
    const char *fault = store_why(plans->store);
    bool read = store_get_sweep(plans->store, &open->id, &bytes) == STORE_FOUND &&
                sweep_decode(buffer_span(&bytes), &open->sweep, &fault);
    if (!read) snprintf(why, why_bytes, "%s", fault);
    buffer_free(&bytes);
    return read;
}

static bool read_population(struct plans *plans, struct open_plan *open, char *why, size_t why_bytes)
{
    if (digest_equal(&open->sweep.population, &plans->built_in_id)) {
        open->population = plans->built_in;
        return true;
    }
    struct buffer bytes = {0};
    const char *fault = store_why(plans->store);
    if (store_get_population(plans->store, &open->sweep.population, &bytes) == STORE_FOUND)
        open->population = population_decode(buffer_span(&bytes), &fault);
    if (!open->population) snprintf(why, why_bytes, "%s", fault);
    buffer_free(&bytes);
    return open->population != NULL;
}

/* Tallies of another model version, or of blocks of another size, must not be mixed into ours. */
static bool make_plan(const struct plans *plans, struct open_plan *open, char *why, size_t why_bytes)
{
    struct sweep *sweep = &open->sweep;
    const struct model *model = plugin_find(plans->models, sweep, &open->plugin, why, why_bytes);
    if (!model) return false;
    uint32_t draws_per_block = sweep->draws_per_block;
    open->plan = plan_new(sweep, open->population, model, why, why_bytes);
    if (!open->plan) return false;
    if (sweep->draws_per_block == draws_per_block) return true;
    snprintf(why, why_bytes, "the sweep has %u draws in a block; this program would make it %u", draws_per_block,
             sweep->draws_per_block);
    return false;
}

static struct open_plan *open_plan(struct plans *plans, const struct digest *sweep, char *why, size_t why_bytes)
{
    struct open_plan *open = calloc(1, sizeof *open);
    if (!open) {
        snprintf(why, why_bytes, "out of memory for a plan");
        return NULL;
    }
    open->id = *sweep;
    if (read_sweep(plans, open, why, why_bytes) && read_population(plans, open, why, why_bytes) &&
        make_plan(plans, open, why, why_bytes))
        return open;
    close_plan(plans, open);
    return NULL;
}

/* The sweep's place, or the one to put it in: a free one, or that used longest ago. */
static struct open_plan **place_of(struct plans *plans, const struct digest *sweep)
{
    struct open_plan **oldest = &plans->open[0];
    for (size_t at = 0; at < PLANS_MAX; at++) {
        struct open_plan **place = &plans->open[at];
        if (*place && digest_equal(&(*place)->id, sweep)) return place;
        if (*oldest && (!*place || (*place)->used < (*oldest)->used)) oldest = place;
    }
    return oldest;
}

const struct plan *plans_get(struct plans *plans, const struct digest *sweep, char *why, size_t why_bytes)
{
    struct open_plan **place = place_of(plans, sweep);
    if (!*place || !digest_equal(&(*place)->id, sweep)) {
        struct open_plan *open = open_plan(plans, sweep, why, why_bytes);
        if (!open) return NULL;
        close_plan(plans, *place);
        *place = open;
    }
    (*place)->used = ++plans->uses;
    return (*place)->plan;
}
