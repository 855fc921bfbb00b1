/* tests/fuzz/fuzz_peer.c - a node between a member that says anything and a client that waits.
 *
 * The node is n2 of two members; the input plays n1. First byte: 0: a stranger, the rest is its
 * stream; 1: n1 itself, which knows the secret and then sends a script of
 *
 *     00..1f  a frame of this type: a byte of flags, two bytes of size, the body
 *     20..3f  a command of the node's client
 *     40..5f  1 to 32 times 20 ms pass
 *     60..7f  the connection ends, and n1 comes back
 *     80..ff  so many bytes (two bytes of size) as they are
 *
 * Properties: the node does not break, whatever a member says; every command of the client gets one
 * well-formed reply; a stranger changes nothing, and takes few bytes; cuts make no difference. */
#include "base/hash.h"
#include "base/pack.h"
#include "node/wire.h"
#include "ring/slot.h"
#include "storage/memory.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_node.h"
#include "tests/fuzz/fuzz_object.h"
#include "tests/fuzz/fuzz_replies.h"

#include <string.h>

enum {
    MODE_STRANGER,
    MODE_MEMBER,
    MODES_COUNT,
    CLIENT = 1,
    PEER = 1,
    PARTITIONS = 8,
    FLAG_ANSWERS = 1, /* The frame's request is the last one that the node has asked. */
    FLAG_FUTURE = 2,  /* Its clock is an hour ahead. */
    STRANGER_MEMORY_MAX = 16 * 1024,
    ID_SIZE = 16,
    MAC_SIZE = 32,
};

enum mark {
    MARK_STRANGER,
    MARK_CLOSED,
    MARK_MEMBER,
    MARK_FRAME,
    MARK_ANSWER,
    MARK_REPLY,
    MARK_REFUSED
};
const char *const FUZZ_MARKS[] = {"strangers", "closed",  "members",         "frames",
                                  "answers",   "replies", "replies_refused", NULL};

/* The node, and what n1 has learned of it. */
struct scene {
    struct fuzz_node node;
    struct storage *storage;
    bool cut; /* Everything to the node goes in pieces. */
    struct prng prng;
    struct buf heard;   /* Frames of the node. */
    struct buf pending; /* What n1 says in its next breath. */
    uint8_t genesis[ID_SIZE], their_id[ID_SIZE], their_nonce[ID_SIZE];
    struct buf their_hello;
    uint64_t asked;           /* Id of its last request, */
    uint16_t asked_partition; /* and where its key lies. */
    uint32_t commands;
    bool hello_heard;
};

static const uint8_t OWN_ID[] = "the fuzzing node", NONCE[] = "nonce of n1 here",
                     CLUSTER[] = "cluster of two..";

static const struct options *options_of(void)
{
    static struct options options;
    static bool made;

    if (!made) {
        struct buf words;
        buf_init(&words, 1024);
        fuzz_node_options(&options);
        ASSERT(options_set(&options, "node-name", "n2", &words) == OK);
        ASSERT(options_set(&options, "initial-members", "n1@h:1,n2@h:2", &words) == OK);
        ASSERT(options.partitions == PARTITIONS);
        memcpy(options.secret, "sixteen letters!", 16);
        options.secret_size = 16;
        buf_release(&words);
        made = true;
    }
    return &options;
}

/* ---- Hearing ---- */

static void hear_hello(struct scene *scene, const struct frame *frame)
{
    struct arena arena;

    arena_init(&arena, 1024);
    struct unpack in = unpack_of(frame->body, &arena);
    for (uint32_t left = unpack_map(&in); left > 0 && !in.failed; left--) {
        uint64_t field = unpack_u64(&in);
        uint8_t *to = field == 2    ? scene->genesis
                      : field == 5  ? scene->their_id
                      : field == 11 ? scene->their_nonce
                                    : NULL;
        if (to != NULL) {
            struct bytes value = unpack_bin(&in);
            ASSERT(value.size == ID_SIZE);
            memcpy(to, value.data, ID_SIZE);
        } else {
            unpack_skip(&in);
        }
    }
    ASSERT(unpack_done(&in));
    buf_clear(&scene->their_hello);
    buf_put_bytes(&scene->their_hello, frame->body);
    scene->hello_heard = true;
    arena_release(&arena);
}

