#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "sweep_codec.h"

/* A session with a clock, and what its last step wanted done. */
struct bench {
    struct session *session;
    uint64_t now_ms;
    struct session_effects effects;
    struct message message; /* scratch */
    struct buffer sweep;
    struct digest id;
};

static struct bench *open_bench(const char *aggregator)
{
    struct bench *bench = calloc(1, sizeof *bench);
    const struct session_setup setup = {
        .name = "w1", .program = "test", .instance = 5, .built_in_population = {{9}}, .aggregator = aggregator};
    bench->session = session_new(&setup);
    bench->now_ms = 1000;
    cr_assert_not_null(bench->session);
    return bench;
}

static void close_bench(struct bench *bench)
{
    session_free(bench->session);
    buffer_free(&bench->sweep);
    free(bench);
}

static void step(struct bench *bench, struct session_event event)
{
    event.now_ms = bench->now_ms;
    session_step(bench->session, &event, &bench->effects);
}

static void tick(struct bench *bench, uint64_t ms)
{
    bench->now_ms += ms;
    step(bench, (struct session_event){.kind = SESSION_TICK});
}

static void deliver(struct bench *bench, enum session_peer peer)
{
    step(bench, (struct session_event){.kind = SESSION_MESSAGE, .peer = peer, .message = &bench->message});
}

static const struct session_effect *find(const struct bench *bench, enum session_effect_kind kind)
{
    for (size_t at = 0; at < bench->effects.count; at++)
        if (bench->effects.list[at].kind == kind) return &bench->effects.list[at];
    return NULL;
}

static const struct session_effect *find_send(const struct bench *bench, enum message_kind kind)
{
    for (size_t at = 0; at < bench->effects.count; at++)
        if (bench->effects.list[at].kind == SESSION_SEND && bench->effects.list[at].message == kind)
            return &bench->effects.list[at];
    return NULL;
}

static void welcome(struct bench *bench, const char *aggregator)
{
    bench->message.kind = MESSAGE_WELCOME;
    bench->message.welcome.heartbeat_ms = 500;
    bench->message.welcome.lease_ms = 5000;
    strcpy(bench->message.welcome.aggregator, aggregator);
    deliver(bench, SESSION_BROKER);
}

static struct bench *open_registered(void)
{
    struct bench *bench = open_bench(NULL);
    tick(bench, 0);
    welcome(bench, "ipc:///a");
    return bench;
}

static void make_ruled_sweep(struct bench *bench, uint64_t blocks, uint8_t population, uint32_t draws_per_block,
                             enum stop_kind rule)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    strcpy(sweep->name, "s");
    strcpy(sweep->model, "entitlement");
    strcpy(sweep->model_version, "1");
    strcpy(sweep->population_name, "england-2023");
    sweep->population.bytes[0] = population;
    sweep->years = 1;
    sweep->first_year = 202526;
    sweep->method = DESIGN_RANDOM;
    sweep->draws = blocks * draws_per_block;
    sweep->draws_per_block = draws_per_block;
    sweep->stop =
        (struct sweep_stop){.kind = rule, .measure = "m", .area_code = "E92000001", .half_width = 1, .confidence = 0.5};
    sweep->levels = 1u << AREA_ENGLAND;
    sweep->parameter_count = 1;
    strcpy(sweep->parameters[0].name, "p");
    sweep->scenario_count = 1;
    strcpy(sweep->scenarios[0].name, "base");
    sweep_encode(sweep, &bench->sweep);
    bench->id = sweep_identity(sweep);
    free(sweep);
}

static void make_sweep(struct bench *bench, uint64_t blocks, uint8_t population)
{
    make_ruled_sweep(bench, blocks, population, 1, STOP_NEVER);
}

static void lease(struct bench *bench, uint64_t token, uint64_t first, uint64_t count)
{
    bench->message.kind = MESSAGE_LEASE;
    bench->message.lease.token = token;
    bench->message.lease.sweep = bench->id;
    bench->message.lease.blocks = (struct block_range){first, count};
    deliver(bench, SESSION_BROKER);
}

static void give_sweep(struct bench *bench)
{
    bench->message.kind = MESSAGE_ITEM;
    bench->message.item.item = ITEM_SWEEP;
    bench->message.item.digest = bench->id;
    bench->message.item.bytes = buffer_span(&bench->sweep);
    deliver(bench, SESSION_BROKER);
}

/* Registered, with one lease that is being computed. */
static struct bench *open_computing(uint64_t count)
{
    struct bench *bench = open_registered();
    make_sweep(bench, 1000, 9);
    lease(bench, 77, 0, count);
    give_sweep(bench);
    return bench;
}

