#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "philox.h"
#include "sobol.h"

/* An unscrambled coordinate, exact for its first 53 digits. */
static double plain(const struct sobol_axis *axis, uint64_t index)
{
    double x = 0;
    uint64_t digits = sobol_digits(axis, index);
    for (int at = 0; at < 53; at++) x += (double)(digits >> at & 1) * ldexp(1, -at - 1);
    return x;
}

static double scrambled(const struct sobol_axis *axis, uint64_t index)
{
    return sobol_unit(sobol_scramble(axis, sobol_digits(axis, index)));
}

static int degree_of(unsigned polynomial)
{
    int degree = -1;
    for (; polynomial != 0; polynomial >>= 1) degree++;
    return degree;
}

/* The product of two residues of a polynomial over GF(2). */
static unsigned multiply(unsigned left, unsigned right, unsigned polynomial)
{
    unsigned product = 0;
    for (; right != 0; right >>= 1) {
        if (right & 1) product ^= left;
        left <<= 1;
        if (left >> degree_of(polynomial)) left ^= polynomial;
    }
    return product;
}

static unsigned power_of_x(unsigned exponent, unsigned polynomial)
{
    unsigned result = 1, base = degree_of(polynomial) == 1 ? 1 : 2; /* x = 1 modulo x + 1 */
    for (; exponent != 0; exponent >>= 1) {
        if (exponent & 1) result = multiply(result, base, polynomial);
        base = multiply(base, base, polynomial);
    }
    return result;
}

/* x has the full order 2^degree - 1, and no less. */
static bool primitive(unsigned polynomial)
{
    unsigned order = (1u << degree_of(polynomial)) - 1;
    if (!(polynomial & 1) || power_of_x(order, polynomial) != 1) return false;
    for (unsigned divisor = 2; divisor <= order; divisor++)
        if (order % divisor == 0 && order != 1 && power_of_x(order / divisor, polynomial) == 1) return false;
    return true;
}

Test(sobol, the_check_for_primitive_polynomials_knows_right_from_wrong)
{
    cr_assert(primitive(0x3) && primitive(0x7) && primitive(0xb) && primitive(0xd) && primitive(0x13));
    cr_assert_not(primitive(0x5), "(x + 1)^2");
    cr_assert_not(primitive(0xf), "(x + 1)^3");
    cr_assert_not(primitive(0x1f), "irreducible, but x has order 5");
    cr_assert_not(primitive(0x6), "divisible by x");
}

Test(sobol, polynomials_are_primitive_and_all_differ)
{
    for (size_t at = 0; at < SOBOL_DIMENSIONS - 1; at++) {
        cr_assert(primitive(sobol_directions[at].polynomial), "dimension %zu", at + 2);
        if (at > 0) cr_assert_gt(sobol_directions[at].polynomial, sobol_directions[at - 1].polynomial);
    }
}

/* Every primitive polynomial of a degree is there before the next degree starts: phi(2^d - 1) / d of them. */
Test(sobol, no_polynomial_is_left_out)
{
    static const size_t expected[] = {1, 1, 2, 2, 6, 6, 18, 16, 48, 60};
    size_t counts[12] = {0};
    for (size_t at = 0; at < SOBOL_DIMENSIONS - 1; at++) counts[degree_of(sobol_directions[at].polynomial)]++;
    for (size_t degree = 1; degree <= 10; degree++)
        cr_assert_eq(counts[degree], expected[degree - 1], "degree %zu: %zu", degree, counts[degree]);
    cr_assert_eq(counts[11], 95);
}

Test(sobol, initial_numbers_are_odd_and_below_their_power_of_two)
{
    for (size_t at = 0; at < SOBOL_DIMENSIONS - 1; at++) {
        int degree = degree_of(sobol_directions[at].polynomial);
        cr_assert_leq(degree, SOBOL_DEGREE_MAX);
        for (int k = 0; k < SOBOL_DEGREE_MAX; k++) {
            unsigned initial = sobol_directions[at].initial[k];
            if (k < degree)
                cr_assert(initial % 2 == 1 && initial < 2u << k, "dimension %zu, number %d: %u", at + 2, k + 1,
                          initial);
            else cr_assert_eq(initial, 0, "dimension %zu has a number too many", at + 2);
        }
    }
}

/* A checksum of the whole table, so that no digit of it changes unseen. */
Test(sobol, the_table_is_the_published_one)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t at = 0; at < SOBOL_DIMENSIONS - 1; at++) {
        sum = (sum ^ sobol_directions[at].polynomial) * UINT64_C(0x100000001b3);
        for (int k = 0; k < SOBOL_DEGREE_MAX; k++)
            sum = (sum ^ sobol_directions[at].initial[k]) * UINT64_C(0x100000001b3);
    }
    cr_assert_eq(sum, UINT64_C(0x85f72b6b69b152d0), "FNV-1a over 16-bit words: %#jx", (uintmax_t)sum);
}

