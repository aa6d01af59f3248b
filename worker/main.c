/* goldthread-worker: the shell around a worker's session. This thread owns the sockets, and so answers
 * at once while the other thread computes. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "net/flags.h"
#include "net/process.h"
#include "net/socket.h"
#include "session.h"
#include "shell_compute.h"

#define BLOCK_SECONDS     86400
#define BLOCK_SECONDS_MAX 31536000
#define ABORT_MS          10000u /* a block that is not wanted any more has so long to end: as long as a run of the model */
#define TURN_MESSAGES     64
#define UNSENT_DEPTH      3 /* a failure to send may lead to one more message, and no further */
#define WHY_BYTES         512
#define REFUSED_LOG_MS    1000u /* at most one line in this time */

struct settings {
    const char *broker, *aggregator, *name, *keys_folder, *models;
    struct keys room;
    const struct keys *keys; /* NULL: none */
    char own_name[MESSAGE_NAME_BYTES];
    int parent;
    uint64_t block_seconds; /* that a block may take; 0: as long as it takes */
    bool verbose;
};

struct shell {
    const struct settings *settings;
    struct session *session;
    struct computer *computer;
    uint32_t computing; /* the slot that was started last */
    bool stuck;         /* its block does not end, and nothing more can be computed here */
    struct net *net;
    struct socket *broker, *aggregator;      /* the aggregator's is NULL until its endpoint is known */
    bool broker_blocked, aggregator_blocked; /* a send did not go out */
    int stop_fd, wake_fd;                    /* wake: epoll over the stop signal and the computer */
    struct buffer parts[SESSION_PARTS_MAX];
    struct session_effects effects[UNSENT_DEPTH];
    uint64_t refused_logged_ms;
    struct message incoming, outgoing;
};

/* Flags */

static const struct flag flags[] = {
    {"broker", "ENDPOINT", "where the broker is; default tcp://127.0.0.1:7070"},
    {"aggregator", "ENDPOINT", "where the aggregator is; default: what the broker says"},
    {"name", "NAME", "what this worker is called; default HOST-PID"},
    {"keys", "DIR", "folder of keys: encrypt, and be known (or GOLDTHREAD_KEYS)"},
    {"models", "DIR", "folder of the shared objects that sweeps may name as their model; without it none is loaded"},
    {"block-seconds", "N", "a block that takes longer is given up, and this worker ends; 0: none is; default 86400"},
    {"follow-parent", "PID", "stop when this process, the parent, ends"},
    {"verbose", NULL, "log every connection and part"},
};

static bool apply_flag(void *context, const char *name, const char *value, char *why)
{
    struct settings *settings = context;
    if (strcmp(name, "broker") == 0) settings->broker = value;
    if (strcmp(name, "aggregator") == 0) settings->aggregator = value;
    if (strcmp(name, "keys") == 0) settings->keys_folder = value;
    if (strcmp(name, "models") == 0) settings->models = value;
    if (strcmp(name, "verbose") == 0) settings->verbose = true;
    if (strcmp(name, "name") == 0) {
        settings->name = value;
        if (value[0] != 0 && strlen(value) < MESSAGE_NAME_BYTES) return true;
        snprintf(why, FLAG_WHY_BYTES, "--name: 1 to %d bytes are needed", MESSAGE_NAME_BYTES - 1);
        return false;
    }
    if (strcmp(name, "block-seconds") == 0) {
        const long seconds = flag_number(value);
        settings->block_seconds = (uint64_t)seconds;
        if (seconds >= 0 && seconds <= BLOCK_SECONDS_MAX) return true;
        snprintf(why, FLAG_WHY_BYTES, "--block-seconds '%.64s': 0 to %d are allowed", value, BLOCK_SECONDS_MAX);
        return false;
    }
    if (strcmp(name, "follow-parent") == 0) {
        const long pid = flag_number(value);
        settings->parent = (int)pid;
        if (pid >= 1 && pid <= 1 << 22) return true;
        snprintf(why, FLAG_WHY_BYTES, "--follow-parent '%.64s': a process id is needed", value);
        return false;
    }
    return true;
}

/* Carrying out effects */

static void connect_broker(struct shell *shell)
{
    char why[WHY_BYTES];
    socket_close(shell->broker);
    shell->broker = socket_connect(shell->net, shell->settings->broker, why, sizeof why);
    shell->broker_blocked = false;
    if (shell->broker == NULL) log_event(LOG_ERROR, "no-socket", "reason=\"%s\"", why);
}

