/* The worker's computing thread: parts of two sweeps in turn, others loaded meanwhile, parts given up, and
 * an end amid one. */
#include "../../worker/shell_compute.c" /* the program's shell is in no library */

#include <poll.h>

#include "scenario.h"
#include "support_threads.h"

#define DRAWS_PER_BLOCK 8u
#define ROUNDS          6u
#define ABORTS          40u
#define FAR_LEVEL       20u /* of a part that nobody waits for */

static char why[SCENARIO_WHY_BYTES];

static void read_scenario(struct buffer *out)
{
    uint8_t chunk[4096];
    FILE *file = fopen(GOLDTHREAD_SOURCE "/scenarios/golden-thread.yaml", "rbe");
    require(file != NULL);
    for (size_t size; (size = fread(chunk, 1, sizeof chunk, file)) > 0;) buffer_append(out, chunk, size);
    require(fclose(file) == 0 && !out->failed);
}

/* The golden thread of a seed, in small blocks and too many of them. */
static void make_sweep(const char *seed, struct buffer *out)
{
    struct buffer file = {0};
    read_scenario(&file);
    const struct scenario_overrides overrides = {.draws = "8388608", .seed = seed};
    struct scenario_file *scenario =
        scenario_read(buffer_span(&file), "golden-thread.yaml", &overrides, NULL, why);
    require(scenario != NULL);
    struct population *population = population_built_in();
    require(population != NULL);
    scenario->sweep.population = population_identity(population);
    scenario->sweep.draws_per_block = DRAWS_PER_BLOCK;
    struct plan *plan = plan_new(&scenario->sweep, population, scenario->model, why, sizeof why);
    require(plan != NULL);
    sweep_encode(&scenario->sweep, out);
    require(!out->failed);
    plan_free(plan);
    population_free(population);
    scenario_free(scenario);
    buffer_free(&file);
}

static struct computed take(struct computer *computer)
{
    struct computed computed;
    struct pollfd item = {.fd = computer_fd(computer), .events = POLLIN};
    do require(poll(&item, 1, PATIENCE_MS) == 1);
    while (!computer_take(computer, &computed));
    return computed;
}

/* Each part once in either place, while the other place is loaded anew; the same part has the same bits. */
static void compute_and_load(struct computer *computer, struct buffer sweeps[2])
{
    struct buffer first[2] = {{0}};
    for (uint32_t round = 0; round < 2 * ROUNDS; round++) {
        const uint32_t place = round % 2;
        computer_start(computer, 7, place, 1, 3);
        require(computer_load_sweep(computer, 1 - place, buffer_span(&sweeps[1 - place])));
        struct computed computed = take(computer);
        require(computed.slot == 7 && computed.failure[0] == 0 && computed.node.size > 0);
        if (round < 2) {
            first[place] = computed.node;
            continue;
        }
        require(computed.node.size == first[place].size);
        require(memcmp(computed.node.data, first[place].data, first[place].size) == 0);
        buffer_free(&computed.node);
    }
    require(first[0].size != first[1].size || memcmp(first[0].data, first[1].data, first[0].size) != 0);
    for (uint32_t place = 0; place < 2; place++) buffer_free(&first[place]);
}

/* A part that would never end is given up, sooner or later after its start. */
static void give_up(struct computer *computer)
{
    for (uint32_t times = 0; times < ABORTS; times++) {
        computer_start(computer, times, 0, FAR_LEVEL, 0);
        nanosleep(&(struct timespec){.tv_nsec = times * 100000L}, NULL);
        computer_abort(computer);
        const struct computed computed = take(computer);
        require(computed.slot == times && strcmp(computed.failure, "aborted") == 0 && computed.node.data == NULL);
    }
}

static void refuse_nonsense(struct computer *computer)
{
    require(computer_load_sweep(computer, 2, (struct span){(const uint8_t *)"?", 1}));
    computer_start(computer, 1, 2, 0, 0);
    const struct computed computed = take(computer);
    require(computed.failure[0] != 0 && computed.node.data == NULL);
}

int main(void)
{
    struct buffer sweeps[2] = {{0}};
    make_sweep("1", &sweeps[0]);
    make_sweep("2", &sweeps[1]);
    struct computer *computer = computer_open(NULL, why, sizeof why);
    require(computer != NULL);
    for (uint32_t place = 0; place < 2; place++)
        require(computer_load_sweep(computer, place, buffer_span(&sweeps[place])));
    compute_and_load(computer, sweeps);
    give_up(computer);
    refuse_nonsense(computer);
    computer_start(computer, 1, 1, FAR_LEVEL, 0);
    require(computer_close(computer));
    for (uint32_t place = 0; place < 2; place++) buffer_free(&sweeps[place]);
    return 0;
}
