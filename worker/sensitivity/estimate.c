#include "estimate.h"

#include <math.h>
#include <stdlib.h>

#include "classes.h"
#include "distribution.h"
#include "student.h"

#define PI 3.14159265358979323846

/* A variance this small against the mean square is what rounding leaves of a constant. */
#define VARIANCE_LEAST 1e-13

/* A range this small against the values is, too; one this small at all has squares that a double cannot hold. */
#define RANGE_LEAST 1e-12
#define WIDTH_LEAST 1e-140

/* --- what sums say; d dimensions, of which an index is about i, or about i and j --- */

struct view {
    const struct study *study;
    const double *sums; /* [group_sums] */
    bool constant;      /* the figure is, but for rounding */
    size_t i, j;
};

static bool has_second_order(const struct study *study)
{
    return study->sweep->method == DESIGN_SALTELLI && study->sweep->study.extras & STUDY_SECOND_ORDER;
}

/* Of A and B, or of both ends of a chain of Shapley's. */
static const double *both_sums(const struct view *view)
{
    return view->sums + STUDY_BASE_SUMS;
}

static const double *dimension_sums(const struct view *view, size_t i)
{
    const double *sums = view->sums + STUDY_BASE_SUMS;
    switch (view->study->sweep->method) {
    case DESIGN_SALTELLI:
        return sums + STUDY_BOTH_SUMS + i * (has_second_order(view->study) ? SECOND_SUMS : SALTELLI_SUMS);
    case DESIGN_SHAPLEY:
        return sums + STUDY_BOTH_SUMS + i * SHAPLEY_SUMS;
    default:
        return sums + i * EFFECT_SUMS;
    }
}

static const double *pair_sums(const struct view *view)
{
    size_t dimensions = view->study->dimensions;
    return dimension_sums(view, dimensions) + study_pair(dimensions, view->i, view->j) * PAIR_SUMS;
}

/* NaN where there is nothing to have a share of. */
static double share_of(const struct view *view, double part, double whole)
{
    return whole > 0 && !view->constant ? part / whole : NAN;
}

/* Moments of the figure: of row 0, and of the other row where there is one. */
struct moments {
    double mean, variance; /* variance: 0 where it is nothing but rounding */
};

static struct moments find_moments(const struct view *view)
{
    enum design_method method = view->study->sweep->method;
    const double *sums = view->sums, *both = both_sums(view);
    bool other = method == DESIGN_SALTELLI || method == DESIGN_SHAPLEY;
    double n = sums[SUM_N] + (other ? both[OTHER_N] : 0);
    double mean = (sums[SUM_Y] + (other ? both[OTHER] : 0)) / n;
    double square = (sums[SUM_YY] + (other ? both[OTHER_SQUARE] : 0)) / n;
    double variance = square - mean * mean;
    return (struct moments){mean, variance > VARIANCE_LEAST * square ? variance : 0};
}

static double mean_of_row_0(const struct view *view)
{
    return view->sums[SUM_Y] / view->sums[SUM_N];
}

static double draws_of_row_0(const struct view *view)
{
    return view->sums[SUM_N];
}

/* --- Saltelli and Shapley: shares of the variance --- */

/* Two estimates of the first order, the second of them without error where the first order is all there is, the first
 * where it is nothing: the more the first finds, the more the second counts. */
static double first_order(const struct view *view)
{
    const double *sums = dimension_sums(view, view->i);
    const struct moments moments = find_moments(view);
    double n = sums[FIRST_N];
    double covariance = (sums[FIRST_PRODUCT] - moments.mean * sums[FIRST_STEP]) / n;
    double found = share_of(view, covariance, moments.variance);
    double other = 1 - share_of(view, sums[FIRST_GAP] / (2 * n), moments.variance);
    double weight = found < 0 ? 0 : found > 1 ? 1 : found;
    return found + weight * (other - found);
}

static double first_order_count(const struct view *view)
{
    return dimension_sums(view, view->i)[FIRST_N];
}

