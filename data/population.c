#include "population.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "csv.h"
#include "embed.h"

#define UNKNOWN_FSM6     0.25 /* of a school without a figure (nurseries) */
#define COHORT_OF_ROLL   0.17 /* KS4 pupils over the roll of a secondary, where the cohort is not known */
#define FIGURE_MAX       1e8  /* pupils or teachers in one row; far above all England */
#define URN_MAX          999999999
#define AUTHORITY_MIN    100
#define AUTHORITY_MAX    999
#define CELL_SCHOOLS_MAX 100000
#define QUOTED_BYTES     48 /* of a field, when a fault quotes it */

static const char *const region_names[REGION_COUNT] = {"North East",    "North West",    "Yorkshire and The Humber",
                                                       "East Midlands", "West Midlands", "East of England",
                                                       "London",        "South East",    "South West"};

static const char *const phase_names[PHASE_COUNT] = {"primary", "secondary", "special", "ap", "nursery"};

enum column {
    URN,
    NAME,
    AUTHORITY,
    AUTHORITY_NAME,
    REGION,
    PHASE,
    QUINTILE,
    RISE,
    PP50,
    SCHOOLS,
    PUPILS,
    FTE,
    FSM6,
    KS4,
    KS4_FSM6,
    KS4_DISADVANTAGED,
    COLUMN_COUNT
};

/* What a file calls the columns. NULL: the layout has none of this kind. */
struct layout {
    const char *names[COLUMN_COUNT];
    uint32_t optional; /* bits 1 << enum column */
};

static const struct layout school_layout = {
    .names = {[URN] = "urn",
              [NAME] = "name",
              [AUTHORITY] = "la",
              [AUTHORITY_NAME] = "la_name",
              [REGION] = "region",
              [PHASE] = "phase",
              [QUINTILE] = "fsm6_quintile",
              [RISE] = "rise_2025",
              [PP50] = "pp50_2025",
              [PUPILS] = "pupils",
              [FTE] = "teachers_fte_est",
              [FSM6] = "fsm6_pct",
              [KS4] = "ks4_pupils_2024",
              [KS4_DISADVANTAGED] = "ks4_disadv_pct_2024"},
    .optional = 1u << NAME | 1u << PP50,
};

static const struct layout cell_layout = {
    .names = {[AUTHORITY] = "la",
              [AUTHORITY_NAME] = "la_name",
              [REGION] = "region",
              [PHASE] = "phase",
              [QUINTILE] = "fsm6_quintile",
              [RISE] = "rise_2025",
              [PP50] = "pp50_schools",
              [SCHOOLS] = "schools",
              [PUPILS] = "pupils_jan2023",
              [FTE] = "teachers_fte_nov2022",
              [FSM6] = "fsm6_pct",
              [KS4] = "ks4_pupils_2024",
              [KS4_FSM6] = "ks4_fsm6_pct",
              [KS4_DISADVANTAGED] = "ks4_disadv_pct"},
};

/* A row as read, before the population's columns are made. */
struct record {
    uint32_t line, urn, schools, pp50_schools;
    uint16_t authority; /* the number */
    uint8_t phase, quintile, rise;
    double pupils, fte, fsm6, ks4, ks4_fsm6, ks4_disadvantaged;
    struct span name;
};

/* An authority that some row named. */
struct seen {
    uint32_t line; /* 0: not seen */
    struct authority authority;
};

struct reader {
    struct csv csv;
    struct csv_row row;
    const struct layout *layout;
    int at[COLUMN_COUNT]; /* the field of a column, or -1 */
    size_t field_count;
    struct record *records; /* owned */
    size_t count, capacity;
    struct seen seen[AUTHORITY_MAX + 1]; /* by number */
    size_t authority_count;
    char *why; /* borrowed */
    size_t why_bytes;
    bool failed; /* the first fault is kept; what is read afterwards is not used */
};

const char *region_name(unsigned region)
{
    assert(region >= 1 && region <= REGION_COUNT);
    return region_names[region - 1];
}

