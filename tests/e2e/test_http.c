/* The page of broker and aggregator: over a real socket, in the real programs, and beside hostile readers. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "exposition.h"
#include "net/http.h"
#include "net/process.h"
#include "support_place.h"

#define IDLERS 100

TestSuite(http, .init = place_open, .fini = place_close, .timeout = TIMEOUT_S);

/* A client */

static int dial(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strrchr(address, ':');
    cr_assert_not_null(colon, "%s", address);
    to.sin_port = htons((uint16_t)atoi(colon + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = WAIT_MS / 1000};
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0, "%s", address);
    return fd;
}

/* All that comes until the other end closes; the caller frees it. "" when it is cut off. */
static char *read_all(int fd)
{
    char *text = NULL, piece[4096];
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    for (ssize_t got; (got = recv(fd, piece, sizeof piece, 0)) > 0 || (got < 0 && errno == EINTR);)
        if (got > 0) fwrite(piece, 1, (size_t)got, memory); /* a stop of this process ends a wait with a timeout */
    fclose(memory);
    close(fd);
    return text;
}

struct answer {
    int status;
    char *all; /* owned */
    const char *body;
};

static struct answer ask(const char *address, const char *method, const char *path)
{
    char request[512];
    struct answer answer = {.body = ""};
    const int fd = dial(address);
    const int size =
        snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", method, path);
    cr_assert_eq(send(fd, request, (size_t)size, MSG_NOSIGNAL), size);
    answer.all = read_all(fd);
    cr_assert_eq(sscanf(answer.all, "HTTP/1.1 %d ", &answer.status), 1, "%s %s: %s", method, path, answer.all);
    const char *end = strstr(answer.all, "\r\n\r\n");
    if (end) answer.body = end + 4;
    return answer;
}

static int status_of(const char *address, const char *method, const char *path)
{
    struct answer answer = ask(address, method, path);
    free(answer.all);
    return answer.status;
}

/* A sample of /metrics; -1 when it is not there. */
static double metric(const char *address, const char *name)
{
    struct answer answer = ask(address, "GET", "/metrics");
    double value = -1;
    if (answer.status == 503) answer.body = ""; /* it listens, and has not turned yet */
    else cr_assert_eq(answer.status, 200);
    for (const char *line = answer.body; *line; line = strchr(line, '\n') + 1)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ')
            value = strtod(line + strlen(name), NULL);
    free(answer.all);
    return value;
}

/* Where a program says that its page is. */
static void find_page(const char *log, char address[HTTP_ADDRESS_BYTES])
{
    for (int waited = 0; keep_waiting(&waited);) {
        char path[128], *text;
        snprintf(path, sizeof path, "%s/%s.err", place_path(), log);
        if (!(text = read_text(path))) continue;
        const char *line = strstr(text, "http-listening address=");
        const bool found = line && strchr(line, '\n') && sscanf(line, "http-listening address=%63s", address) == 1;
        free(text);
        if (found) return;
    }
    cr_assert_fail("%s does not say where its page is", log);
}

/* A page without a program */

struct pair {
    uint64_t a, b; /* always the same */
};

static void render_pair(const void *snapshot, uint64_t age_ms, struct buffer *out)
{
    const struct pair *pair = snapshot;
    expose(out, "%llu %llu %llu\n", (unsigned long long)pair->a, (unsigned long long)pair->b,
           (unsigned long long)age_ms);
}

static struct http *open_page(char address[HTTP_ADDRESS_BYTES])
{
    char why[256];
    const struct http_setup setup = {"a test", "127.0.0.1:0", sizeof(struct pair), render_pair, render_pair};
    struct http *http = http_open(&setup, address, HTTP_ADDRESS_BYTES, why, sizeof why);
    cr_assert_not_null(http, "%s", why);
    return http;
}

static void publish_at(struct http *http, uint64_t now_ms, uint64_t value)
{
    struct pair *pair = http_turn(http, now_ms, true);
    cr_assert_not_null(pair);
    pair->a = value;
    pair->b = value;
    http_publish(http);
}

