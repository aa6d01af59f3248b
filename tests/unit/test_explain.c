/* Why a sweep is not further on: each reason, and which goes first when several hold. */
#include "explain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "sweep_codec.h"

#define LEASE_MS 5000
#define BLOCKS   8

static const struct peer client = {.size = 1, .bytes = "c"}, aggregator = {.size = 1, .bytes = "a"};

/* A broker with a clock. */
struct desk {
    struct broker *broker;
    uint64_t now_ms;
    struct broker_effects effects;
    struct message message; /* scratch, to be filled before it is delivered */
    struct digest id;       /* of the sweep that is asked about */
};

static struct peer worker_at(int number)
{
    return (struct peer){.size = 2, .bytes = {'w', (uint8_t)number}};
}

static void deliver(struct desk *desk, struct peer from)
{
    broker_step(
        desk->broker,
        &(struct broker_event){.kind = BROKER_MESSAGE, .now_ms = desk->now_ms, .peer = from, .message = &desk->message},
        &desk->effects);
    cr_assert(broker_is_sound(desk->broker));
}

static void wait_ms(struct desk *desk, uint64_t ms)
{
    desk->now_ms += ms;
    broker_step(desk->broker, &(struct broker_event){.kind = BROKER_TICK, .now_ms = desk->now_ms}, &desk->effects);
}

static struct digest submit(struct desk *desk, const char *name, uint64_t blocks, uint32_t priority, const char *tenant)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    struct buffer bytes = {0};
    snprintf(sweep->name, sizeof sweep->name, "%s", name);
    strcpy(sweep->model, "entitlement");
    strcpy(sweep->model_version, "1");
    strcpy(sweep->population_name, "england-2023");
    sweep->years = 1;
    sweep->first_year = 202526;
    sweep->method = DESIGN_RANDOM;
    sweep->draws = blocks * 4;
    sweep->draws_per_block = 4;
    sweep->levels = 1u << AREA_ENGLAND;
    sweep->parameter_count = 1;
    strcpy(sweep->parameters[0].name, "p");
    sweep->scenario_count = 1;
    strcpy(sweep->scenarios[0].name, "base");
    sweep_encode(sweep, &bytes);
    const struct digest id = sweep_identity(sweep);
    desk->message.kind = MESSAGE_SUBMIT;
    memset(&desk->message.submit, 0, sizeof desk->message.submit);
    desk->message.submit.sweep = buffer_span(&bytes);
    desk->message.submit.priority = priority;
    snprintf(desk->message.submit.tenant, sizeof desk->message.submit.tenant, "%s", tenant);
    deliver(desk, client);
    buffer_free(&bytes);
    free(sweep);
    return id;
}

static void hello(struct desk *desk, struct peer from, enum message_role role, const char *name, uint64_t instance)
{
    desk->message.kind = MESSAGE_HELLO;
    memset(&desk->message.hello, 0, sizeof desk->message.hello);
    desk->message.hello.role = role;
    desk->message.hello.instance = instance;
    snprintf(desk->message.hello.name, sizeof desk->message.hello.name, "%s", name);
    if (role == ROLE_AGGREGATOR) strcpy(desk->message.hello.endpoint, "ipc:///a");
    deliver(desk, from);
}

static void add_aggregator(struct desk *desk)
{
    hello(desk, aggregator, ROLE_AGGREGATOR, "a", 99);
}

static void add_worker(struct desk *desk, int number)
{
    char name[8];
    snprintf(name, sizeof name, "w%d", number);
    hello(desk, worker_at(number), ROLE_WORKER, name, (uint64_t)number);
}

static void order(struct desk *desk, enum message_kind kind)
{
    desk->message.kind = kind;
    desk->message.pause.sweep = desk->id;
    deliver(desk, client);
}

static void hold(struct desk *desk, uint64_t count, bool complete)
{
    desk->message.kind = MESSAGE_HELD;
    memset(&desk->message.held, 0, sizeof desk->message.held);
    desk->message.held.sweep = desk->id;
    desk->message.held.complete = complete;
    memset(desk->message.held.result.bytes, complete ? 7 : 0, DIGEST_BYTES);
    desk->message.held.count = 1;
    desk->message.held.ranges[0] = (struct block_range){0, count};
    deliver(desk, aggregator);
}

