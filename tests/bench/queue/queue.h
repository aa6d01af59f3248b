/* What the parts of bench_queue share: a run is a broker and an aggregator, which are always the real
 * programs, and workers, which are real programs or simulated: the real session core over real sockets,
 * many in this process, so that many workers do not only measure the scheduler of the system. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <goldthread/sweep.h>

#include "message.h"
#include "net/curve.h"
#include "net/socket.h"

#define QUEUE_PATH_BYTES   512
#define QUEUE_WORKERS_MAX  64u   /* real programs */
#define QUEUE_SIMULATED    2000u /* simulated ones */
#define QUEUE_PATIENCE_MS  60000 /* for anything that must happen; a run that needs it all has failed */
#define QUEUE_SWEEPS_KNOWN 41u   /* with 24,576 separate ranges each: a million blocks in as many pieces */

/* Ends the benchmark with one line; stops what was started. */
_Noreturn void stop(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- programs.c: one cluster at a time, in a folder of its own --- */

enum transport { OVER_IPC, OVER_TCP, OVER_CURVE, TRANSPORTS }; /* the last two on the loopback */

struct cluster {
    char folder[QUEUE_PATH_BYTES], broker_endpoint[MESSAGE_ENDPOINT_BYTES], aggregator_endpoint[MESSAGE_ENDPOINT_BYTES];
    pid_t broker, aggregator; /* 0: does not run */
    pid_t workers[QUEUE_WORKERS_MAX];
    size_t worker_count;
    struct net *net;
    struct socket *client;                  /* talks to the broker */
    char keys_folder[QUEUE_PATH_BYTES + 8]; /* empty: no keys */
    struct keys client_keys, worker_keys;
    struct message *message;
};

/* An empty cluster: makes its folder, and keys for OVER_CURVE. Nothing runs yet. */
void cluster_open(struct cluster *cluster, enum transport transport);
void cluster_start_broker(struct cluster *cluster);     /* and waits until it answers */
void cluster_start_aggregator(struct cluster *cluster); /* and waits until the broker knows it */
void cluster_start_worker(struct cluster *cluster);     /* does not wait */
void cluster_await_workers(struct cluster *cluster, size_t count);
void cluster_kill_broker(struct cluster *cluster);    /* SIGKILL */
void cluster_end_aggregator(struct cluster *cluster); /* SIGTERM, and waits */
void cluster_close(struct cluster *cluster);          /* ends all and removes the folder */

/* SUBMIT to ACCEPTED, in microseconds. */
uint64_t cluster_submit(struct cluster *cluster, const struct sweep *sweep, struct digest *id);

/* STATUS; zero: of all sweeps. The answer is in cluster->message. False: none within timeout_ms. */
bool cluster_ask_status(struct cluster *cluster, const struct digest *sweep, uint64_t timeout_ms);

uint64_t process_cpu_us(pid_t pid);       /* user and system time so far, all threads */
uint64_t process_memory_bytes(pid_t pid); /* resident now */

/* The sweep: `blocks` no-op blocks of one draw, in its canonical form. Names tell sweeps apart. */
void make_empty_sweep(struct sweep *sweep, const char *name, uint64_t blocks);

/* --- simulated.c --- */

struct crowd;

enum crowd_manner {
    CROWD_COMPUTES, /* runs every block */
    CROWD_SINGLY,   /* and says that blocks are slow, so that each block is leased and folded alone */
    CROWD_HOLDS     /* takes leases and computes nothing */
};

/* `count` workers that connect to the cluster's broker. */
struct crowd *crowd_open(const struct cluster *cluster, size_t count);
void crowd_close(struct crowd *crowd);
void crowd_behave(struct crowd *crowd, enum crowd_manner manner);

/* Works until `until` says so, which is asked every few milliseconds, or QUEUE_PATIENCE_MS have passed.
 * False: they have passed. */
bool crowd_work(struct crowd *crowd, bool (*until)(void *context), void *context);

size_t crowd_registered(const struct crowd *crowd);

/* --- ping.c --- */

/* Round trips per second of 100 bytes between a ROUTER and `dealers` DEALERs with `window` messages on
 * their way each: nothing but ZeroMQ. */
double ping_rate(bool over_tcp, size_t dealers, size_t window, double seconds);

/* --- flood.c --- */

/* Says to the cluster's broker, as a worker would, that every second block of QUEUE_SWEEPS_KNOWN sweeps
 * is done: no two blocks touch, which is the most that a broker has to remember. Returns how many. */
uint64_t flood_known_blocks(struct cluster *cluster);

/* --- disk.c --- */

/* Appends as much to a file of the folder as the journal does for a submission, in microseconds till fdatasync is
 * through. */
uint64_t disk_sync_us(const struct cluster *cluster);

/* Fills the store of the aggregator, which does not run, up to so many bytes. */
void disk_fill_store(const struct cluster *cluster, uint64_t bytes);

/* Takes the store out of the system's memory, so that it is read from the disk. */
void disk_forget_store(const struct cluster *cluster);
