#include <criterion/criterion.h>
#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "plugin.h"

static char place[64], why[PLUGIN_WHY_BYTES];

static void open_place(void)
{
    snprintf(place, sizeof place, "/tmp/gt-plugin-XXXXXX");
    cr_assert_not_null(mkdtemp(place));
    cr_assert_eq(chdir(place), 0);
}

static void close_place(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", place);
    cr_assert_eq(system(command), 0);
}

TestSuite(plugin, .init = open_place, .fini = close_place);

static void copy(const char *model, const char *to)
{
    char command[512];
    snprintf(command, sizeof command, "cp '%s/%s' '%s'", GOLDTHREAD_MODELS, model, to);
    cr_assert_eq(system(command), 0);
}

/* Builds a shared object of a few words of C. */
static void compile(const char *text, const char *flags, const char *to)
{
    char command[1024];
    FILE *file = fopen("source.c", "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    snprintf(command, sizeof command,
             "cc -shared -fPIC -I '%s/include' -I '%s/tests/model/functions' %s -o '%s' source.c", GOLDTHREAD_SOURCE,
             GOLDTHREAD_SOURCE, flags, to);
    cr_assert_eq(system(command), 0);
}

static void expect_refused(const char *path, const char *expected)
{
    struct plugin *plugin = plugin_open(path, why, sizeof why);
    cr_expect_null(plugin, "%s", path);
    cr_expect_not_null(strstr(why, expected), "%s: '%s' lacks '%s'", path, why, expected);
    cr_expect_null(strchr(why, '\n'), "one line");
}

Test(plugin, a_file_is_known_by_its_name_and_its_bytes)
{
    char hex[DIGEST_HEX_BYTES], version[SWEEP_NAME_BYTES];
    struct plugin *plugin = plugin_open(GOLDTHREAD_MODELS "/product.so", why, sizeof why);
    cr_assert_not_null(plugin, "%s", why);
    const struct digest digest = digest_of(buffer_span(&plugin->bytes));
    cr_expect(digest_equal(&plugin->digest, &digest));
    digest_to_hex(&digest, hex);
    snprintf(version, sizeof version, "1+%.40s", hex);
    cr_expect_str_eq(plugin->model.version, version);
    cr_expect_str_eq(plugin->model.name, "product.so");
    plugin_close(plugin);
}

Test(plugin, two_files_are_two_models_also_after_one_is_closed)
{
    copy("product.so", "a.so");
    copy("wide.so", "b.so");
    for (int round = 0; round < 3; round++) { /* descriptors come again, and the loader knows objects by them */
        struct plugin *a = plugin_open("a.so", why, sizeof why), *b = plugin_open("b.so", why, sizeof why);
        cr_assert(a && b, "%s", why);
        cr_expect_eq(a->model.parameter_count, 2);
        cr_expect_eq(b->model.parameter_count, 45);
        plugin_close(a);
        plugin_close(b);
        b = plugin_open("b.so", why, sizeof why);
        cr_expect_eq(b->model.parameter_count, 45);
        plugin_close(b);
    }
}

/* A library that cannot be unloaded keeps the name that it was loaded by. */
Test(plugin, an_object_that_stays_is_not_taken_for_the_next_one)
{
    compile(
        "#include <goldthread/model.h>\nconst struct model *goldthread_model(uint32_t abi) { (void)abi; return 0; }",
        "-Wl,-z,nodelete", "stays.so");
    expect_refused("stays.so", "does not offer a model of ABI 1");
    struct plugin *plugin = plugin_open(GOLDTHREAD_MODELS "/product.so", why, sizeof why);
    cr_assert_not_null(plugin, "%s", why);
    cr_expect_eq(plugin->model.parameter_count, 2);
    plugin_close(plugin);
}

