#include <criterion/criterion.h>

#include "lease.h"

static const struct block_range blocks = {0, 1};

Test(lease, answer_after_the_lease_ended_finds_nothing)
{
    struct lease_table table;
    cr_assert(lease_open(&table, 7));
    struct lease *lease = lease_grant(&table, 3, 1, blocks, 100);
    const uint64_t token = lease->token;
    cr_assert_eq(lease_find(&table, token), lease);
    lease_end(&table, lease);
    cr_assert_null(lease_find(&table, token));
    for (uint32_t at = 0; at < LEASES_MAX; at++) cr_assert_neq(lease_grant(&table, 3, 1, blocks, 200)->token, token);
    cr_assert_null(lease_find(&table, token), "its slot is lent again, under another token");
    lease_close(&table);
}

Test(lease, no_lease_has_token_0_and_no_two_broker_starts_give_the_same)
{
    struct lease_table table, next;
    cr_assert(lease_open(&table, 7));
    cr_assert(lease_open(&next, 8000000007));
    cr_assert_null(lease_find(&table, 0), "a free slot is no lease");
    for (uint32_t at = 0; at < LEASES_MAX; at++) {
        const uint64_t token = lease_grant(&table, 0, 0, blocks, 100)->token;
        lease_grant(&next, 0, 0, blocks, 100);
        cr_assert_neq(token, 0);
        cr_assert_null(lease_find(&next, token));
    }
    lease_close(&table);
    lease_close(&next);
}

Test(lease, the_one_renewed_longest_ago_is_due_first)
{
    struct lease_table table;
    cr_assert(lease_open(&table, 0));
    struct lease *first = lease_grant(&table, 0, 0, blocks, 100), *second = lease_grant(&table, 1, 0, blocks, 110);
    cr_assert_eq(lease_first(&table), first);
    lease_renew(&table, first, 150);
    cr_assert_eq(lease_first(&table), second);
    cr_assert_eq(lease_next(&table, second), first);
    cr_assert_null(lease_next(&table, first));
    lease_end(&table, second);
    cr_assert_eq(lease_first(&table), first);
    lease_end(&table, first);
    cr_assert_null(lease_first(&table));
    cr_assert_eq(table.count, 0);
    lease_close(&table);
}

Test(lease, a_full_table_lends_nothing_until_one_ends)
{
    struct lease_table table;
    cr_assert(lease_open(&table, 99));
    struct lease *last = NULL;
    for (uint32_t at = 0; at < LEASES_MAX; at++) cr_assert_not_null(last = lease_grant(&table, at, 0, blocks, 5));
    cr_assert_null(lease_grant(&table, 0, 0, blocks, 5));
    lease_end(&table, last);
    cr_assert_not_null(lease_grant(&table, 0, 0, blocks, 5));
    lease_close(&table);
}

Test(lease, tokens_of_another_process_are_not_met)
{
    struct lease_table one, other;
    cr_assert(lease_open(&one, 1) && lease_open(&other, 123456789));
    for (int at = 0; at < 1000; at++) {
        const struct lease *lease = lease_grant(&one, 0, 0, blocks, 5);
        cr_assert_null(lease_find(&other, lease->token));
    }
    cr_assert_null(lease_find(&one, 0));
    cr_assert_null(lease_find(&one, UINT64_MAX));
    lease_close(&one);
    lease_close(&other);
}
