/* tests/unit/test_lin.c - the linearizability checker against a dumb one, known anomalies, mutants.
 *
 * The dumb checker tries every order, and knows expiry as one more operation, which takes effect
 * once within its window. It shares no idea with lin.c but the definition. */
#include "tests/lib/lin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/prng.h"

/* Faults that lin.c has when it is compiled here, in a copy of which nothing else knows. */
#define MUTANT_LIST(X)                                                                             \
    X(NO_REAL_TIME)         /* Return before invocation orders nothing. */                         \
    X(UNKNOWN_IS_LOST)      /* A write without an answer never took effect. */                     \
    X(UNKNOWN_IS_QUICK)     /* Or it did at once. */                                               \
    X(UNKNOWN_TWICE)        /* It may do so again. */                                              \
    X(NIL_IS_WILDCARD)      /* A GET of nil is always right. */                                    \
    X(NO_DEL_RESULT)        /* So is the count of a DEL. */                                        \
    X(MERGE_STATES)         /* Configurations are told apart without the state. */                 \
    X(STOP_WHEN_QUIET)      /* Nothing is checked after a quiescent point. */                      \
    X(CARRY_ONE_STATE)      /* Only one of its possible states is carried on. */                   \
    X(EXPIRES_EARLY)        /* A value may vanish before its window. */                            \
    X(EXPIRES_LATE)         /* Or after it. */                                                     \
    X(EXPIRY_TAKES_NO_TIME) /* What follows an expiry may be earlier than it. */                   \
    X(NO_ABSORBING)         /* Reduction 4 of lin.c forgets what it skipped. */                    \
    X(NO_HAZARD)            /* Reductions make time pass. */

enum lin_mutant {
    MUTANT_NONE,
#define X(name) MUTANT_##name,
    MUTANT_LIST(X)
#undef X
        MUTANTS_END,
};

static enum lin_mutant mutant;

enum lin_verdict lin_check_mutated(const struct lin_op *ops, size_t count, struct arena *arena,
                                   struct lin_report *out);
void lin_explain_mutated(const struct lin_op *ops, size_t count, struct buf *out);

#define LIN_MUTANT(name) (mutant == MUTANT_##name)
#define lin_check lin_check_mutated
#define lin_explain lin_explain_mutated
#include "tests/lib/lin.c" /* NOLINT(bugprone-suspicious-include) */
#undef lin_check
#undef lin_explain

/* SET, GET, DEL, GETSET; unknown SET and DEL; SET that expires. */
#define S(v, from, to)                                                                             \
    {                                                                                              \
        .kind = LIN_SET, .value = (v), .invoke = (from), .ret = (to)                               \
    }
#define G(v, from, to)                                                                             \
    {                                                                                              \
        .kind = LIN_GET, .result = (v), .invoke = (from), .ret = (to)                              \
    }
#define D(n, from, to)                                                                             \
    {                                                                                              \
        .kind = LIN_DEL, .result = (n), .invoke = (from), .ret = (to)                              \
    }
#define GS(v, old, from, to)                                                                       \
    {                                                                                              \
        .kind = LIN_GETSET, .value = (v), .result = (old), .invoke = (from), .ret = (to)           \
    }
#define US(v, from) S(v, from, LIN_NEVER)
#define UD(from) D(0, from, LIN_NEVER)
#define SE(v, from, to, early, late)                                                               \
    {                                                                                              \
        .kind = LIN_SET, .value = (v), .invoke = (from), .ret = (to),                              \
        .expire_not_before = (early), .expire_not_after = (late)                                   \
    }

enum { OPS_MAX = 7, EXPIRIES_MAX = 4, ITEMS_MAX = OPS_MAX + EXPIRIES_MAX };

/* Value v is written by operation v - 1. */
struct brute {
    const struct lin_op *ops;
    size_t count, items;
    size_t subject[ITEMS_MAX]; /* The operation that an item is, or whose value it lets expire. */
    size_t expiry[OPS_MAX];    /* Item of the expiry of this operation's value, or 0. */
    uint8_t seen[1 << ITEMS_MAX];
};

