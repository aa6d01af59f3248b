/* Where a sweep ended, and why: with its last draw, or before, because its stop rule was met. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "node.h"
#include "plan.h"

#define ENDING_BYTES 320

struct ending {
    uint64_t draws, planned; /* draws below planned: the rule was met */
    uint32_t checkpoint;     /* at which it was met, from 1; 0: it was not */
    struct sweep_stop rule;
    const char *unit;  /* of the rule's measure; borrowed from the model; NULL: no rule */
    double half_width; /* of the mean that the rule names, in the measure's unit; NaN: undefined, or no rule */
};

/* root: that of the finished sweep. */
struct ending ending_of(const struct plan *plan, const struct node *root);

static inline bool ending_is_early(const struct ending *ending)
{
    return ending->draws < ending->planned;
}

/* Two lines without the last line's end: "stopped: sure enough after 4,096 of 65,536 draws, at checkpoint 3" and
 * "  half-width of the mean of bcr: 0.048 at 95 %, asked for 0.05"; or "not stopped: no checkpoint of 65,536 draws met
 * the rule" and the like. Empty without a rule. */
void ending_line(const struct ending *ending, char text[ENDING_BYTES]);

/* The same for programs: an object, or null. The caller owns it. */
json_t *ending_describe(const struct ending *ending);
