#include "headline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "registry.h"
#include "words.h"

#define CELL_BYTES 160
#define COLUMNS    3 /* the baseline, a scenario, their difference */

/* A line of the table: a measure, how people call it, and in which unit. */
struct line {
    const char *measure, *title;
    double scale; /* the figure is divided by this */
    int decimals;
    bool share; /* of draws: the mean says it all */
};

static const struct line lines[] = {
    {"starts", "teachers starting, thousands", 1e3, 1, false},
    {"reach_pct", "teachers reached, %", 1, 1, false},
    {"cost_gbp", "cost, GBP million", 1e6, 1, false},
    {"leavers_fte", "teachers leaving, thousands FTE", 1e3, 2, false},
    {"kept_fte", "teachers kept, FTE", 1, 0, false},
    {"shortage_fte", "teacher shortage, sum of years, FTE", 1, 0, false},
    {"ks4_gain_sd", "pupils' gain at 16, last year, SD", 1, 5, false},
    {"gap_closing_months", "gap closed, last year, months", 1, 3, false},
    {"pv_cost_gbp", "cost, present value, GBP million", 1e6, 1, false},
    {"pv_earnings_gbp", "lifetime earnings, GBP million", 1e6, 1, false},
    {"pv_tax_gbp", "tax on them, GBP million", 1e6, 1, false},
    {"pv_saving_gbp", "replacement cost saved, GBP million", 1e6, 2, false},
    {"bcr", "earnings for each GBP spent", 1, 2, false},
    {"exchequer_ratio", "tax and savings for each GBP spent", 1, 2, false},
    {"payback_year", "year in which it has paid for itself", 1, 1, false},
    {"payback_never_pct", "chance that it never does, %", 1, 1, true},
    {"break_even_effect_sd", "effect that breaks even, SD", 1, 4, false},
    {"epi_cost_gbp", "EPI: cost, GBP million", 1e6, 0, false},
    {"epi_benefit_gbp", "EPI: benefit, GBP million", 1e6, 0, false},
    {"epi_net_gbp", "EPI: net benefit, GBP million", 1e6, 0, false},
    {"epi_ratio", "EPI: benefit for each GBP spent", 1, 2, false},
    {"epi_kept_fte", "EPI: teachers kept a year, FTE", 1, 0, false},
    {"frontier_pv_gbp", "Frontier: earnings, GBP million", 1e6, 0, false},
    {"frontier_tax_gbp", "Frontier: tax on them, GBP million", 1e6, 0, false},
};

#define LINES       (sizeof lines / sizeof *lines)
#define TITLE_BYTES 72 /* of a measure's name and unit */
#define AS_IT_IS    (-1)

/* The lines that a table has: those above, or for a model from a file the measures that it names itself. */
struct lines {
    struct line list[LINES];
    char titles[LINES][TITLE_BYTES];
    size_t count;
};

/* A block of the table as text, so that columns can be as wide as what they hold. */
struct block {
    char head[COLUMNS][PLAN_COLUMN_NAME_BYTES];
    char cells[LINES][COLUMNS][CELL_BYTES];
    bool shown[LINES];
    size_t columns[COLUMNS]; /* of the plan */
    size_t count;
    const struct lines *lines;
};

static int find_england(const struct plan *plan)
{
    for (size_t at = 0; at < plan->area_count; at++) {
        const struct area *area = &plan->areas[at];
        if (area->level == AREA_ENGLAND && area->phase == AREA_ALL && area->quintile == AREA_ALL) return (int)at;
    }
    return -1;
}

/* The kept figure of a measure for all years, or -1. */
static int find_figure(const struct plan *plan, const char *measure)
{
    for (size_t kept = 0; kept < plan->kept_count; kept++) {
        const struct model_figure *figure = &plan->figures[plan->kept[kept]];
        if (figure->year == MODEL_YEAR_ALL && strcmp(plan->model->measures[figure->measure].name, measure) == 0)
            return (int)kept;
    }
    return -1;
}

static void format_value(const struct line *line, double value, char *text, size_t text_bytes)
{
    if (isnan(value)) {
        snprintf(text, text_bytes, "-");
        return;
    }
    if (line->decimals == AS_IT_IS) snprintf(text, text_bytes, "%.6g", value);
    else snprintf(text, text_bytes, "%.*f", line->decimals, value / line->scale);
    bool says_nothing = text[0] == '-' && strspn(text + 1, "0.") == strlen(text + 1);
    if (says_nothing) memmove(text, text + 1, strlen(text)); /* "-0.0" */
}