static bool brute_effect(const struct brute *b, unsigned left, size_t item, uint64_t *state)
{
    const struct lin_op *op = &b->ops[b->subject[item]];
    bool known = op->ret != LIN_NEVER && op->result != LIN_ANY;
    if (item >= b->count) {
        *state = *state == op->value ? 0 : *state;
        return true;
    }
    uint64_t before = *state;
    if (op->kind == LIN_SET || op->kind == LIN_GETSET) {
        size_t expiry = b->expiry[item];
        *state = expiry != 0 && (left >> expiry & 1) == 0 ? 0 : op->value;
    } else if (op->kind == LIN_DEL) {
        *state = 0;
        before = before != 0;
    }
    return op->kind == LIN_SET || !known || op->result == before;
}

static bool brute_go(struct brute *b, unsigned left, uint64_t state)
{
    uint64_t first = LIN_NEVER;
    if ((b->seen[left] >> state & 1) != 0) {
        return false;
    }
    b->seen[left] |= (uint8_t)(1U << state);
    for (size_t i = 0; i < b->items; i++) {
        const struct lin_op *op = &b->ops[b->subject[i]];
        uint64_t end = i < b->count ? op->ret : op->expire_not_after;
        first = (left >> i & 1) != 0 ? MIN(first, end) : first;
    }
    for (size_t i = 0; i < b->items && first != LIN_NEVER; i++) {
        const struct lin_op *op = &b->ops[b->subject[i]];
        uint64_t begin = i < b->count ? op->invoke : op->expire_not_before;
        uint64_t after = state;
        if ((left >> i & 1) != 0 && begin <= first && brute_effect(b, left, i, &after) &&
            brute_go(b, left & ~(1U << i), after)) {
            return true;
        }
    }
    return first == LIN_NEVER;
}

static enum lin_verdict brute_check(const struct lin_op *ops, size_t count)
{
    struct brute b;
    ASSERT(count <= OPS_MAX);
    b.ops = ops;
    b.count = b.items = count;
    for (size_t i = 0; i < count; i++) {
        b.subject[i] = i;
        b.expiry[i] = 0;
        if (ops[i].expire_not_after != 0) {
            b.subject[b.items] = i;
            b.expiry[i] = b.items++;
        }
    }
    ASSERT(b.items <= ITEMS_MAX);
    memset(b.seen, 0, (size_t)1 << b.items);
    return brute_go(&b, (1U << b.items) - 1, 0) ? LIN_OK : LIN_NOT;
}

static struct arena arena;

static enum lin_verdict check(const struct lin_op *ops, size_t count)
{
    struct lin_report report;
    enum lin_verdict verdict = lin_check(ops, count, &arena, &report);
    arena_reset(&arena);
    return verdict;
}

static void print_all(const struct lin_op *ops, size_t count)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        print_op(&text, &ops[i]);
    }
    printf("%.*s", (int)text.size, (const char *)text.data);
    buf_release(&text);
}

static enum lin_verdict agree(const struct lin_op *ops, size_t count)
{
    enum lin_verdict expected = brute_check(ops, count), found = check(ops, count);
    if (expected != found) {
        printf("verdict %d, by trying every order %d:\n", (int)found, (int)expected);
        print_all(ops, count);
    }
    ASSERT(expected == found);
    return found;
}

