#include "support_wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "sweep_codec.h"

static int digit_value(char digit)
{
    const char *digits = "0123456789abcdef", *found = strchr(digits, digit);
    return digit && found ? (int)(found - digits) : -1;
}

bool hex_read(const char *hex, size_t size, struct buffer *out)
{
    int high = -1;
    for (size_t at = 0; at < size; at++) {
        if (hex[at] == ' ' || hex[at] == '\n') continue;
        int value = digit_value(hex[at]);
        if (value < 0) return false;
        if (high < 0) {
            high = value;
            continue;
        }
        uint8_t byte = (uint8_t)(high * 16 + value);
        buffer_append(out, &byte, 1);
        high = -1;
    }
    return high < 0;
}

const char *hex_write(struct span bytes)
{
    static char *text;
    text = realloc(text, 2 * bytes.size + 1);
    cr_assert_not_null(text);
    for (size_t at = 0; at < bytes.size; at++) sprintf(text + 2 * at, "%02x", bytes.data[at]);
    text[2 * bytes.size] = '\0';
    return text;
}

char *file_read(const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", GOLDTHREAD_SOURCE, path);
    FILE *file = fopen(full, "rb");
    cr_assert_not_null(file, "%s cannot be read", full);
    struct buffer bytes = {0};
    char part[4096];
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;) buffer_append(&bytes, part, size);
    fclose(file);
    buffer_append(&bytes, "", 1);
    cr_assert(!bytes.failed);
    return (char *)bytes.data;
}

void golden_check(const char *name, struct span bytes)
{
    golden_check_in("v1", name, bytes);
}

void golden_check_in(const char *folder, const char *name, struct span bytes)
{
    char path[128];
    snprintf(path, sizeof path, "tests/wire/golden/%s/%s.hex", folder, name);
    char *text = file_read(path);
    struct buffer golden = {0};
    cr_assert(hex_read(text, strlen(text), &golden), "%s is not hexadecimal", path);
    cr_expect(golden.size == bytes.size && memcmp(golden.data, bytes.data, bytes.size) == 0,
              "%s differs from what is encoded now: %s", path, hex_write(bytes));
    buffer_free(&golden);
    free(text);
}

uint8_t *exact_copy(struct span bytes)
{
    uint8_t *copy = malloc(bytes.size);
    cr_assert(copy || bytes.size == 0);
    if (bytes.size) memcpy(copy, bytes.data, bytes.size);
    return copy;
}

void bytes_replace(struct buffer *bytes, const void *from, const void *to, size_t size)
{
    uint8_t *found = memmem(bytes->data, bytes->size, from, size);
    cr_assert_not_null(found, "the bytes to replace are not there");
    memcpy(found, to, size);
}

static void double_bytes(double value, uint8_t bytes[8])
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int at = 0; at < 8; at++) bytes[at] = (uint8_t)(bits >> (56 - 8 * at));
}

void double_replace(struct buffer *bytes, double from, double to)
{
    uint8_t before[8], after[8];
    double_bytes(from, before);
    double_bytes(to, after);
    bytes_replace(bytes, before, after, sizeof before);
}

typedef bool decoder(struct span bytes, struct buffer *again);

static bool accepts_copy(struct span bytes, struct buffer *again, decoder *decode)
{
    uint8_t *copy = exact_copy(bytes);
    again->size = 0;
    bool accepted = decode((struct span){copy, bytes.size}, again);
    free(copy);
    return accepted;
}

static void check_lengths(const char *what, struct span bytes, decoder *decode)
{
    struct buffer again = {0}, longer = {0};
    for (size_t size = 0; size < bytes.size; size++)
        cr_expect(!accepts_copy((struct span){bytes.data, size}, &again, decode), "%s: %zu of %zu bytes are accepted",
                  what, size, bytes.size);
    buffer_append(&longer, bytes.data, bytes.size);
    buffer_append(&longer, "", 1);
    cr_expect(!accepts_copy(buffer_span(&longer), &again, decode), "%s: a byte more is accepted", what);
    buffer_free(&longer);
    buffer_free(&again);
}

