/* The programs with keys: over loopback TCP, as on several machines. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/process.h"
#include "net/socket.h"
#include "support_place.h"

#define GOLDEN    GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml"
#define IDLERS    20
#define CASE(...) ((const char *const[]){__VA_ARGS__, NULL})

TestSuite(security, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

struct servers {
    pid_t pids[3]; /* 0: it was ended */
    char broker[64], aggregator[64], parent[16];
};

static pid_t start_worker(const struct servers *servers, const char *keys, const char *name)
{
    const pid_t pid =
        start_program("goldthread-worker", name,
                      CASE("--broker", servers->broker, "--follow-parent", servers->parent, "--keys", keys));
    wait_until_said(name, "started"); /* from now on it ends in good order when told to */
    return pid;
}

/* The broker takes its keys from a configuration file, the aggregator from its flag. lease_ms: a worker that is silent
 * for so long is lost. */
static struct servers start_servers_with(const char *lease_ms)
{
    struct servers servers;
    snprintf(servers.parent, sizeof servers.parent, "%d", (int)getpid());
    write_text("broker.conf", "state = broker-state\nkeys = keys\nbind = tcp://127.0.0.1:*\n");
    servers.pids[0] =
        start_program("goldthread-broker", "broker",
                      CASE("--config", "broker.conf", "--follow-parent", servers.parent, "--lease-ms", lease_ms));
    find_endpoint("broker", servers.broker, sizeof servers.broker);
    servers.pids[1] = start_program("goldthread-aggregator", "aggregator",
                                    CASE("--bind", "tcp://127.0.0.1:*", "--broker", servers.broker, "--state",
                                         "aggregator-state", "--keys", "keys", "--follow-parent", servers.parent));
    find_endpoint("aggregator", servers.aggregator, sizeof servers.aggregator);
    wait_until_said("broker", "aggregator-joined");
    servers.pids[2] = start_worker(&servers, "keys", "worker");
    setenv("GOLDTHREAD_BROKER", servers.broker, 1);
    return servers;
}

static struct servers start_servers(void)
{
    return start_servers_with("5000");
}

static void stop_servers(const struct servers *servers)
{
    for (int at = 2; at >= 0; at--) {
        if (servers->pids[at] == 0) continue;
        kill(servers->pids[at], SIGTERM);
        cr_expect_eq(wait_program(servers->pids[at]), 0, "program %d", at);
    }
}

static void make_keys(const char *const *words)
{
    struct ran ran = run_program("goldthread", words);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    ran_free(&ran);
}

static void expect_refusal(struct ran ran, int status, const char *text)
{
    cr_expect_eq(ran.status, status, "%s%s", ran.out, ran.err);
    cr_expect_str_empty(ran.out);
    cr_expect_not_null(strstr(ran.err, text), "no `%s` in: %s", text, ran.err);
    const char *end = strchr(ran.err, '\n');
    cr_expect(end && end[1] == 0, "one line: %s", ran.err);
    ran_free(&ran);
}

/* The server says that it does not know these keys; asked again where that took longer than a command waits. */
static void expect_key_refused(const char *keys)
{
    struct ran ran = GOLDTHREAD_ONCE("status", "--keys", keys);
    for (int tries = 1; strstr(ran.err, "no answer") && tries < 20; tries++) {
        ran_free(&ran);
        ran = GOLDTHREAD_ONCE("status", "--keys", keys);
    }
    expect_refusal(ran, 3, "does not know the key of");
}

static unsigned mode_of(const char *path)
{
    struct stat info;
    cr_assert_eq(stat(path, &info), 0, "%s", path);
    return info.st_mode & 07777;
}

/* Starts a server on a folder of state, waits until it is ready, ends it: its log, which the caller frees. */
static char *log_of_a_life(const char *program, const char *state, const char *ready)
{
    char endpoint[512], broker[512], path[128], *log = NULL;
    const bool calls = strcmp(program, "goldthread-aggregator") == 0;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/e", place_path());
    snprintf(broker, sizeof broker, "ipc://%s/nobody", place_path());
    snprintf(path, sizeof path, "%s/%s.err", place_path(), program);
    unlink(path); /* of the life before */
    pid_t pid = start_program(
        program, program, CASE("--bind", endpoint, "--state", state, calls ? "--broker" : NULL, calls ? broker : NULL));
    for (int waited_ms = 0; !(log = read_text(path)) || !strstr(log, ready);) {
        free(log);
        cr_assert(keep_waiting(&waited_ms), "%s is not ready", program);
    }
    free(log);
    kill(pid, SIGTERM);
    cr_assert_eq(wait_program(pid), 0);
    return read_text(path);
}

