#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "digest.h"
#include "net/process.h"
#include "population.h"
#include "population_codec.h"
#include "queue.h"
#include "registry.h"
#include "sweep_codec.h"

#define WORDS_MAX 10
#define REPEAT_MS 1000 /* a question without an answer is asked again */
#define RETRY_MS  2
#define ENDING_MS 5000

extern char **environ;

static struct cluster *open_cluster; /* to be ended by stop() */

_Noreturn void stop(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fprintf(stderr, "bench_queue: ");
    vfprintf(stderr, format, values);
    fprintf(stderr, "\n");
    va_end(values);
    if (open_cluster != NULL) {
        fprintf(stderr, "bench_queue: the logs are in %s\n", open_cluster->folder);
        const pid_t all[] = {open_cluster->broker, open_cluster->aggregator};
        for (size_t at = 0; at < 2; at++)
            if (all[at] > 0) kill(all[at], SIGKILL);
        for (size_t at = 0; at < open_cluster->worker_count; at++) kill(open_cluster->workers[at], SIGKILL);
    }
    exit(1);
}

/* --- processes --- */

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Both outputs go to FOLDER/NAME.log. */
static pid_t start(const struct cluster *cluster, const char *program, const char *name, const char *const *words)
{
    char path[QUEUE_PATH_BYTES + 64], log[QUEUE_PATH_BYTES + 64];
    char parent[16];
    char *list[WORDS_MAX + 6] = {(char *)program, "--follow-parent", parent};
    pid_t pid;
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    size_t count = 3;
    for (size_t at = 0; words[at] != NULL && at < WORDS_MAX; at++) list[count++] = (char *)words[at];
    if (cluster->keys_folder[0] != 0) {
        list[count++] = "--keys";
        list[count++] = (char *)cluster->keys_folder;
    }
    snprintf(path, sizeof path, "%s/%s", GOLDTHREAD_BIN, program);
    snprintf(log, sizeof log, "%s/%s.log", cluster->folder, name);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    const int error = posix_spawn(&pid, path, &files, NULL, list, environ);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) stop("%s cannot be started: %s", path, strerror(error));
    return pid;
}

static void end(pid_t *pid, int number)
{
    if (*pid <= 0) return;
    kill(*pid, number);
    for (int waited = 0; waited < ENDING_MS && waitpid(*pid, NULL, WNOHANG) == 0; waited += RETRY_MS) {
        if (waited + RETRY_MS >= ENDING_MS) kill(*pid, SIGKILL);
        sleep_ms(RETRY_MS);
    }
    *pid = 0;
}

static bool read_file(const char *path, char *text, size_t text_bytes)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, text, text_bytes - 1);
    if (fd >= 0) close(fd);
    if (size < 0) return false;
    text[size] = 0;
    return true;
}

/* schedstat counts nanoseconds; stat only ticks of ten milliseconds. */
uint64_t process_cpu_us(pid_t pid)
{
    char path[320], text[128];
    uint64_t sum_ns = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) stop("%s: %s", path, strerror(errno));
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%.32s/schedstat", (int)pid, task->d_name);
        if (task->d_name[0] != '.' && read_file(path, text, sizeof text)) sum_ns += strtoull(text, NULL, 10);
    }
    closedir(tasks);
    return sum_ns / 1000;
}

uint64_t process_memory_bytes(pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (!read_file(path, text, sizeof text)) stop("%s: %s", path, strerror(errno));
    const char *line = strstr(text, "VmRSS:");
    return line == NULL ? 0 : strtoull(line + strlen("VmRSS:"), NULL, 10) * 1024;
}

/* --- the cluster --- */

/* One key for all programs of a role. */
static void make_key(const char *folder, enum key_role role, const char *name)
{
    struct key key;
    char path[QUEUE_PATH_BYTES + 64], why[KEY_WHY_BYTES] = "no random numbers";
    snprintf(path, sizeof path, "%s/%s.key", folder, name);
    if (!key_make(&key, role, name) || !key_write(path, true, &key, why, sizeof why)) stop("%s", why);
    snprintf(path, sizeof path, "%s/%s%s.pub", folder, role == KEY_SERVER ? "" : KEYS_AUTHORIZED "/", name);
    if (!key_write(path, false, &key, why, sizeof why)) stop("%s", why);
}

