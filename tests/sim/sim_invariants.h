/* tests/sim/sim_invariants.h - what only somebody can check who sees all nodes' memory and disks.
 *
 *   - a dot names one write: the same key, timestamp, flags and payload wherever it is stored;
 *   - a node ranks what it writes above all that it has ever stored, whatever its clocks do;
 *   - after healing all owners hold the same, and of what was deleted nothing is left. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "node/node.h"

struct sim;

struct sim_invariants {
    struct map dots;      /* Hash of (partition, dot) -> struct sim_dot. */
    uint64_t *timestamps; /* By the workload's values. */
    uint64_t timestamps_count;
    struct arena arena;
    struct arena scratch;
};

void invariants_init(struct sim *sim);
void invariants_release(struct sim *sim);
/* A record is about to be stored. */
void invariants_on_put(struct sim *sim, unsigned node, const struct effect *effect);
/* The hybrid timestamp that a value of the workload was stored with; 0: it never was. */
uint64_t invariants_timestamp(const struct sim *sim, uint64_t value);
/* The node's process ends: note which branches it has reached. */
void invariants_on_end(struct sim *sim, unsigned node);
/* The node may refuse to go on: its disk has failed it. */
bool invariants_may_be_fatal(const struct sim *sim, unsigned node);
/* True when all owners hold the same clocks and records, and no tombstone. Else put words about the
 * first difference into `words`. Every node is up. */
bool invariants_converged(struct sim *sim, char *words, size_t words_size);
/* While tracing, print what every node stores. */
void invariants_explain(struct sim *sim);
