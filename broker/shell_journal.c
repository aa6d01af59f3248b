#include "shell_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "net/process.h"
#include "pack.h"

#define PATH_BYTES     4096
#define CHECK_BYTES    8
#define BUSY_MS        2000
#define JOURNAL_FORMAT 1

enum statement {
    PUT_SWEEP,
    PUT_POPULATION,
    PUT_STATE,
    DROP_DONE,
    PUT_DONE,
    GET_SWEEP,
    GET_POPULATION,
    ALL_SWEEPS,
    ALL_DONE,
    COUNT_COMMIT,
    STATEMENT_COUNT
};

static const char *const statement_text[STATEMENT_COUNT] = {
    /* What is there already may be damaged, so that it is written anew. */
    [PUT_SWEEP] = "INSERT INTO sweep (id, bytes, population, state, result, text, checksum)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes,"
                  " population = excluded.population, state = excluded.state, result = excluded.result,"
                  " text = excluded.text, checksum = excluded.checksum",
    [PUT_POPULATION] = ("INSERT INTO population (digest, bytes) VALUES (?1, ?2)"
                        " ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes"),
    [PUT_STATE] = "UPDATE sweep SET state = ?2, result = ?3, text = ?4, checksum = ?5 WHERE id = ?1",
    [DROP_DONE] = "DELETE FROM done WHERE sweep = ?1 AND first >= ?2 AND first < ?3",
    [PUT_DONE] = "INSERT INTO done (sweep, first, count, checksum) VALUES (?1, ?2, ?3, ?4)",
    [GET_SWEEP] = "SELECT bytes FROM sweep WHERE id = ?1",
    [GET_POPULATION] = "SELECT bytes FROM population WHERE digest = ?1",
    [ALL_SWEEPS] = "SELECT id, bytes, population, state, result, text, checksum FROM sweep ORDER BY number",
    [ALL_DONE] = "SELECT sweep, first, count, checksum FROM done ORDER BY sweep, first",
    [COUNT_COMMIT] = "UPDATE counter SET commits = commits + 1",
};

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS sweep (number INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, bytes BLOB NOT NULL,"
    " population INTEGER NOT NULL, state INTEGER NOT NULL, result BLOB NOT NULL, text TEXT NOT NULL,"
    " checksum BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS population (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS done (sweep BLOB NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,"
    " checksum BLOB NOT NULL, PRIMARY KEY (sweep, first)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS counter (commits INTEGER NOT NULL);"
    "INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter);"
    "PRAGMA user_version = 1;";

struct journal {
    int lock_fd;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    bool open;          /* a transaction is */
    struct buffer item; /* the item asked for last: many workers ask for the same */
    struct digest item_digest;
};

/* Opening */

static bool make_directories(const char *directory)
{
    char path[PATH_BYTES];
    if ((size_t)snprintf(path, sizeof path, "%s", directory) >= sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char *at = path + 1; *at != 0; at++) {
        if (*at != '/') continue;
        *at = 0;
        if (mkdir(path, 0777) != 0 && errno != EEXIST) return false;
        *at = '/';
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

static bool lock_directory(struct journal *journal, const char *directory, char *why, size_t why_bytes)
{
    char path[PATH_BYTES];
    if ((size_t)snprintf(path, sizeof path, "%s/broker.lock", directory) >= sizeof path) errno = ENAMETOOLONG;
    else journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (journal->lock_fd < 0) {
        snprintf(why, why_bytes, "cannot use the state directory %s: %s", directory, strerror(errno));
        return false;
    }
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) == 0) return true;
    snprintf(why, why_bytes, "the state directory %s is in use by another broker", directory);
    return false;
}

static bool prepare_statements(struct journal *journal)
{
    for (size_t at = 0; at < STATEMENT_COUNT; at++)
        if (sqlite3_prepare_v3(journal->db, statement_text[at], -1, SQLITE_PREPARE_PERSISTENT, &journal->statements[at],
                               NULL) != SQLITE_OK)
            return false;
    return true;
}

/* A database of a later format is not touched. */
static bool format_is_known(struct journal *journal)
{
    sqlite3_stmt *query = NULL;
    int format = -1;
    if (sqlite3_prepare_v2(journal->db, "PRAGMA user_version", -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        format = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    return format == 0 || format == JOURNAL_FORMAT;
}

static bool open_database(struct journal *journal, const char *directory, char *why, size_t why_bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/broker.db", directory);
    if (sqlite3_open(path, &journal->db) == SQLITE_OK) {
        sqlite3_busy_timeout(journal->db, BUSY_MS);
        if (!format_is_known(journal)) {
            snprintf(why, why_bytes, "%s: not a journal of this version", path);
            return false;
        }
        if (sqlite3_exec(journal->db, schema, NULL, NULL, NULL) == SQLITE_OK && prepare_statements(journal))
            return true;
    }
    snprintf(why, why_bytes, "%s: %s", path, sqlite3_errmsg(journal->db));
    return false;
}

struct journal *journal_open(const char *directory, char *why, size_t why_bytes)
{
    struct journal *journal = calloc(1, sizeof *journal);
    snprintf(why, why_bytes, "out of memory");
    if (journal == NULL) return NULL;
    journal->lock_fd = -1;
    if (!make_directories(directory))
        snprintf(why, why_bytes, "cannot make the state directory %s: %s", directory, strerror(errno));
    else if (lock_directory(journal, directory, why, why_bytes) && open_database(journal, directory, why, why_bytes))
        return journal;
    journal_close(journal);
    return NULL;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) return;
    if (journal->open) journal_commit(journal);
    for (size_t at = 0; at < STATEMENT_COUNT; at++) sqlite3_finalize(journal->statements[at]);
    sqlite3_close(journal->db);
    if (journal->lock_fd >= 0) close(journal->lock_fd);
    buffer_free(&journal->item);
    free(journal);
}

const char *journal_error(const struct journal *journal)
{
    return sqlite3_errmsg(journal->db);
}

/* Rows */

struct check {
    uint8_t bytes[CHECK_BYTES];
};

static struct check check_of(struct buffer *content)
{
    struct check check;
    const struct digest digest = digest_of(buffer_span(content));
    memcpy(check.bytes, digest.bytes, sizeof check.bytes);
    buffer_free(content);
    return check;
}

static struct check check_state(const struct digest *id, bool population, enum sweep_state state,
                                const struct digest *result, const char *text)
{
    struct buffer content = {0};
    pack_bin(&content, (struct span){id->bytes, DIGEST_BYTES});
    pack_bool(&content, population);
    pack_uint(&content, state);
    pack_bin(&content, (struct span){result->bytes, DIGEST_BYTES});
    pack_string(&content, text);
    return check_of(&content);
}

static struct check check_done(const struct digest *id, struct block_range blocks)
{
    struct buffer content = {0};
    pack_bin(&content, (struct span){id->bytes, DIGEST_BYTES});
    pack_uint(&content, blocks.first);
    pack_uint(&content, blocks.count);
    return check_of(&content);
}

static bool bind_bytes(sqlite3_stmt *statement, int at, const void *data, size_t size)
{
    /* The bytes stay where they are until the statement has run. */
    return sqlite3_bind_blob64(statement, at, data, size, SQLITE_STATIC) == SQLITE_OK;
}

static bool bind_digest(sqlite3_stmt *statement, int at, const struct digest *digest)
{
    return bind_bytes(statement, at, digest->bytes, DIGEST_BYTES);
}

static bool bind_number(sqlite3_stmt *statement, int at, uint64_t number)
{
    return sqlite3_bind_int64(statement, at, (sqlite3_int64)number) == SQLITE_OK;
}

static bool bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC) == SQLITE_OK;
}

