#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "support_wire.h"
#include "sweep_codec.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* A sweep takes some 160 kB. */
static struct sweep sweep, other;

static struct buffer encoded(const struct sweep *what)
{
    struct buffer bytes = {0};
    sweep_encode(what, &bytes);
    cr_assert(!bytes.failed);
    return bytes;
}

/* "accepted", or why not. */
static const char *reason(struct span bytes)
{
    const char *why = "accepted";
    uint8_t *copy = exact_copy(bytes);
    sweep_decode((struct span){copy, bytes.size}, &other, &why);
    free(copy);
    return why;
}

static void fill_name(char *name, size_t capacity, size_t number)
{
    memset(name, 'n', capacity - 1);
    name[0] = (char)('a' + number % 26);
    name[1] = (char)('a' + number / 26);
    name[capacity - 1] = '\0';
}

static void fill_parameters(struct sweep *largest)
{
    largest->parameter_count = MODEL_PARAMETERS_MAX;
    for (size_t at = 0; at < MODEL_PARAMETERS_MAX; at++) {
        struct sweep_parameter *parameter = &largest->parameters[at];
        fill_name(parameter->name, sizeof parameter->name, at);
        parameter->central = -1e300;
        parameter->distribution.kind = DISTRIBUTION_DISCRETE;
        parameter->distribution.point_count = DISTRIBUTION_POINTS_MAX;
        for (size_t point = 0; point < DISTRIBUTION_POINTS_MAX; point++) {
            parameter->distribution.values[point] = (double)point;
            parameter->distribution.weights[point] = 5e-324;
        }
    }
}

static void fill_scenarios(struct sweep *largest)
{
    largest->scenario_count = SWEEP_SCENARIOS_MAX;
    for (size_t at = 0; at < SWEEP_SCENARIOS_MAX; at++) {
        struct sweep_scenario *scenario = &largest->scenarios[at];
        fill_name(scenario->name, sizeof scenario->name, at);
        scenario->setting_count = SWEEP_SETTINGS_MAX;
        for (uint32_t setting = 0; setting < SWEEP_SETTINGS_MAX; setting++)
            scenario->settings[setting] =
                (struct sweep_setting){MODEL_PARAMETERS_MAX - SWEEP_SETTINGS_MAX + setting, 1.0};
    }
}

static struct sweep_threshold largest_threshold(size_t at)
{
    struct sweep_threshold made = {
        .year = MODEL_YEARS_MAX, .side = THRESHOLD_SIDE_COUNT - 1, .value = (double)at + 0.1};
    fill_name(made.measure, sizeof made.measure, at);
    return made;
}

static void fill_analysis(struct sweep *largest)
{
    largest->groups = SWEEP_GROUPS_MAX;
    largest->design_levels = SWEEP_LEVELS_MAX;
    largest->correlation_count = SWEEP_CORRELATIONS_MAX;
    for (uint32_t at = 0; at < SWEEP_CORRELATIONS_MAX; at++)
        largest->correlations[at] =
            (struct sweep_correlation){at / 128, MODEL_PARAMETERS_MAX - 128 + at % 128, 0.1 + at / 1000.0};
    largest->parameters[MODEL_PARAMETERS_MAX - 1].distribution =
        (struct distribution){.kind = DISTRIBUTION_EMPIRICAL, .point_count = SWEEP_POOL_MAX};
    largest->pool_count = SWEEP_POOL_MAX;
    for (size_t at = 0; at < SWEEP_POOL_MAX; at++) largest->pool[at] = (double)at + 0.1;
    largest->study.measure_count = largest->threshold_count = largest->satisfice_count = SWEEP_THRESHOLDS_MAX;
    for (size_t at = 0; at < SWEEP_THRESHOLDS_MAX; at++) {
        fill_name(largest->study.measures[at], sizeof *largest->study.measures, at);
        largest->thresholds[at] = largest->satisfice[at] = largest_threshold(at);
    }
    largest->study.levels = largest->levels;
    largest->study.extras = STUDY_SECOND_ORDER | STUDY_DELTA;
    largest->stop = (struct sweep_stop){
        .kind = STOP_HALF_WIDTH, .scenario = SWEEP_SCENARIOS_MAX - 1, .half_width = 0.1, .confidence = 0.9};
    fill_name(largest->stop.measure, sizeof largest->stop.measure, 1);
    fill_name(largest->stop.area_code, sizeof largest->stop.area_code, 1);
    fill_name(largest->regret_measure, sizeof largest->regret_measure, 1);
    largest->regret_lowest = largest->keep_draws = 1;
    largest->discover = largest_threshold(1);
}

