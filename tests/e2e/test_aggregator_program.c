/* The program goldthread-aggregator, with the test as its broker, worker and client. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block.h"
#include "digest.h"
#include "net/process.h"
#include "net/socket.h"
#include "node.h"
#include "plan.h"
#include "population.h"
#include "population_codec.h"
#include "registry.h"
#include "sweep_codec.h"
#include "table.h"

#define BLOCKS      13u
#define ROWS        40u
#define PATIENCE_MS 300000u /* for something that must happen */

extern char **environ;

struct stage {
    char folder[64], at_broker[96], at_aggregator[96], state[96];
    pid_t child;
    struct net *net;
    struct socket *broker, *peer;
    struct message *message;
    struct sweep *sweep;
    struct population *population;
    struct plan *plan;
    struct digest id, table; /* of the sweep; of its rollup.csv, folded here */
    struct buffer sweep_bytes, population_bytes, nodes[BLOCKS];
    bool complete; /* the aggregator has said so ... */
    struct digest result;
    uint64_t held;                                 /* ... and holds so many blocks */
    uint64_t store_commits, commits_when_complete; /* that its store was told to have, when last told */
    size_t fetches, hellos, beats;
};

/* ---- the sweep, and what should come of it ---- */

static void fill_parameters(struct sweep *sweep, const struct model *model)
{
    sweep->parameter_count = (uint32_t)model->parameter_count;
    for (size_t at = 0; at < model->parameter_count; at++) {
        struct sweep_parameter *parameter = &sweep->parameters[at];
        snprintf(parameter->name, sizeof parameter->name, "%s", model->parameters[at].name);
        parameter->central = model->parameters[at].central;
        parameter->distribution = model->parameters[at].distribution;
    }
}

static void make_sweep(struct stage *stage)
{
    const struct model *model = model_find("entitlement");
    struct sweep *sweep = stage->sweep = calloc(1, sizeof *sweep);
    char why[256] = "";
    stage->population = population_built_in();
    stage->population->count = ROWS; /* not the built-in one, so it has to be fetched */
    population_encode(stage->population, &stage->population_bytes);
    snprintf(sweep->name, sizeof sweep->name, "few");
    snprintf(sweep->model, sizeof sweep->model, "%s", model->name);
    snprintf(sweep->model_version, sizeof sweep->model_version, "%s", model->version);
    snprintf(sweep->population_name, sizeof sweep->population_name, "forty cells");
    sweep->population = population_identity(stage->population);
    sweep->years = 3;
    sweep->first_year = 202526;
    sweep->method = DESIGN_RANDOM;
    sweep->draws = 1;
    sweep->levels = 1u << AREA_ENGLAND;
    sweep->quantile_count = 1;
    sweep->quantiles[0] = 0.5;
    sweep->scenario_count = 1;
    snprintf(sweep->scenarios[0].name, sizeof sweep->scenarios[0].name, "base");
    fill_parameters(sweep, model);
    sweep->draws = 2; /* a single draw has a plan of its own kind */
    plan_free(plan_new(sweep, stage->population, model, why, sizeof why));
    sweep->draws = BLOCKS * sweep->draws_per_block - 7; /* the last block is shorter */
    stage->plan = plan_new(sweep, stage->population, model, why, sizeof why);
    cr_assert_not_null(stage->plan, "%s", why);
    sweep_encode(sweep, &stage->sweep_bytes);
    stage->id = sweep_identity(sweep);
}

static void make_nodes(struct stage *stage)
{
    char why[256] = "";
    struct node *nodes[BLOCKS];
    struct buffer csv = {0};
    struct block_runner *runner = block_runner_new(stage->plan, why, sizeof why);
    cr_assert_not_null(runner, "%s", why);
    for (uint64_t block = 0; block < BLOCKS; block++) {
        nodes[block] = block_run(runner, block);
        node_encode(nodes[block], &stage->nodes[block]);
    }
    struct node *root = node_fold(nodes, BLOCKS);
    cr_assert(root && table_csv(stage->plan, root, &csv));
    stage->table = digest_of(buffer_span(&csv));
    buffer_free(&csv);
    node_free(root);
    for (size_t block = 0; block < BLOCKS; block++) node_free(nodes[block]);
    block_runner_free(runner);
}

