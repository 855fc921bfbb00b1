/* tests/sim/sim_invariants.h - what only somebody can check who sees all nodes' memory and disks.
 *
 *   - a dot names one write: the same key, timestamp, flags and payload wherever it is stored;
 *   - a node ranks what it writes above all that it has ever stored, whatever its clocks do;
 *   - a tombstone is collected only where nothing can come any more that it outranks;
 *   - after healing all owners hold the same, and of what was deleted nothing is left. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "node/node.h"
#include "quorum/clock.h"

struct place;
struct sim;

/* What a dot was first stored as. */
struct sim_dot {
    struct dot dot;
    uint64_t key_hash, timestamp, payload_hash;
    struct sim_dot *next_of_key;
    unsigned node;  /* Which stored it first: its coordinator. */
    uint64_t boots; /* Of that node, then. */
    uint8_t flags;
    bool is_tombstone, expires;
};

struct sim_invariants {
    struct map dots;       /* Hash of (partition, dot) -> struct sim_dot. */
    struct map keys;       /* Hash of a key -> its newest struct sim_dot. */
    struct map tombstones; /* See sim_tombstones.c. */
    struct place *place;
    uint64_t *timestamps; /* By the workload's values. */
    uint64_t timestamps_count;
    struct arena arena;
    struct arena scratch;
};

void invariants_init(struct sim *sim);
void invariants_release(struct sim *sim);
/* A record is about to be stored. */
void invariants_on_put(struct sim *sim, unsigned node, const struct effect *effect);
void invariants_on_delete(struct sim *sim, unsigned node, const struct effect *effect);
unsigned invariants_partition(const struct sim *sim, struct bytes key);
/* The hybrid timestamp that a value of the workload was stored with; 0: it never was. */
uint64_t invariants_timestamp(const struct sim *sim, uint64_t value);
/* The node's process ends: note which branches it has reached. */
void invariants_on_end(struct sim *sim, unsigned node);
/* The node may refuse to go on: its disk has failed it. */
bool invariants_may_be_fatal(const struct sim *sim, unsigned node);
/* sim_converge.c: true when all owners hold the same clocks and records, and no tombstone. Else put
 * words about the first difference into `words`. Every node is up. */
bool invariants_converged(struct sim *sim, char *words, size_t words_size);
/* While tracing, print what every node stores. */
void invariants_explain(struct sim *sim);
