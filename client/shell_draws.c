#include "shell_draws.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "draws.h"

/* Level 1: the digits of draws hardly give way to more work. "T": no compression, the bytes as they are. */
#define MODE_COMPRESSED "wb1"
#define MODE_PLAIN      "wbT"
#define BUFFER_BYTES    (1u << 18)

const char *draws_file_name(uint64_t draws)
{
    return draws <= DRAWS_PLAIN_MAX ? "draws.csv" : "draws.csv.gz";
}

static bool put_piece(void *context, struct span piece)
{
    for (size_t at = 0; at < piece.size;) {
        size_t size = piece.size - at < INT_MAX ? piece.size - at : INT_MAX;
        if (gzwrite(context, piece.data + at, (unsigned)size) != (int)size) return false;
        at += size;
    }
    return true;
}

/* Takes a descriptor of its own, which gzclose() closes. */
static bool write_through(int fd, bool is_plain, const struct plan *plan, const struct node *root)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    gzFile file = own < 0 ? NULL : gzdopen(own, is_plain ? MODE_PLAIN : MODE_COMPRESSED);
    if (!file) {
        if (own >= 0) close(own);
        return false;
    }
    gzbuffer(file, BUFFER_BYTES);
    bool sound = draws_csv(plan, root, put_piece, file);
    return gzclose(file) == Z_OK && sound;
}

bool draws_write(const char *folder, const char *name, const struct plan *plan, const struct node *root, char *why,
                 size_t why_bytes)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    errno = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool sound = fd >= 0 && write_through(fd, root->draws <= DRAWS_PLAIN_MAX, plan, root) && fsync(fd) == 0;
    if (!sound) snprintf(why, why_bytes, "%s: %s", path, errno ? strerror(errno) : "out of memory");
    if (fd >= 0) close(fd);
    return sound;
}
