#include <criterion/criterion.h>

#include "net/outbound.h"

#define SMALL ((size_t)2000)
#define LARGE (OUTBOUND_LARGE_BYTES + 1)

static struct socket_id peer(unsigned number)
{
    return (struct socket_id){.size = 2, .bytes = {(uint8_t)(number >> 8), (uint8_t)number}};
}

static struct parcel *admit(struct outbound *outbound, unsigned to, size_t bytes)
{
    struct parcel *parcel = NULL;
    const struct socket_id id = peer(to);
    return outbound_admit(outbound, &id, bytes, &parcel) == OUTBOUND_OK ? parcel : NULL;
}

Test(outbound, all_peers_together_have_no_more_than_the_bound_on_its_way)
{
    struct outbound *outbound = outbound_new(10 * SMALL);
    struct parcel *parcels[10];
    for (unsigned at = 0; at < 10; at++) {
        parcels[at] = admit(outbound, at, SMALL);
        cr_assert_not_null(parcels[at], "peer %u", at);
    }
    cr_expect_eq(outbound_bytes(outbound), 10 * SMALL);
    cr_expect_null(admit(outbound, 10, 1));
    outbound_release(parcels[3]);
    cr_assert_not_null(parcels[3] = admit(outbound, 10, SMALL));
    for (unsigned at = 0; at < 10; at++) outbound_release(parcels[at]);
    cr_expect_eq(outbound_bytes(outbound), 0);
    outbound_free(outbound);
}

Test(outbound, a_message_above_the_bound_travels_alone)
{
    struct outbound *outbound = outbound_new(LARGE);
    struct parcel *parcel = admit(outbound, 1, 3 * LARGE);
    cr_assert_not_null(parcel);
    cr_expect_null(admit(outbound, 2, SMALL));
    outbound_release(parcel);
    cr_assert_not_null(parcel = admit(outbound, 2, SMALL));
    cr_expect_null(admit(outbound, 1, 3 * LARGE));
    outbound_release(parcel);
    outbound_free(outbound);
}

Test(outbound, a_peer_has_one_large_message_on_its_way_and_others_theirs)
{
    struct outbound *outbound = outbound_new(OUTBOUND_BYTES_MAX);
    struct parcel *first = admit(outbound, 1, LARGE), *other = admit(outbound, 2, LARGE),
                  *small = admit(outbound, 1, OUTBOUND_LARGE_BYTES);
    cr_assert(first != NULL && other != NULL && small != NULL);
    cr_expect_null(admit(outbound, 1, LARGE));
    outbound_release(first);
    cr_assert_not_null(first = admit(outbound, 1, LARGE));
    cr_expect_null(admit(outbound, 2, LARGE));
    outbound_release(first);
    outbound_release(other);
    outbound_release(small);
    outbound_free(outbound);
}

Test(outbound, large_messages_of_all_peers_are_counted)
{
    static struct parcel *parcels[OUTBOUND_LARGE_MAX];
    struct outbound *outbound = outbound_new(SIZE_MAX);
    for (unsigned at = 0; at < OUTBOUND_LARGE_MAX; at++)
        cr_assert_not_null(parcels[at] = admit(outbound, at, LARGE), "peer %u", at);
    cr_expect_null(admit(outbound, OUTBOUND_LARGE_MAX, LARGE));
    for (unsigned at = 0; at < OUTBOUND_LARGE_MAX; at++) outbound_release(parcels[at]);
    outbound_free(outbound);
}
