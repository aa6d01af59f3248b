/* What a table of counts, classes of a parameter against bins of a figure, says of how they hang together. Pure;
 * counts: [STUDY_CLASSES][STUDY_BINS]. */
#pragma once

#include <stdint.h>

#include "study.h"

/* Borgonovo's delta (Reliab. Eng. Syst. Saf. 92, 771-784 (2007)): half the mean over classes of the L1 distance
 * between the figure's distribution in the class and that of all; 0: independent, 1: the parameter decides
 * alone. NaN: nothing was counted. spread: its standard error from the counts alone. */
double classes_delta(const uint64_t *counts, double *spread);

/* PAWN (Pianosi and Wagener, Environ. Model. Softw. 67, 1-11 (2015)): the median over classes of the greatest
 * distance between the cumulated distribution in the class and that of all. NaN: nothing was counted. */
double classes_pawn(const uint64_t *counts);

/* Runs counted. */
uint64_t classes_total(const uint64_t *counts);
