#include "verification.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failures.h"
#include "normal.h"
#include "philox.h"
#include "sensitivity_table.h"
#include "sobol.h"
#include "student.h"

#define COUNT(list)     (sizeof(list) / sizeof *(list))
#define INDEX_TOLERANCE 5e-4 /* of shares of a variance */

/* --- functions with exact answers: closed forms of the functions' definitions, in double precision --- */

#define S1(parameter, exact)                                                                                           \
    {                                                                                                                  \
        "s1", parameter, "", exact, INDEX_TOLERANCE                                                                    \
    }
#define ST(parameter, exact)                                                                                           \
    {                                                                                                                  \
        "st", parameter, "", exact, INDEX_TOLERANCE                                                                    \
    }
#define S2(left, right, exact)                                                                                         \
    {                                                                                                                  \
        "s2", left, right, exact, 1e-3                                                                                 \
    }
#define SHAPLEY(parameter, exact)                                                                                      \
    {                                                                                                                  \
        "shapley", parameter, "", exact, INDEX_TOLERANCE                                                               \
    }
#define MEAN(exact)                                                                                                    \
    {                                                                                                                  \
        "mean", "", "", exact, INDEX_TOLERANCE                                                                         \
    }

/* Ishigami and Homma (1990), a = 7, b = 0.1. */
static const struct verification_expected ishigami[] = {
    MEAN(3.5),
    S1("x1", 0.31390519114781146),
    S1("x2", 0.4424111447900409),
    S1("x3", 0),
    S1(SENSITIVITY_DUMMY, 0),
    ST("x1", 0.5575888552099592),
    ST("x2", 0.4424111447900409),
    ST("x3", 0.24368366406214773),
    S2("x1", "x2", 0),
    S2("x1", "x3", 0.24368366406214773),
    S2("x2", "x3", 0),
};
static const struct verification_expected ishigami_shapley[] = {
    SHAPLEY("x1", 0.4357470231788853), SHAPLEY("x2", 0.4424111447900409), SHAPLEY("x3", 0.12184183203107386)};

/* nu_i (b - a)^2 / (pi^2 V), with nu_i = E[(df/dx_i)^2] (Sobol' and Kucherenko, 2009): above st. The
 * finite step of the design costs up to 0.002 of the value. */
static const struct verification_expected ishigami_derivative[] = {{"dgsm_bound", "x1", "", 2.23035542, 0.01},
                                                                   {"dgsm_bound", "x2", "", 7.07857832, 0.01},
                                                                   {"dgsm_bound", "x3", "", 3.17446936, 0.01}};

/* No closed form: quadrature over one input and millions of Sobol' points over the others, known to 0.005; classes and
 * bins lose some of it. */
static const struct verification_expected ishigami_delta[] = {
    {"delta", "x1", "", 0.26, 0.01}, {"delta", "x2", "", 0.425, 0.01}, {"delta", "x3", "", 0.209, 0.01}};

/* V_i = 1 / (3 (1 + a_i)^2); S1 = V_i / V and ST = V_i prod_{j != i} (1 + V_j) / V, V = prod (1 + V_j) - 1. */
static const struct verification_expected sobol_g[] = {
    S1("x1", 0.7161921689),   S1("x2", 0.1790480422),   S1("x3", 0.02367577418),  S1("x4", 0.007161921689),
    S1("x5", 7.161921689e-5), S1("x6", 7.161921689e-5), S1("x7", 7.161921689e-5), S1("x8", 7.161921689e-5),
    ST("x1", 0.7871441267),   ST("x2", 0.2421981928),   ST("x3", 0.03431691015),  ST("x4", 0.01046038707),
    ST("x5", 1.049490519e-4), ST("x6", 1.049490519e-4), ST("x7", 1.049490519e-4), ST("x8", 1.049490519e-4),
};
static const struct verification_expected sobol_g_shapley[] = {
    SHAPLEY("x1", 0.7515188631),   SHAPLEY("x2", 0.2104772937),  SHAPLEY("x3", 0.02888045942),
    SHAPLEY("x4", 0.008771892882), SHAPLEY("x5", 8.78727317e-5), SHAPLEY("x6", 8.78727317e-5),
    SHAPLEY("x7", 8.78727317e-5),  SHAPLEY("x8", 8.78727317e-5),
};
static const struct verification_expected sobol_g10[] = {S1("x1", 0.3739488385), S1("x10", 0.003739488385),
                                                         ST("x1", 0.7316923593), ST("x10", 0.01684817933)};