/* Points 1 to 6 as Sobol' codes in Gray order give them (OpenTURNS), and point 0, the origin. */
Test(sobol, first_points_of_two_dimensions_are_the_known_ones)
{
    static const double known[][2] = {{0, 0},         {0.5, 0.5},     {0.75, 0.25},  {0.25, 0.75},
                                      {0.375, 0.375}, {0.875, 0.875}, {0.625, 0.125}};
    struct sobol_axis axes[2];
    for (uint32_t at = 0; at < 2; at++) sobol_axis_init(&axes[at], at, 1, 0);
    for (uint64_t index = 0; index < sizeof known / sizeof known[0]; index++)
        for (int at = 0; at < 2; at++) {
            double x = plain(&axes[at], index);
            cr_assert_eq(x, known[index][at], "point %ju, dimension %d: %g", (uintmax_t)index, at + 1, x);
        }
}

/* Bratley and Fox's way, kept apart from the code under test: integers of 40 digits, the recurrence written
 * on m as in their paper, and points from the bits of the Gray code. */
static uint64_t slow_digits(uint32_t dimension, uint64_t index)
{
    uint64_t m[41] = {0};
    for (int k = 1; k <= 40; k++) {
        if (dimension == 0) {
            m[k] = 1;
            continue;
        }
        unsigned polynomial = sobol_directions[dimension - 1].polynomial;
        int s = degree_of(polynomial);
        if (k <= s) {
            m[k] = sobol_directions[dimension - 1].initial[k - 1];
            continue;
        }
        m[k] = m[k - s] ^ m[k - s] << s;
        for (int i = 1; i < s; i++)
            if (polynomial >> (s - i) & 1) m[k] ^= m[k - i] << i;
    }
    uint64_t fraction = 0, gray = index ^ index >> 1;
    for (int k = 1; k <= 40; k++)
        if (gray >> (k - 1) & 1) fraction ^= m[k] << (40 - k);
    uint64_t digits = 0;
    for (int at = 0; at < 40; at++) digits |= (fraction >> (39 - at) & 1) << at;
    return digits;
}

Test(sobol, digits_agree_with_the_textbook_recurrence)
{
    static const uint64_t indices[] = {0, 1, 2, 3, 63, 1000, 123456789, (UINT64_C(1) << 40) - 1};
    for (uint32_t dimension = 0; dimension < SOBOL_DIMENSIONS; dimension++) {
        struct sobol_axis axis;
        sobol_axis_init(&axis, dimension, 5, 0);
        for (size_t at = 0; at < sizeof indices / sizeof indices[0]; at++)
            cr_assert_eq(sobol_digits(&axis, indices[at]), slow_digits(dimension, indices[at]),
                         "dimension %u, point %ju", dimension, (uintmax_t)indices[at]);
    }
}

Test(sobol, stepping_gives_the_same_points_as_jumping)
{
    static const uint64_t starts[] = {0, 7, 31, 4096 - 5, (UINT64_C(1) << 32) - 3, (UINT64_C(1) << 40) - 2};
    for (uint32_t dimension = 0; dimension < SOBOL_DIMENSIONS; dimension += 51)
        for (size_t at = 0; at < sizeof starts / sizeof starts[0]; at++) {
            struct sobol_axis axis;
            sobol_axis_init(&axis, dimension, 5, 0);
            uint64_t digits = sobol_digits(&axis, starts[at]);
            for (uint64_t index = starts[at]; index < starts[at] + 40; index++) {
                cr_assert_eq(digits, sobol_digits(&axis, index), "dimension %u, point %ju", dimension,
                             (uintmax_t)index);
                digits = sobol_digits_after(&axis, digits, index);
            }
        }
}

Test(sobol, a_digit_is_flipped_by_the_digits_before_it_only)
{
    struct sobol_axis axis;
    sobol_axis_init(&axis, 3, 11, 0);
    for (uint64_t trial = 0; trial < 200; trial++) {
        uint64_t digits = philox_at(1, PHILOX_RANDOM_DESIGN, 0, trial).low;
        uint64_t before = sobol_scramble(&axis, digits);
        for (int at = 0; at < 64; at++) {
            uint64_t changed = before ^ sobol_scramble(&axis, digits ^ UINT64_C(1) << at);
            cr_assert_eq(changed & ((UINT64_C(1) << at) - 1), 0, "digit %d reached an earlier one", at + 1);
            cr_assert_eq(changed >> at & 1, 1, "digit %d did not carry its own change", at + 1);
        }
    }
}

enum { SEEDS = 1 << 15, FLIP_WORDS = SEEDS / 64 };

