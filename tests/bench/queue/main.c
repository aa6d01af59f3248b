/* bench_queue: what the machinery costs when the model costs nothing. Durable no-op blocks per second
 * from SUBMIT to done, through the real broker and aggregator, beside a bare ZeroMQ ping and other queues
 * in the same run; and the bounds that docs/scale.md states. Prints Markdown tables. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "digest.h"
#include "net/process.h"
#include "queue.h"

#define ROWS_MAX          128
#define NAME_BYTES        96
#define HUGE_BLOCKS       100000000u
#define IDLE_WORKERS      1000u
#define IDLE_SETTLE_MS    3000
#define IDLE_MS           4000
#define IDLE_WINDOWS      4
#define LEASE_BLOCKS      4096u /* the broker's LEASE_BLOCKS_MAX */
#define LEASES_EACH       2u
#define SUBMITS           21
#define STORE_MIB_CHECKED 256u /* the aggregator's CHECK_BYTES_MAX */
#define SKIPPED_BYTES     1024
#define PEER_GROUPS       "zmq gearman beanstalkd nats rabbitmq celery dask proc slurm"

struct rate {
    char name[NAME_BYTES];
    double per_second;
};

struct bound {
    char name[NAME_BYTES], measured[2 * NAME_BYTES], allowed[NAME_BYTES];
    bool met;
};

static struct {
    uint64_t blocks, singly;
    double ping_seconds;
    const char *peers; /* a folder with run-all, that may be written to, or NULL */
    const char *only;  /* words of `parts` in it; NULL: all */
} options = {.blocks = 8000000, .singly = 40000, .ping_seconds = 3};

struct cost { /* of a block that is leased by itself, in microseconds of processor time */
    char name[NAME_BYTES];
    double broker_us, aggregator_us;
};

struct pair { /* the same over plain TCP and over CURVE: blocks a second */
    char name[NAME_BYTES];
    double plain, curve;
};

static struct pair pairs[8];
static size_t pair_count;
static char skipped[SKIPPED_BYTES]; /* peers that are not here, as run-all says it */
static struct cost costs[16];
static size_t cost_count;
static struct rate rates[ROWS_MAX];
static size_t rate_count;
static struct bound bounds[16];
static size_t bound_count;
static struct sweep sweep;
static const struct digest all_sweeps;

static void note_rate(const char *name, double per_second)
{
    if (rate_count == ROWS_MAX) stop("more rows than a table should have");
    snprintf(rates[rate_count].name, NAME_BYTES, "%s", name);
    rates[rate_count++].per_second = per_second;
    fprintf(stderr, "# %-70s %12.0f/s\n", name, per_second);
}

static void __attribute__((format(printf, 4, 5)))
note_bound(const char *name, const char *allowed, bool met, const char *measured, ...)
{
    struct bound *bound = &bounds[bound_count++];
    va_list values;
    snprintf(bound->name, NAME_BYTES, "%s", name);
    snprintf(bound->allowed, NAME_BYTES, "%s", allowed);
    va_start(values, measured);
    vsnprintf(bound->measured, sizeof bound->measured, measured, values);
    va_end(values);
    bound->met = met;
    fprintf(stderr, "# %-70s %s\n", name, bound->measured);
}

/* --- waiting for a sweep --- */

/* A question that is on its way while the crowd goes on working. */
struct watch {
    struct cluster *cluster;
    struct digest id;
    bool asked;
    struct sweep_status status; /* the last answer; all zero before */
    uint64_t end_ms;            /* of a watch that ends by time, or 0 */
    uint64_t leased;            /* of one that ends when so many blocks are lent */
    size_t workers;             /* of one that ends when so many workers are there */
    uint32_t registered;
};

static void ask_on_the_way(struct watch *watch)
{
    const char *why;
    struct message *message = watch->cluster->message;
    while (socket_receive(watch->cluster->client, NULL, message, &why) == SOCKET_OK) {
        if (message->kind != MESSAGE_SWEEPS) continue;
        watch->asked = false;
        watch->registered = message->sweeps.workers;
        if (message->sweeps.count > 0) watch->status = message->sweeps.list[0];
    }
    if (watch->asked) return;
    message->kind = MESSAGE_STATUS;
    message->status.sweep = watch->id;
    watch->asked = socket_send(watch->cluster->client, NULL, message) == SOCKET_OK;
}

