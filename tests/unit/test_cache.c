/* tests/unit/test_cache.c - the cache never lies: what it has is the newest, what it lost was
 * durable. */
#include "quorum/cache.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

#include <string.h>

enum { KEYS = 4000, RECORD_MAX = 600 };

/* A dumb list beside the cache: key i was last put with these. */
struct item {
    uint64_t sequence;
    uint32_t record_seed;
    size_t record_size;
    bool put;
};

struct world {
    struct cache cache;
    struct item items[KEYS];
    struct prng prng;
    uint64_t sequence, durable;
    unsigned found, lost;
    uint8_t record[RECORD_MAX];
};

static struct bytes key_of(char text[16], unsigned index)
{
    int size = snprintf(text, 16, "%u", index * 7919);

    return (struct bytes){(const uint8_t *)text, (size_t)size};
}

/* The bytes of a record follow from its seed. */
static struct bytes record_of(struct world *world, const struct item *item)
{
    for (size_t i = 0; i < item->record_size; i++) {
        world->record[i] = (uint8_t)(item->record_seed + i * 31);
    }
    return (struct bytes){world->record, item->record_size};
}

static void put(struct world *world, unsigned index, size_t record_size, uint64_t sequence)
{
    struct item *item = &world->items[index];
    char text[16];

    item->put = true;
    item->sequence = MAX(item->sequence, sequence);
    item->record_seed = (uint32_t)prng_next(&world->prng);
    item->record_size = record_size;
    struct bytes key = key_of(text, index), record = record_of(world, item);
    struct cache_entry *entry = cache_put(&world->cache, key, record, sequence, world->durable);
    ck_assert(bytes_equal(cache_record(entry), record));
    ck_assert_uint_eq(entry->sequence, item->sequence);
    ck_assert_ptr_eq(cache_find(&world->cache, key), entry);
}

static void find(struct world *world, unsigned index)
{
    struct item *item = &world->items[index];
    char text[16];
    struct cache_entry *entry = cache_find(&world->cache, key_of(text, index));

    if (entry == NULL) { /* What was lost can be read again, and may be revealed. */
        ck_assert_uint_le(item->sequence, world->durable);
        world->lost += item->put;
        item->sequence = 0;
        item->put = false;
        return;
    }
    ck_assert(item->put);
    ck_assert(bytes_equal(cache_record(entry), record_of(world, item)));
    ck_assert_uint_eq(entry->sequence, item->sequence);
    world->found++;
}

/* Count what is really there. */
static void must_be_counted(const struct cache *cache)
{
    size_t count = 0;
    uint64_t bytes = 0;

    for (size_t i = 0; i < cache->capacity; i++) {
        const struct cache_entry *entry = cache->slots[i].entry;
        if (entry != NULL) {
            count++;
            bytes += sizeof(*entry) + entry->capacity + sizeof(struct cache_slot);
            ck_assert_uint_le(entry->key_size + entry->record_size, entry->capacity);
        }
    }
    ck_assert_uint_eq(cache->count, count);
    ck_assert_uint_eq(cache->bytes, bytes);
    ck_assert_uint_lt(cache->count, cache->capacity + (cache->capacity == 0));
}

static void world_init(struct world *world, uint64_t bytes_max, uint64_t seed)
{
    *world = (struct world){.sequence = 1};
    prng_init(&world->prng, seed);
    cache_init(&world->cache, bytes_max, prng_next(&world->prng));
}

