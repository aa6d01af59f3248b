#include "cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

#define SLOTS 4096u /* of the hash table; a power of two */

struct item {
    struct digest sweep;
    struct fold_place place;
    struct node *node; /* owned */
    size_t bytes;
    bool pinned;
    struct item *next_in_slot;
    struct item *older, *newer;
};

struct cache {
    size_t bytes, bytes_max, count;
    struct item *oldest, *newest;
    struct item *slots[SLOTS];
};

static size_t slot_of(const struct digest *sweep, struct fold_place place)
{
    uint64_t hash;
    memcpy(&hash, sweep->bytes, sizeof hash);
    hash = (hash ^ place.index ^ ((uint64_t)place.level << 56)) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 52) & (SLOTS - 1);
}

static bool is_at(const struct item *item, const struct digest *sweep, struct fold_place place)
{
    return item->place.index == place.index && item->place.level == place.level && digest_equal(&item->sweep, sweep);
}

static struct item *find(const struct cache *cache, const struct digest *sweep, struct fold_place place)
{
    struct item *item = cache->slots[slot_of(sweep, place)];
    while (item && !is_at(item, sweep, place)) item = item->next_in_slot;
    return item;
}

static size_t bytes_of(const struct node *node)
{
    return sizeof(struct item) + sizeof *node + node->shape.figures * sizeof *node->tallies +
           node->bucket_capacity * sizeof *node->buckets;
}

static void unlink_age(struct cache *cache, struct item *item)
{
    *(item->older ? &item->older->newer : &cache->oldest) = item->newer;
    *(item->newer ? &item->newer->older : &cache->newest) = item->older;
}

static void link_newest(struct cache *cache, struct item *item)
{
    item->older = cache->newest;
    item->newer = NULL;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = item;
    cache->newest = item;
}

static void unlink_slot(struct cache *cache, struct item *item)
{
    struct item **at = &cache->slots[slot_of(&item->sweep, item->place)];
    while (*at != item) at = &(*at)->next_in_slot;
    *at = item->next_in_slot;
}

static void discard(struct cache *cache, struct item *item)
{
    unlink_slot(cache, item);
    unlink_age(cache, item);
    cache->bytes -= item->bytes;
    cache->count--;
    node_free(item->node);
    free(item);
}

static void evict(struct cache *cache, const struct item *spared)
{
    struct item *item = cache->oldest;
    while (item && cache->bytes > cache->bytes_max) {
        struct item *newer = item->newer;
        if (!item->pinned && item != spared) discard(cache, item);
        item = newer;
    }
}

struct cache *cache_new(size_t bytes_max)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (cache) cache->bytes_max = bytes_max;
    return cache;
}

void cache_free(struct cache *cache)
{
    if (!cache) return;
    while (cache->oldest) discard(cache, cache->oldest);
    free(cache);
}

struct node *cache_find(struct cache *cache, const struct digest *sweep, struct fold_place place)
{
    struct item *item = find(cache, sweep, place);
    if (!item) return NULL;
    unlink_age(cache, item);
    link_newest(cache, item);
    return item->node;
}

bool cache_put(struct cache *cache, const struct digest *sweep, struct fold_place place, struct node *node, bool pinned)
{
    assert(!find(cache, sweep, place));
    struct item *item = malloc(sizeof *item);
    if (!item) {
        node_free(node);
        return false;
    }
    struct item **slot = &cache->slots[slot_of(sweep, place)];
    *item = (struct item){.sweep = *sweep,
                          .place = place,
                          .node = node,
                          .bytes = bytes_of(node),
                          .pinned = pinned,
                          .next_in_slot = *slot};
    *slot = item;
    link_newest(cache, item);
    cache->bytes += item->bytes;
    cache->count++;
    evict(cache, item);
    return true;
}

void cache_pin(struct cache *cache, const struct digest *sweep, struct fold_place place)
{
    struct item *item = find(cache, sweep, place);
    if (item) item->pinned = true;
}

void cache_unpin(struct cache *cache, const struct digest *sweep, struct fold_place place)
{
    struct item *item = find(cache, sweep, place);
    if (!item) return;
    item->pinned = false;
    evict(cache, item);
}

void cache_drop(struct cache *cache, const struct digest *sweep, struct fold_place place)
{
    struct item *item = find(cache, sweep, place);
    if (item) discard(cache, item);
}

void cache_drop_others(struct cache *cache, const struct digest *sweep, struct fold_place place)
{
    for (struct item *item = cache->oldest, *newer; item; item = newer) {
        newer = item->newer;
        bool spared = item->place.level == place.level && item->place.index == place.index;
        if (!spared && digest_equal(&item->sweep, sweep)) discard(cache, item);
    }
}

size_t cache_bytes(const struct cache *cache)
{
    return cache->bytes;
}

size_t cache_count(const struct cache *cache)
{
    return cache->count;
}