/* Everything a node says is well-formed, whatever it was told. */
static void hear(struct scene *scene)
{
    struct buf *out = &scene->node.peers[PEER].out;
    struct frame frame;
    struct arena arena;
    size_t used = 0;

    arena_init(&arena, 1024);
    while (wire_next(buf_bytes(out), SIZE_MAX, &frame, &used) == OK) {
        if (frame.type == WIRE_HELLO) {
            hear_hello(scene, &frame);
        } else if (frame.type >= MESSAGE_ASK) {
            struct message message;
            ASSERT(wire_get_message(&frame, &arena, &message) == OK);
            if (frame.request != 0) {
                scene->asked = frame.request;
                scene->asked_partition = frame.partition;
            }
            fuzz_mark(MARK_ANSWER);
        }
        buf_put(&scene->heard, out->data, used);
        buf_consume(out, used);
        arena_reset(&arena);
    }
    ASSERT(out->size == 0);
    arena_release(&arena);
}

/* ---- Saying ---- */

static void say(struct scene *scene, struct bytes bytes)
{
    struct fuzz_node *node = &scene->node;
    struct pieces pieces;
    struct bytes piece = bytes;

    pieces_init(&pieces, bytes, prng_next(&scene->prng));
    while (scene->cut ? pieces_next(&pieces, &piece) : piece.size > 0) {
        uint8_t *exact = fuzz_exact(piece);
        fuzz_peer_bytes(node, PEER, (struct bytes){exact, piece.size});
        mem_free(exact);
        piece.size = 0;
    }
    fuzz_node_settle(node);
    hear(scene);
}

static void say_pending(struct scene *scene)
{
    struct buf said = scene->pending;

    buf_init(&scene->pending, SIZE_MAX);
    say(scene, buf_bytes(&said));
    buf_release(&said);
}

static void put_frame(struct buf *out, const struct frame *frame)
{
    size_t start = wire_begin(out, frame);

    buf_put_bytes(out, frame->body);
    wire_end(out, start);
}

static void put_ping(struct buf *out, uint16_t phase)
{
    put_frame(out, &(struct frame){.type = WIRE_PING, .flags = phase});
}

static void pack_text(struct buf *body, uint64_t field, const void *data, size_t size)
{
    pack_u64(body, field);
    pack_bin(body, (struct bytes){data, size});
}

static void put_hello(struct buf *out, struct buf *body, const struct scene *scene)
{
    pack_map(body, 8);
    pack_text(body, 1, "ringfort", 8);
    pack_text(body, 2, scene->genesis, ID_SIZE);
    pack_text(body, 4, "n1", 2);
    pack_text(body, 5, OWN_ID, ID_SIZE);
    pack_text(body, 11, NONCE, ID_SIZE);
    pack_u64(body, 10);
    pack_u64(body, 1);
    pack_u64(body, 12);
    pack_u64(body, 1);
    pack_u64(body, 16);
    pack_u64(body, options_of()->max_value_bytes);
    put_frame(out, &(struct frame){.type = WIRE_HELLO, .body = buf_bytes(body)});
}

static void put_proof(struct buf *out, const struct buf *own_hello, const struct scene *scene)
{
    const struct options *options = options_of();
    uint8_t mac[MAC_SIZE];
    struct buf text;

    buf_init(&text, SIZE_MAX);
    buf_put_bytes(&text, BYTES_LITERAL("dialer"));
    buf_put(&text, NONCE, ID_SIZE);
    buf_put(&text, scene->their_nonce, ID_SIZE);
    buf_put_bytes(&text, buf_bytes(own_hello));
    hash_hmac_sha256((struct bytes){options->secret, options->secret_size}, buf_bytes(&text), mac);
    put_frame(out, &(struct frame){.type = WIRE_PROOF, .body = {mac, sizeof(mac)}});
    buf_release(&text);
}

static void put_form(struct buf *out, const struct scene *scene)
{
    struct buf body;

    buf_init(&body, SIZE_MAX);
    pack_map(&body, 3);
    pack_text(&body, 1, CLUSTER, ID_SIZE);
    pack_text(&body, 2, scene->genesis, ID_SIZE);
    pack_u64(&body, 3);
    pack_array(&body, 2);
    pack_bin(&body, (struct bytes){OWN_ID, ID_SIZE});
    pack_bin(&body, (struct bytes){scene->their_id, ID_SIZE});
    put_frame(out, &(struct frame){.type = WIRE_FORM, .body = buf_bytes(&body)});
    buf_release(&body);
}

