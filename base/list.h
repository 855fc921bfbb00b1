/* base/list.h - an intrusive doubly linked list (as in libuv's queue.h). Owns nothing. */
#pragma once

#include "base/base.h"

struct list {
    struct list *next, *prev; /* A head alone points to itself. */
};

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_before(struct list *at, struct list *item)
{
    item->prev = at->prev;
    item->next = at;
    at->prev->next = item;
    at->prev = item;
}

static inline void list_push_back(struct list *head, struct list *item)
{
    list_insert_before(head, item);
}

static inline void list_push_front(struct list *head, struct list *item)
{
    list_insert_before(head->next, item);
}

/* Take the item out; it is a list of its own afterwards, so removing it again is harmless. */
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

#define LIST_FOR(item, head)                                                                       \
    for (struct list *item = (head)->next; item != (head); item = item->next)
/* The body may remove `item`. */
#define LIST_FOR_SAFE(item, after, head)                                                           \
    for (struct list *item = (head)->next, *after = item->next; item != (head);                    \
         item = after, after = item->next)
