#include "shell_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "database.h"
#include "digest.h"

#define STORE_FORMAT    1
#define STORE_WHY_BYTES 512
#define KEY_BYTES       128
#define KEPT_MAX        8u
#define BUSY_MS         2000 /* how long somebody else may hold the database, to copy it or look at it */
#define CHECK_BYTES_MAX (UINT64_C(256) << 20) /* --verify checks a larger file: a start takes 2 s at most */
#define WAL_KEPT_BYTES  "67108864"            /* the log shrinks back to this after a burst */

struct store {
    sqlite3 *db;
    sqlite3_stmt *kept[KEPT_MAX]; /* owned: changes that were made before, not in use */
    size_t kept_count;
    int lock_fd;
    bool changing; /* a transaction is open */
    bool counter_damaged, identity_damaged;
    bool inspecting;                       /* damage is told and left where it is */
    bool population_checked, checked_held; /* while loading: what is known of population `checked` */
    struct digest checked;
    uint64_t identity, commits;
    struct witness witness, written; /* of the broker's journal: as it is now, and as it is on disk */
    char why[STORE_WHY_BYTES];
};

static const char schema[] =
    "CREATE TABLE sweep(id BLOB PRIMARY KEY, population BLOB NOT NULL, result BLOB NOT NULL, bytes BLOB NOT NULL,"
    " checksum BLOB NOT NULL);"
    "CREATE TABLE population(digest BLOB PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE node(sweep BLOB NOT NULL, level INTEGER NOT NULL, idx INTEGER NOT NULL, bytes BLOB NOT NULL,"
    " checksum BLOB NOT NULL, PRIMARY KEY(sweep, level, idx));"
    "CREATE TABLE counter(one INTEGER PRIMARY KEY CHECK(one = 1), commits INTEGER NOT NULL, checksum BLOB NOT NULL);"
    "CREATE TABLE aside(place TEXT NOT NULL, reason TEXT NOT NULL, bytes BLOB, checksum BLOB);";

/* Beside the tables above since they were first made. */
static const char identity_schema[] =
    "CREATE TABLE IF NOT EXISTS identity(one INTEGER PRIMARY KEY CHECK(one = 1), store INTEGER NOT NULL,"
    " checksum BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS peer(one INTEGER PRIMARY KEY CHECK(one = 1), store INTEGER NOT NULL,"
    " commits INTEGER NOT NULL, checksum BLOB NOT NULL);";

/* ---- SQLite, a little shorter ---- */

static bool complain(struct store *store, const char *deed)
{
    snprintf(store->why, sizeof store->why, "cannot %s: %s", deed, sqlite3_errmsg(store->db));
    return false;
}

static bool execute(struct store *store, const char *sql, const char *deed)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || complain(store, deed);
}

/* A statement that was kept, or a new one; the caller ends it by sqlite3_finalize, or keeps it for the next
 * time. NULL is taken by the binders and by run, which then reports what went wrong here. */
static sqlite3_stmt *prepare(struct store *store, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    for (size_t at = 0; at < store->kept_count; at++) {
        if (strcmp(sqlite3_sql(store->kept[at]), sql) != 0) continue;
        statement = store->kept[at];
        store->kept[at] = store->kept[--store->kept_count];
        return statement;
    }
    return sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK ? statement : NULL;
}

/* Ends the use of a statement. Compiling one takes longer than running it. */
static void keep(struct store *store, sqlite3_stmt *statement)
{
    if (!statement) return;
    if (store->kept_count == KEPT_MAX) {
        sqlite3_finalize(statement);
        return;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    store->kept[store->kept_count++] = statement;
}

/* What is bound outlives the statement. */
static void bind_span(sqlite3_stmt *statement, int at, struct span bytes)
{
    if (statement) sqlite3_bind_blob64(statement, at, bytes.data ? bytes.data : (const void *)"", bytes.size, NULL);
}

static void bind_digest(sqlite3_stmt *statement, int at, const struct digest *digest)
{
    bind_span(statement, at, (struct span){digest->bytes, DIGEST_BYTES});
}

static void bind_number(sqlite3_stmt *statement, int at, uint64_t number)
{
    if (statement) sqlite3_bind_int64(statement, at, (sqlite3_int64)number);
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    if (statement) sqlite3_bind_text(statement, at, text, -1, NULL);
}

/* Binds the key of a node from `at` on. */
static void bind_node(sqlite3_stmt *statement, int at, const struct digest *sweep, struct fold_place place)
{
    bind_digest(statement, at, sweep);
    bind_number(statement, at + 1, place.level);
    bind_number(statement, at + 2, place.index);
}

static struct span column_span(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);
    return (struct span){data, (size_t)sqlite3_column_bytes(statement, column)};
}

