/* tests/unit/test_base.c - memory that is counted, assertions that stop, texts of errors. */
#include "base/base.h"

#include <string.h>

#include "base/err.h"
#include "base/mutant.h"
#include "tests/lib/unit.h"

TEST(memory_in_use_returns_to_where_it_was)
{
    size_t before = mem_used();
    void *blocks[64];

    for (size_t i = 0; i < ARRAY_COUNT(blocks); i++) {
        blocks[i] = mem_alloc(i * 100);
        memset(blocks[i], 0xee, i * 100);
    }
    ck_assert_uint_ge(mem_used() - before, 64 * 63 / 2 * 100);
    for (size_t i = 0; i < ARRAY_COUNT(blocks); i++) {
        blocks[i] = mem_resize(blocks[i], 10);
    }
    for (size_t i = 0; i < ARRAY_COUNT(blocks); i++) {
        mem_free(blocks[i]);
    }
    ck_assert_uint_eq(mem_used(), before);
}

TEST(resizing_keeps_the_contents)
{
    char *text = mem_resize(NULL, 6);
    memcpy(text, "hello", 6);
    text = mem_resize(text, 100000);
    ck_assert_str_eq(text, "hello");
    text = mem_resize(text, 6);
    ck_assert_str_eq(text, "hello");
    mem_free(text);
}

TEST(zeroed_memory_is_zero_and_nothing_may_be_freed)
{
    uint8_t *zeros = mem_alloc_zero(100, 7);
    for (size_t i = 0; i < 700; i++) {
        ck_assert_uint_eq(zeros[i], 0);
    }
    mem_free(zeros);
    mem_free(mem_alloc_zero(0, 8));
    mem_free(NULL);
}

static void overflow_the_product(void)
{
    mem_free(mem_alloc_zero(SIZE_MAX / 2, 4));
}

static void break_an_invariant(void)
{
    int one = 1;
    ASSERT(one == 2);
}

static void keep_an_invariant(void)
{
    int one = 1;
    ASSERT(one == 1);
}

TEST(a_broken_assert_aborts_and_a_kept_one_does_not)
{
    ck_assert(unit_aborts(break_an_invariant));
    ck_assert(!unit_aborts(keep_an_invariant));
}

/* Not by a signal under AddressSanitizer, which stops the process itself. */
TEST(a_product_that_overflows_stops_the_process)
{
    ck_assert_int_ne(unit_fate(overflow_the_product), 0);
    ck_assert_int_eq(unit_fate(keep_an_invariant), 0);
}

TEST(an_assert_evaluates_its_expression_once)
{
    int calls = 0;
    ASSERT(++calls == 1);
    ck_assert_int_eq(calls, 1);
}

TEST(every_error_has_a_text_of_its_own)
{
    static const enum err all[] = {
#define X(name, text) name,
        ERR_LIST(X)
#undef X
    };
    ck_assert_int_eq(OK, 0);
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        ck_assert_uint_eq(all[i], i);
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(err_text(all[i]), err_text(all[j]));
        }
    }
    ck_assert_str_eq(err_text((enum err)ARRAY_COUNT(all)), "unknown error");
}

TEST(no_mutant_is_alive_in_a_normal_build)
{
#define X(name, hazard, words) ck_assert(!MUTANT(name));
    MUTANT_LIST(X)
#undef X
}

UNIT_MAIN(memory_in_use_returns_to_where_it_was, resizing_keeps_the_contents,
          zeroed_memory_is_zero_and_nothing_may_be_freed,
          a_broken_assert_aborts_and_a_kept_one_does_not,
          a_product_that_overflows_stops_the_process, an_assert_evaluates_its_expression_once,
          every_error_has_a_text_of_its_own, no_mutant_is_alive_in_a_normal_build)
