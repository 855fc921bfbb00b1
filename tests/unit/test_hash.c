/* tests/unit/test_hash.c - published vectors, and OpenSSL's SipHash beside ours. */
#include "base/hash.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "base/prng.h"
#include "tests/lib/unit.h"

/* The input of the published SipHash vectors: key 00 01 .. 0f, message 00 01 .. of every length. */
static const uint8_t counting[64] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
};

static void to_hex(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

TEST(siphash_gives_the_vectors_of_its_authors)
{
    static const struct {
        size_t size;
        const char *hex;
    } table[] = {
        {0, "a3817f04ba25a8e66df67214c7550293"},
        {1, "da87c1d86b99af44347659119b22fc45"},
        {15, "5493e99933b0a8117e08ec0f97cfc3d9"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        uint8_t out[16];
        char hex[33];
        hash_siphash128((struct bytes){counting, table[i].size}, counting, out);
        to_hex(out, sizeof(out), hex);
        ck_assert_str_eq(hex, table[i].hex);
    }
}

static void openssl_siphash128(const uint8_t *data, size_t size, const uint8_t *key, uint8_t *out)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    size_t out_size = 16;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t("size", &out_size),
                                     OSSL_PARAM_construct_end()};

    ck_assert_int_eq(EVP_MAC_init(context, key, 16, parameters), 1);
    ck_assert_int_eq(EVP_MAC_update(context, data, size), 1);
    ck_assert_int_eq(EVP_MAC_final(context, out, &out_size, 16), 1);
    ck_assert_uint_eq(out_size, 16);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
}

TEST(siphash_agrees_with_openssl_for_every_length)
{
    struct prng prng;
    uint8_t data[300], key[16], ours[16], theirs[16];

    for (size_t size = 0; size <= sizeof(counting); size++) {
        hash_siphash128((struct bytes){counting, size}, counting, ours);
        openssl_siphash128(counting, size, counting, theirs);
        ck_assert_mem_eq(ours, theirs, 16);
    }
    prng_init(&prng, 11);
    for (size_t size = 0; size <= sizeof(data); size++) {
        for (size_t i = 0; i < sizeof(data); i++) {
            data[i] = (uint8_t)prng_next(&prng);
            key[i % 16] = (uint8_t)prng_next(&prng);
        }
        hash_siphash128((struct bytes){data, size}, key, ours);
        openssl_siphash128(data, size, key, theirs);
        ck_assert_mem_eq(ours, theirs, 16);
    }
}

/* RFC 4231, test cases 1, 2 and 6 (a key longer than a block). */
TEST(hmac_gives_the_vectors_of_its_rfc)
{
    uint8_t key[131], out[32];
    char hex[65];

    memset(key, 0x0b, 20);
    hash_hmac_sha256((struct bytes){key, 20}, BYTES_LITERAL("Hi There"), out);
    to_hex(out, 32, hex);
    ck_assert_str_eq(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hash_hmac_sha256(BYTES_LITERAL("Jefe"), BYTES_LITERAL("what do ya want for nothing?"), out);
    to_hex(out, 32, hex);
    ck_assert_str_eq(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    hash_hmac_sha256((struct bytes){key, sizeof(key)},
                     BYTES_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    to_hex(out, 32, hex);
    ck_assert_str_eq(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hash_hmac_sha256((struct bytes){NULL, 0}, (struct bytes){NULL, 0}, out);
    to_hex(out, 32, hex);
    ck_assert_str_eq(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(xxh3_keeps_the_values_that_are_on_disk)
{
    ck_assert_uint_eq(hash_xxh3((struct bytes){NULL, 0}), 0x2d06800538d394c2);
    ck_assert_uint_eq(hash_xxh3(BYTES_LITERAL("abc")), 0x78af5f94892f3950);
    ck_assert_uint_eq(hash_seeded((struct bytes){NULL, 0}, 0), 0x2d06800538d394c2);
}

TEST(two_parts_hash_as_if_joined_wherever_they_are_cut)
{
    static uint8_t data[3000];
    struct prng prng;

    prng_init(&prng, 13);
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)prng_next(&prng);
    }
    for (size_t size = 0; size <= sizeof(data); size += size < 300 ? 1 : 97) {
        uint64_t whole = hash_xxh3((struct bytes){data, size});
        for (size_t cut = 0; cut <= size; cut += size < 300 ? 1 : 101) {
            struct bytes first = {data, cut}, second = {data + cut, size - cut};
            ck_assert_uint_eq(hash_xxh3_2(first, second), whole);
        }
        struct bytes all = {data, size};
        ck_assert_uint_eq(hash_xxh3_2((struct bytes){NULL, 0}, all), whole);
        ck_assert_uint_eq(hash_xxh3_2(all, (struct bytes){NULL, 0}), whole);
    }
}

TEST(another_seed_gives_another_hash)
{
    for (uint64_t seed = 1; seed < 1000; seed++) {
        ck_assert_uint_ne(hash_seeded(BYTES_LITERAL("key"), seed),
                          hash_seeded(BYTES_LITERAL("key"), seed - 1));
    }
}

TEST(every_flipped_bit_is_noticed)
{
    uint8_t data[40];
    struct bytes bytes = {data, sizeof(data)};

    memcpy(data, counting, sizeof(data));
    uint64_t xxh3 = hash_xxh3(bytes);
    uint8_t sip[16], flipped[16];
    hash_siphash128(bytes, counting, sip);
    for (size_t bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        hash_siphash128(bytes, counting, flipped);
        ck_assert_uint_ne(hash_xxh3(bytes), xxh3);
        ck_assert(!hash_equal(sip, flipped, 16));
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    hash_siphash128(bytes, counting, flipped);
    ck_assert(hash_equal(sip, flipped, 16));
    ck_assert(hash_equal(sip, data, 0));
}

UNIT_MAIN(siphash_gives_the_vectors_of_its_authors, siphash_agrees_with_openssl_for_every_length,
          hmac_gives_the_vectors_of_its_rfc, xxh3_keeps_the_values_that_are_on_disk,
          two_parts_hash_as_if_joined_wherever_they_are_cut, another_seed_gives_another_hash,
          every_flipped_bit_is_noticed)
