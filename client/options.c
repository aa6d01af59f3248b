#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "words.h"

enum {
    TAKE_HELP = 1,
    TAKE_VERSION,
    TAKE_WORKERS,
    TAKE_OUT,
    TAKE_POPULATION,
    TAKE_SET,
    TAKE_DESIGN,
    TAKE_DRAWS,
    TAKE_SEED,
    TAKE_JSON,
    TAKE_QUIET,
    TAKE_FRESH,
    TAKE_BROKER,
    TAKE_AGGREGATOR,
    TAKE_KEYS,
    TAKE_ROLE,
    TAKE_PRIORITY,
    TAKE_WEIGHT,
    TAKE_TENANT,
    TAKE_NAME,
    TAKE_FORMAT,
    TAKE_MODEL,
    TAKE_MODELS,
    TAKE_TABLE,
    TAKE_BLOCK_SECONDS
};

struct known {
    const char *name, *value; /* value: what stands behind it, or NULL */
    int take;
    unsigned bit; /* of the commands that have it; 0: all */
    const char *help;
};

static const struct known known[] = {
    {"workers", "N", TAKE_WORKERS, OPTION_WORKERS, "worker processes, 1 to 256 (default: one for each processor)"},
    {"out", "DIR", TAKE_OUT, OPTION_OUT, "folder for the results, new or empty (run: results/NAME-DIGEST8 without it)"},
    {"population", "PATH", TAKE_POPULATION, OPTION_POPULATION, "england-2023, or a school file of your own"},
    {"set", "NAME=VALUE", TAKE_SET, OPTION_SWEEP, "fix a parameter in every scenario that does not set it itself"},
    {"design", "METHOD", TAKE_DESIGN, OPTION_SWEEP,
     "how draws are chosen: point, random, sobol, latin-hypercube, one-at-a-time, grid, morris, saltelli, derivative "
     "or shapley"},
    {"draws", "N", TAKE_DRAWS, OPTION_SWEEP, "draws of the uncertain parameters"},
    {"draws", "N", TAKE_DRAWS, OPTION_DRAWS, "draws of each sweep (default 1048576)"},
    {"seed", "S", TAKE_SEED, OPTION_SWEEP, "seed of the draws"},
    {"json", NULL, TAKE_JSON, OPTION_JSON, "print one JSON value on standard output, and nothing else"},
    {"fresh", NULL, TAKE_FRESH, OPTION_FRESH,
     "use nothing of earlier runs, and keep nothing for later ones (or GOLDTHREAD_FRESH=1)"},
    {"block-seconds", "N", TAKE_BLOCK_SECONDS, OPTION_BLOCK_SECONDS,
     "give up a block that takes longer, after three attempts for good; 0: none (default 86400)"},
    {"quiet", NULL, TAKE_QUIET, OPTION_QUIET, "no progress and no notes"},
    {"priority", "N", TAKE_PRIORITY, OPTION_SHARE, "0 to 9: the highest of a tenant's sweeps go first (default 0)"},
    {"weight", "W", TAKE_WEIGHT, OPTION_SHARE, "1 to 1000: its share of the workers among the others (default 1)"},
    {"tenant", "NAME", TAKE_TENANT, OPTION_SHARE, "whose sweep it is, at most 63 bytes"},
    {"model", "MODEL", TAKE_MODEL, OPTION_MODEL,
     "entitlement (the default), no-op, or the path of a model of your own"},
    {"models", "DIR", TAKE_MODELS, OPTION_MODELS, "folder of the shared objects that a sweep may name as its model"},
    {"format", "csv|json", TAKE_FORMAT, OPTION_FORMAT, "what to print (default csv)"},
    {"table", "NAME", TAKE_TABLE, OPTION_FORMAT, "rollup, sensitivity or boxes (default rollup; into a folder, all)"},
    {"broker", "ENDPOINT", TAKE_BROKER, OPTION_BROKER, "the broker, tcp://HOST:PORT (or GOLDTHREAD_BROKER)"},
    {"aggregator", "ENDPOINT", TAKE_AGGREGATOR, OPTION_AGGREGATOR,
     "the aggregator, when the broker's word does not do (or GOLDTHREAD_AGGREGATOR)"},
    {"keys", "DIR", TAKE_KEYS, OPTION_BROKER,
     "folder of keys; needed unless the broker is on the loopback (or GOLDTHREAD_KEYS)"},
    {"role", "ROLE", TAKE_ROLE, OPTION_ROLE, "make one key, of a client, worker or admin (default: one of each)"},
    {"name", "NAME", TAKE_NAME, OPTION_ROLE, "whose key it is: makes a folder DIR/NAME to hand out; with --role"},
    {"help", NULL, TAKE_HELP, 0, "print this"},
    {"version", NULL, TAKE_VERSION, 0, "print the version"},
};
#define KNOWN_COUNT (sizeof known / sizeof *known)

