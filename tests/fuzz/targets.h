/* Every fuzz target, in a build that is not for fuzzing: what tests/fuzz/test_corpus.c replays. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "support_fuzz.h"

#define FUZZ_TARGETS(each)                                                                                             \
    each(address) each(aggregator) each(broker) each(csv) each(cursor) each(flags) each(journal) each(key)             \
        each(manifest) each(message) each(node) each(population) each(rows) each(scenario) each(schools) each(session) \
            each(store) each(sweep)

#ifdef GOLDTHREAD_FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
#else
#define DECLARE(name) int fuzz_##name(const uint8_t *data, size_t size);
FUZZ_TARGETS(DECLARE)
#undef DECLARE
#endif
