/* The aggregator's store (aggregator/shell_store.h) and plans (shell_plans.h) on the virtual disk, so that
 * the shell's own handling of payloads runs on them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "shell_plans.h"
#include "support_nodes.h"
#include "support_store.h"

struct sweep_row { /* what stands before the sweep's bytes */
    struct digest population, result;
};

static struct disk_key key_of(enum disk_table table, const struct digest *id)
{
    return (struct disk_key){.table = table, .id = *id};
}

static struct disk_key node_key(const struct digest *sweep, struct fold_place place)
{
    return (struct disk_key){.table = TABLE_NODE, .id = *sweep, .a = place.level, .b = place.index};
}

static struct disk *disk_of(struct store *store)
{
    return &store->world->aggregator_disk;
}

const char *store_why(const struct store *store)
{
    return store->why;
}

static bool check(struct store *store, bool done, const char *deed)
{
    if (!done) snprintf(store->why, sizeof store->why, "cannot %s: the disk is full, or there is no such row", deed);
    return done;
}

static bool put_sweep(struct store *store, const struct digest *sweep, const struct sweep_row *row, struct span bytes)
{
    const struct disk_key key = key_of(TABLE_SWEEP, sweep);
    struct buffer value = {0};
    buffer_append(&value, row, sizeof *row);
    buffer_append(&value, bytes.data, bytes.size);
    const bool put = disk_put(disk_of(store), &key, buffer_span(&value));
    buffer_free(&value);
    return check(store, put, "store a sweep");
}

bool store_put_sweep(struct store *store, const struct digest *sweep, const struct digest *population,
                     struct span bytes)
{
    const struct sweep_row row = {.population = *population};
    return put_sweep(store, sweep, &row, bytes);
}

bool store_put_population(struct store *store, const struct digest *population, struct span bytes)
{
    const struct disk_key key = key_of(TABLE_POPULATION, population);
    return check(store, disk_put(disk_of(store), &key, bytes), "store a population");
}

bool store_put_result(struct store *store, const struct digest *sweep, const struct digest *result)
{
    const struct disk_key key = key_of(TABLE_SWEEP, sweep);
    const struct disk_row *row = disk_find(disk_of(store), &key);
    if (row == NULL) return check(store, false, "store a result");
    struct sweep_row kept;
    struct buffer bytes = {0};
    memcpy(&kept, row->value.data, sizeof kept);
    kept.result = *result;
    buffer_append(&bytes, row->value.data + sizeof kept, row->value.size - sizeof kept);
    const bool put = put_sweep(store, sweep, &kept, buffer_span(&bytes));
    buffer_free(&bytes);
    return put;
}

bool store_put_node(struct store *store, const struct digest *sweep, struct fold_place place, struct span bytes)
{
    const struct disk_key key = node_key(sweep, place);
    if (disk_find(disk_of(store), &key) != NULL) {
        world_fail(store->world, "node %u/%lu is stored twice", place.level, place.index);
        return false;
    }
    return check(store, disk_put(disk_of(store), &key, bytes), "store a node");
}

bool store_delete_node(struct store *store, const struct digest *sweep, struct fold_place place)
{
    const struct disk_key key = node_key(sweep, place);
    if (disk_find(disk_of(store), &key) == NULL)
        world_fail(store->world, "node %u/%lu is deleted, and was not there", place.level, place.index);
    return check(store, disk_drop(disk_of(store), &key), "delete a node");
}

struct others {
    struct disk *disk;
    struct disk_key kept;
    bool sound;
};

static void delete_other(void *context, struct disk_row *row)
{
    struct others *others = context;
    if (!digest_equal(&row->key.id, &others->kept.id) || disk_key_equal(&row->key, &others->kept)) return;
    const struct disk_key key = row->key;
    others->sound = disk_drop(others->disk, &key) && others->sound;
}

