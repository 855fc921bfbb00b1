/* base/bytes.h - borrowed bytes, growing buffers, and big-endian and varint coding.
 *
 * `struct bytes` never owns. `struct buf` owns, and cannot grow past the `size_max` it was given
 * (curl's dynbuf): an append that would is refused as a whole and reported. */
#pragma once

#include "base/base.h"
#include "base/err.h"

struct bytes {
    const uint8_t *data; /* May be NULL when size is 0. */
    size_t size;
};

#define BYTES_LITERAL(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

/* Borrow a NUL-terminated string, without its NUL. */
struct bytes bytes_of(const char *text);
bool bytes_equal(struct bytes a, struct bytes b);
/* Order as memcmp, a prefix before what it begins. Return <0, 0 or >0. */
int bytes_compare(struct bytes a, struct bytes b);
/* True when `a` equals the ASCII string `text` in any mixture of case. */
bool bytes_equal_nocase(struct bytes a, const char *text);
/* Parse a decimal int64 exactly as Redis's string2ll: optional '-', no '+', no leading zeros, no
 * spaces, whole input. Return false and leave *out alone when it is none. */
bool bytes_to_i64(struct bytes text, int64_t *out);

struct buf {
    uint8_t *data;
    size_t size, capacity, size_max;
};

/* Start empty; nothing is allocated before the first append. `size_max` in bytes, > 0. */
void buf_init(struct buf *buf, size_t size_max);
/* Free the contents; the buffer is as after buf_init. */
void buf_release(struct buf *buf);
/* Forget the contents, keep the memory. */
void buf_clear(struct buf *buf);
/* Forget the contents, and the memory too when more than `keep_max` bytes are held. */
void buf_clear_shrink(struct buf *buf, size_t keep_max);
/* Append. Return ERR_TOO_LARGE, changing nothing, when size_max would be passed. */
MUST_CHECK enum err buf_append(struct buf *buf, const void *data, size_t size);
/* As buf_append for callers that have already bounded the size: passing size_max aborts. */
void buf_put(struct buf *buf, const void *data, size_t size);
void buf_put_bytes(struct buf *buf, struct bytes bytes);
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_be16(struct buf *buf, uint16_t value);
void buf_put_be32(struct buf *buf, uint32_t value);
void buf_put_be64(struct buf *buf, uint64_t value);
/* LEB128, 1..10 bytes. */
void buf_put_varint(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* Make room for `size` more bytes and return where they go; buf->size grows by `size`. */
uint8_t *buf_reserve(struct buf *buf, size_t size);
/* Drop the first `size` bytes, moving the rest down. */
void buf_consume(struct buf *buf, size_t size);
struct bytes buf_bytes(const struct buf *buf);

/* A cursor over borrowed bytes. The first read past the end sets `failed`; from then on every read
 * returns 0 or empty, so that a caller checks once, at the end. */
struct reader {
    const uint8_t *at, *end;
    bool failed;
};

struct reader reader_of(struct bytes bytes);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_be16(struct reader *reader);
uint32_t reader_be32(struct reader *reader);
uint64_t reader_be64(struct reader *reader);
/* Refuses non-minimal encodings and more than 64 bits, so that every value has one encoding. */
uint64_t reader_varint(struct reader *reader);
struct bytes reader_bytes(struct reader *reader, size_t size);
size_t reader_left(const struct reader *reader);
/* True when nothing failed and everything was read. */
bool reader_done(const struct reader *reader);

uint16_t be16_at(const uint8_t *at);
uint32_t be32_at(const uint8_t *at);
uint64_t be64_at(const uint8_t *at);
void be16_set(uint8_t *at, uint16_t value);
void be32_set(uint8_t *at, uint32_t value);
void be64_set(uint8_t *at, uint64_t value);
