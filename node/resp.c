#include "node/resp.h"

#include <stdio.h>
#include <string.h>

enum { RESP_ARGS_KEEP = 1024 };

void resp_parser_init(struct resp_parser *parser)
{
    *parser = (struct resp_parser){.bulk_size = -1};
}

void resp_args_init(struct resp_args *args)
{
    *args = (struct resp_args){.items = NULL};
}

void resp_args_release(struct resp_args *args)
{
    mem_free(args->items);
    resp_args_init(args);
}

static void args_add(struct resp_args *args, struct bytes item)
{
    ASSERT(args->count < RESP_ARGS_MAX + 1);
    if (args->count == args->capacity) {
        args->capacity = MAX(16U, args->capacity * 2);
        args->items = mem_resize(args->items, sizeof(*args->items) * args->capacity);
    }
    args->items[args->count++] = item;
}

/* Begin a new request; an array that one huge request has blown up is given back. */
static void args_clear(struct resp_args *args)
{
    args->count = 0;
    if (args->capacity > RESP_ARGS_KEEP) {
        args->capacity = RESP_ARGS_KEEP;
        args->items = mem_resize(args->items, sizeof(*args->items) * args->capacity);
    }
}

static enum resp_result fail(struct resp_args *args, const char *words)
{
    int size = snprintf(args->error, sizeof(args->error), "Protocol error: %s", words);

    ASSERT(size > 0);
    ASSERT((size_t)size < sizeof(args->error));
    return RESP_ERROR;
}

/* ---- Inline requests ---- */

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static int hex_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static uint8_t unescape(uint8_t byte)
{
    switch (byte) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return byte;
    }
}

/* Copy what stands between quotes to `*to`. Return the number of bytes read, both quotes
 * included, or 0 when the closing one is missing or is followed by something else than a space. */
static size_t unquote(struct bytes in, uint8_t **to)
{
    uint8_t quote = in.data[0];
    size_t at = 1;

    ASSERT(quote == '"' || quote == '\'');
    while (at < in.size && in.data[at] != quote) {
        const uint8_t *byte = in.data + at;
        size_t left = in.size - at;

        if (quote == '"' && left >= 4 && byte[0] == '\\' && byte[1] == 'x' &&
            hex_of(byte[2]) >= 0 && hex_of(byte[3]) >= 0) {
            *(*to)++ = (uint8_t)(hex_of(byte[2]) * 16 + hex_of(byte[3]));
            at += 4;
        } else if (quote == '"' && left >= 2 && byte[0] == '\\') {
            *(*to)++ = unescape(byte[1]);
            at += 2;
        } else if (quote == '\'' && left >= 2 && byte[0] == '\\' && byte[1] == '\'') {
            *(*to)++ = '\'';
            at += 2;
        } else {
            *(*to)++ = byte[0];
            at++;
        }
    }
    if (at >= in.size) {
        return 0;
    }
    at++;
    return at == in.size || is_space(in.data[at]) ? at : 0;
}

bool resp_split_line(struct bytes line, struct arena *arena, struct resp_args *args)
{
    /* sds works on C strings: what follows a NUL does not count. */
    const uint8_t *nul = line.size == 0 ? NULL : memchr(line.data, 0, line.size);
    size_t size = nul == NULL ? line.size : (size_t)(nul - line.data);
    uint8_t *to = arena_alloc(arena, size + 1);
    size_t at = 0;

    args_clear(args);
    for (;;) {
        while (at < size && is_space(line.data[at])) {
            at++;
        }
        if (at == size) {
            return true;
        }
        const uint8_t *word = to;
        bool quoted = false;
        while (at < size && !quoted && !is_space(line.data[at])) {
            uint8_t byte = line.data[at];
            if (byte == '"' || byte == '\'') {
                size_t taken = unquote((struct bytes){line.data + at, size - at}, &to);
                if (taken == 0) {
                    return false;
                }
                at += taken;
                quoted = true; /* A closing quote ends the word. */
            } else {
                *to++ = byte;
                at++;
            }
        }
        args_add(args, (struct bytes){word, (size_t)(to - word)});
    }
}

static enum resp_result parse_inline(struct resp_parser *parser, struct bytes in,
                                     struct arena *arena, struct resp_args *args, size_t *used)
{
    size_t size_max = MIN(in.size, (size_t)RESP_LINE_MAX + 1);
    const uint8_t *newline = NULL;

    if (parser->at < size_max) {
        newline = memchr(in.data + parser->at, '\n', size_max - parser->at);
    }
    if (newline == NULL) {
        parser->at = size_max;
        return size_max > RESP_LINE_MAX ? fail(args, "too big inline request") : RESP_MORE;
    }
    size_t size = (size_t)(newline - in.data);
    *used = size + 1;
    if (size > 0 && in.data[size - 1] == '\r') {
        size--;
    }
    resp_parser_init(parser);
    if (!resp_split_line((struct bytes){in.data, size}, arena, args)) {
        return fail(args, "unbalanced quotes in request");
    }
    return RESP_REQUEST;
}

/* ---- Arrays of bulk strings ---- */

enum line_result { LINE_MORE, LINE_TOO_BIG, LINE_WHOLE };

/* The line that begins at `at` and ends in \r and one more byte, which Redis does not look at. */
static enum line_result line_at(struct bytes in, size_t at, struct bytes *line)
{
    ASSERT(at <= in.size);
    size_t left = in.size - at;
    size_t look = MIN(left, (size_t)RESP_LINE_MAX + 1);
    const uint8_t *from = in.data + at;
    const uint8_t *end = look == 0 ? NULL : memchr(from, '\r', look);

