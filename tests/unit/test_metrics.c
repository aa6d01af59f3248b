/* What the servers tell of themselves, and the documents that explain it. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../aggregator/metrics.h"
#include "../../broker/metrics.h"
#include "digest.h"
#include "support_broker.h"
#include "support_facts.h"

#define WORDS_MAX  512
#define WORD_BYTES 96

static const struct peer worker = {.size = 1, .bytes = "w"};

/* What the broker on the bench tells. */
static struct buffer told;
static struct broker_snapshot seen;

/* The lease that the last step lent. */
static const struct broker_effect *lent(const struct bench *bench)
{
    for (size_t at = 0; at < bench->effects.count; at++)
        if (bench->effects.list[at].kind == BROKER_SEND && bench->effects.list[at].send.kind == MESSAGE_LEASE)
            return &bench->effects.list[at];
    cr_assert_fail("a lease is expected");
    return NULL;
}

/* The page as a string, valid until the next. */
static const char *page_of(struct bench *bench, void (*page)(const void *, uint64_t, struct buffer *))
{
    broker_observe(bench->broker, bench->now_ms, &seen);
    buffer_clear(&told);
    page(&seen, 20, &told);
    buffer_append(&told, "", 1);
    cr_assert_not(told.failed);
    return (const char *)told.data;
}

/* The value of a sample, named with its labels. Fails when it is not there. */
static double sample(const char *page, const char *name)
{
    const size_t size = strlen(name);
    for (const char *line = page; *line != 0; line = strchr(line, '\n') + 1)
        if (strncmp(line, name, size) == 0 && line[size] == ' ') return strtod(line + size, NULL);
    cr_assert_fail("no sample %s in\n%s", name, page);
    return -1;
}

/* Words in order of arrival, each once. */
struct words {
    size_t count;
    char list[WORDS_MAX][WORD_BYTES];
};

static bool has_word(const struct words *words, const char *word)
{
    for (size_t at = 0; at < words->count; at++)
        if (strcmp(words->list[at], word) == 0) return true;
    return false;
}

static void add_word(struct words *words, const char *text, size_t size)
{
    char word[WORD_BYTES];
    cr_assert(size < sizeof word && words->count < WORDS_MAX);
    snprintf(word, sizeof word, "%.*s", (int)size, text);
    if (!has_word(words, word)) strcpy(words->list[words->count++], word);
}

static char *read_source(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", GOLDTHREAD_SOURCE, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    for (int letter; (letter = fgetc(file)) != EOF;) fputc(letter, memory);
    fclose(memory);
    fclose(file);
    return text;
}

/* Text format */

Test(exposition, a_histogram_counts_up_to_each_bound_and_all_at_the_end)
{
    struct histogram histogram = {0};
    struct buffer out = {0};
    static const uint64_t times_us[] = {0, 1000, 1001, 9999, 10000000, 10000001, 3600000000};
    for (size_t at = 0; at < sizeof times_us / sizeof *times_us; at++) histogram_add(&histogram, times_us[at]);
    expose_histogram(&out, "t_seconds", "Time.", &histogram);
    buffer_append(&out, "", 1);
    const char *page = (const char *)out.data;
    cr_assert_eq(strncmp(page, "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n", 50), 0, "%s", page);
    cr_expect_eq(sample(page, "t_seconds_bucket{le=\"0.001\"}"), 2, "a bound is inside its bucket");
    cr_expect_eq(sample(page, "t_seconds_bucket{le=\"0.0025\"}"), 3);
    cr_expect_eq(sample(page, "t_seconds_bucket{le=\"0.01\"}"), 4);
    cr_expect_eq(sample(page, "t_seconds_bucket{le=\"10\"}"), 5);
    cr_expect_eq(sample(page, "t_seconds_bucket{le=\"+Inf\"}"), 7);
    cr_expect_eq(sample(page, "t_seconds_count"), 7);
    cr_expect_eq(sample(page, "t_seconds_sum"), 3620.012001);
    cr_expect_eq(histogram_count(&histogram), 7);
    buffer_free(&out);
}

