/* Any bytes as a school file: refused with a place and a reason, or a population that a broker would take. */
#include <stdio.h>
#include <string.h>

#include "population.h"
#include "targets.h"

int FUZZ_TARGET(schools)(const uint8_t *data, size_t size)
{
    struct buffer bytes = {0};
    char why[512] = "";
    unsigned line, column;
    struct population *population = population_read((struct span){data, size}, why, sizeof why), *again;
    if (population != NULL) {
        const char *reason = NULL;
        population_encode(population, &bytes);
        again = population_decode(buffer_span(&bytes), &reason);
        fuzz_require(!bytes.failed && again != NULL);
        population_free(again);
    } else {
        fuzz_require(sscanf(why, "%u:%u: ", &line, &column) == 2 && strchr(why, '\n') == NULL);
    }
    population_free(population);
    buffer_free(&bytes);
    return 0;
}