/* The mean, with the range of most draws unless it reads the same. */
static void format_cell(const struct line *line, const struct node *root, const struct tally *tally, char *text)
{
    char mean[48], low[48], high[48];
    format_value(line, tally->count ? tally->mean : NAN, mean, sizeof mean);
    format_value(line, tally_quantile(root, tally, 0.05), low, sizeof low);
    format_value(line, tally_quantile(root, tally, 0.95), high, sizeof high);
    bool one_value = line->share || (strcmp(low, mean) == 0 && strcmp(high, mean) == 0);
    snprintf(text, CELL_BYTES, one_value ? "%s" : "%s (%s to %s)", mean, low, high);
}

static bool says_something(const struct tally *tally)
{
    return tally->count > 0 && (tally->min != 0 || tally->max != 0);
}

/* Measures that the sweep does not have, or that are zero or undefined all along, are left out. */
static void fill_line(struct block *block, size_t at, const struct plan *plan, const struct node *root, int england)
{
    const struct line *line = &block->lines->list[at];
    int kept = find_figure(plan, line->measure);
    for (size_t column = 0; kept >= 0 && column < block->count; column++) {
        size_t figure = plan_figure(plan, block->columns[column], (size_t)england, (size_t)kept);
        block->shown[at] |= says_something(&root->tallies[figure]);
        format_cell(line, root, &root->tallies[figure], block->cells[at][column]);
    }
}

static size_t width_of(const struct block *block, size_t column)
{
    size_t width = strlen(block->head[column]);
    for (size_t at = 0; at < block->lines->count; at++) {
        size_t size = block->shown[at] ? strlen(block->cells[at][column]) : 0;
        if (size > width) width = size;
    }
    return width;
}

static void print_line(const char *title, const char *cells, size_t cell_bytes, const size_t *widths, size_t count,
                       struct buffer *out)
{
    word_print(out, "  %-36s", title);
    for (size_t column = 0; column < count; column++)
        word_print(out, "  %*s", (int)widths[column], cells + column * cell_bytes);
    word_print(out, "\n");
}

static void print_block(const struct block *block, struct buffer *out)
{
    size_t widths[COLUMNS] = {0};
    for (size_t column = 0; column < block->count; column++) widths[column] = width_of(block, column);
    print_line("", block->head[0], sizeof block->head[0], widths, block->count, out);
    for (size_t at = 0; at < block->lines->count; at++)
        if (block->shown[at])
            print_line(block->lines->list[at].title, block->cells[at][0], CELL_BYTES, widths, block->count, out);
}

/* The baseline, a scenario, and their difference; the baseline alone when there is nothing else. */
static void write_block(const struct plan *plan, const struct node *root, const struct lines *shown, int england,
                        size_t scenario, struct buffer *out)
{
    struct block block = {.columns = {0, scenario, plan->sweep->scenario_count + scenario - 1},
                          .count = scenario ? COLUMNS : 1,
                          .lines = shown};
    for (size_t column = 0; column < block.count; column++)
        plan_column_name(plan, block.columns[column], block.head[column], sizeof block.head[column]);
    if (block.count == COLUMNS) snprintf(block.head[2], sizeof block.head[2], "difference");
    for (size_t at = 0; at < shown->count; at++) fill_line(&block, at, plan, root, england);
    print_block(&block, out);
}

static void choose_lines(const struct model *model, struct lines *chosen)
{
    chosen->count = LINES;
    memcpy(chosen->list, lines, sizeof lines);
    if (!model_is_file(model->name)) return;
    chosen->count = model->measure_count < LINES ? model->measure_count : LINES;
    for (size_t at = 0; at < chosen->count; at++) {
        const struct model_measure *measure = &model->measures[at];
        snprintf(chosen->titles[at], TITLE_BYTES, "%s%s%s", measure->name, measure->unit[0] ? ", " : "", measure->unit);
        chosen->list[at] = (struct line){measure->name, chosen->titles[at], 1, AS_IT_IS, false};
    }
}

void headline_write(const struct plan *plan, const struct node *root, struct buffer *out)
{
    int england = find_england(plan);
    if (england < 0) return;
    struct lines chosen;
    choose_lines(plan->model, &chosen);
    word_print(out, "England, %u years from %u/%02u%s\n", plan->sweep->years, plan->sweep->first_year / 100,
               plan->sweep->first_year % 100,
               root->draws == 1 ? "" : ": mean (5 % to 95 % of draws, where they differ)");
    if (plan->sweep->scenario_count == 1) write_block(plan, root, &chosen, england, 0, out);
    for (size_t scenario = 1; scenario < plan->sweep->scenario_count; scenario++) {
        if (scenario > 1) word_print(out, "\n");
        write_block(plan, root, &chosen, england, scenario, out);
    }
}
