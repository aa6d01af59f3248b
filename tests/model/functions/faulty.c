/* y = x, and something goes wrong where x is above `from`: what, is `fault`. */
#include <signal.h>
#include <stdlib.h>

#include "function.h"

enum fault { NOTHING, CRASH, ABORT, LOOP, UNDEFINED, FAILURE };

static const struct parameter parameters[] = {
    UNIT("x"),
    {.name = "fault",
     .symbol = "",
     .unit = "",
     .central = NOTHING,
     .low = NAN,
     .high = NAN,
     .lower = NOTHING,
     .upper = FAILURE,
     .choices = "nothing|crash|abort|loop|undefined|failure",
     .source = "",
     .meaning = "what goes wrong"},
    {.name = "from",
     .symbol = "",
     .unit = "",
     .central = 1,
     .low = NAN,
     .high = NAN,
     .lower = 0,
     .upper = 1,
     .source = "",
     .meaning = "it goes wrong above this x"},
};

static bool evaluate(const double *x, double *y)
{
    volatile bool always = true;
    *y = x[0];
    if (!(x[0] > x[2])) return true;
    if (x[1] == CRASH) raise(SIGSEGV);
    if (x[1] == ABORT) abort();
    while (x[1] == LOOP && always) continue;
    if (x[1] == UNDEFINED) *y = NAN;
    return x[1] != FAILURE;
}

const struct function function = {
    "faulty", "1", "what goes wrong when it is told to", parameters, DIMENSION(parameters), evaluate};
