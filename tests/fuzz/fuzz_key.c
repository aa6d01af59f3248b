/* Any bytes as a key file, of which the first bit says whether it is to be a secret one: refused with one line and
 * nothing left of it, or a key that is the same when it is written and read again. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/curve.h"
#include "targets.h"

static void require_same(const struct key *key, bool secret)
{
    char path[600], why[KEY_WHY_BYTES] = "";
    struct key again;
    fuzz_empty_folder();
    snprintf(path, sizeof path, "%s/key", fuzz_folder());
    fuzz_require(key_write(path, secret, key, why, sizeof why));
    fuzz_require(key_read(path, secret, &again, why, sizeof why));
    fuzz_require(memcmp(&again, key, sizeof again) == 0);
    fuzz_require(!key_write(path, secret, key, why, sizeof why)); /* never over another one */
}

int FUZZ_TARGET(key)(const uint8_t *data, size_t size)
{
    static const struct key none;
    char path[64], why[KEY_WHY_BYTES] = "";
    struct key key;
    if (size == 0) return 0;
    const bool secret = data[0] & 1;
    const int fd = memfd_create("key", MFD_CLOEXEC);
    fuzz_require(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (key_read(path, secret, &key, why, sizeof why)) {
        fuzz_require(key.role != KEY_NONE && key_name_is_sound(key.name));
        fuzz_require(strlen(key.public_text) == KEY_TEXT_BYTES - 1);
        fuzz_require(strlen(key.secret_text) == (secret ? KEY_TEXT_BYTES - 1 : 0));
        require_same(&key, secret);
    } else {
        fuzz_require(why[0] != 0 && strchr(why, '\n') == NULL);
        fuzz_require(memcmp(&key, &none, sizeof key) == 0);
    }
    close(fd);
    return 0;
}
