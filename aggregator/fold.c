#include "fold.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t end_of(struct fold_place place)
{
    return fold_first(place) + fold_size(place);
}

static struct fold_place sibling_of(struct fold_place place)
{
    return (struct fold_place){.level = place.level, .index = place.index ^ 1};
}

static bool equal(struct fold_place a, struct fold_place b)
{
    return a.level == b.level && a.index == b.index;
}

/* The position of the first held node that ends after `block`; count when there is none. */
static size_t position_of(const struct fold *fold, uint64_t block)
{
    size_t low = 0, high = fold->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (end_of(fold->held[middle].place) <= block) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool is_inside(const struct fold *fold, struct fold_place place)
{
    /* The shift comes first: index + 1 shifted left could overflow for bytes from outside. */
    return place.level <= NODE_LEVEL_MAX && place.index < fold->blocks >> place.level;
}

/* Whether a node is that of a checkpoint. */
static bool is_checkpoint(const struct fold *fold, struct fold_place place)
{
    return place.index == 0 && place.level >= fold->first_level;
}

static struct fold_place parent_of(struct fold_place place)
{
    return (struct fold_place){.level = place.level + 1, .index = place.index / 2};
}

static bool is_full(const struct fold *fold, struct fold_place place)
{
    return end_of(place) <= fold->full_blocks;
}

/* A checkpoint and its sibling stay apart until the checkpoint has been looked at. */
static bool may_merge(const struct fold *fold, struct fold_place place)
{
    return is_full(fold, parent_of(place)) && (place.index > 1 || place.level < fold->ceiling);
}

static bool has_sibling(const struct fold *fold, struct fold_place place)
{
    const struct fold_node *sibling = fold_at(fold, fold_first(sibling_of(place)));
    return sibling && equal(sibling->place, sibling_of(place));
}

static bool has_room(const struct fold *fold, struct fold_place place)
{
    return fold->count < FOLD_HELD_MAX || (may_merge(fold, place) && has_sibling(fold, place));
}

void fold_init(struct fold *fold, uint64_t blocks, uint64_t full_blocks, uint32_t first_level)
{
    assert(blocks >= 1 && blocks <= FOLD_BLOCKS_MAX);
    assert(full_blocks <= blocks && blocks - full_blocks <= 1);
    *fold =
        (struct fold){.blocks = blocks, .full_blocks = full_blocks, .first_level = first_level, .ceiling = first_level};
}

void fold_free(struct fold *fold)
{
    free(fold->held);
    fold->held = NULL;
    fold->count = fold->capacity = 0;
}

/* Of a node that may be of any level. */
static enum message_outcome judge(const struct fold *fold, struct fold_place place, const char **why)
{
    *why = "";
    if (!is_inside(fold, place)) {
        *why = "not a whole node inside the sweep's blocks";
        return FOLD_REFUSED;
    }
    if (fold->stopped) return FOLD_DUPLICATE;
    size_t at = position_of(fold, fold_first(place));
    if (at < fold->count && fold_first(fold->held[at].place) < end_of(place)) {
        if (fold->held[at].place.level >= place.level) return FOLD_DUPLICATE;
        *why = "some of these blocks are held already; send the others singly";
        return FOLD_OVERLAP;
    }
    if (!has_room(fold, place)) {
        *why = "too many separate nodes are held; blocks beside them come first";
        return FOLD_OVERLAP;
    }
    return FOLD_NEW;
}

enum message_outcome fold_judge(const struct fold *fold, struct fold_place place, const char **why)
{
    enum message_outcome outcome = judge(fold, place, why);
    if (outcome != FOLD_NEW) return outcome;
    if (place.index == 0 && place.level > fold->first_level)
        *why = "the stop rule is to be looked at within these blocks; send them singly";
    else if (place.level > 0 && !is_full(fold, place)) *why = "the last block is not full; send these singly";
    else return FOLD_NEW;
    return FOLD_OVERLAP;
}

bool fold_fits(const struct fold *fold, struct fold_place place, bool ruled)
{
    const char *why;
    return (ruled ? judge(fold, place, &why) : fold_judge(fold, place, &why)) == FOLD_NEW;
}

static bool grow(struct fold *fold)
{
    if (fold->count < fold->capacity) return true;
    size_t capacity = fold->capacity ? fold->capacity * 2 : 16;
    struct fold_node *held = realloc(fold->held, capacity * sizeof *held);
    if (!held) return false;
    fold->held = held;
    fold->capacity = capacity;
    return true;
}

static void insert(struct fold *fold, size_t at, struct fold_node node)
{
    memmove(&fold->held[at + 1], &fold->held[at], (fold->count - at) * sizeof node);
    fold->held[at] = node;
    fold->count++;
    fold->covered += fold_size(node.place);
}

static void take_out(struct fold *fold, size_t at)
{
    fold->covered -= fold_size(fold->held[at].place);
    fold->count--;
    memmove(&fold->held[at], &fold->held[at + 1], (fold->count - at) * sizeof fold->held[at]);
}

bool fold_take(struct fold *fold, struct fold_place place, struct fold_chain *chain)
{
    if (!grow(fold)) return false;
    if (is_checkpoint(fold, place) && place.level > fold->ceiling) fold->ceiling = place.level;
    chain->count = 0;
    for (;;) {
        struct fold_place sibling = sibling_of(place);
        size_t at = position_of(fold, fold_first(sibling));
        if (at == fold->count || !equal(fold->held[at].place, sibling) || !may_merge(fold, place)) break;
        assert(chain->count < NODE_LEVEL_MAX);
        chain->absorbed[chain->count++] = fold->held[at];
        take_out(fold, at);
        place = parent_of(place);
    }
    chain->top = place;
    insert(fold, position_of(fold, fold_first(place)), (struct fold_node){.place = place});
    return true;
}

/* Siblings that are held both: a checkpoint was not looked at, or the last block is not full. */
static bool may_stand_beside(const struct fold *fold, struct fold_place place)
{
    return (place.index <= 1 && place.level >= fold->first_level) || !is_full(fold, parent_of(place));
}

bool fold_restore(struct fold *fold, struct fold_place place)
{
    const char *why;
    if (judge(fold, place, &why) != FOLD_NEW || !grow(fold)) return false;
    if (has_sibling(fold, place) && !may_stand_beside(fold, place)) return false; /* they would have been merged */
    if (is_checkpoint(fold, place)) fold->ceiling = place.level; /* those below were looked at: it is made of them */
    insert(fold, position_of(fold, fold_first(place)), (struct fold_node){.place = place, .stored = true});
    return true;
}

bool fold_drop(struct fold *fold, struct fold_place place)
{
    struct fold_node *node = is_inside(fold, place) ? fold_at(fold, fold_first(place)) : NULL;
    if (!node || !equal(node->place, place)) return false;
    take_out(fold, (size_t)(node - fold->held));
    if (!is_checkpoint(fold, place)) return true;
    fold->ceiling = fold->first_level; /* it comes again from below */
    fold->stopped = false;
    return true;
}

struct fold_place fold_checkpoint(const struct fold *fold)
{
    return (struct fold_place){.level = fold->ceiling, .index = 0};
}

bool fold_is_at_checkpoint(const struct fold *fold)
{
    if (fold->stopped || fold->count == 0 || fold->ceiling > NODE_LEVEL_MAX) return false;
    struct fold_place place = fold_checkpoint(fold);
    return equal(fold->held[0].place, place) && fold_size(place) < fold->blocks;
}

struct fold_node *fold_go_on(struct fold *fold)
{
    assert(fold_is_at_checkpoint(fold));
    struct fold_node *node = &fold->held[0];
    struct fold_place place = node->place;
    fold->ceiling++;
    if (!has_sibling(fold, place) || !may_merge(fold, place)) return NULL;
    take_out(fold, 1);
    fold->covered += fold_size(place);
    *node = (struct fold_node){.place = parent_of(place)};
    return node;
}

void fold_stop(struct fold *fold)
{
    assert(fold_is_at_checkpoint(fold));
    fold->stopped = true;
    fold->count = 1;
    fold->covered = fold_size(fold->held[0].place);
}

struct fold_node *fold_at(const struct fold *fold, uint64_t block)
{
    size_t at = position_of(fold, block);
    if (at == fold->count || fold_first(fold->held[at].place) > block) return NULL;
    return &fold->held[at];
}

bool fold_is_complete(const struct fold *fold)
{
    return fold->stopped || (fold->covered == fold->blocks && !fold_is_at_checkpoint(fold));
}

size_t fold_ranges(const struct fold *fold, size_t *from, struct block_range *ranges, size_t max)
{
    size_t count = 0;
    uint64_t end = UINT64_MAX;
    for (; *from < fold->count; (*from)++) {
        struct fold_place place = fold->held[*from].place;
        bool touches = fold_first(place) == end;
        if (!touches && count == max) break;
        end = end_of(place);
        if (!touches) count++;
        if (!ranges) continue;
        struct block_range *range = &ranges[count - 1];
        *range = touches ? (struct block_range){range->first, range->count + fold_size(place)}
                         : (struct block_range){fold_first(place), fold_size(place)};
    }
    return count;
}

static bool end_is_sound(const struct fold *fold)
{
    if (fold->count > 0 && is_checkpoint(fold, fold->held[0].place) && fold->held[0].place.level > fold->ceiling)
        return false;
    return !fold->stopped || (fold->count == 1 && equal(fold->held[0].place, fold_checkpoint(fold)));
}

bool fold_is_sound(const struct fold *fold)
{
    uint64_t end = 0, covered = 0;
    for (size_t at = 0; at < fold->count; at++) {
        struct fold_place place = fold->held[at].place;
        if (!is_inside(fold, place) || fold_first(place) < end) return false;
        bool apart = at == 0 || !equal(fold->held[at - 1].place, sibling_of(place));
        if (!apart && may_merge(fold, place)) return false;
        end = end_of(place);
        covered += fold_size(place);
    }
    return covered == fold->covered && fold->count <= FOLD_HELD_MAX && end_is_sound(fold);
}