static void check_changes(const char *what, struct span bytes, decoder *decode)
{
    struct buffer again = {0};
    uint8_t *copy = exact_copy(bytes);
    for (size_t at = 0; at < bytes.size; at++) {
        for (unsigned change = 1; change < 256; change++) {
            copy[at] = (uint8_t)(bytes.data[at] ^ change);
            again.size = 0;
            bool accepted = decode((struct span){copy, bytes.size}, &again);
            bool same = again.size == bytes.size && memcmp(again.data, copy, bytes.size) == 0;
            cr_assert(!accepted || same, "%s: byte %zu as %02x is read, but not the only encoding of what is read",
                      what, at, copy[at]);
        }
        copy[at] = bytes.data[at];
    }
    free(copy);
    buffer_free(&again);
}

void hostile_check(const char *what, struct span bytes, decoder *decode)
{
    check_lengths(what, bytes, decode);
    check_changes(what, bytes, decode);
}

/* Samples. */

static struct digest digest_filled(uint8_t first)
{
    struct digest digest;
    for (uint8_t at = 0; at < DIGEST_BYTES; at++) digest.bytes[at] = (uint8_t)(first + at);
    return digest;
}

static void copy_text(char *to, const char *text)
{
    memcpy(to, text, strlen(text) + 1);
}

static struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

/* The sweep and the endpoint of the exchange. */
#define SWEEP      digest_filled(0x10)
#define POPULATION digest_filled(0x40)
#define RESULT     digest_filled(0x80)
#define TOKEN      UINT64_C(0x0123456789abcdef)
#define ENDPOINT   "tcp://10.0.0.2:7071"

static void sample_status(struct sweep_status *status)
{
    status->sweep = SWEEP;
    copy_text(status->name, "golden-thread");
    status->state = SWEEP_DONE;
    status->draws = 4096;
    status->scenarios = 2;
    status->blocks = 8;
    status->done = 7;
    status->leased = 2;
    status->parked = 1;
    status->result = RESULT;
    copy_text(status->text, "Größe");
    status->weight = 1;
}

static void sample_worker(struct worker_status *status)
{
    copy_text(status->name, "node7-4711");
    status->state = WORKER_BUSY;
    status->leases = 2;
    status->blocks = 4096;
    status->blocks_per_1000s = 5333;
    status->silent_ms = 250;
}

