#include "witness.h"

enum witness_verdict witness_take(struct witness *witness, uint64_t store, uint64_t commits)
{
    const struct witness before = *witness;
    *witness = (struct witness){.known = true, .store = store, .commits = commits};
    if (!before.known) return WITNESS_FIRST;
    if (before.store != store) return WITNESS_REPLACED;
    return commits < before.commits ? WITNESS_BACK : WITNESS_ONWARD;
}

bool witness_equal(const struct witness *a, const struct witness *b)
{
    return a->known == b->known && a->store == b->store && a->commits == b->commits;
}
