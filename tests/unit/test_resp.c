/* Requests cut out of a stream: however it is cut into pieces, and at the limits. */
#include "node/resp.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

#include <string.h>

static const struct resp_limits LIMITS = {
    .authenticated = true, .bulk_max = 1024, .request_max = 4096};

/* All that a stream means, as text: "<a><b>;" per request, "!words" for an error. */
static void describe(const struct resp_limits *limits, struct bytes in, const size_t *cuts,
                     unsigned cuts_count, struct buf *out)
{
    struct resp_parser parser;
    struct resp_args args;
    struct arena arena;
    size_t begin = 0;
    unsigned cut = 0;

    resp_parser_init(&parser);
    resp_args_init(&args);
    arena_init(&arena, 1024);
    size_t end = cuts_count > 0 ? cuts[0] : in.size;
    for (;;) {
        size_t used = 0;
        struct bytes visible = {in.data + begin, end - begin};
        /* A copy of exactly what has arrived, so that reading on is caught. */
        uint8_t *copy = mem_alloc(visible.size);
        memcpy(copy, visible.data, visible.size);
        enum resp_result result =
            resp_parse(&parser, limits, (struct bytes){copy, visible.size}, &arena, &args, &used);
        if (result == RESP_REQUEST) {
            ck_assert_uint_gt(used, 0);
            ck_assert_uint_le(used, visible.size);
            for (uint32_t i = 0; i < args.count; i++) {
                buf_printf(out, "<%.*s>", (int)args.items[i].size,
                           (const char *)args.items[i].data);
            }
            buf_printf(out, ";");
            begin += used;
        } else if (result == RESP_ERROR) {
            buf_printf(out, "!%s", args.error);
        }
        mem_free(copy);
        if (result == RESP_ERROR || (result == RESP_MORE && end == in.size)) {
            break;
        }
        if (result == RESP_MORE) {
            cut++;
            end = cut < cuts_count ? cuts[cut] : in.size;
        }
    }
    resp_args_release(&args);
    arena_release(&arena);
}

static const struct {
    const char *in, *meaning;
} TRICKY[] = {
    {"*1\r\n$4\r\nPING\r\n", "<PING>;"},
    {"*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$1\r\nx\r\n", "<GET><>;<x>;"},
    {"*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$4\r\n*1\r\n\r\n", "<SET><\r\n><*1\r\n>;"},
    {"PING\r\nECHO hi\n\r\n\n  \r\nGET k\r\n", "<PING>;<ECHO><hi>;;;;<GET><k>;"},
    {"*0\r\n*-1\r\n*1\r\n$1\r\na\r\n", ";;<a>;"},
    {"SET k \"a b\\n\\x41\\\"\" 'it\\'s' x\"y z\"\r\n", "<SET><k><a b\nA\"><it's><xy z>;"},
    {"a\"b\"c d\r\n", "!Protocol error: unbalanced quotes in request"},
    {"\"open\r\nGET k\r\n", "!Protocol error: unbalanced quotes in request"},
    {"'a'b\r\n", "!Protocol error: unbalanced quotes in request"},
    {"\"\"\r\n", "<>;"},
    {"\"\\x4\" \"\\q\"\r\n", "<x4><q>;"},
    {"*x\r\n", "!Protocol error: invalid multibulk length"},
    {"*\r\n", "!Protocol error: invalid multibulk length"},
    {"*+1\r\n", "!Protocol error: invalid multibulk length"},
    {"*01\r\n", "!Protocol error: invalid multibulk length"},
    {"* 1\r\n", "!Protocol error: invalid multibulk length"},
    {"*99999999999999999999\r\n", "!Protocol error: invalid multibulk length"},
    {"*1048577\r\n", "!Protocol error: invalid multibulk length"},
    {"*1\r\nPING\r\n", "!Protocol error: expected '$', got 'P'"},
    {"*1\r\n\r\n", "!Protocol error: expected '$', got ' '"},
    {"*1\r\n*1\r\n", "!Protocol error: expected '$', got '*'"},
    {"*1\r\n$x\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$-1\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$1025\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$4\r\nPINGxx*1\r\n$1\r\na\r\n", "<PING>;<a>;"}, /* Nor does Redis look at these two. */
    {"*1\rx$1\r\na\r\n", "<a>;"},
    {"GET k\r\n*1\r\n$4\r\nPI", "<GET><k>;"},
    {"*2\r\n$3\r\nGET\r\n", ""},
    {"*", ""},
};

