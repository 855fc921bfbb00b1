/* tests/sim/sim_trace.h - the event log of a run: always hashed, printed only on demand.
 *
 * The hash chains every event and every effect of every node with all their bytes; the same seed
 * must give the same hash twice. Lines are kept only while tracing, the newest TRACE_LINES of them.
 */
#pragma once

#include <stdio.h>

#include "node/node.h"

enum { TRACE_LINES = 400, TRACE_TAIL = 100, TRACE_LINE_SIZE = 240 };

struct trace {
    uint64_t hash;
    uint64_t events;
    bool on;
    bool all; /* Print each line as it comes. */
    uint64_t lines_count;
    char (*lines)[TRACE_LINE_SIZE]; /* A ring; NULL while off. */
};

void trace_init(struct trace *trace, bool on, bool all);
void trace_release(struct trace *trace);
/* Chain one event of a node, or all effects of its step, into the hash; note them while tracing. */
void trace_event(struct trace *trace, uint64_t at_ns, unsigned node, const struct event *event);
void trace_effects(struct trace *trace, uint64_t at_ns, unsigned node,
                   const struct effects *effects);
/* Chain two numbers: what happens outside the nodes. */
void trace_mix(struct trace *trace, uint64_t a, uint64_t b);
/* A line of the simulator's own. Costs nothing while tracing is off. */
void trace_line(struct trace *trace, uint64_t at_ns, const char *format, ...) PRINTF_LIKE(3, 4);
/* Print the newest `count` lines. */
void trace_print(const struct trace *trace, FILE *out, unsigned count);
