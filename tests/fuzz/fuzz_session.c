/* tests/fuzz/fuzz_session.c - a client's bytes through a whole one-node store and back.
 *
 * Input: one byte of options, then the stream. Properties:
 * - the replies do not depend on how the stream was cut, nor on when the disk answers;
 * - replies are well-formed, one for each request, in order; after an error of the protocol the
 *   connection is closed and nothing that follows is carried out;
 * - who has not given the password changes nothing;
 * - what was accepted can be read by every command, and reads the same after a crash and a restart;
 * - memory stays within a multiple of what was received. */
#include "base/hash.h"
#include "node/resp.h"
#include "quorum/key.h"
#include "quorum/object.h"
#include "storage/memory.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_node.h"
#include "tests/fuzz/fuzz_replies.h"

#include <string.h>

enum {
    OPTION_CLUSTER_FACE = 1,
    OPTION_PASSWORD = 2,
    OPTION_RUNS = 4, /* See fuzz_expand. */
    STREAM_SIZE_MAX = 300 * 1024,
    PROBED_KEYS_MAX = 8,
    PROBED_NAME_MAX = 4096,
    MEMORY_FACTOR = 16,
    MEMORY_SLACK = 2 * 1024 * 1024, /* The cache, and buffers that are kept. */
    CLIENT = 1,
    PROBE = 2,
};

enum mark {
    MARK_REPLY,
    MARK_COMPARED,
    MARK_COUNTED,
    MARK_PROTOCOL_ERROR,
    MARK_RESTART,
    MARK_KEY,
    MARK_STRANGER
};
const char *const FUZZ_MARKS[] = {"replies",  "compared",    "counted",   "protocol_errors",
                                  "restarts", "keys_probed", "strangers", NULL};

static const struct options *options_of(bool password)
{
    static struct options options[2];
    static bool made;

    if (!made) {
        for (unsigned i = 0; i < 2; i++) {
            fuzz_node_options(&options[i]);
        }
        memcpy(options[1].requirepass, "password", 9);
        made = true;
    }
    return &options[password];
}

/* A word of a command somewhere in the stream, in any case. */
static bool mentions(struct bytes stream, const char *word)
{
    size_t size = strlen(word);

    for (size_t i = 0; i + size <= stream.size; i++) {
        if (bytes_equal_nocase((struct bytes){stream.data + i, size}, word)) {
            return true;
        }
    }
    return false;
}

static bool mentions_any(struct bytes stream, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (mentions(stream, *words)) {
            return true;
        }
    }
    return false;
}

/* ---- Running a stream ---- */

static void run_whole(struct fuzz_node *node, struct bytes stream)
{
    fuzz_client_bytes(node, CLIENT, stream);
    fuzz_node_settle(node);
}

static void run_pieces(struct fuzz_node *node, struct bytes stream)
{
    struct pieces pieces;
    struct bytes piece;

    pieces_init(&pieces, stream, 3);
    while (pieces_next(&pieces, &piece)) {
        uint8_t *exact = fuzz_exact(piece);
        fuzz_client_bytes(node, CLIENT, (struct bytes){exact, piece.size});
        mem_free(exact);
        for (uint64_t left = prng_below(&pieces.prng, 3); left > 0; left--) {
            (void)fuzz_node_some(node);
        }
        if (node->clients[CLIENT].paused) {
            fuzz_node_settle(node);
        }
    }
    fuzz_node_settle(node);
}

static void check_memory(struct fuzz_node *node, struct bytes stream, size_t before)
{
    buf_release(&node->clients[CLIENT].out);
    size_t now = mem_used();

    ASSERT(now <= before + MEMORY_FACTOR * stream.size + memory_bytes(node->storage, STORAGE_DATA) +
                      memory_bytes(node->storage, STORAGE_LOG) + MEMORY_SLACK);
}

/* ---- Replies ---- */

/* How many requests the stream holds, and whether it ends in an error. Only for a stream that the
 * node cannot end early, and whose limits stay as they are. */
