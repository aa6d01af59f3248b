/* How often something happens, lately. Pure: time is passed in (monotonic milliseconds). Events are counted
 * in windows; the rate is that of the last whole window's length, taken as evenly spread. */
#pragma once

#include <stdint.h>

#define METER_WINDOW_MS 30000u

struct meter {                  /* zero-initialised: nothing happened */
    uint64_t began_ms;          /* of the window that is being counted; 0: never */
    uint64_t counted, previous; /* in it, in the one before */
};

/* Moves on to the window that now_ms is in. */
static inline void meter_advance(struct meter *meter, uint64_t now_ms)
{
    const uint64_t windows = (now_ms - meter->began_ms) / METER_WINDOW_MS;
    if (windows == 0) return;
    meter->previous = windows == 1 ? meter->counted : 0;
    meter->counted = 0;
    meter->began_ms += windows * METER_WINDOW_MS;
}

static inline void meter_add(struct meter *meter, uint64_t count, uint64_t now_ms)
{
    if (meter->began_ms == 0) meter->began_ms = now_ms;
    meter_advance(meter, now_ms);
    meter->counted += count;
}

/* Per second. While the first window is being counted, too small rather than too large. */
static inline double meter_rate(struct meter meter, uint64_t now_ms)
{
    if (meter.began_ms == 0) return 0;
    meter_advance(&meter, now_ms);
    const double share = (double)(now_ms - meter.began_ms) / METER_WINDOW_MS;
    return ((double)meter.previous * (1 - share) + (double)meter.counted) * 1000 / METER_WINDOW_MS;
}
