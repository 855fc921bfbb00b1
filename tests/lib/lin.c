/* tests/lib/lin.c - see lin.h.
 *
 * Time goes from return to return. Of the operation that returns at `now`, and of those invoked by
 * then, a configuration says which have taken effect ("linear"), what the register holds, and the
 * earliest time at which this can be so. A return keeps the configurations in which its operation
 * has taken effect, or can after some others; at a quiescent point only states are left of them.
 *
 * Reductions, each exact (the test compares with a search that has none):
 *  1. A write whose value is read takes effect before its first reader returns. So it gets that
 *     deadline, and is no longer of unknown outcome.
 *  2. A value may be replaced only when all its readers have been invoked, as they can read
 *     nothing else; readers of the present state take effect at once, as that changes nothing.
 *  3. Writes of unknown outcome that nobody reads never have to take effect, and an SET of them
 *     can serve nothing but a DEL that removed something (or, by expiring, as a DEL). They are
 *     alike but for their invocation, so the earliest is used first, and a counter is enough.
 *  4. A "block" is a blind write with all its readers, and all that GETSETs make of what it wrote
 *     with their readers, all in flight. Nothing else fits in between. Directly before another
 *     blind write, or a DEL that removes, it fits without a trace. So instead of trying both,
 *     remember it as absorbable, and let it take effect there, in retrospect, when one of it must
 *     return. Otherwise it serves only as what the next DEL removes, as what expires before the
 *     next operation sees nil, or as the state after its own deadline.
 *  5. Values without further readers that do not expire are one state.
 *  6. A write invoked after another has returned has replaced it when it returns itself. A value
 *     whose window begins after that, or after all that happened, might as well not expire.
 *
 * With expiry, what takes effect makes time pass. A "hazard" is a past time after which a write
 * that has not taken effect yet would be too late to be seen. Reductions do not pass it; expand
 * decides to. Where there is none, no time up to now makes a difference, and configurations
 * forget theirs. */
#include "tests/lib/lin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"

#ifndef LIN_MUTANT /* The unit test compiles this file once more, with faults to be detected. */
#define LIN_MUTANT(name) false
#endif

#define NONE UINT64_MAX

enum { NIL, UNREAD, FIRST }; /* States; FIRST + i is the value that steps[i] writes. */
enum { NOTHING = -1, SOME = -2, KEEP = -1 };

struct step {
    uint64_t invoke, ret, not_before, not_after; /* NONE, NONE: does not expire. */
    int64_t observes;                            /* A state, SOME value, or NOTHING. */
    int64_t makes;                               /* A state, or KEEP. */
    uint64_t last_read; /* Of a write: the latest invocation among itself and its readers. */
    size_t source, readers, slot;
    struct step *replacer; /* The GETSET that reads the value, so only that one may replace it. */
    /* The blind write, or the GETSET of nil, that began what this is part of. There: */
    struct step *head;
    uint64_t block;                 /* Open slots of the whole. */
    uint64_t block_last, block_ret; /* Its latest invocation and its first return. */
    bool expires; /* Values made on the way may expire: not a block of reduction 4. */
};

struct config {
    uint64_t linear, absorbable; /* Sets of slots, disjoint. */
    uint64_t time;
    int64_t state;
    size_t removes, unread; /* How many of search.removes and search.unread are used. */
};

struct pool {
    struct config *items;
    size_t count, capacity, at; /* Items before `at` are expanded. */
};

struct key {
    uint64_t key;
    size_t index;
};

struct keys {
    struct key *items;
    size_t count, open; /* Open: those with key <= now. */
};

struct search {
    struct arena *arena;
    struct step *steps;
    size_t steps_count, effort;
    struct keys invokes, returns; /* Of steps that get a slot. */
    struct keys removes, unread;  /* Reduction 3, by invocation. */
    size_t expired;               /* Further ones that serve as `removes`, used before those. */
    size_t slots[LIN_OPEN_MAX];
    uint64_t now, due;            /* Time and slot bit of the return being explained. */
    uint64_t open, keeping;       /* Slots in use; those of steps that make nothing. */
    uint64_t complete, traceless; /* Blocks' writes: all; those that may be absorbed. */
    uint64_t absorbs;             /* All slots of the traceless blocks. */
    uint64_t risky;               /* Writes that, from a past time on, are too late to be seen. */
    uint64_t removes_from;        /* First invocation of the DELs in flight that removed. */
    struct pool live, work, next; /* Before this return, on the way, after it. */
};