Test(security, a_server_makes_its_state_folder_private_and_says_when_one_is_open_to_others)
{
    static const struct {
        const char *program, *ready, *parent, *state;
    } rows[] = {{"goldthread-broker", " listening ", "b", "b/state"},
                {"goldthread-aggregator", " ready ", "a", "a/state"}};
    umask(022);
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char *log = log_of_a_life(rows[at].program, rows[at].state, rows[at].ready);
        cr_expect_eq(mode_of(rows[at].state), 0700);
        cr_expect_eq(mode_of(rows[at].parent), 0755, "others may have folders beside it");
        cr_expect_null(strstr(log, "state-open"), "%s", log);
        free(log);
        cr_assert_eq(chmod(rows[at].state, 0755), 0);
        log = log_of_a_life(rows[at].program, rows[at].state, rows[at].ready);
        cr_expect_not_null(strstr(log, "state-open"), "%s", log);
        cr_expect_eq(mode_of(rows[at].state), 0755, "it is not ours to change");
        free(log);
    }
}

Test(security, keygen_makes_a_private_folder_and_never_writes_over_a_key)
{
    static const char *const files[] = {"server.key",
                                        "server.pub",
                                        "aggregator.key",
                                        "worker.key",
                                        "client.key",
                                        "admin.key",
                                        "authorized/aggregator.pub",
                                        "authorized/worker.pub",
                                        "authorized/client.pub",
                                        "authorized/admin.pub"};
    make_keys(CASE("keygen", "keys"));
    cr_expect_eq(mode_of("keys"), 0700);
    cr_expect_eq(mode_of("keys/authorized"), 0700);
    for (size_t at = 0; at < sizeof files / sizeof *files; at++) {
        char path[64];
        snprintf(path, sizeof path, "keys/%s", files[at]);
        cr_expect_eq(mode_of(path), 0600, "%s", path);
    }
    cr_expect_eq(count_entries("keys"), 7);
    char *before = read_text("keys/client.key"), *server = read_text("keys/server.key");
    expect_refusal(GOLDTHREAD("keygen", "keys"), 2, "every key is there already");
    expect_refusal(GOLDTHREAD("keygen", "keys", "--role", "client"), 2, "keys/client.key: it is there already");
    make_keys(CASE("keygen", "keys", "--role", "client", "--name", "anna"));
    expect_refusal(GOLDTHREAD("keygen", "keys", "--role", "admin", "--name", "anna"), 2, "it is there already");
    cr_expect_eq(mode_of("keys/anna"), 0700);
    cr_expect_eq(mode_of("keys/anna/client.key"), 0600);
    cr_expect_eq(count_entries("keys/anna"), 2, "the key, and the server's public one");
    char *after = read_text("keys/client.key"), *same = read_text("keys/server.key");
    cr_expect_str_eq(before, after);
    cr_expect_str_eq(server, same);
    free(before), free(after), free(server), free(same);
}

Test(security, keygen_makes_one_role_and_what_servers_need)
{
    make_keys(CASE("keygen", "keys", "--role", "worker"));
    cr_expect(exists("keys/server.key") && exists("keys/aggregator.key") && exists("keys/worker.key"));
    cr_expect(!exists("keys/client.key") && !exists("keys/admin.key"));
    make_keys(CASE("keygen", "keys"));
    cr_expect(exists("keys/client.key") && exists("keys/admin.key"), "what is missing is made");
}

