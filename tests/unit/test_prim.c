/* PRIM: boxes of draws that say yes, and none where there is none. */
#include "prim.h"

#include <criterion/criterion.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "philox.h"

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))
#define BOXES_KEPT  1024u

/* Draws in the making, and what was found. */
struct trial {
    struct prim_draws draws;
    uint16_t *cells;
    struct prim_box *boxes;
    size_t box_count, stop_after;
    enum prim_result result;
};

static struct trial trial_of(size_t count, uint32_t dimensions)
{
    struct trial trial = {.draws = {.count = count, .dimensions = dimensions, .flags = calloc(count + 1, 1)},
                          .cells = calloc(count * dimensions + 1, sizeof(uint16_t)),
                          .boxes = calloc(BOXES_KEPT, sizeof(struct prim_box)),
                          .stop_after = BOXES_KEPT};
    cr_assert(trial.draws.flags && trial.cells && trial.boxes);
    trial.draws.cells = trial.cells;
    for (uint32_t at = 0; at < dimensions; at++) trial.draws.cell_count[at] = PRIM_CELLS_MAX;
    return trial;
}

static void free_trial(struct trial *trial)
{
    free(trial->draws.flags);
    free(trial->cells);
    free(trial->boxes);
}

/* Uniform shares, as cells. */
static void fill_cells(struct trial *trial, uint64_t seed)
{
    for (uint32_t dimension = 0; dimension < trial->draws.dimensions; dimension++)
        for (size_t at = 0; at < trial->draws.count; at++)
            trial->cells[dimension * trial->draws.count + at] =
                (uint16_t)(philox_unit(seed, dimension, at) * trial->draws.cell_count[dimension]);
}

static double share_of(const struct trial *trial, uint32_t dimension, size_t draw)
{
    return (trial->cells[dimension * trial->draws.count + draw] + 0.5) / trial->draws.cell_count[dimension];
}

static bool keep_box(void *context, const struct prim_box *box)
{
    struct trial *trial = context;
    cr_assert_lt(trial->box_count, BOXES_KEPT);
    trial->boxes[trial->box_count++] = *box;
    return trial->box_count < trial->stop_after;
}

/* says: the draws that say yes. */
static void find(struct trial *trial, bool (*says)(const struct trial *trial, size_t draw))
{
    for (size_t at = 0; at < trial->draws.count; at++)
        trial->draws.flags[at] = (uint8_t)((says(trial, at) ? PRIM_YES : 0) | (prim_judges(at) ? PRIM_JUDGE : 0));
    struct prim *prim = prim_new(trial->draws.count, trial->draws.dimensions);
    cr_assert_not_null(prim);
    trial->box_count = 0;
    trial->result = prim_find(prim, &trial->draws, keep_box, trial);
    prim_free(prim);
}

static const struct prim_box *chosen(const struct trial *trial, uint32_t box)
{
    for (size_t at = 0; at < trial->box_count; at++)
        if (trial->boxes[at].chosen && trial->boxes[at].box == box) return &trial->boxes[at];
    return NULL;
}

static uint32_t count_bounded(const struct trial *trial, const struct prim_box *box)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < trial->draws.dimensions; at++) count += prim_bounded(&trial->draws, box, at);
    return count;
}

static bool in_corner(const struct trial *trial, size_t draw)
{
    return share_of(trial, 1, draw) < 0.3 && share_of(trial, 4, draw) > 0.6;
}

Test(prim, a_corner_is_found_with_its_bounds_and_no_others)
{
    struct trial trial = trial_of(20000, 8);
    fill_cells(&trial, 1);
    find(&trial, in_corner);
    const struct prim_box *box = chosen(&trial, 1);
    cr_assert_eq(trial.result, PRIM_FOUND);
    cr_assert_not_null(box);
    cr_expect_eq(count_bounded(&trial, box), 2);
    cr_expect_eq(box->low[1], 0);
    cr_expect_float_eq((box->high[1] + 1) / 4096.0, 0.3, 0.005);
    cr_expect_float_eq(box->low[4] / 4096.0, 0.6, 0.005);
    cr_expect_eq(box->high[4], PRIM_CELLS_MAX - 1);
    cr_expect_gt(box->coverage, 0.98);
    cr_expect_gt(box->density, 0.98);
    cr_expect_float_eq(box->mass, 0.12, 0.01);
    cr_expect_lt(box->quasi_p[1], 1e-20);
    cr_expect(isnan(box->quasi_p[0]));
    cr_expect_null(chosen(&trial, 2), "nothing is left");
    free_trial(&trial);
}