static const struct verification_expected product[] = {MEAN(1),       S1("x1", 0.675), S1("x2", 0.3),
                                                       ST("x1", 0.7), ST("x2", 0.325), S2("x1", "x2", 0.025)};

/* Deviations 1, 1, 2, and with the correlation 0.9 of x2 and x3 (Iooss and Prieur, 2019). */
static const struct verification_expected gaussian[] = {S1("x1", 1.0 / 6), S1("x2", 1.0 / 6), S1("x3", 4.0 / 6),
                                                        ST("x1", 1.0 / 6), ST("x2", 1.0 / 6), ST("x3", 4.0 / 6)};
static const struct verification_expected correlated[] = {SHAPLEY("x1", 0.10416667), SHAPLEY("x2", 0.41822917),
                                                          SHAPLEY("x3", 0.47760417), ST("x1", 0.10416667),
                                                          ST("x2", 0.01979167),      ST("x3", 0.07916667)};

/* From the 5 % to the 95 % quantile of each. */
static const struct verification_expected swings[] = {{"swing", "x1", "", 3.289707253902945, 1e-12},
                                                      {"swing", "x2", "", 3.289707253902945, 1e-12},
                                                      {"swing", "x3", "", 6.57941450780589, 1e-12}};

/* Means of 1 + x2 and of 1/2 + x1, from a few thousand trajectories on four levels. */
static const struct verification_expected elementary[] = {{"mu", "x1", "", 1.5, 0.03},
                                                          {"mu", "x2", "", 1, 0.03},
                                                          {"mu_star", "x1", "", 1.5, 0.03},
                                                          {"mu_star", "x2", "", 1, 0.03}};

/* One run in twenty fails at random: points are taken out of their nets, so that the rest come nearer only as random
 * points do. */
#define HALF(index, parameter)                                                                                         \
    {                                                                                                                  \
        index, parameter, "", 0.5, 2e-3                                                                                \
    }
static const struct verification_expected at_random[] = {
    HALF("s1", "x1"), HALF("s1", "x2"), HALF("st", "x1"), HALF("st", "x2"), {"region", "", "", 0, 0}};

/* Runs fail where both inputs are above 0.8: the region is found in sixteenths. */
static const struct verification_expected in_corner[] = {
    {"region", "", "", 1, 0}, {"region_low", "x1", "", 0.75, 0}, {"region_low", "x2", "", 0.75, 0}};

#define EXPECT(list) list, COUNT(list)
#define SECOND_ORDER "sensitivity: {measures: [\"y\"], second_order: true}\n"
#define FIRST_ORDER  "sensitivity: {measures: [\"y\"]}\n"

/* A Gaussian copula has the correlation 2 sin(pi rank / 6). */
#define RANK_OF_0_9 "correlations: [[x2, x3, 0.8914561316801003]]\n"

static const struct verification_sweep sweeps[] = {
    {"Ishigami's function", "ishigami", "saltelli", 0, SECOND_ORDER, EXPECT(ishigami)},
    {"Ishigami's function", "ishigami", "shapley", 0, FIRST_ORDER, EXPECT(ishigami_shapley)},
    {"Ishigami's function", "ishigami", "derivative", 0, FIRST_ORDER, EXPECT(ishigami_derivative)},
    {"Ishigami's function", "ishigami", "sobol", 0, "sensitivity: {measures: [\"y\"], delta: true}\n",
     EXPECT(ishigami_delta)},
    {"Sobol's G of 8 inputs", "sobol_g", "saltelli", 0, FIRST_ORDER, EXPECT(sobol_g)},
    {"Sobol's G of 8 inputs", "sobol_g", "shapley", 0, FIRST_ORDER, EXPECT(sobol_g_shapley)},
    {"Sobol's G of 10 inputs", "sobol_g10", "saltelli", 0, FIRST_ORDER, EXPECT(sobol_g10)},
    {"x1 + x2/2 + x1 x2", "product", "saltelli", 0, SECOND_ORDER, EXPECT(product)},
    {"x1 + x2/2 + x1 x2", "product", "morris", 4096, FIRST_ORDER, EXPECT(elementary)},
    {"a sum of normal inputs", "linear_gaussian", "saltelli", 0, FIRST_ORDER, EXPECT(gaussian)},
    {"a sum of correlated inputs", "linear_gaussian", "shapley", 0, FIRST_ORDER RANK_OF_0_9, EXPECT(correlated)},
    {"a sum of normal inputs", "linear_gaussian", "one-at-a-time", 7, FIRST_ORDER, EXPECT(swings)},
    {"a sum that fails at random", "fails_at_random", "saltelli", 0, FIRST_ORDER, EXPECT(at_random)},
    {"a sum that fails in a corner", "fails_in_corner", "sobol", 0, FIRST_ORDER, EXPECT(in_corner)},
};