    if (end == NULL) {
        return look > RESP_LINE_MAX ? LINE_TOO_BIG : LINE_MORE;
    }
    if ((size_t)(end - from) + 2 > left) {
        return LINE_MORE;
    }
    *line = (struct bytes){from, (size_t)(end - from)};
    return LINE_WHOLE;
}

/* The usual short count, without the generality of bytes_to_i64. */
static bool length_of(struct bytes text, int64_t *out)
{
    if (text.size == 1 && text.data[0] >= '0' && text.data[0] <= '9') {
        *out = text.data[0] - '0';
        return true;
    }
    return bytes_to_i64(text, out);
}

/* Read `*3\r\n`. */
static enum resp_result parse_count(struct resp_parser *parser, const struct resp_limits *limits,
                                    struct bytes in, struct resp_args *args)
{
    struct bytes line;
    int64_t count = 0;

    switch (line_at(in, 0, &line)) {
    case LINE_MORE:
        return RESP_MORE;
    case LINE_TOO_BIG:
        return fail(args, "too big mbulk count string");
    case LINE_WHOLE:
        break;
    }
    struct bytes digits = {line.data + 1, line.size - 1};
    if (!length_of(digits, &count) || count > RESP_ARGS_MAX) {
        return fail(args, "invalid multibulk length");
    }
    if (!limits->authenticated && count > RESP_STRANGER_ARGS_MAX) {
        return fail(args, "unauthenticated multibulk length");
    }
    parser->at = line.size + 2;
    parser->args_left = MAX(count, (int64_t)0);
    return RESP_REQUEST;
}

/* Read `$5\r\n`. */
static enum resp_result parse_length(struct resp_parser *parser, const struct resp_limits *limits,
                                     struct bytes in, struct resp_args *args)
{
    struct bytes line;
    int64_t size = 0;

    switch (line_at(in, parser->at, &line)) {
    case LINE_MORE:
        return RESP_MORE;
    case LINE_TOO_BIG:
        return fail(args, "too big bulk count string");
    case LINE_WHOLE:
        break;
    }
    if (line.size == 0 || line.data[0] != '$') {
        uint8_t got = line.size == 0 ? ' ' : line.data[0];
        char words[32];
        snprintf(words, sizeof(words), "expected '$', got '%c'", got < ' ' ? ' ' : got);
        return fail(args, words);
    }
    struct bytes digits = {line.data + 1, line.size - 1};
    if (!length_of(digits, &size) || size < 0 || (uint64_t)size > limits->bulk_max) {
        return fail(args, "invalid bulk length");
    }
    if (!limits->authenticated && size > RESP_STRANGER_BULK_MAX) {
        return fail(args, "unauthenticated bulk length");
    }
    parser->at += line.size + 2;
    parser->bulk_size = size;
    return RESP_REQUEST;
}

/* Scan on from where the parser stands. Arguments are collected only when the scan began at the
 * first byte (`collect`): a request that came in pieces is scanned once more when it is whole. */
static enum resp_result scan_array(struct resp_parser *parser, const struct resp_limits *limits,
                                   struct bytes in, bool collect, struct resp_args *args)
{
    if (parser->at == 0) {
        enum resp_result result = parse_count(parser, limits, in, args);
        if (result != RESP_REQUEST) {
            return result;
        }
    }
    while (parser->args_left > 0) {
        if (parser->bulk_size < 0) {
            enum resp_result result = parse_length(parser, limits, in, args);
            if (result != RESP_REQUEST) {
                return result;
            }
        }
        size_t size = (size_t)parser->bulk_size;
        if ((uint64_t)parser->at + size + 2 > limits->request_max) {
            return fail(args, "request larger than max-request-bytes");
        }
        if (in.size - parser->at < size + 2) {
            return RESP_MORE;
        }
        if (collect) {
            args_add(args, (struct bytes){in.data + parser->at, size});
        }
        parser->at += size + 2;
        parser->bulk_size = -1;
        parser->args_left--;
    }
    return RESP_REQUEST;
}

static enum resp_result parse_array(struct resp_parser *parser, const struct resp_limits *limits,
                                    struct bytes in, struct resp_args *args, size_t *used)
{
    bool whole = parser->at == 0; /* Nothing of it has been scanned in an earlier call. */

    args_clear(args);
    enum resp_result result = scan_array(parser, limits, in, whole, args);
    if (result == RESP_REQUEST && !whole) {
        resp_parser_init(parser);
        result = scan_array(parser, limits, in, true, args);
        ASSERT(result != RESP_MORE); /* An error only when a limit has been lowered meanwhile. */
    }
    if (result == RESP_REQUEST) {
        ASSERT(parser->at <= in.size);
        *used = parser->at;
        resp_parser_init(parser);
    }
    return result;
}

enum resp_result resp_parse(struct resp_parser *parser, const struct resp_limits *limits,
                            struct bytes in, struct arena *arena, struct resp_args *args,
                            size_t *used)
{
    ASSERT(parser->at <= in.size);
    if (in.size == 0) {
        return RESP_MORE;
    }
    if (in.data[0] == '*') {
        return parse_array(parser, limits, in, args, used);
    }
    return parse_inline(parser, in, arena, args, used);
}