static const struct anomaly {
    const char *claim;
    enum lin_verdict verdict;
    size_t count;
    struct lin_op ops[6];
} anomalies[] = {
    {"nothing happened", LIN_OK, 0, {{0}}},
    {"a key is nil at first", LIN_NOT, 2, {S(1, 5, 6), G(1, 0, 1)}},
    {"a stale read", LIN_NOT, 3, {S(1, 0, 1), S(2, 2, 3), G(1, 4, 5)}},
    {"an old value beside a write", LIN_OK, 3, {S(1, 0, 1), S(2, 2, 6), G(1, 3, 5)}},
    {"new, then old", LIN_NOT, 4, {S(1, 0, 1), S(2, 2, 9), G(2, 3, 4), G(1, 5, 6)}},
    {"old, then new", LIN_OK, 4, {S(1, 0, 1), S(2, 2, 9), G(1, 3, 4), G(2, 5, 6)}},
    {"two readers disagree on the order",
     LIN_NOT,
     5,
     {S(1, 0, 9), S(2, 0, 9), G(1, 1, 2), G(2, 3, 4), G(1, 5, 6)}},
    {"a lost update", LIN_NOT, 3, {S(1, 0, 1), GS(2, 1, 2, 5), GS(3, 1, 3, 6)}},
    {"a chain of updates", LIN_OK, 3, {S(1, 0, 1), GS(3, 2, 2, 6), GS(2, 1, 3, 5)}},
    {"an update in a circle", LIN_NOT, 2, {GS(1, 2, 0, 9), GS(2, 1, 0, 9)}},
    {"a resurrected delete", LIN_NOT, 4, {S(1, 0, 1), D(1, 2, 3), G(0, 4, 5), G(1, 6, 7)}},
    {"a delete that removed nothing, truly", LIN_OK, 3, {S(1, 0, 1), D(1, 2, 5), D(0, 3, 6)}},
    {"two deletes of one value", LIN_NOT, 3, {S(1, 0, 1), D(1, 2, 5), D(1, 3, 6)}},
    {"a delete denies what it removed", LIN_NOT, 3, {S(1, 0, 1), D(0, 2, 3), G(0, 4, 5)}},
    {"a delete of nothing claims one", LIN_NOT, 1, {D(1, 0, 1)}},
    {"a DEL takes what a concurrent SET wrote", LIN_OK, 2, {S(1, 0, 9), D(1, 1, 2)}},
    {"two DELs cannot both do so", LIN_NOT, 3, {S(1, 0, 9), D(1, 1, 2), D(1, 3, 4)}},
    {"a count that nobody knows", LIN_OK, 2, {D(LIN_ANY, 0, 1), G(0, 2, 3)}},
    {"read from the future", LIN_NOT, 2, {G(1, 0, 1), S(1, 2, 3)}},
    {"read out of thin air", LIN_NOT, 1, {G(7, 0, 1)}},
    {"an unknown SET takes effect late", LIN_OK, 4, {US(1, 0), S(2, 1, 2), G(2, 3, 4), G(1, 5, 6)}},
    {"an unknown SET never does", LIN_OK, 3, {US(1, 0), S(2, 1, 2), G(2, 3, 4)}},
    {"an unknown SET does twice",
     LIN_NOT,
     5,
     {US(1, 0), G(1, 1, 2), S(2, 3, 4), G(2, 5, 6), G(1, 7, 8)}},
    {"an unknown SET before its invocation", LIN_NOT, 2, {US(1, 5), G(1, 0, 1)}},
    {"an unknown DEL takes effect late", LIN_OK, 4, {S(1, 0, 1), UD(2), G(1, 3, 4), G(0, 5, 6)}},
    {"an unknown DEL does twice",
     LIN_NOT,
     5,
     {UD(0), S(1, 1, 2), G(0, 3, 4), S(2, 5, 6), G(0, 7, 8)}},
    {"two unknown DELs do once each",
     LIN_OK,
     6,
     {UD(0), S(1, 1, 2), G(0, 3, 4), S(2, 5, 6), G(0, 7, 8), UD(3)}},
    {"a DEL takes what an unknown SET wrote", LIN_OK, 2, {US(1, 0), D(1, 1, 2)}},
    {"two DELs take the same of it", LIN_NOT, 3, {US(1, 0), D(1, 1, 2), D(1, 3, 4)}},
    {"a value is read until it expires", LIN_OK, 3, {SE(1, 0, 1, 5, 7), G(1, 6, 6), G(0, 8, 9)}},
    {"a value outlives its window", LIN_NOT, 2, {SE(1, 0, 1, 5, 7), G(1, 8, 9)}},
    {"a value vanishes too early", LIN_NOT, 2, {SE(1, 0, 1, 5, 7), G(0, 2, 4)}},
    {"an expired value returns", LIN_NOT, 3, {SE(1, 0, 1, 5, 9), G(0, 6, 6), G(1, 7, 7)}},
    {"a DEL finds it expired", LIN_OK, 2, {SE(1, 0, 1, 5, 9), D(0, 6, 7)}},
    {"a write outlives the window it replaced",
     LIN_NOT,
     3,
     {SE(1, 0, 1, 5, 7), S(2, 2, 3), G(0, 8, 9)}},
    {"written when it has expired, it still replaces",
     LIN_OK,
     3,
     {S(1, 0, 1), SE(2, 2, 9, 3, 4), G(0, 8, 9)}},
    {"two windows are in order too",
     LIN_NOT,
     3,
     {SE(1, 0, 1, 50, 60),
      {LIN_GETSET, 2, 0, 2, 100, .expire_not_before = 10, .expire_not_after = 20},
      G(2, 2, 100)}},
};

