/* tests/unit/test_prng.c - the published sequence, bounds and evenness. */
#include "base/prng.h"

#include "tests/lib/unit.h"

/* xoshiro256** from state 1, 2, 3, 4, as other implementations of it test themselves. */
TEST(the_sequence_is_the_published_one)
{
    static const uint64_t expected[] = {11520U, 0U, 1509978240U, 1215971899390074240U};
    struct prng prng = {{1, 2, 3, 4}};

    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        ck_assert_uint_eq(prng_next(&prng), expected[i]);
    }
}

/* The first outputs of splitmix64 from 0. */
TEST(the_seed_is_spread_by_splitmix64)
{
    struct prng prng;

    prng_init(&prng, 0);
    ck_assert_uint_eq(prng.state[0], 0xe220a8397b1dcdaf);
    ck_assert_uint_eq(prng.state[1], 0x6e789e6aa1b965f4);
    ck_assert_uint_eq(prng.state[2], 0x06c45d188009454f);
    ck_assert_uint_eq(prng.state[3], 0xf88bb8a8724c81ec);
}

TEST(one_seed_gives_one_sequence)
{
    struct prng a, b, c;
    unsigned same = 0;

    prng_init(&a, 42);
    prng_init(&b, 42);
    prng_init(&c, 43);
    for (int i = 0; i < 1000; i++) {
        uint64_t next = prng_next(&a);
        ck_assert_uint_eq(next, prng_next(&b));
        same += next == prng_next(&c);
    }
    ck_assert_uint_eq(same, 0);
}

TEST(numbers_below_a_bound_are_below_it_and_even)
{
    struct prng prng;

    prng_init(&prng, 1);
    for (uint64_t bound = 1; bound <= 40; bound++) {
        unsigned counts[41] = {0}, sum = 0;
        for (uint64_t i = 0; i < bound * 1000; i++) {
            uint64_t number = prng_below(&prng, bound);
            counts[MIN(number, bound)]++;
        }
        for (uint64_t i = 0; i < bound; i++) { /* About six standard deviations. */
            ck_assert_uint_gt(counts[i], 800);
            ck_assert_uint_lt(counts[i], 1200);
            sum += counts[i];
        }
        ck_assert_uint_eq(sum, bound * 1000);
    }
}

/* 3 * 2^62: a plain remainder would give the lowest third twice as often. */
TEST(large_bounds_are_even_too)
{
    uint64_t bound = 3ULL << 62;
    unsigned thirds[4] = {0};
    struct prng prng;

    prng_init(&prng, 2);
    for (int i = 0; i < 30000; i++) {
        thirds[prng_below(&prng, bound) >> 62]++;
    }
    ck_assert_uint_eq(thirds[3], 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_gt(thirds[i], 9400);
        ck_assert_uint_lt(thirds[i], 10600);
    }
    ck_assert_uint_lt(prng_below(&prng, UINT64_MAX), UINT64_MAX);
}

static void below_nothing(void)
{
    struct prng prng;
    prng_init(&prng, 1);
    (void)prng_below(&prng, 0);
}

TEST(no_number_is_below_zero)
{
    ck_assert(unit_aborts(below_nothing));
}

TEST(a_chance_of_one_in_zero_never_comes_and_one_in_one_always)
{
    struct prng prng;
    unsigned hits = 0, always = 0, never = 0;

    prng_init(&prng, 3);
    for (int i = 0; i < 40000; i++) {
        never += prng_chance(&prng, 0);
        always += prng_chance(&prng, 1);
        hits += prng_chance(&prng, 4);
    }
    ck_assert_uint_eq(never, 0);
    ck_assert_uint_eq(always, 40000);
    ck_assert_uint_gt(hits, 9500);
    ck_assert_uint_lt(hits, 10500);
}

TEST(fractions_lie_in_the_unit_interval)
{
    struct prng prng;
    double sum = 0, least = 1, most = 0;

    prng_init(&prng, 4);
    for (int i = 0; i < 100000; i++) {
        double fraction = prng_double(&prng);
        least = MIN(least, fraction);
        most = MAX(most, fraction);
        sum += fraction;
    }
    ck_assert(least >= 0);
    ck_assert(most < 1);
    ck_assert(sum > 49500 && sum < 50500);
}

UNIT_MAIN(the_sequence_is_the_published_one, the_seed_is_spread_by_splitmix64,
          one_seed_gives_one_sequence, numbers_below_a_bound_are_below_it_and_even,
          large_bounds_are_even_too, no_number_is_below_zero,
          a_chance_of_one_in_zero_never_comes_and_one_in_one_always,
          fractions_lie_in_the_unit_interval)