static inline size_t lowest(uint64_t set)
{
    ASSERT(set != 0);
    return (size_t)__builtin_ctzll(set);
}

static int key_compare(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

static void keys_add(struct keys *keys, uint64_t key, size_t index)
{
    keys->items[keys->count++] = (struct key){key, index};
}

static void keys_sort(struct keys *keys)
{
    if (keys->count > 1) {
        qsort(keys->items, keys->count, sizeof(*keys->items), key_compare);
    }
}

static inline struct step *step_of(const struct search *s, int64_t state)
{
    ASSERT(state >= FIRST);
    return &s->steps[state - FIRST];
}

static inline uint64_t alive_until(const struct search *s, int64_t state)
{
    return state < FIRST ? NONE : step_of(s, state)->not_after;
}

/* `a` can do all that `b` can. */
static bool covers(const struct config *a, const struct config *b)
{
    return (a->state == b->state || LIN_MUTANT(MERGE_STATES)) && (a->linear & ~b->linear) == 0 &&
           (b->linear & ~a->linear & ~a->absorbable) == 0 &&
           (b->absorbable & ~a->absorbable) == 0 && a->time <= b->time &&
           a->removes <= b->removes && a->unread <= b->unread;
}

static void offer(struct search *s, struct pool *pool, const struct config *c)
{
    ASSERT((c->linear & c->absorbable) == 0);
    for (size_t i = 0; i < pool->count; i++) {
        s->effort++;
        if (covers(&pool->items[i], c)) {
            return;
        }
        if (i >= pool->at && covers(c, &pool->items[i])) {
            pool->items[i] = *c;
            return;
        }
    }
    if (pool->count == pool->capacity) {
        struct config *grown = ARENA_ARRAY(s->arena, struct config, 2 * pool->capacity);
        memcpy(grown, pool->items, pool->count * sizeof(*grown));
        pool->items = grown;
        pool->capacity *= 2;
    }
    pool->items[pool->count++] = *c;
}

/* Time must not pass this point but by decision (expand): a write could be too late then. */
static uint64_t hazard_of(const struct search *s, const struct config *c)
{
    uint64_t hazard = NONE;
    for (uint64_t left = s->risky & ~c->linear; left != 0; left &= left - 1) {
        uint64_t not_after = s->steps[s->slots[lowest(left)]].not_after;
        hazard = not_after >= c->time ? MIN(hazard, not_after) : hazard;
    }
    return hazard;
}

/* No matter whether it is earlier than now: whatever can come has the same effect. */
static bool is_timeless(const struct search *s, const struct config *c)
{
    if (hazard_of(s, c) != NONE) {
        return false;
    }
    uint64_t not_after = alive_until(s, c->state);
    return not_after >= s->now ||
           (step_of(s, c->state)->replacer == NULL && not_after < s->removes_from);
}

/* The traceless blocks that do not make time pass a hazard. */
static uint64_t free_blocks(const struct search *s, const struct config *c)
{
    uint64_t hazard = hazard_of(s, c), free = s->traceless;
    for (uint64_t left = hazard == NONE ? 0 : free; left != 0; left &= left - 1) {
        const struct step *step = &s->steps[s->slots[lowest(left)]];
        if (step->block_last > hazard && step->ret != NONE) {
            free &= ~(UINT64_C(1) << lowest(left));
        }
    }
    return free;
}

/* Where what is due has taken effect, this return is explained. The others must not cover those:
 * that it is absorbable is no reason to leave it for later. */
static void reach(struct search *s, const struct config *c)
{
    struct config explained = *c;
    if ((c->linear & s->due) == 0) {
        offer(s, &s->work, c);
        return;
    }
    explained.time = is_timeless(s, c) ? s->now : c->time;
    explained.linear &= ~s->due;
    offer(s, &s->next, &explained);
}

/* Reductions 2 and 5. Return false when a reader of the state can no longer read it. */
static bool settle(const struct search *s, struct config *c)
{
    uint64_t hazard = hazard_of(s, c);
    for (uint64_t left = s->keeping & ~c->linear; left != 0; left &= left - 1) {
        size_t slot = lowest(left);
        const struct step *step = &s->steps[s->slots[slot]];
        if (step->observes != c->state || (c->state == NIL && step->invoke > hazard)) {
            continue;
        }
        c->time = MAX(c->time, step->invoke);
        c->linear |= UINT64_C(1) << slot;
        if (c->time > alive_until(s, c->state)) {
            return false;
        }
    }
    if (c->state == NIL) { /* A blind DEL leaves no trace here. */
        for (uint64_t left = free_blocks(s, c) & ~c->linear; left != 0; left &= left - 1) {
            size_t slot = lowest(left);
            if (s->steps[s->slots[slot]].makes == NIL) {
                c->absorbable |= UINT64_C(1) << slot;
            }
        }
    }
    if (c->state >= FIRST) {
        const struct step *write = step_of(s, c->state);
        if (write->not_before == NONE && write->replacer == NULL && write->last_read <= s->now) {
            c->state = UNREAD;
        }
    }
    return true;
}

static bool replaceable(const struct search *s, const struct config *c)
{
    return c->state < FIRST ||
           (step_of(s, c->state)->replacer == NULL && step_of(s, c->state)->last_read <= s->now);
}

/* The point directly before a blind write or a DEL that removes (reduction 4). */
static void absorb(const struct search *s, struct config *c)
{
    uint64_t blocks = free_blocks(s, c), absorbs = s->absorbs;
    if (blocks != s->traceless) {
        absorbs = 0;
        for (uint64_t left = blocks; left != 0; left &= left - 1) {
            const struct step *step = &s->steps[s->slots[lowest(left)]];
            absorbs |= step->ret != NONE ? step->block : 0;
        }
    }
    c->absorbable |= LIN_MUTANT(NO_ABSORBING) ? 0 : absorbs & ~c->linear;
}

static void take(struct config *c, uint64_t set)
{
    c->linear |= set;
    c->absorbable &= ~set;
}

/* `step`, whose observation holds, takes effect. */
static void become(struct search *s, struct config c, const struct step *step)
{
    if (step->observes == NOTHING || step->observes == SOME) {
        absorb(s, &c);
    }
    c.time = MAX(c.time, step->invoke);
    take(&c, UINT64_C(1) << step->slot);
    if (step->makes != KEEP) {
        c.state = step->makes;
        c.absorbable &= ~step->head->block;
    }
    if (step->makes >= FIRST && c.time > step->not_after) {
        if (step->readers > 0 || step->replacer != NULL) {
            return;
        }
        c.state = NIL;
    }
    if (settle(s, &c)) {
        reach(s, &c);
    }
}

/* A block takes effect at `time`, directly before `step`, and leaves `state` to it. */
static void become_after(struct search *s, struct config c, const struct step *block, uint64_t time,
                         int64_t state, const struct step *step)
{
    absorb(s, &c);
    take(&c, block->block);
    c.time = time;
    c.state = state;
    become(s, c, step);
}

/* A DEL that removed something, where nothing is. */
static void remove_helped(struct search *s, const struct config *c, const struct step *step)
{
    const struct step *first = NULL;
    bool alike = hazard_of(s, c) == NONE;
    for (uint64_t left = s->complete & ~c->linear; left != 0; left &= left - 1) {
        size_t slot = lowest(left);
        const struct step *write = &s->steps[s->slots[slot]];
        uint64_t time = MAX(c->time, MAX(write->block_last, step->invoke));
        if (write->makes < FIRST || time > write->not_after) {
            continue;
        }
        if (write->not_before == NONE && alike) {
            first = first == NULL || write->block_ret < first->block_ret ? write : first;
        } else {
            become_after(s, *c, write, time, UNREAD, step);
        }
    }
    /* All that do not expire serve as well, so take the one with the earliest deadline. */
    if (first != NULL) {
        become_after(s, *c, first, MAX(c->time, first->block_last), UNREAD, step);
    } else if (c->unread < s->unread.open) {
        struct config next = *c;
        absorb(s, &next);
        next.time = MAX(next.time, s->unread.items[next.unread].key);
        next.unread++;
        next.state = UNREAD;
        become(s, next, step);
    }
}

/* A step that observed nil, where a value is: by expiry, a DEL of unknown outcome, or a block. */
static void vanish_before(struct search *s, const struct config *c, const struct step *step)
{
    if (c->state >= FIRST && step_of(s, c->state)->not_before <= s->now) {
        struct config next = *c;
        if (!LIN_MUTANT(EXPIRY_TAKES_NO_TIME)) {
            next.time = MAX(next.time, step_of(s, c->state)->not_before);
        }
        next.state = NIL;
        become(s, next, step);
    }
    if (c->removes < s->expired + s->removes.open) {
        struct config next = *c;
        absorb(s, &next);
        if (c->removes >= s->expired) {
            next.time = MAX(next.time, s->removes.items[c->removes - s->expired].key);
        }
        next.removes += LIN_MUTANT(UNKNOWN_TWICE) ? 0 : 1;
        next.state = NIL;
        become(s, next, step);
    }
    for (uint64_t left = s->complete & ~c->linear; left != 0; left &= left - 1) {
        size_t slot = lowest(left);
        const struct step *write = &s->steps[s->slots[slot]];
        uint64_t time = MAX(c->time, write->block_last);
        if (write->makes == NIL) {
            become_after(s, *c, write, time, NIL, step);
        } else if (write->not_before <= s->now &&
                   (write->readers == 0 || time <= write->not_after)) {
            become_after(s, *c, write, MAX(time, write->not_before), NIL, step);
        }
    }
}

static void apply(struct search *s, const struct config *c, const struct step *step)
{
    bool free = replaceable(s, c);
    uint64_t time = MAX(c->time, step->invoke);
    if (step->observes == NOTHING) {
        if (free) {
            become(s, *c, step);
        }
    } else if (step->observes == SOME) {
        if (free && c->state != NIL && time <= alive_until(s, c->state)) {
            become(s, *c, step);
        } else if (free) {
            remove_helped(s, c, step);
        }
    } else if (step->observes == c->state) {
        bool early = c->state >= FIRST && step_of(s, c->state)->last_read > s->now;
        if (time <= alive_until(s, c->state) && !early) {
            become(s, *c, step);
        }
        /* A GETSET of nil leaves no place for other writes, but a DEL before it would. */
        uint64_t displaced = s->complete & ~c->linear & ~c->absorbable;
        if (c->state == NIL && step->makes != KEEP && displaced != 0) {
            vanish_before(s, c, step);
        }
    } else if (step->observes == NIL && free) {
        vanish_before(s, c, step);
    }
}

static void expand(struct search *s, struct config c);

/* Decide that time has passed the hazard. Not to be offered to `work`, where the configuration from
 * before covers it. */
static void pass(struct search *s, struct config *c, uint64_t hazard)
{
    c->time = hazard + 1;
    if (!settle(s, c)) {
        return;
    }
    if ((c->linear & s->due) != 0) {
        reach(s, c);
    } else {
        expand(s, *c);
    }
}

/* Every way to let one more step take effect, on the way to the one that is due. */
static void expand(struct search *s, struct config c)
{
    /* DELs that removed are alike where time does not matter: the earliest deadline first. */
    const struct step *remove = NULL;
    struct config passed = c;
    uint64_t hazard = hazard_of(s, &c), blocks = free_blocks(s, &c);
    bool alike = is_timeless(s, &c);
    for (uint64_t left = s->open & ~c.linear; left != 0; left &= left - 1) {
        size_t slot = lowest(left);
        const struct step *step = &s->steps[s->slots[slot]];
        bool concerns_due = (step->head->block & s->due) != 0;
        if (step->observes == SOME && alike) {
            remove = remove == NULL || step->ret < remove->ret ? step : remove;
            continue;
        }
        if ((blocks >> slot & 1) != 0 && !concerns_due) {
            continue;
        }
        if (step->invoke > hazard) {
            continue; /* Not before the hazard is passed. */
        }
        if (step->makes >= FIRST && step->head->block_last > s->now && !concerns_due) {
            continue; /* What it writes must stay for readers to come. */
        }
        apply(s, &c, step);
    }
    if (remove != NULL) {
        apply(s, &c, remove);
    }
    if ((c.absorbable & s->due) != 0) {
        const struct step *due = &s->steps[s->slots[lowest(s->due)]];
        take(&c, due->head->block);
        reach(s, &c);
    }
    if (hazard != NONE) {
        pass(s, &passed, hazard);
    }
}

/* What is the same for all configurations at this return. */
static void survey(struct search *s)
{
    s->removes_from = NONE;
    for (uint64_t left = s->open; left != 0; left &= left - 1) {
        size_t slot = lowest(left);
        const struct step *step = &s->steps[s->slots[slot]];
        s->removes_from =
            step->observes == SOME ? MIN(s->removes_from, step->invoke) : s->removes_from;
    }
    s->complete = s->traceless = s->absorbs = s->risky = 0;
    for (uint64_t left = s->open & ~s->keeping; left != 0; left &= left - 1) {
        size_t slot = lowest(left);
        const struct step *step = &s->steps[s->slots[slot]];
        uint64_t bit = UINT64_C(1) << slot;
        /* One that nobody reads matters only alive, to a DEL. */
        bool late = step->makes >= FIRST && step->not_after < s->now;
        bool read = step->readers > 0 || step->replacer != NULL;
        if (late && (read || step->not_after >= s->removes_from) && !LIN_MUTANT(NO_HAZARD)) {
            s->risky |= bit;
        }
        if (step->observes == NOTHING && !step->expires && step->block_last <= s->now) {
            s->complete |= bit;
            if (!late || !read || LIN_MUTANT(NO_HAZARD)) {
                s->traceless |= bit;
                s->absorbs |= step->ret != NONE ? step->block : 0;
            }
        }
    }
}

static void slot_open(struct search *s, size_t index)
{
    struct step *step = &s->steps[index];
    step->slot = lowest(~s->open);
    uint64_t bit = UINT64_C(1) << step->slot;
    s->slots[step->slot] = index;
    s->open |= bit;
    step->head->block |= bit;
    s->keeping |= step->makes == KEEP ? bit : 0;
}

static void slot_close(struct search *s, struct step *step)
{
    uint64_t bit = UINT64_C(1) << step->slot;
    ASSERT((s->open & bit) != 0);
    s->open &= ~bit;
    s->keeping &= ~bit;
    step->head->block &= ~bit;
}

/* Open what is invoked by now. Return false when there are too many. */
static bool advance(struct search *s)
{
    struct keys *all[] = {&s->invokes, &s->removes, &s->unread};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        while (all[i]->open < all[i]->count && all[i]->items[all[i]->open].key <= s->now) {
            if (all[i] == &s->invokes) {
                if (s->open == UINT64_MAX) {
                    return false;
                }
                slot_open(s, s->invokes.items[s->invokes.open].index);
            }
            all[i]->open++;
        }
    }
    return true;
}