/* Runs a statement that gives no rows, and makes it ready for the next time. */
static bool run(sqlite3_stmt *statement)
{
    const bool done = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done;
}

/* Keeping */

static bool keep_sweep(struct journal *journal, const struct ledger *ledger, const struct broker_effect *effect)
{
    sqlite3_stmt *put = journal->statements[PUT_SWEEP], *put_population = journal->statements[PUT_POPULATION];
    const struct span population = effect->keep.population, sweep = effect->keep.sweep;
    const struct check check =
        check_state(&ledger->sweep, ledger->population_kept, ledger->state, &ledger->result, ledger->text);
    if (population.size > 0 &&
        !(bind_digest(put_population, 1, &ledger->population) &&
          bind_bytes(put_population, 2, population.data, population.size) && run(put_population)))
        return false;
    return bind_digest(put, 1, &ledger->sweep) && bind_bytes(put, 2, sweep.data, sweep.size) &&
           bind_number(put, 3, ledger->population_kept) && bind_number(put, 4, ledger->state) &&
           bind_digest(put, 5, &ledger->result) && bind_text(put, 6, ledger->text) &&
           bind_bytes(put, 7, check.bytes, sizeof check.bytes) && run(put);
}

static bool keep_state(struct journal *journal, const struct ledger *ledger)
{
    sqlite3_stmt *put = journal->statements[PUT_STATE];
    const struct check check =
        check_state(&ledger->sweep, ledger->population_kept, ledger->state, &ledger->result, ledger->text);
    return bind_digest(put, 1, &ledger->sweep) && bind_number(put, 2, ledger->state) &&
           bind_digest(put, 3, &ledger->result) && bind_text(put, 4, ledger->text) &&
           bind_bytes(put, 5, check.bytes, sizeof check.bytes) && run(put);
}

