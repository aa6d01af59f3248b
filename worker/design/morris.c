#include "morris.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "method.h"
#include "philox.h"
#include "shuffle.h"

struct morris {
    uint64_t seed;
    size_t dimension_count;
    uint32_t levels;
    uint32_t chosen_count; /* 0: trajectories as they come */
    uint32_t chosen[];     /* candidates by draw */
};

struct trajectory {
    uint8_t start[MODEL_PARAMETERS_MAX], end[MODEL_PARAMETERS_MAX]; /* levels */
    uint16_t order[MODEL_PARAMETERS_MAX];                           /* dimensions as they step */
};

/* Each dimension starts anywhere and ends half the levels away, so all levels are as likely, and up as down. */
static void lay(const struct morris *morris, uint64_t candidate, struct trajectory *trajectory)
{
    uint64_t swaps[MODEL_PARAMETERS_MAX];
    for (size_t at = 0; at < morris->dimension_count; at++) {
        struct philox_bits bits = philox_at(morris->seed, PHILOX_MORRIS, (uint32_t)at, candidate);
        uint32_t half = morris->levels / 2, level = (uint32_t)philox_below(bits.low, morris->levels);
        trajectory->start[at] = (uint8_t)level;
        trajectory->end[at] = (uint8_t)(level < half ? level + half : level - half);
        swaps[at] = bits.high;
    }
    shuffle(trajectory->order, morris->dimension_count, swaps);
}

/* The squared distance of two points after one of them has moved in one dimension. */
static int move(int squared, int from, int to, int other)
{
    return squared + (to - other) * (to - other) - (from - other) * (from - other);
}

static int start_distance(size_t dimension_count, const struct trajectory *one, const struct trajectory *other)
{
    int squared = 0;
    for (size_t at = 0; at < dimension_count; at++) {
        int apart = one->start[at] - other->start[at];
        squared += apart * apart;
    }
    return squared;
}

/* Sum over all pairs of points of their distances. Squares of level differences are whole numbers, and one step
 * changes one of them. */
static double distance(size_t dimension_count, const struct trajectory *one, const struct trajectory *other)
{
    int squared = start_distance(dimension_count, one, other); /* of the first point to the row's first */
    uint8_t level[MODEL_PARAMETERS_MAX];                       /* of the other's point */
    double sum = 0;
    for (size_t at = 0; at < dimension_count; at++) level[at] = other->start[at];
    for (size_t column = 0; column <= dimension_count; column++) {
        int here = squared;
        sum += sqrt(here);
        for (size_t row = 0; row < dimension_count; row++) {
            size_t moved = one->order[row];
            here = move(here, one->start[moved], one->end[moved], level[moved]);
            sum += sqrt(here);
        }
        if (column == dimension_count) break;
        size_t moved = other->order[column];
        squared = move(squared, other->start[moved], other->end[moved], one->start[moved]);
        level[moved] = other->end[moved];
    }
    return sum;
}

/* How many candidates can be compared for so many draws; 0: too few for a choice. */
static uint32_t candidate_count(size_t dimension_count, uint64_t draws)
{
    uint64_t points = (dimension_count + 1) * (dimension_count + 1);
    if (draws == 0 || draws > MORRIS_PAIRS_MAX) return 0;
    uint64_t count = MORRIS_PAIRS_MAX / points / draws;
    if (count > MORRIS_CANDIDATES * draws) count = MORRIS_CANDIDATES * draws;
    return count < 2 * draws ? 0 : (uint32_t)count;
}

static void choose(struct morris *morris, uint32_t count, const struct trajectory *candidates, double *nearest)
{
    uint32_t last = 0;
    for (uint32_t at = 0; at < count; at++) nearest[at] = INFINITY;
    for (uint32_t draw = 0; draw < morris->chosen_count; draw++) {
        morris->chosen[draw] = last;
        uint32_t next = 0;
        nearest[last] = -1; /* taken */
        for (uint32_t at = 0; at < count; at++) {
            if (nearest[at] < 0) continue;
            double apart = distance(morris->dimension_count, &candidates[last], &candidates[at]);
            if (apart < nearest[at]) nearest[at] = apart;
            if (nearest[at] > nearest[next]) next = at;
        }
        last = next;
    }
}

struct morris *morris_new(uint64_t seed, size_t dimension_count, uint32_t levels, uint64_t draws)
{
    assert(levels >= 2 && levels % 2 == 0 && levels <= UINT8_MAX && dimension_count <= MODEL_PARAMETERS_MAX);
    uint32_t count = candidate_count(dimension_count, draws);
    uint32_t chosen = count ? (uint32_t)draws : 0;
    struct morris *morris = malloc(sizeof *morris + chosen * sizeof morris->chosen[0]);
    struct trajectory *candidates = malloc((count + 1) * sizeof *candidates);
    double *nearest = malloc((count + 1) * sizeof *nearest);
    if (morris && candidates && nearest) {
        *morris = (struct morris){seed, dimension_count, levels, chosen};
        for (uint32_t at = 0; at < count; at++) lay(morris, at, &candidates[at]);
        choose(morris, count, candidates, nearest);
    } else {
        free(morris);
        morris = NULL;
    }
    free(candidates);
    free(nearest);
    return morris;
}

void morris_free(struct morris *morris)
{
    free(morris);
}

static void lay_draw(const struct morris *morris, uint64_t draw, struct trajectory *trajectory)
{
    lay(morris, draw < morris->chosen_count ? morris->chosen[draw] : draw, trajectory);
}

void morris_row(const struct morris *morris, uint32_t row, uint64_t draw, double *shares)
{
    struct trajectory trajectory;
    lay_draw(morris, draw, &trajectory);
    for (uint32_t at = 0; at < morris->dimension_count; at++) {
        size_t moved = trajectory.order[at];
        uint8_t level = at < row ? trajectory.end[moved] : trajectory.start[moved];
        shares[moved * MODEL_LANES] = (level + 0.5) / morris->levels;
    }
}

void morris_order(const struct morris *morris, uint64_t draw, uint16_t *order)
{
    struct trajectory trajectory;
    lay_draw(morris, draw, &trajectory);
    for (size_t at = 0; at < morris->dimension_count; at++) order[at * MODEL_LANES] = trajectory.order[at];
}

void morris_steps(const struct morris *morris, uint64_t draw, double *steps)
{
    struct trajectory trajectory;
    lay_draw(morris, draw, &trajectory);
    for (size_t at = 0; at < morris->dimension_count; at++) {
        size_t moved = trajectory.order[at];
        steps[at * MODEL_LANES] = trajectory.end[moved] > trajectory.start[moved] ? MORRIS_STEP : -MORRIS_STEP;
    }
}

void morris_shares(const struct design *design, uint32_t row, uint64_t first, model_lanes *shares)
{
    for (uint64_t lane = 0; lane < MODEL_LANES; lane++) morris_row(design->morris, row, first + lane, &shares[0][lane]);
}
