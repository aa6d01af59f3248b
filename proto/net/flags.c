#include "flags.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_LINE_BYTES 1024

enum { OPTION_CONFIG = 1000, OPTION_HELP, OPTION_VERSION };

static void print_help(const struct flag_table *table)
{
    char left[64];
    printf("usage: %s [flags]\n%s\n\n", table->program, table->purpose);
    for (size_t at = 0; at < table->count; at++) {
        const struct flag *flag = &table->flags[at];
        snprintf(left, sizeof left, "--%s %s", flag->name, flag->argument != NULL ? flag->argument : "");
        printf("  %-26s%s\n", left, flag->meaning);
    }
    printf("  %-26s%s\n", "--config FILE", "read flags from lines `name = value`; the command line wins");
    printf("  %-26s%s\n  %-26s%s\n", "--help", "this list", "--version", "the version");
}

static const struct flag *find_flag(const struct flag_table *table, const char *name)
{
    for (size_t at = 0; at < table->count; at++)
        if (strcmp(table->flags[at].name, name) == 0) return &table->flags[at];
    return NULL;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) end--;
    *end = 0;
    return text;
}

/* Values of a configuration file live as long as the program, whoever still points to them. */
static struct kept_value {
    struct kept_value *next;
    char text[];
} * kept_values;

static const char *keep_value(const char *value)
{
    struct kept_value *kept = malloc(sizeof *kept + strlen(value) + 1);
    if (kept == NULL) return NULL;
    strcpy(kept->text, value);
    kept->next = kept_values;
    kept_values = kept;
    return kept->text;
}

void flags_forget(void)
{
    while (kept_values != NULL) {
        struct kept_value *kept = kept_values;
        kept_values = kept->next;
        free(kept);
    }
}

/* A switch is turned on by `name = yes`; `no` leaves it off. */
static bool apply_line(const struct flag_table *table, void *context, const char *name, const char *value, char *why)
{
    const struct flag *flag = find_flag(table, name);
    if (flag == NULL) {
        snprintf(why, FLAG_WHY_BYTES, "unknown name '%.64s'; the names are those of the flags in --help", name);
        return false;
    }
    if (flag->argument == NULL && strcmp(value, "no") == 0) return true;
    if (flag->argument == NULL && strcmp(value, "yes") != 0) {
        snprintf(why, FLAG_WHY_BYTES, "%s is a switch: yes or no", name);
        return false;
    }
    if (flag->argument == NULL) return table->apply(context, name, NULL, why);
    const char *kept = keep_value(value);
    return kept != NULL && table->apply(context, name, kept, why);
}

static bool read_line(const struct flag_table *table, void *context, char *line, char *why)
{
    char *text = trim(line), *equals = strchr(text, '=');
    if (*text == 0 || *text == '#') return true;
    if (equals == NULL) {
        snprintf(why, FLAG_WHY_BYTES, "expected name = value");
        return false;
    }
    *equals = 0;
    return apply_line(table, context, trim(text), trim(equals + 1), why);
}

/* A line that was cut would go on as one of its own, even behind a #. */
static bool is_whole(FILE *file, const char *line)
{
    return strchr(line, '\n') != NULL || feof(file);
}

static bool read_config(const struct flag_table *table, void *context, const char *path)
{
    char line[CONFIG_LINE_BYTES], why[FLAG_WHY_BYTES] = "out of memory";
    FILE *file = fopen(path, "re");
    bool good = file != NULL;
    if (!good) fprintf(stderr, "%s: %s: %s\n", table->program, path, strerror(errno));
    for (unsigned number = 1; good && fgets(line, sizeof line, file) != NULL; number++) {
        good = is_whole(file, line);
        if (!good)
            snprintf(why, sizeof why, "the line is too long: at most %d bytes are allowed", CONFIG_LINE_BYTES - 2);
        good = good && read_line(table, context, line, why);
        if (!good) fprintf(stderr, "%s:%u: %s\n", path, number, why);
    }
    if (file != NULL) fclose(file);
    return good;
}

static void make_options(const struct flag_table *table, struct option *options)
{
    size_t count = 0;
    for (; count < table->count && count < FLAGS_MAX; count++)
        options[count] =
            (struct option){table->flags[count].name,
                            table->flags[count].argument != NULL ? required_argument : no_argument, NULL, (int)count};
    options[count++] = (struct option){"config", required_argument, NULL, OPTION_CONFIG};
    options[count++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    options[count++] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
    options[count] = (struct option){0};
}

static int refuse(const struct flag_table *table, const char *why)
{
    fprintf(stderr, "%s: %s; see %s --help\n", table->program, why, table->program);
    return EXIT_USAGE;
}

static int refuse_option(const struct flag_table *table, char **argv, int kind)
{
    char why[FLAG_WHY_BYTES];
    snprintf(why, sizeof why, kind == ':' ? "%.128s needs a value" : "unknown flag %.128s", argv[optind - 1]);
    return refuse(table, why);
}

/* One pass over the command line: the first only looks for the configuration. */
static int read_pass(const struct flag_table *table, int argc, char **argv, void *context, const char **config)
{
    struct option options[FLAGS_MAX + 4];
    char why[FLAG_WHY_BYTES] = "";
    int option;
    make_options(table, options);
    optind = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == '?' || option == ':') return refuse_option(table, argv, option);
        if (option == OPTION_HELP) return print_help(table), EXIT_OK;
        if (option == OPTION_VERSION) return printf("%s %s\n", table->program, GOLDTHREAD_VERSION), EXIT_OK;
        if (option == OPTION_CONFIG) *config = optarg;
        else if (context != NULL && !table->apply(context, table->flags[option].name, optarg, why))
            return refuse(table, why);
    }
    if (optind == argc) return -1;
    snprintf(why, sizeof why, "unexpected argument %.128s", argv[optind]);
    return refuse(table, why);
}

int flags_read(const struct flag_table *table, int argc, char **argv, void *context)
{
    const char *config = NULL;
    int status = read_pass(table, argc, argv, NULL, &config);
    if (status >= 0) return status;
    if (config != NULL && !read_config(table, context, config)) return EXIT_USAGE;
    return read_pass(table, argc, argv, context, &config);
}

long flag_number(const char *value)
{
    char *end;
    errno = 0;
    const long number = strtol(value, &end, 10);
    return errno == 0 && end != value && *end == 0 && number >= 1 ? number : 0;
}
