/* Why a sweep is not further on: each reason, and which goes first when several hold. */
#include "explain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "support_broker.h"

#define BLOCKS 8

static struct peer worker_at(int number)
{
    return (struct peer){.size = 2, .bytes = {'w', (uint8_t)number}};
}

/* The sweep that is asked about stays the one on the bench. */
static struct digest submit_for(struct bench *bench, const char *name, uint64_t blocks, uint32_t priority,
                                const char *tenant)
{
    const struct digest asked = bench->id;
    make_sweep(bench, name, blocks);
    const struct digest id = bench->id;
    bench->id = asked;
    bench->message.kind = MESSAGE_SUBMIT;
    memset(&bench->message.submit, 0, sizeof bench->message.submit);
    bench->message.submit.sweep = buffer_span(&bench->sweep);
    bench->message.submit.priority = priority;
    snprintf(bench->message.submit.tenant, sizeof bench->message.submit.tenant, "%s", tenant);
    deliver(bench, client);
    return id;
}

static void add_aggregator(struct bench *bench)
{
    hello(bench, aggregator, ROLE_AGGREGATOR, "a", 99);
}

static void add_worker(struct bench *bench, int number)
{
    char name[8];
    snprintf(name, sizeof name, "w%d", number);
    hello(bench, worker_at(number), ROLE_WORKER, name, (uint64_t)number);
}

static void order(struct bench *bench, enum message_kind kind)
{
    bench->message.kind = kind;
    bench->message.pause.sweep = bench->id;
    deliver(bench, client);
}

static void hold(struct bench *bench, uint64_t count, bool complete)
{
    held(bench, complete, 1, &(struct block_range){0, count});
}

/* The first lease of the sweep that is asked about which is out. */
static const struct lease *some_lease(const struct bench *bench)
{
    const struct lease *lease = lease_first(&bench->broker->leases);
    while (lease != NULL && !digest_equal(&bench->broker->sweeps[lease->sweep].sweep, &bench->id))
        lease = lease_next(&bench->broker->leases, lease);
    return lease;
}

static void fail_lease(struct bench *bench, const char *text)
{
    const struct lease *lease = some_lease(bench);
    cr_assert_not_null(lease);
    const struct peer from = bench->broker->roster.slots[lease->worker].peer;
    bench->message.kind = MESSAGE_FAILED;
    memset(&bench->message.failed, 0, sizeof bench->message.failed);
    bench->message.failed.token = lease->token;
    bench->message.failed.sweep = bench->id;
    bench->message.failed.blocks = lease->blocks;
    bench->message.failed.cause = CAUSE_ERROR;
    strcpy(bench->message.failed.text, text);
    deliver(bench, from);
}

static void finish_lease(struct bench *bench)
{
    const struct lease *lease = some_lease(bench);
    cr_assert_not_null(lease);
    const struct peer from = bench->broker->roster.slots[lease->worker].peer;
    bench->message.kind = MESSAGE_DONE;
    bench->message.done.token = lease->token;
    bench->message.done.sweep = bench->id;
    bench->message.done.blocks = lease->blocks;
    bench->message.done.compute_us = lease->blocks.count * 2000000; /* too long to be lent ahead */
    deliver(bench, from);
}

static void drain(struct bench *bench, const char *name)
{
    bench->message.kind = MESSAGE_DRAIN;
    memset(&bench->message.drain, 0, sizeof bench->message.drain);
    strcpy(bench->message.drain.name, name);
    deliver(bench, client);
}

/* Arrangements. The sweep that is asked about has been submitted. */

static void all_held_and_complete(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, BLOCKS, true);
}

static void done_without_anybody(struct bench *bench)
{
    all_held_and_complete(bench);
    bench->message.kind = MESSAGE_GOODBYE;
    deliver(bench, aggregator);
}

static void cancelled_in_the_middle(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, 3, false);
    order(bench, MESSAGE_CANCEL);
}

static void cancelled_while_paused(struct bench *bench)
{
    order(bench, MESSAGE_PAUSE);
    order(bench, MESSAGE_CANCEL);
}

static void failed_with_a_text_of_two_lines(struct bench *bench)
{
    struct ledger *ledger = &bench->broker->sweeps[0];
    ledger->state = SWEEP_FAILED;
    strcpy(ledger->text, "more than 64 blocks fail\n\tand so on");
}

