/* Digits are taken one by one from the exact ratio numerator / denominator, in whole numbers of as many
 * words as needed, until what is left is within half a gap to the neighbouring doubles: the method of
 * Steele and White, and Dragon4. */
#include "decimal.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define WORDS 19u /* of 64 bits: 2^1074 times a mantissa, and room for one more digit */

typedef unsigned __int128 wide_word;

/* A whole number of at least 0, least word first, without zeros at the top. */
struct whole {
    size_t count;
    uint64_t words[WORDS];
};

static void set(struct whole *whole, uint64_t value)
{
    whole->count = value != 0;
    whole->words[0] = value;
}

static void multiply(struct whole *whole, uint64_t factor)
{
    uint64_t carry = 0;
    for (size_t at = 0; at < whole->count; at++) {
        wide_word product = (wide_word)whole->words[at] * factor + carry;
        whole->words[at] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    if (carry == 0) return;
    assert(whole->count < WORDS);
    whole->words[whole->count++] = carry;
}

static void multiply_by_power_of_2(struct whole *whole, uint32_t power)
{
    size_t shift = power / 64;
    if (whole->count == 0) return;
    assert(whole->count + shift <= WORDS);
    memmove(whole->words + shift, whole->words, whole->count * sizeof *whole->words);
    memset(whole->words, 0, shift * sizeof *whole->words);
    whole->count += shift;
    multiply(whole, UINT64_C(1) << power % 64);
}

static void multiply_by_power_of_10(struct whole *whole, uint32_t power)
{
    for (; power >= 19; power -= 19) multiply(whole, UINT64_C(10000000000000000000));
    uint64_t factor = 1;
    for (; power > 0; power--) factor *= 10;
    multiply(whole, factor);
}

static int compare(const struct whole *left, const struct whole *right)
{
    if (left->count != right->count) return left->count < right->count ? -1 : 1;
    for (size_t at = left->count; at-- > 0;)
        if (left->words[at] != right->words[at]) return left->words[at] < right->words[at] ? -1 : 1;
    return 0;
}

static void add(struct whole *sum, const struct whole *other)
{
    uint64_t carry = 0;
    for (size_t at = 0; at < other->count || carry; at++) {
        assert(at < WORDS);
        if (at == sum->count) sum->words[sum->count++] = 0;
        wide_word total = (wide_word)sum->words[at] + (at < other->count ? other->words[at] : 0) + carry;
        sum->words[at] = (uint64_t)total;
        carry = (uint64_t)(total >> 64);
    }
}

/* left -= factor * right, which is at most left. */
static void subtract(struct whole *left, const struct whole *right, uint64_t factor)
{
    uint64_t borrow = 0;
    for (size_t at = 0; at < left->count; at++) {
        wide_word product = (wide_word)(at < right->count ? right->words[at] : 0) * factor + borrow;
        uint64_t low = (uint64_t)product;
        borrow = (uint64_t)(product >> 64) + (left->words[at] < low);
        left->words[at] -= low;
    }
    while (left->count > 0 && left->words[left->count - 1] == 0) left->count--;
}

/* The value as a ratio, with half the gaps to its neighbours on the same scale. */
struct ratio {
    struct whole value, one, half_gap_below, half_gap_above;
    bool even; /* an even mantissa: a decimal halfway to a neighbour reads back to this value */
};

static bool reaches_one(const struct ratio *ratio)
{
    struct whole top = ratio->value;
    add(&top, &ratio->half_gap_above);
    int order = compare(&top, &ratio->one);
    return ratio->even ? order >= 0 : order > 0;
}

static bool near_below(const struct ratio *ratio)
{
    int order = compare(&ratio->value, &ratio->half_gap_below);
    return ratio->even ? order <= 0 : order < 0;
}

static void scale_up(struct ratio *ratio)
{
    multiply(&ratio->value, 10);
    multiply(&ratio->half_gap_below, 10);
    multiply(&ratio->half_gap_above, 10);
}

/* value = mantissa * 2^exponent, so that the ratio is value / 10^decimal_exponent. */
static void make_ratio(struct ratio *ratio, uint64_t mantissa, int32_t exponent, bool narrow_below,
                       int32_t decimal_exponent)
{
    uint32_t up = exponent > 0 ? (uint32_t)exponent : 0, down = exponent < 0 ? (uint32_t)-exponent : 0;
    set(&ratio->value, mantissa);
    set(&ratio->one, 1);
    set(&ratio->half_gap_below, 1);
    multiply_by_power_of_2(&ratio->value, up + 2); /* in quarters of a gap */
    multiply_by_power_of_2(&ratio->one, down + 2);
    multiply_by_power_of_2(&ratio->half_gap_below, up);
    if (decimal_exponent > 0) multiply_by_power_of_10(&ratio->one, (uint32_t)decimal_exponent);
    if (decimal_exponent < 0) {
        multiply_by_power_of_10(&ratio->value, (uint32_t)-decimal_exponent);
        multiply_by_power_of_10(&ratio->half_gap_below, (uint32_t)-decimal_exponent);
    }
    ratio->half_gap_above = ratio->half_gap_below;
    multiply(&ratio->half_gap_above, 2);
    if (!narrow_below) ratio->half_gap_below = ratio->half_gap_above;
    ratio->even = mantissa % 2 == 0;
}

/* The whole part of value / one, which is below 10; the value keeps the rest. The estimate from the top
 * words is at most one too small. */
static unsigned take_digit(struct ratio *ratio)
{
    struct whole *value = &ratio->value, *one = &ratio->one;
    if (value->count < one->count) return 0;
    size_t top = one->count - 1;
    uint64_t high = value->count > one->count ? value->words[top + 1] : 0;
    wide_word numerator = (wide_word)high << 64 | value->words[top];
    unsigned digit = 0;
    if (one->words[top] != UINT64_MAX) {
        wide_word divisor = (wide_word)one->words[top] + 1;
        while (digit < 9 && divisor * (digit + 1) <= numerator) digit++;
    }
    if (digit > 0) subtract(value, one, digit);
    while (compare(value, one) >= 0) {
        subtract(value, one, 1);
        digit++;
    }
    return digit;
}

/* Whether what is left after the last digit is nearer to the next digit up. */
static bool nearer_above(const struct ratio *ratio, unsigned digit)
{
    struct whole twice = ratio->value;
    multiply(&twice, 2);
    int order = compare(&twice, &ratio->one);
    return order > 0 || (order == 0 && digit % 2 == 1);
}

static void take_digits(struct ratio *ratio, struct decimal *decimal)
{
    for (;;) {
        scale_up(ratio);
        unsigned digit = take_digit(ratio);
        bool below = near_below(ratio), above = reaches_one(ratio);
        if (below || above) {
            digit += below && above ? nearer_above(ratio, digit) : above;
            decimal->digits[decimal->count++] = (char)('0' + digit);
            return;
        }
        assert(decimal->count < DECIMAL_DIGITS_MAX - 1);
        decimal->digits[decimal->count++] = (char)('0' + digit);
    }
}

/* The decimal exponent, or one less: log10 of 2^(bits - 1) rounded up. */
static int32_t guess_exponent(uint64_t mantissa, int32_t exponent)
{
    int32_t bits = 64 - __builtin_clzll(mantissa);
    int64_t scaled = (int64_t)(exponent + bits - 1) * 1292913986; /* log10(2) x 2^32, cut */
    return (int32_t)((scaled + (INT64_C(1) << 32) - 1) >> 32);
}

struct decimal decimal_shortest(double value)
{
    enum { MANTISSA_BITS = 52, LEAST_EXPONENT = -1074 };
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << MANTISSA_BITS) - 1), biased = bits >> MANTISSA_BITS;
    assert(bits != 0 && biased < 0x7ff);
    uint64_t mantissa = biased ? fraction | UINT64_C(1) << MANTISSA_BITS : fraction;
    int32_t exponent = biased ? (int32_t)biased - 1 + LEAST_EXPONENT : LEAST_EXPONENT;

    struct decimal decimal = {.exponent = guess_exponent(mantissa, exponent)};
    struct ratio ratio;
    make_ratio(&ratio, mantissa, exponent, fraction == 0 && biased > 1, decimal.exponent);
    if (reaches_one(&ratio)) {
        decimal.exponent++;
        multiply(&ratio.one, 10);
    }
    take_digits(&ratio, &decimal);
    return decimal;
}
