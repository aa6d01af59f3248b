#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))
#define WORDS_MAX   12

static enum exit_status do_nothing(const struct options *options)
{
    (void)options;
    return STATUS_DONE;
}

static const struct command run = {"run", "FILE", "",
                                   OPTION_WORKERS | OPTION_OUT | OPTION_POPULATION | OPTION_SWEEP | OPTION_JSON |
                                       OPTION_QUIET | OPTION_BLOCK_SECONDS,
                                   do_nothing};
static const struct command status = {"status", "[SWEEP]", "", OPTION_JSON | OPTION_BROKER, do_nothing};
static const struct command parameters = {"parameters", NULL, "", OPTION_JSON, do_nothing};

static enum options_result read(const struct command *command, const char *const *words, struct options *options,
                                char *why)
{
    char *argv[WORDS_MAX + 1] = {(char *)command->name};
    int count = 1;
    for (; *words; words++) argv[count++] = (char *)*words;
    why[0] = '\0';
    return options_read(command, count, argv, options, why, 256);
}

Test(options, all_options_of_a_command_are_read)
{
    struct options options;
    char why[256];
    const char *words[] = {"--workers",      "5",       "f.yaml", "--set",  "a=1", "--set=b=2",
                           "--design=point", "--draws", "7",      "--json", NULL};
    cr_assert_eq(read(&run, words, &options, why), OPTIONS_READ, "%s", why);
    cr_expect_str_eq(options.operand, "f.yaml");
    cr_expect_eq(options.workers, 5);
    cr_assert_eq(options.overrides.set_count, 2);
    cr_expect_str_eq(options.overrides.sets[0], "a=1");
    cr_expect_str_eq(options.overrides.sets[1], "b=2");
    cr_expect_str_eq(options.overrides.design, "point");
    cr_expect_str_eq(options.overrides.draws, "7");
    cr_expect(options.json && !options.quiet);
}

Test(options, wrong_words_are_explained)
{
    static const struct {
        const struct command *command;
        const char *words[4];
        const char *holds;
    } rows[] = {
        {&run, {NULL}, "FILE is missing"},
        {&run, {"a", "b", NULL}, "`b` is one word too many"},
        {&run, {"a", "--worker=2", NULL}, NULL}, /* getopt takes a beginning that is clear */
        {&run, {"a", "--wokers=2", NULL}, "did you mean --workers?"},
        {&run, {"a", "--nothing-like-it", NULL}, "--help lists"},
        {&run, {"a", "--workers", "0"}, "1 to 256"},
        {&run, {"a", "--workers", "257"}, "1 to 256"},
        {&run, {"a", "--block-seconds", "-1"}, "0 to 31536000"},
        {&run, {"a", "--block-seconds", "1.5"}, "0 to 31536000"},
        {&run, {"a", "--workers", "two"}, "1 to 256"},
        {&run, {"a", "--workers", NULL}, "needs a value"},
        {&run, {"a", "--out", ""}, "empty value"},
        {&run, {"a", "--broker", "x"}, "no option --broker"},
        {&run, {"a", "-x", NULL}, "no option -x"},
        {&run, {"-xyz", "a", NULL}, "no option -x"},
        {&run, {"a", "--json=1", NULL}, "no option --json=1"},
        {&run, {"", NULL}, "FILE is an empty word"},
        {&parameters, {"a", NULL}, "one word too many"},
        {&status, {"a", "b", NULL}, "one word too many"},
    };
    for (size_t at = 0; at < COUNT(rows); at++) {
        struct options options;
        char why[256];
        enum options_result result = read(rows[at].command, rows[at].words, &options, why);
        cr_expect_eq(result, rows[at].holds ? OPTIONS_WRONG : OPTIONS_READ, "row %zu: %s", at, why);
        if (rows[at].holds) cr_expect_not_null(strstr(why, rows[at].holds), "row %zu: %s", at, why);
    }
}

Test(options, an_operand_in_brackets_may_be_left_out)
{
    struct options options;
    char why[256];
    cr_expect_eq(read(&status, (const char *[]){NULL}, &options, why), OPTIONS_READ);
    cr_expect_null(options.operand);
    cr_expect_eq(read(&status, (const char *[]){"abc", NULL}, &options, why), OPTIONS_READ);
    cr_expect_str_eq(options.operand, "abc");
}

Test(options, help_and_version_need_no_operand)
{
    struct options options;
    char why[256];
    cr_expect_eq(read(&run, (const char *[]){"--help", NULL}, &options, why), OPTIONS_HELP);
    cr_expect_eq(read(&run, (const char *[]){"--version", NULL}, &options, why), OPTIONS_VERSION);
}

Test(options, the_environment_names_servers_unless_an_option_does)
{
    struct options options;
    char why[256];
    setenv("GOLDTHREAD_BROKER", "tcp://one:1", 1);
    cr_assert_eq(read(&status, (const char *[]){NULL}, &options, why), OPTIONS_READ);
    cr_expect_str_eq(options.broker, "tcp://one:1");
    cr_assert_eq(read(&status, (const char *[]){"--broker", "tcp://two:2", NULL}, &options, why), OPTIONS_READ);
    cr_expect_str_eq(options.broker, "tcp://two:2");
}

Test(options, help_lists_every_option_of_the_command_and_no_other)
{
    char text[2048];
    options_help(&run, text, sizeof text);
    static const char *const has[] = {"--workers N",     "--out DIR", "--population PATH", "--set NAME=VALUE",
                                      "--design METHOD", "--draws N", "--seed S",          "--json",
                                      "--quiet",         "--version"};
    for (size_t at = 0; at < COUNT(has); at++) cr_expect_not_null(strstr(text, has[at]), "%s", has[at]);
    cr_expect_null(strstr(text, "--broker"));
}
