#include "manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "design.h"
#include "utf8.h"

#define ATTRIBUTION                                                                                                    \
    "Contains Department for Education data, Crown copyright, licensed under the Open Government Licence v3.0"

struct digest manifest_run(const struct sweep *sweep, const struct digest *sweep_id, const struct digest *digest)
{
    struct buffer bytes = {0};
    buffer_append(&bytes, sweep_id->bytes, DIGEST_BYTES);
    buffer_append(&bytes, sweep->model_version, strlen(sweep->model_version) + 1);
    buffer_append(&bytes, sweep->population.bytes, DIGEST_BYTES);
    buffer_append(&bytes, digest->bytes, DIGEST_BYTES);
    struct digest run = bytes.failed ? (struct digest){0} : digest_of(buffer_span(&bytes));
    buffer_free(&bytes);
    return run;
}

static json_t *hex(const struct digest *digest)
{
    char text[DIGEST_HEX_BYTES];
    digest_to_hex(digest, text);
    return json_string(text);
}

static json_t *list_words(const struct manifest *manifest)
{
    json_t *list = json_array();
    for (size_t at = 0; at < manifest->word_count; at++) json_array_append_new(list, json_string(manifest->words[at]));
    return list;
}

static json_t *list_scenarios(const struct sweep *sweep)
{
    json_t *list = json_array();
    for (uint32_t at = 0; at < sweep->scenario_count; at++)
        json_array_append_new(list, json_string(sweep->scenarios[at].name));
    return list;
}

static json_t *list_files(const struct manifest *manifest)
{
    json_t *list = json_array();
    for (size_t at = 0; at < manifest->file_count; at++) {
        const struct manifest_file *file = &manifest->files[at];
        json_t *entry = json_object();
        json_object_set_new(entry, "name", json_string(file->name));
        json_object_set_new(entry, "bytes", json_integer((json_int_t)file->bytes));
        json_object_set_new(entry, "rows", json_integer((json_int_t)file->rows));
        json_object_set_new(entry, "sha256", hex(&file->sha256));
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *describe_population(const struct sweep *sweep)
{
    json_t *population = json_object();
    json_object_set_new(population, "name", json_string(sweep->population_name));
    json_object_set_new(population, "sha256", hex(&sweep->population));
    json_object_set_new(population, "attribution", json_string(ATTRIBUTION));
    return population;
}

static json_t *describe_model(const struct sweep *sweep)
{
    json_t *model = json_object();
    json_object_set_new(model, "name", json_string(sweep->model));
    json_object_set_new(model, "version", json_string(sweep->model_version));
    return model;
}

/* A seed beyond what JSON numbers hold exactly is text. */
static json_t *describe_seed(uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    return seed <= UINT64_C(1) << 53 ? json_integer((json_int_t)seed) : json_string(text);
}

/* What `mcse` of the rollup is. */
static const char *describe_mcse(const struct sweep *sweep)
{
    bool studied = sweep->study.measure_count > 0;
    if (sweep_has_replicates(sweep) && studied)
        return "of studied figures from between the replicates; of others sd / sqrt(n), an upper bound";
    if (sweep_spreads_evenly(sweep)) return "sd / sqrt(n), an upper bound: the design spreads its draws evenly";
    return "sd / sqrt(n)";
}

bool manifest_write(const struct manifest *manifest, struct buffer *out)
{
    const struct sweep *sweep = manifest->sweep;
    json_t *root = json_object();
    json_object_set_new(root, "goldthread", json_string(GOLDTHREAD_VERSION));
    json_object_set_new(root, "name", json_string(sweep->name));
    json_object_set_new(root, "sweep", hex(&manifest->sweep_id));
    json_object_set_new(root, "run", hex(&manifest->run));
    json_object_set_new(root, "digest", hex(&manifest->digest));
    json_object_set_new(root, "model", describe_model(sweep));
    json_object_set_new(root, "population", describe_population(sweep));
    json_object_set_new(root, "years", json_integer(sweep->years));
    json_object_set_new(root, "first_year", json_integer(sweep->first_year));
    json_object_set_new(root, "design", json_string(design_method_names[sweep->method]));
    json_object_set_new(root, "seed", describe_seed(sweep->seed));
    json_object_set_new(root, "draws", json_integer((json_int_t)manifest->ending.draws));
    if (ending_is_early(&manifest->ending)) json_object_set_new(root, "stopped", ending_describe(&manifest->ending));
    json_object_set_new(root, "failed_draws", json_integer((json_int_t)manifest->failed_draws));
    json_object_set_new(root, "mcse", json_string(describe_mcse(sweep)));
    json_object_set_new(root, "scenarios", list_scenarios(sweep));
    json_object_set_new(root, "command", list_words(manifest));
    json_object_set_new(root, "files", list_files(manifest));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    json_decref(root);
    if (!text) return false;
    buffer_append(out, text, strlen(text));
    buffer_append(out, "\n", 1);
    free(text);
    return !out->failed;
}

static bool read_hex(const json_t *root, const char *key, char *text)
{
    struct digest digest;
    const char *value = json_string_value(json_object_get(root, key));
    if (!value || !digest_from_hex(&digest, value)) return false;
    memcpy(text, value, DIGEST_HEX_BYTES);
    return true;
}

/* A name that stays inside its folder. */
static bool is_plain_name(const char *name)
{
    if (!name || !*name || *name == '.' || strlen(name) >= MANIFEST_NAME_BYTES) return false;
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == '/' || *name == 0x7f) return false;
    return true;
}

static bool read_file_entry(const json_t *entry, struct manifest_file *file)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    const json_t *bytes = json_object_get(entry, "bytes"), *rows = json_object_get(entry, "rows");
    char sha256[DIGEST_HEX_BYTES];
    if (!is_plain_name(name) || !json_is_integer(bytes) || !json_is_integer(rows)) return false;
    if (json_integer_value(bytes) < 0 || json_integer_value(rows) < 0 || !read_hex(entry, "sha256", sha256))
        return false;
    snprintf(file->name, sizeof file->name, "%s", name);
    file->bytes = (uint64_t)json_integer_value(bytes);
    file->rows = (uint64_t)json_integer_value(rows);
    return digest_from_hex(&file->sha256, sha256);
}

static bool read_root(const json_t *root, struct manifest_read *manifest)
{
    const json_t *files = json_object_get(root, "files");
    if (!read_hex(root, "sweep", manifest->sweep) || !read_hex(root, "run", manifest->run)) return false;
    if (!read_hex(root, "digest", manifest->digest)) return false;
    if (!json_is_array(files) || json_array_size(files) > MANIFEST_FILES_MAX) return false;
    for (size_t at = 0; at < json_array_size(files); at++)
        if (!read_file_entry(json_array_get(files, at), &manifest->files[manifest->file_count++])) return false;
    return true;
}

bool manifest_parse(struct span json, struct manifest_read *manifest, char *why, size_t why_bytes)
{
    *manifest = (struct manifest_read){0};
    json_error_t error;
    if (json.size == 0) {
        snprintf(why, why_bytes, "it is empty");
        return false;
    }
    json_t *root = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        snprintf(why, why_bytes, "%d:%d: not JSON: %s", error.line, error.column, error.text);
        utf8_mask_controls(why); /* it quotes the file */
        return false;
    }
    bool sound = read_root(root, manifest);
    json_decref(root);
    if (!sound) snprintf(why, why_bytes, "not a manifest of this program");
    return sound;
}