static double total(const struct view *view)
{
    const double *sums = dimension_sums(view, view->i);
    return share_of(view, sums[TOTAL_GAP] / (2 * sums[TOTAL_N]), find_moments(view).variance);
}

static double total_count(const struct view *view)
{
    return dimension_sums(view, view->i)[TOTAL_N];
}

/* A and B have nothing in common: what they seem to share is chance. */
static double dummy(const struct view *view)
{
    const double *sums = both_sums(view);
    double n = sums[BOTH_N];
    double covariance = sums[BOTH_PRODUCT] / n - sums[BOTH_A] / n * (sums[BOTH_B] / n);
    return share_of(view, covariance, find_moments(view).variance);
}

static double dummy_count(const struct view *view)
{
    return both_sums(view)[BOTH_N];
}

static double shapley(const struct view *view)
{
    const double *both = both_sums(view), *sums = dimension_sums(view, view->i);
    return share_of(view, sums[SHAPLEY] / sums[SHAPLEY_N], both[BOTH_GAP] / (2 * both[BOTH_N]));
}

static double shapley_count(const struct view *view)
{
    return dimension_sums(view, view->i)[SHAPLEY_N];
}

/* --- Saltelli with second order --- */

static double square_first(const struct view *view)
{
    const double *sums = dimension_sums(view, view->i);
    return share_of(view, 2 * sums[SQUARE_FIRST], sums[SQUARE_ALL]);
}

static double square_total(const struct view *view)
{
    const double *sums = dimension_sums(view, view->i);
    return share_of(view, sums[SQUARE_TOTAL], sums[SQUARE_ALL]);
}

static double square_count(const struct view *view)
{
    return dimension_sums(view, view->i)[SQUARE_N];
}

/* BA_i and AB_j have dimensions i and j in common, and so what both explain together. */
static double second_order(const struct view *view)
{
    const double *left = dimension_sums(view, view->i), *right = dimension_sums(view, view->j);
    const double *pair = pair_sums(view);
    double variance = (left[SQUARE_ALL] / left[SQUARE_N] + right[SQUARE_ALL] / right[SQUARE_N]) / 8;
    double together = 1 - share_of(view, pair[PAIR_GAP] / (2 * pair[PAIR_N]), variance);
    struct view other = *view;
    other.i = view->j;
    return together - square_first(view) - square_first(&other);
}

static double second_order_count(const struct view *view)
{
    return pair_sums(view)[PAIR_N];
}

/* --- elementary effects --- */

static double effect_count(const struct view *view)
{
    return dimension_sums(view, view->i)[EFFECT_N];
}

static double effect_mean(const struct view *view)
{
    const double *sums = dimension_sums(view, view->i);
    return sums[EFFECT] / sums[EFFECT_N];
}

static double effect_size(const struct view *view)
{
    const double *sums = dimension_sums(view, view->i);
    return sums[EFFECT_ABSOLUTE] / sums[EFFECT_N];
}

/* The sample variance of n values of which mean and mean square are known; NaN of fewer than two. */
static double sample_variance(double n, double mean, double square)
{
    double variance = (square - mean * mean) * (n / (n - 1));
    if (!(n >= 2)) return NAN;
    return variance > 0 ? variance : 0;
}

static double effect_square(const struct view *view)
{
    const double *sums = dimension_sums(view, view->i);
    return sums[EFFECT_SQUARE] / sums[EFFECT_N];
}

static double effect_spread(const struct view *view)
{
    return sqrt(sample_variance(effect_count(view), effect_mean(view), effect_square(view)));
}

static double effect_mean_error(const struct view *view)
{
    return effect_spread(view) / sqrt(effect_count(view));
}

static double effect_size_error(const struct view *view)
{
    double n = effect_count(view);
    return sqrt(sample_variance(n, effect_size(view), effect_square(view)) / n);
}

static enum distribution_scale scale_of(const struct view *view)
{
    const struct sweep *sweep = view->study->sweep;
    return distribution_scale(sweep->parameters[sweep_parameter_of(sweep, (uint32_t)view->i)].distribution.kind);
}