/* A write of unknown outcome, read by nobody, whose window is over, and that no DEL can have
 * removed, can only have replaced what was there by nothing: reduction 3 again. Among those that
 * time does not tell apart it does not matter which are used. */
static void retire_expired(struct search *s)
{
    for (uint64_t left = s->complete; left != 0; left &= left - 1) {
        struct step *step = &s->steps[s->slots[lowest(left)]];
        uint64_t bit = UINT64_C(1) << lowest(left);
        bool retires = step->ret == NONE && step->not_after < MIN(s->now, s->removes_from);
        for (size_t i = 0; i < s->live.count && retires; i++) {
            retires = s->live.items[i].time >= MAX(step->invoke, step->not_before);
        }
        for (size_t i = 0; i < s->live.count && retires; i++) {
            struct config *c = &s->live.items[i];
            c->removes += (c->linear & bit) != 0;
            c->linear &= ~bit;
        }
        if (retires) {
            s->expired++;
            slot_close(s, step);
            s->complete &= ~bit;
            s->traceless &= ~bit;
            s->risky &= ~bit;
        }
    }
}

/* Replace the live configurations by those that explain the return of `step` too. */
static void explain_return(struct search *s, struct step *step)
{
    s->due = UINT64_C(1) << step->slot;
    survey(s);
    retire_expired(s);
    s->work.count = s->work.at = s->next.count = 0;
    for (size_t i = 0; i < s->live.count; i++) {
        if (settle(s, &s->live.items[i])) {
            reach(s, &s->live.items[i]);
        }
    }
    while (s->work.at < s->work.count && s->effort < LIN_EFFORT_MAX) {
        expand(s, s->work.items[s->work.at++]);
    }
    slot_close(s, step);
    struct pool live = s->live;
    s->live = s->next;
    s->next = live;
}