static void paused_without_anybody(struct bench *bench)
{
    order(bench, MESSAGE_PAUSE);
}

static void paused_with_a_lease_out(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, BLOCKS - 1, false);
    add_worker(bench, 1);
    order(bench, MESSAGE_PAUSE);
}

/* The last block fails on three starts of workers. */
static void park_the_last_block(struct bench *bench)
{
    for (int number = 1; number <= (int)LEDGER_ATTEMPTS; number++) add_worker(bench, number);
    for (uint32_t times = 0; times < LEDGER_ATTEMPTS; times++) {
        fail_lease(bench, "it\nbroke");
        wait_ms(bench, LEDGER_BACKOFF_MS << LEDGER_ATTEMPTS);
    }
}

static void stalled_and_then_the_aggregator_left(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, BLOCKS - 1, false);
    park_the_last_block(bench);
    bench->message.kind = MESSAGE_GOODBYE;
    deliver(bench, aggregator);
}

static void nobody(struct bench *bench)
{
    (void)bench;
}

static void all_done_and_the_aggregator_left(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, BLOCKS, false);
    bench->message.kind = MESSAGE_GOODBYE;
    deliver(bench, aggregator);
}

static void an_aggregator_that_is_too_old(struct bench *bench)
{
    bench->broker->sweeps[0].encoding = 2;
    add_aggregator(bench);
    add_worker(bench, 1);
}

static void workers_that_are_too_old(struct bench *bench)
{
    bench->broker->sweeps[0].encoding = bench->encoding = 2;
    add_aggregator(bench);
    bench->encoding = 0;
    add_worker(bench, 1);
}

static void workers_all_draining(struct bench *bench)
{
    order(bench, MESSAGE_PAUSE);
    add_aggregator(bench);
    add_worker(bench, 1);
    add_worker(bench, 2);
    drain(bench, "w1");
    drain(bench, "w2");
    order(bench, MESSAGE_RESUME);
}

/* Another sweep has every worker before this one may have any. */
static void behind(struct bench *bench, uint32_t priority, const char *tenant)
{
    order(bench, MESSAGE_PAUSE);
    add_aggregator(bench);
    submit_for(bench, "other", 100, priority, tenant);
    add_worker(bench, 1);
    order(bench, MESSAGE_RESUME);
}

static void behind_a_higher_priority(struct bench *bench)
{
    behind(bench, 5, "");
}

static void behind_the_share_of_a_tenant(struct bench *bench)
{
    behind(bench, 5, "them");
}

static void behind_and_the_aggregator_left(struct bench *bench)
{
    behind(bench, 5, "");
    bench->message.kind = MESSAGE_GOODBYE;
    deliver(bench, aggregator);
}

static void order_other(struct bench *bench, struct digest other, enum message_kind kind)
{
    const struct digest asked = bench->id;
    bench->id = other;
    order(bench, kind);
    bench->id = asked;
}

/* The sweep that goes first has fewer leases than one that only has its share. */
static void behind_two(struct bench *bench)
{
    order(bench, MESSAGE_PAUSE);
    add_aggregator(bench);
    const struct digest first = submit_for(bench, "first", 100, 5, "");
    add_worker(bench, 1);
    order_other(bench, first, MESSAGE_PAUSE);
    submit_for(bench, "share", 100, 0, "them");
    add_worker(bench, 2);
    add_worker(bench, 3);
    cr_assert_gt(bench->broker->sweeps[2].leases, bench->broker->sweeps[1].leases);
    order_other(bench, first, MESSAGE_RESUME);
    order(bench, MESSAGE_RESUME);
}

static void drained_with_a_lease_out(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, BLOCKS - 1, false);
    add_worker(bench, 1);
    drain(bench, "w1");
    wait_ms(bench, 300);
}

static void every_block_held_and_no_worker(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, BLOCKS, false);
}

static void last_block_failed_once(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, BLOCKS - 1, false);
    add_worker(bench, 1);
    fail_lease(bench, "it broke");
}

static void last_blocks_lent(struct bench *bench)
{
    add_aggregator(bench);
    hold(bench, BLOCKS - 2, false);
    add_worker(bench, 1);
    wait_ms(bench, 1500);
    add_worker(bench, 2);
    wait_ms(bench, 1000);
}

