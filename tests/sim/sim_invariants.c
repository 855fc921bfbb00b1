#include "tests/sim/sim_invariants.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "quorum/key.h"
#include "quorum/object.h"
#include "quorum/quorum.h"
#include "tests/sim/sim.h"

enum {
    SLOTS_COUNT = 16384,
    PARTITIONS_MAX = 64,
    CLOSE_MS = 1000,
    ACTOR_RANDOM_BITS = 44,
    SCAN_BYTES_MAX = 256 << 20,
    SCAN_ENTRIES_MAX = 1 << 20
};

/* What a dot was first stored as. */
struct sim_dot {
    uint64_t key_hash, timestamp, payload_hash;
    unsigned node;
    uint8_t flags;
    bool is_tombstone, expires;
};

void invariants_init(struct sim *sim)
{
    memset(&sim->invariants, 0, sizeof(sim->invariants));
    map_init(&sim->invariants.dots);
    arena_init(&sim->invariants.arena, 16 * 1024);
    arena_init(&sim->invariants.scratch, 16 * 1024);
}

void invariants_release(struct sim *sim)
{
    map_release(&sim->invariants.dots);
    mem_free(sim->invariants.timestamps);
    arena_release(&sim->invariants.arena);
    arena_release(&sim->invariants.scratch);
}

static unsigned partition_of(const struct sim *sim, struct bytes key)
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
    const uint64_t name[3] = {partition_of(sim, key), version->dot.actor, version->dot.counter};
    uint64_t id = hash_xxh3((struct bytes){(const uint8_t *)name, sizeof(name)});
    struct sim_dot now = {
        .key_hash = hash_xxh3(key),
        .timestamp = version->timestamp,
        .payload_hash = hash_xxh3(version->payload),
        .node = node,
        .flags = version->flags,
        .is_tombstone = version->kind == VERSION_TOMBSTONE,
        .expires = version->expiry_ms != 0,
    };
    struct sim_dot *first = map_get(&invariants->dots, id);
    if (first == NULL) {
        note_new(sim, node, version);
        first = arena_copy(&invariants->arena, &now, sizeof(now));
        (void)map_set(&invariants->dots, id, first);
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
                 version->dot.actor, version->dot.counter, partition_of(sim, key), first->node + 1,
                 node + 1);
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

/* -- Convergence. */

/* Bit i: node i has a clock for this partition, so it is an owner. Returns false, with words, when
 * two owners' clocks differ. */
static bool clocks_agree(struct sim *sim, unsigned partition, unsigned *owners, char *words,
                         size_t size)
{
    const struct clock *first = NULL;
    unsigned first_node = 0;
    *owners = 0;
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        const struct node *core = sim->nodes[i].core;
        const struct quorum *quorum = core == NULL ? NULL : node_quorum(core);
        if (quorum == NULL) {
            (void)snprintf(words, size, "n%u does not serve", i + 1);
            return false;
        }
        const struct clock *clock = quorum_clock(quorum, (uint16_t)partition);
        if (clock == NULL || clock->count == 0) {
            continue;
        }
        *owners |= 1U << i;
        if (first != NULL && !clock_equal(first, clock)) {
            (void)snprintf(words, size, "clocks of partition %u differ at n%u and n%u", partition,
                           first_node + 1, i + 1);
            return false;
        }
        first = clock;
        first_node = i;
    }
    unsigned wanted = MIN(sim->swarm.shape.n, sim->swarm.shape.nodes);
    if (first != NULL && (unsigned)__builtin_popcount(*owners) != wanted) {
        (void)snprintf(words, size, "partition %u has writes on nodes %x, not on %u", partition,
                       *owners, wanted);
        return false;
    }
    return true;
}

/* What one node stores: a hash over the records of each partition. */
struct contents {
    uint64_t hashes[PARTITIONS_MAX];
};

static uint64_t hash_version(uint64_t before, struct bytes key, const struct version *version)
{
    const uint64_t parts[6] = {before,
                               hash_xxh3(key),
                               version->dot.actor,
                               version->dot.counter,
                               version->timestamp,
                               hash_xxh3(version->payload)};
    return hash_xxh3((struct bytes){(const uint8_t *)parts, sizeof(parts)});
}

/* Else replicas may differ for long about what has expired. */
static bool clocks_are_close(const struct sim *sim)
{
    return sim->wall_high_ms - sim->wall_low_ms < CLOSE_MS;
}

