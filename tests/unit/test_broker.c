#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "digest.h"
#include "lending.h"
#include "support_broker.h"
#include "sweep_codec.h"

static const struct peer one = {.size = 1, .bytes = "1"}, two = {.size = 1, .bytes = "2"},
                         three = {.size = 1, .bytes = "3"};

static struct broker_effect lease_to(const struct bench *bench, struct peer worker)
{
    const struct broker_effect *effect = find_send(bench, worker, MESSAGE_LEASE);
    cr_assert_not_null(effect, "a lease is expected");
    return *effect;
}

static const struct ledger *ledger_of(const struct bench *bench)
{
    const struct ledger *ledger = broker_sweep(bench->broker, &bench->id);
    cr_assert_not_null(ledger);
    return ledger;
}

/* A client's order that names the sweep submitted last. */
static void order(struct bench *bench, enum message_kind kind)
{
    bench->message.kind = kind;
    bench->message.pause.sweep = bench->id;
    deliver(bench, client);
}

static struct sweep_status status_of(struct bench *bench)
{
    order(bench, MESSAGE_STATUS);
    cr_assert(broker_compose(bench->broker, find_send(bench, client, MESSAGE_SWEEPS), &bench->message));
    return bench->message.sweeps.list[0];
}

/* Time for what failed to be tried again; no lease lapses. */
static void wait_out_backoff(struct bench *bench)
{
    wait_ms(bench, LEDGER_BACKOFF_MS << LEDGER_ATTEMPTS);
}

struct lent {
    uint64_t token; /* 0: none */
    struct block_range blocks;
};

/* What the worker of that name was lent first, of what it holds. */
static struct lent oldest_lease(const struct bench *bench, const char *name)
{
    const struct worker *worker = roster_of_name(&bench->broker->roster, name);
    struct lent oldest = {0};
    for (uint32_t at = 0; worker != NULL && at < worker->lease_count; at++) {
        const struct lease *lease = lease_find(&bench->broker->leases, worker->leases[at]);
        if (oldest.token == 0 || lease->token / LEASES_MAX < oldest.token / LEASES_MAX)
            oldest = (struct lent){lease->token, lease->blocks};
    }
    return oldest;
}

/* Submitting */

Test(broker, a_sweep_is_kept_before_it_is_accepted)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    cr_assert_eq(bench->effects.list[0].kind, BROKER_KEEP_SWEEP);
    cr_assert_eq(bench->effects.list[0].keep.sweep.size, bench->sweep.size);
    const struct broker_effect *accepted = find_send(bench, client, MESSAGE_ACCEPTED);
    cr_assert_not_null(accepted);
    cr_assert_gt(accepted, &bench->effects.list[0]);
    cr_assert_not(accepted->send.known);
    cr_assert(digest_equal(&accepted->sweep, &bench->id));
    cr_assert_eq(ledger_of(bench)->blocks, 8);
    close_bench(bench);
}

Test(broker, the_same_sweep_again_has_no_second_effect)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    submit(bench, "s", 8);
    cr_assert_eq(bench->effects.count, 1);
    cr_assert(find_send(bench, client, MESSAGE_ACCEPTED)->send.known);
    close_bench(bench);
}

Test(broker, a_submission_that_cannot_be_is_refused_and_changes_nothing)
{
    struct bench *bench = open_bench();
    static uint8_t large[SWEEP_BYTES_MAX + 1];
    make_sweep(bench, "s", 8);
    const struct span good = buffer_span(&bench->sweep), junk = {(const uint8_t *)"junk", 4};
    const struct {
        struct span sweep, population;
        const char *what;
    } rows[] = {
        {junk, {0}, "no sweep"},
        {{0}, {0}, "nothing"},
        {{good.data, good.size - 1}, {0}, "a sweep cut short"},
        {{large, sizeof large}, {0}, "a sweep that is too large"},
        {good, junk, "a population of another digest"},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        bench->message.kind = MESSAGE_SUBMIT;
        bench->message.submit.sweep = rows[row].sweep;
        bench->message.submit.population = rows[row].population;
        deliver(bench, client);
        cr_assert_eq(bench->effects.count, 1, "%s", rows[row].what);
        const struct broker_effect *error = find_send(bench, client, MESSAGE_ERROR);
        cr_assert_not_null(error, "%s", rows[row].what);
        cr_assert_eq(error->send.error.code, ERROR_REFUSED, "%s", rows[row].what);
        cr_assert_gt(strlen(error->send.error.text), 0, "%s", rows[row].what);
    }
    close_bench(bench);
}

static void submit_numbered(struct bench *bench, int number, uint64_t blocks)
{
    char name[16];
    snprintf(name, sizeof name, "s%d", number);
    submit(bench, name, blocks);
}

static void fill_table(struct bench *bench)
{
    for (int at = 0; at < BROKER_SWEEPS_MAX; at++) {
        submit_numbered(bench, at, 1);
        cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED), "sweep %d", at);
    }
}

Test(broker, more_open_sweeps_than_the_limit_are_refused)
{
    struct bench *bench = open_bench();
    fill_table(bench);
    submit(bench, "one more", 1);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ERROR));
    submit(bench, "s0", 1);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED), "known sweeps are still accepted");
    close_bench(bench);
}

Test(broker, one_more_sweep_takes_the_place_of_the_oldest_that_has_ended)
{
    struct bench *bench = open_bench();
    fill_table(bench);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    submit_numbered(bench, 9, 1);
    order(bench, MESSAGE_CANCEL);
    submit_numbered(bench, 7, 1);
    held(bench, true, 1, &(struct block_range){0, 1});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    const struct digest finished = bench->id;
    submit(bench, "one more", 8);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED));
    cr_assert_eq(bench->effects.list[0].kind, BROKER_KEEP_NOTHING, "in the commit of the one that follows");
    cr_assert(digest_equal(&bench->effects.list[0].sweep, &finished), "s7 came before s9");
    cr_assert_eq(count_effects(bench, BROKER_KEEP_SWEEP), 1);
    cr_assert_null(broker_sweep(bench->broker, &finished));
    submit(bench, "another", 1);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED), "in the place of s9");
    submit(bench, "too many", 1);
    cr_assert_eq(find_send(bench, client, MESSAGE_ERROR)->send.error.code, ERROR_REFUSED);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_NOTHING), 0);
    cr_assert_eq(bench->broker->counters.sweeps_forgotten, 2);
    close_bench(bench);
}

Test(broker, leases_stay_with_their_sweeps_when_one_is_forgotten)
{
    struct bench *bench = open_bench();
    submit_numbered(bench, 0, 1);
    order(bench, MESSAGE_CANCEL);
    submit_numbered(bench, 1, 8);
    const struct digest lent = bench->id;
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    for (int at = 2; at < BROKER_SWEEPS_MAX + 1; at++) submit_numbered(bench, at, 1);
    cr_assert_eq(bench->broker->counters.sweeps_forgotten, 1);
    bench->id = lent;
    const struct lease *kept = lease_find(&bench->broker->leases, lease.send.lease.token);
    cr_assert_eq(&bench->broker->sweeps[kept->sweep], ledger_of(bench));
    done(bench, one, lease.send.lease.token, lease.send.lease.blocks, 1000);
    cr_assert_eq(ledger_of(bench)->done.total, lease.send.lease.blocks.count);
    cr_assert_null(lease_find(&bench->broker->leases, lease.send.lease.token));
    close_bench(bench);
}

Test(broker, a_submission_that_is_refused_makes_nobody_forget)
{
    struct bench *bench = open_bench();
    fill_table(bench);
    order(bench, MESSAGE_CANCEL);
    bench->message.kind = MESSAGE_SUBMIT;
    bench->message.submit.sweep = (struct span){(const uint8_t *)"nonsense", 8};
    deliver(bench, client);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ERROR));
    cr_assert_eq(bench->broker->counters.sweeps_forgotten, 0);
    close_bench(bench);
}

/* What follows comes from a client of this key, or from an admin. */
static void deliver_as(struct bench *bench, const char *holder, bool own_only)
{
    step(bench, &(struct broker_event){.kind = BROKER_MESSAGE,
                                       .now_ms = bench->now_ms,
                                       .peer = client,
                                       .message = &bench->message,
                                       .holder = holder,
                                       .own_only = own_only});
}

static bool is_forbidden_to(struct bench *bench, enum message_kind kind, const char *holder, bool own_only)
{
    bench->message.kind = kind;
    bench->message.pause.sweep = bench->id;
    deliver_as(bench, holder, own_only);
    const struct broker_effect *error = find_send(bench, client, MESSAGE_ERROR);
    return error != NULL && error->send.error.code == ERROR_FORBIDDEN;
}

static void submit_as(struct bench *bench, const char *holder, uint32_t priority)
{
    make_sweep(bench, "s", 8);
    bench->message.kind = MESSAGE_SUBMIT;
    memset(&bench->message.submit, 0, sizeof bench->message.submit);
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.priority = priority;
    deliver_as(bench, holder, true);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED));
}

Test(broker, a_sweep_is_changed_by_its_owner_or_an_admin_and_nobody_else)
{
    static const enum message_kind orders[] = {MESSAGE_PAUSE, MESSAGE_RESUME, MESSAGE_RETRY, MESSAGE_CANCEL};
    struct bench *bench = open_bench();
    submit_as(bench, "anna", 2);
    for (size_t at = 0; at < sizeof orders / sizeof *orders; at++) {
        cr_expect(is_forbidden_to(bench, orders[at], "bert", true));
        cr_expect_eq(count_effects(bench, BROKER_KEEP_STATE), 0);
    }
    cr_expect_eq(ledger_of(bench)->state, SWEEP_RUNNING);
    for (size_t at = 0; at < 3; at++) cr_expect_not(is_forbidden_to(bench, orders[at], "anna", true));
    for (size_t at = 0; at < 4; at++) cr_expect_not(is_forbidden_to(bench, orders[at], "root", false));
    cr_expect_eq(ledger_of(bench)->state, SWEEP_CANCELLED);
    close_bench(bench);
}

Test(broker, a_sweep_that_nobody_owns_is_changed_by_an_admin)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    cr_expect(is_forbidden_to(bench, MESSAGE_PAUSE, "anna", true));
    cr_expect_not(is_forbidden_to(bench, MESSAGE_PAUSE, "root", false));
    cr_expect_eq(ledger_of(bench)->state, SWEEP_PAUSED);
    close_bench(bench);
}

Test(broker, a_sweep_submitted_by_another_key_stays_as_it_is_until_it_has_ended)
{
    struct bench *bench = open_bench();
    submit_as(bench, "anna", 2);
    submit_as(bench, "bert", 9);
    cr_expect_eq(ledger_of(bench)->priority, 2);
    cr_expect_eq(count_effects(bench, BROKER_KEEP_SHARE), 0);
    cr_expect(is_forbidden_to(bench, MESSAGE_CANCEL, "bert", true));
    cr_expect_not(is_forbidden_to(bench, MESSAGE_CANCEL, "anna", true));
    submit_as(bench, "bert", 9);
    cr_expect_eq(ledger_of(bench)->state, SWEEP_RUNNING);
    cr_expect_eq(ledger_of(bench)->priority, 9);
    cr_expect_eq(count_effects(bench, BROKER_KEEP_SHARE), 1);
    cr_expect(is_forbidden_to(bench, MESSAGE_PAUSE, "anna", true), "it is Bert's now");
    cr_expect_not(is_forbidden_to(bench, MESSAGE_PAUSE, "bert", true));
    close_bench(bench);
}

Test(broker, what_was_kept_comes_back_after_a_restart)
{
    struct bench *bench = open_bench();
    const char *why;
    const struct digest none = {{0}};
    make_sweep(bench, "s", 8);
    cr_assert(broker_restore(bench->broker, buffer_span(&bench->sweep), false, SWEEP_RUNNING, &none, "", &why));
    cr_assert_not(broker_restore(bench->broker, buffer_span(&bench->sweep), false, SWEEP_RUNNING, &none, "", &why));
    cr_assert(broker_restore_done(bench->broker, &bench->id, (struct block_range){0, 7}));
    cr_assert_not(broker_restore_done(bench->broker, &bench->id, (struct block_range){7, 2}), "beyond the sweep");
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    cr_assert(lease.send.lease.blocks.first == 7 && lease.send.lease.blocks.count == 1);
    close_bench(bench);
}

/* Leasing */

