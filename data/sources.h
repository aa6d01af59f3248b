/* The sources that the parameter table and the scenario files name by tags such as [S16]:
 * data/sources.csv, embedded at build time. */
#pragma once

#include <stddef.h>

struct source {
    const char *tag; /* without the brackets */
    const char *title, *publisher;
    const char *date, *url; /* empty: not recorded */
};

/* All rows in the table's order. Read once, kept for the life of the program. Not to be called first
 * by two threads at once. */
const struct source *sources_table(size_t *count);

/* The source whose tag begins at `tag` and ends with NUL or a closing bracket, or NULL. */
const struct source *sources_find(const char *tag);
