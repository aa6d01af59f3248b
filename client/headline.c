#include "headline.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COLUMN_WIDTH 28

/* A line of the table: a measure, how people call it, and in which unit. */
struct line {
    const char *measure, *title;
    double scale; /* the figure is divided by this */
    int decimals;
};

static const struct line lines[] = {
    {"starts", "teachers starting, thousands", 1e3, 1},
    {"reach_pct", "teachers reached, %", 1, 1},
    {"cost_gbp", "cost, GBP million", 1e6, 1},
    {"leavers_fte", "teachers leaving, thousands FTE", 1e3, 2},
    {"kept_fte", "teachers kept, FTE", 1, 0},
    {"shortage_fte", "teacher shortage, summed over years, FTE", 1, 0},
    {"ks4_gain_sd", "pupils' gain at 16 in the last year, SD", 1, 5},
    {"gap_closing_months", "gap closed in the last year, months", 1, 3},
    {"pv_cost_gbp", "cost, present value, GBP million", 1e6, 1},
    {"pv_earnings_gbp", "pupils' lifetime earnings, GBP million", 1e6, 1},
    {"pv_tax_gbp", "tax on them, GBP million", 1e6, 1},
    {"pv_saving_gbp", "replacement cost saved, GBP million", 1e6, 2},
    {"bcr", "earnings for each GBP spent", 1, 2},
    {"exchequer_ratio", "tax and savings for each GBP spent", 1, 2},
    {"payback_year", "year in which it has paid for itself", 1, 1},
};

static void __attribute__((format(printf, 2, 3))) print(struct buffer *out, const char *format, ...)
{
    char text[512];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (size > 0) buffer_append(out, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

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
    snprintf(text, text_bytes, "%.*f", line->decimals, value / line->scale);
    bool says_nothing = text[0] == '-' && strspn(text + 1, "0.") == strlen(text + 1);
    if (says_nothing) memmove(text, text + 1, strlen(text)); /* "-0.0" */
}

static void format_cell(const struct line *line, const struct node *root, const struct tally *tally, char *text,
                        size_t text_bytes)
{
    char mean[48], low[48], high[48];
    format_value(line, tally->count ? tally->mean : NAN, mean, sizeof mean);
    if (root->draws == 1 || tally->count == 0) {
        snprintf(text, text_bytes, "%s", mean);
        return;
    }
    format_value(line, tally_quantile(root, tally, 0.05), low, sizeof low);
    format_value(line, tally_quantile(root, tally, 0.95), high, sizeof high);
    snprintf(text, text_bytes, "%s (%s to %s)", mean, low, high);
}

/* One line: the figure in the three columns of a block. */
static void write_line(const struct plan *plan, const struct node *root, int england, const struct line *line,
                       const size_t columns[3], size_t count, struct buffer *out)
{
    int kept = find_figure(plan, line->measure);
    if (kept < 0) return;
    print(out, "  %-42s", line->title);
    for (size_t at = 0; at < count; at++) {
        char cell[160];
        size_t figure = plan_figure(plan, columns[at], (size_t)england, (size_t)kept);
        format_cell(line, root, &root->tallies[figure], cell, sizeof cell);
        print(out, "  %*s", COLUMN_WIDTH, cell);
    }
    print(out, "\n");
}

/* The baseline, a scenario, and their difference; the baseline alone when there is nothing else. */
static void write_block(const struct plan *plan, const struct node *root, int england, size_t scenario,
                        struct buffer *out)
{
    size_t scenarios = plan->sweep->scenario_count;
    size_t columns[3] = {0, scenario, scenarios + scenario - 1}, count = scenario ? 3 : 1;
    print(out, "  %-42s", "");
    for (size_t at = 0; at < count; at++) {
        char name[2 * SWEEP_NAME_BYTES + 4];
        plan_column_name(plan, columns[at], name, sizeof name);
        print(out, "  %*s", COLUMN_WIDTH, at == 2 ? "difference" : name);
    }
    print(out, "\n");
    for (size_t at = 0; at < sizeof lines / sizeof *lines; at++)
        write_line(plan, root, england, &lines[at], columns, count, out);
}

void headline_write(const struct plan *plan, const struct node *root, struct buffer *out)
{
    int england = find_england(plan);
    if (england < 0) return;
    print(out, "England, %u years from %u/%02u%s\n", plan->sweep->years, plan->sweep->first_year / 100,
          plan->sweep->first_year % 100, root->draws == 1 ? "" : ": mean (5 % to 95 % of draws)");
    if (plan->sweep->scenario_count == 1) write_block(plan, root, england, 0, out);
    for (size_t scenario = 1; scenario < plan->sweep->scenario_count; scenario++)
        write_block(plan, root, england, scenario, out);
}
