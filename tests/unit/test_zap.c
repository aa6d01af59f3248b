/* Sockets with keys: who is let in, what is said of a sender, and what happens when keys come and go. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "net/process.h"
#include "net/socket.h"

#define PATIENCE_MS 300000 /* for something that must happen */
#define SILENCE_MS  700    /* long enough for a connection, were it let in */
#define FILES_MAX   256    /* descriptors of a process that is short of them */
#define IDLERS      40     /* plain TCP connections that say nothing, or nonsense */

struct stage {
    char folder[32], endpoint[64];
    struct net *net;
    struct socket *router;
    struct keys keys;
    struct message *message;
};

/* One that calls, in a ZeroMQ context of its own. */
struct caller {
    struct net *net;
    struct socket *socket;
    struct keys keys;
};

static char why[KEY_WHY_BYTES];

static const char *path_in(const struct stage *stage, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", stage->folder, name);
    return path;
}

static void authorize(const struct stage *stage, const struct key *key)
{
    char name[KEY_NAME_BYTES + 32];
    snprintf(name, sizeof name, KEYS_AUTHORIZED "/%s.pub", key->name);
    cr_assert(key_write(path_in(stage, name), false, key, why, sizeof why), "%s", why);
}

static void take_away(const struct stage *stage, const struct key *key)
{
    char name[KEY_NAME_BYTES + 32];
    snprintf(name, sizeof name, KEYS_AUTHORIZED "/%s.pub", key->name);
    cr_assert_eq(unlink(path_in(stage, name)), 0);
}

static struct stage *open_stage(void)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct key server;
    strcpy(stage->folder, "/tmp/gt-zap-XXXXXX");
    cr_assert_not_null(mkdtemp(stage->folder));
    cr_assert_eq(mkdir(path_in(stage, KEYS_AUTHORIZED), 0700), 0);
    cr_assert(key_make(&server, KEY_SERVER, "server"));
    cr_assert(key_write(path_in(stage, "server.key"), true, &server, why, sizeof why), "%s", why);
    cr_assert(keys_open(&stage->keys, stage->folder, KEY_SERVER, why, sizeof why), "%s", why);
    stage->message = calloc(1, sizeof *stage->message);
    stage->net = net_open();
    cr_assert(net_use_keys(stage->net, &stage->keys, why, sizeof why), "%s", why);
    stage->router =
        socket_bind(stage->net, "tcp://127.0.0.1:*", stage->endpoint, sizeof stage->endpoint, why, sizeof why);
    cr_assert_not_null(stage->router, "%s", why);
    return stage;
}

