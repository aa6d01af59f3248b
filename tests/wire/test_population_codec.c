#include <criterion/criterion.h>

#include <float.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "population_codec.h"
#include "support_wire.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static struct buffer encoded(const struct population *population)
{
    struct buffer bytes = {0};
    population_encode(population, &bytes);
    cr_assert(!bytes.failed);
    return bytes;
}

/* "accepted", or why not. */
static const char *reason(struct span bytes)
{
    const char *why = "accepted";
    uint8_t *copy = exact_copy(bytes);
    population_free(population_decode((struct span){copy, bytes.size}, &why));
    free(copy);
    return why;
}

#define SAME_COLUMN(name) cr_expect_eq(memcmp(a->name, b->name, a->count * sizeof *a->name), 0, #name)

static void check_same(const struct population *a, const struct population *b)
{
    cr_assert_eq(a->count, b->count);
    cr_assert_eq(a->authority_count, b->authority_count);
    SAME_COLUMN(urn);
    SAME_COLUMN(authority);
    SAME_COLUMN(phase);
    SAME_COLUMN(quintile);
    SAME_COLUMN(rise);
    SAME_COLUMN(schools);
    SAME_COLUMN(pp50_schools);
    SAME_COLUMN(pupils);
    SAME_COLUMN(fte);
    SAME_COLUMN(fsm6);
    SAME_COLUMN(ks4);
    SAME_COLUMN(ks4_fsm6);
    SAME_COLUMN(ks4_disadvantaged);
    cr_assert_eq(!a->name, !b->name);
    for (size_t row = 0; a->name && row < a->count; row++) cr_expect_str_eq(a->name[row], b->name[row], "row %zu", row);
    for (size_t at = 0; at < a->authority_count; at++) {
        cr_expect_eq(a->authorities[at].number, b->authorities[at].number);
        cr_expect_eq(a->authorities[at].region, b->authorities[at].region);
        cr_expect_str_eq(a->authorities[at].name, b->authorities[at].name);
    }
}

Test(population_codec, comes_back_as_it_was_with_and_without_names)
{
    for (int names = 0; names < 2; names++) {
        struct population *population = sample_population(names);
        struct buffer bytes = encoded(population);
        const char *why = NULL;
        struct population *read = population_decode(buffer_span(&bytes), &why);
        cr_assert_not_null(read, "%s", why);
        check_same(population, read);
        population_free(read);
        population_free(population);
        buffer_free(&bytes);
    }
}

Test(population_codec, encodes_to_the_golden_bytes)
{
    struct population *population = sample_population(true);
    struct buffer bytes = encoded(population);
    golden_check("population", buffer_span(&bytes));
    struct digest identity = population_identity(population), digest = digest_of(buffer_span(&bytes));
    cr_assert(digest_equal(&identity, &digest), "the identity is the digest of the encoding");
    population_free(population);
    buffer_free(&bytes);
}

Test(population_codec, the_most_rows_come_back_and_fit)
{
    struct population *population = population_new(POPULATION_ROWS_MAX, POPULATION_AUTHORITY_NUMBER_MAX + 1, true);
    cr_assert_not_null(population);
    for (uint16_t at = 0; at <= POPULATION_AUTHORITY_NUMBER_MAX; at++) {
        population->authorities[at] = (struct authority){.number = at, .region = REGION_COUNT};
        memset(population->authorities[at].name, 'n', sizeof population->authorities[at].name - 1);
    }
    for (uint32_t row = 0; row < POPULATION_ROWS_MAX; row++) {
        population->urn[row] = UINT32_MAX - row;
        population->authority[row] = (uint16_t)(row % (POPULATION_AUTHORITY_NUMBER_MAX + 1));
        population->schools[row] = population->pp50_schools[row] = UINT32_MAX;
        population->pupils[row] = population->fte[row] = population->ks4[row] = DBL_MAX;
        population->fsm6[row] = population->ks4_fsm6[row] = population->ks4_disadvantaged[row] = 1.0;
        cr_assert(population_set_name(population, row, "a school whose name takes fifty-nine bytes, as few names do"));
    }
    struct buffer bytes = encoded(population);
    cr_assert_leq(bytes.size, POPULATION_BYTES_MAX);
    const char *why = NULL;
    struct population *read = population_decode(buffer_span(&bytes), &why);
    cr_assert_not_null(read, "%s", why);
    check_same(population, read);
    population_free(read);
    population_free(population);
    buffer_free(&bytes);
}

