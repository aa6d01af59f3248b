#include "outbound.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct large {
    struct socket_id to;
    atomic_bool waits; /* set by the thread that admits, cleared by any */
};

struct outbound {
    size_t bytes_max;
    atomic_size_t bytes;
    struct large large[OUTBOUND_LARGE_MAX];
};

/* Written by the thread that admits, read by the one that releases. ZeroMQ, which hands it over, orders the two;
 * the atomic pointer, stored last and loaded first, says so to whoever cannot see into ZeroMQ. */
struct parcel {
    _Atomic(struct outbound *) outbound;
    struct large *large; /* or NULL */
    size_t bytes;
};

struct outbound *outbound_new(size_t bytes_max)
{
    struct outbound *outbound = calloc(1, sizeof *outbound);
    if (outbound != NULL) outbound->bytes_max = bytes_max;
    return outbound;
}

void outbound_free(struct outbound *outbound)
{
    free(outbound);
}

size_t outbound_bytes(const struct outbound *outbound)
{
    return atomic_load(&outbound->bytes);
}

static bool same_peer(const struct socket_id *a, const struct socket_id *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* A place for one more large message to the peer; NULL: it has one on its way, or too many others have. */
static struct large *find_place(struct outbound *outbound, const struct socket_id *to)
{
    struct large *free_place = NULL;
    for (size_t at = 0; at < OUTBOUND_LARGE_MAX; at++) {
        struct large *large = &outbound->large[at];
        if (!atomic_load(&large->waits)) free_place = large;
        else if (same_peer(&large->to, to)) return NULL;
    }
    return free_place;
}

enum outbound_result outbound_admit(struct outbound *outbound, const struct socket_id *to, size_t bytes,
                                    struct parcel **parcel)
{
    const size_t waiting = atomic_load(&outbound->bytes); /* others only make it less */
    struct large *large = NULL;
    if (waiting > 0 && (bytes > outbound->bytes_max || waiting > outbound->bytes_max - bytes)) return OUTBOUND_FULL;
    if (bytes > OUTBOUND_LARGE_BYTES && (large = find_place(outbound, to)) == NULL) return OUTBOUND_FULL;
    *parcel = malloc(sizeof **parcel);
    if (*parcel == NULL) return OUTBOUND_NO_MEMORY;
    (*parcel)->large = large;
    (*parcel)->bytes = bytes;
    atomic_fetch_add(&outbound->bytes, bytes);
    if (large != NULL) {
        large->to = *to;
        atomic_store(&large->waits, true);
    }
    atomic_store(&(*parcel)->outbound, outbound);
    return OUTBOUND_OK;
}

void outbound_release(struct parcel *parcel)
{
    struct outbound *outbound = atomic_load(&parcel->outbound);
    atomic_fetch_sub(&outbound->bytes, parcel->bytes);
    if (parcel->large != NULL) atomic_store(&parcel->large->waits, false);
    free(parcel);
}