static enum lin_verdict sweep(struct search *s, struct lin_report *out)
{
    struct config first = {.state = NIL};
    offer(s, &s->live, &first);
    for (size_t i = 0; i < s->returns.count; i++) {
        struct step *step = &s->steps[s->returns.items[i].index];
        s->now = step->ret;
        out->failed = step->source;
        if (!advance(s)) {
            return LIN_GAVE_UP;
        }
        explain_return(s, step);
        if (s->effort >= LIN_EFFORT_MAX) {
            return LIN_GAVE_UP;
        }
        out->configs_max = MAX(out->configs_max, s->live.count);
        if (s->live.count == 0) {
            return LIN_NOT;
        }
        if (s->open == 0 && LIN_MUTANT(STOP_WHEN_QUIET)) {
            break;
        }
        if (s->open == 0 && LIN_MUTANT(CARRY_ONE_STATE)) {
            s->live.count = 1;
        }
    }
    return LIN_OK;
}

/* Return false for what says nothing. Values that are read are linked later. */
static bool translate(const struct lin_op *op, struct step *step)
{
    bool known = op->ret != LIN_NEVER && op->result != LIN_ANY;
    bool writes = op->kind == LIN_SET || op->kind == LIN_GETSET;
    ASSERT(op->invoke <= op->ret);
    ASSERT(!writes || (op->value != 0 && op->value != LIN_ANY));
    *step = (struct step){.invoke = LIN_MUTANT(NO_REAL_TIME) ? 0 : op->invoke,
                          .ret = op->ret,
                          .not_before = NONE,
                          .not_after = NONE,
                          .observes = NOTHING,
                          .makes = op->kind == LIN_DEL ? NIL : KEEP};
    if (writes && op->expire_not_after != 0) {
        ASSERT(op->expire_not_before <= op->expire_not_after);
        step->not_before = LIN_MUTANT(EXPIRES_EARLY) ? 0 : op->expire_not_before;
        step->not_after = LIN_MUTANT(EXPIRES_LATE) ? NONE - 1 : op->expire_not_after;
    }
    if (op->kind == LIN_GET || op->kind == LIN_GETSET) {
        step->observes = known && op->result == 0 ? NIL : NOTHING;
    } else if (op->kind == LIN_DEL && known && !LIN_MUTANT(NO_DEL_RESULT)) {
        ASSERT(op->result <= 1);
        step->observes = op->result == 0 ? NIL : SOME;
        step->makes = op->result == 0 ? KEEP : NIL;
    }
    if (LIN_MUTANT(NIL_IS_WILDCARD) && step->observes == NIL && step->makes == KEEP) {
        return false;
    }
    if (LIN_MUTANT(UNKNOWN_IS_LOST) && op->ret == LIN_NEVER) {
        return false;
    }
    if (LIN_MUTANT(UNKNOWN_IS_QUICK) && op->ret == LIN_NEVER) {
        step->ret = op->invoke;
    }
    return known || op->kind != LIN_GET;
}