static bool column_digest(sqlite3_stmt *statement, int column, struct digest *digest)
{
    struct span bytes = column_span(statement, column);
    if (bytes.size != DIGEST_BYTES) return false;
    memcpy(digest->bytes, bytes.data, DIGEST_BYTES);
    return true;
}

static bool begin(struct store *store)
{
    if (store->changing) return true;
    store->changing = execute(store, "BEGIN IMMEDIATE", "begin a transaction");
    return store->changing;
}

/* Runs a change and ends the statement. */
static bool run(struct store *store, sqlite3_stmt *statement, const char *deed)
{
    bool ran = statement && begin(store) && sqlite3_step(statement) == SQLITE_DONE;
    if (!ran) complain(store, deed);
    keep(store, statement);
    return ran;
}

static bool run_one(struct store *store, sqlite3_stmt *statement, const char *deed)
{
    if (!run(store, statement, deed)) return false;
    if (sqlite3_changes(store->db) == 1) return true;
    snprintf(store->why, sizeof store->why, "cannot %s: no such row", deed);
    return false;
}

/* ---- checksums and names of rows ---- */

struct sum {
    size_t size;
    uint8_t bytes[256];
};

static void sum_add(struct sum *sum, const void *data, size_t size)
{
    memcpy(sum->bytes + sum->size, data, size);
    sum->size += size;
}

static void sum_number(struct sum *sum, uint64_t number)
{
    uint8_t bytes[8];
    for (size_t at = 0; at < sizeof bytes; at++) bytes[at] = (uint8_t)(number >> (8 * at));
    sum_add(sum, bytes, sizeof bytes);
}

static struct digest sum_end(const struct sum *sum)
{
    return digest_of((struct span){sum->bytes, sum->size});
}

/* Checksums cover the key as well, so that a row cannot pass for another. */
static struct digest node_checksum(const struct digest *sweep, struct fold_place place, struct span bytes)
{
    struct digest payload = digest_of(bytes);
    struct sum sum = {0};
    sum_add(&sum, "node", 4);
    sum_add(&sum, sweep->bytes, DIGEST_BYTES);
    sum_number(&sum, place.level);
    sum_number(&sum, place.index);
    sum_add(&sum, payload.bytes, DIGEST_BYTES);
    return sum_end(&sum);
}

/* The sweep's bytes are covered by its identity. */
static struct digest sweep_checksum(const struct digest *sweep, const struct digest *population,
                                    const struct digest *result)
{
    struct sum sum = {0};
    sum_add(&sum, "sweep", 5);
    sum_add(&sum, sweep->bytes, DIGEST_BYTES);
    sum_add(&sum, population->bytes, DIGEST_BYTES);
    sum_add(&sum, result->bytes, DIGEST_BYTES);
    return sum_end(&sum);
}

static struct digest counter_checksum(uint64_t commits)
{
    struct sum sum = {0};
    sum_add(&sum, "counter", 7);
    sum_number(&sum, commits);
    return sum_end(&sum);
}

static struct digest identity_checksum(uint64_t identity)
{
    struct sum sum = {0};
    sum_add(&sum, "identity", 8);
    sum_number(&sum, identity);
    return sum_end(&sum);
}

static struct digest peer_checksum(const struct witness *witness)
{
    struct sum sum = {0};
    sum_add(&sum, "peer", 4);
    sum_number(&sum, witness->store);
    sum_number(&sum, witness->commits);
    return sum_end(&sum);
}

static void name_row(char key[KEY_BYTES], const char *table, const struct digest *digest)
{
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(digest, hex);
    snprintf(key, KEY_BYTES, "%s %s", table, hex);
}

static void name_node(char key[KEY_BYTES], const struct digest *sweep, struct fold_place place)
{
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(sweep, hex);
    snprintf(key, KEY_BYTES, "node %s level %" PRIu32 " index %" PRIu64, hex, place.level, place.index);
}

/* ---- opening ---- */

static bool lock(struct store *store, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/lock", folder);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0) {
        snprintf(store->why, sizeof store->why, "cannot open %.400s: %s", path, strerror(errno));
        return false;
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0) return true;
    snprintf(store->why, sizeof store->why, "%.400s is in use by another goldthread-aggregator", folder);
    return false;
}