static bool in_blurred_corner(const struct trial *trial, size_t draw)
{
    return philox_unit(77, 50, draw) < (in_corner(trial, draw) ? 0.9 : 0.1);
}

Test(prim, a_corner_that_is_blurred_is_found_too)
{
    struct trial trial = trial_of(20000, 8);
    fill_cells(&trial, 2);
    find(&trial, in_blurred_corner);
    const struct prim_box *box = chosen(&trial, 1);
    cr_assert_not_null(box);
    cr_expect_eq(count_bounded(&trial, box), 2);
    cr_expect_float_eq((box->high[1] + 1) / 4096.0, 0.3, 0.02);
    cr_expect_float_eq(box->low[4] / 4096.0, 0.6, 0.02);
    cr_expect_float_eq(box->density, 0.9, 0.03);
    cr_expect_float_eq(box->coverage, 0.9 * 0.12 / (0.9 * 0.12 + 0.1 * 0.88), 0.03);
    free_trial(&trial);
}

/* Yes nearly everywhere but in one corner: the box is what holds most of the yes there is to tell apart. */
static bool outside_slab(const struct trial *trial, size_t draw)
{
    return share_of(trial, 2, draw) < 0.8;
}

Test(prim, a_box_is_found_where_most_draws_say_yes)
{
    struct trial trial = trial_of(5000, 5);
    fill_cells(&trial, 3);
    find(&trial, outside_slab);
    const struct prim_box *box = chosen(&trial, 1);
    cr_assert_not_null(box);
    cr_expect_eq(count_bounded(&trial, box), 1);
    cr_expect_float_eq((box->high[2] + 1) / 4096.0, 0.8, 0.01);
    free_trial(&trial);
}

static uint64_t noise_seed;

static bool at_random(const struct trial *trial, size_t draw)
{
    (void)trial;
    return philox_unit(noise_seed, 60, draw) < 0.3;
}

Test(prim, noise_has_no_box_that_stands_out)
{
    static const size_t counts[] = {200, 1000, 5000};
    for (size_t at = 0; at < COUNT(counts); at++) {
        size_t alarms = 0;
        for (noise_seed = 1; noise_seed <= 100; noise_seed++) {
            struct trial trial = trial_of(counts[at], 10);
            fill_cells(&trial, 1000 + noise_seed);
            find(&trial, at_random);
            alarms += trial.result != PRIM_NOTHING;
            cr_assert_gt(trial.box_count, 0, "the trajectory is there to be looked at");
            free_trial(&trial);
        }
        cr_expect_leq(alarms, 3, "%zu false alarms of 100 with %zu draws", alarms, counts[at]);
    }
}

static bool in_two_corners(const struct trial *trial, size_t draw)
{
    bool first = share_of(trial, 0, draw) < 0.25 && share_of(trial, 1, draw) < 0.5;
    bool second = share_of(trial, 0, draw) > 0.9 && share_of(trial, 1, draw) > 0.6;
    return first || second;
}

Test(prim, a_second_box_covers_what_the_first_leaves)
{
    struct trial trial = trial_of(20000, 5);
    fill_cells(&trial, 4);
    find(&trial, in_two_corners);
    const struct prim_box *first = chosen(&trial, 1), *second = chosen(&trial, 2);
    cr_assert(first && second);
    cr_expect_gt(first->density, 0.95);
    cr_expect_gt(second->density, 0.95);
    cr_expect_gt(first->coverage + second->coverage, 0.95);
    cr_expect_leq(first->coverage + second->coverage, 1.0);
    free_trial(&trial);
}