Test(security, keygen_refuses_what_it_cannot_mean)
{
    expect_refusal(GOLDTHREAD("keygen", "keys", "--role", "king"), 2, "allowed are client, worker, admin");
    expect_refusal(GOLDTHREAD("keygen", "keys", "--role", "server"), 2, "allowed are client, worker, admin");
    expect_refusal(GOLDTHREAD("keygen", "keys", "--name", "anna"), 2, "--name needs --role");
    expect_refusal(GOLDTHREAD("keygen", "keys", "--role", "client", "--name", "../anna"), 2, "--name");
    expect_refusal(GOLDTHREAD("keygen", "keys", "--role", "client", "--name", "authorized"), 2, "--name");
    expect_refusal(GOLDTHREAD("keygen"), 2, "DIR is missing");
    cr_expect_not(exists("keys"), "nothing is written");
    cr_assert_eq(mkdir("open", 0700), 0);
    cr_assert_eq(chmod("open", 0777), 0);
    expect_refusal(GOLDTHREAD("keygen", "open"), 2, "others may write to this folder");
    cr_expect_eq(count_entries("open"), 0);
}

Test(security, without_keys_nothing_leaves_the_loopback)
{
    static const char *const open[] = {"tcp://0.0.0.0:7070", "tcp://*:7070", "tcp://[::]:7070", "tcp://192.0.2.1:7070",
                                       "tcp://127.example.org:7070"};
    for (size_t at = 0; at < sizeof open / sizeof *open; at++) {
        expect_refusal(run_program("goldthread-broker", CASE("--state", "s", "--bind", open[at])), 2, "needs keys");
        expect_refusal(run_program("goldthread-aggregator", CASE("--state", "s", "--bind", open[at])), 2, "needs keys");
        expect_refusal(run_program("goldthread-aggregator", CASE("--state", "s", "--broker", open[at])), 2,
                       "needs keys");
        expect_refusal(run_program("goldthread-worker", CASE("--broker", open[at])), 2, "needs keys");
        expect_refusal(run_program("goldthread-worker", CASE("--aggregator", open[at])), 2, "needs keys");
        expect_refusal(GOLDTHREAD("status", "--broker", open[at]), 2, "needs keys");
        expect_refusal(GOLDTHREAD("submit", GOLDEN, "--quiet", "--broker", open[at]), 2, "needs keys");
    }
    cr_expect_not(exists("s"), "nothing is started");
}

Test(security, what_is_no_endpoint_is_bad_usage_with_keys_and_without)
{
    static const char *const rows[] = {"ipc://@goldthread", "inproc://x", "tipc://{5555,0,0}", "tcp://127.0.0.1:+1"};
    make_keys(CASE("keygen", "keys"));
    for (size_t at = 0; at < 2 * sizeof rows / sizeof *rows; at++) {
        const char *row = rows[at / 2];
        if (at % 2 == 1) setenv("GOLDTHREAD_KEYS", "keys", 1);
        else unsetenv("GOLDTHREAD_KEYS");
        expect_refusal(run_program("goldthread-broker", CASE("--state", "s", "--bind", row)), 2, "allowed ");
        expect_refusal(run_program("goldthread-aggregator", CASE("--state", "s", "--bind", row)), 2, "allowed ");
        expect_refusal(run_program("goldthread-aggregator", CASE("--state", "s", "--advertise", row)), 2, "allowed ");
        expect_refusal(run_program("goldthread-worker", CASE("--broker", row)), 2, "allowed ");
        expect_refusal(GOLDTHREAD("status", "--broker", row), 2, "allowed ");
    }
    cr_expect_not(exists("s"), "nothing is started");
}

Test(security, a_long_line_of_a_configuration_file_is_refused_and_its_end_is_no_line)
{
    char text[2048];
    snprintf(text, sizeof text, "state = s\n#%*s\n", 1100, "bind = ipc://b");
    write_text("broker.conf", text);
    expect_refusal(run_program("goldthread-broker", CASE("--config", "broker.conf")), 2,
                   "broker.conf:2: the line is too long: at most 1022 bytes are allowed");
    cr_expect_not(exists("s"), "nothing is started");
}