static bool read_number(struct store *store, const char *sql, uint64_t *number)
{
    sqlite3_stmt *statement = prepare(store, sql);
    bool found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found) *number = (uint64_t)sqlite3_column_int64(statement, 0);
    else complain(store, "read the store");
    sqlite3_finalize(statement);
    return found;
}

static bool write_counter(struct store *store, uint64_t commits)
{
    struct digest checksum = counter_checksum(commits);
    sqlite3_stmt *statement = prepare(store, "INSERT OR REPLACE INTO counter VALUES(1, ?1, ?2)");
    bind_number(statement, 1, commits);
    bind_digest(statement, 2, &checksum);
    return run(store, statement, "count a commit");
}

static bool read_counter(struct store *store)
{
    sqlite3_stmt *statement = prepare(store, "SELECT commits, checksum FROM counter");
    int stepped = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    struct digest stored, actual;
    bool whole = false;
    if (stepped == SQLITE_ROW) {
        store->commits = (uint64_t)sqlite3_column_int64(statement, 0);
        actual = counter_checksum(store->commits);
        whole = column_digest(statement, 1, &stored) && digest_equal(&stored, &actual);
    }
    if (stepped != SQLITE_ROW && stepped != SQLITE_DONE) complain(store, "read the counter");
    sqlite3_finalize(statement);
    store->counter_damaged = !whole;
    return stepped == SQLITE_ROW || stepped == SQLITE_DONE;
}

static bool write_identity(struct store *store)
{
    struct digest checksum = identity_checksum(store->identity);
    sqlite3_stmt *statement = prepare(store, "INSERT OR REPLACE INTO identity VALUES(1, ?1, ?2)");
    bind_number(statement, 1, store->identity);
    bind_digest(statement, 2, &checksum);
    return run(store, statement, "write the store's identity");
}

static bool write_peer(struct store *store)
{
    struct digest checksum = peer_checksum(&store->witness);
    sqlite3_stmt *statement = prepare(store, "INSERT OR REPLACE INTO peer VALUES(1, ?1, ?2, ?3)");
    bind_number(statement, 1, store->witness.store);
    bind_number(statement, 2, store->witness.commits);
    bind_digest(statement, 3, &checksum);
    return run(store, statement, "write what is known of the broker");
}

/* A row of two numbers and their checksum, or one. False: it cannot be read. *there: it is there and whole. */
static bool read_identity(struct store *store, bool *there)
{
    sqlite3_stmt *statement = prepare(store, "SELECT store, checksum FROM identity");
    int stepped = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    struct digest stored, actual;
    *there = false;
    if (stepped == SQLITE_ROW) {
        store->identity = (uint64_t)sqlite3_column_int64(statement, 0);
        actual = identity_checksum(store->identity);
        *there = column_digest(statement, 1, &stored) && digest_equal(&stored, &actual);
        store->identity_damaged = !*there;
    }
    bool read = stepped == SQLITE_ROW || stepped == SQLITE_DONE || complain(store, "read the store's identity");
    sqlite3_finalize(statement);
    return read;
}

/* What is damaged here is forgotten: the broker's next word is then the first. */
static bool read_peer(struct store *store)
{
    sqlite3_stmt *statement = prepare(store, "SELECT store, commits, checksum FROM peer");
    int stepped = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    struct digest stored, actual;
    if (stepped == SQLITE_ROW) {
        struct witness witness = {.known = true,
                                  .store = (uint64_t)sqlite3_column_int64(statement, 0),
                                  .commits = (uint64_t)sqlite3_column_int64(statement, 1)};
        actual = peer_checksum(&witness);
        if (column_digest(statement, 2, &stored) && digest_equal(&stored, &actual)) store->witness = witness;
        else store->identity_damaged = true;
    }
    store->written = store->witness;
    bool read = stepped == SQLITE_ROW || stepped == SQLITE_DONE || complain(store, "read what is known of the broker");
    sqlite3_finalize(statement);
    return read;
}

/* A store without an identity, or with a damaged one, gets another: the broker takes it for replaced, and
 * asks what is there. */
static bool open_identity(struct store *store)
{
    bool there;
    if (!store->inspecting && !execute(store, identity_schema, "make the tables")) return false;
    if (!read_identity(store, &there) || !read_peer(store)) return false;
    if (there || store->inspecting) return true;
    if (getrandom(&store->identity, sizeof store->identity, 0) != (ssize_t)sizeof store->identity) return false;
    return write_identity(store) && store_commit(store);
}