static bool at_last_value(const struct trial *trial, size_t draw)
{
    return trial->cells[1 * trial->draws.count + draw] == 2 && share_of(trial, 3, draw) < 0.5;
}

/* One dimension of three values, one of two, and one that always has the same. */
Test(prim, discrete_parameters_are_cut_between_their_values)
{
    struct trial trial = trial_of(6000, 4);
    trial.draws.cell_count[0] = 2;
    trial.draws.cell_count[1] = 3;
    trial.draws.cell_count[2] = 1;
    fill_cells(&trial, 5);
    find(&trial, at_last_value);
    const struct prim_box *box = chosen(&trial, 1);
    cr_assert_not_null(box);
    cr_expect_eq(count_bounded(&trial, box), 2);
    cr_expect(box->low[1] == 2 && box->high[1] == 2);
    cr_expect_float_eq((box->high[3] + 1) / 4096.0, 0.5, 0.01);
    cr_expect_gt(box->coverage, 0.97);
    free_trial(&trial);
}

static bool always(const struct trial *trial, size_t draw)
{
    (void)trial, (void)draw;
    return true;
}

static bool never(const struct trial *trial, size_t draw)
{
    (void)trial, (void)draw;
    return false;
}

static bool seldom(const struct trial *trial, size_t draw)
{
    (void)trial;
    return draw % 100 == 7;
}

Test(prim, all_yes_no_yes_and_too_few_yes_have_no_box)
{
    bool (*const answers[])(const struct trial *trial, size_t draw) = {always, never, seldom};
    static const size_t counts[] = {0, 1, 2000};
    for (size_t count = 0; count < COUNT(counts); count++)
        for (size_t at = 0; at < COUNT(answers); at++) {
            struct trial trial = trial_of(counts[count], 3);
            fill_cells(&trial, 6);
            find(&trial, answers[at]);
            cr_expect_eq(trial.result, PRIM_TOO_FEW, "answer %zu of %zu draws", at, counts[count]);
            cr_expect_eq(trial.box_count, 0);
            free_trial(&trial);
        }
}

Test(prim, nothing_can_be_peeled_where_every_draw_is_in_one_cell)
{
    struct trial trial = trial_of(1000, 3);
    noise_seed = 7;
    find(&trial, at_random);
    cr_expect_eq(trial.result, PRIM_NOTHING);
    cr_expect_eq(trial.box_count, 1, "the box of everything");
    free_trial(&trial);
}

/* --- every figure against a plain count --- */

struct plain {
    uint64_t draws, yes;
};

/* Judging draws in the box, without the bounds of one dimension if it is there, and outside of those gone. */
static struct plain count_plain(const struct trial *trial, const struct prim_box *box, uint32_t but, const bool *gone)
{
    struct plain plain = {0};
    for (size_t at = 0; at < trial->draws.count; at++) {
        bool in = prim_judges(at) && !gone[at];
        for (uint32_t dimension = 0; dimension < trial->draws.dimensions && in; dimension++) {
            uint16_t cell = trial->cells[dimension * trial->draws.count + at];
            in = dimension == but || (cell >= box->low[dimension] && cell <= box->high[dimension]);
        }
        plain.draws += in;
        plain.yes += in && trial->draws.flags[at] & PRIM_YES;
    }
    return plain;
}

static void check_box(const struct trial *trial, const struct prim_box *box, const bool *gone, struct plain all)
{
    struct plain in = count_plain(trial, box, UINT32_MAX, gone);
    cr_assert(box->draws == in.draws && box->yes == in.yes, "box %u, step %u", box->box, box->step);
    cr_assert_eq(box->coverage, (double)in.yes / (double)all.yes);
    cr_assert_eq(box->mass, (double)in.draws / (double)all.draws);
    cr_assert_eq(box->density, (double)in.yes / (double)in.draws);
    for (uint32_t dimension = 0; dimension < trial->draws.dimensions; dimension++) {
        struct plain without = count_plain(trial, box, dimension, gone);
        cr_assert_neq(isnan(box->quasi_p[dimension]) != 0, prim_bounded(&trial->draws, box, dimension));
        double chance = prim_chance(in.yes, in.draws, (double)without.yes / (double)without.draws);
        cr_assert(isnan(box->quasi_p[dimension]) || box->quasi_p[dimension] == chance);
    }
}

