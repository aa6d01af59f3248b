/* Talking with servers: one question, one answer, in bounded time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "message.h"
#include "options.h"
#include "socket.h"

#define TALK_TIMEOUT_MS 5000
#define TALK_BROKER     "tcp://127.0.0.1:7070"

enum talk_result { TALK_OK, TALK_SILENT, TALK_REFUSED };

/* A connection and room for its answer. Zero-initialised is closed. */
struct talk {
    struct net *net;
    struct keys room;
    struct socket *broker, *aggregator; /* the second one opened on first use */
    struct message *answer;             /* the last one; its spans are valid until the next question */
    const char *endpoint, *aggregator_endpoint;
    char why[MESSAGE_TEXT_BYTES + 512]; /* after TALK_SILENT or TALK_REFUSED: one line */
};

/* STATUS_DONE, or the status to end with after a line on stderr. */
enum exit_status talk_open(struct talk *talk, const struct options *options);
void talk_close(struct talk *talk);

/* Asks the broker and waits for an answer of the kind; asks again while none comes. */
enum talk_result talk_ask(struct talk *talk, const struct message *question, enum message_kind answer);

/* The same with the aggregator, which the broker tells unless an option did. */
enum talk_result talk_ask_aggregator(struct talk *talk, const struct message *question, enum message_kind answer);

/* Prints why, and gives the exit status that goes with the result. */
enum exit_status talk_fail(const struct talk *talk, enum talk_result result, const char *command);

/* The sweep that a word names: its id, or the beginning of it when only one sweep there has it. */
enum exit_status talk_find_sweep(struct talk *talk, const char *word, const char *command, struct digest *sweep);

const char *talk_state_name(enum sweep_state state);
