/* goldthread-broker: the shell around the broker's core. It waits, receives, steps the core, commits
 * what the core wants kept, and only then sends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broker.h"
#include "digest.h"
#include "metrics.h"
#include "net/count.h"
#include "net/flags.h"
#include "net/http.h"
#include "net/process.h"
#include "net/socket.h"
#include "shell_journal.h"

#define TURN_MESSAGES    256 /* received before what they caused is committed and sent */
#define TURNS_UNREAD     64  /* in which there is more to read, until the clock is looked at all the same */
#define OUTBOX_MAX       4096
#define KEEP_LAZILY_MS   100 /* how long finished blocks may wait for a commit */
#define HEARTBEAT_MS     500
#define LEASE_MS         5000
#define WHY_BYTES        512
#define FORBIDDEN_LOG_MS 1000u /* at most one line in this time: others cause them */

struct settings {
    const char *bind, *state, *keys_folder;
    struct keys room;
    const struct keys *keys; /* NULL: none */
    uint64_t heartbeat_ms, lease_ms;
    const char *http; /* address of the page; NULL: none */
    bool http_public;
    int parent;
    bool verbose, verify;
};

struct shell {
    struct broker *broker;
    struct journal *journal;
    struct net *net;
    struct socket *socket;
    struct http *http; /* or NULL */
    uint64_t began_ms;
    struct traffic traffic;
    struct histogram commits;
    int stop_fd;
    bool urgent;            /* something was kept that must be on disk before the next send */
    uint64_t commit_due_ms; /* when finished blocks are to be committed at the latest */
    bool unread;            /* the last turn left messages that had arrived */
    int unread_turns;       /* one after another */
    struct broker_effects effects;
    uint64_t forbidden; /* messages that their sender's key may not send */
    uint64_t forbidden_logged_ms;
    struct message incoming, outgoing;
    size_t outbox_count;
    struct broker_effect outbox[OUTBOX_MAX];
};

/* Flags */

static const struct flag flags[] = {
    {"bind", "ENDPOINT", "where to listen; default tcp://127.0.0.1:7070"},
    {"state", "DIR", "where the journal is kept; made when it is not there; required"},
    {"heartbeat-ms", "MS", "between heartbeats of workers; default 500"},
    {"lease-ms", "MS", "how long a lease runs without a heartbeat; default 5000"},
    {"keys", "DIR", "folder of keys: encrypt, and know who sends (or GOLDTHREAD_KEYS)"},
    {"http", "ADDRESS:PORT", "serve /healthz, /metrics and /status.json there; port 0: a free one"},
    {"http-public", NULL, "let --http be an address that other machines reach"},
    {"follow-parent", "PID", "stop when this process, the parent, ends"},
    {"verbose", NULL, "log every worker, lease and sweep"},
    {"verify", NULL, "look at every row in --state, change nothing, and end: 0 sound, 1 damaged, 2 in use"},
};

static bool take_number(const char *name, const char *value, long most, long *number, char *why)
{
    *number = flag_number(value);
    if (*number >= 1 && *number <= most) return true;
    snprintf(why, FLAG_WHY_BYTES, "--%s '%.64s': a whole number from 1 to %ld is needed", name, value, most);
    return false;
}

static bool apply_flag(void *context, const char *name, const char *value, char *why)
{
    struct settings *settings = context;
    long number = 0;
    if (strcmp(name, "bind") == 0) settings->bind = value;
    if (strcmp(name, "state") == 0) settings->state = value;
    if (strcmp(name, "keys") == 0) settings->keys_folder = value;
    if (strcmp(name, "verbose") == 0) settings->verbose = true;
    if (strcmp(name, "http") == 0) settings->http = value;
    if (strcmp(name, "http-public") == 0) settings->http_public = true;
    if (strcmp(name, "verify") == 0) settings->verify = true;
    if (strcmp(name, "heartbeat-ms") == 0) {
        if (!take_number(name, value, 60000, &number, why)) return false;
        settings->heartbeat_ms = (uint64_t)number;
    }
    if (strcmp(name, "lease-ms") == 0) {
        if (!take_number(name, value, 3600000, &number, why)) return false;
        settings->lease_ms = (uint64_t)number;
    }
    if (strcmp(name, "follow-parent") == 0) {
        if (!take_number(name, value, 1 << 22, &number, why)) return false;
        settings->parent = (int)number;
    }
    return true;
}