static void publish(struct http *http, uint64_t value)
{
    publish_at(http, clock_ms(), value);
}

static unsigned long long first_number(const char *address)
{
    struct answer answer = ask(address, "GET", "/metrics");
    const unsigned long long number = strtoull(answer.body, NULL, 10);
    cr_assert_eq(answer.status, 200);
    free(answer.all);
    return number;
}

Test(http, a_page_shows_the_last_snapshot_and_nothing_before_the_first)
{
    char address[HTTP_ADDRESS_BYTES];
    struct http *http = open_page(address);
    const uint64_t now_ms = clock_ms();
    cr_expect_eq(status_of(address, "GET", "/metrics"), 503);
    publish(http, 1);
    cr_expect_eq(first_number(address), 1);
    cr_expect_eq(first_number(address), 1, "read twice");
    publish(http, 2);
    publish_at(http, now_ms, 3);
    cr_expect_eq(first_number(address), 3, "what nobody read is skipped");
    cr_expect_null(http_turn(http, now_ms + HTTP_PUBLISH_MS - 1, false), "a young snapshot is not made anew");
    cr_expect_not_null(http_turn(http, now_ms + HTTP_PUBLISH_MS, false));
    http_close(http);
}

Test(http, a_loop_that_does_not_turn_is_not_healthy_until_it_does)
{
    char address[HTTP_ADDRESS_BYTES];
    struct http *http = open_page(address);
    const uint64_t began_ms = clock_ms();
    http_turn(http, began_ms, false);
    int waited = 0;
    while (status_of(address, "GET", "/healthz") == 200 && keep_waiting(&waited)) continue;
    const uint64_t after_ms = clock_ms() - began_ms;
    cr_expect_geq(after_ms, HTTP_SILENT_MS, "after %llu ms", (unsigned long long)after_ms);
    struct answer answer = ask(address, "GET", "/healthz");
    cr_expect_eq(answer.status, 503);
    cr_expect_not_null(strstr(answer.body, "\"status\": \"stuck\""), "%s", answer.body);
    free(answer.all);
    for (waited = 0; http_turn(http, clock_ms(), false), status_of(address, "GET", "/healthz") != 200;)
        cr_assert(keep_waiting(&waited), "it turns, and is not healthy");
    http_close(http);
}

struct publisher {
    struct http *http;
    atomic_bool stop;
};

static void *publish_on(void *context)
{
    struct publisher *publisher = context;
    for (uint64_t value = 1; !atomic_load(&publisher->stop); value++) publish(publisher->http, value);
    return NULL;
}

Test(http, a_snapshot_is_never_read_while_it_is_filled)
{
    char address[HTTP_ADDRESS_BYTES];
    struct publisher publisher = {.http = open_page(address)};
    pthread_t thread;
    unsigned long long last = 0, a, b;
    publish(publisher.http, 1);
    cr_assert_eq(pthread_create(&thread, NULL, publish_on, &publisher), 0);
    for (int reads = 0; reads < 500; reads++) {
        struct answer answer = ask(address, "GET", "/status.json");
        cr_assert_eq(sscanf(answer.body, "%llu %llu", &a, &b), 2, "%s", answer.all);
        cr_assert_eq(a, b, "half of one, half of another");
        cr_assert_geq(a, last, "never an older one");
        last = a;
        free(answer.all);
    }
    atomic_store(&publisher.stop, true);
    pthread_join(thread, NULL);
    cr_expect_gt(last, 1);
    http_close(publisher.http);
}

