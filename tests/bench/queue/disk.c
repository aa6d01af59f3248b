#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/process.h"
#include "queue.h"

#define PAGE_BYTES  4096u
#define PAGES       8u                  /* that the journal writes for a submission */
#define ROW_BYTES   (100u << 10)        /* about a node of the golden thread */
#define FIXED_BYTES (UINT64_C(1) << 19) /* what a store has besides, and not to be above the size asked for */

static void open_path(const struct cluster *cluster, const char *name, char path[QUEUE_PATH_BYTES + 64])
{
    snprintf(path, QUEUE_PATH_BYTES + 64, "%s/%s", cluster->folder, name);
}

uint64_t disk_sync_us(const struct cluster *cluster)
{
    static const uint8_t pages[PAGES * PAGE_BYTES];
    char path[QUEUE_PATH_BYTES + 64];
    open_path(cluster, "bare", path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const uint64_t start_us = clock_us();
    if (fd < 0 || write(fd, pages, sizeof pages) != (ssize_t)sizeof pages || fdatasync(fd) != 0)
        stop("%s: %s", path, strerror(errno));
    const uint64_t took_us = clock_us() - start_us;
    close(fd);
    return took_us;
}

/* Rows that were set aside are pages like any other, and need no sweep that they belong to. */
void disk_fill_store(const struct cluster *cluster, uint64_t bytes)
{
    static const char fill[] = "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0; BEGIN;"
                               "WITH RECURSIVE row(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM row WHERE at < %llu)"
                               " INSERT INTO aside SELECT 'bench', 'bench', randomblob(%u), NULL FROM row;"
                               "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)";
    char path[QUEUE_PATH_BYTES + 64], sql[sizeof fill + 64];
    sqlite3 *db;
    open_path(cluster, "aggregator/aggregator.db", path);
    snprintf(sql, sizeof sql, fill, (unsigned long long)((bytes - FIXED_BYTES) / (ROW_BYTES + PAGE_BYTES / 2)),
             ROW_BYTES);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        stop("%s: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
}

void disk_forget_store(const struct cluster *cluster)
{
    char path[QUEUE_PATH_BYTES + 64];
    open_path(cluster, "aggregator/aggregator.db", path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        stop("%s: %s", path, strerror(errno));
    close(fd);
}
