#include "quorum/key.h"

#include "base/hash.h"
#include "ring/slot.h"

#include <string.h>

static uint32_t key_hash(struct bytes user)
{
    return (uint32_t)hash_xxh3(user);
}

struct bytes key_encode(struct arena *arena, uint8_t database, struct bytes user)
{
    ASSERT(user.size <= KEY_USER_MAX);
    uint8_t *data = arena_alloc(arena, KEY_PREFIX_SIZE + 10 + user.size + 1);
    size_t size = KEY_PREFIX_SIZE;

    be16_set(data, slot_of(user));
    data[2] = database;
    be32_set(data + 3, key_hash(user));
    uint64_t left = user.size;
    while (left >= 0x80) {
        data[size++] = (uint8_t)(left | 0x80);
        left >>= 7;
    }
    data[size++] = (uint8_t)left;
    if (user.size > 0) {
        memcpy(data + size, user.data, user.size);
    }
    size += user.size;
    data[size++] = KEY_TAG_STRING;
    return (struct bytes){data, size};
}

enum err key_decode(struct bytes key, struct key_parts *out)
{
    struct reader in = reader_of(key);
    struct key_parts parts = {
        .slot = reader_be16(&in), .database = reader_u8(&in), .hash = reader_be32(&in)};
    uint64_t size = reader_varint(&in);

    if (in.failed || size > KEY_USER_MAX) {
        return ERR_MALFORMED;
    }
    parts.user = reader_bytes(&in, (size_t)size);
    parts.tag = reader_u8(&in);
    parts.subkey = reader_bytes(&in, reader_left(&in));
    bool string_with_subkey = parts.tag == KEY_TAG_STRING && parts.subkey.size > 0;
    if (in.failed || string_with_subkey || parts.slot != slot_of(parts.user) ||
        parts.hash != key_hash(parts.user)) {
        return ERR_MALFORMED;
    }
    *out = parts;
    return OK;
}

uint16_t key_slot(struct bytes key)
{
    ASSERT(key.size > KEY_PREFIX_SIZE);
    return be16_at(key.data);
}

uint8_t key_database(struct bytes key)
{
    ASSERT(key.size > KEY_PREFIX_SIZE);
    return key.data[2];
}

uint64_t key_position(struct bytes key)
{
    ASSERT(key.size > KEY_PREFIX_SIZE);
    return (uint64_t)be16_at(key.data) << 32 | be32_at(key.data + 3);
}

struct bytes key_at_slot(struct arena *arena, uint32_t slot)
{
    ASSERT(slot <= SLOTS_COUNT);
    uint8_t *data = arena_alloc(arena, 2);

    be16_set(data, (uint16_t)slot);
    return (struct bytes){data, 2};
}