/* Another node's hello tells the genesis: n1 would know it from its own options. */
static void learn_genesis(struct scene *scene)
{
    struct storage *storage = memory_new();
    struct fuzz_node other;
    struct event open = {.type = EVENT_PEER_OPEN, .id = PEER, .member = 0, .address = "h:1"};

    fuzz_node_start(&other, options_of(), storage, 0);
    other.peers[PEER].open = true;
    fuzz_node_deliver(&other, &open); /* Dialed: it speaks first. */
    scene->node.peers[PEER].out = other.peers[PEER].out;
    buf_init(&other.peers[PEER].out, SIZE_MAX);
    hear(scene);
    ASSERT(scene->hello_heard);
    fuzz_node_release(&other);
    storage_close(storage);
}

/* Say hello; prove it, and all that a founder has to say, in one breath with what follows. */
static void join(struct scene *scene)
{
    struct buf *out = &scene->pending, own_hello;

    buf_init(&own_hello, SIZE_MAX);
    scene->hello_heard = false;
    fuzz_peer_open(&scene->node, PEER);
    put_hello(out, &own_hello, scene);
    say_pending(scene);
    ASSERT(scene->hello_heard);
    put_proof(out, &own_hello, scene);
    put_ping(out, 1);
    put_form(out, scene);
    put_ping(out, 2);
    buf_release(&own_hello);
}

/* ---- The script ---- */

/* Where a body has eight times dd it gets the id of the last request: acknowledgements name it. */
static void put_asked(uint8_t *data, size_t size, uint64_t asked)
{
    static const uint8_t MARK[8] = {0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd};
    uint8_t *at = size == 0 ? NULL : memmem(data, size, MARK, sizeof(MARK));

    if (at != NULL) {
        be64_set(at, asked);
    }
}

static void say_frame(struct scene *scene, uint8_t type, struct reader *in)
{
    uint8_t flags = reader_u8(in);
    struct bytes body = reader_bytes(in, reader_be16(in));
    uint8_t *exact = fuzz_exact(body);
    uint16_t slot = fuzz_put_keys(exact, body.size);
    put_asked(exact, body.size, scene->asked);
    uint64_t now = (1750000000000ULL + scene->node.now_ns / 1000000) << 16;
    struct frame frame = {
        .type = type,
        .flags = flags >> 4,
        .request = (flags & FLAG_ANSWERS) != 0 ? scene->asked : flags,
        .partition =
            (flags & FLAG_ANSWERS) != 0 ? scene->asked_partition : slot_partition(slot, PARTITIONS),
        .hlc = (flags & FLAG_FUTURE) != 0 ? now + (3600000ULL << 16) : now,
        .body = {exact, body.size},
    };
    put_frame(&scene->pending, &frame);
    fuzz_mark(MARK_FRAME);
    mem_free(exact);
}

static void command(struct scene *scene, unsigned which)
{
    static const char *const COMMANDS[] = {
        "GET key",
        "SET key value",
        "DEL key",
        "SET other value",
        "RF.GET key",
        "RF.SET key v",
        "RF.DEL key",
        "RF.EXPLAIN key",
        "SCAN 0",
        "DBSIZE",
        "KEYS *",
        "MSET key 1 a 2",
        "MGET key a other",
        "EXISTS key a",
        "TTL key",
        "STRLEN key",
        "FLUSHALL",
        "SET key v EX 1",
        "SET key v GET",
        "WAIT 1 10",
        "RF.WITH R 1 GET key",
        "RF.WITH CONSISTENCY quorum SET key x",
    };
    const char *text = COMMANDS[which % ARRAY_COUNT(COMMANDS)];
    struct buf line;

    buf_init(&line, 128);
    buf_printf(&line, "%s\r\n", text);
    fuzz_client_bytes(&scene->node, CLIENT, buf_bytes(&line));
    fuzz_node_settle(&scene->node);
    hear(scene);
    scene->commands++;
    buf_release(&line);
}

