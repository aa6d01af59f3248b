#include "shell_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES   65536
#define PIPE_WAIT_MS 10000 /* for whoever writes at the other end */

static bool say(char *why, size_t why_bytes, const char *text)
{
    snprintf(why, why_bytes, "%s", text);
    return false;
}

static bool drain(int fd, size_t max, struct buffer *out, char *why, size_t why_bytes)
{
    while (out->size <= max) {
        uint8_t piece[READ_BYTES];
        size_t room = max + 1 - out->size;
        ssize_t size = read(fd, piece, room < sizeof piece ? room : sizeof piece);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) {
            if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PIPE_WAIT_MS) == 1) continue;
            return say(why, why_bytes, "nothing came through the pipe");
        }
        if (size < 0) return say(why, why_bytes, strerror(errno));
        if (size == 0) break;
        buffer_append(out, piece, (size_t)size);
        if (out->failed) return say(why, why_bytes, "out of memory");
    }
    return true;
}

bool file_read(const char *path, size_t max, struct buffer *out, char *why, size_t why_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return say(why, why_bytes, strerror(errno));
    struct stat info;
    bool sound = fstat(fd, &info) == 0 || say(why, why_bytes, strerror(errno));
    if (sound && S_ISDIR(info.st_mode)) sound = say(why, why_bytes, "it is a folder; a file is wanted");
    sound = sound && drain(fd, max, out, why, why_bytes);
    close(fd);
    return sound;
}

/* False: reading failed, and errno says why. */
static bool hash_all(int fd, uint64_t *bytes, struct digest *digest)
{
    uint8_t piece[READ_BYTES];
    struct digest_state state;
    digest_start(&state);
    for (*bytes = 0;;) {
        ssize_t size = read(fd, piece, sizeof piece);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return false;
        if (size == 0) break;
        digest_add(&state, (struct span){piece, (size_t)size});
        *bytes += (uint64_t)size;
    }
    *digest = digest_end(&state);
    return true;
}

bool file_digest(const char *path, uint64_t *bytes, struct digest *digest, char *why, size_t why_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return say(why, why_bytes, strerror(errno));
    struct stat info;
    bool sound = fstat(fd, &info) == 0 || say(why, why_bytes, strerror(errno));
    if (sound && !S_ISREG(info.st_mode)) sound = say(why, why_bytes, "it is no regular file");
    sound = sound && (hash_all(fd, bytes, digest) || say(why, why_bytes, strerror(errno)));
    close(fd);
    return sound;
}

static bool write_all(int fd, struct span bytes)
{
    for (size_t at = 0; at < bytes.size;) {
        ssize_t size = write(fd, bytes.data + at, bytes.size - at);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return false;
        at += (size_t)size;
    }
    return true;
}

bool file_write(const char *folder, const char *name, struct span bytes, char *why, size_t why_bytes)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool sound = fd >= 0 && write_all(fd, bytes) && fsync(fd) == 0;
    if (!sound) snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return sound;
}

void folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

bool folder_make(const char *path, unsigned mode, char *why, size_t why_bytes)
{
    char part[PATH_MAX];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
        return say(why, why_bytes, "the path is too long");
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != '\0') continue;
        char end = *at;
        *at = '\0';
        struct stat info;
        bool made = mkdir(part, mode) == 0 || (errno == EEXIST && stat(part, &info) == 0 && S_ISDIR(info.st_mode));
        if (!made) {
            snprintf(why, why_bytes, "%s: %s", part, strerror(errno));
            return false;
        }
        if (end == '\0') return true;
        *at = end;
    }
}

static int drop(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    remove(path); /* what cannot be removed stays; the folder above stays with it */
    return 0;
}

void folder_remove(const char *path)
{
    if (*path) nftw(path, drop, 16, FTW_DEPTH | FTW_PHYS);
}

enum folder_kind folder_look(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) return errno == ENOENT ? FOLDER_MISSING : FOLDER_NONE;
    enum folder_kind kind = FOLDER_EMPTY;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) kind = FOLDER_FULL;
    closedir(folder);
    return kind;
}

bool folder_can_hold(const char *path)
{
    char part[PATH_MAX];
    if (*path == '\0' || (size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part) return false;
    for (;;) {
        struct stat info;
        if (stat(part, &info) == 0) return S_ISDIR(info.st_mode) && access(part, W_OK | X_OK) == 0;
        if (errno != ENOENT) return false;
        char *slash = strrchr(part, '/');
        if (!slash) return access(".", W_OK | X_OK) == 0;
        if (slash == part) return access("/", W_OK | X_OK) == 0;
        *slash = '\0';
    }
}