/* ---- the program ---- */

static void start(struct stage *stage)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    char *arguments[] = {GOLDTHREAD_BIN "/goldthread-aggregator",
                         "--bind",
                         stage->at_aggregator,
                         "--broker",
                         stage->at_broker,
                         "--state",
                         stage->state,
                         "--follow-parent",
                         pid,
                         NULL};
    cr_assert_eq(posix_spawn(&stage->child, arguments[0], NULL, NULL, arguments, environ), 0, "%s", arguments[0]);
}

/* A new socket as well: the old one could take a message for the process that is gone. */
static int stop(struct stage *stage, int signal)
{
    int status;
    char why[256];
    kill(stage->child, signal);
    cr_assert_eq(waitpid(stage->child, &status, 0), stage->child);
    stage->child = 0;
    socket_close(stage->peer);
    stage->peer = socket_connect(stage->net, stage->at_aggregator, why, sizeof why);
    cr_assert_not_null(stage->peer, "%s", why);
    return status;
}

static struct stage *set_up(void)
{
    char why[256] = "";
    struct stage *stage = calloc(1, sizeof *stage);
    snprintf(stage->folder, sizeof stage->folder, "/tmp/goldthread-agg-XXXXXX");
    cr_assert_not_null(mkdtemp(stage->folder));
    snprintf(stage->at_broker, sizeof stage->at_broker, "ipc://%s/broker", stage->folder);
    snprintf(stage->at_aggregator, sizeof stage->at_aggregator, "ipc://%s/aggregator", stage->folder);
    snprintf(stage->state, sizeof stage->state, "%s/state", stage->folder);
    stage->message = calloc(1, sizeof *stage->message);
    stage->net = net_open();
    stage->broker = socket_bind(stage->net, stage->at_broker, NULL, 0, why, sizeof why);
    cr_assert_not_null(stage->broker, "%s", why);
    stage->peer = socket_connect(stage->net, stage->at_aggregator, why, sizeof why);
    cr_assert_not_null(stage->peer, "%s", why);
    make_sweep(stage);
    make_nodes(stage);
    return stage;
}

static bool exists(const struct stage *stage, const char *name)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", stage->folder, name);
    return access(path, F_OK) == 0;
}

static void remove_files(const struct stage *stage)
{
    static const char *const names[] = {
        "state/aggregator.db", "state/aggregator.db-wal", "state/aggregator.db-shm", "state/lock", "state", "broker",
        "aggregator"};
    char path[192];
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        snprintf(path, sizeof path, "%s/%s", stage->folder, names[at]);
        remove(path);
    }
    rmdir(stage->folder);
}

static void tear_down(struct stage *stage)
{
    if (stage->child) stop(stage, SIGKILL);
    socket_close(stage->peer);
    socket_close(stage->broker);
    net_close(stage->net);
    remove_files(stage);
    for (size_t block = 0; block < BLOCKS; block++) buffer_free(&stage->nodes[block]);
    buffer_free(&stage->sweep_bytes);
    buffer_free(&stage->population_bytes);
    plan_free(stage->plan);
    population_free(stage->population);
    free(stage->sweep);
    free(stage->message);
    free(stage);
}

/* ---- the test as the broker ---- */

static void give_item(struct stage *stage, const struct socket_id *to)
{
    enum message_item item = stage->message->fetch.item;
    struct digest digest = stage->message->fetch.digest;
    const struct buffer *bytes = item == ITEM_SWEEP ? &stage->sweep_bytes : &stage->population_bytes;
    stage->fetches++;
    *stage->message =
        (struct message){.kind = MESSAGE_ITEM, .item = {.item = item, .digest = digest, .bytes = buffer_span(bytes)}};
    socket_send(stage->broker, to, stage->message);
}

