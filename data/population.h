/* Populations: the embedded table of England's schools, and the import of a school file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/population.h>

#include "bytes.h"
#include "population_codec.h" /* population_new, population_free */

#define POPULATION_BUILT_IN "england-2023"

/* The embedded population; a new copy that the caller frees. NULL: out of memory. */
struct population *population_built_in(void);

/* Reads a table with the columns of the school file (urn, la, la_name, region, phase, pupils, ...) or
 * of the cell table; the header decides. README.md says what each column may hold. At most
 * POPULATION_ROWS_MAX rows. NULL: `why` holds one line "LINE:COLUMN: what is wrong; what is allowed",
 * 1-based, the column counted in fields and 0 where it is the whole line; "0:0: out of memory". 512
 * bytes hold any; fewer cut it. */
struct population *population_read(struct span csv, char *why, size_t why_bytes);

/* Names as the files spell them. */
const char *region_name(unsigned region); /* 1..9 */
const char *phase_name(enum phase phase);