Test(broker, a_worker_is_welcomed_and_given_blocks)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 2);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect *welcome = find_send(bench, one, MESSAGE_WELCOME);
    cr_assert_not_null(welcome);
    struct message *message = calloc(1, sizeof *message);
    cr_assert(broker_compose(bench->broker, welcome, message));
    cr_assert_eq(message->welcome.heartbeat_ms, HEARTBEAT_MS);
    cr_assert_eq(message->welcome.lease_ms, LEASE_MS);
    free(message);
    const struct broker_effect lease = lease_to(bench, one);
    cr_assert(lease.send.lease.blocks.first == 0 && lease.send.lease.blocks.count == 1,
              "one block until it is measured");
    close_bench(bench);
}

Test(broker, everybody_gets_a_first_lease_before_anybody_gets_a_second)
{
    struct bench *bench = open_bench();
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 1);
    hello(bench, three, ROLE_WORKER, "w3", 1);
    submit(bench, "s", 4);
    cr_assert_eq(count_leases(bench, one), 1);
    cr_assert_eq(count_leases(bench, two), 1);
    cr_assert_eq(count_leases(bench, three), 1);
    close_bench(bench);
}

Test(broker, a_worker_holds_at_most_two_leases)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1000);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    cr_assert_eq(count_leases(bench, one), 2);
    heartbeat(bench, one, 64, 0, NULL);
    cr_assert_eq(count_leases(bench, one), 0, "both are on their way, whatever it says");
    close_bench(bench);
}

Test(broker, a_worker_without_room_gets_nothing)
{
    struct bench *bench = open_bench();
    hello(bench, one, ROLE_WORKER, "w1", 1);
    heartbeat(bench, one, 0, 0, NULL);
    submit(bench, "s", 1000);
    cr_assert_eq(count_leases(bench, one), 0);
    heartbeat(bench, one, 1, 0, NULL);
    cr_assert_eq(count_leases(bench, one), 1);
    close_bench(bench);
}

Test(broker, leases_grow_to_the_target_of_measured_work_and_are_aligned)
{
    const struct {
        uint64_t block_us, most;
    } rows[] = {{1000000, 1}, {150000, 1}, {50000, 4}, {10000, 16}, {1000, 128}, {20, LEASE_BLOCKS_MAX}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench *bench = open_bench();
        submit(bench, "s", 1 << 20);
        hello(bench, one, ROLE_WORKER, "w1", 1);
        struct broker_effect lease = lease_to(bench, one);
        uint64_t largest = lease.send.lease.blocks.count;
        for (int turn = 0; turn < 12; turn++) {
            const struct block_range blocks = lease.send.lease.blocks;
            done(bench, one, lease.send.lease.token, blocks, blocks.count * rows[row].block_us);
            if (find_send(bench, one, MESSAGE_LEASE) == NULL) break; /* not lent ahead; it still has one */
            lease = lease_to(bench, one);
            if (lease.send.lease.blocks.count > largest) largest = lease.send.lease.blocks.count;
            const uint64_t end = range_end(lease.send.lease.blocks);
            if (turn > 4) cr_assert_eq(end % largest, 0, "row %zu: ends at %lu", row, end);
        }
        cr_assert_leq(largest, rows[row].most, "row %zu", row);
        cr_assert_geq(largest, (rows[row].most + 1) / 2, "row %zu: %lu", row, largest);
        close_bench(bench);
    }
}

Test(broker, what_remains_at_the_end_is_split_over_the_workers)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 65);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect first = lease_to(bench, one);
    hello(bench, two, ROLE_WORKER, "w2", 1);
    done(bench, one, first.send.lease.token, first.send.lease.blocks, 100);
    const struct broker_effect lease = lease_to(bench, one);
    cr_assert_leq(lease.send.lease.blocks.count, 16, "two workers, two leases each");
    cr_assert_gt(lease.send.lease.blocks.count, 1);
    close_bench(bench);
}

Test(broker, sweeps_take_turns)
{
    struct bench *bench = open_bench();
    submit(bench, "large", 1000000);
    submit(bench, "small", 2);
    const struct digest small = bench->id;
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 1);
    uint64_t taken = ledger_of(bench)->taken.total;
    cr_assert_geq(taken, 1, "a small sweep need not wait for the large one");
    cr_assert(digest_equal(&bench->id, &small));
    close_bench(bench);
}

static void submit_share(struct bench *bench, const char *name, uint32_t priority, uint32_t weight, const char *tenant)
{
    make_sweep(bench, name, 1000000);
    bench->message.kind = MESSAGE_SUBMIT;
    memset(&bench->message.submit, 0, sizeof bench->message.submit);
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.priority = priority;
    bench->message.submit.weight = weight;
    strcpy(bench->message.submit.tenant, tenant);
    deliver(bench, client);
}

/* Workers that compute what they hold, one lease at a time, for so long; adds up the time by sweep. */
static void work(struct bench *bench, uint64_t until_ms, const uint64_t *block_us, uint64_t *spent_us)
{
    static const struct peer peers[] = {
        {.size = 1, .bytes = "1"}, {.size = 1, .bytes = "2"}, {.size = 1, .bytes = "3"}};
    static const char *const names[] = {"w1", "w2", "w3"};
    uint64_t free_us[3] = {bench->now_ms * 1000, bench->now_ms * 1000, bench->now_ms * 1000};
    while (bench->now_ms < until_ms) {
        uint32_t next = free_us[0] <= free_us[1] ? 0 : 1;
        if (free_us[2] < free_us[next]) next = 2;
        if (free_us[next] / 1000 > bench->now_ms) bench->now_ms = free_us[next] / 1000;
        const struct lent lent = oldest_lease(bench, names[next]);
        cr_assert_neq(lent.token, 0, "nobody is idle");
        const uint32_t sweep = lease_find(&bench->broker->leases, lent.token)->sweep;
        const uint64_t took_us = lent.blocks.count * block_us[sweep];
        spent_us[sweep] += took_us;
        free_us[next] += took_us;
        bench->id = bench->broker->sweeps[sweep].sweep;
        done(bench, peers[next], lent.token, lent.blocks, took_us);
    }
}

static void hello_three(struct bench *bench)
{
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    hello(bench, three, ROLE_WORKER, "w3", 3);
}

Test(broker, sweeps_share_the_workers_time_by_weight_whatever_their_blocks_take)
{
    struct bench *bench = open_bench();
    const uint64_t block_us[] = {1000, 37000, 400000};
    const uint32_t weights[] = {1, 2, 5};
    uint64_t spent_us[3] = {0}, all_us = 0;
    submit_share(bench, "a", 0, weights[0], "x");
    submit_share(bench, "b", 0, weights[1], "x");
    submit_share(bench, "c", 0, weights[2], "y");
    hello_three(bench);
    work(bench, 600000, block_us, spent_us);
    for (size_t at = 0; at < 3; at++) all_us += spent_us[at];
    for (size_t at = 0; at < 3; at++) {
        const double share = (double)spent_us[at] / (double)all_us, due = weights[at] / 8.0;
        cr_expect(share > due * 0.95 && share < due * 1.05, "sweep %zu: %g of the time, not %g", at, share, due);
    }
    close_bench(bench);
}

/* Ten thousand workers that work for three weeks on end get there. */
Test(broker, shares_outlast_the_numbers_that_count_them)
{
    struct bench *bench = open_bench();
    const uint64_t block_us[] = {10000, 10000};
    uint64_t spent_us[2] = {0};
    submit_share(bench, "a", 0, 1, "");
    submit_share(bench, "b", 0, 3, "");
    bench->broker->pass = UINT64_MAX - UINT64_C(100000000000); /* 100 s of one worker */
    for (uint32_t at = 0; at < 2; at++) bench->broker->sweeps[at].pass = bench->broker->pass;
    hello_three(bench);
    work(bench, 600000, block_us, spent_us);
    const double share = (double)spent_us[1] / (double)(spent_us[0] + spent_us[1]);
    cr_assert(share > 0.72 && share < 0.78, "%g", share);
    close_bench(bench);
}

Test(broker, a_sweep_that_comes_later_shares_from_then_on)
{
    struct bench *bench = open_bench();
    const uint64_t block_us[] = {10000, 10000};
    uint64_t spent_us[2] = {0};
    submit_share(bench, "a", 0, 1, "");
    hello_three(bench);
    work(bench, 300000, block_us, spent_us);
    submit_share(bench, "b", 0, 1, "");
    spent_us[0] = spent_us[1] = 0;
    work(bench, 600000, block_us, spent_us);
    const double share = (double)spent_us[1] / (double)(spent_us[0] + spent_us[1]);
    cr_assert(share > 0.475 && share < 0.525, "%g", share);
    close_bench(bench);
}

Test(broker, the_highest_priority_of_a_tenant_goes_first_and_other_tenants_keep_their_share)
{
    struct bench *bench = open_bench();
    const uint64_t block_us[] = {10000, 10000, 10000};
    uint64_t spent_us[3] = {0};
    submit_share(bench, "low", 0, 100, "x");
    submit_share(bench, "high", 9, 1, "x");
    submit_share(bench, "other", 0, 1, "y");
    hello_three(bench);
    work(bench, 300000, block_us, spent_us);
    const double share = (double)spent_us[2] / (double)(spent_us[1] + spent_us[2]);
    cr_assert_eq(spent_us[0], 0, "one of a higher priority has work");
    cr_assert(share > 0.475 && share < 0.525, "%g", share);
    make_sweep(bench, "high", 1000000);
    order(bench, MESSAGE_PAUSE);
    work(bench, 400000, block_us, spent_us);
    cr_assert_gt(spent_us[0], 0, "it waits no more");
    close_bench(bench);
}

Test(broker, a_sweep_submitted_again_shares_as_it_says_now)
{
    struct bench *bench = open_bench();
    submit_share(bench, "a", 3, 20, "x");
    cr_assert_eq(count_effects(bench, BROKER_KEEP_SHARE), 1);
    struct sweep_status status = status_of(bench);
    cr_assert(status.priority == 3 && status.weight == 20 && strcmp(status.tenant, "x") == 0);
    submit_share(bench, "a", 3, 20, "x");
    cr_assert_eq(count_effects(bench, BROKER_KEEP_SHARE), 0);
    submit_share(bench, "a", 0, 0, "");
    cr_assert_eq(count_effects(bench, BROKER_KEEP_SHARE), 1);
    status = status_of(bench);
    cr_assert(status.priority == 0 && status.weight == 1 && status.tenant[0] == 0);
    close_bench(bench);
}

/* Ends of leases */

Test(broker, a_lease_lapses_unless_a_heartbeat_names_it)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const uint64_t token = lease_to(bench, one).send.lease.token;
    for (int beat = 0; beat < 20; beat++) {
        wait_ms(bench, HEARTBEAT_MS);
        heartbeat(bench, one, 1, 1, &token);
        cr_assert_eq(ledger_of(bench)->taken.total, 1, "beat %d", beat);
    }
    for (int beat = 0; beat < 9; beat++) {
        wait_ms(bench, HEARTBEAT_MS);
        heartbeat(bench, one, 0, 0, NULL);
    }
    cr_assert_eq(ledger_of(bench)->taken.total, 1, "not yet");
    wait_ms(bench, HEARTBEAT_MS);
    cr_assert_eq(ledger_leased(ledger_of(bench)), 0);
    cr_assert_eq(ledger_ready(ledger_of(bench)), 1);
    close_bench(bench);
}

Test(broker, a_block_may_take_a_day_while_its_worker_is_heard)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    for (uint64_t ms = 0; ms < 24u * 3600 * 1000; ms += LEASE_MS - 1) {
        wait_ms(bench, LEASE_MS - 1);
        heartbeat(bench, one, 1, 1, &lease.send.lease.token);
        cr_assert_null(find_send(bench, one, MESSAGE_LEASE), "it is not lent twice");
    }
    cr_assert_eq(bench->broker->counters.leases_lapsed, 0);
    cr_assert_eq(ledger_of(bench)->fault_count, 0);
    done(bench, one, lease.send.lease.token, lease.send.lease.blocks, UINT64_C(86400000000));
    cr_assert_eq(ledger_of(bench)->done.total, 1);
    close_bench(bench);
}

Test(broker, blocks_that_take_long_do_not_wait_behind_others)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 64);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    for (int round = 0; round < 8; round++) { /* what was lent before the first was measured */
        const struct lent lent = oldest_lease(bench, "w1");
        done(bench, one, lent.token, lent.blocks, lent.blocks.count * 2 * LEASE_AHEAD_US);
    }
    cr_assert_eq(roster_of_name(&bench->broker->roster, "w1")->lease_count, 1, "one, and none ahead of need");
    cr_assert_eq(oldest_lease(bench, "w1").blocks.count, 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    cr_assert_eq(lease_to(bench, two).send.lease.blocks.count, 1, "whoever comes has something to do at once");
    close_bench(bench);
}