Test(security, keys_that_others_can_read_are_refused)
{
    make_keys(CASE("keygen", "keys"));
    static const char *const rows[][2] = {{"goldthread-broker", "keys/server.key"},
                                          {"goldthread-aggregator", "keys/aggregator.key"},
                                          {"goldthread-worker", "keys/worker.key"}};
    for (size_t row = 0; row < 3; row++) {
        cr_assert_eq(chmod(rows[row][1], 0640), 0);
        const bool binds = row < 2;
        expect_refusal(
            run_program(rows[row][0], binds ? CASE("--keys", "keys", "--state", "s") : CASE("--keys", "keys")), 2,
            rows[row][1]);
        cr_assert_eq(chmod(rows[row][1], 0600), 0);
    }
    cr_assert_eq(chmod("keys/admin.key", 0644), 0);
    setenv("GOLDTHREAD_KEYS", "keys", 1);
    expect_refusal(GOLDTHREAD("status"), 2, "keys/admin.key: others have access");
    cr_assert_eq(chmod("keys/admin.key", 0600), 0);
    cr_assert_eq(chmod("keys", 0770), 0);
    expect_refusal(GOLDTHREAD("status"), 2, "others may write to this folder");
    setenv("GOLDTHREAD_KEYS", "missing", 1);
    expect_refusal(GOLDTHREAD("status"), 2, "missing: No such file or directory");
    cr_expect_not(exists("s"), "nothing is started");
}

static char *status_digest(const char *sweep, const char *keys)
{
    struct ran ran = GOLDTHREAD("status", sweep, "--json", "--keys", keys);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *status = parse_json(ran.out);
    const char *digest =
        json_string_value(json_object_get(json_array_get(json_object_get(status, "sweeps"), 0), "digest"));
    char *copy = digest ? strdup(digest) : NULL;
    json_decref(status);
    ran_free(&ran);
    return copy;
}

Test(security, a_sweep_over_encrypted_tcp_has_the_digest_of_a_run)
{
    make_keys(CASE("keygen", "keys"));
    make_keys(CASE("keygen", "keys", "--role", "client", "--name", "anna"));
    struct servers servers = start_servers();
    struct ran id = GOLDTHREAD("submit", GOLDEN, "--draws", "1024", "--quiet", "--keys", "keys/anna");
    cr_assert_eq(id.status, 0, "%s", id.err);
    id.out[strcspn(id.out, "\n")] = '\0';
    char *digest = NULL;
    for (int waited_ms = 0; !(digest = status_digest(id.out, "keys/anna"));) cr_assert(keep_waiting(&waited_ms));
    struct ran results = GOLDTHREAD("results", id.out, "--keys", "keys/anna");
    cr_expect_eq(results.status, 0, "%s", results.err);
    setenv("GOLDTHREAD_KEYS", "keys/anna", 1); /* a run needs none, and these would not fit its servers */
    struct ran run = GOLDTHREAD("run", GOLDEN, "--draws", "1024", "--out", "out", "--json", "--quiet");
    cr_assert_eq(run.status, 0, "%s", run.err);
    json_t *report = parse_json(run.out);
    cr_expect_str_eq(json_text(report, "digest"), digest);
    char *rollup = read_text("out/rollup.csv");
    cr_expect(rollup && strcmp(rollup, results.out) == 0, "the figures are the same");
    stop_servers(&servers);
    free(rollup);
    free(digest);
    json_decref(report);
    ran_free(&run);
    ran_free(&results);
    ran_free(&id);
}

Test(security, a_caller_whose_key_is_not_known_or_who_has_none_gets_nothing)
{
    make_keys(CASE("keygen", "keys"));
    make_keys(CASE("keygen", "strange", "--role", "client"));
    struct servers servers = start_servers();
    struct ran known = GOLDTHREAD("status", "--keys", "keys");
    cr_expect_eq(known.status, 0, "%s", known.err);
    expect_refusal(GOLDTHREAD_ONCE("status"), 3, "no answer");
    expect_refusal(GOLDTHREAD_ONCE("status", "--keys", "strange"), 3, "no answer"); /* another server's public key */
    cr_assert_eq(unlink("strange/server.pub"), 0);
    cr_assert_eq(link("keys/server.pub", "strange/server.pub"), 0);
    expect_key_refused("strange");
    stop_servers(&servers);
    char path[128];
    snprintf(path, sizeof path, "%s/broker.err", place_path());
    char *log = read_text(path);
    cr_expect_not_null(strstr(log, "key-refused"), "%s", log);
    free(log);
    ran_free(&known);
}