void sample_message(enum message_kind kind, struct message *message)
{
    memset(message, 0, sizeof *message); /* padding too: messages are compared as bytes */
    message->kind = kind;
    switch (kind) {
    case MESSAGE_HELLO:
        message->hello.role = ROLE_WORKER;
        copy_text(message->hello.name, "node7-4711");
        message->hello.instance = 0x1122334455667788;
        copy_text(message->hello.program, "goldthread-worker 0.1.0");
        copy_text(message->hello.endpoint, "ipc:///run/node7");
        break;
    case MESSAGE_FETCH:
        message->fetch.item = ITEM_POPULATION;
        message->fetch.digest = POPULATION;
        break;
    case MESSAGE_WELCOME:
        message->welcome.heartbeat_ms = 500;
        message->welcome.lease_ms = 5000;
        copy_text(message->welcome.aggregator, ENDPOINT);
        break;
    case MESSAGE_ITEM:
        message->item.item = ITEM_SWEEP;
        message->item.digest = SWEEP;
        message->item.bytes = span_of("(a sweep)");
        break;
    case MESSAGE_ERROR:
        message->error.code = ERROR_UNKNOWN;
        copy_text(message->error.text, "no such sweep");
        break;
    case MESSAGE_HEARTBEAT:
        message->heartbeat.room = 1;
        message->heartbeat.token_count = 1;
        message->heartbeat.tokens[0] = TOKEN;
        break;
    case MESSAGE_DONE:
        message->done.token = TOKEN;
        message->done.sweep = SWEEP;
        message->done.blocks = (struct block_range){4, 4};
        message->done.compute_us = 187500;
        break;
    case MESSAGE_FAILED:
        message->failed.token = TOKEN;
        message->failed.sweep = SWEEP;
        message->failed.blocks = (struct block_range){4, 4};
        message->failed.cause = CAUSE_OVERLAP;
        copy_text(message->failed.text, "overlaps what is held");
        break;
    case MESSAGE_LEASE:
        message->lease.token = TOKEN;
        message->lease.sweep = SWEEP;
        message->lease.blocks = (struct block_range){4, 4};
        break;
    case MESSAGE_CANCEL:
        message->cancel.sweep = SWEEP;
        break;
    case MESSAGE_PARTIAL:
        message->partial.sweep = SWEEP;
        message->partial.level = 2;
        message->partial.index = 1;
        message->partial.node = span_of("(a node)");
        break;
    case MESSAGE_FOLDED:
        message->folded.sweep = SWEEP;
        message->folded.level = 2;
        message->folded.index = 1;
        message->folded.outcome = FOLD_NEW;
        copy_text(message->folded.text, "ok");
        break;
    case MESSAGE_SUBMIT:
        message->submit.sweep = span_of("(a sweep)");
        message->submit.population = span_of("(a population)");
        break;
    case MESSAGE_STATUS:
        message->status.sweep = SWEEP;
        break;
    case MESSAGE_ACCEPTED:
        message->accepted.sweep = SWEEP;
        message->accepted.known = true;
        break;
    case MESSAGE_SWEEPS:
        copy_text(message->sweeps.aggregator, ENDPOINT);
        message->sweeps.workers = 3;
        message->sweeps.wanted_workers = 5;
        message->sweeps.count = 1;
        sample_status(&message->sweeps.list[0]);
        break;
    case MESSAGE_HELD:
        message->held.sweep = SWEEP;
        message->held.complete = true;
        message->held.result = RESULT;
        message->held.count = 2;
        message->held.ranges[0] = (struct block_range){1, 2};
        message->held.ranges[1] = (struct block_range){4, 4};
        break;
    case MESSAGE_WANTED:
        message->wanted.count = 2;
        message->wanted.sweeps[0] = SWEEP;
        message->wanted.sweeps[1] = POPULATION;
        break;
    case MESSAGE_RESULT:
        message->result.sweep = SWEEP;
        break;
    case MESSAGE_OUTCOME:
        message->outcome.sweep = SWEEP;
        message->outcome.blocks = 8;
        message->outcome.draws = 4096;
        message->outcome.complete = true;
        message->outcome.digest = RESULT;
        message->outcome.node = span_of("(a node)");
        break;
    case MESSAGE_STORE:
        message->store.store = 0x0123456789abcdef;
        message->store.commits = 187500;
        break;
    case MESSAGE_PAUSE:
    case MESSAGE_RESUME:
    case MESSAGE_RETRY:
    case MESSAGE_EXPLAIN:
        message->pause.sweep = SWEEP;
        break;
    case MESSAGE_DRAIN:
        copy_text(message->drain.name, "node7-4711");
        break;
    case MESSAGE_WORKERS:
        message->workers.from = 256;
        break;
    case MESSAGE_ROSTER:
        message->roster.next = 512;
        message->roster.count = 1;
        sample_worker(&message->roster.list[0]);
        break;
    case MESSAGE_EXPLANATION:
        message->explanation.sweep = SWEEP;
        copy_text(message->explanation.text, "no workers");
        break;
    case MESSAGE_RECALL:
        message->recall.token = TOKEN;
        break;
    case MESSAGE_RETURNED:
        message->returned.token = TOKEN;
        message->returned.sweep = SWEEP;
        message->returned.blocks = (struct block_range){6, 2};
        break;
    case MESSAGE_GOODBYE:
    case MESSAGE_STRANGER:
    case MESSAGE_KIND_END:
        break;
    }
}

void sample_newer_message(enum message_kind kind, struct message *message)
{
    sample_message(kind, message);
    if (kind == MESSAGE_SUBMIT) {
        message->submit.priority = 3;
        message->submit.weight = 20;
        copy_text(message->submit.tenant, "treasury");
    }
    if (kind == MESSAGE_FAILED) message->failed.cause = CAUSE_UNFIT;
    if (kind == MESSAGE_HELLO) message->hello.encoding = 2;
    if (kind == MESSAGE_SWEEPS) {
        struct sweep_status *status = &message->sweeps.list[0];
        status->state = SWEEP_STALLED;
        status->priority = 3;
        status->weight = 20;
        copy_text(status->tenant, "treasury");
    }
}

void sample_exchange(enum message_kind kind, struct message *message)
{
    sample_message(kind, message);
    if (kind == MESSAGE_ACCEPTED) message->accepted.known = false;
    if (kind == MESSAGE_FOLDED) message->folded.text[0] = '\0';
    if (kind != MESSAGE_SWEEPS) return;
    struct sweep_status *status = &message->sweeps.list[0];
    message->sweeps.wanted_workers = 0;
    status->done = status->blocks;
    status->leased = status->parked = 0;
    status->text[0] = '\0';
}

/* As long as the field allows, in characters of three bytes. */
static void fill_text(char *text, size_t capacity)
{
    memset(text, '.', capacity - 1);
    for (size_t at = 0; at + 3 < capacity; at += 3) memcpy(text + at, "€", 3);
    text[capacity - 1] = '\0';
}