Test(broker, a_name_belongs_to_the_key_that_registered_it_until_it_is_silent)
{
    struct bench *bench = open_bench();
    hello(bench, client, ROLE_CLIENT, "", 9); /* fills the message; what follows changes the role and the name */
    bench->message.hello.role = ROLE_WORKER;
    strcpy(bench->message.hello.name, "w");
    bench->message.hello.instance = 1;
    deliver_of(bench, one, "node1");
    cr_assert_not_null(find_send(bench, one, MESSAGE_WELCOME));
    bench->message.hello.instance = 2;
    deliver_of(bench, two, "node2");
    cr_assert_not_null(find_send(bench, two, MESSAGE_ERROR), "another key");
    cr_expect_eq(find_send(bench, two, MESSAGE_ERROR)->send.error.code, ERROR_REFUSED);
    deliver_of(bench, two, NULL);
    cr_expect_not_null(find_send(bench, two, MESSAGE_ERROR), "no key");
    bench->message.hello.instance = 1;
    deliver_of(bench, two, "node2");
    cr_expect_not_null(find_send(bench, two, MESSAGE_ERROR), "nor does it pass for the same start");
    cr_expect_eq(broker_worker_count(bench->broker), 1);
    bench->message.hello.instance = 3;
    deliver_of(bench, three, "node1");
    cr_expect_not_null(find_send(bench, three, MESSAGE_WELCOME), "its own next start replaces it");
    cr_expect_eq(broker_worker_count(bench->broker), 1);
    wait_ms(bench, LEASE_MS);
    cr_assert_eq(broker_worker_count(bench->broker), 0);
    deliver_of(bench, two, "node2");
    cr_expect_not_null(find_send(bench, two, MESSAGE_WELCOME), "a name that nobody has is free");
    close_bench(bench);
}

Test(broker, two_workers_of_one_name_do_not_take_it_from_each_other_for_ever)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w", 1);
    hello(bench, two, ROLE_WORKER, "w", 2);
    cr_assert_not_null(find_send(bench, two, MESSAGE_WELCOME), "it may be the next start of the same");
    wait_out_backoff(bench);
    heartbeat(bench, two, 2, 0, NULL);
    const struct lent lent = oldest_lease(bench, "w");
    for (int round = 0; round < 5; round++) {
        heartbeat(bench, one, 2, 0, NULL);
        cr_assert_not_null(find_send(bench, one, MESSAGE_STRANGER));
        hello(bench, one, ROLE_WORKER, "w", 1);
        cr_assert_not_null(find_send(bench, one, MESSAGE_ERROR), "round %d: the first lives, too", round);
        cr_assert_eq(find_send(bench, one, MESSAGE_ERROR)->send.error.code, ERROR_REFUSED);
        cr_assert_eq(oldest_lease(bench, "w").token, lent.token, "round %d: the lease goes on", round);
    }
    hello(bench, three, ROLE_WORKER, "w", 3);
    cr_assert_not_null(find_send(bench, three, MESSAGE_WELCOME), "a start that was not here before may be the next");
    wait_ms(bench, LEASE_MS);
    hello(bench, one, ROLE_WORKER, "w", 1);
    cr_assert_not_null(find_send(bench, one, MESSAGE_WELCOME), "a name that nobody has is free");
    close_bench(bench);
}

Test(broker, many_workers_of_one_name_do_not_take_it_in_turns)
{
    struct bench *bench = open_bench();
    const struct peer peers[] = {one, two, three};
    for (uint64_t at = 0; at < 3; at++) {
        hello(bench, peers[at], ROLE_WORKER, "w", at + 1);
        cr_assert_not_null(find_send(bench, peers[at], MESSAGE_WELCOME));
    }
    for (uint64_t at = 0; at < 2; at++) {
        hello(bench, peers[at], ROLE_WORKER, "w", at + 1);
        cr_assert_not_null(find_send(bench, peers[at], MESSAGE_ERROR), "the third is here");
    }
    heartbeat(bench, three, 2, 0, NULL);
    cr_assert_null(find_send(bench, three, MESSAGE_STRANGER));
    close_bench(bench);
}

Test(broker, a_silent_worker_is_forgotten_and_its_blocks_go_to_another)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    wait_ms(bench, LEASE_MS - 1);
    heartbeat(bench, two, 2, 0, NULL);
    cr_assert_eq(count_leases(bench, two), 0);
    cr_assert_leq(broker_next_due_ms(bench->broker), bench->now_ms + 1);
    wait_ms(bench, 1);
    cr_assert_eq(broker_worker_count(bench->broker), 1);
    wait_out_backoff(bench);
    cr_assert_eq(count_leases(bench, two), 1);
    close_bench(bench);
}

Test(broker, one_that_was_stopped_hears_what_was_said_meanwhile_before_it_judges)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 2);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    const uint64_t token = oldest_lease(bench, "w1").token;
    wait_ms(bench, 10 * LEASE_MS);
    cr_assert_eq(bench->broker->leases.count, 2, "the tick is late: nobody could be heard");
    cr_assert_eq(broker_worker_count(bench->broker), 2);
    cr_assert_eq(broker_next_due_ms(bench->broker), bench->now_ms + LEASE_MS / 2);
    bench->now_ms += LEASE_MS / 4;
    heartbeat(bench, one, 1, 1, &token);
    wait_ms(bench, LEASE_MS / 4 - 1);
    cr_assert_eq(bench->broker->leases.count, 2, "there is time yet");
    wait_ms(bench, 1);
    cr_assert_eq(bench->broker->leases.count, 1, "w2 had its time");
    cr_assert_eq(broker_worker_count(bench->broker), 1);
    cr_assert_not_null(lease_find(&bench->broker->leases, token));
    cr_assert_not(broker_aggregator_is(bench->broker, &aggregator), "it had its time too");
    close_bench(bench);
}

Test(broker, one_that_is_always_late_still_judges)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const uint64_t end_ms = bench->now_ms + 3 * LEASE_MS;
    while (broker_worker_count(bench->broker) > 0) {
        wait_ms(bench, 700);
        cr_assert_leq(bench->now_ms, end_ms);
    }
    cr_assert_eq(ledger_leased(ledger_of(bench)), 0);
    close_bench(bench);
}

Test(broker, a_restarted_worker_frees_its_leases_at_once)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const uint64_t token = lease_to(bench, one).send.lease.token;
    hello(bench, two, ROLE_WORKER, "w1", 2);
    cr_assert_eq(ledger_leased(ledger_of(bench)), 0);
    wait_out_backoff(bench);
    cr_assert_neq(lease_to(bench, two).send.lease.token, token);
    heartbeat(bench, one, 2, 1, &token);
    cr_assert_not_null(find_send(bench, one, MESSAGE_STRANGER));
    close_bench(bench);
}

Test(broker, a_worker_that_reconnects_keeps_the_leases_it_lists)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 100);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    cr_assert_eq(count_leases(bench, one), 2);
    const uint64_t token = lease_to(bench, one).send.lease.token;
    hello(bench, two, ROLE_WORKER, "w1", 1);
    cr_assert_eq(count_leases(bench, two), 0, "nothing is lent before it says what it has");
    cr_assert_eq(ledger_of(bench)->taken.total, 2);
    heartbeat(bench, two, 1, 1, &token);
    cr_assert_eq(count_leases(bench, two), 1, "the other one was lost on the way");
    cr_assert_eq(ledger_of(bench)->taken.total, 2);
    close_bench(bench);
}

Test(broker, a_worker_that_says_goodbye_leaves_nothing_behind)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 100);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    bench->message.kind = MESSAGE_GOODBYE;
    deliver(bench, one);
    cr_assert_eq(ledger_of(bench)->taken.total, 0);
    cr_assert_eq(broker_worker_count(bench->broker), 0);
    close_bench(bench);
}

Test(broker, a_lease_that_could_not_be_sent_is_ready_again)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    heartbeat(bench, one, 2, 0, NULL);
    const uint64_t token = lease_to(bench, two).send.lease.token;
    step(bench,
         &(struct broker_event){.kind = BROKER_UNDELIVERED, .now_ms = bench->now_ms, .peer = two, .token = token});
    cr_assert_eq(count_leases(bench, one), 1);
    cr_assert_eq(count_leases(bench, two), 0);
    close_bench(bench);
}

/* Results */

Test(broker, a_worker_that_cannot_be_reached_gets_nothing_until_it_is_heard)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const uint64_t token = lease_to(bench, one).send.lease.token;
    step(bench,
         &(struct broker_event){.kind = BROKER_UNDELIVERED, .now_ms = bench->now_ms, .peer = one, .token = token});
    cr_assert_eq(count_leases(bench, one), 0, "it would be sent in vain again and again");
    heartbeat(bench, one, 2, 0, NULL);
    cr_assert_eq(count_leases(bench, one), 1);
    close_bench(bench);
}

Test(broker, blocks_done_twice_count_once)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    done(bench, one, lease.send.lease.token, lease.send.lease.blocks, 1000);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_DONE), 1);
    cr_assert_eq(ledger_of(bench)->done.total, 1);
    done(bench, one, lease.send.lease.token, lease.send.lease.blocks, 1000);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_DONE), 0);
    cr_assert_eq(ledger_of(bench)->done.total, 1);
    close_bench(bench);
}

Test(broker, a_late_answer_counts_though_its_lease_has_lapsed)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect late = lease_to(bench, one);
    hello(bench, two, ROLE_WORKER, "w1", 2);
    wait_out_backoff(bench);
    const struct broker_effect lease = lease_to(bench, two);
    hello(bench, one, ROLE_WORKER, "w2", 3);
    done(bench, one, late.send.lease.token, late.send.lease.blocks, 1000);
    cr_assert_eq(ledger_of(bench)->done.total, 1);
    done(bench, two, lease.send.lease.token, lease.send.lease.blocks, 1000);
    cr_assert_eq(ledger_of(bench)->done.total, 1);
    close_bench(bench);
}

Test(broker, blocks_that_are_not_of_the_sweep_are_refused)
{
    const struct block_range rows[] = {{8, 1}, {0, 9}, {7, 2}, {UINT64_C(1) << 40, 1}};
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        done(bench, one, 5, rows[row], 1000);
        cr_assert_not_null(find_send(bench, one, MESSAGE_ERROR), "row %zu", row);
        cr_assert_eq(ledger_of(bench)->done.total, 0, "row %zu", row);
    }
    close_bench(bench);
}

Test(broker, a_sweep_is_done_only_when_the_aggregator_says_so)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    done(bench, one, lease.send.lease.token, lease.send.lease.blocks, 1000);
    cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING);
    held(bench, true, 1, &(struct block_range){0, 1});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    cr_assert_eq(ledger_of(bench)->result.bytes[0], 7);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_STATE), 1);
    cr_assert_not_null(find_send(bench, aggregator, MESSAGE_WANTED), "it is no longer wanted");
    held(bench, true, 1, &(struct block_range){0, 1});
    cr_assert_eq(bench->effects.count, 0, "said again, it has no second effect");
    close_bench(bench);
}

/* Workers that lack a sweep's model */

/* Heartbeats of both, a tenth of a second apart, until one is lent something: to whom. */
static struct peer wait_for_lease(struct bench *bench)
{
    for (unsigned beats = 0; beats < 100; beats++) {
        const struct peer worker = beats % 2 == 0 ? one : two;
        bench->now_ms += 50;
        heartbeat(bench, worker, 2, 0, NULL);
        if (count_leases(bench, one) > 0) return one;
        if (count_leases(bench, two) > 0) return two;
    }
    cr_assert_fail("nobody is lent anything");
    return one;
}

static void fail_as_unfit(struct bench *bench, struct peer worker)
{
    const struct broker_effect lease = lease_to(bench, worker);
    failed(bench, worker, lease.send.lease.token, lease.send.lease.blocks, CAUSE_UNFIT);
}

