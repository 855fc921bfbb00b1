#include "tests/sim/sim_forge.h"

#include <string.h>

#include "base/hash.h"

enum {
    HEADER_SIZE = 9, /* Format, cluster, key: what is wrong there is another matter. */
    CHECK_SIZE = 4,  /* The low half of the XXH3-64 of all before. */
    FORGE_SIZE_MIN = HEADER_SIZE + 8 + CHECK_SIZE,
};

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct bytes forge_damage(struct bytes token, struct prng *prng, struct arena *arena)
{
    ASSERT(token.size > 1);
    uint8_t *copy = arena_copy(arena, token.data, token.size);
    size_t at =
        (size_t)prng_below(prng, token.size - 1); /* The last one has bits that do not count. */
    copy[at] = copy[at] == 'A' ? 'B' : 'A';
    return (struct bytes){copy, token.size};
}

/* Base64url without padding (RFC 4648, section 5), for text that is known to be one. */
static struct bytes decode(struct bytes text, struct arena *arena)
{
    uint8_t *out = arena_alloc(arena, text.size);
    size_t size = 0;
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char *digit = strchr(DIGITS, text.data[i]);
        held = held << 6 | (digit == NULL ? 0U : (uint32_t)(digit - DIGITS));
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[size++] = (uint8_t)(held >> bits);
        }
    }
    return (struct bytes){out, size};
}

static struct bytes encode(struct bytes raw, struct arena *arena)
{
    uint8_t *out = arena_alloc(arena, raw.size * 2 + 2);
    size_t size = 0;
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < raw.size; i++) {
        held = held << 8 | raw.data[i];
        for (bits += 8; bits >= 6; bits -= 6) {
            out[size++] = (uint8_t)DIGITS[held >> (bits - 6) & 63];
        }
    }
    if (bits > 0) {
        out[size++] = (uint8_t)DIGITS[held << (6 - bits) & 63];
    }
    return (struct bytes){out, size};
}

struct bytes forge_contents(struct bytes token, struct prng *prng, struct arena *arena)
{
    struct bytes raw = decode(token, arena);
    if (raw.size < FORGE_SIZE_MIN) {
        return (struct bytes){NULL, 0};
    }
    uint8_t *bytes = arena_copy(arena, raw.data, raw.size);
    size_t checked = raw.size - CHECK_SIZE;
    size_t at = HEADER_SIZE + (size_t)prng_below(prng, checked - HEADER_SIZE);
    bytes[at] ^= (uint8_t)(1U << prng_below(prng, 8));
    be32_set(bytes + checked, (uint32_t)hash_xxh3((struct bytes){bytes, checked}));
    return encode((struct bytes){bytes, raw.size}, arena);
}