/* The first lease of the sweep that is asked about which is out. */
static const struct lease *some_lease(const struct desk *desk)
{
    const struct lease *lease = lease_first(&desk->broker->leases);
    while (lease != NULL && !digest_equal(&desk->broker->sweeps[lease->sweep].sweep, &desk->id))
        lease = lease_next(&desk->broker->leases, lease);
    return lease;
}

static void fail_lease(struct desk *desk, const char *text)
{
    const struct lease *lease = some_lease(desk);
    cr_assert_not_null(lease);
    const struct peer from = desk->broker->roster.slots[lease->worker].peer;
    desk->message.kind = MESSAGE_FAILED;
    memset(&desk->message.failed, 0, sizeof desk->message.failed);
    desk->message.failed.token = lease->token;
    desk->message.failed.sweep = desk->id;
    desk->message.failed.blocks = lease->blocks;
    desk->message.failed.cause = CAUSE_ERROR;
    strcpy(desk->message.failed.text, text);
    deliver(desk, from);
}

static void finish_lease(struct desk *desk)
{
    const struct lease *lease = some_lease(desk);
    cr_assert_not_null(lease);
    const struct peer from = desk->broker->roster.slots[lease->worker].peer;
    desk->message.kind = MESSAGE_DONE;
    desk->message.done.token = lease->token;
    desk->message.done.sweep = desk->id;
    desk->message.done.blocks = lease->blocks;
    desk->message.done.compute_us = lease->blocks.count * 2000000; /* too long to be lent ahead */
    deliver(desk, from);
}

static void drain(struct desk *desk, const char *name)
{
    desk->message.kind = MESSAGE_DRAIN;
    memset(&desk->message.drain, 0, sizeof desk->message.drain);
    strcpy(desk->message.drain.name, name);
    deliver(desk, client);
}

/* Arrangements. The sweep that is asked about has been submitted. */

static void all_held_and_complete(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, BLOCKS, true);
}

static void done_without_anybody(struct desk *desk)
{
    all_held_and_complete(desk);
    desk->message.kind = MESSAGE_GOODBYE;
    deliver(desk, aggregator);
}

static void cancelled_in_the_middle(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, 3, false);
    order(desk, MESSAGE_CANCEL);
}

static void cancelled_while_paused(struct desk *desk)
{
    order(desk, MESSAGE_PAUSE);
    order(desk, MESSAGE_CANCEL);
}

static void failed_with_a_text_of_two_lines(struct desk *desk)
{
    struct ledger *ledger = &desk->broker->sweeps[0];
    ledger->state = SWEEP_FAILED;
    strcpy(ledger->text, "more than 64 blocks fail\n\tand so on");
}

static void paused_without_anybody(struct desk *desk)
{
    order(desk, MESSAGE_PAUSE);
}

static void paused_with_a_lease_out(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, BLOCKS - 1, false);
    add_worker(desk, 1);
    order(desk, MESSAGE_PAUSE);
}

/* The last block fails on three starts of workers. */
static void park_the_last_block(struct desk *desk)
{
    for (int number = 1; number <= (int)LEDGER_ATTEMPTS; number++) add_worker(desk, number);
    for (uint32_t times = 0; times < LEDGER_ATTEMPTS; times++) {
        fail_lease(desk, "it\nbroke");
        wait_ms(desk, LEDGER_BACKOFF_MS << LEDGER_ATTEMPTS);
    }
}

static void stalled_and_then_the_aggregator_left(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, BLOCKS - 1, false);
    park_the_last_block(desk);
    desk->message.kind = MESSAGE_GOODBYE;
    deliver(desk, aggregator);
}

static void nobody(struct desk *desk)
{
    (void)desk;
}

static void all_done_and_the_aggregator_left(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, BLOCKS, false);
    desk->message.kind = MESSAGE_GOODBYE;
    deliver(desk, aggregator);
}

static void workers_all_draining(struct desk *desk)
{
    order(desk, MESSAGE_PAUSE);
    add_aggregator(desk);
    add_worker(desk, 1);
    add_worker(desk, 2);
    drain(desk, "w1");
    drain(desk, "w2");
    order(desk, MESSAGE_RESUME);
}

/* Another sweep has every worker before this one may have any. */
static void behind(struct desk *desk, uint32_t priority, const char *tenant)
{
    order(desk, MESSAGE_PAUSE);
    add_aggregator(desk);
    submit(desk, "other", 100, priority, tenant);
    add_worker(desk, 1);
    order(desk, MESSAGE_RESUME);
}

