#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state.h"
#include "support_sweep.h"
#include "support_vfs.h"
#include "sweep_codec.h"

#include "../../broker/shell_journal.c"

/* A broker and its journal in a folder of their own. */
struct bench {
    char directory[64];
    struct journal *journal;
    struct broker *broker;
    struct broker_effects effects;
    struct message message;
    struct buffer sweep;
    struct digest id;
    uint64_t seed;      /* of the next sweep */
    const char *holder; /* of the key of whoever speaks, or NULL */
    char why[256];
};

static void start(struct bench *bench)
{
    bench->journal = journal_open(bench->directory, bench->why, sizeof bench->why);
    cr_assert_not_null(bench->journal, "%s", bench->why);
    bench->broker = broker_new(&(struct broker_setup){500, 5000, 1});
    cr_assert(journal_restore(bench->journal, bench->broker, bench->why, sizeof bench->why), "%s", bench->why);
}

static struct bench *open_bench(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    strcpy(bench->directory, "/tmp/gt-journal-XXXXXX");
    cr_assert_not_null(mkdtemp(bench->directory));
    start(bench);
    return bench;
}

static void stop(struct bench *bench)
{
    cr_assert(bench->journal == NULL || journal_commit(bench->journal));
    journal_close(bench->journal);
    broker_free(bench->broker);
}

static void close_bench(struct bench *bench)
{
    char command[96];
    stop(bench);
    snprintf(command, sizeof command, "rm -r %s", bench->directory);
    cr_assert_eq(system(command), 0);
    buffer_free(&bench->sweep);
    free(bench);
}

static void step_at(struct bench *bench, uint64_t now_ms)
{
    const struct broker_event event = {.kind = BROKER_MESSAGE,
                                       .now_ms = now_ms,
                                       .peer = {.size = 1, .bytes = "p"},
                                       .message = &bench->message,
                                       .holder = bench->holder};
    broker_step(bench->broker, &event, &bench->effects);
    for (size_t at = 0; at < bench->effects.count; at++) {
        const struct broker_effect *effect = &bench->effects.list[at];
        if (effect->kind != BROKER_SEND && effect->kind != BROKER_NOTE)
            cr_assert(journal_keep(bench->journal, bench->broker, effect), "%s", journal_error(bench->journal));
    }
}

static void step(struct bench *bench)
{
    step_at(bench, 1);
}

static void submit_naming(struct bench *bench, struct span named, struct span population)
{
    struct sweep *sweep = new_sweep("s");
    sweep->population = digest_of(named);
    sweep->seed = bench->seed;
    sweep->draws = 100;
    buffer_clear(&bench->sweep);
    sweep_encode(sweep, &bench->sweep);
    bench->id = sweep_identity(sweep);
    free(sweep);
    bench->message.kind = MESSAGE_SUBMIT;
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.population = population;
    bench->message.submit.priority = bench->message.submit.weight = 0;
    bench->message.submit.tenant[0] = 0;
    step(bench);
}

static void submit(struct bench *bench, struct span population)
{
    submit_naming(bench, population, population);
}

static void hello_worker(struct bench *bench)
{
    bench->message.kind = MESSAGE_HELLO;
    memset(&bench->message.hello, 0, sizeof bench->message.hello);
    bench->message.hello.role = ROLE_WORKER;
    strcpy(bench->message.hello.name, "w");
    step(bench);
}

static void done(struct bench *bench, uint64_t first, uint64_t count)
{
    bench->message.kind = MESSAGE_DONE;
    bench->message.done.token = 1;
    bench->message.done.sweep = bench->id;
    bench->message.done.blocks = (struct block_range){first, count};
    step(bench);
}

static void execute(struct bench *bench, const char *sql)
{
    char *error = NULL;
    cr_assert_eq(sqlite3_exec(bench->journal->db, sql, NULL, NULL, &error), SQLITE_OK, "%s", error);
}