static int drop(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static void close_stage(struct stage *stage)
{
    socket_close(stage->router);
    net_close(stage->net);
    nftw(stage->folder, drop, 8, FTW_DEPTH | FTW_PHYS);
    free(stage->message);
    free(stage);
}

static void call(struct caller *caller, const struct stage *stage, const struct key *key, const char *server_public)
{
    *caller = (struct caller){.net = net_open()};
    caller->keys.own = *key;
    snprintf(caller->keys.server.public_text, sizeof caller->keys.server.public_text, "%s", server_public);
    cr_assert(net_use_keys(caller->net, &caller->keys, why, sizeof why), "%s", why);
    caller->socket = socket_connect(caller->net, stage->endpoint, why, sizeof why);
    cr_assert_not_null(caller->socket, "%s", why);
}

static void hang_up(struct caller *caller)
{
    socket_close(caller->socket);
    net_close(caller->net);
}

/* Says STATUS until it is heard. False: nothing came within patience_ms. */
static bool is_heard(struct stage *stage, struct socket *socket, uint64_t patience_ms)
{
    static struct message question;
    const char *reason;
    struct socket_id from;
    bool sent = false;
    question.kind = MESSAGE_STATUS;
    for (const uint64_t end_ms = clock_ms() + patience_ms; clock_ms() < end_ms;) {
        sent = sent || socket_send(socket, NULL, &question) == SOCKET_OK;
        if (socket_receive(stage->router, &from, stage->message, &reason) == SOCKET_OK) return true;
        struct socket *const both[] = {stage->router, socket};
        socket_wait(both, 2, -1, 20);
    }
    return false;
}

static struct key made(enum key_role role, const char *name)
{
    struct key key;
    cr_assert(key_make(&key, role, name));
    return key;
}

Test(zap, a_known_key_is_named_with_its_role)
{
    struct stage *stage = open_stage();
    const struct key worker = made(KEY_WORKER, "w1"), client = made(KEY_CLIENT, "anna");
    struct caller one, two;
    struct message *refusal = calloc(1, sizeof *refusal);
    authorize(stage, &worker);
    authorize(stage, &client);
    call(&one, stage, &worker, stage->keys.server.public_text);
    call(&two, stage, &client, stage->keys.server.public_text);
    cr_assert(is_heard(stage, one.socket, PATIENCE_MS));
    cr_expect_eq(socket_sender(stage->router)->role, KEY_WORKER);
    cr_expect_str_eq(socket_sender(stage->router)->name, "w1");
    cr_expect_not(socket_permits(stage->router, stage->message, refusal), "a worker asks for no STATUS");
    cr_expect_eq(refusal->kind, MESSAGE_ERROR);
    cr_expect_eq(refusal->error.code, ERROR_FORBIDDEN);
    cr_expect_str_eq(refusal->error.text, "STATUS: the key of 'w1' has the role worker, which may not");
    cr_assert(is_heard(stage, two.socket, PATIENCE_MS));
    cr_expect_eq(socket_sender(stage->router)->role, KEY_CLIENT);
    cr_expect(socket_permits(stage->router, stage->message, refusal));
    free(refusal);
    hang_up(&one);
    hang_up(&two);
    close_stage(stage);
}

Test(zap, an_unknown_key_a_wrong_server_and_a_caller_without_keys_get_nothing)
{
    struct stage *stage = open_stage();
    const struct key known = made(KEY_CLIENT, "anna"), unknown = made(KEY_CLIENT, "bob"),
                     other_server = made(KEY_SERVER, "server");
    struct caller caller;
    authorize(stage, &known);

    call(&caller, stage, &unknown, stage->keys.server.public_text);
    for (const uint64_t end_ms = clock_ms() + PATIENCE_MS; net_denied(stage->net) == 0;) {
        cr_assert_lt(clock_ms(), end_ms, "it is not counted");
        cr_assert_not(is_heard(stage, caller.socket, SILENCE_MS), "unknown key");
    }
    hang_up(&caller);

    call(&caller, stage, &known, other_server.public_text);
    cr_expect_not(is_heard(stage, caller.socket, SILENCE_MS), "wrong server");
    hang_up(&caller);

    struct net *plain = net_open();
    struct socket *socket = socket_connect(plain, stage->endpoint, why, sizeof why);
    cr_expect_not(is_heard(stage, socket, SILENCE_MS), "no keys");
    socket_close(socket);
    net_close(plain);

    call(&caller, stage, &known, stage->keys.server.public_text);
    cr_expect(is_heard(stage, caller.socket, PATIENCE_MS), "the server goes on");
    hang_up(&caller);
    close_stage(stage);
}

Test(zap, a_process_with_keys_leaves_no_core_dump)
{
    cr_assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
    struct stage *stage = open_stage();
    cr_expect_eq(prctl(PR_GET_DUMPABLE), 0);
    close_stage(stage);
}

Test(zap, the_servers_own_key_lets_nobody_in_as_a_server)
{
    struct stage *stage = open_stage();
    const struct key server = made(KEY_SERVER, "second");
    struct caller caller;
    authorize(stage, &server);
    call(&caller, stage, &server, stage->keys.server.public_text);
    cr_expect_not(is_heard(stage, caller.socket, SILENCE_MS));
    hang_up(&caller);
    close_stage(stage);
}

/* What the sender of the next message is, once it is `wanted`; a key that changes is noticed a moment later. */
static bool becomes(struct stage *stage, struct socket *socket, enum key_role wanted)
{
    for (const uint64_t end_ms = clock_ms() + PATIENCE_MS; clock_ms() < end_ms;)
        if (is_heard(stage, socket, PATIENCE_MS) && socket_sender(stage->router)->role == wanted) return true;
    return false;
}

Test(zap, a_key_that_is_taken_away_says_nothing_more_over_an_open_connection)
{
    struct stage *stage = open_stage();
    const struct key key = made(KEY_CLIENT, "anna");
    struct caller caller;
    struct message *refusal = calloc(1, sizeof *refusal);
    authorize(stage, &key);
    call(&caller, stage, &key, stage->keys.server.public_text);
    cr_assert(becomes(stage, caller.socket, KEY_CLIENT));
    take_away(stage, &key);
    cr_assert(becomes(stage, caller.socket, KEY_NONE));
    cr_expect_not(socket_permits(stage->router, stage->message, refusal));
    cr_expect_eq(refusal->error.code, ERROR_FORBIDDEN);
    for (int times = 0; times < 20; times++) {
        cr_assert(is_heard(stage, caller.socket, PATIENCE_MS));
        cr_assert_eq(socket_sender(stage->router)->role, KEY_NONE, "and it stays so");
    }
    authorize(stage, &key);
    cr_expect(becomes(stage, caller.socket, KEY_CLIENT), "until it is known again");
    free(refusal);
    hang_up(&caller);
    close_stage(stage);
}

/* Every descriptor that was left. */
struct hoard {
    int fds[FILES_MAX];
    size_t count;
};

static void use_up_descriptors(struct hoard *hoard)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = FILES_MAX;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    hoard->count = 0;
    for (int fd; (fd = dup(STDERR_FILENO)) >= 0;) hoard->fds[hoard->count++] = fd;
    cr_assert_gt(hoard->count, 0);
}

