/* tests/unit/test_wire.c - frames and their limits; bodies of the wrong shape; fields of newer
 * versions.
 *
 * What is in messages, and what damage does to them: test_wire_message.c. */
#include "node/wire.h"

#include "base/pack.h"
#include "quorum/key.h"
#include "tests/lib/unit.h"

#include <string.h>

/* Keys of a body's map, as PROTOCOL.md lists them. */
enum { KEY = 1, DOTS = 2, VERSIONS = 5, CLOCKS = 8, LOGGED = 9, KEYS = 10, OP = 13, LISTED = 19 };

static void put_frame(struct buf *out, struct frame frame, struct bytes body)
{
    size_t start = wire_begin(out, &frame);

    buf_put_bytes(out, body);
    wire_end(out, start);
}

static const struct frame sample = {.type = WIRE_PING,
                                    .flags = 0x1234,
                                    .request = 0x0102030405060708,
                                    .partition = 0xfedc,
                                    .epoch = UINT64_MAX,
                                    .hlc = 0x1122334455667788};

TEST(frames_come_one_after_the_other_as_they_were_written)
{
    struct bytes bodies[] = {BYTES_LITERAL(""), BYTES_LITERAL("a"), BYTES_LITERAL("body")};
    struct buf stream;

    buf_init(&stream, SIZE_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        put_frame(&stream, sample, bodies[i]);
    }
    struct bytes left = buf_bytes(&stream);
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct frame frame;
        size_t used = 0;
        ck_assert_int_eq(wire_next(left, 1000, &frame, &used), OK);
        ck_assert_uint_eq(used, WIRE_HEADER_SIZE + bodies[i].size);
        ck_assert_uint_eq(frame.type, sample.type);
        ck_assert_uint_eq(frame.version, WIRE_VERSION);
        ck_assert_uint_eq(frame.flags, sample.flags);
        ck_assert_uint_eq(frame.request, sample.request);
        ck_assert_uint_eq(frame.partition, sample.partition);
        ck_assert_uint_eq(frame.epoch, sample.epoch);
        ck_assert_uint_eq(frame.hlc, sample.hlc);
        ck_assert(bytes_equal(frame.body, bodies[i]));
        left = (struct bytes){left.data + used, left.size - used};
    }
    ck_assert_uint_eq(left.size, 0);
    buf_release(&stream);
}

TEST(a_frame_at_the_limit_is_taken_and_one_byte_more_refused_before_it_has_arrived)
{
    uint8_t data[64] = {0};
    struct buf stream;
    struct frame frame;
    size_t used = 0;

    buf_init(&stream, SIZE_MAX);
    put_frame(&stream, sample, (struct bytes){data, sizeof(data)});
    struct bytes whole = buf_bytes(&stream), head = {stream.data, 4};
    ck_assert_int_eq(wire_next(whole, whole.size + 1, &frame, &used), OK);
    ck_assert_int_eq(wire_next(whole, whole.size, &frame, &used), OK);
    ck_assert_int_eq(wire_next(whole, whole.size - 1, &frame, &used), ERR_TOO_LARGE);
    ck_assert_int_eq(wire_next(head, whole.size, &frame, &used), ERR_INCOMPLETE);
    ck_assert_int_eq(wire_next(head, whole.size - 1, &frame, &used), ERR_TOO_LARGE);
    be32_set(stream.data, UINT32_MAX);
    ck_assert_int_eq(wire_next(head, SIZE_MAX, &frame, &used), ERR_INCOMPLETE);
    ck_assert_int_eq(wire_next(head, 1 << 30, &frame, &used), ERR_TOO_LARGE);
    for (uint32_t size = 0; size < WIRE_HEADER_SIZE - 4; size++) { /* No room for a header. */
        be32_set(stream.data, size);
        ck_assert_int_eq(wire_next(whole, 1000, &frame, &used), ERR_MALFORMED);
    }
    buf_release(&stream);
}

