#include "population_codec.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "pack.h"

/* A population and its columns are one allocation. The rows it was made for are kept, because the
 * caller may lower `count` and the names of all of them are to be freed. */
struct owned {
    struct population population; /* first, so that the one's address is the other's */
    size_t rows;
};

/* What a row without a name points to; never written, never freed. */
static char no_name[1];

/* Memory that columns are cut from. Without a start nothing is cut, only measured. */
struct cloth {
    char *start;
    size_t used;
};

static void *cut(struct cloth *cloth, size_t count, size_t item_bytes)
{
    void *piece = cloth->start ? cloth->start + cloth->used : NULL;
    cloth->used += count * item_bytes;
    return piece;
}

/* Widest items first, so that each column is aligned. */
static void cut_columns(struct population *population, struct cloth *cloth, bool names)
{
    size_t rows = population->count;
    population->pupils = cut(cloth, rows, sizeof *population->pupils);
    population->fte = cut(cloth, rows, sizeof *population->fte);
    population->fsm6 = cut(cloth, rows, sizeof *population->fsm6);
    population->ks4 = cut(cloth, rows, sizeof *population->ks4);
    population->ks4_fsm6 = cut(cloth, rows, sizeof *population->ks4_fsm6);
    population->ks4_disadvantaged = cut(cloth, rows, sizeof *population->ks4_disadvantaged);
    if (names) population->name = cut(cloth, rows, sizeof *population->name);
    population->urn = cut(cloth, rows, sizeof *population->urn);
    population->schools = cut(cloth, rows, sizeof *population->schools);
    population->pp50_schools = cut(cloth, rows, sizeof *population->pp50_schools);
    population->authorities = cut(cloth, population->authority_count, sizeof *population->authorities);
    population->authority = cut(cloth, rows, sizeof *population->authority);
    population->phase = cut(cloth, rows, sizeof *population->phase);
    population->quintile = cut(cloth, rows, sizeof *population->quintile);
    population->rise = cut(cloth, rows, sizeof *population->rise);
}

struct population *population_new(size_t rows, size_t authorities, bool names)
{
    if (rows > POPULATION_ROWS_MAX || authorities > POPULATION_AUTHORITY_NUMBER_MAX + 1) return NULL;
    struct population layout = {.count = rows, .authority_count = authorities};
    struct cloth cloth = {0};
    cut_columns(&layout, &cloth, names);

    struct owned *owned = calloc(1, sizeof *owned + cloth.used);
    if (!owned) return NULL;
    owned->rows = rows;
    owned->population = layout;
    cloth = (struct cloth){.start = (char *)(owned + 1)};
    cut_columns(&owned->population, &cloth, names);
    for (size_t row = 0; names && row < rows; row++) owned->population.name[row] = no_name;
    return &owned->population;
}

static void free_name(char *name)
{
    if (name != no_name) free(name);
}

void population_free(struct population *population)
{
    if (!population) return;
    struct owned *owned = (struct owned *)population;
    for (size_t row = 0; population->name && row < owned->rows; row++) free_name(population->name[row]);
    free(owned);
}

bool population_set_name(struct population *population, size_t row, const char *text)
{
    assert(population->name && row < ((struct owned *)population)->rows);
    if (strlen(text) >= POPULATION_NAME_BYTES) return false;
    char *name = *text ? strdup(text) : no_name;
    if (!name) return false;
    free_name(population->name[row]);
    population->name[row] = name;
    return true;
}