static void known_anomalies_are_told_from_what_only_looks_like_one(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(anomalies); i++) {
        const struct anomaly *a = &anomalies[i];
        enum lin_verdict found = check(a->ops, a->count);
        if (found != a->verdict) {
            printf("%s: verdict %d\n", a->claim, (int)found);
            print_all(a->ops, a->count);
        }
        ASSERT(found == a->verdict);
    }
    printf("COUNT checker_anomalies %zu\n", ARRAY_COUNT(anomalies));
}

/* Which kinds of operation an exhaustive run tries at each place. */
enum { ALL_SET, ALL_UNKNOWN_SET, ALL_UNKNOWN_DEL, ALL_DEL, ALL_GET = ALL_DEL + 3 };

struct all {
    struct lin_op ops[4];
    size_t count, writers_max, compared, found[3];
};

/* Give operation `at` and those after it every kind and result, for the times that are set. */
static void all_kinds(struct all *all, size_t at, size_t writers)
{
    if (at == all->count) {
        all->found[agree(all->ops, all->count)]++;
        all->compared++;
        return;
    }
    struct lin_op *op = &all->ops[at];
    struct lin_op timed = *op;
    size_t reads = all->count + 1;
    for (size_t kind = 0; kind < ALL_GET + 2 * reads; kind++) {
        bool gets = kind >= ALL_GET && kind < ALL_GET + reads;
        bool writes = kind <= ALL_UNKNOWN_SET || kind >= ALL_GET + reads;
        op->value = writes ? at + 1 : 0;
        op->result = kind >= ALL_GET ? (kind - ALL_GET) % reads : 0;
        op->kind = gets ? LIN_GET : kind >= ALL_GET ? LIN_GETSET : writes ? LIN_SET : LIN_DEL;
        if (kind == ALL_UNKNOWN_SET || kind == ALL_UNKNOWN_DEL) {
            op->ret = LIN_NEVER;
        } else if (kind >= ALL_DEL && kind < ALL_GET) {
            op->result = kind == ALL_DEL + 2 ? LIN_ANY : kind - ALL_DEL;
        }
        bool thin_air = op->result != LIN_ANY && op->result != 0 && op->kind != LIN_DEL &&
                        op->result <= at && all->ops[op->result - 1].value == 0;
        if (writers + writes <= all->writers_max && !thin_air) {
            all_kinds(all, at + 1, writers + writes);
        }
        *op = timed;
    }
}

/* Every order of the invocations (in order of index) and returns; `open` is a set of operations. */
static void all_times(struct all *all, size_t invoked, unsigned open, uint64_t now)
{
    if (invoked == all->count && open == 0) {
        all_kinds(all, 0, 0);
        return;
    }
    if (invoked < all->count) {
        all->ops[invoked] = (struct lin_op){.invoke = now};
        all_times(all, invoked + 1, open | 1U << invoked, now + 1);
    }
    for (size_t i = 0; i < all->count; i++) {
        if ((open >> i & 1) != 0) {
            all->ops[i].ret = now;
            all_times(all, invoked, open & ~(1U << i), now + 1);
        }
    }
}

