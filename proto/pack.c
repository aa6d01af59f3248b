#include "pack.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include <msgpack/pack.h>

#include "utf8.h"

static int append(void *buffer, const char *data, size_t size)
{
    buffer_append(buffer, data, size);
    return 0; /* the buffer remembers a failure */
}

static msgpack_packer packer_into(struct buffer *buffer)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, buffer, append);
    return packer;
}

void pack_array(struct buffer *buffer, size_t count)
{
    assert(count <= UINT32_MAX);
    msgpack_packer packer = packer_into(buffer);
    msgpack_pack_array(&packer, count);
}

void pack_uint(struct buffer *buffer, uint64_t value)
{
    msgpack_packer packer = packer_into(buffer);
    msgpack_pack_uint64(&packer, value);
}

void pack_int(struct buffer *buffer, int64_t value)
{
    msgpack_packer packer = packer_into(buffer);
    msgpack_pack_int64(&packer, value);
}

void pack_bool(struct buffer *buffer, bool value)
{
    msgpack_packer packer = packer_into(buffer);
    if (value) msgpack_pack_true(&packer);
    else msgpack_pack_false(&packer);
}

void pack_double(struct buffer *buffer, double value)
{
    if (isnan(value)) {
        pack_nil(buffer);
        return;
    }
    msgpack_packer packer = packer_into(buffer);
    msgpack_pack_double(&packer, value);
}

void pack_number(struct buffer *buffer, double value)
{
    assert(isfinite(value));
    pack_double(buffer, value == 0.0 ? 0.0 : value);
}

static void pack_characters(struct buffer *buffer, const char *text, size_t size)
{
    assert(size <= UINT32_MAX);
    msgpack_packer packer = packer_into(buffer);
    msgpack_pack_str(&packer, size);
    msgpack_pack_str_body(&packer, text, size);
}

void pack_string(struct buffer *buffer, const char *text)
{
    pack_characters(buffer, text, strlen(text));
}

void pack_text(struct buffer *buffer, const char *text)
{
    pack_characters(buffer, text, utf8_prefix(text, strlen(text)));
}

void pack_bin(struct buffer *buffer, struct span bytes)
{
    assert(bytes.size <= UINT32_MAX);
    msgpack_packer packer = packer_into(buffer);
    msgpack_pack_bin(&packer, bytes.size);
    msgpack_pack_bin_body(&packer, bytes.data, bytes.size);
}

void pack_digest(struct buffer *buffer, const struct digest *digest)
{
    pack_bin(buffer, (struct span){.data = digest->bytes, .size = DIGEST_BYTES});
}

void pack_nil(struct buffer *buffer)
{
    msgpack_packer packer = packer_into(buffer);
    msgpack_pack_nil(&packer);
}