/* Carrying out effects */

/* What a worker or a client wrote stays in its field of the line. */
static const char *without_quotes(char text[MESSAGE_NAME_BYTES], const char *given)
{
    snprintf(text, MESSAGE_NAME_BYTES, "%s", given);
    for (char *quote = text; (quote = strchr(quote, '"')) != NULL;) *quote = '\'';
    return text;
}

static void log_note(const struct broker_effect *effect)
{
    static const struct {
        enum log_level level;
        const char *event;
    } notes[] = {
        [NOTE_WORKER_JOINED] = {LOG_DEBUG, "worker-joined"},
        [NOTE_WORKER_LEFT] = {LOG_DEBUG, "worker-left"},
        [NOTE_WORKER_LOST] = {LOG_WARNING, "worker-lost"},
        [NOTE_AGGREGATOR_JOINED] = {LOG_INFO, "aggregator-joined"},
        [NOTE_AGGREGATOR_LOST] = {LOG_WARNING, "aggregator-lost"},
        [NOTE_SWEEP_ACCEPTED] = {LOG_INFO, "sweep-accepted"},
        [NOTE_SWEEP_DONE] = {LOG_INFO, "sweep-done"},
        [NOTE_SWEEP_FAILED] = {LOG_ERROR, "sweep-failed"},
        [NOTE_SWEEP_CANCELLED] = {LOG_INFO, "sweep-cancelled"},
        [NOTE_BLOCKS_FAILED] = {LOG_WARNING, "blocks-failed"},
        [NOTE_LEASE_LAPSED] = {LOG_WARNING, "lease-lapsed"},
        [NOTE_BLOCKS_LOST] = {LOG_WARNING, "blocks-lost"},
        [NOTE_RESULT_DIFFERS] = {LOG_ERROR, "result-differs"},
        [NOTE_SWEEP_DOUBTED] = {LOG_WARNING, "sweep-doubted"},
        [NOTE_SWEEP_STALLED] = {LOG_ERROR, "sweep-stalled"},
        [NOTE_SWEEP_PAUSED] = {LOG_INFO, "sweep-paused"},
        [NOTE_SWEEP_RESUMED] = {LOG_INFO, "sweep-resumed"},
        [NOTE_WORKER_DRAINING] = {LOG_INFO, "worker-draining"},
        [NOTE_SWEEP_FORGOTTEN] = {LOG_INFO, "sweep-forgotten"},
    };
    char hex[DIGEST_HEX_BYTES] = "-", name[MESSAGE_NAME_BYTES];
    if (!digest_is_zero(&effect->sweep)) digest_to_hex(&effect->sweep, hex);
    log_event(notes[effect->note.note].level, notes[effect->note.note].event,
              "name=\"%s\" sweep=%s first=%llu count=%llu", without_quotes(name, effect->note.name), hex,
              (unsigned long long)effect->note.blocks.first, (unsigned long long)effect->note.blocks.count);
}

static bool keep(struct shell *shell, const struct broker_effect *effect, uint64_t now_ms)
{
    if (!journal_has_changes(shell->journal)) shell->commit_due_ms = now_ms + KEEP_LAZILY_MS;
    if (effect->kind != BROKER_KEEP_DONE) shell->urgent = true;
    return journal_keep(shell->journal, shell->broker, effect);
}

/* Steps the core. Keeps what is to be kept and queues what is to be sent. False: the disk refused. */
static bool step(struct shell *shell, const struct broker_event *event)
{
    broker_step(shell->broker, event, &shell->effects);
    for (size_t at = 0; at < shell->effects.count; at++) {
        const struct broker_effect *effect = &shell->effects.list[at];
        if (effect->kind == BROKER_NOTE) log_note(effect);
        else if (effect->kind == BROKER_SEND) shell->outbox[shell->outbox_count++] = *effect;
        else if (!keep(shell, effect, event->now_ms)) return false;
    }
    return true;
}