static bool decode_again(struct span bytes, struct buffer *again)
{
    const char *why = NULL;
    struct population *population = population_decode(bytes, &why);
    if (!population) {
        cr_assert_not_null(why, "refused without a reason");
        return false;
    }
    population_encode(population, again);
    population_free(population);
    return true;
}

Test(population_codec, cut_lengthened_or_changed_bytes_are_refused_or_have_an_identity_of_their_own)
{
    for (int names = 0; names < 2; names++) {
        struct population *population = sample_population(names);
        struct buffer bytes = encoded(population);
        hostile_check(names ? "with names" : "without names", buffer_span(&bytes), decode_again);
        population_free(population);
        buffer_free(&bytes);
    }
}

Test(population_codec, negative_zero_is_zero)
{
    struct population *a = sample_population(false), *b = sample_population(false);
    a->ks4[1] = a->ks4_fsm6[1] = 0.0;
    b->ks4[1] = b->ks4_fsm6[1] = -0.0;
    struct digest first = population_identity(a), second = population_identity(b);
    cr_assert(digest_equal(&first, &second));
    population_free(a);
    population_free(b);
}

/* One whole number of the sample, mostly of its second row or authority, broken. */
static size_t check_whole_number(size_t at)
{
    static const char *const small = "a number below its bound", *const large = "a number above its bound";
    struct population *population = sample_population(false);
    const struct {
        const char *what;
        void *number;
        size_t size;
        uint64_t value;
        const char *why;
    } rows[] = {
        {"an authority's region", &population->authorities[1].region, 1, 0, small},
        {"an authority's region", &population->authorities[1].region, 1, REGION_COUNT + 1, large},
        {"an authority's number", &population->authorities[1].number, 2, 1000, large},
        {"an authority's number, twice", &population->authorities[1].number, 2, 201, small},
        {"a row's authority", &population->authority[1], 2, 2, large},
        {"a phase", &population->phase[1], 1, PHASE_COUNT, large},
        {"a quintile", &population->quintile[1], 1, QUINTILE_COUNT, large},
        {"the RISE flag", &population->rise[1], 1, 2, large},
        {"schools in the top half", &population->pp50_schools[1], 4, 2, "accepted"},
        {"schools in the top half", &population->pp50_schools[1], 4, 3, "more pp50 schools than schools"},
        {"rows", &population->count, sizeof(size_t), 0, small},
        {"authorities", &population->authority_count, sizeof(size_t), 0, "no authority"},
    };
    memcpy(rows[at].number, &rows[at].value, rows[at].size); /* little-endian */
    struct buffer bytes = encoded(population);
    cr_expect_str_eq(reason(buffer_span(&bytes)), rows[at].why, "%s = %llu", rows[at].what,
                     (unsigned long long)rows[at].value);
    population_free(population);
    buffer_free(&bytes);
    return COUNT_OF(rows);
}

Test(population_codec, every_bound_of_a_whole_number_is_checked)
{
    size_t rows = 1;
    for (size_t at = 0; at < rows; at++) rows = check_whole_number(at);
}

Test(population_codec, every_bound_of_a_number_is_checked)
{
    static const char *const outside = "a number outside its bounds", *const finite = "not a finite number";
    static const struct {
        const char *what;
        double from, to;
        const char *why;
    } rows[] = {
        {"pupils", 272.0, -1.0, outside},
        {"pupils", 272.0, INFINITY, finite},
        {"pupils", 272.0, NAN, "NaN that is not written as nil"},
        {"pupils", 272.0, -0.0, "negative zero"},
        {"pupils", 272.0, 0.0, "accepted"},
        {"teachers", 19.5, -5e-324, outside},
        {"the FSM6 share", 0.46875, 1.0000000000000002, outside},
        {"the FSM6 share", 0.46875, 1.0, "accepted"},
        {"the FSM6 share", 0.46875, -0.25, outside},
        {"the KS4 cohort", 40.25, -40.25, outside},
        {"the KS4 FSM6 share", 0.125, 1.5, outside},
        {"the KS4 disadvantaged share", 0.28125, 2.0, outside},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct population *population = sample_population(false);
        struct buffer bytes = encoded(population);
        double_replace(&bytes, rows[row].from, rows[row].to);
        cr_expect_str_eq(reason(buffer_span(&bytes)), rows[row].why, "%s = %g", rows[row].what, rows[row].to);
        population_free(population);
        buffer_free(&bytes);
    }
}

