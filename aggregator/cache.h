/* Decoded nodes in memory, so that siblings seldom need to be read back. Nodes that are not on disk yet
 * are pinned; the others go, least recently used first, when the bytes exceed their limit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/digest.h>

#include "fold.h"
#include "node.h"

struct cache;

/* NULL: out of memory. */
struct cache *cache_new(size_t bytes_max);
void cache_free(struct cache *cache);

/* Borrowed until the next cache_put or cache_drop; NULL when it is not here. */
struct node *cache_find(struct cache *cache, const struct digest *sweep, struct fold_place place);

/* Gives a node to the cache, which frees it in the end (also on failure). The place must not be there.
 * pinned, then or later: stays until cache_unpin or cache_drop. False: out of memory. */
bool cache_put(struct cache *cache, const struct digest *sweep, struct fold_place place, struct node *node,
               bool pinned);

/* Neither has an effect on what is not there. Unpinning may evict others, not this one. */
void cache_pin(struct cache *cache, const struct digest *sweep, struct fold_place place);
void cache_unpin(struct cache *cache, const struct digest *sweep, struct fold_place place);
void cache_drop(struct cache *cache, const struct digest *sweep, struct fold_place place);

/* Drops every node of a sweep but that at `place`. */
void cache_drop_others(struct cache *cache, const struct digest *sweep, struct fold_place place);

size_t cache_bytes(const struct cache *cache);
size_t cache_count(const struct cache *cache);
