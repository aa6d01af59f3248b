#include "prim.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Draws, and those of them that say yes. */
struct tally {
    uint64_t draws, yes;
};

/* Both in one word, so that a draw is added at once. */
#define TALLY_YES  (UINT64_C(1) << 32)
#define TALLY_DRAW UINT64_C(1)

struct bounds {
    uint16_t low[MODEL_PARAMETERS_MAX], high[MODEL_PARAMETERS_MAX];
};

struct prim {
    uint64_t (*cells)[PRIM_CELLS_MAX]; /* [dimensions]: learning draws in the box, by cell */
    uint16_t *outside;                 /* [count]: dimensions whose bounds a draw breaks ... */
    uint16_t *broken;                  /* [count]: ... and their exclusive or: where it is one, which */
    struct bounds located;             /* the box that these two are about */
    bool *inside;                      /* [count]: a learning draw in the box that is peeled */
    struct bounds *steps;              /* [PRIM_STEPS_MAX] */
    uint32_t step_count;
    struct tally learning, judging; /* of what is left */
    struct tally all;               /* judging draws at the start */
    struct prim_box box;
};

struct prim *prim_new(size_t count, uint32_t dimensions)
{
    struct prim *prim = calloc(1, sizeof *prim);
    if (!prim) return NULL;
    size_t room = count ? count : 1;
    prim->cells = calloc(dimensions ? dimensions : 1, sizeof *prim->cells);
    prim->outside = calloc(room, sizeof *prim->outside);
    prim->broken = calloc(room, sizeof *prim->broken);
    prim->inside = calloc(room, sizeof *prim->inside);
    prim->steps = calloc(PRIM_STEPS_MAX, sizeof *prim->steps);
    if (prim->cells && prim->outside && prim->broken && prim->inside && prim->steps) return prim;
    prim_free(prim);
    return NULL;
}

void prim_free(struct prim *prim)
{
    if (!prim) return;
    free(prim->cells);
    free(prim->outside);
    free(prim->broken);
    free(prim->inside);
    free(prim->steps);
    free(prim);
}