/* An object linked by -ffast-math does the like when it is loaded. */
Test(plugin, what_a_file_does_to_the_arithmetic_ends_with_its_loading)
{
    const char *text = "#include <fenv.h>\n#include <goldthread/model.h>\n"
                       "__attribute__((constructor)) static void loaded(void) { fesetround(FE_UPWARD); }\n"
                       "__attribute__((destructor)) static void unloaded(void) { fesetround(FE_UPWARD); }\n"
                       "const struct model *goldthread_model(uint32_t abi)\n"
                       "{\n    fesetround(FE_DOWNWARD);\n    return (void)abi, (const struct model *)0;\n}\n";
    compile(text, "-lm", "rounds.so");
    expect_refused("rounds.so", "does not offer a model of ABI 1");
    cr_expect_eq(fegetround(), FE_TONEAREST);
}

Test(plugin, what_is_no_model_is_refused_in_one_line)
{
    cr_assert_eq(mkdir("folder.so", 0700), 0);
    cr_assert_eq(mkfifo("pipe.so", 0600), 0);
    cr_assert_eq(system("echo hello >text.so; cp text.so text.txt; cp text.so .so; cp text.so 'a b.so'"), 0);
    compile("int other;", "", "other.so");
    compile("int nowhere(void); int goldthread_model(void) { return nowhere(); }", "", "unresolved.so");
    compile("#include <goldthread/model.h>\nstatic struct model m = {.abi = 1, .name = \"m\"};\n"
            "const struct model *goldthread_model(uint32_t abi) { return abi == 1 ? &m : 0; }",
            "", "hollow.so");
    expect_refused("absent.so", "No such file");
    expect_refused("folder.so", "it is no file");
    expect_refused("pipe.so", "it is no file");
    expect_refused("text.so", "file too short");
    expect_refused("text.txt", "ends in .so");
    expect_refused("./.so", "ends in .so");
    expect_refused("a b.so", "has a name of letters");
    expect_refused("folder.so/", "has a name of letters");
    expect_refused("other.so", "does not export goldthread_model()");
    expect_refused("unresolved.so", "undefined symbol: nowhere");
    expect_refused("hollow.so", "its version is NULL");
}

Test(plugin, a_file_that_was_cut_off_is_refused_wherever_that_was)
{
    struct plugin *plugin = plugin_open(GOLDTHREAD_MODELS "/product.so", why, sizeof why);
    cr_assert_not_null(plugin, "%s", why);
    const size_t size = plugin->bytes.size;
    plugin_close(plugin);
    copy("product.so", "cut.so");
    for (size_t left = size / 2; left > 0; left /= 2) {
        cr_assert_eq(truncate("cut.so", (off_t)left), 0);
        expect_refused("cut.so", left >= 64 ? "it ends too early" : "file too short");
    }
}

Test(plugin, a_version_too_long_for_its_digest_is_refused)
{
    const char *text = "#define goldthread_model inner\n#include \"product.c\"\n#include \"function.c\"\n"
                       "#undef goldthread_model\nconst struct model *goldthread_model(uint32_t abi);\n"
                       "const struct model *goldthread_model(uint32_t abi)\n{\n    static struct model m;\n"
                       "    m = *inner(abi);\n    m.version = VERSION;\n    return &m;\n}\n";
    compile(text, "-DVERSION='\"1234567890123456789012\"'", "fits.so");
    compile(text, "-DVERSION='\"12345678901234567890123\"'", "long.so");
    struct plugin *plugin = plugin_open("fits.so", why, sizeof why);
    cr_assert_not_null(plugin, "%s", why);
    cr_expect_eq(strlen(plugin->version), SWEEP_NAME_BYTES - 1);
    plugin_close(plugin);
    expect_refused("long.so", "version is too long; allowed are 22 bytes");
}

/* ---- what a sweep names ---- */

static struct sweep *sweep_of(const char *model, const char *version)
{
    static struct sweep sweep;
    snprintf(sweep.model, sizeof sweep.model, "%s", model);
    snprintf(sweep.model_version, sizeof sweep.model_version, "%s", version);
    return &sweep;
}