static void connect_aggregator(struct shell *shell)
{
    char why[WHY_BYTES];
    const char *endpoint = session_aggregator(shell->session);
    socket_close(shell->aggregator);
    shell->aggregator = socket_connect(shell->net, endpoint, why, sizeof why);
    shell->aggregator_blocked = false;
    if (shell->aggregator == NULL) log_event(LOG_ERROR, "no-socket", "reason=\"%s\"", why);
    log_event(LOG_DEBUG, "aggregator", "endpoint=%s", endpoint);
}

static void step(struct shell *shell, struct session_event *event, size_t depth);

static void send_effect(struct shell *shell, const struct session_effect *effect, size_t depth)
{
    const bool part = effect->kind == SESSION_SEND_PART;
    struct socket *socket = part ? shell->aggregator : shell->broker;
    session_compose(shell->session, effect, &shell->outgoing);
    if (part) shell->outgoing.partial.node = buffer_span(&shell->parts[effect->slot]);
    const enum socket_result result = socket != NULL ? socket_send(socket, NULL, &shell->outgoing) : SOCKET_GONE;
    log_event(LOG_DEBUG, result == SOCKET_OK ? "sent" : "unsent", "kind=%s", message_kind_name(effect->message));
    if (result == SOCKET_OK) return;
    *(part ? &shell->aggregator_blocked : &shell->broker_blocked) = true;
    if (depth + 1 < UNSENT_DEPTH)
        step(shell,
             &(struct session_event){.kind = SESSION_UNSENT, .unsent = effect, .hopeless = result == SOCKET_ERROR},
             depth + 1);
}

/* What cannot be kept for want of memory fails when it is computed. */
static void load(struct shell *shell, const struct session_effect *effect)
{
    const bool kept = effect->kind == SESSION_LOAD_SWEEP
                          ? computer_load_sweep(shell->computer, effect->place, effect->bytes)
                          : computer_load_population(shell->computer, effect->place, effect->bytes);
    if (!kept) log_event(LOG_ERROR, "not-kept", "reason=\"out of memory\" bytes=%zu", effect->bytes.size);
}

static void carry_out(struct shell *shell, const struct session_effect *effect, size_t depth)
{
    switch (effect->kind) {
    case SESSION_SEND:
    case SESSION_SEND_PART:
        send_effect(shell, effect, depth);
        break;
    case SESSION_RECONNECT:
        log_event(LOG_WARNING, "broker-silent", "endpoint=%s", shell->settings->broker);
        connect_broker(shell);
        break;
    case SESSION_CONNECT:
        connect_aggregator(shell);
        break;
    case SESSION_LOAD_SWEEP:
    case SESSION_LOAD_POPULATION:
        load(shell, effect);
        break;
    case SESSION_COMPUTE:
        if (shell->stuck) break; /* it is handed back when this worker leaves */
        shell->computing = effect->slot;
        computer_start(shell->computer, effect->slot, effect->place, effect->level, effect->index);
        break;
    case SESSION_ABORT:
        computer_abort(shell->computer);
        break;
    case SESSION_DROP:
        buffer_free(&shell->parts[effect->slot]);
        break;
    }
}

static void step(struct shell *shell, struct session_event *event, size_t depth)
{
    struct session_effects *effects = &shell->effects[depth];
    event->now_ms = clock_ms();
    session_step(shell->session, event, effects);
    for (size_t at = 0; at < effects->count; at++) carry_out(shell, &effects->list[at], depth);
}

/* The loop */

static void take_computed(struct shell *shell)
{
    struct computed computed;
    if (!computer_take(shell->computer, &computed)) return;
    struct session_event event = {.kind = SESSION_COMPUTED, .slot = computed.slot};
    event.computed.bytes = computed.node.size;
    event.computed.compute_us = computed.compute_us;
    event.computed.failed_block = computed.failed_block;
    if (computed.failure[0] != 0) {
        event.computed.failure = computed.failure;
        event.computed.unfit = computed.unfit;
        if (!computed.aborted)
            log_event(LOG_WARNING, "block-failed", "block=%llu reason=\"%s\"",
                      (unsigned long long)computed.failed_block, computed.failure);
    }
    buffer_free(&shell->parts[computed.slot]);
    shell->parts[computed.slot] = computed.node;
    step(shell, &event, 0);
}

