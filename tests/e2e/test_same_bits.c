#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../skip.h"
#include "support_place.h"

/* One sweep, one digest: whatever compiler, optimisation or CPU features. The programs are built again
 * beside this build, and the trees are kept so that the next time only what changed is built. */

TestSuite(same_bits, .init = place_open, .fini = place_close, .timeout = 7200);

#define COMMAND_BYTES 4096

/* Every distribution of the parameter table, the dynamic workforce, a regional rate, all terms. */
static const char *const sweep_text = "sweep: same-bits\n"
                                      "seed: 42\n"
                                      "scenarios:\n"
                                      "  - name: no-policy\n"
                                      "  - name: golden-thread\n"
                                      "    set: {entitlement.funded_years: 4}\n"
                                      "  - name: everything\n"
                                      "    set:\n"
                                      "      entitlement.funded_years: 4\n"
                                      "      entitlement.churn: on\n"
                                      "      workforce.mode: dynamic\n"
                                      "      workforce.leaver_multiplier_london: 1.2\n"
                                      "      rise.enabled: on\n"
                                      "      epi.enabled: on\n"
                                      "      effect.teaching_quality_sd: 0.1\n"
                                      "design: {method: sobol, draws: 600}\n";

/* Runs a shell command to its end; its output without the last newline is the caller's to free. */
static char *output_of(const char *command)
{
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    char *text = NULL;
    size_t size = 0;
    ssize_t got = getdelim(&text, &size, '\0', pipe);
    int status = pclose(pipe);
    cr_assert_eq(status, 0, "%s\n%s", command, got > 0 ? text : "");
    return text;
}

static void build(const char *compiler, const char *level)
{
    char command[COMMAND_BYTES];
    snprintf(command, sizeof command,
             "cd / && { cmake -G Ninja -S '%s' -B '%s/../same-bits/%s%s' -DCMAKE_C_COMPILER=%s -DCMAKE_BUILD_TYPE=None "
             "-DCMAKE_C_FLAGS='%s' -DGOLDTHREAD_TESTS=OFF && cmake --build '%s/../same-bits/%s%s'; } 2>&1",
             GOLDTHREAD_SOURCE, GOLDTHREAD_BIN, compiler, level, compiler, level, GOLDTHREAD_BIN, compiler, level);
    free(output_of(command));
}

/* The digest of a run by the programs in a folder, with `environment` in front. */
static void run(const char *environment, const char *programs, const char *method, char digest[65])
{
    static int runs;
    char command[COMMAND_BYTES];
    snprintf(command, sizeof command, "%s '%s/goldthread' run same-bits.yaml --design %s --json --quiet --out out%d",
             environment, programs, method, runs++);
    char *text = output_of(command);
    json_t *result = parse_json(text);
    snprintf(digest, 65, "%s", json_text(result, "digest"));
    cr_assert_eq(strlen(digest), 64);
    json_decref(result);
    free(text);
}

enum { METHODS = 3 };
static const char *const methods[METHODS] = {"point", "random", "sobol"};

/* The digests of the programs of this build. */
struct expected {
    char digests[METHODS][65];
};

static struct expected expect(void)
{
    struct expected expected;
    write_text("same-bits.yaml", sweep_text);
    for (size_t at = 0; at < METHODS; at++) run("", GOLDTHREAD_BIN, methods[at], expected.digests[at]);
    return expected;
}

static void expect_same(const struct expected *expected, const char *what, const char *environment,
                        const char *programs)
{
    char digest[65];
    for (size_t at = 0; at < METHODS; at++) {
        run(environment, programs, methods[at], digest);
        cr_expect_str_eq(digest, expected->digests[at], "%s, design %s", what, methods[at]);
    }
}

Test(same_bits, with_gcc_and_clang_at_O0_and_O3)
{
#ifdef GOLDTHREAD_SANITIZED
    skip_visibly("a sanitizer build compares nothing that the plain build does not");
#endif
    static const char *const compilers[] = {"gcc", "clang"}, *const levels[] = {"-O0", "-O3"};
    const struct expected expected = expect();
    for (size_t compiler = 0; compiler < 2; compiler++)
        for (size_t level = 0; level < 2; level++) {
            char programs[COMMAND_BYTES], what[64];
            build(compilers[compiler], levels[level]);
            snprintf(programs, sizeof programs, "%s/../same-bits/%s%s/bin", GOLDTHREAD_BIN, compilers[compiler],
                     levels[level]);
            snprintf(what, sizeof what, "%s %s", compilers[compiler], levels[level]);
            expect_same(&expected, what, "", programs);
        }
}

Test(same_bits, with_cpu_features_masked)
{
    const struct expected expected = expect();
    expect_same(&expected, "AVX2, FMA and AVX-512 masked", "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
                GOLDTHREAD_BIN);
    expect_same(&expected, "AVX2 and FMA masked by their usable names",
                "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-AVX512F_Usable", GOLDTHREAD_BIN);
}
