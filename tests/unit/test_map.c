/* tests/unit/test_map.c - the map against a plain array, with keys that collide. */
#include "base/map.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

enum { KEYS = 300 };

static size_t count_by_walking(const struct map *map)
{
    size_t count = 0;
    MAP_FOR (i, map) {
        count++;
    }
    return count;
}

/* `spread`: keys are multiples of it, so that some spreads land on few places. */
static void check_random_use(uint64_t spread, uint64_t seed)
{
    static char values[8];
    void *expected[KEYS] = {0};
    size_t count = 0;
    struct prng prng;
    struct map map;

    map_init(&map);
    prng_init(&prng, seed);
    for (int i = 0; i < 6000; i++) {
        uint64_t number = prng_below(&prng, KEYS), key = number * spread;
        void *value = prng_chance(&prng, 2) ? &values[prng_below(&prng, 8)] : NULL;
        count += (value != NULL) - (size_t)(expected[number] != NULL);
        void *before = value != NULL ? map_set(&map, key, value) : map_remove(&map, key);
        ck_assert_ptr_eq(before, expected[number]);
        expected[number] = value;
        ck_assert_uint_eq(map.count, count);
        ck_assert_ptr_eq(map_get(&map, key), value);
        if (i % 100 == 0) {
            for (uint64_t k = 0; k < KEYS; k++) {
                ck_assert_ptr_eq(map_get(&map, k * spread), expected[k]);
            }
            ck_assert_uint_eq(count_by_walking(&map), count);
        }
    }
    map_release(&map);
}

TEST(it_holds_what_was_set_and_not_removed)
{
    static const uint64_t spreads[] = {1,         2, 16, 1 << 20, 1ULL << 32, 0x9e3779b97f4a7c15,
                                       1ULL << 55};

    for (size_t i = 0; i < ARRAY_COUNT(spreads); i++) {
        check_random_use(spreads[i], i);
    }
}

TEST(nothing_is_found_in_an_empty_map)
{
    size_t before = mem_used();
    struct map map;

    map_init(&map);
    ck_assert_ptr_null(map_get(&map, 0));
    ck_assert_ptr_null(map_remove(&map, 0));
    ck_assert_uint_eq(count_by_walking(&map), 0);
    ck_assert_uint_eq(mem_used(), before);
    ck_assert_ptr_null(map_set(&map, 0, &map));
    ck_assert_ptr_eq(map_remove(&map, 0), &map);
    ck_assert_ptr_null(map_remove(&map, 0));
    map_release(&map);
    ck_assert_uint_eq(mem_used(), before);
}

TEST(both_ends_of_the_key_space_are_keys_like_any_other)
{
    int low = 0, high = 0;
    struct map map;

    map_init(&map);
    (void)map_set(&map, 0, &low);
    (void)map_set(&map, UINT64_MAX, &high);
    ck_assert_ptr_eq(map_get(&map, 0), &low);
    ck_assert_ptr_eq(map_get(&map, UINT64_MAX), &high);
    ck_assert_ptr_null(map_get(&map, 1));
    map_release(&map);
}

/* A map that only ever fills up would otherwise search without end. */
TEST(there_is_always_a_free_place)
{
    int value = 0;
    struct map map;

    map_init(&map);
    for (uint64_t key = 0; key < 5000; key++) {
        (void)map_set(&map, key, &value);
        ck_assert_uint_lt(map.count, map.capacity);
        ck_assert_uint_le(map.count * 4, map.capacity * 3);
    }
    map_release(&map);
}

static void set_nothing(void)
{
    struct map map;
    map_init(&map);
    (void)map_set(&map, 1, NULL);
}

TEST(nothing_is_not_a_value)
{
    ck_assert(unit_aborts(set_nothing));
}

UNIT_MAIN(it_holds_what_was_set_and_not_removed, nothing_is_found_in_an_empty_map,
          both_ends_of_the_key_space_are_keys_like_any_other, there_is_always_a_free_place,
          nothing_is_not_a_value)