const struct verification_sweep *verification_sweeps(size_t *count)
{
    *count = COUNT(sweeps);
    return sweeps;
}

static uint64_t draws_of(const struct verification_sweep *sweep, uint64_t draws)
{
    return sweep->draws ? sweep->draws : draws;
}

/* A path as a YAML string. False: it does not fit, or holds what a line cannot. */
static bool quote(const char *path, char *out, size_t out_bytes)
{
    size_t at = 0;
    for (; *path && at + 3 < out_bytes; path++) {
        if ((unsigned char)*path < ' ') return false;
        if (*path == '"' || *path == '\\') out[at++] = '\\';
        out[at++] = *path;
    }
    out[at] = '\0';
    return *path == '\0';
}

bool verification_text(const struct verification_sweep *sweep, const char *models, uint64_t draws,
                       char text[VERIFICATION_TEXT_BYTES])
{
    char folder[VERIFICATION_TEXT_BYTES / 2];
    if (!quote(models, folder, sizeof folder)) return false;
    int size = snprintf(text, VERIFICATION_TEXT_BYTES,
                        "sweep: verify-%s\nmodel: \"%s/%s.so\"\nseed: 1\nscenarios: [{name: f}]\n"
                        "design: {method: %s, draws: %llu}\n%soutputs: {areas: [england], quantiles: [0.05, 0.95]}\n",
                        sweep->model, folder, sweep->model, sweep->method, (unsigned long long)draws_of(sweep, draws),
                        sweep->extra);
    return size > 0 && (size_t)size < VERIFICATION_TEXT_BYTES;
}

/* --- comparison --- */

struct search {
    const struct verification_expected *expected;
    size_t count;
    double *found; /* [count] */
};

static bool look(void *context, const struct sensitivity_row *row)
{
    struct search *search = context;
    for (size_t at = 0; at < search->count; at++) {
        const struct verification_expected *expected = &search->expected[at];
        if (strcmp(row->texts[6], expected->index) != 0 || strcmp(row->texts[7], expected->parameter) != 0 ||
            strcmp(row->texts[8], expected->second) != 0)
            continue;
        search->found[at] = row->estimate;
    }
    return true;
}

/* "region": whether one stands out; "region_low": where it begins, in shares. */
static void look_at_failures(const struct plan *plan, const struct node *root, struct search *search)
{
    struct failure_box box = {0};
    failures_find(&plan->study, root, &box);
    for (size_t at = 0; at < search->count; at++) {
        const struct verification_expected *expected = &search->expected[at];
        if (strcmp(expected->index, "region") == 0) search->found[at] = box.stands_out;
        if (strcmp(expected->index, "region_low") != 0) continue;
        for (uint32_t dimension = 0; dimension < plan->study.dimensions; dimension++)
            if (strcmp(sensitivity_parameter(plan, (int)dimension), expected->parameter) == 0)
                search->found[at] = box.low[dimension];
    }
}

static struct verification_row compare(const struct verification_expected *expected, double found, double scale)
{
    double tolerance = expected->tolerance * scale;
    return (struct verification_row){.index = expected->index,
                                     .parameter = expected->parameter,
                                     .second = expected->second,
                                     .exact = expected->exact,
                                     .found = found,
                                     .tolerance = tolerance,
                                     .pass = fabs(found - expected->exact) <= tolerance};
}

/* Scrambled points come nearer faster than random ones, by draws^-1/2, and seldom as fast as draws^-1. */
static double scale_of(const struct verification_sweep *sweep, uint64_t draws)
{
    double share = sqrt((double)VERIFICATION_DRAWS / (double)draws);
    return sweep->draws ? 1 : share * sqrt(share);
}

bool verification_compare(const struct verification_sweep *sweep, const struct plan *plan, const struct node *root,
                          uint64_t draws, void (*emit)(void *context, const struct verification_row *row),
                          void *context)
{
    struct search search = {sweep->expected, sweep->expected_count, calloc(sweep->expected_count, sizeof(double))};
    if (!search.found) return false;
    for (size_t at = 0; at < search.count; at++) search.found[at] = NAN;
    look_at_failures(plan, root, &search);
    bool sound = sensitivity_rows(plan, root, look, &search);
    for (size_t at = 0; sound && at < search.count; at++) {
        struct verification_row row = compare(&search.expected[at], search.found[at], scale_of(sweep, draws));
        emit(context, &row);
    }
    free(search.found);
    return sound;
}

/* --- samplers and sketches --- */

