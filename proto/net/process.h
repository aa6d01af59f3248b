/* What every server's shell shares: clock, log, stopping. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

uint64_t clock_ms(void); /* monotonic */
uint64_t clock_us(void); /* monotonic */

/* Ends the program when its parent does, even by SIGKILL. False: the parent is gone already. */
bool process_follow_parent(int parent_pid);

/* Blocks SIGINT, SIGTERM and, unless it is ignored, SIGHUP, and makes a descriptor that can be read once one arrives;
 * -1 on failure. A write that cannot be done is an error of the write from then on, and not the silent end of the
 * program. Call before any thread starts. */
int process_stop_fd(void);

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
void log_open(const char *program, enum log_level most);

/* One line on stderr: UTC time, level, program, event id, then key=value pairs from the format. */
void log_event(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));