static struct socket_id id_of(const struct peer *peer)
{
    struct socket_id id = {.size = peer->size};
    memcpy(id.bytes, peer->bytes, peer->size);
    return id;
}

static struct peer peer_of(const struct socket_id *id)
{
    struct peer peer = {.size = id->size};
    memcpy(peer.bytes, id->bytes, id->size);
    return peer;
}

_Static_assert(SOCKET_ID_BYTES <= PEER_BYTES, "every routing id fits");
_Static_assert(KEY_NAME_BYTES <= MESSAGE_NAME_BYTES, "so does every key's name");

/* The shell has the bytes of items; the core only knows that they exist. */
static void compose_item(struct shell *shell, const struct broker_effect *effect)
{
    struct message *message = &shell->outgoing;
    message->item.item = effect->send.item;
    message->item.digest = effect->sweep;
    if (journal_item(shell->journal, effect->send.item, &effect->sweep, &message->item.bytes)) return;
    message->kind = MESSAGE_ERROR;
    message->error.code = ERROR_STORE;
    snprintf(message->error.text, sizeof message->error.text, "the item cannot be read back");
}

static bool has_room(const struct shell *shell)
{
    return shell->outbox_count + BROKER_EFFECTS_MAX <= OUTBOX_MAX;
}

/* Sends and counts the outgoing message. */
static enum socket_result send_out(struct shell *shell, const struct socket_id *to)
{
    const enum socket_result result = socket_send(shell->socket, to, &shell->outgoing);
    count_sent(&shell->traffic, &shell->outgoing, result);
    return result;
}

static bool commit(struct shell *shell)
{
    if (!journal_has_changes(shell->journal)) return true;
    const uint64_t began_us = clock_us();
    if (!journal_commit(shell->journal)) return false;
    histogram_add(&shell->commits, clock_us() - began_us);
    return true;
}

/* The outgoing message says that a key may not do what its holder asked for. */
static void note_forbidden(struct shell *shell)
{
    const uint64_t now_ms = clock_ms();
    shell->forbidden++;
    if (shell->forbidden_logged_ms > 0 && now_ms < shell->forbidden_logged_ms + FORBIDDEN_LOG_MS) return;
    shell->forbidden_logged_ms = now_ms;
    log_event(LOG_WARNING, "forbidden", "reason=\"%s\" count=%llu", shell->outgoing.error.text,
              (unsigned long long)shell->forbidden);
}

static bool deliver(struct shell *shell, const struct broker_effect *effect)
{
    const struct socket_id to = id_of(&effect->send.to);
    if (!broker_compose(shell->broker, effect, &shell->outgoing)) compose_item(shell, effect);
    if (shell->outgoing.kind == MESSAGE_ERROR && shell->outgoing.error.code == ERROR_FORBIDDEN) note_forbidden(shell);
    const enum socket_result result = send_out(shell, &to);
    if (result == SOCKET_OK) return true;
    log_event(LOG_DEBUG, "undelivered", "kind=%s result=%d", message_kind_name(effect->send.kind), (int)result);
    /* An item that finds others on their way is asked for again: the peer is not gone for that. */
    return result == SOCKET_FULL && shell->outgoing.kind == MESSAGE_ITEM;
}

/* Room for what one more step queues, when the first `*at` are sent. False: there is none. */
static bool make_room(struct shell *shell, size_t *at)
{
    if (has_room(shell)) return true;
    if (*at < BROKER_EFFECTS_MAX) return false;
    shell->outbox_count -= *at;
    memmove(shell->outbox, shell->outbox + *at, shell->outbox_count * sizeof *shell->outbox);
    *at = 0;
    return true;
}

static bool take_undelivered(struct shell *shell, const struct broker_effect *effect)
{
    return step(shell, &(struct broker_event){
                           .kind = BROKER_UNDELIVERED,
                           .now_ms = clock_ms(),
                           .peer = effect->send.to,
                           .token = effect->send.kind == MESSAGE_LEASE ? effect->send.lease.token : 0,
                       });
}

