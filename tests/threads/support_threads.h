/* What the thread programs share. They are plain programs, since Criterion 2.4.1 cannot start under the
 * thread sanitizer; they end with 0, or say what does not hold and end with 1. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 600000 /* for something that must happen */

#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
