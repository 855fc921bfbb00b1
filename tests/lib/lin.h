/* tests/lib/lin.h - is the history of one key a linearizable register that can expire?
 *
 * Herlihy and Wing 1990: every operation must seem to take effect at one instant between its
 * invocation and its return. Searched as in Lowe 2017 (Testing for linearizability), just in time:
 * a sweep over the returns keeps the set of configurations that explain everything so far. Values
 * are unique, which allows exact reductions (lin.c argues each of them) that keep this set small.
 *
 * Exact: never LIN_NOT for a history that has a linearization, never LIN_OK for one that has none.
 * Pure but for the memory it takes from the caller's arena. */
#pragma once

#include "base/base.h"

struct arena;
struct buf;

#define LIN_NEVER UINT64_MAX /* As `ret`: the outcome is unknown. */
#define LIN_ANY UINT64_MAX   /* As `result`: not known or not to be checked. */

enum lin_kind {
    LIN_SET,    /* Write `value`. */
    LIN_GET,    /* `result` is the value, 0 for nil. */
    LIN_DEL,    /* `result` is the count of removed values, 0 or 1. */
    LIN_GETSET, /* Write `value`; `result` is the value before, 0 for nil. */
};

/* A write with `ret` LIN_NEVER may take effect once at any time from `invoke` on, or never; its
 * result is ignored. A GET with LIN_NEVER says nothing. An operation known not to have been applied
 * does not belong into the history. Two operations of which one returns at the very time the other
 * is invoked are concurrent.
 *
 * A value that can expire vanishes by itself, once and for good, at one instant chosen from
 * [expire_not_before, expire_not_after]. Written after that instant, it is never seen, but still
 * replaces what was there. expire_not_after 0: it does not expire. */
struct lin_op {
    enum lin_kind kind;
    uint64_t value; /* SET, GETSET: not 0, not LIN_ANY, written by no other operation. */
    uint64_t result;
    uint64_t invoke, ret; /* invoke <= ret. */
    uint64_t expire_not_before, expire_not_after;
};

enum lin_verdict {
    LIN_OK,      /* A linearization exists. */
    LIN_NOT,     /* None exists. */
    LIN_GAVE_UP, /* Too much at once (LIN_OPEN_MAX, LIN_EFFORT_MAX). To a test this is a failure. */
};

enum {
    LIN_OPEN_MAX = 64,           /* Operations in flight at one time, writes nobody reads apart. */
    LIN_EFFORT_MAX = 1000000000, /* Comparisons of configurations; some two seconds. */
};

struct lin_report {
    size_t failed;      /* LIN_NOT, LIN_GAVE_UP: index of the operation where the search ended. */
    size_t configs_max; /* Most configurations that were alive at one time. */
};

/* The order of `ops` does not matter. An empty history is LIN_OK; the key is nil at first. Memory
 * taken from `arena` is about 300 bytes for each operation. `out` is always written. */
MUST_CHECK enum lin_verdict lin_check(const struct lin_op *ops, size_t count, struct arena *arena,
                                      struct lin_report *out);

/* Append to `out` (whose size_max must allow 200 bytes for each operation) a core of a history that
 * is LIN_NOT: operations that contradict each other even if the outcome of every other write were
 * unknown and no other GET had been made. No operation of the core can be left out in this way, as
 * far as lin_check can tell. Takes some hundred times as long as lin_check. */
void lin_explain(const struct lin_op *ops, size_t count, struct buf *out);
