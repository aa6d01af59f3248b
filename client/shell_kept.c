#include "shell_kept.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "shell_files.h"

#define MARK      "kept"  /* written last; its time is that of the run */
#define OWNER     "sweep" /* the version and the sweep that the folder was last opened for */
#define FOUND_MAX 1024
#define OWNER_MAX 256

/* A path inside a folder. */
static const char *inside(const char *folder, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%.3800s/%.256s", folder, name);
    return path;
}

static void remove_inside(const char *folder, const char *name)
{
    char path[PATH_MAX];
    folder_remove(inside(folder, name, path));
}

static void write_inside(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX], why[PATH_MAX + 128];
    unlink(inside(folder, name, path));
    file_write(folder, name, (struct span){(const uint8_t *)text, strlen(text)}, why, sizeof why);
}

void kept_open(const char *folder, const struct digest *sweep)
{
    char owner[OWNER_MAX], hex[DIGEST_HEX_BYTES], path[PATH_MAX], why[128];
    struct buffer before = {0};
    digest_to_hex(sweep, hex);
    snprintf(owner, sizeof owner, "%s %s\n", GOLDTHREAD_VERSION, hex);
    const size_t version = strlen(GOLDTHREAD_VERSION) + 1;
    const bool known = file_read(inside(folder, OWNER, path), OWNER_MAX, &before, why, sizeof why);
    const bool same_version = known && before.size > version && memcmp(before.data, owner, version) == 0;
    const bool same = same_version && before.size == strlen(owner) && memcmp(before.data, owner, before.size) == 0;
    if (known && !same_version) remove_inside(folder, "aggregator");
    if (known && !same) remove_inside(folder, "broker");
    unlink(inside(folder, MARK, path));
    if (!same) write_inside(folder, OWNER, owner);
    buffer_free(&before);
}

void kept_settle(const char *folder)
{
    static const char *const stay[] = {".", "..", "aggregator", "lock", OWNER};
    DIR *list = opendir(folder);
    if (!list) return;
    for (struct dirent *entry; (entry = readdir(list));) {
        bool stays = false;
        for (size_t at = 0; at < sizeof stay / sizeof *stay; at++) stays |= strcmp(entry->d_name, stay[at]) == 0;
        if (!stays) remove_inside(folder, entry->d_name);
    }
    closedir(list);
    write_inside(folder, MARK, "");
}

/* ---- bounds ---- */

struct found {
    char name[NAME_MAX + 1];
    uint64_t bytes;
    struct timespec when;
};

static uint64_t bytes_of(const char *folder)
{
    char store[PATH_MAX], path[PATH_MAX];
    uint64_t bytes = 0;
    DIR *list = opendir(inside(folder, "aggregator", store));
    if (!list) return 0;
    for (struct dirent *entry; (entry = readdir(list));) {
        struct stat info;
        if (stat(inside(store, entry->d_name, path), &info) == 0 && S_ISREG(info.st_mode))
            bytes += (uint64_t)info.st_size;
    }
    closedir(list);
    return bytes;
}

static int newest_first(const void *a, const void *b)
{
    const struct found *left = a, *right = b;
    if (left->when.tv_sec != right->when.tv_sec) return left->when.tv_sec > right->when.tv_sec ? -1 : 1;
    return (left->when.tv_nsec < right->when.tv_nsec) - (left->when.tv_nsec > right->when.tv_nsec);
}

static size_t find_kept(const char *base, struct found *found)
{
    char folder[PATH_MAX], path[PATH_MAX];
    size_t count = 0;
    DIR *list = opendir(base);
    if (!list) return 0;
    for (struct dirent *entry; count < FOUND_MAX && (entry = readdir(list));) {
        struct stat info;
        if (stat(inside(inside(base, entry->d_name, folder), MARK, path), &info) != 0) continue;
        found[count] = (struct found){.bytes = bytes_of(folder), .when = info.st_mtim};
        snprintf(found[count++].name, sizeof found->name, "%s", entry->d_name);
    }
    closedir(list);
    return count;
}

/* Only when nobody has it open. */
static void remove_unused(const char *folder)
{
    char path[PATH_MAX];
    int fd = open(inside(folder, "lock", path), O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && access(inside(folder, MARK, path), F_OK) == 0) folder_remove(folder);
    close(fd);
}

void kept_prune(const char *folder)
{
    char base[PATH_MAX], path[PATH_MAX];
    struct found *found = calloc(FOUND_MAX, sizeof *found);
    const char *slash = strrchr(folder, '/');
    if (!found || !slash) {
        free(found);
        return;
    }
    snprintf(base, sizeof base, "%.*s", (int)(slash - folder), folder);
    const size_t count = find_kept(base, found);
    qsort(found, count, sizeof *found, newest_first);
    uint64_t bytes = 0;
    for (size_t at = 0; at < count; at++) {
        bytes += found[at].bytes;
        if (at >= KEPT_MAX || bytes > KEPT_BYTES) remove_unused(inside(base, found[at].name, path));
    }
    free(found);
}
