/* base/hash.h - checksums and keyed hashes: XXH3 (libxxhash), SipHash-2-4, HMAC-SHA256 (OpenSSL).
 *
 * The only file that includes <xxhash.h> and <openssl/...>. */
#pragma once

#include "base/bytes.h"

/* XXH3-64, seed 0: checksums of values and frames, not for data chosen to collide. */
uint64_t hash_xxh3(struct bytes bytes);
/* XXH3-64 over two parts as if they were joined. */
uint64_t hash_xxh3_2(struct bytes first, struct bytes second);
/* XXH3-64 with a secret seed: hash tables over keys that clients choose. */
uint64_t hash_seeded(struct bytes bytes, uint64_t seed);
/* SipHash-2-4 with 128-bit output (Aumasson, Bernstein 2012): authenticates contexts. */
void hash_siphash128(struct bytes bytes, const uint8_t key[16], uint8_t out[16]);
/* HMAC-SHA256 (RFC 2104): authenticates handshakes. */
void hash_hmac_sha256(struct bytes key, struct bytes message, uint8_t out[32]);
/* Constant-time comparison of `size` bytes. */
bool hash_equal(const void *a, const void *b, size_t size);
