#include "sweep_codec.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "cursor.h"
#include "pack.h"

/* The first element of the encoding. A change of what follows, or of what it means, needs another. */
#define ENCODING_VERSION    1
#define SWEEP_FIELDS        18
#define DRAWS_PER_BLOCK_MAX (1u << 20)
#define KNOWN_LEVELS        ((1u << AREA_LEVEL_COUNT) - 1)
#define KNOWN_BY            (SWEEP_BY_PHASE | SWEEP_BY_QUINTILE)

/* The numbers of each kind of distribution, in the order of the wire, as offsets in struct
 * distribution. Other numbers of the struct do not belong to the kind and are not encoded. */
#define NUMBERS_MAX 4
#define AT(name)    offsetof(struct distribution, name)

static const struct kind {
    size_t count;
    size_t at[NUMBERS_MAX];
} kinds[] = {
    [DISTRIBUTION_FIXED] = {0},
    [DISTRIBUTION_UNIFORM] = {2, {AT(low), AT(high)}},
    [DISTRIBUTION_TRIANGULAR] = {3, {AT(low), AT(mode), AT(high)}},
    [DISTRIBUTION_NORMAL] = {2, {AT(mean), AT(sd)}},
    [DISTRIBUTION_TRUNCATED_NORMAL] = {4, {AT(mean), AT(sd), AT(low), AT(high)}},
    [DISTRIBUTION_LOGNORMAL] = {2, {AT(median), AT(sigma)}},
    [DISTRIBUTION_BETA] = {3, {AT(low), AT(mode), AT(high)}},
    [DISTRIBUTION_DISCRETE] = {0}, /* points instead */
};

/* Encoding. */

static void encode_points(const struct distribution *distribution, struct buffer *out)
{
    for (uint32_t at = 0; at < distribution->point_count; at++) {
        pack_number(out, distribution->values[at]);
        pack_number(out, distribution->weights[at]);
    }
}

static void encode_distribution(const struct distribution *distribution, struct buffer *out)
{
    const struct kind *kind = &kinds[distribution->kind];
    size_t points = distribution->kind == DISTRIBUTION_DISCRETE ? distribution->point_count : 0;
    pack_array(out, 1 + kind->count + 2 * points);
    pack_uint(out, distribution->kind);
    for (size_t at = 0; at < kind->count; at++) {
        double number;
        memcpy(&number, (const char *)distribution + kind->at[at], sizeof number);
        pack_number(out, number);
    }
    if (points) encode_points(distribution, out);
}

static void encode_parameter(const struct sweep_parameter *parameter, struct buffer *out)
{
    pack_array(out, 3);
    pack_string(out, parameter->name);
    if (isnan(parameter->central)) pack_nil(out);
    else pack_number(out, parameter->central);
    encode_distribution(&parameter->distribution, out);
}

static void encode_scenario(const struct sweep_scenario *scenario, struct buffer *out)
{
    pack_array(out, 2);
    pack_string(out, scenario->name);
    pack_array(out, scenario->setting_count);
    for (uint32_t at = 0; at < scenario->setting_count; at++) {
        pack_array(out, 2);
        pack_uint(out, scenario->settings[at].parameter);
        pack_number(out, scenario->settings[at].value);
    }
}

static void encode_outputs(const struct sweep *sweep, struct buffer *out)
{
    pack_uint(out, sweep->levels);
    pack_uint(out, sweep->by);
    pack_array(out, sweep->quantile_count);
    for (uint32_t at = 0; at < sweep->quantile_count; at++) pack_number(out, sweep->quantiles[at]);
    pack_array(out, sweep->measure_count);
    for (uint32_t at = 0; at < sweep->measure_count; at++) pack_string(out, sweep->measures[at]);
}