/* Index of the first one that is larger than `key`. */
static size_t key_after(const struct keys *keys, uint64_t key)
{
    size_t low = 0, high = keys->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (keys->items[middle].key <= key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct key *key_find(const struct keys *keys, uint64_t key)
{
    size_t after = key_after(keys, key);
    return after > 0 && keys->items[after - 1].key == key ? &keys->items[after - 1] : NULL;
}

/* Let `reader` observe the value that it returned. Return false when that is impossible: written by
 * nobody, not yet, or taken by two GETSETs. */
static bool link_reader(struct search *s, const struct lin_op *ops, const struct keys *values,
                        struct step *reader)
{
    const struct key *found = key_find(values, ops[reader->source].result);
    if (found == NULL || &s->steps[found->index] == reader) {
        return false;
    }
    struct step *write = &s->steps[found->index];
    if (reader->makes != KEEP && write->replacer != NULL) {
        return false;
    }
    reader->observes = FIRST + (int64_t)found->index;
    reader->invoke = MAX(reader->invoke, LIN_MUTANT(NO_REAL_TIME) ? 0 : ops[write->source].invoke);
    write->ret = MIN(write->ret, ops[reader->source].ret);
    if (reader->makes == KEEP) {
        write->readers++;
    } else {
        write->replacer = reader;
    }
    return true;
}

static struct keys keys_of(struct arena *arena, size_t count)
{
    return (struct keys){.items = ARENA_ARRAY(arena, struct key, count)};
}

/* Fill s->steps. Return false when one operation is impossible: out->failed. */
static bool prepare(struct search *s, const struct lin_op *ops, size_t count,
                    struct lin_report *out)
{
    struct keys values = keys_of(s->arena, count);
    s->steps = ARENA_ARRAY(s->arena, struct step, count);
    for (size_t i = 0; i < count; i++) {
        struct step *step = &s->steps[s->steps_count];
        if (!translate(&ops[i], step)) {
            continue;
        }
        step->source = i;
        if (ops[i].kind == LIN_SET || ops[i].kind == LIN_GETSET) {
            step->makes = FIRST + (int64_t)s->steps_count;
            keys_add(&values, ops[i].value, s->steps_count);
        }
        s->steps_count++;
    }
    keys_sort(&values);
    for (size_t i = 1; i < values.count; i++) {
        ASSERT(values.items[i - 1].key < values.items[i].key); /* Written twice otherwise. */
    }
    for (size_t i = 0; i < s->steps_count; i++) {
        struct step *step = &s->steps[i];
        const struct lin_op *op = &ops[step->source];
        bool reads = op->kind == LIN_GET || op->kind == LIN_GETSET;
        out->failed = step->source;
        if (reads && op->ret != LIN_NEVER && op->result != 0 && op->result != LIN_ANY &&
            !link_reader(s, ops, &values, step)) {
            return false;
        }
    }
    for (size_t i = 0; i < s->steps_count; i++) {
        struct step *step = &s->steps[i];
        out->failed = step->source;
        if (step->invoke > step->ret) {
            return false; /* Read before it was written. */
        }
        step->last_read = MAX(step->last_read, step->invoke);
        if (step->makes == KEEP && step->observes >= FIRST) {
            struct step *write = step_of(s, step->observes);
            write->last_read = MAX(write->last_read, step->invoke);
        }
    }
    return true;
}

/* Reduction 6. */
static void drop_late_expiry(struct search *s)
{
    struct keys writes = keys_of(s->arena, s->steps_count);
    uint64_t end = 0;
    for (size_t i = 0; i < s->steps_count; i++) {
        const struct step *step = &s->steps[i];
        end = MAX(end, step->ret != NONE ? step->ret : step->invoke);
        if (step->makes != KEEP && step->ret != NONE) {
            keys_add(&writes, step->invoke, i);
        }
    }
    keys_sort(&writes);
    uint64_t *gone =
        ARENA_ARRAY(s->arena, uint64_t, writes.count + 1); /* After writes from i on. */
    gone[writes.count] = end;
    for (size_t i = writes.count; i > 0; i--) {
        gone[i - 1] = MIN(gone[i], s->steps[writes.items[i - 1].index].ret);
    }
    for (size_t i = 0; i < s->steps_count; i++) {
        struct step *step = &s->steps[i];
        if (step->not_before > gone[key_after(&writes, step->ret)]) {
            step->not_before = step->not_after = NONE;
        }
    }
}

/* Let what follows from `head` know it, and it what follows. GETSETs in a circle are never met. */
static void link_block(struct step *head)
{
    head->block_ret = head->ret;
    for (struct step *write = head; write != NULL; write = write->replacer) {
        write->head = head;
        head->block_last = MAX(head->block_last, write->last_read);
        head->block_ret = MIN(head->block_ret, write->ret);
        head->expires |= write->replacer != NULL && write->not_before != NONE;
        head->expires |= write != head && write->not_before != NONE;
    }
}

static void link_blocks(struct search *s)
{
    for (size_t i = 0; i < s->steps_count; i++) {
        struct step *step = &s->steps[i];
        step->head = step;
        step->block_last = step->last_read;
    }
    for (size_t i = 0; i < s->steps_count; i++) {
        if (s->steps[i].makes != KEEP && s->steps[i].observes < FIRST) {
            link_block(&s->steps[i]);
        }
    }
    for (size_t i = 0; i < s->steps_count; i++) {
        struct step *step = &s->steps[i];
        if (step->makes == KEEP && step->observes >= FIRST) {
            step->head = step_of(s, step->observes)->head;
        }
    }
}

/* Who gets a slot, and who is of reduction 3. */
static void sort_out(struct search *s)
{
    uint64_t last_remove = 0;
    for (size_t i = 0; i < s->steps_count; i++) {
        const struct step *step = &s->steps[i];
        last_remove = step->observes == SOME ? MAX(last_remove, step->ret) : last_remove;
    }
    s->invokes = keys_of(s->arena, s->steps_count);
    s->returns = keys_of(s->arena, s->steps_count);
    s->removes = keys_of(s->arena, s->steps_count);
    s->unread = keys_of(s->arena, s->steps_count);
    for (size_t i = 0; i < s->steps_count; i++) {
        const struct step *step = &s->steps[i];
        if (step->ret != NONE) {
            keys_add(&s->invokes, step->invoke, i);
            keys_add(&s->returns, step->ret, i);
        } else if (step->makes == NIL) {
            keys_add(&s->removes, step->invoke, i);
        } else if (step->not_before == NONE) {
            keys_add(&s->unread, step->invoke, i);
        } else if (last_remove < step->invoke) { /* It serves only by expiring. */
            keys_add(&s->removes, MAX(step->invoke, step->not_before), i);
        } else {
            keys_add(&s->invokes, step->invoke, i);
        }
    }
    keys_sort(&s->invokes);
    keys_sort(&s->returns);
    keys_sort(&s->removes);
    keys_sort(&s->unread);
}

enum lin_verdict lin_check(const struct lin_op *ops, size_t count, struct arena *arena,
                           struct lin_report *out)
{
    struct search s = {.arena = arena};
    *out = (struct lin_report){0};
    if (!prepare(&s, ops, count, out)) {
        return LIN_NOT;
    }
    drop_late_expiry(&s);
    link_blocks(&s);
    sort_out(&s);
    struct pool *pools[] = {&s.live, &s.work, &s.next};
    for (size_t i = 0; i < ARRAY_COUNT(pools); i++) {
        pools[i]->capacity = 16;
        pools[i]->items = ARENA_ARRAY(arena, struct config, pools[i]->capacity);
    }
    return sweep(&s, out);
}

/* What is still NOT after this was NOT before, as every history that was explained still is. */
static void weaken(struct lin_op *ops, const struct lin_op *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ops[i] = from[i];
        ops[i].ret = LIN_NEVER;
    }
}

/* Weaken one run of operations after another, ever shorter ones, while what is left is LIN_NOT. */
static void reduce(struct lin_op *core, const struct lin_op *ops, size_t count)
{
    struct arena arena;
    struct lin_report report;
    struct lin_op *saved = mem_alloc(count * sizeof(*saved));
    arena_init(&arena, count * 256 + 4096);
    size_t run = 1;
    while (run < count) {
        run *= 2;
    }
    for (; run > 0; run /= 2) {
        for (size_t at = 0; at < count; at += run) {
            size_t size = MIN(run, count - at), strong = 0;
            for (size_t i = at; i < at + size; i++) {
                strong += core[i].ret != LIN_NEVER;
            }
            if (strong == 0) {
                continue;
            }
            memcpy(saved, core + at, size * sizeof(*saved));
            weaken(core + at, ops + at, size);
            if (lin_check(core, count, &arena, &report) != LIN_NOT) {
                memcpy(core + at, saved, size * sizeof(*saved));
            }
            arena_reset(&arena);
        }
    }
    arena_release(&arena);
    mem_free(saved);
}

static void print_op(struct buf *out, const struct lin_op *op)
{
    static const char *const names[] = {
        [LIN_SET] = "SET", [LIN_GET] = "GET", [LIN_DEL] = "DEL", [LIN_GETSET] = "GETSET"};
    buf_printf(out, "  [%" PRIu64 ", ", op->invoke);
    if (op->ret == LIN_NEVER) {
        buf_printf(out, "?] %s", names[op->kind]);
    } else {
        buf_printf(out, "%" PRIu64 "] %s", op->ret, names[op->kind]);
    }
    if (op->kind == LIN_SET || op->kind == LIN_GETSET) {
        buf_printf(out, " %" PRIu64, op->value);
        if (op->expire_not_after != 0) {
            buf_printf(out, " expires [%" PRIu64 ", %" PRIu64 "]", op->expire_not_before,
                       op->expire_not_after);
        }
    }
    if (op->kind != LIN_SET && op->ret != LIN_NEVER && op->result != LIN_ANY) {
        bool nil = op->kind != LIN_DEL && op->result == 0;
        nil ? buf_printf(out, " -> nil") : buf_printf(out, " -> %" PRIu64, op->result);
    }
    buf_printf(out, "\n");
}

void lin_explain(const struct lin_op *ops, size_t count, struct buf *out)
{
    struct lin_op *core = mem_alloc(count * sizeof(*core));
    struct keys order = {.items = mem_alloc(2 * count * sizeof(*order.items))};
    struct keys read = {.items = order.items + count};
    memcpy(core, ops, count * sizeof(*core));
    reduce(core, ops, count);
    for (size_t i = 0; i < count; i++) {
        if (core[i].ret != LIN_NEVER && (core[i].kind == LIN_GET || core[i].kind == LIN_GETSET)) {
            keys_add(&read, core[i].result, i);
        }
    }
    keys_sort(&read);
    for (size_t i = 0; i < count; i++) {
        bool writes = core[i].kind == LIN_SET || core[i].kind == LIN_GETSET;
        if (core[i].ret != LIN_NEVER || (writes && key_find(&read, core[i].value) != NULL)) {
            keys_add(&order, core[i].invoke, i);
        }
    }
    keys_sort(&order);
    buf_printf(out, "%zu of %zu operations contradict each other:\n", order.count, count);
    for (size_t i = 0; i < order.count; i++) {
        print_op(out, &core[order.items[i].index]);
    }
    mem_free(order.items);
    mem_free(core);
}