/* Flips of the nodes of a scramble's first levels, level by level: bit s of a row is the flip of seed s. */
static void fill_flips(uint32_t dimension, int levels, uint64_t (*flips)[FLIP_WORDS])
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct sobol_axis axis;
        sobol_axis_init(&axis, dimension, seed, 0);
        size_t node = 0;
        for (int level = 0; level < levels; level++)
            for (uint64_t prefix = 0; prefix < UINT64_C(1) << level; prefix++)
                flips[node++][seed / 64] |= (sobol_scramble(&axis, prefix) >> level & 1) << seed % 64;
    }
}

/* How far the number of seeds with an odd sum of flips is from half, in standard deviations. */
static double unfairness(const uint64_t *sum)
{
    int count = 0;
    for (size_t at = 0; at < FLIP_WORDS; at++) count += __builtin_popcountll(sum[at]);
    return fabs(count - SEEDS / 2.0) / sqrt(SEEDS / 4.0);
}

static void add_flips(uint64_t *sum, const uint64_t *left, const uint64_t *right)
{
    for (size_t at = 0; at < FLIP_WORDS; at++) sum[at] = left[at] ^ right[at];
}

static const uint32_t flip_dimensions[] = {0, 1, 20, 255};

/* Each is a fair coin, and no two agree more often than coins: Owen's variance needs just that. Of 4 x 32,640
 * pairs a few are 4 sd off, and 6 sd is out of reach. */
Test(sobol, flips_are_fair_and_pairwise_independent_over_seeds)
{
    enum { LEVELS = 8, NODES = (1 << LEVELS) - 1 };
    static uint64_t flips[NODES][FLIP_WORDS];
    for (size_t row = 0; row < 4; row++) {
        memset(flips, 0, sizeof flips);
        fill_flips(flip_dimensions[row], LEVELS, flips);
        for (size_t left = 0; left < NODES; left++) {
            cr_assert_lt(unfairness(flips[left]), 6, "dimension %u, node %zu", flip_dimensions[row], left);
            for (size_t right = 0; right < left; right++) {
                uint64_t sum[FLIP_WORDS];
                add_flips(sum, flips[left], flips[right]);
                cr_assert_lt(unfairness(sum), 6, "dimension %u, nodes %zu and %zu", flip_dimensions[row], left, right);
            }
        }
    }
}

/* Nor do three or four lean one way together: 4 x 36,000 sums. */
Test(sobol, sums_of_three_and_four_flips_are_fair_over_seeds)
{
    enum { LEVELS = 5, NODES = (1 << LEVELS) - 1 };
    static uint64_t flips[NODES][FLIP_WORDS];
    for (size_t row = 0; row < 4; row++) {
        memset(flips, 0, sizeof flips);
        fill_flips(flip_dimensions[row], LEVELS, flips);
        uint64_t two[FLIP_WORDS], three[FLIP_WORDS], four[FLIP_WORDS];
        for (size_t a = 0; a < NODES; a++)
            for (size_t b = 0; b < a; b++) {
                add_flips(two, flips[a], flips[b]);
                for (size_t c = 0; c < b; c++) {
                    add_flips(three, two, flips[c]);
                    cr_assert_lt(unfairness(three), 6, "dimension %u, nodes %zu %zu %zu", flip_dimensions[row], a, b,
                                 c);
                    for (size_t d = 0; d < c; d++) {
                        add_flips(four, three, flips[d]);
                        cr_assert_lt(unfairness(four), 6, "dimension %u, nodes %zu %zu %zu %zu", flip_dimensions[row],
                                     a, b, c, d);
                    }
                }
            }
    }
}

/* Each elementary interval of area 2^-m holds one of 2^m points, in every block of 2^m. */
Test(sobol, scrambled_points_of_two_dimensions_are_a_perfect_net)
{
    enum { M = 12 };
    static unsigned char counts[1 << M];
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct sobol_axis axes[2];
        for (uint32_t at = 0; at < 2; at++) sobol_axis_init(&axes[at], at, seed, 0);
        for (uint64_t block = 0; block < 3; block++)
            for (int split = 0; split <= M; split++) {
                memset(counts, 0, sizeof counts);
                for (uint64_t index = block << M; index < (block + 1) << M; index++) {
                    size_t column = (size_t)ldexp(scrambled(&axes[0], index), split);
                    size_t line = (size_t)ldexp(scrambled(&axes[1], index), M - split);
                    counts[column << (M - split) | line]++;
                }
                for (size_t cell = 0; cell < 1 << M; cell++)
                    cr_assert_eq(counts[cell], 1, "seed %ju, block %ju, split %d, cell %zu: %d", (uintmax_t)seed,
                                 (uintmax_t)block, split, cell, counts[cell]);
            }
    }
}

