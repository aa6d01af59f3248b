/* goldthread explain: why a sweep is not further on. */
#include <stdio.h>

#include "shell_commands.h"
#include "shell_talk.h"

static enum exit_status explain(struct talk *talk, const struct options *options)
{
    struct message question = {.kind = MESSAGE_EXPLAIN};
    enum exit_status status = talk_find_sweep(talk, options->operand, "explain", &question.explain.sweep);
    if (status != STATUS_DONE) return status;
    enum talk_result result = talk_ask(talk, &question, MESSAGE_EXPLANATION);
    if (result != TALK_OK) return talk_fail(talk, result, "explain");
    puts(talk->answer->explanation.text);
    return STATUS_DONE;
}

enum exit_status command_explain(const struct options *options)
{
    struct talk talk;
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    status = explain(&talk, options);
    talk_close(&talk);
    return status;
}