Test(http, only_what_is_there_is_served_and_nothing_is_taken)
{
    char address[HTTP_ADDRESS_BYTES];
    struct http *http = open_page(address);
    publish(http, 7);
    static const struct {
        const char *method, *path;
        int status;
    } rows[] = {
        {"GET", "/metrics", 200},  {"GET", "/metrics?x=1", 200},      {"GET", "/", 404},
        {"GET", "/metrics/", 404}, {"GET", "/../../etc/passwd", 404}, {"POST", "/metrics", 405},
        {"PUT", "/healthz", 405},  {"DELETE", "/status.json", 405},   {"OPTIONS", "/metrics", 405},
        {"HEAD", "/metrics", 200},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct answer answer = ask(address, rows[row].method, rows[row].path);
        cr_expect_eq(answer.status, rows[row].status, "%s %s: %d", rows[row].method, rows[row].path, answer.status);
        cr_expect_eq(*answer.body == 0, strcmp(rows[row].method, "HEAD") == 0, "%s has a body", rows[row].method);
        free(answer.all);
    }
    struct answer answer = ask(address, "GET", "/metrics");
    cr_expect_not_null(strstr(answer.all, "Content-Type: " EXPOSITION_TYPE "\r\n"), "%s", answer.all);
    free(answer.all);
    http_close(http);
}

Test(http, garbage_is_refused_and_the_page_lives_on)
{
    char address[HTTP_ADDRESS_BYTES];
    struct http *http = open_page(address);
    publish(http, 7);
    char *large = malloc(200000);
    memset(large, 'a', 200000);
    memcpy(large, "GET /metrics HTTP/1.1\r\nX: ", 26);
    const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\0\0\0\0\r\n\r\n", 8},
        {"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f", 10}, /* a greeting of ZeroMQ */
        {"GET\r\n\r\n", 7},
        {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 56},
        {"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 66},
        {large, 200000},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        const int fd = dial(address);
        for (size_t at = 0; at < rows[row].size;) {
            const ssize_t sent = send(fd, rows[row].bytes + at, rows[row].size - at, MSG_NOSIGNAL);
            if (sent <= 0) break; /* refused before it was all there */
            at += (size_t)sent;
        }
        shutdown(fd, SHUT_WR);
        char *text = read_all(fd);
        cr_expect(*text == 0 || strncmp(text, "HTTP/1.1 4", 10) == 0 || strncmp(text, "HTTP/1.0 4", 10) == 0,
                  "row %zu: %.100s", row, text);
        free(text);
        cr_expect_eq(first_number(address), 7, "row %zu", row);
    }
    free(large);
    http_close(http);
}