static uint32_t count_requests(struct bytes stream, bool *error)
{
    const struct options *options = options_of(false);
    struct resp_limits limits = {
        .authenticated = true,
        .bulk_max = MAX(options->max_value_bytes, (uint64_t)KEY_USER_MAX),
        .request_max = options->max_request_bytes,
    };
    struct resp_parser parser;
    struct resp_args args;
    struct arena arena;
    uint32_t count = 0;
    enum resp_result result = RESP_REQUEST;

    resp_parser_init(&parser);
    resp_args_init(&args);
    arena_init(&arena, 1024);
    while (stream.size > 0 && result == RESP_REQUEST) {
        size_t used = 0;
        result = resp_parse(&parser, &limits, stream, &arena, &args, &used);
        count += result == RESP_REQUEST && args.count > 0;
        stream = (struct bytes){stream.data + used, stream.size - used};
        arena_reset(&arena);
    }
    *error = result == RESP_ERROR;
    resp_args_release(&args);
    arena_release(&arena);
    return count;
}

static void check_replies(const struct fuzz_node *node, struct bytes stream)
{
    static const char *const ENDS[] = {"quit", "shutdown", "post", "host:", "config", NULL};
    const struct fuzz_stream *client = &node->clients[CLIENT];
    bool error = false;
    uint32_t requests = count_requests(stream, &error);
    int64_t replies = replies_count(buf_bytes(&client->out));

    ASSERT(replies >= 0);
    for (int64_t i = 0; i < replies; i++) {
        fuzz_mark(MARK_REPLY);
    }
    if (node->stopped || mentions_any(stream, ENDS)) {
        ASSERT(replies <= (int64_t)requests + 1);
        return;
    }
    fuzz_mark(MARK_COUNTED);
    ASSERT(replies == (int64_t)requests + (error ? 1 : 0));
    ASSERT(client->closed == error);
    if (error) {
        fuzz_mark(MARK_PROTOCOL_ERROR);
        struct bytes last = replies_last(buf_bytes(&client->out));
        ASSERT(last.size > 20);
        ASSERT(memcmp(last.data, "-ERR Protocol error:", 20) == 0);
    }
}

/* Pieces and a disk that answers late make no difference, unless the client asks about just that.
 */
static void check_pieces(struct bytes stream, unsigned options, const struct fuzz_node *whole)
{
    static const char *const ASK[] = {"info", "client", "rf.", "config", "shutdown", NULL};
    struct storage *storage = memory_new();
    struct fuzz_node node;

    fuzz_node_start(&node, options_of((options & OPTION_PASSWORD) != 0), storage,
                    1 + hash_xxh3(stream) % 1000);
    fuzz_client_open(&node, CLIENT,
                     (options & OPTION_CLUSTER_FACE) != 0 ? FACE_CLUSTER : FACE_PLAIN);
    run_pieces(&node, stream);
    const struct fuzz_stream *a = &whole->clients[CLIENT], *b = &node.clients[CLIENT];
    ASSERT(replies_count(buf_bytes(&b->out)) >= 0 || node.stopped);
    if (!mentions_any(stream, ASK)) {
        fuzz_mark(MARK_COMPARED);
        ASSERT(bytes_equal(buf_bytes(&a->out), buf_bytes(&b->out)));
        ASSERT(a->closed == b->closed);
    }
    fuzz_node_release(&node);
    storage_close(storage);
}

/* ---- What was accepted can be read ---- */

struct probed {
    struct arena *arena;
    struct bytes keys[PROBED_KEYS_MAX];
    unsigned count;
};

static void probe_visit(void *context, struct bytes key, struct bytes value)
{
    struct probed *probed = context;
    struct key_parts parts;
    struct object object;

    ASSERT(key_decode(key, &parts) == OK);
    ASSERT(object_decode(value, key, probed->arena, &object) == OK);
    if (probed->count < PROBED_KEYS_MAX && parts.user.size <= PROBED_NAME_MAX) {
        probed->keys[probed->count++] = arena_copy_bytes(probed->arena, key);
    }
}

static void put_command(struct buf *out, const char *name, struct bytes argument)
{
    buf_printf(out, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(name), name, argument.size);
    buf_put_bytes(out, argument);
    buf_put_bytes(out, BYTES_LITERAL("\r\n"));
}