/* [1, rows, authorities ... cut short. */
Test(population_codec, huge_counts_are_refused_by_what_remains)
{
    static const struct {
        const char *hex, *why;
    } rows[] = {
        {"dc 00 11 01 ce 00 03 0d 41", "a number above its bound"}, /* 200,001 rows */
        {"dc 00 11 01 ce 00 03 0d 40 dd ff ff ff ff", "too many elements"},
        {"dc 00 11 01 ce 00 03 0d 40 dc 03 e8 93", "truncated"},
        {"dc 00 11 01 ce 00 03 0d 40 91 93 01 01 a0 dd 00 03 0d 40 a0 a0", "truncated"},
        {"dc 00 11 01 ce 00 03 0d 40 91 93 01 01 a0 c0 dd 00 03 0d 40 00 00", "truncated"},
        {"dc 00 11 02", "another version of populations"},
        {"dc 00 10 01", "too few elements"},
        {"dc 00 12 01", "too many elements"},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        uint8_t padded[64] = {0};
        struct buffer bytes = {0};
        cr_assert(hex_read(rows[row].hex, strlen(rows[row].hex), &bytes));
        bool padding_wanted = strcmp(rows[row].why, "truncated") != 0; /* so that only the bound can refuse it */
        if (padding_wanted) buffer_append(&bytes, padded, sizeof padded);
        cr_expect_str_eq(reason(buffer_span(&bytes)), rows[row].why, "%s", rows[row].hex);
        buffer_free(&bytes);
    }
}

Test(population_codec, bytes_above_the_bound_are_refused)
{
    size_t size = (size_t)POPULATION_BYTES_MAX + 1;
    uint8_t *bytes = calloc(1, size);
    cr_assert_not_null(bytes);
    cr_assert_str_eq(reason((struct span){bytes, size}), "a population above its bound");
    free(bytes);
}

Test(population, more_rows_or_authorities_than_allowed_are_not_made)
{
    cr_assert_null(population_new(POPULATION_ROWS_MAX + 1, 1, false));
    cr_assert_null(population_new(SIZE_MAX, 1, false));
    cr_assert_null(population_new(1, POPULATION_AUTHORITY_NUMBER_MAX + 2, false));
    population_free(NULL);
}

Test(population, a_new_one_is_zero_and_its_names_are_empty)
{
    struct population *population = population_new(5, 2, true);
    cr_assert_not_null(population);
    for (size_t row = 0; row < 5; row++) {
        cr_expect_str_eq(population->name[row], "");
        cr_expect_eq(population->pupils[row], 0.0);
        cr_expect_eq(population->rise[row], 0);
    }
    population_free(population);
}

Test(population, a_name_is_copied_replaced_and_bounded)
{
    struct population *population = population_new(2, 1, true);
    char text[POPULATION_NAME_BYTES + 1] = "first";
    cr_assert(population_set_name(population, 0, text));
    text[0] = 'w';
    cr_assert_str_eq(population->name[0], "first");
    cr_assert(population_set_name(population, 0, "second"));
    cr_assert_str_eq(population->name[0], "second");

    memset(text, 'a', POPULATION_NAME_BYTES);
    text[POPULATION_NAME_BYTES] = '\0';
    cr_assert(!population_set_name(population, 0, text));
    cr_assert(!population_set_name(population, 0, "caf\xe9"), "Latin-1");
    cr_assert_str_eq(population->name[0], "second", "a refused name changes nothing");
    text[POPULATION_NAME_BYTES - 1] = '\0';
    cr_assert(population_set_name(population, 0, text));
    cr_assert(population_set_name(population, 0, ""));
    cr_assert_str_eq(population->name[0], "");
    population_free(population);
}

/* By what the C library counts, which keeps a few freed blocks at hand; under the address sanitizer it
 * counts nothing. */
Test(population, lowered_counts_still_free_every_name)
{
    size_t before = mallinfo2().uordblks;
    struct population *population = population_new(1000, 1, true);
    for (size_t row = 0; row < 1000; row++) cr_assert(population_set_name(population, row, "a school of a long name"));
    population->count = 1;
    population_free(population);
    cr_assert_lt(mallinfo2().uordblks, before + 16384, "the names take some 32 kB");
}
