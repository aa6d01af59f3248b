#include "shell_journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "database.h"
#include "digest.h"
#include "net/process.h"
#include "pack.h"

#define PATH_BYTES     4096
#define CHECK_BYTES    8
#define BUSY_MS        2000
#define LINE_BYTES     512
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
    GET_STORE,
    PUT_STORE,
    DROP_PARKED,
    PUT_PARKED,
    ALL_PARKED,
    PUT_SHARE,
    ALL_SHARES,
    DROP_SWEEP,
    DROP_SHARE,
    DROP_OWNER,
    PUT_OWNER,
    ALL_OWNERS,
    DROP_POPULATION,
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
    [GET_STORE] = "SELECT id, commits, witness, checksum FROM store",
    [PUT_STORE] = "INSERT OR REPLACE INTO store (one, id, commits, witness, checksum) VALUES (1, ?1, ?2, ?3, ?4)",
    [DROP_PARKED] = "DELETE FROM parked WHERE sweep = ?1",
    [PUT_PARKED] = "INSERT INTO parked (sweep, block, attempts, cause, why, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [ALL_PARKED] = "SELECT sweep, block, attempts, cause, why, checksum FROM parked ORDER BY rowid",
    [PUT_SHARE] =
        "INSERT OR REPLACE INTO share (sweep, priority, weight, tenant, checksum) VALUES (?1, ?2, ?3, ?4, ?5)",
    [ALL_SHARES] = "SELECT sweep, priority, weight, tenant, checksum FROM share",
    [DROP_SWEEP] = "DELETE FROM sweep WHERE id = ?1",
    [DROP_SHARE] = "DELETE FROM share WHERE sweep = ?1",
    [DROP_OWNER] = "DELETE FROM owner WHERE sweep = ?1",
    [PUT_OWNER] = "INSERT OR REPLACE INTO owner (sweep, name, checksum) VALUES (?1, ?2, ?3)",
    [ALL_OWNERS] = "SELECT sweep, name, checksum FROM owner",
    [DROP_POPULATION] = "DELETE FROM population WHERE digest = ?1",
};

/* The log is copied into the database every 1,000 pages; after a burst its file shrinks back to 64 MiB. */
static const char settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;";

/* Only of a new database: where a table of another is not found, it is damaged, and must not pass for empty. */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS sweep (number INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, bytes BLOB NOT NULL,"
    " population INTEGER NOT NULL, state INTEGER NOT NULL, result BLOB NOT NULL, text TEXT NOT NULL,"
    " checksum BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS population (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS done (sweep BLOB NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,"
    " checksum BLOB NOT NULL, PRIMARY KEY (sweep, first)) WITHOUT ROWID;"
    "PRAGMA user_version = 1; COMMIT";

static const char identity_schema[] =
    "CREATE TABLE IF NOT EXISTS store (one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL,"
    " commits INTEGER NOT NULL, witness BLOB NOT NULL, checksum BLOB NOT NULL);";

/* Came later: an older journal has no parked blocks, and sweeps that all share alike and are nobody's. */
static const char parked_schema[] =
    "CREATE TABLE IF NOT EXISTS parked (sweep BLOB NOT NULL, block INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " cause INTEGER NOT NULL, why TEXT NOT NULL, checksum BLOB NOT NULL, UNIQUE (sweep, block));"
    "CREATE TABLE IF NOT EXISTS share (sweep BLOB PRIMARY KEY, priority INTEGER NOT NULL, weight INTEGER NOT NULL,"
    " tenant TEXT NOT NULL, checksum BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS owner (sweep BLOB PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL);";

struct journal {
    int lock_fd;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    bool open;          /* a transaction is */
    struct buffer item; /* the item asked for last: many workers ask for the same */
    struct digest item_digest;
    uint64_t store, commits;
    struct witness witness;
    bool identity_read;
    size_t damages;
    database_tell *tell; /* of damage; NULL: it is logged */
    void *context;
    struct journal_summary *summary; /* borrowed while it is verified */
};

/* Opening */

