/* The rollup as a table: rows of rollup.csv, and its digest. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/digest.h>

#include "bytes.h"
#include "node.h"
#include "plan.h"

#define TABLE_HEADER "scenario,area_code,area,phase,fsm6_quintile,year,measure,unit,statistic,value\n"

struct table_row {
    const char *scenario, *area_code, *area, *phase, *quintile, *year, *measure, *unit, *statistic;
    double value; /* NaN: undefined, written as empty */
};

/* Calls `emit` for every row, ascending by (scenario, area_code, area, phase, quintile, year, measure,
 * unit, statistic), compared as byte strings. Stops when emit answers false. False: stopped, or out of
 * memory. */
bool table_rows(const struct plan *plan, const struct node *root, bool (*emit)(void *context, const struct table_row *),
                void *context);

/* Statistics of each figure, and so rows. */
size_t table_statistics(const struct sweep *sweep);

/* rollup.csv, whole, with its header. Its SHA-256 is the digest of the run. */
bool table_csv(const struct plan *plan, const struct node *root, struct buffer *out);

/* The shortest decimal that reads back to the same double; `text` of at least 32 bytes. Empty for NaN. */
void table_number(double value, char *text);

/* Writes a field and a comma, and answers what is behind them; quoted when it needs to be (RFC 4180), which takes up
 * to twice its bytes and three more. */
char *table_field(char *to, const char *field);