static void expect_not_found(const char *folder, const struct sweep *sweep, const char *expected)
{
    struct plugin *plugin = NULL;
    cr_expect_null(plugin_find(folder, sweep, &plugin, why, sizeof why), "%s", sweep->model);
    cr_expect_null(plugin);
    cr_expect_not_null(strstr(why, expected), "'%s' lacks '%s'", why, expected);
}

Test(plugin, a_sweep_finds_a_built_in_model_of_its_version)
{
    struct plugin *plugin;
    cr_assert_not_null(plugin_find(NULL, sweep_of("no-op", "1"), &plugin, why, sizeof why));
    cr_expect_null(plugin, "nothing to close");
    expect_not_found(NULL, sweep_of("no-op", "2"), "version 2 of model no-op; here is version 1");
    expect_not_found(".", sweep_of("nothing", "1"), "no model is called nothing");
}

Test(plugin, a_sweep_finds_the_file_of_its_name_and_digest_in_the_folder)
{
    struct plugin *plugin = plugin_open(GOLDTHREAD_MODELS "/product.so", why, sizeof why), *found;
    cr_assert_not_null(plugin, "%s", why);
    struct sweep *sweep = sweep_of(plugin->name, plugin->version);
    const char *digits = strchr(plugin->version, '+') + 1;
    expect_not_found(NULL, sweep, "there is no --models DIR");
    expect_not_found(".", sweep, "is not in --models: it cannot be read: No such file");
    cr_expect(strstr(why, "product.so") && strstr(why, digits), "%s", why);
    copy("wide.so", "product.so");
    expect_not_found(".", sweep, "is wanted; that in --models has ");
    cr_expect(strstr(why, "product.so") && strstr(why, digits), "%s", why);
    copy("product.so", "product.so");
    const struct model *model = plugin_find(".", sweep, &found, why, sizeof why);
    cr_assert_not_null(model, "%s", why);
    cr_expect_str_eq(model->version, plugin->version);
    plugin_close(found);
    snprintf(sweep->model_version, sizeof sweep->model_version, "2+%s", digits);
    expect_not_found(".", sweep, "calls itself 1+");
    plugin_close(plugin);
}

/* Whoever may submit a sweep must not choose what is loaded from where. */
Test(plugin, a_name_from_the_network_never_leaves_the_folder)
{
    static const char *const names[] = {"../product.so", "/tmp/product.so", "a/product.so", ".so",    "..so",
                                        "-x.so",         "a\n.so",          "a b.so",       "./x.so", "/"};
    char version[SWEEP_NAME_BYTES];
    struct plugin *plugin = plugin_open(GOLDTHREAD_MODELS "/product.so", why, sizeof why);
    cr_assert_not_null(plugin, "%s", why);
    snprintf(version, sizeof version, "%s", plugin->version);
    plugin_close(plugin);
    cr_assert_eq(mkdir("models", 0700), 0);
    cr_assert_eq(mkdir("models/a", 0700), 0);
    copy("product.so", "product.so");
    copy("product.so", "models/a/product.so");
    copy("product.so", "models/x.so");
    for (size_t at = 0; at < sizeof names / sizeof *names; at++)
        expect_not_found("models", sweep_of(names[at], version), "names no model that could be loaded");
}

Test(plugin, a_version_without_a_whole_digest_loads_nothing)
{
    copy("product.so", "product.so");
    static const char *const versions[] = {"1",
                                           "",
                                           "1+",
                                           "1+abc",
                                           "1+ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD",
                                           "1+abcdefabcdefabcdefabcdefabcdefabcdefabcdef"};
    for (size_t at = 0; at < sizeof versions / sizeof *versions; at++)
        expect_not_found(".", sweep_of("product.so", versions[at]), "names no model that could be loaded");
}
