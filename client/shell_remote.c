#include "shell_remote.h"

#include <stdio.h>

#include "ending.h"
#include "population.h"
#include "population_codec.h"
#include "sweep_codec.h"

static enum exit_status fail(const struct remote *remote, const char *what, const char *why)
{
    fprintf(stderr, "goldthread %s: %s%s%s\n", remote->command, what, *what ? ": " : "", why);
    return STATUS_FAILED;
}

enum exit_status remote_open(struct remote *remote, const char *command, struct talk *talk, const struct digest *id)
{
    struct message question = {.kind = MESSAGE_FETCH, .fetch = {ITEM_SWEEP, *id}};
    const char *why = "";
    *remote = (struct remote){.command = command};
    enum talk_result result = talk_ask(talk, &question, MESSAGE_ITEM);
    if (result != TALK_OK) return talk_fail(talk, result, command);
    if (sweep_decode(talk->answer->item.bytes, &remote->sweep, &why)) return STATUS_DONE;
    return fail(remote, "the sweep cannot be read", why);
}

static enum exit_status find_model(struct remote *remote, const struct options *options)
{
    char missing[PLUGIN_WHY_BYTES];
    remote->model = plugin_find(options->models, &remote->sweep, &remote->plugin, missing, sizeof missing);
    return remote->model ? STATUS_DONE : fail(remote, "the table cannot be made", missing);
}

static enum exit_status fetch_population(struct talk *talk, struct remote *remote)
{
    const char *why = "out of memory";
    remote->population = population_built_in();
    struct digest built_in = remote->population ? population_identity(remote->population) : (struct digest){0};
    if (digest_equal(&built_in, &remote->sweep.population)) return STATUS_DONE;
    population_free(remote->population);
    remote->population = NULL;
    struct message question = {.kind = MESSAGE_FETCH, .fetch = {ITEM_POPULATION, remote->sweep.population}};
    enum talk_result result = talk_ask(talk, &question, MESSAGE_ITEM);
    if (result != TALK_OK) return talk_fail(talk, result, remote->command);
    remote->population = population_decode(talk->answer->item.bytes, &why);
    return remote->population ? STATUS_DONE : fail(remote, "the population cannot be read", why);
}

static enum exit_status fetch_root(struct talk *talk, const struct digest *id, struct remote *remote)
{
    char why[512];
    const char *reason = "";
    remote->plan = plan_new(&remote->sweep, remote->population, remote->model, why, sizeof why);
    if (!remote->plan) return fail(remote, "the plan cannot be made", why);
    struct message question = {.kind = MESSAGE_RESULT, .result = {*id}};
    enum talk_result result = talk_ask_aggregator(talk, &question, MESSAGE_OUTCOME);
    if (result != TALK_OK) return talk_fail(talk, result, remote->command);
    if (talk->answer->outcome.node.size == 0) return fail(remote, "", "nothing of this sweep is done yet");
    remote->complete = talk->answer->outcome.complete;
    remote->root = node_decode(talk->answer->outcome.node, &remote->plan->shape, &reason);
    return remote->root ? STATUS_DONE : fail(remote, "the result cannot be read", reason);
}

enum exit_status remote_fetch(struct remote *remote, struct talk *talk, const struct options *options,
                              const struct digest *id)
{
    enum exit_status status = find_model(remote, options);
    if (status == STATUS_DONE) status = fetch_population(talk, remote);
    if (status == STATUS_DONE) status = fetch_root(talk, id, remote);
    return status;
}

void remote_close(struct remote *remote)
{
    node_free(remote->root);
    plan_free(remote->plan);
    plugin_close(remote->plugin);
    population_free(remote->population);
}

void remote_print_ending(const char *command, struct talk *talk, const struct options *options, const struct digest *id)
{
    struct remote remote;
    bool ruled = remote_open(&remote, command, talk, id) == STATUS_DONE && remote.sweep.stop.kind != STOP_NEVER;
    if (ruled && remote_fetch(&remote, talk, options, id) == STATUS_DONE && remote.complete) {
        char line[ENDING_BYTES];
        const struct ending ending = ending_of(remote.plan, remote.root);
        ending_line(&ending, line);
        if (*line) printf("%s\n", line);
    }
    remote_close(&remote);
}
