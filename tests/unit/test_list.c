/* tests/unit/test_list.c - order, removal, and removal while walking. */
#include "base/list.h"

#include "tests/lib/unit.h"

struct thing {
    int number;
    struct list link;
};

static int number_of(struct list *link)
{
    return CONTAINER_OF(link, struct thing, link)->number;
}

static void fill(struct list *head, struct thing *things, int count)
{
    list_init(head);
    for (int i = 0; i < count; i++) {
        things[i].number = i;
        list_push_back(head, &things[i].link);
    }
}

TEST(things_pushed_back_come_in_order_and_pushed_front_in_reverse)
{
    struct thing things[10];
    struct list head;
    int expected = 0;

    fill(&head, things, 10);
    LIST_FOR (item, &head) {
        ck_assert_int_eq(number_of(item), expected++);
    }
    ck_assert_int_eq(expected, 10);
    list_init(&head);
    for (int i = 0; i < 10; i++) {
        list_push_front(&head, &things[i].link);
    }
    LIST_FOR (item, &head) {
        ck_assert_int_eq(number_of(item), --expected);
    }
    ck_assert_int_eq(expected, 0);
}

TEST(an_empty_list_is_walked_not_at_all)
{
    struct list head;

    list_init(&head);
    ck_assert(list_empty(&head));
    LIST_FOR (item, &head) {
        ck_abort_msg("an item %p in an empty list", (void *)item);
    }
    LIST_FOR_SAFE (item, after, &head) {
        ck_abort_msg("an item %p in an empty list", (void *)item);
    }
}

/* Every subset of six things is removed in one walk. */
TEST(any_item_may_be_removed_while_walking_safely)
{
    for (unsigned subset = 0; subset < 64; subset++) {
        struct thing things[6];
        struct list head;
        unsigned left = 0;
        fill(&head, things, 6);
        LIST_FOR_SAFE (item, after, &head) {
            if (subset >> number_of(item) & 1) {
                list_remove(item);
                list_remove(item); /* Harmless. */
                ck_assert(list_empty(item));
            }
        }
        LIST_FOR (item, &head) {
            ck_assert_ptr_eq(item->next->prev, item);
            left |= 1U << number_of(item);
        }
        ck_assert_uint_eq(left, 63 & ~subset);
        ck_assert_int_eq(list_empty(&head), subset == 63);
    }
}

TEST(inserting_before_an_item_places_it_there)
{
    struct thing things[3], more = {.number = 7};
    struct list head;

    fill(&head, things, 3);
    list_insert_before(&things[1].link, &more.link);
    ck_assert_int_eq(number_of(things[0].link.next), 7);
    ck_assert_int_eq(number_of(more.link.next), 1);
    ck_assert_int_eq(number_of(head.prev), 2);
}

UNIT_MAIN(things_pushed_back_come_in_order_and_pushed_front_in_reverse,
          an_empty_list_is_walked_not_at_all, any_item_may_be_removed_while_walking_safely,
          inserting_before_an_item_places_it_there)