static double derivative_square(const struct view *view)
{
    return scale_of(view) == SCALE_NONE ? NAN : effect_square(view);
}

/* The variance of a function of a share is at most 1 / pi^2 of the mean square of its derivative (Poincare; I. M.
 * Sobol' and S. Kucherenko, Math. Comput. Simul. 79, 3009-3017 (2009)); that of a function of a normal score is at most
 * all of it (H. Chernoff, Ann. Probab. 9, 533-535 (1981)). */
static double derivative_bound(const struct view *view)
{
    double divisor = scale_of(view) == SCALE_SHARE ? PI * PI : 1;
    return share_of(view, derivative_square(view) / divisor, find_moments(view).variance);
}

/* --- the list --- */

enum range { OF_TARGET, OF_DIMENSIONS, OF_DUMMY, OF_PAIRS };

/* Methods whose row 0 samples the parameters' distributions. */
#define SAMPLES                                                                                                        \
    (1u << DESIGN_RANDOM | 1u << DESIGN_SOBOL | 1u << DESIGN_LATIN_HYPERCUBE | 1u << DESIGN_SALTELLI |                 \
     1u << DESIGN_DERIVATIVE | 1u << DESIGN_SHAPLEY | SECOND)

#define SHARES (1u << DESIGN_SALTELLI | 1u << DESIGN_SHAPLEY)

/* Saltelli with second order is as a method of its own. */
#define SECOND (1u << DESIGN_METHOD_COUNT)

struct index {
    const char *name;
    uint32_t methods; /* bits 1 << enum design_method, and SECOND */
    enum range range;
    double (*value)(const struct view *view); /* NaN: undefined */
    double (*count)(const struct view *view); /* what the value rests on */
    double (*error)(const struct view *view); /* standard error of a mean of that many independent values; NULL: from
                                                 the groups */
};

static const struct index indices[] = {
    {"mean", SAMPLES | 1u << DESIGN_GRID, OF_TARGET, mean_of_row_0, draws_of_row_0, NULL},
    {"s1", SHARES, OF_DIMENSIONS, first_order, first_order_count, NULL},
    {"s1", SECOND, OF_DIMENSIONS, square_first, square_count, NULL},
    {"s1", SHARES | SECOND, OF_DUMMY, dummy, dummy_count, NULL},
    {"st", SHARES, OF_DIMENSIONS, total, total_count, NULL},
    {"st", SECOND, OF_DIMENSIONS, square_total, square_count, NULL},
    {"s2", SECOND, OF_PAIRS, second_order, second_order_count, NULL},
    {"shapley", 1u << DESIGN_SHAPLEY, OF_DIMENSIONS, shapley, shapley_count, NULL},
    {"mu", 1u << DESIGN_MORRIS, OF_DIMENSIONS, effect_mean, effect_count, effect_mean_error},
    {"mu_star", 1u << DESIGN_MORRIS, OF_DIMENSIONS, effect_size, effect_count, effect_size_error},
    {"sigma", 1u << DESIGN_MORRIS, OF_DIMENSIONS, effect_spread, effect_count, NULL},
    {"dgsm", 1u << DESIGN_DERIVATIVE, OF_DIMENSIONS, derivative_square, effect_count, NULL},
    {"dgsm_bound", 1u << DESIGN_DERIVATIVE, OF_DIMENSIONS, derivative_bound, effect_count, NULL},
};

/* --- one target --- */

struct work {
    const struct study *study;
    const struct node *root;
    double share;                       /* below the upper end of an interval */
    double quantiles[SWEEP_GROUPS_MAX]; /* Student's, at that share, by degrees */
    double *all;                        /* [group_sums]: of all groups */
    double *without;                    /* [groups][group_sums]: of all groups but one */
    size_t target;
    bool (*emit)(void *context, const struct estimate_row *row);
    void *context;
};

