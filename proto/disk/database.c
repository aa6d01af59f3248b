#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES     4096
#define LINE_BYTES     512
#define PAGE_BYTES_MIN 512 /* SQLite takes what is shorter than a page for a new database */
#define LOG_HEAD_BYTES 32  /* a write-ahead log of no more holds no commit */

static off_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : 0;
}

bool database_make_folder(const char *path)
{
    char part[PATH_BYTES];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (size_t end = strlen(part); end > 1 && part[end - 1] == '/';) part[--end] = 0; /* a folder, not one above it */
    for (char *slash = part + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return false;
        *slash = '/';
    }
    return mkdir(part, S_IRWXU) == 0 || errno == EEXIST;
}

unsigned database_folder_open_to(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_mode & S_IRWXO : 0;
}

bool database_may_open(const char *path, char *why, size_t why_bytes)
{
    char log[PATH_BYTES];
    const off_t bytes = size_of(path);
    if (bytes > 0 && bytes < PAGE_BYTES_MIN) {
        snprintf(why, why_bytes, "%s is cut off: it has only %lld bytes left; put the database back", path,
                 (long long)bytes);
        return false;
    }
    if ((size_t)snprintf(log, sizeof log, "%s-wal", path) >= sizeof log) return true; /* opening says so */
    if (bytes > 0 || size_of(log) <= LOG_HEAD_BYTES) return true;
    snprintf(why, why_bytes, "%s is missing or empty, and its log %s-wal is not: put the database back", path, path);
    return false;
}

bool database_claim(const char *lock_path, int *fd, char *why, size_t why_bytes)
{
    *fd = open(lock_path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT) return true;
    if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (*fd >= 0 && errno == EWOULDBLOCK) snprintf(why, why_bytes, "%s: a program is at work here", lock_path);
    else snprintf(why, why_bytes, "%s: %s", lock_path, strerror(errno));
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return false;
}

/* In exclusive mode the index of the log is kept in memory instead of a file beside it, and the log is
 * neither copied into the database nor removed when the connection ends. */
static bool leave_all_as_it_is(sqlite3 *db)
{
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK &&
           sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON", NULL, NULL, NULL) == SQLITE_OK;
}

sqlite3 *database_inspect(const char *path, char *why, size_t why_bytes)
{
    sqlite3 *db = NULL;
    if (!database_may_open(path, why, why_bytes)) return NULL;
    if (size_of(path) == 0) {
        snprintf(why, why_bytes, "%s: %s", path, access(path, F_OK) == 0 ? "the file is empty" : strerror(errno));
        return NULL;
    }
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK && leave_all_as_it_is(db)) return db;
    snprintf(why, why_bytes, "%s: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
    return NULL;
}

size_t database_check(sqlite3 *db, bool quick, database_tell *tell, void *context)
{
    char line[LINE_BYTES];
    size_t faults = 0;
    int stepped;
    sqlite3_stmt *check = NULL;
    stepped = sqlite3_prepare_v2(db, quick ? "PRAGMA quick_check" : "PRAGMA integrity_check", -1, &check, NULL);
    while (check != NULL && (stepped = sqlite3_step(check)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(check, 0);
        if (text != NULL && strcmp(text, "ok") == 0) continue;
        snprintf(line, sizeof line, "database: %.480s", text == NULL ? "unreadable" : text);
        for (char *at = line; *at != 0; at++)
            if (*at == '\n') *at = ' ';
        tell(context, line);
        faults++;
    }
    if (stepped != SQLITE_DONE) {
        snprintf(line, sizeof line, "database: %s", sqlite3_errmsg(db));
        tell(context, line);
        faults++;
    }
    sqlite3_finalize(check);
    return faults;
}
