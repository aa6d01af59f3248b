/* Any bytes as the manifest of a results folder: refused with a reason, or names that lead nowhere else. */
#include <string.h>

#include "manifest.h"
#include "targets.h"

int FUZZ_TARGET(manifest)(const uint8_t *data, size_t size)
{
    static struct manifest_read manifest;
    char why[512] = "";
    if (manifest_parse((struct span){data, size}, &manifest, why, sizeof why)) {
        fuzz_require(manifest.file_count <= MANIFEST_FILES_MAX);
        for (size_t at = 0; at < manifest.file_count; at++) {
            const char *name = manifest.files[at].name;
            fuzz_require(strnlen(name, MANIFEST_NAME_BYTES) < MANIFEST_NAME_BYTES && strchr(name, '/') == NULL);
        }
    } else {
        fuzz_require(why[0] != 0 && strchr(why, '\n') == NULL);
    }
    return 0;
}
