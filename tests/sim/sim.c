#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_audit.h"
#include "tests/sim/sim_check.h"

enum {
    MILLI = 1000000,
    STUCK_MAX = 200000,    /* Events at one instant. */
    SETTLE_MAX_MS = 60000, /* After healing, replicas agree within this. */
    IDLE_MAX_MS = 20000,
};

/* The run under way, for a crash handler only. */
static struct sim *running;

const char *check_words(enum check check)
{
    static const char *const WORDS[] = {
#define X(name, words) words,
        CHECK_LIST(X)
#undef X
    };
    ASSERT(check < CHECKS_COUNT);
    return WORDS[check];
}

/* -- The queue. */

void sim_at(struct sim *sim, struct sim_event *event, uint64_t at_ns)
{
    ASSERT(event->run != NULL);
    ASSERT(at_ns >= sim->now_ns);
    heap_remove(&sim->queue, &event->item);
    heap_insert(&sim->queue, &event->item, at_ns);
}

void sim_after(struct sim *sim, struct sim_event *event, uint64_t delay_ns)
{
    sim_at(sim, event, sim->now_ns + delay_ns);
}

void sim_cancel(struct sim *sim, struct sim_event *event)
{
    heap_remove(&sim->queue, &event->item);
}

bool sim_is_pending(const struct sim_event *event)
{
    return event->item.place != 0;
}

void sim_mark(struct sim *sim, enum mark mark)
{
    sim->marks.counts[mark]++;
}

void sim_fail(struct sim *sim, enum check check, const char *format, ...)
{
    if (sim->failed != CHECK_NONE) {
        return;
    }
    ASSERT(check != CHECK_NONE);
    sim->failed = check;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sim->words, sizeof(sim->words), format, args);
    va_end(args);
    trace_line(&sim->trace, sim->now_ns, "FAILED %s: %s", check_words(check), sim->words);
}

void sim_explain(struct sim *sim, const char *text, size_t size)
{
    if (sim->trace.on) {
        (void)fprintf(stderr, "%.*s", (int)size, text);
    }
}

void sim_until(struct sim *sim, uint64_t until_ns)
{
    ASSERT(until_ns >= sim->now_ns);
    while (sim->failed == CHECK_NONE) {
        struct heap_item *first = heap_first(&sim->queue);
        if (first == NULL || first->key > until_ns) {
            sim->now_ns = until_ns;
            return;
        }
        sim->stuck = first->key > sim->now_ns ? 0 : sim->stuck + 1;
        if (sim->stuck > STUCK_MAX) {
            sim_fail(sim, CHECK_BUSY_LOOP, "%d events without progress of time", STUCK_MAX);
            return;
        }
        sim->now_ns = first->key;
        heap_remove(&sim->queue, first);
        struct sim_event *event = CONTAINER_OF(first, struct sim_event, item);
        event->run(sim, event);
    }
}

/* -- One run. */

static void begin(struct sim *sim, const struct sim_run_options *options)
{
    memset(sim, 0, sizeof(*sim));
    swarm_draw(&sim->swarm, options->seed, &options->shape);
    prng_init(&sim->prng, options->seed);
    heap_init(&sim->queue);
    trace_init(&sim->trace, options->trace, options->trace_all);
    net_init(&sim->net);
    invariants_init(sim);
    workload_init(sim);
    clients_init(sim);
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        node_init(sim, i);
    }
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        node_start_after(sim, i, prng_below(&sim->prng, 200 * MILLI));
    }
    clients_begin(sim);
    faults_begin(sim);
}

static void end(struct sim *sim)
{
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        node_release(sim, i);
    }
    net_release(sim);
    clients_release(sim);
    workload_release(sim);
    invariants_release(sim);
    sim_cancel(sim, &sim->fault);
    ASSERT(heap_first(&sim->queue) == NULL);
    heap_release(&sim->queue);
    trace_release(&sim->trace);
}

/* Every command in flight is answered, or its connection ends; and what clients that have left had
 * asked for is over. */
static void drain(struct sim *sim)
{
    uint64_t awake_ns = sim->now_ns;
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        awake_ns = MAX(awake_ns, sim->nodes[i].paused_until_ns);
    }
    uint64_t until_ns = awake_ns + (uint64_t)(IDLE_MAX_MS + CLIENT_WAIT_MAX_MS) * MILLI;
    sim_until(sim, awake_ns);
    while (sim->failed == CHECK_NONE && (clients_busy(sim) || !net_clients_quiet(sim))) {
        if (sim->now_ns >= until_ns) {
            sim_fail(sim, CHECK_LIVENESS, "a client still waits %d ms after healing", IDLE_MAX_MS);
            return;
        }
        sim_until(sim, sim->now_ns + 10 * MILLI);
    }
    sim_until(sim, sim->now_ns + (uint64_t)sim->swarm.request_timeout_ms * MILLI);
}

static void settle(struct sim *sim)
{
    uint64_t until_ns = sim->now_ns + (uint64_t)SETTLE_MAX_MS * MILLI;
    char words[sizeof(sim->words)];
    while (sim->failed == CHECK_NONE && !invariants_converged(sim, words, sizeof(words))) {
        if (sim->now_ns >= until_ns) {
            sim_fail(sim, CHECK_CONVERGENCE, "%d s after healing: %s", SETTLE_MAX_MS / 1000, words);
            invariants_explain(sim);
            return;
        }
        sim_until(sim, sim->now_ns + 250 * MILLI);
    }
}

/* Replicas become alike by what they tell each other, whether anybody reads or not. */
static void converge(struct sim *sim)
{
    if (sim->swarm.log_small) { /* What was missed stays missed until somebody reads it. */
        audit_run(sim);
        audit_again(sim);
        return;
    }
    if (prng_chance(&sim->prng, 2)) {
        sim_mark(sim, MARK_SETTLED_UNREAD);
    } else {
        audit_run(sim);
    }
    settle(sim);
    sim->converged = sim->failed == CHECK_NONE;
    audit_again(sim);
}

void sim_run(const struct sim_run_options *options, struct marks *marks, struct sim_result *result)
{
    struct sim *sim = mem_alloc(sizeof(*sim));
    begin(sim, options);
    running = sim;
    sim_until(sim, sim->swarm.load_ns);
    if (sim->failed == CHECK_NONE) {
        faults_heal(sim);
        drain(sim);
        converge(sim);
    }
    if (sim->failed == CHECK_NONE) {
        check_run(sim);
    }
    *result = (struct sim_result){
        .failed = sim->failed,
        .hash = sim->trace.hash,
        .events = sim->trace.events,
        .virtual_ns = sim->now_ns,
        .ops = sim->workload.done,
    };
    (void)snprintf(result->words, sizeof(result->words), "%s", sim->words);
    if (sim->failed != CHECK_NONE) {
        trace_print(&sim->trace, stderr, TRACE_TAIL);
    }
    running = NULL;
    end(sim);
    for (unsigned i = 0; i < MARKS_COUNT; i++) {
        marks->counts[i] += sim->marks.counts[i];
    }
    mem_free(sim);
}

void sim_print_running(FILE *out, unsigned lines)
{
    if (running != NULL) {
        trace_print(&running->trace, out, lines);
    }
}