static bool sweep_is_done(void *context)
{
    struct watch *watch = context;
    ask_on_the_way(watch);
    if (watch->status.state == SWEEP_FAILED) stop("the sweep failed: %s", watch->status.text);
    return watch->status.state == SWEEP_DONE;
}

static bool time_is_up(void *context)
{
    return clock_ms() >= ((struct watch *)context)->end_ms;
}

/* Everybody has had a turn by then, and knows leases of full size. */
static bool leases_have_grown(void *context)
{
    struct watch *watch = context;
    ask_on_the_way(watch);
    return watch->status.done >= (uint64_t)IDLE_WORKERS * LEASE_BLOCKS;
}

static bool enough_is_lent(void *context)
{
    struct watch *watch = context;
    ask_on_the_way(watch);
    return watch->status.leased >= watch->leased;
}

static bool workers_are_there(void *context)
{
    struct watch *watch = context;
    ask_on_the_way(watch);
    return watch->registered >= watch->workers;
}

/* --- durable blocks a second --- */

static void await_done(struct cluster *cluster, const struct digest *id)
{
    const uint64_t end_ms = clock_ms() + QUEUE_PATIENCE_MS;
    while (clock_ms() < end_ms) {
        if (!cluster_ask_status(cluster, id, QUEUE_PATIENCE_MS)) break;
        const struct sweep_status *status = &cluster->message->sweeps.list[0];
        if (status->state == SWEEP_DONE) return;
        if (status->state == SWEEP_FAILED) stop("the sweep failed: %s", status->text);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    stop("the sweep is not done in time");
}

static const char *transport_name(enum transport transport)
{
    static const char *const names[TRANSPORTS] = {[OVER_IPC] = "ipc", [OVER_TCP] = "tcp", [OVER_CURVE] = "CURVE"};
    return names[transport];
}

static void rate_of_programs(enum transport transport, size_t workers)
{
    struct cluster cluster;
    struct digest id;
    char name[NAME_BYTES];
    cluster_open(&cluster, transport);
    cluster_start_broker(&cluster);
    cluster_start_aggregator(&cluster);
    for (size_t at = 0; at < workers; at++) cluster_start_worker(&cluster);
    cluster_await_workers(&cluster, workers);
    make_empty_sweep(&sweep, "empty", options.blocks);
    const uint64_t start_us = clock_us();
    cluster_submit(&cluster, &sweep, &id);
    await_done(&cluster, &id);
    const double seconds = (double)(clock_us() - start_us) / 1e6;
    snprintf(name, sizeof name, "Goldthread, %s, %zu worker program%s", transport_name(transport), workers,
             workers == 1 ? "" : "s");
    note_rate(name, (double)options.blocks / seconds);
    cluster_close(&cluster);
}

static void gather(struct cluster *cluster, struct crowd *crowd, size_t workers)
{
    struct watch watch = {.cluster = cluster, .workers = workers};
    if (!crowd_work(crowd, workers_are_there, &watch)) stop("%zu workers do not register", workers);
    if (watch.asked) cluster_ask_status(cluster, &all_sweeps, QUEUE_PATIENCE_MS); /* takes the last answer in */
}

/* cost: NULL, or where to say what it cost broker and aggregator. */
static double rate_of_crowd(enum transport transport, size_t workers, enum crowd_manner manner, uint64_t blocks,
                            struct cost *cost)
{
    struct cluster cluster;
    struct watch watch = {.cluster = &cluster};
    cluster_open(&cluster, transport);
    cluster_start_broker(&cluster);
    cluster_start_aggregator(&cluster);
    struct crowd *crowd = crowd_open(&cluster, workers);
    crowd_behave(crowd, manner);
    gather(&cluster, crowd, workers);
    make_empty_sweep(&sweep, "empty", blocks);
    const uint64_t broker_us = process_cpu_us(cluster.broker), aggregator_us = process_cpu_us(cluster.aggregator);
    const uint64_t start_us = clock_us();
    cluster_submit(&cluster, &sweep, &watch.id);
    if (!crowd_work(crowd, sweep_is_done, &watch)) stop("the sweep is not done in time");
    const double seconds = (double)(clock_us() - start_us) / 1e6;
    if (cost != NULL) {
        cost->broker_us = (double)(process_cpu_us(cluster.broker) - broker_us) / (double)blocks;
        cost->aggregator_us = (double)(process_cpu_us(cluster.aggregator) - aggregator_us) / (double)blocks;
    }
    crowd_close(crowd);
    cluster_close(&cluster);
    return (double)blocks / seconds;
}

static void measure_rates(enum transport transport)
{
    static const size_t workers[] = {1, 8, 64};
    char name[NAME_BYTES];
    for (size_t at = 0; at < 3; at++) rate_of_programs(transport, workers[at]);
    for (size_t at = 0; at < 3; at++) {
        const double rate = rate_of_crowd(transport, workers[at], CROWD_COMPUTES, options.blocks, NULL);
        snprintf(name, sizeof name, "Goldthread, %s, %zu simulated worker%s", transport_name(transport), workers[at],
                 workers[at] == 1 ? "" : "s");
        note_rate(name, rate);
    }
}

/* As other queues work: each block is lent, folded, committed and acknowledged for itself. */
static void measure_singly(enum transport transport)
{
    static const size_t workers[] = {8, 64, 512};
    char name[NAME_BYTES];
    for (size_t at = 0; at < 3; at++) {
        struct cost *cost = &costs[cost_count++];
        const double rate = rate_of_crowd(transport, workers[at], CROWD_SINGLY, options.singly, cost);
        snprintf(name, sizeof name, "Goldthread, %s, %zu simulated workers, a lease for each block",
                 transport_name(transport), workers[at]);
        snprintf(cost->name, NAME_BYTES, "%s, %zu simulated workers", transport_name(transport), workers[at]);
        note_rate(name, rate);
    }
}

/* What encryption costs: each row over plain TCP and over CURVE, one straight after the other. */
static void measure_curve(void)
{
    static const struct {
        size_t workers;
        enum crowd_manner manner;
    } rows[] = {{8, CROWD_COMPUTES}, {64, CROWD_COMPUTES}, {8, CROWD_SINGLY}, {64, CROWD_SINGLY}};
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct pair *pair = &pairs[pair_count++];
        const bool singly = rows[at].manner == CROWD_SINGLY;
        const uint64_t blocks = singly ? options.singly : options.blocks;
        snprintf(pair->name, NAME_BYTES, "%zu simulated workers%s", rows[at].workers,
                 singly ? ", a lease for each block" : "");
        pair->plain = rate_of_crowd(OVER_TCP, rows[at].workers, rows[at].manner, blocks, NULL);
        pair->curve = rate_of_crowd(OVER_CURVE, rows[at].workers, rows[at].manner, blocks, NULL);
        fprintf(stderr, "# %-70s %12.0f/s, CURVE %12.0f/s\n", pair->name, pair->plain, pair->curve);
    }
}

