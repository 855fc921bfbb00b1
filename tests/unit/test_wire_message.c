/* tests/unit/test_wire_message.c - every field of every message comes back; damage is refused. */
#include "node/wire.h"

#include "tests/lib/unit.h"
#include "tests/unit/wire_fake.h"

#include <string.h>

enum { FRAME_MAX = 1 << 20 };

/* -- Are two messages the same, field by field? */

static bool dots_equal(const struct dot *a, const struct dot *b, uint32_t a_count, uint32_t b_count)
{
    bool same = a_count == b_count;

    for (uint32_t i = 0; same && i < a_count; i++) {
        same = dot_equal(a[i], b[i]);
    }
    return same;
}

static bool versions_equal(const struct version *a, const struct version *b, uint32_t a_count,
                           uint32_t b_count)
{
    bool same = a_count == b_count;

    for (uint32_t i = 0; same && i < a_count; i++) {
        same = dot_equal(a[i].dot, b[i].dot) && a[i].timestamp == b[i].timestamp &&
               a[i].expiry_ms == b[i].expiry_ms && a[i].kind == b[i].kind &&
               a[i].flags == b[i].flags && a[i].payload_absent == b[i].payload_absent &&
               a[i].payload_size == b[i].payload_size && bytes_equal(a[i].payload, b[i].payload);
    }
    return same;
}

static bool context_equal(const struct seen_dot *a, const struct seen_dot *b, uint32_t a_count,
                          uint32_t b_count)
{
    bool same = a_count == b_count;

    for (uint32_t i = 0; same && i < a_count; i++) {
        same = dot_equal(a[i].dot, b[i].dot) && a[i].timestamp == b[i].timestamp;
    }
    return same;
}

static bool op_equal(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && a->one_round == b->one_round && a->keep_expiry == b->keep_expiry &&
           a->want_old == b->want_old && a->r == b->r && a->w == b->w &&
           a->timeout_ms == b->timeout_ms && a->expiry_ms == b->expiry_ms &&
           bytes_equal(a->value, b->value) &&
           context_equal(a->context, b->context, a->context_count, b->context_count);
}

static bool result_equal(const struct op_result *a, const struct op_result *b)
{
    bool same = a->outcome == b->outcome && a->found == b->found && a->needed == b->needed &&
                a->got == b->got && a->waited_ms == b->waited_ms && a->removed == b->removed &&
                a->expiry_ms == b->expiry_ms && a->timestamp == b->timestamp &&
                dot_equal(a->dot, b->dot) && bytes_equal(a->value, b->value) &&
                versions_equal(a->siblings, b->siblings, a->siblings_count, b->siblings_count) &&
                context_equal(a->context, b->context, a->context_count, b->context_count) &&
                a->owners_count == b->owners_count;

    for (uint32_t i = 0; same && i < a->owners_count; i++) {
        const struct owner_view *x = &a->owners[i], *y = &b->owners[i];
        same = x->member == y->member && x->live == y->live && x->answered == y->answered &&
               x->unreadable == y->unreadable &&
               versions_equal(x->versions, y->versions, x->versions_count, y->versions_count);
    }
    return same;
}

static bool state_equal(const struct message *a, const struct message *b)
{
    bool same = a->clocks_count == b->clocks_count && a->logged_count == b->logged_count &&
                a->keys_count == b->keys_count && a->listed_count == b->listed_count;

    for (uint32_t i = 0; same && i < a->clocks_count; i++) {
        same = a->clocks[i].partition == b->clocks[i].partition &&
               clock_equal(&a->clocks[i].clock, &b->clocks[i].clock);
    }
    for (uint32_t i = 0; same && i < a->logged_count; i++) {
        same = dot_equal(a->logged[i].dot, b->logged[i].dot) &&
               bytes_equal(a->logged[i].key, b->logged[i].key);
    }
    for (uint32_t i = 0; same && i < a->keys_count; i++) {
        const struct message_key *x = &a->keys[i], *y = &b->keys[i];
        same = bytes_equal(x->key, y->key) &&
               versions_equal(x->versions, y->versions, x->versions_count, y->versions_count) &&
               dots_equal(x->residual, y->residual, x->residual_count, y->residual_count);
    }
    for (uint32_t i = 0; same && i < a->listed_count; i++) {
        const struct message_listed *x = &a->listed[i], *y = &b->listed[i];
        same = bytes_equal(x->user, y->user) && x->position == y->position && x->live == y->live;
    }
    return same;
}

static bool message_equal(const struct message *a, const struct message *b)
{
    return a->type == b->type && a->partition == b->partition && a->request == b->request &&
           a->epoch == b->epoch && a->hlc == b->hlc && bytes_equal(a->key, b->key) &&
           dots_equal(a->dots, b->dots, a->dots_count, b->dots_count) &&
           a->payloads == b->payloads && bytes_equal(a->statuses, b->statuses) &&
           versions_equal(a->versions, b->versions, a->versions_count, b->versions_count) &&
           bytes_equal(a->acks, b->acks) && a->reason == b->reason && state_equal(a, b) &&
           a->complete == b->complete && a->truncated == b->truncated && op_equal(&a->op, &b->op) &&
           result_equal(&a->result, &b->result) && a->position == b->position &&
           a->position_end == b->position_end && a->count_max == b->count_max &&
           a->database == b->database && bytes_equal(a->partitions, b->partitions) &&
           bytes_equal(a->counts, b->counts);
}