TEST(a_dumb_list_never_knows_better)
{
    enum { RUNS = 40, STEPS = 10000 };
    struct world *world = mem_alloc(sizeof(*world));
    unsigned found = 0, lost = 0;

    for (uint64_t run = 0; run < RUNS; run++) {
        world_init(world, (uint64_t)1 << (10 + run % 12), run);
        uint64_t keys = run % 3 == 0 ? 50 : KEYS;
        for (int step = 0; step < STEPS; step++) {
            unsigned index = (unsigned)prng_below(&world->prng, keys);
            uint64_t what = prng_below(&world->prng, 20);
            if (what < 8) {
                put(world, index, prng_below(&world->prng, RECORD_MAX + 1), world->sequence);
            } else if (what < 10 && !world->items[index].put) {
                put(world, index, prng_below(&world->prng, 3) * 50, 0); /* Read from disk. */
            } else if (what < 18) {
                find(world, index);
            } else if (what < 19) {
                world->sequence++;
            } else {
                world->durable += prng_below(&world->prng, world->sequence - world->durable);
            }
        }
        must_be_counted(&world->cache);
        for (unsigned index = 0; index < keys; index++) {
            find(world, index);
        }
        found += world->found;
        lost += world->lost;
        cache_release(&world->cache);
    }
    mem_free(world);
    ck_assert_uint_gt(lost, 1000);
    printf("COUNT cache_found %u\nCOUNT cache_lost %u\n", found, lost);
}

TEST(nothing_that_is_not_durable_is_evicted_however_small_the_bound)
{
    struct world *world = mem_alloc(sizeof(*world));

    world_init(world, 1, 1);
    for (unsigned index = 0; index < KEYS; index++) {
        put(world, index, index % RECORD_MAX, 1 + index);
    }
    ck_assert_uint_eq(world->cache.count, KEYS);
    /* Half of it is durable now; further writes make the hand go round. */
    world->durable = KEYS / 2;
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned index = KEYS - 100; index < KEYS; index++) {
            put(world, index, 10, 1 + index);
        }
    }
    for (unsigned index = 0; index < KEYS; index++) {
        char text[16];
        bool there = cache_find(&world->cache, key_of(text, index)) != NULL;
        ck_assert(there == (index + 1 > world->durable));
    }
    must_be_counted(&world->cache);
    cache_release(&world->cache);
    mem_free(world);
}

TEST(small_records_stay_within_the_bound)
{
    struct world *world = mem_alloc(sizeof(*world));
    uint64_t bound = 64 * 1024, peak = 0;

    world_init(world, bound, 2);
    for (unsigned i = 0; i < 20000; i++) {
        world->durable = world->sequence++;
        put(world, (unsigned)prng_below(&world->prng, KEYS), prng_below(&world->prng, 100),
            world->durable);
        peak = MAX(peak, world->cache.bytes);
    }
    ck_assert_uint_gt(peak, bound / 2);
    ck_assert_uint_lt(peak, bound + bound / 8);
    cache_release(&world->cache);
    mem_free(world);
}

TEST(an_absent_key_can_be_known_to_be_absent)
{
    struct cache cache;
    struct bytes key = BYTES_LITERAL("key"), none = {NULL, 0};

    cache_init(&cache, 1 << 20, 5);
    ck_assert_ptr_null(cache_find(&cache, key));
    struct cache_entry *entry = cache_put(&cache, key, none, 9, 0);
    ck_assert_uint_eq(cache_record(entry).size, 0);
    ck_assert_ptr_eq(cache_find(&cache, key), entry);
    ck_assert_uint_eq(cache.hits, 1);
    ck_assert_uint_eq(cache.misses, 1);
    /* A read from disk that comes later does not make the write durable. */
    ck_assert_uint_eq(cache_put(&cache, key, none, 0, 0)->sequence, 9);
    cache_release(&cache);
}

TEST(a_key_used_again_and_again_outlives_those_used_once)
{
    struct world *world = mem_alloc(sizeof(*world));
    char text[16];

    world_init(world, 256 * 1024, 3);
    put(world, 0, 100, 0);
    for (unsigned i = 1; i < KEYS; i++) {
        put(world, i, 100, 0);
        if (i % 50 == 0) {
            ck_assert_ptr_nonnull(cache_find(&world->cache, key_of(text, 0)));
        }
    }
    ck_assert_uint_lt(world->cache.count, KEYS / 2);
    cache_release(&world->cache);
    mem_free(world);
}

UNIT_MAIN(a_dumb_list_never_knows_better,
          nothing_that_is_not_durable_is_evicted_however_small_the_bound,
          small_records_stay_within_the_bound, an_absent_key_can_be_known_to_be_absent,
          a_key_used_again_and_again_outlives_those_used_once)