/* Commits when something must be on disk first, then sends everything that is queued. What a failed
 * send leads to is queued behind and sent too; each failure takes a worker out of the running. Where
 * there is no room for it the core is not told: the lease lapses. */
static bool flush(struct shell *shell)
{
    for (size_t at = 0; at < shell->outbox_count || shell->urgent;) {
        if (shell->urgent && !commit(shell)) return false;
        shell->urgent = false;
        if (at == shell->outbox_count) break;
        const struct broker_effect effect = shell->outbox[at++];
        if (deliver(shell, &effect) || !make_room(shell, &at)) continue;
        if (!take_undelivered(shell, &effect)) return false;
    }
    shell->outbox_count = 0;
    return true;
}

/* The loop */

static void refuse(struct shell *shell, const struct socket_id *from, const char *why)
{
    struct message *message = &shell->outgoing;
    log_event(LOG_DEBUG, "malformed", "reason=\"%s\"", why);
    if (from->size == 0) return;
    message->kind = MESSAGE_ERROR;
    message->error.code = strcmp(why, MESSAGE_WHY_VERSION) == 0 ? ERROR_VERSION : ERROR_MALFORMED;
    snprintf(message->error.text, sizeof message->error.text, "%s", why);
    send_out(shell, from); /* whoever cannot be told does not know the protocol either */
}

/* The aggregator says how far its store is: it may have lost what it acknowledged. It is told the same of
 * the journal. */
static bool take_store(struct shell *shell, const struct socket_id *from)
{
    const struct peer peer = peer_of(from);
    const uint64_t store = shell->incoming.store.store, commits = shell->incoming.store.commits;
    if (!broker_aggregator_is(shell->broker, &peer)) return true;
    struct witness *witness = journal_witness(shell->journal);
    const struct witness before = *witness;
    const enum witness_verdict verdict = witness_take(witness, store, commits);
    shell->outgoing.kind = MESSAGE_STORE;
    shell->outgoing.store.store = journal_store(shell->journal);
    shell->outgoing.store.commits = journal_commits(shell->journal);
    send_out(shell, from); /* told again with the next heartbeat */
    if (verdict == WITNESS_ONWARD) return true;
    shell->urgent = true;
    if (!journal_keep_witness(shell->journal)) return false;
    if (verdict == WITNESS_FIRST) return true;
    log_event(
        LOG_ERROR, verdict == WITNESS_BACK ? "aggregator-store-went-back" : "aggregator-store-replaced",
        "store=%016llx commits=%llu known_store=%016llx known_commits=%llu action=\"finished sweeps are checked\"",
        (unsigned long long)store, (unsigned long long)commits, (unsigned long long)before.store,
        (unsigned long long)before.commits);
    return step(shell, &(struct broker_event){.kind = BROKER_STORE_LOST, .now_ms = clock_ms(), .peer = peer});
}

/* False: the sender's key may not send this; it is told so. */
static bool is_permitted(struct shell *shell, const struct socket_id *from)
{
    if (socket_permits(shell->socket, &shell->incoming, &shell->outgoing)) return true;
    note_forbidden(shell);
    if (shell->incoming.kind != MESSAGE_ERROR) send_out(shell, from);
    return false;
}

static bool receive_all(struct shell *shell)
{
    shell->unread = true;
    /* STORE makes two steps of one message. */
    for (int count = 0; count < TURN_MESSAGES && shell->outbox_count + 2 * BROKER_EFFECTS_MAX <= OUTBOX_MAX; count++) {
        struct socket_id from = {0};
        const char *why = "";
        const enum socket_result result = socket_receive(shell->socket, &from, &shell->incoming, &why);
        shell->unread = result != SOCKET_EMPTY;
        if (!shell->unread) return true;
        if (result != SOCKET_OK) {
            refuse(shell, &from, why);
            continue;
        }
        count_received(&shell->traffic, &shell->incoming);
        if (!is_permitted(shell, &from)) continue;
        const struct broker_event event = {.kind = BROKER_MESSAGE,
                                           .now_ms = clock_ms(),
                                           .peer = peer_of(&from),
                                           .message = &shell->incoming,
                                           .holder = socket_sender(shell->socket)->name,
                                           .own_only = socket_sender(shell->socket)->role == KEY_CLIENT};
        if (!step(shell, &event)) return false;
        if (shell->incoming.kind == MESSAGE_STORE && !take_store(shell, &from)) return false;
    }
    return true;
}