Test(exposition, half_a_line_is_no_page)
{
    struct buffer out = {0};
    char *text = malloc(3000);
    memset(text, 'x', 2999);
    text[2999] = 0;
    expose(&out, "%s", text);
    cr_assert(out.failed);
    buffer_free(&out);
    free(text);
}

Test(exposition, json_text_reads_back_whatever_it_holds)
{
    static const char text[] = "a \"quote\", a \\, \t and \n, \x01, \xc3\xa9 and \xe2\x82\xac";
    struct buffer out = {0};
    expose_json_text(&out, text);
    json_t *value = json_loadb((const char *)out.data, out.size, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(value);
    cr_assert_str_eq(json_string_value(value), text);
    json_decref(value);
    buffer_free(&out);
}

Test(meter, a_rate_is_that_of_the_last_window_and_ends_when_nothing_comes)
{
    struct meter meter = {0};
    uint64_t now_ms = 5000;
    cr_assert_eq(meter_rate(meter, now_ms), 0);
    for (int second = 0; second < 90; second++, now_ms += 1000) meter_add(&meter, 20, now_ms);
    cr_expect_float_eq(meter_rate(meter, now_ms), 20, 1);
    cr_expect_float_eq(meter_rate(meter, now_ms + METER_WINDOW_MS / 2), 10, 1);
    cr_expect_eq(meter_rate(meter, now_ms + 2 * METER_WINDOW_MS), 0);
    meter_add(&meter, 30, now_ms + 100 * METER_WINDOW_MS);
    cr_expect_float_eq(meter_rate(meter, now_ms + 100 * METER_WINDOW_MS), 1, 0.001, "what is long past is forgotten");
}

/* The broker */

Test(broker_metrics, what_a_key_may_not_say_is_counted)
{
    struct bench *bench = open_bench();
    seen.traffic.refused[ERROR_FORBIDDEN] = 3;
    seen.traffic.refused[ERROR_REFUSED] = 2;
    const char *page = page_of(bench, broker_metrics);
    cr_expect_eq(sample(page, "goldthread_broker_messages_refused_total{reason=\"forbidden\"}"), 3);
    cr_expect_eq(sample(page, "goldthread_broker_messages_refused_total{reason=\"refused\"}"), 2);
    close_bench(bench);
}

Test(broker_metrics, a_page_tells_what_happened)
{
    struct bench *bench = open_bench();
    submit(bench, "s", 100);
    hello(bench, worker, ROLE_WORKER, "w1", 1);
    struct broker_effect lease = *lent(bench);
    done(bench, worker, lease.send.lease.token, (struct block_range){0, 1}, 1000);
    lease = *lent(bench);
    failed(bench, worker, lease.send.lease.token, lease.send.lease.blocks, CAUSE_OVERLAP);
    const uint64_t overlapped = lease.send.lease.blocks.count;
    wait_ms(bench, 4000);
    const char *page = page_of(bench, broker_metrics);
    cr_expect_eq(sample(page, "goldthread_broker_sweeps_accepted_total"), 1);
    cr_expect_eq(sample(page, "goldthread_broker_blocks_done_total"), 1);
    cr_expect_eq(sample(page, "goldthread_broker_blocks_failed_total{cause=\"overlap\"}"), (double)overlapped);
    cr_expect_eq(sample(page, "goldthread_broker_blocks_failed_total{cause=\"error\"}"), 0);
    cr_expect_eq(sample(page, "goldthread_broker_sweeps{state=\"running\"}"), 1);
    cr_expect_eq(sample(page, "goldthread_broker_workers{state=\"busy\"}"), 1);
    cr_expect_eq(sample(page, "goldthread_broker_wanted_workers"), 1);
    cr_expect_eq(sample(page, "goldthread_broker_stalled_seconds"), 4);
    cr_expect_eq(sample(page, "goldthread_broker_aggregators"), 0);
    cr_expect_eq(sample(page, "goldthread_broker_snapshot_age_seconds"), 0.02);
    const double granted = sample(page, "goldthread_broker_leases_granted_total");
    const double out = sample(page, "goldthread_broker_leases");
    cr_expect_gt(granted, 2);
    cr_expect_gt(out, 0);

    wait_ms(bench, 1000);
    page = page_of(bench, broker_metrics);
    cr_expect_eq(sample(page, "goldthread_broker_leases_lapsed_total"), out, "the worker was silent");
    cr_expect_eq(sample(page, "goldthread_broker_leases"), 0);
    cr_expect_eq(sample(page, "goldthread_broker_workers_lost_total"), 1);
    cr_expect_eq(sample(page, "goldthread_broker_workers{state=\"busy\"}"), 0);
    close_bench(bench);
}

static double blocks_in(const char *page, const char *state)
{
    char name[128];
    snprintf(name, sizeof name, "goldthread_broker_blocks{state=\"%s\"}", state);
    return sample(page, name);
}

Test(broker_metrics, every_block_is_in_one_state)
{
    struct bench *bench = open_bench();
    submit(bench, "stopped", 30);
    memset(&bench->message, 0, sizeof bench->message);
    bench->message.kind = MESSAGE_CANCEL;
    bench->message.cancel.sweep = bench->id;
    deliver(bench, client);
    submit(bench, "failing", 1);
    hello(bench, worker, ROLE_WORKER, "w1", 1);
    for (unsigned attempt = 0; attempt < LEDGER_ATTEMPTS; attempt++) {
        const struct broker_effect lease = *lent(bench);
        failed(bench, worker, lease.send.lease.token, (struct block_range){0, 1}, CAUSE_ERROR);
        wait_ms(bench, LEDGER_BACKOFF_MS << attempt);
    }
    submit(bench, "running", 20);
    const struct broker_effect lease = *lent(bench);
    done(bench, worker, lease.send.lease.token, (struct block_range){0, 1}, 1000);
    const char *page = page_of(bench, broker_metrics);
    cr_expect_eq(blocks_in(page, "parked"), 1);
    cr_expect_eq(blocks_in(page, "done"), 1);
    cr_expect_gt(blocks_in(page, "leased"), 0);
    cr_expect_eq(blocks_in(page, "stopped"), 30);
    cr_expect_eq(blocks_in(page, "ready") + blocks_in(page, "leased") + blocks_in(page, "done") +
                     blocks_in(page, "parked") + blocks_in(page, "stopped"),
                 51);
    cr_expect_eq(sample(page, "goldthread_broker_blocks_failed_total{cause=\"error\"}"), 3);
    close_bench(bench);
}

Test(broker_metrics, status_tells_of_every_sweep_and_worker)
{
    struct bench *bench = open_bench();
    submit(bench, "the \"golden\" thread", 10);
    hello(bench, worker, ROLE_WORKER, "w\\1", 1);
    const struct broker_effect lease = *lent(bench);
    done(bench, worker, lease.send.lease.token, (struct block_range){0, 5}, 1000);
    wait_ms(bench, 1000);
    json_error_t error;
    json_t *status = json_loads(page_of(bench, broker_status), JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(status, "%s", error.text);
    const json_t *sweep = json_array_get(json_object_get(status, "sweeps"), 0);
    const json_t *one = json_array_get(json_object_get(status, "workers"), 0);
    cr_expect_str_eq(json_string_value(json_object_get(sweep, "name")), "the \"golden\" thread");
    cr_expect_eq(json_integer_value(json_object_get(sweep, "done")), 5);
    cr_expect_eq(json_number_value(json_object_get(sweep, "progress")), 0.5);
    cr_expect_gt(json_number_value(json_object_get(sweep, "blocks_per_s")), 0);
    cr_expect_eq(json_integer_value(json_object_get(sweep, "block_us")), 201);
    cr_expect_str_eq(json_string_value(json_object_get(one, "name")), "w\\1");
    cr_expect_str_eq(json_string_value(json_object_get(one, "state")), "busy");
    cr_expect_eq(json_integer_value(json_object_get(one, "blocks_done")), 5);
    cr_expect_eq(json_integer_value(json_object_get(one, "silent_ms")), 1000);
    cr_expect_eq(json_integer_value(json_object_get(status, "wanted_workers")), 1);
    json_decref(status);
    close_bench(bench);
}

Test(broker_metrics, a_full_roster_fits_the_snapshot)
{
    struct bench *bench = open_bench();
    char name[MESSAGE_NAME_BYTES];
    for (uint32_t at = 0; at < WORKERS_MAX; at++) {
        struct peer peer = {.size = 4};
        memcpy(peer.bytes, &at, sizeof at);
        snprintf(name, sizeof name, "w%u", at);
        hello(bench, peer, ROLE_WORKER, name, 1);
    }
    json_t *status = json_loads(page_of(bench, broker_status), 0, NULL);
    cr_assert_not_null(status);
    cr_assert_eq(json_array_size(json_object_get(status, "workers")), WORKERS_MAX);
    cr_assert_eq(sample(page_of(bench, broker_metrics), "goldthread_broker_workers{state=\"idle\"}"), WORKERS_MAX);
    json_decref(status);
    close_bench(bench);
}

/* The aggregator */

static const char *aggregator_page(struct aggregator_snapshot *snapshot, struct buffer *out,
                                   void (*page)(const void *, uint64_t, struct buffer *))
{
    buffer_clear(out);
    page(snapshot, 5, out);
    buffer_append(out, "", 1);
    cr_assert_not(out->failed);
    return (const char *)out->data;
}

Test(aggregator_metrics, pages_tell_what_is_held)
{
    struct aggregator_snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct aggregator *core = aggregator_new(&(struct aggregator_config){.name = "a"});
    const struct digest one = {{1}}, two = {{2}}, none = {{0}};
    struct buffer out = {0};
    cr_assert(aggregator_load_sweep(core, &one, PLAIN_FACTS(8), &none, true, &two));
    cr_assert(aggregator_load_node(core, &one, (struct fold_place){3, 0}));
    cr_assert(aggregator_load_sweep(core, &two, PLAIN_FACTS(100), &none, true, &none));
    cr_assert(aggregator_load_node(core, &two, (struct fold_place){4, 0}));
    cr_assert(aggregator_load_node(core, &two, (struct fold_place){0, 20}));
    aggregator_observe(core, snapshot);
    snapshot->counters.partials[FOLD_DUPLICATE] = 7;
    const char *page = aggregator_page(snapshot, &out, aggregator_metrics);
    cr_expect_eq(sample(page, "goldthread_aggregator_nodes"), 3);
    cr_expect_eq(sample(page, "goldthread_aggregator_blocks"), 25);
    cr_expect_eq(sample(page, "goldthread_aggregator_sweeps{state=\"complete\"}"), 1);
    cr_expect_eq(sample(page, "goldthread_aggregator_sweeps{state=\"ready\"}"), 1);
    cr_expect_eq(sample(page, "goldthread_aggregator_partials_total{outcome=\"duplicate\"}"), 7);
    cr_expect_eq(sample(page, "goldthread_aggregator_registered"), 0);
    json_t *status = json_loads(aggregator_page(snapshot, &out, aggregator_status), JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(status);
    const json_t *sweeps = json_object_get(status, "sweeps");
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(sweeps, 0), "state")), "complete");
    cr_expect_eq(json_integer_value(json_object_get(json_array_get(sweeps, 1), "held")), 17);
    cr_expect_eq(json_number_value(json_object_get(json_array_get(sweeps, 1), "progress")), 0.17);
    json_decref(status);
    aggregator_free(core);
    buffer_free(&out);
    free(snapshot);
}