/* Why nobody waits for the block any longer that is being computed; false: it may go on. */
static bool is_overdue(const struct shell *shell, uint64_t *block, char *why, size_t why_bytes)
{
    const uint64_t limit = shell->settings->block_seconds, block_ms = computer_block_ms(shell->computer, block);
    if (limit > 0 && block_ms > limit * 1000)
        snprintf(why, why_bytes, "it takes longer than %llu s (--block-seconds of the worker)",
                 (unsigned long long)limit);
    else if (block_ms > 0 && computer_abort_ms(shell->computer) > ABORT_MS)
        snprintf(why, why_bytes, "it was told to end, and has not within %u s", ABORT_MS / 1000);
    else return false;
    return true;
}

/* A thread cannot be ended from outside, so the worker that computes a block without end has to: it says which
 * one, hands back what else it has, and leaves. */
static bool is_stuck(struct shell *shell)
{
    char why[128];
    uint64_t block;
    if (!is_overdue(shell, &block, why, sizeof why)) return false;
    log_event(LOG_ERROR, "block-endless", "block=%llu reason=\"%s\"", (unsigned long long)block, why);
    shell->stuck = true;
    struct session_event event = {.kind = SESSION_COMPUTED, .slot = shell->computing};
    event.computed.failure = why;
    event.computed.failed_block = block;
    step(shell, &event, 0);
    return true;
}

/* Nothing that the session could mend, such as a name that is taken; people can. */
static void log_refusal(struct shell *shell)
{
    const struct message *message = &shell->incoming;
    if (message->kind != MESSAGE_ERROR) return;
    const uint64_t now_ms = clock_ms();
    if (shell->refused_logged_ms > 0 && now_ms < shell->refused_logged_ms + REFUSED_LOG_MS) return;
    shell->refused_logged_ms = now_ms;
    log_event(LOG_WARNING, message->error.code == ERROR_FORBIDDEN ? "forbidden" : "refused", "reason=\"%s\"",
              message->error.text);
}

static void receive_from(struct shell *shell, enum session_peer peer)
{
    struct socket **socket = peer == SESSION_BROKER ? &shell->broker : &shell->aggregator;
    for (int count = 0; count < TURN_MESSAGES && *socket != NULL; count++) {
        const char *why = "";
        const enum socket_result result = socket_receive(*socket, NULL, &shell->incoming, &why);
        if (result == SOCKET_EMPTY) return;
        if (result == SOCKET_OK) log_refusal(shell);
        if (result == SOCKET_OK)
            step(shell, &(struct session_event){.kind = SESSION_MESSAGE, .peer = peer, .message = &shell->incoming}, 0);
        else log_event(LOG_WARNING, "malformed", "reason=\"%s\"", why);
    }
}

static void tell_writable(struct shell *shell, enum session_peer peer)
{
    bool *blocked = peer == SESSION_BROKER ? &shell->broker_blocked : &shell->aggregator_blocked;
    struct socket *socket = peer == SESSION_BROKER ? shell->broker : shell->aggregator;
    if (!*blocked || socket == NULL || !socket_can_send(socket)) return;
    *blocked = false;
    step(shell, &(struct session_event){.kind = SESSION_WRITABLE, .peer = peer}, 0);
}

static bool stop_wanted(const struct shell *shell)
{
    struct pollfd stop = {.fd = shell->stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) > 0;
}

static void wait(struct shell *shell)
{
    struct socket *sockets[2];
    size_t count = 0;
    if (shell->broker != NULL) sockets[count++] = shell->broker;
    if (shell->aggregator != NULL) sockets[count++] = shell->aggregator;
    const uint64_t due_ms = session_next_due_ms(shell->session), now_ms = clock_ms();
    const int64_t patience_ms = due_ms == UINT64_MAX ? -1 : due_ms <= now_ms ? 0 : (int64_t)(due_ms - now_ms);
    socket_wait(sockets, count, shell->wake_fd, patience_ms);
}

static void serve(struct shell *shell)
{
    while (!stop_wanted(shell) && !session_has_left(shell->session) && !is_stuck(shell)) {
        if (session_next_due_ms(shell->session) <= clock_ms())
            step(shell, &(struct session_event){.kind = SESSION_TICK}, 0);
        wait(shell);
        take_computed(shell);
        receive_from(shell, SESSION_BROKER);
        receive_from(shell, SESSION_AGGREGATOR);
        tell_writable(shell, SESSION_BROKER);
        tell_writable(shell, SESSION_AGGREGATOR);
    }
    step(shell, &(struct session_event){.kind = SESSION_STOP}, 0);
}

/* Starting and stopping */

