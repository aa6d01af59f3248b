/* What discovery found, as it leaves the system: boxes.csv, sentences, JSON. Pure; docs/discovery.md has the method. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "bytes.h"
#include "node.h"
#include "plan.h"

#define BOXES_HEADER                                                                                                   \
    "scenario,area_code,measure,year,answer,box,step,parameter,low,high,coverage,density,mass,draws,quasi_p,chosen\n"

struct boxes {
    struct buffer csv;  /* every box on the way, with its header; empty when the sweep asks no question */
    struct buffer text; /* a line on each target, and one on each of its boxes */
    json_t *list;       /* an object for each target; NULL when the sweep asks no question */
};

/* root: of all draws from 0 on. False: out of memory. End it with boxes_free() either way. */
bool boxes_find(struct boxes *boxes, const struct plan *plan, const struct node *root);
void boxes_free(struct boxes *boxes);
