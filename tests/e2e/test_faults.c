/* Programs that are killed and stopped, stores that are damaged, lost or full: a sweep ends with the digest
 * that it has when nothing happens, and what was damaged is named.
 *
 * FAULT_ROUNDS, FAULT_SEED: how many faults, and which; tests/faults/kill-loop sets them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "digest.h"
#include "net/process.h"
#include "net/socket.h"
#include "support_place.h"

#define ROUNDS        10u
#define HEARTBEAT_MS  "100"
#define LEASE_MS      "800"
#define STOP_LEAST_MS 900u /* longer than a lease */
#define STOP_MOST_MS  1500u
#define ASK_MS        100u
#define DONE_MS       900000u /* for a sweep of some seconds of work once no more faults come */
#define SCENARIO      GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml"
#ifdef GOLDTHREAD_SANITIZED
#define LONG   "4096"
#define FLIPS  12u
#define SECOND 3u /* how much longer things take */
#else
#define LONG   "16384"
#define FLIPS  60u
#define SECOND 1u
#endif

#define SHORT "4096" /* 8 blocks */

/* Of every sweep of a test. */
static const char *draws = SHORT;

TestSuite(faults, .init = place_open, .fini = place_close, .timeout = 7200);

/* ---- processes that are started again when they end ---- */

enum { BROKER, AGGREGATOR, WORKER, PROCESSES = WORKER + 3 };

struct process {
    const char *program, *name, *words[16];
    pid_t pid;              /* 0: it is not running */
    bool struck;            /* its end was wanted */
    uint64_t start_due_ms;  /* when it is not running; UINT64_MAX: not at all */
    uint64_t resume_due_ms; /* 0: it is not stopped */
    unsigned kills, stops;
    int status; /* of its last end */
};

struct cluster {
    struct process processes[PROCESSES];
    char broker[128], aggregator[128];
    struct net *net;
    struct socket *client;
    struct message *message;
    struct digest sweep;
    uint64_t asked_ms, random;
    unsigned retries;
};

/* SplitMix64. */
static uint64_t draw(struct cluster *cluster, uint64_t below)
{
    uint64_t z = cluster->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static void start(struct process *process)
{
    char path[PATH_MAX], log[PATH_MAX], parent[16], *argv[20] = {(char *)process->program};
    size_t count = 1;
    snprintf(path, sizeof path, "%s/%s", GOLDTHREAD_BIN, process->program);
    snprintf(log, sizeof log, "%s/%s.err", place_path(), process->name);
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    for (size_t at = 0; process->words[at]; at++) argv[count++] = (char *)process->words[at];
    argv[count++] = "--follow-parent";
    argv[count++] = parent;
    process->struck = false;
    process->pid = fork();
    cr_assert_geq(process->pid, 0);
    if (process->pid > 0) return;
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || dup2(file, STDERR_FILENO) < 0 || dup2(file, STDOUT_FILENO) < 0) _exit(126);
    close(file);
    execv(path, argv);
    _exit(127);
}

static char *log_of(const struct process *process)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.err", place_path(), process->name);
    char *text = read_text(path);
    return text ? text : strdup("");
}

static bool has_logged(const struct process *process, const char *event)
{
    char *log = log_of(process);
    bool found = strstr(log, event) != NULL;
    free(log);
    return found;
}

/* Notes an end; one that nobody wanted fails the test, since no fault here is a reason to end by oneself. */
static void note_end(struct process *process, int status)
{
    process->pid = 0;
    process->status = status;
    process->resume_due_ms = 0;
    if (process->struck) return;
    char *log = log_of(process);
    size_t size = strlen(log);
    cr_assert_fail("%s ended by itself with status %#x:\n%s", process->name, (unsigned)status,
                   log + (size > 2000 ? size - 2000 : 0));
}

