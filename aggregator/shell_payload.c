#include "shell_payload.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "stop.h"
#include "table.h"

/* An estimate from a sweep with more parts than this uses the largest. A finished one never has so many. */
#define FOLD_PARTS_MAX 64u
_Static_assert(FOLD_PARTS_MAX > NODE_LEVEL_MAX, "a finished sweep is folded whole");

static enum payload_status fail(struct payloads *payloads, const char *why)
{
    snprintf(payloads->why, sizeof payloads->why, "%s", why);
    return PAYLOAD_FAILED;
}

static const struct plan *plan_of(struct payloads *payloads, const struct digest *sweep)
{
    return plans_get(payloads->plans, sweep, payloads->why, sizeof payloads->why);
}

/* The draws that a place covers; the last block of a sweep may be shorter. */
static uint64_t draws_in(const struct sweep *sweep, struct fold_place place)
{
    uint64_t first = fold_first(place) * sweep->draws_per_block;
    uint64_t end = first + fold_size(place) * sweep->draws_per_block;
    return (end < sweep->draws ? end : sweep->draws) - first;
}

static const char *fault_of(const struct node *node, const struct plan *plan, struct fold_place place)
{
    if (node->level != place.level || node->index != place.index) return "the node names another place";
    if (node->draws != draws_in(plan->sweep, place)) return "the node's draws are not those of its blocks";
    return NULL;
}

struct node *payload_read(struct payloads *payloads, const struct digest *sweep, struct fold_place place,
                          struct span bytes)
{
    const struct plan *plan = plan_of(payloads, sweep);
    if (!plan) return NULL;
    const char *fault = NULL;
    struct node *node = node_decode(bytes, &plan->shape, &fault);
    if (node) fault = fault_of(node, plan, place);
    if (!fault) return node;
    fail(payloads, fault);
    node_free(node);
    return NULL;
}

static enum payload_status damage(struct payloads *payloads, struct fold_place place)
{
    payloads->damaged = place;
    return PAYLOAD_DAMAGED;
}

/* Sound bytes may fail to decode for want of memory: they are not damaged. */
static bool ran_out(const struct payloads *payloads)
{
    return strcmp(payloads->why, "out of memory") == 0;
}

/* Brings a node into the cache and lends it, until the next call. */
static enum payload_status load(struct payloads *payloads, const struct digest *sweep, struct fold_place place,
                                struct node **node)
{
    *node = cache_find(payloads->cache, sweep, place);
    if (*node) return PAYLOAD_OK;
    enum store_read read = store_get_node(payloads->store, sweep, place, &payloads->bytes);
    if (read != STORE_FOUND) {
        fail(payloads, store_why(payloads->store));
        return read == STORE_DAMAGED ? damage(payloads, place) : PAYLOAD_FAILED;
    }
    if (!plan_of(payloads, sweep)) return PAYLOAD_FAILED;
    *node = payload_read(payloads, sweep, place, buffer_span(&payloads->bytes));
    if (!*node) return ran_out(payloads) ? PAYLOAD_FAILED : damage(payloads, place);
    if (cache_put(payloads->cache, sweep, place, *node, false)) return PAYLOAD_OK;
    return fail(payloads, "out of memory for a node");
}

/* Bringing in one of the halves must not push out the other. */
static enum payload_status merge_halves(struct payloads *payloads, const struct digest *sweep, struct fold_place left,
                                        struct fold_place right, struct node **parent)
{
    struct node *left_node, *right_node;
    enum payload_status status = load(payloads, sweep, left, &left_node);
    cache_pin(payloads->cache, sweep, left);
    if (status == PAYLOAD_OK) status = load(payloads, sweep, right, &right_node);
    if (status != PAYLOAD_OK) return status;
    *parent = node_merge(left_node, right_node);
    return *parent ? PAYLOAD_OK : fail(payloads, "two nodes can not be merged");
}

enum payload_status payload_merge(struct payloads *payloads, const struct digest *sweep, struct fold_place place)
{
    struct fold_place left = {.level = place.level, .index = place.index & ~UINT64_C(1)};
    struct fold_place right = {.level = place.level, .index = place.index | 1};
    struct fold_place up = {.level = place.level + 1, .index = place.index / 2};
    struct node *parent;
    enum payload_status status = merge_halves(payloads, sweep, left, right, &parent);
    if (status != PAYLOAD_OK) return status;
    cache_drop(payloads->cache, sweep, left);
    cache_drop(payloads->cache, sweep, right);
    return cache_put(payloads->cache, sweep, up, parent, true) ? PAYLOAD_OK : fail(payloads, "out of memory");
}

enum payload_status payload_store(struct payloads *payloads, const struct digest *sweep, struct fold_place place)
{
    const struct node *node = cache_find(payloads->cache, sweep, place);
    assert(node && "a node that is not stored yet is pinned");
    buffer_clear(&payloads->bytes);
    node_encode(node, &payloads->bytes);
    if (payloads->bytes.failed) {
        buffer_free(&payloads->bytes);
        return fail(payloads, "out of memory for the bytes of a node");
    }
    if (!store_put_node(payloads->store, sweep, place, buffer_span(&payloads->bytes)))
        return fail(payloads, store_why(payloads->store));
    cache_unpin(payloads->cache, sweep, place);
    return PAYLOAD_OK;
}

