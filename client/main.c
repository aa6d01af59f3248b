/* goldthread: the command that people type. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "process.h"
#include "shell_commands.h"
#include "words.h"

#define SERVER_OPTIONS (OPTION_BROKER | OPTION_AGGREGATOR)

static const struct command commands[] = {
    {"run", "FILE", "run a sweep on this machine and print the result",
     OPTION_WORKERS | OPTION_OUT | OPTION_POPULATION | OPTION_SWEEP | OPTION_JSON | OPTION_QUIET | OPTION_FRESH |
         OPTION_BLOCK_SECONDS,
     command_run},
    {"check", "FILE", "check a scenario file and print the plan; run nothing",
     OPTION_POPULATION | OPTION_SWEEP | OPTION_JSON | OPTION_QUIET | OPTION_WORKERS, command_check},
    {"verify", NULL, "samplers, estimators and sketches against exact values, pass or fail",
     OPTION_WORKERS | OPTION_DRAWS | OPTION_MODELS | OPTION_JSON, command_verify},
    {"validate", NULL, "the model against published figures, pass or fail", OPTION_POPULATION | OPTION_JSON,
     command_validate},
    {"parameters", NULL, "every parameter: unit, central value, distribution, source", OPTION_JSON | OPTION_MODEL,
     command_parameters},
    {"results", "SWEEP|DIR", "print the figures of a finished run",
     OPTION_FORMAT | OPTION_OUT | OPTION_MODELS | SERVER_OPTIONS, command_results},
    {"submit", "FILE", "hand a sweep to a broker; prints its id",
     OPTION_POPULATION | OPTION_SWEEP | OPTION_QUIET | OPTION_BROKER | OPTION_SHARE, command_submit},
    {"status", "[SWEEP]", "the sweeps of a broker, or one of them", OPTION_JSON | OPTION_BROKER, command_status},
    {"watch", "SWEEP", "follow a sweep until it is done, stalled, failed or cancelled", OPTION_BROKER, command_watch},
    {"explain", "SWEEP", "why a sweep is not further on, in one line", OPTION_BROKER, command_explain},
    {"cancel", "SWEEP", "stop a sweep at a broker", OPTION_BROKER, command_cancel},
    {"pause", "SWEEP", "lend nothing more of a sweep until it is resumed", OPTION_BROKER, command_pause},
    {"resume", "SWEEP", "go on with a paused sweep", OPTION_BROKER, command_resume},
    {"retry", "SWEEP", "try the parked blocks of a sweep again", OPTION_BROKER, command_retry},
    {"workers", NULL, "the workers of a broker", OPTION_JSON | OPTION_BROKER, command_workers},
    {"drain", "WORKER", "let a worker finish what it has, and end", OPTION_BROKER, command_drain},
    {"keygen", "DIR", "make the keys of servers, workers and people", OPTION_ROLE, command_keygen},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_help(FILE *out)
{
    fprintf(out, "goldthread %s: sweeps of a policy model over England's schools\n\nusage: goldthread COMMAND ...\n\n",
            GOLDTHREAD_VERSION);
    for (size_t at = 0; at < COMMAND_COUNT; at++) {
        char head[48];
        snprintf(head, sizeof head, "%s %s", commands[at].name, commands[at].operand ? commands[at].operand : "");
        fprintf(out, "  %-20s %s\n", head, commands[at].summary);
    }
    fprintf(out, "\n`goldthread COMMAND --help` lists a command's options.\n"
                 "Exit status: 0 done; 1 the work failed; 2 bad usage or input; 3 no server; 130 interrupted.\n");
}

static enum exit_status print_command_help(const struct command *command)
{
    char options[2048];
    options_help(command, options, sizeof options);
    printf("usage: goldthread %s %s%s[OPTION]...\n%s\n\n%s", command->name, command->operand ? command->operand : "",
           command->operand ? " " : "", command->summary, options);
    return STATUS_DONE;
}

static enum exit_status print_version(void)
{
    printf("goldthread %s\n", GOLDTHREAD_VERSION);
    return STATUS_DONE;
}

static const char *command_at(const void *context, size_t at)
{
    return ((const struct command *)context)[at].name;
}

static enum exit_status refuse(const char *word)
{
    const char *nearest = word_nearest(word, command_at, commands, COMMAND_COUNT);
    if (nearest) fprintf(stderr, "goldthread: no command %.64s; did you mean %s?\n", word, nearest);
    else fprintf(stderr, "goldthread: no command %.64s; `goldthread --help` lists the commands\n", word);
    return STATUS_USAGE;
}

static enum exit_status run_command(const struct command *command, int argc, char **argv)
{
    struct options options;
    char why[512];
    switch (options_read(command, argc, argv, &options, why, sizeof why)) {
    case OPTIONS_HELP:
        return print_command_help(command);
    case OPTIONS_VERSION:
        return print_version();
    case OPTIONS_READ:
        return command->run(&options);
    case OPTIONS_WRONG:
        break;
    }
    fprintf(stderr, "goldthread %s: %s\n", command->name, why);
    return STATUS_USAGE;
}

static enum exit_status dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return STATUS_USAGE;
    }
    for (int at = 1; at < argc; at++)
        if (!word_is_text(argv[at])) {
            fprintf(stderr, "goldthread: word %d is no text; allowed is UTF-8 without control characters\n", at);
            return STATUS_USAGE;
        }
    if (strcmp(argv[1], "--version") == 0) return print_version();
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return STATUS_DONE;
    }
    for (size_t at = 0; at < COMMAND_COUNT; at++)
        if (strcmp(argv[1], commands[at].name) == 0) return run_command(&commands[at], argc - 1, argv + 1);
    return refuse(argv[1]);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, seen below */
    log_open("goldthread", LOG_WARNING);
    enum exit_status status = dispatch(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE) fprintf(stderr, "goldthread: standard output cannot be written\n");
        if (status == STATUS_DONE) status = STATUS_FAILED;
    }
    return (int)status;
}