/* Starts what is to be started, wakes what is to be woken. */
static void supervise(struct cluster *cluster)
{
    const uint64_t now_ms = clock_ms();
    for (size_t at = 0; at < PROCESSES; at++) {
        struct process *process = &cluster->processes[at];
        int status;
        if (process->pid > 0 && waitpid(process->pid, &status, WNOHANG) == process->pid) note_end(process, status);
        if (process->pid > 0 && process->resume_due_ms > 0 && process->resume_due_ms <= now_ms) {
            kill(process->pid, SIGCONT);
            process->resume_due_ms = 0;
        }
        if (process->pid == 0 && process->start_due_ms <= now_ms) start(process);
    }
}

static void rest(struct cluster *cluster)
{
    supervise(cluster);
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static void end_process(struct process *process, int signal, bool again)
{
    process->start_due_ms = again ? 0 : UINT64_MAX;
    if (process->pid == 0) return;
    process->struck = true;
    kill(process->pid, signal);
    if (signal != SIGKILL) kill(process->pid, SIGCONT);
    cr_assert_eq(waitpid(process->pid, &process->status, 0), process->pid);
    process->pid = 0;
    process->resume_due_ms = 0;
}

static void set_words(struct process *process, const char *program, const char *name, const char *const *words)
{
    process->program = program;
    process->name = name;
    for (size_t at = 0; words[at]; at++) process->words[at] = words[at];
}

static struct cluster *open_cluster(void)
{
    static const char *const names[] = {"w1", "w2", "w3"};
    char why[256];
    struct cluster *cluster = calloc(1, sizeof *cluster);
    snprintf(cluster->broker, sizeof cluster->broker, "ipc://%s/b", place_path());
    snprintf(cluster->aggregator, sizeof cluster->aggregator, "ipc://%s/a", place_path());
    set_words(&cluster->processes[BROKER], "goldthread-broker", "broker",
              (const char *[]){"--bind", cluster->broker, "--state", "broker", "--heartbeat-ms", HEARTBEAT_MS,
                               "--lease-ms", LEASE_MS, NULL});
    set_words(
        &cluster->processes[AGGREGATOR], "goldthread-aggregator", "aggregator",
        (const char *[]){"--bind", cluster->aggregator, "--broker", cluster->broker, "--state", "aggregator", NULL});
    for (size_t at = 0; at < PROCESSES - WORKER; at++)
        set_words(&cluster->processes[WORKER + at], "goldthread-worker", names[at],
                  (const char *[]){"--broker", cluster->broker, "--name", names[at], NULL});
    cluster->message = calloc(1, sizeof *cluster->message);
    cluster->net = net_open();
    cluster->client = socket_connect(cluster->net, cluster->broker, why, sizeof why);
    cr_assert_not_null(cluster->client, "%s", why);
    return cluster;
}

static void close_cluster(struct cluster *cluster)
{
    for (size_t at = PROCESSES; at-- > 0;) end_process(&cluster->processes[at], SIGTERM, false);
    socket_close(cluster->client);
    net_close(cluster->net);
    free(cluster->message);
    free(cluster);
}

/* ---- sweeps ---- */

/* The digest that `goldthread run` gives where nothing is disturbed. */
static void run_undisturbed(const char *seed, char digest[DIGEST_HEX_BYTES])
{
    char folder[32];
    snprintf(folder, sizeof folder, "undisturbed-%s", seed);
    struct ran ran = GOLDTHREAD("run", SCENARIO, "--seed", seed, "--draws", draws, "--workers", "2", "--quiet",
                                "--json", "--out", folder);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *result = parse_json(ran.out);
    snprintf(digest, DIGEST_HEX_BYTES, "%s", json_text(result, "digest"));
    json_decref(result);
    ran_free(&ran);
}

/* Runs a goldthread command while the cluster is looked after: its exit status. */
static int run_meanwhile(struct cluster *cluster, const char *const *words)
{
    int status;
    pid_t pid = start_program("goldthread", "command", words);
    const uint64_t end_ms = clock_ms() + WAIT_MS;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_ms() > end_ms) kill(pid, SIGKILL);
        rest(cluster);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* seed: of the sweep; it names one sweep of many. */
static void submit(struct cluster *cluster, const char *seed)
{
    const char *words[] = {"submit", SCENARIO, "--seed", seed, "--draws", draws, "--broker", cluster->broker, NULL};
    char path[PATH_MAX];
    const uint64_t end_ms = clock_ms() + WAIT_MS;
    while (run_meanwhile(cluster, words) != 0) cr_assert_lt(clock_ms(), end_ms, "nothing can be submitted");
    snprintf(path, sizeof path, "%s/command.out", place_path());
    char *out = read_text(path);
    cr_assert_not_null(out);
    out[strcspn(out, "\n")] = '\0';
    cr_assert(digest_from_hex(&cluster->sweep, out), "'%s' is no sweep", out);
    free(out);
}

/* Asks the broker now and then. True: there is an answer, in cluster->message. */
static bool hear_status(struct cluster *cluster)
{
    const char *why;
    bool heard = false;
    if (clock_ms() >= cluster->asked_ms + ASK_MS) {
        cluster->message->kind = MESSAGE_STATUS;
        cluster->message->status.sweep = cluster->sweep;
        socket_send(cluster->client, NULL, cluster->message);
        cluster->asked_ms = clock_ms();
    }
    while (socket_receive(cluster->client, NULL, cluster->message, &why) == SOCKET_OK)
        heard = cluster->message->kind == MESSAGE_SWEEPS && cluster->message->sweeps.count == 1 &&
                digest_equal(&cluster->message->sweeps.list[0].sweep, &cluster->sweep);
    return heard;
}

/* Three workers were killed over one block, which is parked then, as it may be what kills them. */
static void retry(struct cluster *cluster)
{
    cluster->message->kind = MESSAGE_RETRY;
    cluster->message->retry.sweep = cluster->sweep;
    if (socket_send(cluster->client, NULL, cluster->message) == SOCKET_OK) cluster->retries++;
}

/* Whether the sweep is done by the latest answer; then its digest must be this one. */
static bool is_done(struct cluster *cluster, const char *expected)
{
    char hex[DIGEST_HEX_BYTES];
    if (!hear_status(cluster)) return false;
    const struct sweep_status *status = &cluster->message->sweeps.list[0];
    cr_assert_neq(status->state, SWEEP_FAILED, "the sweep failed: %s", status->text);
    if (status->state == SWEEP_STALLED) retry(cluster);
    if (status->state != SWEEP_DONE) return false;
    digest_to_hex(&status->result, hex);
    cr_assert_str_eq(hex, expected, "another digest than that of the run without faults");
    return true;
}

static void wait_until_done(struct cluster *cluster, const char *expected)
{
    const uint64_t end_ms = clock_ms() + DONE_MS;
    while (!is_done(cluster, expected)) {
        const struct sweep_status *status = &cluster->message->sweeps.list[0];
        cr_assert_lt(clock_ms(), end_ms, "the sweep does not end: state %d, %llu of %llu blocks", (int)status->state,
                     (unsigned long long)status->done, (unsigned long long)status->blocks);
        rest(cluster);
    }
}

/* Waits until so many blocks are done, and the sweep is not. False: it is. */
static bool wait_until_some_done(struct cluster *cluster, uint64_t blocks)
{
    const uint64_t end_ms = clock_ms() + DONE_MS;
    while (!hear_status(cluster) || cluster->message->sweeps.list[0].done < blocks) {
        cr_assert_lt(clock_ms(), end_ms, "nothing gets done");
        rest(cluster);
    }
    return cluster->message->sweeps.list[0].state == SWEEP_RUNNING;
}

static void wait_until_logged(struct cluster *cluster, const struct process *process, const char *event)
{
    const uint64_t end_ms = clock_ms() + WAIT_MS;
    while (!has_logged(process, event)) {
        cr_assert_lt(clock_ms(), end_ms, "%s does not say %s", process->name, event);
        rest(cluster);
    }
}

/* ---- looking at stores ---- */

static struct ran verify(const char *program, const char *state)
{
    return run_program(program, (const char *[]){"--verify", "--state", state, NULL});
}

static void expect_sound(const char *program, const char *state)
{
    struct ran ran = verify(program, state);
    cr_assert_eq(ran.status, 0, "%s: %s%s", program, ran.out, ran.err);
    ran_free(&ran);
}

/* ---- killed and stopped at random ---- */

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void strike(struct cluster *cluster)
{
    struct process *victim = &cluster->processes[draw(cluster, PROCESSES)];
    const bool stops = draw(cluster, 3) == 0;
    const uint64_t now_ms = clock_ms();
    if (victim->pid == 0) return; /* it has not come back yet */
    if (stops && victim->resume_due_ms == 0) {
        kill(victim->pid, SIGSTOP);
        victim->resume_due_ms = now_ms + STOP_LEAST_MS + draw(cluster, STOP_MOST_MS - STOP_LEAST_MS);
        victim->stops++;
        return;
    }
    /* A stopped process can be killed as well. */
    end_process(victim, SIGKILL, true);
    victim->start_due_ms = now_ms + draw(cluster, 300);
    victim->kills++;
}

static void wake_all(struct cluster *cluster)
{
    for (size_t at = 0; at < PROCESSES; at++) {
        struct process *process = &cluster->processes[at];
        if (process->resume_due_ms > 0) process->resume_due_ms = 1;
        process->start_due_ms = 0;
    }
    supervise(cluster);
}

static void report(const struct cluster *cluster, uint64_t rounds, uint64_t seed, unsigned sweeps, uint64_t began_ms)
{
    fprintf(stderr, "faults: %llu rounds, seed %llu, %u sweeps, %u retries of parked blocks, %.1f s:",
            (unsigned long long)rounds, (unsigned long long)seed, sweeps, cluster->retries,
            (double)(clock_ms() - began_ms) / 1000);
    for (size_t at = 0; at < PROCESSES; at++)
        fprintf(stderr, " %s %u killed %u stopped%s", cluster->processes[at].name, cluster->processes[at].kills,
                cluster->processes[at].stops, at + 1 < PROCESSES ? "," : "\n");
}

Test(faults, kills_and_stops_at_any_moment_change_no_bit)
{
    const uint64_t rounds = number_of("FAULT_ROUNDS", ROUNDS), began_ms = clock_ms();
    uint64_t seed = 0;
    unsigned sweeps = 0;
    draws = LONG;
    struct cluster *cluster = open_cluster();
    cr_assert_eq(getrandom(&seed, sizeof seed, 0), (ssize_t)sizeof seed);
    seed = number_of("FAULT_SEED", seed % 1000000);
    cluster->random = seed;
    fprintf(stderr, "faults: again with FAULT_ROUNDS=%llu FAULT_SEED=%llu\n", (unsigned long long)rounds,
            (unsigned long long)seed);
    for (uint64_t round = 0; round < rounds;) {
        char name[16], expected[DIGEST_HEX_BYTES];
        snprintf(name, sizeof name, "%u", ++sweeps);
        run_undisturbed(name, expected);
        supervise(cluster);
        submit(cluster, name);
        uint64_t next_ms = clock_ms() + draw(cluster, 300);
        while (round < rounds && !is_done(cluster, expected)) {
            rest(cluster);
            if (clock_ms() < next_ms) continue;
            strike(cluster);
            round++;
            next_ms = clock_ms() + 20 + draw(cluster, 800) * SECOND;
        }
        wake_all(cluster);
        wait_until_done(cluster, expected);
    }
    report(cluster, rounds, seed, sweeps, began_ms);
    cr_assert_not(has_logged(&cluster->processes[BROKER], "result-differs"));
    cr_assert_not(has_logged(&cluster->processes[BROKER], "store-went-back"), "a kill loses nothing of a store");
    cr_assert_not(has_logged(&cluster->processes[AGGREGATOR], "store-went-back"), "a kill loses nothing of a journal");
    close_cluster(cluster);
    expect_sound("goldthread-broker", "broker");
    expect_sound("goldthread-aggregator", "aggregator");
}

/* ---- stores that are not what they were ---- */

static void copy_file(const char *from, const char *to)
{
    char piece[65536];
    FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
    if (!in) return;
    cr_assert_not_null(out, "%s", to);
    for (size_t got; (got = fread(piece, 1, sizeof piece, in)) > 0;) cr_assert_eq(fwrite(piece, 1, got, out), got);
    fclose(in);
    cr_assert_eq(fclose(out), 0);
}

/* The database and its log, and nothing else that is in the folder. */
static void copy_store(const char *from, const char *to, const char *database)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    mkdir(to, 0700);
    for (size_t at = 0; at < 3; at++) {
        char source[PATH_MAX], target[PATH_MAX];
        snprintf(source, sizeof source, "%s/%s%s", from, database, endings[at]);
        snprintf(target, sizeof target, "%s/%s%s", to, database, endings[at]);
        unlink(target);
        if (at < 2) copy_file(source, target); /* the -shm is made from the log */
    }
}

