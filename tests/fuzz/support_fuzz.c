#include "support_fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "stop.h"
#include "sweep_codec.h"

#define PATH_BYTES 512

_Noreturn void fuzz_fail(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    fflush(stderr);
    abort();
}

/* Choices */

struct choices choices_of(const uint8_t *data, size_t size)
{
    return (struct choices){data, data + size};
}

bool choices_left(const struct choices *choices)
{
    return choices->at < choices->end;
}

uint8_t choose_byte(struct choices *choices)
{
    return choices_left(choices) ? *choices->at++ : 0;
}

uint64_t choose_below(struct choices *choices, uint64_t bound)
{
    uint64_t number = choose_byte(choices);
    for (uint64_t rest = bound; rest > 256; rest >>= 8) number = number << 8 | choose_byte(choices);
    return number % bound;
}

struct span choose_span(struct choices *choices, size_t max)
{
    const size_t left = (size_t)(choices->end - choices->at), asked = choose_below(choices, 65536);
    struct span span = {choices->at, asked < left ? asked : left};
    if (span.size > (size_t)(choices->end - choices->at)) span.size = (size_t)(choices->end - choices->at);
    if (span.size > max) span.size = max;
    span.data = choices->at;
    choices->at += span.size;
    return span;
}

uint64_t choose_number(struct choices *choices)
{
    const uint8_t kind = choose_byte(choices);
    if (kind < 160) return kind % 16;
    if (kind < 224) return (UINT64_C(1) << kind % 64) + choose_byte(choices) % 3 - 1;
    if (kind < 240) return UINT64_MAX - kind % 16;
    return choose_below(choices, UINT64_MAX);
}

void choose_text(struct choices *choices, char *text, size_t capacity)
{
    const uint8_t kind = choose_byte(choices);
    const size_t size = kind < 250 ? kind % 4 : capacity - 1;
    memset(text, 'a' + kind % 3, size);
    text[size] = 0;
}

/* Sweeps and messages */

static struct digest make_sweep(uint8_t number, uint64_t blocks, uint32_t draws_per_block,
                                const struct digest *population, enum stop_kind rule, struct buffer *out)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    fuzz_require(sweep != NULL);
    snprintf(sweep->name, sizeof sweep->name, "sweep %u", number);
    strcpy(sweep->model, "entitlement");
    strcpy(sweep->model_version, "1");
    strcpy(sweep->population_name, "small");
    sweep->population = *population;
    sweep->years = 1;
    sweep->first_year = 202526;
    sweep->method = DESIGN_RANDOM;
    sweep->draws = blocks * draws_per_block;
    sweep->draws_per_block = draws_per_block;
    sweep->stop =
        (struct sweep_stop){.kind = rule, .measure = "m", .area_code = "E92000001", .half_width = 1, .confidence = 0.5};
    sweep->levels = 1u << AREA_ENGLAND;
    sweep->parameter_count = 1;
    strcpy(sweep->parameters[0].name, "p");
    sweep->scenario_count = 1;
    strcpy(sweep->scenarios[0].name, "base");
    sweep_encode(sweep, out);
    free(sweep);
    fuzz_require(!out->failed);
    return digest_of(buffer_span(out));
}

struct digest small_sweep(uint8_t number, uint64_t blocks, const struct digest *population, struct buffer *out)
{
    return make_sweep(number, blocks, 1, population, STOP_NEVER, out);
}

struct digest ruled_sweep(uint8_t number, uint64_t blocks, const struct digest *population, struct buffer *out)
{
    return make_sweep(number, blocks, STOP_DRAWS_LEAST / 2, population, STOP_HALF_WIDTH, out);
}

void require_readable(const struct message *message)
{
    static struct message read;
    struct buffer bytes = {0};
    const char *why = NULL;
    message_encode(message, &bytes);
    fuzz_require(!bytes.failed && message_decode(buffer_span(&bytes), &read, &why));
    fuzz_require(read.kind == message->kind);
    buffer_free(&bytes);
}

/* Files */

/* Nothing here outlives the process: syncing would only take time. */
int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

int fsync(int fd)
{
    (void)fd;
    return 0;
}

static char folder[PATH_BYTES];
static pid_t folder_owner; /* a forked child leaves its parent's folder alone */

static void path_of(const char *name, char *path)
{
    fuzz_require(snprintf(path, PATH_BYTES, "%s/%s", fuzz_folder(), name) < PATH_BYTES);
}

void fuzz_empty_folder(void)
{
    static const char *const names[] = {
        "broker.db",     "broker.db-wal",     "broker.db-shm",     "broker.lock", "lock",
        "aggregator.db", "aggregator.db-wal", "aggregator.db-shm", "config",      "key"};
    char path[PATH_BYTES];
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        path_of(names[at], path);
        unlink(path);
    }
}

static void remove_folder(void)
{
    if (folder_owner != getpid()) return;
    fuzz_empty_folder();
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (folder_owner == getpid()) return folder;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder - 64, "%s", parent != NULL ? parent : "/tmp");
    strcat(folder, "/gt-fuzz-XXXXXX");
    fuzz_require(mkdtemp(folder) != NULL);
    folder_owner = getpid();
    atexit(remove_folder);
    return folder;
}

void fuzz_write_file(const char *name, struct span bytes)
{
    char path[PATH_BYTES];
    path_of(name, path);
    FILE *file = fopen(path, "wbe");
    fuzz_require(file != NULL && fwrite(bytes.data, 1, bytes.size, file) == bytes.size);
    fuzz_require(fclose(file) == 0);
}

void fuzz_read_file(const char *name, struct buffer *out)
{
    char path[PATH_BYTES];
    uint8_t chunk[4096];
    size_t size;
    path_of(name, path);
    FILE *file = fopen(path, "rbe");
    fuzz_require(file != NULL);
    buffer_clear(out);
    while ((size = fread(chunk, 1, sizeof chunk, file)) > 0) buffer_append(out, chunk, size);
    fuzz_require(!out->failed && fclose(file) == 0);
}