static bool open_session(struct shell *shell)
{
    struct session_setup setup = {.name = shell->settings->name,
                                  .program = "goldthread-worker " GOLDTHREAD_VERSION,
                                  .built_in_population = computer_built_in(shell->computer),
                                  .aggregator = shell->settings->aggregator};
    if (getrandom(&setup.instance, sizeof setup.instance, 0) < 0) return false;
    shell->session = session_new(&setup);
    return shell->session != NULL;
}

static bool watch(const struct shell *shell, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(shell->wake_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Endpoints are tried here, so that a misspelt one is told at once and not for ever retried. */
static bool open_sockets(struct shell *shell, char *why)
{
    snprintf(why, WHY_BYTES, "%s", NET_WANTS);
    shell->net = net_open();
    if (shell->net == NULL) return false;
    if (shell->settings->keys != NULL && !net_use_keys(shell->net, shell->settings->keys, why, WHY_BYTES)) return false;
    shell->broker = socket_connect(shell->net, shell->settings->broker, why, WHY_BYTES);
    if (shell->broker == NULL) return false;
    if (shell->settings->aggregator == NULL) return true;
    shell->aggregator = socket_connect(shell->net, shell->settings->aggregator, why, WHY_BYTES);
    return shell->aggregator != NULL;
}

static bool open_shell(struct shell *shell, char *why)
{
    shell->computer = computer_open(shell->settings->models, why, WHY_BYTES);
    if (shell->computer == NULL) return false;
    shell->wake_fd = epoll_create1(EPOLL_CLOEXEC);
    if (shell->wake_fd < 0 || !watch(shell, shell->stop_fd) || !watch(shell, computer_fd(shell->computer)))
        return false;
    return open_session(shell) && open_sockets(shell, why);
}

/* False: the computing thread is inside a long block, and ends with the process. */
static bool close_shell(struct shell *shell)
{
    socket_close(shell->broker);
    socket_close(shell->aggregator);
    net_close(shell->net);
    session_free(shell->session);
    if (shell->wake_fd >= 0) close(shell->wake_fd);
    for (uint32_t slot = 0; slot < SESSION_PARTS_MAX; slot++) buffer_free(&shell->parts[slot]);
    const bool ended = computer_close(shell->computer);
    free(shell);
    return ended;
}

static int run(const struct settings *settings)
{
    char why[WHY_BYTES] = "out of memory or handles";
    struct shell *shell = calloc(1, sizeof *shell);
    if (shell == NULL) return EXIT_FAILED;
    shell->settings = settings;
    shell->wake_fd = -1;
    shell->stop_fd = process_stop_fd();
    if (settings->parent != 0 && !process_follow_parent(settings->parent)) {
        free(shell);
        return EXIT_OK; /* the parent is gone: nobody wants this process */
    }
    const bool opened = shell->stop_fd >= 0 && open_shell(shell, why);
    if (opened) {
        log_event(LOG_INFO, "started", "name=%s broker=%s", settings->name, settings->broker);
        serve(shell);
    } else {
        log_event(LOG_ERROR, "not-started", "reason=\"%s\"", why);
    }
    const int status = opened && !shell->stuck ? EXIT_OK : EXIT_FAILED;
    if (!close_shell(shell)) _exit(status);
    return status;
}

static void name_self(struct settings *settings)
{
    char host[MESSAGE_NAME_BYTES - 16] = "worker";
    gethostname(host, sizeof host - 1);
    snprintf(settings->own_name, sizeof settings->own_name, "%s-%d", host, (int)getpid());
    if (settings->name == NULL) settings->name = settings->own_name;
}

int main(int argc, char **argv)
{
    const struct flag_table table = {"goldthread-worker", "Computes blocks of sweeps for a broker.", flags,
                                     sizeof flags / sizeof *flags, apply_flag};
    struct settings settings = {.broker = "tcp://127.0.0.1:7070", .block_seconds = BLOCK_SECONDS};
    const int status = flags_read(&table, argc, argv, &settings);
    if (status >= 0) return status;
    char why[KEY_WHY_BYTES];
    if (!net_find_keys(settings.keys_folder, KEY_WORKER, (const char *[2]){settings.broker, settings.aggregator},
                       &settings.room, &settings.keys, why, sizeof why)) {
        fprintf(stderr, "goldthread-worker: %s\n", why);
        return EXIT_USAGE;
    }
    name_self(&settings);
    log_open("goldthread-worker", settings.verbose ? LOG_DEBUG : LOG_INFO);
    return run(&settings);
}