/* ---- folding ---- */

static int by_size(const void *a, const void *b)
{
    const struct fold_place *left = a, *right = b;
    if (left->level != right->level) return left->level > right->level ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

static int by_block(const void *a, const void *b)
{
    uint64_t left = fold_first(*(const struct fold_place *)a), right = fold_first(*(const struct fold_place *)b);
    return (left > right) - (left < right);
}

/* The places to fold, ascending by block: all, or the largest. NULL: out of memory. */
static struct fold_place *choose_parts(const struct fold *fold, size_t *count)
{
    struct fold_place *places = calloc(fold->count, sizeof *places);
    if (!places) return NULL;
    for (size_t at = 0; at < fold->count; at++) places[at] = fold->held[at].place;
    *count = fold->count;
    if (fold->count <= FOLD_PARTS_MAX) return places;
    qsort(places, fold->count, sizeof *places, by_size);
    *count = FOLD_PARTS_MAX;
    qsort(places, *count, sizeof *places, by_block);
    return places;
}

/* A node of its own for the fold: the cache may let go of what it lends. */
static enum payload_status copy_part(struct payloads *payloads, const struct digest *sweep, struct fold_place place,
                                     struct node **node)
{
    struct node *lent;
    enum payload_status status = load(payloads, sweep, place, &lent);
    if (status != PAYLOAD_OK) return status;
    *node = node_fold(&lent, 1);
    return *node ? PAYLOAD_OK : fail(payloads, "out of memory for a node");
}

static enum payload_status fold_parts(struct payloads *payloads, const struct digest *sweep,
                                      const struct fold_place *places, size_t count, struct node **root)
{
    struct node *parts[FOLD_PARTS_MAX] = {NULL};
    enum payload_status status = PAYLOAD_OK;
    size_t copied = 0;
    while (copied < count && status == PAYLOAD_OK) {
        status = copy_part(payloads, sweep, places[copied], &parts[copied]);
        if (status == PAYLOAD_OK) copied++;
    }
    *root = status == PAYLOAD_OK ? node_fold(parts, count) : NULL;
    if (status == PAYLOAD_OK && !*root) status = fail(payloads, "out of memory for the fold");
    while (copied > 0) node_free(parts[--copied]);
    return status;
}

enum payload_status payload_copy(struct payloads *payloads, const struct digest *from, const struct digest *sweep,
                                 struct fold_place place, struct node **copy)
{
    enum payload_status status = copy_part(payloads, from, place, copy);
    if (status != PAYLOAD_OK) return status;
    const struct plan *plan = plan_of(payloads, sweep);
    const char *fault = plan ? fault_of(*copy, plan, place) : payloads->why;
    if (plan && !fault) return PAYLOAD_OK;
    node_free(*copy);
    return plan ? fail(payloads, fault) : PAYLOAD_FAILED;
}

enum payload_status payload_fold(struct payloads *payloads, const struct digest *sweep, const struct fold *fold,
                                 struct node **root, uint64_t *blocks)
{
    *root = NULL;
    *blocks = 0;
    if (!fold || fold->count == 0) return PAYLOAD_OK;
    size_t count;
    struct fold_place *places = choose_parts(fold, &count);
    if (!places) return fail(payloads, "out of memory for a list of nodes");
    enum payload_status status = fold_parts(payloads, sweep, places, count, root);
    for (size_t at = 0; status == PAYLOAD_OK && at < count; at++) *blocks += fold_size(places[at]);
    free(places);
    return status;
}

enum payload_status payload_lend(struct payloads *payloads, const struct digest *sweep, struct fold_place place,
                                 const struct node **node)
{
    struct node *lent;
    enum payload_status status = load(payloads, sweep, place, &lent);
    *node = lent;
    return status;
}

enum payload_status payload_check(struct payloads *payloads, const struct digest *sweep, struct fold_place place,
                                  bool *met)
{
    const struct node *node;
    enum payload_status status = payload_lend(payloads, sweep, place, &node);
    if (status != PAYLOAD_OK) return status;
    const struct plan *plan = plan_of(payloads, sweep);
    if (!plan) return PAYLOAD_FAILED;
    return stop_is_met(plan, node, met) ? PAYLOAD_OK : fail(payloads, "out of memory for the stop rule");
}

enum payload_status payload_digest(struct payloads *payloads, const struct digest *sweep, const struct fold *fold,
                                   struct digest *digest)
{
    struct node *root;
    uint64_t blocks;
    enum payload_status status = payload_fold(payloads, sweep, fold, &root, &blocks);
    if (status != PAYLOAD_OK) return status;
    const struct plan *plan = plan_of(payloads, sweep);
    struct buffer csv = {0};
    if (!plan) status = PAYLOAD_FAILED;
    else if (!table_csv(plan, root, &csv) || csv.failed) status = fail(payloads, "out of memory for the table");
    else *digest = digest_of(buffer_span(&csv));
    buffer_free(&csv);
    node_free(root);
    return status;
}