static bool make_schema(struct store *store)
{
    char version[64];
    snprintf(version, sizeof version, "PRAGMA user_version = %d", STORE_FORMAT);
    return begin(store) && execute(store, schema, "make the tables") && execute(store, version, "set the format") &&
           open_identity(store);
}

static bool check_format(struct store *store)
{
    uint64_t format = 0;
    if (!read_number(store, "PRAGMA user_version", &format)) return false;
    if (format == 0 && !store->inspecting) return make_schema(store);
    if (format == STORE_FORMAT) return read_counter(store) && open_identity(store);
    snprintf(store->why, sizeof store->why, "the store has format %" PRIu64 "; this program reads format %d", format,
             STORE_FORMAT);
    return false;
}

static bool open_database(struct store *store, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/aggregator.db", folder);
    if (!database_may_open(path, store->why, sizeof store->why)) return false;
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        return complain(store, "open aggregator.db");
    sqlite3_busy_timeout(store->db, BUSY_MS);
    return execute(store, "PRAGMA journal_mode = WAL", "use a write-ahead log") &&
           execute(store, "PRAGMA synchronous = FULL", "sync every commit") &&
           execute(store, "PRAGMA journal_size_limit = " WAL_KEPT_BYTES, "bound the log") && check_format(store);
}

struct store *store_open(const char *folder, char *why, size_t why_bytes)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        snprintf(why, why_bytes, "out of memory");
        return NULL;
    }
    store->lock_fd = -1;
    if (lock(store, folder) && open_database(store, folder)) return store;
    snprintf(why, why_bytes, "%s", store->why);
    store_close(store);
    return NULL;
}

struct store *store_inspect(const char *folder, bool *damaged, char *why, size_t why_bytes)
{
    char path[4096];
    struct store *store = calloc(1, sizeof *store);
    *damaged = false;
    snprintf(why, why_bytes, "out of memory");
    if (!store) return NULL;
    *store = (struct store){.lock_fd = -1, .inspecting = true};
    snprintf(path, sizeof path, "%.4000s/lock", folder);
    if (access(folder, R_OK | X_OK) != 0) {
        snprintf(why, why_bytes, "%s: %s", folder, strerror(errno));
    } else if (database_claim(path, &store->lock_fd, why, why_bytes)) {
        *damaged = true;
        snprintf(path, sizeof path, "%.4000s/aggregator.db", folder);
        store->db = database_inspect(path, why, why_bytes);
        if (store->db && check_format(store)) return store;
        if (store->db) snprintf(why, why_bytes, "%s", store->why);
    }
    store_close(store);
    return NULL;
}

size_t store_check(struct store *store, database_tell *tell, void *context)
{
    return database_check(store->db, false, tell, context);
}

void store_close(struct store *store)
{
    if (!store) return;
    if (store->changing) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    while (store->kept_count > 0) sqlite3_finalize(store->kept[--store->kept_count]);
    sqlite3_close(store->db);
    if (store->lock_fd >= 0) close(store->lock_fd);
    free(store);
}

const char *store_why(const struct store *store)
{
    return store->why;
}

/* ---- changes ---- */

bool store_put_sweep(struct store *store, const struct digest *sweep, const struct digest *population,
                     struct span bytes)
{
    const struct digest none = {{0}};
    struct digest checksum = sweep_checksum(sweep, population, &none);
    sqlite3_stmt *statement = prepare(store, "INSERT INTO sweep(id, population, result, bytes, checksum)"
                                             " VALUES(?1, ?2, ?3, ?4, ?5)");
    bind_digest(statement, 1, sweep);
    bind_digest(statement, 2, population);
    bind_digest(statement, 3, &none);
    bind_span(statement, 4, bytes);
    bind_digest(statement, 5, &checksum);
    return run(store, statement, "store a sweep");
}

bool store_put_population(struct store *store, const struct digest *population, struct span bytes)
{
    sqlite3_stmt *statement = prepare(store, "INSERT OR IGNORE INTO population(digest, bytes) VALUES(?1, ?2)");
    bind_digest(statement, 1, population);
    bind_span(statement, 2, bytes);
    return run(store, statement, "store a population");
}

