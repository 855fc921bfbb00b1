/* tests/unit/test_arena.c - alignment, growth, reset. */
#include "base/arena.h"

#include <string.h>

#include "base/prng.h"
#include "tests/lib/unit.h"

TEST(every_piece_is_aligned_and_none_overlaps_another)
{
    struct arena arena;
    struct prng prng;
    uint8_t *pieces[500];
    size_t sizes[500];

    arena_init(&arena, 100);
    prng_init(&prng, 1);
    for (size_t i = 0; i < ARRAY_COUNT(pieces); i++) {
        sizes[i] = prng_below(&prng, 300);
        pieces[i] = arena_alloc(&arena, sizes[i]);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(pieces); i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            ck_assert_uint_eq(pieces[i][j], i % 251);
        }
    }
    arena_release(&arena);
}

TEST(nothing_is_allocated_before_the_first_use_nor_after_release)
{
    size_t before = mem_used();
    struct arena arena;

    arena_init(&arena, 4096);
    ck_assert_uint_eq(mem_used(), before);
    (void)arena_alloc(&arena, 100000);
    ck_assert_uint_gt(mem_used(), before);
    arena_release(&arena);
    ck_assert_uint_eq(mem_used(), before);
    ck_assert_uint_eq(arena.used, 0);
}

TEST(a_steady_state_allocates_nothing)
{
    struct arena arena;
    size_t settled = 0;

    arena_init(&arena, 64);
    for (int step = 0; step < 100; step++) {
        arena_reset(&arena);
        for (int i = 0; i < 20; i++) {
            (void)arena_alloc(&arena, 50);
        }
        ck_assert_uint_eq(arena.used, 20 * 64);
        if (step == 10) {
            settled = mem_used();
        }
        ck_assert(step < 10 || mem_used() == settled);
    }
    arena_release(&arena);
}

TEST(reset_gives_back_what_one_large_step_took)
{
    size_t before = mem_used();
    struct arena arena;

    arena_init(&arena, 1024);
    (void)arena_alloc(&arena, 10 << 20);
    arena_reset(&arena);
    ck_assert_uint_le(mem_used() - before, 65 * 1024);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
    arena_release(&arena);
}

TEST(copies_and_zeroes_and_formats)
{
    struct arena arena;

    arena_init(&arena, 16);
    const uint8_t *zeros = arena_alloc_zero(&arena, 1000);
    for (size_t i = 0; i < 1000; i++) {
        ck_assert_uint_eq(zeros[i], 0);
    }
    struct bytes copy = arena_copy_bytes(&arena, BYTES_LITERAL("some bytes"));
    ck_assert(bytes_equal(copy, BYTES_LITERAL("some bytes")));
    ck_assert_uint_eq(arena_copy_bytes(&arena, (struct bytes){NULL, 0}).size, 0);
    ck_assert_ptr_nonnull(arena_copy(&arena, NULL, 0));
    ck_assert_str_eq(arena_printf(&arena, "%s", ""), "");
    ck_assert_str_eq(arena_printf(&arena, "%d of %s", 2, "three"), "2 of three");
    ck_assert_uint_eq(strlen(arena_printf(&arena, "%5000d", 1)), 5000);
    arena_release(&arena);
}

UNIT_MAIN(every_piece_is_aligned_and_none_overlaps_another,
          nothing_is_allocated_before_the_first_use_nor_after_release,
          a_steady_state_allocates_nothing, reset_gives_back_what_one_large_step_took,
          copies_and_zeroes_and_formats)
