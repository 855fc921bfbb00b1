/* base/map.h - a hash table from u64 to pointers: open addressing, linear probing, no tombstones.
 *
 * Iteration order depends on the keys only through map_for's index order; pure code must not let it
 * decide anything. */
#pragma once

#include "base/base.h"

struct map_slot {
    uint64_t key;
    void *value; /* NULL: the slot is free. */
};

struct map {
    struct map_slot *slots;
    size_t count, capacity; /* Capacity is 0 or a power of two. */
};

void map_init(struct map *map);
void map_release(struct map *map);
/* Return the value of `key`, or NULL. */
void *map_get(const struct map *map, uint64_t key);
/* Set or replace; `value` is not NULL. Return the value that was there, or NULL. */
void *map_set(struct map *map, uint64_t key, void *value);
/* Return the value that was removed, or NULL. */
void *map_remove(struct map *map, uint64_t key);

#define MAP_FOR(index, map)                                                                        \
    for (size_t index = 0; index < (map)->capacity; index++)                                       \
        if ((map)->slots[index].value != NULL)