static void empty_store(const char *state, const char *database)
{
    copy_store("nothing-here", state, database);
}

Test(faults, an_aggregator_whose_store_went_back_is_noticed_and_what_it_lost_is_done_anew)
{
    char first[DIGEST_HEX_BYTES], second[DIGEST_HEX_BYTES];
    run_undisturbed("1", first);
    run_undisturbed("2", second);
    struct cluster *cluster = open_cluster();
    struct process *aggregator = &cluster->processes[AGGREGATOR], *broker = &cluster->processes[BROKER];
    submit(cluster, "1");
    wait_until_done(cluster, first);
    end_process(aggregator, SIGKILL, false);
    copy_store("aggregator", "earlier", "aggregator.db");
    aggregator->start_due_ms = 0;
    submit(cluster, "2");
    wait_until_done(cluster, second);
    cr_assert_not(has_logged(broker, "store-went-back"));

    end_process(aggregator, SIGKILL, false);
    copy_store("earlier", "aggregator", "aggregator.db");
    aggregator->start_due_ms = 0;
    wait_until_logged(cluster, broker, "aggregator-store-went-back");
    wait_until_logged(cluster, broker, "sweep-doubted");
    wait_until_logged(cluster, broker, "blocks-lost");
    wait_until_done(cluster, second);

    end_process(aggregator, SIGKILL, false);
    empty_store("aggregator", "aggregator.db");
    aggregator->start_due_ms = 0;
    wait_until_logged(cluster, broker, "aggregator-store-replaced");
    submit(cluster, "1");
    wait_until_done(cluster, first);
    submit(cluster, "2");
    wait_until_done(cluster, second);
    close_cluster(cluster);
    expect_sound("goldthread-broker", "broker");
    expect_sound("goldthread-aggregator", "aggregator");
}

