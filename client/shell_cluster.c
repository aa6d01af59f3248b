#include "shell_cluster.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "process.h"
#include "shell_files.h"
#include "sweep_codec.h"

#define ASK_FIRST_MS 10 /* between questions; grows with the time that has passed */
#define ASK_MOST_MS  200
#define WAIT_MOST_MS 50 /* so that a dead child is soon seen */

static bool __attribute__((format(printf, 2, 3))) fail(struct cluster *cluster, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(cluster->why, sizeof cluster->why, format, values);
    va_end(values);
    return false;
}

static void name_models(const struct cluster *cluster, char folder[PATH_MAX + 16])
{
    snprintf(folder, PATH_MAX + 16, "%s/models", cluster->state->folder);
}

/* Puts the model's file, as it was read, where the programs of this run look for it. */
static bool hand_on_model(struct cluster *cluster)
{
    const struct plugin *plugin = cluster->job->plugin;
    char folder[PATH_MAX + 16];
    if (!plugin) return true;
    name_models(cluster, folder);
    folder_remove(folder); /* of the same sweep, before it was interrupted */
    return folder_make(folder, 0700, cluster->why, sizeof cluster->why) &&
           file_write(folder, plugin->name, buffer_span(&plugin->bytes), cluster->why, sizeof cluster->why);
}

static bool start_servers(struct cluster *cluster, const char *broker, const char *aggregator)
{
    char journal[PATH_MAX + 16], store[PATH_MAX + 16], models[PATH_MAX + 16];
    name_models(cluster, models);
    snprintf(journal, sizeof journal, "%s/broker", cluster->state->folder);
    snprintf(store, sizeof store, "%s/aggregator", cluster->state->folder);
    const char *broker_words[] = {"--bind", broker, "--state", journal, NULL};
    const char *aggregator_words[] = {"--bind", aggregator, "--broker", broker, "--state",
                                      store,    "--models", models,     NULL};
    return children_start(&cluster->children, "goldthread-broker", "broker", broker_words, cluster->why,
                          sizeof cluster->why) &&
           children_start(&cluster->children, "goldthread-aggregator", "aggregator", aggregator_words, cluster->why,
                          sizeof cluster->why);
}

static bool start_workers(struct cluster *cluster)
{
    char broker[PATH_MAX], models[PATH_MAX + 16];
    state_endpoint(cluster->state, "broker", broker, sizeof broker);
    name_models(cluster, models);
    for (uint32_t at = 0; at < cluster->worker_count; at++) {
        char name[16];
        snprintf(name, sizeof name, "w%u", at + 1);
        const char *limit = cluster->block_seconds;
        const char *words[] = {"--broker", broker, "--name", name, "--models", models, limit ? "--block-seconds" : NULL,
                               limit,      NULL};
        if (!children_start(&cluster->children, "goldthread-worker", name, words, cluster->why, sizeof cluster->why))
            return false;
    }
    return true;
}

static bool connect_sockets(struct cluster *cluster, const char *broker, const char *aggregator)
{
    cluster->message = calloc(1, sizeof *cluster->message);
    cluster->net = net_open();
    if (!cluster->message || !cluster->net) return fail(cluster, NET_WANTS);
    cluster->broker = socket_connect(cluster->net, broker, cluster->why, sizeof cluster->why);
    if (!cluster->broker) return false;
    cluster->aggregator = socket_connect(cluster->net, aggregator, cluster->why, sizeof cluster->why);
    return cluster->aggregator != NULL;
}

bool cluster_open(struct cluster *cluster, const struct job *job, struct state *state, uint32_t workers,
                  const char *block_seconds, int stop_fd)
{
    *cluster = (struct cluster){
        .job = job, .state = state, .worker_count = workers, .block_seconds = block_seconds, .stop_fd = stop_fd};
    cluster->start_ms = clock_ms();
    cluster->progress.blocks = sweep_block_count(&job->scenario->sweep);
    cluster->progress.draws = job->scenario->sweep.draws;
    unsetenv(KEYS_VARIABLE); /* the sockets of a run are private: its programs need no keys, which may not fit them */
    char broker[PATH_MAX], aggregator[PATH_MAX];
    state_endpoint(state, "broker", broker, sizeof broker);
    state_endpoint(state, "aggregator", aggregator, sizeof aggregator);
    sweep_encode(&job->scenario->sweep, &cluster->sweep_bytes);
    if (cluster->sweep_bytes.failed) return fail(cluster, "out of memory");
    return children_open(&cluster->children, state->folder, cluster->why, sizeof cluster->why) &&
           hand_on_model(cluster) && start_servers(cluster, broker, aggregator) &&
           (state->is_resumed || start_workers(cluster)) && connect_sockets(cluster, broker, aggregator);
}

/* Soon at first, so that a short sweep ends quickly; seldom later. */
static uint64_t ask_interval_ms(const struct cluster *cluster)
{
    uint64_t interval_ms = (clock_ms() - cluster->start_ms) / 20;
    return interval_ms < ASK_FIRST_MS ? ASK_FIRST_MS : interval_ms > ASK_MOST_MS ? ASK_MOST_MS : interval_ms;
}

static void ask(struct cluster *cluster)
{
    struct message question = {.kind = asking_kind(cluster->asking)};
    if (question.kind == MESSAGE_SUBMIT) {
        question.submit.sweep = buffer_span(&cluster->sweep_bytes);
        question.submit.population = buffer_span(&cluster->job->population_bytes);
    } else if (question.kind == MESSAGE_STATUS) {
        question.status.sweep = cluster->job->sweep;
    } else {
        question.result.sweep = cluster->job->sweep;
    }
    struct socket *socket = question.kind == MESSAGE_RESULT ? cluster->aggregator : cluster->broker;
    bool sent = socket_send(socket, NULL, &question) == SOCKET_OK;
    if (sent) cluster->late_ms = asking_late_ms(cluster->late_ms);
    cluster->ask_due_ms = clock_ms() + (sent ? cluster->late_ms : ASK_FIRST_MS);
}

