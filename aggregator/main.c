/* goldthread-aggregator: takes partial results in, keeps them, folds them. */
#include <stdio.h>
#include <string.h>

#include "database.h"
#include "net/flags.h"
#include "net/http.h"
#include "net/process.h"
#include "net/socket.h"
#include "shell_server.h"
#include "shell_verify.h"

struct options {
    const char *bind, *advertise, *broker, *state, *keys, *http, *models;
    int follow_parent; /* 0: nobody */
    bool verbose, verify, http_public;
};

static const struct flag flags[] = {
    {"bind", "ENDPOINT", "where workers and clients connect (default tcp://127.0.0.1:7071)"},
    {"advertise", "ENDPOINT", "the address that they are told (default: as bound)"},
    {"broker", "ENDPOINT", "the broker (default tcp://127.0.0.1:7070)"},
    {"state", "DIR", "folder of the store, made if it is not there (required)"},
    {"keys", "DIR", "folder of keys: encrypt, and know who sends (or GOLDTHREAD_KEYS)"},
    {"models", "DIR", "folder of the shared objects that sweeps may name as their model; without it none is loaded"},
    {"http", "ADDRESS:PORT", "serve /healthz, /metrics and /status.json there; port 0: a free one"},
    {"http-public", NULL, "let --http be an address that other machines reach"},
    {"follow-parent", "PID", "end when this process, the parent, ends"},
    {"verbose", NULL, "log more"},
    {"verify", NULL, "look at every row in --state, change nothing, and end: 0 sound, 1 damaged, 2 in use"},
};

/* What is bound or called is looked at with its keys; here it must fit a message. */
static bool take_endpoint(const char **to, const char *value, char *why)
{
    *to = value;
    if (strlen(value) < MESSAGE_ENDPOINT_BYTES) return true;
    snprintf(why, FLAG_WHY_BYTES, "'%.64s...' is too long: at most %d bytes are allowed", value,
             MESSAGE_ENDPOINT_BYTES - 1);
    return false;
}

static bool take_advertised(const char **to, const char *value, char *why)
{
    const char *refusal = endpoint_refusal(value, true);
    if (refusal == NULL) return take_endpoint(to, value, why);
    snprintf(why, FLAG_WHY_BYTES, "--advertise %.64s: %s", value, refusal);
    return false;
}

static bool take_text(const char **to, const char *value, char *why)
{
    *to = value;
    if (*value) return true;
    snprintf(why, FLAG_WHY_BYTES, "a folder has a name");
    return false;
}

static bool take_pid(int *pid, const char *value, char *why)
{
    long number = flag_number(value);
    *pid = (int)number;
    if (number > 0 && number == *pid) return true;
    snprintf(why, FLAG_WHY_BYTES, "'%.64s' is no process id", value);
    return false;
}

static bool apply(void *context, const char *name, const char *value, char *why)
{
    struct options *options = context;
    if (strcmp(name, "bind") == 0) return take_endpoint(&options->bind, value, why);
    if (strcmp(name, "advertise") == 0) return take_advertised(&options->advertise, value, why);
    if (strcmp(name, "broker") == 0) return take_endpoint(&options->broker, value, why);
    if (strcmp(name, "state") == 0) return take_text(&options->state, value, why);
    if (strcmp(name, "keys") == 0) return take_text(&options->keys, value, why);
    if (strcmp(name, "models") == 0) return take_text(&options->models, value, why);
    if (strcmp(name, "follow-parent") == 0) return take_pid(&options->follow_parent, value, why);
    if (strcmp(name, "http") == 0) options->http = value;
    if (strcmp(name, "http-public") == 0) options->http_public = true;
    if (strcmp(name, "verbose") == 0) options->verbose = true;
    if (strcmp(name, "verify") == 0) options->verify = true;
    return true;
}

static void complain(const char *what)
{
    fprintf(stderr, "goldthread-aggregator: %s\n", what);
}

