#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "registry.h"
#include "support_linear.h"

/* A sound table that a test spoils in one place. */
struct bench {
    struct model model;
    struct parameter parameters[MODEL_PARAMETERS_MAX + 1];
    struct model_measure measures[MODEL_MEASURES_MAX + 1];
};

static char names[MODEL_PARAMETERS_MAX + 1][8];

static void fill(struct bench *bench)
{
    for (size_t at = 0; at <= MODEL_PARAMETERS_MAX; at++) {
        snprintf(names[at], sizeof names[at], "p%zu", at);
        bench->parameters[at] =
            (struct parameter){.name = names[at],
                               .symbol = "",
                               .unit = "1",
                               .central = 0.5,
                               .low = NAN,
                               .high = NAN,
                               .lower = 0,
                               .upper = 1,
                               .distribution = {.kind = DISTRIBUTION_UNIFORM, .low = 0.25, .high = 0.75},
                               .source = "a test",
                               .meaning = ""};
        if (at <= MODEL_MEASURES_MAX) bench->measures[at] = (struct model_measure){names[at], "1", ""};
    }
    bench->model = *linear_model();
    bench->model.parameters = bench->parameters;
    bench->model.parameter_count = MODEL_PARAMETERS_MAX;
    bench->model.measures = bench->measures;
    bench->model.measure_count = MODEL_MEASURES_MAX;
}

static const char *fault_of(const struct bench *bench)
{
    static char why[MODEL_WHY_BYTES];
    return model_fault(&bench->model, why);
}

/* Spoils a sound table by a statement, and expects a fault that says so. */
#define SPOILED(statement, expected)                                                                                   \
    do {                                                                                                               \
        static struct bench bench;                                                                                     \
        fill(&bench);                                                                                                  \
        cr_assert_null(fault_of(&bench));                                                                              \
        struct model *model = &bench.model;                                                                            \
        struct parameter *p = &bench.parameters[3];                                                                    \
        struct model_measure *m = &bench.measures[3];                                                                  \
        statement;                                                                                                     \
        (void)model, (void)p, (void)m;                                                                                 \
        const char *fault = fault_of(&bench);                                                                          \
        cr_expect(fault &&strstr(fault, expected), "%s: '%s' lacks '%s'", #statement, fault ? fault : "sound",         \
                  expected);                                                                                           \
    } while (0)

static const char long_text[4096] = {[0 ... 4094] = 'x'};

Test(fault, models_that_ship_are_sound)
{
    char why[MODEL_WHY_BYTES];
    const struct model *models[] = {model_find("entitlement"), model_find("no-op")};
    for (size_t at = 0; at < sizeof models / sizeof *models; at++)
        cr_expect_null(model_fault(models[at], why), "%s: %s", models[at]->name, why);
}

Test(fault, a_model_of_another_abi_or_without_a_function_is_refused)
{
    SPOILED(model->abi = MODEL_ABI + 1, "ABI");
    SPOILED(model->open = NULL, "open is NULL");
    SPOILED(model->close = NULL, "close is NULL");
    SPOILED(model->figures = NULL, "figures is NULL");
    SPOILED(model->part_count = NULL, "part_count is NULL");
    SPOILED(model->run = NULL, "run is NULL");
    SPOILED(model->measure = NULL, "measure is NULL");
}

Test(fault, names_and_versions_are_labels)
{
    SPOILED(model->name = NULL, "name is NULL");
    SPOILED(model->name = "", "name is ''");
    SPOILED(model->name = "two words", "two words");
    SPOILED(model->name = long_text, "too long");
    SPOILED(model->version = NULL, "version is NULL");
    SPOILED(model->version = "1+2", "1+2");
}

Test(fault, counts_beyond_their_bounds_are_refused)
{
    SPOILED(model->parameter_count = 0, "0 parameters; allowed are 1 to 256");
    SPOILED(model->parameter_count = MODEL_PARAMETERS_MAX + 1, "257 parameters");
    SPOILED(model->parameters = NULL, "0 parameters");
    SPOILED(model->measure_count = 0, "0 measures; allowed are 1 to 64");
    SPOILED(model->measure_count = MODEL_MEASURES_MAX + 1, "65 measures");
    SPOILED(model->measures = NULL, "0 measures");
}

