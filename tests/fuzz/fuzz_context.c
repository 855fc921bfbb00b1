/* tests/fuzz/fuzz_context.c - the tokens that clients hand back with causal writes.
 *
 * Input: one byte of mode. 0: a token; 1: what a token says, to be signed as this cluster does; 2:
 * dots to make a token of. Properties:
 * - only what context_encode writes is taken, and it comes back as it was;
 * - a token that is cut off, changed, or of another key, cluster or secret is refused with its
 * reason;
 * - a refusal leaves the out-parameters alone, and memory stays within a multiple of the token. */
#include "node/context.h"

#include "base/hash.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum {
    MODE_TOKEN,
    MODE_SIGNED,
    MODE_DOTS,
    MODES_COUNT,
    MAC_SIZE = 16,
    DOTS_MAX = 64,
    MEMORY_FACTOR = 32,
    MEMORY_SLACK = 128 * 1024,
};

enum mark { MARK_REFUSED, MARK_SIGNED_TAKEN, MARK_SIGNED_REFUSED, MARK_MADE, MARK_CHANGED };
const char *const FUZZ_MARKS[] = {"refused", "signed_taken", "signed_refused",
                                  "made",    "changed",      NULL};

static const uint8_t CLUSTER_ID[] = "cluster-of-fuzz";
static const uint8_t CONTEXT_KEY[] = "secret-of-fuzz!";
static const uint8_t OTHER_16[] = "fifteen letters";
_Static_assert(sizeof(CLUSTER_ID) == 16 && sizeof(CONTEXT_KEY) == 16 && sizeof(OTHER_16) == 16,
               "ids and keys have 16 bytes");

static const struct context_binding BINDING = {
    .cluster_id = CLUSTER_ID,
    .context_key = CONTEXT_KEY,
    .key = {(const uint8_t *)"stored name", 11},
};

static enum context_result decode(const struct context_binding *binding, struct bytes token,
                                  struct arena *arena, struct seen_dot **dots, uint32_t *count)
{
    struct seen_dot nothing, *found = &nothing;
    uint32_t found_count = 12345;
    struct fuzz_memory memory = fuzz_memory_begin();
    enum context_result result = context_decode(binding, token, arena, &found, &found_count);

    ASSERT(fuzz_memory_taken(&memory) <= MEMORY_FACTOR * token.size + MEMORY_SLACK);
    ASSERT(strlen(context_text(result)) > 0);
    if (result == CONTEXT_OK) {
        ASSERT(found != &nothing);
        *dots = found;
        *count = found_count;
    } else {
        ASSERT(found == &nothing);
        ASSERT(found_count == 12345);
    }
    return result;
}

static bool same_dots(const struct seen_dot *a, uint32_t a_count, const struct seen_dot *b,
                      uint32_t b_count)
{
    for (uint32_t i = 0; i < a_count && a_count == b_count; i++) {
        if (!dot_equal(a[i].dot, b[i].dot) || a[i].timestamp != b[i].timestamp) {
            return false;
        }
    }
    return a_count == b_count;
}

/* Sorted, written, read: the same. */
static void check_round(const struct seen_dot *dots, uint32_t count, struct arena *arena,
                        struct buf *token)
{
    struct seen_dot *again = NULL;
    uint32_t again_count = 0;

    context_encode(&BINDING, dots, count, arena, token);
    for (size_t i = 0; i < token->size; i++) {
        ASSERT(token->data[i] > ' ');
        ASSERT(token->data[i] < 0x7f);
    }
    ASSERT(decode(&BINDING, buf_bytes(token), arena, &again, &again_count) == CONTEXT_OK);
    ASSERT(same_dots(dots, count, again, again_count));
}

static void check_sorted(const struct seen_dot *dots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(dots[i].dot.counter > 0);
        ASSERT(i == 0 || dot_compare(dots[i - 1].dot, dots[i].dot) < 0);
    }
}

/* ---- Any text ---- */

static void check_token(struct bytes token, struct arena *arena)
{
    struct seen_dot *dots = NULL;
    uint32_t count = 0;
    struct buf again;

    if (decode(&BINDING, token, arena, &dots, &count) != CONTEXT_OK) {
        fuzz_mark(MARK_REFUSED);
        return;
    }
    buf_init(&again, SIZE_MAX);
    context_encode(&BINDING, dots, count, arena, &again);
    ASSERT(bytes_equal(buf_bytes(&again), token));
    buf_release(&again);
}

/* ---- Signed by somebody who knows the secret, but says what we would not ---- */

static void put_base64(struct buf *out, struct bytes in)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < in.size; i++) {
        bits = bits << 8 | in.data[i];
        for (held += 8; held >= 6; held -= 6) {
            buf_put_u8(out, (uint8_t)DIGITS[bits >> (held - 6) & 63]);
        }
    }
    if (held > 0) {
        buf_put_u8(out, (uint8_t)DIGITS[bits << (6 - held) & 63]);
    }
}

