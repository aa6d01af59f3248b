#include "sobol.h"

#include <assert.h>

#include "philox.h"
#include "unit.h"

/* First digit from the top bit to bit 0, and back. */
static uint64_t reverse(uint64_t bits)
{
    bits = (bits & 0x5555555555555555u) << 1 | (bits >> 1 & 0x5555555555555555u);
    bits = (bits & 0x3333333333333333u) << 2 | (bits >> 2 & 0x3333333333333333u);
    bits = (bits & 0x0f0f0f0f0f0f0f0fu) << 4 | (bits >> 4 & 0x0f0f0f0f0f0f0f0fu);
    return __builtin_bswap64(bits);
}

static int degree_of(unsigned polynomial)
{
    return 31 - __builtin_clz(polynomial);
}

/* Direction numbers as 64-bit fractions: the initial ones, then the recurrence of the polynomial. */
static void extend(uint64_t *columns, const struct sobol_direction *direction)
{
    int degree = degree_of(direction->polynomial);
    for (int at = 0; at < degree; at++) columns[at] = (uint64_t)direction->initial[at] << (63 - at);
    for (int at = degree; at < SOBOL_DIGITS; at++) {
        columns[at] = columns[at - degree] ^ columns[at - degree] >> degree;
        for (int back = 1; back < degree; back++)
            if (direction->polynomial >> (degree - back) & 1) columns[at] ^= columns[at - back];
    }
}

void sobol_axis_init(struct sobol_axis *axis, uint32_t dimension, uint64_t seed, uint32_t group)
{
    assert(dimension < SOBOL_DIMENSIONS);
    if (dimension > 0) extend(axis->columns, &sobol_directions[dimension - 1]);
    else
        for (int at = 0; at < SOBOL_DIGITS; at++) axis->columns[at] = UINT64_C(1) << (63 - at);
    for (int at = 0; at < SOBOL_DIGITS; at++) axis->columns[at] = reverse(axis->columns[at]);

    for (int at = 0; at < SOBOL_KEYS; at += 2) {
        uint64_t counter = (uint64_t)group << 32 | (uint64_t)at;
        struct philox_bits bits = philox_at(seed, PHILOX_SOBOL_KEYS, dimension, counter);
        axis->keys[at] = bits.low | 1; /* an odd factor, so that no digit is lost */
        axis->keys[at + 1] = bits.high;
    }
}

uint64_t sobol_digits(const struct sobol_axis *axis, uint64_t index)
{
    uint64_t digits = 0;
    for (uint64_t gray = index ^ index >> 1; gray != 0; gray &= gray - 1)
        digits ^= axis->columns[__builtin_ctzll(gray)];
    return digits;
}

uint64_t sobol_digits_after(const struct sobol_axis *axis, uint64_t digits, uint64_t index)
{
    return digits ^ axis->columns[__builtin_ctzll(index + 1)];
}

/* Three rounds of a keyed multiply and add, and of mixing by x ^ cx with an even c: each is a bijection that
 * carries digits only onwards. Over the seeds, sums of up to four flips are fair coins; with fewer rounds three
 * flips together are not, and with keys that are only added not even two, which costs variance. The constants are
 * binary digits of the square roots of 2, 3 and 5, with the last two bits set to 10. */
uint64_t sobol_scramble(const struct sobol_axis *axis, uint64_t digits)
{
    static const uint64_t factors[] = {0x6a09e667f3bcc90a, 0xbb67ae8584caa73a, 0x3c6ef372fe94f82a};
    for (int round = 0; round < 3; round++) {
        digits = digits * axis->keys[2 * round] + axis->keys[2 * round + 1];
        digits ^= digits * factors[round];
    }
    return digits;
}

double sobol_unit(uint64_t digits)
{
    return unit_from_bits(reverse(digits));
}