static void largest_sweep(struct sweep *largest)
{
    memset(largest, 0, sizeof *largest);
    fill_name(largest->name, SWEEP_NAME_BYTES, 1);
    fill_name(largest->model, SWEEP_NAME_BYTES, 2);
    fill_name(largest->model_version, SWEEP_NAME_BYTES, 3);
    fill_name(largest->population_name, SWEEP_NAME_BYTES, 4);
    largest->years = MODEL_YEARS_MAX;
    largest->first_year = UINT32_MAX;
    largest->seed = UINT64_MAX;
    largest->method = DESIGN_METHOD_COUNT - 1;
    largest->draws = SWEEP_DRAWS_MAX;
    largest->draws_per_block = 1u << 20;
    largest->levels = (1u << AREA_LEVEL_COUNT) - 1;
    largest->by = SWEEP_BY_PHASE | SWEEP_BY_QUINTILE;
    largest->quantile_count = SWEEP_QUANTILES_MAX;
    for (size_t at = 0; at < SWEEP_QUANTILES_MAX; at++) largest->quantiles[at] = ((double)at + 1) / 17;
    largest->measure_count = SWEEP_MEASURES_MAX;
    for (size_t at = 0; at < SWEEP_MEASURES_MAX; at++) fill_name(largest->measures[at], sizeof *largest->measures, at);
    fill_parameters(largest);
    fill_scenarios(largest);
    fill_analysis(largest);
}

static bool same_identity(void)
{
    struct digest a = sweep_identity(&sweep), b = sweep_identity(&other);
    return digest_equal(&a, &b);
}

static void check_round_trip(void (*sample)(struct sweep *))
{
    sample(&sweep);
    struct buffer bytes = encoded(&sweep);
    memset(&other, 0, sizeof other);
    const char *why = NULL;
    cr_assert(sweep_decode(buffer_span(&bytes), &other, &why), "%s", why);
    cr_assert(isnan(other.parameters[1].central));
    cr_assert(same_identity()); /* every field is part of it; what compilers leave between fields is not */
    buffer_free(&bytes);
}

Test(sweep_codec, comes_back_as_it_was)
{
    check_round_trip(sample_sweep);
    check_round_trip(sample_analysis);
}

Test(sweep_codec, what_is_left_of_another_sweep_is_cleared)
{
    sample_sweep(&sweep);
    struct buffer bytes = encoded(&sweep);
    const char *why = NULL;
    sample_analysis(&other);
    cr_assert(sweep_decode(buffer_span(&bytes), &other, &why), "%s", why);
    cr_assert(same_identity());
    buffer_free(&bytes);
}

Test(sweep_codec, the_largest_comes_back_and_fits)
{
    largest_sweep(&sweep);
    struct buffer bytes = encoded(&sweep);
    memset(&other, 0, sizeof other);
    const char *why = NULL;
    cr_assert(sweep_decode(buffer_span(&bytes), &other, &why), "%s", why);
    cr_assert(same_identity());
    cr_assert_leq(bytes.size, SWEEP_BYTES_MAX);
    buffer_free(&bytes);
}

Test(sweep_codec, encodes_to_the_golden_bytes)
{
    sample_sweep(&sweep);
    struct buffer bytes = encoded(&sweep);
    golden_check("sweep", buffer_span(&bytes));
    struct digest identity = sweep_identity(&sweep), digest = digest_of(buffer_span(&bytes));
    cr_assert(digest_equal(&identity, &digest), "the identity is the digest of the encoding");
    buffer_free(&bytes);

    sample_analysis(&sweep);
    bytes = encoded(&sweep);
    golden_check_in("v2", "sweep_analysis", buffer_span(&bytes));
    buffer_free(&bytes);
}