/* The next question, at once. */
static void go_on_to(struct cluster *cluster, enum asking asking)
{
    cluster->asking = asking;
    cluster->ask_due_ms = 0;
}

static enum cluster_status take_status(struct cluster *cluster)
{
    const struct message *answer = cluster->message;
    if (answer->sweeps.count != 1) return CLUSTER_RUNNING;
    const struct sweep_status *status = &answer->sweeps.list[0];
    cluster->progress.done = status->done;
    cluster->progress.failed = status->parked;
    if (status->state == SWEEP_FAILED || status->state == SWEEP_CANCELLED) {
        fail(cluster, "the sweep failed: %s", *status->text ? status->text : "it was cancelled");
        return CLUSTER_FAILED;
    }
    if (status->state == SWEEP_STALLED) {
        fail(cluster, "the sweep is stalled, everything else of it is done: %s", status->text);
        return CLUSTER_FAILED;
    }
    if (status->state == SWEEP_DONE) {
        cluster->digest = status->result;
        go_on_to(cluster, ASKING_RESULT);
    }
    return CLUSTER_RUNNING;
}

/* Nobody is needed when all is there. */
static enum cluster_status take_first_look(struct cluster *cluster)
{
    const struct message *answer = cluster->message;
    cluster->progress.at_start = cluster->progress.done = answer->outcome.blocks;
    go_on_to(cluster, ASKING_STATUS);
    return answer->outcome.complete || start_workers(cluster) ? CLUSTER_RUNNING : CLUSTER_FAILED;
}

static enum cluster_status take_outcome(struct cluster *cluster)
{
    const struct message *answer = cluster->message;
    const char *why = "";
    if (cluster->asking == ASKING_LOOK) return take_first_look(cluster);
    if (!answer->outcome.complete) return CLUSTER_RUNNING;
    cluster->progress.done = answer->outcome.blocks; /* a stop rule may have ended it */
    cluster->root = node_decode(answer->outcome.node, &cluster->job->plan->shape, &why);
    if (cluster->root && digest_equal(&answer->outcome.digest, &cluster->digest)) return CLUSTER_DONE;
    fail(cluster, "the result cannot be used: %s",
         cluster->root ? "broker and aggregator name different digests" : why);
    return CLUSTER_FAILED;
}

/* A refusal of the sweep is final. An aggregator that does not know it yet is about to. */
static enum cluster_status take_error(struct cluster *cluster)
{
    if (cluster->message->error.code == ERROR_UNKNOWN) return CLUSTER_RUNNING;
    fail(cluster, "a server refused: %s", cluster->message->error.text);
    return CLUSTER_FAILED;
}

static enum cluster_status take(struct cluster *cluster)
{
    if (!asking_takes(cluster->asking, cluster->message->kind)) return CLUSTER_RUNNING;
    cluster->late_ms = 0;
    cluster->ask_due_ms = clock_ms() + ask_interval_ms(cluster);
    switch (cluster->message->kind) {
    case MESSAGE_ACCEPTED:
        go_on_to(cluster, cluster->state->is_resumed ? ASKING_LOOK : ASKING_STATUS);
        return CLUSTER_RUNNING;
    case MESSAGE_SWEEPS:
        return take_status(cluster);
    case MESSAGE_OUTCOME:
        return take_outcome(cluster);
    default:
        return take_error(cluster);
    }
}

static enum cluster_status drain(struct cluster *cluster, struct socket *socket)
{
    for (;;) {
        const char *why;
        enum socket_result result = socket_receive(socket, NULL, cluster->message, &why);
        if (result == SOCKET_ERROR) continue;
        if (result != SOCKET_OK) return CLUSTER_RUNNING;
        enum cluster_status status = take(cluster);
        if (status != CLUSTER_RUNNING) return status;
    }
}

static bool is_stopped(const struct cluster *cluster)
{
    struct pollfd stop = {.fd = cluster->stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) == 1;
}

enum cluster_status cluster_step(struct cluster *cluster)
{
    struct socket *const sockets[] = {cluster->broker, cluster->aggregator};
    uint64_t now_ms = clock_ms();
    if (now_ms >= cluster->ask_due_ms) ask(cluster);
    int64_t wait_ms = cluster->ask_due_ms > now_ms ? (int64_t)(cluster->ask_due_ms - now_ms) : 0;
    socket_wait(sockets, 2, cluster->stop_fd, wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS);
    if (is_stopped(cluster)) return CLUSTER_INTERRUPTED;
    enum cluster_status status = drain(cluster, cluster->broker);
    if (status == CLUSTER_RUNNING) status = drain(cluster, cluster->aggregator);
    cluster->progress.elapsed_ms = clock_ms() - cluster->start_ms;
    if (status == CLUSTER_RUNNING && !children_tend(&cluster->children, cluster->why, sizeof cluster->why))
        return CLUSTER_FAILED;
    return status;
}

void cluster_stop(struct cluster *cluster)
{
    children_stop(&cluster->children);
    if (cluster->aggregator) socket_close(cluster->aggregator);
    if (cluster->broker) socket_close(cluster->broker);
    if (cluster->net) net_close(cluster->net);
    cluster->aggregator = cluster->broker = NULL;
    cluster->net = NULL;
}

void cluster_close(struct cluster *cluster)
{
    cluster_stop(cluster);
    node_free(cluster->root);
    buffer_free(&cluster->sweep_bytes);
    free(cluster->message);
    *cluster = (struct cluster){0};
}