static int count_rows(struct bench *bench, const char *table)
{
    char sql[64];
    sqlite3_stmt *query;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    cr_assert_eq(sqlite3_prepare_v2(bench->journal->db, sql, -1, &query, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(query), SQLITE_ROW);
    const int count = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    return count;
}

static const struct span population = {(const uint8_t *)"schools", 7};

Test(journal, what_was_committed_is_there_after_a_kill)
{
    struct bench *bench = open_bench();
    const pid_t child = fork();
    if (child == 0) { /* ends without closing anything, as by SIGKILL */
        struct bench *mine = calloc(1, sizeof *mine);
        snprintf(mine->directory, sizeof mine->directory, "%.48s/inner", bench->directory);
        start(mine);
        submit(mine, population);
        hello_worker(mine);
        done(mine, 0, 10);
        done(mine, 20, 5);
        const bool committed = journal_commit(mine->journal);
        done(mine, 50, 50);
        _exit(committed ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);

    struct bench *again = calloc(1, sizeof *again);
    snprintf(again->directory, sizeof again->directory, "%.48s/inner", bench->directory);
    start(again);
    submit_naming(again, population, (struct span){0});
    cr_assert_eq(again->effects.count, 1, "the sweep is known");
    const struct ledger *ledger = broker_sweep(again->broker, &again->id);
    cr_assert_eq(ledger->done.total, 15);
    cr_assert_eq(ledger->done.count, 2);
    cr_assert(ledger->population_kept);
    stop(again);
    buffer_free(&again->sweep);
    free(again);
    close_bench(bench);
}

Test(journal, a_folder_that_is_named_with_slashes_at_its_end_is_its_owners_alone_too)
{
    struct bench *bench = open_bench();
    char folder[80], why[256];
    struct stat info;
    umask(022);
    snprintf(folder, sizeof folder, "%s/above/state//", bench->directory);
    struct journal *journal = journal_open(folder, why, sizeof why);
    cr_assert_not_null(journal, "%s", why);
    journal_close(journal);
    cr_assert_eq(stat(folder, &info), 0);
    cr_expect_eq(info.st_mode & 0777, 0700);
    close_bench(bench);
}

Test(journal, ranges_are_kept_merged)
{
    struct bench *bench = open_bench();
    submit(bench, (struct span){0});
    hello_worker(bench);
    for (uint64_t block = 0; block < 100; block += 2) done(bench, block, 1);
    cr_assert(journal_commit(bench->journal));
    cr_assert_eq(count_rows(bench, "done"), 50);
    for (uint64_t block = 1; block < 100; block += 2) done(bench, block, 1);
    cr_assert(journal_commit(bench->journal));
    cr_assert_eq(count_rows(bench, "done"), 1);
    stop(bench);
    start(bench);
    cr_assert_eq(broker_sweep(bench->broker, &bench->id)->done.total, 100);
    close_bench(bench);
}

Test(journal, shares_come_back_and_damage_to_them_is_left_out)
{
    struct bench *bench = open_bench();
    submit(bench, population);
    bench->message.kind = MESSAGE_SUBMIT;
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.population = population;
    bench->message.submit.priority = 3;
    bench->message.submit.weight = 20;
    strcpy(bench->message.submit.tenant, "treasury");
    step(bench);
    stop(bench);
    start(bench);
    const struct ledger *ledger = broker_sweep(bench->broker, &bench->id);
    cr_assert(ledger->priority == 3 && ledger->weight == 20);
    cr_assert_str_eq(ledger->tenant, "treasury");
    execute(bench, "UPDATE share SET weight = 21");
    stop(bench);
    start(bench);
    ledger = broker_sweep(bench->broker, &bench->id);
    cr_assert(ledger->priority == 0 && ledger->weight == 1);
    close_bench(bench);
}

/* Does everything but the first two blocks that are lent, which fail until they are parked. Returns the time. */
static uint64_t park_two(struct bench *bench)
{
    uint64_t now_ms = 1;
    while (broker_sweep(bench->broker, &bench->id)->parked_count < 2) { /* the first two blocks that are lent */
        const struct worker *worker = roster_of_name(&bench->broker->roster, "w");
        while (worker->lease_count > 0) {
            const struct lease lease = *lease_find(&bench->broker->leases, worker->leases[0]);
            if (lease.blocks.first > 1) {
                bench->message.kind = MESSAGE_DONE;
                bench->message.done.token = lease.token;
                bench->message.done.sweep = bench->id;
                bench->message.done.blocks = lease.blocks;
                bench->message.done.compute_us = UINT64_MAX; /* long ones are lent singly */
            } else {
                bench->message.kind = MESSAGE_FAILED;
                bench->message.failed.token = lease.token;
                bench->message.failed.blocks = lease.blocks;
                bench->message.failed.cause = CAUSE_ERROR;
                strcpy(bench->message.failed.text, "it broke");
            }
            step_at(bench, now_ms);
        }
        now_ms += 1000;
        cr_assert_lt(now_ms, 60000);
        bench->message.kind = MESSAGE_HEARTBEAT;
        bench->message.heartbeat.room = 2;
        bench->message.heartbeat.token_count = 0;
        step_at(bench, now_ms);
    }
    return now_ms;
}

Test(journal, parked_blocks_and_states_come_back_and_damage_to_them_is_left_out)
{
    struct bench *bench = open_bench();
    submit(bench, population);
    hello_worker(bench);
    const uint64_t now_ms = park_two(bench);
    cr_assert_eq(count_rows(bench, "parked"), 2);
    stop(bench);
    start(bench);
    const struct ledger *ledger = broker_sweep(bench->broker, &bench->id);
    cr_assert_eq(ledger->state, SWEEP_STALLED);
    cr_assert_eq(ledger->parked_count, 2);
    cr_assert(ledger->parked[0].attempts == 3 && ledger->parked[0].cause == FAULT_ERROR);
    cr_assert_str_eq(ledger->parked[0].why, "it broke");
    execute(bench, "UPDATE parked SET why = 'another' WHERE block = 0");
    stop(bench);
    start(bench);
    ledger = broker_sweep(bench->broker, &bench->id);
    cr_assert_eq(ledger->parked_count, 1);
    cr_assert_eq(ledger->parked[0].block, 1);
    bench->message.kind = MESSAGE_RETRY;
    bench->message.retry.sweep = bench->id;
    step_at(bench, now_ms);
    cr_assert_eq(count_rows(bench, "parked"), 0);
    close_bench(bench);
}

Test(journal, items_come_back_as_they_were_given)
{
    struct bench *bench = open_bench();
    struct span bytes;
    submit(bench, population);
    const struct digest digest = digest_of(population), unknown = {{1}};
    cr_assert(journal_item(bench->journal, ITEM_POPULATION, &digest, &bytes));
    cr_assert(bytes.size == population.size && memcmp(bytes.data, population.data, bytes.size) == 0);
    cr_assert(journal_item(bench->journal, ITEM_SWEEP, &bench->id, &bytes));
    cr_assert(bytes.size == bench->sweep.size && memcmp(bytes.data, bench->sweep.data, bytes.size) == 0);
    cr_assert_not(journal_item(bench->journal, ITEM_SWEEP, &unknown, &bytes));
    close_bench(bench);
}

Test(journal, damage_is_left_out_and_left_in_place)
{
    const struct {
        const char *damage, *table;
        bool known;
        uint64_t done;
    } rows[] = {
        {"UPDATE sweep SET bytes = x'00'", "sweep", false, 0},
        {"UPDATE sweep SET state = 3", "sweep", false, 0},
        {"UPDATE sweep SET result = x'00'", "sweep", false, 0},
        {"UPDATE sweep SET checksum = x'0000000000000000'", "sweep", false, 0},
        {"UPDATE done SET count = 99 WHERE first = 0", "done", true, 5},
        {"UPDATE done SET sweep = x'00' WHERE first = 20", "done", true, 10},
        {"UPDATE done SET first = -1 WHERE first = 20", "done", true, 10},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench *bench = open_bench();
        submit(bench, (struct span){0});
        hello_worker(bench);
        done(bench, 0, 10);
        done(bench, 20, 5);
        cr_assert(journal_commit(bench->journal));
        execute(bench, rows[row].damage);
        const int before = count_rows(bench, rows[row].table);
        stop(bench);
        start(bench);
        const struct ledger *ledger = broker_sweep(bench->broker, &bench->id);
        cr_assert_eq(ledger != NULL, rows[row].known, "%s", rows[row].damage);
        if (ledger != NULL) cr_assert_eq(ledger->done.total, rows[row].done, "%s", rows[row].damage);
        cr_assert_eq(count_rows(bench, rows[row].table), before, "%s", rows[row].damage);
        close_bench(bench);
    }
}

/* Flips a bit of the sweep's bytes so that they are those of another sound sweep. */
static void make_another_sweep(struct bench *bench)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    const char *why;
    for (size_t at = 0; at < bench->sweep.size; at++) {
        bench->sweep.data[at] ^= 1;
        const bool sound = sweep_decode(buffer_span(&bench->sweep), sweep, &why);
        if (sound) break;
        bench->sweep.data[at] ^= 1;
        cr_assert_lt(at + 1, bench->sweep.size, "each bit is needed");
    }
    free(sweep);
}

Test(journal, a_bit_that_makes_another_sound_sweep_of_one_is_damage)
{
    struct bench *bench = open_bench();
    sqlite3_stmt *put;
    submit(bench, (struct span){0});
    cr_assert(journal_commit(bench->journal));
    make_another_sweep(bench);
    cr_assert_eq(sqlite3_prepare_v2(bench->journal->db, "UPDATE sweep SET bytes = ?1", -1, &put, NULL), SQLITE_OK);
    sqlite3_bind_blob(put, 1, bench->sweep.data, (int)bench->sweep.size, SQLITE_STATIC);
    cr_assert_eq(sqlite3_step(put), SQLITE_DONE);
    sqlite3_finalize(put);
    stop(bench);
    start(bench);
    const struct digest other = digest_of(buffer_span(&bench->sweep));
    cr_assert_null(broker_sweep(bench->broker, &bench->id));
    cr_assert_null(broker_sweep(bench->broker, &other), "nobody submitted it");
    cr_assert_geq(bench->journal->damages, 1);
    cr_assert_eq(count_rows(bench, "sweep"), 1, "it is left in place");
    close_bench(bench);
}

Test(journal, a_damaged_sweep_is_whole_again_once_it_is_submitted)
{
    struct bench *bench = open_bench();
    const struct digest digest = digest_of(population);
    struct span bytes;
    submit(bench, population);
    cr_assert(journal_commit(bench->journal));
    execute(bench, "UPDATE sweep SET bytes = x'00', state = 9; UPDATE population SET bytes = x'00'");
    stop(bench);
    start(bench);
    cr_assert_null(broker_sweep(bench->broker, &bench->id));
    cr_assert_not(journal_item(bench->journal, ITEM_POPULATION, &digest, &bytes));
    submit(bench, population);
    stop(bench);
    start(bench);
    cr_assert_not_null(broker_sweep(bench->broker, &bench->id));
    cr_assert(journal_item(bench->journal, ITEM_POPULATION, &digest, &bytes));
    close_bench(bench);
}

Test(journal, a_folder_has_one_broker)
{
    struct bench *bench = open_bench();
    char why[256];
    cr_assert_null(journal_open(bench->directory, why, sizeof why));
    cr_assert_not_null(strstr(why, "in use by another broker"), "%s", why);
    close_bench(bench);
}

Test(journal, a_later_format_is_not_touched)
{
    struct bench *bench = open_bench();
    char why[256];
    execute(bench, "PRAGMA user_version = 2");
    journal_close(bench->journal);
    cr_assert_null(journal_open(bench->directory, why, sizeof why));
    cr_assert_not_null(strstr(why, "version"), "%s", why);
    bench->journal = NULL;
    close_bench(bench);
}

Test(journal, a_file_that_is_no_database_is_refused_and_kept)
{
    char directory[] = "/tmp/gt-journal-XXXXXX", path[64], why[256], command[96];
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/broker.db", directory);
    FILE *file = fopen(path, "w");
    for (int line = 0; line < 1000; line++) fputs("this is not a database\n", file);
    cr_assert_eq(fclose(file), 0);
    cr_assert_null(journal_open(directory, why, sizeof why));
    cr_assert_gt(strlen(why), 0);
    file = fopen(path, "r");
    cr_assert_not_null(fgets(command, sizeof command, file));
    fclose(file);
    cr_assert_str_eq(command, "this is not a database\n");
    snprintf(command, sizeof command, "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

/* An index that does not lead to a sweep: it would be known, and never be found when it is asked for. */
Test(journal, an_index_without_a_sweep_is_missed)
{
    struct bench *bench = open_bench();
    char path[96];
    uint8_t page[4096];
    unsigned damaged = 0;
    submit(bench, (struct span){0});
    cr_assert(journal_commit(bench->journal));
    stop(bench);
    snprintf(path, sizeof path, "%s/broker.db", bench->directory);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    for (off_t start = 0; pread(fd, page, sizeof page, start) == (ssize_t)sizeof page; start += sizeof page) {
        uint8_t *found = memmem(page, sizeof page, bench->id.bytes, DIGEST_BYTES);
        if (page[0] != 0x0a || found == NULL) continue; /* 0x0a: a page of an index */
        (*found)++;
        cr_assert_eq(pwrite(fd, found, 1, start + (found - page)), 1);
        damaged++;
    }
    close(fd);
    cr_assert_gt(damaged, 0);
    start(bench);
    cr_assert_gt(bench->journal->damages, 0);
    close_bench(bench);
}

/* The shell ends when the disk refuses in the middle of a step. Half a step must not be kept. */
Test(journal, what_was_not_committed_is_dropped_when_it_is_closed)
{
    struct bench *bench = open_bench();
    submit(bench, population);
    hello_worker(bench);
    done(bench, 0, 10);
    cr_assert(journal_commit(bench->journal));
    done(bench, 20, 5);
    journal_close(bench->journal);
    broker_free(bench->broker);
    start(bench);
    cr_assert_eq(broker_sweep(bench->broker, &bench->id)->done.total, 10);
    close_bench(bench);
}

Test(journal, nothing_is_left_of_a_damaged_sweep_that_is_submitted_again)
{
    struct bench *bench = open_bench();
    submit(bench, population);
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.priority = 3;
    step(bench);
    hello_worker(bench);
    done(bench, 0, 100);
    execute(bench, "INSERT INTO parked SELECT id, 7, 3, 1, 'old', checksum FROM sweep; UPDATE sweep SET state = 9");
    stop(bench);
    start(bench);
    cr_assert_null(broker_sweep(bench->broker, &bench->id));
    submit(bench, population);
    cr_assert_eq(count_rows(bench, "parked"), 0);
    stop(bench);
    start(bench);
    const struct ledger *ledger = broker_sweep(bench->broker, &bench->id);
    cr_assert_eq(ledger->done.total, 0, "it is told by the aggregator, or done again");
    cr_assert_eq(ledger->priority, 0, "as it was asked for last");
    cr_assert_eq(bench->journal->damages, 0);
    close_bench(bench);
}

Test(journal, owners_come_back_and_damage_to_them_leaves_a_sweep_to_nobody)
{
    struct bench *bench = open_bench();
    bench->holder = "anna";
    submit(bench, population);
    stop(bench);
    start(bench);
    cr_assert_str_eq(broker_sweep(bench->broker, &bench->id)->owner, "anna");
    execute(bench, "UPDATE owner SET name = 'bert'");
    stop(bench);
    start(bench);
    cr_assert_str_empty(broker_sweep(bench->broker, &bench->id)->owner);
    cr_assert_eq(bench->journal->damages, 1);
    close_bench(bench);
}

static void cancel(struct bench *bench, const struct digest *sweep)
{
    bench->message.kind = MESSAGE_CANCEL;
    bench->message.cancel.sweep = *sweep;
    step(bench);
}

Test(journal, nothing_is_left_of_a_sweep_that_was_forgotten)
{
    struct bench *bench = open_bench();
    bench->holder = "anna";
    submit(bench, population);
    const struct digest old = bench->id;
    bench->holder = NULL;
    hello_worker(bench);
    done(bench, 0, 10);
    cancel(bench, &old);
    for (uint64_t seed = 1; seed <= BROKER_SWEEPS_MAX; seed++) {
        bench->seed = seed;
        submit(bench, (struct span){0});
    }
    cr_assert_null(broker_sweep(bench->broker, &old));
    cr_assert_eq(count_rows(bench, "sweep"), BROKER_SWEEPS_MAX);
    cr_assert_eq(count_rows(bench, "share"), BROKER_SWEEPS_MAX);
    cr_assert_eq(count_rows(bench, "done"), 0);
    cr_assert_eq(count_rows(bench, "owner"), 0);
    cr_assert_eq(count_rows(bench, "population"), 0, "no other sweep names it");
    stop(bench);
    start(bench);
    cr_assert_null(broker_sweep(bench->broker, &old));
    cr_assert_not_null(broker_sweep(bench->broker, &bench->id));
    cr_assert_eq(bench->journal->damages, 0);
    close_bench(bench);
}

/* Two sweeps name a population, of which one was submitted without its bytes. */
Test(journal, a_population_goes_with_the_last_sweep_that_names_it)
{
    for (int bare_first = 0; bare_first < 2; bare_first++) {
        struct bench *bench = open_bench();
        struct digest ids[2];
        for (int at = 0; at < 2; at++) {
            submit_naming(bench, population, at == bare_first ? population : (struct span){0});
            ids[at == bare_first] = bench->id;
            bench->seed++;
        }
        const struct digest bare = ids[0], whole = ids[1];
        cancel(bench, &whole);
        for (; broker_sweep(bench->broker, &whole) != NULL; bench->seed++) submit(bench, (struct span){0});
        cr_assert_eq(broker_sweep(bench->broker, &bare)->population_kept, !bare_first, "what was here then stays here");
        cr_assert_eq(count_rows(bench, "population"), 1);
        cancel(bench, &bare);
        submit(bench, (struct span){0});
        cr_assert_null(broker_sweep(bench->broker, &bare));
        cr_assert_eq(count_rows(bench, "population"), 0);
        close_bench(bench);
    }
}

Test(journal, a_damaged_population_is_whole_again_once_its_sweep_is_submitted_again)
{
    struct bench *bench = open_bench();
    const struct digest digest = digest_of(population);
    struct span bytes;
    submit(bench, population);
    execute(bench, "UPDATE population SET bytes = x'00'");
    stop(bench);
    start(bench);
    cr_assert_not(journal_item(bench->journal, ITEM_POPULATION, &digest, &bytes));
    submit(bench, population);
    cr_assert(journal_item(bench->journal, ITEM_POPULATION, &digest, &bytes));
    close_bench(bench);
}

/* Journals of the first release had neither parked blocks nor shares, nor an identity. */
Test(journal, an_older_journal_is_read_and_brought_up)
{
    struct bench *bench = open_bench();
    submit(bench, population);
    hello_worker(bench);
    done(bench, 0, 10);
    cr_assert(journal_commit(bench->journal));
    for (size_t at = 0; at < STATEMENT_COUNT; at++) {
        sqlite3_finalize(bench->journal->statements[at]);
        bench->journal->statements[at] = NULL;
    }
    execute(bench, "DROP TABLE parked; DROP TABLE share; DROP TABLE store");
    stop(bench);
    start(bench);
    const struct ledger *ledger = broker_sweep(bench->broker, &bench->id);
    cr_assert(ledger->done.total == 10 && ledger->weight == 1 && ledger->parked_count == 0);
    cr_assert_eq(bench->journal->damages, 0);
    close_bench(bench);
}

/* golden/journal-format-1.sql is what `submit_golden` and two failing blocks left in a journal of format 1. */
static void submit_golden(struct bench *bench)
{
    submit(bench, population);
    bench->message.kind = MESSAGE_SUBMIT;
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.priority = 3;
    bench->message.submit.weight = 20;
    strcpy(bench->message.submit.tenant, "treasury");
    step(bench);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    char *text = calloc(1, 65536);
    cr_assert_lt(fread(text, 1, 65535, file), 65535u);
    fclose(file);
    return text;
}

Test(journal, a_journal_of_format_1_comes_back_whole)
{
    struct bench *bench = open_bench();
    char path[96];
    sqlite3 *db;
    char *script = read_text(GOLDTHREAD_SOURCE "/tests/unit/golden/journal-format-1.sql");
    submit_golden(bench); /* for its bytes and its name */
    stop(bench);
    snprintf(path, sizeof path, "%s/broker.db", bench->directory);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, script, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    free(script);
    start(bench);
    cr_assert_eq(bench->journal->damages, 0);
    const struct ledger *ledger = broker_sweep(bench->broker, &bench->id);
    cr_assert_not_null(ledger);
    cr_assert_eq(ledger->state, SWEEP_STALLED);
    cr_assert_eq(ledger->done.total, 98);
    cr_assert(ledger->parked_count == 2 && ledger->parked[1].block == 1);
    cr_assert_str_eq(ledger->parked[1].why, "it broke");
    cr_assert(ledger->priority == 3 && ledger->weight == 20 && strcmp(ledger->tenant, "treasury") == 0);
    struct span bytes;
    cr_assert(journal_item(bench->journal, ITEM_SWEEP, &bench->id, &bytes));
    cr_assert(journal_item(bench->journal, ITEM_POPULATION, &ledger->population, &bytes));
    cr_assert_gt(journal_commits(bench->journal), 0, "the journal counts on from where it was");
    close_bench(bench);
}

static off_t bytes_of(const struct bench *bench, const char *name)
{
    char path[96];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", bench->directory, name);
    cr_assert_eq(stat(path, &info), 0, "%s", path);
    return info.st_size;
}

/* Eight thousand commits while a sweep of a hundred blocks is done and lost, again and again. */
Test(journal, neither_the_journal_nor_its_log_grows_with_what_was_done)
{
    struct bench *bench = open_bench();
    vfs_install(); /* takes no time for syncs */
    stop(bench);
    start(bench);
    submit(bench, population);
    hello_worker(bench);
    for (int round = 0; round < 80; round++) {
        for (uint64_t block = 0; block < 100; block++) {
            done(bench, block * 37 % 100, 1);
            cr_assert(journal_commit(bench->journal));
        }
        struct ledger *ledger = (struct ledger *)broker_sweep(bench->broker, &bench->id);
        cr_assert_eq(count_rows(bench, "done"), 1, "a sweep that is done is one row");
        range_clear(&ledger->done);
        range_clear(&ledger->taken);
    }
    cr_assert_lt(bytes_of(bench, "broker.db"), 1 << 18);
    cr_assert_lt(bytes_of(bench, "broker.db-wal"), 8 << 20, "1,000 pages of 4 KiB, and the commit that reached them");
    close_bench(bench);
}

/* A broker's life with its journal, which ends at the first failure as the shell does. Returns how many of its
 * commits were acknowledged, of LIFE_COMMITS. */
#define LIFE_COMMITS 4

static bool keep_all(struct bench *bench)
{
    for (size_t at = 0; at < bench->effects.count; at++) {
        const struct broker_effect *effect = &bench->effects.list[at];
        if (effect->kind != BROKER_SEND && effect->kind != BROKER_NOTE &&
            !journal_keep(bench->journal, bench->broker, effect))
            return false;
    }
    if (!journal_commit(bench->journal)) return false;
    cr_assert_eq(vfs_unsynced(), 0, "a power cut could take what was committed");
    return true;
}

static bool say(struct bench *bench, enum message_kind kind)
{
    const struct broker_event event = {
        .kind = BROKER_MESSAGE, .now_ms = 1, .peer = {.size = 1, .bytes = "p"}, .message = &bench->message};
    bench->message.kind = kind;
    broker_step(bench->broker, &event, &bench->effects);
    return keep_all(bench);
}

static bool say_done(struct bench *bench, uint64_t first, uint64_t count)
{
    bench->message.done.token = 1;
    bench->message.done.sweep = bench->id;
    bench->message.done.blocks = (struct block_range){first, count};
    return say(bench, MESSAGE_DONE);
}

static int live(struct bench *bench)
{
    struct span bytes;
    bench->broker = broker_new(&(struct broker_setup){500, 5000, 1});
    bench->journal = journal_open(bench->directory, bench->why, sizeof bench->why);
    if (bench->journal == NULL || !journal_restore(bench->journal, bench->broker, bench->why, sizeof bench->why))
        return 0;
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.population = population;
    bench->message.submit.priority = bench->message.submit.weight = 0;
    bench->message.submit.tenant[0] = 0;
    if (!say(bench, MESSAGE_SUBMIT)) return 0;
    memset(&bench->message.hello, 0, sizeof bench->message.hello);
    bench->message.hello.role = ROLE_WORKER;
    strcpy(bench->message.hello.name, "w");
    say(bench, MESSAGE_HELLO);
    if (!say_done(bench, 0, 10)) return 1;
    if (!say_done(bench, 20, 10) || !journal_item(bench->journal, ITEM_SWEEP, &bench->id, &bytes)) return 2;
    bench->message.cancel.sweep = bench->id;
    return say(bench, MESSAGE_CANCEL) ? LIFE_COMMITS : 3;
}

/* What is there is what was acknowledged, or one step more that was on its way to the disk. */
static void expect_commits(struct bench *bench, int acknowledged, const char *fault, unsigned at)
{
    start(bench);
    cr_assert_eq(bench->journal->damages, 0, "%s at call %u", fault, at);
    const struct ledger *ledger = broker_sweep(bench->broker, &bench->id);
    int there = 0;
    if (ledger != NULL) there = 1 + (int)(ledger->done.total / 10) + (ledger->state == SWEEP_CANCELLED);
    cr_assert(there == acknowledged || there == acknowledged + 1, "%s at call %u: %d acknowledged, %d there", fault, at,
              acknowledged, there);
    if (ledger != NULL) cr_assert_eq(ledger->done.total % 10, 0, "%s at call %u", fault, at);
}

Test(journal, whatever_call_of_the_disk_fails_what_was_acknowledged_is_there)
{
    struct bench *bench = open_bench();
    submit(bench, population); /* for its bytes */
    stop(bench);
    vfs_install();
    for (size_t row = 0; row < 2 * VFS_FAULTS; row++) {
        const bool lasting = row % 2 == 1;
        bool struck = true;
        for (unsigned at = 1; struck; at++) {
            cr_assert_lt(at, 2000);
            vfs_disarm();
            char command[96];
            snprintf(command, sizeof command, "%s/broker.db", bench->directory);
            unlink(command);
            vfs_arm(vfs_faults[row / 2].calls, vfs_faults[row / 2].code, at, lasting);
            const int acknowledged = live(bench);
            journal_close(bench->journal);
            broker_free(bench->broker);
            struck = vfs_disarm();
            cr_assert(struck || acknowledged == LIFE_COMMITS, "%s", bench->why);
            expect_commits(bench, acknowledged, vfs_faults[row / 2].name, at);
            stop(bench);
        }
    }
    start(bench);
    close_bench(bench);
}