Test(sweep_codec, what_is_not_used_does_not_change_the_identity)
{
    sample_sweep(&sweep);
    sample_sweep(&other);
    cr_assert(same_identity());
    other.quantiles[sweep.quantile_count] = 0.99;
    strcpy(other.measures[sweep.measure_count], "left_over");
    strcpy(other.parameters[sweep.parameter_count].name, "left_over");
    strcpy(other.scenarios[sweep.scenario_count].name, "left over");
    other.scenarios[1].settings[2] = (struct sweep_setting){7, 7.0};
    other.parameters[0].distribution.low = 7.0;          /* fixed */
    other.parameters[2].distribution.mode = 7.0;         /* uniform */
    other.parameters[3].distribution.sd = 7.0;           /* triangular */
    other.parameters[8].distribution.values[3] = 7.0;    /* discrete, three points */
    memset(other.name + strlen(other.name) + 1, 'x', 4); /* behind the end of a text */
    cr_assert(same_identity());
}

Test(sweep_codec, negative_zero_is_zero)
{
    sample_sweep(&sweep);
    sample_sweep(&other);
    cr_assert_eq(sweep.parameters[3].distribution.low, 0.0);
    other.parameters[3].distribution.low = -0.0;
    other.parameters[8].distribution.values[0] = -0.0;
    sweep.scenarios[1].settings[0].value = 0.0;
    other.scenarios[1].settings[0].value = -0.0;
    sweep.parameters[0].central = 0.0;
    other.parameters[0].central = -0.0;
    cr_assert(same_identity());
}

/* Every number of a sweep decides a result: a change of any must change the identity. */
Test(sweep_codec, every_field_is_part_of_the_identity)
{
    static const struct {
        const char *name;
        size_t at;
    } rows[] = {
#define FIELD(name) {#name, offsetof(struct sweep, name)}
        FIELD(name),
        FIELD(model),
        FIELD(model_version),
        FIELD(population_name),
        FIELD(population),
        FIELD(years),
        FIELD(first_year),
        FIELD(seed),
        FIELD(method),
        FIELD(draws),
        FIELD(draws_per_block),
        FIELD(levels),
        FIELD(by),
        FIELD(quantile_count),
        FIELD(quantiles[2]),
        FIELD(measure_count),
        FIELD(measures[1]),
        FIELD(parameter_count),
        FIELD(parameters[8].name),
        FIELD(parameters[0].central),
        FIELD(parameters[2].distribution.kind),
        FIELD(parameters[2].distribution.low),
        FIELD(parameters[2].distribution.high),
        FIELD(parameters[3].distribution.mode),
        FIELD(parameters[4].distribution.mean),
        FIELD(parameters[4].distribution.sd),
        FIELD(parameters[5].distribution.mean),
        FIELD(parameters[5].distribution.sd),
        FIELD(parameters[5].distribution.low),
        FIELD(parameters[5].distribution.high),
        FIELD(parameters[6].distribution.median),
        FIELD(parameters[6].distribution.sigma),
        FIELD(parameters[7].distribution.low),
        FIELD(parameters[7].distribution.mode),
        FIELD(parameters[7].distribution.high),
        FIELD(parameters[8].distribution.point_count),
        FIELD(parameters[8].distribution.values[2]),
        FIELD(parameters[8].distribution.weights[1]),
        FIELD(scenario_count),
        FIELD(scenarios[1].name),
        FIELD(scenarios[1].setting_count),
        FIELD(scenarios[1].settings[1].parameter),
        FIELD(scenarios[1].settings[1].value),
#undef FIELD
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        sample_sweep(&sweep);
        sample_sweep(&other);
        ((uint8_t *)&other)[rows[row].at] ^= 1;
        cr_expect(!same_identity(), "%s", rows[row].name);
    }
}

