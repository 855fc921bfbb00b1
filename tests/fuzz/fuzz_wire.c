/* tests/fuzz/fuzz_wire.c - what members send each other: frames out of a stream, and their bodies.
 *
 * Input: one byte of mode. 0: a stream as it is; 1: a stream whose frames get right checksums; 2:
 * one byte of type, then the body of one message. Properties:
 * - frames(x) = frames(any pieces of x), and after an error there is no frame any more;
 * - a frame that was taken, written again, is the bytes that it was;
 * - a message that was understood, written and read again, is the same; so is its copy;
 * - a field of a newer version changes nothing; a body that is cut off anywhere is refused;
 * - every key that is let in names its own slot, and memory stays within a multiple of the frame.
 */
#include "base/pack.h"
#include "node/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_object.h"

#include <string.h>

enum {
    MODE_STREAM,
    MODE_CHECKED_STREAM,
    MODE_MESSAGE,
    MODES_COUNT,
    FRAME_SIZE_MAX = 4096,
    CHECKSUM_AT = 34,
    TOKENS_FACTOR = 64,  /* As base/pack.h promises. */
    MEMORY_FACTOR = 256, /* An item of one byte may stand where a struct version would. */
    MEMORY_SLACK = 128 * 1024,
    FIELD_OF_TOMORROW = 100,
};

enum mark { MARK_FRAME, MARK_CORRUPT, MARK_MESSAGE, MARK_MALFORMED, MARK_NEWER };
const char *const FUZZ_MARKS[] = {"frames", "corrupt", "messages", "malformed", "newer", NULL};

/* ---- Streams ---- */

/* All frames of a stream, written again, and how it ended. */
struct taken {
    struct buf frames;
    uint32_t count;
    size_t used;
    enum err end;
};

static void put_frame(struct buf *out, const struct frame *frame)
{
    size_t start = wire_begin(out, frame);

    buf_put_bytes(out, frame->body);
    wire_end(out, start);
}

static void take_frames(struct bytes stream, struct taken *out)
{
    while (out->end == OK || out->end == ERR_INCOMPLETE) {
        struct frame frame;
        size_t used = 0;
        out->end = wire_next(stream, FRAME_SIZE_MAX, &frame, &used);
        if (out->end != OK) {
            return;
        }
        ASSERT(used >= WIRE_HEADER_SIZE);
        ASSERT(used <= FRAME_SIZE_MAX);
        ASSERT(frame.body.size == used - WIRE_HEADER_SIZE);
        size_t at = out->frames.size;
        put_frame(&out->frames, &frame);
        struct bytes again = {out->frames.data + at, out->frames.size - at};
        ASSERT(bytes_equal(again, (struct bytes){stream.data, used}));
        fuzz_mark(MARK_FRAME);
        out->count++;
        out->used += used;
        stream = (struct bytes){stream.data + used, stream.size - used};
    }
}

static void taken_init(struct taken *taken)
{
    *taken = (struct taken){.end = OK};
    buf_init(&taken->frames, SIZE_MAX);
}

static void check_pieces(struct bytes stream, const struct taken *whole)
{
    struct pieces pieces;
    struct taken cut;
    struct bytes piece;
    struct buf held;

    taken_init(&cut);
    buf_init(&held, SIZE_MAX);
    pieces_init(&pieces, stream, 1);
    while ((cut.end == OK || cut.end == ERR_INCOMPLETE) && pieces_next(&pieces, &piece)) {
        buf_put_bytes(&held, piece);
        uint8_t *exact = fuzz_exact(buf_bytes(&held));
        size_t before = cut.used;
        take_frames((struct bytes){exact, held.size}, &cut);
        mem_free(exact);
        buf_consume(&held, cut.used - before);
    }
    ASSERT(cut.count == whole->count);
    ASSERT(cut.used == whole->used);
    ASSERT(cut.end == whole->end || stream.size == 0);
    ASSERT(bytes_equal(buf_bytes(&cut.frames), buf_bytes(&whole->frames)));
    buf_release(&held);
    buf_release(&cut.frames);
}

