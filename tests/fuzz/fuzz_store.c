/* The aggregator's store, damaged. The first byte chooses: the rest is a whole database file, or a log beside
 * a sound database, or a list of edits to a sound one. Whatever it is, nothing crashes; and when a database
 * was edited, either somebody is told, or everything that was in it is still there. */
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "support_database.h"
#include "targets.h"

#include "../../aggregator/shell_store.c" /* the program's shell is in no library */

#define SWEEPS 2
#define NODES  3
#define BLOCKS 64u

static const struct fold_place places[NODES] = {{1, 0}, {0, 2}, {3, 4}};

struct original { /* a database that is sound, and what is in it */
    struct buffer file;
    struct buffer sweeps[SWEEPS];
    struct digest ids[SWEEPS], population, result;
};

struct loaded {
    const struct original *original;
    unsigned damages, sweeps, nodes, populations;
    bool altered; /* something that was not in the original */
};

static struct span words(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static void fill(struct original *original, struct store *store)
{
    const struct span population = words("a population");
    original->population = digest_of(population);
    original->result = digest_of(words("a result"));
    fuzz_require(store_put_population(store, &original->population, population));
    for (uint8_t at = 0; at < SWEEPS; at++) {
        original->ids[at] = small_sweep(at, BLOCKS, &original->population, &original->sweeps[at]);
        fuzz_require(
            store_put_sweep(store, &original->ids[at], &original->population, buffer_span(&original->sweeps[at])));
        for (size_t node = 0; node < NODES; node++)
            fuzz_require(store_put_node(store, &original->ids[at], places[node], words("a node's bytes")));
    }
    fuzz_require(store_put_result(store, &original->ids[1], &original->result));
    fuzz_require(store_commit(store));
}

static const struct original *original_database(void)
{
    static struct original original;
    static pid_t owner;
    char why[512];
    if (owner == getpid()) return &original;
    owner = getpid();
    fuzz_empty_folder();
    struct store *store = store_open(fuzz_folder(), why, sizeof why);
    fuzz_require(store != NULL);
    fill(&original, store);
    store_close(store);
    database_shrink("aggregator", &original.file);
    return &original;
}

/* What the store tells when it is loaded */

static bool visit_sweep(void *context, const struct digest *sweep, const struct digest *population,
                        bool population_held, const struct digest *result, struct span bytes, const char **why)
{
    struct loaded *loaded = context;
    const struct original *original = loaded->original;
    const size_t at = digest_equal(sweep, &original->ids[0]) ? 0 : 1;
    const struct digest none = {{0}}, actual = digest_of(bytes);
    (void)why;
    fuzz_require(digest_equal(&actual, sweep));
    loaded->sweeps++;
    loaded->populations += population_held;
    if (!digest_equal(sweep, &original->ids[at]) || !digest_equal(population, &original->population) ||
        !digest_equal(result, at == 0 ? &none : &original->result))
        loaded->altered = true;
    return true;
}

static bool visit_node(void *context, const struct digest *sweep, struct fold_place place, const char **why)
{
    struct loaded *loaded = context;
    bool known = false;
    (void)sweep;
    (void)why;
    for (size_t at = 0; at < NODES; at++)
        known = known || (places[at].level == place.level && places[at].index == place.index);
    if (!known) loaded->altered = true;
    loaded->nodes++;
    return true;
}

static void visit_damage(void *context, const char *what)
{
    struct loaded *loaded = context;
    fuzz_require(what[0] != 0);
    loaded->damages++;
}

/* Nodes of a finished sweep are verified only now. A node that is missing, or differs, is told of. */
static unsigned read_nodes(struct store *store, const struct original *original)
{
    unsigned whole = 0;
    struct buffer bytes = {0};
    const struct span expected = words("a node's bytes");
    for (size_t at = 0; at < SWEEPS * NODES; at++) {
        const enum store_read read = store_get_node(store, &original->ids[at / NODES], places[at % NODES], &bytes);
        if (read == STORE_FOUND) {
            fuzz_require(bytes.size == expected.size && memcmp(bytes.data, expected.data, bytes.size) == 0);
            whole++;
        } else {
            fuzz_require(store_why(store)[0] != 0);
        }
    }
    buffer_free(&bytes);
    return whole;
}

static void load(struct store *store, const struct original *original, bool edited)
{
    struct loaded loaded = {.original = original};
    const struct store_visitor visitor = {&loaded, visit_sweep, visit_node, visit_damage};
    if (!store_load(store, &visitor)) {
        fuzz_require(store_why(store)[0] != 0);
        return;
    }
    const unsigned whole = read_nodes(store, original);
    if (!edited || loaded.damages > 0) return;
    fuzz_require(!loaded.altered);
    fuzz_require(loaded.sweeps == SWEEPS && loaded.populations == SWEEPS);
    fuzz_require(loaded.nodes == SWEEPS * NODES);
    /* Those of the finished sweep are found damaged when they are read: then their blocks are done again. */
    fuzz_require(whole >= NODES);
}

int FUZZ_TARGET(store)(const uint8_t *data, size_t size)
{
    const struct original *original = original_database();
    struct choices choices = choices_of(data, size);
    char why[512] = "";
    const bool edited = database_damage("aggregator", &original->file, &choices);
    struct store *store = store_open(fuzz_folder(), why, sizeof why);
    if (store == NULL) fuzz_require(why[0] != 0);
    else load(store, original, edited);
    store_close(store);
    return 0;
}