Test(sweep_codec, every_field_of_an_analysis_is_part_of_the_identity)
{
    static const struct {
        const char *name;
        size_t at;
    } rows[] = {
#define FIELD(name) {#name, offsetof(struct sweep, name)}
        FIELD(groups),
        FIELD(design_levels),
        FIELD(correlation_count),
        FIELD(correlations[1].left),
        FIELD(correlations[1].right),
        FIELD(correlations[1].rank),
        FIELD(pool_count),
        FIELD(pool[2]),
        FIELD(parameters[9].distribution.high),
        FIELD(parameters[10].distribution.weights[0]),
        FIELD(parameters[10].distribution.mode),
        FIELD(parameters[11].distribution.point_count),
        FIELD(parameters[12].distribution.pool_first),
        FIELD(study.measure_count),
        FIELD(study.measures[0]),
        FIELD(study.levels),
        FIELD(study.extras),
        FIELD(stop.kind),
        FIELD(stop.measure),
        FIELD(stop.area_code),
        FIELD(stop.scenario),
        FIELD(stop.half_width),
        FIELD(stop.confidence),
        FIELD(threshold_count),
        FIELD(thresholds[1].measure),
        FIELD(thresholds[1].year),
        FIELD(thresholds[1].side),
        FIELD(thresholds[1].value),
        FIELD(satisfice_count),
        FIELD(satisfice[0].measure),
        FIELD(satisfice[0].value),
        FIELD(regret_measure),
        FIELD(regret_lowest),
        FIELD(keep_draws),
        FIELD(discover.measure),
        FIELD(discover.year),
        FIELD(discover.side),
        FIELD(discover.value),
#undef FIELD
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        sample_analysis(&sweep);
        sample_analysis(&other);
        ((uint8_t *)&other)[rows[row].at] ^= 1;
        cr_expect(!same_identity(), "%s", rows[row].name);
    }
}

static bool decode_again(struct span bytes, struct buffer *again)
{
    const char *why = NULL;
    if (!sweep_decode(bytes, &other, &why)) {
        cr_assert_not_null(why, "refused without a reason");
        return false;
    }
    sweep_encode(&other, again);
    return true;
}

Test(sweep_codec, cut_lengthened_or_changed_bytes_are_refused_or_have_an_identity_of_their_own)
{
    sample_sweep(&sweep);
    struct buffer bytes = encoded(&sweep);
    hostile_check("sweep", buffer_span(&bytes), decode_again);
    buffer_free(&bytes);

    sample_analysis(&sweep);
    bytes = encoded(&sweep);
    hostile_check("sweep_analysis", buffer_span(&bytes), decode_again);
    buffer_free(&bytes);
}

/* One whole number or text of the sample changed, so that a bound is broken (or just not). */

#define SMALL    "a number below its bound"
#define LARGE    "a number above its bound"
#define EMPTY    "an empty name"
#define ACCEPTED "accepted"
#define U32(name, value, why)                                                                                          \
    {                                                                                                                  \
#name, offsetof(struct sweep, name), sizeof(uint32_t), value, why                                              \
    }
#define U64(name, value, why)                                                                                          \
    {                                                                                                                  \
#name, offsetof(struct sweep, name), sizeof(uint64_t), value, why                                              \
    }
#define CHAR(name, value, why)                                                                                         \
    {                                                                                                                  \
#name, offsetof(struct sweep, name), 1, value, why                                                             \
    }

static const struct bound {
    const char *name;
    size_t at, size;
    uint64_t value;
    const char *why;
} bounds[] = {
    U32(years, 0, SMALL),
    U32(years, MODEL_YEARS_MAX, ACCEPTED),
    U32(years, MODEL_YEARS_MAX + 1, LARGE),
    U32(method, DESIGN_METHOD_COUNT - 1, ACCEPTED),
    U32(method, DESIGN_METHOD_COUNT, LARGE),
    U32(groups, 3, "groups that are no power of two"),
    U32(groups, SWEEP_GROUPS_MAX, ACCEPTED),
    U32(groups, 2 * SWEEP_GROUPS_MAX, LARGE),
    U32(design_levels, SWEEP_LEVELS_MAX, ACCEPTED),
    U32(design_levels, SWEEP_LEVELS_MAX + 1, LARGE),
    U32(keep_draws, 2, LARGE),
    U32(method, DESIGN_POINT, LARGE), /* with 4,096 draws */
    U64(draws, 0, SMALL),
    U64(draws, SWEEP_DRAWS_MAX, ACCEPTED),
    U64(draws, SWEEP_DRAWS_MAX + 1, LARGE),
    U32(draws_per_block, 0, SMALL),
    U32(draws_per_block, 1u << 20, ACCEPTED),
    U32(draws_per_block, (1u << 20) + 1, LARGE),
    U32(levels, 0, SMALL),
    U32(levels, 1u << AREA_LEVEL_COUNT, LARGE),
    U32(by, 0, ACCEPTED),
    U32(by, 4, LARGE),
    U32(quantile_count, 0, ACCEPTED),
    U32(measure_count, 0, ACCEPTED),
    U32(parameters[8].distribution.point_count, 0, "a distribution with numbers that are not of its kind"),
    U32(parameters[8].distribution.point_count, 1, ACCEPTED),
    U32(scenario_count, 0, "no scenario"),
    U32(scenario_count, 1, ACCEPTED),
    U32(scenarios[1].setting_count, 0, ACCEPTED),
    U32(scenarios[1].settings[0].parameter, 8, SMALL), /* the other is 8: they do not ascend */
    U32(scenarios[1].settings[1].parameter, 1, SMALL),
    U32(scenarios[1].settings[1].parameter, 9, "a setting of no parameter"), /* there are 9 */
    U32(parameter_count, 8, "a setting of no parameter"),
    CHAR(name[0], 0xff, "a string that is not UTF-8 without NUL"),
    CHAR(measures[1][0], 0, EMPTY),
    CHAR(parameters[2].name[0], 0, EMPTY),
    CHAR(scenarios[0].name[0], 0, EMPTY),
};

