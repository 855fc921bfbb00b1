/* tests/unit/test_key.c - stored names: what a client calls a key, found again, in the order of
 * slots. */
#include "quorum/key.h"

#include "base/prng.h"
#include "ring/slot.h"
#include "tests/lib/unit.h"

/* A key of `size` bytes, of few different values so that hash tags and equal prefixes come up. */
static struct bytes random_user(struct prng *prng, size_t size, struct arena *arena)
{
    static const uint8_t letters[] = {'a', 'b', '{', '}', 0, 0xff};
    uint8_t *data = arena_alloc(arena, size);

    for (size_t i = 0; i < size; i++) {
        data[i] = letters[prng_below(prng, sizeof(letters))];
    }
    return (struct bytes){data, size};
}

TEST(what_is_encoded_is_decoded)
{
    enum { KEYS = 20000 };
    struct arena arena;
    struct prng prng;

    arena_init(&arena, 4096);
    prng_init(&prng, 1);
    for (int i = 0; i < KEYS; i++) {
        size_t size = prng_below(&prng, i % 100 == 0 ? 40000 : 300);
        struct bytes user = random_user(&prng, size, &arena);
        uint8_t database = (uint8_t)prng_below(&prng, 16);
        struct bytes key = key_encode(&arena, database, user);
        struct key_parts parts;
        ck_assert_int_eq(key_decode(key, &parts), OK);
        ck_assert(bytes_equal(parts.user, user));
        ck_assert_uint_eq(parts.database, database);
        ck_assert_uint_eq(parts.slot, slot_of(user));
        ck_assert_uint_eq(parts.tag, KEY_TAG_STRING);
        ck_assert_uint_eq(parts.subkey.size, 0);
        ck_assert_uint_eq(key_slot(key), parts.slot);
        ck_assert_uint_eq(key_database(key), database);
        ck_assert_uint_eq(key_position(key), (uint64_t)parts.slot << 32 | parts.hash);
        ck_assert_uint_lt(key_position(key), (uint64_t)1 << 46);
        arena_reset(&arena);
    }
    arena_release(&arena);
    printf("COUNT key_round_trips %d\n", KEYS);
}

TEST(keys_of_every_length_around_the_limits_of_the_length_prefix_come_back)
{
    static const size_t sizes[] = {0,           1, 127, 128, 129, 16383, 16384, KEY_USER_MAX - 1,
                                   KEY_USER_MAX};
    struct arena arena;
    struct prng prng;

    arena_init(&arena, 4096);
    prng_init(&prng, 2);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct bytes user = random_user(&prng, sizes[i], &arena);
        struct key_parts parts;
        ck_assert_int_eq(key_decode(key_encode(&arena, 3, user), &parts), OK);
        ck_assert(bytes_equal(parts.user, user));
    }
    arena_release(&arena);
}

static struct buf joined(uint16_t slot, uint32_t hash, uint64_t size, struct bytes rest)
{
    struct buf buf;

    buf_init(&buf, SIZE_MAX);
    buf_put_be16(&buf, slot);
    buf_put_u8(&buf, 0);
    buf_put_be32(&buf, hash);
    buf_put_varint(&buf, size);
    buf_put_bytes(&buf, rest);
    return buf;
}

TEST(a_key_longer_than_the_limit_is_refused)
{
    struct arena arena;
    struct prng prng;
    struct key_parts parts;

    arena_init(&arena, 4096);
    prng_init(&prng, 2);
    struct bytes user = random_user(&prng, KEY_USER_MAX + 2, &arena);
    user.size = KEY_USER_MAX;
    struct bytes longest = key_encode(&arena, 0, user);
    uint32_t hash = be32_at(longest.data + 3);
    user.size = KEY_USER_MAX + 2; /* One more, and a tag. */
    struct buf key = joined(slot_of(user), hash, KEY_USER_MAX + 1, user);
    ck_assert_int_eq(key_decode(buf_bytes(&key), &parts), ERR_MALFORMED);
    buf_release(&key);
    key = joined(slot_of(user), hash, UINT64_MAX, user);
    ck_assert_int_eq(key_decode(buf_bytes(&key), &parts), ERR_MALFORMED);
    buf_release(&key);
    arena_release(&arena);
}