/* Form of the pages, and the documents */

static bool ends_in(const char *text, const char *end)
{
    const size_t size = strlen(text), tail = strlen(end);
    return size >= tail && strcmp(text + size - tail, end) == 0;
}

/* Checks one line; family and type are those of the TYPE line above. */
static void check_sample(const char *line, const char *family, const char *type)
{
    char name[WORD_BYTES], rest[WORD_BYTES], *end;
    const size_t size = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    snprintf(name, sizeof name, "%.*s", (int)size, line);
    snprintf(rest, sizeof rest, "%s", name + (strlen(name) > strlen(family) ? strlen(family) : strlen(name)));
    cr_expect_eq(strncmp(name, family, strlen(family)), 0, "%s is below the family %s", name, family);
    cr_expect(rest[0] == 0 ||
                  (strcmp(type, "histogram") == 0 &&
                   (strcmp(rest, "_bucket") == 0 || strcmp(rest, "_sum") == 0 || strcmp(rest, "_count") == 0)),
              "%s", name);
    const char *at = line + size;
    if (*at == '{') at = strchr(at, '}') + 1;
    cr_expect_eq(*at, ' ', "%s", line);
    const double value = strtod(at + 1, &end);
    cr_expect(end != at + 1 && *end == '\n' && value >= 0, "no number: %s", line);
}