Test(sobol, every_dimension_is_stratified_in_every_block)
{
    enum { M = 10 };
    for (uint32_t dimension = 0; dimension < SOBOL_DIMENSIONS; dimension++) {
        struct sobol_axis axis;
        sobol_axis_init(&axis, dimension, 77, 0);
        for (uint64_t block = 0; block < 2; block++) {
            unsigned char counts[1 << M] = {0};
            for (uint64_t index = block << M; index < (block + 1) << M; index++)
                counts[(size_t)(scrambled(&axis, index) * (1 << M))]++;
            for (size_t cell = 0; cell < 1 << M; cell++)
                cr_assert_eq(counts[cell], 1, "dimension %u, block %ju, cell %zu: %d", dimension, (uintmax_t)block,
                             cell, counts[cell]);
        }
    }
}

Test(sobol, coordinates_are_inside_0_and_1)
{
    cr_assert_eq(sobol_unit(0), 0x1p-53);
    cr_assert_eq(sobol_unit(UINT64_MAX), 1 - 0x1p-53);
    cr_assert_eq(sobol_unit(1), 0.5 + 0x1p-53, "bit 0 is the first digit");
}

Test(sobol, each_seed_and_each_dimension_has_its_own_scramble)
{
    struct sobol_axis base, other;
    sobol_axis_init(&base, 4, 1, 0);
    static const uint64_t seeds[] = {0, 2, UINT64_C(1) << 32 | 1, UINT64_MAX};
    for (size_t at = 0; at < 4; at++) {
        sobol_axis_init(&other, 4, seeds[at], 0);
        cr_assert_eq(sobol_digits(&other, 99), sobol_digits(&base, 99), "the seed does not move the points themselves");
        cr_assert_neq(sobol_scramble(&other, 99), sobol_scramble(&base, 99), "seed %ju", (uintmax_t)seeds[at]);
    }
    sobol_axis_init(&other, 5, 1, 0);
    cr_assert_neq(sobol_scramble(&other, 99), sobol_scramble(&base, 99));
}

enum { INTEGRAND_DIMENSIONS = 5, REPLICATES = 64, M_LOW = 6, M_HIGH = 12 };

/* Smooth, with integral 1 over the unit cube, and with interactions. */
static double integrand(const double *x)
{
    double product = 1;
    for (int at = 0; at < INTEGRAND_DIMENSIONS; at++) product *= 1 + (exp(x[at]) - (exp(1) - 1)) / (1 + at);
    return product;
}

static double estimate(bool sobol, uint64_t seed, uint64_t draws)
{
    struct sobol_axis axes[INTEGRAND_DIMENSIONS];
    for (uint32_t at = 0; at < INTEGRAND_DIMENSIONS; at++) sobol_axis_init(&axes[at], at, seed, 0);
    double sum = 0;
    for (uint64_t index = 0; index < draws; index++) {
        double x[INTEGRAND_DIMENSIONS];
        for (uint32_t at = 0; at < INTEGRAND_DIMENSIONS; at++)
            x[at] = sobol ? scrambled(&axes[at], index) : philox_unit(seed, at, index);
        sum += integrand(x);
    }
    return sum / (double)draws;
}

/* The slope of log2 variance against log2 draws, by least squares; also checks that the mean is right. */
static double variance_slope(bool sobol)
{
    double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
    for (int m = M_LOW; m <= M_HIGH; m++) {
        double mean = 0, square = 0;
        for (uint64_t seed = 0; seed < REPLICATES; seed++) {
            double error = estimate(sobol, seed, UINT64_C(1) << m) - 1;
            mean += error / REPLICATES;
            square += error * error / REPLICATES;
        }
        cr_assert_lt(fabs(mean), 5 * sqrt(square / REPLICATES), "2^%d draws: biased by %g", m, mean);
        double y = log2(square);
        sum_x += m;
        sum_y += y;
        sum_xx += m * m;
        sum_xy += m * y;
    }
    double count = M_HIGH - M_LOW + 1;
    return (count * sum_xy - sum_x * sum_y) / (count * sum_xx - sum_x * sum_x);
}

Test(sobol, variance_falls_with_the_power_of_draws_that_theory_gives)
{
    double random = variance_slope(false), sobol = variance_slope(true);
    cr_assert(random > -1.25 && random < -0.75, "random: slope %g", random);
    cr_assert_lt(sobol, -2.5, "scrambled Sobol': slope %g", sobol);
}

Test(sobol, scrambled_means_are_one_half_over_seeds)
{
    for (uint32_t dimension = 0; dimension < SOBOL_DIMENSIONS; dimension++) {
        double sum = 0;
        for (uint64_t seed = 0; seed < 256; seed++) {
            struct sobol_axis axis;
            sobol_axis_init(&axis, dimension, seed, 0);
            sum += scrambled(&axis, 5);
        }
        cr_assert_float_eq(sum / 256, 0.5, 5 * 0.289 / 16, "dimension %u: %g", dimension, sum / 256);
    }
}