/* Nobody is judged to be silent whose words wait to be read, unless there are so many that they never end. */
static bool is_heard(struct shell *shell)
{
    shell->unread_turns = shell->unread && shell->unread_turns < TURNS_UNREAD ? shell->unread_turns + 1 : 0;
    return shell->unread_turns == 0;
}

static bool tick(struct shell *shell)
{
    const uint64_t now_ms = clock_ms();
    if (is_heard(shell) && broker_next_due_ms(shell->broker) <= now_ms && has_room(shell) &&
        !step(shell, &(struct broker_event){.kind = BROKER_TICK, .now_ms = now_ms}))
        return false;
    if (journal_has_changes(shell->journal) && shell->commit_due_ms <= now_ms) return commit(shell);
    return true;
}

static int64_t patience_ms(const struct shell *shell)
{
    uint64_t due_ms = broker_next_due_ms(shell->broker);
    const uint64_t now_ms = clock_ms();
    if (journal_has_changes(shell->journal) && shell->commit_due_ms < due_ms) due_ms = shell->commit_due_ms;
    if (due_ms == UINT64_MAX) return -1;
    return due_ms <= now_ms ? 0 : (int64_t)(due_ms - now_ms);
}

static bool stop_wanted(void)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

/* Tells the page how things are, when it is time to, or now. */
static void publish(struct shell *shell, bool now)
{
    const uint64_t now_ms = clock_ms();
    struct broker_snapshot *snapshot = http_turn(shell->http, now_ms, now);
    if (snapshot == NULL) return;
    broker_observe(shell->broker, now_ms, snapshot);
    snapshot->uptime_ms = now_ms - shell->began_ms;
    snapshot->traffic = shell->traffic;
    snapshot->commits = shell->commits;
    http_publish(shell->http);
}

static int serve(struct shell *shell)
{
    while (!stop_wanted()) {
        publish(shell, false);
        socket_wait(&shell->socket, 1, shell->stop_fd, http_patience_ms(shell->http, patience_ms(shell)));
        if (receive_all(shell) && tick(shell) && flush(shell)) continue;
        log_event(LOG_ERROR, "journal-failed", "reason=\"%s\"", journal_error(shell->journal));
        return EXIT_FAILED;
    }
    const bool kept = commit(shell);
    publish(shell, true);
    if (kept) return EXIT_OK;
    log_event(LOG_ERROR, "journal-failed", "reason=\"%s\"", journal_error(shell->journal));
    return EXIT_FAILED;
}

/* Starting and stopping */

static bool open_broker(struct shell *shell, const struct settings *settings, char *why)
{
    struct broker_setup setup = {settings->heartbeat_ms, settings->lease_ms, 0};
    if (getrandom(&setup.token_seed, sizeof setup.token_seed, 0) < 0) return false;
    shell->broker = broker_new(&setup);
    return shell->broker != NULL && journal_restore(shell->journal, shell->broker, why, WHY_BYTES);
}

static bool open_http(struct shell *shell, const char *address, char *why)
{
    char bound[HTTP_ADDRESS_BYTES];
    const struct http_setup setup = {.program = "goldthread-broker",
                                     .address = address,
                                     .snapshot_bytes = sizeof(struct broker_snapshot),
                                     .metrics = broker_metrics,
                                     .status = broker_status};
    if (address == NULL) return true;
    shell->http = http_open(&setup, bound, sizeof bound, why, WHY_BYTES);
    if (shell->http == NULL) return false;
    log_event(LOG_INFO, "http-listening", "address=%s", bound);
    return true;
}