TEST(a_stream_means_the_same_however_it_is_cut)
{
    for (unsigned i = 0; i < ARRAY_COUNT(TRICKY); i++) {
        struct bytes in = bytes_of(TRICKY[i].in);
        for (size_t first = 0; first <= in.size; first++) {
            for (size_t second = first; second <= in.size; second++) {
                size_t cuts[2] = {first, second};
                struct buf out;
                buf_init(&out, 1 << 16);
                describe(&LIMITS, in, cuts, 2, &out);
                buf_put_u8(&out, 0);
                ck_assert_msg(strcmp((char *)out.data, TRICKY[i].meaning) == 0,
                              "%s cut at %zu and %zu: %s", TRICKY[i].in, first, second, out.data);
                buf_release(&out);
            }
        }
    }
}
END_TEST

TEST(a_stream_means_the_same_byte_by_byte)
{
    for (unsigned i = 0; i < ARRAY_COUNT(TRICKY); i++) {
        struct bytes in = bytes_of(TRICKY[i].in);
        size_t cuts[256];
        struct buf out;
        for (size_t j = 0; j < in.size; j++) {
            cuts[j] = j;
        }
        buf_init(&out, 1 << 16);
        describe(&LIMITS, in, cuts, (unsigned)in.size, &out);
        buf_put_u8(&out, 0);
        ck_assert_str_eq((char *)out.data, TRICKY[i].meaning);
        buf_release(&out);
    }
}
END_TEST

