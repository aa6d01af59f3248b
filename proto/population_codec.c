#include "population_codec.h"

#include <assert.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "pack.h"
#include "utf8.h"

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
    size_t size = strlen(text);
    if (size >= POPULATION_NAME_BYTES || utf8_prefix(text, size) != size) return false;
    char *name = *text ? strdup(text) : no_name;
    if (!name) return false;
    free_name(population->name[row]);
    population->name[row] = name;
    return true;
}

/* The encoding is an array: version, rows, authorities, names (nil without), then a column of numbers
 * after another. Encoding and decoding walk the same table of columns. */

#define ENCODING_VERSION 1
#define HEAD_FIELDS      4

enum item { ITEM_UINT8, ITEM_UINT16, ITEM_UINT32, ITEM_DOUBLE };

enum {
    COLUMN_URN,
    COLUMN_AUTHORITY,
    COLUMN_PHASE,
    COLUMN_QUINTILE,
    COLUMN_RISE,
    COLUMN_SCHOOLS,
    COLUMN_PP50_SCHOOLS,
    COLUMN_PUPILS,
    COLUMN_FTE,
    COLUMN_FSM6,
    COLUMN_KS4,
    COLUMN_KS4_FSM6,
    COLUMN_KS4_DISADVANTAGED,
    COLUMN_COUNT
};

static const struct column {
    size_t at; /* of the column's pointer in struct population */
    enum item item;
    double max; /* numbers are 0 to max */
} columns[COLUMN_COUNT] = {
    [COLUMN_URN] = {offsetof(struct population, urn), ITEM_UINT32, UINT32_MAX},
    [COLUMN_AUTHORITY] = {offsetof(struct population, authority), ITEM_UINT16, UINT16_MAX},
    [COLUMN_PHASE] = {offsetof(struct population, phase), ITEM_UINT8, PHASE_COUNT - 1},
    [COLUMN_QUINTILE] = {offsetof(struct population, quintile), ITEM_UINT8, QUINTILE_COUNT - 1},
    [COLUMN_RISE] = {offsetof(struct population, rise), ITEM_UINT8, 1},
    [COLUMN_SCHOOLS] = {offsetof(struct population, schools), ITEM_UINT32, UINT32_MAX},
    [COLUMN_PP50_SCHOOLS] = {offsetof(struct population, pp50_schools), ITEM_UINT32, UINT32_MAX},
    [COLUMN_PUPILS] = {offsetof(struct population, pupils), ITEM_DOUBLE, DBL_MAX},
    [COLUMN_FTE] = {offsetof(struct population, fte), ITEM_DOUBLE, DBL_MAX},
    [COLUMN_FSM6] = {offsetof(struct population, fsm6), ITEM_DOUBLE, 1},
    [COLUMN_KS4] = {offsetof(struct population, ks4), ITEM_DOUBLE, DBL_MAX},
    [COLUMN_KS4_FSM6] = {offsetof(struct population, ks4_fsm6), ITEM_DOUBLE, 1},
    [COLUMN_KS4_DISADVANTAGED] = {offsetof(struct population, ks4_disadvantaged), ITEM_DOUBLE, 1},
};

static void encode_item(const struct column *column, const void *items, size_t row, struct buffer *out)
{
    switch (column->item) {
    case ITEM_UINT8:
        pack_uint(out, ((const uint8_t *)items)[row]);
        return;
    case ITEM_UINT16:
        pack_uint(out, ((const uint16_t *)items)[row]);
        return;
    case ITEM_UINT32:
        pack_uint(out, ((const uint32_t *)items)[row]);
        return;
    case ITEM_DOUBLE:
        pack_number(out, ((const double *)items)[row]);
        return;
    }
}

static void *items_of(const struct population *population, const struct column *column)
{
    void *items;
    memcpy(&items, (const char *)population + column->at, sizeof items);
    return items;
}

static void encode_names(const struct population *population, struct buffer *out)
{
    if (!population->name) {
        pack_nil(out);
        return;
    }
    pack_array(out, population->count);
    for (size_t row = 0; row < population->count; row++) pack_string(out, population->name[row]);
}

static void encode_authorities(const struct population *population, struct buffer *out)
{
    pack_array(out, population->authority_count);
    for (size_t at = 0; at < population->authority_count; at++) {
        const struct authority *authority = &population->authorities[at];
        pack_array(out, 3);
        pack_uint(out, authority->number);
        pack_uint(out, authority->region);
        pack_string(out, authority->name);
    }
}

void population_encode(const struct population *population, struct buffer *out)
{
    pack_array(out, HEAD_FIELDS + COLUMN_COUNT);
    pack_uint(out, ENCODING_VERSION);
    pack_uint(out, population->count);
    encode_authorities(population, out);
    encode_names(population, out);
    for (size_t at = 0; at < COLUMN_COUNT; at++) {
        pack_array(out, population->count);
        const void *items = items_of(population, &columns[at]);
        for (size_t row = 0; row < population->count; row++) encode_item(&columns[at], items, row, out);
    }
}

struct digest population_identity(const struct population *population)
{
    struct buffer bytes = {0};
    struct digest digest = {{0}};
    population_encode(population, &bytes);
    if (!bytes.failed) digest = digest_of(buffer_span(&bytes));
    buffer_free(&bytes);
    return digest;
}

