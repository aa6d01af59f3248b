#include "support_disk.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct disk_key *key)
{
    uint64_t hash;
    memcpy(&hash, key->id.bytes, sizeof hash);
    hash = (hash ^ key->a * 31 ^ key->b ^ (uint64_t)key->table << 40) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 56) % DISK_SLOTS;
}

bool disk_key_equal(const struct disk_key *a, const struct disk_key *b)
{
    return a->table == b->table && a->a == b->a && a->b == b->b && digest_equal(&a->id, &b->id);
}

static struct disk_row **place_of(const struct disk *disk, const struct disk_key *key)
{
    struct disk_row **place = (struct disk_row **)&disk->slots[slot_of(key)];
    while (*place != NULL && !disk_key_equal(&(*place)->key, key)) place = &(*place)->next;
    return place;
}

struct disk_row *disk_find(const struct disk *disk, const struct disk_key *key)
{
    return *place_of(disk, key);
}

static void clear_log(struct disk *disk)
{
    for (size_t at = 0; at < disk->log_count; at++) buffer_free(&disk->log[at].before);
    disk->log_count = 0;
}

void disk_free(struct disk *disk)
{
    clear_log(disk);
    free(disk->log);
    for (size_t slot = 0; slot < DISK_SLOTS; slot++) {
        struct disk_row *next;
        for (struct disk_row *row = disk->slots[slot]; row != NULL; row = next) {
            next = row->next;
            buffer_free(&row->value);
            free(row);
        }
    }
    *disk = (struct disk){.full = disk->full};
}

static struct disk_change *note_change(struct disk *disk, const struct disk_key *key)
{
    if (disk->log_count == disk->log_capacity) {
        disk->log_capacity = disk->log_capacity == 0 ? 32 : disk->log_capacity * 2;
        disk->log = realloc(disk->log, disk->log_capacity * sizeof *disk->log);
        if (disk->log == NULL) abort();
    }
    struct disk_change *change = &disk->log[disk->log_count++];
    *change = (struct disk_change){.key = *key, .absent = true};
    return change;
}

static void add_row(struct disk *disk, const struct disk_key *key, struct buffer value, bool damaged)
{
    struct disk_row *row = malloc(sizeof *row), **slot = &disk->slots[slot_of(key)];
    if (row == NULL) abort();
    *row = (struct disk_row){.key = *key, .value = value, .damaged = damaged, .next = *slot};
    *slot = row;
    disk->rows[key->table]++;
}

/* Takes a row out and gives its value away. */
static struct buffer take_row(struct disk *disk, struct disk_row **place, bool *damaged)
{
    struct disk_row *row = *place;
    const struct buffer value = row->value;
    *damaged = row->damaged;
    disk->rows[row->key.table]--;
    *place = row->next;
    free(row);

    return value;
}

void disk_copy(struct disk *to, const struct disk *from)
{
    disk_free(to);
    to->identity = from->identity;
    to->commits = from->commits;
    to->witness = to->witness_kept = from->witness_kept;
    for (size_t slot = 0; slot < DISK_SLOTS; slot++)
        for (const struct disk_row *row = from->slots[slot]; row != NULL; row = row->next) {
            struct buffer value = {0};
            buffer_append(&value, row->value.data, row->value.size);
            if (value.failed) abort();
            add_row(to, &row->key, value, row->damaged);
        }
}

bool disk_put(struct disk *disk, const struct disk_key *key, struct span value)
{
    if (disk->full) return false;
    struct disk_change *change = note_change(disk, key);
    struct disk_row **place = place_of(disk, key);
    if (*place != NULL) {
        change->absent = false;
        change->before = take_row(disk, place, &change->damaged);
    }
    struct buffer copy = {0};
    buffer_append(&copy, value.data, value.size);
    if (copy.failed) abort();
    add_row(disk, key, copy, false);
    return true;
}

bool disk_drop(struct disk *disk, const struct disk_key *key)
{
    struct disk_row **place = place_of(disk, key);
    if (disk->full || *place == NULL) return false;
    struct disk_change *change = note_change(disk, key);
    change->absent = false;
    change->before = take_row(disk, place, &change->damaged);
    return true;
}

bool disk_commit(struct disk *disk)
{
    if (disk->full) return false;
    clear_log(disk);
    disk->commits++;
    disk->witness_kept = disk->witness;
    return true;
}

void disk_undo(struct disk *disk)
{
    disk->witness = disk->witness_kept;
    while (disk->log_count > 0) {
        const struct disk_change change = disk->log[--disk->log_count];
        struct disk_row **place = place_of(disk, &change.key);
        bool damaged;
        if (*place != NULL) {
            struct buffer value = take_row(disk, place, &damaged);
            buffer_free(&value);
        }
        if (!change.absent) add_row(disk, &change.key, change.before, change.damaged);
    }
}

void disk_each(struct disk *disk, uint32_t table, void (*visit)(void *context, struct disk_row *row), void *context)
{
    for (size_t slot = 0; slot < DISK_SLOTS; slot++) {
        struct disk_row *next;
        for (struct disk_row *row = disk->slots[slot]; row != NULL; row = next) {
            next = row->next;
            if (row->key.table == table) visit(context, row);
        }
    }
}
