/* The client's host: submits, polls, cancels and fetches results, one question at a time, and asks again
 * over a new connection when no answer comes. */
#include <string.h>

#include "digest.h"
#include "support_world.h"

#define POLL_MS     400u
#define PATIENCE_MS 3000u

static void ask(struct world *world, uint32_t sweep, uint32_t slot)
{
    struct client_host *client = &world->client;
    client->asking = true;
    client->asked = world->out.kind;
    client->sweep = sweep;
    client->patience_ms = world->now_ms + PATIENCE_MS;
    client->tasks[sweep].next_ms = world->now_ms + POLL_MS;
    if (network_send_up(world, HOST_CLIENT, slot, &world->out) != NETWORK_OK) client->asking = false;
    world_wake(world, HOST_CLIENT, client->asking ? client->patience_ms : client->tasks[sweep].next_ms);
}

static void submit(struct world *world, uint32_t sweep)
{
    world->client.tasks[sweep].cancelled = false;
    memset(&world->out.submit, 0, sizeof world->out.submit);
    world->out.kind = MESSAGE_SUBMIT;
    world->out.submit.sweep = buffer_span(&world->sweeps[sweep].bytes);
    world->out.submit.population = buffer_span(&world->sweeps[sweep].population_bytes);
    world->out.submit.priority = sweep % 2;
    world->out.submit.weight = 1 + 5 * sweep;
    strcpy(world->out.submit.tenant, sweep % 3 == 0 ? "one" : "other");
    ask(world, sweep, SLOT_BROKER);
}

static void ask_next(struct world *world, uint32_t sweep)
{
    struct client_task *task = &world->client.tasks[sweep];
    const struct digest id = world->sweeps[sweep].id;
    if (!task->submitted) {
        submit(world, sweep);
    } else if (task->want_result) {
        world->out.kind = MESSAGE_RESULT;
        world->out.result.sweep = id;
        ask(world, sweep, SLOT_AGGREGATOR);
    } else if (task->cancel_ms != 0 && task->cancel_ms <= world->now_ms && !task->cancelled) {
        task->cancelling = true;
        world->out.kind = MESSAGE_CANCEL;
        world->out.cancel.sweep = id;
        ask(world, sweep, SLOT_BROKER);
    } else {
        world->out.kind = MESSAGE_STATUS;
        world->out.status.sweep = id;
        ask(world, sweep, SLOT_BROKER);
    }
}

/* A CANCEL that was given up may come late, to a sweep that is to run: then it is submitted again. */
static void take_cancelled(struct world *world, struct client_task *task, const struct sweep_status *status)
{
    if (!task->cancelling) world_fail(world, "a sweep is cancelled that nobody cancelled");
    if (status->leased > 0) world_fail(world, "a cancelled sweep has leases");
    if (task->again || task->cancel_ms == 0) {
        task->submitted = task->again = false;
        task->cancel_ms = 0;
    } else {
        task->finished = task->cancelled = true;
    }
}

static void take_status(struct world *world, uint32_t sweep, const struct sweep_status *status)
{
    struct client_task *task = &world->client.tasks[sweep];
    switch (status->state) {
    case SWEEP_DONE:
        if (!digest_equal(&status->result, &world->sweeps[sweep].result))
            world_fail(world, "the client is told another result than that of the undisturbed run");
        task->want_result = true;
        task->next_ms = world->now_ms;
        break;
    case SWEEP_FAILED:
    case SWEEP_STALLED: /* submitted again, its parked blocks are tried again */
        task->submitted = false;
        break;
    case SWEEP_CANCELLED:
        take_cancelled(world, task, status);
        break;
    default:
        if (task->cancelled && !task->doubtful) world_fail(world, "a sweep runs whose cancel was accepted");
        task->cancelled = false; /* a SUBMIT that was given up came after it */
        break;
    }
}

static void take_outcome(struct world *world, uint32_t sweep)
{
    struct client_task *task = &world->client.tasks[sweep];
    const struct message *message = &world->in;
    task->want_result = false;
    if (!message->outcome.complete) {
        task->submitted = false; /* the aggregator has lost it since */
    } else if (!digest_equal(&message->outcome.digest, &world->sweeps[sweep].result) ||
               message->outcome.blocks != world->sweeps[sweep].end) {
        world_fail(world, "the client gets another result than that of the undisturbed run");
    } else {
        task->finished = true;
        world->report->results[sweep] = message->outcome.digest;
    }
}

/* What is not known is submitted; a sweep that is done cannot be cancelled any more; a store that cannot
 * be read at the moment is asked again. An ERROR does not say what it answers, so that one which came
 * twice may seem to answer the next question, which is then asked again. */
