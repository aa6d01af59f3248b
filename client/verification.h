/* What `goldthread verify` holds against exact values: samplers and sketches by themselves, and estimators through
 * whole sweeps of functions whose indices are known (tests/model/functions). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node.h"
#include "plan.h"

#define VERIFICATION_DRAWS      (UINT64_C(1) << 20) /* the draws that tolerances are meant for */
#define VERIFICATION_DRAWS_MIN  1024u
#define VERIFICATION_TEXT_BYTES 8192u

struct verification_expected {
    const char *index, *parameter, *second; /* as in sensitivity.csv */
    double exact;
    double tolerance; /* of the absolute difference, with VERIFICATION_DRAWS */
};

struct verification_sweep {
    const char *name;   /* for people */
    const char *model;  /* file name without its ending */
    const char *method; /* of the design */
    uint64_t draws;     /* 0: as many as are asked for; then tolerances grow as draws^-3/4 shrinks */
    const char *extra;  /* more lines of the scenario file */
    const struct verification_expected *expected;
    size_t expected_count;
};

/* One comparison. found NaN: there is no such estimate, which fails. */
struct verification_row {
    const char *index, *parameter, *second;
    double exact, found, tolerance;
    bool pass;
};

const struct verification_sweep *verification_sweeps(size_t *count);

/* The scenario file of a sweep; models: the folder of its model. False: the path does not fit. */
bool verification_text(const struct verification_sweep *sweep, const char *models, uint64_t draws,
                       char text[VERIFICATION_TEXT_BYTES]);

/* Compares the finished sweep, row by row. draws: as given to verification_text. False: out of memory. */
bool verification_compare(const struct verification_sweep *sweep, const struct plan *plan, const struct node *root,
                          uint64_t draws, void (*emit)(void *context, const struct verification_row *row),
                          void *context);

/* Random bits, Sobol' points, quantile functions and the histogram; rows as above, with `index` saying what is
 * compared. False: out of memory. */
bool verification_local(void (*emit)(void *context, const struct verification_row *row), void *context);
