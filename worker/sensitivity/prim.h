/* PRIM: boxes in the parameters in which most draws answer yes (J. H. Friedman and N. I. Fisher, Stat. Comput. 9,
 * 123-143 (1999); for scenario discovery B. P. Bryant and R. J. Lempert, Technol. Forecast. Soc. Change 77, 34-49
 * (2010)). Pure, the same bits on any machine, and no memory taken but by prim_new().
 *
 * Parameters come as cells: small whole numbers that order as the values do, such as a share of the distribution
 * times 4,096, or the position of a discrete value. A cell is never divided.
 *
 * Half of the draws learn: they peel a box down and choose one of those on the way. The others judge: all
 * figures of a box are theirs, so that they do not flatter it, and noise is seen to be noise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>

#define PRIM_CELLS_MAX 4096u
#define PRIM_STEPS_MAX 256u
#define PRIM_BOXES_MAX 3u   /* each looks at what those before it leave */
#define PRIM_PEEL      20u  /* a peel takes at most one of so many draws in the box, or else a single cell */
#define PRIM_LEARNERS  20u  /* draws that say yes, and that say no, among those that learn: at least so many */
#define PRIM_DROP      0.05 /* a bound with a larger quasi-p value than this is left out */
#define PRIM_CHANCE    0.01 /* a box stands out when chance gives as many yes with less than this ... */
#define PRIM_PHI       0.1  /* ... and lying in it correlates with yes at least so much */

enum { PRIM_YES = 1, PRIM_JUDGE = 2, PRIM_GONE = 4 };

struct prim_draws {
    size_t count;                              /* below 2^31 */
    uint32_t dimensions;                       /* at most MODEL_PARAMETERS_MAX */
    const uint16_t *cells;                     /* [dimensions][count] */
    uint16_t cell_count[MODEL_PARAMETERS_MAX]; /* [dimensions]: cells are below it; at most PRIM_CELLS_MAX */
    uint8_t *flags;                            /* [count]: PRIM_YES, PRIM_JUDGE; PRIM_GONE marks draws in a box that
                                                  was found, and must not be there at first */
};

/* One box of a trajectory, from all that is left to the smallest. Shares are those of the judging draws: coverage,
 * of the yes, in the box; density, of the box, yes; mass, of all draws, in the box. */
struct prim_box {
    uint32_t box, step; /* from 1; from 0 */
    bool chosen;        /* the box of this trajectory: its last step, if it stands out */
    uint64_t draws, yes;
    double coverage, density, mass;                                 /* density NaN: no judging draw is in it */
    uint16_t low[MODEL_PARAMETERS_MAX], high[MODEL_PARAMETERS_MAX]; /* [dimensions], cells, both inclusive */
    double quasi_p[MODEL_PARAMETERS_MAX]; /* how likely chance, as in the box without the bounds of this dimension,
                                             gives as many yes; NaN: the dimension has no bounds */
};

struct prim;

/* NULL: out of memory. Takes about 5 bytes for each draw and 32 KiB for each dimension. */
struct prim *prim_new(size_t count, uint32_t dimensions);
void prim_free(struct prim *prim);

enum prim_result {
    PRIM_FOUND,   /* boxes were chosen */
    PRIM_NOTHING, /* no box stands out */
    PRIM_TOO_FEW, /* fewer than PRIM_LEARNERS learning draws say yes, or no: nothing was emitted */
    PRIM_STOPPED  /* emit said so */
};

/* Emits the trajectory of each box, and its last step for good: of the boxes on the way the one whose phi coefficient,
 * the correlation of lying in it with saying yes, is the largest among the learning draws; its sides moved to
 * where phi is largest; and bounds left out that do nothing for the density. The box is valid during the call. */
enum prim_result prim_find(struct prim *prim, const struct prim_draws *draws,
                           bool (*emit)(void *context, const struct prim_box *box), void *context);

/* Whether a draw judges: half of them, at random by their number. */
bool prim_judges(uint64_t draw);

/* The probability of at least `least` successes in `trials` (below 2^31), each with the probability `share`. Within
 * a relative 1e-9 above 1e-20. */
double prim_chance(uint64_t least, uint64_t trials, double share);

static inline bool prim_bounded(const struct prim_draws *draws, const struct prim_box *box, uint32_t dimension)
{
    return box->low[dimension] > 0 || box->high[dimension] + 1 < draws->cell_count[dimension];
}