#define FILL(text) fill_text(text, sizeof(text))

static const struct block_range last_block = {MESSAGE_BLOCKS_MAX - 1, 1};

static void largest_status(struct sweep_status *status)
{
    status->sweep = digest_filled(0xff);
    FILL(status->name);
    status->state = SWEEP_STALLED;
    status->draws = status->scenarios = status->blocks = UINT64_MAX;
    status->done = status->leased = status->parked = UINT64_MAX;
    status->result = digest_filled(0xff);
    FILL(status->text);
    status->priority = MESSAGE_PRIORITY_MAX;
    status->weight = MESSAGE_WEIGHT_MAX;
    FILL(status->tenant);
}

static void largest_worker(struct worker_status *status)
{
    FILL(status->name);
    status->state = WORKER_UNREACHED;
    status->leases = UINT32_MAX;
    status->blocks = status->blocks_per_1000s = status->silent_ms = UINT64_MAX;
}

void sample_largest_message(enum message_kind kind, struct message *message)
{
    static uint8_t bytes[POPULATION_BYTES_MAX];
    sample_message(kind, message);
    switch (kind) {
    case MESSAGE_HELLO:
        message->hello.role = ROLE_CLIENT;
        FILL(message->hello.name);
        message->hello.instance = UINT64_MAX;
        FILL(message->hello.program);
        FILL(message->hello.endpoint);
        message->hello.encoding = UINT32_MAX;
        break;
    case MESSAGE_WELCOME:
        message->welcome.heartbeat_ms = message->welcome.lease_ms = MESSAGE_INTERVAL_MS_MAX;
        FILL(message->welcome.aggregator);
        break;
    case MESSAGE_ITEM:
        message->item.item = ITEM_POPULATION;
        message->item.bytes = (struct span){bytes, POPULATION_BYTES_MAX};
        break;
    case MESSAGE_ERROR:
        message->error.code = ERROR_FORBIDDEN;
        FILL(message->error.text);
        break;
    case MESSAGE_HEARTBEAT:
        message->heartbeat.room = UINT64_MAX;
        message->heartbeat.token_count = MESSAGE_TOKENS_MAX;
        memset(message->heartbeat.tokens, 0xff, sizeof message->heartbeat.tokens);
        break;
    case MESSAGE_DONE:
        message->done.token = message->done.compute_us = UINT64_MAX;
        message->done.blocks = (struct block_range){0, MESSAGE_BLOCKS_MAX};
        break;
    case MESSAGE_FAILED:
        message->failed.blocks = last_block;
        message->failed.cause = CAUSE_SHUTDOWN;
        FILL(message->failed.text);
        break;
    case MESSAGE_LEASE:
        message->lease.blocks = last_block;
        break;
    case MESSAGE_PARTIAL:
        message->partial.level = 0;
        message->partial.index = MESSAGE_BLOCKS_MAX - 1;
        message->partial.node = (struct span){bytes, sizeof bytes};
        break;
    case MESSAGE_FOLDED:
        message->folded.level = MESSAGE_LEVEL_MAX;
        message->folded.index = 0;
        message->folded.outcome = FOLD_REFUSED;
        FILL(message->folded.text);
        break;
    case MESSAGE_SUBMIT:
        message->submit.sweep = (struct span){bytes, SWEEP_BYTES_MAX};
        message->submit.population = (struct span){bytes, POPULATION_BYTES_MAX};
        message->submit.priority = MESSAGE_PRIORITY_MAX;
        message->submit.weight = MESSAGE_WEIGHT_MAX;
        FILL(message->submit.tenant);
        break;
    case MESSAGE_DRAIN:
        FILL(message->drain.name);
        break;
    case MESSAGE_WORKERS:
        message->workers.from = UINT64_MAX;
        break;
    case MESSAGE_ROSTER:
        message->roster.next = UINT64_MAX;
        message->roster.count = MESSAGE_WORKERS_MAX;
        for (size_t at = 0; at < MESSAGE_WORKERS_MAX; at++) largest_worker(&message->roster.list[at]);
        break;
    case MESSAGE_EXPLANATION:
        FILL(message->explanation.text);
        break;
    case MESSAGE_RETURNED:
        message->returned.blocks = last_block;
        break;
    case MESSAGE_SWEEPS:
        FILL(message->sweeps.aggregator);
        message->sweeps.workers = UINT32_MAX;
        message->sweeps.wanted_workers = UINT64_MAX;
        message->sweeps.count = MESSAGE_SWEEPS_MAX;
        for (size_t at = 0; at < MESSAGE_SWEEPS_MAX; at++) largest_status(&message->sweeps.list[at]);
        break;
    case MESSAGE_HELD:
        message->held.count = MESSAGE_RANGES_MAX;
        for (size_t at = 0; at < MESSAGE_RANGES_MAX; at++) message->held.ranges[at] = last_block;
        break;
    case MESSAGE_WANTED:
        message->wanted.count = MESSAGE_SWEEPS_MAX;
        for (size_t at = 0; at < MESSAGE_SWEEPS_MAX; at++) message->wanted.sweeps[at] = digest_filled((uint8_t)at);
        break;
    case MESSAGE_OUTCOME:
        message->outcome.blocks = message->outcome.draws = UINT64_MAX;
        message->outcome.node = (struct span){bytes, sizeof bytes};
        break;
    case MESSAGE_STORE:
        message->store.store = message->store.commits = UINT64_MAX;
        break;
    default: /* nothing that can be larger */
        break;
    }
}

