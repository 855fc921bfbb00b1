/* tests/unit/test_object.c - versions of one key: what yields, what stays, and the stored record.
 */
#include "quorum/object.h"

#include "base/hash.h"
#include "base/prng.h"
#include "tests/lib/unit.h"

#include <string.h>

static const struct bytes key = {(const uint8_t *)"stored key", 10};

/* Kinds of versions, as two bits. */
enum { PLAIN = 0, CAUSAL = 1, DELETED = 2, KINDS = 4 };

static struct version version_of(unsigned kind, uint64_t actor, uint64_t counter,
                                 uint64_t timestamp)
{
    struct version version = {
        .dot = {actor, counter},
        .timestamp = timestamp,
        .kind = kind & DELETED ? VERSION_TOMBSTONE : VERSION_STRING,
        .flags = kind & CAUSAL,
    };

    if (!(kind & DELETED)) {
        version.payload = BYTES_LITERAL("value");
        version.payload_size = version.payload.size;
    }
    return version;
}

static struct buf encoded(const struct object *object)
{
    struct buf buf;

    buf_init(&buf, SIZE_MAX);
    if (!object_is_empty(object)) {
        object_encode(object, key, &buf);
    }
    return buf;
}

static bool version_equal(const struct version *a, const struct version *b)
{
    return dot_equal(a->dot, b->dot) && a->timestamp == b->timestamp &&
           a->expiry_ms == b->expiry_ms && a->kind == b->kind && a->flags == b->flags &&
           a->payload_absent == b->payload_absent && a->payload_size == b->payload_size &&
           bytes_equal(a->payload, b->payload);
}

static bool object_equal(const struct object *a, const struct object *b)
{
    bool same = a->versions_count == b->versions_count && a->residual_count == b->residual_count;

    for (uint32_t i = 0; same && i < a->versions_count; i++) {
        same = version_equal(&a->versions[i], &b->versions[i]);
    }
    for (uint32_t i = 0; same && i < a->residual_count; i++) {
        same = dot_equal(a->residual[i], b->residual[i]);
    }
    return same;
}

/* Four versions of two actors: `kinds` has two bits for each, `times` one of 1..3. */
enum { WORLD = 4, WORLD_KINDS = 256, WORLD_TIMES = 81 };

static void world_of(unsigned kinds, unsigned times, struct version versions[WORLD])
{
    for (unsigned i = 0; i < WORLD; i++) {
        versions[i] = version_of(kinds % KINDS, 1 + i % 2, 1 + i / 2, 1 + times % 3);
        kinds /= KINDS;
        times /= 3;
    }
}

/* What must remain of `versions`, in two lines: causal values, and the highest tag of all. */
static bool must_stay(const struct version versions[WORLD], unsigned index)
{
    bool top = true;

    for (unsigned i = 0; i < WORLD; i++) {
        top = top && (i == index || version_compare_tag(&versions[i], &versions[index]) < 0);
    }
    return top ||
           (versions[index].flags == VERSION_CAUSAL && versions[index].kind == VERSION_STRING);
}

static void order_of(unsigned number, unsigned count, unsigned order[])
{
    unsigned left[8] = {0, 1, 2, 3, 4, 5, 6, 7};

    for (unsigned i = 0; i < count; i++) {
        unsigned at = number % (count - i);
        number /= count - i;
        order[i] = left[at];
        memmove(&left[at], &left[at + 1], (7 - at) * sizeof(left[0]));
    }
}

/* The fifth thing that happens is a write that saw the last version: it replaces and outranks it.
 */
TEST(the_order_of_inserts_and_of_a_replacing_write_leaves_no_trace)
{
    const struct version writes = version_of(CAUSAL, 3, 1, 9);
    struct clock clock;
    struct arena arena;
    int orders = 0;

    clock_init(&clock);
    arena_init(&arena, 4096);
    for (unsigned world = 0; world < WORLD_KINDS * WORLD_TIMES; world += 7) {
        struct version versions[WORLD];
        struct buf first = {0};
        world_of(world % WORLD_KINDS, world / WORLD_KINDS, versions);
        for (unsigned number = 0; number < 120; number++, orders++) {
            unsigned order[WORLD + 1];
            struct object object;
            object_init(&object);
            order_of(number, WORLD + 1, order);
            for (unsigned i = 0; i < WORLD + 1; i++) {
                if (order[i] < WORLD) {
                    (void)object_insert(&object, &clock, &versions[order[i]], &arena);
                } else {
                    (void)object_insert(&object, &clock, &writes, &arena);
                    object_drop(&object, versions[WORLD - 1].dot, &arena);
                }
            }
            struct buf record = encoded(&object);
            if (number == 0) {
                first = record;
                continue;
            }
            if (!bytes_equal(buf_bytes(&first), buf_bytes(&record))) {
                ck_abort_msg("world %u, order %u", world, number);
            }
            buf_release(&record);
        }
        buf_release(&first);
        arena_reset(&arena);
    }
    arena_release(&arena);
    printf("COUNT object_orders %d\n", orders);
}