static void greet(struct stage *stage, const struct socket_id *to, bool names_sweeps)
{
    *stage->message = (struct message){.kind = MESSAGE_WELCOME, .welcome = {.heartbeat_ms = 100, .lease_ms = 5000}};
    socket_send(stage->broker, to, stage->message);
    if (!names_sweeps) return;
    *stage->message = (struct message){.kind = MESSAGE_WANTED, .wanted = {.count = 1, .sweeps = {stage->id}}};
    socket_send(stage->broker, to, stage->message);
}

static void note_held(struct stage *stage)
{
    if (!stage->complete) stage->commits_when_complete = stage->store_commits;
    stage->complete = stage->message->held.complete;
    stage->result = stage->message->held.result;
    stage->held = 0;
    for (uint32_t at = 0; at < stage->message->held.count; at++) stage->held += stage->message->held.ranges[at].count;
}

static void serve_as_broker(struct stage *stage)
{
    struct socket_id from;
    const char *why;
    while (socket_receive(stage->broker, &from, stage->message, &why) == SOCKET_OK) {
        switch (stage->message->kind) {
        case MESSAGE_HELLO:
            stage->hellos++;
            greet(stage, &from, true);
            break;
        case MESSAGE_HEARTBEAT:
            stage->beats++;
            greet(stage, &from, false);
            break;
        case MESSAGE_FETCH:
            give_item(stage, &from);
            break;
        case MESSAGE_HELD:
            note_held(stage);
            break;
        case MESSAGE_STORE:
            stage->store_commits = stage->message->store.commits;
            break;
        default:
            break;
        }
    }
}

/* ---- the test as a peer ---- */

/* The aggregator's next answer to the peer; a broker's duties are done meanwhile. */
static enum message_kind next_answer(struct stage *stage, uint64_t patience_ms)
{
    struct socket *sockets[] = {stage->broker, stage->peer};
    uint64_t end_ms = clock_ms() + patience_ms;
    const char *why;
    while (clock_ms() < end_ms) {
        serve_as_broker(stage);
        enum socket_result result = socket_receive(stage->peer, NULL, stage->message, &why);
        if (result == SOCKET_OK) return stage->message->kind;
        socket_wait(sockets, 2, -1, 10);
    }
    return MESSAGE_KIND_END;
}

/* Sends until the connection is up, and answers what came back. */
static enum message_kind ask(struct stage *stage, const struct message *question)
{
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    while (socket_send(stage->peer, NULL, question) != SOCKET_OK && clock_ms() < end_ms) next_answer(stage, 5);
    return next_answer(stage, PATIENCE_MS);
}

static enum message_outcome send_node(struct stage *stage, uint32_t level, uint64_t index, struct span node)
{
    const struct message partial = {.kind = MESSAGE_PARTIAL,
                                    .partial = {.sweep = stage->id, .level = level, .index = index, .node = node}};
    for (const uint64_t end_ms = clock_ms() + PATIENCE_MS; clock_ms() < end_ms;) {
        cr_assert_eq(ask(stage, &partial), MESSAGE_FOLDED, "no answer to %u/%lu", level, (unsigned long)index);
        if (stage->message->folded.outcome != FOLD_UNKNOWN_SWEEP) return stage->message->folded.outcome;
        next_answer(stage, 5);
    }
    return FOLD_UNKNOWN_SWEEP;
}

static enum message_outcome send_block(struct stage *stage, uint64_t block)
{
    return send_node(stage, 0, block, buffer_span(&stage->nodes[block]));
}

static void ask_result(struct stage *stage)
{
    const struct message question = {.kind = MESSAGE_RESULT, .result = {.sweep = stage->id}};
    cr_assert_eq(ask(stage, &question), MESSAGE_OUTCOME);
}

