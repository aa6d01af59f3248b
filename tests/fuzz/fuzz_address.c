/* Any text as an endpoint and as the address of a page: refused with one line, and what is not clearly of this machine
 * is refused without keys, or without being told to be public. */
#include <stdio.h>
#include <string.h>

#include "net/http.h"
#include "net/socket.h"
#include "targets.h"

int FUZZ_TARGET(address)(const uint8_t *data, size_t size)
{
    char text[400], why[256] = "";
    snprintf(text, sizeof text, "%.*s", (int)(size < sizeof text ? size : sizeof text), (const char *)data);
    const char *without = endpoint_refusal(text, false);
    if (without != NULL) {
        fuzz_require(without[0] != 0 && strchr(without, '\n') == NULL);
    } else {
        fuzz_require(endpoint_is_private(text) && endpoint_refusal(text, true) == NULL);
        fuzz_require(strncmp(text, "tcp://", 6) == 0 || strncmp(text, "ipc://", 6) == 0);
    }
    const bool page = http_check_address(text, true, why, sizeof why);
    fuzz_require(page || why[0] != 0);
    if (!http_check_address(text, false, why, sizeof why)) return 0;
    fuzz_require(page);
    fuzz_require(strncmp(text, "127.", 4) == 0 || strncmp(text, "localhost:", 10) == 0 || text[0] == '[');
    return 0;
}
