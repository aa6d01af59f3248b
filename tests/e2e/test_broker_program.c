/* The program goldthread-broker, with the test as its workers and client. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "digest.h"
#include "net/process.h"
#include "net/socket.h"
#include "support_place.h"
#include "sweep_codec.h"

#define BLOCKS     20000u
#define FULL_BYTES 131072u   /* what a file may come to on a disk that is all but full */
#define VANISHED   4500u     /* workers: more leases than the broker queues at once */
#define QUESTIONS  40u       /* fewer than a socket queues */
#define HOLDERS    100u      /* workers that hold leases ... */
#define BEATS      12u       /* ... and what each says while the broker is stopped: more in all than one turn reads */
#define LEASE_MS   "3600000" /* too long to come into a test ... */
#define SHORT_MS   8000u     /* ... but one, which may not be held up for so long */

TestSuite(broker_program, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

struct stage {
    char endpoint[128];
    pid_t broker;
    struct net *net;
    struct socket *client;
    struct message *message;
    struct sweep *sweep;
    struct buffer bytes;
};

static struct socket *dial(const struct stage *stage)
{
    char why[256];
    struct socket *socket = socket_connect(stage->net, stage->endpoint, why, sizeof why);
    cr_assert_not_null(socket, "%s", why);
    return socket;
}

/* log: what the broker writes its log to, or -1 for a file of the place. */
static struct stage *open_stage(int log, const char *lease_ms)
{
    struct stage *stage = calloc(1, sizeof *stage);
    snprintf(stage->endpoint, sizeof stage->endpoint, "ipc://%s/b", place_path());
    stage->message = calloc(1, sizeof *stage->message);
    stage->sweep = calloc(1, sizeof *stage->sweep);
    const char *const words[] = {"--bind",         stage->endpoint, "--state",    "journal", "--verbose",
                                 "--heartbeat-ms", "60000",         "--lease-ms", lease_ms,  NULL};
    stage->broker = fork();
    cr_assert_geq(stage->broker, 0);
    if (stage->broker == 0) {
        char *argv[16] = {"goldthread-broker"};
        for (size_t at = 0; words[at]; at++) argv[at + 1] = (char *)words[at];
        if (log >= 0) dup2(log, STDERR_FILENO);
        else if (!freopen("broker.err", "w", stderr)) _exit(126);
        execv(GOLDTHREAD_BIN "/goldthread-broker", argv);
        _exit(127);
    }
    stage->net = net_open();
    stage->client = dial(stage);
    return stage;
}

static void close_stage(struct stage *stage)
{
    socket_close(stage->client);
    net_close(stage->net);
    buffer_free(&stage->bytes);
    free(stage->sweep);
    free(stage->message);
    free(stage);
}

static bool is_running(const struct stage *stage)
{
    return waitpid(stage->broker, NULL, WNOHANG) == 0;
}

static void send_surely(struct stage *stage, struct socket *socket)
{
    const uint64_t end_ms = clock_ms() + WAIT_MS;
    while (socket_send(socket, NULL, stage->message) != SOCKET_OK) {
        cr_assert_lt(clock_ms(), end_ms, "nothing can be sent to the broker");
        cr_assert(is_running(stage), "the broker has ended");
        socket_wait(&socket, 1, -1, 100);
    }
}

/* False: the broker has ended. */
static bool receive(struct stage *stage, struct socket *socket)
{
    const char *why;
    const uint64_t end_ms = clock_ms() + WAIT_MS;
    while (socket_receive(socket, NULL, stage->message, &why) != SOCKET_OK) {
        if (!is_running(stage)) return false;
        cr_assert_lt(clock_ms(), end_ms, "no answer");
        socket_wait(&socket, 1, -1, 100);
    }
    return true;
}

static void fill_submit(struct stage *stage, uint64_t seed)
{
    struct sweep *sweep = stage->sweep;
    *sweep = (struct sweep){.name = "few",
                            .model = "entitlement",
                            .model_version = "1",
                            .population_name = "england-2023",
                            .years = 1,
                            .first_year = 202526,
                            .seed = seed,
                            .method = DESIGN_RANDOM,
                            .draws = BLOCKS,
                            .draws_per_block = 1,
                            .levels = 1u << AREA_ENGLAND,
                            .parameter_count = MODEL_PARAMETERS_MAX,
                            .scenario_count = 1};
    for (size_t at = 0; at < MODEL_PARAMETERS_MAX; at++) snprintf(sweep->parameters[at].name, 8, "p%zu", at);
    snprintf(sweep->scenarios[0].name, sizeof sweep->scenarios[0].name, "base");
    buffer_clear(&stage->bytes);
    sweep_encode(sweep, &stage->bytes);
    stage->message->kind = MESSAGE_SUBMIT;
    memset(&stage->message->submit, 0, sizeof stage->message->submit);
    stage->message->submit.sweep = buffer_span(&stage->bytes);
    stage->message->submit.population = (struct span){0};
}

static void ask_status(struct stage *stage)
{
    stage->message->kind = MESSAGE_STATUS;
    memset(&stage->message->status, 0, sizeof stage->message->status);
    send_surely(stage, stage->client);
}

/* Registers, and is gone before it has work. */
static void join_and_vanish(struct stage *stage, unsigned number)
{
    struct socket *socket = dial(stage);
    stage->message->kind = MESSAGE_HELLO;
    memset(&stage->message->hello, 0, sizeof stage->message->hello);
    stage->message->hello.role = ROLE_WORKER;
    snprintf(stage->message->hello.name, sizeof stage->message->hello.name, "worker %u", number);
    send_surely(stage, socket);
    cr_assert(receive(stage, socket), "the broker has ended");
    socket_close(socket);
}

Test(broker_program, outlives_thousands_of_workers_that_vanished)
{
    struct stage *stage = open_stage(-1, LEASE_MS);
    for (unsigned number = 0; number < VANISHED; number++) join_and_vanish(stage, number);
    /* Stopped meanwhile, so that one turn of the broker takes all of this. */
    ask_status(stage);
    cr_assert(receive(stage, stage->client), "the broker has ended");
    kill(stage->broker, SIGSTOP);
    fill_submit(stage, 1);
    send_surely(stage, stage->client);
    for (unsigned question = 0; question < QUESTIONS; question++) ask_status(stage);
    usleep(200000); /* until all is in the socket */
    kill(stage->broker, SIGCONT);
    for (unsigned answer = 0; answer < 1 + QUESTIONS; answer++)
        cr_assert(receive(stage, stage->client), "the broker has ended");
    cr_assert_eq(stage->message->kind, MESSAGE_SWEEPS);
    cr_assert_eq(stage->message->sweeps.workers, VANISHED);
    kill(stage->broker, SIGTERM);
    cr_assert_eq(wait_program(stage->broker), 0);
    close_stage(stage);
}

static enum message_kind ask_to_run(struct stage *stage, uint64_t seed)
{
    fill_submit(stage, seed);
    send_surely(stage, stage->client);
    cr_assert(receive(stage, stage->client), "the broker has ended");
    return stage->message->kind;
}

Test(broker_program, makes_room_for_one_more_sweep_when_one_has_ended)
{
    struct stage *stage = open_stage(-1, LEASE_MS);
    for (uint64_t seed = 0; seed < MESSAGE_SWEEPS_MAX; seed++)
        cr_assert_eq(ask_to_run(stage, seed), MESSAGE_ACCEPTED, "sweep %lu", seed);
    const struct digest last = stage->message->accepted.sweep;
    cr_assert_eq(ask_to_run(stage, MESSAGE_SWEEPS_MAX), MESSAGE_ERROR);
    cr_assert_not_null(strstr(stage->message->error.text, "256 sweeps are open"), "%s", stage->message->error.text);
    stage->message->kind = MESSAGE_CANCEL;
    stage->message->cancel.sweep = last;
    send_surely(stage, stage->client);
    cr_assert(receive(stage, stage->client), "the broker has ended");
    cr_assert_eq(ask_to_run(stage, MESSAGE_SWEEPS_MAX), MESSAGE_ACCEPTED);
    kill(stage->broker, SIGKILL);
    wait_program(stage->broker);
    close_stage(stage);

    stage = open_stage(-1, LEASE_MS);
    ask_status(stage);
    cr_assert(receive(stage, stage->client), "the broker has ended");
    cr_assert_eq(stage->message->sweeps.count, MESSAGE_SWEEPS_MAX);
    for (uint32_t at = 0; at < MESSAGE_SWEEPS_MAX; at++)
        cr_assert_not(digest_equal(&stage->message->sweeps.list[at].sweep, &last), "it is forgotten for good");
    kill(stage->broker, SIGTERM);
    cr_assert_eq(wait_program(stage->broker), 0);
    close_stage(stage);
}

struct holder {
    struct socket *socket;
    uint64_t token;
};

static void join_and_hold(struct stage *stage, struct holder *holder, unsigned number)
{
    holder->socket = dial(stage);
    stage->message->kind = MESSAGE_HELLO;
    memset(&stage->message->hello, 0, sizeof stage->message->hello);
    stage->message->hello.role = ROLE_WORKER;
    snprintf(stage->message->hello.name, sizeof stage->message->hello.name, "worker %u", number);
    send_surely(stage, holder->socket);
    do cr_assert(receive(stage, holder->socket), "the broker has ended");
    while (stage->message->kind != MESSAGE_LEASE);
    holder->token = stage->message->lease.token;
}

static void beat(struct stage *stage, const struct holder *holder)
{
    stage->message->kind = MESSAGE_HEARTBEAT;
    stage->message->heartbeat.room = 0;
    stage->message->heartbeat.token_count = 1;
    stage->message->heartbeat.tokens[0] = holder->token;
    send_surely(stage, holder->socket);
}

static uint64_t leased_blocks(struct stage *stage)
{
    ask_status(stage);
    cr_assert(receive(stage, stage->client), "the broker has ended");
    cr_assert_eq(stage->message->kind, MESSAGE_SWEEPS);
    return stage->message->sweeps.list[0].leased;
}

Test(broker_program, one_that_was_stopped_longer_than_a_lease_takes_no_lease_away)
{
    static struct holder holders[HOLDERS];
    struct stage *stage = open_stage(-1, "8000");
    fill_submit(stage, 1);
    send_surely(stage, stage->client);
    cr_assert(receive(stage, stage->client), "the broker has ended");
    for (unsigned at = 0; at < HOLDERS; at++) {
        join_and_hold(stage, &holders[at], at);
        for (unsigned before = 0; before <= at; before++) beat(stage, &holders[before]);
    }
    const uint64_t leased = leased_blocks(stage);
    kill(stage->broker, SIGSTOP);
    for (uint64_t end_ms = clock_ms() + SHORT_MS + SHORT_MS / 8; clock_ms() < end_ms;)
        usleep(50000); /* it is the clock that counts */
    for (unsigned times = 0; times < BEATS; times++)
        for (unsigned at = 0; at < HOLDERS; at++) beat(stage, &holders[at]);
    kill(stage->broker, SIGCONT);
    for (unsigned question = 0; question < QUESTIONS; question++) {
        cr_assert_eq(leased_blocks(stage), leased);
        for (unsigned at = 0; at < HOLDERS; at++) beat(stage, &holders[at]);
    }
    cr_assert_eq(stage->message->sweeps.workers, HOLDERS);
    for (unsigned at = 0; at < HOLDERS; at++) socket_close(holders[at].socket);
    kill(stage->broker, SIGTERM);
    cr_assert_eq(wait_program(stage->broker), 0);
    close_stage(stage);
    char *log = read_text("broker.err");
    cr_expect_null(strstr(log, "lease-lapsed"), "%s", log);
    cr_expect_null(strstr(log, "worker-lost"), "%s", log);
    free(log);
}

Test(broker_program, a_full_disk_is_named_and_nothing_accepted_is_lost)
{
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){FULL_BYTES, before.rlim_max});
    struct stage *stage = open_stage(-1, LEASE_MS);
    setrlimit(RLIMIT_FSIZE, &before);
    unsigned accepted = 0;
    do {
        fill_submit(stage, accepted);
        send_surely(stage, stage->client);
        if (!receive(stage, stage->client)) break;
        cr_assert_eq(stage->message->kind, MESSAGE_ACCEPTED);
    } while (++accepted < FULL_BYTES);
    close_stage(stage);
    char *log = read_text("broker.err");
    cr_assert_not_null(strstr(log, "journal-failed"), "the log does not say why:\n%s", log);
    free(log);

    stage = open_stage(-1, LEASE_MS); /* there is room again */
    ask_status(stage);
    cr_assert(receive(stage, stage->client));
    cr_assert_geq(stage->message->sweeps.count, accepted, "%u of %u", stage->message->sweeps.count, accepted);
    kill(stage->broker, SIGTERM);
    cr_assert_eq(wait_program(stage->broker), 0);
    close_stage(stage);
}

