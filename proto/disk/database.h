/* What the journal and the store have in common as SQLite files: whether one may be opened, and how one is
 * looked at without changing it. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

/* Makes the folder of a database, for its owner alone, and those above it as any other; one that is there stays as it
 * is. False: it cannot be made; errno says why. */
bool database_make_folder(const char *path);

/* What users beside the owner and its group may do in a folder, as the last digit of its mode; 0: nothing. */
unsigned database_folder_open_to(const char *path);

/* Takes one line about one damage; `line` is borrowed. */
typedef void database_tell(void *context, const char *line);

/* False where a write-ahead log lies beside a database that is missing or empty, or where the database is
 * cut off within its first page: SQLite would begin anew, as if nothing had been kept. `why` holds one line. */
bool database_may_open(const char *path, char *why, size_t why_bytes);

/* Claims a lock file for as long as it is looked at; where there is none nobody can be at work. *fd is
 * the caller's to close, or -1. False: a program has it; `why` holds one line. */
bool database_claim(const char *lock_path, int *fd, char *why, size_t why_bytes);

/* Opens a database so that nothing in its folder changes, its write-ahead log included. NULL: `why` holds
 * one line. The caller closes it. */
sqlite3 *database_inspect(const char *path, char *why, size_t why_bytes);

/* SQLite's own check: each page is used once, rows and indexes agree. quick: without the indexes. Tells of
 * at most 100 faults; returns how many. */
size_t database_check(sqlite3 *db, bool quick, database_tell *tell, void *context);
