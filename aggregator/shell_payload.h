/* Payloads of nodes: in the cache, else in the store. What the core speaks of as places, this holds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "cache.h"
#include "fold.h"
#include "node.h"
#include "plan.h"
#include "shell_plans.h"
#include "shell_store.h"

#define PAYLOAD_WHY_BYTES 512

struct payloads {
    struct store *store;         /* borrowed */
    struct plans *plans;         /* borrowed */
    struct cache *cache;         /* borrowed */
    struct buffer bytes;         /* scratch */
    struct fold_place damaged;   /* after PAYLOAD_DAMAGED */
    char why[PAYLOAD_WHY_BYTES]; /* after anything but PAYLOAD_OK */
};

enum payload_status {
    PAYLOAD_OK,
    PAYLOAD_DAMAGED, /* a stored node can not be read back */
    PAYLOAD_FAILED   /* memory, disk, or no plan */
};

/* Decodes and checks what a worker sent. NULL: `why` says what is wrong with it; else the caller frees. */
struct node *payload_read(struct payloads *payloads, const struct digest *sweep, struct fold_place place,
                          struct span bytes);

/* Merges the node at `place` with its sibling into their parent. Both are in the cache or the store. */
enum payload_status payload_merge(struct payloads *payloads, const struct digest *sweep, struct fold_place place);

/* Writes a node of the cache to the store, within the open transaction. */
enum payload_status payload_store(struct payloads *payloads, const struct digest *sweep, struct fold_place place);

/* Folds the held nodes of a sweep, or when they are very many the largest of them; *blocks says how many
 * blocks that covers. *root is NULL when nothing is held; else the caller frees it. */
enum payload_status payload_fold(struct payloads *payloads, const struct digest *sweep, const struct fold *fold,
                                 struct node **root, uint64_t *blocks);

/* Lends a stored node, until the next call of any function here. */
enum payload_status payload_lend(struct payloads *payloads, const struct digest *sweep, struct fold_place place,
                                 const struct node **node);

/* A node of one sweep as that of another of its family, which the caller frees. Damaged: the node of `from`. */
enum payload_status payload_copy(struct payloads *payloads, const struct digest *from, const struct digest *sweep,
                                 struct fold_place place, struct node **copy);

/* Looks at the stop rule of a sweep, at the stored node of a checkpoint. */
enum payload_status payload_check(struct payloads *payloads, const struct digest *sweep, struct fold_place place,
                                  bool *met);

/* The digest of the table made from all held nodes. */
enum payload_status payload_digest(struct payloads *payloads, const struct digest *sweep, const struct fold *fold,
                                   struct digest *digest);
