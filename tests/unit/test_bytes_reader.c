/* tests/unit/test_bytes_reader.c - the reading cursor and varints, with every truncation. */
#include "base/bytes.h"

#include <string.h>

#include "base/prng.h"
#include "tests/lib/unit.h"

TEST(what_was_written_is_read_and_every_truncation_fails)
{
    struct buf buf;

    buf_init(&buf, 100);
    buf_put_u8(&buf, 0x11);
    buf_put_be16(&buf, 0x2233);
    buf_put_be32(&buf, 0x44556677);
    buf_put_be64(&buf, 0x8899aabbccddeeff);
    buf_put_varint(&buf, 300);
    buf_put(&buf, "tail", 4);
    for (size_t size = 0; size <= buf.size; size++) {
        uint8_t *exact = mem_alloc(size); /* So that a sanitizer sees a read past the end. */
        memcpy(exact, buf.data, size);
        struct reader reader = reader_of((struct bytes){exact, size});
        bool right = reader_u8(&reader) == 0x11;
        right &= reader_be16(&reader) == 0x2233;
        right &= reader_be32(&reader) == 0x44556677;
        right &= reader_be64(&reader) == 0x8899aabbccddeeff;
        right &= reader_varint(&reader) == 300;
        right &= bytes_equal(reader_bytes(&reader, 4), BYTES_LITERAL("tail"));
        ck_assert_int_eq(right, size == buf.size);
        ck_assert_int_eq(reader.failed, size != buf.size);
        ck_assert_int_eq(reader_done(&reader), size == buf.size);
        mem_free(exact);
    }
    buf_release(&buf);
}

TEST(after_a_failure_every_read_is_zero_and_nothing_is_left)
{
    struct reader reader = reader_of(BYTES_LITERAL("abc"));

    ck_assert_uint_eq(reader_be32(&reader), 0);
    ck_assert(reader.failed);
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert_uint_eq(reader_u8(&reader), 0);
    ck_assert_uint_eq(reader_be16(&reader), 0);
    ck_assert_uint_eq(reader_be64(&reader), 0);
    ck_assert_uint_eq(reader_varint(&reader), 0);
    ck_assert_uint_eq(reader_bytes(&reader, 1).size, 0);
    ck_assert(!reader_done(&reader));
}

TEST(no_bytes_at_all_are_read_as_done)
{
    struct reader reader = reader_of((struct bytes){NULL, 0});

    ck_assert(reader_done(&reader));
    ck_assert_uint_eq(reader_bytes(&reader, 0).size, 0);
    ck_assert(reader_done(&reader));
    ck_assert_uint_eq(reader_bytes(&reader, SIZE_MAX).size, 0);
    ck_assert(reader.failed);
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 128; value >>= 7) {
        size++;
    }
    return size;
}

static void check_varint(struct buf *buf, uint64_t value)
{
    buf_clear(buf);
    buf_put_varint(buf, value);
    ck_assert_uint_eq(buf->size, varint_size(value));
    for (size_t size = 0; size <= buf->size; size++) {
        struct reader reader = reader_of((struct bytes){buf->data, size});
        uint64_t read = reader_varint(&reader);
        ck_assert_uint_eq(read, size == buf->size ? value : 0);
        ck_assert_int_eq(reader.failed, size != buf->size);
    }
}

TEST(varints_of_all_sizes_come_back)
{
    struct prng prng;
    struct buf buf;

    buf_init(&buf, 10);
    prng_init(&prng, 5);
    for (unsigned bits = 0; bits < 64; bits++) {
        for (uint64_t near = 0; near < 3; near++) {
            check_varint(&buf, (1ULL << bits) + near - 1);
        }
    }
    check_varint(&buf, UINT64_MAX);
    for (int i = 0; i < 20000; i++) {
        check_varint(&buf, prng_next(&prng) >> prng_below(&prng, 64));
    }
    buf_release(&buf);
}

/* Every string of three bytes: what is accepted, written again, is the same bytes. */
TEST(a_value_has_one_encoding)
{
    struct buf buf;
    size_t accepted = 0, wrong = 0;

    buf_init(&buf, 10);
    for (uint32_t number = 0; number < 1U << 24; number++) {
        uint8_t text[3] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
        struct reader reader = reader_of((struct bytes){text, 3});
        uint64_t value = reader_varint(&reader);
        if (!reader_done(&reader)) {
            continue;
        }
        buf_clear(&buf);
        buf_put_varint(&buf, value);
        wrong += !bytes_equal(buf_bytes(&buf), (struct bytes){text, 3});
        accepted++;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(accepted, (1U << 21) - (1U << 14));
    buf_release(&buf);
}

TEST(more_than_64_bits_and_padding_are_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
    } table[] = {
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
        {"\x80\x00", 2},
        {"\x81\x80\x00", 3},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct bytes bytes = {(const uint8_t *)table[i].bytes, table[i].size};
        struct reader reader = reader_of(bytes);
        ck_assert_uint_eq(reader_varint(&reader), 0);
        ck_assert(reader.failed);
    }
}

UNIT_MAIN(what_was_written_is_read_and_every_truncation_fails,
          after_a_failure_every_read_is_zero_and_nothing_is_left, no_bytes_at_all_are_read_as_done,
          varints_of_all_sizes_come_back, a_value_has_one_encoding,
          more_than_64_bits_and_padding_are_refused)
