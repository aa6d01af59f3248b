/* Populations in memory, and their canonical encoding, whose SHA-256 is the data digest. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/population.h>

#include "bytes.h"
#include "digest.h"

#define POPULATION_BYTES_MAX            (32u << 20)
#define POPULATION_NAME_BYTES           256 /* a school's name, with the NUL */
#define POPULATION_AUTHORITY_NUMBER_MAX 999

/* A population of zeros, with that many rows and authorities; names: with a name, "", for every row.
 * `count` and `authority_count` may be lowered afterwards. NULL: out of memory, or more rows than
 * POPULATION_ROWS_MAX, or more authorities than there are numbers. */
struct population *population_new(size_t rows, size_t authorities, bool names);

/* Frees what population_new() made; NULL is fine. */
void population_free(struct population *population);

/* Copies a school's name. False: out of memory, or not UTF-8 of fewer than POPULATION_NAME_BYTES; the row
 * keeps the name it had. */
bool population_set_name(struct population *population, size_t row, const char *text);

/* Appends the encoding. */
void population_encode(const struct population *population, struct buffer *out);

/* Walks and checks the bytes before anything is allocated; then builds the population, which the
 * caller frees with population_free(). NULL: `*why` is a constant string. */
struct population *population_decode(struct span bytes, const char **why);

/* SHA-256 of the encoding; zero: out of memory. */
struct digest population_identity(const struct population *population);