static void computed(struct bench *bench, uint32_t slot, uint64_t bytes, const char *failure, uint64_t failed_block)
{
    struct session_event event = {.kind = SESSION_COMPUTED, .slot = slot};
    event.computed.bytes = bytes;
    event.computed.compute_us = 1000;
    event.computed.failure = failure;
    event.computed.failed_block = failed_block;
    step(bench, event);
}

static void folded(struct bench *bench, uint32_t level, uint64_t index, enum message_outcome outcome)
{
    bench->message.kind = MESSAGE_FOLDED;
    bench->message.folded.sweep = bench->id;
    bench->message.folded.level = level;
    bench->message.folded.index = index;
    bench->message.folded.outcome = outcome;
    strcpy(bench->message.folded.text, "because");
    deliver(bench, SESSION_AGGREGATOR);
}

Test(session, it_says_hello_and_then_what_it_holds)
{
    struct bench *bench = open_bench(NULL);
    tick(bench, 0);
    const struct session_effect *hello = find_send(bench, MESSAGE_HELLO);
    cr_assert_not_null(hello);
    session_compose(bench->session, hello, &bench->message);
    cr_assert_eq(bench->message.hello.role, ROLE_WORKER);
    cr_assert_str_eq(bench->message.hello.name, "w1");
    cr_assert_eq(bench->message.hello.instance, 5);
    welcome(bench, "ipc:///a");
    cr_assert_not_null(find(bench, SESSION_CONNECT));
    cr_assert_str_eq(session_aggregator(bench->session), "ipc:///a");
    const struct session_effect *beat = find_send(bench, MESSAGE_HEARTBEAT);
    cr_assert_not_null(beat);
    session_compose(bench->session, beat, &bench->message);
    cr_assert_eq(bench->message.heartbeat.room, 2);
    cr_assert_eq(bench->message.heartbeat.token_count, 0);
    close_bench(bench);
}

Test(session, a_hello_that_did_not_go_out_is_said_when_it_can_be)
{
    struct bench *bench = open_bench(NULL);
    tick(bench, 0);
    const struct session_effect hello = *find_send(bench, MESSAGE_HELLO);
    step(bench, (struct session_event){.kind = SESSION_UNSENT, .unsent = &hello});
    cr_assert_eq(session_next_due_ms(bench->session), UINT64_MAX, "nothing to do before the broker is there");
    step(bench, (struct session_event){.kind = SESSION_WRITABLE, .peer = SESSION_BROKER});
    cr_assert_not_null(find_send(bench, MESSAGE_HELLO));
    close_bench(bench);
}

Test(session, heartbeats_list_the_leases)
{
    struct bench *bench = open_computing(1);
    tick(bench, 499);
    cr_assert_null(find_send(bench, MESSAGE_HEARTBEAT));
    tick(bench, 1);
    session_compose(bench->session, find_send(bench, MESSAGE_HEARTBEAT), &bench->message);
    cr_assert_eq(bench->message.heartbeat.token_count, 1);
    cr_assert_eq(bench->message.heartbeat.tokens[0], 77);
    cr_assert_eq(bench->message.heartbeat.room, 1);
    close_bench(bench);
}

Test(session, a_silent_broker_gets_a_new_connection_and_the_work_goes_on)
{
    struct bench *bench = open_computing(1);
    for (int beat = 0; beat < 2; beat++) {
        tick(bench, 500);
        cr_assert_null(find(bench, SESSION_RECONNECT), "beat %d", beat);
    }
    tick(bench, 500);
    cr_assert_not_null(find(bench, SESSION_RECONNECT));
    cr_assert_not_null(find_send(bench, MESSAGE_HELLO));
    cr_assert_null(find(bench, SESSION_ABORT));
    cr_assert_eq(session_lease_count(bench->session), 1);
    cr_assert_not(session_is_registered(bench->session));
    welcome(bench, "ipc:///a");
    session_compose(bench->session, find_send(bench, MESSAGE_HEARTBEAT), &bench->message);
    cr_assert_eq(bench->message.heartbeat.tokens[0], 77);
    close_bench(bench);
}

Test(session, a_stranger_says_hello_once)
{
    struct bench *bench = open_registered();
    bench->message.kind = MESSAGE_STRANGER;
    deliver(bench, SESSION_BROKER);
    cr_assert_not_null(find_send(bench, MESSAGE_HELLO));
    bench->message.kind = MESSAGE_STRANGER;
    deliver(bench, SESSION_BROKER);
    cr_assert_null(find_send(bench, MESSAGE_HELLO));
    close_bench(bench);
}

