/* The broker's journal, damaged. The first byte chooses: the rest is a whole database file, or a log beside
 * a sound database, or a list of edits to a sound one. Whatever it is, nothing crashes; and when a database
 * was edited, either somebody is told, or everything that was in it is still there. */
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "net/process.h"
#include "population_codec.h"
#include "support_database.h"
#include "targets.h"

/* The shell tells of damage by its log only: here it is counted. */
static unsigned damage_count;

__attribute__((format(printf, 3, 4))) static void count_damage(enum log_level level, const char *event,
                                                               const char *format, ...)
{
    fuzz_require(level == LOG_ERROR && event[0] != 0 && format[0] != 0);
    damage_count++;
}

#define log_event count_damage
#include "../../broker/shell_journal.c"
#undef log_event

#define SWEEPS 2
#define BLOCKS 64u

struct original { /* a database that is sound, and what is in it */
    struct buffer file;
    struct digest sweeps[SWEEPS];
    struct broker *broker;
};

static void keep_all(struct journal *journal, struct broker *broker, const struct broker_effects *effects)
{
    for (size_t at = 0; at < effects->count; at++)
        if (effects->list[at].kind != BROKER_SEND && effects->list[at].kind != BROKER_NOTE)
            fuzz_require(journal_keep(journal, broker, &effects->list[at]));
    fuzz_require(journal_commit(journal));
}

static void step(struct journal *journal, struct broker *broker, const char *peer, const struct message *message)
{
    static struct broker_effects effects;
    struct broker_event event = {.kind = BROKER_MESSAGE, .now_ms = 1, .message = message};
    event.peer.size = (uint8_t)strlen(peer);
    memcpy(event.peer.bytes, peer, event.peer.size);
    broker_step(broker, &event, &effects);
    keep_all(journal, broker, &effects);
}

/* Two sweeps; of the first some blocks are done, the second is cancelled. */
static void fill(struct original *original, struct journal *journal)
{
    static struct message message;
    const uint8_t words[] = "a population";
    const struct span population = {words, sizeof words};
    const struct digest digest = digest_of(population);
    for (uint8_t at = 0; at < SWEEPS; at++) {
        struct buffer sweep = {0};
        original->sweeps[at] = small_sweep(at, BLOCKS, &digest, &sweep);
        message.kind = MESSAGE_SUBMIT;
        message.submit.sweep = buffer_span(&sweep);
        message.submit.population = population;
        step(journal, original->broker, "client", &message);
        buffer_free(&sweep);
    }
    message = (struct message){.kind = MESSAGE_HELLO, .hello = {.role = ROLE_AGGREGATOR, .name = "a", .instance = 1}};
    step(journal, original->broker, "aggregator", &message);
    message = (struct message){.kind = MESSAGE_HELD, .held = {.sweep = original->sweeps[0], .count = 3}};
    for (uint32_t at = 0; at < 3; at++) message.held.ranges[at] = (struct block_range){at * 10 + 1, at + 2};
    step(journal, original->broker, "aggregator", &message);
    message = (struct message){.kind = MESSAGE_CANCEL, .cancel = {.sweep = original->sweeps[1]}};
    step(journal, original->broker, "client", &message);
}

static struct broker *new_broker(void)
{
    struct broker *broker = broker_new(&(struct broker_setup){500, 5000, 1});
    fuzz_require(broker != NULL);
    return broker;
}

static const struct original *original_database(void)
{
    static struct original original;
    static pid_t owner;
    char why[512];
    if (owner == getpid()) return &original;
    owner = getpid();
    original = (struct original){.broker = new_broker()};
    fuzz_empty_folder();
    struct journal *journal = journal_open(fuzz_folder(), why, sizeof why);
    fuzz_require(journal != NULL);
    fill(&original, journal);
    journal_close(journal);
    database_shrink("broker", &original.file);
    return &original;
}

static bool same_sweep(const struct ledger *a, const struct ledger *b)
{
    if (b == NULL || a->state != b->state || a->blocks != b->blocks || a->population_kept != b->population_kept ||
        a->done.count != b->done.count || strcmp(a->name, b->name) != 0)
        return false;
    for (size_t at = 0; at < a->done.count; at++)
        if (a->done.items[at].first != b->done.items[at].first || a->done.items[at].count != b->done.items[at].count)
            return false;
    return true;
}

/* Opens what is in the folder. True: it was read, and nobody was told of damage. */
static bool open_quietly(struct broker *broker, struct journal **journal)
{
    char why[512] = "";
    damage_count = 0;
    *journal = journal_open(fuzz_folder(), why, sizeof why);
    if (*journal == NULL) {
        fuzz_require(why[0] != 0);
        return false;
    }
    if (!journal_restore(*journal, broker, why, sizeof why)) {
        fuzz_require(why[0] != 0);
        return false;
    }
    fuzz_require(broker_is_sound(broker));
    return damage_count == 0;
}

static void require_items(struct journal *journal, const struct original *original, struct broker *broker, bool quiet)
{
    for (size_t at = 0; at < SWEEPS; at++) {
        const struct ledger *ledger = broker_sweep(original->broker, &original->sweeps[at]);
        struct span bytes;
        if (quiet) fuzz_require(same_sweep(ledger, broker_sweep(broker, &original->sweeps[at])));
        damage_count = 0;
        const bool found = journal_item(journal, ITEM_SWEEP, &original->sweeps[at], &bytes);
        const struct digest actual = found ? digest_of(bytes) : (struct digest){{0}};
        if (found) fuzz_require(digest_equal(&actual, &original->sweeps[at]));
        else fuzz_require(!quiet || damage_count > 0);
        if (journal_item(journal, ITEM_POPULATION, &ledger->population, &bytes)) {
            const struct digest population = digest_of(bytes);
            fuzz_require(digest_equal(&population, &ledger->population));
        }
    }
}

int FUZZ_TARGET(journal)(const uint8_t *data, size_t size)
{
    const struct original *original = original_database();
    struct choices choices = choices_of(data, size);
    struct broker *broker = new_broker();
    struct journal *journal = NULL;
    const bool edited = database_damage("broker", &original->file, &choices);
    const bool quiet = open_quietly(broker, &journal);
    if (journal != NULL && edited) require_items(journal, original, broker, quiet);
    journal_close(journal);
    broker_free(broker);
    return 0;
}