const char *phase_name(enum phase phase)
{
    assert(phase < PHASE_COUNT);
    return phase_names[phase];
}

/* Keeps the first fault as "LINE:COLUMN: ...". */
__attribute__((format(printf, 4, 5))) static void fail(struct reader *reader, uint32_t line, size_t column,
                                                       const char *format, ...)
{
    if (reader->failed) return;
    reader->failed = true;
    int used = snprintf(reader->why, reader->why_bytes, "%u:%zu: ", line, column);
    if (used < 0 || (size_t)used >= reader->why_bytes) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->why + used, reader->why_bytes - (size_t)used, format, arguments);
    va_end(arguments);
}

static void fail_memory(struct reader *reader)
{
    fail(reader, 0, 0, "out of memory");
}

/* A column the layout does not have, or the file leaves out, reads as blank. */
static struct span field(const struct reader *reader, enum column column)
{
    if (reader->at[column] < 0) return (struct span){0};
    return reader->row.fields[reader->at[column]];
}

static bool is_blank(const struct reader *reader, enum column column)
{
    return field(reader, column).size == 0;
}

/* A field as a fault shows it: its beginning, and on one line. */
static const char *quote(struct span text, char out[QUOTED_BYTES])
{
    bool whole = csv_text(text, out, QUOTED_BYTES - 3);
    bool as_it_is = whole && csv_is_printable(text);
    for (char *at = out; *at && !as_it_is; at++)
        if (*at < 0x20 || *at > 0x7e) *at = '?';
    if (!whole) strcat(out, "...");
    return out;
}

static void fail_field(struct reader *reader, enum column column, const char *allowed)
{
    char text[QUOTED_BYTES];
    size_t at = (size_t)(reader->at[column] + 1);
    const char *name = reader->layout->names[column];
    if (is_blank(reader, column)) fail(reader, reader->row.line, at, "`%s` is blank; allowed is %s", name, allowed);
    else
        fail(reader, reader->row.line, at, "`%s` is `%s`; allowed is %s", name, quote(field(reader, column), text),
             allowed);
}

static double read_number(struct reader *reader, enum column column, double most, const char *allowed)
{
    double value;
    if (csv_number(field(reader, column), &value) && value >= 0 && value <= most)
        return value == 0 ? 0 : value; /* -0 is 0: one figure, one digest */
    fail_field(reader, column, allowed);
    return 0;
}

static double read_figure(struct reader *reader, enum column column)
{
    return read_number(reader, column, FIGURE_MAX, "a number from 0 to 100000000");
}

/* A percentage as a share; `blank` for an empty field. */
static double read_share(struct reader *reader, enum column column, double blank)
{
    if (is_blank(reader, column)) return blank;
    return read_number(reader, column, 100, "a percentage from 0 to 100, or blank where it is not known") / 100;
}

static uint32_t read_whole(struct reader *reader, enum column column, uint32_t least, uint32_t most,
                           const char *allowed)
{
    double value;
    if (csv_number(field(reader, column), &value) && value >= least && value <= most && value == (uint32_t)value)
        return (uint32_t)value;
    fail_field(reader, column, allowed);
    return least;
}

static uint8_t read_flag(struct reader *reader, enum column column)
{
    return (uint8_t)read_whole(reader, column, 0, 1, "0 or 1");
}

static uint8_t read_quintile(struct reader *reader)
{
    if (is_blank(reader, QUINTILE)) return 0;
    if (reader->layout == &cell_layout)
        return (uint8_t)read_whole(reader, QUINTILE, 0, 5, "1 to 5, or 0 where it is not known");
    return (uint8_t)read_whole(reader, QUINTILE, 1, 5, "1 to 5, or blank where it is not known");
}

static uint8_t read_phase(struct reader *reader)
{
    for (unsigned phase = 0; phase < PHASE_COUNT; phase++)
        if (csv_equals(field(reader, PHASE), phase_names[phase])) return (uint8_t)phase;
    fail_field(reader, PHASE, "primary, secondary, special, ap or nursery");
    return 0;
}

