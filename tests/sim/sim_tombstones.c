#include "tests/sim/sim_tombstones.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "quorum/object.h"
#include "quorum/quorum.h"
#include "ring/place.h"
#include "tests/sim/sim.h"

/* What one node holds, or has forgotten, of one key. */
struct tomb {
    unsigned node;
    bool held, forgotten;
    struct dot dot, forgotten_dot;
    uint64_t timestamp, forgotten_timestamp;
};

void tombstones_init(struct sim *sim)
{
    struct ring_member members[SIM_NODES_MAX];
    memset(members, 0, sizeof(members));
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        (void)snprintf(members[i].name, sizeof(members[i].name), "n%u", i + 1);
        members[i].weight = 1;
    }
    map_init(&sim->invariants.tombstones);
    sim->invariants.place = mem_alloc_zero(1, sizeof(struct place));
    place_init(sim->invariants.place, members, sim->swarm.shape.nodes, sim->swarm.partitions,
               sim->swarm.shape.n, NULL);
}

void tombstones_release(struct sim *sim)
{
    map_release(&sim->invariants.tombstones);
    place_release(sim->invariants.place);
    mem_free(sim->invariants.place);
}

static bool is_below(uint64_t timestamp, struct dot dot, uint64_t than, struct dot than_dot)
{
    return timestamp < than || (timestamp == than && dot_compare(dot, than_dot) < 0);
}

/* The clock of a node that is up and has recovered; NULL else. */
static const struct clock *clock_of(const struct sim *sim, unsigned node, unsigned partition)
{
    const struct sim_node *at = &sim->nodes[node];
    const struct quorum *quorum = at->core == NULL ? NULL : node_quorum(at->core);
    return quorum == NULL || at->durable == 0 ? NULL : quorum_clock(quorum, (uint16_t)partition);
}

static void check_forgotten(struct sim *sim, unsigned node, unsigned partition, uint64_t key_hash,
                            const struct tomb *tomb, const struct object *object)
{
    const uint16_t *owners = place_owners(sim->invariants.place, partition);
    for (unsigned i = 0; i < place_owners_count(sim->invariants.place); i++) {
        const struct clock *clock = clock_of(sim, owners[i], partition);
        if (clock != NULL && !clock_has(clock, tomb->dot)) {
            sim_fail(sim, CHECK_TOMBSTONE, "n%u forgets a tombstone that n%u does not cover",
                     node + 1, owners[i] + 1U);
        }
    }
    const struct clock *own = clock_of(sim, node, partition);
    for (const struct sim_dot *dot = map_get(&sim->invariants.keys, key_hash);
         own != NULL && dot != NULL; dot = dot->next_of_key) {
        bool same_boot = sim->nodes[dot->node].boots == dot->boots;
        const struct clock *issuer = clock_of(sim, dot->node, partition);
        if ((dot->flags & VERSION_CAUSAL) == 0 && same_boot && issuer != NULL &&
            is_below(dot->timestamp, dot->dot, tomb->timestamp, tomb->dot) &&
            clock_has(issuer, dot->dot) && !object_covers(object, own, dot->dot)) {
            sim_fail(sim, CHECK_TOMBSTONE,
                     "n%u forgets a tombstone that outranks (%" PRIx64 ", %" PRIu64
                     "), which is yet to come from n%u",
                     node + 1, dot->dot.actor, dot->dot.counter, dot->node + 1);
        }
    }
}

/* A collection at the node itself is behind this change, and no message or write. */
static bool was_collected(struct sim *sim, unsigned node)
{
    struct quorum_stats stats;
    quorum_stats(node_quorum(sim->nodes[node].core), &stats);
    bool collected = stats.tombstones_collected > sim->nodes[node].collected;
    sim->nodes[node].collected = stats.tombstones_collected;
    return collected;
}

static struct tomb *tomb_of(struct sim *sim, unsigned node, uint64_t key_hash)
{
    const uint64_t name[2] = {node, key_hash};
    uint64_t id = hash_xxh3((struct bytes){(const uint8_t *)name, sizeof(name)});
    struct tomb *tomb = map_get(&sim->invariants.tombstones, id);
    if (tomb == NULL) {
        tomb = arena_alloc_zero(&sim->invariants.arena, sizeof(*tomb));
        tomb->node = node;
        (void)map_set(&sim->invariants.tombstones, id, tomb);
    }
    return tomb;
}

void tombstones_on_change(struct sim *sim, unsigned node, struct bytes key,
                          const struct object *object)
{
    uint64_t key_hash = hash_xxh3(key);
    struct tomb *tomb = tomb_of(sim, node, key_hash);
    bool collected = was_collected(sim, node), still = false, outranked = false;
    for (uint32_t i = 0; i < object->versions_count; i++) {
        const struct version *version = &object->versions[i];
        still = still || dot_equal(version->dot, tomb->dot);
        outranked =
            outranked || is_below(tomb->timestamp, tomb->dot, version->timestamp, version->dot);
        if (tomb->forgotten && (version->flags & VERSION_CAUSAL) == 0 &&
            is_below(version->timestamp, version->dot, tomb->forgotten_timestamp,
                     tomb->forgotten_dot)) {
            sim_fail(sim, CHECK_TOMBSTONE,
                     "n%u stores (%" PRIx64 ", %" PRIu64
                     "), which a tombstone it has forgotten outranks",
                     node + 1, version->dot.actor, version->dot.counter);
        }
    }
    if (tomb->held && !still && !outranked && collected) {
        check_forgotten(sim, node, invariants_partition(sim, key), key_hash, tomb, object);
        tomb->forgotten = true;
        tomb->forgotten_dot = tomb->dot;
        tomb->forgotten_timestamp = tomb->timestamp;
    }
    tomb->held = false;
    for (uint32_t i = 0; i < object->versions_count; i++) {
        const struct version *version = &object->versions[i];
        if (version->kind == VERSION_TOMBSTONE) {
            tomb->held = true;
            tomb->dot = version->dot;
            tomb->timestamp = version->timestamp;
        }
    }
}

void tombstones_on_loss(struct sim *sim, unsigned node)
{
    MAP_FOR (i, &sim->invariants.tombstones) {
        struct tomb *tomb = sim->invariants.tombstones.slots[i].value;
        if (tomb->node == node) {
            tomb->held = tomb->forgotten = false;
        }
    }
}
