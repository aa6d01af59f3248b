/* Teachers by experience band (e1), and with them reach and exposure (e2), retention (e3) and the
 * programme's gain for pupils, group by group and year by year. Everything is per FTE that the group
 * had before year 1. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <goldthread/model.h>

#include "groups.h"
#include "policy.h"

#define BANDS 5

/* Leaver rates of one scenario, and what fills the posts. */
struct workforce {
    model_lanes share[BANDS];     /* w, relative to its sum */
    model_lanes leave[BANDS];     /* l_b with no policy */
    model_lanes leave_now[BANDS]; /* l_b with the support of early careers (e11) */
    model_lanes entry[BANDS];     /* eps: entrants by band */
    model_lanes *multiplier;      /* [group_count]: m_p u_q g_r */
    model_lanes *rate, *rate_now; /* [group_count]: band averages of both rates on the base shares */
    bool any_early;               /* some lane's two rates differ */

    bool any_dynamic;                          /* the rest is set only then */
    model_lanes dynamic;                       /* 0 or 1 */
    model_lanes *posts;                        /* [year][class]: posts per FTE before year 1 */
    model_lanes supply[MODEL_YEARS_MAX];       /* S_t, before workforce.fte_scale */
    model_lanes supply_weight[QUINTILE_COUNT]; /* a_q */
    model_lanes *bands;                        /* [group_count][BANDS] */
    model_lanes *demand;                       /* [group_count]: d */
};

/* Trajectories, each [year][group]: the row of (year, group) is (year - 1) * group_count + group. */
struct paths {
    model_lanes *starts;   /* x_t */
    model_lanes *reach;    /* C_t */
    model_lanes *exposure; /* K_t */
    model_lanes *gain;     /* programme term of G_t for e0 = 1, only of groups with ks4 */
    model_lanes *kept;     /* FTE that leave with no policy and not now */
    /* Only when some lane is dynamic; a static lane then leaves from its base stock, keeps a stock of 1
     * and fills nothing. */
    model_lanes *leaving;           /* FTE that leave with no policy, from the stock of this year */
    model_lanes *stock;             /* FTE at the end of the year */
    model_lanes *exposed;           /* K_t x stock */
    model_lanes *filled, *unfilled; /* posts */
};

struct workforce_space {
    struct workforce workforce;
    struct paths paths;
    model_lanes *memory; /* owned */
};

/* Takes memory for any run of so many groups and years. False: out of memory. */
bool workforce_space_init(struct workforce_space *space, size_t group_count, uint32_t years);
void workforce_space_free(struct workforce_space *space);

/* Leaver rates, entry shares, posts and supply from the settings. */
void workforce_read(struct workforce *workforce, const struct groups *groups, const struct settings *settings,
                    bool by_region, uint32_t years);

/* Runs every group through the years. gain is left alone when no lane funds a start. */
void workforce_run(struct workforce_space *space, const struct groups *groups, const struct policy *policy,
                   uint32_t years);
