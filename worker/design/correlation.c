#include "correlation.h"

#include <assert.h>
#include <math.h>
#include <sleef.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nearest.h"
#include "normal.h"

#define PI 0x1.921fb54442d18p+1

struct copula {
    size_t count;                                           /* of members: correlated dimensions */
    uint16_t dimensions[COPULA_MEMBERS_MAX];                /* of the members, ascending */
    uint16_t members[MODEL_PARAMETERS_MAX];                 /* by dimension; COPULA_MEMBERS_MAX: none */
    const char *names[COPULA_MEMBERS_MAX];                  /* borrowed from the sweep */
    bool joined[COPULA_MEMBERS_MAX];                        /* depends on a member before it */
    double matrix[COPULA_MEMBERS_MAX * COPULA_MEMBERS_MAX]; /* of the scores; [count][count], row by row */
    double factor[COPULA_MEMBERS_MAX * COPULA_MEMBERS_MAX]; /* lower */
};

struct text {
    char *at;
    size_t bytes, used;
};

static void __attribute__((format(printf, 2, 3))) say(struct text *text, const char *format, ...)
{
    va_list values;
    if (text->used >= text->bytes) return;
    va_start(values, format);
    text->used += (size_t)vsnprintf(text->at + text->used, text->bytes - text->used, format, values);
    va_end(values);
}

static double score_of_rank(double rank)
{
    return 2 * Sleef_cinz_sind1_u10purec(rank * (PI / 6));
}

static double rank_of_score(double score)
{
    return 6 / PI * Sleef_cinz_asind1_u10purec(score / 2);
}

static const char *name_of(const struct sweep *sweep, uint32_t parameter)
{
    return sweep->parameters[parameter].name;
}

static bool is_drawn(const struct sweep *sweep, uint32_t parameter)
{
    return sweep->parameters[parameter].distribution.kind != DISTRIBUTION_FIXED;
}

static bool check_pair(const struct sweep *sweep, size_t at, struct text *why)
{
    const struct sweep_correlation *pair = &sweep->correlations[at], *last = at ? pair - 1 : NULL;
    bool ascends = !last || last->left < pair->left || (last->left == pair->left && last->right < pair->right);
    if (pair->left >= pair->right || pair->right >= sweep->parameter_count || !ascends) {
        say(why, "correlation %zu is out of order; each pair is given once, ascending", at + 1);
        return false;
    }
    const char *left = name_of(sweep, pair->left), *right = name_of(sweep, pair->right);
    if (!(pair->rank > -1 && pair->rank < 1 && pair->rank != 0)) {
        say(why, "%.47s, %.47s: a correlation of %.12g; it must lie between -1 and 1, and not be 0", left, right,
            pair->rank);
        return false;
    }
    if (is_drawn(sweep, pair->left) && is_drawn(sweep, pair->right)) return true;
    say(why, "%.47s, %.47s: correlated, but %.47s is not drawn", left, right,
        is_drawn(sweep, pair->left) ? right : left);
    return false;
}

static bool take_members(struct copula *copula, const struct sweep *sweep, struct text *why)
{
    bool correlated[MODEL_PARAMETERS_MAX] = {false};
    for (uint32_t at = 0; at < sweep->correlation_count; at++) {
        if (!check_pair(sweep, at, why)) return false;
        correlated[sweep->correlations[at].left] = correlated[sweep->correlations[at].right] = true;
    }
    size_t dimension = 0;
    for (uint32_t at = 0; at < sweep->parameter_count; at++) {
        if (!is_drawn(sweep, at)) continue;
        copula->members[dimension] = COPULA_MEMBERS_MAX;
        if (correlated[at] && copula->count == COPULA_MEMBERS_MAX) {
            say(why, "more than %d correlated parameters", COPULA_MEMBERS_MAX);
            return false;
        }
        if (correlated[at]) {
            copula->names[copula->count] = name_of(sweep, at);
            copula->dimensions[copula->count] = (uint16_t)dimension;
            copula->members[dimension] = (uint16_t)copula->count++;
        }
        dimension++;
    }
    return true;
}

