#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_xxh3(struct bytes bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}

uint64_t hash_xxh3_2(struct bytes first, struct bytes second)
{
    uint8_t joined[1024];

    /* The streaming state costs more than hashing a small record; joining those is cheaper. */
    if (first.size + second.size <= sizeof(joined)) {
        if (first.size > 0) {
            memcpy(joined, first.data, first.size);
        }
        if (second.size > 0) {
            memcpy(joined + first.size, second.data, second.size);
        }
        return XXH3_64bits(joined, first.size + second.size);
    }
    XXH3_state_t state;
    (void)XXH3_64bits_reset(&state);
    (void)XXH3_64bits_update(&state, first.data, first.size);
    (void)XXH3_64bits_update(&state, second.data, second.size);
    return XXH3_64bits_digest(&state);
}

uint64_t hash_seeded(struct bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

static uint64_t le64_at(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static void sip_rounds(uint64_t v[4], int rounds)
{
#define ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
    for (int i = 0; i < rounds; i++) {
        v[0] += v[1], v[1] = ROTATE(v[1], 13), v[1] ^= v[0], v[0] = ROTATE(v[0], 32);
        v[2] += v[3], v[3] = ROTATE(v[3], 16), v[3] ^= v[2];
        v[0] += v[3], v[3] = ROTATE(v[3], 21), v[3] ^= v[0];
        v[2] += v[1], v[1] = ROTATE(v[1], 17), v[1] ^= v[2], v[2] = ROTATE(v[2], 32);
    }
#undef ROTATE
}

void hash_siphash128(struct bytes bytes, const uint8_t key[16], uint8_t out[16])
{
    uint64_t k0 = le64_at(key), k1 = le64_at(key + 8);
    uint64_t v[4] = {0x736f6d6570736575U ^ k0, 0x646f72616e646f6dU ^ k1 ^ 0xee,
                     0x6c7967656e657261U ^ k0, 0x7465646279746573U ^ k1};
    uint8_t tail[8] = {0};
    size_t whole = bytes.size / 8 * 8;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word = le64_at(bytes.data + i);
        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }
    if (bytes.size > whole) {
        memcpy(tail, bytes.data + whole, bytes.size - whole);
    }
    tail[7] = (uint8_t)bytes.size;
    v[3] ^= le64_at(tail);
    sip_rounds(v, 2);
    v[0] ^= le64_at(tail);
    v[2] ^= 0xee;
    sip_rounds(v, 4);
    uint64_t low = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    sip_rounds(v, 4);
    uint64_t high = v[0] ^ v[1] ^ v[2] ^ v[3];
    memcpy(out, &low, 8);
    memcpy(out + 8, &high, 8);
}

void hash_hmac_sha256(struct bytes key, struct bytes message, uint8_t out[32])
{
    static const uint8_t nothing[1]; /* OpenSSL takes NULL for "no key given", which is an error. */
    const uint8_t *secret = key.size > 0 ? key.data : nothing;
    const uint8_t *text = message.size > 0 ? message.data : nothing;
    unsigned size = 0;

    ASSERT(key.size <= INT32_MAX);
    const uint8_t *done = HMAC(EVP_sha256(), secret, (int)key.size, text, message.size, out, &size);
    ASSERT(done != NULL);
    ASSERT(size == 32);
}

bool hash_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}
