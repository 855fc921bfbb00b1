/* tests/lib/resp_client.h - the client's side of RESP2 and RESP3: commands out, replies in.
 *
 * Pure; for simulated and real test clients. A reply is a tree in an arena whose texts are copies,
 * so it outlives the parser's buffer. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

enum resp_type {
    RESP_SIMPLE,  /* +text */
    RESP_ERROR,   /* -text (or !text) */
    RESP_INTEGER, /* :integer, #t and #f as 1 and 0 */
    RESP_BULK,    /* $text, =text, ,text and (text */
    RESP_NIL,     /* $-1, *-1 and _ */
    RESP_ARRAY,   /* * and ~ */
    RESP_MAP,     /* %: items hold key, value, key, value, ... */
    RESP_PUSH,    /* > */
};

struct resp_value {
    enum resp_type type;
    int64_t integer;
    struct bytes text;
    const struct resp_value *items;
    uint32_t items_count;
};

enum { RESP_DEPTH_MAX = 8, RESP_ITEMS_MAX = 1 << 20, RESP_BULK_MAX = 1 << 29 };

struct resp_client {
    struct buf in;
};

/* Append one command: an array of bulk strings. */
void resp_client_command(struct buf *out, const struct bytes *args, size_t count);

/* `size_max` bounds the bytes of replies that were fed and not taken yet. */
void resp_client_init(struct resp_client *parser, size_t size_max);
void resp_client_release(struct resp_client *parser);
/* Forget everything fed: a new connection begins. */
void resp_client_clear(struct resp_client *parser);
/* Return ERR_TOO_LARGE when the bound is passed. */
MUST_CHECK enum err resp_client_feed(struct resp_client *parser, struct bytes bytes);
/* Take the next whole reply. Return ERR_INCOMPLETE when there is none yet, ERR_MALFORMED when the
 * bytes are no RESP. */
MUST_CHECK enum err resp_client_next(struct resp_client *parser, struct arena *arena,
                                     struct resp_value *out);

/* The reply is an error whose first word is `word`. */
bool resp_is_error(const struct resp_value *reply, const char *word);
/* The reply is +text. */
bool resp_is_simple(const struct resp_value *reply, const char *text);
/* The value under `name` in a RESP3 map or a flat array of names and values; NULL when absent. */
const struct resp_value *resp_field(const struct resp_value *reply, const char *name);