TEST(only_causal_values_and_the_highest_tag_stay)
{
    struct clock clock;
    struct arena arena;

    clock_init(&clock);
    arena_init(&arena, 4096);
    for (unsigned world = 0; world < WORLD_KINDS * WORLD_TIMES; world++) {
        struct version versions[WORLD];
        struct object object;
        object_init(&object);
        world_of(world % WORLD_KINDS, world / WORLD_KINDS, versions);
        for (unsigned i = 0; i < WORLD; i++) {
            bool held = object_insert(&object, &clock, &versions[i], &arena);
            if (held != (object_find(&object, versions[i].dot) != NULL)) {
                ck_abort_msg("world %u", world);
            }
        }
        bool good = true;
        const struct version *top = object_top(&object);
        for (unsigned i = 0; i < WORLD; i++) {
            const struct version *held = object_find(&object, versions[i].dot);
            good = good && (held != NULL) == must_stay(versions, i);
            good = good && object_residual_has(&object, versions[i].dot) == (held == NULL);
            good = good && version_compare_tag(&versions[i], top) <= 0;
        }
        if (!good) {
            ck_abort_msg("world %u", world);
        }
        arena_reset(&arena);
    }
    arena_release(&arena);
}

TEST(a_version_that_is_known_is_not_inserted_again)
{
    struct version version = version_of(PLAIN, 1, 1, 5);
    struct clock clock, empty;
    struct arena arena;
    struct object object;

    clock_init(&clock);
    clock_init(&empty);
    arena_init(&arena, 4096);
    object_init(&object);
    (void)clock_add(&clock, version.dot);
    ck_assert(!object_insert(&object, &clock, &version, &arena));
    ck_assert(object_is_empty(&object));
    ck_assert(object_insert(&object, &empty, &version, &arena));
    ck_assert(object_insert(&object, &empty, &version, &arena)); /* Held already. */
    ck_assert_uint_eq(object.versions_count, 1);
    object_drop(&object, version.dot, &arena);
    object_drop(&object, version.dot, &arena);
    ck_assert_uint_eq(object.residual_count, 1);
    ck_assert(!object_insert(&object, &empty, &version, &arena));
    ck_assert_ptr_null(object_top(&object));
    ck_assert(object_covers(&object, &empty, version.dot));
    object_tidy(&object, &clock);
    ck_assert(object_is_empty(&object));
    ck_assert(!object_covers(&object, &empty, version.dot));
    clock_release(&clock);
    arena_release(&arena);
}