static int give_up(const char *why)
{
    log_event(LOG_ERROR, "not-started", "reason=\"%s\"", why);
    return EXIT_FAILED;
}

static bool is_wildcard(const char *endpoint)
{
    return strncmp(endpoint, "tcp://*:", 8) == 0 || strncmp(endpoint, "tcp://0.0.0.0:", 14) == 0 ||
           strncmp(endpoint, "tcp://[::]:", 11) == 0;
}

static void warn(const struct options *options)
{
    if (is_wildcard(options->bind) && !options->advertise)
        log_event(LOG_WARNING, "no-address", "endpoint=%s hint=\"say with --advertise where others find it\"",
                  options->bind);
    const unsigned others = database_folder_open_to(options->state);
    if (others != 0)
        log_event(LOG_WARNING, "state-open", "state=%s others=%o hint=\"chmod 0700\"", options->state, others);
}

static int serve(const struct options *options, const struct keys *keys, int stop_fd)
{
    char why[768];
    const struct server_setup setup = {.bind = options->bind,
                                       .broker = options->broker,
                                       .state = options->state,
                                       .advertise = options->advertise,
                                       .http = options->http,
                                       .models = options->models,
                                       .keys = keys};
    struct server *server = server_open(&setup, why, sizeof why);
    if (!server) return give_up(why);
    bool orderly = server_run(server, stop_fd);
    server_close(server, orderly);
    return orderly ? EXIT_OK : EXIT_FAILED;
}

static void print_damage(void *context, const char *line)
{
    (void)context;
    printf("damaged: %s\n", line);
}

static void print_note(void *context, const char *line)
{
    (void)context;
    printf("not looked into: %s\n", line);
}

/* The counts are what a copy of the store is compared by. */
static int verify(const struct options *options)
{
    char why[768];
    struct verify_summary summary;
    int64_t damages =
        verify_store(options->state, options->models, print_damage, print_note, NULL, &summary, why, sizeof why);
    if (damages < 0) {
        complain(why);
        return EXIT_USAGE;
    }
    printf("%s: store %016llx, %llu commits, %llu sweeps, %llu nodes; the broker's store %016llx had %llu\n",
           damages == 0 ? "sound" : "not sound", (unsigned long long)summary.store, (unsigned long long)summary.commits,
           (unsigned long long)summary.sweeps, (unsigned long long)summary.nodes,
           (unsigned long long)summary.witness.store, (unsigned long long)summary.witness.commits);
    return damages == 0 ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct options options = {.bind = "tcp://127.0.0.1:7071", .broker = "tcp://127.0.0.1:7070"};
    const struct flag_table table = {.program = "goldthread-aggregator",
                                     .purpose =
                                         "Takes partial results from workers, keeps them on disk, and folds them.",
                                     .flags = flags,
                                     .count = sizeof flags / sizeof *flags,
                                     .apply = apply};
    int status = flags_read(&table, argc, argv, &options);
    if (status >= 0) return status;
    if (!options.state) {
        complain("--state DIR is missing; see goldthread-aggregator --help");
        return EXIT_USAGE;
    }
    char why[KEY_WHY_BYTES];
    struct keys room;
    const struct keys *keys;
    if (!net_find_keys(options.keys, KEY_AGGREGATOR, (const char *[2]){options.bind, options.broker}, &room, &keys, why,
                       sizeof why)) {
        complain(why);
        return EXIT_USAGE;
    }
    if (options.http && !http_check_address(options.http, options.http_public, why, sizeof why)) {
        complain(why);
        return EXIT_USAGE;
    }
    if (options.verify) return verify(&options);
    log_open(table.program, options.verbose ? LOG_DEBUG : LOG_INFO);
    int stop_fd = process_stop_fd();
    if (stop_fd < 0) return give_up("cannot wait for signals");
    if (options.follow_parent && !process_follow_parent(options.follow_parent)) return give_up("the parent is gone");
    if (!database_make_folder(options.state)) return give_up("cannot make the state folder");
    warn(&options);
    return serve(&options, keys, stop_fd);
}