/* --- bare ZeroMQ, and other queues --- */

static void measure_pings(void)
{
    for (int tcp = 1; tcp >= 0; tcp--) {
        char name[NAME_BYTES];
        static const struct {
            size_t dealers, window;
        } rows[] = {{8, 32}, {1, 32}, {1, 1}};
        for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
            snprintf(name, sizeof name, "ROUTER-DEALER ping, %s, %zu dealer%s, window %zu",
                     transport_name(tcp ? OVER_TCP : OVER_IPC), rows[at].dealers, rows[at].dealers == 1 ? "" : "s",
                     rows[at].window);
            note_rate(name, ping_rate(tcp, rows[at].dealers, rows[at].window, options.ping_seconds));
        }
    }
}

/* Rows "| what | rate | median | ..." of run-all's table. */
static void take_peer_row(char *line)
{
    char what[NAME_BYTES - 8], figure[32], name[NAME_BYTES];
    double median;
    if (sscanf(line, "| %80[^|] | %31[^|] | %lf |", what, figure, &median) != 3) return;
    for (size_t end = strlen(what); end > 0 && what[end - 1] == ' ';) what[--end] = 0;
    if (strncmp(figure, "rate", 4) != 0 || (figure[4] != ' ' && figure[4] != 0)) return;
    snprintf(name, sizeof name, "peer: %s", what);
    note_rate(name, median);
}