/* Replaces the ranges that begin inside these blocks: they are part of them. */
static bool drop_done(struct journal *journal, const struct digest *sweep, uint64_t first, uint64_t end)
{
    sqlite3_stmt *drop = journal->statements[DROP_DONE];
    return bind_digest(drop, 1, sweep) && bind_number(drop, 2, first) && bind_number(drop, 3, end) && run(drop);
}

static bool put_done(struct journal *journal, const struct digest *sweep, struct block_range blocks)
{
    sqlite3_stmt *put = journal->statements[PUT_DONE];
    const struct check check = check_done(sweep, blocks);
    return bind_digest(put, 1, sweep) && bind_number(put, 2, blocks.first) && bind_number(put, 3, blocks.count) &&
           bind_bytes(put, 4, check.bytes, sizeof check.bytes) && run(put);
}

static bool keep_ranges(struct journal *journal, const struct ledger *ledger)
{
    bool kept = drop_done(journal, &ledger->sweep, 0, INT64_MAX);
    for (size_t at = 0; at < ledger->done.count && kept; at++)
        kept = put_done(journal, &ledger->sweep, ledger->done.items[at]);
    return kept;
}

static bool begin(struct journal *journal)
{
    if (!journal->open) journal->open = sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    return journal->open;
}

bool journal_keep(struct journal *journal, const struct broker *broker, const struct broker_effect *effect)
{
    const struct ledger *ledger = broker_sweep(broker, &effect->sweep);
    if (ledger == NULL || !begin(journal)) return false;
    switch (effect->kind) {
    case BROKER_KEEP_SWEEP:
        return keep_sweep(journal, ledger, effect);
    case BROKER_KEEP_STATE:
        return keep_state(journal, ledger);
    case BROKER_KEEP_DONE:
        return drop_done(journal, &ledger->sweep, effect->blocks.first, range_end(effect->blocks)) &&
               put_done(journal, &ledger->sweep, effect->blocks);
    case BROKER_KEEP_RANGES:
        return keep_ranges(journal, ledger);
    default:
        return true;
    }
}

bool journal_commit(struct journal *journal)
{
    if (!journal->open) return true;
    if (!run(journal->statements[COUNT_COMMIT])) return false;
    if (sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) return false;
    journal->open = false;
    return true;
}

bool journal_has_changes(const struct journal *journal)
{
    return journal->open;
}

/* Reading back */

static struct span column_bytes(sqlite3_stmt *row, int column)
{
    const void *data = sqlite3_column_blob(row, column); /* before the size, as SQLite asks */
    return (struct span){data, (size_t)sqlite3_column_bytes(row, column)};
}

static bool column_digest(sqlite3_stmt *row, int column, struct digest *digest)
{
    const struct span bytes = column_bytes(row, column);
    if (bytes.size != DIGEST_BYTES) return false;
    memcpy(digest->bytes, bytes.data, DIGEST_BYTES);
    return true;
}

