#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "roster.h"

static struct peer peer_number(uint32_t number)
{
    struct peer peer = {.size = 5};
    memcpy(peer.bytes + 1, &number, sizeof number);
    return peer;
}

static struct worker *add(struct roster *roster, uint32_t number, uint64_t now_ms)
{
    char name[MESSAGE_NAME_BYTES];
    const struct peer peer = peer_number(number);
    snprintf(name, sizeof name, "w%u", number);
    return roster_add(roster, &peer, name, 1, now_ms);
}

Test(roster, a_worker_is_found_by_socket_and_by_name)
{
    struct roster roster;
    cr_assert(roster_open(&roster));
    struct worker *one = add(&roster, 1, 10), *two = add(&roster, 2, 11);
    const struct peer peer = peer_number(2), nobody = peer_number(3);
    cr_assert_eq(roster_of_peer(&roster, &peer), two);
    cr_assert_eq(roster_of_name(&roster, "w1"), one);
    cr_assert_null(roster_of_peer(&roster, &nobody));
    cr_assert_null(roster_of_name(&roster, "w3"));
    roster_remove(&roster, two);
    cr_assert_null(roster_of_peer(&roster, &peer));
    cr_assert_null(roster_of_name(&roster, "w2"));
    roster_close(&roster);
}

Test(roster, a_worker_that_moved_is_found_at_its_new_socket_only)
{
    struct roster roster;
    cr_assert(roster_open(&roster));
    struct worker *worker = add(&roster, 1, 10);
    const struct peer before = peer_number(1), after = peer_number(2);
    roster_move(&roster, worker, &after);
    cr_assert_null(roster_of_peer(&roster, &before));
    cr_assert_eq(roster_of_peer(&roster, &after), worker);
    cr_assert_null(roster_waiting(&roster, 0), "no lease before it has said what it holds");
    roster_close(&roster);
}

Test(roster, the_worker_silent_for_longest_is_first)
{
    struct roster roster;
    cr_assert(roster_open(&roster));
    struct worker *one = add(&roster, 1, 10), *two = add(&roster, 2, 11);
    cr_assert_eq(roster_first(&roster), one);
    roster_touch(&roster, one, 12);
    cr_assert_eq(roster_first(&roster), two);
    cr_assert_eq(roster_next(&roster, two), one);
    cr_assert_null(roster_next(&roster, one));
    roster_close(&roster);
}

Test(roster, leases_move_a_worker_from_queue_to_queue)
{
    struct roster roster;
    cr_assert(roster_open(&roster));
    struct worker *worker = add(&roster, 1, 10);
    cr_assert_eq(roster_waiting(&roster, 0), worker);
    roster_note_lease(&roster, worker, 77);
    cr_assert_null(roster_waiting(&roster, 0));
    cr_assert_eq(roster_waiting(&roster, 1), worker);
    roster_note_lease(&roster, worker, 78);
    cr_assert_null(roster_waiting(&roster, 1));
    roster_drop_lease(&roster, worker, 77);
    cr_assert_eq(roster_waiting(&roster, 1), worker);
    roster_limit(&roster, worker, 1);
    cr_assert_null(roster_waiting(&roster, 1), "it holds one and takes one");
    roster_drop_lease(&roster, worker, 78);
    cr_assert_eq(roster_waiting(&roster, 0), worker);
    roster_close(&roster);
}

Test(roster, ten_thousand_workers_come_and_go)
{
    struct roster roster;
    cr_assert(roster_open(&roster));
    for (uint32_t number = 0; number < WORKERS_MAX; number++) cr_assert_not_null(add(&roster, number, number));
    cr_assert_null(add(&roster, WORKERS_MAX, WORKERS_MAX), "full");
    for (uint32_t number = 0; number < WORKERS_MAX; number += 2) {
        const struct peer peer = peer_number(number);
        roster_remove(&roster, roster_of_peer(&roster, &peer));
    }
    for (uint32_t number = 0; number < WORKERS_MAX; number++) {
        const struct peer peer = peer_number(number);
        const struct worker *worker = roster_of_peer(&roster, &peer);
        cr_assert_eq(worker != NULL, number % 2 == 1, "worker %u", number);
    }
    cr_assert_eq(roster.count, WORKERS_MAX / 2);
    roster_close(&roster);
}