static bool read_population_of(struct store *store, const struct digest *sweep, struct digest *population)
{
    sqlite3_stmt *statement = prepare(store, "SELECT population FROM sweep WHERE id = ?1");
    bind_digest(statement, 1, sweep);
    bool found = statement && sqlite3_step(statement) == SQLITE_ROW && column_digest(statement, 0, population);
    if (!found) complain(store, "find the sweep of a result");
    sqlite3_finalize(statement);
    return found;
}

bool store_put_result(struct store *store, const struct digest *sweep, const struct digest *result)
{
    struct digest population;
    if (!read_population_of(store, sweep, &population)) return false;
    struct digest checksum = sweep_checksum(sweep, &population, result);
    sqlite3_stmt *statement = prepare(store, "UPDATE sweep SET result = ?2, checksum = ?3 WHERE id = ?1");
    bind_digest(statement, 1, sweep);
    bind_digest(statement, 2, result);
    bind_digest(statement, 3, &checksum);
    return run_one(store, statement, "store a result");
}

bool store_put_node(struct store *store, const struct digest *sweep, struct fold_place place, struct span bytes)
{
    struct digest checksum = node_checksum(sweep, place, bytes);
    sqlite3_stmt *statement = prepare(store, "INSERT INTO node(sweep, level, idx, bytes, checksum)"
                                             " VALUES(?1, ?2, ?3, ?4, ?5)");
    bind_node(statement, 1, sweep, place);
    bind_span(statement, 4, bytes);
    bind_digest(statement, 5, &checksum);
    return run(store, statement, "store a node");
}

bool store_delete_node(struct store *store, const struct digest *sweep, struct fold_place place)
{
    sqlite3_stmt *statement = prepare(store, "DELETE FROM node WHERE sweep = ?1 AND level = ?2 AND idx = ?3");
    bind_node(statement, 1, sweep, place);
    return run_one(store, statement, "delete a merged node");
}

bool store_delete_others(struct store *store, const struct digest *sweep, struct fold_place place)
{
    sqlite3_stmt *statement = prepare(store, "DELETE FROM node WHERE sweep = ?1 AND NOT (level = ?2 AND idx = ?3)");
    bind_node(statement, 1, sweep, place);
    return run(store, statement, "delete the nodes behind the end of a sweep");
}

bool store_set_aside_node(struct store *store, const struct digest *sweep, struct fold_place place, const char *why)
{
    char key[KEY_BYTES];
    name_node(key, sweep, place);
    sqlite3_stmt *statement =
        prepare(store, "INSERT INTO aside SELECT ?4, ?5, bytes, checksum FROM node WHERE sweep = ?1 AND level = ?2"
                       " AND idx = ?3");
    bind_node(statement, 1, sweep, place);
    bind_text(statement, 4, key);
    bind_text(statement, 5, why);
    return run_one(store, statement, "set a node aside") && store_delete_node(store, sweep, place);
}

bool store_commit(struct store *store)
{
    if (!store->changing) return true;
    if (!witness_equal(&store->witness, &store->written) && !write_peer(store)) return false;
    if (!write_counter(store, store->commits + 1) || !execute(store, "COMMIT", "commit")) return false;
    store->written = store->witness;
    store->changing = false;
    store->commits++;
    return true;
}

uint64_t store_commits(const struct store *store)
{
    return store->commits;
}

uint64_t store_identity(const struct store *store)
{
    return store->identity;
}

struct witness *store_witness(struct store *store)
{
    return &store->witness;
}

bool store_keep_witness(struct store *store)
{
    return begin(store);
}

/* ---- reads ---- */

static bool copy_out(struct store *store, struct span bytes, struct buffer *out)
{
    buffer_clear(out);
    buffer_append(out, bytes.data, bytes.size);
    if (!out->failed) return true;
    snprintf(store->why, sizeof store->why, "out of memory for a row");
    return false;
}

static enum store_read find_row(struct store *store, sqlite3_stmt *statement, const char *key)
{
    int stepped = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    if (stepped == SQLITE_ROW) return STORE_FOUND;
    if (stepped == SQLITE_DONE) snprintf(store->why, sizeof store->why, "%s: there is no such row", key);
    else snprintf(store->why, sizeof store->why, "%s: %s", key, sqlite3_errmsg(store->db));
    return stepped == SQLITE_DONE ? STORE_MISSING : STORE_FAILED;
}

static enum store_read damaged(struct store *store, const char *key)
{
    snprintf(store->why, sizeof store->why, "%s: the checksum does not match", key);
    return STORE_DAMAGED;
}