/* "Yorkshire and the Humber" is spelt with either t, so case does not count. */
static uint8_t read_region(struct reader *reader)
{
    char text[QUOTED_BYTES];
    bool whole = csv_text(field(reader, REGION), text, sizeof text);
    for (unsigned region = 1; whole && region <= REGION_COUNT; region++)
        if (strcasecmp(text, region_names[region - 1]) == 0) return (uint8_t)region;
    fail_field(reader, REGION,
               "North East, North West, Yorkshire and The Humber, East Midlands, West Midlands, East of England, "
               "London, South East or South West");
    return 1;
}

static void read_name(struct reader *reader, enum column column, char *out, size_t room, const char *allowed)
{
    struct span text = field(reader, column);
    if (!csv_text(text, out, room) || !csv_is_printable(text)) fail_field(reader, column, allowed);
}

static void fail_authority(struct reader *reader, enum column column, const struct seen *seen)
{
    fail(reader, reader->row.line, (size_t)(reader->at[column] + 1),
         "authority %u is `%s` in %s on line %u; a number must keep one name and one region", seen->authority.number,
         seen->authority.name, region_name(seen->authority.region), seen->line);
}

/* The number of the row's authority, which keeps the name and region it was first seen with. */
static uint16_t read_authority(struct reader *reader)
{
    struct authority found = {
        .number = (uint16_t)read_whole(reader, AUTHORITY, AUTHORITY_MIN, AUTHORITY_MAX, "a number from 100 to 999")};
    found.region = read_region(reader);
    read_name(reader, AUTHORITY_NAME, found.name, sizeof found.name, "a name below 62 bytes of UTF-8");
    if (is_blank(reader, AUTHORITY_NAME)) fail_field(reader, AUTHORITY_NAME, "a name below 62 bytes of UTF-8");

    struct seen *seen = &reader->seen[found.number];
    if (seen->line == 0) {
        *seen = (struct seen){.line = reader->row.line, .authority = found};
        reader->authority_count++;
    }
    if (strcmp(seen->authority.name, found.name) != 0) fail_authority(reader, AUTHORITY_NAME, seen);
    if (seen->authority.region != found.region) fail_authority(reader, REGION, seen);
    return found.number;
}

/* What sets a row of one school apart from a row of a cell. */
static void read_identity(struct reader *reader, struct record *record)
{
    if (reader->layout == &cell_layout) {
        record->schools = read_whole(reader, SCHOOLS, 1, CELL_SCHOOLS_MAX, "a whole number from 1 to 100000");
        record->pp50_schools = read_whole(reader, PP50, 0, record->schools, "a whole number from 0 to `schools`");
        return;
    }
    char name[POPULATION_NAME_BYTES];
    record->urn = read_whole(reader, URN, 1, URN_MAX, "a whole number from 1 to 999999999");
    record->schools = 1;
    record->pp50_schools = reader->at[PP50] < 0 ? 0 : read_flag(reader, PP50);
    record->name = field(reader, NAME);
    read_name(reader, NAME, name, sizeof name, "a name below 256 bytes of UTF-8, or blank");
}

static double read_cohort(struct reader *reader, const struct record *record)
{
    if (!is_blank(reader, KS4)) return read_figure(reader, KS4);
    return record->phase == PHASE_SECONDARY ? COHORT_OF_ROLL * record->pupils : 0;
}

static struct record read_record(struct reader *reader)
{
    struct record record = {.line = reader->row.line};
    read_identity(reader, &record);
    record.authority = read_authority(reader);
    record.phase = read_phase(reader);
    record.quintile = read_quintile(reader);
    record.rise = read_flag(reader, RISE);
    record.pupils = read_figure(reader, PUPILS);
    record.fte = read_figure(reader, FTE);
    record.fsm6 = read_share(reader, FSM6, UNKNOWN_FSM6);
    record.ks4 = read_cohort(reader, &record);
    record.ks4_fsm6 = read_share(reader, KS4_FSM6, record.fsm6);
    record.ks4_disadvantaged = read_share(reader, KS4_DISADVANTAGED, record.ks4_fsm6);
    return record;
}

