#include "tests/sim/sim_invariants.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "quorum/key.h"
#include "quorum/object.h"
#include "quorum/quorum.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_tombstones.h"

enum { SLOTS_COUNT = 16384, ACTOR_RANDOM_BITS = 44 };

void invariants_init(struct sim *sim)
{
    memset(&sim->invariants, 0, sizeof(sim->invariants));
    map_init(&sim->invariants.dots);
    map_init(&sim->invariants.keys);
    tombstones_init(sim);
    arena_init(&sim->invariants.arena, 16 * 1024);
    arena_init(&sim->invariants.scratch, 16 * 1024);
}

void invariants_release(struct sim *sim)
{
    map_release(&sim->invariants.dots);
    map_release(&sim->invariants.keys);
    tombstones_release(sim);
    mem_free(sim->invariants.timestamps);
    arena_release(&sim->invariants.arena);
    arena_release(&sim->invariants.scratch);
}

unsigned invariants_partition(const struct sim *sim, struct bytes key)
{
    return key_slot(key) * sim->swarm.partitions / SLOTS_COUNT;
}

uint64_t invariants_timestamp(const struct sim *sim, uint64_t value)
{
    return value < sim->invariants.timestamps_count ? sim->invariants.timestamps[value] : 0;
}

/* A dot is stored for the first time. */
static void note_new(struct sim *sim, unsigned node, const struct version *version)
{
    struct sim_invariants *invariants = &sim->invariants;
    uint64_t value = workload_value_id(sim, version->payload);
    if (value >= invariants->timestamps_count) {
        uint64_t count = MAX((uint64_t)256, 2 * value);
        invariants->timestamps =
            mem_resize(invariants->timestamps, count * sizeof(*invariants->timestamps));
        memset(invariants->timestamps + invariants->timestamps_count, 0,
               (count - invariants->timestamps_count) * sizeof(*invariants->timestamps));
        invariants->timestamps_count = count;
    }
    invariants->timestamps[value] = version->timestamp;
    bool own = version->dot.actor >> ACTOR_RANDOM_BITS == node + 1;
    if (own && version->timestamp <= sim->nodes[node].applied_max) {
        sim_fail(sim, CHECK_DOT,
                 "n%u ranks a write of its own at %" PRIx64 ", though it had stored %" PRIx64,
                 node + 1, version->timestamp, sim->nodes[node].applied_max);
    }
}

static void check_version(struct sim *sim, unsigned node, struct bytes key,
                          const struct version *version)
{
    struct sim_invariants *invariants = &sim->invariants;
    const uint64_t name[3] = {invariants_partition(sim, key), version->dot.actor,
                              version->dot.counter};
    uint64_t id = hash_xxh3((struct bytes){(const uint8_t *)name, sizeof(name)});
    struct sim_dot now = {
        .dot = version->dot,
        .key_hash = hash_xxh3(key),
        .timestamp = version->timestamp,
        .payload_hash = hash_xxh3(version->payload),
        .node = node,
        .boots = sim->nodes[node].boots,
        .flags = version->flags,
        .is_tombstone = version->kind == VERSION_TOMBSTONE,
        .expires = version->expiry_ms != 0,
    };
    struct sim_dot *first = map_get(&invariants->dots, id);
    if (first == NULL) {
        note_new(sim, node, version);
        first = arena_copy(&invariants->arena, &now, sizeof(now));
        (void)map_set(&invariants->dots, id, first);
        first->next_of_key = map_set(&invariants->keys, first->key_hash, first);
        return;
    }
    first->expires |= now.expires;
    bool same = first->key_hash == now.key_hash && first->timestamp == now.timestamp &&
                first->flags == now.flags;
    if (first->is_tombstone != now.is_tombstone) {
        same = same && first->expires; /* Its time had come. */
        if (!now.is_tombstone) {
            first->payload_hash = now.payload_hash;
            first->is_tombstone = false;
        }
    } else {
        same = same && first->payload_hash == now.payload_hash;
    }
    if (!same) {
        sim_fail(sim, CHECK_DOT,
                 "dot (%" PRIx64 ", %" PRIu64
                 ") of partition %u is one write at n%u and another at "
                 "n%u",
                 version->dot.actor, version->dot.counter, invariants_partition(sim, key),
                 first->node + 1, node + 1);
    }
}

void invariants_on_put(struct sim *sim, unsigned node, const struct effect *effect)
{
    struct object object;
    if (effect->family != STORAGE_DATA) {
        return;
    }
    arena_reset(&sim->invariants.scratch);
    enum err err = object_decode(effect->bytes, effect->key, &sim->invariants.scratch, &object);
    if (err != OK) {
        sim_fail(sim, CHECK_DOT, "n%u stores a record that cannot be read: %s", node + 1,
                 err_text(err));
        return;
    }
    uint64_t *applied_max = &sim->nodes[node].applied_max;
    for (uint32_t i = 0; i < object.versions_count; i++) {
        check_version(sim, node, effect->key, &object.versions[i]);
        *applied_max = MAX(*applied_max, object.versions[i].timestamp);
    }
    tombstones_on_change(sim, node, effect->key, &object);
}

void invariants_on_delete(struct sim *sim, unsigned node, const struct effect *effect)
{
    struct object object;
    if (effect->family == STORAGE_DATA) {
        object_init(&object);
        tombstones_on_change(sim, node, effect->key, &object);
    }
}

void invariants_on_end(struct sim *sim, unsigned node)
{
    const struct quorum *quorum = node_quorum(sim->nodes[node].core);
    if (quorum == NULL) {
        return;
    }
    struct quorum_stats stats;
    quorum_stats(quorum, &stats);
    const struct {
        uint64_t count;
        enum mark mark;
    } REACHED[] = {
        {stats.forwarded, MARK_FORWARDED},
        {stats.write_backs, MARK_WRITE_BACK},
        {stats.hedges, MARK_HEDGE},
        {stats.no_quorum, MARK_NO_QUORUM},
        {stats.uncertain, MARK_UNCERTAIN},
        {stats.deltas_duplicate, MARK_DELTA_DUPLICATE},
        {stats.repairs_applied, MARK_REPAIR},
        {stats.asks, MARK_ASK},
        {stats.states_joined, MARK_STATE_JOINED},
        {stats.log_truncated, MARK_LOG_TRUNCATED},
        {stats.tombstones_collected, MARK_TOMBSTONE_COLLECTED},
        {stats.versions_expired, MARK_VERSION_EXPIRED},
        {stats.cache_misses, MARK_CACHE_MISS},
        {stats.corrupt_records, MARK_CORRUPT_RECORD},
        {stats.unreadable, MARK_UNREADABLE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(REACHED); i++) {
        sim->marks.counts[REACHED[i].mark] += REACHED[i].count;
    }
}

bool invariants_may_be_fatal(const struct sim *sim, unsigned node)
{
    return sim->nodes[node].reads_spoilt;
}
