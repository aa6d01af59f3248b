/* The aggregator's store: what was committed is there after a kill, what is damaged is named and kept,
 * and nothing can be stored twice. */
#include "../../aggregator/shell_store.c" /* the program's shell is in no library */

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support_vfs.h"

struct fixture {
    char folder[64];
    struct store *store;
};

static void open_again(struct fixture *fixture)
{
    char why[STORE_WHY_BYTES] = "";
    store_close(fixture->store);
    fixture->store = store_open(fixture->folder, why, sizeof why);
    cr_assert_not_null(fixture->store, "%s", why);
}

static void set_up(struct fixture *fixture)
{
    *fixture = (struct fixture){.folder = "/tmp/goldthread-store-XXXXXX"};
    cr_assert_not_null(mkdtemp(fixture->folder));
    open_again(fixture);
}

static void tear_down(struct fixture *fixture)
{
    static const char *const names[] = {"aggregator.db", "aggregator.db-wal", "aggregator.db-shm", "lock"};
    char path[128];
    store_close(fixture->store);
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        snprintf(path, sizeof path, "%s/%s", fixture->folder, names[at]);
        unlink(path);
    }
    cr_assert_eq(rmdir(fixture->folder), 0, "the store leaves other files behind");
}

static struct span text(const char *words)
{
    return (struct span){(const uint8_t *)words, strlen(words)};
}

static struct digest name_of(const char *words)
{
    return digest_of(text(words));
}

/* A sweep whose "bytes" are the words; the store does not look inside. */
static void put_sweep(struct store *store, const char *words)
{
    struct digest sweep = name_of(words), population = name_of("population");
    cr_assert(store_put_sweep(store, &sweep, &population, text(words)), "%s", store_why(store));
}

static void put_node(struct store *store, const char *sweep, uint32_t level, uint64_t index, const char *words)
{
    struct digest id = name_of(sweep);
    cr_assert(store_put_node(store, &id, (struct fold_place){level, index}, text(words)), "%s", store_why(store));
}

static void expect_node(struct store *store, const char *sweep, uint32_t level, uint64_t index, const char *words)
{
    struct digest id = name_of(sweep);
    struct buffer bytes = {0};
    cr_assert_eq(store_get_node(store, &id, (struct fold_place){level, index}, &bytes), STORE_FOUND, "%s",
                 store_why(store));
    cr_assert_eq(bytes.size, strlen(words));
    if (bytes.size > 0) cr_assert_arr_eq(bytes.data, words, bytes.size);
    buffer_free(&bytes);
}

static enum store_read look_up(struct store *store, const char *sweep, uint32_t level, uint64_t index)
{
    struct digest id = name_of(sweep);
    struct buffer bytes = {0};
    enum store_read read = store_get_node(store, &id, (struct fold_place){level, index}, &bytes);
    buffer_free(&bytes);
    return read;
}

/* ---- what loading tells ---- */

struct loaded {
    size_t sweeps, nodes, damages, populations;
    struct digest result;
    char last_damage[1024];
    const char *refuse_nodes;
};

static bool note_sweep(void *context, const struct digest *sweep, const struct digest *population, bool population_held,
                       const struct digest *result, struct span bytes, const char **why)
{
    struct loaded *loaded = context;
    struct digest actual = digest_of(bytes), expected = name_of("population");
    (void)why;
    cr_assert(digest_equal(&actual, sweep));
    cr_assert(digest_equal(population, &expected));
    loaded->sweeps++;
    loaded->populations += population_held;
    loaded->result = *result;
    return true;
}

static bool note_node(void *context, const struct digest *sweep, struct fold_place place, const char **why)
{
    struct loaded *loaded = context;
    (void)sweep;
    (void)place;
    if (loaded->refuse_nodes) *why = loaded->refuse_nodes;
    loaded->nodes += !loaded->refuse_nodes;
    return !loaded->refuse_nodes;
}