TEST(another_version_is_told_apart_before_the_rest_has_arrived)
{
    struct buf stream;
    struct frame frame;
    size_t used = 0;

    buf_init(&stream, SIZE_MAX);
    put_frame(&stream, sample, BYTES_LITERAL("body"));
    stream.data[5] = WIRE_VERSION + 1;
    for (size_t size = 0; size <= stream.size; size++) {
        enum err err = wire_next((struct bytes){stream.data, size}, 1000, &frame, &used);
        ck_assert_int_eq(err, size < 6 ? ERR_INCOMPLETE : ERR_UNSUPPORTED);
    }
    buf_release(&stream);
}

TEST(a_type_that_is_no_message_is_unsupported)
{
    struct arena arena;
    struct message message;

    arena_init(&arena, 4096);
    for (unsigned type = 0; type < 256; type++) {
        struct frame frame = {.type = (uint8_t)type, .body = BYTES_LITERAL("\x80")};
        enum err err = wire_get_message(&frame, &arena, &message);
        bool known = type >= MESSAGE_ASK && type < MESSAGE_END;
        ck_assert((err == ERR_UNSUPPORTED) == !known);
    }
    arena_release(&arena);
}

/* -- Bodies written by hand. */

/* One thing that can be put into a field; a list of them ends with END. */
enum {
    END = -1,
    ARRAY = -2,
    ABSENT = -3,
    FALSE = -4,
    TRUE = -5,
    LAST = -6,
    TEXT = -7,
    GOOD_KEY = -8
};

static void put_item(struct buf *out, long item, long argument, struct arena *arena)
{
    switch (item) {
    case ARRAY:
        pack_array(out, (uint32_t)argument);
        return;
    case ABSENT:
        pack_bin(out, (struct bytes){NULL, 0});
        return;
    case TEXT:
        pack_bin(out, BYTES_LITERAL("abc"));
        return;
    case GOOD_KEY:
        pack_bin(out, key_encode(arena, 1, BYTES_LITERAL("k")));
        return;
    case FALSE:
    case TRUE:
        pack_bool(out, item == TRUE);
        return;
    case LAST:
        pack_u64(out, UINT64_MAX);
        return;
    default:
        pack_u64(out, (uint64_t)item);
    }
}

/* `items`: ARRAY is followed by its count. */
static enum err decode_field(enum message_type type, unsigned field, const long *items)
{
    struct frame frame = {.type = (uint8_t)type};
    struct message message;
    struct arena arena;
    struct buf body;

    arena_init(&arena, 4096);
    buf_init(&body, SIZE_MAX);
    pack_map(&body, 2);
    pack_u64(&body, KEY);
    put_item(&body, GOOD_KEY, 0, &arena);
    pack_u64(&body, field);
    for (size_t i = 0; items[i] != END; i++) {
        put_item(&body, items[i], items[i + 1], &arena);
        i += items[i] == ARRAY;
    }
    frame.body = buf_bytes(&body);
    enum err err = wire_get_message(&frame, &arena, &message);
    buf_release(&body);
    arena_release(&arena);
    return err;
}

struct shape {
    const char *what;
    unsigned field;
    bool good;
    long items[24];
};

