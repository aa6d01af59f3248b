/* A SHA-256 digest: the name of a sweep, a population or a rollup. */
#pragma once

#include <stdint.h>

#define DIGEST_BYTES 32

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};
