#include "distribution.h"

#include <assert.h>
#include <math.h>
#include <sleef.h>
#include <stdint.h>
#include <stdlib.h>

#include <goldthread/sweep.h>

#include "beta.h"

/* Beyond this many standard deviations a truncated normal is refused: it would hold no draw of the normal. */
#define TRUNCATION_MAX_SD 30

struct quantile {
    struct distribution distribution;
    double low, high;                          /* the range of what can be drawn */
    double mode_share;                         /* triangular: of draws below the mode */
    double below_low, below_high;              /* truncated normal: shares of the normal below its bounds, */
    double above_low, above_high;              /* and above them, each with its own full precision */
    double log_low, log_width;                 /* log-uniform */
    double cumulated[DISTRIBUTION_POINTS_MAX]; /* discrete: share of draws at this value or a lower one */
    const double *values;                      /* empirical: borrowed from the pool */
    struct beta_tail tails[];                  /* beta and PERT: lower and upper */
};

static const char *range_fault(const struct distribution *distribution)
{
    double low = distribution->low, high = distribution->high;
    if (!isfinite(low) || !isfinite(high)) return "low or high is not a finite number; both must be finite";
    if (low > high) return "low is above high; low must be below high";
    if (low == high) return "low equals high; for a value without doubt give a fixed value";
    if (!isfinite(high - low)) return "the range is too wide; high - low must be below 1e308";
    return NULL;
}

static const char *mode_fault(const struct distribution *distribution)
{
    const char *fault = range_fault(distribution);
    if (fault) return fault;
    if (!isfinite(distribution->mode)) return "mode is not a finite number; it must lie from low to high";
    if (distribution->mode < distribution->low || distribution->mode > distribution->high)
        return "mode is outside low to high; it must lie from low to high";
    return NULL;
}

static const char *normal_fault(const struct distribution *distribution)
{
    if (!isfinite(distribution->mean)) return "mean is not a finite number; it must be finite";
    if (!(distribution->sd > 0) || !isfinite(distribution->sd))
        return "sd is not above 0; it must be a finite number above 0";
    if (!isfinite(distribution->mean + 40 * distribution->sd) || !isfinite(distribution->mean - 40 * distribution->sd))
        return "mean or sd is too large; mean + 40 sd must be below 1e308";
    return NULL;
}

static const char *truncation_fault(const struct distribution *distribution)
{
    const char *fault = normal_fault(distribution);
    if (!fault) fault = range_fault(distribution);
    if (fault) return fault;
    double reach = TRUNCATION_MAX_SD * distribution->sd;
    if (distribution->low > distribution->mean + reach || distribution->high < distribution->mean - reach)
        return "low to high lies more than 30 sd from mean; it must come within 30 sd";
    return NULL;
}

static const char *lognormal_fault(const struct distribution *distribution)
{
    if (!(distribution->median > 0) || !isfinite(distribution->median))
        return "median is not above 0; it must be a finite number above 0";
    if (!(distribution->sigma > 0)) return "sigma is not above 0; it must be above 0 and at most 10";
    if (distribution->sigma > 10) return "sigma is above 10; it must be above 0 and at most 10";
    if (distribution->median > 1e150 || distribution->median < 1e-150)
        return "median is out of scale; it must be from 1e-150 to 1e150";
    return NULL;
}

static const char *discrete_fault(const struct distribution *distribution)
{
    if (distribution->point_count == 0) return "no values; 1 to 16 values are allowed";
    if (distribution->point_count > DISTRIBUTION_POINTS_MAX) return "too many values; 1 to 16 values are allowed";
    double total = 0;
    for (uint32_t at = 0; at < distribution->point_count; at++) {
        if (!isfinite(distribution->values[at])) return "a value is not a finite number; values must be finite";
        if (at > 0 && !(distribution->values[at] > distribution->values[at - 1]))
            return "values do not ascend; each must be above the one before";
        if (!(distribution->weights[at] > 0) || !isfinite(distribution->weights[at]))
            return "a weight is not above 0; weights must be finite numbers above 0";
        total += distribution->weights[at];
    }
    if (!isfinite(total)) return "the weights are too large; their sum must be below 1e308";
    return NULL;
}

static const char *log_uniform_fault(const struct distribution *distribution)
{
    const char *fault = range_fault(distribution);
    if (fault) return fault;
    return distribution->low > 0 ? NULL : "low is not above 0; low and high must be above 0";
}

static const char *pert_fault(const struct distribution *distribution)
{
    const char *fault = mode_fault(distribution);
    if (fault) return fault;
    double weight = distribution->weights[0];
    return weight > 0 && weight <= BETA_WEIGHT_MAX ? NULL : "weight is out of scale; it must be above 0 and at most 6";
}