static void keep_record(struct reader *reader, struct record record)
{
    if (reader->count == POPULATION_ROWS_MAX) {
        fail(reader, record.line, 0, "too many rows; at most %d are allowed", POPULATION_ROWS_MAX);
        return;
    }
    if (reader->count == reader->capacity) {
        size_t capacity = reader->capacity ? 2 * reader->capacity : 1024;
        struct record *records = realloc(reader->records, capacity * sizeof *records);
        if (!records) {
            fail_memory(reader);
            return;
        }
        reader->records = records;
        reader->capacity = capacity;
    }
    reader->records[reader->count++] = record;
}

/* The next row; false at the end or at a fault. */
static bool next_row(struct reader *reader)
{
    const struct csv *csv = &reader->csv;
    enum csv_status status = csv_next(&reader->csv, &reader->row);
    if (status == CSV_FAULT) fail(reader, csv->fault_line, csv->fault_field, "%s", csv->fault);
    return status == CSV_ROW;
}

static bool has_column(const struct csv_row *header, const char *name)
{
    for (size_t at = 0; at < header->count; at++)
        if (csv_equals(header->fields[at], name)) return true;
    return false;
}

static void append_names(const struct layout *layout, char *out, size_t room)
{
    size_t used = 0;
    for (size_t column = 0; column < COLUMN_COUNT; column++) {
        if (!layout->names[column] || layout->optional & 1u << column) continue;
        int added = snprintf(out + used, room - used, "%s%s", used ? ", " : "", layout->names[column]);
        used += (size_t)added;
        assert(used < room);
    }
}

static void fail_missing(struct reader *reader, uint32_t line, const char *what)
{
    char needed[COLUMN_COUNT * 32];
    append_names(reader->layout, needed, sizeof needed);
    fail(reader, line, 0, "%s; needed are %s", what, needed);
}

static void find_column(struct reader *reader, enum column column)
{
    const char *name = reader->layout->names[column];
    reader->at[column] = -1;
    for (size_t at = 0; name && at < reader->row.count; at++) {
        if (!csv_equals(reader->row.fields[at], name)) continue;
        if (reader->at[column] >= 0)
            fail(reader, reader->row.line, at + 1, "column `%s` is there twice; once is allowed", name);
        reader->at[column] = (int)at;
    }
    if (!name || reader->at[column] >= 0 || reader->layout->optional & 1u << column) return;
    char what[64];
    snprintf(what, sizeof what, "column `%s` is missing", name);
    fail_missing(reader, reader->row.line, what);
}

static void read_header(struct reader *reader)
{
    reader->layout = &school_layout;
    if (!next_row(reader)) {
        fail_missing(reader, 1, "the file is empty");
        return;
    }
    if (!has_column(&reader->row, "urn") && has_column(&reader->row, "schools")) reader->layout = &cell_layout;
    reader->field_count = reader->row.count;
    for (int column = 0; column < COLUMN_COUNT; column++) find_column(reader, (enum column)column);
}

static void read_rows(struct reader *reader)
{
    while (!reader->failed && next_row(reader)) {
        if (reader->row.count != reader->field_count)
            fail(reader, reader->row.line, 0, "%zu fields; the header has %zu, and so must every line",
                 reader->row.count, reader->field_count);
        else keep_record(reader, read_record(reader));
    }
    if (reader->count == 0) fail(reader, reader->csv.line, 0, "no rows; at least one is needed below the header");
}

/* What must not be in a file twice: a school's number, or what a cell is made by. */
static uint32_t record_key(const struct record *record)
{
    if (record->urn) return record->urn;
    return ((record->authority * PHASE_COUNT + record->phase) * QUINTILE_COUNT + record->quintile) * 2u + record->rise;
}

struct keyed {
    uint32_t key, line;
};

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