Test(broker, a_worker_that_is_unfit_for_a_sweep_gets_none_of_it_for_a_while_where_another_is_fit)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    heartbeat(bench, two, 0, 0, NULL); /* fit, and busy with something else */
    failed(bench, one, lease.send.lease.token, lease.send.lease.blocks, CAUSE_UNFIT);
    const uint64_t until_ms = bench->now_ms + WORKER_UNFIT_MS;
    while (bench->now_ms + 100 < until_ms) {
        bench->now_ms += 100;
        heartbeat(bench, two, 0, 0, NULL);
        heartbeat(bench, one, 2, 0, NULL);
        cr_assert_eq(count_leases(bench, one), 0);
    }
    cr_assert_eq(ledger_of(bench)->fault_count, 0, "nothing is counted");
    bench->now_ms = until_ms;
    heartbeat(bench, one, 2, 0, NULL);
    cr_assert_eq(count_leases(bench, one), 1, "it may have been mended");
    close_bench(bench);
}

Test(broker, a_worker_that_is_unfit_for_one_sweep_gets_another_and_those_behind_it_do_not_starve)
{
    struct bench *bench = open_bench();
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    submit(bench, "s", 1);
    const bool first = count_leases(bench, one) > 0;
    const struct peer lacking = first ? one : two, other = first ? two : one;
    const struct broker_effect lease = lease_to(bench, lacking);
    failed(bench, lacking, lease.send.lease.token, lease.send.lease.blocks, CAUSE_UNFIT);
    cr_assert_eq(count_leases(bench, lacking), 0);
    cr_assert_eq(count_leases(bench, other), 1, "the next in line gets it");
    submit(bench, "another", 100);
    cr_assert_gt(count_leases(bench, lacking), 0);
    close_bench(bench);
}

Test(broker, a_sweep_is_lent_only_to_workers_that_read_its_encoding)
{
    struct bench *bench = open_bench();
    hello(bench, aggregator, ROLE_AGGREGATOR, "a", 99);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    bench->encoding = 2;
    hello(bench, two, ROLE_WORKER, "w2", 2);
    bench->keep_draws = true;
    submit(bench, "s", 1000);
    cr_assert_eq(count_leases(bench, one) + count_leases(bench, two), 0, "the aggregator does not read it");
    hello(bench, aggregator, ROLE_AGGREGATOR, "a", 100);
    cr_assert_gt(count_leases(bench, two), 0);
    cr_assert_eq(count_leases(bench, one), 0, "it was registered first, and does not read it");
    bench->keep_draws = false;
    submit(bench, "plain", 1000);
    cr_assert_gt(count_leases(bench, one), 0);
    close_bench(bench);
}

/* Nobody has to try, so that nothing fails: it waits for a newer program. */
Test(broker, what_nobody_reads_waits_and_is_not_parked)
{
    struct bench *bench = open_bench();
    hello(bench, one, ROLE_WORKER, "w1", 1);
    bench->keep_draws = true;
    submit(bench, "s", 1);
    for (unsigned beats = 0; beats < 300; beats++) {
        bench->now_ms += HEARTBEAT_MS;
        heartbeat(bench, one, 2, 0, NULL);
        cr_assert_eq(count_leases(bench, one), 0);
    }
    bench->encoding = 2;
    hello(bench, one, ROLE_WORKER, "w1", 2);
    cr_assert_eq(count_leases(bench, one), 1, "it was updated, and started again");
    close_bench(bench);
}

Test(broker, a_suspect_that_nobody_reads_keeps_nobody_from_other_work)
{
    struct bench *bench = open_bench();
    bench->keep_draws = true;
    submit(bench, "s", 1);
    bench->encoding = 2;
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    failed(bench, one, lease.send.lease.token, lease.send.lease.blocks, CAUSE_ERROR);
    bench->message.kind = MESSAGE_GOODBYE;
    deliver(bench, one);
    wait_out_backoff(bench);
    bench->keep_draws = false;
    bench->encoding = 0;
    submit(bench, "plain", 1000);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    heartbeat(bench, two, WORKER_LEASES, 0, NULL);
    cr_assert_eq(roster_of_name(&bench->broker->roster, "w2")->lease_count, WORKER_LEASES);
    close_bench(bench);
}

Test(broker, blocks_for_which_nobody_is_fit_are_parked_with_the_reason_and_tried_again_by_order)
{
    struct bench *bench = open_bench();
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    submit(bench, "s", 1);
    const bool first = count_leases(bench, one) > 0;
    fail_as_unfit(bench, first ? one : two);
    cr_assert_eq(ledger_of(bench)->fault_count, 0, "another is fit");
    fail_as_unfit(bench, first ? two : one);
    for (unsigned tries = 0; tries < LEDGER_ATTEMPTS && ledger_of(bench)->parked_count == 0; tries++)
        fail_as_unfit(bench, wait_for_lease(bench));
    cr_assert_eq(ledger_of(bench)->parked_count, 1);
    cr_assert_str_eq(ledger_of(bench)->parked[0].why, "it broke");
    heartbeat(bench, one, 2, 0, NULL);
    order(bench, MESSAGE_RETRY);
    cr_assert_eq(count_leases(bench, one) + count_leases(bench, two), 1, "somebody may have it now");
    close_bench(bench);
}

Test(broker, what_the_aggregator_holds_is_done_and_not_lent)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 40);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    struct block_range many[20];
    for (uint64_t at = 0; at < 20; at++) many[at] = (struct block_range){2 * at, 1};
    held(bench, false, 20, many);
    cr_assert_eq(ledger_of(bench)->done.total, 20);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_RANGES), 1, "many ranges are written in one go");
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct block_range lent = lease_to(bench, one).send.lease.blocks;
    cr_assert(lent.first == 1 && lent.count == 1);
    close_bench(bench);
}

Test(broker, blocks_that_the_aggregator_lost_are_lent_again)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    held(bench, false, 1, &(struct block_range){0, 6});
    held(bench, false, 1, &(struct block_range){0, 4});
    bench->now_ms += LEDGER_REOPEN_MS - 1;
    held(bench, false, 1, &(struct block_range){0, 4});
    cr_assert_eq(ledger_of(bench)->done.total, 6, "the report may be older than the blocks");
    bench->now_ms += 1;
    held(bench, false, 1, &(struct block_range){0, 4});
    cr_assert_eq(ledger_of(bench)->done.total, 4);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_RANGES), 1);
    held(bench, false, 1, &(struct block_range){0, 6});
    cr_assert_eq(ledger_of(bench)->done.total, 6);
    close_bench(bench);
}

Test(broker, a_sweep_that_its_rule_ended_says_where_until_it_goes_on)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    held(bench, true, 1, &(struct block_range){0, 4});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    cr_assert_str_eq(status_of(bench).text, "stopped early, at 4 of 8 blocks: its stop rule is met");
    submit(bench, "s", 8);
    cr_assert_str_eq(status_of(bench).text, "", "it may have to go on");
    held(bench, true, 1, &(struct block_range){0, 8});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    cr_assert_str_eq(status_of(bench).text, "", "all of it is there");
    close_bench(bench);
}

Test(broker, a_done_sweep_that_is_submitted_again_is_done_when_the_aggregator_still_has_it)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    held(bench, true, 1, &(struct block_range){0, 8});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    submit(bench, "s", 8);
    cr_assert(find_send(bench, client, MESSAGE_ACCEPTED)->send.known);
    cr_assert_not_null(find_send(bench, aggregator, MESSAGE_WANTED), "the aggregator says whether it has it");
    hello(bench, one, ROLE_WORKER, "w1", 1);
    cr_assert_eq(count_leases(bench, one), 0, "nothing is done twice");
    held(bench, true, 1, &(struct block_range){0, 8});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    close_bench(bench);
}

Test(broker, a_done_sweep_that_the_aggregator_lost_is_done_anew_when_it_is_submitted_again)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    held(bench, true, 1, &(struct block_range){0, 8});
    hello(bench, one, ROLE_WORKER, "w1", 1);
    submit(bench, "s", 8);
    held(bench, false, 1, &(struct block_range){0, 4});
    bench->now_ms += LEDGER_REOPEN_MS;
    held(bench, false, 1, &(struct block_range){0, 4});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING);
    cr_assert_eq(ledger_of(bench)->done.total, 4);
    cr_assert_gt(count_leases(bench, one), 0);
    memset(&bench->message.status, 0, sizeof bench->message.status);
    cr_assert(broker_compose(bench->broker, &(struct broker_effect){.kind = BROKER_SEND, .send.kind = MESSAGE_SWEEPS},
                             &bench->message));
    cr_assert(digest_is_zero(&bench->message.sweeps.list[0].result), "not done, so it has no result");
    held(bench, true, 1, &(struct block_range){0, 8});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    close_bench(bench);
}

Test(broker, a_full_report_tells_of_its_gaps_and_of_nothing_behind_its_last_range)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 4000);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    static struct block_range ranges[MESSAGE_RANGES_MAX];
    const uint64_t told = 2 * MESSAGE_RANGES_MAX - 1; /* the end of the last range that is listed */
    for (uint64_t at = 0; at < MESSAGE_RANGES_MAX; at++) ranges[at] = (struct block_range){2 * at, 1};
    held(bench, false, 1, &(struct block_range){1000, 3000});
    for (int report = 0; report < 2; report++) {
        held(bench, false, MESSAGE_RANGES_MAX, ranges);
        cr_assert_eq(ledger_of(bench)->done.total, 3000 + 500, "report %d may be older than the blocks", report);
        bench->now_ms += LEDGER_REOPEN_MS / 2;
    }
    held(bench, false, MESSAGE_RANGES_MAX, ranges);
    cr_assert_eq(ledger_of(bench)->done.total, MESSAGE_RANGES_MAX + 4000 - told);
    const struct range_set *now_done = &ledger_of(bench)->done;
    for (uint64_t at = 0; at < MESSAGE_RANGES_MAX; at++)
        cr_assert_eq(range_overlap(now_done, (struct block_range){2 * at, 1}), 1, "block %lu is listed", 2 * at);
    for (uint64_t at = 1; at < told; at += 2)
        cr_assert_eq(range_overlap(now_done, (struct block_range){at, 1}), 0, "block %lu is in a gap", at);
    cr_assert_eq(range_overlap(now_done, (struct block_range){told, 4000 - told}), 4000 - told,
                 "nothing is told of it");
    cr_assert_eq(ledger_ready(ledger_of(bench)), MESSAGE_RANGES_MAX - 1, "what is in the gaps is to be done again");
    close_bench(bench);
}

Test(broker, a_sweep_in_too_many_pieces_can_still_be_finished)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 3 * LEDGER_DONE_RANGES_MAX);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    static struct block_range ranges[MESSAGE_RANGES_MAX];
    uint64_t next = 0;
    for (size_t round = 0; round < LEDGER_DONE_RANGES_MAX / MESSAGE_RANGES_MAX; round++) {
        for (size_t at = 0; at < MESSAGE_RANGES_MAX; at++, next += 2) ranges[at] = (struct block_range){next, 1};
        held(bench, false, MESSAGE_RANGES_MAX, ranges);
    }
    cr_assert_eq(ledger_of(bench)->done.count, LEDGER_DONE_RANGES_MAX);
    held(bench, false, 1, &(struct block_range){next, 1});
    cr_assert_eq(ledger_of(bench)->done.count, LEDGER_DONE_RANGES_MAX, "no room for one more");
    held(bench, false, 1, &(struct block_range){1, 1});
    cr_assert_eq(ledger_of(bench)->done.count, LEDGER_DONE_RANGES_MAX - 1, "a gap is closed");
    held(bench, false, 1, &(struct block_range){next, 1});
    held(bench, true, 1, &(struct block_range){0, 3 * LEDGER_DONE_RANGES_MAX});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    close_bench(bench);
}

Test(broker, blocks_that_there_is_no_room_for_are_lent_again_and_nobody_is_to_blame)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 3 * LEDGER_DONE_RANGES_MAX);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    static struct block_range ranges[MESSAGE_RANGES_MAX];
    uint64_t next = range_end(lease.send.lease.blocks) + 1;
    for (size_t round = 0; round < LEDGER_DONE_RANGES_MAX / MESSAGE_RANGES_MAX; round++) {
        for (size_t at = 0; at < MESSAGE_RANGES_MAX; at++, next += 2) ranges[at] = (struct block_range){next, 1};
        held(bench, false, MESSAGE_RANGES_MAX, ranges);
    }
    done(bench, one, lease.send.lease.token, lease.send.lease.blocks, 1000);
    cr_assert_eq(range_overlap(&ledger_of(bench)->done, lease.send.lease.blocks), 0, "no room");
    cr_assert_null(lease_find(&bench->broker->leases, lease.send.lease.token));
    cr_assert_eq(lease_to(bench, one).send.lease.blocks.first, lease.send.lease.blocks.first, "lent again");
    cr_assert_eq(ledger_of(bench)->fault_count, 0);
    close_bench(bench);
}

