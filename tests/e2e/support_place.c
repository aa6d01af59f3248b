#include "support_place.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX  40
#define PAUSE_MS   5
#define UNANSWERED 3  /* the status of a command that no server answers */
#define KILLS      2  /* of one run, at most: a block that is hit three times is parked */
#define TRIES_MAX  20 /* at what a machine may be too fast or too slow for */

static char place[64];

static void set_folder(const char *variable, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", place, name);
    cr_assert_eq(mkdir(path, 0700), 0);
    setenv(variable, path, 1);
}

void place_open(void)
{
    snprintf(place, sizeof place, "/tmp/gt-e2e-XXXXXX");
    cr_assert_not_null(mkdtemp(place));
    set_folder("HOME", "home");
    set_folder("TMPDIR", "tmp");
    set_folder("XDG_STATE_HOME", "state");
    set_folder("XDG_RUNTIME_DIR", "run");
    set_folder("PLACE_WORK", "work");
    unsetenv("GOLDTHREAD_BROKER");
    unsetenv("GOLDTHREAD_AGGREGATOR");
    unsetenv("GOLDTHREAD_KEYS");
    setenv("GOLDTHREAD_FRESH", "1", 1); /* what is compared is computed each time */
    cr_assert_eq(chdir(getenv("PLACE_WORK")), 0);
}

static int drop(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

void place_close(void)
{
    if (chdir("/") == 0) nftw(place, drop, 16, FTW_DEPTH | FTW_PHYS);
}

const char *place_path(void)
{
    return place;
}

size_t count_entries(const char *path)
{
    DIR *folder = opendir(path);
    size_t count = 0;
    if (!folder) return 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count;
}

bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    char piece[65536];
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;) fwrite(piece, 1, got, memory);
    fclose(memory);
    fclose(file);
    return text;
}

void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "%s", path);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static int describe_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void open_as(const char *path, int fd)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || dup2(file, fd) < 0) _exit(126);
    close(file);
}

pid_t start_program(const char *program, const char *name, const char *const *words)
{
    char path[PATH_MAX], out[128], err[128], *argv[WORDS_MAX + 2] = {(char *)program};
    snprintf(path, sizeof path, "%s/%s", GOLDTHREAD_BIN, program);
    snprintf(out, sizeof out, "%s/%s.out", place, name);
    snprintf(err, sizeof err, "%s/%s.err", place, name);
    for (size_t at = 0; words[at] && at < WORDS_MAX; at++) argv[at + 1] = (char *)words[at];
    unlink(err); /* what an earlier one said must not pass for what this one says */
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid > 0) return pid;
    open_as(out, STDOUT_FILENO);
    open_as(err, STDERR_FILENO);
    execv(path, argv);
    _exit(127);
}

int wait_program(pid_t pid)
{
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return describe_status(status);
}

bool has_said(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.err", place, name);
    char *said = read_text(path);
    const bool has = said && strstr(said, text);
    free(said);
    return has;
}

void wait_until_said(const char *name, const char *text)
{
    for (int waited_ms = 0; !has_said(name, text);)
        cr_assert(keep_waiting(&waited_ms), "%s does not say: %s", name, text);
}

void find_endpoint(const char *name, char *endpoint, size_t endpoint_bytes)
{
    static const char word[] = " endpoint=";
    char path[128];
    wait_until_said(name, word); /* a line is written at once */
    snprintf(path, sizeof path, "%s/%s.err", place, name);
    char *said = read_text(path), *at = strstr(said, word) + sizeof word - 1;
    snprintf(endpoint, endpoint_bytes, "%.*s", (int)strcspn(at, " \n"), at);
    free(said);
}

struct ran run_program(const char *program, const char *const *words)
{
    char out[128], err[128];
    struct ran ran = {.status = wait_program(start_program(program, "ran", words))};
    snprintf(out, sizeof out, "%s/ran.out", place);
    snprintf(err, sizeof err, "%s/ran.err", place);
    ran.out = read_text(out);
    ran.err = read_text(err);
    cr_assert(ran.out && ran.err);
    return ran;
}

struct ran run_answered(const char *const *words)
{
    struct ran ran = run_program("goldthread", words);
    for (unsigned tries = 1; ran.status == UNANSWERED && tries < TRIES_MAX; tries++) {
        ran_free(&ran);
        ran = run_program("goldthread", words);
    }
    return ran;
}

void ran_free(struct ran *ran)
{
    free(ran->out);
    free(ran->err);
    *ran = (struct ran){0};
}

