#include "node/context.h"

#include "base/hash.h"
#include "base/mutant.h"

#include <string.h>

enum {
    FORMAT = 1,
    HEADER_SIZE = 1 + 4 + 4 + 8,
    MAC_SIZE = 16,
    CHECK_SIZE = 4,
    CLUSTER_ID_SIZE = 16,
    GROUP_SIZE_MIN = 8 + 1 + 2, /* An actor with one dot. */
};

/* ---- base64url (RFC 4648, section 5), without padding ---- */

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put_base64(struct buf *out, struct bytes in)
{
    for (size_t at = 0; at < in.size; at += 3) {
        size_t left = MIN(in.size - at, (size_t)3);
        uint32_t bits = (uint32_t)in.data[at] << 16;
        bits |= left > 1 ? (uint32_t)in.data[at + 1] << 8 : 0;
        bits |= left > 2 ? in.data[at + 2] : 0;
        for (size_t i = 0; i < left + 1; i++) {
            buf_put_u8(out, (uint8_t)DIGITS[bits >> (18 - 6 * i) & 63]);
        }
    }
}

static int digit_of(uint8_t byte)
{
    const char *at = byte == '\0' ? NULL : strchr(DIGITS, byte);

    return at == NULL ? -1 : (int)(at - DIGITS);
}

/* Only what put_base64 writes is taken: bits that stand for nothing must be 0. */
static bool get_base64(struct bytes in, struct arena *arena, struct bytes *out)
{
    uint8_t *data = arena_alloc(arena, in.size + 1);
    size_t size = 0;
    uint32_t bits = 0;

    if (in.size % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < in.size; i++) {
        int digit = digit_of(in.data[i]);
        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0) {
            unsigned unused = 6 - 2 * (unsigned)(i % 4);
            data[size++] = (uint8_t)(bits >> unused);
            bits &= (1U << unused) - 1;
        }
    }
    if (bits != 0) {
        return false;
    }
    *out = (struct bytes){data, size};
    return true;
}

/* ---- Writing ---- */

static struct seen_dot *sorted(const struct seen_dot *dots, uint32_t count, struct arena *arena)
{
    struct seen_dot *copy = arena_copy(arena, dots, sizeof(*dots) * count);

    for (uint32_t i = 1; i < count; i++) { /* They come nearly sorted, and are few. */
        struct seen_dot dot = copy[i];
        uint32_t at = i;
        while (at > 0 && dot_compare(copy[at - 1].dot, dot.dot) > 0) {
            copy[at] = copy[at - 1];
            at--;
        }
        copy[at] = dot;
    }
    return copy;
}

static void put_dots(struct buf *out, const struct seen_dot *dots, uint32_t count, uint64_t newest)
{
    uint32_t actors = 0;

    for (uint32_t i = 0; i < count; i++) {
        actors += i == 0 || dots[i].dot.actor != dots[i - 1].dot.actor;
    }
    buf_put_varint(out, actors);
    for (uint32_t first = 0; first < count;) {
        uint32_t end = first + 1;
        uint64_t before = 0;
        while (end < count && dots[end].dot.actor == dots[first].dot.actor) {
            end++;
        }
        buf_put_be64(out, dots[first].dot.actor);
        buf_put_varint(out, end - first);
        for (uint32_t i = first; i < end; i++) {
            ASSERT(dots[i].dot.counter > before);
            buf_put_varint(out, dots[i].dot.counter - before);
            buf_put_varint(out, newest - dots[i].timestamp);
            before = dots[i].dot.counter;
        }
        first = end;
    }
}

static void make_mac(const struct context_binding *binding, struct bytes body, struct arena *arena,
                     uint8_t mac[MAC_SIZE])
{
    size_t size = body.size + CLUSTER_ID_SIZE + binding->key.size;
    uint8_t *all = arena_alloc(arena, size);

    memcpy(all, body.data, body.size);
    memcpy(all + body.size, binding->cluster_id, CLUSTER_ID_SIZE);
    memcpy(all + body.size + CLUSTER_ID_SIZE, binding->key.data, binding->key.size);
    hash_siphash128((struct bytes){all, size}, binding->context_key, mac);
}

static uint32_t key_tag(struct bytes key)
{
    return (uint32_t)(hash_xxh3(key) >> 32);
}

