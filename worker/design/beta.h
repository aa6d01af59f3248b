/* Quantiles of the beta distribution, tabled once and then cheap. */
#pragma once

#define BETA_OCTAVES          19 /* shares from 2^-20 to 1/2 are tabled, the rarer ones solved */
#define BETA_CELLS_PER_OCTAVE 8
#define BETA_CELLS            (BETA_OCTAVES * BETA_CELLS_PER_OCTAVE)
#define BETA_NODES            8
#define BETA_WEIGHT_MAX       6 /* of a mode: shapes then sum to 8 */

/* The lower tail of Beta(a, b): values with at most half of all draws below them. The upper tail of
 * Beta(a, b) is the lower one of Beta(b, a), counted from 1. */
struct beta_tail {
    double a, b;
    double scale; /* a B(a, b): the share below a small x is x^a / scale */
    double cells[BETA_CELLS][BETA_NODES];
};

/* a, b: at least 1, and their sum at most 2 + BETA_WEIGHT_MAX. Takes about a millisecond. */
void beta_tail_init(struct beta_tail *tail, double a, double b);

/* The value below which a share of draws lies; 0 < share <= 1/2. Within 1e-13 relative. */
double beta_tail_at(const struct beta_tail *tail, double share);