static void play(struct scene *scene, struct bytes script)
{
    struct reader in = reader_of(script);

    while (reader_left(&in) > 0 && !in.failed) {
        uint8_t what = reader_u8(&in);
        if (what >= 0x20) {
            say_pending(scene);
        }
        if (scene->node.peers[PEER].closed || (what >= 0x60 && what < 0x80)) {
            fuzz_peer_close(&scene->node, PEER);
            fuzz_node_settle(&scene->node);
            buf_clear(&scene->pending);
            join(scene);
        }
        if (what >= 0x20) {
            say_pending(scene);
        }
        if (what < 0x20) {
            say_frame(scene, what, &in);
        } else if (what < 0x40) {
            command(scene, what - 0x20U);
        } else if (what < 0x60) {
            fuzz_node_pass(&scene->node, 20 * (what - 0x3fU));
            hear(scene);
        } else if (what >= 0x80) {
            size_t size = reader_be16(&in);
            say(scene, reader_bytes(&in, MIN(size, reader_left(&in))));
        }
    }
    say_pending(scene);
}

static void scene_init(struct scene *scene, bool cut)
{
    *scene = (struct scene){.cut = cut, .storage = memory_new()};
    prng_init(&scene->prng, 7);
    buf_init(&scene->heard, SIZE_MAX);
    buf_init(&scene->pending, SIZE_MAX);
    buf_init(&scene->their_hello, SIZE_MAX);
    fuzz_node_start(&scene->node, options_of(), scene->storage, 0);
    ASSERT(!scene->node.fatal);
}

static void scene_release(struct scene *scene)
{
    fuzz_node_release(&scene->node);
    storage_close(scene->storage);
    buf_release(&scene->heard);
    buf_release(&scene->pending);
    buf_release(&scene->their_hello);
}

/* Play it, let every timeout pass, and look at what the client got. */
static void play_member(struct scene *scene, struct bytes script, const struct scene *genesis)
{
    const struct fuzz_stream *client = &scene->node.clients[CLIENT];

    memcpy(scene->genesis, genesis->genesis, ID_SIZE);
    join(scene);
    fuzz_mark(MARK_MEMBER);
    fuzz_client_open(&scene->node, CLIENT, FACE_PLAIN);
    play(scene, script);
    for (unsigned i = 0; i < 40; i++) {
        fuzz_node_pass(&scene->node, 500);
    }
    ASSERT(!scene->node.fatal);
    ASSERT(!client->closed);
    ASSERT(replies_count(buf_bytes(&client->out)) == (int64_t)scene->commands);
    if (scene->commands > 0) {
        fuzz_mark(replies_have_error(buf_bytes(&client->out)) ? MARK_REFUSED : MARK_REPLY);
    }
}

static void check_member(struct bytes script)
{
    static struct scene genesis;
    static bool learned;
    struct scene whole, cut;

    if (!learned) {
        scene_init(&genesis, false);
        learn_genesis(&genesis);
        learned = true;
    }
    scene_init(&whole, false);
    play_member(&whole, script, &genesis);
    if (hash_xxh3(script) % 4 == 0) {
        scene_init(&cut, true);
        play_member(&cut, script, &genesis);
        ASSERT(bytes_equal(buf_bytes(&whole.heard), buf_bytes(&cut.heard)));
        ASSERT(bytes_equal(buf_bytes(&whole.node.clients[CLIENT].out),
                           buf_bytes(&cut.node.clients[CLIENT].out)));
        scene_release(&cut);
    }
    scene_release(&whole);
}

/* Who has proved nothing changes nothing. */
static void check_stranger(struct bytes stream)
{
    struct scene scene;
    struct pieces pieces;
    struct bytes piece;

    scene_init(&scene, true);
    uint64_t bytes = memory_bytes(scene.storage, STORAGE_META);
    size_t before = mem_used();
    fuzz_peer_open(&scene.node, PEER);
    pieces_init(&pieces, stream, 1);
    while (pieces_next(&pieces, &piece)) {
        fuzz_peer_bytes(&scene.node, PEER, piece);
    }
    buf_release(&scene.node.peers[PEER].out);
    ASSERT(mem_used() <= before + STRANGER_MEMORY_MAX);
    fuzz_node_pass(&scene.node, 3000);
    fuzz_mark(MARK_STRANGER);
    if (stream.size > 0 && scene.node.peers[PEER].closed) {
        fuzz_mark(MARK_CLOSED);
    }
    ASSERT(scene.node.peers[PEER].closed); /* After its time at the latest. */
    ASSERT(memory_bytes(scene.storage, STORAGE_META) == bytes);
    ASSERT(memory_keys(scene.storage, STORAGE_DATA) == 0);
    scene_release(&scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {data, size};

    if (fuzz_mode(&input, MODES_COUNT) == MODE_MEMBER) {
        check_member(input);
    } else {
        check_stranger(input);
    }
    return 0;
}
