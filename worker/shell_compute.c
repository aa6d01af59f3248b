#include "shell_compute.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "block.h"
#include "net/process.h"
#include "node.h"
#include "plan.h"
#include "plugin.h"
#include "population.h"
#include "population_codec.h"
#include "sweep_codec.h"

#define CLOSE_PATIENCE_NS 200000000L

/* A sweep made ready to compute, at its first part. Touched by the computing thread while a part of it
 * runs, and by the other thread otherwise; the mutex hands it over with the part. */
struct place {
    struct buffer sweep_bytes, population_bytes;
    struct sweep *sweep;
    struct population *population; /* NULL: the built-in one */
    struct plugin *plugin;         /* NULL: a built-in model */
    struct plan *plan;
    struct block_runner *runner;
};

enum job_state { JOB_NONE, JOB_WAITING, JOB_RUNNING, JOB_THROUGH, JOB_END, JOB_ENDED };

struct job {
    enum job_state state;
    uint32_t slot, place, level;
    uint64_t index;
    struct computed computed;
};

struct computer {
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job job; /* under the mutex, but for `computed` while JOB_RUNNING */
    atomic_bool aborted;
    uint64_t aborted_ms;                         /* when, for the thread that owns the sockets */
    atomic_uint_least64_t block, block_since_ms; /* being computed; since 0: none */
    int through_fd;
    const char *models; /* borrowed */
    struct population *built_in;
    struct digest built_in_digest;
    struct place places[SESSION_SWEEPS_MAX];
};

/* Places */

static void unmake(struct place *place)
{
    if (place->runner != NULL) block_runner_free(place->runner);
    if (place->plan != NULL) plan_free(place->plan);
    plugin_close(place->plugin);
    if (place->population != NULL) population_free(place->population);
    free(place->sweep);
    place->runner = NULL;
    place->plan = NULL;
    place->plugin = NULL;
    place->population = NULL;
    place->sweep = NULL;
}

static void empty(struct place *place)
{
    unmake(place);
    buffer_free(&place->sweep_bytes);
    buffer_free(&place->population_bytes);
}

static bool say(char *why, const char *text)
{
    snprintf(why, COMPUTE_WHY_BYTES, "%s", text);
    return false;
}

/* The population that the sweep names: fetched, or built in. */
static const struct population *find_population(struct computer *computer, struct place *place, char *why)
{
    const char *reason = NULL;
    if (place->population_bytes.size == 0) return computer->built_in;
    place->population = population_decode(buffer_span(&place->population_bytes), &reason);
    if (place->population == NULL) say(why, reason);
    return place->population;
}

static bool decode_place(struct place *place, char *why)
{
    const char *reason = NULL;
    place->sweep = malloc(sizeof *place->sweep);
    if (place->sweep == NULL) return say(why, "out of memory");
    return sweep_decode(buffer_span(&place->sweep_bytes), place->sweep, &reason) || say(why, reason);
}

static bool make_plan(struct computer *computer, struct place *place, struct computed *computed)
{
    char *why = computed->failure;
    const struct model *model = plugin_find(computer->models, place->sweep, &place->plugin, why, COMPUTE_WHY_BYTES);
    computed->unfit = model == NULL;
    const struct population *population = model != NULL ? find_population(computer, place, why) : NULL;
    if (population == NULL) return false;
    const uint32_t draws_per_block = place->sweep->draws_per_block;
    place->plan = plan_new(place->sweep, population, model, why, COMPUTE_WHY_BYTES);
    if (place->plan == NULL) return false;
    if (place->sweep->draws_per_block != draws_per_block)
        return say(why, "this worker would cut the sweep into other blocks");
    place->runner = block_runner_new(place->plan, why, COMPUTE_WHY_BYTES);
    return place->runner != NULL;
}

static bool make_ready(struct computer *computer, struct place *place, struct computed *computed)
{
    if (place->runner != NULL) return true;
    unmake(place);
    say(computed->failure, "out of memory");
    if (decode_place(place, computed->failure) && make_plan(computer, place, computed)) return true;
    unmake(place);
    return false;
}

/* Computing */

static bool is_aborted(const struct computer *computer)
{
    return atomic_load(&computer->aborted);
}

static void note_block(struct computer *computer, uint64_t block)
{
    atomic_store(&computer->block, block);
    atomic_store(&computer->block_since_ms, clock_ms());
}

/* Asked before each block of a part, in their order. */
static bool stops_before_block(void *context)
{
    struct computer *computer = context;
    note_block(computer, atomic_load(&computer->block) + 1);
    return is_aborted(computer);
}

static void compute(struct computer *computer, const struct job *job, struct computed *computed)
{
    struct place *place = &computer->places[job->place];
    *computed = (struct computed){.slot = job->slot, .failed_block = job->index << job->level};
    note_block(computer, computed->failed_block); /* setting a model up may take for ever too */
    if (!make_ready(computer, place, computed)) return;
    computed->failure[0] = 0;
    atomic_store(&computer->block, computed->failed_block - 1);
    const uint64_t start_us = clock_us(); /* the time of blocks decides the size of leases; setting up is none */
    struct node *node =
        block_run_tree(place->runner, job->level, job->index, stops_before_block, computer, &computed->failed_block);
    if (node == NULL) {
        computed->aborted = is_aborted(computer);
        say(computed->failure, computed->aborted ? "aborted" : "out of memory");
        return;
    }
    node_encode(node, &computed->node);
    node_free(node);
    if (computed->node.failed) {
        buffer_free(&computed->node);
        say(computed->failure, "out of memory");
    }
    computed->compute_us = clock_us() - start_us;
}

