/* The parameter table of the built-in model: data/parameters.csv, embedded at build time. */
#pragma once

#include <stddef.h>

#include <goldthread/parameter.h>

/* All rows in the table's order, which is the order of columns everywhere. Read once, kept for the
 * life of the program. Not to be called first by two threads at once. */
const struct parameter *parameters_table(size_t *count);

/* The row's place, or -1. */
int parameters_find(const struct parameter *table, size_t count, const char *name);
