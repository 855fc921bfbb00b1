/* tests/unit/test_bytes_buf.c - a buffer that owns its bytes and never passes its limit. */
#include "base/bytes.h"

#include <string.h>

#include "base/prng.h"
#include "tests/lib/unit.h"

TEST(nothing_is_allocated_before_the_first_byte)
{
    size_t before = mem_used();
    struct buf buf;

    buf_init(&buf, 100);
    buf_put(&buf, NULL, 0);
    buf_put_bytes(&buf, (struct bytes){NULL, 0});
    (void)buf_reserve(&buf, 0);
    ck_assert_int_eq(buf_append(&buf, NULL, 0), OK);
    ck_assert_uint_eq(mem_used(), before);
    ck_assert_uint_eq(buf_bytes(&buf).size, 0);
    buf_release(&buf);
}

TEST(an_append_past_the_limit_changes_nothing)
{
    for (size_t size_max = 1; size_max < 200; size_max++) {
        struct buf buf;
        uint8_t bytes[256] = {0};
        buf_init(&buf, size_max);
        for (size_t size = 0; size <= size_max; size++) {
            buf_clear(&buf);
            ck_assert_int_eq(buf_append(&buf, bytes, size), OK);
            ck_assert_int_eq(buf_append(&buf, bytes, size_max - size + 1), ERR_TOO_LARGE);
            ck_assert_int_eq(buf_append(&buf, bytes, SIZE_MAX), ERR_TOO_LARGE);
            ck_assert_uint_eq(buf.size, size);
            ck_assert_int_eq(buf_append(&buf, bytes, size_max - size), OK);
            ck_assert_uint_eq(buf.size, size_max);
            ck_assert_uint_le(buf.capacity, size_max);
        }
        buf_release(&buf);
    }
}

static void pass_the_limit(void)
{
    struct buf buf;
    buf_init(&buf, 3);
    buf_put_be32(&buf, 1);
}

static void consume_too_much(void)
{
    struct buf buf;
    buf_init(&buf, 3);
    buf_consume(&buf, 1);
}

static void init_without_a_limit(void)
{
    struct buf buf;
    buf_init(&buf, 0);
}

TEST(a_caller_that_breaks_its_promise_is_stopped)
{
    ck_assert(unit_aborts(pass_the_limit));
    ck_assert(unit_aborts(consume_too_much));
    ck_assert(unit_aborts(init_without_a_limit));
}

/* Random appends and consumes, against a plain array. */
TEST(it_holds_what_was_appended_and_not_consumed)
{
    static uint8_t expected[1 << 16];
    size_t size = 0;
    struct prng prng;
    struct buf buf;

    prng_init(&prng, 3);
    buf_init(&buf, sizeof(expected));
    for (int i = 0; i < 5000; i++) {
        if (prng_chance(&prng, 3)) {
            size_t count = prng_below(&prng, size + 1);
            buf_consume(&buf, count);
            memmove(expected, expected + count, size - count);
            size -= count;
        } else {
            uint8_t bytes[100];
            size_t count = prng_below(&prng, MIN(sizeof(bytes), sizeof(expected) - size) + 1);
            memset(bytes, i, sizeof(bytes));
            ck_assert_int_eq(buf_append(&buf, bytes, count), OK);
            memcpy(expected + size, bytes, count);
            size += count;
        }
        ck_assert(bytes_equal(buf_bytes(&buf), (struct bytes){expected, size}));
    }
    buf_release(&buf);
}

TEST(numbers_are_written_big_endian_and_text_without_a_nul)
{
    struct buf buf;

    buf_init(&buf, 100);
    buf_put_u8(&buf, 0xab);
    buf_put_be16(&buf, 0x0102);
    buf_put_be32(&buf, 0x03040506);
    buf_put_be64(&buf, 0x0708090a0b0c0d0e);
    buf_printf(&buf, "%s=%d", "x", 5);
    buf_printf(&buf, "%s", "");
    ck_assert_uint_eq(buf.size, 1 + 2 + 4 + 8 + 3);
    ck_assert_mem_eq(buf.data, "\xab\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0ex=5",
                     18);
    buf_release(&buf);
}

TEST(clearing_keeps_a_little_memory_and_gives_back_much)
{
    size_t before = mem_used();
    struct buf buf;

    buf_init(&buf, 1 << 20);
    (void)buf_reserve(&buf, 1000);
    buf_clear_shrink(&buf, 2000);
    ck_assert_uint_gt(mem_used(), before);
    ck_assert_uint_eq(buf.size, 0);
    (void)buf_reserve(&buf, 100000);
    buf_clear_shrink(&buf, 2000);
    ck_assert_uint_eq(mem_used(), before);
    ck_assert_uint_eq(buf.size, 0);
    buf_put_u8(&buf, 1);
    buf_release(&buf);
    ck_assert_uint_eq(mem_used(), before);
    ck_assert_uint_eq(buf.size_max, 1 << 20);
}

UNIT_MAIN(nothing_is_allocated_before_the_first_byte, an_append_past_the_limit_changes_nothing,
          a_caller_that_breaks_its_promise_is_stopped, it_holds_what_was_appended_and_not_consumed,
          numbers_are_written_big_endian_and_text_without_a_nul,
          clearing_keeps_a_little_memory_and_gives_back_much)