Test(faults, a_broker_whose_journal_went_back_is_noticed_and_what_was_done_is_not_done_again)
{
    char first[DIGEST_HEX_BYTES], second[DIGEST_HEX_BYTES];
    run_undisturbed("1", first);
    run_undisturbed("2", second);
    struct cluster *cluster = open_cluster();
    struct process *aggregator = &cluster->processes[AGGREGATOR], *broker = &cluster->processes[BROKER];
    submit(cluster, "1");
    wait_until_done(cluster, first);
    end_process(broker, SIGKILL, false);
    copy_store("broker", "earlier", "broker.db");
    broker->start_due_ms = 0;
    submit(cluster, "2");
    wait_until_done(cluster, second);

    end_process(broker, SIGKILL, false);
    copy_store("earlier", "broker", "broker.db");
    for (size_t at = WORKER; at < PROCESSES; at++) end_process(&cluster->processes[at], SIGTERM, false);
    broker->start_due_ms = 0;
    wait_until_logged(cluster, aggregator, "broker-store-went-back");
    submit(cluster, "2"); /* no worker is here: what is done of it is with the aggregator */
    wait_until_done(cluster, second);

    end_process(broker, SIGKILL, false);
    empty_store("broker", "broker.db");
    broker->start_due_ms = 0;
    wait_until_logged(cluster, aggregator, "broker-store-replaced");
    submit(cluster, "1");
    wait_until_done(cluster, first);
    close_cluster(cluster);
    expect_sound("goldthread-broker", "broker");
    expect_sound("goldthread-aggregator", "aggregator");
}