static void all_small_histories_are_judged_as_by_trying_every_order(void)
{
    for (size_t count = 1; count <= 4; count++) {
        struct all all = {.count = count, .writers_max = count < 4 ? count : 2};
        all_times(&all, 0, 0, 0);
        printf("COUNT checker_exhaustive_%zu %zu (%zu linearizable)\n", count, all.compared,
               all.found[LIN_OK]);
        ASSERT(count == 1 || all.found[LIN_NOT] > 0);
        ASSERT(all.found[LIN_OK] > 0);
    }
}

/* A random history of a true register, for up to `clients` operations at once. Every operation
 * takes effect at a random point of its interval; values expire at a random point of their window.
 */
struct world {
    struct prng prng;
    uint64_t range;   /* Times are below it. */
    uint64_t longest; /* Of an operation. */
    uint64_t ttl;     /* An expiry's window begins less than this after the invocation. */
    uint64_t unknown_one_in, expires_one_in, dels_in_8, sets_in_8, getsets_in_8;
    size_t expiries_max;
};

static void world_op(struct world *w, struct lin_op *op, uint64_t value, struct key *point)
{
    struct prng *prng = &w->prng;
    uint64_t pick = prng_below(prng, 8);
    *op = (struct lin_op){.kind = LIN_GET, .invoke = prng_below(prng, w->range)};
    op->ret = op->invoke + prng_below(prng, w->longest);
    point->key = op->invoke + prng_below(prng, op->ret - op->invoke + 1);
    if (pick < w->dels_in_8) {
        op->kind = LIN_DEL;
    } else if (pick < w->dels_in_8 + w->sets_in_8 + w->getsets_in_8) {
        op->kind = pick < w->dels_in_8 + w->sets_in_8 ? LIN_SET : LIN_GETSET;
        op->value = value;
        if (w->expiries_max > 0 && prng_chance(prng, w->expires_one_in)) {
            w->expiries_max--;
            op->expire_not_before = op->invoke + prng_below(prng, w->ttl);
            op->expire_not_after = op->expire_not_before + prng_below(prng, w->longest) + 1;
        }
    }
    if (prng_chance(prng, w->unknown_one_in)) {
        op->ret = LIN_NEVER;
        point->key = op->invoke + prng_below(prng, 2 * w->longest);
        /* One in two never takes effect. */
        point->key = prng_chance(prng, 2) ? LIN_NEVER : point->key;
    }
}

/* Fill `ops` with their true results. */
static void world_run(struct world *w, struct lin_op *ops, size_t count)
{
    struct keys order = {.items = ARENA_ARRAY(&arena, struct key, 2 * count)};
    bool *expired = arena_alloc_zero(&arena, count * sizeof(*expired));
    for (size_t i = 0; i < count; i++) {
        struct key point = {0};
        world_op(w, &ops[i], i + 1, &point);
        keys_add(&order, point.key, i);
        if (ops[i].expire_not_after != 0) {
            uint64_t window = ops[i].expire_not_after - ops[i].expire_not_before + 1;
            keys_add(&order, ops[i].expire_not_before + prng_below(&w->prng, window), count + i);
        }
    }
    keys_sort(&order);
    uint64_t state = 0;
    for (size_t i = 0; i < order.count && order.items[i].key != LIN_NEVER; i++) {
        size_t at = order.items[i].index;
        struct lin_op *op = &ops[at % count];
        if (at >= count) {
            expired[at - count] = true;
            state = state == op->value ? 0 : state;
            continue;
        }
        op->result = op->kind == LIN_DEL ? state != 0 : state;
        state = op->kind == LIN_GET ? state : expired[at] ? 0 : op->value;
    }
}