/* A row (bytes) whose key is the digest of its bytes. */
static enum store_read get_by_digest(struct store *store, const char *sql, const char *table,
                                     const struct digest *digest, struct buffer *out)
{
    char key[KEY_BYTES];
    name_row(key, table, digest);
    sqlite3_stmt *statement = prepare(store, sql);
    bind_digest(statement, 1, digest);
    enum store_read read = find_row(store, statement, key);
    if (read == STORE_FOUND) {
        struct span bytes = column_span(statement, 0);
        struct digest actual = digest_of(bytes);
        if (!digest_equal(&actual, digest)) read = damaged(store, key);
        else if (!copy_out(store, bytes, out)) read = STORE_FAILED;
    }
    sqlite3_finalize(statement);
    return read;
}

enum store_read store_get_sweep(struct store *store, const struct digest *sweep, struct buffer *out)
{
    return get_by_digest(store, "SELECT bytes FROM sweep WHERE id = ?1", "sweep", sweep, out);
}

enum store_read store_get_population(struct store *store, const struct digest *population, struct buffer *out)
{
    return get_by_digest(store, "SELECT bytes FROM population WHERE digest = ?1", "population", population, out);
}

static bool node_is_whole(sqlite3_stmt *statement, int bytes_column, int checksum_column, const struct digest *sweep,
                          struct fold_place place)
{
    struct digest stored;
    struct digest actual = node_checksum(sweep, place, column_span(statement, bytes_column));
    return column_digest(statement, checksum_column, &stored) && digest_equal(&stored, &actual);
}

enum store_read store_get_node(struct store *store, const struct digest *sweep, struct fold_place place,
                               struct buffer *out)
{
    char key[KEY_BYTES];
    name_node(key, sweep, place);
    sqlite3_stmt *statement =
        prepare(store, "SELECT bytes, checksum FROM node WHERE sweep = ?1 AND level = ?2 AND idx = ?3");
    bind_node(statement, 1, sweep, place);
    enum store_read read = find_row(store, statement, key);
    if (read == STORE_FOUND) {
        if (!node_is_whole(statement, 0, 1, sweep, place)) read = damaged(store, key);
        else if (!copy_out(store, column_span(statement, 0), out)) read = STORE_FAILED;
    }
    sqlite3_finalize(statement);
    return read;
}

/* ---- loading ---- */

/* Rows are named by rowid here: the columns that are keys elsewhere may be what is damaged. */
static bool set_row_aside(struct store *store, const struct store_visitor *visitor, const char *copy,
                          const char *remove, sqlite3_int64 row, const char *key, const char *reason)
{
    char what[KEY_BYTES + STORE_WHY_BYTES];
    snprintf(what, sizeof what, "%s: %s", key, reason);
    visitor->damage(visitor->context, what);
    if (store->inspecting) return true;
    sqlite3_stmt *statement = prepare(store, copy);
    bind_number(statement, 1, (uint64_t)row);
    bind_text(statement, 2, key);
    bind_text(statement, 3, reason);
    if (!run_one(store, statement, "set a damaged row aside")) return false;
    statement = prepare(store, remove);
    bind_number(statement, 1, (uint64_t)row);
    return run_one(store, statement, "take a damaged row out of its table");
}

static bool set_loaded_node_aside(struct store *store, const struct store_visitor *visitor, sqlite3_int64 row,
                                  const char *key, const char *reason)
{
    return set_row_aside(store, visitor, "INSERT INTO aside SELECT ?2, ?3, bytes, checksum FROM node WHERE rowid = ?1",
                         "DELETE FROM node WHERE rowid = ?1", row, key, reason);
}

static bool load_node(struct store *store, const struct store_visitor *visitor, sqlite3_stmt *statement,
                      const struct digest *sweep, bool verify)
{
    sqlite3_int64 level = sqlite3_column_int64(statement, 1), index = sqlite3_column_int64(statement, 2);
    bool possible = level >= 0 && level <= NODE_LEVEL_MAX && index >= 0;
    struct fold_place place = {.level = possible ? (uint32_t)level : UINT32_MAX, .index = (uint64_t)index};
    const char *why = "the checksum does not match";
    char key[KEY_BYTES];
    name_node(key, sweep, place);
    bool whole = possible && (!verify || node_is_whole(statement, 3, 4, sweep, place));
    if (whole && visitor->node(visitor->context, sweep, place, &why)) return true;
    return set_loaded_node_aside(store, visitor, sqlite3_column_int64(statement, 0), key, why);
}

