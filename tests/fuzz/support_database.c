#include "support_database.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 64

void database_shrink(const char *name, struct buffer *out)
{
    char path[600], file[NAME_BYTES];
    sqlite3 *db = NULL;
    snprintf(file, sizeof file, "%s.db", name);
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), file);
    fuzz_require(sqlite3_open(path, &db) == SQLITE_OK);
    fuzz_require(sqlite3_exec(db, "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM", NULL, NULL, NULL) ==
                 SQLITE_OK);
    fuzz_require(sqlite3_close(db) == SQLITE_OK);
    fuzz_read_file(file, out);
}

/* Each edit: where, what to do, with what. */
static void edit(struct choices *choices, struct buffer *file)
{
    for (unsigned count = 0; count < 16 && choices_left(choices) && file->size > 1; count++) {
        const size_t at = choose_below(choices, file->size);
        const uint8_t what = choose_byte(choices), with = choose_byte(choices);
        const size_t run = with < file->size - at ? with : file->size - at;
        if (what % 8 < 6) file->data[at] ^= with;
        else if (what % 8 == 6) memset(file->data + at, 0, run);
        else file->size = at + 1; /* cut off; an empty file is that of a program killed before its first commit */
    }
}

bool database_damage(const char *name, const struct buffer *sound, struct choices *choices)
{
    char file[NAME_BYTES], log[NAME_BYTES];
    snprintf(file, sizeof file, "%s.db", name);
    snprintf(log, sizeof log, "%s.db-wal", name);
    const uint8_t kind = choose_byte(choices) % 4;
    const struct span rest = {choices->at, (size_t)(choices->end - choices->at)};
    fuzz_empty_folder();
    if (kind == 0) {
        fuzz_write_file(file, rest);
        return false;
    }
    struct buffer bytes = {0};
    buffer_append(&bytes, sound->data, sound->size);
    if (kind == 1) fuzz_write_file(log, rest);
    else edit(choices, &bytes);
    fuzz_write_file(file, buffer_span(&bytes));
    buffer_free(&bytes);
    return kind >= 2;
}