/* Make one small change, which may make the history wrong. */
static void disturb(struct prng *prng, struct lin_op *ops, size_t count)
{
    struct lin_op *op = &ops[prng_below(prng, count)];
    uint64_t what = prng_below(prng, 5);
    if (prng_chance(prng, 16)) {
        op->result = LIN_ANY;
    } else if (what <= 2) {
        op->result = prng_below(prng, op->kind == LIN_DEL ? 2 : count + 1);
    } else if (what == 3 && op->ret != LIN_NEVER) {
        op->ret = op->invoke + prng_below(prng, op->ret - op->invoke + 1);
    } else {
        op->invoke += prng_below(prng, MIN(op->ret - op->invoke, 8) + 1);
    }
    /* No value of this number was written. */
    for (size_t i = 0; i < count; i++) {
        bool reads = ops[i].kind == LIN_GET || ops[i].kind == LIN_GETSET;
        if (reads && ops[i].result - 1 < count && ops[ops[i].result - 1].value == 0) {
            ops[i].result = 0;
        }
    }
}

/* History `number` of an endless sequence; return its length. */
static size_t random_history(uint64_t number, struct lin_op *ops)
{
    struct world w = {.expiries_max = EXPIRIES_MAX};
    prng_init(&w.prng, number);
    size_t count = 1 + prng_below(&w.prng, OPS_MAX);
    w.range = 1 + prng_below(&w.prng, 4 * count);
    w.longest = 1 + prng_below(&w.prng, 1 + prng_below(&w.prng, 12));
    w.ttl = w.longest + 2;
    w.unknown_one_in = prng_chance(&w.prng, 3) ? 0 : 2 + prng_below(&w.prng, 6);
    w.expires_one_in = prng_below(&w.prng, 4);
    w.dels_in_8 = prng_below(&w.prng, 4);
    w.sets_in_8 = 1 + prng_below(&w.prng, 4);
    w.getsets_in_8 = prng_below(&w.prng, 3);
    world_run(&w, ops, count);
    if (prng_chance(&w.prng, 4)) {
        ASSERT(brute_check(ops, count) == LIN_OK);
    } else {
        for (uint64_t i = prng_below(&w.prng, 4) + 1; i > 0; i--) {
            disturb(&w.prng, ops, count);
        }
    }
    return count;
}

enum { RANDOM_HISTORIES = 400000 };

static void random_histories_are_judged_as_by_trying_every_order(void)
{
    size_t found[3] = {0};
    for (uint64_t i = 0; i < RANDOM_HISTORIES; i++) {
        struct lin_op ops[OPS_MAX];
        size_t count = random_history(i, ops);
        found[agree(ops, count)]++;
    }
    printf("COUNT checker_random %d (%zu linearizable)\n", RANDOM_HISTORIES, found[LIN_OK]);
    ASSERT(found[LIN_NOT] > RANDOM_HISTORIES / 10);
}

enum { LONG_OPS = 10000, LONG_MS_MAX = 2000, AT_ONCE = 20 };

static uint64_t now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

/* Each with some 20 operations at once. */
static const struct long_case {
    const char *name;
    struct world world;
} long_cases[] = {
    {"reads", {.sets_in_8 = 1}},
    {"writes", {.sets_in_8 = 6}},
    {"mixed", {.sets_in_8 = 3, .dels_in_8 = 1, .unknown_one_in = 100}},
    {"deletes", {.sets_in_8 = 3, .dels_in_8 = 3, .unknown_one_in = 30}},
    {"updates", {.sets_in_8 = 2, .dels_in_8 = 1, .getsets_in_8 = 2, .unknown_one_in = 50}},
    {"expiry",
     {.sets_in_8 = 3,
      .dels_in_8 = 1,
      .expires_one_in = 4,
      .expiries_max = LONG_OPS,
      .unknown_one_in = 100}},
};

