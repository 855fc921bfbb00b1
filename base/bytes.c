#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BUF_CAPACITY_MIN = 64 };

struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = MIN(a.size, b.size);
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

bool bytes_equal_nocase(struct bytes a, const char *text)
{
    for (size_t i = 0; i < a.size; i++) {
        /* A NUL in `text` differs from every byte before its end, a NUL in `a` included. */
        if (text[i] == '\0' || lower(a.data[i]) != lower((uint8_t)text[i])) {
            return false;
        }
    }
    return text[a.size] == '\0';
}

bool bytes_to_i64(struct bytes text, int64_t *out)
{
    size_t at = 0;
    uint64_t value = 0;
    bool negative = text.size > 0 && text.data[0] == '-';

    at = negative ? 1 : 0;
    bool lone_zero = text.size == 1 && text.data[0] == '0';
    if (text.size == at || text.size > 20 || (text.data[at] == '0' && !lone_zero)) {
        return false;
    }
    for (; at < text.size; at++) {
        uint8_t digit = (uint8_t)(text.data[at] - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

void buf_init(struct buf *buf, size_t size_max)
{
    ASSERT(size_max > 0);
    *buf = (struct buf){.size_max = size_max};
}

void buf_release(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf, buf->size_max);
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
}

void buf_clear_shrink(struct buf *buf, size_t keep_max)
{
    if (buf->capacity > keep_max) {
        buf_release(buf);
    }
    buf->size = 0;
}

uint8_t *buf_reserve(struct buf *buf, size_t size)
{
    ASSERT(size <= buf->size_max - buf->size);
    size_t needed = buf->size + size;
    if (needed > buf->capacity) {
        size_t capacity = MAX(needed, MAX((size_t)BUF_CAPACITY_MIN, buf->capacity * 2));
        buf->capacity = MIN(capacity, buf->size_max);
        buf->data = mem_resize(buf->data, buf->capacity);
    }
    buf->size = needed;
    return size > 0 ? buf->data + needed - size : buf->data;
}

enum err buf_append(struct buf *buf, const void *data, size_t size)
{
    if (size > buf->size_max - buf->size) {
        return ERR_TOO_LARGE;
    }
    buf_put(buf, data, size);
    return OK;
}

void buf_put(struct buf *buf, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(buf_reserve(buf, size), data, size);
    }
}

void buf_put_bytes(struct buf *buf, struct bytes bytes)
{
    buf_put(buf, bytes.data, bytes.size);
}

void buf_put_u8(struct buf *buf, uint8_t value)
{
    *buf_reserve(buf, 1) = value;
}

void buf_put_be16(struct buf *buf, uint16_t value)
{
    be16_set(buf_reserve(buf, 2), value);
}

void buf_put_be32(struct buf *buf, uint32_t value)
{
    be32_set(buf_reserve(buf, 4), value);
}

void buf_put_be64(struct buf *buf, uint64_t value)
{
    be64_set(buf_reserve(buf, 8), value);
}

void buf_put_varint(struct buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;

    while (value >= 0x80) {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = (uint8_t)value;
    buf_put(buf, bytes, size);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    ASSERT(size >= 0);
    char *at = (char *)buf_reserve(buf, (size_t)size + 1);
    (void)vsnprintf(at, (size_t)size + 1, format, again);
    buf->size--; /* The NUL is not part of the text. */
    va_end(again);
    va_end(arguments);
}

void buf_consume(struct buf *buf, size_t size)
{
    ASSERT(size <= buf->size);
    buf->size -= size;
    if (buf->size > 0 && size > 0) {
        memmove(buf->data, buf->data + size, buf->size);
    }
}

struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){buf->data, buf->size};
}

struct reader reader_of(struct bytes bytes)
{
    static const uint8_t nothing[1];
    const uint8_t *at = bytes.data != NULL ? bytes.data : nothing;

    return (struct reader){.at = at, .end = at + bytes.size};
}

/* Return where `size` bytes begin, or NULL after a failure. */
static const uint8_t *reader_take(struct reader *reader, size_t size)
{
    if (reader->failed || size > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        return NULL;
    }
    reader->at += size;
    return reader->at - size;
}

uint8_t reader_u8(struct reader *reader)
{
    const uint8_t *at = reader_take(reader, 1);
    return at != NULL ? *at : 0;
}

uint16_t reader_be16(struct reader *reader)
{
    const uint8_t *at = reader_take(reader, 2);
    return at != NULL ? be16_at(at) : 0;
}

uint32_t reader_be32(struct reader *reader)
{
    const uint8_t *at = reader_take(reader, 4);
    return at != NULL ? be32_at(at) : 0;
}

uint64_t reader_be64(struct reader *reader)
{
    const uint8_t *at = reader_take(reader, 8);
    return at != NULL ? be64_at(at) : 0;
}

uint64_t reader_varint(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_u8(reader);
        bool too_large = shift == 63 && byte > 1;
        bool not_minimal = byte == 0 && shift > 0;
        if (reader->failed || too_large || not_minimal) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

struct bytes reader_bytes(struct reader *reader, size_t size)
{
    const uint8_t *at = reader_take(reader, size);
    return at != NULL ? (struct bytes){at, size} : (struct bytes){NULL, 0};
}

size_t reader_left(const struct reader *reader)
{
    return reader->failed ? 0 : (size_t)(reader->end - reader->at);
}

bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

uint16_t be16_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t be32_at(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return __builtin_bswap32(value);
}

uint64_t be64_at(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return __builtin_bswap64(value);
}

void be16_set(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void be32_set(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof(value));
}

void be64_set(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof(value));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "be32 and be64 swap");