static bool open_shell(struct shell *shell, const struct settings *settings, char *why)
{
    char bound[MESSAGE_ENDPOINT_BYTES];
    snprintf(why, WHY_BYTES, "out of memory or handles");
    shell->journal = journal_open(settings->state, why, WHY_BYTES);
    if (shell->journal == NULL || !open_broker(shell, settings, why)) return false;
    snprintf(why, WHY_BYTES, "%s", NET_WANTS);
    shell->net = net_open();
    if (shell->net == NULL) return false;
    net_take_at_most(shell->net, MESSAGE_TO_BROKER_BYTES_MAX);
    if (settings->keys != NULL && !net_use_keys(shell->net, settings->keys, why, WHY_BYTES)) return false;
    shell->socket = socket_bind(shell->net, settings->bind, bound, sizeof bound, why, WHY_BYTES);
    if (shell->socket == NULL || !open_http(shell, settings->http, why)) return false;
    const unsigned others = database_folder_open_to(settings->state);
    if (others != 0)
        log_event(LOG_WARNING, "state-open", "state=%s others=%o hint=\"chmod 0700\"", settings->state, others);
    log_event(LOG_INFO, "listening", "endpoint=%s state=%s", bound, settings->state);
    return true;
}

static void close_shell(struct shell *shell)
{
    http_close(shell->http);
    socket_close(shell->socket);
    net_close(shell->net);
    journal_close(shell->journal);
    broker_free(shell->broker);
    free(shell);
}

static int run(const struct settings *settings)
{
    char why[WHY_BYTES];
    struct shell *shell = calloc(1, sizeof *shell);
    if (shell == NULL) return EXIT_FAILED;
    shell->began_ms = clock_ms();
    shell->stop_fd = process_stop_fd();
    if (settings->parent != 0 && !process_follow_parent(settings->parent)) {
        free(shell);
        return EXIT_OK; /* the parent is gone: nobody wants this process */
    }
    int status = EXIT_FAILED;
    if (shell->stop_fd >= 0 && open_shell(shell, settings, why)) status = serve(shell);
    else log_event(LOG_ERROR, "not-started", "reason=\"%s\"", why);
    close_shell(shell);
    return status;
}

static void print_damage(void *context, const char *line)
{
    (void)context;
    printf("damaged: %s\n", line);
}

/* The counts are what a copy of the store is compared by. */
static int verify(const char *state)
{
    char why[WHY_BYTES];
    struct journal_summary summary;
    const int64_t damages = journal_verify(state, print_damage, NULL, &summary, why, sizeof why);
    if (damages < 0) {
        fprintf(stderr, "goldthread-broker: %s\n", why);
        return EXIT_USAGE;
    }
    printf("%s: store %016llx, %llu commits, %llu sweeps, %llu blocks done; the aggregator's store %016llx had %llu\n",
           damages == 0 ? "sound" : "not sound", (unsigned long long)summary.store, (unsigned long long)summary.commits,
           (unsigned long long)summary.sweeps, (unsigned long long)summary.blocks,
           (unsigned long long)summary.witness.store, (unsigned long long)summary.witness.commits);
    return damages == 0 ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    const struct flag_table table = {"goldthread-broker",
                                     "Lends the blocks of sweeps to workers and keeps what is done.", flags,
                                     sizeof flags / sizeof *flags, apply_flag};
    struct settings settings = {.bind = "tcp://127.0.0.1:7070", .heartbeat_ms = HEARTBEAT_MS, .lease_ms = LEASE_MS};
    const int status = flags_read(&table, argc, argv, &settings);
    if (status >= 0) return status;
    if (settings.state == NULL) {
        fprintf(stderr, "goldthread-broker: --state DIR is needed; see goldthread-broker --help\n");
        return EXIT_USAGE;
    }
    if (settings.verify) return verify(settings.state);
    char why[KEY_WHY_BYTES];
    if (settings.http != NULL && !http_check_address(settings.http, settings.http_public, why, sizeof why)) {
        fprintf(stderr, "goldthread-broker: %s\n", why);
        return EXIT_USAGE;
    }
    if (!net_find_keys(settings.keys_folder, KEY_SERVER, (const char *[2]){settings.bind}, &settings.room,
                       &settings.keys, why, sizeof why)) {
        fprintf(stderr, "goldthread-broker: %s\n", why);
        return EXIT_USAGE;
    }
    log_open("goldthread-broker", settings.verbose ? LOG_DEBUG : LOG_INFO);
    return run(&settings);
}