Test(broker, blocks_that_are_lent_stay_so_when_others_are_lost)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 8);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    held(bench, false, 1, &(struct block_range){0, 4});
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct block_range lent = lease_to(bench, one).send.lease.blocks;
    for (int report = 0; report < 2; report++) {
        held(bench, false, 1, &(struct block_range){0, 2});
        bench->now_ms += LEDGER_REOPEN_MS;
    }
    cr_assert_eq(ledger_of(bench)->done.total, 2);
    cr_assert_eq(range_overlap(&ledger_of(bench)->taken, lent), lent.count);
    close_bench(bench);
}

Test(broker, a_part_of_a_lease_that_is_done_leaves_the_rest_lent)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 64);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    struct broker_effect lease = lease_to(bench, one);
    done(bench, one, lease.send.lease.token, lease.send.lease.blocks, 100);
    lease = lease_to(bench, one);
    const struct block_range lent = lease.send.lease.blocks;
    cr_assert_gt(lent.count, 1);
    done(bench, one, lease.send.lease.token, (struct block_range){lent.first, 1}, 100);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_DONE), 1);
    cr_assert_eq(count_leases(bench, one), 0, "it still holds the lease");
    cr_assert_eq(range_overlap(&ledger_of(bench)->taken, lent), lent.count);
    close_bench(bench);
}

Test(broker, a_token_serves_only_the_worker_that_it_was_given_to)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 2);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    hello(bench, two, ROLE_WORKER, "w2", 1);
    heartbeat(bench, two, 0, 1, &lease.send.lease.token);
    failed(bench, two, lease.send.lease.token, lease.send.lease.blocks, CAUSE_ERROR);
    cr_assert_eq(ledger_of(bench)->fault_count, 0);
    cr_assert_eq(range_overlap(&ledger_of(bench)->taken, lease.send.lease.blocks), lease.send.lease.blocks.count);
    close_bench(bench);
}

Test(broker, a_failure_of_other_blocks_than_were_lent_is_one_of_those_that_were)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    for (unsigned attempt = 0; attempt < LEDGER_ATTEMPTS; attempt++) {
        const struct broker_effect lease = lease_to(bench, one);
        failed(bench, one, lease.send.lease.token, (struct block_range){3, UINT64_C(1) << 39}, CAUSE_ERROR);
        wait_out_backoff(bench);
    }
    cr_assert_eq(ledger_of(bench)->parked_count, 1);
    cr_assert_eq(ledger_of(bench)->parked[0].block, 0);
    close_bench(bench);
}

/* Failures */

Test(broker, the_third_error_of_a_block_parks_it_and_the_sweep_stalls)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    for (int attempt = 1; attempt <= 3; attempt++) {
        const struct broker_effect lease = lease_to(bench, one);
        cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING, "attempt %d", attempt);
        failed(bench, one, lease.send.lease.token, lease.send.lease.blocks, CAUSE_ERROR);
        cr_assert_eq(count_leases(bench, one), 0, "not at once again");
        if (attempt < 3) wait_out_backoff(bench);
    }
    cr_assert_eq(ledger_of(bench)->state, SWEEP_STALLED);
    cr_assert_eq(ledger_of(bench)->parked_count, 1);
    cr_assert_str_eq(ledger_of(bench)->parked[0].why, "it broke");
    cr_assert_eq(count_effects(bench, BROKER_KEEP_PARKED), 1);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_STATE), 1);
    wait_ms(bench, LEASE_MS / 2);
    cr_assert_eq(count_leases(bench, one), 0);
    const struct sweep_status status = status_of(bench);
    cr_assert(status.state == SWEEP_STALLED && status.parked == 1 && status.done == 0 && status.leased == 0);
    cr_assert_not_null(strstr(status.text, "block parked after 3 attempts each: 0; block 0: error: it broke"), "%s",
                       status.text);
    close_bench(bench);
}

/* Lets a cluster of three workers run until nothing moves. Whoever is lent the poison ends, and starts anew
 * as another instance. Answers how many did. */
static unsigned run_with_poison(struct bench *bench, uint64_t poison)
{
    static const struct peer peers[] = {
        {.size = 1, .bytes = "1"}, {.size = 1, .bytes = "2"}, {.size = 1, .bytes = "3"}};
    static const char *const names[] = {"w1", "w2", "w3"};
    unsigned crashes = 0;
    for (uint32_t at = 0; at < 3; at++) hello(bench, peers[at], ROLE_WORKER, names[at], at);
    for (int round = 0; round < 2000; round++) {
        bool moved = false;
        for (uint32_t at = 0; at < 3; at++) {
            heartbeat(bench, peers[at], 2, 0, NULL);
            const struct lent lent = oldest_lease(bench, names[at]);
            if (lent.token == 0) continue;
            moved = true;
            const bool fatal = lent.blocks.first <= poison && poison < range_end(lent.blocks);
            if (fatal) hello(bench, peers[at], ROLE_WORKER, names[at], 100 + crashes++);
            else done(bench, peers[at], lent.token, lent.blocks, 1000 * lent.blocks.count);
        }
        bench->now_ms += 50;
        step(bench, &(struct broker_event){.kind = BROKER_TICK, .now_ms = bench->now_ms});
        if (!moved && ledger_of(bench)->state != SWEEP_RUNNING) return crashes;
    }
    return crashes;
}

Test(broker, a_block_that_ends_its_workers_is_parked_and_everything_else_is_done)
{
    static const uint64_t poisons[] = {0, 1, 700, 4095};
    for (size_t row = 0; row < sizeof poisons / sizeof *poisons; row++) {
        struct bench *bench = open_bench();
        submit(bench, "s", 4096);
        const unsigned crashes = run_with_poison(bench, poisons[row]);
        const struct ledger *ledger = ledger_of(bench);
        cr_assert_eq(ledger->state, SWEEP_STALLED, "block %lu", poisons[row]);
        cr_assert_eq(ledger->done.total, 4095);
        cr_assert_eq(ledger->parked_count, 1);
        cr_assert_eq(ledger->parked[0].block, poisons[row]);
        cr_assert_eq(ledger->parked[0].cause, FAULT_CRASH);
        cr_assert_eq(crashes, LEDGER_ATTEMPTS, "no more workers end than attempts are made");
        close_bench(bench);
    }
}

/* Fails the only block of a sweep until it is parked. */
static void park_block(struct bench *bench)
{
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    for (int attempt = 1; attempt <= 3; attempt++) {
        const struct broker_effect lease = lease_to(bench, one);
        failed(bench, one, lease.send.lease.token, lease.send.lease.blocks, CAUSE_ERROR);
        if (attempt < 3) wait_out_backoff(bench);
    }
    cr_assert_eq(ledger_of(bench)->state, SWEEP_STALLED);
}

Test(broker, parked_blocks_are_tried_again_when_somebody_wants_it)
{
    static const enum message_kind kinds[] = {MESSAGE_RETRY, MESSAGE_SUBMIT};
    for (size_t row = 0; row < 2; row++) {
        struct bench *bench = open_bench();
        park_block(bench);
        if (kinds[row] == MESSAGE_RETRY) order(bench, MESSAGE_RETRY);
        else submit(bench, "s", 1);
        cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED), "row %zu", row);
        cr_assert_eq(count_effects(bench, BROKER_KEEP_PARKED), 1);
        cr_assert_eq(count_effects(bench, BROKER_KEEP_STATE), 1);
        cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING);
        cr_assert_eq(ledger_of(bench)->parked_count, 0);
        const struct broker_effect lease = lease_to(bench, one);
        failed(bench, one, lease.send.lease.token, lease.send.lease.blocks, CAUSE_ERROR);
        cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING, "it is as good as new");
        close_bench(bench);
    }
}

/* Fails the first block of a sweep on three workers; other blocks go on. */
static void park_first_block(struct bench *bench)
{
    const struct peer peers[] = {one, two, three};
    static const char *const names[] = {"w1", "w2", "w3"};
    submit(bench, "s", 100);
    for (uint32_t at = 0; at < 3; at++) {
        hello(bench, peers[at], ROLE_WORKER, names[at], at + 1);
        const struct broker_effect lease = lease_to(bench, peers[at]);
        cr_assert_eq(lease.send.lease.blocks.first, 0, "attempt %u", at);
        failed(bench, peers[at], lease.send.lease.token, lease.send.lease.blocks, CAUSE_ERROR);
        if (at < 2) wait_out_backoff(bench);
    }
    cr_assert_eq(ledger_of(bench)->parked_count, 1);
    cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING);
}

Test(broker, a_sweep_that_was_paused_catches_up_a_few_seconds_and_no_more)
{
    struct bench *bench = open_bench();
    const uint64_t block_us[] = {10000, 10000};
    uint64_t spent_us[2] = {0};
    submit_share(bench, "a", 0, 1, "");
    submit_share(bench, "b", 0, 1, "");
    order(bench, MESSAGE_PAUSE);
    hello_three(bench);
    work(bench, 300000, block_us, spent_us);
    cr_assert_eq(spent_us[1], 0);
    bench->id = bench->broker->sweeps[1].sweep;
    order(bench, MESSAGE_RESUME);
    spent_us[0] = 0;
    work(bench, 600000, block_us, spent_us);
    const double share = (double)spent_us[1] / (double)(spent_us[0] + spent_us[1]);
    cr_assert(share > 0.475 && share < 0.525, "%g", share);
    close_bench(bench);
}

static bool lends_block(const struct bench *bench, uint64_t block)
{
    for (size_t at = 0; at < bench->effects.count; at++) {
        const struct broker_effect *effect = &bench->effects.list[at];
        if (effect->kind != BROKER_SEND || effect->send.kind != MESSAGE_LEASE) continue;
        if (effect->send.lease.blocks.first <= block && block < range_end(effect->send.lease.blocks)) return true;
    }
    return false;
}

Test(broker, a_parked_block_of_a_sweep_that_runs_is_tried_again_when_somebody_wants_it)
{
    struct bench *bench = open_bench();
    park_first_block(bench);
    order(bench, MESSAGE_RETRY);
    const bool at_once = lends_block(bench, 0); /* to one who had room */
    cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED));
    cr_assert_eq(count_effects(bench, BROKER_KEEP_PARKED), 1);
    cr_assert_eq(ledger_of(bench)->parked_count, 0);
    hello(bench, (struct peer){.size = 1, .bytes = "4"}, ROLE_WORKER, "w4", 4);
    cr_assert(at_once || lends_block(bench, 0));
    close_bench(bench);
}

Test(broker, what_cannot_be_retried_is_refused)
{
    struct bench *bench = open_bench();
    order(bench, MESSAGE_RETRY);
    cr_assert_eq(find_send(bench, client, MESSAGE_ERROR)->send.error.code, ERROR_UNKNOWN);
    submit(bench, "s", 1);
    order(bench, MESSAGE_RETRY);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED), "there is nothing to do");
    order(bench, MESSAGE_CANCEL);
    order(bench, MESSAGE_RETRY);
    cr_assert_eq(find_send(bench, client, MESSAGE_ERROR)->send.error.code, ERROR_REFUSED);
    close_bench(bench);
}

Test(broker, a_parked_block_that_the_aggregator_has_after_all_is_done)
{
    struct bench *bench = open_bench();
    park_block(bench);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    held(bench, false, 1, &(struct block_range){0, 1});
    cr_assert_eq(ledger_of(bench)->parked_count, 0);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_PARKED), 1);
    held(bench, true, 1, &(struct block_range){0, 1});
    cr_assert_eq(ledger_of(bench)->state, SWEEP_DONE);
    close_bench(bench);
}

