#include "failures.h"

#include <math.h>
#include <sleef.h>
#include <stddef.h>

#define CLASSES   STUDY_FAILURE_CLASSES
#define INTERVALS (CLASSES * (CLASSES + 1) / 2)

/* Classes first .. last of a dimension. */
struct interval {
    size_t first, last;
    double held, width; /* shares of the failing runs, and of all */
};

static bool has_levels(const struct sweep *sweep)
{
    return sweep->method == DESIGN_GRID || sweep->method == DESIGN_MORRIS;
}

/* How much of the distribution lies in each class, as whole numbers: all alike, but for designs of few levels, which
 * are the middles of equal shares. Returns the sum. */
static double find_widths(const struct sweep *sweep, double *widths)
{
    size_t count = has_levels(sweep) ? sweep->design_levels : CLASSES;
    for (size_t at = 0; at < CLASSES; at++) widths[at] = 0;
    for (size_t level = 0; level < count; level++) widths[(2 * level + 1) * CLASSES / (2 * count)] += 1;
    return (double)count;
}

/* The narrowest interval that holds a share of the failing runs; of several, one that holds most. */
static struct interval find_narrowest(const struct study *study, const uint64_t *counts, double share)
{
    double widths[CLASSES], all = find_widths(study->sweep, widths), runs = 0;
    struct interval best = {0, CLASSES - 1, 1, 1};
    for (size_t at = 0; at < CLASSES; at++) runs += (double)counts[at];
    for (size_t first = 0; first < CLASSES; first++) {
        double held = 0, width = 0;
        for (size_t last = first; last < CLASSES; last++) {
            held += (double)counts[last];
            width += widths[last];
            struct interval interval = {first, last, held / runs, width / all};
            if (interval.held < share || interval.width > best.width) continue;
            if (interval.width < best.width || interval.held > best.held) best = interval;
        }
    }
    return best;
}

static double relative_entropy(double held, double width)
{
    double sum = 0;
    if (held > 0) sum += held * Sleef_cinz_logd1_u10purec(held / width);
    if (held < 1) sum += (1 - held) * Sleef_cinz_logd1_u10purec((1 - held) / (1 - width));
    return sum;
}

/* How many failing runs may have one cause: a draw's rows, or the runs at one point of a design of few levels. */
static double find_cluster(const struct study *study, double draws)
{
    double cluster = study->rows, runs_at_a_point = draws * study->rows;
    if (!has_levels(study->sweep)) return cluster;
    for (uint32_t at = 0; at < study->dimensions; at++) runs_at_a_point /= study->sweep->design_levels;
    return runs_at_a_point > cluster ? runs_at_a_point : cluster;
}

/* Not by chance, even though every interval of every dimension was tried. */
static bool is_close_together(const struct study *study, const struct interval *interval, double clusters)
{
    double tried = (double)INTERVALS * study->dimensions;
    if (study->sweep->method == DESIGN_ONE_AT_A_TIME || interval->width >= interval->held) return false;
    return clusters * relative_entropy(interval->held, interval->width) >
           Sleef_cinz_logd1_u10purec(tried / FAILURES_FALSE_ALARM);
}

static void bound(struct failure_box *box, size_t dimension, const struct interval *interval)
{
    box->low[dimension] = (double)interval->first / CLASSES;
    box->high[dimension] = (double)(interval->last + 1) / CLASSES;
    box->volume *= interval->width;
    box->share -= 1 - interval->held;
}

/* Which dimensions: in those the failing runs lie close together. */
static uint32_t find_bounded(const struct study *study, const uint64_t *counts, double clusters, bool *bounded)
{
    uint32_t count = 0;
    for (size_t at = 0; at < study->dimensions; at++) {
        struct interval interval = find_narrowest(study, counts + at * CLASSES, FAILURES_SHARE);
        bounded[at] = is_close_together(study, &interval, clusters);
        count += bounded[at];
    }
    return count;
}

bool failures_find(const struct study *study, const struct node *root, struct failure_box *box)
{
    bool bounded[MODEL_PARAMETERS_MAX];
    *box = (struct failure_box){.volume = 1, .share = 1};
    if (study->count_count == 0) return false;
    const uint64_t *counts = root->counts + study_failures_at(study);
    box->runs = counts[study->dimensions * CLASSES];
    if (box->runs == 0) return false;
    double clusters = (double)box->runs / find_cluster(study, (double)root->draws);
    box->bounded = find_bounded(study, counts, clusters, bounded);
    box->stands_out = box->bounded > 0;
    for (size_t at = 0; at < study->dimensions; at++) {
        double share = 1 - (1 - FAILURES_SHARE) / box->bounded;
        box->high[at] = 1;
        if (!bounded[at]) continue;
        struct interval interval = find_narrowest(study, counts + at * CLASSES, share);
        bound(box, at, &interval);
    }
    if (box->bounded > 1 && study->sweep->correlation_count > 0) box->volume = NAN; /* no product of widths */
    return true;
}