/* ---- damage to files ---- */

struct shop { /* one kind of store */
    const char *program, *state, *database;
};

static const struct shop shops[] = {{"goldthread-broker", "broker", "broker.db"},
                                    {"goldthread-aggregator", "aggregator", "aggregator.db"}};

static long size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (long)info.st_size : 0;
}

static void write_bytes(const char *path, long at, const void *bytes, size_t size)
{
    int file = open(path, O_WRONLY);
    cr_assert_geq(file, 0, "%s", path);
    cr_assert_eq(pwrite(file, bytes, size, at), (ssize_t)size);
    close(file);
}

static void flip(const char *path, long at, unsigned bit)
{
    unsigned char byte;
    int file = open(path, O_RDONLY);
    cr_assert_eq(pread(file, &byte, 1, at), 1);
    close(file);
    byte = (unsigned char)(byte ^ 1u << bit);
    write_bytes(path, at, &byte, 1);
}

/* The number in front of a word of a summary. */
static unsigned long long count_in(const char *summary, const char *word)
{
    const char *at = strstr(summary, word);
    cr_assert_not_null(at, "no %s in %s", word, summary);
    while (at > summary && at[-1] == ' ') at--;
    while (at > summary && at[-1] >= '0' && at[-1] <= '9') at--;
    return strtoull(at, NULL, 10);
}