/* Checks the whole page and takes its families. */
static void check_page(const char *page, const char *prefix, struct words *families)
{
    char family[WORD_BYTES] = "", type[WORD_BYTES] = "";
    for (const char *line = page; *line != 0; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            const size_t size = strcspn(line + 7, " ");
            const size_t before = families->count;
            add_word(families, line + 7, size);
            cr_expect_eq(families->count, before + 1, "a family twice: %.60s", line);
            cr_expect_eq(strncmp(line + 7, prefix, strlen(prefix)), 0, "%.60s", line);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            cr_assert_eq(sscanf(line, "# TYPE %95s %95s", family, type), 2);
            cr_expect_str_eq(family, families->list[families->count - 1]);
            cr_expect_eq(strcmp(type, "counter") == 0, ends_in(family, "_total"), "%s is a %s", family, type);
        } else {
            check_sample(line, family, type);
        }
    }
}

static void take_families(struct words *families)
{
    struct bench *bench = open_bench();
    for (int kind = 0; kind < MESSAGE_KIND_END; kind++) seen.traffic.sent[kind] = 1;
    check_page(page_of(bench, broker_metrics), "goldthread_broker_", families);
    struct aggregator_snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct buffer out = {0};
    check_page(aggregator_page(snapshot, &out, aggregator_metrics), "goldthread_aggregator_", families);
    buffer_free(&out);
    free(snapshot);
    close_bench(bench);
}

