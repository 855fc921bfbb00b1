/* quorum/cache.h - recent keys' records, byte-bounded, written through: reads before writes end
 * here.
 *
 * The authority on a key while it holds an entry: writes go through it, and an entry whose last
 * write is not durable yet is never evicted, so that whoever finds it knows what must be waited
 * for. CLOCK (second chance) eviction over an open-addressing table; keys are hashed with a secret
 * seed. */
#pragma once

#include "base/bytes.h"

struct cache_entry {
    uint64_t sequence; /* Of the last write; the record may be revealed once it is durable. */
    uint32_t key_size;
    uint32_t capacity;  /* Room for key and record. */
    size_t record_size; /* 0: the key is known to be absent. */
    bool referenced;
    uint8_t data[]; /* Key, then record. */
};

/* The hash stands beside the pointer, so that a probe touches the entry it looks for and no other.
 */
struct cache_slot {
    uint64_t hash;
    struct cache_entry *entry; /* NULL: free. */
};

struct cache {
    struct cache_slot *slots;
    size_t count, capacity;
    uint64_t bytes, bytes_max;
    uint64_t seed;
    size_t hand;
    uint64_t hits, misses;
};

void cache_init(struct cache *cache, uint64_t bytes_max, uint64_t seed);
void cache_release(struct cache *cache);
/* Return the entry, or NULL. Valid until the next cache_put. */
struct cache_entry *cache_find(struct cache *cache, struct bytes key);
/* Insert or replace. Evicts others whose sequence is at most `durable` while over the bound. Return
 * the entry. */
struct cache_entry *cache_put(struct cache *cache, struct bytes key, struct bytes record,
                              uint64_t sequence, uint64_t durable);
struct bytes cache_record(const struct cache_entry *entry);