/* True: the damage is named. Else all is as it was; or, when the log is what was damaged, it is as it was some commits
 * ago, which the counter tells. */
static bool is_named_or_true(const struct shop *shop, const char *before, bool log, const char *deed)
{
    struct ran ran = verify(shop->program, "damaged");
    cr_assert(ran.status == 0 || ran.status == 1, "%s %s: status %d\n%s%s", shop->program, deed, ran.status, ran.out,
              ran.err);
    if (ran.status == 1) cr_assert_not_null(strstr(ran.out, "damaged: "), "%s %s: %s", shop->program, deed, ran.out);
    else if (strcmp(ran.out, before) != 0)
        cr_assert(log && count_in(ran.out, "commits") < count_in(before, "commits"),
                  "%s %s: silently another store:\n%s%s", shop->program, deed, before, ran.out);
    const bool named = ran.status == 1;
    ran_free(&ran);
    return named;
}

static size_t damage_one(struct cluster *cluster, const struct shop *shop, const char *from)
{
    char deed[128], database[64], log[64];
    size_t named = 0;
    snprintf(database, sizeof database, "damaged/%s", shop->database);
    snprintf(log, sizeof log, "damaged/%s-wal", shop->database);
    struct ran before = verify(shop->program, from);
    cr_assert_eq(before.status, 0, "%s%s", before.out, before.err);
    for (unsigned at = 0; at < FLIPS; at++) {
        copy_store(from, "damaged", shop->database);
        const bool in_log = size_of(log) > 0 && at % 3 == 2;
        const char *path = in_log ? log : database;
        const long size = size_of(path), place = (long)draw(cluster, (uint64_t)size);
        switch (at % 6) {
        case 4: /* the end is cut off */
            snprintf(deed, sizeof deed, "cut to %ld of %ld", place, size);
            cr_assert_eq(truncate(path, place), 0);
            break;
        case 3: { /* a page reads as zeros */
            static const char zeros[4096];
            snprintf(deed, sizeof deed, "zeros from %ld", place / 4096 * 4096);
            write_bytes(path, place / 4096 * 4096, zeros, sizeof zeros);
            break;
        }
        default:
            snprintf(deed, sizeof deed, "bit flipped in byte %ld of %s", place, path);
            flip(path, place, (unsigned)draw(cluster, 8));
        }
        named += is_named_or_true(shop, before.out, in_log, deed);
    }
    copy_store(from, "damaged", shop->database);
    if (size_of(log) > 0) { /* the database is gone, and its log is not */
        unlink(database);
        struct ran after = verify(shop->program, "damaged");
        cr_assert_eq(after.status, 1, "%s%s", after.out, after.err);
        ran_free(&after);
        after = run_program(shop->program, (const char *[]){"--state", "damaged", "--bind", cluster->broker, NULL});
        cr_assert_eq(after.status, 1, "it began anew: %s", after.err);
        cr_assert_not_null(strstr(after.err, "put the database back"), "%s", after.err);
        ran_free(&after);
    }
    ran_free(&before);
    return named;
}