static void fill_matrix(struct copula *copula, const struct sweep *sweep)
{
    uint16_t dimensions[MODEL_PARAMETERS_MAX] = {0}; /* by parameter */
    size_t count = copula->count;
    for (uint32_t at = 0, dimension = 0; at < sweep->parameter_count; at++)
        if (is_drawn(sweep, at)) dimensions[at] = (uint16_t)dimension++;
    for (size_t at = 0; at < count; at++) copula->matrix[at * count + at] = 1;
    for (uint32_t at = 0; at < sweep->correlation_count; at++) {
        const struct sweep_correlation *pair = &sweep->correlations[at];
        size_t left = copula->members[dimensions[pair->left]], right = copula->members[dimensions[pair->right]];
        copula->matrix[left * count + right] = copula->matrix[right * count + left] = score_of_rank(pair->rank);
    }
}

/* The members that hang together with one of them: among their correlations is the contradiction. */
static size_t connected(const struct copula *copula, size_t member, size_t *group)
{
    bool seen[COPULA_MEMBERS_MAX] = {false};
    size_t found = 0, count = copula->count;
    group[found++] = member;
    seen[member] = true;
    for (size_t from = 0; from < found; from++)
        for (size_t to = 0; to < count; to++) {
            if (seen[to] || copula->matrix[group[from] * count + to] == 0) continue;
            seen[to] = true;
            group[found++] = to;
        }
    return found;
}

/* Two decimals of rank correlations that are so much nearer to 0, and the matrix of scores they make. */
static void round_ranks(const double *scores, size_t count, double shrink, double *ranks, double *rounded)
{
    for (size_t row = 0; row < count; row++)
        for (size_t column = 0; column < count; column++) {
            double rank = floor(100 * shrink * rank_of_score(scores[row * count + column]) + 0.5) / 100;
            if (rank > 0.99) rank = 0.99;
            if (rank < -0.99) rank = -0.99;
            if (row == column) rank = 1;
            ranks[row * count + column] = rank;
            rounded[row * count + column] = row == column ? 1 : score_of_rank(rank);
        }
}

/* The nearest matrix lies on the edge of what is possible, and rounding may cross it: then a hundredth nearer to 0
 * each time, until the numbers that are printed are themselves possible. */
static void propose(const double *wanted, size_t count, double *ranks)
{
    double scores[NEAREST_MAX * NEAREST_MAX], rounded[NEAREST_MAX * NEAREST_MAX], factor[NEAREST_MAX * NEAREST_MAX];
    for (size_t at = 0; at < count * count; at++) scores[at] = wanted[at];
    correlation_nearest(scores, count);
    for (int step = 0; step <= 100; step++) {
        round_ranks(scores, count, 1 - step / 100.0, ranks, rounded);
        if (correlation_factor(rounded, count, CORRELATION_EIGENVALUE_MIN, factor) == count) return;
    }
}

static void say_changes(const struct copula *copula, const size_t *group, size_t count, struct text *why)
{
    double wanted[NEAREST_MAX * NEAREST_MAX], ranks[NEAREST_MAX * NEAREST_MAX];
    for (size_t row = 0; row < count; row++)
        for (size_t column = 0; column < count; column++)
            wanted[row * count + column] = copula->matrix[group[row] * copula->count + group[column]];
    propose(wanted, count, ranks);
    say(why, "; the nearest that can:");
    const char *between = " ";
    for (size_t row = 0; row < count; row++)
        for (size_t column = row + 1; column < count; column++) {
            double rank = ranks[row * count + column], was = rank_of_score(wanted[row * count + column]);
            if (fabs(rank - was) < 1e-9) continue;
            say(why, "%s%.47s, %.47s: %.2f", between, copula->names[group[row]], copula->names[group[column]], rank);
            between = "; ";
        }
}

static int by_number(const void *left, const void *right)
{
    size_t one = *(const size_t *)left, other = *(const size_t *)right;
    return (one > other) - (one < other);
}

static void say_contradiction(const struct copula *copula, size_t member, struct text *why)
{
    size_t group[COPULA_MEMBERS_MAX], count = connected(copula, member, group);
    qsort(group, count, sizeof *group, by_number);
    say(why, "correlations that cannot all hold, among %.47s, %.47s", copula->names[group[0]], copula->names[group[1]]);
    if (count == 3) say(why, " and %.47s", copula->names[group[2]]);
    else say(why, " and %zu more", count - 2);
    if (count <= NEAREST_MAX) say_changes(copula, group, count, why);
}

