/* tests/unit/test_ring.c - tokens depend on names and weights only, and are searched clockwise. */
#include "ring/ring.h"

#include "base/hash.h"
#include "base/prng.h"
#include "tests/lib/unit.h"

enum { MEMBERS_MAX = 40 };

struct shape {
    struct ring_member members[MEMBERS_MAX];
    const struct ring_member *pointers[MEMBERS_MAX];
};

static void shape_make(struct shape *shape, unsigned count, unsigned weight)
{
    *shape = (struct shape){0};
    for (unsigned i = 0; i < count; i++) {
        snprintf(shape->members[i].name, sizeof(shape->members[i].name), "node-%02u", i);
        shape->members[i].weight = weight;
        shape->pointers[i] = &shape->members[i];
    }
}

static uint32_t tokens_of(const struct ring *ring, unsigned member)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < ring->tokens_count; i++) {
        count += ring->tokens[i].member == member;
    }
    return count;
}

TEST(tokens_are_sorted_and_in_proportion_to_weight)
{
    struct shape shape;
    struct ring ring;

    shape_make(&shape, 3, 1);
    shape.members[1].weight = 2;
    shape.members[2].weight = 4;
    ring_init(&ring, shape.pointers, 3);
    ck_assert_uint_eq(tokens_of(&ring, 0), RING_TOKENS_PER_MEMBER / 4);
    ck_assert_uint_eq(tokens_of(&ring, 1), RING_TOKENS_PER_MEMBER / 2);
    ck_assert_uint_eq(tokens_of(&ring, 2), RING_TOKENS_PER_MEMBER);
    for (uint32_t i = 1; i < ring.tokens_count; i++) {
        ck_assert(ring.tokens[i - 1].position <= ring.tokens[i].position);
    }
    ring_release(&ring);
}

TEST(the_lightest_member_has_a_token)
{
    struct shape shape;
    struct ring ring;

    shape_make(&shape, 2, 1);
    shape.members[1].weight = RING_WEIGHT_MAX;
    ring_init(&ring, shape.pointers, 2);
    ck_assert_uint_eq(tokens_of(&ring, 0), 1);
    ring_release(&ring);
}

TEST(a_newcomer_moves_no_token_of_the_others)
{
    struct shape shape;
    struct ring before, after;
    uint32_t at = 0;

    shape_make(&shape, MEMBERS_MAX, 3);
    ring_init(&before, shape.pointers, MEMBERS_MAX - 1);
    ring_init(&after, shape.pointers, MEMBERS_MAX);
    for (uint32_t i = 0; i < after.tokens_count; i++) {
        if (after.tokens[i].member < MEMBERS_MAX - 1) {
            ck_assert(after.tokens[i].position == before.tokens[at].position);
            ck_assert_uint_eq(after.tokens[i].member, before.tokens[at++].member);
        }
    }
    ck_assert_uint_eq(at, before.tokens_count);
    ring_release(&before);
    ring_release(&after);
}

TEST(the_first_token_is_found_as_by_looking_at_all)
{
    struct shape shape;
    struct ring ring;
    struct prng prng;

    prng_init(&prng, 7);
    shape_make(&shape, 5, 1);
    ring_init(&ring, shape.pointers, 5);
    for (int i = 0; i < 10000; i++) {
        uint64_t position = prng_next(&prng);
        if (i % 3 == 0) { /* On a token, or beside it. */
            position = ring.tokens[position % ring.tokens_count].position + (uint64_t)(i % 5) - 2;
        }
        uint32_t expected = 0;
        while (expected < ring.tokens_count && ring.tokens[expected].position < position) {
            expected++;
        }
        ck_assert_uint_eq(ring_first(&ring, position), expected % ring.tokens_count);
    }
    ck_assert_uint_eq(ring_first(&ring, 0), 0);
    ring_release(&ring);
}

TEST(tokens_stay_where_they_were_in_earlier_versions)
{
    struct shape shape;
    struct ring ring;
    uint64_t digest = 0;

    shape_make(&shape, 3, 1);
    ring_init(&ring, shape.pointers, 3);
    for (uint32_t i = 0; i < ring.tokens_count; i++) {
        uint8_t packed[10];
        be64_set(packed, ring.tokens[i].position ^ digest);
        be16_set(packed + 8, ring.tokens[i].member);
        digest = hash_xxh3((struct bytes){packed, sizeof(packed)});
    }
    ck_assert_msg(digest == UINT64_C(0x3e5deaf7643dbcba), "digest 0x%016llx",
                  (unsigned long long)digest);
    ring_release(&ring);
}

UNIT_MAIN(tokens_are_sorted_and_in_proportion_to_weight, the_lightest_member_has_a_token,
          a_newcomer_moves_no_token_of_the_others, the_first_token_is_found_as_by_looking_at_all,
          tokens_stay_where_they_were_in_earlier_versions)
