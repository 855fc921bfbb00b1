#include "base/heap.h"

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_release(struct heap *heap)
{
    mem_free(heap->items);
    heap_init(heap);
}

static bool heap_less(const struct heap_item *a, const struct heap_item *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void heap_set(struct heap *heap, size_t place, struct heap_item *item)
{
    heap->items[place - 1] = item;
    item->place = place;
}

static void heap_up(struct heap *heap, struct heap_item *item, size_t place)
{
    while (place > 1 && heap_less(item, heap->items[place / 2 - 1])) {
        heap_set(heap, place, heap->items[place / 2 - 1]);
        place /= 2;
    }
    heap_set(heap, place, item);
}

static void heap_down(struct heap *heap, struct heap_item *item, size_t place)
{
    for (;;) {
        size_t child = place * 2;
        if (child > heap->count) {
            break;
        }
        if (child < heap->count && heap_less(heap->items[child], heap->items[child - 1])) {
            child++;
        }
        if (!heap_less(heap->items[child - 1], item)) {
            break;
        }
        heap_set(heap, place, heap->items[child - 1]);
        place = child;
    }
    heap_set(heap, place, item);
}

void heap_insert(struct heap *heap, struct heap_item *item, uint64_t key)
{
    ASSERT(item->place == 0);
    if (heap->count == heap->capacity) {
        heap->capacity = MAX((size_t)16, heap->capacity * 2);
        heap->items = mem_resize(heap->items, heap->capacity * sizeof(heap->items[0]));
    }
    item->key = key;
    item->order = heap->order_next++;
    heap->count++;
    heap_up(heap, item, heap->count);
}

void heap_remove(struct heap *heap, struct heap_item *item)
{
    size_t place = item->place;

    if (place == 0) {
        return;
    }
    ASSERT(heap->items[place - 1] == item);
    struct heap_item *last = heap->items[heap->count - 1];
    heap->count--;
    item->place = 0;
    if (last == item) {
        return;
    }
    if (place > 1 && heap_less(last, heap->items[place / 2 - 1])) {
        heap_up(heap, last, place);
    } else {
        heap_down(heap, last, place);
    }
}

struct heap_item *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}