Test(session, a_hello_that_is_refused_is_said_again_over_the_same_connection)
{
    struct bench *bench = open_bench(NULL);
    tick(bench, 0);
    cr_assert_not_null(find_send(bench, MESSAGE_HELLO));
    for (int round = 0; round < 3; round++) {
        bench->message.kind = MESSAGE_ERROR;
        bench->message.error.code = ERROR_REFUSED;
        strcpy(bench->message.error.text, "another worker has this name");
        deliver(bench, SESSION_BROKER);
        tick(bench, SESSION_SILENCE * SESSION_HEARTBEAT_MS - 1);
        cr_assert_null(find_send(bench, MESSAGE_HELLO), "round %d", round);
        tick(bench, 1);
        cr_assert_not_null(find_send(bench, MESSAGE_HELLO), "round %d", round);
        cr_assert_null(find(bench, SESSION_RECONNECT), "round %d: the broker was not silent", round);
    }
    tick(bench, SESSION_SILENCE * SESSION_HEARTBEAT_MS);
    cr_assert_not_null(find(bench, SESSION_RECONNECT), "now it is");
    welcome(bench, "ipc:///a");
    cr_assert(session_is_registered(bench->session));
    close_bench(bench);
}

Test(session, a_sweep_and_its_population_are_fetched_once_and_then_computed)
{
    static const uint8_t bytes[] = "population";
    struct bench *bench = open_registered();
    make_sweep(bench, 1000, 1);
    struct sweep *sweep = calloc(1, sizeof *sweep);
    const char *why;
    cr_assert(sweep_decode(buffer_span(&bench->sweep), sweep, &why));
    sweep->population = digest_of((struct span){bytes, sizeof bytes});
    buffer_clear(&bench->sweep);
    sweep_encode(sweep, &bench->sweep);
    bench->id = sweep_identity(sweep);

    lease(bench, 77, 0, 1);
    cr_assert_eq(find_send(bench, MESSAGE_FETCH)->item, ITEM_SWEEP);
    lease(bench, 78, 1, 1);
    cr_assert_null(find_send(bench, MESSAGE_FETCH));
    give_sweep(bench);
    cr_assert_not_null(find(bench, SESSION_LOAD_SWEEP));
    cr_assert_eq(find_send(bench, MESSAGE_FETCH)->item, ITEM_POPULATION);
    cr_assert(digest_equal(&find_send(bench, MESSAGE_FETCH)->digest, &sweep->population));
    cr_assert_null(find(bench, SESSION_COMPUTE));
    bench->message.kind = MESSAGE_ITEM;
    bench->message.item.item = ITEM_POPULATION;
    bench->message.item.digest = sweep->population;
    bench->message.item.bytes = (struct span){bytes, sizeof bytes};
    deliver(bench, SESSION_BROKER);
    cr_assert_not_null(find(bench, SESSION_LOAD_POPULATION));
    cr_assert_not_null(find(bench, SESSION_COMPUTE));
    free(sweep);
    close_bench(bench);
}

Test(session, bytes_of_another_digest_are_not_taken)
{
    struct bench *bench = open_registered();
    make_sweep(bench, 1000, 9);
    lease(bench, 77, 0, 1);
    bench->sweep.data[bench->sweep.size / 2] ^= 1;
    give_sweep(bench);
    cr_assert_null(find(bench, SESSION_LOAD_SWEEP));
    tick(bench, SESSION_FETCH_MS / 2);
    welcome(bench, "ipc:///a");
    tick(bench, SESSION_FETCH_MS / 2);
    cr_assert_not_null(find_send(bench, MESSAGE_FETCH), "asked for again");
    close_bench(bench);
}

Test(session, a_sweep_that_cannot_be_had_fails_its_leases)
{
    struct bench *bench = open_registered();
    make_sweep(bench, 1000, 9);
    lease(bench, 77, 0, 4);
    bench->message.kind = MESSAGE_ERROR;
    bench->message.error.code = ERROR_UNKNOWN;
    strcpy(bench->message.error.text, "no such sweep");
    deliver(bench, SESSION_BROKER);
    const struct session_effect *failure = find_send(bench, MESSAGE_FAILED);
    cr_assert_not_null(failure);
    cr_assert_eq(failure->token, 77);
    cr_assert_eq(failure->cause, CAUSE_ERROR);
    cr_assert_str_eq(failure->text, "no such sweep");
    cr_assert_eq(session_lease_count(bench->session), 0);
    close_bench(bench);
}

