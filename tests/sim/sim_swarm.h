/* tests/sim/sim_swarm.h - what one run is like: shape, load, faults and limits, drawn from its
 * seed.
 *
 * Swarm testing (Groce et al., ISSTA 2012): each run switches whole fault kinds on and off, since a
 * run with everything on reaches less than many runs with different halves. */
#pragma once

#include "base/prng.h"

/* No single delay of network or disk is longer, so that a run ends. */
#define DELAY_MAX_NS ((uint64_t)3000 * 1000 * 1000)

enum { SIM_NODES_MAX = 7, SIM_CLIENTS_MAX = 12, SIM_KEYS_MAX = 12 };

enum fault_kind {
    FAULT_KILL,
    FAULT_POWER,
    FAULT_POWER_ALL,
    FAULT_STOP,
    FAULT_PAUSE,
    FAULT_PARTITION,
    FAULT_LINK,
    FAULT_RESET,
    FAULT_HALF_OPEN,
    FAULT_STALL,
    FAULT_LATENCY,
    FAULT_CLOCK,
    FAULT_DISK_SLOW,
    FAULT_DISK_READ,
    FAULT_DISK_COMMIT,
    FAULT_CLIENT,
    FAULTS_COUNT,
};

enum key_class {
    KEY_PLAIN,  /* Linearizable commands only. */
    KEY_EXPIRY, /* The same, some with a time to live. */
    KEY_CAUSAL, /* RF.GET, RF.SET, RF.DEL. */
    KEY_QUORUM, /* consistency = quorum. */
    KEY_CLASSES_COUNT,
};

struct shape {
    unsigned nodes, n, r, w;
};

/* Delays in ns, drawn between low and high, and `spike` times as much once in `spike_one_in`. */
struct delay {
    uint64_t low, high;
    unsigned spike, spike_one_in;
};

struct swarm {
    uint64_t seed;
    struct shape shape;
    unsigned partitions;
    /* Load. */
    unsigned clients_count, pipeline_max;
    unsigned keys[KEY_CLASSES_COUNT];
    unsigned once_max; /* Write-once keys. */
    unsigned ops_max;
    uint64_t load_ns;  /* Phase one ends after this. */
    uint64_t think_ns; /* Mean pause between a client's commands. */
    unsigned write_percent, delete_percent, multi_percent, odd_percent, raised_percent;
    unsigned value_big_one_in;
    unsigned context_none_percent, context_stale_percent;
    unsigned cluster_face_percent, resp3_percent;
    unsigned database;
    bool one_slot; /* All keys share one slot, so one set of owners. */
    bool locality; /* Clients prefer one node each. */
    /* Faults. */
    bool faults[FAULTS_COUNT];
    bool faults_any;
    uint64_t faults_from_ns, faults_gap_ns; /* Mean gap. */
    uint64_t outage_ns;                     /* Mean length of a fault that lasts. */
    unsigned down_max;                      /* Nodes that may be down or paused at once. */
    int64_t wall_spread_ms;                 /* Offsets lie within +- this. */
    int64_t wall_drift_ppm;
    /* Surroundings. */
    struct delay net, client_net, disk_read, disk_sync;
    unsigned split_one_in; /* A delivery is cut short once in so often. */
    unsigned turn_events_max;
    unsigned disk_miss_percent;
    bool disk_late; /* Reads on a worker see what was committed while they waited. */
    bool slow_reads;
    uint64_t sync_delay_ns;
    /* Limits of the nodes. */
    uint32_t request_timeout_ms, clock_exchange_ms, hedge_ms, peer_alive_ms;
    uint32_t requests_max, siblings_max, client_pipeline_max;
    uint64_t peer_queue_max_bytes, log_partition_max_bytes, cache_bytes;
    bool secret;
    bool log_small; /* The log is cut: nothing but reading repairs what it no longer names. */
};

/* Draw everything from `seed`. A shape with nodes = 0 is drawn as well, else it is used as it is.
 */
void swarm_draw(struct swarm *swarm, uint64_t seed, const struct shape *shape);
/* Draw one delay. */
uint64_t delay_draw(const struct delay *delay, struct prng *prng);
/* Around `mean`, never 0: half to one and a half times as a rule, now and then much less or more.
 */
uint64_t around(struct prng *prng, uint64_t mean);
bool percent(struct prng *prng, unsigned percent);
