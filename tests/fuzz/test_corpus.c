/* Replays the corpora of the fuzz targets, so that every build covers what fuzzing has found. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "targets.h"

#define PATH_BYTES 4096

static char path[PATH_BYTES]; /* of the file being replayed */

static void name_file(int signal_number)
{
    static const char before[] = "while replaying ", after[] = "\n";
    signal(signal_number, SIG_DFL);
    if (write(STDERR_FILENO, before, sizeof before - 1) < 0 || write(STDERR_FILENO, path, strlen(path)) < 0 ||
        write(STDERR_FILENO, after, 1) < 0)
        _exit(1);
    raise(signal_number);
}

/* In memory of its own, so that the address sanitizer sees a byte read beyond. */
static void replay(int (*target)(const uint8_t *data, size_t size))
{
    FILE *file = fopen(path, "rbe");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    cr_assert_geq(size, 0);
    uint8_t *data = malloc((size_t)size + (size == 0));
    rewind(file);
    cr_assert_eq(fread(data, 1, (size_t)size, file), (size_t)size, "%s", path);
    fclose(file);
    cr_assert_eq(target(data, (size_t)size), 0);
    free(data);
}

static void replay_all(const char *name, int (*target)(const uint8_t *data, size_t size))
{
    char folder[PATH_BYTES / 2];
    struct dirent **entries = NULL;
    unsigned replayed = 0;
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", GOLDTHREAD_SOURCE, name);
    const int count = scandir(folder, &entries, NULL, alphasort);
    cr_assert_gt(count, 0, "%s cannot be read", folder);
    signal(SIGABRT, name_file);
    signal(SIGSEGV, name_file);
    for (int at = 0; at < count; at++) {
        if (entries[at]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entries[at]->d_name);
            replay(target);
            replayed++;
        }
        free(entries[at]);
    }
    free(entries);
    cr_assert_gt(replayed, 0, "%s is empty", folder);
}

#define REPLAY(name)                                                                                                   \
    Test(corpus, of_##name##_is_taken_or_refused_soundly)                                                              \
    {                                                                                                                  \
        replay_all(#name, fuzz_##name);                                                                                \
    }

FUZZ_TARGETS(REPLAY)
