/* tests/sim/sim.h - one deterministic run: virtual time, nodes, network, clients and their history.
 *
 * Everything that production code gets from loop, client, peer, disk and RocksDB comes from here,
 * and nothing else is replaced: nodes are driven by node_step with encoded bytes only. One seeded
 * prng decides everything; order comes from the event queue alone. */
#pragma once

#include <stdio.h>

#include "base/heap.h"
#include "base/map.h"
#include "node/node.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_invariants.h"
#include "tests/sim/sim_marks.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_swarm.h"
#include "tests/sim/sim_trace.h"
#include "tests/sim/sim_workload.h"

/* Something that happens at a virtual time; embedded in what it happens to. */
struct sim_event {
    struct heap_item item;
    void (*run)(struct sim *sim, struct sim_event *event);
};

#define CHECK_LIST(X)                                                                              \
    X(NONE, "passed")                                                                              \
    X(LINEARIZABLE, "linearizable")                                                                \
    X(GAVE_UP, "checker gave up")                                                                  \
    X(GHOST, "value never written")                                                                \
    X(CAUSAL, "causal siblings")                                                                   \
    X(QUORUM, "quorum keys")                                                                       \
    X(REPLY, "one reply per command, in order")                                                    \
    X(DOT, "dot issued twice")                                                                     \
    X(TOMBSTONE, "tombstones go in time")                                                          \
    X(CONVERGENCE, "replicas agree")                                                               \
    X(LIVENESS, "liveness after healing")                                                          \
    X(CLEAN, "nothing fails without faults")                                                       \
    X(FATAL, "node refused to go on")                                                              \
    X(BUSY_LOOP, "steps without progress of time")                                                 \
    X(ASSERTION, "assertion or crash")                                                             \
    X(DETERMINISM, "same seed, same events")

enum check {
#define X(name, words) CHECK_##name,
    CHECK_LIST(X)
#undef X
        CHECKS_COUNT,
};

const char *check_words(enum check check);

struct sim {
    struct swarm swarm;
    struct prng prng;
    uint64_t now_ns;
    uint64_t stamp;   /* Counts what clients see: the clock of histories. */
    uint64_t next_id; /* Of connections. */
    uint64_t stuck;   /* Events since virtual time last moved. */
    struct heap queue;
    struct trace trace;
    struct marks marks;
    int64_t wall_low_ms, wall_high_ms; /* Most that a node's wall clock was behind and ahead. */
    bool healed;                       /* Phase two has begun: no fault any more. */
    bool converged;                    /* All replicas have been found alike. */
    struct sim_node nodes[SIM_NODES_MAX];
    struct sim_net net;
    struct sim_clients clients;
    struct sim_workload workload;
    struct sim_invariants invariants;
    struct sim_event fault;
    unsigned fault_kinds[FAULTS_COUNT], fault_kinds_count;
    enum check failed;
    char words[600];
};

/* What a run came to. */
struct sim_result {
    enum check failed;
    char words[600];
    uint64_t hash, events;
    uint64_t virtual_ns;
    uint64_t ops;
};

struct sim_run_options {
    uint64_t seed;
    struct shape shape; /* nodes = 0: drawn. */
    bool trace, trace_all;
};

/* Run one seed from start to verdict. Adds what was reached to `marks`. */
void sim_run(const struct sim_run_options *options, struct marks *marks, struct sim_result *result);
/* Print the trace of the run that is under way, for a crash handler; does nothing without one. */
void sim_print_running(FILE *out, unsigned lines);

/* Schedule or move an event; never into the past. */
void sim_at(struct sim *sim, struct sim_event *event, uint64_t at_ns);
void sim_after(struct sim *sim, struct sim_event *event, uint64_t delay_ns);
void sim_cancel(struct sim *sim, struct sim_event *event);
bool sim_is_pending(const struct sim_event *event);
/* Note the first failure; the run ends after the event under way. */
void sim_fail(struct sim *sim, enum check check, const char *format, ...) PRINTF_LIKE(3, 4);
void sim_mark(struct sim *sim, enum mark mark);
/* More about a failure, printed while tracing. */
void sim_explain(struct sim *sim, const char *text, size_t size);

/* sim_fault.c: strike from time to time until healed. */
void faults_begin(struct sim *sim);
/* End every fault there is: connect, wake and restart everything, calm the clocks. */
void faults_heal(struct sim *sim);

/* Let events happen until `until_ns` or until the run fails. */
void sim_until(struct sim *sim, uint64_t until_ns);