Test(session, what_was_asked_of_another_connection_is_asked_again_at_once)
{
    struct bench *bench = open_registered();
    make_sweep(bench, 10, 9);
    lease(bench, 77, 0, 1);
    cr_assert_not_null(find_send(bench, MESSAGE_FETCH));
    bench->message.kind = MESSAGE_STRANGER;
    deliver(bench, SESSION_BROKER);
    welcome(bench, "ipc:///a");
    cr_assert_not_null(find_send(bench, MESSAGE_FETCH));
    close_bench(bench);
}

Test(session, a_question_that_cannot_be_asked_again_yet_wakes_nobody)
{
    struct bench *bench = open_registered();
    make_sweep(bench, 10, 9);
    lease(bench, 77, 0, 1);
    const uint64_t asked_ms = bench->now_ms;
    bench->message.kind = MESSAGE_STRANGER;
    tick(bench, SESSION_FETCH_MS - 1);
    deliver(bench, SESSION_BROKER);
    tick(bench, 1);
    cr_assert_eq(bench->now_ms, asked_ms + SESSION_FETCH_MS);
    cr_assert_gt(session_next_due_ms(bench->session), bench->now_ms, "it would turn in circles until a WELCOME");
    close_bench(bench);
}

Test(session, a_lease_that_comes_twice_is_one)
{
    struct bench *bench = open_computing(1);
    lease(bench, 77, 0, 1);
    cr_assert_eq(session_lease_count(bench->session), 1);
    close_bench(bench);
}

Test(session, blocks_are_reported_only_after_they_are_folded)
{
    struct bench *bench = open_computing(1);
    const struct session_effect job = *find(bench, SESSION_COMPUTE);
    computed(bench, job.slot, 1000, NULL, 0);
    const struct session_effect *part = find(bench, SESSION_SEND_PART);
    cr_assert_not_null(part);
    cr_assert(part->level == 0 && part->index == 0);
    cr_assert_null(find_send(bench, MESSAGE_DONE));
    folded(bench, 0, 0, FOLD_NEW);
    const struct session_effect *done = find_send(bench, MESSAGE_DONE);
    cr_assert_not_null(done);
    cr_assert_eq(done->token, 77);
    cr_assert(done->blocks.first == 0 && done->blocks.count == 1);
    cr_assert_eq(done->compute_us, 1000);
    cr_assert_not_null(find(bench, SESSION_DROP));
    cr_assert_eq(session_lease_count(bench->session), 0);
    folded(bench, 0, 0, FOLD_DUPLICATE);
    cr_assert_eq(bench->effects.count, 0, "a second answer says nothing new");
    close_bench(bench);
}

Test(session, answers_lead_to_what_they_ask_for)
{
    const struct {
        enum message_outcome outcome;
        enum message_kind report;
        enum message_cause cause;
    } rows[] = {
        {FOLD_DUPLICATE, MESSAGE_DONE, 0},
        {FOLD_OVERLAP, MESSAGE_FAILED, CAUSE_OVERLAP},
        {FOLD_REFUSED, MESSAGE_FAILED, CAUSE_ERROR},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench *bench = open_computing(1);
        computed(bench, find(bench, SESSION_COMPUTE)->slot, 1000, NULL, 0);
        folded(bench, 0, 0, rows[row].outcome);
        const struct session_effect *report = find_send(bench, rows[row].report);
        cr_assert_not_null(report, "row %zu", row);
        if (rows[row].report == MESSAGE_FAILED) cr_assert_eq(report->cause, rows[row].cause, "row %zu", row);
        cr_assert_eq(session_lease_count(bench->session), 0, "row %zu", row);
        close_bench(bench);
    }
}

Test(session, an_aggregator_that_does_not_know_the_sweep_yet_is_asked_again)
{
    struct bench *bench = open_computing(1);
    computed(bench, find(bench, SESSION_COMPUTE)->slot, 1000, NULL, 0);
    folded(bench, 0, 0, FOLD_UNKNOWN_SWEEP);
    cr_assert_null(find(bench, SESSION_SEND_PART));
    cr_assert_eq(session_next_due_ms(bench->session), bench->now_ms + SESSION_UNKNOWN_MS);
    tick(bench, SESSION_UNKNOWN_MS);
    cr_assert_not_null(find(bench, SESSION_SEND_PART));
    close_bench(bench);
}