void sweep_encode(const struct sweep *sweep, struct buffer *out)
{
    pack_array(out, SWEEP_FIELDS);
    pack_uint(out, ENCODING_VERSION);
    pack_string(out, sweep->name);
    pack_string(out, sweep->model);
    pack_string(out, sweep->model_version);
    pack_string(out, sweep->population_name);
    pack_digest(out, &sweep->population);
    pack_uint(out, sweep->years);
    pack_uint(out, sweep->first_year);
    pack_uint(out, sweep->seed);
    pack_uint(out, sweep->method);
    pack_uint(out, sweep->draws);
    pack_uint(out, sweep->draws_per_block);
    encode_outputs(sweep, out);
    pack_array(out, sweep->parameter_count);
    for (uint32_t at = 0; at < sweep->parameter_count; at++) encode_parameter(&sweep->parameters[at], out);
    pack_array(out, sweep->scenario_count);
    for (uint32_t at = 0; at < sweep->scenario_count; at++) encode_scenario(&sweep->scenarios[at], out);
}

struct digest sweep_identity(const struct sweep *sweep)
{
    struct buffer bytes = {0};
    struct digest digest = {{0}};
    sweep_encode(sweep, &bytes);
    if (!bytes.failed) digest = digest_of(buffer_span(&bytes));
    buffer_free(&bytes);
    return digest;
}

/* Decoding. */

static double decode_finite(struct cursor *cursor)
{
    return cursor_number(cursor, -DBL_MAX, DBL_MAX);
}

static void decode_name(struct cursor *cursor, char *name, size_t capacity)
{
    cursor_string(cursor, name, capacity);
    if (name[0] == '\0') cursor_fail(cursor, "an empty name");
}

static void decode_points(struct cursor *cursor, struct distribution *distribution, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        double value = decode_finite(cursor), weight = decode_finite(cursor);
        if (at > 0 && value <= distribution->values[at - 1]) cursor_fail(cursor, "values that do not ascend");
        if (weight <= 0.0) cursor_fail(cursor, "a weight that is not above 0");
        distribution->values[at] = value;
        distribution->weights[at] = weight;
    }
    distribution->point_count = (uint32_t)count;
}

/* Numbers that do not belong to the kind are set to zero, so that nobody reads what was never sent. */
static void decode_distribution(struct cursor *cursor, struct distribution *distribution)
{
    size_t count = cursor_array(cursor, 1 + 2 * DISTRIBUTION_POINTS_MAX);
    if (count == 0) cursor_fail(cursor, "too few elements");
    *distribution = (struct distribution){.kind = (enum distribution_kind)cursor_uint(cursor, DISTRIBUTION_DISCRETE)};
    const struct kind *kind = &kinds[distribution->kind];
    bool discrete = distribution->kind == DISTRIBUTION_DISCRETE;
    bool fits = discrete ? count >= 3 && count % 2 == 1 : count == 1 + kind->count;
    if (!fits) cursor_fail(cursor, "a distribution with numbers that are not of its kind");
    for (size_t at = 0; at < kind->count; at++) {
        double number = decode_finite(cursor);
        memcpy((char *)distribution + kind->at[at], &number, sizeof number);
    }
    if (fits && discrete) decode_points(cursor, distribution, count / 2);
}

static void decode_parameter(struct cursor *cursor, struct sweep_parameter *parameter)
{
    cursor_array_of(cursor, 3);
    decode_name(cursor, parameter->name, sizeof parameter->name);
    if (cursor_at_nil(cursor)) parameter->central = cursor_double(cursor);
    else parameter->central = decode_finite(cursor);
    decode_distribution(cursor, &parameter->distribution);
}

static void decode_parameters(struct cursor *cursor, struct sweep *sweep)
{
    size_t count = cursor_array(cursor, MODEL_PARAMETERS_MAX);
    sweep->parameter_count = (uint32_t)count;
    for (size_t at = 0; at < count && !cursor->error; at++) decode_parameter(cursor, &sweep->parameters[at]);
}

static void decode_settings(struct cursor *cursor, struct sweep_scenario *scenario, uint32_t parameter_count)
{
    size_t count = cursor_array(cursor, SWEEP_SETTINGS_MAX);
    scenario->setting_count = (uint32_t)count;
    uint64_t least = 0; /* settings ascend, so that each parameter is set once and in one order */
    for (size_t at = 0; at < count && !cursor->error; at++) {
        cursor_array_of(cursor, 2);
        uint64_t parameter = cursor_uint_from(cursor, least, UINT32_MAX);
        if (parameter >= parameter_count) cursor_fail(cursor, "a setting of no parameter");
        scenario->settings[at].parameter = (uint32_t)parameter;
        scenario->settings[at].value = decode_finite(cursor);
        least = parameter + 1;
    }
}

