/* Tables of counts of which the measures are known. */
#include "classes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "philox.h"
#include "support_study.h"

static uint64_t counts[STUDY_CLASSES][STUDY_BINS];

static double delta(void)
{
    return classes_delta(&counts[0][0]);
}

static double pawn(void)
{
    return classes_pawn(&counts[0][0]);
}

Test(classes, nothing_counted_is_undefined)
{
    cr_expect(isnan(delta()));
    cr_expect(isnan(pawn()));
    cr_expect_eq(classes_total(&counts[0][0]), 0);
}

Test(classes, a_figure_that_does_not_hang_on_the_class_has_no_distance)
{
    for (size_t row = 0; row < STUDY_CLASSES; row++)
        for (size_t bin = 0; bin < STUDY_BINS; bin++) counts[row][bin] = 1 + bin;
    cr_expect_float_eq(delta(), 0, 1e-9);
    cr_expect_float_eq(pawn(), 0, 1e-9);
}

/* Of a share the figure is the same share: uniform on a sixteenth against uniform on all. */
Test(classes, a_figure_that_is_the_parameter_itself_is_as_far_off_as_can_be)
{
    for (size_t row = 0; row < STUDY_CLASSES; row++)
        for (size_t bin = 0; bin < STUDY_BINS; bin++)
            counts[row][bin] = bin * STUDY_CLASSES / STUDY_BINS == row ? 5000 : 0;
    cr_expect_float_eq(delta(), 1, 1e-6, "%g", delta());
    cr_expect_float_eq(pawn(), (11.0 / 16 + 12.0 / 16) / 2, 1e-12, "%g", pawn());
    cr_expect_eq(classes_total(&counts[0][0]), 5000 * STUDY_BINS);
}

/* Two values, equally often, of which a parameter decides with probability 3/4: delta is 1/4. */
Test(classes, a_coin_that_a_parameter_loads_has_its_distance)
{
    for (size_t row = 0; row < STUDY_CLASSES; row++) {
        counts[row][0] = row < STUDY_CLASSES / 2 ? 30000 : 10000;
        counts[row][STUDY_BINS - 1] = row < STUDY_CLASSES / 2 ? 10000 : 30000;
    }
    cr_expect_float_eq(delta(), 0.25, 0.001, "%g", delta());
    cr_expect_float_eq(pawn(), 0.25, 1e-12, "%g", pawn());
}

/* The plain distance of this table is above 0.1. */
Test(classes, what_chance_alone_makes_is_taken_off)
{
    for (uint64_t run = 0; run < 1 << 16; run++) {
        size_t row = (size_t)(philox_unit(1, 0, run) * STUDY_CLASSES),
               bin = (size_t)(philox_unit(1, 1, run) * STUDY_BINS);
        counts[row][bin]++;
    }
    cr_expect_float_eq(delta(), 0, 0.005, "%g", delta());
}

Test(classes, ishigami_has_its_deltas)
{
    static const double exact[] = {0.26, 0.425, 0.209};
    struct trial *trial = open_trial("ishigami", DESIGN_RANDOM, 1 << 20, 1);
    trial->sweep.study.extras = STUDY_DELTA;
    run_trial(trial);
    for (int i = 0; i < 3; i++) expect_value(trial, "delta", i, exact[i], 0.005);
    expect_value(trial, "delta", 3, 0, 0.001);
    cr_expect_eq(row_of(trial, "delta", 0, -1).n, 1 << 20);
    cr_expect_gt(row_of(trial, "pawn", 1, -1).value, row_of(trial, "pawn", 0, -1).value);
    cr_expect_gt(row_of(trial, "pawn", 0, -1).value, row_of(trial, "pawn", 2, -1).value);
    expect_value(trial, "pawn", 3, 0, 0.005);
    close_trial(trial);
}
