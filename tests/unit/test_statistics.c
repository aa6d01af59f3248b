/* Statistics of a tally: by hand, and where they are undefined. */
#include "node.h"

#include <criterion/criterion.h>
#include <math.h>

static struct node *tally_of(const double *values, size_t count)
{
    struct node *node = node_new(NODE_PLAIN(1));
    node->draws = count;
    cr_assert(node_tally(node, 0, values, count));
    return node;
}

Test(statistics, of_a_few_numbers_by_hand)
{
    struct node *node = tally_of((double[]){2, 4, 4, 4, 5, 5, 7, 9}, 8);
    const struct tally *tally = &node->tallies[0];
    cr_assert_eq(tally->mean, 5);
    cr_assert_eq(tally->m2, 32);
    cr_assert_float_eq(tally_sd(tally), sqrt(32.0 / 7), 1e-15);
    cr_assert_float_eq(tally_mcse(tally), sqrt(32.0 / 7 / 8), 1e-15);
    cr_assert_eq(tally->min, 2);
    cr_assert_eq(tally->max, 9);
    node_free(node);
}

/* Small whole numbers lie at the bottom of their buckets, so the bound of a bucket is what holds. */
Test(statistics, quantile_is_the_smallest_value_with_enough_draws_at_or_below)
{
    struct node *node = tally_of((double[]){10, 20, 30, 40}, 4);
    const struct {
        double share, value;
    } rows[] = {{0, 10},    {0.25, 10}, {0.2500001, 20}, {0.5, 20}, {0.51, 30},
                {0.75, 30}, {0.76, 40}, {1, 40},         {1e-9, 10}};
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        double quantile = tally_quantile(node, &node->tallies[0], rows[at].share);
        cr_assert_float_eq(quantile, rows[at].value, rows[at].value / 512, "share %g: %g", rows[at].share, quantile);
    }
    cr_assert_eq(tally_quantile(node, &node->tallies[0], 0.1), 10, "the smallest is exact");
    cr_assert_eq(tally_quantile(node, &node->tallies[0], 0.9), 40, "and so is the largest");
    node_free(node);
}

Test(statistics, quantile_stays_between_minimum_and_maximum)
{
    struct node *node = tally_of((double[]){1.0001, 1.0002, 1.0003}, 3);
    double middle = tally_quantile(node, &node->tallies[0], 0.5);
    cr_assert(middle >= 1.0001 && middle <= 1.0003, "%g", middle);
    node_free(node);
}

Test(statistics, quantiles_in_one_go_are_those_one_by_one)
{
    double values[500], shares[21], together[21];
    for (size_t at = 0; at < 500; at++) values[at] = sin((double)at) * (double)at;
    for (size_t at = 0; at <= 20; at++) shares[at] = (double)at / 20;
    struct node *node = tally_of(values, 500);
    tally_quantiles(node, &node->tallies[0], shares, 21, together);
    for (size_t at = 0; at <= 20; at++)
        cr_assert_eq(together[at], tally_quantile(node, &node->tallies[0], shares[at]), "share %g", shares[at]);
    node_free(node);
}

Test(statistics, spread_of_one_draw_is_undefined)
{
    struct node *node = tally_of((double[]){3}, 1);
    cr_assert(isnan(tally_sd(&node->tallies[0])));
    cr_assert(isnan(tally_mcse(&node->tallies[0])));
    cr_assert_eq(tally_quantile(node, &node->tallies[0], 0.5), 3);
    node_free(node);
}

Test(statistics, of_no_draw_are_undefined)
{
    struct node *node = tally_of((double[]){NAN, NAN}, 2);
    cr_assert_eq(node->tallies[0].count, 0);
    cr_assert(isnan(tally_sd(&node->tallies[0])));
    cr_assert(isnan(tally_mcse(&node->tallies[0])));
    cr_assert(isnan(tally_quantile(node, &node->tallies[0], 0.5)));
    node_free(node);
}

/* Values far enough apart to be told, whose squares a double cannot hold. */
Test(statistics, spread_whose_square_leaves_the_range_of_a_double_is_undefined)
{
    static const double scales[] = {1e-300, 1e-158, 1e300};
    for (size_t at = 0; at < sizeof scales / sizeof *scales; at++) {
        struct node *node = tally_of((double[]){scales[at], 2 * scales[at]}, 2);
        cr_expect(isnan(tally_sd(&node->tallies[0])), "%g", scales[at]);
        cr_expect(isnan(tally_mcse(&node->tallies[0])), "%g", scales[at]);
        node_free(node);
    }
}

Test(statistics, spread_of_equal_draws_is_zero)
{
    struct node *node = tally_of((double[]){0.3, 0.3, 0.3}, 3);
    cr_assert_eq(tally_sd(&node->tallies[0]), 0);
    cr_assert_eq(tally_mcse(&node->tallies[0]), 0);
    node_free(node);
}