Test(faults, damage_to_any_byte_of_a_store_is_named_or_harmless)
{
    char expected[DIGEST_HEX_BYTES];
    uint64_t seed = 0;
    run_undisturbed("1", expected);
    struct cluster *cluster = open_cluster();
    cr_assert_eq(getrandom(&seed, sizeof seed, 0), (ssize_t)sizeof seed);
    cluster->random = seed = number_of("FAULT_SEED", seed % 1000000);
    fprintf(stderr, "faults: again with FAULT_SEED=%llu\n", (unsigned long long)seed);
    submit(cluster, "1");
    wait_until_done(cluster, expected);
    submit(cluster, "2"); /* and one that is under way */
    wait_until_some_done(cluster, 2);
    for (size_t at = 0; at < 2; at++) {
        end_process(&cluster->processes[at], SIGKILL, false); /* its log is full */
        mkdir("left", 0700);
        copy_store(shops[at].state, "left", shops[at].database);
        size_t named = damage_one(cluster, &shops[at], "left");
        fprintf(stderr, "faults: %s with its log: %zu of %u damages named, the others harmless\n", shops[at].program,
                named, FLIPS);
    }
    for (size_t at = 0; at < 2; at++) { /* everything is in the database */
        start(&cluster->processes[at]);
        wait_until_logged(cluster, &cluster->processes[at], at == BROKER ? "listening" : "ready");
    }
    wait_until_some_done(cluster, 3);
    close_cluster(cluster);
    cluster = open_cluster();
    cluster->random = seed + 1;
    for (size_t at = 0; at < 2; at++) {
        size_t named = damage_one(cluster, &shops[at], shops[at].state);
        cr_assert_gt(named, 0, "no damage at all was found");
        fprintf(stderr, "faults: %s at rest: %zu of %u damages named, the others harmless\n", shops[at].program, named,
                FLIPS);
    }
    close_cluster(cluster);
}

Test(faults, a_store_in_use_is_not_verified_and_a_missing_one_neither)
{
    struct cluster *cluster = open_cluster();
    for (size_t at = 0; at < 2; at++) {
        start(&cluster->processes[at]);
        wait_until_logged(cluster, &cluster->processes[at], at == BROKER ? "listening" : "ready");
        struct ran ran = verify(shops[at].program, shops[at].state);
        cr_assert_eq(ran.status, 2, "%s%s", ran.out, ran.err);
        cr_assert_not_null(strstr(ran.err, "a program is at work here"), "%s", ran.err);
        ran_free(&ran);
        ran = verify(shops[at].program, "nowhere");
        cr_assert_eq(ran.status, 2, "%s%s", ran.out, ran.err);
        ran_free(&ran);
    }
    close_cluster(cluster);
}

/* ---- full disks ---- */

#define LITTLE_BYTES 8192       /* room for less than a sweep */
#define DISK         "size=32m" /* enough for the sweep and its log */

static void log_away(const struct process *process)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.err", place_path(), process->name);
    unlink(path);
}

/* A server that runs has no room any more: it ends at the next sweep and says why; when there is room again it
 * goes on. */
