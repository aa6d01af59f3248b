#include <criterion/criterion.h>
#include <stdint.h>

#include "philox.h"
#include "unit.h"

/* The known answers that Random123 publishes for philox4x32 with 10 rounds. */
static const struct {
    uint32_t counter[4], key[2], words[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

Test(philox, gives_the_published_answers)
{
    for (size_t row = 0; row < sizeof known / sizeof known[0]; row++) {
        const uint32_t *counter = known[row].counter, *key = known[row].key, *words = known[row].words;
        struct philox_bits bits = philox_at(key[0] | (uint64_t)key[1] << 32, (enum philox_use)counter[3], counter[2],
                                            counter[0] | (uint64_t)counter[1] << 32);
        cr_assert_eq(bits.low, words[0] | (uint64_t)words[1] << 32, "row %zu", row);
        cr_assert_eq(bits.high, words[2] | (uint64_t)words[3] << 32, "row %zu", row);
    }
}

Test(philox, every_part_of_the_counter_and_the_seed_matters)
{
    uint64_t base = philox_at(1, PHILOX_RANDOM_DESIGN, 2, 3).low;
    cr_assert_neq(philox_at(2, PHILOX_RANDOM_DESIGN, 2, 3).low, base, "seed");
    cr_assert_neq(philox_at(1 + (UINT64_C(1) << 32), PHILOX_RANDOM_DESIGN, 2, 3).low, base, "upper half of the seed");
    cr_assert_neq(philox_at(1, PHILOX_SOBOL_KEYS, 2, 3).low, base, "use");
    cr_assert_neq(philox_at(1, PHILOX_RANDOM_DESIGN, 1, 3).low, base, "dimension");
    cr_assert_neq(philox_at(1, PHILOX_RANDOM_DESIGN, 2, 4).low, base, "index");
    cr_assert_neq(philox_at(1, PHILOX_RANDOM_DESIGN, 2, 3 + (UINT64_C(1) << 32)).low, base, "upper half of the index");
}

Test(philox, a_share_is_never_0_or_1_and_mirrors_exactly)
{
    cr_assert_eq(unit_from_bits(0), 0x1p-53);
    cr_assert_eq(unit_from_bits(UINT64_MAX), 1 - 0x1p-53);
    cr_assert_eq(unit_from_bits(UINT64_C(1) << 63), 0.5 + 0x1p-53, "the middle of a cell, not its edge");
    for (uint64_t index = 0; index < 1000; index++) {
        uint64_t bits = philox_at(9, PHILOX_RANDOM_DESIGN, 0, index).low;
        cr_assert_eq(1 - unit_from_bits(bits), unit_from_bits(~bits), "index %ju", (uintmax_t)index);
    }
}

/* Chi-squared over 256 cells has mean 255 and standard deviation 22.6; the mean of n shares has 0.289 / sqrt n. */
Test(philox, shares_are_uniform_in_every_dimension)
{
    enum { DRAWS = 1 << 16, CELLS = 256 };
    for (uint32_t dimension = 0; dimension < 8; dimension++) {
        uint32_t counts[CELLS] = {0};
        double sum = 0, chi2 = 0;
        for (uint64_t index = 0; index < DRAWS; index++) {
            double u = philox_unit(2025, dimension, index);
            counts[(size_t)(u * CELLS)]++;
            sum += u;
        }
        for (size_t cell = 0; cell < CELLS; cell++) {
            double off = counts[cell] - (double)DRAWS / CELLS;
            chi2 += off * off / ((double)DRAWS / CELLS);
        }
        cr_assert(chi2 > 150 && chi2 < 370, "dimension %u: chi-squared %g", dimension, chi2);
        cr_assert_float_eq(sum / DRAWS, 0.5, 5 * 0.289 / 256, "dimension %u: mean %g", dimension, sum / DRAWS);
    }
}

Test(philox, dimensions_are_not_correlated)
{
    enum { DRAWS = 1 << 16 };
    for (uint32_t dimension = 1; dimension < 6; dimension++) {
        double sum = 0;
        for (uint64_t index = 0; index < DRAWS; index++)
            sum += (philox_unit(7, 0, index) - 0.5) * (philox_unit(7, dimension, index) - 0.5);
        double correlation = 12 * sum / DRAWS;
        cr_assert(correlation > -5.0 / 256 && correlation < 5.0 / 256, "dimension %u: %g", dimension, correlation);
    }
}
