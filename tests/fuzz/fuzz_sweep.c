/* Any bytes: refused with a reason, or a sweep whose encoding is those very bytes. */
#include <string.h>

#include "digest.h"
#include "sweep_codec.h"
#include "targets.h"

int FUZZ_TARGET(sweep)(const uint8_t *data, size_t size)
{
    static struct sweep sweep;
    struct buffer again = {0};
    const char *why = NULL;
    if (sweep_decode((struct span){data, size}, &sweep, &why)) {
        const struct digest identity = sweep_identity(&sweep), actual = digest_of((struct span){data, size});
        sweep_encode(&sweep, &again);
        fuzz_require(!again.failed && again.size == size && memcmp(again.data, data, size) == 0);
        fuzz_require(digest_equal(&identity, &actual));
        fuzz_require(sweep_block_count(&sweep) >= 1 && sweep_block_count(&sweep) <= MESSAGE_BLOCKS_MAX);
    } else {
        fuzz_require(why != NULL && why[0] != 0);
    }
    buffer_free(&again);
    return 0;
}
