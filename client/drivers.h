/* What a study found, in brief: of each studied figure of the largest area the parameters that matter most, where
 * other areas differ, how sure the mean is; and where runs fail. Pure. sensitivity.csv has all of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"
#include "design.h"
#include "failures.h"
#include "node.h"
#include "plan.h"

#define DRIVERS_TOP 5

/* The half-width of the mean's interval, as a share of the mean, at or below which it counts as settled. */
#define DRIVERS_SETTLED 0.01

struct driver {
    int dimension;           /* as of struct estimate_row */
    double value, low, high; /* low, high: NaN where there is no interval */
};

/* One figure. */
struct finding {
    struct driver top[DRIVERS_TOP]; /* descending by size */
    size_t count;                   /* 0: nothing moves it, or the design does not rank */
    struct driver floor;            /* of the dummy; dimension -1: there is none */
    const char *floor_index;
    uint64_t defined;   /* draws in which the figure is; all else is about these */
    uint64_t summed;    /* of these, draws that the interval of the mean is from */
    struct driver mean; /* its dimension says nothing; value NaN: the design has none */
};

struct drivers {
    const struct plan *plan;  /* borrowed */
    const char *index;        /* what ranks: st, shapley, mu_star, swing, dgsm_bound, delta; NULL: nothing does */
    double confidence;        /* of intervals */
    uint64_t draws;           /* that did not fail */
    struct finding *findings; /* owned, [target_count] of the study */
    bool failed;              /* some run did */
    struct failure_box box;   /* where */
    struct design *design;    /* owned: turns shares into values */
};

/* False: out of memory. End it with drivers_free() either way. */
bool drivers_find(struct drivers *drivers, const struct plan *plan, const struct node *root);
void drivers_free(struct drivers *drivers);

/* Half the width of the mean's interval as a share of the mean; NaN: there is no interval, or the mean is 0. */
double drivers_half_width(const struct finding *finding);

/* Appends lines of text; none for a sweep without study in which nothing failed. */
void drivers_write(const struct drivers *drivers, struct buffer *out);

/* Adds `confidence`, `drivers` and, where runs failed, `failed` to a JSON object. Undefined is null. */
void drivers_describe(const struct drivers *drivers, json_t *object);