bool store_delete_others(struct store *store, const struct digest *sweep, struct fold_place place)
{
    struct others others = {.disk = disk_of(store), .kept = node_key(sweep, place), .sound = true};
    disk_each(others.disk, TABLE_NODE, delete_other, &others);
    return check(store, others.sound, "delete the nodes behind the end of a sweep");
}

bool store_set_aside_node(struct store *store, const struct digest *sweep, struct fold_place place, const char *why)
{
    (void)why;
    return store_delete_node(store, sweep, place);
}

bool store_commit(struct store *store)
{
    if (store->world->setup.plant == SIM_PLANT_STORE_FORGETS) return true;
    if (disk_of(store)->full) return check(store, false, "commit");
    world_check_committed(store->world);
    return disk_commit(disk_of(store));
}

enum store_read store_get_node(struct store *store, const struct digest *sweep, struct fold_place place,
                               struct buffer *out)
{
    const struct disk_key key = node_key(sweep, place);
    const struct disk_row *row = disk_find(disk_of(store), &key);
    snprintf(store->why, sizeof store->why, "node %u/%lu is damaged or missing", place.level,
             (unsigned long)place.index);
    if (row == NULL) return STORE_MISSING;
    if (row->damaged) return STORE_DAMAGED;
    buffer_clear(out);
    buffer_append(out, row->value.data, row->value.size);
    return STORE_FOUND;
}

/* Loading */

struct loading {
    struct store *store;
    const struct store_visitor *visitor;
    struct digest sweep;
    bool verify, sound;
};

static void load_node(void *context, struct disk_row *row)
{
    struct loading *loading = context;
    const char *why = "";
    if (!digest_equal(&row->key.id, &loading->sweep)) return;
    const struct disk_key key = row->key;
    const struct fold_place place = {.level = (uint32_t)key.a, .index = key.b};
    const bool whole = !loading->verify || !row->damaged;
    if (whole && loading->visitor->node(loading->visitor->context, &key.id, place, &why)) return;
    if (whole)
        world_fail(loading->store->world, "a whole node %u/%lu was set aside: %s", place.level, place.index, why);
    loading->sound = disk_drop(disk_of(loading->store), &key) && loading->sound;
}

static void load_sweep(void *context, struct disk_row *row)
{
    struct loading *loading = context;
    const struct store_visitor *visitor = loading->visitor;
    struct sweep_row kept;
    const char *why = "";
    memcpy(&kept, row->value.data, sizeof kept);
    const struct disk_key population = key_of(TABLE_POPULATION, &kept.population);
    const bool held = disk_find(disk_of(loading->store), &population) != NULL;
    const struct span bytes = {row->value.data + sizeof kept, row->value.size - sizeof kept};
    if (!visitor->sweep(visitor->context, &row->key.id, &kept.population, held, &kept.result, bytes, &why))
        world_fail(loading->store->world, "a stored sweep cannot be loaded: %s", why);
    loading->sweep = row->key.id;
    loading->verify = digest_is_zero(&kept.result);
    disk_each(disk_of(loading->store), TABLE_NODE, load_node, loading);
}

bool store_load(struct store *store, const struct store_visitor *visitor)
{
    struct loading loading = {.store = store, .visitor = visitor, .sound = true};
    disk_each(disk_of(store), TABLE_SWEEP, load_sweep, &loading);
    return loading.sound && store_commit(store);
}

/* Plans: a payload is read and folded by what the sweep says; there is no table to make. */

struct plans {
    struct world *world;
};

const struct plan *plans_get(struct plans *plans, const struct digest *sweep, char *why, size_t why_bytes)
{
    struct sim_sweep *known = world_sweep(plans->world, sweep);
    if (known != NULL) return &known->plan;
    snprintf(why, why_bytes, "there is no such sweep");
    return NULL;
}

struct plans *plans_new(struct store *store, const char *models)
{
    (void)models; /* every model of a simulation is built in */
    struct plans *plans = malloc(sizeof *plans);
    if (plans == NULL) abort();
    plans->world = store->world;
    return plans;
}

void plans_free(struct plans *plans)
{
    free(plans);
}
