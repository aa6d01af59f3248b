/* A model set up for one sweep: what open() makes, and the layout of an area's parts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goldthread/model.h>

#include "account.h"
#include "groups.h"
#include "money.h"
#include "policy.h"
#include "workforce.h"

/* Parts with a row for every year; those from PART_ENTRANTS on stand at the end and may be absent. */
enum part_by_year {
    PART_STARTS,             /* teachers */
    PART_REACHED,            /* teachers x C_t */
    PART_COVER,              /* GBP */
    PART_LEAVERS,            /* FTE, after the policy's own effect */
    PART_KEPT,               /* FTE */
    PART_VACANCIES,          /* FTE */
    PART_SHORTAGE,           /* FTE */
    PART_EXPOSED,            /* FTE x K_t */
    PART_STOCK,              /* FTE at the end of the year */
    PART_GAIN,               /* n G_t */
    PART_GAIN_DISADVANTAGED, /* n Dg beta_d G_t */
    PART_GAIN_OTHER,         /* n (1 - Dg) G_t */
    PART_BY_YEAR_COUNT
};

/* Single rows. The conversions are a draw's own numbers, the same for every area. */
enum part_single {
    PART_HEADCOUNT, /* teachers, before year 1 */
    PART_RISE_COST, /* GBP, in year 1 */
    PART_PV_COST,
    PART_PV_EARNINGS,
    PART_PV_TAX,
    PART_PV_SAVING,
    PART_BREAK_EVEN_FIXED,
    PART_BREAK_EVEN_SLOPE,
    PART_FEE,         /* conversion: GBP per start */
    PART_HOURS,       /* conversion: hours per start */
    PART_TIME,        /* conversion: GBP of teacher time per start */
    PART_GRADES,      /* conversion: grades per SD */
    PART_MONTHS,      /* conversion: months per SD */
    PART_POINTS,      /* conversion: points per SD */
    PART_LAST_FUNDED, /* conversion: last year with funding, at most the years of the run; 0: none */
    PART_SINGLE_COUNT
};

struct layout {
    uint32_t years;
    size_t single, flows, entrants, frontier, frontier_tax, epi; /* first rows; flows has years + 48 */
    size_t count;
};

static inline size_t row_by_year(const struct layout *layout, enum part_by_year part)
{
    return (size_t)part * layout->years;
}

static inline size_t row_single(const struct layout *layout, enum part_single part)
{
    return layout->single + (size_t)part;
}

struct model_run {
    uint32_t years;
    bool by_region, may_be_dynamic, has_epi, has_frontier;
    uint16_t places[COLUMN_COUNT];
    struct groups groups;
    struct layout layout;
    struct model_figure *figures; /* owned, [figure_count] */
    size_t figure_count;
    struct lanes_term *terms; /* owned, scratch: [4 x group_count] */

    /* Of the scenario and batch that run now. */
    struct policy policy;
    struct prices prices;
    struct discounting discounting;
    struct epi_account epi;
    struct frontier_account frontier;
    struct workforce_space space;
};