static void fail_twice(struct reader *reader, uint32_t line, const struct keyed *earlier)
{
    if (reader->layout == &school_layout)
        fail(reader, line, (size_t)(reader->at[URN] + 1),
             "`urn` %u is on line %u already; a school may be there only once", earlier->key, earlier->line);
    else
        fail(reader, line, 0,
             "line %u has the same authority, phase, quintile and RISE flag; a cell may be there only once",
             earlier->line);
}

/* Finds the first line that repeats an earlier one. */
static void check_twice(struct reader *reader)
{
    struct keyed *keys = malloc(reader->count * sizeof *keys);
    const struct keyed *repeated = NULL;
    if (!keys) {
        fail_memory(reader);
        return;
    }
    for (size_t at = 0; at < reader->count; at++)
        keys[at] = (struct keyed){record_key(&reader->records[at]), reader->records[at].line};
    qsort(keys, reader->count, sizeof *keys, compare_keyed);
    for (size_t at = 1; at < reader->count; at++)
        if (keys[at].key == keys[at - 1].key && (!repeated || keys[at].line < repeated->line)) repeated = &keys[at];
    if (repeated) fail_twice(reader, repeated->line, repeated - 1);
    free(keys);
}

/* Copies the authorities, ascending by number, and turns numbers into their indexes. */
static void build_authorities(const struct reader *reader, struct population *population, uint16_t *index_of)
{
    uint16_t index = 0;
    for (size_t number = 0; number <= AUTHORITY_MAX; number++) {
        if (reader->seen[number].line == 0) continue;
        population->authorities[index] = reader->seen[number].authority;
        index_of[number] = index++;
    }
}

static void build_row(struct population *population, size_t row, const struct record *record, const uint16_t *index_of)
{
    population->urn[row] = record->urn;
    population->authority[row] = index_of[record->authority];
    population->phase[row] = record->phase;
    population->quintile[row] = record->quintile;
    population->rise[row] = record->rise;
    population->schools[row] = record->schools;
    population->pp50_schools[row] = record->pp50_schools;
    population->pupils[row] = record->pupils;
    population->fte[row] = record->fte;
    population->fsm6[row] = record->fsm6;
    population->ks4[row] = record->ks4;
    population->ks4_fsm6[row] = record->ks4_fsm6;
    population->ks4_disadvantaged[row] = record->ks4_disadvantaged;
}

static bool build_name(struct population *population, size_t row, struct span text)
{
    char name[POPULATION_NAME_BYTES];
    return csv_text(text, name, sizeof name) && population_set_name(population, row, name);
}

static struct population *build(struct reader *reader)
{
    uint16_t index_of[AUTHORITY_MAX + 1] = {0};
    bool named = reader->layout == &school_layout;
    struct population *population = population_new(reader->count, reader->authority_count, named);
    if (!population) goto fail;
    build_authorities(reader, population, index_of);
    for (size_t row = 0; row < reader->count; row++) {
        build_row(population, row, &reader->records[row], index_of);
        if (named && !build_name(population, row, reader->records[row].name)) goto fail;
    }
    return population;
fail:
    population_free(population);
    fail_memory(reader);
    return NULL;
}

static struct population *read_population(struct reader *reader)
{
    read_header(reader);
    if (!reader->failed) read_rows(reader);
    if (!reader->failed) check_twice(reader);
    struct population *population = reader->failed ? NULL : build(reader);
    free(reader->records);
    return population;
}

struct population *population_read(struct span csv, char *why, size_t why_bytes)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        snprintf(why, why_bytes, "0:0: out of memory");
        return NULL;
    }
    reader->why = why;
    reader->why_bytes = why_bytes;
    csv_open(&reader->csv, csv);
    struct population *population = read_population(reader);
    free(reader);
    return population;
}

struct population *population_built_in(void)
{
    char why[256];
    struct population *population = population_read(embed_england_2023(), why, sizeof why);
    if (population || strcmp(why, "0:0: out of memory") == 0) return population;
    fprintf(stderr, "data/england-2023.csv:%s\n", why); /* our own mistake */
    abort();
}
