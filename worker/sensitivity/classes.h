/* What a table of counts, classes of a parameter against bins of a figure, says of how they hang together. Pure;
 * counts: [STUDY_CLASSES][STUDY_BINS]. */
#pragma once

#include <stdint.h>

#include "study.h"

/* Borgonovo's delta (Reliab. Eng. Syst. Saf. 92, 771-784 (2007)): half the mean over classes of the L1 distance
 * between the figure's distribution in the class and that of all; 0: independent, 1: the parameter decides alone.
 * NaN: fewer than STUDY_DELTA_RUNS, or all in one bin. Chance makes such distances larger, and wide cells make them
 * smaller. Cells are as small as the runs allow; what would be left with infinitely many runs, and then with infinitely
 * small cells, is extrapolated. Short of 2^18 runs it is rather too small. */
double classes_delta(const uint64_t *counts);

/* PAWN (Pianosi and Wagener, Environ. Model. Softw. 67, 1-11 (2015)): the median over sixteenths of the parameter's
 * distribution of the greatest distance between the figure's cumulated distribution there and that of all. NaN: all
 * runs are in one bin, or there is none. */
double classes_pawn(const uint64_t *counts);

/* Runs counted. */
uint64_t classes_total(const uint64_t *counts);
