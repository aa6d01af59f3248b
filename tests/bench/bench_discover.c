/* How long discovery takes: draws in 30 parameters, of which three decide, blurred. Prints seconds of the processor and
 * bytes.
 *
 *   bench_discover [DRAWS]         2^20 unless it is said */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "philox.h"
#include "prim.h"

#define DIMENSIONS 30u

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static bool count_box(void *context, const struct prim_box *box)
{
    uint32_t *counts = context;
    counts[0]++;
    counts[1] += box->chosen;
    return true;
}

static void fill(uint16_t *cells, uint8_t *flags, size_t count)
{
    for (uint32_t dimension = 0; dimension < DIMENSIONS; dimension++)
        for (size_t at = 0; at < count; at++)
            cells[dimension * count + at] = (uint16_t)(philox_unit(1, dimension, at) * PRIM_CELLS_MAX);
    for (size_t at = 0; at < count; at++) {
        bool corner = cells[at] < 2000 && cells[count + at] > 1500 && cells[7 * count + at] < 3000;
        bool yes = philox_unit(2, 0, at) < (corner ? 0.9 : 0.05);
        flags[at] = (uint8_t)((yes ? PRIM_YES : 0) | (prim_judges(at) ? PRIM_JUDGE : 0));
    }
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : (size_t)1 << 20;
    uint16_t *cells = calloc(DIMENSIONS * count + 1, sizeof *cells);
    uint8_t *flags = calloc(count + 1, 1);
    struct prim *prim = prim_new(count, DIMENSIONS);
    if (!cells || !flags || !prim) return EXIT_FAILURE;
    fill(cells, flags, count);
    struct prim_draws draws = {.count = count, .dimensions = DIMENSIONS, .cells = cells, .flags = flags};
    for (uint32_t at = 0; at < DIMENSIONS; at++) draws.cell_count[at] = PRIM_CELLS_MAX;
    uint32_t counts[2] = {0};
    struct rusage usage;
    double start = now();
    prim_find(prim, &draws, count_box, counts);
    double seconds = now() - start;
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu draws, %u parameters: %.2f s of the processor, %u boxes on the way, %u chosen, peak %ld MiB\n", count,
           DIMENSIONS, seconds, counts[0], counts[1], usage.ru_maxrss >> 10);
    prim_free(prim);
    free(cells);
    free(flags);
    return EXIT_SUCCESS;
}
