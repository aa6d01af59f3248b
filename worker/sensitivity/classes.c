#include "classes.h"

#include <assert.h>
#include <math.h>
#include <sleef.h>
#include <stdbool.h>
#include <stddef.h>

#include "normal.h"

#define PI 3.14159265358979323846

/* From this many standard deviations on, folding changes nothing. */
#define FAR 6

#define CELL_RUNS          32 /* on average, at least ... */
#define CLASSES_MERGED_MAX 8  /* ... while this many classes are one, or fewer */

static_assert(STUDY_DELTA_RUNS ==
                  CELL_RUNS * (STUDY_CLASSES / (4 * CLASSES_MERGED_MAX)) * (STUDY_BINS / (4 * CLASSES_MERGED_MAX)),
              "with fewer runs even the widest cells, of four times the largest, hold too few");

#define PAWN_MERGED (STUDY_CLASSES / 16) /* classes taken as one for PAWN */

/* How many times fewer runs are imagined, once and twice. */
#define FEWER 4.0

/* Counts of classes, of bins, and of all. */
struct margins {
    double classes[STUDY_CLASSES], bins[STUDY_BINS], total;
};

static struct margins find_margins(const uint64_t *counts)
{
    struct margins margins = {0};
    for (size_t row = 0; row < STUDY_CLASSES; row++)
        for (size_t bin = 0; bin < STUDY_BINS; bin++) {
            double count = (double)counts[row * STUDY_BINS + bin];
            margins.classes[row] += count;
            margins.bins[bin] += count;
            margins.total += count;
        }
    return margins;
}

uint64_t classes_total(const uint64_t *counts)
{
    uint64_t total = 0;
    for (size_t at = 0; at < STUDY_CLASSES * STUDY_BINS; at++) total += counts[at];
    return total;
}

/* In one bin alone all distributions look alike: the figure is a constant, or the pilot never saw it. */
static bool has_bins(const struct margins *margins)
{
    size_t found = 0;
    for (size_t bin = 0; bin < STUDY_BINS; bin++) found += margins->bins[bin] > 0;
    return found > 1;
}

/* The share of a cell less what it would be if class and bin were independent. */
static double excess(const struct margins *margins, const uint64_t *counts, size_t row, size_t bin)
{
    double share = (double)counts[row * STUDY_BINS + bin] / margins->total;
    return share - margins->classes[row] / margins->total * (margins->bins[bin] / margins->total);
}

/* E |X| of X normal with mean and standard deviation: folded at 0. */
static double folded_mean(double mean, double deviation)
{
    double size = fabs(mean);
    if (size >= FAR * deviation) return size;
    double z = size / deviation;
    return deviation * sqrt(2 / PI) * Sleef_cinz_expd1_u10purec(-z * z / 2) + size * (1 - 2 * normal_cdf(-z));
}

/* Cells of so many classes and bins taken as one. */
struct cells {
    size_t classes, bins;
};

static double folded_cell(const struct margins *margins, const uint64_t *counts, struct cells cells, size_t row,
                          size_t bin, double fewer)
{
    double gap = 0, independent = 0;
    for (size_t range = row; range < row + cells.classes; range++)
        for (size_t at = bin; at < bin + cells.bins; at++) {
            gap += excess(margins, counts, range, at);
            independent += margins->classes[range] / margins->total * (margins->bins[at] / margins->total);
        }
    return folded_mean(gap, sqrt((fewer - 1) * independent / margins->total));
}

/* Half the L1 distance between the cells and what they would be if class and bin were independent: what it would be
 * on average, if there were `fewer` times fewer runs. */
static double distance(const struct margins *margins, const uint64_t *counts, struct cells cells, double fewer)
{
    double sum = 0;
    for (size_t row = 0; row < STUDY_CLASSES; row += cells.classes)
        for (size_t bin = 0; bin < STUDY_BINS; bin += cells.bins)
            sum += folded_cell(margins, counts, cells, row, bin, fewer);
    return sum / 2;
}

/* The limit of a sequence whose steps become smaller by the same ratio each time, of at most `ratio_most` (Aitken,
 * 1926), from its last three terms. */
static double find_limit(double first, double second, double third, double ratio_most)
{
    double step = third - second, before = second - first;
    double ratio = step * before > 0 ? step / before : 0;
    if (ratio > ratio_most) ratio = ratio_most;
    return third + step * ratio / (1 - ratio);
}

/* Chance alone makes distances, which fall with the square root of the number of runs or faster. */
static double distance_without_chance(const struct margins *margins, const uint64_t *counts, struct cells cells)
{
    double found = find_limit(distance(margins, counts, cells, FEWER * FEWER), distance(margins, counts, cells, FEWER),
                              distance(margins, counts, cells, 1), 1 / sqrt(FEWER));
    return found > 0 ? found : 0;
}

/* As fine as the runs allow. */
static struct cells choose_cells(double runs)
{
    struct cells cells = {1, 1};
    while (cells.classes < CLASSES_MERGED_MAX &&
           runs < CELL_RUNS * (double)((STUDY_CLASSES / cells.classes) * (STUDY_BINS / cells.bins)))
        cells = (struct cells){2 * cells.classes, 2 * cells.bins};
    return cells;
}

double classes_delta(const uint64_t *counts)
{
    struct margins margins = find_margins(counts);
    double distances[3];
    if (margins.total < STUDY_DELTA_RUNS || !has_bins(&margins)) return NAN;
    struct cells cells = choose_cells(margins.total);
    for (size_t at = 0; at < 3; at++) { /* cells of four times, twice and once the width */
        struct cells wide = {cells.classes << (2 - at), cells.bins << (2 - at)};
        distances[at] = distance_without_chance(&margins, counts, wide);
    }
    double limit = find_limit(distances[0], distances[1], distances[2], 0.5);
    return limit < 0 ? 0 : limit > 1 ? 1 : limit;
}

/* Classes first .. first + PAWN_MERGED - 1 as one. NaN: nothing is in them. */
static double greatest_distance(const struct margins *margins, const uint64_t *counts, size_t first)
{
    double inside = 0, all = 0, runs = 0, greatest = 0;
    for (size_t row = first; row < first + PAWN_MERGED; row++) runs += margins->classes[row];
    for (size_t bin = 0; bin < STUDY_BINS; bin++) {
        for (size_t row = first; row < first + PAWN_MERGED; row++) inside += (double)counts[row * STUDY_BINS + bin];
        all += margins->bins[bin];
        double gap = fabs(inside / runs - all / margins->total);
        if (gap > greatest) greatest = gap;
    }
    return runs > 0 ? greatest : NAN;
}

static double median(double *values, size_t count)
{
    for (size_t at = 1; at < count; at++) { /* few of them: insertion */
        double value = values[at];
        size_t place = at;
        for (; place > 0 && values[place - 1] > value; place--) values[place] = values[place - 1];
        values[place] = value;
    }
    return count == 0 ? NAN : (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double classes_pawn(const uint64_t *counts)
{
    struct margins margins = find_margins(counts);
    double distances[STUDY_CLASSES];
    size_t count = 0;
    if (!has_bins(&margins)) return NAN;
    for (size_t row = 0; row < STUDY_CLASSES; row += PAWN_MERGED) {
        double greatest = greatest_distance(&margins, counts, row);
        if (!isnan(greatest)) distances[count++] = greatest;
    }
    return median(distances, count);
}