Test(session, a_part_of_a_sweep_that_everybody_has_forgotten_is_given_up)
{
    struct bench *bench = open_computing(2);
    unsigned sent = 0;
    computed(bench, find(bench, SESSION_COMPUTE)->slot, 1000, NULL, 0);
    const uint64_t from_ms = bench->now_ms;
    while (session_lease_count(bench->session) > 0) {
        folded(bench, 0, 0, FOLD_UNKNOWN_SWEEP);
        if (find_send(bench, MESSAGE_FAILED)) break;
        cr_assert_leq(bench->now_ms, from_ms + 2 * SESSION_UNKNOWN_MAX_MS, "it is sent for ever");
        uint64_t waited_ms = 0;
        do {
            tick(bench, 25);
            waited_ms += 25;
            cr_assert_leq(waited_ms, SESSION_UNKNOWN_MAX_MS, "it is not sent again");
        } while (find(bench, SESSION_SEND_PART) == NULL);
        sent++;
        welcome(bench, "ipc:///a");
    }
    const struct session_effect *failed = find_send(bench, MESSAGE_FAILED);
    cr_assert_not_null(failed);
    cr_assert_eq(failed->cause, CAUSE_SHUTDOWN, "no fault of the blocks");
    cr_assert_not_null(find(bench, SESSION_DROP));
    cr_assert_geq(bench->now_ms, from_ms + SESSION_UNKNOWN_MAX_MS);
    cr_assert_leq(sent, 40, "a part may be large");
    cr_assert_eq(session_lease_count(bench->session), 0, "there is room for other work");
    close_bench(bench);
}

Test(session, a_part_is_sent_until_it_is_answered)
{
    struct bench *bench = open_computing(1);
    computed(bench, find(bench, SESSION_COMPUTE)->slot, 1000, NULL, 0);
    uint64_t waited_ms = SESSION_RESEND_MS;
    for (int turn = 0; turn < 8; turn++) {
        welcome(bench, "ipc:///a");
        tick(bench, waited_ms - 1);
        cr_assert_null(find(bench, SESSION_SEND_PART), "turn %d", turn);
        tick(bench, 1);
        cr_assert_not_null(find(bench, SESSION_SEND_PART), "turn %d", turn);
        waited_ms = waited_ms * 2 < SESSION_RESEND_MAX_MS ? waited_ms * 2 : SESSION_RESEND_MAX_MS;
    }
    folded(bench, 0, 0, FOLD_DUPLICATE);
    cr_assert_not_null(find_send(bench, MESSAGE_DONE));
    close_bench(bench);
}

Test(session, parts_go_to_an_aggregator_that_moved)
{
    struct bench *bench = open_computing(1);
    computed(bench, find(bench, SESSION_COMPUTE)->slot, 1000, NULL, 0);
    welcome(bench, "ipc:///b");
    const struct session_effect *connect = find(bench, SESSION_CONNECT), *part = find(bench, SESSION_SEND_PART);
    cr_assert_not_null(connect);
    cr_assert_not_null(part);
    cr_assert_lt(connect, part);
    close_bench(bench);
}

Test(session, an_aggregator_that_was_given_is_kept)
{
    struct bench *bench = open_bench("ipc:///mine");
    tick(bench, 0);
    cr_assert_not_null(find(bench, SESSION_CONNECT));
    welcome(bench, "ipc:///theirs");
    cr_assert_null(find(bench, SESSION_CONNECT));
    cr_assert_str_eq(session_aggregator(bench->session), "ipc:///mine");
    close_bench(bench);
}

/* Computes a whole lease and answers each part; the parts as "level:index" in a line. */
static void list_parts(struct bench *bench, uint64_t bytes_per_block, char *list, size_t list_bytes)
{
    size_t used = 0;
    list[0] = 0;
    for (const struct session_effect *found; (found = find(bench, SESSION_COMPUTE)) != NULL;) {
        const struct session_effect job = *found;
        used += (size_t)snprintf(list + used, list_bytes - used, "%u:%lu ", job.level, job.index);
        struct session_event event = {.kind = SESSION_COMPUTED, .slot = job.slot};
        event.computed.bytes = bytes_per_block << job.level;
        event.now_ms = bench->now_ms;
        static struct session_effects kept;
        session_step(bench->session, &event, &bench->effects);
        kept = bench->effects;
        folded(bench, job.level, job.index, FOLD_NEW);
        if (find(bench, SESSION_COMPUTE) == NULL) bench->effects = kept;
    }
}