/* A good frame behind an error is none. */
static void check_followed(struct bytes stream, const struct taken *whole)
{
    struct frame ping = {.type = WIRE_PING};
    struct taken followed;
    struct buf longer;

    if (whole->end == ERR_INCOMPLETE) {
        return;
    }
    taken_init(&followed);
    buf_init(&longer, SIZE_MAX);
    buf_put_bytes(&longer, stream);
    put_frame(&longer, &ping);
    put_frame(&longer, &ping);
    take_frames(buf_bytes(&longer), &followed);
    ASSERT(followed.count == whole->count);
    ASSERT(followed.end == whole->end);
    buf_release(&longer);
    buf_release(&followed.frames);
}

/* Give every whole frame the checksum that it needs. */
static void put_checksums(uint8_t *data, size_t size)
{
    struct buf good;

    buf_init(&good, SIZE_MAX);
    while (size >= WIRE_HEADER_SIZE) {
        size_t frame_size = 4 + (size_t)be32_at(data);
        if (frame_size < WIRE_HEADER_SIZE || frame_size > size) {
            break;
        }
        buf_clear(&good);
        buf_put(&good, data, frame_size);
        wire_end(&good, 0);
        memcpy(data + CHECKSUM_AT, good.data + CHECKSUM_AT, 8);
        data += frame_size;
        size -= frame_size;
    }
    buf_release(&good);
}

static void check_message(const struct frame *frame);

static void check_stream(struct bytes stream)
{
    struct taken whole;
    struct frame frame;
    size_t used = 0;

    taken_init(&whole);
    take_frames(stream, &whole);
    if (whole.end == ERR_CORRUPT) {
        fuzz_mark(MARK_CORRUPT);
    }
    check_pieces(stream, &whole);
    check_followed(stream, &whole);
    struct bytes left = buf_bytes(&whole.frames);
    while (wire_next(left, FRAME_SIZE_MAX, &frame, &used) == OK) {
        check_message(&frame);
        left = (struct bytes){left.data + used, left.size - used};
    }
    buf_release(&whole.frames);
}

/* ---- Messages ---- */

static enum err read_message(const struct frame *frame, struct arena *arena, struct message *out)
{
    struct fuzz_memory memory = fuzz_memory_begin();
    enum err err = wire_get_message(frame, arena, out);

    ASSERT(fuzz_memory_taken(&memory) <= MEMORY_FACTOR * frame->body.size + MEMORY_SLACK);
    return err;
}

static struct frame frame_of(const struct buf *written)
{
    struct frame frame;
    size_t used = 0;
    enum err err = wire_next(buf_bytes(written), SIZE_MAX, &frame, &used);

    ASSERT(err == OK);
    ASSERT(used == written->size);
    return frame;
}

static void check_key(struct bytes key)
{
    struct key_parts parts;

    ASSERT(key_decode(key, &parts) == OK);
    ASSERT(key_slot(key) == parts.slot);
    ASSERT(key_position(key) >> 32 < 16384);
}

static void check_keys(const struct message *message)
{
    if (message->key.size > 0) {
        check_key(message->key);
    }
    for (uint32_t i = 0; i < message->keys_count; i++) {
        check_key(message->keys[i].key);
    }
    for (uint32_t i = 0; i < message->logged_count; i++) {
        check_key(message->logged[i].key);
    }
}

