#include "morris.h"

#include "method.h"
#include "philox.h"
#include "shuffle.h"

struct trajectory {
    uint8_t start[MODEL_PARAMETERS_MAX], end[MODEL_PARAMETERS_MAX]; /* levels */
    uint16_t order[MODEL_PARAMETERS_MAX];                           /* dimensions as they step */
};

/* Where a dimension starts. The jitter inside the stratum spreads the levels when there are fewer draws, or no
 * multiple. */
static uint32_t first_level(const struct morris *morris, size_t dimension, uint64_t draw)
{
    return (uint32_t)(latin_share(morris->latin, dimension, draw) * morris->levels);
}

/* Each dimension ends half the levels away, so all levels are as likely, and up as down. */
static void lay(const struct morris *morris, uint64_t draw, struct trajectory *trajectory)
{
    uint64_t swaps[MODEL_PARAMETERS_MAX];
    for (size_t at = 0; at < morris->dimension_count; at++) {
        struct philox_bits bits = philox_at(morris->seed, PHILOX_MORRIS, (uint32_t)at, draw);
        uint32_t half = morris->levels / 2, level = first_level(morris, at, draw);
        trajectory->start[at] = (uint8_t)level;
        trajectory->end[at] = (uint8_t)(level < half ? level + half : level - half);
        swaps[at] = bits.high;
    }
    shuffle(trajectory->order, morris->dimension_count, swaps);
}

void morris_row(const struct morris *morris, uint32_t row, uint64_t draw, double *shares)
{
    struct trajectory trajectory;
    lay(morris, draw, &trajectory);
    for (uint32_t at = 0; at < morris->dimension_count; at++) {
        size_t moved = trajectory.order[at];
        uint8_t level = at < row ? trajectory.end[moved] : trajectory.start[moved];
        shares[moved * MODEL_LANES] = (level + 0.5) / morris->levels;
    }
}

void morris_order(const struct morris *morris, uint64_t draw, uint16_t *order)
{
    struct trajectory trajectory;
    lay(morris, draw, &trajectory);
    for (size_t at = 0; at < morris->dimension_count; at++) order[at * MODEL_LANES] = trajectory.order[at];
}

void morris_steps(const struct morris *morris, uint64_t draw, double *steps)
{
    struct trajectory trajectory;
    lay(morris, draw, &trajectory);
    for (size_t at = 0; at < morris->dimension_count; at++) {
        size_t moved = trajectory.order[at];
        steps[at * MODEL_LANES] = trajectory.end[moved] > trajectory.start[moved] ? MORRIS_STEP : -MORRIS_STEP;
    }
}

void morris_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    for (uint64_t lane = 0; lane < MODEL_LANES; lane++)
        morris_row(&design->morris, row, first + lane, &shares[0][lane]);
}