static void note_damage(void *context, const char *what)
{
    struct loaded *loaded = context;
    loaded->damages++;
    snprintf(loaded->last_damage, sizeof loaded->last_damage, "%s", what);
}

static struct loaded load_refusing(struct store *store, const char *refuse_nodes)
{
    struct loaded loaded = {.refuse_nodes = refuse_nodes};
    const struct store_visitor visitor = {
        .context = &loaded, .sweep = note_sweep, .node = note_node, .damage = note_damage};
    cr_assert(store_load(store, &visitor), "%s", store_why(store));
    return loaded;
}

static struct loaded load(struct store *store)
{
    return load_refusing(store, NULL);
}

/* Runs SQL beside the store's own code, as a fault or a curious person would. */
static void tamper(struct fixture *fixture, const char *sql)
{
    char *error = NULL;
    cr_assert_eq(sqlite3_exec(fixture->store->db, sql, NULL, NULL, &error), SQLITE_OK, "%s: %s", sql, error);
}

static uint64_t count(struct fixture *fixture, const char *sql)
{
    uint64_t number = 0;
    cr_assert(read_number(fixture->store, sql, &number), "%s", store_why(fixture->store));
    return number;
}

/* ---- tests ---- */

Test(store, what_was_committed_is_there_after_it_is_opened_again)
{
    struct fixture fixture;
    set_up(&fixture);
    struct digest population = name_of("population"), sweep = name_of("sweep"), result = name_of("table");
    struct buffer bytes = {0};
    put_sweep(fixture.store, "sweep");
    cr_assert(store_put_population(fixture.store, &population, text("population")));
    cr_assert(store_put_population(fixture.store, &population, text("population")), "the same again is no error");
    put_node(fixture.store, "sweep", 0, 0, "");
    put_node(fixture.store, "sweep", 3, UINT64_C(1) << 37, "seventy draws");
    cr_assert(store_commit(fixture.store));
    cr_assert(store_put_result(fixture.store, &sweep, &result), "%s", store_why(fixture.store));
    cr_assert(store_commit(fixture.store));

    open_again(&fixture);
    struct loaded loaded = load(fixture.store);
    cr_assert_eq(loaded.sweeps, 1);
    cr_assert_eq(loaded.nodes, 2);
    cr_assert_eq(loaded.populations, 1);
    cr_assert_eq(loaded.damages, 0);
    cr_assert(digest_equal(&loaded.result, &result));
    expect_node(fixture.store, "sweep", 0, 0, "");
    expect_node(fixture.store, "sweep", 3, UINT64_C(1) << 37, "seventy draws");
    cr_assert_eq(store_get_sweep(fixture.store, &sweep, &bytes), STORE_FOUND);
    cr_assert_eq(bytes.size, 5);
    cr_assert_eq(store_get_population(fixture.store, &population, &bytes), STORE_FOUND);
    cr_assert_eq(bytes.size, 10);
    cr_assert_eq(store_get_population(fixture.store, &sweep, &bytes), STORE_MISSING);
    buffer_free(&bytes);
    tear_down(&fixture);
}

Test(store, every_commit_is_counted_and_an_empty_one_is_not)
{
    struct fixture fixture;
    set_up(&fixture);
    uint64_t before = store_commits(fixture.store);
    cr_assert(store_commit(fixture.store));
    cr_assert_eq(store_commits(fixture.store), before);
    put_sweep(fixture.store, "sweep");
    for (uint64_t index = 0; index < 5; index++) {
        put_node(fixture.store, "sweep", 0, 2 * index, "node");
        cr_assert(store_commit(fixture.store));
    }
    cr_assert_eq(store_commits(fixture.store), before + 5);
    open_again(&fixture);
    cr_assert_eq(store_commits(fixture.store), before + 5);
    tear_down(&fixture);
}

