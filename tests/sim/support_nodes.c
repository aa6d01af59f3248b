#include "support_nodes.h"

#include <math.h>
#include <stdlib.h>

#include "node.h"
#include "support_sim.h"

static struct node *made[NODES_FLAVOURS][NODES_LEVEL_MAX + 1][SIM_BLOCKS_MAX + 1];
static struct buffer encoded[NODES_FLAVOURS][NODES_LEVEL_MAX + 1][SIM_BLOCKS_MAX + 1];
static struct buffer short_encoded[NODES_FLAVOURS][SIM_BLOCKS_MAX + 1];

static void need(bool done)
{
    if (!done) abort(); /* out of memory: a simulation cannot go on */
}

/* Few different values keep histograms small; sums of them round, so that the order of merging shows. */
static double value_of(uint32_t flavour, uint64_t block, uint32_t draw)
{
    const uint64_t mixed = (block * NODES_DRAWS + draw + flavour * 7919u) * UINT64_C(0x9e3779b97f4a7c15);
    const uint32_t pick = (uint32_t)(mixed >> 60);
    return pick == 0 && draw == 1 ? NAN : sqrt(pick + 2.0) / 3.0 - 0.7;
}

static struct node *make_block(uint32_t flavour, uint64_t block, uint32_t draws)
{
    struct node *node = node_new(NODE_PLAIN(NODES_FIGURES));
    need(node != NULL);
    double values[NODES_DRAWS], squares[NODES_DRAWS];
    for (uint32_t draw = 0; draw < draws; draw++) {
        values[draw] = value_of(flavour, block, draw);
        squares[draw] = (double)(block % 11) / 7.0;
    }
    need(node_tally(node, 0, values, draws) && node_tally(node, 1, squares, draws));
    node->index = block;
    node->draws = draws;
    return node;
}

static const struct node *node_at(uint32_t flavour, uint32_t level, uint64_t index)
{
    struct node **place = &made[flavour][level][index];
    if (*place == NULL && level == 0) *place = make_block(flavour, index, NODES_DRAWS);
    if (*place == NULL)
        *place = node_merge(node_at(flavour, level - 1, index * 2), node_at(flavour, level - 1, index * 2 + 1));
    need(*place != NULL);
    return *place;
}

struct span nodes_bytes(uint32_t flavour, uint32_t level, uint64_t index)
{
    struct buffer *bytes = &encoded[flavour][level][index];
    if (bytes->size == 0) node_encode(node_at(flavour, level, index), bytes);
    need(!bytes->failed);
    return buffer_span(bytes);
}

struct span nodes_short_bytes(uint32_t flavour, uint64_t block)
{
    struct buffer *bytes = &short_encoded[flavour][block];
    if (bytes->size == 0) {
        struct node *node = make_block(flavour, block, NODES_SHORT);
        node_encode(node, bytes);
        node_free(node);
    }
    need(!bytes->failed);
    return buffer_span(bytes);
}

struct digest nodes_result(uint32_t flavour, uint64_t full_blocks, bool has_short)
{
    struct node *parts[NODES_LEVEL_MAX + 2], *root, *last = NULL;
    struct buffer bytes = {0};
    size_t count = 0;
    uint64_t first = 0;
    for (uint32_t level = NODES_LEVEL_MAX + 1; level-- > 0;) {
        if ((full_blocks >> level & 1) == 0) continue;
        (void)node_at(flavour, level, first >> level);
        parts[count++] = made[flavour][level][first >> level];
        first += UINT64_C(1) << level;
    }
    if (has_short) parts[count++] = last = make_block(flavour, full_blocks, NODES_SHORT);
    root = node_fold(parts, count);
    need(root != NULL);
    node_free(last);
    node_encode(root, &bytes);
    need(!bytes.failed);
    const struct digest digest = digest_of(buffer_span(&bytes));
    node_free(root);
    buffer_free(&bytes);
    return digest;
}
