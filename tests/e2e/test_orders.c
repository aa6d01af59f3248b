/* What people order and ask while a sweep runs: the programs goldthread and goldthread-broker, with the test as
 * worker or, where it says so, as a broker that behaves badly. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/process.h"
#include "net/socket.h"
#include "support_place.h"

#define GOLDEN     GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml"
#define LOOK_AFTER 64 /* leases, at the state of a sweep that is to fail */

TestSuite(orders, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

struct stage {
    char endpoint[128], parent[16];
    pid_t broker;
    struct net *net;
    struct socket *worker;
    struct message *message;
    char sweep[80];
};

/* Its heartbeats and leases are too long to come into any test. */
static pid_t start_broker(const struct stage *stage)
{
    const pid_t broker =
        start_program("goldthread-broker", "broker",
                      (const char *[]){"--bind", stage->endpoint, "--state", "journal", "--heartbeat-ms", "60000",
                                       "--lease-ms", "3600000", "--follow-parent", stage->parent, NULL});
    wait_until_said("broker", "listening");
    return broker;
}

static struct stage *open_stage(void)
{
    char why[256];
    struct stage *stage = calloc(1, sizeof *stage);
    snprintf(stage->endpoint, sizeof stage->endpoint, "ipc://%s/b", place_path());
    snprintf(stage->parent, sizeof stage->parent, "%d", (int)getpid());
    setenv("GOLDTHREAD_BROKER", stage->endpoint, 1);
    stage->broker = start_broker(stage);
    stage->message = calloc(1, sizeof *stage->message);
    stage->net = net_open();
    stage->worker = socket_connect(stage->net, stage->endpoint, why, sizeof why);
    cr_assert_not_null(stage->worker, "%s", why);
    return stage;
}

static void close_stage(struct stage *stage)
{
    socket_close(stage->worker);
    net_close(stage->net);
    kill(stage->broker, SIGTERM);
    cr_expect_eq(wait_program(stage->broker), 0);
    free(stage->message);
    free(stage);
}

static void say(struct stage *stage)
{
    const uint64_t end_ms = clock_ms() + WAIT_MS;
    while (socket_send(stage->worker, NULL, stage->message) != SOCKET_OK) {
        cr_assert_lt(clock_ms(), end_ms, "nothing can be sent to the broker");
        socket_wait(&stage->worker, 1, -1, 100);
    }
}

/* Waits for a message of the kind, which is then in stage->message. False: none came in time. */
static bool hear(struct stage *stage, enum message_kind kind, uint64_t patience_ms)
{
    const char *why;
    const uint64_t end_ms = clock_ms() + patience_ms;
    for (uint64_t now_ms = clock_ms(); now_ms < end_ms; now_ms = clock_ms()) {
        while (socket_receive(stage->worker, NULL, stage->message, &why) == SOCKET_OK)
            if (stage->message->kind == kind) return true;
        socket_wait(&stage->worker, 1, -1, (int64_t)(end_ms - now_ms));
    }
    return false;
}

static void join(struct stage *stage)
{
    stage->message->kind = MESSAGE_HELLO;
    memset(&stage->message->hello, 0, sizeof stage->message->hello);
    stage->message->hello.role = ROLE_WORKER;
    strcpy(stage->message->hello.name, "w\033[31m");
    say(stage);
    cr_assert(hear(stage, MESSAGE_WELCOME, WAIT_MS));
}

static void beat(struct stage *stage, uint64_t room, uint64_t token)
{
    stage->message->kind = MESSAGE_HEARTBEAT;
    stage->message->heartbeat.room = room;
    stage->message->heartbeat.token_count = token != 0;
    stage->message->heartbeat.tokens[0] = token;
    say(stage);
}

static void fail_lease(struct stage *stage)
{
    const struct message lease = *stage->message;
    stage->message->kind = MESSAGE_FAILED;
    stage->message->failed.token = lease.lease.token;
    stage->message->failed.sweep = lease.lease.sweep;
    stage->message->failed.blocks = lease.lease.blocks;
    stage->message->failed.cause = CAUSE_ERROR;
    strcpy(stage->message->failed.text, "it \033[31mbroke\n\302\233 here");
    say(stage);
}

static void submit(struct stage *stage, const char *draws)
{
    struct ran ran = GOLDTHREAD("submit", GOLDEN, "--quiet", "--draws", draws);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    snprintf(stage->sweep, sizeof stage->sweep, "%.64s", ran.out);
    ran_free(&ran);
}

/* Nothing in it drives a terminal. */
static void expect_clean(const char *text)
{
    for (const char *at = text; *at != 0; at++) cr_expect(*at == '\n' || (unsigned char)*at >= 0x20, "%s", text);
    cr_expect_null(strstr(text, "\302\233"), "%s", text);
}

/* A command ends with the status and says the text, on either output. */
static void expect_says(struct ran ran, int status, const char *text)
{
    cr_expect_eq(ran.status, status, "%d: %s%s", ran.status, ran.out, ran.err);
    cr_expect(strstr(ran.out, text) || strstr(ran.err, text), "no `%s` in: %s%s", text, ran.out, ran.err);
    expect_clean(ran.out);
    expect_clean(ran.err);
    ran_free(&ran);
}

/* The sweep as status tells of it; the caller lets go of it. */
static json_t *look(const struct stage *stage)
{
    struct ran ran = GOLDTHREAD("status", stage->sweep, "--json");
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *status = parse_json(ran.out);
    json_t *sweep = json_incref(json_array_get(json_object_get(status, "sweeps"), 0));
    json_decref(status);
    ran_free(&ran);
    return sweep;
}

static bool has_state(const struct stage *stage, const char *state)
{
    json_t *sweep = look(stage);
    const bool has = strcmp(json_text(sweep, "state"), state) == 0;
    json_decref(sweep);
    return has;
}

static long long count_blocks(const struct stage *stage, const char *of)
{
    json_t *sweep = look(stage);
    const long long count = json_whole(sweep, of);
    json_decref(sweep);
    return count;
}

Test(orders, a_paused_sweep_lends_nothing_until_it_is_resumed)
{
    struct stage *stage = open_stage();
    submit(stage, "1048576");
    join(stage);
    cr_assert(hear(stage, MESSAGE_LEASE, WAIT_MS));
    const struct message lease = *stage->message;
    expect_says(GOLDTHREAD("pause", stage->sweep), 0, "is paused");
    cr_expect(has_state(stage, "paused"));
    expect_says(GOLDTHREAD("explain", stage->sweep), 0, "paused");
    const long long lent = count_blocks(stage, "leased");
    stage->message->kind = MESSAGE_DONE;
    stage->message->done.token = lease.lease.token;
    stage->message->done.sweep = lease.lease.sweep;
    stage->message->done.blocks = lease.lease.blocks;
    stage->message->done.compute_us = 1000;
    say(stage);
    beat(stage, 1, 0);
    for (int waited_ms = 0; count_blocks(stage, "done") == 0;) cr_assert(keep_waiting(&waited_ms));
    const long long count = (long long)lease.lease.blocks.count;
    cr_expect_eq(count_blocks(stage, "done"), count, "what was lent is finished");
    cr_expect_eq(count_blocks(stage, "leased"), lent - count, "and nothing else is lent");
    expect_says(GOLDTHREAD("resume", stage->sweep), 0, "runs");
    cr_expect(hear(stage, MESSAGE_LEASE, WAIT_MS));
    expect_says(GOLDTHREAD("resume", stage->sweep), 0, "runs");
    expect_says(GOLDTHREAD("cancel", stage->sweep), 0, "cancelled");
    expect_says(GOLDTHREAD("resume", stage->sweep), 1, "not paused");
    expect_says(GOLDTHREAD("pause", stage->sweep), 1, "does not run");
    close_stage(stage);
}

Test(orders, a_stalled_sweep_is_explained_and_retried)
{
    struct stage *stage = open_stage();
    submit(stage, "1");
    join(stage);
    for (int attempt = 0; attempt < 3; attempt++) {
        beat(stage, 1, 0);
        cr_assert(hear(stage, MESSAGE_LEASE, WAIT_MS), "attempt %d", attempt);
        fail_lease(stage);
    }
    for (int waited_ms = 0; !has_state(stage, "stalled");) cr_assert(keep_waiting(&waited_ms));
    expect_says(GOLDTHREAD("watch", stage->sweep), 1, "stalled: 1 block parked after 3 attempts");
    expect_says(GOLDTHREAD("explain", stage->sweep), 0, "it ?[31mbroke");
    expect_says(GOLDTHREAD("status", stage->sweep), 0, "it ?[31mbroke");
    expect_says(GOLDTHREAD("workers"), 0, "w?[31m");
    expect_says(GOLDTHREAD("retry", stage->sweep), 0, "tries every block again");
    beat(stage, 1, 0);
    cr_expect(hear(stage, MESSAGE_LEASE, WAIT_MS), "the block is lent again");
    cr_expect(has_state(stage, "running"));
    for (int attempt = 0; attempt < 3; attempt++) {
        fail_lease(stage);
        beat(stage, 1, 0);
        if (attempt < 2) cr_assert(hear(stage, MESSAGE_LEASE, WAIT_MS));
    }
    for (int waited_ms = 0; !has_state(stage, "stalled");) cr_assert(keep_waiting(&waited_ms));
    expect_says(GOLDTHREAD("cancel", stage->sweep), 0, "cancelled");
    close_stage(stage);
}

Test(orders, a_failed_sweep_is_explained_and_runs_again_when_it_is_retried)
{
    struct stage *stage = open_stage();
    submit(stage, "1048576");
    join(stage);
    const uint64_t end_ms = clock_ms() + WAIT_MS;
    for (unsigned lease = 1; lease % LOOK_AFTER != 0 || !has_state(stage, "failed"); lease++) {
        cr_assert_lt(clock_ms(), end_ms);
        beat(stage, 1, 0);
        if (hear(stage, MESSAGE_LEASE, 100)) fail_lease(stage);
    }
    expect_says(GOLDTHREAD("watch", stage->sweep), 1, "the sweep is failed: ");
    expect_says(GOLDTHREAD("explain", stage->sweep), 0, "failed");
    expect_says(GOLDTHREAD("retry", stage->sweep), 0, "tries every block again");
    beat(stage, 1, 0);
    cr_expect(hear(stage, MESSAGE_LEASE, WAIT_MS));
    close_stage(stage);
}

Test(orders, a_drained_worker_ends_and_others_go_on)
{
    struct stage *stage = open_stage();
    const pid_t real = start_program(
        "goldthread-worker", "worker",
        (const char *[]){"--broker", stage->endpoint, "--name", "real", "--follow-parent", stage->parent, NULL});
    for (int waited_ms = 0;;) {
        struct ran ran = GOLDTHREAD("drain", "real");
        const bool drained = ran.status == 0;
        ran_free(&ran);
        if (drained) break;
        cr_assert(keep_waiting(&waited_ms), "it is not known");
    }
    cr_expect_eq(wait_program(real), 0);
    expect_says(GOLDTHREAD("drain", "nobody"), 1, "no such worker");
    submit(stage, "1048576");
    join(stage);
    cr_assert(hear(stage, MESSAGE_LEASE, WAIT_MS));
    const uint64_t token = stage->message->lease.token;
    expect_says(GOLDTHREAD("drain", "w?[31m"), 0, "finishes what it has, and ends");
    cr_expect(hear(stage, MESSAGE_DRAIN, WAIT_MS));
    expect_says(GOLDTHREAD("workers"), 0, "draining");
    beat(stage, 1, token);
    cr_expect(hear(stage, MESSAGE_DRAIN, WAIT_MS), "it is told again, and lent nothing");
    close_stage(stage);
}

Test(orders, a_cancelled_sweep_stops_its_workers_before_they_say_a_word)
{
    struct stage *stage = open_stage();
    submit(stage, "1048576");
    join(stage);
    cr_assert(hear(stage, MESSAGE_LEASE, WAIT_MS));
    expect_says(GOLDTHREAD("cancel", stage->sweep), 0, "cancelled");
    cr_expect(hear(stage, MESSAGE_CANCEL, WAIT_MS));
    expect_says(GOLDTHREAD("explain", stage->sweep), 0, "cancelled");
    close_stage(stage);
}

/* Commands must end though the broker does not answer, or answers nonsense. */

static struct ran run_command(const char *const *words)
{
    return run_program("goldthread", words);
}

Test(orders, no_command_waits_for_ever_for_a_broker_that_died_under_it)
{
    static const char *const commands[][4] = {
        {"submit", GOLDEN, "--quiet", NULL}, {"status", NULL}, {"workers", NULL}, {"drain", "w", NULL}};
    struct stage *stage = open_stage();
    for (size_t at = 0; at < sizeof commands / sizeof *commands; at++) {
        expect_says(GOLDTHREAD("status"), 0, "sweep");
        kill(stage->broker, SIGSTOP); /* it takes the connection, and no more */
        const pid_t killer = fork();
        if (killer == 0) {
            usleep(300000);
            kill(stage->broker, SIGKILL);
            _exit(0);
        }
        expect_says(run_command(commands[at]), 3, "no answer");
        waitpid(killer, NULL, 0);
        wait_program(stage->broker);
        stage->broker = start_broker(stage);
    }
    expect_says(GOLDTHREAD("status"), 0, "sweep");
    close_stage(stage);
}

/* Answers everything by `answers` messages: WELCOMEs, which nobody asked for, or pages of a roster without an end. */
static pid_t start_babbler(const char *endpoint, enum message_kind kind, int answers)
{
    const pid_t parent = getpid(), pid = fork();
    if (pid != 0) return pid;
    char why[256];
    struct net *net = net_open();
    struct socket *router = socket_bind(net, endpoint, NULL, 0, why, sizeof why);
    struct message *message = calloc(1, sizeof *message);
    struct socket_id from;
    const char *reason;
    while (router && getppid() == parent) {
        socket_wait(&router, 1, -1, 1000);
        if (socket_receive(router, &from, message, &reason) != SOCKET_OK) continue;
        const uint64_t next = message->kind == MESSAGE_WORKERS ? message->workers.from + 1 : 0;
        memset(message, 0, sizeof *message);
        message->kind = kind;
        if (kind == MESSAGE_ROSTER) message->roster.next = next;
        else message->welcome.heartbeat_ms = message->welcome.lease_ms = 1;
        for (int sent = 0; sent < answers && getppid() == parent; sent++)
            while (socket_send(router, &from, message) == SOCKET_FULL && getppid() == parent) continue;
    }
    _exit(0);
}

Test(orders, no_command_listens_for_ever_to_a_broker_that_never_ends)
{
    static const struct {
        enum message_kind kind;
        int answers, status;
    } rows[] = {{MESSAGE_WELCOME, 1 << 30, 3}, {MESSAGE_ROSTER, 1, 0}};
    char endpoint[128];
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        snprintf(endpoint, sizeof endpoint, "ipc://%s/babbler%zu", place_path(), at);
        const pid_t babbler = start_babbler(endpoint, rows[at].kind, rows[at].answers);
        for (int waited_ms = 0; !exists(endpoint + strlen("ipc://"));) cr_assert(keep_waiting(&waited_ms));
        struct ran ran = GOLDTHREAD_ONCE("workers", "--broker", endpoint);
        cr_expect_eq(ran.status, rows[at].status, "row %zu: %s", at, ran.err);
        ran_free(&ran);
        kill(babbler, SIGKILL);
        waitpid(babbler, NULL, 0);
    }
}