/* Lines "skipped: ..." and "  failed: ..." that run-all writes about what it cannot measure. */
static void take_peer_note(const char *line)
{
    const size_t used = strlen(skipped);
    if (strncmp(line, "skipped: ", 9) != 0 && strncmp(line, "  failed: ", 10) != 0) return;
    snprintf(skipped + used, sizeof skipped - used, "%s%.*s", used > 0 ? "; " : "",
             (int)strcspn(strchr(line, ':') + 2, "\n"), strchr(line, ':') + 2);
}

static void measure_peers(void)
{
    char command[1024], line[1024];
    if (options.peers == NULL) return;
    snprintf(command, sizeof command, "'%.900s/run-all' -r 1 " PEER_GROUPS " 2>&1", options.peers);
    FILE *table = popen(command, "r");
    if (table == NULL) stop("%s cannot be run", command);
    while (fgets(line, sizeof line, table) != NULL) {
        take_peer_row(line);
        take_peer_note(line);
    }
    if (pclose(table) != 0) stop("%s failed", command);
}

/* --- bounds --- */

static int by_number(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint64_t median(uint64_t *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, by_number);
    return numbers[count / 2];
}

static uint64_t ask_us(struct cluster *cluster)
{
    const uint64_t start_us = clock_us();
    if (!cluster_ask_status(cluster, &all_sweeps, QUEUE_PATIENCE_MS)) stop("no status");
    return clock_us() - start_us;
}

/* A submission is a question and one write to the disk. In turns with it a question without a write, and a write
 * without a broker: the rest is ours. */
static void measure_submission(void)
{
    struct cluster cluster;
    struct digest id;
    uint64_t took_us[SUBMITS], bare_us[SUBMITS], asked_us[SUBMITS];
    cluster_open(&cluster, OVER_TCP);
    cluster_start_broker(&cluster);
    for (size_t at = 0; at < SUBMITS; at++) {
        char name[32];
        snprintf(name, sizeof name, "huge-%zu", at);
        make_empty_sweep(&sweep, name, HUGE_BLOCKS);
        took_us[at] = cluster_submit(&cluster, &sweep, &id);
        bare_us[at] = disk_sync_us(&cluster);
        asked_us[at] = ask_us(&cluster);
    }
    const double all_ms = (double)median(took_us, SUBMITS) / 1e3, disk_ms = (double)median(bare_us, SUBMITS) / 1e3,
                 asked_ms = (double)median(asked_us, SUBMITS) / 1e3;
    note_bound(
        "submit 100 million blocks, to disk and answered", "10 ms", all_ms <= 10,
        "median %.2f ms, worst of %d %.2f ms; a bare write and fdatasync %.2f and %.2f ms, STATUS %.2f and %.2f ms;"
        " ratio to both %.2f",
        all_ms, SUBMITS, (double)took_us[SUBMITS - 1] / 1e3, disk_ms, (double)bare_us[SUBMITS - 1] / 1e3, asked_ms,
        (double)asked_us[SUBMITS - 1] / 1e3, all_ms / (disk_ms + asked_ms));
    cluster_close(&cluster);
}

/* Most workers hold as many leases of as many blocks as they may, and keep them. */
static void measure_memory(void)
{
    struct cluster cluster;
    struct watch watch = {.cluster = &cluster, .leased = (uint64_t)IDLE_WORKERS * LEASES_EACH * LEASE_BLOCKS / 2};
    cluster_open(&cluster, OVER_IPC);
    cluster_start_broker(&cluster);
    cluster_start_aggregator(&cluster);
    struct crowd *crowd = crowd_open(&cluster, IDLE_WORKERS);
    gather(&cluster, crowd, IDLE_WORKERS);
    make_empty_sweep(&sweep, "huge", HUGE_BLOCKS);
    cluster_submit(&cluster, &sweep, &watch.id);
    if (!crowd_work(crowd, leases_have_grown, &watch)) stop("the leases do not grow");
    crowd_behave(crowd, CROWD_HOLDS);
    if (!crowd_work(crowd, enough_is_lent, &watch)) stop("the leases are not handed out");
    const uint64_t bytes = process_memory_bytes(cluster.broker), allowed = (64u << 20) + 200 * watch.status.leased;
    char limit[NAME_BYTES];
    snprintf(limit, sizeof limit, "64 MiB + 200 B x %.2f million", (double)watch.status.leased / 1e6);
    note_bound("broker's memory, 100 million blocks, 1,000 workers", limit, bytes <= allowed,
               "%.1f MiB, %.2f million blocks lent", (double)bytes / (1u << 20), (double)watch.status.leased / 1e6);
    crowd_close(crowd);
    cluster_close(&cluster);
}