static void behind_a_higher_priority(struct desk *desk)
{
    behind(desk, 5, "");
}

static void behind_the_share_of_a_tenant(struct desk *desk)
{
    behind(desk, 5, "them");
}

static void behind_and_the_aggregator_left(struct desk *desk)
{
    behind(desk, 5, "");
    desk->message.kind = MESSAGE_GOODBYE;
    deliver(desk, aggregator);
}

static void order_other(struct desk *desk, struct digest other, enum message_kind kind)
{
    const struct digest asked = desk->id;
    desk->id = other;
    order(desk, kind);
    desk->id = asked;
}

/* The sweep that goes first has fewer leases than one that only has its share. */
static void behind_two(struct desk *desk)
{
    order(desk, MESSAGE_PAUSE);
    add_aggregator(desk);
    const struct digest first = submit(desk, "first", 100, 5, "");
    add_worker(desk, 1);
    order_other(desk, first, MESSAGE_PAUSE);
    submit(desk, "share", 100, 0, "them");
    add_worker(desk, 2);
    add_worker(desk, 3);
    cr_assert_gt(desk->broker->sweeps[2].leases, desk->broker->sweeps[1].leases);
    order_other(desk, first, MESSAGE_RESUME);
    order(desk, MESSAGE_RESUME);
}

static void drained_with_a_lease_out(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, BLOCKS - 1, false);
    add_worker(desk, 1);
    drain(desk, "w1");
    wait_ms(desk, 300);
}

static void every_block_held_and_no_worker(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, BLOCKS, false);
}

static void last_block_failed_once(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, BLOCKS - 1, false);
    add_worker(desk, 1);
    fail_lease(desk, "it broke");
}

static void last_blocks_lent(struct desk *desk)
{
    add_aggregator(desk);
    hold(desk, BLOCKS - 2, false);
    add_worker(desk, 1);
    wait_ms(desk, 1500);
    add_worker(desk, 2);
    wait_ms(desk, 1000);
}

static void nothing_came_back_yet(struct desk *desk)
{
    add_aggregator(desk);
    add_worker(desk, 1);
    wait_ms(desk, 700);
}

static void some_came_back(struct desk *desk)
{
    add_aggregator(desk);
    add_worker(desk, 1);
    for (int times = 0; times < 3; times++) finish_lease(desk);
}

struct row {
    const char *when;
    void (*arrange)(struct desk *desk);
    const char *said;
};

static const struct row rows[] = {
    {"done", all_held_and_complete,
     "done: every block is folded; digest 0707070707070707070707070707070707070707070707070707070707070707"},
    {"done, and nobody is here", done_without_anybody,
     "done: every block is folded; digest 0707070707070707070707070707070707070707070707070707070707070707"},
    {"cancelled", cancelled_in_the_middle, "cancelled with 3 of 8 blocks done"},
    {"cancelled while paused", cancelled_while_paused, "cancelled with 0 of 8 blocks done"},
    {"failed, and the text has two lines", failed_with_a_text_of_two_lines,
     "failed: more than 64 blocks fail  and so on"},
    {"paused, and nobody is here", paused_without_anybody, "paused: nothing of it is lent until it is resumed"},
    {"paused while a block is lent", paused_with_a_lease_out,
     "paused: nothing of it is lent until it is resumed; 1 block lent before"},
    {"stalled, and no aggregator", stalled_and_then_the_aggregator_left,
     "stalled: 1 block parked after 3 attempts each: 7; block 7: error: it broke"},
    {"neither aggregator nor workers", nobody, "no aggregator is registered"},
    {"all done but the aggregator left", all_done_and_the_aggregator_left, "no aggregator is registered"},
    {"no workers", add_aggregator, "no workers are registered"},
    {"every worker is drained", workers_all_draining, "no worker takes blocks: 2 draining, 0 not reached"},
    {"behind a higher priority", behind_a_higher_priority, "which goes first: priority 5, this one 0"},
    {"behind a tenant's share", behind_the_share_of_a_tenant, "which has its share: weight 1, this one 1"},
    {"behind another, and the aggregator left", behind_and_the_aggregator_left, "no aggregator is registered"},
    {"behind two sweeps", behind_two, "(first), which goes first: priority 5, this one 0"},
    {"the last block is with a worker that is drained", drained_with_a_lease_out,
     "1 block leased to 1 worker, the oldest for 0.3 s"},
    {"every block is done, and no worker is here", every_block_held_and_no_worker,
     "every block is done: waiting for the aggregator to report completion"},
    {"the last block failed once", last_block_failed_once,
     "1 block failed and waits to be tried again; block 7: it broke"},
    {"all that is left is lent", last_blocks_lent, "2 blocks leased to 2 workers, the oldest for 2.5 s"},
    {"blocks are ready but none came back", nothing_came_back_yet, "leased to 1 worker, the oldest for 0.7 s"},
    {"blocks come back", some_came_back, "progressing: 0.1 blocks/s over the last 30 s; 5 of 8 blocks left"},
};