/* Sums come from one end and then from the other, so that none is the difference of two large ones. */
static void pool(const struct work *work)
{
    size_t width = work->study->group_sums, groups = work->study->groups;
    const double *sums = work->root->sums + study_sums_at(work->study, work->target, 0);
    for (size_t at = 0; at < width; at++) {
        double sum = 0;
        for (size_t group = 0; group < groups; group++) {
            work->without[group * width + at] = sum;
            sum += sums[group * width + at];
        }
        work->all[at] = sum;
        sum = 0;
        for (size_t group = groups; group-- > 0;) {
            work->without[group * width + at] += sum;
            sum += sums[group * width + at];
        }
    }
}

static const struct tally *tally_of(const struct work *work)
{
    return &work->root->tallies[work->study->targets[work->target].figure];
}

/* But for rounding: then nothing explains it. */
static bool is_constant(const struct work *work)
{
    const struct tally *tally = tally_of(work);
    double least = RANGE_LEAST * fmax(fabs(tally->min), fabs(tally->max));
    return tally->count == 0 || tally->max - tally->min <= fmax(least, WIDTH_LEAST);
}

/* The standard error of an index, from what it becomes when one group after another is left out: the jackknife for
 * groups of unlike sizes, F. M. T. A. Busing, E. Meijer and R. van der Leeden, Statistics and Computing 9, 3-8 (1999).
 * NaN: fewer than two groups. */
static double jackknife(const struct work *work, const struct index *index, struct view view, double *degrees)
{
    double pseudo[SWEEP_GROUPS_MAX], weights[SWEEP_GROUPS_MAX], mean = 0, sum = 0; /* weight: groups like this in all */
    size_t used = 0;
    const double n = index->count(&view), value = index->value(&view);
    for (size_t group = 0; group < work->study->groups; group++) {
        view.sums = work->without + group * work->study->group_sums;
        double own = n - index->count(&view);
        if (own == 0) continue;
        weights[used] = n / own;
        pseudo[used] = weights[used] * value - (weights[used] - 1) * index->value(&view);
        mean += pseudo[used] / weights[used];
        used++;
    }
    for (size_t at = 0; at < used; at++) sum += (pseudo[at] - mean) * (pseudo[at] - mean) / (weights[at] - 1);
    *degrees = (double)used - 1;
    return used < 2 ? NAN : sqrt(sum / (double)used);
}

static void set_interval(struct estimate_row *row, double error, double quantile)
{
    double low = row->value - quantile * error, high = row->value + quantile * error;
    bool known = isfinite(low) && isfinite(high);
    row->low = known ? low : NAN;
    row->high = known ? high : NAN;
}

static double quantile_of(const struct work *work, double degrees)
{
    return degrees < SWEEP_GROUPS_MAX ? work->quantiles[(size_t)degrees] : student_quantile(work->share, degrees);
}

/* row: target, index and dimensions are there. */
static bool emit_index(const struct work *work, const struct index *index, struct view view, struct estimate_row row)
{
    double n = index->count(&view), degrees = n - 1, error = NAN;
    row.n = (uint64_t)n;
    row.value = row.low = row.high = NAN;
    if (n > 0) row.value = index->value(&view);
    if (isfinite(row.value)) error = index->error ? index->error(&view) : jackknife(work, index, view, &degrees);
    if (isfinite(row.value) && index->value == mean_of_row_0) {
        row.value = tally_of(work)->mean;               /* with its centre */
        if (row.n < tally_of(work)->count) error = NAN; /* the sums lack values that are too large for them */
    }
    if (isfinite(error)) set_interval(&row, error, quantile_of(work, degrees));
    return work->emit(work->context, &row);
}

static bool emit_pairs(const struct work *work, const struct index *index, struct view view, struct estimate_row row)
{
    size_t count = work->study->dimensions;
    for (view.i = 0; view.i < count; view.i++)
        for (view.j = view.i + 1; view.j < count; view.j++) {
            row.dimension = (int)view.i;
            row.second = (int)view.j;
            if (!emit_index(work, index, view, row)) return false;
        }
    return true;
}

