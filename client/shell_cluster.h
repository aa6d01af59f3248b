/* Broker, aggregator and workers of one run on this machine, and the conversation that takes a sweep
 * through them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "asking.h"
#include "message.h"
#include "node.h"
#include "progress.h"
#include "shell_children.h"
#include "shell_job.h"
#include "shell_state.h"
#include "socket.h"

enum cluster_status { CLUSTER_RUNNING, CLUSTER_DONE, CLUSTER_FAILED, CLUSTER_INTERRUPTED };

struct cluster {
    const struct job *job; /* borrowed */
    struct state *state;   /* borrowed */
    struct children children;
    uint32_t worker_count;
    const char *block_seconds; /* borrowed: --block-seconds of the workers; NULL: theirs */
    int stop_fd;               /* borrowed: readable once somebody wants us to stop */

    struct net *net;
    struct socket *broker, *aggregator;
    struct message *message; /* room for what arrives */
    struct buffer sweep_bytes;

    enum asking asking;
    uint64_t start_ms, ask_due_ms;
    uint64_t late_ms;         /* after which the open question's answer is late; 0: it was not asked yet */
    struct digest digest;     /* of the rollup, as the servers say */
    struct progress progress; /* as of the last answer */
    struct node *root;        /* owned; once CLUSTER_DONE */
    char why[4096];           /* once CLUSTER_FAILED: what failed */
};

/* Starts the servers, and the workers when nothing has to be looked up first. block_seconds: as above. False: `why`
 * says why. End it with cluster_close() either way. */
bool cluster_open(struct cluster *cluster, const struct job *job, struct state *state, uint32_t workers,
                  const char *block_seconds, int stop_fd);

/* Waits for what happens next, at most a short while, and acts on it. */
enum cluster_status cluster_step(struct cluster *cluster);

/* Stops every child and closes the sockets; the root stays. */
void cluster_stop(struct cluster *cluster);
void cluster_close(struct cluster *cluster);