static void wait_until_complete(struct stage *stage)
{
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    while (!stage->complete && clock_ms() < end_ms) next_answer(stage, 10);
    cr_assert(stage->complete);
    cr_assert(digest_equal(&stage->result, &stage->table), "another digest than that of the fold made here");
}

static void expect_root(struct stage *stage)
{
    const char *why = NULL;
    struct buffer csv = {0};
    ask_result(stage);
    cr_assert(stage->message->outcome.complete);
    cr_assert_eq(stage->message->outcome.blocks, BLOCKS);
    cr_assert_eq(stage->message->outcome.draws, stage->sweep->draws);
    struct node *root = node_decode(stage->message->outcome.node, &stage->plan->shape, &why);
    cr_assert_not_null(root, "%s", why);
    cr_assert(table_csv(stage->plan, root, &csv));
    struct digest digest = digest_of(buffer_span(&csv));
    cr_assert(digest_equal(&digest, &stage->table));
    buffer_free(&csv);
    node_free(root);
}

/* ---- tests ---- */

Test(aggregator_program, folds_a_sweep_that_it_fetched_and_reports_the_digest)
{
    struct stage *stage = set_up();
    start(stage);
    for (uint64_t at = 0; at < BLOCKS; at++) cr_assert_eq(send_block(stage, (at * 5) % BLOCKS), FOLD_NEW);
    wait_until_complete(stage);
    expect_root(stage);
    cr_assert_geq(stage->fetches, 2, "the sweep and its population; again when this test is slow to answer");
    int status = stop(stage, SIGTERM);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_assert_not(exists(stage, "aggregator"), "a socket file is left");
    tear_down(stage);
}

Test(aggregator_program, a_kill_at_any_moment_changes_nothing)
{
    struct stage *stage = set_up();
    start(stage);
    for (uint64_t block = 0; block < BLOCKS; block++) {
        cr_assert_eq(send_block(stage, block), FOLD_NEW);
        stop(stage, SIGKILL);
        stage->held = 0;
        start(stage);
        cr_assert_eq(send_block(stage, block), FOLD_DUPLICATE, "block %lu was acknowledged", (unsigned long)block);
    }
    wait_until_complete(stage);
    stop(stage, SIGKILL);
    stage->complete = false;
    start(stage);
    wait_until_complete(stage);
    expect_root(stage);
    tear_down(stage);
}

/* How often the store was committed; the program is not running. */
static uint64_t count_commits(const struct stage *stage)
{
    char path[192];
    sqlite3 *db;
    sqlite3_stmt *query;
    snprintf(path, sizeof path, "%s/aggregator.db", stage->state);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, "SELECT commits FROM counter", -1, &query, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(query), SQLITE_ROW);
    const uint64_t commits = (uint64_t)sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(db);
    return commits;
}

/* A store that lost the commit which finished a sweep must count less than the broker was told. */
Test(aggregator_program, says_how_far_its_store_is_before_it_calls_a_sweep_complete)
{
    struct stage *stage = set_up();
    start(stage);
    for (uint64_t block = 0; block < BLOCKS; block++) cr_assert_eq(send_block(stage, block), FOLD_NEW);
    wait_until_complete(stage);
    stop(stage, SIGKILL);
    cr_assert_gt(stage->commits_when_complete, 0);
    cr_assert_eq(stage->commits_when_complete, count_commits(stage));
    tear_down(stage);
}

/* Flips the bytes of every node of this level on disk; the program is not running. */
static void damage_level(const struct stage *stage, int level)
{
    char path[192], sql[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/aggregator.db", stage->state);
    snprintf(sql, sizeof sql, "UPDATE node SET bytes = zeroblob(length(bytes)) WHERE level = %d", level);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_changes(db), 1);
    sqlite3_close(db);
}

static void send_missing_blocks(struct stage *stage, uint64_t first, uint64_t count)
{
    for (uint64_t block = 0; block < BLOCKS; block++) {
        bool missing = block >= first && block < first + count;
        cr_assert_eq(send_block(stage, block), missing ? FOLD_NEW : FOLD_DUPLICATE, "block %lu", (unsigned long)block);
    }
}