/* The known answers that Random123 publishes for philox4x32 with 10 rounds. */
static double count_philox(void)
{
    static const struct {
        uint32_t counter[4], key[2], words[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    double right = 0;
    for (size_t row = 0; row < COUNT(known); row++) {
        const uint32_t *counter = known[row].counter, *key = known[row].key, *words = known[row].words;
        struct philox_bits bits = philox_at(key[0] | (uint64_t)key[1] << 32, (enum philox_use)counter[3], counter[2],
                                            counter[0] | (uint64_t)counter[1] << 32);
        right += bits.low == (words[0] | (uint64_t)words[1] << 32);
        right += bits.high == (words[2] | (uint64_t)words[3] << 32);
    }
    return right;
}

/* The first points behind the origin, in Gray code order. */
static double count_sobol(void)
{
    static const double known[][2] = {{0.5, 0.5},     {0.75, 0.25},   {0.25, 0.75},
                                      {0.375, 0.375}, {0.875, 0.875}, {0.625, 0.125}};
    double right = 0;
    for (uint32_t dimension = 0; dimension < 2; dimension++) {
        struct sobol_axis axis;
        sobol_axis_init(&axis, dimension, 1, 0);
        for (size_t at = 0; at < COUNT(known); at++)
            right += fabs(sobol_unit(sobol_digits(&axis, at + 1)) - known[at][dimension]) < 0x1p-51;
    }
    return right;
}

/* Of 2^10 scrambled points, the boxes of 2^-5 by 2^-5 that hold exactly one. */
static double count_net(void)
{
    enum { SIDE = 32 };
    uint8_t held[SIDE * SIDE] = {0};
    struct sobol_axis axes[2];
    double right = 0;
    for (uint32_t dimension = 0; dimension < 2; dimension++) sobol_axis_init(&axes[dimension], dimension, 1, 0);
    for (uint64_t index = 0; index < SIDE * SIDE; index++) {
        size_t box = 0;
        for (size_t dimension = 0; dimension < 2; dimension++) {
            uint64_t digits = sobol_scramble(&axes[dimension], sobol_digits(&axes[dimension], index));
            box = box * SIDE + (size_t)(sobol_unit(digits) * SIDE);
        }
        held[box]++;
    }
    for (size_t box = 0; box < SIDE * SIDE; box++) right += held[box] == 1;
    return right;
}

/* The largest relative error of quantiles read from the histogram of a skew distribution of both signs. NaN: out of
 * memory. */
static double quantile_error(void)
{
    double values[NODE_VALUES_MAX], worst = 0;
    struct node *node = node_new(NODE_PLAIN(1));
    for (size_t at = 0; at < NODE_VALUES_MAX; at++) { /* ascending */
        double x = normal_quantile(((double)at + 0.5) / NODE_VALUES_MAX);
        values[at] = x * x * x * 1e6 + 0.1;
    }
    if (!node || !node_set_draws(node, NODE_VALUES_MAX) || !node_tally(node, 0, values, NODE_VALUES_MAX)) {
        node_free(node);
        return NAN;
    }
    for (size_t rank = 1; rank <= NODE_VALUES_MAX; rank++) {
        double exact = values[rank - 1];
        double found = tally_quantile(node, &node->tallies[0], (double)rank / NODE_VALUES_MAX);
        worst = fmax(worst, fabs(found - exact) / fabs(exact));
    }
    node_free(node);
    return worst;
}

static void emit_local(const char *what, double exact, double found, double tolerance,
                       void (*emit)(void *context, const struct verification_row *row), void *context)
{
    struct verification_row row = {what, "", "", exact, found, tolerance, fabs(found - exact) <= tolerance};
    emit(context, &row);
}

bool verification_local(void (*emit)(void *context, const struct verification_row *row), void *context)
{
    double error = quantile_error();
    if (isnan(error)) return false;
    emit_local("Philox4x32-10: published answers, halves that agree", 6, count_philox(), 0, emit, context);
    emit_local("Sobol': first coordinates that agree", 12, count_sobol(), 0, emit, context);
    emit_local("Sobol', scrambled: boxes of a net with one point each", 1024, count_net(), 0, emit, context);
    emit_local("normal distribution: 97.5 % quantile", 1.959963984540054, normal_quantile(0.975), 1e-14, emit, context);
    emit_local("Student's t, 15 degrees: 97.5 % quantile", 2.131449545559323, student_quantile(0.975, 15), 1e-8, emit,
               context);
    emit_local("histogram: largest relative error of a quantile", 0, error, 0x1p-9, emit, context);
    return true;
}