Test(store, a_merge_is_all_there_or_not_at_all)
{
    struct fixture fixture;
    set_up(&fixture);
    struct digest sweep = name_of("sweep");
    put_sweep(fixture.store, "sweep");
    put_node(fixture.store, "sweep", 0, 0, "left");
    put_node(fixture.store, "sweep", 0, 1, "right");
    cr_assert(store_commit(fixture.store));
    for (int committed = 0; committed < 2; committed++) {
        cr_assert(store_delete_node(fixture.store, &sweep, (struct fold_place){0, 0}));
        cr_assert(store_delete_node(fixture.store, &sweep, (struct fold_place){0, 1}));
        put_node(fixture.store, "sweep", 1, 0, "both");
        if (committed) cr_assert(store_commit(fixture.store));
        open_again(&fixture);
        cr_assert_eq(look_up(fixture.store, "sweep", 0, 0), committed ? STORE_MISSING : STORE_FOUND);
        cr_assert_eq(look_up(fixture.store, "sweep", 0, 1), committed ? STORE_MISSING : STORE_FOUND);
        cr_assert_eq(look_up(fixture.store, "sweep", 1, 0), committed ? STORE_FOUND : STORE_MISSING);
    }
    tear_down(&fixture);
}

Test(store, all_nodes_of_a_sweep_but_one_are_deleted_at_once)
{
    struct fixture fixture;
    set_up(&fixture);
    struct digest sweep = name_of("sweep");
    put_sweep(fixture.store, "sweep");
    put_sweep(fixture.store, "other");
    put_node(fixture.store, "sweep", 3, 0, "the end");
    put_node(fixture.store, "sweep", 3, 1, "behind");
    put_node(fixture.store, "sweep", 0, 0, "of the same index");
    put_node(fixture.store, "other", 3, 1, "of another sweep");
    cr_assert(store_delete_others(fixture.store, &sweep, (struct fold_place){3, 0}), "%s", store_why(fixture.store));
    cr_assert(store_commit(fixture.store));
    open_again(&fixture);
    expect_node(fixture.store, "sweep", 3, 0, "the end");
    cr_assert_eq(look_up(fixture.store, "sweep", 3, 1), STORE_MISSING);
    cr_assert_eq(look_up(fixture.store, "sweep", 0, 0), STORE_MISSING);
    expect_node(fixture.store, "other", 3, 1, "of another sweep");
    tear_down(&fixture);
}

Test(store, a_node_can_not_be_stored_twice_nor_deleted_twice)
{
    struct fixture fixture;
    set_up(&fixture);
    struct digest sweep = name_of("sweep");
    struct fold_place place = {2, 3};
    put_sweep(fixture.store, "sweep");
    put_node(fixture.store, "sweep", 2, 3, "node");
    cr_assert_not(store_put_node(fixture.store, &sweep, place, text("node")), "in one transaction");
    cr_assert(store_commit(fixture.store));
    cr_assert_not(store_put_node(fixture.store, &sweep, place, text("other")), "after a commit");
    open_again(&fixture);
    cr_assert_not(store_put_node(fixture.store, &sweep, place, text("node")), "after a restart");
    expect_node(fixture.store, "sweep", 2, 3, "node");
    cr_assert(store_delete_node(fixture.store, &sweep, place));
    cr_assert_not(store_delete_node(fixture.store, &sweep, place));
    cr_assert_not(store_put_sweep(fixture.store, &sweep, &sweep, text("sweep")), "a sweep neither");
    cr_assert_not(store_put_result(fixture.store, &(struct digest){{1}}, &sweep), "no result without its sweep");
    tear_down(&fixture);
}

/* The child commits nodes 0, 2, 4 ... and says so after each; then it begins one more and is killed. */
static void write_until_killed(const char *folder, int told)
{
    char why[STORE_WHY_BYTES];
    struct store *store = store_open(folder, why, sizeof why);
    struct digest sweep = name_of("sweep"), population = name_of("population");
    bool written = store && store_put_sweep(store, &sweep, &population, text("sweep"));
    for (uint64_t index = 0; written; index += 2) {
        written = store_put_node(store, &sweep, (struct fold_place){0, index}, text("node"));
        if (written && index < 40) written = store_commit(store) && write(told, &index, sizeof index) > 0;
        if (index == 40) raise(SIGKILL);
    }
    _exit(1);
}