/* None of them is ever silent for long. */
Test(http, readers_who_trickle_do_not_keep_others_out)
{
    static const char head[] = "GET /metrics HTTP/1.1\r\nHost: ";
    char address[HTTP_ADDRESS_BYTES];
    struct http *http = open_page(address);
    publish(http, 7);
    int idlers[IDLERS];
    for (size_t at = 0; at < IDLERS; at++) {
        idlers[at] = dial(address);
        send(idlers[at], head, sizeof head - 1, MSG_NOSIGNAL);
    }
    struct pollfd asker = {.fd = dial(address), .events = POLLIN};
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    cr_assert_eq(send(asker.fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    for (const uint64_t end_ms = clock_ms() + WAIT_MS; poll(&asker, 1, 50) == 0;) {
        cr_assert_lt(clock_ms(), end_ms, "no answer");
        for (size_t at = 0; at < IDLERS; at++) send(idlers[at], "x", 1, MSG_NOSIGNAL);
    }
    char *answer = read_all(asker.fd);
    cr_expect_not_null(strstr(answer, " 200 OK"), "%s", answer);
    free(answer);
    for (size_t at = 0; at < IDLERS; at++) close(idlers[at]);
    http_close(http);
}

Test(http, an_address_is_a_loopback_one_unless_another_is_asked_for)
{
    static const struct {
        const char *address;
        bool public, sound;
    } rows[] = {
        {"127.0.0.1:0", false, true},
        {"127.8.9.1:9070", false, true},
        {"localhost:9070", false, true},
        {"[::1]:65535", false, true},
        {"0.0.0.0:9070", false, false},
        {"0.0.0.0:9070", true, true},
        {"[::]:9070", false, false},
        {"[::]:9070", true, true},
        {"10.0.0.1:9070", false, false},
        {"10.0.0.1:9070", true, true},
        {"127.0.0.1:65536", true, false},
        {"127.0.0.1", true, false},
        {"127.0.0.1:", true, false},
        {":9070", true, false},
        {"127.0.0.1:+1", true, false},
        {"example.org:1", true, false},
        {"::1:9070", true, false},
        {"[::ffff:127.0.0.1]:1", false, false},
        {"", true, false},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        char why[256] = "";
        cr_expect_eq(http_check_address(rows[row].address, rows[row].public, why, sizeof why), rows[row].sound,
                     "'%s': %s", rows[row].address, why);
        cr_expect_eq(*why == 0, rows[row].sound, "'%s': %s", rows[row].address, why);
    }
}

/* In the programs */

static void stop(pid_t pid)
{
    kill(pid, SIGTERM);
    cr_expect_eq(wait_program(pid), 0);
}

/* One broker, one aggregator, both with a page, and one worker. */
struct cluster {
    char broker[128], aggregator[128], broker_page[HTTP_ADDRESS_BYTES], aggregator_page[HTTP_ADDRESS_BYTES];
    pid_t pids[3];
};

static void start_servers(struct cluster *cluster)
{
    snprintf(cluster->broker, sizeof cluster->broker, "ipc://%s/b", place_path());
    snprintf(cluster->aggregator, sizeof cluster->aggregator, "ipc://%s/a", place_path());
    const char *const broker[] = {"--bind",      cluster->broker, "--state", "journal", "--http",
                                  "127.0.0.1:0", "--lease-ms",    "3600000", NULL};
    const char *const aggregator[] = {"--bind", cluster->aggregator, "--broker", cluster->broker, "--state", "store",
                                      "--http", "localhost:0",       NULL};
    cluster->pids[0] = start_program("goldthread-broker", "broker", broker);
    cluster->pids[1] = start_program("goldthread-aggregator", "aggregator", aggregator);
    find_page("broker", cluster->broker_page);
    wait_until_said("broker", "listening");
    find_page("aggregator", cluster->aggregator_page);
}

static void start_worker(struct cluster *cluster)
{
    const char *const words[] = {"--broker", cluster->broker, "--name", "the worker", NULL};
    cluster->pids[2] = start_program("goldthread-worker", "worker", words);
    wait_until_said("worker", "started"); /* from now on it ends in good order when told to */
}

static void wait_for(const char *address, const char *name, double value)
{
    double last = -1;
    for (int waited = 0; keep_waiting(&waited);)
        if ((last = metric(address, name)) == value) return;
    cr_assert_fail("%s is %g, not %g", name, last, value);
}

static json_t *status_at(const char *address)
{
    struct answer answer = ask(address, "GET", "/status.json");
    cr_assert_eq(answer.status, 200);
    json_t *status = parse_json(answer.body);
    free(answer.all);
    return status;
}

static void check_broker(const struct cluster *cluster)
{
    json_t *status = status_at(cluster->broker_page);
    const json_t *sweep = json_array_get(json_object_get(status, "sweeps"), 0);
    const json_t *worker = json_array_get(json_object_get(status, "workers"), 0);
    const double blocks = (double)json_whole(sweep, "blocks");
    cr_expect_str_eq(json_text(sweep, "state"), "done");
    cr_expect_str_eq(json_text(worker, "name"), "the worker");
    cr_expect_eq(json_real_value(json_object_get(sweep, "progress")), 1);
    cr_expect_gt(json_real_value(json_object_get(sweep, "blocks_per_s")), 0);
    cr_expect_gt(json_real_value(json_object_get(worker, "blocks_per_s")), 0);
    /* All, unless the aggregator says that the sweep is complete before the worker says the same of its last blocks. */
    cr_expect(json_whole(worker, "blocks_done") > 0 && json_whole(worker, "blocks_done") <= (long long)blocks);
    cr_expect_str_eq(json_text(status, "aggregator"), cluster->aggregator);
    cr_expect_eq(metric(cluster->broker_page, "goldthread_broker_blocks_done_total"), blocks);
    cr_expect_eq(metric(cluster->broker_page, "goldthread_broker_blocks{state=\"done\"}"), blocks);
    cr_expect_gt(metric(cluster->broker_page, "goldthread_broker_leases_granted_total"), 0);
    cr_expect_eq(metric(cluster->broker_page, "goldthread_broker_leases_lapsed_total"), 0);
    cr_expect_eq(metric(cluster->broker_page, "goldthread_broker_wanted_workers"), 0);
    /* A client that waits for a second asks again, and may be gone when that is answered. */
    const double asked = metric(cluster->broker_page, "goldthread_broker_messages_received_total{kind=\"SUBMIT\"}");
    const double dropped = metric(cluster->broker_page, "goldthread_broker_send_drops_total");
    const double answered = metric(cluster->broker_page, "goldthread_broker_messages_sent_total{kind=\"ACCEPTED\"}");
    cr_expect(asked >= 1 && answered >= 1 && dropped >= 0, "%g asked, %g answered, %g dropped", asked, answered,
              dropped);
    cr_expect_eq(answered + dropped, asked, "%g + %g, not %g", answered, dropped, asked);
    cr_expect_gt(metric(cluster->broker_page, "goldthread_broker_journal_commit_seconds_count"), 0);
    cr_expect_gt(metric(cluster->broker_page, "goldthread_broker_journal_commit_seconds_sum"), 0);
    json_decref(status);
}

static void check_aggregator(const struct cluster *cluster)
{
    wait_for(cluster->aggregator_page, "goldthread_aggregator_registered", 1);
    json_t *status = status_at(cluster->aggregator_page);
    const json_t *sweep = json_array_get(json_object_get(status, "sweeps"), 0);
    cr_expect_str_eq(json_text(sweep, "state"), "complete");
    cr_expect_eq(json_whole(sweep, "held"), json_whole(sweep, "blocks"));
    cr_expect_eq(strlen(json_text(sweep, "result")), 64);
    cr_expect_gt(metric(cluster->aggregator_page, "goldthread_aggregator_partials_total{outcome=\"new\"}"), 0);
    cr_expect_eq(metric(cluster->aggregator_page, "goldthread_aggregator_partials_total{outcome=\"refused\"}"), 0);
    cr_expect_gt(metric(cluster->aggregator_page, "goldthread_aggregator_partial_bytes_total"), 0);
    cr_expect_gt(metric(cluster->aggregator_page, "goldthread_aggregator_commit_seconds_count"), 0);
    cr_expect_eq(metric(cluster->aggregator_page, "goldthread_aggregator_render_seconds_count"), 1);
    cr_expect_gt(metric(cluster->aggregator_page, "goldthread_aggregator_cache_bytes"), 0);
    cr_expect_eq(metric(cluster->aggregator_page, "goldthread_aggregator_send_drops_total"), 0);
    json_decref(status);
}

Test(http, a_sweep_shows_on_both_pages_from_submission_to_the_end)
{
    struct cluster cluster;
    start_servers(&cluster);
    wait_for(cluster.broker_page, "goldthread_broker_aggregators", 1);
    wait_for(cluster.aggregator_page, "goldthread_aggregator_registered", 1);
    struct ran submit =
        GOLDTHREAD("submit", GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml", "--broker", cluster.broker);
    cr_assert_eq(submit.status, 0, "%s", submit.err);
    wait_for(cluster.broker_page, "goldthread_broker_sweeps{state=\"running\"}", 1);
    cr_expect_gt(metric(cluster.broker_page, "goldthread_broker_wanted_workers"), 0);
    cr_expect_gt(metric(cluster.broker_page, "goldthread_broker_blocks{state=\"ready\"}"), 0);
    start_worker(&cluster);
    wait_for(cluster.broker_page, "goldthread_broker_sweeps{state=\"done\"}", 1);
    wait_for(cluster.aggregator_page, "goldthread_aggregator_sweeps{state=\"complete\"}", 1);
    wait_for(cluster.broker_page, "goldthread_broker_leases", 0);
    check_broker(&cluster);
    check_aggregator(&cluster);
    for (int at = 2; at >= 0; at--) stop(cluster.pids[at]);
    ran_free(&submit);
}

Test(http, readers_who_say_nothing_do_not_hold_up_the_broker)
{
    struct cluster cluster;
    int idlers[IDLERS];
    start_servers(&cluster);
    for (int at = 0; at < IDLERS; at++) {
        idlers[at] = dial(cluster.broker_page);
        if (at % 2) cr_assert_eq(send(idlers[at], "GET /status", 11, MSG_NOSIGNAL), 11);
    }
    struct ran status = GOLDTHREAD("status", "--broker", cluster.broker);
    cr_expect_eq(status.status, 0, "%s", status.err);
    for (int at = 0; at < IDLERS; at++) close(idlers[at]);
    int answered = 0;
    for (int waited = 0; answered != 200 && keep_waiting(&waited);) {
        const int fd = dial(cluster.broker_page);
        cr_assert_eq(send(fd, "GET /healthz HTTP/1.0\r\n\r\n", 25, MSG_NOSIGNAL), 25);
        char *text = read_all(fd);
        sscanf(text, "HTTP/1.%*d %d", &answered);
        free(text);
    }
    cr_expect_eq(answered, 200, "the page is there again");
    for (int at = 1; at >= 0; at--) stop(cluster.pids[at]);
    ran_free(&status);
}

Test(http, an_idle_server_is_healthy_and_a_stopped_one_ends_its_page)
{
    struct cluster cluster;
    start_servers(&cluster);
    const uint64_t until_ms = clock_ms() + HTTP_SILENT_MS + 500;
    int waited = 0;
    while (clock_ms() < until_ms) keep_waiting(&waited);
    for (waited = 0; status_of(cluster.broker_page, "GET", "/healthz") != 200 ||
                     metric(cluster.broker_page, "goldthread_broker_snapshot_age_seconds") > 3;)
        cr_assert(keep_waiting(&waited), "the broker's loop does not turn");
    for (waited = 0; status_of(cluster.aggregator_page, "GET", "/healthz") != 200;)
        cr_assert(keep_waiting(&waited), "the aggregator's loop does not turn");
    const int idle = dial(cluster.broker_page); /* a reader does not keep the server alive */
    for (int at = 1; at >= 0; at--) stop(cluster.pids[at]);
    close(idle);
}

Test(http, what_cannot_be_served_is_said_in_one_line)
{
    char taken[64];
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    cr_assert_eq(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&own, &size), 0);
    snprintf(taken, sizeof taken, "127.0.0.1:%u", ntohs(own.sin_port));
    static const char *const programs[] = {"goldthread-broker", "goldthread-aggregator"};
    for (size_t at = 0; at < 2; at++) {
        const struct {
            const char *address, *why;
            int status;
        } rows[] = {{"0.0.0.0:0", "add --http-public", 2},
                    {"somewhere", "is no address", 2},
                    {taken, "Address already in use", 1}};
        for (size_t row = 0; row < 3; row++) {
            const char *const words[] = {"--state", "s", "--bind", "ipc://x", "--http", rows[row].address, NULL};
            struct ran ran = run_program(programs[at], words);
            cr_expect_eq(ran.status, rows[row].status, "%s %s: %d", programs[at], rows[row].address, ran.status);
            cr_expect_not_null(strstr(ran.err, rows[row].why), "%s", ran.err);
            cr_expect_eq(strchr(ran.err, '\n'), ran.err + strlen(ran.err) - 1, "one line: %s", ran.err);
            cr_expect_eq(strstr(ran.err, " not-started ") != NULL, rows[row].status == 1, "%s", ran.err);
            ran_free(&ran);
        }
    }
    close(fd);
}