bool prim_judges(uint64_t draw)
{
    /* The finaliser of splitmix64: neighbouring draws of a net are no independent halves. */
    draw += UINT64_C(0x9e3779b97f4a7c15);
    draw = (draw ^ draw >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    draw = (draw ^ draw >> 27) * UINT64_C(0x94d049bb133111eb);
    return (draw ^ draw >> 31) & 1;
}

/* --- chance --- */

/* Terms of the distribution in units of the largest, from there in both directions until they no longer matter. No
 * logarithm or gamma function is needed, whose last bits differ between machines. */
double prim_chance(uint64_t least, uint64_t trials, double share)
{
    const double negligible = 1e-40;
    if (least == 0 || share >= 1) return 1;
    if (least > trials || !(share > 0)) return 0;
    uint64_t mode = (uint64_t)((double)(trials + 1) * share);
    if (mode > trials) mode = trials;
    double odds = share / (1 - share), total = 1, tail = mode >= least, term = 1;
    for (uint64_t at = mode; at < trials && term > negligible; at++) {
        term *= (double)(trials - at) / (double)(at + 1) * odds;
        total += term;
        if (at + 1 >= least) tail += term;
    }
    term = 1;
    for (uint64_t at = mode; at > 0 && term > negligible; at--) {
        term *= (double)at / ((double)(trials - at + 1) * odds);
        total += term;
        if (at - 1 >= least) tail += term;
    }
    return tail / total;
}

/* The correlation of two yes-or-no properties: lying in the box, and saying yes. 0 where one of them is always so. */
static double phi_of(struct tally in, struct tally all)
{
    double yes_in = (double)in.yes, no_in = (double)(in.draws - in.yes);
    double yes_out = (double)(all.yes - in.yes), no_out = (double)(all.draws - in.draws) - yes_out;
    double square = (double)in.draws * (double)(all.draws - in.draws) * (double)all.yes * (double)(all.draws - all.yes);
    return square > 0 ? (yes_in * no_out - no_in * yes_out) / sqrt(square) : 0;
}

static bool is_bounded(const struct prim_draws *draws, const struct bounds *box, uint32_t dimension)
{
    return box->low[dimension] > 0 || box->high[dimension] + 1 < draws->cell_count[dimension];
}

static void lift(const struct prim_draws *draws, struct bounds *box, uint32_t dimension)
{
    box->low[dimension] = 0;
    box->high[dimension] = (uint16_t)(draws->cell_count[dimension] - 1);
}

static const uint16_t *column_of(const struct prim_draws *draws, uint32_t dimension)
{
    return draws->cells + dimension * draws->count;
}

/* --- peeling --- */

/* A peel of one side: what it takes away, and the bound that it leaves. */
struct peel {
    uint32_t dimension;
    bool is_low;
    uint16_t bound;
    struct tally taken;
    double gain; /* of density, for each draw that is taken away */
};

static struct tally count_of(uint64_t cell)
{
    return (struct tally){cell & UINT32_MAX, cell >> 32};
}

/* Fills the cells with the learning draws that are left. */
static void enter_all(struct prim *prim, const struct prim_draws *draws)
{
    memset(prim->cells, 0, draws->dimensions * sizeof *prim->cells);
    for (size_t at = 0; at < draws->count; at++) prim->inside[at] = (draws->flags[at] & (PRIM_JUDGE | PRIM_GONE)) == 0;
    for (uint32_t dimension = 0; dimension < draws->dimensions; dimension++) {
        const uint16_t *column = column_of(draws, dimension);
        for (size_t at = 0; at < draws->count; at++)
            if (prim->inside[at])
                prim->cells[dimension][column[at]] += TALLY_DRAW + (draws->flags[at] & PRIM_YES) * TALLY_YES;
    }
}

static void leave(struct prim *prim, const struct prim_draws *draws, size_t draw)
{
    uint64_t word = TALLY_DRAW + (draws->flags[draw] & PRIM_YES) * TALLY_YES;
    prim->inside[draw] = false;
    for (uint32_t dimension = 0; dimension < draws->dimensions; dimension++)
        prim->cells[dimension][column_of(draws, dimension)[draw]] -= word;
}

/* Walks inwards from one side, over as many cells as a peel may take. False: nothing would be left. */
static bool measure_peel(const uint64_t *cells, const struct bounds *box, uint64_t most, struct peel *peel)
{
    int low = box->low[peel->dimension], high = box->high[peel->dimension];
    int inwards = peel->is_low ? 1 : -1, last = -1;
    for (int cell = peel->is_low ? low : high; cell >= low && cell <= high; cell += inwards) {
        struct tally here = count_of(cells[cell]);
        if (here.draws == 0) continue;
        if (peel->taken.draws > 0 && peel->taken.draws + here.draws > most) {
            /* halfway between the last that goes and the first that stays */
            peel->bound = (uint16_t)(peel->is_low ? (last + cell + 1) / 2 : (last + cell) / 2);
            return true;
        }
        peel->taken.draws += here.draws;
        peel->taken.yes += here.yes;
        last = cell;
    }
    return false;
}

static double density_of(struct tally tally)
{
    return (double)tally.yes / (double)tally.draws;
}

/* The peel that raises density most for each draw it takes (J. H. Kwakkel and M. Jaxa-Rozen, Environ. Model. Softw. 79,
 * 311-321 (2016)), so that a discrete parameter, of which a peel takes much, is not preferred for that. Of equal
 * ones the first. False: none raises it, or leaves `least` draws. */
static bool choose_peel(const struct prim *prim, const struct prim_draws *draws, const struct bounds *box,
                        struct tally in, uint64_t least, struct peel *best)
{
    uint64_t most = in.draws / PRIM_PEEL ? in.draws / PRIM_PEEL : 1;
    best->gain = 0;
    for (uint32_t side = 0; side < 2 * draws->dimensions; side++) {
        struct peel peel = {.dimension = side / 2, .is_low = side % 2 == 0};
        if (!measure_peel(prim->cells[peel.dimension], box, most, &peel)) continue;
        struct tally left = {in.draws - peel.taken.draws, in.yes - peel.taken.yes};
        if (left.draws < least) continue;
        peel.gain = (density_of(left) - density_of(in)) / (double)peel.taken.draws;
        if (peel.gain > best->gain) *best = peel;
    }
    return best->gain > 0;
}

static void apply_peel(struct prim *prim, const struct prim_draws *draws, const struct peel *peel, struct bounds *box)
{
    const uint16_t *column = column_of(draws, peel->dimension);
    if (peel->is_low) box->low[peel->dimension] = peel->bound;
    else box->high[peel->dimension] = peel->bound;
    for (size_t at = 0; at < draws->count; at++) {
        bool out = peel->is_low ? column[at] < peel->bound : column[at] > peel->bound;
        if (out && prim->inside[at]) leave(prim, draws, at);
    }
}

/* Peels all that is left down to a twentieth of the yes. The best of the steps by phi. */
static struct bounds peel_down(struct prim *prim, const struct prim_draws *draws, double *best_phi)
{
    struct bounds box, best;
    struct peel peel;
    struct tally in = prim->learning;
    uint64_t least = in.yes / PRIM_PEEL > PRIM_LEARNERS / 2 ? in.yes / PRIM_PEEL : PRIM_LEARNERS / 2;
    for (uint32_t dimension = 0; dimension < draws->dimensions; dimension++) lift(draws, &box, dimension);
    enter_all(prim, draws);
    best = prim->steps[0] = box;
    *best_phi = 0;
    for (prim->step_count = 1; prim->step_count < PRIM_STEPS_MAX; prim->step_count++) {
        if (!choose_peel(prim, draws, &box, in, least, &peel)) break;
        apply_peel(prim, draws, &peel, &box);
        in.draws -= peel.taken.draws;
        in.yes -= peel.taken.yes;
        prim->steps[prim->step_count] = box;
        double phi = phi_of(in, prim->learning);
        if (phi <= *best_phi) continue;
        *best_phi = phi;
        best = box;
    }
    return best;
}

/* --- where draws lie --- */

/* 1 for a cell outside low to high; a cell below low wraps around. */
static uint16_t is_out(uint16_t cell, uint16_t low, uint16_t high)
{
    return (uint16_t)(cell - low) > (uint16_t)(high - low);
}

/* Everything lies in the box without bounds. */
static void locate_all(struct prim *prim, const struct prim_draws *draws)
{
    memset(prim->outside, 0, draws->count * sizeof *prim->outside);
    memset(prim->broken, 0, draws->count * sizeof *prim->broken);
    for (uint32_t dimension = 0; dimension < draws->dimensions; dimension++) lift(draws, &prim->located, dimension);
}

/* Moves on from the box that was located last; only dimensions with other bounds are looked at. */
static void locate(struct prim *prim, const struct prim_draws *draws, const struct bounds *box)
{
    uint16_t *outside = prim->outside, *broken = prim->broken;
    for (uint32_t dimension = 0; dimension < draws->dimensions; dimension++) {
        const uint16_t *column = column_of(draws, dimension), low = box->low[dimension], high = box->high[dimension];
        const uint16_t low_before = prim->located.low[dimension], high_before = prim->located.high[dimension];
        if (low == low_before && high == high_before) continue;
        for (size_t at = 0; at < draws->count; at++) {
            uint16_t is = is_out(column[at], low, high), was = is_out(column[at], low_before, high_before);
            outside[at] = (uint16_t)(outside[at] + is - was);
            broken[at] ^= (uint16_t)(-(is ^ was) & (int)dimension);
        }
        prim->located.low[dimension] = low;
        prim->located.high[dimension] = high;
    }
}

/* The judging, or the learning, draws that are left and break no bound. */
static struct tally count_inside(const struct prim *prim, const struct prim_draws *draws, uint8_t kind)
{
    struct tally in = {0};
    for (size_t at = 0; at < draws->count; at++) {
        uint64_t counts = prim->outside[at] == 0 && (draws->flags[at] & (PRIM_JUDGE | PRIM_GONE)) == kind;
        in.draws += counts;
        in.yes += counts & draws->flags[at];
    }
    return in;
}

/* The judging draws that would be in the box but for the bounds of one dimension: beyond[dimensions]. */
static void count_beyond(const struct prim *prim, const struct prim_draws *draws, uint64_t *beyond)
{
    memset(beyond, 0, draws->dimensions * sizeof *beyond);
    for (size_t at = 0; at < draws->count; at++) {
        if (prim->outside[at] != 1 || (draws->flags[at] & (PRIM_JUDGE | PRIM_GONE)) != PRIM_JUDGE) continue;
        beyond[prim->broken[at]] += TALLY_DRAW + (draws->flags[at] & PRIM_YES) * TALLY_YES;
    }
}

/* --- pasting --- */

/* Learning draws that lie in the box but for this dimension's bounds, by cell. */
static void enter_across(struct prim *prim, const struct prim_draws *draws, const struct bounds *box,
                         uint32_t dimension)
{
    const uint16_t *column = column_of(draws, dimension), low = box->low[dimension], high = box->high[dimension];
    uint64_t *cells = prim->cells[dimension];
    memset(cells, 0, sizeof prim->cells[dimension]);
    for (size_t at = 0; at < draws->count; at++) {
        bool counts = prim->outside[at] == is_out(column[at], low, high);
        if (counts && (draws->flags[at] & (PRIM_JUDGE | PRIM_GONE)) == 0)
            cells[column[at]] += TALLY_DRAW + (draws->flags[at] & PRIM_YES) * TALLY_YES;
    }
}

/* Tries every place of one bound, from the other one outwards. */
static void try_bound(const struct prim *prim, const struct prim_draws *draws, const struct bounds *box,
                      uint32_t dimension, bool is_low, struct bounds *best, double *best_phi)
{
    const uint64_t *cells = prim->cells[dimension];
    int outwards = is_low ? -1 : 1, count = draws->cell_count[dimension];
    struct tally in = {0};
    for (int cell = is_low ? box->high[dimension] : box->low[dimension]; cell >= 0 && cell < count; cell += outwards) {
        struct tally here = count_of(cells[cell]);
        in.draws += here.draws;
        in.yes += here.yes;
        double phi = phi_of(in, prim->learning);
        if (phi <= *best_phi) continue;
        *best_phi = phi;
        *best = *box;
        if (is_low) best->low[dimension] = (uint16_t)cell;
        else best->high[dimension] = (uint16_t)cell;
    }
}

/* Moves one bound after another to where phi is largest, each time the one that raises it most, while it rises. */
static struct bounds paste(struct prim *prim, const struct prim_draws *draws, struct bounds box, double phi)
{
    for (uint32_t round = 0; round < PRIM_STEPS_MAX; round++) {
        struct bounds best = box;
        double best_phi = phi;
        locate(prim, draws, &box);
        for (uint32_t dimension = 0; dimension < draws->dimensions; dimension++) {
            if (!is_bounded(draws, &box, dimension)) continue;
            enter_across(prim, draws, &box, dimension);
            try_bound(prim, draws, &box, dimension, true, &best, &best_phi);
            try_bound(prim, draws, &box, dimension, false, &best, &best_phi);
        }
        if (best_phi <= phi) break;
        box = best;
        phi = best_phi;
    }
    return box;
}

/* --- judging --- */

/* All figures of a box, from the draws that did not make it. */
static void judge(struct prim *prim, const struct prim_draws *draws, const struct bounds *bounds, uint32_t step)
{
    struct prim_box *box = &prim->box;
    memcpy(box->low, bounds->low, sizeof box->low);
    memcpy(box->high, bounds->high, sizeof box->high);
    locate(prim, draws, bounds);
    struct tally in = count_inside(prim, draws, PRIM_JUDGE);
    box->step = step;
    box->chosen = false;
    box->draws = in.draws;
    box->yes = in.yes;
    box->coverage = (double)in.yes / (double)prim->all.yes;
    box->density = in.draws ? density_of(in) : NAN;
    box->mass = (double)in.draws / (double)prim->all.draws;
    uint64_t beyond[MODEL_PARAMETERS_MAX];
    count_beyond(prim, draws, beyond);
    for (uint32_t dimension = 0; dimension < draws->dimensions; dimension++) {
        box->quasi_p[dimension] = NAN;
        if (!is_bounded(draws, bounds, dimension)) continue;
        struct tally without = count_of(beyond[dimension]);
        without.draws += in.draws;
        without.yes += in.yes;
        box->quasi_p[dimension] = without.draws ? prim_chance(in.yes, in.draws, density_of(without)) : 1;
    }
}

/* Leaves out the bounds that do nothing for the density, the worst first, and judges what remains. */
static void judge_last(struct prim *prim, const struct prim_draws *draws, struct bounds bounds)
{
    for (;;) {
        uint32_t worst = draws->dimensions;
        judge(prim, draws, &bounds, prim->step_count);
        const double *quasi_p = prim->box.quasi_p;
        for (uint32_t dimension = 0; dimension < draws->dimensions; dimension++)
            if (quasi_p[dimension] > PRIM_DROP && (worst == draws->dimensions || quasi_p[dimension] > quasi_p[worst]))
                worst = dimension;
        if (worst == draws->dimensions) return;
        lift(draws, &bounds, worst);
    }
}

static bool stands_out(const struct prim *prim)
{
    struct tally in = {prim->box.draws, prim->box.yes};
    return in.draws > 0 && phi_of(in, prim->judging) >= PRIM_PHI &&
           prim_chance(in.yes, in.draws, density_of(prim->judging)) < PRIM_CHANCE;
}

/* --- boxes one after another --- */

static void count_left(struct prim *prim, const struct prim_draws *draws)
{
    locate_all(prim, draws);
    prim->learning = count_inside(prim, draws, 0);
    prim->judging = count_inside(prim, draws, PRIM_JUDGE);
}

static bool is_enough(struct tally tally)
{
    return tally.yes >= PRIM_LEARNERS && tally.draws - tally.yes >= PRIM_LEARNERS;
}

/* What lies in the box that was located last is found. */
static void take_away(const struct prim *prim, const struct prim_draws *draws)
{
    for (size_t at = 0; at < draws->count; at++)
        if (prim->outside[at] == 0) draws->flags[at] |= PRIM_GONE;
}

/* False: emit said so. */
static bool find_box(struct prim *prim, const struct prim_draws *draws,
                     bool (*emit)(void *context, const struct prim_box *box), void *context)
{
    double phi;
    struct bounds best = peel_down(prim, draws, &phi);
    for (uint32_t step = 0; step < prim->step_count; step++) {
        judge(prim, draws, &prim->steps[step], step);
        if (!emit(context, &prim->box)) return false;
    }
    judge_last(prim, draws, paste(prim, draws, best, phi));
    prim->box.chosen = stands_out(prim);
    return !prim->box.chosen || emit(context, &prim->box);
}

enum prim_result prim_find(struct prim *prim, const struct prim_draws *draws,
                           bool (*emit)(void *context, const struct prim_box *box), void *context)
{
    uint32_t found = 0;
    for (; found < PRIM_BOXES_MAX; found++) {
        count_left(prim, draws);
        if (found == 0) prim->all = prim->judging;
        if (!is_enough(prim->learning) || !is_enough(prim->judging)) break;
        prim->box.box = found + 1;
        if (!find_box(prim, draws, emit, context)) return PRIM_STOPPED;
        if (!prim->box.chosen) return found ? PRIM_FOUND : PRIM_NOTHING;
        take_away(prim, draws);
    }
    return found ? PRIM_FOUND : PRIM_TOO_FEW;
}