Test(aggregator_program, blocks_in_a_damaged_node_are_done_again_and_give_the_same_digest)
{
    struct stage *stage = set_up();
    start(stage);
    for (uint64_t block = 0; block < BLOCKS - 1; block++) cr_assert_eq(send_block(stage, block), FOLD_NEW);
    stop(stage, SIGKILL);
    damage_level(stage, 2); /* blocks 8 to 11 of a sweep that is under way: found at the start */
    start(stage);
    send_missing_blocks(stage, 8, 5);
    wait_until_complete(stage);

    stop(stage, SIGTERM);
    damage_level(stage, 3); /* blocks 0 to 7 of one that is finished: found when they are read */
    stage->complete = false;
    start(stage);
    const struct message question = {.kind = MESSAGE_RESULT, .result = {.sweep = stage->id}};
    cr_assert_eq(ask(stage, &question), MESSAGE_ERROR);
    cr_assert_eq(stage->message->error.code, ERROR_STORE);
    send_missing_blocks(stage, 0, 8);
    stage->complete = false;
    wait_until_complete(stage);
    expect_root(stage);
    tear_down(stage);
}

Test(aggregator_program, serves_an_estimate_before_the_end)
{
    struct stage *stage = set_up();
    start(stage);
    const struct message question = {.kind = MESSAGE_RESULT, .result = {.sweep = stage->id}};
    while (ask(stage, &question) == MESSAGE_ERROR)
        cr_assert_eq(stage->message->error.code, ERROR_UNKNOWN, "before the sweep is fetched");
    cr_assert_eq(stage->message->outcome.node.size, 0, "nothing is folded");
    cr_assert_eq(send_block(stage, 3), FOLD_NEW);
    cr_assert_eq(send_block(stage, 12), FOLD_NEW);
    ask_result(stage);
    cr_assert_not(stage->message->outcome.complete);
    cr_assert_eq(stage->message->outcome.blocks, 2);
    cr_assert_eq(stage->message->outcome.draws, 2 * stage->sweep->draws_per_block - 7);
    cr_assert_gt(stage->message->outcome.node.size, 0);
    tear_down(stage);
}

Test(aggregator_program, refuses_payloads_that_are_not_the_node_they_pass_for)
{
    struct stage *stage = set_up();
    start(stage);
    struct buffer short_one = {0};
    buffer_append(&short_one, stage->nodes[2].data, stage->nodes[2].size - 1);
    const struct {
        const char *name;
        uint64_t index;
        struct span node;
    } rows[] = {
        {"another block's", 1, buffer_span(&stage->nodes[2])},
        {"cut short", 2, buffer_span(&short_one)},
        {"empty", 2, {(const uint8_t *)"", 0}},
        {"no node", 2, {(const uint8_t *)"\xdd\xff\xff\xff\xff", 5}},
        {"the short last block for a whole one", 11, buffer_span(&stage->nodes[12])},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        cr_assert_eq(send_node(stage, 0, rows[at].index, rows[at].node), FOLD_REFUSED, "%s", rows[at].name);
        cr_assert_neq(stage->message->folded.text[0], '\0', "%s: no reason", rows[at].name);
    }
    cr_assert_eq(send_block(stage, 2), FOLD_NEW);
    buffer_free(&short_one);
    tear_down(stage);
}

/* Waits as a broker that says nothing for what the aggregator says: who could be answered. */
static struct socket_id hear_silently(struct stage *stage, enum message_kind kind)
{
    const char *why;
    struct socket_id from;
    for (const uint64_t end_ms = clock_ms() + PATIENCE_MS;;) {
        cr_assert_lt(clock_ms(), end_ms, "no %s", message_kind_name(kind));
        while (socket_receive(stage->broker, &from, stage->message, &why) == SOCKET_OK)
            if (stage->message->kind == kind) return from;
        socket_wait(&stage->broker, 1, -1, 100);
    }
}

