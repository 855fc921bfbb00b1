/* tests/fuzz/fuzz_resp.c - streams of clients through the parser of requests.
 *
 * Input: one byte of options, then the stream. Properties:
 * - parse(x) = parse(any pieces of x): the same requests, the same end, the same words of error;
 * - after an error nothing that follows is a request, whatever it is;
 * - a request that was understood, written down as an array, is understood the same;
 * - arguments lie within the limits, and memory within a multiple of what was received. */
#include "node/resp.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum {
    OPTION_STRANGER = 1,
    OPTION_SMALL_LIMITS = 2,
    OPTION_RUNS = 4, /* See fuzz_expand. */
    STREAM_SIZE_MAX = 72 * 1024,
    STREAM_SIZE_LONG = 8 * 1024,
    MEMORY_FACTOR = 48, /* An argument takes two bytes of an inline request, and 16 in an array. */
    MEMORY_SLACK = 256 * 1024,
};

enum mark { MARK_REQUEST, MARK_INLINE, MARK_ERROR, MARK_STRANGER_ERROR, MARK_MANY_ARGUMENTS };
const char *const FUZZ_MARKS[] = {"requests",        "inline_requests", "errors",
                                  "stranger_errors", "many_arguments",  NULL};

/* What a stream has been understood as: all arguments of all requests, then how it ended. */
struct understood {
    struct buf text;
    uint32_t requests;
    size_t used; /* Bytes of all whole requests. */
    enum resp_result end;
};

static void understood_init(struct understood *understood)
{
    *understood = (struct understood){.end = RESP_MORE};
    buf_init(&understood->text, SIZE_MAX);
}

static struct resp_limits limits_of(unsigned options)
{
    bool small = (options & OPTION_SMALL_LIMITS) != 0;

    return (struct resp_limits){
        .authenticated = (options & OPTION_STRANGER) == 0,
        .bulk_max = small ? 20 : 64 * 1024 * 1024,
        .request_max = small ? 100 : 128 * 1024 * 1024,
    };
}

static void check_limits(const struct resp_args *args, const struct resp_limits *limits, bool array)
{
    ASSERT(args->count <= RESP_ARGS_MAX);
    fuzz_mark(array ? MARK_REQUEST : MARK_INLINE);
    if (args->count > 1000) {
        fuzz_mark(MARK_MANY_ARGUMENTS);
    }
    if (!array) {
        return;
    }
    ASSERT(limits->authenticated || args->count <= RESP_STRANGER_ARGS_MAX);
    for (uint32_t i = 0; i < args->count; i++) {
        ASSERT(args->items[i].size <= limits->bulk_max);
        ASSERT(limits->authenticated || args->items[i].size <= RESP_STRANGER_BULK_MAX);
    }
}

static void note_request(struct understood *understood, const struct resp_args *args, size_t used)
{
    buf_put_be32(&understood->text, args->count);
    for (uint32_t i = 0; i < args->count; i++) {
        buf_put_be32(&understood->text, (uint32_t)args->items[i].size);
        buf_put_bytes(&understood->text, args->items[i]);
    }
    understood->requests++;
    understood->used += used;
}

static void note_end(struct understood *understood, enum resp_result end,
                     const struct resp_args *args)
{
    understood->end = end;
    if (end == RESP_ERROR) {
        fuzz_mark(strstr(args->error, "unauthenticated") != NULL ? MARK_STRANGER_ERROR
                                                                 : MARK_ERROR);
        ASSERT(strncmp(args->error, "Protocol error: ", 16) == 0);
        ASSERT(strlen(args->error) < RESP_ERROR_SIZE);
        buf_put(&understood->text, args->error, strlen(args->error));
    }
}

/* Take whole requests from the front of `held`, which is what a session has not understood yet. */
static void take_requests(struct resp_parser *parser, const struct resp_limits *limits,
                          struct buf *held, struct arena *arena, struct understood *out)
{
    struct resp_args args;

    resp_args_init(&args);
    while (out->end != RESP_ERROR && held->size > 0) {
        uint8_t *exact = fuzz_exact(buf_bytes(held));
        size_t used = 0;
        enum resp_result result =
            resp_parse(parser, limits, (struct bytes){exact, held->size}, arena, &args, &used);
        if (result == RESP_REQUEST) {
            ASSERT(used > 0);
            ASSERT(used <= held->size);
            check_limits(&args, limits, held->data[0] == '*');
            note_request(out, &args, used);
            buf_consume(held, used);
        } else {
            note_end(out, result, &args);
        }
        mem_free(exact);
        arena_reset(arena);
        if (result != RESP_REQUEST) {
            break;
        }
    }
    resp_args_release(&args);
}

#ifdef FUZZ_CANARY
/* A bug of the kind that Dynomite had: a cut behind \r loses the parser's place. */
static void canary(struct resp_parser *parser, struct bytes piece)
{
    if (parser->bulk_size > 0 && piece.data[piece.size - 1] == '\r') {
        parser->bulk_size = -1;
    }
}
#endif

static void parse_pieces(struct bytes stream, const struct resp_limits *limits, uint64_t salt,
                         struct understood *out)
{
    struct resp_parser parser;
    struct pieces pieces;
    struct arena arena;
    struct bytes piece;
    struct buf held;

