/* What two programs know of each other's stores, and what the broker does when the aggregator's has lost
 * something. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "digest.h"
#include "sweep_codec.h"
#include "witness.h"

Test(witness, judges_what_is_said_by_what_was_said_before)
{
    const struct {
        const char *name;
        struct witness before;
        uint64_t store, commits;
        enum witness_verdict verdict;
    } rows[] = {
        {"nothing known", {false, 0, 0}, 7, 0, WITNESS_FIRST},
        {"nothing known, though the numbers agree", {false, 7, 3}, 7, 3, WITNESS_FIRST},
        {"no commit since", {true, 7, 3}, 7, 3, WITNESS_ONWARD},
        {"one more", {true, 7, 3}, 7, 4, WITNESS_ONWARD},
        {"one fewer", {true, 7, 3}, 7, 2, WITNESS_BACK},
        {"none at all", {true, 7, 3}, 7, 0, WITNESS_BACK},
        {"another store that is ahead", {true, 7, 3}, 8, 9, WITNESS_REPLACED},
        {"another store that is behind", {true, 7, 3}, 8, 1, WITNESS_REPLACED},
        {"a store of the number 0", {true, 7, 3}, 0, 3, WITNESS_REPLACED},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        struct witness witness = rows[at].before;
        const struct witness after = {true, rows[at].store, rows[at].commits};
        cr_expect_eq(witness_take(&witness, rows[at].store, rows[at].commits), rows[at].verdict, "%s", rows[at].name);
        cr_expect(witness_equal(&witness, &after), "%s", rows[at].name);
        cr_expect_eq(witness_take(&witness, rows[at].store, rows[at].commits), WITNESS_ONWARD, "%s, again",
                     rows[at].name);
    }
}

struct bench {
    struct broker *broker;
    struct broker_effects effects;
    struct message message;
    struct buffer bytes;
    struct digest ids[BROKER_SWEEPS_MAX];
};

static const struct peer aggregator = {.size = 1, .bytes = "a"};

static void step(struct bench *bench, enum broker_event_kind kind)
{
    broker_step(bench->broker,
                &(struct broker_event){.kind = kind, .now_ms = 1, .peer = aggregator, .message = &bench->message},
                &bench->effects);
    cr_assert(broker_is_sound(bench->broker));
}

static void submit_finished(struct bench *bench, struct sweep *sweep, uint32_t number)
{
    *sweep = (struct sweep){.years = 1,
                            .first_year = 202526,
                            .seed = number,
                            .method = DESIGN_RANDOM,
                            .draws = 10,
                            .draws_per_block = 1,
                            .levels = 1u << AREA_ENGLAND,
                            .scenario_count = 1};
    snprintf(sweep->name, sizeof sweep->name, "s");
    snprintf(sweep->model, sizeof sweep->model, "m");
    snprintf(sweep->model_version, sizeof sweep->model_version, "1");
    snprintf(sweep->population_name, sizeof sweep->population_name, "p");
    snprintf(sweep->scenarios[0].name, sizeof sweep->scenarios[0].name, "base");
    bench->ids[number] = sweep_identity(sweep);
    buffer_clear(&bench->bytes);
    sweep_encode(sweep, &bench->bytes);
    memset(&bench->message.submit, 0, sizeof bench->message.submit);
    bench->message.kind = MESSAGE_SUBMIT;
    bench->message.submit.sweep = buffer_span(&bench->bytes);
    bench->message.submit.weight = 1;
    step(bench, BROKER_MESSAGE);
    bench->message.kind = MESSAGE_HELD;
    bench->message.held.sweep = bench->ids[number];
    bench->message.held.complete = true;
    bench->message.held.result = bench->ids[number];
    bench->message.held.count = 0;
    step(bench, BROKER_MESSAGE);
    cr_assert_eq(broker_sweep(bench->broker, &bench->ids[number])->state, SWEEP_DONE);
}

static uint32_t count_notes(const struct bench *bench, enum broker_note note)
{
    uint32_t count = 0;
    for (size_t at = 0; at < bench->effects.count; at++)
        count += bench->effects.list[at].kind == BROKER_NOTE && bench->effects.list[at].note.note == note;
    return count;
}

Test(witness, every_finished_sweep_is_doubted_once_when_the_aggregator_lost_something)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct sweep *sweep = calloc(1, sizeof *sweep);
    bench->broker = broker_new(&(struct broker_setup){500, 5000, 1});
    cr_assert_not(broker_aggregator_is(bench->broker, &aggregator));
    bench->message.kind = MESSAGE_HELLO;
    bench->message.hello.role = ROLE_AGGREGATOR;
    step(bench, BROKER_MESSAGE);
    cr_assert(broker_aggregator_is(bench->broker, &aggregator));
    for (uint32_t number = 0; number < BROKER_SWEEPS_MAX; number++) submit_finished(bench, sweep, number);

    uint32_t doubted = 0, steps = 0;
    step(bench, BROKER_STORE_LOST);
    doubted += count_notes(bench, NOTE_SWEEP_DOUBTED);
    while (broker_next_due_ms(bench->broker) == 0 && steps++ < 10) { /* more than one step holds */
        step(bench, BROKER_TICK);
        doubted += count_notes(bench, NOTE_SWEEP_DOUBTED);
    }
    cr_assert_gt(steps, 0);
    cr_assert_eq(doubted, BROKER_SWEEPS_MAX);
    for (uint32_t number = 0; number < BROKER_SWEEPS_MAX; number++)
        cr_assert_eq(broker_sweep(bench->broker, &bench->ids[number])->state, SWEEP_RUNNING);

    bench->message.kind = MESSAGE_HELD;
    bench->message.held.sweep = bench->message.held.result = bench->ids[0];
    bench->message.held.complete = true;
    bench->message.held.count = 0;
    step(bench, BROKER_MESSAGE);
    cr_assert_eq(broker_sweep(bench->broker, &bench->ids[0])->state, SWEEP_DONE, "it is there after all");
    step(bench, BROKER_TICK);
    cr_assert_eq(count_notes(bench, NOTE_SWEEP_DOUBTED), 0);
    broker_free(bench->broker);
    buffer_free(&bench->bytes);
    free(sweep);
    free(bench);
}
