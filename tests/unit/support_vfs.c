#include "support_vfs.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <string.h>

const struct vfs_fault vfs_faults[VFS_FAULTS] = {
    {VFS_WRITE, SQLITE_FULL, "full"},
    {VFS_WRITE | VFS_SYNC, SQLITE_IOERR, "write error"},
    {VFS_READ, SQLITE_IOERR_READ, "read error"},
    {VFS_READ, SQLITE_CORRUPT, "corrupt"},
    {VFS_LOCK, SQLITE_BUSY, "busy"},
    {VFS_OPEN, SQLITE_CANTOPEN, "cannot open"},
    {VFS_OPEN | VFS_READ | VFS_WRITE, SQLITE_NOMEM, "no memory"},
};

struct file {
    sqlite3_file base;
    bool unsynced;        /* written since it was synced last */
    sqlite3_int64 real[]; /* the file of the layer below, aligned as SQLite does */
};

static sqlite3_vfs layer, *below;
static sqlite3_io_methods methods;

static size_t unsynced; /* files that are open and were written since they were synced last */

static struct {
    unsigned calls, at, seen;
    int code;
    bool lasting, struck;
} fault;

void vfs_arm(unsigned calls, int code, unsigned at, bool lasting)
{
    fault.calls = calls;
    fault.code = code;
    fault.at = at;
    fault.lasting = lasting;
    fault.seen = 0;
    fault.struck = false;
}

bool vfs_disarm(void)
{
    fault.calls = 0;
    return fault.struck;
}

static bool strikes(enum vfs_call call)
{
    if ((fault.calls & call) == 0) return false;
    fault.seen++;
    const bool now = fault.seen == fault.at || (fault.lasting && fault.seen > fault.at);
    fault.struck |= now;
    return now;
}

static sqlite3_file *real(sqlite3_file *file)
{
    return (sqlite3_file *)((struct file *)file)->real;
}

static void note_unsynced(sqlite3_file *file, bool now)
{
    bool *was = &((struct file *)file)->unsynced;
    unsynced += (size_t)now - (size_t)*was;
    *was = now;
}

size_t vfs_unsynced(void)
{
    return unsynced;
}

static int close_file(sqlite3_file *file)
{
    note_unsynced(file, false);
    return real(file)->pMethods->xClose(real(file));
}

static int read_file(sqlite3_file *file, void *to, int size, sqlite3_int64 at)
{
    return strikes(VFS_READ) ? fault.code : real(file)->pMethods->xRead(real(file), to, size, at);
}

static int write_file(sqlite3_file *file, const void *from, int size, sqlite3_int64 at)
{
    if (strikes(VFS_WRITE)) return fault.code;
    note_unsynced(file, true);
    return real(file)->pMethods->xWrite(real(file), from, size, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    return strikes(VFS_WRITE) ? fault.code : real(file)->pMethods->xTruncate(real(file), size);
}

static int sync_file(sqlite3_file *file, int flags)
{
    (void)flags;
    if (strikes(VFS_SYNC)) return fault.code;
    note_unsynced(file, false);
    return SQLITE_OK;
}

static int size_file(sqlite3_file *file, sqlite3_int64 *size)
{
    return real(file)->pMethods->xFileSize(real(file), size);
}

static int lock_file(sqlite3_file *file, int lock)
{
    return strikes(VFS_LOCK) ? fault.code : real(file)->pMethods->xLock(real(file), lock);
}

static int unlock_file(sqlite3_file *file, int lock)
{
    return real(file)->pMethods->xUnlock(real(file), lock);
}

static int check_reserved(sqlite3_file *file, int *reserved)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), reserved);
}

static int control(sqlite3_file *file, int what, void *argument)
{
    return real(file)->pMethods->xFileControl(real(file), what, argument);
}

static int sector_size(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int characteristics(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int shm_map(sqlite3_file *file, int page, int bytes, int extend, void volatile **at)
{
    return strikes(VFS_OPEN) ? fault.code : real(file)->pMethods->xShmMap(real(file), page, bytes, extend, at);
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0 && strikes(VFS_LOCK)) return fault.code;
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

static void shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}

static int shm_unmap(sqlite3_file *file, int delete)
{
    return real(file)->pMethods->xShmUnmap(real(file), delete);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
    (void)vfs;
    file->pMethods = NULL;
    ((struct file *)file)->unsynced = false;
    if (strikes(VFS_OPEN)) return fault.code;
    const int opened = below->xOpen(below, name, real(file), flags, given);
    if (opened == SQLITE_OK) file->pMethods = &methods;
    return opened;
}

static struct {
    void (*call)(void *context);
    void *context;
} waiting;

void vfs_when_waiting(void (*call)(void *context), void *context)
{
    waiting.call = call;
    waiting.context = context;
}

static int wait_not(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    if (waiting.call != NULL) waiting.call(waiting.context);
    waiting.call = NULL;
    return us;
}

void vfs_install(void)
{
    if (below != NULL) return;
    below = sqlite3_vfs_find(NULL);
    methods = (sqlite3_io_methods){.iVersion = 2,
                                   .xClose = close_file,
                                   .xRead = read_file,
                                   .xWrite = write_file,
                                   .xTruncate = truncate_file,
                                   .xSync = sync_file,
                                   .xFileSize = size_file,
                                   .xLock = lock_file,
                                   .xUnlock = unlock_file,
                                   .xCheckReservedLock = check_reserved,
                                   .xFileControl = control,
                                   .xSectorSize = sector_size,
                                   .xDeviceCharacteristics = characteristics,
                                   .xShmMap = shm_map,
                                   .xShmLock = shm_lock,
                                   .xShmBarrier = shm_barrier,
                                   .xShmUnmap = shm_unmap};
    layer = *below;
    layer.zName = "faulty";
    layer.pNext = NULL;
    layer.szOsFile = (int)sizeof(struct file) + below->szOsFile;
    layer.xOpen = open_file;
    layer.xSleep = wait_not;
    cr_assert_eq(sqlite3_vfs_register(&layer, 1), SQLITE_OK);
}
