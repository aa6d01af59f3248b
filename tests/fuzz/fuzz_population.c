/* Any bytes: refused with a reason, or a population whose encoding is those very bytes. */
#include <string.h>

#include "population_codec.h"
#include "targets.h"

int FUZZ_TARGET(population)(const uint8_t *data, size_t size)
{
    struct buffer again = {0};
    const char *why = NULL;
    struct population *population = population_decode((struct span){data, size}, &why);
    if (population != NULL) {
        population_encode(population, &again);
        fuzz_require(!again.failed && again.size == size && memcmp(again.data, data, size) == 0);
    } else {
        fuzz_require(why != NULL && why[0] != 0);
    }
    population_free(population);
    buffer_free(&again);
    return 0;
}