Test(store, a_kill_loses_what_was_not_committed_and_nothing_else)
{
    struct fixture fixture;
    set_up(&fixture);
    store_close(fixture.store);
    fixture.store = NULL;
    int pipes[2], status;
    cr_assert_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) write_until_killed(fixture.folder, pipes[1]);
    close(pipes[1]);
    uint64_t index, last = UINT64_MAX;
    while (read(pipes[0], &index, sizeof index) == (ssize_t)sizeof index) last = index;
    close(pipes[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself");
    cr_assert_eq(last, 38);

    open_again(&fixture);
    cr_assert_eq(load(fixture.store).nodes, 20);
    for (uint64_t at = 0; at < 40; at += 2) expect_node(fixture.store, "sweep", 0, at, "node");
    cr_assert_eq(look_up(fixture.store, "sweep", 0, 40), STORE_MISSING);
    tear_down(&fixture);
}

Test(store, two_processes_can_not_have_one_store)
{
    struct fixture fixture;
    set_up(&fixture);
    char why[STORE_WHY_BYTES] = "";
    cr_assert_null(store_open(fixture.folder, why, sizeof why));
    cr_assert_not_null(strstr(why, "in use"), "%s", why);
    cr_assert_null(store_open("/nonexistent/folder", why, sizeof why));
    cr_assert_not_null(strstr(why, "/nonexistent/folder"), "%s", why);
    tear_down(&fixture);
}

Test(store, a_store_of_another_format_is_refused_and_left_alone)
{
    struct fixture fixture;
    set_up(&fixture);
    put_sweep(fixture.store, "sweep");
    cr_assert(store_commit(fixture.store));
    tamper(&fixture, "PRAGMA user_version = 7");
    store_close(fixture.store);
    fixture.store = NULL;
    char why[STORE_WHY_BYTES] = "";
    cr_assert_null(store_open(fixture.folder, why, sizeof why));
    cr_assert_not_null(strstr(why, "format 7"), "%s", why);
    tear_down(&fixture);
}

/* Each row: what is damaged, and what then is still held. */
static const struct damage {
    const char *name, *sql, *words;
    size_t sweeps, nodes, damages, aside;
} damages[] = {
    {"a bit of a node", "UPDATE node SET bytes = x'00' WHERE level = 1", "level 1 index 2", 1, 1, 1, 1},
    {"a node's checksum", "UPDATE node SET checksum = zeroblob(32) WHERE level = 1", "level 1 index 2", 1, 1, 1, 1},
    {"a checksum cut short", "UPDATE node SET checksum = x'aa' WHERE level = 0", "level 0 index 0", 1, 1, 1, 1},
    {"a node that passes for another", "UPDATE node SET idx = 7 WHERE level = 1", "level 1 index 7", 1, 1, 1, 1},
    {"an impossible level", "UPDATE node SET level = -1 WHERE level = 1", "does not match", 1, 1, 1, 1},
    {"a node of no sweep", "UPDATE node SET sweep = zeroblob(32) WHERE level = 1", "no sweep", 1, 1, 1, 1},
    {"a sweep's bytes", "UPDATE sweep SET bytes = x'00'", "sweep ", 0, 0, 1, 3},
    {"a sweep's result", "UPDATE sweep SET result = x'00'", "sweep ", 0, 0, 1, 3},
    {"a sweep's population", "UPDATE sweep SET population = zeroblob(32)", "sweep ", 0, 0, 1, 3},
    {"a population", "UPDATE population SET bytes = x'00'", "population ", 1, 2, 1, 1},
    {"the counter", "UPDATE counter SET commits = commits + 1", "counter", 1, 2, 1, 1},
};

Test(store, damage_is_named_set_aside_and_never_thrown_away)
{
    for (size_t at = 0; at < sizeof damages / sizeof *damages; at++) {
        const struct damage *row = &damages[at];
        struct fixture fixture;
        set_up(&fixture);
        struct digest population = name_of("population");
        put_sweep(fixture.store, "sweep");
        cr_assert(store_put_population(fixture.store, &population, text("population")));
        put_node(fixture.store, "sweep", 0, 0, "small");
        put_node(fixture.store, "sweep", 1, 2, "large");
        cr_assert(store_commit(fixture.store));
        tamper(&fixture, row->sql);

        open_again(&fixture);
        struct loaded loaded = load(fixture.store);
        cr_assert_eq(loaded.damages, row->damages, "%s", row->name);
        cr_assert_not_null(strstr(loaded.last_damage, row->words), "%s: %s", row->name, loaded.last_damage);
        cr_assert_eq(loaded.sweeps, row->sweeps, "%s", row->name);
        cr_assert_eq(loaded.nodes, row->nodes, "%s", row->name);
        cr_assert_eq(count(&fixture, "SELECT count(*) FROM aside"), row->aside, "%s", row->name);

        open_again(&fixture);
        loaded = load(fixture.store);
        cr_assert_eq(loaded.damages, 0, "%s: once is enough", row->name);
        cr_assert_eq(loaded.nodes, row->nodes, "%s", row->name);
        tear_down(&fixture);
    }
}

Test(store, a_population_goes_with_the_last_sweep_that_names_it)
{
    struct fixture fixture;
    set_up(&fixture);
    struct digest population = name_of("population");
    put_sweep(fixture.store, "one");
    put_sweep(fixture.store, "two");
    cr_assert(store_put_population(fixture.store, &population, text("population")));
    cr_assert(store_commit(fixture.store));
    for (size_t left = 2; left-- > 0;) {
        tamper(&fixture, "UPDATE sweep SET bytes = x'00' WHERE rowid = (SELECT max(rowid) FROM sweep)");
        open_again(&fixture);
        const uint64_t commits = store_commits(fixture.store);
        cr_assert_eq(load(fixture.store).sweeps, left);
        cr_assert_eq(store_commits(fixture.store), commits + 1, "in the commit that sets the sweep aside");
        cr_assert_eq(count(&fixture, "SELECT count(*) FROM population"), left > 0);
    }
    tear_down(&fixture);
}

Test(store, a_damaged_node_of_a_finished_sweep_is_found_when_it_is_read)
{
    struct fixture fixture;
    set_up(&fixture);
    struct digest sweep = name_of("sweep"), result = name_of("table");
    put_sweep(fixture.store, "sweep");
    put_node(fixture.store, "sweep", 1, 2, "large");
    cr_assert(store_put_result(fixture.store, &sweep, &result));
    cr_assert(store_commit(fixture.store));
    tamper(&fixture, "UPDATE node SET bytes = x'00'");
    cr_assert_eq(load(fixture.store).nodes, 1);
    cr_assert_eq(look_up(fixture.store, "sweep", 1, 2), STORE_DAMAGED);
    cr_assert_not_null(strstr(store_why(fixture.store), "level 1 index 2"), "%s", store_why(fixture.store));
    cr_assert(store_set_aside_node(fixture.store, &sweep, (struct fold_place){1, 2}, "the checksum does not match"));
    cr_assert(store_commit(fixture.store));
    cr_assert_eq(look_up(fixture.store, "sweep", 1, 2), STORE_MISSING);
    cr_assert_eq(count(&fixture, "SELECT count(*) FROM aside WHERE place LIKE '%level 1 index 2'"), 1);
    put_node(fixture.store, "sweep", 1, 2, "done again");
    tear_down(&fixture);
}

Test(store, a_node_that_does_not_fit_is_set_aside_with_the_reason)
{
    struct fixture fixture;
    set_up(&fixture);
    put_sweep(fixture.store, "sweep");
    put_node(fixture.store, "sweep", 0, 0, "node");
    cr_assert(store_commit(fixture.store));
    struct loaded loaded = load_refusing(fixture.store, "it overlaps another");
    cr_assert_eq(loaded.damages, 1);
    cr_assert_not_null(strstr(loaded.last_damage, "level 0 index 0: it overlaps another"), "%s", loaded.last_damage);
    cr_assert_eq(count(&fixture, "SELECT count(*) FROM aside WHERE reason = 'it overlaps another'"), 1);
    tear_down(&fixture);
}

/* Changes a byte of each page of that type (SQLite: 0x0d rows of a table, 0x0a of an index) that holds the
 * digest; at < 0: of the digest itself. Returns how many. */
static unsigned damage_pages(const char *path, uint8_t type, const struct digest *digest, int at, uint8_t byte)
{
    uint8_t page[4096];
    unsigned damaged = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    for (off_t start = 0; pread(fd, page, sizeof page, start) == (ssize_t)sizeof page; start += sizeof page) {
        const uint8_t *found = memmem(page, sizeof page, digest->bytes, DIGEST_BYTES);
        if (page[0] != type || found == NULL) continue;
        cr_assert_eq(pwrite(fd, &byte, 1, start + (at < 0 ? found - page : at)), 1);
        damaged++;
    }
    close(fd);
    return damaged;
}

/* A page of a table says that it has no rows; an index does not lead to a row. */
Test(store, rows_that_vanish_are_missed)
{
    const struct digest sweep = name_of("sweep");
    for (int index = 0; index < 2; index++) {
        struct fixture fixture;
        char path[128];
        set_up(&fixture);
        put_sweep(fixture.store, "sweep");
        put_node(fixture.store, "sweep", 0, 0, "node");
        cr_assert(store_commit(fixture.store));
        store_close(fixture.store);
        fixture.store = NULL;
        snprintf(path, sizeof path, "%s/aggregator.db", fixture.folder);
        if (index) cr_assert_gt(damage_pages(path, 0x0a, &sweep, -1, (uint8_t)(sweep.bytes[0] + 1)), 0);
        else cr_assert_gt(damage_pages(path, 0x0d, &sweep, 4, 0), 0);
        open_again(&fixture);
        struct loaded loaded = load_refusing(fixture.store, NULL);
        cr_assert_gt(loaded.damages, 0, "%s", index ? "index" : "table");
        tear_down(&fixture);
    }
}

Test(store, a_database_cut_off_in_its_first_page_is_not_begun_anew)
{
    struct fixture fixture;
    char path[128], why[STORE_WHY_BYTES] = "";
    set_up(&fixture);
    put_sweep(fixture.store, "sweep");
    cr_assert(store_commit(fixture.store));
    store_close(fixture.store);
    snprintf(path, sizeof path, "%s/aggregator.db", fixture.folder);
    for (off_t bytes = 1; bytes < 4096; bytes += 255) {
        cr_assert_eq(truncate(path, bytes), 0); /* longer than it was: zeros */
        fixture.store = store_open(fixture.folder, why, sizeof why);
        cr_assert_null(fixture.store, "%ld bytes", (long)bytes);
        cr_assert_neq(why[0], 0);
    }
    tear_down(&fixture);
}

Test(store, a_page_of_garbage_is_reported_and_not_emptied)
{
    struct fixture fixture;
    set_up(&fixture);
    static char large[200000];
    memset(large, 'x', sizeof large - 1);
    put_sweep(fixture.store, "sweep");
    for (uint64_t at = 0; at < 4; at++) put_node(fixture.store, "sweep", 0, 2 * at, large);
    cr_assert(store_commit(fixture.store));
    store_close(fixture.store);
    fixture.store = NULL;

    char path[128];
    snprintf(path, sizeof path, "%s/aggregator.db", fixture.folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t at = 8 * 4096; at < size; at += 37 * 4096) cr_assert_eq(pwrite(fd, large, 4096, at), 4096);
    close(fd);

    open_again(&fixture);
    struct loaded loaded = {0};
    const struct store_visitor visitor = {
        .context = &loaded, .sweep = note_sweep, .node = note_node, .damage = note_damage};
    bool whole = store_load(fixture.store, &visitor);
    cr_assert(!whole || loaded.damages > 0, "the garbage went unnoticed");
    cr_assert(whole || strlen(store_why(fixture.store)) > 0);
    store_close(fixture.store);
    fixture.store = NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(lseek(fd, 0, SEEK_END), size, "the file keeps what it held");
    close(fd);
    tear_down(&fixture);
}

static bool commit_for_good(struct store *store)
{
    if (!store_commit(store)) return false;
    cr_assert_eq(vfs_unsynced(), 0, "a power cut could take what was committed");
    return true;
}

/* An aggregator's life with its store, which ends at the first failure as the server does. Returns how many of
 * its commits were acknowledged, of LIFE_COMMITS. */
#define LIFE_COMMITS 3

static int live(struct store *store)
{
    struct loaded loaded = {0};
    const struct store_visitor visitor = {
        .context = &loaded, .sweep = note_sweep, .node = note_node, .damage = note_damage};
    const struct digest sweep = name_of("sweep"), population = name_of("population"), result = name_of("table");
    const struct fold_place left = {0, 0}, both = {1, 0};
    struct buffer bytes = {0};
    if (store == NULL || !store_load(store, &visitor)) return 0;
    if (!store_put_sweep(store, &sweep, &population, text("sweep")) ||
        !store_put_population(store, &population, text("population")) ||
        !store_put_node(store, &sweep, left, text("left")) || !commit_for_good(store))
        return 0;
    const enum store_read read = store_get_node(store, &sweep, left, &bytes);
    buffer_free(&bytes);
    if (read != STORE_FOUND || !store_delete_node(store, &sweep, left) ||
        !store_put_node(store, &sweep, both, text("both")) || !commit_for_good(store))
        return 1;
    return store_put_result(store, &sweep, &result) && commit_for_good(store) ? LIFE_COMMITS : 2;
}

/* What is there is what was acknowledged, or one commit more that was on its way to the disk. */
static void expect_commits(struct fixture *fixture, int acknowledged, const char *fault, unsigned at)
{
    open_again(fixture);
    const struct loaded loaded = load(fixture->store);
    const bool left = look_up(fixture->store, "sweep", 0, 0) == STORE_FOUND;
    const bool both = look_up(fixture->store, "sweep", 1, 0) == STORE_FOUND;
    const int there = left ? 1 : both ? 2 + !digest_is_zero(&loaded.result) : 0;
    cr_assert_eq(loaded.damages, 0, "%s at call %u: %s", fault, at, loaded.last_damage);
    cr_assert_eq(loaded.nodes, loaded.sweeps, "%s at call %u: a merge is there by half", fault, at);
    cr_assert(there == acknowledged || there == acknowledged + 1, "%s at call %u: %d acknowledged, %d there", fault, at,
              acknowledged, there);
}

Test(store, whatever_call_of_the_disk_fails_what_was_acknowledged_is_there)
{
    struct fixture fixture;
    char why[STORE_WHY_BYTES], path[96];
    vfs_install();
    set_up(&fixture);
    snprintf(path, sizeof path, "%s/aggregator.db", fixture.folder);
    for (size_t row = 0; row < 2 * VFS_FAULTS; row++) {
        bool struck = true;
        for (unsigned at = 1; struck; at++) {
            cr_assert_lt(at, 2000);
            store_close(fixture.store);
            unlink(path);
            vfs_arm(vfs_faults[row / 2].calls, vfs_faults[row / 2].code, at, row % 2 == 1);
            struct store *store = store_open(fixture.folder, why, sizeof why);
            const int acknowledged = live(store);
            store_close(store);
            struck = vfs_disarm();
            cr_assert(struck || acknowledged == LIFE_COMMITS);
            fixture.store = NULL;
            expect_commits(&fixture, acknowledged, vfs_faults[row / 2].name, at);
        }
    }
    tear_down(&fixture);
}

/* Somebody who copies the store, or looks at it, may hold it for a moment. */
static void let_go(void *other)
{
    cr_assert_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

Test(store, a_change_waits_for_somebody_who_holds_the_database_for_a_moment)
{
    struct fixture fixture;
    char path[96];
    sqlite3 *other;
    vfs_install();
    set_up(&fixture);
    snprintf(path, sizeof path, "%s/aggregator.db", fixture.folder);
    cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    vfs_when_waiting(let_go, other);
    put_sweep(fixture.store, "sweep");
    cr_assert(store_commit(fixture.store), "%s", store_why(fixture.store));
    sqlite3_close(other);
    tear_down(&fixture);
}

/* golden/store-format-1.sql holds sweep "sweep" with its population and table, nodes (2, 0) and (0, 4), and
 * what was known of a broker's journal, as format 1 began. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    char *words = calloc(1, 65536);
    cr_assert_lt(fread(words, 1, 65535, file), 65535u);
    fclose(file);
    return words;
}

Test(store, a_store_of_format_1_comes_back_whole)
{
    struct fixture fixture;
    char path[96];
    sqlite3 *db;
    char *script = read_text(GOLDTHREAD_SOURCE "/tests/unit/golden/store-format-1.sql");
    set_up(&fixture);
    store_close(fixture.store);
    fixture.store = NULL;
    snprintf(path, sizeof path, "%s/aggregator.db", fixture.folder);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, script, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    free(script);
    open_again(&fixture);
    const struct loaded loaded = load(fixture.store);
    const struct digest result = name_of("table");
    cr_assert_eq(loaded.damages, 0, "%s", loaded.last_damage);
    cr_assert(loaded.sweeps == 1 && loaded.nodes == 2 && loaded.populations == 1);
    cr_assert(digest_equal(&loaded.result, &result));
    expect_node(fixture.store, "sweep", 2, 0, "four blocks");
    expect_node(fixture.store, "sweep", 0, 4, "one block");
    const struct witness *witness = store_witness(fixture.store);
    cr_assert(witness->known && witness->store == 7 && witness->commits == 11);
    tear_down(&fixture);
}

static off_t bytes_of(const struct fixture *fixture, const char *name)
{
    char path[96];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    cr_assert_eq(stat(path, &info), 0, "%s", path);
    return info.st_size;
}

/* 2,000 nodes of 20 kB come and are merged away, two by two: 40 MB through a store that holds one. */
Test(store, neither_the_store_nor_its_log_grows_with_what_was_merged)
{
    struct fixture fixture;
    static char words[20001];
    const struct digest sweep = name_of("sweep");
    memset(words, 'w', sizeof words - 1);
    vfs_install(); /* takes no time for syncs */
    set_up(&fixture);
    put_sweep(fixture.store, "sweep");
    put_node(fixture.store, "sweep", 0, 0, words);
    for (uint64_t index = 1; index < 2000; index++) {
        put_node(fixture.store, "sweep", 0, index, words);
        cr_assert(store_commit(fixture.store));
        cr_assert(store_delete_node(fixture.store, &sweep, (struct fold_place){0, index - 1}));
        cr_assert(store_commit(fixture.store));
    }
    cr_assert_lt(bytes_of(&fixture, "aggregator.db"), 1 << 18);
    cr_assert_lt(bytes_of(&fixture, "aggregator.db-wal"), 8 << 20);
    tear_down(&fixture);
}
