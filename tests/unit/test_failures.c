#include "failures.h"

#include <criterion/criterion.h>
#include <math.h>

#include "support_study.h"

static struct failure_box box;

static void find(const char *model, enum design_method method, uint64_t draws, uint64_t seed)
{
    struct trial *trial = open_trial(model, method, draws, seed);
    if (method == DESIGN_MORRIS || method == DESIGN_GRID) {
        trial->sweep.groups = 0;
        trial->sweep.design_levels = 8;
    }
    run_trial(trial);
    cr_assert(failures_find(&trial->plan->study, trial->root, &box));
    close_trial(trial);
}

/* It fails where both inputs are above 0.8; sixteenths end at 0.75. */
Test(failures, the_corner_that_fails_is_named)
{
    static const enum design_method methods[] = {DESIGN_RANDOM, DESIGN_SOBOL, DESIGN_SALTELLI, DESIGN_LATIN_HYPERCUBE};
    for (size_t at = 0; at < sizeof methods / sizeof *methods; at++) {
        find("fails_in_corner", methods[at], 4096, at);
        cr_expect(box.stands_out);
        cr_expect_eq(box.bounded, 2);
        for (int i = 0; i < 2; i++) {
            cr_expect_eq(box.low[i], 0.75, "method %d: %g", (int)methods[at], box.low[i]);
            cr_expect_eq(box.high[i], 1);
        }
        cr_expect_float_eq(box.volume, 1.0 / 16, 1e-12);
        cr_expect_geq(box.share, FAILURES_SHARE);
        cr_expect_leq(box.share, 1);
    }
}

/* Then the box is no product of shares: it holds 16 % of draws here, and a share of the distribution of 1/16 would be
 * less than what failed in it. */
Test(failures, a_region_in_correlated_parameters_has_no_volume)
{
    struct trial *trial = open_trial("fails_in_corner", DESIGN_SOBOL, 4096, 1);
    trial->sweep.correlation_count = 1;
    trial->sweep.correlations[0] = (struct sweep_correlation){.left = 0, .right = 1, .rank = 0.95};
    run_trial(trial);
    cr_assert(failures_find(&trial->plan->study, trial->root, &box));
    cr_expect_eq(box.bounded, 2);
    cr_expect_gt(box.runs, 4096 / 16);
    cr_expect(isnan(box.volume), "%g", box.volume);
    close_trial(trial);
}

Test(failures, no_region_stands_out_when_runs_fail_at_random)
{
    static const enum design_method methods[] = {DESIGN_RANDOM, DESIGN_SOBOL,      DESIGN_SALTELLI,
                                                 DESIGN_MORRIS, DESIGN_DERIVATIVE, DESIGN_LATIN_HYPERCUBE,
                                                 DESIGN_SHAPLEY};
    for (size_t at = 0; at < sizeof methods / sizeof *methods; at++)
        for (uint64_t seed = 0; seed < 2; seed++) {
            find("fails_at_random", methods[at], methods[at] == DESIGN_MORRIS ? 128 : 1024, seed);
            cr_expect_not(box.stands_out, "method %d, seed %u", (int)methods[at], (unsigned)seed);
            cr_expect_eq(box.volume, 1);
            cr_expect_gt(box.runs, 0);
        }
}

/* The bound is one in a hundred. */
Test(failures, false_alarms_are_rarer_than_said)
{
    enum { SWEEPS = 200 };
    size_t alarms = 0;
    for (uint64_t seed = 0; seed < SWEEPS; seed++) {
        find("fails_at_random", seed % 2 ? DESIGN_SALTELLI : DESIGN_RANDOM, 512, 1000 + seed);
        alarms += box.stands_out;
    }
    cr_expect_leq((double)alarms, FAILURES_FALSE_ALARM * SWEEPS, "%zu", alarms);
}

/* Four draws in a hundred fail: 20 in this sweep, of which it must tell. */
Test(failures, a_few_failing_draws_are_enough)
{
    size_t found = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        find("fails_in_corner", DESIGN_RANDOM, 512, 2000 + seed);
        found += box.stands_out && box.bounded == 2;
    }
    cr_expect_geq(found, 45, "%zu", found);
}

Test(failures, nothing_failed_is_no_region)
{
    struct trial *trial = open_trial("product", DESIGN_SOBOL, 512, 1);
    run_trial(trial);
    cr_expect_not(failures_find(&trial->plan->study, trial->root, &box));
    cr_expect_eq(box.runs, 0);
    close_trial(trial);
}