static void make_keys(struct cluster *cluster)
{
    char *folder = cluster->keys_folder, authorized[QUEUE_PATH_BYTES + 64], why[KEY_WHY_BYTES];
    snprintf(folder, sizeof cluster->keys_folder, "%s/keys", cluster->folder);
    snprintf(authorized, sizeof authorized, "%s/" KEYS_AUTHORIZED, folder);
    if (mkdir(folder, 0700) != 0 || mkdir(authorized, 0700) != 0) stop("%s: %s", authorized, strerror(errno));
    make_key(folder, KEY_SERVER, "server");
    make_key(folder, KEY_AGGREGATOR, "aggregator");
    make_key(folder, KEY_WORKER, "worker");
    make_key(folder, KEY_CLIENT, "client");
    if (!keys_open(&cluster->client_keys, folder, KEY_CLIENT, why, sizeof why) ||
        !keys_open(&cluster->worker_keys, folder, KEY_WORKER, why, sizeof why))
        stop("%s", why);
}

void cluster_open(struct cluster *cluster, enum transport transport)
{
    const char *temporary = getenv("TMPDIR");
    *cluster = (struct cluster){0};
    snprintf(cluster->folder, sizeof cluster->folder, "%.200s/queue.XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(cluster->folder) == NULL) stop("%s: %s", cluster->folder, strerror(errno));
    open_cluster = cluster;
    cluster->message = malloc(sizeof *cluster->message);
    cluster->net = net_open();
    if (cluster->message == NULL || cluster->net == NULL) stop("out of memory or handles");
    if (transport == OVER_IPC) {
        snprintf(cluster->broker_endpoint, MESSAGE_ENDPOINT_BYTES, "ipc://%.200s/b", cluster->folder);
        snprintf(cluster->aggregator_endpoint, MESSAGE_ENDPOINT_BYTES, "ipc://%.200s/a", cluster->folder);
        return;
    }
    /* A port that was free a moment ago; the aggregator's own is found out by the broker. */
    char why[256];
    struct socket *probe = socket_bind(cluster->net, "tcp://127.0.0.1:*", cluster->broker_endpoint,
                                       MESSAGE_ENDPOINT_BYTES, why, sizeof why);
    if (probe == NULL) stop("%s", why);
    socket_close(probe);
    net_close(cluster->net); /* only then the port is free again */
    cluster->net = net_open();
    if (cluster->net == NULL) stop("out of memory or handles");
    snprintf(cluster->aggregator_endpoint, MESSAGE_ENDPOINT_BYTES, "tcp://127.0.0.1:*");
    if (transport != OVER_CURVE) return;
    make_keys(cluster);
    if (!net_use_keys(cluster->net, &cluster->client_keys, why, sizeof why)) stop("%s", why);
}

/* Sends a question until its answer is in cluster->message. */
static bool ask(struct cluster *cluster, const struct message *question, enum message_kind answer, uint64_t timeout_ms)
{
    const uint64_t end_ms = clock_ms() + timeout_ms;
    uint64_t ask_ms = 0;
    for (uint64_t now_ms = clock_ms(); now_ms < end_ms; now_ms = clock_ms()) {
        const char *why;
        if (now_ms >= ask_ms && socket_send(cluster->client, NULL, question) == SOCKET_OK) ask_ms = now_ms + REPEAT_MS;
        socket_wait(&cluster->client, 1, -1, RETRY_MS);
        while (socket_receive(cluster->client, NULL, cluster->message, &why) == SOCKET_OK) {
            if (cluster->message->kind == answer) return true;
            if (cluster->message->kind == MESSAGE_ERROR) stop("the broker says: %s", cluster->message->error.text);
        }
    }
    return false;
}

bool cluster_ask_status(struct cluster *cluster, const struct digest *sweep, uint64_t timeout_ms)
{
    const struct message question = {.kind = MESSAGE_STATUS, .status = {*sweep}};
    return ask(cluster, &question, MESSAGE_SWEEPS, timeout_ms);
}

void cluster_start_broker(struct cluster *cluster)
{
    char state[QUEUE_PATH_BYTES + 16], why[256];
    snprintf(state, sizeof state, "%s/broker", cluster->folder);
    cluster->broker = start(cluster, "goldthread-broker", "broker",
                            (const char *[]){"--bind", cluster->broker_endpoint, "--state", state, NULL});
    socket_close(cluster->client);
    cluster->client = socket_connect(cluster->net, cluster->broker_endpoint, why, sizeof why);
    if (cluster->client == NULL) stop("%s", why);
    if (!cluster_ask_status(cluster, &(struct digest){{0}}, QUEUE_PATIENCE_MS)) stop("the broker does not answer");
}

void cluster_start_aggregator(struct cluster *cluster)
{
    char state[QUEUE_PATH_BYTES + 16];
    snprintf(state, sizeof state, "%s/aggregator", cluster->folder);
    cluster->aggregator = start(cluster, "goldthread-aggregator", "aggregator",
                                (const char *[]){"--broker", cluster->broker_endpoint, "--bind",
                                                 cluster->aggregator_endpoint, "--state", state, NULL});
    const uint64_t end_ms = clock_ms() + QUEUE_PATIENCE_MS;
    while (clock_ms() < end_ms) {
        if (cluster_ask_status(cluster, &(struct digest){{0}}, REPEAT_MS) &&
            cluster->message->sweeps.aggregator[0] != 0)
            return;
        sleep_ms(RETRY_MS);
    }
    stop("the aggregator does not register");
}

void cluster_start_worker(struct cluster *cluster)
{
    char name[32];
    if (cluster->worker_count == QUEUE_WORKERS_MAX) stop("at most %u workers", QUEUE_WORKERS_MAX);
    snprintf(name, sizeof name, "worker-%zu", cluster->worker_count);
    cluster->workers[cluster->worker_count++] =
        start(cluster, "goldthread-worker", name,
              (const char *[]){"--broker", cluster->broker_endpoint, "--name", name, NULL});
}

void cluster_await_workers(struct cluster *cluster, size_t count)
{
    const uint64_t end_ms = clock_ms() + QUEUE_PATIENCE_MS;
    while (clock_ms() < end_ms) {
        if (cluster_ask_status(cluster, &(struct digest){{0}}, REPEAT_MS) && cluster->message->sweeps.workers == count)
            return;
        sleep_ms(RETRY_MS);
    }
    stop("%zu workers do not register", count);
}

void cluster_kill_broker(struct cluster *cluster)
{
    end(&cluster->broker, SIGKILL);
}

void cluster_end_aggregator(struct cluster *cluster)
{
    end(&cluster->aggregator, SIGTERM);
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char inside[2 * QUEUE_PATH_BYTES];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (unlink(inside) != 0) remove_folder(inside);
    }
    if (folder != NULL) closedir(folder);
    rmdir(path);
}

