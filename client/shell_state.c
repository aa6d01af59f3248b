#include "shell_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "shell_files.h"
#include "shell_kept.h"

#define SOCKET_PATH_MAX 107 /* bytes in an address of a Unix socket, without its NUL */
#define LONGEST_NAME    "/aggregator"
#define FOLDER_PATH_MAX 400 /* bytes; SQLite opens no path of more than 511, and journal and store lie deeper */
#define LOCK_TRIES      10

/* ${XDG_STATE_HOME:-$HOME/.local/state}/goldthread/NAME; relative values are to be ignored. */
static bool name_folder(const struct digest *name, char path[PATH_MAX])
{
    char hex[DIGEST_HEX_BYTES];
    const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    digest_to_hex(name, hex);
    int size;
    if (base && base[0] == '/') size = snprintf(path, PATH_MAX, "%s/goldthread/%s", base, hex);
    else if (home && home[0] == '/') size = snprintf(path, PATH_MAX, "%s/.local/state/goldthread/%s", home, hex);
    else return false;
    return size < FOLDER_PATH_MAX;
}

/* Whether the descriptor is still the file at the path: the run that had the lock may have removed it. */
static bool is_current(int fd, const char *path)
{
    struct stat held, named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

static bool lock(struct state *state)
{
    char path[PATH_MAX + 8], why[256];
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        if (!folder_make(state->folder, 0700, why, sizeof why)) return false;
        snprintf(path, sizeof path, "%s/lock", state->folder);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOENT) continue;
        if (fd < 0) return false;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_current(fd, path)) {
            state->lock_fd = fd;
            return true;
        }
        bool taken = errno == EWOULDBLOCK;
        close(fd);
        if (taken) return false;
    }
    return false;
}

/* A new folder in the first of two places that will have it. */
static bool make_temporary(const char *first, const char *second, const char *name, size_t longest, char path[PATH_MAX])
{
    const char *places[] = {first, second};
    for (int at = 0; at < 2; at++) {
        if (!places[at] || places[at][0] != '/') continue;
        int size = snprintf(path, PATH_MAX, "%s/%s-XXXXXX", places[at], name);
        if ((size_t)size <= longest && mkdtemp(path)) return true;
    }
    path[0] = '\0';
    return false;
}

/* Sockets of a run that was killed outright are still there: its state says where. */
static void clear_old_sockets(const struct state *state)
{
    struct buffer name = {0};
    char path[PATH_MAX + 16], why[128];
    snprintf(path, sizeof path, "%s/sockets", state->folder);
    if (file_read(path, PATH_MAX - 1, &name, why, sizeof why) && name.size > 0) {
        char old[PATH_MAX];
        snprintf(old, sizeof old, "%.*s", (int)name.size, (const char *)name.data);
        if (strstr(old, "/goldthread-")) folder_remove(old);
    }
    buffer_free(&name);
    unlink(path);
}

static bool open_sockets(struct state *state, char *why, size_t why_bytes)
{
    size_t longest = SOCKET_PATH_MAX - strlen(LONGEST_NAME);
    if (!make_temporary(getenv("XDG_RUNTIME_DIR"), "/tmp", "goldthread", longest, state->sockets)) {
        snprintf(why, why_bytes, "no folder for sockets can be made in XDG_RUNTIME_DIR or /tmp: %s", strerror(errno));
        return false;
    }
    struct span name = {(const uint8_t *)state->sockets, strlen(state->sockets)};
    char ignored[PATH_MAX + 128];
    file_write(state->folder, "sockets", name, ignored, sizeof ignored); /* only helps to tidy up after a crash */
    return true;
}

static bool holds(const struct state *state, const char *name)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", state->folder, name);
    return folder_look(path) == FOLDER_FULL;
}

bool state_open(struct state *state, const struct digest *name, const struct digest *sweep, char *why, size_t why_bytes)
{
    *state = (struct state){.lock_fd = -1};
    state->is_private = !name_folder(name, state->folder) || !lock(state);
    if (state->is_private &&
        !make_temporary(getenv("TMPDIR"), "/tmp", "goldthread-run", FOLDER_PATH_MAX, state->folder)) {
        snprintf(why, why_bytes, "no temporary folder can be made in TMPDIR or /tmp: %s", strerror(errno));
        return false;
    }
    if (!state->is_private) {
        clear_old_sockets(state);
        kept_open(state->folder, sweep);
    }
    state->is_resumed = holds(state, "broker") || holds(state, "aggregator");
    if (open_sockets(state, why, why_bytes)) return true;
    state_close(state, state->is_resumed ? STATE_STAYS : STATE_GOES);
    return false;
}

void state_close(struct state *state, enum state_rest rest)
{
    folder_remove(state->sockets);
    if (rest == STATE_GOES || state->is_private) {
        folder_remove(state->folder);
    } else if (rest == STATE_IS_KEPT) {
        kept_settle(state->folder);
    } else {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof path, "%s/sockets", state->folder);
        unlink(path);
    }
    if (state->lock_fd >= 0) close(state->lock_fd);
    if (rest == STATE_IS_KEPT && !state->is_private) kept_prune(state->folder);
    *state = (struct state){.lock_fd = -1};
}

void state_endpoint(const struct state *state, const char *name, char *endpoint, size_t endpoint_bytes)
{
    snprintf(endpoint, endpoint_bytes, "ipc://%s/%s", state->sockets, name);
}
