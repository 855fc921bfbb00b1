#include "tests/sim/sim_check.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/sim.h"

enum { WORDS_MAX = 1 << 20, DRIFT_MAX_MS = 500 /* The default of max-clock-drift-ms. */ };

static struct history_clocks clocks_of(const struct sim *sim)
{
    return (struct history_clocks){
        .spread_ms = (uint64_t)(sim->wall_high_ms - sim->wall_low_ms),
        .drift_max_ms = DRIFT_MAX_MS,
        .unknown_ms =
            3 * (uint64_t)sim->swarm.request_timeout_ms + sim->swarm.outage_ns / 1000000 * 8,
    };
}

static void check_plain(struct sim *sim, const struct sim_key *key)
{
    struct arena arena;
    struct lin_report report;
    struct history_clocks clocks = clocks_of(sim);
    arena_init(&arena, 64 * 1024);
    enum lin_verdict verdict = history_check(&key->history, &clocks, &arena, &report);
    if (verdict != LIN_OK) {
        struct buf text;
        buf_init(&text, WORDS_MAX);
        history_print(&key->history, report.failed, &text);
        sim_fail(sim, verdict == LIN_NOT ? CHECK_LINEARIZABLE : CHECK_GAVE_UP,
                 "key %s is not linearizable at operation %zu of %zu", key->name, report.failed,
                 key->history.count);
        sim_explain(sim, (const char *)text.data, text.size);
        buf_release(&text);
    }
    arena_release(&arena);
}

/* A key of one-round writes. Which of several writes wins is a matter of clocks; but a key that was
 * written once shows just that. */
static void check_quorum(struct sim *sim, const struct sim_key *key)
{
    const struct history *history = &key->history;
    const struct history_op *write = NULL;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->kind == LIN_GET || op->status == HISTORY_REFUSED) {
            continue;
        }
        if (write != NULL) {
            return;
        }
        write = op;
    }
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->kind != LIN_GET || op->status != HISTORY_DONE || op->result == LIN_ANY) {
            continue;
        }
        if (write == NULL || write->kind == LIN_DEL) {
            if (op->result != 0) {
                sim_fail(sim, CHECK_QUORUM, "key %s shows a value though every write was refused",
                         key->name);
            }
        } else if (op->result == 0 && write->status == HISTORY_DONE && write->ret < op->invoke) {
            sim_fail(sim, CHECK_QUORUM,
                     "key %s: value %" PRIu64 " was acknowledged at %" PRIu64
                     " and not found by the reading at %" PRIu64,
                     key->name, write->value, write->ret, op->invoke);
        }
    }
}

void check_run(struct sim *sim)
{
    for (unsigned i = 0; i < sim->workload.keys_count && sim->failed == CHECK_NONE; i++) {
        const struct sim_key *key = &sim->workload.keys[i];
        switch (key->class) {
        case KEY_PLAIN:
        case KEY_EXPIRY:
            check_plain(sim, key);
            break;
        case KEY_CAUSAL:
            causal_check(sim, i);
            break;
        default:
            check_quorum(sim, key);
        }
    }
}
