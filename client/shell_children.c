#include "shell_children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

#define STOP_MS        2000
#define LOG_TAIL_BYTES 600

extern char **environ;

bool children_open(struct children *children, const char *logs, char *why, size_t why_bytes)
{
    *children = (struct children){0};
    ssize_t size = readlink("/proc/self/exe", children->programs, sizeof children->programs - 1);
    char *slash = size > 0 ? strrchr(children->programs, '/') : NULL;
    if (!slash) {
        snprintf(why, why_bytes, "the folder of this program cannot be found: %s", strerror(errno));
        return false;
    }
    *slash = '\0';
    snprintf(children->logs, sizeof children->logs, "%s", logs);
    return true;
}

static void name_log(const struct children *children, const struct child *child, char path[PATH_MAX + 64])
{
    snprintf(path, PATH_MAX + 64, "%s/%s.log", children->logs, child->name);
}

/* A process group of its own, so that Ctrl-C reaches only this program, which then stops the others in
 * order; signals as they are by default; both outputs into the log. */
static int spawn(const struct children *children, struct child *child)
{
    char path[PATH_MAX + 64], log[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", children->programs, child->program);
    name_log(children, child, log);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    int error = posix_spawn(&child->pid, path, &files, &attributes, child->words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error) child->pid = 0;
    return error;
}

static bool start(const struct children *children, struct child *child, char *why, size_t why_bytes)
{
    int error = spawn(children, child);
    if (!error) return true;
    snprintf(why, why_bytes, "%s/%s cannot be started: %s", children->programs, child->program, strerror(error));
    return false;
}

bool children_start(struct children *children, const char *program, const char *name, const char *const *words,
                    char *why, size_t why_bytes)
{
    struct child *child = &children->list[children->count++];
    char parent[24];
    snprintf(parent, sizeof parent, "%ld", (long)getpid());
    snprintf(child->program, sizeof child->program, "%s", program);
    snprintf(child->name, sizeof child->name, "%s", name);
    size_t count = 0;
    child->words[count++] = strdup(program);
    child->words[count++] = strdup("--follow-parent");
    child->words[count++] = strdup(parent);
    for (; *words && count < CHILD_WORDS_MAX; words++) child->words[count++] = strdup(*words);
    return start(children, child, why, why_bytes);
}

static void describe_end(int status, char *text, size_t text_bytes)
{
    if (WIFSIGNALED(status)) snprintf(text, text_bytes, "was ended by signal %d", WTERMSIG(status));
    else snprintf(text, text_bytes, "ended with status %d", WEXITSTATUS(status));
}

static size_t read_tail(const char *path, char *text, size_t text_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    off_t size = lseek(fd, 0, SEEK_END), from = size > (off_t)text_bytes - 1 ? size - (off_t)text_bytes + 1 : 0;
    ssize_t got = pread(fd, text, text_bytes - 1, from);
    close(fd);
    if (got <= 0) return 0;
    const char *end = from > 0 ? memchr(text, '\n', (size_t)got) : NULL;
    size_t skip = end ? (size_t)(end + 1 - text) : 0; /* what is left of the line before */
    memmove(text, text + skip, (size_t)got - skip);
    return (size_t)got - skip;
}

static void give_up(const struct children *children, const struct child *child, char *why, size_t why_bytes)
{
    char path[PATH_MAX + 64], tail[LOG_TAIL_BYTES + 1], end[64];
    name_log(children, child, path);
    tail[read_tail(path, tail, sizeof tail)] = '\0';
    if (*tail == '\0') snprintf(tail, sizeof tail, "(it is empty; is the disk full?)\n");
    describe_end(child->status, end, sizeof end);
    snprintf(why, why_bytes, "%s (%s) %s, %d times in a short while; the end of its log:\n%s", child->program,
             child->name, end, CHILD_DEATHS_MAX, tail);
}

/* Whether the last deaths of a child are too close together. */
static bool dies_too_often(struct child *child, uint64_t now_ms)
{
    child->deaths_ms[child->deaths++ % CHILD_DEATHS_MAX] = now_ms;
    uint64_t oldest_ms = child->deaths_ms[child->deaths % CHILD_DEATHS_MAX];
    return child->deaths >= CHILD_DEATHS_MAX && now_ms - oldest_ms < CHILD_DEATHS_MS;
}

bool children_tend(struct children *children, char *why, size_t why_bytes)
{
    for (size_t at = 0; at < children->count; at++) {
        struct child *child = &children->list[at];
        if (child->pid == 0 || waitpid(child->pid, &child->status, WNOHANG | WUNTRACED) != child->pid) continue;
        if (WIFSTOPPED(child->status)) {
            kill(child->pid, SIGCONT); /* a stopped server would hold up the run for good */
            continue;
        }
        child->pid = 0;
        if (dies_too_often(child, clock_ms())) {
            give_up(children, child, why, why_bytes);
            return false;
        }
        if (!start(children, child, why, why_bytes)) return false;
    }
    return true;
}

static bool reap(struct children *children)
{
    bool some_left = false;
    for (size_t at = 0; at < children->count; at++) {
        struct child *child = &children->list[at];
        if (child->pid && waitpid(child->pid, &child->status, WNOHANG) == child->pid) child->pid = 0;
        some_left = some_left || child->pid;
    }
    return some_left;
}

static void send_signal(const struct children *children, int number)
{
    for (size_t at = 0; at < children->count; at++)
        if (children->list[at].pid) kill(children->list[at].pid, number);
}

void children_stop(struct children *children)
{
    send_signal(children, SIGTERM);
    send_signal(children, SIGCONT); /* one that is stopped would not see it */
    uint64_t end_ms = clock_ms() + STOP_MS;
    while (reap(children) && clock_ms() < end_ms) nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    send_signal(children, SIGKILL);
    for (size_t at = 0; at < children->count; at++) {
        struct child *child = &children->list[at];
        if (child->pid) waitpid(child->pid, &child->status, 0);
        child->pid = 0;
        for (size_t word = 0; child->words[word]; word++) free(child->words[word]);
    }
    children->count = 0;
}