static const struct shape shapes[] = {
    {"a key of the wrong slot", KEY, false, {TEXT, END}},
    {"a key that is a number", KEY, false, {7, END}},
    {"no dots", DOTS, true, {ARRAY, 0, END}},
    {"one dot", DOTS, true, {ARRAY, 2, 5, 1, END}},
    {"half a dot", DOTS, false, {ARRAY, 1, 5, END}},
    {"counters begin at one", DOTS, false, {ARRAY, 2, 5, 0, END}},
    {"no counter is the last number", DOTS, false, {ARRAY, 2, 5, LAST, END}},
    {"a dot of text", DOTS, false, {ARRAY, 2, 5, TEXT, END}},
    {"dots that are no list", DOTS, false, {TEXT, END}},
    {"a value", VERSIONS, true, {ARRAY, 1, ARRAY, 9, 5, 1, 9, 0, 1, 0, FALSE, 3, TEXT, END}},
    {"a causal tombstone",
     VERSIONS,
     true,
     {ARRAY, 1, ARRAY, 9, 5, 1, 9, 0, 0, 1, FALSE, 0, ABSENT, END}},
    {"only a size", VERSIONS, true, {ARRAY, 1, ARRAY, 9, 5, 1, 9, 0, 1, 0, TRUE, 3, ABSENT, END}},
    {"a payload said to be absent",
     VERSIONS,
     false,
     {ARRAY, 1, ARRAY, 9, 5, 1, 9, 0, 1, 0, TRUE, 3, TEXT, END}},
    {"a wrong size", VERSIONS, false, {ARRAY, 1, ARRAY, 9, 5, 1, 9, 0, 1, 0, FALSE, 4, TEXT, END}},
    {"an unknown kind",
     VERSIONS,
     false,
     {ARRAY, 1, ARRAY, 9, 5, 1, 9, 0, 2, 0, FALSE, 3, TEXT, END}},
    {"kind 257", VERSIONS, false, {ARRAY, 1, ARRAY, 9, 5, 1, 9, 0, 257, 0, FALSE, 3, TEXT, END}},
    {"an unknown flag",
     VERSIONS,
     false,
     {ARRAY, 1, ARRAY, 9, 5, 1, 9, 0, 1, 2, FALSE, 3, TEXT, END}},
    {"a short version", VERSIONS, false, {ARRAY, 1, ARRAY, 8, 5, 1, 9, 0, 1, 0, FALSE, 3, END}},
    {"a long version",
     VERSIONS,
     false,
     {ARRAY, 1, ARRAY, 10, 5, 1, 9, 0, 1, 0, FALSE, 3, TEXT, 1, END}},
    {"two versions, one there",
     VERSIONS,
     false,
     {ARRAY, 2, ARRAY, 9, 5, 1, 9, 0, 1, 0, FALSE, 3, TEXT, END}},
    {"a clock that is none", CLOCKS, false, {ARRAY, 2, 5, TEXT, END}},
    {"an empty clock's bytes missing", CLOCKS, false, {ARRAY, 2, 5, ABSENT, END}},
    {"a partition past 65535", CLOCKS, false, {ARRAY, 2, 65536, TEXT, END}},
    {"a logged dot", LOGGED, true, {ARRAY, 3, 5, 1, GOOD_KEY, END}},
    {"a logged dot under a foreign key", LOGGED, false, {ARRAY, 3, 5, 1, TEXT, END}},
    {"two thirds of a logged dot", LOGGED, false, {ARRAY, 2, 5, 1, END}},
    {"a key's state", KEYS, true, {ARRAY, 3, GOOD_KEY, ARRAY, 0, ARRAY, 2, 5, 1, END}},
    {"a state under a foreign key", KEYS, false, {ARRAY, 3, TEXT, ARRAY, 0, ARRAY, 0, END}},
    {"an operation",
     OP,
     true,
     {ARRAY, 10, 6, TRUE, TRUE, TRUE, 7, 7, 1000, 0, TEXT, ARRAY, 0, END}},
    {"an unknown operation",
     OP,
     false,
     {ARRAY, 10, 7, TRUE, TRUE, TRUE, 7, 7, 1000, 0, TEXT, ARRAY, 0, END}},
    {"r past the owners",
     OP,
     false,
     {ARRAY, 10, 6, TRUE, TRUE, TRUE, 8, 7, 1000, 0, TEXT, ARRAY, 0, END}},
    {"w past the owners",
     OP,
     false,
     {ARRAY, 10, 6, TRUE, TRUE, TRUE, 7, 8, 1000, 0, TEXT, ARRAY, 0, END}},
    {"more than an hour",
     OP,
     false,
     {ARRAY, 10, 6, TRUE, TRUE, TRUE, 7, 7, 3600001, 0, TEXT, ARRAY, 0, END}},
    {"half a context",
     OP,
     false,
     {ARRAY, 10, 6, TRUE, TRUE, TRUE, 7, 7, 1000, 0, TEXT, ARRAY, 2, 5, 1, END}},
    {"a listed key", LISTED, true, {ARRAY, 3, TEXT, 9, TRUE, END}},
    {"a listed key without its state", LISTED, false, {ARRAY, 2, TEXT, 9, END}},
    {"a field of tomorrow", 99, true, {ARRAY, 2, TEXT, ARRAY, 1, ARRAY, 1, 5, END}},
    {"a field of tomorrow that is cut off", 99, false, {ARRAY, 2, TEXT, END}},
    {"something behind the last field", 99, false, {TEXT, TEXT, END}},
};