/* A caller of the test's own, with the key of one role. */
struct caller {
    struct net *net;
    struct keys keys;
    struct socket *socket;
    struct message *message;
};

static void call(struct caller *caller, const char *endpoint, const char *folder, enum key_role role)
{
    char why[512];
    *caller = (struct caller){.net = net_open(), .message = calloc(1, sizeof *caller->message)};
    cr_assert(keys_open(&caller->keys, folder, role, why, sizeof why), "%s", why);
    cr_assert(net_use_keys(caller->net, &caller->keys, why, sizeof why), "%s", why);
    caller->socket = socket_connect(caller->net, endpoint, why, sizeof why);
    cr_assert_not_null(caller->socket, "%s", why);
}

static void hang_up(struct caller *caller)
{
    socket_close(caller->socket);
    net_close(caller->net);
    free(caller->message);
}

/* Says it until something is answered, which is then in caller->message. */
static void ask(struct caller *caller, const struct message *question)
{
    const char *why;
    bool sent = false;
    for (const uint64_t end_ms = clock_ms() + WAIT_MS;;) {
        cr_assert_lt(clock_ms(), end_ms, "no answer to %s", message_kind_name(question->kind));
        sent = sent || socket_send(caller->socket, NULL, question) == SOCKET_OK;
        if (socket_receive(caller->socket, NULL, caller->message, &why) == SOCKET_OK) return;
        socket_wait(&caller->socket, 1, -1, 50);
    }
}

static bool is_forbidden(struct caller *caller, const struct message *question)
{
    ask(caller, question);
    return caller->message->kind == MESSAGE_ERROR && caller->message->error.code == ERROR_FORBIDDEN;
}

Test(security, a_key_may_do_what_its_role_does_and_nothing_else)
{
    make_keys(CASE("keygen", "keys"));
    make_keys(CASE("keygen", "keys", "--role", "client", "--name", "anna"));
    struct servers servers = start_servers();
    struct caller worker, client, at_aggregator;
    const struct digest sweep = {{1}};
    const struct block_range one = {0, 1};
    const struct message status = {.kind = MESSAGE_STATUS}, heartbeat = {.kind = MESSAGE_HEARTBEAT},
                         submit = {.kind = MESSAGE_SUBMIT}, cancel = {.kind = MESSAGE_CANCEL, .cancel = {sweep}},
                         done = {.kind = MESSAGE_DONE, .done = {.sweep = sweep, .blocks = one}},
                         held = {.kind = MESSAGE_HELD, .held = {.sweep = sweep}},
                         drain = {.kind = MESSAGE_DRAIN, .drain = {"w"}},
                         partial = {.kind = MESSAGE_PARTIAL, .partial = {.sweep = sweep}},
                         as_worker = {.kind = MESSAGE_HELLO, .hello = {.role = ROLE_WORKER, .name = "w"}},
                         as_aggregator = {.kind = MESSAGE_HELLO, .hello = {.role = ROLE_AGGREGATOR, .name = "a"}};
    call(&worker, servers.broker, "keys", KEY_WORKER);
    call(&client, servers.broker, "keys/anna", KEY_CLIENT);
    cr_expect(is_forbidden(&worker, &status) && is_forbidden(&worker, &submit) && is_forbidden(&worker, &cancel));
    cr_expect(is_forbidden(&worker, &held) && is_forbidden(&worker, &as_aggregator));
    cr_expect(is_forbidden(&client, &heartbeat) && is_forbidden(&client, &done) && is_forbidden(&client, &held));
    cr_expect(is_forbidden(&client, &as_worker) && is_forbidden(&client, &as_aggregator));
    cr_expect(is_forbidden(&client, &drain));
    cr_expect_str_eq(client.message->error.text, "DRAIN: the key of 'anna' has the role client, which may not");
    cr_expect_not(is_forbidden(&client, &status));
    cr_expect_eq(client.message->kind, MESSAGE_SWEEPS);
    cr_expect_not(is_forbidden(&worker, &heartbeat));
    cr_expect_eq(worker.message->kind, MESSAGE_STRANGER, "it may, once it has registered");
    call(&at_aggregator, servers.aggregator, "keys/anna", KEY_CLIENT);
    cr_expect(is_forbidden(&at_aggregator, &partial), "clients bring no results in");
    hang_up(&worker);
    hang_up(&client);
    hang_up(&at_aggregator);
    stop_servers(&servers);
}

