#include "tests/fuzz/fuzz_replies.h"

#include <string.h>

enum { DEPTH_MAX = 16 };

/* The line that begins at *at, without its end; *at moves behind it. */
static bool take_line(struct bytes bytes, size_t *at, struct bytes *line)
{
    const uint8_t *from = bytes.data + *at;
    const uint8_t *end = *at < bytes.size ? memchr(from, '\n', bytes.size - *at) : NULL;

    if (end == NULL || end == from || end[-1] != '\r') {
        return false;
    }
    *line = (struct bytes){from, (size_t)(end - from) - 1};
    *at += (size_t)(end - from) + 1;
    return memchr(line->data, '\r', line->size) == NULL;
}

/* `size` bytes and the end of a line. */
static bool take_bulk(struct bytes bytes, size_t *at, int64_t size)
{
    if (size < 0 || (uint64_t)size + 2 > bytes.size - *at) {
        return false;
    }
    *at += (size_t)size + 2;
    return bytes.data[*at - 2] == '\r' && bytes.data[*at - 1] == '\n';
}

static bool take_reply(struct bytes bytes, size_t *at, unsigned depth)
{
    struct bytes line;
    int64_t count = 0;

    if (depth > DEPTH_MAX || !take_line(bytes, at, &line) || line.size == 0) {
        return false;
    }
    struct bytes rest = {line.data + 1, line.size - 1};
    bool counted = bytes_to_i64(rest, &count);
    switch (line.data[0]) {
    case '+':
    case '-':
        return true;
    case ':':
        return counted;
    case '$':
        return counted && (count == -1 || take_bulk(bytes, at, count));
    case '=':
        return counted && count >= 4 && take_bulk(bytes, at, count);
    case '_':
        return rest.size == 0;
    case '#':
        return rest.size == 1 && (rest.data[0] == 't' || rest.data[0] == 'f');
    case ',':
    case '(':
        return rest.size > 0;
    case '*':
    case '~':
    case '%':
        break;
    default:
        return false;
    }
    bool null = line.data[0] == '*' && count == -1;
    count *= line.data[0] == '%' && count < INT32_MAX ? 2 : 1;
    for (int64_t i = 0; i < count; i++) {
        if (!take_reply(bytes, at, depth + 1)) {
            return false;
        }
    }
    return counted && (null || count >= 0);
}

int64_t replies_count(struct bytes bytes)
{
    int64_t count = 0;

    for (size_t at = 0; at < bytes.size; count++) {
        if (!take_reply(bytes, &at, 0)) {
            return -1;
        }
    }
    return count;
}

struct bytes replies_last(struct bytes bytes)
{
    size_t last = 0;

    for (size_t at = 0; at < bytes.size;) {
        last = at;
        bool whole = take_reply(bytes, &at, 0);
        ASSERT(whole);
    }
    return (struct bytes){bytes.data + last, bytes.size - last};
}

bool replies_have_error(struct bytes bytes)
{
    for (size_t at = 0; at < bytes.size;) {
        if (bytes.data[at] == '-') {
            return true;
        }
        bool whole = take_reply(bytes, &at, 0);
        ASSERT(whole);
    }
    return false;
}
