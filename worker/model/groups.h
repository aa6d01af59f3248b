/* Groups: rows of the population that share every rate, so that the model's work is proportional to
 * groups and never to schools; and the weight of each group in each area. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>

/* Phases that share leaver multipliers and paths of posts: primary covers nursery, special covers
 * alternative provision. */
enum phase_class { CLASS_PRIMARY, CLASS_SECONDARY, CLASS_SPECIAL, CLASS_COUNT };

struct group {
    uint8_t phase_class;
    uint8_t quintile; /* 0..5 */
    uint8_t region;   /* 1..9; 0 when regions do not differ */
    bool ks4;         /* has pupils at the end of key stage 4 */
    double fte;       /* of the whole population, before workforce.fte_scale */
};

/* Sums over the rows of a group in an area, or of a whole area. D is the FSM6 share of the earnings
 * equation (e4), Dg the disadvantaged share of the gap equation (e5). */
struct weights {
    double fte;      /* before workforce.fte_scale */
    double ks4;      /* n: pupils at the end of key stage 4 */
    double ks4_fsm6; /* n D */
    double ks4_gap;  /* n Dg */
};

struct group_share {
    uint16_t group;
    struct weights weights;
};

struct area_weights {
    size_t first, count; /* into shares; groups without weight are left out */
    struct weights all;  /* fte is the sum over the shares in their order */
    struct weights rise; /* of schools on the RISE list */
    double rise_schools;
};

struct groups {
    struct group *groups; /* owned, [group_count] */
    size_t group_count;
    struct area_weights *areas; /* owned, [area_count] */
    size_t area_count;
    struct group_share *shares; /* owned, [share_count] */
    size_t share_count, share_capacity;
    struct weights population;
};

/* Sorts the population into groups, apart by region if by_region. False: out of memory; what was made
 * is freed. */
bool groups_init(struct groups *groups, const struct model_setup *setup, bool by_region);
void groups_free(struct groups *groups);
