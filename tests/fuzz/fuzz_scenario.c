/* A scenario file; behind a NUL, if there is one, what the command line says: design, draws, seed, then
 * settings, each behind a NUL. Refused with a place and a reason, or a sweep that a broker would take. */
#include <stdio.h>
#include <string.h>

#include "registry.h"
#include "scenario.h"
#include "sweep_codec.h"
#include "targets.h"

#define WORDS_BYTES 1024

/* libfyaml 0.7.12 loses a buffer of its own over some files that it refuses: nothing of ours. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

/* The words are in `text`, which outlives the overrides. */
static void split(char *text, size_t size, struct scenario_overrides *overrides)
{
    const char **const fields[] = {&overrides->design, &overrides->draws, &overrides->seed};
    size_t number = 0;
    for (size_t at = 0; at < size && overrides->set_count < SCENARIO_SETS_MAX; at += strlen(text + at) + 1, number++) {
        const char *word = text + at;
        if (number >= 3) overrides->sets[overrides->set_count++] = word;
        else if (*word != 0) *fields[number] = word;
    }
}

static void require_fault(const char *why)
{
    unsigned line, column;
    fuzz_require(why[0] != 0 && strchr(why, '\n') == NULL && strnlen(why, SCENARIO_WHY_BYTES) < SCENARIO_WHY_BYTES);
    fuzz_require(strncmp(why, "--", 2) == 0 || sscanf(why, "file:%u:%u: ", &line, &column) == 2);
}

int FUZZ_TARGET(scenario)(const uint8_t *data, size_t size)
{
    static struct sweep read;
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    const struct span file = {data, end != NULL ? (size_t)(end - data) : size};
    struct scenario_overrides overrides = {0};
    struct buffer bytes = {0};
    char words[WORDS_BYTES + 1] = "", why[SCENARIO_WHY_BYTES] = "";
    size_t words_size = end != NULL ? size - file.size - 1 : 0;
    if (words_size > WORDS_BYTES) words_size = WORDS_BYTES;
    if (words_size > 0) memcpy(words, end + 1, words_size);
    split(words, words_size, &overrides);
    struct scenario_file *scenario = scenario_read(file, "file", &overrides, NULL, why);
    if (scenario != NULL) {
        const char *reason = NULL;
        scenario->sweep.draws_per_block = 1; /* the plan's, which needs the population */
        sweep_encode(&scenario->sweep, &bytes);
        fuzz_require(!bytes.failed && sweep_decode(buffer_span(&bytes), &read, &reason));
        fuzz_require(scenario->model != NULL && scenario->note_count <= SCENARIO_NOTES_MAX);
        for (int part = 0; part < SCENARIO_PARTS; part++) fuzz_require(scenario->places[part].line >= 1);
        fuzz_require(scenario->population_place.line >= 1);
    } else {
        require_fault(why);
    }
    scenario_free(scenario);
    buffer_free(&bytes);
    return 0;
}