/* Every command that reads, on every key. None may fail, and what they say is kept in `replies`. */
static void probe(struct fuzz_node *node, const struct probed *probed, struct buf *replies)
{
    static const char *const READS[] = {"GET",  "STRLEN", "TYPE", "EXISTS",
                                        "PTTL", "RF.GET", "MGET"};
    struct buf commands;

    buf_init(&commands, SIZE_MAX);
    for (unsigned i = 0; i < probed->count; i++) {
        struct key_parts parts;
        ASSERT(key_decode(probed->keys[i], &parts) == OK);
        fuzz_mark(MARK_KEY);
        buf_printf(&commands, "SELECT %u\r\n", parts.database);
        for (unsigned j = 0; j < ARRAY_COUNT(READS); j++) {
            put_command(&commands, READS[j], parts.user);
        }
    }
    fuzz_client_open(node, PROBE, FACE_PLAIN);
    fuzz_client_bytes(node, PROBE, buf_bytes(&commands));
    fuzz_node_settle(node);
    buf_put_bytes(replies, buf_bytes(&node->clients[PROBE].out));
    ASSERT(replies_count(buf_bytes(replies)) ==
           (int64_t)(probed->count * (1 + ARRAY_COUNT(READS))));
    ASSERT(!replies_have_error(buf_bytes(replies)));
    fuzz_client_close(node, PROBE);
    buf_release(&commands);
}

static void check_restart(struct fuzz_node *node)
{
    struct storage *storage = node->storage;
    struct fuzz_node again;
    struct buf before, after;
    struct arena arena;
    struct probed probed = {.arena = &arena};

    arena_init(&arena, 4096);
    buf_init(&before, SIZE_MAX);
    buf_init(&after, SIZE_MAX);
    memory_for_each(storage, STORAGE_DATA, probe_visit, &probed);
    probe(node, &probed, &before);
    (void)memory_crash(storage, MEMORY_CRASH_POWER, 0);
    memory_reopen(storage);
    fuzz_mark(MARK_RESTART);
    fuzz_node_start(&again, options_of(false), storage, 0);
    ASSERT(!again.fatal);
    again.now_ns = node->now_ns;
    probe(&again, &probed, &after);
    ASSERT(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
    fuzz_node_release(&again);
    buf_release(&before);
    buf_release(&after);
    arena_release(&arena);
}

static void check_stream(struct bytes stream, unsigned options)
{
    static const char *const LIMITS[] = {"config", "rf.consistency", NULL};
    bool password = (options & OPTION_PASSWORD) != 0;
    struct storage *storage = memory_new();
    struct fuzz_node node;

    fuzz_node_start(&node, options_of(password), storage, 0);
    fuzz_client_open(&node, CLIENT,
                     (options & OPTION_CLUSTER_FACE) != 0 ? FACE_CLUSTER : FACE_PLAIN);
    size_t before = mem_used();
    run_whole(&node, stream);
    if (!password) {
        check_replies(&node, stream);
    } else if (!mentions(stream, "password")) {
        fuzz_mark(MARK_STRANGER);
        ASSERT(memory_keys(storage, STORAGE_DATA) == 0);
        ASSERT(!node.stopped);
    }
    check_pieces(stream, options, &node);
    check_memory(&node, stream, before);
    bool chosen = hash_xxh3(stream) % 4 == 0;
    if (chosen && !password && !node.stopped && !mentions_any(stream, LIMITS)) {
        fuzz_client_close(&node, CLIENT);
        fuzz_node_settle(&node);
        check_restart(&node);
    }
    fuzz_node_release(&node);
    storage_close(storage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {data, size};
    unsigned options = fuzz_mode(&input, 8);
    struct buf expanded;

    buf_init(&expanded, STREAM_SIZE_MAX);
    if ((options & OPTION_RUNS) != 0) {
        fuzz_expand(input, STREAM_SIZE_MAX, &expanded);
        input = buf_bytes(&expanded);
    }
    check_stream(input, options);
    buf_release(&expanded);
    return 0;
}