static void let_go(const struct hoard *hoard)
{
    for (size_t at = 0; at < hoard->count; at++) close(hoard->fds[at]);
}

Test(zap, strangers_that_use_up_the_descriptors_take_nobodys_key_away_and_save_none)
{
    struct stage *stage = open_stage();
    const struct key anna = made(KEY_CLIENT, "anna"), ben = made(KEY_CLIENT, "ben"), cleo = made(KEY_CLIENT, "cleo");
    struct caller callers[2], late;
    struct hoard hoard;
    char away[128];
    authorize(stage, &anna);
    authorize(stage, &ben);
    snprintf(away, sizeof away, "%s", path_in(stage, "cleo.pub"));
    cr_assert(key_write(away, false, &cleo, why, sizeof why), "%s", why);
    call(&callers[0], stage, &anna, stage->keys.server.public_text);
    call(&callers[1], stage, &ben, stage->keys.server.public_text);
    cr_assert(becomes(stage, callers[0].socket, KEY_CLIENT) && becomes(stage, callers[1].socket, KEY_CLIENT));

    use_up_descriptors(&hoard);
    take_away(stage, &ben);
    cr_assert_eq(rename(away, path_in(stage, KEYS_AUTHORIZED "/cleo.pub")), 0);
    cr_expect(becomes(stage, callers[1].socket, KEY_NONE), "a key that is taken away is so at once");
    for (int times = 0; times < 20; times++) {
        cr_assert(is_heard(stage, callers[0].socket, PATIENCE_MS));
        cr_expect_eq(socket_sender(stage->router)->role, KEY_CLIENT, "one that nobody touched goes on");
    }
    let_go(&hoard);
    call(&late, stage, &cleo, stage->keys.server.public_text);
    cr_expect(is_heard(stage, late.socket, PATIENCE_MS), "a new one is known once it can be read");
    hang_up(&late);
    hang_up(&callers[1]);
    hang_up(&callers[0]);
    close_stage(stage);
}

Test(zap, a_key_gets_another_role_while_its_connection_is_open)
{
    struct stage *stage = open_stage();
    struct key key = made(KEY_CLIENT, "anna");
    struct caller caller;
    authorize(stage, &key);
    call(&caller, stage, &key, stage->keys.server.public_text);
    cr_assert(becomes(stage, caller.socket, KEY_CLIENT));
    take_away(stage, &key);
    key.role = KEY_ADMIN;
    authorize(stage, &key);
    cr_expect(becomes(stage, caller.socket, KEY_ADMIN));
    hang_up(&caller);
    close_stage(stage);
}

Test(zap, a_new_key_is_let_in_at_once_and_the_old_one_no_more)
{
    struct stage *stage = open_stage();
    const struct key before = made(KEY_WORKER, "w-2025"), after = made(KEY_WORKER, "w-2026");
    struct caller caller;
    authorize(stage, &before);
    call(&caller, stage, &before, stage->keys.server.public_text);
    cr_assert(is_heard(stage, caller.socket, PATIENCE_MS));
    hang_up(&caller);
    authorize(stage, &after);
    call(&caller, stage, &after, stage->keys.server.public_text); /* the folder is read anew before it is judged */
    cr_expect(is_heard(stage, caller.socket, PATIENCE_MS));
    cr_expect_str_eq(socket_sender(stage->router)->name, "w-2026");
    hang_up(&caller);
    take_away(stage, &before);
    call(&caller, stage, &before, stage->keys.server.public_text);
    cr_expect_not(is_heard(stage, caller.socket, SILENCE_MS));
    hang_up(&caller);
    close_stage(stage);
}