    resp_parser_init(&parser);
    arena_init(&arena, 4096);
    buf_init(&held, SIZE_MAX);
    pieces_init(&pieces, stream, salt);
    while (out->end != RESP_ERROR && pieces_next(&pieces, &piece)) {
        buf_put_bytes(&held, piece);
        take_requests(&parser, limits, &held, &arena, out);
#ifdef FUZZ_CANARY
        canary(&parser, piece);
#endif
    }
    buf_release(&held);
    arena_release(&arena);
}

/* In one piece, where it lies, as a session does with what the socket gave it. */
static void parse_whole(struct bytes stream, const struct resp_limits *limits,
                        struct understood *out)
{
    struct fuzz_memory memory = fuzz_memory_begin();
    struct resp_parser parser;
    struct resp_args args;
    struct arena arena;
    enum resp_result result = RESP_MORE;
    uint64_t taken = 0;

    resp_parser_init(&parser);
    resp_args_init(&args);
    arena_init(&arena, 4096);
    while (stream.size > 0) {
        size_t used = 0;
        result = resp_parse(&parser, limits, stream, &arena, &args, &used);
        taken += fuzz_memory_taken(&memory);
        if (result != RESP_REQUEST) {
            break;
        }
        note_request(out, &args, used);
        stream = (struct bytes){stream.data + used, stream.size - used};
        result = RESP_MORE;
        arena_reset(&arena);
        memory = fuzz_memory_begin();
    }
    note_end(out, result, &args);
    ASSERT(taken <= MEMORY_FACTOR * (out->used + stream.size) + MEMORY_SLACK);
    resp_args_release(&args);
    arena_release(&arena);
}

static void check_same(const struct understood *a, const struct understood *b)
{
    ASSERT(a->requests == b->requests);
    ASSERT(a->used == b->used);
    ASSERT(a->end == b->end);
    ASSERT(bytes_equal(buf_bytes(&a->text), buf_bytes(&b->text)));
}

/* More bytes behind an error are no request; more bytes behind whole requests change none of them.
 */
static void check_followed(struct bytes stream, const struct resp_limits *limits,
                           const struct understood *whole)
{
    struct understood followed;
    struct buf longer;

    understood_init(&followed);
    buf_init(&longer, SIZE_MAX);
    buf_put_bytes(&longer, stream);
    buf_put_bytes(&longer, BYTES_LITERAL("\r\n*1\r\n$4\r\nPING\r\nPING\r\n"));
    parse_whole(buf_bytes(&longer), limits, &followed);
    if (whole->end == RESP_ERROR) {
        check_same(whole, &followed);
    } else {
        ASSERT(followed.requests >= whole->requests);
        ASSERT(followed.text.size >= whole->text.size);
        struct bytes first = {followed.text.data, whole->text.size};
        ASSERT(bytes_equal(first, buf_bytes(&whole->text)));
    }
    buf_release(&longer);
    buf_release(&followed.text);
}

/* Write the requests as arrays again; the limits of strangers and sizes need not hold for that. */
static void check_rewritten(const struct understood *whole)
{
    struct resp_limits wide = {
        .authenticated = true, .bulk_max = SIZE_MAX, .request_max = SIZE_MAX};
    struct reader in = reader_of(buf_bytes(&whole->text));
    struct understood again;
    struct buf out;

    understood_init(&again);
    buf_init(&out, SIZE_MAX);
    for (uint32_t i = 0; i < whole->requests; i++) {
        uint32_t count = reader_be32(&in);
        buf_printf(&out, "*%u\r\n", count);
        for (uint32_t j = 0; j < count; j++) {
            struct bytes argument = reader_bytes(&in, reader_be32(&in));
            buf_printf(&out, "$%zu\r\n", argument.size);
            buf_put_bytes(&out, argument);
            buf_put_bytes(&out, BYTES_LITERAL("\r\n"));
        }
    }
    size_t noted = whole->text.size - reader_left(&in);
    parse_whole(buf_bytes(&out), &wide, &again);
    ASSERT(again.requests == whole->requests);
    ASSERT(again.end == RESP_MORE);
    ASSERT(again.used == out.size);
    ASSERT(bytes_equal(buf_bytes(&again.text), (struct bytes){whole->text.data, noted}));
    buf_release(&out);
    buf_release(&again.text);
}

static void check_stream(struct bytes stream, const struct resp_limits *limits)
{
    struct understood whole;

    understood_init(&whole);
    parse_whole(stream, limits, &whole);
    uint64_t cuts = stream.size > STREAM_SIZE_LONG ? 1 : 2;
    for (uint64_t salt = 0; salt < cuts; salt++) {
        struct understood cut;
        understood_init(&cut);
        parse_pieces(stream, limits, salt, &cut);
        check_same(&whole, &cut);
        buf_release(&cut.text);
    }
    check_followed(stream, limits, &whole);
    check_rewritten(&whole);
    buf_release(&whole.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {data, size};
    unsigned options = fuzz_mode(&input, 8);
    struct resp_limits limits = limits_of(options);
    struct buf expanded;

    buf_init(&expanded, STREAM_SIZE_MAX);
    if ((options & OPTION_RUNS) != 0) {
        fuzz_expand(input, STREAM_SIZE_MAX, &expanded);
        input = buf_bytes(&expanded);
    }
    check_stream(input, &limits);
    buf_release(&expanded);
    return 0;
}
