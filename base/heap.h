/* base/heap.h - an intrusive binary min-heap of deadlines; each item knows its place. */
#pragma once

#include "base/base.h"

struct heap_item {
    uint64_t key;   /* Smallest first; equal keys in order of insertion. */
    uint64_t order; /* Set by heap_insert. */
    size_t place;   /* 1-based index in the heap; 0 while in none. */
};

struct heap {
    struct heap_item **items;
    size_t count, capacity;
    uint64_t order_next;
};

void heap_init(struct heap *heap);
/* The items themselves are the caller's. */
void heap_release(struct heap *heap);
/* The item must be in no heap (place 0). */
void heap_insert(struct heap *heap, struct heap_item *item, uint64_t key);
/* Does nothing for an item in no heap. */
void heap_remove(struct heap *heap, struct heap_item *item);
/* Return the smallest item, or NULL. */
struct heap_item *heap_first(const struct heap *heap);