static void long_histories_are_judged_without_giving_up(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(long_cases); i++) {
        struct world w = long_cases[i].world;
        struct lin_report report;
        w.longest = 1000;
        w.ttl = 20 * w.longest;
        w.range = LONG_OPS * w.longest / 2 / AT_ONCE;
        prng_init(&w.prng, 1 + i);
        struct lin_op *ops = mem_alloc((LONG_OPS + 1) * sizeof(*ops));
        world_run(&w, ops, LONG_OPS);
        uint64_t begin = now_us();
        enum lin_verdict verdict = lin_check(ops, LONG_OPS, &arena, &report);
        uint64_t taken = now_us() - begin;
        printf("COUNT checker_long_%s_us %" PRIu64 " (%zu configurations at most)\n",
               long_cases[i].name, taken, report.configs_max);
        ASSERT(verdict == LIN_OK);
        ASSERT(taken < LONG_MS_MAX * 1000);
        arena_reset(&arena);
        size_t old = 0;
        while (ops[old].kind != LIN_SET || ops[old].ret > w.range / 2) {
            old++;
        }
        ops[LONG_OPS] = (struct lin_op)G(old + 1, w.range * 2, w.range * 2);
        ASSERT(check(ops, LONG_OPS + 1) == LIN_NOT);
        mem_free(ops);
    }
}

/* Whether the mutant shows: by an anomaly above, or one of the random histories. */
static bool mutant_is_killed(void)
{
    struct lin_report report;
    bool killed = false;
    for (size_t i = 0; i < ARRAY_COUNT(anomalies) && !killed; i++) {
        const struct anomaly *a = &anomalies[i];
        killed = lin_check_mutated(a->ops, a->count, &arena, &report) != a->verdict;
        arena_reset(&arena);
    }
    for (uint64_t i = 0; i < RANDOM_HISTORIES && !killed; i++) {
        struct lin_op ops[OPS_MAX];
        size_t count = random_history(i, ops);
        killed = lin_check_mutated(ops, count, &arena, &report) != brute_check(ops, count);
        arena_reset(&arena);
    }
    return killed;
}

static void every_mutant_of_the_checker_is_killed(void)
{
    static const char *const names[] = {"none",
#define X(name) #name,
                                        MUTANT_LIST(X)
#undef X
    };
    int killed = 0;
    mutant = MUTANT_NONE;
    ASSERT(!mutant_is_killed());
    for (int i = MUTANT_NONE + 1; i < MUTANTS_END; i++) {
        mutant = (enum lin_mutant)i;
        bool found = mutant_is_killed();
        killed += found;
        if (!found) {
            printf("mutant %s survives\n", names[i]);
        }
    }
    mutant = MUTANT_NONE;
    printf("COUNT checker_mutants_killed %d\n", killed);
    printf("COUNT checker_mutants_total %d\n", MUTANTS_END - 1);
    ASSERT(killed == MUTANTS_END - 1);
}

static void a_failure_is_explained_by_what_contradicts_each_other_only(void)
{
    struct world w = {.range = 10000, .longest = 200, .sets_in_8 = 3, .dels_in_8 = 1};
    struct lin_op ops[200 + 4];
    const struct lin_op stale[] = {S(1001, 20000, 20010), S(1002, 20020, 20030),
                                   G(1001, 20040, 20050), UD(20005)};
    struct buf text;
    buf_init(&text, 1 << 20);
    prng_init(&w.prng, 7);
    world_run(&w, ops, 200);
    arena_reset(&arena);
    memcpy(ops + 200, stale, sizeof(stale));
    ASSERT(check(ops, 200) == LIN_OK);
    ASSERT(check(ops, 204) == LIN_NOT);
    lin_explain(ops, 204, &text);
    buf_put_u8(&text, 0);
    ASSERT(strcmp((const char *)text.data, "3 of 204 operations contradict each other:\n"
                                           "  [20000, 20010] SET 1001\n"
                                           "  [20020, 20030] SET 1002\n"
                                           "  [20040, 20050] GET -> 1001\n") == 0);
    buf_release(&text);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    arena_init(&arena, 1 << 16);
    known_anomalies_are_told_from_what_only_looks_like_one();
    all_small_histories_are_judged_as_by_trying_every_order();
    random_histories_are_judged_as_by_trying_every_order();
    long_histories_are_judged_without_giving_up();
    a_failure_is_explained_by_what_contradicts_each_other_only();
    every_mutant_of_the_checker_is_killed();
    arena_release(&arena);
    return 0;
}
