/* tests/unit/test_heap.c - deadlines come out in order, the earlier inserted first. */
#include "base/heap.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

static void check_heap(const struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        ck_assert_uint_eq(heap->items[i]->place, i + 1);
        const struct heap_item *parent = heap->items[i == 0 ? 0 : (i + 1) / 2 - 1];
        ck_assert_uint_le(parent->key, heap->items[i]->key);
    }
}

/* All sequences of six keys out of 0..3. */
TEST(equal_keys_come_out_in_order_of_insertion)
{
    for (unsigned number = 0; number < 4096; number++) {
        struct heap_item items[6] = {{0}};
        struct heap heap;
        heap_init(&heap);
        for (unsigned i = 0; i < 6; i++) {
            heap_insert(&heap, &items[i], number >> 2 * i & 3);
            check_heap(&heap);
        }
        const struct heap_item *last = NULL;
        for (unsigned i = 0; i < 6; i++) {
            struct heap_item *first = heap_first(&heap);
            ck_assert(last == NULL || last->key < first->key ||
                      (last->key == first->key && last < first));
            heap_remove(&heap, first);
            check_heap(&heap);
            last = first;
        }
        ck_assert_ptr_null(heap_first(&heap));
        heap_release(&heap);
    }
}

static const struct heap_item *dumb_first(const struct heap_item *items, size_t count)
{
    const struct heap_item *first = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct heap_item *item = &items[i];
        bool less = first == NULL || item->key < first->key ||
                    (item->key == first->key && item->order < first->order);
        first = item->place != 0 && less ? item : first;
    }
    return first;
}

TEST(random_inserts_and_removals_agree_with_a_search)
{
    struct heap_item items[200] = {{0}};
    struct prng prng;
    struct heap heap;

    heap_init(&heap);
    prng_init(&prng, 17);
    for (int i = 0; i < 20000; i++) {
        struct heap_item *item = &items[prng_below(&prng, ARRAY_COUNT(items))];
        if (item->place == 0) {
            heap_insert(&heap, item, prng_below(&prng, 50));
        } else {
            heap_remove(&heap, item);
            ck_assert_uint_eq(item->place, 0);
        }
        ck_assert_ptr_eq(heap_first(&heap), dumb_first(items, ARRAY_COUNT(items)));
    }
    check_heap(&heap);
    heap_release(&heap);
}

TEST(removing_what_is_in_no_heap_does_nothing)
{
    struct heap_item item = {0};
    struct heap heap;

    heap_init(&heap);
    heap_remove(&heap, &item);
    ck_assert_ptr_null(heap_first(&heap));
    heap_insert(&heap, &item, UINT64_MAX);
    ck_assert_ptr_eq(heap_first(&heap), &item);
    heap_remove(&heap, &item);
    heap_remove(&heap, &item);
    ck_assert_ptr_null(heap_first(&heap));
    heap_release(&heap);
}

static void insert_twice(void)
{
    struct heap_item item = {0};
    struct heap heap;

    heap_init(&heap);
    heap_insert(&heap, &item, 1);
    heap_insert(&heap, &item, 2);
}

TEST(an_item_is_in_one_heap_at_most)
{
    ck_assert(unit_aborts(insert_twice));
}

UNIT_MAIN(equal_keys_come_out_in_order_of_insertion,
          random_inserts_and_removals_agree_with_a_search, removing_what_is_in_no_heap_does_nothing,
          an_item_is_in_one_heap_at_most)
