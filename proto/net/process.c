#include "process.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

#define LOG_LINE_BYTES 2048

static const char *log_program = "goldthread";
static enum log_level log_most = LOG_INFO;

uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_ms(void)
{
    return clock_us() / 1000;
}

bool process_follow_parent(int parent_pid)
{
    /* SIGTERM rather than SIGKILL, so that sockets are removed and leases are handed back. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) return false;
    return getppid() == parent_pid; /* the parent may have ended before the call above */
}

int process_stop_fd(void)
{
    sigset_t stops;
    signal(SIGPIPE, SIG_IGN); /* whoever read the log may have gone */
    signal(SIGXFSZ, SIG_IGN); /* a file may grow no further: the write says so, and so does the log */
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    struct sigaction hangup; /* ignored under nohup; a terminal that closes stops the program otherwise */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaddset(&stops, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &stops, NULL) != 0) return -1;
    return signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
}

void log_open(const char *program, enum log_level most)
{
    log_program = program;
    log_most = most;
}

static size_t put_head(char *line, size_t capacity, enum log_level level, const char *event)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct timespec now;
    struct tm utc;
    char when[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    int size =
        snprintf(line, capacity, "%s.%03ldZ %s %s %s ", when, now.tv_nsec / 1000000, names[level], log_program, event);
    return size < 0 ? 0 : (size_t)size < capacity ? (size_t)size : capacity - 1;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (level > log_most) return;
    char line[LOG_LINE_BYTES];
    const size_t capacity = sizeof line - 1; /* room for the newline */
    size_t size = put_head(line, capacity, level, event);

    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + size, capacity - size, format, arguments);
    va_end(arguments);

    utf8_mask_controls(line);
    size = strlen(line);
    line[size++] = '\n';
    /* One write, so that lines of several processes on one terminal do not mix. A log that cannot be
     * written has nowhere to say so. */
    if (write(STDERR_FILENO, line, size) < 0) return;
}
