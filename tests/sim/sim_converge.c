#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "quorum/key.h"
#include "quorum/object.h"
#include "quorum/quorum.h"
#include "tests/sim/sim.h"

enum {
    PARTITIONS_MAX = 64,
    CLOSE_MS = 1000,
    SCAN_BYTES_MAX = 256 << 20,
    SCAN_ENTRIES_MAX = 1 << 20,
};

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
        unsigned partition = invariants_partition(sim, key);
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
                           i + 1, invariants_partition(sim, entries[j].key), (int)parts.user.size,
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