static bool takes(const struct command *command, const struct known *option)
{
    return option->bit == 0 || (command->options & option->bit) != 0;
}

static void list_options(const struct command *command, struct option *list)
{
    size_t count = 0;
    for (size_t at = 0; at < KNOWN_COUNT; at++)
        if (takes(command, &known[at]))
            list[count++] = (struct option){known[at].name, known[at].value ? required_argument : no_argument, NULL,
                                            known[at].take};
    list[count] = (struct option){0};
}

static bool take_workers(struct options *options, const char *text, char *why, size_t why_bytes)
{
    uint64_t workers;
    if (!word_whole(text, OPTIONS_WORKERS_MAX, &workers) || workers == 0) {
        snprintf(why, why_bytes, "--workers %.32s: allowed is a whole number from 1 to %d", text, OPTIONS_WORKERS_MAX);
        return false;
    }
    options->workers = (uint32_t)workers;
    return true;
}

static bool take_block_seconds(struct options *options, const char *text, char *why, size_t why_bytes)
{
    uint64_t seconds;
    options->block_seconds = text;
    if (word_whole(text, OPTIONS_BLOCK_SECONDS_MAX, &seconds)) return true;
    snprintf(why, why_bytes, "--block-seconds %.32s: allowed is a whole number from 0 to %d", text,
             OPTIONS_BLOCK_SECONDS_MAX);
    return false;
}

static bool take_share(uint32_t *number, const char *name, const char *text, uint32_t least, uint32_t most, char *why,
                       size_t why_bytes)
{
    uint64_t value = 0;
    if (word_whole(text, most, &value) && value >= least) {
        *number = (uint32_t)value;
        return true;
    }
    snprintf(why, why_bytes, "--%s %.32s: allowed is a whole number from %u to %u", name, text, least, most);
    return false;
}

static bool take_tenant(struct options *options, const char *text, char *why, size_t why_bytes)
{
    options->tenant = text;
    if (*text && strlen(text) < MESSAGE_NAME_BYTES) return true;
    snprintf(why, why_bytes, "--tenant %.32s: allowed are 1 to %d bytes", text, MESSAGE_NAME_BYTES - 1);
    return false;
}

static bool take_format(struct options *options, const char *text, char *why, size_t why_bytes)
{
    options->format = strcmp(text, "json") == 0 ? FORMAT_JSON : FORMAT_CSV;
    if (options->format == FORMAT_JSON || strcmp(text, "csv") == 0) return true;
    snprintf(why, why_bytes, "--format %.32s: allowed are csv, json", text);
    return false;
}

static bool take_table(struct options *options, const char *text, char *why, size_t why_bytes)
{
    options->table = text;
    if (strcmp(text, "rollup") == 0 || strcmp(text, "sensitivity") == 0 || strcmp(text, "boxes") == 0) return true;
    snprintf(why, why_bytes, "--table %.32s: allowed are rollup, sensitivity, boxes", text);
    return false;
}

static bool take_set(struct options *options, const char *text, char *why, size_t why_bytes)
{
    struct scenario_overrides *overrides = &options->overrides;
    if (overrides->set_count == SCENARIO_SETS_MAX) {
        snprintf(why, why_bytes, "--set is given more than %d times", SCENARIO_SETS_MAX);
        return false;
    }
    overrides->sets[overrides->set_count++] = text;
    return true;
}

