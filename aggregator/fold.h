/* The fold of one sweep, as a set of places: which perfect nodes are held, and what a new one does to
 * them. Node (level, index) covers blocks index x 2^level up to (index + 1) x 2^level; two held siblings
 * become their parent at once. The held nodes are the only record: coverage, completeness and the
 * ranges to report follow from them. Payloads are somebody else's.
 *
 * A last block that is not *full* stays apart from its siblings, so that every other node is one of any longer sweep
 * of the family too. The root is the same: node_fold() joins the nodes in the same shape.
 *
 * A sweep with a stop rule has *checkpoints*: its first 2^level blocks, from a first level up. The node of a
 * checkpoint is held apart from its sibling until somebody has looked at it: then it goes on (fold_go_on), or the
 * sweep ends there (fold_stop) and is complete. Since each checkpoint is looked at by itself and in order, the
 * end does not depend on what came when. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "node.h"

#define FOLD_BLOCKS_MAX (UINT64_C(1) << NODE_LEVEL_MAX)
#define FOLD_HELD_MAX   65536u     /* nodes of one sweep that wait for a sibling; 1.5 MiB */
#define FOLD_NO_RULE    UINT32_MAX /* the first level of a sweep without a stop rule, as STOP_NO_RULE */

struct fold_place {
    uint32_t level;
    uint64_t index;
};

struct fold_node {
    struct fold_place place;
    bool stored; /* on disk; kept here for the caller */
};

struct fold {
    uint64_t blocks;        /* of the sweep, 1 to FOLD_BLOCKS_MAX */
    uint64_t full_blocks;   /* as many, or one less: the last one is not full */
    uint64_t covered;       /* blocks inside held nodes */
    uint32_t first_level;   /* of the checkpoints, or FOLD_NO_RULE */
    uint32_t ceiling;       /* the checkpoint that is to be looked at next, once it is held; at least first_level */
    bool stopped;           /* the checkpoint at the ceiling is all of the sweep, and all that is held */
    struct fold_node *held; /* owned; disjoint, ascending by first block */
    size_t count, capacity;
};

/* Siblings that a new node absorbed on its way up, lowest first: merging with each in turn gives the
 * node that is now held. */
struct fold_chain {
    size_t count;
    struct fold_node absorbed[NODE_LEVEL_MAX];
    struct fold_place top;
};

/* Nothing held. Asserts that both counts are within their bounds. */
void fold_init(struct fold *fold, uint64_t blocks, uint64_t full_blocks, uint32_t first_level);
void fold_free(struct fold *fold);

/* FOLD_NEW: fold_take may follow. FOLD_DUPLICATE: inside a held node, or behind the end of a stopped sweep.
 * FOLD_OVERLAP: it holds a smaller held node, or goes beyond the first checkpoint, or has a last block that is not
 * full, or too many nodes wait already, so its blocks must come again singly. FOLD_REFUSED: not a perfect node inside
 * the sweep. `why` then holds a constant string ("" for NEW and DUPLICATE). */
enum message_outcome fold_judge(const struct fold *fold, struct fold_place place, const char **why);

/* Whether a node that another sweep holds would be NEW here. ruled: that sweep has the same stop rule, so the
 * checkpoints inside were looked at there. */
bool fold_fits(const struct fold *fold, struct fold_place place, bool ruled);

/* Takes in a node that fold_judge calls NEW, or that fits. False: out of memory; nothing changed. */
bool fold_take(struct fold *fold, struct fold_place place, struct fold_chain *chain);

/* Puts back a node that was on disk. False: it does not fit beside those held (or no memory). */
bool fold_restore(struct fold *fold, struct fold_place place);

/* Forgets a held node; a stopped sweep then goes on. False: it is not held. */
bool fold_drop(struct fold *fold, struct fold_place place);

/* Whether a checkpoint is held that nobody has looked at. The whole sweep is none. */
bool fold_is_at_checkpoint(const struct fold *fold);

/* Its place: (ceiling, 0). */
struct fold_place fold_checkpoint(const struct fold *fold);

/* The rule is not met there, so the sweep goes on. The parent of the checkpoint and its sibling, which has taken
 * their place; NULL: the sibling is still to come, or stays apart. */
struct fold_node *fold_go_on(struct fold *fold);

/* The rule is met there: the sweep is complete, and every node behind is forgotten. */
void fold_stop(struct fold *fold);

/* The held node around a block, or NULL. Valid until the fold changes. */
struct fold_node *fold_at(const struct fold *fold, uint64_t block);

/* Every block is held, or the sweep has stopped; and no checkpoint is to be looked at. */
bool fold_is_complete(const struct fold *fold);

/* Ranges of covered blocks, ascending and apart, from position *from (0 at first) on; at most `max`.
 * Moves *from on; it equals fold->count when all is said. `ranges` may be NULL to count only. */
size_t fold_ranges(const struct fold *fold, size_t *from, struct block_range *ranges, size_t max);

/* Invariants, for tests. */
bool fold_is_sound(const struct fold *fold);

static inline uint64_t fold_first(struct fold_place place)
{
    return place.index << place.level;
}

static inline uint64_t fold_size(struct fold_place place)
{
    return UINT64_C(1) << place.level;
}