/* Every word of a text that begins with `goldthread_`. */
static void take_metric_names(const char *text, struct words *names)
{
    for (const char *at = text; (at = strstr(at, "goldthread_")) != NULL;) {
        const size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
        add_word(names, at, size);
        at += size;
    }
}

Test(documents, explain_every_metric_and_no_other)
{
    struct words *families = calloc(1, sizeof *families), *documented = calloc(1, sizeof *documented);
    char *text = read_source("docs/operations.md");
    take_families(families);
    take_metric_names(text, documented);
    for (size_t at = 0; at < families->count; at++)
        cr_expect(has_word(documented, families->list[at]), "docs/operations.md lacks %s", families->list[at]);
    for (size_t at = 0; at < documented->count; at++)
        cr_expect(has_word(families, documented->list[at]), "there is no %s", documented->list[at]);
    free(text);
    free(families);
    free(documented);
}

Test(documents, alerts_ask_for_metrics_that_exist)
{
    struct words *families = calloc(1, sizeof *families), *asked = calloc(1, sizeof *asked);
    char *text = read_source("ops/prometheus/alerts.yml");
    take_families(families);
    take_metric_names(text, asked);
    cr_assert_gt(asked->count, 6);
    for (size_t at = 0; at < asked->count; at++) {
        char *name = asked->list[at];
        if (ends_in(name, "_bucket")) name[strlen(name) - strlen("_bucket")] = 0;
        cr_expect(has_word(families, name), "there is no %s", name);
    }
    free(text);
    free(families);
    free(asked);
}

