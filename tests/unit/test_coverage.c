/* Intervals hold the exact value as often as they say: many studies, each of another seed.
 * COVERAGE_STUDIES=1000 unit_test_coverage --verbose: as many as asked, and a table. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <stdlib.h>

#include "design.h"
#include "support_study.h"

#define CONFIDENCE     0.95 /* of a trial's rows */
#define STUDIES        50
#define STUDIES_MANY   1000
#define INDICES_MAX    12
#define FEW_DRAWS      2048
#define MANY_DRAWS     4096
#define TRAJECTORIES   64
#define MISS           0.02 /* how far off the share may be ... */
#define MISS_BY_CHANCE 3.5  /* ... and when there are few studies, this many standard errors more */

struct exact {
    const char *index;
    int dimension, second;
    double value;
};

struct problem {
    const char *model;
    enum design_method method;
    uint32_t extras;
    size_t count;
    struct exact exact[INDICES_MAX];
};

static size_t count_studies(void)
{
    const char *asked = getenv("COVERAGE_STUDIES");
    return asked ? strtoul(asked, NULL, 10) : STUDIES;
}

static bool holds(const struct trial *trial, const struct exact *exact)
{
    struct estimate_row row = row_of(trial, exact->index, exact->dimension, exact->second);
    return row.low <= exact->value && exact->value <= row.high;
}

static void expect_share(const struct problem *problem, const struct exact *exact, double share, double studies)
{
    double chance = studies < STUDIES_MANY ? MISS_BY_CHANCE * sqrt(CONFIDENCE * (1 - CONFIDENCE) / studies) : 0;
    cr_log_info("%-16s %-15s %-8s %2d %2d  %.3f", problem->model, design_method_names[problem->method], exact->index,
                exact->dimension, exact->second, share);
    cr_expect_float_eq(share, CONFIDENCE, MISS + chance, "%s: %s of %d is held by %.3f of %g intervals", problem->model,
                       exact->index, exact->dimension, share, studies);
}

static struct trial *open_problem(const struct problem *problem, size_t studies)
{
    bool morris = problem->method == DESIGN_MORRIS;
    uint64_t draws = morris ? TRAJECTORIES : studies < STUDIES_MANY ? FEW_DRAWS : MANY_DRAWS;
    struct trial *trial = open_trial(problem->model, problem->method, draws, 0);
    if (!morris) return trial;
    trial->sweep.groups = 0;
    trial->sweep.design_levels = 4;
    return trial;
}

static void cover(const struct problem *problem)
{
    size_t held[INDICES_MAX] = {0}, studies = count_studies();
    struct trial *trial = open_problem(problem, studies);
    cr_assert_gt(studies, 0);
    trial->sweep.study.extras = problem->extras;
    for (size_t study = 0; study < studies; study++) {
        trial->sweep.seed = 1000 + study;
        run_trial(trial);
        for (size_t at = 0; at < problem->count; at++) held[at] += holds(trial, &problem->exact[at]);
    }
    for (size_t at = 0; at < problem->count; at++)
        expect_share(problem, &problem->exact[at], (double)held[at] / (double)studies, (double)studies);
    close_trial(trial);
}

#define FIRST(i, share)                                                                                                \
    {                                                                                                                  \
        "s1", i, -1, share                                                                                             \
    }
#define TOTAL(i, share)                                                                                                \
    {                                                                                                                  \
        "st", i, -1, share                                                                                             \
    }
#define PAIR(i, j, share)                                                                                              \
    {                                                                                                                  \
        "s2", i, j, share                                                                                              \
    }
#define SHARE(i, share)                                                                                                \
    {                                                                                                                  \
        "shapley", i, -1, share                                                                                        \
    }

#define MEAN(value)                                                                                                    \
    {                                                                                                                  \
        "mean", -1, -1, value                                                                                          \
    }

#define SIZE(i, effect)                                                                                                \
    {                                                                                                                  \
        "mu_star", i, -1, effect                                                                                       \
    }

#define ISHIGAMI                                                                                                       \
    FIRST(0, 0.31390519114781146), FIRST(1, 0.4424111447900409), FIRST(2, 0), TOTAL(0, 0.5575888552099592),            \
        TOTAL(1, 0.4424111447900409), TOTAL(2, 0.24368366406214773)

