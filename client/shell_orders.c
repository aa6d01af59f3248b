/* goldthread pause, resume, retry, drain and workers: what an operator tells and asks a broker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "shell_commands.h"
#include "shell_json.h"
#include "shell_talk.h"

/* Gives the order, and says on standard output what holds now. */
static enum exit_status order_sweep(const struct options *options, const char *command, enum message_kind kind,
                                    const char *said)
{
    struct talk talk;
    struct message order = {.kind = kind};
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    status = talk_find_sweep(&talk, options->operand, command, &order.pause.sweep);
    if (status == STATUS_DONE) {
        enum talk_result result = talk_ask(&talk, &order, MESSAGE_ACCEPTED);
        if (result != TALK_OK) status = talk_fail(&talk, result, command);
    }
    if (status == STATUS_DONE) {
        char hex[DIGEST_HEX_BYTES];
        digest_to_hex(&order.pause.sweep, hex);
        printf("%s %s\n", hex, said);
    }
    talk_close(&talk);
    return status;
}

enum exit_status command_pause(const struct options *options)
{
    return order_sweep(options, "pause", MESSAGE_PAUSE, "is paused; what is lent of it is finished");
}

enum exit_status command_resume(const struct options *options)
{
    return order_sweep(options, "resume", MESSAGE_RESUME, "runs");
}

enum exit_status command_retry(const struct options *options)
{
    return order_sweep(options, "retry", MESSAGE_RETRY, "tries every block again");
}

enum exit_status command_drain(const struct options *options)
{
    struct talk talk;
    struct message order = {.kind = MESSAGE_DRAIN};
    if (strlen(options->operand) >= sizeof order.drain.name) {
        fprintf(stderr, "goldthread drain: `%.64s...` is longer than a worker's name can be\n", options->operand);
        return STATUS_USAGE;
    }
    strcpy(order.drain.name, options->operand);
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    enum talk_result result = talk_ask(&talk, &order, MESSAGE_ACCEPTED);
    if (result == TALK_OK) printf("%s finishes what it has, and ends\n", order.drain.name);
    else status = talk_fail(&talk, result, "drain");
    talk_close(&talk);
    return status;
}

/* Workers */

#define PAGES_MAX 256 /* of a list: more than a broker's roster can fill */

static const char *state_name(enum worker_state state)
{
    static const char *const names[] = {"", "idle", "busy", "draining", "unreached"};
    return names[state];
}

static void print_worker(const struct worker_status *worker)
{
    char rate[32] = "-";
    if (worker->blocks_per_1000s > 0) snprintf(rate, sizeof rate, "%.1f", (double)worker->blocks_per_1000s / 1000);
    printf("%-32s  %-9s  %6u  %12llu  %10s  %.1f s ago\n", worker->name, state_name(worker->state), worker->leases,
           (unsigned long long)worker->blocks, rate, (double)worker->silent_ms / 1000);
}

static json_t *describe_worker(const struct worker_status *worker)
{
    json_t *row = json_object();
    json_object_set_new(row, "name", json_string(worker->name));
    json_object_set_new(row, "state", json_string(state_name(worker->state)));
    json_object_set_new(row, "leases", json_integer(worker->leases));
    json_object_set_new(row, "blocks", json_integer((json_int_t)worker->blocks));
    json_object_set_new(row, "blocks_per_s", json_real((double)worker->blocks_per_1000s / 1000));
    json_object_set_new(row, "silent_ms", json_integer((json_int_t)worker->silent_ms));
    return row;
}

/* rows: NULL to print a table. A broker that lists backwards, or for ever, is not followed. */
static enum exit_status list_workers(struct talk *talk, json_t *rows)
{
    struct message question = {.kind = MESSAGE_WORKERS};
    uint64_t next = 0;
    for (int page = 0; page < PAGES_MAX && (page == 0 || next > question.workers.from); page++) {
        question.workers.from = next;
        enum talk_result result = talk_ask(talk, &question, MESSAGE_ROSTER);
        if (result != TALK_OK) return talk_fail(talk, result, "workers");
        if (rows == NULL && question.workers.from == 0)
            printf("%-32s  %-9s  %6s  %12s  %10s  %s\n", "worker", "state", "leases", "blocks", "blocks/s",
                   "last heard");
        for (uint32_t at = 0; at < talk->answer->roster.count; at++) {
            const struct worker_status *worker = &talk->answer->roster.list[at];
            if (rows != NULL) json_array_append_new(rows, describe_worker(worker));
            else print_worker(worker);
        }
        next = talk->answer->roster.next;
    }
    return STATUS_DONE;
}

enum exit_status command_workers(const struct options *options)
{
    struct talk talk;
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    json_t *rows = options->json ? json_array() : NULL;
    status = list_workers(&talk, rows);
    if (status == STATUS_DONE && options->json) status = json_print(rows, JSON_DIGITS);
    else json_decref(rows);
    talk_close(&talk);
    return status;
}