static void measure_restart(void)
{
    struct cluster cluster;
    cluster_open(&cluster, OVER_TCP);
    cluster_start_broker(&cluster);
    const uint64_t known = flood_known_blocks(&cluster);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); /* what is done may wait 100 ms for its commit */
    cluster_kill_broker(&cluster);
    const uint64_t start_us = clock_us();
    cluster_start_broker(&cluster);
    const double seconds = (double)(clock_us() - start_us) / 1e6;
    const double processor_seconds = (double)process_cpu_us(cluster.broker) / 1e6;
    uint64_t done = 0;
    if (!cluster_ask_status(&cluster, &all_sweeps, QUEUE_PATIENCE_MS)) stop("no status");
    for (uint32_t at = 0; at < cluster.message->sweeps.count; at++) done += cluster.message->sweeps.list[at].done;
    note_bound("restart after SIGKILL, a million blocks known in as many pieces", "2 s, nothing forgotten",
               seconds <= 2 && done == known, "%.2f s, %.2f s of it processor time, %llu of %llu known", seconds,
               processor_seconds, (unsigned long long)done, (unsigned long long)known);
    cluster_close(&cluster);
}

/* The aggregator's start: a store that is checked as a whole, and one that is too large for that; as the system has it
 * in memory, and read from the disk. */
static void measure_store(uint64_t mebibytes, bool cold)
{
    struct cluster cluster;
    char name[NAME_BYTES];
    cluster_open(&cluster, OVER_TCP);
    cluster_start_broker(&cluster);
    cluster_start_aggregator(&cluster);
    cluster_end_aggregator(&cluster);
    disk_fill_store(&cluster, mebibytes << 20);
    cluster_kill_broker(&cluster); /* one that knows no aggregator yet */
    cluster_start_broker(&cluster);
    if (cold) disk_forget_store(&cluster);
    const uint64_t start_us = clock_us();
    cluster_start_aggregator(&cluster);
    const double seconds = (double)(clock_us() - start_us) / 1e6;
    snprintf(name, sizeof name, "start of the aggregator, store of %llu MiB, %s", (unsigned long long)mebibytes,
             cold ? "from the disk" : "in memory");
    note_bound(name, "2 s", seconds <= 2, "%.2f s", seconds);
    cluster_close(&cluster);
}

/* Percent of a core that the broker takes while nothing is to be done. */
static double measure_share(const struct cluster *cluster, struct crowd *crowd)
{
    struct watch watch = {.end_ms = clock_ms() + IDLE_MS};
    const uint64_t before_us = process_cpu_us(cluster->broker), start_us = clock_us();
    crowd_work(crowd, time_is_up, &watch);
    return 100 * (double)(process_cpu_us(cluster->broker) - before_us) / (double)(clock_us() - start_us);
}

/* Other programs on the machine cool its caches and make the same work dearer, so that the least of a few
 * windows is held against the bound. */
static void measure_idleness(enum transport transport)
{
    struct cluster cluster;
    char name[NAME_BYTES];
    struct watch watch = {.cluster = &cluster};
    cluster_open(&cluster, transport);
    cluster_start_broker(&cluster);
    cluster_start_aggregator(&cluster);
    struct crowd *crowd = crowd_open(&cluster, IDLE_WORKERS);
    gather(&cluster, crowd, IDLE_WORKERS);
    watch.end_ms = clock_ms() + IDLE_SETTLE_MS;
    crowd_work(crowd, time_is_up, &watch);
    double least = 100, most = 0;
    for (int window = 0; window < IDLE_WINDOWS; window++) {
        const double share = measure_share(&cluster, crowd);
        least = share < least ? share : least;
        most = share > most ? share : most;
    }
    snprintf(name, sizeof name, "broker with 1,000 idle workers, %s", transport_name(transport));
    note_bound(name, "2 % of a core", least < 2 && crowd_registered(crowd) == IDLE_WORKERS,
               "%.2f to %.2f %% in %d windows, %zu registered at the end", least, most, IDLE_WINDOWS,
               crowd_registered(crowd));
    crowd_close(crowd);
    cluster_close(&cluster);
}