static const char *empirical_fault(const struct distribution *distribution, const double *pool)
{
    uint32_t first = distribution->pool_first, count = distribution->point_count;
    if (!pool || count == 0) return "no values; a file with at least one number is wanted";
    if (first > SWEEP_POOL_MAX || count > SWEEP_POOL_MAX - first) return "too many values; 8192 altogether are allowed";
    for (uint32_t at = first; at < first + count; at++) {
        if (!isfinite(pool[at])) return "a value is not a finite number; values must be finite";
        if (at > first && pool[at] < pool[at - 1]) return "values are out of order; they must be sorted";
    }
    return NULL;
}

const char *distribution_fault(const struct distribution *distribution, const double *pool)
{
    switch (distribution->kind) {
    case DISTRIBUTION_FIXED:
        return NULL;
    case DISTRIBUTION_UNIFORM:
        return range_fault(distribution);
    case DISTRIBUTION_TRIANGULAR:
    case DISTRIBUTION_BETA:
        return mode_fault(distribution);
    case DISTRIBUTION_NORMAL:
        return normal_fault(distribution);
    case DISTRIBUTION_TRUNCATED_NORMAL:
        return truncation_fault(distribution);
    case DISTRIBUTION_LOGNORMAL:
        return lognormal_fault(distribution);
    case DISTRIBUTION_DISCRETE:
        return discrete_fault(distribution);
    case DISTRIBUTION_LOG_UNIFORM:
        return log_uniform_fault(distribution);
    case DISTRIBUTION_PERT:
        return pert_fault(distribution);
    case DISTRIBUTION_EMPIRICAL:
        return empirical_fault(distribution, pool);
    case DISTRIBUTION_KIND_COUNT:
        break;
    }
    return "unknown kind of distribution; fixed, uniform, triangular, normal, truncated normal, lognormal, beta, "
           "discrete, log-uniform, PERT and empirical are allowed";
}

void distribution_range(const struct distribution *distribution, const double *pool, double *low, double *high)
{
    switch (distribution->kind) {
    case DISTRIBUTION_UNIFORM:
    case DISTRIBUTION_TRIANGULAR:
    case DISTRIBUTION_TRUNCATED_NORMAL:
    case DISTRIBUTION_BETA:
    case DISTRIBUTION_LOG_UNIFORM:
    case DISTRIBUTION_PERT:
        *low = distribution->low;
        *high = distribution->high;
        return;
    case DISTRIBUTION_NORMAL:
        *low = -INFINITY;
        *high = INFINITY;
        return;
    case DISTRIBUTION_LOGNORMAL:
        *low = 0;
        *high = INFINITY;
        return;
    case DISTRIBUTION_DISCRETE:
        *low = distribution->values[0];
        *high = distribution->values[distribution->point_count - 1];
        return;
    case DISTRIBUTION_EMPIRICAL:
        *low = pool[distribution->pool_first];
        *high = pool[distribution->pool_first + distribution->point_count - 1];
        return;
    case DISTRIBUTION_FIXED:
    case DISTRIBUTION_KIND_COUNT:
        break;
    }
    *low = INFINITY;
    *high = -INFINITY;
}

enum distribution_scale distribution_scale(enum distribution_kind kind)
{
    switch (kind) {
    case DISTRIBUTION_FIXED:
    case DISTRIBUTION_DISCRETE:
    case DISTRIBUTION_EMPIRICAL:
        return SCALE_NONE;
    case DISTRIBUTION_UNIFORM:
        return SCALE_SHARE;
    default:
        return SCALE_SCORE;
    }
}

static void prepare_truncation(struct quantile *quantile)
{
    const struct distribution *from = &quantile->distribution;
    double low = (from->low - from->mean) / from->sd, high = (from->high - from->mean) / from->sd;
    quantile->below_low = normal_cdf(low);
    quantile->below_high = normal_cdf(high);
    quantile->above_low = normal_cdf(-low);
    quantile->above_high = normal_cdf(-high);
}

static void cumulate(struct quantile *quantile)
{
    const struct distribution *from = &quantile->distribution;
    double total = 0;
    for (uint32_t at = 0; at < from->point_count; at++) {
        total += from->weights[at];
        quantile->cumulated[at] = total;
    }
    for (uint32_t at = 0; at < from->point_count; at++) quantile->cumulated[at] /= total;
}

/* With weight w, shapes 1 + w (mode - low) / (high - low) and 1 + w (high - mode) / (high - low). */
static void prepare_tails(struct quantile *quantile)
{
    const struct distribution *from = &quantile->distribution;
    double width = from->high - from->low;
    double weight = from->kind == DISTRIBUTION_PERT ? from->weights[0] : 4;
    double a = 1 + weight * ((from->mode - from->low) / width), b = 1 + weight * ((from->high - from->mode) / width);
    beta_tail_init(&quantile->tails[0], a, b);
    beta_tail_init(&quantile->tails[1], b, a);
}

static void prepare_logarithms(struct quantile *quantile)
{
    quantile->log_low = Sleef_cinz_logd1_u10purec(quantile->low);
    quantile->log_width = Sleef_cinz_logd1_u10purec(quantile->high) - quantile->log_low;
}

static bool has_tails(enum distribution_kind kind)
{
    return kind == DISTRIBUTION_BETA || kind == DISTRIBUTION_PERT;
}

