#include "tests/fuzz/fuzz_object.h"

#include "base/hash.h"

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