TEST(a_field_of_the_wrong_shape_fails_the_whole_message)
{
    for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
        enum err err = decode_field(MESSAGE_FORWARD, shapes[i].field, shapes[i].items);
        if (err != (shapes[i].good ? OK : ERR_MALFORMED)) {
            ck_abort_msg("%s: %s", shapes[i].what, err_text(err));
        }
    }
    printf("COUNT wire_shapes %zu\n", ARRAY_COUNT(shapes));
}

/* A message without what its type needs would make everyone behind look for it. */
TEST(a_message_without_what_its_type_needs_is_refused)
{
    struct clock clock = {0};
    const struct version value = {.dot = {1, 1}, .kind = VERSION_STRING};
    const struct version no_payload = {
        .dot = {1, 1}, .kind = VERSION_STRING, .payload_absent = true, .payload_size = 5};
    const struct message_clock told = {.clock = clock};
    struct arena arena;

    arena_init(&arena, 4096);
    for (int type = MESSAGE_ASK; type < MESSAGE_END; type++) {
        for (unsigned parts = 0; parts < 16; parts++) {
            bool key = parts & 1, one_clock = parts & 2, version = parts & 4, payload = parts & 8;
            struct message sent = {.type = (enum message_type)type,
                                   .versions = payload ? &value : &no_payload,
                                   .versions_count = version,
                                   .clocks = &told,
                                   .clocks_count = one_clock},
                           got;
            struct frame frame;
            struct buf bytes;
            size_t used = 0;
            sent.key = key ? key_encode(&arena, 0, BYTES_LITERAL("k")) : sent.key;
            buf_init(&bytes, SIZE_MAX);
            wire_put_message(&bytes, &sent);
            ck_assert_int_eq(wire_next(buf_bytes(&bytes), 1000, &frame, &used), OK);
            bool whole = true;
            switch (sent.type) {
            case MESSAGE_ASK:
            case MESSAGE_FORWARD:
            case MESSAGE_RESULT:
                whole = key;
                break;
            case MESSAGE_DELTA:
                whole = key && version && payload;
                break;
            case MESSAGE_REPAIR:
                whole = key && (!version || payload);
                break;
            case MESSAGE_MISSING:
                whole = one_clock;
                break;
            case MESSAGE_STATE:
                whole = one_clock && (!version || payload);
                break;
            default:
                break;
            }
            enum err err = wire_get_message(&frame, &arena, &got);
            if (err != (whole ? OK : ERR_MALFORMED)) {
                ck_abort_msg("type %d with %x: %s", type, parts, err_text(err));
            }
            buf_release(&bytes);
        }
    }
    arena_release(&arena);
}

UNIT_MAIN(frames_come_one_after_the_other_as_they_were_written,
          a_frame_at_the_limit_is_taken_and_one_byte_more_refused_before_it_has_arrived,
          another_version_is_told_apart_before_the_rest_has_arrived,
          a_type_that_is_no_message_is_unsupported,
          a_field_of_the_wrong_shape_fails_the_whole_message,
          a_message_without_what_its_type_needs_is_refused)