/* Adds PROGRAM:EVENT:LEVEL for every event in a piece of C behind a level: of a call, or of a table. */
static void take_events(const char *text, const char *program, struct words *events)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    for (const char *at = text; (at = strstr(at, "LOG_")) != NULL; at++) {
        for (size_t level = 0; level < 4; level++) {
            const size_t size = strlen(levels[level]);
            if (strncasecmp(at + 4, levels[level], size) != 0 || at[4 + size] != ',') continue;
            /* The event is the next argument, one string or a choice of two. */
            const char *end = at + 5 + size;
            size_t found = 0;
            for (; *end != ',' && *end != '}' && *end != ';'; end++) {
                if (*end != '"') continue;
                const size_t length = strcspn(end + 1, "\"");
                char word[WORD_BYTES];
                snprintf(word, sizeof word, "%s:%.*s:%s", program, (int)length, end + 1, levels[level]);
                add_word(events, word, strlen(word));
                end += 1 + length;
                found++;
            }
            const bool table = strncmp(end - 5, "event", 5) == 0; /* log_event(notes[..].level, notes[..].event */
            cr_expect(found > 0 || table, "%s: a line without a fixed event: %.80s", program, at);
        }
    }
}

static void take_folder(const char *folder, const char *program, struct words *events)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", GOLDTHREAD_SOURCE, folder);
    DIR *entries = opendir(path);
    cr_assert_not_null(entries, "%s", path);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (!ends_in(entry->d_name, ".c")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        char *text = read_source(path);
        take_events(text, program, events);
        free(text);
    }
    closedir(entries);
}

/* Rows `| event | level | meaning | what to do |` below a heading `### Log of PROGRAM`. */
static void take_rows(const char *text, struct words *events)
{
    char program[WORD_BYTES] = "", event[WORD_BYTES], level[WORD_BYTES], word[3 * WORD_BYTES];
    for (const char *line = text; *line != 0; line += strcspn(line, "\n"), line += *line == '\n') {
        if (*line == '#') program[0] = 0;
        sscanf(line, "### Log of %95[a-z]", program);
        if (program[0] == 0 || sscanf(line, "| `%95[a-z-]` | %95[a-z] |", event, level) != 2) continue;
        snprintf(word, sizeof word, "%s:%s:%s", program, event, level);
        add_word(events, word, strlen(word));
    }
}

Test(documents, explain_every_line_of_the_servers_logs_and_no_other)
{
    struct words *written = calloc(1, sizeof *written), *documented = calloc(1, sizeof *documented);
    take_folder("broker", "broker", written);
    take_folder("aggregator", "aggregator", written);
    take_folder("worker", "worker", written);
    take_folder("proto/net", "keys", written);
    char *text = read_source("docs/operations.md");
    take_rows(text, documented);
    cr_assert_gt(written->count, 30);
    for (size_t at = 0; at < written->count; at++)
        cr_expect(has_word(documented, written->list[at]), "docs/operations.md lacks %s", written->list[at]);
    for (size_t at = 0; at < documented->count; at++)
        cr_expect(has_word(written, documented->list[at]), "nobody writes %s", documented->list[at]);
    free(text);
    free(written);
    free(documented);
}