void context_encode(const struct context_binding *binding, const struct seen_dot *dots,
                    uint32_t count, struct arena *arena, struct buf *out)
{
    const struct seen_dot *in_order = sorted(dots, count, arena);
    uint64_t newest = 0;
    uint8_t mac[MAC_SIZE];
    struct buf raw;

    for (uint32_t i = 0; i < count; i++) {
        newest = MAX(newest, dots[i].timestamp);
    }
    buf_init(&raw, CONTEXT_TOKEN_MAX);
    buf_put_u8(&raw, FORMAT);
    buf_put_be32(&raw, be32_at(binding->cluster_id));
    buf_put_be32(&raw, key_tag(binding->key));
    buf_put_be64(&raw, newest);
    put_dots(&raw, in_order, count, newest);
    make_mac(binding, buf_bytes(&raw), arena, mac);
    buf_put(&raw, mac, sizeof(mac));
    buf_put_be32(&raw, (uint32_t)hash_xxh3(buf_bytes(&raw)));
    put_base64(out, buf_bytes(&raw));
    buf_release(&raw);
}

/* ---- Reading ---- */

/* Dots of one actor. */
static bool get_group(struct reader *in, uint64_t newest, struct seen_dot *dots, uint32_t *count,
                      uint32_t count_max)
{
    uint64_t actor = reader_be64(in);
    uint64_t size = reader_varint(in);
    uint64_t counter = 0;

    if (in->failed || size == 0 || size > count_max - *count ||
        (*count > 0 && dots[*count - 1].dot.actor >= actor)) {
        return false;
    }
    for (uint64_t i = 0; i < size; i++) {
        uint64_t step = reader_varint(in);
        uint64_t age = reader_varint(in);
        if (in->failed || step == 0 || step > UINT64_MAX - counter || age > newest) {
            return false;
        }
        counter += step;
        dots[(*count)++] = (struct seen_dot){.dot = {.actor = actor, .counter = counter},
                                             .timestamp = newest - age};
    }
    return true;
}

static bool get_dots(struct bytes body, struct arena *arena, struct seen_dot **dots,
                     uint32_t *count)
{
    struct reader in = reader_of(body);
    uint32_t count_max = (uint32_t)(body.size / 2); /* A dot takes two bytes at least. */
    struct seen_dot *found = ARENA_ARRAY(arena, struct seen_dot, count_max + 1);
    uint32_t found_count = 0;

    reader_bytes(&in, HEADER_SIZE - 8);
    uint64_t newest = reader_be64(&in);
    uint64_t actors = reader_varint(&in);
    if (in.failed || actors > body.size / GROUP_SIZE_MIN) {
        return false;
    }
    for (uint64_t i = 0; i < actors; i++) {
        if (!get_group(&in, newest, found, &found_count, count_max)) {
            return false;
        }
    }
    if (!reader_done(&in)) {
        return false;
    }
    *dots = found;
    *count = found_count;
    return true;
}

enum context_result context_decode(const struct context_binding *binding, struct bytes token,
                                   struct arena *arena, struct seen_dot **dots, uint32_t *count)
{
    struct bytes raw;
    uint8_t mac[MAC_SIZE];

    if (token.size > CONTEXT_TOKEN_MAX || !get_base64(token, arena, &raw) ||
        raw.size < HEADER_SIZE + 1 + MAC_SIZE + CHECK_SIZE) {
        return CONTEXT_DAMAGED;
    }
    struct bytes checked = {raw.data, raw.size - CHECK_SIZE};
    struct bytes body = {raw.data, checked.size - MAC_SIZE};
    if (be32_at(raw.data + checked.size) != (uint32_t)hash_xxh3(checked) ||
        body.data[0] != FORMAT) {
        return CONTEXT_DAMAGED;
    }
    if (be32_at(body.data + 1) != be32_at(binding->cluster_id)) {
        return CONTEXT_FOREIGN;
    }
    if (be32_at(body.data + 5) != key_tag(binding->key) && !MUTANT(context_not_bound)) {
        return CONTEXT_OTHER_KEY;
    }
    make_mac(binding, body, arena, mac);
    if (!hash_equal(mac, raw.data + body.size, sizeof(mac)) && !MUTANT(context_not_bound) &&
        !MUTANT(context_unchecked)) {
        return CONTEXT_FORGED;
    }
    return get_dots(body, arena, dots, count) ? CONTEXT_OK : CONTEXT_DAMAGED;
}

const char *context_text(enum context_result result)
{
    switch (result) {
    case CONTEXT_OK:
        return "ok";
    case CONTEXT_DAMAGED:
        return "the context is damaged: hand back exactly what RF.GET gave";
    case CONTEXT_FOREIGN:
        return "the context is of another cluster: read the key here with RF.GET";
    case CONTEXT_OTHER_KEY:
        return "the context is of another key: use the one that RF.GET of this key gave";
    case CONTEXT_FORGED:
        return "the context was not made by this cluster: read the key with RF.GET";
    }
    return "";
}