#define G                                                                                                              \
    FIRST(0, 0.7161921689), FIRST(1, 0.1790480422), FIRST(2, 0.02367577418), FIRST(3, 0.007161921689),                 \
        TOTAL(0, 0.7871441267), TOTAL(1, 0.2421981928), TOTAL(2, 0.03431691015), TOTAL(3, 0.01046038707)

#define PRODUCT FIRST(0, 0.675), FIRST(1, 0.3), TOTAL(0, 0.7), TOTAL(1, 0.325)

TestSuite(coverage, .timeout = 1800);

Test(coverage, first_and_total_indices_are_held_as_often_as_said)
{
    static const struct problem problems[] = {{"ishigami", DESIGN_SALTELLI, 0, 6, {ISHIGAMI}},
                                              {"sobol_g", DESIGN_SALTELLI, 0, 8, {G}},
                                              {"product", DESIGN_SALTELLI, 0, 4, {PRODUCT}}};
    for (size_t at = 0; at < sizeof problems / sizeof *problems; at++) cover(&problems[at]);
}

Test(coverage, second_order_indices_are_held_as_often_as_said)
{
    static const struct problem problems[] = {
        {"ishigami",
         DESIGN_SALTELLI,
         STUDY_SECOND_ORDER,
         9,
         {ISHIGAMI, PAIR(0, 1, 0), PAIR(0, 2, 0.24368366406214773), PAIR(1, 2, 0)}},
        {"product", DESIGN_SALTELLI, STUDY_SECOND_ORDER, 5, {PRODUCT, PAIR(0, 1, 0.025)}}};
    for (size_t at = 0; at < sizeof problems / sizeof *problems; at++) cover(&problems[at]);
}

Test(coverage, shapley_effects_are_held_as_often_as_said)
{
    static const struct problem problem = {
        "ishigami",
        DESIGN_SHAPLEY,
        0,
        9,
        {ISHIGAMI, SHARE(0, 0.4357470231788853), SHARE(1, 0.4424111447900409), SHARE(2, 0.12184183203107386)}};
    cover(&problem);
}

/* From level to level a factor of G goes from 1.5 to 0.5 or back, over 1 + a, and the others are 1 on average. */
Test(coverage, sizes_of_elementary_effects_are_held_as_often_as_said)
{
    static const struct problem problem = {
        "sobol_g", DESIGN_MORRIS, 0, 4, {SIZE(0, 2), SIZE(1, 1), SIZE(2, 2 / 5.5), SIZE(3, 0.2)}};
    cover(&problem);
}

Test(coverage, means_are_held_as_often_as_said_in_any_design)
{
    static const enum design_method methods[] = {DESIGN_RANDOM, DESIGN_SOBOL, DESIGN_LATIN_HYPERCUBE};
    for (size_t at = 0; at < sizeof methods / sizeof *methods; at++) {
        const struct problem problems[] = {{"ishigami", methods[at], 0, 1, {MEAN(3.5)}},
                                           {"sobol_g", methods[at], 0, 1, {MEAN(1)}},
                                           {"product", methods[at], 0, 1, {MEAN(1)}}};
        for (size_t row = 0; row < sizeof problems / sizeof *problems; row++) cover(&problems[row]);
    }
}

/* One run in twenty fails. */
Test(coverage, runs_that_fail_at_random_leave_the_intervals_right)
{
    static const struct problem problems[] = {
        {"fails_at_random", DESIGN_SALTELLI, 0, 4, {FIRST(0, 0.5), FIRST(1, 0.5), TOTAL(0, 0.5), TOTAL(1, 0.5)}},
        {"fails_at_random",
         DESIGN_SALTELLI,
         STUDY_SECOND_ORDER,
         4,
         {FIRST(0, 0.5), FIRST(1, 0.5), TOTAL(0, 0.5), TOTAL(1, 0.5)}},
        {"fails_at_random", DESIGN_SHAPLEY, 0, 2, {SHARE(0, 0.5), SHARE(1, 0.5)}}};
    for (size_t at = 0; at < sizeof problems / sizeof *problems; at++) cover(&problems[at]);
}