Test(session, a_lease_is_cut_into_aligned_subtrees_that_stay_small)
{
    const struct {
        uint64_t first, count, bytes_per_block;
        const char *parts;
    } rows[] = {
        {0, 8, 100, "0:0 0:1 1:1 2:1 "},         {8, 8, 100, "0:8 0:9 1:5 2:3 "},     {5, 6, 100, "0:5 1:3 1:4 0:10 "},
        {0, 8, 4 << 20, "0:0 0:1 1:1 1:2 1:3 "}, {0, 4, 9 << 20, "0:0 0:1 0:2 0:3 "},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        char list[256];
        struct bench *bench = open_registered();
        make_sweep(bench, 1000, 9);
        lease(bench, 77, rows[row].first, rows[row].count);
        give_sweep(bench);
        list_parts(bench, rows[row].bytes_per_block, list, sizeof list);
        cr_assert_str_eq(list, rows[row].parts, "row %zu", row);
        cr_assert_eq(session_lease_count(bench->session), 0, "row %zu", row);
        close_bench(bench);
    }
}

/* 128 draws a block: the rule is looked at after 4 blocks first. */
Test(session, no_part_goes_beyond_the_first_look_at_a_stop_rule)
{
    char list[256];
    struct bench *bench = open_registered();
    make_ruled_sweep(bench, 1000, 9, 128, STOP_HALF_WIDTH);
    lease(bench, 77, 16, 2);
    lease(bench, 78, 0, 16);
    give_sweep(bench);
    list_parts(bench, 100, list, sizeof list);
    cr_assert_str_eq(list, "0:16 0:17 2:0 2:1 3:1 ");
    close_bench(bench);
}

Test(session, computing_goes_on_while_parts_are_under_way_but_not_without_end)
{
    struct bench *bench = open_computing(100);
    int parts = 0;
    for (const struct session_effect *job; (job = find(bench, SESSION_COMPUTE)) != NULL; parts++)
        computed(bench, job->slot, 5 << 20, NULL, 0);
    cr_assert_eq(parts, SESSION_PARTS_MAX);
    folded(bench, 0, 2, FOLD_NEW);
    cr_assert_not_null(find(bench, SESSION_COMPUTE));
    close_bench(bench);
}

Test(session, a_block_that_fails_is_named_and_ends_its_lease)
{
    struct bench *bench = open_computing(8);
    computed(bench, find(bench, SESSION_COMPUTE)->slot, 0, "division by zero", 0);
    const struct session_effect *failure = find_send(bench, MESSAGE_FAILED);
    cr_assert_not_null(failure);
    cr_assert_eq(failure->cause, CAUSE_ERROR);
    cr_assert(failure->blocks.first == 0 && failure->blocks.count == 1);
    cr_assert_str_eq(failure->text, "division by zero");
    cr_assert_null(find(bench, SESSION_COMPUTE));
    cr_assert_eq(session_lease_count(bench->session), 0);
    close_bench(bench);
}

Test(session, a_block_that_fails_for_want_of_a_model_says_so)
{
    struct bench *bench = open_computing(8);
    struct session_event event = {.kind = SESSION_COMPUTED, .slot = find(bench, SESSION_COMPUTE)->slot};
    event.computed.failure = "no such model";
    event.computed.unfit = true;
    step(bench, event);
    const struct session_effect *failure = find_send(bench, MESSAGE_FAILED);
    cr_assert_not_null(failure);
    cr_assert_eq(failure->cause, CAUSE_UNFIT);
    cr_assert_eq(session_lease_count(bench->session), 0);
    close_bench(bench);
}

Test(session, a_cancelled_sweep_is_dropped_at_once)
{
    struct bench *bench = open_computing(8);
    const uint32_t slot = find(bench, SESSION_COMPUTE)->slot;
    bench->message.kind = MESSAGE_CANCEL;
    bench->message.cancel.sweep = bench->id;
    deliver(bench, SESSION_BROKER);
    cr_assert_not_null(find(bench, SESSION_ABORT));
    cr_assert_eq(session_lease_count(bench->session), 0);
    computed(bench, slot, 0, "aborted", 0);
    cr_assert_null(find_send(bench, MESSAGE_FAILED));
    cr_assert_not_null(find(bench, SESSION_DROP));
    lease(bench, 79, 0, 1);
    cr_assert_not_null(find(bench, SESSION_COMPUTE), "and is still known when it comes back");
    close_bench(bench);
}

static void recall(struct bench *bench, uint64_t token)
{
    bench->message.kind = MESSAGE_RECALL;
    bench->message.recall.token = token;
    deliver(bench, SESSION_BROKER);
}