static void decode_scenarios(struct cursor *cursor, struct sweep *sweep)
{
    size_t count = cursor_array(cursor, SWEEP_SCENARIOS_MAX);
    if (count == 0) cursor_fail(cursor, "no scenario");
    sweep->scenario_count = (uint32_t)count;
    for (size_t at = 0; at < count && !cursor->error; at++) {
        struct sweep_scenario *scenario = &sweep->scenarios[at];
        cursor_array_of(cursor, 2);
        decode_name(cursor, scenario->name, sizeof scenario->name);
        for (size_t other = 0; other < at; other++)
            if (strcmp(scenario->name, sweep->scenarios[other].name) == 0)
                cursor_fail(cursor, "a scenario named twice");
        decode_settings(cursor, scenario, sweep->parameter_count);
    }
}

static void decode_quantiles(struct cursor *cursor, struct sweep *sweep)
{
    size_t count = cursor_array(cursor, SWEEP_QUANTILES_MAX);
    sweep->quantile_count = (uint32_t)count;
    double last = 0.0;
    for (size_t at = 0; at < count && !cursor->error; at++) {
        double quantile = decode_finite(cursor);
        if (quantile <= last || quantile >= 1.0) cursor_fail(cursor, "quantiles that do not ascend inside 0 to 1");
        sweep->quantiles[at] = last = quantile;
    }
}

static void decode_outputs(struct cursor *cursor, struct sweep *sweep)
{
    sweep->levels = (uint32_t)cursor_uint_from(cursor, 1, KNOWN_LEVELS);
    sweep->by = (uint32_t)cursor_uint(cursor, KNOWN_BY);
    decode_quantiles(cursor, sweep);
    size_t count = cursor_array(cursor, SWEEP_MEASURES_MAX);
    sweep->measure_count = (uint32_t)count;
    for (size_t at = 0; at < count && !cursor->error; at++)
        decode_name(cursor, sweep->measures[at], sizeof sweep->measures[at]);
}

static void decode_design(struct cursor *cursor, struct sweep *sweep)
{
    sweep->seed = cursor_uint(cursor, UINT64_MAX);
    sweep->method = (enum design_method)cursor_uint(cursor, DESIGN_SOBOL);
    sweep->draws = cursor_uint_from(cursor, 1, sweep->method == DESIGN_POINT ? 1 : SWEEP_DRAWS_MAX);
    sweep->draws_per_block = (uint32_t)cursor_uint_from(cursor, 1, DRAWS_PER_BLOCK_MAX);
}

bool sweep_decode(struct span bytes, struct sweep *sweep, const char **why)
{
    struct cursor cursor = cursor_over(bytes);
    if (bytes.size > SWEEP_BYTES_MAX) cursor_fail(&cursor, "a sweep above its bound");
    cursor_array_of(&cursor, SWEEP_FIELDS);
    if (cursor_uint(&cursor, UINT64_MAX) != ENCODING_VERSION) cursor_fail(&cursor, "another version of sweeps");
    cursor_string(&cursor, sweep->name, sizeof sweep->name);
    cursor_string(&cursor, sweep->model, sizeof sweep->model);
    cursor_string(&cursor, sweep->model_version, sizeof sweep->model_version);
    cursor_string(&cursor, sweep->population_name, sizeof sweep->population_name);
    cursor_digest(&cursor, &sweep->population);
    sweep->years = (uint32_t)cursor_uint_from(&cursor, 1, MODEL_YEARS_MAX);
    sweep->first_year = (uint32_t)cursor_uint(&cursor, UINT32_MAX);
    decode_design(&cursor, sweep);
    decode_outputs(&cursor, sweep);
    decode_parameters(&cursor, sweep);
    decode_scenarios(&cursor, sweep);
    bool sound = cursor_done(&cursor);
    if (!sound) *why = cursor.error;
    return sound;
}
