/* The first byte says how many figures there are and what of a study, the rest is a node. One that is accepted has
 * sound statistics, is accepted again in its own encoding, which then does not change any more, and merges with its
 * neighbour into such a node. (Strides are the writer's choice, so the first encoding may differ.) */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "targets.h"

#define FIGURES_MAX 16

static void require_readable_node(const struct node *node)
{
    struct buffer bytes = {0}, again = {0};
    const char *why = NULL;
    node_encode(node, &bytes);
    struct node *read = node_decode(buffer_span(&bytes), &node->shape, &why);
    fuzz_require(!bytes.failed && read != NULL);
    node_encode(read, &again);
    fuzz_require(!again.failed && again.size == bytes.size && memcmp(again.data, bytes.data, bytes.size) == 0);
    node_free(read);
    buffer_free(&bytes);
    buffer_free(&again);
}

static void require_sound(const struct node *node)
{
    static const double shares[] = {0, 0.05, 0.25, 0.5, 0.75, 0.95, 1};
    enum { SHARES = sizeof shares / sizeof *shares };
    for (size_t at = 0; at < node->shape.figures; at++) {
        const struct tally *tally = &node->tallies[at];
        double quantiles[SHARES];
        tally_quantiles(node, tally, shares, SHARES, quantiles);
        fuzz_require(tally->count <= node->draws);
        if (tally->count == 0) {
            fuzz_require(isnan(quantiles[0]) && isnan(tally_sd(tally)) && isnan(tally_mcse(tally)));
            continue;
        }
        fuzz_require(tally->min <= tally->mean && tally->mean <= tally->max);
        fuzz_require(tally->count < 2 || tally_sd(tally) >= 0 || tally->m2 < DBL_MIN || tally->m2 > DBL_MAX / 2);
        for (size_t share = 0; share < SHARES; share++) {
            const double one = tally_quantile(node, tally, shares[share]);
            fuzz_require(quantiles[share] == one);
            fuzz_require(quantiles[share] >= tally->min && quantiles[share] <= tally->max);
            fuzz_require(share == 0 || quantiles[share] >= quantiles[share - 1]);
        }
    }
}

/* The two have the same contents, at neighbouring places. */
static void merge_with_neighbour(const struct node *node, struct node *neighbour)
{
    neighbour->index ^= 1;
    const bool first = node->index < neighbour->index;
    struct node *merged = node_merge(first ? node : neighbour, first ? neighbour : node);
    fuzz_require(node_merge(first ? neighbour : node, first ? node : neighbour) == NULL);
    if (node->level == NODE_LEVEL_MAX || node->draws > NODE_DRAWS_MAX / 2) {
        node_free(merged);
        return;
    }
    fuzz_require(merged != NULL);
    fuzz_require(merged->level == node->level + 1 && merged->index == node->index / 2);
    fuzz_require(merged->draws == 2 * node->draws && merged->failed_draws == 2 * node->failed_draws);
    require_sound(merged);
    require_readable_node(merged);
    node_free(merged);
}

int FUZZ_TARGET(node)(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const struct node_shape shape = {.figures = data[0] % FIGURES_MAX + 1u,
                                     .sums = data[0] & 0x10 ? 2 : 0,
                                     .counts = data[0] & 0x20 ? 2 : 0,
                                     .width = data[0] >> 6};
    const struct span bytes = {data + 1, size - 1};
    const char *why = NULL;
    struct node *node = node_decode(bytes, &shape, &why), *neighbour = NULL;
    if (node != NULL) {
        require_sound(node);
        require_readable_node(node);
        neighbour = node_decode(bytes, &shape, &why);
        fuzz_require(neighbour != NULL);
        merge_with_neighbour(node, neighbour);
    } else {
        fuzz_require(why != NULL && why[0] != 0);
    }
    node_free(node);
    node_free(neighbour);
    return 0;
}