/* What the session says that it returns; count 0: nothing. */
static struct block_range returned(struct bench *bench, uint64_t token)
{
    const struct session_effect *effect = find_send(bench, MESSAGE_RETURNED);
    if (effect == NULL) return (struct block_range){0};
    session_compose(bench->session, effect, &bench->message);
    cr_assert_eq(bench->message.returned.token, token);
    cr_assert(digest_equal(&bench->message.returned.sweep, &bench->id));
    return bench->message.returned.blocks;
}

Test(session, what_is_not_begun_of_a_recalled_lease_is_returned)
{
    struct bench *bench = open_computing(4); /* block 0 is being computed */
    recall(bench, 77);
    struct block_range blocks = returned(bench, 77);
    cr_assert(blocks.first == 1 && blocks.count == 3);
    recall(bench, 77);
    cr_assert_eq(returned(bench, 77).count, 0, "there is nothing more to return");
    computed(bench, 0, 100, NULL, 0);
    cr_assert_null(find(bench, SESSION_COMPUTE), "what was returned is not computed");
    folded(bench, 0, 0, FOLD_NEW);
    cr_assert_not_null(find_send(bench, MESSAGE_DONE));
    cr_assert_eq(session_lease_count(bench->session), 0, "what was begun was all that was left");
    close_bench(bench);
}

Test(session, a_recalled_lease_of_which_nothing_is_begun_ends)
{
    struct bench *bench = open_computing(1);
    lease(bench, 78, 4, 4);
    recall(bench, 78);
    const struct block_range blocks = returned(bench, 78);
    cr_assert(blocks.first == 4 && blocks.count == 4);
    cr_assert_eq(session_lease_count(bench->session), 1);
    recall(bench, 99);
    cr_assert_eq(returned(bench, 99).count, 0, "a lease that is not held");
    close_bench(bench);
}

Test(session, a_lease_that_waits_for_its_sweep_is_as_good_as_begun)
{
    struct bench *bench = open_registered();
    make_sweep(bench, 1000, 9);
    lease(bench, 77, 0, 4);
    recall(bench, 77);
    cr_assert_eq(returned(bench, 77).count, 0);
    cr_assert_eq(session_lease_count(bench->session), 1);
    close_bench(bench);
}

Test(session, there_is_no_room_before_what_was_abandoned_has_stopped)
{
    struct bench *bench = open_computing(1);
    bench->message.kind = MESSAGE_CANCEL;
    bench->message.cancel.sweep = bench->id;
    deliver(bench, SESSION_BROKER);
    cr_assert_not_null(find(bench, SESSION_ABORT));
    tick(bench, 500);
    session_compose(bench->session, find_send(bench, MESSAGE_HEARTBEAT), &bench->message);
    cr_assert_eq(bench->message.heartbeat.room, 0, "it may be inside a block that does not end");
    computed(bench, 0, 0, "aborted", 0);
    const struct session_effect *beat = find_send(bench, MESSAGE_HEARTBEAT);
    cr_assert_not_null(beat, "that there is room is told at once");
    session_compose(bench->session, beat, &bench->message);
    cr_assert_eq(bench->message.heartbeat.room, SESSION_ROOM);
    close_bench(bench);
}

Test(session, stopping_hands_every_lease_back)
{
    struct bench *bench = open_computing(4);
    lease(bench, 78, 4, 4);
    step(bench, (struct session_event){.kind = SESSION_STOP});
    int failures = 0;
    for (size_t at = 0; at < bench->effects.count; at++) {
        if (bench->effects.list[at].message != MESSAGE_FAILED) continue;
        cr_assert_eq(bench->effects.list[at].cause, CAUSE_SHUTDOWN);
        failures++;
    }
    cr_assert_eq(failures, 2);
    cr_assert_eq(bench->effects.list[bench->effects.count - 1].message, MESSAGE_GOODBYE);
    close_bench(bench);
}