void cluster_close(struct cluster *cluster)
{
    for (size_t at = 0; at < cluster->worker_count; at++) kill(cluster->workers[at], SIGTERM);
    for (size_t at = 0; at < cluster->worker_count; at++) end(&cluster->workers[at], SIGTERM);
    cluster_end_aggregator(cluster);
    end(&cluster->broker, SIGTERM);
    socket_close(cluster->client);
    net_close(cluster->net);
    free(cluster->message);
    remove_folder(cluster->folder);
    open_cluster = NULL;
}

/* --- sweeps --- */

uint64_t cluster_submit(struct cluster *cluster, const struct sweep *sweep, struct digest *id)
{
    struct buffer bytes = {0};
    sweep_encode(sweep, &bytes);
    const struct message question = {.kind = MESSAGE_SUBMIT, .submit = {.sweep = buffer_span(&bytes)}};
    const uint64_t start_us = clock_us();
    if (!ask(cluster, &question, MESSAGE_ACCEPTED, QUEUE_PATIENCE_MS)) stop("SUBMIT is not answered");
    const uint64_t took_us = clock_us() - start_us;
    *id = cluster->message->accepted.sweep;
    buffer_free(&bytes);
    return took_us;
}

void make_empty_sweep(struct sweep *sweep, const char *name, uint64_t blocks)
{
    const struct model *model = model_find("no-op");
    struct population *population = population_built_in();
    if (model == NULL || population == NULL) stop("no model or population");
    *sweep = (struct sweep){.population_name = POPULATION_BUILT_IN,
                            .population = population_identity(population),
                            .years = 1,
                            .first_year = 202526,
                            .seed = 1,
                            .method = DESIGN_RANDOM,
                            .draws = blocks,
                            .draws_per_block = 1,
                            .levels = 1u << AREA_ENGLAND,
                            .quantile_count = 1,
                            .quantiles = {0.5},
                            .parameter_count = (uint32_t)model->parameter_count,
                            .scenario_count = 1,
                            .scenarios = {{.name = "base"}}};
    snprintf(sweep->name, sizeof sweep->name, "%s", name);
    snprintf(sweep->model, sizeof sweep->model, "%s", model->name);
    snprintf(sweep->model_version, sizeof sweep->model_version, "%s", model->version);
    for (size_t at = 0; at < model->parameter_count; at++) {
        snprintf(sweep->parameters[at].name, sizeof sweep->parameters[at].name, "%s", model->parameters[at].name);
        sweep->parameters[at].central = model->parameters[at].central;
    }
    population_free(population);
}
