/* Progress as people see it: one line of text from a few numbers. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct progress {
    uint64_t blocks, done, failed, draws;
    uint64_t at_start;   /* blocks that were there before this run */
    uint64_t elapsed_ms; /* since this run began */
};

/* "[########........] 12/24 blocks  1,234 draws/s  12 s left"; text of at most `columns` characters. */
void progress_line(const struct progress *progress, size_t columns, char *text, size_t text_bytes);

/* Seconds that are left at this run's own pace; -1 when it cannot be said yet. */
double progress_seconds_left(const struct progress *progress);

/* "12 s", "2.5 min", "3.4 h", "5.6 days" or "7.8 years". seconds: at least 0. */
void progress_duration(double seconds, char *text, size_t text_bytes);

/* 1234567 as "1,234,567". */
void progress_count(uint64_t number, char *text, size_t text_bytes);