static bool load_nodes(struct store *store, const struct store_visitor *visitor, const struct digest *sweep,
                       bool verify)
{
    /* The nodes of a finished sweep are only named here: reading them all could take minutes. */
    sqlite3_stmt *statement =
        prepare(store, verify ? "SELECT rowid, level, idx, bytes, checksum FROM node WHERE sweep = ?1"
                              : "SELECT rowid, level, idx FROM node WHERE sweep = ?1");
    bind_digest(statement, 1, sweep);
    int stepped = SQLITE_ERROR;
    bool loaded = statement != NULL || complain(store, "read the nodes of a sweep");
    while (loaded && (stepped = sqlite3_step(statement)) == SQLITE_ROW)
        loaded = load_node(store, visitor, statement, sweep, verify);
    if (loaded && stepped != SQLITE_DONE) loaded = complain(store, "read the nodes of a sweep");
    sqlite3_finalize(statement);
    return loaded;
}

static bool set_population_aside(struct store *store, const struct store_visitor *visitor,
                                 const struct digest *population)
{
    char key[KEY_BYTES];
    name_row(key, "population", population);
    sqlite3_stmt *statement = prepare(store, "SELECT rowid FROM population WHERE digest = ?1");
    bind_digest(statement, 1, population);
    bool found = find_row(store, statement, key) == STORE_FOUND;
    sqlite3_int64 row = found ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return found && set_row_aside(store, visitor,
                                  "INSERT INTO aside SELECT ?2, ?3, bytes, digest FROM population WHERE rowid = ?1",
                                  "DELETE FROM population WHERE rowid = ?1", row, key, "the checksum does not match");
}

/* Whether a population is there and whole; a damaged one is set aside. Sweeps often share one, so the
 * last answer is kept. False: failure. */
static bool check_population(struct store *store, const struct store_visitor *visitor, const struct digest *population,
                             bool *held)
{
    if (!store->population_checked || !digest_equal(&store->checked, population)) {
        struct buffer bytes = {0};
        enum store_read read = store_get_population(store, population, &bytes);
        buffer_free(&bytes);
        if (read == STORE_FAILED) return false;
        if (read == STORE_DAMAGED && !set_population_aside(store, visitor, population)) return false;
        store->population_checked = true;
        store->checked = *population;
        store->checked_held = read == STORE_FOUND;
    }
    *held = store->checked_held;
    return true;
}

/* The nodes of a sweep that cannot be read mean nothing any more: they go aside with it. */
static bool set_sweep_aside(struct store *store, const struct store_visitor *visitor, sqlite3_int64 row, struct span id,
                            const char *key, const char *reason)
{
    if (store->inspecting) return set_row_aside(store, visitor, NULL, NULL, row, key, reason);
    sqlite3_stmt *statement = prepare(store, "INSERT INTO aside SELECT ?2 || ' level ' || level || ' index ' || idx,"
                                             " ?3, bytes, checksum FROM node WHERE sweep = ?1");
    bind_span(statement, 1, id);
    bind_text(statement, 2, key);
    bind_text(statement, 3, "its sweep was set aside");
    if (!run(store, statement, "set the nodes of a sweep aside")) return false;
    statement = prepare(store, "DELETE FROM node WHERE sweep = ?1");
    bind_span(statement, 1, id);
    if (!run(store, statement, "take out the nodes of a sweep")) return false;
    return set_row_aside(store, visitor, "INSERT INTO aside SELECT ?2, ?3, bytes, checksum FROM sweep WHERE rowid = ?1",
                         "DELETE FROM sweep WHERE rowid = ?1", row, key, reason);
}

struct sweep_row {
    struct digest id, population, result, checksum;
    struct span bytes;
};

static bool read_sweep_row(sqlite3_stmt *statement, struct sweep_row *row)
{
    row->bytes = column_span(statement, 4);
    if (!column_digest(statement, 1, &row->id) || !column_digest(statement, 2, &row->population) ||
        !column_digest(statement, 3, &row->result) || !column_digest(statement, 5, &row->checksum))
        return false;
    struct digest id = digest_of(row->bytes);
    struct digest checksum = sweep_checksum(&row->id, &row->population, &row->result);
    return digest_equal(&id, &row->id) && digest_equal(&checksum, &row->checksum);
}

