#include "sweep_codec.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "cursor.h"
#include "pack.h"

/* The first element of the encoding. A change of what follows, or of what it means, needs another. Version 2 has
 * one more element, the analysis; a sweep that asks for nothing in it is written as version 1, so that every
 * sweep still has one encoding. */
#define ENCODING_PLAIN      1
#define ENCODING_ANALYSIS   2
#define SWEEP_FIELDS        18
#define LATER_FIELDS        16 /* that a later version may have beside: it is refused as that, by name */
#define ANALYSIS_FIELDS     11
#define THRESHOLD_FIELDS    4
#define DRAWS_PER_BLOCK_MAX (1u << 20)
#define KNOWN_LEVELS        ((1u << AREA_LEVEL_COUNT) - 1)
#define KNOWN_BY            (SWEEP_BY_PHASE | SWEEP_BY_QUINTILE)

static_assert(ENCODING_ANALYSIS == SWEEP_ENCODING_LATEST, "what is said to be read is what is read here");

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
    [DISTRIBUTION_LOG_UNIFORM] = {2, {AT(low), AT(high)}},
    [DISTRIBUTION_PERT] = {4, {AT(low), AT(mode), AT(high), AT(weights)}},
    [DISTRIBUTION_EMPIRICAL] = {0}, /* a part of the pool instead */
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
    bool pooled = distribution->kind == DISTRIBUTION_EMPIRICAL;
    pack_array(out, 1 + kind->count + 2 * points + (pooled ? 2 : 0));
    pack_uint(out, distribution->kind);
    for (size_t at = 0; at < kind->count; at++) {
        double number;
        memcpy(&number, (const char *)distribution + kind->at[at], sizeof number);
        pack_number(out, number);
    }
    if (points) encode_points(distribution, out);
    if (!pooled) return;
    pack_uint(out, distribution->pool_first);
    pack_uint(out, distribution->point_count);
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

static void encode_threshold(const struct sweep_threshold *threshold, struct buffer *out)
{
    pack_array(out, THRESHOLD_FIELDS);
    pack_string(out, threshold->measure);
    pack_uint(out, threshold->year);
    pack_uint(out, threshold->side);
    pack_number(out, threshold->value);
}

static void encode_thresholds(const struct sweep_threshold *thresholds, uint32_t count, struct buffer *out)
{
    pack_array(out, count);
    for (uint32_t at = 0; at < count; at++) encode_threshold(&thresholds[at], out);
}

static void encode_correlations(const struct sweep *sweep, struct buffer *out)
{
    pack_array(out, sweep->correlation_count);
    for (uint32_t at = 0; at < sweep->correlation_count; at++) {
        pack_array(out, 3);
        pack_uint(out, sweep->correlations[at].left);
        pack_uint(out, sweep->correlations[at].right);
        pack_number(out, sweep->correlations[at].rank);
    }
}

static void encode_study(const struct sweep_study *study, struct buffer *out)
{
    if (study->measure_count == 0) {
        pack_nil(out);
        return;
    }
    pack_array(out, 3);
    pack_array(out, study->measure_count);
    for (uint32_t at = 0; at < study->measure_count; at++) pack_string(out, study->measures[at]);
    pack_uint(out, study->levels);
    pack_uint(out, study->extras);
}

static void encode_stop(const struct sweep_stop *stop, struct buffer *out)
{
    if (stop->kind == STOP_NEVER) {
        pack_nil(out);
        return;
    }
    pack_array(out, 6);
    pack_uint(out, stop->kind);
    pack_string(out, stop->measure);
    pack_string(out, stop->area_code);
    pack_uint(out, stop->scenario);
    if (stop->kind == STOP_HALF_WIDTH) pack_number(out, stop->half_width);
    else pack_uint(out, stop->top);
    pack_number(out, stop->confidence);
}

/* What encode_analysis writes of a sweep that asks for nothing of it. */
static bool has_analysis(const struct sweep *sweep)
{
    for (uint32_t at = 0; at < sweep->parameter_count; at++)
        if (sweep->parameters[at].distribution.kind > DISTRIBUTION_DISCRETE) return true;
    return sweep->method > DESIGN_SOBOL || sweep->groups || sweep->design_levels || sweep->correlation_count ||
           sweep->pool_count || sweep->study.measure_count || sweep->stop.kind != STOP_NEVER ||
           sweep->threshold_count || sweep->satisfice_count || sweep->regret_measure[0] || sweep->keep_draws ||
           sweep->discover.measure[0];
}

