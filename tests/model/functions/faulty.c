/* y = x, and something goes wrong where x is above `from`: what, is `fault`. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "function.h"

enum fault { NOTHING, CRASH, ABORT, LOOP, UNDEFINED, FAILURE, STALL, GATE };

static const struct parameter parameters[] = {
    UNIT("x"),
    {.name = "fault",
     .symbol = "",
     .unit = "",
     .central = NOTHING,
     .low = NAN,
     .high = NAN,
     .lower = NOTHING,
     .upper = GATE,
     .choices = "nothing|crash|abort|loop|undefined|failure|stall|gate",
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

/* On a machine where nothing ends, at no cost: its processes are told which file to write as a sign of it. */
static void stall(void)
{
    const char *sign = getenv("GOLDTHREAD_STALLS");
    if (!sign) return;
    close(open(sign, O_WRONLY | O_CREAT, 0600));
    for (;;) pause();
}

/* Until the file that GOLDTHREAD_GATE names is there: a test says when this draw may end, and with it the sweep. */
static void wait_at_gate(void)
{
    const char *gate = getenv("GOLDTHREAD_GATE");
    while (gate && access(gate, F_OK) != 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static bool evaluate(const double *x, double *y)
{
    volatile bool always = true;
    *y = x[0];
    if (!(x[0] > x[2])) return true;
    if (x[1] == CRASH) raise(SIGSEGV);
    if (x[1] == ABORT) abort();
    while (x[1] == LOOP && always) continue;
    if (x[1] == STALL) stall();
    if (x[1] == GATE) wait_at_gate();
    if (x[1] == UNDEFINED) *y = NAN;
    return x[1] != FAILURE;
}

const struct function function = {
    "faulty", "1", "what goes wrong when it is told to", parameters, DIMENSION(parameters), evaluate};
