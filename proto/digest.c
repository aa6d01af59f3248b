#include "digest.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include <sodium.h>

static_assert(crypto_hash_sha256_BYTES == DIGEST_BYTES, "a digest holds a SHA-256");

static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct digest_state), "it is what is behind the opaque one");
static_assert(alignof(crypto_hash_sha256_state) <= alignof(struct digest_state), "which is aligned for it");

static crypto_hash_sha256_state *hash_of(struct digest_state *state)
{
    return (crypto_hash_sha256_state *)(void *)state->opaque;
}

void digest_start(struct digest_state *state)
{
    crypto_hash_sha256_init(hash_of(state));
}

void digest_add(struct digest_state *state, struct span bytes)
{
    if (bytes.size > 0) crypto_hash_sha256_update(hash_of(state), bytes.data, bytes.size);
}

struct digest digest_end(struct digest_state *state)
{
    struct digest digest;
    crypto_hash_sha256_final(hash_of(state), digest.bytes);
    return digest;
}

struct digest digest_of(struct span bytes)
{
    struct digest digest;
    static const uint8_t nothing[1]; /* an empty span may have no address */
    crypto_hash_sha256(digest.bytes, bytes.size ? bytes.data : nothing, bytes.size);
    return digest;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

bool digest_is_zero(const struct digest *digest)
{
    static const struct digest zero;
    return digest_equal(digest, &zero);
}

void digest_to_hex(const struct digest *digest, char hex[DIGEST_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t at = 0; at < DIGEST_BYTES; at++) {
        hex[2 * at] = digits[digest->bytes[at] >> 4];
        hex[2 * at + 1] = digits[digest->bytes[at] & 15];
    }
    hex[2 * DIGEST_BYTES] = '\0';
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool digest_from_hex(struct digest *digest, const char *hex)
{
    struct digest read;
    for (size_t at = 0; at < DIGEST_BYTES; at++) {
        int high = digit_value(hex[2 * at]);
        if (high < 0) return false; /* also the end of a short text: nothing behind it is looked at */
        int low = digit_value(hex[2 * at + 1]);
        if (low < 0) return false;
        read.bytes[at] = (uint8_t)(high * 16 + low);
    }
    if (hex[2 * DIGEST_BYTES] != '\0') return false;
    *digest = read;
    return true;
}