TEST(forgetting_leaves_no_residual_and_tidying_only_what_is_not_covered)
{
    struct clock clock;
    struct arena arena;
    struct object object;

    clock_init(&clock);
    arena_init(&arena, 4096);
    for (uint64_t covered = 0; covered < 64; covered++) {
        object_init(&object);
        for (uint64_t i = 0; i < 6; i++) {
            struct version version = version_of(CAUSAL, 1 + i, 1, 9);
            (void)object_insert(&object, &clock, &version, &arena);
        }
        object_forget(&object, (struct dot){7, 1}); /* Not held: nothing happens. */
        object_forget(&object, (struct dot){3, 1});
        ck_assert_uint_eq(object.versions_count, 5);
        ck_assert_uint_eq(object.residual_count, 0);
        for (uint64_t i = 0; i < 6; i++) {
            object_drop(&object, (struct dot){6 - i, 1}, &arena);
            if (covered >> i & 1) {
                (void)clock_add(&clock, (struct dot){1 + i, 1});
            }
        }
        ck_assert_uint_eq(object.versions_count, 0);
        object_tidy(&object, &clock);
        for (uint64_t i = 0; i < 6; i++) {
            bool has = object_residual_has(&object, (struct dot){1 + i, 1});
            ck_assert(has == !(covered >> i & 1));
        }
        clock_release(&clock);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

TEST(an_expired_version_is_a_tombstone_with_the_same_rank)
{
    struct version version = version_of(CAUSAL, 1, 1, 5), other = version_of(CAUSAL, 2, 1, 6);
    struct clock clock;
    struct arena arena;
    struct object object;

    clock_init(&clock);
    arena_init(&arena, 4096);
    object_init(&object);
    version.expiry_ms = 1000;
    ck_assert(!version_is_gone(&version, 999));
    ck_assert(version_is_gone(&version, 1000));
    ck_assert(!version_is_gone(&other, INT64_MAX)); /* 0 is never. */
    ck_assert(object_insert(&object, &clock, &version, &arena));
    ck_assert_uint_eq(object_expire(&object, 999, &arena), 0);
    struct object alone = object_clone(&object, &arena);
    ck_assert_uint_eq(object_expire(&alone, 1000, &arena), 1);
    ck_assert_uint_eq(object_expire(&alone, 1000, &arena), 0);
    ck_assert_int_eq(object.versions[0].kind, VERSION_STRING); /* The original is as it was. */
    struct version tombstone = version_of(CAUSAL | DELETED, 1, 1, 5);
    ck_assert(version_equal(&alone.versions[0], &tombstone));
    /* Beside a sibling of higher tag it yields. */
    ck_assert(object_insert(&object, &clock, &other, &arena));
    ck_assert_uint_eq(object.versions_count, 2);
    ck_assert_uint_eq(object_expire(&object, 1000, &arena), 1);
    ck_assert_uint_eq(object.versions_count, 1);
    ck_assert(object_residual_has(&object, version.dot));
    arena_release(&arena);
}

/* An object with `versions` siblings and `residual` dots, and payloads of every size around. */
static struct object some_object(struct prng *prng, unsigned versions, unsigned residual,
                                 struct arena *arena)
{
    struct object object;
    struct clock clock;

    object_init(&object);
    clock_init(&clock);
    for (unsigned i = 0; i < versions; i++) {
        struct version version =
            version_of(CAUSAL, prng_next(prng), prng_next(prng) >> prng_below(prng, 64) | 1, i);
        version.expiry_ms = (int64_t)prng_next(prng);
        version.timestamp = prng_next(prng);
        version.payload.size = version.payload_size = prng_below(prng, 300);
        version.payload.data = arena_alloc_zero(arena, version.payload.size);
        (void)object_insert(&object, &clock, &version, arena);
    }
    for (unsigned i = 0; i < residual; i++) {
        object_drop(&object, (struct dot){prng_next(prng), prng_next(prng) | 1}, arena);
    }
    return object;
}

TEST(what_is_encoded_is_decoded_and_every_flipped_bit_is_refused)
{
    struct arena arena;
    struct prng prng;
    long flips = 0;

    arena_init(&arena, 4096);
    prng_init(&prng, 3);
    for (unsigned shape = 1; shape < 25; shape++) {
        struct object object = some_object(&prng, shape % 5, shape / 5, &arena), back;
        struct buf record = encoded(&object);
        struct bytes other = BYTES_LITERAL("stored kez");
        ck_assert_int_eq(object_decode(buf_bytes(&record), key, &arena, &back), OK);
        ck_assert(object_equal(&object, &back));
        ck_assert_int_eq(object_decode(buf_bytes(&record), other, &arena, &back), ERR_CORRUPT);
        for (size_t bit = 0; bit < record.size * 8; bit++, flips++) {
            record.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            enum err err = object_decode(buf_bytes(&record), key, &arena, &back);
            if (err != (bit < 8 ? ERR_UNSUPPORTED : ERR_CORRUPT)) {
                ck_abort_msg("bit %zu of shape %u: %s", bit, shape, err_text(err));
            }
            record.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t size = 0; size < record.size; size++) {
            struct bytes part = {record.data, size};
            if (object_decode(part, key, &arena, &back) == OK) {
                ck_abort_msg("%zu bytes of shape %u", size, shape);
            }
        }
        buf_release(&record);
        arena_reset(&arena);
    }
    arena_release(&arena);
    printf("COUNT object_flips %ld\n", flips);
}

/* A record that is wrong and has the right checksum must be refused or be readable, whatever it
 * says. */
TEST(a_wrong_record_with_a_right_checksum_does_no_harm)
{
    enum { RUNS = 20000 };
    struct arena arena;
    struct prng prng;

    arena_init(&arena, 4096);
    prng_init(&prng, 5);
    for (int run = 0; run < RUNS; run++) {
        struct object object = some_object(&prng, (unsigned)prng_below(&prng, 4), 1, &arena), back;
        struct buf record = encoded(&object);
        size_t size =
            record.size - (prng_chance(&prng, 2) ? prng_below(&prng, record.size - 9) : 0);
        for (int change = 0; change < 3; change++) {
            record.data[9 + prng_below(&prng, record.size - 9)] = (uint8_t)prng_next(&prng);
        }
        be64_set(record.data + 1, hash_xxh3_2(key, (struct bytes){record.data + 9, size - 9}));
        enum err err = object_decode((struct bytes){record.data, size}, key, &arena, &back);
        ck_assert(err == OK || err == ERR_MALFORMED);
        for (uint32_t i = 0; err == OK && i < back.versions_count; i++) {
            ck_assert_uint_eq(back.versions[i].payload.size, back.versions[i].payload_size);
            (void)hash_xxh3(back.versions[i].payload); /* The sanitizer sees where it points. */
        }
        buf_release(&record);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

UNIT_MAIN(the_order_of_inserts_and_of_a_replacing_write_leaves_no_trace,
          only_causal_values_and_the_highest_tag_stay,
          a_version_that_is_known_is_not_inserted_again,
          forgetting_leaves_no_residual_and_tidying_only_what_is_not_covered,
          an_expired_version_is_a_tombstone_with_the_same_rank,
          what_is_encoded_is_decoded_and_every_flipped_bit_is_refused,
          a_wrong_record_with_a_right_checksum_does_no_harm)