Test(broker, a_block_that_failed_goes_to_another_worker_and_alone)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 100);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    const struct block_range suspect = lease.send.lease.blocks;
    failed(bench, one, lease.send.lease.token, suspect, CAUSE_ERROR);
    hello(bench, two, ROLE_WORKER, "w2", 1);
    const struct lent of_two = oldest_lease(bench, "w2");
    wait_out_backoff(bench);
    cr_assert_eq(range_overlap(&ledger_of(bench)->aside, suspect), 1, "nobody is free");
    heartbeat(bench, one, 0, 0, NULL);
    done(bench, two, of_two.token, of_two.blocks, 300000);
    const struct lent other = oldest_lease(bench, "w2");
    done(bench, two, other.token, other.blocks, 300000);
    wait_ms(bench, 1);
    const struct lent last = oldest_lease(bench, "w2");
    cr_assert(last.blocks.first == suspect.first && last.blocks.count == 1);
    cr_assert_eq(roster_of_name(&bench->broker->roster, "w2")->lease_count, 1, "and alone");
    heartbeat(bench, two, 2, 1, &last.token);
    cr_assert_eq(count_leases(bench, two), 0, "it holds nothing else with it");
    done(bench, two, last.token, last.blocks, 300000);
    cr_assert_eq(ledger_of(bench)->fault_count, 0);
    cr_assert_geq(count_leases(bench, two), 1);
    close_bench(bench);
}

Test(broker, the_same_start_of_a_worker_counts_once_while_others_could_try)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    heartbeat(bench, two, 0, 0, NULL); /* here, and busy with something else */
    for (int attempt = 0; attempt < 5; attempt++) {
        for (int beat = 0; oldest_lease(bench, "w1").token == 0; beat++) {
            cr_assert_lt(beat, 1000, "a worker that never has room is not waited for without end");
            wait_ms(bench, HEARTBEAT_MS);
            heartbeat(bench, two, 0, 0, NULL);
            heartbeat(bench, one, 2, 0, NULL);
        }
        const struct lent lent = oldest_lease(bench, "w1");
        failed(bench, one, lent.token, lent.blocks, CAUSE_ERROR);
        cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING, "attempt %d", attempt);
    }
    close_bench(bench);
}

Test(broker, more_failing_blocks_than_can_be_parked_fail_the_sweep)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 200);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    for (int turn = 0; turn < 2000 && ledger_of(bench)->state == SWEEP_RUNNING; turn++) {
        const struct lent lent = oldest_lease(bench, "w1");
        if (lent.token != 0) failed(bench, one, lent.token, lent.blocks, CAUSE_ERROR);
        bench->now_ms += LEDGER_BACKOFF_MS;
        heartbeat(bench, one, 2, 0, NULL);
    }
    cr_assert_eq(ledger_of(bench)->state, SWEEP_FAILED);
    cr_assert_eq(ledger_of(bench)->parked_count, LEDGER_PARKED_MAX);
    cr_assert_not_null(strstr(ledger_of(bench)->text, "it broke"), "%s", ledger_of(bench)->text);
    order(bench, MESSAGE_RETRY);
    cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING);
    close_bench(bench);
}

Test(broker, many_workers_that_end_at_once_are_nobodys_fault)
{
    struct bench *bench = open_bench();
    char name[16];
    submit(bench, "s", 100000);
    for (uint32_t at = 0; at < 300; at++) {
        struct peer peer = {.size = 4};
        memcpy(peer.bytes, &at, sizeof at);
        snprintf(name, sizeof name, "w%u", at);
        hello(bench, peer, ROLE_WORKER, name, 1);
    }
    bench->now_ms += LEASE_MS;
    for (int turn = 0; turn < 100; turn++)
        step(bench, &(struct broker_event){.kind = BROKER_TICK, .now_ms = bench->now_ms});
    cr_assert_eq(broker_worker_count(bench->broker), 0);
    cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING);
    cr_assert_leq(ledger_of(bench)->fault_count, LEDGER_FAULTS_MAX);
    cr_assert_eq(ledger_of(bench)->parked_count, 0);
    close_bench(bench);
}

Test(broker, parked_blocks_come_back_after_a_restart)
{
    struct bench *bench = open_bench();
    const char *why;
    const struct digest none = {{0}};
    struct parked parked = {.block = 3, .attempts = 3, .cause = FAULT_CRASH, .why = "w1"};
    make_sweep(bench, "s", 4);
    cr_assert_not(broker_restore_parked(bench->broker, &bench->id, &parked), "no such sweep");
    cr_assert(broker_restore(bench->broker, buffer_span(&bench->sweep), false, SWEEP_STALLED, &none, "", &why));
    cr_assert(broker_restore_done(bench->broker, &bench->id, (struct block_range){0, 3}));
    cr_assert(broker_restore_parked(bench->broker, &bench->id, &parked));
    cr_assert_not(broker_restore_parked(bench->broker, &bench->id, &parked), "twice");
    parked.block = 2;
    cr_assert_not(broker_restore_parked(bench->broker, &bench->id, &parked), "done");
    parked.block = 4;
    cr_assert_not(broker_restore_parked(bench->broker, &bench->id, &parked), "beyond the sweep");
    hello(bench, one, ROLE_WORKER, "w1", 1);
    cr_assert_eq(count_leases(bench, one), 0);
    cr_assert_eq(ledger_of(bench)->state, SWEEP_STALLED);
    order(bench, MESSAGE_RETRY);
    cr_assert_eq(lease_to(bench, one).send.lease.blocks.first, 3);
    close_bench(bench);
}

Test(broker, a_stalled_sweep_without_its_parked_blocks_runs_again)
{
    struct bench *bench = open_bench();
    const char *why;
    const struct digest none = {{0}};
    make_sweep(bench, "s", 4);
    cr_assert(broker_restore(bench->broker, buffer_span(&bench->sweep), false, SWEEP_STALLED, &none, "", &why));
    hello(bench, one, ROLE_WORKER, "w1", 1);
    cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING);
    cr_assert_geq(count_leases(bench, one), 1);
    close_bench(bench);
}

/* Pausing */

Test(broker, a_paused_sweep_lends_nothing_and_finishes_what_is_lent)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 100);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    order(bench, MESSAGE_PAUSE);
    cr_assert_eq(bench->effects.list[0].kind, BROKER_KEEP_STATE);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED));
    cr_assert_null(find_send(bench, one, MESSAGE_CANCEL));
    const struct lent lent = oldest_lease(bench, "w1");
    done(bench, one, lent.token, lent.blocks, 1000);
    cr_assert_eq(count_leases(bench, one), 0);
    cr_assert_eq(ledger_of(bench)->done.total, lent.blocks.count);
    order(bench, MESSAGE_PAUSE);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_STATE), 0, "it is paused");
    order(bench, MESSAGE_RESUME);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_STATE), 1);
    cr_assert_geq(count_leases(bench, one), 1);
    order(bench, MESSAGE_CANCEL);
    order(bench, MESSAGE_RESUME);
    cr_assert_eq(find_send(bench, client, MESSAGE_ERROR)->send.error.code, ERROR_REFUSED);
    order(bench, MESSAGE_PAUSE);
    cr_assert_eq(find_send(bench, client, MESSAGE_ERROR)->send.error.code, ERROR_REFUSED);
    close_bench(bench);
}

Test(broker, a_shutdown_gives_blocks_back_and_is_not_counted)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    for (int attempt = 0; attempt < 10; attempt++) {
        const struct broker_effect lease = lease_to(bench, one);
        failed(bench, one, lease.send.lease.token, lease.send.lease.blocks, CAUSE_SHUTDOWN);
        cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING, "attempt %d", attempt);
        heartbeat(bench, one, 2, 0, NULL);
    }
    close_bench(bench);
}

Test(broker, a_worker_that_handed_back_has_no_room_until_a_heartbeat_says_so)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 2);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect lease = lease_to(bench, one);
    failed(bench, one, lease.send.lease.token, lease.send.lease.blocks, CAUSE_SHUTDOWN);
    cr_assert_eq(count_leases(bench, one), 0, "or the two would go on for ever");
    hello(bench, two, ROLE_WORKER, "w2", 1);
    cr_assert_gt(count_leases(bench, two), 0, "somebody else may have them at once");
    heartbeat(bench, one, 2, 0, NULL);
    cr_assert_gt(count_leases(bench, one), 0);
    close_bench(bench);
}

/* Late leases */

/* Time passes while these workers, which hold one lease each at most, say that they are there; until one of
 * them is lent something. */
static void pass(struct bench *bench, uint64_t ms, size_t count, const struct peer *workers)
{
    for (uint64_t gone = 0; gone < ms; gone += LENDING_LOOK_MS) {
        bench->now_ms += LENDING_LOOK_MS;
        for (size_t at = 0; at < count; at++) {
            const struct worker *worker = roster_of_peer(&bench->broker->roster, &workers[at]);
            const uint64_t token = worker->lease_count > 0 ? worker->leases[0] : worker->astray;
            heartbeat(bench, workers[at], token == 0 ? 2 : 1, token != 0, &token);
            for (size_t to = 0; to < count; to++)
                if (count_leases(bench, workers[to]) > 0) return;
        }
        bench->message.kind = MESSAGE_HEARTBEAT;
        bench->message.heartbeat.room = bench->message.heartbeat.token_count = 0;
        deliver(bench, aggregator);
    }
}

/* Of two blocks the first is with worker one, and the second was done in 100 ms by worker two. */
static struct broker_effect open_late(struct bench *bench)
{
    hello(bench, aggregator, ROLE_AGGREGATOR, "a", 9);
    submit(bench, "s", 2);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct broker_effect late = lease_to(bench, one);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    const struct broker_effect quick = lease_to(bench, two);
    done(bench, two, quick.send.lease.token, quick.send.lease.blocks, 100000);
    return late;
}

static const struct peer both[] = {{.size = 1, .bytes = "1"}, {.size = 1, .bytes = "2"}};

/* The copy of the late block, which worker two gets. */
static struct broker_effect copy_late(struct bench *bench)
{
    pass(bench, LENDING_COPY_MS + LENDING_LOOK_MS, 2, both);
    const struct broker_effect copy = lease_to(bench, two);
    cr_assert(copy.send.lease.blocks.first == 0 && copy.send.lease.blocks.count == 1);
    return copy;
}

Test(broker, a_late_block_is_lent_to_one_more_and_the_first_answer_counts)
{
    for (int first = 0; first < 2; first++) {
        struct bench *bench = open_bench();
        const struct broker_effect late = open_late(bench);
        pass(bench, LENDING_COPY_MS - LENDING_LOOK_MS, 2, both);
        cr_assert_eq(oldest_lease(bench, "w2").token, 0, "it is not late yet");
        const struct broker_effect copy = copy_late(bench);
        cr_assert_neq(copy.send.lease.token, late.send.lease.token);
        cr_assert_eq(status_of(bench).leased, 1, "a block counts once");
        hello(bench, three, ROLE_WORKER, "w3", 3);
        cr_assert_eq(count_leases(bench, three), 0, "and is lent to two at most");
        const struct peer winner = first == 0 ? one : two, loser = first == 0 ? two : one;
        const uint64_t tokens[] = {late.send.lease.token, copy.send.lease.token};
        done(bench, winner, tokens[first], late.send.lease.blocks, 5000000);
        cr_assert_not_null(find_send(bench, loser, MESSAGE_CANCEL), "what it computes is of no use");
        cr_assert_null(find_send(bench, winner, MESSAGE_CANCEL));
        cr_assert_eq(ledger_of(bench)->done.total, 2);
        cr_assert_eq(bench->broker->leases.count, 0);
        done(bench, loser, tokens[1 - first], late.send.lease.blocks, 5000000);
        cr_assert_eq(ledger_of(bench)->done.total, 2);
        cr_assert_eq(ledger_of(bench)->fault_count, 0, "nobody failed");
        close_bench(bench);
    }
}

Test(broker, a_late_block_is_not_lent_again_while_nothing_says_that_it_is_of_use)
{
    static const char *const rows[] = {"nobody is idle", "the sweep is paused", "no aggregator is there",
                                       "the idle worker is draining"};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench *bench = open_bench();
        open_late(bench);
        if (row == 0) {
            bench->message.kind = MESSAGE_GOODBYE;
            deliver(bench, two);
        } else if (row == 1) {
            order(bench, MESSAGE_PAUSE);
        } else if (row == 2) {
            bench->message.kind = MESSAGE_GOODBYE;
            deliver(bench, aggregator);
        } else {
            bench->message.kind = MESSAGE_DRAIN;
            strcpy(bench->message.drain.name, "w2");
            deliver(bench, client);
        }
        pass(bench, 4 * LENDING_COPY_MS, row == 0 ? 1 : 2, both);
        cr_assert_eq(bench->broker->counters.leases_copied, 0, "%s", rows[row]);
        close_bench(bench);
    }
}