/* `body` with one field more than this version knows, holding containers. */
static void check_newer(const struct frame *frame, const struct buf *written)
{
    struct frame newer = frame_of(written);
    struct message message;
    struct arena arena;
    struct buf body, again;

    if (newer.body.data[0] < 0x80 || newer.body.data[0] >= 0x8f) {
        return; /* Its map counts in more than half a byte. */
    }
    buf_init(&body, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    arena_init(&arena, 1024);
    buf_put_bytes(&body, newer.body);
    body.data[0]++;
    pack_u64(&body, FIELD_OF_TOMORROW);
    pack_map(&body, 1);
    pack_array(&body, 2);
    pack_i64(&body, -1);
    pack_bin(&body, BYTES_LITERAL("new"));
    pack_bool(&body, true);
    newer.body = buf_bytes(&body);
    fuzz_mark(MARK_NEWER);
    ASSERT(newer.type == frame->type);
    ASSERT(wire_get_message(&newer, &arena, &message) == OK);
    wire_put_message(&again, &message);
    ASSERT(bytes_equal(buf_bytes(&again), buf_bytes(written)));
    arena_release(&arena);
    buf_release(&body);
    buf_release(&again);
}

static void check_truncated(const struct frame *frame)
{
    struct frame cut = *frame;
    size_t step = 1 + frame->body.size / 64;

    for (size_t size = 0; size < frame->body.size; size += step) {
        struct message message;
        struct arena arena;
        arena_init(&arena, 1024);
        uint8_t *exact = fuzz_exact((struct bytes){frame->body.data, size});
        cut.body = (struct bytes){exact, size};
        ASSERT(wire_get_message(&cut, &arena, &message) == ERR_MALFORMED);
        mem_free(exact);
        arena_release(&arena);
    }
}

/* Written, read, written: the second text is the first. */
static void check_rewritten(const struct frame *frame, const struct message *message,
                            struct arena *arena)
{
    struct message again;
    struct buf first, second, copied;

    buf_init(&first, SIZE_MAX);
    buf_init(&second, SIZE_MAX);
    buf_init(&copied, SIZE_MAX);
    wire_put_message(&first, message);
    struct frame written = frame_of(&first);
    ASSERT(read_message(&written, arena, &again) == OK);
    wire_put_message(&second, &again);
    ASSERT(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    wire_put_message(&copied, message_copy(message, arena));
    ASSERT(bytes_equal(buf_bytes(&first), buf_bytes(&copied)));
    check_newer(frame, &first);
    check_truncated(&written);
    buf_release(&first);
    buf_release(&second);
    buf_release(&copied);
}

static void check_tokens(struct bytes body)
{
    struct fuzz_memory memory = fuzz_memory_begin();
    struct arena arena;

    arena_init(&arena, 64);
    (void)unpack_of(body, &arena);
    ASSERT(fuzz_memory_taken(&memory) <= TOKENS_FACTOR * body.size + MEMORY_SLACK);
    arena_release(&arena);
}

static void check_message(const struct frame *frame)
{
    struct message message;
    struct arena arena;

    arena_init(&arena, 1024);
    check_tokens(frame->body);
    enum err err = read_message(frame, &arena, &message);
    ASSERT(err == OK || err == ERR_MALFORMED || err == ERR_UNSUPPORTED);
    bool known = frame->type >= MESSAGE_ASK && frame->type < MESSAGE_END;
    ASSERT((err == ERR_UNSUPPORTED) == !known);
    fuzz_mark(err == OK ? MARK_MESSAGE : MARK_MALFORMED);
    if (err == OK) {
        check_keys(&message);
        check_rewritten(frame, &message, &arena);
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {data, size};
    unsigned mode = fuzz_mode(&input, MODES_COUNT);
    uint8_t *bytes = fuzz_exact(input);

    (void)fuzz_put_keys(bytes, input.size);
    if (mode == MODE_CHECKED_STREAM) {
        put_checksums(bytes, input.size);
    }
    if (mode != MODE_MESSAGE) {
        check_stream((struct bytes){bytes, input.size});
    } else if (input.size > 0) {
        struct frame frame = {
            .type = bytes[0], .partition = 3, .body = {bytes + 1, input.size - 1}};
        check_message(&frame);
    }
    mem_free(bytes);
    return 0;
}