static void nothing_came_back_yet(struct bench *bench)
{
    add_aggregator(bench);
    add_worker(bench, 1);
    wait_ms(bench, 700);
}

static void some_came_back(struct bench *bench)
{
    add_aggregator(bench);
    add_worker(bench, 1);
    for (int times = 0; times < 3; times++) finish_lease(bench);
}

struct row {
    const char *when;
    void (*arrange)(struct bench *bench);
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
    {"an older aggregator", an_aggregator_that_is_too_old,
     "the aggregator here does not read it: encoding 2 of sweeps needs a newer one"},
    {"older workers", workers_that_are_too_old, "no worker here reads it: encoding 2 of sweeps needs newer ones"},
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

static struct bench *open_submitted(void)
{
    struct bench *bench = open_bench();
    bench->id = submit_for(bench, "s", BLOCKS, 0, "");
    return bench;
}

Test(explain, each_reason_is_told_and_the_first_that_holds_wins)
{
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct bench *bench = open_submitted();
        char text[MESSAGE_TEXT_BYTES];
        rows[at].arrange(bench);
        explain_sweep(bench->broker, broker_sweep(bench->broker, &bench->id), text, sizeof text);
        const char *found = strstr(text, rows[at].said);
        cr_expect(found != NULL && strlen(found) == strlen(rows[at].said), "%s: %s", rows[at].when, text);
        close_bench(bench);
    }
}

Test(explain, the_sweep_that_is_waited_for_is_named)
{
    struct bench *bench = open_submitted();
    char text[MESSAGE_TEXT_BYTES], hex[DIGEST_HEX_BYTES], head[128];
    behind_a_higher_priority(bench);
    digest_to_hex(&bench->broker->sweeps[1].sweep, hex);
    snprintf(head, sizeof head, "the workers are busy with sweep %.12s (other), ", hex);
    explain_sweep(bench->broker, &bench->broker->sweeps[0], text, sizeof text);
    cr_assert_eq(strncmp(text, head, strlen(head)), 0, "%s", text);
    close_bench(bench);
}

Test(explain, a_line_that_does_not_fit_is_cut)
{
    struct bench *bench = open_submitted();
    for (size_t bytes = 1; bytes <= 8; bytes++) {
        char text[8];
        explain_sweep(bench->broker, &bench->broker->sweeps[0], text, bytes);
        cr_assert_eq(strlen(text), bytes - 1);
        cr_assert_eq(strncmp(text, "no aggregator is registered", bytes - 1), 0);
    }
    close_bench(bench);
}

static const struct broker_effect *answer_to_client(const struct bench *bench, enum message_kind kind)
{
    for (size_t at = 0; at < bench->effects.count; at++) {
        const struct broker_effect *effect = &bench->effects.list[at];
        if (effect->kind == BROKER_SEND && effect->send.kind == kind && peer_equal(&effect->send.to, &client))
            return effect;
    }
    return NULL;
}

Test(explain, the_broker_answers_with_the_line_and_keeps_its_state)
{
    struct bench *bench = open_submitted();
    order(bench, MESSAGE_EXPLAIN);
    cr_assert_eq(bench->effects.count, 1);
    const struct broker_effect *effect = answer_to_client(bench, MESSAGE_EXPLANATION);
    cr_assert_not_null(effect);
    cr_assert(broker_compose(bench->broker, effect, &bench->message));
    cr_assert_eq(bench->message.kind, MESSAGE_EXPLANATION);
    cr_assert(digest_equal(&bench->message.explanation.sweep, &bench->id));
    cr_assert_str_eq(bench->message.explanation.text, "no aggregator is registered");
    close_bench(bench);
}

Test(explain, a_sweep_that_is_not_known_is_an_error)
{
    struct bench *bench = open_submitted();
    bench->id.bytes[0] ^= 1;
    order(bench, MESSAGE_EXPLAIN);
    cr_assert_eq(bench->effects.count, 1);
    const struct broker_effect *effect = answer_to_client(bench, MESSAGE_ERROR);
    cr_assert_not_null(effect);
    cr_assert_eq(effect->send.error.code, ERROR_UNKNOWN);
    close_bench(bench);
}