Test(fault, texts_are_bounded_and_printable)
{
    SPOILED(p->name = NULL, "parameter 3: its name is NULL");
    SPOILED(p->name = "Upper", "'Upper'");
    SPOILED(p->name = "a..b", "'a..b'");
    SPOILED(p->name = ".a", "'.a'");
    SPOILED(p->name = "a.", "'a.'");
    SPOILED(p->name = "1a", "'1a'");
    SPOILED(p->name = "a-b", "'a-b'");
    SPOILED(p->name = "", "''");
    SPOILED(p->name = long_text, "too long; allowed are 47 bytes");
    SPOILED(p->name = "p7", "'p7' is there twice");
    SPOILED(p->symbol = NULL, "symbol is NULL");
    SPOILED(p->unit = NULL, "unit is NULL");
    SPOILED(p->unit = long_text, "unit is too long");
    SPOILED(p->unit = "\xc0\x80", "unit is not UTF-8");
    SPOILED(p->source = "two\nlines", "source is not UTF-8 without control characters");
    SPOILED(p->source = NULL, "source is NULL");
    SPOILED(p->meaning = long_text, "meaning is too long");
    SPOILED(m->name = "a.b", "measure 3: its name is 'a.b'");
    SPOILED(m->name = long_text, "too long; allowed are 31 bytes");
    SPOILED(m->name = "p0", "'p0' is there twice");
    SPOILED(m->unit = NULL, "measure 3: its unit is NULL");
    SPOILED(m->meaning = "\x7f", "meaning is not");
}

Test(fault, values_outside_their_own_bounds_are_refused)
{
    SPOILED((p->lower = 2, p->upper = 1), "lower is not at or below upper");
    SPOILED(p->upper = NAN, "lower is not at or below upper");
    SPOILED((p->low = 0.6, p->high = 0.4), "low is above high");
    SPOILED(p->central = 1.5, "central value 1.5");
    SPOILED(p->central = INFINITY, "central value inf");
    SPOILED(p->whole = true, "central value 0.5");
    SPOILED(p->status = 7, "status");
}

Test(fault, choices_are_at_least_two_and_differ)
{
    SPOILED(p->choices = "", "1 to 31 bytes");
    SPOILED(p->choices = "on", "a single choice");
    SPOILED(p->choices = "on|", "1 to 31 bytes");
    SPOILED(p->choices = "on|off|on", "'on' is there twice");
    SPOILED(p->choices = "off|on", "central value 0.5");
}

Test(fault, distributions_are_sound_and_within_the_bounds)
{
    SPOILED(p->distribution.kind = 99, "kind 99");
    SPOILED(p->distribution.high = 0.1, "low is above high");
    SPOILED(p->distribution.high = 1.5, "beyond its bounds");
    SPOILED((p->distribution = (struct distribution){.kind = DISTRIBUTION_NORMAL, .mean = 0.5, .sd = 0.1}),
            "beyond its bounds");
    SPOILED((p->distribution = (struct distribution){.kind = DISTRIBUTION_DISCRETE}), "no values");
    SPOILED((p->distribution =
                 (struct distribution){
                     .kind = DISTRIBUTION_DISCRETE, .point_count = 2, .values = {0, 2}, .weights = {1, 1}}),
            "holds 2");
    SPOILED((p->distribution = (struct distribution){.kind = DISTRIBUTION_DISCRETE, .point_count = 99}), "too many");
    SPOILED((p->whole = true, p->central = 1), "discrete");
}

Test(fault, a_parameter_without_a_value_or_a_bound_is_sound)
{
    static struct bench bench;
    fill(&bench);
    bench.parameters[3].central = NAN;
    bench.parameters[4].lower = -INFINITY;
    bench.parameters[4].upper = INFINITY;
    bench.parameters[4].distribution = (struct distribution){.kind = DISTRIBUTION_NORMAL, .mean = 0, .sd = 1};
    bench.parameters[5].name = "effect.attainment_sd_2";
    bench.parameters[6].choices = "off|on";
    bench.parameters[6].central = 1;
    bench.parameters[6].distribution.kind = DISTRIBUTION_FIXED;
    cr_assert_null(fault_of(&bench), "%s", fault_of(&bench));
}
