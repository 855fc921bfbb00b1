/* tests/unit/test_pack.c - msgpack bodies: what was packed comes back, and nothing else is
 * believed. */
#include "base/pack.h"

#include <string.h>

#include "base/prng.h"
#include "tests/lib/unit.h"

enum { BODY_SIZE_MAX = 1 << 20 };

static struct unpack unpack_text(const char *text, size_t size, struct arena *arena)
{
    return unpack_of((struct bytes){(const uint8_t *)text, size}, arena);
}

#define UNPACK(literal, arena) unpack_text((literal), sizeof(literal) - 1, (arena))

/* A body as peers send it: map with small keys, nested array, every type. */
static void pack_body(struct buf *buf)
{
    pack_map(buf, 4);
    pack_u64(buf, 0);
    pack_u64(buf, UINT64_MAX);
    pack_u64(buf, 1);
    pack_i64(buf, INT64_MIN);
    pack_u64(buf, 2);
    pack_array(buf, 3);
    pack_bool(buf, true);
    pack_bool(buf, false);
    pack_bin(buf, BYTES_LITERAL("value"));
    pack_u64(buf, 3);
    pack_bin(buf, (struct bytes){NULL, 0});
}

static bool read_body(struct unpack *unpack)
{
    bool right = unpack_map(unpack) == 4;

    right &= unpack_u64(unpack) == 0;
    right &= unpack_u64(unpack) == UINT64_MAX;
    right &= unpack_u64(unpack) == 1;
    right &= unpack_i64(unpack) == INT64_MIN;
    right &= unpack_u64(unpack) == 2;
    right &= unpack_array(unpack) == 3;
    right &= unpack_bool(unpack) == true;
    right &= unpack_bool(unpack) == false;
    right &= bytes_equal(unpack_bin(unpack), BYTES_LITERAL("value"));
    right &= unpack_u64(unpack) == 3;
    right &= unpack_bin(unpack).size == 0;
    return right && unpack_done(unpack);
}

TEST(what_was_packed_comes_back_and_every_truncation_fails)
{
    struct arena arena;
    struct buf buf;

    arena_init(&arena, 4096);
    buf_init(&buf, BODY_SIZE_MAX);
    pack_body(&buf);
    for (size_t size = 0; size <= buf.size; size++) {
        uint8_t *exact = mem_alloc(size);
        memcpy(exact, buf.data, size);
        arena_reset(&arena);
        struct unpack unpack = unpack_of((struct bytes){exact, size}, &arena);
        ck_assert_int_eq(unpack.failed, size != buf.size);
        ck_assert_int_eq(read_body(&unpack), size == buf.size);
        mem_free(exact);
    }
    buf_put_u8(&buf, 0xc0); /* A value after the value. */
    ck_assert(unpack_of(buf_bytes(&buf), &arena).failed);
    buf_release(&buf);
    arena_release(&arena);
}

TEST(strings_point_into_the_input)
{
    struct arena arena;
    struct buf buf;

    arena_init(&arena, 4096);
    buf_init(&buf, BODY_SIZE_MAX);
    pack_bin(&buf, BYTES_LITERAL("abc"));
    struct unpack unpack = unpack_of(buf_bytes(&buf), &arena);
    ck_assert_ptr_eq(unpack_bin(&unpack).data, buf.data + 2);
    buf_release(&buf);
    arena_release(&arena);
}

static void check_integers(struct buf *buf, struct arena *arena, uint64_t value)
{
    buf_clear(buf);
    arena_reset(arena);
    pack_array(buf, 2);
    pack_u64(buf, value);
    pack_i64(buf, (int64_t)value);
    struct unpack unpack = unpack_of(buf_bytes(buf), arena);
    ck_assert_uint_eq(unpack_array(&unpack), 2);
    ck_assert_uint_eq(unpack_u64(&unpack), value);
    ck_assert_int_eq(unpack_i64(&unpack), (int64_t)value);
    ck_assert(unpack_done(&unpack));
}