Test(aggregator_program, registers_again_with_a_broker_that_was_silent)
{
    struct stage *stage = set_up();
    start(stage);
    cr_assert_eq(send_block(stage, 0), FOLD_NEW);
    hear_silently(stage, MESSAGE_HEARTBEAT); /* registered it is, ... */
    hear_silently(stage, MESSAGE_HELLO);     /* ... until nobody answers it */
    cr_assert_eq(send_block(stage, 1), FOLD_NEW);
    tear_down(stage);
}

/* Runs the program with these arguments until it ends; -1 if a signal ended it. */
static int status_of(char **arguments)
{
    pid_t child;
    int status;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    cr_assert_eq(posix_spawn(&child, arguments[0], &quiet, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&quiet);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(aggregator_program, wrong_usage_is_2_and_a_store_in_use_is_1)
{
    struct stage *stage = set_up();
    char *program = GOLDTHREAD_BIN "/goldthread-aggregator";
    const struct {
        int status;
        char *arguments[8];
    } rows[] = {
        {0, {program, "--version"}},
        {0, {program, "--help"}},
        {2, {program}},
        {2, {program, "--state"}},
        {2, {program, "--state", stage->state, "--bind", "nowhere"}},
        {2, {program, "--state", stage->state, "--follow-parent", "me"}},
        {2, {program, "--state", stage->state, "stray"}},
        {2, {program, "--frobnicate"}},
        {2, {program, "--config", "/nonexistent"}},
        {1, {program, "--state", "/dev/null/state"}},
        {1, {program, "--state", stage->state, "--bind", "ipc:///nonexistent/folder/socket"}},
        {1, {program, "--state", stage->state, "--follow-parent", "1"}},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++)
        cr_assert_eq(status_of((char **)rows[at].arguments), rows[at].status, "row %zu", at);
    start(stage);
    cr_assert_eq(send_block(stage, 0), FOLD_NEW);
    char *second[] = {program, "--state", stage->state, "--bind", "tcp://127.0.0.1:*", NULL};
    cr_assert_eq(status_of(second), 1);
    tear_down(stage);
}

/* ---- what takes long ---- */

static void pass(uint64_t milliseconds)
{
    const uint64_t end_ms = clock_ms() + milliseconds;
    while (clock_ms() < end_ms) usleep(1000);
}

/* Somebody else has the database, as one does who copies it, while the broker answers what it was asked before. */
Test(aggregator_program, a_commit_of_more_than_three_heartbeats_is_no_silence_of_the_broker)
{
    char path[192];
    sqlite3 *database = NULL;
    struct stage *stage = set_up();
    start(stage);
    cr_assert_eq(send_block(stage, 0), FOLD_NEW);
    snprintf(path, sizeof path, "%s/aggregator.db", stage->state);
    cr_assert_eq(sqlite3_open(path, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    const struct socket_id from = hear_silently(stage, MESSAGE_HEARTBEAT);
    *stage->message = (struct message){
        .kind = MESSAGE_PARTIAL, .partial = {.sweep = stage->id, .index = 1, .node = buffer_span(&stage->nodes[1])}};
    cr_assert_eq(socket_send(stage->peer, NULL, stage->message), SOCKET_OK);
    pass(50); /* by now it waits for the database */
    greet(stage, &from, false);
    pass(500);
    sqlite3_close(database);
    const size_t hellos = stage->hellos, beats = stage->beats;
    cr_assert_eq(next_answer(stage, PATIENCE_MS), MESSAGE_FOLDED);
    for (const uint64_t end_ms = clock_ms() + PATIENCE_MS; stage->beats < beats + 2 && clock_ms() < end_ms;)
        next_answer(stage, 10);
    cr_expect_geq(stage->beats, beats + 2);
    cr_expect_eq(stage->hellos, hellos, "it took its own commit for the broker's silence");
    tear_down(stage);
}