static bool emit_range(const struct work *work, const struct index *index)
{
    const size_t count = work->study->dimensions;
    struct view view = {.study = work->study, .sums = work->all, .constant = is_constant(work)};
    struct estimate_row row = {.target = work->target, .index = index->name, .dimension = -1, .second = -1};
    switch (index->range) {
    case OF_TARGET:
        return emit_index(work, index, view, row);
    case OF_PAIRS:
        return emit_pairs(work, index, view, row);
    case OF_DUMMY:
        row.dimension = (int)count;
        return emit_index(work, index, view, row);
    case OF_DIMENSIONS:
        break;
    }
    for (; view.i < count; view.i++) {
        row.dimension = (int)view.i;
        if (!emit_index(work, index, view, row)) return false;
    }
    return true;
}

static bool emit_sums(const struct work *work)
{
    uint32_t method = has_second_order(work->study) ? SECOND : 1u << work->study->sweep->method;
    pool(work);
    for (size_t at = 0; at < sizeof indices / sizeof *indices; at++)
        if (indices[at].methods & method && !emit_range(work, &indices[at])) return false;
    return true;
}

/* --- one at a time: draw 0 is central, 1 + 2 i and 2 + 2 i are the ends of dimension i --- */

static double slot_of(const struct work *work, size_t draw)
{
    const double *slot = work->root->sums + study_sums_at(work->study, work->target, 0) + draw * SLOT_SUMS;
    return draw < work->study->sweep->draws && slot[SLOT_VALID] > 0 ? slot[SLOT_VALUE] : NAN;
}

static bool emit_slot(const struct work *work, const char *index, int dimension, double value)
{
    struct estimate_row row = {work->target, index, dimension, -1, value, NAN, NAN, isfinite(value)};
    return work->emit(work->context, &row);
}

static bool emit_slots(const struct work *work)
{
    size_t count = work->study->dimensions;
    if (!emit_slot(work, "central", -1, slot_of(work, 0))) return false;
    for (size_t i = 0; i < count; i++)
        if (!emit_slot(work, "low", (int)i, slot_of(work, 1 + 2 * i))) return false;
    for (size_t i = 0; i < count; i++)
        if (!emit_slot(work, "high", (int)i, slot_of(work, 2 + 2 * i))) return false;
    for (size_t i = 0; i < count; i++)
        if (!emit_slot(work, "swing", (int)i, slot_of(work, 2 + 2 * i) - slot_of(work, 1 + 2 * i))) return false;
    return true;
}

/* --- classes --- */

static bool emit_classes(const struct work *work, bool pawn)
{
    const struct study *study = work->study;
    const uint64_t *counts = work->root->counts + work->target * study->target_counts;
    for (size_t i = 0; i <= study->dimensions; i++, counts += STUDY_CLASSES * STUDY_BINS) {
        double value = pawn ? classes_pawn(counts) : classes_delta(counts);
        struct estimate_row row = {work->target, pawn ? "pawn" : "delta", (int)i, -1, value, NAN,
                                   NAN,          classes_total(counts)};
        if (!work->emit(work->context, &row)) return false;
    }
    return true;
}

static bool emit_target(const struct work *work)
{
    bool slots = work->study->sweep->method == DESIGN_ONE_AT_A_TIME;
    if (!(slots ? emit_slots(work) : emit_sums(work))) return false;
    return work->study->target_counts == 0 || (emit_classes(work, false) && emit_classes(work, true));
}

bool estimate_rows(const struct study *study, const struct node *root, double confidence,
                   bool (*emit)(void *context, const struct estimate_row *row), void *context)
{
    struct work work = {.study = study, .root = root, .share = (1 + confidence) / 2, .emit = emit, .context = context};
    work.all = calloc(study->group_sums, sizeof *work.all);
    work.without = calloc(study->groups * study->group_sums, sizeof *work.without);
    for (size_t degrees = 1; degrees < SWEEP_GROUPS_MAX; degrees++)
        work.quantiles[degrees] = student_quantile(work.share, (double)degrees);
    bool done = work.all != NULL && work.without != NULL;
    for (; done && work.target < study->target_count; work.target++) done = emit_target(&work);
    free(work.all);
    free(work.without);
    return done;
}