Test(session, a_drained_worker_finishes_what_it_has_and_leaves)
{
    struct bench *bench = open_computing(1);
    bench->message.kind = MESSAGE_DRAIN;
    strcpy(bench->message.drain.name, "w1");
    deliver(bench, SESSION_BROKER);
    cr_assert_null(find_send(bench, MESSAGE_GOODBYE), "it computes");
    lease(bench, 78, 10, 1);
    const struct session_effect *refusal = find_send(bench, MESSAGE_FAILED);
    cr_assert_not_null(refusal, "it takes nothing more");
    cr_assert(refusal->token == 78 && refusal->cause == CAUSE_SHUTDOWN);
    tick(bench, 500);
    const struct session_effect *beat = find_send(bench, MESSAGE_HEARTBEAT);
    cr_assert_not_null(beat);
    session_compose(bench->session, beat, &bench->message);
    cr_assert(bench->message.heartbeat.room == 0 && bench->message.heartbeat.token_count == 1);
    computed(bench, 0, 100, NULL, 0);
    cr_assert_null(find_send(bench, MESSAGE_GOODBYE), "its result is not on disk yet");
    bench->message.kind = MESSAGE_FOLDED;
    bench->message.folded.sweep = bench->id;
    bench->message.folded.level = 0;
    bench->message.folded.index = 0;
    bench->message.folded.outcome = FOLD_NEW;
    deliver(bench, SESSION_AGGREGATOR);
    const struct session_effect *done = find_send(bench, MESSAGE_DONE), *goodbye = find_send(bench, MESSAGE_GOODBYE);
    cr_assert_not_null(done);
    cr_assert_not_null(goodbye);
    cr_assert_lt(done, goodbye);
    cr_assert(session_has_left(bench->session));
    step(bench, (struct session_event){.kind = SESSION_STOP});
    cr_assert_eq(bench->effects.count, 0, "it has said so");
    close_bench(bench);
}

Test(session, a_drained_worker_whose_lease_waits_for_its_sweep_stays)
{
    struct bench *bench = open_registered();
    make_sweep(bench, 1000, 0);
    lease(bench, 77, 0, 1);
    cr_assert_not_null(find_send(bench, MESSAGE_FETCH));
    bench->message.kind = MESSAGE_DRAIN;
    strcpy(bench->message.drain.name, "w1");
    deliver(bench, SESSION_BROKER);
    cr_assert_null(find_send(bench, MESSAGE_GOODBYE));
    cr_assert_not(session_has_left(bench->session));
    close_bench(bench);
}

Test(session, a_drained_worker_that_has_nothing_leaves_at_once)
{
    struct bench *bench = open_registered();
    bench->message.kind = MESSAGE_DRAIN;
    strcpy(bench->message.drain.name, "w1");
    deliver(bench, SESSION_BROKER);
    cr_assert_not_null(find_send(bench, MESSAGE_GOODBYE));
    cr_assert(session_has_left(bench->session));
    close_bench(bench);
}

Test(session, leases_beyond_its_bound_are_given_back)
{
    struct bench *bench = open_computing(1);
    for (uint64_t token = 100; token < 100 + SESSION_LEASES_MAX - 1; token++) {
        lease(bench, token, token, 1);
        cr_assert_null(find_send(bench, MESSAGE_FAILED), "token %lu", token);
    }
    lease(bench, 200, 200, 1);
    cr_assert_eq(find_send(bench, MESSAGE_FAILED)->cause, CAUSE_SHUTDOWN);
    cr_assert_eq(session_lease_count(bench->session), SESSION_LEASES_MAX);
    close_bench(bench);
}

Test(session, a_result_that_is_too_large_to_send_is_an_error_of_its_block)
{
    struct bench *bench = open_computing(1);
    computed(bench, find(bench, SESSION_COMPUTE)->slot, UINT64_C(65) << 20, NULL, 0);
    const struct session_effect part = *find(bench, SESSION_SEND_PART);
    step(bench, (struct session_event){.kind = SESSION_UNSENT, .unsent = &part, .hopeless = true});
    cr_assert_eq(find_send(bench, MESSAGE_FAILED)->cause, CAUSE_ERROR);
    cr_assert_not_null(find(bench, SESSION_DROP));
    close_bench(bench);
}

Test(session, more_sweeps_than_are_kept_are_fetched_again)
{
    struct bench *bench = open_registered();
    struct digest first = {{0}};
    for (int at = 0; at < (int)SESSION_SWEEPS_MAX + 1; at++) {
        buffer_clear(&bench->sweep);
        make_sweep(bench, (uint64_t)(10 + at), 9);
        if (at == 0) first = bench->id;
        lease(bench, (uint64_t)(100 + at), 0, 1);
        cr_assert_not_null(find_send(bench, MESSAGE_FETCH), "sweep %d", at);
        give_sweep(bench);
        computed(bench, find(bench, SESSION_COMPUTE)->slot, 100, NULL, 0);
        folded(bench, 0, 0, FOLD_NEW);
    }
    lease(bench, 300, 1, 1);
    cr_assert_null(find_send(bench, MESSAGE_FETCH), "the last one is kept");
    bench->id = first;
    lease(bench, 301, 1, 1);
    const struct session_effect *fetch = find_send(bench, MESSAGE_FETCH);
    cr_assert_not_null(fetch, "the first one had to go");
    cr_assert(digest_equal(&fetch->digest, &first));
    close_bench(bench);
}
