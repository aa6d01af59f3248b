/* Words of a command line, each ended by a NUL, up to an empty word; the rest is a configuration file. A
 * value that is taken is one that was given, and nothing is taken when the program is not to run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/flags.h"
#include "targets.h"

#define WORDS_MAX  24
#define WORD_BYTES 96
#define TAKEN_MAX  512

static const struct flag flags[] = {{"broker", "ENDPOINT", "where the broker is"},
                                    {"number", "N", "a whole number of at least 1"},
                                    {"quiet", NULL, "a switch"},
                                    {"refused", "X", "whose value is never right"}};

struct taken {
    size_t count;
    bool refused;
};

static bool apply(void *context, const char *name, const char *value, char *why)
{
    struct taken *taken = context;
    fuzz_require(taken->count < TAKEN_MAX);
    fuzz_require((value == NULL) == (strcmp(name, "quiet") == 0));
    taken->count++;
    if (strcmp(name, "number") == 0) {
        const long number = flag_number(value);
        fuzz_require(number >= 0);
        if (number > 0) return true;
    } else if (strcmp(name, "refused") != 0) {
        return true;
    }
    snprintf(why, FLAG_WHY_BYTES, "%s: %.64s is not right", name, value);
    taken->refused = true;
    return false;
}

int FUZZ_TARGET(flags)(const uint8_t *data, size_t size)
{
    static char words[WORDS_MAX + 1][WORD_BYTES];
    static struct taken taken;
    const struct flag_table table = {"program", "does nothing", flags, sizeof flags / sizeof *flags, apply};
    char *argv[WORDS_MAX + 4] = {"program"};
    int argc = 1;
    size_t at = 0;
    taken = (struct taken){0};
    if (size > 16384) return 0;
    for (; at < size && data[at] != 0 && argc <= WORDS_MAX; argc++) {
        const size_t length = strnlen((const char *)data + at, size - at);
        snprintf(words[argc - 1], WORD_BYTES, "%.*s", (int)length, (const char *)data + at);
        argv[argc] = words[argc - 1];
        /* Only the file below is opened. */
        if (strncmp(argv[argc], "--c", 3) == 0) strcpy(argv[argc], "--config=/dev/null");
        at += length + (at + length < size);
    }
    at += at < size && data[at] == 0;
    char path[64];
    const int fd = memfd_create("config", MFD_CLOEXEC);
    fuzz_require(fd >= 0 && write(fd, data + at, size - at) == (ssize_t)(size - at));
    snprintf(path, sizeof path, "--config=/proc/self/fd/%d", fd);
    memmove(argv + 2, argv + 1, (size_t)argc * sizeof *argv);
    argv[1] = path;
    argc++;
    argv[argc] = NULL;
    const int status = flags_read(&table, argc, argv, &taken);
    fuzz_require(status == -1 || status == EXIT_OK || status == EXIT_USAGE);
    fuzz_require(!taken.refused || status == EXIT_USAGE);
    fuzz_require(status != EXIT_OK || taken.count == 0);
    flags_forget();
    close(fd);
    return 0;
}
