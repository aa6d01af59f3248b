/* A file layer for SQLite that fails on purpose: the n-th call of some kinds, or all from the n-th on. It takes
 * no time for syncs and waits, so that every call of a program's life with its store can be tried. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum vfs_call { VFS_READ = 1, VFS_WRITE = 2, VFS_SYNC = 4, VFS_LOCK = 8, VFS_OPEN = 16 };

/* Every way in which SQLite is told of a disk that fails. */
#define VFS_FAULTS 7
extern const struct vfs_fault {
    unsigned calls; /* enum vfs_call */
    int code;       /* SQLITE_... */
    const char *name;
} vfs_faults[VFS_FAULTS];

/* From now on every database is opened through this layer, until the process ends. */
void vfs_install(void);

/* Call `at` (from 1 on) of these kinds fails with `code`; lasting: so does each one after it. */
void vfs_arm(unsigned calls, int code, unsigned at, bool lasting);

/* Nothing fails any more. Whether anything did. */
bool vfs_disarm(void);

/* How many files, of those that are open, hold writes that no sync has followed: what a power cut could take. */
size_t vfs_unsynced(void);

/* SQLite's next wait, for whoever holds a lock, is spent in this call. */
void vfs_when_waiting(void (*call)(void *context), void *context);
