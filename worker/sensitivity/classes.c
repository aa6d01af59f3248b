#include "classes.h"

#include <math.h>
#include <stddef.h>

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

/* The share of a cell less what it would be if class and bin were independent. */
static double excess(const struct margins *margins, const uint64_t *counts, size_t row, size_t bin)
{
    double share = (double)counts[row * STUDY_BINS + bin] / margins->total;
    return share - margins->classes[row] / margins->total * (margins->bins[bin] / margins->total);
}

static double sign(double value)
{
    return (value > 0) - (value < 0);
}

/* The variance of what one run adds to delta: the signs of the cells held, half of sign - row mean - column mean. */
static double influence_variance(const struct margins *margins, const uint64_t *counts)
{
    double rows[STUDY_CLASSES] = {0}, columns[STUDY_BINS] = {0}, sum = 0, squares = 0;
    for (size_t row = 0; row < STUDY_CLASSES; row++)
        for (size_t bin = 0; bin < STUDY_BINS; bin++) {
            double signed_cell = sign(excess(margins, counts, row, bin));
            rows[row] += signed_cell * (margins->bins[bin] / margins->total);
            columns[bin] += signed_cell * (margins->classes[row] / margins->total);
        }
    for (size_t row = 0; row < STUDY_CLASSES; row++)
        for (size_t bin = 0; bin < STUDY_BINS; bin++) {
            double share = (double)counts[row * STUDY_BINS + bin] / margins->total;
            double influence = (sign(excess(margins, counts, row, bin)) - rows[row] - columns[bin]) / 2;
            sum += share * influence;
            squares += share * influence * influence;
        }
    double variance = squares - sum * sum;
    return variance > 0 ? variance : 0;
}

double classes_delta(const uint64_t *counts, double *spread)
{
    struct margins margins = find_margins(counts);
    double sum = 0;
    *spread = NAN;
    if (margins.total == 0) return NAN;
    for (size_t row = 0; row < STUDY_CLASSES; row++)
        for (size_t bin = 0; bin < STUDY_BINS; bin++) sum += fabs(excess(&margins, counts, row, bin));
    *spread = sqrt(influence_variance(&margins, counts) / margins.total);
    return sum / 2;
}

static double greatest_distance(const struct margins *margins, const uint64_t *counts, size_t row)
{
    double inside = 0, all = 0, greatest = 0;
    for (size_t bin = 0; bin < STUDY_BINS; bin++) {
        inside += (double)counts[row * STUDY_BINS + bin] / margins->classes[row];
        all += margins->bins[bin] / margins->total;
        double distance = fabs(inside - all);
        if (distance > greatest) greatest = distance;
    }
    return greatest;
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
    for (size_t row = 0; row < STUDY_CLASSES; row++)
        if (margins.classes[row] > 0) distances[count++] = greatest_distance(&margins, counts, row);
    return median(distances, count);
}