struct quantile *quantile_new(const struct distribution *distribution, const double *pool)
{
    assert(distribution_fault(distribution, pool) == NULL);
    size_t tail_count = has_tails(distribution->kind) ? 2 : 0;
    struct quantile *quantile = calloc(1, sizeof *quantile + tail_count * sizeof quantile->tails[0]);
    if (!quantile) return NULL;

    quantile->distribution = *distribution;
    distribution_range(distribution, pool, &quantile->low, &quantile->high);
    if (distribution->kind == DISTRIBUTION_TRIANGULAR)
        quantile->mode_share = (distribution->mode - distribution->low) / (distribution->high - distribution->low);
    else if (distribution->kind == DISTRIBUTION_TRUNCATED_NORMAL) prepare_truncation(quantile);
    else if (distribution->kind == DISTRIBUTION_DISCRETE) cumulate(quantile);
    else if (distribution->kind == DISTRIBUTION_LOG_UNIFORM) prepare_logarithms(quantile);
    else if (distribution->kind == DISTRIBUTION_EMPIRICAL) quantile->values = pool + distribution->pool_first;
    else if (has_tails(distribution->kind)) prepare_tails(quantile);
    return quantile;
}

void quantile_free(struct quantile *quantile)
{
    free(quantile);
}

static double clamp(const struct quantile *quantile, double value)
{
    if (value < quantile->low) return quantile->low;
    return value > quantile->high ? quantile->high : value;
}

static double uniform_at(const struct quantile *quantile, double u)
{
    return clamp(quantile, quantile->low + (quantile->high - quantile->low) * u);
}

/* From the nearer end, so that a value close to low or high keeps its digits. */
static double triangular_at(const struct quantile *quantile, double u)
{
    double width = quantile->high - quantile->low, share = quantile->mode_share;
    if (u < share) return quantile->low + width * sqrt(u * share);
    double upper_share = (quantile->high - quantile->distribution.mode) / width;
    return clamp(quantile, quantile->high - width * sqrt((1 - u) * upper_share));
}

/* Underflow: a share of 0 has no quantile, the smallest normal double has. */
static double above_zero(double share)
{
    return share > 0x1p-1022 ? share : 0x1p-1022;
}

/* The share of the normal at the value, below it or above it, whichever is less than half and so keeps its
 * digits: a range 8 sd out has shares that 1 - share could not tell apart. */
static double truncated_at(const struct quantile *quantile, double u)
{
    double below = quantile->below_low + u * (quantile->below_high - quantile->below_low);
    double above = quantile->above_high + (1 - u) * (quantile->above_low - quantile->above_high);
    double z = below <= 0.5 ? normal_quantile(above_zero(below)) : -normal_quantile(above_zero(above));
    return clamp(quantile, quantile->distribution.mean + quantile->distribution.sd * z);
}

static double beta_at(const struct quantile *quantile, double u)
{
    double width = quantile->high - quantile->low;
    if (u <= 0.5) return clamp(quantile, quantile->low + width * beta_tail_at(&quantile->tails[0], u));
    return clamp(quantile, quantile->high - width * beta_tail_at(&quantile->tails[1], 1 - u));
}

static double discrete_at(const struct quantile *quantile, double u)
{
    uint32_t at = 0, last = quantile->distribution.point_count - 1;
    while (at < last && u >= quantile->cumulated[at]) at++;
    return quantile->distribution.values[at];
}

static double log_uniform_at(const struct quantile *quantile, double u)
{
    return clamp(quantile, Sleef_cinz_expd1_u10purec(quantile->log_low + u * quantile->log_width));
}

static double empirical_at(const struct quantile *quantile, double u)
{
    uint32_t count = quantile->distribution.point_count, at = (uint32_t)(u * count);
    return quantile->values[at < count ? at : count - 1];
}

double quantile_at(const struct quantile *quantile, double u)
{
    const struct distribution *from = &quantile->distribution;
    assert(u > 0 && u < 1);
    switch (from->kind) {
    case DISTRIBUTION_UNIFORM:
        return uniform_at(quantile, u);
    case DISTRIBUTION_TRIANGULAR:
        return triangular_at(quantile, u);
    case DISTRIBUTION_NORMAL:
        return from->mean + from->sd * normal_quantile(u);
    case DISTRIBUTION_TRUNCATED_NORMAL:
        return truncated_at(quantile, u);
    case DISTRIBUTION_LOGNORMAL:
        return from->median * Sleef_cinz_expd1_u10purec(from->sigma * normal_quantile(u));
    case DISTRIBUTION_BETA:
    case DISTRIBUTION_PERT:
        return beta_at(quantile, u);
    case DISTRIBUTION_DISCRETE:
        return discrete_at(quantile, u);
    case DISTRIBUTION_LOG_UNIFORM:
        return log_uniform_at(quantile, u);
    case DISTRIBUTION_EMPIRICAL:
        return empirical_at(quantile, u);
    case DISTRIBUTION_FIXED:
    case DISTRIBUTION_KIND_COUNT:
        break;
    }
    return NAN;
}