Test(security, a_sweep_is_changed_by_the_key_that_submitted_it_or_by_an_admin)
{
    static const char *const orders[] = {"pause", "resume", "retry", "cancel"};
    make_keys(CASE("keygen", "keys"));
    make_keys(CASE("keygen", "keys", "--role", "client", "--name", "anna"));
    make_keys(CASE("keygen", "keys", "--role", "client", "--name", "bert"));
    struct servers servers = start_servers();
    wait_until_said("worker", "started");
    kill(servers.pids[2], SIGTERM); /* nobody works, so that the sweep stays open */
    cr_assert_eq(wait_program(servers.pids[2]), 0);
    servers.pids[2] = 0;
    struct ran id = GOLDTHREAD("submit", GOLDEN, "--quiet", "--keys", "keys/anna");
    cr_assert_eq(id.status, 0, "%s", id.err);
    id.out[strcspn(id.out, "\n")] = '\0';
    struct ran same = GOLDTHREAD("submit", GOLDEN, "--quiet", "--keys", "keys/bert");
    cr_expect_eq(same.status, 0, "the same sweep: %s", same.err);
    for (int at = 0; at < 4; at++)
        expect_refusal(GOLDTHREAD(orders[at], id.out, "--keys", "keys/bert"), 1, "not of your key");
    expect_refusal(GOLDTHREAD("drain", "w", "--keys", "keys/anna"), 1, "has the role client, which may not");
    for (int at = 0; at < 4; at++) {
        struct ran own = GOLDTHREAD(orders[at], id.out, "--keys", "keys/anna");
        cr_expect_eq(own.status, 0, "%s: %s", orders[at], own.err);
        ran_free(&own);
    }
    struct ran again = GOLDTHREAD("submit", GOLDEN, "--quiet", "--keys", "keys/anna");
    struct ran admin = GOLDTHREAD("pause", id.out, "--keys", "keys");
    cr_expect_eq(admin.status, 0, "%s", admin.err);
    stop_servers(&servers);
    cr_expect(has_said("broker", "forbidden"));
    cr_expect(has_said("broker", "not of your key"));
    ran_free(&id), ran_free(&same), ran_free(&again), ran_free(&admin);
}

/* Asks until the answer is as wanted: the folder is read anew a moment after it changed. */
static bool becomes_forbidden(struct caller *caller, bool wanted)
{
    const struct message status = {.kind = MESSAGE_STATUS};
    for (int waited_ms = 0; is_forbidden(caller, &status) != wanted;)
        if (!keep_waiting(&waited_ms)) return false;
    return true;
}

Test(security, a_key_is_revoked_over_an_open_connection_and_replaced_without_a_restart)
{
    make_keys(CASE("keygen", "keys"));
    make_keys(CASE("keygen", "keys", "--role", "client", "--name", "anna"));
    struct servers servers = start_servers();
    struct caller anna;
    call(&anna, servers.broker, "keys/anna", KEY_CLIENT);
    cr_assert(becomes_forbidden(&anna, false));
    cr_assert_eq(unlink("keys/authorized/anna.pub"), 0);
    cr_assert(becomes_forbidden(&anna, true));
    cr_expect_str_eq(anna.message->error.text, "STATUS: your key is not known here");
    const struct message status = {.kind = MESSAGE_STATUS};
    for (int times = 0; times < 10; times++) cr_expect(is_forbidden(&anna, &status), "from then on");
    hang_up(&anna);

    make_keys(CASE("keygen", "keys", "--role", "client", "--name", "anna-2"));
    struct ran again = GOLDTHREAD("status", "--keys", "keys/anna-2");
    cr_expect_eq(again.status, 0, "the new key is known at once: %s", again.err);
    expect_key_refused("keys/anna");
    stop_servers(&servers);
    ran_free(&again);
}