static bool lock_directory(struct journal *journal, const char *directory, char *why, size_t why_bytes)
{
    char path[PATH_BYTES];
    if ((size_t)snprintf(path, sizeof path, "%s/broker.lock", directory) >= sizeof path) errno = ENAMETOOLONG;
    else journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
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

/* A database of a later format is not touched. -1: it cannot be read. */
static int read_format(struct journal *journal)
{
    sqlite3_stmt *query = NULL;
    int format = -1;
    if (sqlite3_prepare_v2(journal->db, "PRAGMA user_version", -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        format = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    return format;
}

static bool run_script(struct journal *journal, const char *script)
{
    return sqlite3_exec(journal->db, script, NULL, NULL, NULL) == SQLITE_OK;
}

static bool open_database(struct journal *journal, const char *directory, char *why, size_t why_bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/broker.db", directory);
    if (!database_may_open(path, why, why_bytes)) return false;
    if (sqlite3_open(path, &journal->db) == SQLITE_OK) {
        sqlite3_busy_timeout(journal->db, BUSY_MS);
        const int format = read_format(journal);
        if (format != 0 && format != JOURNAL_FORMAT) {
            snprintf(why, why_bytes, "%s: not a journal of this version", path);
            return false;
        }
        if (run_script(journal, settings) && (format != 0 || run_script(journal, schema)) &&
            run_script(journal, identity_schema) && run_script(journal, parked_schema) && prepare_statements(journal))
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
    if (!database_make_folder(directory))
        snprintf(why, why_bytes, "cannot make the state directory %s: %s", directory, strerror(errno));
    else if (lock_directory(journal, directory, why, why_bytes) && open_database(journal, directory, why, why_bytes))
        return journal;
    journal_close(journal);
    return NULL;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) return;
    if (journal->open) run_script(journal, "ROLLBACK"); /* SQLite may have done so itself */
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

static struct check check_store(uint64_t store, uint64_t commits, const struct witness *witness)
{
    struct buffer content = {0};
    pack_string(&content, "store");
    pack_uint(&content, store);
    pack_uint(&content, commits);
    pack_bool(&content, witness->known);
    pack_uint(&content, witness->store);
    pack_uint(&content, witness->commits);
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

/* The row that says which store this is, how often it was committed, and what is known of the aggregator's. */
static bool put_identity(struct journal *journal, uint64_t commits)
{
    sqlite3_stmt *put = journal->statements[PUT_STORE];
    uint64_t witness[3] = {journal->witness.known, journal->witness.store, journal->witness.commits};
    const struct check check = check_store(journal->store, commits, &journal->witness);
    for (size_t at = 0; at < 3; at++) witness[at] = htobe64(witness[at]);
    return bind_number(put, 1, journal->store) && bind_number(put, 2, commits) &&
           bind_bytes(put, 3, witness, sizeof witness) && bind_bytes(put, 4, check.bytes, sizeof check.bytes) &&
           run(put);
}

static bool put_sweep(struct journal *journal, const struct ledger *ledger, const struct broker_effect *effect)
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

static struct check check_parked(const struct digest *sweep, const struct parked *parked)
{
    struct buffer content = {0};
    pack_bin(&content, (struct span){sweep->bytes, DIGEST_BYTES});
    pack_uint(&content, parked->block);
    pack_uint(&content, parked->attempts);
    pack_uint(&content, parked->cause);
    pack_string(&content, parked->why);
    return check_of(&content);
}

static bool put_parked(struct journal *journal, const struct digest *sweep, const struct parked *parked)
{
    sqlite3_stmt *put = journal->statements[PUT_PARKED];
    const struct check check = check_parked(sweep, parked);
    return bind_digest(put, 1, sweep) && bind_number(put, 2, parked->block) && bind_number(put, 3, parked->attempts) &&
           bind_number(put, 4, parked->cause) && bind_text(put, 5, parked->why) &&
           bind_bytes(put, 6, check.bytes, sizeof check.bytes) && run(put);
}

static bool keep_parked(struct journal *journal, const struct ledger *ledger)
{
    sqlite3_stmt *drop = journal->statements[DROP_PARKED];
    bool kept = bind_digest(drop, 1, &ledger->sweep) && run(drop);
    for (uint32_t at = 0; at < ledger->parked_count && kept; at++)
        kept = put_parked(journal, &ledger->sweep, &ledger->parked[at]);
    return kept;
}

static struct check check_share(const struct digest *sweep, uint32_t priority, uint32_t weight, const char *tenant)
{
    struct buffer content = {0};
    pack_bin(&content, (struct span){sweep->bytes, DIGEST_BYTES});
    pack_uint(&content, priority);
    pack_uint(&content, weight);
    pack_string(&content, tenant);
    return check_of(&content);
}

static bool drop_row(struct journal *journal, enum statement which, const struct digest *id)
{
    return bind_digest(journal->statements[which], 1, id) && run(journal->statements[which]);
}

static struct check check_owner(const struct digest *sweep, const char *owner)
{
    struct buffer content = {0};
    pack_bin(&content, (struct span){sweep->bytes, DIGEST_BYTES});
    pack_string(&content, owner);
    return check_of(&content);
}

static bool keep_owner(struct journal *journal, const struct ledger *ledger)
{
    sqlite3_stmt *put = journal->statements[PUT_OWNER];
    if (ledger->owner[0] == 0) return drop_row(journal, DROP_OWNER, &ledger->sweep);
    const struct check check = check_owner(&ledger->sweep, ledger->owner);
    return bind_digest(put, 1, &ledger->sweep) && bind_text(put, 2, ledger->owner) &&
           bind_bytes(put, 3, check.bytes, sizeof check.bytes) && run(put);
}

static bool keep_share(struct journal *journal, const struct ledger *ledger)
{
    if (!keep_owner(journal, ledger)) return false;
    sqlite3_stmt *put = journal->statements[PUT_SHARE];
    const struct check check = check_share(&ledger->sweep, ledger->priority, ledger->weight, ledger->tenant);
    return bind_digest(put, 1, &ledger->sweep) && bind_number(put, 2, ledger->priority) &&
           bind_number(put, 3, ledger->weight) && bind_text(put, 4, ledger->tenant) &&
           bind_bytes(put, 5, check.bytes, sizeof check.bytes) && run(put);
}

/* Rows may be left of a sweep whose own row was damaged: they are not of the one that is submitted now. */
static bool keep_sweep(struct journal *journal, const struct ledger *ledger, const struct broker_effect *effect)
{
    return put_sweep(journal, ledger, effect) && keep_ranges(journal, ledger) && keep_parked(journal, ledger) &&
           keep_share(journal, ledger);
}

static bool begin(struct journal *journal)
{
    if (!journal->open) journal->open = sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    return journal->open;
}

static bool forget(struct journal *journal, const struct digest *sweep, const struct digest *population)
{
    return drop_row(journal, DROP_SWEEP, sweep) && drop_done(journal, sweep, 0, INT64_MAX) &&
           drop_row(journal, DROP_PARKED, sweep) && drop_row(journal, DROP_SHARE, sweep) &&
           drop_row(journal, DROP_OWNER, sweep) && drop_row(journal, DROP_POPULATION, population);
}

bool journal_keep(struct journal *journal, const struct broker *broker, const struct broker_effect *effect)
{
    if (effect->kind == BROKER_KEEP_NOTHING)
        return begin(journal) && forget(journal, &effect->sweep, &effect->population);
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
    case BROKER_KEEP_SHARE:
        return keep_share(journal, ledger);
    case BROKER_KEEP_PARKED:
        return keep_parked(journal, ledger);
    default:
        return true;
    }
}

bool journal_commit(struct journal *journal)
{
    if (!journal->open) return true;
    if (!put_identity(journal, journal->commits + 1)) return false;
    if (sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) return false;
    journal->open = false;
    journal->commits++;
    return true;
}

bool journal_has_changes(const struct journal *journal)
{
    return journal->open;
}

uint64_t journal_store(const struct journal *journal)
{
    return journal->store;
}

uint64_t journal_commits(const struct journal *journal)
{
    return journal->commits;
}

struct witness *journal_witness(struct journal *journal)
{
    return &journal->witness;
}

bool journal_keep_witness(struct journal *journal)
{
    return begin(journal);
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

/* number: of the row among its like, or -1. */
static void report_damage(struct journal *journal, const char *table, const struct digest *id, int64_t number,
                          const char *why)
{
    char hex[DIGEST_HEX_BYTES] = "unreadable", line[LINE_BYTES], row[32] = "";
    if (id != NULL) digest_to_hex(id, hex);
    if (number >= 0) snprintf(row, sizeof row, " row %lld", (long long)number);
    snprintf(line, sizeof line, "%s %s%s: %.256s", table, hex, row, why);
    journal->damages++;
    if (journal->tell != NULL) journal->tell(journal->context, line);
    else log_event(LOG_ERROR, "journal-damaged", "table=%s key=%s reason=\"%.256s\"", table, hex, why);
}

static void log_fault(void *context, const char *line)
{
    struct journal *journal = context;
    journal->damages++;
    log_event(LOG_ERROR, "journal-damaged", "reason=\"%s\"", line);
}

static bool is_a_state(sqlite3_int64 state)
{
    return state >= SWEEP_RUNNING && state <= SWEEP_STALLED;
}

static void restore_sweep(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    struct digest id, result;
    const char *why = "the row is unreadable";
    if (!column_digest(row, 0, &id) || !column_digest(row, 4, &result)) {
        report_damage(journal, "sweep", NULL, -1, why);
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
    report_damage(journal, "sweep", &id, -1, why);
}

/* A range that is left out is told again by the aggregator, or computed again. */
static void restore_done(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    struct digest id;
    const char *why = "the row is unreadable";
    const sqlite3_int64 first = sqlite3_column_int64(row, 1);
    const struct block_range blocks = {(uint64_t)first, (uint64_t)sqlite3_column_int64(row, 2)};
    const bool named = column_digest(row, 0, &id);
    if (named) {
        why = "the checksum does not agree";
        if (column_agrees(row, 3, check_done(&id, blocks))) {
            if (broker_restore_done(broker, &id, blocks)) return;
            why = "the blocks are of no sweep here";
        }
    }
    report_damage(journal, "done", named ? &id : NULL, first, why);
}

/* A sweep whose row is left out shares as one that asked for nothing. */
static void restore_share(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    struct digest id;
    const char *why = "the row is unreadable", *tenant = (const char *)sqlite3_column_text(row, 3);
    const sqlite3_int64 priority = sqlite3_column_int64(row, 1), weight = sqlite3_column_int64(row, 2);
    const bool named = column_digest(row, 0, &id);
    if (named && tenant != NULL && strlen(tenant) < MESSAGE_NAME_BYTES && priority >= 0 &&
        priority <= MESSAGE_PRIORITY_MAX && weight >= 1 && weight <= MESSAGE_WEIGHT_MAX) {
        why = "the checksum does not agree";
        if (column_agrees(row, 4, check_share(&id, (uint32_t)priority, (uint32_t)weight, tenant))) {
            if (broker_restore_share(broker, &id, (uint32_t)priority, (uint32_t)weight, tenant)) return;
            why = "it is of no sweep here";
        }
    }
    report_damage(journal, "share", named ? &id : NULL, -1, why);
}

/* A sweep whose row is left out is nobody's: an admin can change it. */
static void restore_owner(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    struct digest id;
    const char *why = "the row is unreadable", *owner = (const char *)sqlite3_column_text(row, 1);
    const bool named = column_digest(row, 0, &id);
    if (named && owner != NULL && strlen(owner) < MESSAGE_NAME_BYTES) {
        why = "the checksum does not agree";
        if (column_agrees(row, 2, check_owner(&id, owner))) {
            if (broker_restore_owner(broker, &id, owner)) return;
            why = "it is of no sweep here";
        }
    }
    report_damage(journal, "owner", named ? &id : NULL, -1, why);
}

/* A block that is left out is tried again. */
static void restore_parked(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    struct digest id;
    const char *why = "the row is unreadable", *text = (const char *)sqlite3_column_text(row, 4);
    const sqlite3_int64 block = sqlite3_column_int64(row, 1), cause = sqlite3_column_int64(row, 3);
    struct parked parked = {.block = (uint64_t)block, .attempts = (uint32_t)sqlite3_column_int64(row, 2)};
    const bool named = column_digest(row, 0, &id);
    if (named && text != NULL && strlen(text) < sizeof parked.why && cause >= FAULT_ERROR && cause <= FAULT_LAPSE) {
        parked.cause = (enum fault_cause)cause;
        memcpy(parked.why, text, strlen(text));
        why = "the checksum does not agree";
        if (column_agrees(row, 5, check_parked(&id, &parked))) {
            if (broker_restore_parked(broker, &id, &parked)) return;
            why = "the block is of no sweep here, or done";
        }
    }
    report_damage(journal, "parked", named ? &id : NULL, block, why);
}

static bool for_each_row(struct journal *journal, enum statement which,
                         void (*take)(struct journal *, sqlite3_stmt *, struct broker *), struct broker *broker)
{
    sqlite3_stmt *query = journal->statements[which];
    int result;
    while ((result = sqlite3_step(query)) == SQLITE_ROW) take(journal, query, broker);
    sqlite3_reset(query);
    return result == SQLITE_DONE;
}

static void restore_identity(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    uint64_t witness[3] = {0};
    const struct span bytes = column_bytes(row, 2);
    (void)broker;
    journal->store = (uint64_t)sqlite3_column_int64(row, 0);
    journal->commits = (uint64_t)sqlite3_column_int64(row, 1);
    if (bytes.size == sizeof witness) memcpy(witness, bytes.data, sizeof witness);
    journal->witness = (struct witness){be64toh(witness[0]) != 0, be64toh(witness[1]), be64toh(witness[2])};
    journal->identity_read = bytes.size == sizeof witness &&
                             column_agrees(row, 3, check_store(journal->store, journal->commits, &journal->witness));
    if (!journal->identity_read) report_damage(journal, "store", NULL, -1, "the checksum does not agree");
}

/* A journal whose identity is lost gets another: whoever knows the old one takes it for replaced, and looks. */
static bool open_identity(struct journal *journal)
{
    if (!for_each_row(journal, GET_STORE, restore_identity, NULL)) return false;
    if (journal->identity_read) return true;
    journal->witness = (struct witness){0};
    journal->commits = 0;
    return getrandom(&journal->store, sizeof journal->store, 0) == (ssize_t)sizeof journal->store && begin(journal) &&
           journal_commit(journal);
}

bool journal_restore(struct journal *journal, struct broker *broker, char *why, size_t why_bytes)
{
    /* A page that lies about its rows would lose sweeps without a word, and so would an index. The journal is
     * small. */
    database_check(journal->db, false, log_fault, journal);
    if (open_identity(journal) && for_each_row(journal, ALL_SWEEPS, restore_sweep, broker) &&
        for_each_row(journal, ALL_DONE, restore_done, broker) &&
        for_each_row(journal, ALL_PARKED, restore_parked, broker) &&
        for_each_row(journal, ALL_SHARES, restore_share, broker) &&
        for_each_row(journal, ALL_OWNERS, restore_owner, broker))
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
        if (!found)
            report_damage(journal, item == ITEM_SWEEP ? "sweep" : "population", digest, -1,
                          "the digest does not agree");
        buffer_clear(&journal->item);
        buffer_append(&journal->item, stored.data, stored.size);
        journal->item_digest = found ? *digest : (struct digest){{0}};
        found = found && !journal->item.failed;
    }
    sqlite3_reset(get);
    *bytes = buffer_span(&journal->item);
    return found;
}

/* Looking at a journal that nobody uses */

static void fail_reading(struct journal *journal, const char *table)
{
    char why[LINE_BYTES / 2];
    snprintf(why, sizeof why, "cannot be read: %s", sqlite3_errmsg(journal->db));
    report_damage(journal, table, NULL, -1, why);
}

static void verify_population(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    struct digest named;
    const struct digest actual = digest_of(column_bytes(row, 1));
    (void)broker;
    const bool known = column_digest(row, 0, &named);
    if (known && digest_equal(&named, &actual)) return;
    report_damage(journal, "population", known ? &named : NULL, -1, "the digest does not agree");
}

static void verify_restored(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    struct digest sweep;
    const struct ledger *ledger = column_digest(row, 0, &sweep) ? broker_sweep(broker, &sweep) : NULL;
    struct span bytes;
    if (ledger == NULL) return; /* named before */
    journal->summary->sweeps++;
    journal->summary->blocks += ledger->done.total;
    if (!ledger->population_kept) return;
    if (!journal_item(journal, ITEM_POPULATION, &ledger->population, &bytes))
        report_damage(journal, "sweep", &sweep, -1, "its population is not here, or is damaged");
}

/* Rows are kept merged, so that none begins inside another of its sweep, nor at its end. */
static void verify_apart(struct journal *journal, sqlite3_stmt *row, struct broker *broker)
{
    struct digest sweep;
    (void)broker;
    const bool named = column_digest(row, 0, &sweep);
    report_damage(journal, "done", named ? &sweep : NULL, sqlite3_column_int64(row, 1),
                  "the blocks overlap those of the row before");
}

static const struct {
    const char *table, *query; /* NULL: a statement that is there already */
    enum statement statement;
    void (*take)(struct journal *, sqlite3_stmt *, struct broker *);
} verifications[] = {
    {"store", NULL, GET_STORE, restore_identity},
    {"sweep", NULL, ALL_SWEEPS, restore_sweep},
    {"done", NULL, ALL_DONE, restore_done},
    {"parked", NULL, ALL_PARKED, restore_parked},
    {"share", NULL, ALL_SHARES, restore_share},
    {"owner", NULL, ALL_OWNERS, restore_owner},
    {"done",
     "SELECT sweep, first FROM (SELECT sweep, first, lag(first + count) OVER (PARTITION BY sweep ORDER BY first)"
     " AS before FROM done) WHERE before > first",
     STATEMENT_COUNT, verify_apart},
    {"population", "SELECT digest, bytes FROM population", STATEMENT_COUNT, verify_population},
    {"sweep", "SELECT id FROM sweep", STATEMENT_COUNT, verify_restored},
};

/* Each query is prepared here, so that one damaged table does not hide what the others hold. */
static void verify_rows(struct journal *journal, struct broker *broker)
{
    for (size_t at = 0; at < sizeof verifications / sizeof *verifications; at++) {
        const char *query = verifications[at].query;
        sqlite3_stmt *rows = NULL;
        int stepped = SQLITE_ERROR;
        if (query == NULL) query = statement_text[verifications[at].statement];
        if (sqlite3_prepare_v2(journal->db, query, -1, &rows, NULL) == SQLITE_OK)
            while ((stepped = sqlite3_step(rows)) == SQLITE_ROW) verifications[at].take(journal, rows, broker);
        if (stepped != SQLITE_DONE) fail_reading(journal, verifications[at].table);
        sqlite3_finalize(rows);
    }
}

static void verify_all(struct journal *journal, struct broker *broker)
{
    journal->damages += database_check(journal->db, false, journal->tell, journal->context);
    const int format = read_format(journal);
    if (format != JOURNAL_FORMAT) report_damage(journal, "format", NULL, format, "not a journal of this version");
    /* For the populations; where it fails, verify_rows says so. */
    sqlite3_prepare_v2(journal->db, statement_text[GET_POPULATION], -1, &journal->statements[GET_POPULATION], NULL);
    verify_rows(journal, broker);
}

int64_t journal_verify(const char *directory, database_tell *tell, void *context, struct journal_summary *summary,
                       char *why, size_t why_bytes)
{
    char path[PATH_BYTES];
    int64_t damages = -1;
    struct journal *journal = calloc(1, sizeof *journal);
    struct broker *broker = broker_new(&(struct broker_setup){1, 1, 1});
    snprintf(why, why_bytes, "out of memory");
    if (journal == NULL || broker == NULL) goto end;
    *journal = (struct journal){.lock_fd = -1, .tell = tell, .context = context, .summary = summary};
    *summary = (struct journal_summary){0};
    snprintf(path, sizeof path, "%.4000s/broker.lock", directory);
    if (!database_claim(path, &journal->lock_fd, why, why_bytes)) goto end;
    snprintf(path, sizeof path, "%.4000s/broker.db", directory);
    if (access(path, F_OK) != 0 && access(directory, R_OK | X_OK) != 0) {
        snprintf(why, why_bytes, "%s: %s", directory, strerror(errno));
        goto end;
    }
    journal->db = database_inspect(path, why, why_bytes);
    if (journal->db != NULL) verify_all(journal, broker);
    else report_damage(journal, "database", NULL, -1, why);
    summary->store = journal->store;
    summary->commits = journal->commits;
    summary->witness = journal->witness;
    damages = (int64_t)journal->damages;
end:
    journal_close(journal);
    broker_free(broker);
    return damages;
}
