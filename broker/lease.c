#include "lease.h"

#include <assert.h>
#include <stdlib.h>

/* A token is serial x LEASES_MAX + slot, so that it finds its slot without a search. */
#define SERIAL_FIRST_MASK UINT64_C(0xffffffffff)

bool lease_open(struct lease_table *table, uint64_t seed)
{
    *table = (struct lease_table){.serial = (seed & SERIAL_FIRST_MASK) + 1};
    table->slots = calloc(LEASES_MAX, sizeof *table->slots);
    table->links = calloc(LEASES_MAX + 2, sizeof *table->links);
    if (table->slots == NULL || table->links == NULL) {
        lease_close(table);
        return false;
    }
    line_init(&table->due, table->links, LEASES_MAX);
    line_init(&table->unused, table->links, LEASES_MAX + 1);
    for (uint32_t slot = 0; slot < LEASES_MAX; slot++) {
        table->links[slot] = (struct link){slot, slot};
        line_join(&table->unused, slot);
    }
    return true;
}

void lease_close(struct lease_table *table)
{
    free(table->slots);
    free(table->links);
    *table = (struct lease_table){0};
}

static uint32_t slot_of(const struct lease_table *table, const struct lease *lease)
{
    return (uint32_t)(lease - table->slots);
}

struct lease *lease_grant(struct lease_table *table, uint32_t worker, uint32_t sweep, struct block_range blocks,
                          uint64_t due_ms)
{
    uint32_t slot;
    if (!line_first(&table->unused, &slot)) return NULL;
    table->slots[slot] = (struct lease){.token = table->serial++ * LEASES_MAX + slot,
                                        .due_ms = due_ms,
                                        .worker = worker,
                                        .sweep = sweep,
                                        .blocks = blocks};
    line_join(&table->due, slot);
    table->count++;
    return &table->slots[slot];
}

struct lease *lease_find(const struct lease_table *table, uint64_t token)
{
    struct lease *lease = &table->slots[token % LEASES_MAX];
    return token != 0 && lease->token == token ? lease : NULL;
}

void lease_renew(struct lease_table *table, struct lease *lease, uint64_t due_ms)
{
    assert(lease->token != 0 && due_ms >= lease->due_ms);
    lease->due_ms = due_ms;
    line_join(&table->due, slot_of(table, lease));
}

void lease_end(struct lease_table *table, struct lease *lease)
{
    assert(lease->token != 0);
    lease->token = 0;
    line_join(&table->unused, slot_of(table, lease));
    table->count--;
}

struct lease *lease_first(const struct lease_table *table)
{
    uint32_t slot;
    return line_first(&table->due, &slot) ? &table->slots[slot] : NULL;
}

struct lease *lease_next(const struct lease_table *table, const struct lease *lease)
{
    uint32_t slot;
    return line_next(&table->due, slot_of(table, lease), &slot) ? &table->slots[slot] : NULL;
}