static long long workers_of(const char *keys)
{
    struct ran ran = GOLDTHREAD("status", "--json", "--keys", keys);
    cr_assert_eq(ran.status, 0, "%s", ran.err);
    json_t *status = parse_json(ran.out);
    const long long workers = json_whole(status, "workers");
    json_decref(status);
    ran_free(&ran);
    return workers;
}

Test(security, a_worker_comes_when_its_key_is_known_leaves_when_it_is_not_and_comes_back)
{
    make_keys(CASE("keygen", "keys"));
    make_keys(CASE("keygen", "keys", "--role", "worker", "--name", "node1"));
    struct servers servers = start_servers();
    cr_assert_eq(rename("keys/authorized/node1.pub", "node1.away"), 0);
    const pid_t second = start_worker(&servers, "keys/node1", "node1");
    int waited_ms;
    wait_until_said("broker", "key-refused");
    cr_assert_eq(rename("node1.away", "keys/authorized/node1.pub"), 0);
    for (waited_ms = 0; workers_of("keys") != 2;) cr_assert(keep_waiting(&waited_ms), "it never came in");
    cr_assert_eq(rename("keys/authorized/node1.pub", "node1.away"), 0);
    for (waited_ms = 0; workers_of("keys") != 1;) cr_assert(keep_waiting(&waited_ms), "it is still in the roster");
    cr_assert_eq(rename("node1.away", "keys/authorized/node1.pub"), 0);
    for (waited_ms = 0; workers_of("keys") != 2;) cr_assert(keep_waiting(&waited_ms), "it does not come back");
    kill(second, SIGTERM);
    cr_expect_eq(wait_program(second), 0);
    stop_servers(&servers);
}

Test(security, a_worker_does_not_push_out_one_of_another_key)
{
    make_keys(CASE("keygen", "keys"));
    make_keys(CASE("keygen", "keys", "--role", "worker", "--name", "node1"));
    struct servers servers = start_servers_with("3600000"); /* nobody is lost for being slow */
    for (int waited_ms = 0; workers_of("keys") != 1;) cr_assert(keep_waiting(&waited_ms));
    const pid_t first = start_program("goldthread-worker", "first",
                                      CASE("--broker", servers.broker, "--follow-parent", servers.parent, "--keys",
                                           "keys", "--name", "same", "--verbose"));
    for (int waited_ms = 0; workers_of("keys") != 2;) cr_assert(keep_waiting(&waited_ms));
    const pid_t second = start_program(
        "goldthread-worker", "second",
        CASE("--broker", servers.broker, "--follow-parent", servers.parent, "--keys", "keys/node1", "--name", "same"));
    wait_until_said("second", "refused reason=\"a worker of another key has this name\"");
    cr_expect_not(has_said("broker", "worker-lost"), "the first stays");
    cr_expect_eq(workers_of("keys"), 2);
    kill(first, SIGTERM);
    cr_expect_eq(wait_program(first), 0);
    for (int waited_ms = 0; workers_of("keys") != 2;) cr_assert(keep_waiting(&waited_ms), "the name is not free");
    kill(second, SIGTERM);
    cr_expect_eq(wait_program(second), 0);
    stop_servers(&servers);
}

Test(security, plain_connections_do_not_keep_the_others_waiting)
{
    make_keys(CASE("keygen", "keys"));
    struct servers servers = start_servers();
    struct ran first = GOLDTHREAD("status", "--keys", "keys");
    cr_assert_eq(first.status, 0, "%s", first.err);
    int idlers[IDLERS];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(servers.broker, ':') + 1));
    for (int at = 0; at < IDLERS; at++) {
        idlers[at] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(connect(idlers[at], (struct sockaddr *)&address, sizeof address), 0);
        if (at % 2 == 1) send(idlers[at], "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL);
    }
    struct ran second = GOLDTHREAD("status", "--keys", "keys");
    cr_expect_eq(second.status, 0, "%s", second.err);
    for (int at = 0; at < IDLERS; at++) close(idlers[at]);
    stop_servers(&servers);
    ran_free(&first);
    ran_free(&second);
}