struct copula *copula_new(const struct sweep *sweep, char *why, size_t why_bytes)
{
    struct text text = {why, why_bytes, 0};
    struct copula *copula = calloc(1, sizeof *copula);
    if (!copula) {
        say(&text, "out of memory");
        return NULL;
    }
    if (!take_members(copula, sweep, &text)) goto fail;
    fill_matrix(copula, sweep);
    size_t bad = correlation_factor(copula->matrix, copula->count, CORRELATION_EIGENVALUE_MIN, copula->factor);
    if (bad < copula->count) {
        say_contradiction(copula, bad, &text);
        goto fail;
    }
    correlation_factor(copula->matrix, copula->count, 0, copula->factor);
    for (size_t row = 0; row < copula->count; row++)
        for (size_t column = 0; column < row; column++)
            copula->joined[row] |= copula->factor[row * copula->count + column] != 0;
    return copula;

fail:
    copula_free(copula);
    return NULL;
}

void copula_free(struct copula *copula)
{
    free(copula);
}

bool copula_has(const struct copula *copula, size_t dimension)
{
    return copula->members[dimension] != COPULA_MEMBERS_MAX;
}

/* Far out the share of a score rounds to 0 or 1, which have no value. */
static double share_of(double score)
{
    double share = normal_cdf(score);
    if (share < 0x1p-53) return 0x1p-53;
    return share > 1 - 0x1p-53 ? 1 - 0x1p-53 : share;
}

static double product(const double *row, const double *scores, size_t count)
{
    double sum = 0;
    for (size_t at = 0; at < count; at++) sum += row[at] * scores[at];
    return sum;
}

/* Joins one lane, and gives the scores of its members. */
static void join_lane(const struct copula *copula, size_t lane, model_lanes *shares, double *scores)
{
    double independent[COPULA_MEMBERS_MAX];
    for (size_t at = 0; at < copula->count; at++) {
        double *share = &shares[copula->dimensions[at]][lane];
        independent[at] = scores[at] = normal_quantile(*share);
        if (!copula->joined[at]) continue;
        scores[at] = product(copula->factor + at * copula->count, independent, at + 1);
        *share = share_of(scores[at]);
    }
}

void copula_join(const struct copula *copula, model_lanes *shares)
{
    double scores[COPULA_MEMBERS_MAX];
    for (size_t lane = 0; lane < MODEL_LANES; lane++) join_lane(copula, lane, shares, scores);
}

/* The matrix with its rows and columns in another order. */
static void reorder(const struct copula *copula, const uint16_t *members, double *matrix)
{
    size_t count = copula->count;
    for (size_t row = 0; row < count; row++)
        for (size_t column = 0; column < count; column++)
            matrix[row * count + column] = copula->matrix[members[row] * count + members[column]];
}

/* With the factor L in the order of the draw, its scores are L e of independent normal e. Those of what is kept
 * follow from the scores; the others are replaced. */
void copula_redraw(const struct copula *copula, const uint16_t *order, size_t kept, size_t lane, model_lanes *shares,
                   const model_lanes *fresh)
{
    double matrix[COPULA_MEMBERS_MAX * COPULA_MEMBERS_MAX], factor[COPULA_MEMBERS_MAX * COPULA_MEMBERS_MAX];
    double scores[COPULA_MEMBERS_MAX], independent[COPULA_MEMBERS_MAX];
    uint16_t members[COPULA_MEMBERS_MAX];
    size_t kept_members = 0;
    for (size_t at = 0, found = 0; found < copula->count; at++) {
        if (!copula_has(copula, order[at])) continue;
        members[found++] = copula->members[order[at]];
        if (at < kept) kept_members = found;
    }
    join_lane(copula, lane, shares, scores);
    reorder(copula, members, matrix);
    size_t sound = correlation_factor(matrix, copula->count, 0, factor);
    assert(sound == copula->count);
    (void)sound;
    for (size_t at = 0; at < copula->count; at++) {
        const double *row = factor + at * copula->count;
        uint16_t dimension = copula->dimensions[members[at]];
        if (at < kept_members) {
            independent[at] = (scores[members[at]] - product(row, independent, at)) / row[at];
            continue;
        }
        independent[at] = normal_quantile(fresh[dimension][lane]);
        shares[dimension][lane] = share_of(product(row, independent, at + 1));
    }
}
