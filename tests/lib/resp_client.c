#include "tests/lib/resp_client.h"

#include <string.h>

void resp_client_command(struct buf *out, const struct bytes *args, size_t count)
{
    ASSERT(count > 0);
    buf_printf(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "$%zu\r\n", args[i].size);
        buf_put_bytes(out, args[i]);
        buf_put(out, "\r\n", 2);
    }
}

void resp_client_init(struct resp_client *parser, size_t size_max)
{
    buf_init(&parser->in, size_max);
}

void resp_client_release(struct resp_client *parser)
{
    buf_release(&parser->in);
}

void resp_client_clear(struct resp_client *parser)
{
    buf_clear(&parser->in);
}

enum err resp_client_feed(struct resp_client *parser, struct bytes bytes)
{
    return buf_append(&parser->in, bytes.data, bytes.size);
}

/* Take one line without its end. */
static enum err line_next(struct reader *in, struct bytes *out)
{
    size_t left = reader_left(in);
    const uint8_t *end = left > 0 ? memchr(in->at, '\r', left) : NULL;
    if (end == NULL || end + 1 == in->end) {
        return ERR_INCOMPLETE;
    }
    if (end[1] != '\n') {
        return ERR_MALFORMED;
    }
    *out = reader_bytes(in, (size_t)(end - in->at));
    (void)reader_bytes(in, 2);
    return OK;
}

static enum err bulk_next(struct reader *in, int64_t size, struct arena *arena,
                          struct resp_value *out)
{
    if (size == -1) {
        out->type = RESP_NIL;
        return OK;
    }
    if (size < 0 || size > RESP_BULK_MAX) {
        return ERR_MALFORMED;
    }
    if (reader_left(in) < (size_t)size + 2) {
        return ERR_INCOMPLETE;
    }
    out->text = arena_copy_bytes(arena, reader_bytes(in, (size_t)size));
    struct bytes end = reader_bytes(in, 2);
    return end.data[0] == '\r' && end.data[1] == '\n' ? OK : ERR_MALFORMED;
}

static enum err value_next(struct reader *in, unsigned depth, struct arena *arena,
                           struct resp_value *out);

static enum err items_next(struct reader *in, int64_t count, unsigned depth, struct arena *arena,
                           struct resp_value *out)
{
    if (count == -1) {
        out->type = RESP_NIL;
        return OK;
    }
    if (count < 0 || count > RESP_ITEMS_MAX || depth == RESP_DEPTH_MAX) {
        return ERR_MALFORMED;
    }
    if ((size_t)count > reader_left(in)) {
        return ERR_INCOMPLETE; /* An item takes at least one byte: bounds the allocation. */
    }
    struct resp_value *items = ARENA_ARRAY(arena, struct resp_value, (size_t)count + 1);
    for (int64_t i = 0; i < count; i++) {
        enum err err = value_next(in, depth + 1, arena, &items[i]);
        if (err != OK) {
            return err;
        }
    }
    out->items = items;
    out->items_count = (uint32_t)count;
    return OK;
}

static enum err number_of(struct bytes line, int64_t *out)
{
    return bytes_to_i64(line, out) ? OK : ERR_MALFORMED;
}

static enum err sized_next(struct reader *in, uint8_t kind, struct bytes line, unsigned depth,
                           struct arena *arena, struct resp_value *out)
{
    int64_t size = 0;
    enum err err = number_of(line, &size);
    if (err != OK) {
        return err;
    }
    switch (kind) {
    case '$':
    case '=':
        out->type = RESP_BULK;
        return bulk_next(in, size, arena, out);
    case '!':
        out->type = RESP_ERROR;
        return bulk_next(in, size, arena, out);
    case '%':
        out->type = RESP_MAP;
        return items_next(in, size < 0 || size > RESP_ITEMS_MAX ? -2 : size * 2, depth, arena, out);
    case '>':
        out->type = RESP_PUSH;
        return items_next(in, size, depth, arena, out);
    default:
        out->type = RESP_ARRAY;
        return items_next(in, size, depth, arena, out);
    }
}

static enum err value_next(struct reader *in, unsigned depth, struct arena *arena,
                           struct resp_value *out)
{
    if (reader_left(in) == 0) {
        return ERR_INCOMPLETE;
    }
    uint8_t kind = reader_u8(in);
    struct bytes line;
    enum err err = line_next(in, &line);
    if (err != OK) {
        return err;
    }
    memset(out, 0, sizeof(*out));
    switch (kind) {
    case '+':
    case '-':
        out->type = kind == '+' ? RESP_SIMPLE : RESP_ERROR;
        out->text = arena_copy_bytes(arena, line);
        return OK;
    case ',':
    case '(':
        out->type = RESP_BULK;
        out->text = arena_copy_bytes(arena, line);
        return OK;
    case ':':
        out->type = RESP_INTEGER;
        return number_of(line, &out->integer);
    case '#':
        out->type = RESP_INTEGER;
        out->integer = bytes_equal(line, BYTES_LITERAL("t"));
        return OK;
    case '_':
        out->type = RESP_NIL;
        return line.size == 0 ? OK : ERR_MALFORMED;
    case '$':
    case '=':
    case '!':
    case '%':
    case '>':
    case '*':
    case '~':
        return sized_next(in, kind, line, depth, arena, out);
    default:
        return ERR_MALFORMED;
    }
}

enum err resp_client_next(struct resp_client *parser, struct arena *arena, struct resp_value *out)
{
    struct reader in = reader_of(buf_bytes(&parser->in));
    struct resp_value reply;
    enum err err = value_next(&in, 0, arena, &reply);
    if (err != OK) {
        return err;
    }
    ASSERT(!in.failed);
    buf_consume(&parser->in, (size_t)(in.at - parser->in.data));
    *out = reply;
    return OK;
}

bool resp_is_error(const struct resp_value *reply, const char *word)
{
    size_t size = strlen(word);
    return reply->type == RESP_ERROR && reply->text.size >= size &&
           memcmp(reply->text.data, word, size) == 0 &&
           (reply->text.size == size || reply->text.data[size] == ' ');
}

bool resp_is_simple(const struct resp_value *reply, const char *text)
{
    return reply->type == RESP_SIMPLE && bytes_equal(reply->text, bytes_of(text));
}

const struct resp_value *resp_field(const struct resp_value *reply, const char *name)
{
    if (reply->type != RESP_MAP && reply->type != RESP_ARRAY) {
        return NULL;
    }
    for (uint32_t i = 0; i + 1 < reply->items_count; i += 2) {
        const struct resp_value *key = &reply->items[i];
        if ((key->type == RESP_BULK || key->type == RESP_SIMPLE) &&
            bytes_equal(key->text, bytes_of(name))) {
            return &reply->items[i + 1];
        }
    }
    return NULL;
}