Test(broker, a_block_without_a_measured_time_is_waited_for_longer)
{
    struct bench *bench = open_bench();
    hello(bench, aggregator, ROLE_AGGREGATOR, "a", 9);
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    pass(bench, LENDING_UNMEASURED_MS - LENDING_LOOK_MS, 2, both);
    cr_assert_eq(bench->broker->counters.leases_copied, 0);
    pass(bench, 2 * LENDING_LOOK_MS, 2, both);
    cr_assert_eq(lease_to(bench, two).send.lease.blocks.first, 0);
    close_bench(bench);
}

Test(broker, a_copy_that_is_lost_or_handed_back_counts_as_no_failure)
{
    struct bench *bench = open_bench();
    const struct broker_effect late = open_late(bench);
    copy_late(bench);
    hello(bench, two, ROLE_WORKER, "w2", 3); /* it died, and is back */
    cr_assert_eq(ledger_of(bench)->fault_count, 0);
    cr_assert_eq(oldest_lease(bench, "w1").token, late.send.lease.token, "the first lease goes on");
    pass(bench, 2 * LENDING_COPY_MS + LENDING_LOOK_MS, 2, both);
    const struct broker_effect copy = lease_to(bench, two);
    failed(bench, two, copy.send.lease.token, copy.send.lease.blocks, CAUSE_SHUTDOWN);
    cr_assert_eq(ledger_of(bench)->fault_count, 0);
    cr_assert_eq(status_of(bench).leased, 1);
    close_bench(bench);
}

Test(broker, a_block_that_ends_every_worker_that_gets_a_copy_has_failed_in_the_end)
{
    struct bench *bench = open_bench();
    open_late(bench);
    for (uint32_t lost = 1; lost <= LENDING_COPIES_MAX; lost++) {
        pass(bench, (LENDING_COPY_MS << lost) + LENDING_LOOK_MS, 2, both);
        lease_to(bench, two);
        hello(bench, two, ROLE_WORKER, "w2", 2 + lost);
        cr_assert_eq(ledger_of(bench)->fault_count, lost == LENDING_COPIES_MAX, "%u lost", lost);
    }
    cr_assert_eq(bench->broker->leases.count, 0);
    cr_assert_eq(ledger_of(bench)->aside.total, 1, "it is tried again like any that failed");
    close_bench(bench);
}

Test(broker, a_first_lease_that_is_lost_leaves_its_block_to_the_copy)
{
    struct bench *bench = open_bench();
    open_late(bench);
    const struct broker_effect copy = copy_late(bench);
    hello(bench, one, ROLE_WORKER, "w1", 7);
    cr_assert_eq(count_leases(bench, one), 0);
    cr_assert_eq(ledger_of(bench)->fault_count, 0);
    done(bench, two, copy.send.lease.token, copy.send.lease.blocks, 100000);
    cr_assert_eq(ledger_of(bench)->done.total, 2);
    close_bench(bench);
}

Test(broker, an_error_of_either_lease_is_an_answer_for_both)
{
    struct bench *bench = open_bench();
    open_late(bench);
    const struct broker_effect copy = copy_late(bench);
    failed(bench, two, copy.send.lease.token, copy.send.lease.blocks, CAUSE_ERROR);
    cr_assert_eq(bench->broker->leases.count, 0);
    cr_assert_eq(ledger_of(bench)->faults[0].attempts, 1);
    wait_out_backoff(bench);
    cr_assert_eq(oldest_lease(bench, "w1").token, 0, "it may still be at the block");
    close_bench(bench);
}

Test(broker, a_copy_that_is_late_too_takes_the_place_of_the_first_lease)
{
    static const struct peer all[] = {{.size = 1, .bytes = "1"}, {.size = 1, .bytes = "2"}, {.size = 1, .bytes = "3"}};
    struct bench *bench = open_bench();
    const struct broker_effect late = open_late(bench);
    copy_late(bench);
    hello(bench, three, ROLE_WORKER, "w3", 3);
    pass(bench, 2 * LENDING_COPY_MS + 2 * LENDING_LOOK_MS, 3, all);
    const struct broker_effect third = lease_to(bench, three);
    cr_assert_eq(third.send.lease.blocks.first, 0);
    cr_assert_eq(oldest_lease(bench, "w1").token, 0);
    pass(bench, LENDING_COPY_MS, 3, all);
    cr_assert_eq(oldest_lease(bench, "w1").token, 0, "it names the old lease, and so gets nothing");
    order(bench, MESSAGE_CANCEL);
    for (size_t at = 0; at < 3; at++)
        cr_assert_not_null(find_send(bench, all[at], MESSAGE_CANCEL), "worker %zu computes in vain", at);
    done(bench, one, late.send.lease.token, late.send.lease.blocks, 9000000);
    cr_assert_eq(bench->broker->leases.count, 0);
    close_bench(bench);
}

/* Worker one has many quick blocks in a lease, which turn out to be slow, and worker two has none. */
static struct broker_effect open_slow(struct bench *bench)
{
    hello(bench, aggregator, ROLE_AGGREGATOR, "a", 9);
    submit(bench, "s", 40);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    while (ledger_of(bench)->done.total < 32) {
        const struct lent lent = oldest_lease(bench, "w1");
        done(bench, one, lent.token, lent.blocks, lent.blocks.count * 1000);
    }
    const struct lent lent = oldest_lease(bench, "w1");
    cr_assert_gt(lent.blocks.count, 1);
    hello(bench, two, ROLE_WORKER, "w2", 2);
    while (oldest_lease(bench, "w2").token != 0) {
        const struct lent quick = oldest_lease(bench, "w2");
        done(bench, two, quick.token, quick.blocks, quick.blocks.count * 1000);
    }
    struct broker_effect lease = {.send = {.lease = {lent.token, lent.blocks}}};
    return lease;
}

static void give_back(struct bench *bench, struct peer from, uint64_t token, struct block_range blocks)
{
    bench->message.kind = MESSAGE_RETURNED;
    bench->message.returned.token = token;
    bench->message.returned.sweep = bench->id;
    bench->message.returned.blocks = blocks;
    deliver(bench, from);
}

Test(broker, what_is_not_begun_of_a_slow_lease_is_recalled_for_somebody_idle)
{
    struct bench *bench = open_bench();
    const struct broker_effect slow = open_slow(bench);
    const struct block_range blocks = slow.send.lease.blocks;
    uint64_t recalled = 0;
    for (uint64_t gone = 0; gone < 2 * LENDING_RECALL_MS && recalled == 0; gone += LENDING_LOOK_MS) {
        wait_ms(bench, LENDING_LOOK_MS);
        const struct broker_effect *recall = find_send(bench, one, MESSAGE_RECALL);
        if (recall == NULL) continue;
        cr_assert_geq(gone + LENDING_LOOK_MS, LENDING_RECALL_MS);
        cr_assert(broker_compose(bench->broker, recall, &bench->message));
        recalled = bench->message.recall.token;
    }
    cr_assert_eq(recalled, slow.send.lease.token);
    give_back(bench, one, recalled, (struct block_range){blocks.first + 1, blocks.count - 1});
    cr_assert_eq(count_leases(bench, one), 0);
    const struct broker_effect next = lease_to(bench, two);
    cr_assert_eq(next.send.lease.blocks.first, blocks.first + 1, "it goes to somebody idle at once");
    cr_assert_eq(ledger_of(bench)->fault_count, 0);
    done(bench, one, recalled, (struct block_range){blocks.first, 1}, 1000000);
    cr_assert_eq(lease_find(&bench->broker->leases, recalled), NULL, "what was begun was all that was left");
    close_bench(bench);
}

Test(broker, only_the_end_of_a_lease_can_be_returned)
{
    struct bench *bench = open_bench();
    const struct broker_effect lease = open_slow(bench);
    const struct block_range blocks = lease.send.lease.blocks;
    const struct block_range rows[] = {{blocks.first, 1},
                                       {blocks.first + 1, blocks.count},
                                       {blocks.first, blocks.count + 1},
                                       {blocks.first + blocks.count, 1}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        give_back(bench, one, lease.send.lease.token, rows[row]);
        cr_assert_not_null(find_send(bench, one, MESSAGE_ERROR), "row %zu", row);
        cr_assert_eq(oldest_lease(bench, "w1").blocks.count, blocks.count, "row %zu", row);
    }
    give_back(bench, two, lease.send.lease.token, blocks);
    cr_assert_eq(oldest_lease(bench, "w1").blocks.count, blocks.count, "it is not that worker's");
    give_back(bench, one, lease.send.lease.token, blocks);
    cr_assert_eq(lease_find(&bench->broker->leases, lease.send.lease.token), NULL);
    close_bench(bench);
}

Test(broker, blocks_that_overlapped_are_lent_one_by_one)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1 << 16);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    struct broker_effect lease = lease_to(bench, one);
    while (lease.send.lease.blocks.count < 16) {
        done(bench, one, lease.send.lease.token, lease.send.lease.blocks, lease.send.lease.blocks.count * 1000);
        lease = lease_to(bench, one);
    }
    failed(bench, one, lease.send.lease.token, lease.send.lease.blocks, CAUSE_OVERLAP);
    const struct broker_effect single = lease_to(bench, one);
    cr_assert_eq(single.send.lease.blocks.first, lease.send.lease.blocks.first);
    cr_assert_eq(single.send.lease.blocks.count, 1);
    close_bench(bench);
}

Test(broker, a_cancelled_sweep_that_is_submitted_again_runs_again)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    order(bench, MESSAGE_CANCEL);
    submit(bench, "s", 1);
    cr_assert_eq(count_effects(bench, BROKER_KEEP_STATE), 1);
    cr_assert_eq(ledger_of(bench)->state, SWEEP_RUNNING);
    cr_assert_eq(count_leases(bench, one), 1);
    close_bench(bench);
}

Test(broker, a_cancelled_sweep_calls_its_leases_back)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 100);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    bench->message.kind = MESSAGE_CANCEL;
    bench->message.cancel.sweep = bench->id;
    deliver(bench, client);
    cr_assert_not_null(find_send(bench, client, MESSAGE_ACCEPTED));
    cr_assert_not_null(find_send(bench, one, MESSAGE_CANCEL));
    cr_assert_eq(ledger_of(bench)->state, SWEEP_CANCELLED);
    cr_assert_eq(ledger_of(bench)->taken.total, 0);
    const struct broker_effect *wanted = find_send(bench, aggregator, MESSAGE_WANTED);
    cr_assert_not_null(wanted);
    cr_assert(broker_compose(bench->broker, wanted, &bench->message));
    cr_assert_eq(bench->message.wanted.count, 0);
    close_bench(bench);
}

/* Workers */

static void drain(struct bench *bench, const char *name)
{
    bench->message.kind = MESSAGE_DRAIN;
    strcpy(bench->message.drain.name, name);
    deliver(bench, client);
}

Test(broker, a_drained_worker_keeps_what_it_has_and_gets_nothing_more)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 100);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    drain(bench, "w1");
    const struct broker_effect *order = find_send(bench, one, MESSAGE_DRAIN);
    cr_assert_not_null(order);
    cr_assert_not(find_send(bench, client, MESSAGE_ACCEPTED)->send.known);
    cr_assert(broker_compose(bench->broker, order, &bench->message));
    cr_assert_str_eq(bench->message.drain.name, "w1");
    struct lent lent = oldest_lease(bench, "w1");
    cr_assert_neq(lent.token, 0);
    while ((lent = oldest_lease(bench, "w1")).token != 0) {
        done(bench, one, lent.token, lent.blocks, 1000);
        cr_assert_eq(count_leases(bench, one), 0);
    }
    heartbeat(bench, one, 2, 0, NULL);
    cr_assert_eq(count_leases(bench, one), 0);
    cr_assert_not_null(find_send(bench, one, MESSAGE_DRAIN), "a worker with room has not heard of it");
    heartbeat(bench, one, 0, 0, NULL);
    cr_assert_null(find_send(bench, one, MESSAGE_DRAIN));
    drain(bench, "w1");
    cr_assert(find_send(bench, client, MESSAGE_ACCEPTED)->send.known);
    drain(bench, "w2");
    cr_assert_eq(find_send(bench, client, MESSAGE_ERROR)->send.error.code, ERROR_UNKNOWN);
    bench->message.kind = MESSAGE_GOODBYE;
    deliver(bench, one);
    hello(bench, one, ROLE_WORKER, "w1", 2);
    cr_assert_geq(count_leases(bench, one), 1, "the next start is another worker");
    close_bench(bench);
}