static void signal_through(const struct computer *computer)
{
    const uint64_t one = 1;
    if (write(computer->through_fd, &one, sizeof one) < 0) return; /* it counts already */
}

static void *run(void *context)
{
    struct computer *computer = context;
    struct job *job = &computer->job;
    pthread_mutex_lock(&computer->mutex);
    while (job->state != JOB_END) {
        if (job->state != JOB_WAITING) {
            pthread_cond_wait(&computer->changed, &computer->mutex);
            continue;
        }
        job->state = JOB_RUNNING;
        const struct job taken = *job;
        pthread_mutex_unlock(&computer->mutex);
        struct computed computed;
        compute(computer, &taken, &computed);
        atomic_store(&computer->block_since_ms, 0);
        pthread_mutex_lock(&computer->mutex);
        if (job->state == JOB_END) {
            buffer_free(&computed.node);
            break;
        }
        job->computed = computed;
        job->state = JOB_THROUGH;
        signal_through(computer);
    }
    job->state = JOB_ENDED;
    pthread_cond_signal(&computer->changed);
    pthread_mutex_unlock(&computer->mutex);
    return NULL;
}

/* The other thread's side */

static void release(struct computer *computer)
{
    for (uint32_t at = 0; at < SESSION_SWEEPS_MAX; at++) empty(&computer->places[at]);
    buffer_free(&computer->job.computed.node);
    if (computer->built_in != NULL) population_free(computer->built_in);
    if (computer->through_fd >= 0) close(computer->through_fd);
    pthread_cond_destroy(&computer->changed);
    pthread_mutex_destroy(&computer->mutex);
    free(computer);
}

struct computer *computer_open(const char *models, char *why, size_t why_bytes)
{
    struct computer *computer = calloc(1, sizeof *computer);
    snprintf(why, why_bytes, "out of memory");
    if (computer == NULL) return NULL;
    computer->models = models;
    pthread_mutex_init(&computer->mutex, NULL);
    pthread_cond_init(&computer->changed, NULL);
    computer->through_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    computer->built_in = population_built_in();
    if (computer->built_in != NULL) computer->built_in_digest = population_identity(computer->built_in);
    if (computer->through_fd >= 0 && computer->built_in != NULL)
        computer->started = pthread_create(&computer->thread, NULL, run, computer) == 0;
    if (computer->started) return computer;
    release(computer);
    return NULL;
}

/* Waited for, and then joined: the thread sanitizer of gcc 12 knows of no join that gives up by this clock. */
static bool has_ended(struct computer *computer)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += CLOSE_PATIENCE_NS;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int late = 0;
    pthread_mutex_lock(&computer->mutex);
    computer->job.state = JOB_END;
    pthread_cond_signal(&computer->changed);
    while (computer->job.state != JOB_ENDED && late == 0)
        late = pthread_cond_clockwait(&computer->changed, &computer->mutex, CLOCK_MONOTONIC, &until);
    const bool ended = computer->job.state == JOB_ENDED;
    pthread_mutex_unlock(&computer->mutex);
    return ended;
}

bool computer_close(struct computer *computer)
{
    if (computer == NULL) return true;
    computer_abort(computer);
    if (!has_ended(computer)) return false;
    pthread_join(computer->thread, NULL);
    release(computer);
    return true;
}

struct digest computer_built_in(const struct computer *computer)
{
    return computer->built_in_digest;
}

static bool load(struct buffer *buffer, struct span bytes)
{
    buffer_clear(buffer);
    buffer_append(buffer, bytes.data, bytes.size);
    if (!buffer->failed) return true;
    buffer_free(buffer);
    return false;
}

bool computer_load_sweep(struct computer *computer, uint32_t place, struct span bytes)
{
    empty(&computer->places[place]);
    return load(&computer->places[place].sweep_bytes, bytes);
}

bool computer_load_population(struct computer *computer, uint32_t place, struct span bytes)
{
    unmake(&computer->places[place]);
    return load(&computer->places[place].population_bytes, bytes);
}

void computer_start(struct computer *computer, uint32_t slot, uint32_t place, uint32_t level, uint64_t index)
{
    atomic_store(&computer->aborted, false);
    pthread_mutex_lock(&computer->mutex);
    computer->job = (struct job){.state = JOB_WAITING, .slot = slot, .place = place, .level = level, .index = index};
    pthread_cond_signal(&computer->changed);
    pthread_mutex_unlock(&computer->mutex);
}

void computer_abort(struct computer *computer)
{
    if (!atomic_exchange(&computer->aborted, true)) computer->aborted_ms = clock_ms();
}

uint64_t computer_block_ms(const struct computer *computer, uint64_t *block)
{
    const uint64_t since_ms = atomic_load(&computer->block_since_ms), now_ms = clock_ms();
    *block = atomic_load(&computer->block);
    return since_ms > 0 && now_ms > since_ms ? now_ms - since_ms : 0;
}

uint64_t computer_abort_ms(const struct computer *computer)
{
    const bool running = atomic_load(&computer->block_since_ms) > 0;
    return running && atomic_load(&computer->aborted) ? clock_ms() - computer->aborted_ms : 0;
}

int computer_fd(const struct computer *computer)
{
    return computer->through_fd;
}

bool computer_take(struct computer *computer, struct computed *computed)
{
    uint64_t count;
    const bool woken = read(computer->through_fd, &count, sizeof count) > 0;
    if (!woken) return false;
    pthread_mutex_lock(&computer->mutex);
    const bool through = computer->job.state == JOB_THROUGH;
    if (through) {
        *computed = computer->job.computed;
        computer->job.computed.node = (struct buffer){0};
        computer->job.state = JOB_NONE;
    }
    pthread_mutex_unlock(&computer->mutex);
    return through;
}
