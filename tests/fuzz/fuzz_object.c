#include "tests/fuzz/fuzz_object.h"

#include "base/hash.h"
#include "quorum/key.h"

#include <string.h>

enum { CHECKSUM_AT = 1, CHECKSUM_END = 9 };

void fuzz_put_checksum(uint8_t *record, size_t size, struct bytes key)
{
    if (size >= CHECKSUM_END) {
        struct bytes rest = {record + CHECKSUM_END, size - CHECKSUM_END};
        be64_set(record + CHECKSUM_AT, hash_xxh3_2(key, rest));
    }
}

bool fuzz_is_sorted(const struct object *object)
{
    for (uint32_t i = 1; i < object->versions_count; i++) {
        if (dot_compare(object->versions[i - 1].dot, object->versions[i].dot) >= 0) {
            return false;
        }
    }
    for (uint32_t i = 1; i < object->residual_count; i++) {
        if (dot_compare(object->residual[i - 1], object->residual[i]) >= 0) {
            return false;
        }
    }
    return true;
}

bool fuzz_is_ours(const struct object *object)
{
    for (uint32_t i = 0; i < object->versions_count; i++) {
        const struct version *version = &object->versions[i];
        if (version->timestamp > FUZZ_TIMESTAMP_MAX || version->dot.counter == 0 ||
            version->expiry_ms < 0 || version->kind > VERSION_STRING ||
            version->flags > VERSION_CAUSAL) {
            return false;
        }
    }
    return fuzz_is_sorted(object);
}

uint16_t fuzz_put_keys(uint8_t *data, size_t size)
{
    static const uint8_t MARK[KEY_PREFIX_SIZE] = {0xee, 0xee, 0, 0xee, 0xee, 0xee, 0xee};
    uint16_t slot = 0;
    bool found = false;

    for (size_t at = 0; at + KEY_PREFIX_SIZE + 1 < size; at++) {
        uint8_t *key = data + at;
        size_t user = key[KEY_PREFIX_SIZE];
        if (memcmp(key, MARK, sizeof(MARK)) == 0 && user < 128 &&
            at + KEY_PREFIX_SIZE + 1 + user < size) {
            struct arena arena;
            arena_init(&arena, 256);
            struct bytes good =
                key_encode(&arena, 0, (struct bytes){key + KEY_PREFIX_SIZE + 1, user});
            memcpy(key, good.data, KEY_PREFIX_SIZE);
            slot = found ? slot : key_slot(good);
            found = true;
            arena_release(&arena);
        }
    }
    return slot;
}