static struct desk *open_desk(void)
{
    struct desk *desk = calloc(1, sizeof *desk);
    desk->now_ms = 1000;
    desk->broker = broker_new(&(struct broker_setup){500, LEASE_MS, 42});
    cr_assert_not_null(desk->broker);
    desk->id = submit(desk, "s", BLOCKS, 0, "");
    return desk;
}

static void close_desk(struct desk *desk)
{
    broker_free(desk->broker);
    free(desk);
}

Test(explain, each_reason_is_told_and_the_first_that_holds_wins)
{
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct desk *desk = open_desk();
        char text[MESSAGE_TEXT_BYTES];
        rows[at].arrange(desk);
        explain_sweep(desk->broker, broker_sweep(desk->broker, &desk->id), text, sizeof text);
        const char *found = strstr(text, rows[at].said);
        cr_expect(found != NULL && strlen(found) == strlen(rows[at].said), "%s: %s", rows[at].when, text);
        close_desk(desk);
    }
}

Test(explain, the_sweep_that_is_waited_for_is_named)
{
    struct desk *desk = open_desk();
    char text[MESSAGE_TEXT_BYTES], hex[DIGEST_HEX_BYTES], head[128];
    behind_a_higher_priority(desk);
    digest_to_hex(&desk->broker->sweeps[1].sweep, hex);
    snprintf(head, sizeof head, "the workers are busy with sweep %.12s (other), ", hex);
    explain_sweep(desk->broker, &desk->broker->sweeps[0], text, sizeof text);
    cr_assert_eq(strncmp(text, head, strlen(head)), 0, "%s", text);
    close_desk(desk);
}

Test(explain, a_line_that_does_not_fit_is_cut)
{
    struct desk *desk = open_desk();
    for (size_t bytes = 1; bytes <= 8; bytes++) {
        char text[8];
        explain_sweep(desk->broker, &desk->broker->sweeps[0], text, bytes);
        cr_assert_eq(strlen(text), bytes - 1);
        cr_assert_eq(strncmp(text, "no aggregator is registered", bytes - 1), 0);
    }
    close_desk(desk);
}

static const struct broker_effect *answer_to_client(const struct desk *desk, enum message_kind kind)
{
    for (size_t at = 0; at < desk->effects.count; at++) {
        const struct broker_effect *effect = &desk->effects.list[at];
        if (effect->kind == BROKER_SEND && effect->send.kind == kind && peer_equal(&effect->send.to, &client))
            return effect;
    }
    return NULL;
}

Test(explain, the_broker_answers_with_the_line_and_keeps_its_state)
{
    struct desk *desk = open_desk();
    order(desk, MESSAGE_EXPLAIN);
    cr_assert_eq(desk->effects.count, 1);
    const struct broker_effect *effect = answer_to_client(desk, MESSAGE_EXPLANATION);
    cr_assert_not_null(effect);
    cr_assert(broker_compose(desk->broker, effect, &desk->message));
    cr_assert_eq(desk->message.kind, MESSAGE_EXPLANATION);
    cr_assert(digest_equal(&desk->message.explanation.sweep, &desk->id));
    cr_assert_str_eq(desk->message.explanation.text, "no aggregator is registered");
    close_desk(desk);
}

Test(explain, a_sweep_that_is_not_known_is_an_error)
{
    struct desk *desk = open_desk();
    desk->id.bytes[0] ^= 1;
    order(desk, MESSAGE_EXPLAIN);
    cr_assert_eq(desk->effects.count, 1);
    const struct broker_effect *effect = answer_to_client(desk, MESSAGE_ERROR);
    cr_assert_not_null(effect);
    cr_assert_eq(effect->send.error.code, ERROR_UNKNOWN);
    close_desk(desk);
}