static bool load_sweep(struct store *store, const struct store_visitor *visitor, sqlite3_stmt *statement)
{
    struct sweep_row row;
    sqlite3_int64 rowid = sqlite3_column_int64(statement, 0);
    const char *why = "the checksum does not match";
    char key[KEY_BYTES] = "sweep with a damaged id";
    bool whole = read_sweep_row(statement, &row);
    struct digest named;
    if (column_digest(statement, 1, &named)) name_row(key, "sweep", &named);
    if (whole) {
        bool held;
        if (!check_population(store, visitor, &row.population, &held)) return false;
        if (visitor->sweep(visitor->context, &row.id, &row.population, held, &row.result, row.bytes, &why))
            return load_nodes(store, visitor, &row.id, store->inspecting || digest_is_zero(&row.result));
    }
    return set_sweep_aside(store, visitor, rowid, column_span(statement, 1), key, why);
}

/* Nodes of a sweep that is not there cannot be used, and would stand in the way of new ones. */
static bool set_orphans_aside(struct store *store, const struct store_visitor *visitor)
{
    uint64_t orphans = 0;
    if (!read_number(store, "SELECT count(*) FROM node WHERE sweep NOT IN (SELECT id FROM sweep)", &orphans))
        return false;
    if (orphans == 0) return true;
    char what[KEY_BYTES];
    snprintf(what, sizeof what, "node: %" PRIu64 " rows belong to no sweep", orphans);
    visitor->damage(visitor->context, what);
    if (store->inspecting) return true;
    return begin(store) &&
           execute(store,
                   "INSERT INTO aside SELECT 'node ' || lower(hex(sweep)) || ' level ' || level || ' index ' || idx,"
                   " 'it belongs to no sweep', bytes, checksum FROM node WHERE sweep NOT IN (SELECT id FROM sweep);"
                   "DELETE FROM node WHERE sweep NOT IN (SELECT id FROM sweep)",
                   "set nodes without a sweep aside");
}

#define UNNAMED_POPULATIONS " FROM population WHERE digest NOT IN (SELECT population FROM sweep)"

/* What was set aside may have been the last to name a population. A store without such is not written to. */
static bool drop_populations(struct store *store)
{
    uint64_t unnamed = 0;
    if (!read_number(store, "SELECT count(*)" UNNAMED_POPULATIONS, &unnamed)) return false;
    return unnamed == 0 ||
           (begin(store) && execute(store, "DELETE" UNNAMED_POPULATIONS, "remove a population that no sweep names"));
}

static bool mend_counter(struct store *store, const struct store_visitor *visitor)
{
    if (store->identity_damaged)
        visitor->damage(visitor->context, "identity: the checksum does not match; the broker sees another store");
    store->identity_damaged = false;
    if (!store->counter_damaged) return true;
    store->counter_damaged = false;
    visitor->damage(visitor->context, "counter: the checksum does not match; counting goes on from what it says");
    if (store->inspecting) return true;
    return begin(store) && execute(store,
                                   "INSERT INTO aside SELECT 'counter ' || commits, 'the checksum does not match',"
                                   " NULL, checksum FROM counter",
                                   "set the counter aside");
}

static void tell_fault(void *context, const char *line)
{
    const struct store_visitor *visitor = context;
    visitor->damage(visitor->context, line);
}

/* A page, or an index, that lies about its rows would lose sweeps and nodes without a word. */
static bool check_pages(struct store *store, const struct store_visitor *visitor)
{
    uint64_t pages, page_bytes;
    if (!read_number(store, "PRAGMA page_count", &pages) || !read_number(store, "PRAGMA page_size", &page_bytes))
        return false;
    if (pages <= CHECK_BYTES_MAX / page_bytes) database_check(store->db, false, tell_fault, (void *)visitor);
    return true;
}

bool store_load(struct store *store, const struct store_visitor *visitor)
{
    if (!store->inspecting && !check_pages(store, visitor)) return false; /* store_check does when inspecting */
    sqlite3_stmt *statement =
        prepare(store, "SELECT rowid, id, population, result, bytes, checksum FROM sweep ORDER BY rowid");
    if (!statement) return complain(store, "read the sweeps");
    int stepped = SQLITE_ERROR;
    bool loaded = true;
    while (loaded && (stepped = sqlite3_step(statement)) == SQLITE_ROW) loaded = load_sweep(store, visitor, statement);
    if (loaded && stepped != SQLITE_DONE) loaded = complain(store, "read the sweeps");
    sqlite3_finalize(statement);
    return loaded && set_orphans_aside(store, visitor) && (store->inspecting || drop_populations(store)) &&
           mend_counter(store, visitor) && store_commit(store);
}
