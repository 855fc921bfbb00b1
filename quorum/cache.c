#include "quorum/cache.h"

#include "base/hash.h"

#include <string.h>

/* The hand jumps: going slot by slot it would empty the table behind it and leave it overfull
 * ahead, where linear probing degrades. Odd, so that it comes to every slot of a power of two. */
enum { CACHE_SLOTS_MIN = 1024, CACHE_EVICT_STEPS = 64, CACHE_ROUND = 32, CACHE_STRIDE = 0x9e3779b };

void cache_init(struct cache *cache, uint64_t bytes_max, uint64_t seed)
{
    *cache = (struct cache){.bytes_max = bytes_max, .seed = seed};
}

void cache_release(struct cache *cache)
{
    for (size_t i = 0; i < cache->capacity; i++) {
        mem_free(cache->slots[i].entry);
    }
    mem_free(cache->slots);
    *cache = (struct cache){0};
}

struct bytes cache_record(const struct cache_entry *entry)
{
    return (struct bytes){entry->data + entry->key_size, entry->record_size};
}

/* The slot of `key`, or the free slot where it would go. The table is never full. */
static struct cache_slot *cache_slot(const struct cache *cache, uint64_t hash, struct bytes key)
{
    size_t at = (size_t)hash & (cache->capacity - 1);

    while (cache->slots[at].entry != NULL) {
        const struct cache_entry *entry = cache->slots[at].entry;
        if (cache->slots[at].hash == hash && entry->key_size == key.size &&
            memcmp(entry->data, key.data, key.size) == 0) {
            break;
        }
        at = (at + 1) & (cache->capacity - 1);
    }
    return &cache->slots[at];
}

struct cache_entry *cache_find(struct cache *cache, struct bytes key)
{
    struct cache_entry *entry = NULL;

    if (cache->count > 0) {
        entry = cache_slot(cache, hash_seeded(key, cache->seed), key)->entry;
    }
    if (entry == NULL) {
        cache->misses++;
        return NULL;
    }
    cache->hits++;
    entry->referenced = true;
    return entry;
}

static void cache_grow(struct cache *cache)
{
    struct cache_slot *old = cache->slots;
    size_t old_capacity = cache->capacity;

    if ((cache->count + 1) * 4 <= cache->capacity * 3) {
        return;
    }
    cache->capacity = MAX((size_t)CACHE_SLOTS_MIN, old_capacity * 2);
    cache->slots = mem_alloc_zero(cache->capacity, sizeof(cache->slots[0]));
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].entry != NULL) {
            size_t at = (size_t)old[i].hash & (cache->capacity - 1);
            while (cache->slots[at].entry != NULL) {
                at = (at + 1) & (cache->capacity - 1);
            }
            cache->slots[at] = old[i];
        }
    }
    mem_free(old);
}

static size_t cache_entry_size(const struct cache_entry *entry)
{
    return sizeof(*entry) + entry->capacity + sizeof(struct cache_slot);
}

/* Take the entry at `hole` out, moving back what linear probing had pushed behind it (Knuth, vol.
 * 3, 6.4, algorithm R). */
static void cache_remove_at(struct cache *cache, size_t hole)
{
    size_t mask = cache->capacity - 1;

    cache->bytes -= cache_entry_size(cache->slots[hole].entry);
    mem_free(cache->slots[hole].entry);
    cache->slots[hole].entry = NULL;
    cache->count--;
    for (size_t at = (hole + 1) & mask; cache->slots[at].entry != NULL; at = (at + 1) & mask) {
        size_t home = (size_t)cache->slots[at].hash & mask;
        bool stays = hole <= at ? (hole < home && home <= at) : (hole < home || home <= at);
        if (!stays) {
            cache->slots[hole] = cache->slots[at];
            cache->slots[at].entry = NULL;
            hole = at;
        }
    }
}

/* A bounded number of steps of the hand, so that no call takes long; `keep` is not evicted. */
static void cache_evict(struct cache *cache, const struct cache_entry *keep, uint64_t durable)
{
    for (int step = 0; step < CACHE_EVICT_STEPS && cache->bytes > cache->bytes_max; step++) {
        cache->hand &= cache->capacity - 1;
        struct cache_entry *entry = cache->slots[cache->hand].entry;
        if (entry == NULL || entry == keep || entry->sequence > durable) {
            cache->hand += CACHE_STRIDE;
        } else if (entry->referenced) {
            entry->referenced = false;
            cache->hand += CACHE_STRIDE;
        } else {
            cache_remove_at(cache, cache->hand);
            cache->hand += CACHE_STRIDE;
        }
    }
}

static struct cache_entry *cache_entry_new(struct bytes key, size_t record_size)
{
    size_t capacity = (key.size + record_size + CACHE_ROUND - 1) / CACHE_ROUND * CACHE_ROUND;
    struct cache_entry *entry = mem_alloc(sizeof(*entry) + capacity);

    ASSERT(capacity <= UINT32_MAX);
    entry->sequence = 0;
    entry->key_size = (uint32_t)key.size;
    entry->capacity = (uint32_t)capacity;
    entry->record_size = 0;
    entry->referenced = true;
    memcpy(entry->data, key.data, key.size);
    return entry;
}

struct cache_entry *cache_put(struct cache *cache, struct bytes key, struct bytes record,
                              uint64_t sequence, uint64_t durable)
{
    uint64_t hash = hash_seeded(key, cache->seed);

    cache_grow(cache);
    struct cache_slot *slot = cache_slot(cache, hash, key);
    struct cache_entry *entry = slot->entry;
    size_t needed = key.size + record.size;
    bool fits = entry != NULL && needed <= entry->capacity && entry->capacity <= needed * 4 + 64;
    if (!fits) {
        struct cache_entry *fresh = cache_entry_new(key, record.size);
        fresh->sequence = entry != NULL ? entry->sequence : 0;
        if (entry != NULL) {
            cache->bytes -= cache_entry_size(entry);
            mem_free(entry);
        } else {
            cache->count++;
        }
        *slot = (struct cache_slot){hash, fresh};
        entry = fresh;
        cache->bytes += cache_entry_size(entry);
    }
    if (record.size > 0) {
        memmove(entry->data + key.size, record.data, record.size);
    }
    entry->record_size = record.size;
    entry->sequence = MAX(entry->sequence, sequence);
    entry->referenced = true;
    cache_evict(cache, entry, durable);
    return entry;
}
