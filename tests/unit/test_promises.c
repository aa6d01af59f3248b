/* docs/promises.md names the tests that keep its promises: each of them must be there. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define PROMISES 20
#define NAME_MAX 128

static void append_file(struct buffer *text, const char *path)
{
    uint8_t bytes[4096];
    size_t got;
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0) buffer_append(text, bytes, got);
    fclose(file);
}

/* The text of all files of the pattern, ended by a zero. */
static struct buffer read_all(const char *pattern)
{
    struct buffer text = {0};
    glob_t files;
    cr_assert_eq(glob(pattern, 0, NULL, &files), 0, "%s", pattern);
    for (size_t at = 0; at < files.gl_pathc; at++) append_file(&text, files.gl_pathv[at]);
    globfree(&files);
    buffer_append(&text, "", 1);
    cr_assert_not(text.failed);
    return text;
}

/* Whether Criterion knows suite.name: Test(suite, name) or Test(suite, name, ...). */
static bool is_there(const char *tests, const char *name)
{
    char found[NAME_MAX + 16];
    const char *dot = strchr(name, '.');
    snprintf(found, sizeof found, "\nTest(%.*s, %s", (int)(dot - name), name, dot + 1);
    const size_t size = strlen(found);
    for (const char *at = tests; (at = strstr(at, found)) != NULL; at += size)
        if (at[size] == ')' || at[size] == ',') return true;
    return false;
}

/* Whether the words between backticks are the name of a test, and not code of another kind. */
static bool is_name(const char *words)
{
    const char *dot = strchr(words, '.');
    if (dot == NULL || dot == words || strchr(dot + 1, '.') != NULL || strchr(dot + 1, '_') == NULL) return false;
    for (; *words != 0; words++)
        if (!islower((unsigned char)*words) && !isdigit((unsigned char)*words) && *words != '_' && *words != '.')
            return false;
    return true;
}

/* Checks the names of one row; returns how many there are. */
static size_t check_row(const char *tests, char *row)
{
    size_t count = 0;
    char *rest = row;
    strsep(&rest, "`");
    for (char *words; (words = strsep(&rest, "`")) != NULL; strsep(&rest, "`")) {
        if (!is_name(words)) continue;
        cr_assert_lt(strlen(words), NAME_MAX);
        cr_expect(is_there(tests, words), "there is no test %s", words);
        count++;
    }
    return count;
}

Test(promises, each_names_tests_that_are_there)
{
    struct buffer tests = read_all(GOLDTHREAD_SOURCE "/tests/*/test_*.c");
    struct buffer document = read_all(GOLDTHREAD_SOURCE "/docs/promises.md");
    char *lines = (char *)document.data;
    unsigned promise = 0;
    for (char *line; (line = strsep(&lines, "\n")) != NULL;) {
        unsigned number = 0;
        if (sscanf(line, "| %u |", &number) != 1) continue;
        cr_assert_eq(number, ++promise);
        cr_expect_gt(check_row((const char *)tests.data, line), 0, "promise %u is shown by nothing", number);
    }
    cr_assert_eq(promise, PROMISES);
    buffer_free(&tests);
    buffer_free(&document);
}

Test(promises, a_test_that_is_not_there_is_missed)
{
    const char *tests = "\nTest(suite, a_name)\n{\nTest(suite, another_name, .timeout = 3)";
    cr_assert(is_there(tests, "suite.a_name") && is_there(tests, "suite.another_name"));
    cr_assert_not(is_there(tests, "suite.a_nam"));
    cr_assert_not(is_there(tests, "suit.a_name"));
    cr_assert(is_name("suite.a_name"));
    cr_assert_not(is_name("--verify") || is_name("build/tests") || is_name("unit.promises"));
}