static void take_error(struct world *world, uint32_t sweep)
{
    struct client_task *task = &world->client.tasks[sweep];
    const enum message_error code = world->in.error.code;
    const bool done = code == ERROR_REFUSED && strcmp(world->in.error.text, "the sweep is done") == 0;
    if (code == ERROR_REFUSED && !done) world_fail(world, "the client is refused: %s", world->in.error.text);
    if (code == ERROR_MALFORMED || code == ERROR_VERSION)
        world_fail(world, "the client is not understood: %s", world->in.error.text);
    if (done && world->client.asked == MESSAGE_CANCEL) task->cancel_ms = 0;
    if (code == ERROR_UNKNOWN) task->submitted = task->want_result = false;
    task->next_ms = world->now_ms + POLL_MS;
}

static void take_answer(struct world *world)
{
    struct client_host *client = &world->client;
    const uint32_t sweep = client->sweep;
    struct client_task *task = &client->tasks[sweep];
    if (!client->asking) return; /* the second of two */
    client->asking = false;
    switch (world->in.kind) {
    case MESSAGE_ACCEPTED:
        if (!digest_equal(&world->in.accepted.sweep, &world->sweeps[sweep].id)) client->asking = true;
        else if (client->asked == MESSAGE_SUBMIT) task->submitted = true;
        else if (client->asked == MESSAGE_CANCEL) {
            task->cancelled = true;
            world->report->faults[SIM_CANCELLED]++;
        }
        break;
    case MESSAGE_SWEEPS:
        if (world->in.sweeps.count != 1 || !digest_equal(&world->in.sweeps.list[0].sweep, &world->sweeps[sweep].id))
            client->asking = true; /* the copy of an answer to an earlier question */
        else if (client->asked == MESSAGE_STATUS) take_status(world, sweep, &world->in.sweeps.list[0]);
        break;
    case MESSAGE_OUTCOME:
        if (client->asked == MESSAGE_RESULT && digest_equal(&world->in.outcome.sweep, &world->sweeps[sweep].id))
            take_outcome(world, sweep);
        break;
    case MESSAGE_ERROR:
        take_error(world, sweep);
        break;
    default:
        world_fail(world, "the client is told %s", message_kind_name(world->in.kind));
    }
}

static void receive_all(struct world *world, uint32_t slot)
{
    struct letter letter;
    while (!world->over && network_receive(world, HOST_CLIENT, slot, &letter)) {
        const char *why = "";
        if (message_decode(buffer_span(&letter.bytes), &world->in, &why)) take_answer(world);
        else world_fail(world, "the client cannot read a message: %s", why);
        buffer_free(&letter.bytes);
    }
}

static void dial(struct world *world)
{
    network_dial(world, HOST_CLIENT, SLOT_BROKER, HOST_BROKER, 0);
    network_dial(world, HOST_CLIENT, SLOT_AGGREGATOR, HOST_AGGREGATOR, 0);
}

void client_host_turn(struct world *world)
{
    struct client_host *client = &world->client;
    bool finished = true;
    receive_all(world, SLOT_BROKER);
    receive_all(world, SLOT_AGGREGATOR);
    if (client->asking && client->patience_ms <= world->now_ms) {
        client->asking = false;
        if (client->asked == MESSAGE_SUBMIT) client->tasks[client->sweep].doubtful = true;
        dial(world); /* so that a late answer is not taken for that to a later question */
    }
    for (uint32_t sweep = 0; sweep < world->sweep_count && !world->over; sweep++) {
        struct client_task *task = &client->tasks[sweep];
        if (task->finished) continue;
        finished = false;
        if (client->asking) continue;
        if (task->next_ms <= world->now_ms) ask_next(world, sweep);
        else world_wake(world, HOST_CLIENT, task->next_ms);
    }
    if (client->asking) world_wake(world, HOST_CLIENT, client->patience_ms);
    if (finished) world->over = true;
}

void client_host_start(struct world *world)
{
    struct client_host *client = &world->client;
    memset(client, 0, sizeof *client);
    for (uint32_t sweep = 0; sweep < world->sweep_count; sweep++) {
        struct client_task *task = &client->tasks[sweep];
        task->next_ms = world->now_ms + (world->setup.calm ? 0 : world_draw(world, 3000));
        if (world->setup.calm || world_draw(world, 5) > 0) continue;
        task->cancel_ms = task->next_ms + world_draw(world, 10000);
        task->again = world_draw(world, 2) == 0;
    }
    dial(world);
}

void client_host_die(struct world *world)
{
    (void)world;
}