static void expect_recovery(struct cluster *cluster, size_t which, const char *expected,
                            void (*squeeze)(const struct process *, const struct shop *),
                            void (*make_room)(const struct shop *))
{
    static const char *const events[] = {"journal-failed", "deed="};
    const char *words[] = {"submit", SCENARIO, "--seed", "1", "--draws", draws, "--broker", cluster->broker, NULL};
    struct process *server = &cluster->processes[which];
    wait_until_logged(cluster, &cluster->processes[BROKER], "aggregator-joined");
    cr_assert_gt(server->pid, 0);
    squeeze(server, &shops[which]);
    server->struck = true; /* its end is what is wanted now */
    server->start_due_ms = UINT64_MAX;
    run_meanwhile(cluster, words); /* whether it was accepted is for the broker to say */
    const uint64_t end_ms = clock_ms() + DONE_MS;
    while (server->pid > 0) {
        cr_assert_lt(clock_ms(), end_ms, "%s does not notice that there is no room", server->name);
        rest(cluster);
    }
    cr_assert(WIFEXITED(server->status) && WEXITSTATUS(server->status) == 1, "status %#x", (unsigned)server->status);
    cr_assert(has_logged(server, events[which]), "%s does not say %s", server->name, events[which]);
    cr_assert(has_logged(server, "full") || has_logged(server, "I/O error"), "nothing says what is wrong");
    expect_sound(shops[which].program, shops[which].state);
    make_room(&shops[which]);
    server->start_due_ms = 0;
    submit(cluster, "1");
    wait_until_done(cluster, expected);
    close_cluster(cluster);
    log_away(&(struct process){.name = "broker"});
    log_away(&(struct process){.name = "aggregator"});
}

static void limit_log(const struct process *server, const struct shop *shop)
{
    char log[PATH_MAX];
    struct rlimit limit;
    snprintf(log, sizeof log, "%s/%s-wal", shop->state, shop->database);
    cr_assert_eq(prlimit(server->pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = (rlim_t)size_of(log) + LITTLE_BYTES;
    cr_assert_eq(prlimit(server->pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

static void lift_nothing(const struct shop *shop)
{
    (void)shop; /* the limit ended with the process */
}

Test(faults, a_file_that_may_not_grow_ends_a_server_and_loses_nothing)
{
    char expected[DIGEST_HEX_BYTES];
    run_undisturbed("1", expected);
    for (size_t which = BROKER; which <= AGGREGATOR; which++) {
        expect_recovery(open_cluster(), which, expected, limit_log, lift_nothing);
        cr_assert_eq(system("rm -r broker aggregator"), 0);
    }
}

static void fill_disk(const struct process *server, const struct shop *shop)
{
    static const char piece[4096];
    char path[PATH_MAX];
    (void)server;
    snprintf(path, sizeof path, "%s/ballast", shop->state);
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert_geq(file, 0);
    while (write(file, piece, sizeof piece) == (ssize_t)sizeof piece) continue; /* the disk is small */
    cr_assert_eq(ftruncate(file, size_of(path) - LITTLE_BYTES), 0);
    close(file);
}

static void empty_disk(const struct shop *shop)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/ballast", shop->state);
    cr_assert_eq(unlink(path), 0);
}

Test(faults, a_full_disk_ends_a_server_and_loses_nothing)
{
    char expected[DIGEST_HEX_BYTES];
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        cr_skip_test("needs to mount a disk of its own");
    run_undisturbed("1", expected);
    for (size_t which = BROKER; which <= AGGREGATOR; which++) {
        const char *state = shops[which].state;
        cr_assert_eq(mkdir(state, 0700), 0);
        if (mount("none", state, "tmpfs", 0, DISK) != 0) cr_skip_test("needs to mount a disk of its own");
        expect_recovery(open_cluster(), which, expected, fill_disk, empty_disk);
        cr_assert_eq(umount(state), 0);
        cr_assert_eq(system("rm -r broker aggregator"), 0);
    }
}