/* The parent and the command's name (15 letters at most) of a process. */
static bool read_process(const char *number, pid_t *parent, char name[32])
{
    char path[300], line[512];
    snprintf(path, sizeof path, "/proc/%s/stat", number);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    bool sound = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    char *open = sound ? strchr(line, '(') : NULL, *close = sound ? strrchr(line, ')') : NULL, state;
    if (!open || !close || sscanf(close + 1, " %c %d", &state, parent) != 2 || state == 'Z') return false;
    snprintf(name, 32, "%.*s", (int)(close - open - 1), open + 1);
    return true;
}

size_t find_children(pid_t parent, const char *name, pid_t *found, size_t max)
{
    DIR *folder = opendir("/proc");
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char command[32];
        pid_t its_parent;
        if (!isdigit((unsigned char)entry->d_name[0]) || !read_process(entry->d_name, &its_parent, command)) continue;
        if (its_parent != parent || strncmp(command, name, strnlen(name, 15)) != 0) continue;
        if (count < max) found[count] = (pid_t)atoi(entry->d_name);
        count++;
    }
    closedir(folder);
    return count;
}

/* Kills workers of the run until KILLS are killed or it has ended, with 0. Returns how many were killed. */
static unsigned kill_workers(pid_t run)
{
    unsigned kills = 0;
    int status;
    for (int waited_ms = 0; waitpid(run, &status, WNOHANG) == 0;) {
        pid_t workers[2];
        cr_assert(keep_waiting(&waited_ms), "the run does not end");
        const size_t count = kills < KILLS ? find_children(run, "goldthread-worker", workers, 2) : 0;
        if (count >= 2) kills += kill(workers[kills % 2], SIGKILL) == 0;
    }
    cr_assert_eq(status, 0, "status %#x", (unsigned)status);
    return kills;
}

char *run_with_kills(const char *const *words, const char *out)
{
    char path[128];
    for (unsigned tries = 0;; tries++) {
        cr_assert_lt(tries, TRIES_MAX, "every run ends before a worker is killed");
        if (kill_workers(start_program("goldthread", "struck-run", words)) > 0) break;
        cr_assert_eq(nftw(out, drop, 16, FTW_DEPTH | FTW_PHYS), 0, "%s", out);
    }
    snprintf(path, sizeof path, "%s/struck-run.out", place);
    return read_text(path);
}

/* Whether a process was started with these words one after the other. */
static bool was_told(const char *id, const char *words, size_t size)
{
    char path[64], line[4096];
    snprintf(path, sizeof path, "/proc/%.20s/cmdline", id);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    size_t got = fread(line, 1, sizeof line, file);
    fclose(file);
    return memmem(line, got, words, size) != NULL;
}

size_t count_followers(pid_t parent)
{
    char words[64];
    int size = snprintf(words, sizeof words, "--follow-parent%c%d", 0, (int)parent) + 1;
    DIR *folder = opendir("/proc");
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += isdigit((unsigned char)entry->d_name[0]) && was_told(entry->d_name, words, (size_t)size);
    closedir(folder);
    return count;
}

bool keep_waiting(int *waited_ms)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
    return (*waited_ms += PAUSE_MS) < WAIT_MS;
}

json_t *parse_json(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(value, "not one JSON value: %s\n%.500s", error.text, text);
    return value;
}

const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    cr_assert_not_null(text, "no text %s", key);
    return text;
}

long long json_whole(const json_t *object, const char *key)
{
    const json_t *number = json_object_get(object, key);
    cr_assert(json_is_integer(number), "no whole number %s", key);
    return json_integer_value(number);
}

/* Field `at` of a line without quotes. */
static bool field_is(const char *line, int at, const char *text)
{
    for (; at > 0; at--) line = strchr(line, ',') + 1;
    size_t size = strlen(text);
    return strncmp(line, text, size) == 0 && line[size] == ',';
}

double figure(const char *csv, const char *scenario, const char *area_code, const char *year, const char *measure,
              const char *statistic)
{
    for (const char *line = csv; line && *line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        size_t size = strcspn(line, "\n");
        if (size == 0) break;
        bool same = field_is(line, 0, scenario) && field_is(line, 1, area_code) && field_is(line, 3, "all") &&
                    field_is(line, 4, "all") && field_is(line, 5, year) && field_is(line, 6, measure) &&
                    field_is(line, 8, statistic);
        if (!same) continue;
        const char *value = line + size;
        while (value[-1] != ',') value--;
        return *value == '\n' || *value == '\0' ? NAN : strtod(value, NULL);
    }
    cr_assert_fail("no row %s %s %s %s %s", scenario, area_code, year, measure, statistic);
    return NAN;
}

int hold_port(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd; /* nobody listens: who calls is refused */
}
