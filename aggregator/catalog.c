#include "catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "stop.h"
#include "sweep_codec.h"

static int compare(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES);
}

/* Where the sweep is, or would be. */
static size_t position_of(const struct catalog *catalog, const struct digest *sweep)
{
    size_t low = 0, high = catalog->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&catalog->entries[middle].sweep, sweep) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

struct facts facts_of(struct sweep *sweep)
{
    return (struct facts){.blocks = sweep_block_count(sweep),
                          .full_blocks = sweep_full_block_count(sweep),
                          .first_level = stop_first_level(sweep),
                          .family = sweep_family(sweep),
                          .rule = sweep->stop};
}

void catalog_init(struct catalog *catalog, size_t limit)
{
    *catalog = (struct catalog){.limit = limit};
}

void catalog_free(struct catalog *catalog)
{
    for (size_t at = 0; at < catalog->count; at++) fold_free(&catalog->entries[at].fold);
    free(catalog->entries);
    *catalog = (struct catalog){.limit = catalog->limit};
}

struct entry *catalog_find(const struct catalog *catalog, const struct digest *sweep)
{
    size_t at = position_of(catalog, sweep);
    if (at == catalog->count || compare(&catalog->entries[at].sweep, sweep) != 0) return NULL;
    return &catalog->entries[at];
}

static bool grow(struct catalog *catalog)
{
    if (catalog->count < catalog->capacity) return true;
    size_t capacity = catalog->capacity ? catalog->capacity * 2 : 16;
    struct entry *entries = realloc(catalog->entries, capacity * sizeof *entries);
    if (!entries) return false;
    catalog->entries = entries;
    catalog->capacity = capacity;
    return true;
}

struct entry *catalog_add(struct catalog *catalog, const struct digest *sweep)
{
    assert(!catalog_find(catalog, sweep));
    if (catalog->count == catalog->limit || !grow(catalog)) return NULL;
    size_t at = position_of(catalog, sweep);
    struct entry *entry = &catalog->entries[at];
    memmove(entry + 1, entry, (catalog->count - at) * sizeof *entry);
    catalog->count++;
    *entry = (struct entry){.sweep = *sweep, .adopts = true, .fetch_due_ms = UINT64_MAX, .report_due_ms = UINT64_MAX};
    return entry;
}

void catalog_remove(struct catalog *catalog, struct entry *entry)
{
    size_t at = (size_t)(entry - catalog->entries);
    assert(at < catalog->count);
    fold_free(&entry->fold);
    catalog->count--;
    memmove(entry, entry + 1, (catalog->count - at) * sizeof *entry);
}

static bool entry_is_sound(const struct entry *entry)
{
    if (entry->stage == ENTRY_NAMED || entry->stage == ENTRY_REFUSED) return entry->fold.count == 0;
    if (!fold_is_sound(&entry->fold)) return false;
    return !entry->complete || (fold_is_complete(&entry->fold) && !digest_is_zero(&entry->result));
}

bool catalog_is_sound(const struct catalog *catalog)
{
    for (size_t at = 0; at < catalog->count; at++) {
        const struct entry *entry = &catalog->entries[at];
        if (at > 0 && compare(&entry[-1].sweep, &entry->sweep) >= 0) return false;
        if (!entry_is_sound(entry)) return false;
    }
    return catalog->count <= catalog->limit;
}
