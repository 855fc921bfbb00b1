#include "base/map.h"

enum { MAP_CAPACITY_MIN = 16 };

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_release(struct map *map)
{
    mem_free(map->slots);
    map_init(map);
}

/* Fibonacci hashing spreads the sequential ids that most maps hold. */
static size_t map_home(const struct map *map, uint64_t key)
{
    uint64_t mixed = (key ^ key >> 32) * 0x9e3779b97f4a7c15U;

    return (size_t)(mixed >> 20) & (map->capacity - 1);
}

static size_t map_place(const struct map *map, uint64_t key)
{
    size_t at = map_home(map, key);

    while (map->slots[at].value != NULL && map->slots[at].key != key) {
        at = (at + 1) & (map->capacity - 1);
    }
    return at;
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->count == 0 ? NULL : map->slots[map_place(map, key)].value;
}

static void map_grow(struct map *map)
{
    struct map old = *map;

    if ((map->count + 1) * 4 <= map->capacity * 3) {
        return;
    }
    map->capacity = MAX((size_t)MAP_CAPACITY_MIN, old.capacity * 2);
    map->slots = mem_alloc_zero(map->capacity, sizeof(map->slots[0]));
    MAP_FOR (i, &old) {
        map->slots[map_place(map, old.slots[i].key)] = old.slots[i];
    }
    mem_free(old.slots);
}

void *map_set(struct map *map, uint64_t key, void *value)
{
    ASSERT(value != NULL);
    map_grow(map);
    struct map_slot *slot = &map->slots[map_place(map, key)];
    void *before = slot->value;
    map->count += before == NULL;
    *slot = (struct map_slot){key, value};
    return before;
}

void *map_remove(struct map *map, uint64_t key)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t mask = map->capacity - 1, hole = map_place(map, key);
    void *value = map->slots[hole].value;
    if (value == NULL) {
        return NULL;
    }
    map->slots[hole].value = NULL;
    map->count--;
    /* Move back what linear probing had pushed past the hole (Knuth, vol. 3, 6.4, algorithm R). */
    for (size_t at = (hole + 1) & mask; map->slots[at].value != NULL; at = (at + 1) & mask) {
        size_t home = map_home(map, map->slots[at].key);
        bool stays = hole <= at ? (hole < home && home <= at) : (hole < home || home <= at);
        if (!stays) {
            map->slots[hole] = map->slots[at];
            map->slots[at].value = NULL;
            hole = at;
        }
    }
    return value;
}