Test(broker, every_worker_is_listed_once_over_several_messages)
{
    struct bench *bench = open_bench();
    char name[16];
    const uint32_t count = 2 * MESSAGE_WORKERS_MAX + 10;
    submit(bench, "s", 1);
    for (uint32_t at = 0; at < count; at++) {
        struct peer peer = {.size = 4};
        memcpy(peer.bytes, &at, sizeof at);
        snprintf(name, sizeof name, "w%u", at);
        hello(bench, peer, ROLE_WORKER, name, at);
    }
    drain(bench, "w7");
    bench->now_ms += 250;
    uint32_t listed = 0, busy = 0, draining = 0, messages = 0;
    uint64_t from = 0;
    do {
        bench->message.kind = MESSAGE_WORKERS;
        bench->message.workers.from = from;
        deliver(bench, client);
        cr_assert(broker_compose(bench->broker, find_send(bench, client, MESSAGE_ROSTER), &bench->message));
        for (uint32_t at = 0; at < bench->message.roster.count; at++) {
            const struct worker_status *worker = &bench->message.roster.list[at];
            snprintf(name, sizeof name, "w%u", listed++);
            cr_assert_str_eq(worker->name, name);
            cr_assert_eq(worker->silent_ms, 250);
            cr_assert_eq(worker->leases, worker->state == WORKER_BUSY);
            busy += worker->state == WORKER_BUSY;
            draining += worker->state == WORKER_DRAINING;
        }
        from = bench->message.roster.next;
    } while (from != 0 && ++messages < 10);
    cr_assert(listed == count && busy == 1 && draining == 1, "%u, %u, %u", listed, busy, draining);
    close_bench(bench);
}

/* Meeting */

Test(broker, strangers_are_told_so)
{
    const enum message_kind kinds[] = {MESSAGE_HEARTBEAT, MESSAGE_DONE, MESSAGE_FAILED, MESSAGE_HELD};
    for (size_t row = 0; row < sizeof kinds / sizeof *kinds; row++) {
        struct bench *bench = open_bench();
        bench->message.kind = kinds[row];
        deliver(bench, one);
        cr_assert_not_null(find_send(bench, one, MESSAGE_STRANGER), "%s", message_kind_name(kinds[row]));
        close_bench(bench);
    }
}

Test(broker, a_quiet_broker_still_answers_heartbeats)
{
    struct bench *bench = open_bench();
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    for (int beat = 0; beat < 5; beat++) {
        wait_ms(bench, HEARTBEAT_MS);
        heartbeat(bench, one, 2, 0, NULL);
        cr_assert_not_null(find_send(bench, one, MESSAGE_WELCOME), "beat %d", beat);
        heartbeat(bench, aggregator, 0, 0, NULL);
        cr_assert_not_null(find_send(bench, aggregator, MESSAGE_WELCOME), "beat %d", beat);
    }
    close_bench(bench);
}

static uint64_t interval_told(struct bench *bench, struct peer to)
{
    const struct broker_effect *effect = find_send(bench, to, MESSAGE_WELCOME);
    cr_assert_not_null(effect);
    cr_assert(broker_compose(bench->broker, effect, &bench->message));
    return bench->message.welcome.heartbeat_ms;
}

static struct peer numbered_peer(uint32_t number)
{
    struct peer peer = {.size = sizeof number};
    memcpy(peer.bytes, &number, sizeof number);
    return peer;
}

static uint64_t interval_for(uint32_t workers, uint64_t most_ms)
{
    const uint64_t afforded_ms = workers * 5 / 2, wanted_ms = afforded_ms < most_ms ? afforded_ms : most_ms;
    return wanted_ms > HEARTBEAT_MS ? wanted_ms : HEARTBEAT_MS;
}

Test(broker, many_workers_are_heard_less_often_but_three_times_in_a_lease)
{
    struct bench *bench = open_bench();
    char name[32];
    for (uint32_t number = 1; number <= 2000; number++) {
        const struct peer peer = numbered_peer(number << 8 | 1);
        snprintf(name, sizeof name, "w%u", number);
        hello(bench, peer, ROLE_WORKER, name, number);
        cr_assert_eq(interval_told(bench, peer), interval_for(number, LEASE_MS / 2), "with %u workers", number);
    }
    hello(bench, aggregator, ROLE_AGGREGATOR, "a", 1);
    cr_assert_eq(interval_told(bench, aggregator), HEARTBEAT_MS, "there is only one aggregator");

    submit(bench, "x", 1000000);
    const struct peer last = numbered_peer(2000 << 8 | 1);
    for (int turns = 0; turns < 100 && count_leases(bench, last) == 0; turns++) wait_ms(bench, 1);
    const uint64_t token = lease_to(bench, last).send.lease.token;
    wait_ms(bench, HEARTBEAT_MS);
    heartbeat(bench, last, 0, 1, &token);
    cr_assert_eq(interval_told(bench, last), interval_for(2000, LEASE_MS / 3), "it has a lease to renew");
    close_bench(bench);
}

Test(broker, workers_are_told_when_the_aggregator_comes)
{
    struct bench *bench = open_bench();
    hello(bench, one, ROLE_WORKER, "w1", 1);
    hello(bench, two, ROLE_WORKER, "w2", 1);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    const struct broker_effect *welcome = find_send(bench, two, MESSAGE_WELCOME);
    cr_assert_not_null(find_send(bench, one, MESSAGE_WELCOME));
    cr_assert_not_null(welcome);
    cr_assert(broker_compose(bench->broker, welcome, &bench->message));
    cr_assert_str_eq(bench->message.welcome.aggregator, "ipc:///a");
    close_bench(bench);
}

static void hello_at(struct bench *bench, struct peer from, uint64_t instance, const char *endpoint)
{
    bench->message.kind = MESSAGE_HELLO;
    memset(&bench->message.hello, 0, sizeof bench->message.hello);
    bench->message.hello.role = ROLE_AGGREGATOR;
    bench->message.hello.instance = instance;
    strcpy(bench->message.hello.endpoint, endpoint);
    deliver(bench, from);
}

Test(broker, there_is_one_aggregator_at_a_time)
{
    struct bench *bench = open_bench();
    hello_at(bench, aggregator, 1, "ipc:///a");
    bench->now_ms += 3 * HEARTBEAT_MS - 1;
    hello_at(bench, two, 2, "ipc:///b");
    cr_assert_eq(find_send(bench, two, MESSAGE_ERROR)->send.error.code, ERROR_REFUSED);
    cr_assert_null(find_send(bench, two, MESSAGE_WELCOME));
    bench->now_ms += 1;
    hello_at(bench, two, 2, "ipc:///b");
    cr_assert_not_null(find_send(bench, two, MESSAGE_WELCOME), "the first has been silent");
    hello_at(bench, three, 3, "ipc:///b");
    cr_assert_not_null(find_send(bench, three, MESSAGE_WELCOME), "it was restarted");
    hello_at(bench, one, 3, "ipc:///c");
    cr_assert_not_null(find_send(bench, one, MESSAGE_WELCOME), "it has moved");
    close_bench(bench);
}

Test(broker, the_aggregator_is_told_which_sweeps_are_open)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
    const struct broker_effect *wanted = find_send(bench, aggregator, MESSAGE_WANTED);
    cr_assert_not_null(wanted);
    cr_assert(broker_compose(bench->broker, wanted, &bench->message));
    cr_assert_eq(bench->message.wanted.count, 1);
    cr_assert(digest_equal(&bench->message.wanted.sweeps[0], &bench->id));
    submit(bench, "t", 1);
    cr_assert_not_null(find_send(bench, aggregator, MESSAGE_WANTED), "and again when that changes");
    close_bench(bench);
}

Test(broker, items_are_given_to_anybody_and_unknown_ones_to_nobody)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 1);
    bench->message.kind = MESSAGE_FETCH;
    bench->message.fetch.item = ITEM_SWEEP;
    bench->message.fetch.digest = bench->id;
    deliver(bench, three);
    cr_assert_not_null(find_send(bench, three, MESSAGE_ITEM));
    bench->message.fetch.item = ITEM_POPULATION;
    deliver(bench, three);
    cr_assert_eq(find_send(bench, three, MESSAGE_ERROR)->send.error.code, ERROR_UNKNOWN);
    close_bench(bench);
}

Test(broker, nobody_answers_an_error)
{
    struct bench *bench = open_bench();
    bench->message.kind = MESSAGE_ERROR;
    deliver(bench, client);
    cr_assert_eq(bench->effects.count, 0);
    close_bench(bench);
}

Test(broker, workers_are_wanted_for_blocks_that_are_not_done_by_their_measured_time)
{
    static const struct {
        uint64_t block_us, wanted;
    } rows[] = {{1000, 1}, {10000000, 200}, {59000000, 999}, {600000000, 999}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench *bench = open_bench();
        cr_assert_eq(broker_wanted_workers(bench->broker), 0, "no work, no workers");
        submit(bench, "s", 1000);
        cr_assert_eq(broker_wanted_workers(bench->broker), 17, "a block is taken for a second until one is measured");
        hello(bench, one, ROLE_WORKER, "w1", 1);
        const uint64_t token = find_send(bench, one, MESSAGE_LEASE)->send.lease.token;
        done(bench, one, token, (struct block_range){0, 1}, rows[row].block_us);
        cr_assert_eq(broker_wanted_workers(bench->broker), rows[row].wanted, "row %zu: %llu", row,
                     (unsigned long long)broker_wanted_workers(bench->broker));
        hello(bench, aggregator, ROLE_AGGREGATOR, "agg", 1);
        held(bench, false, 1, &(struct block_range){0, 1000});
        cr_assert_eq(broker_wanted_workers(bench->broker), 0, "what is done wants nobody");
        close_bench(bench);
    }
}

Test(broker, many_small_sweeps_want_no_more_workers_than_their_work_does)
{
    struct bench *bench = open_bench();
    char name[16];
    for (int at = 0; at < 200; at++) {
        snprintf(name, sizeof name, "s%d", at);
        submit(bench, name, 1);
    }
    cr_assert_eq(broker_wanted_workers(bench->broker), 4, "200 blocks of a second are four shares of a minute");
    submit(bench, "large", 100);
    cr_assert_eq(broker_wanted_workers(bench->broker), 5, "300 s of work");
    close_bench(bench);
}

Test(broker, status_tells_of_one_sweep_or_of_all)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 60);
    submit(bench, "t", 70);
    hello(bench, one, ROLE_WORKER, "w1", 1);
    const struct digest none = {{0}}, unknown = {{1}};
    const struct {
        const struct digest *asked;
        uint32_t count;
    } rows[] = {{&none, 2}, {&bench->id, 1}};
    for (size_t row = 0; row < 2; row++) {
        bench->message.kind = MESSAGE_STATUS;
        bench->message.status.sweep = *rows[row].asked;
        deliver(bench, client);
        cr_assert(broker_compose(bench->broker, find_send(bench, client, MESSAGE_SWEEPS), &bench->message));
        cr_assert_eq(bench->message.sweeps.count, rows[row].count, "row %zu", row);
        cr_assert_eq(bench->message.sweeps.workers, 1);
        cr_assert_eq(bench->message.sweeps.wanted_workers, 3, "of all sweeps, whichever was asked for");
    }
    bench->message.kind = MESSAGE_STATUS;
    bench->message.status.sweep = unknown;
    deliver(bench, client);
    cr_assert_eq(find_send(bench, client, MESSAGE_ERROR)->send.error.code, ERROR_UNKNOWN);
    close_bench(bench);
}

Test(broker, more_to_do_than_one_step_holds_is_done_in_the_next)
{
    struct bench *bench = open_bench();
    char name[16];
    for (uint32_t at = 0; at < 1000; at++) {
        struct peer peer = {.size = 4};
        memcpy(peer.bytes, &at, sizeof at);
        snprintf(name, sizeof name, "w%u", at);
        broker_step(bench->broker, &(struct broker_event){.kind = BROKER_TICK, .now_ms = bench->now_ms},
                    &bench->effects);
        hello(bench, peer, ROLE_WORKER, name, 1);
    }
    submit(bench, "s", 100000);
    size_t leases = 0;
    for (int turn = 0; turn < 100; turn++) {
        for (size_t at = 0; at < bench->effects.count; at++)
            leases += bench->effects.list[at].kind == BROKER_SEND && bench->effects.list[at].send.kind == MESSAGE_LEASE;
        if (broker_next_due_ms(bench->broker) > bench->now_ms) break;
        step(bench, &(struct broker_event){.kind = BROKER_TICK, .now_ms = bench->now_ms});
    }
    cr_assert_eq(leases, 2000);
    close_bench(bench);
}