Test(zap, files_that_are_no_sound_keys_are_left_out_and_the_others_count)
{
    struct stage *stage = open_stage();
    const struct key open = made(KEY_ADMIN, "open"), sound = made(KEY_CLIENT, "sound"),
                     twice = made(KEY_CLIENT, "twice");
    struct key again = twice;
    struct zap_holder holder;
    strcpy(again.name, "again");
    again.role = KEY_ADMIN;
    authorize(stage, &open);
    authorize(stage, &twice);
    authorize(stage, &again);
    cr_assert_eq(chmod(path_in(stage, KEYS_AUTHORIZED "/open.pub"), 0666), 0);
    FILE *file = fopen(path_in(stage, KEYS_AUTHORIZED "/nonsense.pub"), "w");
    cr_assert(file && fputs("nonsense\n", file) >= 0 && fclose(file) == 0);
    cr_assert_eq(mkdir(path_in(stage, KEYS_AUTHORIZED "/folder.pub"), 0700), 0);
    authorize(stage, &sound);

    void *context = zmq_ctx_new();
    struct zap *zap = zap_open(context, stage->folder, why, sizeof why);
    cr_assert_not_null(zap, "%s", why);
    cr_expect(zap_find(zap, sound.public_text, &holder));
    cr_expect_eq(holder.role, KEY_CLIENT);
    cr_expect_not(zap_find(zap, open.public_text, &holder), "others may write it");
    cr_expect_not(zap_find(zap, twice.public_text, &holder), "which role it has is not known");
    cr_expect_eq(holder.role, KEY_NONE);
    cr_expect_not(zap_find(zap, "", &holder));
    cr_expect_not(zap_find(zap, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7rq:rM", &holder));
    zap_close(zap);
    zmq_ctx_term(context);
    close_stage(stage);
}

Test(zap, a_folder_that_others_may_write_to_or_that_is_gone_lets_nobody_say_anything)
{
    struct stage *stage = open_stage();
    const struct key key = made(KEY_CLIENT, "anna");
    struct caller caller;
    char away[64];
    authorize(stage, &key);
    call(&caller, stage, &key, stage->keys.server.public_text);
    cr_assert(becomes(stage, caller.socket, KEY_CLIENT));
    cr_assert_eq(chmod(path_in(stage, KEYS_AUTHORIZED), 0777), 0);
    cr_expect(becomes(stage, caller.socket, KEY_NONE));
    cr_assert_eq(chmod(path_in(stage, KEYS_AUTHORIZED), 0700), 0);
    cr_expect(becomes(stage, caller.socket, KEY_CLIENT));
    snprintf(away, sizeof away, "%s/away", stage->folder);
    cr_assert_eq(rename(path_in(stage, KEYS_AUTHORIZED), away), 0);
    cr_expect(becomes(stage, caller.socket, KEY_NONE));
    hang_up(&caller);
    close_stage(stage);
}

Test(zap, a_server_does_not_start_without_a_folder_of_known_keys)
{
    struct stage *stage = open_stage();
    struct net *net = net_open();
    cr_assert_eq(rmdir(path_in(stage, KEYS_AUTHORIZED)), 0);
    cr_expect_not(net_use_keys(net, &stage->keys, why, sizeof why));
    cr_expect_not_null(strstr(why, KEYS_AUTHORIZED), "%s", why);
    net_close(net);
    close_stage(stage);
}

Test(zap, over_ipc_everyone_is_trusted)
{
    struct stage *stage = open_stage();
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/s", stage->folder);
    struct socket *router = socket_bind(stage->net, endpoint, NULL, 0, why, sizeof why), *tcp = stage->router;
    cr_assert_not_null(router, "%s", why);
    struct net *plain = net_open();
    struct socket *socket = socket_connect(plain, endpoint, why, sizeof why);
    stage->router = router;
    cr_expect(is_heard(stage, socket, PATIENCE_MS));
    cr_expect_eq(socket_sender(router)->role, KEY_TRUSTED);
    stage->router = tcp;
    socket_close(socket);
    socket_close(router);
    net_close(plain);
    close_stage(stage);
}

static int dial_plainly(const char *endpoint)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void dial_idly(const struct stage *stage, int idlers[IDLERS], int at)
{
    static const uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    const size_t size = at % 4 == 0 ? 0 : at % 4 == 1 ? 1 : at % 4 == 2 ? 11 : sizeof greeting;
    idlers[at] = dial_plainly(stage->endpoint);
    send(idlers[at], greeting, size, MSG_NOSIGNAL);
    if (at % 8 == 7) send(idlers[at], "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL);
}

/* Whether this caller is heard beside idlers; those that were given up meanwhile come again, so that it is not their
 * end that was waited for. */
static bool is_heard_beside(struct stage *stage, int idlers[IDLERS], const struct caller *caller)
{
    for (const uint64_t end_ms = clock_ms() + PATIENCE_MS; clock_ms() < end_ms;) {
        for (int at = 0; at < IDLERS; at++) {
            struct pollfd idler = {.fd = idlers[at], .events = POLLRDHUP};
            if (poll(&idler, 1, 0) == 0) continue;
            close(idlers[at]);
            dial_idly(stage, idlers, at);
        }
        if (is_heard(stage, caller->socket, 50) &&
            strcmp(socket_sender(stage->router)->name, caller->keys.own.name) == 0)
            return true;
    }
    return false;
}

/* A connection without a ZeroMQ greeting once kept a CURVE server from all others (CVE-2020-15166). */
Test(zap, plain_tcp_connections_do_not_stall_the_others)
{
    struct stage *stage = open_stage();
    const struct key anna = made(KEY_CLIENT, "anna"), ben = made(KEY_CLIENT, "ben");
    struct caller before, after;
    int idlers[IDLERS];
    authorize(stage, &anna);
    authorize(stage, &ben);
    call(&before, stage, &anna, stage->keys.server.public_text);
    cr_assert(is_heard(stage, before.socket, PATIENCE_MS));
    for (int at = 0; at < IDLERS; at++) dial_idly(stage, idlers, at);
    cr_expect(is_heard_beside(stage, idlers, &before), "a connection that was there");
    call(&after, stage, &ben, stage->keys.server.public_text);
    cr_expect(is_heard_beside(stage, idlers, &after), "one that comes later");
    for (int at = 0; at < IDLERS; at++) close(idlers[at]);
    hang_up(&before);
    hang_up(&after);
    close_stage(stage);
}

static void send_zap(void *asker, const char *const *frames, const size_t *sizes, size_t count)
{
    for (size_t at = 0; at < count; at++)
        cr_assert_geq(zmq_send(asker, frames[at], sizes[at], at + 1 < count ? ZMQ_SNDMORE : 0), 0);
}

/* ZeroMQ itself asks no such thing; whatever shares the context might. */
Test(zap, requests_that_are_not_of_curve_or_not_whole_are_denied)
{
    struct stage *stage = open_stage();
    const struct key key = made(KEY_CLIENT, "anna");
    uint8_t public[32];
    authorize(stage, &key);
    zmq_z85_decode(public, key.public_text);
    const struct {
        const char *version, *mechanism;
        size_t key_bytes, count;
        const char *status;
    } rows[] = {{"1.0", "CURVE", 32, 7, "200"},     {"2.0", "CURVE", 32, 7, "400"}, {"1.0", "NULL", 0, 6, "400"},
                {"1.0", "PLAIN", 32, 7, "400"},     {"1.0", "CURVE", 31, 7, "400"}, {"1.0", "CURVE", 32, 6, "400"},
                {"1.0", "CURVE", 32, 8, "400"},     {"1.0", "CURVE", 0, 7, "400"},  {"1.0", "CURVE", 32, 2, "400"},
                {"1.0", "CURVECURVE", 32, 7, "400"}};
    void *context = zmq_ctx_new();
    struct zap *zap = zap_open(context, stage->folder, why, sizeof why);
    cr_assert_not_null(zap, "%s", why);
    void *asker = zmq_socket(context, ZMQ_REQ);
    const int patience_ms = PATIENCE_MS;
    zmq_setsockopt(asker, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    cr_assert_eq(zmq_connect(asker, "inproc://zeromq.zap.01"), 0);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        const char *frames[] = {rows[row].version,    "7", "d", "::1", "id", rows[row].mechanism,
                                (const char *)public, "x"};
        const size_t sizes[] = {strlen(frames[0]), 1, 1, 3, 2, strlen(frames[5]), rows[row].key_bytes, 1};
        char answer[6][64] = {{0}};
        send_zap(asker, frames, sizes, rows[row].count);
        for (int at = 0; at < 6; at++) cr_assert_geq(zmq_recv(asker, answer[at], 63, 0), 0, "row %zu", row);
        cr_expect_str_eq(answer[0], "1.0");
        cr_expect_str_eq(answer[1], "7", "row %zu", row);
        cr_expect_str_eq(answer[2], rows[row].status, "row %zu", row);
        cr_expect_str_eq(answer[4], row == 0 ? key.public_text : "", "row %zu", row);
    }
    cr_expect_eq(zap_denied(zap), sizeof rows / sizeof *rows - 1);
    zmq_close(asker);
    zap_close(zap);
    zmq_ctx_term(context);
    close_stage(stage);
}
