/* The canonical encoding of a population; its SHA-256 is the data digest. */
#pragma once

#include <stdbool.h>

#include <goldthread/population.h>

#include "bytes.h"
#include "digest.h"

#define POPULATION_BYTES_MAX (32u << 20)

void population_encode(const struct population *population, struct buffer *out);

/* Walks and checks the bytes before anything is allocated; then builds the population, which the
 * caller frees with population_free(). NULL: `*why` is a constant string. */
struct population *population_decode(struct span bytes, const char **why);

struct digest population_identity(const struct population *population);
