/* node/resp_reply.h - replies as clients read them, in RESP2 or RESP3.
 *
 * Each function appends one element. Types that RESP2 lacks become what Redis sends there: a map
 * is a flat array, a set an array, null a null bulk, a double or a verbatim string a bulk, true
 * is 1. Attributes and streamed types are never sent: clients die of them. */
#pragma once

#include "base/bytes.h"

enum { REPLY_ERRORS_MAX = 16, REPLY_PREFIX_SIZE = 20 };

/* How many error replies of each prefix were sent (INFO errorstats). */
struct reply_errors {
    struct {
        char prefix[REPLY_PREFIX_SIZE];
        uint64_t count;
    } items[REPLY_ERRORS_MAX];
    unsigned count;
    uint64_t total; /* Those of a seventeenth prefix included. */
};

struct reply {
    struct buf *buf;
    uint8_t resp;                /* 2 or 3 */
    struct reply_errors *errors; /* May be NULL. */
    bool *failed;                /* Set by every error; may be NULL. */
};

void reply_ok(struct reply *reply);
/* `text` has no CR or LF. */
void reply_simple(struct reply *reply, const char *text);
/* `text` begins with its prefix: "ERR syntax error". CR and LF become spaces, as in Redis. */
void reply_error(struct reply *reply, const char *text);
void reply_error_printf(struct reply *reply, const char *format, ...) PRINTF_LIKE(2, 3);
void reply_error_bytes(struct reply *reply, struct bytes text);
void reply_integer(struct reply *reply, int64_t value);
void reply_bulk(struct reply *reply, struct bytes value);
void reply_bulk_text(struct reply *reply, const char *text);
void reply_bulk_u64(struct reply *reply, uint64_t value);
void reply_null(struct reply *reply);
void reply_bool(struct reply *reply, bool value);
void reply_double(struct reply *reply, double value);
/* Text for people: a verbatim string of format txt. */
void reply_verbatim(struct reply *reply, struct bytes text);
/* The `count` elements that follow are its contents; `count` pairs in case of a map. */
void reply_array(struct reply *reply, size_t count);
void reply_map(struct reply *reply, size_t count);
void reply_set(struct reply *reply, size_t count);
/* Only to a RESP3 client that asked for pushes. */
void reply_push(struct reply *reply, size_t count);