static void add_parameter(struct sweep *sweep, const char *name, double central, struct distribution distribution)
{
    struct sweep_parameter *parameter = &sweep->parameters[sweep->parameter_count++];
    copy_text(parameter->name, name);
    parameter->central = central;
    parameter->distribution = distribution;
}

static void add_parameters(struct sweep *sweep)
{
    add_parameter(sweep, "fixed", 1.5, (struct distribution){.kind = DISTRIBUTION_FIXED});
    add_parameter(sweep, "unset", NAN, (struct distribution){.kind = DISTRIBUTION_FIXED});
    add_parameter(sweep, "uniform", 0.3,
                  (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = -2.25, .high = 3.75});
    add_parameter(sweep, "triangular", 0.05,
                  (struct distribution){.kind = DISTRIBUTION_TRIANGULAR, .low = 0.0, .mode = 0.05, .high = 0.12});
    add_parameter(sweep, "normal", -7.0, (struct distribution){.kind = DISTRIBUTION_NORMAL, .mean = -7.0, .sd = 2.0});
    add_parameter(sweep, "truncated", 0.25,
                  (struct distribution){
                      .kind = DISTRIBUTION_TRUNCATED_NORMAL, .mean = 0.25, .sd = 0.05, .low = 0.1, .high = 0.3});
    add_parameter(sweep, "lognormal", 4.0,
                  (struct distribution){.kind = DISTRIBUTION_LOGNORMAL, .median = 4.0, .sigma = 0.5});
    add_parameter(sweep, "beta", 0.5,
                  (struct distribution){.kind = DISTRIBUTION_BETA, .low = 0.2, .mode = 0.5, .high = 1.0});
    add_parameter(sweep, "discrete", 1.0,
                  (struct distribution){.kind = DISTRIBUTION_DISCRETE,
                                        .point_count = 3,
                                        .values = {0.0, 1.0, 17.0},
                                        .weights = {0.25, 0.625, 0.125}});
}

void sample_sweep(struct sweep *sweep)
{
    memset(sweep, 0, sizeof *sweep); /* padding too: sweeps are compared as bytes */
    copy_text(sweep->name, "golden-thread");
    copy_text(sweep->model, "entitlement");
    copy_text(sweep->model_version, "3");
    copy_text(sweep->population_name, "england-2023");
    sweep->population = POPULATION;
    sweep->years = 10;
    sweep->first_year = 202526;
    sweep->seed = 2025;
    sweep->method = DESIGN_SOBOL;
    sweep->draws = 4096;
    sweep->draws_per_block = 512;
    sweep->levels = 1u << AREA_ENGLAND | 1u << AREA_REGION;
    sweep->by = SWEEP_BY_PHASE | SWEEP_BY_QUINTILE;
    sweep->quantile_count = 3;
    sweep->quantiles[0] = 0.0625;
    sweep->quantiles[1] = 0.5078125;
    sweep->quantiles[2] = 0.9375;
    sweep->measure_count = 2;
    copy_text(sweep->measures[0], "cost_gbp");
    copy_text(sweep->measures[1], "kept_fte");
    add_parameters(sweep);
    sweep->scenario_count = 2;
    copy_text(sweep->scenarios[0].name, "no-policy");
    copy_text(sweep->scenarios[1].name, "golden-thread");
    sweep->scenarios[1].setting_count = 2;
    sweep->scenarios[1].settings[0] = (struct sweep_setting){.parameter = 1, .value = 4.5};
    sweep->scenarios[1].settings[1] = (struct sweep_setting){.parameter = 8, .value = 17.0};
}