/* Returns false, with words, when something is stored that should not be. */
static bool contents_of(struct sim *sim, unsigned node, struct contents *out, char *words,
                        size_t size)
{
    struct storage_entry *entries = NULL;
    size_t count = 0;
    bool more = false;
    struct storage_range range = {
        .family = STORAGE_DATA, .entries_max = SCAN_ENTRIES_MAX, .bytes_max = SCAN_BYTES_MAX};
    struct arena *scratch = &sim->invariants.scratch;
    arena_reset(scratch);
    enum err err = storage_scan(sim->nodes[node].storage, &range, scratch, &entries, &count, &more);
    ASSERT(err == OK);
    ASSERT(!more);
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        struct object object;
        struct bytes key = entries[i].key;
        unsigned partition = partition_of(sim, key);
        ASSERT(partition < PARTITIONS_MAX);
        err = object_decode(entries[i].value, key, scratch, &object);
        if (err != OK) {
            (void)snprintf(words, size, "n%u holds a damaged record", node + 1);
            return false;
        }
        for (uint32_t j = 0; j < object.versions_count; j++) {
            if (object.versions[j].kind == VERSION_TOMBSTONE) {
                (void)snprintf(words, size, "n%u still holds a tombstone of %.*s", node + 1,
                               (int)MIN(key.size, (size_t)40), (const char *)key.data + 8);
                return false;
            }
            if (object.versions[j].expiry_ms == 0 || clocks_are_close(sim)) {
                out->hashes[partition] =
                    hash_version(out->hashes[partition], key, &object.versions[j]);
            }
        }
    }
    return true;
}

void invariants_explain(struct sim *sim)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        struct storage_entry *entries = NULL;
        size_t count = 0;
        bool more = false;
        struct storage_range range = {
            .family = STORAGE_DATA, .entries_max = SCAN_ENTRIES_MAX, .bytes_max = SCAN_BYTES_MAX};
        arena_reset(&sim->invariants.scratch);
        if (storage_scan(sim->nodes[i].storage, &range, &sim->invariants.scratch, &entries, &count,
                         &more) != OK) {
            continue;
        }
        for (size_t j = 0; j < count; j++) {
            struct object object;
            struct key_parts parts = {0};
            if (key_decode(entries[j].key, &parts) != OK ||
                object_decode(entries[j].value, entries[j].key, &sim->invariants.scratch,
                              &object) != OK) {
                continue;
            }
            for (uint32_t k = 0; k < object.versions_count; k++) {
                const struct version *version = &object.versions[k];
                buf_printf(&text,
                           "   n%u partition %u %.*s: dot %" PRIx64 " %" PRIu64 " at %" PRIx64
                           " kind %u flags %u expiry %" PRId64 " residual %u, %.*s\n",
                           i + 1, partition_of(sim, entries[j].key), (int)parts.user.size,
                           (const char *)parts.user.data, version->dot.actor, version->dot.counter,
                           version->timestamp, version->kind, version->flags, version->expiry_ms,
                           object.residual_count, (int)MIN(version->payload.size, (size_t)16),
                           (const char *)version->payload.data);
            }
        }
    }
    sim_explain(sim, (const char *)text.data, text.size);
    buf_release(&text);
}

bool invariants_converged(struct sim *sim, char *words, size_t words_size)
{
    unsigned owners[PARTITIONS_MAX];
    struct contents contents[SIM_NODES_MAX];
    for (unsigned partition = 0; partition < sim->swarm.partitions; partition++) {
        if (!clocks_agree(sim, partition, &owners[partition], words, words_size)) {
            return false;
        }
    }
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        if (!contents_of(sim, i, &contents[i], words, words_size)) {
            return false;
        }
    }
    for (unsigned partition = 0; partition < sim->swarm.partitions; partition++) {
        unsigned first = (unsigned)__builtin_ctz(owners[partition] | 1U << SIM_NODES_MAX);
        for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
            bool owner = (owners[partition] >> i & 1) != 0;
            uint64_t wanted = owner ? contents[first].hashes[partition] : 0;
            if (contents[i].hashes[partition] != wanted) {
                (void)snprintf(words, words_size, "records of partition %u differ at n%u and n%u",
                               partition, first + 1, i + 1);
                return false;
            }
        }
    }
    return true;
}