Test(prim, every_figure_is_what_a_plain_count_of_the_judging_draws_gives)
{
    struct trial trial = trial_of(3000, 5);
    bool gone[3000] = {false};
    fill_cells(&trial, 8);
    find(&trial, in_two_corners);
    struct plain all = count_plain(&trial, &trial.boxes[0], UINT32_MAX, gone);
    cr_assert_gt(trial.box_count, 20);
    for (size_t at = 0; at < trial.box_count; at++) {
        const struct prim_box *box = &trial.boxes[at];
        check_box(&trial, box, gone, all);
        cr_assert(at == 0 || box->step == 0 || box->box != box[-1].box || box->step == box[-1].step + 1);
        for (size_t draw = 0; box->chosen && draw < trial.draws.count; draw++) {
            bool in = true;
            for (uint32_t dimension = 0; dimension < trial.draws.dimensions && in; dimension++) {
                uint16_t cell = trial.cells[dimension * trial.draws.count + draw];
                in = cell >= box->low[dimension] && cell <= box->high[dimension];
            }
            gone[draw] |= in;
        }
    }
    free_trial(&trial);
}

Test(prim, a_box_of_the_trajectory_lies_in_the_one_before)
{
    struct trial trial = trial_of(3000, 5);
    fill_cells(&trial, 9);
    find(&trial, in_two_corners);
    for (size_t at = 1; at < trial.box_count; at++) {
        const struct prim_box *box = &trial.boxes[at], *before = box - 1;
        if (box->box != before->box || box->chosen) continue;
        for (uint32_t dimension = 0; dimension < 5; dimension++)
            cr_assert(box->low[dimension] >= before->low[dimension] && box->high[dimension] <= before->high[dimension]);
        cr_assert_leq(box->draws, before->draws);
    }
    free_trial(&trial);
}

Test(prim, it_ends_when_told)
{
    struct trial trial = trial_of(3000, 5);
    fill_cells(&trial, 9);
    trial.stop_after = 4;
    find(&trial, in_two_corners);
    cr_expect_eq(trial.result, PRIM_STOPPED);
    cr_expect_eq(trial.box_count, 4);
    free_trial(&trial);
}

Test(prim, half_of_the_draws_judge_and_neighbours_do_not_take_turns)
{
    size_t judges = 0, turns = 0, draws = 1u << 16;
    for (size_t at = 0; at < draws; at++) {
        judges += prim_judges(at);
        turns += prim_judges(at) != prim_judges(at + 1);
    }
    cr_expect_float_eq((double)judges / (double)draws, 0.5, 0.01);
    cr_expect_float_eq((double)turns / (double)draws, 0.5, 0.01);
}

Test(prim, chance_is_the_tail_of_the_binomial_distribution)
{
    static const unsigned trials[] = {1, 2, 10, 500, 20000, 300000};
    static const double shares[] = {1e-6, 0.01, 0.3, 0.5, 0.77, 0.999};
    for (size_t at = 0; at < COUNT(trials); at++)
        for (size_t share = 0; share < COUNT(shares); share++) {
            double n = trials[at], p = shares[share], spread = sqrt(n * p * (1 - p));
            for (double off = -8; off <= 8; off += 0.5) {
                double least = floor(n * p + off * spread);
                if (least < 1 || least > n) continue;
                double exact = gsl_cdf_binomial_Q((unsigned)least - 1, p, trials[at]);
                double made = prim_chance((uint64_t)least, trials[at], p);
                cr_expect(fabs(made - exact) <= 1e-9 * exact + 1e-20, "%g of %g at %g: %.17g, not %.17g", least, n, p,
                          made, exact);
            }
        }
    cr_expect_eq(prim_chance(0, 10, 0.3), 1);
    cr_expect_eq(prim_chance(11, 10, 0.3), 0);
    cr_expect_eq(prim_chance(3, 10, 0), 0);
    cr_expect_eq(prim_chance(10, 10, 1), 1);
}