/* A peer must not be able to place a key where it does not belong. */
TEST(a_changed_or_shortened_name_is_refused_but_for_the_database_and_the_tag)
{
    struct arena arena;
    struct prng prng;
    int changes = 0;

    arena_init(&arena, 4096);
    prng_init(&prng, 4);
    for (size_t size = 0; size < 40; size++) {
        struct bytes key = key_encode(&arena, 2, random_user(&prng, size, &arena));
        uint8_t *data = arena_copy(&arena, key.data, key.size);
        struct key_parts parts;
        for (size_t at = 0; at < key.size; at++) {
            bool free = at == 2 || at == key.size - 1; /* Database and tag. */
            for (unsigned value = 0; value < 256; value++, changes++) {
                data[at] = (uint8_t)value;
                enum err err = key_decode((struct bytes){data, key.size}, &parts);
                if (err != (free || value == key.data[at] ? OK : ERR_MALFORMED)) {
                    ck_abort_msg("byte %zu of a key of %zu as %u", at, size, value);
                }
            }
            data[at] = key.data[at];
        }
        for (size_t part = 0; part < key.size; part++) {
            ck_assert_int_eq(key_decode((struct bytes){data, part}, &parts), ERR_MALFORMED);
        }
        data = arena_alloc(&arena, key.size + 1);
        for (size_t i = 0; i < key.size; i++) {
            data[i] = key.data[i];
        }
        data[key.size] = 'x'; /* A string has no subkey; what has one is for collections. */
        struct bytes longer = {data, key.size + 1};
        ck_assert_int_eq(key_decode(longer, &parts), ERR_MALFORMED);
        data[key.size - 1] = 1;
        ck_assert_int_eq(key_decode(longer, &parts), OK);
        ck_assert_uint_eq(parts.subkey.size, 1);
        arena_reset(&arena);
    }
    arena_release(&arena);
    printf("COUNT key_changes %d\n", changes);
}

TEST(stored_names_are_in_the_order_of_slots_and_every_slot_begins_at_its_first_name)
{
    struct arena arena;
    struct prng prng;

    arena_init(&arena, 1 << 16);
    prng_init(&prng, 5);
    for (int i = 0; i < 20000; i++) {
        struct bytes a = key_encode(&arena, (uint8_t)prng_below(&prng, 16),
                                    random_user(&prng, prng_below(&prng, 8), &arena));
        struct bytes b = key_encode(&arena, (uint8_t)prng_below(&prng, 16),
                                    random_user(&prng, prng_below(&prng, 8), &arena));
        if (key_slot(a) != key_slot(b)) {
            ck_assert((bytes_compare(a, b) < 0) == (key_slot(a) < key_slot(b)));
        }
        ck_assert_int_le(bytes_compare(key_at_slot(&arena, key_slot(a)), a), 0);
        ck_assert_int_gt(bytes_compare(key_at_slot(&arena, key_slot(a) + 1U), a), 0);
        arena_reset(&arena);
    }
    /* Behind the last slot there is nothing. */
    ck_assert_uint_eq(be16_at(key_at_slot(&arena, SLOTS_COUNT).data), SLOTS_COUNT);
    arena_release(&arena);
}

UNIT_MAIN(what_is_encoded_is_decoded,
          keys_of_every_length_around_the_limits_of_the_length_prefix_come_back,
          a_key_longer_than_the_limit_is_refused,
          a_changed_or_shortened_name_is_refused_but_for_the_database_and_the_tag,
          stored_names_are_in_the_order_of_slots_and_every_slot_begins_at_its_first_name)
