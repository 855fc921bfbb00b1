#include "node/resp_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_TEXT_MAX = 1024 };

/* The hot path: no printf. Append `mark`, a decimal number and \r\n. */
static void put_number_line(struct buf *buf, char mark, uint64_t value, bool negative)
{
    uint8_t text[32];
    size_t at = sizeof(text);

    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (negative) {
        text[--at] = '-';
    }
    text[--at] = (uint8_t)mark;
    buf_put(buf, text + at, sizeof(text) - at);
}

void reply_ok(struct reply *reply)
{
    buf_put(reply->buf, "+OK\r\n", 5);
}

void reply_simple(struct reply *reply, const char *text)
{
    ASSERT(strpbrk(text, "\r\n") == NULL);
    buf_put(reply->buf, "+", 1);
    buf_put(reply->buf, text, strlen(text));
    buf_put(reply->buf, "\r\n", 2);
}

static void count_error(struct reply_errors *errors, struct bytes text)
{
    char prefix[REPLY_PREFIX_SIZE] = "";
    size_t size = 0;

    while (size < text.size && size + 1 < sizeof(prefix) && text.data[size] != ' ') {
        prefix[size] = (char)text.data[size];
        size++;
    }
    errors->total++;
    for (unsigned i = 0; i < errors->count; i++) {
        if (strcmp(errors->items[i].prefix, prefix) == 0) {
            errors->items[i].count++;
            return;
        }
    }
    if (errors->count < REPLY_ERRORS_MAX) {
        memcpy(errors->items[errors->count].prefix, prefix, sizeof(prefix));
        errors->items[errors->count++].count = 1;
    }
}

void reply_error_bytes(struct reply *reply, struct bytes text)
{
    ASSERT(text.size > 0);
    buf_put(reply->buf, "-", 1);
    uint8_t *to = buf_reserve(reply->buf, text.size);
    for (size_t i = 0; i < text.size; i++) {
        to[i] = text.data[i] == '\r' || text.data[i] == '\n' ? ' ' : text.data[i];
    }
    buf_put(reply->buf, "\r\n", 2);
    if (reply->errors != NULL) {
        count_error(reply->errors, text);
    }
    if (reply->failed != NULL) {
        *reply->failed = true;
    }
}

void reply_error(struct reply *reply, const char *text)
{
    reply_error_bytes(reply, bytes_of(text));
}

void reply_error_printf(struct reply *reply, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ASSERT(size > 0);
    reply_error_bytes(reply,
                      (struct bytes){(const uint8_t *)text, MIN((size_t)size, sizeof(text) - 1)});
}

void reply_integer(struct reply *reply, int64_t value)
{
    bool negative = value < 0;

    put_number_line(reply->buf, ':', negative ? 0 - (uint64_t)value : (uint64_t)value, negative);
}

void reply_bulk(struct reply *reply, struct bytes value)
{
    put_number_line(reply->buf, '$', value.size, false);
    buf_put(reply->buf, value.data, value.size);
    buf_put(reply->buf, "\r\n", 2);
}

void reply_bulk_text(struct reply *reply, const char *text)
{
    reply_bulk(reply, bytes_of(text));
}

void reply_bulk_u64(struct reply *reply, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    reply_bulk_text(reply, text);
}

void reply_null(struct reply *reply)
{
    if (reply->resp >= 3) {
        buf_put(reply->buf, "_\r\n", 3);
    } else {
        buf_put(reply->buf, "$-1\r\n", 5);
    }
}

void reply_bool(struct reply *reply, bool value)
{
    if (reply->resp >= 3) {
        buf_put(reply->buf, value ? "#t\r\n" : "#f\r\n", 4);
    } else {
        reply_integer(reply, value ? 1 : 0);
    }
}

void reply_double(struct reply *reply, double value)
{
    char text[40];

    snprintf(text, sizeof(text), "%.17g", value);
    if (reply->resp >= 3) {
        buf_printf(reply->buf, ",%s\r\n", text);
    } else {
        reply_bulk_text(reply, text);
    }
}

void reply_verbatim(struct reply *reply, struct bytes text)
{
    if (reply->resp < 3) {
        reply_bulk(reply, text);
        return;
    }
    put_number_line(reply->buf, '=', text.size + 4, false);
    buf_put(reply->buf, "txt:", 4);
    buf_put(reply->buf, text.data, text.size);
    buf_put(reply->buf, "\r\n", 2);
}

void reply_array(struct reply *reply, size_t count)
{
    put_number_line(reply->buf, '*', count, false);
}

void reply_map(struct reply *reply, size_t count)
{
    if (reply->resp >= 3) {
        put_number_line(reply->buf, '%', count, false);
    } else {
        put_number_line(reply->buf, '*', count * 2, false);
    }
}

void reply_set(struct reply *reply, size_t count)
{
    put_number_line(reply->buf, reply->resp >= 3 ? '~' : '*', count, false);
}

void reply_push(struct reply *reply, size_t count)
{
    ASSERT(reply->resp >= 3);
    put_number_line(reply->buf, '>', count, false);
}
