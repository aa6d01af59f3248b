/* The rollup as a table: order, quoting, numbers. */
#include "table.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "population_codec.h"
#include "support_linear.h"

/* --- numbers --- */

Test(table_number, is_the_shortest_decimal)
{
    const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {10, "10"},
        {100, "100"},
        {0.1, "0.1"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {123456789.125, "123456789.125"},
        {-123456789.125, "-123456789.125"},
        {0.5, "0.5"},
        {1e21, "1e21"},
        {1e22, "1e22"},
        {1e23, "1e23"},
        {9.999999999999999e22, "1e23"},
        {1e16, "10000000000000000"},
        {12345678901234567.0, "12345678901234568"},
        {1e17, "1e17"},
        {123e15, "1.23e17"},
        {0.001, "0.001"},
        {0.000001, "0.000001"},
        {0.0000012345, "0.0000012345"},
        {0.0000001, "1e-7"},
        {1.5e-7, "1.5e-7"},
        {5e-324, "5e-324"},
        {1e-323, "1e-323"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {2.225073858507201e-308, "2.225073858507201e-308"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {9007199254740992.0, "9007199254740992"},
        {9007199254740993.0, "9007199254740992"},
        {9007199254740994.0, "9007199254740994"},
        {2251799813685248.5, "2251799813685248.5"},
        {0x1p-1022, "2.2250738585072014e-308"},
        {9.5367431640625e-07, "9.5367431640625e-7"},
        {5.0e-05, "0.00005"},
        {299792458, "299792458"},
        {NAN, ""},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
        char text[32];
        table_number(rows[at].value, text);
        cr_assert_str_eq(text, rows[at].text, "%a", rows[at].value);
    }
}

static unsigned digits_in(const char *text)
{
    char kept[40];
    size_t count = 0;
    for (; *text && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (count > 0 || *text != '0')) kept[count++] = *text;
    while (count > 0 && kept[count - 1] == '0') count--;
    return (unsigned)count;
}

/* The fewest digits with which printf's correctly rounded decimal reads back. */
static unsigned fewest_digits(double value)
{
    for (int precision = 1;; precision++) {
        char text[40];
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (strtod(text, NULL) == value) return digits_in(text);
    }
}

static void check_number(double value)
{
    char text[32] = "";
    table_number(value, text);
    cr_assert_lt(strlen(text), 32);
    cr_assert_eq(strtod(text, NULL), value, "%a is written %s", value, text);
    cr_assert_leq(digits_in(text), fewest_digits(value), "%a is written %s", value, text);
}

Test(table_number, reads_back_with_no_more_digits_than_needed)
{
    uint64_t state = 1;
    for (int at = 0; at < 200000; at++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t bits = state ^ state >> 29;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) check_number(value);
        check_number((double)(bits >> 40) / 1000);
        check_number((double)(int64_t)bits * 0x1p-50);
    }
    for (int exponent = -1074; exponent < 1024; exponent++) {
        check_number(ldexp(1, exponent));
        check_number(nextafter(ldexp(1, exponent), 0) > 0 ? nextafter(ldexp(1, exponent), 0) : 1);
        check_number(nextafter(ldexp(1, exponent), INFINITY));
    }
    for (int exponent = -323; exponent <= 308; exponent++) check_number(pow(10, exponent));
}

Test(table_number, does_not_follow_the_locale)
{
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8"};
    char text[32];
    for (size_t at = 0; at < sizeof locales / sizeof *locales; at++) setlocale(LC_ALL, locales[at]);
    table_number(1.5, text);
    cr_assert_str_eq(text, "1.5");
    table_number(1.5e-30, text);
    cr_assert_str_eq(text, "1.5e-30");
    setlocale(LC_ALL, "C");
}

/* --- rows --- */

static struct sweep sweep;
static struct population *population;
static struct plan *plan;
static struct node *root;

/* Figure number f gets the values f, f + 1, ..., but every seventh is undefined. */
static void open_table(uint64_t draws, uint32_t levels)
{
    char why[200];
    population = linear_population();
    linear_sweep(&sweep, draws);
    sweep.years = 11;
    sweep.levels = levels;
    sweep.by = SWEEP_BY_PHASE | SWEEP_BY_QUINTILE;
    plan = plan_new(&sweep, population, linear_model(), why, sizeof why);
    cr_assert_not_null(plan, "%s", why);
    root = node_new(&plan->shape);
    root->draws = draws;
    for (size_t figure = 0; figure < plan->shape.figures; figure++) {
        double values[NODE_VALUES_MAX];
        for (size_t at = 0; at < draws; at++) values[at] = figure % 7 == 6 ? NAN : (double)(figure + at);
        cr_assert(node_tally(root, figure, values, draws));
    }
}

static void close_table(void)
{
    node_free(root);
    plan_free(plan);
    population_free(population);
}

#define ALL_LEVELS (1u << AREA_ENGLAND | 1u << AREA_REGION | 1u << AREA_AUTHORITY | 1u << AREA_SCHOOL)

/* What a run over the rows remembers. */
struct seen {
    size_t count, stop_after;
    struct table_row last;
    char last_text[9][160];
};

static const char *const *fields_of(const struct table_row *row)
{
    return &row->scenario; /* the strings of a row stand one behind the other */
}

static bool check_order(void *context, const struct table_row *row)
{
    struct seen *seen = context;
    int order = seen->count == 0 ? -1 : 0;
    for (size_t at = 0; at < 9 && order == 0; at++) order = strcmp(seen->last_text[at], fields_of(row)[at]);
    cr_assert_lt(order, 0, "row %zu: %s %s %s %s", seen->count, row->scenario, row->area_code, row->measure,
                 row->statistic);
    for (size_t at = 0; at < 9; at++) snprintf(seen->last_text[at], 160, "%s", fields_of(row)[at]);
    return ++seen->count != seen->stop_after;
}

Test(table, rows_ascend_by_all_their_names)
{
    struct seen seen = {0};
    open_table(4, ALL_LEVELS);
    cr_assert(table_rows(plan, root, check_order, &seen));
    cr_assert_eq(seen.count, plan->shape.figures * 9, "each figure has six statistics and three quantiles");
    close_table();
}

Test(table, stops_when_told)
{
    struct seen seen = {.stop_after = 17};
    open_table(4, ALL_LEVELS);
    cr_assert_not(table_rows(plan, root, check_order, &seen));
    cr_assert_eq(seen.count, 17);
    close_table();
}

Test(table, root_of_another_plan_is_refused)
{
    struct seen seen = {0};
    open_table(4, ALL_LEVELS);
    struct node *other = node_new(NODE_PLAIN(plan->shape.figures + 1));
    cr_assert_not(table_rows(plan, other, check_order, &seen));
    cr_assert_eq(seen.count, 0);
    node_free(other);
    close_table();
}

/* Rows of one figure: column 0, area 0, the figure `all` of flow. */
struct wanted {
    const char *measure, *year;
    char text[2000];
};

static bool collect(void *context, const struct table_row *row)
{
    struct wanted *wanted = context;
    if (strcmp(row->scenario, "base") || strcmp(row->area_code, "E92000001") || strcmp(row->phase, "all") ||
        strcmp(row->quintile, "all") || strcmp(row->measure, wanted->measure) || strcmp(row->year, wanted->year))
        return true;
    char number[32];
    table_number(row->value, number);
    strcat(strcat(strcat(strcat(wanted->text, row->statistic), "="), number), " ");
    return true;
}

Test(table, statistics_of_many_draws)
{
    struct wanted wanted = {.measure = "flow", .year = "1"};
    open_table(4, 1u << AREA_ENGLAND); /* figure 0: values 0 to 3 */
    cr_assert(table_rows(plan, root, collect, &wanted));
    cr_assert_str_eq(wanted.text, "max=3 mcse=0.6454972243679028 mean=1.5 min=0 n=4 p025=0 p05=0 p50=1 "
                                  "sd=1.2909944487358056 ");
    close_table();
}

Test(table, undefined_statistics_are_empty_and_n_is_zero)
{
    struct wanted wanted = {.measure = "flow", .year = "7"};
    open_table(4, 1u << AREA_ENGLAND); /* figure 6: never defined */
    cr_assert(table_rows(plan, root, collect, &wanted));
    cr_assert_str_eq(wanted.text, "max= mcse= mean= min= n=0 p025= p05= p50= sd= ");
    close_table();
}

Test(table, single_draw_has_only_its_value)
{
    struct wanted wanted = {.measure = "flow", .year = "3"}, undefined = {.measure = "flow", .year = "7"};
    open_table(1, 1u << AREA_ENGLAND);
    cr_assert(table_rows(plan, root, collect, &wanted));
    cr_assert(table_rows(plan, root, collect, &undefined));
    cr_assert_str_eq(wanted.text, "value=2 ");
    cr_assert_str_eq(undefined.text, "value= ");
    close_table();
}

Test(table, quantiles_are_named_by_at_least_two_digits)
{
    static const double shares[] = {1e-9, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.999};
    struct wanted wanted = {.measure = "flow", .year = "1"};
    open_table(1, 1u << AREA_ENGLAND);
    sweep.draws = 2;
    sweep.quantile_count = sizeof shares / sizeof *shares;
    memcpy(sweep.quantiles, shares, sizeof shares);
    cr_assert(table_rows(plan, root, collect, &wanted));
    cr_assert_str_eq(wanted.text, "max=0 mcse= mean=0 min=0 n=1 p025=0 p05=0 p10=0 p1e-9=0 p25=0 p50=0 p75=0 p90=0 "
                                  "p975=0 p999=0 sd= ");
    close_table();
}

/* --- CSV --- */

/* Splits a line into fields by the rules of RFC 4180. */
static size_t split(char *line, char **fields, size_t most)
{
    size_t count = 0;
    char *to = line;
    for (bool more = true; more && count < most; count++) {
        bool quoted = *line == '"';
        line += quoted;
        fields[count] = to;
        while (quoted ? *line != '"' || line[1] == '"' : *line && *line != ',') {
            line += quoted && *line == '"';
            *to++ = *line++;
        }
        line += quoted;
        more = *line == ',';
        line++;
        *to++ = '\0';
    }
    return count;
}

/* Reads the CSV along with the rows. */
struct reader {
    char *at;
    size_t count;
};

static bool compare_row(void *context, const struct table_row *row)
{
    struct reader *reader = context;
    char *end = strchr(reader->at, '\n'), *fields[11], number[32];
    cr_assert_not_null(end);
    *end = '\0';
    cr_assert_eq(split(reader->at, fields, 11), 10, "row %zu", reader->count);
    for (size_t at = 0; at < 9; at++) cr_assert_str_eq(fields[at], fields_of(row)[at], "row %zu", reader->count);
    table_number(row->value, number);
    cr_assert_str_eq(fields[9], number, "row %zu", reader->count);
    reader->at = end + 1;
    reader->count++;
    return true;
}

Test(table, csv_reads_back_to_the_rows)
{
    struct buffer csv = {0};
    open_table(4, ALL_LEVELS);
    cr_assert(table_csv(plan, root, &csv));
    buffer_append(&csv, "", 1);
    cr_assert_eq(strncmp((char *)csv.data, TABLE_HEADER, strlen(TABLE_HEADER)), 0);
    struct reader reader = {.at = (char *)csv.data + strlen(TABLE_HEADER)};
    cr_assert(table_rows(plan, root, compare_row, &reader));
    cr_assert_eq(*reader.at, '\0', "nothing is left over");
    buffer_free(&csv);
    close_table();
}

Test(table, csv_quotes_names_with_commas_and_quotes)
{
    struct buffer csv = {0};
    open_table(1, 1u << AREA_AUTHORITY);
    cr_assert(table_csv(plan, root, &csv));
    buffer_append(&csv, "", 1);
    cr_assert(
        strstr((char *)csv.data, "\n\"priced, high\",301,\"Barking, and \"\"Dagenham\"\"\",all,0,1,flow,hours,value,"));
    cr_assert(strstr((char *)csv.data, "\nbase,202,Camden,all,1,all,ratio,\"hours, per GBP\",value,"));
    cr_assert(strstr((char *)csv.data, "\n\"priced, high - base\",805,Hartlepool,secondary,all,1,"));
    buffer_free(&csv);
    close_table();
}
