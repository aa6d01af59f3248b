#include "progress.h"

#include <stdio.h>
#include <string.h>

#define BAR_CELLS 24

void progress_count(uint64_t number, char *text, size_t text_bytes)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    size_t used = 0;
    for (int at = 0; at < length && used + 2 < text_bytes; at++) {
        if (at > 0 && (length - at) % 3 == 0) text[used++] = ',';
        text[used++] = digits[at];
    }
    text[used] = '\0';
}

static uint64_t done_here(const struct progress *progress)
{
    return progress->done > progress->at_start ? progress->done - progress->at_start : 0;
}

double progress_seconds_left(const struct progress *progress)
{
    uint64_t mine = done_here(progress);
    if (progress->done >= progress->blocks) return 0;
    if (mine == 0 || progress->elapsed_ms == 0) return -1;
    return (double)progress->elapsed_ms / 1000 * (double)(progress->blocks - progress->done) / (double)mine;
}

static double draws_per_second(const struct progress *progress)
{
    if (progress->blocks == 0 || progress->elapsed_ms == 0) return 0;
    double draws_per_block = (double)progress->draws / (double)progress->blocks;
    return draws_per_block * (double)done_here(progress) * 1000 / (double)progress->elapsed_ms;
}

static void draw_bar(const struct progress *progress, char bar[BAR_CELLS + 1])
{
    size_t full = progress->blocks ? (size_t)(BAR_CELLS * ((double)progress->done / (double)progress->blocks)) : 0;
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', full < BAR_CELLS ? full : BAR_CELLS);
    bar[BAR_CELLS] = '\0';
}

void progress_duration(double seconds, char *text, size_t text_bytes)
{
    static const struct {
        double seconds;
        const char *name;
    } units[] = {{365.25 * 86400, "years"}, {86400, "days"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t at = 0;
    while (units[at].seconds > 1 && seconds < 2 * units[at].seconds) at++;
    double count = seconds / units[at].seconds;
    snprintf(text, text_bytes, count < 10 ? "%.2g %s" : "%.0f %s", count, units[at].name);
}

static void describe_left(double seconds, char *text, size_t text_bytes)
{
    if (seconds < 0) snprintf(text, text_bytes, "time left unknown");
    else if (seconds < 100) snprintf(text, text_bytes, "%.0f s left", seconds);
    else if (seconds < 6000) snprintf(text, text_bytes, "%.0f min left", seconds / 60);
    else snprintf(text, text_bytes, "%.1f h left", seconds / 3600);
}

void progress_line(const struct progress *progress, size_t columns, char *text, size_t text_bytes)
{
    char bar[BAR_CELLS + 1], done[32], blocks[32], rate[32], left[40], failed[48] = "";
    draw_bar(progress, bar);
    progress_count(progress->done, done, sizeof done);
    progress_count(progress->blocks, blocks, sizeof blocks);
    progress_count((uint64_t)draws_per_second(progress), rate, sizeof rate);
    describe_left(progress_seconds_left(progress), left, sizeof left);
    if (progress->failed) snprintf(failed, sizeof failed, "  %llu failed", (unsigned long long)progress->failed);
    snprintf(text, text_bytes, "[%s] %s/%s blocks  %s draws/s  %s%s", bar, done, blocks, rate, left, failed);
    if (columns < text_bytes && strlen(text) > columns) text[columns] = '\0';
}
