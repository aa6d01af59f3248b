/* Skipping a test so that it is seen: Criterion alone says nothing of a skipped test. ops/test counts and
 * shows these lines. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>

#define skip_visibly(reason)                                                                                           \
    do {                                                                                                               \
        fprintf(stderr, "SKIPPED: %s\n", reason);                                                                      \
        cr_skip_test("%s", reason);                                                                                    \
    } while (0)