TEST(integers_of_all_sizes_come_back)
{
    struct arena arena;
    struct prng prng;
    struct buf buf;

    arena_init(&arena, 4096);
    buf_init(&buf, BODY_SIZE_MAX);
    for (unsigned bits = 0; bits < 64; bits++) {
        for (uint64_t near = 0; near < 3; near++) {
            check_integers(&buf, &arena, (1ULL << bits) + near - 1);
            check_integers(&buf, &arena, 0 - ((1ULL << bits) + near - 1));
        }
    }
    prng_init(&prng, 19);
    for (int i = 0; i < 20000; i++) {
        check_integers(&buf, &arena, prng_next(&prng) >> prng_below(&prng, 64));
    }
    buf_release(&buf);
    arena_release(&arena);
}

TEST(a_number_that_does_not_fit_is_refused)
{
    struct arena arena;

    arena_init(&arena, 4096);
    struct unpack large = UNPACK("\xcf\x80\0\0\0\0\0\0\0", &arena);
    ck_assert_int_eq(unpack_i64(&large), 0);
    ck_assert(large.failed);
    struct unpack negative = UNPACK("\xff", &arena);
    ck_assert_uint_eq(unpack_u64(&negative), 0);
    ck_assert(negative.failed);
    struct unpack signed_positive = UNPACK("\xd0\x05", &arena);
    ck_assert_uint_eq(unpack_u64(&signed_positive), 5);
    ck_assert(unpack_done(&signed_positive));
    arena_release(&arena);
}

/* One value of each type against each reader: right only on the diagonal. */
TEST(a_value_of_another_type_fails)
{
    static const char *const values[] = {"\x80", "\x90", "\x05", "\xff", "\xc3", "\xa1x", "\xc0"};
    static const size_t sizes[] = {1, 1, 1, 1, 1, 2, 1};
    static const bool right[7][6] = {
        /* map array u64 i64 bool bin */
        {1, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0}, {0, 0, 1, 1, 0, 0}, {0, 0, 0, 1, 0, 0},
        {0, 0, 0, 0, 1, 0}, {0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0},
    };
    struct arena arena;

    arena_init(&arena, 4096);
    for (size_t v = 0; v < 7; v++) {
        for (size_t reader = 0; reader < 6; reader++) {
            struct unpack unpack = unpack_text(values[v], sizes[v], &arena);
            switch (reader) {
            case 0:
                (void)unpack_map(&unpack);
                break;
            case 1:
                (void)unpack_array(&unpack);
                break;
            case 2:
                (void)unpack_u64(&unpack);
                break;
            case 3:
                (void)unpack_i64(&unpack);
                break;
            case 4:
                (void)unpack_bool(&unpack);
                break;
            default:
                (void)unpack_bin(&unpack);
                break;
            }
            ck_assert_int_eq(unpack_done(&unpack), right[v][reader]);
        }
    }
    arena_release(&arena);
}

TEST(unknown_values_of_every_type_are_skipped)
{
    /* nil, float, double, ext, str, bin, int, and a map of arrays of maps; then 7. */
    static const char body[] = "\x99\xc0\xca\0\0\0\0\xcb\0\0\0\0\0\0\0\0\xd4\x01z\xa3"
                               "abc\xc4\x02zz\xd1\xff\0\x82\x01\x92\x80\x81\x05\x90\x02\xc2\x07";
    struct arena arena;

    arena_init(&arena, 4096);
    struct unpack unpack = UNPACK(body, &arena);
    ck_assert_uint_eq(unpack_array(&unpack), 9);
    for (int i = 0; i < 8; i++) {
        unpack_skip(&unpack);
    }
    ck_assert_uint_eq(unpack_u64(&unpack), 7);
    ck_assert(unpack_done(&unpack));
    unpack_skip(&unpack);
    ck_assert(unpack.failed);
    arena_release(&arena);
}

/* `depth` arrays of one item each, the innermost holding a number. */
static bool parses_at_depth(size_t depth, uint8_t container)
{
    uint8_t body[2000];
    struct arena arena;
    size_t size = 0;

    arena_init(&arena, 4096);
    for (size_t i = 0; i < depth; i++) {
        body[size++] = container;
        if (container == 0x81) {
            body[size++] = 0x01; /* The key, so that nesting is in the value. */
        }
    }
    body[size++] = 0x07;
    struct unpack unpack = unpack_of((struct bytes){body, size}, &arena);
    arena_release(&arena);
    return !unpack.failed;
}

TEST(nesting_is_bounded)
{
    for (size_t depth = 0; depth < 900; depth++) {
        ck_assert_int_eq(parses_at_depth(depth, 0x91), depth <= PACK_DEPTH_MAX);
        ck_assert_int_eq(parses_at_depth(depth, 0x81), depth <= PACK_DEPTH_MAX);
    }
}

