/* tests/lib/history.h - what clients did to one register and what they were told, for the checkers.
 *
 * An operation begins unknown. It becomes done when its reply came, refused when the reply says
 * that certainly nothing was applied, and stays unknown otherwise: then a write may take effect at
 * any time or never. Stamps count everything that clients see, so no two are equal; times are only
 * needed for values that expire. */
#pragma once

#include "base/arena.h"
#include "tests/lib/lin.h"

enum history_status { HISTORY_UNKNOWN, HISTORY_DONE, HISTORY_REFUSED };

struct history_op {
    enum lin_kind kind;
    enum history_status status;
    uint64_t value;       /* SET, GETSET: unique and not 0. */
    uint64_t result;      /* As lin_op's. */
    uint64_t invoke, ret; /* Stamps; ret: LIN_NEVER while unknown. */
    uint64_t invoke_ns, ret_ns;
    uint64_t expiry_ms; /* SET, GETSET: time to live; 0: none. */
    uint32_t client;    /* For people. */
};

struct history {
    struct history_op *ops;
    size_t count, capacity;
};

/* How exactly expiry can be judged. */
struct history_clocks {
    uint64_t spread_ms;    /* Most that two nodes' wall clocks were apart. */
    uint64_t drift_max_ms; /* Beyond it a value that may have expired need not be deleted. */
    uint64_t unknown_ms;   /* An unknown write can begin to count its time to live so much later. */
};

void history_init(struct history *history);
void history_release(struct history *history);
/* Add an operation of unknown outcome; return its index. */
size_t history_add(struct history *history, const struct history_op *op);
void history_done(struct history *history, size_t index, uint64_t stamp, uint64_t now_ns,
                  uint64_t result);
void history_refused(struct history *history, size_t index);
/* Check the whole history. `out->failed` is an index into history->ops. Answers that fall into a
 * time when nodes may disagree about whether a value has expired are not held against anybody, nor
 * is what SET..GET and DEL say of the value before them beside other writes. */
MUST_CHECK enum lin_verdict history_check(const struct history *history,
                                          const struct history_clocks *clocks, struct arena *arena,
                                          struct lin_report *out);
/* Append the history for people, one operation a line, around operation `failed`. */
void history_print(const struct history *history, size_t failed, struct buf *out);
