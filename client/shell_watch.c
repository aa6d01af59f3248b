/* goldthread watch: a sweep's status on one line, until nothing more will come of it by itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "digest.h"
#include "process.h"
#include "progress.h"
#include "shell_commands.h"
#include "shell_remote.h"
#include "shell_talk.h"

#define ASK_MS          500
#define LINE_MS         3000
#define COLUMNS_DEFAULT 100

struct watch {
    struct talk talk;
    struct digest sweep;
    bool is_terminal, is_begun;
    uint64_t start_ms, line_due_ms;
    uint64_t at_start; /* blocks that were done when watching began */
};

/* NULL: the broker told of other sweeps only. */
static const struct sweep_status *find_status(const struct watch *watch)
{
    const struct message *answer = watch->talk.answer;
    for (uint32_t at = 0; at < answer->sweeps.count; at++)
        if (digest_equal(&answer->sweeps.list[at].sweep, &watch->sweep)) return &answer->sweeps.list[at];
    return NULL;
}

static size_t terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1u : COLUMNS_DEFAULT;
}

/* False: nobody reads any more. */
static bool draw(struct watch *watch, const struct sweep_status *status, bool is_last)
{
    const uint64_t now_ms = clock_ms();
    if (!watch->is_terminal && !is_last && now_ms < watch->line_due_ms) return true;
    const struct progress progress = {.blocks = status->blocks,
                                      .done = status->done,
                                      .failed = status->parked,
                                      .draws = status->draws,
                                      .at_start = watch->at_start,
                                      .elapsed_ms = now_ms - watch->start_ms};
    char line[256], shown[288];
    progress_line(&progress, sizeof line, line, sizeof line);
    snprintf(shown, sizeof shown, "%-9s  %s", talk_state_name(status->state), line);
    if (watch->is_terminal) printf("\r%.*s\033[K%s", (int)terminal_columns(), shown, is_last ? "\n" : "");
    else printf("%s\n", shown);
    watch->line_due_ms = now_ms + LINE_MS;
    return fflush(stdout) == 0;
}

static bool has_ended(enum sweep_state state)
{
    return state != SWEEP_RUNNING && state != SWEEP_PAUSED;
}

static enum exit_status end_of(struct watch *watch, const struct sweep_status *status, const struct options *options)
{
    if (status->state == SWEEP_DONE) {
        char hex[DIGEST_HEX_BYTES];
        digest_to_hex(&status->result, hex);
        remote_print_ending("watch", &watch->talk, options, &watch->sweep);
        printf("digest %s\n", hex);
        return STATUS_DONE;
    }
    fprintf(stderr, "goldthread watch: the sweep is %s%s%s\n", talk_state_name(status->state),
            *status->text ? ": " : "", status->text);
    return STATUS_FAILED;
}

/* Ends a line that was being redrawn, so that what follows stands on its own. */
static void leave_line(const struct watch *watch)
{
    if (watch->is_terminal && watch->is_begun) puts("");
    fflush(stdout);
}

static enum exit_status follow(struct watch *watch, const struct options *options)
{
    const struct message question = {.kind = MESSAGE_STATUS, .status.sweep = watch->sweep};
    const struct timespec pause = {.tv_nsec = ASK_MS * 1000000L};
    for (;;) {
        const enum talk_result result = talk_ask(&watch->talk, &question, MESSAGE_SWEEPS);
        if (result != TALK_OK) {
            leave_line(watch);
            return talk_fail(&watch->talk, result, "watch");
        }
        const struct sweep_status *status = find_status(watch);
        if (status == NULL) {
            leave_line(watch);
            fprintf(stderr, "goldthread watch: the broker does not tell of the sweep\n");
            return STATUS_FAILED;
        }
        if (!watch->is_begun) watch->at_start = status->done;
        watch->is_begun = true;
        const bool is_last = has_ended(status->state);
        if (!draw(watch, status, is_last)) return STATUS_FAILED;
        if (is_last) return end_of(watch, status, options);
        nanosleep(&pause, NULL);
    }
}

enum exit_status command_watch(const struct options *options)
{
    struct watch watch = {.is_terminal = isatty(STDOUT_FILENO), .start_ms = clock_ms()};
    enum exit_status status = talk_open(&watch.talk, options);
    if (status != STATUS_DONE) return status;
    status = talk_find_sweep(&watch.talk, options->operand, "watch", &watch.sweep);
    if (status == STATUS_DONE) status = follow(&watch, options);
    const int write_error = errno; /* main tells a closed pipe from other errors by it */
    talk_close(&watch.talk);
    errno = write_error;
    return status;
}
