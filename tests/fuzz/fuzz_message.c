/* Any bytes: refused with a reason, or a message whose encoding is those very bytes. */
#include <string.h>

#include "targets.h"

int FUZZ_TARGET(message)(const uint8_t *data, size_t size)
{
    static struct message message;
    struct buffer again = {0};
    const char *why = NULL;
    if (message_decode((struct span){data, size}, &message, &why)) {
        message_encode(&message, &again);
        fuzz_require(!again.failed && again.size == size && memcmp(again.data, data, size) == 0);
        fuzz_require(strcmp(message_kind_name(message.kind), "?") != 0);
    } else {
        fuzz_require(why != NULL && why[0] != 0);
    }
    buffer_free(&again);
    return 0;
}