static void check_signed(struct bytes said, struct arena *arena)
{
    struct seen_dot *dots = NULL;
    uint32_t count = 0;
    uint8_t mac[MAC_SIZE];
    struct buf raw, token, again;

    buf_init(&raw, SIZE_MAX);
    buf_init(&token, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    buf_put_u8(&raw, 1);
    buf_put(&raw, CLUSTER_ID, 4);
    buf_put_be32(&raw, (uint32_t)(hash_xxh3(BINDING.key) >> 32));
    buf_put_bytes(&raw, said);
    size_t size = raw.size;
    buf_put(&raw, CLUSTER_ID, 16);
    buf_put_bytes(&raw, BINDING.key);
    hash_siphash128(buf_bytes(&raw), CONTEXT_KEY, mac);
    raw.size = size;
    buf_put(&raw, mac, sizeof(mac));
    buf_put_be32(&raw, (uint32_t)hash_xxh3(buf_bytes(&raw)));
    put_base64(&token, buf_bytes(&raw));

    enum context_result result = decode(&BINDING, buf_bytes(&token), arena, &dots, &count);
    ASSERT(result == CONTEXT_OK || result == CONTEXT_DAMAGED);
    fuzz_mark(result == CONTEXT_OK ? MARK_SIGNED_TAKEN : MARK_SIGNED_REFUSED);
    if (result == CONTEXT_OK) {
        check_sorted(dots, count);
        check_round(dots, count, arena, &again);
        ASSERT(again.size <= token.size);
    }
    buf_release(&raw);
    buf_release(&token);
    buf_release(&again);
}

/* ---- Our own, and then not quite ---- */

static void check_elsewhere(struct bytes token, struct arena *arena)
{
    struct context_binding other_key = BINDING, other_cluster = BINDING, other_secret = BINDING;
    struct seen_dot *dots;
    uint32_t count;

    other_key.key.size--;
    other_cluster.cluster_id = OTHER_16;
    other_secret.context_key = OTHER_16;
    ASSERT(decode(&other_key, token, arena, &dots, &count) == CONTEXT_OTHER_KEY);
    ASSERT(decode(&other_cluster, token, arena, &dots, &count) == CONTEXT_FOREIGN);
    ASSERT(decode(&other_secret, token, arena, &dots, &count) == CONTEXT_FORGED);
}

static void check_changed(struct bytes token, struct prng *prng, struct arena *arena)
{
    struct seen_dot *dots;
    uint32_t count;

    for (unsigned i = 0; i < 8; i++) {
        uint8_t *changed = fuzz_exact(token);
        size_t at = (size_t)prng_below(prng, token.size);
        size_t size = prng_chance(prng, 3) ? at : token.size;
        changed[at] = (uint8_t)(changed[at] ^ (1U << prng_below(prng, 7)));
        struct bytes text = {changed, size};
        ASSERT(decode(&BINDING, text, arena, &dots, &count) != CONTEXT_OK);
        fuzz_mark(MARK_CHANGED);
        mem_free(changed);
    }
}

/* Dots with few actors, sorted, from any bytes: per dot 1 byte of steps and flags. */
static uint32_t dots_of(struct bytes input, struct seen_dot *dots)
{
    struct reader in = reader_of(input);
    struct dot dot = {reader_u8(&in), 0};
    uint64_t base = reader_be64(&in);
    uint32_t count = 0;

    while (reader_left(&in) > 0 && count < DOTS_MAX) {
        uint8_t step = reader_u8(&in);
        uint64_t actor_step = (step & 0x80) == 0 ? 0 : (step & 0x40) == 0 ? 1 : UINT64_MAX / 8;
        if (actor_step > UINT64_MAX - dot.actor) {
            break;
        }
        dot.counter = actor_step > 0 ? 0 : dot.counter;
        dot.actor += actor_step;
        uint64_t counter_step = (step & 0x20) == 0 ? 1 + (step & 0x0fU) : UINT64_MAX / 3;
        if (counter_step > UINT64_MAX - dot.counter) {
            break;
        }
        dot.counter += counter_step;
        uint64_t timestamp = (step & 0x10) == 0 ? base ^ step : step;
        dots[count++] = (struct seen_dot){.dot = dot, .timestamp = timestamp};
    }
    return count;
}

static void check_dots(struct bytes input, struct arena *arena)
{
    struct seen_dot dots[DOTS_MAX], shuffled[DOTS_MAX];
    uint32_t count = dots_of(input, dots);
    struct prng prng;
    struct buf token, again;

    prng_init(&prng, hash_xxh3(input));
    buf_init(&token, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    check_round(dots, count, arena, &token);
    fuzz_mark(MARK_MADE);
    memcpy(shuffled, dots, sizeof(dots[0]) * count);
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)prng_below(&prng, i);
        struct seen_dot dot = shuffled[i - 1];
        shuffled[i - 1] = shuffled[j];
        shuffled[j] = dot;
    }
    context_encode(&BINDING, shuffled, count, arena, &again);
    ASSERT(bytes_equal(buf_bytes(&token), buf_bytes(&again)));
    check_elsewhere(buf_bytes(&token), arena);
    check_changed(buf_bytes(&token), &prng, arena);
    buf_release(&token);
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {data, size};
    unsigned mode = fuzz_mode(&input, MODES_COUNT);
    struct arena arena;

    arena_init(&arena, 1024);
    switch (mode) {
    case MODE_TOKEN:
        check_token(input, &arena);
        break;
    case MODE_SIGNED:
        check_signed(input, &arena);
        break;
    default:
        check_dots(input, &arena);
        break;
    }
    arena_release(&arena);
    return 0;
}
