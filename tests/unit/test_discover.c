/* Discovery: a block's kept draws to boxes in the parameters' own units. */
#include "discover.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_kept.h"

/* What the sink was told. */
static struct {
    size_t boxes, targets, bound_count;
    struct discovery last;
    struct prim_box chosen; /* the last one */
    struct discover_bound bounds[LINEAR_PARAMETERS];
} told;

static void prepare(uint64_t draws, const char *measure, enum threshold_side side, double value)
{
    kept_prepare(draws);
    kept_sweep.discover = (struct sweep_threshold){.side = side, .value = value};
    snprintf(kept_sweep.discover.measure, sizeof kept_sweep.discover.measure, "%s", measure);
}

TestSuite(discover, .fini = kept_close);

static bool hear_box(void *context, const struct study_target *target, const struct discover_box *box)
{
    (void)context, (void)target;
    told.boxes++;
    if (!box->box->chosen) return true;
    told.chosen = *box->box;
    told.bound_count = box->bound_count;
    memcpy(told.bounds, box->bounds, box->bound_count * sizeof *box->bounds);
    return true;
}

static bool hear_end(void *context, const struct discovery *discovery)
{
    (void)context;
    told.targets++;
    told.last = *discovery;
    return true;
}

static void look_again(void)
{
    char why[256];
    struct discover_sink sink = {.box = hear_box, .done = hear_end};
    struct design *design = design_new(&kept_sweep, why, sizeof why);
    cr_assert_not_null(design, "%s", why);
    memset(&told, 0, sizeof told);
    cr_assert(discover(kept_plan, design, kept_root, &sink));
    design_free(design);
}

static void look(void)
{
    kept_open();
    look_again();
}

/* England has 2835.75 pupils; three years; flow = 3 pupils level + 3, level uniform on 0.5 to 1.5. */
Test(discover, a_threshold_of_a_linear_model_is_found_where_it_is)
{
    prepare(4096, "flow", THRESHOLD_BELOW, 3 * 2835.75 * 0.8 + 3);
    look();
    cr_assert_eq(told.targets, 1, "flow in England, not in its regions, and not the cost");
    cr_expect_eq(told.last.result, PRIM_FOUND);
    cr_expect_eq(told.last.draws, 4096);
    cr_expect_float_eq((double)told.last.yes / 4096, 0.3, 0.01);
    cr_assert_eq(told.bound_count, 1);
    cr_expect_eq(told.bounds[0].parameter, LINEAR_LEVEL);
    cr_expect(isnan(told.bounds[0].low) && !told.bounds[0].is_discrete);
    cr_expect_float_eq(told.bounds[0].high, 0.8, 0.005);
    cr_expect(told.chosen.coverage > 0.98 && told.chosen.density > 0.98);
}

Test(discover, a_discrete_parameter_is_bounded_by_its_values)
{
    prepare(1024, "cost_gbp", THRESHOLD_AT_LEAST, 2835.75 * 3);
    look();
    cr_assert_eq(told.bound_count, 1);
    cr_expect_eq(told.bounds[0].parameter, LINEAR_PRICE);
    cr_expect(told.bounds[0].is_discrete && told.bounds[0].low == 4 && isnan(told.bounds[0].high));
    cr_expect_eq(told.chosen.coverage, 1);
    cr_expect_eq(told.chosen.density, 1);
}

Test(discover, a_sample_is_bounded_by_its_values)
{
    prepare(1024, "cost_gbp", THRESHOLD_AT_MOST, 2835.75 * 2.5);
    kept_sweep.parameters[LINEAR_PRICE].distribution =
        (struct distribution){.kind = DISTRIBUTION_EMPIRICAL, .point_count = 6, .pool_first = 1};
    memcpy(kept_sweep.pool, (double[]){0, 1, 2, 2, 2, 3, 7}, 7 * sizeof(double));
    kept_sweep.pool_count = 7;
    look();
    cr_assert_eq(told.bound_count, 1);
    cr_expect(told.bounds[0].is_discrete && isnan(told.bounds[0].low) && told.bounds[0].high == 2);
    cr_expect_eq(told.chosen.density, 1);
}

/* Above 1.2 draws fail; what they would have said is not known, so no box speaks of them. */
Test(discover, draws_that_failed_are_left_out)
{
    prepare(2048, "flow", THRESHOLD_ABOVE, 3 * 2835.75 * 0.9 + 3);
    kept_sweep.parameters[LINEAR_FAIL_ABOVE].central = 1.2;
    look();
    cr_expect_eq(told.last.draws, kept_root->draws - kept_root->failed_draws);
    cr_expect_gt(kept_root->failed_draws, 500);
    cr_assert_eq(told.bound_count, 1);
    cr_expect_float_eq(told.bounds[0].low, 0.9, 0.01);
    cr_expect(isnan(told.bounds[0].high), "draws above 1.2 are not there to be kept out");
    cr_expect_float_eq((double)told.last.yes / (double)told.last.draws, 3.0 / 7, 0.01);
}

/* A price of 0 leaves no ratio: undefined, so that the answer is no. */
Test(discover, an_undefined_figure_says_no)
{
    prepare(1024, "ratio", THRESHOLD_ABOVE, 0);
    kept_sweep.study.measure_count = 1;
    snprintf(kept_sweep.study.measures[0], sizeof kept_sweep.study.measures[0], "ratio");
    kept_sweep.parameters[LINEAR_PRICE].distribution.values[0] = 0;
    look();
    cr_expect_eq(told.last.draws, 1024);
    cr_assert_eq(told.bound_count, 1);
    cr_expect_eq(told.bounds[0].low, 2);
}

Test(discover, all_yes_and_no_yes_have_no_box)
{
    prepare(256, "flow", THRESHOLD_ABOVE, 0);
    look();
    cr_expect(told.last.result == PRIM_TOO_FEW && told.last.yes == 256 && told.boxes == 0);
    kept_sweep.discover.side = THRESHOLD_BELOW;
    look_again();
    cr_expect(told.last.result == PRIM_TOO_FEW && told.last.yes == 0 && told.boxes == 0);
}

Test(discover, all_draws_that_failed_have_no_box)
{
    prepare(256, "flow", THRESHOLD_ABOVE, 0);
    kept_sweep.parameters[LINEAR_FAIL_ABOVE].central = 0.1;
    look();
    cr_expect(told.last.result == PRIM_TOO_FEW && told.last.draws == 0 && told.boxes == 0);
}