/* -- The claims. */

static void put(struct buf *out, const struct message *message)
{
    buf_init(out, SIZE_MAX);
    wire_put_message(out, message);
}

TEST(every_field_of_every_type_comes_back_and_survives_a_copy)
{
    enum { ROUNDS = 300 };
    struct arena arena, copies;
    struct maker maker = {.arena = &arena};
    int count = 0;

    prng_init(&maker.prng, 1);
    arena_init(&arena, 1 << 14);
    arena_init(&copies, 1 << 14);
    for (int round = 0; round < ROUNDS; round++) {
        for (int type = MESSAGE_ASK; type < MESSAGE_END; type++, count++) {
            struct message sent = some_message(&maker, (enum message_type)type), got;
            struct buf bytes;
            struct frame frame;
            size_t used = 0;
            put(&bytes, &sent);
            ck_assert_int_eq(wire_next(buf_bytes(&bytes), FRAME_MAX, &frame, &used), OK);
            ck_assert_uint_eq(used, bytes.size);
            ck_assert_int_eq(wire_get_message(&frame, &arena, &got), OK);
            if (!message_equal(&sent, &got)) {
                ck_abort_msg("type %d, round %d", type, round);
            }
            struct message *copy = message_copy(&got, &copies);
            memset(bytes.data, 0xee, bytes.size); /* Nothing of it may be borrowed. */
            buf_release(&bytes);
            ck_assert(message_equal(&sent, copy));
            arena_reset(&arena);
            arena_reset(&copies);
        }
    }
    arena_release(&arena);
    arena_release(&copies);
    printf("COUNT wire_round_trips %d\n", count);
}

TEST(a_part_of_a_frame_is_incomplete_and_a_part_of_a_body_malformed)
{
    struct arena arena, decoded;
    struct maker maker = {.arena = &arena};
    struct frame frame;
    struct message got;
    size_t used = 0;

    prng_init(&maker.prng, 2);
    arena_init(&arena, 1 << 14);
    arena_init(&decoded, 1 << 14);
    for (int type = MESSAGE_ASK; type < MESSAGE_END; type++) {
        struct message sent = some_message(&maker, (enum message_type)type);
        struct buf bytes;
        put(&bytes, &sent);
        for (size_t size = 0; size < bytes.size; size++) {
            struct bytes part = {bytes.data, size};
            ck_assert_int_eq(wire_next(part, FRAME_MAX, &frame, &used), ERR_INCOMPLETE);
        }
        ck_assert_int_eq(wire_next(buf_bytes(&bytes), FRAME_MAX, &frame, &used), OK);
        struct bytes body = frame.body;
        for (size_t size = 0; size < body.size; size++) {
            frame.body = (struct bytes){body.data, size};
            ck_assert_int_eq(wire_get_message(&frame, &decoded, &got), ERR_MALFORMED);
            arena_reset(&decoded);
        }
        buf_release(&bytes);
        arena_reset(&arena);
    }
    arena_release(&arena);
    arena_release(&decoded);
}

TEST(a_flipped_bit_never_passes_the_checksum_and_does_no_harm_behind_it)
{
    enum { FLIPS = 100000 };
    struct arena arena;
    struct maker maker = {.arena = &arena};
    struct message sent, got;
    struct buf bytes;
    unsigned refused = 0;

    prng_init(&maker.prng, 3);
    arena_init(&arena, 1 << 14);
    buf_init(&bytes, SIZE_MAX);
    for (int flip = 0; flip < FLIPS; flip++) {
        struct frame frame;
        size_t used = 0;
        if (flip % 100 == 0) {
            arena_reset(&arena);
            sent = some_message(&maker, (enum message_type)(MESSAGE_ASK + flip / 100 % 15));
            buf_release(&bytes);
            put(&bytes, &sent);
        }
        uint64_t bit = prng_below(&maker.prng, bytes.size * 8);
        uint8_t *at = &bytes.data[bit / 8], was = *at;
        *at ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_ne(wire_next(buf_bytes(&bytes), FRAME_MAX, &frame, &used), OK);
        if (bit / 8 >= WIRE_HEADER_SIZE) { /* As if the sender had written it so. */
            wire_end(&bytes, 0);
            ck_assert_int_eq(wire_next(buf_bytes(&bytes), FRAME_MAX, &frame, &used), OK);
            refused += wire_get_message(&frame, &arena, &got) != OK;
        }
        *at = was;
        wire_end(&bytes, 0);
    }
    buf_release(&bytes);
    arena_release(&arena);
    ck_assert_uint_gt(refused, FLIPS / 10);
    printf("COUNT wire_flips %d\nCOUNT wire_flips_refused_by_shape %u\n", FLIPS, refused);
}

UNIT_MAIN(every_field_of_every_type_comes_back_and_survives_a_copy,
          a_part_of_a_frame_is_incomplete_and_a_part_of_a_body_malformed,
          a_flipped_bit_never_passes_the_checksum_and_does_no_harm_behind_it)