Test(sweep_codec, every_bound_of_a_whole_number_or_name_is_checked)
{
    for (size_t row = 0; row < COUNT_OF(bounds); row++) {
        const struct bound *bound = &bounds[row];
        sample_sweep(&sweep);
        memcpy((char *)&sweep + bound->at, &bound->value, bound->size); /* little-endian */
        struct buffer bytes = encoded(&sweep);
        cr_expect_str_eq(reason(buffer_span(&bytes)), bound->why, "%s = %llu", bound->name,
                         (unsigned long long)bound->value);
        buffer_free(&bytes);
    }
}

Test(sweep_codec, a_scenario_named_twice_is_refused)
{
    sample_sweep(&sweep);
    strcpy(sweep.scenarios[0].name, sweep.scenarios[1].name);
    struct buffer bytes = encoded(&sweep);
    cr_assert_str_eq(reason(buffer_span(&bytes)), "a scenario named twice");
    buffer_free(&bytes);
}

Test(sweep_codec, a_point_design_has_one_draw)
{
    sample_sweep(&sweep);
    sweep.method = DESIGN_POINT;
    sweep.draws = 1;
    struct buffer bytes = encoded(&sweep);
    cr_assert_str_eq(reason(buffer_span(&bytes)), ACCEPTED);
    buffer_free(&bytes);
}

/* Numbers that the encoder does not write are put into its bytes. Each `from` occurs once or first there. */
Test(sweep_codec, every_bound_of_a_number_is_checked)
{
    static const char *const finite = "not a finite number", *const zero = "negative zero";
    static const char *const quantiles = "quantiles that do not ascend inside 0 to 1";
    static const struct {
        const char *what;
        double from, to;
        const char *why;
    } rows[] = {
        {"the first quantile", 0.0625, 0.0, quantiles},
        {"the first quantile", 0.0625, -0.25, quantiles},
        {"the first quantile", 0.0625, 0.5078125, quantiles},
        {"the last quantile", 0.9375, 1.0, quantiles},
        {"the last quantile", 0.9375, 0.5, quantiles},
        {"the last quantile", 0.9375, INFINITY, finite},
        {"a central value", 1.5, INFINITY, finite},
        {"a central value", 1.5, -0.0, zero},
        {"a low", -2.25, -INFINITY, finite},
        {"a high", 3.75, -0.0, zero},
        {"a setting", 4.5, INFINITY, finite},
        {"a setting", 4.5, -0.0, zero},
        {"a weight", 0.625, 0.0, "a weight that is not above 0"},
        {"a weight", 0.625, -1.0, "a weight that is not above 0"},
        {"a weight", 0.625, INFINITY, finite},
        {"a value", 17.0, 1.0, "values that do not ascend"},
        {"a value", 17.0, 0.5, "values that do not ascend"},
        {"a value", 17.0, INFINITY, finite},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        sample_sweep(&sweep);
        struct buffer bytes = encoded(&sweep);
        double_replace(&bytes, rows[row].from, rows[row].to);
        cr_expect_str_eq(reason(buffer_span(&bytes)), rows[row].why, "%s = %g", rows[row].what, rows[row].to);
        buffer_free(&bytes);
    }
}