/* --- the tables --- */

/* The first row is the unit of the others: the bare ping, unless it was left out. */
static void print_rates(void)
{
    printf("| what | blocks, tasks or trips a second | us each | of the first row |\n| --- | ---: | ---: | ---: |\n");
    for (size_t at = 0; at < rate_count; at++)
        printf("| %s | %.0f | %.2f | %.3g |\n", rates[at].name, rates[at].per_second, 1e6 / rates[at].per_second,
               rates[at].per_second / rates[0].per_second);
}

static void print_costs(void)
{
    printf("\n| a block leased by itself costs | broker, us | aggregator, us |\n| --- | ---: | ---: |\n");
    for (size_t at = 0; at < cost_count; at++)
        printf("| %s | %.1f | %.1f |\n", costs[at].name, costs[at].broker_us, costs[at].aggregator_us);
}

static void print_pairs(void)
{
    printf("\n| blocks a second | tcp | CURVE | ratio |\n| --- | ---: | ---: | ---: |\n");
    for (size_t at = 0; at < pair_count; at++)
        printf("| %s | %.0f | %.0f | %.2f |\n", pairs[at].name, pairs[at].plain, pairs[at].curve,
               pairs[at].curve / pairs[at].plain);
}

static void print_bounds(void)
{
    printf("\n| bound | allowed | measured | met |\n| --- | --- | --- | --- |\n");
    for (size_t at = 0; at < bound_count; at++)
        printf("| %s | %s | %s | %s |\n", bounds[at].name, bounds[at].allowed, bounds[at].measured,
               bounds[at].met ? "yes" : "no");
}

static uint64_t read_count(const char *text)
{
    char *end;
    const unsigned long long count = strtoull(text, &end, 10);
    if (*end != 0 || count < 1 || count > 1000000000) stop("'%s': a whole number from 1 to 10^9 is needed", text);
    return count;
}

static void read_options(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "n:s:p:o:h")) != -1) {
        if (option == 'n') options.blocks = read_count(optarg);
        else if (option == 's') options.singly = read_count(optarg);
        else if (option == 'p') options.peers = optarg;
        else if (option == 'o') options.only = optarg;
        else {
            fprintf(
                stderr,
                "usage: bench_queue [-n BLOCKS] [-s BLOCKS] [-p DIR] [-o PARTS]\n"
                "  -n  blocks of a sweep that is leased in batches; default 8000000\n"
                "  -s  blocks of a sweep that is leased block by block; default 40000\n"
                "  -p  folder of other queues' drivers, with the script run-all\n"
                "  -o  only these parts, such as ping,rates; of ping rates singly curve peers submit memory restart\n"
                "      store idle\n");
            exit(option == 'h' ? 0 : 2);
        }
    }
}

static bool is_asked(const char *part)
{
    return options.only == NULL || strstr(options.only, part) != NULL;
}

/* A thousand simulated workers need some thousands of descriptors, here and in the broker. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Also when a part could not be measured: the others may have taken long. */
static void print_tables(void)
{
    if (rate_count > 0) print_rates();
    if (skipped[0] != 0) printf("\nPeers that are not in the table: %s.\n", skipped);
    if (cost_count > 0) print_costs();
    if (pair_count > 0) print_pairs();
    if (bound_count > 0) print_bounds();
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    atexit(print_tables);
    raise_descriptors();
    if (is_asked("ping")) measure_pings();
    for (enum transport transport = OVER_IPC; transport <= OVER_TCP; transport++) {
        if (is_asked("rates")) measure_rates(transport);
        if (is_asked("singly")) measure_singly(transport);
    }
    if (is_asked("curve")) measure_curve();
    if (is_asked("peers")) measure_peers();
    if (is_asked("submit")) measure_submission();
    if (is_asked("memory")) measure_memory();
    if (is_asked("restart")) measure_restart();
    for (int row = 0; row < 4; row++)
        if (is_asked("store")) measure_store(row < 2 ? STORE_MIB_CHECKED : 1024, row % 2 == 1);
    for (enum transport transport = OVER_IPC; transport <= OVER_TCP; transport++)
        if (is_asked("idle")) measure_idleness(transport);
    for (size_t at = 0; at < bound_count; at++)
        if (!bounds[at].met) return 1;
    return 0;
}