static bool column_agrees(sqlite3_stmt *row, int column, struct check check)
{
    const struct span bytes = column_bytes(row, column);
    return bytes.size == CHECK_BYTES && memcmp(bytes.data, check.bytes, CHECK_BYTES) == 0;
}

static bool is_a_state(sqlite3_int64 state)
{
    return state >= SWEEP_RUNNING && state <= SWEEP_CANCELLED;
}

static void report_damage(const char *table, const struct digest *id, const char *why)
{
    char hex[DIGEST_HEX_BYTES] = "unreadable";
    if (id != NULL) digest_to_hex(id, hex);
    log_event(LOG_ERROR, "journal-damaged", "table=%s key=%s reason=\"%s\"", table, hex, why);
}

static void restore_sweep(sqlite3_stmt *row, struct broker *broker)
{
    struct digest id, result;
    const char *why = "the row is unreadable";
    if (!column_digest(row, 0, &id) || !column_digest(row, 4, &result)) {
        report_damage("sweep", NULL, why);
        return;
    }
    const struct span bytes = column_bytes(row, 1);
    const struct digest actual = digest_of(bytes);
    const bool population = sqlite3_column_int(row, 2) != 0;
    const sqlite3_int64 state = sqlite3_column_int64(row, 3);
    const char *text = (const char *)sqlite3_column_text(row, 5);
    why = "the checksum does not agree";
    if (digest_equal(&id, &actual) && is_a_state(state) && text != NULL &&
        column_agrees(row, 6, check_state(&id, population, (enum sweep_state)state, &result, text)) &&
        broker_restore(broker, bytes, population, (enum sweep_state)state, &result, text, &why))
        return;
    report_damage("sweep", &id, why);
}

/* A range that is left out is told again by the aggregator, or computed again. */
static void restore_done(sqlite3_stmt *row, struct broker *broker)
{
    struct digest id;
    const struct block_range blocks = {(uint64_t)sqlite3_column_int64(row, 1), (uint64_t)sqlite3_column_int64(row, 2)};
    if (!column_digest(row, 0, &id)) report_damage("done", NULL, "the row is unreadable");
    else if (!column_agrees(row, 3, check_done(&id, blocks))) report_damage("done", &id, "the checksum does not agree");
    else if (!broker_restore_done(broker, &id, blocks)) report_damage("done", &id, "the blocks are of no sweep here");
}

static bool for_each_row(sqlite3_stmt *query, void (*take)(sqlite3_stmt *, struct broker *), struct broker *broker)
{
    int result;
    while ((result = sqlite3_step(query)) == SQLITE_ROW) take(query, broker);
    sqlite3_reset(query);
    return result == SQLITE_DONE;
}

bool journal_restore(struct journal *journal, struct broker *broker, char *why, size_t why_bytes)
{
    if (for_each_row(journal->statements[ALL_SWEEPS], restore_sweep, broker) &&
        for_each_row(journal->statements[ALL_DONE], restore_done, broker))
        return true;
    snprintf(why, why_bytes, "the journal cannot be read: %s", journal_error(journal));
    return false;
}

bool journal_item(struct journal *journal, enum message_item item, const struct digest *digest, struct span *bytes)
{
    sqlite3_stmt *get = journal->statements[item == ITEM_SWEEP ? GET_SWEEP : GET_POPULATION];
    bool found = journal->item.size > 0 && digest_equal(&journal->item_digest, digest);
    if (!found && bind_digest(get, 1, digest) && sqlite3_step(get) == SQLITE_ROW) {
        const struct span stored = column_bytes(get, 0);
        const struct digest actual = digest_of(stored);
        found = digest_equal(&actual, digest);
        if (!found) report_damage(item == ITEM_SWEEP ? "sweep" : "population", digest, "the digest does not agree");
        buffer_clear(&journal->item);
        buffer_append(&journal->item, stored.data, stored.size);
        journal->item_digest = found ? *digest : (struct digest){{0}};
        found = found && !journal->item.failed;
    }
    sqlite3_reset(get);
    *bytes = buffer_span(&journal->item);
    return found;
}