Test(sweep_codec, lists_above_their_bound_are_refused)
{
    /* Behind the name of the sweep the lists' counts are all below 16: one byte each, in this order. */
    static const struct {
        const char *what;
        uint8_t before[2], behind[2];
    } rows[] = {
        {"quantiles", {0x93, 0xcb}, {0xdc, 0x00}},  {"measures", {0x92, 0xa8}, {0xdd, 0xff}},
        {"parameters", {0x99, 0x93}, {0xdd, 0xff}}, {"scenarios", {0x92, 0x92}, {0xdd, 0xff}},
        {"settings", {0x92, 0x92}, {0xdc, 0xff}},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        sample_sweep(&sweep);
        struct buffer bytes = encoded(&sweep);
        bytes_replace(&bytes, rows[row].before, rows[row].behind, sizeof rows[row].before);
        cr_expect_str_neq(reason(buffer_span(&bytes)), ACCEPTED, "%s", rows[row].what);
        buffer_free(&bytes);
    }
}

Test(sweep_codec, numbers_of_another_kind_are_refused)
{
    /* The triangular distribution, [2, low, mode, high], as if it were of each other kind. */
    for (uint8_t kind = 0; kind <= DISTRIBUTION_KIND_COUNT; kind++) {
        static const uint8_t triangular[] = {0x94, DISTRIBUTION_TRIANGULAR, 0xcb};
        sample_sweep(&sweep);
        struct buffer bytes = encoded(&sweep);
        bytes_replace(&bytes, triangular, (uint8_t[]){0x94, kind, 0xcb}, sizeof triangular);
        bool fits = kind == DISTRIBUTION_TRIANGULAR || kind == DISTRIBUTION_BETA;
        cr_expect_eq(strcmp(reason(buffer_span(&bytes)), ACCEPTED) == 0, fits, "kind %u", kind);
        buffer_free(&bytes);
    }
}

static void check_pool(const char *what, const char *expected)
{
    struct buffer bytes = encoded(&sweep);
    cr_expect_str_eq(reason(buffer_span(&bytes)), expected, "%s", what);
    buffer_free(&bytes);
    sample_analysis(&sweep);
}

Test(sweep_codec, empirical_distributions_divide_the_pool_among_them)
{
    static const char parts[] = "a pool in other parts than the distributions name";
    sample_analysis(&sweep);
    check_pool("as it is", ACCEPTED);
    sweep.pool_count = 2;
    check_pool("too small", parts);
    sweep.pool[sweep.pool_count++] = 9;
    check_pool("left over", parts);
    sweep.parameters[11].distribution.pool_first = 1;
    check_pool("not from its beginning", parts);
    sweep.parameters[12].distribution.pool_first = 0;
    check_pool("the same values twice", parts);
    sweep.pool[1] = -2;
    check_pool("out of order", "values of a pool that do not ascend");
    sweep.pool[2] = -9;
    check_pool("lower, but of the next parameter", ACCEPTED);
    sweep.parameters[11].distribution.point_count = 0;
    check_pool("nothing", SMALL);
    sweep.parameters[12].distribution.point_count = SWEEP_POOL_MAX - 1;
    check_pool("beyond the end", LARGE);
}

Test(sweep_codec, another_version_or_size_is_refused)
{
    sample_sweep(&sweep);
    struct buffer bytes = encoded(&sweep);
    size_t version_at = 3; /* behind the head of an array of 18 */
    cr_assert_eq(bytes.data[version_at], 1);
    bytes.data[version_at] = 2;
    cr_assert_str_eq(reason(buffer_span(&bytes)), "another version of sweeps");
    struct buffer later = {0}; /* as a version with more fields might begin */
    pack_array(&later, 20);
    pack_uint(&later, 3);
    for (int field = 1; field < 20; field++) pack_uint(&later, 0);
    cr_assert_str_eq(reason(buffer_span(&later)), "another version of sweeps");
    buffer_free(&later);
    buffer_free(&bytes);

    uint8_t *large = calloc(1, SWEEP_BYTES_MAX + 1);
    cr_assert_not_null(large);
    cr_assert_str_eq(reason((struct span){large, SWEEP_BYTES_MAX + 1}), "a sweep above its bound");
    free(large);
}