/* Decoding walks the bytes twice with the same code: once without a population, to check them and to
 * learn its extent, and once more to fill it. */
struct walk {
    struct cursor cursor;
    size_t rows, authorities;
    bool names;
    struct population *into; /* NULL: check only */
    bool out_of_memory;
};

static void walk_authorities(struct walk *walk)
{
    struct cursor *cursor = &walk->cursor;
    walk->authorities = cursor_array(cursor, POPULATION_AUTHORITY_NUMBER_MAX + 1);
    uint64_t least = 0;
    for (size_t at = 0; at < walk->authorities && !cursor->error; at++) {
        struct authority authority = {0};
        cursor_array_of(cursor, 3);
        authority.number = (uint16_t)cursor_uint_from(cursor, least, POPULATION_AUTHORITY_NUMBER_MAX);
        authority.region = (uint8_t)cursor_uint_from(cursor, 1, REGION_COUNT);
        cursor_string(cursor, authority.name, sizeof authority.name);
        least = authority.number + 1u;
        if (walk->into) walk->into->authorities[at] = authority;
    }
}

static void walk_names(struct walk *walk)
{
    struct cursor *cursor = &walk->cursor;
    walk->names = !cursor_at_nil(cursor);
    if (!walk->names) {
        cursor_nil(cursor);
        return;
    }
    cursor_array_of(cursor, walk->rows);
    for (size_t row = 0; row < walk->rows && !cursor->error; row++) {
        char name[POPULATION_NAME_BYTES];
        cursor_string(cursor, name, sizeof name);
        if (walk->into && !population_set_name(walk->into, row, name)) walk->out_of_memory = true;
    }
}

static void store_item(const struct column *column, void *items, size_t row, uint64_t value)
{
    if (column->item == ITEM_UINT8) ((uint8_t *)items)[row] = (uint8_t)value;
    else if (column->item == ITEM_UINT16) ((uint16_t *)items)[row] = (uint16_t)value;
    else ((uint32_t *)items)[row] = (uint32_t)value;
}

static void walk_whole_numbers(struct walk *walk, const struct column *column, void *items, uint64_t max)
{
    for (size_t row = 0; row < walk->rows && !walk->cursor.error; row++) {
        uint64_t value = cursor_uint(&walk->cursor, max);
        if (items) store_item(column, items, row, value);
    }
}

static void walk_doubles(struct walk *walk, double *items, double max)
{
    for (size_t row = 0; row < walk->rows && !walk->cursor.error; row++) {
        double value = cursor_number(&walk->cursor, 0.0, max);
        if (items) items[row] = value;
    }
}

/* Refuses a row with more schools in the top half by pupil premium than schools; `schools` stands at
 * the column of schools, `top_half` at the other. */
static void compare_schools(struct walk *walk, struct cursor schools, struct cursor top_half)
{
    cursor_array_of(&schools, walk->rows);
    cursor_array_of(&top_half, walk->rows);
    for (size_t row = 0; row < walk->rows; row++) {
        uint64_t all = cursor_uint(&schools, UINT32_MAX);
        if (cursor_uint(&top_half, UINT32_MAX) > all) cursor_fail(&walk->cursor, "more pp50 schools than schools");
    }
}

static void walk_columns(struct walk *walk)
{
    struct cursor starts[COLUMN_COUNT];
    for (size_t at = 0; at < COLUMN_COUNT; at++) {
        const struct column *column = &columns[at];
        void *items = walk->into ? items_of(walk->into, column) : NULL;
        starts[at] = walk->cursor;
        cursor_array_of(&walk->cursor, walk->rows);
        if (column->item == ITEM_DOUBLE) walk_doubles(walk, items, column->max);
        else if (at == COLUMN_AUTHORITY) walk_whole_numbers(walk, column, items, walk->authorities - 1);
        else walk_whole_numbers(walk, column, items, (uint64_t)column->max);
    }
    if (!walk->cursor.error) compare_schools(walk, starts[COLUMN_SCHOOLS], starts[COLUMN_PP50_SCHOOLS]);
}

/* False: the cursor has the error, or memory ran out. */
static bool walk_all(struct walk *walk, struct span bytes)
{
    struct cursor *cursor = &walk->cursor;
    *cursor = cursor_over(bytes);
    cursor_array_of(cursor, HEAD_FIELDS + COLUMN_COUNT);
    if (cursor_uint(cursor, UINT64_MAX) != ENCODING_VERSION) cursor_fail(cursor, "another version of populations");
    walk->rows = cursor_uint_from(cursor, 1, POPULATION_ROWS_MAX);
    walk_authorities(walk);
    if (walk->authorities == 0) cursor_fail(cursor, "no authority");
    walk_names(walk);
    walk_columns(walk);
    return cursor_done(cursor) && !walk->out_of_memory;
}

struct population *population_decode(struct span bytes, const char **why)
{
    struct walk walk = {0};
    if (bytes.size > POPULATION_BYTES_MAX) {
        *why = "a population above its bound";
        return NULL;
    }
    if (!walk_all(&walk, bytes)) {
        *why = walk.cursor.error;
        return NULL;
    }
    walk.into = population_new(walk.rows, walk.authorities, walk.names);
    if (walk.into && walk_all(&walk, bytes)) return walk.into;
    population_free(walk.into);
    *why = "out of memory";
    return NULL;
}