static bool take(struct options *options, int code, const char *text, char *why, size_t why_bytes)
{
    switch (code) {
    case TAKE_WORKERS:
        return take_workers(options, text, why, why_bytes);
    case TAKE_FORMAT:
        return take_format(options, text, why, why_bytes);
    case TAKE_TABLE:
        return take_table(options, text, why, why_bytes);
    case TAKE_PRIORITY:
        return take_share(&options->priority, "priority", text, 0, MESSAGE_PRIORITY_MAX, why, why_bytes);
    case TAKE_WEIGHT:
        return take_share(&options->weight, "weight", text, 1, MESSAGE_WEIGHT_MAX, why, why_bytes);
    case TAKE_TENANT:
        return take_tenant(options, text, why, why_bytes);
    case TAKE_SET:
        return take_set(options, text, why, why_bytes);
    case TAKE_OUT:
        options->out = text;
        break;
    case TAKE_POPULATION:
        options->population = text;
        break;
    case TAKE_DESIGN:
        options->overrides.design = text;
        break;
    case TAKE_DRAWS:
        options->overrides.draws = text;
        break;
    case TAKE_SEED:
        options->overrides.seed = text;
        break;
    case TAKE_MODEL:
        options->model = text;
        break;
    case TAKE_MODELS:
        options->models = text;
        break;
    case TAKE_BROKER:
        options->broker = text;
        break;
    case TAKE_AGGREGATOR:
        options->aggregator = text;
        break;
    case TAKE_KEYS:
        options->keys = text;
        break;
    case TAKE_ROLE:
        options->role = text;
        break;
    case TAKE_NAME:
        options->name = text;
        break;
    case TAKE_JSON:
        options->json = true;
        break;
    case TAKE_FRESH:
        options->fresh = true;
        break;
    case TAKE_BLOCK_SECONDS:
        return take_block_seconds(options, text, why, why_bytes);
    case TAKE_QUIET:
        options->quiet = true;
        break;
    default:
        break;
    }
    if (!text || *text) return true;
    snprintf(why, why_bytes, "an option has an empty value");
    return false;
}

static const char *option_at(const void *context, size_t at)
{
    return ((const struct option *)context)[at].name;
}

static enum options_result refuse_option(const struct option *list, const char *word, int code, char *why,
                                         size_t why_bytes)
{
    if (optopt > ' ' && optopt < 0x7f && code == '?') { /* a letter, maybe one of several */
        snprintf(why, why_bytes, "no option -%c; --help lists the options", optopt);
        return OPTIONS_WRONG;
    }
    if (code == ':') {
        snprintf(why, why_bytes, "%.64s needs a value", word);
        return OPTIONS_WRONG;
    }
    char name[64];
    size_t count = 0;
    while (list[count].name) count++;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + strspn(word, "-"), "="), word + strspn(word, "-"));
    const char *nearest = word_nearest(name, option_at, list, count);
    if (nearest) snprintf(why, why_bytes, "no option %.64s; did you mean --%s?", word, nearest);
    else snprintf(why, why_bytes, "no option %.64s; --help lists the options", word);
    return OPTIONS_WRONG;
}

static enum options_result read_operand(const struct command *command, int argc, char **argv, struct options *options,
                                        char *why, size_t why_bytes)
{
    int count = argc - optind;
    bool optional = command->operand && command->operand[0] == '[';
    if (count > (command->operand ? 1 : 0)) {
        const char *extra = argv[optind + (command->operand ? 1 : 0)];
        snprintf(why, why_bytes, "`%.64s` is one word too many; it takes %s", extra,
                 command->operand ? command->operand : "no operand");
        return OPTIONS_WRONG;
    }
    if (count == 0 && command->operand && !optional) {
        snprintf(why, why_bytes, "%s is missing", command->operand);
        return OPTIONS_WRONG;
    }
    options->operand = count ? argv[optind] : NULL;
    if (count && !*options->operand) {
        snprintf(why, why_bytes, "%s is an empty word", command->operand);
        return OPTIONS_WRONG;
    }
    return OPTIONS_READ;
}

enum options_result options_read(const struct command *command, int argc, char **argv, struct options *options,
                                 char *why, size_t why_bytes)
{
    struct option list[KNOWN_COUNT + 1];
    list_options(command, list);
    *options = (struct options){0};
    optind = 0; /* start afresh: glibc */
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, ":h", list, NULL)) != -1;) {
        if (code == TAKE_HELP || code == 'h') return OPTIONS_HELP;
        if (code == TAKE_VERSION) return OPTIONS_VERSION;
        if (code == '?' || code == ':') return refuse_option(list, argv[optind - 1], code, why, why_bytes);
        if (!take(options, code, optarg, why, why_bytes)) return OPTIONS_WRONG;
    }
    if (!options->broker) options->broker = getenv("GOLDTHREAD_BROKER");
    if (getenv("GOLDTHREAD_FRESH")) options->fresh = true;
    if (!options->aggregator) options->aggregator = getenv("GOLDTHREAD_AGGREGATOR");
    return read_operand(command, argc, argv, options, why, why_bytes);
}

void options_help(const struct command *command, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t at = 0; at < KNOWN_COUNT && used < text_bytes; at++) {
        if (!takes(command, &known[at])) continue;
        char head[40];
        snprintf(head, sizeof head, "--%s%s%s", known[at].name, known[at].value ? " " : "",
                 known[at].value ? known[at].value : "");
        used += (size_t)snprintf(text + used, text_bytes - used, "  %-22s %s\n", head, known[at].help);
    }
}