/* Random bytes of an alphabet that is likely to be understood, in random pieces. */
TEST(random_streams_mean_the_same_however_they_are_cut)
{
    static const char *const PIECES[] = {"*1\r\n", "*2\r\n", "$3\r\n", "$0\r\n", "abc",     "\r\n",
                                         "\r",     "\n",     "\"",     "'",      " ",       "\\x41",
                                         "*",      "$",      "1",      "-",      "PING\r\n"};
    struct prng prng;
    prng_init(&prng, 3);
    for (unsigned round = 0; round < 20000; round++) {
        struct buf in;
        struct buf whole;
        struct buf cut;
        size_t cuts[64];
        unsigned cuts_count = 0;
        buf_init(&in, 1 << 16);
        buf_init(&whole, 1 << 16);
        buf_init(&cut, 1 << 16);
        for (uint64_t i = prng_below(&prng, 20); i > 0; i--) {
            const char *piece = PIECES[prng_below(&prng, ARRAY_COUNT(PIECES))];
            buf_put(&in, piece, strlen(piece));
        }
        buf_put_u8(&in, '\n');
        for (size_t at = 0; at < in.size && cuts_count < 64; at += 1 + prng_below(&prng, 8)) {
            cuts[cuts_count++] = at;
        }
        describe(&LIMITS, buf_bytes(&in), NULL, 0, &whole);
        describe(&LIMITS, buf_bytes(&in), cuts, cuts_count, &cut);
        ck_assert(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
        buf_release(&in);
        buf_release(&whole);
        buf_release(&cut);
    }
}
END_TEST

/* ---- Limits, from one below to one above ---- */

/* The parser's word on `in`, all of which has arrived. */
static enum resp_result parse(const struct resp_limits *limits, const struct buf *in,
                              struct resp_args *args)
{
    struct resp_parser parser;
    struct arena arena;
    size_t used = 0;
    resp_parser_init(&parser);
    resp_args_init(args);
    arena_init(&arena, 1024);
    enum resp_result result = resp_parse(&parser, limits, buf_bytes(in), &arena, args, &used);
    arena_release(&arena);
    return result;
}

static void check(const struct resp_limits *limits, const struct buf *in, enum resp_result expected,
                  const char *words)
{
    struct resp_args args;
    ck_assert_int_eq(parse(limits, in, &args), expected);
    if (words != NULL) {
        ck_assert_str_eq(args.error, words);
    }
    resp_args_release(&args);
}

static void put_many(struct buf *in, char byte, size_t count)
{
    memset(buf_reserve(in, count), byte, count);
}

TEST(an_inline_line_has_at_most_64_kb)
{
    for (size_t size = RESP_LINE_MAX - 1; size <= RESP_LINE_MAX + 1; size++) {
        for (int ended = 0; ended <= 1; ended++) {
            struct buf in;
            buf_init(&in, 1 << 20);
            put_many(&in, 'a', size);
            if (ended) {
                buf_put_u8(&in, '\n');
            }
            bool fits = size <= RESP_LINE_MAX;
            check(&LIMITS, &in,
                  !fits   ? RESP_ERROR
                  : ended ? RESP_REQUEST
                          : RESP_MORE,
                  fits ? NULL : "Protocol error: too big inline request");
            buf_release(&in);
        }
    }
}
END_TEST

TEST(a_line_of_a_length_has_at_most_64_kb)
{
    static const char *const BEGINNINGS[] = {"*", "*1\r\n$"};
    static const char *const WORDS[] = {"Protocol error: too big mbulk count string",
                                        "Protocol error: too big bulk count string"};
    for (unsigned i = 0; i < 2; i++) {
        for (size_t size = RESP_LINE_MAX - 1; size <= RESP_LINE_MAX + 1; size++) {
            struct buf in;
            buf_init(&in, 1 << 20);
            buf_put(&in, BEGINNINGS[i], strlen(BEGINNINGS[i]));
            put_many(&in, '1', size - 1);
            bool fits = size <= RESP_LINE_MAX;
            check(&LIMITS, &in, fits ? RESP_MORE : RESP_ERROR, fits ? NULL : WORDS[i]);
            buf_release(&in);
        }
    }
}
END_TEST

TEST(arguments_requests_and_strangers_have_limits)
{
    static const struct {
        bool authenticated;
        const char *in;
        enum resp_result result;
        const char *words;
    } CASES[] = {
        {true, "*1048576\r\n", RESP_MORE, NULL},
        {true, "*1048577\r\n", RESP_ERROR, "Protocol error: invalid multibulk length"},
        {true, "*1\r\n$1023\r\n", RESP_MORE, NULL},
        {true, "*1\r\n$1024\r\n", RESP_MORE, NULL},
        {true, "*1\r\n$1025\r\n", RESP_ERROR, "Protocol error: invalid bulk length"},
        {false, "*10\r\n", RESP_MORE, NULL},
        {false, "*11\r\n", RESP_ERROR, "Protocol error: unauthenticated multibulk length"},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(CASES); i++) {
        struct resp_limits limits = LIMITS;
        struct buf in;
        limits.authenticated = CASES[i].authenticated;
        buf_init(&in, 1 << 20);
        buf_put_bytes(&in, bytes_of(CASES[i].in));
        check(&limits, &in, CASES[i].result, CASES[i].words);
        buf_release(&in);
    }
    struct resp_limits limits = {.bulk_max = 1 << 20, .request_max = 1 << 20};
    for (int size = RESP_STRANGER_BULK_MAX - 1; size <= RESP_STRANGER_BULK_MAX + 1; size++) {
        struct buf in;
        buf_init(&in, 1 << 20);
        buf_printf(&in, "*1\r\n$%d\r\n", size);
        bool fits = size <= RESP_STRANGER_BULK_MAX;
        check(&limits, &in, fits ? RESP_MORE : RESP_ERROR,
              fits ? NULL : "Protocol error: unauthenticated bulk length");
        buf_release(&in);
    }
}
END_TEST

TEST(a_whole_request_has_a_limit)
{
    struct buf in;
    struct resp_limits limits = LIMITS;
    buf_init(&in, 1 << 20);
    buf_printf(&in, "*2\r\n$3\r\nGET\r\n$5\r\nhello\r\n");
    for (int extra = -1; extra <= 1; extra++) {
        limits.request_max = in.size + (uint64_t)(int64_t)extra;
        check(&limits, &in, extra < 0 ? RESP_ERROR : RESP_REQUEST,
              extra < 0 ? "Protocol error: request larger than max-request-bytes" : NULL);
    }
    buf_release(&in);
}
END_TEST

TEST(an_announced_length_allocates_nothing)
{
    struct buf in;
    struct resp_args args;
    buf_init(&in, 1 << 20);
    buf_printf(&in, "*1048576\r\n$1000\r\n");
    size_t before = mem_used();
    ck_assert_int_eq(parse(&LIMITS, &in, &args), RESP_MORE);
    ck_assert_uint_le(mem_used() - before, 4096);
    resp_args_release(&args);
    buf_release(&in);
}
END_TEST

UNIT_MAIN(a_stream_means_the_same_however_it_is_cut, a_stream_means_the_same_byte_by_byte,
          random_streams_mean_the_same_however_they_are_cut, an_inline_line_has_at_most_64_kb,
          a_line_of_a_length_has_at_most_64_kb, arguments_requests_and_strangers_have_limits,
          a_whole_request_has_a_limit, an_announced_length_allocates_nothing)