static void encode_analysis(const struct sweep *sweep, struct buffer *out)
{
    pack_array(out, ANALYSIS_FIELDS);
    pack_uint(out, sweep->groups);
    pack_uint(out, sweep->design_levels);
    encode_correlations(sweep, out);
    pack_array(out, sweep->pool_count);
    for (uint32_t at = 0; at < sweep->pool_count; at++) pack_number(out, sweep->pool[at]);
    encode_study(&sweep->study, out);
    encode_stop(&sweep->stop, out);
    encode_thresholds(sweep->thresholds, sweep->threshold_count, out);
    encode_thresholds(sweep->satisfice, sweep->satisfice_count, out);
    if (sweep->regret_measure[0]) {
        pack_array(out, 2);
        pack_string(out, sweep->regret_measure);
        pack_uint(out, sweep->regret_lowest);
    } else pack_nil(out);
    pack_uint(out, sweep->keep_draws);
    if (sweep->discover.measure[0]) encode_threshold(&sweep->discover, out);
    else pack_nil(out);
}

uint32_t sweep_encoding(const struct sweep *sweep)
{
    return has_analysis(sweep) ? ENCODING_ANALYSIS : ENCODING_PLAIN;
}

void sweep_encode(const struct sweep *sweep, struct buffer *out)
{
    bool analysis = has_analysis(sweep);
    pack_array(out, SWEEP_FIELDS + analysis);
    pack_uint(out, sweep_encoding(sweep));
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
    if (analysis) encode_analysis(sweep, out);
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

struct digest sweep_family(struct sweep *sweep)
{
    const uint64_t draws = sweep->draws;
    const struct sweep_stop stop = sweep->stop;
    if (!sweep_can_extend(sweep)) return (struct digest){{0}};
    sweep->draws = 1;
    sweep->stop = (struct sweep_stop){.kind = STOP_NEVER};
    const struct digest family = sweep_identity(sweep);
    sweep->draws = draws;
    sweep->stop = stop;
    return family;
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
    *distribution =
        (struct distribution){.kind = (enum distribution_kind)cursor_uint(cursor, DISTRIBUTION_KIND_COUNT - 1)};
    const struct kind *kind = &kinds[distribution->kind];
    bool discrete = distribution->kind == DISTRIBUTION_DISCRETE, pooled = distribution->kind == DISTRIBUTION_EMPIRICAL;
    bool fits = discrete ? count >= 3 && count % 2 == 1 : count == 1 + kind->count + (pooled ? 2 : 0);
    if (!fits) cursor_fail(cursor, "a distribution with numbers that are not of its kind");
    for (size_t at = 0; at < kind->count; at++) {
        double number = decode_finite(cursor);
        memcpy((char *)distribution + kind->at[at], &number, sizeof number);
    }
    if (fits && discrete) decode_points(cursor, distribution, count / 2);
    if (!fits || !pooled) return;
    distribution->pool_first = (uint32_t)cursor_uint(cursor, SWEEP_POOL_MAX - 1);
    distribution->point_count = (uint32_t)cursor_uint_from(cursor, 1, SWEEP_POOL_MAX - distribution->pool_first);
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
    sweep->method = (enum design_method)cursor_uint(cursor, DESIGN_METHOD_COUNT - 1);
    sweep->draws = cursor_uint_from(cursor, 1, sweep->method == DESIGN_POINT ? 1 : SWEEP_DRAWS_MAX);
    sweep->draws_per_block = (uint32_t)cursor_uint_from(cursor, 1, DRAWS_PER_BLOCK_MAX);
}

static void decode_correlations(struct cursor *cursor, struct sweep *sweep)
{
    size_t count = cursor_array(cursor, SWEEP_CORRELATIONS_MAX);
    sweep->correlation_count = (uint32_t)count;
    uint64_t least = 0; /* pairs ascend, so that each is there once and in one order */
    for (size_t at = 0; at < count && !cursor->error; at++) {
        struct sweep_correlation *pair = &sweep->correlations[at];
        cursor_array_of(cursor, 3);
        pair->left = (uint32_t)cursor_uint(cursor, MODEL_PARAMETERS_MAX - 1);
        pair->right = (uint32_t)cursor_uint(cursor, MODEL_PARAMETERS_MAX - 1);
        pair->rank = cursor_number(cursor, -1, 1);
        uint64_t place = (uint64_t)pair->left * MODEL_PARAMETERS_MAX + pair->right;
        if (pair->left >= pair->right || place < least) cursor_fail(cursor, "correlations that do not ascend");
        if (pair->rank == 0 || pair->rank <= -1 || pair->rank >= 1) cursor_fail(cursor, "a correlation out of bounds");
        least = place + 1;
    }
}

static void decode_pool(struct cursor *cursor, struct sweep *sweep)
{
    size_t count = cursor_array(cursor, SWEEP_POOL_MAX);
    sweep->pool_count = (uint32_t)count;
    for (size_t at = 0; at < count && !cursor->error; at++) sweep->pool[at] = decode_finite(cursor);
}

static bool skip_nil(struct cursor *cursor)
{
    if (!cursor_at_nil(cursor)) return false;
    cursor_nil(cursor);
    return true;
}

static void decode_threshold(struct cursor *cursor, struct sweep_threshold *threshold)
{
    cursor_array_of(cursor, THRESHOLD_FIELDS);
    decode_name(cursor, threshold->measure, sizeof threshold->measure);
    threshold->year = (uint32_t)cursor_uint(cursor, MODEL_YEARS_MAX);
    threshold->side = (enum threshold_side)cursor_uint(cursor, THRESHOLD_SIDE_COUNT - 1);
    threshold->value = decode_finite(cursor);
}

static uint32_t decode_thresholds(struct cursor *cursor, struct sweep_threshold *thresholds)
{
    size_t count = cursor_array(cursor, SWEEP_THRESHOLDS_MAX);
    for (size_t at = 0; at < count && !cursor->error; at++) decode_threshold(cursor, &thresholds[at]);
    return (uint32_t)count;
}

static void decode_study(struct cursor *cursor, struct sweep_study *study)
{
    if (skip_nil(cursor)) return;
    cursor_array_of(cursor, 3);
    size_t count = cursor_array(cursor, SWEEP_THRESHOLDS_MAX);
    if (count == 0) cursor_fail(cursor, "a study of nothing");
    study->measure_count = (uint32_t)count;
    for (size_t at = 0; at < count && !cursor->error; at++)
        decode_name(cursor, study->measures[at], sizeof study->measures[at]);
    study->levels = (uint32_t)cursor_uint_from(cursor, 1, KNOWN_LEVELS);
    study->extras = (uint32_t)cursor_uint(cursor, STUDY_SECOND_ORDER | STUDY_DELTA);
}

static void decode_stop(struct cursor *cursor, struct sweep_stop *stop)
{
    if (skip_nil(cursor)) return;
    cursor_array_of(cursor, 6);
    stop->kind = (enum stop_kind)cursor_uint_from(cursor, 1, STOP_KIND_COUNT - 1);
    decode_name(cursor, stop->measure, sizeof stop->measure);
    decode_name(cursor, stop->area_code, sizeof stop->area_code);
    stop->scenario = (uint32_t)cursor_uint(cursor, SWEEP_SCENARIOS_MAX - 1);
    if (stop->kind == STOP_HALF_WIDTH) stop->half_width = decode_finite(cursor);
    else stop->top = (uint32_t)cursor_uint_from(cursor, 1, MODEL_PARAMETERS_MAX);
    stop->confidence = decode_finite(cursor);
    if (stop->kind == STOP_HALF_WIDTH && !(stop->half_width > 0)) cursor_fail(cursor, "a half width not above 0");
    if (!(stop->confidence > 0 && stop->confidence < 1)) cursor_fail(cursor, "a confidence outside 0 to 1");
}

static void decode_regret(struct cursor *cursor, struct sweep *sweep)
{
    if (skip_nil(cursor)) return;
    cursor_array_of(cursor, 2);
    decode_name(cursor, sweep->regret_measure, sizeof sweep->regret_measure);
    sweep->regret_lowest = (uint32_t)cursor_uint(cursor, 1);
}

static void decode_analysis(struct cursor *cursor, struct sweep *sweep)
{
    cursor_array_of(cursor, ANALYSIS_FIELDS);
    sweep->groups = (uint32_t)cursor_uint(cursor, SWEEP_GROUPS_MAX);
    if ((sweep->groups & (sweep->groups - 1)) != 0) cursor_fail(cursor, "groups that are no power of two");
    sweep->design_levels = (uint32_t)cursor_uint(cursor, SWEEP_LEVELS_MAX);
    decode_correlations(cursor, sweep);
    decode_pool(cursor, sweep);
    decode_study(cursor, &sweep->study);
    decode_stop(cursor, &sweep->stop);
    sweep->threshold_count = decode_thresholds(cursor, sweep->thresholds);
    sweep->satisfice_count = decode_thresholds(cursor, sweep->satisfice);
    decode_regret(cursor, sweep);
    sweep->keep_draws = (uint32_t)cursor_uint(cursor, 1);
    if (!skip_nil(cursor)) decode_threshold(cursor, &sweep->discover);
}

/* Each empirical distribution has a part of the pool of its own, in the order of the parameters, and they use it up:
 * one sweep has one pool. */
static void check_pool(struct cursor *cursor, const struct sweep *sweep)
{
    uint32_t used = 0;
    for (uint32_t at = 0; at < sweep->parameter_count && !cursor->error; at++) {
        const struct distribution *from = &sweep->parameters[at].distribution;
        if (from->kind != DISTRIBUTION_EMPIRICAL) continue;
        if (from->pool_first != used || from->point_count > sweep->pool_count - used) {
            cursor_fail(cursor, "a pool in other parts than the distributions name");
            return;
        }
        for (uint32_t value = used + 1; value < used + from->point_count; value++)
            if (sweep->pool[value] < sweep->pool[value - 1]) cursor_fail(cursor, "values of a pool that do not ascend");
        used += from->point_count;
    }
    if (used != sweep->pool_count) cursor_fail(cursor, "a pool in other parts than the distributions name");
}

/* What the parts say of each other. */
static void check_analysis(struct cursor *cursor, const struct sweep *sweep, bool analysis)
{
    if (analysis != has_analysis(sweep)) cursor_fail(cursor, "an analysis of nothing, or none where there is one");
    if (sweep->study.levels & ~sweep->levels) cursor_fail(cursor, "a study of areas that are not in the sweep");
    if (sweep->stop.scenario >= sweep->scenario_count) cursor_fail(cursor, "a stop rule on no scenario");
    for (uint32_t at = 0; at < sweep->correlation_count; at++)
        if (sweep->correlations[at].right >= sweep->parameter_count)
            cursor_fail(cursor, "a correlation of no parameter");
    check_pool(cursor, sweep);
}

static void clear_analysis(struct sweep *sweep)
{
    sweep->groups = sweep->design_levels = sweep->correlation_count = sweep->pool_count = 0;
    sweep->study = (struct sweep_study){0};
    sweep->stop = (struct sweep_stop){0};
    sweep->threshold_count = sweep->satisfice_count = sweep->regret_lowest = sweep->keep_draws = 0;
    sweep->regret_measure[0] = '\0';
    sweep->discover = (struct sweep_threshold){0};
}

bool sweep_decode(struct span bytes, struct sweep *sweep, const char **why)
{
    struct cursor cursor = cursor_over(bytes);
    if (bytes.size > SWEEP_BYTES_MAX) cursor_fail(&cursor, "a sweep above its bound");
    size_t fields = cursor_array(&cursor, SWEEP_FIELDS + LATER_FIELDS);
    bool analysis = fields == SWEEP_FIELDS + 1;
    if (fields < SWEEP_FIELDS) cursor_fail(&cursor, "too few elements");
    if (cursor_uint(&cursor, UINT64_MAX) != (analysis ? ENCODING_ANALYSIS : ENCODING_PLAIN) ||
        fields > SWEEP_FIELDS + 1)
        cursor_fail(&cursor, "another version of sweeps");
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
    clear_analysis(sweep);
    if (analysis) decode_analysis(&cursor, sweep);
    if (!cursor.error) check_analysis(&cursor, sweep, analysis);
    bool sound = cursor_done(&cursor);
    if (!sound) *why = cursor.error;
    return sound;
}
