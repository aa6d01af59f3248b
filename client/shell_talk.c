#include "shell_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "process.h"

#define REPEAT_MS  1000
#define RETRY_MS   10
#define PREFIX_MIN 6
#define TAKEN_MAX  64

const char *talk_state_name(enum sweep_state state)
{
    static const char *const names[] = {"", "running", "paused", "done", "failed", "cancelled", "stalled"};
    return state >= SWEEP_RUNNING && state <= SWEEP_STALLED ? names[state] : "unknown";
}

enum exit_status talk_open(struct talk *talk, const struct options *options)
{
    *talk = (struct talk){.endpoint = options->broker ? options->broker : TALK_BROKER,
                          .aggregator_endpoint = options->aggregator};
    const struct keys *keys;
    const char *const endpoints[2] = {talk->endpoint, talk->aggregator_endpoint};
    if (!net_find_keys(options->keys, KEY_CLIENT, endpoints, &talk->room, &keys, talk->why, sizeof talk->why)) {
        fprintf(stderr, "goldthread: %s\n", talk->why);
        return STATUS_USAGE;
    }
    talk->answer = calloc(1, sizeof *talk->answer);
    talk->net = net_open();
    if (!talk->answer || !talk->net) {
        fprintf(stderr, "goldthread: %s\n", NET_WANTS);
        talk_close(talk);
        return STATUS_FAILED;
    }
    if (!keys || net_use_keys(talk->net, keys, talk->why, sizeof talk->why))
        talk->broker = socket_connect(talk->net, talk->endpoint, talk->why, sizeof talk->why);
    if (talk->broker) return STATUS_DONE;
    fprintf(stderr, "goldthread: --broker %s: %s\n", talk->endpoint, talk->why);
    talk_close(talk);
    return STATUS_USAGE;
}

void talk_close(struct talk *talk)
{
    if (talk->aggregator) socket_close(talk->aggregator);
    if (talk->broker) socket_close(talk->broker);
    if (talk->net) net_close(talk->net);
    keys_close(&talk->room);
    free(talk->answer);
    talk->aggregator = talk->broker = NULL;
    talk->net = NULL;
    talk->answer = NULL;
}

/* Takes what has arrived, or as much of it as leaves time to look at the clock: a server may send anything, and for
 * ever. True: the answer, or a refusal, is in talk->answer. */
static bool take(struct talk *talk, struct socket *socket, enum message_kind answer)
{
    for (int taken = 0; taken < TAKEN_MAX; taken++) {
        const char *why;
        enum socket_result result = socket_receive(socket, NULL, talk->answer, &why);
        if (result == SOCKET_ERROR) continue;
        if (result != SOCKET_OK) return false;
        if (talk->answer->kind == answer || talk->answer->kind == MESSAGE_ERROR) return true;
    }
    return false;
}

static enum talk_result ask(struct talk *talk, struct socket *socket, const char *endpoint,
                            const struct message *question, enum message_kind answer)
{
    uint64_t start_ms = clock_ms(), again_ms = 0;
    bool sent = false;
    for (uint64_t now_ms = start_ms; now_ms < start_ms + TALK_TIMEOUT_MS; now_ms = clock_ms()) {
        if (now_ms >= again_ms) {
            sent = socket_send(socket, NULL, question) == SOCKET_OK;
            again_ms = now_ms + (sent ? REPEAT_MS : RETRY_MS);
        }
        if (take(talk, socket, answer)) {
            if (talk->answer->kind == answer) return TALK_OK;
            snprintf(talk->why, sizeof talk->why, "%s", talk->answer->error.text);
            return TALK_REFUSED;
        }
        if (socket_key_refused(socket)) {
            snprintf(talk->why, sizeof talk->why, "%.256s does not know the key of '%s'", endpoint,
                     talk->room.own.name);
            return TALK_SILENT;
        }
        socket_wait(&socket, 1, -1, (int64_t)(again_ms > now_ms ? again_ms - now_ms : 0));
    }
    snprintf(talk->why, sizeof talk->why, "no answer from %.256s within %d s", endpoint, TALK_TIMEOUT_MS / 1000);
    return TALK_SILENT;
}

enum talk_result talk_ask(struct talk *talk, const struct message *question, enum message_kind answer)
{
    return ask(talk, talk->broker, talk->endpoint, question, answer);
}

static enum talk_result connect_aggregator(struct talk *talk)
{
    char endpoint[MESSAGE_ENDPOINT_BYTES];
    if (talk->aggregator_endpoint) {
        snprintf(endpoint, sizeof endpoint, "%s", talk->aggregator_endpoint);
    } else {
        struct message question = {.kind = MESSAGE_STATUS};
        enum talk_result result = talk_ask(talk, &question, MESSAGE_SWEEPS);
        if (result != TALK_OK) return result;
        snprintf(endpoint, sizeof endpoint, "%s", talk->answer->sweeps.aggregator);
    }
    if (*endpoint) talk->aggregator = socket_connect(talk->net, endpoint, talk->why, sizeof talk->why);
    else snprintf(talk->why, sizeof talk->why, "the broker at %.256s has no aggregator now", talk->endpoint);
    return talk->aggregator ? TALK_OK : TALK_SILENT;
}

enum talk_result talk_ask_aggregator(struct talk *talk, const struct message *question, enum message_kind answer)
{
    enum talk_result result = talk->aggregator ? TALK_OK : connect_aggregator(talk);
    return result != TALK_OK ? result : ask(talk, talk->aggregator, "the aggregator", question, answer);
}

enum exit_status talk_fail(const struct talk *talk, enum talk_result result, const char *command)
{
    fprintf(stderr, "goldthread %s: %s\n", command, talk->why);
    return result == TALK_SILENT ? STATUS_UNREACHABLE : STATUS_FAILED;
}

static enum exit_status refuse_word(const char *word, const char *command, const char *what)
{
    fprintf(stderr, "goldthread %s: `%.64s` %s\n", command, word, what);
    return STATUS_USAGE;
}

enum exit_status talk_find_sweep(struct talk *talk, const char *word, const char *command, struct digest *sweep)
{
    if (digest_from_hex(sweep, word)) /* a broker takes zeros for `all` */
        return digest_is_zero(sweep) ? refuse_word(word, command, "is no sweep's id") : STATUS_DONE;
    size_t length = strlen(word);
    if (length < PREFIX_MIN || length >= DIGEST_HEX_BYTES || strspn(word, "0123456789abcdef") != length)
        return refuse_word(word, command, "is no sweep; allowed is its id, or at least its first 6 digits");
    struct message question = {.kind = MESSAGE_STATUS};
    enum talk_result result = talk_ask(talk, &question, MESSAGE_SWEEPS);
    if (result != TALK_OK) return talk_fail(talk, result, command);
    uint32_t matches = 0;
    for (uint32_t at = 0; at < talk->answer->sweeps.count; at++) {
        char hex[DIGEST_HEX_BYTES];
        digest_to_hex(&talk->answer->sweeps.list[at].sweep, hex);
        if (strncmp(hex, word, length) != 0) continue;
        *sweep = talk->answer->sweeps.list[at].sweep;
        matches++;
    }
    if (matches == 1) return STATUS_DONE;
    return refuse_word(word, command,
                       matches ? "begins more than one sweep's id; give more digits" : "begins no sweep's id there");
}
