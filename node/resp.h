/* node/resp.h - the Redis protocol as clients send it: requests cut out of a stream of bytes.
 *
 * A request is an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or one inline line,
 * split and unquoted as sds's sdssplitargs does. Limits and error texts are those of Redis
 * 7.0.15; where Redis's limits depend on how the bytes happened to arrive (it looks for the end
 * of a line in all that it has read), ours do not: parse(x) = parse(any chunking of x).
 *
 * Pure, and a parser holds no memory: the caller shows the same request again, from its first
 * byte and with more bytes, until it is whole. How far it has been scanned is kept, so that all
 * calls together take linear time. Nothing is ever allocated because of an announced length. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

enum {
    RESP_LINE_MAX = 64 * 1024,      /* Longest inline request, and longest line of a length. */
    RESP_ARGS_MAX = 1024 * 1024,    /* Arguments of one request. */
    RESP_STRANGER_ARGS_MAX = 10,    /* The same before AUTH, */
    RESP_STRANGER_BULK_MAX = 16384, /* and the longest argument before AUTH. */
    RESP_ERROR_SIZE = 96,
};

struct resp_limits {
    bool authenticated;
    uint64_t bulk_max;    /* Longest argument in bytes. */
    uint64_t request_max; /* Longest request in bytes, framing included. */
};

struct resp_parser {
    size_t at;         /* Bytes of the request that have been scanned. */
    int64_t args_left; /* Arguments still to come; 0: the first line is not complete. */
    int64_t bulk_size; /* Of the argument being read; -1: its length line is not complete. */
};

/* The arguments of one request: one such struct serves any number of parsers, one after another. */
struct resp_args {
    struct bytes *items;
    uint32_t count, capacity;
    char error[RESP_ERROR_SIZE]; /* After RESP_ERROR: "Protocol error: invalid bulk length". */
};

enum resp_result {
    RESP_MORE,    /* Show the same bytes again, and more. */
    RESP_REQUEST, /* `args` is a whole request; without arguments for an empty one. */
    RESP_ERROR,   /* Framing is lost: answer args->error and close. */
};

void resp_parser_init(struct resp_parser *parser);
void resp_args_init(struct resp_args *args);
void resp_args_release(struct resp_args *args);

/* Look at `in`, which begins with the first byte of a request. After RESP_REQUEST `*used` bytes
 * were it, the parser is as new, and the arguments are borrowed from `in` or (inline) from
 * `arena`. */
MUST_CHECK enum resp_result resp_parse(struct resp_parser *parser, const struct resp_limits *limits,
                                       struct bytes in, struct arena *arena, struct resp_args *args,
                                       size_t *used);

/* Split one line into words as sdssplitargs does: "..." with \n \r \t \b \a \xHH escapes, '...'
 * with \' only, and a closing quote must be followed by a space or the end. Return false when
 * quotes are unbalanced. `args` is borrowed from `arena`. */
MUST_CHECK bool resp_split_line(struct bytes line, struct arena *arena, struct resp_args *args);
