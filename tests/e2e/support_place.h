/* What end-to-end tests share: a place of their own, programs that run in it, and their results. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define WAIT_MS   300000 /* for something that must happen; a test that needs it all has failed */
#define TIMEOUT_S 1800   /* of one test: far more than it takes on a slow machine under a sanitizer */

/* Makes an empty folder, goes there, and points HOME, TMPDIR and the XDG folders into it. */
void place_open(void);

/* Removes it. */
void place_close(void);

/* Its path. */
const char *place_path(void);

/* Entries of a folder, without . and ..; 0 when it is not there. */
size_t count_entries(const char *path);

bool exists(const char *path);

/* The whole file, which the caller frees; NULL when it cannot be read. */
char *read_text(const char *path);
void write_text(const char *path, const char *text);

/* What a program left: its exit status, or 128 + the signal. Texts are owned. */
struct ran {
    int status;
    char *out, *err;
};

/* Runs a program of GOLDTHREAD_BIN to its end; words end with NULL and leave out the program's name. */
struct ran run_program(const char *program, const char *const *words);
void ran_free(struct ran *ran);

/* Runs goldthread with these words, again when no server has answered it (status 3): a machine may stand still for
 * longer than the patience of a command, which people would repeat as well. */
struct ran run_answered(const char *const *words);
#define GOLDTHREAD(...) run_answered((const char *[]){__VA_ARGS__, NULL})

/* The same once, for a test in which nobody should answer. */
#define GOLDTHREAD_ONCE(...) run_program("goldthread", (const char *[]){__VA_ARGS__, NULL})

/* Starts a program and returns at once; its outputs go to NAME.out and NAME.err in the place. */
pid_t start_program(const char *program, const char *name, const char *const *words);

/* Waits for its end: the exit status, or 128 + the signal. */
int wait_program(pid_t pid);

/* Whether a program that was started under this name has written the text to its NAME.err. */
bool has_said(const char *name, const char *text);

/* Waits until it has; fails the test when it does not. */
void wait_until_said(const char *name, const char *text);

/* Where a broker or an aggregator of this name listens, once it does: `tcp://127.0.0.1:*` is known only then. */
void find_endpoint(const char *name, char *endpoint, size_t endpoint_bytes);

/* Direct children of a process whose command is `name`; up to max. Returns how many there are. */
size_t find_children(pid_t parent, const char *name, pid_t *found, size_t max);

/* Runs goldthread to its end with these words, which write results to the folder `out`, and kills a few of its workers
 * meanwhile: what it printed, owned. A machine may be so fast, or this test stopped for so long, that a run is over
 * before anything is killed; that one does not count, and is run again. */
char *run_with_kills(const char *const *words, const char *out);

/* Servers that were started to follow this process, whoever their parent is by now. */
size_t count_followers(pid_t parent);

/* Waits a moment; false once WAIT_MS have passed since *waited was 0. For loops that wait on something. */
bool keep_waiting(int *waited_ms);

/* Parses one JSON value that must be all there is; fails the test otherwise. */
json_t *parse_json(const char *text);
const char *json_text(const json_t *object, const char *key);
long long json_whole(const json_t *object, const char *key);

/* A value of a rollup.csv in memory; NaN when it is empty. Fails the test when there is no such row. */
double figure(const char *csv, const char *scenario, const char *area_code, const char *year, const char *measure,
              const char *statistic);

/* Holds a TCP port of the loopback at which nobody answers, until the descriptor is closed. */
int hold_port(int *port);
