/* goldthread status and cancel: what a broker has, and stopping one of its sweeps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "shell_commands.h"
#include "shell_json.h"
#include "shell_remote.h"
#include "shell_talk.h"

static void print_table(const struct message *answer)
{
    printf("%-64s  %-24s  %-9s  %15s  %s\n", "sweep", "name", "state", "blocks", "digest");
    for (uint32_t at = 0; at < answer->sweeps.count; at++) {
        const struct sweep_status *sweep = &answer->sweeps.list[at];
        char id[DIGEST_HEX_BYTES], digest[DIGEST_HEX_BYTES] = "-", blocks[48];
        digest_to_hex(&sweep->sweep, id);
        if (!digest_is_zero(&sweep->result)) digest_to_hex(&sweep->result, digest);
        snprintf(blocks, sizeof blocks, "%llu/%llu", (unsigned long long)sweep->done,
                 (unsigned long long)sweep->blocks);
        printf("%-64s  %-24s  %-9s  %15s  %s%s%s\n", id, sweep->name, talk_state_name(sweep->state), blocks, digest,
               *sweep->text ? "  " : "", sweep->text);
    }
}

static json_t *describe(const struct sweep_status *sweep)
{
    char id[DIGEST_HEX_BYTES], digest[DIGEST_HEX_BYTES];
    digest_to_hex(&sweep->sweep, id);
    digest_to_hex(&sweep->result, digest);
    json_t *row = json_object();
    json_object_set_new(row, "sweep", json_string(id));
    json_object_set_new(row, "name", json_string(sweep->name));
    json_object_set_new(row, "state", json_string(talk_state_name(sweep->state)));
    json_object_set_new(row, "draws", json_integer((json_int_t)sweep->draws));
    json_object_set_new(row, "scenarios", json_integer((json_int_t)sweep->scenarios));
    json_object_set_new(row, "blocks", json_integer((json_int_t)sweep->blocks));
    json_object_set_new(row, "done", json_integer((json_int_t)sweep->done));
    json_object_set_new(row, "leased", json_integer((json_int_t)sweep->leased));
    json_object_set_new(row, "parked", json_integer((json_int_t)sweep->parked));
    json_object_set_new(row, "digest", digest_is_zero(&sweep->result) ? json_null() : json_string(digest));
    json_object_set_new(row, "priority", json_integer(sweep->priority));
    json_object_set_new(row, "weight", json_integer(sweep->weight));
    json_object_set_new(row, "tenant", json_string(sweep->tenant));
    json_object_set_new(row, "text", json_string(sweep->text));
    return row;
}

static enum exit_status print_json(const struct message *answer)
{
    json_t *root = json_object(), *sweeps = json_array();
    for (uint32_t at = 0; at < answer->sweeps.count; at++)
        json_array_append_new(sweeps, describe(&answer->sweeps.list[at]));
    json_object_set_new(root, "workers", json_integer(answer->sweeps.workers));
    json_object_set_new(root, "wanted_workers", json_integer((json_int_t)answer->sweeps.wanted_workers));
    json_object_set_new(root, "aggregator", json_string(answer->sweeps.aggregator));
    json_object_set_new(root, "sweeps", sweeps);
    return json_print(root, JSON_DIGITS);
}

static enum exit_status ask_status(struct talk *talk, const struct options *options)
{
    struct message question = {.kind = MESSAGE_STATUS};
    enum exit_status status = STATUS_DONE;
    if (options->operand) status = talk_find_sweep(talk, options->operand, "status", &question.status.sweep);
    if (status != STATUS_DONE) return status;
    enum talk_result result = talk_ask(talk, &question, MESSAGE_SWEEPS);
    if (result != TALK_OK) return talk_fail(talk, result, "status");
    if (options->json) return print_json(talk->answer);
    print_table(talk->answer);
    bool done = options->operand && talk->answer->sweeps.count == 1 && talk->answer->sweeps.list[0].state == SWEEP_DONE;
    if (done) remote_print_ending("status", talk, options, &question.status.sweep);
    return STATUS_DONE;
}

enum exit_status command_status(const struct options *options)
{
    struct talk talk;
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    status = ask_status(&talk, options);
    talk_close(&talk);
    return status;
}

static enum exit_status cancel(struct talk *talk, const struct options *options)
{
    struct message order = {.kind = MESSAGE_CANCEL}, question = {.kind = MESSAGE_STATUS};
    enum exit_status status = talk_find_sweep(talk, options->operand, "cancel", &order.cancel.sweep);
    if (status != STATUS_DONE) return status;
    enum talk_result result = talk_ask(talk, &order, MESSAGE_ACCEPTED);
    question.status.sweep = order.cancel.sweep;
    if (result == TALK_OK) result = talk_ask(talk, &question, MESSAGE_SWEEPS);
    if (result != TALK_OK) return talk_fail(talk, result, "cancel");
    print_table(talk->answer);
    return STATUS_DONE;
}

enum exit_status command_cancel(const struct options *options)
{
    struct talk talk;
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    status = cancel(&talk, options);
    talk_close(&talk);
    return status;
}