/* Kinds of distribution that version 1 does not know. */
static void add_later_parameters(struct sweep *sweep)
{
    add_parameter(sweep, "log_uniform", 3.0,
                  (struct distribution){.kind = DISTRIBUTION_LOG_UNIFORM, .low = 0.5, .high = 32.0});
    add_parameter(
        sweep, "pert", 0.5,
        (struct distribution){.kind = DISTRIBUTION_PERT, .low = 0.25, .mode = 0.5, .high = 1.0, .weights = {2.5}});
    add_parameter(sweep, "empirical", 0.5,
                  (struct distribution){.kind = DISTRIBUTION_EMPIRICAL, .point_count = 2, .pool_first = 0});
    add_parameter(sweep, "another", 9.0,
                  (struct distribution){.kind = DISTRIBUTION_EMPIRICAL, .point_count = 1, .pool_first = 2});
}

static struct sweep_threshold threshold(const char *measure, uint32_t year, enum threshold_side side, double value)
{
    struct sweep_threshold made = {.year = year, .side = side, .value = value};
    copy_text(made.measure, measure);
    return made;
}

void sample_analysis(struct sweep *sweep)
{
    sample_sweep(sweep);
    sweep->method = DESIGN_MORRIS;
    sweep->groups = 16;
    sweep->design_levels = 4;
    sweep->correlation_count = 2;
    sweep->correlations[0] = (struct sweep_correlation){2, 3, 0.5};
    sweep->correlations[1] = (struct sweep_correlation){2, 4, -0.25};
    add_later_parameters(sweep);
    sweep->pool_count = 3;
    memcpy(sweep->pool, (double[]){-1.5, 0.25, 8.75}, 3 * sizeof(double));
    sweep->study.measure_count = 1;
    copy_text(sweep->study.measures[0], "kept_fte");
    sweep->study.levels = 1u << AREA_ENGLAND;
    sweep->study.extras = STUDY_SECOND_ORDER | STUDY_DELTA;
    sweep->stop =
        (struct sweep_stop){.kind = STOP_HALF_WIDTH, .scenario = 1, .half_width = 0.0625, .confidence = 0.953125};
    copy_text(sweep->stop.measure, "kept_fte");
    copy_text(sweep->stop.area_code, "E92000001");
    sweep->threshold_count = 2;
    sweep->thresholds[0] = threshold("kept_fte", 0, THRESHOLD_ABOVE, 1.5);
    sweep->thresholds[1] = threshold("cost_gbp", 10, THRESHOLD_AT_MOST, -2.5);
    sweep->satisfice_count = 1;
    sweep->satisfice[0] = threshold("kept_fte", 1, THRESHOLD_BELOW, 3.5);
    copy_text(sweep->regret_measure, "cost_gbp");
    sweep->regret_lowest = 1;
    sweep->keep_draws = 1;
    sweep->discover = threshold("cost_gbp", 2, THRESHOLD_AT_LEAST, 4.5);
}

struct population *sample_population(bool names)
{
    enum { ROWS = 3, AUTHORITIES = 2 };
    struct population *population = population_new(ROWS, AUTHORITIES, names);
    cr_assert_not_null(population);
    population->authorities[0] = (struct authority){.number = 201, .region = 7, .name = "City of London"};
    population->authorities[1] = (struct authority){.number = 390, .region = 1, .name = "Gateshead"};
    for (uint8_t row = 0; row < ROWS; row++) {
        population->urn[row] = 100000u + row;
        population->authority[row] = row == 0 ? 0 : 1;
        population->phase[row] = row;
        population->quintile[row] = (uint8_t)(5 - row);
        population->rise[row] = row == 1;
        population->schools[row] = row + 1u;
        population->pp50_schools[row] = row;
        population->pupils[row] = 271.0 + row;
        population->fte[row] = 18.5 + row;
        population->fsm6[row] = 0.21875 + row / 4.0;
        population->ks4[row] = 40.25 * row;
        population->ks4_fsm6[row] = 0.125 * row;
        population->ks4_disadvantaged[row] = 0.28125 * row;
    }
    if (names) cr_assert(population_set_name(population, 1, "St Mary’s"));
    return population;
}
