/* goldthread submit: hands a sweep to a broker. */
#include <stdio.h>

#include "digest.h"
#include "shell_commands.h"
#include "shell_job.h"
#include "shell_talk.h"
#include "sweep_codec.h"

static enum exit_status hand_over(const struct job *job, const struct options *options)
{
    struct talk talk;
    enum exit_status status = talk_open(&talk, options);
    if (status != STATUS_DONE) return status;
    struct buffer bytes = {0};
    sweep_encode(&job->scenario->sweep, &bytes);
    struct message question = {.kind = MESSAGE_SUBMIT,
                               .submit = {.sweep = buffer_span(&bytes),
                                          .population = buffer_span(&job->population_bytes),
                                          .priority = options->priority,
                                          .weight = options->weight}};
    if (options->tenant) snprintf(question.submit.tenant, sizeof question.submit.tenant, "%s", options->tenant);
    enum talk_result result = talk_ask(&talk, &question, MESSAGE_ACCEPTED);
    if (result == TALK_OK) {
        char hex[DIGEST_HEX_BYTES];
        digest_to_hex(&talk.answer->accepted.sweep, hex);
        printf("%s\n", hex);
    } else if (result == TALK_REFUSED) {
        fprintf(stderr, "goldthread submit: the broker does not take the sweep: %s\n", talk.why);
        status = STATUS_FAILED;
    } else {
        status = talk_fail(&talk, result, "submit");
    }
    buffer_free(&bytes);
    talk_close(&talk);
    return status;
}

enum exit_status command_submit(const struct options *options)
{
    struct job job;
    char why[JOB_WHY_BYTES];
    enum exit_status status = STATUS_USAGE;
    if (job_open(&job, options, why)) {
        job_print_notes(&job, options);
        status = hand_over(&job, options);
    } else {
        fprintf(stderr, "%s\n", why);
    }
    job_close(&job);
    return status;
}