Test(broker_program, a_log_that_nobody_reads_any_more_does_not_end_it)
{
    int log[2];
    cr_assert_eq(pipe(log), 0);
    close(log[0]);
    struct stage *stage = open_stage(log[1], LEASE_MS);
    close(log[1]);
    fill_submit(stage, 1);
    send_surely(stage, stage->client);
    cr_assert(receive(stage, stage->client), "the broker has ended");
    cr_assert_eq(stage->message->kind, MESSAGE_ACCEPTED);
    kill(stage->broker, SIGTERM);
    cr_assert_eq(wait_program(stage->broker), 0);
    close_stage(stage);
}

Test(broker_program, a_name_neither_drives_a_terminal_nor_forges_a_line_of_the_log)
{
    struct stage *stage = open_stage(-1, LEASE_MS);
    *stage->message = (struct message){
        .kind = MESSAGE_HELLO, .hello = {.role = ROLE_WORKER, .name = "w\x1b[2J\n\xc2\x9b\" sweep=\"", .instance = 1}};
    send_surely(stage, stage->client);
    cr_assert(receive(stage, stage->client));
    cr_assert_eq(stage->message->kind, MESSAGE_WELCOME);
    *stage->message = (struct message){.kind = MESSAGE_WORKERS};
    send_surely(stage, stage->client);
    cr_assert(receive(stage, stage->client));
    cr_assert_eq(stage->message->kind, MESSAGE_ROSTER);
    cr_expect_str_eq(stage->message->roster.list[0].name, "w?[2J???\" sweep=\"");
    kill(stage->broker, SIGTERM);
    cr_assert_eq(wait_program(stage->broker), 0);
    close_stage(stage);
    char *log = read_text("broker.err");
    cr_expect_not_null(strstr(log, "worker-joined name=\"w?[2J??"
                                   "?' sweep='\" sweep=-"),
                       "%s", log);
    free(log);
}