/* Arrays, maps, strings, bins and exts that announce up to 2^32 - 1 and bring nothing. */
TEST(an_announced_length_allocates_nothing)
{
    static const uint8_t types[] = {0xdc, 0xdd, 0xde, 0xdf, 0xd9, 0xda, 0xdb,
                                    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9};
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        size_t before = mem_used();
        uint8_t body[6] = {types[i], 0xff, 0xff, 0xff, 0xff, 0x01};
        struct arena arena;
        arena_init(&arena, 64);
        ck_assert(unpack_of((struct bytes){body, sizeof(body)}, &arena).failed);
        ck_assert_uint_le(mem_used() - before, 2048);
        arena_release(&arena);
    }
}

TEST(what_is_allocated_is_bounded_by_the_input)
{
    struct arena arena;
    struct buf buf;

    arena_init(&arena, 64);
    buf_init(&buf, BODY_SIZE_MAX);
    for (uint32_t count = 1; count <= 100000; count = count * 3 + 1) {
        buf_clear(&buf);
        arena_reset(&arena);
        pack_array(&buf, count);
        memset(buf_reserve(&buf, count), 0x01, count); /* The shortest values. */
        ck_assert(!unpack_of(buf_bytes(&buf), &arena).failed);
        ck_assert_uint_le(arena.used, 256 + 64 * buf.size);
    }
    buf_release(&buf);
    arena_release(&arena);
}

/* Walk everything by what is there; return how many values there were. */
static size_t walk_by_skipping(struct unpack *unpack)
{
    size_t count = 0;
    while (!unpack->failed && !unpack_done(unpack)) {
        unpack_skip(unpack);
        count++;
    }
    return count;
}

TEST(random_bytes_are_parsed_or_refused_within_bounds)
{
    struct arena arena;
    struct prng prng;
    size_t accepted = 0;

    arena_init(&arena, 256);
    prng_init(&prng, 23);
    for (int i = 0; i < 200000; i++) {
        size_t size = prng_below(&prng, 40);
        uint8_t *body = mem_alloc(size);
        for (size_t j = 0; j < size; j++) {
            uint64_t random = prng_next(&prng);
            /* Half of the bytes open small containers, so that some bodies are whole. */
            body[j] = (uint8_t)(random & 1 ? 0x80 | (random >> 8 & 0x13) : random >> 8);
        }
        arena_reset(&arena);
        struct unpack unpack = unpack_of((struct bytes){body, size}, &arena);
        ck_assert_uint_le(arena.used, 256 + 64 * size);
        if (!unpack.failed) {
            accepted++;
            ck_assert_uint_eq(walk_by_skipping(&unpack), 1);
            ck_assert(!unpack.failed);
        }
        mem_free(body);
    }
    ck_assert_uint_gt(accepted, 1000);
    printf("COUNT pack_random_bodies 200000 (%zu well-formed)\n", accepted);
    arena_release(&arena);
}

TEST(damaged_bodies_are_parsed_or_refused_without_harm)
{
    struct arena arena;
    struct buf buf;

    arena_init(&arena, 256);
    buf_init(&buf, BODY_SIZE_MAX);
    pack_body(&buf);
    for (size_t at = 0; at < buf.size; at++) {
        uint8_t kept = buf.data[at];
        for (unsigned byte = 0; byte < 256; byte++) {
            buf.data[at] = (uint8_t)byte;
            arena_reset(&arena);
            struct unpack unpack = unpack_of(buf_bytes(&buf), &arena);
            bool read = read_body(&unpack);
            ck_assert(byte != kept || read);
        }
        buf.data[at] = kept;
    }
    buf_release(&buf);
    arena_release(&arena);
}

UNIT_MAIN(what_was_packed_comes_back_and_every_truncation_fails, strings_point_into_the_input,
          integers_of_all_sizes_come_back, a_number_that_does_not_fit_is_refused,
          a_value_of_another_type_fails, unknown_values_of_every_type_are_skipped,
          nesting_is_bounded, an_announced_length_allocates_nothing,
          what_is_allocated_is_bounded_by_the_input,
          random_bytes_are_parsed_or_refused_within_bounds,
          damaged_bodies_are_parsed_or_refused_without_harm)
