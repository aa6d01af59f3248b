/* The model against published figures: V1 to V16 of the evidence. Every figure of ours comes from a run
 * of the model or from the population, here and now, but for the two gaps of V13, which only restate what
 * is published, and say so. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/population.h>

#define VALIDATION_ROWS_MAX 64

/* How much agreement is worth. */
enum validation_kind {
    VALIDATION_CALIBRATED, /* an input was chosen so that the model meets this figure: shows correct arithmetic only */
    VALIDATION_INPUT,      /* the figure is an input, or arithmetic on inputs */
    VALIDATION_GENUINE     /* nothing was fitted to it */
};

enum validation_verdict { VALIDATION_PASS, VALIDATION_FAIL, VALIDATION_NOT_APPLICABLE };

/* One comparison. Strings are constants. */
struct validation_row {
    const char *id; /* "V1" .. "V16"; several rows may share one */
    const char *what;
    const char *unit;
    double target, ours; /* ours: NaN when not applicable */
    double tolerance;    /* relative to the target, or absolute in the unit */
    bool relative;
    enum validation_kind kind;
    enum validation_verdict verdict;
    const char *note; /* why not applicable, or what to know; may be "" */
};

/* Fills at most `max` rows, in order. The number of rows, or -1: out of memory or `why`. */
int validation_run(const struct population *population, struct validation_row *rows, int max, char *why,
                   size_t why_bytes);

const char *validation_kind_name(enum validation_kind kind);
const char *validation_verdict_name(enum validation_verdict verdict);
