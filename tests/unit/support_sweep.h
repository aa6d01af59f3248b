/* The smallest sweep there is, for tests that only hand sweeps about. */
#pragma once

#include <goldthread/sweep.h>

/* Of one draw in blocks of one; the caller frees it. */
struct sweep *new_sweep(const char *name);
